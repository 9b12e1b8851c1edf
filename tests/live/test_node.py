"""Nodes on real sockets: with foreign ones in both directions, and with each other."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

import gevent
import pytest

import iris
from iris.run.native import start_thread

from .v1peer import V1Peer, v1_client, v1_ping, v1_resolve, v1_send

pytestmark = pytest.mark.live

Until = Callable[..., Any]

PATIENT = iris.MeshLimits(io_timeout_s=60.0, down_after_s=60.0, ping_every_s=60.0)
QUICK = iris.MeshLimits(io_timeout_s=0.3, ping_every_s=0.05, backoff_most_s=0.1)


@pytest.fixture
def peer() -> Iterator[V1Peer]:
    with V1Peer({"echo": 0x500000001, "/a/b": 6, "\u20ac": 2**64 - 1}) as one:
        yield one


@pytest.fixture
def rt() -> Iterator[iris.Runtime]:
    with iris.Runtime(mesh=PATIENT) as one:
        yield one


def split(addr: str) -> tuple[str, int]:
    host, _, port = addr.rpartition(":")
    return host.strip("[]"), int(port)


def check_fates(rt: iris.Runtime) -> dict[str, int]:
    """The sum of all fates is what was accepted."""
    stats = rt.stats()
    owned = (
        "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
        "queued", "running",
    )  # fmt: skip
    assert stats["accepted"] == sum(stats[one] for one in owned), stats
    return stats


def fates_add_up(rt: iris.Runtime, until: Until) -> None:
    """Once all has come to rest."""
    assert rt.quiesce(60.0)

    def add_up() -> bool:
        try:
            check_fates(rt)
        except AssertionError:
            return False
        return True

    until(add_up)


def deaf_address() -> tuple[Any, str]:
    """A node that takes connections and never answers: the system takes them for it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


def nobodys_address() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


# -- to a foreign node -----------------------------------------------------------------------------


def test_names_are_resolved_at_a_foreign_node(rt: iris.Runtime, peer: V1Peer) -> None:
    pid = rt.resolve_remote(peer.address, "echo")
    assert isinstance(pid, int)
    assert rt.resolve_remote(peer.address, "echo") == pid
    assert rt.resolve_remote(peer.address, "nobody") is None
    others = {rt.resolve_remote(peer.address, name) for name in ("/a/b", "\u20ac")}
    assert None not in others
    assert len(others | {pid}) == 3
    assert peer.asked == ["echo", "echo", "nobody", "/a/b", "\u20ac"]
    assert rt.nodes()[0].proxies == 3
    assert peer.faults == []


def test_a_foreign_node_gets_messages_in_order(
    rt: iris.Runtime, peer: V1Peer, until: Until
) -> None:
    pid = rt.resolve_remote(peer.address, "echo")
    assert pid is not None
    sent = [b"%d" % number for number in range(5000)]
    assert all(rt.send(pid, data) for data in sent)
    assert rt.quiesce(60.0)
    until(lambda: len(peer.messages) == len(sent))
    assert peer.messages == [(0x500000001, data) for data in sent]
    assert peer.connections == 2
    assert check_fates(rt)["forwarded"] == len(sent)


def test_large_messages_arrive_whole(rt: iris.Runtime, peer: V1Peer, until: Until) -> None:
    pid = rt.resolve_remote(peer.address, "echo")
    assert pid is not None
    sent = [bytes([number]) * (1 << 20) for number in range(10)]
    for data in sent:
        assert rt.send(pid, data)
    until(lambda: len(peer.messages) == len(sent))
    assert [data for _, data in peer.messages] == sent
    assert rt.send(pid, bytes((1 << 20) + 1))
    assert rt.quiesce(60.0)
    assert check_fates(rt)["lost"] == 1
    assert peer.faults == []


def test_a_foreign_node_may_close_after_each_answer(rt: iris.Runtime, peer: V1Peer) -> None:
    peer.close_after_each = True
    pids = [rt.resolve_remote(peer.address, name) for name in ("echo", "nobody", "/a/b") * 3]
    assert pids[::3] == [pids[0]] * 3
    assert rt.is_node_up(peer.address)
    # Several at a time: one connection answers one of them.
    found: list[Optional[int]] = []
    for _ in range(8):
        start_thread(lambda: found.append(rt.resolve_remote(peer.address, "echo")))
    while len(found) < 8:
        gevent.sleep(0.002)
    assert found == [pids[0]] * 8


def test_many_senders_keep_their_order(rt: iris.Runtime, peer: V1Peer, until: Until) -> None:
    pid = rt.resolve_remote(peer.address, "echo")
    assert pid is not None
    done: list[int] = []

    def sender(name: int) -> None:
        for number in range(1000):
            while not rt.send(pid, b"%d %d" % (name, number)):
                gevent.sleep(0)
        done.append(name)

    for name in range(4):
        start_thread(lambda name=name: sender(name))  # type: ignore[misc]
    until(lambda: len(done) == 4 and len(peer.messages) == 4000)
    pairs = [tuple(map(int, data.split())) for _, data in peer.messages]
    for name in range(4):
        assert [number for who, number in pairs if who == name] == list(range(1000))
    assert rt.quiesce(60.0)
    check_fates(rt)


def test_cuts_in_mid_stream_double_nothing_and_each_connection_keeps_the_order(
    rt: iris.Runtime, peer: V1Peer, until: Until
) -> None:
    pid = rt.resolve_remote(peer.address, "echo")
    assert pid is not None
    # A ping that was cut twice would be the end of the node; the next is far away.
    until(lambda: peer.pings and rt.nodes()[0].round_trip_s is not None)
    filler = bytes(2000)
    for number in range(3000):
        while not rt.send(pid, b"%d " % number + filler):
            assert rt.is_alive(pid)
            gevent.sleep(0.001)
        if number % 500 == 250:
            peer.cut()
    assert rt.quiesce(60.0)
    assert rt.send(pid, b"3000 ")
    until(lambda: any(data == b"3000 " for _, data in peer.messages))
    fates_add_up(rt, until)
    stats = rt.stats()
    rt.shutdown(60.0)
    until(lambda: peer.open == 0)
    numbers = [int(data.split()[0]) for _, data in peer.messages]
    assert len(numbers) == len(set(numbers))
    # The peer reads a connection that it has cut to its end, beside the next one.
    latest: list[int] = []
    for number in numbers:
        before = [place for place, one in enumerate(latest) if one < number]
        if before:
            latest[max(before, key=lambda place: latest[place])] = number
        else:
            latest.append(number)
    assert len(latest) < peer.connections
    # What the system had taken when a connection was cut is gone; version 1 cannot tell.
    assert stats["forwarded"] == 3001
    assert 1 <= len(numbers) <= 3001
    # The frame that a cut has ended in the middle is no fault of ours.
    assert set(peer.faults) <= {"a message ends too soon"}


# -- from a foreign node ---------------------------------------------------------------------------


def test_a_foreign_node_resolves_sends_and_pings(rt: iris.Runtime, until: Until) -> None:
    got: list[Any] = []
    pid = rt.spawn(got.append)
    rt.register("echo", pid)
    rt.register_path("/a/b", pid)
    host, port = split(rt.listen("127.0.0.1:0"))
    assert v1_resolve(host, port, "echo") == pid
    assert v1_resolve(host, port, "/a/b") == pid
    assert v1_resolve(host, port, "nobody") == 0
    v1_ping(host, port)
    v1_send(host, port, pid, b"alone")
    until(lambda: got == [b"alone"])
    with v1_client(host, port) as client:
        for number in range(5000):
            client.send(pid, b"%d" % number)
        client.ping()
        assert client.resolve("echo") == pid
    until(lambda: len(got) == 5001)
    assert got[1:] == [b"%d" % number for number in range(5000)]
    fates_add_up(rt, until)


def test_pids_that_never_were_and_those_of_proxies_are_undeliverable(
    rt: iris.Runtime, peer: V1Peer, until: Until
) -> None:
    proxy = rt.resolve_remote(peer.address, "echo")
    assert proxy is not None
    rt.register("proxy", proxy)
    host, port = split(rt.listen("127.0.0.1:0"))
    with v1_client(host, port) as client:
        for pid in (0, 1, 12345, 2**64 - 1, proxy):
            client.send(pid, b"x")
        assert client.resolve("proxy") == 0
        client.ping()
    until(lambda: rt.stats()["undeliverable"] == 5)
    assert rt.quiesce(60.0)
    assert peer.messages == []


def test_all_kinds_of_actors_get_what_comes_from_elsewhere(rt: iris.Runtime, until: Until) -> None:
    got: dict[str, list[Any]] = {"push": [], "worker": [], "pull": [], "virtual": []}

    def body(mailbox: iris.PyMailbox) -> None:
        while not mailbox.closed:
            got["pull"].append(mailbox.recv())

    pids = {
        "push": rt.spawn(got["push"].append),
        "worker": rt.spawn(got["worker"].append, release_gil=True),
        "pull": rt.spawn_with_mailbox(body),
        "virtual": rt.spawn_virtual(got["virtual"].append),
    }
    observed = rt.spawn_observed_handler()
    host, port = split(rt.listen("127.0.0.1:0"))
    with v1_client(host, port) as client:
        for number in range(300):
            for pid in (*pids.values(), observed):
                client.send(pid, b"%d" % number)
        client.ping()
    wanted = [b"%d" % number for number in range(300)]
    until(lambda: all(len(one) == 300 for one in got.values()))
    assert all(one == wanted for one in got.values())
    assert rt.get_messages(observed) == wanted


# -- resolve, from everywhere ----------------------------------------------------------------------


def test_resolve_from_a_handler_a_pull_actor_and_a_worker(
    rt: iris.Runtime, peer: V1Peer, until: Until
) -> None:
    got: list[Any] = []

    def ask(_: Any) -> None:
        got.append(rt.resolve_remote(peer.address, "echo"))

    rt.send(rt.spawn(ask), b"go")
    rt.send(rt.spawn(ask, release_gil=True), b"go")
    rt.spawn_with_mailbox(ask)
    until(lambda: len(got) == 3)
    assert got == [rt.resolve_remote(peer.address, "echo")] * 3


def test_a_handler_that_resolves_holds_nobody_up(
    rt: iris.Runtime, peer: V1Peer, until: Until
) -> None:
    got: list[Any] = []
    peer.hold()
    rt.send(rt.spawn(lambda _: got.append(rt.resolve_remote(peer.address, "echo"))), b"go")
    until(lambda: peer.asked)
    rt.send(rt.spawn(got.append), b"other")
    until(lambda: got == [b"other"])
    peer.let_go()
    until(lambda: len(got) == 2)


def test_resolve_on_the_hub_of_the_caller(peer: V1Peer) -> None:
    def main() -> None:
        with iris.Runtime(hub="current", mesh=PATIENT) as rt:
            peer.hold()
            greenlets = [
                gevent.spawn(rt.resolve_remote, peer.address, name)
                for name in ("echo", "nobody", "echo")
            ]
            while len(peer.asked) < 3:
                gevent.sleep(0.002)
            peer.let_go()
            gevent.joinall(greenlets, timeout=60.0, raise_error=True)
            first, nobody, again = (one.value for one in greenlets)
            assert first == again
            assert nobody is None
            got: list[Any] = []
            rt.send(rt.spawn(lambda _: got.append(rt.resolve_remote(peer.address, "echo"))), b"")
            while not got:
                gevent.sleep(0.002)
            assert got == [first]

    gevent.spawn(main).get(timeout=90.0)


def test_resolve_in_asyncio(rt: iris.Runtime, peer: V1Peer) -> None:
    async def main() -> None:
        pid = await rt.resolve_remote_py(peer.address, "echo")
        assert pid is not None
        outcome = rt.resolve_remote_py(peer.address, "echo")
        assert await outcome == await outcome == pid
        peer.hold()
        held = rt.resolve_remote_py(peer.address, "echo")

        async def wait() -> Optional[int]:
            return await held

        first, second, third = (asyncio.ensure_future(wait()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        peer.let_go()
        assert await asyncio.gather(first, third) == [pid, pid]
        assert await asyncio.gather(
            *(rt.resolve_remote_py(peer.address, name) for name in ("echo", "nobody"))  # type: ignore[arg-type]
        ) == [pid, None]
        with pytest.raises(iris.WouldDeadlock):
            rt.resolve_remote(peer.address, "echo")
        with pytest.raises(iris.WouldDeadlock):
            rt.is_node_up(peer.address)

    asyncio.run(main())


def test_one_outcome_in_two_loops_and_an_error_each_time(rt: iris.Runtime, peer: V1Peer) -> None:
    found = rt.resolve_remote_py(peer.address, "echo")
    wrong = rt.resolve_remote_py(nobodys_address(), "echo")

    async def main() -> Optional[int]:
        for _ in range(2):
            with pytest.raises(iris.NodeUnreachable):
                await wrong
        return await found

    assert asyncio.run(main()) == asyncio.run(main()) == rt.resolve_remote(peer.address, "echo")


def test_nobody_takes_connections(rt: iris.Runtime) -> None:
    addr = nobodys_address()
    with pytest.raises(iris.NodeUnreachable, match=addr) as caught:
        rt.resolve_remote(addr, "echo")
    assert isinstance(caught.value, ConnectionError)
    assert not rt.is_node_up(addr)
    assert [(str(info.state), str(info.reason)) for info in rt.nodes()] == [("down", "refused")]


def test_a_host_that_nobody_knows(rt: iris.Runtime) -> None:
    with pytest.raises(iris.NodeUnreachable, match=r"no-such-host\.invalid:9"):
        rt.resolve_remote("no-such-host.invalid:9", "echo")
    assert rt.nodes()[0].reason == "unknown"


def test_a_node_that_never_answers(until: Until) -> None:
    listener, addr = deaf_address()
    with listener, iris.Runtime(mesh=QUICK) as rt:
        with pytest.raises(iris.NodeUnreachable, match=addr):
            rt.resolve_remote(addr, "echo")
        assert not rt.is_node_up(addr)


def test_a_node_that_closes_without_an_answer(rt: iris.Runtime, peer: V1Peer) -> None:
    peer.garbage = b""
    peer.close_after_each = True
    with pytest.raises(iris.NodeUnreachable, match=peer.address):
        rt.resolve_remote(peer.address, "echo")

    async def main() -> None:
        with pytest.raises(iris.NodeUnreachable, match=peer.address):
            await rt.resolve_remote_py(peer.address, "echo")

    asyncio.run(main())


def test_a_node_that_answers_something_else(rt: iris.Runtime, peer: V1Peer) -> None:
    peer.garbage = b"HTTP/1.1 400 Bad Request\r\n"
    assert not rt.is_node_up(peer.address)
    peer.garbage = None
    assert rt.is_node_up(peer.address)


# -- ends ------------------------------------------------------------------------------------------


def test_the_end_of_a_node_is_told_once_and_its_return(until: Until) -> None:
    with iris.Runtime(mesh=QUICK) as rt, V1Peer({"echo": 5, "other": 6}) as peer:
        observer = rt.spawn_observed_handler()
        watcher = rt.spawn_observed_handler()
        proxies = [rt.resolve_remote(peer.address, name) for name in ("echo", "other")]
        for proxy in proxies:
            assert proxy is not None
            rt.monitor(observer, proxy)
            rt.link(observer, proxy)
        rt.watch_node(peer.address, watcher)
        seen: list[Any] = []

        def heard(word: str) -> bool:
            seen.extend(rt.get_messages(watcher))
            return any(message.type_name == word for message in seen)

        until(lambda: heard("PONG"))
        peer.stop()
        until(lambda: heard("NODE_DOWN"))
        assert all(rt.join(proxy, 60.0) for proxy in proxies if proxy)
        ends = rt.get_messages(observer)
        assert sorted((one.type_name, one.from_pid) for one in ends) == sorted(
            (word, proxy) for word in ("DOWN", "EXIT") for proxy in proxies
        )
        for one in ends:
            assert one.reason == "NodeDown"
            assert one.metadata["address"] == peer.address
            assert one.metadata["reason"] in {"refused", "reset"}
        with V1Peer({"echo": 7}, port=peer.port) as again:
            until(lambda: heard("NODE_UP"))
            assert rt.is_node_up(peer.address)
            pid = rt.resolve_remote(peer.address, "echo")
            assert pid not in proxies
            assert pid is not None
            assert rt.send(pid, b"hello")
            until(lambda: again.messages == [(7, b"hello")])
        assert [one.type_name for one in seen].count("NODE_DOWN") == 1
        pong = next(one for one in seen if one.type_name == "PONG")
        assert pong.metadata["address"] == peer.address
        assert pong.metadata["round_trip_s"] > 0
        fates_add_up(rt, until)


def test_messages_for_a_node_that_dies_are_lost_and_counted(until: Until) -> None:
    with iris.Runtime(mesh=PATIENT) as rt, V1Peer({"echo": 5}) as peer:
        proxy = rt.resolve_remote(peer.address, "echo")
        assert proxy is not None
        accepted = 0
        for number in range(2000):
            accepted += rt.send(proxy, bytes(1000))
            if number == 1000:
                peer.stop()
        # The system may have taken the last ones; the next finds the connection gone.
        until(lambda: not rt.send(proxy, b"x") or not rt.is_alive(proxy))
        assert rt.join(proxy, 60.0)
        fates_add_up(rt, until)
        assert accepted <= rt.stats()["accepted"]


def test_a_supervised_proxy_is_resolved_anew(until: Until) -> None:
    with iris.Runtime(mesh=QUICK) as rt, V1Peer({"echo": 5}) as peer:
        seen: list[int] = []

        def factory() -> int:
            pid = rt.resolve_remote(peer.address, "echo")
            if pid is None:
                raise LookupError("nobody has the name")
            seen.append(pid)
            return pid

        first = factory()
        rt.supervise_with_factory(first, factory)
        peer.stop()
        assert rt.join(first, 60.0)
        with V1Peer({"echo": 77}, port=peer.port) as again:
            until(lambda: len(seen) > 1 and rt.is_alive(seen[-1]))
            assert rt.send(seen[-1], b"hello")
            until(lambda: again.messages == [(77, b"hello")])


# -- two nodes of ours -----------------------------------------------------------------------------


def test_two_runtimes_in_one_process(until: Until) -> None:
    with iris.Runtime(mesh=PATIENT) as here, iris.Runtime(mesh=PATIENT) as there:
        got: list[Any] = []
        addr = there.listen("127.0.0.1:0")
        own = there.spawn(got.append)
        there.register("sink", own)
        proxy = here.resolve_remote(addr, "sink")
        assert proxy is not None
        # A node may be its own peer, too.
        itself = there.resolve_remote(addr, "sink")
        assert itself not in (None, own)
        for number in range(20_000):
            while not here.send(proxy, b"%d" % number):
                gevent.sleep(0)
        until(lambda: len(got) == 20_000)
        assert got == [b"%d" % number for number in range(20_000)]
        assert itself is not None
        assert there.send(itself, b"to myself")
        until(lambda: got[-1] == b"to myself")
        assert here.shutdown(60.0) == []
        assert here.shutdown(60.0) == []
        assert there.is_node_up(addr)
        for call in (
            lambda: here.listen("127.0.0.1:0"),
            lambda: here.resolve_remote(addr, "sink"),
            lambda: here.resolve_remote_py(addr, "sink"),
            lambda: here.send_remote(addr, own, b"x"),
            here.nodes,
        ):
            with pytest.raises(iris.RuntimeClosed):
                call()


def test_a_slow_receiver_slows_its_sender_and_loses_nothing(until: Until) -> None:
    with iris.Runtime(mesh=PATIENT) as here, iris.Runtime(mesh=PATIENT) as there:
        got: list[int] = []
        held = [True]
        # Until the first message is refused: so the receiver is the slower one on any machine.

        def slow(data: bytes) -> None:
            while held:
                gevent.sleep(0.001)
            gevent.sleep(0.0005)
            got.append(int(data.split()[0]))

        there.register("slow", there.spawn(slow))
        addr = there.listen("127.0.0.1:0")
        proxy = here.resolve_remote(addr, "slow")
        assert proxy is not None
        filler = bytes(100_000)
        refused, most = 0, 0
        for number in range(600):
            if number % 20 == 0:
                # So that the thread of the mesh sees in time how much there is.
                time.sleep(0.002)
            while not here.send(proxy, b"%d " % number + filler):
                refused += 1
                most = max(most, there.stats()["queued"])
                held.clear()
                time.sleep(0.001)
        until(lambda: len(got) == 600)
        assert got == list(range(600))
        assert refused
        assert most < 200
        fates_add_up(here, until)
        fates_add_up(there, until)


# -- doors -----------------------------------------------------------------------------------------


def test_doors(rt: iris.Runtime, until: Until) -> None:
    assert rt.listen_addresses == []
    first = rt.listen("127.0.0.1:0")
    second = rt.listen("localhost:0")
    assert rt.listen_addresses == [first, second]
    for addr in (first, second):
        assert split(addr)[1] > 0
        v1_ping(*split(addr))
    with pytest.raises(OSError, match=first) as caught:
        rt.listen(first)
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(iris.BadInput) as refused:
        rt.listen("0.0.0.0:0")
    assert "cluster_key" in str(refused.value)
    assert "insecure=True" in str(refused.value)
    everywhere = rt.listen("0.0.0.0:0", insecure=True)
    v1_ping("127.0.0.1", split(everywhere)[1])
    for wrong in ("", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:-1", "::1:0", "[::1:0", "a b:0"):
        with pytest.raises(iris.BadInput):
            rt.listen(wrong)
    for odd in (None, 9000, b"127.0.0.1:0"):
        with pytest.raises(TypeError):
            rt.listen(odd)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        rt.listen("127.0.0.1:0", insecure=1)  # type: ignore[arg-type]
    with pytest.raises(OSError, match=r"192\.0\.2\.1"):
        rt.listen("192.0.2.1:0", insecure=True)
    with pytest.raises(OSError, match="no-such-host"):
        rt.listen("no-such-host.invalid:0", insecure=True)
    assert len(rt.listen_addresses) == 3


def test_ipv6(rt: iris.Runtime) -> None:
    try:
        addr = rt.listen("[::1]:0")
    except OSError:
        pytest.skip("no IPv6 here")
    assert addr.startswith("[::1]:")
    pid = rt.spawn(print)
    rt.register("name", pid)
    assert v1_resolve(*split(addr), "name") == pid
    assert rt.resolve_remote(addr, "name") is not None
    assert rt.resolve_remote("[0:0::0:1]:" + addr.rpartition(":")[2], "name") is not None
    assert len(rt.nodes()) == 1


def test_a_door_is_free_after_shutdown() -> None:
    with iris.Runtime() as rt:
        addr = rt.listen("127.0.0.1:0")
        client = v1_client(*split(addr))
        client.ping()
    assert client.is_closed()
    client.close()
    with pytest.raises(ConnectionError):
        v1_client(*split(addr))
    with iris.Runtime() as rt:
        assert rt.listen(addr) == addr


# -- the end of the runtime ------------------------------------------------------------------------


def test_shutdown_does_not_wait_for_nodes_that_do_not_answer(until: Until) -> None:
    listener, addr = deaf_address()
    with listener:
        rt = iris.Runtime(mesh=PATIENT)
        proxy = rt.monitor_remote(addr, 5)
        # More than the system takes.
        while rt.send(proxy, bytes(1 << 20)):
            pass
        refused = nobodys_address()
        rt.send_remote(refused, 5, b"x")
        outcome = rt.resolve_remote_py(addr, "echo")
        assert rt.shutdown(30.0) == []

        async def main() -> None:
            with pytest.raises(iris.NodeUnreachable):
                await outcome

        asyncio.run(main())


def test_a_call_that_waits_ends_with_the_runtime(until: Until) -> None:
    listener, addr = deaf_address()
    with listener:
        rt = iris.Runtime(mesh=PATIENT)
        ends: list[BaseException] = []

        def ask() -> None:
            try:
                rt.resolve_remote(addr, "echo")
            except iris.IrisError as error:
                ends.append(error)

        start_thread(ask)
        until(rt.nodes)
        assert rt.shutdown(30.0) == []
        until(lambda: ends)
        assert isinstance(ends[0], (iris.NodeUnreachable, iris.RuntimeClosed))


def test_runtimes_leave_no_thread_and_no_descriptor(
    handles: Callable[[], tuple[int, int]], until: Until
) -> None:
    def once() -> None:
        with V1Peer({"echo": 5}) as peer, iris.Runtime(mesh=PATIENT) as rt:
            addr = rt.listen("127.0.0.1:0")
            proxy = rt.resolve_remote(peer.address, "echo")
            assert proxy is not None
            rt.send(proxy, b"x")
            rt.resolve_remote(addr, "nobody")
            with pytest.raises(iris.NodeUnreachable):
                rt.resolve_remote(nobodys_address(), "echo")
            v1_ping(*split(addr))

    once()
    threads, descriptors = handles()
    for _ in range(20):
        once()
    until(lambda: handles()[0] <= threads + 1 and handles()[1] <= descriptors + 1)


FORK = """
    import os
    import iris

    rt = iris.Runtime()
    addr = rt.listen("127.0.0.1:0")
    rt.resolve_remote(addr, "nobody")
    child = os.fork()
    if not child:
        for call in (
            lambda: rt.listen("127.0.0.1:0"), lambda: rt.resolve_remote(addr, "x"),
            lambda: rt.send_remote(addr, 5, b"x"), lambda: rt.nodes(),
        ):
            try:
                call()
            except RuntimeError:
                continue
            os._exit(1)
        with iris.Runtime() as own:
            own.listen("127.0.0.1:0")
            assert own.is_node_up(addr)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert rt.is_node_up(addr)
    assert rt.shutdown() == []
    print("well")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_a_mesh_of_its_own(script: Callable[..., Any]) -> None:
    script(FORK).check("well")


def test_threads_that_begin_at_once_share_one_mesh(rt: iris.Runtime, peer: V1Peer) -> None:
    gate = threading.Barrier(8)
    found: list[Optional[int]] = []

    def ask() -> None:
        gate.wait(60)
        found.append(rt.resolve_remote(peer.address, "echo"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert peer.connections == 1
