"""Compares functions of the C library, as machine code calls them, with those of `math`.

That both are the same function of the same library is what exactness rests on, and nothing that a
build could promise: an interpreter may bring its own. So the first program of a process that calls
one of them compares it on arguments that are hard to round. One difference, and it is left to
Python for as long as the process lives.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

from iris.jit import shim
from iris.jit.encode import double_bits, encode
from iris.jit.ir import MATH2_FIRST, Function, Instr, Math, Opcode, Param, Program, Status, Type

_ARGUMENTS = 200

_equal: dict[Math, bool] = {}


def differing(program: Program) -> frozenset[str]:
    """The names of the functions that a program calls and that are not those of `math`."""
    used = {
        Math(one.flags)
        for function in program.functions
        for one in function.code
        if one.op in (Opcode.MATH1, Opcode.MATH2)
    }
    if shim.why_unavailable() is not None:
        return frozenset()
    return frozenset(one.name.lower() for one in used if not _is_equal(one))


def _is_equal(function: Math) -> bool:
    known = _equal.get(function)
    if known is None:
        known = _equal[function] = _compare(function)
    return known


def _compare(function: Math) -> bool:
    python: Optional[Callable[..., float]] = getattr(math, function.name.lower(), None)
    if python is None:
        return False
    count = 1 if function < MATH2_FIRST else 2
    code = shim.compile(encode(_program(function, count)))
    slots, result = shim.Slots(count), shim.Slots(1)
    for at in range(_ARGUMENTS):
        arguments = [_argument(at + 97 * part) for part in range(count)]
        for slot, one in enumerate(arguments):
            slots.floats[slot] = one
        if code.call(slots.words, result.words) is not Status.DONE:
            return False
        try:
            wanted: Any = python(*arguments)
        except (ValueError, OverflowError):
            continue  # what Python raises for is looked at after the call
        got = result.floats[0]
        if double_bits(got) != double_bits(wanted) and not (math.isnan(got) and math.isnan(wanted)):
            return False
    return True


def _argument(at: int) -> float:
    """Arguments of all sizes; the same in each process. From the fractions of the golden ratio."""
    fraction = (at * 0.6180339887498949) % 1.0
    scale = (1e-8, 1.0, 1.0, 10.0, 700.0, 1e6)[at % 6]
    sign = -1.0 if at % 7 < 3 else 1.0
    return sign * scale * (fraction + 1e-9)


def _program(function: Math, count: int) -> Program:
    one = Function(function.name.lower(), [Param(Type.FLOAT)] * count)
    code = [Instr(Opcode.ARG, (at,)) for at in range(count)]
    op = Opcode.MATH1 if count == 1 else Opcode.MATH2
    code.append(Instr(op, tuple(range(count)), function))
    code += [Instr(Opcode.OUT, (0, count)), Instr(Opcode.RET)]
    one.code, one.outs = code, 1
    return Program([one])
