"""Threads: for pull actors one each, and how many of these there may be; for workers."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.config import Config
from iris.errors import LimitReached
from iris.run.bed import Bed, ThreadBed
from iris.run.context import Place
from iris.run.hub import drop_hub_of_thread
from iris.run.native import new_rlock, start_thread

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


class ThreadLimit:
    """Counts the threads of the pull actors of one runtime."""

    __slots__ = ("_lock", "limit", "taken")

    def __init__(self, limit: Optional[int]) -> None:
        self.limit = default_pull_threads_max() if limit is None else limit
        self.taken = 0
        self._lock = new_rlock()

    def take(self) -> None:
        """Take one thread; LimitReached when there is none left."""
        with self._lock:
            if self.taken >= self.limit:
                raise LimitReached(
                    f"all {self.limit} threads for pull actors are in use (pull_threads_max);"
                    " stop some pull actors, use push actors, or raise the limit with"
                    f" Runtime(pull_threads_max={2 * self.limit})"
                )
            self.taken += 1

    def give_back(self) -> None:
        """A thread has ended."""
        with self._lock:
            self.taken -= 1


class Threads:
    """One real thread for each pull actor."""

    __slots__ = ("_limit", "_runtime", "_stack_bytes")

    def __init__(self, config: Config, runtime: Callable[[], Any]) -> None:
        self._limit = ThreadLimit(config.pull_threads_max)
        self._stack_bytes = config.pull_stack_bytes
        self._runtime = runtime

    def make_bed(self) -> Bed:
        return ThreadBed()

    def start(self, entry: Callable[[], None]) -> None:
        self._limit.take()
        try:
            start_thread(entry, self._stack_bytes)
        except RuntimeError as error:
            self._limit.give_back()
            raise LimitReached(
                f"the process can start no more threads ({error}); {self._limit.taken} pull"
                " actors of this runtime have one now. Stop some, or raise the limits of the"
                " process (ulimit -u, threads-max, max_map_count)"
            ) from error

    def place(self) -> Place:
        return Place(None, self._runtime)

    def leaving(self) -> None:
        # Before the joiners are told: they may want the thread for another actor.
        self._limit.give_back()

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
