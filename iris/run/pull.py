"""Pull actors: a function that takes its messages itself, on a thread or greenlet of its own.

That is the owner of the cell's mailbox. `PullRunner` is the cell's runner; what the function
gets is in `iris.run.pullbox`. Taking a plain message needs no lock, passing markers and questions
takes the table lock; the bed is only for waiting, and nobody touches it while the actor is busy.
Over 400 lines, because all that an owner does with its lane is to be read in one place.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

from iris.core.cell import ALIVE, DEAD, RESTARTING, STARTING, STOPPING, ActorCell, renewal_of
from iris.core.messages import (
    Ending,
    EndMarker,
    ExitReason,
    FenceMarker,
    Marker,
    Request,
    RollbackMarker,
    SwapMarker,
    swap_message,
)
from iris.core.renewal import Renewal
from iris.errors import ActorStopped
from iris.run.bed import NO_BED, Bed, Bedroom
from iris.run.context import enter, leave
from iris.run.lifecycle import Lifecycle
from iris.run.lodging import Lodging
from iris.run.pullbox import NOTHING, PyMailbox
from iris.run.restarting import Restarting


class PullShared:
    """What all pull actors of a runtime have in common."""

    __slots__ = ("apply_swap", "clock", "lifecycle", "living", "lodging", "post", "restarting")

    def __init__(
        self,
        lifecycle: Lifecycle,
        restarting: Restarting,
        lodging: Lodging,
        post: Callable[[Callable[[], Any]], None],
        clock: Callable[[], float],
        apply_swap: Callable[[ActorCell, Union[SwapMarker, RollbackMarker]], Any],
    ) -> None:
        self.lifecycle = lifecycle
        self.restarting = restarting
        self.post = post
        # Has the carrier's hub call something soon.
        self.lodging = lodging
        self.clock = clock
        self.apply_swap = apply_swap
        self.living: dict[int, PullRunner] = {}
        # By pid. Each actor adds and removes itself; single dict operations.

    def interrupt_stopping(self) -> None:
        """Interrupt those that are to end and wait where they can be interrupted. Any thread."""
        for runner in list(self.living.values()):
            if runner.cell.state is STOPPING:
                runner.kill(runner.cell)


class PullRunner:
    """Runs one pull actor."""

    __slots__ = (
        "_gone", "_renewal", "_room", "_shared", "_taken", "batched", "bed", "cell", "closed",
        "told_closed",
    )  # fmt: skip

    cell: ActorCell
    _room: Bedroom

    def __init__(self, shared: PullShared) -> None:
        self._shared = shared
        self.bed: Bed = NO_BED
        self.batched = 0
        # Owner only: what was moved from the lane into batches, less the markers passed.
        self.closed = False
        self.told_closed = False
        self._gone = False
        # True while there is no owner. After the end late senders bury; where the actor is at
        # rest and is stopped, the carrier's hub ends it.
        self._renewal: Optional[Renewal] = None
        # That of an actor whose messages are delivered once more when its function raises.
        self._taken: Any = NOTHING
        # Owner only, and only with `_renewal`: what lay in the lane and is being handled.

    # -- from any thread -------------------------------------------------------------------

    def start(self, cell: ActorCell) -> None:
        """Find a place for it and begin; LimitReached when there is none."""
        shared = self._shared
        self.cell = cell
        renewal = renewal_of(cell)
        self._renewal = renewal if renewal is not None and renewal.redeliver else None
        cell.ready = True
        cell.running = 1
        self.closed = self.told_closed = self._gone = False
        # What a function before this one has left of its batch.
        self.batched = len(cell.rest or ())
        shared.living[cell.pid] = self
        try:
            shared.lodging.start(self)
        except BaseException:
            shared.living.pop(cell.pid, None)
            cell.running = 0
            self._gone = True
            raise

    def restart(self, cell: ActorCell) -> None:
        """Begin with the function it has now; LimitReached when there is no place."""
        self.start(cell)

    def move_in(self, room: Bedroom, bed: Bed) -> None:
        """This is where it will run; again when another place is tried after it."""
        self._room = room
        self.bed = bed

    def signal(self, cell: ActorCell) -> bool:
        """Wake the owner, which sleeps or is about to."""
        if not self._gone:
            self.bed.wake()
        elif cell.state is DEAD:
            self._shared.lifecycle.bury(cell)
        else:
            self._shared.post(self._end_at_rest)
        return True

    def _end_at_rest(self) -> None:
        """In the carrier's hub: end the actor if it was stopped while nobody runs it."""
        if self._shared.restarting.claim(self.cell):
            self._shared.lifecycle.finish_stopped(self.cell)
            self._shared.lifecycle.bury(self.cell)

    def kill(self, cell: ActorCell) -> Optional[float]:
        """Interrupt it where it waits, if it is a greenlet; a thread cannot be interrupted."""
        if not cell.running:
            # Its function is over, and the rest of its end is ours.
            return 0.0
        return self.bed.interrupt(
            lambda: cell.running > 0 and cell.state in (STOPPING, RESTARTING)
        )

    # -- in the actor's thread or greenlet -----------------------------------------------------

    def run(self) -> None:
        """Call the function and end the actor with what became of it."""
        # The room read once: another thread may run the next function before this one is over.
        shared, cell, room = self._shared, self.cell, self._room
        self.bed.occupy()
        place = room.place()
        place.cell = cell
        error: Optional[BaseException] = None
        try:
            enter(place)
            cell.handler(PyMailbox(self))
        except BaseException as raised:  # noqa: BLE001  # A thread's entry.
            error = raised
        try:
            self._end(error, room)
        except BaseException as raised:  # noqa: BLE001  # A thread's entry.
            shared.lifecycle.report(raised)
        finally:
            leave()
            room.ended()

    def _end(self, error: Optional[BaseException], room: Bedroom) -> None:
        shared, cell = self._shared, self.cell
        lifecycle = shared.lifecycle
        counted = cell.running == 2 and error is not None and not isinstance(error, ActorStopped)
        handled = self.received - counted
        cell.running = 0
        if cell.control is not None:
            cell.control.current = None
        taken, self._taken = self._taken, NOTHING
        if not counted:
            self._acquit(taken)
        # Off the list first, THEN counted with the dead: nobody may see these messages twice.
        shared.living.pop(cell.pid, None)
        lifecycle.count_pulled(handled)
        self.batched = len(cell.rest or ())
        room.leaving()
        if error is not None and not isinstance(error, ActorStopped):
            lifecycle.fail(cell, error, None if taken is NOTHING else taken, counted)
        elif cell.state in (STOPPING, DEAD):
            lifecycle.finish_stopped(cell)
        elif cell.state is not RESTARTING:
            lifecycle.finish(cell, Ending(ExitReason.NORMAL, cell.pid))
        # Not before it is ended or known to restart: `quiesce` looks here for what it has queued.
        shared.living.pop(cell.pid, None)
        # Before `leave`: whoever stops it from then on finds nobody here.
        self._gone = True
        if cell.state is RESTARTING and lifecycle.leave(cell):
            # Another thread may run the next function by now.
            return
        if cell.state is not DEAD:
            lifecycle.finish_stopped(cell)
        lifecycle.bury(cell)

    @property
    def is_asked_each(self) -> bool:
        """Whether the mailbox asks for each message.

        Where others share the thread, so that they are not held up; and where it has to be known
        which message is being handled.
        """
        return self._room.is_shared or self._renewal is not None

    def rest(self) -> None:
        """The function wants a message: the one before is handled."""
        self.cell.running = 1
        control = self.cell.control
        if control is not None:
            control.current = None
        if self._taken is not NOTHING:
            taken, self._taken = self._taken, NOTHING
            self._acquit(taken)
        # Now, between two messages: who never waits must not hold up its neighbours.
        self.bed.give_way()

    def _acquit(self, taken: Any) -> None:
        """This one was handled. If it was delivered for the second time, that is over."""
        renewal = self._renewal
        if renewal is not None and renewal.suspect is not None and renewal.suspect[0] is taken:
            renewal.acquit()

    def receive_matching(self, matcher: Callable[[Any], bool], timeout: Optional[float]) -> Any:
        """The slow half of `selective_recv`."""
        cell = self.cell
        self.rest()
        rest, cell.rest = cell.rest, None
        if rest:
            # Back to the front of the lane, so that there is one place to search.
            self.batched -= len(rest)
            rest.reverse()
            cell.user[:0] = rest  # type: ignore[index]
        place = 0
        end = None
        while True:
            self._serve_markers()
            found = self._take_special()
            if found is not NOTHING:
                return found
            if self.closed:
                return self.say_closed()
            place, hit, message = cell.take_matching(matcher, place)
            if hit:
                self.batched += 1
                cell.running = 2
                return self._open(message)
            if timeout is not None and end is None:
                end = self.now() + timeout
            if self.come_to_rest(place):
                if end is None:
                    self.bed.sleep(None)
                elif not self.sleep_until(end, place):
                    return None

    @property
    def received(self) -> int:
        """User messages taken so far. The last is being handled while `cell.running` is 2."""
        return self.batched - len(self.cell.rest or ())

    def _open(self, item: Any) -> Any:
        """The message that the function is given for what lay in the lane."""
        if self._renewal is not None:
            self._taken = item
        if type(item) is not Request:
            return item
        item.taken = True
        control = self.cell.control
        assert control is not None
        with self._shared.lifecycle.lock:
            control.asks -= 1
        control.current = item
        # The next receive comes by `rest`, so that `reply` does not take this for a later one.
        self.cell.special = True
        return item.message

    def take(self) -> Any:
        """The next thing for the function, or NOTHING."""
        cell = self.cell
        while True:
            found = self._take_special()
            if found is not NOTHING:
                return found
            if self.closed:
                return NOTHING
            rest = cell.rest
            if not rest:
                cell.rest = None
                rest = cell.refill()
                if rest is None:
                    return NOTHING
                self.batched += len(rest)
                control = cell.control
                if control is not None and control.asks:
                    # Read after the batch was taken: see the invariant of `asks`.
                    cell.special = True
            item = rest.pop()
            if not isinstance(item, Marker):
                cell.running = 2
                return self._open(item)
            self.batched -= 1
            self._unmark()
            found = self._pass(item)
            if found is not NOTHING:
                return found

    def _take_special(self) -> Any:
        """What lies in the system lane; notices the stop."""
        cell = self.cell
        if not cell.special:
            return NOTHING
        cell.special = False
        # Cleared first, THEN a look: whoever appends from now on sets it again.
        if cell.state not in (ALIVE, STARTING):
            cell.special = True
            self.closed = True
            return NOTHING
        control = cell.control
        if control is None:
            return NOTHING
        if control.marks or (control.asks and cell.rest) or len(control.items) > 1:
            # Questions in a batch: `recv` must not give one out as it is. Those in the lane are
            # no reason to look again: `selective_recv` may leave them there for ever.
            cell.special = True
        if not control.items:
            return NOTHING
        item = control.items.pop(0)
        return self._pass(item) if type(item) is SwapMarker else item

    def _serve_markers(self) -> None:
        """Selective receive has no order of its own: markers take effect when it looks."""
        cell = self.cell
        control = cell.control
        while control is not None and control.marks:
            lane = cell.user
            # By place: `remove` would compare, and messages may have an __eq__ of their own.
            places = (place for place in range(len(lane)) if isinstance(lane[place], Marker))
            place = next(places, None)
            if place is None:
                return
            marker = lane[place]
            del lane[place]
            self._unmark()
            found = self._pass(marker)
            if found is not NOTHING:
                with self._shared.lifecycle.lock:
                    control.items.append(found)
                    cell.special = True

    def _unmark(self) -> None:
        with self._shared.lifecycle.lock:
            control = self.cell.control
            assert control is not None
            control.marks -= 1

    def _pass(self, marker: Any) -> Any:
        """Act on a marker; a swap becomes a message to the function."""
        if isinstance(marker, (SwapMarker, RollbackMarker)):
            version = self._shared.apply_swap(self.cell, marker)
            return NOTHING if version is None else swap_message(version, self.cell.pid)
        if type(marker) is FenceMarker:
            marker.reached()
        else:
            assert type(marker) is EndMarker
            self._shared.lifecycle.mark_ended(self.cell, marker)
        return NOTHING

    def say_closed(self) -> None:
        if self.told_closed:
            raise ActorStopped(f"the mailbox of actor {self.cell.pid} is closed")
        self.told_closed = True

    def now(self) -> float:
        """Monotonic seconds."""
        return self._shared.clock()

    def come_to_rest(self, looked: int = 0) -> bool:
        """Nothing was found: True when the owner may sleep, False when it has to look again.

        Args:
            looked: how many messages of the lane need no second look.
        """
        cell = self.cell
        cell.ready = False
        # Not ready first, THEN a look: a sender who saw `ready` did not wake us.
        if cell.special or len(cell.user) > looked:
            cell.ready = True
            return False
        return True

    def sleep_until(self, end: float, looked: int = 0) -> bool:
        """Sleep; False when the time is over."""
        left = end - self.now()
        if left > 0 and self.bed.sleep(left):
            return True
        cell = self.cell
        cell.ready = True
        # The last moment counts: what came while we gave up is taken, not left.
        return self.now() < end or cell.special or len(cell.user) > looked
