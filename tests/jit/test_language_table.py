"""The table of the language in the README: each row is a function that is compiled, or is not."""

# ruff: noqa: E501, ISC004 - a table of short programs

from __future__ import annotations

import linecache
from array import array
from pathlib import Path
from typing import Any

import pytest

import iris
from iris.errors import NativeRefused

README = Path(__file__).resolve().parents[2] / "README.md"

FLOATS = (0.5, 2.25, -1.0)

# What the row says, a function `f` for it, its arguments, and whether it becomes machine code.
ROWS: list[tuple[str, str, tuple[Any, ...], bool]] = [
    ("`+ - * / // % **`, unary `+ - ~`, `& \\| ^ << >>`",
     "def f(x, n): return (x * 2 - 1) / 3 % 0.7 ** 2, -n // 3, ~n & 0xFF | n << 2", (1.5, 9), True),
    ("comparisons, also chained; `is None`", "def f(x): return 0 < x <= 2 != 3", (1.5,), True),
    ("`and`, `or`, `not` with the operands as results", "def f(x, n): return x or n", (0.0, 3), True),
    ("`a if c else b`", "def f(x): return x if x > 1 else 0", (0.5,), True),
    ("assignment: augmented, chained, of tuples",
     "def f(x):\n a = b = x\n a, b = b + 1, a\n a += b\n return a", (2,), True),
    ("`if`, `while`, `for` over `range` and over buffers, with `break`, `continue`, `else`",
     "def f(n):\n s = 0\n for i in range(n, 0, -2):\n  if i % 3 == 0: continue\n  s += i\n"
     " else:\n  s = -s\n return s", (20,), True),
    ("early `return`, several types of result, `None`",
     "def f(x):\n if x > 1: return x\n if x > 0: return 1", (0.5,), True),
    ("tuples of numbers, indexed and unpacked", "def f(x): return (x, x * 2)[1], divmod(x, 2)", (7,),
     True),
    ("items of buffers, read and written",
     "def f(a):\n for i in range(1, len(a)): a[i] += a[i - 1]\n return a[-1]", (FLOATS,), True),
    ("`len`, `abs`, `min`, `max`, `round`, `int`, `float`, `bool`, `divmod`, `pow`",
     "def f(x): return abs(x), min(x, 2), max(x, 1), round(x), int(x), float(3), bool(x), pow(x, 2)",
     (-2.5,), True),
    ("`math`: all of one or two floats that the C library has, `floor`, `ceil`, `isnan`, ...",
     "import math\ndef f(x): return math.sin(x) * math.log(x, 3) + math.floor(x)", (2.5,), True),
    ("`sum`, `any`, `all`, `min`, `max` over generator expressions",
     "def f(n): return sum(i * j for i in range(n) if i % 2 for j in range(i))", (9,), True),
    ("the same over buffers and ranges", "def f(a): return sum(a), max(a), any(a)", (FLOATS,), True),
    ("globals and closures that are numbers, read at each call",
     "K = 2.5\ndef f(x): return x * K", (2.0,), True),
    ("calls of other functions: plain, nested, `lambda`, offloaded; keyword and default arguments",
     "def g(x, k=2): return x * k\ndef f(x):\n h = lambda y: g(y, k=3) + 1\n return h(x)", (2.0,), True),
    ("recursion, also mutual", "def f(n): return 1 if n < 2 else n * f(n - 1)", (10,), True),
    ("`raise` and `assert`", "def f(x):\n assert x > 0\n return x", (2.0,), True),
    ("the lazy forms below", "def f(n): return sum_while(i, 0, i < n, i + 1, i * i)", (9,), True),
    ("strings, lists, dicts, sets, comprehensions", "def f(n): return [n, n]", (2,), False),
    ("attributes, methods, `with`, `try`, `import`, `global`", "def f(x): return x.real", (2.0,), False),
    ("`print`, `random`, `time`: whatever has an effect or is no Python function",
     "def f(x):\n print(end='')\n return x", (2.0,), False),
    ("`*args`, `**kwargs`, generators, coroutines", "def f(*xs): return 1", (2.0,), False),
    ("`round(x, n)`, `pow` of three, `math.hypot`, `math.gamma`", "def f(x): return round(x, 1)",
     (2.25,), False),
]  # fmt: skip


def functions(source: str) -> tuple[Any, Any]:
    """The function `f` of a source, offloaded and plain."""
    made = []
    for offload in (iris.offload, lambda function: function):
        name = f"<row {len(linecache.cache)} {offload is iris.offload}>"
        text = source.replace("def f(", "@offload\ndef f(")
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        names: dict[str, Any] = {"offload": offload}
        exec(compile(text, name, "exec", dont_inherit=True), names)
        made.append(names["f"])
    return made[0], made[1]


def fresh(args: tuple[Any, ...]) -> list[Any]:
    return [array("d", one) if isinstance(one, tuple) else one for one in args]


def test_the_table_has_these_rows() -> None:
    text = README.read_text(encoding="utf-8")
    lines = text.partition("| construct | runs as |")[2].splitlines()[2:]
    table = [line for line in lines[: lines.index("")] if line]
    words = {True: "machine code", False: "Python"}
    assert table == [f"| {label} | {words[native]} |" for label, _, _, native in ROWS]


@pytest.mark.parametrize(("label", "source", "args", "native"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_true(label: str, source: str, args: tuple[Any, ...], native: bool) -> None:
    if not iris.jit.available():
        pytest.skip(f"no compute sidecar here: {iris.jit.why_unavailable()}")
    offloaded, plain = functions(source)
    if "sum_while" in source:
        plain = functions("def f(n): return sum(i * i for i in range(n))")[1]
    ours, theirs = fresh(args), fresh(args)
    if native:
        with iris.jit.force("native-only"):
            assert repr(offloaded(*ours)) == repr(plain(*theirs))
        assert ours == theirs
        return
    assert repr(offloaded(*ours)) == repr(plain(*theirs))
    with iris.jit.force("native-only"), pytest.raises(NativeRefused):
        offloaded(*fresh(args))
    report = iris.jit.explain(offloaded)
    assert report.refusal or all(one.refusal for one in report.signatures)
