"""What is known of an offloaded function before its first call, and how its arguments are bound."""

from __future__ import annotations

import ast
import types
from typing import Any, NamedTuple, Optional

from iris.jit.describe import Body, PythonWorld, body_of
from iris.jit.refusal import Refusal, Unsupported
from iris.jit.unit import Described
from iris.jit.uses import container_params


class Plan(NamedTuple):
    """What is known of the function before its first call."""

    body: Body
    names: tuple[str, ...]
    """Its parameters, in the order of its code."""
    containers: frozenset[str]
    refusal: Optional[Refusal]
    reduction: Optional[str]


def plan_of(function: Any, return_type: Optional[str]) -> Plan:
    """Find out what can be known of a function without its arguments."""
    if not isinstance(function, types.FunctionType):
        foreign = Refusal(None, type(function).__name__, "only Python functions are compiled")
        return Plan(Body(None, None, frozenset(), foreign), (), frozenset(), foreign, None)
    body = body_of(function)
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    refusal: Optional[Refusal] = body.refusal
    if refusal is None and code.co_flags & 0x0C:
        refusal = Refusal(code.co_firstlineno, "function", "it takes any number of arguments")
    if refusal is not None or body.node is None:
        return Plan(body, names, frozenset(), refusal, None)
    described = Described(
        body.rewritten or function, body.node, return_type, function, body.forms
    )
    try:
        containers = container_params(described, PythonWorld().describe)
    except Unsupported as unsupported:
        return Plan(body, names, frozenset(), unsupported.refusal, None)
    return Plan(body, names, containers, None, _reduction(body.node))


def _reduction(node: ast.FunctionDef) -> Optional[str]:
    """The reduction that a function is, if its value is one."""
    last = node.body[-1]
    value = last.value if isinstance(last, ast.Return) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id if value.func.id in ("sum", "any", "all") else None
    return None


def bound_to(
    function: Any, names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Optional[list[Any]]:
    """The arguments in the order of the parameters; None where Python would raise."""
    code = function.__code__
    if not kwargs and len(args) == len(names) == code.co_argcount:
        return list(args)
    if len(args) > code.co_argcount:
        return None
    bound = dict(zip(names, args))
    for name, value in kwargs.items():
        if name in bound or name not in names[code.co_posonlyargcount :]:
            return None
        bound[name] = value
    defaults = function.__defaults__ or ()
    first = code.co_argcount - len(defaults)
    for at, name in enumerate(names):
        if name in bound:
            continue
        if first <= at < code.co_argcount:
            bound[name] = defaults[at - first]
        elif name in (function.__kwdefaults__ or {}) and at >= code.co_argcount:
            bound[name] = function.__kwdefaults__[name]
        else:
            return None
    return [bound[name] for name in names]
