"""The book of a trial: everything that was seen, in its order, as plain facts.

The system under trial writes it, the rules read it, and a person reads it after a failure. It knows
neither Iris nor the rules, so a book can be altered by hand to see whether the rules notice.
Actors go by a label of their own, since pids tell nobody anything.
"""

from __future__ import annotations

import hashlib
from typing import Any, Callable, NamedTuple


class Entry(NamedTuple):
    """One thing that has happened."""

    at_s: float
    kind: str
    who: str
    facts: dict[str, Any]

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.facts.items() if value != "")
        return f"{self.at_s:10.4f}  {self.kind:<11} {self.who:<6} {facts}".rstrip()


class Book:
    """Entries, oldest first.

    Args:
        clock: the time of the trial in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.entries: list[Entry] = []
        self._clock = clock

    def note(self, kind: str, who: str = "", **facts: Any) -> None:
        """Something has happened to somebody."""
        self.entries.append(Entry(self._clock(), kind, who, facts))

    def digest(self) -> str:
        """The same for the same book, on every interpreter."""
        text = "\n".join(map(str, self.entries))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Reader:
    """Base of what reads a book: a method `on_KIND` for each kind of entry that it cares about.

    It is given what it names: `at_s`, `who`, and facts. Facts that are not in the entry have to
    have a default.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []

    def read(self, entries: list[Entry]) -> list[str]:
        """Read a whole book; returns what is wrong with it."""
        for number, entry in enumerate(entries):
            method = getattr(self, "on_" + entry.kind, None)
            if method is None:
                continue
            code = method.__func__.__code__
            given = {"at_s": entry.at_s, "who": entry.who, **entry.facts}
            wanted = code.co_varnames[1 : code.co_argcount]
            before = len(self.faults)
            method(**{name: given[name] for name in wanted if name in given})
            self.faults[before:] = [
                f"entry {number} at {entry.at_s:.4f} s: {fault}" for fault in self.faults[before:]
            ]
        return self.faults

    def fault(self, text: str) -> None:
        """Something is not as it has to be."""
        self.faults.append(text)
