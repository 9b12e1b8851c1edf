"""Requests: who owes an answer to whom, from the mailbox to the answer or the end.

A request is offered to a mailbox like any message, and from then on stands in the books of
the cell that owes the answer; the wait of its asker is an edge among the waits. Both are
written under the table lock, together, so that an end settles all that is owed and a circle
is never missed. This module refuses to wait: that is `Asking`'s.
"""

from __future__ import annotations

from typing import Any, Callable

from iris.core.cell import RESTARTING, ActorCell, control_of, remote_of
from iris.core.mailbox import CLOSED, Admission, Bound, Door, Ticket, Verdict
from iris.core.messages import Request
from iris.core.supervision import is_supervisor
from iris.core.table import Table
from iris.core.tally import Fates
from iris.core.waits import Waits
from iris.errors import (
    ActorDead,
    ActorError,
    ActorRestarting,
    AskCycle,
    IrisError,
    LimitReached,
)
from iris.run.delivery import Delivery, Seen

_BACK = (Verdict.REFUSED, Verdict.CLOSED, Verdict.REDIRECT)
# The request does not lie in this mailbox.


class Requests:
    """The open questions of one runtime. From any thread; nothing blocks."""

    def __init__(self, table: Table, delivery: Delivery, waits: Waits, fates: Fates) -> None:
        self._lock = table.lock
        self._delivery = delivery
        self._waits = waits
        self._fates = fates

    def put(self, cell: ActorCell, request: Request, waits: bool, seen: Seen = ()) -> Verdict:
        """Offer a message whose sender waits for the answer. Never blocks.

        Args:
            cell: the receiver, which owes the answer from now on.
            request: the message in its envelope.
            waits: whether it may stand in the line of a full mailbox with policy `block`.
            seen: the mailboxes that had no room for it before.

        Returns:
            ACCEPTED; WAIT when it stands in the line; REFUSED, CLOSED or RESTARTING, and then
            nobody owes the answer.
        """
        try:
            with self._lock:
                admission = cell.admission
                verdict = self._lay(cell, admission, request, waits)
            return self._act(cell, admission, request, verdict, seen)
        except BaseException:
            # A signal handler may have raised in between, see `Delivery.send`.
            self._delivery.insist(cell)
            raise

    def _lay(
        self, cell: ActorCell, admission: Admission, request: Request, waits: bool
    ) -> Verdict:
        """Enter the request in the books and offer it, in one step. Under the table lock."""
        if admission is CLOSED:
            return Verdict.CLOSED
        if cell.state is RESTARTING:
            return Verdict.RESTARTING
        self.owe(cell, request)
        cell.control.asks += 1  # type: ignore[union-attr]
        cell.special = True
        if admission is None:
            cell.user.append(request)
            return Verdict.ACCEPTED
        if type(admission) is Bound:
            ticket = Ticket(request, self._line_settler(cell, request)) if waits else None
            verdict = admission.offer(cell.user, request, ticket)
            if verdict is Verdict.WAIT and not waits:
                verdict = Verdict.REFUSED
        else:
            verdict = self._offer(cell, admission, request)
        if verdict in _BACK:
            self._take_back(cell, request)
        return verdict

    def _act(
        self, cell: ActorCell, admission: Admission, request: Request, verdict: Verdict, seen: Seen
    ) -> Verdict:
        if verdict is Verdict.ACCEPTED:
            self._fates.accepted.add()
            self._delivery.poke(cell)
            return verdict
        if verdict is Verdict.WAIT:
            return verdict
        if verdict is Verdict.RESTARTING:
            self._delivery.refused(cell.pid, request.message)
            return verdict
        if verdict is Verdict.REDIRECT:
            assert type(admission) is Bound
            return self._redirect(admission, request, (*seen, cell.pid))
        taken = self._delivery.act(cell, admission, request.message, verdict, seen)
        return Verdict.ACCEPTED if taken else verdict

    def _offer(self, cell: ActorCell, admission: Door, request: Request) -> Verdict:
        """Offer to a mailbox without a bound that is not simply open. Under the table lock."""
        verdict = admission.offer(cell.user, request)
        if verdict is Verdict.DORMANT:
            cell.runner.start(cell)
            return self._offer(cell, cell.admission, request)  # type: ignore[arg-type]
        return verdict

    def _redirect(self, bound: Bound, request: Request, seen: Seen) -> Verdict:
        target = self._delivery.target(bound, seen)
        if target is None:
            self._delivery.refused(seen[-1], request.message)
            return Verdict.REFUSED
        self._fates.redirected.add()
        return self.put(target, request, False, seen)

    def _line_settler(self, cell: ActorCell, request: Request) -> Callable[[Verdict], Any]:
        """What becomes of a request that stands in the line of a full mailbox."""

        def settle(verdict: Verdict) -> None:
            if verdict is Verdict.ACCEPTED:
                self._fates.accepted.add()
                return
            self._take_back(cell, request)
            try:
                if verdict is Verdict.RETRY:
                    verdict = self.put(cell, request, True)
                else:
                    self._delivery.undeliverable(cell.pid, request.message)
                if verdict not in (Verdict.ACCEPTED, Verdict.WAIT):
                    raise refusal(cell, verdict)
            except IrisError as error:
                self.fail(request, error)

        return settle

    def _take_back(self, cell: ActorCell, request: Request) -> None:
        """The request does not lie in the lane of this cell, nor will it."""
        with self._lock:
            control_of(cell).asks -= 1
            self.release(request)

    def owe(self, cell: ActorCell, request: Request) -> None:
        """From now on this actor owes the answer. Under the table lock.

        Raises:
            AskCycle: the asker would wait for itself; nothing has changed.
        """
        control = cell.control or control_of(cell)
        if not (request.over or request.answered):
            # First, so that `release` undoes what a signal handler cuts short.
            request.target = cell
            if request.asker:
                try:
                    self._waits.begin_ask(request.asker, cell.pid)
                except AskCycle:
                    request.target = None
                    raise
            control.asked[request] = None

    def release(self, request: Request) -> None:
        """Nobody owes this answer any more; its asker waits for nobody. Under the table lock."""
        cell = request.target
        if cell is not None:
            # Only then: an asker that was told before may wait for somebody else by now.
            cell.control.asked.pop(request, None)
            self._waits.end(request.asker)
            # Last: what a signal handler cuts short is done again by the next who releases.
            request.target = None

    def fail(self, request: Request, error: IrisError) -> None:
        """No answer will come: tell the asker, and release it for good."""
        with self._lock:
            self.release(request)
            request.over = True
        request.settle((False, error))

    def release_all(self, cell: ActorCell) -> list[Request]:
        """Release what an ending actor owes; the askers have to be told. Under the table lock."""
        control = cell.control
        if control is None or not control.asked:
            return []
        return self._give_up(list(control.asked))

    def release_taken(self, cell: ActorCell) -> list[Request]:
        """Release what a handler was given and has not answered. Under the table lock.

        Those that wait in the queue, or in the line in front of it, are owed still.
        """
        asked = () if cell.control is None else cell.control.asked
        return self._give_up([request for request in asked if request.taken])

    def take_off(self, cell: ActorCell, items: list[Any]) -> list[Request]:
        """Release the questions among what was taken out of the lane. Under the table lock."""
        requests = [item for item in items if type(item) is Request]
        if requests:
            control_of(cell).asks -= len(requests)
        return self._give_up(requests)

    def _give_up(self, requests: list[Request]) -> list[Request]:
        for request in requests:
            self.release(request)
            request.over = True
        return requests

    def withdraw(self, request: Request) -> None:
        """The asker has given up: a request that stands in a line leaves it."""
        try:
            self._withdraw(request)
        except BaseException:
            # A signal handler raised in between, and nobody else would do it.
            self._withdraw(request)
            raise

    def _withdraw(self, request: Request) -> None:
        with self._lock:
            cell = request.target
            bound = None if cell is None else cell.admission
            if type(bound) is Bound and bound.withdraw_message(request):
                self._take_back(cell, request)
                self._delivery.refused(cell.pid, request.message)
            else:
                self.release(request)
            request.over = True
        remote = None if cell is None else remote_of(cell)
        if remote is not None:
            remote.withdrawn(request)

    def dropped(self, cell: ActorCell, request: Request) -> None:
        """A full mailbox has dropped the question for a newer message."""
        self.fail(request, _full(cell.pid))


def refusal(cell: ActorCell, verdict: Verdict) -> IrisError:
    """The error of an ask that the mailbox of this actor did not accept."""
    pid = cell.pid
    if verdict is Verdict.CLOSED:
        return ActorDead(f"actor {pid} has ended or is stopping and answers nobody")
    if verdict is Verdict.RESTARTING:
        return ActorRestarting(
            f"actor {pid} is restarting and answers nobody now; the question was refused, ask"
            " again later, or send a message, which waits in its queue"
        )
    if is_supervisor(cell):
        return ActorError(f"actor {pid} is a supervisor, which takes no messages; ask its child")
    return _full(pid)


def _full(pid: int) -> IrisError:
    return LimitReached(
        f"the bounded mailbox of actor {pid} is full and the question was dropped; ask less,"
        " raise its capacity, or choose the policy 'block'"
    )
