"""Programs written in another way that mean the same, for `test_metamorphic.py`.

Each rewriting takes a tree of a module and gives one whose function `f` must have the same results,
errors and stores on the same arguments, or None where there is nothing to rewrite.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, Optional

from .exercise import entry
from .program import Program
from .values import Call, Same, View

Rewriting = Callable[[Program], Optional[Program]]


def _parsed(program: Program) -> tuple[ast.Module, ast.FunctionDef]:
    module = ast.parse(program.source)
    return module, entry(module)


def _as(program: Program, module: ast.Module, calls: Optional[tuple[Call, ...]] = None) -> Program:
    source = ast.unparse(ast.fix_missing_locations(module)) + "\n"
    return Program(source, program.calls if calls is None else calls, program.features)


def _params(function: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*function.args.args, *function.args.kwonlyargs)]


def _locals(function: ast.FunctionDef) -> set[str]:
    return _stored(function)


def rename(program: Program) -> Optional[Program]:
    """Other names for all locals but the parameters: `y = x * 2` is `other_y = x * 2`."""
    module, function = _parsed(program)
    if "unbound" in program.features:
        return None  # the message of the error has the name
    names = _locals(function) - set(_params(function))
    if not names:
        return None
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in names:
            node.id = f"other_{node.id}"
    return _as(program, module)


def hoist(program: Program) -> Optional[Program]:
    """What a statement computes goes through a local: `y = x * 2` is `held1 = x * 2; y = held1`."""
    module, function = _parsed(program)
    count = 0

    class Hoist(ast.NodeTransformer):
        def _through_local(self, node: Any) -> Any:
            nonlocal count
            if node.value is None or isinstance(node.value, (ast.Name, ast.Constant, ast.Tuple)):
                return node
            count += 1
            name = f"held{count}"
            first = ast.Assign(targets=[ast.Name(name, ast.Store())], value=node.value)
            node.value = ast.Name(name, ast.Load())
            return [first, node]

        def visit_Return(self, node: ast.Return) -> Any:
            return self._through_local(node)

        def visit_Assign(self, node: ast.Assign) -> Any:
            return self._through_local(node)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
            self.generic_visit(node)
            return node

    Hoist().visit(function)
    return _as(program, module) if count else None


def if_true(program: Program) -> Optional[Program]:
    """Every plain statement inside an `if True`."""
    module, function = _parsed(program)
    count = 0
    for block in _blocks(function):
        for at, one in enumerate(block):
            if isinstance(one, (ast.Assign, ast.AugAssign, ast.Return)):
                block[at] = ast.If(test=ast.Constant(True), body=[one], orelse=[])
                count += 1
    return _as(program, module) if count else None


def _blocks(function: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    for node in list(ast.walk(function)):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block


def for_to_while(program: Program) -> Optional[Program]:
    """Loops over a range with a constant step as while loops that count by themselves."""
    module, function = _parsed(program)
    count = 0

    class ToWhile(ast.NodeTransformer):
        def visit_For(self, node: ast.For) -> Any:
            nonlocal count
            self.generic_visit(node)
            parts = _range_parts(node.iter)
            if parts is None or not isinstance(node.target, ast.Name):
                return node
            count += 1
            start, stop, step = parts
            lines = ast.parse(
                # The range makes an int of a bool.
                f"at{count}, end{count} = ({ast.unparse(start)}) + 0, {ast.unparse(stop)}\n"
                f"while at{count} {'<' if step > 0 else '>'} end{count}:\n"
                f" {node.target.id} = at{count}\n"
                f" at{count} += {step}"
            ).body
            loop = lines[-1]
            assert isinstance(loop, ast.While)
            loop.body += node.body
            loop.orelse = node.orelse
            return lines

        def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
            self.generic_visit(node)
            return node

    ToWhile().visit(function)
    return _as(program, module) if count else None


def _range_parts(node: ast.expr) -> Optional[tuple[ast.expr, ast.expr, int]]:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "range":
        return None
    args = node.args
    step = 1
    if len(args) == 3:
        try:
            step = ast.literal_eval(args[2])
        except ValueError:
            return None
    start = args[0] if len(args) > 1 else ast.Constant(0)
    return (start, args[min(1, len(args) - 1)], step) if step else None


def extract_helper(program: Program) -> Optional[Program]:
    """What statements compute from bound scalars becomes functions of their own."""
    module, function = _parsed(program)
    if "unbound" in program.features or "forms" in program.features:
        return None
    if function not in module.body:
        return None  # its cells are not seen from the module
    buffers = {
        _params(function)[at]
        for call in program.calls
        for at, one in enumerate(call.args)
        if not isinstance(one, (bool, int, float))
    }
    own = _locals(function) | set(_params(function))
    helpers: list[ast.stmt] = []
    for node, bound in _statements(function.body, set(_params(function))):
        value = getattr(node, "value", None)
        if not isinstance(value, (ast.BinOp, ast.IfExp, ast.Call, ast.Compare, ast.BoolOp)):
            continue
        named = [one for one in ast.walk(value) if isinstance(one, ast.Name)]
        names = {one.id for one in named}
        inner = {one.id for one in named if isinstance(one.ctx, ast.Store)}
        used = sorted((names & own) - inner)
        if names & buffers or not set(used) <= bound or len(helpers) >= 6:
            continue
        name = f"helper{len(helpers) + 1}"
        text = f"def {name}({', '.join(used)}):\n return {ast.unparse(value)}"
        helpers += ast.parse(text).body
        node.value = ast.parse(f"{name}({', '.join(used)})", mode="eval").body  # type: ignore[attr-defined]
    if not helpers:
        return None
    at = module.body.index(function)
    module.body[at:at] = helpers
    return _as(program, module)


def _statements(block: list[ast.stmt], bound: set[str]) -> Iterator[tuple[ast.stmt, set[str]]]:
    """All statements, each with the names that are certainly bound before it."""
    bound = set(bound)
    for one in block:
        yield one, bound
        if isinstance(one, (ast.If, ast.While, ast.For)):
            target = one.target if isinstance(one, ast.For) else None
            yield from _statements(one.body, bound | _stored(target))
            yield from _statements(one.orelse, bound)
        elif isinstance(one, (ast.Assign, ast.AugAssign)):
            bound |= _stored(one)


def _stored(node: Optional[ast.AST]) -> set[str]:
    return {
        one.id
        for one in (ast.walk(node) if node is not None else ())
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }


def permute_parameters(program: Program) -> Optional[Program]:
    """The required parameters the other way round."""
    module, function = _parsed(program)
    required = len(function.args.args) - len(function.args.defaults)
    if required < 2:
        return None
    calls = []
    for call in program.calls:
        if len(call.args) < required and call.args:
            return None
        if any(isinstance(one, (Same, View)) for one in call.args):
            continue
        args = (*reversed(call.args[:required]), *call.args[required:])
        calls.append(Call(args, call.kwargs, call.rebind))
    function.args.args[:required] = reversed(function.args.args[:required])
    return _as(program, module, tuple(calls))


REWRITINGS: dict[str, Rewriting] = {
    "rename": rename,
    "hoist": hoist,
    "if_true": if_true,
    "for_to_while": for_to_while,
    "extract_helper": extract_helper,
    "permute_parameters": permute_parameters,
}
