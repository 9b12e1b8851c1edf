"""Who stands on which supervisor's list."""

from __future__ import annotations

from iris.core.links import ties_of
from iris.core.supervision import GLOBAL, Registers

from .cells import a_cell


def test_the_global_list_is_there_from_the_start_and_empty() -> None:
    assert Registers().pids(GLOBAL) == []


def test_a_list_names_its_actors_in_the_order_in_which_they_came() -> None:
    registers = Registers()
    for pid in (3, 1, 2):
        assert registers.watch(GLOBAL, a_cell(pid)) is True
    assert registers.pids(GLOBAL) == [3, 1, 2]


def test_an_actor_that_is_watched_twice_is_listed_once() -> None:
    registers, cell = Registers(), a_cell(1)
    registers.watch(GLOBAL, cell)
    registers.watch(GLOBAL, cell)
    assert registers.pids(GLOBAL) == [1]


def test_a_path_has_a_list_once_it_was_created() -> None:
    registers, cell = Registers(), a_cell(1)
    assert registers.pids("/a") is None
    assert registers.watch("/a", cell) is False
    assert cell.ties is None
    assert registers.create("/a") is True
    assert registers.create("/a") is False
    assert registers.watch("/a", cell) is True
    assert registers.pids("/a") == [1]
    assert registers.pids(GLOBAL) == []


def test_a_removed_supervisor_lets_its_actors_live() -> None:
    registers, cell = Registers(), a_cell(1)
    registers.create("/a")
    registers.watch("/a", cell)
    registers.watch(GLOBAL, cell)
    assert registers.remove("/a") is True
    assert registers.remove("/a") is False
    assert registers.pids("/a") is None
    assert list(ties_of(cell).supervisors) == [GLOBAL]


def test_a_list_made_anew_is_empty() -> None:
    registers = Registers()
    registers.create("/a")
    registers.watch("/a", a_cell(1))
    registers.remove("/a")
    registers.create("/a")
    assert registers.pids("/a") == []


def test_an_ended_actor_is_taken_off_every_list() -> None:
    registers, cell, other = Registers(), a_cell(1), a_cell(2)
    registers.create("/a")
    for key in (GLOBAL, "/a"):
        registers.watch(key, cell)
        registers.watch(key, other)
    registers.forget(cell)
    assert (registers.pids(GLOBAL), registers.pids("/a")) == ([2], [2])
    assert not ties_of(cell).supervisors
    registers.forget(cell)


def test_an_actor_without_ties_is_forgotten_without_making_any() -> None:
    cell = a_cell(1)
    Registers().forget(cell)
    assert cell.ties is None


def test_what_a_list_gives_is_a_copy() -> None:
    registers = Registers()
    registers.watch(GLOBAL, a_cell(1))
    pids = registers.pids(GLOBAL)
    assert pids is not None
    pids.clear()
    assert registers.pids(GLOBAL) == [1]
