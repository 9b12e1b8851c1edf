"""Generated programs against plain Python; `--jit-programs N` makes the run longer.

The default adds up to 20,700 programs over the seven environments. Every environment has seeds of
its own, so that a run of all of them sees as many different programs.
"""

from __future__ import annotations

import ast
import os
import sys
import warnings

import pytest

from . import values
from .exercise import must_be_native, reporting
from .forms import written_out
from .hunt import Catch, report, report_crash, report_refusal, run
from .oracle import PYPY, Module, Side, compare, offloaded, plain
from .programs import generate
from .shrink import as_case, shrink

# PyPy, which is slow at what it does once, takes three times as long for each.
DEFAULT_PROGRAMS = 1_500 if PYPY else 3_200
# Of ~True, which 3.12 no longer likes; it is in the language all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")

# Programs a test: a test under the watchdog's eye takes seconds.
CHUNKS = 14
SEEDS_APART = 10_000_000
NATIVE_SHARE = 0.99


def first_seed() -> int:
    """Where the seeds of this environment begin."""
    patched = 1 if os.environ.get("IRIS_TEST_PATCHED") else 0
    environment = sys.version_info[1] * 4 + (2 if PYPY else 0) + patched
    return environment * SEEDS_APART


@pytest.fixture(scope="module")
def catches() -> list[Catch]:
    """What the chunks found, for the share over all of them."""
    return []


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_generated_programs_equal_plain_python(
    chunk: int, pytestconfig: pytest.Config, catches: list[Catch]
) -> None:
    count = pytestconfig.getoption("jit_programs") or DEFAULT_PROGRAMS
    each = -(-count // CHUNKS)
    start = first_seed() + chunk * each
    side = offloaded()
    with warnings.catch_warnings():
        # A generated `0 is 0.0` or `1[0]` is the generator's business.
        warnings.simplefilter("ignore", SyntaxWarning)
        catch = run(range(start, start + each), side, stop_after=3)
        catches.append(catch)
        found = [report(one, side) for one in catch.failures]
        found += [report_crash(one, side, error) for one, error in catch.crashes]
    assert not found, "\n".join(found)


def test_generated_programs_run_native(catches: list[Catch]) -> None:
    """At least 99 % of the programs with an ordinary call, without one re-run."""
    side = offloaded()
    if side.jit is None or not side.jit.available():
        pytest.skip("no compute sidecar here")
    native = sum(one.native for one in catches)
    refused = [program for one in catches for program in one.refusals]
    asked = native + len(refused)
    assert asked > 0.8 * sum(one.programs for one in catches), "too few programs are ordinary"
    share = native / asked
    reasons = sum((one.reasons for one in catches), start=type(catches[0].reasons)())
    assert share >= NATIVE_SHARE, (
        f"{share:.2%} of {asked} programs ran native: {reasons.most_common(10)}\n"
        + "\n".join(report_refusal(one, side) for one in refused[:2])
    )


# The tools themselves


def test_a_seed_names_a_program() -> None:
    one, other = generate(7), generate(7)
    assert one == other
    assert generate(8).source != one.source


def test_most_calls_raise_nothing_and_some_do() -> None:
    raised = total = 0
    for seed in range(300):
        program = generate(seed)
        module = plain(program.source)
        for call in program.calls[:3]:
            raised += module.call(call).raised
            total += 1
    assert 0.01 < raised / total < 0.15


def test_programs_use_the_whole_language() -> None:
    seen: set[str] = set()
    for seed in range(1500):
        program = generate(seed)
        for node in ast.walk(ast.parse(program.source)):
            seen.add(type(node).__name__)
            if isinstance(node, ast.Call):
                seen.add(ast.unparse(node.func).removeprefix("math."))
        seen |= program.features
    wanted = {
        "For", "While", "If", "IfExp", "Break", "Continue", "AugAssign", "Tuple", "BoolOp", "Not",
        "Compare", "GeneratorExp", "Subscript", "Return", "keyword", "Pass", "FloorDiv", "Mod",
        "Pow", "LShift", "RShift", "BitAnd", "BitOr", "BitXor", "Invert", "USub", "UAdd", "Div",
        "len", "abs", "min", "max", "round", "int", "float", "bool", "divmod", "pow", "sum", "any",
        "all", "range", "sin", "sqrt", "log", "atan2", "fmod", "floor", "ceil", "trunc", "isnan",
        "copysign", "if_else", "sum_while", "any_while", "all_while", "break_if", "break_when",
        "break_unless", "continue_if", "continue_when", "continue_unless", "break_on_nan",
        "continue_on_nan", "unbound", "risk", "recursion",
    }  # fmt: skip
    assert wanted <= seen, wanted - seen


def test_the_oracle_sees_every_difference() -> None:
    call = values.Call((values.Buf("array d", (0.0, 1.0)), 0.0))
    right = plain("def f(a, x): return x").call(call)
    for wrong in (
        "def f(a, x): return -x",
        "def f(a, x): return 0",
        "def f(a, x): return False",
        "def f(a, x): return (x,)",
        "def f(a, x): return None",
        "def f(a, x): return 1 / x",
        "def f(a, x):\n a[0] = -0.0\n return x",
    ):
        assert plain(wrong).call(call) != right
    nan = plain("def f(x): return x").call(values.Call((float("nan"),)))
    assert nan == plain("def f(x): return x * 1").call(values.Call((float("nan"),)))
    assert plain("def f(x): return 1 // x").call(values.Call((0,))) != plain(
        "def f(x): return 1 / x"
    ).call(values.Call((0,)))


def test_a_planted_fault_is_found_and_shrunk() -> None:
    """A compiler that takes // towards zero."""

    class Wrong(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
            self.generic_visit(node)
            if isinstance(node.op, ast.FloorDiv):
                left, right = ast.unparse(node.left), ast.unparse(node.right)
                return ast.parse(f"towards_zero({left}, {right})", mode="eval").body
            return node

    def towards_zero(a: float, b: float) -> float:
        down = a // b
        return down + 1 if isinstance(down, int) and down < 0 and a % b else down

    def fails(program: object) -> bool:
        source, calls = program.source, program.calls  # type: ignore[attr-defined]
        tree = Wrong().visit(ast.parse(written_out(source)))
        wrong = Module(
            ast.unparse(ast.fix_missing_locations(tree)),
            lambda function: function,
            names={"towards_zero": towards_zero},
        )
        right = plain(source)
        return any(right.call(one) != wrong.call(one) for one in calls)

    program = next(one for one in map(generate, range(1000)) if fails(one))
    small = shrink(program, fails)
    assert "//" in small.source
    assert len(small.source) < len(program.source)
    assert len(small.calls) == 1
    assert "case(" in as_case(small)


def test_reporting_changes_no_result() -> None:
    for seed in range(200):
        program = generate(seed)
        names = {"seen": lambda value: value, "seen_power": lambda a, b: a**b}
        module = Module(reporting(program.source), lambda function: function, names=names)
        right = plain(program.source)
        for call in program.calls:
            expected, got = right.call(call), module.call(call)
            assert got.buffers == expected.buffers
            if not expected.raised:
                assert got == expected


def test_comparing_plain_python_with_itself_finds_nothing() -> None:
    side = Side(lambda function: function)
    for seed in range(200):
        program = generate(seed)
        verdict = compare(program.source, program.calls, side, program.features)
        assert not verdict.differences
        assert must_be_native(program, side) is None
