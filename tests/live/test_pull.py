"""Pull actors on real threads of their own, and those that share some: the same mailbox."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live


@pytest.fixture(params=["thread", "overflow"])
def rt(request: pytest.FixtureRequest) -> Iterator[iris.Runtime]:
    """A runtime whose pull actors have threads, and one where none has a thread of its own."""
    if request.param == "thread":
        with iris.Runtime() as runtime:
            yield runtime
        return
    with iris.Runtime(pull_threads_max=1) as runtime:
        runtime.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        yield runtime


@pytest.fixture
def threads_rt() -> Iterator[iris.Runtime]:
    with iris.Runtime() as runtime:
        yield runtime


def test_each_pull_actor_has_a_thread_of_its_own(threads_rt: iris.Runtime) -> None:
    together = threading.Barrier(5)
    seen: list[int] = []

    def body(mailbox: Any) -> None:
        seen.append(threading.get_native_id())
        together.wait(60)  # only if all five run at the same time

    pids = [threads_rt.spawn_with_mailbox(body) for _ in range(5)]
    assert all(threads_rt.join(pid, 60) for pid in pids)
    assert len(set(seen)) == 5
    assert threading.get_native_id() not in seen


def test_messages_of_many_threads_arrive_in_the_order_of_each(rt: iris.Runtime) -> None:
    got: list[tuple[int, int]] = []
    total = 8 * 2000

    def body(mailbox: Any) -> None:
        while len(got) < total:
            got.append(mailbox.recv())

    pid = rt.spawn_with_mailbox(body)

    def sender(key: int) -> None:
        for number in range(2000):
            assert rt.send(pid, (key, number))

    threads = [threading.Thread(target=sender, args=(key,)) for key in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rt.join(pid, 60)
    for key in range(8):
        assert [number for sender_key, number in got if sender_key == key] == list(range(2000))
    stats = rt.stats()
    assert stats["sent"] == stats["accepted"] == stats["handled"] == total


def test_ping_pong_between_a_pull_and_a_push_actor(rt: iris.Runtime) -> None:
    """Every wake-up of a sleeping thread counts here: one that is lost stops the game."""
    rounds = 3000
    over = threading.Event()

    def pull(mailbox: Any) -> None:
        for _ in range(rounds):
            rt.send(push_pid, mailbox.recv() + 1)

    def push(message: int) -> None:
        if message == 2 * rounds - 1:
            over.set()
        else:
            rt.send(pull_pid, message + 1)

    push_pid = rt.spawn(push)
    pull_pid = rt.spawn_with_mailbox(pull)
    rt.send(pull_pid, 0)
    assert over.wait(100)


def test_recv_with_a_timeout_gives_none_and_the_mailbox_stays_open(rt: iris.Runtime) -> None:
    results: list[Any] = []

    def body(mailbox: Any) -> None:
        began = time.monotonic()
        results.append(mailbox.recv(0.05))
        results.append(time.monotonic() - began >= 0.049)
        results.append(mailbox.closed)
        results.append(mailbox.recv(0))
        asked.set()
        results.append(mailbox.recv(100))

    asked = threading.Event()
    pid = rt.spawn_with_mailbox(body)
    assert asked.wait(60)
    rt.send(pid, b"late")
    assert rt.join(pid, 60)
    assert results == [None, True, False, None, b"late"]


def test_messages_that_race_with_timeouts_are_not_lost(rt: iris.Runtime) -> None:
    got: list[int] = []
    total = 2000

    def body(mailbox: Any) -> None:
        while len(got) < total:
            message = mailbox.recv(0.0001)
            if message is not None:
                got.append(message)

    pid = rt.spawn_with_mailbox(body)
    for number in range(total):
        rt.send(pid, number)
        if number % 20 == 0:
            time.sleep(0.0001)
    assert rt.join(pid, 60)
    assert got == list(range(total))


@pytest.mark.parametrize("timeout", [None, 100])
def test_a_stop_wakes_recv_which_tells_once_and_then_ends_the_actor(
    rt: iris.Runtime, timeout: Any
) -> None:
    results: list[Any] = []
    waiting = threading.Event()

    def body(mailbox: Any) -> None:
        waiting.set()
        results.append(mailbox.recv(timeout))
        results.append(mailbox.closed)
        try:
            mailbox.recv(timeout)
        except Exception:
            results.append("swallowed")
        results.append("not reached")

    pid = rt.spawn_with_mailbox(body)
    watcher = rt.spawn_observed_handler()
    rt.monitor(watcher, pid)
    assert waiting.wait(60)
    assert rt.stop(pid) is True
    assert rt.join(pid, 60)
    assert results == [None, True]
    down = rt.get_messages(watcher)
    assert [(m.type_name, m.reason) for m in down] == [("DOWN", "Killed")]


def test_queued_messages_expire_at_the_stop(rt: iris.Runtime) -> None:
    got: list[Any] = []
    first, go_on = threading.Event(), threading.Event()

    def body(mailbox: Any) -> None:
        while True:
            message = mailbox.recv()
            if message is None:
                return
            got.append(message)
            first.set()
            go_on.wait(60)

    pid = rt.spawn_with_mailbox(body)
    for number in range(10):
        assert rt.send(pid, number)
    assert first.wait(60)
    assert rt.mailbox_size(pid) == 9
    assert rt.stop(pid)
    assert rt.send(pid, 10) is False
    assert rt.is_alive(pid)
    go_on.set()
    assert rt.join(pid, 60)
    assert got == [0]
    assert not rt.is_alive(pid)
    assert rt.quiesce(60)
    stats = rt.stats()
    assert (stats["handled"], stats["expired"], stats["undeliverable"]) == (1, 9, 1)
    assert stats["running"] == stats["queued"] == 0


def test_an_exception_ends_it_as_panic_and_counts_the_message_as_failed(rt: iris.Runtime) -> None:
    watcher = rt.spawn_observed_handler()

    def body(mailbox: Any) -> None:
        while True:
            message = mailbox.recv()
            if message == b"bad":
                raise ValueError("a bad message")

    pid = rt.spawn_with_mailbox(body)
    rt.monitor(watcher, pid)
    for message in (b"good", b"good", b"bad"):
        assert rt.send(pid, message)
    assert rt.join(pid, 60)
    (down,) = rt.get_messages(watcher)
    assert (down.type_name, down.target_pid, down.reason) == ("DOWN", pid, "Panic")
    assert down.metadata["exception_type"] == "ValueError"
    stats = rt.stats()
    assert (stats["handled"], stats["failed"]) == (2, 1)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_any_base_exception_hurts_only_its_own_actor(
    rt: iris.Runtime, error: BaseException
) -> None:
    def body(mailbox: Any) -> None:
        mailbox.recv()
        raise error

    pid = rt.spawn_with_mailbox(body)
    rt.send(pid, b"")
    assert rt.join(pid, 60)
    other = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    rt.send(other, b"")
    assert rt.join(other, 60)


def test_a_blocking_call_of_one_does_not_hold_up_others(
    threads_rt: iris.Runtime, hold: Any
) -> None:
    blocked = [threads_rt.spawn_with_mailbox(lambda mailbox: hold.wait()) for _ in range(5)]
    done: list[Any] = []
    pids = [
        threads_rt.spawn_with_mailbox(lambda mailbox: done.append(mailbox.recv())) for _ in range(5)
    ]
    push = threads_rt.spawn(done.append)
    for pid in [*pids, push]:
        threads_rt.send(pid, b"")
    assert all(threads_rt.join(pid, 60) for pid in pids)
    assert threads_rt.quiesce(60)
    assert len(done) == 6
    assert all(threads_rt.is_alive(pid) for pid in blocked)
    hold.let_go()
    assert all(threads_rt.join(pid, 60) for pid in blocked)


def test_current_and_self_pid_work_in_it(rt: iris.Runtime) -> None:
    seen: list[Any] = []
    pid = rt.spawn_with_mailbox(
        lambda mailbox: seen.append((iris.current().pid, iris.current().runtime, rt.self_pid()))
    )
    assert rt.join(pid, 60)
    assert seen == [(pid, rt, pid)]


def test_selective_recv_takes_what_matches_and_leaves_the_rest_in_order(rt: iris.Runtime) -> None:
    results: list[Any] = []
    filled = threading.Event()

    def body(mailbox: Any) -> None:
        filled.wait(60)
        results.append(mailbox.selective_recv(lambda message: message == 7))
        results.append(mailbox.selective_recv(lambda message: message > 100, timeout=0.01))
        with pytest.raises(ZeroDivisionError):
            mailbox.selective_recv(lambda message: 1 // 0)
        results.append(mailbox.recv())
        results.append(mailbox.selective_recv(lambda message: message % 5 == 0))
        waiting.set()
        results.append(mailbox.selective_recv(lambda message: message == "late"))
        results.extend(mailbox.recv() for _ in range(7))

    waiting = threading.Event()
    pid = rt.spawn_with_mailbox(body)
    for number in range(10):
        rt.send(pid, number)
    filled.set()
    assert waiting.wait(60)
    rt.send(pid, "late")
    assert rt.join(pid, 60)
    assert results == [7, None, 0, 5, "late", 1, 2, 3, 4, 6, 8, 9]


def test_waiting_among_many_messages_that_do_not_match_is_linear(rt: iris.Runtime) -> None:
    calls = 0
    total = 100_000

    def matcher(message: Any) -> bool:
        nonlocal calls
        calls += 1
        return message == "wanted"

    found: list[Any] = []
    pid = rt.spawn_with_mailbox(lambda mailbox: found.append(mailbox.selective_recv(matcher)))
    for number in range(total):
        rt.send(pid, number)
    rt.send(pid, "wanted")
    assert rt.join(pid, 100)
    assert found == ["wanted"]
    assert calls == total + 1
    assert rt.stats()["expired"] == total


def test_a_hot_swap_reaches_it_in_order(rt: iris.Runtime) -> None:
    got: list[Any] = []
    go = threading.Event()

    def body(mailbox: Any) -> None:
        go.wait(60)
        handler = old
        while True:
            message = mailbox.recv()
            if message is None:
                return
            if isinstance(message, iris.PySystemMessage) and message.type_name == "HOT_SWAP":
                assert message.metadata is not None
                handler = message.metadata["handler"]
            else:
                handler(message)

    def old(message: Any) -> None:
        got.append(("old", message))

    def new(message: Any) -> None:
        got.append(("new", message))

    pid = rt.spawn_with_mailbox(body)
    rt.send(pid, 1)
    assert rt.hot_swap(pid, new) is True
    rt.send(pid, 2)
    assert rt.behavior_version(pid) == 2
    go.set()
    assert rt.quiesce(60)
    assert got == [("old", 1), ("new", 2)]


def test_its_end_gives_the_thread_back(
    threads_rt: iris.Runtime, handles: Callable[[], tuple[int, int]], until: Callable[..., Any]
) -> None:
    def round_of_actors() -> None:
        pids = [threads_rt.spawn_with_mailbox(lambda mailbox: mailbox.recv()) for _ in range(30)]
        assert handles()[0] >= before[0] + 30
        for pid in pids:
            threads_rt.stop(pid)
        assert all(threads_rt.join(pid, 60) for pid in pids)

    before = handles()
    round_of_actors()
    until(lambda: handles()[0] <= before[0])
    for _ in range(5):
        round_of_actors()
    until(lambda: handles()[0] <= before[0])
    until(lambda: handles()[1] <= before[1])


def test_a_parent_waits_for_its_pull_child(rt: iris.Runtime) -> None:
    ended: list[int] = []
    rt.add_hook("exit", lambda pid, ending: ended.append(pid))
    last_words = threading.Event()

    def body(mailbox: Any) -> None:
        while not mailbox.closed:
            mailbox.recv(0.01)
        last_words.wait(60)

    parent = rt.spawn(lambda message: None)
    child = rt.spawn_child_with_mailbox(parent, body)
    rt.stop(parent)
    assert rt.join(parent, 0.05) is False
    assert rt.is_alive(child)
    last_words.set()
    assert rt.join(parent, 60)
    assert ended == [child, parent]
