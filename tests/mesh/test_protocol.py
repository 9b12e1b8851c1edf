"""Version 1: however a stream is cut, bent or delayed, the same is told and no limit is passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from random import Random
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as some

from iris.errors import InternalError
from iris.mesh.protocol import (
    Broken,
    ClientV1,
    Event,
    Messages,
    Ponged,
    Resolve,
    Resolved,
    ServerV1,
)
from iris.mesh.wire import WireError, WireLimits, pack_resolve, pack_user

from .byhand import read_server_side

LIMITS = WireLimits()
SMALL = WireLimits(payload_bytes=50, name_bytes=20)
ECHO = 0x500000001
EXAMPLE = bytes.fromhex("01 01 00000004 6563686f 00 0000000500000001 00000002 6869")
FAULTS = {"version", "type", "payload", "name", "utf8"}


def told(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """Events without the grouping: one entry for each message."""
    flat: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Messages):
            assert event.payloads
            assert all(type(payload) is bytes for payload in event.payloads)
            flat += [("user", event.pid, payload) for payload in event.payloads]
        elif isinstance(event, Broken):
            flat.append(("broken", event.error.kind))
        else:
            flat.append((type(event).__name__.lower(), *event))
    return flat


def pid_for(name: str) -> int:
    """What the servers here answer."""
    return len(name) << 32 | 7


def serve(
    chunks: Iterable[bytes], limits: WireLimits = LIMITS
) -> tuple[list[tuple[Any, ...]], bytes, int]:
    """All that a server tells and sends for these bytes, and what it holds in the end."""
    server = ServerV1(limits, 0.0)
    seen, sent = [], b""
    for chunk in chunks:
        events = server.receive_data(chunk, 0.0)
        for event in events:
            if isinstance(event, Resolve):
                server.answer(pid_for(event.name))
        seen += told(events)
        sent += server.data_to_send()
    return seen, sent, server.held


def greeted(limits: WireLimits = LIMITS, now: float = 0.0) -> ServerV1:
    """A server whose client has sent the version byte."""
    server = ServerV1(limits, now)
    assert server.receive_data(b"\x01", now) == []
    return server


def fault(events: list[Event]) -> WireError:
    """The fault, which has to be the only event."""
    (event,) = events
    assert isinstance(event, Broken)
    return event.error


def cuts(stream: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """The stream, cut at these places."""
    begin = 0
    for place in places:
        yield stream[begin:place]
        begin = place
    yield stream[begin:]


def random_frames(random: Random, count: int, payload_bytes: int, name_bytes: int) -> bytes:
    """A valid stream of all kinds of frame, with runs of one pid in it."""
    frames = [b"\x01"]
    pid = 1
    for _ in range(count):
        kind = random.choices((0, 1, 2, 3), (8, 2, 1, 1))[0]
        if kind == 0:
            if random.random() < 0.4:
                pid = random.choice((0, 1, 2, ECHO, 2**63, 2**64 - 1))
            frames.append(pack_user(pid, random.randbytes(random.randint(0, payload_bytes))))
        elif kind == 1:
            letters = random.choices("aö\u20ac\U0001f338\x00", k=random.randint(0, name_bytes // 4))
            frames.append(pack_resolve("".join(letters)))
        else:
            frames.append(bytes([kind]))
    return b"".join(frames)


# -- the server: what it tells and sends -----------------------------------------------------------


def test_the_example_of_the_page() -> None:
    server = ServerV1(LIMITS, 0.0)
    assert server.receive_data(EXAMPLE[:1], 0.0) == []
    assert server.data_to_send() == b""
    (event,) = server.receive_data(EXAMPLE[1:10], 0.0)
    assert isinstance(event, Resolve)
    assert event.name == "echo"
    server.answer(ECHO)
    assert server.data_to_send() == bytes.fromhex("0000000500000001")
    assert server.data_to_send() == b""
    (message,) = server.receive_data(EXAMPLE[10:], 0.0)
    assert isinstance(message, Messages)
    assert message == (ECHO, [b"hi"])
    assert server.data_to_send() == b""


def test_messages_are_grouped_while_the_pid_stays_the_same() -> None:
    stream = b"".join(pack_user(pid, payload) for pid, payload in (
        (7, b"a"), (7, b"b"), (8, b"c"), (7, b"d"), (7, b""),
    ))  # fmt: skip
    assert greeted().receive_data(stream, 0.0) == [(7, [b"a", b"b"]), (8, [b"c"]), (7, [b"d", b""])]


def test_a_question_keeps_its_place_between_messages() -> None:
    stream = pack_user(7, b"a") + pack_resolve("n") + pack_user(7, b"b")
    events = greeted().receive_data(stream, 0.0)
    assert told(events) == [("user", 7, b"a"), ("resolve", "n"), ("user", 7, b"b")]


def test_pings_are_answered_and_pongs_are_not() -> None:
    server = greeted()
    assert server.receive_data(b"\x02\x03\x02\x02\x03", 0.0) == []
    assert server.data_to_send() == b"\x03\x03\x03"
    assert server.data_to_send() == b""


def test_a_pong_waits_for_the_answers_to_earlier_questions() -> None:
    server = greeted()
    stream = b"\x02" + pack_resolve("a") + b"\x02\x02" + pack_resolve("b") + b"\x02"
    assert told(server.receive_data(stream, 0.0)) == [("resolve", "a"), ("resolve", "b")]
    assert server.data_to_send() == b"\x03"
    server.answer(1)
    assert server.data_to_send() == bytes.fromhex("0000000000000001 03 03")
    server.receive_data(b"\x02", 0.0)
    assert server.data_to_send() == b""
    server.answer(0)
    assert server.data_to_send() == bytes.fromhex("0000000000000000 03 03")
    server.receive_data(b"\x02", 0.0)
    assert server.data_to_send() == b"\x03"


def test_an_answer_that_nobody_asked_for_is_a_mistake_of_iris() -> None:
    server = greeted()
    with pytest.raises(InternalError, match="pid 5 answers a question that nobody has asked"):
        server.answer(5)
    server.receive_data(pack_resolve("a"), 0.0)
    server.answer(5)
    with pytest.raises(InternalError):
        server.answer(5)
    assert server.data_to_send() == bytes.fromhex("0000000000000005")


def test_no_bytes_are_nothing() -> None:
    server = ServerV1(LIMITS, 0.0)
    assert server.receive_data(b"", 1.0) == []
    assert server.deadline == LIMITS.silent_s


# -- the server: how a stream is cut ---------------------------------------------------------------

SHORT = (
    b"\x01"
    + pack_user(ECHO, b"hi")
    + b"\x02"
    + pack_resolve("\u20ac")
    + b"\x02\x03"
    + pack_user(ECHO, b"")
    + pack_user(9, b"\x01")
)
SHORT_TOLD = [
    ("user", ECHO, b"hi"), ("resolve", "\u20ac"), ("user", ECHO, b""), ("user", 9, b"\x01"),
]  # fmt: skip


def test_every_way_to_cut_a_short_stream_in_three() -> None:
    expected = (SHORT_TOLD, b"\x03" + pid_for("\u20ac").to_bytes(8, "big") + b"\x03", 0)
    assert serve([SHORT]) == expected
    assert serve(bytes([byte]) for byte in SHORT) == expected
    for places in combinations(range(len(SHORT) + 1), 2):
        assert serve(cuts(SHORT, places)) == expected


def test_every_way_to_cut_the_shortest_frames() -> None:
    for frame in (pack_resolve("ab"), b"\x02\x03\x02", pack_resolve("") + b"\x07"):
        stream = b"\x01" + frame
        expected = serve([stream])
        for chosen in range(1 << (len(stream) - 1)):
            places = [place for place in range(1, len(stream)) if chosen >> (place - 1) & 1]
            assert serve(cuts(stream, places)) == expected


@pytest.mark.parametrize("end", range(len(SHORT)))
def test_a_stream_that_stops_anywhere_tells_what_was_whole(end: int) -> None:
    seen, held = read_server_side(SHORT[:end])
    assert serve([SHORT[:end]])[::2] == (seen, held)
    assert serve(bytes([byte]) for byte in SHORT[:end])[::2] == (seen, held)


@pytest.mark.parametrize("seed", range(20))
def test_long_streams_in_random_chunks(seed: int) -> None:
    random = Random(seed)
    stream = random_frames(random, 300, random.choice((3, 60, 3000)), 40)
    expected, held = read_server_side(stream)
    assert held == 0
    sent = serve([stream])[1]
    for most in (1, 2, 17, 1000, 100_000):
        places, at = [], 0
        while (at := at + random.randint(1, most)) < len(stream):
            places.append(at)
        assert serve(cuts(stream, places)) == (expected, sent, 0)


@given(
    some.lists(
        some.one_of(
            some.tuples(some.integers(0, 2**64 - 1), some.binary(max_size=50)),
            some.text(max_size=5),
            some.sampled_from([b"\x02", b"\x03"]),
        ),
        max_size=8,
    ),
    some.lists(some.integers(0, 200), max_size=6),
)
def test_what_is_packed_is_told(frames: list[Any], places: list[int]) -> None:
    stream, expected = b"\x01", []
    for frame in frames:
        if isinstance(frame, tuple):
            stream += pack_user(*frame)
            expected.append(("user", *frame))
        elif isinstance(frame, str):
            stream += pack_resolve(frame)
            expected.append(("resolve", frame))
        else:
            stream += frame
    seen, _, held = serve(cuts(stream, sorted(places)), SMALL)
    assert (seen, held) == (expected, 0)


# -- the server: what is wrong ---------------------------------------------------------------------


def test_another_version_is_refused_with_the_first_byte() -> None:
    for byte in {*range(256)} - {1}:
        server = ServerV1(LIMITS, 0.0)
        error = fault(server.receive_data(bytes([byte]), 0.0))
        assert error.kind == "version"
        assert str(error) == f"the first byte is {byte:#04x}; version 1 begins with 0x01"
        assert server.receive_data(EXAMPLE, 0.0) == []


def test_an_unknown_type_is_refused_with_its_byte() -> None:
    for byte in range(4, 256):
        error = fault(greeted().receive_data(bytes([byte]), 0.0))
        assert error.kind == "type"
        assert str(error) == f"no frame of version 1 has the type {byte:#04x}"


def check_length(header: bytes, kind: str, text: str) -> None:
    """A length over its limit is a fault with the last byte of its header, and not before."""
    server = greeted()
    assert server.receive_data(header[:-1], 0.0) == []
    error = fault(server.receive_data(header[-1:], 0.0))
    assert error.kind == kind
    assert text in str(error)
    assert fault(greeted().receive_data(header, 0.0)).kind == kind


def test_a_payload_at_the_limit_and_one_byte_over_it() -> None:
    server = greeted()
    full = bytes(LIMITS.payload_bytes)
    assert server.receive_data(pack_user(1, full), 0.0) == [(1, [full])]
    for size in (LIMITS.payload_bytes + 1, 2**32 - 1):
        header = pack_user(1, b"")[:9] + size.to_bytes(4, "big")
        check_length(
            header, "payload", f"a payload of {size} bytes is over payload_bytes=1048576; "
        )


def test_a_name_at_the_limit_and_one_byte_over_it() -> None:
    full = "\u20ac" * 341 + "a"
    assert greeted().receive_data(pack_resolve(full), 0.0) == [(full,)]
    for size in (LIMITS.name_bytes + 1, 2**32 - 1):
        header = b"\x01" + size.to_bytes(4, "big")
        check_length(header, "name", f"a name of {size} bytes is over name_bytes=1024; ")


@pytest.mark.parametrize(
    "name", [b"\xff", b"a\x80", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
)
def test_a_name_that_is_not_utf8_is_refused(name: bytes) -> None:
    server = greeted()
    frame = b"\x01" + len(name).to_bytes(4, "big") + name
    assert server.receive_data(frame[:-1], 0.0) == []
    error = fault(server.receive_data(frame[-1:], 0.0))
    assert (error.kind, str(error)) == ("utf8", f"a name of {len(name)} bytes is not UTF-8")


def test_what_was_right_before_a_fault_is_told_and_answered() -> None:
    server = greeted()
    stream = pack_user(7, b"a") + b"\x02" + pack_resolve("n") + b"\x02" + pack_user(7, b"b")
    events = server.receive_data(stream + b"\x09" + pack_user(7, b"never"), 0.0)
    assert told(events) == [
        ("user", 7, b"a"), ("resolve", "n"), ("user", 7, b"b"), ("broken", "type"),
    ]  # fmt: skip
    server.answer(5)
    assert server.data_to_send() == bytes.fromhex("03 0000000000000005 03")


def test_after_a_fault_nothing_is_told_held_or_due() -> None:
    server = greeted()
    server.receive_data(pack_user(7, b"abc")[:-1], 0.0)
    assert fault(server.receive_data(b"c\x09", 0.0)[1:]).kind == "type"
    assert server.receive_data(pack_user(7, b"a") + b"\x02\x09", 0.0) == []
    assert (server.held, server.deadline, server.check(1e9)) == (0, None, None)
    assert server.data_to_send() == b""


def test_no_fault_shows_a_payload() -> None:
    secret = b"correct horse"
    for stream in (
        b"\x01" + pack_user(7, secret) + b"\x09" + secret,
        b"\x01\x01" + len(secret + b"\xff").to_bytes(4, "big") + secret + b"\xff",
        b"\x01" + pack_user(7, secret)[:9] + b"\xff\xff\xff\xff" + secret,
    ):
        *_, last = ServerV1(LIMITS, 0.0).receive_data(stream, 0.0)
        assert isinstance(last, Broken)
        assert secret.decode() not in repr(last)
    server = greeted()
    server.receive_data(pack_user(7, secret)[:-1], 0.0)
    assert secret.decode() not in repr(server.check(1e6))


def mutants(random: Random, stream: bytes) -> Iterator[bytes]:
    """The stream with something done to it."""
    bent = bytearray(stream)
    for _ in range(random.randint(1, 4)):
        bent[random.randrange(len(bent))] = random.randrange(256)
    yield bytes(bent)
    bent = bytearray(stream)
    bent[random.randrange(len(bent))] ^= 1 << random.randrange(8)
    yield bytes(bent)
    begin, end = sorted(random.choices(range(len(stream) + 1), k=2))
    yield stream[:begin]
    yield stream[:begin] + stream[end:]
    yield stream[:end] + stream[begin:]
    yield stream[:begin] + b"\xff\xff\xff\xff" + stream[begin + 4 :]
    yield stream[:begin] + random.randbytes(9) + stream[begin:]


@pytest.mark.parametrize("seed", range(40))
def test_a_stream_that_was_bent_has_one_of_the_documented_outcomes(seed: int) -> None:
    random = Random(seed)
    stream = random_frames(random, 30, SMALL.payload_bytes, SMALL.name_bytes)
    for _ in range(10):
        for mutant in mutants(random, stream):
            expected, held = read_server_side(mutant, SMALL.payload_bytes, SMALL.name_bytes)
            kinds = [entry[1] for entry in expected if entry[0] == "broken"]
            assert set(kinds) <= FAULTS
            seen, sent, holds = serve([mutant], SMALL)
            assert (seen, holds) == (expected, held)
            places = sorted(random.choices(range(len(mutant) + 1), k=random.randint(0, 50)))
            assert serve(cuts(mutant, places), SMALL) == (seen, sent, holds)


# -- the server: time ------------------------------------------------------------------------------

TIMES = WireLimits(progress_s=5, frame_s=60, silent_s=30)


def test_a_client_without_a_version_byte_is_given_its_time() -> None:
    server = ServerV1(TIMES, 100.0)
    assert server.deadline == 130.0
    assert server.check(129.999) is None
    error = server.check(130.0)
    assert error is not None
    assert error.kind == "silent"
    assert "no version byte came within silent_s=30 seconds" in str(error)
    assert (server.deadline, server.check(131.0)) == (None, None)
    assert server.receive_data(EXAMPLE, 131.0) == []


def test_an_idle_connection_may_stay() -> None:
    server = ServerV1(TIMES, 100.0)
    server.receive_data(b"\x01", 129.0)
    assert (server.deadline, server.check(1e9)) == (None, None)
    server.receive_data(pack_user(1, b"a") + b"\x02" + pack_resolve("n"), 1e9)
    assert (server.deadline, server.check(2e9)) == (None, None)
    assert server.receive_data(pack_user(1, b"b"), 2e9) == [(1, [b"b"])]


@pytest.mark.parametrize(
    "begin", [b"\x00", pack_user(1, b"ab")[:-1], b"\x01", pack_resolve("ab")[:-1]]
)
def test_a_frame_that_has_begun_may_stand_still_for_some_time(begin: bytes) -> None:
    server = greeted(TIMES, 100.0)
    server.receive_data(begin, 110.0)
    assert server.deadline == 115.0
    assert server.check(114.999) is None
    error = server.check(115.0)
    assert error is not None
    assert error.kind == "progress"
    assert f"stands still for progress_s=5 seconds; {len(begin)} of" in str(error)
    assert (server.deadline, server.held, server.check(120.0)) == (None, 0, None)
    assert server.receive_data(pack_user(1, b"ab"), 120.0) == []


def test_bytes_now_and_then_give_a_frame_no_more_than_its_time() -> None:
    server = greeted(TIMES, 0.0)
    frame = pack_user(1, bytes(100))
    now = 10.0
    while now < 70.0:
        server.receive_data(frame[server.held : server.held + 1], now)
        assert server.deadline == min(now + 5, 70.0)
        assert server.check(server.deadline - 0.001) is None
        now += 4.0
    assert server.held == 15
    error = server.check(70.0)
    assert error is not None
    assert error.kind == "slow"
    assert "not whole after frame_s=60 seconds; 15 of 113 bytes" in str(error)


def test_no_bytes_are_no_progress() -> None:
    server = greeted(TIMES, 0.0)
    server.receive_data(b"\x00", 10.0)
    server.receive_data(b"", 14.0)
    assert server.deadline == 15.0


def test_each_frame_has_a_time_of_its_own() -> None:
    server = greeted(TIMES, 0.0)
    frame = pack_user(1, bytes(100))
    server.receive_data(frame[:5], 10.0)
    # The end of this one, all of the next, and the beginning of a third.
    assert len(told(server.receive_data(frame[5:] + frame + frame[:1], 14.0))) == 2
    for now in range(18, 74, 4):
        server.receive_data(frame[server.held : server.held + 1], float(now))
    assert server.deadline == 74.0
    assert told(server.receive_data(frame[server.held :], 73.0)) == [("user", 1, bytes(100))]
    assert server.deadline is None


def test_the_time_of_a_frame_begins_with_its_first_byte_and_not_with_its_header() -> None:
    server = greeted(WireLimits(progress_s=5, frame_s=8), 0.0)
    frame = pack_user(1, b"ab")
    server.receive_data(frame[:5], 10.0)
    server.receive_data(frame[5:14], 14.0)  # The header becomes whole, the frame does not.
    assert server.deadline == 18.0
    error = server.check(18.0)
    assert error is not None
    assert error.kind == "slow"


def test_a_node_that_was_too_busy_to_read_does_not_blame_its_peer() -> None:
    server = ServerV1(TIMES, 0.0)
    assert server.receive_data(EXAMPLE[:1], 1000.0) == []
    assert server.receive_data(EXAMPLE[1:5], 1001.0) == []
    assert told(server.receive_data(EXAMPLE[5:], 2000.0))[-1] == ("user", ECHO, b"hi")
    assert server.deadline is None


# -- the server: memory ----------------------------------------------------------------------------


def test_only_bytes_that_have_come_are_held() -> None:
    server = greeted()
    frame = pack_user(1, bytes(LIMITS.payload_bytes))
    server.receive_data(frame[:13], 0.0)
    assert server.held == 13
    server.receive_data(frame[13:1000], 0.0)
    assert server.held == 1000
    server.receive_data(frame[1000:] + b"\x01\x00", 0.0)
    assert server.held == 2
    server.receive_data(b"\x00\x00\x00", 0.0)
    assert server.held == 0


def test_an_announced_length_takes_no_memory_and_a_slow_frame_little_more_than_its_bytes() -> None:
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy traces nothing")
    server = greeted()
    frame = pack_user(1, bytes(LIMITS.payload_bytes))
    pieces = [frame[at : at + 1] for at in range(40_000)]
    tracemalloc.start()
    try:
        server.receive_data(frame[:13], 0.0)
        assert tracemalloc.get_traced_memory()[1] < 5000
        for piece in pieces[13:]:
            server.receive_data(piece, 0.0)
        assert server.held == len(pieces)
        assert tracemalloc.get_traced_memory()[0] < 1.2 * server.held + 5000
    finally:
        tracemalloc.stop()


def test_a_large_frame_in_many_pieces_is_not_copied_with_each() -> None:
    # Copied with each piece it would be 2 TB, and the watchdog of the tests would end this.
    payload = bytes(16 << 20)
    server = greeted(WireLimits(payload_bytes=len(payload)))
    frame = pack_user(1, payload)
    events: list[Event] = []
    for at in range(0, len(frame), 64):
        assert not events
        events = server.receive_data(frame[at : at + 64], 0.0)
    assert events == [(1, [payload])]


# -- the client ------------------------------------------------------------------------------------


def test_the_client_of_the_example() -> None:
    client = ClientV1(LIMITS)
    client.resolve("echo", "t")
    client.send(ECHO, b"hi")
    assert client.data_to_send() == EXAMPLE
    assert client.data_to_send() == b""
    assert (client.outstanding, client.tokens()) == (1, ["t"])
    (event,) = client.receive_data(bytes.fromhex("0000000500000001"), 0.0)
    assert isinstance(event, Resolved)
    assert event == ("t", ECHO)
    assert (client.outstanding, client.tokens()) == (0, [])


def test_the_version_byte_goes_out_once_and_first() -> None:
    client = ClientV1(LIMITS)
    assert client.data_to_send() == b"\x01"
    client.ping(None)
    assert client.data_to_send() == b"\x02"


ANSWERS = bytes.fromhex("03 0000000000000007 0000000000000000 03 03 ffffffffffffffff")
ANSWERS_TOLD = [
    ("ponged", 0), ("resolved", 1, 7), ("resolved", 2, 0), ("ponged", 3), ("ponged", 4),
    ("resolved", 5, 2**64 - 1),
]  # fmt: skip


def asking() -> ClientV1:
    """A client that has sent six requests, to which ANSWERS are the answers."""
    client = ClientV1(LIMITS)
    for token, name in enumerate((None, "a", "b", None, None, "c")):
        if name is None:
            client.ping(token)
        else:
            client.resolve(name, token)
    return client


def test_answers_belong_to_the_requests_in_their_order_however_they_are_cut() -> None:
    for places in combinations(range(len(ANSWERS) + 1), 3):
        client = asking()
        seen = []
        for chunk in cuts(ANSWERS, places):
            seen += told(client.receive_data(chunk, 0.0))
        assert seen == ANSWERS_TOLD
        assert client.outstanding == 0


@pytest.mark.parametrize("end", range(len(ANSWERS)))
def test_requests_whose_answers_are_not_whole_stay_outstanding(end: int) -> None:
    client = asking()
    seen = told(client.receive_data(ANSWERS[:end], 0.0))
    assert seen == ANSWERS_TOLD[: len(seen)]
    assert client.tokens() == list(range(len(seen), 6))
    assert client.outstanding == 6 - len(seen)
    assert told(client.receive_data(ANSWERS[end:], 0.0)) == ANSWERS_TOLD[len(seen) :]


def test_a_token_is_what_was_given() -> None:
    token = object()
    client = ClientV1(LIMITS)
    client.ping(token)
    (event,) = client.receive_data(b"\x03", 0.0)
    assert isinstance(event, Ponged)
    assert event.token is token


def test_a_ping_has_one_answer_and_no_other() -> None:
    for byte in {*range(256)} - {3}:
        client = ClientV1(LIMITS)
        client.ping("t")
        error = fault(client.receive_data(bytes([byte]), 0.0))
        assert error.kind == "answer"
        assert str(error) == f"a ping was answered by {byte:#04x} and not by 0x03"
        assert client.tokens() == ["t"]


@pytest.mark.parametrize("stray", [b"\x03", b"\x00", bytes(8), bytes(1 << 20)])
def test_bytes_that_nobody_asked_for_break_the_connection(stray: bytes) -> None:
    error = fault(ClientV1(LIMITS).receive_data(stray, 0.0))
    assert (error.kind, str(error)) == ("answer", "bytes came that answer no request")
    client = asking()
    assert told(client.receive_data(ANSWERS + stray, 0.0)) == [*ANSWERS_TOLD, ("broken", "answer")]


def test_a_message_is_no_request() -> None:
    client = ClientV1(LIMITS)
    client.send(1, b"a")
    assert client.outstanding == 0
    assert fault(client.receive_data(b"\x03", 0.0)).kind == "answer"


def test_after_a_fault_the_client_tells_nothing_and_still_names_what_is_to_be_failed() -> None:
    client = asking()
    assert told(client.receive_data(ANSWERS[:9] + bytes(8) + b"\x00", 0.0))[-1][0] == "broken"
    assert client.receive_data(ANSWERS, 0.0) == []
    assert (client.tokens(), client.outstanding) == ([3, 4, 5], 3)
    assert (client.deadline, client.check(1e9)) == (None, None)


def test_a_name_that_is_no_text_asks_nothing() -> None:
    client = ClientV1(LIMITS)
    with pytest.raises(UnicodeEncodeError):
        client.resolve("\ud800", "t")
    assert (client.outstanding, client.data_to_send()) == (0, b"\x01")


def test_only_an_answer_that_has_begun_is_timed_by_the_client() -> None:
    client = ClientV1(TIMES)
    client.resolve("a", "t")
    assert (client.deadline, client.check(1e9)) == (None, None)
    client.receive_data(bytes(3), 100.0)
    client.receive_data(bytes(3), 104.0)
    assert client.deadline == 109.0
    assert client.check(108.999) is None
    error = client.check(109.0)
    assert error is not None
    assert error.kind == "progress"
    assert client.receive_data(bytes(2), 110.0) == []
    assert client.tokens() == ["t"]


@pytest.mark.parametrize("seed", range(20))
def test_answers_that_were_bent_have_one_of_the_documented_outcomes(seed: int) -> None:
    random = Random(seed)
    for _ in range(20):
        for mutant in mutants(random, ANSWERS):
            outcomes = []
            for places in ([], sorted(random.choices(range(len(mutant) + 1), k=5))):
                client = asking()
                seen = []
                for chunk in cuts(mutant, places):
                    seen += told(client.receive_data(chunk, 0.0))
                outcomes.append((seen, client.tokens()))
            assert outcomes[0] == outcomes[1]
            seen, tokens = outcomes[0]
            good = [entry for entry in seen if entry[0] != "broken"]
            assert seen[len(good) :] in ([], [("broken", "answer")])
            for entry, expected in zip(good, ANSWERS_TOLD):
                assert entry[:2] == expected[:2]  # A pid may well be bent.
            assert tokens == list(range(len(good), 6))


# -- both sides ------------------------------------------------------------------------------------


class Talk:
    """A client and a server, and the bytes between them in random pieces."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.client = ClientV1(LIMITS)
        self.server = ServerV1(LIMITS, 0.0)
        self.there = self.back = b""
        self.heard: list[tuple[Any, ...]] = []
        self.answered: list[tuple[Any, ...]] = []
        self.unanswered: list[str] = []

    def carry(self, most: Optional[int] = None) -> None:
        """Some of the bytes on their way arrive."""
        self.there += self.client.data_to_send()
        self.back += self.server.data_to_send()
        size = len(self.there) if most is None else self.random.randint(0, most)
        for event in self.server.receive_data(self.there[:size], 0.0):
            if isinstance(event, Resolve):
                self.unanswered.append(event.name)
            self.heard += told([event])
        self.there = self.there[size:]
        size = len(self.back) if most is None else self.random.randint(0, most)
        self.answered += told(self.client.receive_data(self.back[:size], 0.0))
        self.back = self.back[size:]

    def answer(self) -> None:
        """The server answers its oldest question."""
        if self.unanswered:
            self.server.answer(pid_for(self.unanswered.pop(0)))


@pytest.mark.parametrize("seed", range(20))
def test_a_client_and_a_server_understand_each_other(seed: int) -> None:
    random = Random(seed)
    talk = Talk(random)
    heard, answered = [], []
    for token in range(400):
        kind = random.randrange(5)
        if kind == 0:
            name = f"actor {token}"
            talk.client.resolve(name, token)
            heard.append(("resolve", name))
            answered.append(("resolved", token, pid_for(name)))
        elif kind == 1:
            talk.client.ping(token)
            answered.append(("ponged", token))
        elif kind == 2:
            talk.answer()
        else:
            pid, payload = random.randint(1, 3), random.randbytes(random.randint(0, 30))
            talk.client.send(pid, payload)
            heard.append(("user", pid, payload))
        talk.carry(80)
    talk.carry()
    while talk.unanswered:
        talk.answer()
    talk.carry()
    assert talk.heard == heard
    assert talk.answered == answered
    assert (talk.server.held, talk.client.outstanding) == (0, 0)
