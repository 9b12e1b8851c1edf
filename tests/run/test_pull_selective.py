"""`selective_recv`: the first message that matches, and the others left as they are."""

from __future__ import annotations

import pytest

import iris
from iris.testing import SimRuntime

from .actors import pull


def test_selective_recv_takes_the_first_match_and_leaves_the_rest_in_order() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append(mailbox.selective_recv(lambda number: number % 5 == 4))
        got.append(mailbox.selective_recv(lambda number: number > 6))
        got.extend(mailbox.recv(0) for _ in range(9))

    pull(rt, body, *range(10))
    assert got == [4, 7, 0, 1, 2, 3, 5, 6, 8, 9, None]


def test_selective_recv_waits_for_a_match() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append(mailbox.selective_recv(lambda message: message == b"yes"))
        got.append(mailbox.recv())

    pid = pull(rt, body, b"no")
    assert (got, rt.mailbox_size(pid)) == ([], 1)
    rt.send(pid, b"yes")
    rt.run_until_idle()
    assert got == [b"yes", b"no"]


def test_selective_recv_gives_none_at_its_timeout_and_leaves_all_messages() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append((mailbox.selective_recv(lambda message: False, timeout=2.0), rt.now))
        got.extend([mailbox.recv(), mailbox.recv()])

    pull(rt, body, b"a", b"b")
    rt.advance(3)
    assert got == [(None, 2.0), b"a", b"b"]


def test_selective_recv_with_timeout_zero_looks_once() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append(mailbox.selective_recv(lambda message: message == b"b", 0))
        got.append(mailbox.selective_recv(lambda message: message == b"c", 0))
        got.append(mailbox.recv(0))

    pid = rt.spawn_with_mailbox(body)
    for message in (b"a", b"b"):
        rt.send(pid, message)
    rt.run_until_idle()
    assert got == [b"b", None, b"a"]


def test_after_a_batch_was_begun_selective_recv_sees_the_rest_of_it_and_what_came_later() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append(mailbox.recv())
        rt.sleep(1)
        got.append(mailbox.selective_recv(lambda number: number == 4))
        got.append(mailbox.selective_recv(lambda number: number == 2))
        got.extend(mailbox.recv(0) for _ in range(4))

    pid = pull(rt, body, 0, 1, 2)
    for number in (3, 4):
        rt.send(pid, number)
    rt.advance(1)
    assert got == [0, 4, 2, 1, 3, None, None]


def test_waiting_over_a_hundred_thousand_messages_calls_the_matcher_once_for_each() -> None:
    rt, calls = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        mailbox.selective_recv(lambda message: calls.append(1) or message == b"yes")

    pid = rt.spawn_with_mailbox(body)
    for _ in range(100):
        for _ in range(1000):
            rt.send(pid, b"no")
        rt.run_until_idle()
    rt.send(pid, b"yes")
    rt.run_until_idle()
    assert len(calls) == 100_001
    assert rt.stats()["handled"] == 1


def test_a_matcher_that_raises_changes_nothing_and_its_error_reaches_the_caller() -> None:
    rt, got = SimRuntime(), []

    def raises_at_b(message: bytes) -> bool:
        if message == b"b":
            raise ValueError("matcher")
        return False

    def body(mailbox: iris.PyMailbox) -> None:
        for _ in range(3):
            with pytest.raises(ValueError, match="matcher"):
                mailbox.selective_recv(raises_at_b)
        got.extend(mailbox.recv(0) for _ in range(4))

    pull(rt, body, b"a", b"b", b"c")
    assert got == [b"a", b"b", b"c", None]


def test_a_matcher_may_stop_its_own_actor() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.selective_recv(lambda message: rt.stop(rt.self_pid())))

    pid = pull(rt, body, b"a", b"b")
    assert got == [b"a", None]
    assert not rt.is_alive(pid)
    assert (rt.stats()["handled"], rt.stats()["expired"]) == (1, 1)


def test_selective_recv_gives_system_messages_whatever_the_matcher_says() -> None:
    rt, got = SimRuntime(), []
    pid = pull(rt, lambda mailbox: got.append(mailbox.selective_recv(lambda message: False)))
    partner = rt.spawn(len)
    rt.link(pid, partner)
    rt.stop(partner)
    rt.run_until_idle()
    assert [message.type_name for message in got] == ["EXIT"]


def test_a_swap_is_told_to_selective_recv_too() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append(mailbox.selective_recv(lambda message: message == b"x"))
        got.append(mailbox.selective_recv(lambda message: message == b"x"))

    pid = pull(rt, body, b"a", b"b")
    rt.hot_swap(pid, bool)
    rt.send(pid, b"x")
    rt.run_until_idle()
    assert [getattr(message, "type_name", message) for message in got] == ["HOT_SWAP", b"x"]
