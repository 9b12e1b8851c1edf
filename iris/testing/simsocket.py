"""The sockets of a simulated network: bytes in memory that travel in virtual time.

They behave as those of Linux do and have the methods that `iris.mesh.link` calls; the streams on
top are the real ones. A connection is two wires, one each way. What a program has written and
nobody has read yet is bounded; whoever reads sends credit back. The kernel of a host runs also
while its programs are frozen. Over 300 lines, because it is one state machine.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import Any, Optional, Protocol

from iris.run.simworld import Call
from iris.testing.simpaths import Paths
from iris.testing.simwire import Kind, Wire

BACKLOG_MOST = 1024
"""Connections that wait to be accepted; whoever comes then has to knock again."""

KNOCKS_MOST = 6
"""How often a connection is tried again, after 1, 2, 4 ... seconds: the default of Linux."""

ANYWHERE = "0.0.0.0"


class Machine(Protocol):
    """The host of a socket."""

    name: str
    ip: str
    paths: Paths
    sockets: dict[int, SimSocket]
    """By descriptor, those of all its programs."""
    doors: dict[tuple[str, int], SimSocket]

    def new_port(self) -> int:
        """One that nobody has."""

    def new_descriptor(self) -> int:
        """A number that no socket had before."""

    def reach(self, ip: str) -> Optional[Machine]:
        """The host that has the address, seen from here."""

    def door(self, ip: str, port: int) -> Optional[SimSocket]:
        """Who listens there."""


class Watched(Protocol):
    """Who waits for a socket to be ready."""

    def look(self) -> None:
        """It may have become so, or not be it any more."""


class SimSocket:
    """A socket: new, then listening or connecting, then connected; what is not said is refused."""

    family = 2

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.address = ("", 0)
        self.peer: Optional[SimSocket] = None
        self.out: Optional[Wire] = None
        # Both from when the other side has heard of us.
        self.watchers: list[Watched] = []
        self.backlog: Optional[deque[SimSocket]] = None
        # None unless it listens.
        self.is_half_closed = False
        # Whether somebody between the hosts has ended our way to the other side.
        self.is_reset = False
        self._untold = 0
        # The error of a reset, which the first call that meets it raises, and no other.
        self.is_closed = False
        self._descriptor = machine.new_descriptor()
        self._inbox = bytearray()
        self._in_use = 0
        # Bytes written and not read yet by the other side, as far as is known here.
        self._is_connecting = False
        self._failure = 0
        self._is_ended = False
        # The other side sends no more.
        self._is_shut = False
        # We send no more.
        machine.sockets[self._descriptor] = self

    # -- as a socket of the C module -------------------------------------------------------

    def fileno(self) -> int:
        return self._descriptor

    def getsockname(self) -> tuple[str, int]:
        return self.address

    def setsockopt(self, *_: int) -> None:
        """Nothing that we set makes a difference here."""

    def getsockopt(self, *_: int) -> int:
        """SO_ERROR: why the connection could not be made, 0 when it was."""
        return self._failure

    def bind(self, address: tuple[str, int]) -> None:
        ip, port = address
        machine = self.machine
        if ip != ANYWHERE and machine.reach(ip) is not machine:
            raise OSError(errno.EADDRNOTAVAIL, f"host {machine.name!r} has no address {ip}")
        port = port or machine.new_port()
        if any(
            other == port and (ip == there or ANYWHERE in (ip, there))
            for there, other in machine.doors
        ):
            raise OSError(errno.EADDRINUSE, f"{machine.name}:{port} is in use")
        self.address = (ip, port)

    def listen(self, _: int) -> None:
        self.backlog = deque()
        self.machine.doors[self.address] = self
        self.machine.paths.note("listen", self.label)

    def connect_ex(self, address: tuple[str, int]) -> int:
        machine = self.machine
        target = machine.reach(address[0])
        is_loopback = target is machine and address[0] != machine.ip
        self.address = (address[0] if is_loopback else machine.ip, machine.new_port())
        self._is_connecting = True
        if target is not None:
            self._knock(target, address, 0)
        # Else whatever we send vanishes, and the caller's timer tells.
        return errno.EINPROGRESS

    def send(self, data: Any) -> int:
        if self.is_closed:
            # Its program was killed and a test still writes: that goes nowhere.
            return len(data)
        self._tell_error()
        if self.is_reset or self._is_shut:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        assert self.out is not None
        if self.is_half_closed:
            # It is not our other side that has ended this, so it says so.
            assert self.peer is not None
            assert self.peer.out is not None
            self.peer.out.send(Kind.RESET)
            return len(data)
        taken = bytes(data[: self.machine.paths.buffer_bytes - self._in_use])
        if not taken:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        self._in_use += len(taken)
        self.out.send_bytes(taken)
        return len(taken)

    def recv_into(self, buffer: memoryview) -> int:
        inbox = self._inbox
        if inbox:
            count = self.machine.paths.piece(min(len(buffer), len(inbox)))
            buffer[:count] = inbox[:count]
            del inbox[:count]
            assert self.out is not None
            self.out.send(Kind.CREDIT, count)
            return count
        if not self._is_ended:
            # Else a reset that came after the end is not told.
            self._tell_error()
        if self._is_ended or self.is_reset:
            return 0
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    def shutdown(self, _: int) -> None:
        if self.is_closed:
            return
        if self.is_reset:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        if not self._is_shut:
            self._is_shut = True
            assert self.out is not None
            self.out.send(Kind.END)

    def close(self) -> None:
        self._leave(is_abort=False)

    # -- what else the host does with it -----------------------------------------------------

    def end_way(self) -> None:
        """Somebody between the hosts ends our way to the other side."""
        self.is_half_closed = True
        assert self.out is not None
        self.out.send(Kind.END)

    @property
    def label(self) -> str:
        """In the record."""
        return f"{self.machine.name}:{self.address[1]}"

    def abort(self) -> None:
        """Close so that the other side finds it reset."""
        self._leave(is_abort=True)

    def accept(self) -> tuple[SimSocket, tuple[str, int]]:
        """Who is next in the backlog."""
        if not self.backlog:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        sock = self.backlog.popleft()
        assert sock.peer is not None
        return sock, sock.peer.address

    def is_readable(self) -> bool:
        """Whether reading, or accepting, gives something at once."""
        if self.backlog is not None:
            return bool(self.backlog)
        return bool(self._inbox) or self._is_ended or self.is_reset

    def is_writable(self) -> bool:
        """Whether writing does, or it is known what has become of connecting."""
        if self._is_connecting:
            return False
        return self._in_use < self.machine.paths.buffer_bytes or self.is_reset

    def arrive(self, kind: Kind, what: Any) -> None:
        """Something has come on the wire."""
        if self.is_closed or self.is_reset:
            if self.is_closed and kind in (Kind.DATA, Kind.OPEN) and self.out is not None:
                self.out.tear()
                self.out.send(Kind.RESET)
            return
        if kind is Kind.CREDIT:
            self._in_use -= what
        elif kind is Kind.DATA:
            self._inbox += what
            self._note("bytes", len(what))
        elif kind is Kind.OPEN:
            self._is_connecting = False
        elif kind is Kind.END:
            self._is_ended = True
            self._note("end")
        else:
            self.reset()
            return
        self._tell()

    def reset(self) -> None:
        """The connection is no more."""
        if self.is_closed or self.is_reset:
            return
        self._note("reset")
        self.is_reset = True
        self._untold = errno.EPIPE if self._is_ended else errno.ECONNRESET
        if self.out is not None:
            self.out.clear()
        self._tell()

    def _leave(self, is_abort: bool) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        del self.machine.sockets[self._descriptor]
        if self.backlog is not None:
            del self.machine.doors[self.address]
            for one in self.backlog:
                one.abort()
        elif self.out is not None and not self.is_reset and not self._is_connecting:
            if is_abort or self._inbox:
                self.out.tear()
                self.out.send(Kind.RESET)
            elif not self._is_shut:
                self.out.send(Kind.END)
        self._inbox.clear()

    def _knock(self, target: Machine, address: tuple[str, int], tries: int) -> None:
        paths, here, there = self.machine.paths, self.machine.name, target.name

        def knocked() -> None:
            if self.is_closed:
                return
            door = target.door(*address)
            is_full = (
                door is not None
                and door.backlog is not None
                and len(door.backlog) >= BACKLOG_MOST
            )
            if is_full or paths.is_blocked(here, there) or paths.is_blocked(there, here):
                if tries < KNOCKS_MOST:
                    again = Call(lambda: self._knock(target, address, tries + 1))
                    paths.world.add(2.0**tries, again)
                else:
                    self._fail(errno.ETIMEDOUT)
            elif door is None or door.backlog is None:
                paths.note("refuse", self.label, f"{there}:{address[1]}")
                delay_s = paths.delay_s(there, here)
                refused = Call(lambda: self._fail(errno.ECONNREFUSED))
                paths.world.add(delay_s, refused, paths.luck())
            else:
                self._enter(target, address, door)

        if not self.is_closed:
            paths.world.add(paths.delay_s(here, there), Call(knocked), paths.luck())

    def _enter(self, target: Machine, address: tuple[str, int], door: SimSocket) -> None:
        other = SimSocket(target)
        other.address = address
        other.peer, self.peer = self, other
        here, there = self.machine.name, target.name
        self.out = Wire(target.paths, (here, there), other)
        other.out = Wire(target.paths, (there, here), self)
        other.out.send(Kind.OPEN)
        self._note("connect")
        assert door.backlog is not None
        door.backlog.append(other)
        door._tell()

    def _fail(self, code: int) -> None:
        if self._is_connecting and not self.is_closed:
            self._is_connecting = False
            self._failure = code
            self._tell()

    def _tell_error(self) -> None:
        code, self._untold = self._untold, 0
        if code:
            # The class is that of the number.
            raise OSError(code, os.strerror(code))

    def _tell(self) -> None:
        for watched in list(self.watchers):
            watched.look()

    def _note(self, what: str, *details: Any) -> None:
        assert self.peer is not None
        self.machine.paths.note(what, self.label, self.peer.label, *details)
