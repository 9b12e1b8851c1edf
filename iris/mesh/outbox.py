"""The outbox: all messages for one node of version 1, on one connection that is opened on need.

It takes them out of the lanes of the proxies in turn, a chunk at a time, and writes the next chunk
when the system has taken the one before; so it is known at any moment which frames have gone out
whole. That is their fate `forwarded`: version 1 says nothing of what became of them. Frames that a
break has cut cannot have been handled, and go first on the next connection.
"""

from __future__ import annotations

import errno
from itertools import accumulate
from typing import Any, Callable, Optional, Protocol, Union

from iris.core.cell import ActorCell
from iris.core.messages import Ending, ExitReason, Request
from iris.core.tally import Counter
from iris.errors import ActorError
from iris.mesh.backlog import Backlog
from iris.mesh.proxy import Proxy
from iris.mesh.streams import Driver, Receiver, Stream
from iris.mesh.wire import VERSION_1, Address, pack_user

CHUNK_BYTES = 64 * 1024
"""Written at once: larger chunks were measured to gain nothing, and wait longer in the system."""

CHUNKS_AT_ONCE = 16
"""Chunks written before other connections have their turn."""

BARREN_MOST = 2
"""Connections in a row that the other side has ended before anything went out on them."""

RequestStop = Callable[[ActorCell, Ending], bool]


class PlainDialect:
    """What version 1 is able to do: bytes, and nothing else; see `iris.mesh.proxy.Dialect`."""

    def __init__(self, payload_bytes: int, request_stop: RequestStop) -> None:
        self.payload_bytes = payload_bytes
        self._request_stop = request_stop

    def encode(self, data: Any) -> bytes:
        """Refuse what is not bytes."""
        if not isinstance(data, bytes):
            raise TypeError(
                "only bytes can be sent to an actor on another node by version 1 of the protocol,"
                f" not {type(data).__name__}; encode it first, for example with"
                " iris.serialize_args, or give both nodes a cluster_key"
            )
        return data

    def encode_question(self, pid: int, data: Any) -> bytes:  # noqa: ARG002  # The protocol.
        """Refuse it."""
        raise ActorError(
            f"actor {pid} stands for one on another node, and version 1 of the protocol has no"
            " questions; give both nodes a cluster_key, or send a message that says whom to answer"
        )

    def withdrawn(self, proxy: Proxy, request: Request) -> None:
        """There are none."""

    def linked(self, proxy: Proxy, other: ActorCell) -> None:
        """The other node does not come to know."""

    def unlinked(self, proxy: Proxy, other: ActorCell) -> None:
        """Nor this."""

    def partner_ended(self, proxy: Proxy, partner: ActorCell, ending: Ending) -> None:
        """The proxy ends with it, as an actor that receives no system messages."""
        if ending.reason is not ExitReason.NORMAL:
            self._request_stop(proxy.cell, Ending(ending.reason, partner.pid))


class Owner(Protocol):
    """What the outbox needs of its peer."""

    @property
    def address(self) -> Address: ...
    def unreachable(self, error: Exception) -> None: ...


class Outbox:
    """The messages of one peer. In the hub of the mesh.

    Args:
        owner: told when the peer cannot be reached.
        lock: the table lock.
        forwarded, lost: counters.
        io_timeout_s: what a connection may take to be made.
    """

    def __init__(
        self,
        owner: Owner,
        driver: Driver,
        lock: Any,
        forwarded: Counter,
        lost: Counter,
        io_timeout_s: float,
    ) -> None:
        self._owner = owner
        self._driver = driver
        self._forwarded = forwarded
        self._lost = lost
        self._io_timeout_s = io_timeout_s
        self.backlog = Backlog(driver, lock, self.run)
        self._stream: Optional[Stream] = None
        self._attempt: Any = None
        self._head = b""
        # What stands before the first frame of the chunk: the version byte, once a connection.
        self._frames: list[bytes] = []
        # The chunk that was written and not taken whole, or that goes first when there is a
        # connection again.
        self._barren = 0

    @property
    def underway(self) -> int:
        """Messages that were taken out of lanes and have not gone out whole. From any thread."""
        return len(self._frames)

    def run(self) -> None:
        """Write what can be written now."""
        # Nothing has to be said of a proxy before its first message.
        self.backlog.fresh.clear()
        if self.backlog.is_empty() and not self._frames:
            self.backlog.unblock()
            return
        stream = self._stream
        if stream is None:
            self._connect()
            self.backlog.block()
        elif not stream.unsent:
            self._write(stream)

    def _write(self, stream: Stream) -> None:
        backlog = self.backlog
        for _ in range(CHUNKS_AT_ONCE):
            if not (self._frames or self._gather()):
                break
            stream.write(self._head + b"".join(self._frames))
            if stream.unsent:
                backlog.block()
                return
            self._sent(len(self._frames))
        if not backlog.ready:
            backlog.unblock()
            return
        if backlog.is_crowded():
            # Senders are faster than this.
            backlog.block()
        self._driver.post(self.run)

    def _gather(self) -> bool:
        """Fill a chunk from the lanes of the proxies in turn; False when there is nothing."""
        backlog, frames = self.backlog, self._frames
        size = 0
        for _ in range(len(backlog.ready)):
            if size >= CHUNK_BYTES:
                break
            proxy = backlog.ready.popleft()
            pid = proxy.remote_pid
            more = [pack_user(pid, item) for item in backlog.take(proxy, CHUNK_BYTES - size)]
            size += sum(map(len, more))
            frames += more
        return bool(frames)

    def _sent(self, amount: int) -> None:
        """The first frames of the chunk have gone out whole."""
        if amount:
            self._forwarded.add_many(amount)
            del self._frames[:amount]
            self._barren = 0
        self._head = b""

    # -- the connection --------------------------------------------------------------------

    def _connect(self) -> None:
        if self._attempt is None:
            host, port = self._owner.address
            self._attempt = self._driver.connect(host, port, self._io_timeout_s, self._connected)

    def _connected(self, outcome: Union[Stream, Exception]) -> Optional[Receiver]:
        self._attempt = None
        if isinstance(outcome, Exception):
            self._owner.unreachable(outcome)
            return None
        self._stream = outcome
        self._head = bytes([VERSION_1])
        self._driver.post(self.run)
        return self

    def received(self, data: bytes) -> None:
        """Nothing is answered to messages, so a peer that sends something is not understood."""
        assert self._stream is not None
        self._stream.close()
        wrong = f"{len(data)} bytes came from {self._owner.address} that answer no question"
        self.lost(ConnectionResetError(errno.EPROTO, wrong))

    def drained(self) -> None:
        """The chunk has gone out whole."""
        self._sent(len(self._frames))
        self.run()

    def lost(self, error: Optional[Exception]) -> None:
        """The connection is over; it is made anew if there is something to send."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        self._sent_in_part(stream)
        self._barren += 1
        if self._barren > BARREN_MOST and (self._frames or self.backlog.ready):
            self._owner.unreachable(error or closed_by(self._owner.address))
        else:
            self.run()

    def _sent_in_part(self, stream: Stream) -> None:
        """This stream is over, perhaps in the middle of a chunk."""
        whole = 0
        if stream.unsent:
            # Else what is in the chunk was never written.
            cut = len(self._head) + sum(map(len, self._frames)) - stream.unsent
            ends = accumulate(map(len, self._frames), initial=len(self._head))
            whole = sum(end <= cut for end in ends) - 1
        self._sent(max(whole, 0))

    def drop(self) -> None:
        """The peer is down: close, and lose what has not gone out."""
        if self._stream is not None:
            self._sent_in_part(self._stream)
        stream, self._stream = self._stream, None
        attempt, self._attempt = self._attempt, None
        for one in (stream, attempt):
            if one is not None:
                one.close()
        self._lost.add_many(len(self._frames))
        self._frames = []
        self._head = b""
        self._barren = 0
        # Those who come now find no connection, and no door that nothing would open.
        self.backlog.unblock()

    def leave(self) -> None:
        """This node stops, for which version 1 has no word."""


def closed_by(address: Address) -> ConnectionResetError:
    """The error of a connection that the other side has ended in good order, and too soon."""
    return ConnectionResetError(errno.ECONNRESET, f"{address} has closed the connection")
