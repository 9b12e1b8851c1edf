"""The line to a node that has a key: questions, values, ends, links, and what a break does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import iris
from iris.errors import (
    ActorDead,
    ActorError,
    ActorRestarting,
    AskCycle,
    AskTimeout,
    BadInput,
    LimitReached,
    NodeUnreachable,
)
from iris.mesh.jam import MESSAGES_MOST
from iris.mesh.line import NAMED_MOST
from iris.mesh.peer import FORGET_AFTER_S

from .fakenet import Asker, Pair, Wire, result

OPENING_STEPS = 2
"""What a server says before its first record: its hello, and its proof."""


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
    return pair.proxy(pair.there.spawn(pair.there.reply))


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


def test_a_message_goes_to_whoever_has_the_name_when_it_arrives(pair: Pair) -> None:
    got: list[Any] = []
    assert pair.here.send_remote(pair.address, "late", b"before anybody has it")
    pair.settle()
    assert pair.there.stats()["undeliverable"] == 1
    pair.there.register("late", pair.there.spawn(got.append))
    for message in (b"raw", {"k": [1, 2]}, memoryview(b"view")):
        assert pair.here.send_remote(pair.address, "late", message)
    pair.settle()
    assert got == [b"raw", {"k": [1, 2]}, b"view"]
    assert pair.here.stats()["forwarded"] == 4
    assert pair.here.nodes()[0].proxies == 0
    pair.check_fates()


def test_messages_to_names_are_bounded_and_lost_with_their_node(pair: Pair) -> None:
    gone = "gone:1"
    taken = [pair.here.send_remote(gone, "name", b"x") for _ in range(NAMED_MOST + 2)]
    assert taken == [True] * NAMED_MOST + [False] * 2
    pair.settle()
    stats = pair.here.stats()
    assert (stats["lost"], stats["refused"], stats["queued"]) == (NAMED_MOST, 2, 0)
    pair.check_fates()
    with pytest.raises(BadInput):
        pair.here.send_remote(pair.address, "", b"x")
    with pytest.raises(TypeError):
        pair.here.send_remote(pair.address, "name", object())


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
    bounded = there.spawn_py_handler_bounded(busy, capacity=1)
    there.set_overflow_policy(bounded, "dropnew", None)
    proxy = pair.proxy(bounded)
    several = [Asker(pair.here, timeout_s=1.0) for _ in range(3)]
    for asker in several:
        asker.ask(proxy, b"x")
        pair.settle()
    pair.sleep(1.5)
    assert [type(one) for one in late.got] == [AskTimeout]
    assert [type(one) for one in dead.got] == [ActorDead]
    assert pair.address in str(dead.got[0])
    kinds = [type(asker.got[0]) for asker in several]
    assert kinds == [AskTimeout, AskTimeout, LimitReached]
    pair.check_fates()


def test_an_actor_that_restarts_says_so(pair: Pair) -> None:
    there = pair.there

    def fails(_: Any) -> None:
        raise ValueError

    spec = iris.ChildSpec("fails", lambda: fails, redeliver=False)
    supervisor = iris.Supervisor(there, [spec], backoff_ms=(1000, 1000))
    pair.settle()
    target = pair.proxy(supervisor.children()[0].pid)
    asker = Asker(pair.here)
    pair.here.send(target, b"x")
    pair.settle()
    asker.ask(target, b"y")
    pair.settle()
    assert [type(one) for one in asker.got] == [ActorRestarting]


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


def jammed(pair: Pair) -> None:
    """Let the network take nothing, and messages wait for it until no more may."""
    sink = pair.proxy(pair.there.spawn(lambda _: None))
    pair.settle()
    pair.wire.client.room = 0
    for _ in range(2):
        # The first is taken out; the second lies in the lane, and brings the door.
        pair.here.send(sink, b"x")
        pair.settle()
    taken = sum(pair.here.send(sink, b"x") for _ in range(MESSAGES_MOST))
    assert taken == MESSAGES_MOST - 1


def test_a_flood_of_messages_keeps_no_question_out(pair: Pair) -> None:
    target, asker = echo(pair), Asker(pair.here)
    jammed(pair)
    asker.ask(target, b"?")
    pair.settle()
    assert not pair.here.send(target, b"x")
    assert not asker.got
    pair.wire.client.give_room(None)
    pair.settle()
    assert asker.got == [b"?"]
    pair.check_fates()


def test_so_many_questions_wait_for_the_network_and_no_more(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iris.mesh.jam.QUESTIONS_MOST", 3)
    target = echo(pair)
    askers = [Asker(pair.here) for _ in range(5)]
    jammed(pair)
    for asker in askers:
        asker.ask(target, b"?")
    pair.settle()
    assert [type(asker.got[0]) for asker in askers if asker.got] == [LimitReached] * 2
    pair.wire.client.give_room(None)
    pair.settle()
    assert sum(asker.got == [b"?"] for asker in askers) == 3
    pair.check_fates()


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


def cut_when_opened(pair: Pair) -> None:
    """From now on each connection is reset with the first record of the server."""

    def bend(wire: Wire, data: bytes) -> bytes:
        wire.said += 1
        if wire.said <= OPENING_STEPS:
            return data
        pair.net.post(wire.cut)
        return b""

    def begin(wire: Wire) -> None:
        wire.server.bend = lambda data: bend(wire, data)

    pair.net.on_wire = begin


def test_a_name_that_is_asked_on_connections_that_break_fails_soon(pair: Pair) -> None:
    cut_when_opened(pair)
    asked = pair.resolve("nobody")
    assert isinstance(result(asked), NodeUnreachable)
    assert pair.address in str(result(asked))
    assert len(pair.net.wires) < 5
    assert pair.here.nodes()[0].state == "down"


def test_connections_that_open_and_break_at_once_are_not_made_without_an_end(pair: Pair) -> None:
    target = pair.proxy(pair.there.spawn(print))
    cut_when_opened(pair)
    pair.wire.cut()
    pair.here.send(target, b"x")
    pair.settle()
    pair.sleep(0.5)
    assert len(pair.net.wires) < 6


def test_a_name_fails_in_time_when_questions_take_all_room(pair: Pair) -> None:
    target = pair.proxy(pair.there.spawn(lambda _: None))
    askers = [Asker(pair.here, timeout_s=60.0) for _ in range(4100)]
    for asker in askers:
        asker.ask(target, b"x")
    pair.settle()
    refused = [asker.got[0] for asker in askers if asker.got]
    assert [type(one) for one in refused] == [LimitReached] * 4
    asked = pair.resolve("name")
    pair.sleep(5.5)
    assert isinstance(result(asked), NodeUnreachable)
    assert pair.here.nodes()[0].state == "up"


def test_a_node_that_nobody_needs_is_forgotten_though_it_is_frozen(pair: Pair) -> None:
    proxy = pair.proxy(pair.there.spawn(print))
    pair.sleep(1.0)
    pair.wire.server.pause()
    pair.sleep(2.0)
    pair.here.stop(proxy)
    pair.sleep(FORGET_AFTER_S + 3.0)
    assert pair.here.nodes() == []


def test_a_question_that_is_given_up_early_is_withdrawn_there(pair: Pair) -> None:
    owed: list[Any] = []
    target = pair.proxy(pair.there.spawn(lambda _: owed.append(iris.current().reply_to)))
    [peer] = pair.here._system.mesh._peers.values()

    def open_questions() -> int:
        return len(peer.outbox._session.outstanding())  # type: ignore[attr-defined]

    async def main() -> None:
        # The simulation refuses `ask_async`; no time goes by here.
        asked = asyncio.ensure_future(pair.here._system.aio.ask(target, b"x", 100.0))
        await asyncio.sleep(0)
        pair.settle()
        assert open_questions() == 1
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked

    asyncio.run(main())
    pair.settle()
    assert open_questions() == 0
    assert len(owed) == 1
    assert pair.there.reply(b"late", to=owed[0])
    pair.settle()
    # It did not go out.
    assert (pair.there.stats()["late_replies"], pair.here.stats()["late_replies"]) == (1, 0)
    pair.check_fates()


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


@pytest.mark.parametrize("blocked", ["network", "credit"])
def test_questions_that_expire_unwritten_are_lost(pair: Pair, blocked: str) -> None:
    there = pair.there
    stuck = there.spawn_with_mailbox(lambda mailbox: there.sleep(1000.0))
    target = pair.proxy(stuck)
    pair.settle()
    if blocked == "network":
        pair.wire.client.room = 0
    for _ in range(30):
        assert pair.here.send(target, b"x" * 70_000)
    pair.settle()
    asker = Asker(pair.here, timeout_s=0.5)
    asker.ask(target, b"q")
    pair.sleep(1.0)
    assert [type(one) for one in asker.got] == [AskTimeout]
    pair.check_fates()
    pair.wire.client.give_room(None)
    pair.sleep(1.0)
    pair.check_fates()
    pair.wire.cut()
    pair.settle()
    pair.check_fates()
    stats = pair.here.stats()
    assert stats["in_doubt"] > 0
    assert stats["lost"] > 0
