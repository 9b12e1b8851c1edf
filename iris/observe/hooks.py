"""Named points of an actor's life at which user code is called.

A hook runs in the thread in which the thing happens, after all others know of it. It
should be quick; when it raises, that is logged and nothing else happens.
"""

from __future__ import annotations

import logging
from typing import Any, Callable

from iris.errors import BadInput

LOG_BURST = 10
"""Crash reports logged in a row; of a storm only the number follows, at its end or each 1,000."""

Exited = Callable[[int, Any], None]


class Hooks:
    """The hooks of one runtime.

    Points and what they are called with:
        exit: (pid, ending); `ending` has `reason`, `by` and `metadata`.
        orphan: (pid); an actor could not be ended and was given up.
        error: (exception); something failed in Iris itself, or in a hook.
    """

    POINTS = ("exit", "orphan", "error")

    __slots__ = ("_burst", "_calls", "_suppressed")

    def __init__(self) -> None:
        self._calls: dict[str, list[Callable[..., Any]]] = {point: [] for point in self.POINTS}
        self._burst = LOG_BURST
        self._suppressed = 0

    def add(self, point: str, call: Callable[..., Any]) -> None:
        """Have `call` called at a point, after those added before it."""
        if not callable(call):
            raise TypeError(f"a hook is a callable, not {call!r}")
        try:
            self._calls[point].append(call)
        except (KeyError, TypeError):
            raise BadInput(
                f"there is no hook point {point!r}; there are {', '.join(self.POINTS)}"
            ) from None

    def remove(self, point: str, call: Callable[..., Any]) -> bool:
        """Take a hook back; False when it was not there."""
        calls = self._calls.get(point, [])
        if call not in calls:
            return False
        calls.remove(call)
        return True

    def exited(self, pid: int, ending: Any) -> None:
        """An actor's end is complete but for its pid."""
        if self._calls["exit"]:
            self._call("exit", pid, ending)

    def orphaned(self, pid: int) -> None:
        """An actor could not be ended in time."""
        _logger().warning("actor %d could not be ended and was given up; its code runs on", pid)
        self._call("orphan", pid)

    def crashed(self, pid: int, ending: Any, error: BaseException) -> None:
        """An actor's code raised: say so in the log, but not a hundred thousand times."""
        if self._burst > 0:
            self._burst -= 1
            _logger().error(
                "actor %d ended: %s", pid, ending.reason,
                exc_info=(type(error), error, error.__traceback__),
            )
            return
        self._suppressed += 1
        if self._suppressed % 1000 == 1:
            _logger().error(
                "actor %d ended: %s; %d such reports were suppressed so far",
                pid, ending.reason, self._suppressed,
            )

    def swap_refused(self, pid: int, version: int, error: BaseException) -> None:
        """A migration raised, and the actor keeps its old handler."""
        _logger().error(
            "actor %d refused behaviour version %d: its migration raised", pid, version,
            exc_info=(type(error), error, error.__traceback__),
        )

    def failed(self, error: BaseException) -> None:
        """Iris itself failed somewhere."""
        _logger().error("internal error", exc_info=(type(error), error, error.__traceback__))
        self._call("error", error)

    def calm(self) -> None:
        """Some time has passed: log crashes in full again."""
        self._burst = LOG_BURST

    def _call(self, point: str, *args: Any) -> None:
        for call in tuple(self._calls[point]):
            try:
                call(*args)
            except Exception as error:
                _logger().error(
                    "a hook of point %r raised", point,
                    exc_info=(type(error), error, error.__traceback__),
                )


def _logger() -> logging.Logger:
    return logging.getLogger("iris")
