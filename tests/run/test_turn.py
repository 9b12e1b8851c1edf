"""A turn: system lane first, then at most a budget of messages; who blocks holds up nobody."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime


@pytest.mark.parametrize("budget", [1, 2, 7])
def test_budget_is_the_number_of_messages_in_a_turn(budget: int) -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append, budget)
    for number in range(10):
        rt.send(pid, number)
    seen = 0
    while rt.step():
        assert len(got) - seen <= budget
        seen = len(got)
    assert got == list(range(10))


def test_an_actor_that_never_comes_to_rest_does_not_starve_the_others() -> None:
    rt, got = SimRuntime(), []

    def restless(message: bytes) -> None:
        rt.send(rt.self_pid(), message)

    rt.send(rt.spawn(restless, 5), b"")
    pid = rt.spawn(got.append)
    rt.send(pid, b"mine")
    for _ in range(100):
        rt.step()
    assert got == [b"mine"]


def test_what_a_handler_sends_itself_waits_for_the_messages_before_it() -> None:
    rt, got = SimRuntime(), []

    def handler(message: Any) -> None:
        got.append(message)
        if message == "first":
            rt.send(rt.self_pid(), "own")

    pid = rt.spawn(handler)
    rt.send(pid, "first")
    rt.send(pid, "second")
    rt.run_until_idle()
    assert got == ["first", "second", "own"]


def test_system_messages_come_before_user_messages_that_wait() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append, trap_exit=True)
    partner = rt.spawn(len)
    rt.link(pid, partner)
    rt.stop(partner)
    while rt.is_alive(partner):
        rt.send(pid, b"user")
        rt.step()
        got.clear()
    rt.send(pid, b"user")
    rt.run_until_idle()
    assert got[0].type_name == "EXIT"


def test_a_handler_that_blocks_lets_other_actors_go_on() -> None:
    rt, got = SimRuntime(), []
    blocked, other = rt.spawn(lambda message: rt.sleep(10)), rt.spawn(got.append)
    rt.send(blocked, b"")
    rt.run_until_idle()
    rt.send(other, b"meanwhile")
    rt.run_until_idle()
    assert got == [b"meanwhile"]


def test_a_blocked_actor_keeps_its_later_messages_queued() -> None:
    rt, got = SimRuntime(), []

    def handler(message: bytes) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn(handler)
    for message in (b"a", b"b", b"c"):
        rt.send(pid, message)
    rt.run_until_idle()
    assert (got, rt.mailbox_size(pid)) == ([], 2)
    rt.advance(1)
    assert (got, rt.mailbox_size(pid)) == ([b"a"], 1)
    rt.advance(2)
    assert (got, rt.mailbox_size(pid)) == ([b"a", b"b", b"c"], 0)


def test_two_thousand_handlers_may_block_at_once() -> None:
    rt, done = SimRuntime(), []

    def handler(message: bytes) -> None:
        rt.sleep(1)
        done.append(message)

    for _ in range(2000):
        rt.send(rt.spawn(handler), b"")
    rt.run_until_idle()
    assert rt.stats()["running"] == 2000
    rt.advance(1)
    assert len(done) == 2000


def test_pause_gives_way_inside_a_handler() -> None:
    rt, log = SimRuntime(), []

    def long_work(message: bytes) -> None:
        for part in range(50):
            log.append(part)
            iris.pause()

    rt.send(rt.spawn(long_work), b"")
    rt.send(rt.spawn(log.append), "other")
    rt.run_until_idle()
    assert log[-1] == 49
    assert "other" in log


def test_the_result_of_a_handler_is_ignored() -> None:
    rt, got = SimRuntime(), []

    class Junk:
        def __bool__(self) -> bool:
            raise ValueError("nobody should look at me")

        __eq__ = __bool__  # type: ignore[assignment]
        __hash__ = None  # type: ignore[assignment]

    def handler(message: bytes) -> Any:
        got.append(message)
        return Junk()

    pid = rt.spawn(handler)
    rt.send(pid, b"a")
    rt.send(pid, b"b")
    rt.run_until_idle()
    assert got == [b"a", b"b"]
    assert rt.is_alive(pid)


def test_the_seed_decides_the_order_of_turns_and_the_same_seed_decides_it_alike() -> None:
    def order(seed: int) -> list[int]:
        rt, log = SimRuntime(seed=seed), []
        for number in range(10):
            rt.send(rt.spawn(log.append), number)
        rt.run_until_idle()
        return log

    assert order(1) == order(1)
    assert sorted(order(1)) == list(range(10))
    assert len({tuple(order(seed)) for seed in range(20)}) > 10
