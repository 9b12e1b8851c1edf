"""The mailbox of an actor: a lane of user messages, a lane of system messages, a bound.

This module decides what becomes of an offered message (`Bound.offer` gives a `Verdict`)
and in which order messages leave. It refuses to act on a verdict: counting, waiting and
redirecting belong to `iris.run.delivery`. Senders of any thread append without a lock, but for
those of a bounded lane; one owner at a time (the carrier, a pull actor, or the worker that holds
the turn token) takes.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, IntEnum
from typing import Any, Callable, Optional, Protocol, Union

from iris.core.behavior import History
from iris.core.messages import Marker, Request, unwrapped


class Verdict(IntEnum):
    """What a mailbox answers to an offered message."""

    ACCEPTED = 0
    REFUSED = 1
    """The mailbox is full and its policy drops the newcomer."""
    CLOSED = 2
    """The actor is stopping or dead: the message has no live target."""
    REDIRECT = 3
    """Full: the message goes to the bound's target instead."""
    SPILL = 4
    """Full: accepted over the bound, and a copy goes to the bound's target."""
    EVICTED = 5
    """Full: accepted, and the oldest queued message was dropped for it."""
    WAIT = 6
    """Full: the sender waits until the owner has made room."""
    RETRY = 7
    """Told to a waiting sender when the policy has changed: offer the message anew."""
    DORMANT = 8
    """The actor has not begun: start it, then offer the message anew."""
    RESTARTING = 9
    """Told to a question only: the actor is between two handlers and answers nobody now."""


class Policy(Enum):
    """What a full mailbox does; the values are the words of the public API."""

    DROP_NEW = "dropnew"
    DROP_OLD = "dropold"
    REDIRECT = "redirect"
    SPILL = "spill"
    BLOCK = "block"


class Lock(Protocol):
    """What this module needs of a lock: reentrant, because a signal handler may send, too."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: object) -> Any: ...


class Ticket:
    """A message that waits in front of a full mailbox, and how to tell its sender."""

    __slots__ = ("message", "settle")

    def __init__(self, message: Any, settle: Callable[[Verdict], Any]) -> None:
        self.message = message
        self.settle = settle


class Control:
    """The rarely used half of a mailbox, made on first need under the table lock."""

    __slots__ = ("asked", "asks", "current", "history", "items", "marks")

    def __init__(self) -> None:
        self.asked: dict[Request, None] = {}
        # The requests that this actor owes an answer, those handled already among them.
        self.asks = 0
        # How many requests lie in the user lane or its batch; as for `marks`, raised first.
        self.current: Any = None
        # Owner only: the message being handled, while markers or requests lie in the lane.
        self.history: Optional[History] = None
        # The versions of the actor's handler; None until the first swap.
        self.items: list[Any] = []
        # The system lane. Any thread appends, the owner pops.
        self.marks = 0
        # How many markers lie in the user lane. Invariant: raised before the marker is
        # appended, so an owner who reads 0 after taking a batch has no marker in that batch.


class Door(Protocol):
    """An admission that is not simply open: a `Gate`, a `Bound`, or an `iris.core.idle.Idle`."""

    def offer(self, lane: Any, message: Any) -> Verdict: ...


class Gate:
    """An admission that answers the same to every message."""

    __slots__ = ("verdict",)

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def offer(self, lane: Any, message: Any) -> Verdict:
        """Give the answer; append the message when that is to accept."""
        if self.verdict is Verdict.ACCEPTED:
            lane.append(message)
        return self.verdict


CLOSED = Gate(Verdict.CLOSED)
"""The admission of an actor that is stopping or dead."""

PARENT = Gate(Verdict.ACCEPTED)
"""The admission of an actor with living children: open, but the sender looks for the stop word."""


class Bound:
    """The admission of a mailbox with a capacity.

    Every field is changed under `lock` only. The message that is being handled does not
    count; those that wait with a ticket do not either.
    """

    __slots__ = (
        "_busy", "_evicted", "capacity", "closed", "lock", "marks", "policy", "target", "tickets",
    )  # fmt: skip

    def __init__(self, capacity: int, lock: Lock) -> None:
        self.capacity = capacity
        self.policy = Policy.DROP_NEW
        self.target = 0
        # Invariant: a pid when policy is REDIRECT or SPILL, else 0.
        self.lock = lock
        self.tickets: deque[Ticket] = deque()
        # Invariant: empty unless the lane is full, so nobody overtakes those who wait.
        self.marks = 0
        # Markers in the lane; they take no room.
        self.closed = False
        # True from the stop of the actor on: a late sender must not join the line.
        self._evicted: list[Any] = []
        # Messages dropped for newer ones whose fate nobody has settled yet.
        self._busy = False
        # True while the lock is held; a True seen under the lock is a send from a signal
        # handler or a `__del__` that interrupted the holder, which must not wait.

    def offer(self, lane: Any, message: Any, ticket: Optional[Ticket] = None) -> Verdict:
        """Take the message in, or say what has to become of it.

        Args:
            lane: the user lane of the mailbox.
            message: what is offered.
            ticket: with policy BLOCK and no room, this joins the line and the verdict is WAIT;
                without one the verdict is WAIT and nothing has changed.
        """
        with self.lock:
            nested, self._busy = self._busy, True
            try:
                if self.closed:
                    return Verdict.CLOSED
                if len(lane) - self.marks < self.capacity:
                    lane.append(message)
                    return Verdict.ACCEPTED
                return self._full(lane, message, ticket, nested)
            finally:
                self._busy = nested

    def _full(
        self, lane: deque[Any], message: Any, ticket: Optional[Ticket], nested: bool
    ) -> Verdict:
        policy = self.policy
        if policy is Policy.DROP_NEW:
            return Verdict.REFUSED
        if policy is Policy.DROP_OLD:
            evicted = _evict_oldest(lane)
            if not evicted:
                return Verdict.REFUSED
            # Kept, and not only for its fate: its `__del__` may send, to here even.
            self._evicted += evicted
            lane.append(message)
            return Verdict.EVICTED
        if policy is Policy.REDIRECT:
            return Verdict.REDIRECT
        if policy is Policy.SPILL:
            lane.append(message)
            return Verdict.SPILL
        if nested:
            return Verdict.REFUSED
        if ticket is not None:
            self.tickets.append(ticket)
        return Verdict.WAIT

    def take(self, lane: deque[Any]) -> list[Any]:
        """Remove the oldest message (an empty list when there is none) and admit one that waits."""
        with self.lock:
            busy, self._busy = self._busy, True
            try:
                if not lane:
                    return []
                taken = [lane.popleft()]
                if isinstance(taken[0], Marker):
                    self.marks -= 1
                admitted = self._admit(lane)
            finally:
                self._busy = busy
        for ticket in admitted:
            ticket.settle(Verdict.ACCEPTED)
        return taken

    def _admit(self, lane: deque[Any]) -> list[Ticket]:
        admitted = []
        while self.tickets and len(lane) - self.marks < self.capacity:
            ticket = self.tickets.popleft()
            lane.append(ticket.message)
            admitted.append(ticket)
        return admitted

    def take_evicted(self) -> list[Any]:
        """The messages that were dropped for newer ones since the last call, by any sender."""
        with self.lock:
            evicted, self._evicted = self._evicted, []
            return evicted

    def evicted_requests(self) -> int:
        """How many questions are among those that `take_evicted` will give."""
        return sum(type(message) is Request for message in self._evicted)

    def mark(self, lane: deque[Any], marker: Marker) -> None:
        """Append a marker, whatever the capacity."""
        with self.lock:
            self.marks += 1
            lane.append(marker)

    def withdraw(self, ticket: Ticket) -> bool:
        """Take a waiting ticket back; False when it is no longer waiting."""
        with self.lock:
            try:
                self.tickets.remove(ticket)
            except ValueError:
                return False
            return True

    def withdraw_message(self, message: Any) -> bool:
        """Take the ticket of this very message back; False when it is not waiting."""
        with self.lock:
            for ticket in self.tickets:
                if ticket.message is message:
                    self.tickets.remove(ticket)
                    return True
            return False

    def set_policy(self, policy: Policy, target: int) -> list[Ticket]:
        """Change what happens when full; the returned tickets have to be offered anew."""
        with self.lock:
            self.policy = policy
            self.target = target
            return self._evacuate()

    def close(self) -> list[Ticket]:
        """Accept nothing from now on; the returned tickets have to be told."""
        with self.lock:
            self.closed = True
            return self._evacuate()

    def _evacuate(self) -> list[Ticket]:
        tickets = list(self.tickets)
        self.tickets.clear()
        return tickets


def _evict_oldest(lane: deque[Any]) -> list[Any]:
    """Remove the oldest user message and return it in a list; markers stay, they are none."""
    for position, item in enumerate(lane):
        if not isinstance(item, Marker):
            del lane[position]
            return [item]
    return []


Admission = Optional[Door]


class Mailbox:
    """The lanes of one actor. `ActorCell` is the only subclass.

    A subclass instead of a field: a separate object costs 38 bytes and, on the way of
    every message, one more load (measured: 305 against 267 bytes an actor on CPython).
    """

    __slots__ = ("admission", "control", "ready", "rest", "special", "user")

    user: Union[list[Any], deque[Any]]
    # The user lane. Any sender appends; the owner takes. A deque when bounded.
    rest: Optional[list[Any]]
    # Owner only: a batch taken from the lane, newest first, not all handled yet.
    special: bool
    # True when the owner has to look at more than plain messages: a system lane that is
    # not empty, markers, a stop. Any thread sets it BEFORE it appends; the owner clears
    # it and THEN looks.
    ready: bool
    # True while the runner needs no wake-up: see docs/adr on the ready protocol.
    admission: Admission
    # None: every message is accepted, without asking.
    control: Optional[Control]

    def size(self) -> int:
        """How many user messages wait; exact in the owner's thread, a good guess elsewhere."""
        rest, control = self.rest, self.control
        waiting = len(self.user) + (len(rest) if rest is not None else 0)
        if control is not None:
            waiting -= control.marks
        return waiting if waiting > 0 else 0

    def refill(self) -> Optional[list[Any]]:
        """Move what waits in the user lane into `rest`; None when nothing waits. Owner only."""
        admission = self.admission
        batch: list[Any]
        if type(admission) is Bound:
            batch = admission.take(self.user)  # type: ignore[arg-type]
        else:
            lane = self.user
            if isinstance(lane, list):
                batch = lane[:]
                # Senders may append between the two statements, hence the length.
                del lane[: len(batch)]
                batch.reverse()
            else:
                # A bounded mailbox that was closed: its lane stays a deque.
                batch = [lane.popleft()] if lane else []
        if not batch:
            return None
        self.rest = batch
        return batch

    def drain(self) -> list[Any]:
        """Remove and return all that is in the user lane, oldest first. Owner only."""
        left: list[Any] = []
        while self.rest or self.refill() is not None:
            assert self.rest is not None
            left.extend(reversed(self.rest))
            self.rest = None
        return left

    def take_queued(self) -> list[Any]:
        """Remove and return the messages that wait now, oldest first; markers stay. Owner only.

        Those who wait in front of a full mailbox come in behind.
        """
        waiting = len(self.user)
        taken = (self.rest or [])[::-1]
        while waiting > 0 and self.refill() is not None:
            assert self.rest is not None
            waiting -= len(self.rest)
            taken.extend(reversed(self.rest))
        self.rest = [item for item in reversed(taken) if isinstance(item, Marker)] or None
        return [item for item in taken if not isinstance(item, Marker)]

    def take_matching(self, matcher: Callable[[Any], bool], start: int) -> tuple[int, bool, Any]:
        """Take the first waiting message, from place `start` on, for which `matcher` is true.

        Owner only, and only for a list lane. Returns (place to go on from, found, message).
        A matcher that raises changes nothing. Places stay valid between calls, because
        only the owner removes; so waiting over n messages costs n matcher calls in all.
        """
        lane = self.user
        place = start
        while place < len(lane):
            message = lane[place]
            place += 1
            if not isinstance(message, Marker) and matcher(unwrapped(message)):
                del lane[place - 1]
                return place - 1, True, message
        return place, False, None
