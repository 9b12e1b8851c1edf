"""`iris.Supervisor`: children made from specs, restarted in place, and their supervisor's end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional, Union

import pytest

import iris
from iris import (
    ActorCrash,
    ActorDead,
    ActorError,
    BadInput,
    ChildInfo,
    ChildSpec,
    StartFailed,
    Supervisor,
    SupervisorSpec,
)
from iris.testing import SimRuntime

LONG_S = 60.0
Spec = Union[ChildSpec, SupervisorSpec]


@pytest.fixture
def rt() -> SimRuntime:
    return SimRuntime(seed=2)


class Works:
    """Makes specs whose children write down what they handle and when they begin."""

    def __init__(self, rt: SimRuntime) -> None:
        self.rt = rt
        self.begun: list[str] = []
        self.handled: list[tuple[str, Any]] = []
        rt.add_hook("exit", lambda pid, _: self.ended.append(pid))
        self.ended: list[int] = []
        self.factory_error: Optional[Exception] = None
        # What all factories raise from now on.

    def spec(self, called: str, **options: Any) -> ChildSpec:
        def factory() -> Callable[[Any], None]:
            if self.factory_error is not None:
                raise self.factory_error
            self.begun.append(called)

            def handler(message: Any) -> None:
                if message == "fail":
                    raise ValueError(called)
                if message == "crash":
                    raise ActorCrash(called)
                if message == "end":
                    self.rt.stop(self.rt.self_pid())
                    return
                self.handled.append((called, message))

            return handler

        return ChildSpec(called, factory, **options)

    def specs(self, names: str, **options: Any) -> list[ChildSpec]:
        return [self.spec(name, **options) for name in names]


@pytest.fixture
def works(rt: SimRuntime) -> Works:
    return Works(rt)


def pids(supervisor: Supervisor) -> list[Optional[int]]:
    return [info.pid for info in supervisor.children()]


# -- starting --------------------------------------------------------------------------------------


def test_children_are_started_in_order_and_can_be_found(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("abc"))
    assert works.begun == list("abc")
    assert [supervisor.pid_of(name) for name in "abc"] == pids(supervisor)
    assert supervisor.pid_of("d") is None
    assert all(info.state == "up" and info.restarts == 0 for info in supervisor.children())
    assert rt.is_alive(supervisor.pid)


def test_a_supervisor_without_children_is_one(rt: SimRuntime) -> None:
    supervisor = Supervisor(rt)
    assert supervisor.children() == ()
    assert supervisor.stop() is True
    assert not rt.is_alive(supervisor.pid)


def test_a_supervisor_takes_no_messages(rt: SimRuntime) -> None:
    supervisor = Supervisor(rt)
    assert rt.send(supervisor.pid, 1) is False
    with pytest.raises(ActorError, match="is a supervisor, which takes no messages"):
        rt.ask(supervisor.pid, 1, timeout_s=1.0)
    assert rt.stats()["refused"] == 2
    with pytest.raises(BadInput):
        rt.hot_swap(supervisor.pid, len)


def test_a_supervisor_can_have_a_name(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"), name="top")
    assert rt.whereis("top") == supervisor.pid
    assert "top" in repr(supervisor)
    with pytest.raises(BadInput, match="'top' is held by actor"):
        Supervisor(rt, works.specs("b"), name="top")
    assert works.begun == ["a"]


def test_a_factory_that_fails_at_the_start_undoes_it(rt: SimRuntime, works: Works) -> None:
    def fails() -> Any:
        raise OSError("no file")

    before = rt.stats()["actors"]
    what = r"^'top' > 'bad' could not be started: OSError: no file$"
    specs = [*works.specs("ab"), ChildSpec("bad", fails), works.spec("c")]
    with pytest.raises(StartFailed, match=what) as raised:
        Supervisor(rt, specs, name="top")
    assert isinstance(raised.value.__cause__, OSError)
    assert works.begun == ["a", "b"]
    assert rt.stats()["actors"] == before


def test_a_failed_start_waits_until_all_that_was_started_has_ended(rt: SimRuntime) -> None:
    def busy(_: Any) -> None:
        rt.sleep(3.0)

    def fails() -> Any:
        rt.send_named("busy", "work")
        rt.sleep(1.0)
        raise OSError("no file")

    specs = [ChildSpec("a", lambda: busy, name="busy"), ChildSpec("bad", fails)]
    for _ in range(2):
        # At once again: nothing of the first try is in the way.
        with pytest.raises(StartFailed, match="OSError: no file"):
            Supervisor(rt, specs, name="top")
        assert rt.stats()["actors"] == 0


@pytest.mark.parametrize("result", [None, 5, "handler"])
def test_a_factory_that_gives_no_handler_fails_the_start(rt: SimRuntime, result: Any) -> None:
    with pytest.raises(StartFailed, match="TypeError: a handler is a callable"):
        Supervisor(rt, [ChildSpec("bad", lambda: result)])
    assert rt.stats()["actors"] == 0


def test_a_factory_that_gives_an_async_handler_fails_the_start(rt: SimRuntime) -> None:
    async def handler(_: Any) -> None: ...

    with pytest.raises(StartFailed, match="is async"):
        Supervisor(rt, [ChildSpec("bad", lambda: handler)])


def test_a_name_that_is_taken_fails_the_start_and_frees_what_was_taken(
    rt: SimRuntime, works: Works
) -> None:
    rt.register("one", rt.spawn(len))
    specs = [works.spec("a", name="two", path="/two"), works.spec("b", name="one")]
    with pytest.raises(StartFailed, match="'one' is held by actor"):
        Supervisor(rt, specs)
    assert (rt.whereis("two"), rt.whereis_path("/two"), rt.stats()["actors"]) == (None, None, 1)


@pytest.mark.parametrize(
    "children", [5, [5], ["a"], {"a": len}, None, "ab", ChildSpec("a", lambda: print)]
)
def test_what_is_no_spec_is_refused(rt: SimRuntime, children: Any) -> None:
    with pytest.raises(TypeError, match="ChildSpec"):
        Supervisor(rt, children)
    assert rt.stats()["actors"] == 0


@pytest.mark.parametrize("name", [5, 0, b"top", ""])
def test_a_name_that_cannot_be_is_refused(rt: SimRuntime, name: Any) -> None:
    with pytest.raises((TypeError, BadInput), match="an actor's name"):
        Supervisor(rt, name=name)
    assert rt.stats()["actors"] == 0


def test_a_supervisor_needs_a_runtime() -> None:
    with pytest.raises(TypeError, match=r"rt is an iris.Runtime"):
        Supervisor(None)  # type: ignore[arg-type]


def test_it_can_be_made_in_a_handler(rt: SimRuntime, works: Works) -> None:
    made: list[Supervisor] = []
    pid = rt.spawn(lambda _: made.append(Supervisor(rt, works.specs("ab"))))
    rt.send(pid, 1)
    rt.run_until_idle()
    assert works.begun == ["a", "b"]
    assert made[0].stop()


@pytest.mark.parametrize(
    "options", [{}, {"release_gil": True}, {"capacity": 5}, {"trap_exit": True}]
)
def test_a_child_is_the_kind_of_actor_that_its_spec_asks_for(
    rt: SimRuntime, works: Works, options: dict[str, Any]
) -> None:
    supervisor = Supervisor(rt, [works.spec("a", **options)])
    pid = supervisor.pid_of("a")
    assert pid is not None
    rt.send(pid, 1)
    rt.run_until_idle()
    assert works.handled == [("a", 1)]
    rt.send(pid, "fail")
    rt.send(pid, 2)
    rt.advance(1.0)
    assert works.handled == [("a", 1), ("a", 2)]
    assert supervisor.pid_of("a") == pid


# -- restarts in place -----------------------------------------------------------------------------


def test_a_failed_child_keeps_its_pid_its_names_and_its_queue(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, [works.spec("a", name="name", path="/path")])
    pid = supervisor.pid_of("a")
    assert pid is not None
    for message in (1, "fail", 2, 3):
        rt.send(pid, message)
    rt.advance(1.0)
    assert supervisor.pid_of("a") == pid == rt.whereis("name") == rt.whereis_path("/path")
    assert works.handled == [("a", 1), ("a", 2), ("a", 3)]
    assert works.begun == ["a", "a"]
    (info,) = supervisor.children()
    assert (info.restarts, info.state) == (1, "up")
    assert rt.stats()["restarts"] == 1
    assert works.ended == []


def test_each_start_begins_with_the_state_that_the_factory_makes(rt: SimRuntime) -> None:
    seen: list[int] = []

    def factory() -> Callable[[Any], None]:
        count = 0

        def handler(message: Any) -> None:
            nonlocal count
            count += 1
            seen.append(count)
            if message == "fail":
                raise ValueError

        return handler

    supervisor = Supervisor(rt, [ChildSpec("a", factory)])
    for message in (1, 2, "fail", 3):
        rt.send(supervisor.pid_of("a") or 0, message)
    rt.advance(1.0)
    assert seen == [1, 2, 3, 1]


def test_a_pull_child_is_restarted_with_what_is_left_in_its_mailbox(rt: SimRuntime) -> None:
    seen: list[Any] = []

    def factory() -> Callable[[Any], None]:
        def body(mailbox: Any) -> None:
            seen.append("begin")
            while True:
                message = mailbox.recv()
                if message is None:
                    return
                if message == "fail":
                    raise ValueError
                seen.append(message)

        return body

    supervisor = Supervisor(rt, [ChildSpec("a", factory, mailbox=True)])
    pid = supervisor.pid_of("a")
    for message in (1, "fail", 2):
        rt.send(pid or 0, message)
    rt.advance(1.0)
    assert seen == ["begin", 1, "begin", 2]
    assert supervisor.pid_of("a") == pid
    assert supervisor.stop()


def test_siblings_of_restartall_keep_their_pids_too(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("abc"), strategy="restartall")
    before = pids(supervisor)
    rt.send(before[1] or 0, "fail")
    for pid in before:
        rt.send(pid or 0, "after")
    rt.advance(1.0)
    assert pids(supervisor) == before
    assert works.begun == list("abcabc")
    assert sorted(works.handled) == [(name, "after") for name in "abc"]
    assert [info.restarts for info in supervisor.children()] == [1, 1, 1]


def test_restartrest_takes_those_that_were_started_later(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("abcd"), strategy="RestartRest")
    rt.send(pids(supervisor)[2] or 0, "fail")
    rt.advance(1.0)
    assert works.begun == list("abcdcd")


def test_a_stopped_child_is_started_under_a_new_pid(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, [works.spec("a", name="name")])
    pid = supervisor.pid_of("a")
    assert pid is not None
    rt.stop(pid)
    rt.advance(1.0)
    new = supervisor.pid_of("a")
    assert new not in (None, pid)
    assert rt.whereis("name") == new
    assert works.ended == [pid]


def test_a_stop_in_the_middle_of_a_restart_is_a_stop(rt: SimRuntime) -> None:
    def factory() -> Callable[[Any], None]:
        rt.sleep(1.0)
        return fails

    def fails(_: Any) -> None:
        raise ValueError

    supervisor = Supervisor(rt, [ChildSpec("a", factory, restart="transient")])
    pid = supervisor.pid_of("a")
    assert pid is not None
    rt.send(pid, 1)
    rt.advance(0.5)
    assert rt.is_alive(pid)
    assert supervisor.children()[0].state == "making"
    assert rt.stop(pid)
    rt.advance(LONG_S)
    assert not rt.is_alive(pid)
    assert supervisor.children() == ()


@pytest.mark.parametrize(
    ("restart", "message", "comes_back"),
    [
        ("permanent", "fail", True),
        ("permanent", "crash", True),
        ("permanent", "end", True),
        ("transient", "fail", True),
        ("transient", "crash", True),
        ("transient", "end", False),
        ("temporary", "fail", False),
        ("temporary", "end", False),
    ],
)
def test_which_children_come_back_after_what(
    rt: SimRuntime, works: Works, restart: str, message: str, comes_back: bool
) -> None:
    supervisor = Supervisor(rt, [works.spec("a", restart=restart)])
    rt.send(supervisor.pid_of("a") or 0, message)
    rt.advance(1.0)
    assert [info.id for info in supervisor.children()] == (["a"] if comes_back else [])
    assert works.begun == (["a", "a"] if comes_back else ["a"])
    assert rt.is_alive(supervisor.pid)


def test_a_temporary_sibling_is_ended_and_does_not_come_back(rt: SimRuntime, works: Works) -> None:
    specs = [works.spec("a"), works.spec("b", restart="temporary"), works.spec("c")]
    supervisor = Supervisor(rt, specs, strategy="restartall")
    rt.send(supervisor.pid_of("a") or 0, "fail")
    rt.advance(1.0)
    assert [info.id for info in supervisor.children()] == ["a", "c"]
    assert works.begun == ["a", "b", "c", "a", "c"]


# -- limits ----------------------------------------------------------------------------------------


def test_too_many_restarts_end_the_supervisor_with_all_its_children(
    rt: SimRuntime, works: Works
) -> None:
    supervisor = Supervisor(rt, works.specs("abc"))
    watcher = rt.spawn_observed_handler()
    rt.monitor(watcher, supervisor.pid)
    before = pids(supervisor)
    for _ in range(4):
        rt.send(before[1] or 0, "fail")
        rt.advance(1.0)
    (down,) = rt.get_messages(watcher)
    assert (down.type_name, down.reason) == ("DOWN", "Crash")
    assert down.metadata["child"] == "b"
    assert "more than 3 times within 5 s" in down.metadata["message"]
    assert works.ended == [before[2], before[1], before[0], supervisor.pid]
    assert works.begun == list("abcbbb")
    assert rt.stats()["actors"] == 1


def test_failures_of_all_children_count_together(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("abcd"))
    for name in "abcd":
        rt.send(supervisor.pid_of(name) or 0, "fail")
        rt.advance(0.5)
    assert not rt.is_alive(supervisor.pid)


def test_with_no_restart_allowed_the_first_failure_ends_it(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"), max_restarts=0)
    rt.send(supervisor.pid_of("a") or 0, "fail")
    rt.advance(1.0)
    assert not rt.is_alive(supervisor.pid)
    assert rt.stats()["actors"] == 0


def test_a_factory_that_fails_at_a_restart_is_tried_again(rt: SimRuntime) -> None:
    calls: list[float] = []

    def factory() -> Any:
        calls.append(rt.now)
        if len(calls) in (2, 3):
            raise OSError("not yet")
        return boom

    def boom(_: Any) -> None:
        raise ValueError

    supervisor = Supervisor(rt, [ChildSpec("a", factory)])
    pid = supervisor.pid_of("a")
    rt.send(pid or 0, 1)
    rt.advance(1.0)
    assert len(calls) == 4
    assert supervisor.pid_of("a") == pid
    assert rt.is_alive(supervisor.pid)


def test_a_factory_that_fails_at_every_restart_is_reported_as_a_panic(
    rt: SimRuntime, works: Works
) -> None:
    given_up: list[iris.ChildReport] = []
    rt.add_hook("give_up", given_up.append)
    spec = works.spec("a")
    supervisor = Supervisor(rt, [spec, works.spec("b", name="b")], strategy="restartall")
    works.factory_error = OSError("no file")
    rt.send_named("b", "fail")
    rt.advance(LONG_S)
    (report,) = given_up
    assert (report.child, report.reason, report.restarts) == ("a", "Panic", 0)
    assert not rt.is_alive(supervisor.pid)


def test_a_pause_comes_before_a_restart_and_asks_are_told(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"), backoff_ms=(10_000, 10_000))
    pid = supervisor.pid_of("a")
    assert pid is not None
    rt.send(pid, "fail")
    rt.run_until_idle()
    assert supervisor.children()[0].state == "at rest"
    assert rt.is_alive(pid)
    assert rt.send(pid, "later") is True
    with pytest.raises(iris.ActorRestarting):
        rt.ask(pid, 1, 1.0)
    assert works.handled == []
    rt.advance(10.0)
    assert works.handled == [("a", "later")]


# -- ends ------------------------------------------------------------------------------------------


def test_children_end_in_the_reverse_order_each_after_the_next(
    rt: SimRuntime, works: Works
) -> None:
    supervisor = Supervisor(rt, works.specs("abc"))
    before = pids(supervisor)
    assert supervisor.stop() is True
    assert works.ended == [before[2], before[1], before[0], supervisor.pid]


@pytest.mark.parametrize("how", ["stop", "shutdown", "parent", "link"])
def test_however_a_supervisor_ends_its_children_end_in_order(
    rt: SimRuntime, works: Works, how: str
) -> None:
    inner = SupervisorSpec("inner", tuple(works.specs("xy")))
    supervisor = Supervisor(rt, [works.spec("a"), inner, works.spec("b")])
    a, nested, b = supervisor.children()
    x, y = nested.children
    partner = rt.spawn(len)
    rt.link(partner, supervisor.pid)
    if how == "stop":
        rt.stop(supervisor.pid)
    elif how == "shutdown":
        assert rt.shutdown() == []
    elif how == "parent":
        rt.send(rt.spawn(lambda _: rt.stop(supervisor.pid)), 1)
    else:
        rt.stop(partner)
    if how != "shutdown":
        rt.advance(1.0)
    order = [pid for pid in works.ended if pid not in (partner,)]
    wanted = [b.pid, y.pid, x.pid, nested.pid, a.pid, supervisor.pid]
    assert [pid for pid in order if pid in wanted] == wanted


def test_a_child_that_does_not_end_is_interrupted_after_its_time(rt: SimRuntime) -> None:
    left: list[float] = []

    def factory() -> Callable[[Any], None]:
        def handler(_: Any) -> None:
            try:
                rt.sleep(1000.0)
            finally:
                left.append(rt.now)

        return handler

    supervisor = Supervisor(rt, [ChildSpec("a", factory, shutdown_timeout_s=2.0)])
    rt.send(supervisor.pid_of("a") or 0, 1)
    rt.advance(1.0)
    assert supervisor.stop(10.0) is True
    assert left == [3.0]


def test_a_with_block_stops_it(rt: SimRuntime, works: Works) -> None:
    with Supervisor(rt, works.specs("ab")) as supervisor:
        assert len(supervisor.children()) == 2
    assert not rt.is_alive(supervisor.pid)
    assert rt.stats()["actors"] == 0


def test_a_with_block_in_which_the_runtime_is_shut_down_ends_well(rt: SimRuntime) -> None:
    with Supervisor(rt):
        rt.shutdown()


@pytest.mark.parametrize("timeout_s", [-1, "5", None, float("nan")])
def test_a_stop_with_a_time_that_is_none_stops_nothing(
    rt: SimRuntime, works: Works, timeout_s: Any
) -> None:
    supervisor = Supervisor(rt, works.specs("a"), name="top")
    with pytest.raises((TypeError, BadInput), match="timeout_s"):
        supervisor.stop(timeout_s)
    rt.run_until_idle()
    assert (rt.whereis("top"), supervisor.children()[0].state) == (supervisor.pid, "up")


def test_calls_on_a_supervisor_that_has_ended(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"))
    supervisor.stop()
    rt.advance(1.0)
    assert supervisor.stop() is True
    assert [info.pid for info in supervisor.children()] in ([], [None])
    assert supervisor.pid_of("a") is None
    with pytest.raises(ActorDead, match="has ended or is ending"):
        supervisor.add(works.spec("b"))
    with pytest.raises(ActorDead, match="has ended or is ending"):
        supervisor.watch(rt.spawn(len))


# -- nesting ---------------------------------------------------------------------------------------


def tree(works: Works, **options: Any) -> Sequence[Spec]:
    inner = SupervisorSpec("inner", tuple(works.specs("xy")), **options)
    return [works.spec("a"), inner]


def test_a_nested_supervisor_that_gives_up_is_restarted_by_the_one_above(
    rt: SimRuntime, works: Works
) -> None:
    supervisor = Supervisor(rt, tree(works, max_restarts=1, name="inner"))
    first = supervisor.pid_of("inner")
    for _ in range(2):
        (info,) = [child for child in supervisor.children() if child.id == "inner"]
        rt.send(info.children[0].pid or 0, "fail")
        rt.advance(0.5)
    second = supervisor.pid_of("inner")
    assert second not in (None, first)
    assert rt.whereis("inner") == second
    info = supervisor.children()[1]
    assert (info.restarts, [child.id for child in info.children]) == (1, ["x", "y"])
    assert works.begun == list("axyxxy")
    assert rt.stats()["actors"] == 5


def test_a_failure_goes_up_until_somebody_can_deal_with_it(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, tree(works, max_restarts=0), max_restarts=0)
    (info,) = [child for child in supervisor.children() if child.id == "inner"]
    rt.send(info.children[0].pid or 0, "fail")
    rt.advance(1.0)
    assert not rt.is_alive(supervisor.pid)
    assert rt.stats()["actors"] == 0


def test_a_nested_supervisor_that_cannot_start_fails_the_start(
    rt: SimRuntime, works: Works
) -> None:
    bad = ChildSpec("bad", lambda: None)
    inner = SupervisorSpec("inner", (works.spec("x"), bad))
    with pytest.raises(StartFailed, match=r"^'supervisor' > 'inner' > 'bad' could") as raised:
        Supervisor(rt, [works.spec("a"), inner, works.spec("b")])
    assert isinstance(raised.value.__cause__, TypeError)
    assert (works.begun, rt.stats()["actors"]) == (["a", "x"], 0)


def slow_from_the_second_time_on(rt: SimRuntime, called: str) -> ChildSpec:
    """A child whose factory waits for an hour at each restart."""
    starts: list[int] = []

    def factory() -> Callable[[Any], None]:
        starts.append(len(starts))
        if len(starts) > 1:
            rt.sleep(3600.0)
        return handler

    def handler(message: Any) -> None:
        raise ValueError(message)

    return ChildSpec(called, factory)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_end_of_a_supervisor_waits_for_no_factory(rt: SimRuntime, depth: int) -> None:
    spec: Spec = slow_from_the_second_time_on(rt, "slow")
    for level in range(depth):
        spec = SupervisorSpec(f"level {level}", (spec,), max_restarts=0)
    supervisor = Supervisor(rt, [spec])
    (info,) = supervisor.children()
    while info.children:
        (info,) = info.children
    rt.send(info.pid or 0, "fail")
    rt.advance(1.0)
    assert supervisor.children()[0].state == "making"
    assert supervisor.stop(10.0) is True
    assert rt.stats()["actors"] == 0
    rt.advance(2 * 3600.0)
    assert rt.stats()["actors"] == 0


# -- changes ---------------------------------------------------------------------------------------


def test_a_child_can_be_added_and_removed(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"))
    pid = supervisor.add(works.spec("b"))
    assert supervisor.pid_of("b") == pid
    rt.send(pid, "fail")
    rt.advance(1.0)
    assert works.begun == ["a", "b", "b"]
    assert supervisor.remove("b") is True
    assert supervisor.remove("b") is False
    assert not rt.is_alive(pid)
    rt.advance(LONG_S)
    assert [info.id for info in supervisor.children()] == ["a"]
    assert works.begun == ["a", "b", "b"]


@pytest.mark.parametrize("nested", [False, True])
def test_a_child_whose_factory_is_at_work_is_removed_at_once(rt: SimRuntime, nested: bool) -> None:
    spec: Spec = slow_from_the_second_time_on(rt, "slow")
    if nested:
        spec = SupervisorSpec("inner", (spec,), max_restarts=0)
    supervisor = Supervisor(rt, [spec])
    (info,) = supervisor.children()
    rt.send((info.children[0] if nested else info).pid or 0, "fail")
    rt.advance(1.0)
    assert supervisor.children()[0].state == "making"
    before = rt.now
    assert supervisor.remove(spec.id) is True
    assert rt.now - before < 1.0
    assert (supervisor.children(), rt.stats()["actors"]) == ((), 1)
    rt.advance(2 * 3600.0)
    assert rt.stats()["actors"] == 1


def test_a_child_that_is_removed_before_it_was_started_was_not_added(rt: SimRuntime) -> None:
    def slow() -> Callable[[Any], None]:
        rt.sleep(10.0)
        return print

    supervisor = Supervisor(rt)
    rt.send(rt.spawn(supervisor.remove), "slow")
    with pytest.raises(StartFailed, match="'slow' was removed before it was started"):
        supervisor.add(ChildSpec("slow", slow))
    assert supervisor.children() == ()


def test_an_id_is_used_once_at_a_time(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"))
    with pytest.raises(BadInput, match="a child with the id 'a' already"):
        supervisor.add(works.spec("a"))
    supervisor.remove("a")
    assert supervisor.add(works.spec("a"))


def test_a_child_that_cannot_be_added_is_no_child(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"))
    with pytest.raises(StartFailed, match="'bad' could not be started: TypeError"):
        supervisor.add(ChildSpec("bad", lambda: None))
    assert [info.id for info in supervisor.children()] == ["a"]
    assert supervisor.add(works.spec("bad"))


@pytest.mark.parametrize("wrong", [None, 5, "a", len])
def test_what_is_no_spec_cannot_be_added(rt: SimRuntime, wrong: Any) -> None:
    supervisor = Supervisor(rt)
    with pytest.raises(TypeError):
        supervisor.add(wrong)
    with pytest.raises(TypeError):
        supervisor.remove(5)  # type: ignore[arg-type]


def test_unsupervise_lets_a_child_live_until_the_supervisor_ends(
    rt: SimRuntime, works: Works
) -> None:
    supervisor = Supervisor(rt, works.specs("ab"))
    pid = supervisor.pid_of("a")
    assert pid is not None
    assert rt.unsupervise(pid)
    assert [info.id for info in supervisor.children()] == ["b"]
    assert rt.is_alive(pid)
    rt.send(pid, "fail")
    rt.advance(1.0)
    assert not rt.is_alive(pid)
    assert works.begun == ["a", "b"]
    other = supervisor.pid_of("b")
    rt.unsupervise(other or 0)
    supervisor.stop()
    assert not rt.is_alive(other or 0)


def test_unsupervise_in_the_middle_of_a_restart_ends_the_child(
    rt: SimRuntime, works: Works
) -> None:
    supervisor = Supervisor(rt, works.specs("a"), backoff_ms=(10_000, 10_000))
    pid = supervisor.pid_of("a")
    assert pid is not None
    watcher = rt.spawn_observed_handler()
    rt.monitor(watcher, pid)
    rt.send(pid, "fail")
    rt.run_until_idle()
    assert rt.unsupervise(pid)
    rt.advance(LONG_S)
    (down,) = rt.get_messages(watcher)
    assert (down.reason, rt.is_alive(pid), works.begun) == ("Panic", False, ["a"])


def test_unsupervise_while_the_supervisor_ends_leaves_nobody_behind(rt: SimRuntime) -> None:
    def handler(_: Any) -> None:
        rt.sleep(1.0)

    supervisor = Supervisor(rt, [ChildSpec(name, lambda: handler) for name in "ab"])
    first, second = pids(supervisor)
    assert first is not None
    rt.send(second or 0, "work")
    rt.run_until_idle()
    rt.stop(supervisor.pid)
    rt.run_until_idle()
    assert rt.is_alive(first)  # It waits until the younger one has ended.
    assert rt.unsupervise(first)
    assert rt.join(supervisor.pid, 10.0)
    assert rt.stats()["actors"] == 0


# -- watching and observing ------------------------------------------------------------------------


def test_a_supervisor_does_not_watch_itself_or_who_is_above_it(
    rt: SimRuntime, works: Works
) -> None:
    supervisor = Supervisor(rt, works.specs("a"))
    with pytest.raises(BadInput, match="cannot watch itself"):
        supervisor.watch(supervisor.pid)
    with pytest.raises(BadInput, match="as a child already"):
        supervisor.watch(supervisor.pid_of("a") or 0)


def test_the_end_of_a_watched_actor_restarts_the_children(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("ab"), strategy="restartall")
    pid = rt.spawn(len)
    supervisor.watch(pid)
    rt.stop(pid)
    rt.advance(1.0)
    assert works.begun == list("abab")
    assert len(supervisor.children()) == 2


def test_a_watched_actor_does_not_end_with_the_supervisor(rt: SimRuntime) -> None:
    supervisor = Supervisor(rt)
    pid = rt.spawn(len)
    supervisor.watch(pid, "restartone")
    supervisor.stop()
    assert rt.is_alive(pid)


def test_an_observer_is_told_of_ends_once_and_not_of_restarts_in_place(
    rt: SimRuntime, works: Works
) -> None:
    watcher = rt.spawn_observed_handler()
    supervisor = Supervisor(rt, works.specs("ab"), observer=watcher)
    a, b = pids(supervisor)
    rt.send(a or 0, "fail")
    rt.advance(1.0)
    assert rt.get_messages(watcher) == []
    rt.stop(b or 0)
    rt.advance(1.0)
    (told,) = rt.get_messages(watcher)
    assert (told.type_name, told.target_pid, told.reason) == ("EXIT", b, "Killed")


def test_an_observer_is_checked_before_anything_begins(rt: SimRuntime, works: Works) -> None:
    with pytest.raises(ActorError, match="trap_exit=True"):
        Supervisor(rt, works.specs("a"), observer=rt.spawn(len))
    with pytest.raises(ActorDead):
        Supervisor(rt, works.specs("a"), observer=12345)
    assert works.begun == []


def test_what_is_known_of_a_child_is_a_value(rt: SimRuntime, works: Works) -> None:
    supervisor = Supervisor(rt, works.specs("a"))
    (info,) = supervisor.children()
    assert info == ChildInfo("a", supervisor.pid_of("a"), "up", 0, ())


class Opaque:
    """Any look at it raises."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)

    def __repr__(self) -> str:
        raise ValueError("no text")

    def __call__(self, message: Any) -> None:
        """A handler all the same."""


class Silent:
    """No handler, and its text raises."""

    def __repr__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize("made", [Opaque, Silent])
def test_what_a_factory_made_may_raise_when_it_is_looked_at(rt: SimRuntime, made: Any) -> None:
    with pytest.raises(StartFailed, match=r"KeyError|no text"):
        Supervisor(rt, [ChildSpec("a", made)])
    assert rt.stats()["actors"] == 0


def test_a_restart_whose_handler_raises_when_it_is_looked_at_has_failed(rt: SimRuntime) -> None:
    made: list[Any] = [Silent(), Opaque(), lambda _: 1 / 0]
    supervisor = Supervisor(rt, [ChildSpec("a", made.pop)], max_restarts=2)
    pid = supervisor.pid_of("a")
    assert pid is not None
    rt.send(pid, 1)
    rt.advance(LONG_S)
    assert made == []
    assert not rt.is_alive(supervisor.pid)


def test_a_pid_factory_whose_result_has_no_text_has_failed(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda _: None)
    made: list[Any] = []

    def factory() -> Any:
        made.append(Silent() if not made else rt.spawn(lambda _: None))
        return made[-1]

    rt.supervise_with_factory(pid, factory)
    rt.stop(pid)
    rt.advance(LONG_S)
    assert len(made) == 2
    assert rt.children_count() == 1


def test_a_long_line_of_nested_supervisors_starts_and_ends(rt: SimRuntime) -> None:
    spec = SupervisorSpec("last", [ChildSpec("a", lambda: lambda _: None)])
    for number in range(300):
        spec = SupervisorSpec(f"s{number}", [spec])
    supervisor = Supervisor(rt, [spec])
    assert rt.stats()["actors"] == 303
    assert supervisor.stop(LONG_S)
    assert rt.stats()["actors"] == 0


def test_a_watched_actor_that_is_removed_lives_on(rt: SimRuntime) -> None:
    supervisor = Supervisor(rt)
    pid = rt.spawn(lambda _: None)
    supervisor.watch(pid)
    assert supervisor.remove(supervisor.children()[0].id)
    assert supervisor.children() == ()
    rt.advance(LONG_S)
    assert rt.is_alive(pid)


def test_a_watched_actor_takes_no_id_from_a_child(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda _: None)
    supervisor = Supervisor(rt, [ChildSpec(f"actor {pid}", lambda: lambda _: None)])
    own = supervisor.pid_of(f"actor {pid}")
    supervisor.watch(pid)
    assert supervisor.pid_of(f"actor {pid}") == own
    rt.stop(pid)
    rt.advance(LONG_S)
    assert supervisor.pid_of(f"actor {pid}") == own


def test_a_long_line_of_supervisors_whose_time_is_over_ends(rt: SimRuntime) -> None:
    def sleeper() -> Callable[[Any], None]:
        return lambda _: rt.sleep(10 * LONG_S)

    errors: list[Any] = []
    spec = SupervisorSpec(
        "last", [ChildSpec("a", sleeper, name="leaf", shutdown_timeout_s=LONG_S)]
    )
    for number in range(600):
        spec = SupervisorSpec(f"s{number}", [spec], shutdown_timeout_s=LONG_S)
    supervisor = Supervisor(rt, [SupervisorSpec("first", [spec], shutdown_timeout_s=1.0)])
    rt.add_hook("error", errors.append)
    leaf = rt.whereis("leaf")
    assert leaf is not None
    rt.send(leaf, 1)
    rt.run_until_idle()
    assert supervisor.remove("first")
    assert errors == []
    assert rt.stats()["actors"] == 1


def test_a_block_that_shuts_the_runtime_down_ends_with_its_own_exception(rt: SimRuntime) -> None:
    def leave() -> None:
        rt.shutdown()
        raise LookupError

    with pytest.raises(LookupError), Supervisor(rt, [ChildSpec("a", lambda: len)]):
        leave()
