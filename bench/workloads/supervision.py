"""Storms of failures: every supervised actor fails at once and is restarted, three times over.

The main thread sends each actor one message at which its handler raises, and a storm is over when
all have been restarted. Meanwhile a timer of 5 ms goes on, whose lateness is what a user of the
node would notice. After each storm the resident memory is read: it has to be flat.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Callable

import iris
from bench.gauges import (
    MESSAGE,
    WAIT_S,
    Figures,
    Finish,
    Stuck,
    lateness_figures,
    lateness_s,
    rss_bytes,
)

clock = time.perf_counter
STORMS = 3
"""As often as the global supervisor restarts an actor within five seconds."""

IDLE_FIRINGS = 20

Build = Callable[[Any, int], Callable[[], list[int]]]
"""Makes n supervised actors; what it returns gives their pids of the moment."""


def fail(_message: object) -> None:
    """Handle a message by failing."""
    raise ValueError("as it should")


def by_pids(rt: Any, n: int) -> Callable[[], list[int]]:
    """Actors on the global supervisor's list, each with a factory that returns a pid."""

    def make() -> int:
        pid: int = rt.spawn(fail)
        return pid

    for _ in range(n):
        rt.supervise_with_factory(make(), make)
    pids: Callable[[], list[int]] = rt.child_pids
    return pids


def by_specs(rt: Any, n: int) -> Callable[[], list[int]]:
    """Children of one `Supervisor`, restarted in place."""
    specs = [iris.ChildSpec(str(number), lambda: fail) for number in range(n)]
    supervisor = iris.Supervisor(rt, specs, max_restarts=1_000_000, within_s=1.0)

    def pids() -> list[int]:
        return [info.pid for info in supervisor.children() if info.pid is not None]

    return pids


class Ticker:
    """The timer beside the storms."""

    def __init__(self, rt: Any) -> None:
        self.rt = rt
        self.arrivals_s: list[float] = []
        self.loaded = 0
        self.finish = Finish()
        self.pid = rt.spawn(self.tick)
        self.origin_s = clock()
        self.timer = rt.send_interval(self.pid, 5, MESSAGE)

    def tick(self, _message: object) -> None:
        """Write down a firing; the last one on an idle queue ends the measurement."""
        self.arrivals_s.append(clock())
        if self.loaded and len(self.arrivals_s) == self.loaded + IDLE_FIRINGS:
            self.finish.set()

    def figures(self) -> Figures:
        """What its lateness was until now."""
        self.loaded = len(self.arrivals_s)
        self.finish.wait("firings")
        self.rt.cancel_timer(self.timer)
        late_s, skipped = lateness_s(self.arrivals_s, self.origin_s, self.loaded)
        return lateness_figures(late_s[1:], skipped, 0.0)


def storms(n: int, build: Build) -> Figures:
    """Have n actors fail, three times."""
    logging.getLogger("iris").setLevel(logging.CRITICAL + 1)
    with iris.Runtime(dead_letters_max=0) as rt:
        pids = build(rt, n)
        rates, memory, late = [], [], []
        for storm in range(1, STORMS + 1):
            targets = pids()
            ticker = Ticker(rt)
            start_s = clock()
            for pid in targets:
                rt.send(pid, MESSAGE)
            while rt.stats()["restarts"] < storm * n:
                time.sleep(0.02)
                if clock() - start_s > WAIT_S:
                    raise Stuck(f"storm {storm} has not come to its end")
            rates.append(n / (clock() - start_s))
            late.append(ticker.figures())
            memory.append(rss_bytes())
        return {
            "rate": max(rates),
            "p99_ms": max(figures["p99_ms"] for figures in late),
            "max_ms": max(figures["max_ms"] for figures in late),
            "skipped": sum(figures["skipped"] for figures in late),
            "grown": (memory[-1] - memory[0]) / n,
        }


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "storm_pids": lambda n: storms(n, by_pids),
    "storm_specs": lambda n: storms(n, by_specs),
}
