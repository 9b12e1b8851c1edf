"""Rewritings of programs of the intermediate representation that break them on purpose.

Left out: everything a verifier would refuse. What comes out is a program, only a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from iris.jit.ir import (
    CHECKED,
    LEAVES,
    OPENS,
    OPS,
    VALUE_USES,
    Compare,
    Function,
    Instr,
    Opcode,
    Program,
    Tag,
)

Change = Callable[["Editor", Instr], Optional[int]]
"""Writes something in place of an instruction, whose operands are those of the new code already,
and gives the value that takes its place; None: it stays as it is."""

DROPPED = -1
"""Given by a change that wrote nothing in place of an instruction without a value."""

TWO_53 = 2**53


class Editor:
    """The new code of a function."""

    def __init__(self) -> None:
        self.code: list[Instr] = []
        self.changed = 0

    def emit(self, op: Opcode, *operands: Any, flags: int = 0) -> int:
        """Append an instruction; gives the name of its value."""
        self.code.append(Instr(op, operands, flags))
        return len(self.code) - 1

    def op(self, value: int) -> Opcode:
        """What made a value."""
        return self.code[value].op

    def operands(self, value: int) -> tuple[Any, ...]:
        """From what a value was made."""
        return self.code[value].operands

    def literal(self, value: int) -> Any:
        """The constant that a value is, or None."""
        if self.op(value) in (Opcode.CONST_I, Opcode.CONST_F):
            return self.operands(value)[0]
        return None

    def reaches(self, value: int, op: Opcode, depth: int = 5) -> bool:
        """Whether a value was made from one of this operation."""
        if self.op(value) is op:
            return True
        return depth > 0 and any(self.reaches(one, op, depth - 1) for one in self._values_of(value))

    def from_constant(self, value: int, constant: Any, depth: int = 3) -> bool:
        """Whether a value was made from this constant."""
        literal = self.literal(value)
        if literal is not None:
            return bool(literal == constant)
        return depth > 0 and any(
            self.from_constant(one, constant, depth - 1) for one in self._values_of(value)
        )

    def _values_of(self, value: int) -> list[int]:
        one = self.code[value]
        return [v for use, v in zip(OPS[one.op].operands, one.operands) if use in VALUE_USES]

    def same(self, one: int, other: int) -> bool:
        """Whether two values are certainly equal: the same, or reads of a local next to another."""
        if one == other:
            return True
        first, second = sorted((one, other))
        if self.op(one) is not Opcode.GET or self.op(other) is not Opcode.GET:
            return False
        between = {step.op for step in self.code[first:second]}
        quiet = Opcode.SET not in between and not between & (OPENS | {Opcode.END, Opcode.ELSE})
        return quiet and self.operands(one) == self.operands(other)


def rewritten(program: Program, change: Change) -> tuple[Program, int]:
    """The program with the change made, and how often."""
    functions, changed = [], 0
    for function in program.functions:
        editor, names = Editor(), {}
        for index, one in enumerate(function.code):
            operands = tuple(
                names[value] if use in VALUE_USES else value
                for use, value in zip(OPS[one.op].operands, one.operands)
            )
            moved = Instr(one.op, operands, one.flags, one.line)
            value = change(editor, moved)
            if value is None:
                editor.code.append(moved)
                value = len(editor.code) - 1
            else:
                editor.changed += 1
            names[index] = value
        new = Function(function.name, function.params)
        new.locals, new.outs, new.code = function.locals, function.outs, editor.code
        functions.append(new)
        changed += editor.changed
    return Program(functions), changed


# Changes, by what they need


def unflagged(op: Opcode, flag: int = CHECKED) -> Change:
    """The operation without a check."""

    def change(edit: Editor, one: Instr) -> Optional[int]:
        if one.op is op and one.flags & flag:
            return edit.emit(op, *one.operands, flags=one.flags & ~flag)
        return None

    return change


def flagged(op: Opcode, flag: int) -> Change:
    """The operation as if something were known of its operands."""

    def change(edit: Editor, one: Instr) -> Optional[int]:
        if one.op is op and not one.flags & flag:
            return edit.emit(op, *one.operands, flags=one.flags | flag)
        return None

    return change


def compared(op: Opcode, before: Compare, after: Compare) -> Change:
    """One comparison for another."""

    def change(edit: Editor, one: Instr) -> Optional[int]:
        if one.op is op and one.flags == before:
            return edit.emit(op, *one.operands, flags=after)
        return None

    return change


def unfailing(where: Callable[[Editor, int], bool]) -> Change:
    """No `FAILIF` where its condition is of a kind."""

    def change(edit: Editor, one: Instr) -> Optional[int]:
        if one.op is Opcode.FAILIF and where(edit, one.operands[0]):
            return DROPPED
        return None

    return change


def instead(op: Opcode, write: Callable[..., int]) -> Change:
    """Other instructions for an operation."""

    def change(edit: Editor, one: Instr) -> Optional[int]:
        return write(edit, *one.operands) if one.op is op else None

    return change


def compare_as_doubles(edit: Editor, one: Instr) -> Optional[int]:
    """An int and a float compared after rounding the int."""
    if one.op is not Opcode.IFCMP:
        return None
    rounded = edit.emit(Opcode.I2F, one.operands[0])
    return edit.emit(Opcode.FCMP, rounded, one.operands[1], flags=one.flags)


def nan_is_at_least(edit: Editor, one: Instr) -> Optional[int]:
    """x >= y as not x < y."""
    if one.op is not Opcode.FCMP or one.flags != Compare.GE:
        return None
    return edit.emit(Opcode.NOT, edit.emit(Opcode.FCMP, *one.operands, flags=Compare.LT))


def other_of_equals(edit: Editor, one: Instr) -> Optional[int]:
    """min and max with the operands swapped: of equals, and beside a nan, the other one."""
    if one.op is not Opcode.SELECT:
        return None
    test, yes, no = one.operands
    if edit.op(test) is not Opcode.FCMP or not {Compare.LT, Compare.GT} & {edit.code[test].flags}:
        return None
    left, right = edit.operands(test)
    if not (edit.same(left, yes) and edit.same(right, no)):
        return None
    swapped = edit.emit(Opcode.FCMP, right, left, flags=edit.code[test].flags)
    return edit.emit(Opcode.SELECT, swapped, no, yes)


def _shifted_index(edit: Editor, one: Instr, wrong: Callable[[int, int], int]) -> Optional[int]:
    if one.op is not Opcode.INDEX:
        return None
    buffer, index = one.operands
    length = edit.emit(Opcode.LEN, buffer)
    return edit.emit(Opcode.INDEX, buffer, wrong(index, length), flags=one.flags)


def index_one_too_far(edit: Editor, one: Instr) -> Optional[int]:
    """The index behind the last item passes; the last item is taken, so that nothing crashes."""

    def wrong(index: int, length: int) -> int:
        less = edit.emit(Opcode.ISUB, index, edit.emit(Opcode.CONST_I, 1))
        behind = edit.emit(Opcode.ICMP, index, length, flags=Compare.EQ)
        return edit.emit(Opcode.SELECT, behind, less, index)

    return _shifted_index(edit, one, wrong)


def index_one_too_low(edit: Editor, one: Instr) -> Optional[int]:
    """The index in front of the first item passes."""

    def wrong(index: int, length: int) -> int:
        more = edit.emit(Opcode.IADD, index, edit.emit(Opcode.CONST_I, 1))
        sum_of = edit.emit(Opcode.IADD, more, length)
        in_front = edit.emit(Opcode.ICMP, sum_of, edit.emit(Opcode.CONST_I, 0), flags=Compare.EQ)
        return edit.emit(Opcode.SELECT, in_front, more, index)

    return _shifted_index(edit, one, wrong)


def negative_index_of_one_less(edit: Editor, one: Instr) -> Optional[int]:
    """A negative index counts from the last item but one."""

    def wrong(index: int, length: int) -> int:
        zero = edit.emit(Opcode.CONST_I, 0)
        less = edit.emit(Opcode.ISUB, index, edit.emit(Opcode.CONST_I, 1))
        negative = edit.emit(Opcode.ICMP, index, zero, flags=Compare.LT)
        return edit.emit(Opcode.SELECT, negative, less, index)

    return _shifted_index(edit, one, wrong)


class StoreAfterLoad:
    """A store happens after the next load: as if two buffers never shared an item."""

    def __init__(self) -> None:
        self.kept: Optional[Instr] = None

    def __call__(self, edit: Editor, one: Instr) -> Optional[int]:
        kept, self.kept = self.kept, None
        if kept is not None:
            if one.op is Opcode.LOAD:
                edit.code.append(one)
                value = len(edit.code) - 1
                edit.code.append(kept)
                return value
            moving = one.op not in LEAVES | OPENS and one.op not in _BARRIERS
            if moving:
                self.kept = kept
            else:
                edit.code.append(kept)
        if one.op is Opcode.STORE and self.kept is None:
            self.kept = one
            return DROPPED
        return None


_BARRIERS = {
    Opcode.END, Opcode.ELSE, Opcode.BRIF, Opcode.STORE, Opcode.FAILIF, Opcode.CALL, Opcode.PUT,
}  # fmt: skip


def half_away_from_zero(edit: Editor, value: int) -> int:
    """Rounding as it is taught at school."""
    half = edit.emit(Opcode.FCOPYSIGN, edit.emit(Opcode.CONST_F, 0.5), value)
    return edit.emit(Opcode.FTRUNC, edit.emit(Opcode.FADD, value, half))


def fused(edit: Editor, one: Instr) -> Optional[int]:
    """a * b + c with one rounding: by Dekker's exact product, as the hardware would."""
    if one.op is not Opcode.FADD:
        return None
    for product, other in (one.operands, one.operands[::-1]):
        if edit.op(product) is Opcode.FMUL:
            a, b = edit.operands(product)
            low = edit.emit(Opcode.FADD, _product_error(edit, a, b, product), other)
            # The exact product and c in two steps; where the error is no number, as before.
            total = edit.emit(Opcode.FADD, product, low)
            plain = edit.emit(Opcode.FADD, *one.operands)
            fine = edit.emit(Opcode.FCMP, total, total, flags=Compare.EQ)
            return edit.emit(Opcode.SELECT, fine, total, plain)
    return None


def _product_error(edit: Editor, a: int, b: int, product: int) -> int:
    def halves(x: int) -> tuple[int, int]:
        big = edit.emit(Opcode.FMUL, edit.emit(Opcode.CONST_F, 134217729.0), x)
        high = edit.emit(Opcode.FSUB, big, edit.emit(Opcode.FSUB, big, x))
        return high, edit.emit(Opcode.FSUB, x, high)

    (ah, al), (bh, bl) = halves(a), halves(b)
    rest = edit.emit(Opcode.FSUB, product, edit.emit(Opcode.FMUL, ah, bh))
    rest = edit.emit(Opcode.FSUB, rest, edit.emit(Opcode.FMUL, al, bh))
    rest = edit.emit(Opcode.FSUB, rest, edit.emit(Opcode.FMUL, ah, bl))
    return edit.emit(Opcode.FSUB, edit.emit(Opcode.FMUL, al, bl), rest)


def reassociated(edit: Editor, one: Instr) -> Optional[int]:
    """(a + b) + c as a + (b + c)."""
    if one.op is not Opcode.FADD or edit.op(one.operands[0]) is not Opcode.FADD:
        return None
    a, b = edit.operands(one.operands[0])
    return edit.emit(Opcode.FADD, a, edit.emit(Opcode.FADD, b, one.operands[1]))


def by_reciprocal(edit: Editor, one: Instr) -> Optional[int]:
    """x / y as x * (1 / y)."""
    if one.op is not Opcode.FDIV:
        return None
    inverse = edit.emit(Opcode.FDIV, edit.emit(Opcode.CONST_F, 1.0), one.operands[1])
    return edit.emit(Opcode.FMUL, one.operands[0], inverse)


def zero_by_algebra(edit: Editor, one: Instr) -> Optional[int]:
    """x - x and x * 0 as 0."""
    if (one.op is Opcode.FSUB and edit.same(*one.operands)) or (
        one.op is Opcode.FMUL and 0.0 in map(edit.literal, one.operands)
    ):
        return edit.emit(Opcode.CONST_F, 0.0)
    return None


def without_adding_zero(edit: Editor, one: Instr) -> Optional[int]:
    """x + 0 as x, which keeps -0.0."""
    if one.op is Opcode.FADD:
        for value, other in (one.operands, one.operands[::-1]):
            if edit.literal(other) == 0.0:
                return int(value)
    return None


def absolute_by_compare(edit: Editor, value: int) -> int:
    """abs(x) as -x if x < 0 else x."""
    zero = edit.emit(Opcode.CONST_F, 0.0)
    negative = edit.emit(Opcode.FCMP, value, zero, flags=Compare.LT)
    return edit.emit(Opcode.SELECT, negative, edit.emit(Opcode.FNEG, value), value)


def no_sign_fix_of_modulo(edit: Editor, one: Instr) -> Optional[int]:
    """% of floats as fmod alone."""
    if one.op is Opcode.SELECT and edit.reaches(one.operands[0], Opcode.XOR, 2):
        return int(one.operands[2])
    return None


def bools_are_ints(edit: Editor, one: Instr) -> Optional[int]:
    """A result that is a bool comes out as an int."""
    if one.op is Opcode.OUT and one.operands[0] % 2 == 1:
        slot, value = one.operands
        if edit.literal(value) == Tag.BOOL:
            return edit.emit(Opcode.OUT, slot, edit.emit(Opcode.CONST_I, int(Tag.INT)))
    return None


def ints_are_floats(edit: Editor, one: Instr) -> Optional[int]:
    """A number of either kind always comes out as a float."""
    if one.op is Opcode.OUT and one.operands[0] % 2 == 1:
        slot, value = one.operands
        if edit.op(value) is Opcode.SELECT:
            return edit.emit(Opcode.OUT, slot, edit.emit(Opcode.CONST_I, int(Tag.FLOAT)))
    return None
