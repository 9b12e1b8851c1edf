"""The pull actor at the end of the tree: gathers, reports progress, writes the table.

It runs on a thread of its own and blocks in `recv`, so it is also the one place that
writes on the screen while the stream runs. It hears of crashed workers because it
monitors them: the runtime sends it a DOWN message with the reason.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import iris
from iris.demo import report
from iris.demo.stages import Swapped
from iris.demo.tally import Failure, Summary, Tally
from iris.screen import Screen


class ProgressDue(NamedTuple):
    """Sent by the timer: say how far it is."""

    intake: int
    """The stage whose queue is shown."""


class EndOfStream(NamedTuple):
    """Sent when all is done: write the table and end."""


class Collector:
    """State of the collector. `tally` may be read by others once the actor has ended."""

    def __init__(self, rt: iris.Runtime, screen: Screen, rows_planned: int) -> None:
        self._rt = rt
        self._screen = screen
        self._rows_planned = rows_planned
        self._open = True
        self.tally = Tally()

    def run(self, mailbox: iris.PyMailbox) -> None:
        """The body of the actor."""
        takers: dict[type, Callable[[Any], object]] = {
            Summary: self.tally.add_summary,
            iris.PySystemMessage: self._take_system,
            ProgressDue: self._take_progress,
            Swapped: self._take_swapped,
            EndOfStream: self._take_end,
        }
        while self._open:
            message = mailbox.recv()
            if message is None:
                return  # Told to stop before the end of the stream; the one who did knows.
            takers[type(message)](message)

    def _take_system(self, message: Any) -> None:
        # Parsers that end well are monitored too; only crashes are news.
        if message.type_name != "DOWN" or message.reason != "Panic":
            return
        facts = message.metadata or {}
        error = f"{facts.get('exception_type')}: {facts.get('message')}"
        failure = Failure(message.target_pid, str(message.reason), error)
        if self.tally.add_failure(failure):
            self._screen.line(self._screen.paint(report.failure(failure), "bad"))

    def _take_progress(self, due: ProgressDue) -> None:
        queued = self._rt.mailbox_size(due.intake)
        self._screen.progress(report.progress(self.tally, self._rows_planned, queued))

    def _take_swapped(self, swapped: Swapped) -> None:
        self._screen.line(report.swapped(swapped.actors, swapped.after_rows))

    def _take_end(self, _: EndOfStream) -> None:
        self._screen.line(report.progress(self.tally, self._rows_planned, None))
        for line in report.failures_left_out(self.tally) + report.table(self.tally):
            self._screen.line(line)
        self._open = False
