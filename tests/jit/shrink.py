"""Makes a failing program small.

Edits of the tree are tried one after another for as long as the failure stays: a statement goes, a
block takes the place of its loop, an expression becomes a part of itself or a constant. What bounds
a loop (a range, a counter `w...`, the first argument of a recursion) is only ever replaced by a
constant, and a candidate that still runs long is dropped.
"""

from __future__ import annotations

import ast
import copy
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Optional

from .exercise import containers, entry
from .forms import WHILES
from .oracle import plain
from .program import HEADER, Program
from .values import Buf, Call, Same, View

EDITS_MAX = 6_000
STEPS_MAX = 200_000
CONSTANTS = (0, 1, 0.0, 1.0, True)

Fails = Callable[[Program], bool]


def shrink(program: Program, fails: Fails) -> Program:
    """The smallest program found for which `fails` still says True."""
    left = [EDITS_MAX]

    def still(candidate: Program) -> bool:
        left[0] -= 1
        with warnings.catch_warnings():
            # Of edits that make no sense, such as 0[1].
            warnings.simplefilter("ignore", SyntaxWarning)
            return left[0] > 0 and _ends(candidate) and _says(fails, candidate)

    program = _fewer_calls(program, still)
    size = None
    while size != len(program.source) and left[0] > 0:
        size = len(program.source)
        program = _smaller_source(program, still)
        program = _simpler_values(program, still)
    program = _fewer_params(program, still)
    return _without_header(program, still)


def as_case(program: Program, note: str = "") -> str:
    """The program as text to paste into `cases.py`."""
    calls = "".join(f"        {_call_text(one)},\n" for one in program.calls)
    text = "\n".join(f"    {line}" if line else "" for line in program.source.splitlines())
    name = note or f"seed {program.seed}"
    return f'case(\n    "{name}",\n    """\n{text}\n    """,\n    [\n{calls}    ],\n)'


def _call_text(call: Call) -> str:
    parts = [f"({''.join(f'{one!r}, ' for one in call.args)})"]
    if call.kwargs:
        parts.append(f"kwargs={call.kwargs!r}")
    if call.rebind:
        parts.append(f"rebind={call.rebind!r}")
    return f"Call({', '.join(parts)})"


def _says(fails: Fails, candidate: Program) -> bool:
    try:
        return fails(candidate)
    except SyntaxError:
        return False
    except NameError:
        # The module itself no longer runs.
        return False


def _ends(program: Program) -> bool:
    """Whether it still means something, and every call ends within `STEPS_MAX` lines."""
    try:
        function = entry(ast.parse(program.source))
        names = [one.arg for one in function.args.args]
        used = containers(function)
        for call in program.calls:
            for name, value in {**dict(zip(names, call.args)), **call.kwargs}.items():
                # Not a container any more: its call would mean something else.
                if isinstance(value, (Buf, Same, View)) and name not in used:
                    return False
        module = plain(program.source)
    except Exception:
        return False
    steps = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps > STEPS_MAX:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    try:
        sys.settrace(trace)
        for call in program.calls:
            if module.call(call).result[0] is NameError:
                return False  # a definition went and its use stayed
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(before)
        module.close()
    return True


def _fewer_calls(program: Program, still: Fails) -> Program:
    for call in program.calls:
        candidate = Program(program.source, (call,), program.features, program.seed)
        if still(candidate):
            return candidate
    for at in reversed(range(len(program.calls))):
        calls = program.calls[:at] + program.calls[at + 1 :]
        candidate = Program(program.source, calls, program.features, program.seed)
        if calls and still(candidate):
            program = candidate
    return program


def _fewer_params(program: Program, still: Fails) -> Program:
    """Drop parameters of `f` that nothing needs."""
    at = 0
    while True:
        module = ast.parse(program.source)
        function = next(
            (n for n in ast.walk(module) if isinstance(n, ast.FunctionDef) and n.name == "f"), None
        )
        if function is None or at >= len(function.args.args) - len(function.args.defaults):
            return program
        if any(at >= len(call.args) for call in program.calls):
            return program
        del function.args.args[at]
        calls = tuple(
            Call(call.args[:at] + call.args[at + 1 :], call.kwargs, call.rebind)
            for call in program.calls
        )
        shared = any(isinstance(one, (Same, View)) for call in calls for one in call.args)
        candidate = Program(ast.unparse(module) + "\n", calls, program.features, program.seed)
        if not shared and still(candidate):
            program = candidate
        else:
            at += 1


# The source


def _smaller_source(program: Program, still: Fails) -> Program:
    """One pass over all edits, from the outermost inwards; a kept edit is followed by the next."""
    at = 0
    while True:
        module = ast.parse(program.source)
        edit = next((one for number, one in enumerate(_edits(module)) if number == at), None)
        if edit is None:
            return program
        edit()
        try:
            source = ast.unparse(ast.fix_missing_locations(module)) + "\n"
        except Exception:  # an edit made no sense
            at += 1
            continue
        candidate = Program(source, program.calls, program.features, program.seed)
        if source != program.source and len(source) <= len(program.source) and still(candidate):
            program = candidate
        else:
            at += 1


def _edits(module: ast.Module) -> Iterator[Callable[[], None]]:
    """All edits of a module; each is good for one use on this very tree."""
    for node in ast.walk(module):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield from _block_edits(block, name, isinstance(node, ast.Module))
    for node in ast.walk(module):
        if not isinstance(node, (ast.Module, ast.Import, ast.ImportFrom, ast.arguments)):
            yield from _expression_edits(node)


def _block_edits(block: list[Any], name: str, top: bool) -> Iterator[Callable[[], None]]:
    for at, one in reversed(list(enumerate(block))):
        if not _bounds(one):
            yield lambda at=at: _replace(
                block, at, [] if len(block) > 1 or name == "orelse" or top else [ast.Pass()]
            )
        for inside in ("body", "orelse"):
            lines = getattr(one, inside, None)
            if isinstance(lines, list) and lines and not isinstance(one, ast.FunctionDef):
                yield lambda at=at, lines=lines: _replace(block, at, lines)
        if isinstance(one, ast.Return) and isinstance(one.value, ast.Tuple):
            for item in one.value.elts:
                yield lambda one=one, item=item: setattr(one, "value", item)
        if isinstance(one, (ast.For, ast.While)) and one.orelse:
            yield lambda one=one: setattr(one, "orelse", [])
        if isinstance(one, ast.AugAssign) and not _bounds(one):
            plain_one = ast.Assign(targets=[one.target], value=one.value)
            yield lambda at=at, plain_one=plain_one: _replace(block, at, [plain_one])


def _replace(block: list[Any], at: int, by: list[Any]) -> None:
    block[at : at + 1] = by


def _expression_edits(node: ast.AST) -> Iterator[Callable[[], None]]:
    if isinstance(node, ast.While) and _named_w(node.test):
        return
    if _bounds(node) or (isinstance(node, ast.If) and _named_w(node.test)):
        return
    only_constants = isinstance(node, ast.Call) and _function(node) in ("range", *WHILES)
    for name, value in ast.iter_fields(node):
        if name in ("func", "targets", "target", "ctx", "generators", "keywords"):
            continue
        if isinstance(node, ast.FunctionDef):
            continue
        places = value if isinstance(value, list) else [value]
        for at, one in enumerate(places):
            if not isinstance(one, ast.expr) or isinstance(one, ast.GeneratorExp):
                continue

            def put(new: ast.expr, name: str = name, at: int = at, value: Any = value) -> None:
                if isinstance(value, list):
                    value[at] = new
                else:
                    setattr(node, name, new)

            parts = [] if only_constants else _parts(one)
            if isinstance(node, ast.Call) and _function(node) in WHILES and at < 4:
                continue
            for part in parts:
                yield lambda part=part, put=put: put(copy.deepcopy(part))
            if not isinstance(one, (ast.Constant, ast.Name)) or only_constants:
                for constant in CONSTANTS if not only_constants else (1, 2, 3):
                    if not isinstance(one, ast.Constant):
                        yield lambda constant=constant, put=put: put(ast.Constant(constant))


def _parts(node: ast.expr) -> list[ast.expr]:
    """The expressions directly inside this one."""
    if isinstance(node, ast.Call) and any(isinstance(one, ast.GeneratorExp) for one in node.args):
        return []
    return [
        one
        for one in ast.iter_child_nodes(node)
        if isinstance(one, ast.expr) and not (isinstance(node, ast.Call) and one is node.func)
    ]


def _function(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _named_w(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Name) and one.id[0] in "wk" for one in ast.walk(node)) or (
        isinstance(node, ast.Constant) and node.value is True
    )


def _bounds(node: ast.AST) -> bool:
    """Whether this statement counts a loop."""
    if isinstance(node, (ast.Assign, ast.AugAssign)):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return isinstance(target, ast.Name) and target.id[0] == "w"
    if isinstance(node, ast.If):
        return _named_w(node.test) and any(
            isinstance(one, (ast.Break, ast.Return)) for one in node.body
        )
    return False


def _without_header(program: Program, still: Fails) -> Program:
    for header in ("", "import math\n", "from math import e, inf, nan, pi, tau\n"):
        source = program.source.replace(HEADER, header)
        candidate = Program(source, program.calls, program.features, program.seed)
        if still(candidate):
            return candidate
    return program


# The calls


def _simpler_values(program: Program, still: Fails) -> Program:
    changed = True
    while changed:
        changed = False
        for calls in _simpler_calls(program.calls):
            candidate = Program(program.source, calls, program.features, program.seed)
            if still(candidate):
                program, changed = candidate, True
                break
    return program


def _simpler_calls(calls: tuple[Call, ...]) -> Iterator[tuple[Call, ...]]:
    for number, call in enumerate(calls):
        for at, value in enumerate(call.args):
            for simpler in _simpler(value):
                args = (*call.args[:at], simpler, *call.args[at + 1 :])
                new = Call(args, call.kwargs, call.rebind)
                yield (*calls[:number], new, *calls[number + 1 :])
        for name in call.rebind:
            rebind = {one: value for one, value in call.rebind.items() if one != name}
            yield (*calls[:number], Call(call.args, call.kwargs, rebind), *calls[number + 1 :])


def _simpler(value: Any) -> Iterator[Any]:
    if isinstance(value, Buf):
        if value.make != "range":
            for at in range(len(value.items)):
                yield Buf(value.make, value.items[:at] + value.items[at + 1 :])
    elif isinstance(value, (Same, View)) or value is None:
        return
    else:
        kind: Optional[type] = type(value)
        order = {bool: (False, True), int: (0, 1, 2), float: (0.0, 1.0, 2.0)}.get(kind, ())
        for one in order:
            if one == value and str(one) == str(value):
                return
            yield one
