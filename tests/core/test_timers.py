"""Timers: due ones come earliest first, intervals keep their grid, cancelled ones cost nothing."""

from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from iris.core.timers import Timers

# Quarters of seconds, so that the plain list below computes the same floats.
TIMES = st.integers(0, 40).map(lambda quarters: quarters / 4)
INTERVALS = st.one_of(st.none(), st.integers(1, 12).map(lambda quarters: quarters / 4))


class TimersBesideAList(RuleBasedStateMachine):
    """All calls, made of `Timers` and of a plain list that is sorted when asked."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.now = 0.0
        self.planned: list[tuple[float, int, Optional[float]]] = []

    @rule(target=ids, delay=TIMES, interval=INTERVALS)
    def add(self, delay: float, interval: Optional[float]) -> int:
        timer_id = self.timers.add(self.now + delay, interval, 1, None)
        self.planned.append((self.now + delay, timer_id, interval))
        return timer_id

    @rule(timer_id=consumes(ids))
    def cancel(self, timer_id: int) -> None:
        found = [entry for entry in self.planned if entry[1] == timer_id]
        timer = self.timers.cancel(timer_id)
        assert (timer is not None) == bool(found)
        self.planned = [entry for entry in self.planned if entry[1] != timer_id]

    @rule(step=TIMES)
    def take_all_due(self, step: float) -> None:
        self.now += step
        due = sorted(entry for entry in self.planned if entry[0] <= self.now)
        assert [timer.id for timer in self.timers.take_due(self.now)] == [entry[1] for entry in due]
        for entry in due:
            self.planned.remove(entry)
            deadline, timer_id, interval = entry
            if interval is not None:
                while deadline <= self.now:
                    deadline += interval
                self.planned.append((deadline, timer_id, interval))

    @rule(most=st.integers(1, 3))
    def take_some_due(self, most: int) -> None:
        due = sorted(entry for entry in self.planned if entry[0] <= self.now)
        assume(all(entry[2] is None for entry in due))
        taken = self.timers.take_due(self.now, most)
        assert [timer.id for timer in taken] == [entry[1] for entry in due[:most]]
        for entry in due[:most]:
            self.planned.remove(entry)

    @invariant()
    def counts_the_living(self) -> None:
        assert len(self.timers) == len(self.planned)

    @invariant()
    def next_is_not_too_late_and_none_without_timers(self) -> None:
        if self.planned:
            assert self.timers.next is not None
            assert self.timers.next <= min(self.planned)[0]
        else:
            assert self.timers.next is None


TestTimersBesideAList = TimersBesideAList.TestCase


def ids(timers: Timers, now: float) -> list[int]:
    return [timer.id for timer in timers.take_due(now)]


def test_a_timer_is_due_at_its_deadline_and_not_before() -> None:
    timers = Timers()
    timer_id = timers.add(5.0, None, 1, b"x")
    assert ids(timers, 4.999) == []
    (timer,) = timers.take_due(5.0)
    assert (timer.id, timer.pid, timer.data) == (timer_id, 1, b"x")
    assert ids(timers, 6.0) == []


def test_timers_of_the_same_time_come_in_the_order_of_their_planning() -> None:
    timers = Timers()
    planned = [timers.add(5.0, None, 1, None) for _ in range(10)]
    assert ids(timers, 5.0) == planned


def test_an_interval_comes_again_and_again() -> None:
    timers = Timers()
    timer_id = timers.add(1.0, 1.0, 1, None)
    assert [ids(timers, float(now)) for now in (1, 2, 3)] == [[timer_id]] * 3


def test_a_late_interval_comes_once_and_not_in_a_burst() -> None:
    timers = Timers()
    timer_id = timers.add(1.0, 1.0, 1, None)
    assert ids(timers, 7.5) == [timer_id]
    assert ids(timers, 7.9) == []
    assert timers.next == 8.0


def test_an_interval_does_not_drift_however_late_each_beat_is() -> None:
    timers = Timers()
    timers.add(10.0, 10.0, 1, None)
    for beat in range(1, 1001):
        assert timers.next == 10.0 * beat
        assert len(timers.take_due(10.0 * beat + 9.0)) == 1


@pytest.mark.parametrize("interval_s", [0.1, 0.001, 1 / 3, 0.007])
def test_an_interval_whose_grid_is_rounded_comes_once_for_each_look(interval_s: float) -> None:
    timers = Timers()
    timers.add(interval_s, interval_s, 1, None)
    for beat in range(1, 5000):
        now = timers.next
        assert now is not None
        assert len(timers.take_due(now)) == 1
        assert timers.next is not None
        assert timers.next > now
        assert timers.next == pytest.approx((beat + 1) * interval_s, abs=interval_s / 2)


def test_a_timer_that_is_cancelled_among_due_ones_does_not_come() -> None:
    timers = Timers()
    first, second, third = (timers.add(float(n), None, 1, None) for n in (1, 2, 3))
    cancelled = timers.cancel(second)
    assert cancelled is not None
    assert cancelled.id == second
    assert ids(timers, 9.0) == [first, third]


def test_cancelling_twice_or_too_late_finds_nothing() -> None:
    timers = Timers()
    timer_id = timers.add(1.0, None, 1, None)
    assert timers.cancel(timer_id) is not None
    assert timers.cancel(timer_id) is None
    fired = timers.add(1.0, None, 1, None)
    timers.take_due(1.0)
    assert timers.cancel(fired) is None
    assert timers.cancel(99) is None


def test_an_interval_can_be_cancelled_between_two_beats() -> None:
    timers = Timers()
    timer_id = timers.add(1.0, 1.0, 1, None)
    assert ids(timers, 1.0) == [timer_id]
    assert timers.cancel(timer_id) is not None
    assert ids(timers, 99.0) == []
    assert timers.next is None


def test_no_more_than_asked_for_are_taken_and_the_rest_stays_due() -> None:
    timers = Timers()
    planned = [timers.add(1.0, None, 1, None) for _ in range(5)]
    assert [timer.id for timer in timers.take_due(1.0, most=2)] == planned[:2]
    assert timers.next == 1.0
    assert ids(timers, 1.0) == planned[2:]


def test_the_last_cancelled_timer_leaves_nothing_to_wait_for() -> None:
    timers = Timers()
    planned = [timers.add(1.0, None, 1, None) for _ in range(3)]
    for timer_id in planned:
        timers.cancel(timer_id)
    assert timers.next is None
    assert len(timers) == 0


def test_memory_follows_the_living_timers() -> None:
    timers = Timers()
    for _ in range(10):
        timers.add(1e9, None, 1, None)

    def plan_and_cancel(count: int) -> None:
        for _ in range(count):
            timers.cancel(timers.add(1e6, None, 1, None))

    plan_and_cancel(1000)
    tracemalloc = pytest.importorskip("tracemalloc", exc_type=ImportError)  # PyPy has none
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        plan_and_cancel(50_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert len(timers) == 10
    assert timers.next is not None
    assert timers.next <= 1e9


@pytest.mark.parametrize(
    ("interval_s", "now"),
    [
        (1e-12, 1.0),
        (1e-12, 1e6),
        (1e-320, 1.0),
    ],
)
def test_an_interval_too_short_for_the_clock_comes_once_for_each_look(
    interval_s: float, now: float
) -> None:
    timers = Timers()
    timer_id = timers.add(now - 0.5, interval_s, 1, None)
    assert ids(timers, now) == [timer_id]
