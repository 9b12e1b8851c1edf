"""Breaks the compiler in more than thirty ways and shows that the generator notices: a script.

    python -m tests.jit.faults [--only NAME] [--count 20000]

Most faults are rewritings of the program between the front end and the sidecar, so that everything
else is as always; some break the pass that drops checks. For each the generator runs until a
program differs from plain Python; the table says how many that took. The exit status is 1 when a
fault was not found within `--count` programs: then the generator, the oracle or the arguments it
tries have a blind spot.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Optional

from iris.jit import dispatch, ranges
from iris.jit.check import verify
from iris.jit.ir import NONNEGATIVE, Compare, Opcode, Program

from .edits import (
    TWO_53,
    Change,
    Editor,
    StoreAfterLoad,
    absolute_by_compare,
    bools_are_ints,
    by_reciprocal,
    compare_as_doubles,
    compared,
    flagged,
    fused,
    half_away_from_zero,
    index_one_too_far,
    index_one_too_low,
    instead,
    ints_are_floats,
    nan_is_at_least,
    negative_index_of_one_less,
    no_sign_fix_of_modulo,
    other_of_equals,
    reassociated,
    rewritten,
    unfailing,
    unflagged,
    without_adding_zero,
    zero_by_algebra,
)
from .oracle import compare, native_here, offloaded
from .programs import generate


def _of_bound(edit: Editor, condition: int) -> bool:
    """Whether a test asks if a variable is bound."""
    return edit.op(condition) is Opcode.NOT and edit.op(edit.operands(condition)[0]) is Opcode.GET


def _of_zero(edit: Editor, condition: int) -> bool:
    """Whether a test asks for a divisor that is zero."""
    if edit.op(condition) is not Opcode.FCMP or edit.code[condition].flags != Compare.EQ:
        return False
    return edit.literal(edit.operands(condition)[1]) == 0.0


class Fault(NamedTuple):
    """One way to be wrong."""

    name: str
    make: Optional[Callable[[], Change]] = None
    """Gives a rewriting of programs."""
    patch: Optional[tuple[Any, str, Any]] = None
    """An object, an attribute and what stands there instead."""


def _fault(name: str, change: Change) -> Fault:
    return Fault(name, lambda: change)


FAULTS = (
    _fault("add: no overflow check", unflagged(Opcode.IADD)),
    _fault("subtract: no overflow check", unflagged(Opcode.ISUB)),
    _fault("multiply: no overflow check", unflagged(Opcode.IMUL)),
    _fault("negate: no overflow check", unflagged(Opcode.INEG)),
    _fault("abs of int: no overflow check", unflagged(Opcode.IABS)),
    _fault("// of ints: no floor fix", flagged(Opcode.IDIV, NONNEGATIVE)),
    _fault("% of ints: no floor fix", flagged(Opcode.IMOD, NONNEGATIVE)),
    _fault("//: no zero check", unflagged(Opcode.IDIV)),
    _fault("%: no zero check", unflagged(Opcode.IMOD)),
    _fault("<<: no check", unflagged(Opcode.ISHL)),
    _fault(">>: count taken modulo 64", unflagged(Opcode.ISHR)),
    _fault("ints: < as <=", compared(Opcode.ICMP, Compare.LT, Compare.LE)),
    _fault("floats: < as <=", compared(Opcode.FCMP, Compare.LT, Compare.LE)),
    _fault("floats: >= as not <", nan_is_at_least),
    _fault("int with float compared as floats", compare_as_doubles),
    _fault("min, max: operands swapped", other_of_equals),
    _fault("index: one too far passes", index_one_too_far),
    _fault("index: one too low passes", index_one_too_low),
    _fault("index: negative ones off by one", negative_index_of_one_less),
    Fault("store after the next load", StoreAfterLoad),
    _fault("store: no range check", unflagged(Opcode.STORE)),
    _fault("load of u64: no range check", unflagged(Opcode.LOAD)),
    _fault("float to int: no check", unflagged(Opcode.F2I)),
    _fault("float to int: rounds half away", instead(Opcode.FNEAREST, half_away_from_zero)),
    _fault("floor as trunc", instead(Opcode.FFLOOR, lambda edit, x: edit.emit(Opcode.FTRUNC, x))),
    _fault(
        "int beyond 2**53 beside floats",
        unfailing(lambda edit, test: edit.from_constant(test, TWO_53)),
    ),
    _fault("math: no domain check", unfailing(lambda edit, test: edit.reaches(test, Opcode.MATH1))),
    _fault("pow: no range check", unfailing(lambda edit, test: edit.reaches(test, Opcode.MATH2))),
    _fault("floats: no zero check", unfailing(_of_zero)),
    _fault("unbound variables read as zero", unfailing(_of_bound)),
    _fault("fused multiply-add", fused),
    _fault("additions reassociated", reassociated),
    _fault("division by reciprocal", by_reciprocal),
    _fault("x - x and x * 0 are 0", zero_by_algebra),
    _fault("x + 0 is x", without_adding_zero),
    _fault(
        "-x as 0 - x",
        instead(
            Opcode.FNEG,
            lambda edit, x: edit.emit(Opcode.FSUB, edit.emit(Opcode.CONST_F, 0.0), x),
        ),
    ),
    _fault("abs of -0.0", instead(Opcode.FABS, absolute_by_compare)),
    _fault(
        "% of floats: sign of zero",
        instead(Opcode.FCOPYSIGN, lambda edit, x, y: edit.emit(Opcode.FABS, x)),
    ),
    _fault("% of floats: no sign fix", no_sign_fix_of_modulo),
    Fault("ranges: nothing overflows", patch=(ranges.Range, "fits", lambda self: True)),
    Fault("ranges: joins keep the first", patch=(ranges.Range, "join", lambda self, other: self)),
    Fault(
        "ranges: % is never negative",
        patch=(
            ranges,
            "_TRANSFERS",
            {**ranges._TRANSFERS, Opcode.IMOD: lambda one, known: ranges.Range(0, 2**40)},
        ),
    ),
    _fault("bools come out as ints", bools_are_ints),
    _fault("ints come out as floats", ints_are_floats),
)


@contextlib.contextmanager
def injected(fault: Fault) -> Iterator[list[int]]:
    """Break the compiler; gives the number of changes made, kept up to date."""
    right = dispatch.encode
    made = [0]
    if fault.patch is not None:
        owner, attribute, wrong_one = fault.patch
        right_one = getattr(owner, attribute)
        setattr(owner, attribute, wrong_one)
        try:
            yield made
        finally:
            setattr(owner, attribute, right_one)
        return
    assert fault.make is not None
    change = fault.make

    def wrong(program: Program) -> Any:
        other, changed = rewritten(program, change())
        made[0] += changed
        if not changed:
            return right(program)
        verify(other)
        return right(other)

    dispatch.encode = wrong  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        dispatch.encode = right  # type: ignore[attr-defined]


class Found(NamedTuple):
    """What a hunt for one fault came to."""

    programs: Optional[int]
    """How many it took; None: not found."""
    changes: int
    seed: int
    wall_s: float


def hunt(fault: Fault, first: int, count: int) -> Found:
    """Run programs until one differs."""
    side, start = offloaded(), time.perf_counter()
    with injected(fault) as made:
        for seed in range(first, first + count):
            program = generate(seed)
            verdict = compare(program.source, program.calls, side, program.features)
            if verdict.differences:
                return Found(seed - first + 1, made[0], seed, time.perf_counter() - start)
    return Found(None, made[0], -1, time.perf_counter() - start)


def main() -> int:
    """Parse the options, hunt each fault, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.jit.faults", description=__doc__)
    parser.add_argument("--only", help="faults whose name contains this")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    if not native_here():
        print("no compute sidecar here: nothing to break")
        return 2
    missed = 0
    print(f"{'fault':36} {'programs':>9} {'changes':>8} {'seed':>9} {'s':>7}")
    for fault in FAULTS:
        if options.only and options.only not in fault.name:
            continue
        found = hunt(fault, options.seed, options.count)
        missed += found.programs is None
        programs = "NOT FOUND" if found.programs is None else str(found.programs)
        print(
            f"{fault.name:36} {programs:>9} {found.changes:8d} {found.seed:9d} {found.wall_s:7.1f}",
            flush=True,
        )
    print(f"{missed} of them not found" if missed else "all found")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
