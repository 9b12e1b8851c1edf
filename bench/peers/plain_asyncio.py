"""Plain asyncio: an actor is a task that takes from an `asyncio.Queue` of its own; all on one loop.

The sender is a coroutine of the same loop, which is the cheapest way for asyncio
(`call_soon_threadsafe` for each message would be dearer); Iris's main thread is another thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Callable

from bench.gauges import (
    MESSAGE,
    PERIOD_S,
    STORM_ACTORS,
    STORM_S,
    WAIT_S,
    Figures,
    countdown,
    import_figures,
    lateness_figures,
    rate,
    rss_bytes,
    spin,
)

Handler = Callable[[Any], None]
clock = time.perf_counter
tasks: set[asyncio.Task[None]] = set()
"""The loop holds its tasks weakly, so they are held here."""


class Swap:
    """The message that puts another handler in place."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler


async def actor(queue: asyncio.Queue[Any], handle: Handler) -> None:
    """Handle the messages of one queue, one at a time, for ever."""
    get = queue.get
    while True:
        handle(await get())


def start(coroutine: Coroutine[Any, Any, None]) -> None:
    """Start a task and hold it."""
    tasks.add(asyncio.get_running_loop().create_task(coroutine))


def spawn(handle: Handler) -> asyncio.Queue[Any]:
    """Start an actor and return its queue, which stands for its pid."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    start(actor(queue, handle))
    return queue


async def wait(finished: asyncio.Event) -> float:
    """Wait for the last message."""
    await asyncio.wait_for(finished.wait(), WAIT_S)
    return clock()


def ignore(_message: object) -> None:
    """Handle a message by doing nothing."""


async def spawn_rate(n: int) -> Figures:
    """The clock stops when every task waits for its first message."""
    start_s = clock()
    queues = [spawn(ignore) for _ in range(n)]
    await asyncio.sleep(0)
    end_s = clock()
    return rate(len(queues), start_s, end_s)


async def spread(n: int) -> Figures:
    """Send ten rounds over n / 10 actors."""
    finished = asyncio.Event()
    handle = countdown(n, finished.set)
    queues = [spawn(handle) for _ in range(n // 10)]
    await asyncio.sleep(0)
    start_s = clock()
    for _ in range(10):
        for queue in queues:
            queue.put_nowait(MESSAGE)
    return rate(n, start_s, await wait(finished))


async def sink(n: int) -> Figures:
    """Send n messages to one actor."""
    finished = asyncio.Event()
    put = spawn(countdown(n, finished.set)).put_nowait
    await asyncio.sleep(0)
    start_s = clock()
    for _ in range(n):
        put(MESSAGE)
    return rate(n, start_s, await wait(finished))


async def pingpong(n: int) -> Figures:
    """Two actors answer each other until n messages have been handled."""
    finished = asyncio.Event()
    left = n
    queues: list[asyncio.Queue[Any]] = []

    def player(other: int) -> Handler:
        def handle(message: object) -> None:
            nonlocal left
            left -= 1
            if left > 0:
                queues[other].put_nowait(message)
            elif not left:
                finished.set()

        return handle

    queues += [spawn(player(1)), spawn(player(0))]
    start_s = clock()
    queues[0].put_nowait(MESSAGE)
    return rate(n, start_s, await wait(finished))


async def fanout(n: int) -> Figures:
    """One actor sends n messages in rounds over 1,000 actors."""
    finished = asyncio.Event()
    handle = countdown(n, finished.set)
    queues = [spawn(handle) for _ in range(1000)]

    def drive(message: object) -> None:
        for _ in range(n // 1000):
            for queue in queues:
                queue.put_nowait(message)

    driver = spawn(drive)
    await asyncio.sleep(0)
    start_s = clock()
    driver.put_nowait(MESSAGE)
    return rate(n, start_s, await wait(finished))


async def swaps(n: int) -> Figures:
    """Swap by a marker in the queue while a feeder task sends; both give way every 500 items."""
    finished = asyncio.Event()
    queue: asyncio.Queue[Any] = asyncio.Queue()
    put = queue.put_nowait
    handled = 0
    feeding = True

    def old(_message: object) -> None:
        nonlocal handled
        handled += 1

    def new(_message: object) -> None:
        nonlocal handled
        handled += 1

    def last(_message: object) -> None:
        finished.set()

    async def swappable() -> None:
        handle: Handler = old
        get = queue.get
        while True:
            item = await get()
            if item.__class__ is Swap:
                handle = item.handler
            else:
                handle(item)

    async def feed() -> None:
        while feeding:
            for _ in range(500):
                put(MESSAGE)
            await asyncio.sleep(0)

    start(swappable())
    start(feed())
    start_s = clock()
    await asyncio.sleep(0.5)
    alone = handled / (clock() - start_s)
    before, start_s = handled, clock()
    for index in range(n):
        put(Swap(new if index % 2 else old))
        if not index % 500:
            await asyncio.sleep(0)
    put(Swap(last))
    end_s = await wait(finished)
    feeding = False
    during = (handled - before) / (end_s - start_s)
    return {"rate": n / (end_s - start_s), "messages_during": during, "messages_alone": alone}


async def crash(n: int) -> Figures:
    """Each actor's handler raises; its task catches that, notes it and ends."""
    finished = asyncio.Event()
    left = n

    async def mortal(queue: asyncio.Queue[Any]) -> None:
        nonlocal left
        try:
            raise ValueError(await queue.get())
        except ValueError:
            left -= 1
            if not left:
                finished.set()

    queues: list[asyncio.Queue[Any]] = [asyncio.Queue() for _ in range(n)]
    for queue in queues:
        start(mortal(queue))
    await asyncio.sleep(0)
    start_s = clock()
    for queue in queues:
        queue.put_nowait(MESSAGE)
    return rate(n, start_s, await wait(finished))


async def rss_idle(n: int) -> Figures:
    """Bytes per actor that waits for its first message."""
    before = rss_bytes()
    queues = [spawn(ignore) for _ in range(n)]
    await asyncio.sleep(0.01)
    return {"bytes": (rss_bytes() - before) / len(queues)}


async def rss_drained(n: int) -> Figures:
    """Bytes per actor after ten messages, each drained, and an idle second."""
    handled = 0

    def count(_message: object) -> None:
        nonlocal handled
        handled += 1

    before = rss_bytes()
    queues = [spawn(count) for _ in range(n)]
    await asyncio.sleep(0.01)
    for _ in range(10):
        handled = 0
        for queue in queues:
            queue.put_nowait(MESSAGE)
        while handled < n:
            await asyncio.sleep(0.01)
    await asyncio.sleep(1.0)
    return {"bytes": (rss_bytes() - before) / n}


async def timer(n: int, busy_us: float) -> Figures:
    """The firings of a timer on a fixed grid, handled beside actors that send round a ring."""
    late_s: list[float] = []
    storming = True
    handled = 0
    finished = asyncio.Event()
    ring: list[asyncio.Queue[Any]] = []
    loop = asyncio.get_running_loop()

    def tick(due_s: float) -> None:
        nonlocal storming
        late_s.append(loop.time() - due_s)
        if storming and (len(late_s) == n or loop.time() - start_s > STORM_S):
            storming = False
            finished.set()

    def fire(due_s: float) -> None:
        ticker.put_nowait(due_s)
        arm(start_s + (int((loop.time() - start_s) / PERIOD_S) + 1) * PERIOD_S)

    def arm(due_s: float) -> None:
        loop.call_at(due_s, fire, due_s)

    def member(index: int) -> Handler:
        def handle(message: object) -> None:
            nonlocal handled
            handled += 1
            if busy_us:
                spin(busy_us)
            if storming:
                ring[index - 1].put_nowait(message)

        return handle

    ring += [spawn(member(index)) for index in range(STORM_ACTORS)]
    ticker = spawn(tick)
    await asyncio.sleep(0.01)
    start_s = loop.time()
    arm(start_s + PERIOD_S)
    for queue in ring:
        queue.put_nowait(MESSAGE)
    await wait(finished)
    took_s = loop.time() - start_s
    return lateness_figures(late_s, int(took_s / PERIOD_S) - len(late_s), handled / took_s)


def on_a_loop(
    workload: Callable[..., Coroutine[Any, Any, Figures]], *settings: float
) -> Callable[[int], Figures]:
    """Make a workload that runs on a fresh loop."""

    def run(n: int) -> Figures:
        tasks.clear()
        return asyncio.run(workload(n, *settings))

    return run


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "spawn": on_a_loop(spawn_rate),
    "spread": on_a_loop(spread),
    "sink": on_a_loop(sink),
    "pingpong": on_a_loop(pingpong),
    "fanout": on_a_loop(fanout),
    "swaps": on_a_loop(swaps),
    "crash": on_a_loop(crash),
    "rss_idle": on_a_loop(rss_idle),
    "rss_drained": on_a_loop(rss_drained),
    "timer_0us": on_a_loop(timer, 0.0),
    "timer_100us": on_a_loop(timer, 100.0),
    "import": lambda n: import_figures("asyncio", n),
}
LIMITS = {"rss_idle": 100_000}
REPEATS_MAX = {"spawn": 2, "spread": 2, "crash": 2}
"""The 100k actors of a repeat weigh on the next: gevent and asyncio have no cheap end for them."""
