"""Which parameters of a function are containers: those that it iterates, indexes or measures.

All others are scalars, and a buffer given for one of these means something else: a call for each
of its items. So this is decided by the source alone, before any argument has been seen.
"""

from __future__ import annotations

import ast
import types
from typing import Any, Callable, Optional

from iris.jit.functions import is_generator
from iris.jit.names import MISSING, find
from iris.jit.unit import Described

_MEASURES = ("len", "sum", "any", "all", "min", "max")


def container_params(
    described: Described, describe: Callable[[Any], Optional[Described]]
) -> frozenset[str]:
    """The names of the parameters that are containers."""
    return _Search(describe).of(described)


class _Search:
    """Follows a parameter into the functions that it is handed to."""

    def __init__(self, describe: Callable[[Any], Optional[Described]]) -> None:
        self._describe = describe
        self._found: dict[types.CodeType, frozenset[str]] = {}

    def of(self, described: Described) -> frozenset[str]:
        code = described.function.__code__
        known = self._found.get(code)
        if known is not None:
            return known
        # What a recursion asks of itself meanwhile.
        self._found[code] = frozenset()
        used: set[str] = set()
        nodes = list(ast.walk(described.node))
        local = {
            one.name: one
            for one in nodes
            if isinstance(one, ast.FunctionDef) and one is not described.node
        }
        for node in nodes:
            used.update(self._names(described, node, local))
        arguments = described.node.args
        params = {one.arg for one in (*arguments.posonlyargs, *arguments.args)}
        params.update(one.arg for one in arguments.kwonlyargs)
        self._found[code] = result = frozenset(_aliases(described.node, used) & params)
        return result

    def _names(
        self, described: Described, node: ast.AST, nested: dict[str, ast.FunctionDef]
    ) -> list[str]:
        if isinstance(node, ast.Subscript):
            return _name(node.value)
        if isinstance(node, (ast.For, ast.comprehension)):
            return _name(node.iter)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return []
        if node.func.id in _MEASURES:
            return _name(node.args[0]) if len(node.args) == 1 or node.func.id == "sum" else []
        return self._handed_on(described, node, nested)

    def _handed_on(
        self, described: Described, node: ast.Call, nested: dict[str, ast.FunctionDef]
    ) -> list[str]:
        """Arguments for containers of a function that is called."""
        assert isinstance(node.func, ast.Name)
        local = nested.get(node.func.id)
        if local is not None:
            # Handed to a nested function: the body is searched with the rest; here are its names.
            names = [one.arg for one in local.args.args]
            # Without itself: one that recurs is being searched already.
            others = {name: one for name, one in nested.items() if one is not local}
            parts = ast.walk(local)
            inside = {one for part in parts for one in self._names(described, part, others)}
            if is_generator(local):
                inside.update(names[:1])
            return _given_for(node, names, inside)
        value = find(described.function, node.func.id).read()
        callee = None if value is MISSING else self._describe(value)
        if callee is None:
            return []
        arguments = callee.node.args
        names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
        return _given_for(node, names, set(self.of(callee)))


def _given_for(node: ast.Call, names: list[str], wanted: set[str]) -> list[str]:
    found = [one for name, arg in zip(names, node.args) if name in wanted for one in _name(arg)]
    named = [_name(one.value) for one in node.keywords if one.arg in wanted]
    return found + [name for names_ in named for name in names_]


def _name(node: ast.expr) -> list[str]:
    return [node.id] if isinstance(node, ast.Name) else []


def _aliases(node: ast.FunctionDef, used: set[str]) -> set[str]:
    """The names that are used, and those that are only another name of them."""
    result = set(used)
    pairs = [
        (one.targets[0].id, one.value.id)
        for one in ast.walk(node)
        if isinstance(one, ast.Assign)
        and len(one.targets) == 1
        and isinstance(one.targets[0], ast.Name)
        and isinstance(one.value, ast.Name)
    ]
    for _ in pairs:
        result.update(value for name, value in pairs if name in result)
    return result
