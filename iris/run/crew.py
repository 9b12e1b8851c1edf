"""A crew: worker threads that take ready jobs from one queue, and sleep when there are none.

This module knows threads, their sleep and their number; what a job is it leaves to the job
(`iris.run.blocking` has the only one). A job may stand in the queue twice and may be given
to two workers at once: to keep them apart is the job's affair.

The queue and the list of sleepers follow the rule of the ready protocol, each side writes
and THEN looks: whoever brings a job queues it and then looks for a sleeper, a worker lists
itself as a sleeper and then looks at the queue. Wake-ups do not count jobs. A worker that
takes one and sees more wakes the next (docs/adr/0009).
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any, Callable, Protocol

from iris.core.cell import ActorCell
from iris.run.bed import Bed
from iris.run.context import Place, enter, leave
from iris.run.native import new_rlock
from iris.run.turn import STRIDE_MAX, FullTurn, Meter


class Job(Protocol):
    """Something that becomes ready again and again."""

    def visit(self, worker: Worker) -> None:
        """Do what there is to do now, in the worker's thread."""


class Workroom(Protocol):
    """How workers are run: on threads, or as greenlets of a simulated hub."""

    def make_bed(self) -> Bed:
        """A place to sleep for one worker."""

    def start(self, entry: Callable[[], None]) -> None:
        """Run `entry` beside everything else; RuntimeError when that is impossible."""

    def place(self) -> Place:
        """Where the code of actors runs. In the worker."""

    def give_way(self) -> None:
        """Between two jobs. In the worker."""

    def ended(self) -> None:
        """In the worker, last of all."""


class Workshop:
    """What all workers of a runtime have in common.

    Args:
        room: runs them.
        make_turn: builds the turn that one worker runs.
        report: called with an exception that no actor caused.
    """

    def __init__(
        self,
        room: Workroom,
        make_turn: Callable[[Meter], FullTurn],
        report: Callable[[BaseException], None],
    ) -> None:
        self.room = room
        self.make_turn = make_turn
        self.report = report
        self.lock = new_rlock()
        # Guards who works in which crew. Not held while a job is visited.
        self._workers: dict[Worker, None] = {}
        self._handled = 0
        # What workers that have left had handled.

    def enter(self, worker: Worker) -> None:
        """A worker is about to start. Under the lock."""
        self._workers[worker] = None

    def leave(self, worker: Worker) -> None:
        """A worker has done its last job, or did not start. Under the lock."""
        self._workers.pop(worker, None)
        self._handled += worker.handled
        worker.handled = 0

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def handled_at_least(self) -> int:
        """`handled` without the lock: may miss those of a worker that leaves in this moment."""
        left = self._handled
        # Read first: a worker is off the list before its messages are in that number.
        return left + sum(worker.handled for worker in list(self._workers))

    def cells(self) -> list[ActorCell]:
        """The actors whose turns workers run now or ran last. Without the lock."""
        places = [getattr(worker, "place", None) for worker in list(self._workers)]
        return [place.cell for place in places if place is not None and place.cell is not None]

    def handled(self) -> int:
        """Messages that workers have handled; those of the turns that run are not in it."""
        with self.lock:
            return self._handled + sum(worker.handled for worker in list(self._workers))


class Worker:
    """One thread of a crew. It is the `Meter` of the turns that it runs."""

    __slots__ = ("bed", "crew", "full_turn", "handled", "looked_at", "place", "shop", "stride")

    place: Place
    full_turn: FullTurn

    def __init__(self, shop: Workshop, crew: Crew) -> None:
        self.shop = shop
        self.crew = crew
        self.bed = shop.room.make_bed()
        self.handled = 0
        self.stride = STRIDE_MAX
        self.looked_at = 0.0

    def main(self) -> None:
        """The life of the thread: a job, the next job, sleep."""
        shop, crew = self.shop, self.crew
        try:
            self.place = shop.room.place()
            self.full_turn = shop.make_turn(self)
            enter(self.place)
            while True:
                job = crew.next_job(self)
                if job is None:
                    return
                try:
                    job.visit(self)
                except BaseException as error:  # noqa: BLE001  # A thread's entry.
                    # A bug of Iris: said, and the worker goes on.
                    shop.report(error)
                del job
                shop.room.give_way()
        finally:
            leave()
            crew.dismiss(self)
            shop.room.ended()


class Crew:
    """Workers with one queue."""

    __slots__ = ("_idle", "_jobs", "_shop", "_wanted", "_workers")

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._jobs: deque[Job] = deque()
        # Any thread appends, any worker pops.
        self._idle: list[Worker] = []
        # Those that sleep or are about to. Each adds and removes itself; any thread looks.
        self._workers: dict[Worker, None] = {}
        self._wanted = 0
        # Both change under the lock of the workshop; workers read them without it as a guess.

    def put(self, job: Job) -> None:
        """Queue a job and see to it that a worker looks at the queue. From any thread."""
        self._jobs.append(job)
        # Queued first, THEN a look: a worker that lists itself after it looks at the queue.
        self._wake_one()

    def put_back(self, job: Job) -> None:
        """Queue a job again. By a worker, which looks at the queue itself before it sleeps."""
        self._jobs.append(job)

    def _wake_one(self) -> None:
        idle = self._idle
        if idle:
            # IndexError: the last one has just got up by itself, and has looked at the queue.
            # It is not taken off the list here: a signal handler that raises between that and
            # the wake-up would leave a sleeper that nobody can find.
            with suppress(IndexError):
                idle[-1].bed.wake()

    def resize(self, wanted: int) -> None:
        """Have so many workers: start those that are missing, let those too many go.

        Raises:
            RuntimeError: no thread can be started, and the crew has none. Where it has some,
                it goes on with these.
        """
        shop, workers = self._shop, self._workers
        with shop.lock:
            self._wanted = wanted
            try:
                while len(workers) < wanted:
                    self._hire()
            except RuntimeError:
                if not workers:
                    self._wanted = 0
                    raise
        if len(workers) > wanted:
            for worker in self._idle[:]:
                worker.bed.wake()

    def _hire(self) -> None:
        worker = Worker(self._shop, self)
        self._workers[worker] = None
        self._shop.enter(worker)
        try:
            self._shop.room.start(worker.main)
        except BaseException:
            # It may have started all the same, and been cut short by a signal handler; then
            # it finds itself dismissed before its first job.
            self.dismiss(worker)
            raise

    def dismiss(self, worker: Worker) -> None:
        """Strike a worker off; of one that has gone before, nothing is left to do."""
        with self._shop.lock:
            if self._workers.pop(worker, self) is None:
                self._shop.leave(worker)

    def next_job(self, worker: Worker) -> Any:
        """Wait for a job; None when the worker is not wanted any more. By the worker."""
        jobs, idle, workers = self._jobs, self._idle, self._workers
        while True:
            if (len(workers) > self._wanted or worker not in workers) and self._let_go(worker):
                return None
            try:
                job = jobs.popleft()
            except IndexError:
                pass
            else:
                if jobs:
                    self._wake_one()
                return job
            worker.place.cell = None
            idle.append(worker)
            # Listed first, THEN a look: whoever queued or resized before did not wake us.
            if not jobs and len(workers) <= self._wanted:
                worker.bed.sleep(None)
            idle.remove(worker)

    def _let_go(self, worker: Worker) -> bool:
        with self._shop.lock:
            if worker in self._workers and len(self._workers) <= self._wanted:
                return False
            self.dismiss(worker)
        # The wake-up may have been for a job.
        if self._jobs:
            self._wake_one()
        return True
