"""The rates: spawn, send and handle, crash and end.

The sender is the main thread, the handlers run on the runtime's own thread, and the clock stops in
the handler of the last message.
"""

from __future__ import annotations

import time
from typing import Any, Callable

import iris
from bench.gauges import MESSAGE, Figures, Finish, Stuck, countdown, rate, trips

clock = time.perf_counter


def ignore(_message: object) -> None:
    """Handle a message by doing nothing."""


def spawn(n: int) -> Figures:
    """Spawn n actors; the last one handles a message before the clock stops, so that no spawning is
    put off."""
    with iris.Runtime() as rt:
        finish = Finish()
        spawn_one = rt.spawn
        start_s = clock()
        pids = [spawn_one(ignore) for _ in range(n - 1)]
        pids.append(spawn_one(countdown(1, finish.set)))
        rt.send(pids[-1], MESSAGE)
        return rate(n, start_s, finish.wait())


def spread(n: int) -> Figures:
    """Send ten rounds over n / 10 actors."""
    with iris.Runtime() as rt:
        finish = Finish()
        handle = countdown(n, finish.set)
        pids = [rt.spawn(handle) for _ in range(n // 10)]
        send = rt.send
        start_s = clock()
        for _ in range(10):
            for pid in pids:
                send(pid, MESSAGE)
        return rate(n, start_s, finish.wait())


def sink(n: int) -> Figures:
    """Send n messages to one actor."""
    with iris.Runtime() as rt:
        finish = Finish()
        pid = rt.spawn(countdown(n, finish.set))
        send = rt.send
        start_s = clock()
        for _ in range(n):
            send(pid, MESSAGE)
        return rate(n, start_s, finish.wait())


def pingpong(n: int) -> Figures:
    """Two actors answer each other until n messages have been handled."""
    with iris.Runtime() as rt:
        finish = Finish()
        send = rt.send
        left = n
        pids: list[int] = []

        def player(other: int) -> Callable[[Any], None]:
            def handle(message: Any) -> None:
                nonlocal left
                left -= 1
                if left > 0:
                    send(pids[other], message)
                elif not left:
                    finish.set()

            return handle

        pids += [rt.spawn(player(1)), rt.spawn(player(0))]
        start_s = clock()
        send(pids[0], MESSAGE)
        return rate(n, start_s, finish.wait())


def fanout(n: int) -> Figures:
    """One actor sends n messages in rounds over 1,000 actors."""
    with iris.Runtime() as rt:
        finish = Finish()
        handle = countdown(n, finish.set)
        pids = [rt.spawn(handle) for _ in range(1000)]
        send = rt.send

        def drive(message: Any) -> None:
            for _ in range(n // 1000):
                for pid in pids:
                    send(pid, message)

        driver = rt.spawn(drive)
        start_s = clock()
        send(driver, MESSAGE)
        return rate(n, start_s, finish.wait())


def pull(n: int) -> Figures:
    """Send n messages from the main thread to a pull actor."""
    with iris.Runtime() as rt:
        finish = Finish()

        def drain(mailbox: Any) -> None:
            recv = mailbox.recv
            for _ in range(n):
                recv()
            finish.set()

        pid = rt.spawn_with_mailbox(drain)
        send = rt.send
        start_s = clock()
        for _ in range(n):
            send(pid, MESSAGE)
        return rate(n, start_s, finish.wait())


def ask_thread(n: int) -> Figures:
    """Ask an actor from the main thread."""
    with iris.Runtime() as rt:
        pid = rt.spawn(rt.reply)
        return trips(n, lambda: rt.ask(pid, MESSAGE, 60.0))


def ask_inside(n: int) -> Figures:
    """Ask an actor from the handler of another."""
    with iris.Runtime() as rt:
        finish = Finish()
        figures: Figures = {}
        pid = rt.spawn(rt.reply)

        def asking(_message: object) -> None:
            figures.update(trips(n, lambda: rt.ask(pid, MESSAGE, 60.0)))
            finish.set()

        rt.send(rt.spawn(asking), MESSAGE)
        finish.wait()
        return figures


def release_gil(n: int) -> Figures:
    """Send n messages to an actor on a worker of its own, then n to eight that share a pool."""
    with iris.Runtime(release_gil_max_threads=1, release_gil_pool_size=4) as rt:
        send = rt.send
        finish = Finish()
        pid = rt.spawn(countdown(n, finish.set), release_gil=True)
        start_s = clock()
        for _ in range(n):
            send(pid, MESSAGE)
        figures = rate(n, start_s, finish.wait())

        finish = Finish()
        done: list[None] = []

        def one_done() -> None:
            # Each actor counts for itself; of these calls two may meet, and appending is atomic.
            done.append(None)
            if len(done) == 8:
                finish.set()

        pids = [rt.spawn(countdown(n // 8, one_done), release_gil=True) for _ in range(8)]
        start_s = clock()
        for _ in range(n // 8):
            for pid in pids:
                send(pid, MESSAGE)
        figures["pool"] = n // 8 * 8 / (finish.wait() - start_s)
        return figures


def crash(n: int) -> Figures:
    """The handler of each of n actors raises; the clock stops when the last of them is dead.

    Raises:
        Stuck: when one of the others is still alive then, so that the figure would be too good.
    """
    with iris.Runtime() as rt:
        finish = Finish()
        count = countdown(n, finish.set)

        def fail(message: object) -> None:
            count(message)
            raise ValueError(message)

        pids = [rt.spawn(fail) for _ in range(n)]
        send, is_alive = rt.send, rt.is_alive
        start_s = clock()
        for pid in pids:
            send(pid, MESSAGE)
        finish.wait("crashes")
        while is_alive(pids[-1]):
            time.sleep(0.0002)
        end_s = clock()
        if any(map(is_alive, pids)):
            raise Stuck("an actor outlived the crash of one that had its message later")
        return rate(n, start_s, end_s)


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "spawn": spawn,
    "spread": spread,
    "sink": sink,
    "pingpong": pingpong,
    "fanout": fanout,
    "pull": pull,
    "ask_thread": ask_thread,
    "ask_inside": ask_inside,
    "release_gil": release_gil,
    "crash": crash,
}
