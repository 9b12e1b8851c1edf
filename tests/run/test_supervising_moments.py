"""Calls that come at a bad moment of a start, a restart or an end; each was found by a trial."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import iris
from iris import ChildSpec, Supervisor, SupervisorSpec
from iris.testing import SimRuntime

KINDS: list[dict[str, Any]] = [{}, {"mailbox": True}, {"release_gil": True}]


@pytest.fixture
def rt() -> SimRuntime:
    return SimRuntime(seed=3)


def failing(mailbox: bool = False) -> Callable[[], Any]:
    """A factory of what fails at the message "fail"."""

    def handle(message: Any) -> None:
        if message == "fail":
            raise ValueError("as it should")

    def body(box: iris.PyMailbox) -> None:
        while not box.closed:
            handle(box.recv())

    return lambda: body if mailbox else handle


def slow(rt: SimRuntime, times: list[float]) -> Callable[[], Any]:
    """A factory that takes these times, one after the other, in seconds; then none."""

    def factory() -> Any:
        if times:
            rt.sleep(times.pop(0))
        return lambda _: None

    return factory


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_restarts", [0, 9])
@pytest.mark.parametrize("steps", range(9))
def test_unsupervise_at_any_step_of_a_restart_leaves_nobody_at_rest(
    rt: SimRuntime, kind: dict[str, Any], max_restarts: int, steps: int
) -> None:
    spec = ChildSpec("one", failing(bool(kind.get("mailbox"))), **kind)
    supervisor = Supervisor(rt, [spec], max_restarts=max_restarts, backoff_ms=(0, 0))
    pid = supervisor.pid_of("one")
    assert pid is not None
    rt.send(pid, "fail")
    rt.send(pid, "more")
    for _ in range(steps):
        rt.step()
    rt.unsupervise(pid)
    rt.advance(30)
    stats = rt.stats()
    assert (stats["queued"], stats["failed"], stats["handled"] + stats["expired"]) == (0, 1, 1)
    assert rt.shutdown() == []


def test_the_end_of_a_supervisor_ends_one_below_it_that_is_being_started(rt: SimRuntime) -> None:
    below = SupervisorSpec("below", [ChildSpec("slow", slow(rt, [0.0, 2.0, 2.0]))])
    above = Supervisor(rt, [below], backoff_ms=(0, 0))
    pid = above.pid_of("below")
    assert pid is not None
    rt.stop(pid)
    rt.advance(1)
    assert above.stop(timeout_s=1.0)
    rt.advance(10)
    assert rt.stats()["actors"] == 0


@pytest.mark.parametrize("steps", range(12))
def test_a_child_that_is_unsupervised_while_its_supervisor_ends_ends_too(
    rt: SimRuntime, steps: int
) -> None:
    specs = [ChildSpec(name, failing()) for name in "abc"]
    supervisor = Supervisor(rt, specs)
    first = supervisor.pid_of("a")
    assert first is not None
    rt.stop(supervisor.pid)
    for _ in range(steps):
        rt.step()
    rt.unsupervise(first)
    rt.advance(1)
    assert rt.stats()["actors"] == 0


def test_a_removed_child_that_was_at_rest_has_ended_when_remove_returns(rt: SimRuntime) -> None:
    observer = rt.spawn_observed_handler()
    specs = [
        ChildSpec("old", slow(rt, [0.0, 2.0]), trap_exit=True),
        ChildSpec("young", failing()),
    ]
    supervisor = Supervisor(rt, specs, strategy="restartall", backoff_ms=(0, 0), observer=observer)
    old, young = supervisor.pid_of("old"), supervisor.pid_of("young")
    assert old is not None
    assert young is not None
    rt.stop(old)
    rt.advance(1)
    assert rt.is_alive(young)
    assert supervisor.remove("young")
    assert not rt.is_alive(young)
    told = [message.target_pid for message in rt.get_messages(observer)]
    assert told == [old, young]


@pytest.mark.parametrize("strategy", ["restartone", "restartrest"])
def test_a_failure_during_the_first_start_does_not_restart_older_siblings(
    rt: SimRuntime, strategy: str
) -> None:
    def below(times: list[float]) -> SupervisorSpec:
        specs = [
            ChildSpec("one", failing(), name="one"),
            ChildSpec("two", failing(), name="two"),
            ChildSpec("slow", slow(rt, times)),
        ]
        return SupervisorSpec("below", specs, strategy, backoff_ms=(0, 0))

    above = Supervisor(rt, [below([0.0, 5.0])], backoff_ms=(0, 0))
    nested = above.pid_of("below")
    assert nested is not None
    rt.stop(nested)
    rt.advance(1)
    two = rt.whereis("two")
    assert two is not None
    rt.send(two, "fail")
    rt.advance(30)
    (info,) = above.children()
    assert [(child.id, child.restarts) for child in info.children] == [
        ("one", 0),
        ("two", 1),
        ("slow", 0),
    ]


def test_a_supervisor_that_is_stopped_restarts_nobody_and_does_not_give_up(
    rt: SimRuntime,
) -> None:
    gave_up: list[iris.ChildReport] = []
    rt.add_hook("give_up", gave_up.append)
    below = SupervisorSpec("below", [ChildSpec("one", failing())])
    above = Supervisor(rt, [below], backoff_ms=(0, 0))
    nested = above.pid_of("below")
    assert nested is not None
    rt.stop(nested)
    rt.stop(above.pid)
    rt.advance(1)
    assert not rt.is_alive(above.pid)
    assert gave_up == []
