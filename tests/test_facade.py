"""A facade hands on and does nothing else, so its classes can be read as a list of names.

Each public method of `Runtime` and `PyRuntime`, inherited ones included, has a docstring
and at most three statements besides it, nested ones counted; no loop and no try, which
are where a facade begins to decide things that belong into a part of their own.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Union

import pytest

import iris

STATEMENTS_MAX = 3

Method = Union[ast.FunctionDef, ast.AsyncFunctionDef]

# A comprehension is a loop too, only shorter.
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.comprehension)
# TryStar is there from 3.11 on.
TRIES = tuple(getattr(ast, name) for name in ("Try", "TryStar") if hasattr(ast, name))


def public_methods(facade: type) -> Iterator[tuple[str, Method]]:
    """All public methods of a class and its bases, as their sources say, with their places."""
    for cls in facade.__mro__[:-1]:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(definition, ast.ClassDef)
        for node in definition.body:
            is_method = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            if is_method and not node.name.startswith("_"):
                yield f"{cls.__module__}.{cls.__qualname__}.{node.name}", node


def complaints(where: str, method: Method) -> Iterator[str]:
    """What is wrong with one method of a facade."""
    inner = [node for statement in method.body for node in ast.walk(statement)]
    statements = sum(isinstance(node, ast.stmt) for node in inner)
    if ast.get_docstring(method):
        statements -= 1
    else:
        yield f"{where} has no docstring"
    if statements > STATEMENTS_MAX:
        yield f"{where} has {statements} statements, over {STATEMENTS_MAX}"
    if any(isinstance(node, LOOPS) for node in inner):
        yield f"{where} has a loop"
    if any(isinstance(node, TRIES) for node in inner):
        yield f"{where} has a try"


@pytest.mark.parametrize("facade", ["Runtime", "PyRuntime"])
def test_a_facade_only_delegates(facade: str) -> None:
    methods = list(public_methods(getattr(iris, facade)))
    assert methods, "a facade without methods is not what this test is for"
    found = [line for where, method in methods for line in complaints(where, method)]
    assert not found, "\n".join(found)


# The checker itself, on classes made up for it.


class Base:
    def undocumented(self) -> None: ...

    def looping(self) -> None:
        """Do something twice."""
        for _ in range(2):
            self.undocumented()

    def _private(self) -> None:
        while True:
            pass


class Derived(Base):
    def trying(self) -> None:
        """Try."""
        try:
            self.undocumented()
        finally:
            pass

    def long(self, n: int) -> int:
        """Nested statements count."""
        if n > 1:
            n += 1
            n += 2
        return n

    def listing(self) -> list[int]:
        """Loop in disguise."""
        return [n for n in range(3)]  # noqa: C416 (the loop is what is looked for)

    def delegating(self, n: int) -> int:
        """Be as a facade should be."""
        if n < 1:
            raise ValueError(n)
        return self.long(n)


def test_each_broken_rule_is_found() -> None:
    methods = public_methods(Derived)
    found = [line for where, method in methods for line in complaints(where, method)]
    assert [line.rpartition("Derived.")[2].rpartition("Base.")[2] for line in found] == [
        "trying has a try",
        "long has 4 statements, over 3",
        "listing has a loop",
        "undocumented has no docstring",
        "looping has a loop",
    ]
