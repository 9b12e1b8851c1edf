"""One other node: when it is asked, given up and taken back, and who is told."""

from __future__ import annotations

import asyncio
import errno
from typing import Any, Optional

import pytest

import iris
from iris.mesh.peer import FORGET_AFTER_S, reason_of
from iris.mesh.questions import TRIES

from .fakedriver import FakeStream, World

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
PONG = b"\x03"
RETRY_MOST_S = 1.0
"""Before the first try to reach a node that is down."""


@pytest.fixture
def world() -> World:
    return World()


def words(world: World, observer: int) -> list[str]:
    """What an observer was told since the last call, by type."""
    return [message.type_name for message in told(world, observer)]


def told(world: World, observer: int) -> list[Any]:
    world.settle()
    return world.rt.get_messages(observer)


def watcher(world: World) -> int:
    pid = world.rt.spawn_observed_handler()
    world.rt.watch_node(world.address, pid)
    world.settle()
    return pid


def answer(world: World, stream: FakeStream, seconds: int) -> None:
    """A healthy node: each ping is answered."""
    for _ in range(seconds):
        world.sleep(1.0)
        stream.come(PONG)
    world.settle()


class Asked:
    """A question for a name, asked without waiting."""

    def __init__(self, world: World, name: str = "name") -> None:
        self._outcome = world.ask(name)
        world.settle()

    @property
    def is_open(self) -> bool:
        return asyncio.run(self._look()) is None

    def value(self) -> Optional[int]:
        task = asyncio.run(self._look())
        assert task is not None, "there is no answer"
        return task.result()

    async def _look(self) -> Optional[asyncio.Task[Optional[int]]]:
        """Await it for no longer than it takes when it is there."""

        async def one() -> Optional[int]:
            return await self._outcome

        task = asyncio.ensure_future(one())
        await asyncio.wait([task], timeout=0.001)
        if task.done():
            return task
        task.cancel()
        return None


def test_a_watcher_is_told_of_pings_and_pongs_with_their_times(world: World) -> None:
    observer = watcher(world)
    stream = world.connect()
    assert stream.written == b"\x01\x02"
    world.driver.advance(0.25)
    stream.come(PONG)
    ping, pong = told(world, observer)
    assert (ping.type_name, ping.metadata) == ("PING", {"address": world.address})
    assert pong.type_name == "PONG"
    assert pong.metadata == {"address": world.address, "round_trip_s": 0.25}
    [info] = world.rt.nodes()
    assert (info.state, info.round_trip_s, info.proxies) == ("up", 0.25, 0)
    answer(world, stream, 10)
    assert words(world, observer) == ["PING", "PONG"] * 10
    assert stream.written == b"\x01" + b"\x02" * 11


def test_a_frozen_node_is_down_after_its_time_and_all_are_told_once(world: World) -> None:
    observer = watcher(world)
    proxies = [world.proxy(pid) for pid in (5, 6)]
    friend = world.rt.spawn(print)
    world.rt.link(friend, proxies[0])
    monitors = world.rt.spawn_observed_handler()
    world.rt.monitor(monitors, proxies[0])
    world.rt.monitor(monitors, proxies[1])
    world.rt.link(monitors, proxies[1])
    stream = world.connect()
    stream.come(PONG)
    answer(world, stream, 5)
    words(world, observer)
    world.sleep(5.0)
    assert world.state == "suspect"
    world.sleep(4.1)
    assert world.state == "down"
    seen = [message for message in told(world, observer) if message.type_name != "PING"]
    assert [message.type_name for message in seen] == ["NODE_DOWN"]
    assert seen[0].metadata["address"] == world.address
    assert seen[0].metadata["reason"] == "timeout"
    ends = told(world, monitors)
    assert sorted(message.type_name for message in ends) == ["DOWN", "DOWN", "EXIT"]
    for message in ends:
        assert message.reason == "NodeDown"
        assert message.metadata["reason"] == "timeout"
        assert message.metadata["address"] == world.address
    assert not any(world.rt.is_alive(pid) for pid in (*proxies, friend))
    assert world.rt.nodes()[0].proxies == 0
    assert stream.closed


def test_calls_that_fail_do_not_keep_a_frozen_node_alive(world: World) -> None:
    # Each of them ends the connection, and the system of a frozen node takes the next.
    world.proxy()
    world.settle()
    for _ in range(20):
        asked = Asked(world)
        for attempt in world.driver.open_attempts:
            attempt.succeed()
        world.sleep(2.0)
        if world.state == "down":
            break
    assert world.state == "down"
    assert not asked.is_open or world.driver.now() < 1050


def test_a_node_that_is_down_is_tried_again_until_it_answers(world: World) -> None:
    observer = watcher(world)
    world.driver.attempt.fail(REFUSED)
    assert words(world, observer) == ["PING", "NODE_DOWN"]
    times = []
    for _ in range(8):
        before = world.driver.now()
        while not world.driver.open_attempts:
            world.sleep(0.1)
        times.append(world.driver.now() - before)
        world.driver.attempt.fail(REFUSED)
        world.settle()
    assert times[0] < times[3] < times[6]
    assert max(times) <= 61.0
    assert words(world, observer) == []
    while not world.driver.open_attempts:
        world.sleep(0.1)
    stream = world.connect()
    assert words(world, observer) == []
    stream.come(PONG)
    assert words(world, observer)[0] == "NODE_UP"
    assert world.state == "up"
    answer(world, stream, 10)
    assert words(world, observer).count("PONG") == 10


def test_one_that_takes_connections_and_answers_nothing_is_tried_again(world: World) -> None:
    observer = watcher(world)
    world.driver.attempt.fail(REFUSED)
    world.settle()
    tries = 0
    for _ in range(400):
        world.sleep(0.5)
        for attempt in world.driver.open_attempts:
            attempt.succeed()
            tries += 1
    assert 4 <= tries <= 20
    assert set(words(world, observer)) == {"PING", "NODE_DOWN"}
    while not world.driver.open_attempts:
        world.sleep(0.5)
    world.connect().come(PONG)
    assert words(world, observer)[0] == "NODE_UP"


def test_proxies_of_a_node_that_is_down_end_when_it_does_not_answer(world: World) -> None:
    world.proxy()
    world.settle()
    world.driver.attempt.fail(REFUSED)
    world.settle()
    assert world.state == "down"
    assert world.rt.send_remote(world.address, 5, b"x")
    world.settle()
    for _ in range(40):
        for attempt in world.driver.open_attempts:
            attempt.succeed()
        world.sleep(0.5)
    assert world.rt.nodes()[0].proxies == 0
    world.check_fates()


def test_a_node_that_returns_after_a_resolve_is_up(world: World) -> None:
    asked = Asked(world)
    world.driver.attempt.fail(REFUSED)
    assert not asked.is_open
    with pytest.raises(iris.NodeUnreachable, match=r"node:7.*refused"):
        asked.value()
    assert world.state == "down"
    again = Asked(world)
    world.connect().come((77).to_bytes(8, "big"))
    pid = again.value()
    assert pid is not None
    assert world.rt.is_alive(pid)
    assert world.state == "up"
    assert Asked(world, "other").is_open


def test_the_same_actor_has_one_proxy(world: World) -> None:
    first = Asked(world, "one")
    second = Asked(world, "two")
    world.connect().come((77).to_bytes(8, "big") * 2)
    assert first.value() == second.value() == world.rt.monitor_remote(world.address, 77)
    pid = first.value()
    assert pid is not None
    world.rt.stop(pid)
    assert world.proxy(77) != pid
    world.settle()
    assert world.rt.nodes()[0].proxies == 1


def test_a_node_that_closes_without_an_answer_is_down_and_nobody_waits(world: World) -> None:
    asked = [Asked(world, str(number)) for number in range(3)]
    for _ in range(TRIES):
        world.connect().end()
        world.settle()
    assert not any(one.is_open for one in asked)
    assert world.rt.nodes()[0].reason == "reset"
    assert not world.driver.open_attempts


def test_a_node_that_is_needed_no_more_is_forgotten(world: World) -> None:
    proxy = world.proxy()
    world.settle()
    stream = world.connect()
    answer(world, stream, 3)
    world.rt.stop(proxy)
    world.settle()
    pings = stream.written.count(b"\x02")
    world.sleep(FORGET_AFTER_S - 5)
    assert len(world.rt.nodes()) == 1
    assert stream.written.count(b"\x02") == pings
    fired = world.driver.advance(10.0)
    assert fired < 20
    assert world.rt.nodes() == []
    assert stream.closed
    assert world.driver.advance(1000.0) == 0


def test_watchers_that_have_ended_are_let_go(world: World) -> None:
    observer = watcher(world)
    stream = world.connect()
    stream.come(PONG)
    world.rt.stop(observer)
    world.settle()
    answer(world, stream, 2)
    world.sleep(FORGET_AFTER_S + 5)
    assert world.rt.nodes() == []


def test_who_comes_to_watch_a_node_that_is_down_is_told_at_once(world: World) -> None:
    watcher(world)
    world.driver.attempt.fail(REFUSED)
    world.settle()
    late = watcher(world)
    [down] = told(world, late)
    assert (down.type_name, down.reason) == ("NODE_DOWN", "NodeDown")
    assert down.metadata["reason"] == "refused"


def test_no_descriptor_of_ours_is_nothing_against_the_node(world: World) -> None:
    proxy = world.proxy()
    asked = Asked(world)
    world.driver.attempt.fail(OSError(errno.EMFILE, "too many open files"))
    world.settle()
    assert not asked.is_open
    assert world.state == "up"
    assert world.rt.is_alive(proxy)
    world.sleep(1.1)
    world.connect().come(PONG)
    assert world.state == "up"


def test_no_descriptor_while_the_node_is_down_does_not_end_the_tries(world: World) -> None:
    observer = watcher(world)
    world.driver.attempt.fail(REFUSED)
    world.sleep(RETRY_MOST_S + 0.1)
    world.driver.attempt.fail(OSError(errno.EMFILE, "too many open files"))
    world.settle()
    assert not world.driver.open_attempts
    while not world.driver.open_attempts:
        world.sleep(0.1)
    world.connect().come(PONG)
    assert "NODE_UP" in words(world, observer)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (REFUSED, "refused"),
        (OSError(errno.EHOSTUNREACH, "x"), "refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "reset"),
        (BrokenPipeError(errno.EPIPE, "x"), "reset"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "timeout"),
        (OSError(-2, "unknown"), "unknown"),
    ],
)
def test_the_reason_follows_the_error(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_nobody_waits_for_a_node_when_the_runtime_ends(world: World) -> None:
    asked = Asked(world)
    stop = world.driver.stop

    def stopped(timeout_s: float) -> None:
        world.driver.run()
        stop(timeout_s)

    world.driver.stop = stopped  # type: ignore[method-assign]
    world.rt.shutdown()
    with pytest.raises(iris.NodeUnreachable, match="stopped"):
        asked.value()
