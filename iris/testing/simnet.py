"""SimNetwork: several simulated runtimes and their network, in one thread with one virtual time.

The streams between them are those that run in production (`iris.mesh.link`), on sockets of memory.
What a test wants to go wrong it says here: delays, partitions, cut connections, frozen and killed
hosts. The same seed gives the same run, and the same `trace`, on every interpreter.
"""

from __future__ import annotations

import random
from typing import Any, Callable

from iris.config import seconds, whole_number
from iris.errors import BadInput
from iris.mesh.link import Report, SocketDriver
from iris.mesh.streams import Driver, Timer
from iris.mesh.wire import parse_address
from iris.run.simworld import STEPS_MOST, Call, Ready, World
from iris.testing.simhost import Killed, SimHost, SimKernel
from iris.testing.simpaths import ANY, Paths, Range
from iris.testing.simsocket import SimSocket

HOSTS_MOST = 250
"""Their addresses are 10.0.0.1 and so on."""

ALONE = "alone"
"""The host of a runtime that was given no network."""

BUFFER_BYTES = 128 * 1024
"""What each way of a connection holds: little, so that slow readers stop writers soon."""


class SimNetwork:
    """Hosts and the ways between them, with virtual time.

    Args:
        seed: decides what happens first of all that can happen now, how long things take within
            the delays that are set, and how streams are cut.
        chunking: whether bytes arrive in other pieces than they were written in, so that nobody
            relies on the borders of what was written.
        buffer_bytes: what each way of a connection holds, sent and not read yet; whoever writes
            more waits.

    Make runtimes with `SimRuntime(network=network, host="a")`; a host comes into being with its
    first runtime or driver. On it "localhost" and 127.0.0.1 are itself; for the others it has its
    name and an address 10.0.0.x. There is no IPv6. Nothing takes time unless `delay` says so.
    The methods that bring faults take effect at once and for two hosts mean both ways; the name
    "*" stands for every other host, also those to come. Use it from one thread.

    A host outlives what runs on it: after `kill`, or a shutdown, a new runtime with the same host
    name is the next life of it.
    """

    def __init__(
        self, seed: int = 0, *, chunking: bool = True, buffer_bytes: int = BUFFER_BYTES
    ) -> None:
        whole_number("seed", seed, least=0)
        whole_number("buffer_bytes", buffer_bytes, least=1)
        self.seed = seed
        self._paths = Paths(seed, chunking, buffer_bytes)
        self._hosts: dict[str, SimHost] = {}
        self._dead: list[Any] = []
        # What was killed, kept so that nothing of it ever ends.

    # -- who is there ------------------------------------------------------------------------

    def driver(self, host: str, report: Report) -> Driver:
        """The network as one program on a host sees it; keeps `iris.mesh.streams.Driver`.

        Args:
            host: the name of the host, made if need be.
            report: called with an exception that a receiver or a posted call has raised.
        """
        return SocketDriver(report, SimKernel(self._host(host)))

    # -- driving -----------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The virtual time in seconds; it starts at 0."""
        return self._paths.world.clock.now

    @property
    def trace(self) -> list[tuple[Any, ...]]:
        """What has happened: tuples of the time, a word, and who; 100,000 at most, the last.

        Of connections: "listen", "connect", "refuse", "bytes" (with their number), "end", "reset",
        each with two ends "host:port"; else the faults, by the names of their methods.
        """
        return list(self._paths.trace)

    def step(self) -> bool:
        """Do one thing: a turn of an actor, a call of a driver, an arrival; False for nothing."""
        return self._paths.world.step()

    def run_until_idle(self, steps_max: int = STEPS_MOST) -> int:
        """Do all that is to be done, without moving the time; returns how many steps.

        Raises:
            IrisError: it is not idle after `steps_max` steps.
        """
        return self._paths.world.run_until_idle(steps_max)

    def advance(self, duration_s: float) -> None:
        """Let time pass: do what is to be done, then what comes due on the way."""
        self._paths.world.advance(seconds("duration_s", duration_s))

    def later(self, delay_s: float, call: Callable[[], Any]) -> Timer:
        """Make a call after some virtual seconds, say a fault; the result takes it back."""
        return self._paths.world.add(seconds("delay_s", delay_s), Call(call))

    # -- what goes wrong ---------------------------------------------------------------------

    def delay(self, a: str, b: str, delay_s: Range) -> None:
        """Have all that is sent between two hosts take its time from now on.

        Args:
            a: the name of a host, or "*". A host and itself are its loopback.
            b: another.
            delay_s: seconds for one way; or the least and the most of them, drawn each time, with
                what is sent on one connection staying in order.
        """
        low, high = delay_s if isinstance(delay_s, tuple) else (delay_s, delay_s)
        low, high = seconds("delay_s", low), seconds("delay_s", high)
        if low > high:
            raise BadInput(f"delay_s=({low:g}, {high:g}) has more for the least than for the most")
        a, b = self._note("delay", a, b, low, high)
        for way in ((a, b), (b, a)):
            self._paths.delays.set(*way, (low, high))

    def partition(self, a: str = ANY, b: str = ANY, *, one_way: bool = False) -> None:
        """Let nothing through between hosts, and tell nobody.

        What is sent is sent again and again by the kernels, so it arrives after `heal`; attempts
        to connect end when their time is over.

        Args:
            a: the name of a host, or "*".
            b: another.
            one_way: whether only what goes from `a` to `b` is held up.
        """
        self._block("partition", a, b, True, one_way)

    def heal(self, a: str = ANY, b: str = ANY, *, one_way: bool = False) -> None:
        """Take a partition back; what was set last holds. See `partition`."""
        self._block("heal", a, b, False, one_way)

    def cut(self, a: str = ANY, b: str = ANY) -> int:
        """Reset all connections between hosts at both ends at once; returns how many.

        Of what was on its way a part arrives that ends anywhere, and nothing of the rest.
        """
        a, b = self._note("cut", a, b)
        socks = [sock for sock in self._between(a, b, True) if sock.out is not None]
        for sock in socks:
            assert sock.out is not None
            sock.out.tear()
            sock.out.land()
        for sock in socks:
            sock.reset()
        return len({tuple(sorted((sock.label, _peer(sock).label))) for sock in socks})

    def half_close(self, a: str, b: str) -> int:
        """End the way from `a` to `b` of all their connections; returns how many.

        As a bad middlebox does: `b` finds that `a` has sent its last byte. What `a` writes after
        that is answered with a reset.
        """
        a, b = self._note("half_close", a, b)
        socks = [sock for sock in self._between(a, b, False) if not sock.is_half_closed]
        for sock in socks:
            sock.end_way()
        return len(socks)

    def freeze(self, host: str) -> None:
        """Stop all that runs on a host, as SIGSTOP does, until `thaw`.

        Its kernel goes on: it lets others connect, and takes bytes until the buffers are full.
        """
        one = self._known(host)
        one.freeze()
        self._paths.note("freeze", one.name)

    def thaw(self, host: str) -> None:
        """Let what runs on a host go on; its timers that came due meanwhile are late."""
        one = self._known(host)
        one.thaw()
        self._paths.note("thaw", one.name)

    def kill(self, host: str) -> None:
        """End all that runs on a host, as SIGKILL does: no code of it runs any more.

        Its connections are reset at their other ends, of what was on its way to them a part
        arrives, and who connects is refused. Calls of its runtimes raise RuntimeClosed.
        """
        one = self._known(host)
        self._paths.note("kill", one.name)
        self._dead.append(one.kill())

    # -- inside --------------------------------------------------------------------------------

    def _host(self, name: str) -> SimHost:
        key = _host_name(name)
        host = self._hosts.get(key)
        if host is None:
            number = len(self._hosts) + 1
            if number > HOSTS_MOST:
                raise BadInput(f"host {name!r} is one more than the {HOSTS_MOST} of a SimNetwork")
            host = SimHost(key, f"10.0.0.{number}", self._paths, self._hosts)
            self._hosts[key] = host
        return host

    def _known(self, name: str) -> SimHost:
        host = self._hosts.get(_host_name(name))
        if host is None:
            known = ", ".join(map(repr, self._hosts)) or "none yet"
            raise BadInput(
                f"host {name!r} is not there, only {known}; make a runtime or a driver on it first"
            )
        return host

    def _note(self, what: str, a: str, b: str, *details: float) -> tuple[str, str]:
        """Write a fault down; gives both names as they are looked up."""
        first, second = (ANY if name == ANY else self._known(name).name for name in (a, b))
        self._paths.note(what, first, second, *details)
        return first, second

    def _block(self, what: str, a: str, b: str, blocked: bool, one_way: bool) -> None:
        a, b = self._note(what, a, b)
        self._paths.block(a, b, blocked)
        if not one_way:
            self._paths.block(b, a, blocked)

    def _between(self, a: str, b: str, both_ways: bool) -> list[SimSocket]:
        """The connected sockets on `a` whose other side is on `b`, or also those on `b`."""
        ways = ((a, b), (b, a)) if both_ways else ((a, b),)
        return [
            sock
            for host in self._hosts.values()
            for sock in host.sockets.values()
            if sock.peer is not None
            and not sock.is_reset
            and any(_matches(host.name, sock.peer.machine.name, *way) for way in ways)
        ]


# What follows is for `SimRuntime`.


def alone(seed: int) -> SimNetwork:
    """A network for one runtime, on the host `ALONE`."""
    network = SimNetwork(seed)
    # One in which nothing is drawn: a hub goes before the timers.
    network._paths.world = World()
    return network


def world_of(network: SimNetwork) -> World:
    """What all hubs of the network are in."""
    return network._paths.world


def seed_on(network: SimNetwork, host: str, seed: int) -> int:
    """A runtime is about to be made on a host: the seed for it, different for each."""
    one = network._host(host)
    one.started += 1
    # Seeded by a text, which is the same on every interpreter.
    return random.Random(f"{network.seed} {one.name} {one.started} {seed}").getrandbits(64)


def driver_maker(network: SimNetwork, host: str) -> Callable[[Report], Driver]:
    """What makes the driver of its node."""
    return lambda report: network.driver(host, report)


def enter_host(network: SimNetwork, host: str, hub: Ready, killed: Killed) -> None:
    """Have its hub on the host, and `killed` called when that is."""
    network._host(host).enter(hub, killed)


def _matches(here: str, there: str, a: str, b: str) -> bool:
    if ANY in (a, b) and here == there:
        return False
    return a in (here, ANY) and b in (there, ANY)


def _peer(sock: SimSocket) -> SimSocket:
    assert sock.peer is not None
    return sock.peer


def _host_name(name: str) -> str:
    """The name as it is looked up.

    Raises:
        TypeError: no str.
        BadInput: no name of a host.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a host is a str, not {name!r} of type {type(name).__name__}")
    host = parse_address(f"{name}:1").host
    if host == "localhost" or ":" in host or host.replace(".", "").isdigit():
        raise BadInput(
            f"host {name!r} is the address of another, or of every host; give a name such as 'a'"
        )
    return host
