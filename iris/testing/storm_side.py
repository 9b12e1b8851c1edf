"""What one stress round is like, and one runtime in it with its actors and hooks."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from typing import Any, Optional

import iris
from iris.testing.storm_actors import Actor, Note, World, pull_body

POOL = 40
"""Actors that are sent to at one time."""


@dataclass(frozen=True)
class Plan:
    """What one round is like; all of it follows from the seed."""

    seed: int
    traffic_s: float
    threads: int
    runtimes: int
    greenlet_threads: int
    embedded: bool
    """Whether the first runtime runs on the hub of a thread that also does other things."""
    switch_s: Optional[float]
    timers: bool
    intervals: bool
    spill: bool
    stormy: bool
    """Whether handlers also raise, crash, stop and have children."""
    stop_observed: bool
    fetch_race: bool
    """Whether several threads fetch from one observed actor at the same time."""
    child_timeout_s: float
    shut_in_traffic: bool
    manner: str
    """all: every kind of call. calm: one message at a time, so that nothing hides a lost wake-up.
    deadly: sends that race with the end of their actor."""
    pull_threads_max: Optional[int]
    """Small in some rounds, so that pull actors share threads."""

    @classmethod
    def of(cls, seed: int, traffic_s: float, threads: int) -> Plan:
        """The plan of a seed."""
        chance = random.Random(seed).random
        manner = ("all", "all", "all", "calm", "deadly")[seed % 5]
        return cls(
            seed=seed,
            traffic_s=traffic_s,
            manner=manner,
            threads=max(1, int(threads * (0.3 + 0.7 * chance())) // (3 if manner == "calm" else 1)),
            runtimes=1 if manner == "calm" else 1 + int(chance() * 3),
            greenlet_threads=int(chance() * 3),
            embedded=chance() < 0.3,
            switch_s=None if chance() < 0.4 else 1e-5,
            timers=chance() < 0.6,
            intervals=chance() < 0.5,
            spill=chance() < 0.5,
            stormy=chance() < 0.8,
            stop_observed=chance() < 0.4,
            fetch_race=chance() < 0.5,
            child_timeout_s=5.0 if chance() < 0.7 else 0.01,
            shut_in_traffic=chance() < 0.15 and manner != "calm",
            pull_threads_max=1 + int(chance() * 4) if chance() < 0.4 else None,
        )


class Side:
    """One runtime, its actors, and what its hooks have told."""

    def __init__(self, world: World, index: int, plan: Plan, hub: str) -> None:
        self.world = world
        self.index = index
        self.plan = plan
        self.rt = iris.Runtime(
            hub=hub,
            shutdown_timeout_s=plan.child_timeout_s,
            pull_threads_max=plan.pull_threads_max,
            # Few threads for workers, so that most of them share the pool.
            release_gil_max_threads=2,
            release_gil_pool_size=3,
        )
        self.born: list[Actor] = []
        self.exits: dict[int, list[tuple[int, str]]] = {}
        # By pid: when (in the world's numbering) and as what an actor's end was told.
        self.rt.add_hook("exit", self._exited)
        self.rt.add_hook("error", self._error)
        self.watchers = [
            self.spawn(kind, pooled=False)
            for kind in ("watcher_observed", "watcher_trap", "watcher_pull")
        ]

    def _exited(self, pid: int, ending: Any) -> None:
        self.exits.setdefault(pid, []).append((next(self.world.clock), str(ending.reason)))

    def _error(self, error: BaseException) -> None:
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.world.violation(f"internal error in runtime {self.index}:\n{lines}")

    def spawn(
        self,
        kind: str,
        parent: Optional[Actor] = None,
        pooled: bool = True,
        versioned: bool = False,
    ) -> Actor:
        """Make one actor of a kind."""
        world, rt = self.world, self.rt
        actor = Actor(world, self, kind)
        actor.parent = parent
        actor.versioned = versioned
        actor.traps = kind.endswith("trap") or "observed" in kind or "pull" in kind
        actor.ordered = kind != "pull_selective" and not (
            kind == "observed" and self.plan.fetch_race
        )
        handler = actor.behaviour(1)
        if parent is not None and kind == "child":
            actor.pid = rt.spawn_child(parent.pid, handler)
        elif parent is not None:
            actor.pid = rt.spawn_child_with_mailbox(parent.pid, pull_body(actor, world.chance))
        elif kind == "bounded":
            actor.bounded = True
            actor.capacity = 1 + int(world.chance() * world.chance() * 30)
            actor.pid = rt.spawn_py_handler_bounded(handler, 10, actor.capacity)
        elif kind == "virtual":
            actor.pid = rt.spawn_virtual(handler, 10, 0.1 + world.chance() * 20)
        elif "observed" in kind:
            actor.pid = rt.spawn_observed_handler(10)
        elif "pull" in kind:
            actor.pid = rt.spawn_with_mailbox(pull_body(actor, world.chance))
        else:
            budget = 100 if kind == "push" else 1 + int(world.chance() * 4)
            actor.pid = rt.spawn(handler, budget, kind == "worker", trap_exit=actor.traps)
        world.actors.append(actor)
        self.born.append(actor)
        if pooled:
            place = int(world.chance() * POOL)
            if len(world.pool) < POOL:
                world.pool.append(actor)
            else:
                world.pool[place] = actor
        return actor

    def fetch(self, actor: Actor) -> None:
        """Take what an observed actor has kept, and check it."""
        if self.plan.fetch_race:
            messages = self.rt.get_messages(actor.pid)
            with actor.lock:
                self._look_at(actor, messages)
        else:
            with actor.lock:
                self._look_at(actor, self.rt.get_messages(actor.pid))

    def _look_at(self, actor: Actor, messages: list[Any]) -> None:
        for message in messages:
            if isinstance(message, iris.PySystemMessage):
                if message.type_name == "DOWN":
                    pid = message.target_pid
                    actor.downs[pid] = actor.downs.get(pid, 0) + 1
                continue
            actor.handled += 1
            if type(message) is Note:
                actor.check(message, 1)
