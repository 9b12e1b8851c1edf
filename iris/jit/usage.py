"""Which calls in a tree are forms, and whether they are called as forms can be."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Optional

from iris.jit.forms import CONTROLS, FORMS, WHILE_FORMS
from iris.jit.refusal import Unsupported
from iris.jit.scopes import COMPREHENSIONS


class Frame:
    """A scope that is being rewritten."""

    def __init__(self, bound: Iterable[str]) -> None:
        self.bound = frozenset(bound)
        self.defs: list[ast.stmt] = []
        """To be placed first in this scope, or around it where a scope can hold no statement."""


class Usage:
    """The scopes around the place that is looked at, and the forms met so far."""

    def __init__(self, is_form: Callable[[str], bool]) -> None:
        self.forms: set[str] = set()
        self.frames: list[Frame] = []
        self._is_form = is_form
        self._names = 0

    def push(self, bound: Iterable[str]) -> Frame:
        """Enters a scope that binds these names."""
        self.frames.append(Frame(bound))
        return self.frames[-1]

    def pop(self) -> None:
        """Leaves the innermost scope."""
        self.frames.pop()

    def fresh(self, kind: str) -> str:
        """A name that nothing else in the function has."""
        self._names += 1
        return f"__iris_{kind}_{self._names}"

    def is_unbound(self, name: str) -> bool:
        """Whether a name of a form has no other meaning here."""
        if name not in FORMS or any(name in frame.bound for frame in self.frames):
            return False
        return self._is_form(name)

    def form_of(self, node: ast.AST) -> Optional[str]:
        """The form that an expression is a call of."""
        called = node.func if isinstance(node, ast.Call) else None
        return called.id if isinstance(called, ast.Name) and self.is_unbound(called.id) else None

    def arguments(self, node: ast.Call, form: str, count: int) -> list[ast.expr]:
        """What a form is called with; from here on it counts as used."""
        self.forms.add(form)
        starred = any(isinstance(one, ast.Starred) for one in node.args)
        if node.keywords or starred or len(node.args) != count:
            plural = "" if count == 1 else "s"
            raise misuse(node, form, f"takes exactly {count} argument{plural}, by position")
        return node.args

    def has_control(self, node: ast.AST) -> bool:
        """Whether a control stands in an expression that acts on the reduction around it."""
        waiting: list[ast.AST] = [node]
        while waiting:
            one = waiting.pop()
            form = self.form_of(one)
            if form in CONTROLS:
                return True
            if form not in WHILE_FORMS and not isinstance(one, (*COMPREHENSIONS, ast.Lambda)):
                waiting += ast.iter_child_nodes(one)
        return False


def misuse(node: ast.expr, form: str, reason: str) -> Unsupported:
    """The refusal of one call of a form."""
    return Unsupported(node.lineno, f"call of {form}", reason)
