"""Settling: what becomes of the messages, waiters and askers that an end has left behind.

It takes what `Lifecycle` and `Restarting` have already taken out of a cell, and gives each item
its fate. It decides nothing about the actor. Nothing here is called under a lock.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable

from iris.core.cell import ActorCell
from iris.core.mailbox import Ticket, Verdict
from iris.core.messages import Ending, FenceMarker, LetterReason, Marker, Request
from iris.core.tally import Fates
from iris.errors import ActorDead, IrisError
from iris.run.undelivered import Undelivered


class Settling:
    """The fates that ends bring about in one runtime. From any thread unless said otherwise."""

    __slots__ = ("_fates", "_undelivered")

    def __init__(self, fates: Fates, undelivered: Undelivered) -> None:
        self._fates = fates
        self._undelivered = undelivered

    def settle(self, cell: ActorCell, left: list[Any]) -> None:
        """Give what was still queued its fate."""
        if not left:
            return
        expired = 0
        for item in left:
            if not isinstance(item, Marker):
                expired += 1
            elif type(item) is FenceMarker:
                item.reached()
        self._fates.expired.add_many(expired)
        self._undelivered.left(cell.pid, LetterReason.EXPIRED, left, expired)

    def bury(self, cell: ActorCell) -> None:
        """Settle what senders appended to a DEAD cell too late.

        By its owner, and for pull actors by the late senders themselves: hence one message
        at a time, each taken in one step.
        """
        take = cell.user.popleft if isinstance(cell.user, deque) else _pop_first(cell.user)
        # An orphan's turn may have left some of its batch; pull actors never have.
        left = cell.take_rest()
        while True:
            while cell.user:
                try:
                    left.append(take())
                except IndexError:
                    break
            self.settle(cell, left)
            left = []
            cell.special = False
            cell.ready = False
            # Not ready first, THEN a look, as at the end of every turn.
            if not cell.user or cell.ready:
                return
            cell.ready = True

    def failed(self, cell: ActorCell, message: Any, quarantined: bool) -> None:
        """The handler has raised over this message, and it is not delivered again."""
        if quarantined:
            self._fates.quarantined.add()
            self._undelivered.quarantined(cell.pid, message)
        else:
            self._fates.failed.add()


def _pop_first(lane: list[Any]) -> Callable[[], Any]:
    return lambda: lane.pop(0)


def tell_closed(tickets: list[Ticket]) -> None:
    """Tell those who wait for room that there will be none."""
    for ticket in tickets:
        ticket.settle(Verdict.CLOSED)


def tell_askers(asked: list[Request], error: Callable[[str], IrisError], text: str) -> None:
    """Tell the askers of these questions, which were released, that no answer comes."""
    for request in asked:
        # An error for each: it takes a traceback with it.
        request.settle((False, error(text)))


def tell_of_end(asked: list[Request], cell: ActorCell, ending: Ending) -> None:
    """Tell the askers of these questions that the actor has ended."""
    if asked:
        text = f"actor {cell.pid} ended ({ending.reason}) before it answered"
        tell_askers(asked, ActorDead, text)
