"""Nodes over a network that fails, and nodes that freeze, die, are busy and come back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

import iris

from .faultproxy import FaultProxy
from .meshnodes import Node, Watcher, fates_add_up, found, state_of
from .v1peer import V1Peer

pytestmark = pytest.mark.live

Until = Callable[..., Any]


@pytest.fixture
def here() -> Iterator[Node]:
    with Node() as one:
        yield one
        assert fates_add_up(one.rt)


@pytest.fixture
def there() -> Iterator[Node]:
    with Node() as one:
        yield one
        assert fates_add_up(one.rt)


@pytest.fixture
def strict() -> Iterator[Node]:
    """A node that gives others up and tries them again sooner: the same rules, less waiting."""
    with Node(mesh=iris.MeshLimits(down_after_s=3.0, backoff_most_s=0.5)) as one:
        yield one
        assert fates_add_up(one.rt)


# -- a network that is slow and cuts everything into pieces ----------------------------------------


def test_all_that_was_accepted_arrives_once_and_in_order_over_a_bad_network(
    here: Node, there: Node, until: Until
) -> None:
    with FaultProxy(there.address) as network:
        for way in (network.up, network.down):
            way.delay_s, way.chops = 0.002, True
        actors: list[list[int]] = []
        for index in range(3):
            got: list[int] = []
            actors.append(got)
            pid = there.rt.spawn(lambda message, got=got: got.append(int(message)))
            there.rt.register(f"actor{index}", pid)
        proxies = [here.rt.resolve_remote(network.address, f"actor{i}") for i in range(3)]
        for number in range(500):
            for proxy in proxies:
                assert here.rt.send(proxy, b"%d" % number)
        until(lambda: all(len(got) == 500 for got in actors))
        assert actors == [list(range(500))] * 3
    assert here.rt.stats()["lost"] == 0


def test_both_sides_flood_each_other(here: Node, there: Node, until: Until) -> None:
    to_there = here.rt.resolve_remote(there.address, "inbox")
    to_here = there.rt.resolve_remote(here.address, "inbox")
    for number in range(5000):
        while not here.rt.send(to_there, b"%d" % number):
            time.sleep(0.001)
        while not there.rt.send(to_here, b"%d" % number):
            time.sleep(0.001)
    until(lambda: len(here.got) == len(there.got) == 5000)
    assert here.got == there.got == [b"%d" % number for number in range(5000)]


# -- a network that breaks -------------------------------------------------------------------------


def test_a_cut_at_any_byte_sends_nothing_twice(here: Node, until: Until) -> None:
    with V1Peer({"sink": 7}) as peer, FaultProxy(peer.address) as network:
        proxy = here.rt.resolve_remote(network.address, "sink")
        sent = 0
        for cut in range(1, 60):
            # The connection for questions is cut as well, sooner or later.
            network.up.cut_after_bytes = cut
            for _ in range(3):
                if here.rt.send(proxy, b"%05d" % sent):
                    sent += 1
            time.sleep(0.01)
            if not here.rt.is_alive(proxy):
                network.up.cut_after_bytes = None
                proxy = until(lambda: found(here.rt, network.address, "sink"))
        network.up.cut_after_bytes = None
        proxy = until(lambda: found(here.rt, network.address, "sink"))
        assert here.rt.send(proxy, b"the end")
        until(lambda: (7, b"the end") in peer.messages)
        assert fates_add_up(here.rt)
        # Not their order: of two connections the peer may read the newer one first.
        assert len(set(peer.messages)) == len(peer.messages)
        stats = here.rt.stats()
        assert len(peer.messages) <= stats["forwarded"]
        assert stats["forwarded"] + stats["lost"] == stats["accepted"]


def test_an_answer_that_is_cut_at_any_byte(here: Node, until: Until) -> None:
    with V1Peer({"echo": 5}) as peer, FaultProxy(peer.address) as network:
        for cut in range(10):
            network.down.cut_after_bytes = cut
            proxy = found(here.rt, network.address, "echo")
            assert proxy is None or cut >= 8
        network.down.cut_after_bytes = None
        proxy = until(lambda: found(here.rt, network.address, "echo"))
        assert here.rt.send(proxy, b"hello")
        until(lambda: (5, b"hello") in peer.messages)


def test_a_direction_that_ends_is_a_connection_that_ends(here: Node, until: Until) -> None:
    with V1Peer({"echo": 5}) as peer, FaultProxy(peer.address) as network:
        proxy = here.rt.resolve_remote(network.address, "echo")
        assert here.rt.send(proxy, b"one")
        until(lambda: len(peer.messages) == 1)
        network.down.end_after_bytes = 0
        until(lambda: network.open == 0 or network.connections > 4)
        network.down.end_after_bytes = None
        proxy = until(lambda: found(here.rt, network.address, "echo"))
        assert here.rt.send(proxy, b"two")
        until(lambda: (5, b"two") in peer.messages)


def test_bytes_that_change_on_their_way_hurt_nobody_else(
    here: Node, there: Node, until: Until
) -> None:
    with FaultProxy(there.address, seed=4) as network:
        for offset in range(0, 60, 3):
            network.up.flips = network.down.flips = (offset,)
            proxy = found(here.rt, network.address, "inbox")
            if proxy is not None:
                here.rt.send(proxy, b"perhaps")
            network.cut()
        network.up.flips = network.down.flips = ()
    proxy = here.rt.resolve_remote(there.address, "inbox")
    assert here.rt.send(proxy, b"hello")
    until(lambda: b"hello" in there.got)


# -- nodes of their own ----------------------------------------------------------------------------

NODE = """
import sys, time
import iris
rt = iris.Runtime()
count = [0]

def busy(message):
    # Pure Python: the interpreter takes turns, the hub of the actors does not.
    end = time.monotonic() + float(message)
    while time.monotonic() < end:
        count[0] += 1

rt.register("busy", rt.spawn(busy))
rt.register("inbox", rt.spawn(lambda message: print(message.decode(), flush=True)))
print(rt.listen("127.0.0.1:" + (sys.argv[1] if len(sys.argv) > 1 else "0")), flush=True)
time.sleep(1000)
"""


def test_a_killed_process_is_down_within_three_seconds(
    strict: Node, script: Callable[..., Any], until: Until
) -> None:
    here = strict.rt
    other = script(NODE)
    address = other.wait_for_line()
    watcher = Watcher(here)
    proxy = here.resolve_remote(address, "inbox")
    here.monitor(watcher.pid, proxy)
    here.watch_node(address, watcher.pid)
    assert here.send(proxy, b"hello")
    assert other.wait_for_line() == "hello"
    start_s = time.monotonic()
    other.process.kill()
    until(lambda: watcher.of("DOWN") and watcher.of("NODE_DOWN"), 30.0)
    assert time.monotonic() - start_s < 3.0
    (down,) = watcher.of("DOWN")
    assert down.target_pid == proxy
    assert str(down.reason) in ("NodeDown", "Disconnected")
    assert not here.is_alive(proxy)
    assert not here.send(proxy, b"gone")
    assert not here.is_node_up(address)
    # The same address again, and another life.
    again = script(NODE, address.rpartition(":")[2])
    assert again.wait_for_line() == address
    until(lambda: watcher.of("NODE_UP"))
    assert here.send(here.resolve_remote(address, "inbox"), b"back")
    assert again.wait_for_line() == "back"


def test_a_frozen_process_is_suspect_then_down_and_may_come_back(
    strict: Node, script: Callable[..., Any], until: Until
) -> None:
    here = strict.rt
    other = script(NODE)
    address = other.wait_for_line()
    watcher = Watcher(here)
    proxy = here.resolve_remote(address, "inbox")
    here.watch_node(address, watcher.pid)
    here.monitor(watcher.pid, proxy)
    until(lambda: watcher.of("PONG"))
    os.kill(other.process.pid, signal.SIGSTOP)
    start_s = time.monotonic()
    try:
        until(lambda: state_of(here, address) == "suspect", 30.0)
        assert here.is_alive(proxy)
        until(lambda: watcher.of("DOWN") and watcher.of("NODE_DOWN"), 30.0)
        # A ping a second, and a second for a busy machine.
        assert 2.0 < time.monotonic() - start_s < 5.0
        assert not here.is_alive(proxy)
    finally:
        os.kill(other.process.pid, signal.SIGCONT)
    until(lambda: watcher.of("NODE_UP"))
    assert here.send(here.resolve_remote(address, "inbox"), b"thawed")
    assert other.wait_for_line() == "thawed"


def test_a_node_whose_actors_compute_is_not_given_up(
    here: Node, script: Callable[..., Any], until: Until
) -> None:
    other = script(NODE)
    address = other.wait_for_line()
    watcher = Watcher(here.rt)
    busy = here.rt.resolve_remote(address, "busy")
    inbox = here.rt.resolve_remote(address, "inbox")
    here.rt.watch_node(address, watcher.pid)
    here.rt.monitor(watcher.pid, busy)
    here.rt.send(busy, b"2.2")
    here.rt.send(inbox, b"after it")
    pongs = len(watcher.of("PONG"))
    assert other.wait_for_line() == "after it"
    assert len(watcher.of("PONG")) > pongs
    assert watcher.of("DOWN") == watcher.of("NODE_DOWN") == []
    assert here.rt.is_alive(busy)
    assert here.rt.is_node_up(address)


def test_a_busy_hub_of_actors_does_not_accuse_others(here: Node, until: Until) -> None:
    with V1Peer({"echo": 5}) as peer:
        proxy = here.rt.resolve_remote(peer.address, "echo")
        watcher = Watcher(here.rt)
        here.rt.monitor(watcher.pid, proxy)

        def compute(_message: object) -> None:
            end_s = time.monotonic() + 1.6
            while time.monotonic() < end_s:
                pass

        pid = here.rt.spawn(compute)
        until(lambda: peer.pings >= 1)
        before = peer.pings
        here.rt.send(pid, b"go")
        assert here.rt.quiesce(60.0)
        assert peer.pings > before
        assert here.rt.is_alive(proxy)
        assert watcher.messages == []
