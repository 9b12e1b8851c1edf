"""Renewal: what an actor that restarts in place keeps from one life to the next.

Whoever supervises an actor puts a `Renewal` into its ties when it is born; an actor without one
ends when it fails. This module decides what becomes of the message that was being handled, and
notes how far the actor has come on its way from one handler to the next. It refuses to act on
either: that is `iris.run.restarting`. All of it changes under the table lock, where nothing else
is said.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Callable, Optional

from iris.core.messages import Ending


class Stage(Enum):
    """How far a restart has come. Each is left for the next one, and all of them for AWAKE."""

    AWAKE = "its code may run"
    LEAVING = "its owner has come to the end of its code and asks its children to stop"
    WAITING = "it has no owner any more, and waits for its children"
    RESTED = "nothing of it is left but what it keeps; `rested` was called"


class Judgement(Enum):
    """What becomes of a message whose handler raised."""

    FAILED = "it is not delivered again"
    AGAIN = "it goes back to the head of the queue"
    QUARANTINED = "it has failed for the second time and is set aside"


class Renewal:
    """The part of an actor's ties that makes it restart in place.

    Args:
        rested: called with the cell, exactly once for each restart, when the actor has come to
            rest: no code of it runs, its timers are cancelled, its children have ended or were
            given up. From any thread, outside all locks; must be quick.
        drop_queue: whether what is queued expires at the restart.
        redeliver: whether a message whose handler raised is delivered once more.
    """

    __slots__ = (
        "drop_queue", "ending", "quarantined", "redeliver", "restarts", "rested", "stage",
        "suspect",
    )  # fmt: skip

    def __init__(
        self, rested: Callable[[Any], Any], drop_queue: bool = False, redeliver: bool = False
    ) -> None:
        self.rested = rested
        self.drop_queue = drop_queue
        self.redeliver = redeliver
        self.ending: Optional[Ending] = None
        # What it failed with; None when the restart was ordered, and while the actor is alive.
        self.quarantined = False
        # Whether a message was set aside on the way to this rest.
        self.restarts = 0
        # Restarts in place so far.
        self.stage = Stage.AWAKE
        self.suspect: Optional[tuple[Any]] = None
        # The message that is delivered once more, until it was handled. In a tuple, because it
        # may be None. Owner only.

    def judge(self, message: Any) -> Judgement:
        """What becomes of the message whose handler raised. By the owner."""
        if not self.redeliver:
            return Judgement.FAILED
        if self.suspect is not None and self.suspect[0] is message:
            self.suspect = None
            self.quarantined = True
            return Judgement.QUARANTINED
        self.suspect = (message,)
        return Judgement.AGAIN

    def acquit(self) -> None:
        """The message that was delivered once more was handled. By the owner."""
        self.suspect = None

    def begin(self) -> None:
        """The next life begins: what was said about this rest is over."""
        self.stage = Stage.AWAKE
        self.ending = None
        self.quarantined = False
        self.restarts += 1
