"""Decisions about restarts: who, how often, after which pause."""

from __future__ import annotations

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iris.core.messages import ExitReason
from iris.core.restart import (
    Restart,
    Strategy,
    admit,
    affected,
    backoff_s,
    restart_of,
    strategy_of,
)
from iris.errors import BadInput


@pytest.mark.parametrize("word", ["restartone", "RestartOne", "RESTARTALL", "rEsTaRtReSt"])
def test_a_strategy_is_known_in_any_letter_case(word: str) -> None:
    assert strategy_of(word).value == word.lower()


@pytest.mark.parametrize("word", ["", "restart", "one", "restartone ", "oneforone", "restart_one"])
def test_a_misspelt_strategy_is_refused_with_those_that_there_are(word: str) -> None:
    with pytest.raises(BadInput, match=r"'restartone', 'restartall', 'restartrest'"):
        strategy_of(word)


@pytest.mark.parametrize("word", [None, 1, b"restartone", Strategy.ONE])
def test_a_strategy_is_a_word(word: object) -> None:
    with pytest.raises(TypeError, match="strategy is a word"):
        strategy_of(word)


def test_a_kind_of_restart_is_parsed_alike() -> None:
    assert restart_of("Transient") is Restart.TRANSIENT
    with pytest.raises(BadInput, match="'permanent', 'transient', 'temporary'"):
        restart_of("always")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Restart.PERMANENT, set(ExitReason)),
        (Restart.TRANSIENT, set(ExitReason) - {ExitReason.NORMAL, ExitReason.KILLED}),
        (Restart.TEMPORARY, set()),
    ],
)
def test_after_which_ends_a_child_comes_back(kind: Restart, wanted: set[ExitReason]) -> None:
    assert {reason for reason in ExitReason if kind.wants(reason)} == wanted


@pytest.mark.parametrize(
    ("strategy", "whole"),
    [(Strategy.ONE, "c"), (Strategy.ALL, "abcde"), (Strategy.REST, "cde")],
)
def test_who_is_restarted_with_a_child_that_failed(strategy: Strategy, whole: str) -> None:
    assert affected(strategy, list("abcde"), "c") == list(whole)


@given(some.sampled_from(Strategy), some.integers(1, 30), some.data())
def test_the_failed_child_is_always_among_them_and_the_order_is_kept(
    strategy: Strategy, count: int, data: some.DataObject
) -> None:
    failed = data.draw(some.integers(0, count - 1))
    concerned = affected(strategy, list(range(count)), failed)
    assert failed in concerned
    assert concerned == sorted(concerned)


def test_so_many_restarts_are_allowed_and_not_one_more() -> None:
    times: list[float] = []
    assert [admit(times, 3, 5.0, now) for now in (0.0, 0.0, 1.0, 1.0)] == [True, True, True, False]


def test_the_window_slides() -> None:
    times = deque[float]()
    assert [admit(times, 2, 5.0, now) for now in (0.0, 4.0, 5.0, 5.1, 9.0, 9.2)] == [
        True, True, False, True, False, True,
    ]  # fmt: skip


def test_with_no_restart_allowed_the_first_is_refused() -> None:
    assert not admit([], 0, 5.0, 0.0)


@given(
    some.integers(0, 5),
    some.floats(0.1, 10.0),
    some.lists(some.floats(0.0, 2.0), max_size=60),
)
def test_no_period_of_the_window_has_more_restarts(
    allowed: int, within_s: float, gaps: list[float]
) -> None:
    times: list[float] = []
    now, admitted = 0.0, []
    for gap in gaps:
        now += gap
        if admit(times, allowed, within_s, now):
            admitted.append(now)
    for first in admitted:
        assert sum(0.0 <= time - first <= within_s for time in admitted) <= allowed


def test_a_pause_is_drawn_below_a_bound_that_doubles_up_to_a_highest() -> None:
    bounds = [backoff_s((0.01, 10.0), failures, 1.0) for failures in range(1, 13)]
    assert bounds[:4] == [0.01, 0.02, 0.04, 0.08]
    assert bounds[-1] == 10.0
    assert backoff_s((0.01, 10.0), 4, 0.0) == 0.0
    assert backoff_s((0.01, 10.0), 4, 0.25) == pytest.approx(0.02)


@given(some.integers(1, 10**9), some.floats(0.0, 1.0))
def test_a_pause_never_overflows(failures: int, luck: float) -> None:
    assert 0.0 <= backoff_s((0.01, 10.0), failures, luck) <= 10.0
    assert math.isfinite(backoff_s((1e9, 1e9), failures, luck))
