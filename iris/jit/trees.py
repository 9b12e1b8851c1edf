"""Makes and copies syntax trees; every node it makes has a place in the user's file."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import TypeVar

Sink = Callable[[ast.expr], list[ast.stmt]]
"""What is to become of a value."""

_Node = TypeVar("_Node", bound=ast.AST)


def copy_tree(node: _Node) -> _Node:
    """A copy of a tree that shares no node with it. `deepcopy` needs five times the stack."""
    parts: dict[str, object] = {
        name: getattr(node, name) for name in node._attributes if hasattr(node, name)
    }
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            parts[name] = [copy_tree(one) if isinstance(one, ast.AST) else one for one in value]
        else:
            parts[name] = copy_tree(value) if isinstance(value, ast.AST) else value
    return type(node)(**parts)


def function_of(text: str, place: ast.expr) -> ast.FunctionDef:
    """A function written as text, all of it placed at the line of the form it is for."""
    (made,) = ast.parse(text).body
    assert isinstance(made, ast.FunctionDef)
    for one in ast.walk(made):
        if "lineno" in one._attributes:
            ast.copy_location(one, place)
    return made


def names_in(trees: Iterable[ast.AST]) -> frozenset[str]:
    """Every name in some trees, bound or read."""
    return frozenset(
        one.id for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Name)
    )


def assigned_to(name: str) -> Sink:
    """Stores a value under a name."""
    return lambda value: [at(ast.Assign([ast.Name(name, ast.Store())], value), value)]


def call_of(name: str, arguments: list[ast.expr], place: ast.expr) -> ast.expr:
    """A call of what a name stands for."""
    return at(ast.Call(load(name), arguments, []), place)


def load(name: str) -> ast.Name:
    """A name that is read."""
    return ast.Name(name, ast.Load())


def at(node: _Node, place: ast.AST) -> _Node:
    """The node, where another one stands in the file."""
    return ast.copy_location(node, place)
