"""Links, families and monitors as one graph, whose edges are known at both ends."""

from __future__ import annotations

from iris.core.cell import ActorCell, State, Ties
from iris.core.links import (
    Monitors,
    adopt,
    book_of,
    children_of,
    descendants_deepest_first,
    disown,
    loosen,
    tie,
    ties_of,
    untie,
    untie_all,
)

from .cells import a_cell


def family(parents: dict[int, int]) -> dict[int, ActorCell]:
    """Cells by pid, made from child -> parent; 1 is the root."""
    cells = {1: a_cell(1)}
    for child, parent in parents.items():
        cells[child] = a_cell(child)
        adopt(cells[parent], cells[child])
    return cells


def pids_below(cell: ActorCell) -> list[int]:
    return [found.pid for found in descendants_deepest_first(cell)]


def test_a_cell_has_no_ties_until_it_needs_some() -> None:
    cell = a_cell(1)
    assert children_of(cell) == []
    assert untie_all(cell) == []
    assert Monitors().end_all(cell) == []
    assert disown(cell) is None
    assert untie(cell, a_cell(2)) is False
    assert cell.ties is None


def test_ties_are_made_once() -> None:
    cell = a_cell(1)
    assert ties_of(cell) is ties_of(cell) is cell.ties


def test_each_descendant_stands_before_its_parent_younger_siblings_first() -> None:
    cells = family({2: 1, 3: 1, 4: 2, 5: 2, 6: 3, 7: 6})
    order = pids_below(cells[1])
    assert order == [7, 6, 3, 5, 4, 2]
    assert pids_below(cells[2]) == [5, 4]
    assert pids_below(cells[7]) == []


def test_those_who_are_ending_already_see_to_their_own() -> None:
    cells = family({2: 1, 3: 1, 4: 2, 5: 3})
    cells[2].state = State.STOPPING
    cells[3].state = State.DEAD
    assert pids_below(cells[1]) == []
    cells[2].state = State.ALIVE
    assert pids_below(cells[1]) == [4, 2]


def test_a_line_of_100_000_generations_needs_no_recursion() -> None:
    root = parent = a_cell(1)
    for pid in range(2, 100_001):
        child = a_cell(pid)
        adopt(parent, child)
        parent = child
    assert pids_below(root) == list(range(100_000, 1, -1))


def test_children_are_listed_in_the_order_of_their_start() -> None:
    cells = family({5: 1, 3: 1, 4: 1})
    assert [child.pid for child in children_of(cells[1])] == [5, 3, 4]


def test_an_ended_child_leaves_its_parent() -> None:
    cells = family({2: 1, 3: 1})
    assert disown(cells[2]) is cells[1]
    assert children_of(cells[1]) == [cells[3]]
    assert disown(cells[2]) is None


def test_a_link_is_known_at_both_ends() -> None:
    a, b = a_cell(1), a_cell(2)
    tie(a, b)
    assert ties_of(a).links == {2: b}
    assert ties_of(b).links == {1: a}


def test_linking_twice_is_linking_once() -> None:
    a, b = a_cell(1), a_cell(2)
    tie(a, b)
    tie(b, a)
    assert untie(b, a) is True
    assert untie(a, b) is False
    assert (ties_of(a).links, ties_of(b).links) == ({}, {})


def test_unlinking_strangers_changes_nothing() -> None:
    a, b, c = a_cell(1), a_cell(2), a_cell(3)
    tie(a, b)
    tie(c, b)
    assert untie(a, c) is False
    assert set(ties_of(b).links) == {1, 3}


def test_an_ended_actor_leaves_no_half_of_a_link_behind() -> None:
    middle = a_cell(1)
    others = [a_cell(pid) for pid in (5, 3, 4)]
    for other in others:
        tie(other, middle)
    assert untie_all(middle) == others
    assert all(ties_of(cell).links == {} for cell in (middle, *others))
    assert untie_all(middle) == []


def test_a_monitor_is_known_to_watcher_and_target() -> None:
    monitors, watcher, target = Monitors(), a_cell(1), a_cell(2)
    ref = monitors.begin(watcher, target)
    assert list(ties_of(watcher).watching) == [ref]
    assert list(ties_of(target).watched_by) == [ref]
    assert monitors.end(ref) is True
    assert monitors.end(ref) is False
    assert not ties_of(watcher).watching
    assert not ties_of(target).watched_by


def test_no_ref_is_given_twice() -> None:
    monitors, watcher, target = Monitors(), a_cell(1), a_cell(2)
    refs = [monitors.begin(watcher, target), monitors.new_ref(), monitors.begin(watcher, target)]
    assert len(set(refs)) == 3


def test_the_end_of_a_target_tells_each_of_its_watchers_once() -> None:
    monitors, target = Monitors(), a_cell(9)
    watchers = [a_cell(1), a_cell(2)]
    refs = [monitors.begin(watcher, target) for watcher in (*watchers, watchers[0])]
    told = monitors.end_all(target)
    assert [(monitor.ref, monitor.watcher.pid) for monitor in told] == list(zip(refs, [1, 2, 1]))
    assert monitors.end_all(target) == []
    assert not any(monitors.end(ref) for ref in refs)


def test_the_end_of_a_watcher_tells_nobody_and_ends_its_monitors() -> None:
    monitors, watcher, target = Monitors(), a_cell(1), a_cell(2)
    ref = monitors.begin(watcher, target)
    assert monitors.end_all(watcher) == []
    assert not ties_of(target).watched_by
    assert monitors.end(ref) is False


def test_an_actor_that_watches_itself_is_told_once() -> None:
    monitors, cell = Monitors(), a_cell(1)
    ref = monitors.begin(cell, cell)
    assert [monitor.ref for monitor in monitors.end_all(cell)] == [ref]
    assert not ties_of(cell).watching


# -- loosening -------------------------------------------------------------------------------------


def test_the_last_tie_that_goes_takes_the_ties_along() -> None:
    a, b = a_cell(1), a_cell(2)
    tie(a, b)
    book_of(b, "names")["name"] = None
    untie(a, b)
    assert a.ties is None
    assert ties_of(b).names == {"name": None}
    monitors = Monitors()
    assert monitors.end(monitors.begin(a, b))
    assert a.ties is None


def test_ties_that_bind_are_kept_each_kind_of_them() -> None:
    for field, value in (
        ("parent", a_cell(2)), ("children", {2: a_cell(2)}), ("links", {2: a_cell(2)}),
        ("watched_by", {1: None}), ("watching", {1: None}), ("names", {"n": None}),
        ("paths", {"/p": None}), ("timers", {1: None}), ("joiners", [print]),
        ("seats", [object()]), ("charge", object()), ("renewal", object()), ("kept", []),
        ("ending", object()), ("pending_end", object()), ("probes", {"n": None}),
    ):  # fmt: skip
        cell = a_cell(1)
        setattr(ties_of(cell), field, value)
        loosen(cell)
        assert cell.ties is not None, field


def test_an_ending_actor_keeps_its_ties_for_its_end() -> None:
    for state in (State.STARTING, State.STOPPING, State.DEAD):
        cell = a_cell(1)
        cell.state = state
        kept = ties_of(cell)
        loosen(cell)
        assert cell.ties is kept


def test_loosening_names_every_field_of_the_ties() -> None:
    named = {
        "parent", "children", "links", "watched_by", "watching", "names", "paths", "timers",
        "joiners", "seats", "charge", "renewal", "kept", "ending", "pending_end", "probes",
    }  # fmt: skip
    assert named == set(Ties.__slots__)
