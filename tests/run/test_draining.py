"""`stop_after_drain`: what an actor still does whose queue has to empty before its end."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import note_ends


def test_stop_after_drain_lets_the_queue_empty_first() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)
    pid = rt.spawn(got.append, 1)
    for number in range(5):
        rt.send(pid, number)
    rt.stop_after_drain(pid, 1.0)
    rt.advance(1)
    assert got == [0, 1, 2, 3, 4]
    assert [end[0] for end in ends] == [pid]
    assert rt.stats()["expired"] == 0


def test_stop_after_drain_gives_up_at_its_timeout() -> None:
    rt, got = SimRuntime(), []

    def slow(message: int) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn(slow)
    for number in range(5):
        rt.send(pid, number)
    rt.stop_after_drain(pid, 1.5)
    rt.advance(10)
    assert got == [0, 1]
    assert not rt.is_alive(pid)
    assert rt.stats()["expired"] == 3


def draining(rt: SimRuntime, got: list[Any]) -> int:
    """An actor that drains two slow messages, with a name and a path."""

    def slow(message: Any) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn(slow, trap_exit=True)
    rt.register("one", pid)
    rt.register_path("/one", pid)
    rt.send(pid, "first")
    rt.send(pid, "second")
    rt.run_until_idle()
    assert rt.stop_after_drain(pid, 10) is True
    return pid


def test_an_actor_that_drains_is_alive_and_takes_no_message_swap_child_or_second_stop() -> None:
    rt, got = SimRuntime(), []
    pid = draining(rt, got)
    assert rt.is_alive(pid)
    assert rt.send(pid, "late") is False
    assert rt.stop_after_drain(pid, 10) is False
    assert rt.hot_swap(pid, bool) is False
    with pytest.raises(iris.ActorDead):
        rt.spawn_child(pid, bool)
    rt.advance(2)
    assert got == ["first", "second"]
    assert not rt.is_alive(pid)


def test_names_and_paths_do_not_resolve_to_an_actor_that_drains() -> None:
    rt = SimRuntime()
    pid = draining(rt, [])
    assert (rt.whereis("one"), rt.whereis_path("/one"), rt.list_children("/")) == (None, None, [])
    assert rt.register("two", pid) is False


def test_an_actor_that_drains_can_still_be_stopped_at_once() -> None:
    rt, got = SimRuntime(), []
    pid = draining(rt, got)
    assert rt.stop(pid) is True
    rt.advance(5)
    assert got == ["first"]
    assert rt.stats()["expired"] == 1


def test_stop_after_drain_of_an_idle_actor_ends_it_at_once() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(len)
    rt.stop_after_drain(pid, 10)
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]


def test_an_actor_that_drains_and_ends_itself_ends_as_normal() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)

    def handler(message: int) -> None:
        got.append(message)
        if message == 0:
            rt.stop_after_drain(rt.self_pid(), 10)

    pid = rt.spawn(handler)
    for number in range(3):
        rt.send(pid, number)
    rt.run_until_idle()
    assert got == [0, 1, 2]
    assert ends == [(pid, "Normal")]


def test_a_pull_actor_drains_too() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.recv())
            rt.sleep(1)

    pid = rt.spawn_with_mailbox(body)
    for message in ("a", "b"):
        rt.send(pid, message)
    rt.run_until_idle()
    rt.stop_after_drain(pid, 10)
    assert rt.send(pid, "late") is False
    rt.advance(5)
    assert got == ["a", "b", None]
    assert ends == [(pid, "Killed")]


def test_the_drain_of_a_bounded_actor_answers_those_who_wait_at_once() -> None:
    rt, got, answers = SimRuntime(), [], []

    def slow(message: Any) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn_py_handler_bounded(slow, 10, 1)
    rt.set_overflow_policy(pid, "block")
    for message in ("running", "queued"):
        rt.send(pid, message)
        rt.run_until_idle()
    rt.send(rt.spawn(lambda message: answers.append(rt.send(pid, message))), "waits")
    rt.run_until_idle()
    rt.stop_after_drain(pid, 10)
    rt.run_until_idle()
    assert answers == [False]
    rt.advance(5)
    assert got == ["running", "queued"]
