"""What many actors leave behind: nothing that a stale pid names, and no memory."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import iris
from iris.core.cell import ActorCell, Monitor, Ties
from iris.core.pid import FREE_SLOTS_MIN
from iris.core.timers import Timer

pytestmark = pytest.mark.live

SPAWNED = 60_000
TIED = 20_000
"""Actors, each with five ties: 100,000 in all."""

COUNTED = {ActorCell, Monitor, Ties, Timer}


def test_many_lives_on_few_slots_leave_no_pid_that_names_another(
    until: Callable[..., Any],
) -> None:
    with iris.Runtime() as rt:
        got: list[Any] = []
        batch = 2000
        stale: list[int] = []
        for _ in range(SPAWNED // batch):
            pids = [rt.spawn(got.append) for _ in range(batch)]
            # The slots of earlier batches have new holders now.
            assert sum(rt.send(pid, b"stale") for pid in stale) == 0
            assert all(map(rt.stop, pids))
            until(lambda: rt.stats()["actors"] == 0)
            stale = [*stale[-2 * batch :], *pids]
        assert got == []
        assert len({pid & 0xFFFFFFFF for pid in stale}) < SPAWNED // 4
        assert len(rt._system.table.slots) <= FREE_SLOTS_MIN + 2 * batch
        stats = rt.stats()
        assert (stats["spawned"], stats["ended"]) == (SPAWNED, SPAWNED)


class Tied:
    """Actors with a link, a name, a path, a timer and a monitor each."""

    def __init__(self, rt: iris.Runtime) -> None:
        self.rt = rt
        self.watcher = rt.spawn_observed_handler()
        self.pids = [rt.spawn(bool) for _ in range(TIED)]

    def tie(self) -> None:
        rt, pids = self.rt, self.pids
        for first, second in zip(pids, pids[1:]):
            rt.link(first, second)
        for number, pid in enumerate(pids):
            assert rt.register(f"name {number}", pid)
            assert rt.register_path(f"/tied/{number % 100}/{number}", pid)
        self.timers = [rt.send_after(pid, 1e9, b"") for pid in pids]
        self.refs = [rt.monitor(self.watcher, pid) for pid in pids]

    def untie(self) -> None:
        rt, pids = self.rt, self.pids
        for first, second in zip(pids, pids[1:]):
            assert rt.unlink(first, second)
        for number in range(len(pids)):
            assert rt.unregister(f"name {number}")
            assert rt.unregister_path(f"/tied/{number % 100}/{number}")
        assert all(map(rt.cancel_timer, self.timers))
        assert all(map(rt.demonitor, self.refs))
        del self.timers, self.refs


def core_objects() -> Counter[str]:
    """How many objects the garbage collector knows, by class."""
    for _ in range(3):
        gc.collect()
    return Counter(kind.__name__ for kind in map(type, gc.get_objects()) if kind in COUNTED)


def test_untied_actors_keep_nothing_of_their_ties() -> None:
    with iris.Runtime() as rt:
        tied = Tied(rt)
        before = core_objects()
        tied.tie()
        assert core_objects()["Ties"] > TIED
        tied.untie()
        assert core_objects() == before


def test_the_ends_of_tied_actors_leave_nothing(until: Callable[..., Any]) -> None:
    with iris.Runtime() as rt:
        before = core_objects()
        tied = Tied(rt)
        tied.tie()
        for pid in [tied.watcher, *tied.pids]:
            rt.stop(pid)
        until(lambda: rt.stats()["actors"] == 0)
        # The hub's thread may still hold what it touched last.
        until(lambda: sum((core_objects() - before).values()) <= 2)


def test_the_memory_of_ties_comes_back() -> None:
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy does not count allocations")
    with iris.Runtime() as rt:
        tied = Tied(rt)
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            tied.tie()
            most = tracemalloc.get_traced_memory()[0] - before
            tied.untie()
            gc.collect()
            left = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert most > 1000 * TIED
        assert left < most / 100
