"""The door of a node: connections from elsewhere, what they bring and what they may cost.

A guest is one connection; the node it comes from is not known by version 1. What it sends is given
to the mailboxes at once, in runs of one pid; a guest whose messages pile up there is not read until
they have been handled, so that the network slows its sender.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, Optional, Protocol

from iris.core.cell import ActorCell, control_of
from iris.core.mailbox import CLOSED
from iris.core.messages import FenceMarker
from iris.core.table import Table
from iris.mesh.protocol import Broken, Messages, Resolve, ServerV1
from iris.mesh.streams import Driver, Receiver, Stream
from iris.mesh.wire import WireError, WireLimits
from iris.run.delivery import Delivery

AHEAD_BYTES = 4 << 20
"""What one connection may have in mailboxes, unhandled, before it is read no further. Enough that
a receiver never waits for its sender, and few enough for a hundred senders."""

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
        closed: for the log: (host, what was wrong, how many such cases so far).
    """

    def __init__(
        self,
        driver: Driver,
        limits: WireLimits,
        most: int,
        table: Table,
        delivery: Delivery,
        find: Directory,
        closed: Callable[[str, str, int], None],
    ) -> None:
        self.driver = driver
        self.limits = limits
        self.table = table
        self.delivery = delivery
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
        self._held += more
        while self._held > HELD_BYTES_MOST and self._guests:
            largest = max(self._guests, key=_held_by)
            self.dismiss(largest, f"unfinished frames take over {HELD_BYTES_MOST} bytes")
            if largest is guest:
                return

    def dismiss(self, guest: Guest, wrong: str) -> None:
        """Close it, and say why."""
        guest.stream.close()
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
            guest.stream.close()
            self.left(guest)
        if self._timer is not None:
            self._timer.close()
            self._timer = None


class Guest:
    """One connection from elsewhere, that speaks version 1."""

    __slots__ = (
        "_ahead", "_due", "_fences", "_full", "_guests", "_receivers", "_server", "held", "stream",
    )  # fmt: skip

    def __init__(self, guests: Guests, stream: Stream) -> None:
        self.stream = stream
        self._guests = guests
        self._server = ServerV1(guests.limits, guests.driver.now())
        self.held = 0
        # Of its unfinished frame, as `Guests` has counted it.
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

    def received(self, data: bytes) -> None:
        """See `iris.mesh.streams.Receiver`."""
        guests, server = self._guests, self._server
        guests.heard(self)
        wrong: Optional[WireError] = None
        for event in server.receive_data(data, guests.driver.now()):
            if isinstance(event, Messages):
                cell = guests.delivery.send_run(event.pid, event.payloads)
                if cell is not None:
                    self._receivers[cell] = None
            elif isinstance(event, Resolve):
                server.answer(guests.find(event.name))
            elif isinstance(event, Broken):
                wrong = event.error
        answers = server.data_to_send()
        if answers:
            self.stream.write(answers)
        if wrong is not None:
            guests.dismiss(self, str(wrong))
            return
        held = server.held
        more, self.held = held - self.held, held
        if more:
            guests.holds(self, more)
        self._ahead += len(data)
        if self._ahead > AHEAD_BYTES:
            self._fence()
        if self.stream.unsent > UNREAD_BYTES:
            self._full = True
        self._read_on()

    def drained(self) -> None:
        """It has read its answers."""
        self._full = False
        self._read_on()

    def lost(self, error: Optional[Exception]) -> None:  # noqa: ARG002  # The protocol.
        """It has closed, which is its right at any time."""
        self._guests.left(self)

    def check(self, now: float) -> None:
        """Close it if it has taken too long."""
        error = self._server.check(now)
        if error is not None:
            self._guests.dismiss(self, str(error))

    def _read_on(self) -> None:
        if self._full or self._due:
            self.stream.pause()
        else:
            self.stream.resume()

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
            put_fence(self._guests.table, self._guests.delivery, cell, self._reached)

    def _reached(self) -> None:
        """By whoever handled the last message before a fence: any thread."""
        self._guests.driver.post(self._one_less)

    def _one_less(self) -> None:
        self._fences -= 1
        if not self._fences and self._due:
            self._fence()
            self._read_on()


def put_fence(
    table: Table, delivery: Delivery, cell: ActorCell, reached: Callable[[], Any]
) -> None:
    """Call `reached` when all that lies in a mailbox now has been handled, or its actor ended."""
    with table.lock:
        closed = cell.admission is CLOSED
        if not closed:
            control_of(cell)
            delivery.mark(cell, FenceMarker(reached))
    if closed:
        reached()
    else:
        delivery.poke(cell)


def _held_by(guest: Guest) -> int:
    return guest.held
