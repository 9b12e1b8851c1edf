"""How one supervised child ends: it is asked, then interrupted, then given up.

Also how one that is at rest ends, where nobody gives it a new handler. In the hub only.
"""

from __future__ import annotations

from iris.core.cell import RESTARTING, ActorCell
from iris.core.messages import Ending, ExitReason
from iris.core.restart import Restart
from iris.core.supervision import Child, Group, Phase
from iris.run.carrier import Carrier
from iris.run.lifecycle import Lifecycle
from iris.run.restarting import Restarting

HURRY_S = 0.05
"""What a child has to end when its supervisor is itself over its time."""

LOOK_AGAIN_S = 1.0
"""Between two looks at a child that is over its time and can only be waited for."""


class ChildEnds:
    """Ends children of one runtime."""

    __slots__ = ("_carrier", "_lifecycle", "_restarting")

    def __init__(self, carrier: Carrier, lifecycle: Lifecycle, restarting: Restarting) -> None:
        self._carrier = carrier
        self._lifecycle = lifecycle
        self._restarting = restarting

    def end(self, child: Child) -> None:
        """Ask a child that is up to end, or to come to rest; an event follows in any case."""
        cell, group = child.cell, child.group
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
        by = child.round.by or cell.pid if group.cell is None else group.cell.pid
        self._lifecycle.request_stop(cell, Ending(ExitReason.KILLED, by))

    def came_down(self, child: Child, phase: Phase) -> None:
        """It has ended, or come to rest."""
        child.phase = phase
        if child.timer is not None:
            child.timer.close()
            child.timer = None

    def _overdue(self, child: Child, cell: ActorCell) -> None:
        """The time for its end is over: interrupt it."""
        if child.phase is not Phase.ENDING or child.cell is not cell:
            return
        charge = None if cell.ties is None else cell.ties.charge
        if charge is not None:
            self._hurry(charge)
        patience_s = (self._restarting.interrupt(cell) or 0.0) if cell.running else 0.0

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
        if cell.running or self._restarting.interrupt(cell) is None:
            self._lifecycle.orphan(cell)

    def _hurry(self, group: Group) -> None:
        """A supervisor that is itself over its time waits for nobody any more."""
        group.hurried = True
        for child in list(group.children.values()):
            if child.phase is Phase.ENDING and child.cell is not None:
                if child.timer is not None:
                    child.timer.close()
                    child.timer = None
                self._soon_overdue(child, child.cell)

    def _soon_overdue(self, child: Child, cell: ActorCell) -> None:
        """Not at once: a long line of nested supervisors must not nest calls."""
        self._carrier.post(lambda: self._overdue(child, cell))

    def let_end(self, cell: ActorCell) -> None:
        """Nobody gives this actor a new handler: if it is at rest, it ends as it had failed."""
        ties = cell.ties
        if ties is None or ties.renewal is None:
            return
        ending = ties.renewal.ending
        if ending is None:
            by = cell.pid if ties.parent is None else ties.parent.pid
            ending = Ending(ExitReason.KILLED, by)
        self._restarting.give_up(cell, ending)
