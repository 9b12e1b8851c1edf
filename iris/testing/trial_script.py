"""What is done to the system of a trial, by chance: its script.

Each operation notes what it did and what came of it. A call may find that whom it names has ended;
that is the ordinary case here, and the errors that say so are let pass.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, Optional

import iris
from iris import ChildSpec, Supervisor
from iris.testing.trial_specs import Specs
from iris.testing.trial_world import NAPS_S, Actor, Place, World

OPS = (
    ("send", 40), ("burst", 6), ("harm", 14), ("stop", 5), ("drain", 2), ("swap", 5), ("ask", 3),
    ("child", 4), ("link", 4), ("unlink", 2), ("monitor", 8), ("demonitor", 3), ("timer", 2),
    ("name", 1), ("spawn", 2), ("supervise", 4), ("unsupervise", 3), ("watch", 1), ("add", 4),
    ("remove", 3), ("end", 2), ("close", 1), ("begin", 2), ("forget", 1), ("join", 1),
)  # fmt: skip

OPS_MOST = 70
REST_S = 400.0
"""Longer than all pauses, naps and windows of a trial one after the other."""

SUPERVISORS_MAX = 5


class Script:
    """What is done to one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rt = world.rt
        self.note = world.book.note
        self.specs = Specs(world)
        self.refs: list[tuple[int, Actor]] = []
        self.links: list[tuple[Actor, Actor]] = []
        self.observers: list[Actor] = []
        self.watched: list[Actor] = []

    # -- the whole -----------------------------------------------------------------------------

    def run(self) -> None:
        """Begin, let it storm, let it come to rest, and end."""
        world = self.world
        for _ in range(3):
            world.spawn()
        for _ in range(1 + int(world.random() * 3)):
            self._begin()
        for _ in range(int(world.random() * 4)):
            self._supervise()
        for _ in range(10 + int(world.random() * OPS_MOST)):
            getattr(self, "_" + world.weighed(OPS))()
            self._go_on()
        if world.chance(0.75):
            self._rest()
        self._shut_down()

    def _go_on(self) -> None:
        world, choice = self.world, self.world.random()
        if choice < 0.4:
            for _ in range(int(world.random() * 8)):
                self.rt.step()
        elif choice < 0.7:
            self.rt.advance(world.random() * world.pick((0.005, 0.1, 1.0)))

    def _rest(self) -> None:
        world, rt = self.world, self.rt
        world.calm = True
        rt.advance(REST_S)
        for message in rt.get_messages(world.watcher.pid):
            if isinstance(message, iris.PySystemMessage):
                world.told(world.watcher.label, message)
        for supervisor in world.supervisors:
            self._note_children(supervisor.children())
        for key, pids in (("", rt.child_pids()), ("/p", self._listed("/p"))):
            self.note("listed", key, actors=" ".join(world.named(pid) for pid in pids))
        for actor in world.actors.values():
            self.note("is_alive", actor.label, alive=rt.is_alive(actor.pid))
        for place in world.places.values():
            if isinstance(place.spec, ChildSpec):
                self._note_names(place)
        stats = rt.stats()
        self.note("rest", quiet=rt.quiesce(1.0), stats=stats)

    def _listed(self, path: str) -> list[int]:
        try:
            return self.rt.path_supervisor_children(path)
        except iris.BadInput:
            return []

    def _note_children(self, infos: tuple[iris.ChildInfo, ...]) -> None:
        for info in infos:
            if info.id in self.world.places:
                actor = "" if info.pid is None else self.world.named(info.pid)
                self.note("has", info.id, actor=actor, state=info.state)
            self._note_children(info.children)

    def _note_names(self, place: Place) -> None:
        spec = place.spec
        assert isinstance(spec, ChildSpec)
        for text, pid in (
            (spec.name, spec.name and self.rt.whereis(spec.name)),
            (spec.path, spec.path and self.rt.whereis_path(spec.path)),
        ):
            if text:
                actor = self.world.named(pid) if isinstance(pid, int) else ""
                self.note("resolves", place.label, text=text, actor=actor)

    def _shut_down(self) -> None:
        self.note("shutdown")
        left = self.rt.shutdown(100)
        self.note("closed", left=" ".join(self.world.named(pid) for pid in left))

    # -- whom ----------------------------------------------------------------------------------

    def _anybody(self) -> Actor:
        world = self.world
        children = world.living(("child", "pull", "bounded"))
        among = children if children and world.chance(0.6) else world.living() or [world.spawn()]
        chosen: Actor = world.pick(among)
        return chosen

    def _supervisor(self) -> Optional[Supervisor]:
        found = [each for each in self.world.supervisors if self.world.actors[each.pid].alive]
        return self.world.pick(found) if found else None

    # -- messages ------------------------------------------------------------------------------

    def _send(self) -> None:
        self.world.send("script", self._anybody())

    def _burst(self) -> None:
        target = self._anybody()
        for _ in range(5):
            self.world.send("script", target)

    def _harm(self) -> None:
        self.world.send(
            "script", self._anybody(), act=self.world.pick(("raise", "raise", "crash", "stop"))
        )

    def _ask(self) -> None:
        with suppress(iris.IrisError):
            self.rt.ask(self._anybody().pid, b"question", 0.2)

    def _timer(self) -> None:
        with suppress(iris.IrisError):
            self.rt.send_interval(self._anybody().pid, 90_000.0, b"tick")

    def _swap(self) -> None:
        world, actor = self.world, self._anybody()
        if actor.kind in ("pull", "supervisor", "observed"):
            return
        fails = world.chance(0.3)

        def migrate(old: Any, _: Any) -> Any:
            if fails:
                raise LookupError("as it should")
            return partial(old)

        done = self.rt.hot_swap(actor.pid, _nothing, migrate, world.pick(("order", "now")))
        self.note("swap", actor.label, fails=fails, done=done)

    # -- ends ----------------------------------------------------------------------------------

    def _stop(self) -> None:
        actor = self._anybody()
        self.note("stop", actor.label)
        self.rt.stop(actor.pid)

    def _drain(self) -> None:
        actor = self._anybody()
        self.note("drain", actor.label)
        self.rt.stop_after_drain(actor.pid, self.world.pick(NAPS_S))

    def _join(self) -> None:
        with suppress(iris.IrisError):
            self.rt.join(self._anybody().pid, 0.5)

    def _end(self) -> None:
        found = self.world.living(("supervisor",))
        if found and self.world.chance(0.5):
            actor = self.world.pick(found)
            self.note("stop", actor.label)
            self.rt.stop(actor.pid)

    def _close(self) -> None:
        supervisor = self._supervisor()
        if supervisor is not None and self.world.chance(0.5):
            self.note("stop", self.world.named(supervisor.pid))
            supervisor.stop(self.world.pick((0.1, 60.0)))

    # -- ties ----------------------------------------------------------------------------------

    def _child(self) -> None:
        self.world.spawn_child(self._anybody())

    def _spawn(self) -> None:
        self.world.spawn()

    def _name(self) -> None:
        self.rt.register(self.world.label("n"), self._anybody().pid)

    def _link(self) -> None:
        a, b = self._anybody(), self._anybody()
        if a in self.observers or b in self.observers:
            return
        with suppress(iris.IrisError):
            self.rt.link(a.pid, b.pid)
            self.note("link", a.label, other=b.label)
            self.links.append((a, b))

    def _unlink(self) -> None:
        if self.links:
            a, b = self.world.pick(self.links)
            if self.rt.unlink(a.pid, b.pid):
                self.note("unlink", a.label, other=b.label)

    def _monitor(self) -> None:
        world = self.world
        traps = [actor for actor in world.living() if actor.trap]
        watcher = world.pick(traps) if traps and world.chance(0.4) else world.watcher
        target = self._anybody()
        with suppress(iris.IrisError):
            ref = self.rt.monitor(watcher.pid, target.pid)
            number = len(self.refs)
            self.refs.append((ref, target))
            self.note("monitor", watcher.label, number=number, target=target.label)

    def _demonitor(self) -> None:
        if self.refs:
            number = int(self.world.random() * len(self.refs))
            if self.rt.demonitor(self.refs[number][0]):
                self.note("demonitor", number=number)

    # -- supervision by pid --------------------------------------------------------------------

    def _supervise(self) -> None:
        world, key = self.world, self.world.pick(("", "", "/p"))
        place = Place(world.label("p"), key, None)
        actor = world.spawn() if world.chance(0.7) else self._anybody()
        strategy = world.strategies[key]
        factory = world.pid_factory(place)
        if (
            actor.pid in world.supervised
            or actor in self.watched
            or any(other.pid == actor.pid for other in world.supervised.values())
        ):
            # The same place would get another factory, and the book could not tell which.
            return
        world.supervised[actor.pid] = place
        place.pid = actor.pid
        try:
            if key:
                self.rt.path_supervise_with_factory(key, actor.pid, factory, strategy.upper())
            else:
                self.rt.supervise_with_factory(actor.pid, factory, strategy.title())
        except iris.IrisError:
            del world.supervised[actor.pid]
            return
        world.places[place.label] = place
        self.note("place", place.label, key=key, restart="permanent", what="pid", added=True)
        self.note("fills", place.label, actor=actor.label)

    def _unsupervise(self) -> None:
        actor = self._anybody()
        self.note("release", actor.label, done=self.rt.unsupervise(actor.pid))

    def _watch(self) -> None:
        actor = self._anybody()
        with suppress(iris.IrisError):
            self.rt.watch(actor.pid, self.world.strategies[""])
            self.watched.append(actor)

    def _forget(self) -> None:
        if self.world.chance(0.3) and self.rt.remove_path_supervisor("/p"):
            self.note("forget", "/p")

    # -- supervision by specs ------------------------------------------------------------------

    def _begin(self) -> None:
        world = self.world
        if len(world.supervisors) >= SUPERVISORS_MAX:
            return
        label, rules = world.label("s"), self.specs.rules()
        self.specs.note_group(label, "none", rules)
        children = [self.specs.make(label) for _ in range(1 + int(world.random() * 4))]
        observer = None
        if world.chance(0.3):
            observer = world.born(
                self.rt.spawn(world.handler("", 0), trap_exit=True), "observer", True
            )
            self.observers.append(observer)
            self.note("observer", observer.label, key=label)
        strategy, most, within_s, backoff_ms = rules
        try:
            supervisor = Supervisor(
                self.rt, children, strategy=strategy, max_restarts=most, within_s=within_s,
                backoff_ms=backoff_ms, name=label,
                observer=None if observer is None else observer.pid,
            )  # fmt: skip
        except (iris.StartFailed, iris.ActorDead):
            self.note("void", label)
            return
        world.supervisors.append(supervisor)
        actor = world.actors.get(supervisor.pid) or world.born(supervisor.pid, "supervisor", False)
        self.note("leads", label, actor=actor.label)
        for place in world.places.values():
            place.unseen = 4
        world.look()

    def _add(self) -> None:
        supervisor = self._supervisor()
        if supervisor is None:
            return
        key = repr(supervisor).split("'")[1]
        spec = self.specs.make(key, depth=1, added=True)
        try:
            supervisor.add(spec)
        except (iris.StartFailed, iris.ActorDead):
            self.note("gone", spec.id)
        self.world.look()

    def _remove(self) -> None:
        supervisor = self._supervisor()
        infos = supervisor.children() if supervisor is not None else ()
        if supervisor is not None and infos:
            label = self.world.pick(infos).id
            self.note("removing", label)
            if supervisor.remove(label):
                self.note("gone", label)


def _nothing(_: Any) -> None:
    pass
