"""The runner of push actors: a ready cell goes into the carrier's run queue.

One object serves all push actors of a runtime. Starting costs nothing, which is what makes
100,000 of them cheap: an idle push actor is its cell and nothing else.
"""

from __future__ import annotations

from typing import Callable, Optional

from iris.core.cell import RESTARTING, STOPPING, ActorCell
from iris.run.carrier import Carrier


class PushRunner:
    """Runs handlers in the turns of one carrier."""

    __slots__ = ("_carrier", "signal")

    signal: Callable[[ActorCell], Optional[bool]]

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self.signal = carrier.runqueue.append
        # Not a method around it: that would cost 45 ns on the way of every message.

    def start(self, cell: ActorCell) -> None:
        """Nothing to do: the cell runs when its first message comes."""

    def restart(self, cell: ActorCell) -> None:
        """Nothing to do: the signal brings its next turn."""

    def kill(self, cell: ActorCell) -> float:
        """Throw GreenletExit into the handler, if it waits cooperatively."""
        if cell.running:
            self._carrier.post(
                lambda: self._carrier.interrupt_blocked(
                    lambda blocked: blocked is cell and cell.state in (STOPPING, RESTARTING)
                )
            )
        return 0.0
