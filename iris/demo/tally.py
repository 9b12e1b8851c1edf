"""What has come out of the tree of actors so far: counts and the latest figures. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Optional

from iris.demo.figures import Trend

FAILURES_SHOWN_MAX = 5
"""A file of a million broken rows must not become a report of a million lines."""


class Summary(NamedTuple):
    """What a worker of the pool made of one row."""

    symbol: str
    number: int
    """The row's place in the stream. Workers finish in any order; the highest is the latest."""

    method: str
    """The behaviour of the symbol's actor that handled the row."""

    date: str
    price: float
    mean: float
    volatility: Optional[float]
    trend: Optional[Trend]


class Failure(NamedTuple):
    """A row that made the parser crash: what it says about it before it does."""

    pid: int
    error: str


class Line(NamedTuple):
    """One line of the result table: a symbol with its latest figures."""

    rows: int
    first_date: str
    last_date: str
    latest: Summary


class Tally:
    """The counts of one run.

    Invariant: `summarised` is the sum of `by_method` and of the rows of `lines`; the ledger
    compares it with counts taken elsewhere.
    """

    def __init__(self) -> None:
        self.summarised = 0
        self.failed = 0
        self.by_method: Counter[str] = Counter()
        self.lines: dict[str, Line] = {}
        self.failures: list[Failure] = []

    def add_summary(self, summary: Summary) -> None:
        """Count one row that went all the way."""
        self.summarised += 1
        self.by_method[summary.method] += 1
        line = self.lines.get(summary.symbol)
        if line is None:
            self.lines[summary.symbol] = Line(1, summary.date, summary.date, summary)
            return
        self.lines[summary.symbol] = Line(
            line.rows + 1,
            min(line.first_date, summary.date),
            max(line.last_date, summary.date),
            max(line.latest, summary, key=lambda each: each.number),
        )

    def add_failure(self, failure: Failure) -> bool:
        """Count one row that crashed its actor; True when it is among the few that are shown."""
        self.failed += 1
        if self.failed > FAILURES_SHOWN_MAX:
            return False
        self.failures.append(failure)
        return True
