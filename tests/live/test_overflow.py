"""Pull actors beyond the limit of threads: what they share, what holds them up, how they end."""

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

pytestmark = pytest.mark.live

TOO_LARGE = 1 << 47
"""A stack of the whole address space: no system can start such a thread."""

Handles = Callable[[], tuple[int, int]]
Until = Callable[..., Any]


def receive(mailbox: Any) -> None:
    while mailbox.recv() is not None:
        pass


def at_first(handles: Handles, until: Until) -> tuple[int, int]:
    """Threads and descriptors, when all is there that stays in a process, and nothing else."""
    threads = handles()[0]
    iris.Runtime().shutdown()
    gevent.get_hub()  # That of this thread: in a patched process even a sleep makes it.
    until(lambda: handles()[0] <= threads)
    return handles()


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


# -- ends ------------------------------------------------------------------------------------------


def test_a_parent_does_not_wait_long_for_a_child_that_waits_in_gevent() -> None:
    orphans: list[int] = []
    ends: list[tuple[int, str]] = []
    with iris.Runtime(pull_threads_max=1, shutdown_timeout_s=0.05) as rt:
        rt.add_hook("orphan", orphans.append)
        rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))
        rt.spawn_with_mailbox(receive)
        parent = rt.spawn(lambda message: None)
        waiting = threading.Event()

        def body(mailbox: Any) -> None:
            waiting.set()
            gevent.sleep(1e9)

        child = rt.spawn_child_with_mailbox(parent, body)
        assert waiting.wait(60)
        assert rt.stop(parent)
        assert rt.join(parent, 60)
        assert orphans == []
        assert ends == [(child, "Killed"), (parent, "Killed")]


def test_a_child_stuck_in_c_is_orphaned_and_comes_back(hold: Any, until: Until) -> None:
    orphans: list[int] = []
    with iris.Runtime(pull_threads_max=1, shutdown_timeout_s=0.05) as rt:
        rt.add_hook("orphan", orphans.append)
        rt.spawn_with_mailbox(receive)
        parent = rt.spawn(lambda message: None)
        waiting = threading.Event()

        def body(mailbox: Any) -> None:
            waiting.set()
            hold.wait()
            mailbox.recv()

        child = rt.spawn_child_with_mailbox(parent, body)
        assert waiting.wait(60)
        rt.send(child, b"")
        assert rt.stop(parent)
        assert rt.join(parent, 60)
        assert orphans == [child]
        assert not rt.is_alive(child)
        hold.let_go()
        until(lambda: rt.stats()["expired"] == 1)
        assert rt.quiesce(60)


def test_a_shutdown_gives_up_what_is_stuck_and_its_thread_ends_when_it_comes_back(
    hold: Any, handles: Handles, until: Until
) -> None:
    before = at_first(handles, until)
    stuck: list[int] = []
    with iris.Runtime(pull_threads_max=1) as rt:
        rt.spawn_with_mailbox(receive)
        waiting = threading.Event()

        def body(mailbox: Any) -> None:
            waiting.set()
            hold.wait()

        stuck.append(rt.spawn_with_mailbox(body))
        assert waiting.wait(60)
        for _ in range(4 * OVERFLOW_THREADS):
            rt.spawn_with_mailbox(receive)
        left = rt.shutdown(0.5)
        assert set(stuck) <= set(left)
        # Those that the stuck one holds up, and no others.
        assert len(left) <= 5
    hold.let_go()
    until(lambda: handles()[0] <= before[0])
    until(lambda: handles()[1] <= before[1])


def test_who_swallows_the_interruption_does_not_keep_its_thread(
    handles: Handles, until: Until
) -> None:
    before = at_first(handles, until)
    swallowed: list[str] = []
    with iris.Runtime(pull_threads_max=1) as rt:
        rt.spawn_with_mailbox(receive)
        waiting = threading.Event()

        def body(mailbox: Any) -> None:
            waiting.set()
            while True:
                try:
                    gevent.sleep(1e9)
                except BaseException as error:
                    swallowed.append(type(error).__name__)

        pid = rt.spawn_with_mailbox(body)
        assert waiting.wait(60)
        assert rt.shutdown(0.2) == [pid]
    assert swallowed[:2] == ["GreenletExit", "GreenletExit"]
    until(lambda: handles()[0] <= before[0])
    until(lambda: handles()[1] <= before[1])


def test_one_of_them_may_shut_the_runtime_down(handles: Handles, until: Until) -> None:
    before = at_first(handles, until)
    rt = iris.Runtime(pull_threads_max=1)
    rt.spawn_with_mailbox(receive)
    answers: list[Any] = []
    rt.spawn_with_mailbox(lambda mailbox: answers.append(rt.shutdown(20)))
    until(lambda: answers)
    assert answers == [[]]
    until(lambda: handles()[0] <= before[0])


def test_spawns_that_race_with_the_shutdown_are_made_or_refused(until: Until) -> None:
    for _ in range(20):
        rt = iris.Runtime(pull_threads_max=1)
        made = itertools.count()
        ended: list[int] = []
        gate = threading.Barrier(3)

        def body(mailbox: Any, ended: list[int] = ended) -> None:
            try:
                receive(mailbox)
            finally:
                ended.append(1)

        def spawn(
            rt: iris.Runtime = rt, made: Any = made, gate: Any = gate, body: Any = body
        ) -> None:
            gate.wait(60)
            try:
                while True:
                    rt.spawn_with_mailbox(body)
                    next(made)
            except iris.RuntimeClosed:
                pass

        threads = [threading.Thread(target=spawn) for _ in range(2)]
        for thread in threads:
            thread.start()
        gate.wait(60)
        assert rt.shutdown(60) == []
        for thread in threads:
            thread.join(60)
        wanted = next(made)
        until(lambda ended=ended, wanted=wanted: len(ended) >= wanted)


# -- the process -----------------------------------------------------------------------------------


def test_sends_cut_short_by_a_signal_handler_lose_no_wake_up(script: Callable[..., Any]) -> None:
    script("""
        import signal, time
        import iris

        class Cut(BaseException):
            pass

        rt = iris.Runtime(pull_threads_max=1)
        rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        got = []
        def body(mailbox):
            while True:
                message = mailbox.recv()
                if message is None:
                    return
                got.append(message)
        pids = [rt.spawn_with_mailbox(body) for _ in range(8)]

        def handler(number, frame):
            if armed:
                armed.clear()
                rt.send(pids[0], "from the handler")
                raise Cut

        armed = []
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
        end, cuts, number = time.monotonic() + 2, 0, 0
        while time.monotonic() < end:
            try:
                armed.append(True)
                for pid in pids:
                    number += 1
                    rt.send(pid, number)
                armed.clear()
            except Cut:
                cuts += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert cuts > 20, cuts
        # Whatever lies in a mailbox is taken without a further send.
        end = time.monotonic() + 60
        while any(rt.mailbox_size(pid) for pid in pids):
            assert time.monotonic() < end, [rt.mailbox_size(pid) for pid in pids]
            time.sleep(0.005)
        print("all taken", rt.shutdown(20))
    """).check("all taken []")


def test_a_fork_beside_them(script: Callable[..., Any]) -> None:
    script("""
        import os
        import iris

        def body(mailbox):
            while True:
                message = mailbox.recv()
                if message is None:
                    return
                got.append(message)

        got = []
        rt = iris.Runtime(pull_threads_max=1)
        pids = [rt.spawn_with_mailbox(body) for _ in range(50)]
        pid = os.fork()
        if not pid:
            code = 1
            try:
                rt.spawn_with_mailbox(body)
            except RuntimeError as error:
                code = 0 if "parent" in str(error) else 2
            try:
                rt.set_pull_limits(3)
            except RuntimeError as error:
                code += 0 if "parent" in str(error) else 4
            with iris.Runtime(pull_threads_max=1) as new:
                mine = [new.spawn_with_mailbox(body) for _ in range(50)]
                for one in mine:
                    assert new.send(one, b"")
                assert new.quiesce(60)
                assert len(got) == 50
                assert new.shutdown(20) == []
            os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        for one in pids:
            assert rt.send(one, b"")
        assert rt.quiesce(60)
        print(len(got), rt.shutdown(20))
    """).check("50 []")


@pytest.mark.parametrize("patched", [False, True])
@pytest.mark.parametrize("hub", ["thread", "current"])
def test_in_a_gevent_process(script: Callable[..., Any], patched: bool, hub: str) -> None:
    script(
        """
        import sys
        if sys.argv[1] == "True":
            from gevent import monkey
            monkey.patch_all()
        import gevent
        import iris

        def body(mailbox):
            rt.send(push, (rt.self_pid(), iris.current().runtime is rt, mailbox.recv()))
            gevent.sleep(0.001)
            mailbox.recv()

        got = []
        rt = iris.Runtime(hub=sys.argv[2], pull_threads_max=1)
        push = rt.spawn(got.append)
        pids = [rt.spawn_with_mailbox(body) for _ in range(50)]
        for pid in pids:
            assert rt.send(pid, b"hello")
        assert rt.quiesce(60)
        assert sorted(got) == [(pid, True, b"hello") for pid in sorted(pids)], got
        print(rt.shutdown(20))
        """,
        str(patched),
        hub,
    ).check("[]")


def test_set_pull_limits_takes_effect_for_those_who_come(until: Until) -> None:
    threads: list[int] = []

    def body(mailbox: Any) -> None:
        threads.append(threading.get_native_id())
        receive(mailbox)

    def come(number: int) -> int:
        """So many more; on how many threads all of them are."""
        wanted = len(threads) + number
        for _ in range(number):
            rt.spawn_with_mailbox(body)
        until(lambda: len(threads) == wanted)
        return len(set(threads))

    with iris.Runtime(pull_threads_max=1) as rt:
        assert come(2) == 2  # a thread, an overflow thread
        rt.set_pull_limits(3)
        assert come(2) == 4
        rt.set_pull_limits(1, strict=True)
        with pytest.raises(iris.LimitReached, match="set_pull_limits"):
            rt.spawn_with_mailbox(body)
        assert rt.stats()["actors"] == 4
        rt.set_pull_limits(1)
        assert come(OVERFLOW_THREADS - 1) == 4 + OVERFLOW_THREADS - 1
        assert come(10) == 4 + OVERFLOW_THREADS - 1


def test_descriptors_stay_when_many_come_and_go(
    rt: iris.Runtime, handles: Handles, until: Until
) -> None:
    def some() -> None:
        pids = [rt.spawn_with_mailbox(lambda mailbox: mailbox.recv(0.0001)) for _ in range(100)]
        assert all(rt.join(pid, 60) for pid in pids)

    some()
    before = handles()
    for _ in range(10):
        some()
    until(lambda: handles()[0] <= before[0])
    until(lambda: handles()[1] <= before[1])
