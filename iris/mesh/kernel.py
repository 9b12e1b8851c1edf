"""What the driver of the mesh asks of the operating system: sockets, names, threads, a hub, time.

Apart from `iris.mesh.link`, which decides what is done with them, so that a simulation can put a
network of memory under the very code that runs in production. What `Kernel.socket` gives has the
methods of a socket of the C module, which gevent never patches, and no others are called.
"""

from __future__ import annotations

import _socket
import errno
from typing import Any, Callable, Optional, Protocol

from iris.run.clock import monotonic
from iris.run.hub import leave_hub, start_hub_thread
from iris.run.native import start_thread

Entered = Callable[[Any], None]


class Kernel(Protocol):
    """An operating system, or what a program sees of one."""

    now: Callable[[], float]
    """Monotonic seconds."""

    def start_hub(self, entered: Entered) -> Callable[[float], Any]:
        """Run a hub, see `iris.run.hub.start_hub_thread`."""

    def leave_hub(self, hub: Any) -> None:
        """From inside the hub: end it."""

    def start_thread(self, entry: Callable[[], None]) -> None:
        """Run something that may block.

        Raises:
            RuntimeError: there can be no more threads.
        """

    def socket(self, family: int) -> Any:
        """A new stream socket that never blocks."""

    def accept(self, door: Any) -> tuple[Any, Any]:
        """Who is next in a listening socket, with its address."""

    def numbers(self, host: str, port: int) -> list[tuple[int, Any]]:
        """The addresses of a host, each with its family. Blocks unless it is a number already.

        Raises:
            OSError: it has none.
        """

    def parse(self, host: str, port: int) -> Optional[list[tuple[int, Any]]]:
        """The same for a host written as a number, else None. Asks nobody."""


class RealKernel:
    """The one that we run on."""

    def __init__(self) -> None:
        self.now = monotonic
        self.start_thread = start_thread

    def start_hub(self, entered: Entered) -> Callable[[float], Any]:
        """See `Kernel`."""
        return start_hub_thread(entered)

    def leave_hub(self, hub: Any) -> None:
        """See `Kernel`."""
        leave_hub(hub)

    def socket(self, family: int) -> Any:
        """See `Kernel`."""
        return _unblocked(_socket.socket(family, _socket.SOCK_STREAM, 0))

    def accept(self, door: Any) -> tuple[Any, Any]:
        """See `Kernel`."""
        descriptor, address = door._accept()
        return _unblocked(_socket.socket(door.family, _socket.SOCK_STREAM, 0, descriptor)), address

    def numbers(self, host: str, port: int) -> list[tuple[int, Any]]:
        """See `Kernel`."""
        try:
            return _find(host, port, 0)
        except OSError as error:
            raise unknown_host(host, error.errno, error.strerror) from error
        except UnicodeError as error:
            # Too long for a name, for instance.
            raise unknown_host(host, None, str(error)) from error

    def parse(self, host: str, port: int) -> Optional[list[tuple[int, Any]]]:
        """See `Kernel`."""
        try:
            return _find(host, port, _socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return None


def unknown_host(host: str, code: Optional[int], reason: Optional[str]) -> OSError:
    """The error for a host that has no address."""
    return OSError(code or errno.EINVAL, f"host {host!r} is not known: {reason}")


def _unblocked(sock: Any) -> Any:
    sock.setblocking(False)
    return sock


def _find(host: str, port: int, flags: int) -> list[tuple[int, Any]]:
    found = _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM, 0, flags)
    return [(family, address) for family, _, _, _, address in found]
