"""The carrier: one hub, one run queue, and the greenlets in which turns are run.

A greenlet is only the vehicle of turns. When a handler blocks, its greenlet stays with it
and the pump takes another; when the turn has ended at last, the greenlet parks for the
next one. The pump is called by the hub after a wake-up and gives the loop its time back
after each slice. What may be called from elsewhere says so; all else only in the carrier's thread.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional

from iris.config import IDLE_CARRIERS_MAX
from iris.core.cell import ActorCell
from iris.core.runqueue import RunQueue
from iris.core.timers import Timers
from iris.run.context import Place, Sleeper, current_greenlet, enter, leave
from iris.run.hub import Hub

Slice = Callable[[Place, float, float], None]
NEVER = float("inf")

TIMER_TURNS_FIRST = 16
"""Actors woken by timers that go before the queue at once, while their turns are quick; see
`Carrier._fire_first`."""


class Carrier:
    """What runs the push actors of one runtime.

    Args:
        runqueue: the ready cells.
        timers: whose due messages the pump has sent by calling `fire`.
        clock: monotonic seconds.
        slice_s: how long turns follow each other before the loop is polled; below 0 (the
            simulation) each call of the pump runs one turn.
        report: called with an exception that no actor caused.
    """

    def __init__(
        self,
        runqueue: RunQueue,
        timers: Timers,
        clock: Callable[[], float],
        slice_s: float,
        report: Callable[[BaseException], None],
    ) -> None:
        self.runqueue = runqueue
        self.sleeping = False
        # Any thread: True means that a sender who queues a cell has to wake the hub.
        # Invariant: the pump sets it and THEN looks at the queue.
        self.epoch = 0
        # Raised when the pump has control back: a turn that sees another epoch at its end
        # than at its start has blocked, and the slice is not its own any more.
        self.out = 0
        # Greenlets inside a slice: in the pump, those whose handlers are blocked.
        self.handled = 0
        self.stride = 16
        # Messages between two looks at the clock, adapted to how slow handlers are.
        self.looked_at = 0.0
        self.place: Callable[[], Place] = _no_place
        self.run_slice: Slice = _no_slice
        self.fire: Callable[[float], None] = _no_fire
        # Sends the timed messages that are due.
        self.interrupted = report
        # Given a KeyboardInterrupt; on the hub of the user's own thread it is the user's.
        self._hub: Optional[Hub] = None
        self._timers = timers
        self._clock = clock
        self._slice_s = slice_s
        self._report = report
        self._ends = (0.0, 0.0)
        # Handed to the greenlet that the pump switches to next.
        self._calls: deque[Callable[[], Any]] = deque()
        self._reminders: list[tuple[float, Sleeper]] = []
        # Waits that began in this slice and have no timer yet; see `remind`.
        self._idle: list[Any] = []
        self._places: dict[Any, Place] = {}
        # Every carrier greenlet, parked ones too.
        self._favoured: list[ActorCell] = []
        # Those that timers have woken and that went first in the slice before this one.
        self._favoured_most = TIMER_TURNS_FIRST
        # How many may go first, adapted to how slow they are.
        self._armed: Optional[float] = None
        self._stopped = False

    # -- from any thread ---------------------------------------------------------------

    def wake(self, always: bool = False) -> None:
        """See to it that the pump looks at its queues: if it sleeps, wake it.

        With `always` also when it seems to be awake: an earlier call may have been cut short
        by a signal handler that raised.
        """
        if always or self.sleeping:
            self.sleeping = False
            self._wake_hub()

    def _wake_hub(self) -> None:
        hub = self._hub
        if hub is not None:
            hub.wake()

    def post(self, call: Callable[[], Any]) -> None:
        """Run `call()` in the hub soon; it must not block."""
        self._calls.append(call)
        self.wake()

    def idle(self) -> bool:
        """Whether nothing is queued, running or blocked. A guess unless called in the pump."""
        return self.sleeping and not self.runqueue and not self._calls and not self.out

    def cell_in(self, greenlet: Any) -> Optional[ActorCell]:
        """The actor whose turn is in a greenlet, blocked or not; None when there is none."""
        place = self._places.get(greenlet)
        return None if place is None else place.cell

    # -- in the carrier's thread ---------------------------------------------------------

    def attach(self, hub: Hub) -> None:
        """Run on this hub from now on."""
        self._hub = hub
        # The methods below are for reading: this saves two calls of each wait.
        self.park = hub.park  # type: ignore[method-assign]
        self.later = hub.later  # type: ignore[method-assign]
        self.sleeping = True
        hub.start(self.pump)
        hub.wake()

    def detach(self) -> None:
        """In the hub: run nothing any more and let the parked greenlets end."""
        self._stopped = True
        self.sleeping = False
        hub = self._hub
        if hub is None:
            return
        hub.close()
        idle, self._idle = self._idle, []
        for greenlet in idle:
            greenlet.switch()

    def park(self) -> None:
        """Leave the current greenlet for the hub."""
        assert self._hub is not None
        self._hub.park()

    def later(self, delay_s: float, call: Callable[[], Any]) -> Any:
        """Run `call()` in the hub after some seconds; the result has `close()`."""
        assert self._hub is not None
        return self._hub.later(delay_s, call)

    def remind(self, delay_s: float, sleeper: Sleeper) -> None:
        """Call `sleeper.expire()` in the hub after some seconds, if it is still parked then.

        The timer is made at the end of the slice, for most waits are over by then.
        """
        if self.sleeping:
            sleeper.timer = self.later(delay_s, sleeper.expire)
        else:
            self._reminders.append((self._clock() + delay_s, sleeper))

    def _remind(self) -> None:
        reminders, self._reminders = self._reminders, []
        for deadline_s, sleeper in reminders:
            if sleeper.parked:
                sleeper.timer = self.later(deadline_s - self._clock(), sleeper.expire)

    def start_greenlet(self, entry: Callable[[], None]) -> None:
        """Run `entry` in a greenlet of its own, beginning soon. From any thread."""

        def begin() -> None:
            assert self._hub is not None
            self._hub.new_greenlet(entry).switch()

        self.post(begin)

    def pump(self) -> None:
        """Run turns for one slice. The hub calls it; it never blocks and never raises."""
        if self._stopped:
            return
        try:
            self._pump()
        except BaseException as error:  # noqa: BLE001  # The entry.
            # A bug of Iris, or Ctrl-C inside it: said, and the carrier goes on. It must
            # not fall silent with all its actors.
            self._failed(error)
            self._wake_hub()

    def _pump(self) -> None:
        self.sleeping = False
        clock, timers, runqueue = self._clock, self._timers, self.runqueue
        if self._calls and not self._make_calls():
            return
        # After the calls: those whom timers wake need the slice that they are promised.
        now = self.looked_at = clock()
        slice_end = now + self._slice_s
        turn_end = slice_end if self._slice_s >= 0 else NEVER
        while True:
            due = timers.next
            # Read once: another thread may cancel the last timer at any moment.
            if due is not None and due <= now and not (self._favoured and runqueue):
                self._fire_first(now)
            elif self._favoured:
                self._favoured = []
            if runqueue:
                self._run(slice_end, turn_end)
                # Whoever blocked in there does not own the slice any more.
                self.epoch += 1
                if self._favoured:
                    self._learn()
                if self._stopped:
                    return
            if not runqueue and not self._calls and self._sleep():
                return
            now = clock()
            if now >= slice_end:
                # The loop gets its time; the wake-up brings the next slice.
                if self._reminders:
                    self._remind()
                self._wake_hub()
                return
            if self._calls and not self._make_calls():
                return

    def _make_calls(self) -> bool:
        """Make the posted calls; False when one of them has stopped the carrier."""
        # Only those that are here now: calls that bring new ones must not hold the loop.
        for _ in range(len(self._calls)):
            self._call(self._calls.popleft())
            if self._stopped:
                return False
        return True

    def _fire_first(self, now: float) -> None:
        """Send what is due, and let the actors it woke have the next turns.

        Behind a long queue a timer would be as late as the queue is long. Only a few go first,
        as many as find room in a slice, and nothing fires in the slice after: so timers cannot
        starve the others.
        """
        runqueue = self.runqueue
        before = len(runqueue)
        self.fire(now)
        if before:
            # Another thread may have queued a cell meanwhile; then that one is among them.
            woken = [runqueue.pop() for _ in range(len(runqueue) - before)]
            woken.reverse()
            self._favoured = woken[: self._favoured_most]
            runqueue.extendleft(reversed(self._favoured))
            runqueue.extend(woken[self._favoured_most :])

    def _learn(self) -> None:
        """After a slice in which some went first: were they slow?"""
        favoured, runqueue = self._favoured, self.runqueue
        places = range(min(len(favoured), len(runqueue)))
        if any(runqueue[place] is favoured[-1] for place in places):
            self._favoured_most = max(1, self._favoured_most // 4)
        elif self._favoured_most < TIMER_TURNS_FIRST:
            self._favoured_most += 1

    def _sleep(self) -> bool:
        """Go to sleep; False when something arrived in the last moment."""
        if self._reminders:
            self._remind()
        following = self._timers.next
        if following != self._armed:
            self._armed = following
            assert self._hub is not None
            delay_s = None if following is None else following - self._clock()
            self._hub.arm(delay_s, self._timer_fired)
        self.sleeping = True
        # Asleep first, THEN a look: a sender who queued before we slept did not wake us.
        if not self.runqueue and not self._calls and self._timers.next == following:
            if following is None or following > self._clock():
                return True
            self._armed = None
        self.sleeping = False
        return False

    def _timer_fired(self) -> None:
        # Forgotten first: an event loop may fire a little early, then it is armed again.
        self._armed = None
        self.pump()

    def _run(self, slice_end: float, turn_end: float) -> None:
        idle = self._idle
        if idle:
            greenlet = idle.pop()
        else:
            assert self._hub is not None
            greenlet = self._hub.new_greenlet(self._carry)
        self._ends = (slice_end, turn_end)
        greenlet.switch()

    def _carry(self) -> None:
        """The life of one carrier greenlet: a slice, a rest, a slice."""
        place = self.place()
        enter(place)
        me = current_greenlet()
        self._places[me] = place
        try:
            while not self._stopped:
                slice_end, turn_end = self._ends
                self.out += 1
                try:
                    self.run_slice(place, slice_end, turn_end)
                except BaseException as error:  # noqa: BLE001  # The entry.
                    self._failed(error)
                finally:
                    self.out -= 1
                    place.cell = None
                if self._stopped or len(self._idle) >= IDLE_CARRIERS_MAX:
                    return
                self._rest(me)
        finally:
            leave()
            del self._places[me]

    def interrupt_blocked(self, wanted: Callable[[ActorCell], bool]) -> None:
        """In the hub: throw GreenletExit into the blocked handlers of the wanted actors."""
        from greenlet import GreenletExit

        for greenlet, place in list(self._places.items()):
            cell = place.cell
            if cell is not None and cell.running and wanted(cell):
                greenlet.throw(GreenletExit)

    def _rest(self, me: Any) -> None:
        self._idle.append(me)
        while True:
            try:
                self.park()
            except BaseException as error:  # noqa: BLE001  # The entry.
                # A handler's left-over gevent.Timeout or kill that reaches the greenlet after
                # its turn: it is nobody's any more, unless it is the user's Ctrl-C.
                if isinstance(error, KeyboardInterrupt):
                    self._failed(error)
            # Still listed: something else than the pump switched here.
            if self._stopped or me not in self._idle:
                return

    def nudge(self) -> None:
        """A turn that had blocked ended outside the pump: see to what it queued."""
        if self.runqueue:
            self.wake()

    def _call(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # The entry.
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.interrupted(error)
        else:
            self._report(error)


def _no_place() -> Place:
    raise AssertionError("the carrier was not assembled")


def _no_slice(*_: object) -> None:
    raise AssertionError("the carrier was not assembled")


def _no_fire(_: float) -> None:
    raise AssertionError("the carrier was not assembled")
