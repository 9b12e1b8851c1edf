"""Limits over systems by chance: when all is at rest, nothing is counted that is not there.

The worlds are those of `test_world`, in which messages leave in every way there is: handled,
failed, expired, dropped, redirected, spilled, withdrawn, received selectively. A gauge that loses
one of these ways would let fewer messages in, for ever.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

import iris
from iris.config import OTHER_BYTES
from iris.testing import SimRuntime

from .test_world import World

SEEDS = 60
LIMITS = iris.Limits(queued_messages_hard=9, queued_bytes_hard=12 * OTHER_BYTES)


class LimitedWorld(World):
    """A world in which limits are met now and then."""

    def __init__(self, seed: int) -> None:
        self.reports: list[iris.Pressure] = []
        super().__init__(seed, limits=LIMITS, on_pressure=self.reports.append)

    def run(self) -> None:
        """Half a life, then a count."""
        for _ in range(60):
            self.send(-1)
            self.act()
            if self.chance(0.1):
                self.rt.advance(self.pick((0.0, 0.001, 0.05)))
        assert self.rt.quiesce(1000)
        self.check_accounts()
        self.check_messages()
        assert self.rt.mailbox_size(self.watcher) == 0
        # The hub looks again within its time, and tells that all is well.
        self.rt.advance(0.1)
        assert self.rt.health() == iris.Health(True, True, ())
        levels = [str(report.level) for report in self.reports]
        assert levels[1::2] == ["calm"] * (len(levels) // 2)
        assert len(levels) % 2 == 0
        stats = self.rt.stats()
        assert (stats["queued"], stats["queued_bytes"]) == (0, 0)
        assert stats["pressure"] >= len(levels) // 2
        assert room(self.rt, b"") == LIMITS.queued_messages_hard
        assert self.rt.quiesce(1000)
        size = LIMITS.queued_bytes_hard or 0
        assert room(self.rt, bytes(size // 4)) == 4
        assert self.rt.shutdown(100) == []
        assert self.faults == []


def room(rt: SimRuntime, message: Any) -> int:
    """How many such messages are accepted before one is refused."""
    pid = rt.spawn(lambda message: None)
    count = 0
    while rt.send(pid, message):
        count += 1
    return count


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, "iris")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_at_rest_the_whole_room_is_free_again(seed: int) -> None:
    LimitedWorld(seed).run()


def test_the_limits_are_met_in_these_worlds() -> None:
    shed = 0
    for seed in range(5):
        world = LimitedWorld(seed)
        world.run()
        shed += len(world.reports)
    assert shed > 0
