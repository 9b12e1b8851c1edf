"""Pull actors beyond the limit of threads: what they share, and what holds them up."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

import iris
from iris.run.overflow import OVERFLOW_THREADS

from .actors import Handles, Until, at_first, receive

pytestmark = pytest.mark.live

TOO_LARGE = 1 << 47
"""A stack of the whole address space: no system can start such a thread."""


@pytest.fixture
def rt() -> Iterator[iris.Runtime]:
    """A runtime in which no further pull actor has a thread of its own."""
    with iris.Runtime(pull_threads_max=1) as runtime:
        runtime.spawn_with_mailbox(receive)
        yield runtime


# -- threads and descriptors -----------------------------------------------------------------------


def test_many_actors_have_exactly_so_many_threads(handles: Handles, until: Until) -> None:
    threads: set[int] = set()
    answers: list[int] = []

    def body(mailbox: Any) -> None:
        threads.add(threading.get_native_id())
        while True:
            message = mailbox.recv()
            if message is None:
                return
            answers.append(message)

    before = at_first(handles, until)
    with iris.Runtime(pull_threads_max=10) as rt:
        beside = handles()[0]
        pids = [rt.spawn_with_mailbox(body) for _ in range(2000)]
        assert len(set(pids)) == 2000
        for number, pid in enumerate(pids):
            assert rt.send(pid, number)
        until(lambda: len(answers) == 2000)
        assert sorted(answers) == list(range(2000))
        assert handles()[0] <= beside + 10 + OVERFLOW_THREADS
        assert len(threads) == 10 + OVERFLOW_THREADS
        assert rt.quiesce(60)
        assert rt.stats()["handled"] == 2000
        assert rt.shutdown(60) == []
    until(lambda: handles()[0] <= before[0])
    until(lambda: handles()[1] <= before[1])


def test_runtimes_come_and_go_and_leave_nothing(handles: Handles, until: Until) -> None:
    def cycle() -> None:
        with iris.Runtime(pull_threads_max=1) as rt:
            pids = [rt.spawn_with_mailbox(receive) for _ in range(7)]
            assert all(rt.send(pid, b"") for pid in pids)
            assert rt.shutdown(60) == []

    before = at_first(handles, until)
    for _ in range(50):
        cycle()
    until(lambda: handles()[0] <= before[0])
    until(lambda: handles()[1] <= before[1])


def test_nothing_is_started_before_it_is_needed(handles: Handles) -> None:
    with iris.Runtime(pull_threads_max=2) as rt:
        before = handles()[0]
        for number in range(2):
            rt.spawn_with_mailbox(receive)
            assert handles()[0] <= before + number + 1
        rt.spawn_with_mailbox(receive)
        assert handles()[0] <= before + 3


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "iris"), iris.Runtime(pull_threads_max=1) as rt:
        rt.spawn_with_mailbox(receive)
        assert caplog.messages == []
        for _ in range(3):
            rt.spawn_with_mailbox(receive)
        (text,) = caplog.messages
        assert "pull_threads_max" in text
        assert "set_pull_limits" in text


def test_where_the_system_gives_no_thread_they_share_what_there_is(until: Until) -> None:
    with iris.Runtime(pull_stack_bytes=TOO_LARGE) as rt:
        answers: list[Any] = []
        pids = [
            rt.spawn_with_mailbox(lambda mailbox: answers.append(mailbox.recv())) for _ in range(9)
        ]
        assert all(rt.send(pid, b"") for pid in pids)
        until(lambda: len(answers) == 9)
        # What was not started is not counted: the limit is still free.
        rt.set_pull_limits(1, strict=True)
        with pytest.raises(iris.LimitReached, match="no more threads"):
            rt.spawn_with_mailbox(receive)


def test_without_any_thread_it_is_refused_and_nothing_is_half_made(handles: Handles) -> None:
    with iris.Runtime(pull_threads_max=1, pull_stack_bytes=1 << 20) as rt:
        rt.spawn_with_mailbox(receive)
        before, threads = rt.stats(), handles()
        stack = threading.stack_size(TOO_LARGE)
        try:
            for _ in range(3):
                with pytest.raises(iris.LimitReached, match="ulimit -u"):
                    rt.spawn_with_mailbox(receive)
            assert rt.stats() == before
            assert handles() == threads
        finally:
            threading.stack_size(stack)
        # The next one is better off, and then a lack of threads stops nobody.
        one = rt.spawn_with_mailbox(receive)
        stack = threading.stack_size(TOO_LARGE)
        try:
            more = [rt.spawn_with_mailbox(receive) for _ in range(20)]
        finally:
            threading.stack_size(stack)
        assert all(rt.send(pid, b"") for pid in [one, *more])
        assert rt.quiesce(60)


def test_a_process_out_of_descriptors(script: Callable[..., Any]) -> None:
    """libev would try for ever, at full load, to make its hub."""
    script("""
        import os, resource
        import iris

        rt = iris.Runtime(pull_threads_max=1)
        got = []
        def body(mailbox):
            while True:
                message = mailbox.recv()
                if message is None:
                    return
                got.append(message)
        pids = [rt.spawn_with_mailbox(body)]
        rt.send(pids[0], 0)
        assert rt.quiesce(60)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))

        def use_up(but):
            files = []
            try:
                while True:
                    files.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                pass
            for _ in range(but):
                os.close(files.pop())
            return files

        for but in range(4):
            files = use_up(but)
            before = rt.stats()
            try:
                rt.spawn_with_mailbox(body)
            except iris.LimitReached as error:
                assert "ulimit -n" in str(error), error
            else:
                raise AssertionError(but)
            try:
                iris.Runtime()
            except iris.LimitReached as error:
                assert "ulimit -n" in str(error), error
            except OSError as error:
                assert "urandom" in str(error), error  # PyPy opens it for the first pid
            else:
                raise AssertionError(but)
            assert rt.stats() == before
            for file in files:
                os.close(file)
            files = use_up(but)  # nothing has leaked: as many as before
            counts = globals().setdefault("counts", [])
            counts.append(len(files) + but)
            for file in files:
                os.close(file)
        assert len(set(counts)) == 1, counts
        pids.append(rt.spawn_with_mailbox(body))
        files = use_up(0)
        # One overflow thread is there: the others share it.
        pids += [rt.spawn_with_mailbox(body) for _ in range(10)]
        for number, pid in enumerate(pids):
            assert rt.send(pid, number)
        assert rt.quiesce(60)
        assert sorted(got) == [0, *range(12)], got
        print(rt.shutdown(20))
    """).check("[]")


# -- who holds up whom -----------------------------------------------------------------------------


def test_a_call_that_blocks_holds_up_its_own_thread_only(
    rt: iris.Runtime, hold: Any, until: Until
) -> None:
    blocked = threading.Event()

    def stuck(mailbox: Any) -> None:
        blocked.set()
        hold.wait()

    done: list[int] = []
    pid = rt.spawn_with_mailbox(stuck)
    assert blocked.wait(60)
    # Where the fewest are: one more on each thread, by turns.
    others = [
        rt.spawn_with_mailbox(lambda mailbox: done.append(mailbox.recv()))
        for _ in range(4 * OVERFLOW_THREADS - 1)
    ]
    for other in others:
        assert rt.send(other, other)
    until(lambda: len(done) == len(others) - 3)
    assert len([other for other in others if rt.is_alive(other)]) >= 3
    assert rt.is_alive(pid)
    hold.let_go()
    assert all(rt.join(other, 60) for other in [pid, *others])
    assert sorted(done) == sorted(others)


def test_waiting_in_a_call_of_iris_or_gevent_holds_up_nobody(rt: iris.Runtime) -> None:
    never = rt.spawn(lambda message: None)
    full = rt.spawn_py_handler_bounded(lambda message: gevent.sleep(1e9), 1, 1)
    rt.set_overflow_policy(full, "block")
    rt.send(full, b"")
    waits: list[Callable[[Any], Any]] = [
        lambda mailbox: gevent.sleep(1e9),
        lambda mailbox: rt.join(never),
        lambda mailbox: [rt.send(full, b"") for _ in range(5)],
        lambda mailbox: mailbox.recv(1e9),
        lambda mailbox: mailbox.selective_recv(lambda message: False),
    ]
    for wait in waits:
        for _ in range(OVERFLOW_THREADS):
            rt.spawn_with_mailbox(wait)
    pids = [rt.spawn_with_mailbox(lambda mailbox: mailbox.recv()) for _ in range(20)]
    assert all(rt.send(pid, b"") for pid in pids)
    assert all(rt.join(pid, 60) for pid in pids)
    assert rt.shutdown(1) == []


@pytest.mark.parametrize("way", ["feeds itself", "feeds itself behind a long queue", "polls"])
def test_who_never_waits_does_not_hold_up_others(rt: iris.Runtime, way: str) -> None:
    def feeds_itself(mailbox: Any) -> None:
        while not over.is_set():
            rt.send(rt.self_pid(), b"")
            mailbox.recv()

    def polls(mailbox: Any) -> None:
        while not over.is_set():
            mailbox.recv(0)

    over = threading.Event()
    body = polls if way == "polls" else feeds_itself
    greedy = [rt.spawn_with_mailbox(body) for _ in range(OVERFLOW_THREADS)]
    others = [
        rt.spawn_with_mailbox(lambda mailbox: mailbox.recv()) for _ in range(2 * OVERFLOW_THREADS)
    ]
    if way == "feeds itself behind a long queue":
        for pid in greedy:
            for _ in range(100_000):
                rt.send(pid, b"")
    assert all(rt.send(pid, b"") for pid in others)
    assert all(rt.join(pid, 60) for pid in others)
    assert all(rt.is_alive(pid) for pid in greedy)
    over.set()
    assert all(rt.join(pid, 60) for pid in greedy)


def test_a_long_queue_is_worked_off_in_linear_time(rt: iris.Runtime) -> None:
    total = 300_000
    got: list[int] = []
    go = threading.Event()

    def body(mailbox: Any) -> None:
        go.wait(60)
        got.extend(mailbox.recv() for _ in range(total))

    pid = rt.spawn_with_mailbox(body)
    for number in range(total):
        rt.send(pid, number)
    go.set()
    assert rt.join(pid, 60)
    assert got == list(range(total))
    assert rt.stats()["handled"] == total


def test_wake_ups_from_the_same_thread_and_from_others_are_never_lost(rt: iris.Runtime) -> None:
    """A ring through all overflow threads, a thread, and the carrier."""
    rounds, size = 300, 3 * OVERFLOW_THREADS
    pids: list[int] = []
    over = threading.Event()

    def pull(mailbox: Any) -> None:
        place = mailbox.recv()
        while True:
            message = mailbox.recv()
            if message is None:
                return
            pass_on(place, message)

    def pass_on(place: int, message: int) -> None:
        if message == rounds * (size + 2):
            over.set()
        else:
            rt.send(pids[(place + 1) % len(pids)], message + 1)

    pids += [rt.spawn_with_mailbox(pull) for _ in range(size)]
    rt.set_pull_limits(2)
    pids.append(rt.spawn_with_mailbox(pull))
    for place, pid in enumerate(pids):
        rt.send(pid, place)
    pids.append(rt.spawn(lambda message: pass_on(len(pids) - 1, message)))
    rt.send(pids[0], 0)
    assert over.wait(100)


def test_time_outs_of_many_race_with_messages(rt: iris.Runtime) -> None:
    got: list[Any] = []

    def body(mailbox: Any) -> None:
        for number in itertools.count():
            if number % 2:
                message = mailbox.recv(0.0005)
            else:
                message = mailbox.selective_recv(lambda message: message > 0, 0.001)
            if message is not None:
                got.append(message)
                return

    pids = [rt.spawn_with_mailbox(body) for _ in range(200)]
    for number, pid in enumerate(pids):
        assert rt.send(pid, number)
    assert all(rt.join(pid, 60) for pid in pids)
    assert sorted(got) == list(range(200))
