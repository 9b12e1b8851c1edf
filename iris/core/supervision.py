"""Which actors stand under which supervisor: bookkeeping, without effects.

There is one global supervisor and one for each path for which one was created. They list
living actors in the order in which these were given to them. Changed under the table lock.
"""

from __future__ import annotations

from typing import Optional

from iris.core.book import strike
from iris.core.cell import ActorCell
from iris.core.links import loosen, ties_of

GLOBAL = ""
"""The key of the global supervisor; a path starts with a slash, so it cannot collide."""


class Registers:
    """The lists of supervised actors of one runtime."""

    __slots__ = ("_lists",)

    def __init__(self) -> None:
        self._lists: dict[str, dict[int, ActorCell]] = {GLOBAL: {}}

    def create(self, key: str) -> bool:
        """Make a supervisor; False when it is there already."""
        if key in self._lists:
            return False
        self._lists[key] = {}
        return True

    def remove(self, key: str) -> bool:
        """Remove a supervisor, its actors live on; False when there is none."""
        cells = self._lists.pop(key, None)
        if cells is None:
            return False
        for cell in cells.values():
            if cell.ties is not None:
                strike(cell.ties.supervisors, key)
                loosen(cell)
        return True

    def watch(self, key: str, cell: ActorCell) -> bool:
        """Put an actor on a supervisor's list; False when there is no such supervisor."""
        cells = self._lists.get(key)
        if cells is None:
            return False
        cells[cell.pid] = cell
        ties_of(cell).supervisors[key] = None
        return True

    def pids(self, key: str) -> Optional[list[int]]:
        """The pids on a supervisor's list; None when there is no such supervisor."""
        cells = self._lists.get(key)
        return None if cells is None else list(cells)

    def forget(self, cell: ActorCell) -> None:
        """Take an ended actor off every list."""
        if cell.ties is None:
            return
        for key in cell.ties.supervisors:
            cells = self._lists.get(key)
            if cells is not None:
                strike(cells, cell.pid)
        cell.ties.supervisors.clear()
