"""docs/SUPERVISION.md keeps its word: its samples run, and every cell of its tables is the case.

A row of a table is an event or a thing, by the words of its first cell; for each there is a
function here that brings it about in a simulated runtime, or looks at it. What comes of it is
said in the words of the guide, and compared with the other cells of the row.
"""

from __future__ import annotations

from collections.abc import Callable as CallableType
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

GUIDE = (Path(__file__).resolve().parents[1] / "docs" / "SUPERVISION.md").read_text(encoding="utf-8")
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
        self.rt.supervise_with_factory(
            self.sibling, lambda: self.rt.spawn(self.handle), strategy
        )
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

Scene = CallableType[[str], str]


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


def a_partner_fails(kind: str) -> str:
    case = Case(kind)
    partner = case.rt.spawn(case.handle)
    case.rt.link(partner, case.pid)
    case.rt.send(partner, "fail")
    return case.word()


def a_partner_ends_well(kind: str) -> str:
    case = Case(kind)
    partner = case.rt.spawn(case.handle)
    case.rt.link(partner, case.pid)
    case.rt.send(partner, "end")
    return case.word()


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
        case.rt.send(case.now() or 0, "fail")
        case.rt.advance(0.2)
    word = case.word()
    return "-" if case.begun == 1 else word


def its_time_is_over(kind: str) -> str:
    case = Case(kind, "restartall", shutdown_timeout_s=1.0) if kind in BY_SPEC else Case(
        kind, "restartall"
    )
    case.send("sleep")
    case.rt.advance(0.5)
    case.rt.send(case.sibling, "fail")
    return case.word()


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
    "its handler raises `ActorCrash`": (handler_declares_a_crash,),
    "somebody calls `stop(pid)` or `stop_after_drain(pid)`": (
        somebody_stops_it,
        it_is_stopped_after_its_queue,
    ),
    "it stops itself, or its pull function returns": (it_stops_itself, its_function_returns),
    "a link partner ends as Panic, Crash or Killed": (a_partner_fails,),
    "a link partner ends as Normal": (a_partner_ends_well,),
    "its parent ends": (its_parent_ends,),
    "its supervisor is stopped, ends or is removed": (its_supervisor_is_removed,),
    "a sibling fails under `restartall`": (a_sibling_fails,),
    "the same, and its time to end is over": (its_time_is_over,),
    "`supervisor.remove(id)`": (it_is_removed,),
    "`rt.unsupervise(pid)`": (it_is_taken_off,),
    "`rt.unsupervise(pid)`, and then it fails": (it_is_taken_off_and_fails,),
    "its handler is swapped": (it_is_swapped,),
    "its factory raises at the first start": (its_first_start_fails,),
    "its factory raises at a restart, and then works": (its_factory_fails_once,),
    "its factory raises at every restart": (its_factory_fails_for_ever,),
    "it fails a fourth time within 5 s": (it_fails_too_often,),
    "the runtime shuts down": (the_runtime_shuts_down,),
}
