"""What goes to one other node: its bytes, cuts in the middle of it, and too much of it."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from iris.mesh.jam import BYTES_MOST, MESSAGES_MOST
from iris.mesh.outbox import BARREN_MOST, CHUNK_BYTES, Outbox
from iris.mesh.proxy import ITEM_BYTES
from iris.mesh.wire import Address

from .byhand import read_server_side
from .fakedriver import FakeDriver, World

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")


def frame(pid: int, payload: bytes) -> bytes:
    return b"\x00" + pid.to_bytes(8, "big") + len(payload).to_bytes(4, "big") + payload


def received(data: bytes) -> list[tuple[int, bytes]]:
    """The whole messages in what a connection has carried."""
    seen, _ = read_server_side(data)
    assert not any(one[0] == "broken" for one in seen), seen
    return [(one[1], one[2]) for one in seen if one[0] == "user"]


@pytest.fixture
def world() -> World:
    return World()


def pinged_aside(world: World) -> None:
    """Make the connection for questions, which is asked for as soon as there is a proxy."""
    world.settle()
    world.driver.attempt.succeed()
    world.settle()


def test_the_bytes_of_messages(world: World) -> None:
    first, second = world.proxy(5), world.proxy(2**64 - 1)
    pinged_aside(world)
    assert world.rt.send(first, b"a")
    assert world.rt.send(second, b"")
    assert world.rt.send(first, memoryview(b"bc"))
    world.settle()
    assert world.rt.stats()["queued"] == 3
    stream = world.connect()
    assert stream.written[:1] == b"\x01"
    # In the order of each sender and receiver, and in turns of these.
    assert received(stream.written) == [(5, b"a"), (5, b"bc"), (2**64 - 1, b"")]
    world.rt.send(first, b"d")
    world.settle()
    assert stream.written.endswith(b"\x00" + frame(5, b"d"))
    stats = world.check_fates()
    assert (stats["forwarded"], stats["queued"]) == (4, 0)
    assert len(world.driver.attempts) == 2


def test_wherever_a_connection_is_cut_nothing_is_sent_twice_or_out_of_order() -> None:
    sent = [(5 + number % 2, bytes([number]) * number) for number in range(6)]
    whole = 1 + sum(len(frame(*one)) for one in sent)
    for cut in range(whole + 1):
        world = World()
        proxies = {5: world.proxy(5), 6: world.proxy(6)}
        pinged_aside(world)
        for pid, payload in sent:
            world.rt.send(proxies[pid], payload)
        world.settle()
        stream = world.connect(cut)
        stream.end()
        world.settle()
        got = received(stream.written)
        assert world.check_fates()["forwarded"] == len(got)
        if cut < whole:
            got += received(world.connect().written)
        assert not world.driver.open_attempts
        for pid in (5, 6):
            assert [one for one in got if one[0] == pid] == [one for one in sent if one[0] == pid]
        stats = world.check_fates()
        assert (stats["forwarded"], stats["queued"], stats["lost"]) == (len(sent), 0, 0)


def test_what_was_not_sent_when_the_node_is_down_is_lost(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    for number in range(10):
        world.rt.send(proxy, bytes([number]))
    world.settle()
    stream = world.connect(1 + 3 * len(frame(5, b"x")) + 4)
    world.rt.send(proxy, b"late")
    world.settle()
    stream.end(ConnectionResetError(errno.ECONNRESET, "reset"))
    world.driver.attempt.fail(REFUSED)
    world.settle()
    stats = world.check_fates()
    assert (stats["forwarded"], stats["lost"], stats["queued"]) == (3, 8, 0)
    assert world.state == "down"
    assert not world.rt.is_alive(proxy)
    assert not world.rt.send(proxy, b"nobody")


def test_what_has_gone_out_whole_is_not_lost_when_the_node_is_down(world: World) -> None:
    proxy = world.proxy()
    world.settle()
    questions = world.driver.attempt.succeed()
    for number in range(10):
        world.rt.send(proxy, bytes([number]))
    world.settle()
    stream = world.connect(1 + 3 * len(frame(5, b"x")) + 4)
    questions.end()
    world.settle()
    world.driver.attempt.fail(REFUSED)
    world.settle()
    assert stream.closed
    stats = world.check_fates()
    assert (stats["forwarded"], stats["lost"]) == (3, 7)


def test_nobody_is_connected_to_for_proxies_that_have_ended(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    world.rt.send(proxy, b"x")
    world.settle()
    world.driver.attempt.fail(REFUSED)
    world.settle()
    assert world.check_fates()["lost"] == 1
    assert not world.driver.open_attempts


def test_a_proxy_ends_at_once_while_there_is_no_connection(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    world.rt.send(proxy, b"x")
    world.settle()
    assert world.driver.open_attempts
    assert world.rt.stop(proxy)
    world.settle()
    assert not world.rt.is_alive(proxy)
    assert world.check_fates()["expired"] == 1


def test_a_proxy_that_was_never_sent_to_ends_without_a_connection(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    world.rt.stop(proxy)
    world.settle()
    assert not world.rt.is_alive(proxy)
    assert not world.driver.open_attempts


def test_a_proxy_ends_at_once_while_the_network_takes_nothing(world: World) -> None:
    proxy, other = world.proxy(5), world.proxy(6)
    pinged_aside(world)
    world.rt.send(proxy, b"first")
    world.settle()
    stream = world.connect(3)
    world.rt.send(proxy, b"second")
    world.rt.send(other, b"third")
    world.settle()
    world.rt.stop(proxy)
    world.settle()
    assert not world.rt.is_alive(proxy)
    assert world.rt.nodes()[0].proxies == 1
    stream.give_room(None)
    world.settle()
    assert received(stream.written) == [(5, b"first"), (6, b"third")]
    stats = world.check_fates()
    assert (stats["forwarded"], stats["expired"], stats["queued"]) == (2, 1, 0)


def test_a_proxy_drains_before_it_ends(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    for number in range(5):
        world.rt.send(proxy, bytes([number]))
    assert world.rt.stop_after_drain(proxy, 60.0)
    assert not world.rt.send(proxy, b"late")
    world.settle()
    assert world.rt.is_alive(proxy)
    stream = world.connect()
    assert received(stream.written) == [(5, bytes([number])) for number in range(5)]
    assert not world.rt.is_alive(proxy)
    assert world.check_fates()["forwarded"] == 5


def test_one_that_drains_in_vain_ends_when_its_time_is_over(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    world.rt.send(proxy, b"x")
    world.rt.stop_after_drain(proxy, 2.0)
    world.settle()
    world.rt.advance(2.1)
    world.settle()
    assert not world.rt.is_alive(proxy)
    assert world.check_fates()["expired"] == 1


def test_without_a_descriptor_it_is_tried_again(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    world.rt.send(proxy, b"x")
    world.settle()
    world.driver.attempt.fail(OSError(errno.EMFILE, "too many open files"))
    world.settle()
    assert world.rt.is_alive(proxy)
    assert not world.driver.open_attempts
    world.sleep(1.5)
    for attempt in world.driver.open_attempts:
        attempt.succeed()
    world.settle()
    assert world.check_fates()["forwarded"] == 1


def test_too_large_a_message_is_lost_and_nothing_else() -> None:
    world = World(mesh=sim_limits(payload_bytes=10))
    proxy = world.proxy()
    pinged_aside(world)
    assert world.rt.send(proxy, b"x" * 10)
    assert world.rt.send(proxy, b"x" * 11)
    assert world.rt.send(proxy, b"y")
    world.settle()
    stream = world.connect()
    assert received(stream.written) == [(5, b"x" * 10), (5, b"y")]
    assert world.check_fates()["lost"] == 1
    assert [letter.reason for letter in world.rt.dead_letters()] == ["lost"]


def sim_limits(**limits: Any) -> Any:
    import iris

    return iris.MeshLimits(**limits)


def test_a_peer_that_talks_on_the_messages_is_left_and_then_down(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    for number in range(BARREN_MOST + 1):
        world.rt.send(proxy, bytes([number]))
        world.settle()
        stream = world.connect(0)
        stream.come(b"220 mail.example ESMTP\r\n")
        assert stream.closed
        world.settle()
    assert world.state == "down"
    stats = world.check_fates()
    assert (stats["forwarded"], stats["lost"]) == (0, BARREN_MOST + 1)
    assert not world.driver.open_attempts


# -- too much --------------------------------------------------------------------------------------


def test_while_there_is_no_connection_so_many_messages_wait_and_no_more(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    world.rt.send(proxy, b"")
    world.settle()
    taken = sum(world.rt.send(proxy, b"") for _ in range(MESSAGES_MOST + 100))
    assert taken == MESSAGES_MOST - 1
    assert world.rt.stats()["refused"] == 101
    stream = world.connect()
    assert len(received(stream.written)) == MESSAGES_MOST
    assert all(world.rt.send(proxy, b"") for _ in range(MESSAGES_MOST + 100))
    world.settle()
    assert world.check_fates()["forwarded"] == 2 * MESSAGES_MOST + 100


def test_so_many_bytes_wait_and_no_more(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    large = bytes(1 << 20)
    world.rt.send(proxy, large)
    world.settle()
    taken = 1
    while world.rt.send(proxy, large):
        taken += 1
    assert taken == BYTES_MOST >> 20
    stream = world.connect(CHUNK_BYTES)
    stream.give_room(None)
    world.settle()
    assert world.check_fates()["forwarded"] == taken
    assert world.rt.send(proxy, large)


def test_what_is_taken_out_makes_no_more_room_than_it_has_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A header is no part of what a message weighs. More messages may wait than fill a chunk.
    monkeypatch.setattr("iris.mesh.jam.MESSAGES_MOST", 2 * CHUNK_BYTES)
    small, large = world.proxy(5), world.proxy(6)
    pinged_aside(world)
    world.rt.send(small, b"")
    world.settle()
    assert all(world.rt.send(small, b"") for _ in range(CHUNK_BYTES // ITEM_BYTES))
    assert all(world.rt.send(large, bytes(1 << 20)) for _ in range(BYTES_MOST >> 20))
    world.connect(0)
    assert world.rt.send(small, b"")
    assert not world.rt.send(large, b"x")


def test_the_door_is_open_again_when_all_has_gone_out(world: World) -> None:
    proxy = world.proxy()
    pinged_aside(world)
    world.rt.send(proxy, bytes(1000))
    world.settle()
    stream = world.connect(10)
    stream.give_room(None)
    world.settle()
    assert all(world.rt.send(proxy, b"") for _ in range(MESSAGES_MOST + 1))


# -- moments that only a fake can hold -------------------------------------------------------------


class Owner:
    address = Address("node", 7)

    def unreachable(self, error: Exception) -> None:
        raise error


class Cell:
    def __init__(self) -> None:
        self.admission = None
        self.user: list[bytes] = []
        self.rest = None
        self.special = False


class Late:
    """A proxy that gets a message after it was found empty and before it is left."""

    remote_pid = 5
    is_over = False

    def __init__(self) -> None:
        self.cell = Cell()
        self._looks = 0

    def take(self, room: int) -> list[bytes]:
        assert room > 0
        taken, self.cell.user = self.cell.user, []
        return taken

    def has_more(self) -> bool:
        self._looks += 1
        if self._looks == 2:
            self.cell.user.append(b"late")
        return bool(self.cell.user)


class Counting:
    def __init__(self) -> None:
        self.value = 0

    def add_many(self, amount: int) -> None:
        self.value += amount


class Nothing:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def test_a_message_that_comes_as_its_proxy_is_left_goes_out_by_itself() -> None:
    driver, forwarded = FakeDriver(), Counting()
    outbox: Any = Outbox(Owner(), driver, Nothing(), forwarded, Counting(), 5.0)  # type: ignore[arg-type]
    proxy: Any = Late()
    proxy.cell.user.append(b"first")
    outbox.backlog.signal(proxy)
    driver.run()
    stream = driver.attempt.succeed()
    driver.run()
    outbox.backlog.signal(proxy)
    driver.run()
    assert received(stream.written) == [(5, b"first"), (5, b"late")]
    assert forwarded.value == 2


