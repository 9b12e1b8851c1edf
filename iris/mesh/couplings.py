"""Couplings: links from actors here to actors of one other node, and what that node knows of them.

A link outlives connections: it is told of on each new one, and what has become of it meanwhile as
well. That is here, apart from the line that has the connections; the other side's books are
`iris.mesh.bonds`.
"""

from __future__ import annotations

from typing import Optional

from iris.core.messages import ExitReason
from iris.mesh.session import SessionV2

End = Optional[tuple[int, str]]
"""Through whom and why an actor here has ended; None where it was unlinked."""


class Couplings:
    """The links to one other node. In the hub of the mesh; `session` is None without one."""

    __slots__ = ("_ends", "_links", "_untold")

    def __init__(self) -> None:
        self._links: dict[int, dict[int, None]] = {}
        # Pid there -> pids here. Invariant: no book is empty.
        self._untold: dict[tuple[int, int], None] = {}
        # (pid here, pid there) of links that this connection has not told of.
        self._ends: dict[tuple[int, int], End] = {}
        # What has become of links meanwhile. Without a connection all are untold.

    def link(self, session: Optional[SessionV2], here: int, there: int) -> None:
        """There is a link more."""
        self._links.setdefault(there, {})[here] = None
        self._ends.pop((here, there), None)
        if session is None or not session.link(here, there):
            self._untold[here, there] = None

    def end(self, session: Optional[SessionV2], here: int, there: int, end: End) -> None:
        """There is one less."""
        book = self._links.get(there, {})
        if here not in book:
            return
        del book[here]
        if not book:
            del self._links[there]
        if session is None or (here, there) in self._untold:
            # The end of a link that the other side does not know would mean nothing to it.
            self._ends[here, there] = end
        else:
            _tell_end(session, here, there, end)

    def tell(self, session: SessionV2) -> None:
        """Tell what this connection has not told, as far as there is room."""
        untold, ends = self._untold, self._ends
        while untold:
            link = next(iter(untold))
            if not session.link(*link):
                return
            del untold[link]
            if link in ends:
                _tell_end(session, *link, ends.pop(link))

    def opened(self) -> None:
        """There is a connection again, to the same life of the node."""
        self._untold = dict.fromkeys(self._ends)
        self._untold.update(
            dict.fromkeys((here, there) for there, book in self._links.items() for here in book)
        )

    def gone(self, session: Optional[SessionV2], there: int) -> None:
        """The proxy of this actor has ended, and its links; a session tells of that.

        As at the end of a node: who is linked is never left behind without a word.
        """
        for here in self._links.pop(there, ()):
            self._untold.pop((here, there), None)
            if session is not None:
                session.exit(here, there, here, str(ExitReason.DISCONNECTED), "its proxy has ended")

    def forget_ends(self) -> None:
        """The node has been started anew: nobody there knows what has ended."""
        self._ends.clear()


def _tell_end(session: SessionV2, here: int, there: int, end: End) -> None:
    if end is None:
        session.unlink(here, there)
    else:
        session.exit(here, there, *end)
