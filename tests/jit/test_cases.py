"""Every hand-picked case against plain Python, and those that must run as machine code."""

from __future__ import annotations

import pytest

from . import (
    cases_buffers,
    cases_calls,
    cases_flow,
    cases_forms,
    cases_found,
    cases_kernels,
    cases_loops,
    cases_math,
    cases_names,
    cases_numbers,
    cases_outside,
    cases_stores,
)
from .cases import Case
from .exercise import must_be_native
from .oracle import compare, offloaded
from .program import Program
from .values import Call

SUBJECTS = (
    cases_numbers,
    cases_math,
    cases_flow,
    cases_loops,
    cases_kernels,
    cases_names,
    cases_calls,
    cases_outside,
    cases_buffers,
    cases_stores,
    cases_forms,
    cases_found,
)
CASES: list[Case] = [one for subject in SUBJECTS for one in subject.CASES]
# Of ~True, which 3.12 no longer likes; it is in the language all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")

# More than these of one function stay in Python.
SIGNATURES_MAX = 8
MUST_BE_NATIVE = [one.name for one in CASES if one.native]


@pytest.mark.parametrize("one", CASES, ids=[one.name for one in CASES])
def test_case_equals_plain_python(one: Case) -> None:
    verdict = compare(one.source, one.calls, offloaded())
    assert not verdict.differences, "\n".join(map(str, [one.source, *verdict.differences]))


@pytest.mark.parametrize("one", CASES, ids=[one.name for one in CASES])
def test_case_equals_plain_python_by_itself(one: Case) -> None:
    """Without a pinned arm, twice over, as a user calls it."""
    side = offloaded()
    side.arm = ""
    verdict = compare(one.source, one.calls * 2, side)
    assert not verdict.differences, "\n".join(map(str, [one.source, *verdict.differences]))


@pytest.mark.parametrize("name", MUST_BE_NATIVE)
def test_case_runs_native(name: str) -> None:
    side = offloaded()
    if side.jit is None or not side.jit.available():
        pytest.skip("no compute sidecar here")
    one = next(one for one in CASES if one.name == name)
    must = must_be_native(Program(one.source, one.calls), side)
    native = 0
    for calls in _by_signature(one.calls):
        verdict = compare(one.source, calls, side, must=must)
        assert verdict.refused == 0, f"{one.source}\n{verdict.why}"
        native += verdict.native
    assert native > 0, "no call of it is ordinary"


def _by_signature(calls: tuple[Call, ...]) -> list[tuple[Call, ...]]:
    """All calls together, or, where they are of more signatures than one function gets, apart."""
    groups: dict[object, list[Call]] = {}
    for call in calls:
        kinds = [getattr(one, "make", type(one)) for one in (*call.args, *call.kwargs.values())]
        groups.setdefault(tuple(kinds), []).append(call)
    if len(groups) <= SIGNATURES_MAX or any(call.rebind for call in calls):
        return [calls]
    return [tuple(group) for group in groups.values()]


def test_the_cases_are_many_and_their_names_differ() -> None:
    assert len({one.name for one in CASES}) == len(CASES)
    assert len(CASES) >= 250
    assert sum(len(one.calls) for one in CASES) >= 1_500
    assert len(MUST_BE_NATIVE) >= 150
