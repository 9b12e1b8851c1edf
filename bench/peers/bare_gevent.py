"""Bare gevent: an actor is a raw greenlet that takes from a queue of its own; all on one hub.

The sender is a greenlet of the same hub, which is the cheapest way for gevent; Iris's main thread
is another thread. `spawn_raw` and `SimpleQueue` are gevent's cheapest greenlet and queue.
"""

from __future__ import annotations

import time
from typing import Any, Callable

import gevent
from gevent.event import Event
from gevent.queue import SimpleQueue

from bench.gauges import (
    MESSAGE,
    PERIOD_S,
    STORM_ACTORS,
    STORM_S,
    WAIT_S,
    Figures,
    Stuck,
    countdown,
    import_figures,
    lateness_figures,
    rate,
    rss_bytes,
    spin,
)

Handler = Callable[[Any], None]
clock = time.perf_counter


class Swap:
    """The message that puts another handler in place."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler


def actor(queue: SimpleQueue[Any], handle: Handler) -> None:
    """Handle the messages of one queue, one at a time, for ever."""
    get = queue.get
    while True:
        handle(get())


def spawn(handle: Handler) -> SimpleQueue[Any]:
    """Start an actor and return its queue, which stands for its pid."""
    # A `gevent.sleep(0)` after spawning comes back when all those greenlets wait: the hub's
    # callbacks are first in, first out.
    queue: SimpleQueue[Any] = SimpleQueue()
    gevent.spawn_raw(actor, queue, handle)
    return queue


def wait(finished: Event) -> float:
    """Wait for the last message."""
    if not finished.wait(WAIT_S):
        raise Stuck(f"the last message was not handled within {WAIT_S:.0f} s")
    return clock()


def ignore(_message: object) -> None:
    """Handle a message by doing nothing."""


def spawn_rate(n: int) -> Figures:
    """The clock stops when every greenlet waits for its first message."""
    start_s = clock()
    queues = [spawn(ignore) for _ in range(n)]
    gevent.sleep(0)
    end_s = clock()
    assert len(queues) == n
    return rate(n, start_s, end_s)


def spread(n: int) -> Figures:
    """Send ten rounds over n / 10 actors."""
    finished = Event()
    handle = countdown(n, finished.set)
    queues = [spawn(handle) for _ in range(n // 10)]
    gevent.sleep(0)
    start_s = clock()
    for _ in range(10):
        for queue in queues:
            queue.put(MESSAGE)
    return rate(n, start_s, wait(finished))


def sink(n: int) -> Figures:
    """Send n messages to one actor."""
    finished = Event()
    put = spawn(countdown(n, finished.set)).put
    gevent.sleep(0)
    start_s = clock()
    for _ in range(n):
        put(MESSAGE)
    return rate(n, start_s, wait(finished))


def pingpong(n: int) -> Figures:
    """Two actors answer each other until n messages have been handled."""
    finished = Event()
    left = n
    queues: list[SimpleQueue[Any]] = []

    def player(other: int) -> Handler:
        def handle(message: object) -> None:
            nonlocal left
            left -= 1
            if left > 0:
                queues[other].put(message)
            elif not left:
                finished.set()

        return handle

    queues += [spawn(player(1)), spawn(player(0))]
    start_s = clock()
    queues[0].put(MESSAGE)
    return rate(n, start_s, wait(finished))


def fanout(n: int) -> Figures:
    """One actor sends n messages in rounds over 1,000 actors."""
    finished = Event()
    handle = countdown(n, finished.set)
    queues = [spawn(handle) for _ in range(1000)]

    def drive(message: object) -> None:
        for _ in range(n // 1000):
            for queue in queues:
                queue.put(message)

    driver = spawn(drive)
    gevent.sleep(0)
    start_s = clock()
    driver.put(MESSAGE)
    return rate(n, start_s, wait(finished))


def swaps(n: int) -> Figures:
    """Swap by a marker in the queue while a feeder greenlet sends; both give way every 500
    items."""
    finished = Event()
    queue: SimpleQueue[Any] = SimpleQueue()
    put = queue.put
    handled = 0
    feeding = True

    def old(_message: object) -> None:
        nonlocal handled
        handled += 1

    def new(_message: object) -> None:
        nonlocal handled
        handled += 1

    def last(_message: object) -> None:
        if not finished.is_set():
            finished.set()

    def swappable() -> None:
        handle: Handler = old
        get = queue.get
        while True:
            item = get()
            if item.__class__ is Swap:
                handle = item.handler
            else:
                handle(item)

    def feed() -> None:
        while feeding:
            for _ in range(500):
                put(MESSAGE)
            gevent.sleep(0)

    gevent.spawn_raw(swappable)
    gevent.spawn_raw(feed)
    start_s = clock()
    gevent.sleep(0.5)
    alone = handled / (clock() - start_s)
    before, start_s = handled, clock()
    for index in range(n):
        put(Swap(new if index % 2 else old))
        if not index % 500:
            gevent.sleep(0)
    put(Swap(last))
    end_s = wait(finished)
    feeding = False
    during = (handled - before) / (end_s - start_s)
    return {"rate": n / (end_s - start_s), "messages_during": during, "messages_alone": alone}


def crash(n: int) -> Figures:
    """Each actor's handler raises; its greenlet catches that, notes it and ends (gevent's own
    report is dearer)."""
    finished = Event()
    left = n

    def mortal(queue: SimpleQueue[Any]) -> None:
        nonlocal left
        try:
            raise ValueError(queue.get())
        except ValueError:
            left -= 1
            if not left:
                finished.set()

    queues: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(n)]
    for queue in queues:
        gevent.spawn_raw(mortal, queue)
    gevent.sleep(0)
    start_s = clock()
    for queue in queues:
        queue.put(MESSAGE)
    return rate(n, start_s, wait(finished))


def rss_idle(n: int) -> Figures:
    """Bytes per actor that waits for its first message."""
    gevent.sleep(0)
    before = rss_bytes()
    queues = [spawn(ignore) for _ in range(n)]
    gevent.sleep(0)
    return {"bytes": (rss_bytes() - before) / len(queues)}


def rss_drained(n: int) -> Figures:
    """Bytes per actor after ten messages, each drained, and an idle second."""
    handled = 0

    def count(_message: object) -> None:
        nonlocal handled
        handled += 1

    gevent.sleep(0)
    before = rss_bytes()
    queues = [spawn(count) for _ in range(n)]
    gevent.sleep(0)
    for _ in range(10):
        handled = 0
        for queue in queues:
            queue.put(MESSAGE)
        while handled < n:
            gevent.sleep(0.01)
    gevent.sleep(1.0)
    return {"bytes": (rss_bytes() - before) / n}


def timer(n: int, busy_us: float) -> Figures:
    """The firings of a timer on a fixed grid, handled beside actors that send round a ring.

    Each firing sets the next one, at the next point of the grid: gevent's repeating timer drifts
    when it is late.
    """
    late_s: list[float] = []
    storming = True
    handled = 0
    finished = Event()
    ring: list[SimpleQueue[Any]] = []
    loop = gevent.get_hub().loop

    def tick(due_s: float) -> None:
        nonlocal storming
        late_s.append(clock() - due_s)
        if storming and (len(late_s) == n or clock() - start_s > STORM_S):
            storming = False
            finished.set()

    def fire(watcher: Any, due_s: float) -> None:
        watcher.close()
        ticker.put(due_s)
        arm(start_s + (max(0, int((clock() - start_s) / PERIOD_S)) + 1) * PERIOD_S)

    def arm(due_s: float) -> None:
        watcher = loop.timer(max(0.0, due_s - clock()))
        watcher.start(fire, watcher, due_s, update=True)

    def member(index: int) -> Handler:
        def handle(message: object) -> None:
            nonlocal handled
            handled += 1
            if busy_us:
                spin(busy_us)
            if storming:
                ring[index - 1].put(message)

        return handle

    ring += [spawn(member(index)) for index in range(STORM_ACTORS)]
    ticker = spawn(tick)
    gevent.sleep(0)
    start_s = clock()
    arm(start_s + PERIOD_S)
    for queue in ring:
        queue.put(MESSAGE)
    took_s = wait(finished) - start_s
    return lateness_figures(late_s, int(took_s / PERIOD_S) - len(late_s), handled / took_s)


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "spawn": spawn_rate,
    "spread": spread,
    "sink": sink,
    "pingpong": pingpong,
    "fanout": fanout,
    "swaps": swaps,
    "crash": crash,
    "rss_idle": rss_idle,
    "rss_drained": rss_drained,
    "timer_0us": lambda n: timer(n, 0.0),
    "timer_100us": lambda n: timer(n, 100.0),
    "import": lambda n: import_figures("gevent", n),
}
LIMITS = {"rss_idle": 100_000}
REPEATS_MAX = {"spawn": 2, "spread": 2, "crash": 2}
"""The 100k actors of a repeat weigh on the next: gevent and asyncio have no cheap end for them."""
