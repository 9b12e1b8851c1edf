"""Drops checks of integer operations that the ranges of their operands make needless.

    loop                                loop
      %1 = get l0                         %1 = get l0
      %2 = icmp.lt %1 %0                  %2 = icmp.lt %1 %0
      ...                                 ...
      %7 = const_i 7                      %7 = const_i 7
      %8 = imod? %1 %7         ->         %8 = imod+ %1 %7
      %9 = iadd? %8 %7                    %9 = iadd %8 %7

One forward pass of interval analysis: each integer value and local has a least and a greatest
value. At the start of a loop its locals are joined with what comes back, twice as they are and
then with the bounds that still move set to the ends of the 64-bit range (P. Cousot, R. Cousot,
"Abstract Interpretation", POPL 1977). A comparison that a branch depends on narrows what it
compares. Nothing but flags is changed. Longer than other modules by the table of what operations
make of ranges.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from iris.jit.ir import (
    CHECKED,
    FORMATS,
    MIRRORED,
    NONNEGATIVE,
    OPENS,
    Compare,
    Function,
    Instr,
    Opcode,
    Program,
    Type,
)

_LEAST, _MOST = -(2**63), 2**63 - 1
# No buffer is longer: addresses have fewer bits.
_LENGTH_MOST = 2**48
# Instructions that are gone through, counted again for each turn of a loop; some 20 ms. A function
# of many loops inside each other keeps its checks.
_STEPS_MAX = 20_000
# Joins of the start of a loop before bounds that still move are given up.
_JOINS = 2


class Range(NamedTuple):
    """The least and the greatest value of an integer."""

    least: int
    most: int

    def join(self, other: Range) -> Range:
        return Range(min(self.least, other.least), max(self.most, other.most))

    def meet(self, other: Range) -> Range:
        """Both hold; an empty one means that nothing comes here, and may be anything."""
        met = Range(max(self.least, other.least), min(self.most, other.most))
        return met if met.least <= met.most else self

    def fits(self) -> bool:
        """Whether it is within 64 bits, so that nothing can overflow."""
        return self.least >= _LEAST and self.most <= _MOST

    def clipped(self) -> Range:
        """What a checked operation lets through; one that always overflows lets nothing through,
        and then what would come behind it may be anything."""
        if self.most < _LEAST or self.least > _MOST:
            return _ANY
        return Range(max(self.least, _LEAST), min(self.most, _MOST))


_ANY = Range(_LEAST, _MOST)
_TRUTH = Range(0, 1)

# The ranges of the locals; None where nothing arrives.
State = Optional[dict[int, Range]]


def drop_checks(program: Program) -> None:
    """Clear the flags of checks that cannot fail, in place."""
    for function in program.functions:
        _Pass(function).run()


class _Construct:
    """A construct that is gone through."""

    __slots__ = ("changed", "origin", "states")

    def __init__(self, origin: dict[int, int]) -> None:
        # What was known at its start of where values come from.
        self.origin = origin
        # Locals that something inside may have set.
        self.changed: set[int] = set()
        # The states of the branches that end here.
        self.states: list[State] = []


class _TooLong(Exception):
    """The checks of this function stay."""


class _Pass:
    """The analysis of one function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.code = function.code
        self.ends, self.elses = _matches(function.code)
        self.values: list[Range] = [_ANY] * len(function.code)
        # The local that a value was read from, as long as this holds the same.
        self.origin: dict[int, int] = {}
        self.constructs: list[_Construct] = []
        self.steps = 0
        # The states at the starts of loops, as they were found the last time.
        self.heads: dict[int, State] = {}

    def run(self) -> None:
        """Analyse, then clear what is needless: flags depend on the last values of all."""
        start = {
            local: Range(0, 0)
            for local, type_ in enumerate(self.function.locals)
            if type_ is Type.INT
        }
        before = [one.flags for one in self.code]
        try:
            self._follow(0, len(self.code), start)
        except _TooLong:
            for one, flags in zip(self.code, before):
                one.flags = flags

    def _follow(self, at: int, end: int, state: State) -> State:
        """The state behind the instructions from `at` to `end`."""
        while at < end:
            one = self.code[at]
            self.steps += 1
            if self.steps > _STEPS_MAX:
                raise _TooLong
            if one.op in OPENS:
                state = self._construct(at, state)
                at = self.ends[at] + 1
                continue
            if state is not None:
                state = self._step(at, one, state)
            at += 1
        return state

    def _construct(self, at: int, state: State) -> State:
        end = self.ends[at]
        op = self.code[at].op
        if op is Opcode.LOOP:
            return self._loop(at, end, state)
        here = self._enter()
        if op is Opcode.BLOCK:
            here.states.append(self._follow(at + 1, end, state))
        else:
            condition = int(self.code[at].operands[0])
            middle = self.elses.get(at, end)
            holds = self._narrowed(state, condition, True)
            fails = self._narrowed(state, condition, False)
            here.states.append(self._follow(at + 1, middle, holds))
            # What the first arm has done does not count in the second.
            self.origin = dict(here.origin)
            here.states.append(self._follow(middle + 1, end, fails) if middle < end else fails)
        self._exit()
        return _joined(here.states)

    def _loop(self, at: int, end: int, state: State) -> State:
        # A loop inside another is gone through at each turn of that: it starts from what it has
        # come to the last time, which is wide enough most times.
        head = _joined([state, self.heads.get(at)]) if state is not None else None
        turn = 0
        while True:
            here = self._enter()
            # What is set at the end of a turn counts at the start of the next.
            self.origin = {}
            # The flags that are cleared count on the last turn only, where all ranges are final.
            saved = [one.flags for one in self.code[at:end]]
            outer = [len(one.states) for one in self.constructs[:-1]]
            behind = self._follow(at + 1, end, None if head is None else dict(head))
            self._exit()
            after = _joined([head, *here.states])
            if after is None or head is None or _within(after, head):
                self.heads[at] = head
                return behind
            for one, flags in zip(self.code[at:end], saved):
                one.flags = flags
            for construct, count in zip(self.constructs, outer):
                del construct.states[count:]
            turn += 1
            if turn <= _JOINS:
                head = after
            elif turn <= 2 * _JOINS:
                head = _widened(head, after)
            else:
                # One local pushes the next: nothing that changes in here is known any more.
                head = {
                    local: _ANY if local in here.changed else known
                    for local, known in after.items()
                }

    def _enter(self) -> _Construct:
        here = _Construct(dict(self.origin))
        self.constructs.append(here)
        return here

    def _exit(self) -> None:
        """What is known of the origin of values, without all that something inside has changed."""
        here = self.constructs.pop()
        if self.constructs:
            self.constructs[-1].changed |= here.changed
        kept = here.origin.items()
        self.origin = {value: local for value, local in kept if local not in here.changed}

    # Instructions ---------------------------------------------------------------------------

    def _step(self, at: int, one: Instr, state: dict[int, Range]) -> State:
        op = one.op
        if op is Opcode.SET:
            local, value = int(one.operands[0]), int(one.operands[1])
            if local in state:
                state[local] = self.values[value]
                for origin in [key for key, kept in self.origin.items() if kept == local]:
                    del self.origin[origin]
                self.origin[value] = local
                if self.constructs:
                    self.constructs[-1].changed.add(local)
        elif op is Opcode.BR:
            self._leave(int(one.operands[0]), state)
            return None
        elif op is Opcode.BRIF:
            condition = int(one.operands[0])
            taken = self._narrowed(state, condition, True)
            self._leave(int(one.operands[1]), taken)
            return self._narrowed(state, condition, False)
        elif op is Opcode.FAILIF:
            return self._narrowed(state, int(one.operands[0]), False)
        elif op in (Opcode.RET, Opcode.FAIL):
            return None
        else:
            self.values[at] = self._value(at, one, state)
        return state

    def _leave(self, depth: int, state: State) -> None:
        self.constructs[-1 - depth].states.append(None if state is None else dict(state))

    def _value(self, at: int, one: Instr, state: dict[int, Range]) -> Range:
        op = one.op
        if op is Opcode.CONST_I:
            value = int(one.operands[0])
            return Range(value, value)
        if op is Opcode.GET:
            local = int(one.operands[0])
            self.origin.pop(at, None)
            if local in state:
                self.origin[at] = local
            return state.get(local, _ANY)
        if op is Opcode.LEN:
            return Range(0, _LENGTH_MOST)
        if op is Opcode.B2I:
            return _TRUTH
        if op is Opcode.LOAD:
            facts = FORMATS[self.function.params[int(one.operands[0])].format]
            if facts.least is None or facts.most is None:
                return _ANY
            return Range(facts.least, facts.most).clipped()
        if op is Opcode.INDEX:
            if self._operand(one, 1).least >= 0:
                one.flags |= NONNEGATIVE
            return Range(0, _LENGTH_MOST)
        if op is Opcode.SELECT:
            return self._operand(one, 1).join(self._operand(one, 2))
        if op not in _TRANSFERS:
            return _ANY
        ranges = [self._operand(one, which) for which in range(len(one.operands))]
        result = result_range(one, ranges)
        if one.flags & CHECKED and op in _OVERFLOW and result.fits():
            one.flags &= ~CHECKED
        if not result.fits() and not one.flags & CHECKED:
            return _ANY  # it wraps around
        return result.clipped()

    def _operand(self, one: Instr, which: int) -> Range:
        return self.values[int(one.operands[which])]

    # Conditions -----------------------------------------------------------------------------

    def _narrowed(self, state: State, condition: int, holds: bool) -> State:
        """The state where a condition is known to hold, or not to."""
        if state is None:
            return None
        state = dict(state)
        self._narrow(state, condition, holds)
        return state

    def _narrow(self, state: dict[int, Range], condition: int, holds: bool) -> None:
        one = self.code[condition]
        if one.op is Opcode.NOT:
            self._narrow(state, int(one.operands[0]), not holds)
        elif (one.op is Opcode.AND and holds) or (one.op is Opcode.OR and not holds):
            for operand in one.operands:
                self._narrow(state, int(operand), holds)
        elif one.op is Opcode.ICMP:
            how = Compare(one.flags) if holds else _OPPOSITE[Compare(one.flags)]
            x, y = (int(operand) for operand in one.operands)
            left, right = self.values[x], self.values[y]
            self._limit(state, x, _bound(how, right))
            self._limit(state, y, _bound(MIRRORED[how], left))

    def _limit(self, state: dict[int, Range], value: int, by: Range) -> None:
        # The value itself is narrowed only where this way is the only one: so its local is, and
        # what is read again from there.
        local = self.origin.get(value)
        if local is not None:
            state[local] = state[local].meet(by)


_OPPOSITE = {
    Compare.EQ: Compare.NE,
    Compare.NE: Compare.EQ,
    Compare.LT: Compare.GE,
    Compare.LE: Compare.GT,
    Compare.GT: Compare.LE,
    Compare.GE: Compare.LT,
}

def _bound(how: Compare, other: Range) -> Range:
    """What a value can be that compares so with one of another range."""
    if how is Compare.EQ:
        return other
    if how is Compare.LT:
        return Range(_LEAST, other.most - 1)
    if how is Compare.LE:
        return Range(_LEAST, other.most)
    if how is Compare.GT:
        return Range(other.least + 1, _MOST)
    if how is Compare.GE:
        return Range(other.least, _MOST)
    return _ANY


def _matches(code: list[Instr]) -> tuple[dict[int, int], dict[int, int]]:
    """The END of each construct, and the ELSE of those that have one."""
    ends, elses, opened = {}, {}, []
    for at, one in enumerate(code):
        if one.op in OPENS:
            opened.append(at)
        elif one.op is Opcode.ELSE:
            elses[opened[-1]] = at
        elif one.op is Opcode.END:
            ends[opened.pop()] = at
    return ends, elses


def _joined(states: list[State]) -> State:
    arrived = [one for one in states if one is not None]
    if not arrived:
        return None
    first, *others = arrived
    result = dict(first)
    for other in others:
        for local, known in other.items():
            result[local] = result[local].join(known)
    return result


def _within(inner: dict[int, Range], outer: dict[int, Range]) -> bool:
    return all(outer[local].join(known) == outer[local] for local, known in inner.items())


def _widened(before: dict[int, Range], after: dict[int, Range]) -> dict[int, Range]:
    """The bounds that have moved, set to where they cannot move any more."""
    result = {}
    for local, known in after.items():
        had = before[local]
        least = known.least if known.least >= had.least else (0 if known.least >= 0 else _LEAST)
        most = known.most if known.most <= had.most else _MOST
        result[local] = Range(least, most).join(had)
    return result


# What operations make of ranges -------------------------------------------------------------


def result_range(one: Instr, ranges: list[Range]) -> Range:
    """What an operation on integers of these ranges can give, before it is cut to 64 bits.

    Flags of the operation that are not needed for such operands are cleared.
    """
    return _TRANSFERS[one.op](one, ranges)


def _add(_: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    return Range(x.least + y.least, x.most + y.most)


def _subtract(_: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    return Range(x.least - y.most, x.most - y.least)


def _multiply(_: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    corners = [a * b for a in x for b in y]
    return Range(min(corners), max(corners))


def _negate(_: Instr, ranges: list[Range]) -> Range:
    return Range(-ranges[0].most, -ranges[0].least)


def _absolute(_: Instr, ranges: list[Range]) -> Range:
    x = ranges[0]
    least = 0 if x.least <= 0 <= x.most else min(abs(x.least), abs(x.most))
    return Range(least, max(abs(x.least), abs(x.most)))


def _divide(one: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    _ease_division(one, x, y)
    if y.least <= 0 <= y.most:
        size = max(abs(x.least), abs(x.most))
        return Range(0 if x.least >= 0 and y.least >= 0 else -size, size)
    corners = [a // b for a in x for b in y]
    return Range(min(corners), max(corners))


def _remainder(one: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    _ease_division(one, x, y)
    most = max(y.most - 1, 0)
    if x.least >= 0 and y.least >= 0:
        most = min(most, x.most)
    return Range(min(y.least + 1, 0), most)


def _ease_division(one: Instr, x: Range, y: Range) -> None:
    """Clear the check of a divisor that is never 0, the correction of what is never negative."""
    overflows = one.op is Opcode.IDIV and x.least == _LEAST and y.least <= -1 <= y.most
    if not y.least <= 0 <= y.most and not overflows:
        one.flags &= ~CHECKED
    if x.least >= 0 and y.least >= 0:
        one.flags |= NONNEGATIVE


def _and(_: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    limits = [one.most for one in (x, y) if one.least >= 0]
    return Range(0, min(limits)) if limits else _ANY


def _or(_: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    if x.least < 0 or y.least < 0:
        return _ANY
    return Range(0, (1 << max(x.most, y.most).bit_length()) - 1)


def _shift_left(one: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    if not 0 <= y.least <= y.most < 64:
        return _ANY
    corners = [a << b for a in x for b in y]
    result = Range(min(corners), max(corners))
    if result.fits():
        one.flags &= ~CHECKED
    return result


def _shift_right(one: Instr, ranges: list[Range]) -> Range:
    x, y = ranges
    if not 0 <= y.least <= y.most < 64:
        # All bits may be shifted out: what is left then is 0 or -1.
        return Range(min(x.least, 0), max(x.most, 0))
    one.flags &= ~CHECKED
    corners = [a >> b for a in x for b in y]
    return Range(min(corners), max(corners))


_TRANSFERS = {
    Opcode.IADD: _add,
    Opcode.ISUB: _subtract,
    Opcode.IMUL: _multiply,
    Opcode.INEG: _negate,
    Opcode.IABS: _absolute,
    Opcode.IDIV: _divide,
    Opcode.IMOD: _remainder,
    Opcode.IAND: _and,
    Opcode.IOR: _or,
    Opcode.IXOR: _or,
    Opcode.ISHL: _shift_left,
    Opcode.ISHR: _shift_right,
}
# Their check is of the size of the result alone.
_OVERFLOW = frozenset({Opcode.IADD, Opcode.ISUB, Opcode.IMUL, Opcode.INEG, Opcode.IABS})
