"""Names of actors: name -> pid, each name held by one living actor at most.

A flat registry. It refuses to judge whether an actor lives: the caller does, under the
table lock, under which all of this changes.
"""

from __future__ import annotations

from typing import Optional

from iris.config import NAME_BYTES_MAX
from iris.core.book import strike
from iris.errors import BadInput


def checked_name(name: object, what: str = "an actor's name") -> str:
    """Return the name when it is a usable one, else raise TypeError or BadInput."""
    if not isinstance(name, str):
        raise TypeError(f"{what} is a str, not {name!r} of type {type(name).__name__}")
    if not name:
        raise BadInput(f"{what} cannot be empty")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadInput(f"name {name!r} cannot be written as UTF-8") from None
    if size > NAME_BYTES_MAX:
        raise BadInput(f"name of {size} bytes is over the limit of {NAME_BYTES_MAX} bytes")
    return name


class Names:
    """The registry of one runtime."""

    __slots__ = ("_pids",)

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}

    def set(self, name: str, pid: int) -> bool:
        """Give the name to the actor; False when it is held. The same actor may take it again."""
        return self._pids.setdefault(name, pid) == pid

    def get(self, name: str) -> Optional[int]:
        """Who holds the name."""
        return self._pids.get(name)

    def free(self, name: str) -> Optional[int]:
        """Take the name back; returns who held it."""
        return strike(self._pids, name)
