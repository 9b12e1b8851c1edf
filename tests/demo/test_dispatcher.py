"""The dispatcher: in turn, once more after an absence, and no row more than there is room for."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.demo.dispatcher import Dispatcher, Enlist, Room
from iris.demo.figures import SIMPLE
from iris.demo.news import NodeBack, NodeGivenUp, NodeGone, NodeKilled
from iris.demo.tally import Summary
from iris.testing import SimRuntime


class Stage:
    """A dispatcher between a collector and two workers, which only note what they get."""

    def __init__(self) -> None:
        self.rt = SimRuntime(seed=1)
        self.collected: list[Any] = []
        self.got: dict[int, list[bytes]] = {}
        self.dispatcher = Dispatcher(self.rt, self.rt.spawn(self.collected.append))
        self.pid = self.rt.spawn(self.dispatcher.take)
        self.workers = [self.worker(), self.worker()]
        for number, proxy in enumerate(self.workers, 1):
            self.send(Enlist(f"worker {number}", proxy))

    def worker(self) -> int:
        got: list[bytes] = []
        pid = self.rt.spawn(got.append)
        self.got[pid] = got
        return pid

    def send(self, message: Any) -> None:
        self.rt.send(self.pid, message)
        self.rt.run_until_idle()

    def job(self, number: int) -> bytes:
        data = iris.serialize_args("A", number)
        self.send(data)
        return data

    def replace(self, worker: int) -> int:
        before, self.workers[worker] = self.workers[worker], self.worker()
        pid = self.workers[worker]
        self.send(
            iris.ChildReport("", f"actor {before}", pid, before, iris.ExitReason.NODE_DOWN, 1)
        )
        return pid

    def ask(self, room: Room) -> list[Any]:
        """Where the answer will be."""
        answers: list[Any] = []

        def asker(_: Any) -> None:
            answers.append(self.rt.ask(self.pid, room, timeout_s=1e6))

        self.rt.send(self.rt.spawn(asker), b"go")
        self.rt.run_until_idle()
        return answers


def answer(number: int) -> Summary:
    return Summary("A", number, SIMPLE, "2020-01-31", 1.0, 1.0, None, None)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_workers_get_jobs_in_turn(stage: Stage) -> None:
    sent = [stage.job(number) for number in range(5)]
    assert [stage.got[pid] for pid in stage.workers] == [sent[::2], sent[1::2]]


def test_an_answer_goes_to_the_collector_once(stage: Stage) -> None:
    stage.job(7)
    for _ in range(2):
        stage.send(answer(7))
    assert stage.collected == [answer(7)]
    assert stage.dispatcher.jobs.answered_again == 1


def test_a_worker_that_is_back_gets_again_what_it_has_not_answered(stage: Stage) -> None:
    sent = [stage.job(number) for number in range(4)]
    stage.send(answer(0))
    stage.send(NodeGone(0.0, ()))
    for pid in stage.workers:
        stage.rt.stop(pid)
    stage.rt.run_until_idle()
    sent += [stage.job(4), stage.job(5)]  # To nobody.
    assert stage.got[stage.replace(0)] == [sent[2], sent[4]]
    assert not any(isinstance(one, NodeBack) for one in stage.collected)
    assert stage.got[stage.replace(1)] == [sent[1], sent[3], sent[5]]
    assert [one.jobs for one in stage.collected if isinstance(one, NodeBack)] == [5]
    assert stage.dispatcher.restarts == {"worker 1": 1, "worker 2": 1}


def test_a_restart_is_shown_with_the_name_of_the_worker(stage: Stage) -> None:
    stage.replace(1)
    assert [one.child for one in stage.collected if isinstance(one, iris.ChildReport)] == [
        "worker 2"
    ]


def test_who_asks_for_room_waits_until_there_is_some(stage: Stage) -> None:
    for number in range(3):
        stage.job(number)
    answers = stage.ask(Room(1))
    assert answers == []
    stage.send(answer(0))
    assert answers == []
    stage.send(answer(2))
    assert answers == [True]
    assert stage.ask(Room(1)) == [True]


def test_the_end_waits_for_the_workers_too(stage: Stage) -> None:
    stage.send(NodeKilled(0.0, 1, 1, 0))
    stage.send(NodeGone(1.0, ()))
    answers = stage.ask(Room(0, all_back=True))
    assert stage.ask(Room(0)) == [True]
    stage.replace(0)
    assert answers == []
    stage.replace(1)
    assert answers == [True]


def test_who_waits_is_told_when_the_process_is_given_up(stage: Stage) -> None:
    stage.job(1)
    answers = stage.ask(Room(0))
    stage.send(NodeGivenUp())
    assert answers == [False]
    assert stage.ask(Room(0)) == [False]
