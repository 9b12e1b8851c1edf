"""Finds the syntax tree of a function that already exists, and trusts it only with a proof.

A function object keeps no tree, only the name of a file and a line. What stands there now may be
another function: the file was edited, the function was made by `exec` or by a tool, another lambda
is on the same line. So each candidate at that line is compiled again, and it is the function's
tree only if it gives the same code in all that decides what the code does.

`linecache` is asked for the text, because doctest, IPython and importers of zip files hand their
sources to it; it also sees that a file has changed. Whatever is not found, or not proven, is
refused. `compile_function` is here for the proof, and for `desugar`, which needs the same door.
"""

from __future__ import annotations
import __future__

import ast
import copy
import linecache
import re
import types
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional, Union

from iris.jit.refusal import Unsupported

# A parsed file takes some hundred times the memory of its text, and is needed only while the
# functions of that file are met for the first time, which is mostly one file after the other.
FILES_MAX = 16

Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# The smallest flags (`nested_scopes` and the like) mean something else in `co_flags`.
_FUTURES = sum(
    {
        feature.compiler_flag
        for feature in (getattr(__future__, name) for name in __future__.all_feature_names)
        if feature.compiler_flag > 0xFFFF
    }
)
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_KINDS = {
    0x20: "generator function",
    0x80: "coroutine function",
    0x100: "generator-based coroutine",
    0x200: "asynchronous generator function",
}
_SHAPE = _VARARGS | _VARKEYWORDS | sum(_KINDS)
_SAME = (
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
)
_OUTSIDE = "__iris_outside"
_SELF = "__iris_self"
# Everything is parsed and compiled here a second time; its warnings were given the first time. They
# go by the name of the file, so this name and one filter keep them quiet. `catch_warnings` would
# change the filters of all threads and put back the wrong ones when two threads overlap.
_QUIET = "<a second look by iris.jit>"


class Source(NamedTuple):
    """The tree of a function, and what is needed to compile it, or a changed one, as it was."""

    node: ast.FunctionDef
    """Shared with every other finder of this file: never to be modified. A lambda stands here as
    a function named `<lambda>` that returns its expression."""
    filename: str
    first_line: int
    """Where the code object says that it begins: the first decorator, or the `def`. The line
    numbers of `node` are lines of the same file."""
    class_name: Optional[str]
    """The class whose body this stands in, however deep: `__x` means `_Class__x` there."""
    flags: int
    """The `from __future__` imports of the file, as `compile` takes them."""


class _Candidate(NamedTuple):
    node: Definition
    class_name: Optional[str]
    imported: frozenset[str]
    """What the file imports, outside of functions and classes."""


class _File(NamedTuple):
    lines: list[str]
    candidates: dict[int, list[_Candidate]]


# Invariant: at most FILES_MAX entries. Any thread may touch it: each step is one operation of the
# dict, and what two threads can do to each other is to parse the same file twice.
_files: dict[str, _File] = {}


def locate(fn: types.FunctionType) -> Source:
    """The syntax tree of a function.

    Reads the file of the function unless it is known already, so it may block as reading does;
    may be called from any thread.

    Raises:
        Unsupported: there is no text, or it is not (or not provably) that of this function, or
            the function is a generator or a coroutine.
    """
    code = fn.__code__
    line = code.co_firstlineno
    named = "lambda" if code.co_name == "<lambda>" else f"function {code.co_name}"
    for flag, kind in _KINDS.items():
        if code.co_flags & flag:
            raise Unsupported(line, kind, "its body runs in pieces; only plain functions compile")
    flags = code.co_flags & _FUTURES
    known = _candidates(code.co_filename, fn.__globals__, named, line)
    found = [
        one
        for one in known.get(line, ())
        if _name(one.node) == code.co_name and _proven(one, code, flags)
    ]
    if not found:
        raise Unsupported(
            line,
            named,
            f"source does not match: what {code.co_filename} has at this line compiles to other "
            "code; the file was changed after the import, or a tool has rewritten the function",
        )
    if len(found) > 1:
        raise Unsupported(
            line, named, f"source does not match: {len(found)} on this line have the same code"
        )
    node, class_name, _ = found[0]
    if isinstance(node, ast.Lambda):
        node = _as_function(node)
    assert isinstance(node, ast.FunctionDef)  # coroutines have left above
    return Source(node, code.co_filename, line, class_name, flags)


def compile_function(
    node: Definition,
    filename: str,
    *,
    flags: int,
    class_name: Optional[str],
    free: Iterable[str],
    qualname: str,
    imported: Iterable[str] = (),
) -> types.CodeType:
    """The code of one function, as its file would give it.

    Decorators, defaults and annotations belong to the surroundings and are left out.

    Args:
        flags, class_name: as in `Source`.
        free: the names (mangled, if `class_name` says so) that are variables of an enclosing
            function; `co_freevars` has those of them that the function uses.
        qualname: what tracebacks and the functions inside call it.
        imported: what the file imports; from CPython 3.11 on, a call of an attribute of these
            compiles to other code than a call of a method.
    """
    bare = copy.copy(node)
    bare.args = _bare_arguments(node.args)
    inside: ast.stmt
    if isinstance(bare, ast.Lambda):
        inside = ast.copy_location(ast.Expr(bare), node)
    else:
        # The code begins at the first decorator, so one stays to give the line; none is called.
        bare.decorator_list = [
            ast.copy_location(ast.Constant(None), one) for one in bare.decorator_list[:1]
        ]
        bare.returns = None
        if hasattr(bare, "type_params"):
            bare.type_params = []
        inside = bare
    depth = 2
    if class_name is not None:
        depth = 3
        (scope,) = ast.parse(f"class {class_name}: pass").body
        assert isinstance(scope, ast.ClassDef)
        scope.body, inside = [inside], scope
    free = frozenset(free)
    # What is defined here must be no variable of the function around it, unless it was one there:
    # a function that calls itself finds its name among the globals.
    path = [_OUTSIDE, "<locals>"]
    declared = ""
    if class_name is not None and class_name not in free:
        declared, path = f" global {class_name}\n", []
    if isinstance(bare, ast.FunctionDef) and bare.name not in free:
        bare.name = _SELF
    assigned = "".join(f" {name} = 0\n" for name in sorted(free))
    module = ast.parse(f"def {_OUTSIDE}():\n{declared}{assigned} pass")
    (outside,) = module.body
    assert isinstance(outside, ast.FunctionDef)
    outside.body.append(inside)
    module.body[:0] = [
        ast.copy_location(ast.Import([ast.alias(name, None)]), outside) for name in imported
    ]
    ast.fix_missing_locations(module)
    _silence()
    code: types.CodeType = compile(module, _QUIET, "exec", flags, dont_inherit=True)
    for _ in range(depth):
        (code,) = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    path += [one for one in (class_name, code.co_name) if one is not None]
    code = code.replace(co_name=_name(node))
    return _renamed(code, filename, ".".join(path), qualname)


def _silence() -> None:
    """Installs the filter for `_QUIET` unless it is there: each change makes Python forget which
    warnings it has shown."""
    pattern = re.escape(_QUIET)
    if not any(getattr(one[3], "pattern", None) == pattern for one in list(warnings.filters)):
        warnings.filterwarnings("ignore", module=pattern)


def mangled(name: str, class_name: Optional[str]) -> str:
    """The name that `name` stands for in the body of a class."""
    bare = (class_name or "").lstrip("_")
    if not bare or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    return f"_{bare}{name}"


def _same_code(one: types.CodeType, other: types.CodeType) -> bool:
    """Whether code does the same, whatever its file, lines and qualified names; `one` is ours."""
    return (
        all(getattr(one, name) == getattr(other, name) for name in _SAME)
        and one.co_flags & _SHAPE == other.co_flags & _SHAPE
        and getattr(one, "co_exceptiontable", b"") == getattr(other, "co_exceptiontable", b"")
        and _same_constant(one.co_consts, other.co_consts)
    )


def _same_constant(one: object, other: object) -> bool:
    """Whether two constants of code are the same, which `==` does not say of 0, 0.0 and -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, types.CodeType) and isinstance(other, types.CodeType):
        return _same_code(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same_constant, one, other))
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    if isinstance(one, str) and isinstance(other, str) and one.startswith(f"{_OUTSIDE}.<locals>."):
        return other.endswith(one[len(_OUTSIDE) :])  # a qualified name; before 3.11 a constant
    if isinstance(one, (float, complex)):
        return repr(one) == repr(other)
    return one == other


def _proven(one: _Candidate, code: types.CodeType, flags: int) -> bool:
    try:
        compiled = compile_function(
            one.node,
            code.co_filename,
            flags=flags,
            class_name=one.class_name,
            free=code.co_freevars,
            qualname=_OUTSIDE,
            imported=one.imported,
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return _same_code(compiled, code)


def _candidates(
    filename: str, names: dict[str, object], named: str, line: int
) -> dict[int, list[_Candidate]]:
    """Every function and lambda of a file, by the line where its code begins."""
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, names)
    if not lines:
        why = "its text is kept nowhere" if filename.startswith("<") else "the file cannot be read"
        raise Unsupported(line, named, f"no source: {filename}: {why}")
    known = _files.get(filename)
    if known is not None and known.lines == lines:
        return known.candidates
    _silence()
    try:
        tree = ast.parse("".join(lines), _QUIET)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise Unsupported(
            line, named, f"source does not match: {filename} is no Python any more: {why}"
        ) from error
    _files.pop(filename, None)
    for oldest in list(_files)[: max(0, len(_files) - FILES_MAX + 1)]:
        _files.pop(oldest, None)
    candidates = _collect(tree)
    _files[filename] = _File(list(lines), candidates)
    return candidates


def _collect(tree: ast.Module) -> dict[int, list[_Candidate]]:
    found: dict[int, list[_Candidate]] = {}
    imported = frozenset(_imported(tree))
    waiting: list[tuple[ast.AST, Optional[str]]] = [(tree, None)]
    while waiting:  # not recursive: a tree may be deeper than the stack
        node, class_name = waiting.pop()
        if isinstance(node, _DEFINITIONS):
            decorators = getattr(node, "decorator_list", None)
            line = decorators[0].lineno if decorators else node.lineno
            found.setdefault(line, []).append(_Candidate(node, class_name, imported))
        inner: set[int] = set()
        own = class_name
        if isinstance(node, ast.ClassDef):
            inner, own = set(map(id, node.body)), node.name
        waiting += [
            (child, own if id(child) in inner else class_name)
            for child in ast.iter_child_nodes(node)
        ]
    return found


def _imported(tree: ast.Module) -> list[str]:
    """The names that a file imports at its top level, also inside `if` and `try`."""
    names: list[str] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names += [(one.asname or one.name).partition(".")[0] for one in node.names]
        elif not isinstance(node, (*_DEFINITIONS, ast.ClassDef, ast.expr)):
            waiting += ast.iter_child_nodes(node)
    return [name for name in names if name != "*"]


def _renamed(code: types.CodeType, filename: str, old: str, new: str) -> types.CodeType:
    """The code with another file, and another beginning of qualified names, inside too."""
    consts: list[object] = []
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            consts.append(_renamed(one, filename, old, new))
        elif isinstance(one, str) and one.startswith(f"{old}."):  # before 3.11 they are constants
            consts.append(new + one[len(old) :])
        else:
            consts.append(one)
    called: Optional[str] = getattr(code, "co_qualname", None)
    if called is not None:
        since_311: dict[str, Any] = {"co_qualname": new + called[len(old) :]}
        code = code.replace(**since_311)
    return code.replace(co_consts=tuple(consts), co_filename=filename)


def _name(node: Definition) -> str:
    return "<lambda>" if isinstance(node, ast.Lambda) else node.name


def _as_function(node: ast.Lambda) -> ast.FunctionDef:
    (function,) = ast.parse("def f(): return").body
    assert isinstance(function, ast.FunctionDef)
    function.name = "<lambda>"
    function.args = node.args
    function.body = [ast.copy_location(ast.Return(node.body), node.body)]
    return ast.copy_location(function, node)


def _bare_arguments(args: ast.arguments) -> ast.arguments:
    bare = copy.copy(args)
    bare.posonlyargs = [_bare_argument(one) for one in args.posonlyargs]
    bare.args = [_bare_argument(one) for one in args.args]
    bare.kwonlyargs = [_bare_argument(one) for one in args.kwonlyargs]
    bare.vararg = args.vararg and _bare_argument(args.vararg)
    bare.kwarg = args.kwarg and _bare_argument(args.kwarg)
    bare.defaults = [ast.copy_location(ast.Constant(None), one) for one in args.defaults]
    bare.kw_defaults = [
        one and ast.copy_location(ast.Constant(None), one) for one in args.kw_defaults
    ]
    return bare


def _bare_argument(one: ast.arg) -> ast.arg:
    bare = copy.copy(one)
    bare.annotation = None
    return bare
