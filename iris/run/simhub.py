"""A hub without an event loop: virtual time, one thread, driven step by step.

The carrier, the turns and the waiters that run on it are the real ones. What happens next
is decided by the run queue's seed and by the world that the hub is part of.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.run.simworld import Call, World


class SimHub:
    """The hub of a simulated runtime. Used from one greenlet, the one that drives the world."""

    def __init__(self, world: World) -> None:
        from greenlet import greenlet

        self.world = world
        self._new = greenlet
        self._pump: Callable[[], None] = _nothing
        self._woken = False
        self._armed: Optional[Call] = None
        world.enter(self)

    # -- the Hub protocol ----------------------------------------------------------------

    def start(self, pump: Callable[[], None]) -> None:
        self._pump = pump

    def wake(self) -> None:
        self._woken = True

    def arm(self, delay_s: Optional[float], call: Callable[[], None]) -> None:
        if self._armed is not None:
            self._armed.close()
        self._armed = None if delay_s is None else self.later(delay_s, call)

    def later(self, delay_s: float, call: Callable[[], Any]) -> Call:
        return self.world.add(delay_s, Call(call, self))

    def later_aside(self, delay_s: float, call: Callable[[], Any]) -> Call:
        return self.world.add(delay_s, Call(call, self, aside=True))

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        return self._new(run, self.world.driver)

    def park(self) -> None:
        self.world.driver.switch()

    def interrupted(self, error: BaseException) -> None:
        self.world.error = error

    def close(self) -> None:
        self._pump = _nothing
        self.arm(None, _nothing)

    # -- the world's side ------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Whether something has woken the pump."""
        return self._woken

    def run(self) -> None:
        """Run it."""
        self._woken = False
        self._pump()


def _nothing() -> None:
    pass
