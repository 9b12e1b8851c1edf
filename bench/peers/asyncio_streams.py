"""Bare asyncio streams between two processes: a frame a `write`, `drain` now and then.

The other side reads with a large buffer and calls a function for each message. The sender is a
coroutine of the loop, in the rows from a thread as well as in those from an actor.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any, Callable

from bench.gauges import Figures, percentile, rate, rss_bytes
from bench.peers.frames import (
    COUNTED,
    ECHO,
    EXPECT,
    HEADER,
    TIME,
    frame,
    handle_all,
    handlers_of,
)
from bench.second import Second, serve

clock = time.perf_counter

RECEIVE_BYTES = 256 * 1024
DRAIN_EACH = 100


async def receive(reader: Any, writer: Any) -> None:
    """Handle what comes until the end."""
    handlers = handlers_of(writer.write, clock)
    rest = b""
    while True:
        data = await reader.read(RECEIVE_BYTES)
        if not data:
            writer.close()
            return
        rest = handle_all(rest + data, handlers)


async def send_to_all(writer: Any, actors: int, n: int, payload: bytes) -> None:
    """Send n messages in turn."""
    write = writer.write
    until_drain = DRAIN_EACH
    for _ in range(n // actors):
        for number in range(COUNTED, COUNTED + actors):
            write(frame(number, payload))
            until_drain -= 1
            if not until_drain:
                until_drain = DRAIN_EACH
                await writer.drain()


async def oneway(far: Second, n: int, repeats: int, actors: int, size: int) -> list[Figures]:
    """Send n messages over a number of receivers of one process."""
    payload = b"m" * size
    reader, writer = await asyncio.open_connection("127.0.0.1", int(far.greeting))
    figures = []
    for _ in range(repeats):
        writer.write(frame(EXPECT, n.to_bytes(8, "big")))
        start_s = clock()
        await send_to_all(writer, actors, n, payload)
        answer = await reader.readexactly(HEADER.size + TIME.size)
        figures.append(rate(n, start_s, TIME.unpack(answer[HEADER.size :])[0]))
    writer.close()
    return figures


async def make_trips(reader: Any, writer: Any, n: int) -> Figures:
    """Make n trips one after the other."""
    message = frame(ECHO, b"m" * 64)
    took_s = []
    for _ in range(n):
        start_s = clock()
        writer.write(message)
        await reader.readexactly(len(message))
        took_s.append(clock() - start_s)
    took_s.sort()
    return {"p50": percentile(took_s, 0.5) * 1e6, "p99": percentile(took_s, 0.99) * 1e6}


async def trip(far: Second, n: int, repeats: int) -> list[Figures]:
    """Round trips while nothing else is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(far.greeting))
    figures = [await make_trips(reader, writer, n) for _ in range(repeats)]
    writer.close()
    return figures


async def trip_flood(far: Second, n: int, repeats: int) -> list[Figures]:
    """The same while another task sends as much as `drain` lets it, on the same connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(far.greeting))
    writer.write(frame(EXPECT, (1 << 62).to_bytes(8, "big")))
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while True:
            await send_to_all(writer, 1, 1000, b"m" * 64)
            sent += 1000
            await asyncio.sleep(0)

    flooding = asyncio.ensure_future(flood())
    figures = []
    for _ in range(repeats):
        before, start_s = sent, clock()
        made = await make_trips(reader, writer, n)
        made["flood"] = (sent - before) / (clock() - start_s)
        figures.append(made)
    flooding.cancel()
    writer.close()
    return figures


async def rss_peer(far: Second, n: int, repeats: int) -> list[Figures]:
    """Bytes for each of n connections; nobody watches them."""
    before, before_far = rss_bytes(), int(far.ask("rss"))
    streams = [
        await asyncio.open_connection("127.0.0.1", int(far.greeting)) for _ in range(n)
    ]
    await asyncio.sleep(1.0)
    figures = {
        "bytes": (rss_bytes() - before) / len(streams),
        "bytes_far": (int(far.ask("rss")) - before_far) / n,
    }
    for _, writer in streams:
        writer.close()
    return [figures]


def run(
    workload: Callable[..., Coroutine[Any, Any, list[Figures]]], n: int, repeats: int
) -> list[Figures]:
    """Run a workload beside a second process."""
    with Second("bench.peers.asyncio_streams") as far:
        return asyncio.run(workload(far, n, repeats))


WAYS = {
    "oneway": partial(oneway, actors=1, size=64),
    "oneway_actor": partial(oneway, actors=1, size=64),
    "oneway_100": partial(oneway, actors=100, size=64),
    "oneway_actor_100": partial(oneway, actors=100, size=64),
    "oneway_1k": partial(oneway, actors=1, size=1024),
    "trip": trip,
    "trip_flood": trip_flood,
    "rss_peer": rss_peer,
}
REPEATED: dict[str, Callable[[int, int], list[Figures]]] = {
    name: partial(run, workload) for name, workload in WAYS.items()
}


def main() -> None:
    """The second process."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(receive, "127.0.0.1", 0))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    serve(str(server.sockets[0].getsockname()[1]), {"rss": rss_bytes})


if __name__ == "__main__":
    main()
