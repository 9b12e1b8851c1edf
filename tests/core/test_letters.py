"""The ring of dead letters, and the records that are made of its notes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from iris.core.letters import DeadLetter, Letters, letter, size_of, type_name
from iris.core.messages import LetterReason

EXPIRED = LetterReason.EXPIRED


def note(number: int) -> Any:
    return (number, EXPIRED, 7, bytes, 3, 1.5)


def test_the_newest_letters_are_kept_and_read_oldest_first() -> None:
    letters = Letters(3)
    for number in range(5):
        letters.keep(note(number))
    assert [one.pid for one in letters.read()] == [2, 3, 4]
    assert letters.size == 3


def test_a_ring_of_size_zero_keeps_none() -> None:
    letters = Letters(0)
    letters.keep(note(1))
    assert letters.read() == []


def test_what_was_read_does_not_change_later() -> None:
    letters = Letters(2)
    letters.keep(note(1))
    read = letters.read()
    letters.keep(note(2))
    assert [one.pid for one in read] == [1]


def test_a_record_has_the_fields_of_its_note_with_the_class_by_name() -> None:
    assert letter(note(5)) == DeadLetter(5, EXPIRED, 7, "bytes", 3, 1.5)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        letter(note(5)).pid = 6  # type: ignore[misc]


@pytest.mark.parametrize("reason", LetterReason)
def test_a_reason_is_its_word_however_it_is_printed(reason: LetterReason) -> None:
    assert reason == reason.value == str(reason) == f"{reason}" == f"{reason:s}"


class Talking(type):
    """A metaclass whose every answer is user code."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise AssertionError("user code was called")

    def __eq__(cls, other: object) -> bool:
        raise AssertionError("user code was called")

    __hash__ = type.__hash__


class Odd(list[int], metaclass=Talking):
    def __len__(self) -> int:
        raise AssertionError("user code was called")


def test_neither_name_nor_size_calls_code_of_the_class_of_the_message() -> None:
    assert type_name(Odd()) == "Odd"
    assert size_of(Odd()) is None
    assert letter((1, EXPIRED, 0, Odd, None, 0.0)).message_type == "Odd"


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (b"abc", 3), (bytearray(2), 2), ("ab", 2), ([1], 1), ((), 0), ({1: 2}, 1),
        (7, None), (None, None), ({1}, None),
    ],
)  # fmt: skip
def test_the_size_is_that_of_messages_that_have_one(message: Any, size: Any) -> None:
    assert size_of(message) == size
