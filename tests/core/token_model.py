"""A model of the turn token: one cell with `release_gil`, those who send to it, and workers.

Follows `iris.run.blocking` and `iris.run.crew` statement by statement, as `ready_model`
follows the carrier; what both have in common, the inside of a turn and of an end, is kept
short here. A job of another actor that blocks for as long as anything is left to do holds
one of the workers: what comes meanwhile has to be found by the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from .enumeration import WAIT, Choice, Cut, Fault, Process, Setup, Shared, State

(
    ACTIVE,  # the search's own; no process here shares a thread with another
    LANE,  # cell.user
    REST,  # cell.rest, newest first: the holder's, but anybody looks whether there is one
    SPECIAL,  # cell.special
    READY,  # cell.ready
    LIFE,  # cell.state
    TURN,  # whether somebody holds the token
    GONE,  # runner._gone
    RESTED,  # whether its owner has left it for a rest: renewal.stage
    JOBS,  # the queue of the crew: "cell" or "other"
    IDLE,  # the list of sleepers
    WOKEN,  # whose beds remember a wake-up
    WORKERS,  # who works in the crew
    WANTED,  # how many of them are wanted
    HANDLING,  # what the handler was given and has not returned from, plus 1
    ACCEPTED,  # the bits of the messages with this fate, as the next two
    HANDLED,
    EXPIRED,
    DONE,  # how many of those who are no workers have done all they wanted
    PLACES,
) = range(20)

ALIVE, RESTARTING, STOPPING, DEAD = "alive", "restarting", "stopping", "dead"
EITHER = Choice(lambda s: (False, True))


@dataclass(frozen=True)
class Scenario:
    """Who does what."""

    processes: str
    """A word for each process, in it a letter for each operation: m sends a message, c sends
    one and may be cut short by a signal handler, q stops the actor, o queues the job of
    another actor, which then blocks, w lets one worker go, r tells the actor to restart, u
    resumes it if it finds it at rest."""

    workers: int = 2
    budget: int = 1
    raises: bool = False
    """The handler may raise."""

    restarts: bool = False
    """The actor restarts in place then."""

    broken: str = ""
    """What of the protocol does not hold."""

    def __str__(self) -> str:
        words = [self.processes, f"{self.workers} workers"]
        words += [f"budget {self.budget}"] if self.budget > 1 else []
        words += ["raises"] * self.raises + ["restarts"] * self.restarts
        return ", ".join(words)


def setup(scenario: Scenario) -> Setup:
    """The scenario as a system to search through."""
    model = Model(scenario)
    shared: list[Any] = [0] * PLACES
    for place in (LANE, REST, JOBS, IDLE, WOKEN):
        shared[place] = ()
    shared[LIFE] = ALIVE
    shared[WORKERS], shared[WANTED] = tuple(range(scenario.workers)), scenario.workers
    workers = [partial(model.work, me) for me in range(scenario.workers)]
    others = [partial(model.operations, place, word) for place, word in enumerate(model.words)]
    return Setup(tuple(shared), PLACES, ACTIVE, [nobody], workers + others, model.check_end)


def nobody() -> Process:
    """Every process here has a thread of its own."""
    yield from ()


class Model:
    """The processes of a scenario. Methods are called as the functions that they follow."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.broken = scenario.broken
        self.words = scenario.processes.split()
        self.resizes = "w" in scenario.processes
        # Where nobody does, workers are not to look at their number: that is half the states.
        self.numbers: dict[tuple[int, int], int] = {}
        self.later: dict[int, int] = {}
        # The bits of those that the same process sends after a message.
        for process, word in enumerate(self.words):
            places = [place for place, letter in enumerate(word) if letter in "mc"]
            for later, place in zip(range(len(places) - 1, -1, -1), places):
                number = self.numbers[process, place] = len(self.numbers)
                self.later[number] = ((1 << later) - 1) << number + 1

    def check_end(self, s: State, _: bool) -> None:
        """Nothing can happen any more: that has to be a good end."""
        if s[DONE] != len(self.words) or s[HANDLING] or s[TURN]:
            raise Fault("deadlock")
        if s[WANTED] and [job for job in s[JOBS] if job == "other" or not s[GONE]]:
            # An entry of an actor that has gone means nothing.
            raise Fault("lost wake-up")
        if s[LIFE] == RESTARTING:
            # Nobody resumes it: its queue waits, and that is good.
            if not s[RESTED]:
                raise Fault("never at rest")
            return
        if s[ACCEPTED] != s[HANDLED] | s[EXPIRED] or s[LANE] or s[REST]:
            raise Fault("lost message")
        if s[LIFE] == STOPPING:
            raise Fault("stop not seen")
        if s[READY] and not s[GONE]:
            raise Fault("deaf to whoever sends next")
        if len(s[WORKERS]) != s[WANTED]:
            raise Fault("a worker stays")

    # -- from any thread -----------------------------------------------------------------------

    def operations(self, process: int, word: str) -> Process:
        """Do what a word says."""
        place = 0
        while place < len(word):
            letter = word[place]
            if letter in "mc":
                yield from self.send(self.numbers[process, place], letter == "c")
            elif letter == "q":
                yield from self.stop()
            elif letter == "r":
                yield from self.order()
            elif letter == "u":
                yield from self.resume()
            elif letter == "o":
                yield from self.put("other")
            else:
                yield from self.resize()
            place += 1
        yield done

    def send(self, number: int, cut: bool) -> Process:
        armed = cut
        try:
            if (yield LIFE) not in (ALIVE, RESTARTING):
                return
            yield partial(accept, number)
            if not (yield READY):
                yield READY, True
                yield from self.signal()
        except Cut:
            armed = False  # noqa: F841  # Read by the search, like the True before.
            if self.broken != "a cut send is not repaired":
                yield READY, True
                yield from self.signal()

    def order(self) -> Process:
        if (yield partial(change_life, (ALIVE,), RESTARTING)):
            yield SPECIAL, True
            yield READY, True
            yield from self.signal()

    def resume(self) -> Process:
        """What a supervisor does that was told of the rest; at any time, or never."""
        if (yield Choice(lambda s: (True, False) if s[RESTED] else (False,))) and (yield awake):
            yield READY, True
            yield from self.signal()

    def stop(self) -> Process:
        if (yield partial(change_life, (ALIVE, RESTARTING), STOPPING)):
            yield SPECIAL, True
            yield READY, True
            yield from self.signal()

    def signal(self) -> Process:
        if (yield GONE):
            yield from self.bury()
        else:
            yield from self.put("cell")

    def put(self, job: str) -> Process:
        if self.broken == "a look, then queued":
            yield from self.wake_one()
        yield partial(enqueue, job)
        if self.broken != "a look, then queued":
            yield from self.wake_one()

    def wake_one(self) -> Process:
        # One access: the look before it in the code finds nothing that this one would not.
        take = self.broken == "whoever wakes a sleeper takes it off the list"
        sleeper = yield partial(last_idle, take)
        if sleeper is not None:
            yield partial(wake, sleeper)

    def resize(self) -> Process:
        yield partial(lower_wanted)
        idle = yield IDLE
        if self.broken == "nobody is told to go":
            return
        place = 0
        while place < len(idle):
            yield partial(wake, idle[place])
            place += 1

    # -- workers ---------------------------------------------------------------------------------

    def work(self, me: int) -> Process:
        while True:
            if self.resizes and (yield too_many) and (yield partial(let_go, me)):
                if self.broken != "whoever goes passes nothing on" and (yield JOBS):
                    yield from self.wake_one()
                return
            job = yield take_job
            if job is None:
                yield from self.sleep(me)
                continue
            if self.broken != "wake-ups are not passed on" and (yield JOBS):
                yield from self.wake_one()
            if job == "cell":
                yield from self.visit()
            else:
                yield self.block
            job = None

    def sleep(self, me: int) -> Process:
        yield partial(list_idle, me)
        if self.broken == "no look after being listed" or (
            not (yield JOBS) and not (self.resizes and (yield too_many))
        ):
            yield partial(sleep, me)
        yield partial(unlist_idle, me)

    def block(self, s: Shared) -> Any:
        """Another actor's handler: it goes on when nobody needs its worker any more."""
        rest = s[ACCEPTED] == s[HANDLED] | s[EXPIRED] and s[LIFE] != STOPPING
        rest = s[RESTED] if s[LIFE] == RESTARTING else rest
        return None if rest and s[DONE] == len(self.words) else WAIT

    def visit(self) -> Process:
        if self.broken != "no token" and not (yield take_turn):
            return
        if not (yield GONE):
            yield from self.turn()
        if self.broken == "let go behind the look":
            yield from self.come_to_rest()
            yield TURN, False
            return
        if self.broken == "let go between the looks":
            if not (yield GONE) and not (yield from self.is_left()):
                yield READY, False
                yield TURN, False
                yield from self.look_again()
                return
            yield TURN, False
            if not (yield GONE):
                yield partial(enqueue, "cell")
            return
        yield TURN, False
        if self.broken == "left after the turn was let go":
            yield from self.leave()
        yield from self.come_to_rest()

    def come_to_rest(self) -> Process:
        if (yield GONE) or (yield from self.is_parked()):
            return
        if self.broken != "one look is enough" and (yield from self.is_left()):
            yield partial(enqueue, "cell")
            return
        yield READY, False
        yield from self.look_again()

    def is_parked(self) -> Process:
        if self.broken == "who is at rest is visited" or (yield LIFE) != RESTARTING:
            return False
        return self.broken == "who restarts is at rest" or (yield RESTED)

    def leave(self) -> Process:
        if (yield LIFE) == RESTARTING:
            yield park

    def is_left(self) -> Process:
        return (yield LANE) or (yield REST) or (yield SPECIAL)

    def look_again(self) -> Process:
        if self.broken == "no look after ready is cleared":
            return
        if ((yield LANE) or (yield SPECIAL)) and not (yield READY):
            yield READY, True
            yield partial(enqueue, "cell")

    # -- the turn, in short; see `ready_model` ---------------------------------------------------

    def turn(self) -> Process:
        if (yield LIFE) != DEAD:
            yield from self.full_turn()
        if (yield LIFE) == DEAD:
            yield from self.bury()
            yield GONE, True
            if self.broken != "no look after having gone":
                yield from self.bury()
        elif self.broken != "left after the turn was let go":
            yield from self.leave()

    def full_turn(self) -> Process:
        left = self.scenario.budget
        while left > 0:
            if (yield SPECIAL):
                yield SPECIAL, False
                life = yield LIFE
                if life == RESTARTING:
                    yield SPECIAL, True
                    return
                if life != ALIVE:
                    yield from self.finish()
                    return
                life = None
            if not (yield REST):
                size = yield copy_lane
                if not size:
                    return
                yield partial(cut_lane, size)
            yield partial(self.begin)
            raised = self.scenario.raises and (yield EITHER)
            yield HANDLING, 0
            if raised:
                yield from self.fail()
                return
            left -= 1

    def begin(self, s: Shared) -> None:
        """The handler is called with the next message."""
        if s[HANDLING]:
            raise Fault("two handlers at a time")
        if not s[REST]:
            # Another one has taken it: only where the token is not kept.
            raise Fault("two workers in a turn")
        item = s[REST][-1]
        s[REST] = s[REST][:-1]
        if (s[HANDLED] | s[EXPIRED]) & 1 << item:
            raise Fault("two fates")
        if s[HANDLED] & self.later[item]:
            raise Fault("out of order")
        if s[LIFE] == DEAD:
            raise Fault("handled after the end")
        if s[RESTED]:
            raise Fault("handled at rest")
        s[HANDLING] = item + 1
        s[HANDLED] |= 1 << item

    def fail(self) -> Process:
        if not self.scenario.restarts:
            yield from self.finish()
        elif (yield partial(change_life, (ALIVE,), RESTARTING)):
            yield SPECIAL, True
        elif (yield LIFE) != RESTARTING:
            yield from self.finish()

    def finish(self) -> Process:
        if (yield partial(change_life, (ALIVE, RESTARTING, STOPPING), DEAD)):
            yield partial(expire_rest)
            size = yield copy_lane
            yield partial(cut_lane, size)
            yield partial(expire_rest)

    def bury(self) -> Process:
        while True:
            while (yield bury_one):
                pass
            yield SPECIAL, False
            yield READY, False
            if not (yield LANE) or (yield READY):
                return
            yield READY, True


# -- single accesses of more than one place --------------------------------------------------------


def accept(number: int, s: Shared) -> None:
    """Append a message, which from now on has to have a fate."""
    s[LANE] += (number,)
    s[ACCEPTED] |= 1 << number


def done(s: Shared) -> None:
    s[DONE] += 1


def change_life(before: tuple[str, ...], after: str, s: Shared) -> bool:
    """Under the table lock."""
    if s[LIFE] not in before:
        return False
    s[LIFE] = after
    return True


def park(s: Shared) -> None:
    """Under the table lock; it has no children."""
    if s[LIFE] == RESTARTING:
        if s[HANDLING]:
            raise Fault("told of a rest while the handler runs")
        s[RESTED] = s[READY] = s[SPECIAL] = True


def awake(s: Shared) -> bool:
    """Under the table lock."""
    if s[LIFE] != RESTARTING or not s[RESTED]:
        return False
    s[RESTED], s[LIFE] = False, ALIVE
    return True


def enqueue(job: str, s: Shared) -> None:
    s[JOBS] += (job,)


def take_job(s: Shared) -> Any:
    """`popleft`, which raises when there is nothing."""
    if not s[JOBS]:
        return None
    first, s[JOBS] = s[JOBS][0], s[JOBS][1:]
    return first


def last_idle(take: bool, s: Shared) -> Any:
    if not s[IDLE]:
        return None
    last: int = s[IDLE][-1]
    if take:
        s[IDLE] = s[IDLE][:-1]
    return last


def list_idle(me: int, s: Shared) -> None:
    s[IDLE] += (me,)


def unlist_idle(me: int, s: Shared) -> None:
    s[IDLE] = tuple(one for one in s[IDLE] if one != me)


def wake(sleeper: int, s: Shared) -> None:
    s[WOKEN] = tuple(sorted({*s[WOKEN], sleeper}))


def sleep(me: int, s: Shared) -> Any:
    if me not in s[WOKEN]:
        return WAIT
    s[WOKEN] = tuple(one for one in s[WOKEN] if one != me)
    return None


def too_many(s: Shared) -> bool:
    return len(s[WORKERS]) > s[WANTED]


def let_go(me: int, s: Shared) -> bool:
    """Under the lock of the workshop."""
    if len(s[WORKERS]) <= s[WANTED]:
        return False
    s[WORKERS] = tuple(one for one in s[WORKERS] if one != me)
    return True


def lower_wanted(s: Shared) -> None:
    """Under the lock of the workshop."""
    s[WANTED] -= 1


def take_turn(s: Shared) -> bool:
    """`acquire(False)`"""
    if s[TURN]:
        return False
    s[TURN] = True
    return True


def copy_lane(s: Shared) -> int:
    """`lane[:]`"""
    s[REST] = s[LANE][::-1]
    return len(s[LANE])


def cut_lane(size: int, s: Shared) -> None:
    """`del lane[:size]`"""
    s[LANE] = s[LANE][size:]


def expire_rest(s: Shared) -> None:
    for item in s[REST]:
        expire(item, s)
    s[REST] = ()


def bury_one(s: Shared) -> bool:
    if not s[LANE]:
        return False
    first, s[LANE] = s[LANE][0], s[LANE][1:]
    expire(first, s)
    return True


def expire(item: int, s: Shared) -> None:
    if (s[HANDLED] | s[EXPIRED]) & 1 << item:
        raise Fault("two fates")
    s[EXPIRED] |= 1 << item
