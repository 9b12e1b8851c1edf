"""The ready protocol, checked by trying every interleaving of its steps.

A model of one cell, those who send to it and the carrier. It is written as generators that
follow the code statement by statement; each `yield` is one access to something shared, which
the GIL makes atomic, and all orders of these accesses are tried. In every state: no handler
runs twice at a time, no message is handled twice, out of order, on the wrong side of a swap
or after its actor's end. In every state in which nothing can happen any more: each accepted
message has its fate, and whoever sends next is heard.

The mutants show that each line of the protocol is needed and that the model would notice.
`test_the_model_follows_the_code` pins the statements that were modelled: change both or none.
The larger scenarios run when IRIS_TEST_EXHAUSTIVE is set. One file, though long, because
steps, rules and mutants have to be read side by side.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

import pytest

STATES_MAX = 600_000
"""A scenario beyond this fails: a state takes 400 bytes, a step some 4 microseconds."""

# -- the state: these places, then where each process is ----------------------------------------

(
    LANE,  # cell.user: message numbers and markers, oldest first
    ITEMS,  # how many system messages wait
    MARKS,  # control.marks
    SPECIAL,  # cell.special
    READY,  # cell.ready
    LIFE,  # cell.state
    SHUT,  # whether cell.admission is CLOSED
    BOUND_SHUT,  # whether its bound is closed
    TICKETS,  # messages that wait in front of the full mailbox
    QUEUE,  # how often the cell stands in the run queue
    CALLS,  # how many posted calls wait
    SLEEPING,  # carrier.sleeping
    WOKEN,  # a hub.wake() on which the hub has not acted
    LOCK,  # whether the table lock is held
    ACCEPTED,  # a bit for each message number, like EXPIRED and HANDLED
    EXPIRED,
    # From here on: touched in the carrier's thread only, so no step of another process can
    # make a difference before or after, and the accesses need not be interleaved.
    REST,  # cell.rest: newest first
    RUNNING,  # cell.running
    ACTIVE,  # which greenlet of the carrier's thread runs
    PARKED,  # those of them that rest
    BLOCKED,  # those whose handlers block
    STRAYED,  # those whose handlers have blocked since the slice began
    HANDLING,  # what the handler was given and has not returned from
    HANDLED,
    VERSION,  # how many swaps took effect
    PLACES,
) = range(26)

ALIVE, STOPPING, DEAD = "alive", "stopping", "dead"
SWAP, END, SYSTEM = 1001, 1002, 1003
# Markers and the system message: beyond all message numbers.

Shared = list[Any]
Action = Union[int, tuple[int, Any], Callable[[Shared], Any]]
# A place to read, a (place, value) to store, or a function that does more in one access.
Process = Generator[Any, Any, Any]
WAIT = object()
# The result of an action that is not possible now.


class Fault(Exception):
    """A rule is broken."""


class Cut(Exception):
    """What a signal handler raises in the middle of a send."""


class Choice:
    """An action with several possible results, given by a function of the state."""

    def __init__(self, options: Callable[[Shared], tuple[Any, ...]]) -> None:
        self.options = options


EITHER = Choice(lambda s: (False, True))


def own(action: Callable[[Shared], Any]) -> Callable[[Shared], Any]:
    """Mark an action as one of the carrier's thread alone."""
    action.own = True  # type: ignore[attr-defined]
    return action


# -- what is tried ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """Who does what. A letter is an operation: m sends a message, c sends one and may be cut
    short by a signal handler, x swaps, e puts an end marker, s sends a system message,
    q stops the actor, p posts a call."""

    processes: str
    """Their operations, a word for each process."""
    budget: int = 1
    blocks: bool = False
    """Handlers may block."""
    raises: bool = False
    """Handlers may raise."""
    slices: bool = False
    """The slice may be over, and a turn cut, at each look at the clock."""
    full: str = ""
    """The mailbox is bounded to one message, and this is its policy."""
    broken: str = ""
    """What is left out or done in another order."""

    def __str__(self) -> str:
        words = [self.processes, f"budget {self.budget}", self.full and f"bound {self.full}"]
        words += [word for word in ("blocks", "raises", "slices") if getattr(self, word)]
        return ", ".join(filter(None, words))


class Messages:
    """The numbers of the messages of a scenario, and the rules that bind each."""

    def __init__(self, scenario: Scenario) -> None:
        words = scenario.processes.split()
        self.numbers: dict[tuple[int, int], int] = {}
        # By process and place in its word.
        self.later: dict[int, int] = {}
        # The bits of those that the same process sends after it.
        self.version: dict[int, Optional[int]] = {}
        # The version that has to handle it, where only its own process swaps.
        for process, word in enumerate(words):
            mine = [place for place, letter in enumerate(word) if letter in "mc"]
            swaps_alone = "x" in word and sum("x" in other for other in words) == 1
            for place in mine:
                number = self.numbers[process, place] = len(self.numbers)
                self.later[number] = ((1 << len(mine[mine.index(place) + 1 :])) - 1) << number + 1
                self.version[number] = word[:place].count("x") if swaps_alone else None

    def begin(self, s: Shared, item: int) -> None:
        """The handler is called."""
        if s[HANDLING]:
            raise Fault("two handlers at a time")
        if s[LIFE] == DEAD:
            raise Fault("handled after the end")
        s[HANDLING] = item + 1
        if item == SYSTEM:
            return
        if item not in self.later:
            raise Fault("a marker was handled as a message")
        if (s[HANDLED] | s[EXPIRED]) & 1 << item:
            raise Fault("two fates")
        if s[HANDLED] & self.later[item]:
            raise Fault("out of order")
        if self.version[item] not in (None, s[VERSION]):
            raise Fault("wrong version")
        s[HANDLED] |= 1 << item

    def expire(self, s: Shared, items: tuple[int, ...]) -> None:
        """What was queued is settled."""
        for item in items:
            if item in self.later:
                if (s[HANDLED] | s[EXPIRED]) & 1 << item:
                    raise Fault("two fates")
                s[EXPIRED] |= 1 << item


def check_end(s: tuple[Any, ...], all_over: bool) -> None:
    """Nothing can happen any more: that has to be a good end."""
    if not all_over or s[ACTIVE] or s[HANDLING] or s[LOCK]:
        raise Fault("deadlock")
    if s[QUEUE] or s[CALLS]:
        raise Fault("lost wake-up")
    if s[ACCEPTED] != s[HANDLED] | s[EXPIRED] or s[LANE] or s[REST]:
        raise Fault("lost message")
    if s[LIFE] != DEAD and (s[ITEMS] or s[MARKS]):
        raise Fault("lost system message")
    if s[LIFE] == STOPPING:
        raise Fault("stop not seen")
    if s[READY] or not s[SLEEPING]:
        raise Fault("deaf to whoever sends next")


# -- the model: the side of the senders ------------------------------------------------------------


class Model:
    """The processes of one scenario. Methods are called as the functions they follow."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.broken = scenario.broken
        self.messages = Messages(scenario)

    def operations(self, process: int, word: str) -> Process:
        place = 0
        while place < len(word):
            letter = word[place]
            if letter in "mc":
                number = self.messages.numbers[process, place]
                if self.scenario.full:
                    yield from self.send_bounded(number)
                else:
                    yield from self.send(number, letter == "c")
            elif letter in "xe":
                yield from self.mark(SWAP if letter == "x" else END)
            else:
                yield from {"s": self.system, "q": self.request_stop, "p": self.post}[letter]()
            place += 1

    def send(self, number: int, cut: bool) -> Process:
        if (yield SHUT):
            return
        yield accept(number)
        armed = cut
        try:
            if not (yield READY):
                yield from self.signal()
                if self.broken != "no wake-up" and (yield SLEEPING):
                    yield from self.wake()
        except Cut:
            armed = False
            if self.broken != "no repair":
                yield from self.poke(True)

    def signal(self) -> Process:
        if self.broken == "queued before ready":
            yield enqueue
            yield READY, True
        else:
            yield READY, True
            yield enqueue

    def wake(self) -> Process:
        if (yield SLEEPING):
            disarmed = False
            try:
                yield SLEEPING, False
                yield WOKEN, True
            except Cut:
                disarmed = True
                if self.broken != "a wake that was cut is not repaired":
                    yield WOKEN, True
                raise

    def poke(self, always: bool = False) -> Process:
        if always or not (yield READY):
            yield from self.signal()
            yield from self.wake()

    def send_bounded(self, number: int) -> Process:
        if (yield SHUT):
            return
        verdict = yield self.offer(number, False)
        if verdict == "full":
            if (yield SHUT):
                return
            verdict = yield self.offer(number, True)
        if verdict == "full":
            yield lambda s: WAIT if number in s[TICKETS] else None
        elif verdict:
            yield from self.poke()

    def offer(self, number: int, wait: bool) -> Action:
        """Bound.offer: one step, for it runs under the lock of the bound."""

        def step(s: Shared) -> Any:
            if s[BOUND_SHUT]:
                return ""
            if s[LANE]:
                if self.scenario.full == "dropnew":
                    return ""
                if self.scenario.full == "block":
                    s[TICKETS] += (number,) if wait else ()
                    return "full"
                self.messages.expire(s, s[LANE][:1])
                s[LANE] = s[LANE][1:]
            accept(number)(s)
            return "accepted"

        return step

    def mark(self, marker: int) -> Process:
        if (yield acquire) != ALIVE:
            yield LOCK, False
            return
        late = self.broken == "special is set after the marker is appended"
        if self.broken != "marks are raised after the marker is appended":
            yield raise_marks
        if not late:
            yield SPECIAL, True
        yield append(marker)
        if self.broken == "marks are raised after the marker is appended":
            yield raise_marks
        if late:
            yield SPECIAL, True
        yield LOCK, False
        yield from self.poke()

    def system(self) -> Process:
        yield acquire
        if not (yield SHUT):
            yield add_item
            yield SPECIAL, True
            yield LOCK, False
            yield from self.poke()
        else:
            yield LOCK, False

    def request_stop(self) -> Process:
        if (yield acquire) != ALIVE:
            yield LOCK, False
            return
        if self.broken == "special is set before the state":
            yield SPECIAL, True
            yield LIFE, STOPPING
            yield SHUT, True
        else:
            yield LIFE, STOPPING
            yield SHUT, True
            yield SPECIAL, True
        yield close_bound
        yield LOCK, False
        if self.broken != "a stop wakes nobody":
            yield from self.poke(True)

    def post(self) -> Process:
        yield add_call
        yield from self.wake()

    # -- the carrier's thread: the hub and its pump --------------------------------------------------

    def hub(self) -> Process:
        while True:
            event = yield Choice(lambda s: (("pump",) if s[WOKEN] else ()) + s[BLOCKED])
            if event == "pump":
                yield WOKEN, False
                yield from self.pump()
            else:
                yield switch(event)

    def pump(self) -> Process:
        yield SLEEPING, False
        while True:
            while (yield take_call):
                yield switch_to_blocked
            if (yield QUEUE):
                yield switch_to_parked
            if not (yield QUEUE) and not (yield CALLS) and (yield from self.sleep()):
                return
            if self.scenario.slices and (yield EITHER):
                yield WOKEN, True
                return

    def sleep(self) -> Process:
        yield SLEEPING, True
        if self.broken == "no look after falling asleep":
            return True
        if not (yield QUEUE) and not (yield CALLS):
            return True
        yield SLEEPING, False
        return False

    def carry(self, me: int) -> Process:
        while True:
            yield from self.run_slice(me)
            yield park(me)

    # -- the turn ---------------------------------------------------------------------------------

    def run_slice(self, me: int) -> Process:
        while (yield take_ready):
            if (yield RUNNING) and self.broken != "running is not looked at":
                continue
            if (yield from self.is_simple()):
                yield RUNNING, True
                if (yield from self.handle(me, (yield pop_lane))):
                    yield from self.finish()
            else:
                yield RUNNING, True
                yield from self.long_turn(me)
            yield RUNNING, False
            yield from self.end_turn()
            if (yield has_strayed(me)):
                if self.broken != "no nudge":
                    yield from self.nudge()
                return
            if self.scenario.slices and (yield EITHER):
                return

    def is_simple(self) -> Process:
        if self.broken == "special is read before the length":
            return not (yield SPECIAL) and len((yield LANE)) == 1 and not (yield REST)
        if len((yield LANE)) != 1 or (yield SPECIAL) or (yield REST):
            return False
        return not self.scenario.full and not (yield SHUT)

    def end_turn(self) -> Process:
        if (yield LIFE) == DEAD and self.broken != "the dead are not buried":
            yield from self.bury()
        elif (yield LANE) or (yield self.left_in_rest) or (yield SPECIAL):
            yield enqueue
        else:
            yield READY, False
            if self.broken == "no look after ready is cleared":
                return
            if ((yield LANE) or (yield self.special_again)) and not (yield READY):
                yield READY, True
                yield enqueue

    @own
    def left_in_rest(self, s: Shared) -> bool:
        return self.broken != "the rest is not looked at" and bool(s[REST])

    def special_again(self, s: Shared) -> bool:
        return self.broken != "no look at special after ready is cleared" and s[SPECIAL]

    def nudge(self) -> Process:
        if (yield QUEUE):
            yield from self.wake()

    def handle(self, me: int, item: int) -> Process:
        """Call the handler; True when it raised."""
        yield own(lambda s: self.messages.begin(s, item))
        if self.scenario.blocks and (yield EITHER):
            yield block(me)
        raised = self.scenario.raises and (yield EITHER)
        yield HANDLING, 0
        return raised

    def long_turn(self, me: int) -> Process:
        left = self.scenario.budget
        while left > 0:
            if (yield SPECIAL) and (yield from self.serve(me)):
                return
            if not (yield REST) and not (yield from self.refill()):
                return
            size = yield own(lambda s, left=left: min(left, len(s[REST])))
            if (yield MARKS):
                size = yield from self.pass_markers(size)
            while size:
                size -= 1
                left -= 1
                if (yield from self.handle(me, (yield pop_rest))):
                    yield from self.finish()
                    return
                if (yield SPECIAL):
                    size = 0
            if self.scenario.slices and (yield EITHER):
                return

    def refill(self) -> Process:
        if self.scenario.full:
            return (yield self.take)
        size = yield copy_lane
        if size:
            yield cut_lane(None if self.broken == "refill clears the lane" else size)
        return size

    def take(self, s: Shared) -> bool:
        """Bound.take, under the lock of the bound."""
        if not s[LANE]:
            return False
        s[REST], s[LANE] = s[LANE][:1], s[LANE][1:]
        if s[TICKETS] and not s[LANE]:
            accept(s[TICKETS][0])(s)
            s[TICKETS] = s[TICKETS][1:]
        return True

    def serve(self, me: int) -> Process:
        """The system lane; True when the actor has ended."""
        if self.broken != "special is cleared after the look":
            yield SPECIAL, False
        if (yield LIFE) != ALIVE:
            yield from self.finish()
            return True
        if (yield MARKS):
            yield SPECIAL, True
        items = yield ITEMS
        while items:
            items -= 1
            yield pop_item
            if (yield from self.handle(me, SYSTEM)) or (yield LIFE) != ALIVE:
                yield from self.finish()
                return True
        if (yield ITEMS):
            yield SPECIAL, True
        elif self.broken == "special is cleared after the look":
            yield SPECIAL, False
        return False

    def pass_markers(self, size: int) -> Process:
        passed = yield pop_markers
        yield lower_marks(len(passed))
        if passed[-1:] != (END,):
            return (yield plain(size))
        if (yield acquire) == ALIVE:
            yield LIFE, STOPPING
            yield SHUT, True
            yield SPECIAL, True
        yield LOCK, False
        return 0

    # -- the end ----------------------------------------------------------------------------------

    def finish(self) -> Process:
        yield acquire
        yield LIFE, DEAD
        yield SHUT, True
        if self.broken != "the dead are not special":
            yield SPECIAL, True
        yield close_bound
        yield self.expire_rest
        while (yield copy_lane):
            yield cut_lane((yield own(lambda s: len(s[REST]))))
            yield self.expire_rest
        yield LOCK, False

    @own
    def expire_rest(self, s: Shared) -> None:
        self.messages.expire(s, s[REST])
        s[REST] = ()

    def bury(self) -> Process:
        while True:
            while (yield self.bury_one):
                pass
            if self.broken == "special is cleared at the burial":
                yield SPECIAL, False
            yield READY, False
            if self.broken == "no look after the burial":
                return
            if not (yield LANE) or (yield READY):
                return
            yield READY, True

    def bury_one(self, s: Shared) -> bool:
        buried = bool(s[LANE])
        self.messages.expire(s, s[LANE][:1])
        s[LANE] = s[LANE][1:]
        return buried


# -- the model: single accesses -------------------------------------------------------------------


def accept(number: int) -> Callable[[Shared], None]:
    """Append a message, which from now on has to have a fate."""

    def step(s: Shared) -> None:
        s[LANE] += (number,)
        s[ACCEPTED] |= 1 << number

    return step


def append(marker: int) -> Callable[[Shared], None]:
    def step(s: Shared) -> None:
        s[LANE] += (marker,)

    return step


def add(place: int, amount: int) -> Callable[[Shared], None]:
    def step(s: Shared) -> None:
        s[place] += amount

    return step


enqueue, add_call, add_item, raise_marks = add(QUEUE, 1), add(CALLS, 1), add(ITEMS, 1), add(MARKS, 1)
pop_item = add(ITEMS, -1)


def acquire(s: Shared) -> Any:
    """Take the table lock, and look at the state, which changes under it only."""
    if s[LOCK]:
        return WAIT
    s[LOCK] = True
    return s[LIFE]


def lower_marks(amount: int) -> Callable[[Shared], Any]:
    def step(s: Shared) -> Any:
        if s[LOCK]:
            return WAIT
        s[MARKS] -= amount
        return None

    return step


def close_bound(s: Shared) -> None:
    s[BOUND_SHUT], s[TICKETS] = True, ()


def take(place: int) -> Callable[[Shared], bool]:
    """Take one of several, if there is one: only the carrier's thread takes."""

    def step(s: Shared) -> bool:
        if not s[place]:
            return False
        s[place] -= 1
        return True

    return step


take_call, take_ready = take(CALLS), take(QUEUE)


def pop_lane(s: Shared) -> int:
    first: int = s[LANE][0]
    s[LANE] = s[LANE][1:]
    return first


@own
def pop_rest(s: Shared) -> int:
    last: int = s[REST][-1]
    s[REST] = s[REST][:-1]
    return last


def copy_lane(s: Shared) -> int:
    s[REST] = s[LANE][::-1]
    return len(s[LANE])


def cut_lane(size: Optional[int]) -> Callable[[Shared], None]:
    """`del lane[:size]`"""

    def step(s: Shared) -> None:
        s[LANE] = () if size is None else s[LANE][size:]

    return step


@own
def pop_markers(s: Shared) -> tuple[int, ...]:
    """Take the markers that stand first in the batch, an end marker last."""
    passed: tuple[int, ...] = ()
    while s[REST] and s[REST][-1] in (SWAP, END) and passed[-1:] != (END,):
        passed += s[REST][-1:]
        s[REST] = s[REST][:-1]
    s[VERSION] += passed.count(SWAP)
    return passed


def plain(size: int) -> Callable[[Shared], int]:
    """How many of the next messages come before the next marker."""

    @own
    def step(s: Shared) -> int:
        batch = s[REST][::-1][:size]
        return next((n for n, item in enumerate(batch) if item in (SWAP, END)), len(batch))

    return step


def switch(greenlet: int) -> Callable[[Shared], None]:
    @own
    def step(s: Shared) -> None:
        s[ACTIVE] = greenlet
        s[BLOCKED] = tuple(other for other in s[BLOCKED] if other != greenlet)

    return step


@own
def switch_to_parked(s: Shared) -> None:
    s[ACTIVE], *parked = s[PARKED]
    s[PARKED] = tuple(parked)


@own
def switch_to_blocked(s: Shared) -> None:
    """A posted call wakes a blocked handler, if there is one."""
    if s[BLOCKED]:
        switch(s[BLOCKED][0])(s)


def block(me: int) -> Callable[[Shared], None]:
    @own
    def step(s: Shared) -> None:
        s[BLOCKED] += (me,)
        s[STRAYED] += (me,)
        s[ACTIVE] = 0

    return step


def has_strayed(me: int) -> Callable[[Shared], bool]:
    """Whether the pump has had control since the slice began: the epochs differ."""

    @own
    def step(s: Shared) -> bool:
        strayed = me in s[STRAYED]
        s[STRAYED] = tuple(other for other in s[STRAYED] if other != me)
        return strayed

    return step


def park(me: int) -> Callable[[Shared], None]:
    @own
    def step(s: Shared) -> None:
        s[PARKED] = tuple(sorted((*s[PARKED], me)))
        s[ACTIVE] = 0

    return step


# -- the search -------------------------------------------------------------------------------------


class Node:
    """A place in a process: what it does next, and how it came there."""

    __slots__ = ("action", "armed", "history", "make", "next", "own")

    def __init__(self, make: Callable[[], Process], history: tuple[Any, ...], action: Any) -> None:
        self.make = make
        self.history = history
        self.action = action
        place = action if isinstance(action, int) else action[0] if type(action) is tuple else None
        self.own = getattr(action, "own", False) or (place is not None and place >= REST)
        self.next: dict[Any, int] = {}
        self.armed = False


class Automaton:
    """The processes as tables, unfolded from their generators when a place is first reached.

    A place is told by where the generator stands and what its local variables hold. Since a
    generator cannot be copied, it is run anew with the results that led there.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[Any, int] = {}

    def at(self, make: Callable[[], Process], history: tuple[Any, ...] = ()) -> int:
        """The number of the node to which these results lead."""
        process, action = make(), None
        try:
            action = next(process)
            for result in history:
                action = process.throw(Cut()) if result is Cut else process.send(result)
        except StopIteration:
            return OVER
        # An action may hold a value that no variable holds any more.
        cells = getattr(action, "__closure__", None) or ()
        where: list[Any] = [tuple(cell.cell_contents for cell in cells)]
        armed, disarmed = False, False
        inner: Any = process
        while inner is not None:
            known = inner.gi_frame.f_locals
            armed = armed or known.get("armed", False)
            disarmed = disarmed or known.get("disarmed", False)
            where.append((inner.gi_code, inner.gi_frame.f_lasti, tuple(sorted(known.items()))))
            inner = inner.gi_yieldfrom
        number = self._known.setdefault(tuple(where), len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(Node(make, history, action))
            self.nodes[number].armed = armed and not disarmed
        return number

    def after(self, number: int, result: Any) -> int:
        """The node that a result leads to."""
        node = self.nodes[number]
        following = node.next.get(result)
        if following is None:
            following = node.next[result] = self.at(node.make, (*node.history, result))
        return following


OVER = -1
# Instead of a node: the process has done all it wanted.


class Search:
    """Visits every state that a scenario can reach; raises Fault at the first bad one."""

    def __init__(self, scenario: Scenario) -> None:
        model = Model(scenario)
        words = scenario.processes.split()
        self.automaton = Automaton()
        shared: Shared = [0] * PLACES
        shared[LANE] = shared[TICKETS] = shared[REST] = shared[BLOCKED] = shared[STRAYED] = ()
        shared[LIFE], shared[SLEEPING], shared[PARKED] = ALIVE, True, (1, 2)
        self.senders = range(PLACES + 3, PLACES + 3 + len(words))
        at = self.automaton.at
        carrier = [at(model.hub), at(lambda: model.carry(1)), at(lambda: model.carry(2))]
        senders = [
            at(lambda process=process, word=word: model.operations(process, word))
            for process, word in enumerate(words)
        ]
        self.first = (*shared, *carrier, *senders)
        self.states = 0

    def run(self) -> None:
        """Depth first. The garbage collector would look through millions of tuples in vain."""
        gc.disable()
        try:
            self._run()
        finally:
            gc.enable()

    def _run(self) -> None:
        seen = {self.first}
        stack = [self.first]
        while stack:
            state = stack.pop()
            following = self.successors(state)
            if not following:
                check_end(state, all(state[sender] == OVER for sender in self.senders))
            for one in following:
                if one not in seen:
                    seen.add(one)
                    stack.append(one)
            if len(seen) > STATES_MAX:
                raise AssertionError(f"over {STATES_MAX} states: make the scenario smaller")
        self.states = len(seen)

    def successors(self, state: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """All states one step away."""
        found: list[tuple[Any, ...]] = []
        for process in (*self.senders, PLACES + state[ACTIVE]):
            if state[process] != OVER:
                self._step(list(state), process, found)
        return found

    def _step(self, s: Shared, process: int, found: list[tuple[Any, ...]]) -> None:
        """One access of one process, and what follows in its own variables."""
        number = s[process]
        node = self.automaton.nodes[number]
        action = node.action
        if node.armed:
            cut = s[:]
            cut[process] = self.automaton.after(number, Cut)
            self._go_on(cut, process, found)
        if type(action) is Choice:
            for option in action.options(s):
                taken = s[:]
                taken[process] = self.automaton.after(number, option)
                self._go_on(taken, process, found)
            return
        result = self._act(s, action)
        if result is not WAIT:
            s[process] = self.automaton.after(number, result)
            self._go_on(s, process, found)

    def _go_on(self, s: Shared, process: int, found: list[tuple[Any, ...]]) -> None:
        """Do what need not be interleaved."""
        while True:
            if process < self.senders.start:
                process = PLACES + s[ACTIVE]
            number = s[process]
            if number == OVER or not self.automaton.nodes[number].own:
                break
            result = self._act(s, self.automaton.nodes[number].action)
            s[process] = self.automaton.after(number, result)
        found.append(tuple(s))

    @staticmethod
    def _act(s: Shared, action: Action) -> Any:
        if type(action) is int:
            return s[action]
        if type(action) is tuple:
            s[action[0]] = action[1]
            return None
        return action(s)  # type: ignore[operator]


def fault_of(scenario: Scenario) -> Optional[str]:
    """The first fault that is found; None after all states."""
    try:
        Search(scenario).run()
    except Fault as fault:
        return str(fault)
    return None



if __name__ == "__main__":
    import sys, time

    def show(sc):
        t = time.time()
        se = Search(sc)
        try:
            se.run()
            r = "ok"
        except Fault as e:
            r = e
        print(sc, sc.broken, se.states, len(se.automaton.nodes), r, round(time.time() - t, 2), flush=True)

    for words in ("m m", "mm mm", "m m m", "m m q", "mm q", "mmm q", "c c", "c c q", "mxm m", "mx m q", "ms m q", "me m", "mp m",):
        for blocks in (False, True):
            for raises in (False, True):
                show(Scenario(words, blocks=blocks, raises=raises))
