"""What is known of a Python value at compile time, and in which locals it is kept.

A scalar kind is a set of bits, one for each Python type that the value may have: `INT` alone is a
64-bit integer, `INT | FLOAT` is a number of either type. A single bit has its own representation;
a set is kept as a double beside a tag that says which it is (`ir.Tag`), so that integers in it are
smaller than 2**53. Joining two scalar kinds is the union of their bits.

What is no scalar is only followed, never changed at run time: a tuple of kinds, a range, a buffer,
a Python object that the program was compiled for.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

from iris.jit.ir import Tag, Type

NONE, BOOL, INT, FLOAT = 1, 2, 4, 8
NEVER = 0
"""A value that does not come: of a call that is known to end the program."""
NUMBER = BOOL | INT | FLOAT

# Integers in a set must be smaller, so that a double holds them, and their sums before the check.
SET_INT_LIMIT = 2**53

TAGS = {NONE: Tag.NONE, BOOL: Tag.BOOL, INT: Tag.INT, FLOAT: Tag.FLOAT}


class TupleKind(NamedTuple):
    """A tuple, item by item."""

    items: tuple[Kind, ...]


class RangeKind(NamedTuple):
    """A range; kept as start, stop and, unless it is known, step."""

    step: Optional[int]


class BufferKind(NamedTuple):
    """A buffer that came as an argument."""

    param: int
    """The index of the parameter of the program's entry."""


class ObjectKind:
    """A Python object that the program is compiled for: a function, a module, a class.

    Two are the same kind if they are the same object.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectKind) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class MixedKind(NamedTuple):
    """A variable that holds, by the way the program came, what cannot be kept together.

    Only reading it is refused, so that one that is never read again does no harm.
    """

    why: str


Kind = Union[int, TupleKind, RangeKind, BufferKind, ObjectKind, MixedKind]


def join(one: Kind, other: Kind) -> Kind:
    """The kind of a variable that is one or the other."""
    if one == other and type(one) is type(other):
        return one
    if isinstance(one, int) and isinstance(other, int):
        return one | other
    if one == NEVER or isinstance(other, MixedKind):
        return other
    if other == NEVER or isinstance(one, MixedKind):
        return one
    if (
        isinstance(one, TupleKind)
        and isinstance(other, TupleKind)
        and len(one.items) == len(other.items)
    ):
        return TupleKind(tuple(map(join, one.items, other.items)))
    return MixedKind(f"{describe(one)} or {describe(other)}, depending on the way taken")


def is_scalar(kind: Kind) -> bool:
    """Whether this is a set of Python's scalar types."""
    return isinstance(kind, int)


def is_set(kind: int) -> bool:
    """Whether a scalar may be of several types, and is so kept as a double and a tag."""
    return kind & (kind - 1) != 0


def is_integral(kind: Kind) -> bool:
    """Whether this is a bool or an int, whichever it is."""
    return isinstance(kind, int) and kind != NEVER and not kind & ~(BOOL | INT)


def storage(kind: Kind) -> tuple[Type, ...]:
    """The types of the locals in which a value of this kind is kept."""
    if isinstance(kind, int):
        if is_set(kind):
            return (Type.FLOAT, Type.INT)
        return {BOOL: (Type.BOOL,), INT: (Type.INT,), FLOAT: (Type.FLOAT,)}.get(kind, ())
    if isinstance(kind, TupleKind):
        return tuple(type_ for item in kind.items for type_ in storage(item))
    if isinstance(kind, RangeKind):
        return (Type.INT, Type.INT) + ((Type.INT,) if kind.step is None else ())
    return ()


_NAMES = {NONE: "None", BOOL: "bool", INT: "int", FLOAT: "float"}


def describe(kind: Kind) -> str:
    """A kind in words, for reports."""
    if isinstance(kind, int):
        return " or ".join(name for bit, name in _NAMES.items() if kind & bit) or "nothing"
    if isinstance(kind, TupleKind):
        return f"a tuple of {len(kind.items)}"
    if isinstance(kind, RangeKind):
        return "a range"
    if isinstance(kind, BufferKind):
        return "a buffer"
    if isinstance(kind, ObjectKind):
        return f"the {type(kind.value).__name__} {getattr(kind.value, '__name__', '')}".rstrip()
    return kind.why


def of_value(value: Any) -> Kind:
    """The kind of a constant; of exact types only, as subclasses may change every operation."""
    kind = {type(None): NONE, bool: BOOL, int: INT, float: FLOAT}.get(type(value))
    if kind is not None:
        return kind
    if type(value) is tuple:
        return TupleKind(tuple(map(of_value, value)))
    return ObjectKind(value)
