"""Nodes that share a key: strangers, a network that changes bytes, breaks, and stands still."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from random import Random
from typing import Any, Callable

import pytest

import iris

from .faultproxy import FaultProxy
from .meshnodes import (
    Node,
    Watcher,
    fates_add_up,
    found,
    is_closed,
    question,
    send_all,
    state_of,
    take,
    user,
)

pytestmark = pytest.mark.live

Until = Callable[..., Any]

KEY = "env:IRIS_TEST_KEY"
HASTY = iris.MeshLimits(io_timeout_s=1.0, down_after_s=3.0, backoff_most_s=0.5)
"""The same rules as by default, and less waiting."""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRIS_TEST_KEY", bytes(range(100, 132)).hex())
    monkeypatch.setenv("IRIS_OTHER_KEY", bytes(range(32)).hex())


@pytest.fixture
def here(keys: None) -> Iterator[Node]:
    with Node(cluster_key=KEY, mesh=HASTY) as one:
        yield one
        assert fates_add_up(one.rt)


@pytest.fixture
def there(keys: None) -> Iterator[Node]:
    with Node(cluster_key=KEY, mesh=HASTY) as one:
        yield one
        assert fates_add_up(one.rt)


# -- strangers -------------------------------------------------------------------------------------


def test_whoever_does_not_prove_the_key_is_closed_and_delivers_nothing(
    here: Node, there: Node, until: Until
) -> None:
    rng = Random(2)
    pid = there.pid
    strangers = [b"\x01" + user(pid, b"plain"), b"\x01" + question(b"inbox"), b"\x03", b"GET /"]
    strangers += [b"\x02" + rng.randbytes(600) for _ in range(50)]
    strangers += [b"\x02" + user(pid, b"plain") * 100, b"\x02" + b"\xff" * 600]
    for stranger in strangers:
        sock = there.connect()
        send_all(sock, stranger)
        assert is_closed(sock)
        sock.close()
    proxy = here.rt.resolve_remote(there.address, "inbox")
    assert here.rt.send(proxy, b"proved")
    until(lambda: there.got == [b"proved"])


@pytest.mark.parametrize("source", [None, "env:IRIS_OTHER_KEY"])
def test_without_the_key_a_node_is_out_of_reach(there: Node, source: Any) -> None:
    with Node(cluster_key=source, mesh=HASTY) as stranger:
        with pytest.raises(iris.NodeUnreachable, match=there.address) as caught:
            stranger.rt.resolve_remote(there.address, "inbox")
        assert os.environ["IRIS_TEST_KEY"][:8] not in str(caught.value)
        stranger.rt.send_remote(there.address, there.pid, b"never")
        assert fates_add_up(stranger.rt)
        with pytest.raises(iris.NodeUnreachable):
            there.rt.resolve_remote(stranger.address, "inbox")
    assert there.got == []


def test_a_conversation_that_was_overheard_cannot_be_held_again(
    here: Node, there: Node, until: Until
) -> None:
    with FaultProxy(there.address) as network:
        kept = network.up.kept = bytearray()
        proxy = here.rt.resolve_remote(network.address, "inbox")
        assert here.rt.send(proxy, b"once")
        until(lambda: there.got == [b"once"])
        overheard = bytes(kept)
    assert b"once" in overheard  # Not secret without TLS; but proved.
    for size in (len(overheard), len(overheard) // 2):
        sock = there.connect()
        send_all(sock, overheard[:size])
        if size == len(overheard):
            assert is_closed(sock)
        sock.close()
    proxy = here.rt.resolve_remote(there.address, "inbox")
    assert here.rt.send(proxy, b"twice")
    until(lambda: there.got == [b"once", b"twice"])


def test_what_a_stranger_is_told_first_is_nothing_to_prove_with(there: Node) -> None:
    # Sent back what the node itself says: a proof that is reflected proves nothing.
    sock = there.connect()
    sock.sendall(b"\x02")
    sock.settimeout(1.0)
    try:
        told = take(sock, 20)
    except OSError:
        told = b""  # It waits for the hello, which is as good.
    send_all(sock, told * 10 or b"\xff" * 600)
    sock.settimeout(60.0)
    assert is_closed(sock)
    sock.close()
    assert there.got == []


# -- a bad network ---------------------------------------------------------------------------------


def test_all_arrives_once_and_in_order_over_a_slow_network_in_pieces(
    here: Node, there: Node, until: Until
) -> None:
    with FaultProxy(there.address) as network:
        for way in (network.up, network.down):
            way.delay_s, way.chops = 0.002, True
        there.rt.register("echo", there.rt.spawn(there.rt.reply))
        proxy = here.rt.resolve_remote(network.address, "inbox")
        echo = here.rt.resolve_remote(network.address, "echo")
        for number in range(300):
            assert here.rt.send(proxy, b"%d" % number)
            if not number % 100:
                assert here.rt.ask(echo, {"number": number}, 30.0) == {"number": number}
        until(lambda: len(there.got) == 300)
    assert there.got == [b"%d" % number for number in range(300)]


def test_bytes_that_change_on_their_way_are_never_delivered(
    here: Node, there: Node, until: Until
) -> None:
    sent = set()
    with FaultProxy(there.address, seed=4) as network:
        for offset in range(0, 900, 37):
            way = network.up if offset % 2 else network.down
            way.flips = (offset,)
            proxy = found(here.rt, network.address, "inbox")
            for number in range(10):
                message = b"%d of %d" % (number, offset) * 5
                if proxy is not None and here.rt.send(proxy, message):
                    sent.add(message)
            time.sleep(0.01)
            way.flips = ()
            network.cut()
    proxy = here.rt.resolve_remote(there.address, "inbox")
    assert here.rt.send(proxy, b"hello")
    until(lambda: b"hello" in there.got)
    assert len(set(there.got)) == len(there.got)
    assert len(there.got) > 10, "hardly anything came through, so this shows nothing"
    assert set(there.got) <= sent | {b"hello"}


def test_a_cut_at_any_byte_sends_nothing_twice_and_nothing_out_of_order(
    here: Node, there: Node, until: Until
) -> None:
    with FaultProxy(there.address) as network:
        proxy = here.rt.resolve_remote(network.address, "inbox")
        sent = 0
        for cut in range(1, 1000, 19):
            way = network.up if cut % 2 else network.down
            way.cut_after_bytes = cut
            for _ in range(3):
                if here.rt.send(proxy, b"%05d" % sent):
                    sent += 1
            time.sleep(0.01)
            way.cut_after_bytes = None
            if not here.rt.is_alive(proxy):
                proxy = until(lambda: found(here.rt, network.address, "inbox"))
        proxy = until(lambda: found(here.rt, network.address, "inbox"))
        assert here.rt.send(proxy, b"99999")
        until(lambda: b"99999" in there.got)
        assert there.got == sorted(set(there.got))
        assert fates_add_up(here.rt)
        stats = here.rt.stats()
        assert len(there.got) <= stats["forwarded"]
        assert stats["forwarded"] + stats["lost"] == sent + 1


def test_a_peer_that_stops_reading_is_refused_in_the_end_and_loses_nothing(
    here: Node, there: Node, until: Until
) -> None:
    with FaultProxy(there.address) as network, Node(cluster_key=KEY) as good:
        proxy = here.rt.resolve_remote(network.address, "inbox")
        other = here.rt.resolve_remote(good.address, "inbox")
        network.up.stalls = True
        accepted = 0
        size = 16 * 1024
        while here.rt.send(proxy, accepted.to_bytes(4, "big") + bytes(size)):
            accepted += 1
            assert accepted * size < 512 << 20, "the link takes everything"
        assert here.rt.send(other, b"hello")
        until(lambda: good.got == [b"hello"])
        network.up.stalls = False
        until(lambda: len(there.got) == accepted)
        assert [int.from_bytes(one[:4], "big") for one in there.got] == list(range(accepted))


def test_both_sides_flood_each_other_with_messages_and_questions(
    here: Node, there: Node, until: Until
) -> None:
    pairs = []
    for one, two in ((here, there), (there, here)):
        two.rt.register("echo", two.rt.spawn(two.rt.reply))
        inbox = one.rt.resolve_remote(two.address, "inbox")
        pairs.append((one, inbox, one.rt.resolve_remote(two.address, "echo")))
    for number in range(3000):
        for one, inbox, echo in pairs:
            while not one.rt.send(inbox, b"%d" % number):
                time.sleep(0.001)
            if not number % 300:
                assert one.rt.ask(echo, b"%d" % number, 30.0) == b"%d" % number
    until(lambda: len(here.got) == len(there.got) == 3000)
    assert here.got == there.got == [b"%d" % number for number in range(3000)]


# -- nodes of their own ----------------------------------------------------------------------------

NODE = """
import sys, time
import iris
rt = iris.Runtime(cluster_key="env:IRIS_TEST_KEY")
rt.register("inbox", rt.spawn(lambda message: print(message.decode(), flush=True)))
rt.register("never", rt.spawn(lambda message: None))
print(rt.listen("127.0.0.1:" + (sys.argv[1] if len(sys.argv) > 1 else "0")), flush=True)
time.sleep(1000)
"""


def test_a_killed_process_ends_what_waits_for_it_within_three_seconds(
    here: Node, script: Callable[..., Any], until: Until
) -> None:
    other = script(NODE)
    address = other.wait_for_line()
    watcher, rt = Watcher(here.rt), here.rt
    proxy = rt.resolve_remote(address, "inbox")
    rt.monitor(watcher.pid, proxy)
    rt.watch_node(address, watcher.pid)
    never = rt.resolve_remote(address, "never")
    failed: list[Any] = []

    def asks(_message: object) -> None:
        try:
            rt.ask(never, b"?", 60.0)
        except iris.IrisError as error:
            failed.append(error)

    rt.send(rt.spawn(asks), b"go")
    assert rt.send(proxy, b"hello")
    assert other.wait_for_line() == "hello"
    start_s = time.monotonic()
    other.process.kill()
    until(lambda: watcher.of("DOWN") and watcher.of("NODE_DOWN") and failed, 30.0)
    assert time.monotonic() - start_s < 3.0
    assert not rt.is_alive(proxy)
    again = script(NODE, address.rpartition(":")[2])
    assert again.wait_for_line() == address
    until(lambda: watcher.of("NODE_UP"))
    assert rt.send(rt.resolve_remote(address, "inbox"), b"back")
    assert again.wait_for_line() == "back"


def test_a_frozen_process_is_suspect_then_down_and_may_come_back(
    here: Node, script: Callable[..., Any], until: Until
) -> None:
    other = script(NODE)
    address = other.wait_for_line()
    watcher, rt = Watcher(here.rt), here.rt
    proxy = rt.resolve_remote(address, "inbox")
    rt.watch_node(address, watcher.pid)
    rt.monitor(watcher.pid, proxy)
    until(lambda: watcher.of("PONG"))
    os.kill(other.process.pid, signal.SIGSTOP)
    start_s = time.monotonic()
    try:
        until(lambda: state_of(rt, address) == "suspect", 30.0)
        assert rt.is_alive(proxy)
        until(lambda: watcher.of("DOWN") and watcher.of("NODE_DOWN"), 30.0)
        # A ping a second, and a second for a busy machine.
        assert 2.0 < time.monotonic() - start_s < 5.0
    finally:
        os.kill(other.process.pid, signal.SIGCONT)
    until(lambda: watcher.of("NODE_UP"))
    assert rt.send(rt.resolve_remote(address, "inbox"), b"thawed")
    assert other.wait_for_line() == "thawed"
