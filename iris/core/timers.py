"""Timed messages: what is due at which time. A heap of deadlines; time is an argument.

Cancelled timers stay in the heap until they come up or outnumber the living ones, then
they are swept: cancelling is O(1), and memory follows the living timers.
"""

from __future__ import annotations

import heapq
import math
from typing import Any, Optional

from iris.config import TIMERS_MAX
from iris.core.book import strike
from iris.errors import LimitReached

BEATS_MAX = 2.0**52
"""A float counts whole beats up to here."""


class Timer:
    """One message to send later, once or again and again."""

    __slots__ = ("data", "deadline", "id", "interval_s", "pid")

    def __init__(
        self, timer_id: int, deadline: float, interval_s: Optional[float], pid: int, data: Any
    ) -> None:
        self.id = timer_id
        self.deadline = deadline
        self.interval_s = interval_s
        self.pid = pid
        self.data = data


class Timers:
    """The pending timers of a runtime. Changed under the table lock; `next` is read anywhere."""

    __slots__ = ("_heap", "_ids", "_live", "next")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._live: dict[int, Timer] = {}
        self._ids = 0
        self.next: Optional[float] = None
        # Invariant: not later than the earliest living deadline; None when there is none.

    def __len__(self) -> int:
        return len(self._live)

    def add(self, deadline: float, interval_s: Optional[float], pid: int, data: Any) -> int:
        """Plan a message; returns the timer's id.

        Args:
            deadline: when it is due, in seconds of the runtime's clock.
            interval_s: None for once; else over 0, and it comes again and again.
        """
        if len(self._live) >= TIMERS_MAX:
            raise LimitReached(f"{TIMERS_MAX} timers are pending; cancel some before adding more")
        self._ids += 1
        timer = Timer(self._ids, deadline, interval_s, pid, data)
        self._live[timer.id] = timer
        self._push(timer)
        return timer.id

    def cancel(self, timer_id: int) -> Optional[Timer]:
        """Forget a timer and return it; None when it has fired, was cancelled or never was."""
        timer = strike(self._live, timer_id)
        if timer is not None:
            if not self._live:
                self._heap.clear()
                self.next = None
            elif len(self._heap) > 64 and len(self._heap) > 2 * len(self._live):
                self._heap = [(t.deadline, t.id) for t in self._live.values()]
                heapq.heapify(self._heap)
                self.next = self._heap[0][0]
        return timer

    def take_due(self, now: float, most: int = 1024) -> list[Timer]:
        """Remove the due timers, earliest first, and plan the next beat of intervals.

        A beat that was missed is not made up for: a late interval fires once, and its next
        beat is the first one after `now` on its own grid, so it does not drift.
        """
        due: list[Timer] = []
        heap = self._heap
        while heap and heap[0][0] <= now and len(due) < most:
            deadline, timer_id = heapq.heappop(heap)
            timer = self._live.get(timer_id)
            if timer is None or timer.deadline != deadline:
                continue
            due.append(timer)
            if timer.interval_s is None:
                strike(self._live, timer_id)
            else:
                timer.deadline = _next_beat(deadline, timer.interval_s, now)
                self._push(timer)
        while heap and heap[0][1] not in self._live:
            heapq.heappop(heap)
        self.next = heap[0][0] if heap else None
        return due

    def _push(self, timer: Timer) -> None:
        heapq.heappush(self._heap, (timer.deadline, timer.id))
        if self.next is None or timer.deadline < self.next:
            self.next = timer.deadline


def _next_beat(deadline: float, interval_s: float, now: float) -> float:
    """The first point after `now` on the grid of an interval that was due at `deadline`.

    Where the grid is finer than the clock can tell, the next moment that it can.
    """
    missed = (now - deadline) / interval_s
    if missed < BEATS_MAX:
        following = deadline + (int(missed) + 1) * interval_s
        if following <= now:
            following += interval_s
        if following > now:
            return following
    return math.nextafter(now, math.inf)
