"""Plain threads: what a pull actor is without Iris, a thread that takes from a queue."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Callable

from bench.gauges import MESSAGE, Figures, Finish, rate, rss_bytes, trips

clock = time.perf_counter


def pull(n: int) -> Figures:
    """Send n messages from the main thread to one thread."""
    queue: SimpleQueue[bytes] = SimpleQueue()
    finish = Finish()

    def drain() -> None:
        get = queue.get
        for _ in range(n):
            get()
        finish.set()

    threading.Thread(target=drain, daemon=True).start()
    put = queue.put
    start_s = clock()
    for _ in range(n):
        put(MESSAGE)
    return rate(n, start_s, finish.wait())


def ask_thread(n: int) -> Figures:
    """Two threads that hand a lock to and fro: what a round trip between threads costs here."""
    asked, answered = threading.Lock(), threading.Lock()
    asked.acquire()
    answered.acquire()

    def answer() -> None:
        while True:
            asked.acquire()
            answered.release()

    def trip() -> None:
        asked.release()
        answered.acquire()

    threading.Thread(target=answer, daemon=True).start()
    return trips(n, trip)


def rss_pull(n: int) -> Figures:
    """Bytes per thread that waits in `get`, with the stack size Iris gives its threads."""
    threading.stack_size(512 * 1024)
    started: list[int] = []

    def drain(queue: SimpleQueue[bytes]) -> None:
        started.append(1)
        queue.get()

    before = rss_bytes()
    queues: list[SimpleQueue[bytes]] = [SimpleQueue() for _ in range(n)]
    for queue in queues:
        threading.Thread(target=drain, args=(queue,), daemon=True).start()
    while len(started) < n:
        time.sleep(0.01)
    time.sleep(0.2)
    return {"bytes": (rss_bytes() - before) / len(queues)}


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "ask_thread": ask_thread,
    "pull": pull,
    "rss_pull": rss_pull,
}
