"""Nodes with a key, over real sockets and threads."""

from __future__ import annotations

import _socket  # Never patched by gevent.
import asyncio
import dataclasses
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live

Until = Callable[..., Any]
Start = Callable[..., iris.Runtime]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    log = logging.getLogger("iris")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Make a runtime with these keys, the first of which it proves; without any, one without."""
    key = secrets.token_hex(32)
    runtimes: list[iris.Runtime] = []

    def begin(*keys: str, **options: Any) -> iris.Runtime:
        monkeypatch.setenv("IRIS_TEST_KEY", " ".join(keys or (key,)))
        runtimes.append(iris.Runtime(cluster_key="env:IRIS_TEST_KEY", **options))
        return runtimes[-1]

    yield begin
    for rt in runtimes:
        rt.shutdown()


class Nodes:
    """Two nodes with the same key."""

    def __init__(self, start: Start) -> None:
        self.here = start()
        self.there = start()
        self.address = self.there.listen("127.0.0.1:0")

    def proxy(self, pid: int) -> int:
        self.there.register(f"name {pid}", pid)
        found = self.here.resolve_remote(self.address, f"name {pid}")
        assert found is not None
        return found

    def echo(self) -> int:
        return self.proxy(self.there.spawn(self.there.reply))


@pytest.fixture
def nodes(start: Start) -> Nodes:
    return Nodes(start)


def check_fates(rt: iris.Runtime, until: Until) -> None:
    owned = (
        "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
        "queued", "running",
    )  # fmt: skip

    def adds_up() -> bool:
        stats = rt.stats()
        return bool(stats["accepted"] == sum(stats[one] for one in owned))

    until(adds_up, 5.0)


@dataclasses.dataclass
class Point:
    x: int
    y: list[int]


def test_questions_from_everywhere(nodes: Nodes, until: Until) -> None:
    here, echo = nodes.here, nodes.echo()
    for rt in (here, nodes.there):
        rt.register_type(1, Point)
    assert here.ask(echo, {"from": "thread"}, timeout_s=5.0) == {"from": "thread"}
    assert here.ask(echo, Point(1, [2]), timeout_s=5.0) == Point(1, [2])
    got: list[Any] = []

    def handler(data: Any) -> None:
        got.append(here.ask(echo, data, timeout_s=5.0))

    here.send(here.spawn(handler), b"handler")
    until(lambda: got == [b"handler"])

    def pulls(mailbox: Any) -> None:
        got.append(here.ask(echo, mailbox.recv(), timeout_s=5.0))

    here.send(here.spawn_with_mailbox(pulls), b"pull")
    until(lambda: got == [b"handler", b"pull"])

    async def main() -> list[Any]:
        return await asyncio.gather(
            *(here.ask_async(echo, number, timeout_s=5.0) for number in range(100))
        )

    assert asyncio.run(main()) == list(range(100))
    check_fates(here, until)
    check_fates(nodes.there, until)


def test_a_question_to_a_late_and_to_a_dead_actor(nodes: Nodes) -> None:
    here, there = nodes.here, nodes.there
    silent = nodes.proxy(there.spawn(lambda _: None))
    with pytest.raises(iris.AskTimeout):
        here.ask(silent, b"x", timeout_s=0.05)

    def fails(_: Any) -> None:
        raise ValueError("no")

    with pytest.raises(iris.ActorDead):
        here.ask(nodes.proxy(there.spawn(fails)), b"x", timeout_s=5.0)


def test_keys_are_refused_at_once_and_changed_without_a_halt(start: Start) -> None:
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    there = start(old)
    address = there.listen("127.0.0.1:0")
    there.register("echo", there.spawn(there.reply))
    with iris.Runtime() as plain:
        for stranger in (start(new), plain):
            began = time.monotonic()
            with pytest.raises(iris.NodeUnreachable) as caught:
                stranger.resolve_remote(address, "echo")
            assert address in str(caught.value)
            assert time.monotonic() - began < 2.0
            assert not stranger.is_node_up(address)
    both = start(new, old)
    inside = both.listen("127.0.0.1:0")
    both.register("echo", both.spawn(both.reply))
    for rt in (start(old), start(new)):
        echo = rt.resolve_remote(inside, "echo")
        assert echo is not None
        assert rt.ask(echo, b"x", timeout_s=5.0) == b"x"


def test_a_connection_that_is_lost_fails_its_questions_at_once(
    nodes: Nodes, start: Start, until: Until
) -> None:
    relay = Relay(nodes.address)
    here = nodes.here
    nodes.there.register("silent", nodes.there.spawn(lambda _: None))
    nodes.there.register("echo", nodes.there.spawn(nodes.there.reply))
    silent = here.resolve_remote(relay.address, "silent")
    assert silent is not None
    until(lambda: relay.pairs)
    errors: list[Any] = []

    def asks(_: Any) -> None:
        began = time.monotonic()
        try:
            here.ask(silent, b"x", timeout_s=30.0)
        except iris.NodeUnreachable:
            errors.append(time.monotonic() - began)

    here.send(here.spawn(asks), b"")
    until(lambda: nodes.there.stats()["handled"] == 1)
    relay.cut()
    until(lambda: errors)
    assert errors[0] < 5.0
    echo = here.resolve_remote(relay.address, "echo")
    assert echo is not None
    assert here.ask(echo, b"again", timeout_s=5.0) == b"again"
    check_fates(here, until)
    relay.close()


class Relay:
    """Sends bytes on between two sockets, until it cuts them."""

    def __init__(self, address: str) -> None:
        from iris.run.native import start_thread

        host, _, port = address.rpartition(":")
        self._where = host, int(port)
        self._door = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0)
        self._door.bind(("127.0.0.1", 0))
        self._door.listen(8)
        self.address = f"127.0.0.1:{self._door.getsockname()[1]}"
        self.pairs: list[tuple[Any, Any]] = []
        self._start = start_thread
        start_thread(self._accept)

    def _accept(self) -> None:
        while True:
            try:
                descriptor, _ = self._door._accept()
            except OSError:
                return
            client = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, descriptor)
            server = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0)
            server.connect(self._where)
            self.pairs.append((client, server))
            self._start(lambda one=client, other=server: self._pump(one, other))
            self._start(lambda one=server, other=client: self._pump(one, other))

    def _pump(self, one: Any, other: Any) -> None:
        with suppress(OSError):
            while True:
                data = one.recv(65536)
                if not data:
                    break
                other.sendall(data)
        for sock in (one, other):
            _shut(sock)

    def cut(self) -> None:
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for sock in pair:
                _shut(sock)

    def close(self) -> None:
        self.cut()
        _shut(self._door)
        self._door.close()


def _shut(sock: Any) -> None:
    with suppress(OSError):
        sock.shutdown(_socket.SHUT_RDWR)


def test_ends_and_links_cross(nodes: Nodes) -> None:
    here, there = nodes.here, nodes.there
    killed, linked = there.spawn(print), there.spawn(print)
    watcher = here.spawn_observed_handler()
    proxy, other = nodes.proxy(killed), nodes.proxy(linked)
    here.monitor(watcher, proxy)
    ours = here.spawn(print)
    here.link(ours, other)
    # What was said before is read before.
    assert here.ask(nodes.echo(), b"", timeout_s=5.0) == b""
    there.stop(killed)
    assert here.join(proxy, 5.0)
    [down] = here.get_messages(watcher)
    assert (down.type_name, down.reason, down.from_pid) == ("DOWN", "Killed", proxy)
    here.stop(ours)
    assert there.join(linked, 5.0)
    assert here.join(other, 5.0)


def test_a_node_that_shuts_down_has_left(nodes: Nodes, until: Until) -> None:
    here, there = nodes.here, nodes.there
    nodes.echo()
    observer = here.spawn_observed_handler()
    here.watch_node(nodes.address, observer)
    assert here.is_node_up(nodes.address)
    there.shutdown()
    until(lambda: here.nodes()[0].state == "down", 10.0)
    assert here.nodes()[0].reason in {"left", "refused"}
    told = []
    until(lambda: told.extend(here.get_messages(observer)) or any(
        one.type_name == "NODE_DOWN" for one in told
    ))
    down = next(one for one in told if one.type_name == "NODE_DOWN")
    assert (down.reason, down.metadata["reason"]) == ("Disconnected", "left")


def test_a_node_that_computes_lags_and_is_not_down(start: Start, until: Until) -> None:
    fast = iris.MeshLimits(ping_every_s=0.1, down_after_s=1.0)
    here, there = start(mesh=fast), start(mesh=fast)
    address = there.listen("127.0.0.1:0")
    busy: list[bool] = []

    def computes(_: Any) -> None:
        busy.append(True)
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            sum(range(1000))

    there.register("busy", there.spawn(computes))
    proxy = here.resolve_remote(address, "busy")
    assert proxy is not None
    here.send(proxy, b"x")
    until(lambda: busy)
    states, lags = set(), []
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        [info] = here.nodes()
        states.add(str(info.state))
        lags.append(info.lag_s)
        time.sleep(0.02)
    assert "down" not in states
    assert max(lags) > 0.5
    assert here.is_alive(proxy)


@pytest.mark.parametrize("size", [10 << 20, 64 << 20])
def test_large_messages_and_answers(nodes: Nodes, size: int) -> None:
    proxy = nodes.echo()
    data = bytes(size)
    assert nodes.here.ask(proxy, data, timeout_s=30.0) == data


def test_many_messages_keep_their_order_and_a_slow_receiver_bounds_its_sender(
    nodes: Nodes, until: Until
) -> None:
    here, there = nodes.here, nodes.there
    got: list[Any] = []
    sink = nodes.proxy(there.spawn(got.append))
    for number in range(20_000):
        while not here.send(sink, number):
            time.sleep(0.001)
    until(lambda: len(got) == 20_000)
    assert got == list(range(20_000))
    held: list[Any] = []
    slow = nodes.proxy(there.spawn_with_mailbox(lambda mailbox: held.append(mailbox.recv())))
    stuck = nodes.proxy(there.spawn_with_mailbox(lambda mailbox: time.sleep(1.5)))
    del slow
    sent, end = 0, time.monotonic() + 5.0
    while here.send(stuck, bytes(10_000)):
        sent += 1
        assert time.monotonic() < end
        if sent > 5000:
            time.sleep(0.001)
    assert sent * 10_000 < 200 << 20
    check_fates(here, until)


def test_a_flood_in_both_directions_ends(nodes: Nodes, until: Until) -> None:
    here, there = nodes.here, nodes.there
    back = here.listen("127.0.0.1:0")
    got: dict[str, list[Any]] = {"here": [], "there": []}
    here.register("sink", here.spawn(got["here"].append))
    one = nodes.proxy(there.spawn(got["there"].append))
    other = there.resolve_remote(back, "sink")
    assert other is not None
    sent = {"here": 0, "there": 0}
    for _ in range(5000):
        sent["there"] += here.send(one, bytes(1000))
        sent["here"] += there.send(other, bytes(1000))
    until(lambda: {name: len(messages) for name, messages in got.items()} == sent)
    check_fates(here, until)
    check_fates(there, until)


def test_a_node_that_comes_back_at_its_address_is_another(start: Start, until: Until) -> None:
    here, there = start(), start()
    address = there.listen("127.0.0.1:0")
    there.register("echo", there.spawn(there.reply))
    first = here.resolve_remote(address, "echo")
    assert first is not None
    watcher = here.spawn_observed_handler()
    here.monitor(watcher, first)
    there.shutdown()
    assert here.join(first, 10.0)
    again = start()
    until(lambda: listens(again, address), 5.0)
    again.register("echo", again.spawn(again.reply))
    second = here.resolve_remote(address, "echo")
    assert second is not None
    assert second != first
    assert here.ask(second, b"x", timeout_s=5.0) == b"x"
    assert [one.type_name for one in here.get_messages(watcher)] == ["DOWN"]
    assert here.nodes()[0].state == "up"


def listens(rt: iris.Runtime, address: str) -> bool:
    try:
        rt.listen(address)
    except OSError:
        return False
    return True
