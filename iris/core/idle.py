"""Idle: what a virtual actor with an idle time has before its first message, and after it.

Both are admissions, because the door of the mailbox is the one place that every user message
passes. `DORMANT` takes nothing in: it says that the actor has to be begun first. `Idle`
notes when the latest message came and can be closed at an exact moment, so that the idle end
loses nothing: what was let in before is seen, what comes after is refused. `IdleBook` says
which actor has to be looked at next. Whether and how an actor ends is decided in
`iris.run.lazy`.
"""

from __future__ import annotations

import heapq
from typing import Any, Callable, Optional

from iris.core.mailbox import Gate, Lock, Verdict

DORMANT = Gate(Verdict.DORMANT)
"""The admission of a virtual actor before its first message. One for all: it costs nothing."""

SWEEP_LEAST = 64
"""A book shorter than this is not worth sweeping."""


class Idle:
    """The admission of a virtual actor that has begun.

    Args:
        lock: the table lock. A lock of its own would cost each actor 90 bytes, and a signal
            handler that sends in the middle of `offer` could take the two the wrong way round.
        clock: monotonic seconds. Handed in, because a message does not bring the time along.
    """

    __slots__ = ("_clock", "_lock", "closed", "latest")

    def __init__(self, lock: Lock, clock: Callable[[], float]) -> None:
        self._lock = lock
        self._clock = clock
        self.latest = clock()
        # When the latest message came, or when the work was done that outlasted the idle
        # time. Under the lock.
        self.closed = False
        # Under the lock. True from the idle end on: a sender who found the door open a moment
        # ago must not come in any more.

    def offer(self, lane: Any, message: Any) -> Verdict:
        """Take the message in and note the time, in one step for whoever holds the lock."""
        with self._lock:
            if self.closed:
                return Verdict.CLOSED
            lane.append(message)
            self.latest = self._clock()
            return Verdict.ACCEPTED

    def touch(self) -> None:
        """Something else than a user message has come. Under the lock."""
        self.latest = self._clock()


class IdleBook:
    """Which virtual actor has to be looked at, and when. Changed under the table lock.

    A message does not change it: an actor that was busy meanwhile is found so when its time
    comes, and is entered anew. Nor does an end: the book holds pids, not cells, and is swept
    when it has doubled.

    Args:
        is_awaited: whether the actor with this pid may still have an idle end.
    """

    __slots__ = ("_heap", "_is_awaited", "_sweep_at")

    def __init__(self, is_awaited: Callable[[int], bool]) -> None:
        self._is_awaited = is_awaited
        self._heap: list[tuple[float, int]] = []
        self._sweep_at = SWEEP_LEAST
        # Invariant: at least twice what the last sweep left, so a sweep is paid by the
        # entries since.

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next(self) -> Optional[float]:
        """When the first of them is due; None when there is none."""
        return self._heap[0][0] if self._heap else None

    def enter(self, deadline: float, pid: int) -> None:
        """Look at this actor at this time."""
        heapq.heappush(self._heap, (deadline, pid))
        if len(self._heap) >= self._sweep_at:
            self._heap = [entry for entry in self._heap if self._is_awaited(entry[1])]
            heapq.heapify(self._heap)
            self._sweep_at = max(SWEEP_LEAST, 2 * len(self._heap))

    def take_due(self, now: float) -> Optional[int]:
        """Remove the first actor that is due and return its pid; None when none is."""
        if not self._heap or self._heap[0][0] > now:
            return None
        return heapq.heappop(self._heap)[1]
