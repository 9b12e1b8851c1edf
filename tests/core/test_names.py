"""Names: each is held by one actor at most."""

from __future__ import annotations

from typing import Any

import pytest

from iris.config import NAME_BYTES_MAX
from iris.core.names import Names, checked_name
from iris.errors import BadInput


def test_a_free_name_is_given() -> None:
    names = Names()
    assert names.set("a", 1) is True
    assert names.get("a") == 1


def test_a_held_name_is_not_given_to_another() -> None:
    names = Names()
    names.set("a", 1)
    assert names.set("a", 2) is False
    assert names.get("a") == 1


def test_the_holder_may_take_its_name_again() -> None:
    names = Names()
    names.set("a", 1)
    assert names.set("a", 1) is True


def test_an_actor_may_hold_several_names() -> None:
    names = Names()
    assert names.set("a", 1)
    assert names.set("b", 1)
    assert (names.get("a"), names.get("b")) == (1, 1)


def test_a_freed_name_can_be_given_again() -> None:
    names = Names()
    names.set("a", 1)
    assert names.free("a") == 1
    assert names.get("a") is None
    assert names.set("a", 2) is True


def test_freeing_a_free_name_changes_nothing() -> None:
    assert Names().free("a") is None


@pytest.mark.parametrize("name", ["a", " ", "/a/b", "ä" * (NAME_BYTES_MAX // 2), "\0", "a" * 1024])
def test_a_usable_name_is_given_back_as_it_is(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", [None, b"a", 1, ["a"]])
def test_a_name_of_another_type_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match="an actor's name is a str"):
        checked_name(name)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "cannot be empty"),
        ("a" * (NAME_BYTES_MAX + 1), "1025 bytes is over the limit of 1024 bytes"),
        ("ä" * (NAME_BYTES_MAX // 2) + "a", "1025 bytes is over the limit of 1024 bytes"),
        ("\ud800", "cannot be written as UTF-8"),
    ],
)
def test_an_impossible_name_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        checked_name(name)
