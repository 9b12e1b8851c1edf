"""Paths of actors: a tree of /a/b/c -> pid, and what lies below a prefix.

One actor may hold several paths, a path names one actor. Like names, paths are freed by
the end of their actor; this module only keeps the tree. Changed under the table lock.
"""

from __future__ import annotations

from typing import Optional

from iris.config import PATH_BYTES_MAX
from iris.core.book import strike
from iris.errors import BadInput


def checked_path(path: object) -> tuple[str, ...]:
    """Split an absolute path into its parts; `/` alone has none.

    Raises:
        TypeError: not a str.
        BadInput: no leading slash, an empty part, or over PATH_BYTES_MAX bytes.
    """
    if not isinstance(path, str):
        kind = type(path).__name__
        raise TypeError(f"a path is a str such as '/a/b', not {path!r} of type {kind}")
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise BadInput(f"path {path!r} cannot be written as UTF-8") from None
    if size > PATH_BYTES_MAX:
        raise BadInput(f"path of {size} bytes is over the limit of {PATH_BYTES_MAX} bytes")
    if not path.startswith("/"):
        raise BadInput(f"path {path!r} has no leading slash; write {'/' + path!r}")
    if path == "/":
        return ()
    parts = tuple(path[1:].split("/"))
    if "" in parts:
        raise BadInput(f"path {path!r} has an empty part; write one slash between two parts")
    return parts


class _Node:
    __slots__ = ("below", "pid")

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.pid: Optional[int] = None


class Paths:
    """The tree of one runtime."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Node()

    def set(self, parts: tuple[str, ...], pid: int) -> bool:
        """Give the path to the actor; False when another holds it."""
        node = self._root
        for part in parts:
            node = node.below.setdefault(part, _Node())
        if node.pid is None:
            node.pid = pid
        return node.pid == pid

    def get(self, parts: tuple[str, ...]) -> Optional[int]:
        """Who holds exactly this path."""
        node = self._find(parts)
        return None if node is None else node.pid

    def free(self, parts: tuple[str, ...]) -> Optional[int]:
        """Take the path back, with the branches that hold nothing any more; returns its holder."""
        trail = [self._root]
        for part in parts:
            node = trail[-1].below.get(part)
            if node is None:
                return None
            trail.append(node)
        held, trail[-1].pid = trail[-1].pid, None
        for depth in range(len(parts) - 1, -1, -1):
            node = trail[depth + 1]
            if node.pid is not None or node.below:
                break
            strike(trail[depth].below, parts[depth])
        return held

    def below(self, parts: tuple[str, ...]) -> list[int]:
        """All pids strictly below the prefix, in the order of a walk of the tree."""
        node = self._find(parts)
        found: list[int] = []
        stack = [] if node is None else list(reversed(node.below.values()))
        while stack:
            node = stack.pop()
            if node.pid is not None:
                found.append(node.pid)
            stack.extend(reversed(node.below.values()))
        return found

    def directly_below(self, parts: tuple[str, ...]) -> list[int]:
        """The pids exactly one level below the prefix."""
        node = self._find(parts)
        if node is None:
            return []
        return [child.pid for child in node.below.values() if child.pid is not None]

    def _find(self, parts: tuple[str, ...]) -> Optional[_Node]:
        node: Optional[_Node] = self._root
        for part in parts:
            if node is None:
                return None
            node = node.below.get(part)
        return node
