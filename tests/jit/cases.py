"""Cases chosen by hand: what compilers of Python are known to get wrong, one function each.

A case is a module with a function `f` and calls of it; `test_cases.py` compares every call with
plain Python through the oracle. The cases themselves stand in `cases_*.py`, by subject; failures
that the generator found are kept in `cases_found.py`.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple

from .values import Call

inf, nan = math.inf, math.nan

FLOATS = (0.0, -0.0, 1.0, -1.5, 2.5, 0.1, 1e300, -1e300, 5e-324, 2.0**53, inf, -inf, nan)
FEW_FLOATS = (0.0, -0.0, 1.0, -2.5, 1e300, 5e-324, inf, -inf, nan)
INTS = (0, 1, -1, 2, -3, 7, -8, 100, 2**31, 2**53 + 1, -(2**53), 2**62, 2**63 - 1, -(2**63))
FEW_INTS = (0, 1, -1, 3, -7, 2**53 + 1, 2**63 - 1, -(2**63))
HUGE = (2**63, -(2**63) - 1, 2**64, 10**30, -(10**30))


class Case(NamedTuple):
    """One function and its calls."""

    name: str
    source: str
    calls: tuple[Call, ...]
    native: bool
    """Whether its ordinary calls have to run as machine code."""


def case(name: str, source: str, calls: Iterable[Any], native: bool = True) -> Case:
    """A case from text; calls are `Call`s, tuples of arguments, or single arguments.

    `import math` and `@offload` are put in front where the source has neither.
    """
    text = textwrap.dedent(source).strip() + "\n"
    if "offload" not in text:
        text = text.replace("def f(", "@offload\ndef f(", 1)
    if "math." in text and "import math" not in text:
        text = "import math\n" + text
    return Case(name, text, tuple(map(_as_call, calls)), native)


def _as_call(one: Any) -> Call:
    if isinstance(one, Call):
        return one
    return Call(one) if isinstance(one, tuple) else Call((one,))


def grid(*axes: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Every combination."""
    return list(itertools.product(*axes))
