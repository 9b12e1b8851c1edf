"""How a process with a runtime left open comes to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live


# Each starts something that would hold up an interpreter, and leaves the runtime open.
HOLDERS = {
    "idle": """
        pid = rt.spawn(print)
        started.set()
    """,
    "endless loop": """
        def handler(message):
            started.set()
            while True:
                pass
        rt.send(rt.spawn(handler), b"")
    """,
    "sleep in C": """
        def handler(message):
            started.set()
            time.sleep(1e9)
        rt.send(rt.spawn(handler), b"")
    """,
    "handler blocked in gevent": """
        def handler(message):
            started.set()
            gevent.sleep(1e9)
        rt.send(rt.spawn(handler), b"")
    """,
    "pull actor in recv": """
        def body(mailbox):
            started.set()
            while mailbox.recv() is not None:
                pass
        rt.spawn_with_mailbox(body)
    """,
    "pull actor asleep in C": """
        def body(mailbox):
            started.set()
            time.sleep(1e9)
        rt.spawn_with_mailbox(body)
    """,
    "pull actor in an endless loop": """
        def body(mailbox):
            started.set()
            while True:
                pass
        rt.spawn_with_mailbox(body)
    """,
    "pull actors that share threads, in recv": """
        rt.set_pull_limits(1)
        def body(mailbox):
            started.set()
            while mailbox.recv() is not None:
                pass
        for _ in range(300):
            rt.spawn_with_mailbox(body)
    """,
    "pull actors that share threads, asleep in C and in gevent, and in an endless loop": """
        rt.set_pull_limits(1)
        rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        def body(mailbox):
            started.set()
            while True:
                pass
        for one in (lambda mailbox: time.sleep(1e9), lambda mailbox: gevent.sleep(1e9), body):
            rt.spawn_with_mailbox(one)
    """,
    "a sending thread": """
        pid = rt.spawn(lambda message: None)
        def sender():
            while True:
                rt.send(pid, b"")
                started.set()
        threading.Thread(target=sender, daemon=True).start()
    """,
    "a blocked sender": """
        def handler(message):
            started.set()
            gevent.sleep(1e9)
        pid = rt.spawn_py_handler_bounded(handler, 1, 1)
        rt.set_overflow_policy(pid, "block")
        def sender():
            while True:
                rt.send(pid, b"")
        threading.Thread(target=sender, daemon=True).start()
    """,
    "an interval": """
        rt.send_interval(rt.spawn(lambda message: started.set()), 1, b"")
    """,
    "two runtimes": """
        other = iris.Runtime()
        other.send_interval(other.spawn(lambda message: started.set()), 1, b"")
    """,
}

PREPARED = """
import sys, threading, time
import gevent
import iris

rt = iris.Runtime(exit_drain_s=0.2)
started = threading.Event()
{body}
assert started.wait(60)
print("main is over", flush=True)
{end}
"""

ENDS = {
    "returns": ("", 0),
    "exits with 7": ("sys.exit(7)", 7),
    "raises": ("raise ValueError('from main')", 1),
}


def holder(body: str, end: str) -> str:
    lines = "\n".join(line[8:] for line in body.splitlines())
    return PREPARED.format(body=lines, end=end)


@pytest.mark.parametrize("kind", HOLDERS)
def test_the_interpreter_exits_with_its_own_code(script: Callable[..., Any], kind: str) -> None:
    runs = [(script(holder(HOLDERS[kind], end)), code) for end, code in ENDS.values()]
    for run, code in runs:
        assert run.end() == code, run.err
        assert run.out == "main is over\n"
        assert run.err.count("Traceback") == (1 if code == 1 else 0), run.err
        assert ("ValueError: from main" in run.err) == (code == 1)


def test_queued_messages_are_handled_before_the_exit(script: Callable[..., Any]) -> None:
    run = script("""
        import iris
        rt = iris.Runtime(exit_drain_s=60)
        lines = []
        def collect(message):
            gevent.sleep(0)
            print(message)
        import gevent
        pid = rt.spawn(collect)
        for number in range(500):
            rt.send(pid, number)
    """)
    run.check("\n".join(map(str, range(500))))


def test_the_exit_waits_for_queued_messages_no_longer_than_told(
    script: Callable[..., Any],
) -> None:
    run = script("""
        import iris, time, atexit
        def report():
            print("took less than 20 s" if time.monotonic() - began < 20 else "took long")
        atexit.register(report)
        rt = iris.Runtime(exit_drain_s=0.1)
        pid = rt.spawn(lambda message: time.sleep(0.05))
        for number in range(10_000):
            rt.send(pid, number)
        began = time.monotonic()
    """)
    run.check("took less than 20 s")


def test_an_exit_after_shutdown_is_quiet(script: Callable[..., Any]) -> None:
    run = script("""
        import iris
        with iris.Runtime() as rt:
            pid = rt.spawn(print)
            rt.send(pid, "hello")
            rt.quiesce(60)
        print(rt.send(pid, "too late"))
    """)
    run.check("hello\nFalse")


def test_the_exit_starts_no_thread(script: Callable[..., Any]) -> None:
    """CPython 3.12 refuses new threads at that time, so it would be an error there."""
    run = script("""
        import _thread, atexit
        import iris.run.native as native
        import iris
        late = []
        original = native.start_new_thread
        def start(*args):
            if exiting:
                late.append(args)
            return original(*args)
        native.start_new_thread = start
        exiting = []
        atexit.register(lambda: print(len(late), "threads"))
        rt = iris.Runtime()
        parent = rt.spawn(print)
        rt.spawn_child_with_mailbox(parent, lambda mailbox: mailbox.recv())
        atexit.register(lambda: exiting.append(True))
    """)
    run.check("0 threads")


def test_importing_iris_starts_nothing(script: Callable[..., Any]) -> None:
    run = script("""
        import signal, sys, threading
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        import iris
        after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        print(before == after, threading.active_count(), "gevent" in sys.modules)
    """)
    run.check("True 1 False")
