"""Senders, stops and the thread of the mesh at one proxy, in every order of their steps.

As tests/run/test_interleavings.py, with a network that takes all, or nothing for a while.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
from collections import deque
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

pytest.importorskip("greenlet")

from . import interleaver
from .interleaver import Iris, World, explore

MORE = bool(os.environ.get("IRIS_TEST_EXHAUSTIVE")) - (
    platform.python_implementation() == "PyPy" or bool(os.environ.get("IRIS_TEST_QUICK"))
)


@pytest.fixture(scope="module")
def iris() -> Iterator[Iris]:
    log = logging.getLogger("iris")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    yield Iris()
    log.setLevel(level)


class Timer:
    """It never fires: nothing here depends on the time."""

    def close(self) -> None:
        pass


class Network:
    """The driver of a node, on a thread of its own.

    Args:
        room: bytes that the system takes of the first connection before it is read on.
        refuses: whether nobody takes connections.
    """

    def __init__(self, room: Optional[int] = None, refuses: bool = False) -> None:
        self.written = b""
        self.unsent = 0
        self.peer = "node:7"
        self._calls: deque[Callable[[], Any]] = deque()
        self._room = room
        self._refuses = refuses
        self._waits = b""
        self._owner: Any = None

    def main(self) -> None:
        while True:
            interleaver._run.wait(lambda: bool(self._calls))
            self._calls.popleft()()

    def post(self, call: Callable[[], Any]) -> None:
        interleaver._run.point("network.post")
        self._calls.append(call)

    def now(self) -> float:
        return 0.0

    def later(self, delay_s: float, call: Callable[[], Any]) -> Timer:
        return Timer()

    def connect(self, host: str, port: int, timeout_s: float, done: Callable[[Any], Any]) -> Timer:
        def outcome() -> None:
            if self._refuses:
                done(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
            else:
                self._owner = done(self)

        self.post(outcome)
        return Timer()

    def close(self) -> None:
        pass

    def stop(self, timeout_s: float) -> None:
        pass

    def write(self, data: bytes) -> None:
        taken = len(data) if self._room is None else min(self._room, len(data))
        self.written += data[:taken]
        self._waits = data[taken:]
        self.unsent = len(self._waits)
        if self.unsent:
            self.post(self._read_on)

    def _read_on(self) -> None:
        self._room = None
        self.written += self._waits
        self.unsent = 0
        self._owner.drained()


def begin(world: World, network: Network) -> int:
    """A proxy in this network, at rest."""
    world.system.mesh._make_driver = lambda report: network
    pid: int = world.system.mesh.monitor("node:7", 5)
    world.thread("mesh", network.main)
    world.let_start()
    return pid


def payloads(network: Network) -> list[bytes]:
    rest, found = network.written[1:], []
    while rest:
        size = int.from_bytes(rest[9:13], "big")
        found.append(rest[13 : 13 + size])
        rest = rest[13 + size :]
    return found


def sends(world: World, pid: int, *messages: bytes) -> Callable[[], None]:
    def body() -> None:
        for message in messages:
            world.send(pid, message)

    return body


def all_went_out(world: World, network: Network, pid: int) -> Callable[[], None]:
    def check() -> None:
        found = payloads(network)
        assert sorted(found) == [b"1", b"2", b"3"], found
        assert found.index(b"1") < found.index(b"2")
        assert world.system.mesh.is_idle()
        assert world.table.get(pid).admission is None, "the door of a jam was left in"
        stats = world.system.snapshot.stats()
        assert (stats["forwarded"], stats["refused"]) == (3, 0)

    return check


def two_senders(world: World) -> Callable[[], None]:
    network = Network()
    pid = begin(world, network)
    world.thread("a", sends(world, pid, b"1", b"2"))
    world.thread("b", sends(world, pid, b"3"))
    return all_went_out(world, network, pid)


def two_senders_in_a_jam(world: World) -> Callable[[], None]:
    network = Network(room=3)
    pid = begin(world, network)
    world.thread("a", sends(world, pid, b"1", b"2"))
    world.thread("b", sends(world, pid, b"3"))
    return all_went_out(world, network, pid)


def all_gone(world: World) -> Callable[[], None]:
    def check() -> None:
        assert list(world.table.cells()) == []
        assert world.system.mesh.is_idle()
        assert world.system.snapshot.stats()["queued"] == 0

    return check


def a_proxy_is_stopped(world: World) -> Callable[[], None]:
    pid = begin(world, Network())
    world.thread("a", sends(world, pid, b"1", b"2"))
    world.thread("stop", lambda: world.system.registry.stop(pid))
    return all_gone(world)


def a_proxy_is_stopped_in_a_jam(world: World) -> Callable[[], None]:
    pid = begin(world, Network(room=3))
    world.thread("a", sends(world, pid, b"1", b"2"))
    world.thread("stop", lambda: world.system.registry.stop(pid))
    return all_gone(world)


def a_proxy_is_drained(world: World) -> Callable[[], None]:
    pid = begin(world, Network())
    world.thread("a", sends(world, pid, b"1"))
    world.thread("stop", lambda: world.system.registry.stop_after_drain(pid, 5.0))
    return all_gone(world)


def a_node_is_down(world: World) -> Callable[[], None]:
    pid = begin(world, Network(refuses=True))

    def check() -> None:
        assert world.system.mesh.is_idle()
        stats = world.system.snapshot.stats()
        assert stats["queued"] == 0
        assert stats["accepted"] + stats["undeliverable"] == 3

    world.thread("a", sends(world, pid, b"1", b"2"))
    world.thread("b", sends(world, pid, b"3"))
    return check


@pytest.mark.parametrize(
    ("scenario", "preemptions"),
    [
        (two_senders, 1),
        (two_senders_in_a_jam, 1),
        # With one preemption more these four take a minute together.
        (a_proxy_is_stopped, 0),
        (a_proxy_is_stopped_in_a_jam, 0),
        (a_proxy_is_drained, 0),
        (a_node_is_down, 0),
    ],
)
def test_no_order_of_steps_breaks_a_rule(
    iris: Iris, scenario: Callable[[World], Callable[[], None]], preemptions: int
) -> None:
    assert explore(iris, scenario, max(preemptions + MORE, 0)) > 1


@pytest.mark.parametrize(
    ("module", "line", "instead", "scenario"),
    [
        (
            "mesh.proxy",
            "if (cell.user or cell.special) and not cell.ready:",
            "if False:",
            two_senders,
        ),
        (
            "mesh.outbox",
            "        self._driver.post(self.run)\n        return self",
            "        return self",
            two_senders,
        ),
    ],
)
def test_each_of_these_lines_is_needed(
    module: str, line: str, instead: str, scenario: Callable[[World], Callable[[], None]]
) -> None:
    with pytest.raises(AssertionError, match="run "):
        explore(Iris((module, line, instead)), scenario, 1)
