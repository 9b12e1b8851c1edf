"""Hot swap: which message runs on which handler, at once or in order, and migration."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import Log, version


def two_queued(rt: SimRuntime, log: Log) -> int:
    """An actor on version 1 with the messages a and b waiting."""
    pid = rt.spawn(version(log, 1))
    rt.send(pid, "a")
    rt.send(pid, "b")
    return pid


def refuse(old: Any, new: Any) -> Any:
    """A migration that fails."""
    raise ValueError("cannot migrate")


# -- in order --------------------------------------------------------------------------------------


def test_messages_before_the_swap_run_on_the_old_handler_and_those_after_on_the_new() -> None:
    rt, log = SimRuntime(), []
    pid = two_queued(rt, log)
    assert rt.hot_swap(pid, version(log, 2)) is True
    rt.send(pid, "c")
    rt.run_until_idle()
    assert log == [(1, "a"), (1, "b"), (2, "c")]


def test_several_pending_swaps_keep_their_order() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1), 2)
    for number in range(2, 30):
        rt.send(pid, number - 1)
        rt.hot_swap(pid, version(log, number))
    rt.run_until_idle()
    assert log == [(number, number) for number in range(1, 29)]


def test_swaps_with_nothing_between_them_leave_the_last_one() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    for number in (2, 3, 4):
        rt.hot_swap(pid, version(log, number))
    rt.send(pid, "x")
    rt.run_until_idle()
    assert log == [(4, "x")]


def test_a_pending_swap_does_not_count_in_mailbox_size_or_stats() -> None:
    rt, log = SimRuntime(), []
    pid = two_queued(rt, log)
    rt.hot_swap(pid, version(log, 2))
    assert rt.mailbox_size(pid) == rt.stats()["queued"] == 2
    assert rt.stats()["sent"] == 2


def test_a_pending_swap_takes_no_room_in_a_bounded_mailbox() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn_py_handler_bounded(version(log, 1), 10, 2)
    answers = [rt.send(pid, "a"), rt.hot_swap(pid, version(log, 2)), rt.send(pid, "b")]
    assert answers == [True, True, True]
    assert rt.send(pid, "c") is False
    rt.run_until_idle()
    assert log == [(1, "a"), (2, "b")]


def test_dropold_drops_messages_and_never_a_swap() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn_py_handler_bounded(version(log, 1), 10, 2)
    rt.set_overflow_policy(pid, "dropold")
    rt.hot_swap(pid, version(log, 2))
    for message in ("a", "b", "c"):
        rt.send(pid, message)
    rt.run_until_idle()
    assert log == [(2, "b"), (2, "c")]


def test_a_swap_during_a_message_waits_for_its_end() -> None:
    rt, log = SimRuntime(), []

    def first(message: Any) -> None:
        rt.sleep(1)
        log.append((1, message))

    pid = rt.spawn(first)
    rt.send(pid, "a")
    rt.run_until_idle()
    rt.hot_swap(pid, version(log, 2))
    rt.send(pid, "b")
    rt.run_until_idle()
    assert log == []
    rt.advance(1)
    assert log == [(1, "a"), (2, "b")]


def test_an_actor_may_swap_itself() -> None:
    rt, log = SimRuntime(), []

    def first(message: Any) -> None:
        log.append((1, message))
        rt.hot_swap(rt.self_pid(), version(log, 2))

    pid = rt.spawn(first)
    rt.send(pid, "a")
    rt.run_until_idle()
    rt.send(pid, "b")
    rt.run_until_idle()
    assert log == [(1, "a"), (2, "b")]


def test_an_idle_actor_swaps_too() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2))
    rt.run_until_idle()
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [(2, "a")]


def test_the_swap_of_an_actor_that_is_gone_or_stopping_is_false() -> None:
    rt = SimRuntime()
    gone, stopping = rt.spawn(len), rt.spawn(lambda message: rt.sleep(1))
    rt.send(stopping, b"")
    rt.run_until_idle()
    rt.stop(gone)
    rt.run_until_idle()
    rt.stop(stopping)
    assert rt.hot_swap(gone, len) is False
    assert rt.hot_swap(stopping, len) is False
    assert rt.hot_swap(stopping + 1, len) is False


@pytest.mark.parametrize("kind", ["bounded", "child", "trap_exit"])
def test_swaps_work_on_every_kind_with_a_handler(kind: str) -> None:
    rt, log = SimRuntime(), []
    first = version(log, 1)
    pid = {
        "bounded": lambda: rt.spawn_py_handler_bounded(first, 10, 100),
        "child": lambda: rt.spawn_child(rt.spawn(len), first),
        "trap_exit": lambda: rt.spawn(first, trap_exit=True),
    }[kind]()
    rt.send(pid, "a")
    rt.hot_swap(pid, version(log, 2))
    rt.send(pid, "b")
    rt.run_until_idle()
    assert log == [(1, "a"), (2, "b")]


def test_a_pull_actor_gets_hot_swap_by_recv_in_its_place_with_the_new_function() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.recv())

    pid = rt.spawn_with_mailbox(body)
    rt.send(pid, b"a")
    rt.hot_swap(pid, bool)
    rt.send(pid, b"b")
    rt.run_until_idle()
    before, message, after = got
    assert (before, after) == (b"a", b"b")
    assert (message.type_name, message.target_pid) == ("HOT_SWAP", pid)
    assert message.metadata["handler"] is bool


# -- now -------------------------------------------------------------------------------------------


def test_when_now_switches_at_the_next_message_and_overtakes_the_queue() -> None:
    rt, log = SimRuntime(), []
    pid = two_queued(rt, log)
    rt.hot_swap(pid, version(log, 2), when="now")
    rt.run_until_idle()
    assert log == [(2, "a"), (2, "b")]


def test_when_now_lets_the_running_message_finish_on_the_old_handler() -> None:
    rt, log = SimRuntime(), []

    def first(message: Any) -> None:
        if message == "a":
            rt.hot_swap(rt.self_pid(), version(log, 2), when="now")
        log.append((1, message))

    pid = rt.spawn(first)
    rt.send(pid, "a")
    rt.send(pid, "b")
    rt.run_until_idle()
    assert log == [(1, "a"), (2, "b")]


def test_a_swap_that_was_overtaken_does_not_come_back_later() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.send(pid, "a")
    rt.hot_swap(pid, version(log, 2))
    rt.send(pid, "b")
    rt.hot_swap(pid, version(log, 3), when="now")
    rt.send(pid, "c")
    rt.run_until_idle()
    # Accepted after the latest swap, c runs on it, as the version number says.
    assert rt.behavior_version(pid) == 3
    assert log[-1] == (3, "c")
    assert log[0] == (3, "a")


def test_a_pull_actor_gets_a_swap_that_is_now_before_its_messages() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.recv())

    pid = rt.spawn_with_mailbox(body)
    rt.send(pid, b"a")
    rt.hot_swap(pid, bool, when="now")
    rt.run_until_idle()
    assert [getattr(message, "type_name", message) for message in got] == ["HOT_SWAP", b"a"]


# -- migration -------------------------------------------------------------------------------------


def test_migrate_runs_between_two_messages_with_both_handlers_and_gives_the_third() -> None:
    rt, log = SimRuntime(), []
    first, second, third = version(log, 1), version(log, 2), version(log, 3)

    def migrate(old: Any, new: Any) -> Any:
        log.append(("migrate", (old is first, new is second)))
        return third

    pid = rt.spawn(first)
    rt.send(pid, "a")
    rt.hot_swap(pid, second, migrate)
    rt.send(pid, "b")
    rt.run_until_idle()
    assert log == [(1, "a"), ("migrate", (True, True)), (3, "b")]


def test_state_moves_from_one_behaviour_to_the_next() -> None:
    class Counter:
        def __init__(self, total: int, step: int) -> None:
            self.total, self.step = total, step

        def __call__(self, message: bytes) -> None:
            self.total += self.step

    rt, made = SimRuntime(), []

    def migrate(old: Counter, new: type[Counter]) -> Counter:
        made.append(Counter(old.total, 10))
        return made[0]

    pid = rt.spawn(Counter(0, 1))
    for _ in range(3):
        rt.send(pid, b"")
    rt.hot_swap(pid, Counter, migrate)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert made[0].total == 13


@pytest.mark.parametrize(
    "migrate",
    [
        refuse,
        lambda old, new: None,
        lambda old, new: 7,
        lambda old: old,
    ],
)
def test_a_migration_that_fails_refuses_the_swap_and_the_old_handler_stays(migrate: Any) -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2), migrate)
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [(1, "a")]
    assert rt.behavior_version(pid) == 1
    assert rt.is_alive(pid)


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), BaseException()])
def test_a_migration_that_raises_anything_at_all_refuses_the_swap(error: BaseException) -> None:
    rt, log = SimRuntime(), []

    def migrate(old: Any, new: Any) -> Any:
        raise error

    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2), migrate)
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [(1, "a")]


def test_after_a_refused_swap_the_next_one_works_and_no_number_comes_twice() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2), refuse)
    rt.run_until_idle()
    rt.hot_swap(pid, version(log, 3))
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [(3, "a")]
    assert rt.behavior_version(pid) == 3
