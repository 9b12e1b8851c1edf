"""Judging a peer, in made-up time: what it answers, when it is silent, what the network says."""

from __future__ import annotations

import math
from collections.abc import Iterable
from heapq import heappop, heappush
from random import Random
from typing import Any, Callable, Optional

import pytest

from iris.errors import BadInput
from iris.mesh.health import (
    DEVIATIONS,
    PAUSE_FIRST_S,
    PINGS_MOST,
    HealthLimits,
    Judge,
    PeerReason,
    PeerState,
)

UP, SUSPECT, DOWN = PeerState.UP, PeerState.SUSPECT, PeerState.DOWN

Reply = Callable[[float], Optional[float]]
"""When the ping that was written at a time is answered; None for never."""


def new_judge(now: float = 0.0, **limits: float) -> Judge:
    return Judge(HealthLimits(**limits), now, lambda: 0.5)


def live(
    judge: Judge, reply: Reply, until: float, lag_s: float = 0.0
) -> list[tuple[float, PeerState]]:
    """Ping a peer and look after it as it says, up to a time; gives what has changed, and when."""
    changes: list[tuple[float, PeerState]] = []
    answers: list[float] = []
    while True:
        answer = answers[0] if answers else math.inf
        now = min(judge.next_ping, judge.next_look, answer)
        if now > until:
            return changes
        if answer <= now:
            heappop(answers)
            changed = judge.answered(now, lag_s)
        elif judge.wants_ping(now):
            judge.pinged(now)
            at, changed = reply(now), False
            if at is not None:
                heappush(answers, at)
        else:
            changed = judge.look(now)
            assert changed, "it was told to look, and saw nothing"
        if changed:
            assert judge.since <= now
            changes.append((now, judge.state))


def after(delay_s: float) -> Reply:
    return lambda asked: asked + delay_s


def held(periods: Iterable[tuple[float, float]], delay_s: float = 0.01) -> Reply:
    """A peer that answers soon, except in these times, of each of which it answers at the end."""
    held_up = list(periods)

    def reply(asked: float) -> float:
        for begin, end in held_up:
            if begin <= asked + delay_s < end:
                return end
        return asked + delay_s

    return reply


# -- living peers ----------------------------------------------------------------------------


def test_a_new_peer_is_up_and_is_asked_at_once() -> None:
    judge = new_judge(now=5.0)
    assert (judge.state, judge.reason, judge.since) == (UP, None, 5.0)
    assert judge.wants_ping(5.0)
    assert judge.round_trip_s is None
    assert judge.next_look == math.inf, "what owes nothing is not judged"


def test_pings_follow_each_other_as_the_limits_say() -> None:
    asked = []
    judge = new_judge(ping_every_s=0.5)
    live(judge, lambda at: asked.append(at) or at + 0.1, until=2.0)  # type: ignore[func-returns-value]
    assert asked == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert judge.next_ping == 2.5
    assert not judge.wants_ping(2.4)
    assert judge.wants_ping(2.5)


def test_a_peer_that_answers_stays_up() -> None:
    assert live(new_judge(), after(0.001), until=3600.0) == []


def test_a_peer_far_away_stays_up() -> None:
    # Three answers are under way all the time.
    assert live(new_judge(), after(3.0), until=600.0)[2:] == []


@pytest.mark.parametrize("seed", range(10))
def test_a_peer_that_answers_unevenly_stays_up(seed: int) -> None:
    luck = Random(seed)
    assert live(new_judge(), lambda at: at + abs(luck.gauss(0.1, 0.1)), until=3600.0) == []


def test_the_round_trip_is_that_of_the_last_ping_answered() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.pinged(1.0)
    judge.answered(1.5)
    assert judge.round_trip_s == 1.5
    judge.answered(1.6)
    assert judge.round_trip_s == pytest.approx(0.6)


def test_a_connection_that_is_gone_takes_its_answers_along() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.cut()
    judge.pinged(1.0)
    judge.answered(1.25)
    assert judge.round_trip_s == 0.25


def test_a_peer_that_only_breaks_connections_off_is_silent() -> None:
    judge = new_judge()
    for second in range(9):
        judge.pinged(float(second))
        judge.cut()
        judge.look(float(second))
    assert (judge.state, judge.reason) == (DOWN, PeerReason.TIMEOUT)


def test_an_answer_that_nobody_asked_for_is_a_sign_of_life_and_no_gap() -> None:
    judge, plain = new_judge(), new_judge()
    for one in (judge, plain):
        live(one, after(0.01), until=19.5)
    for _ in range(1000):
        judge.answered(20.0, lag_s=5.0)
    assert judge.round_trip_s == plain.round_trip_s
    assert judge.lag_s == 0.0
    for one in (judge, plain):
        one.pinged(21.0)
    assert judge.next_look == plain.next_look


# -- slow ones -------------------------------------------------------------------------------


def test_the_suspicious_gap_has_phi_8() -> None:
    # The chance that a normal variable is over its mean by more than so many deviations.
    later = 0.5 * math.erfc(DEVIATIONS / math.sqrt(2))
    assert -math.log10(later) == pytest.approx(8.0, abs=0.001)


def test_a_gap_that_was_never_so_long_is_suspicious() -> None:
    changes = live(new_judge(), held([(10.0, 15.0)]), until=60.0)
    assert [state for _, state in changes] == [SUSPECT, UP]
    # 10 is the first ping without an answer, then the usual second and its tolerance.
    assert changes[0][0] == pytest.approx(10.0 + 1.0 + DEVIATIONS / 4, abs=0.05)
    assert changes[1][0] == 15.0


def test_a_suspicion_says_slow_and_since_when() -> None:
    judge = new_judge()
    changes = live(judge, held([(10.0, 16.0)]), until=14.0)
    assert (judge.state, judge.reason, judge.since) == (SUSPECT, PeerReason.SLOW, changes[0][0])
    live(judge, after(0.01), until=17.0)
    judge.answered(17.0)
    assert (judge.state, judge.reason) == (UP, None)


def test_a_peer_with_uneven_answers_is_suspected_later() -> None:
    luck = Random(7)
    smooth, rough = new_judge(), new_judge()
    live(smooth, after(0.01), until=99.9)
    live(rough, lambda at: at + luck.choice((0.0, 0.8)), until=99.9)
    for one in (smooth, rough):
        one.pinged(100.0)
    assert rough.next_look > smooth.next_look + 0.5


def test_answers_that_come_all_at_once_do_not_make_the_next_gap_suspicious() -> None:
    judge = new_judge()
    for second in range(3):
        judge.pinged(float(second))
    for _ in range(3):
        judge.answered(2.0)
    judge.pinged(3.0)
    assert judge.next_look >= 3.0 + 1.0 + DEVIATIONS / 4


def test_only_the_latest_gaps_count() -> None:
    rough, smooth = new_judge(down_after_s=100.0), new_judge(down_after_s=100.0)
    live(rough, held([(at, at + 7.5) for at in range(10, 100, 10)]), until=100.5)
    for one in (rough, smooth):
        live(one, after(0.0), until=200.5)
        one.pinged(201.0)
    assert rough.next_look == smooth.next_look


def test_a_saturated_peer_that_tells_its_lag_is_not_even_suspected() -> None:
    # It is held up for three seconds out of four, and says so.
    reply = held([(at, at + 3.0) for at in range(20, 600, 4)])
    judge = new_judge()
    live(judge, after(0.01), until=19.0, lag_s=3.0)
    assert live(judge, reply, until=600.0, lag_s=3.0) == []


def test_a_saturated_peer_that_does_not_is_suspected_once_and_never_down() -> None:
    reply = held([(at, at + 3.0) for at in range(20, 600, 4)])
    changes = live(new_judge(), reply, until=600.0)
    assert [state for _, state in changes] == [SUSPECT, UP]


def test_a_peer_that_stops_and_goes_is_soon_known_for_it() -> None:
    changes = live(new_judge(), held([(at, at + 3.5) for at in range(10, 1000, 10)]), until=1000.0)
    assert 2 <= len(changes) <= 4
    assert all(at < 40.0 for at, _ in changes)


def test_a_lag_that_is_over_is_forgotten() -> None:
    judge = new_judge()
    live(judge, after(0.0), until=10.5, lag_s=1.5)
    judge.pinged(11.0)
    patience_s = judge.next_look - 11.0
    judge.answered(11.0, lag_s=0.0)
    judge.pinged(12.0)
    assert judge.next_look - 12.0 == pytest.approx(patience_s - 1.5)


@pytest.mark.parametrize(
    ("lag_s", "taken_s"), [(1e9, 1e9), (math.inf, math.inf), (-1.0, 0.0), (math.nan, 0.0)]
)
def test_no_lag_that_a_peer_may_tell_saves_it_from_suspicion_or_its_end(
    lag_s: float, taken_s: float
) -> None:
    judge = new_judge()
    changes = live(judge, lambda at: at if at < 10.0 else None, until=100.0, lag_s=lag_s)
    assert [state for _, state in changes] == [SUSPECT, DOWN]
    assert changes[0][0] <= 14.0
    assert changes[1][0] == 18.0
    assert judge.lag_s == taken_s


# -- frozen and killed ones ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_frozen_peer_is_suspect_and_within_ten_seconds_down(seed: int) -> None:
    luck = Random(seed)
    frozen_at = luck.uniform(5.0, 100.0)
    judge = new_judge()

    def reply(asked: float) -> Optional[float]:
        at = asked + luck.uniform(0.0, 0.2)
        return at if at < frozen_at else None

    changes = live(judge, reply, until=200.0)
    assert [state for _, state in changes] == [SUSPECT, DOWN]
    assert 7.7 < changes[1][0] - frozen_at < 10.0
    assert (judge.reason, judge.since) == (PeerReason.TIMEOUT, changes[1][0])


def test_a_peer_that_never_answers_is_down_after_the_time_from_the_first_ping() -> None:
    changes = live(new_judge(down_after_s=3.0), lambda at: None, until=60.0)
    assert changes == [(1.5, SUSPECT), (3.0, DOWN)]


def test_a_look_that_comes_late_ends_a_silent_peer_without_a_suspicion_before() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    assert judge.look(8.0)
    assert judge.state is DOWN


def test_a_peer_that_owes_nothing_may_be_silent() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.answered(0.01)
    assert judge.next_look == math.inf
    assert not judge.look(1000.0)
    # And its silence begins with the next ping, not before.
    judge.pinged(1000.0)
    assert not judge.look(1001.3)
    assert judge.look(1004.0)
    assert judge.state is SUSPECT


def test_bytes_of_any_kind_keep_a_peer_up_that_answers_no_ping() -> None:
    judge = new_judge()
    for tenth in range(1000):
        now = tenth / 10
        if judge.wants_ping(now):
            judge.pinged(now)
        assert not judge.look(now)
        judge.heard(now)
    assert judge.next_ping == math.inf, "there is no end to the pings that wait for an answer"
    # And yet it owes something, so it is judged as soon as it is silent.
    assert judge.look(99.9 + 8.0)
    assert judge.state is DOWN


def test_no_more_pings_wait_for_an_answer_than_the_limit() -> None:
    judge = new_judge(ping_every_s=0.01)
    asked: list[float] = []
    live(judge, asked.append, until=7.0)
    assert len(asked) == PINGS_MOST
    judge.answered(7.0)
    assert judge.wants_ping(7.0)


def test_bytes_from_a_suspect_clear_it() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.look(5.0)
    assert judge.heard(6.0)
    assert (judge.state, judge.since) == (UP, 6.0)
    assert not judge.heard(6.1)


@pytest.mark.parametrize("reason", [PeerReason.REFUSED, PeerReason.LEFT, PeerReason.UNKNOWN])
def test_a_killed_peer_is_down_as_soon_as_the_network_says_so(reason: PeerReason) -> None:
    judge = new_judge()
    live(judge, after(0.01), until=10.0)
    assert judge.unreachable(10.1, reason)
    assert (judge.state, judge.reason, judge.since) == (DOWN, reason, 10.1)
    assert not judge.unreachable(11.0, reason)


def test_the_reason_of_a_peer_that_is_down_is_the_latest_and_since_stays() -> None:
    judge = new_judge()
    judge.unreachable(1.0, PeerReason.RESET)
    assert judge.unreachable(2.0, PeerReason.REFUSED)
    assert (judge.reason, judge.since) == (PeerReason.REFUSED, 1.0)


# -- our own stalls --------------------------------------------------------------------------


def stalled_node(tells: bool) -> Judge:
    """A node that was held up for 20 seconds just after a ping, with the answer unread."""
    judge = new_judge()
    live(judge, after(0.01), until=10.5)
    judge.pinged(11.0)
    if tells:
        judge.late(31.0, 20.0)
    judge.look(31.0)
    return judge


def test_our_own_stall_is_not_the_silence_of_the_peer() -> None:
    assert stalled_node(tells=False).state is DOWN
    judge = stalled_node(tells=True)
    assert judge.state is UP
    assert not judge.answered(31.0)


def test_a_stall_adds_to_the_time_and_does_not_begin_it_anew() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.look(5.0)
    judge.late(9.0, 2.0)
    assert judge.next_look == 10.0
    assert judge.look(10.0)
    assert judge.state is DOWN


def test_a_stall_from_before_the_silence_counts_for_as_long_as_it_overlaps() -> None:
    judge = new_judge()
    judge.pinged(10.0)
    judge.late(14.0, 14.0)
    judge.look(18.0)
    assert judge.next_look == 14.0 + 8.0


def test_a_stall_told_twice_counts_once() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.look(5.0)
    for _ in range(5):
        judge.late(6.0, 3.0)
    assert judge.next_look == 11.0


@pytest.mark.parametrize("known_s", [5.5, 30.0])
def test_a_gap_with_our_own_stall_in_it_teaches_nothing(known_s: float) -> None:
    judge, plain = new_judge(down_after_s=100.0), new_judge(down_after_s=100.0)
    live(judge, after(0.0), until=29.5)
    judge.late(34.5, known_s)
    live(plain, after(0.0), until=29.5)
    for one, now in ((judge, 35.0), (plain, 30.0)):
        one.pinged(now)
        one.answered(now)
        one.pinged(now + 1.0)
    assert judge.next_look - 36.0 == pytest.approx(plain.next_look - 31.0, abs=0.5)


# -- down and back ---------------------------------------------------------------------------


def test_nothing_but_a_new_connection_brings_a_peer_back() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.look(8.0)
    assert not judge.answered(8.1)
    assert not judge.heard(8.2)
    judge.pinged(8.3)
    assert not judge.answered(8.4)
    judge.pinged(8.5)
    assert not judge.look(13.0)
    assert judge.state is DOWN
    assert (judge.next_ping, judge.next_look) == (math.inf, math.inf)
    assert judge.returned(9.0)
    assert (judge.state, judge.reason, judge.since) == (UP, None, 9.0)
    assert judge.wants_ping(9.0)


def test_a_peer_that_has_returned_is_judged_as_a_new_one() -> None:
    judge = new_judge()
    live(judge, held([(at, at + 3.5) for at in range(10, 100, 5)]), until=100.0, lag_s=2.0)
    judge.unreachable(100.0, PeerReason.RESET)
    judge.returned(200.0)
    new = new_judge(now=200.0)
    assert judge.lag_s == 0.0
    for one in (judge, new):
        live(one, after(0.0), until=203.5)
        one.pinged(204.0)
    assert judge.next_look == new.next_look


def test_a_return_of_one_that_was_not_down_has_no_effect() -> None:
    judge = new_judge()
    judge.pinged(0.0)
    judge.look(5.0)
    assert not judge.returned(5.0)
    assert (judge.state, judge.next_look) == (SUSPECT, 8.0)


def test_pauses_double_up_to_the_limit_and_begin_anew_with_a_return() -> None:
    judge = Judge(HealthLimits(), 0.0, lambda: 1.0)
    judge.unreachable(0.0, PeerReason.REFUSED)
    wanted = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert [judge.pause_s() for _ in wanted] == wanted
    judge.returned(1.0)
    assert judge.pause_s() == PAUSE_FIRST_S


def test_a_pause_is_between_half_a_bound_and_the_whole() -> None:
    luck = Random(3)
    judge = Judge(HealthLimits(backoff_most_s=0.2), 0.0, luck.random)
    pauses = [judge.pause_s() for _ in range(1000)]
    assert 0.1 <= min(pauses) < 0.11
    assert 0.19 < max(pauses) <= 0.2


# -- properties over seeds -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(300))
def test_a_peer_is_down_only_after_the_whole_time_without_life_or_stall(seed: int) -> None:
    luck = Random(seed)
    down_after_s = luck.choice((2.0, 8.0, 20.0))
    judge = new_judge(ping_every_s=luck.choice((0.2, 1.0, 3.0)), down_after_s=down_after_s)
    now = silence_s = 0.0
    # The silence since the peer owes something, without our own stalls.
    waiting = 0
    # Pings without an answer.
    for _ in range(300):
        step_s = luck.expovariate(1.0)
        now += step_s
        if luck.random() < 0.1:
            judge.late(now, step_s)
        elif waiting:
            silence_s += step_s
        choice = luck.random()
        if choice < 0.4:
            if judge.wants_ping(now):
                judge.pinged(now)
                waiting += 1
        elif choice < 0.6:
            if luck.random() < 0.7:
                judge.answered(now)
                waiting = max(0, waiting - 1)
            else:
                judge.heard(now)
            silence_s = 0.0
            assert judge.state is UP
            assert (judge.next_look == math.inf) is (waiting == 0)
        else:
            judge.look(now)
            # By a hair both verdicts are right.
            if abs(silence_s - down_after_s) > 1e-6:
                assert (judge.state is DOWN) is (silence_s > down_after_s)
        if judge.state is DOWN:
            assert judge.reason is PeerReason.TIMEOUT
            assert judge.returned(now)
            silence_s, waiting = 0.0, 0


@pytest.mark.parametrize("seed", range(100))
def test_gaps_under_the_limit_never_end_a_peer(seed: int) -> None:
    luck = Random(seed)
    periods = []
    at = 0.0
    while at < 450.0:
        at += luck.uniform(0.0, 20.0)
        periods.append((at, at + luck.uniform(0.0, 7.9)))
        at = periods[-1][1]
    changes = live(new_judge(), held(periods), until=500.0)
    assert DOWN not in [state for _, state in changes]
    assert [state for _, state in changes] == [SUSPECT, UP] * (len(changes) // 2)


# -- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ping_every_s", "down_after_s", "backoff_most_s"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, BadInput), (-1.0, BadInput), (math.inf, BadInput), (math.nan, BadInput), (2e6, BadInput),
     ("1", TypeError), (None, TypeError), (True, TypeError)],
)  # fmt: skip
def test_limits_are_checked(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        HealthLimits(**{name: value})
