"""One program while it is made: what it depends on, and what its functions share.

A unit belongs to one signature of one offloaded function. It collects the hidden arguments and the
guards that names outside stand for, and the functions that recursion needs.
"""

from __future__ import annotations

import ast
import types
from typing import Any, Callable, NamedTuple, Optional, Protocol

from iris.jit.emitter import Emitter, Value
from iris.jit.ir import Opcode, Param, Type
from iris.jit.kinds import (
    BOOL,
    FLOAT,
    INT,
    NEVER,
    BufferKind,
    Kind,
    ObjectKind,
    is_scalar,
    of_value,
    storage,
)
from iris.jit.names import MISSING, AttributeRef, CallRef, FunctionRef, Ref, find, ref_key
from iris.jit.refusal import Cause, Unsupported
from iris.jit.scope import Code, Flow, Frame, Lazy, Storage
from iris.jit.values import Val, constant

# Inlined calls within each other, and functions made for recursion. Whatever is deeper is no
# numeric kernel, and would be past the limit of operations soon.
INLINE_DEPTH_MAX = 40
INSTANCES_MAX = 8
# Inlined calls in all, those of each pass through a loop counted: helpers that call each other
# twice are doubled at every level.
INLINED_MAX = 2_000
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Interpreter(NamedTuple):
    """What differs between the interpreters whose results must be met."""

    is_pypy: bool
    compensates_sums: bool
    """`sum()` of floats keeps a correction (CPython from 3.12 on)."""
    math: frozenset[str]
    """The functions of `math` whose results are those of the C library."""


class Described(NamedTuple):
    """A Python function whose body may be compiled."""

    # No `types.FunctionType`: a checker would take that for a method of this class.
    function: Any
    node: ast.FunctionDef
    """Its body, with all special forms rewritten."""
    return_type: Optional[str]
    original: Any
    """The function as the user wrote it; `function` may be that with its forms rewritten."""
    forms: frozenset[str] = frozenset()
    """Names in it that stand for special forms as long as they mean nothing else."""


class Hidden(NamedTuple):
    """An argument that the program takes besides those of the call."""

    ref: Ref
    kind: int


class Guard(NamedTuple):
    """What must still be there for the program to be valid."""

    ref: Ref
    value: Any


class World(Protocol):
    """What is known of callables outside the program."""

    def describe(self, value: Any) -> Optional[Described]:
        """The Python function behind a callable of the user; None where there is none."""

    def is_setting(self, value: Any) -> bool:
        """Whether this is a function of Iris that gives a whole number, a setting."""


class Language(NamedTuple):
    """The modules above this one, which follow what stands inside what they follow."""

    infer: Callable[[Unit, Frame, ast.expr, Flow], Lazy]
    block: Callable[[Unit, Frame, list[ast.stmt], Flow], Code]
    binary: Callable[[Unit, str, Lazy, Lazy, ast.AST], Lazy]


class Instance:
    """A function that is called from within itself, for one set of kinds of its arguments."""

    __slots__ = ("code", "described", "frame", "is_followed", "kind", "kinds", "names")

    def __init__(
        self, described: Described, names: tuple[str, ...], kinds: tuple[Kind, ...]
    ) -> None:
        self.described = described
        self.names = names
        self.kinds = kinds
        # What it gives, as far as is known; it grows from one pass to the next.
        self.kind: Kind = NEVER
        # Whether this pass has been through its body already.
        self.is_followed = False
        self.code: Optional[Code] = None
        self.frame: Optional[Frame] = None


class Unit:
    """One program while it is made."""

    def __init__(self, interpreter: Interpreter, world: World, language: Language) -> None:
        self.interpreter = interpreter
        self._world = world
        self._language = language
        self.hidden: dict[tuple[Any, ...], Hidden] = {}
        self.guards: dict[tuple[Any, ...], Guard] = {}
        # Own parameters of the entry. A buffer is named by its index among them.
        self.entry_params: list[Param] = []
        # The Python functions that are inlined here, outermost first.
        self.active: list[types.CodeType] = []
        self.active_nodes: list[ast.AST] = []
        self.inlined = 0
        # Functions that recur, by their code and the kinds of their arguments.
        self.instances: dict[tuple[types.CodeType, tuple[Kind, ...]], Instance] = {}
        # Nested functions as values, by node and frame.
        self.local_functions: dict[tuple[int, int], ObjectKind] = {}
        # Whether this pass has found out more about one of them.
        self.has_changed = False
        # Of the function that is written now.
        self.storage: Storage = Storage.__new__(Storage)
        self._own_params = 0

    # The first pass -------------------------------------------------------------------------

    def infer(self, frame: Frame, node: ast.expr, flow: Flow) -> Lazy:
        """Follow an expression."""
        return self._language.infer(self, frame, node, flow)

    def block(self, frame: Frame, statements: list[ast.stmt], flow: Flow) -> Code:
        """Follow statements; `flow` is then that behind them."""
        return self._language.block(self, frame, statements, flow)

    def binary(self, op: str, one: Lazy, other: Lazy, node: ast.AST) -> Lazy:
        """Follow `one op other`."""
        return self._language.binary(self, op, one, other, node)

    def describe(self, value: Any) -> Optional[Described]:
        """The Python function behind a callable, if there is one."""
        return self._world.describe(value)

    def setting(self, value: Any) -> Optional[Lazy]:
        """The call of a setting of Iris, if this is one: read at each call, as any number."""
        if not self._world.is_setting(value):
            return None
        return self.hidden_argument(CallRef(value), INT)

    def note_store(self, buffer: BufferKind) -> None:
        """A buffer is written."""
        param = self.entry_params[buffer.param]
        self.entry_params[buffer.param] = param._replace(writable=True)

    def outside(self, frame: Frame, name: str, node: ast.AST) -> Lazy:
        """What a name means that is local nowhere."""
        ref = find(frame.function, name)
        value = ref.read()
        if value is MISSING:
            cause = Cause(ref.read, MISSING)
            raise Unsupported(line_of(node), f"name {name}", "it is not defined", cause)
        return self.dependency(ref, value, node, name)

    def attribute(self, module: types.ModuleType, name: str, node: ast.AST) -> Lazy:
        """An attribute of a module."""
        ref = AttributeRef(module, name)
        value = ref.read()
        what = f"{module.__name__}.{name}"
        if value is MISSING:
            cause = Cause(ref.read, MISSING)
            reason = "the module has no such attribute"
            raise Unsupported(line_of(node), what, reason, cause)
        if module.__name__ == "math" and type(value) is float:
            # Its constants do not change; that nobody has changed them is guarded.
            self.guard(ref, value)
            return self.literal(value)
        return self.dependency(ref, value, node, what)

    def dependency(self, ref: Ref, value: Any, node: ast.AST, what: str) -> Lazy:
        """A value from outside: a number is read at each call, all else is guarded."""
        kind = of_value(value)
        if kind in (BOOL, INT, FLOAT):
            assert isinstance(kind, int)
            if kind == INT and not _INT_MIN <= value <= _INT_MAX:
                cause = Cause(ref.read, value)
                reason = "its value does not fit into 64 bits"
                raise Unsupported(line_of(node), what, reason, cause)
            return self.hidden_argument(ref, kind)
        self.guard(ref, value)
        if storage(kind) or is_scalar(kind):
            return self.literal(value)
        return Lazy(kind, lambda: Val(kind))

    def hidden_argument(self, ref: Ref, kind: int) -> Lazy:
        """A number that is read at each call."""
        key = ref_key(ref)
        if key not in self.hidden:
            self.hidden[key] = Hidden(ref, kind)
        at = list(self.hidden).index(key)
        return Lazy(kind, lambda: Val(kind, (self.hidden_value(at),)))

    def guard(self, ref: Ref, value: Any) -> None:
        """Have the program used only while this is what is there."""
        self.guards[ref_key(ref)] = Guard(ref, value)

    def guard_function(self, described: Described) -> None:
        """Have the program used only while this function does what it does now."""
        function = described.original
        for attribute in ("__code__", "__defaults__", "__kwdefaults__"):
            ref = FunctionRef(function, attribute)
            self.guard(ref, ref.read())
        for name in described.forms:
            self.guard(find(function, name), MISSING)

    def literal(self, value: Any) -> Lazy:
        """A constant."""
        return Lazy(of_value(value), lambda: constant(self.e, value), const=value)

    def static(self, value: Any) -> Lazy:
        """An object that is known now and only called or looked into."""
        kind = ObjectKind(value)
        return Lazy(kind, lambda: Val(kind))

    def literal_or_static(self, value: Any) -> Lazy:
        """A constant, or an object where it is none."""
        kind = of_value(value)
        is_large = kind == INT and not _INT_MIN <= value <= _INT_MAX
        if (storage(kind) or is_scalar(kind)) and not is_large:
            return self.literal(value)
        return self.static(value)

    # The second pass ------------------------------------------------------------------------

    @property
    def e(self) -> Emitter:
        """Where the program is written to."""
        return self.storage.e

    def hidden_value(self, at: int) -> Value:
        """Write the reading of a hidden argument."""
        return self.e.op(Opcode.ARG, self._own_params + at)

    def start_writing(self, emitter: Emitter, own_params: int) -> None:
        """Begin a function of the program. Hidden arguments follow its own parameters."""
        self.storage = Storage(emitter)
        self._own_params = own_params

    def e_fail(self) -> None:
        """Write the end of the call."""
        self.e.fail()

    def buffers(self) -> list[int]:
        """The parameters of the entry that are buffers."""
        return [at for at, one in enumerate(self.entry_params) if one.type is Type.BUFFER]

    def hidden_params(self) -> list[Param]:
        """The parameters behind those of each function of the program."""
        types_: dict[Kind, Type] = {BOOL: Type.BOOL, INT: Type.INT, FLOAT: Type.FLOAT}
        return [Param(types_[one.kind]) for one in self.hidden.values()]


def line_of(node: ast.AST) -> Optional[int]:
    """The line that a report names."""
    return getattr(node, "lineno", None)
