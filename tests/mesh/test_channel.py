"""One connection of version 2: who is refused, and that the refusal is seen at once."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Optional

import pytest

import iris
from iris.errors import NodeUnreachable
from iris.mesh import events as e
from iris.mesh.hello import Hello
from iris.mesh.keyring import Keyring
from iris.mesh.limits import SessionLimits
from iris.mesh.secure import ClientHandshake, Secured
from iris.mesh.server import HELD_BYTES_MOST
from iris.mesh.session import SessionV2
from iris.mesh.wire import WireLimits
from iris.testing import SimRuntime

from .fakenet import KEY, OTHER_KEY, Asker, Pair, Wire, WireEnd, result

SOON_S = 0.0
"""A refusal is seen without any time going by."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    log = logging.getLogger("iris")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def refused(pair: Pair, *words: str) -> None:
    """A name that is asked for fails now, and says where and why."""
    error = result(pair.resolve("name"))
    assert isinstance(error, NodeUnreachable)
    assert pair.address in str(error)
    for word in words:
        assert word in str(error), error
    [info] = pair.here.nodes()
    assert info.state == "down"
    assert pair.net.open_wires == []


# -- keys ----------------------------------------------------------------------------------


def test_a_node_without_a_key_is_refused_by_one_that_has_one() -> None:
    refused(Pair(keys=(), keys_there=(KEY,)))


def test_a_node_without_a_key_refuses_one_that_has_one() -> None:
    refused(Pair(keys=(KEY,), keys_there=()), "has a key")


def test_a_wrong_key_is_refused() -> None:
    refused(Pair(keys=(OTHER_KEY,), keys_there=(KEY,)), "key")


def test_keys_are_changed_while_nodes_run() -> None:
    for proves, accepts in (
        ((KEY,), (KEY, OTHER_KEY)),
        ((OTHER_KEY, KEY), (KEY, OTHER_KEY)),
        ((OTHER_KEY,), (OTHER_KEY, KEY)),
    ):
        pair = Pair(keys=proves, keys_there=accepts)
        assert result(pair.resolve("nobody")) is None
        assert pair.here.nodes()[0].state == "up"


# -- bytes that are bent -------------------------------------------------------------------


def tampered(side: str, at: int, cuts: bool = False) -> Pair:
    """Nodes whose first connections have one byte bent, or end before it."""
    pair = Pair()

    def begin(wire: Wire) -> None:
        end: WireEnd = getattr(wire, side)

        def bend(data: bytes) -> bytes:
            start = len(end.written) - len(data)
            if not start <= at < start + len(data):
                return data
            if cuts:
                pair.net.post(wire.cut)
                return data[: at - start]
            return data[: at - start] + bytes([data[at - start] ^ 1]) + data[at - start + 1 :]

        end.bend = bend

    pair.net.on_wire = begin
    return pair


def opening_bytes(side: str) -> int:
    """How many bytes a side says before its first record, and of that record."""
    pair = Pair()
    assert result(pair.resolve("nobody")) is None
    return len(getattr(pair.net.wires[0], side).written)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_byte_that_is_bent_anywhere_is_never_taken_for_another(side: str) -> None:
    # Each byte of the lengths and of the version, and every second one of the rest.
    total = opening_bytes(side)
    for at in [*range(4), *range(4, total, 2), *range(total - 8, total)]:
        pair = tampered(side, at)
        asked = pair.resolve("nobody")
        if not asked._is_settled:
            # The length of something: what is said to follow does not come.
            pair.sleep(5.5)
        assert isinstance(result(asked), NodeUnreachable), (side, at)
        assert pair.address in str(result(asked))
        pair.end(pair.here)
        pair.end(pair.there)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_peer_that_closes_at_any_byte_is_unreachable_at_once(side: str) -> None:
    for at in range(0, opening_bytes(side), 2):
        pair = tampered(side, at, cuts=True)
        asked = pair.resolve("nobody")
        assert isinstance(result(asked), NodeUnreachable), (side, at)
        assert len(pair.net.wires) <= 4
        pair.end(pair.here)
        pair.end(pair.there)


def test_a_node_that_says_nothing_is_unreachable_in_time() -> None:
    pair = Pair()
    pair.net.on_wire = lambda wire: setattr(wire.server, "bend", lambda _: b"")
    asked = pair.resolve("nobody")
    pair.sleep(5.5)
    assert isinstance(result(asked), NodeUnreachable)


# -- a client by hand ----------------------------------------------------------------------


class Client:
    """A client of version 2, written after the page on the wire."""

    def __init__(self, pair: Pair, keyring: Optional[Keyring] = None) -> None:
        self.pair = pair
        self.got = b""
        self.is_closed = False
        self.session: SessionV2
        host, _, port = pair.address.rpartition(":")
        driver, door = pair.net.doors[host, int(port)]
        wire = pair.net.wire(driver, driver, "127.0.0.1:9")
        self.end = wire.client
        wire.client.owner = self
        wire.server.owner = door._accepted(wire.server)
        self._keyring = keyring

    def received(self, data: bytes) -> None:
        self.got += data

    def drained(self) -> None:
        pass

    def lost(self, _: Optional[Exception]) -> None:
        self.is_closed = True

    def say(self, data: bytes) -> bytes:
        """Write, and read what comes."""
        self.end.write(data)
        self.pair.settle()
        got, self.got = self.got, b""
        return got

    def open(self) -> Secured:
        hello = Hello("by hand", bytes(range(16)), bytes(range(32)), 0, "")
        opening = ClientHandshake(hello, self._keyring, WireLimits(), 0.0)
        outcome = None
        while outcome is None:
            outcome = opening.receive_data(self.say(opening.data_to_send()))
        assert isinstance(outcome, Secured), outcome
        self.session = SessionV2(outcome.sealer, outcome.opener, SessionLimits(), 0.0)
        # The server may say something at once, and does: how much may be written.
        assert self.session.receive_data(outcome.rest, 0.0) == []
        return outcome

    def exchange(self) -> list[Any]:
        """Send what the session has to say; what comes back."""
        now = self.pair.net.core.now()
        events: list[Any] = []
        while True:
            got = self.say(self.session.data_to_send(now))
            if not got:
                return events
            events += self.session.receive_data(got, now)


def echo(rt: SimRuntime) -> int:
    return rt.spawn(rt.reply)


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_a_client_by_hand_is_served(keys: tuple[str, ...]) -> None:
    pair = Pair(keys=keys)
    got: list[Any] = []
    pair.there.register("echo", echo(pair.there))
    sink = pair.there.spawn(got.append)
    client = Client(pair, Keyring(bytes.fromhex(KEY)) if keys else None)
    client.open()
    session, now = client.session, pair.net.core.now()
    session.resolve("echo", 5.0, "name", now)
    session.ping(7)
    events = client.exchange()
    [found] = [one for one in events if isinstance(one, e.Resolved)]
    assert [one.number for one in events if isinstance(one, e.Ponged)] == [7]
    session.ask(found.pid, 0, b"question", False, 5.0, "asked", now)
    session.ask(12345, 0, b"question", False, 5.0, "nobody", now)
    session.send(sink, 0, [b"a", b"b"])
    session.send_named("echo", 0, b"c")
    session.send(54321, 0, [b"d"])
    session.monitor(1, sink)
    session.monitor(2, 99)
    events = client.exchange()
    assert [one for one in events if isinstance(one, e.Replied)] == [
        e.Replied("asked", False, b"question")
    ]
    assert [one.word for one in events if isinstance(one, e.Failed)] == ["dead"]
    assert [one for one in events if isinstance(one, e.Undeliverable)] == [
        e.Undeliverable(54321, 0, 1)
    ]
    assert [(one.ref, one.reason) for one in events if isinstance(one, e.Down)] == [
        (2, "NoSuchActor")
    ]
    assert got == [b"a", b"b"]
    pair.there.stop(sink)
    pair.sleep(0.1)
    events = client.exchange() + session.receive_data(client.got, now)
    assert not client.is_closed


def raw_client(pair: Pair, hello: bytes) -> tuple[Client, bytes]:
    client = Client(pair)
    return client, client.say(hello)


def test_a_hello_that_was_recorded_is_refused() -> None:
    pair = Pair()
    assert result(pair.resolve("nobody")) is None
    recorded = bytes(pair.wire.client.written)
    client, answer = raw_client(pair, recorded)
    assert client.is_closed
    assert answer == b""
    assert result(pair.resolve("nobody")) is None


def test_a_proof_that_comes_back_is_refused() -> None:
    pair = Pair()
    hello = Hello("by hand", bytes(16), bytes(32), 0, "")
    opening = ClientHandshake(hello, Keyring(bytes.fromhex(KEY)), WireLimits(), 0.0)
    first = opening.data_to_send()
    client = Client(pair)
    theirs = client.say(first)
    # Their own hello, as a client of theirs.
    mirror, answer = raw_client(pair, b"\x02" + theirs)
    assert mirror.is_closed
    assert answer == b""
    key = bytes.fromhex(KEY)
    proof = hmac.new(key, b"iris-mesh-2 server proof" + first + theirs, sha256).digest()
    assert client.say(Keyring(key).key_id + proof) == b""
    assert client.is_closed


@pytest.mark.parametrize("first", [b"\x01\x02", b"\x00", b"\x03", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_keyed_node_takes_no_other_version(first: bytes) -> None:
    client, answer = raw_client(Pair(), first)
    assert client.is_closed
    assert answer == b""


def test_a_client_without_a_key_learns_nothing_and_is_refused() -> None:
    pair = Pair()
    client = Client(pair)
    hello = Hello("by hand", bytes(16), bytes(32), 0, "")
    assert client.say(ClientHandshake(hello, None, WireLimits(), 0.0).data_to_send()) == b""
    assert client.is_closed


def test_an_opening_that_stands_still_is_closed_after_its_time() -> None:
    pair = Pair()
    client, _ = raw_client(pair, b"\x02\x00")
    pair.sleep(4.5)
    assert not client.is_closed
    pair.sleep(1.0)
    assert client.is_closed


def test_what_broken_guests_have_held_is_given_back() -> None:
    pair = Pair(keys=())
    victim = Client(pair)
    victim.open()
    for _ in range(HELD_BYTES_MOST // 50_000 + 10):
        client = Client(pair)
        nonce = len(pair.net.wires).to_bytes(32, "big")
        hello = Hello("by hand", bytes(range(16)), nonce, 0, "")
        handshake = ClientHandshake(hello, None, WireLimits(), 0.0)
        client.say(handshake.data_to_send())
        # A record that is whole and wrong, and one that is not whole.
        bad = (1).to_bytes(4, "big") + b"\xff"
        client.say(bad + (60_000).to_bytes(4, "big") + bytes(50_000))
        assert client.is_closed
    victim.end.write((60_000).to_bytes(4, "big") + bytes(50_000))
    pair.settle()
    assert not victim.is_closed


def test_a_keyed_pair_goes_on_after_all_that() -> None:
    pair = Pair()
    for first in (b"\x01", b"\x02" + bytes(100), b"x" * 1000):
        raw_client(pair, first)
    asker = Asker(pair.here)
    asker.ask(pair.proxy(echo(pair.there)), b"x")
    pair.settle()
    assert asker.got == [b"x"]
    assert isinstance(iris.__version__, str)
