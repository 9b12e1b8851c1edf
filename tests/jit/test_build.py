"""What the front end makes: programs as text, verified, and executed by the interpreter."""

from __future__ import annotations

import textwrap
from array import array
from typing import Any

import pytest

import iris
from iris.jit import check, interp
from iris.jit.arguments import classify
from iris.jit.build import build
from iris.jit.describe import PythonWorld, describe
from iris.jit.encode import double_of
from iris.jit.interpreter import running_interpreter
from iris.jit.ir import Status, Tag, Type
from iris.jit.ranges import drop_checks
from iris.jit.refusal import Unsupported

from .cases import Case
from .oracle import Module
from .programs import generate
from .test_cases import CASES
from .values import fresh


def built(function: Any, *args: Any) -> Any:
    """The program of a function for arguments of these types."""
    described = describe(function)
    assert described is not None
    containers = [isinstance(one, (array, memoryview, bytearray)) for one in args]
    found = [classify(one, is_one) for one, is_one in zip(args, containers)]
    params = [one[0] for one in found if one is not None]
    if len(params) != len(args):
        raise Unsupported(None, "argument", "of no type that is compiled")
    return build(described, params, running_interpreter(), PythonWorld())


def text_of(function: Any, *args: Any) -> str:
    program = built(function, *args).program
    drop_checks(program)
    check.verify(program)
    return str(program)


def test_numbers_of_one_type_are_computed_as_such() -> None:
    def f(x: float, n: int) -> float:
        return x * n

    assert text_of(f, 1.0, 2) == textwrap.dedent(
        """\
        function 0 f(float, int)
          locals l0 float, l1 int
          %0 = arg a0
          set l0 %0
          %2 = arg a1
          set l1 %2
          %4 = get l0
          %5 = get l1
          %6 = i2f %5
          %7 = fmul %4 %6
          %8 = const_i 0
          out s0 %8
          %10 = const_i 3
          out s1 %10
          out s2 %7
          ret"""
    )


def test_checks_that_cannot_fail_are_gone() -> None:
    def f(n: int) -> int:
        return (n & 255) % 7 + 1

    text = text_of(f, 1)
    assert "imod+" in text
    assert "iadd %" in text
    assert "?" not in text


def test_a_sum_that_starts_as_an_int_is_kept_as_either() -> None:
    def f(a: Any) -> Any:
        s = 0
        for x in a:
            s += x
        return s

    text = text_of(f, array("d", [1.0]))
    assert "fadd" in text
    assert "iadd?" not in text


def test_a_recursion_is_a_function_of_the_program() -> None:
    def f(n: int) -> int:
        return 1 if n < 2 else n * f(n - 1)

    program = built(f, 5).program
    check.verify(program)
    assert len(program.functions) == 2
    assert "call f1" in str(program)


@pytest.mark.parametrize(
    ("source", "construct"),
    [
        ("return [x]", "list"),
        ("return print(x)", "call of print"),
        ("return x.real", "attribute real"),
        ("return nowhere", "name nowhere"),
        ("return x in (1, 2)", "in"),
        ("with x: pass", "with statement"),
        ("import math", "import"),
        ("return 'a'", "result"),
        ("return x @ x", "operator @"),
        ("a = 1 if x else (1, 2)\n return a", "conditional expression"),
    ],
)
def test_what_is_outside_the_language_is_named(source: str, construct: str) -> None:
    function = Module(f"def f(x):\n {source}\n", lambda one: one).function
    with pytest.raises(Unsupported) as refused:
        built(function, 1.0)
    assert refused.value.refusal.construct == construct
    assert refused.value.refusal.line == 2


def test_a_function_over_the_limit_is_refused() -> None:
    lines = "\n".join(f" x = x * {number}.5 + 1" for number in range(1500))
    function = Module(f"def f(x):\n{lines}\n return x\n", lambda one: one).function
    with pytest.raises(Unsupported, match="longer than 5000 operations"):
        built(function, 1.0)
    offloaded = iris.offload(function)
    assert offloaded(1.0) == function(1.0)


def values_of(made: Any, results: list[int]) -> Any:
    """The value that result slots stand for."""
    at = [1]

    def read(shape: Any) -> Any:
        if shape is not None:
            return tuple(map(read, shape))
        tag, bits = results[at[0]], results[at[0] + 1]
        at[0] += 2
        signed = bits - 2**64 if bits >= 2**63 else bits
        return {
            Tag.NONE: lambda: None,
            Tag.BOOL: lambda: bool(bits),
            Tag.INT: lambda: signed,
            Tag.FLOAT: lambda: double_of(bits),
            Tag.BOOL_IN_FLOAT: lambda: bool(double_of(bits)),
            Tag.INT_IN_FLOAT: lambda: int(double_of(bits)),
        }[Tag(tag)]()

    return read(made.shapes[results[0]])


def check_calls(module: Module, calls: Any) -> int:
    """Verify the programs of these calls, and compare what they give with Python; how many."""
    compared = 0
    for call in calls:
        if call.kwargs or call.rebind:
            continue
        args = fresh(call.args)
        code = module.function.__code__
        if len(args) != code.co_argcount or code.co_kwonlyargcount:
            continue
        try:
            made = built(module.function, *args)
        except Unsupported:
            continue
        check.verify(made.program)
        drop_checks(made.program)
        check.verify(made.program)
        if any(
            param.writable and memoryview(one).readonly for param, one in zip(made.params, args)
        ):
            continue
        hidden = [one.ref.read() for one in made.hidden]
        try:
            status, results = interp.run(made.program, [*args, *hidden], steps_max=5_000)
        except interp.StepLimit:
            continue
        if status is not Status.DONE:
            continue
        theirs = fresh(call.args)
        assert repr(values_of(made, results)) == repr(module.function(*theirs))
        for ours, other, param in zip(args, theirs, made.params):
            assert param.type is not Type.BUFFER or repr(list(ours)) == repr(list(other))
        compared += 1
    return compared


PLAIN = [one for one in CASES if "while(" not in one.source and "_if" not in one.source]


@pytest.mark.parametrize("one", PLAIN, ids=[one.name for one in PLAIN])
def test_programs_of_cases_are_valid_and_mean_what_python_means(one: Case) -> None:
    try:
        module = Module(one.source, lambda *args, **_: args[0] if args else lambda given: given)
    except Exception:
        pytest.skip("it cannot be defined without offload")
    check_calls(module, one.calls[:3])


@pytest.mark.parametrize("start", range(0, 100, 25))
def test_generated_programs_are_valid_and_mean_what_python_means(start: int) -> None:
    compared = 0
    for seed in range(7_000_000 + start, 7_000_000 + start + 25):
        program = generate(seed)
        if "forms" in program.features:
            continue
        module = Module(program.source, lambda function: function)
        compared += check_calls(module, program.calls[:1])
    assert compared > 0
