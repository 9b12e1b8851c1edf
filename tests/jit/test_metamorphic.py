"""A program written in another way stays native and equal to plain Python."""

from __future__ import annotations

import pytest

from .exercise import must_be_native
from .hunt import report
from .oracle import Side, compare, offloaded, plain
from .program import Program
from .programs import generate
from .rewrites import REWRITINGS
from .test_programs import NATIVE_SHARE, first_seed

# Of ~True, which 3.12 no longer likes; it is in the language all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")

PROGRAMS = 120


def _rewritten(name: str, first: int) -> list[tuple[Program, Program]]:
    pairs = []
    for seed in range(first, first + PROGRAMS):
        program = generate(seed)
        other = REWRITINGS[name](program)
        if other is not None and other.source != program.source:
            pairs.append((program, other))
    return pairs


@pytest.mark.parametrize("name", REWRITINGS)
def test_rewriting_means_the_same_to_plain_python(name: str) -> None:
    """Of the rewriting itself: without it the next test would prove nothing."""
    pairs = _rewritten(name, first_seed())
    assert len(pairs) >= PROGRAMS / 10
    for program, other in pairs:
        one, two = plain(program.source), plain(other.source)
        if name == "permute_parameters":
            continue  # its calls are others; the next test compares what they come to
        for call in program.calls:
            expected, got = one.call(call), two.call(call)
            assert got == expected, f"{program.source}\n{other.source}\n{call}"


@pytest.mark.parametrize("name", REWRITINGS)
def test_rewritten_programs_are_equal_and_native(name: str) -> None:
    side = offloaded()
    native = refused = 0
    why = []
    for program, other in _rewritten(name, first_seed() + 500_000):
        verdict = compare(
            other.source, other.calls, side, other.features, must_be_native(other, side)
        )
        assert not verdict.differences, report(other, side)
        # What the first way of writing leaves in Python, the second may too.
        before = _refused(program, side) if verdict.refused else 0
        if verdict.refused and not before:
            refused += 1
            why.append(f"{other.source}\n{verdict.why}")
        native += verdict.native > 0
    if side.jit is None or not side.jit.available():
        pytest.skip("no compute sidecar here")
    # One of so few is more than a hundredth.
    share = native / max(1, native + refused)
    assert refused <= 1 or share >= NATIVE_SHARE, "\n".join(why[:2])


def _refused(program: Program, side: Side) -> int:
    return compare(
        program.source, program.calls, side, program.features, must_be_native(program, side)
    ).refused
