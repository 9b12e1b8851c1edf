"""A proxy taken for what it is: an actor, to which only bytes can be sent."""

from __future__ import annotations

import array
import errno
import logging
import threading
from typing import Any, Callable

import pytest

import iris
from iris.mesh.node import PEERS_MOST

from .byhand import read_server_side
from .fakedriver import FakeStream, World

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")


@pytest.fixture
def world() -> World:
    return World()


def connected(world: World) -> tuple[int, FakeStream]:
    """A proxy, and the connection that carries its messages."""
    proxy = world.proxy(5)
    world.settle()
    world.connect().come(b"\x03")
    world.rt.send(proxy, b"first")
    world.settle()
    return proxy, world.connect()


def got(stream: FakeStream) -> list[bytes]:
    return [one[2] for one in read_server_side(stream.written)[0]][1:]


def test_all_ways_to_send_end_at_the_other_node(world: World) -> None:
    proxy, stream = connected(world)
    rt = world.rt
    rt.register("name", proxy)
    rt.register_path("/a/b", proxy)
    assert rt.whereis("name") == rt.whereis_path("/a/b") == proxy
    assert rt.send(proxy, bytearray(b"array"))
    assert rt.send(proxy, memoryview(b"view")[1:])
    assert rt.send(proxy, memoryview(array.array("H", [1, 2]))[::2])
    assert rt.send_named("name", b"named")
    rt.send_after(proxy, 10, b"after")
    forwarder = rt.spawn(lambda data: rt.send(proxy, b"handler " + data))
    rt.send(forwarder, b"x")
    rt.spawn_with_mailbox(lambda _: rt.send(proxy, b"pulled"))
    assert rt.send_remote(world.address, 5, b"by its own pid")
    assert rt.send_remote(world.address, proxy, b"by the pid here")
    world.settle()
    rt.advance(1.0)
    world.settle()
    assert set(got(stream)) == {
        b"array", b"iew", array.array("H", [1]).tobytes(), b"named", b"after", b"handler x",
        b"pulled", b"by its own pid", b"by the pid here",
    }  # fmt: skip
    assert rt.nodes()[0].proxies == 1
    world.check_fates()


class Text(bytes):
    """Bytes of a class of their own."""


def test_bytes_of_another_class_go_out_as_bytes(world: World) -> None:
    proxy, stream = connected(world)
    world.rt.send(proxy, Text(b"text"))
    world.settle()
    assert got(stream) == [b"text"]


@pytest.mark.parametrize("message", ["text", 1, None, ["a"], (b"a",), array.array("b", [1])])
def test_anything_but_bytes_is_an_error_at_the_send(world: World, message: Any) -> None:
    proxy, _ = connected(world)
    world.rt.register("name", proxy)
    before = world.rt.stats()
    for send in (
        lambda: world.rt.send(proxy, message),
        lambda: world.rt.send_named("name", message),
        lambda: world.rt.send_remote(world.address, proxy, message),
        lambda: world.rt.send_remote(world.address, 77, message),
        lambda: world.rt.send_after(proxy, 10, message),
    ):
        with pytest.raises(TypeError, match="only bytes"):
            send()
    world.settle()
    assert world.rt.stats() == before
    assert world.rt.nodes()[0].proxies == 1


def test_an_error_of_send_remote_makes_no_proxy() -> None:
    world = World(mesh=iris.MeshLimits(payload_bytes=10))
    with pytest.raises(iris.BadInput, match="payload_bytes=10"):
        world.rt.send_remote(world.address, 5, bytes(11))
    for pid in (0, -1, 2**64):
        with pytest.raises(iris.BadInput):
            world.rt.send_remote(world.address, pid, b"x")
    for wrong in (5.0, 5.0, None, True):
        with pytest.raises(TypeError):
            world.rt.send_remote(world.address, wrong, b"x")  # type: ignore[arg-type]
    for address in ("node", "node:0", "node:65536", ":7", "no de:7", "", "[::1]", "::1:7"):
        with pytest.raises(iris.BadInput):
            world.rt.send_remote(address, 5, b"x")
    assert world.rt.stats()["spawned"] == 0
    assert all(info.proxies == 0 for info in world.rt.nodes())


def test_what_a_mailbox_spills_or_redirects_to_a_proxy_goes_out(world: World) -> None:
    proxy, stream = connected(world)
    for policy in ("redirect", "spill"):
        pid = world.rt.spawn_py_handler_bounded(lambda _: None, 100, 1)
        world.rt.set_overflow_policy(pid, policy, proxy)
        world.rt.send(pid, b"kept")
        world.rt.send(pid, policy.encode())
        world.rt.send(pid, ["not bytes"])
    world.settle()
    assert got(stream) == [b"redirect", b"spill"]
    assert world.check_fates()["lost"] == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda rt, pid: rt.ask(pid, b"?", 1.0),
        lambda rt, pid: rt.spawn_child(pid, print),
        lambda rt, pid: rt.hot_swap(pid, print),
        lambda rt, pid: rt.set_overflow_policy(pid, "dropnew"),
    ],
)
def test_what_a_proxy_cannot_do_is_an_error_that_says_so(
    world: World, call: Callable[[Any, int], Any]
) -> None:
    proxy, _ = connected(world)
    with pytest.raises(iris.IrisError) as caught:
        call(world.rt, proxy)
    assert isinstance(caught.value, (iris.ActorError, iris.BadInput))
    assert str(proxy) in str(caught.value)
    world.settle()
    assert world.rt.is_alive(proxy)
    world.check_fates()


def test_links_monitors_names_and_join(world: World) -> None:
    proxy, _ = connected(world)
    rt = world.rt
    observer = rt.spawn_observed_handler()
    friend, stranger = rt.spawn(print), rt.spawn(print)
    ref = rt.monitor(observer, proxy)
    rt.monitor(observer, proxy)
    rt.demonitor(ref)
    rt.link(proxy, friend)
    rt.link(proxy, stranger)
    rt.unlink(stranger, proxy)
    rt.register("name", proxy)
    assert rt.stop(proxy)
    assert rt.whereis("name") is None
    assert not rt.send(proxy, b"late")
    world.settle()
    assert rt.join(proxy, 0.0)
    [down] = rt.get_messages(observer)
    assert (down.type_name, down.reason, down.from_pid) == ("DOWN", "Killed", proxy)
    assert not rt.is_alive(friend)
    assert rt.is_alive(stranger)
    assert not rt.stop(proxy)


def test_an_actor_that_ends_takes_linked_proxies_with_it(world: World) -> None:
    proxy, _ = connected(world)
    pid = world.rt.spawn(print)
    world.rt.link(pid, proxy)
    world.rt.stop(pid)
    world.settle()
    assert not world.rt.is_alive(proxy)


def test_pids_that_are_alike_here_and_there_are_told_apart(world: World) -> None:
    here = world.rt.spawn(print)
    assert world.rt.send_remote(world.address, here, b"x")
    proxy = world.rt.monitor_remote(world.address, here)
    assert proxy != here
    other = world.rt.monitor_remote("other:7", proxy)
    # The proxy of one node is nobody's pid at another.
    assert other != proxy
    assert world.rt.monitor_remote(world.address, proxy) == proxy
    world.settle()
    assert world.rt.stats()["handled"] == 0


def test_an_actor_that_monitors_gets_one_down_with_the_reason(world: World) -> None:
    proxies: list[int] = []
    seen: list[Any] = []

    def handler(message: Any) -> None:
        if isinstance(message, bytes):
            proxies.append(world.rt.monitor_remote(world.address, 5))
        else:
            seen.append(message)

    world.rt.send(world.rt.spawn(handler, trap_exit=True), b"go")
    world.settle()
    world.driver.attempt.fail(REFUSED)
    world.settle()
    [down] = seen
    assert (down.type_name, down.reason) == ("DOWN", "NodeDown")
    assert down.metadata["address"] == world.address
    assert down.metadata["reason"] == "refused"
    assert "refused" in down.metadata["message"]
    assert not world.rt.is_alive(proxies[0])


def test_a_watcher_has_to_be_able_to_hear(world: World) -> None:
    with pytest.raises(iris.ActorError, match="trap_exit"):
        world.rt.watch_node(world.address, world.rt.spawn(print))
    ended = world.rt.spawn_observed_handler()
    world.rt.stop(ended)
    world.settle()
    with pytest.raises(iris.ActorDead):
        world.rt.watch_node(world.address, ended)
    assert world.driver.attempts == []


def test_what_lies_in_the_hand_of_the_mesh_is_not_at_rest(world: World) -> None:
    proxy = world.proxy(5)
    world.settle()
    seen: list[bool] = []

    class Seen(list):  # type: ignore[type-arg]
        """The lane of the proxy, which looks when it is emptied."""

        def __delitem__(self, place: Any) -> None:
            super().__delitem__(place)
            seen.append(world.rt._system.mesh.is_idle())

    cell = world.rt._system.table.get(proxy)
    assert cell is not None
    cell.user = Seen()
    assert world.rt._system.mesh.is_idle()
    for attempt in world.driver.open_attempts:
        attempt.succeed()
    world.rt.send(proxy, b"x")
    world.settle()
    world.connect()
    assert set(seen) == {False}
    assert world.rt._system.mesh.is_idle()


class Handler(logging.Handler):
    """Notes on which side lines are written."""

    def __init__(self, in_mesh: Callable[[], bool]) -> None:
        super().__init__()
        self.lines: list[tuple[str, bool]] = []
        self._in_mesh = in_mesh

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), self._in_mesh()))


def test_no_code_of_users_runs_in_the_hub_of_the_mesh(world: World) -> None:
    in_mesh = False
    run = world.driver.run

    def in_mesh_run() -> int:
        nonlocal in_mesh
        in_mesh = True
        try:
            return run()
        finally:
            in_mesh = False

    world.driver.run = in_mesh_run  # type: ignore[method-assign]
    handler = Handler(lambda: in_mesh)
    ends: list[bool] = []
    letters: list[bool] = []
    world.rt.add_hook("exit", lambda *_: ends.append(in_mesh))
    world.rt.add_hook("undelivered", lambda _: letters.append(in_mesh))
    log = logging.getLogger("iris")
    log.addHandler(handler)
    try:
        world.rt.listen("127.0.0.1:0")
        guest = world.driver.doors[0].let_in()
        world.driver.post(lambda: guest.come(b"garbage"))
        proxy = world.proxy()
        world.settle()
        world.rt.send(proxy, b"x")
        attempt = world.driver.attempts[0]
        world.driver.post(lambda: attempt.fail(REFUSED))
        world.settle()
    finally:
        log.removeHandler(handler)
    lines = [line for line, _ in handler.lines]
    assert sum("refused" in line or "first byte" in line for line in lines) == 2
    assert not any(mesh for _, mesh in handler.lines)
    assert (ends, letters) == ([False], [False])


def test_so_many_nodes_are_known_and_no_more(world: World) -> None:
    for number in range(PEERS_MOST):
        world.rt.send_remote(f"node{number}:7", 5, b"")
    with pytest.raises(iris.LimitReached, match="10000"):
        world.rt.send_remote("one.more:7", 5, b"")
    assert len(world.rt.nodes()) == PEERS_MOST
    world.check_fates()


def test_the_order_of_each_thread_is_kept(world: World) -> None:
    proxy, stream = connected(world)
    gate = threading.Barrier(4)

    def sender(name: int) -> None:
        gate.wait(60)
        for number in range(500):
            while not world.rt._system.delivery.send(proxy, b"%d %d" % (name, number)):
                pass

    threads = [threading.Thread(target=sender, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        world.driver.run()
    for thread in threads:
        thread.join(60)
    world.driver.run()
    pairs = [tuple(map(int, payload.split())) for payload in got(stream)]
    for name in range(4):
        assert [number for who, number in pairs if who == name] == list(range(500))
    world.check_fates()


def test_version_1_has_no_messages_to_names(world: World) -> None:
    with pytest.raises(iris.BadInput, match=r"cluster_key.*resolve_remote"):
        world.rt.send_remote(world.address, "name", b"x")
    world.check_fates()
