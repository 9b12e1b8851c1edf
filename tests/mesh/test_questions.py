"""Questions to one node: their connection, their answers, and what is lost with it."""

from __future__ import annotations

import errno
from typing import Optional, Union

import pytest

from iris.mesh.questions import QUESTIONS_MOST, TRIES, Question, Questions
from iris.mesh.wire import Address, WireLimits

from .fakedriver import FakeDriver, FakeStream

IO_S = 5.0
PONG = b"\x03"


def asks(name: str) -> bytes:
    encoded = name.encode()
    return b"\x01" + len(encoded).to_bytes(4, "big") + encoded


def says(pid: int) -> bytes:
    return pid.to_bytes(8, "big")


class World:
    """Questions, and a peer that fails them as `iris.mesh.peer` does when it is unreachable."""

    def __init__(self) -> None:
        self.driver = FakeDriver()
        self.address = Address("host", 7)
        self.heard_of = 0
        self.failures: list[Exception] = []
        self.outcomes: list[tuple[Optional[str], Union[int, Exception]]] = []
        self.questions = Questions(self, self.driver, WireLimits(), IO_S)

    def heard(self) -> None:
        self.heard_of += 1

    def unreachable(self, error: Exception) -> None:
        self.failures.append(error)
        for question in self.questions.drop():
            question.settle(error)

    def ask(self, name: Optional[str], waits: bool = True) -> None:
        ends_at = self.driver.now() + IO_S if waits else None
        self.questions.ask(
            Question(name, lambda outcome: self.outcomes.append((name, outcome)), ends_at)
        )

    def connect(self) -> FakeStream:
        return self.driver.attempt.succeed()


@pytest.fixture
def world() -> World:
    return World()


def test_the_bytes_of_questions_and_who_gets_which_answer(world: World) -> None:
    world.ask("a")
    world.ask(None)
    world.ask("\u20ac")
    stream = world.connect()
    assert stream.written == b"\x01" + asks("a") + b"\x02" + asks("\u20ac")
    stream.come(says(2**64 - 1) + PONG)
    stream.come(says(0)[:3])
    stream.come(says(0)[3:])
    assert world.outcomes == [("a", 2**64 - 1), (None, 1), ("\u20ac", 0)]
    assert world.questions.is_idle
    world.ask("b")
    assert stream.written.endswith(asks("b"))
    assert len(world.driver.attempts) == 1


def test_a_connection_that_is_made_is_no_sign_of_life(world: World) -> None:
    # The system of a frozen node takes connections as before.
    world.ask(None)
    stream = world.connect()
    assert not world.heard_of
    stream.come(PONG)
    assert world.heard_of


def test_garbage_is_no_sign_of_life(world: World) -> None:
    world.ask(None)
    world.connect().come(b"HTTP/1.1 400 Bad Request\r\n")
    assert isinstance(world.outcomes[0][1], ConnectionResetError)
    assert not world.heard_of


def test_a_peer_that_closes_after_each_answer_is_asked_on(world: World) -> None:
    for number in range(10):
        world.ask(str(number))
    for number in range(10):
        stream = world.connect()
        stream.come(says(number + 1))
        stream.end()
    assert world.outcomes == [(str(number), number + 1) for number in range(10)]
    assert not world.failures
    assert not world.driver.open_attempts


def test_a_peer_that_closes_when_idle_is_connected_to_anew(world: World) -> None:
    world.ask("a")
    stream = world.connect()
    stream.come(says(1))
    stream.end()
    assert not world.driver.open_attempts
    world.ask("b")
    world.connect().come(says(2))
    assert world.outcomes == [("a", 1), ("b", 2)]


def test_a_peer_that_closes_without_an_answer_fails_all_questions(world: World) -> None:
    world.ask("a")
    for _ in range(TRIES - 1):
        world.connect().end()
    world.ask("b")
    world.connect().end()
    assert len(world.failures) == 1
    assert [name for name, _ in world.outcomes] == ["a", "b"]
    assert all(isinstance(outcome, ConnectionResetError) for _, outcome in world.outcomes)
    assert world.questions.is_idle
    assert not world.driver.open_attempts


def test_no_connection_fails_all_questions(world: World) -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "no")
    world.ask("a")
    world.ask(None, waits=False)
    world.driver.attempt.fail(refused)
    assert world.outcomes == [("a", refused), (None, refused)]


def test_no_answer_in_time_fails_what_waits_and_closes(world: World) -> None:
    world.ask("a")
    stream = world.connect()
    world.driver.advance(IO_S - 0.01)
    assert not world.outcomes
    world.driver.advance(0.02)
    [(_, error)] = world.outcomes
    assert isinstance(error, TimeoutError)
    assert "host:7 did not answer in 5 s" in str(error)
    assert stream.closed


def test_time_is_over_also_while_there_is_no_connection(world: World) -> None:
    world.ask("a")
    world.driver.advance(IO_S + 0.01)
    assert isinstance(world.outcomes[0][1], TimeoutError)
    assert not world.driver.open_attempts


def test_questions_that_were_answered_leave_no_timer_that_ends_others(world: World) -> None:
    world.ask("a")
    stream = world.connect()
    stream.come(says(1))
    world.driver.advance(IO_S - 1)
    world.ask("b")
    world.driver.advance(IO_S - 1)
    stream.come(says(2))
    assert world.outcomes == [("a", 1), ("b", 2)]
    assert world.driver.advance(1000) <= 2


def test_too_many_questions_are_refused_and_no_sooner(world: World) -> None:
    world.ask("held")
    stream = world.connect()
    for _ in range(QUESTIONS_MOST - 1):
        world.ask(None)
    world.driver.run()
    assert not world.outcomes
    world.ask(None)
    assert not world.outcomes, "not within the call"
    world.driver.run()
    [(_, error)] = world.outcomes
    assert isinstance(error, TimeoutError)
    stream.come(says(1) + PONG * (QUESTIONS_MOST - 1))
    assert len(world.outcomes) == QUESTIONS_MOST + 1
    world.ask("again")
    stream.come(says(3))
    assert world.outcomes[-1] == ("again", 3)


def test_what_was_dropped_is_given_back_in_order(world: World) -> None:
    world.ask("a")
    world.ask("b")
    stream = world.connect()
    stream.come(says(1))
    world.ask("c")
    assert [one.name for one in world.questions.drop()] == ["b", "c"]
    assert stream.closed
    assert world.driver.advance(100) == 0
