"""The policy `block`: who waits in front of a full mailbox, in which order, and who wakes them."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import held


def test_block_waits_until_there_is_room() -> None:
    rt, got = SimRuntime(), []
    pid = held(rt, got, 1)
    assert all(rt.send(pid, number) for number in range(4))
    assert rt.now == 2
    rt.advance(10)
    assert got == [0, 1, 2, 3]


def test_an_actor_that_waits_at_a_full_mailbox_lets_others_go_on() -> None:
    rt, got, log = SimRuntime(), [], []
    pid = held(rt, got, 1)
    rt.send(pid, "running")
    rt.run_until_idle()
    rt.send(pid, "queued")
    sender = rt.spawn(lambda message: log.append(rt.send(pid, "waits")))
    other = rt.spawn(log.append)
    rt.send(sender, b"")
    rt.run_until_idle()
    rt.send(other, "meanwhile")
    rt.run_until_idle()
    assert log == ["meanwhile"]
    rt.advance(1)
    assert log == ["meanwhile", True]


def waiting_senders(rt: SimRuntime, pid: int, log: list[Any], how_many: int) -> None:
    """Senders that wait in front of a mailbox with room for one, which is full."""
    rt.send(pid, "running")
    rt.run_until_idle()
    rt.send(pid, "queued")
    for number in range(how_many):
        sender = rt.spawn(lambda number: log.append((number, rt.send(pid, number))))
        rt.send(sender, number)
        rt.run_until_idle()
    assert log == []


def test_those_who_wait_are_admitted_in_the_order_in_which_they_came() -> None:
    rt, got, log = SimRuntime(), [], []
    pid = held(rt, got, 1)
    waiting_senders(rt, pid, log, 5)
    assert rt.mailbox_size(pid) == 1
    rt.advance(20)
    assert got == ["running", "queued", 0, 1, 2, 3, 4]
    assert log == [(number, True) for number in range(5)]


def test_an_actor_may_wait_at_a_mailbox_of_another_runtime() -> None:
    # Both runtimes give their first actors the same pid, which must confuse nobody.
    one, two = SimRuntime(), SimRuntime()
    got: list[Any] = []
    full = two.spawn_py_handler_bounded(got.append, 1, 1)
    two.set_overflow_policy(full, "block")
    two.send(full, "first")
    sender = one.spawn(lambda message: got.append(two.send(full, "second")))
    assert sender == full
    one.send(sender, b"")
    for rt in (one, two, one, two):
        rt.run_until_idle()
    assert [message for message in got if message is not True] == ["first", "second"]
    assert got.count(True) == 1


@pytest.mark.parametrize("how", ["stop", "panic", "shutdown"])
def test_the_end_of_the_actor_wakes_all_who_wait_with_false(how: str) -> None:
    rt, log = SimRuntime(), []

    def handler(message: Any) -> None:
        rt.sleep(1)
        raise ValueError("as it should")

    pid = rt.spawn_py_handler_bounded(handler, 10, 1)
    rt.set_overflow_policy(pid, "block")
    waiting_senders(rt, pid, log, 3)
    {
        "stop": lambda: rt.stop(pid),
        "panic": lambda: rt.advance(1),
        "shutdown": rt.shutdown,
    }[how]()
    rt.run_until_idle()
    assert sorted(log) == [(0, False), (1, False), (2, False)]


def test_a_sender_that_was_woken_by_the_end_counts_as_undeliverable() -> None:
    rt, log = SimRuntime(), []
    pid = held(rt, [], 1)
    waiting_senders(rt, pid, log, 3)
    rt.stop(pid)
    rt.advance(2)
    stats = rt.stats()
    assert (stats["undeliverable"], stats["expired"], stats["handled"]) == (3, 1, 4)
    assert stats["sent"] == stats["accepted"] + stats["undeliverable"]


@pytest.mark.parametrize("policy", ["dropnew", "dropold", "redirect", "spill"])
def test_a_change_of_policy_wakes_all_who_wait_and_they_try_anew(policy: str) -> None:
    rt, got, log, aside = SimRuntime(), [], [], []
    pid = held(rt, got, 1)
    waiting_senders(rt, pid, log, 3)
    needs_target = policy in ("redirect", "spill")
    rt.set_overflow_policy(pid, policy, rt.spawn(aside.append) if needs_target else None)
    rt.run_until_idle()
    assert sorted(log) == [(number, policy != "dropnew") for number in range(3)]
    rt.advance(20)
    expected = {
        "dropnew": (["running", "queued"], []),
        "dropold": (["running", 2], []),
        "redirect": (["running", "queued"], [0, 1, 2]),
        "spill": (["running", "queued", 0, 1, 2], [0, 1, 2]),
    }[policy]
    assert (len(got), sorted(aside)) == (len(expected[0]), expected[1])


def test_a_waiting_sender_that_is_stopped_and_interrupted_takes_its_message_back() -> None:
    rt, got = SimRuntime(shutdown_timeout_s=0.1), []
    pid = held(rt, got, 1)
    rt.send(pid, "running")
    rt.run_until_idle()
    rt.send(pid, "queued")
    parent = rt.spawn(len)
    sender = rt.spawn_child(parent, lambda message: rt.send(pid, "withdrawn"))
    rt.send(sender, b"")
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(20)
    assert got == ["running", "queued"]
    stats = rt.stats()
    assert stats["sent"] == stats["accepted"] + stats["refused"]


def test_an_actor_that_would_wait_for_itself_is_told_so() -> None:
    rt, errors = SimRuntime(), []

    def handler(message: bytes) -> None:
        if message != b"first":
            return
        rt.send(rt.self_pid(), b"fits")
        with pytest.raises(iris.WouldDeadlock, match=str(rt.self_pid())):
            rt.send(rt.self_pid(), b"waits for ever")
        errors.append(message)

    pid = rt.spawn_py_handler_bounded(handler, 10, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, b"first")
    rt.step()
    assert errors == [b"first"]


def test_senders_that_would_wait_for_each_other_are_told_so_at_once() -> None:
    rt, log = SimRuntime(), []
    pids: dict[str, int] = {}

    def handler(whom: str) -> None:
        try:
            log.append([rt.send(pids[whom], whom) for _ in range(3)])
        except iris.WouldDeadlock as error:
            log.append(str(error))
            rt.stop(rt.self_pid())

    for name in "ab":
        pids[name] = rt.spawn_py_handler_bounded(handler, 10, 1)
        rt.set_overflow_policy(pids[name], "block")
    rt.send(pids["a"], "b")
    rt.send(pids["b"], "a")
    rt.run_until_idle()
    assert [entry for entry in log if isinstance(entry, str)]
