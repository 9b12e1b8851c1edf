"""Finds the body of a Python function: its source, proven, with the special forms rewritten."""

from __future__ import annotations

import ast
import types
import weakref
from typing import Any, NamedTuple, Optional

from iris.jit.desugar import desugar, python_function, unbound_in
from iris.jit.loops import loop_limit
from iris.jit.refusal import Refusal, Unsupported
from iris.jit.source import locate
from iris.jit.unit import Described

OFFLOADED = "__iris_offloaded__"
"""The attribute by which an offloaded function is known."""


class Body(NamedTuple):
    """What a function is made of, or why that is not to be had."""

    rewritten: Optional[Any]
    """What runs in Python, where forms have been rewritten; None for the function itself, which
    nothing here may keep alive."""
    node: Optional[ast.FunctionDef]
    forms: frozenset[str]
    """Names that stand for forms; the body holds while none of them is bound."""
    refusal: Optional[Refusal]


class _Known(NamedTuple):
    code: types.CodeType
    body: Body


_known: weakref.WeakKeyDictionary[Any, _Known] = weakref.WeakKeyDictionary()


def body_of(function: types.FunctionType) -> Body:
    """The body of a function as its code is now; found once for each code."""
    known = _known.get(function)
    if known is not None and known.code is function.__code__:
        return known.body
    body = _find(function)
    _known[function] = _Known(function.__code__, body)
    return body


def _find(function: types.FunctionType) -> Body:
    try:
        found = desugar(locate(function), unbound_in(function))
        python = python_function(function, found)
    except Unsupported as unsupported:
        return Body(None, None, frozenset(), unsupported.refusal)
    rewritten = None if python is function else python
    return Body(rewritten, found.node, found.forms, None)


def forms_hold(function: types.FunctionType, forms: frozenset[str]) -> bool:
    """Whether the names of all forms still have no other meaning."""
    is_form = unbound_in(function)
    return all(map(is_form, forms))


def describe(value: Any) -> Optional[Described]:
    """The Python function behind a callable of the user; None where there is none.

    Raises:
        Unsupported: it is one, and its body is not to be had.
    """
    offloaded = getattr(value, OFFLOADED, None) if type(value) is types.FunctionType else None
    return_type = None
    if offloaded is not None:
        value, return_type = offloaded.function, offloaded.return_type
    if type(value) is not types.FunctionType:
        return None
    body = body_of(value)
    if body.forms and offloaded is None:
        # To a function that is not offloaded these names mean nothing: Python raises.
        assert body.node is not None
        raise Unsupported(
            body.node.lineno,
            f"call of {value.__name__}",
            "it uses names that only an offloaded function knows",
        )
    if body.node is None:
        assert body.refusal is not None
        line, construct, reason = body.refusal
        raise Unsupported(line, f"call of {value.__name__}", f"{construct}: {reason}")
    return Described(body.rewritten or value, body.node, return_type, value, body.forms)


class PythonWorld:
    """The callables of this process, as the front end asks for them."""

    def describe(self, value: Any) -> Optional[Described]:
        return describe(value)

    def is_setting(self, value: Any) -> bool:
        return value is loop_limit

