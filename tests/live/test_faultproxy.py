"""The failing network: each fault by itself, and nothing left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .faultproxy import FaultProxy
from .v1peer import V1Client, V1Peer, v1_client, v1_ping

pytestmark = pytest.mark.live

Until = Callable[..., Any]


@pytest.fixture
def peer() -> Iterator[V1Peer]:
    with V1Peer({"echo": 5}) as one:
        yield one


@pytest.fixture
def proxy(peer: V1Peer) -> Iterator[FaultProxy]:
    with FaultProxy(peer.address) as one:
        yield one


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[V1Client]:
    with v1_client(proxy.host, proxy.port) as one:
        yield one


def is_turned_away(proxy: FaultProxy) -> bool:
    """Connect, and be reset before or after the call has returned."""
    try:
        with v1_client(proxy.host, proxy.port) as client:
            return client.is_closed()
    except ConnectionError:
        return True


def test_without_faults_all_passes(peer: V1Peer, client: V1Client, until: Until) -> None:
    payloads = [bytes([number % 251]) * (number * 97) for number in range(200)]
    for payload in payloads:
        client.send(7, payload)
    assert client.resolve("echo") == 5
    assert peer.messages == [(7, payload) for payload in payloads]
    client.close()
    until(lambda: peer.open == 0)
    assert peer.faults == []


def test_a_delay_is_kept_in_both_directions(
    peer: V1Peer, proxy: FaultProxy, client: V1Client
) -> None:
    client.ping()
    proxy.up.delay_s, proxy.down.delay_s = 0.05, 0.03
    start_s = time.monotonic()
    for number in range(20):
        client.send(number, b"x")
    client.ping()
    assert time.monotonic() - start_s >= 0.08
    assert [pid for pid, _ in peer.messages] == list(range(20))


def test_single_bytes_come_to_the_same(peer: V1Peer, proxy: FaultProxy, client: V1Client) -> None:
    proxy.up.chops = proxy.down.chops = True
    client.send(7, bytes(range(256)) * 10)
    assert client.resolve("echo") == 5
    assert peer.messages == [(7, bytes(range(256)) * 10)]


def test_a_connection_is_cut_after_so_many_bytes_to_the_node(
    peer: V1Peer, proxy: FaultProxy, client: V1Client, until: Until
) -> None:
    proxy.up.cut_after_bytes = 1 + 14 + 5
    client.send(7, b"a")
    client.send(7, b"b")
    assert client.is_closed()
    until(lambda: peer.connections == 1 and peer.open == 0)
    assert peer.messages == [(7, b"a")]
    assert peer.faults == ["a message ends too soon"]
    proxy.up.cut_after_bytes = None
    v1_ping(proxy.host, proxy.port)


def test_a_connection_is_cut_after_so_many_bytes_of_an_answer(
    proxy: FaultProxy, client: V1Client, until: Until
) -> None:
    proxy.down.cut_after_bytes = 3
    client.raw(b"\x01\x00\x00\x00\x04echo")
    assert len(client.read(8)) <= 3
    until(lambda: proxy.open == 0)


def test_one_direction_ends_and_the_other_goes_on(
    peer: V1Peer, proxy: FaultProxy, client: V1Client, until: Until
) -> None:
    proxy.down.end_after_bytes = 9
    client.ping()
    client.raw(b"\x01\x00\x00\x00\x04echo")
    assert client.read(100) == (5).to_bytes(8, "big")
    client.send(7, b"still heard")
    until(lambda: peer.messages)
    assert (peer.messages, peer.open) == ([(7, b"still heard")], 1)


def test_the_bytes_at_the_offsets_are_changed_and_no_other(
    peer: V1Peer, proxy: FaultProxy, client: V1Client
) -> None:
    client.ping()
    first = 2 + 13
    proxy.up.flips = (first, first + 50)
    client.send(7, bytes(100))
    client.ping()
    ((pid, payload),) = peer.messages
    assert pid == 7
    assert [index for index, byte in enumerate(payload) if byte] == [0, 50]
    assert {bin(payload[index]).count("1") for index in (0, 50)} == {1}


def test_the_bytes_are_kept_as_they_came(proxy: FaultProxy, client: V1Client) -> None:
    client.ping()
    proxy.up.kept = bytearray()
    proxy.up.flips = (15,)
    client.send(7, b"x")
    client.ping()
    assert proxy.up.kept == bytes.fromhex("00 0000000000000007 00000001 78 02")


def test_a_stalled_direction_reads_nothing_until_it_may(
    peer: V1Peer, proxy: FaultProxy, client: V1Client, until: Until
) -> None:
    client.ping()
    proxy.up.stalls = True
    time.sleep(0.05)  # It is seen at the next look.
    client.send(7, b"late")
    with v1_client(proxy.host, proxy.port) as other:
        other.send(8, b"late, too")
        time.sleep(0.1)
        assert peer.messages == []
        proxy.up.stalls = False
        until(lambda: len(peer.messages) == 2)


def test_all_are_cut_and_others_let_in(
    peer: V1Peer, proxy: FaultProxy, client: V1Client, until: Until
) -> None:
    client.ping()
    proxy.cut()
    assert client.is_closed()
    v1_ping(proxy.host, proxy.port)
    proxy.refuses = True
    assert is_turned_away(proxy)
    proxy.refuses = False
    v1_ping(proxy.host, proxy.port)
    assert proxy.connections == 3
    until(lambda: proxy.open == 0)


def test_a_node_that_is_gone_is_a_reset(peer: V1Peer, proxy: FaultProxy) -> None:
    peer.stop()
    assert is_turned_away(proxy)


def test_nothing_is_left(
    peer: V1Peer, handles: Callable[[], tuple[int, int]], until: Until
) -> None:
    before = handles()
    for _ in range(5):
        with FaultProxy(peer.address) as proxy:
            proxy.up.delay_s = 0.01
            clients = [v1_client(proxy.host, proxy.port) for _ in range(10)]
            for client in clients:
                client.ping()
            proxy.up.stalls = True
            clients[0].raw(bytes(100))
        proxy.stop()
        for client in clients:
            assert client.is_closed()
            client.close()
    until(lambda: handles() <= before)
