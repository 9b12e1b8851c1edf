"""What simulated hubs have in common: virtual time, the calls to come, and who has the next step.

Nothing happens between two steps. A runtime alone has a world of its own, in which its hub goes
before the timers; in a world with luck, that of a simulated network, it is drawn which of all the
things that can happen now does.
"""

from __future__ import annotations

import heapq
from typing import Any, Callable, Optional, Protocol

from iris.errors import IrisError, WouldDeadlock
from iris.run.context import current_greenlet

STEPS_MOST = 1_000_000
"""Steps without an end of the work: some actors keep each other busy for ever."""

IN_ORDER = 0.5
"""Where a call stands among those of the same moment: those alike in the order they were made."""


class ManualClock:
    """Seconds that pass only when told to."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Ready(Protocol):
    """A hub of the world."""

    def is_ready(self) -> bool:
        """Whether it has something to do now."""

    def run(self) -> None:
        """Do one thing of it."""


class Call:
    """A delayed call; closing it takes it back."""

    __slots__ = ("aside", "call", "owner")

    def __init__(
        self, call: Callable[[], Any], owner: Optional[Ready] = None, aside: bool = False
    ) -> None:
        self.call: Optional[Callable[[], Any]] = call
        self.owner = owner
        # Frozen with it and gone with it; None for what is nobody's.
        self.aside = aside
        # Whether nobody waits for it.

    def close(self) -> None:
        self.call = None

    stop = close
    # As the timers of an event loop have both.


class World:
    """One time for several hubs, driven by the greenlet that has made it.

    Args:
        clock: which it moves.
        luck: gives numbers from 0 to below 1 by which the next step is drawn. Without it hubs go
            before calls, and all calls of one moment are made when that moment comes.
    """

    def __init__(
        self, clock: Optional[ManualClock] = None, luck: Optional[Callable[[], float]] = None
    ) -> None:
        self.clock = clock or ManualClock()
        self.after_step: Callable[[], None] = _nothing
        # Called when a step is over, before the next thing happens.
        self.error: Optional[BaseException] = None
        # Raised out of the step that it came up in.
        self.driver = current_greenlet() or _main_greenlet()
        self._luck = luck
        self._hubs: dict[Ready, None] = {}
        self._frozen: dict[Ready, list[tuple[float, float, int, Call]]] = {}
        # With the calls that have come due meanwhile.
        self._calls: list[tuple[float, float, int, Call]] = []
        self._order = 0
        self._stepping = False

    # -- hubs and calls --------------------------------------------------------------------

    def enter(self, hub: Ready) -> None:
        """Let it have steps."""
        self._hubs[hub] = None

    def remove(self, hub: Ready) -> None:
        """It runs no more, and its calls are not made."""
        self._hubs.pop(hub, None)
        self._frozen.pop(hub, None)

    def has(self, hub: Ready) -> bool:
        """Whether it may have steps, unless it is frozen."""
        return hub in self._hubs

    def freeze(self, hub: Ready) -> None:
        """Let it stand still until `thaw`."""
        self._frozen.setdefault(hub, [])

    def thaw(self, hub: Ready) -> None:
        """Let it go on; what has come due is made late."""
        for held in self._frozen.pop(hub, ()):
            heapq.heappush(self._calls, held)

    def add(self, delay_s: float, call: Call, rank: float = IN_ORDER) -> Call:
        """Make a call after some seconds; of those of one moment the one of least rank first."""
        self._order += 1
        due = self.clock.now + max(delay_s, 0.0)
        heapq.heappush(self._calls, (due, rank, self._order, call))
        return call

    # -- driving ---------------------------------------------------------------------------

    def may_step(self) -> bool:
        """Whether the caller may drive: whoever is called by a step may not."""
        return not self._stepping and current_greenlet() is self.driver

    def step(self) -> bool:
        """Do one thing; False when nothing is to be done now."""
        if current_greenlet() is not self.driver:
            raise IrisError("a simulation is driven by the greenlet that made it")
        if self._stepping:
            raise WouldDeadlock("what a simulation calls cannot wait for the simulation")
        ready = [hub for hub in self._hubs if hub not in self._frozen and hub.is_ready()]
        choices = len(ready) + self._is_due()
        if not choices:
            return False
        place = int(self._luck() * choices) if self._luck is not None and choices > 1 else 0
        self._stepping = True
        try:
            if place < len(ready):
                ready[place].run()
            else:
                self._fire()
        finally:
            self._stepping = False
        self.after_step()
        error, self.error = self.error, None
        if error is not None:
            raise error
        return True

    def run_until_idle(self, steps_max: int = STEPS_MOST) -> int:
        """Do all that is to be done now; returns how many steps."""
        for steps in range(steps_max):
            if not self.step():
                return steps
        raise IrisError(f"not idle after {steps_max} steps; some actors keep each other busy")

    def advance(self, duration_s: float) -> None:
        """Let time pass: do what is to be done, then what each call on the way brings."""
        end = self.clock.now + duration_s
        self.run_until_idle()
        while True:
            due = self.next_time()
            if due is None or due > end:
                break
            self.move_to(due)
            self.run_until_idle()
        self.move_to(end)
        self.run_until_idle()

    def next_time(self) -> Optional[float]:
        """When the next call is due; None when there is none."""
        calls = self._calls
        while calls:
            call = calls[0][3]
            owner = call.owner
            if call.call is None or (owner is not None and owner not in self._hubs):
                heapq.heappop(calls)
            elif owner is not None and owner in self._frozen:
                self._frozen[owner].append(heapq.heappop(calls))
            else:
                return calls[0][0]
        return None

    def expects(self) -> bool:
        """Whether a call is to come that somebody may wait for."""
        return any(
            call.call is not None and not call.aside and self._runs(call.owner)
            for _, _, _, call in self._calls
        )

    def _runs(self, owner: Optional[Ready]) -> bool:
        return owner is None or (owner in self._hubs and owner not in self._frozen)

    def move_to(self, time: float) -> None:
        """Move the clock to a time that no call precedes."""
        self.clock.now = max(self.clock.now, time)
        if self._luck is None:
            while self._is_due():
                self._fire()

    def _is_due(self) -> bool:
        due = self.next_time()
        return due is not None and due <= self.clock.now

    def _fire(self) -> None:
        call = heapq.heappop(self._calls)[3].call
        if call is not None:
            call()


def _main_greenlet() -> Any:
    import greenlet

    return greenlet.getcurrent()


def _nothing() -> None:
    pass
