"""Dead letters: which messages leave one, with what, and who is told of it."""

from __future__ import annotations

import dataclasses
import gc
import logging
from typing import Any, Callable

import pytest

import iris
from iris.run.log import IN_FULL, PER_LINE
from iris.run.undelivered import UNTOLD_MAX
from iris.testing import SimRuntime

from .actors import bounded, held


def gone(rt: SimRuntime) -> int:
    """The pid of an actor that has ended."""
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.run_until_idle()
    return pid


def facts(rt: SimRuntime) -> list[tuple[int, str, Any]]:
    """What is kept: (pid, reason, size)."""
    return [(one.pid, str(one.reason), one.message_size) for one in rt.dead_letters()]


# -- which messages --------------------------------------------------------------------------------


def test_a_send_to_nobody_leaves_a_letter_with_all_that_is_known_but_not_the_message() -> None:
    rt = SimRuntime()
    pid = gone(rt)
    rt.advance(2.5)
    assert rt.send(pid, b"secret") is False
    (letter,) = rt.dead_letters()
    assert letter == iris.DeadLetter(
        pid=pid,
        reason=iris.LetterReason.UNDELIVERABLE,
        sender=0,
        message_type="bytes",
        message_size=6,
        time_s=2.5,
    )
    assert b"secret" not in dataclasses.astuple(letter)


def test_a_letter_names_the_actor_that_has_sent_the_message() -> None:
    rt = SimRuntime()
    dead = gone(rt)
    sender = rt.spawn(lambda message: rt.send(dead, message))
    rt.send(sender, "x")
    rt.run_until_idle()
    assert [one.sender for one in rt.dead_letters()] == [sender]


def test_an_actor_of_another_runtime_is_no_sender_here() -> None:
    rt, other = SimRuntime(seed=1), SimRuntime(seed=2)
    dead = gone(rt)
    other.send(other.spawn(lambda message: rt.send(dead, message)), "x")
    other.run_until_idle()
    assert [one.sender for one in rt.dead_letters()] == [0]


def test_a_send_to_a_stopping_actor_is_undeliverable() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.send(pid, b"1")
    assert facts(rt) == [(pid, "undeliverable", 1)]


def test_what_was_queued_when_the_actor_ended_is_expired_and_in_its_order() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    for size in range(3):
        rt.send(pid, b"x" * size)
    rt.hot_swap(pid, repr)
    rt.send(pid, b"after")
    rt.stop(pid)
    rt.run_until_idle()
    assert facts(rt) == [(pid, "expired", size) for size in (0, 1, 2, 5)]
    assert {one.sender for one in rt.dead_letters()} == {0}


def test_what_a_bounded_mailbox_refuses_or_drops() -> None:
    rt, got = SimRuntime(), []
    full = bounded(rt, got, 1, "dropnew")
    lossy = bounded(rt, got, 1, "dropold")
    for pid in (full, lossy):
        rt.send(pid, b"1")
        rt.send(pid, b"22")
    assert facts(rt) == [(full, "refused", 2), (lossy, "dropped_old", 1)]


def test_the_copy_of_a_spill_is_a_letter_of_its_target() -> None:
    rt, got = SimRuntime(), []
    target = rt.spawn(len)
    pid = bounded(rt, got, 1, "spill", target)
    rt.stop(target)
    rt.run_until_idle()
    rt.send(pid, b"1")
    assert rt.send(pid, b"22") is True
    assert facts(rt) == [(target, "undeliverable", 2)]


def test_a_redirect_without_a_living_target_is_refused_where_it_was_full() -> None:
    rt, got = SimRuntime(), []
    target = rt.spawn(len)
    pid = bounded(rt, got, 1, "redirect", target)
    rt.stop(target)
    rt.run_until_idle()
    rt.send(pid, b"1")
    rt.send(pid, b"22")
    assert facts(rt) == [(pid, "refused", 2)]


def test_a_timer_that_meets_a_full_block_mailbox_leaves_a_letter_without_a_sender() -> None:
    rt = SimRuntime()
    pid = held(rt, [], 1)
    rt.send(pid, b"running")
    rt.run_until_idle()
    rt.send(pid, b"queued")
    rt.send_after(pid, 10, b"333")
    rt.advance(0.01)
    assert facts(rt) == [(pid, "refused", 3)]
    assert rt.dead_letters()[0].sender == 0


def to_all(rt: SimRuntime, pids: list[int], stop: int) -> Callable[[int], None]:
    """A handler that passes each message on to all, and stops one in the middle."""

    def handler(message: int) -> None:
        for pid in pids:
            rt.send(pid, message)
        if message == 12:
            rt.stop(stop)

    return handler


def test_each_letter_is_of_a_message_that_stats_has_counted_so() -> None:
    for seed in range(20):
        rt, got = SimRuntime(seed=seed, dead_letters_max=10_000), []
        pids = [bounded(rt, got, 2, policy) for policy in ("dropnew", "dropold")]
        pids += [rt.spawn(got.append), gone(rt)]

        sender = rt.spawn(to_all(rt, pids, stop=pids[seed % 3]), 3)
        for number in range(20):
            rt.send(sender, number)
        rt.run_until_idle()
        stats, kept = rt.stats(), rt.dead_letters()
        for reason in iris.LetterReason:
            assert len([one for one in kept if one.reason is reason]) == stats[str(reason)]


def test_handled_messages_and_system_messages_leave_none() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    rt.monitor(watcher, target)
    rt.send(target, b"")
    rt.run_until_idle()
    rt.stop(watcher)
    rt.stop(target)
    rt.run_until_idle()
    assert rt.dead_letters() == []


def test_a_mistaken_pid_raises_and_leaves_none() -> None:
    rt = SimRuntime()
    for pid in (None, "x", 0, -1):
        with pytest.raises((TypeError, iris.BadInput)):
            rt.send(pid, b"")  # type: ignore[arg-type]
    assert rt.dead_letters() == []


# -- how many --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "kept"), [(0, []), (2, [8, 9]), (1000, list(range(10)))])
def test_so_many_of_the_newest_are_kept_as_the_option_says(size: int, kept: list[int]) -> None:
    rt = SimRuntime(dead_letters_max=size)
    pid = gone(rt)
    for number in range(10):
        rt.send(pid, b"x" * number)
    assert [one.message_size for one in rt.dead_letters()] == kept
    assert rt.stats()["undeliverable"] == 10


def test_of_a_long_queue_that_expires_the_newest_are_kept() -> None:
    rt = SimRuntime(dead_letters_max=3)
    pid = rt.spawn(len)
    for number in range(1000):
        rt.send(pid, (0,) * number)
    rt.stop(pid)
    rt.run_until_idle()
    assert [one.message_size for one in rt.dead_letters()] == [997, 998, 999]
    assert rt.stats()["expired"] == 1000


# -- hooks -----------------------------------------------------------------------------------------


def test_a_hook_gets_each_letter_once_and_in_order_after_the_send_and_not_in_it() -> None:
    rt, got = SimRuntime(), []
    rt.add_hook("undelivered", got.append)
    pid = gone(rt)
    for number in range(250):
        rt.send(pid, b"x" * number)
    assert got == []
    rt.run_until_idle()
    assert got == rt.dead_letters()
    assert len(got) == 250


def test_the_option_on_undelivered_is_the_first_hook() -> None:
    heard: list[str] = []
    rt = SimRuntime(on_undelivered=lambda letter: heard.append(f"option {letter.reason}"))
    rt.add_hook("undelivered", lambda letter: heard.append("added"))
    rt.send(gone(rt), b"")
    rt.run_until_idle()
    assert heard == ["option undeliverable", "added"]


def test_hooks_are_called_although_none_are_kept() -> None:
    got: list[iris.DeadLetter] = []
    rt = SimRuntime(dead_letters_max=0, on_undelivered=got.append)
    pid = rt.spawn(len)
    rt.send(pid, b"1")
    rt.send(pid, b"22")
    rt.stop(pid)
    rt.run_until_idle()
    assert [one.message_size for one in got] == [1, 2]


def test_a_hook_that_sends_to_the_dead_itself_comes_to_an_end() -> None:
    rt, calls = SimRuntime(), []
    dead = gone(rt)

    def forward(letter: iris.DeadLetter) -> None:
        calls.append(letter)
        rt.send(dead, "about a letter")

    rt.add_hook("undelivered", forward)
    rt.send(dead, b"first")
    rt.run_until_idle()
    assert [one.message_type for one in calls] == ["bytes"]
    assert [one.message_type for one in rt.dead_letters()] == ["bytes", "str"]


def test_a_hook_that_raises_is_logged_and_the_next_letter_reaches_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rt, calls = SimRuntime(), []

    def fail(letter: iris.DeadLetter) -> None:
        calls.append(letter)
        raise ValueError("a hook's own")

    rt.add_hook("undelivered", fail)
    pid = gone(rt)
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.send(pid, b"")
    rt.run_until_idle()
    assert len(calls) == 2
    assert caplog.text.count("ValueError: a hook's own") == 2


def test_in_a_storm_the_hooks_miss_the_oldest_and_nothing_grows() -> None:
    rt, got = SimRuntime(), []
    rt.add_hook("undelivered", got.append)
    pid = gone(rt)
    for _ in range(UNTOLD_MAX + 5):
        rt.send(pid, b"")
    rt.send(pid, b"last")
    rt.run_until_idle()
    assert len(got) == UNTOLD_MAX
    assert got[-1].message_size == 4


def test_the_hooks_hear_of_what_a_shutdown_lets_expire() -> None:
    rt, got = SimRuntime(), []
    rt.add_hook("undelivered", lambda letter: got.append(str(letter.reason)))
    pid = rt.spawn(lambda message: rt.sleep(1))
    rt.send(pid, b"running")
    rt.run_until_idle()
    rt.send(pid, b"queued")
    rt.shutdown()
    assert got == ["expired"]


def test_a_hook_is_called_while_no_lock_of_the_runtime_is_held() -> None:
    rt, held = SimRuntime(), []
    lock = rt._system.table.lock
    rt.add_hook("undelivered", lambda letter: held.append(lock._is_owned()))
    pid = rt.spawn(len)
    rt.send(pid, b"")
    rt.stop(pid)
    rt.run_until_idle()
    with lock:
        rt.send(pid, b"as from a __del__ inside the lock")
        assert held == [False]
    rt.run_until_idle()
    assert held == [False, False]


# -- sends at odd moments --------------------------------------------------------------------------


def test_a_del_that_sends_to_nobody_while_letters_are_read_and_noted() -> None:
    rt = SimRuntime(dead_letters_max=8)
    dead = gone(rt)

    class Dying:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            rt.send(dead, b"__del__")

    for _ in range(500):
        Dying()
        rt.send(dead, Dying())
        rt.dead_letters()
    gc.collect()
    rt.run_until_idle()
    assert len(rt.dead_letters()) == 8
    assert rt.stats()["undeliverable"] > 500


# -- the log ---------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "iris")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "iris"]


def test_the_log_tells_type_address_and_fate_as_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rt = SimRuntime()
    pid = gone(rt)
    rt.send(pid, b"secret")
    assert caplog.records == []
    rt.run_until_idle()
    assert lines(caplog) == [
        f"a message of type bytes for actor {pid} was not handled: undeliverable"
    ]
    assert caplog.records[0].levelno == logging.INFO


def test_an_end_is_one_line_however_much_expires(caplog: pytest.LogCaptureFixture) -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    for _ in range(5000):
        rt.send(pid, "x")
    rt.stop(pid)
    rt.run_until_idle()
    assert lines(caplog) == [
        f"5000 messages, the latest of type str, for actor {pid} were not handled: expired"
    ]


def test_a_storm_is_some_lines_in_full_then_one_for_each_thousand_with_the_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rt = SimRuntime()
    pid = gone(rt)
    for _ in range(3 * PER_LINE + 1):
        rt.send(pid, b"")
        rt.run_until_idle()
    said = lines(caplog)
    assert len(said) == IN_FULL + 3
    assert said[-1].startswith(f"{3 * PER_LINE + 1} messages were not handled so far")


@pytest.mark.parametrize("policy", ["dropnew", "dropold"])
def test_what_a_policy_was_asked_to_do_is_no_news_to_the_log(
    caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    rt = SimRuntime()
    pid = bounded(rt, [], 1, policy)
    for _ in range(10):
        rt.send(pid, b"")
    rt.run_until_idle()
    assert len(rt.dead_letters()) == 9
    assert lines(caplog) == []


def test_a_shutdown_writes_no_line_for_what_it_lets_expire(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rt = SimRuntime()
    for _ in range(3):
        rt.send(rt.spawn(len), b"")
    rt.shutdown()
    assert lines(caplog) == []
