"""What is on its way in a simulated network: one direction of one connection.

A wire knows neither sockets nor programs. It loses nothing by itself: what a partition holds up
arrives after it, as a kernel sends again what was not acknowledged. Only `tear` and `clear` lose.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Any, Protocol

from iris.run.simworld import Call
from iris.testing.simpaths import Paths

PIECES_MOST = 3
"""Into how many a single write is cut. What is read is cut again."""


class Kind(enum.Enum):
    """What travels on a wire."""

    OPEN = "open"
    """The answer to whoever connects."""
    DATA = "data"
    CREDIT = "credit"
    """So many bytes were read, so many more may come."""
    END = "end"
    """There will be no more bytes this way."""
    RESET = "reset"


class Target(Protocol):
    """Where a wire ends."""

    def arrive(self, kind: Kind, what: Any) -> None:
        """Something has come."""


class Wire:
    """One way of a connection, on which everything arrives in order.

    Args:
        way: the names of the host where it begins and of that where it ends.
    """

    def __init__(self, paths: Paths, way: tuple[str, str], target: Target) -> None:
        self._paths = paths
        self._way = way
        self._target = target
        self._items: deque[tuple[float, Kind, Any]] = deque()
        # With the times at which they arrive, unless those before them are later.
        self._armed = False
        # Invariant: True while a call is to come, or while a partition holds the wire.

    def send(self, kind: Kind, what: Any = None) -> None:
        """Send bytes, an amount of credit, or a sign."""
        paths = self._paths
        if kind is Kind.RESET and paths.is_blocked(*self._way):
            # Nobody repeats a reset. The next bytes that come will be answered with another.
            return
        self._items.append((paths.world.clock.now + paths.delay_s(*self._way), kind, what))
        self._arm()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes, in a few pieces perhaps."""
        for _ in range(PIECES_MOST - 1):
            count = self._paths.piece(len(data))
            if count == len(data):
                break
            self.send(Kind.DATA, data[:count])
            data = data[count:]
        self.send(Kind.DATA, data)

    def tear(self) -> None:
        """Lose what is on its way, but for some of the first bytes."""
        items, self._items = self._items, deque()
        left = self._paths.draw(sum(len(what) for _, kind, what in items if kind is Kind.DATA))
        for due, kind, what in items:
            if kind is Kind.OPEN:
                self._items.append((due, kind, what))
            elif kind is Kind.DATA and left:
                self._items.append((due, kind, what[:left]))
                left -= min(left, len(what))

    def land(self) -> None:
        """Have all that is on its way arrive at once."""
        items, self._items = self._items, deque()
        for _, kind, what in items:
            self._target.arrive(kind, what)

    def clear(self) -> None:
        """Lose all that is on its way."""
        self._items.clear()

    def _arm(self) -> None:
        if self._armed or not self._items:
            return
        self._armed = True
        world = self._paths.world
        # By chance among the wires on which something arrives at the same moment.
        world.add(self._items[0][0] - world.clock.now, Call(self._arrive), self._paths.luck())

    def _arrive(self) -> None:
        if self._paths.is_blocked(*self._way):
            self._items = deque(item for item in self._items if item[1] is not Kind.RESET)
            self._paths.hold(self._resume)
            return
        self._armed = False
        if self._items:
            _, kind, what = self._items.popleft()
            self._arm()
            self._target.arrive(kind, what)

    def _resume(self) -> None:
        # Sent again by the kernel: it takes as long as anything takes.
        delay_s = self._paths.delay_s(*self._way)
        self._paths.world.add(delay_s, Call(self._arrive), self._paths.luck())
