"""A model of the ready protocol: one cell, those who send to it, and the carrier.

Generators that follow the code statement by statement; each `yield` is one access to
something shared, which the GIL makes atomic (see `enumeration`). What only the carrier's
thread touches is read and stored without a step of its own. A scenario says who does what,
and may name one line of the protocol that is left out or done in another order.

Longer than a module should be, because the steps of senders, pump, turn and end have to be
read side by side, as in the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Optional

from .enumeration import WAIT, Choice, Cut, Fault, Process, Setup, Shared, State, own

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
    STAGE,  # renewal.stage
    RESTARTS,  # how often the actor began to restart
    TOLD,  # how often `rested` was called
    ACCEPTED,  # the bits of the messages with this fate, as the next and HANDLED
    EXPIRED,
    # From here on: the carrier's thread only.
    REST,  # cell.rest: newest first
    RUNNING,  # cell.running
    ACTIVE,  # which greenlet runs: 0 is the hub
    PARKED,  # those that rest
    BLOCKED,  # those whose handlers block
    STRAYED,  # those whose handlers have blocked since their slice began
    HANDLING,  # what the handler was given and has not returned from, plus 1
    HANDLED,
    VERSION,  # how many swaps took effect
    PLACES,
) = range(29)

ALIVE, RESTARTING, STOPPING, DEAD = "alive", "restarting", "stopping", "dead"
LIVING = (ALIVE, RESTARTING)
AWAKE, LEAVING, WAITING, RESTED = range(4)
SWAP, END, SYSTEM = 1001, 1002, 1003
# Two markers and the system message; messages have the numbers from 0 on.
RAISED = -1
EITHER = Choice(lambda s: (False, True))


@dataclass(frozen=True)
class Scenario:
    """Who does what."""

    processes: str
    """A word for each process, in it a letter for each operation: m sends a message, c sends
    one and may be cut short by a signal handler, x swaps, e puts an end marker, d the same and
    closes the mailbox, s sends a system message, q stops the actor, p posts a call, o tells it to
    restart, u resumes it if it finds it at rest."""

    budget: int = 1
    blocks: bool = False
    """Handlers may block."""

    raises: bool = False
    """Handlers may raise."""

    restarts: bool = False
    """The actor restarts in place when its handler raises."""

    slices: bool = False
    """The slice may be over, and a turn cut, at each look at the clock."""

    full: str = ""
    """The mailbox is bounded to one message, and this is its policy."""

    broken: str = ""
    """What of the protocol does not hold."""

    def __str__(self) -> str:
        words = [self.processes, self.budget > 1 and f"budget {self.budget}", self.full]
        flags = ("blocks", "raises", "restarts", "slices")
        words += [word for word in flags if getattr(self, word)]
        return ", ".join(str(word) for word in words if word)


class Messages:
    """The messages of a scenario by their numbers, and the rules that bind each."""

    def __init__(self, words: list[str]) -> None:
        self.numbers: dict[tuple[int, int], int] = {}
        # By process and place in its word.
        self._later: dict[int, int] = {}
        # The bits of those that the same process sends after it.
        self._version: dict[int, Optional[int]] = {}
        # The version that has to handle it, known where only its own process swaps.
        for process, word in enumerate(words):
            knows = "x" in word and sum("x" in other for other in words) == 1
            places = [place for place, letter in enumerate(word) if letter in "mc"]
            for later, place in zip(range(len(places) - 1, -1, -1), places):
                number = self.numbers[process, place] = len(self.numbers)
                self._later[number] = ((1 << later) - 1) << number + 1
                self._version[number] = word[:place].count("x") if knows else None

    def begin(self, item: int, s: Shared) -> None:
        """The handler is called."""
        if s[HANDLING]:
            raise Fault("two handlers at a time")
        if s[LIFE] == DEAD:
            raise Fault("handled after the end")
        if s[STAGE] != AWAKE and s[LIFE] == RESTARTING:
            raise Fault("handled at rest")
        s[HANDLING] = item + 1
        if item == SYSTEM:
            return
        if item not in self._later:
            raise Fault("a marker was handled as a message")
        if (s[HANDLED] | s[EXPIRED]) & 1 << item:
            raise Fault("two fates")
        if s[HANDLED] & self._later[item]:
            raise Fault("out of order")
        if self._version[item] not in (None, s[VERSION]):
            raise Fault("wrong version")
        s[HANDLED] |= 1 << item

    def expire(self, items: tuple[int, ...], s: Shared) -> None:
        """What was queued is settled."""
        for item in items:
            if item in self._later:
                if (s[HANDLED] | s[EXPIRED]) & 1 << item:
                    raise Fault("two fates")
                s[EXPIRED] |= 1 << item


def check_end(s: State, all_over: bool) -> None:
    """Nothing can happen any more: that has to be a good end."""
    # Whoever waits for room waits on while the actor is at rest.
    all_over = all_over or (s[LIFE] == RESTARTING and s[TICKETS] != ())
    if not all_over or s[ACTIVE] or s[HANDLING] or s[LOCK]:
        raise Fault("deadlock")
    if s[QUEUE] or s[CALLS]:
        raise Fault("lost wake-up")
    if s[LIFE] == RESTARTING:
        # Nobody resumes it: its queue waits, and that is good.
        if s[STAGE] != RESTED:
            raise Fault("never at rest")
        if not s[SLEEPING]:
            raise Fault("deaf to whoever sends next")
        return
    if s[ACCEPTED] != s[HANDLED] | s[EXPIRED] or s[LANE] or s[REST]:
        raise Fault("lost message")
    if s[LIFE] != DEAD and (s[ITEMS] or s[MARKS]):
        raise Fault("lost system message")
    if s[LIFE] == STOPPING:
        raise Fault("stop not seen")
    if s[READY] or not s[SLEEPING]:
        raise Fault("deaf to whoever sends next")


def setup(scenario: Scenario) -> Setup:
    """The scenario as a system to search through."""
    model = Model(scenario)
    shared: list[Any] = [0] * PLACES
    for place in (LANE, TICKETS, REST, BLOCKED, STRAYED):
        shared[place] = ()
    shared[LIFE], shared[SLEEPING], shared[PARKED] = ALIVE, True, (1, 2)
    team = [model.hub, partial(model.carry, 1), partial(model.carry, 2)]
    # Two greenlets are enough: the one cell can block no more than one.
    others = [partial(model.operations, place, word) for place, word in enumerate(model.words)]
    return Setup(tuple(shared), REST, ACTIVE, team, others, check_end)


class Model:
    """The processes of a scenario. Methods are called as the functions that they follow."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.broken = scenario.broken
        self.words = scenario.processes.split()
        self.messages = Messages(self.words)

    # -- from any thread -----------------------------------------------------------------------

    def operations(self, process: int, word: str) -> Process:
        """Do what a word says."""
        place = 0
        while place < len(word):
            letter = word[place]
            if letter in "mc":
                number = self.messages.numbers[process, place]
                if self.scenario.full:
                    yield from self.send_bounded(number)
                else:
                    yield from self.send(number, letter == "c")
            elif letter in "xed":
                yield from self.mark(SWAP if letter == "x" else END, letter == "d")
            else:
                yield from {
                    "s": self.system, "q": self.request_stop, "p": self.post, "o": self.order,
                    "u": self.resume,
                }[letter]()  # fmt: skip
            place += 1

    def send(self, number: int, cut: bool) -> Process:
        armed = cut
        try:
            if (yield SHUT):
                return
            yield partial(accept, number)
            if not (yield READY):
                yield from self.set_ready_and_signal()
                if (yield SLEEPING):
                    yield from self.wake()
        except Cut:
            armed = False  # noqa: F841  # Read by the search, like the True before.
            if self.broken != "a cut send is not repaired":
                yield from self.insist()

    def set_ready_and_signal(self) -> Process:
        if self.broken == "queued, then ready":
            yield enqueue
            yield READY, True
        else:
            yield READY, True
            yield enqueue

    def wake(self, always: bool = False) -> Process:
        if always or (yield SLEEPING):
            yield SLEEPING, False
            yield WOKEN, True

    def poke(self) -> Process:
        if not (yield READY):
            yield from self.set_ready_and_signal()
            yield from self.wake()

    def insist(self) -> Process:
        yield from self.set_ready_and_signal()
        yield from self.wake(self.broken != "only a sleeping hub is woken in repair")

    def send_bounded(self, number: int) -> Process:
        """`_admit`, and `_wait` under policy block."""
        verdict = "closed"
        if not (yield SHUT):
            verdict = yield partial(self.offer, number, False)
        if verdict == "full" and not (yield SHUT):
            verdict = yield partial(self.offer, number, True)
        if verdict == "waits":
            yield partial(wait_for_room, number)
        elif verdict == "accepted":
            yield from self.poke()

    def offer(self, number: int, ticket: bool, s: Shared) -> str:
        """`Bound.offer`: one access, for all of it is done under the lock of the bound."""
        if s[BOUND_SHUT]:
            return "closed"
        if s[LANE]:
            if self.scenario.full == "dropnew":
                return "refused"
            if self.scenario.full == "block":
                s[TICKETS] += (number,) if ticket else ()
                return "waits" if ticket else "full"
            self.messages.expire(s[LANE][:1], s)
            s[LANE] = s[LANE][1:]
        accept(number, s)
        return "accepted"

    def mark(self, marker: int, shut: bool) -> Process:
        alive = (yield acquire) in LIVING
        if alive:
            if self.broken != "marks are raised behind the marker":
                yield partial(add, MARKS, 1)
            if self.broken != "special is set behind the marker":
                yield SPECIAL, True
            yield partial(append, marker)
            if self.broken == "marks are raised behind the marker":
                yield partial(add, MARKS, 1)
            if self.broken == "special is set behind the marker":
                yield SPECIAL, True
            if shut:
                yield SHUT, True
                yield close_bound
        yield LOCK, False
        if alive:
            yield from self.poke()

    def system(self) -> Process:
        alive = (yield acquire) in LIVING
        if alive:
            yield partial(add, ITEMS, 1)
            yield SPECIAL, True
        yield LOCK, False
        if alive:
            yield from self.poke()

    def request_stop(self) -> Process:
        alive = (yield acquire) in LIVING
        if alive:
            yield from self.make_stopping()
        yield LOCK, False
        if alive and self.broken != "a stop wakes nobody":
            yield from self.insist()

    def make_stopping(self) -> Process:
        if self.broken == "special is set before the state":
            yield SPECIAL, True
        yield LIFE, STOPPING
        yield SHUT, True
        if self.broken != "special is set before the state":
            yield SPECIAL, True
        yield close_bound

    def order(self) -> Process:
        alive = (yield acquire) == ALIVE
        if alive:
            yield from self.begin_restart()
        yield LOCK, False
        if alive and self.broken != "an order wakes nobody":
            yield from self.insist()

    def begin_restart(self) -> Process:
        yield restart
        yield SPECIAL, True
        yield STAGE, AWAKE

    def resume(self) -> Process:
        """What a supervisor does that was told of the rest; at any time, or never."""
        if not (yield Choice(lambda s: (True, False) if s[STAGE] == RESTED else (False,))):
            return
        resting = (yield acquire) == RESTARTING
        if resting:
            yield LIFE, ALIVE
            yield STAGE, AWAKE
        yield LOCK, False
        if resting and self.broken != "a resume wakes nobody":
            yield from self.insist()

    def post(self) -> Process:
        yield partial(add, CALLS, 1)
        yield from self.wake()

    # -- the carrier's thread: the hub, its pump, its greenlets -----------------------------------

    def hub(self) -> Process:
        while True:
            event = yield Choice(lambda s: (("pump",) if s[WOKEN] else ()) + s[BLOCKED])
            if event == "pump":
                yield WOKEN, False
                yield from self.pump()
            else:
                yield partial(switch, event)

    def pump(self) -> Process:
        yield SLEEPING, False
        while True:
            while (yield partial(take, CALLS)):
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
            yield partial(park, me)

    # -- the turn -----------------------------------------------------------------------------

    def run_slice(self, me: int) -> Process:
        while (yield partial(take, QUEUE)):
            if (yield RUNNING) and self.broken != "running is not looked at":
                continue
            if (yield from self.is_simple()):
                yield RUNNING, True
                if (yield from self.handle(me, (yield pop_lane))):
                    yield from self.fail()
            elif self.broken == "the dead have turns" or (yield LIFE) != DEAD:
                yield RUNNING, True
                yield from self.full_turn(me)
            yield RUNNING, False
            yield from self.end_turn()
            if (yield partial(has_strayed, me)):
                if self.broken != "no nudge":
                    yield from self.nudge()
                return
            if self.scenario.slices and (yield EITHER):
                return

    def is_simple(self) -> Process:
        if self.broken == "special is read before the length" and (yield SPECIAL):
            return False
        if len((yield LANE)) != 1:
            return False
        if self.broken != "special is read before the length" and (yield SPECIAL):
            return False
        return not (yield REST) and not self.scenario.full and not (yield SHUT)

    def end_turn(self) -> Process:
        if (yield LIFE) != ALIVE and (yield from self.leave()):
            return
        if (yield LANE) or (yield self.see_rest) or (yield SPECIAL):
            yield enqueue
        else:
            yield READY, False
            if self.broken == "no look after ready is cleared":
                return
            if ((yield LANE) or (yield self.see_special)) and not (yield READY):
                yield READY, True
                yield enqueue

    def leave(self) -> Process:
        if (yield LIFE) == DEAD and self.broken != "the dead are not buried":
            yield from self.bury()
            return True
        if self.broken == "nobody is left at rest":
            return False
        return (yield LIFE) == RESTARTING and (yield from self.park())

    def park(self) -> Process:
        if (yield acquire) != RESTARTING:
            yield LOCK, False
            return False
        if (yield STAGE) in (WAITING, RESTED) and self.broken != "each visit tells of the rest":
            yield LOCK, False
            return True
        yield STAGE, LEAVING
        yield LOCK, False
        if (yield acquire) != RESTARTING:
            yield STAGE, AWAKE
            yield LOCK, False
            return False
        yield READY, True
        yield SPECIAL, True
        yield STAGE, WAITING
        yield LOCK, False
        # The children; it has none.
        if (yield acquire) == RESTARTING:
            yield tell_rest
        yield LOCK, False
        return True

    @own
    def see_rest(self, s: Shared) -> bool:
        return bool(s[REST]) and self.broken != "the turn forgets the rest"

    def see_special(self, s: Shared) -> bool:
        return s[SPECIAL] and self.broken != "no look at special after ready is cleared"

    def nudge(self) -> Process:
        if (yield QUEUE):
            yield from self.wake()

    def handle(self, me: int, item: int) -> Process:
        """Call the handler; True when it raised."""
        yield partial(begin, self.messages, item)
        if self.scenario.blocks and (yield EITHER):
            yield partial(block, me)
        raised = self.scenario.raises and (yield EITHER)
        yield HANDLING, 0
        return raised

    def full_turn(self, me: int) -> Process:
        left = self.scenario.budget
        while left > 0:
            if (yield SPECIAL) and (yield from self.serve(me)):
                return
            early = self.broken == "marks are read before the batch is taken"
            marks = early and (yield MARKS)
            if not (yield REST) and not (yield from self.refill()):
                return
            size = yield partial(count_rest, left)
            if marks or (not early and (yield MARKS)):
                started = yield from self.marked_stride(me, size)
            else:
                started = yield from self.plain_stride(me, size)
            if started == RAISED:
                yield from self.fail()
                return
            left -= started
            marks = size = started = 0
            if self.scenario.slices and (yield EITHER):
                return

    def plain_stride(self, me: int, size: int) -> Process:
        """Handle messages; returns how many, or RAISED."""
        started = 0
        while started < size:
            started += 1
            if (yield from self.handle(me, (yield pop_rest))):
                return RAISED
            if (yield SPECIAL):
                break
        return started

    def marked_stride(self, me: int, size: int) -> Process:
        """Handle messages and act on markers; returns how many messages, or RAISED."""
        started = passed = 0
        raised = False
        while (yield REST) and started < size and passed < 4 * size:
            item = yield pop_rest
            if item not in (SWAP, END):
                started += 1
                raised = yield from self.handle(me, item)
                if raised or (yield ITEMS) or (yield LIFE) != ALIVE:
                    break
                continue
            passed += 1
            if item == END:
                yield from self.mark_ended()
                break
            yield swap
        yield partial(lower_marks, passed)
        return RAISED if raised else started

    def mark_ended(self) -> Process:
        if (yield acquire) in LIVING:
            yield from self.make_stopping()
        yield LOCK, False

    def refill(self) -> Process:
        if self.scenario.full:
            return (yield take_bounded)
        size = yield copy_lane
        if size:
            yield partial(cut_lane, None if self.broken == "refill clears the lane" else size)
        return size

    def serve(self, me: int) -> Process:
        """The system lane; True when the actor has ended."""
        late = self.broken == "special is cleared behind the look"
        if not late:
            yield SPECIAL, False
        if (yield LIFE) != ALIVE and (yield from self.is_over()):
            return True
        if (yield MARKS):
            yield SPECIAL, True
        items = yield ITEMS
        while items:
            items -= 1
            yield partial(add, ITEMS, -1)
            if (yield from self.handle(me, SYSTEM)):
                yield from self.fail()
                return True
            if (yield LIFE) != ALIVE and (yield from self.is_over()):
                return True
        if (yield ITEMS):
            yield SPECIAL, True
        elif late:
            yield SPECIAL, False
        return False

    def is_over(self) -> Process:
        life = yield LIFE
        if life == ALIVE:
            return False
        if life == RESTARTING:
            if self.broken != "special is not set again":
                yield SPECIAL, True
        else:
            yield from self.finish()
        return True

    # -- the end ---------------------------------------------------------------------------------

    def fail(self) -> Process:
        """A handler raised."""
        if self.scenario.restarts:
            life = yield acquire
            if life == ALIVE:
                yield from self.begin_restart()
            yield LOCK, False
            if life in LIVING:
                return
            life = None
        yield from self.finish()

    def finish(self) -> Process:
        yield acquire
        yield LIFE, DEAD
        yield SHUT, True
        yield close_bound
        yield partial(expire_rest, self.messages)
        while (yield copy_lane):
            yield partial(cut_lane, (yield partial(count_rest, PLACES)))
            yield partial(expire_rest, self.messages)
        yield LOCK, False

    def bury(self) -> Process:
        while True:
            while (yield partial(bury_one, self.messages)):
                pass
            yield SPECIAL, False
            yield READY, False
            if self.broken == "no look after the burial":
                return
            if not (yield LANE) or (yield READY):
                return
            yield READY, True


# -- single accesses of more than one place --------------------------------------------------------


def accept(number: int, s: Shared) -> None:
    """Append a message, which from now on has to have a fate."""
    s[LANE] += (number,)
    s[ACCEPTED] |= 1 << number


def append(marker: int, s: Shared) -> None:
    s[LANE] += (marker,)


def enqueue(s: Shared) -> None:
    s[QUEUE] += 1


def restart(s: Shared) -> None:
    s[LIFE] = RESTARTING
    s[RESTARTS] += 1


def tell_rest(s: Shared) -> None:
    """`go_on`: the step from WAITING, under the table lock; and the call of `rested`."""
    s[STAGE] = RESTED
    s[TOLD] += 1
    if s[TOLD] > s[RESTARTS]:
        raise Fault("told of the rest twice")


def add(place: int, amount: int, s: Shared) -> None:
    s[place] += amount


def take(place: int, s: Shared) -> bool:
    """Take one of several if there is one: a look and a step, but only the carrier takes."""
    taken = s[place] > 0
    s[place] -= taken
    return taken


def wait_for_room(number: int, s: Shared) -> Any:
    return WAIT if number in s[TICKETS] else None


def acquire(s: Shared) -> Any:
    """Take the table lock and look at the state, which changes under this lock only."""
    if s[LOCK]:
        return WAIT
    s[LOCK] = True
    return s[LIFE]


def lower_marks(amount: int, s: Shared) -> Any:
    """Under the table lock."""
    if s[LOCK]:
        return WAIT
    s[MARKS] -= amount
    return None


def close_bound(s: Shared) -> None:
    s[BOUND_SHUT], s[TICKETS] = True, ()


def pop_lane(s: Shared) -> int:
    first: int = s[LANE][0]
    s[LANE] = s[LANE][1:]
    return first


def copy_lane(s: Shared) -> int:
    """`lane[:]`"""
    s[REST] = s[LANE][::-1]
    return len(s[LANE])


def cut_lane(size: Optional[int], s: Shared) -> None:
    """`del lane[:size]`"""
    s[LANE] = () if size is None else s[LANE][size:]


def take_bounded(s: Shared) -> bool:
    """`Bound.take`, under the lock of the bound."""
    if not s[LANE]:
        return False
    s[REST], s[LANE] = s[LANE][:1], s[LANE][1:]
    if s[TICKETS] and not s[LANE]:
        accept(s[TICKETS][0], s)
        s[TICKETS] = s[TICKETS][1:]
    return True


def bury_one(messages: Messages, s: Shared) -> bool:
    messages.expire(s[LANE][:1], s)
    buried = bool(s[LANE])
    s[LANE] = s[LANE][1:]
    return buried


@own
def expire_rest(messages: Messages, s: Shared) -> None:
    messages.expire(s[REST], s)
    s[REST] = ()


@own
def begin(messages: Messages, item: int, s: Shared) -> None:
    messages.begin(item, s)


@own
def pop_rest(s: Shared) -> int:
    last: int = s[REST][-1]
    s[REST] = s[REST][:-1]
    return last


@own
def count_rest(most: int, s: Shared) -> int:
    return min(most, len(s[REST]))


@own
def swap(s: Shared) -> None:
    s[VERSION] += 1


@own
def switch(greenlet: int, s: Shared) -> None:
    s[ACTIVE] = greenlet
    s[BLOCKED] = tuple(other for other in s[BLOCKED] if other != greenlet)


@own
def switch_to_parked(s: Shared) -> None:
    s[ACTIVE], s[PARKED] = s[PARKED][0], s[PARKED][1:]


@own
def switch_to_blocked(s: Shared) -> None:
    """A posted call wakes a blocked handler, if there is one."""
    if s[BLOCKED]:
        switch(s[BLOCKED][0], s)


@own
def block(me: int, s: Shared) -> None:
    s[BLOCKED] += (me,)
    s[STRAYED] += (me,)
    s[ACTIVE] = 0


@own
def has_strayed(me: int, s: Shared) -> bool:
    """Whether the pump has had control since the slice began: then the epochs differ."""
    strayed = me in s[STRAYED]
    s[STRAYED] = tuple(other for other in s[STRAYED] if other != me)
    return strayed


@own
def park(me: int, s: Shared) -> None:
    s[PARKED] = tuple(sorted((*s[PARKED], me)))
    s[ACTIVE] = 0
