"""The policy `block`: who waits at a full mailbox, in which way, and what wakes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live


@pytest.fixture
def rt() -> Iterator[iris.Runtime]:
    with iris.Runtime() as runtime:
        yield runtime


class Full:
    """An actor whose handler holds at a gate, with a mailbox that is full behind it."""

    def __init__(self, rt: iris.Runtime, capacity: int = 2) -> None:
        self.rt = rt
        self.got: list[Any] = []
        self.gate = threading.Event()
        import gevent

        started = threading.Event()

        def handler(message: Any) -> None:
            started.set()
            while not self.gate.is_set():
                gevent.sleep(0.001)
            self.got.append(message)

        self.pid = rt.spawn_py_handler_bounded(handler, 1, capacity)
        rt.set_overflow_policy(self.pid, "block")
        assert rt.send(self.pid, "running")
        assert started.wait(60)
        for number in range(capacity):
            assert rt.send(self.pid, number)
        assert rt.mailbox_size(self.pid) == capacity


class Blocked:
    """Threads that each wait in one `send` to a full mailbox."""

    def __init__(self, full: Full, until: Callable[..., Any], count: int = 3) -> None:
        self.results: dict[int, Any] = {}
        self.threads = [
            threading.Thread(target=self._send, args=(full, number)) for number in range(count)
        ]
        for number, thread in enumerate(self.threads):
            thread.start()
            # They stand in line one after the other, so that their order can be checked.
            until(lambda number=number: waiting_at(full) == number + 1)

    def _send(self, full: Full, number: int) -> None:
        try:
            self.results[number] = full.rt.send(full.pid, f"blocked {number}")
        except BaseException as error:
            self.results[number] = error

    def join(self) -> dict[int, Any]:
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a sender was not woken"
        return self.results


def waiting_at(full: Full) -> int:
    """How many senders wait; nothing public tells, and a sleep instead would guess."""
    cell = full.rt._system.table.get(full.pid)
    return len(cell.admission.tickets)


def check_books(rt: iris.Runtime, **expected: int) -> None:
    assert rt.quiesce(60)
    stats = rt.stats()
    assert {name: stats[name] for name in expected} == expected
    assert stats["queued"] == stats["running"] == 0
    fates = ("handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost")
    assert stats["accepted"] == sum(stats[fate] for fate in fates)
    assert stats["sent"] == sum(
        stats[answer] for answer in ("accepted", "refused", "undeliverable", "redirected")
    )


def test_blocked_threads_go_on_in_their_order_when_there_is_room(
    rt: iris.Runtime, until: Callable[..., Any]
) -> None:
    full = Full(rt)
    blocked = Blocked(full, until)
    assert rt.mailbox_size(full.pid) == 2
    full.gate.set()
    assert blocked.join() == {0: True, 1: True, 2: True}
    check_books(rt, accepted=6, handled=6, refused=0)
    assert full.got == ["running", 0, 1, "blocked 0", "blocked 1", "blocked 2"]


def test_a_stop_wakes_every_waiter_with_false(rt: iris.Runtime, until: Callable[..., Any]) -> None:
    full = Full(rt)
    blocked = Blocked(full, until)
    assert rt.stop(full.pid)
    # At once, although the handler still runs.
    assert blocked.join() == dict.fromkeys(range(3), False)
    full.gate.set()
    assert rt.join(full.pid, 60)
    check_books(rt, accepted=3, handled=1, expired=2, undeliverable=3)


def test_a_crash_wakes_every_waiter_with_false(rt: iris.Runtime, until: Callable[..., Any]) -> None:
    full = Full(rt)
    blocked = Blocked(full, until)

    class Refusing(list):  # type: ignore[type-arg]
        def append(self, message: Any) -> None:
            raise ValueError("a crash")

    full.got = Refusing()
    full.gate.set()
    # The ended actor never makes room, so whoever is not told now waits for ever.
    assert blocked.join() == dict.fromkeys(range(3), False)
    assert rt.join(full.pid, 60)
    check_books(rt, accepted=3, failed=1, expired=2, undeliverable=3)


@pytest.mark.parametrize(
    ("policy", "answer", "books"),
    [
        ("dropnew", False, {"refused": 3, "accepted": 3, "handled": 3}),
        ("dropold", True, {"dropped_old": 3, "accepted": 6, "handled": 3}),
        ("spill", True, {"spilled": 3, "accepted": 9, "handled": 9}),
        ("redirect", True, {"redirected": 3, "accepted": 6, "handled": 6}),
    ],
)
def test_a_change_of_policy_wakes_every_waiter_to_try_anew(
    rt: iris.Runtime, until: Callable[..., Any], policy: str, answer: bool, books: dict[str, int]
) -> None:
    full = Full(rt)
    blocked = Blocked(full, until)
    overflow: list[Any] = []
    target = rt.spawn(overflow.append) if policy in ("spill", "redirect") else None
    rt.set_overflow_policy(full.pid, policy, target)
    assert blocked.join() == dict.fromkeys(range(3), answer)
    full.gate.set()
    check_books(rt, **books)
    if target is not None:
        assert sorted(overflow) == ["blocked 0", "blocked 1", "blocked 2"]


def test_block_chosen_again_lets_them_wait_on(rt: iris.Runtime, until: Callable[..., Any]) -> None:
    full = Full(rt)
    blocked = Blocked(full, until)
    rt.set_overflow_policy(full.pid, "block")
    until(lambda: waiting_at(full) == 3)
    full.gate.set()
    assert blocked.join() == {0: True, 1: True, 2: True}
    check_books(rt, accepted=6, handled=6)


def test_a_shutdown_wakes_every_waiter(until: Callable[..., Any]) -> None:
    rt = iris.Runtime()
    full = Full(rt)
    blocked = Blocked(full, until)
    # The handler holds in gevent, so the shutdown can interrupt it.
    assert rt.shutdown(1) == []
    assert blocked.join() == dict.fromkeys(range(3), False)


def test_a_stuck_handler_does_not_keep_waiters_after_a_shutdown(
    until: Callable[..., Any], hold: Any
) -> None:
    rt = iris.Runtime()
    started = threading.Event()

    def stuck(message: Any) -> None:
        started.set()
        hold.wait()

    pid = rt.spawn_py_handler_bounded(stuck, 1, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, 0)
    assert started.wait(60)
    rt.send(pid, 1)
    results: list[Any] = []
    sender = threading.Thread(target=lambda: results.append(rt.send(pid, 2)))
    sender.start()
    until(lambda: len(rt._system.table.get(pid).admission.tickets) == 1)
    try:
        assert rt.shutdown(0.5) == [pid]
        sender.join(60)
        assert results == [False]
    finally:
        hold.let_go()


def test_handlers_and_pull_actors_wait_without_holding_up_others(
    rt: iris.Runtime, until: Callable[..., Any]
) -> None:
    full = Full(rt)
    answers: list[Any] = []
    push = rt.spawn(lambda message: answers.append(rt.send(full.pid, message)))
    pull = rt.spawn_with_mailbox(lambda mailbox: answers.append(rt.send(full.pid, mailbox.recv())))
    rt.send(push, "from push")
    rt.send(pull, "from pull")
    until(lambda: waiting_at(full) == 2)
    others: list[int] = []
    other = rt.spawn(others.append)
    for number in range(100):
        rt.send(other, number)
    until(lambda: len(others) == 100)
    assert answers == []
    full.gate.set()
    check_books(rt, accepted=3 + 2 + 2 + 100, refused=0)
    assert answers == [True, True]
    assert sorted(full.got[3:]) == ["from pull", "from push"]


def test_a_handler_that_fills_its_own_mailbox_is_told_of_the_deadlock(rt: iris.Runtime) -> None:
    caught: list[BaseException] = []

    def handler(message: Any) -> None:
        if message != "first":
            return
        try:
            for number in range(3):
                rt.send(pid, number)
        except iris.WouldDeadlock as error:
            caught.append(error)

    pid = rt.spawn_py_handler_bounded(handler, 1, 2)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, "first")
    check_books(rt, accepted=3, handled=3)
    assert len(caught) == 1


def test_timers_and_redirects_never_wait(rt: iris.Runtime, until: Callable[..., Any]) -> None:
    full = Full(rt)
    rt.send_after(full.pid, 0, "timed")
    until(lambda: rt.stats()["refused"] == 1)
    other = Full(rt)
    rt.set_overflow_policy(other.pid, "redirect", full.pid)
    assert rt.send(other.pid, "redirected") is False
    full.gate.set()
    other.gate.set()
    check_books(rt, refused=2, redirected=1, accepted=6, handled=6)


def test_a_storm_of_blocked_threads_loses_nothing(rt: iris.Runtime) -> None:
    got: list[tuple[int, int]] = []
    pid = rt.spawn_py_handler_bounded(got.append, 3, 2)
    rt.set_overflow_policy(pid, "block")
    answers: list[bool] = []

    def sender(key: int) -> None:
        answers.extend(rt.send(pid, (key, number)) for number in range(300))

    threads = [threading.Thread(target=sender, args=(key,)) for key in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive()
    check_books(rt, accepted=2400, handled=2400, refused=0)
    assert answers == [True] * 2400
    for key in range(8):
        assert [number for owner, number in got if owner == key] == list(range(300))


@pytest.mark.parametrize("times", [20])
def test_stops_that_race_with_waiting_senders_leave_nobody_waiting(
    rt: iris.Runtime, times: int
) -> None:
    for _ in range(times):
        pid = rt.spawn_py_handler_bounded(lambda message: None, 1, 1)
        rt.set_overflow_policy(pid, "block")

        def sender(pid: int = pid) -> None:
            while rt.send(pid, b""):
                pass

        threads = [threading.Thread(target=sender) for _ in range(4)]
        for thread in threads:
            thread.start()
        rt.stop(pid)
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a sender was not woken"
        assert rt.join(pid, 60)
    check_books(rt)


GREENLETS = """
    import gevent
    import iris

    rt = iris.Runtime(HUB)
    got = []
    held = True

    def handler(message):
        while held:
            gevent.sleep(0.001)
        got.append(message)

    pid = rt.spawn_py_handler_bounded(handler, 1, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, 0)
    while rt.mailbox_size(pid):
        gevent.sleep(0.001)
    rt.send(pid, 1)

    def tickets():
        return len(rt._system.table.get(pid).admission.tickets)

    # One is given up by a timeout, one is killed, two wait on.
    outcome = {}

    def sender(key, timeout_s=None):
        try:
            with gevent.Timeout(timeout_s):
                outcome[key] = rt.send(pid, key)
        except gevent.Timeout:
            outcome[key] = "timeout"
        except gevent.GreenletExit:
            outcome[key] = "killed"

    greenlets = [gevent.spawn(sender, key) for key in "abc"]
    greenlets.append(gevent.spawn(sender, "d", 0.02))
    ticks = 0
    while tickets() < 4 and "d" not in outcome:
        gevent.sleep(0)
    while "d" not in outcome:
        gevent.sleep(0.001)
        ticks += 1
    assert ticks, "the hub stood still"
    assert outcome == {"d": "timeout"}, outcome
    greenlets[1].kill()
    assert outcome == {"d": "timeout", "b": "killed"}, outcome
    assert tickets() == 2
    held = False
    gevent.joinall(greenlets, timeout=60, raise_error=True)
    assert outcome == {"d": "timeout", "b": "killed", "a": True, "c": True}, outcome
    assert rt.quiesce(60)
    assert got == [0, 1, "a", "c"], got
    stats = rt.stats()
    books = [stats[name] for name in ("accepted", "handled", "refused", "sent")]
    assert books == [4, 4, 2, 6], stats
    print(rt.shutdown(20))
"""


@pytest.mark.parametrize("hub", ["", "hub='current'"])
def test_greenlets_wait_while_their_hub_goes_on_and_can_give_up(
    script: Callable[..., Any], hub: str
) -> None:
    script(GREENLETS.replace("HUB", hub)).check("[]")


def test_ctrl_c_in_a_blocked_send_leaves_the_books_right(script: Callable[..., Any]) -> None:
    """The signal comes while the main thread waits; the message is refused, and counted so."""
    script("""
        import os, signal, threading, time
        import iris

        rt = iris.Runtime()
        gate = threading.Event()
        got = []

        def handler(message):
            gate.wait(60)
            got.append(message)

        pid = rt.spawn_py_handler_bounded(handler, 1, 1)
        rt.set_overflow_policy(pid, "block")
        rt.send(pid, 0)
        while rt.mailbox_size(pid):
            time.sleep(0.001)
        rt.send(pid, 1)

        def interrupt():
            while not rt._system.table.get(pid).admission.tickets:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        try:
            rt.send(pid, "interrupted")
        except KeyboardInterrupt:
            print("interrupted")
        assert not rt._system.table.get(pid).admission.tickets
        gate.set()
        assert rt.quiesce(60)
        stats = rt.stats()
        assert (stats["accepted"], stats["refused"], stats["sent"]) == (2, 1, 3), stats
        assert got == [0, 1]
        print(rt.shutdown(20))
    """).check("interrupted\n[]")


def test_on_the_thread_of_an_asyncio_loop_it_is_refused(rt: iris.Runtime) -> None:
    import asyncio

    full = Full(rt)

    async def main() -> None:
        with pytest.raises(iris.WouldDeadlock):
            rt.send(full.pid, b"")

    asyncio.run(main())
    full.gate.set()
    check_books(rt, accepted=3, handled=3)
