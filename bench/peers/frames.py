"""The frames of the plain peers of the mesh rows: those of Iris's version 1, for numbers only.

A number stands for what a frame is for: to be counted (100 of them), to be sent back, or to say how
many are to be counted, upon which the last one is answered with the time of its handling.
"""

from __future__ import annotations

from struct import Struct
from typing import Callable

from bench.gauges import countdown

HEADER = Struct(">BQI")
TIME = Struct(">d")

EXPECT, ECHO, COUNTED = 1, 2, 100

Handler = Callable[[bytes], object]


def frame(number: int, payload: bytes) -> bytes:
    """One frame."""
    return HEADER.pack(0, number, len(payload)) + payload


def handle_all(data: bytes, handlers: dict[int, Handler]) -> bytes:
    """Give each whole frame to its handler and return what is left."""
    offset, last = 0, len(data) - HEADER.size
    while offset <= last:
        _, number, size = HEADER.unpack_from(data, offset)
        start = offset + HEADER.size
        if start + size > len(data):
            break
        handlers[number](data[start : start + size])
        offset = start + size
    return data[offset:]


def handlers_of(write: Callable[[bytes], object], clock: Callable[[], float]) -> dict[int, Handler]:
    """What the second process does with each number."""
    handlers: dict[int, Handler] = {}

    def expect(payload: bytes) -> None:
        count = countdown(
            int.from_bytes(payload, "big"), lambda: write(frame(EXPECT, TIME.pack(clock())))
        )
        for number in range(COUNTED, COUNTED + 100):
            handlers[number] = count

    handlers[EXPECT] = expect
    handlers[ECHO] = lambda payload: write(frame(ECHO, payload))
    return handlers
