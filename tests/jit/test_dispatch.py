"""Who makes a call: signatures, guards, what is handed back, what is reported."""

from __future__ import annotations

import json
import math
import threading
from array import array
from typing import Any

import pytest

import iris
from iris.errors import BadInput, NativeRefused
from iris.jit import build, shim, switches

needs_sidecar = pytest.mark.skipif(
    not iris.jit.available(), reason=f"no compute sidecar: {iris.jit.why_unavailable()}"
)

FACTOR = 2.0


def native_calls(function: Any) -> int:
    return sum(one.native_calls for one in iris.jit.explain(function).signatures)


# Shapes -------------------------------------------------------------------------------------


@needs_sidecar
def test_each_set_of_types_is_a_signature_of_its_own() -> None:
    @iris.offload
    def f(x: Any, y: Any) -> Any:
        return x + y

    assert [f(1, 2), f(1.0, 2), f(True, True), f(1, 2)] == [3, 3.0, 2, 3]
    kinds = [one.kinds for one in iris.jit.explain(f).signatures]
    assert kinds == [("int", "int"), ("float", "int"), ("bool", "bool")]


@needs_sidecar
def test_more_than_eight_signatures_are_left_to_python() -> None:
    @iris.offload
    def f(x: Any, y: Any, z: Any) -> Any:
        return x + y + z

    values = [(a, b, c) for a in (1, 1.0, True) for b in (1, 1.0, True) for c in (1, 1.0)]
    assert [f(*one) for one in values] == [sum(one) for one in values]
    assert len(iris.jit.explain(f).signatures) == 8
    with iris.jit.force("native-only"), pytest.raises(NativeRefused, match="call shapes"):
        f(True, True, 1.0)


@pytest.mark.parametrize("value", ["a", None, 2**70, [1], 1j, type("F", (float,), {})(2.5)])
def test_other_types_are_pythons(value: Any) -> None:
    @iris.offload
    def f(x: Any) -> Any:
        return (x,)

    assert f(value) == (value,)
    assert type(f(value)[0]) is type(value)
    assert native_calls(f) == 0


def test_wrong_calls_raise_what_python_raises() -> None:
    def plain(x: Any, y: Any = 1, *, z: Any = 2) -> Any:
        return x + y + z

    f: Any = iris.offload(plain)
    assert [f(1), f(1, y=2), f(x=1, z=5), f(1, 2, z=3)] == [4, 5, 7, 6]
    for args, kwargs in [((), {}), ((1, 2, 3), {}), ((1,), {"x": 2}), ((1,), {"q": 2})]:
        with pytest.raises(TypeError) as expected:
            plain(*args, **kwargs)  # type: ignore[call-arg, arg-type]
        with pytest.raises(TypeError) as got:
            f(*args, **kwargs)
        assert str(got.value) == str(expected.value)


# Guards -------------------------------------------------------------------------------------


def test_globals_and_builtins_are_those_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    @iris.offload
    def f(x: float) -> float:
        return abs(x) * FACTOR

    assert f(-3.0) == 6.0
    monkeypatch.setitem(globals(), "FACTOR", 5)
    assert f(-3.0) == 15.0
    monkeypatch.setitem(globals(), "FACTOR", 2**70)
    assert f(-3.0) == 3.0 * 2**70
    monkeypatch.setitem(globals(), "FACTOR", 0.5)
    assert f(-3.0) == 1.5
    monkeypatch.setitem(globals(), "abs", lambda x: x)
    assert f(-3.0) == -1.5


@needs_sidecar
def test_a_number_that_fits_again_is_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    @iris.offload
    def f(x: int) -> Any:
        return x * FACTOR

    for value in (3, 2**70, 7):
        monkeypatch.setitem(globals(), "FACTOR", value)
        assert f(3) == 3 * value
    before = native_calls(f)
    f(3)
    assert native_calls(f) == before + 1


def test_callees_are_those_of_the_call() -> None:
    def helper(x: float, k: float = 1.0) -> float:
        return x + k

    @iris.offload
    def f(x: float) -> float:
        return helper(x)

    assert f(1.0) == 2.0
    helper.__defaults__ = (10.0,)
    assert f(1.0) == 11.0
    helper.__code__ = (lambda x, k=1.0: x * k).__code__
    assert f(3.0) == 30.0
    helper = lambda x: -x  # type: ignore[assignment]  # noqa: E731 - a cell is rebound
    assert f(3.0) == -3.0


def test_a_function_of_math_that_is_replaced_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    @iris.offload
    def f(x: float) -> float:
        return math.sqrt(x) + math.pi

    assert f(4.0) == 2.0 + math.pi
    monkeypatch.setattr(math, "pi", 0.0)
    monkeypatch.setattr(math, "sqrt", lambda x: 100.0)
    assert f(4.0) == 100.0


@needs_sidecar
def test_what_changes_too_often_is_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    @iris.offload
    def f(x: float) -> float:
        return abs(x)

    for number in range(20):
        monkeypatch.setitem(globals(), "abs", lambda x, number=number: x + number)
        assert f(1.0) == 1.0 + number
    (signature,) = iris.jit.explain(f).signatures
    assert "changed more than 8 times" in str(signature.refusal)


# What is handed back ------------------------------------------------------------------------


@needs_sidecar
def test_reruns_are_counted_and_given_up_when_they_are_nearly_all() -> None:
    @iris.offload
    def f(x: int) -> int:
        return x * x

    assert f(3) == 9
    assert f(2**40) == 2**80
    (signature,) = iris.jit.explain(f).signatures
    assert (signature.native_calls, signature.reruns, signature.python_calls) == (1, 1, 0)
    for _ in range(120):
        f(2**40)
    (signature,) = iris.jit.explain(f).signatures
    assert signature.refusal is not None
    assert f(3) == 9


@needs_sidecar
def test_stores_are_undone_before_python_makes_the_call() -> None:
    @iris.offload
    def f(a: Any, n: int) -> None:
        for i in range(n):
            a[i] += 1

    ours, theirs = array("d", [1.0, 2.0]), array("d", [1.0, 2.0])
    with pytest.raises(IndexError):
        f(ours, 3)
    with pytest.raises(IndexError):
        f.__wrapped__(theirs, 3)  # type: ignore[attr-defined]
    assert ours == theirs == array("d", [2.0, 3.0])


@pytest.mark.parametrize("depth", [150, 300, 400])
def test_a_recursion_comes_as_deep_as_in_python(depth: int) -> None:
    @iris.offload
    def f(n: int) -> int:
        return 0 if n == 0 else 1 + f(n - 1)

    assert f(depth) == depth


def test_an_endless_recursion_is_pythons_error() -> None:
    @iris.offload
    def f(n: int) -> int:
        return f(n + 1)

    with pytest.raises(RecursionError):
        f(0)


@needs_sidecar
def test_a_defect_of_the_front_end_is_not_one_of_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise AssertionError("planted")

    monkeypatch.setattr("iris.jit.dispatch.build", broken)

    @iris.offload
    def f(x: float) -> float:
        return x + 1

    assert f(1.0) == 2.0
    assert "planted" in str(iris.jit.explain(f).signatures[0].refusal)
    assert "defect of Iris" in caplog.text
    assert build.build is not broken


# The wrapper --------------------------------------------------------------------------------


def test_the_wrapper_looks_like_the_function() -> None:
    def f(x: float, y: float = 2.0) -> float:
        """Add."""
        return x + y

    wrapped = iris.offload(f)
    assert (wrapped.__name__, wrapped.__doc__) == ("f", "Add.")
    assert wrapped.__wrapped__ is f  # type: ignore[attr-defined]


def test_methods_lambdas_and_stacked_decorators_work() -> None:
    class Point:
        @iris.offload
        def scaled(self, k: float) -> float:
            return k * 2

        @staticmethod
        @iris.offload
        def halved(x: float) -> float:
            return x / 2

    doubled = iris.offload(iris.offload(lambda x: x * 2))
    assert (Point().scaled(2.0), Point.halved(3.0), doubled(4)) == (4.0, 1.5, 8)


@pytest.mark.parametrize(
    ("return_type", "expected"), [("float", 7.0), ("int", 7), ("bool", True), (None, 7)]
)
def test_return_type_converts(return_type: Any, expected: Any) -> None:
    @iris.offload(return_type=return_type)
    def f(x: int) -> int:
        return x + 1

    @iris.offload
    def caller(x: int) -> Any:
        return f(x)

    for result in (f(6), caller(6)):
        assert result == expected
        assert type(result) is type(expected)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(BadInput, match="'gpu'"):
        iris.offload(strategy="gpu")
    with pytest.raises(BadInput, match="'str'"):
        iris.offload(return_type="str")
    with pytest.raises(BadInput, match="staticmethod"):
        iris.offload(staticmethod(len))  # type: ignore[type-var]
    with pytest.raises(BadInput):
        iris.offload(3)  # type: ignore[type-var]


def test_what_is_no_python_function_is_called_as_it_is() -> None:
    assert iris.offload(len)([1, 2]) == 2
    assert "only Python functions" in str(iris.jit.explain(iris.offload(len)).refusal)


def test_without_source_a_function_runs_and_says_so() -> None:
    names: dict[str, Any] = {}
    exec("def f(x): return x + 1", names)
    f = iris.offload(names["f"])
    assert f(1) == 2
    assert "no source" in str(iris.jit.explain(f).refusal)


# Switches and reports -----------------------------------------------------------------------


@needs_sidecar
def test_force_pins_the_arm_for_this_thread_only() -> None:
    @iris.offload
    def f(x: float) -> float:
        return x + 1

    seen = []
    with iris.jit.force("python"):
        f(1.0)
        with iris.jit.force("native-only"):
            f(1.0)
        thread = threading.Thread(target=lambda: seen.append(switches.arm_now()))
        thread.start()
        thread.join()
    (signature,) = iris.jit.explain(f).signatures
    assert (signature.native_calls, signature.python_calls) == (1, 1)
    assert seen == [switches.Arm.AUTO]
    with pytest.raises(BadInput, match="'fast'"), iris.jit.force("fast"):
        pass


def test_native_only_names_the_reason() -> None:
    @iris.offload
    def f(x: float) -> float:
        x.hex()
        return x

    assert f(1.0) == 1.0
    with iris.jit.force("native-only"), pytest.raises(NativeRefused):
        f(1.0)


def test_a_report_prints_and_is_plain_data() -> None:
    @iris.offload
    def f(a: Any) -> Any:
        return sum(x * x for x in a)

    f(array("d", [1.0]))
    report = iris.jit.explain(f)
    data = json.loads(json.dumps(report.as_dict()))
    assert data["name"].endswith("f")
    (signature,) = data["signatures"]
    assert (signature["profile"], signature["reduction"]) == ("container", "sum")
    assert "buffer of f64" in str(report)
    if iris.jit.available():
        assert signature["arm"] == "native"
        assert "fmul" in signature["ir"]


def test_only_offloaded_functions_are_explained() -> None:
    with pytest.raises(BadInput):
        iris.jit.explain(len)


def test_the_totals_count_calls() -> None:
    @iris.offload
    def f(x: float) -> float:
        return x

    before = iris.jit.stats()
    f(1.0)
    after = iris.jit.stats()
    calls = (after.native_calls + after.python_calls) - (before.native_calls + before.python_calls)
    assert calls == 1


@pytest.mark.parametrize(
    ("get", "set_", "variable"),
    [
        (iris.jit.get_jit_logging, iris.jit.set_jit_logging, "IRIS_JIT_LOG"),
        (iris.jit.get_quantum_speculation, iris.jit.set_quantum_speculation, "IRIS_JIT_QUANTUM"),
    ],
)
def test_switches_are_on_off_or_as_the_environment_says(
    get: Any, set_: Any, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    set_(None)
    assert not get()
    monkeypatch.setenv(variable, "1")
    assert get()
    set_(False)
    assert not get()
    monkeypatch.setenv("ELSEWHERE", "on")
    set_(None, env_var="ELSEWHERE")
    assert get()
    set_(None, env_var=variable)
    with pytest.raises(BadInput):
        set_("yes")


def test_the_log_tells_of_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    @iris.offload
    def f(x: float) -> Any:
        return [x]

    iris.jit.set_jit_logging(True)
    try:
        f(1.0)
    finally:
        iris.jit.set_jit_logging(None)
    told = capsys.readouterr().err
    assert ("list" in told) or not iris.jit.available() or "sidecar" in told


def test_dropped_functions_leave_nothing_behind() -> None:
    import gc

    def make() -> Any:
        @iris.offload
        def f(x: float) -> float:
            return x + 1

        return f

    make()(1.0)
    gc.collect()
    before = iris.jit.stats()
    for _ in range(50):
        make()(1.0)
    for _ in range(3):
        gc.collect()
    after = iris.jit.stats()
    assert (after.functions, after.code_used_bytes) == (before.functions, before.code_used_bytes)
    assert shim.why_unavailable() is None or after.code_used_bytes == 0
