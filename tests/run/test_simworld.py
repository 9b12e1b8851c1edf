"""The world of simulated hubs: what is next, what stands still, what is expected."""

from __future__ import annotations

from random import Random
from typing import Any, Callable

import greenlet
import pytest

from iris.errors import IrisError, WouldDeadlock
from iris.run.simworld import Call, World


class Hub:
    """Does the work that it is given, one thing a step."""

    def __init__(self, world: World, *work: Callable[[], Any]) -> None:
        self.work = list(work)
        world.enter(self)

    def is_ready(self) -> bool:
        return bool(self.work)

    def run(self) -> None:
        self.work.pop(0)()


def named(log: list[str], *names: str) -> list[Callable[[], Any]]:
    return [lambda name=name: log.append(name) for name in names]  # type: ignore[misc]


def test_without_luck_hubs_go_first_and_calls_by_time_and_order() -> None:
    world, log = World(), list[str]()
    Hub(world, *named(log, "a1", "a2"))
    Hub(world, *named(log, "b1"))
    for name, delay_s in (("late", 1.0), ("first", 0.0), ("second", 0.0), ("past", -1.0)):
        world.add(delay_s, Call(named(log, name)[0]))
    assert world.run_until_idle() == 6
    assert log == ["a1", "a2", "b1", "first", "second", "past"]
    world.advance(1)
    assert log[-1] == "late"
    assert world.clock.now == 1


def test_without_luck_all_calls_of_a_moment_are_made_as_it_comes() -> None:
    world, log = World(), list[str]()
    hub = Hub(world)
    world.add(1.0, Call(lambda: hub.work.extend(named(log, "hub"))))
    world.add(1.0, Call(named(log, "call")[0]))
    world.advance(1)
    assert log == ["call", "hub"]


def test_with_luck_everything_that_can_happen_may_be_next() -> None:
    orders = set()
    for seed in range(200):
        world, log = World(luck=Random(seed).random), list[str]()
        Hub(world, *named(log, "a1", "a2"))
        Hub(world, *named(log, "b"))
        world.add(0.0, Call(named(log, "call")[0]))
        world.run_until_idle()
        assert log.index("a1") < log.index("a2")
        orders.add(tuple(log))
    assert len(orders) == 12


def test_calls_of_one_moment_go_by_their_rank() -> None:
    world, log = World(luck=lambda: 0.0), list[str]()
    world.add(1.0, Call(named(log, "timer")[0]))
    world.add(1.0, Call(named(log, "last")[0]), 0.9)
    world.add(1.0, Call(named(log, "first")[0]), 0.1)
    world.advance(1)
    assert log == ["first", "timer", "last"]


def test_what_is_frozen_stands_still_and_is_late() -> None:
    world, log = World(), list[str]()
    hub = Hub(world, *named(log, "work"))
    world.add(1.0, Call(named(log, "its own")[0], hub))
    world.add(2.0, Call(named(log, "nobody's")[0]))
    world.add(5.0, Call(named(log, "much later")[0], hub))
    world.freeze(hub)
    world.freeze(hub)
    assert world.expects()
    world.advance(3)
    assert log == ["nobody's"]
    assert not world.expects()
    assert world.next_time() is None or world.next_time() == 5.0
    world.thaw(hub)
    world.thaw(hub)
    assert world.expects()
    world.run_until_idle()
    assert log == ["nobody's", "work", "its own"]
    world.advance(3)
    assert log[-1] == "much later"


def test_what_is_removed_never_goes_on() -> None:
    world, log = World(), list[str]()
    hub = Hub(world, *named(log, "work"))
    world.add(1.0, Call(named(log, "call")[0], hub))
    world.freeze(hub)
    world.remove(hub)
    world.thaw(hub)
    world.add(2.0, Call(named(log, "later")[0], hub))
    world.advance(5)
    assert log == []
    assert not world.has(hub)
    assert world.next_time() is None


def test_nobody_expects_what_was_taken_back_or_is_aside() -> None:
    world = World()
    world.add(1.0, Call(print, aside=True))
    taken = world.add(1.0, Call(print))
    assert world.expects()
    taken.close()
    taken.close()
    assert not world.expects()
    assert world.next_time() == 1.0


def test_only_its_own_greenlet_drives_it_and_not_from_inside() -> None:
    world = World()
    errors: list[BaseException] = []

    def drive() -> None:
        assert not world.may_step()
        try:
            world.step()
        except IrisError as error:
            errors.append(error)

    Hub(world, drive)
    greenlet.greenlet(drive).switch()
    assert world.step()
    assert [type(error) for error in errors] == [IrisError, WouldDeadlock]
    assert world.may_step()


def test_an_error_that_came_up_is_raised_out_of_the_step() -> None:
    world = World()
    steps: list[int] = []
    world.after_step = lambda: steps.append(1)

    def fail() -> None:
        world.error = KeyboardInterrupt()

    Hub(world, fail)
    with pytest.raises(KeyboardInterrupt):
        world.step()
    assert steps == [1]
    assert not world.step()
