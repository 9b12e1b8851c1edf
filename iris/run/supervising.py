"""Supervising: the calls about supervisors and their children, from any thread.

They enter children in the books and strike them off, under the table lock, and hand
everything that takes time to the `Authority`, in whose hub it happens.
"""

from __future__ import annotations

from typing import Callable, Optional, Union

from iris.core.cell import ALIVE, STARTING, ActorCell
from iris.core.childspec import AnySpec, ChildSpec, SupervisorSpec, check_factory, check_spec
from iris.core.links import ties_of
from iris.core.mailbox import CLOSED
from iris.core.messages import Ending, ExitReason
from iris.core.paths import checked_path
from iris.core.restart import Restart, Strategy, strategy_of
from iris.core.supervision import (
    GLOBAL,
    STOP_TIMEOUT_S,
    Child,
    ChildInfo,
    Group,
    Groups,
    Phase,
    PidFactory,
    fill,
    infos_of,
    seats_of,
)
from iris.core.table import Table
from iris.errors import ActorDead, ActorError, BadInput, StartFailed
from iris.run.crash import start_failed
from iris.run.delivery import check_pid
from iris.run.factories import Factories
from iris.run.lifecycle import Lifecycle
from iris.run.registry import Registry
from iris.run.spawning import Spawning
from iris.run.supervisor import Authority
from iris.run.waiter import Waiter


class Supervising:
    """The supervisors of one runtime. Nothing blocks but `start`, `add` and `remove`."""

    def __init__(
        self,
        table: Table,
        groups: Groups,
        authority: Authority,
        lifecycle: Lifecycle,
        registry: Registry,
        spawning: Spawning,
        factories: Factories,
        clock: Callable[[], float],
    ) -> None:
        self._lock = table.lock
        self._table = table
        self._groups = groups
        self._authority = authority
        self._lifecycle = lifecycle
        self._registry = registry
        self._spawning = spawning
        self._factories = factories
        self._clock = clock

    # -- the global supervisor and those of paths ---------------------------------------------

    def watch(self, pid: int, strategy: str) -> None:
        """Put a living actor on the global supervisor's list, without a factory."""
        self._enlist(GLOBAL, pid, None, strategy)

    def watch_in(self, path: str, pid: int) -> None:
        """Put a living actor on the list of a path's supervisor, without a factory."""
        checked_path(path)
        self._enlist(path, pid, None, Strategy.ONE.value)

    def watch_below(self, prefix: str) -> int:
        """Put the present direct children of a path on the global list; returns how many."""
        watched = 0
        for pid in self._registry.list_children_direct(prefix):
            try:
                self._enlist(GLOBAL, pid, None, Strategy.ONE.value)
                watched += 1
            except ActorDead:
                # It has ended since it was listed.
                continue
        return watched

    def supervise(self, pid: int, factory: PidFactory, strategy: str) -> None:
        """Have the global supervisor replace an actor when it ends."""
        check_factory(factory)
        self._enlist(GLOBAL, pid, factory, strategy)

    def supervise_in(self, path: str, pid: int, factory: PidFactory, strategy: str) -> None:
        """Have the supervisor of a path replace an actor when it ends."""
        checked_path(path)
        check_factory(factory)
        self._enlist(path, pid, factory, strategy)

    def _enlist(self, key: str, pid: int, factory: Optional[PidFactory], strategy: str) -> None:
        wanted = strategy_of(strategy)
        check_pid(pid)
        with self._lock:
            cell = self._registry.living(pid)
            group = self._groups.get(key)
            if group is None and factory is not None:
                self._groups.create(key)
                group = self._groups.get(key)
            if group is None:
                raise _no_supervisor(key)
            known = None
            for child in seats_of(cell):
                if child.group is group:
                    known = child
                elif child.make is not None and factory is not None:
                    raise BadInput(
                        f"actor {pid} is supervised with a factory already ({child.id} of"
                        f" {_called(child.group)}); two supervisors would replace it twice."
                        f" unsupervise({pid}) first"
                    )
            if known is None:
                known = self._enter(group, cell, wanted)
            if factory is not None:
                known.make = factory
            if factory is not None or known.make is None:
                known.strategy = wanted

    def _enter(self, group: Group, cell: ActorCell, strategy: Strategy) -> Child:
        """A living actor becomes the youngest child of a supervisor. Under the table lock."""
        child = Child(
            group, None, None, strategy, Restart.PERMANENT, STOP_TIMEOUT_S
        )
        # Filled first: it is called after the actor.
        fill(child, cell)
        group.add(child)
        child.phase = Phase.UP
        child.started_s = self._clock()
        return child

    def unsupervise(self, pid: int) -> bool:
        """Take an actor off all supervisors' lists; it lives on and is not restarted."""
        check_pid(pid)
        with self._lock:
            cell = self._table.get(pid)
            children = [] if cell is None else seats_of(cell)
            waiting = self._groups.waiting.pop(pid, None)
            if waiting is not None:
                children.append(waiting)
            self._strike(children)
        return bool(children)

    def _strike(self, children: list[Child]) -> None:
        """Take children off for good. Under the table lock."""
        for child in children:
            group, cell = child.group, child.cell
            # A supervisor that ends counts on its list: who left it then would be ended by nobody.
            if not (child.is_struck or group.over):
                group.strike(child)
                self._groups.forget(child)
                if cell is not None and cell.ties is not None and cell.state in (STARTING, ALIVE):
                    # Its next failure is its end. One that is on its way to rest, or at rest, still
                    # needs the renewal to end; see `struck`.
                    cell.ties.renewal = None
                self._authority.struck(child, cell)

    def pids(self) -> list[int]:
        """The living actors on the global supervisor's list."""
        with self._lock:
            group = self._groups.get(GLOBAL)
            assert group is not None
            return group.pids()

    def pids_in(self, path: str) -> list[int]:
        """The living actors on the list of a path's supervisor."""
        checked_path(path)
        with self._lock:
            group = self._groups.get(path)
            if group is None:
                raise _no_supervisor(path)
            return group.pids()

    def create(self, path: str) -> bool:
        """Make a supervisor for a path; False when there is one."""
        checked_path(path)
        with self._lock:
            return self._groups.create(path)

    def remove(self, path: str) -> bool:
        """Remove the supervisor of a path; its actors live on. False when there is none."""
        checked_path(path)
        with self._lock:
            group = self._groups.remove(path)
            if group is not None:
                self._strike(list(group.children.values()))
        return group is not None

    def observe(self, observer: Optional[int], path: Optional[str]) -> None:
        """Have an actor told of the ends and swaps among the children of a supervisor."""
        key = GLOBAL if path is None else path
        if path is not None:
            checked_path(path)
        with self._lock:
            group = self._groups.get(key)
            if group is None:
                raise _no_supervisor(key)
            group.observer = 0 if observer is None else self._observer(observer)

    def _observer(self, pid: int) -> int:
        check_pid(pid)
        cell = self._registry.living(pid)
        if not cell.spec.receives_system:
            raise ActorError(
                f"actor {pid} cannot receive system messages, so it cannot observe a supervisor;"
                " spawn it with trap_exit=True, or as an observed or pull actor"
            )
        return pid

    # -- supervisors that are actors -----------------------------------------------------------

    def start(self, spec: SupervisorSpec) -> Group:
        """Make a supervisor and its children; StartFailed when one of them cannot be started."""
        # First: whoever cannot wait is refused before anything was made.
        waiter = Waiter()
        made: list[Group] = []
        try:
            self._make(spec, None, made)
            group = made[0]
            with self._factories.waiting():
                self._authority.start_group(group, waiter.settle)
                waiter.wait()
                if waiter.value is not None and group.cell is not None:
                    # It ends the children that were started. They are gone before it is.
                    self._registry.join(group.cell.pid, None)
        except BaseException:
            for group in made:
                self._stop(group)
            raise
        if waiter.value is not None:
            assert group.cell is not None
            # Who tries again at once must not meet the names of what is just ending.
            self._registry.join(group.cell.pid)
            raise start_failed(spec.id, waiter.value)
        return group

    def make_nested(self, child: Child, spec: SupervisorSpec) -> Group:
        """The actor that a nested supervisor is, without its children yet."""
        made: list[Group] = []
        self._make(spec, child, made)
        return made[0]

    def _make(self, spec: SupervisorSpec, child: Optional[Child], made: list[Group]) -> None:
        """Make the actor; `made` has its group as soon as it is there, whatever raises then."""

        def born(cell: ActorCell) -> None:
            observer = 0 if spec.observer is None else self._observer(spec.observer)
            if spec.name is not None:
                self._registry.take_name(spec.name, cell)
            group = Group(
                spec.id, cell, spec.strategy_kind, spec.max_restarts, spec.within_s,
                spec.backoff_s, observer,
            )  # fmt: skip
            ties_of(cell).charge = group
            for each in spec.children:
                group.add(_child_of(group, each))
            if child is not None:
                fill(child, cell)
            made.append(group)

        above = None if child is None or child.is_struck else child.group.cell
        self._spawning.supervisor(None if above is None else above.pid, born)

    def _stop(self, group: Group) -> None:
        assert group.cell is not None
        self._lifecycle.request_stop(group.cell, Ending(ExitReason.KILLED, group.cell.pid))

    def add(self, group: Group, spec: AnySpec) -> int:
        """Give a supervisor one more child, behind all others, and start it; returns its pid."""
        check_spec(spec)
        assert group.cell is not None
        waiter = Waiter()
        child = _child_of(group, spec)
        with self._factories.waiting():
            try:
                with self._lock:
                    if group.over or group.cell.admission is CLOSED:
                        raise ActorDead(f"supervisor {group.cell.pid} has ended or is ending")
                    if spec.id in group.by_id:
                        raise BadInput(
                            f"there is a child with the id {spec.id!r} already; remove it first"
                        )
                    group.add(child)
                self._authority.start(child, waiter.settle)
            except BaseException:
                # Refused; or a signal handler raised, and nobody might ever start it.
                with self._lock:
                    if group.children.get(child.order) is child:
                        group.strike(child)
                raise
            waiter.wait()
        error = waiter.value
        if error is not None:
            raise error if isinstance(error, StartFailed) else start_failed(spec.id, error)
        if not child.pid:
            raise StartFailed(f"{spec.id!r} was removed before it was started")
        return child.pid

    def take_away(self, group: Group, child_id: str) -> bool:
        """End a child for good; False when there is none with this id."""
        if not isinstance(child_id, str):
            raise TypeError(f"an id is a string, not {child_id!r}")
        with self._lock:
            child = group.by_id.get(child_id)
        if child is None:
            return False
        waiter = Waiter()
        with self._factories.waiting():
            self._authority.remove(child, waiter.settle)
            waiter.wait()
        return True

    def watch_for(self, group: Group, pid: int, strategy: Optional[str]) -> None:
        """Have a supervisor report the end of an actor that it did not make."""
        wanted = group.strategy if strategy is None else strategy_of(strategy)
        check_pid(pid)
        assert group.cell is not None
        with self._lock:
            cell = self._registry.living(pid)
            above: Optional[ActorCell] = group.cell
            while above is not None:
                if above is cell:
                    who = "itself" if cell is group.cell else f"actor {pid}, which is above it"
                    raise BadInput(f"supervisor {group.cell.pid} cannot watch {who}")
                above = None if above.ties is None else above.ties.parent
            if group.over or group.cell.admission is CLOSED:
                raise ActorDead(f"supervisor {group.cell.pid} has ended or is ending")
            if any(child.group is group for child in seats_of(cell)):
                raise BadInput(f"supervisor {group.cell.pid} has actor {pid} as a child already")
            self._enter(group, cell, wanted)

    def children(self, group: Group) -> tuple[ChildInfo, ...]:
        """What is known of the children, in the order of their start."""
        with self._lock:
            return infos_of(group)

    def pid_of(self, group: Group, child_id: str) -> Optional[int]:
        """The living actor with this id."""
        if not isinstance(child_id, str):
            raise TypeError(f"an id is a string, not {child_id!r}")
        with self._lock:
            child = group.by_id.get(child_id)
            return None if child is None or child.cell is None else child.cell.pid


def _child_of(group: Group, spec: Union[ChildSpec, SupervisorSpec]) -> Child:
    return Child(
        group, spec.id, spec, group.strategy, spec.restart_kind, spec.shutdown_timeout_s
    )


def _called(group: Group) -> str:
    if group.key == GLOBAL:
        return "the global supervisor"
    return f"supervisor {group.key!r}"


def _no_supervisor(path: str) -> BadInput:
    return BadInput(f"there is no supervisor for path {path!r}; create_path_supervisor makes one")
