"""Runs generated programs and shrinks what differs: `python -m tests.jit.hunt --count 1000`.

What `test_programs.py` does, for the work at the compiler: any range of seeds, every failure as a
case to paste, the reasons for refusals counted, and optionally a time to run for.
"""

from __future__ import annotations

import argparse
import collections
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Optional

from .exercise import must_be_native
from .oracle import Difference, Side, Verdict, compare, offloaded
from .program import Program
from .programs import generate
from .shrink import as_case, shrink


@dataclass
class Catch:
    """What a run over many programs has found."""

    programs: int = 0
    native: int = 0
    """Programs all of whose calls that had to run natively did."""
    refused: int = 0
    exempt: int = 0
    """Programs of which nothing native was asked."""
    reasons: collections.Counter[str] = field(default_factory=collections.Counter)
    refusals: list[Program] = field(default_factory=list)
    failures: list[Program] = field(default_factory=list)
    crashes: list[tuple[Program, BaseException]] = field(default_factory=list)


def verdict_of(program: Program, side: Side) -> Verdict:
    """Compare one program on all its calls."""
    return compare(
        program.source, program.calls, side, program.features, must_be_native(program, side)
    )


def run(
    seeds: range,
    side: Side,
    size: int = 8,
    stop_after: int = 5,
    until: Optional[float] = None,
) -> Catch:
    """Compare the programs of these seeds; stop after some failures or at a time."""
    catch = Catch()
    for seed in seeds:
        program = generate(seed, size)
        catch.programs += 1
        try:
            verdict = verdict_of(program, side)
        except Exception as error:
            catch.crashes.append((program, error))
        else:
            if verdict.differences:
                catch.failures.append(program)
            if verdict.refused:
                catch.refused += 1
                catch.reasons[reason_of(verdict.why)] += 1
                catch.refusals.append(program)
            elif verdict.native:
                catch.native += 1
            else:
                catch.exempt += 1
        if len(catch.failures) + len(catch.crashes) >= stop_after:
            break
        if until is not None and time.monotonic() > until:
            break
    return catch


def _kind_of(difference: Difference) -> tuple[object, object]:
    """What sort of difference it is, so that shrinking does not wander off to another."""
    expected, got = difference.expected, difference.got
    return (expected.raised and expected.result[0], got.raised and got.result[0])


def report(program: Program, side: Side) -> str:
    """A failing program, shrunk, with what came and what should have."""

    def kinds(candidate: Program) -> set[tuple[object, object]]:
        verdict = compare(candidate.source, candidate.calls, side, candidate.features)
        return set(map(_kind_of, verdict.differences))

    wanted = kinds(program)
    small = shrink(program, lambda candidate: bool(wanted & kinds(candidate)))
    verdict = compare(small.source, small.calls, side, small.features)
    return as_case(small) + "\n" + "\n".join(map(str, verdict.differences))


def report_crash(program: Program, side: Side, error: BaseException) -> str:
    """A program on which Iris itself raised, shrunk."""

    def fails(candidate: Program) -> bool:
        try:
            compare(candidate.source, candidate.calls, side, candidate.features)
        except type(error):
            return True
        return False

    return as_case(shrink(program, fails)) + f"\nraises {error!r}"


def reason_of(why: str) -> str:
    """A reason for a refusal without the names and places in it, so that alike ones are counted."""
    return re.sub(r"[\w.<>]*\d[\w.<>]*", "#", why.split(": ", 1)[-1])[:110]


def report_refusal(program: Program, side: Side) -> str:
    """A program that had to run natively and did not, shrunk, with the reason."""
    reason = reason_of(verdict_of(program, side).why)

    def fails(candidate: Program) -> bool:
        verdict = verdict_of(candidate, side)
        return bool(verdict.refused) and reason_of(verdict.why) == reason

    small = shrink(program, fails)
    return as_case(small) + f"\nnot native: {verdict_of(small, side).why}"


def main() -> int:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.jit.hunt", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--seconds", type=float, help="run so long at most")
    parser.add_argument("--stop-after", type=int, default=5, help="so many failures")
    parser.add_argument("--refusals", type=int, default=3, help="show so many, shrunk")
    options = parser.parse_args()
    side = offloaded()
    until = None if options.seconds is None else time.monotonic() + options.seconds
    seeds = range(options.seed, options.seed + options.count)
    catch = run(seeds, side, options.size, options.stop_after, until)
    for program, error in catch.crashes:
        print(f"--- crash: {error!r}\n" + report_crash(program, side, error), flush=True)
    for program in catch.failures:
        print("--- difference\n" + report(program, side), flush=True)
    # One of each reason first.
    shown = {reason_of(verdict_of(one, side).why): one for one in reversed(catch.refusals)}
    for program in list(shown.values())[: options.refusals]:
        print("--- refused\n" + report_refusal(program, side), flush=True)
    for reason, count in catch.reasons.most_common(20):
        print(f"{count:6d} {reason}")
    print(
        f"{catch.programs} programs: {catch.native} native, {catch.refused} not native though "
        f"asked, {catch.exempt} not asked; {len(catch.failures)} differ, "
        f"{len(catch.crashes)} crash; native where asked "
        f"{catch.native / max(1, catch.native + catch.refused):.2%}"
    )
    return bool(catch.failures or catch.crashes)


if __name__ == "__main__":
    sys.exit(main())
