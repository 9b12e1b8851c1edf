"""The collector's counts."""

from __future__ import annotations

from iris.demo.figures import EXPONENTIAL, SIMPLE
from iris.demo.tally import FAILURES_SHOWN_MAX, Failure, Summary, Tally


def summary(symbol: str, number: int, date: str, method: str = SIMPLE) -> Summary:
    return Summary(symbol, number, method, date, float(number), 1.0, None, None)


def test_late_result_of_an_early_row_counts_but_is_not_the_latest():
    tally = Tally()
    tally.add_summary(summary("A", 2, "2020-02-28", EXPONENTIAL))
    tally.add_summary(summary("A", 1, "2020-01-31"))
    assert tally.summarised == 2
    assert tally.by_method == {SIMPLE: 1, EXPONENTIAL: 1}
    line = tally.lines["A"]
    assert (line.rows, line.first_date, line.last_date) == (2, "2020-01-31", "2020-02-28")
    assert line.latest.number == 2


def test_all_failures_are_counted_and_the_first_few_kept():
    tally = Tally()
    kept = [tally.add_failure(Failure(n, "no")) for n in range(FAILURES_SHOWN_MAX + 2)]
    assert kept == [True] * FAILURES_SHOWN_MAX + [False] * 2
    assert tally.failed == FAILURES_SHOWN_MAX + 2
    assert len(tally.failures) == FAILURES_SHOWN_MAX
