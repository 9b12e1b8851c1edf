"""How one supervised child is made: its factory is called beside the carrier, then it begins.

A seat gets what its factory returned: a handler goes to the actor that is at rest there, or
to a new one; a pid takes the place itself. What comes too late, because the child has left or
its round has begun anew meanwhile, is discarded. In the hub only.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

from iris.core.cell import ActorCell
from iris.core.childspec import ChildSpec, SupervisorSpec
from iris.core.links import ties_of
from iris.core.mailbox import CLOSED
from iris.core.messages import Ending, ExitReason
from iris.core.renewal import Renewal
from iris.core.restart import Restart
from iris.core.supervision import (
    Child,
    Group,
    Groups,
    Phase,
    PidFactory,
    fill,
    seats_of,
    vacate,
)
from iris.core.table import Table
from iris.errors import BadInput, IrisError, NodeUnreachable
from iris.run.events import Events
from iris.run.factories import Factories
from iris.run.lifecycle import Lifecycle
from iris.run.restarting import Restarting
from iris.run.rounds import Done
from iris.run.spawning import check_made

Spawn = Callable[[int, ChildSpec, Any, Callable[[ActorCell], None]], int]
SpawnGroup = Callable[[Child, SupervisorSpec], Group]


class Struck(Exception):
    """The child was struck off by another thread while it was being put into its seat."""


class ChildStarts:
    """Makes children of one runtime."""

    def __init__(
        self,
        table: Table,
        lifecycle: Lifecycle,
        restarting: Restarting,
        groups: Groups,
        factories: Factories,
        events: Events,
    ) -> None:
        self._table = table
        self._lock = table.lock
        self._lifecycle = lifecycle
        self._restarting = restarting
        self._groups = groups
        self._factories = factories
        self._put = events.put
        self.spawn: Spawn = _not_assembled
        # Makes an actor: (parent's pid, spec, handler, born) -> pid.
        self.spawn_group: SpawnGroup = _not_assembled
        # Makes the actor that a nested supervisor is, without children yet.
        self.start_group: Callable[[Group, Done], None] = _not_assembled
        # Begins the first start of its children.
        self.rested: Callable[[Child, ActorCell], None] = _not_assembled
        # From any thread: an actor that was made here has come to rest.
        self.is_up: Callable[[Child, int], None] = _not_assembled
        # A child runs: (child, the pid of the actor before).
        self.failed: Callable[[Child, BaseException], None] = _not_assembled
        # A child could not be made.
        self.waits: Callable[[Child], None] = _not_assembled
        # A child is down after all; its round goes on.

    def make(self, child: Child) -> None:
        """Begin to make a child that is down or at rest; an event follows."""
        group = child.group
        child.phase = Phase.MAKING
        child.asked_at = group.last_order
        if isinstance(child.make, SupervisorSpec):
            spec = child.make
            self._put(self._make_supervisor, child, spec)
            return
        made = child.make
        assert made is not None
        try:
            self._factories.call(_checked(child, made), self._returned, child)
        except RuntimeError as error:
            # No thread can be started.
            self._returned(child, error, None)

    def _returned(self, child: Child, error: Optional[BaseException], value: Any) -> None:
        """From the thread of the factory."""
        self._put(self._made, child, error, value)

    def _made(self, child: Child, error: Optional[BaseException], value: Any) -> None:
        """A factory has returned, or raised."""
        if child.phase is not Phase.MAKING or child.is_struck:
            # It has left, or is about to (the event is on its way), or the supervisor ends.
            self._discard(child, value)
            return
        child.phase = Phase.DOWN if child.cell is None else Phase.REST
        if child.round.is_ending or self._lifecycle.closing:
            # Another of the round has failed meanwhile, and all begins anew.
            self._discard(child, value)
            self.waits(child)
            return
        previous = child.pid
        if error is None:
            try:
                if not self._put_in(child, value):
                    # It is being stopped; the event of its end goes on from here.
                    return
            except Struck:
                # The event is on its way, and sees to an actor at rest.
                self._discard(child, value)
                return
            except BaseException as refused:  # noqa: BLE001  # Whatever it is, somebody waits.
                error = refused
                if isinstance(refused, KeyboardInterrupt):
                    self._lifecycle.on_interrupt(refused)
                if child.phase is Phase.UP:
                    # Its start has failed after it had its pid, which is taken back.
                    self._take_out(child, previous)
        if error is None:
            self.is_up(child, previous)
        else:
            self.failed(child, error)

    def _put_in(self, child: Child, value: Any) -> bool:
        """Give the seat to what its factory made; False when its actor is being stopped."""
        spec, group = child.make, child.group
        if not isinstance(spec, ChildSpec):
            with self._lock:
                if child.is_struck:
                    raise Struck
                cell = self._cell_of(child, group, value)
                self._groups.forget(child)
                fill(child, cell)
                child.phase = Phase.UP
            return True
        if child.cell is not None:
            if not self._restarting.resume(child.cell, value):
                return False
            child.phase = Phase.UP
            return True
        assert group.cell is not None
        self.spawn(group.cell.pid, spec, value, lambda cell: self._born(child, cell, spec))
        return True

    def _born(self, child: Child, cell: ActorCell, spec: ChildSpec) -> None:
        """Under the table lock: an actor fills the seat from now on."""
        if child.is_struck:
            raise Struck
        fill(child, cell)
        child.phase = Phase.UP
        if child.restart is not Restart.TEMPORARY:
            ties_of(cell).renewal = Renewal(
                lambda cell: self.rested(child, cell), spec.drop_queue, spec.redeliver
            )

    def _cell_of(self, child: Child, group: Group, pid: int) -> ActorCell:
        """The actor that a factory of pids has made. Under the table lock."""
        what = f"the factory of {child.id} returned {pid}"
        cell = self._table.get(pid)
        if cell is None or cell.admission is CLOSED:
            raise BadInput(f"{what}, which names no living actor of this runtime")
        for other in seats_of(cell):
            if other.group is group and other.order > child.asked_at:
                # The factory has put it on this list by itself; it keeps the older seat.
                group.strike(other)
                child.make = other.make or child.make
            elif other.make is not None:
                raise BadInput(
                    f"{what}, which is supervised already ({other.id}); a factory makes a new actor"
                )
        return cell

    def _make_supervisor(self, child: Child, spec: SupervisorSpec) -> None:
        if child.phase is not Phase.MAKING or child.is_struck:
            return
        previous = child.pid
        try:
            group = self.spawn_group(child, spec)
        except IrisError as error:
            child.phase = Phase.DOWN
            self.failed(child, error)
            return

        def done(error: Optional[BaseException]) -> None:
            if child.phase is not Phase.MAKING or child.is_struck:
                # It has left, or the supervisor above ends and stops all below.
                return
            if error is None and child.cell is None:
                error = IrisError("it ended before all its children were started")
            child.phase = Phase.UP
            if error is not None:
                self._take_out(child, previous)
            if child.round.is_ending:
                self.waits(child)
            elif error is None:
                self.is_up(child, previous)
            else:
                self.failed(child, error)

        # As an event: the starts of a long line of supervisors must not nest.
        self.start_group(group, lambda error: self._put(done, error))

    def _take_out(self, child: Child, previous: int) -> None:
        """What was just put into the seat has failed to start."""
        with self._lock:
            vacate(child)
            child.pid = previous
        child.phase = Phase.DOWN

    def _discard(self, child: Child, value: Any) -> None:
        """What a factory has made is not wanted any more."""
        if not isinstance(child.make, ChildSpec) and type(value) is int:
            cell = self._table.get(value)
            if cell is not None and not seats_of(cell):
                self._lifecycle.request_stop(cell, Ending(ExitReason.KILLED, cell.pid))


def _checked(child: Child, made: Union[PidFactory, ChildSpec]) -> Callable[[], Any]:
    """The factory, with a check of what it returns.

    In its own thread: the check asks what was returned for attributes and for its text, and that
    is code of users.
    """

    def handler() -> Any:
        assert isinstance(made, ChildSpec)
        value = made.factory()
        check_made(made, value)
        return value

    def pid() -> int:
        value = made()  # type: ignore[operator]
        if value is None and child.is_remote:
            raise NodeUnreachable(f"the factory of {child.id} has found nobody at the other node")
        if type(value) is not int:
            raise TypeError(
                f"the factory of {child.id} returned {value!r}; it has to return the pid of the"
                " actor that it made"
            )
        return value

    return handler if isinstance(made, ChildSpec) else pid


def _not_assembled(*_: Any) -> Any:
    raise AssertionError("the starts were not assembled")
