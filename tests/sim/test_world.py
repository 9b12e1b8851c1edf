"""Whole systems by chance: many kinds of actor that send, block, fail, stop, swap and are watched.

Each seed makes another world. The test keeps its own books beside those of Iris: what every
send answered, what every handler was given, who watched whom, who was whose child. At the
end both have to agree to the message: order per pair, nothing lost or doubled, each monitor
fired exactly once, children ended before their parents.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple, Optional

import pytest

import iris
from iris.testing import SimRuntime

SEEDS = 240
ACTORS_MAX = 40
HOPS_MAX = 4
KINDS = ("push", "push", "trap", "bounded", "bounded", "pull", "child", "child", "pullchild")
POLICIES = ("dropnew", "dropold", "redirect", "spill", "block")


class Note(NamedTuple):
    """One message."""

    sender: int
    target: int
    number: int
    hops: int


class Actor:
    """What the test knows of an actor."""

    def __init__(self, index: int, kind: str, parent: Optional[Actor]) -> None:
        self.index = index
        self.kind = kind
        self.parent = parent
        self.pid = 0
        self.is_inside = False
        self.got: list[Note] = []
        self.exits: list[str] = []
        self.version = 1


class World:
    """One system, its chance, and the books of the test."""

    def __init__(self, seed: int, **options: Any) -> None:
        self.rt = SimRuntime(seed=seed, shutdown_timeout_s=0.5, **options)
        self.random = Random(seed).random
        self.actors: list[Actor] = []
        self.by_pid: dict[int, Actor] = {}
        self.numbers: dict[tuple[int, int], int] = {}
        self.true: set[Note] = set()
        self.false: set[Note] = set()
        self.unknown: set[Note] = set()
        self.ended: list[int] = []
        self.faults: list[str] = []
        self.copies = False
        # Whether a policy may have moved or copied messages to another actor.
        self.watcher = self.rt.spawn_observed_handler()
        self.monitors: dict[int, list[int]] = {}
        self.downs: list[Any] = []
        self.rt.add_hook("exit", self.exited)
        for _ in range(6):
            self.spawn()

    # -- chance --------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """True as often as this."""
        return self.random() < share

    def pick(self, among: Any) -> Any:
        """One of them."""
        return among[int(self.random() * len(among))]

    # -- what happens --------------------------------------------------------------------------

    def spawn(self, parent: Optional[Actor] = None) -> None:
        """Make an actor of some kind."""
        if len(self.actors) >= ACTORS_MAX:
            return
        kind = self.pick(KINDS)
        parent = self.pick(self.actors) if "child" in kind and self.actors else None
        actor = Actor(len(self.actors), kind, parent)
        try:
            actor.pid = self.start(actor)
        except iris.ActorDead:
            return
        self.actors.append(actor)
        self.by_pid[actor.pid] = actor

    def start(self, actor: Actor) -> int:
        """Spawn it."""
        rt, budget = self.rt, 1 + int(self.random() * 5)

        def handler(message: Any) -> None:
            self.handle(actor, message)

        def body(mailbox: iris.PyMailbox) -> None:
            while not mailbox.closed:
                self.handle(actor, mailbox.recv(self.pick((None, 0.01, 0.3))))

        if actor.parent is not None:
            spawn = rt.spawn_child_with_mailbox if "pull" in actor.kind else rt.spawn_child
            return spawn(actor.parent.pid, body if "pull" in actor.kind else handler, budget)
        if "pull" in actor.kind:
            return rt.spawn_with_mailbox(body, budget)
        if actor.kind == "bounded":
            return rt.spawn_py_handler_bounded(handler, budget, 1 + int(self.random() * 3))
        return rt.spawn(handler, budget, trap_exit=actor.kind == "trap")

    def send(self, sender: int, hops: int = 0) -> None:
        """Send a numbered note to somebody and write down the answer."""
        target = self.pick(self.actors)
        pair = (sender, target.index)
        number = self.numbers[pair] = self.numbers.get(pair, 0) + 1
        note = Note(sender, target.index, number, hops)
        try:
            answer = self.rt.send(target.pid, note)
        except iris.WouldDeadlock:
            self.false.add(note)
            return
        except BaseException:
            self.unknown.add(note)
            raise
        (self.true if answer else self.false).add(note)

    def handle(self, actor: Actor, message: Any) -> None:
        """Any actor's handler."""
        if not isinstance(message, Note):
            return
        if actor.is_inside:
            self.faults.append(f"{actor.kind} {actor.index} runs twice at the same time")
        actor.is_inside = True
        actor.got.append(message)
        try:
            if self.chance(0.2):
                self.rt.sleep(self.pick((0.001, 0.02, 0.2)))
            if message.hops < HOPS_MAX:
                for _ in range(int(self.random() * 3)):
                    self.send(actor.index, message.hops + 1)
            self.act()
            if self.chance(0.01):
                raise self.pick((ValueError, SystemExit, iris.ActorCrash))("as it should")
        finally:
            actor.is_inside = False

    def act(self) -> None:
        """Something else than sending, now and then."""
        rt, choice, actor = self.rt, self.random(), self.pick(self.actors)
        if choice < 0.03:
            self.spawn()
        elif choice < 0.04:
            self.pick((rt.stop, lambda pid: rt.stop_after_drain(pid, 0.05)))(actor.pid)
        elif choice < 0.05:
            with suppress(iris.WouldDeadlock):
                rt.join(actor.pid, 0.01)
        elif choice < 0.06:
            self.link(actor)
        elif choice < 0.10:
            self.monitors.setdefault(actor.pid, []).append(rt.monitor(self.watcher, actor.pid))
        elif choice < 0.11 and self.monitors:
            self.demonitor()
        elif choice < 0.13 and actor.kind == "bounded":
            self.change_policy(actor)
        elif choice < 0.15:
            rt.send_after(actor.pid, 5, None)
        elif choice < 0.17:
            self.swap(actor)

    def link(self, actor: Actor) -> None:
        """Link two actors, if both live."""
        other = self.pick(self.actors)
        with suppress(iris.IrisError):  # One of them is gone, or both are the same.
            self.rt.link(actor.pid, other.pid)

    def demonitor(self) -> None:
        """End a monitor; if it had not fired, it never will."""
        refs = self.pick(sorted(self.monitors.items()))[1]
        if refs and self.rt.demonitor(refs[-1]):
            refs.pop()

    def change_policy(self, actor: Actor) -> None:
        """Choose another overflow policy."""
        policy = self.pick(POLICIES)
        target = self.pick(self.actors).pid if policy in ("redirect", "spill") else None
        with suppress(iris.IrisError):  # It is gone, or its own target.
            self.rt.set_overflow_policy(actor.pid, policy, target)
            self.copies = self.copies or target is not None

    def swap(self, actor: Actor) -> None:
        """Give it a handler that does the same and looks at the version it must have."""
        if "pull" in actor.kind:
            return
        version = self.rt.behavior_version(actor.pid) + 1 if self.rt.is_alive(actor.pid) else 0

        def handler(message: Any) -> None:
            if version < actor.version:
                self.faults.append(f"{actor.index} went back from {actor.version} to {version}")
            actor.version = version
            self.handle(actor, message)

        self.rt.hot_swap(actor.pid, handler)

    def exited(self, pid: int, ending: Any) -> None:
        """The exit hook."""
        self.ended.append(pid)

    # -- the run -------------------------------------------------------------------------------

    def run(self) -> None:
        """Let it live, come to rest, and end."""
        for _ in range(60):
            self.send(-1)
            self.act()
            if self.chance(0.3):
                self.rt.advance(self.pick((0.0, 0.001, 0.05)))
        assert self.rt.quiesce(1000)
        self.check_rest()
        self.check_accounts()
        self.check_living()
        self.downs = self.rt.get_messages(self.watcher)
        self.check_monitors()
        assert self.rt.shutdown(100) == []
        self.check_messages()
        self.check_ends()
        assert self.faults == []

    # -- the books -----------------------------------------------------------------------------

    def check_rest(self) -> None:
        """For other tests: what else has to hold when all have come to rest."""

    def check_accounts(self) -> None:
        """The two identities, and the test's own counts."""
        stats = self.rt.stats()
        turned_away = stats["refused"] + stats["undeliverable"] + stats["redirected"]
        assert stats["sent"] == stats["accepted"] + turned_away
        fates = ("handled", "failed", "dropped_old", "expired")
        assert stats["accepted"] == sum(stats[fate] for fate in fates)
        assert stats["spawned"] == len(self.actors) + 1
        assert stats["ended"] == len(self.ended)
        handled = sum(len(actor.got) for actor in self.actors)
        if not self.copies:
            assert stats["spilled"] == stats["redirected"] == 0
        assert handled <= stats["handled"] + stats["failed"]

    def check_living(self) -> None:
        """Whoever lives without a bound has handled all that it was sent."""
        for actor in self.actors:
            if not self.rt.is_alive(actor.pid) or actor.kind == "bounded":
                continue
            sent = {note for note in self.true if note.target == actor.index}
            assert sent - set(actor.got) == set()

    def check_monitors(self) -> None:
        """One DOWN for each monitor of an ended actor, none for the others."""
        heard: dict[int, int] = {}
        for message in self.downs:
            assert message.type_name == "DOWN"
            heard[message.target_pid] = heard.get(message.target_pid, 0) + 1
        gone = set(self.ended)
        expected = {pid: len(refs) for pid, refs in self.monitors.items() if pid in gone and refs}
        assert heard == expected

    def check_messages(self) -> None:
        """Order per pair; nothing refused is handled; nothing is handled twice."""
        seen: dict[Note, int] = {}
        for actor in self.actors:
            last: dict[tuple[int, int], int] = {}
            for note in actor.got:
                seen[note] = seen.get(note, 0) + 1
                pair = (note.sender, note.target)
                # A copy that was spilled on may come back to where it was.
                assert note.number > last.get(pair, 0) - self.copies
                last[pair] = note.number
        assert self.copies or max(seen.values(), default=0) <= 1
        assert not self.false & set(seen) or self.copies
        assert set(seen) <= self.true | self.unknown | self.false

    def check_ends(self) -> None:
        """Everybody ended once, children before their parents."""
        place = {pid: number for number, pid in enumerate(self.ended)}
        assert len(place) == len(self.ended)
        assert set(place) == {actor.pid for actor in self.actors} | {self.watcher}
        for actor in self.actors:
            if actor.parent is not None:
                assert place[actor.pid] < place[actor.parent.pid]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Handlers fail by the hundred here; their tracebacks are not worth formatting."""
    caplog.set_level(logging.CRITICAL + 1, "iris")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_books_of_a_world_agree(seed: int) -> None:
    World(seed).run()
