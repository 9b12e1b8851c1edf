"""The system of a trial: its actors, factories and supervisors, each of which writes into the book.

Every actor does what the messages tell it to; what happens when is the script's. Chance comes from
`random()` only, whose stream is the same on every interpreter. Some 360 lines, because actors,
factories and the eyes on both write into one book and share who is who.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any, Callable, NamedTuple, Optional, Union

import iris
from iris import ChildSpec, PySystemMessage, Supervisor, SupervisorSpec
from iris.testing.sim import SimRuntime
from iris.testing.trial_book import Book

HOPS_MAX = 3
NAPS_S = (0.01, 0.3, 2.0)
PATIENCE_S = (0.05, 1.0, 5.0)
"""Some handlers sleep longer than some supervisors wait: then they are interrupted."""

ACTS = (
    ("", 60), ("onward", 14), ("nap", 8), ("child", 3), ("raise", 8), ("crash", 2), ("stop", 1),
    ("reply", 2), ("again", 2),
)  # fmt: skip
MOODS = (("", 80), ("block", 10), ("raise", 4), ("none", 2), ("dead", 2), ("other", 2))
"""What a factory does; the last two make sense only where it returns a pid."""


class Note(NamedTuple):
    """A message: who sends it, its number among those of this sender to this target."""

    sender: str
    number: int
    act: str
    hops: int


class Actor:
    """What the world knows of an actor."""

    def __init__(self, label: str, pid: int, kind: str, trap: bool, parent: str) -> None:
        self.label = label
        self.pid = pid
        self.kind = kind
        self.trap = trap
        self.parent = parent
        self.alive = True


class Place:
    """What somebody is supervised as: by a spec, or by a factory of pids."""

    def __init__(self, label: str, key: str, spec: Union[ChildSpec, SupervisorSpec, None]) -> None:
        self.label = label
        self.key = key
        self.spec = spec
        self.lives = 0
        self.pid = 0
        self.unseen = 0
        # So many steps more to look for the actor that a factory has just been called for.


class World:
    """One system under trial.

    Args:
        seed: decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random
        self.rt = SimRuntime(seed=seed, shutdown_timeout_s=self.pick((0.2, 1.0)))
        self.book = Book(lambda: self.rt.now)
        self.actors: dict[int, Actor] = {}
        self.places: dict[str, Place] = {}
        self.supervised: dict[int, Place] = {}
        # Places of factories of pids, by the first pid.
        self.supervisors: list[Supervisor] = []
        self.numbers: dict[tuple[str, str], int] = {}
        self.calm = False
        # True when factories do what they should.
        self.labels = 0
        self.rt.add_hook("exit", self._ended)
        self.rt.add_hook("orphan", self._orphaned)
        self.rt.add_hook("restart", lambda report: self._reported("restart", report))
        self.rt.add_hook("give_up", lambda report: self._reported("give_up", report))
        self.rt.add_hook("error", lambda error: self.book.note("error", text=repr(error)))
        self.rt.after_each_step(self.look)
        self.strategies = {"": self.pick(("restartone", "restartone", "restartall", "restartrest"))}
        self.watcher = self.born(self.rt.spawn_observed_handler(), "observed", True)
        for key in ("", "/p"):
            self.strategies.setdefault(key, "restartone")
            self.book.note(
                "group", key, strategy=self.strategies[key], max_restarts=3, within_s=5.0, above=""
            )

    # -- chance --------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """True as often as this."""
        return self.random() < share

    def pick(self, among: Any) -> Any:
        """One of them."""
        return among[int(self.random() * len(among))]

    def weighed(self, among: Any) -> Any:
        """One of (thing, weight)."""
        left = self.random() * sum(weight for _, weight in among)
        for thing, weight in among:
            left -= weight
            if left < 0:
                return thing
        return among[-1][0]

    def label(self, letter: str) -> str:
        """A new one."""
        self.labels += 1
        return f"{letter}{self.labels}"

    # -- who is there --------------------------------------------------------------------------

    def born(self, pid: int, kind: str, trap: bool, parent: str = "", place: str = "") -> Actor:
        """Somebody new is known of."""
        actor = self.actors[pid] = Actor(self.label("a"), pid, kind, trap, parent)
        self.book.note("born", actor.label, what=kind, trap=trap, parent=parent, place=place)
        return actor

    def named(self, pid: int) -> str:
        """The label of a pid; also of one that has ended before anybody has seen it."""
        if pid == 0:
            return ""
        known = self.actors.get(pid)
        return (known or self.born(pid, "unseen", False)).label

    def living(self, kinds: Optional[tuple[str, ...]] = None) -> list[Actor]:
        """Known actors that live, except the watcher."""
        return [
            actor
            for actor in self.actors.values()
            if actor.alive and actor.kind != "observed" and (kinds is None or actor.kind in kinds)
        ]

    def look(self, at_once: bool = False) -> None:
        """Find out which actors fill the places of specs by now."""
        if not at_once and not any(place.unseen for place in self.places.values()):
            return
        for supervisor in self.supervisors:
            for info in supervisor.children():
                self._see(info, self.actors[supervisor.pid])
        for place in self.places.values():
            place.unseen = max(0, place.unseen - 1)

    def _see(self, info: iris.ChildInfo, above: Actor) -> None:
        place = self.places.get(info.id)
        if place is None or info.pid is None:
            return
        if info.pid != place.pid:
            place.pid = info.pid
            spec = place.spec
            known = self.actors.get(info.pid)
            if isinstance(spec, ChildSpec):
                trap = spec.trap_exit or spec.mailbox
                kind = "pull" if spec.mailbox else "bounded" if spec.capacity else "child"
            else:
                trap, kind = False, "supervisor"
            actor = known or self.born(info.pid, kind, trap, above.label, place.label)
            self.book.note("fills", place.label, actor=actor.label)
        for below in info.children:
            self._see(below, self.actors[info.pid])

    # -- what happens to them ------------------------------------------------------------------

    def _ended(self, pid: int, ending: Any) -> None:
        label = self.named(pid)
        self.actors[pid].alive = False
        by = self.named(ending.by)
        self.book.note("end", label, reason=str(ending.reason), by=by)

    def _orphaned(self, pid: int) -> None:
        self.book.note("orphan", self.named(pid))

    def _reported(self, kind: str, report: iris.ChildReport) -> None:
        try:
            self._note_report(kind, report)
        except Exception as error:
            # Iris logs what a hook raises and goes on; here it must not pass unseen.
            self.book.note("error", text=repr(error))
            raise

    def _note_report(self, kind: str, report: iris.ChildReport) -> None:
        place = self.places.get(report.child)
        if place is None:
            first = int(report.child.split()[1])
            place = self.supervised[first]
            if report.pid != place.pid:
                place.pid = report.pid
                if report.pid not in self.actors:
                    self.named(report.pid)
                self.book.note("fills", place.label, actor=self.named(report.pid))
        self.look(at_once=True)
        self.book.note(
            kind,
            place.label,
            key=report.supervisor,
            actor=self.named(report.pid),
            previous=self.named(report.previous_pid),
            reason="" if report.reason is None else str(report.reason),
        )

    # -- handlers ------------------------------------------------------------------------------

    def handler(self, place: str, life: int) -> Callable[[Any], None]:
        """A handler as a factory makes it."""
        return lambda message: self.handle(place, life, message)

    def body(self, place: str, life: int) -> Callable[[Any], None]:
        """The function of a pull actor."""

        def body(mailbox: iris.PyMailbox) -> None:
            while not mailbox.closed:
                message = mailbox.recv(self.pick((None, 0.05, 1.0)))
                if message is not None:
                    self.handle(place, life, message)

        return body

    def handle(self, place: str, life: int, message: Any) -> None:
        """Any actor's handler."""
        pid = iris.current().pid
        self.look()
        label = self.named(pid)
        if isinstance(message, PySystemMessage):
            self.told(label, message)
            return
        if not isinstance(message, Note):
            return
        facts = {"place": place, "life": life, "sender": message.sender, "number": message.number}
        self.book.note("in", label, act=message.act, **facts)
        how = "done"
        try:
            self._act(self.actors[pid], message)
        except BaseException as error:
            how = type(error).__name__
            raise
        finally:
            self.book.note("out", label, how=how, **facts)

    def told(self, label: str, message: PySystemMessage) -> None:
        """Somebody has got a system message."""
        reason = "" if message.reason is None else str(message.reason)
        self.book.note(
            "told", label, what=str(message.type_name), target=self.named(message.target_pid),
            reason=reason,
        )  # fmt: skip

    def _act(self, actor: Actor, message: Note) -> None:
        act = message.act
        if act == "nap":
            self.rt.sleep(self.pick(NAPS_S))
        elif act == "onward" and message.hops < HOPS_MAX:
            for _ in range(1 + int(self.random() * 2)):
                self.send(actor.label, self.pick(self.living()), message.hops + 1)
        elif act == "again":
            self.rt.send_after(actor.pid, self.pick((1, 50, 700)), b"tick")
        elif act == "child":
            self.spawn_child(actor)
        elif act == "raise":
            raise self.pick((ValueError, KeyError, SystemExit))("as it should")
        elif act == "crash":
            raise iris.ActorCrash("as it should")
        elif act == "stop":
            self.rt.stop(actor.pid)
        elif act == "reply":
            self.rt.reply(message.number)

    def send(self, sender: str, target: Actor, hops: int = 0, act: Optional[str] = None) -> None:
        """Send a numbered message to somebody and write down the answer."""
        pair = (sender, target.label)
        number = self.numbers[pair] = self.numbers.get(pair, 0) + 1
        note = Note(sender, number, self.weighed(ACTS) if act is None else act, hops)
        taken = self.rt.send(target.pid, note)
        self.book.note("sent", sender, target=target.label, number=number, taken=taken)

    # -- spawning ------------------------------------------------------------------------------

    def spawn(self, place: str = "", life: int = 0) -> Actor:
        """Make an actor without a parent."""
        kind = self.pick(("push", "push", "trap", "bounded", "worker", "pull"))
        budget = 1 + int(self.random() * 3)
        if kind == "pull":
            return self.born(self.rt.spawn_with_mailbox(self.body(place, life)), kind, True)
        handler = self.handler(place, life)
        if kind == "bounded":
            pid = self.rt.spawn_py_handler_bounded(handler, budget, 2)
        else:
            pid = self.rt.spawn(handler, budget, kind == "worker", trap_exit=kind == "trap")
        return self.born(pid, kind, kind == "trap")

    def spawn_child(self, parent: Actor) -> None:
        """Make a child of a living actor, perhaps."""
        trap = self.chance(0.3)
        with suppress(iris.ActorError):
            pid = self.rt.spawn_child(parent.pid, self.handler("", 0), trap_exit=trap)
            self.born(pid, "offspring", trap, parent.label)

    # -- factories -----------------------------------------------------------------------------

    def factory(self, place: Place) -> Callable[[], Any]:
        """The factory of a spec."""

        def factory() -> Any:
            life, mood = self._called(place)
            if mood == "raise":
                self.book.note("made", place.label, life=life, what="raise")
                raise LookupError("as it should")
            if mood == "none":
                self.book.note("made", place.label, life=life, what="none")
                return None
            self.book.note("made", place.label, life=life, what="ok")
            place.unseen = 4
            assert isinstance(place.spec, ChildSpec)
            make = self.body if place.spec.mailbox else self.handler
            return make(place.label, life)

        return factory

    def pid_factory(self, place: Place) -> Callable[[], Any]:
        """A factory that returns a pid."""

        def factory() -> Any:
            life, mood = self._called(place)
            made: Any = None
            if mood == "dead":
                made = 12345
            elif mood == "other":
                made = self.pick(self.living() or [None])
                made = None if made is None else made.pid
            elif mood not in ("raise", "none"):
                made = self.spawn(place.label, life).pid
            ours = mood in ("", "block")
            what = "ok" if ours else mood
            actor = self.named(made) if ours or (mood == "other" and made) else ""
            self.book.note("made", place.label, life=life, what=what, actor=actor)
            if mood == "raise":
                raise LookupError("as it should")
            return made

        return factory

    def _called(self, place: Place) -> tuple[int, str]:
        place.lives += 1
        life = place.lives
        self.look(at_once=True)
        self.book.note("call", place.label, life=life)
        mood = "" if self.calm else str(self.weighed(MOODS))
        if mood == "block":
            self.rt.sleep(self.pick(NAPS_S))
        return life, mood
