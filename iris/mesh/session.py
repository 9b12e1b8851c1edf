"""Version 2 of the protocol of the mesh, after the handshake: bytes in, events and bytes out.

One object for each connection, the same on both sides. It puts the parts together: lanes of what
waits, credit in both directions, requests without an answer, frames in fragments. Below it are a
sealer and an opener, which turn records into bytes and back; it refuses to know keys, sockets,
clocks and threads. It never raises because of what a peer does: what is wrong comes as the last
event, `Broken`, after those of all that was right.

A pid of the peer means that pid in the life of the peer with which the handshake was made. Whoever
holds a pid of an earlier life knows so, and does not send it here.
"""

from __future__ import annotations

from typing import Optional, Protocol

from iris.mesh import frames as f
from iris.mesh.arrivals import Arrivals
from iris.mesh.departures import Departures, Fates
from iris.mesh.events import Event, Expired
from iris.mesh.limits import SessionLimits
from iris.mesh.protocol import Broken
from iris.mesh.wire import WireError

GRANT_BYTES = 21
"""Of the frame of a grant; each record has room for one."""


class Sealer(Protocol):
    """Turns records into bytes."""

    def seal(self, plaintext: bytes) -> bytes:
        """The bytes to be written for a record of at most `RECORD_BYTES`."""


class Opener(Protocol):
    """Turns bytes back into records."""

    def receive_data(self, data: bytes, now: float) -> tuple[list[bytes], Optional[WireError]]:
        """The records that these bytes complete, and what is wrong with those after them."""


class SessionV2(Departures):
    """One side of a connection of version 2.

    Called in one thread. Nothing is accepted to be sent after `close`, after a `Broken` and, but
    for answers and ends of actors, after `goodbye`.

    Args:
        sealer: turns each record that is to be sent into bytes.
        opener: turns the bytes that come into records. How long one may take is its affair.
        limits: how much may wait.
        now: monotonic seconds.
    """

    __slots__ = ("_arrivals", "_now", "_opener", "_sealer", "_taking")

    def __init__(self, sealer: Sealer, opener: Opener, limits: SessionLimits, now: float) -> None:
        super().__init__(limits)
        self._sealer = sealer
        self._opener = opener
        self._now = now
        self._arrivals = Arrivals(limits, self, now)
        self._taking = self._arrivals.taking

    # -- bytes in, bytes out -----------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """What these bytes bring. Nothing after a `Broken`.

        Args:
            data: the next bytes of the connection.
            now: when they came, in monotonic seconds.
        """
        events: list[Event] = []
        if not self._open:
            return events
        self._now = now
        records, error = self._opener.receive_data(data, now)
        try:
            for record in records:
                self._arrivals.read(record, events, now)
        except WireError as wrong:
            error = wrong  # It came before what the opener has found.
        if error is None and self.lanes.crowded:
            error = self._unread()
        return events if error is None else self._broken(events, error)

    def data_to_send(self, now: float) -> bytes:
        """The next record that is to be sent, b"" when there is none; each byte is given once.

        What it gives counts as written. So it is called when all that it gave before was taken by
        the system, and again until it gives nothing.
        """
        if not self._open:
            return b""
        if self._withdrawn:
            self._withdraw_from_lanes()
        lanes = self.lanes
        parts: list[bytes] = []
        room = lanes.take_control(f.RECORD_BYTES - GRANT_BYTES, parts)
        if room and lanes.queued:
            spending = self.spending
            size, messages = lanes.take(min(room, spending.left), parts)
            spending.spend(size, messages)
        grant = self._taking.grant(now, bool(parts))
        if grant is not None:
            parts.append(f.pack_pair(f.CREDIT, *grant))
            self._arrivals.moved = now
        if not parts:
            return b""
        return self._sealer.seal(b"".join(parts))

    @property
    def deadline(self) -> Optional[float]:
        """When `check`, and then `data_to_send`, is to be called; None for never.

        Each other call may move it.
        """
        if not self._open:
            return None
        if self.lanes.crowded:
            return self._now
        times = (self.requests.deadline, self._taking.due, self._arrivals.stalled_at)
        return min((at for at in times if at is not None), default=None)

    def check(self, now: float) -> list[Event]:
        """What time brings: requests that expire, a peer that has taken too long."""
        events: list[Event] = []
        if not self._open:
            return events
        self._now = now
        self._taking.ripen(now)
        for number, kind, token in self.requests.expired(now):
            if kind == f.ASK:
                self._withdrawn[number] = None
            events.append(Expired(token))
        if self.lanes.crowded:
            return self._broken(events, self._unread())
        stalled_at = self._arrivals.stalled_at
        if stalled_at is not None and now >= stalled_at:
            return self._broken(events, self._arrivals.stalled())
        return events

    def _unread(self) -> WireError:
        lanes = self.lanes
        return WireError(
            "unread",
            f"{lanes.controls} answers of {lanes.control_bytes} bytes wait for a peer that asks"
            " and does not read",
        )

    def _broken(self, events: list[Event], error: WireError) -> list[Event]:
        events.append(Broken(error))
        self._open = False
        self._arrivals.assembly.drop()
        return events

    def taken(self, size: int, messages: int, now: float) -> None:
        """Messages and questions were handled, or given up: the peer may write as much again.

        Has no effect when the connection is over.

        Args:
            size: what they cost: a question and a message to a name their `cost_bytes`, any other
                message `MESSAGE_BYTES` more than its payload has.
            messages: how many they are.
            now: monotonic seconds.

        Raises:
            InternalError: so many have not come.
        """
        if self._open:
            self._taking.take(size, messages, now)

    def close(self) -> Fates:
        """The connection is over: what has become of what was sent. May be called again."""
        self._open = False
        self._arrivals.assembly.drop()
        queued = self.lanes.queued - self.lanes.replies
        return Fates(self.spending.acknowledged, self.unacknowledged, self._lost + queued)

    # -- how it stands -----------------------------------------------------------------------

    @property
    def untaken(self) -> tuple[int, int]:
        """Bytes and messages that have come and for which `taken` was not called."""
        return self._taking.untaken

    @property
    def held(self) -> int:
        """Bytes that are held of a frame in fragments which is not whole yet."""
        return len(self._arrivals.assembly)
