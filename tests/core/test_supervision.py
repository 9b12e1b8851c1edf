"""Who fills which seat under which supervisor."""

from __future__ import annotations

from iris.core.cell import ActorCell
from iris.core.links import ties_of
from iris.core.restart import Restart, Strategy
from iris.core.supervision import GLOBAL, Child, Group, Groups, fill, seats_of, vacate

from .cells import a_cell


def enter(group: Group, cell: ActorCell) -> Child:
    child = Child(group, None, None, Strategy.ONE, Restart.PERMANENT, 5.0)
    group.add(child)
    fill(child, cell)
    return child


def test_the_global_supervisor_is_there_from_the_start_and_has_nobody() -> None:
    group = Groups().get(GLOBAL)
    assert group is not None
    assert group.pids() == []


def test_a_path_has_a_supervisor_once_it_was_created() -> None:
    groups = Groups()
    assert groups.get("/a") is None
    assert groups.create("/a") is True
    assert groups.create("/a") is False
    assert groups.get("/a") is not None
    assert groups.remove("/a") is not None
    assert groups.remove("/a") is None


def test_children_are_listed_in_the_order_in_which_they_came() -> None:
    group = Group("/a")
    for pid in (3, 1, 2):
        enter(group, a_cell(pid))
    assert group.pids() == [3, 1, 2]


def test_whoever_replaces_an_actor_has_its_place_in_the_order() -> None:
    group = Group("/a")
    first, second, third = (enter(group, a_cell(pid)) for pid in (1, 2, 3))
    vacate(second)
    assert group.pids() == [1, 3]
    fill(second, a_cell(9))
    assert group.pids() == [1, 9, 3]
    assert [first.order, second.order, third.order] == sorted(group.children)


def test_an_actor_knows_the_places_that_it_fills() -> None:
    cell, groups = a_cell(1), (Group("/a"), Group("/b"))
    children = [enter(group, cell) for group in groups]
    assert seats_of(cell) == children
    groups[0].strike(children[0])
    assert seats_of(cell) == children[1:]
    assert (groups[0].pids(), groups[1].pids()) == ([], [1])
    assert seats_of(a_cell(2)) == []


def test_an_actor_that_fills_no_place_any_more_has_no_ties() -> None:
    group, cell = Group("/a"), a_cell(1)
    child = enter(group, cell)
    group.strike(child)
    assert cell.ties is None
    assert child.is_struck


def test_ties_of_a_supervisor_are_kept() -> None:
    cell = a_cell(1)
    ties_of(cell).charge = Group("all", cell)
    group = Group("/a")
    group.strike(enter(group, cell))
    assert cell.ties is not None


def test_restarts_of_children_are_counted_for_each_alone_where_the_supervisor_cannot_end() -> None:
    group = Group("/a", max_restarts=1)
    one, two = enter(group, a_cell(1)), enter(group, a_cell(2))
    assert group.admits(one, 0.0)
    assert not group.admits(one, 0.0)
    assert group.admits(two, 0.0)


def test_restarts_of_children_are_counted_together_where_it_can() -> None:
    group = Group("all", a_cell(7), max_restarts=1)
    one, two = enter(group, a_cell(1)), enter(group, a_cell(2))
    assert group.admits(one, 0.0)
    assert not group.admits(two, 0.0)
