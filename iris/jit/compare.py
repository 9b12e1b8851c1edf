"""Python's comparisons on values: exact between ints and floats of any size, nan unequal to all."""

from __future__ import annotations

from iris.jit.emitter import Emitter, Value
from iris.jit.ir import MIRRORED, Compare, Opcode, Tag
from iris.jit.kinds import INT, NEVER, NONE, is_integral
from iris.jit.values import Val, exclude_none, has_tag, integer, payload


def compare(e: Emitter, how: Compare, one: Val, other: Val) -> Value:
    """Write a comparison of two scalars; ordering None ends the call."""
    assert isinstance(one.kind, int)
    assert isinstance(other.kind, int)
    if NEVER in (one.kind, other.kind):
        return e.const_bool(False)
    if not (one.kind | other.kind) & NONE:
        return _numbers(e, how, one, other)
    if how not in (Compare.EQ, Compare.NE):
        return _numbers(e, how, exclude_none(e, one), exclude_none(e, other))
    equal = _equal_with_none(e, one, other)
    return equal if how is Compare.EQ else e.op(Opcode.NOT, equal)


def is_none(e: Emitter, val: Val) -> Value:
    """Write `x is None`."""
    return has_tag(e, val, Tag.NONE) if isinstance(val.kind, int) else e.const_bool(False)


def _equal_with_none(e: Emitter, one: Val, other: Val) -> Value:
    """None equals None and nothing else."""
    first, second = is_none(e, one), is_none(e, other)
    both = e.op(Opcode.AND, first, second)
    if NONE in (one.kind, other.kind):
        return both
    neither = e.op(Opcode.NOT, e.op(Opcode.OR, first, second))
    # None is kept as 0.0 in a set, so that this can be computed in any case.
    equal = _numbers(e, Compare.EQ, one, other)
    return e.op(Opcode.OR, both, e.op(Opcode.AND, neither, equal))


def _numbers(e: Emitter, how: Compare, one: Val, other: Val) -> Value:
    if is_integral(one.kind) and is_integral(other.kind):
        return e.icmp(how, integer(e, one), integer(e, other))
    # An integer alone may be beyond 2**53; one in a set is not.
    if _is_wide(e, one):
        return e.op(Opcode.IFCMP, one.ids[0], payload(e, other), flags=how)
    if _is_wide(e, other):
        return e.op(Opcode.IFCMP, other.ids[0], payload(e, one), flags=MIRRORED[how])
    return e.fcmp(how, payload(e, one), payload(e, other))


def _is_wide(e: Emitter, val: Val) -> bool:
    """Whether a double may be too narrow for this value."""
    return val.kind == INT and e.exact_literal(val.ids[0]) is None
