"""The intermediate representation: its types, its operations as one table, its programs.

This module owns what a compiled function may consist of. `build` writes it, `check` verifies it,
`passes` rewrite it, `interp` executes it, `encode` turns it into words for the sidecar. It knows
nothing of Python's syntax and nothing of machine code.

A program is a list of functions; the first is the entry, the others are there for recursion only
(every other call is inlined). A function is a flat list of instructions. Control flow is nested as
in WebAssembly: `BLOCK`, `LOOP` and `IF` open a construct that `END` closes; `BR n` leaves the n-th
construct outwards (0 is the innermost): to behind the `END` of a `BLOCK` or an `IF`, to the start
of a `LOOP`. (Haas et al., "Bringing the Web up to Speed with WebAssembly", PLDI 2017.)

The value of an instruction is named by its index in the list. It can be used from there to the end
of the construct that directly holds it, and inside constructs in between. All that lives longer, or
changes, is in a local.

There are three types of value: a 64-bit integer, a double and a truth value. What Python knows
beyond these (None, numbers of either kind, tuples) is made of several values by `build`.

This module is longer than others because the table and the types it is made of are one thing.

Nothing here can raise. An operation that cannot go on as Python would ends the whole call with a
status, and the call is then made again in Python; that is why the function must not have stored
anything by then, or must have kept copies (see `iris.jit.call`).
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Optional

WORDS_MAGIC = 0x314A5249  # "IRJ1" in memory
WORDS_VERSION = 1

# A function of this size takes about 15 ms to compile (2.5 us an operation), so that a larger one
# would hold up its caller noticeably; and no hand-written numeric function is larger.
OPERATIONS_MAX = 5_000

# Results of a call: a shape and up to eight pairs of tag and bits; see `Tag`.
OUT_SLOTS_MAX = 17
# Scalars and buffers of one function. Python itself has no limit; a kernel has no more.
PARAMS_MAX = 64
LOCALS_MAX = 4_096
FUNCTIONS_MAX = 64
# Constructs inside each other.
DEPTH_MAX = 200
# Calls inside each other at run time. Their frames, of at most some KiB each, fit into any stack;
# a function that recurses deeper is run in Python, which has its own limit.
CALLS_OPEN_MAX = 1_000


class Type(enum.IntEnum):
    """The type of a value, a local or a parameter."""

    INT = 0
    """A 64-bit signed integer."""
    FLOAT = 1
    """An IEEE 754 double."""
    BOOL = 2
    """A truth value."""
    BUFFER = 3
    """A one-dimensional buffer; parameters only. Takes two argument slots: address, items."""


class Tag(enum.IntEnum):
    """What a result slot holds, beside 64 bits."""

    NONE = 0
    BOOL = 1
    INT = 2
    FLOAT = 3
    BOOL_IN_FLOAT = 5
    """0.0 or 1.0 as a double, to be read as a bool: from a variable of either kind."""
    INT_IN_FLOAT = 6
    """A whole number of at most 2**53 as a double, to be read as an int."""


class Format(enum.IntEnum):
    """The items of a buffer. The widened type of each is in `FORMATS`."""

    F64 = 0
    F32 = 1
    I8 = 2
    I16 = 3
    I32 = 4
    I64 = 5
    U8 = 6
    U16 = 7
    U32 = 8
    U64 = 9
    BOOL = 10


class FormatFacts(NamedTuple):
    """What loads and stores need to know of a format."""

    item_bytes: int
    type: Type
    """What a load gives and a store takes."""
    least: Optional[int]
    """The smallest integer that fits; None where items are no integers."""
    most: Optional[int]


FORMATS: dict[Format, FormatFacts] = {
    Format.F64: FormatFacts(8, Type.FLOAT, None, None),
    Format.F32: FormatFacts(4, Type.FLOAT, None, None),
    Format.I8: FormatFacts(1, Type.INT, -(2**7), 2**7 - 1),
    Format.I16: FormatFacts(2, Type.INT, -(2**15), 2**15 - 1),
    Format.I32: FormatFacts(4, Type.INT, -(2**31), 2**31 - 1),
    Format.I64: FormatFacts(8, Type.INT, -(2**63), 2**63 - 1),
    Format.U8: FormatFacts(1, Type.INT, 0, 2**8 - 1),
    Format.U16: FormatFacts(2, Type.INT, 0, 2**16 - 1),
    Format.U32: FormatFacts(4, Type.INT, 0, 2**32 - 1),
    Format.U64: FormatFacts(8, Type.INT, 0, 2**64 - 1),
    Format.BOOL: FormatFacts(1, Type.BOOL, None, None),
}


class Param(NamedTuple):
    """One parameter of a function."""

    type: Type
    format: Format = Format.F64
    """Of a buffer; no meaning otherwise."""
    writable: bool = False
    """Whether the function stores into this buffer."""


class Compare(enum.IntEnum):
    """The flags of `FCMP`, `ICMP` and `IFCMP`. A nan is only `NE`."""

    EQ = 0
    NE = 1
    LT = 2
    LE = 3
    GT = 4
    GE = 5


MIRRORED = {
    Compare.EQ: Compare.EQ,
    Compare.NE: Compare.NE,
    Compare.LT: Compare.GT,
    Compare.LE: Compare.GE,
    Compare.GT: Compare.LT,
    Compare.GE: Compare.LE,
}
"""The same comparison with its operands exchanged."""


class Math(enum.IntEnum):
    """The flags of `MATH1` and `MATH2`: functions of the C library, which the process shares."""

    SIN = 0
    COS = 1
    TAN = 2
    ASIN = 3
    ACOS = 4
    ATAN = 5
    SINH = 6
    COSH = 7
    TANH = 8
    ASINH = 9
    ACOSH = 10
    ATANH = 11
    EXP = 12
    EXPM1 = 13
    EXP2 = 14
    LOG = 15
    LOG10 = 16
    LOG1P = 17
    LOG2 = 18
    CBRT = 19
    ERF = 20
    ERFC = 21
    # From here on with two arguments.
    POW = 32
    ATAN2 = 33
    FMOD = 34
    REMAINDER = 35


MATH2_FIRST = 32

# Flags of integer operations, of F2I, LOAD and STORE.
CHECKED = 1
"""The operation ends the call with status 1 where its exact result is not to be had."""
NONNEGATIVE = 2
"""IDIV and IMOD: neither operand is negative. INDEX: the index is not."""


class Status(enum.IntEnum):
    """How a call ended."""

    DONE = 0
    RERUN = 1
    """Python has to make the call: an exception is due, or a value left the native range."""
    INTERRUPTED = 3
    """A signal handler has raised."""


class Opcode(enum.IntEnum):
    """The operations; what each takes and gives is in `OPS`."""

    CONST_I = 1
    CONST_F = 2
    CONST_B = 3
    ARG = 4
    LEN = 5
    GET = 6
    SET = 7

    FADD = 16
    FSUB = 17
    FMUL = 18
    FDIV = 19
    FNEG = 20
    FABS = 21
    FSQRT = 22
    FFLOOR = 23
    FCEIL = 24
    FTRUNC = 25
    FNEAREST = 26
    FCOPYSIGN = 27
    FCMP = 28
    MATH1 = 29
    MATH2 = 30

    IADD = 40
    ISUB = 41
    IMUL = 42
    INEG = 43
    IABS = 44
    IDIV = 45
    IMOD = 46
    IAND = 47
    IOR = 48
    IXOR = 49
    ISHL = 50
    ISHR = 51
    ICMP = 52
    IFCMP = 53

    NOT = 60
    AND = 61
    OR = 62
    XOR = 63
    B2I = 64
    I2F = 65
    F2I = 66
    BITS = 67
    UNBITS = 68
    SELECT = 69

    INDEX = 80
    LOAD = 81
    STORE = 82

    BLOCK = 96
    LOOP = 97
    IF = 98
    ELSE = 99
    END = 100
    BR = 101
    BRIF = 102
    FAIL = 103
    FAILIF = 104
    OUT = 105
    RET = 106

    PUT = 112
    CALL = 113
    RESULT = 114
    PUT_BUFFER = 115


class Use(enum.Enum):
    """What an operand is."""

    INT = "i"
    """A value of type INT; so the next two."""
    FLOAT = "f"
    BOOL = "b"
    ANY = "v"
    """A value of any type."""
    SAME = "s"
    """A value of the type of the other `SAME` operand, which the result has too."""
    ITEM = "e"
    """A value of the type of the buffer's items."""
    LITERAL = "#"
    """A constant itself: an int, a float or a bool."""
    PARAM = "p"
    """The index of a scalar parameter."""
    BUFFER = "m"
    """The index of a buffer parameter."""
    LOCAL = "l"
    """The index of a local."""
    LOCAL_VALUE = "w"
    """A value of the type of the local beside it."""
    DEPTH = "d"
    """How many constructs a branch leaves."""
    SLOT = "o"
    """The index of a result slot, or of an argument slot of a call."""
    STATUS = "c"
    """A `Status` to end the call with."""
    FUNCTION = "n"
    """The index of a function of the program."""


class Rule(NamedTuple):
    """What an operation takes and gives."""

    operands: tuple[Use, ...] = ()
    result: Optional[Type] = None
    """None: no value, or one whose type depends on an operand (see `check.result_type`)."""
    flags: int = 0
    """The largest value that its flags may have, as bits or as an enumeration."""
    gives: bool = False
    """Whether it gives a value although `result` is None."""


_I, _F, _B, _V, _S = Use.INT, Use.FLOAT, Use.BOOL, Use.ANY, Use.SAME
_FF, _II, _BB = (_F, _F), (_I, _I), (_B, _B)

OPS: dict[Opcode, Rule] = {
    Opcode.CONST_I: Rule((Use.LITERAL,), Type.INT),
    Opcode.CONST_F: Rule((Use.LITERAL,), Type.FLOAT),
    Opcode.CONST_B: Rule((Use.LITERAL,), Type.BOOL),
    # An argument as it came; LEN is the number of items of a buffer.
    Opcode.ARG: Rule((Use.PARAM,), gives=True),
    Opcode.LEN: Rule((Use.BUFFER,), Type.INT),
    # Every local is 0, 0.0 or False at first.
    Opcode.GET: Rule((Use.LOCAL,), gives=True),
    Opcode.SET: Rule((Use.LOCAL, Use.LOCAL_VALUE)),
    # IEEE operations, rounded to nearest; nothing is checked. FNEAREST rounds halves to even.
    Opcode.FADD: Rule(_FF, Type.FLOAT),
    Opcode.FSUB: Rule(_FF, Type.FLOAT),
    Opcode.FMUL: Rule(_FF, Type.FLOAT),
    Opcode.FDIV: Rule(_FF, Type.FLOAT),
    Opcode.FNEG: Rule((_F,), Type.FLOAT),
    Opcode.FABS: Rule((_F,), Type.FLOAT),
    Opcode.FSQRT: Rule((_F,), Type.FLOAT),
    Opcode.FFLOOR: Rule((_F,), Type.FLOAT),
    Opcode.FCEIL: Rule((_F,), Type.FLOAT),
    Opcode.FTRUNC: Rule((_F,), Type.FLOAT),
    Opcode.FNEAREST: Rule((_F,), Type.FLOAT),
    Opcode.FCOPYSIGN: Rule(_FF, Type.FLOAT),
    Opcode.FCMP: Rule(_FF, Type.BOOL, Compare.GE),
    # A function of the C library, called as it is; errno and floating-point flags are ignored.
    Opcode.MATH1: Rule((_F,), Type.FLOAT, Math.ERFC),
    Opcode.MATH2: Rule(_FF, Type.FLOAT, Math.REMAINDER),
    # CHECKED: status 1 where the result does not fit. Without it the result wraps around.
    Opcode.IADD: Rule(_II, Type.INT, CHECKED),
    Opcode.ISUB: Rule(_II, Type.INT, CHECKED),
    Opcode.IMUL: Rule(_II, Type.INT, CHECKED),
    Opcode.INEG: Rule((_I,), Type.INT, CHECKED),
    Opcode.IABS: Rule((_I,), Type.INT, CHECKED),
    # Towards minus infinity, as Python's // and %. CHECKED: status 1 for a divisor of 0, and
    # IDIV also for -2**63 // -1 (IMOD gives 0 there). Without it neither may happen: the result
    # is then any value, and the call goes on.
    Opcode.IDIV: Rule(_II, Type.INT, CHECKED | NONNEGATIVE),
    Opcode.IMOD: Rule(_II, Type.INT, CHECKED | NONNEGATIVE),
    Opcode.IAND: Rule(_II, Type.INT),
    Opcode.IOR: Rule(_II, Type.INT),
    Opcode.IXOR: Rule(_II, Type.INT),
    # CHECKED: status 1 for a negative count and, ISHL, for a result that does not fit (0 shifted
    # by any count is 0). A count of 64 or more shifts all bits out. Without CHECKED the count
    # is taken modulo 64, and bits are lost.
    Opcode.ISHL: Rule(_II, Type.INT, CHECKED),
    Opcode.ISHR: Rule(_II, Type.INT, CHECKED),
    Opcode.ICMP: Rule(_II, Type.BOOL, Compare.GE),
    # An integer with a double, exactly, as Python does beyond 2**53.
    Opcode.IFCMP: Rule((_I, _F), Type.BOOL, Compare.GE),
    # AND, OR, XOR compute both sides.
    Opcode.NOT: Rule((_B,), Type.BOOL),
    Opcode.AND: Rule(_BB, Type.BOOL),
    Opcode.OR: Rule(_BB, Type.BOOL),
    Opcode.XOR: Rule(_BB, Type.BOOL),
    Opcode.B2I: Rule((_B,), Type.INT),
    # Rounded to nearest, halves to even.
    Opcode.I2F: Rule((_I,), Type.FLOAT),
    # Towards zero. CHECKED: status 1 for nan and whatever does not fit. Without it such a value
    # gives any integer.
    Opcode.F2I: Rule((_F,), Type.INT, CHECKED),
    # The 64 bits of a double as an integer, and back.
    Opcode.BITS: Rule((_F,), Type.INT),
    Opcode.UNBITS: Rule((_I,), Type.FLOAT),
    Opcode.SELECT: Rule((_B, _S, _S), gives=True),
    # An index as Python means it: a negative one counts from the end. Status 1 outside.
    Opcode.INDEX: Rule((Use.BUFFER, _I), Type.INT, NONNEGATIVE),
    # The index must be inside, 0 <= i < LEN: it comes from INDEX, or a pass has proven it.
    # CHECKED: status 1 for a U64 item of 2**63 or more (LOAD), for an integer that does not fit
    # into the item (STORE). Without it the bits are taken as they are.
    Opcode.LOAD: Rule((Use.BUFFER, _I), None, CHECKED, gives=True),
    Opcode.STORE: Rule((Use.BUFFER, _I, Use.ITEM), None, CHECKED),
    Opcode.BLOCK: Rule(),
    Opcode.LOOP: Rule(),
    Opcode.IF: Rule((_B,)),
    Opcode.ELSE: Rule(),
    Opcode.END: Rule(),
    Opcode.BR: Rule((Use.DEPTH,)),
    Opcode.BRIF: Rule((_B, Use.DEPTH)),
    Opcode.FAIL: Rule((Use.STATUS,)),
    Opcode.FAILIF: Rule((_B, Use.STATUS)),
    # A result slot; a bool is written as 0 or 1, a double as its bits.
    Opcode.OUT: Rule((Use.SLOT, _V)),
    Opcode.RET: Rule(),
    # PUT fills an argument slot of the next CALL, PUT_BUFFER the two slots of a buffer with a
    # buffer of this function: an address is never a value. CALL ends this call too when the called
    # function ends with a status, or when the stack is nearly used up or CALLS_OPEN_MAX are open.
    # RESULT reads a result slot of the last CALL; its flags are the type. A slot that no function
    # called from here has filled is 0.
    Opcode.PUT: Rule((Use.SLOT, _V)),
    Opcode.PUT_BUFFER: Rule((Use.SLOT, Use.BUFFER)),
    Opcode.CALL: Rule((Use.FUNCTION,)),
    Opcode.RESULT: Rule((Use.SLOT,), None, Type.BOOL, gives=True),
}

# After these nothing of the same construct can be reached.
LEAVES = frozenset({Opcode.BR, Opcode.FAIL, Opcode.RET})
OPENS = frozenset({Opcode.BLOCK, Opcode.LOOP, Opcode.IF})
# What must stay although nobody uses its value.
EFFECTS = frozenset(
    {
        Opcode.SET,
        Opcode.STORE,
        Opcode.OUT,
        Opcode.PUT,
        Opcode.PUT_BUFFER,
        Opcode.CALL,
        Opcode.FAILIF,
        Opcode.BRIF,
        Opcode.ELSE,
        Opcode.END,
    }
    | LEAVES
    | OPENS
)
VALUE_USES = frozenset({Use.INT, Use.FLOAT, Use.BOOL, Use.ANY, Use.SAME, Use.ITEM, Use.LOCAL_VALUE})


class Instr:
    """One instruction. Operands stand in the order of its `Rule`."""

    __slots__ = ("flags", "line", "op", "operands")

    def __init__(
        self, op: Opcode, operands: tuple[float, ...] = (), flags: int = 0, line: int = 0
    ) -> None:
        self.op = op
        self.operands = operands
        self.flags = flags
        # Of the source, for reports; no meaning otherwise.
        self.line = line


class Function:
    """Parameters, locals, code."""

    __slots__ = ("code", "locals", "name", "outs", "params")

    def __init__(self, name: str, params: list[Param]) -> None:
        self.name = name
        self.params = params
        self.locals: list[Type] = []
        self.code: list[Instr] = []
        # How many result slots it may fill.
        self.outs = 0


class Program:
    """What is compiled at once. Function 0 is the entry."""

    __slots__ = ("functions",)

    def __init__(self, functions: list[Function]) -> None:
        self.functions = functions

    def __str__(self) -> str:
        return "\n".join(_text(at, one) for at, one in enumerate(self.functions))


def slots_of(params: list[Param]) -> list[int]:
    """The first argument slot of each parameter, and behind them the number of all slots."""
    slots, at = [], 0
    for param in params:
        slots.append(at)
        at += 2 if param.type is Type.BUFFER else 1
    return [*slots, at]


def _text(at: int, function: Function) -> str:
    """A function as text, an instruction a line, indented as it is nested."""
    params = ", ".join(
        f"buffer {one.format.name.lower()}{' rw' if one.writable else ''}"
        if one.type is Type.BUFFER
        else one.type.name.lower()
        for one in function.params
    )
    lines = [f"function {at} {function.name}({params})"]
    if function.locals:
        kinds = ", ".join(f"l{at} {one.name.lower()}" for at, one in enumerate(function.locals))
        lines.append(f"  locals {kinds}")
    indent = 1
    for index, one in enumerate(function.code):
        if one.op in (Opcode.ELSE, Opcode.END):
            indent -= 1
        lines.append("  " * indent + _instr_text(index, one))
        if one.op in OPENS or one.op is Opcode.ELSE:
            indent += 1
    return "\n".join(lines)


_PREFIX = {
    Use.PARAM: "a",
    Use.BUFFER: "a",
    Use.LOCAL: "l",
    Use.DEPTH: "^",
    Use.SLOT: "s",
    Use.FUNCTION: "f",
    Use.STATUS: "status ",
    Use.LITERAL: "",
}


def _instr_text(index: int, one: Instr) -> str:
    rule = OPS[one.op]
    words = [one.op.name.lower()]
    if one.op in (Opcode.FCMP, Opcode.ICMP, Opcode.IFCMP):
        words[0] += f".{Compare(one.flags).name.lower()}"
    elif one.op in (Opcode.MATH1, Opcode.MATH2):
        words[0] += f".{Math(one.flags).name.lower()}"
    elif one.op is Opcode.RESULT:
        words[0] += f".{Type(one.flags).name.lower()}"
    else:
        words[0] += "?" if one.flags & CHECKED else ""
        words[0] += "+" if one.flags & NONNEGATIVE else ""
    for use, operand in zip(rule.operands, one.operands):
        words.append(f"{_PREFIX.get(use, '%')}{operand!r}")
    gives = rule.gives or rule.result is not None
    return (f"%{index} = " if gives else "") + " ".join(words)
