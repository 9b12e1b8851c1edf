"""The pull actor at the end of the tree: gathers, reports progress, writes the tables.

It runs on a thread of its own and blocks in `recv`, so it is also the one place that
writes on the screen while the stream runs. A row that failed is reported by the parser,
just before it crashes, and the restart by the runtime's hook.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import iris
from iris.demo import report
from iris.demo.news import NodeBack, NodeGone, NodeKilled, NodeStarted
from iris.demo.stages import Swapped
from iris.demo.tally import FAILURES_SHOWN_MAX, Failure, Summary, Tally
from iris.mesh.peer import NodeInfo
from iris.screen import Screen


class ProgressDue(NamedTuple):
    """Sent by the timer: say how far it is."""

    parser: int
    """The stage whose queue is shown."""


class EndOfStream(NamedTuple):
    """Sent when all is done: write the tables and end."""

    supervised: tuple[iris.ChildInfo, ...]
    """What the supervisors say of their children."""

    nodes: tuple[NodeInfo, ...]
    """What is known of other nodes; empty without any."""


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
            Failure: self._take_failure,
            iris.ChildReport: self._take_restart,
            ProgressDue: self._take_progress,
            Swapped: self._take_swapped,
            NodeStarted: self._told(report.node_started),
            NodeGone: self._told(report.node_gone),
            NodeKilled: self._told(report.node_killed, "bad"),
            NodeBack: self._told(report.node_back),
            EndOfStream: self._take_end,
        }
        while self._open:
            message = mailbox.recv()
            if message is None:
                return  # Told to stop before the end of the stream; the one who did knows.
            takers[type(message)](message)

    def _told(self, said: Callable[[Any], str], kind: str = "") -> Callable[[Any], None]:
        """A taker that shows a line."""

        def take(news: Any) -> None:
            line = said(news)
            self._screen.line(self._screen.paint(line, kind) if kind else line)

        return take

    def _take_failure(self, failure: Failure) -> None:
        if self.tally.add_failure(failure):
            self._screen.line(self._screen.paint(report.failure(failure), "bad"))

    def _take_restart(self, restarted: iris.ChildReport) -> None:
        if restarted.restarts <= FAILURES_SHOWN_MAX:
            self._screen.line(report.restarted(restarted))

    def _take_progress(self, due: ProgressDue) -> None:
        queued = self._rt.mailbox_size(due.parser)
        self._screen.progress(report.progress(self.tally, self._rows_planned, queued))

    def _take_swapped(self, swapped: Swapped) -> None:
        self._screen.line(report.swapped(swapped.actors, swapped.after_rows))

    def _take_end(self, end: EndOfStream) -> None:
        self._screen.line(report.progress(self.tally, self._rows_planned, None))
        for lines in (
            report.failures_left_out(self.tally),
            report.table(self.tally),
            report.supervised(end.supervised),
            report.nodes(end.nodes),
        ):
            for line in lines:
                self._screen.line(line)
        self._open = False
