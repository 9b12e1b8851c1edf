"""Lifecycle: the one door in and the one door out of an actor's life.

`spawn` is how every kind of actor begins; `finish` is how each one ends, once, whatever
the cause. The steps of an end are numbered as in docs/ARCHITECTURE.md. Steps 1 to 4 happen
under the table lock and call no user code, so that nobody sees half an end; steps 5 to 9
happen without it. Long, because the order of these steps is to be read in one place.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional

from iris.core.cell import (
    ALIVE,
    DEAD,
    STOPPING,
    ActorCell,
    ActorSpec,
    Event,
    Runner,
    State,
    Ties,
    advance,
)
from iris.core.idle import DORMANT
from iris.core.links import (
    Monitors,
    adopt,
    children_of,
    descendants_deepest_first,
    disown,
    ties_of,
    untie_all,
)
from iris.core.longturns import LongTurn
from iris.core.mailbox import CLOSED, PARENT, Bound, Lock, Ticket, Verdict
from iris.core.messages import (
    Ending,
    EndMarker,
    ExitReason,
    FenceMarker,
    Marker,
    PySystemMessage,
    Request,
    SystemType,
)
from iris.core.names import Names
from iris.core.paths import Paths, checked_path
from iris.core.probes import Probes
from iris.core.supervision import Registers
from iris.core.table import Table
from iris.core.tally import Fates
from iris.core.timers import Timers
from iris.errors import ActorDead, RuntimeClosed
from iris.observe.hooks import Hooks
from iris.run.crash import crash_ending, is_interruption
from iris.run.delivery import Delivery
from iris.run.log import Log
from iris.run.requests import Requests
from iris.run.undelivered import Undelivered

Later = Callable[[float, Callable[[], Any]], Any]


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
        registers: Registers,
        monitors: Monitors,
        hooks: Hooks,
        log: Log,
        undelivered: Undelivered,
        child_timeout_s: float,
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
        self._registers = registers
        self._monitors = monitors
        self._hooks = hooks
        self._log = log
        self._undelivered = undelivered
        self._child_timeout_s = child_timeout_s
        self.probes = Probes()
        self.later: Later = _no_later
        # Calls something after some seconds, in the carrier's hub.
        self.on_interrupt: Callable[[BaseException], None] = _ignore
        # Given a KeyboardInterrupt that ended a handler.
        self.on_ended: Callable[[], None] = _nothing
        # Called after each complete end; shutdown waits with it.
        self.shutdown_ending = Ending(ExitReason.KILLED, 0)
        # Shared by all that end with the runtime, so that a million ends need no million ties.
        self.orphans: dict[int, ActorCell] = {}
        # Actors that were given up while their code runs on; each leaves when it ends.
        self.closing = False
        # Under the lock; True from the start of shutdown on, when nothing may begin.
        self.refuse: Callable[[], None] = _nothing
        # Raises what a spawn raises then.

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

    def _prepare(self, cell: ActorCell, spec: ActorSpec) -> None:
        if spec.capacity is not None:
            # The table lock: a send may come from a signal handler or a `__del__` in the middle
            # of another, and with two locks it could take them the wrong way round.
            cell.bind(Bound(spec.capacity, self._lock))
        if spec.idle_timeout_s is not None:
            cell.admission = DORMANT
        if spec.slow_start:
            cell.state = State.STARTING

    def spawn_child(self, parent_pid: int, spec: ActorSpec, handler: Any, runner: Runner) -> int:
        """Make an actor that ends with its parent.

        Raises:
            ActorDead: the parent is stopping, dead or unknown.
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
            self._prepare(cell, spec)
            pid = self.enlist(cell)
            adopt(parent, cell)
            if parent.admission is None:
                parent.admission = PARENT
        if spec.slow_start:
            self._start(cell)
        return pid

    def _start(self, cell: ActorCell) -> None:
        try:
            cell.runner.start(cell)
        except BaseException:
            # No half-made actor stays behind: its code has never run, nobody knew its pid.
            with self._lock:
                parent = disown(cell)
                cell.state = DEAD
                cell.admission = CLOSED
                self._table.take_back(cell)
            self._go_on(parent)
            raise
        with self._lock:
            if cell.state is State.STARTING:
                advance(cell, Event.STARTED)

    # -- asking for an end -----------------------------------------------------------------

    def request_stop(self, cell: ActorCell, ending: Ending) -> bool:
        """Let no further message start, then end the actor; False when it already is ending."""
        try:
            with self._lock:
                if cell.state in (STOPPING, DEAD):
                    return False
                tickets = self._make_stopping(cell, ending)
            _tell(tickets)
            self._delivery.insist(cell)
        except BaseException:
            # A signal handler raised in between: a stop must not stay half done.
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
        _tell(tickets)
        self._delivery.poke(cell)
        self.later(timeout_s, lambda: self.request_stop(cell, ending))
        return True

    def mark_ended(self, cell: ActorCell, marker: EndMarker) -> None:
        """In the turn: the queue has reached an end marker."""
        with self._lock:
            if cell.state in (STOPPING, DEAD):
                return
            tickets = self._make_stopping(cell, marker.ending)
        _tell(tickets)

    def _make_stopping(self, cell: ActorCell, ending: Ending) -> list[Ticket]:
        advance(cell, Event.STOP)
        if ending is not self.shutdown_ending:
            ties_of(cell).ending = ending
        admission, cell.admission = cell.admission, CLOSED
        cell.special = True
        return admission.close() if type(admission) is Bound else []

    # -- the door out ----------------------------------------------------------------------

    def fail(self, cell: ActorCell, error: BaseException, message: Any, counted: bool) -> None:
        """In the turn: a handler raised. Ends the actor with what the error says.

        Args:
            cell: the actor.
            error: what its code raised.
            message: what it was handling.
            counted: whether that was a user message, which now has the fate `failed`.
        """
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
        ending = crash_ending(cell.pid, error, message)
        self.finish(cell, ending)
        self._log.crashed(cell.pid, ending.reason, error)
        if isinstance(error, KeyboardInterrupt):
            self.on_interrupt(error)

    def finish_stopped(self, cell: ActorCell) -> None:
        """The owner of a STOPPING cell, or of an orphan, has come to a rest."""
        self.finish(cell, self._accepted_ending(cell))

    def _accepted_ending(self, cell: ActorCell) -> Ending:
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
                self._release(ties)
                ties.pending_end = ending
        _tell(tickets)
        self._settle(cell, left)
        _tell_askers(asked, cell, ending)
        if orphan:
            self.orphans.pop(cell.pid, None)
            return
        if ties is None:
            self._hooks.call("exit", cell.pid, ending)
            self._retire(cell)
            return
        # 5 The children, deepest first. Its own end goes on when the last has ended.
        self.stop_all(descendants_deepest_first(cell), Ending(ExitReason.KILLED, cell.pid))
        self._wait_for_children(cell)

    def stop_all(self, cells: list[ActorCell], ending: Ending) -> None:
        """Ask actors to stop, in this order."""
        for cell in cells:
            self.request_stop(cell, ending)

    def bury(self, cell: ActorCell) -> None:
        """Settle what senders appended to a DEAD cell too late.

        By its owner, and for pull actors by the late senders themselves: hence one message
        at a time, each taken in one step.
        """
        take = cell.user.popleft if isinstance(cell.user, deque) else _pop_first(cell.user)
        # An orphan's turn may have left some of its batch; pull actors never have.
        left = cell.take_rest()
        while True:
            while cell.user:
                try:
                    left.append(take())
                except IndexError:
                    break
            self._settle(cell, left)
            left = []
            cell.special = False
            cell.ready = False
            # Not ready first, THEN a look, as at the end of every turn.
            if not cell.user or cell.ready:
                return
            cell.ready = True

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

    def _release(self, ties: Ties) -> None:
        # 3 Its timers and probes: nothing may fire for the dead, nor ask after them.
        self.probes.free_all(ties)
        for timer in ties.timers:
            self._timers.cancel(timer)
        ties.timers.clear()
        # 4 Its names and paths, in the same breath in which it died.
        for name in ties.names:
            self._names.free(name)
        ties.names.clear()
        for path in ties.paths:
            self._paths.free(checked_path(path))
        ties.paths.clear()

    def _settle(self, cell: ActorCell, left: list[Any]) -> None:
        """Give what was still queued its fate."""
        if not left:
            return
        expired = 0
        for item in left:
            if not isinstance(item, Marker):
                expired += 1
            elif type(item) is FenceMarker:
                item.reached()
        self._fates.expired.add_many(expired)
        self._undelivered.expired(cell.pid, left, expired)

    def _go_on(self, cell: Optional[ActorCell]) -> None:
        """Complete the end of a cell whose children are gone, then its parent's, and so on.

        A loop: the ends of a long line of ancestors must not nest.
        """
        while cell is not None:
            with self._lock:
                ties = cell.ties
                if ties is None or ties.pending_end is None or ties.children:
                    return
                ending, ties.pending_end = ties.pending_end, None
            cell = self._complete(cell, ending)

    def _complete(self, cell: ActorCell, ending: Ending) -> Optional[ActorCell]:
        """Steps 6 to 9; returns the parent."""
        # 6 Those who know it: each is told once.
        self._tell_partners(cell, ending)
        with self._lock:
            # 7 Its supervisors.
            self._registers.forget(cell)
        # 8 Hooks, which may be slow or raise, when all others know.
        self._hooks.call("exit", cell.pid, ending)
        # 9 Its pid. Last, so that until here the pid named this actor and no other.
        return self._retire(cell)

    def _retire(self, cell: ActorCell) -> Optional[ActorCell]:
        with self._lock:
            parent = disown(cell)
            self._table.remove(cell)
            # Read now: somebody may have begun to join while the end was on its way.
            joiners = [] if cell.ties is None else cell.ties.joiners
            if parent is not None and parent.admission is PARENT and not children_of(parent):
                parent.admission = None
        for joiner in joiners:
            joiner()
        self.on_ended()
        return parent

    def _tell_partners(self, cell: ActorCell, ending: Ending) -> None:
        with self._lock:
            partners = untie_all(cell)
            monitors = self._monitors.end_all(cell)
            parent = None if cell.ties is None else cell.ties.parent
        for monitor in monitors:
            self._delivery.system(monitor.watcher, system_message(SystemType.DOWN, cell, ending))
        for partner in partners:
            if partner.spec.receives_system:
                if partner is not parent:
                    self._delivery.system(partner, system_message(SystemType.EXIT, cell, ending))
            elif ending.reason is not ExitReason.NORMAL:
                self.request_stop(partner, Ending(ending.reason, cell.pid))
        if parent is not None and parent.spec.receives_system:
            self._delivery.system(parent, system_message(SystemType.EXIT, cell, ending))

    def _wait_for_children(self, cell: ActorCell) -> None:
        """Go on with an end that waits for children, or look again when their time is over."""
        self._go_on(cell)
        if cell.ties is not None and cell.ties.pending_end is not None:
            self.later(self._child_timeout_s, lambda: self._give_up_children(cell))

    def _give_up_children(self, cell: ActorCell) -> None:
        """A parent's end has waited long enough: interrupt its blocked children, go on without."""
        with self._lock:
            ties = cell.ties
            if ties is None or ties.pending_end is None:
                return
        patience_s = 0.0
        for child in children_of(cell):
            if child.running:
                patience_s = max(patience_s, child.runner.kill(child) or 0.0)
        self.later(patience_s, lambda: self._abandon(cell))

    def _abandon(self, cell: ActorCell) -> None:
        """Children whose code cannot be interrupted are orphaned, and the end goes on.

        One that is merely queued for the carrier (`running` is 0) comes to its end by itself.
        """
        for child in children_of(cell):
            if child.running or child.runner.kill(child) is None:
                self.orphan(child)
        self._wait_for_children(cell)

    def orphan(self, cell: ActorCell) -> None:
        """End an actor whose code cannot be interrupted: dead to the API, although it runs on.

        What is left of its mailbox is settled by its owner when that comes back, if ever.
        """
        with self._lock:
            if cell.state is not STOPPING:
                return
            advance(cell, Event.FINISH)
            ties = ties_of(cell)
            self._release(ties)
            ending = ties.pending_end = self._accepted_ending(cell)
            self.orphans[cell.pid] = cell
            asked = self._requests.release_all(cell)
        _tell_askers(asked, cell, ending)
        self._log.orphaned(cell.pid)
        self._hooks.call("orphan", cell.pid)
        # It may have been given children until its stop was accepted.
        self.stop_all(descendants_deepest_first(cell), Ending(ExitReason.KILLED, cell.pid))
        self._abandon(cell)


def system_message(kind: SystemType, cell: ActorCell, ending: Ending) -> PySystemMessage:
    """The news of an end."""
    return PySystemMessage(kind, ending.by, cell.pid, ending.reason, ending.metadata)


def _pop_first(lane: list[Any]) -> Callable[[], Any]:
    return lambda: lane.pop(0)


def _tell(tickets: list[Ticket]) -> None:
    for ticket in tickets:
        ticket.settle(Verdict.CLOSED)


def _tell_askers(asked: list[Request], cell: ActorCell, ending: Ending) -> None:
    for request in asked:
        text = f"actor {cell.pid} ended ({ending.reason}) before it answered"
        request.settle((False, ActorDead(text)))


def _no_later(*_: Any) -> Any:
    raise AssertionError("the lifecycle was not assembled")


def _ignore(_: BaseException) -> None:
    pass


def _nothing() -> None:
    pass
