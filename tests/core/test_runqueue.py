"""The seeded queue: the same seed gives the same order on every interpreter and version."""

from __future__ import annotations

import pytest

from iris.core.runqueue import SeededQueue

from .cells import a_cell

ORDERS = {
    0: [9, 7, 4, 2, 8, 3, 6, 1, 5, 10],
    1: [2, 8, 7, 10, 3, 6, 5, 4, 1, 9],
    42: [7, 1, 3, 2, 5, 4, 6, 9, 8, 10],
}


def order_of(seed: int) -> list[int]:
    """The pids in the order in which they come out when they are put in as 1, 2, 3, ..."""
    queue = SeededQueue(seed)
    for pid in range(1, 11):
        queue.append(a_cell(pid))
    return [queue.popleft().pid for _ in range(10)]


@pytest.mark.parametrize("seed", sorted(ORDERS))
def test_a_seed_gives_the_order_that_was_recorded_for_it(seed: int) -> None:
    assert order_of(seed) == ORDERS[seed]


def test_the_order_holds_when_cells_come_and_go() -> None:
    queue = SeededQueue(7)
    taken = []
    for pid in range(1, 7):
        queue.append(a_cell(pid))
        queue.append(a_cell(pid + 10))
        taken.append(queue.popleft().pid)
    while queue:
        taken.append(queue.popleft().pid)
    assert taken == [1, 11, 3, 12, 4, 13, 14, 16, 6, 2, 15, 5]


def test_every_cell_comes_out_once() -> None:
    for seed in range(50):
        assert sorted(order_of(seed)) == list(range(1, 11))


def test_different_seeds_give_different_orders() -> None:
    assert len({tuple(order_of(seed)) for seed in range(50)}) > 45


def test_any_cell_may_be_first() -> None:
    assert {order_of(seed)[0] for seed in range(200)} == set(range(1, 11))


def test_the_queue_is_true_while_cells_wait() -> None:
    queue = SeededQueue(0)
    assert not queue
    queue.append(a_cell(1))
    assert queue
    assert len(queue) == 1
    queue.popleft()
    assert not queue


def test_an_empty_queue_raises_as_a_deque_does() -> None:
    with pytest.raises(IndexError):
        SeededQueue(0).popleft()


def test_clearing_forgets_all() -> None:
    queue = SeededQueue(0)
    queue.append(a_cell(1))
    queue.clear()
    assert not queue


def test_a_cell_may_be_queued_twice() -> None:
    queue, cell = SeededQueue(0), a_cell(1)
    queue.append(cell)
    queue.append(cell)
    assert [queue.popleft(), queue.popleft()] == [cell, cell]
