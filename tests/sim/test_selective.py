"""Pull actors by chance: every way of taking a message, beside a model that is a plain list."""

from __future__ import annotations

from random import Random
from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime

SEEDS = 200


class Model:
    """A list from which the first match is taken."""

    def __init__(self, random: Any) -> None:
        self.random = random
        self.waiting: list[int] = []
        self.faults: list[str] = []
        self.calls = 0

    def matcher(self, divisor: int, rest: int) -> Any:
        """A matcher that may raise once in a while."""
        raises = self.random() < 0.1

        def match(number: int) -> bool:
            if raises and number % 11 == 3:
                raise ValueError("as it should")
            return number % divisor == rest

        return match

    def first(self, match: Any) -> Any:
        """What a search has to find: a number, None, or the error of the matcher."""
        for place, number in enumerate(self.waiting):
            try:
                if match(number):
                    return self.waiting.pop(place)
            except ValueError as error:
                return str(error)
        return None

    def take(self, mailbox: iris.PyMailbox) -> None:
        """Take once, in some way, and compare."""
        self.calls += 1
        if self.random() < 0.4:
            expected = self.waiting.pop(0) if self.waiting else None
            found = mailbox.recv(0)
        else:
            divisor = 2 + int(self.random() * 4)
            match = self.matcher(divisor, int(self.random() * divisor))
            expected = self.first(match)
            try:
                found = mailbox.selective_recv(match, 0)
            except ValueError as error:
                found = str(error)
        if found != expected:
            self.faults.append(f"call {self.calls} gave {found!r} and not {expected!r}")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_pull_mailbox_does_what_a_list_does(seed: int) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    model = Model(random)

    def body(mailbox: iris.PyMailbox) -> None:
        while not mailbox.closed:
            for _ in range(int(random() * 5)):
                model.take(mailbox)
            rt.sleep(1)

    pid = rt.spawn_with_mailbox(body)
    for number in range(80):
        for copy in range(int(random() * 4)):
            rt.send(pid, 10 * number + copy)
            model.waiting.append(10 * number + copy)
        assert rt.mailbox_size(pid) == len(model.waiting)
        rt.advance(1)
    assert model.faults == []
    assert model.calls > 50
    rt.shutdown()


def ending_in(wanted: int) -> Callable[[int], bool]:
    """A matcher."""
    return lambda number: number % 5 == wanted


@pytest.mark.parametrize("seed", range(SEEDS))
def test_one_who_waits_for_a_match_gets_the_first_that_comes_and_leaves_the_others(
    seed: int,
) -> None:
    rt, random = SimRuntime(seed=seed), Random(seed).random
    taken: list[int] = []
    rest: list[int] = []

    def body(mailbox: iris.PyMailbox) -> None:
        taken.extend(mailbox.selective_recv(ending_in(wanted)) for wanted in range(5))
        rest.extend(iter(lambda: mailbox.recv(0), None))  # Until nothing is left.

    pid = rt.spawn_with_mailbox(body)
    sent = [int(random() * 1000) for _ in range(30)] + list(range(5, 10)) * 5
    for number in sent:
        rt.send(pid, number)
        if random() < 0.5:
            rt.step()
    assert rt.join(pid, 10)
    assert [number % 5 for number in taken] == [0, 1, 2, 3, 4]
    left = list(sent)
    for wanted, number in enumerate(taken):
        assert number == next(other for other in left if other % 5 == wanted)
        left.remove(number)
    assert rest == left[: len(rest)]
    assert len(rest) + rt.stats()["expired"] + rt.stats()["undeliverable"] == len(left)
