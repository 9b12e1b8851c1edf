"""The versions of an actor's handler: which one is current and which can come back.

Numbers are given when a swap is accepted, not when the running actor reaches it, so the
caller of `hot_swap` sees the new number at once. A number is never used twice.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.config import BEHAVIOR_HISTORY_MAX

Handler = Callable[[Any], Any]
FIRST_VERSION = 1


class History:
    """The accepted versions of one actor's handler, oldest first. Changed under the table lock."""

    __slots__ = ("_highest", "_versions")

    def __init__(self, handler: Handler) -> None:
        self._versions: list[tuple[int, Handler]] = [(FIRST_VERSION, handler)]
        # Invariant: never empty, numbers rise, the last one is the current version.
        self._highest = FIRST_VERSION

    @property
    def version(self) -> int:
        """The number of the latest accepted version."""
        return self._versions[-1][0]

    @property
    def handler(self) -> Handler:
        """The latest accepted handler."""
        return self._versions[-1][1]

    def accept(self, handler: Handler) -> int:
        """Add a version and return its number; the oldest beyond the limit is forgotten."""
        self._highest += 1
        self._versions.append((self._highest, handler))
        if len(self._versions) > BEHAVIOR_HISTORY_MAX + 1:
            del self._versions[0]
        return self._highest

    def __len__(self) -> int:
        return len(self._versions)

    def roll_back(self, steps: int) -> Optional[tuple[int, Handler]]:
        """Forget the latest `steps` versions; None, and nothing changes, if there are too few."""
        if steps >= len(self._versions):
            return None
        del self._versions[-steps:]
        return self._versions[-1]

    def refuse(self, version: int) -> None:
        """Forget a version whose migration failed; no effect when it is gone or the only one."""
        if len(self._versions) > 1:
            self._versions = [entry for entry in self._versions if entry[0] != version] or [
                self._versions[-1]
            ]

    def replace(self, version: int, handler: Handler) -> None:
        """Put what a migration made of a version's handler in its place."""
        self._versions = [
            (number, handler if number == version else old) for number, old in self._versions
        ]
