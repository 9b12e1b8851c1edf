"""Restart in place: children, other kinds of actor, and the seams that supervisors use."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import iris
from iris.core.cell import ActorCell, ActorSpec, State
from iris.core.links import joiners_of
from iris.core.messages import Ending
from iris.errors import LimitReached
from iris.testing import SimRuntime

from .actors import fail, news, note_ends, raising
from .restarts import Driver, adds_up, driven, failing_on


def failed_parent(rt: SimRuntime, driver: Driver, *children: Any) -> tuple[int, list[int]]:
    """A push actor with children of these handlers, each at its first message, that has failed."""
    pid = driver.spawn(fail)
    pids = [rt.spawn_child(pid, child) for child in children]
    for child in pids:
        rt.send(child, b"go")
    rt.run_until_idle()
    rt.send(pid, b"fail")
    rt.run_until_idle()
    return pid, pids


def test_the_children_end_deepest_first_before_the_rest() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.spawn(fail)
    child = rt.spawn_child(pid, len)
    grandchild = rt.spawn_child(child, len)
    driver.after_rest = lambda cell: ends.append((cell.pid, "rested"))
    rt.send(pid, b"")
    rt.run_until_idle()
    assert ends == [(grandchild, "Killed"), (child, "Killed"), (pid, "rested")]


def test_a_rest_waits_for_a_child_that_is_busy() -> None:
    rt, driver = driven()
    pid, _ = failed_parent(rt, driver, lambda message: rt.sleep(2))
    assert driver.rested == []
    rt.advance(3)
    assert driver.rested == [pid]


def test_a_blocked_child_is_interrupted_when_its_time_is_over() -> None:
    rt, driver = driven(shutdown_timeout_s=2.0)
    pid, (child,) = failed_parent(rt, driver, lambda message: rt.sleep(1000))
    rt.advance(1.9)
    assert driver.rested == []
    rt.advance(0.2)
    assert (driver.rested, rt.is_alive(child)) == ([pid], False)


def test_a_child_that_cannot_be_interrupted_is_orphaned_and_the_rest_comes() -> None:
    rt, driver = driven(shutdown_timeout_s=2.0)
    pid = driver.spawn(fail)
    child = rt.spawn_child(pid, lambda message: rt.sleep(1000), release_gil=True)
    rt.send(child, b"go")
    rt.run_until_idle()
    rt.send(pid, b"fail")
    rt.advance(3)
    assert driver.rested == [pid]
    assert list(rt._system.lifecycle.orphans) == [child]
    assert driver.resume(pid, len)


def test_the_time_of_one_rest_does_not_cut_the_children_of_the_next_short() -> None:
    rt, driver = driven(shutdown_timeout_s=5.0)
    pid, _ = failed_parent(rt, driver, lambda message: rt.sleep(1))
    rt.advance(4)
    assert driver.rested == [pid]
    driver.resume(pid, fail)
    got: list[Any] = []

    def slow(message: Any) -> None:
        rt.sleep(3)
        got.append(message)

    rt.send(rt.spawn_child(pid, slow), 1)
    rt.run_until_idle()
    rt.send(pid, b"fail")
    rt.advance(4)
    # At 5 s the time of the first rest was over.
    assert (got, driver.rested) == ([1], [pid, pid])


def test_a_restarting_actor_can_have_no_new_child() -> None:
    rt, driver = driven()
    pid, _ = failed_parent(rt, driver)
    with pytest.raises(iris.ActorRestarting, match=f"actor {pid} is restarting"):
        rt.spawn_child(pid, len)
    assert rt.stats()["actors"] == 1
    driver.resume(pid, len)
    assert rt.spawn_child(pid, len)


def test_after_an_order_the_running_handler_may_have_children_which_end_with_it() -> None:
    rt, driver = driven()
    ends = note_ends(rt)

    def bear(message: Any) -> None:
        rt.sleep(1)
        rt.spawn_child(rt.self_pid(), len)

    pid = driver.spawn(bear)
    rt.send(pid, b"")
    rt.run_until_idle()
    driver.order(pid)
    rt.advance(2)
    assert driver.rested == [pid]
    assert [reason for _, reason in ends] == ["Killed"]
    assert adds_up(rt)["failed"] == 0


def test_a_parent_that_restarts_handles_the_stop_word_again_as_a_plain_message() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid, _ = failed_parent(rt, driver, len)
    rt.send(pid, b"quit")
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert got == [b"quit"]
    assert rt.is_alive(pid)


# -- pull actors -------------------------------------------------------------------------------


def test_a_pull_function_that_raises_leaves_its_mailbox_to_the_next_one() -> None:
    rt, driver = driven()
    got: list[Any] = []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append(mailbox.recv())
        raise ValueError

    pid = driver.pull(body)
    for number in range(4):
        rt.send(pid, number)
    for count in range(1, 4):
        rt.run_until_idle()
        assert driver.rested == [pid] * count
        adds_up(rt)
        driver.resume(pid, body)
    rt.run_until_idle()
    assert got == [0, 1, 2, 3]
    assert adds_up(rt)["failed"] == 4


def test_a_pull_function_that_returns_still_ends_normally() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.pull(lambda mailbox: mailbox.recv())
    rt.send(pid, 1)
    rt.run_until_idle()
    assert (ends, driver.rested) == ([(pid, "Normal")], [])


def test_a_pull_function_that_raises_at_once_restarts() -> None:
    rt, driver = driven()
    pid = driver.pull(raising(ValueError()))
    rt.run_until_idle()
    assert driver.rested == [pid]


def test_a_pull_actor_that_waits_is_told_to_restart_and_sees_its_mailbox_closed() -> None:
    rt, driver = driven()
    seen: list[Any] = []

    def body(mailbox: iris.PyMailbox) -> None:
        while not mailbox.closed:
            seen.append(mailbox.recv())

    pid = driver.pull(body)
    rt.run_until_idle()
    assert driver.order(pid)
    rt.run_until_idle()
    assert (seen, driver.rested) == ([None], [pid])
    rt.send(pid, 1)
    driver.resume(pid, body)
    rt.run_until_idle()
    assert seen == [None, 1]
    assert rt.is_alive(pid)


def test_a_pull_actor_that_ignores_the_order_is_ended_by_its_next_receive_and_restarts() -> None:
    rt, driver = driven()

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            mailbox.recv()

    pid = driver.pull(body)
    rt.run_until_idle()
    driver.order(pid)
    rt.run_until_idle()
    assert (driver.rested, driver.failures) == ([pid], [None])


def test_a_pull_actor_at_rest_is_stopped_and_settled_although_it_has_no_thread() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.pull(lambda mailbox: fail(mailbox.recv()))
    for number in range(3):
        rt.send(pid, number)
    rt.run_until_idle()
    assert driver.rested == [pid]
    assert rt.stop(pid)
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]
    assert adds_up(rt)["expired"] == 2
    assert rt.stats()["actors"] == 0


def test_a_pull_actor_at_rest_is_given_up() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.pull(lambda mailbox: fail(mailbox.recv()))
    rt.send(pid, 1)
    rt.run_until_idle()
    ending = driver.renewal(pid).ending
    assert ending is not None
    assert driver.restarting.give_up(driver.cell(pid), ending)
    rt.run_until_idle()
    assert ends == [(pid, "Panic")]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_pull_actor_without_a_place_to_run_stays_at_rest(stopped: bool) -> None:
    rt, driver = driven(pull_threads_max=1, pull_strict=True)
    got: list[Any] = []
    ends = note_ends(rt)
    pid = driver.pull(lambda mailbox: fail(mailbox.recv()))
    rt.send(pid, 1)
    rt.run_until_idle()
    other = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    with pytest.raises(LimitReached, match="threads for pull actors"):
        driver.resume(pid, lambda mailbox: got.append(mailbox.recv()))
    renewal = driver.renewal(pid)
    assert (driver.state(pid), renewal.restarts) == (State.RESTARTING, 0)
    assert renewal.ending is not None
    rt.send(pid, 2)
    if stopped:
        rt.stop(pid)
        rt.run_until_idle()
        assert ends == [(pid, "Killed")]
        return
    rt.stop(other)
    rt.run_until_idle()
    assert driver.resume(pid, lambda mailbox: got.append(mailbox.recv()))
    rt.run_until_idle()
    assert (got, driver.rested) == ([2], [pid])


def test_the_thread_of_a_pull_actor_is_free_while_it_rests() -> None:
    rt, driver = driven(pull_threads_max=1, pull_strict=True)
    pid = driver.pull(lambda mailbox: fail(mailbox.recv()))
    rt.send(pid, 1)
    rt.run_until_idle()
    assert rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())


# -- other kinds -------------------------------------------------------------------------------


def test_a_virtual_actor_restarts_and_idles_afterwards() -> None:
    rt, driver = driven()
    got: list[Any] = []
    ends = note_ends(rt)
    pid = driver.adopted(rt.spawn_virtual(failing_on(0, got), 100, 1000))
    rt.send(pid, 0)
    rt.run_until_idle()
    rt.advance(20)
    assert (driver.rested, ends) == ([pid], [])
    driver.resume(pid, got.append)
    rt.send(pid, 1)
    rt.run_until_idle()
    assert (got, ends) == ([1], [])
    rt.advance(2.5)
    assert ends == [(pid, "Normal")]


def test_actors_with_release_gil_restart_in_the_pool_too() -> None:
    for seed in range(10):
        rt, driver = driven(seed, release_gil_max_threads=1, release_gil_pool_size=2)
        got: list[Any] = []
        handler = failing_on(0, got)
        driver.always_resume(handler)
        pids = [driver.spawn(handler, release_gil=True) for _ in range(4)]
        for message in (1, 0, 2, 0, 3):
            for pid in pids:
                rt.send(pid, message)
        rt.run_until_idle()
        assert sorted(got) == [1] * 4 + [2] * 4 + [3] * 4
        assert len(driver.rested) == 8
        assert rt.quiesce(0)
        adds_up(rt)


def test_an_idle_actor_with_release_gil_takes_an_order_and_a_stop_at_rest() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.spawn(len, release_gil=True)
    driver.order(pid)
    rt.run_until_idle()
    assert driver.rested == [pid]
    assert rt.quiesce(0)
    rt.stop(pid)
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]


# -- the seams ---------------------------------------------------------------------------------

SPECS = [
    ActorSpec("push", 100),
    ActorSpec("push", 100, False, 5),
    ActorSpec("release_gil", 100, False, None, True),
]


class FailingRunner:
    """A runner whose start fails."""

    def __init__(self, rt: SimRuntime) -> None:
        self.signal = rt._system.spawning._push.signal

    def start(self, cell: ActorCell) -> None:
        raise LimitReached("no room")

    def restart(self, cell: ActorCell) -> None:
        raise AssertionError

    def kill(self, cell: ActorCell) -> float:
        return 0.0


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("is_child", [False, True])
def test_whoever_bears_an_actor_sees_it_listed_adopted_and_not_begun(
    spec: ActorSpec, is_child: bool
) -> None:
    rt = SimRuntime()
    lifecycle, spawning = rt._system.lifecycle, rt._system.spawning
    parent = rt.spawn(len)
    seen: list[Any] = []

    def born(cell: ActorCell) -> None:
        above = None if cell.ties is None else cell.ties.parent
        seen.append((cell.pid, rt.is_alive(cell.pid), above and above.pid))
        if spec.slow_start:
            assert cell.state is State.STARTING

    runner = (
        spawning._push if not spec.slow_start else spawning._asked_for(100, True, False)[1]
    )
    if is_child:
        pid = lifecycle.spawn_child(parent, spec, len, runner, born)
    else:
        pid = lifecycle.spawn_born(spec, len, runner, born)
    assert seen == [(pid, True, parent if is_child else None)]


@pytest.mark.parametrize("broken", ["born", "start"])
@pytest.mark.parametrize("is_child", [False, True])
def test_an_actor_that_cannot_begin_never_was(broken: str, is_child: bool) -> None:
    rt = SimRuntime()
    system = rt._system
    ended: list[int] = []
    system.lifecycle.on_end = lambda cell, ending: ended.append(cell.pid)
    parent, watcher = rt.spawn(len), rt._inner.spawn_observed_handler()

    def born(cell: ActorCell) -> None:
        rt.register("n", cell.pid)
        rt.monitor(watcher, cell.pid)
        joiners_of(cell).append(lambda: ended.append(-1))
        if broken == "born":
            raise LimitReached("no room")

    spec = ActorSpec("push", 100, False, None, True)
    runner = FailingRunner(rt)
    spawn = system.lifecycle.spawn_born
    if is_child:
        spawn = partial(system.lifecycle.spawn_child, parent)
    with pytest.raises(LimitReached, match="no room"):
        spawn(spec, len, runner, born)
    # Its joiners are told, and whoever watches it; the end of an actor is not.
    assert ended == [-1]
    assert rt.whereis("n") is None
    assert (rt.stats()["spawned"], rt.stats()["ended"]) == (2, 0)
    assert [one.reason for one in news(rt, watcher)] == ["NoSuchActor"]
    assert system.table.get(parent).admission is None


def test_supervisors_are_told_of_each_end_with_ties_before_the_hooks() -> None:
    rt, driver = driven()
    told: list[Any] = []
    rt._system.lifecycle.on_end = lambda cell, ending: told.append((cell.pid, str(ending.reason)))
    rt.add_hook("exit", lambda pid, ending: told.append("hook"))
    pid = driver.spawn(fail)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert told == []
    rt.stop(pid)
    rt.run_until_idle()
    assert told == [(pid, "Killed"), "hook"]


def test_somebody_else_may_end_the_children_one_by_one() -> None:
    rt, _ = driven(shutdown_timeout_s=1.0)
    ends = note_ends(rt)
    lifecycle = rt._system.lifecycle
    parent = rt.spawn(len)
    children = [rt.spawn_child(parent, lambda message: rt.sleep(9)) for _ in range(2)]
    below = rt.spawn_child(children[0], len)
    asked: list[int] = []

    def ends_children(cell: ActorCell) -> bool:
        asked.append(cell.pid)
        return cell.pid == parent

    lifecycle.ends_children = ends_children
    rt.send(children[0], b"busy")
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(5)
    # Nobody has asked them, and no timeout has given them up.
    assert (asked, ends) == ([parent], [])
    rt.stop(children[1])
    rt.stop(children[0])
    rt.advance(10)
    assert ends == [(children[1], "Killed"), (below, "Killed"), (children[0], "Killed"),
                    (parent, "Killed")]  # fmt: skip


def test_a_rest_has_its_children_ended_by_somebody_else_too() -> None:
    rt, driver = driven(shutdown_timeout_s=1.0)
    pid = driver.spawn(fail)
    child = rt.spawn_child(pid, len)
    rt._system.lifecycle.ends_children = lambda cell: cell.pid == pid
    rt.send(pid, b"")
    rt.advance(5)
    assert driver.rested == []
    rt.stop(child)
    rt.run_until_idle()
    assert driver.rested == [pid]


@pytest.mark.parametrize("how", ["stop", "shutdown"])
def test_nothing_below_a_supervisor_is_asked_to_stop_with_others(how: str) -> None:
    rt = SimRuntime()
    lifecycle = rt._system.lifecycle
    root = rt.spawn(len)
    supervisor = rt.spawn_child(root, len)
    children = [rt.spawn_child(supervisor, len) for _ in range(2)]
    log: list[Any] = []

    def ends_children(cell: ActorCell) -> bool:
        if cell.pid != supervisor:
            return False
        # The youngest first, each when the one before has ended.
        stop_next()
        return True

    def stop_next() -> None:
        alive = [pid for pid in children if rt._system.table.get(pid) is not None]
        if alive:
            log.append(("asks", alive[-1]))
            lifecycle.request_stop(rt._system.table.get(alive[-1]), Ending("Killed", supervisor))

    def on_end(cell: ActorCell, ending: Ending) -> None:
        log.append(("ended", cell.pid))
        if cell.pid in children:
            children.remove(cell.pid)
            stop_next()

    first, second = children
    lifecycle.is_supervisor = lambda cell: cell.pid == supervisor
    lifecycle.ends_children = ends_children
    lifecycle.on_end = on_end
    if how == "stop":
        rt.stop(root)
        rt.run_until_idle()
    else:
        assert rt.shutdown(5) == []
    assert log == [
        ("asks", second), ("ended", second), ("asks", first), ("ended", first),
        ("ended", supervisor), ("ended", root),
    ]  # fmt: skip


def test_a_shutdown_stops_those_whose_supervisor_does_not_come_round_to_it() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    supervisor = rt.spawn(len)
    child = rt.spawn_child(supervisor, len)
    rt._system.lifecycle.is_supervisor = lambda cell: cell.pid == supervisor
    rt._system.lifecycle.ends_children = lambda cell: cell.pid == supervisor
    assert rt.shutdown(5) == []
    assert sorted(pid for pid, _ in ends) == sorted([child, supervisor])
    assert 3 < rt.now < 5


def test_a_storm_of_failures_in_many_orders_loses_no_message() -> None:
    for seed in range(100):
        rt, driver = driven(seed)
        got: list[Any] = []
        handler = failing_on(0, got)
        driver.always_resume(handler)
        pids = [driver.spawn(handler, redeliver=seed % 2 == 1) for _ in range(5)]
        for message in (1, 0, 2, 3, 0):
            for pid in pids:
                rt.send(pid, message)
        for pid in pids[:2]:
            driver.order(pid)
        rt.run_until_idle()
        assert sorted(got) == [1] * 5 + [2] * 5 + [3] * 5
        stats = adds_up(rt)
        lost = stats["quarantined"] if seed % 2 else stats["failed"]
        assert (lost, stats["queued"]) == (10, 0)
        assert len(driver.rested) == (20 if seed % 2 else 10) + 2
