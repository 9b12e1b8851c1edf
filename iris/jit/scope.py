"""Variables: which kind each has at a point of the program, and where it is kept.

The front end goes over the source twice. First it follows the kinds, without writing anything,
and makes of every statement and expression a function that will write it; loops are gone through
until their kinds no longer change. Then these functions are called. A `Flow` is the state of the
first pass, a `Storage` that of the second.

A variable that changes its kind is kept in other locals from there on. Where two ways come
together, each moves its variables into the kinds that both agree upon (`Unit.move`).
"""

from __future__ import annotations

import ast
import types
from typing import Any, Callable, NamedTuple, Optional

from iris.jit.emitter import Emitter, Value
from iris.jit.ir import Opcode, Type
from iris.jit.kinds import NEVER, Kind, MixedKind, join, storage
from iris.jit.names import MISSING
from iris.jit.values import Place, Val, truth

Code = Callable[[], None]
"""Writes a statement."""


class Lazy:
    """An expression whose kind is known and which has not been written yet.

    It is written once, in the order in which Python evaluates. One that is never written has no
    effect, so that it may only be dropped where Python would not evaluate it, or where nothing in
    it can raise.
    """

    __slots__ = ("_emit", "_truth", "const", "kind")

    def __init__(
        self,
        kind: Kind,
        emit: Callable[[], Val],
        truth: Optional[Callable[[], Value]] = None,
        const: Any = MISSING,
    ) -> None:
        self.kind = kind
        self.const = const
        self._emit = emit
        self._truth = truth

    def emit(self) -> Val:
        """Write it."""
        return self._emit()

    def emit_truth(self, e: Emitter) -> Value:
        """Write it as a condition, which is often shorter."""
        return truth(e, self._emit()) if self._truth is None else self._truth()

    @property
    def is_const(self) -> bool:
        """Whether its value is known now."""
        return self.const is not MISSING


class Binding(NamedTuple):
    """What is known of one variable."""

    kind: Kind
    maybe: bool = False
    """Whether it may be unbound; then a local of its own tells."""
    const: Any = MISSING
    """Its value, where this is known. It is kept in its place nevertheless."""


class Frame:
    """One activation of a Python function: that which is compiled, or one inlined into it."""

    __slots__ = ("function", "locals", "loops", "node", "on_return", "on_yield", "parent")

    def __init__(
        self,
        function: types.FunctionType,
        node: ast.AST,
        names: frozenset[str],
        parent: Optional[Frame],
    ) -> None:
        # Where names that are not local are looked up.
        self.function = function
        self.node = node
        self.locals = names
        # The frame that a nested function or a generator expression stands in.
        self.parent = parent
        self.on_return: Optional[Callable[[Optional[Lazy], Flow, ast.AST], Code]] = None
        self.on_yield: Optional[Callable[[Lazy, Flow], Code]] = None
        # The loops around the statement that is followed, as `iteration.Exits`.
        self.loops: list[Any] = []

    def owner(self, name: str) -> Optional[Frame]:
        """The frame in which a name is local."""
        frame: Optional[Frame] = self
        while frame is not None and name not in frame.locals:
            frame = frame.parent
        return frame


Variable = tuple[Frame, str]
Env = dict[Variable, Binding]


class Flow:
    """The variables at one point of the first pass. Unreachable points have none."""

    __slots__ = ("env",)

    def __init__(self, env: Optional[Env]) -> None:
        self.env = env

    @property
    def is_reachable(self) -> bool:
        return self.env is not None

    def copy(self) -> Flow:
        return Flow(None if self.env is None else dict(self.env))

    def follow(self, env: Optional[Env]) -> None:
        """Go on from here; the variables as they are at this point stay as they are."""
        self.env = None if env is None else dict(env)

    def leave(self) -> Optional[Env]:
        """The variables as they are; nothing behind this point is reached."""
        env, self.env = self.env, None
        return env


def join_envs(*ways: Optional[Env]) -> Optional[Env]:
    """The variables where several ways come together; unreachable ones do not count."""
    reached = [env for env in ways if env is not None]
    if not reached:
        return None
    first, *others = reached
    result = dict(first)
    for env in others:
        for variable in [*result, *(one for one in env if one not in result)]:
            one, other = result.get(variable), env.get(variable)
            if one is None or other is None:
                known = one or other
                assert known is not None
                result[variable] = Binding(known.kind, True)
            else:
                const = one.const if same_const(one.const, other.const) else MISSING
                maybe = one.maybe or other.maybe
                result[variable] = Binding(join(one.kind, other.kind), maybe, const)
    return result


def same_const(one: Any, other: Any) -> bool:
    """Whether two constants are the same in type and in every bit that Python can see."""
    return one is other or (type(one) is type(other) and repr(one) == repr(other))


def same_env(one: Env, other: Env) -> bool:
    """Whether nothing has changed from one pass through a loop to the next."""
    if len(one) != len(other):
        return False
    for variable, binding in one.items():
        found = other.get(variable)
        if (
            found is None
            or found.kind != binding.kind
            or found.maybe != binding.maybe
            or not same_const(found.const, binding.const)
        ):
            return False
    return True


def assign(
    storage_now: Callable[[], Storage], flow: Flow, variable: Variable, value: Lazy
) -> Code:
    """Bind a variable."""
    assert flow.env is not None
    flow.env[variable] = Binding(value.kind, False, value.const)

    def write() -> None:
        val = value.emit()
        now = storage_now()
        now.place(variable, val.kind).write(now.e, val)

    return write


class Storage:
    """Where the variables of one function of the program are kept."""

    __slots__ = ("_bounds", "_places", "e")

    def __init__(self, e: Emitter) -> None:
        self.e = e
        self._places: dict[tuple[Variable, Kind], Place] = {}
        self._bounds: dict[Variable, int] = {}

    def place(self, variable: Variable, kind: Kind) -> Place:
        """The locals of a variable while it is of this kind."""
        place = self._places.get((variable, kind))
        if place is None:
            place = self._places[variable, kind] = Place(self.e, kind)
        return place

    def bound(self, variable: Variable) -> int:
        """The local that tells whether a variable is bound."""
        local = self._bounds.get(variable)
        if local is None:
            local = self._bounds[variable] = self.e.local(Type.BOOL)
        return local

    def read(self, variable: Variable, binding: Binding) -> Val:
        """The value of a variable; the call ends if it is unbound."""
        if binding.maybe:
            self.e.fail_if(self.e.op(Opcode.NOT, self.e.get(self.bound(variable))))
        return self.place(variable, binding.kind).read(self.e)

    def move(self, source: Optional[Env], target: Optional[Env]) -> None:
        """Bring all variables into the kinds that they have where the way leads."""
        if source is None or target is None or source is target:
            return
        e = self.e
        for variable, wanted in target.items():
            have = source.get(variable)
            if isinstance(wanted.kind, MixedKind):
                continue
            if have is None:
                e.set(self.bound(variable), e.const_bool(False))
                continue
            if have.kind != wanted.kind and storage(wanted.kind) and have.kind != NEVER:
                value = self.place(variable, have.kind).read(e)
                self.place(variable, wanted.kind).write(e, value)
            if wanted.maybe and not have.maybe:
                e.set(self.bound(variable), e.const_bool(True))


class _Locals(ast.NodeVisitor):
    """Collects the names that a function binds, without looking into functions inside it."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.names.add(node.id)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.names.add(node.name)

    def _skip(self, node: ast.AST) -> None:
        """A scope of its own."""

    visit_Lambda = visit_GeneratorExp = visit_ListComp = visit_SetComp = visit_DictComp = _skip


def local_names(body: list[ast.stmt], arguments: ast.arguments) -> frozenset[str]:
    """The names that are local to a function."""
    visitor = _Locals()
    for statement in body:
        visitor.visit(statement)
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    extra = (one for one in (arguments.vararg, arguments.kwarg) if one is not None)
    return frozenset(visitor.names).union(one.arg for one in (*names, *extra))
