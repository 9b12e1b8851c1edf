"""The node: what users ask of the mesh, and who it knows there.

It owns the peers, the doors and the guests, and the proxies by the pid that they have elsewhere.
Calls of users come from any thread, cross over to the thread of the mesh and wait for what comes
of them; whatever concerns one other node is `iris.mesh.peer`'s business. Nothing begins before the
first call that needs the mesh.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Callable, Optional, Union

from iris.config import MeshLimits
from iris.core.cell import ActorCell
from iris.core.links import Monitors
from iris.core.mailbox import CLOSED
from iris.core.names import checked_name
from iris.core.table import Table
from iris.core.tally import Fates
from iris.errors import (
    ActorError,
    BadInput,
    IrisError,
    LimitReached,
    NodeUnreachable,
    RuntimeClosed,
)
from iris.mesh.dialect import SessionDialect
from iris.mesh.discovery import Discovery, DiscoverySpec
from iris.mesh.health import HealthLimits
from iris.mesh.hello import INCARNATION_BYTES, NONCE_BYTES, Hello
from iris.mesh.hosting import Hosting
from iris.mesh.keyring import Keyring
from iris.mesh.limits import SessionLimits
from iris.mesh.line import Line
from iris.mesh.outbox import Outbox, PlainDialect
from iris.mesh.payload import Codec
from iris.mesh.peer import NodeInfo, Peer, Shared, Ways
from iris.mesh.proxy import SPEC, Dialect, Proxy, ProxyShared
from iris.mesh.questions import Questions
from iris.mesh.secure import ClientHandshake, Nonces, ServerHandshake
from iris.mesh.server import Guest, Guests, PlainSpeaker, Speaker
from iris.mesh.streams import Driver, Listening
from iris.mesh.visit import SessionSpeaker
from iris.mesh.wire import VERSION_2, Address, WireError, WireLimits, parse_address
from iris.run.asking import Asking, opened
from iris.run.context import current_pid
from iris.run.delivery import Delivery, check_pid, owned
from iris.run.lifecycle import Lifecycle
from iris.run.log import Log
from iris.run.native import new_rlock
from iris.run.registry import Registry
from iris.run.requests import Requests
from iris.run.undelivered import Undelivered
from iris.run.waiter import Waiter

PROXIES_MOST = 1_000_000
"""Proxies for one other node. More of them are a mistake, or somebody who tries pids."""

PEERS_MOST = 10_000
"""Nodes that one node knows at a time."""

ANSWERS_BYTES = 64 << 20
"""Of large answers that wait to be written on one connection; further ones fail. Without a key
anybody may ask and not read, so it is less."""

MakeDriver = Callable[[Callable[[BaseException], Any]], Driver]


class Node:
    """The mesh of one runtime. From any thread unless said otherwise.

    Args:
        make_driver: makes the network, on first need.
        limits: what peers may ask, and how long they are waited for.
        post: has the hub of the actors call something soon.
        luck: gives a random number from 0 up to 1.
        check_open: raises when the runtime cannot be used any more.
        keyring: the keys of the cluster; with them version 2 is spoken, and nothing else taken.
        random_bytes: gives so many bytes from the random source of the system.
        lag: how many seconds the hub of the actors is behind.
        found: told in the hub of the actors of nodes that discovery has found, and of those gone.
    """

    def __init__(
        self,
        make_driver: MakeDriver,
        limits: MeshLimits,
        keyring: Optional[Keyring],
        random_bytes: Callable[[int], bytes],
        table: Table,
        lifecycle: Lifecycle,
        delivery: Delivery,
        registry: Registry,
        asking: Asking,
        requests: Requests,
        monitors: Monitors,
        fates: Fates,
        undelivered: Undelivered,
        log: Log,
        post: Callable[[Callable[[], Any]], None],
        luck: Callable[[], float],
        check_open: Callable[[], None],
        found: Callable[[list[str], list[str]], Any],
        lag: Callable[[], float],
    ) -> None:
        self._make_driver = make_driver
        self._limits = limits
        self._table = table
        self._keyring = keyring
        self._random_bytes = random_bytes
        self._incarnation = random_bytes(INCARNATION_BYTES)
        # Of this life of the node.
        self._codec = Codec()
        self._asking = asking
        self._requests = requests
        self._monitors = monitors
        self._lag = lag
        self._lifecycle = lifecycle
        self._post = post
        self._found = found
        self._delivery = delivery
        self._registry = registry
        self._fates = fates
        self._log = log
        self._luck = luck
        self._check_open = check_open
        self._wire = WireLimits(
            limits.payload_bytes, limits.name_bytes, limits.progress_s, limits.frame_s,
            limits.silent_s,
        )  # fmt: skip
        self._health = HealthLimits(
            limits.ping_every_s, limits.down_after_s, limits.backoff_most_s
        )  # fmt: skip
        self._session_limits = SessionLimits(window_bytes=limits.window_bytes)
        self._visit_limits = SessionLimits(
            queued_bytes=ANSWERS_BYTES if keyring else SessionLimits.queued_bytes
        )
        self._proxies = ProxyShared(lifecycle, requests, fates, undelivered, post)
        self._lock = new_rlock()
        # Around the start and the stop.
        self._driver: Optional[Driver] = None
        self._guests: Guests
        self._hosting: Hosting
        self._nonces = Nonces()
        self._dialect: Dialect
        self._shared: Shared
        self._stopped = False
        self._peers: dict[Address, Peer] = {}
        # Under the table lock; read anywhere.
        self._doors: list[Listening] = []
        self._discovery: Optional[Discovery] = None
        # In the hub of the mesh only.

    # -- calls of users --------------------------------------------------------------------

    def listen(self, addr: str, insecure: bool = False) -> str:
        """Let other nodes in; returns the address, with the port that it really is."""
        address = parse_address(addr, any_port=True)
        if type(insecure) is not bool:
            raise TypeError(f"insecure is True or False, not {insecure!r}")
        if not (insecure or self._keyring or _is_loopback(address.host)):
            raise BadInput(
                f"listening on {addr!r} would let anybody in who can reach this machine; give all"
                " nodes a key with Runtime(cluster_key=FILE), made by `iris keygen FILE`, or listen"
                " on 127.0.0.1, or say that the network is trusted with insecure=True"
            )
        driver = self._network()
        try:
            door = driver.listen(address.host, address.port, self._guests.accepted)
        except OSError as error:
            # The class stays that of the number.
            text = f"cannot listen on {addr}: {error.strerror or error}"
            raise OSError(error.errno, text) from error
        self._doors.append(door)
        bound = str(Address(door.host, door.port))
        self._run(lambda: self._announce(bound))
        return bound

    def addresses(self) -> list[str]:
        """Where this node listens."""
        return [str(Address(door.host, door.port)) for door in self._doors]

    def resolve(self, addr: str, name: str) -> Optional[int]:
        """The pid of a proxy for the actor with a name at another node; None for nobody."""
        address = parse_address(addr)
        checked_name(name)
        waiter = Waiter()
        self._ask(address, name, waiter.settle)
        found: Optional[int] = self._waited(address, waiter)
        return found

    def begin_resolve(self, addr: str, name: str, settle: Callable[[Any], Any]) -> None:
        """As `resolve`, without waiting: `settle` gets (True, pid or None) or (False, error)."""
        address = parse_address(addr)
        checked_name(name)
        self._ask(address, name, settle)

    def send(self, addr: str, pid: Union[int, str], data: Any) -> bool:
        """Send to an actor at another node, by the pid of its proxy, its own there, or its name."""
        address = parse_address(addr)
        if isinstance(pid, str):
            checked_name(pid)
        else:
            check_pid(pid)
        self._network()
        dialect, data = self._dialect, owned(data)
        payload = data if isinstance(data, bytes) else dialect.encode(data)
        if len(payload) > dialect.payload_bytes:
            raise BadInput(
                f"payload of {len(payload)} bytes is over payload_bytes={dialect.payload_bytes};"
                " send less at a time, or raise it on both nodes with"
                " Runtime(mesh=iris.MeshLimits(payload_bytes=...))"
            )
        if not isinstance(pid, str):
            return self._delivery.send(self._proxy_for(address, pid), payload)
        return self._send_named(address, pid, payload)

    def _send_named(self, address: Address, name: str, payload: bytes) -> bool:
        line, sender = self._peer(address).outbox, current_pid()
        if not isinstance(line, Line):
            raise BadInput(
                f"the message to the name {name!r} at {address} cannot be sent: version 1 of the"
                " protocol has none; give both nodes a cluster_key, or ask for its pid with"
                " resolve_remote"
            )
        with self._lock:
            driver = self._network()
            taken = line.send_named(name, sender, payload)
            (self._fates.accepted if taken else self._fates.refused).add()
            driver.post(line.run)
        return taken

    def register_type(self, code: int, cls: type[Any]) -> None:
        """Let a dataclass travel between nodes."""
        self._check_open()
        self._codec.register(code, cls)

    def monitor(self, addr: str, pid: int) -> int:
        """Watch the node of an actor elsewhere; returns the pid of its proxy."""
        proxy_pid = self._proxy_for(parse_address(addr), check_pid(pid))
        watcher = self._table.get(current_pid())
        if watcher is not None and watcher.spec.receives_system:
            self._registry.monitor(watcher.pid, proxy_pid)
        return proxy_pid

    def watch(self, addr: str, observer_pid: int) -> None:
        """Have an actor told how another node does, until it ends."""
        address = parse_address(addr)
        check_pid(observer_pid)
        with self._table.lock:
            observer = self._registry.living(observer_pid)
        if not observer.spec.receives_system:
            raise ActorError(
                f"actor {observer_pid} cannot receive system messages, so it cannot watch a node;"
                " spawn it with trap_exit=True, or as an observed or pull actor"
            )
        peer = self._peer(address)
        self._run(lambda: peer.watch(observer))

    def is_up(self, addr: str) -> bool:
        """Ask another node for a sign of life."""
        address = parse_address(addr)
        waiter = Waiter()
        peer = self._peer(address)

        def checked(outcome: Union[int, Exception]) -> None:
            waiter.settle((True, not isinstance(outcome, Exception)))

        self._run(lambda: peer.check(checked))
        return bool(self._waited(address, waiter))

    def nodes(self) -> list[NodeInfo]:
        """What is known of the other nodes, by address."""
        with self._table.lock:
            peers = sorted(self._peers.items())
        return [peer.info() for _, peer in peers]

    # -- for the runtime -------------------------------------------------------------------

    def discover(self, spec: DiscoverySpec) -> None:
        """Find other nodes from now on."""
        self._run(lambda: self._join(spec))

    def is_idle(self) -> bool:
        """Whether all that was sent to other nodes has gone out."""
        with self._table.lock:
            peers = list(self._peers.values())
            cells = [proxy.cell for peer in peers for proxy in peer.backlog.proxies.values()]
        # A proxy is ready until all that was taken out of its lane lies in the outbox.
        if any(cell.ready or cell.size() for cell in cells):
            return False
        return not any(peer.outbox.underway for peer in peers)

    def underway(self) -> int:
        """Messages that proxies have taken and the network has not."""
        return sum(peer.outbox.underway for peer in list(self._peers.values()))

    def stop(self, timeout_s: float) -> None:
        """Close all, waiting some seconds at most for the thread of the mesh."""
        with self._lock:
            self._stopped = True
            driver = self._driver
        if driver is not None:
            driver.post(self._close)
            driver.stop(timeout_s)

    def forked(self) -> None:
        """In a forked child: nothing here is ours. Takes no lock."""
        self._doors = []
        self._stopped = True
        if self._driver is not None:
            self._driver.forked()

    # -- from any thread -------------------------------------------------------------------

    def _network(self) -> Driver:
        """The driver, made now if there was none."""
        self._check_open()
        driver = self._driver
        if driver is None or self._stopped:
            with self._lock:
                if self._stopped:
                    raise RuntimeClosed("the runtime has shut down; make a new one")
                driver = self._driver or self._begin()
        return driver

    def _run(self, call: Callable[[], Any]) -> None:
        """Have the thread of the mesh make a call, before it stops or not at all.

        Raises:
            RuntimeClosed: not at all.
        """
        # With the lock: what was posted behind the stop would never be made.
        with self._lock:
            self._network().post(call)

    def _begin(self) -> Driver:
        # Hooks and handlers of the log are code of users, which may be slow, so they are called
        # in the hub of the actors.
        report, log = self._lifecycle.report, self._log
        driver = self._make_driver(lambda error: self._post(lambda: report(error)))
        self._guests = Guests(
            driver, self._wire, self._limits.guests_max, self._delivery, self._find,
            self._speaker, lambda *said: self._post(lambda: log.guest_closed(*said)),
        )  # fmt: skip
        self._hosting = Hosting(
            driver, self._table, self._delivery, self._lifecycle, self._monitors, self._asking,
            self._requests, self._fates, self._codec, self._find, self._lag, self._incarnation,
        )  # fmt: skip
        if self._keyring is None:
            stop = self._lifecycle.request_stop
            self._dialect = PlainDialect(self._limits.payload_bytes, stop)
        else:
            self._dialect = SessionDialect(
                self._codec, self._session_limits.payload_bytes, driver
            )
        self._shared = Shared(
            driver, self._wire, self._health, self._limits.io_timeout_s, self._luck,
            self._delivery.system, lambda *said: self._post(lambda: log.peer_changed(*said)),
            self._forget,
        )  # fmt: skip
        self._driver = driver
        return driver

    def _peer(self, address: Address) -> Peer:
        self._network()
        with self._table.lock:
            peer = self._peers.get(address)
            if peer is None:
                if len(self._peers) >= PEERS_MOST:
                    raise LimitReached(f"{PEERS_MOST} other nodes are known; no more can be")
                peer = self._peers[address] = Peer(self._shared, address, self._ways)
            return peer

    def _ways(self, peer: Peer) -> Ways:
        """How a peer is reached: with a key by version 2, without one as existing nodes do."""
        driver, lock = self._shared.driver, self._table.lock
        io_timeout_s = self._limits.io_timeout_s
        if self._keyring is None:
            forwarded, lost = self._fates.forwarded, self._fates.lost
            outbox = Outbox(peer, driver, lock, forwarded, lost, io_timeout_s)
            return outbox, Questions(peer, driver, self._wire, io_timeout_s)
        line = Line(
            peer, driver, lock, self._fates, self._requests, self._codec, self._session_limits,
            io_timeout_s, self._client_opening, self._lag, self._incarnation,
        )  # fmt: skip
        return line, line

    def _hello(self) -> Hello:
        listen = next(iter(self.addresses()), "")
        name = f"iris-{self._incarnation.hex()[:8]}"
        return Hello(name, self._incarnation, self._random_bytes(NONCE_BYTES), 0, listen)

    def _client_opening(self) -> ClientHandshake:
        now = self._shared.driver.now()
        return ClientHandshake(self._hello(), self._keyring, self._wire, now)

    def _speaker(self, guest: Guest, version: int) -> Union[Speaker, WireError]:
        """Who understands a guest that begins with this byte."""
        if version == VERSION_2:
            opening = self._server_opening()
            return SessionSpeaker(self._hosting, guest, opening, self._visit_limits)
        if self._keyring is not None:
            return WireError("key", "it does not speak version 2, and this node has a key")
        return PlainSpeaker(self._guests, guest)

    def _server_opening(self) -> ServerHandshake:
        now = self._shared.driver.now()
        return ServerHandshake(self._hello(), self._keyring, self._nonces, self._wire, now)

    def _ask(self, address: Address, name: str, settle: Callable[[Any], Any]) -> None:
        peer = self._peer(address)

        def resolved(outcome: Union[int, Exception]) -> None:
            if isinstance(outcome, Exception):
                settle((False, outcome))
                return
            try:
                found = self._proxy(peer, outcome) if outcome else None
            except IrisError as error:
                settle((False, error))
            else:
                settle((True, found))

        self._run(lambda: peer.resolve(name, resolved))

    def _waited(self, address: Address, waiter: Waiter) -> Any:
        """What has come of a question; it is settled in its own time, if the runtime lives."""
        patience_s = 2 * self._limits.io_timeout_s
        if not waiter.wait(patience_s):
            self._check_open()
            raise NodeUnreachable(f"node {address} did not answer in {patience_s:g} s")
        return opened(waiter.value)

    def _proxy_for(self, address: Address, pid: int) -> int:
        """The proxy that is meant by a pid: itself, or that of an actor with this pid there."""
        peer = self._peer(address)
        cell = self._table.get(pid)
        runner = None if cell is None else cell.runner
        if isinstance(runner, Proxy) and runner.outbox is peer.backlog:
            return pid
        return self._proxy(peer, pid)

    def _proxy(self, peer: Peer, remote_pid: int) -> int:
        """The pid of the proxy of an actor elsewhere, made now if there was none."""
        backlog = peer.backlog
        with self._table.lock:
            known = backlog.proxies.get(remote_pid)
            if known is not None and known.cell.admission is not CLOSED:
                return known.cell.pid
            if len(backlog.proxies) >= PROXIES_MOST:
                raise LimitReached(
                    f"{PROXIES_MOST} proxies stand for actors of node {peer.address}; stop some"
                )
            proxy = Proxy(self._proxies, self._dialect, backlog, remote_pid)

            def born(cell: ActorCell) -> None:
                proxy.cell = cell
                backlog.add(proxy)

            pid = self._lifecycle.spawn_born(SPEC, None, proxy, born)
        self._run(peer.needed)
        return pid

    # -- in the hub of the mesh ------------------------------------------------------------

    def _join(self, spec: DiscoverySpec) -> None:
        assert self._driver is not None
        discovery = self._discovery = spec.open(self._driver)
        discovery.watch(self._peers_changed)
        for address in self.addresses():
            discovery.announce(address)
        discovery.join()

    def _announce(self, address: str) -> None:
        if self._discovery is not None:
            self._discovery.announce(address)

    def _peers_changed(self, added: list[str], removed: list[str]) -> None:
        """Discovery tells: who was found is watched, who is gone is not any more."""
        for text in added:
            self._peer(parse_address(text)).enlist(True)
        for text in removed:
            peer = self._peers.get(parse_address(text))
            if peer is not None:
                peer.enlist(False)
        self._post(lambda: self._found(added, removed))

    def _find(self, name: str) -> int:
        """Who may be sent to under a name or a path. A proxy may not: it is another node's."""
        try:
            pid = self._registry.whereis(name)
            if pid is None and name.startswith("/"):
                pid = self._registry.whereis_path(name)
        except (IrisError, TypeError):
            return 0
        cell = None if pid is None else self._table.get(pid)
        return 0 if pid is None or cell is None or cell.spec.is_remote else pid

    def _forget(self, peer: Peer) -> None:
        with self._table.lock:
            if not peer.backlog.proxies and self._peers.get(peer.address) is peer:
                del self._peers[peer.address]

    def _close(self) -> None:
        if self._discovery is not None:
            self._discovery.leave()
        for door in self._doors:
            door.close()
        self._guests.close()
        for peer in list(self._peers.values()):
            peer.close()


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
