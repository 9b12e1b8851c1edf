"""What machine code has to meet on the interpreter that runs: its arithmetic, its `math`."""

from __future__ import annotations

import math
import sys

from iris.jit.mathcalls import NATIVE_NAMES
from iris.jit.unit import Interpreter

IS_PYPY = sys.implementation.name == "pypy"

# PyPy computes these itself, in other steps than the C library.
_OWN_ON_PYPY = frozenset({"log2", "erf", "erfc"})


def running_interpreter(refused: frozenset[str] = frozenset()) -> Interpreter:
    """The facts of this interpreter; `refused` are functions that were found to differ."""
    names = NATIVE_NAMES.intersection(dir(math)) - refused
    return Interpreter(
        is_pypy=IS_PYPY,
        compensates_sums=not IS_PYPY and sys.version_info >= (3, 12),
        math=names - _OWN_ON_PYPY if IS_PYPY else names,
    )
