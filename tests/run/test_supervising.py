"""Actors supervised by pid: the global supervisor and those of paths, and their factories."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

from iris import ActorDead, ActorError, BadInput, ChildReport, ExitReason, RuntimeClosed
from iris.testing import SimRuntime

LONG_S = 60.0


def fails(_: Any) -> None:
    raise ValueError("no")


class Plant:
    """A factory of pids that keeps books; `makes` is what it makes them of."""

    def __init__(self, rt: SimRuntime, makes: Callable[[Any], Any] = fails) -> None:
        self.rt = rt
        self.makes = makes
        self.made: list[int] = []
        self.first = rt.spawn(makes)

    def __call__(self) -> int:
        pid = self.rt.spawn(self.makes)
        self.made.append(pid)
        return pid


@pytest.fixture
def rt() -> SimRuntime:
    return SimRuntime(seed=1)


def supervised(rt: SimRuntime, count: int, strategy: str) -> list[Plant]:
    plants = [Plant(rt) for _ in range(count)]
    for plant in plants:
        rt.supervise_with_factory(plant.first, plant, strategy)
    return plants


@pytest.mark.parametrize("strategy", ["restartone", "RestartOne", "RESTARTONE"])
@pytest.mark.parametrize("end", ["fail", "stop"])
def test_an_actor_is_replaced_after_any_end(rt: SimRuntime, strategy: str, end: str) -> None:
    (plant,) = supervised(rt, 1, strategy)
    if end == "fail":
        rt.send(plant.first, 1)
    else:
        rt.stop(plant.first)
    rt.advance(1.0)
    assert rt.child_pids() == plant.made
    assert len(plant.made) == 1
    assert not rt.is_alive(plant.first)
    assert rt.send(plant.first, 1) is False
    with pytest.raises(ActorDead):
        rt.ask(plant.first, 1, 1.0)
    assert rt.stats()["restarts"] == 1


def test_the_queue_of_a_replaced_actor_expires(rt: SimRuntime) -> None:
    (plant,) = supervised(rt, 1, "restartone")
    for number in range(3):
        rt.send(plant.first, number)
    rt.advance(1.0)
    stats = rt.stats()
    assert (stats["failed"], stats["expired"], stats["handled"]) == (1, 2, 0)
    assert [letter.reason for letter in rt.dead_letters()] == ["expired"] * 2


def test_one_for_one_leaves_the_others_alone(rt: SimRuntime) -> None:
    one, two, three = supervised(rt, 3, "restartone")
    rt.send(two.first, 1)
    rt.advance(1.0)
    assert rt.child_pids() == [one.first, *two.made, three.first]


def test_restartall_replaces_all_and_keeps_their_order(rt: SimRuntime) -> None:
    plants = supervised(rt, 3, "restartall")
    ended: list[int] = []
    rt.add_hook("exit", lambda pid, _: ended.append(pid))
    rt.send(plants[1].first, 1)
    rt.advance(1.0)
    one, two, three = (plant.first for plant in plants)
    assert ended == [two, three, one]
    assert rt.child_pids() == [plant.made[0] for plant in plants]
    assert [len(plant.made) for plant in plants] == [1, 1, 1]
    assert plants[0].made < plants[1].made < plants[2].made


def test_restartrest_replaces_those_that_came_later(rt: SimRuntime) -> None:
    one, two, three = supervised(rt, 3, "RestartRest")
    rt.send(two.first, 1)
    rt.advance(1.0)
    assert rt.child_pids() == [one.first, *two.made, *three.made]


def test_siblings_are_told_who_brought_their_end_about(rt: SimRuntime) -> None:
    plants = supervised(rt, 2, "restartall")
    watcher = rt.spawn_observed_handler()
    rt.monitor(watcher, plants[1].first)
    rt.send(plants[0].first, 1)
    rt.advance(1.0)
    (down,) = rt.get_messages(watcher)
    assert (down.type_name, down.reason, down.target_pid) == ("DOWN", "Killed", plants[1].first)


def test_a_new_actor_is_supervised_as_the_old_one_was(rt: SimRuntime) -> None:
    (plant,) = supervised(rt, 1, "restartone")
    for _ in range(3):
        rt.stop(rt.child_pids()[0])
        rt.advance(6.0)
    assert rt.child_pids() == plant.made[2:]


def test_an_actor_that_ends_too_often_is_given_up_and_others_are_not(rt: SimRuntime) -> None:
    given_up: list[ChildReport] = []
    rt.add_hook("give_up", given_up.append)
    bad, good = supervised(rt, 2, "restartone")
    for _ in range(4):
        rt.stop(rt.child_pids()[0])
        rt.advance(0.5)
    assert rt.child_pids() == [good.first]
    assert len(bad.made) == 3
    (report,) = given_up
    assert (report.pid, report.reason, report.restarts) == (bad.made[-1], "Killed", 3)
    rt.stop(good.first)
    rt.advance(1.0)
    assert rt.child_pids() == good.made


def test_ends_that_lie_further_apart_are_restarted_for_ever(rt: SimRuntime) -> None:
    (plant,) = supervised(rt, 1, "restartone")
    for _ in range(20):
        rt.stop(rt.child_pids()[0])
        rt.advance(5.5)
    assert rt.child_pids() == plant.made[-1:]
    assert len(plant.made) == 20


def test_hooks_are_told_of_each_restart(rt: SimRuntime) -> None:
    reports: list[ChildReport] = []
    rt.add_hook("restart", reports.append)
    one, two = supervised(rt, 2, "restartall")
    rt.send(one.first, 1)
    rt.advance(1.0)
    assert [(each.previous_pid, each.pid, each.reason) for each in reports] == [
        (one.first, one.made[0], ExitReason.PANIC),
        (two.first, two.made[0], None),
    ]
    assert [each.restarts for each in reports] == [1, 1]


# -- factories -------------------------------------------------------------------------------------


def a_dead_pid(rt: SimRuntime) -> int:
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.join(pid)
    return pid


@pytest.mark.parametrize(
    "result",
    [
        lambda rt, other: None,
        lambda rt, other: "pid",
        lambda rt, other: 0,
        lambda rt, other: -1,
        lambda rt, other: 2**64,
        lambda rt, other: a_dead_pid(rt),
        lambda rt, other: other,
        lambda rt, other: 1 / 0,
    ],
    ids=["None", "str", "0", "-1", "2**64", "dead", "another's", "raises"],
)
def test_a_factory_that_makes_no_actor_is_a_failed_restart(
    rt: SimRuntime, result: Callable[[SimRuntime, int], Any], caplog: pytest.LogCaptureFixture
) -> None:
    other = Plant(rt)
    rt.supervise_with_factory(other.first, other, "restartone")
    pid, calls = rt.spawn(len), []

    def factory() -> Any:
        calls.append(rt.now)
        return result(rt, other.first)

    rt.supervise_with_factory(pid, factory, "restartone")
    rt.stop(pid)
    rt.advance(LONG_S)
    assert len(calls) == 3
    assert calls == sorted(calls)
    assert rt.child_pids() == [other.first]
    assert rt.stats()["restarts"] == 0
    assert "could not be started again" in caplog.text
    assert "gives up" in caplog.text


def test_a_factory_that_recovers_is_tried_again(rt: SimRuntime) -> None:
    pid, failures = rt.spawn(len), [1, 2]

    def factory() -> int:
        if failures:
            raise OSError(failures.pop())
        return rt.spawn(len)

    rt.supervise_with_factory(pid, factory)
    rt.stop(pid)
    rt.advance(LONG_S)
    (new,) = rt.child_pids()
    assert rt.is_alive(new)


def test_a_factory_may_wait_and_others_go_on(rt: SimRuntime) -> None:
    slow, quick = rt.spawn(len), Plant(rt)

    def factory() -> int:
        rt.sleep(100.0)
        return rt.spawn(len)

    rt.supervise_with_factory(slow, factory)
    rt.supervise_with_factory(quick.first, quick)
    rt.stop(slow)
    rt.stop(quick.first)
    rt.advance(1.0)
    assert rt.child_pids() == quick.made
    rt.advance(100.0)
    assert rt.children_count() == 2


def test_a_factory_runs_in_no_actor(rt: SimRuntime) -> None:
    pid, seen = rt.spawn(len), []

    def factory() -> int:
        try:
            rt.self_pid()
        except ActorError as error:
            seen.append(error)
        return rt.spawn(len)

    rt.supervise_with_factory(pid, factory)
    rt.stop(pid)
    rt.advance(1.0)
    assert len(seen) == 1


def test_a_factory_may_ask_an_actor(rt: SimRuntime) -> None:
    book = rt.spawn(lambda name: __import__("iris").reply(f"{name}!"))
    pid, answers = rt.spawn(len), []

    def factory() -> int:
        answers.append(rt.ask(book, "who", 1.0))
        return rt.spawn(len)

    rt.supervise_with_factory(pid, factory)
    rt.stop(pid)
    rt.advance(1.0)
    assert answers == ["who!"]
    assert rt.children_count() == 1


@pytest.mark.parametrize("factory", [None, 1, "factory"])
def test_what_cannot_be_called_is_no_factory(rt: SimRuntime, factory: Any) -> None:
    pid = rt.spawn(len)
    with pytest.raises(TypeError, match="factory is a callable"):
        rt.supervise_with_factory(pid, factory, "restartone")
    assert rt.child_pids() == []


def test_an_async_factory_is_refused(rt: SimRuntime) -> None:
    async def factory() -> int:
        return 1

    with pytest.raises(TypeError, match="is async"):
        rt.supervise_with_factory(rt.spawn(len), factory, "restartone")  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["restart", "oneforone", "", "restart one"])
def test_a_misspelt_strategy_is_refused_and_nothing_changes(rt: SimRuntime, strategy: str) -> None:
    plant = Plant(rt)
    for call in (
        lambda: rt.supervise_with_factory(plant.first, plant, strategy),
        lambda: rt.path_supervise_with_factory("/a", plant.first, plant, strategy),
        lambda: rt.watch(plant.first, strategy),
    ):
        with pytest.raises(BadInput, match="is unknown; give one of 'restartone'"):
            call()
    assert rt.child_pids() == []
    with pytest.raises(BadInput, match="no supervisor for path '/a'"):
        rt.path_supervisor_children("/a")


def test_an_actor_that_has_ended_cannot_be_supervised(rt: SimRuntime) -> None:
    dead = a_dead_pid(rt)
    with pytest.raises(ActorDead):
        rt.supervise_with_factory(dead, lambda: 1, "restartone")
    with pytest.raises(ActorDead):
        rt.watch(dead)


# -- lists -----------------------------------------------------------------------------------------


def test_a_watched_actor_is_not_replaced(rt: SimRuntime) -> None:
    pid = rt.spawn(len)
    rt.watch(pid, "RestartAll")
    rt.stop(pid)
    rt.advance(LONG_S)
    assert (rt.child_pids(), rt.stats()["restarts"]) == ([], 0)


def test_the_end_of_a_watched_actor_restarts_others_as_its_strategy_says(rt: SimRuntime) -> None:
    plants = supervised(rt, 2, "restartone")
    pid = rt.spawn(len)
    rt.watch(pid, "restartall")
    rt.stop(pid)
    rt.advance(1.0)
    assert rt.child_pids() == [plants[0].made[0], plants[1].made[0]]


def test_watched_siblings_are_not_ended_for_others(rt: SimRuntime) -> None:
    plants = supervised(rt, 2, "restartall")
    watched = rt.spawn(len)
    rt.watch(watched)
    rt.stop(plants[0].first)
    rt.advance(1.0)
    assert rt.is_alive(watched)
    assert rt.child_pids() == [plants[0].made[0], plants[1].made[0], watched]


def test_a_watched_actor_can_be_given_a_factory_later(rt: SimRuntime) -> None:
    plant = Plant(rt)
    rt.watch(plant.first)
    rt.supervise_with_factory(plant.first, plant)
    rt.watch(plant.first)
    assert rt.child_pids() == [plant.first]
    rt.stop(plant.first)
    rt.advance(1.0)
    assert rt.child_pids() == plant.made


def test_a_second_factory_takes_the_place_of_the_first(rt: SimRuntime) -> None:
    one, two = Plant(rt), Plant(rt)
    rt.supervise_with_factory(one.first, one)
    rt.supervise_with_factory(one.first, two)
    rt.stop(one.first)
    rt.advance(1.0)
    assert (one.made, rt.child_pids()) == ([], two.made)


def test_two_supervisors_with_factories_are_one_too_many(rt: SimRuntime) -> None:
    plant = Plant(rt)
    rt.supervise_with_factory(plant.first, plant)
    rt.create_path_supervisor("/a")
    with pytest.raises(BadInput, match=r"unsupervise\(\d+\) first"):
        rt.path_supervise_with_factory("/a", plant.first, plant)
    rt.path_supervisor_watch("/a", plant.first)
    assert rt.path_supervisor_children("/a") == [plant.first]
    rt.stop(plant.first)
    rt.advance(1.0)
    assert (rt.child_pids(), rt.path_supervisor_children("/a")) == (plant.made, [])


def test_unsupervise_first_to_end_one_for_good(rt: SimRuntime) -> None:
    (plant,) = supervised(rt, 1, "restartone")
    assert rt.unsupervise(plant.first) is True
    assert rt.unsupervise(plant.first) is False
    assert rt.is_alive(plant.first)
    rt.stop(plant.first)
    rt.advance(LONG_S)
    assert (plant.made, rt.child_pids()) == ([], [])


def test_unsupervise_calls_a_restart_off_that_is_to_come(rt: SimRuntime) -> None:
    pid, calls = rt.spawn(len), []

    def factory() -> int:
        calls.append(1)
        raise OSError("not yet")

    rt.supervise_with_factory(pid, factory)
    rt.stop(pid)
    while not calls:
        rt.advance(0.001)
    assert rt.unsupervise(pid) is True
    count = len(calls)
    rt.advance(LONG_S)
    assert len(calls) == count


def test_what_a_factory_makes_after_unsupervise_is_stopped(rt: SimRuntime) -> None:
    pid, made = rt.spawn(len), []

    def factory() -> int:
        rt.sleep(5.0)
        made.append(rt.spawn(len))
        return made[0]

    rt.supervise_with_factory(pid, factory)
    rt.stop(pid)
    rt.advance(1.0)
    assert rt.unsupervise(pid)
    rt.advance(LONG_S)
    assert [rt.is_alive(each) for each in made] == [False]


def test_the_supervisor_of_a_path_scopes_the_rules_to_its_list(rt: SimRuntime) -> None:
    rt.create_path_supervisor("/svc")
    inside, outside = [Plant(rt), Plant(rt)], Plant(rt)
    for plant in inside:
        rt.path_supervise_with_factory("/svc", plant.first, plant, "RestartAll")
    rt.supervise_with_factory(outside.first, outside, "restartall")
    rt.stop(inside[0].first)
    rt.advance(1.0)
    assert rt.path_supervisor_children("/svc") == [plant.made[0] for plant in inside]
    assert rt.child_pids() == [outside.first]


def test_the_supervisor_of_a_path_is_made_with_the_first_factory(rt: SimRuntime) -> None:
    plant = Plant(rt)
    rt.path_supervise_with_factory("/svc", plant.first, plant, "restartone")
    assert rt.path_supervisor_children("/svc") == [plant.first]


def test_a_factory_may_take_the_path_of_the_actor_it_replaces(rt: SimRuntime) -> None:
    path = "/svc/worker"
    rt.create_path_supervisor("/svc")
    pid = rt.spawn_with_path_observed(10, path)

    def factory() -> int:
        return rt.spawn_with_path_observed(10, path)

    rt.path_supervise_with_factory("/svc", pid, factory, "restartone")
    rt.stop(pid)
    rt.advance(1.0)
    (new,) = rt.path_supervisor_children("/svc")
    assert rt.whereis_path(path) == new != pid


def test_a_removed_supervisor_restarts_nobody(rt: SimRuntime) -> None:
    plant = Plant(rt)
    rt.path_supervise_with_factory("/svc", plant.first, plant)
    assert rt.remove_path_supervisor("/svc") is True
    rt.stop(plant.first)
    rt.advance(LONG_S)
    assert plant.made == []


def test_a_removed_supervisor_calls_its_restarts_off(rt: SimRuntime) -> None:
    pid = rt.spawn(len)
    rt.path_supervise_with_factory("/svc", pid, lambda: 0)
    rt.stop(pid)
    rt.run_until_idle()
    assert rt.remove_path_supervisor("/svc") is True
    rt.advance(LONG_S)
    assert rt.stats()["restarts"] == 0


# -- observers -------------------------------------------------------------------------------------


def exits(messages: list[Any]) -> list[tuple[str, int, Optional[str]]]:
    return [(each.type_name, each.target_pid, each.reason) for each in messages]


@pytest.mark.parametrize("path", [None, "/svc"])
def test_an_observer_gets_one_exit_for_each_child_that_ends(
    rt: SimRuntime, path: Optional[str]
) -> None:
    watcher, plant = rt.spawn_observed_handler(), Plant(rt)
    if path is None:
        rt.supervise_with_factory(plant.first, plant)
    else:
        rt.path_supervise_with_factory(path, plant.first, plant)
    rt.observe_supervisor(watcher, path)
    rt.send(plant.first, 1)
    rt.advance(1.0)
    rt.stop(plant.made[0])
    rt.advance(1.0)
    assert exits(rt.get_messages(watcher)) == [
        ("EXIT", plant.first, "Panic"),
        ("EXIT", plant.made[0], "Killed"),
    ]


def test_an_observer_that_is_linked_too_is_told_once(rt: SimRuntime) -> None:
    watcher, plant = rt.spawn_observed_handler(), Plant(rt)
    rt.supervise_with_factory(plant.first, plant)
    rt.observe_supervisor(watcher)
    rt.create_path_supervisor("/a")
    rt.path_supervisor_watch("/a", plant.first)
    rt.observe_supervisor(watcher, "/a")
    rt.link(watcher, plant.first)
    rt.send(plant.first, 1)
    rt.advance(1.0)
    assert exits(rt.get_messages(watcher)) == [("EXIT", plant.first, "Panic")]


def test_a_parent_that_observes_is_told_once(rt: SimRuntime) -> None:
    watcher = rt.spawn_observed_handler()
    child = rt.spawn_child(watcher, fails)
    rt.watch(child)
    rt.observe_supervisor(watcher)
    rt.send(child, 1)
    rt.advance(1.0)
    assert exits(rt.get_messages(watcher)) == [("EXIT", child, "Panic")]


def test_an_observer_is_told_of_swaps(rt: SimRuntime) -> None:
    watcher, pid = rt.spawn_observed_handler(), rt.spawn(len)
    rt.watch(pid)
    rt.observe_supervisor(watcher)
    rt.hot_swap(pid, print)
    rt.advance(1.0)
    (message,) = rt.get_messages(watcher)
    assert (message.type_name, message.target_pid) == ("HOT_SWAP", pid)
    assert message.metadata == {"version": 2}


def test_a_swap_that_is_refused_is_no_news(rt: SimRuntime) -> None:
    watcher, pid = rt.spawn_observed_handler(), rt.spawn(len)
    rt.watch(pid)
    rt.observe_supervisor(watcher)
    rt.hot_swap(pid, print, migrate=lambda old, new: 1 / 0)
    rt.advance(1.0)
    assert rt.get_messages(watcher) == []
    assert rt.is_alive(pid)


def test_an_observer_can_be_taken_off(rt: SimRuntime) -> None:
    watcher, pid = rt.spawn_observed_handler(), rt.spawn(len)
    rt.watch(pid)
    rt.observe_supervisor(watcher)
    rt.observe_supervisor(None)
    rt.stop(pid)
    rt.advance(1.0)
    assert rt.get_messages(watcher) == []


def test_an_observer_has_to_be_able_to_receive(rt: SimRuntime) -> None:
    with pytest.raises(ActorError, match="trap_exit=True"):
        rt.observe_supervisor(rt.spawn(len))
    with pytest.raises(ActorDead):
        rt.observe_supervisor(a_dead_pid(rt))
    with pytest.raises(BadInput, match="no supervisor for path"):
        rt.observe_supervisor(rt.spawn_observed_handler(), "/nowhere")


# -- the runtime -----------------------------------------------------------------------------------


def test_shutdown_restarts_nobody(rt: SimRuntime) -> None:
    plants = supervised(rt, 3, "restartall")
    assert rt.shutdown() == []
    assert [plant.made for plant in plants] == [[], [], []]
    with pytest.raises(RuntimeClosed):
        rt.supervise_with_factory(plants[0].first, plants[0])


def test_shutdown_in_the_middle_of_a_restart_ends(rt: SimRuntime) -> None:
    pid = rt.spawn(len)

    def factory() -> int:
        rt.sleep(1.0)
        return rt.spawn(len)

    rt.supervise_with_factory(pid, factory)
    rt.stop(pid)
    rt.advance(0.5)
    assert rt.shutdown() == []


def test_fates_add_up_over_restarts(rt: SimRuntime) -> None:
    plants = supervised(rt, 5, "restartone")
    for _ in range(10):
        for pid in rt.child_pids():
            rt.send(pid, 1)
            rt.send(pid, 2)
        rt.advance(5.5)
    stats = rt.stats()
    assert stats["accepted"] == stats["failed"] + stats["expired"] == 100
    assert stats["restarts"] == sum(len(plant.made) for plant in plants) == 50
