"""Restarting: from a failure, or an order, over a rest, to a new handler of the same actor.

The actor keeps its pid, names, paths, links, monitors and queue. Who decides that it goes on, when
and with which handler, is not known here: that is whoever put the `Renewal` into its ties. What is
promised is that `rested` is called when nothing of the actor runs any more, and that from then on
`resume`, `give_up` and a stop exclude each other.

While a cell is RESTARTING its `special` stays True, so that every visit to it looks at its state
before it takes a message, and once its owner has left it `ready` stays True without its standing
in any queue, so that no sender signals. Who makes it anything else signals (docs/adr/0013).
"""

from __future__ import annotations

from typing import Any, Optional

from iris.core.cell import (
    ALIVE,
    RESTARTING,
    STARTING,
    STOPPING,
    ActorCell,
    Event,
    advance,
    control_of,
    renewal_of,
)
from iris.core.messages import Ending, FenceMarker, Passed, Request, unwrapped
from iris.core.renewal import Judgement, Renewal, Stage
from iris.errors import ActorRestarting, InternalError
from iris.run.crash import crash_ending, is_interruption
from iris.run.delivery import Delivery
from iris.run.families import Families
from iris.run.lifecycle import Lifecycle
from iris.run.log import Log
from iris.run.requests import Requests
from iris.run.settling import Settling, tell_askers


class Restarting:
    """The restarts in place of one runtime. From any thread unless said otherwise; none blocks."""

    __slots__ = ("_delivery", "_families", "_lifecycle", "_lock", "_log", "_requests", "_settling")

    def __init__(
        self,
        lifecycle: Lifecycle,
        families: Families,
        delivery: Delivery,
        requests: Requests,
        settling: Settling,
        log: Log,
    ) -> None:
        self._lifecycle = lifecycle
        self._lock = lifecycle.lock
        self._families = families
        self._delivery = delivery
        self._requests = requests
        self._settling = settling
        self._log = log

    # -- on the way to a rest ------------------------------------------------------------------

    def fail(self, cell: ActorCell, error: BaseException, item: Any, counted: bool) -> bool:
        """In the turn: a handler raised. Whether that is a restart in place, and no end.

        Args: see `Lifecycle.fail`.
        """
        if renewal_of(cell) is None or isinstance(error, KeyboardInterrupt):
            return False
        interrupted = is_interruption(error)
        with self._lock:
            renewal = renewal_of(cell)
            if renewal is None:
                # Somebody has taken it off its supervisor's list just now.
                return False
            if type(item) is Passed or (type(item) is Request and item.target is not cell):
                # Somebody else owes the answer, or nobody: what can come again is the message.
                item = item.message
            if self._lifecycle.closing:
                return False
            if cell.state is RESTARTING:
                # It was told to restart while this handler ran: nobody is told of the failure.
                ending = None
            elif cell.state in (ALIVE, STARTING) and not interrupted:
                ending = crash_ending(cell.pid, error, unwrapped(item), renewal.restarts)
                self._begin(cell, renewal, ending)
            else:
                return False
            judged = renewal.judge(item) if counted else None
            if judged is Judgement.AGAIN:
                _put_back(cell, renewal, item)
        if judged in (Judgement.FAILED, Judgement.QUARANTINED):
            self._settling.failed(cell, unwrapped(item), judged is Judgement.QUARANTINED)
        if not interrupted:
            ending = ending or crash_ending(cell.pid, error, unwrapped(item), renewal.restarts)
            self._log.crashed(cell.pid, ending.reason, error, True)
        return True

    def order(self, cell: ActorCell) -> bool:
        """Have a living actor restart although it has not failed; False if it is not ALIVE.

        No further message starts; the rest comes when the running handler has finished.
        """
        try:
            with self._lock:
                renewal = renewal_of(cell)
                if renewal is None or cell.state is not ALIVE or self._lifecycle.closing:
                    return False
                self._begin(cell, renewal, None)
            self._delivery.insist(cell)
        except BaseException:
            # A signal handler raised in between; see `Lifecycle.request_stop`.
            if cell.state is RESTARTING:
                cell.special = True
            self._delivery.insist(cell)
            raise
        return True

    def interrupt(self, cell: ActorCell) -> Optional[float]:
        """Interrupt a handler that does not come to rest in time; returns as `Runner.kill`."""
        return cell.runner.kill(cell)

    def _begin(self, cell: ActorCell, renewal: Renewal, ending: Optional[Ending]) -> None:
        """Under the table lock."""
        if cell.state is STARTING:
            # Its code runs, so its runner has it; the spawner has not come round to say so.
            advance(cell, Event.STARTED)
        advance(cell, Event.RESTART)
        self._lifecycle.set_resting(cell, True)
        cell.special = True
        renewal.stage = Stage.AWAKE
        renewal.ending = ending

    def park(self, cell: ActorCell) -> bool:
        """By the owner, between two turns: leave a restarting cell; it is visited no more.

        Its questions fail, its timers are cancelled, its children are asked to stop; when they
        are gone it is at rest. False when a stop came before: the owner goes on.
        """
        try:
            return self._park(cell)
        except BaseException:
            # A signal handler raised in between: the next visit does it all again.
            self._delivery.insist(cell)
            raise

    def _park(self, cell: ActorCell) -> bool:
        with self._lock:
            if cell.state is not RESTARTING:
                return False
            ties = cell.ties
            assert ties is not None
            renewal = ties.renewal
            assert renewal is not None
            if renewal.stage in (Stage.WAITING, Stage.RESTED):
                # A visit too many.
                return True
            renewal.stage = Stage.LEAVING
            # From here on it is given no child, so that those asked below are all.
            asked = self._requests.release_taken(cell)
            self._lifecycle.cancel_timers(ties)
        if asked:
            text = f"actor {cell.pid} restarts and will not answer this question; ask again"
            tell_askers(asked, ActorRestarting, text)
        watched = self._families.ask_children(cell)
        with self._lock:
            if cell.state is not RESTARTING:
                renewal.stage = Stage.AWAKE
                return False
            cell.ready = cell.special = True
            renewal.stage = Stage.WAITING
        if watched:
            self._families.wait(cell)
        else:
            self._families.go_on(cell)
        return True

    # -- from a rest on ------------------------------------------------------------------------

    def resume(self, cell: ActorCell, handler: Any) -> bool:
        """Go on with a new handler; False, and nothing has changed, when a stop came before.

        Raises:
            LimitReached: a pull actor found no place to run; it stays at rest.
        """
        try:
            with self._lock:
                if cell.state is not RESTARTING or self._lifecycle.closing:
                    return False
                renewal = renewal_of(cell)
                if renewal is None or renewal.stage is not Stage.RESTED:
                    raise InternalError(f"actor {cell.pid} is not at rest; please report this")
                before = (renewal.ending, renewal.quarantined)
                dropped = cell.take_queued() if renewal.drop_queue else []
                asked = self._requests.take_off(cell, dropped)
                cell.handler = handler
                history = None if cell.control is None else cell.control.history
                if history is not None:
                    history.renew(handler)
                advance(cell, Event.RESTARTED)
                renewal.begin()
            self._settling.settle(cell, dropped)
            text = f"actor {cell.pid} restarted and dropped its queue, this question with it"
            tell_askers(asked, ActorRestarting, text)
            try:
                cell.runner.restart(cell)
            except BaseException:
                if self._back_to_rest(cell, renewal, *before):
                    raise
                return False
            self._delivery.insist(cell)
            with self._lock:
                # Not before somebody has it again: `quiesce` looks here for what it has queued.
                if cell.state is not RESTARTING:
                    self._lifecycle.set_resting(cell, False)
        except BaseException:
            self._delivery.insist(cell)
            raise
        return True

    def _back_to_rest(
        self, cell: ActorCell, renewal: Renewal, ending: Optional[Ending], quarantined: bool
    ) -> bool:
        """It could not go on: True when it is at rest again, False when it was stopped."""
        with self._lock:
            renewal.stage = Stage.RESTED
            if cell.state is STOPPING:
                stopped = True
            else:
                stopped = False
                if cell.state is ALIVE:
                    advance(cell, Event.RESTART)
                cell.special = True
                renewal.ending, renewal.quarantined = ending, quarantined
                renewal.restarts -= 1
        if stopped:
            self._delivery.insist(cell)
        return not stopped

    def give_up(self, cell: ActorCell, ending: Ending) -> bool:
        """End a cell at rest; False when it is not RESTARTING any more."""
        return self._lifecycle.request_stop(cell, ending, RESTARTING)

    def claim(self, cell: ActorCell) -> bool:
        """Become the owner of a cell that was stopped at rest; True for one caller only.

        For runners that have nobody to visit it.
        """
        with self._lock:
            renewal = renewal_of(cell)
            if cell.state is not STOPPING or renewal is None or renewal.stage is Stage.AWAKE:
                return False
            if renewal.stage is Stage.LEAVING:
                # Its owner is about to see the stop.
                return False
            renewal.stage = Stage.AWAKE
            return True


def _put_back(cell: ActorCell, renewal: Renewal, item: Any) -> None:
    """A message will be the next to be handled, and is told from all others until it was."""
    rest = cell.rest
    if rest is None:
        rest = cell.rest = []
    control = control_of(cell)
    if type(item) is Request:
        item.taken = False
        control.asks += 1
    if cell.spec.kind != "pull":
        # The place behind it. A pull actor says itself when it has handled a message: it may
        # take them in another order.
        control.marks += 1
        rest.append(FenceMarker(renewal.acquit))
    rest.append(item)
