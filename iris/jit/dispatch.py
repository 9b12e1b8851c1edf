"""An offloaded function: what it has compiled, and who makes each call.

A call whose arguments are of types for which there is a program goes to machine code, as long as
nothing the program depends on has changed. Everything else is made by Python: calls of other
shapes, of functions outside the language, and those that machine code gives back. Longer than other
modules, because all ways that a call can take stand beside each other here.
"""

from __future__ import annotations

import types
import weakref
from typing import TYPE_CHECKING, Any, Optional

from iris.errors import NativeRefused
from iris.jit import arguments, shim, switches, ticks, vectors
from iris.jit.arguments import SCALARS, Given
from iris.jit.build import Built, build
from iris.jit.describe import PythonWorld, body_of, forms_hold
from iris.jit.encode import encode
from iris.jit.held import Unfit
from iris.jit.interpreter import running_interpreter
from iris.jit.ir import Format, Param, Type
from iris.jit.kernel import RERUN, Kernel
from iris.jit.kinds import BOOL, FLOAT, INT
from iris.jit.mathcheck import differing
from iris.jit.names import is_same
from iris.jit.plan import Plan, bound_to, plan_of
from iris.jit.ranges import drop_checks
from iris.jit.refusal import Cause, Refusal, Unsupported
from iris.jit.switches import Arm
from iris.jit.unit import Described
from iris.run import clock
from iris.run.native import get_ident

if TYPE_CHECKING:
    from iris.jit.report import Report

# Call shapes of one function; from then on others are left to Python.
SIGNATURES_MAX = 8
# How often one signature is compiled again because a name has changed its meaning.
RECOMPILED_MAX = 8

# Of this many calls that machine code hands back, nine out of ten of all, it is not tried again.
RERUNS_MIN = 100

_HIDDEN_TYPES = {BOOL: bool, INT: int, FLOAT: float}
_INT_RANGE = range(-(2**63), 2**63)

Key = tuple[Param, ...]


class Totals:
    """Counters of the process."""

    compiled = 0
    compile_s = 0.0


class Signature:
    """One call shape and what came of it."""

    __slots__ = (
        "cause",
        "compiled",
        "kernel",
        "key",
        "native_calls",
        "profile",
        "python_calls",
        "refusal",
        "reruns",
    )

    def __init__(self, key: Key, profile: str) -> None:
        self.key = key
        self.profile = profile
        self.kernel: Optional[Kernel] = None
        self.refusal: Optional[Refusal] = None
        # What would have to change for the refusal to be looked at again.
        self.cause: Optional[Cause] = None
        self.compiled = 0
        self.native_calls = 0
        self.reruns = 0
        self.python_calls = 0


class Offloaded:
    """The state behind one offloaded function. May be called from any thread."""

    def __init__(self, function: Any, return_type: Optional[str]) -> None:
        self.function = function
        self.return_type = return_type
        self.signatures: dict[Any, Signature] = {}
        # Calls of shapes that are kept nowhere.
        self.other_calls = 0
        self._plan: Optional[Plan] = None
        # Types of numbers for which there will never be a program.
        self._refused: set[tuple[type, ...]] = set()
        # Whether it is known that nothing of it is ever compiled.
        self._is_pythons = False
        _alive.add(self)

    # Calls ----------------------------------------------------------------------------------

    def is_pythons(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether Python makes this call, and there is nothing else to be said about it.

        That is so inside a recursion that Python makes, for a function that is never compiled, and
        for plain numbers where there is no sidecar.
        """
        if not (_recurring or self._is_pythons or self._refused):
            return False
        if switches.arm_now() is Arm.NATIVE_ONLY:
            return False
        plan = self._planned()
        if plan.body.forms:
            return False  # what Python runs is another function then
        is_refused = not kwargs and tuple(map(type, args)) in self._refused
        if get_ident() not in _recurring and not is_refused:
            if not self._is_pythons:
                return False
            if plan.refusal is None and (kwargs or not all(type(x) in SCALARS for x in args)):
                return False
        self.other_calls += 1
        return True

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call. It blocks as long as the function runs, and for its first call of a
        shape as long as that compiles."""
        plan = self._planned()
        arm = switches.arm_now()
        if _recurring and get_ident() in _recurring and arm is not Arm.NATIVE_ONLY:
            return self._in_python(plan, args, kwargs, arm, None)
        if plan.refusal is not None:
            return self._in_python(plan, args, kwargs, arm, plan.refusal)
        values = bound_to(self.function, plan.names, args, kwargs)
        if values is None:
            if len(args) == 1 and not kwargs:
                items = vectors.packed_items(args[0], plan.names, plan.containers, self.function)
                if items is not None:
                    return self.call(items, {})
            return self._in_python(plan, args, kwargs, arm, _NO_SHAPE)
        params: list[Param] = []
        given: list[Given] = []
        for name, value in zip(plan.names, values):
            found = arguments.classify(value, name in plan.containers)
            if found is None:
                return self._other_shape(plan, values, args, kwargs, arm)
            params.append(found[0])
            given.append(found[1])
        signature = self._signature(tuple(params), _profile(params))
        if signature is None or arm is Arm.PYTHON:
            return self._in_python(plan, args, kwargs, arm, _TOO_MANY, signature)
        return self._native(plan, signature, given, args, kwargs, arm)

    def _native(
        self,
        plan: Plan,
        signature: Signature,
        given: list[Given],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        arm: Arm,
    ) -> Any:
        ready = self._ready(plan, signature)
        if ready is None:
            is_final = signature.refusal is not None and signature.cause is None
            if is_final and not kwargs and len(args) == len(plan.names):
                types_ = tuple(map(type, args))
                if all(one in SCALARS for one in types_):
                    self._refused.add(types_)
            return self._in_python(plan, args, kwargs, arm, signature.refusal, signature)
        kernel, hidden = ready
        try:
            value = kernel.call(given, hidden, ticks.current())
        except Unfit as unfit:
            refusal = Refusal(None, "argument", str(unfit))
            return self._in_python(plan, args, kwargs, arm, refusal, signature)
        except shim.SidecarDefect as defect:
            self._give_up(signature, defect)
            value = RERUN
        if value is not RERUN:
            signature.native_calls += 1
            return value
        signature.reruns += 1
        signature.python_calls -= 1
        if signature.reruns >= RERUNS_MIN and signature.reruns > 9 * signature.native_calls:
            signature.kernel = None
            signature.refusal = Refusal(None, "calls", "machine code hands nearly all of them back")
        switches.log("%s: Python makes the call again", self.name)
        if len(kernel.built.program.functions) == 1 or arm is Arm.NATIVE_ONLY:
            return self._in_python(plan, args, kwargs, arm, _RERUN, signature)
        # It has recurred, and would be tried again at every level of the recursion.
        thread = get_ident()
        _recurring.add(thread)
        try:
            return self._in_python(plan, args, kwargs, arm, _RERUN, signature)
        finally:
            _recurring.discard(thread)

    def _give_up(self, signature: Signature, defect: Exception) -> None:
        """A defect of the sidecar: nothing of it is used again for this signature."""
        switches.defect("%s: %s; Python makes its calls from now on", self.name, defect)
        signature.kernel = None
        signature.refusal = Refusal(None, "machine code", str(defect))

    def _in_python(
        self,
        plan: Plan,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        arm: Arm,
        why: Optional[Refusal],
        signature: Optional[Signature] = None,
    ) -> Any:
        if arm is Arm.NATIVE_ONLY:
            raise NativeRefused(f"{self.name} would run in Python: {why or _NO_SHAPE}")
        if signature is None:
            self.other_calls += 1
        else:
            signature.python_calls += 1
        python = plan.body.rewritten or self.function
        if plan.body.forms and not forms_hold(self.function, plan.body.forms):
            python = self.function
        if signature is not None and signature.refusal is None and plan.containers:
            args = tuple(map(arguments.python_value, args))
            kwargs = {name: arguments.python_value(one) for name, one in kwargs.items()}
        return converted(python(*args, **kwargs), self.return_type)

    def _other_shape(
        self,
        plan: Plan,
        values: list[Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        arm: Arm,
    ) -> Any:
        """A call with an argument that no program takes: element by element, or Python's."""
        shape = vectors.element_wise(values, plan.names, plan.containers)
        if shape is None:
            return self._in_python(plan, args, kwargs, arm, _NO_SHAPE)
        key = tuple(shape.params)
        signature = self._signature((*key, _ELEMENT_WISE), "element-wise")
        if signature is None or signature.refusal is not None:
            return self._in_python(plan, args, kwargs, arm, _NO_SHAPE)
        try:
            typecode = vectors.result_typecode(self._build(plan, key))
        except Unsupported as unsupported:
            signature.refusal = unsupported.refusal
            return self._in_python(plan, args, kwargs, arm, unsupported.refusal)
        if arm is Arm.NATIVE_ONLY:
            raise NativeRefused(f"{self.name} would run in Python: element by element")
        signature.python_calls += 1
        python = plan.body.rewritten or self.function

        def once(*row: Any) -> Any:
            return converted(python(*row[: python.__code__.co_argcount], **named(row)), None)

        def named(row: tuple[Any, ...]) -> dict[str, Any]:
            count = python.__code__.co_argcount
            return dict(zip(plan.names[count:], row[count:]))

        return vectors.call_each(
            lambda *row: converted(once(*row), self.return_type), shape, plan.names, typecode
        )

    # What is compiled -----------------------------------------------------------------------

    def _planned(self) -> Plan:
        plan = self._plan
        function = self.function
        if plan is None or (
            isinstance(function, types.FunctionType) and plan.body is not body_of(function)
        ):
            plan = self._plan = plan_of(function, self.return_type)
            self.signatures.clear()
            self._refused.clear()
            self._is_pythons = plan.refusal is not None
            if plan.refusal is not None:
                switches.log("%s stays in Python: %s", self.name, plan.refusal)
        return plan

    def _signature(self, key: Any, profile: str) -> Optional[Signature]:
        signature = self.signatures.get(key)
        if signature is None:
            if len(self.signatures) >= SIGNATURES_MAX:
                return None
            signature = self.signatures.setdefault(key, Signature(key, profile))
        return signature

    def _ready(
        self, plan: Plan, signature: Signature
    ) -> Optional[tuple[Kernel, list[Any]]]:
        """The program of a signature and its hidden arguments as they are now."""
        kernel = signature.kernel
        if kernel is not None:
            hidden = _current(kernel.built)
            if hidden is not None:
                return kernel, hidden
        if signature.refusal is not None:
            cause = signature.cause
            if cause is None or cause.read() is cause.found:
                return None
            signature.refusal = signature.cause = None
        if signature.compiled > RECOMPILED_MAX:
            signature.kernel = None
            signature.refusal = Refusal(
                None, "name", f"something it uses has changed more than {RECOMPILED_MAX} times"
            )
            return None
        kernel = self._compile(plan, signature)
        if kernel is None:
            return None
        hidden = _current(kernel.built)
        return None if hidden is None else (kernel, hidden)

    def _compile(self, plan: Plan, signature: Signature) -> Optional[Kernel]:
        signature.compiled += 1
        start = clock.monotonic()
        try:
            reason = shim.why_unavailable()
            if reason is not None:
                self._is_pythons = True
                raise Unsupported(None, "compute sidecar", reason)
            built = self._build(plan, signature.key)
            kernel = Kernel(built, shim.compile(encode(built.program)))
        except Unsupported as unsupported:
            signature.refusal, signature.cause = unsupported.refusal, unsupported.cause
            switches.log("%s stays in Python: %s", self.name, unsupported.refusal)
            return None
        except (shim.ProgramRefused, shim.NoCodeMemory, shim.SidecarDefect) as failed:
            signature.refusal = Refusal(None, "compute sidecar", str(failed))
            switches.defect("%s is not compiled: %s", self.name, failed)
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
            # A defect of Iris is not one of this call, which Python can make.
            signature.refusal = Refusal(None, "Iris", f"InternalError: {error!r}; please report it")
            switches.defect(
                "%s is not compiled, by a defect of Iris", self.name, with_traceback=True
            )
            return None
        Totals.compiled += 1
        Totals.compile_s += clock.monotonic() - start
        signature.kernel = kernel
        switches.log("%s is compiled for (%s)", self.name, ", ".join(kinds_of(signature.key)))
        return kernel

    def _build(self, plan: Plan, key: Key) -> Built:
        """Build a program; again without a function of `math` that turns out to differ."""
        assert plan.body.node is not None
        described = Described(
            plan.body.rewritten or self.function,
            plan.body.node,
            self.return_type,
            self.function,
            plan.body.forms,
        )
        refused: frozenset[str] = frozenset()
        while True:
            interpreter = running_interpreter(refused)
            built = build(described, list(key), interpreter, PythonWorld())
            more = differing(built.program)
            if more <= refused:
                drop_checks(built.program)
                return built
            refused |= more

    # Reports --------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What reports call it."""
        return str(getattr(self.function, "__qualname__", self.function))

    def report(self) -> Report:
        """What became of it."""
        from iris.jit.report import Report, SignatureReport  # on use: no call needs it

        plan = self._planned()
        report = Report(self.name, shim.why_unavailable() is None, plan.refusal)
        for one in list(self.signatures.values()):
            native = one.kernel is not None
            report.signatures.append(
                SignatureReport(
                    kinds_of(one.key),
                    one.profile,
                    plan.reduction,
                    "native" if native else "python",
                    {"python": None, **({"native": None} if native else {})},
                    one.native_calls,
                    one.reruns,
                    one.python_calls,
                    one.refusal,
                    str(one.kernel.built.program) if one.kernel is not None else None,
                )
            )
        return report


# Threads on which Python makes a call of a function that recurs, with all calls inside it. (Another
# greenlet of such a thread is taken for one of these calls: it only runs slower.)
_recurring: set[int] = set()

_alive: weakref.WeakSet[Offloaded] = weakref.WeakSet()

_ELEMENT_WISE = "element-wise"
_NO_SHAPE = Refusal(None, "arguments", "no program takes arguments of such types")
_TOO_MANY = Refusal(None, "arguments", f"more than {SIGNATURES_MAX} different call shapes")
_RERUN = Refusal(None, "call", "an exception is due, or a number has left the native range")


def all_offloaded() -> list[Offloaded]:
    """All offloaded functions that are alive."""
    return list(_alive)


def kinds_of(key: Any) -> tuple[str, ...]:
    """The types of a signature as words."""
    words = []
    for one in key:
        if not isinstance(one, Param):
            continue
        if one.type is Type.BUFFER:
            words.append(f"buffer of {Format(one.format).name.lower()}")
        else:
            words.append(one.type.name.lower())
    return tuple(words)


def _profile(params: list[Param]) -> str:
    return "container" if any(one.type is Type.BUFFER for one in params) else "scalar"


def _current(built: Built) -> Optional[list[Any]]:
    """The hidden arguments as they are now; None where the program no longer holds."""
    for guard in built.guards:
        if not is_same(guard.ref.read(), guard.value):
            return None
    hidden = []
    for one in built.hidden:
        value = one.ref.read()
        if type(value) is not _HIDDEN_TYPES[one.kind]:
            return None
        if one.kind == INT and value not in _INT_RANGE:
            return None
        hidden.append(value)
    return hidden


def converted(value: Any, return_type: Optional[str]) -> Any:
    """A result as `return_type` has it."""
    if return_type is None:
        return value
    return {"float": float, "int": int, "bool": bool}[return_type](value)


