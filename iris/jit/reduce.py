"""`sum`, `any`, `all`, `min` and `max` over what yields values, one after the other.

What yields is a generator expression, a nested generator function (which the seed's forms become),
or anything that `for` can go over. All three end in a call of `on_yield`.
"""

from __future__ import annotations

import ast
from typing import Callable, Optional

from iris.jit import operators
from iris.jit.compare import compare
from iris.jit.emitter import Label, Value
from iris.jit.ir import Compare, Opcode, Tag, Type
from iris.jit.iteration import Exits, follow_items
from iris.jit.kinds import BOOL, FLOAT, INT, NEVER, Kind, describe, is_scalar, join
from iris.jit.refusal import Unsupported
from iris.jit.scope import Binding, Code, Flow, Frame, Lazy, Variable
from iris.jit.unit import Unit, line_of
from iris.jit.values import Val, convert, fails, has_tag, payload

OnYield = Callable[[Lazy, Flow], Code]
Source = Callable[[Flow, OnYield], Code]
"""Follows all that yields, with what is done with each value."""


def of_items(unit: Unit, iterable: Lazy, node: ast.AST) -> Source:
    """The items of a range or a buffer."""

    def follow(flow: Flow, on_yield: OnYield) -> Code:
        def body(item: Lazy, inner: Flow, exits: Exits) -> Code:
            return on_yield(item, inner)

        return follow_items(unit, flow, iterable, line_of(node), body)

    return follow


def of_expression(
    unit: Unit,
    frame: Frame,
    node: ast.GeneratorExp,
    follow_target: Callable[[Unit, Frame, ast.expr, Lazy, Flow], Code],
    follow_if: Callable[[Unit, Lazy, Flow, Callable[[Flow], Code]], Code],
) -> Source:
    """The values of a generator expression. Its first iterable belongs to the frame around it."""
    names = {
        one.id
        for clause in node.generators
        for one in ast.walk(clause.target)
        if isinstance(one, ast.Name)
    }
    inside = Frame(frame.function, node, frozenset(names), frame)

    def follow(flow: Flow, on_yield: OnYield) -> Code:
        def clause(at: int, now: Flow) -> Code:
            if at == len(node.generators):
                return on_yield(unit.infer(inside, node.elt, now), now)
            generator = node.generators[at]
            if generator.is_async:
                raise Unsupported(line_of(node), "async for", "it is outside the language")
            iterable = unit.infer(frame if at == 0 else inside, generator.iter, now)

            def conditions(left: list[ast.expr], then: Flow) -> Code:
                if not left:
                    return clause(at + 1, then)
                condition = unit.infer(inside, left[0], then)
                return follow_if(unit, condition, then, lambda more: conditions(left[1:], more))

            def body(item: Lazy, inner: Flow, exits: Exits) -> Code:
                first = follow_target(unit, inside, generator.target, item, inner)
                second = conditions(generator.ifs, inner)

                def write() -> None:
                    first()
                    second()

                return write

            return follow_items(unit, now, iterable, line_of(generator.iter), body)

        return clause(0, flow)

    return follow


class _Accumulator:
    """What a reduction has so far: a variable that no source can name."""

    __slots__ = ("unit", "variable")

    def __init__(self, unit: Unit, frame: Frame, name: str) -> None:
        own = Frame(frame.function, frame.node, frozenset((name,)), None)
        self.unit = unit
        self.variable: Variable = (own, name)

    def binding(self, flow: Flow) -> Optional[Binding]:
        assert flow.env is not None
        return flow.env.get(self.variable)

    def bind(self, flow: Flow, kind: Kind) -> None:
        assert flow.env is not None
        flow.env[self.variable] = Binding(kind)

    def read(self, kind: Kind) -> Val:
        return self.unit.storage.place(self.variable, kind).read(self.unit.e)

    def write(self, kind: Kind, val: Val) -> None:
        self.unit.storage.place(self.variable, kind).write(self.unit.e, val)


def follow_sum(
    unit: Unit, frame: Frame, source: Source, start: Lazy, flow: Flow, node: ast.AST
) -> Lazy:
    """Follow `sum(source, start)`.

    CPython from 3.12 on corrects sums of floats: A. Neumaier, "Rundungsfehleranalyse einiger
    Verfahren zur Summation endlicher Summen", ZAMM 54, 1974. The correction is for floats added
    to a float; what is added before the first float, and ints, are not corrected.
    """
    total = _Accumulator(unit, frame, "sum")
    inner = flow.copy()
    total.bind(inner, start.kind)
    lost = [-1]  # the local of the correction; known when it is written
    compensates = unit.interpreter.compensates_sums

    def on_yield(value: Lazy, now: Flow) -> Code:
        have = total.binding(now)
        assert have is not None
        kind = operators.binary_kind("+", have.kind, value.kind)
        if not is_scalar(value.kind):
            raise Unsupported(line_of(node), "sum", f"of {describe(value.kind)}")
        total.bind(now, kind)

        def write() -> None:
            before, item = total.read(have.kind), value.emit()
            after = operators.binary(unit.e, "+", before, item, unit.interpreter.is_pypy)
            if compensates and FLOAT & int(have.kind) & int(value.kind):  # type: ignore[arg-type]
                _correct(unit, lost[0], before, item, after)
            total.write(kind, after)

        return write

    code = source(inner, on_yield)
    end = inner.env
    # It never ends where what it goes over raises.
    kind = NEVER if end is None else end[total.variable].kind

    def emit() -> Val:
        e = unit.e
        total.write(start.kind, start.emit())
        if compensates:
            lost[0] = e.local(Type.FLOAT)
            e.set(lost[0], e.const_float(0.0))
        code()
        if kind == NEVER:
            return fails(e)
        result = total.read(kind)
        if compensates and isinstance(kind, int) and kind & FLOAT:
            result = _corrected(unit, lost[0], result)
        return result

    return Lazy(kind, emit)


def _correct(unit: Unit, lost: int, before: Val, item: Val, after: Val) -> None:
    """Note what an addition of two floats has lost."""
    e = unit.e
    x, y, total = payload(e, before), payload(e, item), payload(e, after)
    larger = e.fcmp(Compare.GE, e.op(Opcode.FABS, x), e.op(Opcode.FABS, y))
    one = e.op(Opcode.FADD, e.op(Opcode.FSUB, x, total), y)
    other = e.op(Opcode.FADD, e.op(Opcode.FSUB, y, total), x)
    have = e.get(lost)
    more = e.op(Opcode.FADD, have, e.op(Opcode.SELECT, larger, one, other))
    for val in (before, item):
        if val.kind != FLOAT:
            more = e.op(Opcode.SELECT, has_tag(e, val, Tag.FLOAT), more, have)
    e.set(lost, more)


def _corrected(unit: Unit, lost: int, result: Val) -> Val:
    """A sum with its correction, unless that is infinite or nan."""
    e = unit.e
    correction = e.get(lost)
    wanted = e.op(
        Opcode.AND,
        operators.is_finite(e, correction),
        e.fcmp(Compare.NE, correction, e.const_float(0.0)),
    )
    value = payload(e, result)
    value = e.op(Opcode.SELECT, wanted, e.op(Opcode.FADD, value, correction), value)
    return Val(result.kind, (value, *result.ids[1:]))


def follow_any(unit: Unit, source: Source, flow: Flow, is_any: bool) -> Lazy:
    """Follow `any(source)` or `all(source)`: nothing is taken after the one that decides."""
    inner = flow.copy()
    # The local of the result, and what to leave once it is decided.
    result, done = [-1], [Label(0)]

    def on_yield(value: Lazy, now: Flow) -> Code:
        def write() -> None:
            e = unit.e
            hit = value.emit_truth(e)
            with e.when(hit if is_any else e.op(Opcode.NOT, hit)):
                e.set(result[0], e.const_bool(is_any))
                e.branch(done[0])

        return write

    code = source(inner, on_yield)

    def truth() -> Value:
        e = unit.e
        result[0] = e.local(Type.BOOL)
        e.set(result[0], e.const_bool(not is_any))
        with e.block() as done[0]:
            code()
        return e.get(result[0])

    return Lazy(BOOL, lambda: Val(BOOL, (truth(),)), truth)


def follow_extreme(
    unit: Unit, frame: Frame, source: Source, flow: Flow, how: Compare, node: ast.AST
) -> Lazy:
    """Follow `min(source)` or `max(source)`: the first that none of the later ones beats."""
    best = _Accumulator(unit, frame, "best")
    inner = flow.copy()

    def on_yield(value: Lazy, now: Flow) -> Code:
        have = best.binding(now)
        if not is_scalar(value.kind):
            raise Unsupported(line_of(node), "min or max", f"of {describe(value.kind)}")
        kind = value.kind if have is None else join(have.kind, value.kind)
        best.bind(now, kind)

        def write() -> None:
            e = unit.e
            item = value.emit()
            if have is not None:
                before = best.read(have.kind)
                better = compare(e, how, item, before)
                if have.maybe:
                    empty = e.op(Opcode.NOT, e.get(unit.storage.bound(best.variable)))
                    better = e.op(Opcode.OR, better, empty)
                item = select(unit, better, item, before, kind)
            best.write(kind, item)

        return write

    code = source(inner, on_yield)
    # Nothing at all is yielded, or what it goes over raises: either way Python raises.
    none = Binding(INT, True)
    binding = none if inner.env is None else inner.env.get(best.variable, none)

    def emit() -> Val:
        unit.e.set(unit.storage.bound(best.variable), unit.e.const_bool(False))
        code()
        return unit.storage.read(best.variable, binding)

    return Lazy(binding.kind, emit)


def select(unit: Unit, condition: Value, one: Val, other: Val, kind: Kind) -> Val:
    """One value or the other, as values of the kind that holds both."""
    e = unit.e
    one, other = convert(e, one, kind), convert(e, other, kind)
    pairs = zip(one.ids, other.ids)
    return Val(kind, tuple(e.op(Opcode.SELECT, condition, x, y) for x, y in pairs))
