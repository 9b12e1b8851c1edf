"""Named points of an actor's life at which user code is called.

A hook runs in the thread in which the thing happens, after all others know of it, unless
its point says otherwise. It should be quick; when it raises, that is reported and nothing
else happens.
"""

from __future__ import annotations

from typing import Any, Callable

from iris.errors import BadInput

POINTS = (
    "exit", "orphan", "error", "undelivered", "long_turn", "restart", "give_up", "pressure",
    "peers",
)  # fmt: skip


class Hooks:
    """The hooks of one runtime.

    Points and what their hooks are called with:
        exit: (pid, ending); `ending` has `reason`, `by` and `metadata`.
        orphan: (pid); an actor could not be ended and was given up.
        error: (exception); something failed in Iris itself.
        undelivered: (`DeadLetter`); soon after, in the runtime's hub and never inside the send.
        restart: (`ChildReport`); a supervised child was restarted. In the runtime's hub.
        give_up: (`ChildReport`); a supervised child has used up its restarts. In the hub, too.
        long_turn: (`LongTurn`); in the thread of the watchdog, while the turn goes on.
        peers: (added, removed), lists of addresses that discovery tells. In the hub, too.
        pressure: (`Pressure`); soon after, in the runtime's hub and never inside a send.

    Args:
        raised: called with the point and the exception when a hook raises.
    """

    __slots__ = ("_calls", "_raised")

    def __init__(self, raised: Callable[[str, BaseException], None]) -> None:
        self._calls: dict[str, list[Callable[..., Any]]] = {point: [] for point in POINTS}
        self._raised = raised

    def add(self, point: str, call: Callable[..., Any]) -> None:
        """Have `call` called at a point, after those added before it."""
        if not callable(call):
            raise TypeError(f"a hook is a callable, not {call!r}")
        self._at(point).append(call)

    def remove(self, point: str, call: Callable[..., Any]) -> bool:
        """Take a hook back; False when it was not there."""
        calls = self._at(point)
        if call not in calls:
            return False
        calls.remove(call)
        return True

    def _at(self, point: str) -> list[Callable[..., Any]]:
        if point not in POINTS:
            raise BadInput(f"there is no hook point {point!r}; there are {', '.join(POINTS)}")
        return self._calls[point]

    def at(self, point: str) -> list[Callable[..., Any]]:
        """The hooks of a point, now and later: for whoever has work only if there are some."""
        return self._calls[point]

    def call(self, point: str, *args: Any) -> None:
        """Call the hooks of a point, in the order in which they were added."""
        calls = self._calls[point]
        if calls:
            for hook in tuple(calls):
                try:
                    hook(*args)
                except BaseException as error:  # noqa: BLE001  # A hook's failure is its own.
                    self._raised(point, error)
