"""`iris demo` itself: plans the run, builds the tree, streams the rows, judges the result.

The sender is the calling thread, which is a plain one. It waits whenever the parser's mailbox
is full, so the file is never read faster than the actors work, nor while one of them restarts.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple, Optional

import iris
from iris.demo import ledger, report
from iris.demo.collector import Collector, EndOfStream, ProgressDue
from iris.demo.feed import SHIPPED, BadFile, BadRow, Columns, RawRow, stream, survey
from iris.demo.keeper import NodeEnded
from iris.demo.outpost import Outpost
from iris.demo.process import NotStarted
from iris.demo.stages import WORKERS, EndOfRows, Market, Parser, worker
from iris.demo.tally import Tally
from iris.run import clock
from iris.screen import Screen

EXIT_OK, EXIT_OFF, EXIT_BAD_FILE, EXIT_INTERRUPTED = 0, 1, 2, 130
"""The last is what a shell reports for a program that died of SIGINT."""

PARSER_CAPACITY = 16
"""Smaller than a burst, so that the sender meets a full mailbox and has to wait."""

MAX_RESTARTS = 1_000_000
WITHIN_S = 1.0
BACKOFF_MS = (0, 0)
"""More than can happen, and without a pause: every row of the user's file may be bad, none of
them is a reason to end, and the next row does not get better by waiting."""

BURST_ROWS = 50
BURST_PAUSE_S = 0.08
"""The shipped series takes about a second: long enough to see it move, short enough to wait."""

PROGRESS_TERMINAL_MS = 100
PROGRESS_PLAIN_MS = 500
"""Plain lines stay in a log, so there are fewer of them."""

REST_TIMEOUT_S = 60.0
"""All queues are short when the last row is sent; over this, something hangs."""

MALFORMED = RawRow(0, "the row put in on purpose", "AAPL,2005-02-01,n/a")


class Options(NamedTuple):
    """What the command line says."""

    input: Optional[Path] = None
    """The user's file; None is the shipped series."""

    rows: Optional[int] = None
    """Length of the stream; the file is read again from its beginning if it is shorter."""

    repeat: int = 1
    """How often the file is read, when `rows` is None."""

    drop_one: bool = False
    """Lose one row between two actors, to see that the accounting notices."""

    mesh: bool = False
    """Have the workers in a second process, and kill it in mid-stream."""


class Plan(NamedTuple):
    """One run, decided before the first actor starts."""

    path: Path
    columns: Columns
    file_rows: int
    """Rows taken from the file; one more is sent when a malformed one is put in."""

    malformed_at: Optional[int]
    """The row before which the malformed one is put in."""

    swap_after: int
    lose_row: Optional[int]
    pause_s: float
    kill_after: Optional[int]
    """The row after which the second process is killed; None without one."""

    @property
    def rows(self) -> int:
        """All rows of the stream."""
        return self.file_rows + (self.malformed_at is not None)


class Outcome(NamedTuple):
    """What a run left behind."""

    rows_read: int
    tally: Tally
    stats: Mapping[str, int]
    at_rest: bool
    away: Optional[ledger.Away]
    """The counts of a second process, where there was one."""


def run(
    options: Options, out: Screen, err: Screen, pause: Callable[[float], None] = clock.sleep
) -> int:
    """Run the demonstration and return the exit code of the process.

    Args:
        options: what to stream.
        out: gets progress, table and accounting.
        err: gets a line when something is wrong.
        pause: how the sender waits between two bursts of the shipped series, in seconds.
    """
    path = SHIPPED if options.input is None else options.input
    try:
        plan = _plan(options, path)
        out.line(_opening(plan))
        with _expected_crashes_unlogged(options.mesh):
            outcome = _streamed(plan, out, pause)
    except BadFile as error:
        out.clear()
        err.line(f"iris demo: {_shown(path)}: {error}")
        return EXIT_BAD_FILE
    except NotStarted as error:
        out.clear()
        err.line(f"iris demo: there is no second process: {error}")
        return EXIT_OFF
    except KeyboardInterrupt:
        out.clear()
        err.line("iris demo: interrupted; all actors were stopped")
        return EXIT_INTERRUPTED
    return _judged(outcome, out, err)


def _plan(options: Options, path: Path) -> Plan:
    found = survey(path)
    shipped = options.input is None
    rows = options.rows or found.rows * options.repeat
    middle = max(1, rows // 2)
    return Plan(
        path,
        found.columns,
        file_rows=rows,
        malformed_at=max(1, rows // 4) if shipped else None,
        swap_after=middle,
        lose_row=middle if options.drop_one else None,
        pause_s=BURST_PAUSE_S if shipped and rows == found.rows else 0.0,
        # Between two bursts everything would be answered.
        kill_after=max(1, rows * 3 // 5) if options.mesh else None,
    )


def _opening(plan: Plan) -> str:
    name = "monthly stock prices (vega_datasets)" if plan.path == SHIPPED else _shown(plan.path)
    extras = [
        ", and a malformed one put in on purpose" if plan.malformed_at else "",
        "; one row will be lost on purpose" if plan.lose_row else "",
    ]
    return f"iris demo: {plan.file_rows:,} rows of {name}{''.join(extras)}"


def _streamed(plan: Plan, out: Screen, pause: Callable[[float], None]) -> Outcome:
    with iris.Runtime() as rt, contextlib.ExitStack() as stack:
        collector = Collector(rt, out, plan.rows)
        collector_pid = rt.spawn_with_mailbox(collector.run)
        rt.add_hook("restart", partial(_show_restart, rt, collector_pid))
        tree = iris.Supervisor(
            rt, name="demo", max_restarts=MAX_RESTARTS, within_s=WITHIN_S, backoff_ms=BACKOFF_MS
        )
        outpost = None
        if plan.kill_after is not None:
            outpost = Outpost(rt, collector_pid, plan.kill_after)
            stack.callback(outpost.close)
            outpost.open()
        parser = _grow(rt, tree, plan, collector_pid, outpost)
        every_ms = PROGRESS_TERMINAL_MS if out.is_terminal else PROGRESS_PLAIN_MS
        timer = rt.send_interval(collector_pid, every_ms, ProgressDue(parser))
        rows_read = _send_rows(rt, plan, parser, outpost, pause)
        rt.cancel_timer(timer)
        at_rest = rt.quiesce(REST_TIMEOUT_S)
        if outpost is not None:
            at_rest = outpost.settle(REST_TIMEOUT_S) and rt.quiesce(REST_TIMEOUT_S) and at_rest
        children = (outpost.children() if outpost else ()) + tree.children()
        nodes = outpost.nodes() if outpost else ()
        rt.send(collector_pid, EndOfStream(children, nodes))
        at_rest = rt.join(collector_pid, REST_TIMEOUT_S) and at_rest
        # Again, for the exact counts: the end of the stream was a message too.
        at_rest = rt.quiesce(REST_TIMEOUT_S) and at_rest
        away = outpost.account() if outpost else None
        return Outcome(rows_read, collector.tally, rt.stats(), at_rest, away)


def _send_rows(
    rt: iris.Runtime,
    plan: Plan,
    parser: int,
    outpost: Optional[Outpost],
    pause: Callable[[float], None],
) -> int:
    """Send the rows, each in its time; how many were read."""
    rows_read = 0
    for row in _rows(plan):
        rows_read += 1
        # Waits here while the parser has too much to do. False means that it is gone; the
        # row is counted as read, so the accounting will say so.
        if not rt.send(parser, row):
            break
        if outpost is not None and not outpost.after_row(rows_read, REST_TIMEOUT_S):
            break
        if plan.pause_s and rows_read % BURST_ROWS == 0:
            pause(plan.pause_s)
    rt.send(parser, EndOfRows())
    return rows_read


def _show_restart(rt: iris.Runtime, collector: int, restarted: iris.ChildReport) -> None:
    # Of proxies, which the global supervisor has, the outpost tells: it knows their names.
    if restarted.supervisor:
        rt.send(collector, restarted)


@contextlib.contextmanager
def _expected_crashes_unlogged(mesh: bool) -> Iterator[None]:
    """Keep what is expected from being logged, with a traceback mostly; the rest has to be seen.

    A malformed row is reported by the collector, and so is the end of a node. And an actor that is
    at work when Ctrl-C shuts the runtime down finds it closed.
    """
    expected = (BadRow, NodeEnded, iris.RuntimeClosed)

    def is_news(record: logging.LogRecord) -> bool:
        if record.exc_info:
            return not isinstance(record.exc_info[1], expected)
        # An error without its exception is a count of crashes no longer logged one by one. That
        # a node is down is a warning; with a mesh it is the story itself.
        return record.levelno < (logging.WARNING if mesh else logging.ERROR)

    log = logging.getLogger("iris")
    log.addFilter(is_news)
    try:
        yield
    finally:
        log.removeFilter(is_news)


def _grow(
    rt: iris.Runtime,
    tree: iris.Supervisor,
    plan: Plan,
    collector: int,
    outpost: Optional[Outpost],
) -> int:
    """Start the actors between the sender and the collector, and return the first of them.

    The last comes first, so that each is made with the pids of those to which it sends; one that
    crashes keeps its pid. Each start calls the factory again, so it begins without a past.
    """
    if outpost is None:
        answer = partial(rt.send, collector)
        workers = [
            tree.add(iris.ChildSpec(f"worker {number}", lambda: worker(answer)))
            for number in range(1, WORKERS + 1)
        ]
    else:
        workers = [outpost.dispatcher]
    market = tree.add(
        iris.ChildSpec("market", lambda: Market(rt, workers, collector, plan.swap_after).route)
    )
    parser = tree.add(
        iris.ChildSpec(
            "parser",
            lambda: Parser(rt, plan.columns, collector, market, plan.lose_row).take,
            capacity=PARSER_CAPACITY,
        )
    )
    rt.set_overflow_policy(parser, "block")
    return parser


def _rows(plan: Plan) -> Iterator[RawRow]:
    for row in stream(plan.path, plan.file_rows):
        if row.number == plan.malformed_at:
            yield MALFORMED
        yield row


def _judged(outcome: Outcome, out: Screen, err: Screen) -> int:
    checks = ledger.checks(outcome.rows_read, outcome.tally, outcome.stats, outcome.away)
    for line in report.accounting(checks):
        out.line(line)
    off = [check for check in checks if not check.holds]
    if not outcome.at_rest:
        err.line(f"iris demo: the actors did not come to rest within {REST_TIMEOUT_S:.0f} s")
        return EXIT_OFF
    if off:
        err.line(f"iris demo: the accounting does not add up: {report.off(off[0])}")
        return EXIT_OFF
    out.line(out.paint("everything adds up", "good"))
    return EXIT_OK


def _shown(path: Path) -> str:
    # A file name may hold line breaks and escape sequences; this message is one line.
    text = str(path)
    return text if text.isprintable() else ascii(text)
