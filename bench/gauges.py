"""Tools that a workload measures with: the last message, resident memory, lateness, import time.

They run in the process that is measured, so they are small and import the standard library only.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from _thread import allocate_lock
from typing import Callable

Figures = dict[str, float]
"""What one run of a workload gives: the key of a metric -> its value."""

WAIT_S = 100.0
"""How long a workload waits for its last message: far over any honest run, below the time limit of
a child."""

PERIOD_S = 0.005
"""The interval of the timer rows."""

STORM_S = 10.0
"""How long a timer row storms at most: a system that fires late for long gives fewer firings, not
an endless run."""

STORM_ACTORS = 500
"""How many actors keep the queue of the timer rows saturated."""

MESSAGE = b"m"
"""The message of every workload: one object, so that its making is not part of the figure."""


class Stuck(RuntimeError):
    """Raised when the last message was not handled in time."""


class Finish:
    """The moment when the last message was handled, told by the handler that handled it."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()
        self.at_s = 0.0

    def set(self) -> None:
        """Take the time and wake the waiter; called once, by the handler."""
        self.at_s = time.perf_counter()
        self._lock.release()

    def wait(self, what: str = "messages", limit_s: float = WAIT_S) -> float:
        """Wait for `set` and return its time, so that waking this thread is not counted.

        Raises:
            Stuck: when it does not come within `limit_s`.
        """
        if not self._lock.acquire(timeout=limit_s):
            raise Stuck(f"the last of the {what} was not handled within {limit_s:.0f} s")
        return self.at_s


def countdown(n: int, finished: Callable[[], None]) -> Callable[[object], None]:
    """Make a handler that calls `finished` at its n-th message.

    The count is not locked: all handlers of one system run on one thread, in Iris as in the peers.
    """
    left = n

    def handle(_message: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            finished()

    return handle


def rate(n: int, start_s: float, end_s: float) -> Figures:
    """The usual figure: n things in the time between two readings of the clock."""
    return {"rate": n / (end_s - start_s)}


def rss_bytes() -> int:
    """Return the resident memory of this process, garbage collected first."""
    for _ in range(3):  # what finalizers free on PyPy goes with the next collection
        gc.collect()
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no line VmRSS: the memory rows need Linux")


def spin(duration_us: float) -> None:
    """Keep the processor busy for so many microseconds, as a handler with real work would."""
    end_s = time.perf_counter() + duration_us * 1e-6
    while time.perf_counter() < end_s:
        pass


def percentile(ordered: list[float], share: float) -> float:
    """Return the nearest-rank percentile of an ordered list."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def trips(n: int, trip: Callable[[], object]) -> Figures:
    """Time n round trips one by one."""
    clock = time.perf_counter
    took_s = []
    for _ in range(n):
        start_s = clock()
        trip()
        took_s.append(clock() - start_s)
    took_s.sort()
    return {"p50": percentile(took_s, 0.5) * 1e6, "p99": percentile(took_s, 0.99) * 1e6}


def lateness_s(arrivals_s: list[float], origin_s: float, loaded: int) -> tuple[list[float], int]:
    """Compare the arrivals of an interval timer with its grid origin + k * PERIOD_S.

    A late interval fires once and not in a burst, so a firing may stand for several points of the
    grid, and an arrival alone does not say which. Two things are known: the run ends with firings
    on an idle queue, late by less than a period, which tell how many points were skipped in all;
    and nothing arrives before it is due. An arrival is compared with the oldest point that it may
    stand for, and points are taken as skipped as soon as that is possible. So without skips the
    result is exact; with many it is rather too low than too high, and their number is returned.

    Args:
        arrivals_s: when each firing was handled; the first `loaded` under load, the others idle.
        origin_s: when the timer was started.
        loaded: how many arrivals to report.

    Returns:
        The lateness of each loaded arrival, and the number of skipped points.
    """
    # skips_max[i]: how many points may have been skipped before arrival i.
    skips_max = [int((at_s - origin_s) / PERIOD_S) - i for i, at_s in enumerate(arrivals_s, 1)]
    for i in range(len(skips_max) - 1, 0, -1):
        skips_max[i - 1] = max(0, min(skips_max[i - 1], skips_max[i]))
    late_s = []
    skipped = 0
    for i in range(loaded):
        skipped = min(skipped, skips_max[i])
        late = arrivals_s[i] - origin_s - (i + 1 + skipped) * PERIOD_S
        late_s.append(late)
        skipped += int(max(late, 0.0) / PERIOD_S)
    return late_s, max(0, skips_max[-1])


def lateness_figures(late_s: list[float], skipped: int, storm_rate: float) -> Figures:
    """Sum up the lateness of a run in milliseconds."""
    ordered = sorted(late_s)
    return {
        "p50_ms": percentile(ordered, 0.50) * 1e3,
        "p99_ms": percentile(ordered, 0.99) * 1e3,
        "max_ms": ordered[-1] * 1e3,
        "firings": float(len(ordered)),
        "skipped": float(skipped),
        "storm_rate": storm_rate,
    }


def import_figures(module: str, times: int) -> Figures:
    """Measure what `import module` adds to the start of a bare interpreter, alternately.

    One start of each goes before, uncounted: it writes the byte code, as an installation does, into
    a temporary folder, and fills the file cache.
    """
    commands = {"bare": "pass", "module": f"import {module}"}
    taken: dict[str, list[float]] = {"bare": [], "module": []}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for attempt in range(times + 1):
            for name, code in commands.items():
                start_s = time.perf_counter()
                subprocess.run([sys.executable, "-c", code], check=True, env=environment)
                if attempt:
                    taken[name].append((time.perf_counter() - start_s) * 1e3)
    bare, module_ms = sorted(taken["bare"]), sorted(taken["module"])
    return {
        "min_ms": module_ms[0] - bare[0],
        "median_ms": percentile(module_ms, 0.5) - percentile(bare, 0.5),
        "bare_ms": bare[0],
    }
