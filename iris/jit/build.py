"""From a Python function and the kinds of its arguments to a program.

    def f(x, n):          function 0 f(float, int)
        return x * n        %0 = arg a0
                            %1 = arg a1
                            %2 = i2f %1
                            %3 = fmul %0 %2
                            ...

This is the one way from the source to the intermediate representation: `stmt` and `expr` follow
what they find by the general rules of Python, and nothing is recognised by its shape.
"""

from __future__ import annotations

import ast
from typing import Any, NamedTuple, Optional

from iris.jit import expr, stmt
from iris.jit.emitter import Emitter
from iris.jit.functions import converted, write_instance
from iris.jit.ir import OUT_SLOTS_MAX, PARAMS_MAX, Function, Opcode, Param, Program, Type
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    BufferKind,
    Kind,
    TupleKind,
    describe,
    is_scalar,
)
from iris.jit.refusal import Unsupported
from iris.jit.scope import Binding, Code, Flow, Frame, Lazy, local_names
from iris.jit.unit import (
    Described,
    Guard,
    Hidden,
    Interpreter,
    Language,
    Unit,
    World,
    line_of,
)
from iris.jit.values import Shape, Val, leaves, shape_of, write_result

_LANGUAGE = Language(expr.infer, stmt.follow_block, expr.binary)

# What a recursion gives is found by passes over the program; each but the last adds one of four
# types to one of a few functions.
_PASSES_MAX = 50

_KINDS: dict[Type, int] = {Type.BOOL: BOOL, Type.INT: INT, Type.FLOAT: FLOAT}


class Built(NamedTuple):
    """A program and what it takes to call it."""

    program: Program
    params: list[Param]
    """Those of the call; hidden ones follow them."""
    hidden: list[Hidden]
    guards: list[Guard]
    shapes: list[Shape]
    """How results are nested, by the first result slot."""
    kinds: list[Kind]
    """What it may return."""


def build(
    described: Described,
    params: list[Param],
    interpreter: Interpreter,
    world: World,
) -> Built:
    """Build the program of a function for arguments of these types, in the order of its code.

    Raises:
        Unsupported: The function is outside the language for such arguments.
    """
    body = described.node
    unit = Unit(interpreter, world, _LANGUAGE)
    unit.entry_params = list(params)
    entry = _Entry(unit, described)
    for _ in range(_PASSES_MAX):
        unit.has_changed = False
        for instance in unit.instances.values():
            instance.is_followed = False
        code = entry.follow()
        if not unit.has_changed:
            break
    else:
        raise Unsupported(line_of(body), "recursion", "the types of its results do not settle")
    unit.guard_function(described)
    program = [entry.write(code)]
    program += [write_instance(unit, one) for one in list(unit.instances.values())]
    for one in program:
        if len(one.params) > PARAMS_MAX:
            raise Unsupported(line_of(body), "function", f"more than {PARAMS_MAX} arguments")
    return Built(
        Program(program),
        unit.entry_params,
        list(unit.hidden.values()),
        list(unit.guards.values()),
        entry.shapes,
        entry.kinds,
    )


class _Entry:
    """The function that is called from Python."""

    def __init__(self, unit: Unit, described: Described) -> None:
        self._unit = unit
        self._described = described
        code = described.function.__code__
        self._names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self._frame: Frame = self._new_frame()
        self._falls_off = False
        self.shapes: list[Shape] = []
        self.kinds: list[Kind] = []
        self._outs = 1

    def _new_frame(self) -> Frame:
        body = self._described.node
        names = local_names(body.body, body.args)
        return Frame(self._described.function, body, names, None)

    def _variables(self) -> list[tuple[str, Kind]]:
        found: list[tuple[str, Kind]] = []
        for at, (name, param) in enumerate(zip(self._names, self._unit.entry_params)):
            kind: Kind = BufferKind(at) if param.type is Type.BUFFER else _KINDS[param.type]
            found.append((name, kind))
        return found

    def follow(self) -> Code:
        """Follow the whole body once."""
        unit = self._unit
        self.shapes, self.kinds, self._outs = [], [], 1
        frame = self._frame = self._new_frame()
        frame.on_return = self._follow_return
        flow = Flow({(frame, name): Binding(kind) for name, kind in self._variables()})
        unit.active = [self._described.function.__code__]
        code = unit.block(frame, self._described.node.body, flow)
        self._falls_off = flow.is_reachable
        ending = self._follow_return(None, flow, self._described.node) if flow.env else None

        def write() -> None:
            code()
            if ending is not None:
                ending()

        return write

    def _follow_return(self, value: Optional[Lazy], flow: Flow, node: ast.AST) -> Code:
        flow.leave()
        given = Lazy(NONE, lambda: Val(NONE)) if value is None else value
        given = converted(self._unit, given, self._described.return_type, node)
        _check_result(given.kind, node)
        self.kinds.append(given.kind)
        shape = shape_of(given.kind)
        if shape not in self.shapes:
            self.shapes.append(shape)
        number = self.shapes.index(shape)
        outs = 1 + 2 * _count(shape)
        if outs > OUT_SLOTS_MAX:
            raise Unsupported(line_of(node), "result", "a tuple of more than eight numbers")
        self._outs = max(self._outs, outs)

        def write() -> None:
            e = self._unit.e
            val = given.emit()
            e.op(Opcode.OUT, 0, e.const_int(number))
            for at, leaf in enumerate(leaves(val)):
                write_result(e, 1 + 2 * at, leaf)
            e.ret()

        return write

    def write(self, code: Code) -> Function:
        """Write it, once all kinds are known."""
        unit = self._unit
        params = unit.entry_params
        name = self._described.function.__name__
        function = Function(name, [*params, *unit.hidden_params()])
        function.outs = self._outs
        e = Emitter(function)
        unit.start_writing(e, len(params))
        for at, (variable, kind) in enumerate(self._variables()):
            if is_scalar(kind):
                value = Val(kind, (e.op(Opcode.ARG, at),))
                unit.storage.place((self._frame, variable), kind).write(e, value)
        code()
        # A body that never ends has this behind it.
        e.fail()
        return function


def _check_result(kind: Kind, node: ast.AST) -> None:
    items = kind.items if isinstance(kind, TupleKind) else (kind,)
    for one in items:
        if isinstance(one, TupleKind):
            _check_result(one, node)
        elif not is_scalar(one):
            raise Unsupported(line_of(node), "result", f"it is {describe(one)}")


def _count(shape: Any) -> int:
    return 1 if shape is None else sum(map(_count, shape))
