"""The frames of version 2: their types, their sizes, and how each is written.

What both sides have to agree on, and the writing half. Reading is in `iris.mesh.reading`. Frames
travel in records, and a record holds whole frames: one that is larger is cut into fragments. The
page `docs/wire-frames.md` specifies every byte. Nothing here is checked, because frames are made
for each message: whoever makes one keeps to the limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct

from iris.mesh.records import RECORD_BYTES_MAX

RECORD_BYTES = RECORD_BYTES_MAX
"""Of the frames in one record at most, and so of one frame."""

PAYLOAD_BYTES_MOST = 1 << 26
"""Of one payload at most, 64 MiB, however many fragments it takes."""

# The types of frame, the first byte of each. In the first four the lowest bit says that the
# payload is packed by msgpack; otherwise it is what the sender gave, byte for byte.
PACKED = 0x01
MESSAGE = 0x00
NAMED = 0x02
ASK = 0x04
REPLY = 0x06
FAILED = 0x08
WITHDRAW = 0x09
RESOLVE = 0x0A
RESOLVED = 0x0B
MONITOR = 0x0C
DEMONITOR = 0x0D
DOWN = 0x0E
LINK = 0x0F
UNLINK = 0x10
EXIT = 0x11
PING = 0x12
PONG = 0x13
CREDIT = 0x14
FIRST = 0x15
MORE = 0x16
GOODBYE = 0x17
UNDELIVERABLE = 0x18

REASONS = ("Normal", "Killed", "Panic", "Crash", "Disconnected", "NodeDown", "NoSuchActor")
"""Why an actor ended; the number on the wire is the place in this table."""

HEADER = Struct(">BI")
"""Type and length of the body, of every frame."""
MESSAGE_HEADER = Struct(">BIQQ")
"""The header of a message with the first fields of its body: target and sender."""

# The fixed fields of the other bodies; what varies in length follows them.
NAMED_BODY = Struct(">QH")
"""Sender, bytes of the name; then the name and the payload."""
ASK_BODY = Struct(">QQQIB")
"""Request, target, sender, remaining milliseconds, hops; then the hops and the payload."""
HOP = Struct(">16sQ")
"""An actor that waits: incarnation of its node, and its pid there."""
REQUEST_BODY = Struct(">Q")
"""Request; alone in a withdrawal, before the payload of a reply, before the name to resolve."""
FAILED_BODY = Struct(">QB")
"""Request, bytes of the word; then the word and the text."""
PAIR_BODY = Struct(">QQ")
"""Two numbers: request and pid, reference and pid, or the pids of a link, the sender's first."""
END_BODY = Struct(">QQQB")
"""Of DOWN: reference, who ended, through whom, reason. Of EXIT: who ended, its partner, the rest
alike. Then the text."""
SIGN_BODY = Struct(">QI")
"""Number of a ping, lag of the sender's loop in microseconds."""
FIRST_BODY = Struct(">I")
"""Bytes of the whole frame that is cut; then its first bytes."""
UNDELIVERABLE_BODY = Struct(">QQI")
"""Target, sender, how many messages."""
GOODBYE_BODY = Struct(">")
"""Nothing."""

MESSAGE_BYTES = MESSAGE_HEADER.size
"""What a message has on the wire besides its payload."""

WORD_BYTES_MOST = 32
"""Of the word for why a question failed."""

TEXT_BYTES_MOST = 16_384
"""Of a text for people: it is a report, not a payload. The text of an exception is at most 4,096
characters here, and most characters take a byte."""

REMAINING_MS_MOST = (1 << 32) - 1
LAG_US_MOST = (1 << 32) - 1

INNER_BYTES_MOST = PAYLOAD_BYTES_MOST + 2048
"""Of a frame that is cut: the largest payload, and what the longest name or chain takes."""

Hop = tuple[bytes, int]
"""One actor of a chain: incarnation and pid."""

_header = HEADER.pack
_message = MESSAGE_HEADER.pack
_pair = PAIR_BODY.pack


def clipped(text: str, most: int) -> bytes:
    """The text in UTF-8, cut to so many bytes between two characters."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most:
        return encoded
    return encoded[:most].decode("utf-8", "ignore").encode()


def pack_message(target: int, sender: int, packed: bool, payload: bytes) -> bytes:
    """The frame of a message from one actor to another."""
    return _message(MESSAGE | packed, 16 + len(payload), target, sender) + payload


def pack_messages(
    target: int, sender: int, packed: bool, payloads: Iterable[bytes]
) -> list[bytes]:
    """The frames of several, in half the time of as many calls of `pack_message`."""
    kind = MESSAGE | packed
    return [
        _message(kind, 16 + len(payload), target, sender) + payload for payload in payloads
    ]


def pack_named(name: bytes, sender: int, packed: bool, payload: bytes) -> bytes:
    """The frame of a message to whoever has the name, which is UTF-8."""
    body = NAMED_BODY.pack(sender, len(name)) + name
    return _header(NAMED | packed, len(body) + len(payload)) + body + payload


def pack_ask(
    request: int,
    target: int,
    sender: int,
    remaining_ms: int,
    chain: Sequence[Hop],
    packed: bool,
    payload: bytes,
) -> bytes:
    """The frame of a question to an actor."""
    hops = b"".join([HOP.pack(*hop) for hop in chain])
    size = ASK_BODY.size + len(hops) + len(payload)
    fields = ASK_BODY.pack(request, target, sender, remaining_ms, len(chain))
    return _header(ASK | packed, size) + fields + hops + payload


def pack_reply(request: int, packed: bool, payload: bytes) -> bytes:
    """The answer to a question."""
    return _header(REPLY | packed, 8 + len(payload)) + REQUEST_BODY.pack(request) + payload


def pack_failed(request: int, word: str, text: str) -> bytes:
    """A question has no answer: a word for programs, a text for people. Too long, they are cut."""
    short = clipped(word, WORD_BYTES_MOST)
    body = FAILED_BODY.pack(request, len(short)) + short + clipped(text, TEXT_BYTES_MOST)
    return _header(FAILED, len(body)) + body


def pack_resolve(request: int, name: bytes) -> bytes:
    """A question for a name, which is UTF-8."""
    return _header(RESOLVE, 8 + len(name)) + REQUEST_BODY.pack(request) + name


def pack_number(kind: int, number: int) -> bytes:
    """A WITHDRAW or DEMONITOR: its request or reference."""
    return _header(kind, 8) + REQUEST_BODY.pack(number)


def pack_pair(kind: int, first: int, second: int) -> bytes:
    """A RESOLVED, MONITOR, LINK, UNLINK or CREDIT: its two numbers."""
    return _header(kind, 16) + _pair(first, second)


def pack_end(kind: int, first: int, second: int, by: int, reason: int, text: str) -> bytes:
    """A DOWN or EXIT; the text is cut if it is too long."""
    body = END_BODY.pack(first, second, by, reason) + clipped(text, TEXT_BYTES_MOST)
    return _header(kind, len(body)) + body


def pack_sign(kind: int, number: int, lag_us: int) -> bytes:
    """A PING or PONG."""
    return _header(kind, SIGN_BODY.size) + SIGN_BODY.pack(number, min(lag_us, LAG_US_MOST))


def pack_undeliverable(target: int, sender: int, messages: int) -> bytes:
    """Nobody had the pid; 0 as the target says that nobody had the name."""
    body = UNDELIVERABLE_BODY.pack(target, sender, messages)
    return _header(UNDELIVERABLE, len(body)) + body


def pack_first(frame: bytes, stop: int) -> bytes:
    """The first fragment of a frame: its bytes up to `stop`."""
    return _header(FIRST, 4 + stop) + FIRST_BODY.pack(len(frame)) + frame[:stop]


def pack_more(frame: bytes, start: int, stop: int) -> bytes:
    """A further fragment of it."""
    return _header(MORE, stop - start) + frame[start:stop]


GOODBYE_FRAME = _header(GOODBYE, 0)
FIRST_HEADER_BYTES = HEADER.size + FIRST_BODY.size
