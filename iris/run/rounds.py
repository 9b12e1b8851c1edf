"""Rounds: in which order children end and are started again.

1 Those concerned end or come to rest, the youngest first, each after the next younger one;
2 a pause; 3 they are started, the oldest first, each after the next older one. A failure in the
middle closes the round and begins one for all that are concerned by then. How one child ends
and how one is made is known elsewhere; here it is only asked for, and waited for by being
called again: `proceed` goes on for as long as there is nothing to wait for. In the hub only.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.core.supervision import Child, Phase
from iris.run.carrier import Carrier

Done = Callable[[Optional[BaseException]], Any]
"""Told in the hub that all have been started, with None, or why one could not be."""


class Round:
    """A restart under way: of one child, or of several as one."""

    __slots__ = ("at", "by", "dones", "is_ending", "is_over", "members", "pause_s", "timer")

    def __init__(
        self, members: list[Child], pause_s: float, dones: tuple[Done, ...], by: int = 0
    ) -> None:
        self.members = members
        # In the order of their start.
        self.pause_s = pause_s
        self.dones = dones
        # Those who wait for a first start.
        self.by = by
        # Pid of the actor whose end is the cause, 0 where there is none.
        self.is_ending = True
        # Step 1 is under way; else step 2 or 3.
        self.at = len(members)
        # Step 1: those from here on are down. Step 3: those before it are up.
        self.timer: Any = None
        # Runs in step 2.
        self.is_over = False


class Rounds:
    """The rounds of one runtime.

    Args:
        carrier: whose hub times the pauses.
        end: asks a child that is up to end or to come to rest.
        make: begins to make a child; False when it does not come back, and nothing is to be
            waited for.
    """

    __slots__ = ("_carrier", "_end", "_make")

    def __init__(
        self,
        carrier: Carrier,
        end: Callable[[Child], None],
        make: Callable[[Child], bool],
    ) -> None:
        self._carrier = carrier
        self._end = end
        self._make = make

    def begin(
        self, members: list[Child], pause_s: float, dones: tuple[Done, ...], by: int = 0
    ) -> None:
        """Begin a round for these, and for those of the rounds that they are part of."""
        earlier = self._rounds_of(members)
        if earlier:
            chosen = {child.order: child for child in members}
            for other in earlier:
                for child in other.members:
                    # Who has been started in it has nothing to do with the new failure, unless
                    # the strategy has said so.
                    if other.is_ending or child.phase is not Phase.UP:
                        chosen[child.order] = child
                dones = other.dones + dones
                self.close(other)
            members = [chosen[order] for order in sorted(chosen)]
        self._run(Round(members, pause_s, dones, by))

    def begin_last(self, members: list[Child]) -> list[Done]:
        """Begin the round in which a supervisor's children end for good.

        Returns those who waited for a start that will not be.
        """
        earlier = self._rounds_of(members)
        for other in earlier:
            self.close(other)
        self._run(Round(members, 0.0, ()))
        return [done for other in earlier for done in other.dones]

    def _rounds_of(self, members: list[Child]) -> list[Round]:
        found = {id(child.round): child.round for child in members if child.round is not None}
        return list(found.values())

    def _run(self, begun: Round) -> None:
        for child in begun.members:
            child.round = begun
        self.proceed(begun)

    def close(self, closed: Round) -> None:
        """It does not go on."""
        closed.is_over = True
        if closed.timer is not None:
            closed.timer.close()
        for child in closed.members:
            if child.round is closed:
                child.round = None

    def proceed_with(self, child: Child) -> None:
        """Something about this child has changed: go on with its round, if it has one."""
        if child.round is not None:
            self.proceed(child.round)

    def proceed(self, going: Round) -> None:
        """Go on with a round until there is something to wait for."""
        if going.is_over or going.timer is not None:
            return
        if going.is_ending:
            if not self._all_down(going):
                return
            going.is_ending = False
            if going.pause_s > 0:
                going.timer = self._carrier.later(going.pause_s, lambda: self._paused(going))
                return
        members = going.members
        while going.at < len(members):
            child = members[going.at]
            if not child.is_struck and child.phase is not Phase.UP:
                if child.phase in (Phase.ENDING, Phase.MAKING) or self._make(child):
                    return
                if going.is_over:
                    return
            going.at += 1
        self.close(going)
        for done in going.dones:
            done(None)

    def _all_down(self, going: Round) -> bool:
        """Step 1; False when there is something to wait for."""
        while going.at > 0:
            child = going.members[going.at - 1]
            if not child.is_struck:
                if child.phase is Phase.UP:
                    self._end(child)
                if child.phase in (Phase.ENDING, Phase.MAKING):
                    return False
            going.at -= 1
        return True

    def _paused(self, going: Round) -> None:
        going.timer = None
        self.proceed(going)
