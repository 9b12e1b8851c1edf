"""Which names a scope of Python binds, read off its tree.

`symtable` knows, but only of text. What is here errs towards "bound": a name that a
scope only declares (`global x`) counts too, because a form of that name must then not be taken for
the form.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Union

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
Comprehension = Union[ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)


def parameters(args: ast.arguments) -> list[str]:
    """The names of all parameters, in the order of a signature."""
    ordered = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    return [one.arg for one in ordered if one is not None]


def bound_by_function(node: Function) -> frozenset[str]:
    """The names that are local to a function, or that it declares global or nonlocal."""
    return frozenset(parameters(node.args)).union(_bound(node.body))


def bound_by_targets(node: Comprehension) -> frozenset[str]:
    """The names that a comprehension's `for` clauses bind; `:=` in it binds outside."""
    return frozenset(_bound(clause.target for clause in node.generators))


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                yield node.id
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
            waiting += node.decorator_list  # only what runs outside can bind outside
            waiting += _defaults(node.args) if isinstance(node, FUNCTIONS) else node.bases
            continue
        elif isinstance(node, ast.Lambda):
            waiting += _defaults(node.args)
            continue
        elif isinstance(node, COMPREHENSIONS):
            waiting += _walrus_targets(node)
            waiting.append(node.generators[0].iter)
            continue
        elif isinstance(getattr(node, "name", None), str):  # except ... as, and match patterns
            yield node.name  # type: ignore[attr-defined]
        elif isinstance(getattr(node, "rest", None), str):
            yield node.rest  # type: ignore[attr-defined]
        waiting += ast.iter_child_nodes(node)


def _defaults(args: ast.arguments) -> list[ast.expr]:
    return args.defaults + [one for one in args.kw_defaults if one is not None]


def _walrus_targets(node: ast.AST) -> list[ast.expr]:
    return [one.target for one in ast.walk(node) if isinstance(one, ast.NamedExpr)]
