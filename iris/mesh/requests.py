"""Who waits for an answer of the peer, and until when.

Owns the numbers of requests and their times. It refuses to know what was asked: a request has a
kind, so that an answer of another kind is none, and a token that its owner gave. What a peer
answers without having been asked, or too late, is counted and nothing more.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, Optional

REQUESTS_MOST = 4096
"""Without an answer on one connection. A node that is asked more than twice as much, which leaves
room for what crosses on the way, takes it for a fault."""


class Requests:
    """The requests of this side that have no answer.

    Args:
        most: of them at a time.
    """

    __slots__ = ("_last", "_most", "_times", "_waiting", "late", "unasked")

    def __init__(self, most: int) -> None:
        self._most = most
        self._last = 0
        self._waiting: dict[int, tuple[int, Any]] = {}
        # number -> (kind, token), the oldest first.
        self._times: list[tuple[float, int]] = []
        # A heap of (deadline, number); those that were answered stay in it for a while.
        self.late = 0
        # Answers that came for requests which had expired or were withdrawn, or a second time.
        self.unasked = 0
        # Answers to what was never asked.

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no request can be added."""
        return len(self._waiting) >= self._most

    def add(self, kind: int, token: Any, deadline: float) -> int:
        """Add a request, when not `full`; gives its number, never 0.

        Args:
            kind: which answers count.
            token: what `answer` gives.
            deadline: when it expires, in monotonic seconds.
        """
        self._last = number = self._last + 1
        self._waiting[number] = (kind, token)
        times = self._times
        if len(times) > 2 * len(self._waiting) + 64:
            times[:] = [entry for entry in times if entry[1] in self._waiting]
            heapify(times)
        heappush(times, (deadline, number))
        return number

    def answer(self, kind: int, number: int) -> Optional[tuple[int, Any]]:
        """An answer has come: its request, which is over; None when there is none."""
        found = self._waiting.get(number)
        if found is not None and found[0] == kind:
            del self._waiting[number]
            return found
        if found is None and 0 < number <= self._last:
            self.late += 1
        else:
            self.unasked += 1
        return None

    def withdraw(self, number: int) -> bool:
        """Nobody waits for the answer any more; False when there is no such request."""
        return self._waiting.pop(number, None) is not None

    def expired(self, now: float) -> list[tuple[int, int, Any]]:
        """Number, kind and token of those whose time is over, which they are from now on."""
        over = []
        times = self._times
        while times and (times[0][0] <= now or times[0][1] not in self._waiting):
            number = heappop(times)[1]
            found = self._waiting.pop(number, None)
            if found is not None:
                over.append((number, *found))
        return over

    @property
    def deadline(self) -> Optional[float]:
        """When the next one may expire; None while there is none."""
        times = self._times
        while times and times[0][1] not in self._waiting:
            heappop(times)
        return times[0][0] if times else None

    def tokens(self) -> list[Any]:
        """The tokens of all, the oldest first."""
        return [token for _, token in self._waiting.values()]
