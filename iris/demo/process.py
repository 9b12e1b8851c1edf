"""The second process, as the first one sees it: started, known by its address, killed, ended.

It is `python -m iris.demo.pool` under the same interpreter. Its stdout brings one line, its
address; its stdin brings nothing, and the end of it is its own end. The system closes that pipe
however this process ends, so the other one never outlives it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import IO, Optional, cast

import iris

START_S = 30.0
"""A slow machine needs a few seconds to start an interpreter; after this time it hangs."""

END_S = 5.0
"""It has nothing to finish: so long after the end of its stdin it is killed."""

FOLDER = Path(iris.__file__).resolve().parent.parent
"""Where this very Iris lies: a checkout, or the place of installed packages."""


class NotStarted(Exception):
    """The second process does not come up; the text says what was tried and what happened."""


class Process:
    """The second process, or one after the other. `start` on one thread at a time, the rest on any.

    Args:
        results_address: where this node listens; the second one resolves the results there.
    """

    def __init__(self, results_address: str) -> None:
        self._results_address = results_address
        self._running: Optional[subprocess.Popen[bytes]] = None
        self.is_ended = False
        # Set once, before the process is ended for good.
        self.address = ""
        # Of the process that was started last, or started before while a new one begins.

    @property
    def pid(self) -> int:
        """The number that the system has given to it; 0 before the first start."""
        return 0 if self._running is None else self._running.pid

    def start(self) -> None:
        """Start it, in place of the one before, and wait until it listens, for `START_S` at most.

        Raises:
            NotStarted: it cannot be started, has ended at once, or says nothing.
        """
        self._reap()
        running = self._running = self._spawned()
        # Published first, THEN a look: `end` sets the word first and looks for a process then.
        if self.is_ended:
            running.kill()
        with cast("IO[bytes]", running.stdout) as pipe:
            ready, _, _ = select.select([pipe], [], [], START_S)
            line = pipe.readline() if ready else b""
        if line.endswith(b"\n"):
            self.address = line.decode("ascii").strip()
            return
        running.kill()
        code = running.wait()
        if not ready:
            raise NotStarted(f"process {running.pid} did not say its address in {START_S:.0f} s")
        raise NotStarted(
            f"process {running.pid}, `{' '.join(self._command())}`, ended with code {code} before"
            " it said its address; what it wrote stands above"
        )

    def _spawned(self) -> subprocess.Popen[bytes]:
        if not sys.executable:
            raise NotStarted("this Python does not know its own executable (sys.executable)")
        # Found there as they were here, also from relative entries: -m adds the working folder,
        # which may hold a csv.py of the user, so it is one that surely holds none.
        paths = os.pathsep.join(os.path.abspath(one) for one in sys.path)
        try:
            return subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=FOLDER,
                env={**os.environ, "PYTHONPATH": paths},
                # Ctrl-C in a terminal goes to all of a session; this one ends with its parent.
                start_new_session=True,
            )
        except OSError as error:
            raise NotStarted(f"{sys.executable} cannot be started: {error.strerror}") from error

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "iris.demo.pool", self._results_address]

    def kill(self) -> None:
        """Kill it (SIGKILL): it has no chance to say or to finish anything."""
        if self._running is not None:
            self._running.kill()

    def end(self) -> None:
        """Have it end, and no other be started. Waits for `END_S` at most, then kills it."""
        self.is_ended = True
        running = self._running
        if running is None:
            return
        cast("IO[bytes]", running.stdin).close()
        try:
            running.wait(END_S)
        except subprocess.TimeoutExpired:
            self._reap()

    def _reap(self) -> None:
        """See that nothing is left of it."""
        running = self._running
        if running is not None:
            running.kill()
            running.wait()
            cast("IO[bytes]", running.stdin).close()
