"""Supervision on real threads: factories that block, children that cannot be ended, exits."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import Any, Callable

import pytest

import iris
from iris import ChildSpec, Runtime, Supervisor, SupervisorSpec

from .conftest import Script

pytestmark = pytest.mark.live

Until = Callable[[Callable[[], Any]], None]


def fails(_: Any) -> None:
    raise ValueError


@pytest.mark.parametrize("options", [{}, {"release_gil": True}])
def test_a_failed_child_goes_on_with_its_queue(until: Until, options: dict[str, Any]) -> None:
    handled: list[int] = []

    def factory() -> Callable[[Any], None]:
        def handler(message: int) -> None:
            if message == 5:
                raise ValueError
            handled.append(message)

        return handler

    with Runtime() as rt:
        supervisor = Supervisor(rt, [ChildSpec("a", factory, **options)])
        pid = supervisor.pid_of("a")
        assert pid is not None
        for number in range(10):
            assert rt.send(pid, number)
        until(lambda: len(handled) == 9)
        assert handled == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        assert supervisor.pid_of("a") == pid


def test_a_failed_pull_child_gets_another_thread(until: Until) -> None:
    handled: list[Any] = []

    def factory() -> Callable[[Any], None]:
        def body(mailbox: Any) -> None:
            while True:
                message = mailbox.recv()
                if message is None:
                    return
                if message == "fail":
                    raise ValueError
                handled.append(message)

        return body

    with Runtime() as rt:
        supervisor = Supervisor(rt, [ChildSpec("a", factory, mailbox=True)])
        pid = supervisor.pid_of("a")
        for message in (1, "fail", 2, "fail", 3):
            rt.send(pid or 0, message)
        until(lambda: handled == [1, 2, 3])
        assert supervisor.pid_of("a") == pid


def test_factories_that_block_hold_nobody_up(until: Until, hold: Any) -> None:
    with Runtime() as rt:
        slow = [rt.spawn(fails) for _ in range(3)]

        def blocks() -> int:
            hold.wait()
            return rt.spawn(len)

        for pid in slow:
            rt.supervise_with_factory(pid, blocks)
            rt.stop(pid)
        pid = rt.spawn(fails)
        rt.supervise_with_factory(pid, lambda: rt.spawn(len))
        rt.send(pid, 1)
        until(lambda: rt.children_count() == 1)
        hold.let_go()
        until(lambda: rt.children_count() == 4)


def test_a_child_that_cannot_be_ended_comes_back_under_a_new_pid(until: Until, hold: Any) -> None:
    stuck: list[int] = []

    def factory() -> Callable[[Any], None]:
        def handler(message: Any) -> None:
            if message == "block":
                stuck.append(1)
                hold.wait()

        return handler

    orphans: list[int] = []
    with Runtime() as rt:
        rt.add_hook("orphan", orphans.append)
        specs = [
            ChildSpec("a", lambda: fails),
            ChildSpec("b", factory, release_gil=True, shutdown_timeout_s=0.1, name="b"),
        ]
        supervisor = Supervisor(rt, specs, strategy="restartall")
        old = supervisor.pid_of("b")
        assert old is not None
        rt.send(old, "block")
        until(lambda: stuck)
        rt.send(supervisor.pid_of("a") or 0, 1)
        until(lambda: rt.stats()["restarts"] == 2)
        assert orphans == [old]
        assert not rt.is_alive(old)
        new = rt.whereis("b")
        assert new == supervisor.pid_of("b") != old
        rt.send(new or 0, "work")
        until(lambda: rt.mailbox_size(new or 0) == 0)
        hold.let_go()


def test_shutdown_ends_a_tree_while_everything_in_it_fails(until: Until) -> None:
    def busy(called: str) -> ChildSpec:
        return ChildSpec(called, lambda: fails)

    rt = Runtime()
    inner = SupervisorSpec("inner", tuple(busy(each) for each in "xyz"), max_restarts=100)
    supervisor = Supervisor(
        rt, [busy("a"), inner, busy("b")], max_restarts=1000, strategy="restartall",
        backoff_ms=(0, 1),
    )  # fmt: skip
    for _ in range(50):
        for name in "ab":
            rt.send(supervisor.pid_of(name) or 0, 1)
    until(lambda: rt.stats()["restarts"] > 5)
    assert rt.shutdown() == []


def test_a_supervisor_on_the_hub_of_a_gevent_program(script: Callable[..., Script]) -> None:
    program = script("""
        import gevent
        import iris

        def fails(message):
            raise iris.ActorCrash

        rt = iris.Runtime(hub="current")
        supervisor = iris.Supervisor(rt, [iris.ChildSpec("a", lambda: fails)])
        pid = supervisor.pid_of("a")
        rt.send(pid, 1)
        while not rt.stats()["restarts"]:
            gevent.sleep(0.01)
        print(supervisor.pid_of("a") == pid, rt.shutdown())
    """)
    assert program.end() == 0, program.err
    assert program.out.strip() == "True []"


def test_the_exit_of_the_interpreter_restarts_nobody(script: Callable[..., Script]) -> None:
    program = script("""
        import logging
        import iris

        logging.disable(logging.CRITICAL)
        made = []

        def factory():
            made.append(1)
            return print

        rt = iris.Runtime()
        supervisor = iris.Supervisor(rt, [iris.ChildSpec(name, factory) for name in "abc"])
        rt.supervise_with_factory(rt.spawn(print), lambda: rt.spawn(print), "restartall")
        print(len(made))
    """)
    program.check("3")


def test_ctrl_c_in_a_factory_is_a_failed_start_and_no_more(until: Until) -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    with Runtime() as rt:
        with pytest.raises(iris.StartFailed, match="KeyboardInterrupt"):
            Supervisor(rt, [ChildSpec("a", interrupted)])
        until(lambda: rt.stats()["actors"] == 0)


def test_supervisors_can_be_made_from_many_threads() -> None:
    made: list[Supervisor] = []
    with Runtime() as rt:
        threads = [
            threading.Thread(
                target=lambda: made.append(
                    Supervisor(rt, [ChildSpec(each, lambda: len) for each in "abc"])
                )
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30.0)
        assert sum(len(each.children()) for each in made) == 24
        for each in made:
            assert each.stop(60.0)


def test_children_are_struck_off_at_any_moment_of_their_restarts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Many threads unsupervise, stop, remove and add what is failing; nothing is left half done."""

    def handler(message: Any) -> None:
        if message:
            raise ValueError

    with Runtime() as rt:
        supervisors = [
            Supervisor(
                rt,
                [ChildSpec(f"{n}", lambda: handler, release_gil=n % 5 == 0) for n in range(10)],
                strategy=strategy,
                max_restarts=10_000,
                backoff_ms=(0, 3),
            )
            for strategy in ("restartone", "restartrest", "restartall")
        ]
        for _ in range(30):
            rt.supervise_with_factory(rt.spawn(handler), lambda: rt.spawn(handler))

        def disturb(seed: int) -> None:
            chance = random.Random(seed)
            for turn in range(60):
                children = [child for each in supervisors for child in each.children()]
                pids = rt.child_pids() + [child.pid for child in children if child.pid]
                pid, what = chance.choice([*pids, 1]), chance.random()
                if what < 0.6:
                    rt.send(pid, 1)
                elif what < 0.75:
                    rt.unsupervise(pid)
                elif what < 0.85:
                    rt.stop(pid)
                elif what < 0.95:
                    # It may be struck off before it was started, which is said.
                    with suppress(iris.StartFailed):
                        spec = ChildSpec(f"{seed} {turn}", lambda: handler)
                        chance.choice(supervisors).add(spec)
                elif children:
                    chance.choice(supervisors).remove(chance.choice(children).id)

        threads = [threading.Thread(target=disturb, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60.0)
        assert not any(thread.is_alive() for thread in threads)
        assert rt.shutdown(30.0) == []
    assert "internal error" not in caplog.text
