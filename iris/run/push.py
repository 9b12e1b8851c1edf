"""The runner of push actors: a ready cell goes into the carrier's run queue.

One object serves all push actors of a runtime. Starting costs nothing, which is what makes
100,000 of them cheap: an idle push actor is its cell and nothing else.
"""

from __future__ import annotations

from typing import Callable

from iris.core.cell import STOPPING, ActorCell
from iris.run.carrier import Carrier


class PushRunner:
    """Runs handlers in the turns of one carrier."""

    __slots__ = ("_carrier", "wake")

    wake: Callable[[ActorCell], None]

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        append = carrier.runqueue.append
        wake_hub = carrier.wake

        def wake(cell: ActorCell) -> None:
            # Ready first, THEN the queue: the other way round the carrier could end the
            # cell's turn in between and leave it ready and unqueued.
            cell.ready = True
            append(cell)
            if carrier.sleeping:
                wake_hub()

        self.wake = wake

    def start(self, cell: ActorCell) -> None:
        """Nothing to do: the cell runs when its first message comes."""

    def stop(self, cell: ActorCell) -> None:
        """Queue the cell once more; its turn sees the state. A blocked handler goes on first."""
        self.wake(cell)

    def kill(self, cell: ActorCell) -> bool:
        """Throw GreenletExit into the handler, if it waits cooperatively."""
        self._carrier.post(
            lambda: self._carrier.interrupt_blocked(
                lambda blocked: blocked is cell and cell.state is STOPPING
            )
        )
        return True
