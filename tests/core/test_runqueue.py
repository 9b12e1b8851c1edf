"""The seeded queue: the same seed gives the same order on every interpreter and version."""

from __future__ import annotations

import pytest

from iris.core.runqueue import SeededQueue

from .cells import a_cell

ORDERS = {
    0: [],
    1: [],
    42: [],
}


def order_of(seed: int, size: int = 10) -> list[int]:
    """The pids in the order in which they come out when they are put in as 1, 2, 3, ..."""
    queue = SeededQueue(seed)
    for pid in range(1, size + 1):
        queue.append(a_cell(pid))
    return [queue.popleft().pid for _ in range(size)]


if __name__ == "__main__":
    print({seed: order_of(seed) for seed in ORDERS})
