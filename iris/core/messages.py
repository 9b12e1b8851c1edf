"""What travels in the lanes of a mailbox, and the words for how an actor or a message ended.

User messages are any object and carry no wrapper. Everything else that can lie in a
lane has a class here: system messages, which users see, and markers, which they do not.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Callable, Optional


class Word(str, Enum):
    """A str enum that prints as its value on every Python version.

    From 3.11 on, format() of a plain `str, Enum` mix-in gives the member's name instead.
    """

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(str(self.value), spec)


class ExitReason(Word):
    """Why an actor ended; equal to the word itself, so `reason == "Panic"` holds."""

    NORMAL = "Normal"
    KILLED = "Killed"
    PANIC = "Panic"
    CRASH = "Crash"
    DISCONNECTED = "Disconnected"
    NODE_DOWN = "NodeDown"
    NO_SUCH_ACTOR = "NoSuchActor"


class LetterReason(Word):
    """Why no handler has seen a message: the fate that `stats()` counts for it."""

    UNDELIVERABLE = "undeliverable"
    """No living actor had the pid, or it was stopping."""
    REFUSED = "refused"
    """The mailbox of a living actor said no."""
    EXPIRED = "expired"
    """Accepted, and still queued when the actor ended."""
    DROPPED_OLD = "dropped_old"
    """Accepted, and then dropped for a newer one."""
    QUARANTINED = "quarantined"
    """Accepted, and set aside after its handler had raised twice."""
    LOST = "lost"
    """Accepted for an actor on another node, and not sent there."""


class SystemType(Word):
    """What a system message is about."""

    EXIT = "EXIT"
    HOT_SWAP = "HOT_SWAP"
    PING = "PING"
    PONG = "PONG"
    DOWN = "DOWN"
    NODE_UP = "NODE_UP"
    NODE_DOWN = "NODE_DOWN"


class PySystemMessage:
    """A message from the runtime to an actor that can receive such.

    Attributes:
        type_name: a `SystemType`, which equals the word: EXIT, DOWN, HOT_SWAP, ...
        from_pid: who brought it about: the stopper, parent, link partner, or the actor itself.
        target_pid: the actor it is about; for EXIT and DOWN the one that ended.
        reason: an `ExitReason` for EXIT and DOWN, else None.
        metadata: a dict with more facts, or None. Never a message payload.
    """

    __slots__ = ("from_pid", "metadata", "reason", "target_pid", "type_name")

    def __init__(
        self,
        type_name: SystemType,
        from_pid: int,
        target_pid: int,
        reason: Optional[ExitReason] = None,
        metadata: Optional[dict[str, Any]] = None,
    ) -> None:
        self.type_name = type_name
        self.from_pid = from_pid
        self.target_pid = target_pid
        self.reason = reason
        self.metadata = metadata

    def __repr__(self) -> str:
        reason = "" if self.reason is None else f", reason={self.reason}"
        return (
            f"PySystemMessage({self.type_name}, from_pid={self.from_pid}, "
            f"target_pid={self.target_pid}{reason})"
        )


class Ending:
    """How and through whom an actor ends; made once, by whoever ends it first.

    Args:
        reason: the word for it.
        by: pid of who brought it about, the actor itself when it ended by its own doing.
        describe: gives the metadata; called at most once, when somebody wants to know, for
            a traceback in words costs a hundred times the end itself.
    """

    __slots__ = ("_describe", "_metadata", "by", "reason")

    def __init__(
        self,
        reason: ExitReason,
        by: int,
        describe: Optional[Callable[[], dict[str, Any]]] = None,
    ) -> None:
        self.reason = reason
        self.by = by
        self._describe = describe
        self._metadata: Optional[dict[str, Any]] = None

    @property
    def metadata(self) -> Optional[dict[str, Any]]:
        """More about it, for people; a dict, or None."""
        describe, self._describe = self._describe, None
        if describe is not None:
            self._metadata = describe()
        return self._metadata


def end_message(kind: SystemType, pid: int, ending: Ending) -> PySystemMessage:
    """The news of an end, as `kind` EXIT or DOWN."""
    return PySystemMessage(kind, ending.by, pid, ending.reason, ending.metadata)


CHAIN_MOST = 32
"""Actors that wait for each other in one line through other nodes. Longer ones are a mistake, and
each costs 24 bytes in every question."""

Hop = tuple[Optional[bytes], int]
"""An actor that waits: the incarnation of its node, None for this one, and its pid there."""


class Request:
    """A user message that somebody waits for an answer to: its envelope in the user lane.

    Args:
        message: what the handler is given.
        asker: pid of the actor that asks, 0 for other callers.
        settle: gives the asker `(True, answer)` or `(False, error)`; False when it has
            stopped waiting, or was given one before.
    """

    __slots__ = (
        "answered", "asker", "chain", "desk", "ends_at", "message", "over", "passes", "settle",
        "taken", "target",
    )  # fmt: skip

    def __init__(
        self,
        message: Any,
        asker: int,
        settle: Callable[[tuple[bool, Any]], bool],
        desk: Any = None,
    ) -> None:
        self.message = message
        self.desk = desk
        # The `Asking` of the asker's runtime, which keeps its books.
        self.asker = asker
        self.settle = settle
        self.target: Any = None
        # The cell that owes the answer, None when nobody does (any more). Under the table
        # lock. Invariant: it is in the `asked` of exactly this cell's control.
        self.answered = False
        # True from the answer on: a second one is a mistake. Under the table lock.
        self.over = False
        # True when the asker waits no more: it was told, or has given up. Under the table lock.
        self.taken = False
        # True once a handler was given it. By the owner of the cell in whose lane it lies.
        self.ends_at = 0.0
        self.chain: tuple[Hop, ...] = ()
        # Of a question to another node: when its asker waits no longer, and the actors that wait
        # for the answer. Of one from another node only the latter.
        self.passes = 0
        # How often the duty was passed on; it may come back to the same actor. Under the table
        # lock.


class Passed:
    """What a handler has in hand when it has passed a question on: the message without the duty.

    Args:
        request: the question.
        message: what the handler was given.
        pid: who was given the duty.
    """

    __slots__ = ("message", "pid", "request")

    def __init__(self, request: Request, message: Any, pid: int) -> None:
        self.request = request
        self.message = message
        self.pid = pid


def unwrapped(item: Any) -> Any:
    """The message itself, whether or not somebody waits for the answer."""
    return item.message if type(item) is Request or type(item) is Passed else item


class Marker:
    """Base of what lies in a user lane without being a message; never counted as queued."""

    __slots__ = ()


class SwapMarker(Marker):
    """A version of an actor's handler, and the place in the lane from which on it is used.

    The version is numbered by `History.accept`.
    """

    __slots__ = ("handler", "migrate", "order", "refused", "version")

    version: int
    order: int
    # Which of the actor's swaps this is. An actor that has reached a later one passes it by.

    def __init__(
        self, handler: Callable[[Any], Any], migrate: Optional[Callable[[Any, Any], Any]] = None
    ) -> None:
        self.handler = handler
        self.migrate = migrate
        self.refused = False
        # True when the migration to it has raised.


class RollbackMarker(Marker):
    """The place in the lane from which on an earlier version is used again."""

    __slots__ = ("order", "to")

    def __init__(self, to: SwapMarker, order: int) -> None:
        self.to = to
        # Its handler is read when this is reached: its own migration may be still to come.
        self.order = order


class EndMarker(Marker):
    """The place in the lane at which the actor ends, after what stands before it."""

    __slots__ = ("ending",)

    def __init__(self, ending: Ending) -> None:
        self.ending = ending


class FenceMarker(Marker):
    """The place in the lane at which somebody is told that all before it was handled."""

    __slots__ = ("reached",)

    def __init__(self, reached: Callable[[], Any]) -> None:
        self.reached = reached


def swap_message(marker: SwapMarker, pid: int) -> PySystemMessage:
    """What an actor that takes its messages itself is given for a swap."""
    metadata = {"handler": marker.handler, "version": marker.version}
    return PySystemMessage(SystemType.HOT_SWAP, pid, pid, None, metadata)
