"""How the watchdog goes to rest: in no order of steps does it sleep through a long turn."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any, Optional

import pytest

pytest.importorskip("greenlet")

from .interleaver import Iris, World, clock, explore

LIMIT_S = 1.0

WHOLE = platform.python_implementation() != "PyPy" and not os.environ.get("IRIS_TEST_QUICK")
"""The order of the steps does not depend on the interpreter: py311 tries all of them."""


class Bed:
    """The watchdog's bed, in a world where time passes when nothing else goes on.

    One sleep may end although others could go on: a machine may be that busy.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.thread: Any = None
        # The sleeper.
        self._awake = False
        self._early = 1

    def wake(self) -> None:
        self._awake = True

    def sleep(self, timeout_s: Optional[float]) -> bool:
        if timeout_s is None:
            self._world.wait(lambda: self._awake)
        elif timeout_s and not self._awake:
            if self._early and self._world.choose(2):
                self._early -= 1
            else:
                self._world.wait(
                    lambda: self._awake or not self._world.can_run_without(self.thread)
                )
            if not self._awake:
                clock.now += timeout_s
        woken, self._awake = self._awake, False
        return woken


def watch(world: World, report: Callable[[Any], None]) -> None:
    """Run the real watchdog beside the others."""
    bed = Bed(world)
    watchdog_class = world.iris.assembly.Watchdog
    names = watchdog_class.attach.__globals__
    hub_thread = world._hub_thread

    def turn_now() -> Any:
        cell = world.carrier.cell_in(hub_thread.greenlet)
        return names["Turn"](cell, None, []) if cell is not None and cell.running else None

    names.update(
        ThreadBed=lambda: bed,
        turn_finder=lambda carrier: turn_now,
        thread_clock=lambda: lambda: None,
    )
    watchdog = watchdog_class(
        LIMIT_S, world.carrier, world.hub, clock, report, world.faults.append
    )
    bed.thread = world.thread("watchdog", watchdog.run)
    world.carrier.post(watchdog.attach)


def a_turn_is_long(world: World) -> Callable[[], None]:
    """The handler goes on until it is reported, and nothing else would wake the watchdog."""
    reports: list[Any] = []
    watch(world, reports.append)
    pid = world.system.spawning.push(
        world.handler(act=lambda message: world.wait(lambda: bool(reports)))
    )
    world.thread("a", lambda: world.send(pid, 1))

    def check() -> None:
        assert [report.pid for report in reports] == [pid]

    return check


def test_in_no_order_of_steps_a_long_turn_is_missed() -> None:
    assert explore(Iris(), a_turn_is_long, int(WHOLE)) > 1


@pytest.mark.skipif(not WHOLE, reason="a search is the same on every interpreter: py311 makes it")
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        # The pump says that it sleeps before its last look at the queue.
        ("self._hub.laps() > armed_in:", "self._carrier.sleeping:"),
        ("            self._hub.at_next_lap(self._stir)\n", ""),
    ],
)
def test_each_of_these_lines_is_needed(line: str, instead: str) -> None:
    # The carrier is in the turn for ever.
    with pytest.raises(AssertionError, match="would not wake the hub"):
        explore(Iris(("run.watchdog", line, instead)), a_turn_is_long, 1)
