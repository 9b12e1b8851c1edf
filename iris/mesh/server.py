"""The door of a node: connections from elsewhere, what they bring and what they may cost.

A guest is one connection; the node it comes from is not known by version 1. What it sends is given
to the mailboxes at once, in runs of one pid; a guest whose messages pile up there is not read until
they have been handled, so that the network slows its sender.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any, Callable, Optional, Protocol, Union

from iris.core.cell import ActorCell
from iris.mesh.protocol import Broken, Messages, Resolve, ServerV1
from iris.mesh.streams import Driver, Receiver, Stream
from iris.mesh.wire import WireError, WireLimits
from iris.run.delivery import Delivery

AHEAD_BYTES = 4 << 20
AHEAD_BYTES_LEAST = 64 * 1024
AHEAD_BYTES_ALL = 16 << 20
"""What one connection may have in mailboxes, unhandled, before it is read no further: its share of
what all may have, within bounds. Twice as much can come of it, because a second load is read while
the first is being handled. Enough that a receiver never waits for its sender."""

MESSAGE_COSTS = 64
"""What a message takes besides its payload, about: a bytes object and its place in a lane."""

UNREAD_BYTES = 64 * 1024
"""Answers that a guest may leave unread; then nothing more is read from it until it has."""

HELD_BYTES_MOST = 32 << 20
"""What all frames that are not whole may take. Over it the guest that holds the most is closed."""

SWEEP_S = 0.5
"""Between two looks at whether a guest has taken too long."""

SAY_AGAIN_S = 60.0
"""Each host is told of in the log once in this time."""

HOSTS_SAID_MOST = 1000
"""Hosts whose last line in the log is remembered."""


class Directory(Protocol):
    """Who knows the names of actors."""

    def __call__(self, name: str) -> int:
        """The pid that others may send to; 0 for nobody."""


class Guests:
    """The connections from elsewhere of one node. In the hub of the mesh.

    Args:
        most: how many there may be; over it the one that was silent for longest is closed.
        find: gives the pid of a name.
        speakers: gives who understands a guest, by its first byte.
        closed: for the log: (host, what was wrong, how many such cases so far).
    """

    def __init__(
        self,
        driver: Driver,
        limits: WireLimits,
        most: int,
        delivery: Delivery,
        find: Directory,
        speakers: Speakers,
        closed: Callable[[str, str, int], None],
    ) -> None:
        self.driver = driver
        self.limits = limits
        self.delivery = delivery
        self.speakers = speakers
        self.find = find
        self._most = most
        self._closed = closed
        self._guests: dict[Guest, None] = {}
        # The one that was heard last is last.
        self._held = 0
        # Bytes of frames that are not whole.
        self._timer: Any = None
        self._faults = 0
        self._said: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._guests)

    def __iter__(self) -> Iterator[Guest]:
        return iter(list(self._guests))

    @property
    def ahead_bytes(self) -> int:
        """What one guest may have in mailboxes, unhandled."""
        share = AHEAD_BYTES_ALL // max(1, len(self._guests))
        return max(AHEAD_BYTES_LEAST, min(AHEAD_BYTES, share))

    def accepted(self, stream: Stream) -> Optional[Receiver]:
        """See `iris.mesh.streams.Accepted`."""
        if len(self._guests) >= self._most:
            longest = next(iter(self._guests))
            self.dismiss(longest, f"{self._most} connections are open, and it was silent longest")
        guest = Guest(self, stream)
        self._guests[guest] = None
        if self._timer is None:
            self._timer = self.driver.later(SWEEP_S, self._sweep)
        return guest

    def heard(self, guest: Guest) -> None:
        """It has sent something, so it is the last to be closed for want of room."""
        if guest in self._guests:
            del self._guests[guest]
            self._guests[guest] = None

    def holds(self, guest: Guest, more: int) -> None:
        """So many bytes more of an unfinished frame."""
        if guest not in self._guests:
            # What has come with the bytes that it was closed for.
            return
        self._held += more
        while self._held > HELD_BYTES_MOST and self._guests:
            largest = max(self._guests, key=_held_by)
            self.dismiss(largest, f"unfinished frames take over {HELD_BYTES_MOST} bytes")
            if largest is guest:
                return

    def dismiss(self, guest: Guest, wrong: str) -> None:
        """Close it, and say why."""
        guest.close()
        self.left(guest)
        self._faults += 1
        host, now = guest.stream.peer.rpartition(":")[0], self.driver.now()
        said = self._said.get(host)
        if said is not None and now - said < SAY_AGAIN_S:
            return
        if len(self._said) >= HOSTS_SAID_MOST:
            self._said.clear()
        self._said[host] = now
        self._closed(host, wrong, self._faults)

    def left(self, guest: Guest) -> None:
        """It is gone."""
        if guest in self._guests:
            del self._guests[guest]
            self._held -= guest.held
            guest.held = 0

    def _sweep(self) -> None:
        self._timer.close()
        self._timer = None
        now = self.driver.now()
        for guest in list(self._guests):
            guest.check(now)
        if self._guests:
            self._timer = self.driver.later(SWEEP_S, self._sweep)

    def close(self) -> None:
        """Close all."""
        for guest in list(self._guests):
            guest.close()
            self.left(guest)
        if self._timer is not None:
            self._timer.close()
            self._timer = None


class Speaker(Protocol):
    """Who understands what a guest says: one for each version of the protocol."""

    @property
    def held(self) -> int:
        """Bytes of a frame that is not whole, where they count against the budget of the node."""

    def received(self, data: bytes) -> None: ...
    def drained(self) -> None: ...
    def lost(self, error: Optional[Exception]) -> None: ...
    def check(self, now: float) -> Optional[WireError]:
        """Whether the guest has taken too long."""

    def close(self) -> None:
        """This node closes the connection."""


Speakers = Callable[["Guest", int], "Union[Speaker, WireError]"]
"""Gives who speaks a version with a guest, or why nobody does."""


class Guest:
    """One connection from elsewhere. The first byte says which version it speaks."""

    __slots__ = ("_guests", "_opened", "_speaker", "held", "stream")

    def __init__(self, guests: Guests, stream: Stream) -> None:
        self.stream = stream
        self._guests = guests
        self._opened = guests.driver.now()
        self._speaker: Optional[Speaker] = None
        self.held = 0
        # Of its unfinished frame, as `Guests` has counted it.

    def received(self, data: bytes) -> None:
        """See `iris.mesh.streams.Receiver`."""
        guests = self._guests
        guests.heard(self)
        speaker = self._speaker
        if speaker is None:
            found = guests.speakers(self, data[0])
            if isinstance(found, WireError):
                guests.dismiss(self, str(found))
                return
            speaker = self._speaker = found
        speaker.received(data)
        held = speaker.held
        more, self.held = held - self.held, held
        if more:
            guests.holds(self, more)

    def drained(self) -> None:
        """See `iris.mesh.streams.Receiver`."""
        if self._speaker is not None:
            self._speaker.drained()

    def lost(self, error: Optional[Exception]) -> None:
        """It has closed, which is its right at any time."""
        if self._speaker is not None:
            self._speaker.lost(error)
        self._guests.left(self)

    def check(self, now: float) -> None:
        """Close it if it has taken too long."""
        if self._speaker is not None:
            error = self._speaker.check(now)
        elif now >= self._opened + self._guests.limits.silent_s:
            error = WireError("silent", "no byte came since the connection was opened")
        else:
            return
        if error is not None:
            self._guests.dismiss(self, str(error))

    def over(self, error: Exception) -> None:
        """Its speaker has closed the connection."""
        if isinstance(error, WireError):
            self._guests.dismiss(self, str(error))
        else:
            self._guests.left(self)

    def close(self) -> None:
        """This node closes it."""
        if self._speaker is not None:
            self._speaker.close()
        self.stream.close()


class PlainSpeaker:
    """Version 1 with one guest."""

    __slots__ = (
        "_ahead", "_due", "_fences", "_full", "_guest", "_guests", "_receivers", "_server",
        "_unread_until",
    )  # fmt: skip

    def __init__(self, guests: Guests, guest: Guest) -> None:
        self._guests = guests
        self._guest = guest
        self._server = ServerV1(guests.limits, guests.driver.now())
        self._ahead = 0
        # Bytes given to mailboxes since the last fences were put there.
        self._receivers: dict[ActorCell, None] = {}
        # Who got them.
        self._fences = 0
        # How many of the last fences were not reached.
        self._due = False
        # Whether the next are to be put when those are.
        self._full = False
        # Whether its answers are left unread.
        self._unread_until = -inf
        # When it was last seen that we do not read.

    @property
    def held(self) -> int:
        """Bytes of a frame that is not whole."""
        return self._server.held

    def received(self, data: bytes) -> None:
        """Carry out what a guest says."""
        guests, server, stream = self._guests, self._server, self._guest.stream
        wrong: Optional[WireError] = None
        for event in server.receive_data(data, guests.driver.now()):
            if isinstance(event, Messages):
                self._ahead += MESSAGE_COSTS * len(event.payloads)
                cell = guests.delivery.send_run(event.pid, event.payloads)
                if cell is not None:
                    self._receivers[cell] = None
            elif isinstance(event, Resolve):
                server.answer(guests.find(event.name))
            elif isinstance(event, Broken):
                wrong = event.error
        answers = server.data_to_send()
        if answers:
            stream.write(answers)
        if wrong is not None:
            guests.dismiss(self._guest, str(wrong))
            return
        self._ahead += len(data)
        if self._ahead > guests.ahead_bytes:
            self._fence()
        if stream.unsent > UNREAD_BYTES:
            self._full = True
        self._read_on()

    def drained(self) -> None:
        """It has read its answers."""
        self._full = False
        self._read_on()

    def lost(self, error: Optional[Exception]) -> None:  # noqa: ARG002  # The protocol.
        """Nothing is owed to it."""
        self.close()

    def close(self) -> None:
        """What has come of a frame that is not whole goes at once, and not with the guest."""
        self._server.close()

    def check(self, now: float) -> Optional[WireError]:
        """Whether it has taken too long, unless it is we who do not read."""
        if self._full or self._due:
            self._unread_until = now
        if now < self._unread_until + self._guests.limits.progress_s:
            return None
        return self._server.check(now)

    def _read_on(self) -> None:
        if self._full or self._due:
            self._guest.stream.pause()
        else:
            self._guest.stream.resume()

    def _fence(self) -> None:
        """Have ourselves told when all that was sent so far has been handled."""
        if self._fences:
            # The last ones are not reached, so the receivers are two loads behind.
            self._due = True
            return
        self._due = False
        self._ahead = 0
        receivers, self._receivers = self._receivers, {}
        waiting = [cell for cell in receivers if cell.size()]
        self._fences = len(waiting)
        for cell in waiting:
            self._guests.delivery.fence(cell, self._reached)

    def _reached(self) -> None:
        """By whoever handled the last message before a fence: any thread."""
        self._guests.driver.post(self._one_less)

    def _one_less(self) -> None:
        self._fences -= 1
        if not self._fences and self._due:
            self._fence()
            self._read_on()


def _held_by(guest: Guest) -> int:
    return guest.held
