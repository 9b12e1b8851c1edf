"""The numbers of a runtime at one moment: what became of its messages, who lives.

Read-only, and from any thread. While messages are on their way the numbers are read one
after the other and need not add up to the last message; at rest they do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional

from iris.core.cell import ActorCell
from iris.core.table import Table
from iris.core.tally import Fates
from iris.run.backpressure import Backpressure


class Snapshot:
    """Counts for one runtime.

    Args:
        table: the actors.
        fates: the counters.
        orphans: actors that were given up while their code runs on.
        carried: gives how many messages the actors of the carrier and the workers have handled.
        pulled: gives (messages taken, cell) of each living pull actor.
        restarts: how often supervisors have restarted a child.
        backpressure: counts what it has refused; None where nothing limits what is queued.
        underway: gives how many messages proxies have taken that the network has not yet.
    """

    def __init__(
        self,
        table: Table,
        fates: Fates,
        orphans: dict[int, ActorCell],
        carried: Callable[[], int],
        pulled: Callable[[], Iterable[tuple[int, ActorCell]]],
        restarts: Callable[[], int],
        backpressure: Optional[Backpressure],
        underway: Callable[[], int],
    ) -> None:
        self._table = table
        self._fates = fates
        self._orphans = orphans
        self._carried = carried
        self._pulled = pulled
        self._restarts = restarts
        self._backpressure = backpressure
        self._underway = underway

    def stats(self) -> dict[str, int]:
        """Totals since the start of the runtime, and what is the case now."""
        fates, table = self._fates, self._table
        handled = fates.handled.value + self._carried()
        queued, running = self._underway(), 0
        for cell in (*table.cells(), *self._orphans.values()):
            queued += cell.size()
            started = cell.running - 1
            if started > 0:
                running += 1
                if cell.spec.kind != "pull":
                    handled += started - 1
        for received, cell in self._pulled():
            handled += received - (1 if cell.running == 2 else 0)
        accepted, refused = fates.accepted.value, fates.refused.value
        undeliverable, redirected = fates.undeliverable.value, fates.redirected.value
        backpressure = self._backpressure
        with table.lock:
            spawned, ended = table.spawned, table.ended
        return {
            "sent": accepted + refused + undeliverable + redirected,
            "accepted": accepted,
            "refused": refused,
            "undeliverable": undeliverable,
            "redirected": redirected,
            "spilled": fates.spilled.value,
            "handled": handled,
            "failed": fates.failed.value,
            "dropped_old": fates.dropped_old.value,
            "expired": fates.expired.value,
            "quarantined": fates.quarantined.value,
            "forwarded": fates.forwarded.value,
            "in_doubt": fates.in_doubt.value,
            "lost": fates.lost.value,
            "late_replies": fates.late_replies.value,
            "shed": 0 if backpressure is None else backpressure.shed.value,
            "pressure": 0 if backpressure is None else backpressure.load.times,
            "queued": queued,
            "queued_bytes": 0 if backpressure is None else max(0, backpressure.queued_bytes()),
            "running": running,
            "actors": spawned - ended,
            "spawned": spawned,
            "ended": ended,
            "restarts": self._restarts(),
        }
