"""A node to be attacked, and the plain sockets that attack it.

The sockets are those of the C module, which gevent never patches: a hostile peer is another
process as far as its node can tell.
"""

from __future__ import annotations

import _socket
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

import iris
from iris.run.native import allocate_lock, start_thread

PATIENCE_S = 60.0
"""How long a socket waits for the node, before its test fails."""

RESET = struct.pack("ii", 1, 0)


class Node(AbstractContextManager["Node"]):
    """A runtime that listens, with an actor named "inbox" that keeps what it gets.

    Args:
        options: of the runtime.
    """

    def __init__(self, **options: Any) -> None:
        self.rt = iris.Runtime(**options)
        self.address: str = self.rt.listen("127.0.0.1:0")
        self.host, _, port = self.address.rpartition(":")
        self.port = int(port)
        self.got: list[bytes] = []
        self.pid = self.rt.spawn(self.got.append)
        self.rt.register("inbox", self.pid)

    def __exit__(self, *error: object) -> None:
        self.rt.shutdown(20)

    def connect(self) -> Any:
        """A plain socket that is connected to it and has said nothing."""
        return connect(self.address)


def connect(address: str) -> Any:
    """A plain socket, connected."""
    host, _, port = address.rpartition(":")
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.settimeout(PATIENCE_S)
    sock.connect((host, int(port)))
    return sock


def take(sock: Any, size: int) -> bytes:
    """So many bytes; fewer when the other side has closed."""
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def is_closed(sock: Any) -> bool:
    """Wait for the end of a connection; whatever comes before is thrown away."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def send_all(sock: Any, data: bytes) -> None:
    """Send, whether or not the other side still reads."""
    with suppress(OSError):
        sock.sendall(data)


def reset(sock: Any) -> None:
    """Close so that the other side sees a reset."""
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, RESET)
    sock.close()


def user(pid: int, payload: bytes) -> bytes:
    """The frame of a user message."""
    return b"\x00" + pid.to_bytes(8, "big") + len(payload).to_bytes(4, "big") + payload


def question(name: bytes) -> bytes:
    """The frame that asks for a name."""
    return b"\x01" + len(name).to_bytes(4, "big") + name


class FakeServer(AbstractContextManager["FakeServer"]):
    """Something that listens and is no node.

    Args:
        serve: called with each connection, on a thread of its own; the socket is closed after it.
    """

    def __init__(self, serve: Callable[[Any], object]) -> None:
        self._serve = serve
        self._open: list[Any] = []
        self._lock = allocate_lock()
        self._stopped = False
        self._listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        start_thread(self._accept)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._stopped = True
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(_socket.SHUT_RDWR)
        with suppress(ConnectionError):
            # Ends the `accept`, unless somebody else has just done so.
            connect(self.address).close()

    def _accept(self) -> None:
        while True:
            descriptor, _ = self._listener._accept()
            sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, descriptor)
            sock.settimeout(PATIENCE_S)
            with self._lock:
                if self._stopped:
                    sock.close()
                    self._listener.close()
                    return
                self._open.append(sock)
            start_thread(lambda sock=sock: self._run(sock))  # type: ignore[misc]

    def _run(self, sock: Any) -> None:
        try:
            with suppress(OSError):
                self._serve(sock)
        finally:
            with self._lock:
                self._open.remove(sock)
                sock.close()


class Watcher:
    """An actor that keeps the system messages it gets."""

    def __init__(self, rt: Any) -> None:
        self.messages: list[Any] = []
        self.pid = rt.spawn(self.messages.append, trap_exit=True)

    def of(self, kind: str) -> list[Any]:
        """Those of one type."""
        return [one for one in list(self.messages) if one.type_name == kind]


def found(rt: Any, address: str, name: str) -> Any:
    """The proxy of an actor, or None while its node cannot be reached."""
    try:
        return rt.resolve_remote(address, name)
    except iris.NodeUnreachable:
        return None


def state_of(rt: Any, address: str) -> str:
    """What is thought of a node."""
    (state,) = [str(one.state) for one in rt.nodes() if one.address == address]
    return state


def fates_add_up(rt: Any) -> bool:
    """Whether each message that was sent has one fate; to be asked when all is quiet."""
    assert rt.quiesce(PATIENCE_S)
    stats = rt.stats()
    sent = ("accepted", "refused", "undeliverable", "redirected")
    accepted = (
        "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost", "queued",
        "running",
    )  # fmt: skip
    assert stats["sent"] == sum(stats[name] for name in sent), stats
    assert stats["accepted"] == sum(stats[name] for name in accepted), stats
    return True
