"""The books of work elsewhere: each job counts once, however often it was sent or answered."""

from __future__ import annotations

import random

import pytest

import iris
from iris.demo.figures import SIMPLE, Trend
from iris.demo.jobs import Jobs, pack_summary, unpack_summary
from iris.demo.tally import Summary


def test_a_job_is_open_until_its_answer_counts():
    jobs = Jobs()
    jobs.take(7, "a", b"seven")
    jobs.take(8, "a", b"eight")
    assert (jobs.taken, jobs.open) == (2, 2)
    assert jobs.answer(7)
    assert (jobs.taken, jobs.open, jobs.answered) == (2, 1, 1)


def test_only_what_this_worker_has_not_answered_is_sent_again():
    jobs = Jobs()
    for number, worker in enumerate("abab"):
        jobs.take(number, worker, b"%d" % number)
    jobs.answer(0)
    assert jobs.again("a") == [b"2"]
    assert jobs.again("b") == [b"1", b"3"]
    assert jobs.again("c") == []
    assert jobs.sent_again == 3


def test_a_job_may_be_sent_again_several_times_and_stays_one_job():
    jobs = Jobs()
    jobs.take(1, "a", b"one")
    assert [jobs.again("a") for _ in range(3)] == [[b"one"]] * 3
    assert (jobs.taken, jobs.sent_again, jobs.open) == (1, 3, 1)


def test_a_second_answer_is_counted_apart():
    jobs = Jobs()
    jobs.take(1, "a", b"one")
    jobs.again("a")
    assert [jobs.answer(1) for _ in range(3)] == [True, False, False]
    assert (jobs.answered, jobs.answered_again, jobs.open) == (1, 2, 0)
    assert jobs.again("a") == []


def test_an_answer_that_nobody_asked_for_does_not_count():
    jobs = Jobs()
    assert not jobs.answer(1)
    assert (jobs.taken, jobs.answered, jobs.answered_again) == (0, 0, 1)


@pytest.mark.parametrize("seed", range(30))
def test_however_much_is_lost_and_doubled_each_job_counts_once_in_the_end(seed: int):
    luck = random.Random(seed)
    jobs, counted, on_the_way = Jobs(), [], []
    for number in range(100):
        jobs.take(number, luck.choice("ab"), b"%d" % number)
        on_the_way.append(number)
    while jobs.open:
        for number in on_the_way:
            times = luck.choice((0, 1, 1, 2))
            counted.extend(number for _ in range(times) if jobs.answer(number))
        on_the_way = [int(data) for worker in "ab" for data in jobs.again(worker)]
    assert sorted(counted) == list(range(100))
    assert jobs.taken == jobs.answered == 100


@pytest.mark.parametrize("trend", [None, Trend(0.1 + 0.2, 1 / 3)])
@pytest.mark.parametrize("volatility", [None, 1e-300])
def test_a_summary_comes_out_as_it_went_in(trend, volatility):
    summary = Summary("\u20acURO", 3, SIMPLE, "2020-01-31", 0.1, 2 / 3, volatility, trend)
    assert unpack_summary(pack_summary(summary)) == summary


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "0 bytes"), (b"no summary", "10 bytes"), (iris.serialize_args(1, 2), "not enough")],
)
def test_what_is_no_summary_is_refused(data: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        unpack_summary(data)
