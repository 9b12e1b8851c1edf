"""Says which calls of a generated program have to run natively without a re-run.

A call is ordinary when plain Python raises nothing and no value on the way leaves what machine
code holds exactly. Whether that is so is found by running a copy of the program in which every
expression reports its value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Optional

from .forms import written_out
from .oracle import Module, Side, not_native_here
from .program import Program
from .values import Buf, Call, Same, View

# Of an int that a float stands beside; one limit serves all, since none comes near it by chance.
EXACT_MOST = 2**53 - 1


class _Watch:
    """Sees the values of one call."""

    def __init__(self) -> None:
        self.fine = True

    def value(self, value: Any) -> Any:
        """An expression has this value."""
        kind = type(value)
        if kind is int:
            if not -EXACT_MOST <= value <= EXACT_MOST:
                self.fine = False
        elif kind is complex:
            self.fine = False
        return value

    def power(self, base: Any, exponent: Any) -> Any:
        """An int to a negative power is a float, which code for ints leaves to Python."""
        if isinstance(base, int) and isinstance(exponent, int) and exponent < 0:
            self.fine = False
        return self.value(base**exponent)


class _Reporting(ast.NodeTransformer):
    """Wraps every expression that is read."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = []
        node.body = [self.visit(one) for one in node.body]
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if isinstance(node.target, ast.Name):
            left = ast.Name(node.target.id, ast.Load())
            value = ast.BinOp(left=left, op=node.op, right=node.value)
            return self.visit(ast.Assign(targets=[node.target], value=value))
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        node = super().generic_visit(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            return _call("seen_power", node.left, node.right)
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return _call("seen", node) if abs(node.value) > EXACT_MOST else node
        if isinstance(node, ast.Call) and _is_power(node):
            return _call("seen_power", *node.args)
        if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript, ast.Name)):
            context = getattr(node, "ctx", None)
            if not isinstance(context, (ast.Store, ast.Del)):
                return _call("seen", node)
        return node


def _is_power(node: ast.Call) -> bool:
    function = node.func
    if isinstance(function, ast.Call) and function.args:  # wrapped already
        function = function.args[0]
    return isinstance(function, ast.Name) and function.id == "pow" and len(node.args) == 2


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(name, ast.Load()), args=list(args), keywords=[])


def reporting(source: str) -> str:
    """The source with every expression reporting, the seed's forms written out."""
    module = ast.parse(written_out(source))
    module.body = [
        _Reporting().visit(one) if isinstance(one, ast.FunctionDef) else one for one in module.body
    ]
    return ast.unparse(ast.fix_missing_locations(module)) + "\n"


def must_be_native(program: Program, side: Side) -> Optional[Callable[[Call], bool]]:
    """The question for `compare`; None where nothing is asked of the whole program."""
    if side.jit is None or not side.jit.available() or not_native_here(program.features):
        return None
    watch = _Watch()
    names = {"seen": watch.value, "seen_power": watch.power}
    module = Module(reporting(program.source), lambda function: function, names=names)
    params, stored = _params_and_stored(program.source)

    def must(call: Call) -> bool:
        named = {**dict(zip(params, call.args)), **call.kwargs}
        if not all(_convertible(value, name in stored) for name, value in named.items()):
            return False
        if not all(_convertible(value, False) for value in call.rebind.values()):
            return False
        # Of two names of one object the other may be the one that is stored into.
        shared = bool(stored) and any(isinstance(one, Same) for one in call.args)
        if shared and not all(_convertible(one, True) for one in call.args):
            return False
        watch.fine = True
        return not module.call(call).raised and watch.fine

    return must


def _convertible(argument: Any, stored: bool) -> bool:
    """Whether native code can take this argument."""
    if isinstance(argument, (Same, View)):
        return True
    if not isinstance(argument, Buf):
        return type(argument) in (bool, float) or (
            type(argument) is int and abs(argument) <= EXACT_MOST
        )
    word = argument.make.partition(" ")[0]
    if stored and word in ("list", "tuple", "range", "bytes", "readonly"):
        return False  # Python's: it raises, or changes a list
    if word in ("list", "tuple") and len({type(item) for item in argument.items}) != 1:
        return False  # not of one kind, which an empty one does not show
    return all(abs(item) <= EXACT_MOST for item in argument.items if type(item) is int)


def _params_and_stored(source: str) -> tuple[list[str], set[str]]:
    """The parameters of `f`, and the names into which anything is stored by index."""
    module = ast.parse(source)
    function = entry(module)
    functions = {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    stored: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            stored |= {ast.unparse(node.value)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in functions:
            # The function may store into it.
            stored |= {ast.unparse(one) for one in node.args}
            stored |= {ast.unparse(one.value) for one in node.keywords}
    return [one.arg for one in function.args.args], stored


def entry(module: ast.Module) -> ast.FunctionDef:
    """The function `f`."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name == "f":
            return node
    raise LookupError("no function f")


def containers(function: ast.FunctionDef) -> set[str]:
    """The names that are iterated, indexed or measured."""
    found: set[ast.AST] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript):
            found.add(node.value)
        elif isinstance(node, (ast.For, ast.comprehension)):
            found.add(node.iter)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "len":
            found.update(node.args)
    return {node.id for node in found if isinstance(node, ast.Name)}
