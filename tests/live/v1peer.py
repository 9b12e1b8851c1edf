"""Version 1 spoken by hand: a server and a client of plain sockets, as existing nodes have them.

Written from the page that specifies the bytes and sharing no code with `iris.mesh`, so that a
test with them shows that a foreign node and ours understand each other. All of it runs on real
threads and blocking sockets, in a process patched by gevent too: a peer is another process as far
as its test can tell.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, Optional

from gevent import monkey

from iris.run.native import allocate_lock, start_thread

_Socket: Any = monkey.get_original("socket", "socket")

PATIENCE_S = 60.0
"""How long a client waits for the node, before its test fails."""


class _Line:
    """One open connection."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        self._lock = allocate_lock()
        self._held: Optional[bytes] = None
        # None: everything is sent at once. Else what is to be sent later.

    def take(self, size: int) -> bytes:
        """So many bytes, or fewer when the other side has closed."""
        data = b""
        while len(data) < size:
            try:
                more = self._plain.recv(min(size - len(data), 65536))
            except ConnectionError:
                more = b""
            if not more:
                break
            data += more
        return data

    def put(self, data: bytes) -> None:
        """Send, or keep in the order of the calls."""
        with self._lock:
            if self._held is not None:
                self._held += data
            else:
                self._send(data)

    def hold(self) -> None:
        """Send nothing until `let_go`."""
        with self._lock:
            if self._held is None:
                self._held = b""

    def let_go(self) -> None:
        """Send what was held, and at once from now on."""
        with self._lock:
            held, self._held = self._held, None
            self._send(held or b"")

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # The other side has closed, which `take` tells.
            self._plain.sendall(data)

    def end(self) -> None:
        """Let both directions end, from any thread; whoever reads sees the end."""
        with suppress(OSError):  # It has ended by itself.
            self._plain.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back; only the thread that reads may do this."""
        self._plain.close()


class V1Peer(AbstractContextManager["V1Peer"]):
    """A node of version 1 that answers questions for names and records what it is sent.

    It listens from its construction to `stop`. All fields may be read and set from any thread
    while it runs.

    Args:
        names: the pid of each name; others are answered by 0.
        port: where to listen; 0 takes a free one.
    """

    def __init__(self, names: Optional[Mapping[str, int]] = None, port: int = 0) -> None:
        self.names = dict(names or {})
        self.messages: list[tuple[int, bytes]] = []
        """User messages in the order in which they came, as (pid, payload)."""
        self.asked: list[str] = []
        """Names that were asked for, in their order."""
        self.pings = 0
        """Pings that came."""
        self.connections = 0
        """Connections that were ever opened."""
        self.faults: list[str] = []
        """What came that is not version 1."""
        self.close_after_each = False
        """Whether a connection is closed after each answer."""
        self.garbage: Optional[bytes] = None
        """What is sent in place of every answer, if anything is."""
        self._holding = False
        self._stopped = False
        self._lock = allocate_lock()
        self._lines: list[_Line] = []
        # Invariant: under the lock, with `_holding`: each line holds if and only if it is true.
        self._listener = _Socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(64)
        self.host, self.port = self._listener.getsockname()
        self.address = f"{self.host}:{self.port}"
        start_thread(self._accept)

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._lines)

    def hold(self) -> None:
        """Hold back all answers and pongs, in their order, until `let_go`."""
        with self._lock:
            self._holding = True
            for line in self._lines:
                line.hold()

    def let_go(self) -> None:
        """Send what was held back, and answer at once from now on."""
        with self._lock:
            self._holding = False
            for line in self._lines:
                line.let_go()

    def cut(self) -> None:
        """Close all connections, and go on listening."""
        with self._lock:
            for line in self._lines:
                line.end()

    def stop(self) -> None:
        """Close all and listen no more; the port is free when this returns. May be called again."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        with _Socket(socket.AF_INET, socket.SOCK_STREAM) as knock:
            # Nothing else ends an `accept` of another thread on every system.
            knock.settimeout(PATIENCE_S)
            try:
                knock.connect((self.host, self.port))
                assert knock.recv(1) == b""
            except ConnectionError:
                pass  # Somebody else has connected at this moment, and the door is shut already.
        self.cut()

    def _accept(self) -> None:
        while True:
            # Not `accept`, which would make a socket of gevent in a patched process.
            descriptor, _ = self._listener._accept()
            plain = _Socket(fileno=descriptor)
            plain.setblocking(True)
            line = _Line(plain)
            with self._lock:
                stopped = self._stopped
                if not stopped:
                    self._lines.append(line)
                    self.connections += 1
                    if self._holding:
                        line.hold()
            if stopped:
                self._listener.close()
                line.close()
                return
            start_thread(lambda line=line: self._serve(line))  # type: ignore[misc]

    def _serve(self, line: _Line) -> None:
        try:
            fault = self._talk(line)
            if fault:
                self.faults.append(fault)
        finally:
            with self._lock:
                self._lines.remove(line)
            line.close()

    def _talk(self, line: _Line) -> str:
        """Read a connection to its end; what was wrong with it, if anything was."""
        version = line.take(1)
        if version != b"\x01":
            return f"the version is {version!r}" if version else ""
        while True:
            kind = line.take(1)
            if not kind:
                return ""
            if kind == b"\x00":
                header = line.take(12)
                size = int.from_bytes(header[8:], "big")
                payload = line.take(size)
                if len(header) < 12 or len(payload) < size:
                    return "a message ends too soon"
                self.messages.append((int.from_bytes(header[:8], "big"), payload))
            elif kind == b"\x01":
                length = line.take(4)
                size = int.from_bytes(length, "big")
                name = line.take(size)
                if len(length) < 4 or len(name) < size:
                    return "a name ends too soon"
                try:
                    text = name.decode()
                except UnicodeDecodeError:
                    return f"the name {name!r} is not UTF-8"
                self.asked.append(text)
                self._answer(line, self.names.get(text, 0).to_bytes(8, "big"))
            elif kind == b"\x02":
                self.pings += 1
                self._answer(line, b"\x03")
            elif kind != b"\x03":
                return f"a frame has the type {kind!r}"

    def _answer(self, line: _Line, answer: bytes) -> None:
        line.put(answer if self.garbage is None else self.garbage)
        if self.close_after_each:
            line.end()


class V1Client(AbstractContextManager["V1Client"]):
    """One connection to a node, kept open; every call blocks until it is done.

    Args:
        plain: a connected socket, which then belongs to the client.
    """

    def __init__(self, plain: Any) -> None:
        plain.settimeout(PATIENCE_S)
        self._line = _Line(plain)
        self.raw(b"\x01")

    def __exit__(self, *error: object) -> None:
        self.close()

    def raw(self, data: bytes) -> None:
        """Send any bytes."""
        self._line.put(data)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer when the node has closed the connection."""
        return self._line.take(size)

    def is_closed(self) -> bool:
        """Wait for the end of the connection; False when bytes come instead."""
        return self.read(1) == b""

    def resolve(self, name: str) -> int:
        """The pid of a name, 0 when the node does not know it."""
        encoded = name.encode()
        self.raw(b"\x01" + len(encoded).to_bytes(4, "big") + encoded)
        answer = self.read(8)
        assert len(answer) == 8, f"the answer to {name!r} is {answer!r}"
        return int.from_bytes(answer, "big")

    def send(self, pid: int, payload: bytes) -> None:
        """A user message."""
        self.raw(b"\x00" + pid.to_bytes(8, "big") + len(payload).to_bytes(4, "big") + payload)

    def ping(self) -> None:
        """A ping and its answer."""
        self.raw(b"\x02")
        answer = self.read(1)
        assert answer == b"\x03", f"the answer to a ping is {answer!r}"

    def close(self) -> None:
        """Close the connection. May be called again."""
        self._line.close()


def v1_client(host: str, port: int) -> V1Client:
    """Connect to a node and say the version."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    plain = _Socket(family, socket.SOCK_STREAM)
    try:
        plain.settimeout(PATIENCE_S)
        plain.connect((host, port))
    except OSError:
        plain.close()
        raise
    return V1Client(plain)


# Some existing nodes open a connection for each request.


def v1_resolve(host: str, port: int, name: str) -> int:
    """Ask for a name on a connection of its own."""
    with v1_client(host, port) as client:
        return client.resolve(name)


def v1_send(host: str, port: int, pid: int, payload: bytes) -> None:
    """Send a user message on a connection of its own, which is closed right after it."""
    with v1_client(host, port) as client:
        client.send(pid, payload)


def v1_ping(host: str, port: int) -> None:
    """Ping on a connection of its own."""
    with v1_client(host, port) as client:
        client.ping()
