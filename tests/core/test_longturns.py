"""What is a long turn and what is not, decided from made-up samples."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Optional

import pytest

from iris.core.longturns import PERIOD_LEAST_S, SAMPLES, LongTurn, LongTurns, Sample

LIMIT_S = 1.0
PERIOD_S = LIMIT_S / SAMPLES


class Watch:
    """Takes samples of a carrier whose turns a test makes up, each one period after the last."""

    def __init__(self) -> None:
        self.turns = LongTurns(LIMIT_S)
        self.now = 128.0
        self.busy_s: Optional[float] = 50.0
        self.reports: list[float] = []

    def see(
        self,
        pid: int,
        step: int,
        late_s: float = 0.0,
        busy_s: float = 0.0,
        looked_at: float = 0.0,
    ) -> None:
        """One sample.

        Args:
            pid: whose turn is on the stack.
            step: how far the carrier has come.
            late_s: how much later than due the sample is taken.
            busy_s: what the carrier's thread has computed since the last.
            looked_at: see `Sample`.
        """
        due = self.now + self.turns.period_s
        self.now = due + late_s
        if self.busy_s is not None:
            self.busy_s += busy_s
        suspect = self.turns.is_suspect(self.now, due, (step,))
        sample = Sample((step,), pid if suspect else 0, looked_at, self.busy_s)
        held_s = self.turns.see(self.now, due, sample)
        if held_s is not None:
            self.reports.append(held_s)


def test_one_turn_that_holds_the_carrier_is_reported_once_with_its_time_so_far() -> None:
    watch = Watch()
    for _ in range(100):
        watch.see(pid=1, step=0)
    assert watch.reports == [LIMIT_S]
    assert watch.turns.reported


@pytest.mark.parametrize("periods", range(1, SAMPLES + 1))
def test_a_turn_that_takes_less_than_the_limit_is_not_reported(periods: int) -> None:
    watch = Watch()
    for step in range(50):
        for _ in range(periods):
            watch.see(pid=1, step=step)
    assert watch.reports == []


def test_a_turn_that_takes_two_periods_more_than_the_limit_is_reported() -> None:
    watch = Watch()
    watch.see(pid=1, step=0)
    for _ in range(SAMPLES + 2):
        watch.see(pid=1, step=1)
    assert watch.reports == [LIMIT_S]


def test_short_turns_one_after_the_other_are_none() -> None:
    watch = Watch()
    for step in range(500):
        watch.see(pid=1, step=step)
    assert watch.reports == []


def test_turns_of_different_actors_are_not_added_up() -> None:
    watch = Watch()
    for number in range(100):
        watch.see(pid=1 + number // 4, step=0)
    assert watch.reports == []


def test_a_long_turn_right_after_short_ones_is_found() -> None:
    watch = Watch()
    for step in range(50):
        watch.see(pid=1, step=step)
    for _ in range(20):
        watch.see(pid=1, step=50)
    assert watch.reports == [LIMIT_S]


def test_a_second_long_turn_of_the_same_actor_is_reported_too() -> None:
    watch = Watch()
    for step in range(3):
        for _ in range(30):
            watch.see(pid=1, step=step)
    assert watch.reports == [LIMIT_S] * 3


def test_a_carrier_on_which_nothing_runs_is_at_rest_and_no_long_turn() -> None:
    watch = Watch()
    for _ in range(100):
        watch.see(pid=0, step=0)
    assert watch.reports == []
    assert watch.turns.at_rest


def test_a_handler_that_waits_in_between_begins_anew() -> None:
    """Its greenlet is off the stack, although no turn has ended meanwhile."""
    watch = Watch()
    for _ in range(50):
        for _ in range(SAMPLES):
            watch.see(pid=1, step=0)
        watch.see(pid=0, step=0)
    assert watch.reports == []


def test_a_carrier_whose_turn_is_running_is_not_at_rest() -> None:
    watch = Watch()
    for _ in range(3):
        watch.see(pid=1, step=0)
        assert not watch.turns.at_rest
    watch.see(pid=1, step=1)
    assert not watch.turns.at_rest


def test_the_stack_is_looked_at_only_when_the_carrier_has_not_moved() -> None:
    turns = LongTurns(LIMIT_S)
    assert not turns.is_suspect(1.0, 1.0, (0,))
    turns.see(1.0, 1.0, Sample((0,), 0, 0.0, None))
    assert turns.is_suspect(2.0, 2.0, (0,))
    assert not turns.is_suspect(2.0, 2.0, (1,))
    assert turns.is_suspect(2.0, 2.0 - 2 * PERIOD_S, (1,))


# -- samples that come late ------------------------------------------------------------------------


def test_the_time_for_which_the_process_was_suspended_is_not_the_turns() -> None:
    watch = Watch()
    watch.see(pid=1, step=0)
    watch.see(pid=1, step=0)
    watch.see(pid=1, step=0, late_s=3600.0)
    assert watch.reports == []
    for _ in range(3):
        watch.see(pid=1, step=0, late_s=3600.0)
    assert watch.reports == []


def test_a_turn_that_is_first_seen_after_a_suspension_begins_then() -> None:
    watch = Watch()
    watch.see(pid=0, step=0)
    watch.see(pid=1, step=1, late_s=3600.0, looked_at=128.0)
    assert watch.reports == []


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_turn_that_lets_no_other_thread_run_is_found_by_what_its_thread_computed(
    seen_before: bool,
) -> None:
    watch = Watch()
    watch.see(pid=0, step=0)
    if seen_before:
        watch.see(pid=1, step=1)
        watch.see(pid=1, step=1)
    watch.see(pid=1, step=1, late_s=5.0, busy_s=5.0, looked_at=128.0)
    assert len(watch.reports) == 1
    assert 5.0 <= watch.reports[0] <= 5.0 + 2 * PERIOD_S


def test_what_was_computed_before_the_turn_began_is_not_the_turns() -> None:
    watch = Watch()
    watch.see(pid=0, step=0)
    watch.see(pid=1, step=1, late_s=5.0, busy_s=5.0, looked_at=watch.now + PERIOD_S + 4.9)
    assert watch.reports == []


def test_where_nothing_tells_what_a_thread_computes_late_samples_add_one_period() -> None:
    watch = Watch()
    watch.busy_s = None
    for _ in range(SAMPLES):
        watch.see(pid=1, step=0, late_s=10.0)
    assert watch.reports == []
    for _ in range(5):
        watch.see(pid=1, step=0, late_s=10.0)
    assert len(watch.reports) == 1


def test_a_processor_time_that_runs_backwards_is_no_time() -> None:
    watch = Watch()
    watch.see(pid=0, step=0)
    watch.see(pid=1, step=1, late_s=5.0, busy_s=-5.0)
    assert watch.reports == []


# -- values ----------------------------------------------------------------------------------------


def test_a_tiny_limit_does_not_make_samples_without_end() -> None:
    assert LongTurns(0.001).period_s == PERIOD_LEAST_S


def test_a_report_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        LongTurn(1, None, "bytes", 100.0, "").pid = 2  # type: ignore[misc]
