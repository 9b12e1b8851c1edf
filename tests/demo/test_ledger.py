"""The accounting: it holds when all counts agree, and says by how much they do not."""

from __future__ import annotations

import pytest

from iris.demo import ledger
from iris.demo.figures import EXPONENTIAL, SIMPLE
from iris.demo.tally import Failure, Summary, Tally

STATS = {
    "sent": 100, "accepted": 97, "refused": 1, "undeliverable": 2, "redirected": 0,
    "handled": 90, "failed": 1, "dropped_old": 2, "expired": 3, "quarantined": 0,
    "forwarded": 0, "lost": 0, "queued": 1, "running": 0, "restarts": 1,
}  # fmt: skip


def tally_of(simple: int, exponential: int, failed: int) -> Tally:
    tally = Tally()
    for number, method in enumerate([SIMPLE] * simple + [EXPONENTIAL] * exponential):
        tally.add_summary(Summary("A", number, method, "2020-01-31", 1.0, 1.0, None, None))
    for _ in range(failed):
        tally.add_failure(Failure(7, "BadRow: no"))
    return tally


def test_all_sums_hold_when_the_counts_agree():
    found = ledger.checks(6, tally_of(3, 2, 1), STATS)
    assert [check.holds for check in found] == [True] * 6


def test_missing_row_shows_in_the_sum_of_rows_only():
    found = ledger.checks(7, tally_of(3, 2, 1), STATS)
    assert [check.holds for check in found] == [False, True, True, True, True, True]
    assert found[0].difference == -1


def test_row_handled_by_no_known_behaviour_shows():
    tally = tally_of(3, 2, 1)
    tally.by_method[SIMPLE] -= 1
    assert not ledger.checks(6, tally, STATS)[1].holds


def test_crash_that_the_runtime_did_not_count_shows():
    assert not ledger.checks(6, tally_of(3, 2, 1), {**STATS, "failed": 0, "handled": 91})[2].holds


def test_crash_without_a_restart_shows():
    found = ledger.checks(6, tally_of(3, 2, 1), {**STATS, "restarts": 0})
    assert [check.text for check in found if not check.holds] == ["restarts 0 = 1 rows failed"]


@pytest.mark.parametrize("name", [*ledger.SENT, *ledger.ACCEPTED, "sent"])
def test_every_fate_is_part_of_a_sum(name):
    off = ledger.checks(6, tally_of(3, 2, 1), {**STATS, name: STATS[name] + 1})
    assert not all(check.holds for check in off)


def test_fates_that_never_happened_are_left_out_of_the_text():
    text = ledger.checks(6, tally_of(3, 2, 1), STATS)[5].text
    assert text == (
        "messages accepted 97 = 90 handled + 1 failed + 2 dropped_old + 3 expired + 1 queued"
    )


AWAY = ledger.Away(
    jobs=5, jobs_open=0, sent_again=3, answered=5, answered_again=1, answers=6, proxies_ended=2,
    processes_ended=1,
)  # fmt: skip
MESH_STATS = {**STATS, "undeliverable": 2, "forwarded": 5, "lost": 1, "handled": 84, "restarts": 4}


def test_work_elsewhere_adds_up_with_losses_and_answers_that_came_twice():
    found = ledger.checks(6, tally_of(3, 2, 1), MESH_STATS, AWAY)
    assert [check.text for check in found if not check.holds] == []
    assert [check.text for check in found[3:8]] == [
        "jobs 5 = 5 answered + 0 open",
        "answers 6 = 5 counted + 1 twice",
        "jobs sent 8 = 5 at first + 3 again",
        "jobs sent 8 = 5 forwarded + 1 lost + 2 undeliverable",
        "restarts 4 = 1 rows failed + 2 proxies ended + 1 processes ended",
    ]


@pytest.mark.parametrize("name", ledger.Away._fields)
def test_every_count_of_the_second_process_is_part_of_a_sum(name):
    away = AWAY._replace(**{name: getattr(AWAY, name) + 1})
    assert not all(check.holds for check in ledger.checks(6, tally_of(3, 2, 1), MESH_STATS, away))
