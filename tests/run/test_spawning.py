"""The kinds of actor and how each is made: pids, push, observed, children, pools."""

from __future__ import annotations

import functools
from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime

SLOTS_FREE = 4096
"""A freed slot is used again only while at least so many are free."""


def end(rt: SimRuntime, pid: int) -> None:
    """End an actor now."""
    rt.stop(pid)
    rt.run_until_idle()


# -- pids ----------------------------------------------------------------------------------------


def test_a_pid_has_its_slot_below_and_a_generation_above_that_is_never_0() -> None:
    rt = SimRuntime()
    pids = [rt.spawn(len) for _ in range(10)]
    assert len({pid & 0xFFFFFFFF for pid in pids}) == 10
    assert all(0 < pid < 1 << 64 and pid >> 32 > 0 for pid in pids)
    assert all(pid & 0xFFFFFFFF for pid in pids)


def test_runtimes_start_their_generations_at_random() -> None:
    first = {SimRuntime(seed=seed).spawn(len) >> 32 for seed in range(50)}
    assert len(first) == 50


@pytest.mark.live
def test_real_runtimes_start_their_generations_at_random_too() -> None:
    with iris.Runtime() as one, iris.Runtime() as two:
        pid = one.spawn(len)
        assert pid != two.spawn(len)
        assert two.is_alive(pid) is False
        assert two.send(pid, b"") is False


def test_a_freed_slot_rests_until_4096_are_free_and_then_the_first_freed_comes_first() -> None:
    rt = SimRuntime()
    pids = [rt.spawn(len) for _ in range(SLOTS_FREE)]
    for pid in pids[:-1]:
        end(rt, pid)
    fresh = rt.spawn(len)
    assert fresh & 0xFFFFFFFF > max(pid & 0xFFFFFFFF for pid in pids)
    end(rt, pids[-1])
    again = rt.spawn(len)
    assert again & 0xFFFFFFFF == pids[0] & 0xFFFFFFFF
    assert again >> 32 == (pids[0] >> 32) + 1


def test_the_pid_of_a_slots_former_holder_names_nobody() -> None:
    rt, got = SimRuntime(), []
    pids = [rt.spawn(got.append) for _ in range(SLOTS_FREE)]
    for pid in pids:
        end(rt, pid)
    heirs = [rt.spawn(got.append) for _ in range(3)]
    for pid in pids[:3]:
        assert rt.send(pid, b"stale") is False
        assert not rt.is_alive(pid)
        assert rt.mailbox_size(pid) is None
        assert rt.stop(pid) is False
    rt.run_until_idle()
    assert got == []
    assert all(rt.is_alive(pid) for pid in heirs)


# -- push ----------------------------------------------------------------------------------------


class Callables:
    """Handlers of all sorts; `got` is what they were given."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def method(self, message: Any) -> None:
        """Be a bound method."""
        self.got.append(message)

    def __call__(self, message: Any) -> None:
        self.got.append(message)


@pytest.mark.parametrize(
    "make",
    [
        lambda it: it,
        lambda it: it.method,
        lambda it: it.got.append,
        lambda it: functools.partial(it.method),
        lambda it: functools.partial(list.append, it.got),
    ],
)
def test_any_callable_of_one_argument_is_a_handler(make: Callable[[Callables], Any]) -> None:
    rt, it = SimRuntime(), Callables()
    rt.send(rt.spawn(make(it)), b"x")
    rt.run_until_idle()
    assert it.got == [b"x"]


def test_a_class_is_a_handler_too() -> None:
    rt, made = SimRuntime(), []

    class Request:
        def __init__(self, message: bytes) -> None:
            made.append(message)

    rt.send(rt.spawn(Request), b"x")
    rt.run_until_idle()
    assert made == [b"x"]


def test_a_hundred_thousand_push_actors_live_at_once() -> None:
    rt, got = SimRuntime(), []
    pids = [rt.spawn(got.append) for _ in range(100_000)]
    rt.send(pids[0], b"first")
    rt.send(pids[-1], b"last")
    rt.run_until_idle()
    assert sorted(got) == [b"first", b"last"]
    assert rt.stats()["actors"] == 100_000


def test_a_handler_may_spawn() -> None:
    rt, got = SimRuntime(), []

    def handler(message: bytes) -> None:
        rt.send(rt.spawn(got.append), message)

    rt.send(rt.spawn(handler), b"x")
    rt.run_until_idle()
    assert got == [b"x"]


def test_an_actor_without_trap_exit_never_sees_a_system_message() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    rt.stop(rt.spawn_child(pid, len))
    rt.hot_swap(pid, got.append)
    rt.run_until_idle()
    assert got == []


@pytest.mark.parametrize(
    "spawn",
    [
        lambda rt, handler: rt.spawn(handler, trap_exit=True),
        lambda rt, handler: rt.spawn_py_handler_bounded(handler, 10, 5, trap_exit=True),
        lambda rt, handler: rt.spawn_child(rt.spawn(len), handler, trap_exit=True),
        lambda rt, handler: rt.spawn_child_with_budget(rt.spawn(len), handler, 5, trap_exit=True),
        lambda rt, handler: rt.spawn_child_handler_with_budget(
            rt.spawn(len), handler, 5, trap_exit=True
        ),
    ],
)
def test_every_push_variant_takes_trap_exit(spawn: Callable[[SimRuntime, Any], int]) -> None:
    rt, got = SimRuntime(), []
    pid, partner = spawn(rt, got.append), rt.spawn(len)
    rt.link(pid, partner)
    end(rt, partner)
    assert [(message.type_name, message.target_pid) for message in got] == [("EXIT", partner)]


# -- observed ------------------------------------------------------------------------------------


def test_an_observed_actor_keeps_what_it_receives_until_it_is_fetched() -> None:
    rt = SimRuntime()
    pid = rt.spawn_observed_handler(10)
    for message in (b"a", b"b", bytearray(b"c")):
        assert rt.send(pid, message)
    assert rt.get_messages(pid) == [b"a", b"b", b"c"]
    assert rt.get_messages(pid) == []
    rt.send(pid, b"d")
    assert rt.get_messages(pid) == [b"d"]


def test_get_messages_has_all_that_was_accepted_before_the_call() -> None:
    rt = SimRuntime(seed=2)
    pid, restless = rt.spawn_observed_handler(3), rt.spawn(lambda m: rt.send(rt.self_pid(), m))
    rt.send(restless, b"")
    for number in range(100):
        rt.send(pid, number)
    assert rt.get_messages(pid) == list(range(100))


def test_get_messages_works_in_a_handler() -> None:
    rt, got = SimRuntime(), []
    observed = rt.spawn_observed_handler()
    reader = rt.spawn(lambda message: got.append(rt.get_messages(observed)))
    rt.send(observed, b"x")
    rt.send(reader, b"")
    rt.run_until_idle()
    assert got == [[b"x"]]


def test_an_observed_actor_keeps_system_messages_among_the_others() -> None:
    rt = SimRuntime()
    pid, partner = rt.spawn_observed_handler(), rt.spawn(len)
    rt.link(pid, partner)
    end(rt, partner)
    rt.send(pid, b"x")
    exit_message, message = rt.get_messages(pid)
    assert isinstance(exit_message, iris.PySystemMessage)
    assert (exit_message.type_name, exit_message.target_pid, message) == ("EXIT", partner, b"x")


def test_spawn_with_path_observed_registers_the_path() -> None:
    rt = SimRuntime()
    pid = rt.spawn_with_path_observed(10, "/svc/test/one")
    assert rt.whereis_path("/svc/test/one") == pid
    rt.send(pid, b"x")
    assert rt.get_messages(pid) == [b"x"]


def test_get_messages_of_an_actor_that_is_not_observed_says_so() -> None:
    rt = SimRuntime()
    for pid in (rt.spawn(len), rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())):
        with pytest.raises(iris.IrisError, match="spawn_observed_handler"):
            rt.get_messages(pid)


def test_an_observed_path_that_is_taken_leaves_no_actor_behind() -> None:
    rt = SimRuntime()
    rt.spawn_with_path_observed(10, "/one")
    with pytest.raises(iris.BadInput, match="/one"):
        rt.spawn_with_path_observed(10, "/one")
    rt.run_until_idle()
    assert rt.stats()["actors"] == 1


# -- children ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spawn",
    [
        lambda rt, parent, handler: rt.spawn_child(parent, handler),
        lambda rt, parent, handler: rt.spawn_child(parent, handler, 5),
        lambda rt, parent, handler: rt.spawn_child_with_budget(parent, handler, 5),
        lambda rt, parent, handler: rt.spawn_child_handler_with_budget(parent, handler, 5),
        lambda rt, parent, handler: rt.spawn_child_pool(parent, handler, 1)[0],
        lambda rt, parent, handler: iris.spawn_child_pool(rt, parent, 1, handler)[0],
        lambda rt, parent, handler: rt._inner.spawn_child_py_handler(parent, handler),
        lambda rt, parent, handler: rt.spawn_child_with_mailbox(
            parent, lambda mailbox: handler(mailbox.recv())
        ),
    ],
)
def test_every_child_variant_handles_messages_and_ends_with_its_parent(
    spawn: Callable[[SimRuntime, int, Any], int],
) -> None:
    rt, got = SimRuntime(), []
    parent = rt.spawn(len)
    used, idle = spawn(rt, parent, got.append), spawn(rt, parent, got.append)
    rt.send(used, b"x")
    rt.run_until_idle()
    assert got == [b"x"]
    end(rt, parent)
    assert not rt.is_alive(used)
    assert not rt.is_alive(idle)


@pytest.mark.parametrize("kind", ["pull", "observed", "bounded", "child"])
def test_actors_of_every_kind_may_be_parents(kind: str) -> None:
    rt = SimRuntime()
    parent = {
        "pull": lambda: rt.spawn_with_mailbox(lambda mailbox: mailbox.recv()),
        "observed": rt.spawn_observed_handler,
        "bounded": lambda: rt.spawn_py_handler_bounded(len, 10, 1),
        "child": lambda: rt.spawn_child(rt.spawn(len), len),
    }[kind]()
    child = rt.spawn_child(parent, len)
    end(rt, parent)
    assert not rt.is_alive(child)


def test_a_handler_may_spawn_children_of_its_own() -> None:
    rt, pids = SimRuntime(), []
    parent = rt.spawn(lambda message: pids.append(rt.spawn_child(rt.self_pid(), len)))
    rt.send(parent, b"")
    rt.run_until_idle()
    end(rt, parent)
    assert [rt.is_alive(pid) for pid in pids] == [False]


def test_a_stopping_parent_gets_no_new_child() -> None:
    rt = SimRuntime()
    parent = rt.spawn(lambda message: rt.sleep(1))
    rt.send(parent, b"")
    rt.run_until_idle()
    rt.stop(parent)
    with pytest.raises(iris.ActorDead, match=str(parent)):
        rt.spawn_child(parent, len)
    assert rt.stats()["actors"] == 1


# -- pools ---------------------------------------------------------------------------------------


def test_a_pool_has_as_many_workers_as_asked_for_each_its_own_actor() -> None:
    rt, got = SimRuntime(), []
    parent = rt.spawn(len)
    workers = rt.spawn_child_pool(parent, lambda message: got.append(rt.self_pid()), 4)
    assert len(set(workers)) == 4
    for worker in workers:
        rt.send(worker, b"")
    rt.run_until_idle()
    assert sorted(got) == sorted(workers)
    end(rt, parent)
    assert not any(rt.is_alive(worker) for worker in workers)


def test_a_pool_without_a_handler_runs_the_parents_own() -> None:
    rt, got = SimRuntime(), []
    parent = rt.spawn(lambda message: got.append((rt.self_pid(), message)))
    workers = iris.spawn_child_pool(rt, parent, size=2)
    for worker in workers:
        rt.send(worker, b"x")
    rt.run_until_idle()
    assert sorted(got) == [(worker, b"x") for worker in sorted(workers)]


def test_a_pool_without_a_handler_runs_the_one_the_parent_has_now() -> None:
    rt, log = SimRuntime(), []
    parent = rt.spawn(lambda message: log.append("old"))
    rt.hot_swap(parent, lambda message: log.append("new"))
    rt.run_until_idle()
    (worker,) = rt.spawn_child_pool(parent, None, 1)
    rt.send(worker, b"")
    rt.run_until_idle()
    assert log == ["new"]


def test_a_pool_without_a_handler_needs_a_parent_that_has_one() -> None:
    rt = SimRuntime()
    for parent in (rt.spawn_observed_handler(), rt.spawn_with_mailbox(lambda mailbox: None)):
        with pytest.raises(iris.ActorError, match="handler"):
            iris.spawn_child_pool(rt, parent, 2)
    assert rt.stats()["actors"] == 2


def test_the_budget_of_a_pool_holds_for_each_worker() -> None:
    rt, got = SimRuntime(), []
    (worker,) = rt.spawn_child_pool(rt.spawn(len), got.append, 1, 2)
    for number in range(6):
        rt.send(worker, number)
    seen = 0
    while rt.step():
        assert len(got) - seen <= 2
        seen = len(got)


@pytest.mark.parametrize(
    "args",
    [
        (),
        (1, -2, 1 << 63, 1.5, True, None),
        ("text", b"bytes", "é"),
        ([1, [2, 3]], {"a": {"b": 1}}, {1: 2}),
    ],
)
def test_arguments_survive_packing(args: tuple[Any, ...]) -> None:
    packed = iris.serialize_args(*args)
    assert type(packed) is bytes
    assert iris.deserialize_args(packed) == args


def test_pool_work_is_packed_sent_and_unpacked() -> None:
    rt, results = SimRuntime(), []

    def price(message: bytes) -> None:
        spot, factor = iris.deserialize_args(message)
        results.append(spot * factor)

    workers = iris.spawn_child_pool(rt, rt.spawn(len), 3, price)
    for number, worker in enumerate(workers):
        rt.send(worker, iris.serialize_args(number + 0.5, 2))
    rt.run_until_idle()
    assert sorted(results) == [1.0, 3.0, 5.0]
