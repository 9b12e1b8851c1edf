"""Statements: what each does to the variables, and how it is written.

Statements behind one that leaves are dropped, as they are never run. `raise` and a failed `assert`
end the call: Python then makes it again and raises. Longer than other modules, as the kinds of
statements are one table, each with its few lines.
"""

from __future__ import annotations

import ast
from typing import Any, Callable, Optional

from iris.jit.functions import LocalFunction
from iris.jit.ir import Opcode
from iris.jit.iteration import Exits, follow_items, follow_loop
from iris.jit.kinds import (
    BufferKind,
    ObjectKind,
    TupleKind,
    describe,
    is_integral,
    is_scalar,
)
from iris.jit.memory import can_store, item_kind, load_at, position, store_at
from iris.jit.refusal import Unsupported
from iris.jit.scope import Binding, Code, Flow, Frame, Lazy, assign, join_envs
from iris.jit.unit import Unit, line_of
from iris.jit.values import Val, tuple_item

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.MatMult: "@",
}
"""The operators of expressions and of augmented assignments, as the front end names them."""


def follow_block(unit: Unit, frame: Frame, statements: list[ast.stmt], flow: Flow) -> Code:
    """Follow statements one after the other."""
    codes: list[tuple[int, Code]] = []
    for one in statements:
        if not flow.is_reachable:
            break
        handler = _HANDLERS.get(type(one))
        if handler is None:
            raise Unsupported(line_of(one), _construct(one), "it is outside the language")
        codes.append((one.lineno, handler(unit, frame, one, flow)))

    def write() -> None:
        for line, code in codes:
            unit.e.line = line
            code()

    return write


def _construct(node: ast.stmt) -> str:
    words = {
        ast.With: "with statement",
        ast.Try: "try statement",
        ast.Import: "import",
        ast.ImportFrom: "import",
        ast.ClassDef: "class",
        ast.Global: "global statement",
        ast.Nonlocal: "nonlocal statement",
        ast.Delete: "del statement",
        ast.AsyncFor: "async for",
        ast.AsyncWith: "async with",
        ast.AsyncFunctionDef: "async function",
    }
    return words.get(type(node), f"{type(node).__name__.lower()} statement")


# Assignments --------------------------------------------------------------------------------


def follow_target(
    unit: Unit, frame: Frame, target: ast.expr, value: Lazy, flow: Flow
) -> Code:
    """Follow an assignment to one target."""
    if isinstance(target, ast.Name):
        if target.id not in frame.locals:
            raise Unsupported(line_of(target), f"variable {target.id}", "it is not local")
        return assign(lambda: unit.storage, flow, (frame, target.id), value)
    if isinstance(target, (ast.Tuple, ast.List)):
        return _unpack(unit, frame, target, value, flow)
    if isinstance(target, ast.Subscript):
        return _store(unit, frame, target, value, flow)
    raise Unsupported(line_of(target), "assignment", f"to a {type(target).__name__.lower()}")


def _unpack(
    unit: Unit, frame: Frame, target: Any, value: Lazy, flow: Flow
) -> Code:
    if any(isinstance(one, ast.Starred) for one in target.elts):
        raise Unsupported(line_of(target), "assignment", "to a starred target")
    if isinstance(value.kind, int):
        # Not iterable: Python raises.
        flow.leave()

        def fail() -> None:
            value.emit()
            unit.e.fail()

        return fail
    if not isinstance(value.kind, TupleKind):
        raise Unsupported(line_of(target), "unpacking", f"of {describe(value.kind)}")
    kinds = value.kind.items
    if len(kinds) != len(target.elts):
        flow.leave()
        return unit.e_fail
    held: list[Val] = []
    consts = value.const if value.is_const else None

    def item(at: int) -> Lazy:
        if consts is not None:
            return unit.literal_or_static(consts[at])
        return Lazy(kinds[at], lambda: tuple_item(held[-1], at))

    codes = [
        follow_target(unit, frame, one, item(at), flow) for at, one in enumerate(target.elts)
    ]

    def write() -> None:
        held.append(value.emit())
        for code in codes:
            code()
        held.pop()

    return write


def _store(
    unit: Unit, frame: Frame, target: ast.Subscript, value: Lazy, flow: Flow
) -> Code:
    buffer, index = _item_of_buffer(unit, frame, target, flow)
    if not can_store(unit, buffer, value.kind) or not is_integral(index.kind):
        # Python raises, whatever the value.
        def refuse() -> None:
            value.emit()
            unit.e.fail()

        flow.leave()
        return refuse
    unit.note_store(buffer)

    def write() -> None:
        val = value.emit()
        store_at(unit, buffer, position(unit, buffer, index.emit()), val)

    return write


def _item_of_buffer(
    unit: Unit, frame: Frame, target: ast.Subscript, flow: Flow
) -> tuple[BufferKind, Lazy]:
    owner = unit.infer(frame, target.value, flow)
    if not isinstance(owner.kind, BufferKind):
        raise Unsupported(line_of(target), "assignment", f"to an item of {describe(owner.kind)}")
    if isinstance(target.slice, ast.Slice):
        raise Unsupported(line_of(target), "assignment", "to a slice")
    index = unit.infer(frame, target.slice, flow)
    if not is_scalar(index.kind):
        raise Unsupported(line_of(target), "subscript", f"its index is {describe(index.kind)}")
    return owner.kind, index


def _assign(unit: Unit, frame: Frame, node: ast.Assign, flow: Flow) -> Code:
    value = unit.infer(frame, node.value, flow)
    if len(node.targets) == 1:
        return follow_target(unit, frame, node.targets[0], value, flow)
    held: list[Val] = []
    again = Lazy(value.kind, lambda: held[-1], const=value.const)
    codes = [
        follow_target(unit, frame, target, again, flow)
        for target in node.targets
        if flow.is_reachable
    ]

    def write() -> None:
        held.append(value.emit())
        for code in codes:
            code()
        held.pop()

    return write


def _annotated(unit: Unit, frame: Frame, node: ast.AnnAssign, flow: Flow) -> Code:
    if node.value is None:
        return _nothing
    value = unit.infer(frame, node.value, flow)
    return follow_target(unit, frame, node.target, value, flow)


def _augmented(unit: Unit, frame: Frame, node: ast.AugAssign, flow: Flow) -> Code:
    if isinstance(node.target, ast.Name):
        read = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
        operation = ast.copy_location(ast.BinOp(read, node.op, node.value), node)
        value = unit.infer(frame, operation, flow)
        return follow_target(unit, frame, node.target, value, flow)
    if not isinstance(node.target, ast.Subscript):
        raise Unsupported(line_of(node), "assignment", "to an attribute")
    buffer, index = _item_of_buffer(unit, frame, node.target, flow)
    if not is_integral(index.kind):
        flow.leave()
        return unit.e_fail
    # The index is evaluated once, then the item, then what is added.
    at: list[int] = []
    item = Lazy(item_kind(unit, buffer), lambda: load_at(unit, buffer, at[-1]))
    change = unit.infer(frame, node.value, flow)
    value = unit.binary(OPERATORS[type(node.op)], item, change, node)
    if not can_store(unit, buffer, value.kind):
        flow.leave()
        return unit.e_fail
    unit.note_store(buffer)

    def write() -> None:
        at.append(position(unit, buffer, index.emit()))
        store_at(unit, buffer, at[-1], value.emit())
        at.pop()

    return write


# Control ------------------------------------------------------------------------------------


def follow_if(
    unit: Unit,
    condition: Lazy,
    flow: Flow,
    then: Callable[[Flow], Code],
    orelse: Optional[Callable[[Flow], Code]] = None,
) -> Code:
    """Follow two ways, of which one is taken."""
    if condition.is_const:
        chosen = then if condition.const else orelse
        return _nothing if chosen is None else chosen(flow)
    one, other = flow.copy(), flow.copy()
    first = then(one)
    second = None if orelse is None else orelse(other)
    one_env, other_env = one.env, other.env
    joined = join_envs(one_env, other_env)
    flow.follow(joined)

    def write() -> None:
        e, storage = unit.e, unit.storage
        with e.when(condition.emit_truth(e)):
            first()
            storage.move(one_env, joined)
            e.otherwise()
            if second is not None:
                second()
            storage.move(other_env, joined)

    return write


def _if(unit: Unit, frame: Frame, node: ast.If, flow: Flow) -> Code:
    condition = unit.infer(frame, node.test, flow)
    return follow_if(
        unit,
        condition,
        flow,
        lambda now: unit.block(frame, node.body, now),
        (lambda now: unit.block(frame, node.orelse, now)) if node.orelse else None,
    )


def _orelse(unit: Unit, frame: Frame, body: list[ast.stmt]) -> Optional[Callable[[Flow], Code]]:
    return (lambda now: unit.block(frame, body, now)) if body else None


def _inside_loop(frame: Frame, exits: Exits, follow: Callable[[], Code]) -> Code:
    frame.loops.append(exits)
    try:
        return follow()
    finally:
        frame.loops.pop()


def _while(unit: Unit, frame: Frame, node: ast.While, flow: Flow) -> Code:
    def body(inner: Flow, exits: Exits) -> Code:
        return _inside_loop(frame, exits, lambda: unit.block(frame, node.body, inner))

    # A test that is false before the first pass is never made again.
    condition = unit.infer(frame, node.test, flow)
    if condition.is_const and not condition.const:
        return unit.block(frame, node.orelse, flow)
    return follow_loop(
        unit,
        flow,
        lambda now: unit.infer(frame, node.test, now),
        body,
        _orelse(unit, frame, node.orelse),
    )


def _for(unit: Unit, frame: Frame, node: ast.For, flow: Flow) -> Code:
    iterable = unit.infer(frame, node.iter, flow)

    def body(item: Lazy, inner: Flow, exits: Exits) -> Code:
        first = follow_target(unit, frame, node.target, item, inner)
        second = _inside_loop(frame, exits, lambda: unit.block(frame, node.body, inner))

        def write() -> None:
            first()
            second()

        return write

    if isinstance(iterable.kind, int):
        flow.leave()
        return unit.e_fail
    orelse = _orelse(unit, frame, node.orelse)
    return follow_items(unit, flow, iterable, line_of(node.iter), body, orelse)


def _break(unit: Unit, frame: Frame, node: ast.Break, flow: Flow) -> Code:
    return frame.loops[-1].follow_break(unit, flow)  # type: ignore[no-any-return]


def _continue(unit: Unit, frame: Frame, node: ast.Continue, flow: Flow) -> Code:
    return frame.loops[-1].follow_continue(unit, flow)  # type: ignore[no-any-return]


def _return(unit: Unit, frame: Frame, node: ast.Return, flow: Flow) -> Code:
    value = None if node.value is None else unit.infer(frame, node.value, flow)
    assert frame.on_return is not None
    return frame.on_return(value, flow, node)


def _expression(unit: Unit, frame: Frame, node: ast.Expr, flow: Flow) -> Code:
    if isinstance(node.value, ast.Constant):
        return _nothing
    if isinstance(node.value, ast.Yield):
        if frame.on_yield is None or node.value.value is None:
            raise Unsupported(line_of(node), "yield", "it is outside the language")
        return frame.on_yield(unit.infer(frame, node.value.value, flow), flow)
    value = unit.infer(frame, node.value, flow)

    def write() -> None:
        value.emit()

    return write


def _raise(unit: Unit, frame: Frame, node: ast.Raise, flow: Flow) -> Code:
    flow.leave()
    return unit.e_fail


def _assert(unit: Unit, frame: Frame, node: ast.Assert, flow: Flow) -> Code:
    condition = unit.infer(frame, node.test, flow)

    def write() -> None:
        unit.e.fail_if(unit.e.op(Opcode.NOT, condition.emit_truth(unit.e)))

    return write


def _function(unit: Unit, frame: Frame, node: ast.FunctionDef, flow: Flow) -> Code:
    if node.decorator_list:
        raise Unsupported(line_of(node), f"function {node.name}", "a nested one with decorators")
    assert flow.env is not None
    flow.env[frame, node.name] = Binding(local_function(unit, frame, node))
    return _nothing


def local_function(unit: Unit, frame: Frame, node: Any) -> ObjectKind:
    """A nested function as a value; the same one each time a loop is gone through."""
    key = (id(node), id(frame))
    found = unit.local_functions.get(key)
    if found is None:
        found = unit.local_functions[key] = ObjectKind(LocalFunction(node, frame))
    return found


def _pass(unit: Unit, frame: Frame, node: ast.stmt, flow: Flow) -> Code:
    return _nothing


def _nothing() -> None:
    """Write nothing."""


_HANDLERS: dict[type[ast.AST], Callable[..., Code]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Return: _return,
    ast.Expr: _expression,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.FunctionDef: _function,
    ast.Pass: _pass,
}
