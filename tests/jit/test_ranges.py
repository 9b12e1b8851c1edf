"""The pass that drops checks: no value is ever outside of the range that it finds."""

from __future__ import annotations

import itertools
import operator
from typing import Any, Callable

import pytest

from iris.jit import check, interp
from iris.jit.ir import CHECKED, Function, Instr, Opcode, Param, Program, Status, Type
from iris.jit.ranges import Range, drop_checks, result_range

ENDS = (-(2**63), -70, -64, -9, -2, -1, 0, 1, 2, 7, 63, 64, 70, 2**63 - 1)
RANGES = [Range(a, b) for a, b in itertools.combinations_with_replacement(ENDS, 2)]

TWO: dict[Opcode, Callable[[int, int], int]] = {
    Opcode.IADD: operator.add,
    Opcode.ISUB: operator.sub,
    Opcode.IMUL: operator.mul,
    Opcode.IDIV: operator.floordiv,
    Opcode.IMOD: operator.mod,
    Opcode.IAND: operator.and_,
    Opcode.IOR: operator.or_,
    Opcode.IXOR: operator.xor,
    Opcode.ISHL: lambda x, y: x << min(y, 200),
    Opcode.ISHR: operator.rshift,
}
ONE: dict[Opcode, Callable[[int], int]] = {Opcode.INEG: operator.neg, Opcode.IABS: abs}


def samples(known: Range) -> list[int]:
    """Values of a range, its ends and what lies around them."""
    near = {one + step for one in (*ENDS, 3, 37) for step in (-1, 0, 1)}
    return sorted(one for one in {*near, *known} if known.least <= one <= known.most)


def fits(value: int) -> bool:
    return -(2**63) <= value < 2**63


@pytest.mark.parametrize("op", TWO, ids=[op.name for op in TWO])
def test_results_of_two_operands_are_in_their_range(op: Opcode) -> None:
    for x, y in itertools.product(RANGES, RANGES):
        one = Instr(op, (0, 1), CHECKED)
        found = result_range(one, [x, y])
        for a, b in itertools.product(samples(x), samples(y)):
            try:
                value = TWO[op](a, b)
            except (ZeroDivisionError, ValueError):
                assert one.flags & CHECKED, (op, x, y)
                continue
            if fits(value):
                assert found.least <= value <= found.most, (op, x, y, a, b, found)
            elif op in (Opcode.ISHL, Opcode.IDIV):
                assert one.flags & CHECKED, (op, x, y, a, b)
            else:
                assert not found.fits(), (op, x, y, a, b, found)


@pytest.mark.parametrize("op", ONE, ids=[op.name for op in ONE])
def test_results_of_one_operand_are_in_their_range(op: Opcode) -> None:
    for x in RANGES:
        found = result_range(Instr(op, (0,), CHECKED), [x])
        for a in samples(x):
            value = ONE[op](a)
            assert found.least <= value <= found.most, (op, x, a, found)


def counting(limit: int, step: int) -> Program:
    """A loop that adds a step to a local until this reaches a limit."""
    function = Function("count", [Param(Type.INT)])
    function.locals, function.outs = [Type.INT], 1

    def instr(op: Opcode, *operands: Any, flags: int = 0) -> Instr:
        return Instr(op, operands, flags)

    function.code = [
        instr(Opcode.BLOCK),
        instr(Opcode.LOOP),
        instr(Opcode.GET, 0),
        instr(Opcode.CONST_I, limit),
        instr(Opcode.ICMP, 2, 3, flags=5),  # at least the limit
        instr(Opcode.BRIF, 4, 1),
        # Read again: what the branch tells is known of the local, not of the value before it.
        instr(Opcode.GET, 0),
        instr(Opcode.CONST_I, step),
        instr(Opcode.IADD, 6, 7, flags=CHECKED),
        instr(Opcode.SET, 0, 8),
        instr(Opcode.BR, 0),
        instr(Opcode.END),
        instr(Opcode.END),
        instr(Opcode.GET, 0),
        instr(Opcode.OUT, 0, 13),
        instr(Opcode.RET),
    ]
    return Program([function])


def test_a_bounded_counter_loses_its_check() -> None:
    program = counting(1000, 3)
    drop_checks(program)
    check.verify(program)
    assert program.functions[0].code[8].flags == 0
    assert interp.run(program, [0]) == (Status.DONE, [1002])


def test_a_counter_that_may_overflow_keeps_it() -> None:
    program = counting(2**63 - 1, 2**62)
    drop_checks(program)
    assert program.functions[0].code[8].flags == CHECKED
    assert interp.run(program, [0])[0] is Status.RERUN
