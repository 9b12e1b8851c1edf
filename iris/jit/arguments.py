"""Arguments of a call: of which type each is, and the slots in which machine code gets them.

A type here is what a signature is made of: one letter for a scalar, a format for a container.
Whatever is of no such type is left to Python, untouched.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any, NamedTuple, Optional, Union

from iris.jit.ir import FORMATS, Format, Param, Type

_INT_LEAST, _INT_MOST = -(2**63), 2**63 - 1

SCALARS: dict[type, Type] = {float: Type.FLOAT, int: Type.INT, bool: Type.BOOL}

# Codes of `struct` by the size that this machine gives them.
_CODES: dict[str, Format] = {
    "d": Format.F64,
    "f": Format.F32,
    "?": Format.BOOL,
    "b": Format.I8,
    "B": Format.U8,
    **{
        code: {2: Format.I16, 4: Format.I32, 8: Format.I64}[size]
        for code in "hilqn"
        for size in [array(code if code != "n" else "l").itemsize]
    },
    **{
        code: {2: Format.U16, 4: Format.U32, 8: Format.U64}[size]
        for code in "HILQN"
        for size in [array(code if code != "N" else "L").itemsize]
    },
}


class View(NamedTuple):
    """A buffer that an argument gives."""

    view: memoryview
    format: Format


class Items(NamedTuple):
    """A list, a tuple or a range, converted."""

    items: Any
    """An `array.array`, or `bytes` for bools."""
    format: Format


Given = Union[float, int, bool, View, Items]


def scalar_type(value: Any) -> Optional[Type]:
    """The type of a scalar, by exact type; None for what is none or too large."""
    kind = SCALARS.get(type(value))
    if kind is Type.INT and not _INT_LEAST <= value <= _INT_MOST:
        return None
    return kind


def is_ndarray(value: Any) -> bool:
    """Whether this is exactly a NumPy array; NumPy is not imported for it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is getattr(numpy, "ndarray", None)


def view_of(value: Any) -> Optional[View]:
    """The buffer that an argument gives, if it is one-dimensional, contiguous and numeric.

    Of exact types only, because a subclass may index as it likes.
    """
    if type(value) not in (array, bytes, bytearray, memoryview) and not is_ndarray(value):
        return None
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError):
        return None
    code = view.format[1:] if view.format[:1] == "@" else view.format
    format_ = _CODES.get(code)
    if format_ is None or view.ndim != 1 or not view.c_contiguous:
        return None
    if view.itemsize != FORMATS[format_].item_bytes:
        return None
    return View(view, format_)


def items_of(value: Any) -> Optional[Items]:
    """A list, tuple or range whose items are all of one exact type, converted."""
    if type(value) is range:
        try:
            return Items(array("q", value), Format.I64)
        except OverflowError:
            return None
    if type(value) not in (list, tuple):
        return None
    items = tuple(value)
    types_ = set(map(type, items))
    if len(types_) > 1:
        return None
    if not items or types_ == {float}:
        return Items(array("d", items), Format.F64)
    if types_ == {bool}:
        return Items(bytes(items), Format.BOOL)
    if types_ != {int}:
        return None
    try:
        return Items(array("q", items), Format.I64)
    except OverflowError:
        return None


def classify(value: Any, is_container: bool) -> Optional[tuple[Param, Given]]:
    """What an argument is for a program, or None where Python has to take it."""
    if not is_container:
        type_ = scalar_type(value)
        return None if type_ is None else (Param(type_), value)
    given = view_of(value) or items_of(value)
    return None if given is None else (Param(Type.BUFFER, given.format), given)


def python_value(value: Any) -> Any:
    """An argument as Python code has to see it: an array of NumPy gives its Python scalars."""
    if is_ndarray(value):
        view = view_of(value)
        return value if view is None else view.view
    return value
