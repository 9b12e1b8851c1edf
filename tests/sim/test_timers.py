"""Timers by chance, beside a model that is a list of times."""

from __future__ import annotations

from random import Random
from typing import Optional

import pytest

from iris.testing import SimRuntime

SEEDS = 200
END_MS = 1000


class Planned:
    """One timer of the model, in whole milliseconds."""

    def __init__(self, name: int, due_ms: int, interval_ms: Optional[int]) -> None:
        self.name = name
        self.due_ms = due_ms
        self.interval_ms = interval_ms
        self.end_ms = END_MS
        # Cancelled, or its actor was stopped, at this time.

    def beats(self) -> list[tuple[int, int]]:
        """When it has to fire."""
        step = self.interval_ms or END_MS + 1
        return [(at, self.name) for at in range(self.due_ms, self.end_ms + 1, step)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_timers_fire_when_the_model_says_and_at_no_other_time(seed: int) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    fired: list[tuple[int, int]] = []
    plans: list[tuple[Planned, int, int]] = []

    def handler(name: int) -> None:
        fired.append((round(rt.now * 1000), name))

    pids = [rt.spawn(handler) for _ in range(4)]
    for now_ms in range(0, END_MS, 10):
        # Half a millisecond beside all beats, so that no two things are due at once.
        rt.advance(now_ms / 1000 + 0.0005 - rt.now)
        pid = pids[int(random() * 4)]
        delay_ms = 1 + int(random() * 300)
        choice = random()
        if choice < 0.4:
            timer = rt.send_after(pid, delay_ms - 0.5, len(plans))
            plans.append((Planned(len(plans), now_ms + delay_ms, None), timer, pid))
        elif choice < 0.6:
            timer = rt.send_interval(pid, delay_ms, len(plans))
            plans.append((Planned(len(plans), now_ms + delay_ms, delay_ms), timer, pid))
        elif choice < 0.7 and plans:
            plan, timer, _ = plans[int(random() * len(plans))]
            is_pending = any(at > now_ms for at, _ in plan.beats())
            assert rt.cancel_timer(timer) or not is_pending
            plan.end_ms = min(plan.end_ms, now_ms)
        elif choice < 0.72 and rt.stop(pid):
            for plan, _, of in plans:
                if of == pid:
                    plan.end_ms = min(plan.end_ms, now_ms)
            pids[pids.index(pid)] = rt.spawn(handler)
    rt.advance(END_MS / 1000 + 0.0009 - rt.now)
    expected = sorted(beat for plan, _, _ in plans for beat in plan.beats())
    assert sorted(fired) == expected
    times = [at for at, _ in fired]
    assert times == sorted(times)
