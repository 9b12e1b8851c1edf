"""Offloaded functions among real signals, threads and forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

import iris

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        not iris.jit.available(), reason=f"no compute sidecar: {iris.jit.why_unavailable()}"
    ),
]

ENDLESS = """
import iris, signal, sys, threading

@iris.offload
def count(n):
    s = 0
    for i in range(n):
        s += i % 3
    return s

count(1)
"""


def run(text: str) -> subprocess.Popen[str]:
    # A file, because a function needs its source; a process of its own, because it gets signals.
    return subprocess.Popen(
        [sys.executable, "-c", f"import runpy; runpy.run_path({text!r}, run_name='__main__')"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_ends_a_native_loop(tmp_path: Any) -> None:
    path = tmp_path / "endless.py"
    path.write_text(
        ENDLESS
        + "try:\n    print('ready', flush=True)\n    count(2**60)\n"
        + "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
    )
    process = run(str(path))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    # Once more for as long as it has not heard: the first can come before the loop.
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            continue
    assert process.stdout.read() == "interrupted\n"


def test_a_signal_handler_that_returns_lets_the_loop_go_on(tmp_path: Any) -> None:
    path = tmp_path / "alarm.py"
    path.write_text(
        ENDLESS
        + "heard = []\n"
        + "signal.signal(signal.SIGALRM, lambda *_: heard.append(1))\n"
        + "signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)\n"
        + "result = count(300_000_000)\n"
        + "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        + "print(result, len(heard) > 1)\n"
    )
    out, error = run(str(path)).communicate()
    assert out == f"{100_000_000 * 3} True\n", error


def test_the_interpreter_ends_while_a_daemon_thread_is_in_a_native_loop(tmp_path: Any) -> None:
    path = tmp_path / "exit.py"
    path.write_text(
        ENDLESS
        + "threading.Thread(target=count, args=(2**60,), daemon=True).start()\n"
        + "print(count(3_000_000))\n"
    )
    process = run(str(path))
    out, error = process.communicate()
    assert (out, process.returncode) == ("3000000\n", 0), error


def test_threads_call_and_compile_the_same_function() -> None:
    @iris.offload
    def f(x: Any, n: int) -> Any:
        s = x
        for i in range(n):
            s = s * 1 + i
        return s

    values = [1, 1.5, True]
    expected = [f.__wrapped__(x, 1000) for x in values]  # type: ignore[attr-defined]
    wrong: list[Any] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in range(50):
            got = [f(x, 1000) for x in values]
            if got != expected:
                wrong.append(got)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


@pytest.mark.skipif("IRIS_TEST_PATCHED" in os.environ, reason="gevent waits for children its way")
def test_a_child_of_a_fork_calls_and_compiles() -> None:
    @iris.offload
    def f(x: Any) -> Any:
        return x * 2

    assert f(2) == 4
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if (f(3), f(1.5)) == (6, 3.0) else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert f(2.5) == 5.0


def test_a_deep_recursion_on_a_small_stack_is_no_crash() -> None:
    @iris.offload
    def f(n: int) -> int:
        return 0 if n == 0 else 1 + f(n - 1)

    results: list[Any] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: results.append(f(100)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert results == [100]
