"""Limits and policies of a runtime: one frozen value, units in the names.

A field is changed by `Runtime(name=value)`. Constants that no user should need to
change stand here too, each with the reason for its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Callable, Optional

from iris.errors import BadInput

BUDGET_DEFAULT = 100
"""Messages per turn when `spawn` is not told otherwise, the seed API's value."""

BUDGET_MAX = 1 << 30
CAPACITY_MAX = 1 << 40
"""Larger ones are mistyped numbers."""

TIMEOUT_MOST_S = 1e6
"""Of the end of a supervised child, and of what a peer may take its time for: eleven days. Timers
of the event loop bear no infinity."""

FACTORY_THREADS_MAX = 16
"""Threads for factories of supervisors at a time. Most wait for something else to come back, and
one that never returns should not hold up the restarts of others."""

PATH_BYTES_MAX = 1024
"""A path is a key in a tree and a field of wire frames, so it has to stay short."""

NAME_BYTES_MAX = 1024
"""The same bound as on the wire, so that each local name can be resolved remotely."""

REDIRECT_HOPS_MAX = 8
"""A chain of redirecting mailboxes longer than this is a mistake of configuration."""

BEHAVIOR_HISTORY_MAX = 16
"""How many earlier behaviours `rollback_behavior` can return to; older ones are forgotten."""

IDLE_CARRIERS_MAX = 64
"""Parked greenlets kept for the next blocking handler; each holds a few KiB of stack."""

TIMERS_MAX = 4_000_000
"""Pending timers of a runtime; about 150 bytes each, so under 1 GiB at the worst."""

BUFFER_BYTES_MAX = 1 << 30
"""Of one buffer. More at once is a file, and a mistyped size should not take the machine."""

BUFFERS_MAX = 65_536
"""Buffers of a process that are neither sent nor released; more of them are a leak."""

RELEASE_GIL_MAX_THREADS = 256
"""Actors with `release_gil` that get a thread of their own. Threads that wait in C cost little, so
hundreds are useful; those that wait for the GIL make every switch slower, so thousands are not."""

RELEASE_GIL_THREADS_MOST = 1 << 20
"""More threads than any system gives; a limit beyond it is a mistake."""

RELEASE_GIL_POOL_MOST = 32
"""The shared pool has 4 threads more than the machine has processors, and this many at most, as
the pool of `concurrent.futures` has: some that wait in C even on one processor, and no more than
can run."""

METADATA_TEXT_CHARS_MAX = 4096
"""An exception's text in exit metadata is cut here: it is a report, not a payload."""

DEAD_LETTERS_MOST = 10_000_000
"""The largest `dead_letters_max`: some 250 bytes each, so a few GiB at the worst."""

OTHER_BYTES = 64
"""What a message that is no bytes, str or buffer counts for in `Limits`: what it really holds
cannot be told without calling code of its class, and nearly every object takes this at least."""

LIMIT_MOST = 1 << 53
"""More messages or bytes than any machine holds; a limit beyond it is a mistake."""


@dataclass(frozen=True)
class Limits:
    """How much may be queued in all mailboxes of a runtime together: `Runtime(limits=Limits(...))`.

    None is no limit. A soft limit that is not given is 80 % of the hard one. What is being handled
    is not queued any more. Bytes are the length of bytes and str and the size of a buffer; every
    other message counts 64.
    """

    queued_messages_soft: Optional[int] = None
    """From this many messages on the node is under pressure."""

    queued_messages_hard: Optional[int] = None
    """From this many messages on further ones are refused."""

    queued_bytes_soft: Optional[int] = None
    """From this many bytes on the node is under pressure."""

    queued_bytes_hard: Optional[int] = None
    """From this many bytes on further messages are refused."""

    def __post_init__(self) -> None:
        for what in ("queued_messages", "queued_bytes"):
            names = (f"{what}_soft", f"{what}_hard")
            soft, hard = (getattr(self, name) for name in names)
            for name in names:
                if getattr(self, name) is not None:
                    whole_number(name, getattr(self, name), least=1, most=LIMIT_MOST)
            if hard is not None and soft is None:
                object.__setattr__(self, names[0], max(1, hard * 4 // 5))
            elif hard is not None and soft > hard:
                raise BadInput(
                    f"{names[0]}={soft} is over {names[1]}={hard}; give {hard} or less, or leave"
                    " it out"
                )
        if all(getattr(self, one.name) is None for one in fields(self)):
            raise BadInput(
                "Limits() limits nothing; give queued_messages_hard or another, or no limits"
            )


@dataclass(frozen=True)
class MeshLimits:
    """What other nodes may ask of this one, and its patience with them: `Runtime(mesh=...)`."""

    payload_bytes: int = 1 << 20
    """Of one message that comes from or goes to another node."""

    name_bytes: int = NAME_BYTES_MAX
    """Of a name that another node asks for, in UTF-8."""

    window_bytes: int = 1 << 18
    """By version 2: what another node may have sent here that is not handled. Twice as much carries
    some 20 % more small messages on one machine, and a question waits twice as long behind them.
    Over long ways it should be what a second carries times the round trip, at least."""

    guests_max: int = 4096
    """Connections from elsewhere at a time; over it the one silent for longest is closed."""

    progress_s: float = 5.0
    """How long a frame that has begun may stand still."""

    frame_s: float = 60.0
    """How long all of a frame may take."""

    silent_s: float = 60.0
    """From the opening of a connection to its first byte."""

    io_timeout_s: float = 5.0
    """What another node may take for a connection or an answer."""

    ping_every_s: float = 1.0
    """Between two pings of a node that has proxies or watchers here."""

    down_after_s: float = 8.0
    """How long a node may be silent that owes an answer, before it is judged down."""

    backoff_most_s: float = 60.0
    """The longest pause before a node that is down is tried again."""

    def __post_init__(self) -> None:
        for name in ("payload_bytes", "name_bytes"):
            whole_number(name, getattr(self, name), least=1, most=(1 << 32) - 1)
        whole_number("window_bytes", self.window_bytes, least=1 << 16, most=1 << 30)
        whole_number("guests_max", self.guests_max, least=1, most=1 << 20)
        for name in (
            "progress_s", "frame_s", "silent_s", "io_timeout_s", "ping_every_s", "down_after_s",
            "backoff_most_s",
        ):  # fmt: skip
            some_seconds(name, getattr(self, name))


@dataclass(frozen=True)
class Config:
    """What `Runtime(...)` can be told."""

    stop_word: Optional[bytes] = b"quit"
    """A local send of exactly this to an actor with living children ends it as Normal after its
    handler has seen it. None switches that off."""

    slice_s: float = 0.002
    """How long turns may follow each other before the hub looks at its timers and sockets."""

    shutdown_timeout_s: float = 5.0
    """How long the end of a parent waits for its children before it goes on without them."""

    exit_drain_s: float = 1.0
    """How long the interpreter's exit waits for queued messages of a runtime left open."""

    pull_threads_max: Optional[int] = None
    """Pull actors with a thread of their own; further ones share a few threads. None takes
    min(8192, half of what the process limits leave)."""

    pull_strict: bool = False
    """Whether `pull_threads_max` is a limit: one pull actor more raises LimitReached."""

    pull_stack_bytes: int = 512 * 1024
    """Stack of a pull actor's thread. Recursion inside C code was seen to die at 128 KiB."""

    release_gil_max_threads: Optional[int] = None
    """Actors with `release_gil` that get a thread of their own; the others share the pool. None
    takes IRIS_RELEASE_GIL_MAX_THREADS from the environment, else 256."""

    release_gil_pool_size: Optional[int] = None
    """Threads of that pool. None takes IRIS_RELEASE_GIL_POOL_SIZE from the environment, else
    min(32, processors + 4)."""

    release_gil_strict: Optional[bool] = None
    """Whether a spawn beyond `release_gil_max_threads` is refused. None takes
    IRIS_RELEASE_GIL_STRICT from the environment, else False."""

    dead_letters_max: int = 1000
    """How many of the latest messages without a handler `dead_letters` gives; 0 keeps none."""

    on_undelivered: Optional[Callable[[Any], Any]] = None
    """A first hook of point "undelivered"; see `Runtime.add_hook`."""

    long_turn_ms: Optional[float] = 100
    """A turn that holds the thread of the push actors for longer is reported; None or 0: none."""

    limits: Optional[Limits] = None
    """How much may be queued in all mailboxes together; None counts nothing and refuses nothing."""

    on_pressure: Optional[Callable[[Any], Any]] = None
    """A first hook of point "pressure"; see `Runtime.add_hook`."""

    live_within_s: float = 10.0
    """A hub that does not come round for longer after it was asked to makes `health()` not live."""

    cluster_key: Optional[str] = None
    """Where the keys of the cluster are: a file made by `iris keygen`, or "env:NAME" for a variable
    of the environment. With a key nodes prove it to each other, and speak version 2."""

    discovery: Optional[Any] = None
    """How other nodes are found: `iris.StaticPeers`, `iris.DnsPeers` or what has an `open` as they
    have. Those that are found are watched, and stand in `nodes()`."""

    mesh: Optional[MeshLimits] = None
    """What other nodes may ask of this one, and its patience with them; None for the defaults."""

    def __post_init__(self) -> None:
        for name in ("slice_s", "shutdown_timeout_s", "exit_drain_s", "live_within_s"):
            value = number_of_seconds(name, getattr(self, name))
            if not 0 <= value < 1e9:
                raise BadInput(f"{name}={value!r} is out of range; give 0 to 1e9 seconds")
        if self.stop_word is not None and not isinstance(self.stop_word, bytes):
            raise TypeError(f"stop_word is bytes or None, not {self.stop_word!r}")
        if self.pull_threads_max is not None:
            whole_number("pull_threads_max", self.pull_threads_max, least=1)
        if type(self.pull_strict) is not bool:
            raise TypeError(f"pull_strict is True or False, not {self.pull_strict!r}")
        whole_number("pull_stack_bytes", self.pull_stack_bytes, least=256 * 1024)
        for name in ("release_gil_max_threads", "release_gil_pool_size"):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name), least=1, most=RELEASE_GIL_THREADS_MOST)
        if self.release_gil_strict is not None and type(self.release_gil_strict) is not bool:
            raise TypeError(
                f"release_gil_strict is True, False or None, not {self.release_gil_strict!r}"
            )
        whole_number("dead_letters_max", self.dead_letters_max, least=0, most=DEAD_LETTERS_MOST)
        if self.long_turn_ms is not None:
            _milliseconds("long_turn_ms", self.long_turn_ms)
        if self.limits is not None and type(self.limits) is not Limits:
            raise TypeError(f"limits is an iris.Limits or None, not {self.limits!r}")
        self._check_mesh()
        for name in ("on_undelivered", "on_pressure"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise TypeError(f"{name} is a callable or None, not {getattr(self, name)!r}")

    def _check_mesh(self) -> None:
        if self.cluster_key is not None and not isinstance(self.cluster_key, str):
            raise TypeError(
                "cluster_key is the path of a key file, 'env:NAME' or None, not a"
                f" {type(self.cluster_key).__name__}"
            )
        if self.discovery is not None and not callable(getattr(self.discovery, "open", None)):
            raise TypeError(
                "discovery is an iris.StaticPeers, an iris.DnsPeers or something else with a"
                f" method open(driver), not {self.discovery!r}"
            )
        if self.mesh is not None and type(self.mesh) is not MeshLimits:
            raise TypeError(f"mesh is an iris.MeshLimits or None, not {self.mesh!r}")


@dataclass(frozen=True)
class ReleaseGilLimits:
    """How many threads actors with `release_gil` may have."""

    max_threads: int
    """Actors with a thread of their own."""

    pool_size: int
    """Threads that all others share."""

    strict: bool
    """Whether a spawn is refused rather than sent to the pool."""


def _milliseconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of milliseconds or None, not {value!r}")
    if value != 0 and not 1 <= value <= 1e9:
        raise BadInput(f"{name}={value!r} is out of range; give 1 to 1e9, or 0 for never")


def config_of(options: dict[str, Any]) -> Config:
    """Build a `Config` from keyword options.

    Raises:
        TypeError: an option does not exist (the message lists those that do) or has a wrong type.
        BadInput: a value is out of range.
    """
    known = {one.name for one in fields(Config)}
    for name in options:
        if name not in known:
            raise TypeError(f"Runtime() has no option {name!r}; it has {', '.join(sorted(known))}")
    return Config(**options)


def release_gil_limits(
    config: Config, environment: Mapping[str, str], processors: int
) -> ReleaseGilLimits:
    """The limits for actors with `release_gil`: those of the options, else of the environment.

    Raises:
        BadInput: a variable has a value that cannot be used.
    """

    def value(name: str, parse: Callable[[str, str], Any], default: Any) -> Any:
        option = getattr(config, name)
        if option is not None:
            return option
        variable = f"IRIS_{name.upper()}"
        text = environment.get(variable)
        return default if text is None else parse(variable, text)

    pool_size = min(RELEASE_GIL_POOL_MOST, processors + 4)
    return ReleaseGilLimits(
        value("release_gil_max_threads", _count, RELEASE_GIL_MAX_THREADS),
        value("release_gil_pool_size", _count, pool_size),
        value("release_gil_strict", _flag, False),
    )


def _count(variable: str, text: str) -> int:
    """The number of threads in an environment variable."""
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20:
        raise BadInput(f"environment variable {variable}={text!r} is not a whole number")
    return whole_number(
        f"environment variable {variable}", int(digits), least=1, most=RELEASE_GIL_THREADS_MOST
    )


def _flag(variable: str, text: str) -> bool:
    """The truth value in an environment variable."""
    yes, no = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
    word = text.strip().lower()
    if word not in yes + no:
        raise BadInput(
            f"environment variable {variable}={text!r} is neither true nor false;"
            f" give one of {', '.join(yes + no)}"
        )
    return word in yes


def whole_number(name: str, value: object, least: int, most: Optional[int] = None) -> int:
    """Return `value` when it is an int of at least `least` (and at most `most`), else raise."""
    if type(value) is not int:
        raise TypeError(f"{name} is a whole number, not {value!r} of type {type(value).__name__}")
    if value < least:
        raise BadInput(f"{name}={value} is below its least value {least}; give {least} or more")
    if most is not None and value > most:
        raise BadInput(f"{name}={value} is over its limit {most}; give {most} or less")
    return value


def number_of_seconds(name: str, value: object) -> float:
    """Return `value` when it is a number, of whatever size, else raise TypeError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds, not {value!r}")
    return value


def some_seconds(name: str, value: object) -> float:
    """Return `value` when it is a time over 0 that timers bear, else raise."""
    value = number_of_seconds(name, value)
    if not 0 < value <= TIMEOUT_MOST_S:
        raise BadInput(
            f"{name}={value!r} is out of range; give more than 0 and at most"
            f" {TIMEOUT_MOST_S:.0f} seconds"
        )
    return value


def seconds(name: str, value: object) -> float:
    """Return `value` as seconds when it is a number of at least 0, else raise."""
    value = number_of_seconds(name, value)
    if not value >= 0:
        raise BadInput(f"{name}={value!r} is not a time to wait; give 0 seconds or more")
    return float(value)
