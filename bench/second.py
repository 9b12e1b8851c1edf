"""A second process of a benchmark, which does as it is told in lines of text.

Its clock is this process's: on Linux `time.perf_counter` counts from the start of the machine in
every process, so a moment of one side can be taken from one of the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from typing import Any, Callable

from bench.gauges import Stuck


class Second(AbstractContextManager["Second"]):
    """Another process of this interpreter that runs a module with `serve` in it.

    It ends with this process at the latest, because it reads its standard input.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.greeting = self._line()
        """What it says at its start: where it listens."""

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ask(self, *words: object) -> str:
        """Give it a command and return its answer.

        Raises:
            Stuck: it has ended instead.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Stuck(f"the second process, {self._module}, has ended")
        return line.strip()


def serve(greeting: str, commands: dict[str, Callable[..., Any]]) -> None:
    """In the second process: obey until the first has closed the line, then leave at once."""
    print(greeting, flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        print(commands[command](*words), flush=True)
    os._exit(0)
