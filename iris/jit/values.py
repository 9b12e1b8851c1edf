"""Values of Python while a program is written, and how one kind is turned into another.

A `Val` is a kind and the values of the intermediate representation that it is made of. Whatever
here cannot be done in the way that Python would do it ends the call with status 1.
"""

from __future__ import annotations

from typing import Any, Optional

from iris.jit.emitter import Emitter, Value
from iris.jit.ir import Compare, Opcode, Tag, Type
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    SET_INT_LIMIT,
    TAGS,
    BufferKind,
    Kind,
    TupleKind,
    describe,
    is_integral,
    is_set,
    storage,
)
from iris.jit.refusal import Unsupported


class Val:
    """A value that has been written."""

    __slots__ = ("ids", "kind")

    def __init__(self, kind: Kind, ids: tuple[Value, ...] = ()) -> None:
        self.kind = kind
        self.ids = ids


def constant(e: Emitter, value: Any) -> Val:
    """A constant of Python; its kind is that of `kinds.of_value`."""
    if value is None:
        return Val(NONE)
    if isinstance(value, bool):
        return Val(BOOL, (e.const_bool(value),))
    if isinstance(value, int):
        return Val(INT, (e.const_int(value),))
    if isinstance(value, float):
        return Val(FLOAT, (e.const_float(value),))
    items = [constant(e, item) for item in value]
    return tuple_of(items)


def tuple_of(items: list[Val]) -> Val:
    """A tuple of values."""
    ids = tuple(one for item in items for one in item.ids)
    return Val(TupleKind(tuple(item.kind for item in items)), ids)


def tuple_item(val: Val, index: int) -> Val:
    """One item of a tuple."""
    assert isinstance(val.kind, TupleKind)
    at = sum(len(storage(kind)) for kind in val.kind.items[:index])
    kind = val.kind.items[index]
    return Val(kind, val.ids[at : at + len(storage(kind))])


def anything(e: Emitter, kind: Kind) -> Val:
    """A value of this kind that is never looked at, because the call has ended before."""
    blank = {Type.INT: lambda: e.const_int(0), Type.FLOAT: lambda: e.const_float(0.0)}
    return Val(kind, tuple(blank.get(one, lambda: e.const_bool(False))() for one in storage(kind)))


def fails(e: Emitter, kind: Kind = NEVER) -> Val:
    """A value that does not come, because Python would raise here."""
    e.fail_if(e.const_bool(True))
    return anything(e, kind)


# What a scalar is made of -------------------------------------------------------------------


def payload(e: Emitter, val: Val) -> Value:
    """A number as a double: rounded as `float(x)` rounds. None has been excluded before."""
    kind = val.kind
    assert isinstance(kind, int)
    if kind == FLOAT or is_set(kind):
        return val.ids[0]
    if not kind & (BOOL | INT):
        return e.const_float(0.0)
    literal = e.exact_literal(val.ids[0]) if kind == INT else None
    return e.op(Opcode.I2F, integer(e, val)) if literal is None else e.const_float(literal)


def integer(e: Emitter, val: Val) -> Value:
    """A bool or an int as an integer."""
    kind = val.kind
    if kind == INT:
        return val.ids[0]
    if kind == BOOL:
        return e.op(Opcode.B2I, val.ids[0])
    assert isinstance(kind, int)
    # Of a set: a whole number, by its tag.
    return e.op(Opcode.F2I, val.ids[0])


def tag(e: Emitter, val: Val) -> Value:
    """The tag of a scalar, as an integer."""
    assert isinstance(val.kind, int)
    return val.ids[1] if is_set(val.kind) else e.const_int(TAGS.get(val.kind, Tag.NONE))


def has_tag(e: Emitter, val: Val, wanted: Tag) -> Value:
    """Whether a scalar is of this type."""
    assert isinstance(val.kind, int)
    if is_set(val.kind):
        return e.icmp(Compare.EQ, val.ids[1], e.const_int(wanted))
    return e.const_bool(TAGS.get(val.kind) == wanted)


def exclude_none(e: Emitter, val: Val) -> Val:
    """A number; the call ends where the value is None."""
    kind = val.kind
    assert isinstance(kind, int)
    if not kind & NONE:
        return val
    if kind == NONE:
        return fails(e, FLOAT)
    e.fail_if(has_tag(e, val, Tag.NONE))
    rest = kind & ~NONE
    if is_set(rest):
        return Val(rest, val.ids)
    return narrow(e, val, rest)


def narrow(e: Emitter, val: Val, kind: int) -> Val:
    """A value of a set that is known to be of one type of it."""
    if kind == FLOAT:
        return Val(FLOAT, val.ids[:1])
    if kind == INT:
        return Val(INT, (e.op(Opcode.F2I, val.ids[0]),))
    if kind == BOOL:
        return Val(BOOL, (e.fcmp(Compare.NE, val.ids[0], e.const_float(0.0)),))
    return Val(kind)


def truth(e: Emitter, val: Val) -> Value:
    """`bool(x)`; nan is true, a buffer is by its length."""
    kind = val.kind
    if kind == BOOL:
        return val.ids[0]
    if kind == INT:
        return e.icmp(Compare.NE, val.ids[0], e.const_int(0))
    if isinstance(kind, int) and kind & (BOOL | INT | FLOAT):
        # None is kept as 0.0 in a set.
        return e.fcmp(Compare.NE, val.ids[0], e.const_float(0.0))
    if isinstance(kind, TupleKind):
        return e.const_bool(bool(kind.items))
    if isinstance(kind, BufferKind):
        return e.icmp(Compare.NE, e.length(kind.param), e.const_int(0))
    if isinstance(kind, int):
        return e.const_bool(False)
    raise Unsupported(e.line or None, "condition", f"it is {describe(kind)}")


# From one kind to another -------------------------------------------------------------------


def convert(e: Emitter, val: Val, kind: Kind) -> Val:
    """The same value, kept as the wider kind is kept."""
    have = val.kind
    if have == kind:
        return val
    if have == NEVER:
        return anything(e, kind)
    if isinstance(kind, TupleKind):
        assert isinstance(have, TupleKind)
        pairs = enumerate(kind.items)
        return tuple_of([convert(e, tuple_item(val, at), item) for at, item in pairs])
    if not (isinstance(kind, int) and isinstance(have, int)):
        return Val(kind)
    if is_set(have):
        return Val(kind, val.ids)
    if have == INT:
        check_set_int(e, val.ids[0])
    return Val(kind, (payload(e, val), tag(e, val)))


def check_set_int(e: Emitter, value: Value) -> None:
    """End the call if an integer is too large for a set.

    2**53 itself is let in, though no result of an operation may be as large: a sum of 2**53 + 1
    would be rounded to it.
    """
    above = e.icmp(Compare.GT, value, e.const_int(SET_INT_LIMIT))
    below = e.icmp(Compare.LT, value, e.const_int(-SET_INT_LIMIT))
    e.fail_if(e.op(Opcode.OR, above, below))


def to_float(e: Emitter, val: Val) -> Val:
    """`float(x)` of a number."""
    val = exclude_none(e, val)
    return Val(FLOAT, (payload(e, val),))


def to_int(e: Emitter, val: Val) -> Val:
    """`int(x)` of a number: towards zero; the call ends for nan and what does not fit."""
    val = exclude_none(e, val)
    if is_integral(val.kind):
        return Val(INT, (integer(e, val),))
    return Val(INT, (e.checked(Opcode.F2I, val.ids[0]),))


# Locals -------------------------------------------------------------------------------------


class Place:
    """The locals in which a variable is kept while it is of one kind."""

    __slots__ = ("kind", "locals")

    def __init__(self, e: Emitter, kind: Kind) -> None:
        self.kind = kind
        self.locals = tuple(e.local(type_) for type_ in storage(kind))

    def read(self, e: Emitter) -> Val:
        return Val(self.kind, tuple(e.get(local) for local in self.locals))

    def write(self, e: Emitter, val: Val) -> None:
        """Keep a value, converted where it is of a narrower kind."""
        for local, one in zip(self.locals, convert(e, val, self.kind).ids):
            e.set(local, one)


# Results ------------------------------------------------------------------------------------

Shape = Optional[tuple[Any, ...]]
"""How a result is nested: None is a scalar, a tuple holds the shapes of its items."""


def shape_of(kind: Kind) -> Shape:
    """How a result of this kind is nested."""
    return tuple(map(shape_of, kind.items)) if isinstance(kind, TupleKind) else None


def leaves(val: Val) -> list[Val]:
    """The scalars of a result, from left to right."""
    if isinstance(val.kind, TupleKind):
        items = range(len(val.kind.items))
        return [leaf for at in items for leaf in leaves(tuple_item(val, at))]
    return [val]


def write_result(e: Emitter, slot: int, val: Val) -> None:
    """A scalar into a pair of result slots: its tag, its bits."""
    kind = val.kind
    assert isinstance(kind, int)
    if not is_set(kind):
        e.op(Opcode.OUT, slot, tag(e, val))
        if val.ids:
            e.op(Opcode.OUT, slot + 1, val.ids[0])
        return
    number = val.ids[1]
    if kind & (BOOL | INT):
        integral = e.op(
            Opcode.OR, has_tag(e, val, Tag.BOOL), has_tag(e, val, Tag.INT)
        )
        shifted = e.op(Opcode.IADD, number, e.const_int(Tag.INT_IN_FLOAT - Tag.INT))
        number = e.op(Opcode.SELECT, integral, shifted, number)
    e.op(Opcode.OUT, slot, number)
    e.op(Opcode.OUT, slot + 1, val.ids[0])
