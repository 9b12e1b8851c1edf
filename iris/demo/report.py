"""The lines that `iris demo` shows, made from values. Pure: nothing is printed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from iris import ChildInfo, ChildReport
from iris.demo.figures import EXPONENTIAL, SIMPLE
from iris.demo.ledger import Check
from iris.demo.news import NodeBack, NodeGone, NodeKilled, NodeStarted
from iris.demo.stages import WORKERS
from iris.demo.tally import Failure, Line, Tally
from iris.mesh.peer import NodeInfo

HEADINGS = (
    "symbol", "rows", "from", "to", "last", "mean", "volatility %", "trend % a row", "fit",
)  # fmt: skip

LEFT_ALIGNED = 1
"""How many columns of a table hold names; the others are numbers, dates or short words."""


def progress(tally: Tally, rows_planned: int, queued: Optional[int]) -> str:
    """How far the stream is, in one line."""
    done = tally.summarised + tally.failed
    text = (
        f"{done:,} of {rows_planned:,} rows: {tally.summarised:,} summarised, "
        f"{tally.failed:,} failed, {len(tally.lines):,} symbols"
    )
    return text if queued is None else f"{text}, {queued} at the parser"


def failure(failed: Failure) -> str:
    """A row that its actor could not bear."""
    return f"actor {failed.pid} crashes: {failed.error}"


def restarted(by_supervisor: ChildReport) -> str:
    """A crashed actor is back, as its supervisor reports it."""
    pid, before = by_supervisor.pid, by_supervisor.previous_pid
    who = f"actor {pid} goes on in place" if pid == before else f"actor {pid} replaces {before}"
    return (
        f"{who}: restart {by_supervisor.restarts} of the {by_supervisor.child},"
        f" after {by_supervisor.reason}"
    )


def failures_left_out(tally: Tally) -> list[str]:
    """A line about the crashes that were not shown one by one; none when all were."""
    left_out = tally.failed - len(tally.failures)
    return [f"... and {left_out:,} more like these"] if left_out else []


def swapped(actors: int, after_rows: int) -> str:
    """The change of behaviour in mid-stream."""
    return f"hot swap after {after_rows:,} rows: {actors} actors go from {SIMPLE} to {EXPONENTIAL}"


def node_started(started: NodeStarted) -> str:
    """The second process listens."""
    if started.times == 1:
        what = f"has the {WORKERS} workers, and will be killed in mid-stream"
    else:
        what = f"has the {WORKERS} workers now"
    return f"process {started.process}, the node {started.address}, {what}"


def node_killed(news: NodeKilled) -> str:
    """The second process was killed on purpose."""
    return (
        f"process {news.process} is killed after {news.rows:,} rows (SIGKILL), with"
        f" {news.jobs_open:,} jobs unanswered"
    )


def node_gone(gone: NodeGone) -> str:
    """The mesh has found a node down."""
    said = ", ".join(f"{node.address} {_state(node)}" for node in gone.nodes)
    return f"proxies of the workers end as NodeDown; rt.nodes() says: {said}"


def node_back(news: NodeBack) -> str:
    """The workers are back."""
    return (
        f"all workers are back, the node was away for {news.away_s:.2f} s;"
        f" {news.jobs:,} jobs without an answer are sent again"
    )


def table(tally: Tally) -> list[str]:
    """The result: a line a symbol, with a heading; empty when no row came through."""
    if not tally.lines:
        return []
    return _table([HEADINGS, *(_cells(name, line) for name, line in sorted(tally.lines.items()))])


def supervised(children: Sequence[ChildInfo]) -> list[str]:
    """The actors under the supervisor: how often each was restarted, and how it is now."""
    cells = [(child.id, f"{child.restarts:,}", child.state) for child in children]
    return _table([("supervised", "restarts", "state"), *cells])


def nodes(infos: Sequence[NodeInfo]) -> list[str]:
    """What is known of other nodes; empty without any."""
    if not infos:
        return []
    cells = [
        (
            node.address,
            str(node.state),
            "-" if node.reason is None else str(node.reason),
            "-" if node.round_trip_s is None else f"{1000 * node.round_trip_s:.2f}",
            f"{node.proxies:,}",
        )
        for node in infos
    ]
    return _table([("node", "state", "reason", "round trip ms", "proxies"), *cells])


def accounting(checks: Sequence[Check]) -> list[str]:
    """The sums, one a line, each with its verdict."""
    verdicts = (f"  ok   {each.text}" if each.holds else f"  OFF  {off(each)}" for each in checks)
    return ["", "accounting", *verdicts]


def off(check: Check) -> str:
    """A sum that does not hold, and by how much."""
    return f"{check.text}, off by {check.difference:+,}"


def _state(node: NodeInfo) -> str:
    return str(node.state) if node.reason is None else f"{node.state} ({node.reason})"


def _cells(name: str, line: Line) -> tuple[str, ...]:
    latest = line.latest
    return (
        name,
        f"{line.rows:,}",
        line.first_date,
        line.last_date,
        f"{latest.price:,.2f}",
        f"{latest.mean:,.2f}",
        "-" if latest.volatility is None else f"{100 * latest.volatility:.2f}",
        "-" if latest.trend is None else f"{100 * latest.trend.slope:+.2f}",
        "-" if latest.trend is None else f"{latest.trend.fit:.2f}",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["", *(_aligned(row, widths) for row in rows)]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        text.ljust(width) if column < LEFT_ALIGNED else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths))
    )
    return "  ".join(cells).rstrip()
