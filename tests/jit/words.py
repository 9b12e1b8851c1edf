"""Words back to a program: the opposite of `iris.jit.encode`, for mutated words."""

from __future__ import annotations

from collections.abc import Sequence

from iris.jit.encode import double_of
from iris.jit.ir import (
    OPS,
    WORDS_MAGIC,
    WORDS_VERSION,
    Format,
    Function,
    Instr,
    Opcode,
    Param,
    Program,
    Type,
)


class NoProgram(Exception):
    """The words do not even have the form of a program."""


def decode(words: Sequence[int]) -> Program:
    """The program of some words, for `check.verify` to judge."""
    try:
        return _decode(list(words))
    except (ValueError, IndexError, KeyError) as error:
        raise NoProgram(str(error)) from None


def _decode(words: list[int]) -> Program:
    words.reverse()
    if words.pop() != WORDS_MAGIC or words.pop() != WORDS_VERSION:
        raise NoProgram
    count = words.pop()
    # PyPy makes room for as many as a range says.
    if count > len(words):
        raise NoProgram
    functions = [_function(words) for _ in range(count)]
    if words:
        raise NoProgram
    return Program(functions)


def _function(words: list[int]) -> Function:
    params, local_count, outs, count = (words.pop() for _ in range(4))
    if params + local_count + 4 * count > len(words):
        raise NoProgram
    function = Function("f", [_param(words.pop()) for _ in range(params)])
    function.locals = [Type(words.pop()) for _ in range(local_count)]
    function.outs = outs
    function.code = [_instr(words) for _ in range(count)]
    return function


def _param(word: int) -> Param:
    kind = Type(word & 0xFF)
    if word >> 17 or (kind is not Type.BUFFER and word >> 8):
        raise NoProgram
    return Param(kind, Format(word >> 8 & 0xFF), bool(word >> 16))


def _instr(words: list[int]) -> Instr:
    word, *operands = (words.pop() for _ in range(4))
    op = Opcode(word & 0xFF)
    used = len(OPS[op].operands)
    if op is Opcode.CONST_I or op is Opcode.CONST_F:
        if operands[0]:
            raise NoProgram
        bits = operands[1] | operands[2] << 32
        literal = double_of(bits) if op is Opcode.CONST_F else bits - (bits >> 63 << 64)
        return Instr(op, (literal,), word >> 8)
    if any(operands[used:]) or (op is Opcode.CONST_B and operands[0] > 1):
        raise NoProgram
    if op is Opcode.CONST_B:
        return Instr(op, (bool(operands[0]),), word >> 8)
    return Instr(op, tuple(operands[:used]), word >> 8)
