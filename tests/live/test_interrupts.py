"""Ctrl-C in a real process, wherever its main thread waits."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live


WAITS = {
    "join": "rt.join(pid)",
    "join with a limit": "rt.join(pid, 1000)",
    "quiesce": "rt.send(rt.spawn(lambda message: gevent.sleep(1e6)), b''); rt.quiesce(1000)",
    "a plain sleep": "time.sleep(1000)",
    "get_messages": """
        busy = rt.spawn_observed_handler()
        rt.send(rt.spawn(lambda message: time.sleep(3)), b"")
        while True:
            rt.send(busy, b"")
            rt.get_messages(busy)
    """,
    "a blocked send": """
        full = rt.spawn_py_handler_bounded(lambda message: gevent.sleep(1e6), 1, 1)
        rt.set_overflow_policy(full, "block")
        while True:
            rt.send(full, b"")
    """,
    "sends": """
        while True:
            rt.send(pid, b"")
            rt.quiesce(1)
    """,
}

INTERRUPTED = """
import time
import gevent
import iris

rt = iris.Runtime({hub})
pid = rt.spawn(lambda message: None)
try:
    print("ready", flush=True)
{wait}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    assert rt.send(pid, b"after"), "the runtime goes on"
    assert rt.shutdown(5) == []
    print("ended", flush=True)
else:
    print("not interrupted", flush=True)
"""


def interrupted(wait: str, hub: str = "") -> str:
    lines = [line[8:] if line.startswith(" " * 8) else line for line in wait.splitlines()]
    return INTERRUPTED.format(hub=hub, wait="\n".join("    " + line for line in lines))


@pytest.mark.parametrize("kind", WAITS)
def test_ctrl_c_reaches_the_main_thread(script: Callable[..., Any], kind: str) -> None:
    run = script(interrupted(WAITS[kind]))
    assert run.wait_for_line() == "ready"
    time.sleep(0.2)  # to hit the wait itself; earlier is no error, only another test
    run.process.send_signal(signal.SIGINT)
    run.check("interrupted\nended")


EMBEDDED_WAITS = {
    "a sleep": "gevent.sleep(1000)",
    "join": "rt.join(pid)",
    "a handler that runs": """
        def handler(message):
            while True:
                pass
        rt.send(rt.spawn(handler), b"")
        gevent.sleep(1000)
    """,
    "messages that circle": """
        ring = rt.spawn(lambda message: rt.send(ring, message))
        rt.send(ring, b"")
        gevent.sleep(1000)
    """,
}


@pytest.mark.parametrize("kind", EMBEDDED_WAITS)
def test_ctrl_c_reaches_the_main_greenlet_of_an_embedded_runtime(
    script: Callable[..., Any], kind: str
) -> None:
    run = script(interrupted(EMBEDDED_WAITS[kind], "hub='current'"))
    assert run.wait_for_line() == "ready"
    time.sleep(0.2)
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 0, run.err
    assert run.out == "interrupted\nended\n"
    # What stands in `err` is gevent's or the report of the actor that was interrupted.


def test_an_unhandled_ctrl_c_ends_the_process(script: Callable[..., Any]) -> None:
    run = script("""
        import iris
        rt = iris.Runtime()
        def handler(message):
            print("ready", flush=True)
            while True:
                pass
        pid = rt.spawn(handler)
        rt.send(pid, b"")
        rt.join(pid)
    """)
    assert run.wait_for_line() == "ready"
    run.process.send_signal(signal.SIGINT)
    assert run.end() != 0
    assert run.err.count("KeyboardInterrupt") == 1
