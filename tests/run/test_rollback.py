"""Versions of a behaviour, the way back to earlier ones, and swaps of whole paths."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

from .actors import version


def refuse(old: Any, new: Any) -> Any:
    """A migration that fails."""
    raise ValueError("cannot migrate")


# -- versions and rollback -------------------------------------------------------------------------


def test_the_version_counts_accepted_swaps() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.behavior_version(pid) == 1
    rt.hot_swap(pid, len)
    assert rt.behavior_version(pid) == 2
    rt.run_until_idle()
    assert rt.behavior_version(pid) == 2


def test_rollback_returns_to_the_behaviour_before_in_the_order_of_the_queue() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2))
    rt.send(pid, "a")
    assert rt.rollback_behavior(pid) == 1
    rt.send(pid, "b")
    rt.run_until_idle()
    assert log == [(2, "a"), (1, "b")]
    assert rt.behavior_version(pid) == 1


def test_rollback_goes_several_steps() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    for number in (2, 3, 4):
        rt.hot_swap(pid, version(log, number))
    assert rt.rollback_behavior(pid, 2) == 2
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [(2, "a")]


@pytest.mark.parametrize("steps", [1, 2, 100])
def test_rollback_beyond_the_history_is_refused_and_changes_nothing(steps: int) -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    if steps > 1:
        rt.hot_swap(pid, version(log, 2))
    with pytest.raises(iris.BadInput, match=str(steps)):
        rt.rollback_behavior(pid, steps)
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [(rt.behavior_version(pid), "a")]


def test_the_history_is_bounded_to_sixteen_earlier_behaviours() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    for _ in range(40):
        rt.hot_swap(pid, len)
    assert rt.rollback_behavior(pid, 16) == 25
    with pytest.raises(iris.BadInput):
        rt.rollback_behavior(pid, 1)


def test_rollback_returns_to_what_the_migration_made() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2), lambda old, new: version(log, "migrated"))
    rt.run_until_idle()
    rt.hot_swap(pid, version(log, 3))
    rt.rollback_behavior(pid)
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [("migrated", "a")]


def test_rollback_asked_before_the_migration_ran_returns_to_what_it_makes() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2), lambda old, new: version(log, "migrated"))
    rt.hot_swap(pid, version(log, 3))
    rt.rollback_behavior(pid)
    rt.send(pid, "a")
    rt.run_until_idle()
    assert log == [("migrated", "a")]


def test_a_rollback_never_brings_a_refused_behaviour_into_force() -> None:
    rt, log = SimRuntime(), []
    pid = rt.spawn(version(log, 1))
    rt.hot_swap(pid, version(log, 2), refuse)
    rt.hot_swap(pid, version(log, 3))
    rt.rollback_behavior(pid)
    rt.send(pid, "a")
    rt.run_until_idle()
    assert 2 not in [number for number, _ in log]


# -- paths -----------------------------------------------------------------------------------------


def test_a_path_prefix_swaps_all_below_it_and_nothing_else() -> None:
    rt, log = SimRuntime(), []
    pids = {}
    for path in ("/svc", "/svc/a", "/svc/a/b", "/other/a"):
        pids[path] = rt.spawn(version(log, 1))
        rt.register_path(path, pids[path])
    assert rt.hot_swap_path("/svc", version(log, 2)) == 2
    for path, pid in pids.items():
        rt.send(pid, path)
    rt.run_until_idle()
    assert sorted(log) == [(1, "/other/a"), (1, "/svc"), (2, "/svc/a"), (2, "/svc/a/b")]


def test_a_path_swap_passes_over_observed_actors_or_changes_nobody() -> None:
    rt, log = SimRuntime(), []
    first, last = rt.spawn(version(log, 1)), rt.spawn(version(log, 1))
    rt.register_path("/svc/a", first)
    rt.spawn_with_path_observed(10, "/svc/b")
    rt.register_path("/svc/c", last)
    try:
        swapped = rt.hot_swap_path("/svc", version(log, 2))
    except iris.IrisError:
        swapped = 0
    versions = [rt.behavior_version(first), rt.behavior_version(last)]
    assert versions == ([2, 2] if swapped else [1, 1])


def test_an_observed_actor_has_no_behaviour_to_swap() -> None:
    rt = SimRuntime()
    pid = rt.spawn_observed_handler()
    with pytest.raises(iris.IrisError, match="observed"):
        rt.hot_swap(pid, len)
    rt.send(pid, b"x")
    assert rt.get_messages(pid) == [b"x"]


def test_the_version_of_an_observed_actor_does_not_depend_on_what_it_received() -> None:
    def asked(rt: SimRuntime, pid: int) -> Any:
        try:
            return rt.behavior_version(pid)
        except iris.IrisError:
            return "refused"

    rt = SimRuntime()
    pid, partner = rt.spawn_observed_handler(), rt.spawn(len)
    before = asked(rt, pid)
    rt.link(pid, partner)
    rt.stop(partner)
    rt.run_until_idle()
    assert asked(rt, pid) == before
