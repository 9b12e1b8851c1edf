"""Discovery: which other nodes there are, by a fixed list or by the domain name system.

Owns the list of peers and who is told when it changes. It refuses to connect to anybody and to
judge whether a peer lives: the node does both. It looks names up and waits by the `Driver` alone.

There are two halves. A *spec* is what users give to `Runtime(discovery=...)`: a description that
holds no state, so that several runtimes can use one. A *discovery* is made of it by `open`, one
for each node that runs. Whoever needs another kind, a registry or a file, writes a spec and a
discovery that keep the two protocols here; nothing has to be inherited or registered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol, Union

from iris.config import TIMEOUT_MOST_S, number_of_seconds, whole_number
from iris.errors import BadInput
from iris.mesh.streams import Driver, Timer
from iris.mesh.wire import Address, parse_address

PEERS_MOST = 1024
"""In one list. As many as were measured with a ping a second each; a longer answer to a look-up is
rather somebody else's name."""

EVERY_LEAST_S = 1.0
"""Between two look-ups. Name servers refuse those who ask too often, and then all names fail."""

Changed = Callable[["list[str]", "list[str]"], Any]
"""Is called with the addresses that are new and those that are gone; not both are empty."""


class Discovery(Protocol):
    """The peers of one node. All calls are made in the hub of the mesh, and none may block."""

    error: Optional[Exception]
    """Why the last look for peers has failed; None where it has not."""

    def watch(self, call: Changed) -> None:
        """Have `call` called with each change, also within `join` and `announce`; before these."""

    def join(self) -> None:
        """Begin. Called once, when the runtime begins."""

    def announce(self, address: str) -> None:
        """This node can be reached here, so it is not its own peer. For each `listen`.

        Args:
            address: "host:port", with the host as a number.
        """

    def peers(self) -> list[str]:
        """The addresses that are known, each once, as "host:port"; empty when it has left."""

    def leave(self) -> None:
        """End. Nobody is called any more, and nothing is gone from the list because of it."""


class DiscoverySpec(Protocol):
    """How peers are found; what `Runtime(discovery=...)` is given."""

    def open(self, driver: Driver) -> Discovery:
        """A discovery for one node, which has not joined yet."""


@dataclass(frozen=True)
class StaticPeers:
    """Peers that are known beforehand. This node may be among them.

    Raises:
        TypeError: no list of strings.
        BadInput: one is no address, or there are too many.
    """

    addresses: Collection[str]
    """Each "host:port" or "[IPv6]:port", at most 1,024; kept as a tuple, each one once."""

    def __post_init__(self) -> None:
        given = self.addresses
        if isinstance(given, (str, bytes)) or not isinstance(given, Collection):
            raise TypeError(
                f"addresses is a list such as ['10.0.0.1:9000', '10.0.0.2:9000'], not {given!r}"
            )
        kept = tuple(dict.fromkeys(str(parse_address(text)) for text in given))
        if len(kept) > PEERS_MOST:
            raise BadInput(
                f"addresses has {len(kept)} addresses, over its limit {PEERS_MOST}; give fewer"
            )
        object.__setattr__(self, "addresses", kept)

    def open(self, driver: Driver) -> Discovery:  # noqa: ARG002  # It has nothing to wait for.
        """See `DiscoverySpec`."""
        return _Static(self)


@dataclass(frozen=True)
class DnsPeers:
    """Peers that stand behind one host name, all with the same port.

    Made for names that have an address for each node, such as those of headless services. The
    name is looked up again and again. A look-up that fails changes nothing: a name server that is
    away must not take the peers away with it.

    Raises:
        TypeError: a value has a wrong type.
        BadInput: a value is out of range, or the name cannot be looked up.
    """

    name: str
    """The host name."""

    port: int
    """Where each of the nodes listens."""

    every_s: float = 30.0
    """From an answer to the next look-up, at least 1 second."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name is a host name such as 'nodes.example', not {self.name!r}")
        whole_number("port", self.port, least=1, most=65535)
        object.__setattr__(self, "name", parse_address(str(Address(self.name, self.port))).host)
        value = number_of_seconds("every_s", self.every_s)
        if not EVERY_LEAST_S <= value <= TIMEOUT_MOST_S:
            raise BadInput(
                f"every_s={value!r} is out of range; give {EVERY_LEAST_S:.0f} to"
                f" {TIMEOUT_MOST_S:.0f} seconds"
            )

    def open(self, driver: Driver) -> Discovery:
        """See `DiscoverySpec`."""
        return _Dns(self, driver)


class _Listed:
    """The peers of one node without itself, and who is told of changes; both kinds share it."""

    def __init__(self) -> None:
        self.error: Optional[Exception] = None
        self._own: list[str] = []
        self._peers: list[str] = []
        # Invariant: at most PEERS_MOST, each once, none of the own ones.
        self._call: Optional[Changed] = None

    def watch(self, call: Changed) -> None:
        """See `Discovery`."""
        self._call = call

    def peers(self) -> list[str]:
        """See `Discovery`."""
        return list(self._peers)

    def announce(self, address: str) -> None:
        """See `Discovery`."""
        # Spelt as the others are, or it would not be found among them.
        self._own.append(str(parse_address(address)))
        self._take(self._peers)

    def _take(self, addresses: Iterable[str]) -> None:
        """Take these, each of which is there once, for those before, and tell the difference."""
        before, self._peers = self._peers, [one for one in addresses if one not in self._own]
        known, left = set(before), set(self._peers)
        added = [one for one in self._peers if one not in known]
        removed = [one for one in before if one not in left]
        if self._call is not None and (added or removed):
            self._call(added, removed)

    def leave(self) -> None:
        """See `Discovery`."""
        self._peers = []


class _Static(_Listed):
    """The discovery of `StaticPeers`."""

    def __init__(self, spec: StaticPeers) -> None:
        super().__init__()
        self._spec = spec

    def join(self) -> None:
        """See `Discovery`."""
        self._take(self._spec.addresses)


class _Dns(_Listed):
    """The discovery of `DnsPeers`: looks the name up, rests, and looks again."""

    def __init__(self, spec: DnsPeers, driver: Driver) -> None:
        super().__init__()
        self._spec = spec
        self._driver = driver
        self._rest: Optional[Timer] = None
        # Until the next look-up.
        self._left = False

    def join(self) -> None:
        """See `Discovery`."""
        self._look()

    def leave(self) -> None:
        """See `Discovery`."""
        self._left = True
        if self._rest is not None:
            self._rest.close()
        super().leave()

    def _look(self) -> None:
        self._driver.look_up(self._spec.name, self._found)

    def _found(self, found: Union[list[str], Exception]) -> None:
        if self._left:
            return
        # First of all: what a watcher does, or raises, must not end the looking.
        self._rest = self._driver.later(self._spec.every_s, self._look)
        if isinstance(found, Exception):
            self.error = found
            return
        self.error = None
        # In order, because name servers shuffle: a list that is cut off has to be cut off alike.
        self._take(sorted({str(Address(host, self._spec.port)) for host in found})[:PEERS_MOST])
