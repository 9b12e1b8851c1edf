"""Two simulated nodes and the wires between them, in one virtual time.

Everything that happens is in one line of calls, so a run depends on nothing but the test. A wire
carries what is written in the next call; a test may cut it, bend what goes over it, or let the
system of one side take nothing more.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional
from unittest import mock

from iris.assembly import assemble
from iris.mesh.streams import Accepted, Connected, Receiver
from iris.runtime import Runtime
from iris.testing import SimRuntime, sim

from .fakedriver import FakeDoor, FakeDriver, FakeTimer, check_fates

KEY = bytes(range(32)).hex()
OTHER_KEY = bytes(range(32, 64)).hex()
STEP_S = 0.05


@contextmanager
def key_in_environment(*keys: str) -> Iterator[str]:
    """The value of `cluster_key` for these keys, the one that is proved first."""
    with mock.patch.dict(os.environ, {"IRIS_TEST_KEY": " ".join(keys)}):
        yield "env:IRIS_TEST_KEY"


class WireEnd:
    """One end of a wire; keeps `iris.mesh.streams.Stream`."""

    def __init__(self, net: Net, driver: NodeDriver, peer: str) -> None:
        self.peer = peer
        self.unsent = 0
        self.closed = False
        self.room: Optional[int] = None
        # How many bytes the system still takes; None for any number.
        self.written = bytearray()
        # All that the system took.
        self.bend: Optional[Callable[[bytes], bytes]] = None
        # What becomes of bytes on their way.
        self.owner: Optional[Receiver] = None
        self.other: WireEnd
        self._net = net
        self._driver = driver
        self._waits = b""
        self._inbox = b""
        self._paused = False

    def write(self, data: bytes) -> None:
        if not self.closed:
            self._waits += data
            self._take()

    def _take(self) -> None:
        size = len(self._waits) if self.room is None else min(self.room, len(self._waits))
        if self.room is not None:
            self.room -= size
        taken, self._waits = self._waits[:size], self._waits[size:]
        self.unsent = len(self._waits)
        if taken:
            self.written += taken
            self.other._inbox += taken if self.bend is None else self.bend(taken)
            self._net.post(self.other._deliver)

    def give_room(self, size: Optional[int]) -> None:
        """The system takes so many bytes more; None: all from now on."""
        self.room = None if size is None else (self.room or 0) + size
        waited = self.unsent
        self._take()
        if waited and not self.unsent and not self.closed and self.owner is not None:
            self.owner.drained()

    def _deliver(self) -> None:
        if self._inbox and not (self.closed or self._paused) and self.owner is not None:
            data, self._inbox = self._inbox, b""
            self.owner.received(data)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._net.post(self._deliver)

    def finish(self) -> None:
        self.close()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._net.post(lambda: self.other.fail(None))

    def fail(self, error: Optional[Exception]) -> None:
        """The other side has closed, or the wire was cut."""
        self._deliver()
        if not self.closed:
            self.closed = True
            if self.owner is not None:
                self.owner.lost(error)


class Wire:
    """A connection, as a test sees it."""

    def __init__(self, client: WireEnd, server: WireEnd) -> None:
        self.client = client
        self.server = server
        self.said = 0
        # For tests that count.

    @property
    def is_open(self) -> bool:
        return not (self.client.closed or self.server.closed)

    def cut(self) -> None:
        """Both sides are told that it was reset; what is under way is gone."""
        for end in (self.client, self.server):
            end._inbox = b""
            end.fail(ConnectionResetError(errno.ECONNRESET, "reset"))


class Attempt:
    def __init__(self, done: Connected) -> None:
        self.done: Optional[Connected] = done

    def close(self) -> None:
        self.done = None


class NodeDriver:
    """The network of one node; keeps `iris.mesh.streams.Driver`."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._ends: list[WireEnd] = []
        self._doors: list[FakeDoor] = []
        self._stopped = False

    def post(self, call: Callable[[], Any]) -> None:
        self._net.post(lambda: None if self._stopped else call())

    def later(self, delay_s: float, call: Callable[[], Any]) -> FakeTimer:
        return self._net.core.later(delay_s, lambda: None if self._stopped else call())

    def now(self) -> float:
        return self._net.core.now()

    def listen(self, host: str, port: int, accepted: Accepted) -> FakeDoor:
        door = self._net.core.listen(host, port, accepted)
        self._doors.append(door)
        self._net.doors[host, door.port] = self, door
        return door

    def connect(self, host: str, port: int, timeout_s: float, done: Connected) -> Attempt:
        assert timeout_s > 0
        attempt = Attempt(done)
        self.post(lambda: self._net.connect(self, (host, port), attempt))
        return attempt

    def look_up(self, host: str, done: Any) -> None:
        raise NotImplementedError

    def stop(self, timeout_s: float) -> None:
        self._net.core.run()
        for one in (*self._doors, *self._ends):
            one.close()
        self._stopped = True

    def vanish(self) -> None:
        """As if the power went: nobody is told anything."""
        self._stopped = True
        for one in (*self._doors, *self._ends):
            one.closed = True


class Net:
    """The wires, and the line of calls that all goes through."""

    def __init__(self) -> None:
        self.core = FakeDriver()
        self.core._now = 0.0
        self.wires: list[Wire] = []
        # All that were ever made.
        self.doors: dict[tuple[str, int], tuple[NodeDriver, FakeDoor]] = {}
        self.on_wire: Callable[[Wire], Any] = lambda _: None
        # Called with each new one, before anything is written.
        self.post = self.core.post

    def connect(self, driver: NodeDriver, where: tuple[str, int], attempt: Attempt) -> None:
        done, attempt.done = attempt.done, None
        if done is None:
            return
        listening, door = self.doors.get(where, (None, None))
        if listening is None or door is None or door.closed:
            done(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
            return
        wire = self.wire(driver, listening, "{}:{}".format(*where))
        self.on_wire(wire)
        wire.server.owner = door._accepted(wire.server)
        wire.client.owner = done(wire.client)

    def wire(self, driver: NodeDriver, listening: NodeDriver, peer: str) -> Wire:
        client, server = WireEnd(self, driver, peer), WireEnd(self, listening, "127.0.0.1:9")
        client.other, server.other = server, client
        driver._ends.append(client)
        listening._ends.append(server)
        self.wires.append(Wire(client, server))
        return self.wires[-1]

    @property
    def open_wires(self) -> list[Wire]:
        return [wire for wire in self.wires if wire.is_open]


class Pair:
    """Two simulated nodes, `here` and `there`, that share a key unless options say otherwise."""

    def __init__(
        self,
        here: Optional[dict[str, Any]] = None,
        there: Optional[dict[str, Any]] = None,
        keys: tuple[str, ...] = (KEY,),
        keys_there: Optional[tuple[str, ...]] = None,
    ) -> None:
        self.net = Net()
        self._runtimes: list[SimRuntime] = []
        self.here = self.start(keys, **(here or {}))
        self.there = self.start(keys if keys_there is None else keys_there, **(there or {}))
        self.address = self.there.listen("127.0.0.1:0")
        self.settle()

    def start(self, keys: tuple[str, ...], **options: Any) -> SimRuntime:
        """One more node; without keys if there are none."""
        driver = NodeDriver(self.net)

        def with_driver(*parts: Any) -> Any:
            return assemble(*parts[:-1], make_driver=lambda _: driver)

        # In place of the simulation's own network, which cannot be bent byte by byte.
        with mock.patch.object(sim, "assemble", with_driver):
            if keys:
                with key_in_environment(*keys) as cluster_key:
                    rt = SimRuntime(cluster_key=cluster_key, **options)
            else:
                rt = SimRuntime(**options)
        rt.advance(self.net.core.now())
        rt.test_driver = driver  # type: ignore[attr-defined]
        self._runtimes.append(rt)
        return rt

    def end(self, rt: SimRuntime, *, vanishes: bool = False) -> None:
        """A node stops, or loses its power."""
        if vanishes:
            rt.test_driver.vanish()  # type: ignore[attr-defined]
        else:
            rt.shutdown()
        self._runtimes.remove(rt)
        self.settle()

    def settle(self) -> None:
        """Let all come to rest, without letting time pass."""
        core = self.net.core
        while core.run() + core.advance(0.0) + sum(rt.run_until_idle() for rt in self._runtimes):
            pass

    def sleep(self, duration_s: float) -> None:
        """Let time pass everywhere."""
        steps = max(1, round(duration_s / STEP_S))
        for _ in range(steps):
            self.net.core.advance(duration_s / steps)
            for rt in self._runtimes:
                rt.advance(duration_s / steps)
            self.settle()

    def resolve(self, name: str, rt: Optional[SimRuntime] = None, address: str = "") -> Any:
        """The proxy for a name, or the error."""
        runtime, address = rt or self.here, address or self.address
        # Not its own: a simulated runtime cannot be awaited.
        asked = Runtime.resolve_remote_py(runtime, address, name)
        self.settle()
        return asked

    def proxy(self, pid: int) -> int:
        """A proxy here for an actor there."""
        self.there.register(f"name {pid}", pid)
        found = result(self.resolve(f"name {pid}"))
        assert isinstance(found, int), found
        return found

    @property
    def wire(self) -> Wire:
        """The only connection that is open."""
        [wire] = self.net.open_wires
        return wire

    def check_fates(self) -> None:
        for rt in self._runtimes:
            check_fates(rt)


def result(asked: Any) -> Any:
    """What came of a question: a value or an error; None while there is nothing."""
    if not asked._is_settled:
        return None
    return asked._outcome[1]


class Asker:
    """An actor that asks, and what came of each question, in the order of the answers."""

    def __init__(self, rt: SimRuntime, timeout_s: float = 5.0) -> None:
        self.got: list[Any] = []
        self.pid = rt.spawn(self._ask)
        self._rt = rt
        self._timeout_s = timeout_s

    def ask(self, target: int, data: Any) -> None:
        self._rt.send(self.pid, (target, data))

    def _ask(self, message: tuple[int, Any]) -> None:
        try:
            self.got.append(self._rt.ask(*message, timeout_s=self._timeout_s))
        except Exception as error:
            self.got.append(error)
