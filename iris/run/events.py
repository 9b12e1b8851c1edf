"""A queue of events that is worked off in the hub, one after the other, a little at a time.

Any thread puts events; so what they do needs no lock among themselves, and a storm of them
leaves turns, timers and sockets their share.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable

from iris.run.carrier import Carrier

WORK_S = 0.001
"""How long events are worked off at a time: half a slice of turns."""


class Events:
    """The queue of one runtime.

    Args:
        carrier: whose hub works it off.
        clock: monotonic seconds.
        report: called with what an event raises.
    """

    __slots__ = ("_awake", "_carrier", "_clock", "_queue", "_report")

    def __init__(
        self,
        carrier: Carrier,
        clock: Callable[[], float],
        report: Callable[[BaseException], None],
    ) -> None:
        self._carrier = carrier
        self._clock = clock
        self._report = report
        self._queue: deque[tuple[Any, ...]] = deque()
        # Any thread appends, the hub pops.
        self._awake = False
        # True while the hub will look at the queue by itself.

    def put(self, event: Callable[..., Any], *args: Any) -> None:
        """Have `event(*args)` called in the hub, after what was put before. From any thread.

        A function and its arguments, and no closure over them: in a storm of failures there are
        many, and a closure is five things for the collector of garbage to look at.
        """
        try:
            self._queue.append((event, *args))
            # Queued first, THEN a look: the hub looks once more after it has cleared the flag.
            if not self._awake:
                self._awake = True
                self._carrier.post(self._work)
        except BaseException:
            # A signal handler raised in between: the hub has to come, and once too often is
            # harmless.
            self._awake = False
            self._carrier.post(self._work)
            self._carrier.wake(always=True)
            raise

    def _work(self) -> None:
        """In the hub."""
        try:
            self._work_off()
        except BaseException:
            # Ctrl-C, which is the user's: the carrier hands it on. The rest has to be done.
            self._carrier.post(self._work)
            raise

    def _work_off(self) -> None:
        self._awake = True
        queue, clock = self._queue, self._clock
        end = clock() + WORK_S
        while queue:
            event, *args = queue.popleft()
            try:
                event(*args)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001  # The pump of events.
                self._report(error)
            if clock() > end:
                break
        if not queue:
            self._awake = False
            # Cleared first, THEN a look: who has put an event before has not woken the hub.
            if not queue or self._awake:
                return
            self._awake = True
        self._carrier.post(self._work)
