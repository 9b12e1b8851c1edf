"""What generated programs are made of: constants, functions with their domains, names in scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional

INTS = ("0", "1", "2", "3", "5", "7", "10", "16", "-1", "-2", "-3", "100", "255", "1000")
BIG_INTS = (
    "2147483647",
    "4294967296",
    "9007199254740991",
    "9007199254740993",
    "2 ** 31",
    "2 ** 62",
)
FLOATS = ("0.0", "1.0", "0.5", "2.0", "-1.0", "0.25", "1.5", "3.0", "0.1", "-0.0", "2.5", "100.0")
ODD_FLOATS = ("1e300", "5e-324", "1e-300", "1e16", "9007199254740993.0")
NAMED = ("math.pi", "math.e", "math.tau", "pi", "e", "tau")
INFINITE = ("math.inf", "math.nan", "inf", "nan", "float('inf')", "float('-inf')", "float('nan')")
COMPARES = ("<", "<=", ">", ">=", "==", "!=")

# Functions of one float, with an argument that is inside their domain whatever `x` is.
MATH1 = {
    "sin": "{}", "cos": "{}", "tan": "{}", "atan": "{}", "tanh": "{}", "fabs": "{}",
    "degrees": "{}", "radians": "{}", "asinh": "{}", "sqrt": "abs({})", "log": "(abs({}) + 0.5)",
    "log10": "(abs({}) + 0.5)", "log1p": "abs({})", "exp": "min({}, 40.0)",
    "expm1": "min({}, 40.0)",
    "sinh": "max(-40.0, min(40.0, {}))", "cosh": "max(-40.0, min(40.0, {}))",
    "asin": "max(-1.0, min(1.0, {}))", "acos": "max(-1.0, min(1.0, {}))",
    "atanh": "max(-0.9, min(0.9, {}))", "acosh": "(abs({}) + 1.0)",
}  # fmt: skip
BARE = frozenset(
    {"sin", "cos", "sqrt", "exp", "log", "atan2", "floor", "fabs", "isnan", "copysign"}
)
# Not native everywhere: see `not_native_here` in `oracle`.
HOSTED = {"log2": "(abs({}) + 0.5)", "erf": "{}", "erfc": "{}"}
FLOAT_TO_BOOL = ("isnan", "isinf", "isfinite")


class Helper(NamedTuple):
    """A function that generated code can call."""

    name: str
    params: tuple[tuple[str, str, Optional[str]], ...]
    """Name, kind and default as text."""
    result: str
    """Its kind; for a tuple the kinds of its items, more than one letter."""


class Buffer(NamedTuple):
    """A container parameter."""

    kind: str
    writable: bool
    least: Optional[int] = None
    most: Optional[int] = None
    """What an item can hold, where items are ints."""


@dataclass
class Scope:
    """What can be named here."""

    sure: dict[str, str] = field(default_factory=dict)
    """Variables that are bound, by kind."""
    maybe: dict[str, str] = field(default_factory=dict)
    """Variables that are bound on some paths only."""
    buffers: dict[str, Buffer] = field(default_factory=dict)
    helpers: list[Helper] = field(default_factory=list)
    trips: int = 1
    """How often this place runs at most in one call."""

    def inner(self, trips: int = 1) -> Scope:
        """A scope inside: what it binds is not seen outside."""
        return Scope(
            dict(self.sure), dict(self.maybe), self.buffers, self.helpers, self.trips * trips
        )
