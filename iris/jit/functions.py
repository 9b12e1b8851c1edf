"""Calls of Python functions: inlined where they stand, or called where they recur.

An inlined call is a frame of its own in the same function of the program. A function that is
called from within itself becomes a function of the program instead, one for each set of kinds of
its arguments; what it gives is found by going over the whole program until no kind changes.
"""

from __future__ import annotations

import ast
import types
from typing import Any, Callable, NamedTuple, Optional, Union

from iris.jit.emitter import Emitter, Label
from iris.jit.ir import Function, Opcode, Param
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    NONE,
    Kind,
    MixedKind,
    ObjectKind,
    describe,
    is_scalar,
    join,
    storage,
)
from iris.jit.refusal import Unsupported
from iris.jit.scope import Binding, Code, Flow, Frame, Lazy, local_names
from iris.jit.unit import (
    INLINE_DEPTH_MAX,
    INLINED_MAX,
    INSTANCES_MAX,
    Described,
    Instance,
    Unit,
    line_of,
)
from iris.jit.values import Place, Val, convert, to_float, to_int, truth


class LocalFunction(NamedTuple):
    """A function defined inside the one that is compiled, or a lambda."""

    node: Union[ast.FunctionDef, ast.Lambda]
    frame: Frame

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "<lambda>")


def body_of(node: Union[ast.FunctionDef, ast.Lambda]) -> list[ast.stmt]:
    """The statements of a function; a lambda has one."""
    if isinstance(node, ast.Lambda):
        return [ast.copy_location(ast.Return(node.body), node.body)]
    return node.body


def is_generator(node: Union[ast.FunctionDef, ast.Lambda]) -> bool:
    """Whether a nested function yields."""
    pending: list[ast.AST] = list(body_of(node))
    while pending:
        one = pending.pop()
        if isinstance(one, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(one, (ast.FunctionDef, ast.Lambda, ast.GeneratorExp)):
            pending.extend(ast.iter_child_nodes(one))
    return False


class Argument(NamedTuple):
    """One parameter with what is given for it."""

    name: str
    value: Lazy


def bind_arguments(
    arguments: ast.arguments,
    given: list[Lazy],
    named: list[tuple[str, Lazy]],
    default: Callable[[str, bool], Optional[Lazy]],
    node: ast.AST,
    what: str,
) -> list[Argument]:
    """Bind arguments to parameters as Python does, in the order in which they are evaluated."""
    if arguments.vararg or arguments.kwarg:
        raise Unsupported(line_of(node), f"call of {what}", "it takes any number of arguments")
    positional = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    by_name = [one.arg for one in (*arguments.args, *arguments.kwonlyargs)]
    wrong = Unsupported(line_of(node), f"call of {what}", "its arguments do not fit")
    if len(given) > len(positional):
        raise wrong
    bound = [Argument(name, value) for name, value in zip(positional, given)]
    taken = {one.name for one in bound}
    for name, value in named:
        if name in taken or name not in by_name:
            raise wrong
        taken.add(name)
        bound.append(Argument(name, value))
    keyword_only = {one.arg for one in arguments.kwonlyargs}
    for name in (*positional, *keyword_only):
        if name in taken:
            continue
        missing = default(name, name in keyword_only)
        if missing is None:
            raise wrong
        bound.append(Argument(name, missing))
    return bound


def defaults_of(unit: Unit, function: types.FunctionType) -> Callable[[str, bool], Optional[Lazy]]:
    """How the defaults of a function are looked up; they are guarded with the function."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    values = function.__defaults__ or ()
    defaults = dict(zip(positional[len(positional) - len(values) :], values))
    keyword_defaults = function.__kwdefaults__ or {}

    def default(name: str, keyword_only: bool) -> Optional[Lazy]:
        found = keyword_defaults if keyword_only else defaults
        return unit.literal_or_static(found[name]) if name in found else None

    return default


def call_python(
    unit: Unit,
    described: Described,
    given: list[Lazy],
    named: list[tuple[str, Lazy]],
    flow: Flow,
    node: ast.AST,
) -> Lazy:
    """Follow a call of a Python function from outside."""
    function, body = described.function, described.node
    unit.guard_function(described)
    default = defaults_of(unit, function)
    bound = bind_arguments(body.args, given, named, default, node, function.__name__)
    if function.__code__ in unit.active:
        result = _call_instance(unit, described, bound, node)
    else:
        frame = Frame(function, body, local_names(body.body, body.args), None)
        unit.active.append(function.__code__)
        try:
            result = inline(unit, frame, body.body, bound, flow, node)
        finally:
            unit.active.pop()
    return converted(unit, result, described.return_type, node)


def call_local(
    unit: Unit,
    local: LocalFunction,
    given: list[Lazy],
    named: list[tuple[str, Lazy]],
    flow: Flow,
    node: ast.AST,
) -> Lazy:
    """Follow a call of a function that stands inside the one that is compiled."""
    frame = local_frame(unit, local, node)
    bound = bind_arguments(
        local.node.args, given, named, lambda name, only: None, node, local.name
    )
    key: Any = local.node
    if key in unit.active_nodes:
        raise Unsupported(line_of(node), f"call of {local.name}", "a nested function that recurs")
    unit.active_nodes.append(key)
    try:
        return inline(unit, frame, body_of(local.node), bound, flow, node)
    finally:
        unit.active_nodes.pop()


def local_frame(unit: Unit, local: LocalFunction, node: ast.AST) -> Frame:
    """A new activation of a nested function."""
    arguments = local.node.args
    if arguments.defaults or any(one is not None for one in arguments.kw_defaults):
        raise Unsupported(line_of(node), f"function {local.name}", "a nested one with defaults")
    names = local_names(body_of(local.node), arguments)
    return Frame(local.frame.function, local.node, names, local.frame)


def inline(
    unit: Unit,
    frame: Frame,
    body: list[ast.stmt],
    bound: list[Argument],
    flow: Flow,
    node: ast.AST,
) -> Lazy:
    """Follow the body of a function where it is called."""
    if len(unit.active) + len(unit.active_nodes) > INLINE_DEPTH_MAX:
        raise Unsupported(line_of(node), "call", f"more than {INLINE_DEPTH_MAX} inside each other")
    unit.inlined += 1
    if unit.inlined > INLINED_MAX:
        raise Unsupported(line_of(node), "call", f"more than {INLINED_MAX} calls to be inlined")
    kinds: list[Kind] = []
    # Known when the call is written: where the result goes, and the end of the body.
    result: list[Place] = []
    end: list[Label] = []

    def on_return(value: Optional[Lazy], now: Flow, where: ast.AST) -> Code:
        kinds.append(NONE if value is None else value.kind)
        now.leave()

        def write() -> None:
            result[-1].write(unit.e, Val(NONE) if value is None else value.emit())
            unit.e.branch(end[-1])

        return write

    frame.on_return = on_return
    inner = flow.copy()
    assert inner.env is not None
    for name, value in bound:
        inner.env[frame, name] = Binding(value.kind, False, value.const)
    code = unit.block(frame, body, inner)
    if inner.is_reachable:
        kinds.append(NONE)
    falls_off = inner.is_reachable
    kind: Kind = NEVER
    for one in kinds:
        kind = join(kind, one)
    if isinstance(kind, MixedKind):
        raise Unsupported(line_of(node), "result of a call", f"it is {kind.why}")

    def emit() -> Val:
        e = unit.e
        for name, value in bound:
            val = value.emit()
            unit.storage.place((frame, name), val.kind).write(e, val)
        result.append(Place(e, kind))
        with e.block() as label:
            end.append(label)
            code()
            if falls_off:
                result[-1].write(e, Val(NONE))
        end.pop()
        return result.pop().read(e)

    return Lazy(kind, emit)


def converted(unit: Unit, value: Lazy, return_type: Optional[str], node: ast.AST) -> Lazy:
    """A result as the `return_type` of an offloaded function has it."""
    if return_type is None:
        return value
    if not is_scalar(value.kind):
        raise Unsupported(
            line_of(node), f"return_type {return_type}", f"the result is {describe(value.kind)}"
        )
    if return_type == "bool":
        return Lazy(BOOL, lambda: Val(BOOL, (truth(unit.e, value.emit()),)))
    if return_type == "int":
        return Lazy(INT, lambda: to_int(unit.e, value.emit()))
    return Lazy(FLOAT, lambda: to_float(unit.e, value.emit()))


# Recursion ----------------------------------------------------------------------------------


def _call_instance(
    unit: Unit, described: Described, bound: list[Argument], node: ast.AST
) -> Lazy:
    """Follow a call of a function from within itself."""
    code = described.function.__code__
    order = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    by_name = {one.name: one.value for one in bound}
    arguments = [by_name[name] for name in order]
    for one in arguments:
        if isinstance(one.kind, (ObjectKind, MixedKind)):
            raise Unsupported(
                line_of(node), f"call of {code.co_name}", f"a recursion over {describe(one.kind)}"
            )
    key = (code, tuple(one.kind for one in arguments))
    instance = unit.instances.get(key)
    if instance is None:
        if len(unit.instances) >= INSTANCES_MAX:
            raise Unsupported(
                line_of(node), f"call of {code.co_name}", "a recursion over too many types"
            )
        instance = unit.instances[key] = Instance(described, order, key[1])
    if not instance.is_followed:
        instance.is_followed = True
        _follow_instance(unit, instance)
    known, target = instance.kind, instance

    def emit() -> Val:
        e = unit.e
        # The arguments in the order of the call, then into the slots in that of the parameters.
        written = {one.name: one.value.emit() for one in bound}
        ids = [one for name in order for one in written[name].ids]
        ids += [unit.hidden_value(at) for at in range(len(unit.hidden))]
        for slot, one in enumerate(ids):
            e.op(Opcode.PUT, slot, one)
        # Behind them all buffers there are, whether they are of use to it or not.
        for at, buffer in enumerate(unit.buffers()):
            e.op(Opcode.PUT_BUFFER, len(ids) + 2 * at, e.buffer(buffer))
        e.op(Opcode.CALL, 1 + list(unit.instances.values()).index(target))
        types_ = enumerate(storage(known))
        return Val(known, tuple(e.op(Opcode.RESULT, at, flags=one) for at, one in types_))

    return Lazy(known, emit)


def _follow_instance(unit: Unit, instance: Instance) -> None:
    """Go over the body of a recurring function; its result may change by it."""
    described = instance.described
    body = described.node
    frame = Frame(described.function, body, local_names(body.body, body.args), None)
    flow = Flow({(frame, n): Binding(k) for n, k in zip(instance.names, instance.kinds)})
    kinds: list[Kind] = []

    def give(value: Val) -> None:
        e = unit.e
        for slot, one in enumerate(convert(e, value, instance.kind).ids):
            e.op(Opcode.OUT, slot, one)
        e.ret()

    def on_return(value: Optional[Lazy], now: Flow, where: ast.AST) -> Code:
        kinds.append(NONE if value is None else value.kind)
        now.leave()
        return lambda: give(Val(NONE) if value is None else value.emit())

    frame.on_return = on_return
    # Another activation: what is inlined around the call is not active in here.
    active, unit.active = unit.active, [described.function.__code__]
    nodes, unit.active_nodes = unit.active_nodes, []
    try:
        code = unit.block(frame, body.body, flow)
    finally:
        unit.active, unit.active_nodes = active, nodes
    falls_off = flow.is_reachable
    kind = instance.kind
    for one in (*kinds, *([NONE] if falls_off else [])):
        kind = join(kind, one)
    if isinstance(kind, (MixedKind, ObjectKind)):
        raise Unsupported(line_of(body), "result of a recursion", f"it is {describe(kind)}")
    if kind != instance.kind:
        instance.kind, unit.has_changed = kind, True

    def write() -> None:
        code()
        if falls_off:
            give(Val(NONE))
        unit.e.fail()

    instance.code, instance.frame = write, frame


def write_instance(unit: Unit, instance: Instance) -> Function:
    """Write the body of a recurring function as a function of the program."""
    types_ = [type_ for kind in instance.kinds for type_ in storage(kind)]
    function = Function(
        instance.described.function.__name__,
        [*(Param(one) for one in types_), *unit.hidden_params()],
    )
    for buffer in unit.buffers():
        function.params.append(unit.entry_params[buffer])
    function.outs = len(storage(instance.kind))
    e = Emitter(function)
    first = len(types_) + len(unit.hidden)
    e.buffers = {buffer: first + at for at, buffer in enumerate(unit.buffers())}
    unit.start_writing(e, len(types_))
    at = 0
    for name, kind in zip(instance.names, instance.kinds):
        count = len(storage(kind))
        ids = tuple(e.op(Opcode.ARG, at + offset) for offset in range(count))
        assert instance.frame is not None
        unit.storage.place((instance.frame, name), kind).write(e, Val(kind, ids))
        at += count
    assert instance.code is not None
    instance.code()
    return function
