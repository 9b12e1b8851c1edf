"""What a reduction goes over: a generator expression, or a nested generator function."""

from __future__ import annotations

import ast
from typing import Optional

from iris.jit.emitter import Label
from iris.jit.functions import LocalFunction, bind_arguments, body_of, is_generator, local_frame
from iris.jit.kinds import ObjectKind
from iris.jit.reduce import OnYield, Source, of_expression
from iris.jit.refusal import Unsupported
from iris.jit.scope import Binding, Code, Env, Flow, Frame, Lazy, join_envs
from iris.jit.stmt import follow_if, follow_target
from iris.jit.unit import Unit, line_of


def generator_source(unit: Unit, frame: Frame, node: ast.expr, flow: Flow) -> Optional[Source]:
    """What an argument of a reduction yields, if it is a generator."""
    if isinstance(node, ast.GeneratorExp):
        return of_expression(unit, frame, node, follow_target, follow_if)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    if frame.owner(node.func.id) is None:
        return None
    callee = unit.infer(frame, node.func, flow)
    if not isinstance(callee.kind, ObjectKind) or not isinstance(callee.kind.value, LocalFunction):
        return None
    local = callee.kind.value
    if not is_generator(local.node):
        return None
    if node.keywords:
        raise Unsupported(line_of(node), f"call of {local.name}", "with keyword arguments")
    given = [unit.infer(frame, one, flow) for one in node.args]
    return _of_function(unit, local, given, node)


def _of_function(unit: Unit, local: LocalFunction, given: list[Lazy], node: ast.Call) -> Source:
    """All that a nested generator function yields; its `return` ends it."""
    bound = bind_arguments(local.node.args, given, [], lambda name, only: None, node, local.name)
    frame = local_frame(unit, local, node)

    def follow(flow: Flow, on_yield: OnYield) -> Code:
        end: list[Label] = []
        returns: list[Optional[Env]] = []
        joined: list[Optional[Env]] = []

        def on_return(value: Optional[Lazy], now: Flow, where: ast.AST) -> Code:
            if value is not None and value.const is not None:
                raise Unsupported(line_of(where), "return", "of a value from a generator")
            env = now.leave()
            returns.append(env)

            def write() -> None:
                unit.storage.move(env, joined[0])
                unit.e.branch(end[-1])

            return write

        frame.on_return, frame.on_yield = on_return, on_yield
        inner = flow.copy()
        assert inner.env is not None
        for name, value in bound:
            inner.env[frame, name] = Binding(value.kind, False, value.const)
        code = unit.block(frame, body_of(local.node), inner)
        after = inner.env
        joined.append(join_envs(after, *returns))
        flow.follow(joined[0])

        def write() -> None:
            e = unit.e
            for name, value in bound:
                val = value.emit()
                unit.storage.place((frame, name), val.kind).write(e, val)
            with e.block() as label:
                end.append(label)
                code()
                unit.storage.move(after, joined[0])
            end.pop()

        return write

    return follow
