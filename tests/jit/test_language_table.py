"""The table of the language in the README, row by row: what it says is compiled is, all else is not.

The rows are read from the README, and the programs below are found by what a row says, so that
neither can change without the other.
"""

# ruff: noqa: E501 - a table of short programs

from __future__ import annotations

import linecache
import math
import re
import sys
from array import array
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import iris
from iris import jit
from iris.errors import NativeRefused

README = Path(__file__).resolve().parents[2] / "README.md"
IS_PYPY = sys.implementation.name == "pypy"

NATIVE, PYTHON, NOT_ON_PYPY = "machine code", "Python", "machine code, on PyPy Python"


class Program(NamedTuple):
    """A module with a function `f`, and calls of it."""

    source: str
    calls: tuple[tuple[Any, ...], ...]
    """Arguments; a list stands for a buffer of floats, made for each call."""
    why: str = ""
    """Of what stays in Python: what the refusal names."""
    twin: str = ""
    """The same without the names that only an offloaded function knows."""


def native(source: str, *calls: Any) -> Program:
    return Program(source, tuple(one if isinstance(one, tuple) else (one,) for one in calls))


def form(expression: str, twin: str, *calls: Any) -> Program:
    head = "def f(a, n):\n k = len(a)\n return "
    return native(head + expression, *calls)._replace(twin=head + twin)


def refused(why: str, source: str, *calls: Any) -> Program:
    return native(source, *calls)._replace(why=why)


def each(names: str, template: str, *calls: Any) -> list[Program]:
    """One program for each name that this `math` has."""
    known = [name for name in names.split() if hasattr(math, name)]
    return [native("import math\n" + template.format(name), *calls) for name in known]


ONE, TWO = "def f(x): return math.{}(x)", "def f(x, y): return math.{}(x, y)"
A = [1.5, -2.0, 0.25, 7.0]
NAN = [1.0, math.nan, 2.5, -1.0, 7.0]

PROGRAMS: dict[str, list[Program]] = {
    r"`+ - * / // % **`, unary `+ - ~`, `& \| ^ << >>`": [
        native("def f(x, y): return x + y, x - y, x * y, x / y, x // y, x % y, x ** 3", (7, -2), (1.5, -0.7), (7, 0.5)),
        native("def f(x, y): return x ** y", (3, 4), (2.0, 0.5)),
        native("def f(x): return +x, -x, ~x, -x ** 2", 5),
        native("def f(x): return +x, -x, -x ** 2", True, -0.0),
        native("def f(x, y): return x & y, x | y, x ^ y, x << 2, x >> 1", (6, 3), (True, False)),
    ],
    "comparisons, also chained; `is None`, `is not None`": [
        native("def f(x, y): return x < y, x <= y, x > y, x >= y, x == y, x != y", (1, 2.0), (math.nan, 1.0)),
        native("def f(x): return 0 < x <= 2 != 3, x is None, x is not None", 1.5, 9),
    ],
    "`and`, `or`, `not`, with the operands as results": [
        native("def f(x, y): return x and y, x or y, not x", (0.0, 3), (2, 0.5)),
    ],
    "`a if c else b`": [native("def f(x): return x if x > 1 else 0", 0.5, 2.5)],
    "assignment: augmented, chained, annotated, of tuples": [
        native("def f(x):\n a = b = x\n a, (b, c) = b + 1, (a, 2)\n a += b\n d: float = a\n return d + c", 2, 0.5),
    ],
    "`if`, `elif`, `else`; `pass`, docstrings": [
        native('def f(x):\n "what it does"\n if x > 1: return 1\n elif x > 0: pass\n else: return 3\n return 2', 5, 0.5, -1),
    ],
    "`while`, with `break`, `continue`, `else`": [
        native("def f(n):\n s = 0\n while n > 0:\n  n -= 1\n  if n % 3 == 0: continue\n  if n == 50: break\n  s += n\n else: s = -s\n return s", 20, 99),
    ],
    "`for` over `range` with any step, and over containers; `break`, `continue`, `else`": [
        native("def f(n, k):\n s = 0\n for i in range(n, 0, k):\n  if i % 3 == 0: continue\n  if i == 50: break\n  s += i\n else: s = -s\n return s", (20, -2), (99, -1)),
        native("def f(a):\n s = 0\n for v in a:\n  s += v\n return s", (A,), ((1, 2, 3),), (range(9),)),
    ],
    "early `return`; results of several types, None, tuples of up to eight numbers": [
        native("def f(x):\n if x > 1: return x\n if x > 0: return 1", 2.5, 0.5, -1.0),
        native("def f(x): return 1, x, (2.5, True, None), x, x, x", 2),
    ],
    "tuples of numbers: unpacked, indexed by a constant, measured by `len`": [
        native("def f(x):\n t = x, x * 2, 2.5\n a, b, c = t\n return t[1], t[-1], len(t), a + b + c", 7),
    ],
    "items of containers: read, and written into buffers; negative indices; `len`": [
        native("def f(a):\n for i in range(1, len(a)): a[i] += a[i - 1]\n a[-1] = a[-2] * 2\n return a[-1]", (A,)),
        native("def f(a, i): return a[i]", ((1, 2, 3), -1), (A, 2)),
    ],
    "`abs`, `min`, `max`, `round(x)`, `divmod`, `pow(x, y)`": [
        native("def f(x): return abs(x), min(x, 2), max(x, 1, 0.5), round(x), divmod(x, 2), pow(x, 2)", -2.5, 7),
    ],
    '`int`, `float`, `bool` of numbers; `float("inf")` and the like': [
        native('def f(x): return int(x), float(x), bool(x), float("-inf"), float("nan")', -2.5, 7, True),
    ],
    "`math`: `sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh degrees radians`": [
        *each("sin cos tan asin acos atan sinh cosh tanh asinh atanh degrees radians", ONE, 0.3, True),
        *each("acosh", ONE, 2.3),
        *each("atan2", TWO, (0.5, -2.0)),
        native("from math import sin\ndef f(x): return sin(x)", 0.3),
    ],
    "`math`: `exp expm1 log log2 log10 log1p sqrt pow fmod remainder fabs copysign`": [
        *each("exp expm1 log log2 log10 log1p sqrt fabs", ONE, 2.3, 8),
        *each("pow fmod remainder copysign log", TWO, (7.5, 2.0), (7, 3)),
    ],
    "`math`: `floor ceil trunc isnan isinf isfinite`; `pi e tau inf nan`; `exp2 cbrt` from 3.11 on": [
        *each("floor ceil trunc isnan isinf isfinite exp2 cbrt", ONE, -2.5, 3.0),
        native("import math\ndef f(x): return x * math.pi, math.e, math.tau, math.inf, math.nan", 2),
    ],
    "`math`: `erf erfc`": each("erf erfc", ONE, 0.3),
    "`sum`, `any`, `all`, `min`, `max` over generator expressions, with several `for` and `if`": [
        native(f"def f(n): return {name}(i * j for i in range(n) if i % 2 if i > 1 for j in range(i, -4, -2))", 9)
        for name in ("sum", "any", "all", "min", "max")
    ],
    "the same over containers and ranges; `sum(x, start)`": [
        native(f"def f(a): return {name}(a)", (A,), ((1, 2, 3),), (range(5),)) for name in ("sum", "any", "all", "min", "max")
    ]
    + [native("def f(a): return sum(a, 1.5) + sum(range(4), start=2)", (A,))],
    "numbers that are globals, variables of a function around, or attributes of modules": [
        native("import sys\nK = 2.5\ndef make(k):\n @offload\n def f(x): return x * K + k * sys.maxunicode\n return f\nf = make(3)", 2.0, 3),
    ],
    "calls of functions of Python, plain or offloaded; keyword and default arguments": [
        native("def g(x, k=2, *, m=1): return x * k + m\n@offload\ndef h(x): return g(x)\ndef f(x, y=4): return g(x, k=3, m=y) + h(x=x)", 2.0, (2, 5)),
    ],
    "nested functions and `lambda`, called where they are defined": [
        native("def f(x):\n def g(y):\n  return y + x\n h = lambda z: g(z) * 2\n return h(3)", 2.0, 3),
    ],
    "recursion, also mutual, of functions of a module": [
        native("def f(n): return 1 if n < 2 else n * f(n - 1)", 10),
        native("def g(n): return True if n == 0 else f(n - 1)\ndef f(n): return False if n == 0 else g(n - 1)", 10, 7),
    ],
    "`raise` and `assert`; a call that meets one is made again in Python": [
        native("def f(x):\n if x > 5: raise ValueError('%s is too much' % x)\n return x", 2, 7),
        native("def f(x):\n assert x > 0, 'not above 0'\n return x", 2.5, -1.0),
    ],
    "the lazy forms, see below": [
        form("if_else(n > 0, 1 / n, 0.0)", "1 / n if n > 0 else 0.0", (A, 4), (A, 0)),
        form("sum_while(i, 1, i < n, i * 2, i * i)", "sum(i * i for i in (1, 2, 4, 8, 16, 32) if i < n)", (A, 40), (A, 0)),
        form("any_while(i, 2, i * i <= n, i + 1, n % i == 0)", "any(n % i == 0 for i in range(2, n) if i * i <= n)", (A, 35), (A, 7)),
        form("all_while(i, 2, i * i <= n, i + 1, n % i)", "all(n % i for i in range(2, n) if i * i <= n)", (A, 35), (A, 7)),
        *(
            form(f"sum({name}({condition}, v * 2) for v in a)", twin, (A, 4))
            for name, condition, twin in [
                ("break_if", "v < 1", "a[0] * 2"),
                ("break_when", "v < 1", "a[0] * 2"),
                ("break_unless", "v >= 1", "a[0] * 2"),
                ("continue_if", "v < 1", "a[0] * 2 + a[3] * 2"),
                ("continue_when", "v < 1", "a[0] * 2 + a[3] * 2"),
                ("continue_unless", "v >= 1", "a[0] * 2 + a[3] * 2"),
            ]
        ),
        form("sum(break_on_nan(v) for v in a)", "a[0] + 0.0", (NAN, 4)),
        form("max(continue_on_nan(v) for v in a)", "a[4]", (NAN, 4)),
    ],
    "strings, bytes and complex numbers": [
        refused("str", "def f(x): return 'a' if x else 'b'", 2),
        refused("f-string", "def f(x): return f'{x}'", 2),
        refused("constant b'a'", "def f(x): return b'a'", 2),
        refused("constant 1j", "def f(x): return x + 1j", 2),
        refused("arguments", "def f(x): return x * 2", "a"),
    ],
    "lists, dicts, sets, and comprehensions of them": [
        refused("list", "def f(x): return [x]", 2),
        refused("dict", "def f(x): return {x: 1}", 2),
        refused("set", "def f(x): return {x}", 2),
        refused("list comprehension", "def f(x): return [i for i in range(x)]", 2),
        refused("dict comprehension", "def f(x): return {i: i for i in range(x)}", 2),
        refused("set comprehension", "def f(x): return {i for i in range(x)}", 2),
    ],
    "slices, `in`, `is` of anything but None, `:=`, `@`, starred targets": [
        refused("slice", "def f(a): return a[1:]", (A,)),
        refused("in", "def f(x): return x in (1, 2)", 2),
        refused("is", "def f(x): return x is True", 2),
        refused("assignment expression", "def f(x): return (y := x) + y", 2),
        refused("operator @", "def f(x): return x @ x if x < 0 else 1", 2),
        refused("assignment", "def f(x):\n a, *b = x, 1\n return a", 2),
    ],
    "attributes and methods of values": [
        refused("attribute real", "def f(x): return x.real", 2.0),
        refused("attribute is_integer", "def f(x): return x.is_integer()", 2.0),
    ],
    "`with`, `try`, `import`, `class`, `global`, `nonlocal`, `del`, `match`": [
        refused("with statement", "import contextlib\ndef f(x):\n with contextlib.suppress(): return x", 2),
        refused("try statement", "def f(x):\n try: return x\n finally: pass", 2),
        refused("import", "def f(x):\n import math\n return math.pi", 2),
        refused("class", "def f(x):\n class A: pass\n return x", 2),
        refused("global statement", "def f(x):\n global G\n G = x\n return x", 2),
        refused("nonlocal statement", "def make(k):\n @offload\n def f(x):\n  nonlocal k\n  k += x\n  return k\n return f\nf = make(1)", 2),
        refused("del statement", "def f(x):\n y = x\n del x\n return y", 2),
        *([refused("match statement", "def f(x):\n match x:\n  case 2: return 1", 2)] if sys.version_info >= (3, 10) else []),
    ],
    "`for` over a tuple, `enumerate`, `zip` or `reversed`": [
        refused("iteration", "def f(x):\n for i in (1, 2, 3): x += i\n return x", 2),
        refused("call of enumerate", "def f(a):\n for i, v in enumerate(a): pass\n return i, len(a)", (A,)),
        refused("call of zip", "def f(a):\n for v, w in zip(a, a): pass\n return v, len(a)", (A,)),
        refused("call of reversed", "def f(a):\n for v in reversed(a): pass\n return v, len(a)", (A,)),
    ],
    "`print`, `time`, `random`, `sorted`: what has an effect or is no function of Python": [
        refused("call of print", "def f(x):\n print(end='')\n return x", 2),
        refused("call of time", "import time\ndef f(x): return time.time() > x", 2),
        refused("call of random", "import random\ndef f(x): return random.random() < x", 2),
        refused("call of sorted", "def f(a): return sorted(a)[0], len(a)", (A,)),
    ],
    "`*args`, `**kwargs`; generators and coroutines": [
        refused("function", "def f(*xs): return xs", 2),
        refused("function", "def f(x, **named): return x", 2),
        refused("generator function", "def f(x): yield x", 2),
        refused("coroutine function", "@offload\nasync def f(x): return x", 2),
    ],
    "nested functions with defaults or decorators": [
        refused("function g", "def f(x):\n def g(y=2): return y\n return g()", 2),
        refused("function g", "def same(g): return g\ndef f(x):\n @same\n def g(y): return y\n return g(x)", 2),
    ],
    "`round(x, n)`, `pow` of three, `min` and `max` with `key` or `default`": [
        refused("call of round", "def f(x): return round(x, 1)", 2.25),
        refused("call of pow", "def f(x): return pow(x, 2, 5)", 3),
        refused("call of min", "def f(a): return min(a, key=abs)", (A,)),
        refused("call of max", "def f(a): return max(a, default=1)", (A,)),
    ],
    "all else of `math`: `hypot gamma lgamma fsum gcd isclose modf` and more": [
        *(
            refused(f"call of math.{name}", f"import math\ndef f(x): return math.{name}({given})", 2)
            for name, given in [("hypot", "x, 1"), ("gamma", "x"), ("lgamma", "x"), ("gcd", "x, 4"), ("isclose", "x, 2")]
        ),
        *(
            refused(f"call of math.{name}", f"import math\ndef f(a): return math.{name}({given}), len(a)", (A,))
            for name, given in [("fsum", "a"), ("modf", "a[0]"), ("ldexp", "a[0], 2"), ("frexp", "a[0]")]
        ),
    ],
}


def table() -> list[list[str]]:
    """The rows of the README: the construct, and as what it runs."""
    lines = README.read_text(encoding="utf-8").partition("| construct | runs as |\n")[2].splitlines()
    rows = lines[1 : lines.index("")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


EACH = [
    pytest.param(program, runs_as, id=f"{place:02}-{number}")
    for place, (construct, runs_as) in enumerate(table())
    for number, program in enumerate(PROGRAMS.get(construct, ()))
]


def function_of(source: str, offload: Any) -> Any:
    """The function `f` of a module that has this text."""
    if "@offload\nasync def f" not in source and "@offload\n def f" not in source:
        source = source.replace("def f(", "@offload\ndef f(")
    name = f"<row {len(linecache.cache)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict[str, Any] = {"offload": offload}
    exec(compile(source, name, "exec", dont_inherit=True), names)
    return names["f"]


def fresh(call: tuple[Any, ...]) -> list[Any]:
    return [array("d", one) if isinstance(one, list) else one for one in call]


def outcome(function: Any, args: list[Any]) -> str:
    """All there is to see of a call: the result or the exception, and what buffers hold after it."""
    try:
        result = function(*args)
    except Exception as error:
        return f"{error!r} {args}"
    if hasattr(result, "close"):
        result.close()  # a coroutine complains otherwise
        return f"{type(result)} {args}"
    return f"{result!r} {args}"


def test_each_row_has_its_programs() -> None:
    assert [construct for construct, _ in table()] == list(PROGRAMS)
    assert all(PROGRAMS.values())
    assert {runs_as for _, runs_as in table()} == {NATIVE, PYTHON, NOT_ON_PYPY}


@pytest.mark.parametrize(("program", "runs_as"), EACH)
def test_a_row_is_true(program: Program, runs_as: str) -> None:
    if not jit.available():
        pytest.skip(f"no compute sidecar here: {jit.why_unavailable()}")
    ours = function_of(program.source, iris.offload)
    plain = function_of(program.twin or program.source, lambda function: function)
    stays = runs_as == PYTHON or (runs_as == NOT_ON_PYPY and IS_PYPY)
    for call in program.calls:
        wanted = outcome(plain, fresh(call))
        assert outcome(ours, fresh(call)) == wanted
        if "Error(" in wanted:
            continue  # of an exception machine code knows only that one is due
        with jit.force("native-only"):
            if stays:
                with pytest.raises(NativeRefused, match=re.escape(program.why) or None):
                    ours(*fresh(call))
            else:
                assert outcome(ours, fresh(call)) == wanted
    report = jit.explain(ours)
    if not stays:
        assert [one.refusal for one in report.signatures] == [None] * len(report.signatures) != []
        return
    kept = [report.refusal, *(one.refusal for one in report.signatures)]
    # An argument of another type is no shape of calls, so no report has it.
    assert any(one is not None and one.reason for one in kept) or program.why == "arguments"
