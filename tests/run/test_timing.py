"""Timers: when their messages come, that they do not drift or burst, and when they end."""

from __future__ import annotations

import threading
import time

import pytest

import iris
from iris.testing import SimRuntime


def test_send_after_sends_once_when_its_time_has_come() -> None:
    rt, got = SimRuntime(), []
    rt.send_after(rt.spawn(got.append), 200, b"tick")
    rt.advance(0.199)
    assert got == []
    rt.advance(0.001)
    assert got == [b"tick"]
    rt.advance(100)
    assert got == [b"tick"]


def test_send_after_zero_sends_soon_and_not_within_the_call() -> None:
    rt, got = SimRuntime(), []
    rt.send_after(rt.spawn(got.append), 0, b"tick")
    assert got == []
    rt.advance(0)
    assert got == [b"tick"]


def test_fractions_of_a_millisecond_count() -> None:
    rt, times = SimRuntime(), []
    rt.send_after(rt.spawn(lambda message: times.append(rt.now)), 0.25, b"")
    rt.advance(1)
    assert times == [0.00025]


def test_timers_fire_in_the_order_of_their_times() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    for delay_ms in (30, 10, 20):
        rt.send_after(pid, delay_ms, delay_ms)
    rt.advance(1)
    assert got == [10, 20, 30]


def test_timers_of_the_same_time_fire_in_the_order_of_their_making() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    for number in range(100):
        rt.send_after(pid, 5, number)
    rt.advance(1)
    assert got == list(range(100))


def test_send_interval_sends_first_after_one_interval_and_then_again_and_again() -> None:
    rt, times = SimRuntime(), []
    rt.send_interval(rt.spawn(lambda message: times.append(round(rt.now, 9))), 250, b"beat")
    rt.advance(1.1)
    assert times == [0.25, 0.5, 0.75, 1.0]


def test_an_interval_does_not_drift_over_a_thousand_beats() -> None:
    rt, times = SimRuntime(), []
    rt.send_interval(rt.spawn(lambda message: times.append(rt.now)), 0.1, b"")
    rt.advance(0.10001)
    assert len(times) == 1000
    assert times[-1] == pytest.approx(0.1, abs=1e-9)


@pytest.mark.live
def test_a_late_interval_fires_once_and_not_in_a_burst() -> None:
    times: list[float] = []
    enough = threading.Event()

    def handler(message: bytes) -> None:
        if not times:
            # Keeps the carrier for twenty beats; a sleep may have been patched to give way.
            end = time.monotonic() + 0.2
            while time.monotonic() < end:
                pass
        times.append(time.monotonic())
        if len(times) == 5:
            enough.set()

    with iris.Runtime() as rt:
        rt.send_interval(rt.spawn(handler), 10, b"")
        assert enough.wait(30)
    assert times[4] - times[0] > 0.01


def test_cancel_timer_is_true_for_one_that_is_planned_and_then_it_does_not_fire() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    once, again = rt.send_after(pid, 10, b""), rt.send_interval(pid, 10, b"")
    assert rt.cancel_timer(once) is True
    assert rt.cancel_timer(once) is False
    assert rt.cancel_timer(again) is True
    rt.advance(1)
    assert got == []


def test_cancel_timer_is_false_for_one_that_fired_and_for_an_unknown_one() -> None:
    rt = SimRuntime()
    timer = rt.send_after(rt.spawn(len), 10, b"")
    rt.advance(0.01)
    assert rt.cancel_timer(timer) is False
    assert rt.cancel_timer(timer + 1000) is False


def test_an_interval_can_be_cancelled_from_its_own_beat() -> None:
    rt, got = SimRuntime(), []

    def handler(message: bytes) -> None:
        got.append(message)
        if len(got) == 3:
            assert rt.cancel_timer(timer)

    timer = rt.send_interval(rt.spawn(handler), 10, b"")
    rt.advance(10)
    assert len(got) == 3


def test_timers_end_with_their_actor() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    timers = [rt.send_after(pid, 10, b""), rt.send_interval(pid, 10, b"")]
    rt.stop(pid)
    rt.run_until_idle()
    assert [rt.cancel_timer(timer) for timer in timers] == [False, False]
    before = rt.stats()["sent"]
    rt.advance(1)
    assert rt.stats()["sent"] == before


@pytest.mark.parametrize("plan", ["send_after", "send_interval"])
def test_a_timer_for_an_ended_actor_never_fires(plan: str) -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.run_until_idle()
    timer = getattr(rt, plan)(pid, 10, b"")
    assert rt.cancel_timer(timer) is False
    rt.advance(1)
    assert rt.stats()["sent"] == 0


def test_timers_of_a_stopping_actor_are_sent_to_nobody() -> None:
    rt, got = SimRuntime(), []

    def handler(message: bytes) -> None:
        got.append(message)
        rt.sleep(1)

    pid = rt.spawn(handler)
    rt.send_after(pid, 500, b"late")
    rt.send(pid, b"first")
    rt.run_until_idle()
    rt.stop(pid)
    rt.advance(2)
    assert got == [b"first"]


def test_a_message_of_a_timer_comes_before_what_is_sent_after_it_fired() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    rt.send_after(pid, 10, "timer")
    rt.advance(0.01)
    rt.send(pid, "later")
    rt.run_until_idle()
    assert got == ["timer", "later"]


def test_a_timer_never_waits_at_a_full_blocking_mailbox_and_is_refused_and_counted() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_py_handler_bounded(lambda message: (rt.sleep(1), got.append(message)), 10, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send_after(pid, 10, "refused")
    rt.send(pid, "running")
    rt.run_until_idle()
    rt.send(pid, "queued")
    rt.advance(5)
    assert got == ["running", "queued"]
    assert rt.stats()["refused"] == 1


def test_cancelled_timers_never_fire_however_many_they_were() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    for _ in range(20):
        timers = [rt.send_after(pid, 1e9, b"") for _ in range(5000)]
        assert all(rt.cancel_timer(timer) for timer in timers)
    rt.advance(1e7)
    assert rt.stats()["sent"] == 0
