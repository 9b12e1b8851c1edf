"""Bonds: links between actors here and the actors of one life of another node.

A link belongs to the connection that has told of it last. One that has lost its connection is an
orphan until the other node has told of it again, or has had its time. It stands apart from visits
because a link outlives the connection it came by, and may have come by a later one before the end
of the earlier one is seen.
"""

from __future__ import annotations

Bond = tuple[int, int]
"""Pid there, pid here."""


class Bonds:
    """The links with one life of another node. In the hub of the mesh."""

    __slots__ = ("_by_ours", "count")

    def __init__(self) -> None:
        self._by_ours: dict[int, dict[int, object]] = {}
        # Pid here -> pid there -> to whom it belongs. Invariant: no book is empty.
        self.count = 0

    def tie(self, theirs: int, ours: int, holder: object) -> None:
        """There is this link, and it belongs to `holder` now."""
        book = self._by_ours.setdefault(ours, {})
        self.count += theirs not in book
        book[theirs] = holder

    def untie(self, theirs: int, ours: int) -> bool:
        """There is no such link any more; False when there was none."""
        book = self._by_ours.get(ours, {})
        if book.pop(theirs, None) is None:
            return False
        self.count -= 1
        if not book:
            del self._by_ours[ours]
        return True

    def ended(self, ours: int) -> None:
        """An actor here has ended, and its links with it."""
        self.count -= len(self._by_ours.pop(ours, ()))

    def held_by(self, holder: object) -> list[Bond]:
        """The links that belong to it."""
        return [
            (theirs, ours)
            for ours, book in self._by_ours.items()
            for theirs, one in book.items()
            if one is holder
        ]
