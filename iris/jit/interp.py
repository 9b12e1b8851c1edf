"""Executes a program, operation by operation, with exactly the meaning that `ir` gives them.

It is the judge between the front end and the sidecar: a program whose result here is not Python's
was built wrongly, one whose machine code differs from here was compiled wrongly. It is slow and
means to be; `fold` also lets it compute loops of constants.

Whoever writes a program may promise something (an index is inside, a divisor is not 0). A program
that breaks its promise has no meaning: `Undefined`.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any, Callable

from iris.jit.arith import PURE, Ended, Undefined, Value, bits, fitting, single, wrap
from iris.jit.encode import double_of
from iris.jit.ir import (
    CALLS_OPEN_MAX,
    FORMATS,
    NONNEGATIVE,
    OPENS,
    Format,
    Function,
    Instr,
    Opcode,
    Program,
    Status,
    Type,
    slots_of,
)

STEPS_MAX = 10_000_000


class StepLimit(Exception):
    """More than `steps_max` instructions were executed. Stores made by then stay."""


def run(
    program: Program, args: Sequence[Any], steps_max: int = STEPS_MAX
) -> tuple[Status, list[int]]:
    """Call the entry of a verified program.

    Args:
        program: What `check.verify` has let through.
        args: One for each parameter: an int, float or bool, or a buffer's items as a sequence,
            which stores change.
        steps_max: How many instructions may be executed.

    Returns:
        How it ended, and the result slots as unsigned 64-bit integers (0 where not filled).

    Raises:
        Undefined: when the program breaks a promise.
        StepLimit: when it takes too long.
    """
    runner = _Runner(program, steps_max)
    results = [0] * program.functions[0].outs
    try:
        runner.call(0, list(args), results)
    except Ended as ended:
        return ended.status, results
    return Status.DONE, results


class _Runner:
    """One call of the entry with all calls inside it."""

    def __init__(self, program: Program, steps_max: int) -> None:
        self.functions = program.functions
        self.jumps = [_jumps(one.code) for one in program.functions]
        self.steps_left = steps_max
        self.calls_open = 0

    def call(self, which: int, args: list[Any], results: list[int]) -> None:
        function, jumps = self.functions[which], self.jumps[which]
        frame = _Frame(function, args, results)
        code, values = function.code, frame.values
        at = 0
        while True:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise StepLimit
            one = code[at]
            op = one.op
            pure = PURE.get(op)
            if pure is not None:
                values[at] = pure(one.flags, *[values[int(index)] for index in one.operands])
            elif op in _FRAME:
                values[at] = _FRAME[op](frame, one)
            elif op is Opcode.CALL:
                self._call(frame, int(one.operands[0]))
            elif op is Opcode.RET:
                return
            elif op is Opcode.FAIL or (op is Opcode.FAILIF and values[int(one.operands[0])]):
                raise Ended(Status(int(one.operands[-1])))
            elif op is Opcode.BR or (op is Opcode.BRIF and values[int(one.operands[0])]):
                at = jumps[at]
                continue
            elif op is Opcode.ELSE or (op is Opcode.IF and not values[int(one.operands[0])]):
                # The arm before it has run through, or the first arm is not to be run.
                at = jumps[at]
                continue
            at += 1

    def _call(self, frame: _Frame, which: int) -> None:
        if self.calls_open >= CALLS_OPEN_MAX:
            raise Ended(Status.RERUN)
        params = self.functions[which].params
        args = [frame.puts[slot] for slot in slots_of(params)[:-1]]
        self.calls_open += 1
        try:
            self.call(which, args, frame.called)
        except RecursionError:
            # This stack, too, is used up.
            raise Ended(Status.RERUN) from None
        self.calls_open -= 1


class _Frame:
    """What one call of one function has."""

    __slots__ = ("args", "called", "function", "locals", "puts", "results", "values")

    def __init__(self, function: Function, args: list[Any], results: list[int]) -> None:
        self.function = function
        self.args = args
        self.results = results
        self.values: list[Any] = [None] * len(function.code)
        zeros: dict[Type, Value] = {Type.INT: 0, Type.FLOAT: 0.0, Type.BOOL: False}
        self.locals = [zeros[one] for one in function.locals]
        # Argument slots of the next call, and the result slots of those so far.
        self.puts: dict[int, Any] = {}
        self.called = [0] * 32


def _jumps(code: list[Instr]) -> dict[int, int]:
    """Where BR, BRIF, ELSE and an IF whose condition is false go on, by index."""
    ends: dict[int, int] = {}
    elses: dict[int, int] = {}
    opened: list[int] = []
    for index, one in enumerate(code):
        if one.op in OPENS:
            opened.append(index)
        elif one.op is Opcode.ELSE:
            elses[opened[-1]] = index
        elif one.op is Opcode.END:
            ends[opened.pop()] = index
    jumps: dict[int, int] = {}
    for index, one in enumerate(code):
        if one.op in OPENS:
            opened.append(index)
            jumps[index] = elses.get(index, ends[index]) + 1
        elif one.op is Opcode.ELSE:
            jumps[index] = ends[opened[-1]] + 1
        elif one.op is Opcode.END:
            opened.pop()
        elif one.op is Opcode.BR or one.op is Opcode.BRIF:
            target = opened[-1 - int(one.operands[-1])]
            jumps[index] = target + 1 if code[target].op is Opcode.LOOP else ends[target] + 1
    return jumps


# What reads or writes the frame.


def _literal(_frame: _Frame, one: Instr) -> Value:
    return one.operands[0]


def _arg(frame: _Frame, one: Instr) -> Any:
    return frame.args[int(one.operands[0])]


def _len(frame: _Frame, one: Instr) -> int:
    return len(frame.args[int(one.operands[0])])


def _get(frame: _Frame, one: Instr) -> Value:
    return frame.locals[int(one.operands[0])]


def _set(frame: _Frame, one: Instr) -> None:
    frame.locals[int(one.operands[0])] = frame.values[int(one.operands[1])]


def _out(frame: _Frame, one: Instr) -> None:
    frame.results[int(one.operands[0])] = bits(frame.values[int(one.operands[1])])


def _put(frame: _Frame, one: Instr) -> None:
    frame.puts[int(one.operands[0])] = frame.values[int(one.operands[1])]


def _put_buffer(frame: _Frame, one: Instr) -> None:
    frame.puts[int(one.operands[0])] = frame.args[int(one.operands[1])]


def _result(frame: _Frame, one: Instr) -> Value:
    found = frame.called[int(one.operands[0])]
    if one.flags == Type.FLOAT:
        return double_of(found)
    return bool(found) if one.flags == Type.BOOL else wrap(found)


def _index(frame: _Frame, one: Instr) -> int:
    count = len(frame.args[int(one.operands[0])])
    index: int = frame.values[int(one.operands[1])]
    if index < 0:
        if one.flags & NONNEGATIVE:
            raise Undefined(f"a negative index {index} in {one.op.name}")
        index += count
    if not 0 <= index < count:
        raise Ended(Status.RERUN)
    return index


def _inside(frame: _Frame, one: Instr) -> tuple[MutableSequence[Any], int, Format]:
    param = int(one.operands[0])
    buffer, index = frame.args[param], frame.values[int(one.operands[1])]
    if not 0 <= index < len(buffer):
        raise Undefined(f"index {index} of {len(buffer)} items in {one.op.name}")
    return buffer, index, frame.function.params[param].format


def _load(frame: _Frame, one: Instr) -> Value:
    buffer, index, form = _inside(frame, one)
    item = buffer[index]
    kind = FORMATS[form].type
    if kind is Type.FLOAT:
        return float(item)
    if kind is Type.BOOL:
        return bool(item)
    return fitting(one.flags, int(item))


def _store(frame: _Frame, one: Instr) -> None:
    buffer, index, form = _inside(frame, one)
    value = frame.values[int(one.operands[2])]
    facts = FORMATS[form]
    if form is Format.F32:
        value = single(value)
    elif facts.least is not None and facts.most is not None:
        value = fitting(one.flags, value, facts.least, facts.most)
    buffer[index] = value


_FRAME: dict[Opcode, Callable[[_Frame, Instr], Any]] = {
    Opcode.CONST_I: _literal,
    Opcode.CONST_F: _literal,
    Opcode.CONST_B: _literal,
    Opcode.ARG: _arg,
    Opcode.LEN: _len,
    Opcode.GET: _get,
    Opcode.SET: _set,
    Opcode.OUT: _out,
    Opcode.PUT: _put,
    Opcode.PUT_BUFFER: _put_buffer,
    Opcode.RESULT: _result,
    Opcode.INDEX: _index,
    Opcode.LOAD: _load,
    Opcode.STORE: _store,
}
