"""The table: a pid names the actor that got it, and nobody after that one has ended."""

from __future__ import annotations

import threading

import pytest

from iris.core.pid import FREE_SLOTS_MIN, SLOT_MASK
from iris.core.table import Table
from iris.errors import RuntimeClosed

from .cells import a_cell


@pytest.fixture
def table() -> Table:
    return Table(3, threading.RLock())


def test_an_added_cell_is_found_by_its_pid(table: Table) -> None:
    cell = a_cell()
    pid = table.add(cell)
    assert cell.pid == pid
    assert table.get(pid) is cell
    assert table.slots[pid & SLOT_MASK] is cell


def test_an_add_that_was_cut_short_does_not_hinder_those_after_it(table: Table) -> None:
    first, second = a_cell(), a_cell()
    table.add(first)
    # A signal handler raises before the cell that had this pid is listed.
    lost = table._allocate()
    pid = table.add(second)
    assert table.get(pid) is second
    assert table.get(lost) is None
    assert list(table.cells()) == [first, second]


def test_nothing_is_added_to_a_table_that_was_emptied(table: Table) -> None:
    table.forget_all()
    with pytest.raises(RuntimeClosed):
        table.add(a_cell())
    assert list(table.cells()) == []


def test_a_removed_cell_is_found_no_more(table: Table) -> None:
    cell = a_cell()
    pid = table.add(cell)
    table.remove(cell)
    assert table.get(pid) is None


@pytest.mark.parametrize("pid", [0, 1, 4 << 32 | 1, 3 << 32, 1 << 70, -1])
def test_a_pid_that_was_not_given_names_nobody(table: Table, pid: int) -> None:
    table.add(a_cell())
    assert table.get(pid) is None


def test_a_stale_pid_does_not_name_the_next_actor_of_its_slot(table: Table) -> None:
    cells = [a_cell() for _ in range(FREE_SLOTS_MIN)]
    stale = [table.add(cell) for cell in cells]
    for cell in cells:
        table.remove(cell)
    following = a_cell()
    pid = table.add(following)
    assert pid & SLOT_MASK == stale[0] & SLOT_MASK
    assert pid not in stale
    assert table.get(stale[0]) is None
    assert table.get(pid) is following


def test_cells_are_listed_in_the_order_of_their_slots(table: Table) -> None:
    cells = [a_cell() for _ in range(4)]
    for cell in cells:
        table.add(cell)
    table.remove(cells[1])
    assert list(table.cells()) == [cells[0], *cells[2:]]


def test_cells_may_be_added_and_removed_while_they_are_listed(table: Table) -> None:
    cells = [a_cell() for _ in range(3)]
    for cell in cells:
        table.add(cell)
    listed = []
    for cell in table.cells():
        listed.append(cell)
        table.remove(cell)
        table.add(a_cell())
    assert listed == cells


def test_the_table_counts_who_came_and_who_left(table: Table) -> None:
    cells = [a_cell() for _ in range(3)]
    for cell in cells:
        table.add(cell)
    table.remove(cells[0])
    assert (table.spawned, table.ended, table.count) == (3, 1, 2)


def test_a_failed_start_leaves_no_trace(table: Table) -> None:
    cell = a_cell()
    pid = table.add(cell)
    table.take_back(cell)
    assert table.get(pid) is None
    assert (table.spawned, table.ended, table.count) == (0, 0, 0)


def test_after_forget_all_no_pid_names_anybody_and_the_list_is_the_same(table: Table) -> None:
    slots = table.slots
    cell = a_cell()
    pid = table.add(cell)
    table.forget_all()
    assert table.slots is slots
    assert table.get(pid) is None
    assert list(table.cells()) == []
    table.remove(cell)
    assert table.ended == 0


def test_a_cell_can_be_found_under_the_lock_by_whoever_holds_it(table: Table) -> None:
    with table.lock:
        pid = table.add(a_cell())
        assert table.get(pid) is not None
