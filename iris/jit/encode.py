"""Turns a program into the words that the sidecar takes: a flat array of 32-bit integers.

`jitshim/jitshim.h` says how they lie; `jitshim/src/ir.rs` reads and validates them. Nothing is
checked here: a program that `check` refuses must not come this far, and the sidecar validates
every word again.
"""

from __future__ import annotations

import struct
from array import array

from iris.jit.ir import WORDS_MAGIC, WORDS_VERSION, Function, Opcode, Param, Program, Type

_BUFFER_FORMAT_SHIFT = 8
_BUFFER_WRITABLE = 1 << 16
_FLAGS_SHIFT = 8
_LOW = 0xFFFF_FFFF
_DOUBLE = struct.Struct("<d")
_BITS = struct.Struct("<Q")


def encode(program: Program) -> array[int]:
    """The words of a program, as `array('I')`."""
    words = [WORDS_MAGIC, WORDS_VERSION, len(program.functions)]
    for function in program.functions:
        words += _function_words(function)
    return array("I", words)


def double_bits(value: float) -> int:
    """The 64 bits of a double."""
    bits: int = _BITS.unpack(_DOUBLE.pack(value))[0]
    return bits


def double_of(bits: int) -> float:
    """The double that has these 64 bits."""
    value: float = _DOUBLE.unpack(_BITS.pack(bits & 0xFFFF_FFFF_FFFF_FFFF))[0]
    return value


def _function_words(function: Function) -> list[int]:
    code = function.code
    words = [len(function.params), len(function.locals), function.outs, len(code)]
    words += [_param_word(one) for one in function.params]
    words += [int(one) for one in function.locals]
    for one in code:
        op = one.op
        words.append(op | one.flags << _FLAGS_SHIFT)
        if op is Opcode.CONST_I or op is Opcode.CONST_F:
            literal = one.operands[0]
            bits = double_bits(literal) if op is Opcode.CONST_F else int(literal)
            words += (0, bits & _LOW, bits >> 32 & _LOW)
            continue
        operands = [int(operand) for operand in one.operands]
        words += operands + [0] * (3 - len(operands))
    return words


def _param_word(param: Param) -> int:
    if param.type is not Type.BUFFER:
        return int(param.type)
    word = param.type | param.format << _BUFFER_FORMAT_SHIFT
    return word | _BUFFER_WRITABLE if param.writable else word
