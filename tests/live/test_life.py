"""Shutdown of a real runtime, and what a cycle of begin and end leaves behind."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live


def test_cycles_leak_no_thread_no_descriptor_and_no_memory(
    handles: Callable[[], tuple[int, int]], until: Callable[..., Any]
) -> None:
    references: list[Any] = []

    def cycle() -> None:
        rt = iris.Runtime()
        parent = rt.spawn(lambda message: None)
        for _ in range(5):
            rt.send(rt.spawn_child(parent, lambda message: None), b"x" * 1000)
        pull = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        rt.send(pull, b"")
        rt.send_interval(parent, 1000, b"")
        assert rt.quiesce(60)
        assert rt.shutdown(60) == []
        references.append(weakref.ref(rt))

    def resident_kib() -> int:
        gc.collect()
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4

    for _ in range(10):
        cycle()
    references.clear()
    until(lambda: handles()[0] <= threading.active_count() + 20)
    before, memory = handles(), resident_kib()
    for _ in range(50):
        cycle()
    until(lambda: handles()[0] <= before[0])
    assert handles()[1] <= before[1]
    gc.collect()
    left = sum(reference() is not None for reference in references)
    assert left <= 2, f"{left} of 50 runtimes are still in memory"
    # A runtime is some 100 KiB, its hub included: 50 leaked ones would be seen.
    assert resident_kib() - memory < 5000


def test_shutdown_interrupts_a_handler_that_waits_in_gevent() -> None:
    import gevent

    rt = iris.Runtime()
    started = threading.Event()
    seen: list[BaseException] = []

    def handler(message: Any) -> None:
        started.set()
        try:
            gevent.sleep(1e6)
        except BaseException as error:
            seen.append(error)
            raise

    rt.send(rt.spawn(handler), b"")
    assert started.wait(60)
    assert rt.shutdown(1) == []
    assert [type(error).__name__ for error in seen] == ["GreenletExit"]


@pytest.mark.parametrize("pull", [False, True])
def test_shutdown_gives_up_a_stuck_actor_in_bounded_time(pull: bool, hold: Any) -> None:
    rt = iris.Runtime()
    started = threading.Event()

    def stuck(message: Any) -> None:
        started.set()
        hold.wait()

    other = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    pid = rt.spawn_with_mailbox(stuck) if pull else rt.spawn(stuck)
    rt.send(pid, b"")
    try:
        assert started.wait(60)
        began = time.monotonic()
        left = rt.shutdown(0.5)
        # Generous: it is to be far from the 100 s of the actor.
        assert time.monotonic() - began < 20
        assert left == [pid]
        assert rt.shutdown(0.5) == [pid]
        assert rt.send(pid, b"") is False
        assert rt.send(other, b"") is False
    finally:
        hold.let_go()


@pytest.mark.parametrize("pull", [False, True])
def test_shutdown_from_an_actor_begins_and_returns(
    pull: bool, until: Callable[..., Any], handles: Callable[[], tuple[int, int]]
) -> None:
    rt = iris.Runtime()
    returned: list[Any] = []
    over = threading.Event()
    ended: list[int] = []
    rt.add_hook("exit", lambda pid, ending: ended.append(pid))

    def handler(message: Any) -> None:
        returned.append(rt.shutdown(60))
        returned.append(rt.shutdown(60))
        over.set()

    def closed() -> bool:
        try:
            rt.stats()
        except iris.RuntimeClosed:
            return True
        return False

    pids = [rt.spawn(lambda message: None) for _ in range(3)]
    pid = rt.spawn_with_mailbox(handler) if pull else rt.spawn(handler)
    rt.send(pid, b"")
    assert over.wait(60)
    assert returned == [[], []]
    until(closed)
    assert sorted(ended) == sorted([*pids, pid])
    assert rt.send(pid, b"") is False


def test_shutdown_twice_and_from_many_threads_at_once(hold: Any) -> None:
    rt = iris.Runtime()
    started = threading.Event()

    def stuck(mailbox: Any) -> None:
        started.set()
        hold.wait()

    pid = rt.spawn_with_mailbox(stuck)
    for _ in range(1000):
        rt.spawn(lambda message: None)
    assert started.wait(60)
    results: list[Any] = []
    gate = threading.Barrier(8)

    def shut() -> None:
        gate.wait(60)
        results.append(rt.shutdown(1))
        with pytest.raises(iris.RuntimeClosed):
            rt.stats()

    threads = [threading.Thread(target=shut) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert results == [[pid]] * 8
        assert rt.shutdown(1) == [pid]
    finally:
        hold.let_go()


def test_shutdown_ends_children_before_their_parents() -> None:
    rt = iris.Runtime()
    ended: list[int] = []
    rt.add_hook("exit", lambda pid, ending: ended.append(pid))
    top = rt.spawn(lambda message: None)
    middle = [rt.spawn_child(top, lambda message: None) for _ in range(10)]
    low = [rt.spawn_child(pid, lambda message: None) for pid in middle]
    pulls = [rt.spawn_child_with_mailbox(pid, lambda mailbox: mailbox.recv()) for pid in middle]
    assert rt.shutdown(60) == []
    assert len(ended) == 31
    for parent, *children in zip(middle, low, pulls):
        assert all(ended.index(child) < ended.index(parent) for child in children)
    assert ended[-1] == top


def test_after_the_block_the_runtime_is_closed_and_the_exception_goes_on() -> None:
    class Mine(Exception):
        pass

    rt = iris.Runtime()

    def block() -> None:
        with rt:
            rt.spawn(lambda message: None)
            raise Mine

    pid = rt.spawn(lambda message: None)
    with pytest.raises(Mine):
        block()
    assert rt.send(pid, b"") is False
    for call in (
        lambda: rt.spawn(print),
        lambda: rt.stop(pid),
        lambda: rt.join(pid),
        lambda: rt.is_alive(pid),
        rt.stats,
        lambda: rt.whereis("name"),
        lambda: rt.send_after(pid, 1, b""),
        lambda: rt.hot_swap(pid, print),
        lambda: rt.mailbox_size(pid),
        lambda: rt._inner.spawn_py_handler(print),
    ):
        with pytest.raises(iris.RuntimeClosed):
            call()
    assert rt.shutdown() == []


def test_runtimes_live_side_by_side() -> None:
    runtimes = [iris.Runtime() for _ in range(4)]
    seen: list[list[Any]] = [[] for _ in runtimes]
    try:
        pids = [rt.spawn(got.append) for rt, got in zip(runtimes, seen)]
        for rt in runtimes:
            rt.register("same name", pids[runtimes.index(rt)])
        for number in range(1000):
            for rt, pid in zip(runtimes, pids):
                assert rt.send(pid, number)
        assert runtimes[0].shutdown(60) == []
        for rt in runtimes[1:]:
            assert rt.send_named("same name", "last")
            assert rt.quiesce(60)
            assert rt.stats()["handled"] == 1001
        assert seen[1:] == [[*range(1000), "last"]] * 3
        # One inside the other: an actor of one runtime sends to one of another and waits for it.
        first, second = runtimes[1:3]
        over = threading.Event()

        def handler(message: Any) -> None:
            assert second.send(pids[2], "from the first")
            second.stop(pids[2])
            assert second.join(pids[2], 60)
            over.set()

        first.send(first.spawn(handler), b"")
        assert over.wait(60)
    finally:
        for rt in runtimes:
            rt.shutdown()
