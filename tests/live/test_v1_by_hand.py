"""Version 1 spoken by hand: with itself, and with the two sides that Iris has of it."""

from __future__ import annotations

import _socket  # Never patched by gevent.
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iris.mesh.protocol import ClientV1, Messages, Ponged, Resolve, Resolved, ServerV1
from iris.mesh.wire import WireLimits
from iris.run.native import start_thread

from .v1peer import V1Client, V1Peer, v1_client, v1_ping, v1_resolve, v1_send

pytestmark = pytest.mark.live

Until = Callable[..., Any]


@pytest.fixture
def peer() -> Iterator[V1Peer]:
    with V1Peer({"echo": 0x500000001, "\u20ac": 2**64 - 1}) as one:
        yield one


@pytest.fixture
def client(peer: V1Peer) -> Iterator[V1Client]:
    with v1_client(peer.host, peer.port) as one:
        yield one


def test_one_connection_carries_many_frames(peer: V1Peer, client: V1Client, until: Until) -> None:
    assert client.resolve("echo") == 0x500000001
    assert client.resolve("\u20ac") == 2**64 - 1
    assert client.resolve("nobody") == 0
    sent = [(number, b"x" * number) for number in range(300)]
    for pid, payload in sent:
        client.send(pid, payload)
    client.ping()
    assert peer.messages == sent
    assert peer.asked == ["echo", "\u20ac", "nobody"]
    assert (peer.pings, peer.connections, peer.open, peer.faults) == (1, 1, 1, [])
    client.close()
    until(lambda: peer.open == 0)
    assert peer.faults == []


def test_a_connection_for_each_request(peer: V1Peer, until: Until) -> None:
    assert v1_resolve(peer.host, peer.port, "echo") == 0x500000001
    v1_send(peer.host, peer.port, 7, b"hi")
    v1_ping(peer.host, peer.port)
    until(lambda: peer.messages == [(7, b"hi")])
    assert (peer.connections, peer.faults) == (3, [])


def test_answers_are_held_back_in_their_order(peer: V1Peer, client: V1Client, until: Until) -> None:
    peer.hold()
    client.raw(b"\x02\x01\x00\x00\x00\x04echo\x02")
    until(lambda: peer.pings == 2)
    with v1_client(peer.host, peer.port) as other:  # Held as well, though it comes later.
        other.raw(b"\x02")
        until(lambda: peer.pings == 3)
        peer.let_go()
        assert client.read(10) == bytes.fromhex("03 0000000500000001 03")
        assert other.read(1) == b"\x03"
    client.ping()


def test_a_connection_is_closed_after_each_answer(peer: V1Peer, client: V1Client) -> None:
    peer.close_after_each = True
    client.ping()
    assert client.is_closed()
    assert v1_resolve(peer.host, peer.port, "echo") == 0x500000001


def test_garbage_comes_in_place_of_an_answer(peer: V1Peer, client: V1Client) -> None:
    peer.garbage = b"junk"
    client.raw(b"\x02")
    assert client.read(4) == b"junk"


def test_connections_are_cut_and_opened_again(peer: V1Peer, client: V1Client) -> None:
    client.ping()
    peer.cut()
    assert client.is_closed()
    v1_ping(peer.host, peer.port)


def test_a_peer_comes_back_where_it_was() -> None:
    with V1Peer() as first, v1_client(first.host, first.port) as client:
        client.ping()
        first.stop()
        assert client.is_closed()
        with pytest.raises(ConnectionError):
            v1_ping(first.host, first.port)
        with V1Peer(port=first.port) as second:
            assert second.address == first.address
            v1_ping(second.host, second.port)


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (b"\x09", "a frame has the type b'\\t'"),
        (b"\x00\x00", "a message ends too soon"),
        (b"\x00" + bytes(11) + b"\x02a", "a message ends too soon"),
        (b"\x01\x00\x00\x00\x02a", "a name ends too soon"),
        (b"\x01\x00\x00\x00\x01\xff", "the name b'\\xff' is not UTF-8"),
    ],
)
def test_faults_are_noted(
    peer: V1Peer, client: V1Client, until: Until, sent: bytes, fault: str
) -> None:
    client.raw(sent)
    client.close()
    until(lambda: peer.connections == 1 and peer.open == 0)
    assert peer.faults == [fault]


# -- Iris and the others ---------------------------------------------------------------------------


def test_the_client_of_iris_is_understood(peer: V1Peer) -> None:
    ours = ClientV1(WireLimits())
    ours.resolve("echo", 1)
    ours.send(0x500000001, b"hi")
    ours.ping(2)
    ours.resolve("nobody", 3)
    # `V1Client` says the version by itself, and ours does too.
    with v1_client(peer.host, peer.port) as carrier:
        carrier.raw(ours.data_to_send()[1:])
        events: list[Any] = []
        while ours.outstanding:
            events += ours.receive_data(carrier.read(1), 0.0)
    assert events == [Resolved(1, 0x500000001), Ponged(2), Resolved(3, 0)]
    assert peer.messages == [(0x500000001, b"hi")]
    assert peer.faults == []


def serve(plain: Any, messages: list[Any]) -> None:
    """The server of Iris at one end of a pair of sockets, until the other end closes."""
    ours = ServerV1(WireLimits(), 0.0)
    while True:
        data = plain.recv(3)  # Small, so that frames come in pieces.
        if not data:
            break
        for event in ours.receive_data(data, 0.0):
            if isinstance(event, Resolve):
                ours.answer({"echo": 5}.get(event.name, 0))
            else:
                messages.append(event)
        plain.sendall(ours.data_to_send())
    plain.close()


def test_the_server_of_iris_is_understood() -> None:
    near, far = _socket.socketpair()
    messages: list[Any] = []
    start_thread(lambda: serve(far, messages))
    with V1Client(near) as client:
        assert client.resolve("echo") == 5
        client.send(5, b"hello")
        client.ping()
        assert client.resolve("nobody") == 0
    assert messages == [Messages(5, [b"hello"])]
