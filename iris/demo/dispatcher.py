"""The actor that gives work to the workers of the second process, until it is answered.

The symbols send it their jobs as they would to a worker. It sends them on to the proxies of the
workers in turn, keeps them in its books until the answer comes, and when a proxy was replaced,
because the node was away, it sends again what the worker before has not answered.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any, Callable, NamedTuple, Union

import iris
from iris.demo.jobs import Jobs, unpack_summary
from iris.demo.news import NodeBack, NodeGivenUp, NodeGone, NodeKilled, NodeStarted
from iris.demo.tally import Summary
from iris.run import clock


class Enlist(NamedTuple):
    """Sent to it at the beginning, for each worker: the proxy that stands for it."""

    worker: str
    proxy: int


class Room(NamedTuple):
    """A question, answered True when there is room, False when there will be none.

    Who sends rows waits so.
    """

    open_most: int
    """Jobs that may be open then."""

    all_back: bool = False
    """Whether the workers have to be there, too."""


class Dispatcher:
    """State of the actor. What is public may be read when the runtime is at rest."""

    def __init__(self, rt: iris.Runtime, collector: int) -> None:
        self._rt = rt
        self._collector = collector
        self.jobs = Jobs()
        self.workers: dict[str, int] = {}
        # The proxies, by the names of the workers.
        self.restarts: Counter[str] = Counter()
        self._names: list[str] = []
        self._away: set[str] = set()
        self._gone_at_s = 0.0
        self._again = 0
        self._is_given_up = False
        self._askers: list[tuple[Room, Any]] = []
        self._takers: dict[type, Callable[[Any], object]] = {
            bytes: self._take_job,
            Summary: self._take_answer,
            Room: self._take_question,
            Enlist: self._take_enlist,
            NodeStarted: lambda _: None,
            NodeKilled: self._take_absence,
            NodeGone: self._take_absence,
            NodeGivenUp: self._take_end,
            iris.ChildReport: self._take_restart,
        }

    def take(self, message: Any) -> None:
        """The handler."""
        self._takers[type(message)](message)

    def _take_enlist(self, enlist: Enlist) -> None:
        self.workers[enlist.worker] = enlist.proxy
        self._names.append(enlist.worker)

    def _take_job(self, data: bytes) -> None:
        number = iris.deserialize_args(data)[1]
        worker = self._names[self.jobs.taken % len(self._names)]
        self.jobs.take(number, worker, data)
        # False when the node is away, and True tells only that it is on its way. Either way it
        # stays in the books until it is answered.
        self._rt.send(self.workers[worker], data)

    def _take_answer(self, summary: Summary) -> None:
        if self.jobs.answer(summary.number):
            self._rt.send(self._collector, summary)
        self._answer_askers()

    def _take_question(self, room: Room) -> None:
        self._askers.append((room, iris.current().reply_to))
        self._answer_askers()

    def _answer_askers(self) -> None:
        if not self._askers:
            return
        waiting = []
        for room, asker in self._askers:
            is_there = self.jobs.open <= room.open_most and not (room.all_back and self._away)
            if is_there or self._is_given_up:
                self._rt.reply(is_there, to=asker)
            else:
                waiting.append((room, asker))
        self._askers = waiting

    def _take_absence(self, news: Union[NodeKilled, NodeGone]) -> None:
        if not self._away:
            self._gone_at_s, self._again = news.at_s, 0
        self._away.update(self._names)

    def _take_end(self, _: NodeGivenUp) -> None:
        self._is_given_up = True
        self._answer_askers()

    def _take_restart(self, report: iris.ChildReport) -> None:
        """A supervisor has replaced the proxy of a worker."""
        worker = next(name for name, pid in self.workers.items() if pid == report.previous_pid)
        self.workers[worker] = report.pid
        self.restarts[worker] += 1
        self._rt.send(self._collector, dataclasses.replace(report, child=worker))
        for data in self.jobs.again(worker):
            self._rt.send(report.pid, data)
            self._again += 1
        self._away.discard(worker)
        if not self._away:
            away_s = clock.monotonic() - self._gone_at_s
            self._rt.send(self._collector, NodeBack(away_s, self._again))
            self._answer_askers()


class Results:
    """Handler of the actor to which the workers of the second process send their answers."""

    def __init__(self, rt: iris.Runtime, dispatcher: int) -> None:
        self._rt = rt
        self._dispatcher = dispatcher
        self.received = 0

    def take(self, data: bytes) -> None:
        """Count an answer, make a summary of it again, and pass it on."""
        self.received += 1
        self._rt.send(self._dispatcher, unpack_summary(data))
