"""The one authority over restarts: what is done about a child that has ended or failed.

Whatever happens to a supervised actor becomes an event, and the events are worked off one after
the other in the carrier's hub. So no two decisions are ever made at once, whichever threads
the actors run on. What is to be done is decided in `iris.core.restart`; in which order, in
`iris.run.rounds`; how one child ends or begins, in `iris.run.childends` and
`iris.run.childstarts`. Over 400 lines, because all that can happen to a child is to be read in one
place.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.core.cell import DEAD, ActorCell
from iris.core.links import children_of
from iris.core.mailbox import CLOSED
from iris.core.messages import Ending, ExitReason, PySystemMessage, SystemType
from iris.core.restart import Restart, Strategy, affected, backoff_s
from iris.core.supervision import (
    Child,
    ChildReport,
    Group,
    Groups,
    Phase,
    fill,
    is_supervisor,
    seats_of,
    vacate,
)
from iris.core.table import Table
from iris.errors import IrisError, NodeUnreachable, RuntimeClosed
from iris.observe.hooks import Hooks
from iris.run.carrier import Carrier
from iris.run.childends import ChildEnds
from iris.run.childstarts import ChildStarts
from iris.run.crash import start_failed
from iris.run.delivery import Delivery
from iris.run.events import Events
from iris.run.lifecycle import Lifecycle
from iris.run.log import Log
from iris.run.rounds import Done, Rounds


class Authority:
    """Restarts the children of one runtime.

    All methods with a leading underscore run in the hub, as events.
    """

    def __init__(
        self,
        table: Table,
        lifecycle: Lifecycle,
        delivery: Delivery,
        carrier: Carrier,
        groups: Groups,
        events: Events,
        ends: ChildEnds,
        starts: ChildStarts,
        hooks: Hooks,
        log: Log,
        clock: Callable[[], float],
        luck: Callable[[], float],
        child_timeout_s: float,
    ) -> None:
        self._table = table
        self._lock = table.lock
        self._lifecycle = lifecycle
        self._delivery = delivery
        self._groups = groups
        self._put = events.put
        self._ends = ends
        self._starts = starts
        self._hooks = hooks
        self._log = log
        self._clock = clock
        self._luck = luck
        self._child_timeout_s = child_timeout_s
        self._rounds = Rounds(carrier, ends.end, self._make)
        self.restarts = 0
        # Restarts that have succeeded.
        starts.rested, starts.start_group = self.rested, self._start_group
        starts.is_up, starts.failed = self._is_up, self._start_failed
        starts.waits = self._rounds.proceed_with

    # -- from any thread -----------------------------------------------------------------------

    def ended(self, cell: ActorCell, ending: Ending) -> None:
        """Step 7 of an end: an actor leaves the seats that it filled."""
        with self._lock:
            seats = seats_of(cell)
            for child in seats:
                vacate(child)
                if child.is_watched and child.strategy is Strategy.ONE:
                    # Nobody has to do anything.
                    child.group.strike(child)
                elif not child.is_struck and child.group.cell is None:
                    self._groups.waiting[cell.pid] = child
        for child in seats:
            if not child.is_struck:
                # Without the ending: with it all frames of the failure would wait in the queue.
                self._put(self._ended, child, ending.reason)

    def observers(self, cell: ActorCell) -> list[ActorCell]:
        """Who is told of the end of this actor, and of its swaps. Under the table lock."""
        observers = []
        for child in seats_of(cell):
            pid = 0 if child.is_struck else child.group.observer
            observer = self._table.get(pid)
            if observer is not None and observer is not cell:
                observers.append(observer)
        return observers

    def swapped(self, cell: ActorCell, version: int) -> None:
        """By the owner: another behaviour has begun."""
        with self._lock:
            observers = dict.fromkeys(self.observers(cell))
        for observer in observers:
            news = PySystemMessage(
                SystemType.HOT_SWAP, cell.pid, cell.pid, None, {"version": version}
            )
            self._delivery.system(observer, news)

    def rested(self, child: Child, cell: ActorCell) -> None:
        """The actor in this seat has come to rest and can be given a new handler."""
        self._put(self._rested, child, cell)

    def ends_children(self, cell: ActorCell) -> bool:
        """Step 5 of an end: whether this is a supervisor, whose children end one by one."""
        ties = cell.ties
        group = None if ties is None else ties.charge
        if group is None:
            return False
        self._put(self._end_group, group)
        return True

    def start_group(self, group: Group, done: Done) -> None:
        """Start the children of a new supervisor, which ends if one cannot be started.

        `done` is told in the hub.
        """
        self._put(self._start_group, group, done)

    def start(self, child: Child, done: Done) -> None:
        """Start one child more, which leaves if it cannot be started; `done` is told in the hub."""
        self._put(self._rounds.begin, [child], 0.0, (done,))

    def remove(self, child: Child, done: Done) -> None:
        """End a child and strike it off; `done` is told in the hub."""
        self._put(self._remove, child, done)

    def struck(self, child: Child, cell: Optional[ActorCell]) -> None:
        """A child was struck off; `cell` is the actor that was in its seat."""
        self._put(self._struck, child, cell)

    # -- what has happened ---------------------------------------------------------------------

    def _remove(self, child: Child, done: Done) -> None:
        if child.is_watched:
            # It is not this supervisor's to end.
            self._drop(child)
        child.wanted = False
        self._wait_no_more(child)
        self._rounds.begin([child], 0.0, (done,))

    def _ended(self, child: Child, reason: ExitReason) -> None:
        if child.is_struck or child.cell is not None:
            return
        before = child.phase
        stays = child.restart.wants(reason)
        if before is Phase.MAKING and stays:
            # It was at rest and was stopped. Its factory is at work; see `_made`.
            return
        self._ends.came_down(child, Phase.DOWN)
        if before is Phase.UP:
            self._failed(child, reason)
        elif before is Phase.ENDING or stays:
            self._rounds.proceed_with(child)
        else:
            # It was at rest, and somebody has stopped it for good.
            self._leave(child)

    def _rested(self, child: Child, cell: ActorCell) -> None:
        if child.is_struck:
            # It was struck off on its way to rest.
            self._ends.let_end(cell)
            return
        renewal = None if cell.ties is None else cell.ties.renewal
        if child.cell is not cell or renewal is None:
            return
        before = child.phase
        self._ends.came_down(child, Phase.REST)
        if self._ends_soon(child.group):
            child.phase = Phase.ENDING
            self._ends.let_end(cell)
        elif before is Phase.UP and renewal.ending is not None:
            self._failed(child, renewal.ending.reason, counted=not renewal.quarantined)
        else:
            self._rounds.proceed_with(child)

    def _failed(self, child: Child, reason: ExitReason, counted: bool = True) -> None:
        """A child is down although nobody here has asked it to end."""
        group = child.group
        child.reason = reason
        if self._ends_soon(group):
            self._rounds.proceed_with(child)
            return
        if child.round is not None and child.round.is_ending:
            # It would have been ended now anyway, for another that had failed.
            going = child.round
            late = [each for each in self._concerned(child) if each.round is not going]
            if late and child.wanted and child.restart.wants(reason):
                # They came after that, and this failure concerns them, too.
                self._rounds.begin([child, *late], going.pause_s, (), going.by)
            else:
                self._rounds.proceed(going)
            return
        if not (child.wanted and child.restart.wants(reason)):
            self._leave(child)
            return
        if child.is_watched:
            # It does not come back, and its siblings start anew without it.
            members = [member for member in self._concerned(child) if member is not child]
            self._leave(child)
            if members:
                self._rounds.begin(members, 0.0, (), child.pid)
            return
        self._restart(child, reason, counted)

    def _ends_soon(self, group: Group) -> bool:
        """Whether nothing is restarted any more: its stop was accepted, or all is shut down."""
        ends = group.cell is not None and group.cell.admission is CLOSED
        return group.over or ends or self._lifecycle.closing

    def _restart(self, child: Child, reason: ExitReason, counted: bool = True) -> None:
        group = child.group
        now = self._clock()
        if counted and not group.admits(child, now):
            self._give_up(child, group, reason)
            return
        self._rounds.begin(self._concerned(child), self._pause_s(child, now), (), child.pid)

    def _pause_s(self, child: Child, now: float) -> float:
        """How long to wait before it is started again."""
        group = child.group
        lived = now - child.started_s > group.within_s
        child.failures = 1 if lived else child.failures + 1
        return backoff_s(group.backoff_s, child.failures, self._luck())

    def _concerned(self, child: Child) -> list[Child]:
        """Who is restarted with a child, itself among them."""
        group = child.group
        if child.strategy is Strategy.ONE:
            return [child]
        with self._lock:
            if child.is_struck:
                # Just now; the event is on its way.
                return [child]
            children = [
                each for each in group.children.values() if each.make is not None or each is child
            ]
        return affected(child.strategy, children, child)

    def _give_up(self, child: Child, group: Group, reason: ExitReason) -> None:
        """There were too many restarts."""
        report = self._report(child, child.pid, reason)
        self._log.gave_up(report, group.max_restarts, group.within_s)
        if group.cell is not None:
            crash = Ending(ExitReason.CRASH, group.cell.pid, lambda: _why(report, group))
            self._end_supervisor(group, crash)
        else:
            self._leave(child)
        self._hooks.call("give_up", report)

    def _end_supervisor(self, group: Group, ending: Ending) -> None:
        """A supervisor ends by what has become of its children."""
        assert group.cell is not None
        with self._lock:
            # Nothing is restarted from now on; its end brings the rest, see `ends_children`.
            group.over = True
        self._lifecycle.request_stop(group.cell, ending)

    def _leave(self, child: Child) -> None:
        """A child that is down does not come back."""
        self._drop(child)
        self._rounds.proceed_with(child)

    def _drop(self, child: Child) -> None:
        with self._lock:
            cell = child.cell
            if not child.is_struck:
                child.group.strike(child)
                self._groups.forget(child)
        self._wind_up(child, cell)

    def _struck(self, child: Child, cell: Optional[ActorCell]) -> None:
        self._wind_up(child, cell)
        self._rounds.proceed_with(child)
        above = None if cell is None or cell.ties is None else cell.ties.parent
        group = None if above is None or above.ties is None else above.ties.charge
        if cell is not None and group is not None and group.over:
            # In the middle of the end of the supervisor, whose child it still is.
            self._rounds.begin([self._charge_with(group, cell)], 0.0, ())

    def _wind_up(self, child: Child, cell: Optional[ActorCell]) -> None:
        self._ends.came_down(child, Phase.DOWN)
        if cell is not None:
            # If it restarts, or rests; in whichever phase another thread has struck it off.
            self._ends.let_end(cell)

    # -- the end of a supervisor ---------------------------------------------------------------

    def _end_group(self, group: Group) -> None:
        """A supervisor ends, and its children before it."""
        assert group.cell is not None
        with self._lock:
            group.over = True
            for child in list(group.children.values()):
                if child.is_watched:
                    # It is not this supervisor's to end.
                    group.strike(child)
            members = list(group.children.values())
        kept = {child.pid for child in members if child.cell is not None}
        others = [cell for cell in children_of(group.cell) if cell.pid not in kept]
        for child in members:
            self._wait_no_more(child)
        # Children that nobody supervises: they were added by hand, or unsupervised since.
        members += [self._charge_with(group, cell) for cell in others]
        for done in self._rounds.begin_last(members):
            done(IrisError("the supervisor ended before the child was started"))

    def _wait_no_more(self, child: Child) -> None:
        """A child that ends for good waits for no factory: what that makes is discarded."""
        cell = child.cell
        if child.phase not in (Phase.REST, Phase.MAKING):
            return
        if cell is None:
            child.phase = Phase.DOWN
        elif is_supervisor(cell):
            # A supervisor whose children are being started: it is ended as one that is up.
            child.phase = Phase.UP
        else:
            child.phase = Phase.ENDING
            self._ends.let_end(cell)

    def _charge_with(self, group: Group, cell: ActorCell) -> Child:
        child = Child(
            group, f"actor {cell.pid}", None, Strategy.ONE, Restart.TEMPORARY, self._child_timeout_s
        )
        with self._lock:
            if cell.state is not DEAD:
                group.add(child)
                fill(child, cell)
                child.phase = Phase.UP
        return child

    # -- starts --------------------------------------------------------------------------------

    def _make(self, child: Child) -> bool:
        """Begin to make a child; False when it does not come back."""
        group = child.group
        if self._ends_soon(group):
            # The end of the supervisor, or of the runtime, sees to it.
            for done in child.round.dones:
                done(
                    RuntimeClosed("the runtime is shutting down")
                    if self._lifecycle.closing
                    else IrisError("the supervisor ended before the child was started")
                )
            child.round.dones = ()
            return False
        if not child.wanted or (child.restart is Restart.TEMPORARY and child.pid):
            # It has lived its life.
            if child.phase is Phase.REST and child.cell is not None:
                # Its actor has not. It is struck off when that has ended.
                child.phase = Phase.ENDING
                self._ends.let_end(child.cell)
                return True
            self._drop(child)
            return False
        self._starts.make(child)
        return True

    def _is_up(self, child: Child, previous: int) -> None:
        child.started_s = self._clock()
        child.reason, reason = None, child.reason
        if previous:
            child.restarts += 1
            self.restarts += 1
            report = self._report(child, previous, reason)
            self._hooks.call("restart", report)
        self._rounds.proceed_with(child)

    def _start_failed(self, child: Child, error: BaseException) -> None:
        """A child could not be started."""
        going, group = child.round, child.group
        if going.dones and not child.pid:
            # Its first start: whoever waits for it is told, and it is not tried again.
            self._rounds.close(going)
            self._leave(child)
            for told in going.dones:
                told(start_failed(child.id, error))
            others = [each for each in going.members if each.phase in (Phase.DOWN, Phase.REST)]
            if others and not group.over:
                self._rounds.begin(others, 0.0, ())
            return
        if self._ends_soon(group):
            self._rounds.proceed(going)
            return
        child.started_s = self._clock()
        if isinstance(error, NodeUnreachable):
            # Not yet: its node is away, for however long, and nobody here has failed.
            self._log.start_waits(child.id, error)
            self._rounds.begin([child], self._pause_s(child, child.started_s), (), going.by)
            return
        self._log.start_failed(child.id, error)
        self._restart(child, ExitReason.PANIC)

    def _start_group(self, group: Group, done: Done) -> None:
        def told(error: Optional[BaseException]) -> None:
            if error is not None:
                assert group.cell is not None
                self._end_supervisor(group, Ending(ExitReason.CRASH, group.cell.pid))
            done(error)

        with self._lock:
            members = list(group.children.values())
        self._rounds.begin(members, 0.0, (told,))

    def _report(self, child: Child, previous: int, reason: Optional[ExitReason]) -> ChildReport:
        return ChildReport(child.group.key, child.id, child.pid, previous, reason, child.restarts)


def _why(report: ChildReport, group: Group) -> dict[str, Any]:
    """The metadata of the crash of a supervisor."""
    return {
        "exception_type": "RestartLimit",
        "message": f"child {report.child!r} made it restart more than {group.max_restarts} times"
        f" within {group.within_s:g} s",
        "child": report.child,
        "child_pid": report.pid,
        "child_reason": None if report.reason is None else str(report.reason),
    }
