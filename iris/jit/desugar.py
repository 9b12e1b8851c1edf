"""Turns the lazy forms into ordinary Python, before anything else looks at a function.

    return sum_while(i, 0, i < n, i + 1, i * i)

becomes

    def __iris_form_1(i):
        __iris_n = 0
        __iris_s = 0
        while i < n:
            __iris_n += 1
            if __iris_n > __iris_loop_limit():
                raise __iris_LoopLimit("sum_while", __iris_n - 1)
            __iris_s += i * i
            i = i + 1
        return __iris_s
    return __iris_form_1(0)

and `sum(break_if(x > 9, x) for x in xs)` becomes `sum(__iris_form_1(xs))` over

    def __iris_form_1(__iris_it):
        for x in __iris_it:
            if x > 9:
                return
            yield x

The `def` comes first in the body of the function around the form. What it makes of a function is
both what the compiler reads and, by `python_function`, what runs where there is no machine code, so
that a form means the same either way. A function without forms stays the very object it is.

A name is a form only where it has no other meaning; whoever calls says what is bound outside of the
function. A form used wrongly is refused, the function is left alone, and the call of the unknown
name is then Python's NameError.
"""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Callable
from typing import NamedTuple

from iris.jit.forms import FORMS
from iris.jit.loops import limit_met, loop_limit
from iris.jit.refusal import Unsupported
from iris.jit.rewrite import Rewriter
from iris.jit.source import Source, compile_function, mangled
from iris.jit.trees import copy_tree

# Cells of the rewritten function: its globals are the user's and get nothing added.
HELPERS: dict[str, Callable[..., object]] = {
    "__iris_loop_limit": loop_limit,
    "__iris_LoopLimit": limit_met,
}



_KEPT = (
    "__kwdefaults__",
    "__annotations__",
    "__doc__",
    "__module__",
    "__qualname__",
    "__type_params__",
)


class Desugared(NamedTuple):
    """A function without forms."""

    node: ast.FunctionDef
    """The source's own node if nothing has changed; either way not to be modified."""
    forms: frozenset[str]
    """The names that were taken for forms: the result holds while none of them is bound."""
    changed: bool
    source: Source


def unbound_in(fn: types.FunctionType) -> Callable[[str], bool]:
    """Says of a name that neither a closure nor a global nor a builtin of the function has it."""
    known = fn.__globals__.get("__builtins__", builtins)
    names = known if isinstance(known, dict) else vars(known)

    def is_form(name: str) -> bool:
        return not (name in fn.__code__.co_freevars or name in fn.__globals__ or name in names)

    return is_form


def desugar(source: Source, is_form: Callable[[str], bool]) -> Desugared:
    """Rewrites the forms of a function.

    Args:
        is_form: whether a name has no meaning outside of the function, as `unbound_in` says it.

    Raises:
        Unsupported: a form is used in a way that has no meaning.
    """
    node = source.node
    if not any(
        isinstance(one, ast.Name) and one.id in FORMS and is_form(one.id)
        for statement in node.body
        for one in ast.walk(statement)
    ):
        return Desugared(node, frozenset(), False, source)
    rewriter = Rewriter(is_form)
    try:
        node = copy_tree(node)
        rewriter.rewrite_body(node)
    except RecursionError as error:
        raise Unsupported(node.lineno, "expression", "nested too deeply to be read") from error
    if not rewriter.forms:
        return Desugared(source.node, frozenset(), False, source)
    return Desugared(ast.fix_missing_locations(node), rewriter.forms, True, source)


def python_function(fn: types.FunctionType, desugared: Desugared) -> types.FunctionType:
    """The rewritten function for Python: `fn` in all but its body; `fn` itself if unchanged.

    Raises:
        Unsupported: Python cannot compile it, as its functions are nested too deeply.
    """
    if not desugared.changed:
        return fn
    source = desugared.source
    helpers = {mangled(name, source.class_name): value for name, value in HELPERS.items()}
    old = fn.__code__
    try:
        code = compile_function(
            desugared.node,
            source.filename,
            flags=source.flags,
            class_name=source.class_name,
            free=[*old.co_freevars, *helpers],
            qualname=getattr(old, "co_qualname", fn.__qualname__),
        )
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise Unsupported(source.first_line, "forms", f"nested too deeply: {error}") from error
    cells = dict(zip(old.co_freevars, fn.__closure__ or ()))
    for name, value in helpers.items():
        cells[name] = types.CellType(value)
    made = types.FunctionType(
        code,
        fn.__globals__,
        fn.__name__,
        fn.__defaults__,
        tuple(cells[name] for name in code.co_freevars) or None,  # PyPy takes no empty one
    )
    for name in _KEPT:
        if hasattr(fn, name):
            setattr(made, name, getattr(fn, name))
    made.__dict__.update(fn.__dict__)
    return made


