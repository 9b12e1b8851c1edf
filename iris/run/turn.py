"""The turn: one visit to a cell. Its system lane, then user messages up to its budget.

`make_slice` builds the loop that visits one ready cell after the other; every name in it
is a local, for this is where the time goes. An exception of a handler ends here and only
reaches the actor's own end. The order of the statements at a turn's end is the ready
protocol (docs/adr/0002), checked by tests/core/test_ready_protocol.py: change both or none.
"""

from __future__ import annotations

from typing import Any, Callable, Protocol, Union

from iris.core.cell import ALIVE, DEAD, RESTARTING, STARTING, ActorCell, State
from iris.core.mailbox import Bound, Lock
from iris.core.messages import (
    EndMarker,
    FenceMarker,
    Marker,
    Request,
    RollbackMarker,
    SwapMarker,
)
from iris.run.carrier import Carrier, Slice
from iris.run.context import Place

STRIDE_MAX = 16
"""Messages between two looks at the clock while handlers are fast: a look costs 40-80 ns."""

TURNS_PER_LOOK = 8
"""Turns between two looks at the clock while turns are fast."""

SLOW_STRIDE_S = 0.0005
"""A stride, or some turns, that took longer than this make the next look come sooner."""

_GOES_ON = (ALIVE, STARTING)
# STARTING: a worker may have the actor before its spawner has said so. DEAD while a turn runs: the
# actor was orphaned, and its turn has come back after all.


FullTurn = Callable[[ActorCell, float], None]


class Meter(Protocol):
    """What one thread that runs turns has counted, and how often it looks at the clock.

    Its own thread writes; the carrier is one, and so is each worker.
    """

    handled: int
    # Messages handled, but for those of the turn that runs.
    stride: int
    # Messages between two looks at the clock, adapted to how slow handlers are.
    looked_at: float


class Ends:
    """What a turn calls when an actor ends in it; `Lifecycle` fills it in."""

    __slots__ = ("apply_swap", "fail", "finish_stopped", "leave", "mark_ended")

    fail: Callable[[ActorCell, BaseException, Any, bool], None]
    # (cell, error, item of the lane, whether it was a user message) -> an end, or a restart
    finish_stopped: Callable[[ActorCell], None]
    # The cell is STOPPING and nothing of it runs.
    leave: Callable[[ActorCell], bool]
    # The turn is over and the cell not ALIVE: whether nobody has to visit it any more. Settles
    # what late senders appended to the dead, and lets a restarting one come to rest.
    apply_swap: Callable[[ActorCell, Union[SwapMarker, RollbackMarker]], Any]
    # The cell's new behaviour begins here.
    mark_ended: Callable[[ActorCell, EndMarker], None]
    # The cell ends here: make it STOPPING.


def make_slice(carrier: Carrier, ends: Ends, lock: Lock, clock: Callable[[], float]) -> Slice:  # noqa: PLR0915  # One loop, written out for speed.
    """Build the function that runs turns until the slice is over."""
    runqueue = carrier.runqueue
    popleft = runqueue.popleft
    append = runqueue.append
    full_turn = make_full_turn(carrier, ends, lock, clock)
    fail, leave = ends.fail, ends.leave

    def run_slice(place: Place, slice_end: float, turn_end: float) -> None:
        epoch = carrier.epoch
        turns = 1
        while runqueue:
            cell = popleft()
            if cell.running:
                # A second entry of a cell whose handler is blocked: its own end of turn
                # looks at the lane again.
                continue
            place.cell = cell
            lane = cell.user
            try:
                if (
                    len(lane) == 1
                    and not cell.special
                    and cell.rest is None
                    and cell.admission is None
                ):
                    # The commonest turn, written out: saves a call of 120 ns in ping-pong.
                    # The length is read before `special`, which is set before a marker is
                    # appended: so what is taken here is a plain message.
                    cell.running = 2
                    message = lane.pop(0)  # type: ignore[call-arg]
                    try:
                        cell.handler(message)
                    except BaseException as error:  # noqa: BLE001  # A turn.
                        fail(cell, error, message, True)
                    else:
                        carrier.handled += 1
                elif cell.state is not DEAD:
                    cell.running = 1
                    full_turn(cell, turn_end)
                    turns = 1
            except BaseException:
                # Ctrl-C inside Iris itself, or a bug: the cell must not be lost with it.
                cell.running = 0
                append(cell)
                raise
            cell.running = 0
            if cell.state is not ALIVE and leave(cell):
                pass
            elif lane or cell.rest is not None or cell.special:
                append(cell)
            else:
                cell.ready = False
                # Not ready first, THEN a look: a sender who saw `ready` did not queue it.
                if (lane or cell.special) and not cell.ready:
                    cell.ready = True
                    append(cell)
            if epoch != carrier.epoch:
                carrier.nudge()
                return
            turns -= 1
            if turns > 0:
                continue
            now = clock()
            if now >= slice_end:
                carrier.looked_at = now
                return
            # A look at the clock costs as much as a third of a turn, so while turns are
            # quick one look is for several.
            turns = TURNS_PER_LOOK if now - carrier.looked_at < SLOW_STRIDE_S else 1
            carrier.looked_at = now

    return run_slice


def make_full_turn(meter: Meter, ends: Ends, lock: Lock, clock: Callable[[], float]) -> FullTurn:
    """Build the general turn: system lane, markers, a budget, a cut by the clock.

    The turns of one thread share a meter, and what is built here.
    """
    fail = ends.fail
    serve = make_serve(ends)
    marked_stride = make_marked_stride(ends, lock)

    def full_turn(cell: ActorCell, turn_end: float) -> None:
        message: Any = None
        left = cell.spec.budget
        try:
            while left > 0:
                if cell.special and serve(cell):
                    return
                rest = cell.rest or cell.refill()
                if not rest:
                    found_nothing(cell, lock)
                    return
                size = min(left, len(rest), meter.stride)
                control = cell.control
                if control is not None and (control.marks or control.asks):
                    # Read after the batch was taken: see the invariant of `marks`.
                    message = control
                    started = marked_stride(cell, rest, size)
                else:
                    handler = cell.handler
                    take = rest.pop
                    running = 1
                    for running in range(2, size + 2):
                        cell.running = running
                        message = take()
                        handler(message)
                        if cell.special:
                            break
                    started = running - 1
                meter.handled += started
                cell.running = 1
                left -= started
                if not rest:
                    cell.rest = None
                now = clock()
                if now - meter.looked_at > SLOW_STRIDE_S:
                    meter.stride = max(1, meter.stride // 4)
                elif meter.stride < STRIDE_MAX:
                    meter.stride += 1
                meter.looked_at = now
                if now >= turn_end or not (rest or cell.user or cell.special):
                    # The end of the turn looks again, as the ready protocol wants it.
                    return
        except BaseException as error:  # noqa: BLE001  # A turn.
            started = cell.running - 1
            if message is cell.control and cell.control is not None:
                message, cell.control.current = cell.control.current, None
            counted = started > 0
            if isinstance(message, Marker):
                # While one is acted on, all that were started are handled.
                message, counted = None, False
            meter.handled += started - counted
            fail(cell, error, message, counted)

    return full_turn


def found_nothing(cell: ActorCell, lock: Lock) -> None:
    """The lane is empty, so no request lies there, even if one is counted.

    A signal handler may have cut its sender short. Requests are counted and laid down in one
    hold of the lock, so under it this can be told.
    """
    cell.rest = None
    if cell.control is not None and cell.control.asks:
        with lock:
            if not cell.user:
                admission = cell.admission
                # Those that were dropped for newer messages are still to be taken off.
                left = admission.evicted_requests() if type(admission) is Bound else 0
                cell.control.asks = left


def make_serve(ends: Ends) -> Callable[[ActorCell], bool]:
    """Build the visit to the system lane; it returns True when the turn is over with it."""

    def is_over(cell: ActorCell, state: State) -> bool:
        if state in _GOES_ON:
            return False
        if state is RESTARTING:
            # So that each visit until the restart comes here first.
            cell.special = True
        else:
            ends.finish_stopped(cell)
        return True

    def serve(cell: ActorCell) -> bool:
        cell.special = False
        # Cleared first, THEN a look: whoever appends from now on sets it again.
        if cell.state is not ALIVE and is_over(cell, cell.state):
            return True
        control = cell.control
        if control is None:
            return False
        if control.marks or control.asks:
            cell.special = True
        items = control.items
        # Only what is here now: a flood of system messages must not hold the thread.
        for _ in range(len(items)):
            item = items.pop(0)
            if type(item) is SwapMarker:
                ends.apply_swap(cell, item)
            else:
                try:
                    cell.handler(item)
                except BaseException as error:  # noqa: BLE001  # A turn.
                    ends.fail(cell, error, item, False)
                    return True
            if cell.state is not ALIVE and is_over(cell, cell.state):
                return True
        if items:
            cell.special = True
        return False

    return serve


def make_marked_stride(ends: Ends, lock: Lock) -> Callable[[ActorCell, list[Any], int], int]:
    """Build the stride over a batch in which markers or requests lie among the messages."""

    def marked_stride(cell: ActorCell, rest: list[Any], size: int) -> int:
        """Act on what comes first in the batch: `size` messages, four times as many markers.

        Returns how many messages were handled. What is being handled is in
        `control.current`, in case it raises.
        """
        control = cell.control
        assert control is not None
        started = passed = asked = 0
        try:
            while rest and started < size and passed < 4 * size:
                item = rest.pop()
                if not isinstance(item, Marker):
                    started += 1
                    cell.running = started + 1
                    control.current = item
                    if type(item) is Request:
                        asked += 1
                        item.taken = True
                        item = item.message
                    cell.handler(item)
                    control.current = None
                    if control.items or cell.state not in _GOES_ON:
                        break
                    continue
                passed += 1
                control.current = item
                if isinstance(item, (SwapMarker, RollbackMarker)):
                    ends.apply_swap(cell, item)
                elif type(item) is FenceMarker:
                    item.reached()
                else:
                    assert type(item) is EndMarker
                    ends.mark_ended(cell, item)
                    control.current = None
                    break
                control.current = None
        finally:
            with lock:
                control.marks -= passed
                control.asks -= asked
                if cell.state in _GOES_ON and not (
                    control.marks or control.asks or control.items
                ):
                    # Spares a visit to the system lane. Under the lock, as all who set it are.
                    cell.special = False
        return started

    return marked_stride
