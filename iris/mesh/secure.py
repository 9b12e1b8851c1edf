"""The opening of version 2: two nodes say hello, and prove to each other that they share a key.

One object for each side of a connection: bytes in, bytes out, and in the end either a `Secured`
or the `WireError` for which the connection is to be closed. It decides which peer is let in, and
refuses to know what is said afterwards. Nobody is told over the wire why he was refused, and
nothing that depends on a key is sent to a client that has not proved it.

What the proofs give is that the other side has the key now, has seen the same hellos, and is not
this node itself. They hide nothing: without TLS everybody on the way can read what is sent, and
nothing here keeps earlier connections secret from who learns the key later.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from hashlib import sha256
from typing import NamedTuple, Optional, Union

from iris.errors import BadInput
from iris.mesh.hello import (
    HELLO_LENGTH,
    INSIDE_TLS,
    KEYED,
    SECURITY,
    Hello,
    hello_body_bytes,
    pack_hello,
    parse_hello,
)
from iris.mesh.keyring import KEY_ID_BYTES, PROOF_BYTES, Keyring
from iris.mesh.records import Opener, Sealer
from iris.mesh.wire import VERSION_2, WireError, WireLimits

NONCES_MAX = 8192
"""Hellos that a node remembers at least: the handshakes of some minutes, in 2 MiB."""

# What the key is used for, one label each; none is the beginning of another.
CLIENT_PROOF = b"iris-mesh-2 client proof"
SERVER_PROOF = b"iris-mesh-2 server proof"
CLIENT_RECORDS = b"iris-mesh-2 client records"
SERVER_RECORDS = b"iris-mesh-2 server records"


class Secured(NamedTuple):
    """What a connection has come to whose opening went well."""

    peer: Hello
    """What the other side has said about itself; without a key, what it claims."""

    sealer: Sealer
    """Makes the records to be sent."""

    opener: Opener
    """Takes apart those that come."""

    rest: bytes
    """What has come of them already, and is to be given to the opener."""

    key_id: Optional[bytes]
    """The public id of the key that both sides proved; None without one."""


class Nonces:
    """The nonces of the clients that a node has seen: a hello that comes again is refused.

    One for all connections of a node. It remembers the last `most` nonces, and twice as many at
    most. A hello that was forgotten does no harm: a proof covers the server's own fresh nonce, so
    that an old one is never right. This finds it sooner, and says what it is.

    Args:
        most: how many, 1 or more.

    Raises:
        BadInput: less than 1.
    """

    __slots__ = ("_before", "_most", "_now")

    def __init__(self, most: int = NONCES_MAX) -> None:
        if most < 1:
            raise BadInput(f"most={most} nonces are out of range; give 1 or more")
        self._most = most
        # Two sets of which the older is dropped whole: nothing to be sorted or searched.
        # Invariant: no nonce is in both, and neither has more than `most`.
        self._now: set[bytes] = set()
        self._before: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._now) + len(self._before)

    def remember(self, nonce: bytes) -> bool:
        """Whether it was not among those remembered; now it is."""
        if nonce in self._now or nonce in self._before:
            return False
        if len(self._now) == self._most:
            self._before = self._now
            self._now = set()
        self._now.add(nonce)
        return True


Outcome = Union[Secured, WireError]
_Steps = Generator[int, bytes, Secured]
# A generator gives out how many bytes it needs next, and is sent exactly these.


class _Opening(ABC):
    """What both sides have: who they are, the bytes so far, and little time.

    Args:
        hello: what this side says, with a nonce that was never used before.
        keyring: the keys of this node; None to open without one, which any peer can.
        limits: how long the opening may take, and later the records.
        now: when the connection was opened, in monotonic seconds.
        inside_tls: whether these bytes go through TLS, which makes the tags of records.

    Raises:
        BadInput: a hello that cannot be sent.
    """

    __slots__ = (
        "_inside_tls",
        "_keyring",
        "_limits",
        "_needed",
        "_opened",
        "_ours",
        "_out",
        "_received",
        "_steps",
        "_transcript",
    )

    def __init__(
        self,
        hello: Hello,
        keyring: Optional[Keyring],
        limits: WireLimits,
        now: float,
        inside_tls: bool = False,
    ) -> None:
        security = (KEYED if keyring is not None else 0) | (INSIDE_TLS if inside_tls else 0)
        self._ours = hello._replace(features=hello.features & ~SECURITY | security)
        pack_hello(self._ours)  # Raises here and not while a peer waits.
        self._keyring = keyring
        self._limits = limits
        self._opened = now
        self._inside_tls = inside_tls
        self._out = bytearray()
        self._received = bytearray()
        # Invariant: fewer bytes than `_needed` between two calls, so never more than a hello.
        self._transcript = bytearray()
        # All bytes of both sides in their order, as this side has seen them.
        self._steps: Optional[_Steps] = self._talk()
        self._needed = next(self._steps)

    @abstractmethod
    def _talk(self) -> _Steps:
        """The whole opening as this side goes through it."""

    @property
    def deadline(self) -> Optional[float]:
        """When `check` is to be called; None when the opening is over. It never moves."""
        return None if self._steps is None else self._opened + self._limits.handshake_s

    def check(self, now: float) -> Optional[WireError]:
        """Whether the peer has taken too long; then the connection is to be closed.

        Bytes that come after the deadline and before this call are in time.
        """
        deadline = self.deadline
        if deadline is None or now < deadline:
            return None
        wrong = (
            f"the opening is not done after handshake_s={self._limits.handshake_s:g} seconds;"
            f" {len(self._received)} of the next {self._needed} bytes are there"
        )
        return self._refused(WireError("slow", wrong))

    def closed(self) -> Optional[WireError]:
        """What it means when the peer closes the connection now; None when the opening is over."""
        if self._steps is None:
            return None
        return self._refused(WireError("closed", self._why_closed()))

    @abstractmethod
    def _why_closed(self) -> str:
        """What is most likely wrong when the peer closes the connection now."""

    def data_to_send(self) -> bytes:
        """What is to be sent now; each byte is given once. Nothing after a refusal."""
        data = bytes(self._out)
        self._out = bytearray()
        return data

    def receive_data(self, data: bytes) -> Optional[Outcome]:
        """What these bytes lead to; None while more are needed, and after the end.

        How the bytes are cut into chunks changes nothing. After each call `data_to_send` is to be
        asked, also when this gave a `Secured`.

        Args:
            data: the next bytes of the connection; from the client, the version byte is the first.

        Returns:
            The end of the opening, once. A WireError is of kind "version", "hello", "utf8",
            "tls", "key", "proof", "replay" or "reflection".
        """
        if self._steps is None:
            return None
        received = self._received
        received += data
        try:
            while len(received) >= self._needed:
                piece = bytes(received[: self._needed])
                del received[: self._needed]
                self._needed = self._steps.send(piece)
        except StopIteration as end:
            self._steps = None
            secured: Secured = end.value
            return secured._replace(rest=bytes(received))
        except WireError as error:
            # Without its frames, in which everything of this opening would live on.
            return self._refused(error.with_traceback(None))
        return None

    def _refused(self, error: WireError) -> WireError:
        self._steps = None
        self._out = bytearray()
        return error

    # -- what the steps are made of ----------------------------------------------------------------

    def _say(self, data: bytes) -> None:
        self._transcript += data
        self._out += data

    def _read_hello(self) -> Generator[int, bytes, Hello]:
        length = yield HELLO_LENGTH.size
        body = yield hello_body_bytes(length)
        self._transcript += length + body
        theirs = parse_hello(body)
        self._check_hello(theirs)
        return theirs

    def _check_hello(self, theirs: Hello) -> None:
        """Whether this peer may go on, as far as its hello says."""
        ours, differing = self._ours, theirs.features ^ self._ours.features
        who = f"node {theirs.name!r}"
        if differing & INSIDE_TLS:
            here, there = ("inside", "outside") if self._inside_tls else ("outside", "inside")
            raise WireError("tls", f"{who} says that it is {there} of TLS; here it is {here}")
        if differing & KEYED:
            if self._keyring is not None:
                raise WireError("key", f"{who} has no key, and this node has; give it the same key")
            raise WireError("key", f"{who} has a key, and this node has none; give it the same key")
        if theirs.nonce == ours.nonce or theirs.incarnation == ours.incarnation:
            raise WireError(
                "reflection",
                f"{who} is this node itself, or somebody who sends back what this node has said",
            )

    def _secured(self, theirs: Hello, key_id: Optional[bytes], is_client: bool) -> Secured:
        sending: Optional[bytes] = None
        receiving: Optional[bytes] = None
        if self._keyring is not None and key_id is not None and not self._inside_tls:
            salt = sha256(self._transcript).digest()
            sending = self._keyring.derive(key_id, salt, CLIENT_RECORDS)
            receiving = self._keyring.derive(key_id, salt, SERVER_RECORDS)
            if not is_client:
                sending, receiving = receiving, sending
        return Secured(theirs, Sealer(sending), Opener(receiving, self._limits), b"", key_id)


class ClientHandshake(_Opening):
    """The side that has connected: it says hello first, and proves first."""

    __slots__ = ()

    def _talk(self) -> _Steps:
        self._say(bytes([VERSION_2]) + pack_hello(self._ours))
        theirs = yield from self._read_hello()
        keyring = self._keyring
        if keyring is None:
            return self._secured(theirs, None, is_client=True)
        key_id = keyring.key_id
        self._say(key_id)
        self._say(keyring.prove(key_id, CLIENT_PROOF + self._transcript))
        proof = yield PROOF_BYTES
        if not keyring.proves(key_id, SERVER_PROOF + self._transcript, proof):
            raise WireError(
                "proof",
                f"node {theirs.name!r} answers with a wrong proof: it does not have the key"
                f" {key_id.hex()}, or somebody on the way has changed bytes",
            )
        self._transcript += proof
        return self._secured(theirs, key_id, is_client=True)

    def _why_closed(self) -> str:
        if self._needed == PROOF_BYTES:  # No step before that one waits for as many.
            return (
                "the peer closed the connection when this node had sent its proof; most likely it"
                " does not accept the key that is first in this node's keyring"
            )
        keyed = "a key" if self._keyring is not None else "no key"
        return (
            f"the peer closed the connection at the hello of this node, which has {keyed}; it may"
            " be of another mind about keys or TLS, or speak version 1 alone"
        )


class ServerHandshake(_Opening):
    """The side that was connected to, fed from the version byte on.

    Args:
        nonces: what the node remembers of its clients.

    The others are those of `ClientHandshake`; `now` is when the version byte came.
    """

    __slots__ = ("_nonces",)

    def __init__(
        self,
        hello: Hello,
        keyring: Optional[Keyring],
        nonces: Nonces,
        limits: WireLimits,
        now: float,
        inside_tls: bool = False,
    ) -> None:
        self._nonces = nonces
        super().__init__(hello, keyring, limits, now, inside_tls)

    def _talk(self) -> _Steps:
        version = yield 1
        if version[0] != VERSION_2:
            raise WireError(
                "version",
                f"the first byte is {version[0]:#04x}; version 2 begins with {VERSION_2:#04x}",
            )
        self._transcript += version
        theirs = yield from self._read_hello()
        if not self._nonces.remember(theirs.nonce):
            raise WireError(
                "replay", f"a hello of node {theirs.name!r} came a second time; it was recorded"
            )
        self._say(pack_hello(self._ours))
        keyring = self._keyring
        if keyring is None:
            return self._secured(theirs, None, is_client=False)
        message = yield KEY_ID_BYTES + PROOF_BYTES
        key_id, proof = message[:KEY_ID_BYTES], message[KEY_ID_BYTES:]
        self._transcript += key_id
        if key_id not in keyring:
            raise WireError(
                "key",
                f"node {theirs.name!r} proves the key {key_id.hex()}, which is none of those that"
                " this node accepts; add it here, or change the first one there",
            )
        if not keyring.proves(key_id, CLIENT_PROOF + self._transcript, proof):
            raise WireError(
                "proof",
                f"node {theirs.name!r} gives a wrong proof for the key {key_id.hex()}: it does not"
                " have it, or somebody on the way has changed bytes",
            )
        self._transcript += proof
        self._say(keyring.prove(key_id, SERVER_PROOF + self._transcript))
        return self._secured(theirs, key_id, is_client=False)

    def _why_closed(self) -> str:
        return (
            f"the peer closed the connection with {len(self._received)} of the next"
            f" {self._needed} bytes sent; if it has sent its hello, it has refused this node's"
        )
