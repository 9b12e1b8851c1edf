"""Questions and answers: who waits, who owes the answer, and what comes when there is none."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import answering, bounded, check_books, echo, end, fail

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
