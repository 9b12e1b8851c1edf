"""Threads: for pull actors one each, and how many of these a process can bear; for workers."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.errors import LimitReached
from iris.run.bed import Bed, Lodger, ThreadBed
from iris.run.context import Place
from iris.run.hub import drop_hub_of_thread
from iris.run.native import start_thread

PULL_THREADS_MOST = 8192
"""More threads than this make every switch slower and no work faster."""


def process_thread_limit() -> Optional[int]:
    """How many threads the limits of this process leave; None where nothing tells."""
    limits = []
    try:
        import resource

        soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
        if soft != resource.RLIM_INFINITY and soft > 0:
            limits.append(soft)
    except (ImportError, AttributeError, ValueError, OSError):
        pass
    for name, share in (
        ("/proc/sys/kernel/threads-max", 1),
        ("/proc/sys/vm/max_map_count", 2),  # A thread's stack and its guard are two maps.
        ("/sys/fs/cgroup/pids.max", 1),
        ("/sys/fs/cgroup/pids/pids.max", 1),
    ):
        try:
            with open(name, encoding="ascii") as file:
                limits.append(int(file.read()) // share)
        except (OSError, ValueError):
            continue
    return min(limits) if limits else None


def default_pull_threads_max() -> int:
    """min(8192, half of what the process limits leave), at least 1."""
    left = process_thread_limit()
    return PULL_THREADS_MOST if left is None else max(1, min(PULL_THREADS_MOST, left // 2))


class Threads:
    """One real thread for each pull actor.

    Args:
        stack_bytes: the stack of each thread.
        runtime: tells which runtime the actors belong to.
        left: called when an actor needs its thread no more.
    """

    __slots__ = ("_left", "_runtime", "_stack_bytes")

    is_shared = False

    def __init__(
        self, stack_bytes: int, runtime: Callable[[], Any], left: Callable[[], None]
    ) -> None:
        self._stack_bytes = stack_bytes
        self._runtime = runtime
        self._left = left

    def start(self, lodger: Lodger) -> None:
        lodger.move_in(self, ThreadBed())
        try:
            start_thread(lodger.run, self._stack_bytes)
        except RuntimeError as error:
            raise LimitReached(
                f"the process can start no more threads for pull actors ({error}). Stop some, or"
                " raise the limits of the process (ulimit -u, threads-max, max_map_count)"
            ) from error

    def place(self) -> Place:
        return Place(None, self._runtime)

    def leaving(self) -> None:
        # Before the joiners are told: they may want the thread for another actor.
        self._left()

    def ended(self) -> None:
        drop_hub_of_thread()


class WorkerThreads:
    """The threads of workers; `iris.run.blocking` says how many there may be."""

    __slots__ = ("_runtime",)

    def __init__(self, runtime: Callable[[], Any]) -> None:
        self._runtime = runtime

    def make_bed(self) -> Bed:
        return ThreadBed()

    def start(self, entry: Callable[[], None]) -> None:
        # On the platform's own stack: what runs there is C code that nobody has measured.
        start_thread(entry)

    def place(self) -> Place:
        return Place(None, self._runtime)

    def give_way(self) -> None:
        """The system shares the processor out."""

    def ended(self) -> None:
        drop_hub_of_thread()
