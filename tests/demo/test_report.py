"""The lines of the demonstration, as text."""

from __future__ import annotations

import pytest

import iris
from iris.demo import report
from iris.demo.figures import SIMPLE, Trend
from iris.demo.ledger import Check
from iris.demo.news import NodeBack, NodeGone, NodeKilled, NodeStarted
from iris.demo.tally import FAILURES_SHOWN_MAX, Failure, Summary, Tally
from iris.mesh.health import PeerReason, PeerState
from iris.mesh.peer import NodeInfo

NODES = (
    NodeInfo("127.0.0.1:1", PeerState.DOWN, PeerReason.REFUSED, None, 0.0, 0),
    NodeInfo("127.0.0.1:65535", PeerState.UP, None, 0.00123, 0.0, 4),
)


def tally_of_two() -> Tally:
    tally = Tally()
    tally.add_summary(
        Summary("MSFT", 1, SIMPLE, "2000-01-01", 39.81, 1234.5, 0.0567, Trend(-0.0123, 0.98))
    )
    tally.add_summary(Summary("A", 2, SIMPLE, "2000-02-01", 1.0, 1.0, None, None))
    tally.add_failure(Failure(7, "BadRow: line 3: no"))
    return tally


def test_table_is_aligned_sorted_and_marks_what_is_not_known():
    assert report.table(tally_of_two()) == [
        "",
        "symbol  rows        from          to   last      mean  volatility %  trend % a row   fit",
        "A          1  2000-02-01  2000-02-01   1.00      1.00             -              -     -",
        "MSFT       1  2000-01-01  2000-01-01  39.81  1,234.50          5.67          -1.23  0.98",
    ]


def test_table_of_nothing_is_nothing():
    assert report.table(Tally()) == []


def test_progress_names_the_queue_only_while_there_is_one():
    text = report.progress(tally_of_two(), 1000, 16)
    assert text == ("3 of 1,000 rows: 2 summarised, 1 failed, 2 symbols, 16 at the parser")
    assert "parser" not in report.progress(tally_of_two(), 1000, None)


def test_failure_names_actor_and_error():
    assert report.failure(Failure(7, "BadRow: line 3: no")) == (
        "actor 7 crashes: BadRow: line 3: no"
    )


@pytest.mark.parametrize(
    ("previous", "text"),
    [
        (7, "actor 7 goes on in place: restart 2 of the parser, after Panic"),
        (5, "actor 7 replaces 5: restart 2 of the parser, after Panic"),
    ],
)
def test_restart_says_whether_it_is_still_the_same_actor(previous, text):
    found = iris.ChildReport("demo", "parser", 7, previous, iris.ExitReason.PANIC, 2)
    assert report.restarted(found) == text


def test_supervised_actors_are_a_table_in_the_order_of_their_start():
    children = [
        iris.ChildInfo("worker 1", 7, "up", 1_234, ()),
        iris.ChildInfo("a", None, "making", 0, ()),
    ]
    assert report.supervised(children) == [
        "",
        "supervised  restarts   state",
        "worker 1       1,234      up",
        "a                  0  making",
    ]


def test_failures_beyond_those_shown_are_counted():
    tally = Tally()
    assert report.failures_left_out(tally) == []
    for number in range(FAILURES_SHOWN_MAX + 3):
        tally.add_failure(Failure(number, "no"))
    assert report.failures_left_out(tally) == ["... and 3 more like these"]


def test_accounting_marks_the_sum_that_is_off():
    lines = report.accounting([Check("rows 3 = 3 done", 3, 3), Check("rows 5 = 3 done", 5, 3)])
    assert lines[2:] == ["  ok   rows 3 = 3 done", "  OFF  rows 5 = 3 done, off by -2"]


def test_each_process_is_told_with_its_number_and_address():
    assert report.node_started(NodeStarted(12, "127.0.0.1:1", 1)) == (
        "process 12, the node 127.0.0.1:1, has the 4 workers, and will be killed in mid-stream"
    )
    assert report.node_started(NodeStarted(13, "127.0.0.1:2", 2)) == (
        "process 13, the node 127.0.0.1:2, has the 4 workers now"
    )


def test_absence_is_told_from_the_kill_to_the_return():
    assert report.node_killed(NodeKilled(5.0, 12, 1336, 25)) == (
        "process 12 is killed after 1,336 rows (SIGKILL), with 25 jobs unanswered"
    )
    assert report.node_gone(NodeGone(5.0, NODES)) == (
        "proxies of the workers end as NodeDown; rt.nodes() says: 127.0.0.1:1 down (refused),"
        " 127.0.0.1:65535 up"
    )
    assert report.node_back(NodeBack(0.567, 1171)) == (
        "all workers are back, the node was away for 0.57 s; 1,171 jobs without an answer are"
        " sent again"
    )


def test_nodes_are_a_table_when_there_are_any():
    assert report.nodes(()) == []
    assert report.nodes(NODES) == [
        "",
        "node             state   reason  round trip ms  proxies",
        "127.0.0.1:1       down  refused              -        0",
        "127.0.0.1:65535     up        -           1.23        4",
    ]
