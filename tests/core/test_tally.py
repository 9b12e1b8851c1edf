"""The counters: no count is lost, and reading changes nothing."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from iris.core.tally import OWNER_SIDE, SENDER_SIDE, Counter, Fates


def a_counter() -> Counter:
    return Counter(threading.RLock())


def test_a_new_counter_is_at_0() -> None:
    assert a_counter().value == 0


def test_adding_raises_the_number_by_one() -> None:
    counter = a_counter()
    counter.add()
    counter.add()
    assert counter.value == 2


def test_taking_a_number_raises_it_as_well() -> None:
    counter = a_counter()
    next(counter.numbers)
    counter.add()
    assert counter.value == 2


def test_reading_does_not_count() -> None:
    counter = a_counter()
    counter.add()
    assert [counter.value for _ in range(5)] == [1] * 5


def test_many_are_added_at_once() -> None:
    counter = a_counter()
    counter.add_many(1_000_000)
    counter.add_many(0)
    assert counter.value == 1_000_000


@given(st.lists(st.one_of(st.none(), st.integers(0, 50)), max_size=50))
def test_reads_between_additions_disturb_nothing(steps: list[int]) -> None:
    counter, expected = a_counter(), 0
    for amount in steps:
        if amount is None:
            assert counter.value == expected
        else:
            counter.add_many(amount)
            counter.add()
            expected += amount + 1
    assert counter.value == expected


def test_counters_of_one_runtime_are_apart() -> None:
    fates = Fates(threading.RLock())
    fates.accepted.add()
    fates.expired.add_many(3)
    values = {name: getattr(fates, name).value for name in Fates.__slots__}
    assert {name: value for name, value in values.items() if value} == {"accepted": 1, "expired": 3}


def test_no_fate_is_counted_on_both_sides() -> None:
    assert set(SENDER_SIDE).isdisjoint(OWNER_SIDE)
    # A late answer is no message: it has no fate. What is in doubt has one: it was forwarded.
    assert set(Fates.__slots__) - {"late_replies", "in_doubt"} <= {*SENDER_SIDE, *OWNER_SIDE}
