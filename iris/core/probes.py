"""Probes: named questions after the health of a program, each the actor's that has added it.

A registry. Who asks them, and what an answer means, is in `iris.observe.health`.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.core.book import EMPTY, strike
from iris.core.cell import ActorCell, Ties
from iris.core.links import book_of, loosen

Probe = Callable[[], Any]


class Probes:
    """The probes of one runtime. They change under the table lock."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, tuple[Probe, Optional[ActorCell]]] = {}

    def add(self, name: str, probe: Probe, cell: Optional[ActorCell]) -> bool:
        """Add a probe of an actor, or of nobody; False when the name is taken."""
        if name in self._held:
            return False
        if cell is not None:
            book_of(cell, "probes")[name] = None
        self._held[name] = (probe, cell)
        return True

    def remove(self, name: str) -> bool:
        """Take a probe back; False when there is none of this name."""
        held = self._held.get(name)
        if held is None:
            return False
        strike(self._held, name)
        cell = held[1]
        if cell is not None and cell.ties is not None:
            strike(cell.ties.probes, name)
            loosen(cell)
        return True

    def free_all(self, ties: Ties) -> None:
        """Forget the probes of an actor that ends, or begins anew."""
        for name in ties.probes:
            strike(self._held, name)
        ties.probes = EMPTY

    def all(self) -> list[tuple[str, Probe]]:
        """Name and probe of each, in the order in which they came. From any thread, no lock."""
        # A copy first, by one C call: others may be added meanwhile.
        return [(name, held[0]) for name, held in list(self._held.items())]
