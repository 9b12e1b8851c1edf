"""A program and its calls as a value: what the generator makes and everything else takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .values import Call

HEADER = (
    "import math\n"
    "from math import atan2, copysign, cos, e, exp, fabs, floor, inf, isnan, log, nan, pi, sin\n"
    "from math import sqrt, tau\n"
)


@dataclass(frozen=True)
class Program:
    """A module with a function `f`, and calls of it."""

    source: str
    calls: tuple[Call, ...]
    features: frozenset[str] = frozenset()
    """What is in it that decides what may be asked of it: `risk`, `unbound`, `forms`, ..."""
    seed: Optional[int] = None
