"""Compares calls of an offloaded function with calls of the plain one, bit for bit.

Both sides run on the same interpreter, each with modules and buffers of its own. Seen are the
result (types, bits, tuples), the exception (type and message), and every buffer afterwards.
"""

from __future__ import annotations

import itertools
import linecache
import math
import platform
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Optional

from iris import errors

from .forms import LoopLimit, written_out
from .values import Call, fresh


class Refused(Exception):
    """Takes the place of `iris.errors.NativeRefused` where Iris has none yet."""


NativeRefused: type[Exception] = getattr(errors, "NativeRefused", Refused)

NAN_BITS = False
"""Whether nans of different bits differ. Which of two nans comes out of an operation is not settled
by IEEE 754, and the C compiler that built the interpreter has chosen; only `copysign` and the bytes
of a buffer show it."""

_number = itertools.count()
PYPY = platform.python_implementation() == "PyPy"


@dataclass(frozen=True)
class Outcome:
    """What one call came to; equal ones cannot be told apart by the caller."""

    result: Any
    """In the frozen form of `frozen`, or the type and message of the exception."""
    raised: bool
    buffers: tuple[Any, ...]


@dataclass(frozen=True)
class Difference:
    """One call that came out otherwise."""

    call: Call
    expected: Outcome
    got: Outcome

    def __str__(self) -> str:
        return f"call     {self.call}\nexpected {self.expected}\ngot      {self.got}"


def frozen(value: Any) -> Any:
    """A value as data that compares by type and bits."""
    if type(value) is float:
        if math.isnan(value) and not NAN_BITS:
            return ("float", "nan")
        return ("float", repr(value), struct.pack("<d", value).hex())
    if type(value) in (tuple, list):
        return (type(value).__name__, *map(frozen, value))
    if value is None or type(value) in (int, bool, str, complex):
        return (type(value).__name__, repr(value))
    return (type(value).__module__, type(value).__qualname__)


def contents(argument: Any) -> Any:
    """What a container holds, to the bit."""
    if isinstance(argument, (list, tuple)):
        return frozen(argument)
    try:
        view = memoryview(argument)
        return frozen(view.tolist()) if view.format in ("f", "d") else bytes(view)
    except TypeError:
        return None


def outcome(function: Callable[..., Any], call: Call) -> Outcome:
    """Make the call."""
    made = fresh((*call.args, *call.kwargs.values()))
    args, kwargs = made[: len(call.args)], dict(zip(call.kwargs, made[len(call.args) :]))
    try:
        result, raised = frozen(function(*args, **kwargs)), False
    except NativeRefused:
        raise
    except Exception as error:
        name = type(error).__name__ if type(error).__name__ == "LoopLimit" else type(error)
        # The two sides word it differently on purpose; whose limit it is says the type.
        text = "" if name == "LoopLimit" else str(error)
        result, raised = (name, text), True
    return Outcome(result, raised, tuple(map(contents, made)))


class Module:
    """A source as a module of its own."""

    def __init__(
        self,
        source: str,
        offload: Callable[[Any], Any],
        entry: str = "f",
        names: Optional[dict[str, Any]] = None,
    ) -> None:
        name = f"generated_{next(_number)}"
        self.file = f"{name}.py"
        # Where `inspect` looks for the source of a function that stands in no file.
        linecache.cache[self.file] = (len(source), None, source.splitlines(True), self.file)
        self.names: dict[str, Any] = {
            "offload": offload,
            "LoopLimit": LoopLimit,
            "__name__": name,
            **(names or {}),
        }
        exec(compile(source, self.file, "exec", dont_inherit=True), self.names)
        self.function = self.names[entry]

    def call(self, call: Call, how: Optional[AbstractContextManager[Any]] = None) -> Outcome:
        """Rebind what the call asks for, then make it."""
        self.names.update(call.rebind)
        with how or nullcontext():
            return outcome(self.function, call)

    def close(self) -> None:
        """Drop the source; thousands of programs run in one process."""
        linecache.cache.pop(self.file, None)


def _undecorated(function: Any = None, return_type: Optional[str] = None) -> Any:
    """What `offload` does to a function's meaning."""
    if function is None:
        return lambda given: _undecorated(given, return_type)
    if return_type is None:
        return function
    convert = {"float": float, "int": int, "bool": bool}[return_type]
    return lambda *args, **kwargs: convert(function(*args, **kwargs))


def plain(source: str, features: frozenset[str] | None = None) -> Module:
    """The side that is right: without Iris, with the seed's forms written out."""
    if features is None or "forms" in features:
        source = written_out(source)
    return Module(source, _undecorated)


class Side:
    """The side under test.

    `arm` is what is pinned for every call: `native` by default, so that also a small function
    runs as machine code; an empty one leaves the choice to Iris.
    """

    def __init__(self, offload: Callable[[Any], Any], jit: Any = None, arm: str = "native") -> None:
        self.offload = offload
        self.jit = jit
        self.arm = arm

    def force(self, arm: str) -> AbstractContextManager[Any]:
        """Pin the arm for a while."""
        return nullcontext() if self.jit is None or not arm else self.jit.force(arm)


def offloaded() -> Side:
    """The side under test as it is in this process; without a sidecar it is plain Python."""
    import iris

    offload = getattr(iris, "offload", None)
    if offload is None:
        return Side(lambda function: function)
    import iris.jit

    return Side(offload, iris.jit)


def native_here() -> bool:
    """Whether functions are compiled in this process."""
    side = offloaded()
    return side.jit is not None and bool(side.jit.available())


@dataclass
class Verdict:
    """What comparing one program came to."""

    differences: list[Difference]
    native: int = 0
    """Calls that had to run natively and did."""
    refused: int = 0
    """Calls that had to run natively and did not."""
    why: str = ""


def compare(
    source: str,
    calls: tuple[Call, ...],
    side: Side,
    features: frozenset[str] | None = None,
    must: Optional[Callable[[Call], bool]] = None,
) -> Verdict:
    """Make the calls on both sides.

    Args:
        source: A module with the function `f`.
        calls: What to call it with.
        side: The side under test.
        features: Of a generated program; None: not known.
        must: Which calls have to run natively without a re-run; only those that raise nothing
            are asked for. None: no call.
    """
    right = plain(source, features)
    # Without Iris's own meaning for the seed's forms there is none to compare.
    ours = plain(source) if side.jit is None else Module(source, side.offload)
    verdict = Verdict([])
    try:
        for call in calls:
            expected = right.call(call)
            arm = side.arm
            if must is not None and not expected.raised and must(call):
                arm = "native-only"
            try:
                got = ours.call(call, side.force(arm))
                verdict.native += arm == "native-only"
            except NativeRefused as refusal:
                verdict.refused += 1
                verdict.why = verdict.why or str(refusal)
                got = ours.call(call, side.force(side.arm))
            if got != expected:
                verdict.differences.append(Difference(call, expected, got))
    finally:
        right.close()
        ours.close()
    return verdict


def not_native_here(features: frozenset[str]) -> bool:
    """Whether a program uses what this interpreter's table keeps in Python."""
    hosted = {"log2", "erf", "erfc"} if PYPY else set()
    return bool(features & (hosted | {"hypot"}))
