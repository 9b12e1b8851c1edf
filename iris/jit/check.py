"""Refuses a program that is not what `ir` says a program is.

The sidecar applies the same rules to the words again (`jitshim/src/ir.rs`), and a test feeds both
the same programs. This one exists so that a mistake of the front end or of a pass is found where it
is made, with the function and the instruction; the other so that no array of words whatsoever can
make the sidecar emit nonsense.

Beside the operands' own rules of `ir.OPS`:

- A value is used after its instruction, inside the construct (for `IF`: the arm) that holds it.
- Behind `BR`, `FAIL` and `RET` comes the `END` or `ELSE` of the same construct. The last
  instruction is a `RET` or a `FAIL` outside all constructs, so that no end is fallen off.
- The `PUT`s of a call stand before it with no construct's beginning or end in between, fill each
  argument slot exactly once, and have the types of the called function's parameters.
- `RESULT` reads a slot that the last `CALL` of the text has, in the same construct or around it;
  not from before a `LOOP` inside it, nor past a construct in which there was another `CALL`.
"""

from __future__ import annotations

from typing import Optional

from iris.errors import InternalError
from iris.jit.ir import (
    DEPTH_MAX,
    FORMATS,
    FUNCTIONS_MAX,
    LEAVES,
    LOCALS_MAX,
    MATH2_FIRST,
    OPENS,
    OPERATIONS_MAX,
    OPS,
    OUT_SLOTS_MAX,
    PARAMS_MAX,
    VALUE_USES,
    Format,
    Function,
    Instr,
    Opcode,
    Param,
    Program,
    Rule,
    Status,
    Type,
    Use,
    slots_of,
)

# Flags that are one number of an enumeration; all others are bits.
_ENUMERATED = frozenset(
    {Opcode.FCMP, Opcode.ICMP, Opcode.IFCMP, Opcode.MATH1, Opcode.MATH2, Opcode.RESULT}
)
_TYPE_OF_USE = {Use.INT: Type.INT, Use.FLOAT: Type.FLOAT, Use.BOOL: Type.BOOL}
_LITERALS = {Opcode.CONST_I: int, Opcode.CONST_F: float, Opcode.CONST_B: bool}
_PUTS = frozenset({Opcode.PUT, Opcode.PUT_BUFFER})


class Refused(InternalError):
    """A program is none: `function` and `index` say where, -1 for a function as a whole."""

    def __init__(self, function: int, index: int, reason: str) -> None:
        super().__init__(f"function {function}, instruction {index}: {reason}")
        self.function = function
        self.index = index
        self.reason = reason


class _Bad(Exception):
    """A reason on its way to the place that knows the index."""


def verify(program: Program) -> None:
    """Check a whole program.

    Raises:
        Refused: with the place and the rule that is broken.
    """
    functions = program.functions
    if not 1 <= len(functions) <= FUNCTIONS_MAX:
        raise Refused(0, -1, f"{len(functions)} functions, where 1 to {FUNCTIONS_MAX} may be")
    if sum(len(one.code) for one in functions) > OPERATIONS_MAX:
        raise Refused(0, -1, f"more than {OPERATIONS_MAX} instructions")
    for at, function in enumerate(functions):
        try:
            _verify_frame(function)
        except _Bad as bad:
            raise Refused(at, -1, str(bad)) from None
    for at, function in enumerate(functions):
        _Checker(program, at, function).run()


def result_type(function: Function, index: int) -> Optional[Type]:
    """The type of the value that an instruction of a sound function gives; None for none."""
    one = function.code[index]
    while one.op is Opcode.SELECT:
        one = function.code[int(one.operands[1])]
    return _given_type(function, one)


def _given_type(function: Function, one: Instr) -> Optional[Type]:
    """As `result_type`, for everything but SELECT."""
    if one.op is Opcode.ARG:
        return function.params[int(one.operands[0])].type
    if one.op is Opcode.GET:
        return function.locals[int(one.operands[0])]
    if one.op is Opcode.LOAD:
        return FORMATS[function.params[int(one.operands[0])].format].type
    if one.op is Opcode.RESULT:
        return Type(one.flags)
    return OPS[one.op].result


def _verify_frame(function: Function) -> None:
    """Check what a function has beside its code."""
    limits = (
        ("parameters", len(function.params), PARAMS_MAX),
        ("locals", len(function.locals), LOCALS_MAX),
        ("result slots", function.outs, OUT_SLOTS_MAX),
    )
    for what, number, most in limits:
        if not 0 <= number <= most:
            raise _Bad(f"{number} {what}, where at most {most} may be")
    for param in function.params:
        if param.type is not Type.BUFFER and param.writable:
            raise _Bad("a scalar parameter is writable")
        if not isinstance(param.type, Type) or not isinstance(param.format, Format):
            raise _Bad("a parameter has no type or format")
    if any(one not in (Type.INT, Type.FLOAT, Type.BOOL) for one in function.locals):
        raise _Bad("a local is neither INT, FLOAT nor BOOL")
    if not function.code:
        raise _Bad("there is no code")


class _Construct:
    """A construct that is open; the function itself is the outermost."""

    __slots__ = ("called_before", "calls", "op", "values")

    def __init__(self, op: Optional[Opcode], called_before: Optional[int]) -> None:
        self.op = op
        # The values of this construct, or of the current arm of an IF.
        self.values: list[int] = []
        # What the last call was at its beginning, and whether there has been one inside.
        self.called_before = called_before
        self.calls = False


class _Checker:
    """One walk over the code of one function."""

    def __init__(self, program: Program, at: int, function: Function) -> None:
        self.program = program
        self.at = at
        self.function = function
        self.open = [_Construct(None, None)]
        # By index: the type while the value can be used, else None.
        self.types: list[Optional[Type]] = [None] * len(function.code)
        # The last instruction was one after which nothing of the construct can be reached.
        self.left = False
        # What the PUTs so far have filled, by slot: a type, or the parameter of a buffer.
        self.puts: dict[int, object] = {}
        # The function whose results RESULT reads.
        self.called: Optional[int] = None

    def run(self) -> None:
        """Check all instructions and the end."""
        index = -1
        try:
            for index, one in enumerate(self.function.code):
                self._instruction(index, one)
            if len(self.open) > 1:
                raise _Bad("a construct is not closed")
            if not self.left:
                raise _Bad("the last instruction is neither RET nor FAIL")
        except _Bad as bad:
            raise Refused(self.at, index, str(bad)) from None

    def _instruction(self, index: int, one: Instr) -> None:
        rule = OPS.get(one.op)
        if rule is None:
            raise _Bad("there is no such operation")
        if self.left and one.op not in (Opcode.END, Opcode.ELSE):
            raise _Bad("it cannot be reached")
        self.left = False
        self._flags(one, rule)
        if len(one.operands) != len(rule.operands):
            raise _Bad(f"{len(one.operands)} operands instead of {len(rule.operands)}")
        for place, (use, operand) in enumerate(zip(rule.operands, one.operands)):
            self._operand(one, place, use, operand)
        if one.op in OPENS or one.op in (Opcode.ELSE, Opcode.END):
            self._construct(one.op)
        elif one.op in _PUTS:
            self._put(one)
        elif one.op is Opcode.CALL:
            self._call(int(one.operands[0]))
        if one.op in LEAVES:
            if self.puts:
                raise _Bad("a PUT before it has no CALL")
            self.left = True
        if rule.result is not None or rule.gives:
            given = _given_type(self.function, one)
            if one.op is Opcode.SELECT:
                given = self.types[int(one.operands[1])]
            self.types[index] = given
            self.open[-1].values.append(index)

    @staticmethod
    def _flags(one: Instr, rule: Rule) -> None:
        least = MATH2_FIRST if one.op is Opcode.MATH2 else 0
        if one.op in _ENUMERATED:
            good = least <= one.flags <= rule.flags
        else:
            good = not one.flags & ~rule.flags
        if not good:
            raise _Bad(f"flags {one.flags}")

    def _operand(self, one: Instr, place: int, use: Use, operand: float) -> None:
        if use is Use.LITERAL:
            if type(operand) is not _LITERALS[one.op]:
                raise _Bad(f"{operand!r} is no literal of {one.op.name}")
            if one.op is Opcode.CONST_I and not -(2**63) <= operand < 2**63:
                raise _Bad(f"{operand!r} has more than 64 bits")
            return
        if not isinstance(operand, int) or operand < 0:
            raise _Bad(f"operand {operand!r}")
        if use in VALUE_USES:
            self._value(one, place, use, operand)
        elif use is Use.PARAM or use is Use.BUFFER:
            params = self.function.params
            if operand >= len(params):
                raise _Bad(f"there is no parameter {operand}")
            if (params[operand].type is Type.BUFFER) is not (use is Use.BUFFER):
                raise _Bad(f"parameter {operand} is {params[operand].type.name}")
            if one.op is Opcode.STORE and not params[operand].writable:
                raise _Bad(f"buffer {operand} is not writable")
        elif use is Use.STATUS:
            if operand != Status.RERUN:
                raise _Bad(f"status {operand}")
        elif operand >= self._end_of(one, use):
            raise _Bad(f"{use.name.lower()} {operand}, where there are {self._end_of(one, use)}")

    def _end_of(self, one: Instr, use: Use) -> int:
        """The number that an operand must stay below."""
        if use is Use.LOCAL:
            return len(self.function.locals)
        if use is Use.DEPTH:
            return len(self.open) - 1
        if use is Use.FUNCTION:
            return len(self.program.functions)
        if one.op is Opcode.OUT:
            return self.function.outs
        if one.op is Opcode.RESULT:
            return 0 if self.called is None else self.program.functions[self.called].outs
        return 2 * PARAMS_MAX  # the slots of a call, which `_call` checks

    def _value(self, one: Instr, place: int, use: Use, operand: int) -> None:
        found = self.types[operand] if operand < len(self.types) else None
        if found is None:
            raise _Bad(f"%{operand} is no value here")
        wanted: Optional[Type] = found
        if use in _TYPE_OF_USE:
            wanted = _TYPE_OF_USE[use]
        elif use is Use.LOCAL_VALUE:
            wanted = self.function.locals[int(one.operands[0])]
        elif use is Use.ITEM:
            wanted = FORMATS[self.function.params[int(one.operands[0])].format].type
        elif use is Use.SAME and place == 2:
            wanted = self.types[int(one.operands[1])]
        if found is not wanted:
            raise _Bad(f"%{operand} is {found.name}")

    def _construct(self, op: Opcode) -> None:
        if self.puts:
            raise _Bad("a PUT before it has no CALL")
        if op in OPENS:
            if len(self.open) > DEPTH_MAX:
                raise _Bad(f"more than {DEPTH_MAX} constructs inside each other")
            self.open.append(_Construct(op, self.called))
            if op is Opcode.LOOP:
                self.called = None
            return
        inner = self.open[-1]
        if inner.op is None or (op is Opcode.ELSE and inner.op is not Opcode.IF):
            raise _Bad("it closes nothing" if op is Opcode.END else "it is in no IF")
        for value in inner.values:
            self.types[value] = None
        inner.values.clear()
        if op is Opcode.ELSE:
            inner.op = Opcode.ELSE
            self.called = inner.called_before
            return
        self.open.pop()
        self.called = None if inner.calls else inner.called_before
        self.open[-1].calls |= inner.calls

    def _put(self, one: Instr) -> None:
        slot = int(one.operands[0])
        if slot in self.puts:
            raise _Bad(f"slot {slot} is filled twice")
        operand = int(one.operands[1])
        buffer = one.op is Opcode.PUT_BUFFER
        self.puts[slot] = self.function.params[operand] if buffer else self.types[operand]

    def _call(self, callee: int) -> None:
        params = self.program.functions[callee].params
        slots = slots_of(params)
        if len(self.puts) != len(params):
            raise _Bad(f"{len(self.puts)} arguments instead of {len(params)}")
        for slot, param in zip(slots, params):
            if not _fits(self.puts.get(slot), param):
                raise _Bad(f"the argument in slot {slot} is missing or of another type")
        self.puts.clear()
        self.called = callee
        self.open[-1].calls = True


def _fits(put: object, param: Param) -> bool:
    """Whether what was PUT is what a parameter takes."""
    if isinstance(put, Param):
        writable = put.writable or not param.writable
        return param.type is Type.BUFFER and put.format is param.format and writable
    return put is not None and put is param.type
