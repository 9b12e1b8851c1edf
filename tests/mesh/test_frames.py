"""The frames of version 2: the bytes of the page, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, Optional

import pytest

from iris.config import NAME_BYTES_MAX, MeshLimits
from iris.core.messages import CHAIN_MOST, ExitReason
from iris.mesh import events as e
from iris.mesh import frames as f
from iris.mesh.arrivals import ACTS, OWED_MOST
from iris.mesh.credit import ACKNOWLEDGE_S, FIRST_CREDIT_BYTES, SMALL_REPLY_BYTES
from iris.mesh.lanes import CONTROL_BYTES_MOST, CONTROL_FRAMES_MOST, QUICK_BYTES
from iris.mesh.limits import SessionLimits
from iris.mesh.payload import CODE_MOST, DEPTH_MOST
from iris.mesh.reading import FORMS, read_record
from iris.mesh.requests import REQUESTS_MOST
from iris.mesh.wire import WireError

from .byhand_v2 import read_by_hand

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wire-frames.md"
ECHO = 0x500000001
INCARNATION = bytes(range(16))
CUT = f.pack_message(1, 2, False, b"abcdef")

# For each row of the page: the frame as the code writes it, and its fields as the code reads them.
VECTORS: dict[str, tuple[bytes, Any]] = {
    "message": (f.pack_message(ECHO, 7, False, b"hi"), (ECHO, 7, False, [b"hi"])),
    "message, packed": (
        f.pack_message(ECHO, 0, True, b"\x93\x01\x02\x03"),
        (ECHO, 0, True, [b"\x93\x01\x02\x03"]),
    ),
    "named": (f.pack_named(b"echo", 7, False, b"hi"), ("echo", 7, False, b"hi", 21)),
    "named, packed": (
        f.pack_named("\u20ac".encode(), 0, True, b"\xc0"),
        ("\u20ac", 0, True, b"\xc0", 19),
    ),
    "ask": (
        f.pack_ask(1, ECHO, 7, 5000, (), False, b"hi"),
        (1, ECHO, 7, 5000, (), False, b"hi", 36),
    ),
    "ask with a chain": (
        f.pack_ask(2, ECHO, 7, 250, [(INCARNATION, 7), (bytes(16), 9)], True, b"\xc3"),
        (2, ECHO, 7, 250, ((INCARNATION, 7), (bytes(16), 9)), True, b"\xc3", 83),
    ),
    "reply": (f.pack_reply(1, False, b"ho"), (1, False, b"ho", 15)),
    "reply, packed": (f.pack_reply(2, True, b"\x90"), (2, True, b"\x90", 14)),
    "failed": (f.pack_failed(1, "dead", "gone"), (1, "dead", "gone")),
    "withdraw": (f.pack_number(f.WITHDRAW, 1), (1,)),
    "resolve": (f.pack_resolve(3, b"echo"), (3, "echo")),
    "resolved": (f.pack_pair(f.RESOLVED, 3, ECHO), (3, ECHO)),
    "monitor": (f.pack_pair(f.MONITOR, 11, ECHO), (11, ECHO)),
    "demonitor": (f.pack_number(f.DEMONITOR, 11), (11,)),
    "down": (f.pack_end(f.DOWN, 11, ECHO, ECHO, 2, "boom"), (11, ECHO, ECHO, "Panic", "boom")),
    "link": (f.pack_pair(f.LINK, 7, ECHO), (7, ECHO)),
    "unlink": (f.pack_pair(f.UNLINK, 7, ECHO), (7, ECHO)),
    "exit": (f.pack_end(f.EXIT, 7, ECHO, 9, 1, ""), (7, ECHO, 9, "Killed", "")),
    "ping": (f.pack_sign(f.PING, 5, 1500), (5, 0.0015)),
    "pong": (f.pack_sign(f.PONG, 5, 0), (5, 0.0)),
    "credit": (f.pack_pair(f.CREDIT, 3, 1 << 20), (3, 1 << 20)),
    "first fragment": (f.pack_first(CUT, 23), (27, CUT[:23])),
    "next fragment": (f.pack_more(CUT, 23, 27), (CUT[23:],)),
    "goodbye": (f.GOODBYE_FRAME, ()),
    "undeliverable": (f.pack_undeliverable(ECHO, 7, 3), (ECHO, 7, 3)),
}
FRAMES = {name: frame for name, (frame, _) in VECTORS.items()}

NOTED = dict.fromkeys(FORMS, lambda owner, *fields: owner.append(fields))
"""Acts that write down what they are given."""


def rows() -> dict[str, bytes]:
    """The vectors of the page."""
    table = PAGE.read_text(encoding="utf-8").partition("| frame | bytes |")[2]
    cells = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    return {name.strip(): bytes.fromhex(text.strip().strip("`")) for name, text in cells}


def read(data: bytes) -> list[Any]:
    """The fields of each frame of a record."""
    events: list[Any] = []
    read_record(data, NOTED, events, events)
    return events


def kind_of(data: bytes) -> str:
    """The word for what is wrong with a record."""
    with pytest.raises(WireError) as caught:
        read(data)
    return caught.value.kind


def tried(data: bytes) -> tuple[list[Any], Optional[WireError]]:
    """The fields of each frame up to what is wrong, and that, if anything is."""
    events: list[Any] = []
    try:
        read_record(data, NOTED, events, events)
    except WireError as error:
        return events, error
    return events, None


# -- the page ----------------------------------------------------------------------------------


def test_the_frames_of_the_page_are_those_of_the_code() -> None:
    assert rows() == FRAMES


@pytest.mark.parametrize("name", VECTORS)
def test_a_frame_of_the_page_is_read(name: str) -> None:
    frame, fields = VECTORS[name]
    assert read(frame) == [fields]


def test_all_types_have_a_vector_a_form_and_an_act() -> None:
    assert {frame[0] for frame in FRAMES.values()} == {*range(0x19)}
    assert {*FORMS} == {*ACTS} == {*range(2, 0x19)}


def test_the_table_of_the_page_has_all_types() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in range(0x19):
        row = f"| {kind & 0xFE:02x}, {kind | 1:02x} |" if kind < 8 else f"| {kind:02x} |"
        assert row in text


def test_the_reasons_are_those_of_actors_in_the_order_of_the_page() -> None:
    assert list(f.REASONS) == [str(reason) for reason in ExitReason]
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert ", ".join(f"{place} {word}" for place, word in enumerate(f.REASONS)) in text


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    limits = SessionLimits()
    for words, value in (
        ("at most {} bytes together", f.RECORD_BYTES),
        ("the first asker first, at most {}.", CHAIN_MOST),
        ("The word of a `failed` is at most {} bytes", f.WORD_BYTES_MOST),
        ("are at most {} bytes and for people", f.TEXT_BYTES_MOST),
        ("A name has at most {} bytes", NAME_BYTES_MAX),
        ("A node has at most {} requests", REQUESTS_MOST),
        ("{} requests without an answer break the connection", OWED_MOST),
        ("more than {} frames", CONTROL_FRAMES_MOST),
        ("or {} MiB of answers and ends", CONTROL_BYTES_MOST >> 20),
        ("a `reply` whose frame is over {} bytes", SMALL_REPLY_BYTES),
        ("may write {} bytes of such frames", FIRST_CREDIT_BYTES),
        ("(at least {}; nodes take 256 KiB unless set)", FIRST_CREDIT_BYTES),
        ("nodes take {} KiB unless set)", MeshLimits().window_bytes >> 10),
        ("otherwise it waits {} ms", int(ACKNOWLEDGE_S * 1000)),
        ("questions and answers of at most {} bytes", QUICK_BYTES),
        ("A payload has at most {} bytes", f.PAYLOAD_BYTES_MOST),
        ("and a frame {} more", f.INNER_BYTES_MOST - f.PAYLOAD_BYTES_MOST),
        ("may close when for {} seconds", int(limits.progress_s)),
        ("and {} bytes were allowed", FIRST_CREDIT_BYTES >> 2),
        ("extensions of type 0 to {}", CODE_MOST),
        ("nested at most {} deep", DEPTH_MOST),
    ):
        assert words.format(f"{value:,}") in text


# -- runs of messages ----------------------------------------------------------------------------


def test_messages_are_grouped_while_both_actors_and_the_packing_stay_the_same() -> None:
    def one(target: int, sender: int, packed: bool, payload: bytes) -> bytes:
        return f.pack_message(target, sender, packed, payload)

    data = b"".join((
        one(7, 1, False, b"a"), one(7, 1, False, b""), one(8, 1, False, b"c"),
        one(8, 2, False, b"d"), one(8, 2, True, b"e"), one(8, 2, True, b"f"),
        one(7, 1, False, b"g"),
    ))  # fmt: skip
    assert read(data) == [
        (7, 1, False, [b"a", b""]), (8, 1, False, [b"c"]), (8, 2, False, [b"d"]),
        (8, 2, True, [b"e", b"f"]), (7, 1, False, [b"g"]),
    ]  # fmt: skip
    assert all(type(event) is e.Messages for event in read(data))


def test_another_frame_ends_a_run() -> None:
    message = f.pack_message(7, 1, False, b"a")
    assert read(message + f.GOODBYE_FRAME + message) == [
        (7, 1, False, [b"a"]), (), (7, 1, False, [b"a"]),
    ]  # fmt: skip


def test_a_record_tells_what_cost_credit_and_how_many_messages_there_were() -> None:
    for name, frame in FRAMES.items():
        credited = name.startswith(("message", "named", "ask", "first", "next"))
        message = name.startswith(("message", "named", "ask"))
        expected = (len(frame) if credited else 0, 1 if message else 0)
        assert read_record(frame, NOTED, [], []) == expected, name
    small, large = f.pack_reply(1, False, bytes(1011)), f.pack_reply(1, False, bytes(1012))
    assert (len(small), len(large)) == (1024, 1025)
    assert read_record(small + large, NOTED, [], []) == (1025, 0)


@pytest.mark.parametrize("seed", range(20))
def test_random_records_are_read_as_they_were_written(seed: int) -> None:
    random = Random(seed)
    names = random.choices(list(VECTORS), k=200)
    expected: list[Any] = []
    for name in names:
        fields = VECTORS[name][1]
        last = expected[-1] if name.startswith("message") and expected else ()
        if last[:3] == fields[:3] and len(last) == 4:
            expected[-1] = (*fields[:3], last[3] + fields[3])
        else:
            expected.append(fields)
    assert read(b"".join(FRAMES[name] for name in names)) == expected


def test_numbers_and_texts_at_their_ends() -> None:
    most = 2**64 - 1
    assert read(f.pack_message(most, most, False, b"")) == [(most, most, False, [b""])]
    assert read(f.pack_sign(f.PING, most, 2**40)) == [(most, (2**32 - 1) / 1e6)]
    name = "n" * 1024
    assert read(f.pack_resolve(1, name.encode())) == [(1, name)]
    assert read(f.pack_named(name.encode(), 1, False, b"")) == [(name, 1, False, b"", 1039)]
    chain = [(bytes([place] * 16), place) for place in range(CHAIN_MOST)]
    ((*_, seen, _, payload, size),) = read(f.pack_ask(1, 2, 3, 4, chain, False, b"x"))
    assert (seen, payload, size) == (tuple(chain), b"x", 5 + 29 + 32 * 24 + 1)


def test_a_text_that_is_too_long_is_cut_between_two_characters() -> None:
    ((_, word, text),) = read(f.pack_failed(1, "w" * 50, "\u20ac" * 10_000))
    assert word == "w" * 32
    assert text == "\u20ac" * (16_384 // 3)
    ((*_, text),) = read(f.pack_end(f.DOWN, 1, 2, 3, 0, "a" + "\U0001f338" * 5000))
    assert text == "a" + "\U0001f338" * 4095
    assert f.clipped("\ud800", 10) == b"?"


# -- what is wrong -------------------------------------------------------------------------------


def test_unknown_types_are_refused_with_their_byte() -> None:
    for kind in range(0x19, 0x100):
        with pytest.raises(WireError, match=f"no frame of version 2 has the type {kind:#04x}"):
            read(bytes([kind]) + bytes(30))


@pytest.mark.parametrize("name", VECTORS)
def test_a_frame_that_is_cut_off_anywhere_breaks_its_record(name: str) -> None:
    frame = FRAMES[name]
    for stop in range(1, len(frame)):
        assert kind_of(f.GOODBYE_FRAME + frame[:stop]) == "length"


@pytest.mark.parametrize("name", VECTORS)
def test_every_length_that_is_a_lie_is_refused_or_ends_the_frame_there(name: str) -> None:
    frame = FRAMES[name]
    whole = len(frame) - 5
    for size in (*range(whole), whole + 1, 2**31, 2**32 - 1):
        data = frame[:1] + size.to_bytes(4, "big") + frame[5:]
        if size > whole:
            assert kind_of(data) == "length"
            continue
        events, error = tried(data[: 5 + size])
        # What varies in length is at the end: payload, name, text or the piece of a frame.
        if error is None:
            assert events[0] != VECTORS[name][1]
        else:
            assert error.kind in {"length", "utf8"}


@pytest.mark.parametrize("name", VECTORS)
def test_every_changed_byte_gives_a_frame_or_a_fault(name: str) -> None:
    frame = FRAMES[name]
    for place in range(len(frame)):
        for change in (0x01, 0x02, 0x10, 0x80, 0xFF):
            data = bytearray(frame)
            data[place] ^= change
            events, error = tried(bytes(data))
            assert len(events) == 1 or error


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (f.pack_named(b"\xff", 1, False, b""), "utf8"),
        (f.pack_named(b"n" * 1025, 1, False, b""), "name"),
        (f.pack_resolve(1, b"\xc0\xaf"), "utf8"),
        (f.pack_resolve(1, b"n" * 1025), "length"),
        (f.pack_ask(1, 2, 3, 4, [(bytes(16), 1)] * 33, False, b""), "chain"),
        (f.pack_end(f.DOWN, 1, 2, 3, 7, ""), "reason"),
        (f.pack_end(f.EXIT, 1, 2, 3, 255, ""), "reason"),
        (f.HEADER.pack(f.DOWN, 25 + 16_385) + bytes(25 + 16_385), "length"),
        (f.HEADER.pack(f.FAILED, 9 + 33) + bytes(8) + b"\x21" + bytes(33), "length"),
        (f.HEADER.pack(f.FAILED, 9) + bytes(8) + b"\x01", "length"),
        (f.HEADER.pack(f.NAMED, 10) + bytes(8) + b"\x00\x01", "length"),
        (f.HEADER.pack(f.ASK, 29) + bytes(28) + b"\x01", "length"),
        (f.HEADER.pack(f.GOODBYE, 1) + b"\x00", "length"),
    ],
)
def test_what_a_body_must_not_be(frame: bytes, kind: str) -> None:
    assert kind_of(frame) == kind


def test_what_was_right_before_a_fault_is_told() -> None:
    events: list[Any] = []
    message = f.pack_message(7, 1, False, b"a")
    with pytest.raises(WireError):
        read_record(message + f.GOODBYE_FRAME + message + b"\x99", NOTED, events, events)
    assert events == [(7, 1, False, [b"a"]), (), (7, 1, False, [b"a"])]


def test_no_fault_shows_a_payload() -> None:
    secret = b"correct horse"
    for frame in FRAMES.values():
        for data in (frame + secret, frame[:-1], frame[:5] + secret):
            _, error = tried(data)
            assert "horse" not in str(error)


def flat(events: list[Any]) -> list[Any]:
    """The fields of each frame, messages one by one."""
    single: list[Any] = []
    for event in events:
        if type(event) is e.Messages:
            single += [(*event[:3], payload) for payload in event.payloads]
        else:
            single.append(event)
    return single


@pytest.mark.parametrize("seed", range(30))
def test_bent_records_are_read_as_the_page_is_by_hand(seed: int) -> None:
    random = Random(seed)
    right = 0
    for _ in range(300):
        parts = []
        for _ in range(random.randint(1, 6)):
            frame = bytearray(random.choice(list(FRAMES.values())))
            for _ in range(random.choice((0, 0, 1, 3))):
                frame[random.randrange(len(frame))] = random.choice((0, 1, 2, 33, 127, 128, 255))
            if random.random() < 0.3:
                # A length that fits, and a body that may not.
                body = frame[5 : random.randint(5, len(frame))] + bytes(random.randint(0, 4))
                frame[1:] = len(body).to_bytes(4, "big") + body
            parts.append(bytes(frame))
        data = b"".join(parts)
        events, error = tried(data)
        assert (flat(events), error is None) == read_by_hand(data)
        right += error is None
    assert right > 20


def test_the_vectors_by_hand() -> None:
    for frame in FRAMES.values():
        assert read_by_hand(frame) == (flat(read(frame)), True)
