"""Rest and end of a runtime: `quiesce` waits for the first, `shutdown` brings the second.

Both wait in the caller's own way and in bounded time. Shutdown asks children before
parents, interrupts handlers that wait cooperatively when most of the time is over, and
gives up on code that nothing can interrupt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from iris.config import seconds
from iris.core.cell import DEAD, STOPPING, ActorCell
from iris.core.links import all_below, children_of, descendants_deepest_first
from iris.core.table import Table
from iris.core.tally import Fates
from iris.errors import WouldDeadlock
from iris.run.carrier import Carrier
from iris.run.context import here
from iris.run.lifecycle import Lifecycle
from iris.run.lodging import Overflow
from iris.run.native import new_rlock, start_thread
from iris.run.waiter import Waiter

PAUSE_LEAST_S = 0.0002
PAUSE_MOST_S = 0.01
"""Between two looks at whether all is quiet: short at first, then no load on the machine."""

CLOSE_UP_S = 1.0
"""What the end of a shutdown may take beyond its time: threads that end, connections that close."""

GRACE_SHARE = 0.8
"""The part of a shutdown's time that handlers have to come to an end by themselves."""

Pulled = Callable[[], Iterable[tuple[int, ActorCell]]]


class Closing:
    """Quiesce and shutdown of one runtime.

    Args:
        pulled: gives (messages taken, cell) of each living pull actor.
        interrupt_pulled: interrupts pull actors that are stopping, where that is possible.
        workers_idle: whether actors with `release_gil` have nothing queued or running.
        mesh_idle: whether all that was sent to other nodes is on its way.
        stop_mesh: closes all connections, waiting some seconds at most.
        overflow: where pull actors run beside each other.
        runtime: tells which runtime a `Place` belongs to.
        closed: called when the runtime is closed for good.
    """

    def __init__(
        self,
        table: Table,
        fates: Fates,
        lifecycle: Lifecycle,
        carrier: Carrier,
        pulled: Pulled,
        interrupt_pulled: Callable[[], None],
        workers_idle: Callable[[], bool],
        mesh_idle: Callable[[], bool],
        stop_mesh: Callable[[float], None],
        overflow: Overflow,
        clock: Callable[[], float],
        runtime: Callable[[], Any],
        closed: Callable[[], None],
    ) -> None:
        self._table = table
        self._fates = fates
        self._lifecycle = lifecycle
        self._carrier = carrier
        self._pulled = pulled
        self._interrupt_pulled = interrupt_pulled
        self._overflow = overflow
        self._workers_idle = workers_idle
        self._mesh_idle = mesh_idle
        self._stop_mesh = stop_mesh
        self._clock = clock
        self._runtime = runtime
        self._closed = closed
        self.start: Callable[[Callable[[], None]], None] = start_thread
        # Runs a shutdown that a handler has begun, beside the handler.
        self.leave: Callable[[], None] = carrier.detach
        # Called last, in the carrier's hub; ends the runtime's own thread, if it has one.
        self.left: Callable[[float], None] = lambda _: None
        # Waits for the end of that thread, some seconds at most.
        self._begun = new_rlock()
        self._state = "open"
        self._result: list[int] = []

    def quiesce(self, timeout_s: float) -> bool:
        """Wait until no message is queued or being handled; False when the time is over."""
        timeout_s = seconds("timeout_s", timeout_s)
        if self._state == "closed":
            self._lifecycle.refuse()
        if self._in_handler():
            raise WouldDeadlock("quiesce() in a handler would wait for the handler itself")
        return self._wait_until(self._quiet, timeout_s)

    def shutdown(self, timeout_s: float) -> list[int]:
        """End all actors and the runtime; returns the pids of those that did not end."""
        timeout_s = seconds("timeout_s", timeout_s)
        if self._state != "closed" and not self._in_handler():
            # Whoever cannot wait is refused before anything has begun: nobody else would end it.
            Waiter()
        with self._begun:
            first = self._state == "open"
            if first:
                self._state = "closing"
        with self._table.lock:
            self._lifecycle.closing = True
        if self._in_handler():
            if first:
                self.start(lambda: self._shut_down(timeout_s))
            return []
        if first:
            self._shut_down(timeout_s)
        else:
            # As long as the first may take.
            self._wait_until(lambda: self._state == "closed", timeout_s + CLOSE_UP_S)
        return list(self._result)

    def cut_off(self) -> None:
        """The process was killed, in a simulation: nothing of it runs, and every call raises."""
        if self._state == "closed":
            return
        self._state = "closed"
        self._lifecycle.closing = True
        self._closed()
        self._table.forget_all()

    def _in_handler(self) -> bool:
        place = here()
        return place is not None and place.runtime is self._runtime

    def _quiet(self) -> bool:
        lifecycle = self._lifecycle
        before = (self._fates.accepted.value, lifecycle.rest_changes)
        if not self._carrier.idle():
            return False
        for _, cell in self._pulled():
            if cell.running == 2 or cell.size():
                return False
        if not self._workers_idle() or not self._mesh_idle():
            return False
        # Nothing was accepted while we looked and nobody went from the one place where we look to
        # another, so what we saw was true at one moment.
        with self._table.lock:
            resting = list(lifecycle.resting.values())
        if any(cell.size() for cell in resting):
            # What waits for a restart is queued, although nobody has to look at it.
            return False
        return self._carrier.idle() and before == (
            self._fates.accepted.value, lifecycle.rest_changes
        )

    def _shut_down(self, timeout_s: float) -> None:
        carrier = self._carrier
        end = self._clock() + timeout_s
        if not self._wait_until(self._all_ended, timeout_s * GRACE_SHARE, self._stop_everyone):
            self._stop_the_rest()
            carrier.post(lambda: carrier.interrupt_blocked(_is_stopping))
            self._interrupt_pulled()
            self._wait_until(self._all_ended, max(end - self._clock(), 0.05))
        self._result = [cell.pid for cell in self._table.cells() if cell.state is not DEAD]
        self._stop_mesh(max(end - self._clock(), 0.2))
        self._closed()
        self._table.forget_all()
        self._overflow.close()
        carrier.post(self.leave)
        self.left(max(end - self._clock(), 0.2))
        self._overflow.left(max(end - self._clock(), 0.2))
        self._state = "closed"

    def _stop_everyone(self) -> None:
        """Ask all actors to stop, children before their parents.

        Asked again at each look: an actor spawned while we began is found by the next.
        """
        lifecycle = self._lifecycle
        is_supervisor, ending = lifecycle.is_supervisor, lifecycle.shutdown_ending
        spared: dict[ActorCell, None] = {}
        # Those below a supervisor, which asks them one by one.
        for cell in self._table.cells():
            if cell not in spared and is_supervisor(cell):
                spared.update(dict.fromkeys(all_below(cell)))
        for cell in self._table.cells():
            if cell.state in (STOPPING, DEAD) or cell in spared:
                continue
            if children_of(cell) and not is_supervisor(cell):
                lifecycle.stop_all(descendants_deepest_first(cell, is_supervisor), ending)
            lifecycle.request_stop(cell, ending)

    def _stop_the_rest(self) -> None:
        """Time is over: ask also those whose supervisors have not come round to it."""
        for cell in self._table.cells():
            self._lifecycle.request_stop(cell, self._lifecycle.shutdown_ending)

    def _all_ended(self) -> bool:
        return self._table.count == 0

    def _wait_until(
        self,
        true: Callable[[], bool],
        timeout_s: float,
        before: Callable[[], None] = lambda: None,
    ) -> bool:
        end = self._clock() + timeout_s
        pause = PAUSE_LEAST_S
        while True:
            before()
            if true():
                return True
            left = end - self._clock()
            if left <= 0:
                return False
            Waiter().wait(min(pause, left))
            pause = min(2 * pause, PAUSE_MOST_S)


def _is_stopping(cell: ActorCell) -> bool:
    return cell.state is STOPPING
