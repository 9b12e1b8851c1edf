"""Lifecycle: the one door in and the one door out of an actor's life.

`spawn` is how every kind of actor begins; `finish` is how each one ends, once, whatever
the cause. The steps of an end are numbered as in docs/ARCHITECTURE.md. Steps 1 to 4 happen
under the table lock and call no user code, so that nobody sees half an end; steps 5 to 9
happen without it, step 5 in `iris.run.families`. A failure that is no end, because the actor
restarts in place, is handed to `iris.run.restarting`. Long, because the order of these steps is
to be read in one place.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.core.book import EMPTY
from iris.core.cell import (
    ALIVE,
    DEAD,
    RESTARTING,
    STOPPING,
    ActorCell,
    ActorSpec,
    Event,
    Runner,
    State,
    Ties,
    advance,
    is_parked,
    remote_of,
    renewal_of,
)
from iris.core.idle import DORMANT
from iris.core.links import (
    Monitors,
    adopt,
    disown,
    ties_of,
    untie_all,
)
from iris.core.longturns import LongTurn
from iris.core.mailbox import CLOSED, PARENT, Bound, Lock, Ticket
from iris.core.messages import (
    Ending,
    EndMarker,
    ExitReason,
    SystemType,
    end_message,
    unwrapped,
)
from iris.core.names import Names
from iris.core.paths import Paths, checked_path
from iris.core.probes import Probes
from iris.core.table import Table
from iris.core.tally import Fates
from iris.core.timers import Timers
from iris.errors import ActorDead, ActorError, ActorRestarting, RuntimeClosed
from iris.observe.hooks import Hooks
from iris.run.crash import crash_ending, is_interruption
from iris.run.delivery import Delivery
from iris.run.log import Log
from iris.run.requests import Requests
from iris.run.settling import Settling, tell_closed, tell_of_end

Later = Callable[[float, Callable[[], Any]], Any]
Born = Callable[[ActorCell], None]
Restart = Callable[[ActorCell, BaseException, Any, bool], bool]


class Lifecycle:
    """Begins and ends the actors of one runtime. From any thread unless said otherwise."""

    def __init__(
        self,
        table: Table,
        delivery: Delivery,
        requests: Requests,
        fates: Fates,
        names: Names,
        paths: Paths,
        timers: Timers,
        monitors: Monitors,
        hooks: Hooks,
        log: Log,
        settling: Settling,
    ) -> None:
        self._table = table
        self.enlist: Callable[[ActorCell], int] = table.add
        # Where bytes are limited it gives the cell weighed lanes first.
        self._lock = table.lock
        self._delivery = delivery
        self._requests = requests
        self._fates = fates
        self._names = names
        self._paths = paths
        self._timers = timers
        self._monitors = monitors
        self._hooks = hooks
        self._log = log
        self._settling = settling
        self.probes = Probes()
        self.later: Later = _not_assembled
        # Calls something after some seconds, in the carrier's hub.
        self.on_interrupt: Callable[[BaseException], None] = _nothing
        # Given a KeyboardInterrupt that ended a handler.
        self.on_ended: Callable[[], None] = _nothing
        # Called after each complete end; shutdown waits with it.
        self.shutdown_ending = Ending(ExitReason.KILLED, 0)
        # Shared by all that end with the runtime, so that a million ends need no million ties.
        self.orphans: dict[int, ActorCell] = {}
        # Actors that were given up while their code runs on; each leaves when it ends.
        self.resting: dict[int, ActorCell] = {}
        # Under the lock: actors that restart; each leaves when it goes on or ends.
        self.rest_changes = 0
        # Under the lock: raised with each change of `resting`, so that `quiesce` sees it.
        self.closing = False
        # Under the lock; True from the start of shutdown on, when nothing may begin.
        self.refuse: Callable[[], None] = _nothing
        # Raises what a spawn raises then.
        self.on_end: Callable[[ActorCell, Ending], None] = _nothing
        # Step 7 of an actor with ties. From any thread, outside all locks.
        self.observers: Callable[[ActorCell], list[ActorCell]] = _not_assembled
        # Who is told of the end of an actor that has supervisors. Under the table lock.
        self.is_supervisor: Callable[[ActorCell], bool] = _no
        # Whether this actor takes care itself of those below it; then they are not asked to stop
        # with others, but by `ends_children`. From any thread.
        self.ends_children: Callable[[ActorCell], bool] = _no
        # Step 5, outside all locks: True when somebody asks the children of this actor to stop,
        # one by one; its end goes on when the last is gone.
        self.restart: Restart = _no
        self.park: Callable[[ActorCell], bool] = _no
        # See `Restarting.fail` and `Restarting.park`.
        self.end_children: Callable[[ActorCell], None] = _not_assembled
        self.go_on: Callable[[Optional[ActorCell]], None] = _not_assembled
        self.orphan: Callable[[ActorCell], None] = _not_assembled
        # See `Families`.

    # -- the door in ---------------------------------------------------------------------

    def spawn(self, spec: ActorSpec, handler: Any, runner: Runner) -> int:
        """Make an actor without a parent and return its pid."""
        cell = ActorCell(spec, handler, runner)
        if self.closing:
            self.refuse()
        if spec.plain:
            return self.enlist(cell)
        self._prepare(cell, spec)
        pid = self.enlist(cell)
        if spec.slow_start:
            self._start(cell)
        return pid

    def spawn_born(self, spec: ActorSpec, handler: Any, runner: Runner, born: Born) -> int:
        """Make an actor without a parent that `born` is told of before it begins.

        `born` is called with the cell under the table lock, when it is listed and before its
        runner starts; it may set ties. When it raises, the actor never was.
        """
        cell = ActorCell(spec, handler, runner)
        with self._lock:
            if self.closing:
                self.refuse()
            self._prepare(cell, spec)
            pid = self.enlist(cell)
            self._bear(cell, born)
        if spec.slow_start:
            self._start(cell)
        return pid

    def _bear(self, cell: ActorCell, born: Born) -> None:
        try:
            born(cell)
        except BaseException:
            self._take_back(cell)
            raise

    def _prepare(self, cell: ActorCell, spec: ActorSpec) -> None:
        if spec.capacity is not None:
            # The table lock: a send may come from a signal handler or a `__del__` in the middle
            # of another, and with two locks it could take them the wrong way round.
            cell.bind(Bound(spec.capacity, self._lock))
        if spec.idle_timeout_s is not None:
            cell.admission = DORMANT
        if spec.slow_start:
            cell.state = State.STARTING

    def spawn_child(
        self,
        parent_pid: int,
        spec: ActorSpec,
        handler: Any,
        runner: Runner,
        born: Optional[Born] = None,
    ) -> int:
        """Make an actor that ends with its parent.

        `born` is as for `spawn_born`; the cell has its parent by then.

        Raises:
            ActorDead: the parent is stopping, dead or unknown.
            ActorError: it stands for an actor on another node.
            ActorRestarting: the parent is between two handlers.
        """
        cell = ActorCell(spec, handler, runner)
        with self._lock:
            if self.closing:
                self.refuse()
            parent = self._table.get(parent_pid)
            if parent is None or parent.admission is CLOSED:
                raise ActorDead(
                    f"actor {parent_pid} has ended or is stopping and can have no new child"
                )
            if parent.spec.is_remote:
                raise ActorError(
                    f"actor {parent_pid} stands for one on another node and can have no child here"
                )
            if is_parked(parent):
                # Else its rest might never come: nobody would ask this child to stop.
                raise ActorRestarting(
                    f"actor {parent_pid} is restarting and can have no new child now; try again"
                )
            self._prepare(cell, spec)
            pid = self.enlist(cell)
            adopt(parent, cell)
            if parent.admission is None:
                parent.admission = PARENT
            if born is not None:
                self._bear(cell, born)
        if spec.slow_start:
            self._start(cell)
        return pid

    def _start(self, cell: ActorCell) -> None:
        try:
            cell.runner.start(cell)
        except BaseException:
            self._take_back(cell)
            raise
        with self._lock:
            if cell.state is State.STARTING:
                advance(cell, Event.STARTED)

    def _take_back(self, cell: ActorCell) -> None:
        """No half-made actor stays behind: its code has never run."""
        with self._lock:
            parent = disown(cell)
            cell.state = DEAD
            cell.admission = CLOSED
            if cell.ties is not None:
                self.release(cell.ties)
            self._table.take_back(cell)
            joiners = () if cell.ties is None else cell.ties.joiners
        if cell.ties is not None:
            # Whoever was told of it when it was born may have made it known.
            self._tell_partners(cell, Ending(ExitReason.NO_SUCH_ACTOR, cell.pid))
            for joiner in joiners:
                joiner()
        self.go_on(parent)

    # -- asking for an end -----------------------------------------------------------------

    def request_stop(
        self, cell: ActorCell, ending: Ending, only: Optional[State] = None
    ) -> bool:
        """Let no further message start, then end the actor; False when it already is ending.

        Args:
            cell: the actor.
            ending: what its end will be.
            only: also False, and nothing happens, unless it is in this state.
        """
        try:
            with self._lock:
                if cell.state in (STOPPING, DEAD) or only not in (None, cell.state):
                    return False
                tickets = self.make_stopping(cell, ending)
            tell_closed(tickets)
            self._delivery.insist(cell)
        except BaseException:
            # A signal handler raised in between: a stop must not stay half done.
            if cell.state is STOPPING:
                # Perhaps `make_stopping` did not come so far.
                cell.special = True
            self._delivery.insist(cell)
            raise
        return True

    def drain(self, cell: ActorCell, ending: Ending, timeout_s: float) -> bool:
        """Accept nothing more, and end the actor when its queue is empty or the time is over."""
        with self._lock:
            if cell.admission is CLOSED:
                return False
            self._delivery.mark(cell, EndMarker(ending))
            admission, cell.admission = cell.admission, CLOSED
            tickets = admission.close() if type(admission) is Bound else []
        tell_closed(tickets)
        self._delivery.poke(cell)
        self.later(timeout_s, lambda: self.request_stop(cell, ending))
        return True

    def mark_ended(self, cell: ActorCell, marker: EndMarker) -> None:
        """In the turn: the queue has reached an end marker."""
        with self._lock:
            if cell.state in (STOPPING, DEAD):
                return
            tickets = self.make_stopping(cell, marker.ending)
        tell_closed(tickets)

    def make_stopping(self, cell: ActorCell, ending: Ending) -> list[Ticket]:
        """The change itself; those who wait for room have to be told. Under the table lock."""
        advance(cell, Event.STOP)
        if ending is not self.shutdown_ending:
            ties_of(cell).ending = ending
        admission, cell.admission = cell.admission, CLOSED
        cell.special = True
        return admission.close() if type(admission) is Bound else []

    # -- the door out ----------------------------------------------------------------------

    def fail(self, cell: ActorCell, error: BaseException, item: Any, counted: bool) -> None:
        """In the turn: a handler raised. Ends the actor with what the error says, or restarts it.

        Args:
            cell: the actor.
            error: what its code raised.
            item: what it was handling, as it lay in the lane.
            counted: whether that was a user message, which now has the fate `failed` unless it
                is delivered once more.
        """
        if self.restart(cell, error, item, counted):
            return
        if counted:
            self._fates.failed.add()
        if cell.state is not ALIVE and is_interruption(error):
            # The runtime itself interrupted it, after its stop was accepted.
            self.finish_stopped(cell)
            return
        if self.closing and isinstance(error, (RuntimeClosed, ActorDead)):
            # The shutdown caught the handler in the middle of its calls; that is no crash.
            self.finish(cell, self.shutdown_ending)
            return
        renewal = renewal_of(cell)
        restarts = 0 if renewal is None else renewal.restarts
        ending = crash_ending(cell.pid, error, unwrapped(item), restarts)
        self.finish(cell, ending)
        self._log.crashed(cell.pid, ending.reason, error)
        if isinstance(error, KeyboardInterrupt):
            self.on_interrupt(error)

    def finish_stopped(self, cell: ActorCell) -> None:
        """The owner of a STOPPING cell, or of an orphan, has come to a rest."""
        self.finish(cell, self.accepted_ending(cell))

    def accepted_ending(self, cell: ActorCell) -> Ending:
        """What the first accepted stop said."""
        ties = cell.ties
        return self.shutdown_ending if ties is None or ties.ending is None else ties.ending

    def finish(self, cell: ActorCell, ending: Ending) -> None:
        """End an actor, by its owner only, once."""
        with self._lock:
            orphan = cell.state is DEAD
            if not orphan:
                # 1 Dead: from here on nobody gets its pid from a name, no send succeeds.
                advance(cell, Event.FINISH)
            # 2 Close the mailbox. Late senders may still append; the runner buries that.
            admission, cell.admission = cell.admission, CLOSED
            tickets = admission.close() if type(admission) is Bound else []
            left = cell.drain()
            asked = self._requests.release_all(cell)
            ties = cell.ties
            if ties is not None and not orphan:
                self.release(ties)
                ties.pending_end = ending
                self.resting.pop(cell.pid, None)
        tell_closed(tickets)
        self._settling.settle(cell, left)
        tell_of_end(asked, cell, ending)
        if orphan:
            return
        if ties is None:
            self._hooks.call("exit", cell.pid, ending)
            self._retire(cell)
            return
        # 5 The children, deepest first. Its own end goes on when the last has ended.
        self.end_children(cell)

    def stop_all(self, cells: list[ActorCell], ending: Ending) -> None:
        """Ask actors to stop, in this order."""
        for cell in cells:
            self.request_stop(cell, ending)

    def leave(self, cell: ActorCell) -> bool:
        """At the end of a turn that has left the cell not ALIVE: whether nobody has to visit it."""
        if cell.state is DEAD:
            self.bury(cell)
            return True
        return cell.state is RESTARTING and self.park(cell)

    def bury(self, cell: ActorCell) -> None:
        """Settle what senders appended to a DEAD cell too late; see `Settling.bury`."""
        # The turn of an orphan may have ended without a look at its state.
        self.orphans.pop(cell.pid, None)
        self._settling.bury(cell)

    def count_pulled(self, handled: int) -> None:
        """A pull actor has ended that had handled this many messages."""
        self._fates.handled.add_many(handled)

    def report(self, error: BaseException) -> None:
        """Something failed that no actor caused."""
        self._log.failed(error)
        self._hooks.call("error", error)

    def report_long_turn(self, turn: LongTurn) -> None:
        """A turn holds the carrier for too long."""
        self._log.long_turn(turn)
        self._hooks.call("long_turn", turn)

    @property
    def lock(self) -> Lock:
        """The table lock."""
        return self._lock

    def set_resting(self, cell: ActorCell, rests: bool) -> None:
        """Note that an actor begins to restart, or goes on. Under the table lock."""
        self.rest_changes += 1
        if rests:
            self.resting[cell.pid] = cell
        else:
            self.resting.pop(cell.pid, None)

    def cancel_timers(self, ties: Ties) -> None:
        """Timers and probes: nothing may fire for the dead, nor ask after them. Under the lock."""
        for timer in ties.timers:
            self._timers.cancel(timer)
        ties.timers = EMPTY
        self.probes.free_all(ties)

    def release(self, ties: Ties) -> None:
        """Steps 3 and 4. Under the table lock."""
        # 3 Its timers and probes.
        self.cancel_timers(ties)
        # 4 Its names and paths, in the same breath in which it died.
        for name in ties.names:
            self._names.free(name)
        ties.names = EMPTY
        for path in ties.paths:
            self._paths.free(checked_path(path))
        ties.paths = EMPTY

    def complete(self, cell: ActorCell, ending: Ending) -> Optional[ActorCell]:
        """Steps 6 to 9; returns the parent, whose end may wait for this one."""
        # 6 Those who know it: each is told once.
        self._tell_partners(cell, ending)
        # 7 Its supervisors.
        self.on_end(cell, ending)
        # 8 Hooks, which may be slow or raise, when all others know.
        self._hooks.call("exit", cell.pid, ending)
        # 9 Its pid. Last, so that until here the pid named this actor and no other.
        return self._retire(cell)

    def _retire(self, cell: ActorCell) -> Optional[ActorCell]:
        with self._lock:
            parent = disown(cell)
            self._table.remove(cell)
            # Read now: somebody may have begun to join while the end was on its way.
            joiners = () if cell.ties is None else cell.ties.joiners
        for joiner in joiners:
            joiner()
        self.on_ended()
        return parent

    def _tell_partners(self, cell: ActorCell, ending: Ending) -> None:
        with self._lock:
            partners = untie_all(cell)
            monitors = self._monitors.end_all(cell)
            parent = None if cell.ties is None else cell.ties.parent
            # Those who are told of each child: the parent, and observers of its supervisors.
            told = dict.fromkeys([] if parent is None else [parent])
            if cell.ties is not None and cell.ties.seats:
                told.update(dict.fromkeys(self.observers(cell)))
        for monitor in monitors:
            self._delivery.system(monitor.watcher, end_message(SystemType.DOWN, cell.pid, ending))
        for partner in partners:
            remote = remote_of(partner)
            if remote is not None:
                remote.partner_ended(cell, ending)
            elif partner.spec.receives_system:
                if partner not in told:
                    self._delivery.system(partner, end_message(SystemType.EXIT, cell.pid, ending))
            elif ending.reason is not ExitReason.NORMAL:
                self.request_stop(partner, Ending(ending.reason, cell.pid))
        for other in told:
            if other.spec.receives_system:
                self._delivery.system(other, end_message(SystemType.EXIT, cell.pid, ending))


def _not_assembled(*_: Any) -> Any:
    raise AssertionError("the lifecycle was not assembled")


def _nothing(*_: Any) -> None:
    pass


def _no(*_: Any) -> bool:
    return False
