"""Restart in place: what becomes of questions, the message that failed, the queue, swaps."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime

from .actors import fail, version
from .restarts import Driver, adds_up, driven, failing_on

Body = Callable[[Any], None]


def asking(rt: SimRuntime, pid: int, message: Any, answers: list[Any]) -> int:
    """An actor that asks at once, and keeps the answer or the kind of the error."""

    def handler(_: Any) -> None:
        try:
            answers.append(rt.ask(pid, message, 100))
        except iris.IrisError as error:
            answers.append(type(error).__name__)

    asker = rt.spawn(handler)
    rt.send(asker, b"go")
    rt.run_until_idle()
    return asker


KINDS = ["push", "release_gil", "pull"]


def actor(rt: SimRuntime, driver: Driver, kind: str, handle: Body, **options: bool) -> int:
    """An actor of a kind, with a message handler, that restarts in place."""
    if kind == "pull":
        return driver.pull(pulling(handle), **options)
    return driver.spawn(handle, release_gil=kind == "release_gil", **options)


def pulling(handle: Body) -> Callable[[iris.PyMailbox], None]:
    """The function of a pull actor that has each message handled."""

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            message = mailbox.recv()
            if message is None and mailbox.closed:
                return
            handle(message)

    return body


def resume(driver: Driver, pid: int, kind: str, handle: Body) -> bool:
    return driver.resume(pid, pulling(handle) if kind == "pull" else handle)


# -- questions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_question_that_failed_is_told_at_once_and_those_queued_are_answered_later(
    kind: str,
) -> None:
    rt, driver = driven()

    def slow(message: Any) -> None:
        rt.sleep(1)
        raise ValueError(message)

    pid = actor(rt, driver, kind, slow)
    first: list[Any] = []
    second: list[Any] = []
    asking(rt, pid, b"1", first)
    asking(rt, pid, b"2", second)
    rt.advance(2)
    assert (driver.rested, first, second) == ([pid], ["ActorRestarting"], [])
    resume(driver, pid, kind, iris.reply)
    rt.run_until_idle()
    assert second == [b"2"]
    stats = adds_up(rt)
    assert (stats["failed"], stats["late_replies"]) == (1, 0)
    control = driver.cell(pid).control
    assert control is not None
    assert (control.asks, control.asked) == (0, {})


def test_a_question_that_was_taken_and_not_answered_yet_fails_too() -> None:
    rt, driver = driven()
    kept: list[Any] = []

    def keep(message: Any) -> None:
        if message == b"bad":
            raise ValueError
        kept.append(iris.current().reply_to)

    pid = driver.spawn(keep)
    answers: list[Any] = []
    asking(rt, pid, b"?", answers)
    assert answers == []
    rt.send(pid, b"bad")
    rt.run_until_idle()
    assert answers == ["ActorRestarting"]
    # The answer that comes after all goes nowhere.
    assert rt.reply(b"late", to=kept[0]) is False
    assert rt.stats()["late_replies"] == 1


def test_after_an_order_the_running_handler_may_still_answer() -> None:
    rt, driver = driven()

    def slow(message: Any) -> None:
        rt.sleep(1)
        iris.reply(message)

    pid = driver.spawn(slow)
    answers: list[Any] = []
    asking(rt, pid, b"?", answers)
    driver.order(pid)
    rt.advance(2)
    assert (answers, driver.rested) == ([b"?"], [pid])


def test_a_question_that_was_forwarded_is_no_longer_its_duty() -> None:
    rt, driver = driven()

    def slow(message: Any) -> None:
        rt.sleep(5)
        iris.reply(b"from the other")

    other = rt.spawn(slow)

    def pass_on(message: Any) -> None:
        rt.forward(other, message)
        raise ValueError

    pid = driver.spawn(pass_on)
    answers: list[Any] = []
    asking(rt, pid, b"?", answers)
    assert driver.rested == [pid]
    rt.advance(6)
    assert answers == [b"from the other"]


def test_a_question_that_is_forwarded_to_a_restarting_actor_stays_with_the_one_before() -> None:
    rt, driver = driven()
    pid = driver.spawn(fail)
    rt.send(pid, b"")
    rt.run_until_idle()
    front = rt.spawn(lambda message: iris.reply(rt.forward(pid, message)))
    assert rt.ask(front, b"?", 1) is False


# -- the message that failed -------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_without_redelivery_it_is_counted_failed_and_does_not_come_again(kind: str) -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = actor(rt, driver, kind, failing_on(b"bad", got))
    for message in (b"bad", b"2"):
        rt.send(pid, message)
    rt.run_until_idle()
    resume(driver, pid, kind, got.append)
    rt.run_until_idle()
    assert got == [b"2"]
    stats = adds_up(rt)
    assert (stats["failed"], stats["handled"], stats["quarantined"]) == (1, 1, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_with_redelivery_it_comes_again_first_and_is_not_counted_failed(kind: str) -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = actor(rt, driver, kind, failing_on(b"bad", got), redeliver=True)
    for message in (b"1", b"bad", b"2"):
        rt.send(pid, message)
    rt.run_until_idle()
    assert rt.mailbox_size(pid) == 2
    assert (adds_up(rt)["failed"], adds_up(rt)["queued"]) == (0, 2)
    resume(driver, pid, kind, got.append)
    rt.run_until_idle()
    assert got == [b"1", b"bad", b"2"]
    assert (adds_up(rt)["handled"], adds_up(rt)["failed"]) == (3, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_that_fails_again_is_quarantined_and_the_next_ones_are_handled(
    kind: str,
) -> None:
    letters: list[Any] = []
    rt, driver = driven(on_undelivered=letters.append)
    got: list[Any] = []
    marks: list[bool] = []
    driver.after_rest = lambda cell: marks.append(cell.ties.renewal.quarantined)  # type: ignore[union-attr]
    handle = failing_on(b"bad", got)
    pid = actor(rt, driver, kind, handle, redeliver=True)
    for message in (b"bad", b"2"):
        rt.send(pid, message)
    for _ in range(2):
        rt.run_until_idle()
        resume(driver, pid, kind, handle)
    rt.run_until_idle()
    assert (got, marks) == ([b"2"], [False, True])
    stats = adds_up(rt)
    assert (stats["quarantined"], stats["failed"], stats["handled"]) == (1, 0, 1)
    letter = rt.dead_letters()[-1]
    assert (letter.pid, letter.reason, letter.message_size) == (pid, "quarantined", 3)
    assert [one.reason for one in letters] == ["quarantined"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_equal_message_that_fails_later_has_its_own_second_chance(kind: str) -> None:
    rt, driver = driven()
    got: list[Any] = []
    fails = [True, False, True, False]

    def handle(message: Any) -> None:
        if fails.pop(0):
            raise ValueError
        got.append(message)

    pid = actor(rt, driver, kind, handle, redeliver=True)
    for _ in range(2):
        rt.send(pid, None)
    for _ in range(3):
        rt.run_until_idle()
        if driver.state(pid).value == "restarting":
            resume(driver, pid, kind, handle)
    assert got == [None, None]
    assert (adds_up(rt)["quarantined"], adds_up(rt)["handled"]) == (0, 2)


def test_a_question_that_is_delivered_again_keeps_its_asker_waiting() -> None:
    rt, driver = driven()
    for kind in KINDS:
        answers: list[Any] = []
        pid = actor(rt, driver, kind, fail, redeliver=True)
        asking(rt, pid, b"?", answers)
        assert answers == []
        resume(driver, pid, kind, iris.reply)
        rt.run_until_idle()
        assert answers == [b"?"]
        adds_up(rt)


def test_a_question_that_is_quarantined_fails() -> None:
    rt, driver = driven()
    answers: list[Any] = []
    pid = driver.spawn(fail, redeliver=True)
    asking(rt, pid, b"?", answers)
    driver.resume(pid, fail)
    rt.run_until_idle()
    assert answers == ["ActorRestarting"]
    assert adds_up(rt)["quarantined"] == 1


def test_a_pull_actor_that_selects_gets_its_second_chance_once() -> None:
    rt, driver = driven()

    def body(mailbox: iris.PyMailbox) -> None:
        raise ValueError(mailbox.selective_recv(lambda message: message == 3))

    pid = driver.pull(body, redeliver=True)
    for message in (1, 2, 3):
        rt.send(pid, message)
    rt.run_until_idle()
    assert rt.mailbox_size(pid) == 3
    driver.resume(pid, body)
    rt.run_until_idle()
    assert (adds_up(rt)["quarantined"], rt.mailbox_size(pid)) == (1, 2)


def test_an_interrupted_message_is_delivered_again_like_one_that_failed() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = driver.spawn(lambda message: rt.sleep(1000), redeliver=True)
    rt.send(pid, 1)
    rt.run_until_idle()
    driver.order(pid)
    driver.restarting.interrupt(driver.cell(pid))
    rt.run_until_idle()
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert got == [1]


def test_a_message_that_waits_for_its_second_chance_expires_with_the_actor() -> None:
    rt, driver = driven()
    pid = driver.spawn(fail, redeliver=True)
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.stop(pid)
    rt.run_until_idle()
    assert (adds_up(rt)["expired"], adds_up(rt)["failed"]) == (1, 0)


# -- the queue ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_queue_that_is_to_be_dropped_expires_at_the_restart(kind: str) -> None:
    rt, driver = driven()
    got: list[Any] = []

    def slow(message: Any) -> None:
        rt.sleep(1)
        raise ValueError

    pid = actor(rt, driver, kind, slow, drop_queue=True)
    answers: list[Any] = []
    rt.send(pid, b"bad")
    rt.send(pid, b"2")
    asking(rt, pid, b"?", answers)
    rt.advance(2)
    assert (driver.rested, answers, rt.mailbox_size(pid)) == ([pid], [], 2)
    rt.send(pid, b"3")
    resume(driver, pid, kind, got.append)
    rt.send(pid, b"4")
    rt.run_until_idle()
    assert (got, answers) == ([b"4"], ["ActorRestarting"])
    stats = adds_up(rt)
    assert (stats["failed"], stats["expired"], stats["handled"]) == (1, 3, 2)
    assert [one.reason for one in rt.dead_letters()] == ["expired"] * 3


def test_those_who_wait_for_room_come_in_behind_a_queue_that_is_dropped() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = driver.adopted(
        rt.spawn_py_handler_bounded(failing_on(0, got), 100, 1), drop_queue=True
    )
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, 0)
    rt.run_until_idle()
    sender = rt.spawn(lambda message: [rt.send(pid, number) for number in (1, 2, 3)])
    rt.send(sender, b"go")
    rt.run_until_idle()
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert got == [2, 3]
    assert adds_up(rt)["expired"] == 1


def test_markers_keep_their_place_when_the_queue_is_dropped() -> None:
    rt, driver = driven()
    log: list[Any] = []
    pid = driver.spawn(fail, drop_queue=True)
    rt.send(pid, 0)
    rt.run_until_idle()
    rt.send(pid, 1)
    rt.hot_swap(pid, version(log, "swapped"))
    rt.send(pid, 2)
    driver.resume(pid, version(log, "new"))
    rt.send(pid, 3)
    rt.run_until_idle()
    assert log == [("swapped", 3)]


# -- versions ----------------------------------------------------------------------------------


def test_a_swap_in_the_queue_takes_effect_at_its_place_after_the_restart() -> None:
    rt, driver = driven()
    log: list[Any] = []
    pid = driver.spawn(fail)
    rt.send(pid, 0)
    rt.run_until_idle()
    rt.send(pid, 1)
    assert rt.hot_swap(pid, version(log, "swapped"))
    rt.send(pid, 2)
    assert rt.behavior_version(pid) == 2
    driver.resume(pid, version(log, "new"))
    rt.run_until_idle()
    assert log == [("new", 1), ("swapped", 2)]
    assert rt.behavior_version(pid) == 2


def test_a_swap_at_once_is_the_first_that_happens_after_the_restart() -> None:
    rt, driver = driven()
    log: list[Any] = []
    pid = driver.spawn(fail)
    rt.send(pid, 0)
    rt.run_until_idle()
    rt.send(pid, 1)
    rt.hot_swap(pid, version(log, "swapped"), when="now")
    driver.resume(pid, version(log, "new"))
    rt.run_until_idle()
    assert log == [("swapped", 1)]


def test_a_restart_is_no_version_and_a_rollback_to_the_one_it_met_gives_the_new_handler() -> None:
    rt, driver = driven()
    log: list[Any] = []
    pid = driver.spawn(version(log, 1))
    rt.hot_swap(pid, failing_on(0, log))
    rt.send(pid, 0)
    rt.run_until_idle()
    driver.resume(pid, version(log, "new"))
    rt.send(pid, 1)
    assert rt.behavior_version(pid) == 2
    rt.hot_swap(pid, version(log, 3))
    rt.send(pid, 2)
    assert rt.rollback_behavior(pid) == 2
    rt.send(pid, 3)
    assert rt.rollback_behavior(pid) == 1
    rt.send(pid, 4)
    rt.run_until_idle()
    assert log == [("new", 1), (3, 2), ("new", 3), (1, 4)]


def test_a_pool_takes_the_handler_that_its_parent_restarted_with() -> None:
    rt, driver = driven()
    log: list[Any] = []
    pid = driver.spawn(fail)
    rt.hot_swap(pid, fail)
    rt.send(pid, 0)
    rt.run_until_idle()
    driver.resume(pid, version(log, "new"))
    for child in rt.spawn_child_pool(pid, None, 2):
        rt.send(child, 1)
    rt.run_until_idle()
    assert log == [("new", 1)] * 2
