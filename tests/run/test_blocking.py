"""Actors with `release_gil`: what they have in common with push actors, and their limits.

In a simulated runtime, whose workers are greenlets. What real threads add is in
tests/live/test_release_gil.py.
"""

from __future__ import annotations

from typing import Any, Callable

import pytest

import iris
from iris.errors import LimitReached
from iris.testing import SimRuntime

from .actors import fail, note_ends


def make(**options: Any) -> SimRuntime:
    return SimRuntime(**{"release_gil_max_threads": 1, "release_gil_pool_size": 2, **options})


def spawn(rt: SimRuntime, handler: Callable[[Any], Any], place: str, **options: Any) -> int:
    """An actor with a worker of its own, or in the pool together with two others."""
    if place == "pool":
        for _ in range(3):
            rt.spawn(len, 100, True)
    return rt.spawn(handler, release_gil=True, **options)


PLACES = pytest.mark.parametrize("place", ["own", "pool"])


def sleepy(rt: SimRuntime, seen: list[Any]) -> Callable[[Any], None]:
    """A handler that takes a second."""

    def handler(message: Any) -> None:
        rt.sleep(1)
        seen.append((rt.now, iris.current().pid, message))

    return handler


# -- where an actor works -----------------------------------------------------------------------


def test_so_many_have_a_worker_of_their_own_and_the_others_share_the_pool() -> None:
    rt, seen = make(release_gil_max_threads=2, release_gil_pool_size=3), []
    pids = [rt.spawn(sleepy(rt, seen), release_gil=True) for _ in range(9)]
    for pid in pids:
        rt.send(pid, 1)
    rt.advance(10)
    times = [time for time, _, _ in seen]
    # Two of their own and three of the pool at once; then the pool again, for the other four.
    assert times == [1.0] * 5 + [2.0] * 3 + [3.0]
    assert {pid for time, pid, _ in seen if time == 1.0} >= set(pids[:2])


def test_one_that_blocks_holds_up_neither_push_actors_nor_others() -> None:
    rt, seen = make(), []
    slow = rt.spawn(sleepy(rt, seen), release_gil=True)
    others = [rt.spawn(seen.append, release_gil=rt_place) for rt_place in (False, True, True)]
    rt.send(slow, 1)
    rt.run_until_idle()
    for pid in others:
        rt.send(pid, b"quick")
    rt.run_until_idle()
    assert seen == [b"quick"] * 3


def test_an_idle_worker_of_the_pool_takes_what_comes_while_the_others_are_blocked() -> None:
    for seed in range(10):
        rt, seen = make(seed=seed), []
        rt.spawn(len, release_gil=True)
        slow, quick = (rt.spawn(one, release_gil=True) for one in (sleepy(rt, []), seen.append))
        rt.send(slow, 1)
        rt.run_until_idle()
        for number in range(5):
            rt.send(quick, number)
        rt.run_until_idle()
        assert seen == [0, 1, 2, 3, 4]


def test_the_pool_is_shared_by_turns_of_the_budget() -> None:
    rt, seen = make(release_gil_pool_size=1), []
    rt.spawn(len, release_gil=True)
    pids = [rt.spawn(lambda m: seen.append(iris.current().pid), 3, True) for _ in range(2)]
    for pid in pids:
        for number in range(6):
            rt.send(pid, number)
    rt.run_until_idle()
    first, second = pids
    assert seen == [first] * 3 + [second] * 3 + [first] * 3 + [second] * 3


def test_a_spawn_beyond_the_limit_is_refused_when_strict() -> None:
    rt = make(release_gil_strict=True)
    first = rt.spawn(len, release_gil=True)
    parent = rt.spawn(len)
    before = rt.stats()
    for refused in (
        lambda: rt.spawn(len, 100, True),
        lambda: rt.spawn_child(parent, len, 100, True),
        lambda: rt._inner.spawn_py_handler(len, 100, True),
    ):
        with pytest.raises(LimitReached, match=r"all 1 threads.*set_release_gil_limits\(2, 2\)"):
            refused()
    assert rt.stats() == before
    # Its worker may still be leaving, but its place is free once its end is known.
    rt.stop(first)
    assert rt.join(first)
    assert rt.is_alive(rt.spawn(len, release_gil=True))


def test_a_refused_pool_leaves_no_child_behind() -> None:
    rt = make(release_gil_max_threads=3, release_gil_strict=True)
    parent = rt.spawn(len)
    with pytest.raises(LimitReached):
        rt.spawn_child_pool(parent, len, 5, release_gil=True)
    rt.run_until_idle()
    assert rt.stats()["actors"] == 1
    assert len(rt.spawn_child_pool(parent, len, 3, release_gil=True)) == 3


def test_limits_changed_later_hold_for_later_spawns() -> None:
    rt, seen = make(release_gil_max_threads=1, release_gil_pool_size=1), []
    pids = [rt.spawn(sleepy(rt, seen), release_gil=True) for _ in range(3)]
    rt.set_release_gil_limits(2, 1)
    pids.append(rt.spawn(sleepy(rt, seen), release_gil=True))
    for pid in pids:
        rt.send(pid, 1)
    rt.advance(5)
    # The first and the last have their own; the other two stay in the pool of one.
    assert [time for time, _, _ in seen] == [1.0, 1.0, 1.0, 2.0]
    assert {seen[0][1], seen[1][1], seen[2][1]} > {pids[0], pids[3]}


def test_a_larger_pool_gets_its_workers_at_once_and_a_smaller_one_loses_them() -> None:
    rt, seen = make(release_gil_pool_size=1), []
    pids = [rt.spawn(sleepy(rt, seen), release_gil=True) for _ in range(4)]
    for size, times in ((3, [1.0, 1.0, 1.0]), (1, [1.0, 2.0, 3.0]), (2, [1.0, 1.0, 2.0])):
        start = rt.now
        seen.clear()
        rt.set_release_gil_limits(1, size)
        for pid in pids[1:]:
            rt.send(pid, 1)
        rt.advance(5)
        assert [time - start for time, _, _ in seen] == times


def test_strict_can_be_set_and_taken_back() -> None:
    rt = make()
    rt.spawn(len, release_gil=True)
    rt.set_release_gil_strict(True)
    with pytest.raises(LimitReached):
        rt.spawn(len, release_gil=True)
    rt.set_release_gil_strict(False)
    assert rt.is_alive(rt.spawn(len, release_gil=True))


# -- as push actors -----------------------------------------------------------------------------


@PLACES
def test_messages_come_in_order_one_at_a_time(place: str) -> None:
    for seed in range(10):
        rt, seen, busy = make(seed=seed), [], []

        def handler(message: Any, rt: Any = rt, seen: Any = seen, busy: Any = busy) -> None:
            assert not busy
            busy.append(message)
            if message % 3 == 0:
                rt.sleep(0.1)
            seen.append(busy.pop())

        pid = spawn(rt, handler, place, budget=2)
        for number in range(20):
            rt.send(pid, number)
            rt.step()
        rt.advance(60)
        assert seen == list(range(20))
        assert rt.stats()["handled"] == 20


@PLACES
def test_a_handler_knows_who_it_is(place: str) -> None:
    rt, seen = make(), []
    pid = spawn(rt, lambda m: seen.append((iris.current().pid, rt.self_pid())), place)
    rt.send(pid, 1)
    rt.run_until_idle()
    assert seen == [(pid, pid)]
    with pytest.raises(iris.ActorError):
        rt.self_pid()


@PLACES
def test_it_can_pause_send_join_and_spawn(place: str) -> None:
    rt, seen = make(), []
    other = rt.spawn(len)

    def handler(message: Any) -> None:
        iris.pause()
        rt.send(rt.spawn(seen.append), message)
        assert rt.join(other, 5)
        seen.append("joined")

    pid = spawn(rt, handler, place)
    rt.send(pid, b"x")
    rt.run_until_idle()
    assert seen == [b"x"]
    rt.stop(other)
    rt.run_until_idle()
    assert seen == [b"x", "joined"]
    assert rt.is_alive(pid)


@PLACES
def test_a_handler_that_raises_ends_its_actor(place: str) -> None:
    rt = make()
    ends = note_ends(rt)
    pid = spawn(rt, fail, place)
    for number in range(3):
        rt.send(pid, number)
    rt.run_until_idle()
    stats = rt.stats()
    assert ends == [(pid, "Panic")]
    assert (stats["failed"], stats["expired"], stats["handled"]) == (1, 2, 0)


@PLACES
@pytest.mark.parametrize("restless", [False, True])
def test_a_stop_lets_the_running_message_end_and_no_other_begin(place: str, restless: bool) -> None:
    rt, seen = make(), []
    ends = note_ends(rt)
    pid = spawn(rt, sleepy(rt, seen), place)
    if restless:
        rt.send(pid, 1)
        rt.send(pid, 2)
        rt.run_until_idle()
    assert rt.stop(pid)
    assert not rt.stop(pid)
    assert not rt.send(pid, 3)
    assert rt.join(pid)
    assert ends == [(pid, "Killed")]
    assert [message for _, _, message in seen] == [1][:restless]
    assert rt.stats()["expired"] == restless


@PLACES
def test_it_is_drained(place: str) -> None:
    rt, seen = make(), []
    pid = spawn(rt, seen.append, place)
    for number in range(5):
        rt.send(pid, number)
    rt.stop_after_drain(pid, 10)
    assert rt.join(pid)
    assert seen == [0, 1, 2, 3, 4]


@PLACES
def test_the_stop_word_ends_a_parent(place: str) -> None:
    rt, seen = make(), []
    ends = note_ends(rt)
    parent = spawn(rt, seen.append, place)
    child = rt.spawn_child(parent, len, 100, True)
    rt.send(parent, b"quit")
    assert rt.join(parent)
    assert seen == [b"quit"]
    assert ends == [(child, "Killed"), (parent, "Normal")]


@PLACES
def test_swaps_keep_their_place_in_the_queue(place: str) -> None:
    for seed in range(10):
        rt, seen = make(seed=seed), []
        pid = spawn(rt, lambda m, seen=seen: seen.append(("old", m)), place, budget=1)
        rt.send(pid, 1)
        rt.hot_swap(pid, lambda m, seen=seen: seen.append(("new", m)))
        rt.send(pid, 2)
        assert rt.behavior_version(pid) == 2
        rt.rollback_behavior(pid)
        rt.send(pid, 3)
        rt.run_until_idle()
        assert seen == [("old", 1), ("new", 2), ("old", 3)]


@PLACES
def test_migrate_and_swaps_that_overtake(place: str) -> None:
    rt, seen = make(), []
    pid = spawn(rt, len, place)

    def migrate(old: Any, new: Any) -> Callable[[Any], None]:
        return lambda m: seen.append((old, new, m))

    rt.hot_swap(pid, print, migrate=migrate)
    rt.send(pid, 1)
    rt.run_until_idle()
    assert seen == [(len, print, 1)]
    rt.send(pid, 2)
    rt.hot_swap(pid, lambda m: seen.append(("now", m)), when="now")
    rt.run_until_idle()
    assert seen[1:] == [("now", 2)]


@PLACES
def test_a_swap_waits_for_the_handler_that_runs(place: str) -> None:
    rt, seen = make(), []
    pid = spawn(rt, sleepy(rt, seen), place)
    rt.send(pid, 1)
    rt.send(pid, 2)
    rt.run_until_idle()
    rt.hot_swap(pid, lambda m: seen.append("new"))
    rt.send(pid, 3)
    rt.advance(5)
    assert [message for _, _, message in seen[:2]] == [1, 2]
    assert seen[2:] == ["new"]


@PLACES
def test_system_messages_reach_one_that_traps_exits(place: str) -> None:
    rt, seen = make(), []
    pid = spawn(rt, seen.append, place, trap_exit=True)
    target, partner = rt.spawn(len, release_gil=True), rt.spawn(fail)
    rt.monitor(pid, target)
    rt.link(pid, partner)
    rt.stop(target)
    rt.send(partner, 1)
    rt.run_until_idle()
    assert sorted((m.type_name, m.target_pid) for m in seen) == [
        ("DOWN", target),
        ("EXIT", partner),
    ]
    assert rt.is_alive(pid)


@PLACES
def test_links_and_names_end_with_it(place: str) -> None:
    rt = make()
    pid, partner = spawn(rt, fail, place), rt.spawn(len, release_gil=True)
    rt.link(pid, partner)
    rt.register("name", pid)
    rt.register_path("/a/b", pid)
    rt.send(pid, 1)
    rt.run_until_idle()
    assert (rt.whereis("name"), rt.whereis_path("/a/b")) == (None, None)
    assert not rt.is_alive(partner)


@PLACES
def test_timers_reach_it(place: str) -> None:
    rt, seen = make(), []
    pid = spawn(rt, lambda m: seen.append((rt.now, m)), place)
    rt.send_after(pid, 500, b"once")
    timer = rt.send_interval(pid, 1000, b"tick")
    rt.advance(2.5)
    rt.cancel_timer(timer)
    rt.advance(5)
    assert seen == [(0.5, b"once"), (1.0, b"tick"), (2.0, b"tick")]


def test_every_call_that_takes_a_message_handler_takes_release_gil() -> None:
    rt, seen = make(release_gil_max_threads=50), []
    inner = rt._inner
    parent = rt.spawn(len)

    def handler(message: Any) -> None:
        rt.sleep(1)
        seen.append(message)

    pids = [
        rt.spawn(handler, 10, True),
        rt.spawn_child(parent, handler, 10, True),
        rt.spawn_child_with_budget(parent, handler, 10, True),
        rt.spawn_child_handler_with_budget(parent, handler, 10, True),
        *rt.spawn_child_pool(parent, handler, 2, 10, True),
        inner.spawn_py_handler(handler, 10, True),
        inner.spawn_child_py_handler(parent, handler, 10, True),
    ]
    for pid in pids:
        assert rt.send(pid, pid)
    rt.run_until_idle()
    # Each has a worker that is busy now.
    assert rt.stats()["running"] == len(pids)
    rt.advance(1)
    assert sorted(seen) == sorted(pids)
    rt.stop(parent)
    assert rt.join(parent)
    assert [rt.is_alive(pid) for pid in pids] == [True, *[False] * 5, True, False]


def test_a_pool_takes_the_handler_of_a_parent_with_release_gil() -> None:
    rt, seen = make(), []
    parent = rt.spawn(seen.append, release_gil=True)
    (worker,) = rt.spawn_child_pool(parent, None, 1)
    rt.send(worker, 1)
    rt.run_until_idle()
    assert seen == [1]


# -- accounts and ends ----------------------------------------------------------------------------


@PLACES
def test_quiesce_waits_for_it_and_then_the_accounts_are_exact(place: str) -> None:
    rt, seen = make(), []
    pid = spawn(rt, sleepy(rt, seen), place)
    for number in range(3):
        rt.send(pid, number)
    rt.run_until_idle()
    stats = rt.stats()
    assert (stats["handled"], stats["running"], stats["queued"]) == (0, 1, 2)
    assert not rt.quiesce(1.5)
    assert rt.quiesce(5)
    stats = rt.stats()
    assert (stats["accepted"], stats["handled"], stats["running"]) == (3, 3, 0)
    rt.stop(pid)
    rt.join(pid)
    # What its worker has counted stays when it leaves.
    rt.run_until_idle()
    assert rt.stats()["handled"] == 3


def test_shutdown_ends_all_of_them() -> None:
    rt = make()
    pids = [rt.spawn(sleepy(rt, []), release_gil=True) for _ in range(6)]
    for pid in pids:
        rt.send(pid, 1)
    rt.run_until_idle()
    assert rt.shutdown(10) == []
    assert rt.send(pids[0], 1) is False
    for call in (lambda: rt.set_release_gil_limits(1, 1), lambda: rt.set_release_gil_strict(True)):
        with pytest.raises(iris.RuntimeClosed):
            call()
    with pytest.raises(iris.RuntimeClosed):
        rt.spawn(len, 100, True)


def test_a_child_that_does_not_end_is_orphaned() -> None:
    rt, seen = make(shutdown_timeout_s=1.0), []
    orphans: list[int] = []
    rt.add_hook("orphan", orphans.append)
    parent = rt.spawn(len)

    def handler(message: Any) -> None:
        rt.sleep(10)
        seen.append(message)

    child = rt.spawn_child(parent, handler, 100, True)
    rt.send(child, 1)
    rt.send(child, 2)
    rt.run_until_idle()
    rt.set_release_gil_strict(True)
    rt.stop(parent)
    assert rt.join(parent, 5)
    assert orphans == [child]
    assert not rt.is_alive(child)
    # Its worker is stuck, and still counts.
    with pytest.raises(LimitReached):
        rt.spawn(len, 100, True)
    rt.advance(10)
    # It came back: the message that ran was handled, the other one was not begun.
    assert seen == [1]
    stats = rt.stats()
    assert (stats["handled"], stats["expired"], stats["running"]) == (1, 1, 0)
    assert rt.is_alive(rt.spawn(len, 100, True))


def test_a_child_that_waits_for_a_stuck_pool_is_orphaned_too() -> None:
    rt = make(release_gil_pool_size=1, shutdown_timeout_s=1.0)
    rt.spawn(len, release_gil=True)
    stuck = rt.spawn(lambda m: rt.sleep(10), release_gil=True)
    rt.send(stuck, 1)
    rt.run_until_idle()
    ends = note_ends(rt)
    parent = rt.spawn(len)
    child = rt.spawn_child(parent, len, 100, True)
    rt.send(child, b"x")
    rt.stop(parent)
    assert rt.join(parent, 5)
    assert rt.now < 5
    assert [pid for pid, _ in ends] == [child, parent]
    assert not rt.is_alive(child)
    rt.advance(10)
    # Its turn came, and settled what was left of it.
    stats = rt.stats()
    assert (stats["expired"], stats["queued"], stats["running"]) == (1, 0, 0)
    assert rt.quiesce(1)
    assert [pid for pid, _ in ends] == [child, parent]


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> list[Any]:
        rt, seen = make(seed=seed), []
        pids = [rt.spawn(sleepy(rt, seen), release_gil=True) for _ in range(5)]
        for number in range(20):
            rt.send(pids[number % 5], number)
        rt.advance(60)
        return [(time, message) for time, _, message in seen]

    assert run(3) == run(3)


def test_a_step_is_one_turn_of_a_worker_too() -> None:
    rt = make()
    pid = rt.spawn(lambda m: rt.send(pid, m), release_gil=True)
    rt.send(pid, 1)
    with pytest.raises(iris.IrisError, match="not idle after 50 steps"):
        rt.run_until_idle(50)


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_what_cannot_be_release_gil(value: Any) -> None:
    rt = make()
    parent = rt.spawn(len)
    for call in (
        lambda: rt.spawn(len, 100, value),
        lambda: rt.spawn_child(parent, len, 100, value),
        lambda: rt.spawn_child_pool(parent, len, 2, 100, value),
    ):
        with pytest.raises(TypeError, match=rf"release_gil is True or False, not {value!r}"):
            call()
    assert rt.stats()["spawned"] == 1


@pytest.mark.parametrize("value", [0, -1, 1 << 30])
@pytest.mark.parametrize("place", [0, 1])
def test_limits_out_of_range_are_refused(value: int, place: int) -> None:
    rt = make()
    limits = [1, 1]
    limits[place] = value
    name = ("max_threads", "gil_pool_size")[place]
    with pytest.raises(iris.BadInput, match=rf"{name}={value} is "):
        rt.set_release_gil_limits(*limits)
    with pytest.raises(TypeError, match="max_threads is a whole number, not '4'"):
        rt.set_release_gil_limits("4", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="strict is True or False, not 1"):
        rt.set_release_gil_strict(1)  # type: ignore[arg-type]
    rt.spawn(len, release_gil=True)
    rt.set_release_gil_strict(True)
    with pytest.raises(LimitReached, match="all 1 threads"):
        rt.spawn(len, release_gil=True)


def test_bad_budgets_and_parents_leave_no_worker() -> None:
    rt = make(release_gil_strict=True)
    dead = rt.spawn(len)
    rt.stop(dead)
    rt.run_until_idle()
    with pytest.raises(iris.BadInput):
        rt.spawn(len, 0, True)
    with pytest.raises(iris.ActorDead):
        rt.spawn_child(dead, len, 100, True)
    with pytest.raises(TypeError):
        rt.spawn(None, 100, True)  # type: ignore[arg-type]
    assert rt.is_alive(rt.spawn(len, 100, True))
