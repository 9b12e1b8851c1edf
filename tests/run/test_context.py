"""Who runs here: `iris.current()` and `self_pid()`, inside a handler and outside."""

from __future__ import annotations

from typing import Any

import greenlet
import pytest

import iris
from iris.testing import SimRuntime


def ask_in_handler(rt: SimRuntime, question: Any) -> Any:
    """What `question()` gives inside a push actor, and that actor's pid."""
    answers: list[Any] = []
    pid = rt.spawn(lambda message: answers.append(question()))
    rt.send(pid, b"")
    rt.run_until_idle()
    return answers[0], pid


def test_current_names_the_actor_and_the_runtime_in_a_handler() -> None:
    rt = SimRuntime()
    here, pid = ask_in_handler(rt, iris.current)
    assert here.pid == pid
    assert here.runtime is rt


def test_self_pid_names_the_actor_in_a_handler() -> None:
    rt = SimRuntime()
    answer, pid = ask_in_handler(rt, rt.self_pid)
    assert answer == pid


def test_pull_actors_have_current_too() -> None:
    rt, answers = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        answers.append((iris.current().pid, iris.current().runtime, rt.self_pid()))

    pid = rt.spawn_with_mailbox(body)
    rt.run_until_idle()
    assert answers == [(pid, rt, pid)]


def test_current_stays_right_while_handlers_block_and_interleave() -> None:
    rt, seen = SimRuntime(seed=5), []

    def handler(delay_s: float) -> None:
        before = iris.current().pid
        rt.sleep(delay_s)
        seen.append((before, iris.current().pid, rt.self_pid()))

    pids = [rt.spawn(handler) for _ in range(20)]
    for place, pid in enumerate(pids):
        rt.send(pid, 0.01 * (20 - place))
    rt.advance(1)
    assert sorted(seen) == sorted((pid, pid, pid) for pid in pids)


def test_pause_lets_others_run_in_a_pull_actor_too() -> None:
    rt, log = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while "other" not in log:
            log.append("turn")
            iris.pause()

    rt.spawn_with_mailbox(body)
    rt.step()
    rt.send(rt.spawn(log.append), "other")
    rt.run_until_idle()
    assert "other" in log


def test_pause_outside_an_actor_raises() -> None:
    with pytest.raises(iris.ActorError, match="pause"):
        iris.pause()


def test_outside_an_actor_both_raise() -> None:
    rt = SimRuntime()
    with pytest.raises(iris.ActorError, match="outside a handler"):
        iris.current()
    with pytest.raises(iris.ActorError, match="outside a handler"):
        rt.self_pid()


def test_outside_means_outside_also_after_a_handler_ran() -> None:
    rt = SimRuntime()
    ask_in_handler(rt, iris.current)
    with pytest.raises(iris.ActorError):
        iris.current()


def test_a_greenlet_that_a_handler_starts_is_outside() -> None:
    rt = SimRuntime()

    def question() -> Any:
        with pytest.raises(iris.ActorError):
            greenlet.greenlet(iris.current).switch()
        return True

    assert ask_in_handler(rt, question)[0] is True


def test_self_pid_of_another_runtime_raises() -> None:
    rt, other = SimRuntime(), SimRuntime(seed=1)

    def question() -> Any:
        with pytest.raises(iris.ActorError):
            other.self_pid()
        return True

    assert ask_in_handler(rt, question)[0] is True


def test_the_lower_level_object_knows_the_same_actor() -> None:
    rt = SimRuntime()
    answer, pid = ask_in_handler(rt, rt._inner.self_pid)
    assert answer == pid
