"""What is done about a message that no handler has seen: noted at once, told soon after.

A send may come from a signal handler, from a `__del__`, or from anywhere inside a lock of
Iris, so nothing of the user's is called in it: no hook, no log handler. The note goes into
the ring, and if somebody has to be told, the hub does that when it comes round.
"""

from __future__ import annotations

from collections import deque
from itertools import count, islice
from typing import Any, Callable

from iris.core.letters import DeadLetter, Letters, Note, letter, size_of
from iris.core.messages import LetterReason, Marker, unwrapped
from iris.core.table import Table
from iris.core.tally import Fates
from iris.observe.hooks import Hooks
from iris.run.context import here
from iris.run.log import IN_FULL, PER_LINE, Log
from iris.run.native import get_ident

POINT = "undelivered"

UNTOLD_MAX = 10_000
"""Letters that wait for the hooks; when there are more, the hooks miss the oldest. About 3 MB."""

TOLD_AT_ONCE = 100
"""Letters after which other actors, timers and sockets have their turn."""

TOTAL = -1

UNDELIVERABLE = LetterReason.UNDELIVERABLE
DROPPED_OLD = LetterReason.DROPPED_OLD
QUARANTINED = LetterReason.QUARANTINED


class Undelivered:
    """The dead letters of one runtime. From any thread unless said otherwise.

    Args:
        letters: where they are kept.
        table: the actors, among them the sender.
        fates: the totals that the log tells.
        clock: monotonic seconds.
        post: has the hub call something soon.
    """

    sent: Callable[[int, LetterReason, Any], None]

    __slots__ = (
        "_clock", "_fates", "_hooked", "_hooks", "_letters", "_log", "_numbers",
        "_post", "_table", "_telling", "_told", "_untold", "_written", "closing", "sent",
    )  # fmt: skip

    def __init__(
        self,
        letters: Letters,
        table: Table,
        fates: Fates,
        hooks: Hooks,
        log: Log,
        clock: Callable[[], float],
        post: Callable[[Callable[[], Any]], None],
    ) -> None:
        self._letters = letters
        self._table = table
        self._fates = fates
        self._hooks = hooks
        self._hooked = hooks.at(POINT)
        self._log = log
        self._clock = clock
        self._post = post
        self._numbers = count()
        # Of the reports for the log: the first ones are written, then one in a thousand.
        self._untold: deque[tuple[Note, int]] = deque(maxlen=UNTOLD_MAX)
        # With each note its line in the log: 0 for none, else how many messages it is about;
        # TOTAL for the line that stands for many others.
        self._told = False
        # True while the hub is going to look at `_untold`. Set by whoever appends, cleared by
        # the hub, which THEN looks.
        self._telling = 0
        # The thread that tells the log and the hooks now, 0 for none.
        self._written = 0
        # The count that the latest such line said. In the hub only.
        self.closing: Callable[[], bool] = _no
        # Whether the runtime is being shut down: then nothing is news to the log.
        self.sent = self._make_sent()
        # In the send, with (pid, reason, message): no mailbox has taken the message.

    def read(self) -> list[DeadLetter]:
        """The letters that are kept, oldest first."""
        return self._letters.read()

    def _make_sent(self) -> Callable[[int, LetterReason, Any], None]:
        """Build `sent`. A closure, written out: a send to the dead is to stay cheap."""
        keep, pid_of, clock = self._letters.keep, self._table.pid_of, self._clock
        numbers, hooked, tell_of = self._numbers, self._hooked, self._tell_of

        def sent(pid: int, reason: LetterReason, message: Any) -> None:
            place = here()
            cell = None if place is None else place.cell
            kind = type(message)
            note = (
                pid,
                reason,
                0 if cell is None else pid_of(cell),
                kind,
                len(message) if kind is bytes else size_of(message),
                clock(),
            )
            keep(note)
            if reason is UNDELIVERABLE:
                number = next(numbers)
                if number < IN_FULL or number % PER_LINE == 0:
                    tell_of(note, self._line(number, 1))
                    return
            # REFUSED is what somebody chose with the policy of a mailbox: no news to the log.
            if hooked:
                tell_of(note, 0)

        return sent

    def dropped(self, pid: int, message: Any) -> None:
        """In the send: a full mailbox has dropped this one for a newer one."""
        self._note(pid, DROPPED_OLD, message)

    def quarantined(self, pid: int, message: Any) -> None:
        """In the turn: this one is set aside, its handler has raised twice."""
        self._note(pid, QUARANTINED, message)

    def _note(self, pid: int, reason: LetterReason, message: Any) -> None:
        note = (pid, reason, 0, type(message), size_of(message), self._clock())
        self._letters.keep(note)
        if self._hooked:
            self._tell_of(note, 0)

    def left(self, pid: int, reason: LetterReason, messages: list[Any], amount: int) -> None:
        """Of an actor that ends or restarts these `amount` messages were left, oldest first.

        There may be markers among them.

        Of a long queue only the newest are noted, as many as are kept or told at all, so
        that the end of an actor takes no time for those that nobody would ever see.
        """
        now = self._clock()
        most = max(self._letters.size, UNTOLD_MAX if self._hooked else 1)
        left = (unwrapped(one) for one in reversed(messages) if not isinstance(one, Marker))
        newest = islice(left, most)
        notes: list[Note] = [(pid, reason, 0, type(one), size_of(one), now) for one in newest]
        if not notes:
            return
        for note in reversed(notes):
            self._letters.keep(note)
        if self._hooked:
            for note in reversed(notes[1:]):
                self._tell_of(note, 0)
        self._tell_of(notes[0], self._line(next(self._numbers), amount))

    def _line(self, number: int, amount: int) -> int:
        """What the log has to hear of its report with this number; see `_untold`."""
        if (number >= IN_FULL and number % PER_LINE) or self.closing():
            return 0
        return amount if number < IN_FULL else TOTAL

    def _tell_of(self, note: Note, line: int) -> None:
        if self._telling == get_ident() or not (line or self._hooked):
            # A hook that itself sends to nobody would never come to an end: such letters are
            # kept, and nobody is told of them.
            return
        self._untold.append((note, line))
        if not self._told:
            try:
                self._told = True
                self._post(self._tell)
            except BaseException:
                # A signal handler raised in between; the next letter tries again.
                self._told = False
                raise

    def _tell(self) -> None:
        """In the hub: tell the log and the hooks of the letters that wait."""
        self._told = False
        # Not told first, THEN a look: whoever appends from now on posts again.
        untold = self._untold
        self._telling = get_ident()
        try:
            for _ in range(TOLD_AT_ONCE):
                if not untold:
                    return
                note, line = untold.popleft()
                self._write(letter(note), line)
                self._hooks.call(POINT, letter(note))
        finally:
            self._telling = 0
        if untold and not self._told:
            self._told = True
            self._post(self._tell)

    def _write(self, told: DeadLetter, line: int) -> None:
        if line == TOTAL:
            fates = self._fates
            lost = fates.undeliverable.value + fates.expired.value + fates.lost.value
            # One line for several thousand, if they came faster than the hub comes round.
            if lost >= self._written + PER_LINE:
                self._written = lost
                self._log.undelivered_so_far(told, lost)
        elif line:
            self._log.undelivered(told, line)


def _no() -> bool:
    return False
