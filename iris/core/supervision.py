"""Who stands under which supervisor: bookkeeping, without effects.

A supervisor is a `Group`; each child fills a seat in it, a `Child`, which stays when the
actor in it is replaced. There is one global group, one for each path for which one was
created, and one for each `iris.Supervisor`, which hangs on the ties of its cell. What is read
by callers (who is listed) changes under the table lock; what the authority alone needs
(phases, rounds) is touched in its hub only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable, NamedTuple, Optional, Union

from iris.core.book import strike
from iris.core.cell import DEAD, ActorCell
from iris.core.childspec import BACKOFF_MS, MAX_RESTARTS, WITHIN_S, AnySpec
from iris.core.links import loosen, ties_of
from iris.core.messages import ExitReason
from iris.core.restart import Restart, Strategy, Times, admit

GLOBAL = ""
"""The key of the global supervisor; a path starts with a slash, so it cannot collide."""

STOP_TIMEOUT_S = 5.0
"""How long a child of the global or a path's supervisor may take to end for a sibling."""

PidFactory = Callable[[], int]


class Phase(Enum):
    """What the authority knows of a child."""

    __hash__ = object.__hash__

    UP = "up"
    """An actor fills the seat and runs."""
    ENDING = "ending"
    """It was asked to end, or to come to rest."""
    REST = "at rest"
    """Its actor is at rest and waits for a new handler."""
    MAKING = "making"
    """Its factory is being called."""
    DOWN = "down"
    """Nobody fills the seat."""


class Child:
    """One seat under a supervisor, and who fills it.

    Args:
        group: the supervisor.
        called: its id there; None where it is known by its pid.
        make: a spec, a factory that returns pids, or None for one that is watched only.
        strategy: who is restarted with it.
        restart: after which ends.
        shutdown_timeout_s: how long it may take to end.
    """

    __slots__ = (
        "_called", "asked_at", "cell", "failures", "first_pid", "group", "is_remote", "is_struck",
        "make", "order", "phase", "pid", "reason", "restart", "restarts", "round",
        "shutdown_timeout_s", "started_s", "strategy", "timer", "times", "wanted",
    )  # fmt: skip

    def __init__(
        self,
        group: Group,
        called: Optional[str],
        make: Union[PidFactory, AnySpec, None],
        strategy: Strategy,
        restart: Restart,
        shutdown_timeout_s: float,
    ) -> None:
        self.group = group
        self.is_struck = False
        # True once it was struck off: whatever is still under way for it then comes to nothing.
        # Under the table lock; the hub is told by an event, and until then may meet one that is.
        self._called = called
        self.make = make
        self.strategy = strategy
        self.restart = restart
        self.shutdown_timeout_s = shutdown_timeout_s
        self.order = 0
        self.cell: Optional[ActorCell] = None
        # Under the table lock. Invariant: this child is in the seats of its cell's ties.
        self.pid = 0
        # The latest actor's, also when it has ended.
        self.first_pid = 0
        self.phase = Phase.DOWN
        self.times: Optional[Times] = None
        # When it was restarted; with a `Supervisor` all children share the times of the group.
        self.failures = 0
        # In a row; they make the pauses longer.
        self.restarts = 0
        self.asked_at = 0
        # The youngest seat in the group when its factory was called.
        self.reason: Optional[ExitReason] = None
        # How its latest actor has ended; None while one lives, and when it ended for a sibling.
        self.started_s = 0.0
        self.round: Any = None
        # The restart that it is part of.
        self.timer: Any = None
        # Runs while it is ENDING.
        self.is_remote = False
        # Whether its latest actor stands for one on another node.
        self.wanted = True
        # False from its removal on: it is ended and does not come back.

    @property
    def id(self) -> str:
        """What it is called in reports."""
        return f"actor {self.first_pid}" if self._called is None else self._called

    @property
    def is_watched(self) -> bool:
        """Whether it is reported only: the supervisor neither makes nor ends it."""
        return self.make is None and self.restart is Restart.PERMANENT


class Group:
    """A supervisor, as far as its children are concerned.

    Args:
        key: "" for the global one, the path, or what a `Supervisor` is called in reports.
        cell: the actor that a `Supervisor` is; None for the others, which cannot end.
        max_restarts, within_s: how many restarts are allowed.
        backoff_s: bounds of the pauses before them.
        observer: pid of the actor that is told of ends and swaps; 0 for nobody.
    """

    __slots__ = (
        "_last", "backoff_s", "by_id", "cell", "children", "hurried", "key",
        "max_restarts", "observer", "over", "strategy", "times", "within_s",
    )  # fmt: skip

    def __init__(
        self,
        key: str,
        cell: Optional[ActorCell] = None,
        strategy: Strategy = Strategy.ONE,
        max_restarts: int = MAX_RESTARTS,
        within_s: float = WITHIN_S,
        backoff_s: tuple[float, float] = (BACKOFF_MS[0] / 1000, BACKOFF_MS[1] / 1000),
        observer: int = 0,
    ) -> None:
        self.key = key
        self.cell = cell
        self.strategy = strategy
        self.max_restarts = max_restarts
        self.within_s = within_s
        self.backoff_s = backoff_s
        self.observer = observer
        self.children: dict[int, Child] = {}
        # By order of start; a replaced actor keeps the seat.
        self.by_id: dict[str, Child] = {}
        # Only of a `Supervisor`: elsewhere children have no ids of their own.
        self._last = 0
        self.times: Optional[Times] = None if cell is None else deque()
        self.over = False
        # True from the end of the supervisor on: nothing is restarted.
        self.hurried = False
        # True when the time for that end is over: nobody is waited for.

    def add(self, child: Child) -> None:
        """Give a new child the last seat. Under the table lock."""
        self._last += 1
        child.order = self._last
        self.children[child.order] = child
        if self.cell is not None:
            # An actor that is watched may be called as a child with a spec is.
            self.by_id.setdefault(child.id, child)

    @property
    def last_order(self) -> int:
        """The seat of the child that came last."""
        return self._last

    def strike(self, child: Child) -> None:
        """Take a child off for good; the actor lives on. Under the table lock."""
        child.is_struck = True
        strike(self.children, child.order)
        if self.by_id.get(child.id) is child:
            strike(self.by_id, child.id)
        vacate(child)

    def admits(self, child: Child, now: float) -> bool:
        """Whether this child may be restarted once more now; if so, that is counted."""
        times = self.times
        if times is None:
            times = child.times
            if times is None:
                times = child.times = []
        return admit(times, self.max_restarts, self.within_s, now)

    def pids(self) -> list[int]:
        """The living actors, in the order of their start. Under the table lock."""
        cells = [child.cell for child in self.children.values()]
        return [cell.pid for cell in cells if cell is not None and cell.state is not DEAD]


def fill(child: Child, cell: ActorCell) -> None:
    """An actor takes the place. Under the table lock."""
    child.cell = cell
    child.pid = cell.pid
    child.is_remote = cell.spec.is_remote
    child.first_pid = child.first_pid or cell.pid
    ties = ties_of(cell)
    ties.seats = (*ties.seats, child)


def vacate(child: Child) -> None:
    """The actor leaves the seat. Under the table lock."""
    cell, child.cell = child.cell, None
    if cell is not None and cell.ties is not None:
        cell.ties.seats = tuple(seat for seat in cell.ties.seats if seat is not child)
        loosen(cell)


def seats_of(cell: ActorCell) -> list[Child]:
    """The seats that an actor fills. Under the table lock."""
    return [] if cell.ties is None else list(cell.ties.seats)


def is_supervisor(cell: ActorCell) -> bool:
    """Whether this actor is a `Supervisor`. From any thread."""
    ties = cell.ties
    return ties is not None and ties.charge is not None


class Groups:
    """The global supervisor and those of paths. Changed under the table lock."""

    __slots__ = ("_groups", "waiting")

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {GLOBAL: Group(GLOBAL)}
        self.waiting: dict[int, Child] = {}
        # Places that wait for a restart, by the pid of the actor that has ended there.

    def create(self, key: str) -> bool:
        """Make a supervisor; False when it is there already."""
        if key in self._groups:
            return False
        self._groups[key] = Group(key)
        return True

    def forget(self, child: Child) -> None:
        """This seat waits for no restart any more."""
        if self.waiting.get(child.pid) is child:
            del self.waiting[child.pid]

    def remove(self, key: str) -> Optional[Group]:
        """Remove a supervisor and return it; None when there is none."""
        return self._groups.pop(key, None)

    def get(self, key: str) -> Optional[Group]:
        """The supervisor with this key."""
        return self._groups.get(key)


@dataclass(frozen=True)
class ChildReport:
    """What became of a supervised child; what the hooks `restart` and `give_up` are called with."""

    supervisor: str
    """The id or name of the supervisor, its path, or "" for the global one."""

    child: str
    """The id of the child; for one that was supervised by pid "actor " and its first pid."""

    pid: int
    """The actor now; after a give-up the last one."""

    previous_pid: int
    """The actor before. The same for a restart in place."""

    reason: Optional[ExitReason]
    """How it had ended; None when it was restarted for a sibling. In a give-up because its factory
    has failed: `Panic`."""

    restarts: int
    """How often this child was restarted so far."""


class ChildInfo(NamedTuple):
    """What a supervisor knows of one child, at the moment of the call."""

    id: str
    """What it is called."""

    pid: Optional[int]
    """The actor, None while nobody fills the seat."""

    state: str
    """`up`, `ending`, `at rest`, `making` (its factory is at work) or `down`."""

    restarts: int
    """How often it was restarted."""

    children: tuple[ChildInfo, ...]
    """Of a nested supervisor; else empty."""


def infos_of(group: Group) -> tuple[ChildInfo, ...]:
    """What is known of the children, in the order of their start. Under the table lock."""
    infos = []
    for child in group.children.values():
        cell = child.cell
        below = None if cell is None or cell.ties is None else cell.ties.charge
        infos.append(
            ChildInfo(
                child.id,
                None if cell is None else cell.pid,
                child.phase.value,
                child.restarts,
                () if below is None else infos_of(below),
            )
        )
    return tuple(infos)
