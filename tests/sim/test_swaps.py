"""Swaps and rollbacks by chance, beside a model that knows which handler each message gets."""

from __future__ import annotations

from random import Random
from typing import Any, Callable

import pytest

from iris.testing import SimRuntime

SEEDS = 200
EARLIER_MAX = 16
"""So many earlier behaviours an actor remembers."""


class Model:
    """What has to come out: a message runs on the version that was current when it was accepted."""

    def __init__(self) -> None:
        self.versions = [1]
        self.highest = 1
        self.expected: list[tuple[int, int]] = []

    def accept(self) -> int:
        """A swap."""
        self.highest += 1
        self.versions = [*self.versions[-EARLIER_MAX:], self.highest]
        return self.highest

    def roll_back(self, steps: int) -> int:
        """A rollback within the history."""
        del self.versions[len(self.versions) - steps :]
        return self.versions[-1]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_message_runs_on_the_version_that_was_current_at_its_send(seed: int) -> None:
    rt, model, random = SimRuntime(seed=seed), Model(), Random(seed).random
    log: list[tuple[int, int]] = []

    def handler(version: int) -> Callable[[int], None]:
        def handle(message: int) -> None:
            if message % 7 == 0:
                rt.sleep(0.01)
            log.append((version, message))

        return handle

    pid = rt.spawn(handler(1), 1 + int(random() * 4))
    for message in range(60):
        choice = random()
        if choice < 0.3:
            rt.hot_swap(pid, handler(model.accept()))
        elif choice < 0.4 and len(model.versions) > 1:
            steps = 1 + int(random() * (len(model.versions) - 1))
            assert rt.rollback_behavior(pid, steps) == model.roll_back(steps)
        assert rt.behavior_version(pid) == model.versions[-1]
        assert rt.send(pid, message)
        model.expected.append((model.versions[-1], message))
        if random() < 0.3:
            rt.step()
        if random() < 0.1:
            rt.advance(0.01)
    assert rt.quiesce(10)
    assert log == model.expected


@pytest.mark.parametrize("seed", range(SEEDS))
def test_refused_migrations_leave_the_handler_before_them_in_force(seed: int) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    log: list[tuple[int, int]] = []
    expected: list[tuple[int, int]] = []
    current = 1

    def handler(version: int) -> Callable[[int], None]:
        return lambda message: log.append((version, message))

    def refuse(old: Any, new: Any) -> Any:
        raise ValueError("as it should")

    def agree(old: Any, new: Any) -> Any:
        return new

    pid = rt.spawn(handler(1), 1 + int(random() * 4))
    for number in range(2, 50):
        is_good = random() < 0.5
        rt.hot_swap(pid, handler(number), agree if is_good else refuse)
        current = number if is_good else current
        for _ in range(int(random() * 3)):
            rt.send(pid, number)
            expected.append((current, number))
        if random() < 0.3:
            rt.step()
    rt.run_until_idle()
    assert log == expected
    assert rt.behavior_version(pid) == current


@pytest.mark.parametrize("seed", range(SEEDS))
def test_swaps_that_are_now_never_lose_a_message_or_bring_an_older_version_back(seed: int) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    log: list[tuple[int, int]] = []
    at_send: list[int] = []
    newest = 1

    def handler(version: int) -> Callable[[int], None]:
        return lambda message: log.append((version, message))

    pid = rt.spawn(handler(1), 1 + int(random() * 4))
    for message in range(60):
        if random() < 0.4:
            newest += 1
            rt.hot_swap(pid, handler(newest), None, "now" if random() < 0.5 else "order")
        rt.send(pid, message)
        at_send.append(newest)
        if random() < 0.3:
            rt.step()
    rt.run_until_idle()
    assert [message for _, message in log] == list(range(60))
    versions = [version for version, _ in log]
    assert versions == sorted(versions)
    assert all(version >= at_send[message] for version, message in log)
