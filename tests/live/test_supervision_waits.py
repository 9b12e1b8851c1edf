"""Calls that wait, made where nobody can wait, and calls that wait for what never comes."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

import pytest

import iris
from iris import ChildSpec, Runtime, Supervisor

pytestmark = pytest.mark.live

Until = Callable[..., Any]


def idle() -> Callable[[Any], None]:
    return lambda _: None


def fails(_: Any) -> None:
    raise ValueError


def test_a_supervisor_made_in_an_asyncio_loop_is_refused_and_not_left_behind() -> None:
    async def main(rt: Runtime) -> None:
        with pytest.raises(iris.WouldDeadlock, match="asyncio"):
            Supervisor(rt, [ChildSpec("a", idle)], name="made")

    with Runtime() as rt:
        asyncio.run(main(rt))
        assert rt.whereis("made") is None
        assert rt.stats()["actors"] == 0


def test_a_shutdown_that_cannot_wait_has_not_begun() -> None:
    async def main(rt: Runtime) -> None:
        with pytest.raises(iris.WouldDeadlock, match="asyncio"):
            rt.shutdown()

    rt = Runtime()
    asyncio.run(main(rt))
    pid = rt.spawn(lambda _: None)
    assert rt.send(pid, 1)
    assert rt.shutdown(60) == []
    with pytest.raises(iris.RuntimeClosed):
        rt.spawn(lambda _: None)


def test_a_hook_in_the_hub_is_refused_what_waits_and_the_runtime_can_still_be_shut_down(
    until: Until,
) -> None:
    told: list[Any] = []

    with Runtime() as rt:
        supervisor = Supervisor(rt, [ChildSpec("a", lambda: fails)], max_restarts=0)

        def hook(_: Any) -> None:
            for call in (
                lambda: Supervisor(rt, [], name="made"),
                supervisor.stop,
                lambda: supervisor.remove("a"),
                lambda: supervisor.add(ChildSpec("b", idle)),
                rt.shutdown,
            ):
                try:
                    told.append(call())
                except iris.WouldDeadlock as error:
                    told.append(type(error))

        rt.add_hook("give_up", hook)
        pid = supervisor.pid_of("a")
        assert pid is not None
        assert rt.send(pid, 1)
        until(lambda: len(told) == 5)
        assert told == [iris.WouldDeadlock] * 5
        assert rt.whereis("made") is None
        assert rt.join(supervisor.pid, 60)
        assert rt.shutdown(60) == []
    with pytest.raises(iris.RuntimeClosed):
        rt.spawn(lambda _: None)
