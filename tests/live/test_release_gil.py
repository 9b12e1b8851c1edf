"""Actors with `release_gil` on real threads: which ones, how many, and what may block in them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import iris
from iris.run.native import allocate_lock, get_ident, start_thread

pytestmark = pytest.mark.live

TOO_LARGE = 1 << 47
"""A stack of the whole address space: no system can start such a thread."""


def test_each_has_a_thread_of_its_own_beside_the_carrier() -> None:
    with iris.Runtime() as rt:
        seen: dict[int, set[int]] = {}

        def handler(message: Any) -> None:
            seen.setdefault(rt.self_pid(), set()).add(get_ident())

        pids = [rt.spawn(handler, release_gil=place < 3) for place in range(4)]
        for _ in range(50):
            for pid in pids:
                rt.send(pid, b"x")
        assert rt.quiesce(60)
        threads = [seen[pid] for pid in pids]
        assert [len(one) for one in threads] == [1, 1, 1, 1]
        assert len(set.union(*threads, {get_ident()})) == 5


def test_one_that_blocks_holds_up_nobody_but_itself(hold: Any, until: Callable[..., Any]) -> None:
    with iris.Runtime(release_gil_max_threads=2, release_gil_pool_size=2) as rt:
        seen: list[int] = []

        def handler(message: Any) -> None:
            if message == b"block":
                hold.wait()
            seen.append(rt.self_pid())

        stuck = rt.spawn(handler, release_gil=True)
        own = rt.spawn(handler, release_gil=True)
        pooled = [rt.spawn(handler, release_gil=True) for _ in range(3)]
        push = rt.spawn(handler)
        rt.send(stuck, b"block")
        rt.send(pooled[0], b"block")
        until(lambda: rt.stats()["running"] == 2)
        for _ in range(100):
            for pid in (own, *pooled[1:], push):
                rt.send(pid, b"x")
        until(lambda: len(seen) == 400)
        assert not rt.quiesce(0.0)
        hold.let_go()
        assert rt.quiesce(60)
        assert rt.stats()["handled"] == 402


def test_time_sleep_in_many_goes_on_side_by_side() -> None:
    with iris.Runtime() as rt:
        pids = [rt.spawn(lambda m: time.sleep(0.2), release_gil=True) for _ in range(20)]
        before = time.monotonic()
        for pid in pids:
            rt.send(pid, b"x")
        assert rt.quiesce(60)
        # One after the other they would take 4 seconds.
        assert time.monotonic() - before < 3.0


@pytest.mark.parametrize(("own", "pool"), [(8, 1), (1, 3)])
def test_many_senders_swaps_and_stops_keep_order_and_turns(own: int, pool: int) -> None:
    with iris.Runtime(release_gil_max_threads=own, release_gil_pool_size=pool) as rt:
        busy: set[int] = set()
        faults: list[str] = []
        got: dict[int, list[tuple[int, int]]] = {}

        def make_handler() -> Callable[[Any], None]:
            def handler(message: tuple[int, int]) -> None:
                pid = rt.self_pid()
                if pid in busy:
                    faults.append("two handlers at a time")
                busy.add(pid)
                got.setdefault(pid, []).append(message)
                if message[1] % 50 == 0:
                    time.sleep(0)
                busy.discard(pid)

            return handler

        pids = [rt.spawn(make_handler(), 7, True) for _ in range(6)]
        ends = []

        def send_all(sender: int) -> None:
            for number in range(300):
                for pid in pids:
                    rt.send(pid, (sender, number))

        def swap_all() -> None:
            for _ in range(100):
                for pid in pids:
                    rt.hot_swap(pid, make_handler())

        entries = [lambda one=one: send_all(one) for one in range(3)] + [swap_all]
        for entry in entries:
            end = allocate_lock()
            end.acquire()
            ends.append(end)
            start_thread(lambda entry=entry, end=end: (entry(), end.release()))  # type: ignore[misc]
        rt.stop(pids[0])
        for end in ends:
            assert end.acquire(True, 60)
        assert rt.quiesce(60)
        assert faults == []
        for pid in pids[1:]:
            for sender in range(3):
                assert [n for one, n in got[pid] if one == sender] == list(range(300))
        stats = rt.stats()
        assert stats["accepted"] == stats["handled"] + stats["expired"]


def test_threads_come_and_go_with_their_actors(
    handles: Callable[[], tuple[int, int]], until: Callable[..., Any]
) -> None:
    with iris.Runtime(release_gil_max_threads=5, release_gil_pool_size=3) as rt:
        rt.spawn(len)
        threads = handles()[0]
        pids = [rt.spawn(len, release_gil=True) for _ in range(30)]
        assert handles()[0] - threads == 5 + 3
        rt.set_release_gil_limits(5, 6)
        assert handles()[0] - threads == 5 + 6
        rt.set_release_gil_limits(5, 2)
        until(lambda: handles()[0] - threads == 5 + 2)
        for pid in pids[:5]:
            rt.stop(pid)
        until(lambda: handles()[0] - threads == 2)
        for pid in pids[5:]:
            rt.stop(pid)
        until(lambda: handles()[0] == threads)
        # And again, as often as one likes.
        for _ in range(100):
            pid = rt.spawn(len, release_gil=True)
            rt.send(pid, b"x")
            rt.stop(pid)
            assert rt.join(pid, 60)
        until(lambda: handles()[0] == threads)
        assert rt.stats()["actors"] == 1


def test_threads_that_touched_gevent_give_their_hub_back(
    handles: Callable[[], tuple[int, int]], until: Callable[..., Any]
) -> None:
    import gevent

    with iris.Runtime(release_gil_max_threads=4, release_gil_pool_size=2) as rt:
        before = handles()

        def handler(message: Any) -> None:
            gevent.sleep(0.001)

        for _ in range(5):
            pids = [rt.spawn(handler, release_gil=True) for _ in range(8)]
            for pid in pids:
                rt.send(pid, b"x")
            assert rt.quiesce(60)
            for pid in pids:
                rt.stop(pid)
                assert rt.join(pid, 60)
            until(lambda: handles() == before)


def test_what_waits_in_a_handler_waits_on_its_thread() -> None:
    with iris.Runtime() as rt:
        seen: list[Any] = []
        full = rt.spawn_py_handler_bounded(lambda m: iris.pause(), 100, 1)
        rt.set_overflow_policy(full, "block")
        other = rt.spawn(len, release_gil=True)

        def handler(message: Any) -> None:
            if message == b"send":
                seen.extend(rt.send(full, number) for number in range(50))
            elif message == b"join":
                rt.stop(other)
                seen.append(rt.join(other, 60))
            else:
                iris.pause()
                seen.append(iris.current().pid)

        pid = rt.spawn(handler, release_gil=True)
        for message in (b"send", b"join", b"who"):
            rt.send(pid, message)
        assert rt.quiesce(60)
        assert seen == [True] * 51 + [pid]


def test_a_stuck_handler_is_given_up_by_shutdown(hold: Any, until: Callable[..., Any]) -> None:
    rt = iris.Runtime()
    stuck, idle = (rt.spawn(lambda m: hold.wait(), release_gil=True) for _ in range(2))
    rt.send(stuck, b"x")
    until(lambda: rt.stats()["running"] == 1)
    before = time.monotonic()
    assert rt.shutdown(0.3) == [stuck]
    assert time.monotonic() - before < 30
    assert not rt.send(stuck, b"y")
    assert not rt.send(idle, b"y")


def test_a_handler_may_shut_its_runtime_down(until: Callable[..., Any]) -> None:
    rt = iris.Runtime()
    pid = rt.spawn(lambda m: rt.shutdown(5), release_gil=True)
    rt.send(pid, b"x")
    until(lambda: not rt.send(pid, b"y"))
    assert rt.shutdown(60) == []


def test_when_no_thread_can_be_started() -> None:
    with iris.Runtime(release_gil_max_threads=2, release_gil_pool_size=2) as rt:
        own = rt.spawn(len, release_gil=True)
        before = rt.stats()
        size = threading.stack_size(TOO_LARGE)
        try:
            for strict in (False, True):
                rt.set_release_gil_strict(strict)
                with pytest.raises(iris.LimitReached, match=r"start no more threads .*ulimit -u"):
                    rt.spawn(len, release_gil=True)
        finally:
            threading.stack_size(size)
        assert rt.stats() == before
        rt.set_release_gil_strict(False)
        second, pooled = (rt.spawn(len, release_gil=True) for _ in range(2))
        size = threading.stack_size(TOO_LARGE)
        try:
            # There is one thread in the pool, so the pool can take more actors.
            another = rt.spawn(len, release_gil=True)
        finally:
            threading.stack_size(size)
        for pid in (own, second, pooled, another):
            assert rt.send(pid, b"x")
        assert rt.quiesce(60)
        assert rt.stats()["handled"] == 4


def test_defaults_come_from_the_environment_unless_an_option_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IRIS_RELEASE_GIL_MAX_THREADS", "2")
    monkeypatch.setenv("IRIS_RELEASE_GIL_STRICT", "yes")
    for make, spawned in (
        (iris.Runtime, 2),
        (lambda: iris.Runtime(release_gil_max_threads=1), 1),
        (lambda: iris.Runtime(release_gil_strict=False), 4),
    ):
        with make() as rt:
            pids = []
            try:
                for _ in range(4):
                    pids.append(rt.spawn(len, release_gil=True))  # noqa: PERF401
            except iris.LimitReached:
                pass
            assert len(pids) == spawned
    inner = iris.PyRuntime()
    try:
        assert [inner.spawn_py_handler(len, 100, True) > 0 for _ in range(2)] == [True, True]
        with pytest.raises(iris.LimitReached):
            inner.spawn_py_handler(len, 100, True)
    finally:
        inner.shutdown(60)


def test_a_bad_value_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRIS_RELEASE_GIL_POOL_SIZE", "many")
    with pytest.raises(iris.BadInput, match=r"IRIS_RELEASE_GIL_POOL_SIZE='many'"):
        iris.Runtime()
    iris.Runtime(release_gil_pool_size=2).shutdown()


def test_on_the_hub_of_the_caller(script: Callable[..., Any]) -> None:
    script(
        """
        import gevent, iris
        rt = iris.Runtime(hub="current")
        seen = []
        pid = rt.spawn(seen.append, release_gil=True)
        back = rt.spawn(lambda m: seen.append(m + 100))
        other = rt.spawn(lambda m: rt.send(back, m), release_gil=True)
        for number in range(3):
            rt.send(pid, number)
            rt.send(other, number)
        assert rt.quiesce(30)
        assert sorted(seen) == [0, 1, 2, 100, 101, 102], seen
        assert rt.shutdown(30) == []
        print("ok")
        """
    ).check("ok")


def test_after_a_fork_the_child_has_none_of_them(script: Callable[..., Any]) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    script(
        """
        import os, iris
        rt = iris.Runtime(release_gil_max_threads=1)
        pids = [rt.spawn(len, release_gil=True) for _ in range(3)]
        child = os.fork()
        if not child:
            for call in (lambda: rt.spawn(len, 1, True), lambda: rt.set_release_gil_limits(1, 1),
                         lambda: rt.send(pids[0], b"x")):
                try:
                    call()
                except RuntimeError:
                    continue
                os._exit(1)
            fresh, seen = iris.Runtime(), []
            pid = fresh.spawn(seen.append, release_gil=True)
            fresh.send(pid, 1)
            os._exit(0 if fresh.quiesce(30) and seen == [1] else 2)
        assert os.waitpid(child, 0)[1] == 0
        for pid in pids:
            rt.send(pid, b"x")
        assert rt.quiesce(30)
        assert rt.stats()["handled"] == 3
        print("ok")
        """
    ).check("ok")


def test_the_end_of_the_interpreter_drains_them_and_leaves_the_stuck(
    script: Callable[..., Any],
) -> None:
    script(
        """
        import os, time, iris
        rt = iris.Runtime(release_gil_max_threads=2, release_gil_pool_size=2)
        pids = [rt.spawn(lambda m: (time.sleep(0.02), os.write(1, m)), 10, True)
                for _ in range(4)]
        stuck = rt.spawn(lambda m: os.read(os.pipe()[0], 1), release_gil=True)
        rt.send(stuck, b"x")
        for pid in pids:
            rt.send(pid, b"done\\n")
        """
    ).check("done\n" * 3 + "done")
