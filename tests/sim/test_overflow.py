"""Bounded mailboxes by chance, beside a model that is a plain list."""

from __future__ import annotations

from random import Random
from typing import Optional

import pytest

from iris.testing import SimRuntime

SEEDS = 200
POLICIES = ("dropnew", "dropold", "redirect", "spill")


class Model:
    """A queue with a capacity, and what became of each message."""

    def __init__(self, capacity: int, budget: int) -> None:
        self.capacity = capacity
        self.budget = budget
        self.policy = "dropnew"
        self.queue: list[int] = []
        self.primary: list[int] = []
        self.aside: list[int] = []
        names = ("accepted", "refused", "redirected", "spilled", "dropped_old")
        self.stats = dict.fromkeys(names, 0)

    def send(self, message: int) -> bool:
        """What `send` has to answer, and what it does."""
        fate = "accepted"
        if len(self.queue) < self.capacity:
            self.queue.append(message)
        elif self.policy == "dropnew":
            fate = "refused"
        elif self.policy == "dropold":
            self.queue = [*self.queue[1:], message]
            self.stats["dropped_old"] += 1
        else:
            self.aside.append(message)
            self.stats["accepted"] += 1
            fate = "redirected"
            if self.policy == "spill":
                self.queue.append(message)
                self.stats["spilled"] += 1
                fate = "accepted"
        self.stats[fate] += 1
        return fate != "refused"

    def run(self) -> None:
        """Handle all that is queued."""
        self.primary += self.queue
        self.queue = []


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_bounded_mailbox_does_what_a_list_with_a_capacity_does(seed: int) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    model = Model(1 + int(random() * 5), 1 + int(random() * 5))
    primary: list[int] = []
    aside: list[int] = []
    target = rt.spawn(aside.append)
    pid = rt.spawn_py_handler_bounded(primary.append, model.budget, model.capacity)
    for message in range(200):
        if random() < 0.1:
            model.policy = POLICIES[int(random() * 4)]
            needs: Optional[int] = target if model.policy in ("redirect", "spill") else None
            rt.set_overflow_policy(pid, model.policy, needs)
        if random() < 0.05:
            rt.hot_swap(pid, primary.append)
        assert rt.send(pid, message) is model.send(message)
        assert rt.mailbox_size(pid) == len(model.queue)
        if random() < 0.1:
            rt.run_until_idle()
            model.run()
    rt.run_until_idle()
    model.run()
    stats = rt.stats()
    assert (primary, aside) == (model.primary, model.aside)
    assert {name: stats[name] for name in model.stats} == model.stats


@pytest.mark.parametrize("seed", range(SEEDS))
def test_senders_that_wait_lose_double_and_reorder_nothing(seed: int) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    got: list[tuple[int, int]] = []
    answers: list[bool] = []

    def slow(message: tuple[int, int]) -> None:
        if random() < 0.3:
            rt.sleep(0.01)
        got.append(message)

    pid = rt.spawn_py_handler_bounded(slow, 1 + int(random() * 4), 1 + int(random() * 3))
    rt.set_overflow_policy(pid, "block")

    def sender(message: tuple[int, int]) -> None:
        answers.append(rt.send(pid, message))

    senders = [rt.spawn(sender, 1 + int(random() * 4)) for _ in range(6)]
    for number in range(15):
        for place, one in enumerate(senders):
            rt.send(one, (place, number))
        if random() < 0.5:
            rt.advance(0.01 * random())
    assert rt.quiesce(100)
    assert answers == [True] * 90
    for place in range(6):
        assert [number for one, number in got if one == place] == list(range(15))
    assert rt.stats()["accepted"] == rt.stats()["handled"] == 180


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_end_in_front_of_waiting_senders_answers_each_of_them_once(seed: int) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    got: list[int] = []
    answers: dict[int, bool] = {}

    def slow(message: int) -> None:
        rt.sleep(0.01)
        got.append(message)

    pid = rt.spawn_py_handler_bounded(slow, 3, 1 + int(random() * 3))
    rt.set_overflow_policy(pid, "block")
    for number in range(12):
        sender = rt.spawn(lambda number: answers.setdefault(number, rt.send(pid, number)))
        rt.send(sender, number)
    rt.advance(0.05 * random())
    rt.stop(pid)
    rt.advance(10)
    assert sorted(answers) == list(range(12))
    stats = rt.stats()
    said_yes = sum(answers.values())
    assert stats["accepted"] == 12 + said_yes
    assert said_yes == len(got) + stats["expired"]
    assert stats["undeliverable"] == 12 - said_yes
    assert {number for number, answer in answers.items() if answer} >= set(got)
