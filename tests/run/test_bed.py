"""Whether what sleeps in a bed can be interrupted there, and how that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iris.run.bed import KILL_S, GreenletBed, ThreadBed
from iris.testing import SimRuntime


class Home:
    """A hub that notes what is to be called in it."""

    def __init__(self, is_shared: bool) -> None:
        self.is_shared = is_shared
        self.posted: list[Callable[[], Any]] = []

    def post(self, call: Callable[[], Any]) -> None:
        self.posted.append(call)


def test_a_thread_cannot_be_interrupted_and_nothing_is_asked() -> None:
    assert ThreadBed().interrupt(lambda: pytest.fail("asked")) is None
    home = Home(is_shared=False)
    assert GreenletBed(home).interrupt(lambda: pytest.fail("asked")) is None
    assert home.posted == []


def test_a_greenlet_is_interrupted_in_its_hub_within_a_stated_time() -> None:
    home = Home(is_shared=True)
    assert GreenletBed(home).interrupt(lambda: True) == KILL_S
    assert len(home.posted) == 1


def test_a_pull_actor_tells_it_while_its_function_runs_and_not_when_it_is_over() -> None:
    rt = SimRuntime()
    pid = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    rt.run_until_idle()
    cell = rt._system.table.get(pid)
    assert cell is not None
    assert cell.runner.kill(cell) is None
    rt.send(pid, b"")
    rt.run_until_idle()
    assert not rt.is_alive(pid)
    assert cell.runner.kill(cell) == 0.0
