"""Python's arithmetic on values: what each operator gives, and the instructions for it.

Each operator has two halves that must agree: its kind, known before anything is written, and its
code. Where both operands are of one type the code is that of this type; a set of types is computed
on doubles, and the tag of the result follows from the tags of the operands. Integers in a set are
whole doubles below 2**53, so that their sums and products are exact where they are accepted.
"""

from __future__ import annotations

from typing import Callable

from iris.jit.emitter import Emitter, Value
from iris.jit.ir import Compare, Math, Opcode, Tag
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    SET_INT_LIMIT,
    Kind,
    is_integral,
)
from iris.jit.values import (
    Place,
    Val,
    check_set_int,
    exclude_none,
    fails,
    has_tag,
    integer,
    narrow,
    payload,
)

_INT_OPS = {"+": Opcode.IADD, "-": Opcode.ISUB, "*": Opcode.IMUL}
_FLOAT_OPS = {"+": Opcode.FADD, "-": Opcode.FSUB, "*": Opcode.FMUL}
_BIT_OPS = {"&": Opcode.IAND, "|": Opcode.IOR, "^": Opcode.IXOR}
_TRUTH_OPS = {"&": Opcode.AND, "|": Opcode.OR, "^": Opcode.XOR}
_SHIFTS = {"<<": Opcode.ISHL, ">>": Opcode.ISHR}

# An int to a constant power is multiplied out up to this exponent: 2**63 is out of range.
POWER_MAX = 64


def binary_kind(op: str, one: Kind, other: Kind) -> Kind:
    """The kind of `one op other` where both are scalars; NEVER where Python always raises."""
    if not (isinstance(one, int) and isinstance(other, int)):
        return NEVER
    one, other = one & ~NONE, other & ~NONE
    if NEVER in (one, other):
        return NEVER
    if op in _BIT_OPS or op in _SHIFTS:
        if not one & (BOOL | INT) or not other & (BOOL | INT):
            return NEVER
        if op in _BIT_OPS and one & other & BOOL:
            # Two bools give a bool; with a float in the set the operator raises, if it is one.
            return (one | other) & (BOOL | INT)
        return INT
    if op == "/":
        return FLOAT
    if is_integral(one) and is_integral(other):
        return INT
    if FLOAT in (one, other):
        return FLOAT
    return INT | FLOAT


def binary(e: Emitter, op: str, one: Val, other: Val, is_pypy: bool) -> Val:
    """Write `one op other`. Of the power, only exponents that are no constants; see `power`."""
    kind = binary_kind(op, one.kind, other.kind)
    if kind == NEVER:
        return fails(e)
    one, other = exclude_none(e, one), exclude_none(e, other)
    if op in _BIT_OPS or op in _SHIFTS:
        return _bits(e, op, one, other)
    if op == "/":
        return _divide(e, one, other)
    if op == "**":
        return _power(e, one, other, is_pypy)
    if kind == INT | FLOAT:
        _check_wide(e, one, other)
        _check_wide(e, other, one)
    if op in _INT_OPS:
        if kind == INT:
            return Val(INT, (e.checked(_INT_OPS[op], integer(e, one), integer(e, other)),))
        result = e.op(_FLOAT_OPS[op], payload(e, one), payload(e, other))
        return _of_set(e, kind, result, one, other)
    if kind == INT:
        code = Opcode.IDIV if op == "//" else Opcode.IMOD
        return Val(INT, (e.checked(code, integer(e, one), integer(e, other)),))
    quotient, rest = float_divmod(e, payload(e, one), payload(e, other))
    return _of_set(e, kind, quotient if op == "//" else rest, one, other)


def both_divisions(e: Emitter, one: Val, other: Val) -> tuple[Val, Val]:
    """Write `divmod(one, other)`; its kind is that of `//`, twice."""
    kind = binary_kind("//", one.kind, other.kind)
    if kind == NEVER:
        return fails(e), fails(e)
    one, other = exclude_none(e, one), exclude_none(e, other)
    if kind == INT | FLOAT:
        _check_wide(e, one, other)
        _check_wide(e, other, one)
    if kind == INT:
        x, y = integer(e, one), integer(e, other)
        quotient, rest = e.checked(Opcode.IDIV, x, y), e.checked(Opcode.IMOD, x, y)
        return Val(INT, (quotient,)), Val(INT, (rest,))
    quotient, rest = float_divmod(e, payload(e, one), payload(e, other))
    return _of_set(e, kind, quotient, one, other), _of_set(e, kind, rest, one, other)


def _of_set(e: Emitter, kind: Kind, result: Value, one: Val, other: Val) -> Val:
    """A result on doubles as what the types of the operands make of it."""
    if kind == FLOAT:
        return Val(FLOAT, (result,))
    is_float = e.op(Opcode.OR, has_tag(e, one, Tag.FLOAT), has_tag(e, other, Tag.FLOAT))
    return checked_set(e, result, is_float)


def checked_set(e: Emitter, result: Value, is_float: Value) -> Val:
    """A float, or a whole number that must still be below the limit of a set."""
    size = e.op(Opcode.FABS, result)
    large = e.op(Opcode.NOT, e.fcmp(Compare.LT, size, e.const_float(float(SET_INT_LIMIT))))
    e.fail_if(e.op(Opcode.AND, large, e.op(Opcode.NOT, is_float)))
    # There is no negative zero among integers: 0 * -1 must not leave one behind.
    plain = e.op(Opcode.FADD, result, e.const_float(0.0))
    value = e.op(Opcode.SELECT, is_float, result, plain)
    number = e.op(Opcode.SELECT, is_float, e.const_int(Tag.FLOAT), e.const_int(Tag.INT))
    return Val(INT | FLOAT, (value, number))


def _bits(e: Emitter, op: str, one: Val, other: Val) -> Val:
    for val in (one, other):
        if not is_integral(val.kind):
            e.fail_if(has_tag(e, val, Tag.FLOAT))
    if op in _SHIFTS:
        return Val(INT, (e.checked(_SHIFTS[op], integer(e, one), integer(e, other)),))
    kind = binary_kind(op, one.kind, other.kind)
    if kind == BOOL and one.kind == other.kind:
        return Val(BOOL, (e.op(_TRUTH_OPS[op], one.ids[0], other.ids[0]),))
    result = Val(INT, (e.op(_BIT_OPS[op], integer(e, one), integer(e, other)),))
    if kind == INT:
        return result
    if kind == BOOL:
        return Val(BOOL, (e.icmp(Compare.NE, result.ids[0], e.const_int(0)),))
    both = e.op(Opcode.AND, has_tag(e, one, Tag.BOOL), has_tag(e, other, Tag.BOOL))
    number = e.op(Opcode.SELECT, both, e.const_int(Tag.BOOL), e.const_int(Tag.INT))
    check_set_int(e, result.ids[0])
    return Val(kind, (payload(e, result), number))


def _divide(e: Emitter, one: Val, other: Val) -> Val:
    """True division. That of integers is rounded once, which doubles do up to 2**53."""
    _check_wide(e, one, other)
    _check_wide(e, other, one)
    x, y = payload(e, one), payload(e, other)
    e.fail_if(e.fcmp(Compare.EQ, y, e.const_float(0.0)))
    return Val(FLOAT, (e.op(Opcode.FDIV, x, y),))


def _check_wide(e: Emitter, val: Val, other: Val) -> None:
    """End the call for an integer that a double cannot hold, where it meets another integer.

    With a float Python itself would make a double of it.
    """
    if val.kind != INT or not other.kind & (BOOL | INT):  # type: ignore[operator]
        return
    if e.exact_literal(val.ids[0]) is not None:
        return
    if is_integral(other.kind):
        check_set_int(e, val.ids[0])
        return
    above = e.icmp(Compare.GT, val.ids[0], e.const_int(SET_INT_LIMIT))
    below = e.icmp(Compare.LT, val.ids[0], e.const_int(-SET_INT_LIMIT))
    large = e.op(Opcode.OR, above, below)
    exact = e.op(Opcode.NOT, has_tag(e, other, Tag.FLOAT))
    e.fail_if(e.op(Opcode.AND, large, exact))


def float_divmod(e: Emitter, x: Value, y: Value) -> tuple[Value, Value]:
    """`divmod` of doubles, step by step as CPython has it (`float_divmod`, floatobject.c).

    The remainder is that of C with the sign of the divisor; the quotient is made from it.
    """
    zero = e.const_float(0.0)
    e.fail_if(e.fcmp(Compare.EQ, y, zero))
    rest = e.math2(Math.FMOD, x, y)
    quotient = e.op(Opcode.FDIV, e.op(Opcode.FSUB, x, rest), y)
    nonzero = e.fcmp(Compare.NE, rest, zero)
    signs = e.op(Opcode.XOR, e.fcmp(Compare.LT, y, zero), e.fcmp(Compare.LT, rest, zero))
    moved = e.op(Opcode.AND, nonzero, signs)
    quotient = e.op(Opcode.SELECT, moved, e.op(Opcode.FSUB, quotient, e.const_float(1.0)), quotient)
    shifted = e.op(Opcode.SELECT, moved, e.op(Opcode.FADD, rest, y), rest)
    rest = e.op(Opcode.SELECT, nonzero, shifted, e.op(Opcode.FCOPYSIGN, zero, y))
    floor = e.op(Opcode.FFLOOR, quotient)
    half = e.fcmp(Compare.GT, e.op(Opcode.FSUB, quotient, floor), e.const_float(0.5))
    floor = e.op(Opcode.SELECT, half, e.op(Opcode.FADD, floor, e.const_float(1.0)), floor)
    signed = e.op(Opcode.FCOPYSIGN, zero, e.op(Opcode.FDIV, x, y))
    is_zero = e.fcmp(Compare.EQ, quotient, zero)
    return e.op(Opcode.SELECT, is_zero, signed, floor), rest


# Powers -------------------------------------------------------------------------------------


def constant_power_kind(base: Kind, exponent: object) -> Kind:
    """The kind of `base ** exponent` where the exponent is a constant int."""
    kind = binary_kind("**", base, INT)
    if kind == INT and isinstance(exponent, int) and exponent < 0:
        return FLOAT
    if kind == INT | FLOAT and isinstance(exponent, int) and exponent < 0:
        return FLOAT
    return kind


def constant_power(e: Emitter, base: Val, exponent: int, is_pypy: bool) -> Val:
    """Write `base ** exponent` for a constant int."""
    kind = constant_power_kind(base.kind, exponent)
    if kind == NEVER:
        return fails(e)
    base = exclude_none(e, base)

    def of_float(x: Value) -> Val:
        return Val(FLOAT, (float_power(e, x, e.const_float(float(exponent)), is_pypy),))

    if kind == FLOAT:
        return of_float(payload(e, base))
    if kind == INT:
        return Val(INT, (_multiplied_out(e, integer(e, base), exponent),))
    return by_type(
        e,
        base,
        lambda x: of_float(x.ids[0]),
        lambda x: Val(INT, (_multiplied_out(e, x.ids[0], exponent),)),
    )


def _multiplied_out(e: Emitter, base: Value, exponent: int) -> Value:
    """An int to a constant power, by checked multiplications.

    The squares on the way are factors of the result, so that one that does not fit means that
    the result does not fit, unless the base is -1, 0 or 1, and then none is too large.
    """
    result = None
    while exponent:
        if exponent & 1:
            result = base if result is None else e.checked(Opcode.IMUL, result, base)
        exponent >>= 1
        if exponent:
            base = e.checked(Opcode.IMUL, base, base)
    return e.const_int(1) if result is None else result


def _power(e: Emitter, one: Val, other: Val, is_pypy: bool) -> Val:
    """A power whose exponent is known at run time only."""
    if is_integral(one.kind) and is_integral(other.kind):
        return Val(INT, (_int_power(e, integer(e, one), integer(e, other)),))
    if FLOAT in (one.kind, other.kind):
        return Val(FLOAT, (float_power(e, payload(e, one), payload(e, other), is_pypy),))
    # Sets: a float where one of the two is; else as integers.
    result = Place(e, INT | FLOAT)
    is_float = e.op(Opcode.OR, has_tag(e, one, Tag.FLOAT), has_tag(e, other, Tag.FLOAT))
    with e.when(is_float):
        power = float_power(e, payload(e, one), payload(e, other), is_pypy)
        result.write(e, Val(FLOAT, (power,)))
        e.otherwise()
        result.write(e, Val(INT, (_int_power(e, integer(e, one), integer(e, other)),)))
    return result.read(e)


def _int_power(e: Emitter, base: Value, exponent: Value) -> Value:
    """An int to a power that is known at run time, by squaring. A negative one gives a float."""
    e.fail_if(e.icmp(Compare.LT, exponent, e.const_int(0)))
    result, factor, left = (Place(e, INT) for _ in range(3))
    result.write(e, Val(INT, (e.const_int(1),)))
    factor.write(e, Val(INT, (base,)))
    left.write(e, Val(INT, (exponent,)))
    with e.block() as done, e.loop() as again:
        rest = left.read(e).ids[0]
        e.branch(done, e.icmp(Compare.EQ, rest, e.const_int(0)))
        square = factor.read(e).ids[0]
        with e.when(e.icmp(Compare.NE, e.op(Opcode.IAND, rest, e.const_int(1)), e.const_int(0))):
            product = e.checked(Opcode.IMUL, result.read(e).ids[0], square)
            result.write(e, Val(INT, (product,)))
        rest = e.checked(Opcode.ISHR, rest, e.const_int(1))
        left.write(e, Val(INT, (rest,)))
        # The last square is not needed and might not fit.
        e.branch(done, e.icmp(Compare.EQ, rest, e.const_int(0)))
        factor.write(e, Val(INT, (e.checked(Opcode.IMUL, square, square),)))
        e.branch(again)
    return result.read(e).ids[0]


def float_power(e: Emitter, x: Value, y: Value, is_pypy: bool) -> Value:
    """`x ** y` of doubles: pow() of the C library, and the call ends where Python would raise.

    That is where finite operands give no finite result: 0 to a negative power, an overflow, and
    the complex result of a negative base. All else is as in C99, Annex F. PyPy squares by a
    multiplication, which may overflow to infinity.
    """
    result = power_of_library(e, x, y)
    finite = e.op(Opcode.AND, is_finite(e, x), is_finite(e, y))
    bad = e.op(Opcode.AND, finite, e.op(Opcode.NOT, is_finite(e, result)))
    if not is_pypy:
        e.fail_if(bad)
        return result
    squares = e.fcmp(Compare.EQ, y, e.const_float(2.0))
    e.fail_if(e.op(Opcode.AND, bad, e.op(Opcode.NOT, squares)))
    return e.op(Opcode.SELECT, squares, e.op(Opcode.FMUL, x, x), result)


def power_of_library(e: Emitter, x: Value, y: Value) -> Value:
    """pow() of the C library; a nan goes through as it is, sign and all, as Python has it."""
    result = e.math2(Math.POW, x, y)
    nan = e.op(
        Opcode.AND, e.fcmp(Compare.NE, x, x), e.fcmp(Compare.NE, y, e.const_float(0.0))
    )
    return e.op(Opcode.SELECT, nan, x, result)


def is_finite(e: Emitter, x: Value) -> Value:
    """Neither nan nor infinite."""
    return e.fcmp(Compare.LT, e.op(Opcode.FABS, x), e.const_float(float("inf")))


# One operand --------------------------------------------------------------------------------


def negative_kind(kind: Kind) -> Kind:
    """The kind of `-x`, `+x` and `abs(x)`."""
    return binary_kind("+", kind, BOOL)


def negative(e: Emitter, val: Val) -> Val:
    """Write `-x`."""
    return _sign(e, val, Opcode.INEG, Opcode.FNEG)


def absolute(e: Emitter, val: Val) -> Val:
    """Write `abs(x)`."""
    return _sign(e, val, Opcode.IABS, Opcode.FABS)


def _sign(e: Emitter, val: Val, for_int: Opcode, for_float: Opcode) -> Val:
    kind = negative_kind(val.kind)
    if kind == NEVER:
        return fails(e)
    val = exclude_none(e, val)
    if kind == INT:
        return Val(INT, (e.checked(for_int, integer(e, val)),))
    result = e.op(for_float, payload(e, val))
    if kind == FLOAT:
        return Val(FLOAT, (result,))
    return checked_set(e, result, has_tag(e, val, Tag.FLOAT))


def positive(e: Emitter, val: Val) -> Val:
    """Write `+x`: a bool becomes an int."""
    kind = negative_kind(val.kind)
    if kind == NEVER:
        return fails(e)
    val = exclude_none(e, val)
    if kind == INT:
        return Val(INT, (integer(e, val),))
    if kind == FLOAT:
        return val
    return checked_set(e, val.ids[0], has_tag(e, val, Tag.FLOAT))


def invert(e: Emitter, val: Val) -> Val:
    """Write `~x`; its kind is that of `x << 0`."""
    if binary_kind("<<", val.kind, INT) == NEVER:
        return fails(e)
    val = exclude_none(e, val)
    if not is_integral(val.kind):
        e.fail_if(has_tag(e, val, Tag.FLOAT))
    return Val(INT, (e.op(Opcode.IXOR, integer(e, val), e.const_int(-1)),))


def by_type(
    e: Emitter, val: Val, of_float: Callable[[Val], Val], of_int: Callable[[Val], Val]
) -> Val:
    """The one or the other result for a number that may be of either type, as a set of both."""
    result = Place(e, INT | FLOAT)
    with e.when(has_tag(e, val, Tag.FLOAT)):
        result.write(e, of_float(narrow(e, val, FLOAT)))
        e.otherwise()
        result.write(e, of_int(narrow(e, val, INT)))
    return result.read(e)

