"""The door of a node: what guests bring, what they may ask, and how fast they may be."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.mesh.server import (
    AHEAD_BYTES,
    AHEAD_BYTES_ALL,
    HELD_BYTES_MOST,
    MESSAGE_COSTS,
    SWEEP_S,
    UNREAD_BYTES,
)

from .fakedriver import FakeStream, World


def frame(pid: int, payload: bytes) -> bytes:
    return b"\x00" + pid.to_bytes(8, "big") + len(payload).to_bytes(4, "big") + payload


def asks(name: str) -> bytes:
    encoded = name.encode()
    return b"\x01" + len(encoded).to_bytes(4, "big") + encoded


def open_door(world: World) -> FakeStream:
    world.rt.listen("127.0.0.1:0")
    return world.driver.doors[0].let_in()


@pytest.fixture
def world() -> World:
    return World()


def test_messages_come_to_their_actors_in_order(world: World) -> None:
    got: list[Any] = []
    first = world.rt.spawn(lambda data: got.append((1, data)))
    second = world.rt.spawn(lambda data: got.append((2, data)))
    guest = open_door(world)
    guest.come(b"\x01" + frame(first, b"a") + frame(second, b"b") + frame(first, b"c")[:5])
    guest.come(frame(first, b"c")[5:])
    world.settle()
    assert [data for who, data in got if who == 1] == [b"a", b"c"]
    assert [data for who, data in got if who == 2] == [b"b"]
    assert all(type(data) is bytes for _, data in got)
    assert guest.written == b""
    assert world.check_fates()["handled"] == 3


def test_names_paths_and_pings_are_answered_in_order(world: World) -> None:
    pid = world.rt.spawn(print)
    world.rt.register("name", pid)
    world.rt.register_path("/a/b", pid)
    world.rt.register("/a/odd", pid)
    guest = open_door(world)
    guest.come(b"\x01" + asks("name") + b"\x02" + asks("/a/b") + asks("nobody") + asks("/a/odd"))
    known = pid.to_bytes(8, "big")
    assert guest.written == known + b"\x03" + known + bytes(8) + known
    for name in ("/", "//", "/a//b", "", "\u0000", "/a/b/", "x" * 1024):
        guest.written = b""
        guest.come(asks(name))
        assert guest.written == bytes(8), name
    assert not guest.closed


def test_pids_of_nobody_and_of_proxies_are_undeliverable(world: World) -> None:
    proxy = world.proxy()
    world.rt.register("proxy", proxy)
    ended = world.rt.spawn(print)
    world.rt.stop(ended)
    world.settle()
    guest = open_door(world)
    pids = [0, 1, 2**64 - 1, ended, proxy]
    guest.come(b"\x01" + b"".join(frame(pid, b"x") for pid in pids) + asks("proxy"))
    world.settle()
    stats = world.check_fates()
    assert (stats["undeliverable"], stats["accepted"]) == (len(pids), 0)
    assert {letter.reason for letter in world.rt.dead_letters()} == {"undeliverable"}
    assert guest.written == bytes(8)
    assert not guest.closed


def test_a_full_mailbox_refuses_and_nobody_waits(world: World) -> None:
    for policy in ("dropnew", "block"):
        pid = world.rt.spawn_py_handler_bounded(lambda _: None, 100, 2)
        world.rt.set_overflow_policy(pid, policy)
        world.rt.listen("127.0.0.1:0")
        guest = world.driver.doors[-1].let_in()
        before = world.rt.stats()["refused"]
        guest.come(b"\x01" + b"".join(frame(pid, b"x") for _ in range(5)))
        assert world.rt.stats()["refused"] - before == 3
        world.settle()
        world.check_fates()


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"\x03", "version"),
        (b"\x01\x09", "type"),
        (b"\x01" + bytes(9) + b"\xff\xff\xff\xff", "payload_bytes"),
        (b"\x01\x01\xff\xff\xff\xff", "name_bytes"),
        (b"\x01\x01\x00\x00\x00\x01\xff", "UTF-8"),
    ],
)
def test_a_guest_that_breaks_the_protocol_is_closed(
    world: World, caplog: pytest.LogCaptureFixture, data: bytes, wrong: str
) -> None:
    got: list[Any] = []
    pid = world.rt.spawn(got.append)
    guest = open_door(world)
    right = data if data[0] != 1 else b"\x01" + frame(pid, b"before") + data[1:]
    guest.come(right + frame(pid, b"behind"))
    world.settle()
    assert guest.closed
    assert got == ([b"before"] if data[0] == 1 else [])
    assert wrong in caplog.text


def test_a_guest_that_stands_still_is_closed_and_a_silent_one(world: World) -> None:
    guest = open_door(world)
    other = world.driver.doors[0].let_in()
    third = world.driver.doors[0].let_in()
    guest.come(b"\x01" + frame(5, b"whole")[:7])
    third.come(b"\x01")
    world.sleep(4.9)
    assert not guest.closed
    world.sleep(0.1 + SWEEP_S)
    assert guest.closed
    world.sleep(60.0)
    assert other.closed
    assert not third.closed, "which may be silent once it has said the version"
    third.end()
    assert world.driver.advance(100.0) <= 1, "no sweep without guests"


def fill(world: World, guest: FakeStream, pid: int) -> int:
    """Send to an actor that handles nothing until the guest is read no further."""
    data, sent = frame(pid, bytes(1 << 18)), 0
    guest.come(b"\x01")
    while not guest.paused:
        guest.come(data)
        sent += 1
        assert sent <= 3 * AHEAD_BYTES >> 18, "it is read on and on"
    return sent


KINDS = ["push", "release_gil", "pull", "virtual", "bounded"]


def test_many_guests_share_what_one_may_have_ahead(world: World) -> None:
    pid = world.rt.spawn(len)
    guests = [open_door(world), *(world.driver.doors[0].let_in() for _ in range(127))]
    guests[0].come(b"\x01")
    sent = 0
    while not guests[0].paused:
        guests[0].come(frame(pid, bytes(1 << 14)))
        sent += 1
        assert sent << 14 <= 3 * AHEAD_BYTES_ALL // 128, "it is read on and on"


def test_small_messages_count_for_what_they_take(world: World) -> None:
    pid = world.rt.spawn(len)
    guest = open_door(world)
    guest.come(b"\x01")
    sent = 0
    while not guest.paused:
        guest.come(frame(pid, b"") * 1000)
        sent += 1000
        assert sent * MESSAGE_COSTS <= 3 * AHEAD_BYTES, "it is read on and on"


@pytest.mark.parametrize("kind", KINDS)
def test_a_guest_is_read_as_fast_as_its_messages_are_handled(world: World, kind: str) -> None:
    got: list[Any] = []

    def body(mailbox: Any) -> None:
        while not mailbox.closed:
            got.append(mailbox.recv())

    rt = world.rt
    spawns = {
        "push": lambda: rt.spawn(got.append),
        "release_gil": lambda: rt.spawn(got.append, release_gil=True),
        "pull": lambda: rt.spawn_with_mailbox(body),
        "virtual": lambda: rt.spawn_virtual(got.append, idle_timeout_ms=1000),
        "bounded": lambda: rt.spawn_py_handler_bounded(got.append, 100, 10_000),
    }
    guest = open_door(world)
    pid = spawns[kind]()
    sent = fill(world, guest, pid)
    # Handled, the fences are reached.
    world.settle()
    assert not guest.paused
    assert len(got) == sent
    for _ in range(3 * AHEAD_BYTES >> 18):
        guest.come(frame(pid, bytes(1 << 18)))
        world.settle()
        assert not guest.paused
    world.check_fates()


def test_a_guest_is_read_on_when_the_receiver_ends(world: World) -> None:
    guest = open_door(world)
    pid = world.rt.spawn(lambda _: None)
    fill(world, guest, pid)
    world.rt.stop(pid)
    world.settle()
    assert not guest.paused
    assert world.check_fates()["expired"]


def test_one_that_is_not_read_is_not_accused_of_standing_still(world: World) -> None:
    guest = open_door(world)
    pid = world.rt.spawn(lambda _: None)
    fill(world, guest, pid)
    guest.come(frame(pid, b"more")[:5])  # What had been read already.
    assert guest.paused
    world.driver.advance(1000.0)
    assert not guest.closed
    world.settle()
    assert not guest.paused
    world.driver.advance(SWEEP_S)
    assert not guest.closed, "what it has sent meanwhile was not read yet"
    guest.come(frame(pid, b"more")[5:])
    world.driver.advance(100.0)
    assert not guest.closed
    guest.come(b"\x00")
    world.driver.advance(6.0)
    assert guest.closed


def test_a_guest_that_does_not_read_its_answers_is_read_no_further(world: World) -> None:
    guest = open_door(world)
    guest.room = 0
    guest.come(b"\x01" + b"\x02" * UNREAD_BYTES)
    assert not guest.paused
    guest.come(b"\x02")
    assert guest.paused
    guest.give_room(None)
    assert not guest.paused
    assert guest.written == b"\x03" * (UNREAD_BYTES + 1)


def test_the_guest_that_was_silent_longest_makes_room() -> None:
    world = World(mesh=iris.MeshLimits(guests_max=3))
    world.rt.listen("127.0.0.1:0")
    guests = [world.driver.doors[0].let_in() for _ in range(3)]
    guests[0].come(b"\x01")
    world.driver.doors[0].let_in()
    assert [guest.closed for guest in guests] == [False, True, False]


def test_unfinished_frames_take_so_much_and_no_more(world: World) -> None:
    world.rt.listen("127.0.0.1:0")
    large = frame(1, bytes(1 << 20))[:-1]
    guests = []
    for _ in range(HELD_BYTES_MOST // len(large) + 1):
        guests.append(world.driver.doors[0].let_in())
        guests[-1].come(b"\x01" + large)
    assert sum(guest.closed for guest in guests) == 1
    for guest in guests:
        if not guest.closed:
            guest.come(b"\x00")
    # All are whole now, so others have room.
    more = [world.driver.doors[0].let_in() for _ in range(10)]
    for guest in more:
        guest.come(b"\x01" + large)
    assert not any(guest.closed for guest in more)


def test_all_doors_and_guests_close_with_the_runtime(world: World) -> None:
    guest = open_door(world)
    guest.come(b"\x01")
    closed: list[bool] = []
    stop = world.driver.stop

    def stopped(timeout_s: float) -> None:
        world.driver.run()
        closed.extend([guest.closed, world.driver.doors[0].closed])
        stop(timeout_s)

    world.driver.stop = stopped  # type: ignore[method-assign]
    assert world.rt.shutdown() == []
    assert closed == [True, True]
