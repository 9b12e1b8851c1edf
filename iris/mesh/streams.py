"""What the mesh needs of a network: streams of bytes, timers, and one thread that all runs on.

Protocols and nothing else. `iris.mesh.link` keeps them with sockets; they stand apart because the
node must know nothing of those, and because its tests may keep them in other ways. Everything here
is called in the hub of the mesh, one call after the other, unless it says "from any thread".
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Protocol, Union


class Timer(Protocol):
    """A call to come."""

    def close(self) -> None:
        """Take it back; no effect when it was made or taken back before."""


class Receiver(Protocol):
    """Who owns a stream. An exception from one of these closes the stream, with `lost`."""

    def received(self, data: bytes) -> None:
        """Bytes have come, at least one, in order."""

    def drained(self) -> None:
        """The system has taken all that was written, and `unsent` is 0 again."""

    def lost(self, error: Optional[Exception]) -> None:
        """The stream is over: the other side has closed it (None), or it failed. The last call.

        Not called after `close`.
        """


class Stream(Protocol):
    """One open connection."""

    peer: str
    """The address of the other side, "host:port"."""

    unsent: int
    """Bytes written that the system has not taken yet."""

    def write(self, data: bytes) -> None:
        """Send bytes. Never blocks and never raises; a failure comes as `lost`, later.

        What the system takes at once is sent at once; then `unsent` is 0 when this returns, and
        `drained` is not called.
        """

    def pause(self) -> None:
        """Read nothing until `resume`, so that the other side is slowed by the network."""

    def resume(self) -> None:
        """Read on."""

    def finish(self) -> None:
        """Close when all that was written is sent, or after a few seconds. Nobody is told."""

    def close(self) -> None:
        """Close now; what is unsent is lost. Nobody is told. May be called again."""


class Listening(Protocol):
    """A door that is open."""

    host: str
    port: int
    """Where it really is; port 0 was asked for by those who want any."""

    def close(self) -> None:
        """Let nobody in any more. Those who are in stay."""


Accepted = Callable[[Stream], Optional[Receiver]]
"""Somebody has connected: gives who owns the stream, or None to have it closed."""

Connected = Callable[[Union[Stream, Exception]], Optional[Receiver]]
"""The outcome of a connection: as `Accepted` for a stream; for an OSError the result is ignored."""

Resolved = Callable[[Union["list[str]", Exception]], Any]
"""The addresses of a host as numbers, or why there are none."""


class Driver(Protocol):
    """The network and the thread of one node."""

    def post(self, call: Callable[[], Any]) -> None:
        """Make the call in the hub soon, in order. From any thread; never blocks."""

    def later(self, delay_s: float, call: Callable[[], Any]) -> Timer:
        """Make the call after some seconds."""

    def now(self) -> float:
        """Monotonic seconds. From any thread."""

    def listen(self, host: str, port: int, accepted: Accepted) -> Listening:
        """Open a door. From any thread; may block to look the host up.

        Raises:
            OSError: it cannot be opened.
        """

    def connect(self, host: str, port: int, timeout_s: float, done: Connected) -> Timer:
        """Connect, looking the host up; `done` is called once, not within this call.

        The result takes the attempt back: `done` is not called then.
        """

    def look_up(self, host: str, done: Resolved) -> None:
        """Find the addresses of a host; `done` is called once, not within this call."""

    def forked(self) -> None:
        """In a forked child: give back what it has inherited, of which the parent knows nothing.

        Else others would see no end of a connection that the parent closes. Takes no lock.
        """

    def stop(self, timeout_s: float) -> None:
        """Close all that is open, wait some seconds at most for the thread. From other threads."""
