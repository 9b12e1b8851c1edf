"""Actors with `release_gil`: push-style handlers whose turns run on worker threads.

`Blocking` decides where an actor works: alone with a thread of its own, or in the pool.
`BlockingRunner` is the cell's runner. In the pool no thread owns a cell; the owner is
whoever holds the cell's turn token, a lock that is only ever taken without waiting. Whoever
does not get it may go: the holder looks at the lane after it has let go, and sees what the
other came for. The order of these statements is checked by tests/core/test_turn_token.py
and argued in docs/adr/0009: change all three or none.
"""

from __future__ import annotations

from typing import Callable, Optional

from iris.config import RELEASE_GIL_THREADS_MOST, ReleaseGilLimits, whole_number
from iris.core.cell import DEAD, RESTARTING, ActorCell, is_parked
from iris.errors import LimitReached
from iris.run.crew import Crew, Worker, Workshop
from iris.run.lifecycle import Lifecycle
from iris.run.native import allocate_lock


class Blocking:
    """The actors of one runtime that work on worker threads, and how many threads there are.

    Args:
        shop: makes the workers.
        lifecycle: ends actors, and knows those that were given up.
        clock: monotonic seconds.
        slice_s: how long a turn lasts at most before the next actor has its turn.
        limits: how many threads there may be.
    """

    def __init__(
        self,
        shop: Workshop,
        lifecycle: Lifecycle,
        clock: Callable[[], float],
        slice_s: float,
        limits: ReleaseGilLimits,
    ) -> None:
        self.lifecycle = lifecycle
        self.clock = clock
        self.slice_s = slice_s
        self._shop = shop
        self._max_threads = limits.max_threads
        self._pool_size = limits.pool_size
        self._strict = limits.strict
        # All that follows changes under the lock of the workshop.
        self._living: dict[BlockingRunner, None] = {}
        self._dedicated: dict[BlockingRunner, Crew] = {}
        self._pooled: dict[BlockingRunner, None] = {}
        self._pool = Crew(shop)

    # -- from any thread -------------------------------------------------------------------

    def set_limits(self, max_threads: int, pool_size: int) -> None:
        """Change both limits for later spawns; the pool grows or shrinks now."""
        whole_number("max_threads", max_threads, least=1, most=RELEASE_GIL_THREADS_MOST)
        whole_number("gil_pool_size", pool_size, least=1, most=RELEASE_GIL_THREADS_MOST)
        with self._shop.lock:
            self._max_threads = max_threads
            self._pool_size = pool_size
            self._resize_pool()

    def set_strict(self, strict: bool) -> None:
        """Choose whether later spawns beyond the limit are refused or share the pool."""
        if type(strict) is not bool:
            raise TypeError(f"strict is True or False, not {strict!r}")
        self._strict = strict

    def idle(self) -> bool:
        """Whether no message of these actors is queued or being handled. A guess."""
        with self._shop.lock:
            cells = [runner.cell for runner in list(self._living)]
        return not any(
            (cell.ready and not is_parked(cell)) or cell.running or cell.size() for cell in cells
        )

    # -- by the runners ----------------------------------------------------------------------

    def place(self, runner: BlockingRunner) -> Crew:
        """Find a crew for an actor; LimitReached if there is none. After a failure: `leave`."""
        with self._shop.lock:
            crew = self._own_crew(runner) or self._join_pool(runner)
            self._living[runner] = None
            return crew

    def leave(self, runner: BlockingRunner) -> None:
        """An actor has ended, or its start has failed, perhaps half-way."""
        with self._shop.lock:
            self._living.pop(runner, None)
            crew = self._dedicated.pop(runner, None)
            if crew is not None:
                crew.resize(0)
            if self._pooled.pop(runner, self) is None:
                self._resize_pool()

    def _own_crew(self, runner: BlockingRunner) -> Optional[Crew]:
        """A crew of one thread; None when the actor has to share the pool."""
        if self._own_threads() >= self._max_threads:
            if self._strict:
                raise LimitReached(
                    f"all {self._max_threads} threads for actors with release_gil are in use"
                    " and release_gil_strict is set; stop some, raise the limit with"
                    f" set_release_gil_limits({2 * self._max_threads}, {self._pool_size}), or"
                    " let them share the pool with set_release_gil_strict(False)"
                )
            return None
        crew = self._dedicated[runner] = Crew(self._shop)
        try:
            crew.resize(1)
        except RuntimeError as error:
            if self._strict:
                raise self._no_thread(error) from error
            del self._dedicated[runner]
            return None
        return crew

    def _own_threads(self) -> int:
        """How many actors have a thread of their own."""
        count = len(self._dedicated)
        if count < self._max_threads:
            return count
        # Who has seen an actor's end may use its thread's place at once, although the thread
        # is just leaving. That of an orphan is stuck and still counts.
        orphans = self.lifecycle.orphans
        cells = [runner.cell for runner in list(self._dedicated)]
        return sum(cell.state is not DEAD or cell.pid in orphans for cell in cells)

    def _join_pool(self, runner: BlockingRunner) -> Crew:
        self._pooled[runner] = None
        try:
            self._resize_pool()
        except RuntimeError as error:
            raise self._no_thread(error) from error
        return self._pool

    def _resize_pool(self) -> None:
        """As many threads as the pool may have, but no more than actors."""
        self._pool.resize(min(self._pool_size, len(self._pooled)))

    def _no_thread(self, error: BaseException) -> LimitReached:
        return LimitReached(
            f"the process can start no more threads ({error}); {self._shop.count} of this"
            " runtime run actors with release_gil now. Stop some, or raise the limits of the"
            " process (ulimit -u, threads-max, max_map_count)"
        )


class BlockingRunner:
    """Runs one actor with `release_gil`."""

    __slots__ = ("_crew", "_gone", "_shared", "_turn", "cell")

    cell: ActorCell

    def __init__(self, shared: Blocking) -> None:
        self._shared = shared
        self._crew: Optional[Crew] = None
        self._turn = allocate_lock()
        # The token. Whoever holds it is the owner of the cell.
        self._gone = False
        # True once no worker will touch the mailbox any more; then late senders bury.

    # -- from any thread -------------------------------------------------------------------

    def start(self, cell: ActorCell) -> None:
        """Find a thread; LimitReached when there is none."""
        self.cell = cell
        try:
            crew = self._crew = self._shared.place(self)
            # The crew first, THEN a look: a stop that came before found no crew.
            if cell.ready:
                crew.put(self)
        except BaseException:
            self._gone = True
            self._shared.leave(self)
            raise

    def signal(self, cell: ActorCell) -> bool:
        """Queue the cell, and wake a worker if one sleeps."""
        if self._gone:
            self._shared.lifecycle.bury(cell)
        else:
            crew = self._crew
            if crew is not None:
                crew.put(self)
        return True

    def restart(self, cell: ActorCell) -> None:
        """Nothing to do: the signal brings a worker."""

    def kill(self, cell: ActorCell) -> Optional[float]:  # noqa: ARG002  # The Runner protocol.
        """A thread cannot be interrupted, and all those of the pool may be stuck."""
        return None

    # -- in a worker's thread ----------------------------------------------------------------

    def visit(self, worker: Worker) -> None:
        """A turn, unless another worker has it just now."""
        if not self._turn.acquire(False):
            # Its holder looks at the lane when it has let go.
            return
        cell = self.cell
        try:
            if not self._gone:
                self._run_turn(cell, worker)
        finally:
            self._turn.release()
        if self._gone or is_parked(cell):
            # Parked before it was let go: whoever changes that signals afterwards.
            return
        # Let go first, THEN a look, at what a worker that did not get the turn came for.
        if cell.user or cell.rest is not None or cell.special:
            worker.crew.put_back(self)
            return
        cell.ready = False
        # Not ready first, THEN a look: a sender who saw `ready` did not queue it.
        if (cell.user or cell.special) and not cell.ready:
            cell.ready = True
            worker.crew.put_back(self)

    def _run_turn(self, cell: ActorCell, worker: Worker) -> None:
        shared = self._shared
        try:
            worker.place.cell = cell
            if cell.state is DEAD:
                # It was given up before its turn came.
                shared.lifecycle.finish_stopped(cell)
            else:
                now = worker.looked_at = shared.clock()
                cell.running = 1
                worker.full_turn(cell, now + shared.slice_s)
        finally:
            cell.running = 0
            if cell.state is DEAD:
                self._depart(cell)
            elif cell.state is RESTARTING:
                # Not after the turn was let go: another worker might have it by then.
                shared.lifecycle.leave(cell)

    def _depart(self, cell: ActorCell) -> None:
        """The actor has ended: late messages are buried, from now on by their senders."""
        bury = self._shared.lifecycle.bury
        bury(cell)
        self._gone = True
        # Gone first, THEN a look: a sender who saw us here has left that to us.
        bury(cell)
        self._shared.leave(self)
