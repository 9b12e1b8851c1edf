"""The bytes: resident memory that one more actor costs.

Resident memory is read before and after, garbage collected first. The runtimes are not shut down:
the process ends.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Callable

import iris
from bench.gauges import MESSAGE, WAIT_S, Figures, Stuck, rss_bytes


def ignore(_message: object) -> None:
    """Handle a message by doing nothing: the handler that all actors share."""


def started() -> Any:
    """Return a runtime that has run once, so that its own memory and its thread are not counted."""
    rt = iris.Runtime()
    rt.send(rt.spawn(ignore), MESSAGE)
    drain(rt)
    return rt


def drain(rt: Any) -> None:
    """Wait until every message has been handled.

    Raises:
        Stuck: when that takes too long.
    """
    rt.quiesce(WAIT_S)
    queued = rt.stats()["queued"]
    if queued:
        raise Stuck(f"{queued} messages were still queued after {WAIT_S:.0f} s")


def idle(n: int) -> Figures:
    """Bytes per actor before its first message; the list that holds the pids counts."""
    rt = started()
    before = rss_bytes()
    pids = [rt.spawn(ignore) for _ in range(n)]
    after = rss_bytes()
    return {"bytes": (after - before) / len(pids)}


def idle_unlisted(n: int) -> Figures:
    """The same, the pids thrown away."""
    rt = started()
    before = rss_bytes()
    for _ in range(n):
        rt.spawn(ignore)
    return {"bytes": (rss_bytes() - before) / n}


def drained(n: int) -> Figures:
    """Bytes per actor after ten messages, the queues drained after each, and an idle second."""
    rt = started()
    before = rss_bytes()
    pids = [rt.spawn(ignore) for _ in range(n)]
    for _ in range(10):
        for pid in pids:
            rt.send(pid, MESSAGE)
        drain(rt)
    time.sleep(1.0)
    return {"bytes": (rss_bytes() - before) / n}


def burst(n: int) -> Figures:
    """The same, all ten messages sent to an actor in a row: the queues grow, and the bytes they
    leave behind show."""
    rt = started()
    before = rss_bytes()
    pids = [rt.spawn(ignore) for _ in range(n)]
    for pid in pids:
        for _ in range(10):
            rt.send(pid, MESSAGE)
    drain(rt)
    time.sleep(1.0)
    return {"bytes": (rss_bytes() - before) / n}


def pull(n: int) -> Figures:
    """Bytes per pull actor that waits in `recv`, its thread included."""
    return _pull(n, n)


def pull_greenlet(n: int) -> Figures:
    """Bytes per pull actor that waits in `recv` and shares its thread with many others."""
    return _pull(n, 1)


def _pull(n: int, threads: int) -> Figures:
    rt = started()
    rt.set_pull_limits(threads)
    waiting: list[int] = []

    def receive(mailbox: Any) -> None:
        waiting.append(1)
        mailbox.recv()

    fill_nursery()
    before = rss_bytes()
    pids = [rt.spawn_with_mailbox(receive) for _ in range(n)]
    until_s = time.perf_counter() + WAIT_S
    while len(waiting) < n:
        if time.perf_counter() > until_s:
            raise Stuck(f"{len(waiting)} of {n} pull actors had started after {WAIT_S:.0f} s")
        time.sleep(0.01)
    time.sleep(0.2)
    return {"bytes": (rss_bytes() - before) / len(pids)}


def fill_nursery() -> None:
    """Touch the memory in which new objects are made.

    PyPy makes it half as large as the cache of the processor, 240 MB on some machines. It is there
    once, whatever is made in it, and is no part of what an actor costs.
    """
    if sys.implementation.name == "pypy":
        for _ in range(64):
            kept = [[number] for number in range(200_000)]
            kept.clear()


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "rss_idle": idle,
    "rss_idle_unlisted": idle_unlisted,
    "rss_drained": drained,
    "rss_burst": burst,
    "rss_pull": pull,
    "rss_pull_greenlet": pull_greenlet,
}
