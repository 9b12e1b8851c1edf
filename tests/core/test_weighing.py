"""What lies in weighed lanes is what the scale tells, however it came and went."""

from __future__ import annotations

import threading
from random import Random
from typing import Any

import pytest

import iris
from iris.config import OTHER_BYTES
from iris.core.load import Load
from iris.core.messages import FenceMarker, Request
from iris.core.weighing import Scale, Sum, WeighedDeque, WeighedList, weight_of


def a_scale(looks: Any = lambda: None, **limits: int) -> Scale:
    load = Load(iris.Limits(**(limits or {"queued_bytes_hard": 1})))
    load.weigh_at = limits.get("queued_bytes_hard", 1 << 62)
    scale = Scale(load)
    scale.look = looks
    return scale


class Shouting(bytes):
    def __len__(self) -> int:
        raise AssertionError("code of a message was called")


class Pretending:
    @property
    def __class__(self) -> Any:
        raise AssertionError("code of a message was called")


def test_the_weight_of_each_kind_is_told_without_calling_its_code() -> None:
    text = type("Text", (str,), {"__len__": Shouting.__len__})
    for item, weight in (
        (b"", 0), (b"abc", 3), ("\xe4bc", 3), (memoryview(b"abcdefgh").cast("I"), 8),
        (Request(b"abc", 0, lambda _: True), 3), (FenceMarker(len), 0), (Shouting(b"four"), 4),
        (text("four"), 4), ([1, 2, 3], OTHER_BYTES), (None, OTHER_BYTES),
        (Pretending(), OTHER_BYTES),
    ):  # fmt: skip
        assert weight_of(item) == weight


def test_a_sum_is_what_was_added() -> None:
    one = Sum()
    assert [one.add(5), one.add(-2), one.add(0), one.value, one.value] == [5, 3, 3, 3, 3]


def test_a_sum_that_was_cut_short_tells_the_truth_when_it_is_read() -> None:
    one = Sum()
    one.add(5)
    # What a signal handler that raises leaves behind: an amount that nobody has added.
    one._amounts.append(100)
    assert one.value == 105
    assert one.value == 105
    assert one.add(1) in (105, 106)
    assert one.value == 106


def test_a_sum_loses_nothing_between_threads() -> None:
    one, threads = Sum(), []

    def work() -> None:
        for _ in range(3000):
            one.add(7)
            one.add(-3)

    for _ in range(4):
        threads.append(threading.Thread(target=work))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert one.value == 4 * 3000 * 4


@pytest.mark.parametrize("seed", range(30))
def test_a_lane_and_its_batches_weigh_what_lies_in_them(seed: int) -> None:
    chance = Random(seed)
    scale = a_scale()
    lane, batch = WeighedList(scale), WeighedList(scale)
    for _ in range(200):
        what = chance.randrange(8)
        if what < 3:
            lane.append(bytes(chance.randrange(9)))
        elif what == 3 and lane:
            lane.pop(chance.randrange(len(lane)))
        elif what == 4 and batch:
            batch.pop()
        elif what == 5 and not batch:
            batch = lane.copy()
            del lane[: len(batch)]
            batch.reverse()
        elif what == 6 and batch:
            batch.reverse()
            lane[:0] = batch
            batch = WeighedList(scale)
        elif what == 7 and chance.random() < 0.2:
            batch.clear()
        assert scale.sum.value == sum(map(len, lane)) + sum(map(len, batch))


def test_a_lane_with_a_bound_weighs_what_lies_in_it() -> None:
    scale = a_scale()
    lane = WeighedDeque(scale)
    for message in (b"1", b"22", b"333", b"4444"):
        lane.append(message)
    assert scale.sum.value == 10
    assert lane.popleft() == b"1"
    del lane[1]
    assert (list(lane), scale.sum.value) == ([b"22", b"4444"], 6)


def test_the_message_that_reaches_the_mark_is_followed_by_a_look() -> None:
    looks: list[int] = []
    scale = a_scale(lambda: looks.append(scale.sum.value), queued_bytes_hard=10)
    lane = WeighedList(scale)
    for _ in range(4):
        lane.append(b"four")
    assert looks == [12, 16]
