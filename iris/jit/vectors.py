"""Calls that stand for many: a buffer given where the function takes a number.

`fn(xs, 2.0)` with a buffer of numbers `xs` is `[fn(x, 2.0) for x in xs]`, as a buffer again. The
type of its items follows from the function alone, so that it depends on no value and is the same
for no items at all. And a function of several numbers takes them from one buffer of just as many.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any, Callable, NamedTuple, Optional

from iris.jit.arguments import classify, is_ndarray, view_of
from iris.jit.build import Built
from iris.jit.ir import FORMATS, Param
from iris.jit.kinds import BOOL, FLOAT, INT
from iris.jit.refusal import Unsupported

_DTYPES = {"d": "float64", "q": "int64", "B": "bool"}


class ElementWise(NamedTuple):
    """A call with a buffer for at least one scalar parameter."""

    values: list[Any]
    """All arguments; buffers as views."""
    vectors: list[int]
    """The indices of the parameters that are gone through."""
    params: list[Param]
    """What the function takes for one element."""
    as_ndarray: bool
    """Whether the result is an array of NumPy, because an argument is one."""


def element_wise(
    values: list[Any], names: tuple[str, ...], containers: frozenset[str]
) -> Optional[ElementWise]:
    """The call as one that goes through its elements, or None if it is none."""
    params: list[Param] = []
    vectors: list[int] = []
    given = list(values)
    for at, (name, value) in enumerate(zip(names, values)):
        found = classify(value, name in containers)
        if found is not None:
            params.append(found[0])
            continue
        view = None if name in containers or type(value) is bytes else view_of(value)
        if view is None:
            return None
        vectors.append(at)
        params.append(Param(FORMATS[view.format].type))
        given[at] = view.view
    as_ndarray = any(is_ndarray(values[at]) for at in vectors)
    return ElementWise(given, vectors, params, as_ndarray) if vectors else None


def packed_items(
    value: Any, names: tuple[str, ...], containers: frozenset[str], function: Any
) -> Optional[tuple[Any, ...]]:
    """The arguments that one buffer holds, for a function of several required numbers."""
    required = function.__code__.co_argcount - len(function.__defaults__ or ())
    if required < 2 or required != len(names) or containers or type(value) is bytes:
        return None
    view = view_of(value)
    if view is None or len(view.view) != required:
        return None
    return tuple(view.view.tolist())


def result_typecode(built: Built) -> str:
    """The items of the result, by what the function may return.

    Raises:
        Unsupported: None, a tuple or several types that are no numbers.
    """
    if any(one.writable for one in built.params):
        raise Unsupported(None, "element-wise call", "of a function that writes a buffer")
    kinds = 0
    for kind in built.kinds:
        if not isinstance(kind, int) or kind & ~(BOOL | INT | FLOAT):
            raise Unsupported(None, "element-wise call", "of a function that returns no number")
        kinds |= kind
    if kinds & FLOAT:
        return "d"
    return "q" if kinds & INT else "B"


def call_each(
    function: Callable[..., Any], shape: ElementWise, names: tuple[str, ...], typecode: str
) -> Any:
    """Call a function for each element.

    Raises:
        ValueError: the buffers are not of one length.
        OverflowError: a result does not fit into 64 bits.
    """
    first = shape.vectors[0]
    length = len(shape.values[first])
    for at in shape.vectors[1:]:
        if len(shape.values[at]) != length:
            raise ValueError(
                f"{names[first]} has {length} items and {names[at]} has {len(shape.values[at])}; "
                "buffers that are gone through together must be of one length"
            )
    rows = [
        (value.tolist() if at in shape.vectors else [value] * length)
        for at, value in enumerate(shape.values)
    ]
    results = [function(*row) for row in zip(*rows)]
    if typecode == "q":
        for index, result in enumerate(results):
            if not -(2**63) <= result < 2**63:
                raise OverflowError(f"result {result} at index {index} does not fit into 64 bits")
    if shape.as_ndarray:
        return sys.modules["numpy"].array(results, dtype=_DTYPES[typecode])
    return array(typecode, results)


