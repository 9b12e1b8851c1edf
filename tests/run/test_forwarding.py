"""A question that is passed on: who owes the answer then, and who does not any more."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import check_books, end, fail


def test_a_forwarded_question_is_answered_by_the_other() -> None:
    rt = SimRuntime()
    target = rt.spawn(lambda message: rt.reply(("answered", message)))
    told: list[Any] = []
    front = rt.spawn(lambda message: told.append(rt.forward(target, message + 1)))
    assert rt.ask(front, 1, 1) == ("answered", 2)
    assert told == [True]
    end(rt, front)
    check_books(rt)


def test_the_end_of_who_forwarded_does_not_matter_any_more() -> None:
    rt = SimRuntime()
    target = rt.spawn(lambda message: (rt.sleep(5), rt.reply("there")))

    def front(message: Any) -> None:
        rt.forward(target, message)
        raise ValueError("as it should")

    assert rt.ask(rt.spawn(front), b"", 10) == "there"


def test_the_end_of_whom_it_was_forwarded_to_fails_it() -> None:
    rt = SimRuntime()
    target = rt.spawn(fail)
    front = rt.spawn(lambda message: rt.forward(target, message))
    with pytest.raises(iris.ActorDead, match=str(target)):
        rt.ask(front, b"", 10)
    assert rt.is_alive(front)


def test_a_forward_that_is_refused_leaves_the_duty_where_it_was() -> None:
    rt = SimRuntime()
    dead = rt.spawn(fail)
    end(rt, dead)
    full = rt.spawn_py_handler_bounded(lambda message: rt.sleep(50), 100, 1)
    rt.set_overflow_policy(full, "block")
    rt.send(full, 1)
    rt.run_until_idle()
    rt.send(full, 2)
    told: list[Any] = []

    def front(message: Any) -> None:
        told.append(rt.forward(message, b""))
        rt.reply("myself")

    pid = rt.spawn(front)
    assert rt.ask(pid, dead, 1) == "myself"
    assert rt.ask(pid, full, 1) == "myself"
    assert told == [False, False]
    check_books(rt)


def test_forwarding_a_plain_message_is_sending_it() -> None:
    rt, got = SimRuntime(), []
    target = rt.spawn(got.append)
    rt.send(rt.spawn(lambda message: rt.forward(target, message)), 1)
    rt.run_until_idle()
    assert got == [1]


def test_a_question_is_not_forwarded_to_who_waits_for_the_asker() -> None:
    rt = SimRuntime()
    seen: list[Any] = []

    def front(message: Any) -> None:
        try:
            rt.forward(message, b"")
        except iris.AskCycle as error:
            seen.append(type(error))
            rt.reply("myself")

    pid = rt.spawn(front)

    def asking(message: Any) -> None:
        seen.append(rt.ask(pid, rt.self_pid(), 10))

    rt.send(rt.spawn(asking), b"")
    rt.run_until_idle()
    assert seen == [iris.AskCycle, "myself"]


def test_a_forwarded_question_is_not_answered_by_who_forwarded_it() -> None:
    rt = SimRuntime()
    target = rt.spawn(lambda message: (rt.sleep(1), rt.reply("there")))
    seen: list[Any] = []

    def handler(message: Any) -> None:
        rt.forward(target, message)
        with pytest.raises(iris.ActorError, match=f"forwarded; actor {target}"):
            rt.reply("here")
        seen.append("refused")

    assert rt.ask(rt.spawn(handler), b"", 10) == "there"
    assert seen == ["refused"]


@pytest.mark.parametrize("kind", ["push", "pull"])
def test_a_question_forwarded_to_oneself_is_owed_with_the_next_message_only(kind: str) -> None:
    rt, seen = SimRuntime(), []

    def handler(message: Any) -> None:
        to = iris.current().reply_to
        if message != "again":
            assert rt.forward(rt.self_pid(), "again")
            for call in (
                lambda: rt.reply("too early"),
                lambda: rt.reply("too early", to=to),
                lambda: rt.forward(rt.self_pid(), "twice"),
            ):
                with pytest.raises(iris.ActorError, match="forwarded"):
                    call()
            assert iris.current().reply_to is None
        else:
            assert rt.reply("the answer")
        seen.append(message)

    def body(mailbox: Any) -> None:
        while (message := mailbox.recv()) is not None:
            handler(message)

    pid = rt.spawn(handler) if kind == "push" else rt.spawn_with_mailbox(body)
    assert [rt.ask(pid, number, 10) for number in (1, 2)] == ["the answer"] * 2
    assert seen == [1, "again", 2, "again"]
    assert rt.is_alive(pid)
    stats = rt.stats()
    assert (stats["accepted"], stats["handled"], stats["late_replies"]) == (4, 4, 0)


def test_who_passed_a_question_to_itself_and_failed_ends_with_the_message_it_had() -> None:
    rt, endings = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: endings.append(ending))

    def handler(message: Any) -> None:
        rt.forward(rt.self_pid(), b"longer than before")
        raise ValueError

    with pytest.raises(iris.ActorDead):
        rt.ask(rt.spawn(handler), b"short", 10)
    (ending,) = endings
    assert ending.metadata["message_size"] == len(b"short")


def test_a_kept_reply_to_ends_with_the_forward() -> None:
    rt = SimRuntime()
    target = rt.spawn(lambda message: (rt.sleep(1), rt.reply("there")))
    refused: list[Any] = []

    def front(message: Any) -> None:
        to = iris.current().reply_to
        rt.forward(target, message)
        with pytest.raises(iris.ActorError, match="forwarded"):
            rt.reply("here", to=to)
        refused.append(to)

    assert rt.ask(rt.spawn(front), b"", 10) == "there"
    assert len(refused) == 1
    assert rt.is_alive(target)


def test_a_question_whose_asker_was_told_is_forwarded_as_a_plain_message() -> None:
    rt = SimRuntime()
    dead, got = rt.spawn(fail), []
    sink = rt.spawn(got.append)

    def front(message: Any) -> None:
        rt.forward(dead, message)
        rt.sleep(1)
        rt.forward(sink, message)

    with pytest.raises(iris.ActorDead):
        rt.ask(rt.spawn(front), "told", 10)
    rt.advance(2)
    assert got == ["told"]
    assert rt._system.table.get(sink).control is None
