"""Calls: of builtins, of `math`, of Python functions, as tables of what is known.

A callee is known by what it is, not by its name; that it still is the same is guarded. Whatever is
in no table and is no Python function is outside the language, and the caller with it, so that a
call is never begun in machine code and begun again in Python with its effect twice.
"""

from __future__ import annotations

import ast
from typing import Any, Callable, Optional, TypeVar

from iris.jit import operators
from iris.jit.compare import compare
from iris.jit.functions import LocalFunction, call_local, call_python
from iris.jit.ir import Compare, Opcode
from iris.jit.iteration import range_of
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    BufferKind,
    Kind,
    MixedKind,
    ObjectKind,
    RangeKind,
    TupleKind,
    describe,
    is_integral,
    is_scalar,
    join,
)
from iris.jit.mathcalls import call_math
from iris.jit.memory import length
from iris.jit.reduce import follow_any, follow_extreme, follow_sum, of_items, select
from iris.jit.refusal import Unsupported
from iris.jit.scope import Flow, Frame, Lazy
from iris.jit.sources import generator_source
from iris.jit.unit import Unit, line_of
from iris.jit.values import Val, exclude_none, fails, to_float, to_int, truth, tuple_of

_Entry = TypeVar("_Entry")


def call(unit: Unit, frame: Frame, node: ast.Call, flow: Flow) -> Lazy:
    """Follow a call."""
    callee = unit.infer(frame, node.func, flow)
    if not isinstance(callee.kind, ObjectKind):
        raise Unsupported(line_of(node), "call", f"of {describe(callee.kind)}")
    value = callee.kind.value
    name = _name_of(node, value)
    if any(isinstance(one, ast.Starred) for one in node.args) or any(
        one.arg is None for one in node.keywords
    ):
        raise Unsupported(line_of(node), f"call of {name}", "with * or **")
    reduction = _look_up(_REDUCTIONS, value)
    if reduction is not None and _is_reduction(value, node):
        return _reduce(unit, frame, node, flow, value)
    given = [unit.infer(frame, one, flow) for one in node.args]
    named = [(str(one.arg), unit.infer(frame, one.value, flow)) for one in node.keywords]
    if isinstance(value, LocalFunction):
        return call_local(unit, value, given, named, flow, node)
    setting = unit.setting(value)
    if setting is not None and not given and not named:
        return setting
    builtin = _look_up(_BUILTINS, value)
    if builtin is not None:
        _check_plain(given, named, name, node)
        return builtin(unit, given, node)
    known = call_math(unit, value, given, node) if not named else None
    if known is not None:
        return known
    described = unit.describe(value)
    if described is not None:
        return call_python(unit, described, given, named, flow, node)
    raise Unsupported(line_of(node), f"call of {name}", "it is outside the language")


def _name_of(node: ast.Call, value: Any) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return str(getattr(value, "__name__", getattr(node.func, "id", "a function")))


def _look_up(table: list[tuple[Any, _Entry]], value: Any) -> Optional[_Entry]:
    """By identity: an object of the user may be equal to anything, or not hashable."""
    for one, entry in table:
        if one is value:
            return entry
    return None


def _check_plain(given: list[Lazy], named: list[Any], name: str, node: ast.AST) -> None:
    if named:
        raise Unsupported(line_of(node), f"call of {name}", "with keyword arguments")
    for one in given:
        if isinstance(one.kind, (MixedKind, ObjectKind)) and not isinstance(one.const, str):
            raise Unsupported(line_of(node), f"call of {name}", f"with {describe(one.kind)}")


# Reductions ---------------------------------------------------------------------------------

_REDUCTIONS: list[tuple[Any, bool]] = [
    (sum, True),
    (any, True),
    (all, True),
    (min, False),
    (max, False),
]


def _is_reduction(value: Any, node: ast.Call) -> bool:
    """Whether this is over an iterable; `min(x, y)` is not."""
    return value in (sum, any, all) or len(node.args) == 1


def _reduce(unit: Unit, frame: Frame, node: ast.Call, flow: Flow, value: Any) -> Lazy:
    name = value.__name__
    limit = 2 if value is sum else 1
    starts = [one.value for one in node.keywords if one.arg == "start" and value is sum]
    if not node.args or len(node.args) + len(node.keywords) > limit:
        raise Unsupported(line_of(node), f"call of {name}", "its arguments do not fit")
    if len(starts) != len(node.keywords):
        raise Unsupported(line_of(node), f"call of {name}", "with keyword arguments")
    first = node.args[0]
    source = generator_source(unit, frame, first, flow)
    if source is None:
        iterable = unit.infer(frame, first, flow)
        if not isinstance(iterable.kind, (RangeKind, BufferKind)):
            raise Unsupported(line_of(node), f"call of {name}", f"over {describe(iterable.kind)}")
        source = of_items(unit, iterable, node)
    if value is sum:
        starts = [*node.args[1:], *starts]
        start = unit.infer(frame, starts[0], flow) if starts else unit.literal(0)
        if start.kind not in (INT, FLOAT):
            raise Unsupported(line_of(node), "call of sum", f"from {describe(start.kind)} on")
        return follow_sum(unit, frame, source, start, flow, node)
    if value is any or value is all:
        return follow_any(unit, source, flow, value is any)
    how = Compare.LT if value is min else Compare.GT
    return follow_extreme(unit, frame, source, flow, how, node)


# Builtins -----------------------------------------------------------------------------------


def _arity(given: list[Lazy], least: int, most: int, name: str, node: ast.AST) -> None:
    if not least <= len(given) <= most:
        raise Unsupported(line_of(node), f"call of {name}", f"with {len(given)} arguments")


def _scalars(given: list[Lazy], name: str, node: ast.AST) -> None:
    for one in given:
        if not is_scalar(one.kind):
            raise Unsupported(line_of(node), f"call of {name}", f"with {describe(one.kind)}")


def _abs(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 1, 1, "abs", node)
    _scalars(given, "abs", node)
    kind = operators.negative_kind(given[0].kind)
    return Lazy(kind, lambda: operators.absolute(unit.e, given[0].emit()))


def _extreme(how: Compare, name: str) -> Callable[[Unit, list[Lazy], ast.AST], Lazy]:
    def follow(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
        if len(given) < 2:
            raise Unsupported(line_of(node), f"call of {name}", f"with {len(given)} arguments")
        _scalars(given, name, node)
        kind: Kind = given[0].kind
        for one in given[1:]:
            kind = join(kind, one.kind)

        def emit() -> Val:
            first, *rest = [one.emit() for one in given]
            best, have = first, first.kind
            for val in rest:
                better = compare(unit.e, how, val, best)
                have = join(have, val.kind)
                best = select(unit, better, val, best, have)
            return best

        return Lazy(kind, emit)

    return follow


def _int(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 0, 1, "int", node)
    if not given:
        return unit.literal(0)
    _scalars(given, "int", node)
    return _number(unit, given[0], INT, lambda val: to_int(unit.e, val))


def _float(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 0, 1, "float", node)
    if not given:
        return unit.literal(0.0)
    if isinstance(node, ast.Call) and isinstance(given[0].const, str):
        try:
            return unit.literal(float(given[0].const))
        except ValueError:
            return Lazy(NEVER, lambda: fails(unit.e))
    _scalars(given, "float", node)
    return _number(unit, given[0], FLOAT, lambda val: to_float(unit.e, val))


def _number(unit: Unit, value: Lazy, kind: int, write: Callable[[Val], Val]) -> Lazy:
    """A conversion; of None it can only raise."""
    if not isinstance(value.kind, int) or not value.kind & ~NONE:
        return Lazy(NEVER, lambda: fails(unit.e))
    return Lazy(kind, lambda: write(value.emit()))


def _bool(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 0, 1, "bool", node)
    if not given:
        return unit.literal(False)
    value = given[0]
    if isinstance(value.kind, (BufferKind, RangeKind)):
        raise Unsupported(line_of(node), "call of bool", f"with {describe(value.kind)}")
    if value.is_const:
        return unit.literal(bool(value.const))
    return Lazy(
        BOOL,
        lambda: Val(BOOL, (truth(unit.e, value.emit()),)),
        lambda: value.emit_truth(unit.e),
    )


def _round(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 1, 2, "round", node)
    if len(given) == 2 and given[1].const is not None:
        raise Unsupported(line_of(node), "call of round", "to a number of digits")
    _scalars(given[:1], "round", node)

    def write(val: Val) -> Val:
        e = unit.e
        val = exclude_none(e, val)
        if is_integral(val.kind):
            return to_int(e, val)
        # Whole numbers of a set stay what they are.
        nearest = e.op(Opcode.FNEAREST, val.ids[0])
        return Val(INT, (e.checked(Opcode.F2I, nearest),))

    return _number(unit, given[0], INT, write)


def _divmod(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 2, 2, "divmod", node)
    _scalars(given, "divmod", node)
    one, other = given
    item = operators.binary_kind("//", one.kind, other.kind)

    def emit() -> Val:
        left = one.emit()
        return tuple_of(list(operators.both_divisions(unit.e, left, other.emit())))

    return Lazy(TupleKind((item, item)), emit)


def _pow(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 2, 2, "pow", node)
    return unit.binary("**", given[0], given[1], node)


def _len(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 1, 1, "len", node)
    kind = given[0].kind
    if isinstance(kind, BufferKind):
        buffer = kind
        return Lazy(INT, lambda: Val(INT, (length(unit, buffer),)))
    if isinstance(kind, TupleKind):
        return unit.literal(len(kind.items))
    if isinstance(kind, int):
        return Lazy(NEVER, lambda: fails(unit.e))
    raise Unsupported(line_of(node), "call of len", f"with {describe(kind)}")


def _each_then_fail(unit: Unit, given: list[Lazy]) -> Val:
    """A call that raises once its arguments are evaluated."""
    for one in given:
        one.emit()
    return fails(unit.e)


def _range(unit: Unit, given: list[Lazy], node: ast.AST) -> Lazy:
    _arity(given, 1, 3, "range", node)
    _scalars(given, "range", node)
    if not all(isinstance(one.kind, int) and one.kind & (BOOL | INT) for one in given):
        return Lazy(NEVER, lambda: _each_then_fail(unit, given))
    return range_of(unit, given)


_BUILTINS: list[tuple[Any, Callable[[Unit, list[Lazy], ast.AST], Lazy]]] = [
    (abs, _abs),
    (min, _extreme(Compare.LT, "min")),
    (max, _extreme(Compare.GT, "max")),
    (int, _int),
    (float, _float),
    (bool, _bool),
    (round, _round),
    (divmod, _divmod),
    (pow, _pow),
    (len, _len),
    (range, _range),
]
