"""The actors of a stress round: each checks what Iris gives it, and does what it is told.

A `Sender` numbers what it sends and counts the answers; an `Actor` is a sender as well. An
actor notes a violation when two calls of its handler overlap, when the numbers of one
sender do not rise, when a refused message arrives, or when a behaviour handles what was
meant for another one. Nothing here decides when to do what: that is the round's. Some 400
lines, because all that an actor can be told to do is one list, and reads as one.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count, repeat
from typing import Any, Callable, Optional

import iris
from iris.errors import (
    ActorCrash,
    ActorDead,
    ActorError,
    AskTimeout,
    LimitReached,
    RuntimeClosed,
    WouldDeadlock,
)
from iris.run.clock import monotonic
from iris.run.native import new_rlock
from iris.run.waiter import Waiter

EXPECTED = (ActorDead, ActorError, RuntimeClosed)
"""What a call may raise because the actor or the runtime it names is just ending."""

UNANSWERED = (AskTimeout, LimitReached, WouldDeadlock)
"""What else becomes of a question."""

ASK_S = 0.005
"""Short, because many are asked who do not answer."""

VIOLATIONS_MAX = 50
"""After so many lines the rest says nothing new."""

STORMY_ACTS = (
    ("raise", 1), ("crash", 1), ("exit", 1), ("stop", 2), ("quit", 1), ("child", 4),
)  # fmt: skip
MILD_ACTS = (
    ("", 400), ("onward", 200), ("sleep", 40), ("yield", 20), ("wait", 15), ("join", 3),
    ("busy", 20), ("timer", 4), ("size", 40), ("pause", 10), ("ask", 6),
)  # fmt: skip


class Harm(BaseException):
    """What a handler raises that no `except Exception` of Iris may let through."""


def gevent_sleep(delay_s: float) -> None:
    """Sleep as a user's handler does: gevent is there, for a runtime has loaded it."""
    sys.modules["gevent"].sleep(delay_s)


class Note:
    """One numbered message."""

    __slots__ = ("act", "answer", "hops", "number", "route", "runs", "sender", "target", "version")

    def __init__(self, sender: int, number: int, target: Actor, act: str, hops: int) -> None:
        self.sender = sender
        self.number = number
        self.target = target
        # The actor it was sent to; another one may handle it, or a copy, after an overflow.
        self.act = act
        self.hops = hops
        self.version = 0
        # The behaviour that has to handle it; 0 for any.
        self.route: list[Actor] = []
        # Whom it has still to visit, before `answer` is settled.
        self.answer: Optional[Waiter] = None
        self.runs = 0
        # How often it was handled. Not exact when a copy of it exists.

    def __repr__(self) -> str:
        return f"<note {self.number} of sender {self.sender} to {self.target!r}, {self.act!r}>"


class Answers:
    """What the sends of one sender to one runtime came to."""

    __slots__ = ("cut", "false", "refused", "true")

    def __init__(self) -> None:
        self.true = 0
        self.false = 0
        self.cut = 0
        # Sends that an exception ended: whether they were counted before is unknown.
        self.refused: list[Note] = []


class World:
    """What the parts of one round have in common. Every field is for any thread."""

    def __init__(self, seed: int, traffic_s: float, sides: int) -> None:
        self.seed = seed
        self.end = monotonic() + traffic_s
        self.sides_max = sides
        self.violations: list[str] = []
        self.actors: list[Actor] = []
        # All that were ever made in this round, for the accounts.
        self.prey: list[Actor] = []
        # One that is sent to and stopped at the same time; the latest is the last.
        self.pool: list[Actor] = []
        # Those that are sent to; an ended one is replaced now and then.
        self.timed: list[Note] = []
        self.indexes = count(1)
        self.clock = count(1)
        # Numbers events, so that two of them can be told apart in time.
        self.chance = random.Random(seed).random
        self.acts: list[str] = []

    def violation(self, text: str) -> None:
        """Note that Iris broke a promise."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(text)

    def pick(self, among: Sequence[Any]) -> Any:
        """One of them by chance."""
        return among[int(self.chance() * len(among))]

    def set_acts(self, stormy: bool) -> None:
        """Choose what handlers do: only pass messages on and block, or also end in all ways."""
        self.acts = [
            act
            for act, weight in MILD_ACTS + (STORMY_ACTS if stormy else ())
            for _ in range(weight)
        ]


class Sender:
    """Somebody who sends, in one thread or greenlet at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = next(world.indexes)
        self.number = 0
        self.answers = [Answers() for _ in range(world.sides_max)]

    def may_send(self, target: Actor) -> bool:
        """Whether waiting for room there can close no circle of waiting actors."""
        return not target.bounded or target.key > self.key

    def send(self, target: Actor, act: str = "", hops: int = 0, version: int = 0) -> bool:
        """Send a numbered note."""
        self.number += 1
        note = Note(self.key, self.number, target, act, hops)
        note.version = version
        accepted = self.send_raw(target, note)
        if not accepted:
            refused = self.answers[target.side.index].refused
            if len(refused) < 5000:
                refused.append(note)
        return accepted

    def ask(self, target: Actor) -> None:
        """Ask with a numbered note; the answer is its number."""
        if target.kind == "virtual":
            # Their accounts are of what was accepted, and a question without answer does not tell.
            return
        self.number += 1
        note = Note(self.key, self.number, target, "reply", 0)
        answers = self.answers[target.side.index]
        try:
            answer = target.side.rt.ask(target.pid, note, ASK_S)
        except BaseException as error:
            answers.cut += 1
            if isinstance(error, (*UNANSWERED, *EXPECTED)):
                return
            raise
        answers.true += 1
        if answer != note.number:
            self.world.violation(f"{note!r} was answered by {answer!r}")

    def send_round(self, route: list[Actor], answer: Waiter) -> bool:
        """Send a note from one actor to the next; the last one settles `answer`."""
        self.number += 1
        note = Note(self.key, self.number, route[0], "round", 0)
        note.route, note.answer = route[1:], answer
        return self.send_raw(route[0], note)

    def send_burst(self, target: Actor, times: int) -> int:
        """Send the same bytes again and again, with as little between two sends as can be."""
        answers = self.answers[target.side.index]
        true: int = sum(map(target.side.rt.send, repeat(target.pid, times), repeat(b"burst")))
        if target.kind == "virtual":
            target.accepted.extend([None] * true)
        answers.true += true
        answers.false += times - true
        return true

    def send_raw(self, target: Actor, data: Any) -> bool:
        """Send anything, and count the answer."""
        answers = self.answers[target.side.index]
        try:
            accepted: bool = target.side.rt.send(target.pid, data)
        except WouldDeadlock:
            # A circle of waiting actors, through somebody's `join`: nothing was offered.
            return False
        except BaseException:
            answers.cut += 1
            raise
        if accepted is True:
            answers.true += 1
            if target.kind == "virtual":
                target.accepted.append(None)
        elif accepted is False:
            answers.false += 1
        else:
            self.world.violation(f"send returned {accepted!r}")
        return accepted


class Actor(Sender):
    """One actor and what it has seen. `receive` is its handler."""

    def __init__(self, world: World, side: Any, kind: str) -> None:
        super().__init__(world)
        self.side = side
        self.kind = kind
        self.pid = 0
        # 0 until the spawn has returned.
        self.bounded = False
        self.capacity = 0
        self.hard = True
        # Whether the bound was never soft, as under the policy `spill`.
        self.traps = False
        self.ordered = True
        # False where it takes its messages out of order by itself.
        self.versioned = False
        # Whether one thread swaps it in order, so that versions can be foretold.
        self.version = 1
        self.parent: Optional[Actor] = None
        self.handled = 0
        self.failed = 0
        self.ended_itself = False
        # Which counts as a normal end, too.
        self.accepted: list[None] = []
        # One for each send that it accepted; noted for virtual actors only. A list, because any
        # thread adds to it.
        self.downs: dict[int, int] = {}
        self.lock = new_rlock()
        # Held by who checks what an observed actor has kept.
        self._note: Optional[Note] = None
        # The one that is being handled.
        self._inside: list[None] = []
        self._latest: dict[int, int] = {}
        self._seen: set[tuple[int, int]] = set()

    def __repr__(self) -> str:
        return f"<{self.kind} {self.key} pid {self.pid}>"

    def behaviour(self, version: int) -> Callable[[Any], None]:
        """A handler that knows which version of the actor's behaviour it is."""

        def handle(message: Any) -> None:
            self.receive(message, version)

        return handle

    def receive(self, message: Any, version: int) -> None:
        """Handle one message."""
        self._inside.append(None)
        if len(self._inside) != 1:
            self.world.violation(f"{self!r} runs {len(self._inside)} messages at once: {message!r}")
        try:
            if isinstance(message, iris.PySystemMessage):
                self._system(message)
                return
            try:
                self._user(message, version)
            except BaseException:
                self.failed += 1
                raise
            self.handled += 1
        finally:
            self._inside.pop()

    def check(self, note: Note, version: int) -> None:
        """Note what is wrong with receiving this note now."""
        note.runs += 1
        if self.ordered:
            latest = self._latest.get(note.sender, 0)
            if note.number <= latest:
                self.world.violation(f"{self!r} got {note!r} after number {latest} of that sender")
            self._latest[note.sender] = note.number
        else:
            key = (note.sender, note.number)
            if key in self._seen:
                self.world.violation(f"{self!r} got {note!r} twice")
            self._seen.add(key)
        if note.version and note.target is self and self.versioned and note.version != version:
            self.world.violation(
                f"{self!r}: version {version} handled {note!r}, meant for {note.version}"
            )

    def _system(self, message: iris.PySystemMessage) -> None:
        if not self.traps:
            self.world.violation(f"{self!r} got {message!r} and cannot receive such")
        if message.type_name == "DOWN":
            self.downs[message.target_pid] = self.downs.get(message.target_pid, 0) + 1
        elif message.type_name == "EXIT" and self.kind == "trap" and self.world.chance() < 0.05:
            raise Harm("an EXIT was too much")

    def _user(self, message: Any, version: int) -> None:
        if self.pid and self.side.rt.self_pid() != self.pid:
            self.world.violation(f"{self!r} is told that it is {self.side.rt.self_pid()}")
        if type(message) is not Note:
            if type(message) is not bytes:
                self.world.violation(f"{self!r} got {message!r}")
            return
        self.check(message, version)
        if message.act:
            self._note = message
            getattr(self, "_do_" + message.act)()
        if self._inside != [None]:
            self.world.violation(f"{self!r} ran more than {message!r} at once")

    # -- what a note can tell it to do ---------------------------------------------------------

    def _do_onward(self) -> None:
        hops = 0 if self._note is None else self._note.hops
        if hops > 0 and self.world.pool:
            target = self.world.pick(self.world.pool)
            if self.may_send(target):
                act = "onward" if self.world.chance() < 0.9 else self.world.pick(self.world.acts)
                self.send(target, act, hops - 1)

    def _do_ask(self) -> None:
        if self.world.pool:
            target = self.world.pick(self.world.pool)
            if self.may_send(target):
                self.ask(target)

    def _do_reply(self) -> None:
        note = self._note
        assert note is not None
        # Not always: the other has to get over that, too.
        if self.world.chance() < 0.9 and self.side.rt.self_pid() == self.pid:
            self.side.rt.reply(note.number)

    def _do_round(self) -> None:
        note = self._note
        assert note is not None
        assert note.answer is not None
        if note.route:
            self.send_round(note.route, note.answer)
        else:
            note.answer.settle()

    def _do_sleep(self) -> None:
        gevent_sleep(self.world.chance() * 0.003)

    def _do_yield(self) -> None:
        gevent_sleep(0)

    def _do_wait(self) -> None:
        Waiter().wait(self.world.chance() * 0.002)

    def _do_join(self) -> None:
        other = self.world.pick(self.world.pool)
        if other is not self:
            # It raises when the other one waits for this one in turn.
            with suppress(WouldDeadlock):
                other.side.rt.join(other.pid, self.world.chance() * 0.002)

    def _do_pause(self) -> None:
        if "pull" not in self.kind:
            iris.pause()

    def _do_busy(self) -> None:
        end = monotonic() + 0.0002
        while monotonic() < end:
            pass

    def _do_timer(self) -> None:
        later = Note(next(self.world.indexes), 1, self, "", 0)
        self.world.timed.append(later)
        self.side.rt.send_after(self.pid, self.world.chance() * 20, later)

    def _do_size(self) -> None:
        size = self.side.rt.mailbox_size(self.pid) or 0
        # `hard` after the size: the policy may become `spill` between the two looks.
        if self.bounded and size > self.capacity and self.hard:
            self.world.violation(f"{self!r} has {size} queued over {self.capacity}")

    def _do_raise(self) -> None:
        raise (ValueError("told to raise") if self.world.chance() < 0.5 else Harm("told to raise"))

    def _do_crash(self) -> None:
        raise ActorCrash("told to crash")

    def _do_exit(self) -> None:
        sys.exit("told to exit")

    def _do_stop(self) -> None:
        self.ended_itself = True
        self.side.rt.stop(self.pid)

    def _do_quit(self) -> None:
        if self.may_send(self):
            self.send_raw(self, b"quit")

    def _do_child(self) -> None:
        # Not when it is stopping while its handler runs.
        with suppress(*EXPECTED):
            self.side.spawn(self.world.pick(["child", "child", "child", "child_pull"]), self)


def pull_body(actor: Actor, chance: Callable[[], float]) -> Callable[[Any], None]:
    """The function of a pull actor: takes in one of three ways and ends in one of three."""

    def body(mailbox: Any) -> None:
        handle = actor.behaviour(1)
        while True:
            message = take(mailbox)
            if message is None:
                if not mailbox.closed:
                    continue
                if chance() < 0.5:
                    return
                # Called again it raises ActorStopped, which ends the function as well. Before
                # that there is one more None if the first was a time-out, and one more message
                # if the stop is just being made.
                message = mailbox.recv()
                if message is None:
                    mailbox.recv()
                    actor.world.violation(f"{actor!r} received more after the end")
                    return
            if isinstance(message, iris.PySystemMessage) and message.type_name == "HOT_SWAP":
                handle = message.metadata["handler"]  # type: ignore[index]
                continue
            handle(message)

    def take(mailbox: Any) -> Any:
        if actor.kind == "pull_selective":
            third = int(chance() * 3)
            wanted = mailbox.selective_recv(
                lambda message: type(message) is not Note or message.number % 3 == third, 0.001
            )
            return mailbox.selective_recv(lambda _: True, 0.002) if wanted is None else wanted
        return mailbox.recv(0.002 if actor.kind == "pull_timed" else None)

    return body
