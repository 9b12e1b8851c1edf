"""Factories whose node is away: tried again for as long as that lasts, and nothing is counted."""

from __future__ import annotations

from typing import Any

import pytest

from iris import ChildReport, NodeUnreachable
from iris.testing import SimRuntime

AWAY = 40
"""Far more attempts than restarts are allowed."""


@pytest.fixture
def rt() -> SimRuntime:
    return SimRuntime(seed=3)


class Far:
    """A factory that finds its node unreachable so many times."""

    def __init__(self, rt: SimRuntime, away: int = AWAY) -> None:
        self.rt = rt
        self.away = away
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.away:
            raise NodeUnreachable("node far:1 cannot be reached: Connection refused")
        return self.rt.spawn(lambda message: None)


@pytest.mark.parametrize("strategy", ["restartone", "restartall", "restartrest"])
def test_a_node_may_be_away_for_longer_than_restarts_are_counted(
    rt: SimRuntime, strategy: str
) -> None:
    told: list[tuple[str, ChildReport]] = []
    for point in ("restart", "give_up"):
        rt.add_hook(point, lambda report, point=point: told.append((point, report)))
    factory = Far(rt)
    first = rt.spawn(lambda message: None)
    rt.supervise_with_factory(first, factory, strategy)
    rt.stop(first)
    rt.advance(600.0)
    assert factory.calls == AWAY + 1
    assert [point for point, _ in told] == ["restart"]
    assert told[0][1].previous_pid == first
    assert rt.child_pids() == [told[0][1].pid]
    assert rt.stats()["restarts"] == 1


def test_attempts_come_at_growing_pauses_and_ten_seconds_at_most(rt: SimRuntime) -> None:
    times: list[float] = []

    class Watched(Far):
        def __call__(self) -> int:
            times.append(rt.now)
            return super().__call__()

    first = rt.spawn(lambda message: None)
    rt.supervise_with_factory(first, Watched(rt))
    rt.stop(first)
    rt.advance(600.0)
    pauses = [after - before for before, after in zip(times, times[1:])]
    assert max(pauses[:4]) < 0.2
    assert 5.0 < max(pauses) <= 10.0


def test_siblings_that_are_back_are_left_alone_while_one_waits(rt: SimRuntime) -> None:
    made: list[int] = []

    def near() -> int:
        made.append(rt.spawn(lambda message: None))
        return made[-1]

    near_pid, far_pid = (rt.spawn(lambda message: None) for _ in range(2))
    rt.supervise_with_factory(near_pid, near, "restartall")
    factory = Far(rt)
    rt.supervise_with_factory(far_pid, factory, "restartall")
    rt.stop(far_pid)
    rt.advance(600.0)
    assert factory.calls == AWAY + 1
    assert len(made) == 1
    assert rt.is_alive(made[0])


def test_unsupervise_ends_the_attempts(rt: SimRuntime) -> None:
    factory = Far(rt)
    first = rt.spawn(lambda message: None)
    rt.supervise_with_factory(first, factory)
    rt.stop(first)
    rt.advance(5.0)
    calls = factory.calls
    assert 0 < calls <= AWAY
    assert rt.unsupervise(first)
    rt.advance(600.0)
    assert factory.calls == calls


def test_other_errors_are_counted_also_in_between(rt: SimRuntime) -> None:
    calls: list[int] = []

    def factory() -> Any:
        calls.append(1)
        raise ValueError("no") if len(calls) % 2 else NodeUnreachable("away")

    given_up: list[ChildReport] = []
    rt.add_hook("give_up", given_up.append)
    first = rt.spawn(lambda message: None)
    rt.supervise_with_factory(first, factory)
    rt.stop(first)
    rt.advance(600.0)
    # The end of the first actor, and two of the three errors that came soon enough after it.
    assert len(given_up) == 1
    assert rt.children_count() == 0


def test_the_end_of_the_runtime_ends_the_attempts(rt: SimRuntime) -> None:
    factory = Far(rt)
    first = rt.spawn(lambda message: None)
    rt.supervise_with_factory(first, factory)
    rt.stop(first)
    rt.advance(1.0)
    assert rt.shutdown() == []
