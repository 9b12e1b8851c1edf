"""What the operations on numbers compute, for `interp`: pure functions, one an operation.

Each takes the flags and the operands. Where Python's own operators differ from the machine's (they
raise, or know no infinity) the difference is made up for here.
"""

from __future__ import annotations

import math
import operator
import struct
from typing import Any, Callable, Union

from iris.errors import InternalError
from iris.jit.encode import double_bits, double_of
from iris.jit.ir import CHECKED, NONNEGATIVE, Compare, Math, Opcode, Status

Value = Union[int, float, bool]

_INT_LEAST, _INT_MOST = -(2**63), 2**63 - 1
_SINGLE = struct.Struct("<f")


class Undefined(InternalError):
    """The program breaks a promise that it has made; only a wrong program does."""


class Ended(Exception):
    """The whole call ends with a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


def bits(value: Value) -> int:
    """What a result slot holds for a value."""
    return double_bits(value) if isinstance(value, float) else int(value) & 2**64 - 1


def wrap(value: int) -> int:
    """The signed integer that the lowest 64 bits are."""
    return (value - _INT_LEAST & 2**64 - 1) + _INT_LEAST


def fitting(flags: int, exact: int, least: int = _INT_LEAST, most: int = _INT_MOST) -> int:
    """An exact result, or what the flags want where it does not fit."""
    if least <= exact <= most:
        return exact
    if flags & CHECKED:
        raise Ended(Status.RERUN)
    return (exact - least) % (most - least + 1) + least


def single(value: float) -> float:
    """The double nearest to it that 32 bits can hold."""
    try:
        rounded: float = _SINGLE.unpack(_SINGLE.pack(value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return rounded


def _divide(x: float, y: float) -> float:
    if y:
        return x / y
    if not x or math.isnan(x) or math.isnan(y):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _rounded(whole: Callable[[float], int], x: float) -> float:
    # The sign of a zero is that of x: ceil(-0.5) is -0.0.
    return math.copysign(float(whole(x)), x) if math.isfinite(x) else x


def _division(which: Callable[[int, int], int], flags: int, x: int, y: int) -> int:
    if flags & NONNEGATIVE and (x < 0 or y < 0):
        raise Undefined(f"{x} divided by {y}, which both should not be negative")
    if y == 0:
        if flags & CHECKED:
            raise Ended(Status.RERUN)
        raise Undefined("division by 0")
    return fitting(flags, which(x, y))


def _shift_left(flags: int, x: int, count: int) -> int:
    if not flags & CHECKED:
        return wrap(x << (count & 63))
    if count < 0:
        raise Ended(Status.RERUN)
    return fitting(flags, x << min(count, 64))


def _shift_right(flags: int, x: int, count: int) -> int:
    if not flags & CHECKED:
        return x >> (count & 63)
    if count < 0:
        raise Ended(Status.RERUN)
    return x >> min(count, 64)


def _to_int(flags: int, x: float) -> int:
    if math.isfinite(x) and _INT_LEAST <= int(x) <= _INT_MOST:
        return int(x)
    if flags & CHECKED:
        raise Ended(Status.RERUN)
    # Any integer would do; the sidecar saturates, and so does this.
    if math.isnan(x):
        return 0
    return _INT_MOST if x > 0 else _INT_LEAST


# The functions of the C library, which `math` calls and then judges: where it raises, the C
# library has returned an infinity or a nan.


def _math1(flags: int, x: float) -> float:
    function = _MATH[Math(flags)]
    try:
        return function(x)
    except OverflowError:
        odd = flags in (Math.SINH, Math.EXPM1)
        return math.copysign(math.inf, x) if odd else math.inf
    except ValueError:
        if flags == Math.ATANH and abs(x) == 1:
            return math.copysign(math.inf, x)
        zero = -1.0 if flags == Math.LOG1P else 0.0
        logarithm = flags in (Math.LOG, Math.LOG10, Math.LOG2, Math.LOG1P)
        return -math.inf if logarithm and x == zero else math.nan


def _math2(flags: int, x: float, y: float) -> float:
    function = _MATH[Math(flags)]
    try:
        return function(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        if flags == Math.POW and x == 0 and y < 0:
            return math.copysign(math.inf, x) if y % 2 == 1 else math.inf
        return math.nan


def _missing(*_args: float) -> float:
    raise Undefined("this Python has no such function in math")


_MATH: dict[Math, Callable[..., float]] = {
    one: getattr(math, one.name.lower(), _missing) for one in Math
}
_COMPARE: dict[int, Callable[[Any, Any], bool]] = {
    Compare.EQ: operator.eq,
    Compare.NE: operator.ne,
    Compare.LT: operator.lt,
    Compare.LE: operator.le,
    Compare.GT: operator.gt,
    Compare.GE: operator.ge,
}


def _compare(flags: int, x: Any, y: Any) -> bool:
    return _COMPARE[flags](x, y)


PURE: dict[Opcode, Callable[..., Value]] = {
    Opcode.FADD: lambda _, x, y: x + y,
    Opcode.FSUB: lambda _, x, y: x - y,
    Opcode.FMUL: lambda _, x, y: x * y,
    Opcode.FDIV: lambda _, x, y: _divide(x, y),
    Opcode.FNEG: lambda _, x: -x,
    Opcode.FABS: lambda _, x: abs(x),
    Opcode.FSQRT: lambda _, x: math.sqrt(x) if x >= 0 else x + math.nan if x else x,
    Opcode.FFLOOR: lambda _, x: _rounded(math.floor, x),
    Opcode.FCEIL: lambda _, x: _rounded(math.ceil, x),
    Opcode.FTRUNC: lambda _, x: _rounded(math.trunc, x),
    Opcode.FNEAREST: lambda _, x: _rounded(round, x),
    Opcode.FCOPYSIGN: lambda _, x, y: math.copysign(x, y),
    Opcode.FCMP: _compare,
    Opcode.MATH1: _math1,
    Opcode.MATH2: _math2,
    Opcode.IADD: lambda flags, x, y: fitting(flags, x + y),
    Opcode.ISUB: lambda flags, x, y: fitting(flags, x - y),
    Opcode.IMUL: lambda flags, x, y: fitting(flags, x * y),
    Opcode.INEG: lambda flags, x: fitting(flags, -x),
    Opcode.IABS: lambda flags, x: fitting(flags, abs(x)),
    Opcode.IDIV: lambda flags, x, y: _division(operator.floordiv, flags, x, y),
    Opcode.IMOD: lambda flags, x, y: _division(operator.mod, flags, x, y),
    Opcode.IAND: lambda _, x, y: x & y,
    Opcode.IOR: lambda _, x, y: x | y,
    Opcode.IXOR: lambda _, x, y: x ^ y,
    Opcode.ISHL: _shift_left,
    Opcode.ISHR: _shift_right,
    Opcode.ICMP: _compare,
    Opcode.IFCMP: _compare,
    Opcode.NOT: lambda _, x: not x,
    Opcode.AND: lambda _, x, y: x and y,
    Opcode.OR: lambda _, x, y: x or y,
    Opcode.XOR: lambda _, x, y: x is not y,
    Opcode.B2I: lambda _, x: int(x),
    Opcode.I2F: lambda _, x: float(x),
    Opcode.F2I: _to_int,
    Opcode.BITS: lambda _, x: wrap(double_bits(x)),
    Opcode.UNBITS: lambda _, x: double_of(x),
    Opcode.SELECT: lambda _, which, x, y: x if which else y,
}
