"""What all visits of a node have in common: its actors, and their links with those elsewhere.

It stands apart from the visits because links outlive the connection that they came by: a node
whose connection broke has some seconds to come back and tell of them again.
"""

from __future__ import annotations

from typing import Callable, Optional

from iris.core.cell import ActorCell
from iris.core.links import Monitors
from iris.core.messages import Ending, ExitReason, PySystemMessage, SystemType
from iris.core.table import Table
from iris.core.tally import Fates as Counters
from iris.mesh.bonds import Bonds
from iris.mesh.payload import Codec
from iris.mesh.streams import Driver
from iris.run.asking import Asking
from iris.run.delivery import Delivery
from iris.run.lifecycle import Lifecycle
from iris.run.requests import Requests

ORPHANS_S = 8.0
"""How long links of a node that is gone without a goodbye wait for its return."""


class Hosting:
    """What all visits of a node have in common. In the hub of the mesh."""

    def __init__(
        self,
        driver: Driver,
        table: Table,
        delivery: Delivery,
        lifecycle: Lifecycle,
        monitors: Monitors,
        asking: Asking,
        requests: Requests,
        counters: Counters,
        codec: Codec,
        find: Callable[[str], int],
        lag: Callable[[], float],
        incarnation: bytes,
    ) -> None:
        self.driver = driver
        self.table = table
        self.delivery = delivery
        self.lifecycle = lifecycle
        self.monitors = monitors
        self.asking = asking
        self.requests = requests
        self.counters = counters
        self.codec = codec
        self.find = find
        self.lag = lag
        self.incarnation = incarnation
        self.bonds: dict[bytes, Bonds] = {}
        # Links with other nodes, by incarnation.

    def actor(self, pid: int) -> Optional[ActorCell]:
        """An actor of this node that others may send to."""
        cell = self.table.get(pid)
        return None if cell is None or cell.spec.is_remote else cell

    def leave_links(self, life: bytes, holder: object, at_once: bool) -> None:
        """The connection that these links came by is over."""
        bonds = self.bonds.get(life)
        if bonds is None:
            return
        # Not a visit any more; and not the orphans of an earlier break, which have less time.
        orphans = object()
        for theirs, ours in bonds.held_by(holder):
            bonds.tie(theirs, ours, orphans)
        if at_once:
            self._end_links(life, orphans)
        else:
            self.driver.later(ORPHANS_S, lambda: self._end_links(life, orphans))

    def _end_links(self, life: bytes, orphans: object) -> None:
        """The other node of these links is gone."""
        bonds = self.bonds.get(life)
        if bonds is None:
            return
        for theirs, ours in bonds.held_by(orphans):
            bonds.untie(theirs, ours)
            self.exit(theirs, ours, theirs, ExitReason.DISCONNECTED, "its node is gone")
        if not bonds.count:
            del self.bonds[life]

    def exit(self, theirs: int, ours: int, by: int, reason: ExitReason, text: str) -> None:
        """An actor elsewhere has ended that is linked to one here."""
        cell = self.actor(ours)
        if cell is None:
            return
        if cell.spec.receives_system:
            told = PySystemMessage(SystemType.EXIT, by, theirs, reason, {"message": text})
            self.delivery.system(cell, told)
        elif reason is not ExitReason.NORMAL:
            self.lifecycle.request_stop(cell, Ending(reason, theirs))
