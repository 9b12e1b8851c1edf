"""docs/SUPERVISION.md keeps its word: its samples run, and every cell of its tables is the case.

A row of a table is an event or a thing, by the words of its first cell; for each there is a
function here that brings it about in a simulated runtime, or looks at it. What comes of it is
said in the words of the guide, and compared with the other cells of the row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

import pytest

import iris
from iris import ActorCrash, ChildSpec, StartFailed, Supervisor
from iris.testing import SimRuntime

from .samples import (
    Sample,
    check_each_shows_its_output,
    check_prints_what_is_shown,
    name_of,
    rows,
    samples,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "SUPERVISION.md"
GUIDE = PAGE.read_text(encoding="utf-8")
LONG_S = 100.0
KINDS = ("permanent", "transient", "temporary", "factory", "watched")
BY_SPEC = KINDS[:3]


def test_each_sample_shows_its_output() -> None:
    check_each_shows_its_output(GUIDE, least=6)


@pytest.mark.live
@pytest.mark.parametrize("sample", samples(GUIDE), ids=name_of)
def test_a_sample_prints_what_is_shown(sample: Sample, tmp_path: Path) -> None:
    check_prints_what_is_shown(sample, tmp_path)


class Case:
    """One supervised actor, and beside it a sibling that is restarted after every end.

    Args:
        kind: a column of the table of events.
        strategy: of its supervisor; by pid, of the sibling.
        broken: which calls of its factory raise, the first being 1.
        options: more of its spec, where it has one.
    """

    def __init__(
        self,
        kind: str,
        strategy: str = "restartone",
        broken: tuple[int, ...] = (),
        max_restarts: int = 3,
        **options: Any,
    ) -> None:
        self.kind = kind
        self.rt = SimRuntime(seed=5)
        self.given_up: list[Any] = []
        self.rt.add_hook("give_up", self.given_up.append)
        self.seen: list[Any] = []
        self.begun = 0
        self.kept: list[Any] = []
        self._broken = broken
        self.supervisor: Optional[Supervisor] = None
        if kind in BY_SPEC:
            child = ChildSpec("child", self.make, restart=kind, **options)
            sibling = ChildSpec("sibling", lambda: self.handle)
            self.supervisor = Supervisor(
                self.rt, [sibling, child], strategy=strategy, max_restarts=max_restarts
            )
            self.pid = self.supervisor.pid_of("child") or 0
            self.sibling = self.supervisor.pid_of("sibling") or 0
            return
        self.sibling = self.rt.spawn(self.handle)
        self.rt.supervise_with_factory(self.sibling, lambda: self.rt.spawn(self.handle), strategy)
        self.pid = self.rt.spawn(self.make())
        self.begun = 1
        self.enlist(self.pid)

    def enlist(self, pid: int) -> None:
        """Put an actor under the global supervisor."""
        if self.kind == "factory":
            self.rt.supervise_with_factory(pid, lambda: self.rt.spawn(self.make()))
        else:
            self.rt.watch(pid)

    def make(self) -> Callable[[Any], None]:
        """The factory of the spec, and half of that which makes an actor."""
        self.begun += 1
        if self.begun in self._broken:
            raise OSError("not now")
        return self.handle

    def handle(self, message: Any) -> None:
        if message == "fail":
            raise ValueError
        if message == "crash":
            raise ActorCrash
        if message == "end":
            self.rt.stop(self.rt.self_pid())
        elif message == "sleep":
            self.rt.sleep(LONG_S * 10)
        elif message == "keep":
            # A question that is not answered yet.
            self.kept.append(iris.current().reply_to)
        elif callable(message):
            message()
        self.seen.append(message)

    def send(self, *messages: Any) -> None:
        for message in messages:
            self.rt.send(self.pid, message)

    def now(self) -> Optional[int]:
        """The actor in its place."""
        if self.supervisor is not None:
            return self.supervisor.pid_of("child")
        # The sibling came first, so its place is before.
        return next((pid for pid in self.rt.child_pids()[1:]), None)

    def word(self) -> str:
        """What has become of it, in the words of the guide."""
        self.rt.advance(LONG_S)
        now = self.now()
        if now is not None and now != self.pid:
            return "new pid"
        if now is not None:
            infos = () if self.supervisor is None else self.supervisor.children()
            restarts = sum(info.restarts for info in infos if info.id == "child")
            return "in place" if restarts else "stays"
        if self.rt.is_alive(self.pid):
            return "lives on"
        if not self.given_up:
            return "ends"
        if self.supervisor is None:
            return "given up"
        assert not self.rt.is_alive(self.supervisor.pid)
        return "supervisor ends"


# -- the table of events ---------------------------------------------------------------------------

Scene = Callable[[str], str]


def handler_raises(kind: str) -> str:
    case = Case(kind)
    case.send("fail")
    return case.word()


def handler_declares_a_crash(kind: str) -> str:
    case = Case(kind)
    case.send("crash")
    return case.word()


def somebody_stops_it(kind: str) -> str:
    case = Case(kind)
    case.rt.stop(case.pid)
    return case.word()


def it_is_stopped_after_its_queue(kind: str) -> str:
    case = Case(kind)
    case.rt.stop_after_drain(case.pid, 1.0)
    return case.word()


def it_stops_itself(kind: str) -> str:
    case = Case(kind)
    case.send("end")
    return case.word()


def its_function_returns(kind: str) -> str:
    """A pull actor, whose end this is; it waits for a message first, and ends with any."""
    if kind in BY_SPEC:
        rt = SimRuntime(seed=5)
        spec = ChildSpec("child", lambda: lambda mailbox: mailbox.recv(), kind, mailbox=True)
        supervisor = Supervisor(rt, [spec])
        pid = supervisor.pid_of("child") or 0
        rt.send(pid, b"")
        rt.advance(LONG_S)
        now = supervisor.pid_of("child")
        return "ends" if now is None else "in place" if now == pid else "new pid"
    case = Case(kind)
    case.rt.unsupervise(case.pid)
    case.pid = case.rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    case.enlist(case.pid)
    case.send(b"")
    return case.word()


def with_a_partner_that_gets(kind: str, message: str) -> str:
    case = Case(kind)
    partner = case.rt.spawn(case.handle)
    case.rt.link(partner, case.pid)
    if message == "stop":
        case.rt.stop(partner)
    else:
        case.rt.send(partner, message)
    return case.word()


def a_partner_fails(kind: str) -> str:
    return with_a_partner_that_gets(kind, "fail")


def a_partner_crashes(kind: str) -> str:
    return with_a_partner_that_gets(kind, "crash")


def a_partner_is_stopped(kind: str) -> str:
    return with_a_partner_that_gets(kind, "stop")


def a_partner_ends_well(kind: str) -> str:
    return with_a_partner_that_gets(kind, "end")


def its_parent_ends(kind: str) -> str:
    case = Case(kind)
    if kind in BY_SPEC:
        assert case.supervisor is not None
        case.rt.stop(case.supervisor.pid)
        return case.word()
    case.rt.unsupervise(case.pid)
    parent = case.rt.spawn(case.handle)
    case.pid = case.rt.spawn_child(parent, case.handle)
    case.enlist(case.pid)
    case.rt.stop(parent)
    return case.word()


def its_supervisor_is_removed(kind: str) -> str:
    case = Case(kind)
    if case.supervisor is not None:
        case.supervisor.stop()
        return case.word()
    case.rt.unsupervise(case.pid)
    if kind == "factory":
        case.rt.path_supervise_with_factory("/svc", case.pid, lambda: case.rt.spawn(case.handle))
    else:
        case.rt.create_path_supervisor("/svc")
        case.rt.path_supervisor_watch("/svc", case.pid)
    assert case.rt.remove_path_supervisor("/svc")
    return case.word()


def a_sibling_fails(kind: str) -> str:
    case = Case(kind, "restartall")
    case.rt.send(case.sibling, "fail")
    return case.word()


def it_is_removed(kind: str) -> str:
    case = Case(kind)
    if case.supervisor is None:
        return "-"
    assert case.supervisor.remove("child")
    return case.word()


def it_is_taken_off(kind: str) -> str:
    case = Case(kind)
    assert case.rt.unsupervise(case.pid)
    return case.word()


def it_is_taken_off_and_fails(kind: str) -> str:
    case = Case(kind)
    assert case.rt.unsupervise(case.pid)
    case.send("fail")
    return case.word()


def it_is_swapped(kind: str) -> str:
    case = Case(kind)
    assert case.rt.hot_swap(case.pid, lambda message: case.seen.append("swapped"))
    case.send(1)
    word = case.word()
    assert case.seen == ["swapped"]
    return word


def its_first_start_fails(kind: str) -> str:
    if kind not in BY_SPEC:
        return "-"
    with pytest.raises(StartFailed):
        Case(kind, broken=(1,))
    return "StartFailed"


def its_factory_fails_once(kind: str) -> str:
    case = Case(kind, broken=(2,))
    case.send("fail")
    word = case.word()
    return "-" if case.begun == 1 else word


def its_factory_fails_for_ever(kind: str) -> str:
    case = Case(kind, broken=tuple(range(2, 20)))
    case.send("fail")
    word = case.word()
    return "-" if case.begun == 1 else word


def it_fails_too_often(kind: str) -> str:
    case = Case(kind)
    for _ in range(4):
        now = case.now()
        if now is not None:
            case.rt.send(now, "fail")
        case.rt.advance(0.2)
    word = case.word()
    return "-" if case.begun == 1 else word


def its_time_is_over(kind: str, release_gil: bool = False) -> str:
    options = {"shutdown_timeout_s": 1.0, "release_gil": release_gil} if kind in BY_SPEC else {}
    case = Case(kind, "restartall", **options)
    if release_gil and kind not in BY_SPEC:
        case.rt.unsupervise(case.pid)
        case.pid = case.rt.spawn(case.handle, release_gil=True)
        case.enlist(case.pid)
    orphans: list[int] = []
    case.rt.add_hook("orphan", orphans.append)
    case.send("sleep")
    case.rt.advance(0.5)
    case.rt.send(case.sibling, "fail")
    word = case.word()
    assert orphans == ([case.pid] if release_gil and kind != "watched" else [])
    return word


def it_cannot_be_interrupted(kind: str) -> str:
    return its_time_is_over(kind, release_gil=True)


def the_runtime_shuts_down(kind: str) -> str:
    case = Case(kind)
    ended: list[int] = []
    case.rt.add_hook("exit", lambda pid, _: ended.append(pid))
    begun = case.begun
    case.rt.shutdown()
    assert case.pid in ended
    assert case.begun == begun
    return "ends"


EVENTS: dict[str, tuple[Scene, ...]] = {
    "its handler raises": (handler_raises,),
    "its handler raises ActorCrash": (handler_declares_a_crash,),
    "somebody calls stop(pid) or stop_after_drain(pid)": (
        somebody_stops_it,
        it_is_stopped_after_its_queue,
    ),
    "it stops itself, or its pull function returns": (it_stops_itself, its_function_returns),
    "a link partner ends as Panic or Crash": (a_partner_fails, a_partner_crashes),
    "a link partner ends as Killed": (a_partner_is_stopped,),
    "a link partner ends as Normal": (a_partner_ends_well,),
    "its parent ends": (its_parent_ends,),
    "its supervisor is stopped, ends or is removed": (its_supervisor_is_removed,),
    "a sibling fails under restartall": (a_sibling_fails,),
    "the same, while its handler waits for longer than it has time": (its_time_is_over,),
    "the same, while its handler cannot be interrupted (release_gil)": (it_cannot_be_interrupted,),
    "supervisor.remove(id)": (it_is_removed,),
    "rt.unsupervise(pid)": (it_is_taken_off,),
    "rt.unsupervise(pid), and then it fails": (it_is_taken_off_and_fails,),
    "its handler is swapped": (it_is_swapped,),
    "its factory raises at the first start": (its_first_start_fails,),
    "its factory raises at a restart, and then works": (its_factory_fails_once,),
    "its factory raises at every restart": (its_factory_fails_for_ever,),
    "it fails a fourth time within 5 s": (it_fails_too_often,),
    "the runtime shuts down": (the_runtime_shuts_down,),
}


@pytest.mark.parametrize("row", rows(GUIDE, "| event | permanent"), ids=lambda row: row[0])
def test_an_event_has_the_outcome_that_the_guide_names(row: list[str]) -> None:
    event, *outcomes = row
    for scene in EVENTS[event]:
        found = [scene(kind) for kind in KINDS]
        assert found == outcomes, scene.__name__


def test_every_event_is_in_the_guide() -> None:
    assert [row[0] for row in rows(GUIDE, "| event | permanent")] == list(EVENTS)


# -- the table of what is kept ---------------------------------------------------------------------

OUTCOMES = ("in place", "new pid (spec)", "new pid (factory)", "ends")
"""The columns. Each is brought about by a failure, or for the second by a stop."""


class Passage:
    """A case on its way from the actor before to what comes after.

    Args:
        outcome: a column of the table.
        options: more of the spec, where it has one.
    """

    def __init__(self, outcome: str, **options: Any) -> None:
        self.outcome = outcome
        kinds = {"in place": "permanent", "new pid (spec)": "permanent", "ends": "temporary"}
        self.case = Case(kinds.get(outcome, "factory"), **options)
        self.rt, self.pid = self.case.rt, self.case.pid

    def begin(self) -> None:
        """To the middle: the actor has failed or ended, and no time has passed for a pause."""
        if self.outcome == "new pid (spec)":
            self.rt.stop(self.pid)
        else:
            # By the actor itself, so that what is queued is not handled before.
            self.rt.send(self.pid, "fail")
        self.rt.run_until_idle()

    def end(self) -> Optional[int]:
        """To the end; the actor that is there then."""
        self.rt.advance(LONG_S)
        return self.case.now()


def the_pid(way: Passage) -> str:
    way.begin()
    now = way.end()
    return "ends" if now is None else "the same" if now == way.pid else "a new one"


def is_alive_meanwhile(way: Passage) -> str:
    way.begin()
    return str(way.rt.is_alive(way.pid))


def registered_names(way: Passage) -> str:
    assert way.rt.register("mine", way.pid)
    assert way.rt.register_path("/mine", way.pid)
    way.begin()
    way.end()
    found = {way.rt.whereis("mine"), way.rt.whereis_path("/mine")}
    return {(way.pid,): "stay", (None,): "freed"}[tuple(found)]


def names_of_the_spec(way: Passage) -> str:
    if way.outcome == "new pid (factory)":
        return "-"
    way = Passage(way.outcome, name="named", path="/named")
    way.begin()
    now = way.end()
    found = {way.rt.whereis("named"), way.rt.whereis_path("/named")}
    assert found == {now}
    return "freed" if now is None else "stay" if now == way.pid else "registered again"


def what_is_queued(way: Passage) -> str:
    ready: list[int] = []
    # While this one is handled nothing else is, so all of it is queued when the end comes.
    way.case.send(lambda: ready.append(1), *([] if way.outcome == "new pid (spec)" else ["fail"]))
    if way.outcome == "new pid (spec)":
        way.case.send(1, 2)
        way.rt.stop(way.pid)
    else:
        way.case.send(1, 2)
    way.end()
    expired = way.rt.stats()["expired"]
    handled = [message for message in way.case.seen if message in (1, 2)]
    return {(0, 2): "stays", (2, 0): "expires"}.get((min(expired, 2), len(handled)), "partly")


def send_meanwhile(way: Passage) -> str:
    way.begin()
    if not way.rt.send(way.pid, 3):
        return "False"
    way.end()
    assert way.case.seen[-1] == 3
    return "queued"


def ask_meanwhile(way: Passage) -> str:
    way.begin()
    with pytest.raises(iris.ActorError) as raised:
        way.rt.ask(way.pid, 3, timeout_s=1.0)
    return raised.type.__name__


class Asker:
    """Asks, and notes what comes of it."""

    def __init__(self, way: Passage, question: Any) -> None:
        self.found: list[str] = []

        def ask(_: object) -> None:
            try:
                self.found.append(way.rt.ask(way.pid, question, timeout_s=LONG_S * 2))
            except iris.IrisError as error:
                self.found.append(type(error).__name__)

        way.rt.send(way.rt.spawn(ask), "go")


def taken_questions(way: Passage) -> str:
    asker = Asker(way, "keep")
    way.rt.run_until_idle()
    assert len(way.case.kept) == 1
    way.begin()
    way.end()
    return asker.found[0]


def queued_questions(way: Passage) -> str:
    blocked: list[str] = []

    def block() -> None:
        way.rt.sleep(1.0)
        blocked.append("over")
        if way.outcome == "new pid (spec)":
            way.rt.stop(way.pid)
        else:
            raise ValueError

    way.case.send(block)
    way.rt.run_until_idle()
    asker = Asker(way, lambda: iris.reply("answered"))
    way.rt.run_until_idle()
    way.end()
    assert blocked[0] == "over"
    return asker.found[0]


def links_and_monitors(way: Passage) -> str:
    watcher = way.rt.spawn_observed_handler()
    way.rt.monitor(watcher, way.pid)
    way.rt.link(watcher, way.pid)
    way.begin()
    now = way.end()
    told = [news.type_name for news in way.rt.get_messages(watcher)]
    if not told:
        assert now is not None
        way.rt.unsupervise(now)
        way.rt.stop(now)
        way.rt.advance(1.0)
        assert len(way.rt.get_messages(watcher)) == 2
        return "stay, nobody is told"
    assert sorted(told) == ["DOWN", "EXIT"]
    return "told and gone"


def its_children(way: Passage) -> str:
    below = way.rt.spawn_child(way.pid, way.case.handle)
    way.begin()
    way.end()
    return "stay" if way.rt.is_alive(below) else "end"


def its_timers(way: Passage) -> str:
    timer = way.rt.send_interval(way.pid, LONG_S * 10_000, "tick")
    way.begin()
    return "stay" if way.rt.cancel_timer(timer) else "cancelled"


def a_swapped_handler(way: Passage) -> str:
    def swapped(message: Any) -> None:
        if message == "fail":
            raise ValueError
        way.case.seen.append("swapped")

    way.rt.hot_swap(way.pid, swapped)
    way.begin()
    now = way.end()
    if now is None:
        return "-"
    way.rt.send(now, 1)
    way.rt.run_until_idle()
    return "stays" if way.case.seen[-1] == "swapped" else "the factory's again"


def bound_and_policy(way: Passage) -> str:
    if way.outcome == "new pid (factory)":
        return "the factory's"
    way = Passage(way.outcome, capacity=1)
    way.rt.set_overflow_policy(way.pid, "dropold")
    way.begin()
    now = way.end()
    if now is None:
        return "-"
    accepted = [way.rt.send(now, number) for number in (1, 2, 3)]
    return {(True, True, True): "stay", (True, False, False): "capacity of the spec, dropnew"}[
        tuple(accepted)
    ]


def the_observer(way: Passage) -> str:
    if way.case.supervisor is None:
        watcher = way.rt.spawn_observed_handler()
        way.rt.observe_supervisor(watcher)
    else:
        rt = way.rt
        watcher = rt.spawn_observed_handler()
        kind = "temporary" if way.outcome == "ends" else "permanent"
        made = Supervisor(rt, [ChildSpec("child", lambda: way.case.handle, kind)], observer=watcher)
        way.pid = made.pid_of("child") or 0
    way.begin()
    way.rt.advance(LONG_S)
    told = [news.type_name for news in way.rt.get_messages(watcher)]
    return ", ".join(told) or "nothing"


def the_hook(way: Passage) -> str:
    reports: list[iris.ChildReport] = []
    way.rt.add_hook("restart", reports.append)
    way.begin()
    way.end()
    assert all(report.child for report in reports)
    return "called" if reports else "-"


def joined(way: Passage) -> str:
    way.begin()
    return "goes on" if not way.rt.join(way.pid, timeout_s=LONG_S) else "True"


THINGS: dict[str, Callable[[Passage], str]] = {
    "pid": the_pid,
    "is_alive(pid) meanwhile": is_alive_meanwhile,
    "name and path of the spec": names_of_the_spec,
    "other names and paths": registered_names,
    "what is queued": what_is_queued,
    "send(pid) meanwhile": send_meanwhile,
    "ask(pid) meanwhile": ask_meanwhile,
    "questions it has taken": taken_questions,
    "questions still queued": queued_questions,
    "links and monitors": links_and_monitors,
    "join(pid)": joined,
    "its children": its_children,
    "its timers": its_timers,
    "a handler that was swapped in": a_swapped_handler,
    "capacity and overflow policy": bound_and_policy,
    "the observer gets": the_observer,
    "hook restart": the_hook,
}


@pytest.mark.parametrize("row", rows(GUIDE, "| thing | in place"), ids=lambda row: row[0])
def test_a_thing_becomes_what_the_guide_says(row: list[str]) -> None:
    thing, *fates = row
    assert [THINGS[thing](Passage(outcome)) for outcome in OUTCOMES] == fates


def test_every_thing_is_in_the_guide() -> None:
    assert [row[0] for row in rows(GUIDE, "| thing | in place")] == list(THINGS)


# -- the table of what is counted ------------------------------------------------------------------


def a_child_fails(most: int) -> Case:
    case = Case("permanent", max_restarts=most)
    case.send("fail")
    return case


def a_child_is_stopped(most: int) -> Case:
    case = Case("permanent", max_restarts=most)
    case.rt.stop(case.pid)
    return case


def a_factory_fails_once(most: int) -> Case:
    case = Case("permanent", broken=(2,), max_restarts=most)
    case.send("fail")
    return case


def siblings_are_restarted(most: int) -> Case:
    case = Case("permanent", "restartall", max_restarts=most)
    case.send("fail")
    return case


def a_message_fails_twice(most: int) -> Case:
    case = Case("permanent", max_restarts=most, redeliver=True)
    case.send("fail", "next")
    return case


def a_temporary_child_ends(most: int) -> Case:
    case = Case("temporary", max_restarts=most)
    case.send("fail")
    return case


def a_watched_actor_ends(most: int) -> Case:
    case = Case("permanent", "restartall", max_restarts=most)
    assert case.supervisor is not None
    watched = case.rt.spawn(case.handle)
    case.supervisor.watch(watched)
    case.rt.send(watched, "fail")
    return case


def a_supervisor_below_gives_up(most: int) -> Case:
    case = Case("temporary", max_restarts=most)
    assert case.supervisor is not None
    below = iris.SupervisorSpec("below", [ChildSpec("a", lambda: case.handle)], max_restarts=0)
    case.supervisor.add(below)
    case.rt.send(case.supervisor.children()[-1].children[0].pid or 0, "fail")
    return case


COUNTED: dict[str, Callable[[int], Case]] = {
    "the handler of a child raises": a_child_fails,
    "a permanent child is stopped": a_child_is_stopped,
    "a child fails, and its factory raises once before it works": a_factory_fails_once,
    "a child fails, and its siblings are restarted with it": siblings_are_restarted,
    "a message fails twice with redeliver=True": a_message_fails_twice,
    "a temporary child ends": a_temporary_child_ends,
    "a watched actor ends, and the children are restarted for it": a_watched_actor_ends,
    "a supervisor below gives up, and is restarted": a_supervisor_below_gives_up,
}


def is_borne(case: Case) -> bool:
    assert case.supervisor is not None
    case.rt.advance(LONG_S)
    return case.rt.is_alive(case.supervisor.pid)


@pytest.mark.parametrize("row", rows(GUIDE, "| what happens | restarts"), ids=lambda row: row[0])
def test_an_event_takes_as_many_restarts_as_the_guide_says(row: list[str]) -> None:
    scene = COUNTED[row[0]]
    assert next(most for most in range(5) if is_borne(scene(most))) == int(row[1])


def test_all_that_is_counted_is_in_the_guide() -> None:
    assert [row[0] for row in rows(GUIDE, "| what happens | restarts")] == list(COUNTED)
