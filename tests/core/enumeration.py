"""A search through all states that a few processes can reach, whatever the order of their steps.

A process is a generator. Each `yield` is one access to the shared state, and gives back what
the access found; between two accesses it computes with its local variables only. The shared
state is a tuple of places. After Holzmann, "The Model Checker SPIN" (1997): a depth-first
search over explicit states, in which steps that commute with those of all other processes
are not interleaved.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any, Callable, NamedTuple, Optional, Union

Shared = list[Any]
# A copy of a state that one step may change.
State = tuple[Any, ...]
Process = Generator[Any, Any, Any]
Action = Union[int, tuple[int, Any], Callable[[Shared], Any], "Choice"]
# What a process may yield: a place to read, a (place, value) to store, a function (a `partial`
# where it takes more than the state) that does more in one access, or a Choice.

WAIT = object()
"""What an action returns when it is not possible now."""

OVER = -1
"""Instead of a node: the process has done all it wanted."""


class Fault(Exception):
    """A rule is broken."""


class Cut(Exception):
    """What a signal handler raises between two accesses of a process.

    Thrown where some frame of the process has a true local variable `armed` and none has a
    true `disarmed`; the access that comes next is then not made.
    """


class Choice:
    """An action with several possible results, which a function of the state gives."""

    def __init__(self, options: Callable[[Shared], tuple[Any, ...]]) -> None:
        self.options = options


def own(action: Any) -> Any:
    """Mark an action that touches nothing that another thread touches."""
    action.own = True
    return action


class Node:
    """A place in a process: what it does next, and the results that led there."""

    __slots__ = ("action", "armed", "history", "make", "next", "own")

    def __init__(self, make: Callable[[], Process], history: State, action: Any) -> None:
        self.make = make
        self.history = history
        self.action = action
        self.own = False
        self.armed = False
        self.next: dict[Any, int] = {}


class Automaton:
    """Processes as tables, unfolded from their generators when a place is first reached.

    A place is told by where the generator stands and what its local variables hold. A
    generator cannot be copied, so it is run anew with the results that led there.

    Args:
        own_from: places from this one on are touched by one thread only.
    """

    def __init__(self, own_from: int) -> None:
        self.nodes: list[Node] = []
        self._own_from = own_from
        self._known: dict[Any, int] = {}

    def at(self, make: Callable[[], Process], history: State = ()) -> int:
        """The number of the node to which these results lead."""
        process = make()
        try:
            action = next(process)
            for result in history:
                action = process.throw(Cut()) if result is Cut else process.send(result)
        except StopIteration:
            return OVER
        where, armed = _where(process, action)
        number = self._known.setdefault(where, len(self.nodes))
        if number == len(self.nodes):
            node = Node(make, history, action)
            node.armed = armed
            node.own = self._is_own(action)
            self.nodes.append(node)
        return number

    def after(self, number: int, result: Any) -> int:
        """The node to which a result leads."""
        node = self.nodes[number]
        following = node.next.get(result)
        if following is None:
            following = node.next[result] = self.at(node.make, (*node.history, result))
        return following

    def _is_own(self, action: Any) -> bool:
        if type(action) is tuple:
            action = action[0]
        if type(action) is int:
            return action >= self._own_from
        return getattr(getattr(action, "func", action), "own", False)


def _where(process: Process, action: Any) -> tuple[Any, bool]:
    """What tells this place from others, and whether the process may be cut here."""
    # An action may hold a value that no variable holds any more, as an argument of `partial`.
    where: list[Any] = [getattr(action, "args", ())]
    armed = disarmed = False
    inner: Any = process
    while inner is not None:
        known = inner.gi_frame.f_locals
        armed = armed or known.get("armed", False)
        disarmed = disarmed or known.get("disarmed", False)
        where.append((inner.gi_code, inner.gi_frame.f_lasti, tuple(sorted(known.items()))))
        inner = inner.gi_yieldfrom
    return tuple(where), armed and not disarmed


class Setup(NamedTuple):
    """A system to search through."""

    shared: State
    """The shared places at the start."""
    own_from: int
    """Places from this one on are touched by the team only."""
    active: int
    """The place that tells which member of the team runs."""
    team: list[Callable[[], Process]]
    """Processes of one thread: one of them runs, until it hands over."""
    others: list[Callable[[], Process]]
    """Processes of threads of their own."""
    check_end: Callable[[State, bool], None]
    """Called when nothing can happen any more, with whether all others are over."""


class Search:
    """Visits every state; raises Fault at the first bad one.

    Args:
        setup: what to search through.
        states_max: beyond this many states the search gives up with an AssertionError; a state
            takes some 400 bytes.
        progress: also look for states from which no end can be reached. Takes twice the memory.
    """

    def __init__(self, setup: Setup, states_max: int, progress: bool = False) -> None:
        self.automaton = Automaton(setup.own_from)
        self.states = 0
        self._setup = setup
        self._states_max = states_max
        self._before: Optional[dict[State, list[State]]] = {} if progress else None
        self._team = len(setup.shared)
        self._others = range(self._team + len(setup.team), 0)
        numbers = [self.automaton.at(make) for make in (*setup.team, *setup.others)]
        self._others = range(self._team + len(setup.team), self._team + len(numbers))
        self._first = (*setup.shared, *numbers)

    def run(self) -> None:
        """Search depth first."""
        # The collector would look through hundreds of thousands of tuples in vain.
        enabled = gc.isenabled()
        gc.disable()
        try:
            self._run()
        finally:
            if enabled:
                gc.enable()

    def _run(self) -> None:
        seen = {self._first}
        stack = [self._first]
        ends: list[State] = []
        while stack:
            state = stack.pop()
            following = self._successors(state)
            if not following:
                ends.append(state)
                all_over = all(state[process] == OVER for process in self._others)
                self._setup.check_end(state[: self._team], all_over)
            for one in following:
                if one not in seen:
                    seen.add(one)
                    stack.append(one)
                if self._before is not None:
                    self._before.setdefault(one, []).append(state)
            if len(seen) > self._states_max:
                raise AssertionError(f"over {self._states_max} states: make the scenario smaller")
        self.states = len(seen)
        if self._before is not None and self._count_leading_to(ends) < len(seen):
            raise Fault("busy for ever")

    def _count_leading_to(self, ends: list[State]) -> int:
        assert self._before is not None
        leading, stack = set(ends), ends
        while stack:
            for state in self._before.get(stack.pop(), ()):
                if state not in leading:
                    leading.add(state)
                    stack.append(state)
        return len(leading)

    def _successors(self, state: State) -> list[State]:
        found: list[State] = []
        for process in (*self._others, self._team + state[self._setup.active]):
            if state[process] != OVER:
                self._step(list(state), process, found)
        return found

    def _step(self, s: Shared, process: int, found: list[State]) -> None:
        """One access of one process; and what it then does with what is its own."""
        after, number = self.automaton.after, s[process]
        node = self.automaton.nodes[number]
        if node.armed:
            cut = s[:]
            cut[process] = after(number, Cut)
            self._go_on(cut, process, found)
        if type(node.action) is Choice:
            for option in node.action.options(s):
                taken = s[:]
                taken[process] = after(number, option)
                self._go_on(taken, process, found)
            return
        result = _act(s, node.action)
        if result is not WAIT:
            s[process] = after(number, result)
            self._go_on(s, process, found)

    def _go_on(self, s: Shared, process: int, found: list[State]) -> None:
        while True:
            if process < self._others.start:
                process = self._team + s[self._setup.active]
            number = s[process]
            if number == OVER or not self.automaton.nodes[number].own:
                break
            result = _act(s, self.automaton.nodes[number].action)
            s[process] = self.automaton.after(number, result)
        found.append(tuple(s))


def _act(s: Shared, action: Any) -> Any:
    if type(action) is int:
        return s[action]
    if type(action) is tuple:
        s[action[0]] = action[1]
        return None
    return action(s)
