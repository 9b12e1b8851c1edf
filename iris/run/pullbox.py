"""The mailbox that the function of a pull actor takes its messages from.

What users call; how a message is found and where the actor waits is its runner's, in
`iris.run.pull`. Apart from it, because this is the fast half: most messages come in batches
and are given from here.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Protocol

from iris.config import seconds
from iris.core.cell import ALIVE, STARTING, ActorCell
from iris.run.bed import Bed

NOTHING = object()


class _NoBatch:
    """What a mailbox sees in place of a cell with a batch, so that it asks the runner."""

    __slots__ = ()

    rest = None
    special = True


_NO_BATCH = _NoBatch()


class Receiver(Protocol):
    """What this module needs of the runner of a pull actor."""

    bed: Bed
    cell: ActorCell
    closed: bool

    @property
    def is_asked_each(self) -> bool: ...
    def rest(self) -> None: ...
    def take(self) -> Any: ...
    def say_closed(self) -> None: ...
    def now(self) -> float: ...
    def come_to_rest(self, looked: int = 0) -> bool: ...
    def sleep_until(self, end: float, looked: int = 0) -> bool: ...
    def receive_matching(
        self, matcher: Callable[[Any], bool], timeout: Optional[float]
    ) -> Any: ...


class PyMailbox:
    """The mailbox that the function of a pull actor takes its messages from.

    Only the thread or greenlet on which Iris called the function may use it.
    """

    __slots__ = ("_quick", "_runner")

    def __init__(self, runner: Receiver) -> None:
        self._runner = runner
        self._quick: Any = _NO_BATCH if runner.is_asked_each else runner.cell
        # Whose batch the next message is taken from without asking the runner.

    @property
    def closed(self) -> bool:
        """True once the actor was stopped or is to restart: no message will come from here."""
        cell = self._runner.cell
        # `special` too: without it `recv` has not noticed yet and may give one more message.
        return self._runner.closed or (cell.special and cell.state not in (ALIVE, STARTING))

    def recv(self, timeout: Optional[float] = None) -> Any:
        """Take the next message, waiting for it if need be.

        Args:
            timeout: seconds to wait at most; None waits for ever.

        Returns:
            The message; a `PySystemMessage` comes before user messages. None when the time
            is over, and once after the actor was stopped or told to restart (`closed` tells
            which).

        Raises:
            ActorStopped: the mailbox is closed and this was said before. Let it pass: it
                ends the actor.
            TypeError, BadInput: the timeout is not a number of at least 0.

        Blocks this actor only: its own thread, with the GIL released, or its greenlet, while
        others of its overflow thread go on.
        """
        if timeout is not None:
            timeout = seconds("timeout", timeout)
        cell = self._quick
        rest = cell.rest
        if rest and not cell.special:
            # Most messages come in batches, and then this is all there is to do: how many
            # were taken was counted when the batch was.
            cell.running = 2
            return rest.pop()
        runner = self._runner
        runner.rest()
        end = None
        while True:
            found = runner.take()
            if found is not NOTHING:
                return found
            if runner.closed:
                return runner.say_closed()
            if timeout is not None and end is None:
                end = runner.now() + timeout
            if runner.come_to_rest():
                # Slept from here, and not from a method further down: of an actor that is a
                # greenlet each call on the stack is kept as long as it waits.
                if end is None:
                    runner.bed.sleep(None)
                elif not runner.sleep_until(end):
                    return None

    def selective_recv(
        self, matcher: Callable[[Any], bool], timeout: Optional[float] = None
    ) -> Any:
        """Take the first user message for which `matcher(message)` is true.

        The others stay, in their order. System messages are given at once, whatever the
        matcher. A matcher that raises changes nothing, and its exception reaches the caller.

        Args:
            matcher: called with each waiting message, once each while this call waits.
            timeout: seconds to wait at most; None waits for ever.

        Returns:
            The message, or None as for `recv`.

        Raises:
            ActorStopped, TypeError, BadInput: as for `recv`; TypeError for a matcher that
                cannot be called.

        Blocks this actor only, like `recv`.
        """
        if not callable(matcher):
            raise TypeError(f"matcher is a callable, not {matcher!r}")
        if timeout is not None:
            timeout = seconds("timeout", timeout)
        return self._runner.receive_matching(matcher, timeout)
