"""The runner of virtual actors with an idle time: begun by their first message, ended by rest.

Before its first message such an actor is a cell in the table and nothing else, as every push
actor is; its turns are those of a push actor too. What is added is one admission, one entry
in a book, and a look at it when its idle time may be over. The look is in the carrier's hub,
where no turn begins meanwhile, and under the table lock, under which each message comes in:
an actor is at rest there or it is not.
"""

from __future__ import annotations

from typing import Callable, Optional

from iris.core.cell import ALIVE, RESTARTING, ActorCell
from iris.core.idle import DORMANT, Idle, IdleBook
from iris.core.messages import Ending, ExitReason, FenceMarker
from iris.core.table import Table
from iris.run.delivery import Delivery
from iris.run.lifecycle import Lifecycle
from iris.run.push import PushRunner

LOOKS_MAX = 256
"""Actors looked at before the hub goes on with its other work; an end costs some 5 us."""

SLEEP_MAX_S = 86_400.0
"""The hub is not asked to wait for longer than a day at once; a look too many costs nothing."""


class LazyRunner:
    """Runs virtual actors; one object serves all of a runtime."""

    __slots__ = (
        "_armed",
        "_book",
        "_clock",
        "_delivery",
        "_lifecycle",
        "_lock",
        "_table",
        "kill",
        "restart",
        "signal",
    )

    signal: Callable[[ActorCell], Optional[bool]]
    kill: Callable[[ActorCell], float]
    restart: Callable[[ActorCell], None]

    def __init__(
        self,
        push: PushRunner,
        table: Table,
        delivery: Delivery,
        lifecycle: Lifecycle,
        clock: Callable[[], float],
    ) -> None:
        self.signal = push.signal
        self.kill = push.kill
        self.restart = push.restart
        self._table = table
        self._lock = table.lock
        self._delivery = delivery
        self._lifecycle = lifecycle
        self._clock = clock
        self._book = IdleBook(self._is_awaited)
        self._armed: Optional[float] = None
        # Under the lock. When the hub looks next. Invariant: not later than `_book.next`.

    def start(self, cell: ActorCell) -> None:
        """A message has come: begin the actor if this is its first, else note the time.

        From any thread. The sender offers the message after this, to the new admission.
        """
        with self._lock:
            admission = cell.admission
            if type(admission) is Idle:
                admission.touch()
            elif admission is DORMANT:
                begun = Idle(self._lock, self._clock)
                # Entered first: an entry too many does no harm, an actor that is in no book
                # would never end.
                self._enter(cell, begun)
                cell.admission = begun

    def _enter(self, cell: ActorCell, idle: Idle) -> None:
        assert cell.spec.idle_timeout_s is not None
        self._book.enter(idle.latest + cell.spec.idle_timeout_s, cell.pid)
        self._arm()

    def _arm(self) -> None:
        """Have the hub look when the first of the book is due. Under the lock."""
        following = self._book.next
        if following is None or (self._armed is not None and self._armed <= following):
            return
        self._armed = following
        delay_s = min(following - self._clock(), SLEEP_MAX_S)
        self._lifecycle.later(delay_s, lambda: self._look(following))

    def _look(self, armed: float) -> None:
        """In the hub: look at the actors that are due."""
        try:
            for _ in range(LOOKS_MAX):
                with self._lock:
                    pid = self._book.take_due(self._clock())
                    if pid is None:
                        break
                    self._judge(pid)
        finally:
            with self._lock:
                if self._armed == armed:
                    self._armed = None
                self._arm()

    def _judge(self, pid: int) -> None:
        """End an actor whose idle time is over, or say when to look again. Under the lock."""
        cell = self._table.get(pid)
        if cell is None or type(cell.admission) is not Idle:
            # It is ending, or has ended, without our help.
            return
        idle = cell.admission
        assert cell.spec.idle_timeout_s is not None
        try:
            owes = cell.control is not None and bool(cell.control.asked)
            if cell.ready or cell.user or cell.special or owes:
                # At work, or owing an answer: the idle time begins when what it has now is done.
                self._delivery.mark(cell, FenceMarker(lambda: self._at_rest(cell, idle)))
                self._delivery.poke(cell)
            elif self._clock() < idle.latest + cell.spec.idle_timeout_s:
                self._enter(cell, idle)
            else:
                idle.closed = True
                self._lifecycle.request_stop(cell, Ending(ExitReason.NORMAL, pid))
        except BaseException:
            # A signal handler raised in between: look again.
            self._book.enter(self._clock(), pid)
            raise

    def _at_rest(self, cell: ActorCell, idle: Idle) -> None:
        """In the turn, or at the actor's end: what it had when its time was over is done."""
        with self._lock:
            if cell.state is ALIVE and cell.admission is idle:
                idle.touch()
                self._enter(cell, idle)

    def _is_awaited(self, pid: int) -> bool:
        cell = self._table.get(pid)
        return cell is not None and cell.state in (ALIVE, RESTARTING)
