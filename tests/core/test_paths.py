"""Paths: a tree that gives the same answers as a plain dict of paths."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from iris.config import PATH_BYTES_MAX
from iris.core.paths import Paths, checked_path
from iris.errors import BadInput

PARTS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(tuple)
PIDS = st.integers(1, 5)
Parts = tuple[str, ...]


class PathsBesideADict(RuleBasedStateMachine):
    """All calls, made of both."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = Paths()
        self.held: dict[Parts, int] = {}

    @rule(parts=PARTS, pid=PIDS)
    def set(self, parts: Parts, pid: int) -> None:
        assert self.paths.set(parts, pid) == (self.held.setdefault(parts, pid) == pid)

    @rule(parts=PARTS)
    def free(self, parts: Parts) -> None:
        assert self.paths.free(parts) == self.held.pop(parts, None)

    @rule(parts=PARTS)
    def get(self, parts: Parts) -> None:
        assert self.paths.get(parts) == self.held.get(parts)

    @rule(parts=PARTS)
    def below(self, parts: Parts) -> None:
        below = [pid for path, pid in self.held.items() if is_below(path, parts)]
        assert sorted(self.paths.below(parts)) == sorted(below)
        direct = [
            pid
            for path, pid in self.held.items()
            if is_below(path, parts) and len(path) == len(parts) + 1
        ]
        assert sorted(self.paths.directly_below(parts)) == sorted(direct)

    @invariant()
    def keeps_no_branch_that_holds_nothing(self) -> None:
        stack = list(self.paths._root.below.values())
        while stack:
            node = stack.pop()
            assert node.pid is not None or node.below
            stack.extend(node.below.values())


def is_below(path: Parts, prefix: Parts) -> bool:
    return len(path) > len(prefix) and path[: len(prefix)] == prefix


TestPathsBesideADict = PathsBesideADict.TestCase


def test_what_lies_below_is_listed_in_the_order_of_a_walk() -> None:
    paths = Paths()
    for pid, path in enumerate(["/b", "/a/2", "/a", "/b/1", "/a/1"], 1):
        paths.set(checked_path(path), pid)
    assert paths.below(()) == [1, 4, 3, 2, 5]
    assert paths.directly_below(()) == [1, 3]
    assert paths.below(("a",)) == [2, 5]


def test_a_very_deep_path_needs_no_recursion() -> None:
    paths = Paths()
    deep = ("a",) * 100_000
    paths.set(deep, 1)
    assert paths.below(()) == [1]
    assert paths.free(deep) == 1
    assert paths._root.below == {}


@pytest.mark.parametrize(
    ("path", "parts"),
    [("/", ()), ("/a", ("a",)), ("/a/b/c", ("a", "b", "c")), ("/ /..", (" ", ".."))],
)
def test_a_path_is_split_at_its_slashes(path: str, parts: Parts) -> None:
    assert checked_path(path) == parts


def test_the_longest_path_is_accepted_and_one_byte_more_is_not() -> None:
    assert len(checked_path("/" + "a" * (PATH_BYTES_MAX - 1))) == 1
    with pytest.raises(BadInput, match="1025 bytes is over the limit of 1024 bytes"):
        checked_path("/" + "a" * PATH_BYTES_MAX)
    with pytest.raises(BadInput, match="1025 bytes is over"):
        checked_path("/" + "ä" * (PATH_BYTES_MAX // 2))


@pytest.mark.parametrize("path", [None, b"/a", 1, ("a",)])
def test_a_path_of_another_type_is_refused(path: Any) -> None:
    with pytest.raises(TypeError, match="a path is a str"):
        checked_path(path)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("", "no leading slash"),
        ("a/b", "write '/a/b'"),
        ("//", "empty part"),
        ("/a//b", "empty part"),
        ("/a/", "empty part"),
        ("/\udfff", "cannot be written as UTF-8"),
    ],
)
def test_an_impossible_path_is_refused(path: str, complaint: Optional[str]) -> None:
    with pytest.raises(BadInput, match=complaint):
        checked_path(path)
