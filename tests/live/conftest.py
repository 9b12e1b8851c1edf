"""Scripts that run in an interpreter of their own, and patience without fixed sleeps."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from iris.run import process

SCRIPT_S = 90.0
"""A script that takes longer hangs; the watchdog of the test itself waits for 120 s."""


class Script:
    """A Python program in a process of its own."""

    def __init__(self, source: str, folder: Path, arguments: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", source, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out = ""
        self.err = ""

    def wait_for_line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self, timeout_s: float = SCRIPT_S) -> int:
        """Wait for its end; the exit code."""
        try:
            self.out, self.err = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(6)  # SIGABRT: faulthandler prints all stacks
            self.out, self.err = self.process.communicate()
            pytest.fail(f"the script hangs:\n{self.out}\n{self.err}")
        return self.process.returncode

    def check(self, out: Optional[str] = None) -> None:
        """It has to end by itself with exit code 0, without a traceback, saying `out`."""
        code = self.end()
        assert code == 0, f"exit code {code}:\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err, self.err
        if out is not None:
            assert self.out.strip() == out


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Say of a test that has failed what its runtimes and threads were doing at that moment."""
    report = (yield).get_result()  # type: ignore[func-returns-value]
    if report.when == "call" and report.failed and item.get_closest_marker("live"):
        report.sections.append(("Living runtimes", "\n".join(_runtimes())))


def _runtimes() -> Iterator[str]:
    for system in list(process._living.values()):
        try:
            yield str(system.snapshot.stats())  # type: ignore[attr-defined]
            for cell in list(system.table.cells())[:50]:  # type: ignore[attr-defined]
                flags = f"ready={cell.ready} special={cell.special} running={cell.running}"
                yield f"{cell.pid} {cell.spec.kind} {cell.state.name} queued={cell.size()} {flags}"
        except Exception as error:  # It is being shut down.
            yield repr(error)
    for thread, frame in sys._current_frames().items():
        stack = traceback.extract_stack(frame)[-4:]
        yield f"{thread}: " + " < ".join(f"{one.name}:{one.lineno}" for one in reversed(stack))


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    """Start a script; whatever still runs after the test is killed."""
    started: list[Script] = []

    def start(source: str, *arguments: str) -> Script:
        started.append(Script(textwrap.dedent(source), tmp_path, arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


class Hold:
    """Holds whoever waits in a C call, which gevent neither patches nor interrupts."""

    def __init__(self) -> None:
        self._readable, self._writable = os.pipe()
        self._let_go = False

    def wait(self) -> None:
        """Block the calling thread until `let_go`."""
        os.read(self._readable, 1)

    def let_go(self) -> None:
        """Release all who wait, now and later."""
        if not self._let_go:
            self._let_go = True
            # A byte for each, and not the end of the pipe: gevent 26 puts os.close off.
            os.write(self._writable, b"x" * 1000)

    def __del__(self) -> None:
        # Not sooner: whoever is about to wait refers to this object.
        for descriptor in (self._readable, self._writable):
            os.close(descriptor)


@pytest.fixture
def hold() -> Iterator[Hold]:
    """What makes an actor stuck, also in a patched process; let go when the test ends."""
    one = Hold()
    yield one
    one.let_go()


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait for something that no event tells: `until(lambda: ...)` gives its true value."""

    def wait(true: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        end = time.monotonic() + timeout_s
        value = true()
        while not value:
            assert time.monotonic() < end, "it did not come true"
            time.sleep(0.002)
            value = true()
        return value

    return wait


@pytest.fixture
def handles() -> Callable[[], tuple[int, int]]:
    """How many threads and descriptors this process has."""

    def count() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/task"):
        pytest.skip("only Linux tells in /proc")
    return count
