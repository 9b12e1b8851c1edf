"""What asking refuses: circles and mistakes; and questions beside swaps, budgets and a shutdown."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import answering, check_books, echo

# -- circles ---------------------------------------------------------------------------------------


def test_an_actor_cannot_ask_itself() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    pid = rt.spawn(answering(rt, seen))
    rt.send(pid, (pid, b""))
    rt.run_until_idle()
    assert [type(error) for error in seen] == [iris.AskCycle]
    assert f"{pid} -> {pid}" in str(seen[0])


def test_a_circle_of_askers_is_refused_at_once_and_named() -> None:
    rt = SimRuntime()
    pids: list[int] = []
    seen: list[Any] = []

    def asking(index: int) -> Any:
        def handler(message: Any) -> None:
            try:
                rt.reply(rt.ask(pids[(index + 1) % 3], message, 100))
            except iris.AskCycle as error:
                seen.append(str(error))
                rt.reply("refused")

        return handler

    pids += [rt.spawn(asking(index)) for index in range(3)]
    assert rt.ask(pids[0], b"", 50) == "refused"
    assert rt.now == 0
    a, b, c = pids
    assert f"{c} -> {a} -> {b} -> {c}" in seen[0]


def test_a_circle_of_an_ask_and_a_join_is_refused() -> None:
    rt = SimRuntime()
    seen: list[Any] = []

    def joining(message: Any) -> None:
        try:
            rt.join(asker, 50)
        except iris.WouldDeadlock as error:
            seen.append(type(error))
            rt.reply("refused")

    joiner = rt.spawn(joining)
    asker = rt.spawn(answering(rt, seen))
    rt.send(asker, (joiner, b""))
    rt.run_until_idle()
    assert seen == [iris.WouldDeadlock, "refused"]


def test_no_circle_is_seen_once_the_answer_was_given() -> None:
    rt = SimRuntime()
    seen: list[Any] = []

    def second(message: Any) -> None:
        rt.reply("first answer")
        # The other one has its answer, though it may not have woken yet.
        seen.append(rt.ask(asker, "back", 10))

    def first(message: Any) -> None:
        if message == "back":
            rt.reply("second answer")
        else:
            seen.append(rt.ask(other, b"", 10))

    other, asker = rt.spawn(second), rt.spawn(first)
    rt.send(asker, b"")
    rt.run_until_idle()
    assert sorted(seen) == ["first answer", "second answer"]


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout_s", [0, -1, 0.0, float("nan")])
def test_a_question_without_time_is_refused(timeout_s: Any) -> None:
    rt = SimRuntime()
    with pytest.raises(iris.BadInput, match="timeout_s"):
        rt.ask(echo(rt), b"", timeout_s)
    assert rt.stats()["sent"] == 0


@pytest.mark.parametrize("timeout_s", [None, "1", True])
def test_a_timeout_is_a_number(timeout_s: Any) -> None:
    rt = SimRuntime()
    with pytest.raises(TypeError, match="timeout_s"):
        rt.ask(echo(rt), b"", timeout_s)
    with pytest.raises(TypeError):
        rt.ask(echo(rt), b"")  # type: ignore[call-arg]


def test_pids_that_cannot_be_pids_are_refused() -> None:
    rt = SimRuntime()
    with pytest.raises(iris.BadInput):
        rt.ask(0, b"", 1)
    with pytest.raises(TypeError, match="whereis"):
        rt.ask(None, b"", 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("call", ["reply", "forward", "iris.reply"])
def test_outside_a_handler_nothing_can_be_answered(call: str) -> None:
    rt = SimRuntime()
    pid = echo(rt)
    with pytest.raises(iris.ActorError, match="outside a handler"):
        {
            "reply": lambda: rt.reply(1),
            "forward": lambda: rt.forward(pid, 1),
            "iris.reply": lambda: iris.reply(1),
        }[call]()


def test_a_question_takes_one_answer() -> None:
    rt = SimRuntime()
    seen: list[Any] = []

    def handler(message: Any) -> None:
        seen.append(rt.reply(1))
        for again in (lambda: rt.reply(2), lambda: rt.forward(pid, 2)):
            with pytest.raises(iris.ActorError, match="answered before"):
                again()

    pid = rt.spawn(handler)
    assert rt.ask(pid, b"", 1) == 1
    rt.run_until_idle()
    assert seen == [True]
    assert rt.is_alive(pid)


def test_to_is_what_current_gave() -> None:
    rt = SimRuntime()
    with pytest.raises(TypeError, match="reply_to"):
        rt.reply(1, to=12345)  # type: ignore[arg-type]


def test_after_shutdown_nothing_is_asked() -> None:
    rt = SimRuntime()
    pid = echo(rt)
    rt.shutdown()
    for call in (lambda: rt.ask(pid, b"", 1), lambda: rt.reply(1)):
        with pytest.raises(iris.RuntimeClosed):
            call()


# -- swaps, budgets, shutdown ----------------------------------------------------------------------


def test_questions_and_swaps_keep_their_order() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.reply("old"))
    seen: list[Any] = []
    askers = [rt.spawn(answering(rt, seen)) for _ in range(2)]
    rt.send(askers[0], (pid, b""))
    rt.run_until_idle()
    rt.hot_swap(pid, lambda message: rt.reply("new"))
    rt.send(askers[1], (pid, b""))
    rt.run_until_idle()
    assert seen == ["old", "new"]


def test_many_actors_blocked_in_questions_end_with_the_runtime() -> None:
    rt = SimRuntime()
    deaf = rt.spawn(lambda message: None)
    askers = [rt.spawn(lambda message: rt.ask(deaf, b"", 1000)) for _ in range(1000)]
    for asker in askers:
        rt.send(asker, b"")
    rt.run_until_idle()
    assert rt.stats()["running"] == 1000
    assert rt.shutdown(5) == []
    assert rt.now < 5


def test_the_cell_of_an_asked_actor_forgets_its_askers() -> None:
    rt = SimRuntime()
    pid = echo(rt)
    silent = rt.spawn(lambda message: None)
    for _ in range(50):
        rt.ask(pid, b"", 1)
        with pytest.raises(iris.AskTimeout):
            rt.ask(silent, b"", 1)
    for one in (pid, silent):
        control = rt._system.table.get(one).control
        assert control.asked == {}
        assert control.asks == 0
        assert control.current is None


def test_a_question_begins_a_virtual_actor_and_counts_as_its_latest_message() -> None:
    rt = SimRuntime()
    pid = rt.spawn_virtual(rt.reply, idle_timeout_ms=1000)
    rt.advance(5)
    assert rt.ask(pid, b"first", 1) == b"first"
    rt.advance(0.9)
    assert rt.ask(pid, b"second", 1) == b"second"
    rt.advance(0.9)
    assert rt.is_alive(pid)
    rt.advance(0.2)
    assert not rt.is_alive(pid)
    with pytest.raises(iris.ActorDead):
        rt.ask(pid, b"third", 1)
    check_books(rt)


def test_a_late_answer_takes_no_later_wait_out_of_the_graph() -> None:
    rt = SimRuntime()
    kept: list[Any] = []
    seen: list[Any] = []
    late = rt.spawn(lambda message: kept.append(iris.current().reply_to))

    def closing(message: Any) -> None:
        rt.reply("late", to=kept[0])
        answering(rt, seen)((asker, "back"))
        rt.reply("there")

    other = rt.spawn(closing)

    def asking(message: Any) -> None:
        with pytest.raises(iris.AskTimeout):
            rt.ask(late, b"", 1)
        seen.append(rt.ask(other, b"", 10))

    asker = rt.spawn(asking)
    rt.send(asker, b"")
    rt.advance(2)
    assert [type(seen[0]), seen[1]] == [iris.AskCycle, "there"]
    assert rt.stats()["late_replies"] == 1


def test_a_reply_through_another_runtime_is_entered_in_the_right_books() -> None:
    rt, other = SimRuntime(), SimRuntime(seed=1)
    kept: list[Any] = []
    seen: list[Any] = []
    target = rt.spawn(lambda message: kept.append(iris.current().reply_to))
    rt.send(rt.spawn(answering(rt, seen)), (target, b""))
    rt.run_until_idle()
    assert other.reply("from the other", to=kept[0]) is True
    rt.run_until_idle()
    assert seen == ["from the other"]
    assert rt._system.table.get(target).control.asked == {}
    rt.shutdown()
    with pytest.raises(iris.RuntimeClosed):
        other.reply("again", to=kept[0])


def test_a_virtual_actor_that_owes_an_answer_is_not_idle() -> None:
    rt = SimRuntime()
    kept: list[Any] = []
    seen: list[Any] = []
    pid = rt.spawn_virtual(
        lambda message: kept.append(iris.current().reply_to), idle_timeout_ms=50
    )
    rt.send(rt.spawn(answering(rt, seen)), (pid, b""))
    rt.advance(5)
    assert rt.is_alive(pid)
    assert rt.reply("at last", to=kept[0]) is True
    rt.advance(1)
    assert seen == ["at last"]
    assert not rt.is_alive(pid)
