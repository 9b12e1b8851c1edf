"""Questions and answers: who waits, who owes the answer, and what comes when there is none."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import bounded, end, fail


def echo(rt: SimRuntime) -> int:
    return rt.spawn(rt.reply)


def answering(rt: SimRuntime, seen: list[Any]) -> Any:
    """A handler that asks `(pid, data)` and keeps the answer or the error."""

    def handler(message: Any) -> None:
        pid, data = message
        try:
            seen.append(rt.ask(pid, data, 10))
        except iris.IrisError as error:
            seen.append(error)

    return handler


def check_books(rt: SimRuntime) -> dict[str, int]:
    stats = rt.stats()
    sent = ("accepted", "refused", "undeliverable", "redirected")
    fates = ("handled", "failed", "dropped_old", "expired", "queued", "running")
    assert stats["sent"] == sum(stats[name] for name in sent)
    assert stats["accepted"] == sum(stats[name] for name in fates)
    return stats


# -- an answer -------------------------------------------------------------------------------------


def test_an_answer_reaches_a_plain_caller() -> None:
    rt = SimRuntime()
    assert (
        rt.ask(rt.spawn(lambda message: rt.reply(message + b"!")), b"question", 1) == b"question!"
    )
    assert check_books(rt)["handled"] == 1


def test_any_object_is_an_answer_and_none_is_one() -> None:
    rt = SimRuntime()
    pid = echo(rt)
    for data in (None, False, [1], {"a": 1}, ValueError("an object like others")):
        assert rt.ask(pid, data, 1) is data


def test_buffers_are_copied_on_both_ways() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    answer = bytearray(b"answer")

    def handler(message: Any) -> None:
        seen.append(message)
        rt.reply(answer)
        answer[:] = b"broken"

    question = bytearray(b"question")
    assert rt.ask(rt.spawn(handler), question, 1) == b"answer"
    assert seen == [b"question"]
    assert type(seen[0]) is bytes


def test_an_actor_asks_and_others_go_on_meanwhile() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    slow = rt.spawn(lambda message: (rt.sleep(5), rt.reply(message)))
    asker = rt.spawn(answering(rt, seen))
    other = rt.spawn(seen.append)
    rt.send(asker, (slow, "late"))
    rt.advance(1)
    rt.send(other, "meanwhile")
    rt.run_until_idle()
    assert seen == ["meanwhile"]
    rt.advance(5)
    assert seen == ["meanwhile", "late"]


def test_messages_of_an_actor_that_asks_wait_in_their_order() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    slow = rt.spawn(lambda message: (rt.sleep(1), rt.reply(message)))

    def handler(message: Any) -> None:
        seen.append(rt.ask(slow, message, 10))

    asker = rt.spawn(handler)
    for number in range(5):
        rt.send(asker, number)
    rt.advance(10)
    assert seen == [0, 1, 2, 3, 4]


def test_questions_keep_their_place_among_messages() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    target = rt.spawn(lambda message: (seen.append(message), rt.reply(message)))
    asker = rt.spawn(lambda message: rt.ask(target, message, 1))
    for number in range(0, 40, 2):
        rt.send(target, number)
    rt.send(asker, "asked")
    for number in range(40, 50, 2):
        rt.send(target, number)
    rt.run_until_idle()
    numbers = [message for message in seen if message != "asked"]
    assert numbers == list(range(0, 50, 2))
    assert "asked" in seen
    assert rt.mailbox_size(target) == 0


def test_a_pull_actor_answers_and_asks() -> None:
    rt = SimRuntime()
    seen: list[Any] = []

    def server(mailbox: Any) -> None:
        while True:
            message = mailbox.recv()
            if message is None:
                return
            rt.reply(("pull", message))

    def client(mailbox: Any) -> None:
        seen.append(rt.ask(pid, mailbox.recv(), 10))

    pid = rt.spawn_with_mailbox(server)
    rt.send(rt.spawn_with_mailbox(client), 1)
    rt.run_until_idle()
    assert seen == [("pull", 1)]
    assert rt.ask(pid, 2, 1) == ("pull", 2)


def test_selective_recv_matches_the_message_of_a_question() -> None:
    rt = SimRuntime()

    def server(mailbox: Any) -> None:
        wanted = mailbox.selective_recv(lambda message: message == "wanted")
        rt.reply(wanted.upper())
        rest.append(mailbox.recv())
        rest.append(rt.reply("to nobody"))

    rest: list[Any] = []
    pid = rt.spawn_with_mailbox(server)
    rt.send(pid, "plain")
    assert rt.ask(pid, "wanted", 1) == "WANTED"
    rt.run_until_idle()
    assert rest == ["plain", False]


def test_a_question_that_no_matcher_wants_waits_without_work_for_anybody() -> None:
    rt = SimRuntime()
    got: list[Any] = []

    def server(mailbox: Any) -> None:
        got.append(mailbox.selective_recv(lambda message: message == "wanted"))
        while len(got) < 4:
            got.append(mailbox.recv())
            rt.reply(got[-1])

    pid = rt.spawn_with_mailbox(server)
    with pytest.raises(iris.AskTimeout):
        rt.ask(pid, 1, 1)
    rt.send(pid, 2)
    assert rt.run_until_idle(100) < 100
    seen: list[Any] = []
    rt.send(rt.spawn(answering(rt, seen)), (pid, 3))
    assert rt.run_until_idle(100) < 100
    rt.send(pid, "wanted")
    rt.run_until_idle()
    assert got == ["wanted", 1, 2, 3]
    assert seen == [3]


def test_reply_to_a_plain_message_tells_that_nobody_waits() -> None:
    rt = SimRuntime()
    told: list[Any] = []
    pid = rt.spawn(lambda message: told.append((rt.reply(1), iris.current().reply_to)))
    rt.send(pid, b"")
    rt.run_until_idle()
    assert told == [(False, None)]


def test_reply_of_the_module_answers_in_the_runtime_of_the_handler() -> None:
    rt = SimRuntime()
    assert rt.ask(rt.spawn(lambda message: iris.reply(message * 2)), 21, 1) == 42


def test_an_answer_may_come_later_from_anywhere() -> None:
    rt = SimRuntime()
    kept: list[Any] = []
    seen: list[Any] = []

    def deferring(message: Any) -> None:
        if message == "now":
            told = [rt.reply(number, to=to) for number, to in enumerate(kept)]
            seen.append(told)
        else:
            kept.append(iris.current().reply_to)

    target = rt.spawn(deferring)
    askers = [rt.spawn(answering(rt, seen)) for _ in range(3)]
    for asker in askers:
        rt.send(asker, (target, "question"))
    rt.run_until_idle()
    assert seen == []
    rt.send(target, "now")
    rt.run_until_idle()
    assert seen[0] == [True, True, True]
    assert sorted(seen[1:]) == [0, 1, 2]


def test_a_handler_may_go_on_after_its_answer() -> None:
    rt = SimRuntime()
    done: list[Any] = []
    target = rt.spawn(lambda message: (rt.reply("early"), rt.sleep(5), done.append(rt.now)))
    assert rt.ask(target, b"", 1) == "early"
    assert done == []
    rt.advance(10)
    assert done == [5.0]


# -- no answer -------------------------------------------------------------------------------------


def test_a_timeout_names_the_actor_the_time_and_the_queue() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(100))
    rt.register("sleeper", pid)
    rt.register_path("/a/sleeper", pid)
    for _ in range(4):
        rt.send(pid, b"")
    with pytest.raises(iris.AskTimeout) as caught:
        rt.ask(pid, b"", 2.5)
    text = str(caught.value)
    assert str(pid) in text
    assert "'sleeper'" in text
    assert "'/a/sleeper'" in text
    assert "2.5" in text
    assert "4 messages" in text
    assert isinstance(caught.value, TimeoutError)
    assert rt.now == 2.5


def test_a_late_answer_goes_nowhere_and_is_counted() -> None:
    rt = SimRuntime()
    told: list[Any] = []
    pid = rt.spawn(lambda message: (rt.sleep(5), told.append(rt.reply("late"))))
    with pytest.raises(iris.AskTimeout):
        rt.ask(pid, b"", 1)
    rt.advance(10)
    assert told == [False]
    stats = check_books(rt)
    assert (stats["late_replies"], stats["handled"]) == (1, 1)


def test_the_message_of_an_asker_that_gave_up_is_still_handled() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    pid = rt.spawn(lambda message: (seen.append(message), rt.sleep(5)))
    rt.send(pid, 1)
    with pytest.raises(iris.AskTimeout):
        rt.ask(pid, 2, 1)
    rt.advance(20)
    assert seen == [1, 2]


@pytest.mark.parametrize("state", ["unknown", "dead", "stopping", "draining"])
def test_asking_nobody_fails_at_once(state: str) -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(50))
    if state == "unknown":
        pid += 1 << 32
    elif state == "dead":
        end(rt, pid)
    else:
        rt.send(pid, b"")
        rt.run_until_idle()
        assert rt.stop(pid) if state == "stopping" else rt.stop_after_drain(pid, 100)
    with pytest.raises(iris.ActorDead, match=str(pid)):
        rt.ask(pid, b"", 10)
    assert rt.now == 0
    assert check_books(rt)["undeliverable"] == 1


@pytest.mark.parametrize("when", ["queued", "running", "kept"])
def test_the_end_of_the_asked_reaches_the_askers_at_once(when: str) -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    kept: list[Any] = []

    def handler(message: Any) -> None:
        kept.append(iris.current().reply_to)
        if when != "kept":
            rt.sleep(1)
        if message == "first" and when == "queued":
            raise ValueError("as it should")

    pid = rt.spawn(handler)
    if when == "queued":
        rt.send(pid, "first")
    rt.send(rt.spawn(answering(rt, seen)), (pid, "question"))
    rt.run_until_idle()
    assert seen == []
    if when != "queued":
        rt.stop(pid)
    rt.advance(1)
    assert [type(error) for error in seen] == [iris.ActorDead]
    assert str(pid) in str(seen[0])
    assert ("Panic" if when == "queued" else "Killed") in str(seen[0])
    assert rt.now == 1
    # An answer after that goes nowhere.
    if when == "kept":
        assert rt.reply(1, to=kept[0]) is False
        assert rt.stats()["late_replies"] == 1
    check_books(rt)


def test_a_handler_that_raises_on_a_question_fails_its_asker_and_reports_the_message() -> None:
    rt = SimRuntime()
    watcher, pid = rt.spawn_observed_handler(), rt.spawn(fail)
    rt.monitor(watcher, pid)
    with pytest.raises(iris.ActorDead, match="Panic"):
        rt.ask(pid, b"four", 1)
    (down,) = rt.get_messages(watcher)
    assert (down.metadata["message_type"], down.metadata["message_size"]) == ("bytes", 4)
    assert check_books(rt)["failed"] == 1


def test_a_full_mailbox_refuses_a_question() -> None:
    rt, got = SimRuntime(), []
    pid = bounded(rt, got, 1, "dropnew")
    rt.send(pid, 1)
    with pytest.raises(iris.LimitReached, match="full"):
        rt.ask(pid, 2, 1)
    assert check_books(rt)["refused"] == 1
    rt.run_until_idle()
    assert got == [1]


def test_a_question_dropped_for_a_newer_message_fails_at_once() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    pid = rt.spawn_py_handler_bounded(lambda message: rt.sleep(5), 100, 1)
    rt.set_overflow_policy(pid, "dropold")
    rt.send(pid, 1)
    rt.run_until_idle()
    rt.send(rt.spawn(answering(rt, seen)), (pid, 2))
    rt.run_until_idle()
    rt.send(pid, 3)
    rt.run_until_idle()
    assert [type(error) for error in seen] == [iris.LimitReached]
    assert check_books(rt)["dropped_old"] == 1


def test_a_question_waits_in_line_for_room_and_then_for_the_answer() -> None:
    rt = SimRuntime()
    pid = rt.spawn_py_handler_bounded(lambda message: (rt.sleep(1), rt.reply(message)), 100, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, 1)
    rt.run_until_idle()
    rt.send(pid, 2)
    assert rt.ask(pid, 3, 10) == 3
    assert rt.now == 3
    check_books(rt)


def test_a_question_leaves_the_line_when_its_time_is_over() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    pid = rt.spawn_py_handler_bounded(lambda message: (seen.append(message), rt.sleep(5)), 100, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, 1)
    rt.run_until_idle()
    rt.send(pid, 2)
    with pytest.raises(iris.AskTimeout):
        rt.ask(pid, 3, 1)
    rt.advance(30)
    assert seen == [1, 2]
    assert check_books(rt)["refused"] == 1


@pytest.mark.parametrize(("policy", "outcome"), [("dropnew", "LimitReached"), ("redirect", "ok")])
def test_a_change_of_policy_reaches_a_question_in_line(policy: str, outcome: str) -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    other = echo(rt)
    pid = rt.spawn_py_handler_bounded(lambda message: rt.sleep(50), 100, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, 1)
    rt.run_until_idle()
    rt.send(pid, 2)
    rt.send(rt.spawn(answering(rt, seen)), (pid, "ok"))
    rt.run_until_idle()
    rt.set_overflow_policy(pid, policy, other if policy == "redirect" else None)
    rt.run_until_idle()
    assert [answer if answer == "ok" else type(answer).__name__ for answer in seen] == [outcome]
    check_books(rt)


def test_the_end_of_the_actor_reaches_a_question_in_line() -> None:
    rt = SimRuntime()
    seen: list[Any] = []
    pid = rt.spawn_py_handler_bounded(lambda message: rt.sleep(1), 100, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, 1)
    rt.run_until_idle()
    rt.send(pid, 2)
    rt.send(rt.spawn(answering(rt, seen)), (pid, 3))
    rt.run_until_idle()
    rt.stop(pid)
    rt.advance(2)
    assert [type(error) for error in seen] == [iris.ActorDead]
    check_books(rt)


def test_an_overflow_answers_for_the_full_mailbox() -> None:
    rt = SimRuntime()
    other = rt.spawn(lambda message: rt.reply(("other", message)))
    pid = rt.spawn_py_handler_bounded(lambda message: rt.sleep(50), 100, 1)
    rt.set_overflow_policy(pid, "redirect", other)
    rt.send(pid, 1)
    rt.run_until_idle()
    rt.send(pid, 2)
    assert rt.ask(pid, 3, 1) == ("other", 3)
    assert check_books(rt)["redirected"] == 1


def test_the_copy_of_a_spilled_question_is_a_plain_message() -> None:
    rt = SimRuntime()
    copies: list[Any] = []
    other = rt.spawn(lambda message: copies.append((message, rt.reply("no"))))
    pid = rt.spawn_py_handler_bounded(lambda message: (rt.sleep(1), rt.reply("yes")), 100, 1)
    rt.set_overflow_policy(pid, "spill", other)
    rt.send(pid, 1)
    rt.run_until_idle()
    rt.send(pid, 2)
    assert rt.ask(pid, 3, 10) == "yes"
    assert copies == [(3, False)]


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


# -- passing it on ---------------------------------------------------------------------------------


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
