"""Hot swap: new behaviour for a living actor, at an exact place in its queue.

Accepting a swap and reaching it are two moments. Accepting numbers the version and puts a
marker behind all messages accepted so far; the owner of the cell, reaching it, changes the
handler between two messages. Nothing is lost, for nothing is moved.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Protocol, Union

from iris.config import whole_number
from iris.core.behavior import FIRST_VERSION, Handler, History
from iris.core.cell import ActorCell, control_of
from iris.core.mailbox import CLOSED
from iris.core.messages import RollbackMarker, SwapMarker
from iris.core.pid import SLOT_MASK
from iris.core.table import Table
from iris.errors import BadInput
from iris.run.crash import is_interruption
from iris.run.delivery import Delivery, check_pid
from iris.run.log import Log
from iris.run.registry import Registry
from iris.run.spawning import ASYNC_FLAGS, check_handler

Migrate = Optional[Callable[[Any, Any], Any]]
NO_HANDLER = ("observed", "supervisor", "remote")
WHEN = ("order", "now")
MIGRATE_WANTED = "migrate is a callable that takes the old and the new handler"


class Swap(Protocol):
    """The signature of `Swapping.swap`."""

    def __call__(
        self, pid: int, handler: Handler, migrate: Migrate = None, when: str = "order"
    ) -> bool: ...


class Swapping:
    """The swaps of one runtime. From any thread; none blocks.

    Args:
        table: the actors.
        delivery: places the markers.
        registry: knows the actors below a path.
        log: told of refused swaps.
        check_open: raises when the runtime cannot be used any more.
    """

    def __init__(
        self,
        table: Table,
        delivery: Delivery,
        registry: Registry,
        log: Log,
        check_open: Callable[[], None],
    ) -> None:
        self._table = table
        self._lock = table.lock
        self._delivery = delivery
        self._mark = delivery.mark
        self._check_open = check_open
        self._registry = registry
        self._log = log
        self.on_swap: Callable[[ActorCell, int], None] = _nobody_knows
        # Called by the owner when the behaviour of an actor that has supervisors has changed.
        self.swap = self._make_swap()
        # Gives an actor a new handler; False when it has ended or is stopping.

    def _make_swap(self) -> Swap:
        """Build `swap`. A closure, as `send` is."""
        slots, lock, mark, poke = self._table.slots, self._lock, self._mark, self._delivery.poke

        def swap(
            pid: int, handler: Handler, migrate: Migrate = None, when: str = "order"
        ) -> bool:
            _check(handler, migrate, when)
            try:
                cell: ActorCell = slots[pid & SLOT_MASK]  # type: ignore[assignment]
                if cell.pid != pid:
                    return self._missing(pid)
            except (IndexError, AttributeError, TypeError):
                return self._missing(pid)
            marker = SwapMarker(handler, migrate)
            with lock:
                if cell.admission is CLOSED:
                    return False
                control = cell.control
                history = None if control is None else control.history
                (history or self._history(cell)).accept(marker)
                if when == "order":
                    mark(cell, marker)
                else:
                    control_of(cell).items.append(marker)
                    cell.special = True
            if not cell.ready:
                poke(cell)
            return True

        return swap

    def _missing(self, pid: int) -> bool:
        check_pid(pid)
        self._check_open()
        return False

    def swap_below(self, prefix: str, handler: Handler, migrate: Migrate, when: str) -> int:
        """Swap all actors with paths below a prefix; returns how many.

        Observed actors have no handler and are passed by.
        """
        _check(handler, migrate, when)
        swapped = 0
        for pid in self._registry.list_children(prefix):
            cell = self._table.get(pid)
            if cell is not None and cell.spec.kind not in NO_HANDLER:
                swapped += self.swap(pid, handler, migrate, when)
        return swapped

    def version(self, pid: int) -> int:
        """The number of the latest accepted version; 1 before any swap."""
        check_pid(pid)
        with self._lock:
            control = self._registry.living(pid).control
            history = None if control is None else control.history
            return FIRST_VERSION if history is None else history.version

    def roll_back(self, pid: int, steps: int = 1) -> int:
        """Return to an earlier version, in the order of the queue; returns its number."""
        check_pid(pid)
        whole_number("steps", steps, least=1)
        with self._lock:
            cell = self._registry.living(pid)
            history = self._history(cell)
            marker = history.roll_back(steps)
            if marker is None:
                raise BadInput(
                    f"actor {pid} cannot go {steps} versions back; it remembers"
                    f" {len(history) - 1} earlier ones"
                )
            if cell.admission is not CLOSED:
                self._mark(cell, marker)
        self._delivery.poke(cell)
        return marker.to.version

    def apply(self, cell: ActorCell, marker: Union[SwapMarker, RollbackMarker]) -> Any:
        """By the cell's owner, between two messages: another behaviour begins.

        Returns the `SwapMarker` of the version that is used from now on; None when nothing
        changes, because a later swap has overtaken this one or the migration was refused.
        """
        control = cell.control
        assert control is not None
        assert control.history is not None
        history = control.history
        if marker.order < history.reached:
            return None
        # Owner only, hence no lock.
        history.reached = marker.order
        version: Optional[SwapMarker]
        if type(marker) is SwapMarker:
            version = marker
            if marker.migrate is not None and not self._migrate(cell, marker):
                return None
        else:
            assert type(marker) is RollbackMarker
            with self._lock:
                version = history.usable(marker.to)
        if version is not None:
            history.current = version
            if cell.spec.kind != "pull":
                cell.handler = version.handler
            if cell.ties is not None and cell.ties.seats:
                self.on_swap(cell, version.version)
        return version

    def _migrate(self, cell: ActorCell, marker: SwapMarker) -> bool:
        assert marker.migrate is not None
        try:
            handler = marker.migrate(cell.handler, marker.handler)
            check_handler(handler)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or is_interruption(error):
                raise
            # The swap is refused and the old handler stays. The caller is long gone, so the
            # version tells, and the log.
            self._log.swap_refused(cell.pid, marker.version, error)
            with self._lock:
                self._history(cell).refuse(marker)
            return False
        # What the migration made is this version from now on, for a rollback too.
        marker.handler = handler
        return True

    def _history(self, cell: ActorCell) -> History:
        control = cell.control or control_of(cell)
        if control.history is None:
            if cell.spec.kind in NO_HANDLER:
                raise BadInput(f"actor {cell.pid} ({cell.spec.kind}) has no handler to swap")
            control.history = History(cell.handler)
        return control.history


def _nobody_knows(_: ActorCell, __: int) -> None:
    pass


def _check(handler: Any, migrate: object, when: object) -> None:
    try:
        if handler.__code__.co_flags & ASYNC_FLAGS:
            check_handler(handler)
    except AttributeError:
        check_handler(handler)
    if migrate is None and when == "order":
        return
    if migrate is not None:
        check_handler(migrate, "migrate", MIGRATE_WANTED)
    if when not in WHEN:
        raise BadInput(f"when={when!r} is unknown; give {' or '.join(map(repr, WHEN))}")
