"""What every benchmark shares: machine, interpreters, runs in child processes, figures, the table.

A figure is the best of the repeats inside one process; the rounds give many of them, of which best,
median and spread are shown. Nothing here knows a workload.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.rows import Metric, Row

ROOT = Path(__file__).resolve().parent.parent
"""The repository: children start in it, so that they import the `iris` of this checkout."""

CHILD_LIMIT_S = 180.0
"""How long one child may take; the waits inside it are shorter, so that it can say what it waited
for."""

NURSERY = "4M"
"""What PyPy gives new objects, unless the environment says otherwise. Left alone it takes half of
the processor's cache: beside a cache of hundreds of megabytes each collection then clears so much
that a pause takes 40 ms, and the nursery weighs more than the actors whose memory is measured."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs workloads."""

    command: str
    implementation: str
    label: str
    versions: Mapping[str, str | None] = field(hash=False, compare=False)


@dataclass(frozen=True)
class Side:
    """A system on an interpreter: one line of each row in the table."""

    system: str
    interpreter: Interpreter

    @property
    def label(self) -> str:
        """What the table calls it."""
        if self.system == "erlang":
            return "erlang +S 1:1"
        return f"{self.system}, {self.interpreter.label}"


@dataclass
class Results:
    """All that one side gave in one row."""

    n: int = 0
    runs: list[list[dict[str, float]]] = field(default_factory=list)
    """One entry a round: the figures of each repeat."""
    reason: str = ""
    """Why there is nothing, or what went wrong last."""
    settled: bool = False
    """Another round would give nothing either: the side has no such row, or cannot run it."""


@dataclass(frozen=True)
class Summary:
    """One metric of one side over the rounds."""

    best: float
    median: float
    low: float
    high: float
    cold: float
    """The median of the first repeats: before the JIT and the caches are warm."""
    rounds: int


def inspect(command: str) -> Interpreter:
    """Ask a Python what it is.

    Raises:
        SystemExit: when it does not start or cannot run the benchmarks.
    """
    try:
        output = subprocess.run(
            [command, "-m", "bench.child", "describe"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            timeout=CHILD_LIMIT_S,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"--python {command}: {error}") from error
    line = json.loads(output.splitlines()[-1])
    return Interpreter(command, line["implementation"], line["label"], line["versions"])


def machine() -> dict[str, Any]:
    """Describe the machine: what a figure cannot be read without."""
    model = platform.processor() or platform.machine()
    memory_gib = 0.0
    if sys.platform == "linux":
        for line in (
            Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
        ):
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
        memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": model,
        "cores_usable": usable,
        "memory_gib": round(memory_gib, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def run_child(side: Side, row: Row, n: int, repeats: int, results: Results) -> dict[str, Any]:
    """Run one workload in a fresh process, add what it gave to the results, and return its line.

    A child that fails gives a reason and no figures: one broken row must not cost the others.
    """
    command = [
        side.interpreter.command,
        "-m",
        "bench.child",
        side.system,
        row.name,
        str(n),
        str(repeats),
    ]
    line: dict[str, Any]
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                check=False,
                env={"PYPY_GC_NURSERY": NURSERY, **os.environ},
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=CHILD_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            line = {"failed": f"no end within {CHILD_LIMIT_S:.0f} s"}
        else:
            line = parsed(done.stdout) or {"failed": last_words(errors, done.returncode)}
    results.n = line.get("n", results.n)
    if "repeats" in line:
        results.runs.append(line["repeats"])
    results.settled = "skip" in line or "na" in line
    results.reason = line.get("na") or line.get("failed") or results.reason
    return line


def parsed(output: bytes) -> dict[str, Any] | None:
    """Return the last line of a child as an object, None when it gave none."""
    for text in reversed(output.splitlines()):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            return line
    return None


def last_words(errors: IO[bytes], returncode: int) -> str:
    """Return the last line that a failed child wrote to its standard error."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return f"failed ({returncode}): {lines[-1] if lines else 'no message'}"


def summary(results: Results, metric: Metric) -> Summary | None:
    """Sum up one metric over the rounds; None when there is no figure."""
    best_of = max if metric.more_is_better else min
    warm, cold = [], []
    for repeats in results.runs:
        values = [figures[metric.key] for figures in repeats if metric.key in figures]
        if values:
            warm.append(best_of(values))
            cold.append(values[0])
    if not warm:
        return None
    return Summary(
        best_of(warm),
        statistics.median(warm),
        min(warm),
        max(warm),
        statistics.median(cold),
        len(warm),
    )


def advantage(own: Summary | None, peer: Summary | None, metric: Metric) -> float | None:
    """Return how many times better Iris's best is than the peer's: over 1 means that Iris is ahead.

    That is Iris / peer where more is better, peer / Iris where less is.
    """
    if own is None or peer is None:
        return None
    over, under = (own.best, peer.best) if metric.more_is_better else (peer.best, own.best)
    return over / under if over > 0 and under > 0 else None


def verdict(own: Summary, metric: Metric, implementation: str) -> str:
    """Compare the best with the floor; empty where there is no floor."""
    floor = (metric.floors or {}).get(implementation)
    if floor is None:
        return ""
    reached = own.best >= floor if metric.more_is_better else own.best <= floor
    sign = ">=" if metric.more_is_better else "<="
    return f"{sign} {number(floor, metric.unit)} {'OK' if reached else 'BELOW'}"


def number(value: float, unit: str) -> str:
    """Write a figure with three digits and its unit."""
    if unit == "B":
        return f"{value / 1024:.1f} KiB" if abs(value) >= 10_240 else f"{value:.0f} B"
    for scale, prefix in ((1e6, "M"), (1e3, "k")):
        if unit == "/s" and abs(value) >= scale:
            return f"{value / scale:.3g}{prefix}{unit}"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip() if unit != "/s" else text + unit


def print_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print lines under a header, first column to the left and the others to the right."""
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    for line in [header, *lines]:
        cells = [
            text.ljust(width) if not column else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths))
        ]
        print("  " + "  ".join(cells).rstrip(), flush=True)


class JsonLines:
    """Writes each run and each summary as a line of JSON, where a file was asked for."""

    def __init__(self, path: str | None) -> None:
        self._file: IO[str] | None = open(path, "w", encoding="utf-8") if path else None  # noqa: SIM115 - closed in close

    def write(self, kind: str, **values: Any) -> None:
        """Write one line at once, so that a run that is broken off keeps what it had."""
        if self._file is not None:
            self._file.write(json.dumps({"kind": kind, **values}) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
