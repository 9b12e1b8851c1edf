"""The versions of a handler: numbers rise, history is bounded, a rollback forgets."""

from __future__ import annotations

import pytest

from iris.config import BEHAVIOR_HISTORY_MAX
from iris.core.behavior import FIRST_VERSION, History
from iris.core.messages import SwapMarker

from .cells import ignore


def accepted(history: History, count: int) -> list[SwapMarker]:
    """Swaps that were accepted."""
    markers = [SwapMarker(lambda message: None) for _ in range(count)]
    for marker in markers:
        history.accept(marker)
    return markers


def test_the_first_handler_is_version_1() -> None:
    history = History(ignore)
    assert (history.version, len(history)) == (FIRST_VERSION, 1) == (1, 1)


def test_a_version_is_numbered_when_it_is_accepted() -> None:
    history = History(ignore)
    marker = SwapMarker(ignore)
    assert history.accept(marker) == 2 == marker.version == history.version


def test_swaps_are_ordered_as_they_were_accepted() -> None:
    history = History(ignore)
    first, second = accepted(history, 2)
    assert history.reached < first.order < second.order


def test_a_rollback_returns_to_the_version_before() -> None:
    history = History(ignore)
    first, second = accepted(history, 2)
    back = history.roll_back(1)
    assert back is not None
    assert back.to is first
    assert back.order > second.order
    assert history.version == first.version


def test_a_rollback_over_several_steps_reaches_the_first_handler() -> None:
    history = History(ignore)
    accepted(history, 3)
    back = history.roll_back(3)
    assert back is not None
    assert back.to.handler is ignore
    assert (history.version, len(history)) == (FIRST_VERSION, 1)


@pytest.mark.parametrize("steps", [3, 4, 100])
def test_a_rollback_beyond_the_first_changes_nothing(steps: int) -> None:
    history = History(ignore)
    accepted(history, 2)
    assert history.roll_back(steps) is None
    assert (history.version, len(history)) == (3, 3)


def test_a_number_is_never_used_twice() -> None:
    history = History(ignore)
    accepted(history, 2)
    history.roll_back(2)
    assert history.accept(SwapMarker(ignore)) == 4


def test_the_oldest_beyond_the_limit_is_forgotten() -> None:
    history = History(ignore)
    accepted(history, BEHAVIOR_HISTORY_MAX + 5)
    assert len(history) == BEHAVIOR_HISTORY_MAX + 1
    assert history.roll_back(BEHAVIOR_HISTORY_MAX + 1) is None
    back = history.roll_back(BEHAVIOR_HISTORY_MAX)
    assert back is not None
    assert back.to.version == 6


def test_a_refused_version_is_none_to_return_to() -> None:
    history = History(ignore)
    first, second, third = accepted(history, 3)
    history.refuse(second)
    back = history.roll_back(1)
    assert back is not None
    assert back.to is first
    assert second.refused
    assert not third.refused


def test_refusing_the_current_version_makes_the_one_before_current() -> None:
    history = History(ignore)
    first, second = accepted(history, 2)
    history.refuse(second)
    assert history.version == first.version
    assert history.accept(SwapMarker(ignore)) == second.version + 1


def test_refusing_a_version_that_was_rolled_back_changes_nothing_more() -> None:
    history = History(ignore)
    first, second = accepted(history, 2)
    history.roll_back(1)
    history.refuse(second)
    assert history.version == first.version


def test_a_usable_version_is_used_itself() -> None:
    history = History(ignore)
    (marker,) = accepted(history, 1)
    assert history.usable(marker) is marker


def test_instead_of_a_refused_version_the_latest_one_before_it_is_used() -> None:
    history = History(ignore)
    first, second, third = accepted(history, 3)
    history.refuse(second)
    history.refuse(third)
    assert history.usable(third) is first


def test_no_version_is_left_when_all_before_a_refused_one_are_forgotten() -> None:
    history = History(ignore)
    first, *_ = accepted(history, BEHAVIOR_HISTORY_MAX + 1)
    history.refuse(first)
    assert history.usable(first) is None
