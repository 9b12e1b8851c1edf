"""Who waits for whom: a circle of waiting actors is seen by the one that would close it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris.core.waits import Waits
from iris.errors import WouldDeadlock


def test_a_line_of_waiting_actors_is_no_circle() -> None:
    waits = Waits()
    waits.begin(1, 2)
    waits.begin(2, 3)
    waits.begin(4, 3)


def test_waiting_for_oneself_is_a_circle() -> None:
    with pytest.raises(WouldDeadlock, match="1 -> 1"):
        Waits().begin(1, 1)


def test_the_error_shows_the_circle() -> None:
    waits = Waits()
    waits.begin(2, 3)
    waits.begin(3, 1)
    with pytest.raises(WouldDeadlock, match=r"actor 1 .* 1 -> 2 -> 3 -> 1"):
        waits.begin(1, 2)


def test_a_refused_wait_leaves_no_edge() -> None:
    waits = Waits()
    waits.begin(2, 1)
    with pytest.raises(WouldDeadlock):
        waits.begin(1, 2)
    waits.begin(3, 1)
    waits.end(2)
    waits.begin(1, 2)


def test_who_has_stopped_waiting_closes_no_circle() -> None:
    waits = Waits()
    waits.begin(1, 2)
    waits.end(1)
    waits.end(1)
    waits.begin(2, 1)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=12))
def test_a_wait_is_refused_exactly_when_its_target_leads_back(pairs: list[tuple[int, int]]) -> None:
    waits = Waits()
    edges: dict[int, int] = {}
    for waiter, target in pairs:
        if waiter in edges:
            # It is in one handler at a time, so it waits for one at most.
            continue
        reached = target
        while reached != waiter and reached in edges:
            reached = edges[reached]
        if reached == waiter:
            with pytest.raises(WouldDeadlock):
                waits.begin(waiter, target)
        else:
            waits.begin(waiter, target)
            edges[waiter] = target
