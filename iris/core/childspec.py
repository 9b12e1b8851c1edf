"""What a supervisor is told about its children: plain values, checked when they are made.

A `ChildSpec` says how one actor is made and what becomes of it; a `SupervisorSpec` says the
same of a supervisor that is itself a child. Neither does anything: `iris.run.supervisor` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, Callable, Optional, Union

from iris.config import (
    BUDGET_DEFAULT,
    BUDGET_MAX,
    CAPACITY_MAX,
    TIMEOUT_MOST_S,
    number_of_seconds,
    whole_number,
)
from iris.core.names import checked_name
from iris.core.paths import checked_path
from iris.core.restart import Restart, Strategy, restart_of, strategy_of
from iris.errors import BadInput

MAX_RESTARTS = 3
"""So many restarts within `WITHIN_S` are healing; more are a fault that restarts do not mend."""

WITHIN_S = 5.0

BACKOFF_MS = (10, 10_000)
"""The pause before a first restart is hardly noticed; that of a lasting fault costs nothing."""

BACKOFF_MOST_MS = 1e12

WITHIN_MOST_S = 1e9

RESTARTS_MOST = 1_000_000
"""More in one window is no limit, and each costs a number in the books."""


@dataclass(frozen=True)
class ChildSpec:
    """How a supervisor makes one of its children, and when it makes it again.

    Raises:
        TypeError: an argument has a wrong type; `factory` is `async def`.
        BadInput: a word is unknown or a number out of range; options that exclude each other.
    """

    id: str
    """What the supervisor calls the child; unlike all its others."""

    factory: Callable[[], Any]
    """Called with nothing for each start; returns the handler (with `mailbox`, the function). It
    runs on a thread of its own and may block; each start gets what it returns, so a handler
    with state begins afresh. When it raises, that counts as a failed restart."""

    restart: str = "permanent"
    """`permanent`: started again after every end, also a `stop`. `transient`: only after a failure.
    `temporary`: never."""

    shutdown_timeout_s: float = 5.0
    """How long the child may take to end (or to come to rest) before it is interrupted and, where
    that fails, given up: a thread that blocks in C cannot be ended."""

    budget: int = BUDGET_DEFAULT
    """Messages per turn."""

    release_gil: bool = False
    """Whether its handler runs on a worker thread; see `Runtime.spawn`."""

    mailbox: bool = False
    """Whether it is a pull actor: `factory` returns a function that gets the mailbox."""

    trap_exit: bool = False
    """Whether its handler also gets system messages; a pull actor always does."""

    capacity: Optional[int] = None
    """Bound of its mailbox in messages; None is unbounded."""

    name: Optional[str] = None
    """A name under which it is registered at each start."""

    path: Optional[str] = None
    """A path under which it is registered at each start."""

    drop_queue: bool = False
    """Whether a restart in place lets what is queued expire; else the new handler gets it."""

    redeliver: bool = False
    """Whether the message at which its handler failed is handled once more after the restart. One
    that fails again is quarantined: set aside and counted."""

    def __post_init__(self) -> None:
        """Check every field."""
        _check_child(self)
        check_factory(self.factory)
        whole_number("budget", self.budget, least=1, most=BUDGET_MAX)
        for name in ("release_gil", "mailbox", "trap_exit", "drop_queue", "redeliver"):
            if type(getattr(self, name)) is not bool:
                raise TypeError(f"{name} is True or False, not {getattr(self, name)!r}")
        if self.capacity is not None:
            whole_number("capacity", self.capacity, least=1, most=CAPACITY_MAX)
        for other in ("release_gil", "capacity", "trap_exit"):
            if self.mailbox and getattr(self, other):
                raise BadInput(f"child {self.id!r}: mailbox=True excludes {other}")
        if self.release_gil and self.capacity is not None:
            raise BadInput(f"child {self.id!r}: release_gil=True excludes capacity")
        if self.drop_queue and self.redeliver:
            raise BadInput(
                f"child {self.id!r}: drop_queue=True throws away what redeliver=True puts back;"
                " choose one"
            )
        if self.name is not None:
            checked_name(self.name)
        if self.path is not None and not checked_path(self.path):
            raise BadInput("an actor cannot have the path '/'; it is the root of all paths")

    @property
    def restart_kind(self) -> Restart:
        """The word `restart`, parsed."""
        return restart_of(self.restart)


@dataclass(frozen=True)
class SupervisorSpec:
    """A supervisor as the child of another; the first one is made by `Supervisor`.

    A restart of it makes a new supervisor with new children.

    Raises:
        TypeError, BadInput: as for `ChildSpec`; two children with one id.
    """

    id: str
    """What the supervisor above calls it."""

    children: Iterable[Union[ChildSpec, SupervisorSpec]] = ()
    """In the order of their start; ended in the reverse. Kept as a tuple."""

    strategy: str = "restartone"
    """`restartone`: a child that fails is restarted alone. `restartall`: with all others.
    `restartrest`: with those that were started after it."""

    max_restarts: int = MAX_RESTARTS
    """So many restarts, failed ones too, within `within_s`; at one more the supervisor ends its
    children and itself, as `Crash`."""

    within_s: float = WITHIN_S
    """The period for `max_restarts`, in seconds."""

    backoff_ms: tuple[float, float] = BACKOFF_MS
    """Each restart waits a random time of at most the first number of milliseconds, doubled with
    each failure in a row, up to the second. (0, 0) waits never."""

    restart: str = "permanent"
    """As for `ChildSpec`."""

    shutdown_timeout_s: float = 30.0
    """As for `ChildSpec`; it holds for all the supervisor's children together."""

    name: Optional[str] = None
    """A name under which the supervisor's pid is registered at each start."""

    observer: Optional[int] = None
    """Pid of an actor that receives system messages. It gets EXIT for each child that ends, once,
    and HOT_SWAP for each child whose handler is swapped."""

    def __post_init__(self) -> None:
        """Check every field."""
        _check_child(self)
        strategy_of(self.strategy)
        whole_number("max_restarts", self.max_restarts, least=0, most=RESTARTS_MOST)
        _check_number("within_s", self.within_s, WITHIN_MOST_S)
        if self.within_s == 0:
            raise BadInput("within_s=0 is no period; give more than 0 seconds")
        _check_backoff(self.backoff_ms)
        if self.name is not None:
            checked_name(self.name)
        object.__setattr__(self, "children", checked_children(self.children))

    @property
    def restart_kind(self) -> Restart:
        """The word `restart`, parsed."""
        return restart_of(self.restart)

    @property
    def strategy_kind(self) -> Strategy:
        """The word `strategy`, parsed."""
        return strategy_of(self.strategy)

    @property
    def backoff_s(self) -> tuple[float, float]:
        """`backoff_ms` in seconds."""
        least, most = self.backoff_ms
        return least / 1000, most / 1000


AnySpec = Union[ChildSpec, SupervisorSpec]


def checked_children(specs: object) -> tuple[AnySpec, ...]:
    """The specs as a tuple; TypeError or BadInput when they are no specs, or two have one id."""
    if not isinstance(specs, Iterable) or isinstance(specs, (str, bytes)):
        raise TypeError(f"children are a list of ChildSpec and SupervisorSpec, not {specs!r}")
    children = tuple(specs)
    seen = set()
    for spec in children:
        check_spec(spec)
        if spec.id in seen:
            raise BadInput(f"two children have the id {spec.id!r}; each needs one of its own")
        seen.add(spec.id)
    return children


def check_spec(spec: object) -> None:
    """Raise TypeError unless this is a spec of a child."""
    if not isinstance(spec, (ChildSpec, SupervisorSpec)):
        raise TypeError(f"a child is a ChildSpec or a SupervisorSpec, not {spec!r}")


def _check_child(spec: AnySpec) -> None:
    if not isinstance(spec.id, str):
        raise TypeError(f"id is a string, not {spec.id!r} of type {type(spec.id).__name__}")
    if not spec.id:
        raise BadInput("id is empty; give each child a name to find it by")
    restart_of(spec.restart)
    _check_number("shutdown_timeout_s", spec.shutdown_timeout_s, TIMEOUT_MOST_S)


def check_factory(factory: object) -> None:
    """Raise TypeError unless this can be called to make a child."""
    if not callable(factory):
        raise TypeError(f"factory is a callable without arguments, not {factory!r}")
    if iscoroutinefunction(factory) or iscoroutinefunction(vars(type(factory)).get("__call__")):
        raise TypeError(
            f"factory {factory!r} is async; it is called on a thread without a loop. Write a"
            " plain function, which may block"
        )


def _check_number(name: str, value: object, most: float) -> None:
    if not 0 <= number_of_seconds(name, value) <= most:
        raise BadInput(f"{name}={value!r} is out of range; give 0 to {most:g} seconds")


def _check_backoff(bounds: object) -> None:
    if (
        not isinstance(bounds, tuple)
        or len(bounds) != 2
        or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in bounds)
    ):
        raise TypeError(f"backoff_ms is a tuple (first, most) of milliseconds, not {bounds!r}")
    least, most = bounds
    if not 0 <= least <= most <= BACKOFF_MOST_MS:
        raise BadInput(
            f"backoff_ms={bounds!r} is out of range; give 0 <= first <= most <= {BACKOFF_MOST_MS:g}"
        )
