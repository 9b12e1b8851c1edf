"""Erlang: plain processes on one scheduler, where `erl` and `erlc` are installed.

`iris_bench.erl` is compiled into a temporary folder for each run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Callable

from bench.gauges import Figures

SOURCE = Path(__file__).with_name("iris_bench.erl")
LIMIT_S = 100.0


def run(workload: str, n: int, repeats: int) -> list[Figures]:
    """Run a workload so often in one emulator and return the figures of its repeats."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["erlc", "-o", folder, str(SOURCE)], check=True, timeout=LIMIT_S)
        emulator = ["erl", "-noshell", "-noinput", "+S", "1:1", "+P", "4000000", "-pa", folder]
        command = [*emulator, "-run", "iris_bench", "main", workload, str(n), str(repeats)]
        output = subprocess.run(command, check=True, timeout=LIMIT_S, stdout=subprocess.PIPE).stdout
    figures: list[Figures] = json.loads(output.splitlines()[-1])["repeats"]
    return figures


NAMES = (
    "spawn",
    "spread",
    "sink",
    "pingpong",
    "fanout",
    "swaps",
    "crash",
    "rss_idle",
    "rss_drained",
    "timer_0us",
    "timer_100us",
)
REPEATED: dict[str, Callable[[int, int], list[Figures]]] = {
    name: partial(run, name) for name in NAMES
}
INSTALLED = shutil.which("erl") is not None and shutil.which("erlc") is not None
NOT_FEASIBLE: dict[str, str] = (
    {} if INSTALLED else dict.fromkeys(NAMES, "erl and erlc are not installed")
)
