"""A node among peers that break the protocol, lie, dawdle and flood."""

from __future__ import annotations

import _socket  # Never patched by gevent.
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from random import Random
from typing import Any, Callable

import pytest

import iris

from .faultproxy import FaultProxy
from .meshnodes import (
    FakeServer,
    Node,
    connect,
    fates_add_up,
    is_closed,
    question,
    reset,
    send_all,
    take,
    user,
)
from .v1peer import V1Peer, v1_client

pytestmark = pytest.mark.live

Until = Callable[..., Any]


@pytest.fixture
def node() -> Iterator[Node]:
    with Node() as one:
        yield one
        assert fates_add_up(one.rt)


@pytest.fixture
def works(node: Node, until: Until) -> Callable[[], None]:
    """Check that the node is as good as new for a peer that behaves."""
    count = 0

    def check() -> None:
        nonlocal count
        count += 1
        word = b"still there? %d" % count
        with v1_client(node.host, node.port) as client:
            assert client.resolve("inbox") == node.pid
            client.send(node.pid, word)
            client.ping()
        until(lambda: word in node.got)

    return check


# -- who connects ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x00",
        b"\xff" * 40,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x01\x04",
        b"\x01\xff",
        b"\x01" + user(7, b"")[:9] + b"\xff\xff\xff\xff",
        b"\x01" + user(7, b"")[:9] + (2**20 + 1).to_bytes(4, "big"),
        b"\x01\x01\xff\xff\xff\xff",
        b"\x01\x01\x00\x00\x04\x01",
        b"\x01" + question(b"\xff"),
        b"\x01" + question(b"\xed\xa0\x80"),
        b"\x01" + question(b"\xc0\xafetc"),
    ],
)
def test_who_breaks_the_protocol_is_closed_and_nobody_else(
    node: Node, works: Callable[[], None], wrong: bytes
) -> None:
    with v1_client(node.host, node.port) as bystander:
        bystander.ping()
        sock = node.connect()
        sock.sendall(wrong)
        assert is_closed(sock)
        sock.close()
        bystander.ping()
    works()


def test_what_was_right_before_the_fault_counts(node: Node, until: Until) -> None:
    sock = node.connect()
    sock.sendall(b"\x01" + user(node.pid, b"right") + question(b"inbox") + b"\x02\x09")
    assert take(sock, 9) == node.pid.to_bytes(8, "big") + b"\x03"
    assert is_closed(sock)
    sock.close()
    until(lambda: node.got == [b"right"])


def test_garbage_of_all_kinds(node: Node, works: Callable[[], None]) -> None:
    rng = Random(15)
    good = b"\x01" + question(b"inbox") + b"\x02\x03" + user(1 << 40, b"x" * 50) + b"\x02"
    for _ in range(300):
        if rng.random() < 0.5:
            data = b"\x01" + rng.randbytes(rng.randrange(200))
        else:
            changed = bytearray(good)
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(1, len(changed))] = rng.randrange(256)
            data = bytes(changed)
        sock = node.connect()
        send_all(sock, data)
        if rng.random() < 0.3:
            reset(sock)
        else:
            sock.shutdown(_socket.SHUT_WR)
            sock.close()
    works()


def test_a_conversation_that_ends_at_any_byte(
    node: Node, works: Callable[[], None], until: Until
) -> None:
    frames = [question(b"inbox"), user(node.pid, b"one"), b"\x02", user(node.pid, b"two")]
    talk = b"\x01" + b"".join(frames)
    ones = 1 + len(frames[0]) + len(frames[1])
    for resets in (False, True):
        del node.got[:]
        for size in range(len(talk) + 1):
            sock = node.connect()
            sock.sendall(talk[:size])
            if size and resets:
                # A reset may overtake nothing here: the answer shows that all was read.
                sock.sendall(b"")
            (reset if resets else type(sock).close)(sock)
        works()
        if not resets:
            until(lambda: node.got.count(b"one") == len(talk) + 1 - ones)
            until(lambda: node.got.count(b"two") == 1)
        assert {word for word in node.got if not word.startswith(b"still")} <= {b"one", b"two"}


def test_frames_that_come_byte_by_byte(node: Node, until: Until) -> None:
    sock = node.connect()
    sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    talk = b"\x01" + user(node.pid, b"drop by drop") * 3 + question(b"inbox") + b"\x02"
    for index in range(len(talk)):
        sock.sendall(talk[index : index + 1])
    assert take(sock, 9) == node.pid.to_bytes(8, "big") + b"\x03"
    until(lambda: node.got == [b"drop by drop"] * 3)
    sock.close()


def test_messages_for_nobody_are_undeliverable(
    node: Node, works: Callable[[], None], until: Until
) -> None:
    strangers = [0, 1, 2**32, 2**64 - 1, node.pid + (1 << 32), node.pid ^ 0xFFFF]
    before = node.rt.stats()["undeliverable"]
    with v1_client(node.host, node.port) as client:
        for pid in strangers:
            client.send(pid, b"to nobody")
        client.ping()
    assert node.rt.stats()["undeliverable"] == before + len(strangers)
    assert node.got == []
    works()


def test_names_that_nobody_has(node: Node) -> None:
    with v1_client(node.host, node.port) as client:
        for name in ("", "nobody", "inbox\0", "\u20ac" * 341, "n" * 1024, "/path", "INBOX"):
            assert client.resolve(name) == 0
        assert client.resolve("inbox") == node.pid


def test_ten_thousand_connections_in_short_order(
    node: Node, works: Callable[[], None], handles: Callable[[], tuple[int, int]], until: Until
) -> None:
    works()
    _, descriptors = handles()
    rng = Random(3)
    for _ in range(200):
        with ExitStack() as stack:
            for _ in range(50):
                sock = node.connect()
                # Few that end in good order: each of those keeps its port for a minute.
                stack.callback(reset if rng.random() < 0.9 else type(sock).close, sock)
                send_all(sock, rng.choice((b"", b"\x01", b"\x01\x02", b"\x01\x00\x00")))
    works()
    until(lambda: handles()[1] <= descriptors + 2)


def test_who_answers_nothing_and_reads_nothing(node: Node, works: Callable[[], None]) -> None:
    # Questions without end, of which no answer is ever taken: the node has to stop reading.
    sock = node.connect()
    sock.sendall(b"\x01")
    sock.settimeout(0.5)
    pings = question(b"inbox") * 4096
    sent = 0
    try:
        while sent < 256 << 20:
            sent += sock.send(pings)
    except OSError:
        pass  # It takes no more, or has closed, which is as good.
    assert sent < 64 << 20
    works()
    sock.close()


class Backlog:
    """An actor that does not come to its messages, and a peer that sends it what the node takes."""

    def __init__(self, node: Node, hold: Any) -> None:
        self.got: list[int] = []
        self._hold = hold
        # Beside the hub, so that only this actor waits.
        self._pid = node.rt.spawn(self._handle, release_gil=True)
        self._sock = node.connect()
        self._sock.sendall(b"\x01")
        self._sock.settimeout(0.5)
        self._rest = b""
        self.count = 0
        sent = 0
        while sent < 64 << 20:
            if not self._rest:
                self._rest = b"".join(map(self._frame, range(self.count, self.count + 64)))
                self.count += 64
            try:
                done = self._sock.send(self._rest)
            except OSError:
                break
            sent += done
            self._rest = self._rest[done:]
        assert sent < 64 << 20, "the node takes more than it should keep"

    def _handle(self, message: bytes) -> None:
        if not self.got:
            self._hold.wait()
        self.got.append(int.from_bytes(message[:4], "big"))

    def _frame(self, number: int) -> bytes:
        return user(self._pid, number.to_bytes(4, "big") + bytes(4096))

    def finish(self, until: Until) -> None:
        """Let the actor handle all of it."""
        self._hold.let_go()
        self._sock.settimeout(60.0)
        self._sock.sendall(self._rest)
        until(lambda: len(self.got) == self.count)
        assert self.got == list(range(self.count))
        self._sock.close()


def test_an_actor_that_is_behind_slows_the_network_and_loses_nothing(
    node: Node, works: Callable[[], None], hold: Any, until: Until
) -> None:
    backlog = Backlog(node, hold)
    works()
    backlog.finish(until)


def test_who_is_held_up_by_the_node_itself_is_not_called_late(hold: Any, until: Until) -> None:
    with Node(mesh=iris.MeshLimits(progress_s=0.3, frame_s=0.6)) as node:
        backlog = Backlog(node, hold)
        # Longer than any frame may take, with one that is not whole.
        time.sleep(1.5)
        backlog.finish(until)


def test_who_dawdles_is_closed_and_who_is_idle_stays(until: Until) -> None:
    limits = iris.MeshLimits(progress_s=0.4, frame_s=1.2, silent_s=0.6)
    with Node(mesh=limits) as node, ExitStack() as stack:
        idle = stack.enter_context(v1_client(node.host, node.port))
        idle.ping()
        open_now: list[Any] = []
        for index in range(150):
            sock = node.connect()
            stack.callback(sock.close)
            sock.setblocking(False)
            # Silent from the start, in the middle of a frame, and a byte now and then.
            sock.sendall((b"", b"\x01\x00\x00", b"\x01" + user(7, bytes(1000))[:14])[index % 3])
            open_now.append((sock, index % 3 == 2))

        def all_are_closed() -> bool:
            for sock, trickles in list(open_now):
                try:
                    if trickles:
                        sock.send(b"\x00")
                    gone = not sock.recv(10)
                except BlockingIOError:
                    gone = False
                except OSError:
                    gone = True
                if gone:
                    open_now.remove((sock, trickles))
            time.sleep(0.1)
            return not open_now

        with v1_client(node.host, node.port) as client:
            assert client.resolve("inbox") == node.pid
        until(all_are_closed)
        idle.ping()


def test_when_too_many_are_connected_the_silent_ones_go(until: Until) -> None:
    with Node(mesh=iris.MeshLimits(guests_max=50)) as node, ExitStack() as stack:
        silent = [node.connect() for _ in range(49)]
        for sock in silent:
            stack.callback(sock.close)
        client = stack.enter_context(v1_client(node.host, node.port))
        for _ in range(100):
            client.ping()
            sock = node.connect()
            stack.callback(sock.close)
        client.ping()
        assert client.resolve("inbox") == node.pid
        assert all(is_closed(sock) for sock in silent)


# -- whom it connects to ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":9000", "a b:1",
     "::1:9000", "[::1]", "[127.0.0.1]:9", "host:9x", "x" * 300 + ":1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_at_the_call(node: Node, address: str) -> None:
    for call in (
        lambda: node.rt.resolve_remote(address, "x"),
        lambda: node.rt.send_remote(address, 5, b"x"),
        lambda: node.rt.is_node_up(address),
    ):
        with pytest.raises(ValueError, match="address"):
            call()


def closed_port() -> int:
    """A port where nobody listens."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    port: int = sock.getsockname()[1]
    sock.close()
    return port


def test_a_node_that_is_not_there_is_unreachable(node: Node) -> None:
    address = f"127.0.0.1:{closed_port()}"
    with pytest.raises(iris.NodeUnreachable, match=address):
        node.rt.resolve_remote(address, "x")


def test_a_host_that_does_not_exist_is_unreachable(node: Node) -> None:
    with pytest.raises(iris.NodeUnreachable, match=r"no-such-host\.invalid:9"):
        node.rt.resolve_remote("no-such-host.invalid:9", "x")


def test_a_host_that_swallows_everything_is_unreachable_in_time() -> None:
    with Node(mesh=iris.MeshLimits(io_timeout_s=1.0)) as node:
        start_s = time.monotonic()
        # An address for documentation, which nobody has.
        with pytest.raises(iris.NodeUnreachable, match=r"192\.0\.2\.1:9"):
            node.rt.resolve_remote("192.0.2.1:9", "x")
        assert time.monotonic() - start_s < 1.9


def test_what_was_sent_to_a_node_that_is_not_there_is_lost(node: Node, until: Until) -> None:
    address = f"127.0.0.1:{closed_port()}"
    seen: list[Any] = []
    watcher = node.rt.spawn(seen.append, trap_exit=True)
    node.rt.watch_node(address, watcher)
    assert node.rt.send_remote(address, 5, b"into the void")
    until(lambda: node.rt.stats()["lost"] == 1)
    until(lambda: [one for one in seen if one.type_name == "NODE_DOWN"])
    assert not node.rt.is_node_up(address)


def garbage(sock: Any) -> None:
    sock.sendall(os.urandom(100))
    is_closed(sock)


def silence(sock: Any) -> None:
    is_closed(sock)


def slam(sock: Any) -> None:
    reset(sock)


def half_an_answer(sock: Any) -> None:
    sock.recv(100)
    sock.sendall(b"\x00\x00\x00")
    is_closed(sock)


def a_byte_now_and_then(sock: Any) -> None:
    sock.settimeout(0.5)
    while True:
        with suppress(_socket.timeout):
            if not sock.recv(100):
                return
        sock.sendall(b"\x00")


def too_many_answers(sock: Any) -> None:
    sock.recv(100)
    sock.sendall((5).to_bytes(8, "big") * 1000)
    is_closed(sock)


def pongs_for_ever(sock: Any) -> None:
    while True:
        sock.sendall(b"\x03" * 65536)


async def awaited(node: Node, address: str) -> Any:
    return await node.rt.resolve_remote_py(address, "x")


@pytest.mark.parametrize(
    "serve",
    [garbage, silence, slam, half_an_answer, a_byte_now_and_then, too_many_answers, pongs_for_ever],
)
def test_a_server_that_is_no_node_costs_its_asker_an_error_and_nobody_else(
    until: Until, serve: Callable[[Any], object]
) -> None:
    hasty = iris.MeshLimits(io_timeout_s=1.0)
    with Node(mesh=hasty) as node, FakeServer(serve) as fake, V1Peer({"echo": 5}) as good:
        start_s = time.monotonic()
        # What it sends may happen to be an answer.
        if serve in (garbage, too_many_answers, pongs_for_ever):
            with suppress(iris.NodeUnreachable):
                node.rt.resolve_remote(fake.address, "x")
        else:
            with pytest.raises(iris.NodeUnreachable, match=fake.address):
                node.rt.resolve_remote(fake.address, "x")
        assert time.monotonic() - start_s < 1.9
        node.rt.send_remote(fake.address, 5, b"into the void")
        proxy = node.rt.resolve_remote(good.address, "echo")
        assert node.rt.send(proxy, b"hello")
        until(lambda: good.messages == [(5, b"hello")])
        assert good.faults == []
        assert fates_add_up(node.rt)


def test_an_await_fails_as_the_call_does() -> None:
    with Node(mesh=iris.MeshLimits(io_timeout_s=1.0)) as node, FakeServer(silence) as fake:
        with pytest.raises(iris.NodeUnreachable, match=fake.address):
            asyncio.run(awaited(node, fake.address))
        address = f"127.0.0.1:{closed_port()}"
        with pytest.raises(iris.NodeUnreachable, match=address):
            asyncio.run(awaited(node, address))


def test_answers_that_nobody_asked_for_end_the_connection_and_not_the_peer(
    node: Node, until: Until
) -> None:
    with V1Peer({"echo": 5}) as peer:
        proxy = node.rt.resolve_remote(peer.address, "echo")
        peer.garbage = b"\x03\x03"
        until(lambda: peer.pings >= 2)
        peer.garbage = None
        until(lambda: node.rt.resolve_remote(peer.address, "echo") == proxy)
        assert node.rt.send(proxy, b"hello")
        until(lambda: (5, b"hello") in peer.messages)


def test_a_peer_that_closes_after_each_answer_is_asked_anew(node: Node, until: Until) -> None:
    with V1Peer({"echo": 5, "other": 6}) as peer:
        peer.close_after_each = True
        for _ in range(20):
            proxy = node.rt.resolve_remote(peer.address, "echo")
            assert node.rt.resolve_remote(peer.address, "nobody") is None
            assert node.rt.resolve_remote(peer.address, "other") != proxy
        assert node.rt.send(proxy, b"hello")
        until(lambda: peer.messages == [(5, b"hello")])


def test_names_that_cannot_be_asked_for(node: Node) -> None:
    with V1Peer({"echo": 5}) as peer:
        assert node.rt.resolve_remote(peer.address, "nobody") is None
        assert node.rt.resolve_remote(peer.address, "n" * 1024) is None
        for name in ("n" * 1025, "\u20ac" * 342, "\ud800"):
            with pytest.raises(ValueError, match="name"):
                node.rt.resolve_remote(peer.address, name)
        assert node.rt.resolve_remote(peer.address, "echo")
        assert peer.faults == []


def test_a_peer_that_stops_reading_is_refused_in_the_end_and_holds_nobody_up(
    node: Node, until: Until
) -> None:
    with V1Peer({"sink": 7}) as peer, V1Peer({"echo": 5}) as good, FaultProxy(
        peer.address
    ) as network:
        proxy = node.rt.resolve_remote(network.address, "sink")
        other = node.rt.resolve_remote(good.address, "echo")
        network.up.stalls = True
        accepted: list[int] = []
        size = 16 * 1024
        number = 0
        while node.rt.send(proxy, number.to_bytes(4, "big") + bytes(size)):
            accepted.append(number)
            number += 1
            assert number * size < 512 << 20, "the link takes everything"
        assert node.rt.stats()["queued"] * size < 128 << 20
        assert node.rt.send(other, b"hello")
        until(lambda: good.messages == [(5, b"hello")])
        network.up.stalls = False
        until(lambda: len(peer.messages) == len(accepted))
        assert [int.from_bytes(payload[:4], "big") for _, payload in peer.messages] == accepted
        until(lambda: node.rt.send(proxy, b"again"))
        assert node.rt.is_alive(proxy)


def test_a_shutdown_among_all_of_them_leaves_nothing(
    handles: Callable[[], tuple[int, int]], until: Until
) -> None:
    with Node():
        pass  # What the first runtime of a process keeps for the next.
    before = handles()
    serves = (garbage, silence, half_an_answer, a_byte_now_and_then, pongs_for_ever)
    with ExitStack() as stack:
        fakes = [stack.enter_context(FakeServer(serve)) for serve in serves]
        node = stack.enter_context(Node())
        socks = [node.connect() for _ in range(20)]
        for index, sock in enumerate(socks):
            stack.callback(sock.close)
            sock.sendall((b"", b"\x01", b"\x01\x00\x00", b"\x01" + b"\x02" * 1000)[index % 4])
        observer = node.rt.spawn(lambda message: None, trap_exit=True)
        for fake in fakes:
            node.rt.watch_node(fake.address, observer)
            node.rt.send_remote(fake.address, 5, bytes(100_000))
        node.rt.shutdown(20)
        for sock in socks:
            assert is_closed(sock)
        assert not node.rt.send(observer, b"x")
    until(lambda: handles() <= before)


SERVER = """
import sys, time
import iris
rt = iris.Runtime()
rt.register("inbox", rt.spawn(lambda message: None))
print(rt.listen("127.0.0.1:0"), flush=True)
time.sleep(1000)
"""


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no line VmRSS")


def test_a_hundred_hostile_connections_cost_less_than_64_mib(
    script: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.path.isdir("/proc/self"):
        pytest.skip("only Linux tells in /proc")
    # Left alone, PyPy gives new objects half of the processor's cache, and that is what would show.
    monkeypatch.setenv("PYPY_GC_NURSERY", "4M")
    server = script(SERVER)
    address = server.wait_for_line()
    pid = server.process.pid
    with ExitStack() as stack:
        for _ in range(20):
            sock = connect(address)
            sock.sendall(b"\x01" + question(b"inbox"))
            assert len(take(sock, 8)) == 8
            sock.close()
        idle = resident_bytes(pid)
        most = 0
        rng = Random(8)
        rest = user(7, bytes(2**20))[:-1]
        for _ in range(100):
            sock = connect(address)
            stack.callback(sock.close)
            sock.settimeout(0.2)
            # A frame that never ends, or questions of which no answer is read.
            send_all(sock, b"\x01" + (rest if rng.randrange(3) else question(b"x" * 1024) * 1000))
            most = max(most, resident_bytes(pid))
        for _ in range(20):
            time.sleep(0.02)
            most = max(most, resident_bytes(pid))
        assert most - idle < 64 << 20, f"{(most - idle) >> 20} MiB"
        sock = connect(address)
        sock.sendall(b"\x01" + question(b"inbox"))
        assert len(take(sock, 8)) == 8
        sock.close()


def test_those_who_leave_in_the_middle_of_a_frame_leave_nothing(
    script: Callable[..., Any],
) -> None:
    if not os.path.isdir("/proc/self") or sys.implementation.name == "pypy":
        pytest.skip("only Linux tells in /proc, and PyPy frees memory when it likes")
    # What is free is free at once, without the collector of what goes in circles.
    server = script("import gc; gc.disable()\n" + SERVER)
    address = server.wait_for_line()
    idle = resident_bytes(server.process.pid)
    for _ in range(200):
        sock = connect(address)
        send_all(sock, b"\x01" + user(7, bytes(2**20))[:-1])
        sock.close()
    grown = resident_bytes(server.process.pid) - idle
    assert grown < 64 << 20, f"{grown >> 20} MiB"
