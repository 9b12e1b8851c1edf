"""`join`: waiting for the end of an actor, from outside and from other actors."""

from __future__ import annotations

import pytest

import iris
from iris.testing import SimRuntime

from .actors import raising


def test_join_waits_until_the_actor_has_ended() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(3))
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.stop(pid)
    assert rt.join(pid) is True
    assert rt.now == 3
    assert not rt.is_alive(pid)


def test_join_gives_false_when_its_time_is_over() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.join(pid, 0.5) is False
    assert rt.now == 0.5
    assert rt.is_alive(pid)


def test_join_of_the_ended_or_unknown_is_true_at_once() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.run_until_idle()
    assert rt.join(pid) is True
    assert rt.join(pid + 1, 0) is True


def test_join_in_a_handler_lets_other_actors_go_on() -> None:
    rt, log = SimRuntime(), []
    target = rt.spawn(lambda message: rt.sleep(1))
    waiter = rt.spawn(lambda message: log.append(rt.join(target)))
    other = rt.spawn(log.append)
    rt.send(target, b"")
    rt.send(waiter, b"")
    rt.run_until_idle()
    rt.send(other, "meanwhile")
    rt.stop(target)
    rt.advance(1)
    assert log == ["meanwhile", True]


def test_join_of_a_parent_waits_for_its_children_too() -> None:
    rt = SimRuntime()
    parent = rt.spawn(len)
    rt.send(rt.spawn_child(parent, lambda message: rt.sleep(1)), b"")
    rt.run_until_idle()
    rt.stop(parent)
    rt.run_until_idle()
    assert not rt.is_alive(parent)
    assert rt.join(parent, 0.5) is False
    assert rt.join(parent, 5) is True
    assert rt.now == 1


def test_several_may_join_the_same_actor() -> None:
    rt, log = SimRuntime(), []
    target = rt.spawn(len)
    for _ in range(5):
        rt.send(rt.spawn(lambda message: log.append(rt.join(target))), b"")
    rt.run_until_idle()
    rt.stop(target)
    rt.run_until_idle()
    assert log == [True] * 5


def test_join_of_oneself_raises_at_once() -> None:
    rt, errors = SimRuntime(), []

    def handler(message: bytes) -> None:
        with pytest.raises(iris.WouldDeadlock, match="its own end") as caught:
            rt.join(rt.self_pid())
        errors.append(caught)

    pid = rt.spawn(handler)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert len(errors) == 1
    assert rt.is_alive(pid)


def test_a_join_that_closes_a_circle_of_waiting_actors_raises_at_once() -> None:
    rt, log, pids = SimRuntime(), [], {}

    def handler(whom: str) -> None:
        try:
            log.append(rt.join(pids[whom], 60))
        except iris.WouldDeadlock as error:
            log.append(str(error))
            rt.stop(rt.self_pid())

    pids["a"], pids["b"] = rt.spawn(handler), rt.spawn(handler)
    rt.send(pids["a"], "b")
    rt.send(pids["b"], "a")
    rt.run_until_idle()
    assert len(log) == 2
    assert True in log


def test_join_while_an_exit_hook_is_slow_is_woken_by_the_end() -> None:
    rt = SimRuntime()
    rt.add_hook("exit", lambda pid, ending: rt.sleep(1))
    pid = rt.spawn(raising(ValueError()))
    rt.send(pid, b"")
    rt.step()
    assert rt.join(pid, 10) is True
    assert rt.now == 1
