"""Dead letters: what is remembered of a message that no handler has seen.

A letter is the address, the fate, and the kind and size of the message; never the message
itself, which may be secret or huge. Letters are noted at the speed of a storm, so a note is
a plain tuple, and the record that users see is made when somebody reads it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Optional

from iris.core.messages import LetterReason

_name_of: Any = type.__dict__["__name__"].__get__
# `cls.__name__` could be a property of a metaclass, which is user code.


@dataclass(frozen=True)
class DeadLetter:
    """A message that no handler has seen."""

    pid: int
    """The actor it was for."""

    reason: LetterReason
    """Its fate, by the name that `stats()` has for it; equal to the word itself."""

    sender: int
    """The actor that sent it; 0 for other code, and where nobody knows any more: of `expired`,
    `dropped_old` and `lost`, which were accepted before."""

    message_type: str
    """The name of its class."""

    message_size: Optional[int]
    """Its length, if it is bytes, a str, list, tuple or dict."""

    time_s: float
    """When it met its fate, in seconds of the runtime's monotonic clock."""


Note = tuple[int, LetterReason, int, type, Optional[int], float]
"""The fields of a `DeadLetter`, with the class in place of its name."""


class Letters:
    """The latest notes, as many as were asked for. From any thread, without a lock.

    Args:
        size: how many are kept; 0 keeps none.
    """

    __slots__ = ("_notes", "keep")

    def __init__(self, size: int) -> None:
        self._notes: deque[Note] = deque(maxlen=size)
        self.keep = self._notes.append
        # One C call, which also drops the oldest: no thread sees half of it.

    @property
    def size(self) -> int:
        """How many notes are kept."""
        return self._notes.maxlen or 0

    def read(self) -> list[DeadLetter]:
        """The letters that are kept, oldest first."""
        while True:
            try:
                return [letter(note) for note in list(self._notes)]
            except RuntimeError:
                # Noted while we copied: not seen where the copy is one C call, as it is
                # today, but nothing promises that it stays one.
                continue


def letter(note: Note) -> DeadLetter:
    """The record of a note."""
    pid, reason, sender, kind, size, time_s = note
    return DeadLetter(pid, reason, sender, _name_of(kind), size, time_s)


def type_name(value: Any) -> str:
    """The name of the class of a value, without calling code of that class."""
    name: str = _name_of(type(value))
    return name


def size_of(message: Any) -> Optional[int]:
    """The length of a message that has one, without calling code of its class."""
    kind = type(message)
    if (
        kind is bytes or kind is str or kind is tuple or kind is dict or kind is list
        or kind is bytearray
    ):  # fmt: skip
        # One by one: `in` would compare, and a metaclass may have an __eq__ of its own.
        return len(message)
    return None
