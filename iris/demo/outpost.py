"""The pool of workers in a second process: all that is wired on this side of the mesh.

It takes the place that the pool of the plain demonstration has in the tree, and has the one thing
more that the story needs: at a row in mid-stream it kills the second process.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Optional

import iris
from iris.core.messages import Ending
from iris.demo.dispatcher import Dispatcher, Enlist, Results, Room
from iris.demo.keeper import Keeper
from iris.demo.ledger import Away
from iris.demo.news import NodeGivenUp, NodeKilled
from iris.demo.pool import RESULTS, worker_name
from iris.demo.process import NotStarted, Process
from iris.demo.stages import WORKERS
from iris.mesh.peer import NodeInfo
from iris.run import clock

JOBS_OPEN_MOST = 100
"""Beyond so many open jobs no more rows are sent: while the node is away they would pile up."""

ASK_EVERY_ROWS = 25
"""Often enough, and for no more than a twentieth of the time of a row."""

RESTARTS_MAX, WITHIN_S, BACKOFF_MS = 3, 60.0, (100, 1000)
"""Of the process. One that does not come up three times does not come up."""


class Outpost:
    """The second node as the first one uses it. For the thread that sends the rows.

    Args:
        rt: the first node.
        collector: gets results and news.
        kill_after: the row after which the process is killed.

    Raises:
        NotStarted: this node cannot listen, so that no other could send to it.
    """

    def __init__(self, rt: iris.Runtime, collector: int, kill_after: int) -> None:
        self._rt = rt
        self._collector = collector
        self._kill_after = kill_after
        self._supervisor: Optional[iris.Supervisor] = None
        self._proxies_ended = 0
        self._dispatcher = Dispatcher(rt, collector)
        self.dispatcher = rt.spawn(self._dispatcher.take)
        # To which the symbols send their jobs.
        self._results = Results(rt, self.dispatcher)
        try:
            self._process = Process(rt.listen("127.0.0.1:0"))
        except OSError as error:
            raise NotStarted(f"this one {error}") from error
        self._keeper = Keeper(rt, self._process, self._tell)

    def open(self) -> None:
        """Start the second process, and find its workers.

        Raises:
            NotStarted: it does not come up.
        """
        rt = self._rt
        rt.register(RESULTS, rt.spawn(self._results.take))
        rt.add_hook("exit", self._count_end)
        rt.add_hook("restart", self._pass_restart)
        rt.add_hook("give_up", self._pass_give_up)
        # Transient: an end without a failure is one that was asked for.
        begin = self._keeper.begin
        spec = iris.ChildSpec("second process", begin, restart="transient", mailbox=True)
        try:
            self._supervisor = iris.Supervisor(
                rt, [spec], name="mesh", max_restarts=RESTARTS_MAX, within_s=WITHIN_S,
                backoff_ms=BACKOFF_MS,
            )  # fmt: skip
            for worker in map(worker_name, range(1, WORKERS + 1)):
                factory = partial(self._resolve, worker)
                proxy = factory()
                rt.send(self.dispatcher, Enlist(worker, proxy))
                rt.supervise_with_factory(proxy, factory)
        except iris.StartFailed as error:
            raise NotStarted(str(error.__cause__ or error)) from error
        except (iris.NodeUnreachable, iris.ActorDead) as error:
            raise NotStarted(f"it has ended again at once: {error}") from error

    def _resolve(self, worker: str) -> int:
        """A proxy for a worker of the process that runs now; also to replace one that has ended."""
        address = self._process.address
        proxy = self._rt.resolve_remote(address, worker)
        if proxy is None:
            raise iris.NodeUnreachable(f"nobody at {address} is named {worker}")
        return proxy

    def after_row(self, rows: int, timeout_s: float) -> bool:
        """Called when so many rows were sent; waits while too many jobs are open.

        Returns:
            False when they were not answered in time, so that no more rows should be sent.

        Raises:
            NotStarted: the second process does not come up any more.
        """
        if rows == self._kill_after:
            # Told first, so that nobody takes it for present any more, nor again too late.
            jobs_open = self._dispatcher.jobs.open
            self._tell(NodeKilled(clock.monotonic(), self._process.pid, rows, jobs_open))
            self._process.kill()
        return rows % ASK_EVERY_ROWS != 0 or self._waited(Room(JOBS_OPEN_MOST), timeout_s)

    def settle(self, timeout_s: float) -> bool:
        """As `after_row`, when all were sent: until no job is open and all workers are back."""
        return self._waited(Room(0, all_back=True), timeout_s)

    def _waited(self, room: Room, timeout_s: float) -> bool:
        try:
            is_there = bool(self._rt.ask(self.dispatcher, room, timeout_s))
        except (iris.AskTimeout, iris.ActorDead):
            return False
        if not is_there:
            raise NotStarted(
                f"given up after {RESTARTS_MAX} restarts within {WITHIN_S:.0f} s, the last time"
                f" because {self._keeper.error}"
            )
        return True

    def children(self) -> tuple[iris.ChildInfo, ...]:
        """What supervisors have here, at rest: the process, and the proxies of the workers."""
        assert self._supervisor is not None
        proxies = [
            iris.ChildInfo(
                worker, pid, "up" if self._rt.is_alive(pid) else "down",
                self._dispatcher.restarts[worker], (),
            )
            for worker, pid in self._dispatcher.workers.items()
        ]  # fmt: skip
        return (*self._supervisor.children(), *proxies)

    def nodes(self) -> tuple[NodeInfo, ...]:
        """What is known of the other nodes."""
        return tuple(self._rt.nodes())

    def account(self) -> Away:
        """The counts of both directions, at rest."""
        jobs = self._dispatcher.jobs
        return Away(
            jobs.taken, jobs.open, jobs.sent_again, jobs.answered, jobs.answered_again,
            self._results.received, self._proxies_ended, self._keeper.ends,
        )  # fmt: skip

    def close(self) -> None:
        """End the second process, also in the middle of its start."""
        self._process.end()

    def _tell(self, news: Any) -> None:
        self._rt.send(self._collector, news)
        self._rt.send(self.dispatcher, news)

    def _count_end(self, _: int, ending: Ending) -> None:
        if ending.reason == iris.ExitReason.NODE_DOWN:
            self._proxies_ended += 1

    def _pass_restart(self, report: iris.ChildReport) -> None:
        if report.supervisor == "":  # The global one has the proxies.
            self._rt.send(self.dispatcher, report)

    def _pass_give_up(self, _: iris.ChildReport) -> None:
        self._rt.send(self.dispatcher, NodeGivenUp())
