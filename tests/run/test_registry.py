"""Names, paths and supervisors' lists: what callers know actors by."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime

from .actors import end

# -- names ---------------------------------------------------------------------------------------


def test_a_registered_name_gives_the_pid_until_it_is_taken_back() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.whereis("auth") is None
    assert rt.register("auth", pid) is True
    assert rt.whereis("auth") == rt.resolve("auth") == pid
    assert rt.unregister("auth") is True
    assert rt.whereis("auth") is None
    assert rt.unregister("auth") is False


def test_a_name_taken_by_a_living_actor_is_not_given_again() -> None:
    rt = SimRuntime()
    first, second = rt.spawn(len), rt.spawn(len)
    rt.register("auth", first)
    assert rt.register("auth", second) is False
    assert rt.whereis("auth") == first


def test_the_same_actor_may_register_again_and_have_several_names() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.register("a", pid)
    assert rt.register("a", pid)
    assert rt.register("b", pid)
    assert rt.whereis("a") == rt.whereis("b") == pid


def test_the_dead_the_unknown_and_the_stopping_get_no_name() -> None:
    rt = SimRuntime()
    dead, stopping = rt.spawn(len), rt.spawn(lambda message: rt.sleep(1))
    end(rt, dead)
    rt.send(stopping, b"")
    rt.run_until_idle()
    rt.stop(stopping)
    for pid in (dead, stopping, stopping + 1):
        assert rt.register("name", pid) is False
        assert rt.register_path("/path", pid) is False
    assert rt.whereis("name") is None


def test_names_and_paths_are_freed_at_the_end_of_their_actor() -> None:
    rt = SimRuntime()
    pid, other = rt.spawn(len), rt.spawn(len)
    for name in ("a", "b"):
        rt.register(name, pid)
        rt.register_path(f"/svc/{name}", pid)
    end(rt, pid)
    for name in ("a", "b"):
        assert rt.whereis(name) is None
        assert rt.register(name, other)
        assert rt.register_path(f"/svc/{name}", other)
    assert rt.list_children("/svc") == [other]


def test_a_name_taken_back_and_given_on_survives_the_end_of_its_first_holder() -> None:
    rt = SimRuntime()
    first, second = rt.spawn(len), rt.spawn(len)
    rt.register("name", first)
    rt.register_path("/path", first)
    rt.unregister("name")
    rt.unregister_path("/path")
    rt.register("name", second)
    rt.register_path("/path", second)
    end(rt, first)
    assert rt.whereis("name") == rt.whereis_path("/path") == second


def test_a_name_has_at_most_1024_bytes() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.register("é" * 512, pid)
    with pytest.raises(iris.BadInput, match="1024"):
        rt.register("é" * 512 + "x", pid)


# -- paths ---------------------------------------------------------------------------------------


def tree(rt: SimRuntime, *paths: str) -> dict[str, int]:
    """Actors at these paths."""
    pids = {path: rt.spawn(len) for path in paths}
    assert all(rt.register_path(path, pid) for path, pid in pids.items())
    return pids


def test_a_path_gives_its_actor_and_nothing_above_or_below_does() -> None:
    rt = SimRuntime()
    pids = tree(rt, "/system/service/one")
    assert rt.whereis_path("/system/service/one") == pids["/system/service/one"]
    for path in ("/system", "/system/service", "/system/service/one/two", "/system/service/on"):
        assert rt.whereis_path(path) is None


def test_list_children_gives_all_below_and_list_children_direct_one_level() -> None:
    rt = SimRuntime()
    pids = tree(rt, "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/x", "/ab", "/ab/c")
    below = [pids[path] for path in ("/a/b", "/a/b/c", "/a/b/c/d", "/a/x")]
    assert sorted(rt.list_children("/a")) == sorted(below)
    assert sorted(rt.list_children_direct("/a")) == sorted([pids["/a/b"], pids["/a/x"]])
    assert sorted(rt.list_children("/")) == sorted(pids.values())
    assert sorted(rt.list_children_direct("/")) == sorted([pids["/a"], pids["/ab"]])
    assert rt.list_children("/none") == rt.list_children_direct("/a/b/c/d") == []


def test_direct_children_do_not_count_what_lies_deeper_without_a_holder_between() -> None:
    rt = SimRuntime()
    pids = tree(rt, "/svc/payment/one")
    assert rt.list_children_direct("/svc") == []
    assert rt.list_children_direct("/svc/payment") == list(pids.values())


def test_an_actor_with_several_paths_is_listed_once() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.register_path("/svc/a", pid)
    rt.register_path("/svc/b", pid)
    assert rt.list_children("/svc") == rt.list_children_direct("/svc") == [pid]


def test_a_path_of_a_living_actor_is_not_given_again() -> None:
    rt = SimRuntime()
    pids = tree(rt, "/svc/a")
    assert rt.register_path("/svc/a", rt.spawn(len)) is False
    assert rt.register_path("/svc/a", pids["/svc/a"]) is True


def test_an_unregistered_path_is_gone_and_others_stay() -> None:
    rt = SimRuntime()
    pids = tree(rt, "/a", "/a/b")
    assert rt.unregister_path("/a") is True
    assert rt.unregister_path("/a") is False
    assert rt.whereis_path("/a") is None
    assert rt.list_children("/a") == [pids["/a/b"]]


@pytest.mark.parametrize("path", ["/" + "x" * 1023, "/" + "é" * 511 + "x", "/a/b c/ü", "/."])
def test_paths_up_to_1024_bytes_of_any_characters_are_good(path: str) -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.register_path(path, pid)
    assert rt.whereis_path(path) == pid


# -- supervisors' lists ----------------------------------------------------------------------------


def test_watched_actors_are_listed_while_they_live() -> None:
    rt = SimRuntime()
    first, second = rt.spawn(len), rt.spawn(len)
    assert (rt.child_pids(), rt.children_count()) == ([], 0)
    rt.watch(first)
    rt.watch(second)
    rt.watch(first)
    assert (rt.child_pids(), rt.children_count()) == ([first, second], 2)
    end(rt, first)
    assert (rt.child_pids(), rt.children_count()) == ([second], 1)


def test_watch_path_takes_the_present_direct_children_only() -> None:
    rt = SimRuntime()
    pids = tree(rt, "/system/service/one", "/system/service/two", "/system/service/two/deep")
    rt.watch_path("/system/service")
    later = tree(rt, "/system/service/late")
    assert rt.child_pids() == [pids["/system/service/one"], pids["/system/service/two"]]
    assert rt.children_count() == 2
    assert not set(later.values()) & set(rt.child_pids())


def test_a_path_supervisor_lists_what_it_was_given_while_it_lives() -> None:
    rt = SimRuntime()
    one = rt.spawn_with_path_observed(10, "/svc/test/one")
    two = rt.spawn(len)
    rt.create_path_supervisor("/svc/test")
    assert rt.path_supervisor_children("/svc/test") == []
    rt.path_supervisor_watch("/svc/test", one)
    rt.path_supervisor_watch("/svc/test", two)
    assert rt.path_supervisor_children("/svc/test") == [one, two]
    assert rt.child_pids() == []
    end(rt, one)
    assert rt.path_supervisor_children("/svc/test") == [two]


def test_path_supervisors_do_not_know_each_others_actors() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    for path in ("/svc", "/svc/test"):
        rt.create_path_supervisor(path)
    rt.path_supervisor_watch("/svc/test", pid)
    assert rt.path_supervisor_children("/svc") == []


def test_a_removed_path_supervisor_leaves_its_actors_alive() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.create_path_supervisor("/svc") is True
    assert rt.create_path_supervisor("/svc") is False
    rt.path_supervisor_watch("/svc", pid)
    assert rt.remove_path_supervisor("/svc") is True
    assert rt.remove_path_supervisor("/svc") is False
    rt.run_until_idle()
    assert rt.is_alive(pid)
    assert rt.create_path_supervisor("/svc") is True
    assert rt.path_supervisor_children("/svc") == []


@pytest.mark.parametrize(
    "call",
    [
        lambda rt, pid: rt.watch(pid),
        lambda rt, pid: rt.path_supervisor_watch("/svc", pid),
        lambda rt, pid: rt.behavior_version(pid),
        lambda rt, pid: rt.rollback_behavior(pid),
        lambda rt, pid: rt.monitor(pid, pid),
        lambda rt, pid: rt.set_overflow_policy(pid, "dropold"),
        lambda rt, pid: rt.get_messages(pid),
        lambda rt, pid: rt.spawn_child(pid, len),
        lambda rt, pid: rt.spawn_child_with_mailbox(pid, len),
        lambda rt, pid: rt.spawn_child_pool(pid, None, 2),
    ],
)
def test_calls_that_need_a_living_actor_raise_for_the_ended_one(
    call: Callable[[SimRuntime, int], Any],
) -> None:
    rt = SimRuntime()
    rt.create_path_supervisor("/svc")
    pid = rt.spawn(len)
    end(rt, pid)
    with pytest.raises(iris.ActorDead, match=str(pid)):
        call(rt, pid)
    assert rt.stats()["actors"] == 0
