"""A channel: one connection of version 2, from its opening to its end, on either side.

It moves bytes between a stream and what stands above it: first the opening, then the session. It
keeps their time and counts what has gone out. What events mean, and what is sent, is its owner's
business; the owner of the dialling side is `iris.mesh.line`, that of the other one
`iris.mesh.visit`.
"""

from __future__ import annotations

import errno
from typing import Any, Optional, Protocol, Union

from iris.mesh.departures import Fates
from iris.mesh.events import Event
from iris.mesh.limits import SessionLimits
from iris.mesh.protocol import Broken
from iris.mesh.secure import ClientHandshake, Secured, ServerHandshake
from iris.mesh.session import SessionV2
from iris.mesh.streams import Driver, Stream
from iris.mesh.wire import WireError

RECORDS_AT_ONCE = 16
"""Written before other connections have their turn."""

NOTHING = Fates(0, 0, 0)


class Owner(Protocol):
    """What a channel needs of the one who owns it. In the hub of the mesh."""

    def opened(self, secured: Secured) -> None:
        """The opening is done: `session` is there."""

    def told(self, event: Event) -> None:
        """What the peer has said; never a `Broken`."""

    def wrote(self, messages: int, lost: int) -> None:
        """So many whole messages and questions went out, and so many questions never will."""

    def fill(self) -> None:
        """There is room: what waits may be given to the session now."""

    def flushed(self, is_stuck: bool) -> None:
        """What could be written is; `is_stuck` when the network or the peer takes no more now."""

    def ended(self, error: Exception, fates: Fates) -> None:
        """The connection is over, for whatever reason but `close`. The last call."""


class Channel:
    """One connection of version 2; the receiver of its stream. In the hub of the mesh."""

    def __init__(
        self,
        driver: Driver,
        stream: Stream,
        opening: Union[ClientHandshake, ServerHandshake],
        limits: SessionLimits,
        owner: Owner,
    ) -> None:
        self._driver = driver
        self.stream = stream
        self._opening = opening
        self._limits = limits
        self._owner = owner
        self.session: Optional[SessionV2] = None
        # None until the opening is done.
        self.is_over = False
        self._timer: Any = None
        self._timer_at = 0.0

    @property
    def held(self) -> int:
        """Bytes that are held of a record or a frame which is not whole."""
        return 0 if self.session is None else self.session.held

    def begin(self) -> None:
        """Say what this side says first."""
        self.stream.write(self._opening.data_to_send())
        self._plan()

    # -- the receiver ----------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """See `iris.mesh.streams.Receiver`."""
        if self.is_over:
            return
        session = self.session
        if session is None:
            session, data = self._open(data)
            if session is None:
                return
        for event in session.receive_data(data, self._driver.now()) if data else ():
            if isinstance(event, Broken):
                self._end(event.error)
            else:
                self._owner.told(event)
            if self.is_over:
                return
        self.flush()

    def _open(self, data: bytes) -> tuple[Optional[SessionV2], bytes]:
        outcome = self._opening.receive_data(data)
        self.stream.write(self._opening.data_to_send())
        if outcome is None:
            return None, b""
        if isinstance(outcome, WireError):
            self._end(outcome)
            return None, b""
        now = self._driver.now()
        self.session = SessionV2(outcome.sealer, outcome.opener, self._limits, now)
        self._owner.opened(outcome)
        return (None if self.is_over else self.session), outcome.rest

    def drained(self) -> None:
        """See `iris.mesh.streams.Receiver`."""
        self.flush()

    def lost(self, error: Optional[Exception]) -> None:
        """See `iris.mesh.streams.Receiver`."""
        if self.is_over:
            return
        wrong = error or self._opening.closed()
        self._end(wrong or ConnectionResetError(errno.ECONNRESET, "the other side has closed"))

    # -- writing ---------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what can be written now. To be called when something was given to the session."""
        session, stream, now = self.session, self.stream, self._driver.now()
        if session is None or self.is_over:
            return
        record = b""
        for _ in range(RECORDS_AT_ONCE):
            if stream.unsent:
                break
            self._owner.fill()
            before = session.spending.messages
            record = session.data_to_send(now)
            stream.write(record)
            self._owner.wrote(session.spending.messages - before, session.take_lost())
            if not record:
                break
        else:
            self._driver.post(self.flush)
        # Something is left and there was no record: there is no credit.
        self._owner.flushed(bool(stream.unsent or (not record and session.queued)))
        self._plan()

    def close(self) -> Fates:
        """Close now; nobody is told. What has become of what was sent."""
        self.is_over = True
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self.stream.close()
        return NOTHING if self.session is None else self.session.close()

    def leave(self) -> None:
        """Say goodbye, as far as that goes without waiting, before a `close`."""
        session = self.session
        if session is not None and not self.is_over and not self.stream.unsent:
            session.goodbye()
            self.stream.write(session.data_to_send(self._driver.now()))

    def _end(self, error: Exception) -> None:
        fates = self.close()
        self._owner.ended(error, fates)

    # -- time ------------------------------------------------------------------------------

    def _deadline(self) -> Optional[float]:
        """When something is to be looked at."""
        return self._opening.deadline if self.session is None else self.session.deadline

    def _plan(self) -> None:
        if self.is_over:
            return
        at = self._deadline()
        if self._timer is not None:
            if at is None or self._timer_at <= at:
                return
            self._timer.close()
            self._timer = None
        if at is not None:
            self._timer_at = at
            self._timer = self._driver.later(max(0.0, at - self._driver.now()), self._look)

    def _look(self) -> None:
        self._timer.close()
        self._timer = None
        session, now = self.session, self._driver.now()
        if session is None:
            error = self._opening.check(now)
            if error is not None:
                self._end(error)
                return
        else:
            for event in session.check(now):
                if isinstance(event, Broken):
                    self._end(event.error)
                else:
                    self._owner.told(event)
                if self.is_over:
                    return
            self.flush()
        self._plan()
