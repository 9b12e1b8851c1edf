"""Asking: questions that wait for an answer, answers, and passing the duty to answer on.

A question is a message in an envelope (`iris.core.messages.Request`) which `Delivery` puts
into the lane. This module makes the envelope, waits in the caller's own way, and settles
it. An actor that ends settles what it still owes; see `Lifecycle.finish`.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.config import seconds
from iris.core.cell import DEAD, ActorCell, remote_of
from iris.core.mailbox import Verdict
from iris.core.messages import CHAIN_MOST, Hop, Passed, Request
from iris.core.table import Table
from iris.core.tally import Fates
from iris.errors import ActorDead, ActorError, AskTimeout, BadInput
from iris.run.context import ReplyTo, current_cell, current_request, here
from iris.run.delivery import Delivery, check_pid, owned
from iris.run.requests import Requests, refusal
from iris.run.waiter import Waiter

_TAKEN = (Verdict.ACCEPTED, Verdict.WAIT)


class Asking:
    """The questions of one runtime. From any thread; only `ask` blocks.

    Args:
        table: the actors.
        delivery: sends what nobody waits for an answer to.
        requests: who owes what to whom.
        fates: counts late answers.
        clock: monotonic seconds.
        check_open: raises when the runtime cannot be used any more.
    """

    def __init__(
        self,
        table: Table,
        delivery: Delivery,
        requests: Requests,
        fates: Fates,
        clock: Callable[[], float],
        check_open: Callable[[], None],
    ) -> None:
        self._table = table
        self._lock = table.lock
        self._delivery = delivery
        self._requests = requests
        self._release = requests.release
        self._fates = fates
        self._clock = clock
        self._check_open = check_open

    def ask(self, pid: int, data: Any, timeout_s: float) -> Any:
        """Send a message and wait for the answer."""
        if type(timeout_s) is not float or not timeout_s > 0:
            timeout_s = checked_timeout(timeout_s)
        data = owned(data)
        cell = self.asked(pid, data)
        place = here()
        waiter = Waiter(place)
        asker = 0 if place is None else self._table.pid_of(place.cell)
        request = Request(data, asker, waiter.settle, self)
        began_s = self._clock()
        if cell.spec.is_remote:
            self.send_off(cell, request, timeout_s)
        try:
            self.put(cell, request)
            waiter.wait(timeout_s)
        finally:
            if not waiter.done:
                self._requests.withdraw(request)
        if not waiter.done:
            raise self.too_late(pid, self._clock() - began_s)
        return opened(waiter.value)

    def asked(self, pid: int, data: Any) -> ActorCell:
        """The actor to ask. Takes no lock: in a forked child it raises before any is touched.

        Raises:
            ActorDead: there is none with this pid (any more).
        """
        cell = self._table.get(pid) if type(pid) is int else None
        if cell is None:
            check_pid(pid)
            self._check_open()
            self._delivery.undeliverable(pid, data)
            raise ActorDead(f"actor {pid} has ended or never existed, and answers nobody")
        return cell

    def send_off(self, cell: ActorCell, request: Request, timeout_s: float) -> None:
        """Note on a question to another node what has to go with it.

        Raises:
            ActorError: that node takes no questions.
            TypeError, BadInput: the message cannot go there.
        """
        remote = remote_of(cell)
        assert remote is not None
        request.message = remote.encode_question(request.message)
        request.ends_at = self._clock() + timeout_s
        request.chain = self._chain(self._table.get(request.asker))

    def _chain(self, cell: Optional[ActorCell]) -> tuple[Hop, ...]:
        """Who waits for the answer to a question of this actor, the first asker first."""
        hops: list[Hop] = []
        while cell is not None and len(hops) <= CHAIN_MOST:
            hops.append((None, cell.pid))
            request = current_request(cell)
            if request is None:
                break
            if request.chain:
                return (*request.chain, *reversed(hops))
            cell = self._table.get(request.asker)
        return tuple(reversed(hops))

    def put(self, cell: ActorCell, request: Request) -> None:
        """Put a question into a mailbox, or into the line in front of it.

        Raises:
            ActorDead, LimitReached, AskCycle: it was not accepted.
        """
        backpressure = self._delivery.backpressure
        if backpressure is not None and self._delivery.sheds(cell, request.message):
            raise backpressure.refusal(cell.pid)
        verdict = self._requests.put(cell, request, True)
        if verdict not in _TAKEN:
            raise refusal(cell, verdict)

    def too_late(self, pid: int, elapsed_s: float) -> AskTimeout:
        """The error of a question whose time is over."""
        cell = self._table.get(pid)
        known, queued = "", 0
        if cell is not None:
            queued = cell.size()
            with self._lock:
                ties = cell.ties
                names = [] if ties is None else [*ties.names, *ties.paths]
            if names:
                known = f" ({', '.join(map(repr, names[:3]))})"
        return AskTimeout(
            f"actor {pid}{known} has not answered within {elapsed_s:.3f} s;"
            f" {queued} messages are queued in its mailbox"
        )

    def reply(self, data: Any, to: Optional[ReplyTo] = None) -> bool:
        """Answer the question that is being handled, or the one that `to` stands for."""
        if to is None:
            place = here()
            cell = None if place is None else place.cell
            if cell is None or self._table.get(cell.pid) is not cell:
                cell = self._answering("reply")
            asked = current_request(cell) or _passed_on(cell)
            if asked is None:
                return False
            request, passes = asked, asked.passes
        elif isinstance(to, ReplyTo):
            cell, request, passes = to._cell, to._request, to._passes
            if request.desk is not self:
                return bool(request.desk.reply(data, to))
            self._check_open()
        else:
            raise TypeError(
                f"to is what iris.current().reply_to gave, not {to!r} of type {type(to).__name__}"
            )
        with self._lock:
            if request.answered or request.target is not cell or request.passes != passes:
                self._check_owed(request, cell, passes)
            self._release(request)
            request.answered = True
        told = request.settle((True, owned(data)))
        if not told:
            self._fates.late_replies.add()
        return told

    def forward(self, pid: int, data: Any) -> bool:
        """Send a message on, and with it the duty to answer the question being handled."""
        cell = self._answering("forward")
        request = current_request(cell)
        check_pid(pid)
        target = self._table.get(pid)
        if request is None:
            _passed_on(cell)
        if request is None or target is None:
            return self._delivery.send(pid, data)
        remote = remote_of(target)
        data = owned(data) if remote is None else remote.encode_question(data)
        if remote is not None and not request.chain:
            request.chain = self._chain(self._table.get(request.asker))
        before = request.message
        with self._lock:
            self._check_owed(request, cell, request.passes)
            if self._delivery.sheds(target, data):
                return False
            # Of another runtime it is not this one's to move.
            waits = not request.over and request.desk is self
            if waits:
                self._release(request)
                request.message = data
                request.passes += 1
        if not waits:
            return self._delivery.send(pid, data)
        taken = False
        try:
            taken = self._requests.put(target, request, False) in _TAKEN
        finally:
            if taken:
                # The duty may come back to this very actor, with the next message.
                cell.control.current = Passed(request, before, pid)  # type: ignore[union-attr]
            else:
                self._keep(cell, request, before)
        return taken

    def _keep(self, cell: ActorCell, request: Request, message: Any) -> None:
        """Nobody took the question over: the actor itself owes the answer as before."""
        with self._lock:
            request.message = message
            request.passes -= 1
            dead = cell.state is DEAD
            if not dead:
                self._requests.owe(cell, request)
        if dead:
            self._requests.fail(request, ActorDead(f"actor {cell.pid} ended before it answered"))

    def _answering(self, what: str) -> ActorCell:
        """The actor of this runtime whose handler calls."""
        cell = current_cell()
        if cell is None or not self._table.pid_of(cell):
            self._check_open()
            raise ActorError(f"{what}() was called outside a handler of this runtime")
        return cell

    def _check_owed(self, request: Request, cell: Optional[ActorCell], passes: int) -> None:
        if request.answered:
            raise ActorError("this question was answered before; it takes one answer")
        target = request.target
        passed = target is not cell or request.passes != passes
        if cell is not None and target is not None and passed:
            raise _forwarded(target.pid)


def _passed_on(cell: ActorCell) -> Optional[Request]:
    """The question that an actor had in hand, if it passed it on and nobody waits any more.

    Raises:
        ActorError: somebody still waits, and the answer is for another handling to give.
    """
    passed = None if cell.control is None else cell.control.current
    if type(passed) is not Passed:
        return None
    if not passed.request.over:
        raise _forwarded(passed.pid)
    return passed.request


def _forwarded(pid: int) -> ActorError:
    return ActorError(f"this question was forwarded; actor {pid} answers it now")


def checked_timeout(timeout_s: object) -> float:
    """The time of an ask: it must be given, and it must be some."""
    value = seconds("timeout_s", timeout_s)
    if value <= 0:
        raise BadInput(f"timeout_s={timeout_s!r} leaves no time for an answer; give more than 0 s")
    return value


def opened(outcome: tuple[bool, Any]) -> Any:
    """The answer, or the error that came instead."""
    answered, value = outcome
    if answered:
        return value
    try:
        raise value
    finally:
        # Else the error would hold this frame, and the frame the error.
        del outcome, value
