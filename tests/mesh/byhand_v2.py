"""The frames of version 2 read a second time, slowly and from the page that specifies them.

Shares no code with `iris.mesh`, so that a mistake in reading the page is not made in both.
"""

from __future__ import annotations

from typing import Any

REASONS = ["Normal", "Killed", "Panic", "Crash", "Disconnected", "NodeDown", "NoSuchActor"]


class Wrong(Exception):
    """The page does not allow this."""


class Body:
    """The body of a frame, from which one takes fields off the front."""

    def __init__(self, rest: bytes) -> None:
        self.rest = rest

    def take(self, size: int) -> bytes:
        if size > len(self.rest):
            raise Wrong
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self, size: int, most: int) -> str:
        if size > most:
            raise Wrong
        try:
            return str(self.take(size), "utf-8")
        except UnicodeDecodeError:
            raise Wrong from None

    def remaining_text(self, most: int) -> str:
        return self.text(len(self.rest), most)

    def all(self) -> bytes:
        return self.take(len(self.rest))


def read_frame(kind: int, content: bytes) -> tuple[Any, ...]:
    """The fields of one frame."""
    body = Body(content)
    packed = kind % 2 == 1
    if kind in {0x00, 0x01}:
        return body.number(8), body.number(8), packed, body.all()
    if kind in {0x02, 0x03}:
        sender = body.number(8)
        name = body.text(body.number(2), 1024)
        return name, sender, packed, body.all(), len(content) + 5
    if kind in {0x04, 0x05}:
        request, target, sender, remaining = (body.number(size) for size in (8, 8, 8, 4))
        hops = body.number(1)
        if hops > 32:
            raise Wrong
        chain = tuple((body.take(16), body.number(8)) for _ in range(hops))
        return request, target, sender, remaining, chain, packed, body.all(), len(content) + 5
    if kind in {0x06, 0x07}:
        return body.number(8), packed, body.all(), len(content) + 5
    if kind == 0x08:
        request = body.number(8)
        return request, body.text(body.number(1), 32), body.remaining_text(16_384)
    if kind == 0x0A:
        return body.number(8), body.remaining_text(1024)
    if kind in {0x0E, 0x11}:
        first, second, by, reason = (body.number(size) for size in (8, 8, 8, 1))
        if reason >= len(REASONS):
            raise Wrong
        return first, second, by, REASONS[reason], body.remaining_text(16_384)
    if kind in {0x15, 0x16}:
        whole = (body.number(4),) if kind == 0x15 else ()
        if len(body.rest) < (5 if whole else 1):
            raise Wrong
        return (*whole, body.all())
    sizes = {
        0x09: (8,), 0x0B: (8, 8), 0x0C: (8, 8), 0x0D: (8,), 0x0F: (8, 8), 0x10: (8, 8),
        0x12: (8, 4), 0x13: (8, 4), 0x14: (8, 8), 0x17: (), 0x18: (8, 8, 4),
    }.get(kind)  # fmt: skip
    if sizes is None:
        raise Wrong
    fields = tuple(body.number(size) for size in sizes)
    if body.rest:
        raise Wrong
    return (fields[0], fields[1] / 1e6) if kind in {0x12, 0x13} else fields


def read_by_hand(record: bytes) -> tuple[list[tuple[Any, ...]], bool]:
    """The fields of all frames of a record, messages one by one, and whether all was right."""
    seen: list[tuple[Any, ...]] = []
    while record:
        size = int.from_bytes(record[1:5], "big")
        if len(record) < 5 + size or len(record) < 5:
            return seen, False
        try:
            seen.append(read_frame(record[0], record[5 : 5 + size]))
        except Wrong:
            return seen, False
        record = record[5 + size :]
    return seen, True
