"""Hot swap: new behaviour for a living actor, at an exact place in its queue.

Accepting a swap and reaching it are two moments. Accepting numbers the version and puts a
marker behind all messages accepted so far; the owner of the cell, reaching it, changes the
handler between two messages. Nothing is lost, for nothing is moved.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.config import whole_number
from iris.core.behavior import FIRST_VERSION, Handler, History
from iris.core.cell import DEAD, STOPPING, ActorCell, control_of
from iris.core.messages import SwapMarker
from iris.core.table import Table
from iris.errors import ActorDead, BadInput
from iris.observe.hooks import Hooks
from iris.run.delivery import Delivery, check_pid
from iris.run.registry import Registry
from iris.run.spawning import check_handler

Migrate = Optional[Callable[[Any, Any], Any]]
WHEN = ("order", "now")


class Swapping:
    """The swaps of one runtime. From any thread; none blocks."""

    def __init__(
        self, table: Table, delivery: Delivery, registry: Registry, hooks: Hooks
    ) -> None:
        self._table = table
        self._lock = table.lock
        self._delivery = delivery
        self._registry = registry
        self._hooks = hooks

    def swap(self, pid: int, handler: Handler, migrate: Migrate = None, when: str = "order") -> bool:
        """Give an actor a new handler; False when it has ended or is stopping."""
        check_pid(pid)
        check_handler(handler)
        if migrate is not None:
            check_handler(migrate)
        if when not in WHEN:
            raise BadInput(f"when={when!r} is unknown; give {' or '.join(map(repr, WHEN))}")
        with self._lock:
            cell = self._table.get(pid)
            if cell is None or cell.state in (STOPPING, DEAD):
                return False
            self._check_swappable(cell)
            history = self._history(cell)
            marker = SwapMarker(handler, history.accept(handler), migrate)
            self._place(cell, marker, when)
        self._delivery.poke(cell)
        return True

    def swap_below(self, prefix: str, handler: Handler, migrate: Migrate, when: str) -> int:
        """Swap all actors with paths below a prefix; returns how many."""
        pids = self._registry.list_children(prefix)
        return sum(self.swap(pid, handler, migrate, when) for pid in pids)

    def version(self, pid: int) -> int:
        """The number of the latest accepted version; 1 before any swap."""
        with self._lock:
            cell = self._living(pid)
            return FIRST_VERSION if cell.history is None else cell.history.version

    def roll_back(self, pid: int, steps: int = 1) -> int:
        """Return to an earlier version, in the order of the queue; returns its number."""
        whole_number("steps", steps, least=1)
        with self._lock:
            cell = self._living(pid)
            earlier = None if cell.history is None else cell.history.roll_back(steps)
            if earlier is None:
                raise BadInput(
                    f"actor {pid} has no version {steps} steps back; it remembers"
                    f" {0 if cell.history is None else len(cell.history) - 1}"
                )
            version, handler = earlier
            self._place(cell, SwapMarker(handler, version), "order")
        self._delivery.poke(cell)
        return version

    def apply(self, cell: ActorCell, marker: SwapMarker) -> None:
        """By the cell's owner, between two messages: the new behaviour begins."""
        handler = marker.handler
        if marker.migrate is not None:
            try:
                handler = marker.migrate(cell.handler, handler)
                check_handler(handler)
            except Exception as error:
                # The swap is refused and the old handler stays; the caller is long gone,
                # so the version tells, and the log.
                self._hooks.swap_refused(cell.pid, marker.version, error)
                with self._lock:
                    if cell.history is not None:
                        cell.history.refuse(marker.version)
                return
            with self._lock:
                if cell.history is not None:
                    cell.history.replace(marker.version, handler)
        if cell.spec.kind != "pull":
            cell.handler = handler

    def _place(self, cell: ActorCell, marker: SwapMarker, when: str) -> None:
        if when == "order":
            self._delivery.mark(cell, marker)
        else:
            control_of(cell).items.append(marker)
            cell.special = True

    def _history(self, cell: ActorCell) -> History:
        history = cell.history
        if history is None:
            history = cell.history = History(cell.handler)
        return history

    def _check_swappable(self, cell: ActorCell) -> None:
        if cell.spec.kind == "observed":
            raise BadInput(f"actor {cell.pid} is observed: it has no handler to swap")

    def _living(self, pid: int) -> ActorCell:
        check_pid(pid)
        cell = self._table.get(pid)
        if cell is None or cell.state is DEAD:
            raise ActorDead(f"actor {pid} has ended or never existed")
        return cell
