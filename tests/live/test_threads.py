"""When threads run out: a clear error, nothing half made, and all is well again afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live

TOO_LARGE = 1 << 47
"""A stack of the whole address space: no system can start such a thread."""


def wait_for_messages(mailbox: Any) -> None:
    while mailbox.recv() is not None:
        pass


def test_the_limit_gives_an_error_that_names_it() -> None:
    with iris.Runtime(pull_threads_max=3, pull_strict=True) as rt:
        pids = [rt.spawn_with_mailbox(wait_for_messages) for _ in range(3)]
        before = rt.stats()
        for _ in range(3):
            with pytest.raises(iris.LimitReached) as caught:
                rt.spawn_with_mailbox(wait_for_messages)
            text = str(caught.value)
            assert "3 threads" in text
            assert "pull_threads_max" in text
        assert rt.stats() == before
        assert before["spawned"] == before["actors"] == 3
        # Push actors have no thread, so they are not concerned.
        rt.spawn(print)
        assert all(rt.is_alive(pid) for pid in pids)


def test_after_a_join_the_thread_is_free_again() -> None:
    with iris.Runtime(pull_threads_max=1, pull_strict=True) as rt:
        for _ in range(300):
            pid = rt.spawn_with_mailbox(wait_for_messages)
            rt.stop(pid)
            assert rt.join(pid, 60)


def test_threads_that_spawn_at_once_get_exactly_the_limit() -> None:
    with iris.Runtime(pull_threads_max=20, pull_strict=True) as rt:
        pids: list[int] = []
        refused: list[BaseException] = []
        gate = threading.Barrier(8)

        def spawn() -> None:
            gate.wait(60)
            for _ in range(10):
                try:
                    pids.append(rt.spawn_with_mailbox(wait_for_messages))
                except iris.LimitReached as error:
                    refused.append(error)

        threads = [threading.Thread(target=spawn) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(pids), len(refused)) == (20, 60)
        assert rt.stats()["spawned"] == 20
        assert len(set(pids)) == 20


def test_the_limits_of_two_runtimes_are_their_own() -> None:
    with (
        iris.Runtime(pull_threads_max=1, pull_strict=True) as one,
        iris.Runtime(pull_threads_max=1, pull_strict=True) as two,
    ):
        for rt in (one, two):
            rt.spawn_with_mailbox(wait_for_messages)
            with pytest.raises(iris.LimitReached):
                rt.spawn_with_mailbox(wait_for_messages)


def test_a_child_that_got_no_thread_leaves_its_parent_without_a_child() -> None:
    with iris.Runtime(pull_threads_max=1, pull_strict=True) as rt:
        rt.spawn_with_mailbox(wait_for_messages)
        seen: list[Any] = []
        parent = rt.spawn(seen.append)
        with pytest.raises(iris.LimitReached):
            rt.spawn_child_with_mailbox(parent, wait_for_messages)
        # The stop word ends an actor with living children only: it has none.
        assert rt.send(parent, b"quit")
        assert rt.send(parent, b"still here")
        assert rt.quiesce(60)
        assert seen == [b"quit", b"still here"]
        assert rt.stop(parent)
        assert rt.join(parent, 60)


def test_the_system_refuses_a_thread_for_a_pull_actor(
    handles: Callable[[], tuple[int, int]],
) -> None:
    with iris.Runtime(pull_stack_bytes=TOO_LARGE, pull_strict=True) as rt:
        before, threads = rt.stats(), handles()
        for _ in range(3):
            with pytest.raises(iris.LimitReached):
                rt.spawn_with_mailbox(wait_for_messages)
        assert rt.stats() == before
        assert handles() == threads
        parent = rt.spawn(print)
        with pytest.raises(iris.LimitReached):
            rt.spawn_child_with_mailbox(parent, wait_for_messages)
        assert rt.stop(parent)
        assert rt.join(parent, 60)
    # The size of stacks is a setting of the process, which has to be as it was.
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def test_the_system_refuses_the_thread_of_a_runtime(handles: Callable[[], tuple[int, int]]) -> None:
    iris.Runtime().shutdown()  # what the first one loads stays
    threads = handles()
    before = threading.stack_size(TOO_LARGE)
    try:
        with pytest.raises(iris.LimitReached, match="hub='current'"):
            iris.Runtime()
    finally:
        threading.stack_size(before)
    now = handles()
    # Fewer: the thread of the first runtime may only now be gone for the system.
    assert now[0] <= threads[0]
    assert now[1] <= threads[1]
    with iris.Runtime() as rt:
        rt.send(rt.spawn(lambda message: None), b"")
        assert rt.quiesce(60)


def test_a_process_out_of_address_space(script: Callable[..., Any]) -> None:
    """The limit of the process itself, met in the middle of work, and lifted again."""
    script("""
        import resource
        import iris

        rt = iris.Runtime(pull_stack_bytes=128 << 20, pull_strict=True)
        got = []
        push = rt.spawn(got.append)

        def body(mailbox):
            while True:
                message = mailbox.recv()
                if message is None:
                    return
                rt.send(push, message)

        def spawn_all():
            while True:
                pids.append(rt.spawn_with_mailbox(body))
                assert len(pids) < 1000

        pids = []
        pids.append(rt.spawn_with_mailbox(body))
        rt.send(pids[0], "warm")
        assert rt.quiesce(60)
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + (700 << 20), hard))
        try:
            spawn_all()
        except iris.LimitReached as error:
            text = str(error)
        assert "no more threads" in text and "ulimit" in text, text
        living = len(pids)
        assert 2 <= living <= 6, living
        stats = rt.stats()
        assert stats["spawned"] == stats["actors"] == living + 1, stats
        for pid in pids:
            assert rt.send(pid, "hello")
        assert rt.quiesce(60)
        assert got == ["warm"] + ["hello"] * living
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        more = rt.spawn_with_mailbox(body)
        assert rt.send(more, "again")
        assert rt.quiesce(60)
        assert got[-1] == "again"
        print(rt.shutdown(20))
    """).check("[]")
