"""Expressions: from the syntax tree to what can be written (`scope.Lazy`).

Calls are in `calls`. An expression that can only raise becomes one that ends the call; one that is
outside the language is refused, and with it the whole signature. Longer than other modules, as the
kinds of expressions are one table, each with its few lines.
"""

from __future__ import annotations

import ast
import types
from typing import Any, Callable, Optional

from iris.jit import compare, operators
from iris.jit.calls import call
from iris.jit.emitter import Value
from iris.jit.ir import Compare, Opcode, Type
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    BufferKind,
    MixedKind,
    ObjectKind,
    TupleKind,
    describe,
    is_integral,
    is_scalar,
    join,
    of_value,
    storage,
)
from iris.jit.memory import item_kind, load
from iris.jit.names import MISSING
from iris.jit.refusal import Unsupported
from iris.jit.scope import Flow, Frame, Lazy
from iris.jit.stmt import OPERATORS, local_function
from iris.jit.unit import Unit, line_of
from iris.jit.values import Place, Val, fails, tuple_item, tuple_of

_FOLD: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "**": lambda x, y: x**y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "<<": lambda x, y: x << y,
    ">>": lambda x, y: x >> y,
}
_COMPARES = {
    ast.Eq: Compare.EQ,
    ast.NotEq: Compare.NE,
    ast.Lt: Compare.LT,
    ast.LtE: Compare.LE,
    ast.Gt: Compare.GT,
    ast.GtE: Compare.GE,
}
_INT_RANGE = range(-(2**63), 2**63)
# A shift or a power of constants can be of any size; beyond these it is not computed here.
_FOLD_EXPONENT_MAX = 4_096


def infer(unit: Unit, frame: Frame, node: ast.expr, flow: Flow) -> Lazy:
    """Follow an expression; what it reads is as `flow` has it now."""
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise Unsupported(line_of(node), _construct(node), "it is outside the language")
    lazy = handler(unit, frame, node, flow)
    line = line_of(node)
    if line is None:
        return lazy
    emit = lazy.emit

    def at_line() -> Val:
        unit.e.line = line
        return emit()

    return Lazy(lazy.kind, at_line, lazy._truth, lazy.const)


def _construct(node: ast.AST) -> str:
    """A node as a reader would call it."""
    words = {
        ast.ListComp: "list comprehension",
        ast.SetComp: "set comprehension",
        ast.DictComp: "dict comprehension",
        ast.GeneratorExp: "generator expression",
        ast.List: "list",
        ast.Dict: "dict",
        ast.Set: "set",
        ast.JoinedStr: "f-string",
        ast.Await: "await",
        ast.Yield: "yield",
        ast.YieldFrom: "yield from",
        ast.NamedExpr: "assignment expression",
        ast.Starred: "starred expression",
        ast.Slice: "slice",
    }
    return words.get(type(node), type(node).__name__)


def _constant(unit: Unit, frame: Frame, node: ast.Constant, flow: Flow) -> Lazy:
    value = node.value
    if type(value) is str:
        # Only `float("inf")` and the like take one.
        return Lazy(ObjectKind(value), lambda: Val(ObjectKind(value)), const=value)
    if type(value) not in (type(None), bool, int, float):
        raise Unsupported(line_of(node), f"constant {value!r:.40}", "it is no number")
    return _literal(unit, value, node)


def _literal(unit: Unit, value: Any, node: ast.AST) -> Lazy:
    """A constant, as long as it can be kept."""
    if type(value) is int and value not in _INT_RANGE:
        # It can still be folded with others; where it is needed itself, Python makes the call.
        return Lazy(INT, lambda: fails(unit.e, INT), const=value)
    return unit.literal(value)


def _name(unit: Unit, frame: Frame, node: ast.Name, flow: Flow) -> Lazy:
    owner = frame.owner(node.id)
    if owner is None:
        return unit.outside(frame, node.id, node)
    assert flow.env is not None
    variable = (owner, node.id)
    binding = flow.env.get(variable)
    if binding is None:
        # Unbound for sure.
        return Lazy(NEVER, lambda: fails(unit.e))
    if isinstance(binding.kind, MixedKind):
        raise Unsupported(line_of(node), f"variable {node.id}", f"it is {binding.kind.why}")
    known = binding
    if known.const is not MISSING and not known.maybe:
        return _literal(unit, known.const, node)
    if known.kind == NONE and not known.maybe:
        return Lazy(NONE, lambda: Val(NONE), const=None)
    return Lazy(known.kind, lambda: unit.storage.read(variable, known))


def _attribute(unit: Unit, frame: Frame, node: ast.Attribute, flow: Flow) -> Lazy:
    owner = unit.infer(frame, node.value, flow)
    if isinstance(owner.kind, ObjectKind) and isinstance(owner.kind.value, types.ModuleType):
        return unit.attribute(owner.kind.value, node.attr, node)
    raise Unsupported(
        line_of(node), f"attribute {node.attr}", f"it is one of {describe(owner.kind)}"
    )


def _tuple(unit: Unit, frame: Frame, node: ast.Tuple, flow: Flow) -> Lazy:
    items = [unit.infer(frame, item, flow) for item in node.elts]
    for item, one in zip(node.elts, items):
        if isinstance(one.kind, (BufferKind, ObjectKind)) or isinstance(item, ast.Starred):
            raise Unsupported(line_of(node), "tuple", f"it holds {describe(one.kind)}")
    kind = TupleKind(tuple(item.kind for item in items))
    if all(item.is_const for item in items):
        return unit.literal(tuple(item.const for item in items))
    return Lazy(kind, lambda: tuple_of([item.emit() for item in items]))


# Operators ----------------------------------------------------------------------------------


def _binary(unit: Unit, frame: Frame, node: ast.BinOp, flow: Flow) -> Lazy:
    op = OPERATORS[type(node.op)]
    if op not in _FOLD:
        raise Unsupported(line_of(node), "operator @", "it is outside the language")
    one = unit.infer(frame, node.left, flow)
    other = unit.infer(frame, node.right, flow)
    return binary(unit, op, one, other, node)


def binary(unit: Unit, op: str, one: Lazy, other: Lazy, node: ast.AST) -> Lazy:
    """Follow `one op other`."""
    for side in (one, other):
        if not is_scalar(side.kind):
            raise Unsupported(
                line_of(node), f"operator {op}", f"an operand is {describe(side.kind)}"
            )
    if one.is_const and other.is_const:
        folded = _fold(op, one.const, other.const)
        if of_value(folded) in (BOOL, INT, FLOAT):
            return _literal(unit, folded, node)
    is_pypy = unit.interpreter.is_pypy
    if op == "**" and type(other.const) is int and other.const in range(-64, 65):
        exponent = other.const
        kind: Any = operators.constant_power_kind(one.kind, exponent)
        return Lazy(kind, lambda: operators.constant_power(unit.e, one.emit(), exponent, is_pypy))
    kind = operators.binary_kind(op, one.kind, other.kind)

    def emit() -> Val:
        left = one.emit()
        return operators.binary(unit.e, op, left, other.emit(), is_pypy)

    return Lazy(kind, emit)


def _fold(op: str, one: Any, other: Any) -> Any:
    """The result of two constants, or None where it has to be left to the run."""
    if op in ("**", "<<") and type(other) is int and abs(other) > _FOLD_EXPONENT_MAX:
        return None
    try:
        return _FOLD[op](one, other)
    except (ArithmeticError, ValueError, TypeError):
        return None


def _unary(unit: Unit, frame: Frame, node: ast.UnaryOp, flow: Flow) -> Lazy:
    operand = unit.infer(frame, node.operand, flow)
    if isinstance(node.op, ast.Not):
        return negated(unit, operand)
    if not is_scalar(operand.kind):
        raise Unsupported(
            line_of(node), "unary operator", f"its operand is {describe(operand.kind)}"
        )
    if isinstance(node.op, ast.Invert):
        if type(operand.const) is int:
            return _literal(unit, ~operand.const, node)
        kind = operators.binary_kind("<<", operand.kind, INT)
        return Lazy(kind, lambda: operators.invert(unit.e, operand.emit()))
    kind = operators.negative_kind(operand.kind)
    minus = isinstance(node.op, ast.USub)
    if type(operand.const) in (bool, int, float):
        return _literal(unit, -operand.const if minus else +operand.const, node)
    write = operators.negative if minus else operators.positive
    return Lazy(kind, lambda: write(unit.e, operand.emit()))


def negated(unit: Unit, operand: Lazy) -> Lazy:
    """Follow `not operand`."""
    if operand.is_const:
        return unit.literal(not operand.const)

    def truth() -> Value:
        return unit.e.op(Opcode.NOT, operand.emit_truth(unit.e))

    return Lazy(BOOL, lambda: Val(BOOL, (truth(),)), truth)


def _bool_op(unit: Unit, frame: Frame, node: ast.BoolOp, flow: Flow) -> Lazy:
    is_and = isinstance(node.op, ast.And)
    values: list[Lazy] = []
    for operand in node.values:
        lazy = unit.infer(frame, operand, flow)
        values.append(lazy)
        if lazy.is_const and bool(lazy.const) is not is_and:
            break  # the rest is never evaluated
    # A constant that cannot decide is passed over.
    values = [
        one for at, one in enumerate(values) if not one.is_const or at == len(values) - 1
    ]
    if len(values) == 1:
        return values[0]
    kind = values[0].kind
    for one in values[1:]:
        kind = join(kind, one.kind)
    if not is_scalar(kind):
        raise Unsupported(line_of(node), "and/or", f"its result would be {describe(kind)}")

    def emit() -> Val:
        result = Place(unit.e, kind)
        _short_circuit(unit, values, is_and, result)
        return result.read(unit.e)

    def truth() -> Value:
        result = unit.e.local(Type.BOOL)
        _short_circuit_truth(unit, values, is_and, result)
        return unit.e.get(result)

    return Lazy(kind, emit, truth)


def _short_circuit(unit: Unit, values: list[Lazy], is_and: bool, result: Place) -> None:
    e = unit.e
    with e.block() as done:
        for one in values[:-1]:
            val = one.emit()
            result.write(e, val)
            decided = truth_of(unit, val)
            e.branch(done, e.op(Opcode.NOT, decided) if is_and else decided)
        result.write(e, values[-1].emit())


def truth_of(unit: Unit, val: Val) -> Value:
    """A value that has been written, as a condition."""
    return Lazy(val.kind, lambda: val).emit_truth(unit.e)


def _short_circuit_truth(unit: Unit, values: list[Lazy], is_and: bool, result: int) -> None:
    e = unit.e
    with e.block() as done:
        for one in values[:-1]:
            value = one.emit_truth(e)
            e.set(result, value)
            e.branch(done, e.op(Opcode.NOT, value) if is_and else value)
        e.set(result, values[-1].emit_truth(e))


def _compare(unit: Unit, frame: Frame, node: ast.Compare, flow: Flow) -> Lazy:
    operands = [unit.infer(frame, item, flow) for item in (node.left, *node.comparators)]
    for op, one, other in zip(node.ops, operands, operands[1:]):
        _check_comparable(op, one, other, node)
    folded = _fold_compare(node.ops, operands)
    if folded is not None:
        return unit.literal(folded)

    def truth() -> Value:
        e = unit.e
        left = operands[0].emit()
        if len(node.ops) == 1:
            return _compare_once(unit, node.ops[0], left, operands[1].emit())
        result = e.local(Type.BOOL)
        with e.block() as done:
            for op, operand in zip(node.ops, operands[1:]):
                right = operand.emit()
                value = _compare_once(unit, op, left, right)
                e.set(result, value)
                if operand is not operands[-1]:
                    e.branch(done, e.op(Opcode.NOT, value))
                left = right
        return e.get(result)

    return Lazy(BOOL, lambda: Val(BOOL, (truth(),)), truth)


def _check_comparable(op: ast.cmpop, one: Lazy, other: Lazy, node: ast.AST) -> None:
    if isinstance(op, (ast.Is, ast.IsNot)):
        if other.const is not None or not is_scalar(one.kind):
            raise Unsupported(line_of(node), "is", "only `is None` is in the language")
        return
    if isinstance(op, (ast.In, ast.NotIn)):
        raise Unsupported(line_of(node), "in", "it is outside the language")
    for side in (one, other):
        if not is_scalar(side.kind):
            raise Unsupported(line_of(node), "comparison", f"of {describe(side.kind)}")


def _fold_compare(ops: list[ast.cmpop], operands: list[Lazy]) -> Optional[bool]:
    """A comparison of two constants, where its result is known."""
    how = _COMPARES.get(type(ops[0]))
    one, other = operands[0], operands[1]
    if len(ops) != 1 or not (one.is_const and other.is_const):
        return None
    if how is None:
        return (one.const is None) is isinstance(ops[0], ast.Is)
    x, y = one.const, other.const
    try:
        return bool(
            {
                Compare.EQ: lambda: x == y,
                Compare.NE: lambda: x != y,
                Compare.LT: lambda: x < y,
                Compare.LE: lambda: x <= y,
                Compare.GT: lambda: x > y,
                Compare.GE: lambda: x >= y,
            }[how]()
        )
    except TypeError:
        return None


def _compare_once(unit: Unit, op: ast.cmpop, one: Val, other: Val) -> Value:
    if isinstance(op, (ast.Is, ast.IsNot)):
        value = compare.is_none(unit.e, one)
        return value if isinstance(op, ast.Is) else unit.e.op(Opcode.NOT, value)
    return compare.compare(unit.e, _COMPARES[type(op)], one, other)


def _if_exp(unit: Unit, frame: Frame, node: ast.IfExp, flow: Flow) -> Lazy:
    condition = unit.infer(frame, node.test, flow)
    if condition.is_const:
        return unit.infer(frame, node.body if condition.const else node.orelse, flow)
    one = unit.infer(frame, node.body, flow)
    other = unit.infer(frame, node.orelse, flow)
    return choose(unit, condition, one, other, node)


def choose(unit: Unit, condition: Lazy, one: Lazy, other: Lazy, node: ast.AST) -> Lazy:
    """Follow `one if condition else other`."""
    kind = join(one.kind, other.kind)
    if isinstance(kind, MixedKind):
        raise Unsupported(line_of(node), "conditional expression", f"it is {kind.why}")
    if not storage(kind) and not is_scalar(kind):
        # The same object either way.
        def object_either_way() -> Val:
            condition.emit_truth(unit.e)
            return Val(kind)

        return Lazy(kind, object_either_way)

    def emit() -> Val:
        e = unit.e
        result = Place(e, kind)
        with e.when(condition.emit_truth(e)):
            result.write(e, one.emit())
            e.otherwise()
            result.write(e, other.emit())
        return result.read(e)

    return Lazy(kind, emit)


def _subscript(unit: Unit, frame: Frame, node: ast.Subscript, flow: Flow) -> Lazy:
    owner = unit.infer(frame, node.value, flow)
    if isinstance(node.slice, ast.Slice):
        raise Unsupported(line_of(node), "slice", "only single items can be had")
    index = unit.infer(frame, node.slice, flow)
    if isinstance(owner.kind, BufferKind):
        buffer = owner.kind
        if not is_scalar(index.kind):
            raise Unsupported(line_of(node), "subscript", f"its index is {describe(index.kind)}")
        if not is_integral(index.kind):
            return Lazy(NEVER, lambda: fails(unit.e))
        return Lazy(item_kind(unit, buffer), lambda: load(unit, buffer, index.emit()))
    if isinstance(owner.kind, TupleKind):
        return _tuple_item(unit, owner, index, node)
    if isinstance(owner.kind, int):
        return Lazy(NEVER, lambda: fails(unit.e))
    raise Unsupported(line_of(node), "subscript", f"of {describe(owner.kind)}")


def _tuple_item(unit: Unit, owner: Lazy, index: Lazy, node: ast.AST) -> Lazy:
    assert isinstance(owner.kind, TupleKind)
    items = owner.kind.items
    if type(index.const) is not int:
        raise Unsupported(line_of(node), "subscript", "the index of a tuple must be a constant")
    if not -len(items) <= index.const < len(items):
        return Lazy(NEVER, lambda: fails(unit.e))
    at = index.const % len(items)
    if owner.is_const:
        return _literal(unit, owner.const[at], node)
    return Lazy(items[at], lambda: tuple_item(owner.emit(), at))


def _lambda(unit: Unit, frame: Frame, node: ast.Lambda, flow: Flow) -> Lazy:
    kind = local_function(unit, frame, node)
    return Lazy(kind, lambda: Val(kind))


_HANDLERS: dict[type[ast.AST], Callable[..., Lazy]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Tuple: _tuple,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _bool_op,
    ast.Compare: _compare,
    ast.IfExp: _if_exp,
    ast.Subscript: _subscript,
    ast.Call: call,
    ast.Lambda: _lambda,
}
