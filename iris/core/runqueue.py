"""The queue of ready cells. In production a plain deque; in tests one that a seed shuffles.

Both have the methods of a deque that the carrier asks for, places and a length. A ready cell
is usually queued once; a second entry is harmless (see docs/adr, the ready protocol).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from typing import Union

from iris.core.cell import ActorCell


class SeededQueue:
    """Gives the waiting cells in an order that the seed decides, the same on every interpreter."""

    __slots__ = ("_cells", "_random")

    def __init__(self, seed: int) -> None:
        self._cells: list[ActorCell] = []
        self._random = random.Random(seed)

    def __len__(self) -> int:
        return len(self._cells)

    def append(self, cell: ActorCell) -> None:
        """Queue a ready cell."""
        self._cells.append(cell)

    def popleft(self) -> ActorCell:
        """Remove one of the waiting cells; IndexError when there is none."""
        cells = self._cells
        if not cells:
            raise IndexError("no cell is ready")
        # random() and not randrange(): its stream is the same on every Python version.
        place = int(self._random.random() * len(cells))
        cells[place], cells[-1] = cells[-1], cells[place]
        return cells.pop()

    def __getitem__(self, place: int) -> ActorCell:
        return self._cells[place]

    def pop(self) -> ActorCell:
        """Remove the cell that was queued last."""
        return self._cells.pop()

    def extend(self, cells: Iterable[ActorCell]) -> None:
        """Queue several."""
        self._cells.extend(cells)

    def extendleft(self, cells: Iterable[ActorCell]) -> None:
        """The same: the seed decides the order."""
        self._cells.extend(cells)

    def clear(self) -> None:
        """Forget all waiting cells."""
        self._cells.clear()


RunQueue = Union["deque[ActorCell]", SeededQueue]
