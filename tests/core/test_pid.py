"""Pids: never 0, below 2**63, and a retired one names nobody for as long as possible."""

from __future__ import annotations

from collections import deque

import pytest

from iris.core.pid import (
    FREE_SLOTS_MIN,
    GENERATION_MAX,
    PID_MAX,
    SLOT_BITS,
    SLOT_MASK,
    PidAllocator,
)
from iris.errors import LimitReached


def parts(pid: int) -> tuple[int, int]:
    """Slot and generation."""
    return pid & SLOT_MASK, pid >> SLOT_BITS


def test_the_first_pids_are_slots_1_2_3_of_the_first_generation() -> None:
    pids = PidAllocator(7)
    assert [parts(pids.allocate()) for _ in range(3)] == [(1, 7), (2, 7), (3, 7)]


def test_the_slot_is_the_low_half_of_the_number() -> None:
    assert PidAllocator(7).allocate() == 7 << 32 | 1


def test_every_pid_fits_a_signed_machine_word() -> None:
    highest = GENERATION_MAX << SLOT_BITS | SLOT_MASK
    assert highest == (1 << 63) - 1
    assert highest < PID_MAX == (1 << 64) - 1


@pytest.mark.parametrize("generation", [0, -1, GENERATION_MAX + 1])
def test_a_generation_out_of_range_is_refused(generation: int) -> None:
    with pytest.raises(ValueError, match=f"generation {generation} "):
        PidAllocator(generation)


def test_a_freed_slot_is_not_reused_before_4096_are_free() -> None:
    assert FREE_SLOTS_MIN == 4096
    pids = PidAllocator(1)
    given = [pids.allocate() for _ in range(FREE_SLOTS_MIN)]
    for pid in given[:-1]:
        pids.retire(pid)
    assert pids.free == FREE_SLOTS_MIN - 1
    assert parts(pids.allocate()) == (FREE_SLOTS_MIN + 1, 1)
    pids.retire(given[-1])
    assert parts(pids.allocate()) == (1, 2)
    # One fewer than 4096 are free again.
    assert parts(pids.allocate()) == (FREE_SLOTS_MIN + 2, 1)


def test_freed_slots_are_reused_first_in_first_out() -> None:
    pids = PidAllocator(1)
    given = [pids.allocate() for _ in range(FREE_SLOTS_MIN + 5)]
    order = given[100:] + given[:100]
    for pid in order:
        pids.retire(pid)
    reused = [pids.allocate() for _ in range(6)]
    assert [parts(pid) for pid in reused] == [(pid & SLOT_MASK, 2) for pid in order[:6]]


def test_the_generation_after_the_last_is_1() -> None:
    pids = PidAllocator(GENERATION_MAX)
    for pid in [pids.allocate() for _ in range(FREE_SLOTS_MIN)]:
        pids.retire(pid)
    assert parts(pids.allocate()) == (1, 1)


def test_no_pid_comes_twice_while_actors_come_and_go() -> None:
    pids = PidAllocator(5)
    alive: deque[int] = deque()
    given = set()
    for _ in range(6 * FREE_SLOTS_MIN):
        alive.append(pids.allocate())
        given.add(alive[-1])
        if len(alive) > 10:
            pids.retire(alive.popleft())
    assert len(given) == 6 * FREE_SLOTS_MIN
    assert max(pid & SLOT_MASK for pid in given) < FREE_SLOTS_MIN + 12
    assert {pid >> SLOT_BITS for pid in given} == {5, 6, 7, 8, 9, 10}


def test_no_pid_is_given_out_when_all_slots_are_in_use() -> None:
    pids = PidAllocator(1)
    # A private field, because the public way there takes 2**32 calls.
    pids._slots = SLOT_MASK
    assert parts(pids.allocate()) == (SLOT_MASK, 1)
    with pytest.raises(LimitReached, match=r"all 2\*\*32 - 1 actor slots"):
        pids.allocate()
