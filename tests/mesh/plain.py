"""Records without a seal, and pairs of sessions over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from iris.mesh.events import Asked, Messages, Named
from iris.mesh.frames import MESSAGE_BYTES, RECORD_BYTES
from iris.mesh.limits import SessionLimits
from iris.mesh.protocol import Broken
from iris.mesh.session import SessionV2
from iris.mesh.wire import WireError

LIMITS = SessionLimits()


class PlainSealer:
    """A record is its length and its bytes."""

    def seal(self, plaintext: bytes) -> bytes:
        assert 0 < len(plaintext) <= RECORD_BYTES
        return len(plaintext).to_bytes(4, "big") + plaintext


class PlainOpener:
    """Cuts a stream into records again."""

    def __init__(self) -> None:
        self._held = b""

    def receive_data(self, data: bytes, now: float) -> tuple[list[bytes], Optional[WireError]]:
        records = []
        held = self._held + data
        while len(held) >= 4:
            size = int.from_bytes(held[:4], "big")
            if size > RECORD_BYTES:
                return records, WireError("record", f"a record of {size} bytes")
            if len(held) < 4 + size:
                break
            records.append(held[4 : 4 + size])
            held = held[4 + size :]
        self._held = held
        return records, None


def session(limits: SessionLimits = LIMITS, now: float = 0.0) -> SessionV2:
    """One side of a connection."""
    return SessionV2(PlainSealer(), PlainOpener(), limits, now)


def record(*frames: bytes) -> bytes:
    """Bytes that a session reads as one record of these frames."""
    return PlainSealer().seal(b"".join(frames))


def flushed(sender: SessionV2, now: float = 0.0) -> list[bytes]:
    """The frames of all that a session has to send now, one record after the other."""
    frames = []
    while data := sender.data_to_send(now):
        frames += split(data[4:])
    return frames


def split(data: bytes) -> list[bytes]:
    """The frames of a record."""
    frames = []
    while data:
        stop = 5 + int.from_bytes(data[1:5], "big")
        frames.append(data[:stop])
        data = data[stop:]
    return frames


def cost(events: Iterable[Any]) -> tuple[int, int]:
    """What is to be taken for these events: bytes and messages."""
    size = count = 0
    for event in events:
        if isinstance(event, Messages):
            count += len(event.payloads)
            size += sum(map(len, event.payloads)) + MESSAGE_BYTES * len(event.payloads)
        elif isinstance(event, (Named, Asked)):
            count += 1
            size += event.cost_bytes
    return size, count


def told(events: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Events as plain tuples, one for each message."""
    flat: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Messages):
            assert event.payloads
            assert all(type(payload) is bytes for payload in event.payloads)
            head = ("messages", event.pid, event.sender, event.packed)
            flat += [(*head, payload) for payload in event.payloads]
        elif isinstance(event, Broken):
            flat.append(("broken", event.error.kind))
        else:
            flat.append((type(event).__name__.lower(), *event))
    return flat


def carry(giver: SessionV2, taker: SessionV2, now: float = 0.0, take: bool = True) -> list[Any]:
    """Bring all that one side has to send to the other; what that reads it also takes."""
    events: list[Any] = []
    while data := giver.data_to_send(now):
        new = taker.receive_data(data, now)
        if take:
            taker.taken(*cost(new), now)
        events += new
    return events


def fault(events: list[Any]) -> WireError:
    """The fault, which has to be the last event."""
    assert events, "no fault"
    assert isinstance(events[-1], Broken), events[-1]
    assert not any(isinstance(event, Broken) for event in events[:-1])
    return events[-1].error
