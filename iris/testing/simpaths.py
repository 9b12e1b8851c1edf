"""What lies between the hosts of a simulated network: delays, partitions, chance, and the record.

It knows hosts by their names and nothing of sockets: `iris.testing.simsocket` asks here how long
something takes, whether it gets through, and how a stream of bytes is cut.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any, Callable, Generic, TypeVar, Union

from iris.run.simworld import World

ANY = "*"
"""Stands for every host, those to come included."""

TRACE_MOST = 100_000
"""Entries of the record. The oldest go: a run that needs more is not compared by its trace."""

WHOLE_SHARE = 0.5
"""How often bytes come in one piece although they may be cut. Both have to happen a lot."""

Value = TypeVar("Value")

Range = Union[float, "tuple[float, float]"]
"""Seconds, or the least and the most of them."""


class Rules(Generic[Value]):
    """A value for each way from one host to another; what was set last holds.

    Args:
        default: holds where nothing was set.
    """

    def __init__(self, default: Value) -> None:
        self._default = default
        self._rules: dict[tuple[str, str], Value] = {}

    def set(self, a: str, b: str, value: Value) -> None:
        """Have it hold from `a` to `b`. `ANY` is any other host, so never the way to oneself."""
        # Removed first: the order in which rules were set is that of the dict.
        self._rules.pop((a, b), None)
        self._rules[a, b] = value

    def of(self, a: str, b: str) -> Value:
        """What holds from `a` to `b`."""
        for (first, second), value in reversed(self._rules.items()):
            if (first == a and second == b) or (
                a != b and first in (a, ANY) and second in (b, ANY)
            ):
                return value
        return self._default


class Paths:
    """The ways between hosts, and the one generator that everything of a network is drawn from.

    Args:
        seed: of the generator.
        chunking: whether streams are cut at random.
        buffer_bytes: what each way of a connection holds at most.
    """

    def __init__(self, seed: int, chunking: bool, buffer_bytes: int) -> None:
        self.luck = random.Random(seed).random
        # Only this method is used: its numbers are the same on every Python.
        self.world = World(luck=self.luck)
        self.chunking = chunking
        self.buffer_bytes = buffer_bytes
        self.delays: Rules[tuple[float, float]] = Rules((0.0, 0.0))
        self.trace: deque[tuple[Any, ...]] = deque(maxlen=TRACE_MOST)
        self._blocked = Rules(False)
        self._held: list[Callable[[], Any]] = []
        # What goes on when the ways are changed.

    def note(self, what: str, *details: Any) -> None:
        """Write into the record."""
        self.trace.append((self.world.clock.now, what, *details))

    def delay_s(self, a: str, b: str) -> float:
        """How long the next thing takes from `a` to `b`."""
        low, high = self.delays.of(a, b)
        return low if low == high else low + self.luck() * (high - low)

    def is_blocked(self, a: str, b: str) -> bool:
        """Whether nothing gets from `a` to `b`."""
        return self._blocked.of(a, b)

    def block(self, a: str, b: str, blocked: bool) -> None:
        """Let nothing through from `a` to `b`, or all again."""
        self._blocked.set(a, b, blocked)
        held, self._held = self._held, []
        for resume in held:
            resume()

    def hold(self, resume: Callable[[], Any]) -> None:
        """Have it called when the ways have changed."""
        self._held.append(resume)

    def draw(self, most: int) -> int:
        """A whole number from 0 to `most`."""
        return int(self.luck() * (most + 1))

    def piece(self, count: int) -> int:
        """How many of so many bytes come together."""
        if count < 2 or not self.chunking or self.luck() < WHOLE_SHARE:
            return count
        return 1 + self.draw(count - 2)
