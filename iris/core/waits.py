"""Who waits for whom: one edge for each actor that waits, so that a circle is seen at once.

An actor is in one handler at a time, so it waits for at most one other. Changed under the
table lock: the check and the new edge are one step.
"""

from __future__ import annotations

from iris.errors import AskCycle, WouldDeadlock


class Waits:
    """The waiting actors of one runtime."""

    __slots__ = ("_for",)

    def __init__(self) -> None:
        self._for: dict[int, int] = {}
        # pid of the waiting actor -> pid of the one it waits for. Invariant: no circle.

    def begin(self, waiter: int, target: int) -> None:
        """The actor `waiter` is going to wait for `target`.

        Raises:
            WouldDeadlock: `target` waits for `waiter`, directly or through others.
        """
        self._begin(waiter, target, WouldDeadlock)

    def begin_ask(self, waiter: int, target: int) -> None:
        """The actor `waiter` is going to wait for an answer of `target`, instead of another's.

        Raises:
            AskCycle: `target` waits for `waiter`, directly or through others, or is the same.
        """
        self._begin(waiter, target, AskCycle)

    def _begin(self, waiter: int, target: int, error: type[WouldDeadlock]) -> None:
        if waiter != target and target not in self._for:
            self._for[waiter] = target
            return
        line = [waiter, target]
        while line[-1] != waiter:
            following = self._for.get(line[-1])
            if following is None:
                self._for[waiter] = target
                return
            line.append(following)
        raise error(
            f"actor {waiter} would wait for ever, in a circle: {' -> '.join(map(str, line))}"
        )

    def end(self, waiter: int) -> None:
        """The actor has stopped waiting."""
        self._for.pop(waiter, None)
