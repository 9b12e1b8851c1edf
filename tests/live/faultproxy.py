"""A network that fails on demand: a proxy between whoever connects to it and a node.

It owns the sockets of both sides and one thread. What goes wrong is set for each direction while it
runs: bytes that are late, changed, cut to pieces, held up, or the last ones. Plain blocking and
polling as in `v1peer`, so that a process patched by gevent can hold one as well.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Optional

from gevent import monkey

from iris.run.native import allocate_lock, start_thread

_Socket: Any = monkey.get_original("socket", "socket")
_poll: Any = monkey.get_original("select", "poll")

LOOK_S = 0.01
"""How soon a change of the faults is seen at the latest."""

PATIENCE_S = 60.0
"""How long the node may take to let the proxy in, and the thread to end."""

HELD_BYTES_MAX = 256 * 1024
"""Held of one direction before the proxy reads no more, as a full network would."""

_RESET = struct.pack("ii", 1, 0)
_READ = select.POLLIN
_WRITE = select.POLLOUT


@dataclass
class Faults:
    """What goes wrong in one direction; offsets and amounts count from the start of a connection.

    Set a field while the proxy runs, and connections that are open obey as well.
    """

    delay_s: float = 0.0
    """How much later each byte is passed on."""

    chops: bool = False
    """Whether each byte is sent by itself."""

    stalls: bool = False
    """Whether nothing is read, so that the sender finds its buffers full."""

    cut_after_bytes: Optional[int] = None
    """Both sides are reset when so many bytes were passed on."""

    end_after_bytes: Optional[int] = None
    """This direction ends when so many bytes were passed on; the other goes on. What still comes
    is read and thrown away."""

    flips: Iterable[int] = ()
    """Offsets of bytes of which one bit is changed."""

    kept: Optional[bytearray] = None
    """Gets all bytes as they came, of all connections."""


class _Way:
    """One direction of one connection."""

    def __init__(self, source: Any, sink: Any, faults: Faults, rng: Random) -> None:
        self.source = source
        self.sink = sink
        self._faults = faults
        self._rng = rng
        self._held: deque[tuple[float, bytes]] = deque()
        # What has been read and not been passed on, with when it is due.
        self._held_bytes = 0
        self._taken = self._passed = 0
        self._ended = False
        # The source has no more.
        self._shut = False
        # The sink knows.

    @property
    def is_over(self) -> bool:
        """Both the source and the sink have seen the end."""
        return self._ended and self._shut

    @property
    def wants_read(self) -> bool:
        """Whether bytes from the source are welcome."""
        is_full = self._held_bytes >= HELD_BYTES_MAX
        return not (self._ended or self._faults.stalls or is_full)

    @property
    def due_s(self) -> Optional[float]:
        """When something is to be passed on; None while there is nothing."""
        return self._held[0][0] if self._held else None

    def read(self, now: float) -> None:
        """Take what has come from the source."""
        try:
            data = bytearray(self.source.recv(65536))
        except BlockingIOError:
            return
        if self._faults.kept is not None:
            self._faults.kept += data
        for offset in self._faults.flips:
            if self._taken <= offset < self._taken + len(data):
                data[offset - self._taken] ^= 1 << self._rng.randrange(8)
        self._taken += len(data)
        self._ended = not data
        if data and not self._shut:
            self._held.append((now + self._faults.delay_s, bytes(data)))
            self._held_bytes += len(data)

    def write(self, now: float) -> None:
        """Pass on what is due; one byte of it where they are chopped.

        Raises:
            ConnectionResetError: it was time to cut.
        """
        faults = self._faults
        while self._held and self._held[0][0] <= now:
            due_s, data = self._held.popleft()
            most = len(data)
            for limit in (faults.cut_after_bytes, faults.end_after_bytes):
                if limit is not None:
                    most = max(0, min(most, limit - self._passed))
            if faults.chops:
                most = min(most, 1)
            sent = 0
            with suppress(BlockingIOError):
                sent = self.sink.send(data[:most]) if most else 0
            self._passed += sent
            self._held_bytes -= sent
            if sent < len(data):
                self._held.appendleft((due_s, data[sent:]))
                break
        if faults.cut_after_bytes is not None and self._passed >= faults.cut_after_bytes:
            raise ConnectionResetError
        is_last = faults.end_after_bytes is not None and self._passed >= faults.end_after_bytes
        if is_last:
            self._held.clear()
            self._held_bytes = 0
        if not self._shut and (is_last or (self._ended and not self._held)):
            self._shut = True
            with suppress(OSError):  # It has gone already.
                self.sink.shutdown(socket.SHUT_WR)


class _Pair:
    """One connection: its two sockets and directions."""

    def __init__(self, client: Any, node: Any, up: Faults, down: Faults, rng: Random) -> None:
        self.ways = (_Way(client, node, up, rng), _Way(node, client, down, rng))
        self.sockets = (client, node)
        for one in self.sockets:
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_over(self) -> bool:
        """Whether both directions have ended."""
        return all(way.is_over for way in self.ways)

    def close(self, resets: bool) -> None:
        """Give both descriptors back."""
        for one in self.sockets:
            if resets:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.close()


class FaultProxy(AbstractContextManager["FaultProxy"]):
    """Listens from its construction to `stop`, and passes everything on to one node.

    The faults may be set from any thread while it runs.

    Args:
        target: the address of the node, "host:port" with a host in numbers.
        seed: of the choice of the bits that are flipped.
    """

    def __init__(self, target: str, seed: int = 0) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.up = Faults()
        """What goes wrong on the way to the node."""
        self.down = Faults()
        """What goes wrong on the way back."""
        self.refuses = False
        """Whether who connects is reset at once."""
        self.connections = 0
        """Connections that were ever passed on."""
        self._rng = Random(seed)
        self._pairs: list[_Pair] = []
        # Changed by the thread only.
        self._cuts = False
        self._stopping = False
        self._ended = allocate_lock()
        self._ended.acquire()
        self._listener = _Socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.host, self.port = self._listener.getsockname()
        self.address = f"{self.host}:{self.port}"
        start_thread(self._run)

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._pairs)

    def cut(self) -> None:
        """Reset all connections soon, and go on listening."""
        self._cuts = True

    def stop(self) -> None:
        """Reset all and listen no more; nothing is left when this returns. May be called again."""
        self._stopping = True
        assert self._ended.acquire(True, PATIENCE_S), "the thread of the proxy hangs"
        self._ended.release()

    # -- on the thread ---------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._pass_on(self._ready())
        finally:
            self._cut_all()
            self._listener.close()
            self._ended.release()

    def _ready(self) -> dict[int, int]:
        """Wait until something can be done, but not for long; what each descriptor is ready for."""
        wanted: dict[int, int] = {self._listener.fileno(): _READ}
        now = time.monotonic()
        wait_s = LOOK_S
        for pair in self._pairs:
            for way in pair.ways:
                if way.wants_read:
                    wanted[way.source.fileno()] = wanted.get(way.source.fileno(), 0) | _READ
                due_s = way.due_s
                if due_s is None:
                    continue
                if due_s <= now:
                    wanted[way.sink.fileno()] = wanted.get(way.sink.fileno(), 0) | _WRITE
                else:
                    wait_s = min(wait_s, due_s - now)
        poll = _poll()
        for descriptor, mask in wanted.items():
            poll.register(descriptor, mask)
        return dict(poll.poll(wait_s * 1000))

    def _pass_on(self, ready: dict[int, int]) -> None:
        if self._cuts:
            self._cuts = False
            self._cut_all()
            return
        now = time.monotonic()
        for pair in list(self._pairs):
            resets = False
            try:
                for way in pair.ways:
                    if way.wants_read and ready.get(way.source.fileno()):
                        way.read(now)
                    way.write(now)
            except ConnectionError:
                resets = True
            if resets or pair.is_over:
                self._pairs.remove(pair)
                pair.close(resets)
        if ready.get(self._listener.fileno()):
            self._let_in()

    def _let_in(self) -> None:
        # Not `accept`, which would make a socket of gevent in a patched process.
        client = _Socket(fileno=self._listener._accept()[0])
        node = _Socket(socket.AF_INET, socket.SOCK_STREAM)
        pair = _Pair(client, node, self.up, self.down, self._rng)
        try:
            if self.refuses:
                raise ConnectionRefusedError
            node.settimeout(PATIENCE_S)
            node.connect(self._target)
            node.setblocking(False)
        except OSError:
            pair.close(resets=True)
            return
        self._pairs.append(pair)
        self.connections += 1

    def _cut_all(self) -> None:
        for pair in self._pairs:
            pair.close(resets=True)
        self._pairs.clear()
