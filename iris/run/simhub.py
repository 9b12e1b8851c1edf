"""A hub without an event loop: virtual time, one thread, driven step by step.

The carrier, the turns and the waiters that run on it are the real ones. What happens next
is decided by the run queue's seed and by the clock that the driver moves.
"""

from __future__ import annotations

import heapq
from typing import Any, Callable, Optional

from iris.errors import IrisError
from iris.run.context import current_greenlet


class ManualClock:
    """Seconds that pass only when told to."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Call:
    """A delayed call; closing it takes it back."""

    __slots__ = ("aside", "call")

    def __init__(self, call: Optional[Callable[[], Any]], aside: bool = False) -> None:
        self.call = call
        self.aside = aside
        # Whether nobody waits for it.

    def close(self) -> None:
        self.call = None


class SimHub:
    """The hub of a simulated runtime. Used from one greenlet, the one that drives it."""

    def __init__(self, clock: ManualClock) -> None:
        from greenlet import greenlet

        self.clock = clock
        self._new = greenlet
        self._driver = current_greenlet() or _main_greenlet()
        self._pump: Callable[[], None] = _nothing
        self._woken = False
        self._armed: Optional[_Call] = None
        self._calls: list[tuple[float, int, _Call]] = []
        self._order = 0
        self._error: Optional[BaseException] = None
        self.after_step: Callable[[], None] = _nothing
        # Called when a step is over, before the next thing happens.

    # -- the Hub protocol ----------------------------------------------------------------

    def start(self, pump: Callable[[], None]) -> None:
        self._pump = pump

    def wake(self) -> None:
        self._woken = True

    def arm(self, delay_s: Optional[float], call: Callable[[], None]) -> None:
        if self._armed is not None:
            self._armed.close()
        self._armed = None if delay_s is None else self.later(delay_s, call)

    def later(self, delay_s: float, call: Callable[[], Any]) -> _Call:
        return self._add(delay_s, _Call(call))

    def later_aside(self, delay_s: float, call: Callable[[], Any]) -> _Call:
        return self._add(delay_s, _Call(call, True))

    def _add(self, delay_s: float, entry: _Call) -> _Call:
        self._order += 1
        heapq.heappush(self._calls, (self.clock.now + max(delay_s, 0.0), self._order, entry))
        return entry

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        return self._new(run, self._driver)

    def park(self) -> None:
        self._driver.switch()

    def interrupted(self, error: BaseException) -> None:
        self._error = error

    def close(self) -> None:
        self._pump = _nothing
        self.arm(None, _nothing)

    # -- the driver's side -----------------------------------------------------------------

    def step(self) -> bool:
        """Run the pump if something has woken it; False when nothing is to be done now."""
        if current_greenlet() is not self._driver:
            raise IrisError("a simulated runtime is driven by the greenlet that made it")
        if self._woken:
            self._woken = False
            self._pump()
        elif self._due():
            self._fire()
        else:
            return False
        self.after_step()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return True

    def next_time(self) -> Optional[float]:
        """When the next timer is due; None when there is none."""
        while self._calls and self._calls[0][2].call is None:
            heapq.heappop(self._calls)
        return self._calls[0][0] if self._calls else None

    def expects(self) -> bool:
        """Whether a timer is to come that somebody may wait for."""
        return any(entry.call is not None and not entry.aside for _, _, entry in self._calls)

    def move_to(self, time: float) -> None:
        """Move the clock to a time that no timer precedes, and wake what is due."""
        self.clock.now = max(self.clock.now, time)
        while self._due():
            self._fire()

    def _due(self) -> bool:
        return bool(self._calls) and self._calls[0][0] <= self.clock.now

    def _fire(self) -> None:
        call = heapq.heappop(self._calls)[2].call
        if call is not None:
            call()


def _main_greenlet() -> Any:
    import greenlet

    return greenlet.getcurrent()


def _nothing() -> None:
    pass
