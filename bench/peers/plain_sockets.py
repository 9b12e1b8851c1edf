"""Bare blocking sockets: what the mesh rows cost at least, without loop, queue or fate.

The sender joins its messages up to 64 KiB before each call of the system; the other side reads with
a large buffer and calls a function for each message.
"""

from __future__ import annotations

import socket
import threading
import time
from functools import partial
from typing import Any, Callable

from bench.gauges import Figures, rate, trips
from bench.peers.frames import COUNTED, ECHO, EXPECT, TIME, frame, handle_all, handlers_of
from bench.second import Second, serve

clock = time.perf_counter

BATCH_BYTES = 64 * 1024
RECEIVE_BYTES = 256 * 1024


def receive(sock: Any) -> None:
    """Handle what comes until the end."""
    handlers = handlers_of(sock.sendall, clock)
    rest = b""
    while True:
        data = sock.recv(RECEIVE_BYTES)
        if not data:
            return
        rest = handle_all(rest + data, handlers)


def connected(far: Second) -> socket.socket:
    """Connect to the second process."""
    far.ask("accept")
    sock = socket.create_connection(("127.0.0.1", int(far.greeting)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def exactly(sock: socket.socket, size: int) -> bytes:
    """So many bytes."""
    return sock.recv(size, socket.MSG_WAITALL)


def oneway(n: int, repeats: int, actors: int, size: int) -> list[Figures]:
    """Send n messages over a number of receivers of one process."""
    payload = b"m" * size
    figures = []
    with Second("bench.peers.plain_sockets") as far, connected(far) as sock:
        for _ in range(repeats):
            sock.sendall(frame(EXPECT, n.to_bytes(8, "big")))
            start_s = clock()
            out: list[bytes] = []
            length = 0
            for _ in range(n // actors):
                for number in range(COUNTED, COUNTED + actors):
                    message = frame(number, payload)
                    out.append(message)
                    length += len(message)
                    if length >= BATCH_BYTES:
                        sock.sendall(b"".join(out))
                        out.clear()
                        length = 0
            sock.sendall(b"".join(out))
            (end_s,) = TIME.unpack(exactly(sock, 13 + TIME.size)[13:])
            figures.append(rate(n, start_s, end_s))
    return figures


def trip(n: int, repeats: int) -> list[Figures]:
    """Round trips while nothing else is sent."""
    message = frame(ECHO, b"m" * 64)
    with Second("bench.peers.plain_sockets") as far, connected(far) as sock:

        def one() -> None:
            sock.sendall(message)
            exactly(sock, len(message))

        return [trips(n, one) for _ in range(repeats)]


REPEATED: dict[str, Callable[[int, int], list[Figures]]] = {
    "oneway": partial(oneway, actors=1, size=64),
    "oneway_100": partial(oneway, actors=100, size=64),
    "oneway_1k": partial(oneway, actors=1, size=1024),
    "trip": trip,
}
NOT_FEASIBLE = {"trip_flood": "a reply would wait in the one buffer that the flood fills"}


def main() -> None:
    """The second process."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> str:
        def run() -> None:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            receive(sock)

        threading.Thread(target=run, daemon=True).start()
        return "ready"

    serve(str(listener.getsockname()[1]), {"accept": accept})


if __name__ == "__main__":
    main()
