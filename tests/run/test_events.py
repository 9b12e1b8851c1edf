"""The queue of events: none is lost, whatever raises where."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from iris.run.events import Events


class Interrupted(Exception):
    """What a signal handler raises."""


class Hub:
    """A carrier of which only the posted calls are there. It may be cut short."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []
        self.cut = ""
        self.woken = False

    def post(self, call: Callable[[], Any]) -> None:
        self._cut("before")
        self.calls.append(call)
        self._cut("after")
        self.woken = True

    def wake(self, always: bool) -> None:
        self.woken = self.woken or always

    def _cut(self, where: str) -> None:
        if self.cut == where:
            self.cut = ""
            raise Interrupted

    def run(self) -> None:
        if self.woken:
            while self.calls:
                self.calls.pop(0)()


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def reported() -> list[BaseException]:
    return []


@pytest.fixture
def events(hub: Hub, reported: list[BaseException]) -> Events:
    return Events(hub, lambda: 0.0, reported.append)  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_signal_handler_that_raises_loses_no_event(events: Events, hub: Hub, cut: str) -> None:
    done: list[int] = []
    hub.cut = cut
    with pytest.raises(Interrupted):
        events.put(lambda: done.append(1))
    hub.run()
    assert done == [1]
    events.put(lambda: done.append(2))
    hub.run()
    assert done == [1, 2]


def test_an_event_that_raises_is_reported_and_the_next_is_done(
    events: Events, hub: Hub, reported: list[BaseException]
) -> None:
    done: list[int] = []

    def fails() -> None:
        raise IndexError

    events.put(fails)
    events.put(lambda: done.append(1))
    hub.run()
    assert done == [1]
    assert [type(error) for error in reported] == [IndexError]


def test_ctrl_c_in_an_event_is_handed_on_and_the_next_is_done(
    events: Events, hub: Hub, reported: list[BaseException]
) -> None:
    done: list[int] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    events.put(interrupted)
    events.put(lambda: done.append(1))
    with pytest.raises(KeyboardInterrupt):
        hub.run()
    hub.run()
    assert done == [1]
    assert reported == []
