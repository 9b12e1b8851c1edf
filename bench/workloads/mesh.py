"""The mesh: messages to a second process over loopback, and what an idle peer costs.

The clock stops in the other process, in the handler of the last message. A `send` that is refused
because the link is full is made again after a pause, so that every message arrives.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable

import gevent

import iris
from bench.gauges import WAIT_S, Figures, Finish, Stuck, percentile, rate, rss_bytes, trips
from bench.second import Second
from bench.workloads.far import KEY, node

clock = time.perf_counter

PAUSE_S = 0.0005
"""How long a sender waits when the link is full."""

PAYLOAD = b"m" * 64

FLOODED = 100_000
"""Messages of a flood that were handled before anything is measured beside it: by then whatever
holds back a sender has begun to."""

IDLE_S = 3.0
"""How long idle peers are watched for what they cost."""


def send_to_all(rt: Any, pids: list[int], n: int, payload: bytes, pause: Any) -> None:
    """Send n messages in turn, each until it is accepted.

    Raises:
        Stuck: a proxy has died, or the last message is not accepted in time.
    """
    send = rt.send
    end_s = clock() + WAIT_S
    for _ in range(n // len(pids)):
        for pid in pids:
            while not send(pid, payload):
                if not rt.is_alive(pid) or clock() > end_s:
                    raise Stuck("the link to the second process does not take the messages")
                pause(PAUSE_S)


def keyed(workload: Callable[[int, int], list[Figures]], n: int, repeats: int) -> list[Figures]:
    """Run a workload between nodes that have a key, so that they speak version 2."""
    os.environ[KEY] = secrets.token_hex(32)
    return workload(n, repeats)


def oneway(n: int, repeats: int, actors: int, size: int, from_actor: bool) -> list[Figures]:
    """Send n messages of a size over a number of actors, again and again between two processes."""
    payload = b"m" * size
    figures: list[Figures] = []
    with Second("bench.workloads.far") as far, node() as rt:
        address = f"127.0.0.1:{far.greeting}"
        for index in range(repeats):
            far.ask("count", actors, n, f"count{index}")
            pids = [rt.resolve_remote(address, f"count{index}.{one}") for one in range(actors)]
            if from_actor:
                starts_s: list[float] = []

                def drive(_message: object, pids: list[int] = pids) -> None:
                    starts_s.append(clock())  # noqa: B023  # Called before the next repeat.
                    send_to_all(rt, pids, n, payload, gevent.sleep)

                rt.send(rt.spawn(drive), b"go")
                end_s = float(far.ask("wait"))
                start_s = starts_s[0]
            else:
                start_s = clock()
                send_to_all(rt, pids, n, payload, time.sleep)
                end_s = float(far.ask("wait"))
            figures.append(rate(n, start_s, end_s))
    return figures


class Trips:
    """An actor that sends a message to another process, waits for it to come back, and again."""

    def __init__(self, rt: Any, far: Second) -> None:
        self.rt = rt
        self.took_s: list[float] = []
        self._n = 0
        self._finish = Finish()
        self._sent_s = 0.0
        self._pid = rt.spawn(self.came_back)
        address = f"127.0.0.1:{far.greeting}"
        rt.register("back", self._pid)
        far.ask("echo", "echo", rt.listen("127.0.0.1:0"), "back")
        self._echo = rt.resolve_remote(address, "echo")

    def came_back(self, _message: object) -> None:
        """Time a trip and begin the next; the first message begins only."""
        if self._sent_s:
            self.took_s.append(clock() - self._sent_s)
        if len(self.took_s) == self._n:
            self._finish.set()
            return
        self._sent_s = clock()
        send_to_all(self.rt, [self._echo], 1, PAYLOAD, gevent.sleep)

    def make(self, n: int) -> Figures:
        """Make n trips one after the other."""
        self.took_s, self._n, self._sent_s, self._finish = [], n, 0.0, Finish()
        self.rt.send(self._pid, b"go")
        self._finish.wait("trips")
        ordered = sorted(self.took_s)
        return {"p50": percentile(ordered, 0.5) * 1e6, "p99": percentile(ordered, 0.99) * 1e6}


def trip(n: int, repeats: int) -> list[Figures]:
    """Round trips while nothing else is sent."""
    with Second("bench.workloads.far") as far, node() as rt:
        made = Trips(rt, far)
        return [made.make(n) for _ in range(repeats)]


@contextmanager
def flood(rt: Any, far: Second) -> Iterator[Callable[[Callable[[], Figures]], Figures]]:
    """Have a thread send as much as the link takes; gives what adds the rate of it to figures."""
    far.ask("sink", "sink")
    sink = rt.resolve_remote(f"127.0.0.1:{far.greeting}", "sink")
    over = False

    def send() -> None:
        while not over:
            send_to_all(rt, [sink], 1000, PAYLOAD, time.sleep)

    def beside(measure: Callable[[], Figures]) -> Figures:
        before, start_s = int(far.ask("so_far")), clock()
        figures = measure()
        handled = int(far.ask("so_far")) - before
        return {**figures, "flood": rate(handled, start_s, clock())["rate"]}

    flooding = threading.Thread(target=send, daemon=True)
    flooding.start()
    try:
        while int(far.ask("so_far")) < FLOODED:
            time.sleep(0.01)
        yield beside
    finally:
        over = True
        flooding.join()


def trip_flood(n: int, repeats: int) -> list[Figures]:
    """Round trips while another thread sends as much as the link takes."""
    with Second("bench.workloads.far") as far, node() as rt:
        made = Trips(rt, far)
        with flood(rt, far) as beside:
            return [beside(lambda: made.make(n)) for _ in range(repeats)]


def ask(n: int, repeats: int) -> list[Figures]:
    """Questions of an actor to one of the other process, while nothing else is sent."""
    with Second("bench.workloads.far") as far, node() as rt:
        asking = asker(rt, far)
        return [asking(n) for _ in range(repeats)]


def ask_flood(n: int, repeats: int) -> list[Figures]:
    """The same while another thread sends as much as the link takes."""
    with Second("bench.workloads.far") as far, node() as rt:
        asking = asker(rt, far)
        with flood(rt, far) as beside:
            return [beside(lambda: asking(n)) for _ in range(repeats)]


def asker(rt: Any, far: Second) -> Callable[[int], Figures]:
    """What has an actor ask n times and gives the figures."""
    far.ask("answer", "answer")
    target = rt.resolve_remote(f"127.0.0.1:{far.greeting}", "answer")

    def asking(n: int) -> Figures:
        finish = Finish()
        figures: Figures = {}

        def question() -> None:
            while True:
                try:
                    rt.ask(target, PAYLOAD, WAIT_S)
                    return
                except iris.LimitReached:  # The link is full.
                    gevent.sleep(PAUSE_S)

        def handle(_message: object) -> None:
            figures.update(trips(n, question))
            finish.set()

        rt.send(rt.spawn(handle), b"go")
        finish.wait("answers")
        return figures

    return asking


def rss_peer(n: int) -> Figures:
    """Bytes for each of n peers that are watched and have nothing to say, and their work."""
    with Second("bench.workloads.far") as far, node() as rt:
        far.ask("sink", "sink")
        rt.resolve_remote(f"127.0.0.1:{far.greeting}", "sink")
        before, before_far = rss_bytes(), int(far.ask("rss"))
        for index in range(n):
            host = f"127.0.{1 + index // 250}.{1 + index % 250}"
            rt.resolve_remote(f"{host}:{far.greeting}", "sink")
        time.sleep(1.0)
        busy_s = time.process_time()
        time.sleep(IDLE_S)
        busy_s = time.process_time() - busy_s
        return {
            "bytes": (rss_bytes() - before) / n,
            "bytes_far": (int(far.ask("rss")) - before_far) / n,
            "busy": 100 * busy_s / IDLE_S,
        }


REPEATED: dict[str, Callable[[int, int], list[Figures]]] = {
    "oneway": partial(oneway, actors=1, size=64, from_actor=False),
    "oneway_actor": partial(oneway, actors=1, size=64, from_actor=True),
    "oneway_100": partial(oneway, actors=100, size=64, from_actor=False),
    "oneway_actor_100": partial(oneway, actors=100, size=64, from_actor=True),
    "oneway_1k": partial(oneway, actors=1, size=1024, from_actor=False),
    "oneway_keyed": partial(keyed, partial(oneway, actors=1, size=64, from_actor=False)),
    "trip": trip,
    "trip_flood": trip_flood,
    "ask": partial(keyed, ask),
    "ask_flood": partial(keyed, ask_flood),
}
WORKLOADS: dict[str, Callable[[int], Figures]] = {"rss_peer": rss_peer}
