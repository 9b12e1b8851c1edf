"""An outcome that is awaited, in any asyncio loop and as often as one likes.

What is waited for goes on without anybody who waits: an await that is cancelled cancels itself
and nothing else.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from iris.interop.aio import LoopWaiter
from iris.run.asking import opened
from iris.run.native import allocate_lock


class Outcome:
    """What will have come of a call. Await it for the result, or for the error raised.

    May be awaited several times, at once or one after the other, in different loops.
    """

    __slots__ = ("_is_settled", "_lock", "_outcome", "_waiters")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._is_settled = False
        self._outcome: tuple[bool, Any] = (False, None)
        self._waiters: list[LoopWaiter] = []
        # Invariant: under the lock; empty once it is settled.

    def settle(self, outcome: tuple[bool, Any]) -> None:
        """Give the result, as (True, value) or (False, error). Once, from any thread."""
        with self._lock:
            self._outcome, self._is_settled = outcome, True
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.settle()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in the running loop."""
        waiter = LoopWaiter()
        with self._lock:
            waits = not self._is_settled
            if waits:
                self._waiters.append(waiter)
        if waits:
            try:
                yield from waiter.wait().__await__()
            finally:
                with self._lock:
                    if waiter in self._waiters:
                        self._waiters.remove(waiter)
        return opened(self._outcome)
