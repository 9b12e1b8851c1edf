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
        threads = [
            threading.Thread(target=lambda: [rt.send(pid, b"x") for _ in range(20_000)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        reads = 0
        while any(thread.is_alive() for thread in threads):
            assert {(one.pid, one.message_size) for one in rt.dead_letters()} <= {(pid, 1)}
            reads += 1
        assert reads
        assert len(rt.dead_letters()) == 50
        assert rt.stats()["undeliverable"] == 80_000


def test_the_hook_is_called_on_the_thread_of_the_runtime(until: Callable[..., Any]) -> None:
    threads: list[int] = []
    with iris.Runtime(on_undelivered=lambda letter: threads.append(threading.get_ident())) as rt:
        rt.send(rt.spawn(lambda message: threads.append(threading.get_ident())), b"")
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


class Raised(Exception):
    """What the signal handler raises."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer here")
def test_a_signal_handler_that_raises_in_the_middle_does_not_silence_the_hooks(
    until: Callable[..., Any],
) -> None:
    got: list[Any] = []
    with iris.Runtime() as rt:
        rt.add_hook("undelivered", got.append)
        pid = gone(rt)

        def interrupt(*_: Any) -> None:
            rt.send(pid, b"from the signal handler")
            raise Raised

        before = signal.signal(signal.SIGALRM, interrupt)
        cut = 0
        try:
            while cut < 100:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0002)
                    while True:
                        rt.send(pid, b"")
                except Raised:
                    cut += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        rt.send(pid, b"the last")
        until(lambda: got and got[-1].message_size == 8)
        letters = rt.dead_letters()
        assert letters[-1].message_size == 8
        assert {one.pid for one in letters} == {pid}
