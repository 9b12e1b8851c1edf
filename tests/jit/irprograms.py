"""Random programs of the intermediate representation: valid by construction, and they end.

Every loop counts down a local of its own, every call hands on a depth that gets smaller. What is
promised (an index is inside) is mostly kept, by the same operations that the front end uses.
"""

from __future__ import annotations

import math
from array import array
from random import Random
from typing import Any, Optional

from iris.jit.ir import (
    CHECKED,
    FORMATS,
    MATH2_FIRST,
    NONNEGATIVE,
    OPS,
    Format,
    Function,
    Instr,
    Math,
    Opcode,
    Param,
    Program,
    Type,
    Use,
    slots_of,
)

INTS = (
    0, 1, -1, 2, 3, -3, 7, 10, 63, 64, 65, 127, 128, -128, 255, 256, 2**15, 2**31 - 1, -(2**31),
    2**32, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, 2**63 - 2, -(2**63),
    -(2**63) + 1,
)  # fmt: skip
FLOATS = (
    0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, 1e-300, 5e-324, 1e300, 2.0**31,
    # PyPy 3.9 compiles -(2.0**63) as an int, hence float().
    2.0**52 + 0.5, 2.0**53, 2.0**53 + 2, 2.0**63, float(-(2**63)), 2.0**63 - 1024, 2.0**64, math.pi,
    math.inf, -math.inf, math.nan,
)  # fmt: skip
SCALARS = (Type.INT, Type.FLOAT, Type.BOOL)
TYPE_CODES = {
    Format.F64: "d", Format.F32: "f", Format.I8: "b", Format.I16: "h", Format.I32: "i",
    Format.I64: "q", Format.U8: "B", Format.U16: "H", Format.U32: "I", Format.U64: "Q",
    Format.BOOL: "B",
}  # fmt: skip
# What every Python computes with the very functions of the C library.
MATH_SAME = tuple(
    one
    for one in Math
    if one not in (Math.EXP2, Math.CBRT, Math.ERF, Math.ERFC, Math.LOG2, Math.REMAINDER)
)
_WANTED = {Use.INT: Type.INT, Use.FLOAT: Type.FLOAT, Use.BOOL: Type.BOOL}
_PURE = [
    op
    for op in Opcode
    if op.name[0] in "FI" and OPS[op].result is not None and op not in (Opcode.INDEX,)
] + [Opcode.MATH1, Opcode.MATH2, Opcode.NOT, Opcode.AND, Opcode.OR, Opcode.XOR, Opcode.B2I,
     Opcode.BITS, Opcode.UNBITS, Opcode.SELECT]  # fmt: skip


def random_int(random: Random) -> int:
    """An int of 64 bits, often at an edge."""
    if random.random() < 0.5:
        return random.choice(INTS)
    return random.randrange(-(2 ** random.randrange(1, 64)), 2 ** random.randrange(1, 64))


def random_float(random: Random) -> float:
    """A double, often at an edge."""
    kind = random.random()
    if kind < 0.5:
        return random.choice(FLOATS)
    return random.uniform(-10, 10) if kind < 0.8 else float(random_int(random))


def random_args(random: Random, function: Function) -> list[Any]:
    """Arguments: numbers, and arrays for buffers."""
    args: list[Any] = []
    for param in function.params:
        if param.type is Type.INT:
            args.append(random_int(random))
        elif param.type is Type.FLOAT:
            args.append(random_float(random))
        elif param.type is Type.BOOL:
            args.append(random.random() < 0.5)
        else:
            args.append(_random_buffer(random, param.format))
    return args


def _random_buffer(random: Random, form: Format) -> array[Any]:
    count, facts = random.choice((0, 1, 2, 5)), FORMATS[form]
    if facts.type is Type.FLOAT:
        return array(TYPE_CODES[form], [random_float(random) for _ in range(count)])
    least, most = (0, 1) if facts.least is None else (facts.least, facts.most)
    assert most is not None
    items = [random.choice((least, most, 0, 1, random.randint(least, most))) for _ in range(count)]
    return array(TYPE_CODES[form], items)


def random_program(random: Random, size: int = 40) -> Program:
    """A program of one to three functions of about `size` operations each."""
    functions = []
    for at in range(random.choice((1, 1, 1, 2, 3))):
        function = Function(f"f{at}", [_random_param(random) for _ in range(random.randrange(5))])
        # The depth that is left for calls. Scalars and buffers may follow.
        function.params.insert(0, Param(Type.INT))
        function.outs = random.randrange(1, 5)
        functions.append(function)
    program = Program(functions)
    for function in functions:
        _Writer(random, program, function).write(size)
    return program


def _random_param(random: Random) -> Param:
    kind = random.choice((*SCALARS, Type.BUFFER))
    if kind is Type.BUFFER:
        return Param(kind, random.choice(list(Format)), random.random() < 0.5)
    return Param(kind)


class _Writer:
    """Writes the code of one function."""

    def __init__(self, random: Random, program: Program, function: Function) -> None:
        self.random = random
        self.program = program
        self.function = function
        # Per open construct: the values that can be used, by type; the kind; its counter.
        self.scopes: list[dict[Type, list[int]]] = [{one: [] for one in SCALARS}]
        self.kinds: list[Opcode] = []
        self.counters: set[int] = set()

    def write(self, size: int) -> None:
        self.function.locals = [self.random.choice(SCALARS) for _ in range(4)]
        while len(self.function.code) < size:
            self.step()
        for slot in range(self.function.outs):
            self.emit(Opcode.OUT, slot, self.value(self.random.choice(SCALARS)))
        self.emit(Opcode.RET)

    def emit(self, op: Opcode, *operands: float, flags: int = 0) -> int:
        self.function.code.append(Instr(op, operands, flags))
        return len(self.function.code) - 1

    def give(self, kind: Type, index: int) -> int:
        self.scopes[-1][kind].append(index)
        return index

    def value(self, kind: Type) -> int:
        """The index of a value of a type, a new one if need be."""
        known = [index for scope in self.scopes for index in scope[kind]]
        if known and self.random.random() < 0.75:
            return self.random.choice(known[-8:])
        return self.give(kind, self.source(kind))

    def source(self, kind: Type) -> int:
        params = [at for at, one in enumerate(self.function.params) if one.type is kind]
        if params and self.random.random() < 0.4:
            return self.emit(Opcode.ARG, self.random.choice(params))
        own = [at for at, one in enumerate(self.function.locals) if one is kind]
        if own and self.random.random() < 0.5:
            return self.emit(Opcode.GET, self.random.choice(own))
        if kind is Type.INT:
            return self.emit(Opcode.CONST_I, random_int(self.random))
        if kind is Type.FLOAT:
            return self.emit(Opcode.CONST_F, random_float(self.random))
        return self.emit(Opcode.CONST_B, self.random.random() < 0.5)

    def step(self) -> None:
        kind = self.random.random()
        if kind < 0.6:
            self.pure()
        elif kind < 0.7:
            self.set()
        elif kind < 0.8:
            self.memory()
        elif kind < 0.93 and len(self.scopes) < 5:
            self.construct()
        elif kind < 0.96:
            self.call()
        elif self.kinds:
            self.branch()
        else:
            self.emit(Opcode.FAILIF, self.unlikely(), 1)

    def unlikely(self) -> int:
        """A bool that is mostly false, so that programs come to an end of their own."""
        x = self.value(Type.INT)
        y = self.give(Type.INT, self.emit(Opcode.CONST_I, random_int(self.random)))
        return self.give(Type.BOOL, self.emit(Opcode.ICMP, x, y, flags=0))

    def pure(self) -> None:
        op = self.random.choice(_PURE)
        rule = OPS[op]
        flags = self.flags(op)
        same = self.random.choice(SCALARS)
        operands = [self.value(_WANTED.get(use, same)) for use in rule.operands]
        if (
            op in (Opcode.IDIV, Opcode.IMOD, Opcode.ISHL, Opcode.ISHR)
            and self.random.random() < 0.6
        ):
            small = self.random.choice((1, 2, 3, 5, 8, 10, 60, 2**40, 2**62, 2**63 - 1))
            negative = not flags & NONNEGATIVE and self.random.random() < 0.4
            literal = -small if negative else small
            operands[1] = self.give(Type.INT, self.emit(Opcode.CONST_I, literal))
        given = same if rule.result is None else rule.result
        self.give(given, self.emit(op, *operands, flags=flags))

    def flags(self, op: Opcode) -> int:
        if op in (Opcode.FCMP, Opcode.ICMP, Opcode.IFCMP):
            return self.random.randrange(6)
        if op in (Opcode.MATH1, Opcode.MATH2):
            two = op is Opcode.MATH2
            return self.random.choice([one for one in MATH_SAME if (one >= MATH2_FIRST) is two])
        if op in (Opcode.IDIV, Opcode.IMOD):
            return self.random.choice((0, CHECKED, CHECKED, CHECKED, CHECKED | NONNEGATIVE))
        return self.random.choice((0, CHECKED)) if OPS[op].flags else 0

    def set(self) -> None:
        at = self.random.randrange(len(self.function.locals))
        if at not in self.counters:
            self.emit(Opcode.SET, at, self.value(self.function.locals[at]))

    def memory(self) -> None:
        buffers = [at for at, one in enumerate(self.function.params) if one.type is Type.BUFFER]
        if not buffers:
            return
        at = self.random.choice(buffers)
        param = self.function.params[at]
        if self.random.random() < 0.3:
            self.give(Type.INT, self.emit(Opcode.LEN, at))
            return
        index = self.value(Type.INT)
        if self.random.random() < 0.8:
            index = self.emit(Opcode.CONST_I, self.random.choice((0, 0, 0, 1, 1, 2, -1, -1, -2, 5)))
        inside = self.give(Type.INT, self.emit(Opcode.INDEX, at, index))
        flags = self.random.choice((0, CHECKED))
        kind = FORMATS[param.format].type
        if param.writable and self.random.random() < 0.5:
            self.emit(Opcode.STORE, at, inside, self.value(kind), flags=flags)
        else:
            self.give(kind, self.emit(Opcode.LOAD, at, inside, flags=flags))

    def enter(self, kind: Opcode, *operands: int) -> None:
        self.emit(kind, *operands)
        self.kinds.append(kind)
        self.scopes.append({one: [] for one in SCALARS})

    def body(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            self.step()

    def close(self) -> None:
        self.emit(Opcode.END)
        self.kinds.pop()
        self.scopes.pop()

    def leave(self) -> bool:
        """Perhaps leave a construct for good at the end of an arm or a block."""
        kind = self.random.random()
        if kind < 0.1:
            return self.branch(always=True)
        if kind < 0.13:
            self.emit(Opcode.FAIL, 1)
        elif kind < 0.16:
            self.emit(Opcode.RET)
        return kind < 0.16

    def construct(self) -> None:
        kind = self.random.choice((Opcode.BLOCK, Opcode.LOOP, Opcode.IF, Opcode.IF))
        if kind is Opcode.LOOP:
            self.loop()
            return
        self.enter(kind, *([self.value(Type.BOOL)] if kind is Opcode.IF else []))
        self.body()
        self.leave()
        if kind is Opcode.IF and self.random.random() < 0.6:
            self.emit(Opcode.ELSE)
            self.scopes[-1] = {one: [] for one in SCALARS}
            self.body()
            self.leave()
        self.close()

    def loop(self) -> None:
        self.function.locals.append(Type.INT)
        counter = len(self.function.locals) - 1
        self.counters.add(counter)
        rounds = self.emit(Opcode.CONST_I, self.random.randrange(1, 6))
        self.emit(Opcode.SET, counter, rounds)
        if self.random.random() < 0.5:
            self.loop_with_guard(counter)
            return
        self.enter(Opcode.LOOP)
        # Before anything else, so that a branch to the start cannot go around it.
        left = self.count_down(counter)
        zero = self.emit(Opcode.CONST_I, 0)
        self.enter(Opcode.IF, self.emit(Opcode.ICMP, left, zero, flags=4))
        self.body()
        self.emit(Opcode.BR, 1)
        self.close()
        self.close()

    def count_down(self, counter: int) -> int:
        left = self.emit(Opcode.GET, counter)
        one = self.emit(Opcode.CONST_I, 1)
        self.emit(Opcode.SET, counter, self.emit(Opcode.ISUB, left, one))
        return left

    def loop_with_guard(self, counter: int) -> None:
        """A loop as the front end writes it: values, and a branch out of it if there is enough."""
        self.enter(Opcode.BLOCK)
        self.enter(Opcode.LOOP)
        left = self.give(Type.INT, self.emit(Opcode.GET, counter))
        zero = self.emit(Opcode.CONST_I, 0)
        for _ in range(self.random.choice((0, 0, 1, 3))):
            self.pure()
        more = self.give(Type.BOOL, self.emit(Opcode.ICMP, left, zero, flags=4))
        self.emit(Opcode.BRIF, self.give(Type.BOOL, self.emit(Opcode.NOT, more)), 1)
        self.count_down(counter)
        self.body()
        self.emit(Opcode.BR, 0)
        self.close()
        self.close()

    def branch(self, always: bool = False) -> bool:
        depth = self.random.randrange(len(self.kinds))
        if always:
            self.emit(Opcode.BR, depth)
        else:
            self.emit(Opcode.BRIF, self.value(Type.BOOL), depth)
        return True

    def call(self) -> None:
        which = self.random.randrange(len(self.program.functions))
        callee = self.program.functions[which]
        own = self.function.params
        buffers: dict[int, int] = {}
        for at, param in enumerate(callee.params):
            if param.type is Type.BUFFER:
                found = self.fitting(own, param)
                if found is None:
                    return
                buffers[at] = found
        depth = self.emit(Opcode.ARG, 0)
        limit = self.emit(Opcode.CONST_I, 3)
        # Only from a small depth down to 0, so that calls end.
        deep = self.emit(Opcode.ICMP, depth, limit, flags=5)
        self.emit(Opcode.FAILIF, deep, 1)
        zero = self.emit(Opcode.CONST_I, 0)
        self.enter(Opcode.IF, self.emit(Opcode.ICMP, depth, zero, flags=4))
        one = self.emit(Opcode.CONST_I, 1)
        values = {0: self.emit(Opcode.ISUB, depth, one)}
        for at, param in enumerate(callee.params):
            if at and param.type is not Type.BUFFER:
                values[at] = self.value(param.type)
        slots = slots_of(callee.params)
        for at in self.random.sample(range(len(callee.params)), len(callee.params)):
            if at in buffers:
                self.emit(Opcode.PUT_BUFFER, slots[at], buffers[at])
            else:
                self.emit(Opcode.PUT, slots[at], values[at])
        self.emit(Opcode.CALL, which)
        for slot in range(callee.outs):
            kind = self.random.choice(SCALARS)
            self.give(kind, self.emit(Opcode.RESULT, slot, flags=kind))
        self.body()
        self.close()

    @staticmethod
    def fitting(own: list[Param], wanted: Param) -> Optional[int]:
        for at, param in enumerate(own):
            same = param.type is Type.BUFFER and param.format is wanted.format
            if same and (param.writable or not wanted.writable):
                return at
        return None
