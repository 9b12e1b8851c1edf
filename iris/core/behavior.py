"""The versions of an actor's handler: which one is current and which can come back.

Numbers are given when a swap is accepted, not when the running actor reaches it, so the
caller of `hot_swap` sees the new number at once. A number is never used twice.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional

from iris.config import BEHAVIOR_HISTORY_MAX
from iris.core.messages import RollbackMarker, SwapMarker

Handler = Callable[[Any], Any]
FIRST_VERSION = 1


class History:
    """The accepted versions of one actor's handler, oldest first. Changed under the table lock."""

    __slots__ = ("_highest", "_orders", "_versions", "current", "reached")

    def __init__(self, handler: Handler) -> None:
        first = SwapMarker(handler)
        first.version = self._highest = FIRST_VERSION
        first.order = self._orders = self.reached = 0
        # `reached` is the order of the latest swap or rollback that the owner has reached;
        # only the owner reads and writes it.
        self.current = first
        # The version that is used. By the owner.
        self._versions: deque[SwapMarker] = deque([first], maxlen=BEHAVIOR_HISTORY_MAX + 1)
        # Invariant: never empty, numbers rise, the last one is the current version. The
        # oldest beyond the limit is forgotten.

    def __len__(self) -> int:
        return len(self._versions)

    @property
    def version(self) -> int:
        """The number of the latest accepted version."""
        return self._versions[-1].version

    @property
    def handler(self) -> Handler:
        """The latest accepted handler."""
        return self._versions[-1].handler

    def accept(self, marker: SwapMarker) -> int:
        """Number a new version, which is the current one from now on."""
        version = marker.version = self._highest = self._highest + 1
        marker.order = self._orders = self._orders + 1
        self._versions.append(marker)
        return version

    def renew(self, handler: Handler) -> None:
        """The actor has restarted, and this handler stands for the version that was used.

        So a rollback to that version, later, gives no handler of a life that has failed.
        """
        self.current.handler = handler

    def roll_back(self, steps: int) -> Optional[RollbackMarker]:
        """Forget the latest `steps` versions; the one before them is current again.

        None, and nothing changes, if there are too few.
        """
        if steps >= len(self._versions):
            return None
        for _ in range(steps):
            self._versions.pop()
        self._orders += 1
        return RollbackMarker(self._versions[-1], self._orders)

    def refuse(self, marker: SwapMarker) -> None:
        """Forget a version whose migration failed, unless it is the only one left."""
        marker.refused = True
        kept = [version for version in self._versions if version is not marker]
        if kept:
            self._versions.clear()
            self._versions.extend(kept)

    def usable(self, marker: SwapMarker) -> Optional[SwapMarker]:
        """The version itself, or if it was refused the latest one before it."""
        if not marker.refused:
            return marker
        before = [version for version in self._versions if version.version < marker.version]
        return before[-1] if before else None
