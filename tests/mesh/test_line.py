"""The line to a node that has a key: questions, values, ends, links, and what a break does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

import iris
from iris.errors import (
    ActorDead,
    ActorError,
    AskCycle,
    AskTimeout,
    BadInput,
    LimitReached,
    NodeUnreachable,
)

from .fakenet import KEY, Asker, Pair, result


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    log = logging.getLogger("iris")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def echo(pair: Pair) -> int:
    """A proxy for an actor there that answers what it is asked."""
    return pair.proxy(pair.there.spawn(lambda data: pair.there.reply(data)))


def test_a_question_is_answered_and_a_message_is_delivered(pair: Pair) -> None:
    got: list[Any] = []
    target = pair.proxy(pair.there.spawn(got.append))
    asker = Asker(pair.here)
    asker.ask(echo(pair), {"a": [1, 2.5, None, "x", b"y"]})
    for message in (b"raw", {"k": 1}, [1, 2], "text", None, 7):
        assert pair.here.send(target, message)
    pair.settle()
    assert asker.got == [{"a": [1, 2.5, None, "x", b"y"]}]
    assert got == [b"raw", {"k": 1}, [1, 2], "text", None, 7]
    pair.check_fates()


# -- questions -----------------------------------------------------------------------------


def test_errors_of_questions_come_as_what_they_were(pair: Pair) -> None:
    there = pair.there

    def busy(data: Any) -> None:
        there.sleep(100.0)

    def refuses(data: Any) -> None:
        raise ValueError("no")

    late = Asker(pair.here, timeout_s=1.0)
    late.ask(pair.proxy(there.spawn(busy)), b"x")
    dead = Asker(pair.here)
    dead.ask(pair.proxy(there.spawn(refuses)), b"x")
    full = Asker(pair.here)
    slow = there.spawn(busy)
    bounded = there.spawn_bounded(busy, 1) if hasattr(there, "spawn_bounded") else None
    pair.sleep(1.5)
    assert [type(one) for one in late.got] == [AskTimeout]
    assert [type(one) for one in dead.got] == [ActorDead]
    assert pair.address in str(dead.got[0])
    del full, slow, bounded
    pair.check_fates()


def test_actors_of_two_nodes_that_wait_for_each_other_are_told(pair: Pair) -> None:
    here, there = pair.here, pair.there
    got: list[Any] = []
    back = here.listen("127.0.0.1:0")

    def first(data: Any) -> None:
        got.append(data)
        here.reply(here.ask(second_there, b"two", timeout_s=5.0))

    def second(data: Any) -> None:
        try:
            there.ask(first_here, b"three", timeout_s=5.0)
        except iris.IrisError as error:
            got.append(type(error))
            there.reply(b"cycle")

    here.register("first", here.spawn(first))
    second_there = pair.proxy(there.spawn(second))
    first_here = result(pair.resolve("first", there, back))
    asker = Asker(here)
    asker.ask(here.whereis("first"), b"one")  # type: ignore[arg-type]
    pair.settle()
    assert got == [b"one", AskCycle]
    assert asker.got == [b"cycle"]


def test_an_answer_that_cannot_travel_is_an_error_on_both_sides(pair: Pair) -> None:
    errors: list[Any] = []

    def answers(data: Any) -> None:
        try:
            pair.there.reply(object())
        except TypeError as error:
            errors.append(error)

    asker = Asker(pair.here)
    asker.ask(pair.proxy(pair.there.spawn(answers)), b"x")
    pair.settle()
    assert len(errors) == 1
    assert [type(one) for one in asker.got] == [ActorError]
    assert pair.here.stats()["late_replies"] == 0


def test_a_property_that_raises_fails_the_question_at_once(pair: Pair) -> None:
    import dataclasses

    @dataclasses.dataclass
    class Bad:
        x: int

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                raise KeyError(name)
            return object.__getattribute__(self, name)

    pair.there.register_type(1, Bad)

    def answers(data: Any) -> None:
        pair.there.reply(Bad(1))

    asker = Asker(pair.here)
    asker.ask(pair.proxy(pair.there.spawn(answers)), b"x")
    pair.settle()
    assert [type(one) for one in asker.got] == [ActorError]


def test_a_question_that_is_too_large_is_refused_at_the_ask(pair: Pair) -> None:
    target = echo(pair)
    asker = Asker(pair.here)
    asker.ask(target, b"x" * ((64 << 20) + 1))
    pair.settle()
    assert [type(one) for one in asker.got] == [BadInput]
    with pytest.raises(BadInput):
        pair.here.send_remote(pair.address, target, b"x" * ((64 << 20) + 1))


def test_a_large_question_waits_for_room_behind_messages(pair: Pair) -> None:
    got: list[Any] = []

    def both(data: Any) -> None:
        got.append(len(data))
        pair.there.reply(len(data))

    target = pair.proxy(pair.there.spawn(both))
    pair.settle()
    pair.wire.client.room = 0
    for _ in range(20):
        assert pair.here.send(target, b"x" * 100_000)
    pair.settle()
    askers = [Asker(pair.here) for _ in range(2)]
    for asker in askers:
        asker.ask(target, b"y" * (5 << 20))
    pair.settle()
    pair.wire.client.give_room(None)
    pair.settle()
    assert [asker.got for asker in askers] == [[5 << 20]] * 2
    assert got == [100_000] * 20 + [5 << 20] * 2
    pair.check_fates()


def test_large_answers_at_a_time_all_come(pair: Pair) -> None:
    target = pair.proxy(pair.there.spawn(lambda data: pair.there.reply(b"y" * (3 << 20))))
    askers = [Asker(pair.here) for _ in range(5)]
    for asker in askers:
        asker.ask(target, b"")
    pair.settle()
    assert [[len(one) for one in asker.got if isinstance(one, bytes)] for asker in askers] == [
        [3 << 20]
    ] * 5


def test_an_answer_may_come_later_and_too_late_ones_are_counted(pair: Pair) -> None:
    owed: list[Any] = []
    target = pair.proxy(pair.there.spawn(lambda _: owed.append(iris.current().reply_to)))
    asker, gone = Asker(pair.here), Asker(pair.here, timeout_s=0.5)
    asker.ask(target, b"x")
    gone.ask(target, b"y")
    pair.sleep(1.0)
    assert [type(one) for one in gone.got] == [AskTimeout]
    for to in owed:
        pair.there.reply(b"later", to=to)
    pair.settle()
    assert asker.got == [b"later"]
    assert pair.there.stats()["late_replies"] + pair.here.stats()["late_replies"] == 1


def test_a_question_is_forwarded_to_a_proxy_and_by_the_actor_there(pair: Pair) -> None:
    here, there = pair.here, pair.there
    other = there.spawn(lambda data: there.reply(data + b" answered"))
    mid = there.spawn(lambda data: there.forward(other, data + b" there"))
    target = pair.proxy(mid)
    local = here.spawn(lambda data: here.forward(target, data + b" forwarded"))
    asker = Asker(here)
    asker.ask(local, b"x")
    pair.settle()
    assert asker.got == [b"x forwarded there answered"]


def test_a_cycle_through_a_forwarded_question_is_told(pair: Pair) -> None:
    here, there = pair.here, pair.there
    back = here.listen("127.0.0.1:0")
    got: list[Any] = []

    def closes(data: Any) -> None:
        try:
            there.reply(there.ask(first_here, b"again", timeout_s=5.0))
        except iris.IrisError as error:
            got.append(type(error))
            there.reply(b"cycle")

    target = pair.proxy(there.spawn(closes))
    passes = here.spawn(lambda data: here.forward(target, data))
    asker = Asker(here)
    here.register("first", asker.pid)
    first_here = result(pair.resolve("first", there, back))
    asker.ask(passes, b"x")
    pair.settle()
    assert got == [AskCycle]
    assert asker.got == [b"cycle"]


def test_a_question_fails_at_once_when_its_connection_is_lost(pair: Pair) -> None:
    target = pair.proxy(pair.there.spawn(lambda _: None))
    asker = Asker(pair.here)
    asker.ask(target, b"x")
    pair.settle()
    assert asker.got == []
    pair.wire.cut()
    pair.settle()
    assert [type(one) for one in asker.got] == [NodeUnreachable]
    assert pair.address in str(asker.got[0])
    asker.ask(echo(pair), b"again")
    pair.settle()
    assert asker.got[1] == b"again"
    pair.check_fates()


def test_a_name_that_is_asked_on_connections_that_break_fails_in_the_end(pair: Pair) -> None:
    pair.here.resolve_remote_py(pair.address, "nobody")
    pair.settle()
    pair.net.on_wire = lambda wire: setattr(wire.server, "bend", bend_answers)

    def bend_answers(data: bytes) -> bytes:
        """The opening goes well, and then no record comes whole."""
        return data if len(data) < 200 else data

    pair.wire.client.other.bend = lambda _: b""
    asked = pair.resolve("nobody")
    for _ in range(2):
        pair.wire.server.bend = lambda _: b""
        pair.wire.cut()
        pair.net.on_wire = lambda wire: None
        pair.net.core.run()
    pair.sleep(6.0)
    assert asked._is_settled


def test_who_gives_up_is_taken_back_there(pair: Pair) -> None:
    handled: list[Any] = []

    def slow(data: Any) -> None:
        handled.append(data)
        pair.there.sleep(2.0)

    target = pair.proxy(pair.there.spawn(slow))
    asker = Asker(pair.here, timeout_s=0.5)
    other = Asker(pair.here, timeout_s=0.5)
    asker.ask(target, b"a")
    other.ask(target, b"b")
    pair.sleep(5.0)
    assert [type(one) for one in asker.got + other.got] == [AskTimeout] * 2
    pair.check_fates()


def test_questions_that_expire_unwritten_are_lost(pair: Pair) -> None:
    target = echo(pair)
    pair.settle()
    pair.wire.client.room = 0
    assert pair.here.send(target, b"x" * 70_000)
    asker = Asker(pair.here, timeout_s=0.5)
    asker.ask(target, b"q")
    pair.sleep(1.0)
    assert [type(one) for one in asker.got] == [AskTimeout]
    pair.wire.client.give_room(None)
    pair.sleep(1.0)
    pair.check_fates()
