"""Two sessions of version 2 with traffic between them: cuts, floods, breaks, bent bytes."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from iris.mesh import frames as f
from iris.mesh.limits import SessionLimits
from iris.mesh.protocol import Broken
from iris.mesh.session import SessionV2

from .plain import carry, cost, record, session, told

SMALL = SessionLimits(window_bytes=65_536, queued_frames=64, queued_bytes=300_000)


def chatter(random: Random, ours: SessionV2, count: int, most: int = 300) -> int:
    """Say things of all kinds; gives how many messages and questions were accepted."""
    accepted = 0
    for _ in range(count):
        payload = random.randbytes(random.randint(0, most))
        target, sender = random.choice((1, 2, 0x500000001)), random.choice((0, 7))
        kind = random.randrange(9)
        if kind < 4:
            accepted += ours.send(target, sender, [payload] * random.randint(1, 3), kind == 3)
        elif kind == 4:
            accepted += ours.send_named("echo", sender, payload)
        elif kind == 5:
            accepted += bool(ours.ask(target, sender, payload, False, 9.0, "token", 0.0))
        elif kind == 6:
            ours.resolve("echo", 9.0, "name", 0.0)
        elif kind == 7:
            ours.monitor(random.randrange(99), target)
        else:
            ours.ping(random.randrange(99))
    return accepted


def stream_of(seed: int, most: int = 300) -> bytes:
    """What one side sends in a while, as one run of bytes."""
    ours, theirs = session(), session()
    carry(theirs, ours)
    chatter(Random(seed), ours, 40, most)
    return b"".join(iter(lambda: ours.data_to_send(0.0), b""))


# -- cuts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_in_random_chunks_tells_the_same(seed: int) -> None:
    stream, random = stream_of(seed, 30_000), Random(seed)
    whole = told(session(SessionLimits(window_bytes=1 << 24)).receive_data(stream, 0.0))
    for most in (3, 100, 70_000):
        if most == 3 and len(stream) > 50_000:
            continue
        theirs = session(SessionLimits(window_bytes=1 << 24))
        seen, at = [], 0
        while at < len(stream):
            size = random.randint(1, most)
            seen += told(theirs.receive_data(stream[at : at + size], 0.0))
            at += size
        assert seen == whole


def test_a_stream_cut_anywhere_tells_the_same() -> None:
    stream = stream_of(1, 20)
    whole = told(session().receive_data(stream, 0.0))
    assert len(whole) > 40
    for cut in range(len(stream) + 1):
        theirs = session()
        seen = theirs.receive_data(stream[:cut], 0.0) + theirs.receive_data(stream[cut:], 0.0)
        assert told(seen) == whole


# -- floods --------------------------------------------------------------------------------------


class Side:
    """A node that sends as much as it can, and handles what comes at a pace of its own."""

    def __init__(self, limits: SessionLimits, messages: int, seed: int) -> None:
        self.session = session(limits)
        self.limits = limits
        self.random = Random(seed)
        self.left = messages
        self.sent = self.handled = self.asked = self.answered = 0
        self.mailbox: list[Any] = []
        self.owed: list[int] = []
        self.wire = b""

    def act(self) -> None:
        """Send, ask, handle, answer: some of each."""
        random = self.random
        for _ in range(random.randint(0, 5)):
            if not self.left:
                break
            size = random.choice((0, 64, 1000, 20_000, 65_515, 90_000))
            if random.random() < 0.3:
                new = int(bool(self.session.ask(2, 1, bytes(size), False, 1e6, None, 0.0)))
                self.asked += new
            else:
                new = self.session.send(1, 1, [bytes(size)] * min(3, self.left))
            self.sent += new
            self.left -= new
        for _ in range(random.randint(0, 4)):
            if self.mailbox:
                event = self.mailbox.pop(0)
                size, count = cost([event])
                self.handled += count
                self.session.taken(size, count, 0.0)
                if type(event).__name__ == "Asked":
                    answer = bytes(random.choice((0, 500, 3000, 30_000, 100_000)))
                    self.session.reply(event.request, answer)

    def write(self) -> None:
        """Fill the wire when it is empty, as the system takes what it is given."""
        if not self.wire:
            self.wire = self.session.data_to_send(0.0)

    def read(self, other: Side) -> None:
        """Read some of what the other side has on its wire."""
        size = self.random.randint(0, 100_000)
        data, other.wire = other.wire[:size], other.wire[size:]
        for event in self.session.receive_data(data, 0.0) if data else ():
            assert not isinstance(event, Broken), event
            if type(event).__name__ in {"Messages", "Asked"}:
                self.mailbox.append(event)
            else:
                assert type(event).__name__ in {"Replied", "Failed"}
                self.answered += 1
        untaken, _ = self.session.untaken
        # The window, and one frame in fragments.
        assert untaken <= self.limits.window_bytes + 101_000

    @property
    def done(self) -> bool:
        return not (self.left or self.session.queued or self.mailbox or self.wire)


@pytest.mark.parametrize("seed", range(12))
def test_two_nodes_that_flood_each_other_come_to_an_end(seed: int) -> None:
    random = Random(seed)
    limits = SessionLimits(
        window_bytes=random.choice((65_536, 200_000, 1 << 20)), queued_frames=50,
        queued_bytes=200_000, requests=20,
    )  # fmt: skip
    one, other = Side(limits, 500, seed), Side(limits, 500, seed + 1000)
    for _ in range(100_000):
        for side, peer in ((one, other), (other, one)):
            side.act()
            side.write()
            side.read(peer)
            for event in side.session.check(0.0):
                raise AssertionError(event)
        if one.done and other.done:
            break
    else:
        raise AssertionError("the flood does not end")
    for side, peer in ((one, other), (other, one)):
        assert side.sent == peer.handled == 500
        assert side.answered == side.asked > 10
        assert side.session.outstanding() == []
        assert side.session.untaken == (0, 0)
        side.session.check(1.0)
        carry(side.session, peer.session, 1.0)
    assert one.session.close() == other.session.close() == (500, 0, 0)


def test_a_receiver_that_takes_nothing_stops_the_sender_at_its_window() -> None:
    for size in (0, 64, 1000, 60_000, 70_000, 3_000_000):
        ours, theirs = session(), session()
        carry(theirs, ours)
        came = 0
        for _ in range(50):
            ours.send(1, 0, [bytes(size)] * (4096 if size < 100_000 else 1))
            carry(ours, theirs, take=False)
            carry(theirs, ours)
            came, _ = theirs.untaken
        assert ours.data_to_send(99.0) == b""
        assert ours.queued
        # A window, and at most one frame more: that in fragments.
        assert (1 << 20) - 66_000 <= came <= (1 << 20) + size + size // 1000 + 100
        assert theirs.held <= (1 << 20) + size


def test_a_stalled_receiver_still_gets_what_is_urgent() -> None:
    ours, theirs = session(), session()
    carry(theirs, ours)
    ours.send(1, 0, [bytes(1000)] * 4096)
    carry(ours, theirs, take=False)
    ours.ping(1)
    ours.down(5, 6, 7, "Normal")
    assert [event[0] for event in told(carry(ours, theirs, take=False))] == ["pinged", "down"]
    assert [event[0] for event in told(carry(theirs, ours))] == ["ponged"]


# -- breaks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_the_fates_add_up_after_each_record(seed: int) -> None:
    random = Random(seed)
    ours, theirs = session(SMALL), session(SMALL)
    accepted = chatter(random, ours, 30, 100) + ours.send(9, 9, [bytes(80_000)])
    came = handled = 0
    while data := ours.data_to_send(0.0):
        events = theirs.receive_data(data, 0.0)
        size, count = cost(events)
        came += count
        if random.random() < 0.5:
            theirs.taken(size, count, 0.0)
            handled += count
            theirs.check(1.0)
            carry(theirs, ours, 1.0)
        assert ours.unacknowledged == came - handled
        assert came + ours.queued == accepted
    assert ours.close() == (handled, came - handled, accepted - came)


def test_nothing_that_was_delivered_counts_as_lost_wherever_the_stream_breaks() -> None:
    for stop in range(1500):
        random = Random(1)
        ours, theirs = session(SMALL), session(SMALL)
        accepted = delivered = written = step = 0
        while written <= stop:
            step += 1
            accepted += chatter(random, ours, 4, 60)
            while written <= stop and (data := ours.data_to_send(0.0)):
                events = theirs.receive_data(data[: stop - written], 0.0)
                written += len(data)
                size, count = cost(events)
                delivered += count
                theirs.taken(size, count, float(step))
            if written <= stop and random.random() < 0.5:
                carry(theirs, ours, step + 0.06)
        fates = ours.close()
        assert sum(fates) == accepted
        assert fates.forwarded <= delivered <= fates.forwarded + fates.in_doubt


def test_all_requests_are_still_there_after_a_break() -> None:
    ours = session()
    for token in range(5):
        ours.ask(1, 0, b"x", False, 9.0, token, 0.0)
    ours.resolve("n", 9.0, 5, 0.0)
    ours.data_to_send(0.0)
    ours.ask(1, 0, b"x", False, 9.0, 6, 0.0)
    ours.receive_data(record(b"\x99"), 0.0)
    assert ours.outstanding() == [0, 1, 2, 3, 4, 5, 6]
    assert ours.close() == (0, 5, 1)


# -- bent bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_bent_streams_only_ever_break_the_connection(seed: int) -> None:
    random = Random(seed)
    stream = bytearray(stream_of(seed % 7, random.choice((20, 300, 20_000))))
    for _ in range(random.choice((1, 2, 20))):
        change = random.randrange(4)
        place = random.randrange(len(stream))
        if change == 0:
            stream[place] = random.randrange(256)
        elif change == 1:
            stream[place] ^= 1 << random.randrange(8)
        elif change == 2:
            del stream[place : place + random.randint(1, 9)]
        else:
            stream[place:place] = random.randbytes(random.randint(1, 9))
    theirs = session()
    theirs.ask(1, 0, b"", False, 9.0, "token", 0.0)
    theirs.data_to_send(0.0)
    events, at = [], 0
    while at < len(stream):
        size = random.randint(1, 5000)
        events += theirs.receive_data(bytes(stream[at : at + size]), 0.0)
        at += size
        assert theirs.held <= at
    assert all(not isinstance(event, Broken) for event in events[:-1])
    carry(theirs, session())
    theirs.check(1.0)


@pytest.mark.parametrize("seed", range(40))
def test_frames_of_chance_only_ever_break_the_connection(seed: int) -> None:
    """As above, with bytes bent inside of frames of right length, so that more gets through."""
    random = Random(seed)
    theirs = session(SMALL)
    theirs.ask(1, 0, b"", False, 9.0, "token", 0.0)
    theirs.data_to_send(0.0)
    large = f.pack_message(1, 2, False, bytes(90_000))
    samples = [
        f.pack_message(1, 2, False, b"abc"), f.pack_named(b"n", 1, True, b"\xc0"),
        f.pack_ask(1, 2, 3, 4, [(bytes(16), 5)], False, b"x"), f.pack_reply(1, False, bytes(1200)),
        f.pack_failed(1, "dead", "text"), f.pack_number(f.WITHDRAW, 1), f.pack_resolve(3, b"n"),
        f.pack_pair(f.CREDIT, 0, 70_000), f.pack_first(large, 40_000),
        f.pack_more(large, 40_000, 90_021), f.pack_end(f.DOWN, 1, 2, 3, 4, "text"),
        f.pack_sign(f.PONG, 1, 2), f.pack_undeliverable(1, 2, 3), f.GOODBYE_FRAME,
    ]  # fmt: skip
    for _ in range(300):
        frame = bytearray(random.choice(samples))
        if random.random() < 0.3 and len(frame) > 5:
            frame[random.randrange(5, len(frame))] = random.randrange(256)
        if random.random() < 0.1:
            frame[0] = random.randrange(0x19)
        events = theirs.receive_data(record(bytes(frame)), 0.0)
        if events and isinstance(events[-1], Broken):
            break
        theirs.taken(*cost(events), 0.0)
        theirs.data_to_send(1.0)
        assert theirs.held <= 100_000
    else:
        events = theirs.receive_data(record(b"\x99"), 0.0)
    assert told(events)[-1][0] == "broken"
    assert theirs.receive_data(record(f.GOODBYE_FRAME), 0.0) == []
