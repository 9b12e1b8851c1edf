"""Restart in place: an actor goes over a rest to a new handler, and keeps what it is.

A driver stands for the supervisor; see tests/run/restarts.py.
"""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.core.cell import State
from iris.core.messages import Ending, ExitReason
from iris.testing import SimRuntime

from .actors import fail, news, note_ends
from .restarts import Driver, adds_up, driven, failing_on


def test_a_failure_becomes_a_rest_and_not_an_end() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.spawn(fail)
    rt.send(pid, b"x")
    rt.run_until_idle()
    assert (driver.rested, driver.failures) == ([pid], ["Panic"])
    assert driver.state(pid) is State.RESTARTING
    assert rt.is_alive(pid)
    assert ends == []


def test_a_restarted_actor_keeps_pid_name_path_and_queue_and_runs_the_new_handler() -> None:
    rt, driver = driven()
    old, new = [], []
    pid = driver.spawn(failing_on(b"bad", old))
    rt.register("n", pid)
    rt.register_path("/a/b", pid)
    for message in (b"1", b"bad", b"2", b"3"):
        rt.send(pid, message)
    rt.run_until_idle()
    assert (rt.whereis("n"), rt.whereis_path("/a/b")) == (pid, pid)
    assert rt.mailbox_size(pid) == 2
    assert rt.send(pid, b"4")
    rt.run_until_idle()
    assert (old, new, rt.mailbox_size(pid)) == ([b"1"], [], 3)
    assert driver.resume(pid, new.append)
    rt.run_until_idle()
    assert (old, new) == ([b"1"], [b"2", b"3", b"4"])
    assert (driver.renewal(pid).restarts, driver.state(pid)) == (1, State.ALIVE)
    assert (rt.whereis("n"), rt.whereis_path("/a/b")) == (pid, pid)
    stats = adds_up(rt)
    assert (stats["handled"], stats["failed"], stats["actors"]) == (4, 1, 1)
    assert (stats["spawned"], stats["ended"]) == (1, 0)


def test_partners_are_not_told_of_a_restart_and_stay_partners() -> None:
    rt, driver = driven()
    pid = driver.spawn(fail)
    watcher, partner = rt._inner.spawn_observed_handler(), rt.spawn(len)
    rt.monitor(watcher, pid)
    rt.link(watcher, pid)
    rt.link(partner, pid)
    rt.send(pid, b"")
    rt.run_until_idle()
    driver.resume(pid, fail)
    rt.run_until_idle()
    assert news(rt, watcher) == []
    assert rt.is_alive(partner)
    rt.stop(pid)
    assert sorted(str(one.type_name) for one in news(rt, watcher)) == ["DOWN", "EXIT"]
    assert not rt.is_alive(partner)


def test_the_parent_gets_no_exit_for_a_child_that_restarts() -> None:
    rt, driver = driven()
    parent = rt._inner.spawn_observed_handler()
    child = driver.adopted(rt.spawn_child(parent, fail))
    rt.send(child, b"")
    rt.run_until_idle()
    driver.resume(child, fail)
    assert news(rt, parent) == []
    assert rt._inner.is_alive(child)


def test_each_restart_is_told_once_and_counted_in_the_metadata() -> None:
    rt, driver = driven()
    pid = driver.spawn(fail)
    seen: list[Any] = []
    driver.after_rest = lambda cell: seen.append(cell.ties.renewal.ending.metadata["restarts"])
    for number in range(3):
        rt.send(pid, b"")
        rt.run_until_idle()
        assert driver.rested == [pid] * (number + 1)
        driver.resume(pid, fail)
        assert driver.renewal(pid).ending is None
    assert seen == [0, 1, 2]


def test_the_count_of_restarts_stands_in_the_metadata_of_the_end() -> None:
    rt, driver = driven()
    endings: list[Ending] = []
    rt.add_hook("exit", lambda pid, ending: endings.append(ending))
    pid = driver.spawn(fail)
    for _ in range(2):
        rt.send(pid, b"")
        rt.run_until_idle()
        driver.resume(pid, fail)
    rt.send(pid, b"")
    rt.run_until_idle()
    ending = driver.renewal(pid).ending
    assert ending is not None
    assert driver.restarting.give_up(driver.cell(pid), ending)
    rt.run_until_idle()
    assert [(one.reason, one.metadata["restarts"]) for one in endings] == [("Panic", 2)]
    # Of an actor that does not restart it is 0.
    rt.send(rt.spawn(fail), b"")
    rt.run_until_idle()
    assert endings[1].metadata["restarts"] == 0


def test_a_declared_crash_restarts_too() -> None:
    rt, driver = driven()

    def crash(message: bytes) -> None:
        raise iris.ActorCrash("broken")

    pid = driver.spawn(crash)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert driver.failures == ["Crash"]


def test_an_actor_without_a_renewal_ends_as_ever() -> None:
    rt, driver = driven()
    pid = rt.spawn(fail)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert not rt.is_alive(pid)
    assert driver.rested == []


def test_ctrl_c_in_a_handler_ends_the_actor() -> None:
    rt, driver = driven()

    def interrupted(message: bytes) -> None:
        raise KeyboardInterrupt

    pid = driver.spawn(interrupted)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert not rt.is_alive(pid)
    assert driver.rested == []


def test_what_somebody_else_throws_into_a_handler_ends_the_actor() -> None:
    from greenlet import GreenletExit

    rt, driver = driven()

    def killed(message: bytes) -> None:
        raise GreenletExit

    pid = driver.spawn(killed)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert not rt.is_alive(pid)
    assert driver.rested == []


def test_the_log_says_that_it_restarts(caplog: pytest.LogCaptureFixture) -> None:
    rt, driver = driven()
    pid = driver.spawn(fail)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert f"actor {pid} restarts: Panic" in caplog.text


# -- an order ----------------------------------------------------------------------------------


def test_an_idle_actor_that_is_told_to_restart_comes_to_rest_at_once() -> None:
    rt, driver = driven()
    pid = driver.spawn(len)
    assert driver.order(pid)
    assert driver.state(pid) is State.RESTARTING
    rt.run_until_idle()
    assert (driver.rested, driver.failures) == ([pid], [None])
    assert driver.resume(pid, len)
    assert rt.quiesce(0)


def test_after_an_order_the_running_handler_finishes_and_no_further_message_starts() -> None:
    rt, driver = driven()
    got: list[Any] = []

    def slow(message: Any) -> None:
        rt.sleep(1)
        got.append(message)

    pid = driver.spawn(slow)
    for message in (1, 2, 3):
        rt.send(pid, message)
    rt.run_until_idle()
    assert driver.order(pid)
    assert driver.rested == []
    rt.advance(10)
    assert (got, driver.rested, rt.mailbox_size(pid)) == ([1], [pid], 2)
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert got == [1, 2, 3]
    assert adds_up(rt)["handled"] == 3


def test_only_a_living_actor_takes_an_order_and_only_one() -> None:
    rt, driver = driven()
    pid, other = driver.spawn(len), rt.spawn(len)
    assert driver.order(other) is False
    assert driver.order(pid) is True
    assert driver.order(pid) is False
    rt.run_until_idle()
    assert driver.order(pid) is False
    driver.resume(pid, len)
    cell = driver.cell(pid)
    rt.stop(pid)
    assert driver.restarting.order(cell) is False
    rt.run_until_idle()
    assert driver.restarting.order(cell) is False


def test_a_handler_that_fails_after_an_order_has_its_fate_and_the_rest_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rt, driver = driven()

    def slow(message: Any) -> None:
        rt.sleep(1)
        raise ValueError(message)

    pid = driver.spawn(slow)
    rt.send(pid, b"x")
    rt.run_until_idle()
    driver.order(pid)
    rt.advance(2)
    assert (driver.rested, driver.failures) == ([pid], [None])
    assert adds_up(rt)["failed"] == 1
    assert "restarts: Panic" in caplog.text


def test_a_blocked_handler_is_interrupted_and_that_is_a_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rt, driver = driven()
    pid = driver.spawn(lambda message: rt.sleep(1000))
    rt.send(pid, b"x")
    rt.run_until_idle()
    driver.order(pid)
    rt.run_until_idle()
    assert driver.rested == []
    assert driver.restarting.interrupt(driver.cell(pid)) == 0.0
    rt.run_until_idle()
    assert (driver.rested, driver.failures) == ([pid], [None])
    assert adds_up(rt)["failed"] == 1
    assert caplog.text == ""


def test_nobody_is_interrupted_who_is_alive() -> None:
    rt, driver = driven()
    got: list[Any] = []

    def slow(message: Any) -> None:
        rt.sleep(1)
        got.append(message)

    pid = driver.spawn(slow)
    rt.send(pid, 1)
    rt.run_until_idle()
    driver.restarting.interrupt(driver.cell(pid))
    rt.advance(2)
    assert got == [1]


# -- while it restarts -----------------------------------------------------------------------


def at_rest(rt: SimRuntime, driver: Driver, **options: Any) -> int:
    """A push actor that has failed and is at rest."""
    pid = driver.spawn(fail, **options)
    rt.send(pid, b"fails")
    rt.run_until_idle()
    assert driver.rested == [pid]
    return pid


def test_a_restarting_actor_is_counted_as_an_actor() -> None:
    rt, driver = driven()
    at_rest(rt, driver)
    assert rt.stats()["actors"] == 1


def test_a_question_to_a_restarting_actor_is_refused_at_once() -> None:
    rt, driver = driven()
    pid = at_rest(rt, driver)
    with pytest.raises(iris.ActorRestarting, match=f"actor {pid} is restarting .* refused"):
        rt.ask(pid, b"?", 10)
    assert rt.now == 0
    assert adds_up(rt)["refused"] == 1
    driver.resume(pid, iris.reply)
    assert rt.ask(pid, b"?", 10) == b"?"


def test_a_restarting_actor_is_an_actor_error_and_not_a_dead_one() -> None:
    assert issubclass(iris.ActorRestarting, iris.ActorError)
    assert not issubclass(iris.ActorRestarting, iris.ActorDead)


def test_system_messages_wait_for_the_restart() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = at_rest(rt, driver, trap_exit=True)
    target = rt.spawn(len)
    rt.monitor(pid, target)
    rt.stop(target)
    rt.run_until_idle()
    rt.send(pid, 1)
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert [getattr(one, "type_name", one) for one in got] == ["DOWN", 1]


def test_a_restart_over_a_system_message_does_not_deliver_it_again() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = driver.spawn(fail, redeliver=True, trap_exit=True)
    target = rt.spawn(len)
    rt.monitor(pid, target)
    rt.stop(target)
    rt.run_until_idle()
    assert (driver.rested, driver.failures) == ([pid], ["Panic"])
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert got == []
    assert adds_up(rt)["failed"] == 0


def test_timers_of_the_actor_are_cancelled() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = driver.spawn(failing_on(b"bad", got))
    rt.send_after(pid, 500, b"once")
    rt.send_interval(pid, 300, b"again")
    rt.send(pid, b"bad")
    rt.run_until_idle()
    rt.advance(5)
    driver.resume(pid, got.append)
    rt.advance(5)
    assert got == []


def test_a_timer_that_is_set_at_the_rest_fires_into_the_queue() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = at_rest(rt, driver)
    rt.send_after(pid, 500, b"x")
    rt.advance(1)
    assert rt.mailbox_size(pid) == 1
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert got == [b"x"]


def test_quiesce_waits_for_what_is_queued_in_front_of_a_restart() -> None:
    rt, driver = driven()
    pid = at_rest(rt, driver)
    assert rt.quiesce(0.1)
    rt.send(pid, b"x")
    assert not rt.quiesce(0.1)
    driver.resume(pid, len)
    assert rt.quiesce(0.1)


def test_join_waits_on_over_a_restart() -> None:
    rt, driver = driven()
    pid = at_rest(rt, driver)
    assert rt.join(pid, 1) is False
    driver.resume(pid, len)
    assert rt.join(pid, 1) is False
    rt.stop(pid)
    assert rt.join(pid, 1) is True


def test_a_bounded_mailbox_keeps_its_bound_and_policy() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = driver.adopted(rt.spawn_py_handler_bounded(failing_on(0, got), 100, 2))
    rt.send(pid, 0)
    rt.run_until_idle()
    assert [rt.send(pid, number) for number in (1, 2, 3)] == [True, True, False]
    rt.set_overflow_policy(pid, "dropold")
    assert rt.send(pid, 4)
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert got == [2, 4]
    stats = adds_up(rt)
    assert (stats["refused"], stats["dropped_old"]) == (1, 1)


def test_senders_that_wait_for_room_go_on_waiting_over_a_restart() -> None:
    rt, driver = driven()
    got: list[Any] = []
    pid = driver.adopted(rt.spawn_py_handler_bounded(failing_on(0, got), 100, 1))
    rt.set_overflow_policy(pid, "block")
    sent: list[Any] = []

    def send_all(message: Any) -> None:
        sent.extend((number, rt.send(pid, number)) for number in (1, 2))

    rt.send(pid, 0)
    rt.run_until_idle()
    sender = rt.spawn(send_all)
    rt.send(sender, b"go")
    rt.advance(10)
    assert sent == [(1, True)]
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert sent == [(1, True), (2, True)]
    assert got == [1, 2]
    adds_up(rt)


# -- a stop of a restarting actor ----------------------------------------------------------------


def test_an_actor_at_rest_can_be_stopped_and_is_not_resumed_any_more() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = at_rest(rt, driver)
    cell = driver.cell(pid)
    rt.send(pid, b"queued")
    assert rt.stop(pid)
    assert rt.whereis("n") is None
    assert driver.restarting.resume(cell, len) is False
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]
    assert driver.restarting.resume(cell, len) is False
    assert driver.restarting.give_up(cell, Ending(ExitReason.CRASH, pid)) is False
    assert adds_up(rt)["expired"] == 1


def test_an_actor_that_is_stopped_on_its_way_to_a_rest_ends_and_no_rest_is_told() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.spawn(lambda message: rt.sleep(1))
    rt.send(pid, b"")
    rt.run_until_idle()
    driver.order(pid)
    rt.stop(pid)
    rt.advance(2)
    assert (ends, driver.rested) == ([(pid, "Killed")], [])


def test_an_actor_that_is_stopped_while_its_children_end_ends_after_them() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = driver.spawn(fail)
    child = rt.spawn_child(pid, lambda message: rt.sleep(1))
    rt.send(child, b"")
    rt.run_until_idle()
    rt.send(pid, b"")
    rt.run_until_idle()
    assert driver.rested == []
    rt.stop(pid)
    rt.advance(2)
    assert ends == [(child, "Killed"), (pid, "Killed")]
    assert driver.rested == []


def test_the_end_of_a_parent_ends_a_child_at_rest() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    parent = rt.spawn(len)
    child = driver.adopted(rt.spawn_child(parent, fail))
    rt.send(child, b"")
    rt.run_until_idle()
    rt.stop(parent)
    rt.run_until_idle()
    assert ends == [(child, "Killed"), (parent, "Killed")]


def test_the_end_of_a_partner_ends_an_actor_at_rest() -> None:
    rt, driver = driven()
    pid, partner = at_rest(rt, driver), rt.spawn(fail)
    rt.link(pid, partner)
    rt.send(partner, b"")
    rt.run_until_idle()
    assert not rt.is_alive(pid)


@pytest.mark.parametrize("kind", ["push", "release_gil", "pull"])
def test_a_shutdown_ends_actors_at_rest_and_restarts_nothing(kind: str) -> None:
    rt, driver = driven()
    if kind == "pull":
        pid = driver.pull(lambda mailbox: fail(mailbox.recv()))
    else:
        pid = driver.spawn(fail, release_gil=kind == "release_gil")
    rt.send(pid, b"")
    rt.run_until_idle()
    cell = driver.cell(pid)
    assert driver.rested == [pid]
    assert rt.shutdown(5) == []
    assert rt.now < 1
    assert driver.restarting.resume(cell, len) is False
    assert cell.state is State.DEAD


def test_a_failure_during_the_shutdown_is_an_end() -> None:
    rt, driver = driven()
    pid = driver.spawn(fail)
    rt.send(pid, b"")
    assert rt.shutdown(5) == []
    assert driver.rested == []


def test_an_actor_that_drains_reaches_its_end_after_the_restart() -> None:
    rt, driver = driven()
    got: list[Any] = []
    ends = note_ends(rt)
    pid = at_rest(rt, driver)
    rt.send(pid, 1)
    assert rt.stop_after_drain(pid, 10)
    assert rt.send(pid, 2) is False
    driver.resume(pid, got.append)
    rt.run_until_idle()
    assert (got, ends) == ([1], [(pid, "Killed")])


def test_an_actor_that_drains_and_is_not_restarted_in_time_is_stopped() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = at_rest(rt, driver)
    rt.send(pid, 1)
    rt.stop_after_drain(pid, 10)
    rt.advance(9)
    assert ends == []
    rt.advance(2)
    assert ends == [(pid, "Killed")]
    assert adds_up(rt)["expired"] == 1


def test_an_actor_at_rest_is_given_up_with_the_reason_that_is_given() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    watcher = rt._inner.spawn_observed_handler()
    pid = at_rest(rt, driver)
    rt.monitor(watcher, pid)
    assert driver.restarting.give_up(driver.cell(pid), Ending(ExitReason.CRASH, pid))
    rt.run_until_idle()
    assert ends == [(pid, "Crash")]
    assert [(one.type_name, one.reason) for one in news(rt, watcher)] == [("DOWN", "Crash")]


def test_an_actor_that_does_not_come_to_rest_is_orphaned_as_killed_and_its_partners_are_told() -> (
    None
):
    rt, driver = driven()
    ends = note_ends(rt)
    watcher = rt._inner.spawn_observed_handler()
    pid = driver.spawn(lambda message: rt.sleep(5))
    rt.monitor(watcher, pid)
    rt.send(pid, b"")
    rt.send(pid, b"queued")
    rt.run_until_idle()
    driver.order(pid)
    rt._system.lifecycle.orphan(driver.cell(pid))
    assert (ends, rt.is_alive(pid)) == ([(pid, "Killed")], False)
    assert [(one.type_name, one.reason) for one in news(rt, watcher)] == [("DOWN", "Killed")]
    assert rt.send(pid, b"") is False
    rt.advance(6)
    assert driver.rested == []
    stats = adds_up(rt)
    assert (stats["handled"], stats["expired"], stats["actors"]) == (1, 1, 1)
    assert rt._system.lifecycle.orphans == {}


def test_senders_that_wait_for_an_orphan_are_told() -> None:
    rt, driver = driven()
    pid = driver.adopted(rt.spawn_py_handler_bounded(lambda message: rt.sleep(5), 100, 1))
    rt.set_overflow_policy(pid, "block")
    sent: list[bool] = []
    sender = rt.spawn(lambda message: sent.extend(rt.send(pid, number) for number in range(3)))
    rt.send(sender, b"")
    rt.run_until_idle()
    driver.order(pid)
    rt._system.lifecycle.orphan(driver.cell(pid))
    rt.run_until_idle()
    assert sent == [True, True, False]
    rt.advance(6)
    adds_up(rt)


def test_an_actor_at_rest_is_no_orphan_but_stopped() -> None:
    rt, driver = driven()
    ends = note_ends(rt)
    pid = at_rest(rt, driver)
    rt._system.lifecycle.orphan(driver.cell(pid))
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]
    assert rt._system.lifecycle.orphans == {}
