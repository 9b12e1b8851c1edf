"""A host of a simulated network, and what the programs on it see as their operating system.

`SimKernel` keeps `iris.mesh.kernel.Kernel`: below the real driver it takes the place of sockets,
threads and the event loop. A host can be frozen and killed with all that runs on it.
"""

from __future__ import annotations

import errno
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Callable, Optional

from iris.errors import WouldDeadlock
from iris.mesh.kernel import Entered, unknown_host
from iris.run.context import Place, enter, here, leave
from iris.run.simworld import Call, Ready
from iris.testing.simpaths import Paths
from iris.testing.simsocket import ANYWHERE, SimSocket

PORTS_FROM, PORTS_TO = 32768, 60999
"""Those that are given to whoever asks for any: the range of Linux."""

LOOPBACK = "127.0.0.1"

NOT_KNOWN = -2
"""EAI_NONAME: the number that a look-up fails with on Linux."""

Killed = Callable[[], Any]


class SimHost:
    """One host: its address, its ports, and what runs on it.

    Args:
        hosts: all of the network, by name.
    """

    def __init__(self, name: str, ip: str, paths: Paths, hosts: dict[str, SimHost]) -> None:
        self.name = name
        self.ip = ip
        self.paths = paths
        self.hosts = hosts
        self.sockets: dict[int, SimSocket] = {}
        self.doors: dict[tuple[str, int], SimSocket] = {}
        self.life = 0
        # Raised when all that runs here is killed.
        self.started = 0
        # Runtimes, in all lives.
        self._hubs: list[Ready] = []
        self._killed: list[Killed] = []
        # What is called when that happens.
        self._is_frozen = False
        self._port = PORTS_FROM
        self._descriptor = 0

    def new_port(self) -> int:
        """See `iris.testing.simsocket.Machine`."""
        taken = {port for _, port in self.doors}
        taken.update(sock.address[1] for sock in self.sockets.values())
        for _ in range(PORTS_FROM, PORTS_TO + 1):
            port, self._port = self._port, self._port + 1
            if self._port > PORTS_TO:
                self._port = PORTS_FROM
            if port not in taken:
                return port
        raise OSError(errno.EADDRINUSE, f"host {self.name!r} has no port left")

    def new_descriptor(self) -> int:
        """See `iris.testing.simsocket.Machine`."""
        self._descriptor += 1
        return self._descriptor

    def reach(self, ip: str) -> Optional[SimHost]:
        """See `iris.testing.simsocket.Machine`."""
        if IPv4Address(ip).is_loopback:
            return self
        return next((host for host in self.hosts.values() if host.ip == ip), None)

    def door(self, ip: str, port: int) -> Optional[SimSocket]:
        """See `iris.testing.simsocket.Machine`."""
        return self.doors.get((ip, port)) or self.doors.get((ANYWHERE, port))

    def enter(self, hub: Ready, killed: Optional[Killed] = None) -> None:
        """Run a hub here; `killed` is called when its host is."""
        self._hubs.append(hub)
        if killed is not None:
            self._killed.append(killed)
        if self._is_frozen:
            self.paths.world.freeze(hub)

    def leave(self, hub: Ready) -> None:
        """It has ended."""
        self.paths.world.remove(hub)
        if hub in self._hubs:
            self._hubs.remove(hub)

    def freeze(self) -> None:
        """Run nothing until `thaw`."""
        self._is_frozen = True
        for hub in self._hubs:
            self.paths.world.freeze(hub)

    def thaw(self) -> None:
        """Let all go on."""
        self._is_frozen = False
        for hub in self._hubs:
            self.paths.world.thaw(hub)

    def kill(self) -> list[Any]:
        """End all that runs here, as it is.

        Returns:
            What has to be kept, lest the end of a greenlet's memory runs code of a dead actor.
        """
        self.life += 1
        self._is_frozen = False
        hubs, self._hubs = self._hubs, []
        killed, self._killed = self._killed, []
        for hub in hubs:
            self.paths.world.remove(hub)
        for sock in list(self.sockets.values()):
            sock.abort()
        for call in killed:
            call()
        return [hubs, killed]


class Watcher:
    """What tells a loop that a socket is ready, as long as it is."""

    def __init__(self, loop: SimLoop, sock: SimSocket, is_writer: bool) -> None:
        self._loop = loop
        self._sock = sock
        self._is_ready = sock.is_writable if is_writer else sock.is_readable
        self._call: Optional[Callable[[], Any]] = None
        sock.watchers.append(self)

    def start(self, call: Callable[[], Any]) -> None:
        """Call it whenever the socket is ready."""
        self._call = call
        self.look()

    def stop(self) -> None:
        """Call nothing more, until it is started again."""
        self._call = None
        self.look()

    def close(self) -> None:
        """The last call."""
        self.stop()
        if self in self._sock.watchers:
            self._sock.watchers.remove(self)

    def look(self) -> None:
        """See `iris.testing.simsocket.Watched`."""
        if self._call is not None and self._is_ready():
            self._loop.ready[self] = None
        else:
            self._loop.ready.pop(self, None)

    def run(self) -> None:
        """Make the call."""
        call = self._call
        assert call is not None
        call()
        self.look()


class SimLoop:
    """The hub of a simulated driver: one call at a time, in an order that is drawn."""

    def __init__(self, host: SimHost) -> None:
        self._host = host
        self._world = host.paths.world
        self._pump: Callable[[], None] = _nothing
        self._woken = False
        self._place = Place(_Nowhere(), _nothing)
        self.ready: dict[Watcher, None] = {}
        # In the order in which they became so.

    def start(self, pump: Callable[[], None]) -> None:
        """See `iris.run.hub.GeventHub`, as for the others."""
        self._pump = pump

    def wake(self) -> None:
        self._woken = True

    def later(self, delay_s: float, call: Callable[[], Any]) -> Call:
        return self._world.add(delay_s, Call(lambda: self._make(call), self))

    def watcher(self, descriptor: int, is_writer: bool) -> Watcher:
        return Watcher(self, self._host.sockets[descriptor], is_writer)

    def close(self) -> None:
        self._pump = _nothing

    def is_ready(self) -> bool:
        """See `iris.run.simworld.Ready`."""
        return self._woken or bool(self.ready)

    def run(self) -> None:
        """See `iris.run.simworld.Ready`."""
        choices: list[Callable[[], None]] = [watcher.run for watcher in self.ready]
        if self._woken:
            choices.append(self._run_pump)
        self._make(choices[self._host.paths.draw(len(choices) - 1)])

    def left(self, _: float) -> None:
        """Wait until the driver is stopped. No time passes meanwhile."""
        world = self._world
        while world.has(self) and world.may_step() and world.step():
            pass

    def _run_pump(self) -> None:
        self._woken = False
        self._pump()

    def _make(self, call: Callable[[], Any]) -> None:
        # A place of its own, so that a call which would wait is told apart from a handler's.
        before = here()
        enter(self._place)
        try:
            call()
        finally:
            leave()
            if before is not None:
                enter(before)


class _Nowhere:
    """The `Home` of calls that cannot wait: those of a hub."""

    def post(self, call: Any) -> None:
        """Whoever is to be woken has never begun to wait."""

    def later(self, *_: Any) -> Any:
        self.park()

    def remind(self, *_: Any) -> None:
        self.park()

    def park(self) -> None:
        raise WouldDeadlock("a callback of the mesh cannot wait; nothing would run meanwhile")


class SimKernel:
    """What one program on a host sees; keeps `iris.mesh.kernel.Kernel`."""

    def __init__(self, host: SimHost) -> None:
        self._host = host
        self._life = host.life
        self.now: Callable[[], float] = host.paths.world.clock

    def start_hub(self, entered: Entered) -> Callable[[float], Any]:
        """See `iris.mesh.kernel.Kernel`, as for the others."""
        loop = SimLoop(self._host)
        if self._life == self._host.life:
            self._host.paths.world.enter(loop)
            self._host.enter(loop)
        entered(loop)
        return loop.left

    def leave_hub(self, hub: Any) -> None:
        self._host.leave(hub)

    def start_thread(self, entry: Callable[[], None]) -> None:
        self._host.paths.world.add(0.0, Call(entry))

    def socket(self, _: int) -> SimSocket:
        host = self._host
        if self._life != host.life:
            raise OSError(errno.ESHUTDOWN, f"this program was killed with its host {host.name!r}")
        return SimSocket(host)

    def accept(self, door: SimSocket) -> tuple[SimSocket, Any]:
        return door.accept()

    def numbers(self, host: str, port: int) -> list[tuple[int, Any]]:
        found = self.parse(host, port)
        if found is not None:
            return found
        if host.lower() == "localhost":
            return [(SimSocket.family, (LOOPBACK, port))]
        known = self._host.hosts.get(host.lower())
        if known is None:
            raise unknown_host(host, NOT_KNOWN, "the simulated network has no such host")
        return [(SimSocket.family, (known.ip, port))]

    def parse(self, host: str, port: int) -> Optional[list[tuple[int, Any]]]:
        try:
            ip = str(IPv4Address(host))
        except AddressValueError:
            return None
        return [(SimSocket.family, (ip, port))]


def _nothing() -> None:
    pass
