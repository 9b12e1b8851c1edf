"""What `send` promises: its answer, what arrives, in which order, and how often."""

from __future__ import annotations

import gc
import signal
from typing import Any

import pytest

import iris
from iris.testing import SimRuntime


def test_a_send_to_a_living_actor_is_true_and_its_message_is_handled_once() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    assert rt.send(pid, b"one") is True
    assert rt.quiesce()
    assert got == [b"one"]


def test_send_does_not_run_the_handler_itself() -> None:
    rt, got = SimRuntime(), []
    rt.send(rt.spawn(got.append), b"later")
    assert got == []


def test_a_send_to_a_pid_that_was_never_given_is_false_and_undeliverable() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.send(pid + 1, b"") is False
    assert rt.send(pid ^ (1 << 40), b"") is False
    assert rt.stats()["undeliverable"] == rt.stats()["sent"] == 2


def test_a_send_to_an_ended_actor_is_false_and_undeliverable() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.run_until_idle()
    assert rt.send(pid, b"") is False
    assert rt.stats()["undeliverable"] == 1


def test_a_send_is_false_from_the_stop_on_although_the_actor_still_lives() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(1))
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.stop(pid)
    assert rt.is_alive(pid)
    assert rt.send(pid, b"late") is False
    assert rt.stats()["undeliverable"] == 1


def test_bytes_arrive_as_the_object_that_was_sent() -> None:
    rt, got = SimRuntime(), []
    message = bytes(100_000)
    rt.send(rt.spawn(got.append), message)
    rt.run_until_idle()
    assert got[0] is message


@pytest.mark.parametrize("wrap", [bytearray, lambda data: memoryview(bytearray(data))])
def test_a_buffer_that_may_change_is_copied_to_bytes_at_the_door(wrap: Any) -> None:
    rt, got = SimRuntime(), []
    buffer = wrap(b"before")
    rt.send(rt.spawn(got.append), buffer)
    buffer[:6] = b"after!"
    rt.run_until_idle()
    assert got == [b"before"]
    assert type(got[0]) is bytes


@pytest.mark.parametrize("wrap", [bytearray, lambda data: memoryview(bytearray(data))])
def test_a_buffer_in_a_timer_is_copied_when_the_timer_is_made(wrap: Any) -> None:
    rt, got = SimRuntime(), []
    buffer = wrap(b"before")
    rt.send_after(rt.spawn(got.append), 10, buffer)
    buffer[:6] = b"after!"
    rt.advance(0.01)
    assert got == [b"before"]
    assert type(got[0]) is bytes


@pytest.mark.parametrize("message", ["text", 7, None, [1], {"a": 1}, object(), lambda: None])
def test_any_other_object_passes_by_reference(message: Any) -> None:
    rt, got = SimRuntime(), []
    rt.send(rt.spawn(got.append), message)
    rt.run_until_idle()
    assert len(got) == 1
    assert got[0] is message


def test_messages_of_one_sender_arrive_in_order() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append, 7)
    for number in range(1000):
        rt.send(pid, number)
    rt.run_until_idle()
    assert got == list(range(1000))


def test_order_holds_for_a_sender_that_is_an_actor_and_sends_between_its_turns() -> None:
    rt, got = SimRuntime(seed=3), []
    target = rt.spawn(got.append, 2)
    sender = rt.spawn(lambda number: rt.send(target, number), 3)
    for number in range(200):
        rt.send(sender, number)
    rt.run_until_idle()
    assert got == list(range(200))


def test_order_holds_while_the_receiver_blocks_in_each_message() -> None:
    rt, got = SimRuntime(), []

    def slow(number: int) -> None:
        rt.sleep(0.001)
        got.append(number)

    pid = rt.spawn(slow)
    for number in range(50):
        rt.send(pid, number)
        rt.advance(0.0004)
    rt.advance(1)
    assert got == list(range(50))


def test_a_handler_never_runs_twice_at_the_same_time() -> None:
    rt, inside, most = SimRuntime(), [], []

    def handler(message: bytes) -> None:
        inside.append(1)
        most.append(len(inside))
        rt.sleep(0.01)
        inside.pop()

    pid = rt.spawn(handler)
    for _ in range(20):
        rt.send(pid, b"")
        rt.run_until_idle()
    rt.advance(1)
    assert most == [1] * 20


def test_an_actor_may_send_to_itself() -> None:
    rt, got = SimRuntime(), []

    def count_down(number: int) -> None:
        got.append(number)
        if number:
            assert rt.send(rt.self_pid(), number - 1)

    rt.send(rt.spawn(count_down), 3)
    rt.run_until_idle()
    assert got == [3, 2, 1, 0]


def test_an_object_may_send_from_its_finaliser() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)

    class Farewell:
        def __del__(self) -> None:
            rt.send(pid, b"gone")

    Farewell()
    gc.collect()
    rt.run_until_idle()
    assert got == [b"gone"]


@pytest.mark.live
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="a platform without timer signals")
def test_a_signal_handler_may_send_in_the_middle_of_a_send() -> None:
    with iris.Runtime() as rt:
        got: list[bytes] = []
        answers: list[bool] = []
        pids = (rt.spawn(got.append), rt.spawn_py_handler_bounded(got.append, 100, 1_000_000))

        def ring(number: int, frame: Any) -> None:
            answers.extend(rt.send(pid, b"signal") for pid in pids)

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            for _ in range(20_000):
                answers.extend(rt.send(pid, b"message") for pid in pids)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert rt.quiesce(30)
        assert len(got) == len(answers)
        assert all(answers)
        assert rt.stats()["handled"] == rt.stats()["accepted"] == len(answers)


def test_send_named_reaches_the_holder_of_the_name() -> None:
    rt, got = SimRuntime(), []
    rt.register("keeper", rt.spawn(got.append))
    assert rt.send_named("keeper", b"x") is True
    assert rt.send_named("nobody", b"x") is False
    rt.run_until_idle()
    assert got == [b"x"]


def test_a_message_whose_handler_raised_is_not_delivered_again() -> None:
    rt, got = SimRuntime(), []

    def handler(message: bytes) -> None:
        got.append(message)
        raise ValueError(message)

    pid = rt.spawn(handler)
    rt.send(pid, b"bad")
    rt.send(pid, b"next")
    rt.run_until_idle()
    assert got == [b"bad"]
    assert (rt.stats()["failed"], rt.stats()["expired"]) == (1, 1)


# -- the stop word ---------------------------------------------------------------------------


def family(rt: SimRuntime, got: list[Any], bound: int = 0) -> tuple[int, int]:
    """A parent that keeps what it is sent, and its child."""
    parent = rt.spawn_py_handler_bounded(got.append, 10, bound) if bound else rt.spawn(got.append)
    return parent, rt.spawn_child(parent, len)


def test_the_stop_word_ends_a_parent_as_normal_after_its_handler_has_seen_it() -> None:
    rt, got, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))
    parent, child = family(rt, got)
    assert rt.send(parent, b"quit") is True
    rt.run_until_idle()
    assert got == [b"quit"]
    assert ends == [(child, "Killed"), (parent, "Normal")]


def test_messages_before_the_stop_word_are_handled_and_later_ones_are_not() -> None:
    rt, got = SimRuntime(), []
    parent, _ = family(rt, got)
    rt.send(parent, b"before")
    rt.send(parent, b"quit")
    rt.send(parent, b"after")
    rt.run_until_idle()
    assert got == [b"before", b"quit"]
    assert rt.stats()["expired"] == 1


def test_the_stop_word_is_a_plain_message_to_an_actor_without_children() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    rt.send(pid, b"quit")
    rt.run_until_idle()
    assert got == [b"quit"]
    assert rt.is_alive(pid)


def test_the_stop_word_is_a_plain_message_to_one_whose_children_have_ended() -> None:
    rt, got = SimRuntime(), []
    parent, child = family(rt, got)
    rt.stop(child)
    rt.run_until_idle()
    rt.send(parent, b"quit")
    rt.run_until_idle()
    assert rt.is_alive(parent)


def test_the_stop_word_from_an_actor_ends_the_parent_in_its_name() -> None:
    rt = SimRuntime()
    watcher = rt.spawn_observed_handler()
    parent, _ = family(rt, [])
    rt.monitor(watcher, parent)
    sender = rt.spawn(lambda message: rt.send(parent, b"quit"))
    rt.send(sender, b"")
    rt.run_until_idle()
    (down,) = rt.get_messages(watcher)
    assert (down.reason, down.from_pid, down.target_pid) == ("Normal", sender, parent)


@pytest.mark.parametrize("word", [b"Quit", "quit", b"quit ", bytearray(b"quit!")])
def test_only_the_word_itself_is_the_stop_word(word: Any) -> None:
    rt, got = SimRuntime(), []
    parent, _ = family(rt, got)
    rt.send(parent, word)
    rt.run_until_idle()
    assert rt.is_alive(parent)


def test_another_stop_word_may_be_chosen() -> None:
    rt, got = SimRuntime(stop_word=b"enough"), []
    parent, _ = family(rt, got)
    rt.send(parent, b"quit")
    rt.run_until_idle()
    assert rt.is_alive(parent)
    rt.send(parent, b"enough")
    rt.run_until_idle()
    assert not rt.is_alive(parent)


@pytest.mark.parametrize("message", [b"quit", None])
def test_stop_word_none_turns_it_off(message: Any) -> None:
    rt, got = SimRuntime(stop_word=None), []
    parent, _ = family(rt, got)
    rt.send(parent, message)
    rt.run_until_idle()
    assert got == [message]
    assert rt.is_alive(parent)


def test_a_message_that_cannot_be_compared_reaches_a_parent_like_any_other() -> None:
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("the truth value of an array is ambiguous")

        __hash__ = None  # type: ignore[assignment]

    rt, got = SimRuntime(), []
    parent, _ = family(rt, got)
    assert rt.send(parent, Array()) is True
    rt.run_until_idle()
    assert len(got) == 1
    assert rt.stats()["handled"] == rt.stats()["accepted"] == 1


@pytest.mark.parametrize("policy", ["dropold", "spill", "block"])
def test_the_stop_word_works_on_a_full_bounded_parent(policy: str) -> None:
    rt, got = SimRuntime(), []
    parent, _ = family(rt, got, bound=1)
    rt.set_overflow_policy(parent, policy, rt.spawn(len) if policy == "spill" else None)
    rt.send(parent, b"full")
    assert rt.send(parent, b"quit") is True
    rt.run_until_idle()
    assert got[-1] == b"quit"
    assert not rt.is_alive(parent)
