"""Items of buffers: reading and writing them as Python would.

A buffer stays the parameter that it came as; what is done with it names that parameter.
"""

from __future__ import annotations

from iris.jit.emitter import Value
from iris.jit.ir import CHECKED, FORMATS, Format, Opcode, Param, Tag, Type
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    BufferKind,
    Kind,
    is_integral,
)
from iris.jit.unit import Unit
from iris.jit.values import Val, exclude_none, has_tag, integer, payload, truth

_KINDS = {Type.FLOAT: FLOAT, Type.INT: INT, Type.BOOL: BOOL}


def buffer_param(unit: Unit, buffer: BufferKind) -> Param:
    """What is known of a buffer."""
    return unit.entry_params[buffer.param]


def item_kind(unit: Unit, buffer: BufferKind) -> int:
    """The kind of the items of a buffer."""
    return _KINDS[FORMATS[buffer_param(unit, buffer).format].type]


def length(unit: Unit, buffer: BufferKind) -> Value:
    """How many items there are."""
    return unit.e.length(buffer.param)


def load_at(unit: Unit, buffer: BufferKind, index: Value) -> Val:
    """The item at an index that is known to be inside."""
    format_ = buffer_param(unit, buffer).format
    flags = CHECKED if format_ is Format.U64 else 0
    value = unit.e.op(Opcode.LOAD, unit.e.buffer(buffer.param), index, flags=flags)
    return Val(item_kind(unit, buffer), (value,))


def load(unit: Unit, buffer: BufferKind, index: Val) -> Val:
    """`buffer[index]`."""
    return load_at(unit, buffer, position(unit, buffer, index))


def position(unit: Unit, buffer: BufferKind, index: Val) -> Value:
    """An index as one that is inside; the call ends where there is no such item."""
    return unit.e.op(Opcode.INDEX, unit.e.buffer(buffer.param), integer(unit.e, index))


def can_store(unit: Unit, buffer: BufferKind, kind: Kind) -> bool:
    """Whether Python would ever accept a value of this kind."""
    wanted = FORMATS[buffer_param(unit, buffer).format].type
    if not isinstance(kind, int):
        return False
    if wanted is Type.INT:
        return bool(kind & (BOOL | INT))
    return wanted is Type.BOOL or bool(kind & (BOOL | INT | FLOAT))


def store_at(unit: Unit, buffer: BufferKind, index: Value, val: Val) -> None:
    """Write an item at an index that is known to be inside."""
    e = unit.e
    format_ = buffer_param(unit, buffer).format
    wanted = FORMATS[format_].type
    flags = 0
    if wanted is Type.BOOL:
        value = truth(e, val)
    elif wanted is Type.INT:
        val = exclude_none(e, val)
        if not is_integral(val.kind):
            e.fail_if(has_tag(e, val, Tag.FLOAT))
        value = integer(e, val)
        flags = 0 if format_ is Format.I64 else CHECKED
    else:
        value = payload(e, exclude_none(e, val))
    e.op(Opcode.STORE, e.buffer(buffer.param), index, value, flags=flags)
