"""Timers by chance, beside a model that is a list of times."""

from __future__ import annotations

from random import Random
from typing import Optional

import pytest

from iris.testing import SimRuntime

SEEDS = 200
END = 1000
TICKS_A_SECOND = 1024
"""A tick is a binary fraction of a second, so that all times here are exact floats."""
TICK_MS = 1000 / TICKS_A_SECOND


class Planned:
    """One timer of the model, in ticks."""

    def __init__(self, timer: int, pid: int, due: int, interval: Optional[int]) -> None:
        self.timer = timer
        self.pid = pid
        self.due = due
        self.interval = interval
        self.is_ended = False
        self.end = END
        # Nothing after this time is looked at, or has to come.

    def beats(self) -> list[int]:
        """When it has to fire."""
        return list(range(self.due, self.end + 1, self.interval or END + 1))

    def stop(self, now: int) -> bool:
        """End it; False when it has nothing left to do."""
        was_pending = not self.is_ended and (self.interval is not None or self.due > now)
        self.is_ended = True
        self.end = min(self.end, now)
        return was_pending


class Clockwork:
    """Actors with timers, made and ended by chance."""

    def __init__(self, seed: int) -> None:
        self.rt = SimRuntime(seed=seed)
        self.random = Random(seed).random
        self.fired: list[tuple[int, int]] = []
        self.plans: list[Planned] = []
        self.pids = [self.rt.spawn(self.handle) for _ in range(4)]

    def handle(self, name: int) -> None:
        """Note when which timer has fired."""
        self.fired.append((int(self.rt.now * TICKS_A_SECOND), name))

    def plan(self, now: int, again: bool) -> None:
        """Make a timer whose message is its number."""
        pid, delay = self.pids[int(self.random() * 4)], 1 + int(self.random() * 300)
        call = self.rt.send_interval if again else self.rt.send_after
        timer = call(pid, delay * TICK_MS, len(self.plans))
        self.plans.append(Planned(timer, pid, now + delay, delay if again else None))

    def cancel(self, now: int) -> None:
        """Cancel some timer."""
        plan = self.plans[int(self.random() * len(self.plans))]
        assert self.rt.cancel_timer(plan.timer) is plan.stop(now)

    def replace(self, now: int) -> None:
        """End an actor with all its timers, and make another one."""
        place = int(self.random() * 4)
        self.rt.stop(self.pids[place])
        self.rt.run_until_idle()
        for plan in self.plans:
            if plan.pid == self.pids[place]:
                plan.stop(now)
        self.pids[place] = self.rt.spawn(self.handle)

    def run(self) -> None:
        """Something every few ticks, and time passing between."""
        now = 0
        while now < END:
            choice = self.random()
            if choice < 0.5:
                self.plan(now, choice < 0.2)
            elif choice < 0.7 and self.plans:
                self.cancel(now)
            elif choice < 0.75:
                self.replace(now)
            passed = int(self.random() * 30)
            self.rt.advance(passed / TICKS_A_SECOND)
            now += passed
        # What is due at END has fired; nothing after it is looked at.
        self.fired = [beat for beat in self.fired if beat[0] <= END]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_timers_fire_when_the_model_says_and_at_no_other_time(seed: int) -> None:
    clockwork = Clockwork(seed)
    clockwork.run()
    plans = enumerate(clockwork.plans)
    expected = sorted((at, name) for name, plan in plans for at in plan.beats())
    assert sorted(clockwork.fired) == expected
    times = [at for at, _ in clockwork.fired]
    assert times == sorted(times)


def test_a_test_can_look_after_each_step_of_a_call_that_waits() -> None:
    rt = SimRuntime()
    seen: list[int] = []
    handled: list[str] = []
    rt.after_each_step(lambda: seen.append(len(handled)))
    pid = rt.spawn(handled.append)
    rt.send(pid, "one")
    rt.send(pid, "two")
    rt.stop_after_drain(pid, 10.0)
    assert rt.join(pid, 1.0)
    assert seen[-1] == 2
