"""Families: step 5 of an end, in which the children of an actor end before it goes on.

They are asked to stop, deepest first. Whoever waits for them, an actor that ends or one that
restarts in place, goes on when the last is gone. When that takes too long, blocked handlers are
interrupted, and what cannot be interrupted is given up: an orphan. Nothing here blocks.
"""

from __future__ import annotations

from typing import Optional

from iris.core.cell import RESTARTING, STOPPING, ActorCell, Event, advance, is_parked
from iris.core.links import children_of, descendants_deepest_first, ties_of
from iris.core.messages import Ending, ExitReason
from iris.core.renewal import Renewal, Stage
from iris.observe.hooks import Hooks
from iris.run.lifecycle import Lifecycle
from iris.run.log import Log
from iris.run.requests import Requests
from iris.run.settling import tell_closed, tell_of_end


class Families:
    """Parents and children of one runtime, where one of them ends. From any thread.

    Args:
        lifecycle: ends actors.
        requests: who owes an answer.
        hooks, log: told of orphans.
        child_timeout_s: how long children have before they are interrupted and given up.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        requests: Requests,
        hooks: Hooks,
        log: Log,
        child_timeout_s: float,
    ) -> None:
        self._lifecycle = lifecycle
        self._lock = lifecycle.lock
        self._requests = requests
        self._hooks = hooks
        self._log = log
        self._child_timeout_s = child_timeout_s

    def end_children(self, cell: ActorCell) -> None:
        """Have the children of an ending actor stop; its own end goes on when all are gone."""
        if self.ask_children(cell):
            self.wait(cell)
        else:
            self.go_on(cell)

    def ask_children(self, cell: ActorCell) -> bool:
        """Ask the children to stop; False when somebody else does that, and watches the time."""
        lifecycle = self._lifecycle
        if lifecycle.ends_children(cell):
            return False
        below = descendants_deepest_first(cell, lifecycle.is_supervisor)
        lifecycle.stop_all(below, Ending(ExitReason.KILLED, cell.pid))
        return True

    def wait(self, cell: ActorCell) -> None:
        """Go on with what waits for the children, or look again when their time is over."""
        self.go_on(cell)
        if _waits(cell):
            renewal = _resting(cell)
            restarts = None if renewal is None else renewal.restarts
            self._lifecycle.later(
                self._child_timeout_s, lambda: self._give_up_children(cell, restarts)
            )

    def go_on(self, cell: Optional[ActorCell]) -> None:
        """Go on with what waits for the children of a cell, if they are gone.

        A loop: the ends of a long line of ancestors must not nest.
        """
        while cell is not None:
            with self._lock:
                ties = cell.ties
                if ties is None or ties.children:
                    return
                ending, ties.pending_end = ties.pending_end, None
                renewal = _resting(cell) if ending is None else None
                if renewal is not None:
                    renewal.stage = Stage.RESTED
            if ending is None:
                if renewal is not None:
                    renewal.rested(cell)
                return
            cell = self._lifecycle.complete(cell, ending)

    def _give_up_children(self, cell: ActorCell, restarts: Optional[int]) -> None:
        """Children had time enough: interrupt those that are blocked, then go on without them.

        Args:
            cell: the parent.
            restarts: which rest of it waits for them, None for its end.
        """
        with self._lock:
            renewal = _resting(cell)
            if not _waits(cell) or (renewal is not None and renewal.restarts != restarts):
                return
        patience_s = 0.0
        for child in children_of(cell):
            if child.running:
                patience_s = max(patience_s, child.runner.kill(child) or 0.0)
        self._lifecycle.later(patience_s, lambda: self._abandon(cell, restarts))

    def _abandon(self, cell: ActorCell, restarts: Optional[int]) -> None:
        """Children whose code cannot be interrupted are orphaned, and their parent goes on.

        One that is merely queued for the carrier (`running` is 0) comes to its end by itself.
        """
        with self._lock:
            renewal = _resting(cell)
            if renewal is not None and renewal.restarts != restarts:
                # Another rest than the one whose time was over, with other children.
                return
        for child in children_of(cell):
            if child.running or child.runner.kill(child) is None:
                self.orphan(child)
        self.wait(cell)

    def orphan(self, cell: ActorCell) -> None:
        """End an actor whose code cannot be interrupted: dead to the API, although it runs on.

        What is left of its mailbox is settled by its owner when that comes back, if ever. One
        that is restarting and at rest has no such code, and is merely stopped.
        """
        lifecycle = self._lifecycle
        tickets = []
        with self._lock:
            parked = is_parked(cell)
            if not parked:
                if cell.state is RESTARTING:
                    tickets = lifecycle.make_stopping(cell, Ending(ExitReason.KILLED, cell.pid))
                if cell.state is not STOPPING:
                    return
                advance(cell, Event.FINISH)
                ties = ties_of(cell)
                lifecycle.release(ties)
                ending = ties.pending_end = lifecycle.accepted_ending(cell)
                lifecycle.orphans[cell.pid] = cell
                lifecycle.set_resting(cell, False)
                asked = self._requests.release_all(cell)
        if parked:
            lifecycle.request_stop(cell, Ending(ExitReason.KILLED, cell.pid))
            return
        tell_closed(tickets)
        tell_of_end(asked, cell, ending)
        self._log.orphaned(cell.pid)
        self._hooks.call("orphan", cell.pid)
        # It may have been given children until its stop was accepted.
        if self.ask_children(cell):
            self._abandon(cell, None)
        else:
            self.go_on(cell)


def _resting(cell: ActorCell) -> Optional[Renewal]:
    """The renewal of a restarting cell that waits for its children."""
    if cell.state is not RESTARTING or cell.ties is None:
        return None
    renewal = cell.ties.renewal
    return renewal if renewal is not None and renewal.stage is Stage.WAITING else None


def _waits(cell: ActorCell) -> bool:
    """Whether something goes on when the children of this cell are gone."""
    ties = cell.ties
    if ties is None:
        return False
    return ties.pending_end is not None or _resting(cell) is not None
