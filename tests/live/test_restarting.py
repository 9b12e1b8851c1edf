"""Restarts in place on real threads: pull actors, workers, overflow greenlets."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest

import iris
from iris.core.cell import ActorCell, ActorSpec, State
from iris.core.links import ties_of
from iris.core.renewal import Renewal
from iris.run.blocking import BlockingRunner
from iris.run.pull import PullRunner

from .conftest import Hold

pytestmark = pytest.mark.live

Until = Callable[..., Any]


class Supervisor:
    """A thread of its own, which resumes what comes to rest."""

    def __init__(self, rt: iris.Runtime, handler: Callable[[Any], Any]) -> None:
        self.system: Any = rt._system
        self.handler = handler
        self.rested: list[int] = []
        self.paused = False

    def born(self, **options: bool) -> Callable[[ActorCell], None]:
        def born(cell: ActorCell) -> None:
            ties_of(cell).renewal = Renewal(self._rested, **options)

        return born

    def _rested(self, cell: ActorCell) -> None:
        self.rested.append(cell.pid)
        if not self.paused:
            threading.Thread(target=self.resume, args=(cell,)).start()

    def resume(self, cell: ActorCell) -> bool:
        return bool(self.system.restarting.resume(cell, self.handler))

    def cell(self, pid: int) -> ActorCell:
        cell: ActorCell = self.system.table.get(pid)
        return cell

    def pull(self, **options: bool) -> int:
        spec = ActorSpec("pull", 100, True, None, True)
        runner = PullRunner(self.system.spawning._pull)
        return int(self._spawn(spec, runner, options))

    def worked(self, **options: bool) -> int:
        spec = ActorSpec("release_gil", 100, False, None, True)
        return int(self._spawn(spec, BlockingRunner(self.system.blocking), options))

    def push(self, **options: bool) -> int:
        spec = ActorSpec("push", 100)
        return int(self._spawn(spec, self.system.spawning._push, options))

    def _spawn(self, spec: ActorSpec, runner: Any, options: Any) -> Any:
        born = self.born(**options)
        return self.system.lifecycle.spawn_born(spec, self.handler, runner, born)


def adds_up(rt: iris.Runtime) -> dict[str, int]:
    stats = rt.stats()
    fates = ("handled", "failed", "expired", "quarantined", "queued", "running")
    assert stats["accepted"] == sum(stats[fate] for fate in fates), stats
    return stats


KINDS = ["push", "worked", "pull", "overflow"]
MESSAGES = 400


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("redeliver", [False, True])
def test_an_actor_that_fails_again_and_again_handles_each_message_once_and_in_order(
    kind: str, redeliver: bool
) -> None:
    got: list[int] = []
    inside: list[int] = []
    failed: set[int] = set()

    def handle(message: int) -> None:
        assert not inside, "two handlers at a time"
        inside.append(message)
        try:
            if message % 10 == 3 and message not in failed:
                failed.add(message)
                raise ValueError(message)
            got.append(message)
        finally:
            inside.clear()

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            message = mailbox.recv()
            if message is not None:
                handle(message)

    with iris.Runtime(pull_threads_max=1) as rt:
        if kind == "overflow":
            rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        supervisor = Supervisor(rt, body if kind in ("pull", "overflow") else handle)
        spawn = getattr(supervisor, "pull" if kind == "overflow" else kind)
        pid = spawn(redeliver=redeliver)
        for number in range(MESSAGES):
            rt.send(pid, number)
        assert rt.quiesce(60)
        expected = [n for n in range(MESSAGES) if redeliver or n % 10 != 3]
        assert got == expected
        assert supervisor.rested == [pid] * (MESSAGES // 10)
        stats = adds_up(rt)
        assert stats["failed"] == (0 if redeliver else MESSAGES // 10)
        assert rt.is_alive(pid)


@pytest.mark.parametrize("kind", KINDS)
def test_orders_and_stops_beside_sends_lose_nothing(kind: str, until: Until) -> None:
    def handle(message: Any) -> None:
        pass

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            mailbox.recv()

    with iris.Runtime(pull_threads_max=1) as rt:
        if kind == "overflow":
            rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        supervisor = Supervisor(rt, body if kind in ("pull", "overflow") else handle)
        spawn = getattr(supervisor, "pull" if kind == "overflow" else kind)
        pids = [spawn() for _ in range(3)]

        def send() -> None:
            for number in range(300):
                for pid in pids:
                    rt.send(pid, number)

        senders = [threading.Thread(target=send) for _ in range(2)]
        for sender in senders:
            sender.start()
        ordered = 0
        for _ in range(20):
            for pid in pids:
                ordered += supervisor.system.restarting.order(supervisor.cell(pid))
        for sender in senders:
            sender.join()
        until(lambda: len(supervisor.rested) == ordered)
        assert rt.quiesce(60)
        assert adds_up(rt)["handled"] == 1800
        for pid in pids:
            cell = supervisor.cell(pid)
            supervisor.system.restarting.order(cell)
            rt.stop(pid)
            assert rt.join(pid, 60)
            assert cell.state is State.DEAD
        adds_up(rt)


@pytest.mark.parametrize("kind", ["pull", "overflow"])
def test_a_pull_actor_at_rest_has_no_thread_and_can_be_stopped(kind: str, until: Until) -> None:
    def body(mailbox: iris.PyMailbox) -> None:
        raise ValueError(mailbox.recv())

    with iris.Runtime(pull_threads_max=1) as rt:
        if kind == "overflow":
            rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        supervisor = Supervisor(rt, body)
        supervisor.paused = True
        pid = supervisor.pull()
        for number in range(3):
            rt.send(pid, number)
        until(lambda: supervisor.rested)
        if kind == "pull":
            until(lambda: rt._system.lodging._limits.taken == 0)
        assert rt.mailbox_size(pid) == 2
        rt.stop(pid)
        assert rt.join(pid, 60)
        assert adds_up(rt)["expired"] == 2


@pytest.mark.parametrize("kind", ["worked", "pull"])
def test_a_thread_that_is_stuck_is_orphaned_and_never_runs_beside_a_new_handler(
    kind: str, hold: Hold, until: Until
) -> None:
    stuck: list[bool] = []

    def handle(message: Any) -> None:
        stuck.append(True)
        hold.wait()

    def body(mailbox: iris.PyMailbox) -> None:
        handle(mailbox.recv())

    with iris.Runtime() as rt:
        supervisor = Supervisor(rt, body if kind == "pull" else handle)
        pid = getattr(supervisor, kind)()
        rt.send(pid, b"")
        rt.send(pid, b"queued")
        until(lambda: stuck)
        cell = supervisor.cell(pid)
        assert supervisor.system.restarting.order(cell)
        assert not supervisor.system.restarting.interrupt(cell)
        assert supervisor.rested == []
        supervisor.system.lifecycle.orphan(cell)
        assert not rt.is_alive(pid)
        hold.let_go()
        until(lambda: not supervisor.system.lifecycle.orphans)
        until(lambda: rt.stats()["expired"] == 1)
        assert supervisor.rested == []
        adds_up(rt)


def test_a_blocked_greenlet_of_an_overflow_thread_is_interrupted_and_restarts(
    until: Until,
) -> None:
    import gevent

    waits: list[bool] = []

    def body(mailbox: iris.PyMailbox) -> None:
        mailbox.recv()
        waits.append(True)
        gevent.sleep(1000)

    with iris.Runtime(pull_threads_max=1) as rt:
        rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        supervisor = Supervisor(rt, body)
        pid = supervisor.pull()
        rt.send(pid, b"")
        until(lambda: waits)
        cell = supervisor.cell(pid)
        supervisor.system.restarting.order(cell)
        supervisor.system.restarting.interrupt(cell)
        until(lambda: supervisor.rested == [pid])
        until(lambda: cell.state is State.ALIVE)
        assert adds_up(rt)["failed"] == 1
