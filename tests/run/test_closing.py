"""Rest and end of a runtime: `quiesce`, `shutdown`, and what a closed runtime answers."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime


def sleepy(rt: SimRuntime, delay_s: float) -> Callable[[Any], None]:
    """A handler that waits."""
    return lambda message: rt.sleep(delay_s)


# -- quiesce ---------------------------------------------------------------------------------------


def test_quiesce_is_true_when_no_message_is_queued_or_running() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append, 1)
    for number in range(10):
        rt.send(pid, number)
    assert rt.quiesce(1) is True
    assert len(got) == 10


def test_quiesce_waits_for_a_handler_that_is_blocked() -> None:
    rt = SimRuntime()
    rt.send(rt.spawn(sleepy(rt, 2)), b"")
    assert rt.quiesce(10) is True
    assert 2 <= rt.now < 3


def test_quiesce_is_false_when_its_time_is_over() -> None:
    rt = SimRuntime()
    rt.send(rt.spawn(sleepy(rt, 100)), b"")
    assert rt.quiesce(1) is False
    assert rt.now < 2


def test_quiesce_waits_for_the_messages_that_messages_bring() -> None:
    rt, got = SimRuntime(), []

    def count_down(number: int) -> None:
        got.append(number)
        rt.sleep(0.01)
        if number:
            rt.send(rt.self_pid(), number - 1)

    rt.send(rt.spawn(count_down), 20)
    assert rt.quiesce(60)
    assert got == list(range(20, -1, -1))


def test_timers_of_later_and_kept_messages_do_not_count_for_quiesce() -> None:
    rt = SimRuntime()
    rt.send_after(rt.spawn(len), 1e6, b"")
    rt.send(rt.spawn_observed_handler(), b"kept")
    assert rt.quiesce(0) is True


def test_quiesce_in_a_handler_would_wait_for_itself_and_says_so() -> None:
    rt, errors = SimRuntime(), []

    def handler(message: bytes) -> None:
        with pytest.raises(iris.WouldDeadlock, match="handler itself"):
            rt.quiesce(1)
        errors.append(1)

    rt.send(rt.spawn(handler), b"")
    rt.run_until_idle()
    assert errors == [1]


# -- shutdown --------------------------------------------------------------------------------------


def test_shutdown_ends_all_actors_children_before_parents() -> None:
    for seed in range(20):
        rt, ends = SimRuntime(seed=seed), []
        parents: dict[int, int] = {}
        for _ in range(3):
            pid = rt.spawn(len)
            for _ in range(4):
                below = rt.spawn_child(pid, len)
                parents[below] = pid
                pid = below
        rt.add_hook("exit", lambda pid, ending, ends=ends: ends.append(pid))
        assert rt.shutdown() == []
        assert len(ends) == 15
        assert all(ends.index(child) < ends.index(parent) for child, parent in parents.items())


def test_shutdown_lets_running_handlers_finish_and_queued_messages_expire() -> None:
    rt, got = SimRuntime(), []

    def handler(message: bytes) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn(handler)
    rt.send(pid, b"running")
    rt.run_until_idle()
    rt.send(pid, b"queued")
    assert rt.shutdown(5) == []
    assert got == [b"running"]


def test_shutdown_interrupts_handlers_that_wait_too_long_and_stays_within_its_time() -> None:
    rt, log = SimRuntime(), []

    def handler(message: bytes) -> None:
        try:
            rt.sleep(1000)
        finally:
            log.append("cleaned up")

    rt.send(rt.spawn(handler), b"")
    rt.run_until_idle()
    assert rt.shutdown(5) == []
    assert log == ["cleaned up"]
    assert rt.now <= 5.5


def test_shutdown_returns_the_pids_that_did_not_end_in_bounded_time() -> None:
    rt = SimRuntime()

    def stubborn(message: bytes) -> None:
        while rt.now < 100:
            try:
                rt.sleep(1000)
            except BaseException:
                continue

    pid, easy = rt.spawn(stubborn), rt.spawn(len)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert rt.shutdown(5) == [pid]
    assert rt.now <= 5.5
    assert rt.shutdown(5) == [pid]
    assert easy != pid


def test_shutdown_ends_pull_actors() -> None:
    rt, log = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            log.append(mailbox.recv())

    rt.spawn_with_mailbox(body)
    rt.run_until_idle()
    assert rt.shutdown() == []
    assert log == [None]


@pytest.mark.live
@pytest.mark.parametrize("timeout_s", [1e12, float("inf")])
def test_shutdown_takes_any_time_however_long(timeout_s: float) -> None:
    rt = iris.Runtime()
    rt.spawn(len)
    assert rt.shutdown(timeout_s) == []


def test_shutdown_is_idempotent() -> None:
    rt = SimRuntime()
    rt.spawn(len)
    assert rt.shutdown() == []
    assert rt.shutdown() == []


def test_shutdown_from_a_handler_begins_it_and_returns_an_empty_list() -> None:
    rt, answers, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append(pid))
    pid, other = rt.spawn(lambda message: answers.append(rt.shutdown(5))), rt.spawn(len)
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.advance(6)
    assert answers == [[]]
    assert sorted(ends) == [pid, other]
    assert rt.send(other, b"") is False


def test_an_actor_that_spawns_without_end_does_not_hold_up_shutdown() -> None:
    rt = SimRuntime()

    def hydra(message: bytes) -> None:
        for _ in range(2):
            rt.send(rt.spawn(hydra), b"")

    rt.send(rt.spawn(hydra), b"")
    for _ in range(50):
        rt.step()
    assert rt.shutdown(5) == []


def test_the_block_of_a_runtime_shuts_it_down_also_after_an_error() -> None:
    rt, ends = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: ends.append(pid))
    pid = rt.spawn(len)
    with pytest.raises(ZeroDivisionError), rt:
        1 / 0  # noqa: B018
    assert ends == [pid]
    assert rt.send(pid, b"") is False


# -- afterwards ------------------------------------------------------------------------------------


def test_after_shutdown_send_is_false() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.shutdown()
    assert rt.send(pid, b"") is False


EVERY_OTHER_CALL: dict[str, Callable[[SimRuntime, int], Any]] = {
    "spawn": lambda rt, pid: rt.spawn(len),
    "spawn_virtual": lambda rt, pid: rt.spawn_virtual(len),
    "spawn_py_handler_bounded": lambda rt, pid: rt.spawn_py_handler_bounded(len, 10, 1),
    "spawn_with_mailbox": lambda rt, pid: rt.spawn_with_mailbox(len),
    "set_pull_limits": lambda rt, pid: rt.set_pull_limits(1),
    "spawn_observed_handler": lambda rt, pid: rt.spawn_observed_handler(),
    "spawn_with_path_observed": lambda rt, pid: rt.spawn_with_path_observed(10, "/a"),
    "spawn_child": lambda rt, pid: rt.spawn_child(pid, len),
    "spawn_child_with_budget": lambda rt, pid: rt.spawn_child_with_budget(pid, len, 5),
    "spawn_child_handler_with_budget": lambda rt, pid: rt.spawn_child_handler_with_budget(
        pid, len, 5
    ),
    "spawn_child_with_mailbox": lambda rt, pid: rt.spawn_child_with_mailbox(pid, len),
    "spawn_child_pool": lambda rt, pid: rt.spawn_child_pool(pid, len, 2),
    "send_buffer": lambda rt, pid: rt.send_buffer(pid, 1),
    "send_named": lambda rt, pid: rt.send_named("name", b""),
    "ask": lambda rt, pid: rt.ask(pid, b"", 1),
    "reply": lambda rt, pid: rt.reply(b""),
    "forward": lambda rt, pid: rt.forward(pid, b""),
    "get_messages": lambda rt, pid: rt.get_messages(pid),
    "stop": lambda rt, pid: rt.stop(pid),
    "stop_after_drain": lambda rt, pid: rt.stop_after_drain(pid, 1),
    "join": lambda rt, pid: rt.join(pid, 0),
    "is_alive": lambda rt, pid: rt.is_alive(pid),
    "link": lambda rt, pid: rt.link(pid, pid + 1),
    "unlink": lambda rt, pid: rt.unlink(pid, pid + 1),
    "monitor": lambda rt, pid: rt.monitor(pid, pid),
    "demonitor": lambda rt, pid: rt.demonitor(1),
    "register": lambda rt, pid: rt.register("name", pid),
    "unregister": lambda rt, pid: rt.unregister("name"),
    "whereis": lambda rt, pid: rt.whereis("name"),
    "resolve": lambda rt, pid: rt.resolve("name"),
    "register_path": lambda rt, pid: rt.register_path("/a", pid),
    "unregister_path": lambda rt, pid: rt.unregister_path("/a"),
    "whereis_path": lambda rt, pid: rt.whereis_path("/a"),
    "list_children": lambda rt, pid: rt.list_children("/a"),
    "list_children_direct": lambda rt, pid: rt.list_children_direct("/a"),
    "watch_path": lambda rt, pid: rt.watch_path("/a"),
    "child_pids": lambda rt, pid: rt.child_pids(),
    "children_count": lambda rt, pid: rt.children_count(),
    "create_path_supervisor": lambda rt, pid: rt.create_path_supervisor("/a"),
    "remove_path_supervisor": lambda rt, pid: rt.remove_path_supervisor("/a"),
    "path_supervisor_watch": lambda rt, pid: rt.path_supervisor_watch("/a", pid),
    "path_supervisor_children": lambda rt, pid: rt.path_supervisor_children("/a"),
    "watch": lambda rt, pid: rt.watch(pid),
    "unsupervise": lambda rt, pid: rt.unsupervise(pid),
    "observe_supervisor": lambda rt, pid: rt.observe_supervisor(None),
    "supervise_with_factory": lambda rt, pid: rt.supervise_with_factory(pid, int),
    "path_supervise_with_factory": lambda rt, pid: rt.path_supervise_with_factory("/a", pid, int),
    "hot_swap": lambda rt, pid: rt.hot_swap(pid, len),
    "hot_swap_path": lambda rt, pid: rt.hot_swap_path("/a", len),
    "behavior_version": lambda rt, pid: rt.behavior_version(pid),
    "rollback_behavior": lambda rt, pid: rt.rollback_behavior(pid),
    "mailbox_size": lambda rt, pid: rt.mailbox_size(pid),
    "set_overflow_policy": lambda rt, pid: rt.set_overflow_policy(pid, "dropnew"),
    "set_release_gil_limits": lambda rt, pid: rt.set_release_gil_limits(1, 1),
    "set_release_gil_strict": lambda rt, pid: rt.set_release_gil_strict(True),
    "send_after": lambda rt, pid: rt.send_after(pid, 1, b""),
    "send_interval": lambda rt, pid: rt.send_interval(pid, 1, b""),
    "cancel_timer": lambda rt, pid: rt.cancel_timer(1),
    "stats": lambda rt, pid: rt.stats(),
    "dead_letters": lambda rt, pid: rt.dead_letters(),
    "quiesce": lambda rt, pid: rt.quiesce(0),
    "add_hook": lambda rt, pid: rt.add_hook("exit", len),
    "remove_hook": lambda rt, pid: rt.remove_hook("exit", len),
    "add_probe": lambda rt, pid: rt.add_probe("name", len),
    "remove_probe": lambda rt, pid: rt.remove_probe("name"),
    "listen": lambda rt, pid: rt.listen("127.0.0.1:0"),
    "listen_addresses": lambda rt, pid: rt.listen_addresses,
    "resolve_remote": lambda rt, pid: rt.resolve_remote("127.0.0.1:1", "name"),
    "resolve_remote_py": lambda rt, pid: rt.resolve_remote_py("127.0.0.1:1", "name"),
    "send_remote": lambda rt, pid: rt.send_remote("127.0.0.1:1", pid, b""),
    "monitor_remote": lambda rt, pid: rt.monitor_remote("127.0.0.1:1", pid),
    "watch_node": lambda rt, pid: rt.watch_node("127.0.0.1:1", pid),
    "is_node_up": lambda rt, pid: rt.is_node_up("127.0.0.1:1"),
    "nodes": lambda rt, pid: rt.nodes(),
    "register_type": lambda rt, pid: rt.register_type(1, int),
}


@pytest.mark.parametrize("name", sorted(EVERY_OTHER_CALL))
def test_after_shutdown_every_other_call_raises_runtime_closed_with_the_mend(name: str) -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.shutdown()
    with pytest.raises(iris.RuntimeClosed, match=r"iris\.Runtime\(\)"):
        EVERY_OTHER_CALL[name](rt, pid)


def test_the_list_of_calls_above_is_complete() -> None:
    of_the_simulation = {
        "advance", "after_each_step", "now", "run_until_idle", "sleep", "step",
    }  # fmt: skip
    asked_elsewhere = {"send", "shutdown", "self_pid", "ask_async", "send_async", "health"}
    public = {name for name in dir(SimRuntime) if not name.startswith("_")}
    assert public - of_the_simulation - asked_elsewhere <= set(EVERY_OTHER_CALL)


def test_the_lower_level_object_is_closed_with_its_runtime() -> None:
    rt = SimRuntime()
    inner = rt._inner
    rt.shutdown()
    with pytest.raises(iris.RuntimeClosed):
        inner.spawn_py_handler(len, 10)


def test_nothing_begins_once_shutdown_has_begun() -> None:
    rt, errors = SimRuntime(), []

    def late(pid: int, ending: Any) -> None:
        for spawn in (lambda: rt.spawn(len), rt.spawn_observed_handler):
            with pytest.raises(iris.RuntimeClosed):
                spawn()
            errors.append(pid)

    pid = rt.spawn(len)
    rt.add_hook("exit", late)
    rt.shutdown()
    assert errors == [pid, pid]
