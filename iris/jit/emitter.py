"""Writes the instructions of one function: values, locals, nested constructs.

Whoever calls this thinks in values and labels; the indices, depths and the operand order of the
intermediate representation are known here only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

from iris.jit.ir import (
    CHECKED,
    OPERATIONS_MAX,
    Compare,
    Function,
    Instr,
    Math,
    Opcode,
    Status,
    Type,
)
from iris.jit.refusal import Unsupported

# Every integer up to this is a double.
_DOUBLE_EXACT = 2**53

# The index of an instruction that gives a value.
Value = int


class Label:
    """A construct that a branch may leave."""

    __slots__ = ("depth",)

    def __init__(self, depth: int) -> None:
        self.depth = depth


class Emitter:
    """One function while it is written."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.line = 0
        # The parameter by which this function has a buffer, by that of the entry.
        self.buffers: dict[int, int] = {}
        self._depth = 0
        # Whether what is written now can be reached; False after a branch, until the construct
        # ends. Nothing is written then.
        self._open = True
        self._reachable: list[bool] = []

    # Values -------------------------------------------------------------------------------

    def op(self, op: Opcode, *operands: float, flags: int = 0) -> Value:
        """Write one instruction. Its index is its value, if it has one."""
        code = self.function.code
        if not self._open:
            # The value of code that is never reached, for others that are not written either.
            return -1
        if len(code) >= OPERATIONS_MAX:
            raise Unsupported(
                self.line or None,
                "function",
                f"it is longer than {OPERATIONS_MAX} operations, with what it calls inlined",
            )
        code.append(Instr(op, operands, flags, self.line))
        return len(code) - 1

    def const_int(self, value: int) -> Value:
        return self.op(Opcode.CONST_I, int(value))

    def const_float(self, value: float) -> Value:
        return self.op(Opcode.CONST_F, value)

    def const_bool(self, value: bool) -> Value:
        return self.op(Opcode.CONST_B, value)

    def exact_literal(self, value: Value) -> Optional[float]:
        """An integer constant as a double, where this is the same number."""
        if value < 0:
            return None
        one = self.function.code[value]
        if one.op is not Opcode.CONST_I or abs(one.operands[0]) > _DOUBLE_EXACT:
            return None
        return float(one.operands[0])

    def is_small(self, value: Value) -> bool:
        """Whether an integer is by its origin far from what 64 bits hold."""
        if value < 0:
            return True
        return self.function.code[value].op is Opcode.LEN or self.exact_literal(value) is not None

    def fcmp(self, how: Compare, one: Value, other: Value) -> Value:
        return self.op(Opcode.FCMP, one, other, flags=how)

    def icmp(self, how: Compare, one: Value, other: Value) -> Value:
        return self.op(Opcode.ICMP, one, other, flags=how)

    def math1(self, function: Math, x: Value) -> Value:
        return self.op(Opcode.MATH1, x, flags=function)

    def math2(self, function: Math, x: Value, y: Value) -> Value:
        return self.op(Opcode.MATH2, x, y, flags=function)

    def checked(self, op: Opcode, *operands: Value) -> Value:
        return self.op(op, *operands, flags=CHECKED)

    def fail_if(self, condition: Value) -> None:
        """End the call with status 1 if the condition holds."""
        self.op(Opcode.FAILIF, condition, Status.RERUN)

    def fail(self) -> None:
        """End the call with status 1. What follows in this construct is not written."""
        self.op(Opcode.FAIL, Status.RERUN)
        self._open = False

    def length(self, buffer: int) -> Value:
        """How many items a buffer has; it is named by the entry's parameter."""
        return self.op(Opcode.LEN, self.buffer(buffer))

    def buffer(self, buffer: int) -> int:
        """The parameter of this function that is a buffer of the entry."""
        return self.buffers.get(buffer, buffer)

    # Locals -------------------------------------------------------------------------------

    def local(self, type_: Type) -> int:
        """A new local."""
        self.function.locals.append(type_)
        return len(self.function.locals) - 1

    def get(self, local: int) -> Value:
        return self.op(Opcode.GET, local)

    def set(self, local: int, value: Value) -> None:
        self.op(Opcode.SET, local, value)

    # Constructs ---------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether what is written now can be reached."""
        return self._open

    @contextmanager
    def block(self) -> Iterator[Label]:
        """A construct that a branch leaves to its end."""
        with self._construct(Opcode.BLOCK) as label:
            yield label

    @contextmanager
    def loop(self) -> Iterator[Label]:
        """A construct that a branch leaves to its start. Its own end goes on behind it."""
        with self._construct(Opcode.LOOP) as label:
            yield label

    @contextmanager
    def when(self, condition: Value) -> Iterator[Label]:
        """What is done only if the condition holds."""
        with self._construct(Opcode.IF, condition) as label:
            yield label

    def otherwise(self) -> None:
        """From the one arm of `when` to the other."""
        # An arm may have left, and the construct itself can have been unreachable all along.
        if self._reachable[-1]:
            self._open = True
            self.op(Opcode.ELSE)

    def branch(self, label: Label, condition: Optional[Value] = None) -> None:
        """Leave to a label, always or if the condition holds."""
        depth = self._depth - label.depth
        if condition is None:
            self.op(Opcode.BR, depth)
            self._open = False
        else:
            self.op(Opcode.BRIF, condition, depth)

    def ret(self) -> None:
        """End the function."""
        self.op(Opcode.RET)
        self._open = False

    @contextmanager
    def _construct(self, op: Opcode, *operands: Value) -> Iterator[Label]:
        reachable = self._open
        self.op(op, *operands)
        self._reachable.append(reachable)
        self._depth += 1
        yield Label(self._depth)
        self._depth -= 1
        self._reachable.pop()
        if reachable:
            # Whether anything arrives here is not followed: code that nothing reaches is only
            # waste, and the sidecar drops it.
            self._open = True
            self.op(Opcode.END)
