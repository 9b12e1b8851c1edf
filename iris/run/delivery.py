"""Delivery: the one door for messages. Finds the mailbox, offers, acts on the verdict.

Every send is counted once, by what became of it at the mailbox. This module refuses to
know kinds of actor: it appends and signals the cell's runner. Where the lane is bounded, the
actor has children or an idle time, or the mailbox is closed, the cell has an `admission` and the
slow way is taken. Over 400 lines, because all that can become of an offered message is to be
read in one place.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.config import REDIRECT_HOPS_MAX
from iris.core.cell import DEAD, STOPPING, ActorCell, control_of
from iris.core.mailbox import CLOSED, Admission, Bound, Ticket, Verdict
from iris.core.messages import (
    Ending,
    EndMarker,
    ExitReason,
    FenceMarker,
    LetterReason,
    Marker,
    Request,
    unwrapped,
)
from iris.core.pid import PID_MAX, SLOT_MASK
from iris.core.table import Table
from iris.core.tally import Fates
from iris.core.waits import Waits
from iris.errors import BadInput, WouldDeadlock
from iris.run.backpressure import Backpressure
from iris.run.carrier import Carrier
from iris.run.context import current_cell, current_pid
from iris.run.undelivered import Undelivered
from iris.run.waiter import Waiter

_COPIED = (bytearray, memoryview)
# Buffers that somebody may change or free after the send.

_WAIT, _DORMANT = Verdict.WAIT, Verdict.DORMANT
UNDELIVERABLE = LetterReason.UNDELIVERABLE
# Read from the enum they cost 30 ns each.

Send = Callable[[int, Any], bool]
Seen = tuple[int, ...]


class Delivery:
    """The sending side of one runtime.

    Args:
        table: where the cells are.
        carrier: what has to be woken for push actors.
        waits: the actors that wait in front of full mailboxes, among others.
        fates: what is counted.
        undelivered: told of each message that no mailbox has taken.
        stop_word: see `Config.stop_word`.
        gone: called for a send to nobody; raises where the runtime cannot be used any more.
    """

    __slots__ = (
        "_carrier", "_fates", "_stop_word", "_table", "_undelivered", "_waits", "backpressure",
        "gone", "request_dropped", "send",
    )  # fmt: skip

    send: Send
    request_dropped: Callable[[ActorCell, Request], None]
    # Called for a question that was dropped for a newer message; `Requests` fills it in.

    def __init__(
        self,
        table: Table,
        carrier: Carrier,
        waits: Waits,
        fates: Fates,
        undelivered: Undelivered,
        stop_word: Any,
        gone: Callable[[], None],
    ) -> None:
        self._table = table
        self._carrier = carrier
        self._waits = waits
        self._fates = fates
        self._undelivered = undelivered
        self._stop_word = stop_word
        self.gone = gone
        self.backpressure: Optional[Backpressure] = None
        # None where nothing limits what is queued in all mailboxes; see `limit`.
        self.send = self._make_send()

    def _make_send(self) -> Send:
        """Build `send`. Names are locals of a closure: that is worth 40 ns a message."""
        slots = self._table.slots
        accepted = self._fates.accepted.numbers
        missing, admit, insist = self._missing, self._admit, self.insist
        carrier = self._carrier

        def send(pid: int, data: Any) -> bool:
            try:
                cell: ActorCell = slots[pid & SLOT_MASK]  # type: ignore[assignment]
                if cell.pid != pid:
                    return missing(pid, data)
            except (IndexError, AttributeError, TypeError):
                return missing(pid, data)
            if type(data) is not bytes:
                if isinstance(data, _COPIED):
                    data = bytes(data)
                elif cell.spec.is_remote:
                    data = cell.runner.encode(data)  # type: ignore[attr-defined]
            try:
                if cell.admission is not None:
                    return admit(cell, data, True, ())
                cell.user.append(data)
                next(accepted)
                if not cell.ready:
                    # Ready first, THEN the signal: the other way round the owner could
                    # come to a rest in between and leave the cell ready and unqueued.
                    cell.ready = True
                    if cell.signal(cell) is None and carrier.sleeping:
                        carrier.wake()
            except BaseException:
                # A signal handler raised between two of these statements. A wake-up too
                # many does no harm; one too few would leave the message lying.
                insist(cell)
                raise
            return True

        return send

    def limit(self, backpressure: Backpressure) -> None:
        """Limit what is queued in all mailboxes. Before anybody has taken `send`."""
        self.backpressure = backpressure
        self.send = self._make_limited_send(backpressure)

    def _make_limited_send(self, backpressure: Backpressure) -> Send:
        """Build the `send` of a runtime with limits: `_make_send` with two tests more."""
        slots = self._table.slots
        accepted = self._fates.accepted.numbers
        missing, admit, insist = self._missing, self._admit, self.insist
        carrier = self._carrier
        load, look = backpressure.load, backpressure.look

        def send(pid: int, data: Any) -> bool:
            try:
                cell: ActorCell = slots[pid & SLOT_MASK]  # type: ignore[assignment]
                if cell.pid != pid:
                    return missing(pid, data)
            except (IndexError, AttributeError, TypeError):
                return missing(pid, data)
            if type(data) is not bytes:
                if isinstance(data, _COPIED):
                    data = bytes(data)
                elif cell.spec.is_remote:
                    data = cell.runner.encode(data)  # type: ignore[attr-defined]
            if load.shut and self.sheds(cell, data):
                return False
            try:
                if cell.admission is not None:
                    return admit(cell, data, True, ())
                cell.user.append(data)
                number = next(accepted)
                if not cell.ready:
                    cell.ready = True
                    if cell.signal(cell) is None and carrier.sleeping:
                        carrier.wake()
                if number >= load.count_at:
                    # After its own message, so that nobody who is in the middle of a send can
                    # be missed: what is over the limit is at most one message of each of them.
                    look()
            except BaseException:
                insist(cell)
                raise
            return True

        return send

    def sheds(self, cell: ActorCell, data: Any) -> bool:
        """Whether the node is at a hard limit: then the message is refused and counted here."""
        backpressure = self.backpressure
        if backpressure is None or cell.admission is CLOSED or not backpressure.refuses():
            return False
        backpressure.shed.add()
        self.refused(cell.pid, data)
        return True

    def send_nowait(self, pid: int, data: Any) -> bool:
        """Send for the runtime itself (timers, the mesh): never waits, a full `block` refuses."""
        cell = self._table.get(pid)
        if cell is None:
            return self._missing(pid, data)
        if self.sheds(cell, data):
            return False
        return self._admit(cell, data, False, ())

    def send_uncopied(self, pid: int, data: Any) -> bool:
        """Send as users do, but pass a buffer on as it is; nobody may write to it any more."""
        cell = self._table.get(pid)
        if cell is None:
            return self._missing(pid, data)
        if self.sheds(cell, data):
            return False
        try:
            return self._admit(cell, data, True, ())
        except BaseException:
            self.insist(cell)
            raise

    def send_run(self, pid: int, payloads: list[bytes]) -> Optional[ActorCell]:
        """Send what another node has sent to one pid; never waits, and brings no stop word.

        Returns:
            The receiver; None when there is none.
        """
        cell = self._table.get(pid)
        if cell is None or cell.spec.is_remote:
            # A message from another node is never sent on to a third: it might go in a circle.
            for payload in payloads:
                self.undeliverable(pid, payload)
            return None
        if cell.admission is not None or self.backpressure is not None:
            for payload in payloads:
                self.send_nowait(pid, payload)
            return cell
        cell.user.extend(payloads)
        self._fates.accepted.add_many(len(payloads))
        self.poke(cell)
        return cell

    def system(self, cell: ActorCell, message: Any) -> bool:
        """Put a system message into the system lane; False when the actor is dead."""
        with self._table.lock:
            if cell.state in (STOPPING, DEAD):
                return False
            control_of(cell).items.append(message)
            cell.special = True
            if cell.spec.idle_timeout_s is not None:
                cell.runner.start(cell)
        self.poke(cell)
        return True

    def mark(self, cell: ActorCell, marker: Marker) -> None:
        """Put a marker behind the messages accepted so far. Under the table lock.

        The caller calls `poke` after it has given the lock back.
        """
        (cell.control or control_of(cell)).marks += 1
        cell.special = True
        admission = cell.admission
        if type(admission) is Bound:
            admission.mark(cell.user, marker)  # type: ignore[arg-type]
        else:
            cell.user.append(marker)

    def fence(self, cell: ActorCell, reached: Callable[[], Any]) -> None:
        """Call `reached` when all that lies in a mailbox now is handled, or its actor has ended."""
        with self._table.lock:
            closed = cell.admission is CLOSED
            if not closed:
                self.mark(cell, FenceMarker(reached))
        if closed:
            reached()
        else:
            self.poke(cell)

    def poke(self, cell: ActorCell) -> None:
        """Have the owner look at the cell, unless it is about to."""
        if not cell.ready:
            try:
                cell.ready = True
                if cell.signal(cell) is None:
                    self._carrier.wake()
            except BaseException:
                self.insist(cell)
                raise

    def insist(self, cell: ActorCell) -> None:
        """Have the owner look at the cell, whatever was begun before. May be one time too many."""
        cell.ready = True
        if cell.signal(cell) is None:
            self._carrier.wake(always=True)

    def _missing(self, pid: int, data: Any) -> bool:
        """The send names no living actor: tell a mistake from an actor that has ended."""
        check_pid(pid)
        self.gone()
        return self.undeliverable(pid, data)

    def undeliverable(self, pid: int, data: Any) -> bool:
        """A message has no live target: count and note it. Always False."""
        self._fates.undeliverable.add()
        self._undelivered.sent(pid, UNDELIVERABLE, data)
        return False

    def refused(self, pid: int, data: Any) -> bool:
        """A mailbox said no to a message: count and note it. Always False."""
        self._fates.refused.add()
        self._undelivered.sent(pid, LetterReason.REFUSED, data)
        return False

    def _admit(self, cell: ActorCell, data: Any, local: bool, seen: Seen) -> bool:
        """The slow way.

        Args:
            cell: the receiver.
            data: the message.
            local: whether the send may wait and may bring the stop word.
            seen: the mailboxes that had no room for this message before.
        """
        # Compared before anything happens.
        stops = local and self.is_stop_word(data)
        admission = cell.admission
        if admission is None:
            cell.user.append(data)
            verdict = Verdict.ACCEPTED
        else:
            verdict = admission.offer(cell.user, data)
        if verdict is _WAIT:
            if local and not seen:
                taken = self._wait(cell, data)
            else:
                taken = self.act(cell, admission, data, Verdict.REFUSED, seen)
        elif verdict is _DORMANT:
            with self._table.lock:
                # In one step: between the two, a short idle time might be over.
                cell.runner.start(cell)
                return self._admit(cell, data, local, seen)
        else:
            taken = self.act(cell, admission, data, verdict, seen)
        if stops and taken and verdict is not Verdict.REDIRECT and verdict is not _WAIT:
            self.end_parent(cell)
        return taken

    def act(
        self, cell: ActorCell, admission: Admission, data: Any, verdict: Verdict, seen: Seen
    ) -> bool:
        """Carry a verdict out: count the message, wake the owner, send it elsewhere."""
        fates = self._fates
        if verdict is Verdict.REFUSED:
            return self.refused(cell.pid, data)
        if verdict is Verdict.CLOSED:
            self.gone()
            return self.undeliverable(cell.pid, data)
        if verdict is Verdict.REDIRECT:
            assert type(admission) is Bound
            return self._redirect(cell, admission, data, (*seen, cell.pid))
        fates.accepted.add()
        self.poke(cell)
        if verdict is Verdict.EVICTED:
            assert type(admission) is Bound
            with self._table.lock:
                # In one step with the count of questions, see `found_nothing`.
                evicted = admission.take_evicted()
                for dropped in evicted:
                    if type(dropped) is Request:
                        control_of(cell).asks -= 1
            for dropped in evicted:
                fates.dropped_old.add()
                self._undelivered.dropped(cell.pid, unwrapped(dropped))
                if type(dropped) is Request:
                    self.request_dropped(cell, dropped)
        elif verdict is Verdict.SPILL:
            assert type(admission) is Bound
            fates.spilled.add()
            target = self._table.get(admission.target)
            # The copy is a message more.
            if target is None or not self.sheds(target, data):
                self._forward(admission.target, data, (*seen, cell.pid))
        return True

    def _redirect(self, cell: ActorCell, bound: Bound, data: Any, seen: Seen) -> bool:
        if self.target(bound, seen) is None:
            return self.refused(cell.pid, data)
        self._fates.redirected.add()
        return self._forward(bound.target, data, seen)

    def target(self, bound: Bound, seen: Seen) -> Optional[ActorCell]:
        """Where the overflow goes; None when nobody can take it there."""
        target = self._table.get(bound.target)
        if target is None or target.admission is CLOSED or _ends_here(bound.target, seen):
            return None
        return target

    def _forward(self, pid: int, data: Any, seen: Seen) -> bool:
        """Send a message on that another mailbox had no room for; it never waits again."""
        cell = self._table.get(pid)
        if cell is None:
            return self.undeliverable(pid, data)
        if _ends_here(pid, seen):
            return self.refused(pid, data)
        return self._admit(cell, data, False, seen)

    def _wait(self, cell: ActorCell, data: Any) -> bool:
        """Stand in the line in front of a full mailbox with policy `block`."""
        while True:
            waiter = Waiter()
            ticket = self.ticket(data, waiter.settle)
            sender = self._table.pid_of(current_cell())
            if sender == cell.pid:
                raise WouldDeadlock(
                    f"actor {sender} sends to its own full mailbox, which only it can empty;"
                    " raise its capacity or choose another policy"
                )
            if sender:
                with self._table.lock:
                    self._waits.begin(sender, cell.pid)
            try:
                taken = self.line_up(cell, ticket)
                if taken is not None:
                    return taken
                waiter.wait()
            except BaseException:
                self.leave_line(cell, ticket)
                raise
            finally:
                self._waits.end(sender)
            taken = self.told(cell, ticket, waiter.value)
            if taken is not None:
                return taken

    def line_up(self, cell: ActorCell, ticket: Ticket) -> Optional[bool]:
        """Offer a message that may wait for room: whether it was taken, None when it waits."""
        bound = cell.admission
        if type(bound) is not Bound:
            return self._admit(cell, ticket.message, False, ())
        verdict = bound.offer(cell.user, ticket.message, ticket)
        if verdict is Verdict.WAIT:
            return None
        taken = self.act(cell, bound, ticket.message, verdict, ())
        if taken and verdict is not Verdict.REDIRECT and self.is_stop_word(ticket.message):
            self.end_parent(cell)
        return taken

    def leave_line(self, cell: ActorCell, ticket: Ticket) -> None:
        """Wait for room no longer."""
        bound = cell.admission
        if type(bound) is Bound and bound.withdraw(ticket):
            self.refused(cell.pid, ticket.message)

    def told(self, cell: ActorCell, ticket: Ticket, verdict: Verdict) -> Optional[bool]:
        """What a sender in line was told: its message was taken, or not; None: line up anew."""
        if verdict is Verdict.RETRY:
            return None
        if verdict is Verdict.ACCEPTED:
            if self.is_stop_word(ticket.message):
                self.end_parent(cell)
            return True
        return self.undeliverable(cell.pid, ticket.message)

    def ticket(self, message: Any, settle: Callable[[Verdict], Any]) -> Ticket:
        """A place in a line. The owner of the mailbox tells its holder, and counts the message."""

        def tell(verdict: Verdict) -> None:
            if verdict is Verdict.ACCEPTED:
                self._fates.accepted.add()
            settle(verdict)

        return Ticket(message, tell)

    def is_stop_word(self, data: Any) -> bool:
        """Whether this ends a parent. Only bytes are compared: others have their own __eq__."""
        return type(data) is bytes and data == self._stop_word

    def end_parent(self, cell: ActorCell) -> None:
        """The stop word was accepted: the actor ends behind it if it has living children."""
        with self._table.lock:
            if cell.admission is CLOSED or cell.ties is None or not cell.ties.children:
                return
            self.mark(cell, EndMarker(Ending(ExitReason.NORMAL, current_pid() or cell.pid)))
        self.poke(cell)


def owned(data: Any) -> Any:
    """The message, copied where its sender could still change it."""
    return bytes(data) if isinstance(data, _COPIED) else data


def _ends_here(pid: int, seen: Seen) -> bool:
    """Whether a redirect or spill to `pid` would go in a circle, or too far."""
    return pid in seen or len(seen) > REDIRECT_HOPS_MAX


def check_pid(pid: object) -> int:
    """Return a pid that can name an actor, else raise TypeError or BadInput."""
    if type(pid) is not int:
        hint = "; did `whereis` find nobody?" if pid is None else ""
        raise TypeError(f"a pid is an int, not {pid!r} of type {type(pid).__name__}{hint}")
    if not 0 < pid <= PID_MAX:
        raise BadInput(f"pid {pid} cannot name an actor; pids are 1 to 2**64 - 1")
    return pid
