"""Calls of the functions of `math`, each with the errors that Python makes of its result.

Python calls the C library and raises where the result says so: a nan of no nan, an infinity of
finite operands. So does this: the call then ends, and Python makes it again and raises itself.
Functions whose results are not those of the C library are left to Python (`unit.Interpreter`).
"""

from __future__ import annotations

import ast
import math
import sys
from typing import Any, Callable, Optional

from iris.jit import operators
from iris.jit.emitter import Emitter, Value
from iris.jit.ir import MATH2_FIRST, Compare, Math, Opcode
from iris.jit.kinds import BOOL, FLOAT, INT, NEVER, NONE, describe, is_integral, is_scalar
from iris.jit.refusal import Unsupported
from iris.jit.scope import Lazy
from iris.jit.unit import Unit, line_of
from iris.jit.values import Val, exclude_none, fails, payload, to_int

_DOMAIN_CHECKED = {one.name.lower(): one for one in Math if one < MATH2_FIRST}
_TWO = {one.name.lower(): one for one in Math if one >= MATH2_FIRST}

# What the C library gives and every interpreter's `math` with it, by name; see `interpreter.py`.
NATIVE_NAMES = frozenset((*_DOMAIN_CHECKED, *_TWO))


def _is_nan(e: Emitter, x: Value) -> Value:
    return e.fcmp(Compare.NE, x, x)


def _one(function: Math) -> Callable[[Emitter, Value], Value]:
    def write(e: Emitter, x: Value) -> Value:
        result = e.math1(function, x)
        # nan of what is no nan, or an infinity of what is finite.
        infinite = e.op(
            Opcode.AND,
            operators.is_finite(e, x),
            e.op(Opcode.NOT, operators.is_finite(e, result)),
        )
        invalid = e.op(Opcode.AND, _is_nan(e, result), e.fcmp(Compare.EQ, x, x))
        e.fail_if(e.op(Opcode.OR, infinite, invalid))
        return result

    return write


def _log2_in_steps(e: Emitter, x: Value) -> Value:
    """log2 as PyPy computes it: by the logarithm of the mantissa, so that powers of two are exact.

    The same as CPython has it for systems whose C library has no log2.
    """
    # Only of positive and finite numbers; nan and infinity are their own logarithms.
    e.fail_if(e.fcmp(Compare.LE, x, e.const_float(0.0)))
    tiny = e.fcmp(Compare.LT, x, e.const_float(2.0**-1022))
    normal = e.op(Opcode.SELECT, tiny, e.op(Opcode.FMUL, x, e.const_float(2.0**54)), x)
    bits = e.op(Opcode.BITS, normal)
    high = e.op(Opcode.IAND, e.op(Opcode.ISHR, bits, e.const_int(52)), e.const_int(0x7FF))
    shift = e.op(Opcode.SELECT, tiny, e.const_int(-1022 - 54), e.const_int(-1022))
    exponent = e.op(Opcode.IADD, high, shift)
    low = e.op(Opcode.IAND, bits, e.const_int((1 << 52) - 1))
    mantissa = e.op(Opcode.UNBITS, e.op(Opcode.IOR, low, e.const_int(1022 << 52)))
    above = e.fcmp(Compare.GT, x, e.const_float(1.0))
    # Just above 1 the sum would cancel, so there the mantissa is taken from [1, 2).
    doubled = e.op(Opcode.FMUL, mantissa, e.const_float(2.0))
    mantissa = e.op(Opcode.SELECT, above, doubled, mantissa)
    less = e.op(Opcode.ISUB, exponent, e.const_int(1))
    exponent = e.op(Opcode.SELECT, above, less, exponent)
    scaled = e.op(Opcode.FDIV, e.math1(Math.LOG, mantissa), e.const_float(math.log(2.0)))
    result = e.op(Opcode.FADD, scaled, e.op(Opcode.I2F, exponent))
    return e.op(Opcode.SELECT, operators.is_finite(e, x), result, x)


def _sqrt(e: Emitter, x: Value) -> Value:
    e.fail_if(e.fcmp(Compare.LT, x, e.const_float(0.0)))
    return e.op(Opcode.FSQRT, x)


def _scaled(factor: float) -> Callable[[Emitter, Value], Value]:
    return lambda e, x: e.op(Opcode.FMUL, x, e.const_float(factor))


_FLOAT_TO_FLOAT: dict[str, Callable[[Emitter, Value], Value]] = {
    **{name: _one(function) for name, function in _DOMAIN_CHECKED.items()},
    "sqrt": _sqrt,
    "fabs": lambda e, x: e.op(Opcode.FABS, x),
    "radians": _scaled(math.pi / 180.0),
}
_FLOAT_TO_BOOL: dict[str, Callable[[Emitter, Value], Value]] = {
    "isnan": _is_nan,
    "isinf": lambda e, x: e.fcmp(Compare.EQ, e.op(Opcode.FABS, x), e.const_float(math.inf)),
    "isfinite": operators.is_finite,
}
_FLOAT_TO_INT = {"floor": Opcode.FFLOOR, "ceil": Opcode.FCEIL, "trunc": Opcode.FTRUNC}


def _checked_two(function: Math) -> Callable[[Emitter, Value, Value], Value]:
    def write(e: Emitter, x: Value, y: Value) -> Value:
        if function is Math.POW:
            result = operators.power_of_library(e, x, y)
        else:
            result = e.math2(function, x, y)
        known = e.op(Opcode.AND, e.fcmp(Compare.EQ, x, x), e.fcmp(Compare.EQ, y, y))
        bad = e.op(Opcode.AND, known, _is_nan(e, result))
        if function is Math.POW:
            finite = e.op(Opcode.AND, operators.is_finite(e, x), operators.is_finite(e, y))
            overflow = e.op(
                Opcode.AND, finite, e.op(Opcode.NOT, operators.is_finite(e, result))
            )
            bad = e.op(Opcode.OR, bad, overflow)
        e.fail_if(bad)
        return result

    return write


_TWO_FLOATS: dict[str, Callable[[Emitter, Value, Value], Value]] = {
    **{name: _checked_two(function) for name, function in _TWO.items()},
    "copysign": lambda e, x, y: e.op(Opcode.FCOPYSIGN, x, y),
}


def _strict_pow(e: Emitter, x: Value, y: Value) -> Value:
    """As C has it, but that 0 to the power of minus infinity raises: PyPy, CPython to 3.10."""
    zero = e.fcmp(Compare.EQ, x, e.const_float(0.0))
    e.fail_if(e.op(Opcode.AND, zero, e.fcmp(Compare.EQ, y, e.const_float(-math.inf))))
    return _TWO_FLOATS["pow"](e, x, y)


# By identity; what this `math` does not have is not there.
_NAMES = [(getattr(math, name), name) for name in dir(math) if callable(getattr(math, name))]


def call_math(unit: Unit, value: Any, given: list[Lazy], node: ast.AST) -> Optional[Lazy]:
    """Follow a call of a function of `math`, or None if it is none."""
    name = next((name for one, name in _NAMES if one is value), None)
    if name is None:
        return None
    if name in NATIVE_NAMES - {"log2"} and name not in unit.interpreter.math:
        raise Unsupported(line_of(node), f"call of math.{name}", "this interpreter has its own")
    for one in given:
        if not is_scalar(one.kind):
            raise Unsupported(line_of(node), f"call of math.{name}", f"with {describe(one.kind)}")
    if any(not isinstance(one.kind, int) or not one.kind & ~NONE for one in given):
        return Lazy(NEVER, lambda: fails(unit.e))
    if name == "log2" and len(given) == 1:
        log2 = _log2(unit)
        return Lazy(FLOAT, lambda: Val(FLOAT, (log2(unit.e, _double(unit, given[0])),)))
    if name == "degrees" and len(given) == 1:
        return _degrees(unit, given[0])
    if name == "log" and len(given) == 2:
        return _log_to_base(unit, given)
    is_strict = unit.interpreter.is_pypy or sys.version_info < (3, 11)
    if len(given) == 2 and name == "pow" and is_strict:
        return _two(unit, _strict_pow, given)
    if len(given) == 2 and name in _TWO_FLOATS:
        return _two(unit, _TWO_FLOATS[name], given)
    if len(given) == 1 and name in _FLOAT_TO_FLOAT:
        write = _FLOAT_TO_FLOAT[name]
        return Lazy(FLOAT, lambda: Val(FLOAT, (write(unit.e, _double(unit, given[0])),)))
    if len(given) == 1 and name in _FLOAT_TO_BOOL:
        test = _FLOAT_TO_BOOL[name]

        def truth() -> Value:
            return test(unit.e, _double(unit, given[0]))

        return Lazy(BOOL, lambda: Val(BOOL, (truth(),)), truth)
    if len(given) == 1 and name in _FLOAT_TO_INT:
        return Lazy(INT, lambda: _rounded(unit, _FLOAT_TO_INT[name], given[0].emit()))
    raise Unsupported(line_of(node), f"call of math.{name}", "it is outside the language")


def _double(unit: Unit, value: Lazy) -> Value:
    return payload(unit.e, exclude_none(unit.e, value.emit()))


def _two(unit: Unit, write: Callable[[Emitter, Value, Value], Value], given: list[Lazy]) -> Lazy:
    def emit() -> Val:
        x = given[0].emit()
        y = given[1].emit()
        e = unit.e
        first, second = payload(e, exclude_none(e, x)), payload(e, exclude_none(e, y))
        return Val(FLOAT, (write(e, first, second),))

    return Lazy(FLOAT, emit)


def _rounded(unit: Unit, how: Opcode, val: Val) -> Val:
    e = unit.e
    val = exclude_none(e, val)
    if is_integral(val.kind):
        if val.kind != INT:
            return to_int(e, val)
        return val
    return Val(INT, (e.checked(Opcode.F2I, e.op(how, val.ids[0])),))


def _log2(unit: Unit) -> Callable[[Emitter, Value], Value]:
    """That of the C library, where the interpreter's is the same."""
    return _one(Math.LOG2) if "log2" in unit.interpreter.math else _log2_in_steps


def _degrees(unit: Unit, value: Lazy) -> Lazy:
    """`math.degrees(x)`: CPython multiplies by 180/pi, PyPy divides by pi/180."""

    def emit() -> Val:
        e, x = unit.e, _double(unit, value)
        if unit.interpreter.is_pypy:
            return Val(FLOAT, (e.op(Opcode.FDIV, x, e.const_float(math.pi / 180.0)),))
        return Val(FLOAT, (e.op(Opcode.FMUL, x, e.const_float(180.0 / math.pi)),))

    return Lazy(FLOAT, emit)


def _log_to_base(unit: Unit, given: list[Lazy]) -> Lazy:
    """`math.log(x, base)`: two logarithms and a division; PyPy has its own for two bases."""
    log, log10, log2 = _one(Math.LOG), _one(Math.LOG10), _log2(unit)

    def emit() -> Val:
        x, base = given[0].emit(), given[1].emit()
        e = unit.e
        number, to = payload(e, exclude_none(e, x)), payload(e, exclude_none(e, base))
        above, below = log(e, number), log(e, to)
        if not unit.interpreter.is_pypy:
            e.fail_if(e.fcmp(Compare.EQ, below, e.const_float(0.0)))
        result = e.op(Opcode.FDIV, above, below)
        if unit.interpreter.is_pypy:
            for special, write in ((10.0, log10), (2.0, log2)):
                met = e.fcmp(Compare.EQ, to, e.const_float(special))
                result = e.op(Opcode.SELECT, met, write(e, number), result)
        return Val(FLOAT, (result,))

    return Lazy(FLOAT, emit)
