"""The real order of turns on a clock that only handlers move: timers beside a queue."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from iris.assembly import System, assemble
from iris.config import Config, ReleaseGilLimits
from iris.run.simhub import SimHub
from iris.run.simworld import World
from iris.testing.sim import _greenlets

SLICE_S = 0.002
TURN_S = 0.0001


class Carried:
    """A carrier with a plain queue whose handlers take time of a manual clock."""

    def __init__(self) -> None:
        self.world = World()
        self.clock = self.world.clock
        self.system: System = assemble(
            Config(), ReleaseGilLimits(1, 1, False), deque(), self.clock, SLICE_S, random.Random(0),
            _greenlets,
        )  # fmt: skip
        self.system.carrier.attach(SimHub(self.world))
        self.spawn = self.system.spawning.push
        self.send = self.system.delivery.send

    def keep_busy(self, count: int) -> list[int]:
        """Actors that are always ready, each turn taking `TURN_S`; gives a list of their turns."""
        turns = [0] * count
        pids: list[int] = []

        def make(index: int) -> int:
            def handle(message: Any) -> None:
                self.clock.now += TURN_S
                turns[index] += 1
                self.send(pids[index], b"")

            return self.spawn(handle)

        pids += [make(index) for index in range(count)]
        for pid in pids:
            self.send(pid, b"")
        return turns

    def run(self, duration_s: float) -> None:
        end = self.clock.now + duration_s
        while self.clock.now < end:
            assert self.world.step()


def test_a_timer_does_not_wait_behind_a_long_queue() -> None:
    carried = Carried()
    times: list[float] = [0.0]
    interval_s = 0.005

    def tick(message: Any) -> None:
        times.append(carried.clock.now)

    carried.keep_busy(500)
    carried.system.timing.interval(carried.spawn(tick), interval_s * 1000, b"")
    carried.run(2.0)
    # A round of the queue takes 50 ms. A slice that has just begun, one in which nothing
    # fires, and the turns that go over the end of each: that is all it waits for.
    longest = max(after - before for before, after in zip(times, times[1:]))
    assert longest < interval_s + 2 * SLICE_S + 20 * TURN_S
    assert len(times) > 370


def test_timers_in_every_slice_do_not_starve_the_queue() -> None:
    carried = Carried()
    turns = carried.keep_busy(50)

    def slow(message: Any) -> None:
        carried.clock.now += SLICE_S

    timers = [carried.spawn(slow) for _ in range(40)]
    for pid in timers:
        carried.system.timing.interval(pid, 0.1, b"")
    carried.run(4.0)
    # A round of all takes 85 ms, so 47 turns each would be their share. Those that go first do
    # so in every second slice at most, which leaves the others half of it.
    assert min(turns) >= 47 // 2


def test_timers_of_one_moment_go_in_their_order_also_beside_a_queue() -> None:
    carried = Carried()
    carried.keep_busy(50)
    order: list[int] = []

    def make(index: int) -> int:
        return carried.spawn(lambda message: order.append(index))

    for index in range(40):
        carried.system.timing.after(make(index), 1.0, b"")
    carried.run(0.1)
    assert order == list(range(40))
