"""Pull actors beyond the limit of threads: how they end, and how the process does."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

import iris
from iris.run.overflow import OVERFLOW_THREADS

from .actors import Handles, Until, at_first, receive

pytestmark = pytest.mark.live


@pytest.fixture
def rt() -> Iterator[iris.Runtime]:
    """A runtime in which no further pull actor has a thread of its own."""
    with iris.Runtime(pull_threads_max=1) as runtime:
        runtime.spawn_with_mailbox(receive)
        yield runtime


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
