"""A driver that stands for a supervisor: it bears actors that restart, and resumes them."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.core.cell import ActorCell, ActorSpec, State
from iris.core.links import ties_of
from iris.core.renewal import Renewal
from iris.run.pull import PullRunner
from iris.testing import SimRuntime


class Driver:
    """What a supervisor of one runtime does, when the test says so."""

    def __init__(self, rt: Any) -> None:
        self.rt = rt
        self.system = rt._system
        self.restarting = self.system.restarting
        self.rested: list[int] = []
        # The pids of those that have come to rest, one for each restart.
        self.failures: list[Optional[str]] = []
        # With each of them the reason of its failure, None where it was ordered.
        self.after_rest: Callable[[ActorCell], Any] = lambda cell: None
        # Called with each, where `rested` is.

    def born(self, drop_queue: bool = False, redeliver: bool = False) -> Callable[[Any], None]:
        """What makes a new actor one that restarts in place."""

        def born(cell: ActorCell) -> None:
            ties_of(cell).renewal = Renewal(self._rested, drop_queue, redeliver)

        return born

    def _rested(self, cell: ActorCell) -> None:
        renewal = self.renewal(cell.pid)
        self.rested.append(cell.pid)
        self.failures.append(None if renewal.ending is None else str(renewal.ending.reason))
        self.after_rest(cell)

    def adopted(self, pid: int, drop_queue: bool = False, redeliver: bool = False) -> int:
        """The same for an actor that was spawned before, and has not begun to do anything."""
        with self.system.table.lock:
            self.born(drop_queue, redeliver)(self.cell(pid))
        return pid

    def spawn(
        self, handler: Callable[[Any], Any], drop_queue: bool = False, redeliver: bool = False,
        **options: Any,
    ) -> int:  # fmt: skip
        """A push actor that restarts in place."""
        return self.adopted(self.rt.spawn(handler, **options), drop_queue, redeliver)

    def pull(
        self, body: Callable[[Any], Any], drop_queue: bool = False, redeliver: bool = False
    ) -> int:
        """A pull actor that restarts in place. Its function may raise at once."""
        spec = ActorSpec("pull", 100, True, None, True)
        runner = PullRunner(self.system.spawning._pull)
        born = self.born(drop_queue, redeliver)
        return int(self.system.lifecycle.spawn_born(spec, body, runner, born))

    def cell(self, pid: int) -> ActorCell:
        cell: Optional[ActorCell] = self.system.table.get(pid)
        assert cell is not None
        return cell

    def renewal(self, pid: int) -> Renewal:
        ties = self.cell(pid).ties
        assert ties is not None
        assert ties.renewal is not None
        return ties.renewal

    def state(self, pid: int) -> State:
        return self.cell(pid).state

    def order(self, pid: int) -> bool:
        return bool(self.restarting.order(self.cell(pid)))

    def resume(self, pid: int, handler: Callable[[Any], Any]) -> bool:
        return bool(self.restarting.resume(self.cell(pid), handler))

    def always_resume(self, handler: Callable[[Any], Any]) -> None:
        """Resume each at once."""
        self.after_rest = lambda cell: self.restarting.resume(cell, handler)


def driven(seed: int = 0, **options: Any) -> tuple[SimRuntime, Driver]:
    """A simulated runtime and its driver."""
    rt = SimRuntime(seed=seed, **options)
    return rt, Driver(rt)


def failing_on(bad: Any, got: list[Any]) -> Callable[[Any], None]:
    """A handler that keeps what it handles, and raises over `bad`."""

    def handler(message: Any) -> None:
        if message == bad:
            raise ValueError(message)
        got.append(message)

    return handler


def adds_up(rt: Any) -> dict[str, int]:
    """The numbers of a runtime at rest, after a look that each accepted message has one fate."""
    stats: dict[str, int] = rt.stats()
    fates = (
        "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
        "queued", "running",
    )  # fmt: skip
    assert stats["accepted"] == sum(stats[fate] for fate in fates), stats
    return stats
