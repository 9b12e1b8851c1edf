"""The one authority over restarts: what is done about a child that has ended or failed.

Whatever happens to a supervised actor becomes an event in one queue, and the events are
worked off one after the other in the carrier's hub, a few milliseconds at a time. So no two
decisions are ever made at once, whichever threads the actors run on, and a storm of failures
cannot hold the hub. What is to be done is decided in `iris.core.restart`; this module carries
it out, through `Lifecycle` and `Restarting`, which know how an actor ends and comes to rest.

A restart goes in rounds: 1 the children concerned end or come to rest, the youngest first,
each after the next younger one; 2 a pause; 3 they are started in their order, each after the
next older one. A failure in the middle begins a round anew, for all that are concerned by then.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional

from iris.core.cell import DEAD, RESTARTING, ActorCell
from iris.core.childspec import ChildSpec, SupervisorSpec
from iris.core.links import children_of, ties_of
from iris.core.mailbox import CLOSED
from iris.core.messages import Ending, ExitReason, PySystemMessage, SystemType
from iris.core.renewal import Renewal
from iris.core.restart import Restart, Strategy, affected, backoff_s
from iris.core.supervision import Child, ChildReport, Group, Groups, Phase, fill, places_of, vacate
from iris.core.table import Table
from iris.errors import BadInput, IrisError
from iris.observe.hooks import Hooks
from iris.run.carrier import Carrier
from iris.run.crash import text_of
from iris.run.delivery import Delivery
from iris.run.factories import Factories
from iris.run.lifecycle import Lifecycle
from iris.run.log import Log
from iris.run.restarting import Restarting

WORK_S = 0.001
"""How long events are worked off at a time; then turns, timers and sockets have theirs."""

HURRY_S = 0.05
"""What a child has to end when its supervisor is itself over its time."""

LOOK_AGAIN_S = 1.0
"""Between two looks at a child that is over its time and can only be waited for."""

Spawn = Callable[[int, ChildSpec, Any, Callable[[ActorCell], None]], int]
# (parent's pid, spec, handler, born) -> pid
SpawnGroup = Callable[[Child, SupervisorSpec], Group]
Done = Callable[[Optional[BaseException]], Any]


class Round:
    """A restart under way: of one child, or of several as one."""

    __slots__ = ("at", "dones", "ending", "members", "over", "pause_s", "timer")

    def __init__(self, members: list[Child], pause_s: float, dones: list[Done]) -> None:
        self.members = members
        # In the order of their start.
        self.pause_s = pause_s
        self.dones = dones
        # Told when all have been started, or why one could not be started for the first time.
        self.ending = True
        # Step 1 is under way; else step 2 or 3.
        self.at = len(members)
        # Step 1: those from here on are down. Step 3: those before it are up.
        self.timer: Any = None
        # Runs in step 2.
        self.over = False


class Authority:
    """Restarts the children of one runtime.

    All methods with a leading underscore run in the hub, from the queue of events.
    """

    def __init__(
        self,
        table: Table,
        lifecycle: Lifecycle,
        delivery: Delivery,
        restarting: Restarting,
        groups: Groups,
        factories: Factories,
        hooks: Hooks,
        log: Log,
        clock: Callable[[], float],
        luck: Callable[[], float],
        carrier: Carrier,
        child_timeout_s: float,
    ) -> None:
        self._table = table
        self._lock = table.lock
        self._lifecycle = lifecycle
        self._delivery = delivery
        self._restarting = restarting
        self._groups = groups
        self._factories = factories
        self._hooks = hooks
        self._log = log
        self._clock = clock
        self._luck = luck
        self._carrier = carrier
        self._child_timeout_s = child_timeout_s
        self.spawn: Spawn = _not_assembled
        # Makes an actor of a spec.
        self.spawn_group: SpawnGroup = _not_assembled
        # Makes the actor that a nested supervisor is.
        self.restarts = 0
        # Restarts that have succeeded.
        self._events: deque[Callable[[], None]] = deque()
        # Any thread appends, the hub pops.
        self._awake = False
        # True while the hub will look at the queue by itself.

    # -- from any thread -----------------------------------------------------------------------

    def ended(self, cell: ActorCell, ending: Ending) -> None:
        """Step 7 of an end: an actor leaves the places that it filled."""
        with self._lock:
            places = places_of(cell)
            for child in places:
                vacate(child)
                if child.is_watched and child.strategy is Strategy.ONE:
                    # Nobody has to do anything.
                    assert child.group is not None
                    child.group.strike(child)
                elif child.group is not None and child.group.cell is None:
                    self._groups.waiting[cell.pid] = child
        for child in places:
            if child.group is not None:
                self.put(lambda child=child: self._ended(child, ending))  # type: ignore[misc]

    def observers(self, cell: ActorCell) -> list[ActorCell]:
        """Who is told of the end of this actor, and of its swaps. Under the table lock."""
        observers = []
        for child in places_of(cell):
            pid = 0 if child.group is None else child.group.observer
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
        """The actor in this place has come to rest and can be given a new handler."""
        self.put(lambda: self._rested(child, cell))

    def ends_children(self, cell: ActorCell) -> bool:
        """Step 5 of an end: whether this is a supervisor, whose children end one by one."""
        ties = cell.ties
        group = None if ties is None else ties.charge
        if group is None:
            return False
        self.put(lambda: self._end_group(group))
        return True

    def start_group(self, group: Group, done: Done) -> None:
        """Start the children of a new supervisor, which ends if one cannot be started.

        `done` is told in the hub.
        """
        self.put(lambda: self._start_group(group, done))

    def start(self, child: Child, done: Done) -> None:
        """Start one child more, which leaves if it cannot be started; `done` is told in the hub."""
        self.put(lambda: self._begin([child], 0.0, [done]))

    def remove(self, child: Child, done: Done) -> None:
        """End a child and strike it off; `done` is told in the hub."""

        def remove() -> None:
            child.wanted = False
            self._begin([child], 0.0, [done])

        self.put(remove)

    def struck(self, child: Child, cell: Optional[ActorCell]) -> None:
        """A child was struck off; `cell` is the actor that was in its place."""
        self.put(lambda: self._struck(child, cell))

    def put(self, event: Callable[[], None]) -> None:
        """Have something done in the hub, after what was put before."""
        self._events.append(event)
        # Queued first, THEN a look: the hub looks once more after it has cleared the flag.
        if not self._awake:
            self._awake = True
            self._carrier.post(self._work)

    # -- the queue -----------------------------------------------------------------------------

    def _work(self) -> None:
        self._awake = True
        events, clock = self._events, self._clock
        end = clock() + WORK_S
        while events:
            event = events.popleft()
            try:
                event()
            except BaseException as error:  # noqa: BLE001  # The pump of events.
                self._lifecycle.report(error)
            if clock() > end:
                break
        if not events:
            self._awake = False
            # Cleared first, THEN a look: who has put an event before has not woken the hub.
            if not events:
                return
            self._awake = True
        self._carrier.post(self._work)

    # -- what has happened -----------------------------------------------------------------------

    def _ended(self, child: Child, ending: Ending) -> None:
        if child.group is None or child.cell is not None:
            return
        before = child.phase
        stays = child.restart.wants(ending.reason)
        if before is Phase.MAKING and stays:
            # It was at rest and was stopped. Its factory is at work; see `_made`.
            return
        self._came_down(child, Phase.DOWN)
        if before is Phase.UP:
            self._failed(child, ending)
        elif before is Phase.ENDING or stays:
            self._proceed_with(child)
        else:
            # It was at rest, and somebody has stopped it for good.
            self._leave(child)

    def _rested(self, child: Child, cell: ActorCell) -> None:
        if child.group is None:
            # It was struck off on its way to rest.
            self._let_end(cell)
            return
        renewal = None if cell.ties is None else cell.ties.renewal
        if child.cell is not cell or renewal is None:
            return
        before = child.phase
        self._came_down(child, Phase.REST)
        if child.group.over or self._lifecycle.closing:
            child.phase = Phase.ENDING
            self._let_end(cell)
        elif before is Phase.UP and renewal.ending is not None:
            self._failed(child, renewal.ending, counted=not renewal.quarantined)
        else:
            self._proceed_with(child)

    def _came_down(self, child: Child, phase: Phase) -> None:
        child.phase = phase
        if child.timer is not None:
            child.timer.close()
            child.timer = None

    def _failed(self, child: Child, ending: Ending, counted: bool = True) -> None:
        """A child is down although nobody here has asked it to end."""
        group = child.group
        child.reason = ending.reason
        assert group is not None
        if group.over or self._lifecycle.closing:
            self._proceed_with(child)
            return
        if not (child.wanted and child.restart.wants(ending.reason)):
            self._leave(child)
            return
        if child.is_watched:
            # It does not come back, and its siblings start anew without it.
            members = [member for member in self._concerned(child) if member is not child]
            self._leave(child)
            if members:
                self._begin(members, 0.0, [])
            return
        self._restart(child, ending, counted)

    def _restart(self, child: Child, ending: Ending, counted: bool = True) -> None:
        group = child.group
        assert group is not None
        now = self._clock()
        if counted and not group.window(child).admit(now):
            self._give_up(child, group, ending)
            return
        lived = now - child.started_s > group.within_s
        child.failures = 1 if lived else child.failures + 1
        pause_s = backoff_s(group.backoff_s, child.failures, self._luck())
        self._begin(self._concerned(child), pause_s, [])

    def _concerned(self, child: Child) -> list[Child]:
        """Who is restarted with a child, itself among them."""
        group = child.group
        assert group is not None
        if child.strategy is Strategy.ONE:
            return [child]
        with self._lock:
            children = [
                each for each in group.children.values() if each.make is not None or each is child
            ]
        return affected(child.strategy, children, child)

    def _give_up(self, child: Child, group: Group, ending: Ending) -> None:
        """There were too many restarts."""
        report = self._report(child, child.pid, ending.reason)
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
        with self._lock:
            group, cell = child.group, child.cell
            if group is None:
                return
            group.strike(child)
            if self._groups.waiting.get(child.pid) is child:
                del self._groups.waiting[child.pid]
        self._struck(child, cell)

    def _struck(self, child: Child, cell: Optional[ActorCell]) -> None:
        at_rest = child.phase in (Phase.REST, Phase.MAKING)
        self._came_down(child, Phase.DOWN)
        if cell is not None and at_rest:
            self._let_end(cell)
        self._proceed_with(child)

    def _let_end(self, cell: ActorCell) -> None:
        """Nobody gives this actor a new handler: if it is at rest, it ends as it had failed."""
        renewal = None if cell.ties is None else cell.ties.renewal
        if renewal is not None and renewal.ending is not None:
            self._restarting.give_up(cell, renewal.ending)
        elif renewal is not None:
            by = cell.pid if cell.ties is None or cell.ties.parent is None else cell.ties.parent.pid
            self._restarting.give_up(cell, Ending(ExitReason.KILLED, by))

    # -- rounds ------------------------------------------------------------------------------------

    def _begin(self, members: list[Child], pause_s: float, dones: list[Done]) -> None:
        """Begin a round for these, and for those of the rounds that they are part of."""
        earlier = {id(child.round): child.round for child in members if child.round is not None}
        if earlier:
            chosen = {child.order: child for child in members}
            for other in earlier.values():
                for child in other.members:
                    chosen[child.order] = child
                dones = other.dones + dones
                self._close(other)
            members = [chosen[order] for order in sorted(chosen)]
        begun = Round(members, pause_s, dones)
        for child in members:
            child.round = begun
        self._proceed(begun)

    def _close(self, closed: Round) -> None:
        closed.over = True
        if closed.timer is not None:
            closed.timer.close()
        for child in closed.members:
            if child.round is closed:
                child.round = None

    def _proceed_with(self, child: Child) -> None:
        if child.round is not None:
            self._proceed(child.round)

    def _proceed(self, going: Round) -> None:
        """Go on with a round until there is something to wait for."""
        if going.over:
            return
        members = going.members
        while going.ending:
            # 1 They end, the youngest first, one at a time.
            if going.at == 0:
                going.ending = False
                if going.pause_s > 0:
                    # 2 The pause.
                    going.timer = self._carrier.later(going.pause_s, lambda: self._paused(going))
                    return
                break
            child = members[going.at - 1]
            if child.group is not None:
                if child.phase is Phase.UP:
                    self._end(child)
                if child.phase in (Phase.ENDING, Phase.MAKING):
                    return
            going.at -= 1
        if going.timer is not None:
            return
        while going.at < len(members):
            # 3 They are started, the oldest first, one at a time.
            child = members[going.at]
            if child.group is None or child.phase is Phase.UP:
                going.at += 1
            elif child.phase in (Phase.REST, Phase.DOWN):
                self._make(child)
                return
            else:
                return
        self._finish(going, None)

    def _paused(self, going: Round) -> None:
        going.timer = None
        self._proceed(going)

    def _finish(self, going: Round, error: Optional[BaseException]) -> None:
        self._close(going)
        for done in going.dones:
            done(error)

    # -- ending one child -----------------------------------------------------------------------

    def _end(self, child: Child) -> None:
        """Ask a child to end, or to come to rest; an event follows in any case."""
        cell, group = child.cell, child.group
        assert group is not None
        child.phase = Phase.ENDING
        if cell is None:
            # It has just ended by itself; the event is on its way.
            return
        timeout_s = HURRY_S if group.hurried else child.shutdown_timeout_s
        child.timer = self._carrier.later(timeout_s, lambda: self._overdue(child, cell))
        comes_back = child.wanted and not group.over and child.restart is not Restart.TEMPORARY
        in_place = cell.ties is not None and cell.ties.renewal is not None
        if comes_back and in_place and (
            # Restarting: it has failed by itself just now, and comes to rest anyway.
            self._restarting.order(cell) or cell.state is RESTARTING
        ):
            return
        by = cell.pid if group.cell is None else group.cell.pid
        self._lifecycle.request_stop(cell, Ending(ExitReason.KILLED, by))

    def _overdue(self, child: Child, cell: ActorCell) -> None:
        """The time for its end is over: interrupt it."""
        if child.phase is not Phase.ENDING or child.cell is not cell:
            return
        charge = None if cell.ties is None else cell.ties.charge
        if charge is not None:
            self._hurry(charge)
        patience_s = (cell.runner.kill(cell) or 0.0) if cell.running else 0.0


        def wait() -> None:
            if child.phase is Phase.ENDING and child.cell is cell:
                child.timer = self._carrier.later(patience_s, lambda: self._abandon(child, cell))

        # Behind the interruption, which the hub was asked for in the same way.
        self._carrier.post(wait)

    def _abandon(self, child: Child, cell: ActorCell) -> None:
        """It cannot be interrupted: it is given up. One that is merely queued is waited for."""
        if child.phase is not Phase.ENDING or child.cell is not cell:
            return
        child.timer = self._carrier.later(LOOK_AGAIN_S, lambda: self._abandon(child, cell))
        if cell.running or cell.runner.kill(cell) is None:
            self._lifecycle.orphan(cell)

    def _hurry(self, group: Group) -> None:
        """A supervisor that is itself over its time waits for nobody any more."""
        group.hurried = True
        for child in list(group.children.values()):
            if child.phase is Phase.ENDING and child.cell is not None:
                if child.timer is not None:
                    child.timer.close()
                self._overdue(child, child.cell)

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
            if child.phase is Phase.MAKING and child.cell is None:
                # What its factory makes is not waited for; see `_made`.
                child.phase = Phase.DOWN
            elif child.phase in (Phase.REST, Phase.MAKING) and child.cell is not None:
                child.phase = Phase.ENDING
                self._let_end(child.cell)
        # Children that nobody supervises: they were added by hand, or unsupervised since.
        members += [self._charge_with(group, cell) for cell in others]
        self._begin_end(members)

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

    def _begin_end(self, members: list[Child]) -> None:
        earlier = {id(child.round): child.round for child in members if child.round is not None}
        dones = [done for other in earlier.values() for done in other.dones]
        for other in earlier.values():
            self._close(other)
        last = Round(members, 0.0, [])
        for child in members:
            child.round = last
        self._proceed(last)
        for done in dones:
            done(IrisError("the supervisor ended before the child was started"))

    # -- starting one child -----------------------------------------------------------------------

    def _make(self, child: Child) -> None:
        make, group = child.make, child.group
        assert group is not None
        if group.over or self._lifecycle.closing:
            going = child.round
            going.at += 1
            self._proceed(going)
            return
        if not child.wanted or (child.restart is Restart.TEMPORARY and child.pid):
            # It has lived, and does not come back.
            self._leave(child)
            return
        child.phase = Phase.MAKING
        if isinstance(make, SupervisorSpec):
            self._make_supervisor(child, make)
            return
        assert make is not None
        factory = make.factory if isinstance(make, ChildSpec) else make
        try:
            self._factories.call(
                factory, lambda error, value: self.put(lambda: self._made(child, error, value))
            )
        except RuntimeError as error:
            self._made(child, error, None)

    def _made(self, child: Child, error: Optional[BaseException], value: Any) -> None:
        """A factory has returned, or raised."""
        if child.phase is not Phase.MAKING:
            # Too late: it has left, or the supervisor ends.
            self._discard(child, value)
            return
        child.phase = Phase.DOWN if child.cell is None else Phase.REST
        going = child.round
        if going.ending or self._lifecycle.closing:
            # Another of the round has failed meanwhile, and all begins anew.
            self._discard(child, value)
            self._proceed(going)
            return
        previous = child.pid
        if error is None:
            try:
                if not self._put_in(child, value):
                    # It is being stopped; the event of its end goes on from here.
                    return
            except (IrisError, TypeError) as refused:
                error = refused
                if child.phase is Phase.UP:
                    # Its start has failed after it had its pid, which is taken back.
                    self._take_out(child, previous)
        if error is not None:
            self._start_failed(child, error)
            return
        self._is_up(child, previous)

    def _is_up(self, child: Child, previous: int) -> None:
        child.started_s = self._clock()
        child.reason, reason = None, child.reason
        if previous:
            child.restarts += 1
            self.restarts += 1
            report = self._report(child, previous, reason)
            self._hooks.call("restart", report)
        self._proceed_with(child)

    def _put_in(self, child: Child, value: Any) -> bool:
        """Give the place to what its factory made; False when its actor is being stopped."""
        make, group = child.make, child.group
        assert group is not None
        if isinstance(make, ChildSpec):
            if child.cell is not None:
                if not self._restarting.resume(child.cell, value):
                    return False
                child.phase = Phase.UP
                return True
            assert group.cell is not None
            self.spawn(group.cell.pid, make, value, lambda cell: self._born(child, cell, make))
            return True
        with self._lock:
            cell = self._made_by(child, value)
            if self._groups.waiting.get(child.pid) is child:
                del self._groups.waiting[child.pid]
            self._born(child, cell)
        return True

    def _born(self, child: Child, cell: ActorCell, spec: Optional[ChildSpec] = None) -> None:
        """Under the table lock: an actor fills the place from now on."""
        fill(child, cell)
        child.phase = Phase.UP
        if spec is not None and child.restart is not Restart.TEMPORARY:
            ties_of(cell).renewal = Renewal(
                lambda cell: self.rested(child, cell), spec.drop_queue, spec.redeliver
            )

    def _made_by(self, child: Child, pid: Any) -> ActorCell:
        """The actor that a factory of pids has made. Under the table lock."""
        what = f"the factory of {child.id} returned {pid!r}"
        if type(pid) is not int:
            raise TypeError(f"{what}; it has to return the pid of the actor that it made")
        cell = self._table.get(pid)
        if cell is None or cell.admission is CLOSED:
            raise BadInput(f"{what}, which names no living actor of this runtime")
        for other in places_of(cell):
            if other.make is not None:
                raise BadInput(
                    f"{what}, which is supervised already ({other.id}); a factory makes a new actor"
                )
        return cell

    def _start_failed(self, child: Child, error: BaseException) -> None:
        """A child could not be started."""
        going, group = child.round, child.group
        assert group is not None
        if going.dones and not child.pid:
            # Its first start: whoever waits for it is told, and it is not tried again.
            self._close(going)
            self._leave(child)
            for told in going.dones:
                told(error)
            others = [each for each in going.members if each.phase in (Phase.DOWN, Phase.REST)]
            if others and not group.over:
                self._begin(others, 0.0, [])
            return
        self._log.start_failed(child.id, error)
        child.started_s = self._clock()
        self._restart(child, Ending(ExitReason.CRASH, child.pid, lambda: _raised(error)))

    def _start_group(self, group: Group, done: Done) -> None:
        def told(error: Optional[BaseException]) -> None:
            if error is not None:
                assert group.cell is not None
                self._end_supervisor(group, Ending(ExitReason.CRASH, group.cell.pid))
            done(error)

        with self._lock:
            members = list(group.children.values())
        self._begin(members, 0.0, [told])

    def _make_supervisor(self, child: Child, spec: SupervisorSpec) -> None:
        previous = child.pid
        try:
            group = self.spawn_group(child, spec)
        except IrisError as error:
            child.phase = Phase.DOWN
            self._start_failed(child, error)
            return

        def done(error: Optional[BaseException]) -> None:
            if child.phase is not Phase.MAKING:
                # Too late: it has left, or the supervisor above ends and stops all below.
                return
            if error is None and child.cell is None:
                error = IrisError("it ended before all its children were started")
            child.phase = Phase.UP
            if error is not None:
                self._take_out(child, previous)
            if child.round.ending:
                self._proceed(child.round)
            elif error is None:
                self._is_up(child, previous)
            else:
                self._start_failed(child, error)

        self._start_group(group, done)

    def _take_out(self, child: Child, previous: int) -> None:
        """What was just put into the place has failed to start."""
        with self._lock:
            vacate(child)
            child.pid = previous
        child.phase = Phase.DOWN

    def _discard(self, child: Child, value: Any) -> None:
        """What a factory has made is not wanted any more."""
        if not isinstance(child.make, ChildSpec) and type(value) is int:
            cell = self._table.get(value)
            if cell is not None and not places_of(cell):
                self._lifecycle.request_stop(cell, Ending(ExitReason.KILLED, cell.pid))

    def _report(self, child: Child, previous: int, reason: Optional[ExitReason]) -> ChildReport:
        group = child.group
        key = "" if group is None else group.key
        return ChildReport(key, child.id, child.pid, previous, reason, child.restarts)


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


def _raised(error: BaseException) -> dict[str, Any]:
    """The metadata of a start that has failed."""
    return {"exception_type": type(error).__name__, "message": text_of(error)}


def _not_assembled(*_: Any) -> Any:
    raise AssertionError("the supervisors were not assembled")
