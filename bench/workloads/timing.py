"""What happens beside a load: hot swaps, timers; and the time of `import iris`."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

import iris
from bench.gauges import (
    MESSAGE,
    STORM_ACTORS,
    STORM_S,
    Figures,
    Finish,
    import_figures,
    lateness_figures,
    lateness_s,
    rate,
    spin,
)

clock = time.perf_counter
QUEUED_MAX = 20_000
"""How far the feeder of the swaps runs ahead: enough that the actor never waits, little enough for
the memory."""


def swaps(n: int) -> Figures:
    """Swap n times from the main thread while a feeder thread keeps sending; stops when the last
    swap has taken effect.

    Two handlers take turns and a third, whose first message ends the run, comes last: swaps keep
    their order.
    """
    with iris.Runtime() as rt:
        finish = Finish()
        handled = 0
        over = False

        def old(_message: object) -> None:
            nonlocal handled
            handled += 1

        def new(_message: object) -> None:
            nonlocal handled
            handled += 1

        def last(_message: object) -> None:
            nonlocal handled, over
            handled += 1
            if not over:
                over = True
                finish.set()

        def feed() -> None:
            send = rt.send
            sent = 0
            while not over:
                for _ in range(500):
                    send(pid, MESSAGE)
                sent += 500
                while sent - handled > QUEUED_MAX and not over:
                    time.sleep(0.0005)

        pid = rt.spawn(old)
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        hot_swap = rt.hot_swap
        try:
            time.sleep(0.2)
            before, start_s = handled, clock()
            time.sleep(0.8)
            alone = rate(handled - before, start_s, clock())["rate"]
            before, start_s = handled, clock()
            for _ in range(n // 2):
                hot_swap(pid, new)
                hot_swap(pid, old)
            hot_swap(pid, last)
            end_s = finish.wait("swaps")
            during = rate(handled - before, start_s, end_s)["rate"]
        finally:
            over = True
            feeder.join()
        return {**rate(n, start_s, end_s), "messages_during": during, "messages_alone": alone}


def timer(n: int, busy_us: float) -> Figures:
    """The firings of `send_interval`, as its actor handles them, beside actors that send to
    themselves and each other.

    Each of these sends one message for each that it handles, so that all of them are ready all the
    time. The timer is started on an idle queue, the storm at its first firing, and after the storm
    it goes on for a while on an idle queue (see `lateness_s`).
    """
    idle = 20
    with iris.Runtime() as rt:
        finish = Finish()
        send = rt.send
        arrivals_s: list[float] = []
        loaded = 0
        storming = True
        handled = 0
        pids: list[int] = []

        def tick(_message: object) -> None:
            nonlocal loaded, storming
            arrivals_s.append(clock())
            if len(arrivals_s) == 1:
                for pid in pids:
                    send(pid, MESSAGE)
            elif storming and (len(arrivals_s) > n or arrivals_s[-1] - arrivals_s[0] > STORM_S):
                storming, loaded = False, len(arrivals_s)
            elif not storming and len(arrivals_s) == loaded + idle:
                finish.set()

        def member(index: int) -> Callable[[Any], None]:
            target = index if index % 2 else (index + 2) % STORM_ACTORS

            def handle(message: Any) -> None:
                nonlocal handled
                handled += 1
                if busy_us:
                    spin(busy_us)
                if storming:
                    send(pids[target], message)

            return handle

        pids += [rt.spawn(member(index)) for index in range(STORM_ACTORS)]
        ticker = rt.spawn(tick)
        time.sleep(0.05)
        origin_s = clock()
        timer_id = rt.send_interval(ticker, 5, MESSAGE)
        finish.wait("firings", STORM_S + 20.0)
        rt.cancel_timer(timer_id)
        late_s, skipped = lateness_s(arrivals_s, origin_s, loaded)
        return lateness_figures(
            late_s[1:], skipped, handled / (arrivals_s[loaded - 1] - arrivals_s[0])
        )


WORKLOADS: dict[str, Callable[[int], Figures]] = {
    "swaps": swaps,
    "timer_0us": lambda n: timer(n, 0.0),
    "timer_100us": lambda n: timer(n, 100.0),
    "import": lambda n: import_figures("iris", n),
}
