"""The traffic of a stress round: streams of calls in many threads and greenlets.

Most calls are sends. A task records what it will want to know afterwards (links, monitors,
timers); checking that is left to the round.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from iris.errors import BadInput
from iris.run.clock import monotonic, sleep
from iris.run.waiter import Waiter
from iris.testing.storm_actors import EXPECTED, Actor, Note, Sender, World, gevent_sleep
from iris.testing.storm_side import Plan, Side

KINDS = (
    ("push", 8), ("small", 4), ("bounded", 10), ("trap", 4), ("pull", 2), ("pull_timed", 1),
    ("pull_selective", 1), ("observed", 2), ("child", 6), ("child_pull", 1), ("virtual", 4),
    ("worker", 3),
)  # fmt: skip

OPS = (
    ("send", 500), ("many", 30), ("bytes", 20), ("own_swap", 25), ("swap", 10), ("roll_back", 5),
    ("swap_path", 1), ("spawn", 10), ("pool", 2), ("stop", 6), ("quit", 2), ("link", 8),
    ("unlink", 3), ("monitor", 10), ("demonitor", 5), ("policy", 15), ("timer", 15), ("cancel", 5),
    ("name", 5), ("path", 3), ("fetch", 5), ("join", 3), ("look", 5), ("dead", 3),
    ("drain", 2), ("quiesce", 1), ("ask", 12),
)  # fmt: skip

STUCK_S = 20.0
"""A message that goes round idle actors takes microseconds; after this time it is lost."""

POLICIES = ("dropnew", "dropold", "redirect", "spill", "block")


class Task(Sender):
    """A stream of calls: most of them sends, some of everything else."""

    def __init__(self, world: World, sides: list[Side], plan: Plan, in_greenlet: bool) -> None:
        super().__init__(world)
        self.sides = sides
        self.plan = plan
        self.pause = gevent_sleep if in_greenlet else sleep
        self.in_greenlet = in_greenlet
        self.own: list[Actor] = []
        # Versioned actors, which only this task swaps.
        self.monitors: list[tuple[Actor, Actor, int]] = []
        self.expected_downs: dict[tuple[Actor, int], int] = {}
        self.links: list[tuple[Actor, Actor]] = []
        self.unlinked: list[tuple[Actor, Actor]] = []
        self.timers: list[tuple[Actor, int, Note]] = []
        self.cancelled: list[Note] = []
        self.intervals: list[tuple[Side, int]] = []
        self.ops = [op for op, weight in OPS for _ in range(weight)]

    def run(self) -> None:
        """Call until the traffic is over."""
        # Whatever still gets through: the runtime may be shut down in the middle of it.
        with suppress(*EXPECTED):
            {"all": self._all, "calm": self._calm, "deadly": self._deadly}[self.plan.manner]()

    def _calm(self) -> None:
        """One message goes round some actors of its own; the next starts when it is back."""
        world = self.world
        side = world.pick(self.sides)
        kinds = ("push", "small", "bounded", "pull", "push", "pull", "worker")
        actors = [side.spawn(kind, pooled=False) for kind in kinds]
        while monotonic() < world.end:
            route = [world.pick(actors) for _ in range(1 + int(world.chance() * 3))]
            answer = Waiter()
            if not self.send_round(route, answer):
                world.violation(f"a message to idle {route[0]!r} was refused")
            elif not answer.wait(STUCK_S):
                world.violation(f"a message that went round {route} got stuck")
                return

    def _deadly(self) -> None:
        """All send to one actor while they stop it, and make the next one."""
        world = self.world
        # Soon, while its queue is short, or late, when it takes long to clear it out.
        stop_share = 0.02 if world.seed % 2 else 0.001
        while monotonic() < world.end:
            latest = world.prey[-1] if world.prey else None
            if latest is None or not latest.side.rt.is_alive(latest.pid):
                kind = world.pick(["push", "small", "bounded", "worker", "virtual", "pull"])
                parent = world.pick(world.pool)
                with suppress(*EXPECTED):
                    if kind == "push" and world.chance() < 0.5:
                        world.prey.append(parent.side.spawn("child", parent, pooled=False))
                    else:
                        world.prey.append(parent.side.spawn(kind, pooled=False))
            if not world.prey:
                continue
            # Perhaps one that another task has just made.
            prey = world.prey[-1]
            if world.chance() < stop_share:
                prey.side.rt.stop(prey.pid)
            elif world.chance() < 0.7 and not prey.bounded:
                if not self.send_burst(prey, 40):
                    # It is ending, for which its runtime needs the processor.
                    self.pause(0.0002)
            elif self.may_send(prey):
                self.send(prey, world.pick(("", "", "yield", "stop", "raise")))
            if self.in_greenlet:
                gevent_sleep(0)

    def _all(self) -> None:
        world = self.world
        steps = 0
        while monotonic() < world.end:
            op = world.pick(self.ops)
            with suppress(*EXPECTED):
                getattr(self, "_op_" + op)(world.pick(world.pool))
            steps += 1
            if self.in_greenlet and steps % 8 == 0:
                gevent_sleep(0)

    def _room(self, target: Actor) -> bool:
        """Whether the target keeps up; a short rest if it does not."""
        size = target.side.rt.mailbox_size(target.pid)
        if size is not None and size > 300:
            self.pause(0.001)
            return False
        return True

    def _op_send(self, target: Actor) -> None:
        if self.may_send(target):
            self.send(target, self.world.pick(self.world.acts), hops=3)

    def _op_ask(self, target: Actor) -> None:
        if self.may_send(target) and self._room(target):
            self.ask(target)

    def _op_many(self, target: Actor) -> None:
        if self._room(target) and self.may_send(target):
            for _ in range(int(self.world.chance() * 60)):
                self.send(target)

    def _op_bytes(self, target: Actor) -> None:
        if self.may_send(target) and self._room(target):
            self.send_raw(target, self.world.pick([b"bytes", bytearray(b"x"), memoryview(b"y")]))

    def _op_own_swap(self, _target: Actor) -> None:
        """Messages around a swap: what was sent before runs on the old behaviour."""
        self.own = [actor for actor in self.own if actor.side.rt.is_alive(actor.pid)]
        if len(self.own) < 3:
            kind = self.world.pick(["push", "bounded", "small", "pull", "pull_timed", "worker"])
            self.own.append(self.world.pick(self.sides).spawn(kind, versioned=True))
        actor = self.world.pick(self.own)
        if not self._room(actor):
            return
        for _ in range(int(self.world.chance() * 10)):
            if self.may_send(actor):
                self.send(actor, self.world.pick(["", "", "sleep", "yield"]), 0, actor.version)
        if actor.side.rt.hot_swap(actor.pid, actor.behaviour(actor.version + 1)):
            actor.version += 1
        for _ in range(int(self.world.chance() * 5)):
            if self.may_send(actor):
                self.send(actor, "", 0, actor.version)

    def _op_swap(self, target: Actor) -> None:
        if target.versioned or "observed" in target.kind:
            return

        def migrate(_old: Any, new: Any) -> Any:
            if self.world.chance() < 0.2:
                raise ValueError("no migration")
            return new

        when = self.world.pick(["order", "now"])
        target.side.rt.hot_swap(
            target.pid, target.behaviour(2), migrate if self.world.chance() < 0.5 else None, when
        )

    def _op_swap_path(self, target: Actor) -> None:
        def count_only(_message: Any) -> None:
            raise AssertionError("no actor has a path below /none")

        if target.side.rt.hot_swap_path("/none", count_only) != 0:
            self.world.violation("hot_swap_path found actors where none is")

    def _op_roll_back(self, target: Actor) -> None:
        # The first version of a pull actor is its function, which takes a mailbox.
        if not target.versioned and "pull" not in target.kind:
            with suppress(BadInput):
                target.side.rt.rollback_behavior(target.pid, 1)

    def _op_spawn(self, target: Actor) -> None:
        kind = self.world.pick([kind for kind, weight in KINDS for _ in range(weight)])
        if not self.plan.stormy and kind.startswith("child"):
            return
        if kind.startswith("child"):
            target.side.spawn(kind, target)
        else:
            self.world.pick(self.sides).spawn(kind)

    def _op_pool(self, target: Actor) -> None:
        if self.plan.stormy:
            for _ in range(3):
                target.side.spawn("child", target)

    def _op_stop(self, target: Actor) -> None:
        if "observed" in target.kind and not self.plan.stop_observed:
            return
        target.side.rt.stop(target.pid)
        self.world.pick(self.sides).spawn("push")

    def _op_drain(self, target: Actor) -> None:
        if "observed" not in target.kind:
            target.side.rt.stop_after_drain(target.pid, self.world.chance())

    def _op_quiesce(self, target: Actor) -> None:
        target.side.rt.quiesce(self.world.chance() * 0.005)

    def _op_quit(self, target: Actor) -> None:
        if self.plan.stormy and self.may_send(target) and "observed" not in target.kind:
            self.send_raw(target, b"quit")

    def _op_link(self, target: Actor) -> None:
        other = self.world.pick(self.world.pool)
        if other is not target and other.side is target.side:
            target.side.rt.link(target.pid, other.pid)
            self.links.append((target, other))

    def _op_unlink(self, _target: Actor) -> None:
        if self.links:
            pair = self.links[int(self.world.chance() * len(self.links))]
            self.unlinked.append(pair)
            pair[0].side.rt.unlink(pair[0].pid, pair[1].pid)

    def _op_monitor(self, target: Actor) -> None:
        watcher = self.world.pick(target.side.watchers)
        ref = target.side.rt.monitor(watcher.pid, target.pid)
        self.monitors.append((watcher, target, ref))
        key = (watcher, target.pid)
        self.expected_downs[key] = self.expected_downs.get(key, 0) + 1

    def _op_demonitor(self, _target: Actor) -> None:
        if self.monitors:
            watcher, watched, ref = self.monitors.pop(int(self.world.chance() * len(self.monitors)))
            if watcher.side.rt.demonitor(ref):
                self.expected_downs[watcher, watched.pid] -= 1

    def _op_policy(self, target: Actor) -> None:
        if not target.bounded:
            return
        policy = self.world.pick(list(POLICIES))
        if policy == "spill":
            if not self.plan.spill:
                return
            target.hard = False
        if policy not in ("redirect", "spill"):
            target.side.rt.set_overflow_policy(target.pid, policy)
            return
        # Only upwards, so that no message can come round to the same actor.
        aims = [a for a in self.world.pool if a.side is target.side and a.key > target.key]
        if aims:
            target.side.rt.set_overflow_policy(target.pid, policy, self.world.pick(aims).pid)

    def _op_timer(self, target: Actor) -> None:
        if not self.plan.timers:
            return
        note = Note(next(self.world.indexes), 1, target, "", 0)
        if self.plan.intervals and self.world.chance() < 0.1:
            beat = target.side.rt.send_interval(target.pid, 1 + self.world.chance() * 20, b"beat")
            self.intervals.append((target.side, beat))
            return
        timer = target.side.rt.send_after(target.pid, self.world.chance() * 50, note)
        self.timers.append((target, timer, note))

    def _op_cancel(self, target: Actor) -> None:
        if self.timers:
            place = int(self.world.chance() * len(self.timers))
            target, timer, note = self.timers[place]
            if target.side.rt.cancel_timer(timer):
                del self.timers[place]
                self.cancelled.append(note)

    def _op_name(self, target: Actor) -> None:
        name = f"name {int(self.world.chance() * 20)}"
        rt = target.side.rt
        self.world.pick([lambda: rt.register(name, target.pid), lambda: rt.unregister(name)])()
        rt.whereis(name)

    def _op_path(self, target: Actor) -> None:
        path = f"/some/{int(self.world.chance() * 5)}/{int(self.world.chance() * 5)}"
        rt = target.side.rt
        self.world.pick([
            lambda: rt.register_path(path, target.pid), lambda: rt.unregister_path(path),
        ])()  # fmt: skip
        rt.list_children("/some")

    def _op_fetch(self, target: Actor) -> None:
        # A greenlet that waits with the lock held would let the next one of its thread in.
        if target.kind == "observed" and (self.plan.fetch_race or not self.in_greenlet):
            target.side.fetch(target)

    def _op_join(self, target: Actor) -> None:
        target.side.rt.join(target.pid, self.world.chance() * 0.002)

    def _op_look(self, target: Actor) -> None:
        target.side.rt.stats()
        target.side.rt.child_pids()
        target.side.rt.is_alive(target.pid)

    def _op_dead(self, target: Actor) -> None:
        """Whoever has ended stays ended."""
        rt = target.side.rt
        if rt.join(target.pid, 0) and rt.is_alive(target.pid):
            self.world.violation(f"{target!r} is alive after its join")
