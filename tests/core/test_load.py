"""What is decided about a load: when there is pressure, when it is over, who has to look."""

from __future__ import annotations

from random import Random

import pytest

import iris
from iris.core.load import NEVER, Level, Load


def load(**limits: int) -> Load:
    return Load(iris.Limits(**limits))


def test_the_levels_follow_the_limits_with_hysteresis() -> None:
    one = load(queued_messages_soft=8, queued_messages_hard=10)
    levels = []
    for queued in (7, 8, 7, 9, 10, 9, 7, 6, 7, 8, 6):
        one.see(queued, 0, 0)
        levels.append(str(one.level))
    assert levels == [
        "calm", "soft", "soft", "soft", "hard", "hard", "hard", "calm", "calm", "soft", "calm",
    ]  # fmt: skip
    assert one.times == 2


def test_messages_are_refused_only_while_a_hard_limit_is_met() -> None:
    one = load(queued_messages_hard=10)
    for queued, shut in ((9, False), (10, True), (12, True), (9, False), (0, False)):
        one.see(queued, 0, 0)
        assert one.shut is shut


def test_the_next_count_is_due_with_the_message_that_reaches_the_next_limit() -> None:
    one = load(queued_messages_soft=8, queued_messages_hard=10)
    one.see(0, 0, 100)
    assert one.count_at == 107  # the eighth from 100 on
    one.see(8, 0, 200)
    assert one.count_at == 201  # the second from 200 on
    one.see(10, 0, 300)
    assert one.count_at == 300


def test_a_new_load_is_counted_with_the_first_message() -> None:
    assert load(queued_messages_hard=10).count_at < 0
    assert load(queued_bytes_hard=10).weigh_at == 0


def test_what_is_not_limited_needs_no_count() -> None:
    one = load(queued_messages_soft=5)
    one.see(5, 0, 0)
    assert (one.level, one.shut, one.count_at, one.weigh_at) == (Level.SOFT, False, NEVER, NEVER)
    two = load(queued_bytes_soft=5)
    two.see(1_000_000, 5, 0)
    assert (two.level, two.shut, two.count_at, two.weigh_at) == (Level.SOFT, False, NEVER, NEVER)


def test_bytes_and_messages_each_bring_pressure_and_both_have_to_come_down() -> None:
    one = load(queued_messages_hard=10, queued_bytes_hard=100)
    one.see(1, 100, 0)
    assert one.shut
    assert "100 bytes are queued" in one.met()
    assert "queued_bytes_hard=100" in one.met()
    assert one.weigh_at == 100
    one.see(10, 10, 0)
    assert "queued_messages_hard=10" in one.met()
    one.see(1, 70, 0)
    assert (one.level, one.shut) == (Level.HARD, False)
    assert one.awaited() == "6 messages and 60 bytes"
    one.see(6, 60, 0)
    assert one.level is Level.CALM
    assert one.weigh_at == 80


def test_a_limit_of_one_is_relieved_by_nothing() -> None:
    one = load(queued_messages_hard=1)
    one.see(1, 0, 0)
    assert one.shut
    one.see(0, 0, 5)
    assert (one.level, one.shut, one.count_at) == (Level.CALM, False, 5)


def test_the_report_is_what_was_counted() -> None:
    one = load(queued_messages_hard=10)
    one.see(9, 0, 0)
    report = one.report()
    assert report == iris.Pressure(Level.SOFT, 9, None, one.limits)
    assert f"{report.level}" == report.level == "soft"
    two = load(queued_bytes_hard=10)
    two.see(3, 9, 0)
    assert two.report().queued_bytes == 9


@pytest.mark.parametrize("seed", range(50))
def test_nobody_who_keeps_to_the_marks_overfills(seed: int) -> None:
    """One sender that has the load counted where it is told to, and messages that leave."""
    chance = Random(seed)
    hard = chance.randint(1, 12)
    one = load(queued_messages_soft=chance.randint(1, hard), queued_messages_hard=hard)
    accepted = left = 0
    for _ in range(300):
        if chance.random() < 0.4 and left < accepted:
            left += chance.randint(1, accepted - left)
        if one.shut:
            one.see(accepted - left, 0, accepted)
        if one.shut:
            assert accepted - left >= hard
            continue
        number = accepted
        accepted += 1
        if number >= one.count_at:
            one.see(accepted - left, 0, accepted)
        assert accepted - left <= hard


class Watched(Load):
    """Notes in which order its fields are set."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in ("shut", "count_at", "weigh_at"):
            ORDER.append(name)


ORDER: list[str] = []


def test_the_door_is_shut_before_anybody_may_pass_the_new_mark() -> None:
    one = Watched(iris.Limits(queued_messages_hard=1))
    ORDER.clear()
    one.see(2, 0, 2)
    assert one.shut
    assert ORDER == ["shut", "count_at", "weigh_at"]
