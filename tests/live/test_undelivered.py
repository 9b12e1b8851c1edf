"""Dead letters under real threads and signals: nothing torn, nothing silent, nothing grown."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live


def gone(rt: iris.Runtime) -> int:
    """The pid of an actor that has ended."""
    pid = rt.spawn(len)
    rt.stop(pid)
    assert rt.join(pid, 60)
    return pid


def test_letters_are_read_whole_while_threads_send_to_nobody() -> None:
    with iris.Runtime(dead_letters_max=50) as rt:
        pid = gone(rt)
        # Pull actors, for these have real threads in a patched process too.
        senders = [
            rt.spawn_with_mailbox(lambda mailbox: [rt.send(pid, b"x") for _ in range(20_000)])
            for _ in range(4)
        ]
        reads = 0
        while not reads or any(map(rt.is_alive, senders)):
            read = rt.dead_letters()
            assert {(one.pid, one.message_size) for one in read} <= {(pid, 1)}
            reads += bool(read)
        assert {one.sender for one in rt.dead_letters()} <= set(senders)
        assert len(rt.dead_letters()) == 50
        assert rt.stats()["undeliverable"] == 80_000


def test_the_hook_is_called_on_the_thread_of_the_runtime(until: Callable[..., Any]) -> None:
    threads: list[int] = []
    with iris.Runtime(
        on_undelivered=lambda letter: threads.append(threading.get_native_id())
    ) as rt:
        rt.send(rt.spawn(lambda message: threads.append(threading.get_native_id())), b"")
        until(lambda: threads)
        rt.send(gone(rt), b"")
        until(lambda: len(threads) == 2)
    assert threads[0] == threads[1]


def test_a_closed_runtime_gives_false_and_raises_for_its_letters() -> None:
    rt = iris.Runtime()
    pid = gone(rt)
    rt.send(pid, b"")
    assert len(rt.dead_letters()) == 1
    rt.shutdown()
    assert rt.send(pid, b"") is False
    with pytest.raises(iris.RuntimeClosed):
        rt.dead_letters()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer here")
def test_a_signal_handler_that_raises_in_the_middle_does_not_silence_the_hooks(
    script: Callable[..., Any],
) -> None:
    # A process of its own, for those of the test tools swallow what is raised in their callbacks.
    run = script("""
        import logging, signal, time
        import iris

        class Raised(Exception):
            pass

        logging.getLogger("iris").setLevel(logging.CRITICAL)
        got = []
        rt = iris.Runtime(on_undelivered=got.append)
        pid = rt.spawn(len)
        rt.stop(pid)
        rt.join(pid)

        def interrupt(*_):
            rt.send(pid, b"from the signal handler")
            raise Raised

        signal.signal(signal.SIGALRM, interrupt)
        for cut in range(200):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + cut * 1e-6)
                while True:
                    rt.send(pid, b"")
            except Raised:
                pass
        rt.send(pid, b"the last")
        end = time.monotonic() + 60
        while not got or got[-1].message_size != 8:
            assert time.monotonic() < end
            time.sleep(0.002)
        letters = rt.dead_letters()
        assert letters[-1].message_size == 8
        assert {one.pid for one in letters} == {pid}
        rt.shutdown()
        print("told")
    """)
    run.check("told")
