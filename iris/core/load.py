"""Load: how much is queued in a whole runtime, against its limits.

`Load.see` is given what was counted and decides: is the node under pressure, has it to refuse,
and from which message or byte on has somebody to count again. It counts nothing itself, and what
is done about a decision is the business of `iris.run.backpressure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from iris.config import Limits
from iris.core.messages import Word

NEVER = 1 << 62
"""A mark that no count reaches."""


class Level(Word):
    """How full a runtime is."""

    CALM = "calm"
    """Under its soft limits."""
    SOFT = "soft"
    """At a soft limit, and not yet back at three quarters of it."""
    HARD = "hard"
    """At a hard limit, and not yet back at three quarters of the soft one."""


@dataclass(frozen=True)
class Pressure:
    """How much was queued when the hooks of point "pressure" were called."""

    level: Level
    """Whether a soft or a hard limit was met, or the load has come back ("calm"); equal to the
    word itself."""

    queued_messages: int
    """Messages in all mailboxes."""

    queued_bytes: Optional[int]
    """Bytes in all mailboxes; None where they are not limited, and so not counted."""

    limits: Limits
    """What `Runtime` was given, with the soft limits that were not."""


class Load:
    """What is decided about the load of one runtime. `see` under the table lock; read anywhere."""

    __slots__ = ("count_at", "level", "limits", "messages", "shut", "size", "times", "weigh_at")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.level = Level.CALM
        self.shut = False
        # Whether messages are refused, until somebody has counted again.
        self.times = 0
        # How often the load has risen over a soft limit.
        self.messages = 0
        self.size: Optional[int] = None if limits.queued_bytes_soft is None else 0
        # Messages and bytes as last counted.
        self.count_at = -1
        # Whoever accepts a message with this number or a later one has to have the load counted.
        self.weigh_at = 0
        # The same, when as many bytes are queued.

    def see(self, messages: int, size: int, following: int) -> None:
        """Decide upon a count.

        Args:
            messages: how many are queued.
            size: how many bytes; 0 where they are not limited.
            following: the number that the next message accepted will have, or a later one.
        """
        limits = self.limits
        over = (
            _reached(messages, limits.queued_messages_hard)
            or _reached(size, limits.queued_bytes_hard)
        )  # fmt: skip
        if over:
            level = Level.HARD
        elif self.level is not Level.CALM:
            level = Level.CALM if self._relieved(messages, size) else self.level
        elif _reached(messages, limits.queued_messages_soft) or _reached(
            size, limits.queued_bytes_soft
        ):
            level = Level.SOFT
        else:
            level = Level.CALM
        if self.level is Level.CALM and level is not Level.CALM:
            self.times += 1
        self.level = level
        self.messages = messages
        if self.size is not None:
            self.size = size
        # Before the marks: whoever has passed the old one, and not yet the new one, must not find
        # the door open once more.
        self.shut = over
        calm = level is Level.CALM
        least = limits.queued_messages_soft if calm else limits.queued_messages_hard
        # The message that reaches the limit is the one that has to be followed by a count.
        self.count_at = NEVER if least is None else following + max(0, least - messages - 1)
        least = limits.queued_bytes_soft if calm else limits.queued_bytes_hard
        self.weigh_at = NEVER if least is None else least

    def _relieved(self, messages: int, size: int) -> bool:
        """Whether the load is far enough under its soft limits that pressure is over."""
        limits = self.limits
        return messages <= _relief(limits.queued_messages_soft) and size <= _relief(
            limits.queued_bytes_soft
        )

    def report(self) -> Pressure:
        """What was counted last, for users."""
        return Pressure(self.level, self.messages, self.size, self.limits)

    def met(self) -> str:
        """Which hard limit is met, in words."""
        limits = self.limits
        if _reached(self.messages, limits.queued_messages_hard) or self.size is None:
            return (
                f"{self.messages} messages are queued in all mailboxes together, and"
                f" queued_messages_hard={limits.queued_messages_hard}"
            )
        return (
            f"{self.size} bytes are queued in all mailboxes together, and"
            f" queued_bytes_hard={limits.queued_bytes_hard}"
        )

    def awaited(self) -> str:
        """How far the load has to come down for the pressure to be over, in words."""
        soft, soft_bytes = self.limits.queued_messages_soft, self.limits.queued_bytes_soft
        parts = [] if soft is None else [f"{_relief(soft)} messages"]
        if soft_bytes is not None:
            parts.append(f"{_relief(soft_bytes)} bytes")
        return " and ".join(parts)


def _reached(amount: int, limit: Optional[int]) -> bool:
    return limit is not None and amount >= limit


def _relief(soft: Optional[int]) -> int:
    """Where pressure ends: well under where it began, so that it does not come and go."""
    return NEVER if soft is None else soft * 3 // 4
