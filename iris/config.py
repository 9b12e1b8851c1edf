"""Limits and policies of a runtime: one frozen value, units in the names.

A field is changed by `Runtime(name=value)`. Constants that no user should need to
change stand here too, each with the reason for its value.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Callable, Optional

from iris.errors import BadInput

BUDGET_DEFAULT = 100
"""Messages per turn when `spawn` is not told otherwise, the seed API's value."""

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

METADATA_TEXT_CHARS_MAX = 4096
"""An exception's text in exit metadata is cut here: it is a report, not a payload."""


DEAD_LETTERS_MOST = 10_000_000
"""The largest `dead_letters_max`: some 250 bytes each, so a few GiB at the worst."""


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
    """Threads for pull actors; None takes min(8192, half of what the process limits leave)."""

    pull_stack_bytes: int = 512 * 1024
    """Stack of a pull actor's thread. Recursion inside C code was seen to die at 128 KiB."""

    dead_letters_max: int = 1000
    """How many of the latest messages without a handler `dead_letters` gives; 0 keeps none."""

    on_undelivered: Optional[Callable[[Any], Any]] = None
    """A first hook of point "undelivered"; see `Runtime.add_hook`."""

    long_turn_ms: Optional[float] = 100
    """A turn that holds the thread of the push actors for longer is reported; None or 0: none."""

    def __post_init__(self) -> None:
        for name in ("slice_s", "shutdown_timeout_s", "exit_drain_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} is a number of seconds, not {value!r}")
            if not 0 <= value < 1e9:
                raise BadInput(f"{name}={value!r} is out of range; give 0 to 1e9 seconds")
        if self.stop_word is not None and not isinstance(self.stop_word, bytes):
            raise TypeError(f"stop_word is bytes or None, not {self.stop_word!r}")
        if self.pull_threads_max is not None:
            whole_number("pull_threads_max", self.pull_threads_max, least=1)
        whole_number("pull_stack_bytes", self.pull_stack_bytes, least=256 * 1024)
        whole_number("dead_letters_max", self.dead_letters_max, least=0, most=DEAD_LETTERS_MOST)
        if self.long_turn_ms is not None:
            _milliseconds("long_turn_ms", self.long_turn_ms)
        if self.on_undelivered is not None and not callable(self.on_undelivered):
            raise TypeError(f"on_undelivered is a callable or None, not {self.on_undelivered!r}")


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
    known = {field.name for field in fields(Config)}
    for name in options:
        if name not in known:
            raise TypeError(f"Runtime() has no option {name!r}; it has {', '.join(sorted(known))}")
    return Config(**options)


def whole_number(name: str, value: object, least: int, most: Optional[int] = None) -> int:
    """Return `value` when it is an int of at least `least` (and at most `most`), else raise."""
    if type(value) is not int:
        raise TypeError(f"{name} is a whole number, not {value!r} of type {type(value).__name__}")
    if value < least:
        raise BadInput(f"{name}={value} is below its least value {least}")
    if most is not None and value > most:
        raise BadInput(f"{name}={value} is over its limit {most}")
    return value


def seconds(name: str, value: object) -> float:
    """Return `value` as seconds when it is a number of at least 0, else raise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds, not {value!r}")
    if not value >= 0:
        raise BadInput(f"{name}={value!r} is not a time to wait; give 0 seconds or more")
    return float(value)
