"""Credit of version 2: two sums that never come apart."""

from __future__ import annotations

from random import Random

import pytest

from iris.errors import InternalError
from iris.mesh import frames as f
from iris.mesh.credit import FIRST_CREDIT_BYTES, Spending, Taking, is_credited
from iris.mesh.wire import WireError


def test_which_frames_cost_credit() -> None:
    always = {0, 1, 2, 3, 4, 5, f.FIRST, f.MORE}
    for kind in range(0x19):
        large = kind in always | {f.REPLY, f.REPLY | f.PACKED}
        assert is_credited(kind, 1024) is (kind in always)
        assert is_credited(kind, 1025) is large


def test_what_is_left_to_spend() -> None:
    spending = Spending()
    spending.spend(FIRST_CREDIT_BYTES, 3)
    assert spending.left == 0
    spending.granted(2, FIRST_CREDIT_BYTES + 100)
    assert (spending.left, spending.messages, spending.acknowledged) == (100, 3, 2)
    with pytest.raises(InternalError, match="65637 bytes written, 65636 were allowed"):
        spending.spend(101, 1)


def test_a_grant_that_is_the_same_again_changes_nothing() -> None:
    spending = Spending()
    spending.granted(0, FIRST_CREDIT_BYTES)
    assert spending.left == FIRST_CREDIT_BYTES


@pytest.mark.parametrize(
    ("grant", "text"),
    [
        ((1, 99_999), "99999 bytes and 1 messages is below the last one of 100000 and 1"),
        ((0, 100_000), "0 messages is below"),
        ((4, 100_000), "4 messages acknowledged, 3 were written"),
    ],
)
def test_grants_that_cannot_be(grant: tuple[int, int], text: str) -> None:
    spending = Spending()
    spending.spend(10, 3)
    spending.granted(1, 100_000)
    with pytest.raises(WireError, match=text) as caught:
        spending.granted(*grant)
    assert caught.value.kind == "credit"
    assert (spending.left, spending.acknowledged) == (99_990, 1)


def test_a_larger_window_is_told_at_once_and_the_smallest_is_known() -> None:
    assert Taking(1 << 20).grant(0.0, False) == (0, 1 << 20)
    smallest = Taking(FIRST_CREDIT_BYTES)
    assert smallest.grant(0.0, True) is smallest.due is None


def test_a_quarter_of_the_window_is_told_at_once() -> None:
    taking = Taking(100_000)
    taking.grant(0.0, False)
    taking.came(80_000, 8)
    taking.take(24_999, 2, 0.0)
    assert taking.grant(0.0, False) is None
    taking.take(1, 1, 0.0)
    assert taking.grant(0.0, False) == (3, 125_000)
    assert taking.due is taking.grant(9.0, True) is None


def test_less_waits_for_company_or_its_time() -> None:
    for when, in_company in ((1.0, True), (1.05, False)):
        taking = Taking(FIRST_CREDIT_BYTES)
        taking.came(30, 1)
        assert taking.due is None
        taking.take(30, 1, 1.0)
        assert taking.due == 1.05
        assert taking.grant(1.049, False) is None
        assert taking.grant(when, in_company) == (1, FIRST_CREDIT_BYTES + 30)
        assert taking.due is None


def test_what_is_ripe_is_told_whenever_there_is_an_occasion() -> None:
    taking = Taking(FIRST_CREDIT_BYTES)
    taking.came(30, 1)
    taking.take(30, 1, 1.0)
    taking.ripen(1.049)
    assert taking.due == 1.05
    taking.ripen(1.05)
    assert taking.due is None
    assert taking.grant(1.05, False) == (1, FIRST_CREDIT_BYTES + 30)


def test_more_than_was_allowed_is_refused() -> None:
    taking = Taking(100_000)
    with pytest.raises(WireError, match="65537 bytes came, 65536 were allowed"):
        taking.came(65_537, 1)


def test_what_is_held_makes_room_until_it_is_whole() -> None:
    taking = Taking(FIRST_CREDIT_BYTES)
    taking.came(60_000, 0)
    taking.hold(60_000, 0.0)
    assert taking.grant(0.0, False) == (0, FIRST_CREDIT_BYTES + 60_000)
    taking.came(60_000, 1)
    taking.hold(0, 0.0)
    # 120,000 bytes wait, and 125,536 were allowed: nothing more until some are taken.
    taking.ripen(1.0)
    assert taking.grant(1.0, True) == (0, FIRST_CREDIT_BYTES + 60_000)
    taking.take(50_000, 0, 1.0)
    assert taking.grant(1.0, True) == (0, FIRST_CREDIT_BYTES + 60_000)
    taking.take(70_000, 1, 1.0)
    assert taking.grant(1.0, True) == (1, FIRST_CREDIT_BYTES + 120_000)


@pytest.mark.parametrize("seed", range(20))
def test_both_sides_agree_whatever_happens(seed: int) -> None:
    random = Random(seed)
    window = random.randint(FIRST_CREDIT_BYTES, 1 << 20)
    spending, taking = Spending(), Taking(window)
    on_the_way: list[tuple[int, int]] = []
    grants: list[tuple[int, int]] = []
    waiting: list[int] = []
    now = written = 0.0
    for _ in range(3000):
        now += random.random() / 100
        size = random.randint(21, FIRST_CREDIT_BYTES)
        if size <= spending.left:
            spending.spend(size, 1)
            written += size
            on_the_way.append((size, 1))
        if on_the_way and random.random() < 0.7:
            came = on_the_way.pop(0)
            taking.came(*came)
            waiting.append(came[0])
        if waiting and random.random() < 0.7:
            taking.take(waiting.pop(random.randrange(len(waiting))), 1, now)
        grant = taking.grant(now, random.random() < 0.1)
        if grant:
            grants.append(grant)
        if grants and random.random() < 0.7:
            spending.granted(*grants.pop(0))
        assert taking.untaken == (sum(waiting), len(waiting))
        assert sum(waiting) <= window
        assert spending.acknowledged <= spending.messages - len(waiting) - len(on_the_way)
    assert written > 20 * window or window > 500_000
