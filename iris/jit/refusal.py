"""Why a function, or one signature of it, stays in Python."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional


class Refusal(NamedTuple):
    """Where a function leaves the language, and how; part of a report of `iris.jit.explain`."""

    line: Optional[int]
    """Of the file the function stands in; None where no line is to blame."""
    construct: str
    """What was met, as a reader of the source would call it: "with statement", "call of print"."""
    reason: str
    """Why that is not compiled, and where there is one, the way out."""

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.construct}: {self.reason}"


class Cause(NamedTuple):
    """Something outside of a function that may change."""

    read: Callable[[], Any]
    """Looks at it again."""
    found: Any
    """What was there."""


class Unsupported(Exception):
    """Ends the way to machine code. Never seen by users: they find the refusal in `explain`."""

    def __init__(
        self, line: Optional[int], construct: str, reason: str, cause: Optional[Cause] = None
    ) -> None:
        self.refusal = Refusal(line, construct, reason)
        # What outside of the function is to blame, so that a change of it is another chance.
        self.cause = cause
        super().__init__(str(self.refusal))
