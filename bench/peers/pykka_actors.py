"""Pykka: an actor is a thread with a queue.

So the rows of 100k actors are out of its reach, and the others run smaller.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, cast

import pykka

from bench.gauges import MESSAGE, Figures, Finish, import_figures, rate, rss_bytes

Handler = Callable[[Any], None]
clock = time.perf_counter
Ref = Any
"""A pykka.ActorRef, which is generic in some versions only."""


class Actor(pykka.ThreadingActor):
    """An actor that hands every message to a handler."""

    use_daemon_thread = True

    def __init__(self, handle: Handler) -> None:
        super().__init__()
        self.handle = handle

    def on_receive(self, message: Any) -> None:
        """Handle one message."""
        self.handle(message)


class Mortal(pykka.ThreadingActor):
    """An actor that ends at its first message, as pykka ends one that failed; its report of that is
    left out."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> None:
        """Raise, catch and stop."""
        try:
            raise ValueError(message)
        except ValueError:
            self.stop()


def spawn(handle: Handler) -> Ref:
    """Start an actor."""
    return Actor.start(handle)


def counted(n: int, finish: Finish) -> Callable[[], None]:
    """Make a function that ends the run at its n-th call, from whichever thread: the actors'
    threads race."""
    lock = threading.Lock()
    left = n

    def count() -> None:
        nonlocal left
        with lock:
            left -= 1
            if left:
                return
        finish.set()

    return count


def every(n: int, then: Callable[[], None]) -> Handler:
    """Make a handler for one actor that calls `then` at its n-th message."""
    left = n

    def handle(_message: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            then()

    return handle


def ignore(_message: object) -> None:
    """Handle a message by doing nothing."""


def spawn_rate(n: int) -> Figures:
    """Pykka's start returns when the thread has been started."""
    start_s = clock()
    refs = [spawn(ignore) for _ in range(n)]
    end_s = clock()
    pykka.ActorRegistry.stop_all()
    return rate(len(refs), start_s, end_s)


def sink(n: int) -> Figures:
    """Send n messages from the main thread to one actor."""
    finish = Finish()
    ref = spawn(every(n, finish.set))
    start_s = clock()
    for _ in range(n):
        ref.tell(MESSAGE)
    end_s = finish.wait()
    ref.stop()
    return rate(n, start_s, end_s)


def pingpong(n: int) -> Figures:
    """Two actors answer each other until n messages have been handled."""
    finish = Finish()
    left = n
    refs: list[Ref] = []

    def player(other: int) -> Handler:
        def handle(message: object) -> None:
            nonlocal left
            left -= 1
            if left > 0:
                refs[other].tell(message)
            elif not left:
                finish.set()

        return handle

    refs += [spawn(player(1)), spawn(player(0))]
    start_s = clock()
    refs[0].tell(MESSAGE)
    end_s = finish.wait()
    pykka.ActorRegistry.stop_all()
    return rate(n, start_s, end_s)


def fanout(n: int) -> Figures:
    """One actor sends n messages in rounds over 1,000 actors."""
    finish = Finish()
    count = counted(1000, finish)
    refs = [spawn(every(n // 1000, count)) for _ in range(1000)]

    def drive(message: object) -> None:
        for _ in range(n // 1000):
            for ref in refs:
                ref.tell(message)

    driver = spawn(drive)
    start_s = clock()
    driver.tell(MESSAGE)
    end_s = finish.wait()
    pykka.ActorRegistry.stop_all()
    return rate(n, start_s, end_s)


def crash(n: int) -> Figures:
    """The clock stops when the last actor has left pykka's registry."""
    refs = [cast(Ref, Mortal.start()) for _ in range(n)]
    start_s = clock()
    for ref in refs:
        ref.tell(MESSAGE)
    for ref in refs:
        while ref.is_alive():
            time.sleep(0.0002)
    return rate(n, start_s, clock())


def rss_idle(n: int) -> Figures:
    """Bytes per actor that waits for its first message."""
    threading.stack_size(512 * 1024)
    before = rss_bytes()
    refs = [spawn(ignore) for _ in range(n)]
    time.sleep(0.2)
    return {"bytes": (rss_bytes() - before) / len(refs)}


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "spawn": spawn_rate,
    "sink": sink,
    "pingpong": pingpong,
    "fanout": fanout,
    "pull": sink,
    "crash": crash,
    "rss_idle": rss_idle,
    "rss_pull": rss_idle,
    "import": lambda n: import_figures("pykka", n),
}
LIMITS = {
    "spawn": 1000,
    "sink": 100_000,
    "pingpong": 50_000,
    "fanout": 20_000,
    "pull": 50_000,
    "crash": 1000,
    "rss_idle": 1000,
}
NOT_FEASIBLE = {
    "spread": "100k actors would be 100k threads",
    "rss_drained": "100k actors would be 100k threads",
    "swaps": "pykka has no hot swap",
    "timer_0us": "pykka has no timers",
    "timer_100us": "pykka has no timers",
}
