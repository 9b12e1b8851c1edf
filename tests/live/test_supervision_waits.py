"""Calls that wait, made where nobody can wait, and calls that wait for what never comes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable

import pytest

import iris
from iris import ChildSpec, Runtime, StartFailed, Supervisor, SupervisorSpec
from iris.config import FACTORY_THREADS_MAX

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


class Blocking:
    """A factory that works once and then blocks until the test ends."""

    def __init__(self, hold: Any, works: int = 1) -> None:
        self.calls = 0
        self._hold = hold
        self._works = works

    def __call__(self) -> Callable[[Any], None]:
        self.calls += 1
        if self.calls > self._works:
            self._hold.wait()
        return fails


@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_whose_factory_blocks_can_be_removed(
    until: Until, hold: Any, stopped: bool
) -> None:
    factory = Blocking(hold)
    with Runtime() as rt:
        supervisor = Supervisor(rt, [ChildSpec("a", factory)], backoff_ms=(0, 0))
        pid = supervisor.pid_of("a")
        assert pid is not None
        assert rt.send(pid, 1)
        until(lambda: factory.calls == 2)
        if stopped:
            rt.stop(pid)
            assert rt.join(pid, 60)
        assert supervisor.remove("a")
        assert not rt.is_alive(pid)
        assert supervisor.children() == ()
        # Its id can be used again, and what the factory makes at last is discarded.
        successor = supervisor.add(ChildSpec("a", idle))
        hold.let_go()
        assert supervisor.stop(60)
        assert not rt.is_alive(successor)


def test_a_child_removed_during_its_first_start_was_not_started(until: Until, hold: Any) -> None:
    factory = Blocking(hold, works=0)
    told: list[Any] = []
    with Runtime() as rt:
        supervisor = Supervisor(rt)

        def add() -> None:
            try:
                told.append(supervisor.add(ChildSpec("a", factory)))
            except StartFailed as error:
                told.append(str(error))

        thread = threading.Thread(target=add)
        thread.start()
        until(lambda: factory.calls)
        assert supervisor.remove("a")
        thread.join()
        assert len(told) == 1
        assert "removed before it was started" in str(told[0])


def test_a_supervisor_ends_although_the_start_of_one_below_it_blocks(
    until: Until, hold: Any
) -> None:
    factory = Blocking(hold, works=0)
    told: list[str] = []
    with Runtime() as rt:

        def make() -> None:
            below = SupervisorSpec("below", [ChildSpec("a", factory)])
            try:
                Supervisor(rt, [below], name="above")
            except StartFailed as error:
                told.append(str(error))

        thread = threading.Thread(target=make)
        thread.start()
        until(lambda: factory.calls)
        above = rt.whereis("above")
        assert above is not None
        rt.stop(above)
        assert rt.join(above, 60)
        thread.join()
        assert len(told) == 1
        assert rt.stats()["actors"] == 0


def test_a_child_given_up_on_its_way_to_rest_is_in_no_book_any_more(
    until: Until, hold: Any
) -> None:
    stuck: list[int] = []

    def blocks(_: Any) -> None:
        stuck.append(1)
        hold.wait()

    specs = [
        ChildSpec("a", lambda: blocks, release_gil=True, shutdown_timeout_s=0.01),
        ChildSpec("b", lambda: fails),
    ]
    with Runtime() as rt:
        supervisor = Supervisor(rt, specs, strategy="restartall", backoff_ms=(0, 0))
        first, failing = supervisor.pid_of("a"), supervisor.pid_of("b")
        assert first is not None
        assert failing is not None
        assert rt.send(first, 1)
        until(lambda: stuck)
        assert rt.send(failing, 1)
        until(lambda: supervisor.pid_of("a") not in (None, first))
        until(lambda: rt._system.lifecycle.resting == {})
        hold.let_go()
        until(lambda: not rt._system.lifecycle.orphans)


def test_many_factories_that_each_make_a_supervisor_do_not_wait_for_each_other(
    until: Until,
) -> None:
    with Runtime() as rt:

        def make() -> int:
            return Supervisor(rt, [ChildSpec("a", idle)]).pid

        first = [make() for _ in range(FACTORY_THREADS_MAX + 4)]
        for pid in first:
            rt.supervise_with_factory(pid, make)
        for pid in first:
            rt.stop(pid)
        until(lambda: len(set(rt.child_pids()) - set(first)) == len(first))


def test_a_failed_start_leaves_nothing_behind_when_it_is_told(until: Until, hold: Any) -> None:
    begun: list[int] = []

    def slow() -> Callable[[Any], None]:
        def body(mailbox: Any) -> None:
            begun.append(1)
            while mailbox.recv() is not None:
                pass
            hold.wait()

        return body

    def late() -> Any:
        until(lambda: begun)
        raise OSError

    def let_go() -> None:
        until(lambda: begun)
        until(lambda: rt.whereis("slow") is None)
        hold.let_go()

    specs = [ChildSpec("a", slow, mailbox=True, name="slow"), ChildSpec("b", late)]
    with Runtime() as rt:
        thread = threading.Thread(target=let_go)
        thread.start()
        with pytest.raises(StartFailed, match="OSError"):
            Supervisor(rt, specs, name="top")
        assert rt.stats()["actors"] == 0
        thread.join()
        # So it can be tried again at once, with the same names.
        Supervisor(rt, [ChildSpec("a", idle, name="slow")], name="top")
