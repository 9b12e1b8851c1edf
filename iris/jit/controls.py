"""Turns an expression with `break_*` and `continue_*` in it into statements.

    x * break_if(x > 9, f(x))

becomes, in the loop of a generator function, and with what takes the value behind it,

    __iris_t_1 = x
    if x > 9:
        return
    yield __iris_t_1 * f(x)

What Python evaluates before the control has a name of its own, so that the order is kept. A control
acts on the reduction whose element (or filter, or body) it is computed for, not on one inside.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import NamedTuple, Optional

from iris.jit.forms import CONTROLS, IF_ELSE
from iris.jit.trees import Sink, assigned_to, at, load
from iris.jit.usage import Usage

# The parts of an expression that are all evaluated, in this order. Of a chained comparison that is
# true of the first two; controls behind them, and in whatever is not listed, are misplaced.
_STRICT: dict[type[ast.expr], tuple[str, ...]] = {
    ast.BinOp: ("left", "right"),
    ast.UnaryOp: ("operand",),
    ast.Compare: ("left", "comparators"),
    ast.Call: ("args",),
    ast.Tuple: ("elts",),
    ast.List: ("elts",),
    ast.Subscript: ("value", "slice"),
    ast.Attribute: ("value",),
}


class Ends(NamedTuple):
    """What the controls of one reduction turn into."""

    stop: Callable[[], list[ast.stmt]]
    skip: Callable[[], list[ast.stmt]]


class Placement:
    """Places the expressions of one function."""

    def __init__(self, usage: Usage, visit: Callable[[ast.AST], ast.expr]) -> None:
        self._usage = usage
        self._visit = visit
        """Rewrites an expression without controls of its own; refuses those it meets."""

    def placed(self, value: ast.expr, sink: Sink, ends: Optional[Ends]) -> list[ast.stmt]:
        """Statements that compute a value, obeying the controls in it, and hand it to `sink`.

        Args:
            ends: what the controls do; None: the value is rewritten already and has none.
        """
        if ends is None:
            return sink(value)
        if not self._usage.has_control(value):
            return sink(self._visit(value))
        form = self._usage.form_of(value)
        if isinstance(value, ast.Call) and form in CONTROLS:
            return self._control(value, form, sink, ends)
        if isinstance(value, ast.Call) and form == IF_ELSE:
            value = at(ast.IfExp(*self._usage.arguments(value, form, 3)), value)
        if isinstance(value, ast.IfExp):
            before, test = self.settled(value.test, ends)
            yes = self.placed(value.body, sink, ends)
            no = self.placed(value.orelse, sink, ends)
            return [*before, at(ast.If(test, yes, no), value)]
        if isinstance(value, ast.BoolOp):
            name = self._usage.fresh("t")
            return [*self._operands(value, value.values, name, ends), *sink(at(load(name), value))]
        before = self._name_parts(value, ends)
        return [*before, *sink(self._visit(value))]

    def settled(
        self, value: ast.expr, ends: Optional[Ends]
    ) -> tuple[list[ast.stmt], ast.expr]:
        """A value for one place, and the statements before it that this takes."""
        if ends is None:
            return [], value
        if not self._usage.has_control(value):
            return [], self._visit(value)
        name = self._usage.fresh("t")
        return self.placed(value, assigned_to(name), ends), at(load(name), value)

    def _control(self, node: ast.Call, form: str, sink: Sink, ends: Ends) -> list[ast.stmt]:
        control = CONTROLS[form]
        act = ends.stop if control.stops else ends.skip
        if control.condition is None:
            (inner,) = self._usage.arguments(node, form, 1)
            before = self.placed(inner, assigned_to("__iris_v"), ends)
            differs = ast.Compare(load("__iris_v"), [ast.NotEq()], [load("__iris_v")])
            test: ast.expr = at(differs, node)
            after = sink(at(load("__iris_v"), inner))
        else:
            condition, inner = self._usage.arguments(node, form, 2)
            before, test = self.settled(condition, ends)
            if not control.condition:
                test = at(ast.UnaryOp(ast.Not(), test), test)
            after = self.placed(inner, sink, ends)
        return [*before, at(ast.If(test, act(), []), node), *after]

    def _operands(
        self, node: ast.BoolOp, values: list[ast.expr], name: str, ends: Ends
    ) -> list[ast.stmt]:
        """`and` and `or`: each operand only if the ones before have not decided."""
        done = self.placed(values[0], assigned_to(name), ends)
        if len(values) > 1:
            test: ast.expr = at(load(name), values[0])
            if isinstance(node.op, ast.Or):
                test = at(ast.UnaryOp(ast.Not(), test), test)
            rest = self._operands(node, values[1:], name, ends)
            done.append(at(ast.If(test, rest, []), values[1]))
        return done

    def _name_parts(self, node: ast.expr, ends: Ends) -> list[ast.stmt]:
        """Gives a name to each part of a strict expression up to the last with a control."""
        places: list[tuple[str, Optional[int]]] = []
        for field in _STRICT.get(type(node), ()):
            part = getattr(node, field)
            if isinstance(part, list):
                places += [(field, index) for index in range(len(part))]
            else:
                places.append((field, None))
        if isinstance(node, ast.Compare):
            del places[2:]
        parts = [
            getattr(node, field) if index is None else getattr(node, field)[index]
            for field, index in places
        ]
        last = max((i for i, one in enumerate(parts) if self._usage.has_control(one)), default=-1)
        before: list[ast.stmt] = []
        for (field, index), part in list(zip(places, parts))[: last + 1]:
            if isinstance(part, ast.Constant):
                continue
            if isinstance(part, (ast.Starred, ast.Slice)):
                break  # no value by itself; a control in it is refused when it is visited
            name = self._usage.fresh("t")
            before += self.placed(part, assigned_to(name), ends)
            if index is None:
                setattr(node, field, at(load(name), part))
            else:
                getattr(node, field)[index] = at(load(name), part)
        return before
