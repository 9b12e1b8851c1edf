"""What the peer has written on a connection of version 2: from records to events.

It owns what this side has to remember of the peer's frames: requests that want an answer, a frame
in fragments, what was not taken yet. Grants, answers and pings also touch the books of what this
side writes, so it is given that half. It refuses to answer anything but a ping.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.mesh import events as e
from iris.mesh import frames as f
from iris.mesh.credit import FIRST_CREDIT_BYTES, SMALL_REPLY_BYTES, Taking
from iris.mesh.departures import Departures
from iris.mesh.fragments import Assembly
from iris.mesh.limits import SessionLimits
from iris.mesh.reading import Act, read_record
from iris.mesh.requests import REQUESTS_MOST
from iris.mesh.wire import WireError

OWED_MOST = 2 * REQUESTS_MOST
"""Requests of a peer without an answer: what it may have open, and what crosses on the way."""


class Arrivals:
    """The receiving half of a session.

    Args:
        limits: what the peer may do.
        departures: the sending half, whose books grants, answers and requests change.
        now: monotonic seconds.
    """

    __slots__ = (
        "_departures", "_events", "_inner_messages", "_now", "_progress_s", "_settled", "assembly",
        "moved", "taking",
    )  # fmt: skip

    def __init__(self, limits: SessionLimits, departures: Departures, now: float) -> None:
        self._departures = departures
        self._progress_s = limits.progress_s
        self.taking = Taking(limits.window_bytes)
        self.assembly = Assembly(limits.payload_bytes)
        self.moved = self._now = now
        # When credited frames came, or credit was given, last; and when anything did.
        self._events: list[e.Event] = []
        self._settled = self._inner_messages = 0
        # While a record is read: where events go, credited bytes that need no owner to take them,
        # messages out of fragments.

    def read(self, record: bytes, events: list[e.Event], now: float) -> None:
        """Read a record; what it brings is appended to `events`.

        Raises:
            WireError: a frame is wrong, or there is more than was allowed.
        """
        self._now = now
        self._events = events
        self._settled = self._inner_messages = 0
        size, messages = read_record(record, ACTS, self, events)
        if size:
            self.taking.came(size, messages + self._inner_messages)
            self.moved = now
            if self._settled:
                self.taking.take(self._settled, 0, now)

    @property
    def stalled_at(self) -> Optional[float]:
        """When the peer has left a frame in fragments alone for too long; None for never."""
        # With less credit a peer may have to wait; it cuts no smaller fragments than that.
        if not self.assembly or self.taking.left < FIRST_CREDIT_BYTES >> 2:
            return None
        return self.moved + self._progress_s

    def stalled(self) -> WireError:
        """What is wrong then."""
        return WireError(
            "progress",
            f"a frame in fragments stands still for progress_s={self._progress_s:g} seconds;"
            f" {len(self.assembly)} bytes of it are there",
        )

    def _owe(self, request: int, kind: int) -> None:
        owed = self._departures.owed
        if request in owed:
            raise WireError("request", f"request {request} came before its last answer")
        if len(owed) >= OWED_MOST:
            raise WireError(
                "request", f"{OWED_MOST} requests have no answer; ask more when some have one"
            )
        owed[request] = kind

    def _asked(self, request: int, *fields: Any) -> e.Event:
        self._owe(request, f.ASK)
        return e.Asked(request, *fields)

    def _resolve_asked(self, request: int, name: str) -> e.Event:
        self._owe(request, f.RESOLVE)
        return e.Resolve(request, name)

    def _was_withdrawn(self, request: int) -> Optional[e.Event]:
        owed = self._departures.owed
        if owed.get(request) != f.ASK:
            return None
        del owed[request]
        return e.Withdrawn(request)

    def _replied(
        self, number: int, packed: bool, payload: bytes, cost_bytes: int
    ) -> Optional[e.Event]:
        if cost_bytes > SMALL_REPLY_BYTES:
            self._settled += cost_bytes
        found = self._departures.requests.answer(f.ASK, number)
        return None if found is None else e.Replied(found[1], packed, payload)

    def _failed(self, number: int, word: str, text: str) -> Optional[e.Event]:
        found = self._departures.requests.answer(f.ASK, number)
        return None if found is None else e.Failed(found[1], word, text)

    def _was_resolved(self, number: int, pid: int) -> Optional[e.Event]:
        found = self._departures.requests.answer(f.RESOLVE, number)
        return None if found is None else e.Resolved(found[1], pid)

    def _pinged(self, number: int, lag_s: float) -> e.Event:
        departures = self._departures
        pong = f.pack_sign(f.PONG, number, int(departures.lag_s * 1e6))
        departures.lanes.add_control(pong)
        return e.Pinged(lag_s)

    def _granted(self, acknowledged: int, allowed: int) -> None:
        self._departures.spending.granted(acknowledged, allowed)

    def _first_fragment(self, whole_bytes: int, data: bytes) -> None:
        self.assembly.begin(whole_bytes, data)
        self.taking.hold(self.assembly.came_bytes, self._now)

    def _next_fragment(self, data: bytes) -> None:
        assembly = self.assembly
        frame = assembly.add(data)
        if frame is None:
            self.taking.hold(assembly.came_bytes, self._now)
            return
        self.taking.hold(0, self._now)
        settled = self._settled
        _, messages = read_record(frame, ACTS, self, self._events)
        # The owner takes what the frame costs. The headers of the fragments, and all of an answer,
        # which waits in no mailbox, are taken here.
        self._inner_messages += messages
        self._settled = settled + assembly.came_bytes - (len(frame) if messages else 0)


def _told(event: Callable[..., e.Event]) -> Act:
    """For a frame whose fields are those of an event."""

    def tell(_: Arrivals, *fields: Any) -> e.Event:
        return event(*fields)

    return tell


ACTS: dict[int, Act] = {
    f.NAMED: _told(e.Named),
    f.NAMED | f.PACKED: _told(e.Named),
    f.ASK: Arrivals._asked,
    f.ASK | f.PACKED: Arrivals._asked,
    f.REPLY: Arrivals._replied,
    f.REPLY | f.PACKED: Arrivals._replied,
    f.FAILED: Arrivals._failed,
    f.WITHDRAW: Arrivals._was_withdrawn,
    f.RESOLVE: Arrivals._resolve_asked,
    f.RESOLVED: Arrivals._was_resolved,
    f.MONITOR: _told(e.Monitor),
    f.DEMONITOR: _told(e.Demonitor),
    f.DOWN: _told(e.Down),
    f.LINK: _told(e.Link),
    f.UNLINK: _told(e.Unlink),
    f.EXIT: _told(e.Exit),
    f.PING: Arrivals._pinged,
    f.PONG: _told(e.Ponged),
    f.CREDIT: Arrivals._granted,
    f.FIRST: Arrivals._first_fragment,
    f.MORE: Arrivals._next_fragment,
    f.GOODBYE: _told(e.Goodbye),
    f.UNDELIVERABLE: _told(e.Undeliverable),
}
"""What is done with a frame that is no message."""
