"""The states of a cell: what is not in the table does not happen."""

from __future__ import annotations

import itertools

import pytest

from iris.core.cell import (
    TRANSITIONS,
    ActorSpec,
    Event,
    State,
    advance,
    control_of,
)
from iris.errors import InternalError

from .cells import a_cell

MOVES = {
    ("STARTING", "STARTED"): "ALIVE",
    ("STARTING", "STOP"): "STOPPING",
    ("STARTING", "FINISH"): "DEAD",
    ("ALIVE", "RESTART"): "RESTARTING",
    ("ALIVE", "STOP"): "STOPPING",
    ("ALIVE", "FINISH"): "DEAD",
    ("RESTARTING", "RESTARTED"): "ALIVE",
    ("RESTARTING", "STOP"): "STOPPING",
    ("RESTARTING", "FINISH"): "DEAD",
    ("STOPPING", "FINISH"): "DEAD",
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_state_meets_every_event(state: State, event: Event) -> None:
    cell = a_cell(42)
    cell.state = state
    following = MOVES.get((state.name, event.name))
    if following is None:
        with pytest.raises(InternalError, match=rf"actor 42 is {state.value} .* {event.name}"):
            advance(cell, event)
        assert cell.state is state
    else:
        assert advance(cell, event) is cell.state is State[following]


def test_the_table_of_moves_is_the_whole_life() -> None:
    assert {(state.name, event.name): to.name for (state, event), to in TRANSITIONS.items()} == (
        MOVES
    )


def test_nobody_returns_from_death() -> None:
    assert all(state is not State.DEAD for state, _ in TRANSITIONS)


def test_death_can_be_reached_from_every_state() -> None:
    for state in State:
        reached = {state}
        for _ in State:
            reached |= {to for (start, _), to in TRANSITIONS.items() if start in reached}
        assert State.DEAD in reached


def test_a_new_cell_is_alive_empty_and_open() -> None:
    cell = a_cell()
    assert (cell.state, cell.user, cell.rest, cell.control, cell.ties) == (
        State.ALIVE, [], None, None, None,
    )  # fmt: skip
    assert (cell.ready, cell.special, cell.running, cell.admission) == (False, False, 0, None)


def test_cells_share_no_lane() -> None:
    first, second = a_cell(), a_cell()
    first.user.append(b"x")
    assert not second.user


def test_a_cell_has_no_dict_so_an_idle_actor_stays_small() -> None:
    with pytest.raises(AttributeError):
        a_cell().anything = 1  # type: ignore[attr-defined]


def test_the_control_lane_is_made_once() -> None:
    cell = a_cell()
    control = control_of(cell)
    assert control_of(cell) is control is cell.control


@pytest.mark.parametrize(
    ("capacity", "slow_start", "plain"),
    [(None, False, True), (3, False, False), (None, True, False), (3, True, False)],
)
def test_a_spec_knows_whether_a_cell_needs_preparation(
    capacity: int, slow_start: bool, plain: bool
) -> None:
    assert ActorSpec("push", 1, False, capacity, slow_start).plain is plain


def test_a_spec_cannot_be_changed_because_actors_share_it() -> None:
    spec = ActorSpec("push", 1)
    with pytest.raises(AttributeError):
        spec.budget = 2  # type: ignore[misc]
