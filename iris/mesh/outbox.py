"""The outbox: all messages for one node of version 1, on one connection that is opened on need.

It takes them out of the lanes of the proxies in turn, a chunk at a time, and writes the next chunk
when the system has taken the one before; so it is known at any moment which frames have gone out
whole. That is their fate `forwarded`: version 1 says nothing of what became of them. Frames that a
break has cut cannot have been handled, and go first on the next connection.
"""

from __future__ import annotations

import errno
from collections import deque
from itertools import accumulate
from typing import Any, Callable, Optional, Protocol, Union

from iris.core.tally import Counter
from iris.mesh.proxy import Jam, Proxy, weight
from iris.mesh.streams import Driver, Receiver, Stream
from iris.mesh.wire import USER_HEADER, VERSION_1, Address

CHUNK_BYTES = 64 * 1024
"""Written at once: larger chunks were measured to gain nothing, and wait longer in the system."""

CHUNKS_AT_ONCE = 16
"""Chunks written before other connections have their turn."""

WAITING_MOST = 16_384
WAITING_BYTES_MOST = 16 << 20
"""What may wait for one node while the network takes no more: enough that a sender and a receiver
of the same speed do not stop each other, and no more than some seconds of a slow network."""

BARREN_MOST = 2
"""Connections in a row that the other side has ended before anything went out on them."""


class Owner(Protocol):
    """What the outbox needs of its peer."""

    @property
    def address(self) -> Address: ...
    def unreachable(self, error: Exception) -> None: ...


class Outbox:
    """The messages of one peer. In the hub of the mesh, but for `signal`.

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
        self._lock = lock
        self._forwarded = forwarded
        self._lost = lost
        self._io_timeout_s = io_timeout_s
        self._ready: deque[Proxy] = deque()
        # Proxies with something to be taken. Any thread appends, the mesh takes.
        self.proxies: dict[int, Proxy] = {}
        # By the pid that they have at the peer. Written under the table lock.
        self._stream: Optional[Stream] = None
        self._attempt: Any = None
        self._head = b""
        # What stands before the first frame of the chunk: the version byte, once a connection.
        self._frames: list[bytes] = []
        # The chunk that was written and not taken whole, or that goes first when there is a
        # connection again.
        self._barren = 0
        self._jam: Optional[Jam] = None
        # The door in the cells of the proxies, while it is there.
        self._run: Callable[[], None] = self.run

    # -- from any thread -------------------------------------------------------------------

    def signal(self, proxy: Proxy) -> None:
        """See `iris.mesh.proxy.Outbox`."""
        if proxy.cell.special:
            # A stop waits neither for a connection nor for a network that takes nothing.
            self._driver.post(proxy.look)
        self._ready.append(proxy)
        self._driver.post(self._run)

    @property
    def underway(self) -> int:
        """Messages that were taken out of lanes and have not gone out whole."""
        return len(self._frames)

    # -- proxies ---------------------------------------------------------------------------

    def add(self, proxy: Proxy) -> None:
        """A proxy begins. Under the table lock, from any thread."""
        self.proxies[proxy.remote_pid] = proxy
        if self._jam is not None:
            proxy.cell.admission = self._jam

    def ended(self, proxy: Proxy) -> None:
        """See `iris.mesh.proxy.Outbox`."""
        with self._lock:
            if self.proxies.get(proxy.remote_pid) is proxy:
                del self.proxies[proxy.remote_pid]

    # -- writing ---------------------------------------------------------------------------

    def run(self) -> None:
        """Write what can be written now."""
        ready = self._ready
        while ready and ready[0].is_over:
            ready.popleft()
        if not (ready or self._frames):
            self._unblock()
            return
        stream = self._stream
        if stream is None:
            self._connect()
            self._block()
        elif not stream.unsent:
            self._write(stream)

    def _write(self, stream: Stream) -> None:
        for _ in range(CHUNKS_AT_ONCE):
            if not (self._frames or self._gather()):
                break
            stream.write(self._head + b"".join(self._frames))
            if stream.unsent:
                self._block()
                return
            self._sent(len(self._frames))
        # Copied in one step: others append meanwhile.
        ready = list(self._ready)
        if not ready:
            self._unblock()
            return
        if sum(len(proxy.cell.user) for proxy in ready) > WAITING_MOST // 2:
            # Senders are faster than this.
            self._block()
        self._driver.post(self._run)

    def _gather(self) -> bool:
        """Fill a chunk from the lanes of the proxies in turn; False when there is nothing."""
        ready, frames = self._ready, self._frames
        size = 0
        for _ in range(len(ready)):
            if size >= CHUNK_BYTES:
                break
            proxy = ready.popleft()
            before = len(frames)
            taken = proxy.take(frames, CHUNK_BYTES - size)
            size += taken
            if self._jam is not None:
                amount = len(frames) - before
                self._jam.taken(amount, taken - amount * USER_HEADER.size)
            if proxy.has_more():
                ready.append(proxy)
        return bool(frames)

    def _sent(self, amount: int) -> None:
        """The first frames of the chunk have gone out whole."""
        if amount:
            self._forwarded.add_many(amount)
            del self._frames[:amount]
            self._barren = 0
        self._head = b""

    def _block(self) -> None:
        """Put the door in: until all is written, what is sent is counted and may be refused."""
        if self._jam is not None:
            return
        with self._lock:
            jam = self._jam = Jam(self._lock, WAITING_MOST, WAITING_BYTES_MOST)
            messages = size = 0
            for proxy in self.proxies.values():
                cell = proxy.cell
                if cell.admission is None:
                    cell.admission = jam
                for lane in (cell.user, cell.rest or ()):
                    # Copied in one step: others append meanwhile.
                    waiting = list(lane)
                    messages += len(waiting)
                    size += sum(map(weight, waiting))
            jam.count(messages, size)

    def _unblock(self) -> None:
        if self._jam is None:
            return
        with self._lock:
            for proxy in self.proxies.values():
                if proxy.cell.admission is self._jam:
                    proxy.cell.admission = None
            self._jam = None

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
        self._driver.post(self._run)
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
        self._run()

    def lost(self, error: Optional[Exception]) -> None:
        """The connection is over; it is made anew if there is something to send."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        self._sent_in_part(stream)
        self._barren += 1
        if self._barren > BARREN_MOST and (self._frames or self._ready):
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
        self._end_stream()
        amount = len(self._frames)
        self._frames = []
        self._head = b""
        if amount:
            self._lost.add_many(amount)
        self._barren = 0
        # Those who come now find no connection, and no jam that nothing would end.
        self._unblock()

    def _end_stream(self) -> None:
        stream, self._stream = self._stream, None
        attempt, self._attempt = self._attempt, None
        for one in (stream, attempt):
            if one is not None:
                one.close()


def closed_by(address: Address) -> ConnectionResetError:
    """The error of a connection that the other side has ended in good order, and too soon."""
    return ConnectionResetError(errno.ECONNRESET, f"{address} has closed the connection")
