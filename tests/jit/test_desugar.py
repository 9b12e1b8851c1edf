from __future__ import annotations

import ast
import itertools
import linecache
import math
import traceback
import types
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import pytest

from iris.errors import IrisError, LoopLimit
from iris.jit import loops
from iris.jit.desugar import Desugared, desugar, python_function, unbound_in
from iris.jit.forms import FORMS
from iris.jit.refusal import Unsupported
from iris.jit.source import locate

NAN, INF = math.nan, math.inf
_numbers = itertools.count()


def module(text: str, **names: object) -> dict[str, Any]:
    """The names that a file of this text would have; `linecache` knows the text."""
    filename = f"<made {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    made: dict[str, Any] = {"__name__": "made", **names}
    exec(compile(text, filename, "exec", dont_inherit=True), made)
    return made


def function(text: str, **names: object) -> types.FunctionType:
    """The function `f` of a text."""
    made = module(text, **names)["f"]
    assert isinstance(made, types.FunctionType)
    return made


def desugared(fn: types.FunctionType) -> Desugared:
    return desugar(locate(fn), unbound_in(fn))


def rewritten(fn: types.FunctionType) -> types.FunctionType:
    return python_function(fn, desugared(fn))


def refusal(text: str) -> str:
    """Why a form in this text is refused; the function itself is then left to Python."""
    fn = function(text)
    with pytest.raises(Unsupported) as caught:
        desugared(fn)
    assert caught.value.refusal.line is not None
    return f"{caught.value.refusal.construct}: {caught.value.refusal.reason}"


class Outcome(NamedTuple):
    value: Optional[str]
    error: Optional[str]
    seen: list[str]
    """What was evaluated, in order."""


class Run:
    """A function of a text, and what its calls of `see` have told."""

    def __init__(self, text: str, *, forms: bool) -> None:
        self.seen: list[str] = []
        fn = function(text, see=self.see, nan=NAN, inf=INF)
        self.fn = rewritten(fn) if forms else fn
        assert (self.fn is not fn) is forms

    def see(self, name: str, value: object = None) -> object:
        self.seen.append(f"{name} {value!r}")
        return value

    def __call__(self, args: tuple[object, ...]) -> Outcome:
        self.seen = []
        try:
            result = self.fn(*args)
        except Exception as error:
            return Outcome(None, f"{type(error).__name__}: {error}", self.seen)
        return Outcome(f"{type(result).__name__} {result!r}", None, self.seen)


# Each: a function with forms, and what it means, written out by hand.
TWINS: dict[str, tuple[str, str]] = {
    "if_else evaluates the branch it takes and no other": (
        "def f(a, b): return if_else(see('c', a), see('yes', a), see('no', b))",
        """
        def f(a, b):
            if see('c', a):
                return see('yes', a)
            return see('no', b)
        """,
    ),
    "if_else protects a division": (
        "def f(a, b): return if_else(b != 0, a / b, a)",
        "def f(a, b): return a / b if b != 0 else a",
    ),
    "if_else inside if_else, in all three places": (
        "def f(a, b): return if_else(if_else(a, b, a), if_else(b, a, -1), if_else(a, 1, b))",
        "def f(a, b): return (a if b else -1) if (b if a else a) else (1 if a else b)",
    ),
    "sum_while adds from int 0": (
        "def f(a, b): return sum_while(i, 0, i < 4, i + 1, i * a)",
        """
        def f(a, b):
            s, i = 0, 0
            while i < 4:
                s += i * a
                i = i + 1
            return s
        """,
    ),
    "sum_while evaluates init, then condition, body, step in turn": (
        """
        def f(a, b):
            return sum_while(
                i, see('init', -2), see('cond', i) < min(a, 5), see('step', i + 1),
                see('body', i * b))
        """,
        """
        def f(a, b):
            s, i = 0, see('init', -2)
            while see('cond', i) < min(a, 5):
                s += see('body', i * b)
                i = see('step', i + 1)
            return s
        """,
    ),
    "sum_while may count down, in floats, with a condition on two things": (
        "def f(a, b): return sum_while(x, a, x > -2 and x < 9, x - 0.75, x * b + 1)",
        """
        def f(a, b):
            s, x = 0, a
            while x > -2 and x < 9:
                s += x * b + 1
                x = x - 0.75
            return s
        """,
    ),
    "the variable of sum_while hides one of the function, and init still reads that": (
        "def f(a, b): return (sum_while(a, a - b, -9 < a < 3, a + 1, a), a)",
        """
        def f(a, b):
            s, i = 0, a - b
            while -9 < i < 3:
                s += i
                i = i + 1
            return (s, a)
        """,
    ),
    "exceptions come from condition, body and step, after what came before": (
        """
        def f(a, b):
            return sum_while(i, 3, 1 // (i + 1) >= 0, see('step', i - 1), see('body', 6 // (i - b)))
        """,
        """
        def f(a, b):
            s, i = 0, 3
            while 1 // (i + 1) >= 0:
                s += see('body', 6 // (i - b))
                i = see('step', i - 1)
            return s
        """,
    ),
    "any_while stops at the first true body and gives a bool": (
        "def f(a, b): return any_while(i, 0, i < 4, see('step', i + 1), see('body', i * a) > b)",
        """
        def f(a, b):
            i = 0
            while i < 4:
                if see('body', i * a) > b:
                    return True
                i = see('step', i + 1)
            return False
        """,
    ),
    "all_while stops at the first false body and gives a bool": (
        "def f(a, b): return all_while(i, 0, i < 4, see('step', i + 1), see('body', i - a))",
        """
        def f(a, b):
            i = 0
            while i < 4:
                if not see('body', i - a):
                    return False
                i = see('step', i + 1)
            return True
        """,
    ),
    "a form in the condition and the step of another": (
        """
        def f(a, b):
            return sum_while(
                i, 0, sum_while(j, 0, j < i, j + 1, j) < 6, if_else(i > a, i + 2, i + 1), i + b)
        """,
        """
        def f(a, b):
            s, i = 0, 0
            while True:
                inner, j = 0, 0
                while j < i:
                    inner += j
                    j = j + 1
                if not inner < 6:
                    return s
                s += i + b
                i = i + 2 if i > a else i + 1
        """,
    ),
    "sum_while in sum in sum_while, each with the variables around it": (
        """
        def f(a, b):
            return sum_while(i, 0, i < 3, i + 1,
                sum(sum_while(j, 0, j < k, j + 1, i * a + k + j * b) for k in range(i + 2)))
        """,
        """
        def f(a, b):
            s, i = 0, 0
            while i < 3:
                inner = []
                for k in range(i + 2):
                    t, j = 0, 0
                    while j < k:
                        t += i * a + k + j * b
                        j = j + 1
                    inner.append(t)
                s += sum(inner)
                i = i + 1
            return s
        """,
    ),
    "a while form in the condition of a generator expression, and in its second iterable": (
        """
        def f(a, b):
            return sum(k + m for k in range(4) if any_while(i, 0, i < k, i + 1, i + a > 1)
                       for m in range(sum_while(i, 0, i < k, i + 1, 1)) if m != b)
        """,
        """
        def f(a, b):
            found = []
            for k in range(4):
                if any(i + a > 1 for i in range(k)):
                    for m in range(k):
                        if m != b:
                            found.append(k + m)
            return sum(found)
        """,
    ),
    "a while form in a list, a set and a dict": (
        """
        def f(a, b):
            return ([sum_while(i, 0, i < k, i + 1, a) for k in range(3)],
                    sorted({sum_while(i, 0, i < k, i + 1, 2) for k in range(3) if k != b}),
                    {k: any_while(i, 0, i < k, i + 1, i > 0) for k in range(3)})
        """,
        """
        def f(a, b):
            def times(k):
                s = 0
                for _ in range(k):
                    s += a
                return s
            return ([times(k) for k in range(3)], sorted({k * 2 for k in range(3) if k != b}),
                    {k: k > 1 for k in range(3)})
        """,
    ),
    "a while form in a lambda, with defaults, and in a nested function": (
        """
        def f(a, b):
            g = lambda x, y=see('default', b), *rest, z=1: (
                sum_while(i, 0, i < 3, i + 1, x + y + z))
            def h(x):
                'documented'
                return sum_while(i, x, i < 3, i + 1, if_else(i == x, a, b))
            return g(a), g(a, 2, 3, z=4), h(0), h(2), h.__doc__, g.__name__
        """,
        """
        def f(a, b):
            def sum3(v):
                s = 0
                for _ in range(3):
                    s += v
                return s
            y = see('default', b)
            first, second = sum3(a + y + 1), sum3(a + 2 + 4)
            return first, second, 0 + a + b + b, 0 + a, 'documented', '<lambda>'
        """,
    ),
    "the lambda inside a generator expression sees its variables": (
        """
        def f(a, b):
            return sum((lambda x: sum_while(i, 0, i < k, i + 1, x))(a) for k in range(4))
        """,
        """
        def f(a, b):
            def times(k):
                s = 0
                for _ in range(k):
                    s += a
                return s
            return sum([times(k) for k in range(4)])
        """,
    ),
    "break_if ends the reduction without its element": (
        """
        def f(a, b):
            return sum(break_if(see('c', x) == a, see('v', x)) for x in (0, 1, 2, 2.5, 3))
        """,
        """
        def f(a, b):
            found = []
            for x in (0, 1, 2, 2.5, 3):
                if see('c', x) == a:
                    break
                found.append(see('v', x))
            return sum(found)
        """,
    ),
    "break_when is break_if, break_unless its inverse": (
        """
        def f(a, b):
            xs = (1, 2, 3, 4)
            return (sum(break_when(x > a, x) for x in xs), sum(break_unless(x > a, x) for x in xs))
        """,
        """
        def f(a, b):
            def until(test):
                found = []
                for x in (1, 2, 3, 4):
                    if test(x):
                        return sum(found)
                    found.append(x)
                return sum(found)
            return until(lambda x: x > a), until(lambda x: not x > a)
        """,
    ),
    "continue_if and continue_when pass over an element, continue_unless over the others": (
        """
        def f(a, b):
            xs = (1, 2, 3, 4)
            return (sum(continue_if(x > a, 12 // (x - 2)) for x in xs),
                    sum(continue_when(x == 2, 12 // (x - 2)) for x in xs),
                    sum(continue_unless(x > a, x) for x in xs))
        """,
        """
        def f(a, b):
            xs = (1, 2, 3, 4)
            return (sum([12 // (x - 2) for x in xs if not x > a]),
                    sum([12 // (x - 2) for x in xs if x != 2]), sum([x for x in xs if x > a]))
        """,
    ),
    "break_on_nan and continue_on_nan evaluate their value once": (
        """
        def f(a, b):
            xs = (1.0, a, 2.0, b, -0.0)
            return (sum(break_on_nan(see('v', x) * 2) for x in xs),
                    sum(continue_on_nan(see('w', x) * 2) for x in xs))
        """,
        """
        def f(a, b):
            xs, first = (1.0, a, 2.0, b, -0.0), []
            for x in xs:
                v = see('v', x) * 2
                if v != v:
                    break
                first.append(v)
            second = [see('w', x) * 2 for x in xs]
            return sum(first), sum([v for v in second if v == v])
        """,
    ),
    "controls in any, all, min and max, with their other arguments": (
        """
        def f(a, b):
            xs = (3, a, 2, b)
            return (any(break_if(x == 2, x > 2) for x in xs),
                    all(continue_if(x == 2, x) for x in xs),
                    max((break_on_nan(x) for x in xs), default=7),
                    min((continue_on_nan(x) for x in xs), key=lambda x: -x),
                    sum((break_if(x == 2, x) for x in xs), b))
        """,
        """
        def f(a, b):
            xs = (3, a, 2, b)
            def before_2(values):
                found = []
                for x in xs:
                    if x == 2:
                        break
                    found.append(values(x))
                return found
            numbers = []
            for x in xs:
                if x != x:
                    break
                numbers.append(x)
            return (True, all([x for x in xs if x != 2]), max(numbers, default=7),
                    min([x for x in xs if x == x], key=lambda x: -x), sum(before_2(lambda x: x), b))
        """,
    ),
    "min of nothing is the ValueError of min": (
        "def f(a, b): return min(break_if(True, x) for x in range(3))",
        "def f(a, b): return min(x for x in ())",
    ),
    "controls inside each other, outermost first": (
        """
        def f(a, b):
            return sum(break_if(see('stop', x) > 4, continue_if(see('skip', x) == a,
                       break_on_nan(continue_on_nan(see('v', x))))) for x in (1, 2, b, 3, 5, 0))
        """,
        """
        def f(a, b):
            found = []
            for x in (1, 2, b, 3, 5, 0):
                if see('stop', x) > 4:
                    break
                if see('skip', x) == a:
                    continue
                v = see('v', x)
                if v != v:
                    continue
                found.append(v)
            return sum(found)
        """,
    ),
    "controls in the branches of a conditional, and on its result": (
        """
        def f(a, b):
            xs = (1, a, 2, b, 3)
            return (sum(break_if(x == 3, 100) if x > 1 else continue_if(x == a, x) for x in xs),
                    sum(if_else(x > 1, break_on_nan(x * b), x) for x in xs),
                    sum(continue_on_nan(if_else(x > 1, x * b, break_if(x == 0, 1))) for x in xs))
        """,
        """
        def f(a, b):
            xs = (1, a, 2, b, 3)
            first, second, third = [], [], []
            for x in xs:
                if x > 1:
                    if x == 3:
                        break
                    first.append(100)
                elif x != a:
                    first.append(x)
            for x in xs:
                v = x
                if x > 1:
                    v = x * b
                    if v != v:
                        break
                second.append(v)
            for x in xs:
                if x > 1:
                    v = x * b
                elif x == 0:
                    break
                else:
                    v = 1
                if v == v:
                    third.append(v)
            return sum(first), sum(second), sum(third)
        """,
    ),
    "a break leaves all loops of the generator expression, a continue goes on with the inner": (
        """
        def f(a, b):
            return (sum(break_if(x * y > 3, x + y) for x in range(4) for y in range(x) if y != a),
                    sum(continue_if(x * y > 3, x + y) for x in range(4) for y in range(x + 2)))
        """,
        """
        def f(a, b):
            def first():
                found = []
                for x in range(4):
                    for y in range(x):
                        if y != a:
                            if x * y > 3:
                                return found
                            found.append(x + y)
                return found
            return (sum(first()),
                    sum([x + y for x in range(4) for y in range(x + 2) if not x * y > 3]))
        """,
    ),
    "a control in the filter: stop, pass over, or be the truth": (
        """
        def f(a, b):
            return (sum(x for x in range(6) if break_if(x == a, x != 1) if x != b),
                    sum(x + y for x in range(3) for y in break_if(x == a, range(x + 1))))
        """,
        """
        def f(a, b):
            first, second = [], []
            for x in range(6):
                if x == a:
                    break
                if x != 1 and x != b:
                    first.append(x)
            for x in range(3):
                if x == a:
                    break
                second += [x + y for y in range(x + 1)]
            return sum(first), sum(second)
        """,
    ),
    "controls in the bodies of while forms: a continue takes the step": (
        """
        def f(a, b):
            return (sum_while(i, 0, i < 5, see('step', i + 1),
                              continue_if(i == a, break_if(i == b, i))),
                    any_while(i, 0, i < 5, i + 1, break_if(i == a, i == b)),
                    all_while(i, 0, i < 5, i + 1, continue_if(i == a, break_unless(i < b, i != 2))),
                    sum_while(x, 0.0, x < 3, x + 1, continue_on_nan(x * a)))
        """,
        """
        def f(a, b):
            first, i = 0, 0
            while i < 5:
                if i != a:
                    if i == b:
                        break
                    first += i
                i = see('step', i + 1)
            second = third = None
            for i in range(5):
                if i == a:
                    second = False
                    break
                if i == b:
                    second = True
                    break
            for i in range(5):
                if i == a:
                    continue
                if not i < b:
                    third = True
                    break
                if not i != 2:
                    third = False
                    break
            last, x = 0, 0.0
            while x < 3:
                v = x * a
                if v == v:
                    last += v
                x = x + 1
            return (first, bool(second), third is None or third, last)
        """,
    ),
    "a control belongs to the innermost reduction": (
        """
        def f(a, b):
            return sum(sum_while(i, 0, i < k, i + 1, break_if(i == a, 1)) for k in range(5))
        """,
        """
        def f(a, b):
            found = []
            for k in range(5):
                s = 0
                for i in range(k):
                    if i == a:
                        break
                    s += 1
                found.append(s)
            return sum(found)
        """,
    ),
    "what stands before a control in an expression is evaluated before it": (
        """
        def f(a, b):
            return (sum(see('l', x) * 2 + break_if(see('c', x) == a, see('v', x)) - see('r', b)
                        for x in range(4)),
                    sum(-max(see('p', x), continue_on_nan(x * b), see('q', a)) for x in (1, 2)),
                    any(x < break_if(x == a, x + b) < see('last', 9) for x in range(4)),
                    sum([see('i', x), break_if(x == a, b)][see('j', x) % 2] for x in range(3)))
        """,
        """
        def f(a, b):
            first, second, third, last = [], [], False, []
            for x in range(4):
                left = see('l', x) * 2
                if see('c', x) == a:
                    break
                first.append(left + see('v', x) - see('r', b))
            first = sum(first)
            for x in (1, 2):
                p = see('p', x)
                v = x * b
                if v == v:
                    second.append(-max(p, v, see('q', a)))
            second = sum(second)
            for x in range(4):
                if x == a:
                    break
                if x < x + b < see('last', 9):
                    third = True
                    break
            for x in range(3):
                one = see('i', x)
                if x == a:
                    break
                last.append([one, b][see('j', x) % 2])
            return first, second, third, sum(last)
        """,
    ),
    "a control behind and, or, or in a condition acts only if it is evaluated": (
        """
        def f(a, b):
            xs = (0, 1, 2, 3)
            return (sum((x > 1 and break_if(x == a, see('v', x))) or see('o', b) for x in xs),
                    sum(see('y', x) if break_if(x == a, x != b) else -1 for x in xs),
                    sum(continue_if(break_if(x == a, x == b), x) for x in xs),
                    all(not (x or continue_if(x == a, b)) for x in xs))
        """,
        """
        def f(a, b):
            xs, first, second, third, last = (0, 1, 2, 3), [], [], [], []
            for x in xs:
                v = x > 1
                if v:
                    if x == a:
                        break
                    v = see('v', x)
                first.append(v or see('o', b))
            first = sum(first)
            for x in xs:
                if x == a:
                    break
                second.append(see('y', x) if x != b else -1)
            for x in xs:
                if x == a:
                    break
                if x != b:
                    third.append(x)
            for x in xs:
                if not x and x == a:
                    continue
                last.append(not (x or b))
            return first, sum(second), sum(third), all(last)
        """,
    ),
    "a control within an expression of a while form's body": (
        """
        def f(a, b):
            return sum_while(i, 0, i < 5, i + 1, see('l', i) + continue_if(i == a, b) * i)
        """,
        """
        def f(a, b):
            s, i = 0, 0
            while i < 5:
                left = see('l', i)
                if i != a:
                    s += left + b * i
                i = i + 1
            return s
        """,
    ),
    "both a control and a while form that needs the variable": (
        """
        def f(a, b):
            return sum(break_if(sum_while(i, 0, i < k, i + 1, i) > 5,
                       sum_while(i, 0, i < k, i + 1, a)) for k in range(9))
        """,
        """
        def f(a, b):
            found = []
            for k in range(9):
                if sum(range(k)) > 5:
                    break
                s = 0
                for _ in range(k):
                    s += a
                found.append(s)
            return sum(found)
        """,
    ),
    "statements around forms: loops, assignments, early returns": (
        """
        def f(a, b):
            'doc'
            total = 0
            for k in range(3):
                if any_while(i, 0, i < k, i + 1, i == b):
                    return total, k
                total += sum_while(i, total, i < 4, i + 1, k)
            return if_else(total > 2, total, a)
        """,
        """
        def f(a, b):
            total = 0
            for k in range(3):
                for i in range(k):
                    if i == b:
                        return total, k
                added, i = 0, total
                while i < 4:
                    added += k
                    i = i + 1
                total += added
            return total if total > 2 else a
        """,
    ),
}

VALUES = (0, 1, 2, -3, True, 2.5, -0.0, NAN, INF, -INF, 2**70)


@pytest.mark.parametrize("name", TWINS)
def test_a_form_means_what_its_twin_says(name: str) -> None:
    form, twin = (flush_left(text) for text in TWINS[name])
    of_form, of_twin = Run(form, forms=True), Run(twin, forms=False)
    for args in itertools.product(VALUES, repeat=2):
        assert of_form(args) == of_twin(args), args


def flush_left(text: str) -> str:
    if not text.startswith("\n"):
        return text
    return "\n".join(line[8:] for line in text.splitlines())


# The limit.


@pytest.fixture
def small_limit() -> Iterator[None]:
    before = loops.loop_limit()
    loops.set_loop_limit(10)
    yield
    loops.set_loop_limit(before)


LIMITED: dict[str, tuple[str, object]] = {
    "sum_while": ("sum_while(i, 0, i < n, i + 1, see(1))", 10),
    "any_while": ("any_while(i, 0, i < n, i + 1, see(0))", False),
    "all_while": ("all_while(i, 0, i < n, i + 1, see(1))", True),
    "sum_while that passes over all": (
        "sum_while(i, 0, i < n, i + 1, continue_if(see(True), 1))",
        0,
    ),
}


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("name", LIMITED)
def test_the_limit_is_met_before_one_more_body(name: str) -> None:
    text, result = LIMITED[name]
    bodies: list[object] = []

    def see(value: object) -> object:
        bodies.append(value)
        return value

    fn = rewritten(function(f"def f(n):\n    return {text}", see=see))
    value = fn(10)
    assert (type(value), value, len(bodies)) == (type(result), result, 10)
    bodies.clear()
    form = name.partition(" ")[0]
    with pytest.raises(LoopLimit, match=f"{form} has evaluated its body 10 times"):
        fn(11)
    assert len(bodies) == 10


@pytest.mark.usefixtures("small_limit")
def test_the_limit_is_read_at_every_turn_and_counts_each_form_alone() -> None:
    fn = rewritten(
        function(
            "def f(n, m):\n"
            "    return sum_while(i, 0, i < n, i + 1, sum_while(j, 0, j < m, j + 1, 1))"
        )
    )
    assert fn(10, 10) == 100
    loops.set_loop_limit(11)
    assert fn(11, 11) == 121
    with pytest.raises(LoopLimit):
        fn(11, 12)


def test_the_limit_is_a_million_at_first_and_only_a_useful_number_is_taken() -> None:
    assert loops.loop_limit() == 1_000_000
    for wrong in (0, -1, 2**63):
        with pytest.raises(IrisError, match="loop limit"):
            loops.set_loop_limit(wrong)
    for other in (True, 5.0, "5"):
        with pytest.raises(TypeError, match="an int"):
            loops.set_loop_limit(other)  # type: ignore[arg-type]
    assert loops.loop_limit() == 1_000_000


def test_loop_limit_is_a_runtime_error_too() -> None:
    assert issubclass(LoopLimit, RuntimeError)
    assert issubclass(LoopLimit, IrisError)


# Which names are forms.


def test_a_function_without_forms_stays_the_object_it_is() -> None:
    fn = function("def f(x): return sum(x for x in range(x))")
    found = desugared(fn)
    assert (found.changed, found.forms) == (False, frozenset())
    assert found.node is locate(fn).node
    assert python_function(fn, found) is fn


def test_the_names_that_were_taken_for_forms_are_reported() -> None:
    fn = function("def f(n): return sum_while(i, 0, i < n, i + 1, if_else(i > 1, 1, 2))")
    assert desugared(fn).forms == {"sum_while", "if_else"}


BOUND: dict[str, str] = {
    "a global": "def if_else(c, a, b): return 'mine'\ndef f(x): return if_else(x, 1, 2)",
    "a parameter": "def f(x, if_else=lambda c, a, b: 'mine'): return if_else(x, 1, 2)",
    "a local": "def f(x):\n    if_else = lambda c, a, b: 'mine'\n    return if_else(x, 1, 2)",
    "a local function": (
        "def f(x):\n    def if_else(c, a, b): return 'mine'\n    return if_else(x, 1, 2)"
    ),
    "a closure": (
        "def outer(if_else):\n    def f(x): return if_else(x, 1, 2)\n    return f\n"
        "f = outer(lambda c, a, b: 'mine')"
    ),
    "a parameter of the lambda around": (
        "def f(x): return (lambda if_else: if_else(x, 1, 2))(lambda c, a, b: 'mine')"
    ),
    "the variable of a generator expression": (
        "def f(x): return max(if_else(x, 1, 2) for if_else in [lambda c, a, b: 'mine'])"
    ),
    "a local of the function around": (
        "def f(x):\n    if_else = lambda c, a, b: 'mine'\n    def g(): return if_else(x, 1, 2)\n"
        "    return g()"
    ),
    "bound by :=": "def f(x): return (if_else := lambda c, a, b: 'mine') and if_else(x, 1, 2)",
    "imported": "def f(x):\n    from made_up import if_else\n    return 'mine'",
}


@pytest.mark.parametrize("how", BOUND)
def test_a_bound_name_is_no_form(how: str) -> None:
    fn = function(BOUND[how])
    found = desugared(fn)
    assert not found.changed
    assert python_function(fn, found) is fn
    if how != "imported":
        assert fn(1) == "mine"


def test_a_global_that_is_declared_only_is_no_form() -> None:
    fn = function("def f(x):\n    global if_else\n    return if_else(x, 1, 2)")
    assert not desugared(fn).changed
    with pytest.raises(NameError, match="if_else"):
        fn(1)


def test_a_name_that_is_bound_in_one_place_is_a_form_in_another() -> None:
    fn = function(
        "def f(x):\n"
        "    g = lambda if_else: if_else(x, 1, 2)\n"
        "    return g(lambda c, a, b: 'mine'), if_else(x, 1, 2)"
    )
    assert rewritten(fn)(0) == ("mine", 2)


def test_a_global_or_a_builtin_that_comes_later_is_seen_by_the_predicate() -> None:
    made = module("def f(x): return if_else(x, 1, 2)")
    fn = made["f"]
    assert unbound_in(fn)("if_else")
    made["if_else"] = max
    assert not unbound_in(fn)("if_else")
    assert not desugared(fn).changed
    del made["if_else"]
    made["__builtins__"] = {"if_else": max}
    assert not unbound_in(fn)("if_else")


def test_builtins_and_closures_are_bound() -> None:
    fn = function("def outer(q):\n    def f(): return q\n    return f\nf = outer(1)")
    assert [unbound_in(fn)(name) for name in ("sum", "q", "f", "sum_while")] == [
        False,
        False,
        False,
        True,
    ]


# Wrong uses: refused, and Python then finds an unknown name.

MISUSES: dict[str, str] = {
    "if_else(x, 1)": "takes exactly 3 arguments",
    "if_else(x, 1, b=2)": "takes exactly 3 arguments, by position",
    "if_else(*x)": "takes exactly 3 arguments",
    "sum_while(i, 0, i < x, i + 1)": "takes exactly 5 arguments",
    "sum_while(i + 1, 0, True, 1, 1)": "the name of the loop's variable",
    "sum_while(x[0], 0, True, 1, 1)": "the name of the loop's variable",
    "any_while(1, 0, True, 1, 1)": "the name of the loop's variable",
    "break_if(x, 1)": "outside of a generator expression given to all, any, max, min, sum",
    "continue_on_nan(x)": "outside of a generator expression",
    "sum([break_if(x, 1) for _ in range(x)])": "outside of a generator expression",
    "list(break_if(x, 1) for _ in range(x))": "outside of a generator expression",
    "sum(k for k in break_if(x, [1]))": "outside of a generator expression",
    "sum((lambda: break_if(x, 1))() for _ in range(x))": "does not act from here",
    "sum(1 < x < break_if(k > 1, k) for k in range(x))": "does not act from here",
    "sum(max(*break_if(k > 1, [k])) for k in range(x))": "does not act from here",
    "sum(round(k, ndigits=break_if(k > 1, k)) for k in range(x))": "does not act from here",
    "sum(max(j for j in break_if(k > 1, x)) for k in range(x))": "does not act from here",
    "sum(break_if(k) for k in range(x))": "takes exactly 2 arguments",
    "sum(break_on_nan(k, 1) for k in range(x))": "takes exactly 1 argument,",
    "sum_while(i, 0, break_if(i, True), i + 1, 1)": "has no meaning outside",
    "map(if_else, x, x, x)": "can only be called",
    "[sum_while]": "can only be called",
    "sum_while(i, 0, (y := i) < x, i + 1, i)": "do not go together",
    "sum_while(i, 0, i < 3, i + 1, len(locals()))": "a form and locals do not go together",
    "sum(break_if((y := k) > 2, k) for k in range(x))": "do not go together",
}


@pytest.mark.parametrize("text", MISUSES)
def test_a_misused_form_is_refused_with_its_reason(text: str) -> None:
    assert MISUSES[text] in refusal(f"def f(x):\n    return {text}")


def test_a_form_in_a_class_is_refused() -> None:
    assert "inside a class" in refusal("def f(x):\n    class C:\n        y = if_else(x, 1, 2)")


def test_a_refusal_names_the_line_and_the_form() -> None:
    fn = function("\n\ndef f(x):\n    y = 1\n    return if_else(x, y)")
    with pytest.raises(Unsupported) as caught:
        desugared(fn)
    assert caught.value.refusal.line == 5
    assert caught.value.refusal.construct == "call of if_else"


def test_without_desugaring_a_form_is_an_unknown_name() -> None:
    for name in sorted(FORMS):
        with pytest.raises(NameError, match=name):
            function(f"def f(x):\n    return {name}(x, 1, 2)")(1)


# The rewritten function is the user's in all but its body.


def test_the_rewritten_function_keeps_what_a_function_has() -> None:
    text = (
        "def deco(g): return g\n"
        "\n"
        "@deco\n"
        "def f(n: int, m=[1], *, k: float = 2.0) -> float:\n"
        "    'What it does.'\n"
        "    return sum_while(i, 0, i < n, i + 1, k + m[0])\n"
        "f.mark = 7\n"
    )
    fn = function(text)
    made = rewritten(fn)
    for name in (
        "__name__",
        "__qualname__",
        "__module__",
        "__doc__",
        "__defaults__",
        "__kwdefaults__",
        "__annotations__",
        "__dict__",
    ):
        assert getattr(made, name) == getattr(fn, name), name
    assert made.__globals__ is fn.__globals__
    assert made.__defaults__ is not None
    assert made.__defaults__[0] is fn.__defaults__[0]  # type: ignore[index]
    assert (made.__code__.co_filename, made.__code__.co_firstlineno) == (
        fn.__code__.co_filename,
        fn.__code__.co_firstlineno,
    )
    assert made(3) == 9.0
    assert made(3, [2], k=1) == 9
    assert not [name for name in fn.__globals__ if "iris" in name]


def test_closure_cells_are_shared() -> None:
    made = module(
        "def outer():\n"
        "    y = 1\n"
        "    def put(value):\n"
        "        nonlocal y\n"
        "        y = value\n"
        "    def f(n):\n"
        "        nonlocal y\n"
        "        y += 1\n"
        "        return sum_while(i, 0, i < n, i + 1, y)\n"
        "    return put, f\n"
        "put, f = outer()\n"
    )
    fn = rewritten(made["f"])
    assert fn(2) == 4
    made["put"](10)
    assert fn(1) == 11


def test_a_method_keeps_its_private_names_and_super() -> None:
    made = module(
        "class Base:\n"
        "    def scale(self): return 10\n"
        "class __Deep(Base):\n"
        "    __factor = 3\n"
        "    def f(self, n):\n"
        "        __own = self.__factor + super().scale()\n"
        "        return sum_while(__i, 0, __i < n, __i + 1, __own) + sum(\n"
        "            break_if(__k > 1, __own) for __k in range(n))\n"
        "cls = __Deep\n"
    )
    cls = made["cls"]
    fn = rewritten(cls.__dict__["f"])
    assert fn(cls(), 4) == 13 * 4 + 13 * 2
    assert fn.__qualname__ == "__Deep.f"


def test_a_lambda_is_rewritten_and_stays_a_lambda() -> None:
    fn = function("f = lambda n, k=2: sum_while(i, 0, i < n, i + 1, k)")
    made = rewritten(fn)
    assert (made(3), made(3, k=1), made.__name__) == (6, 3, "<lambda>")


def test_functions_inside_keep_their_qualified_names() -> None:
    fn = function(
        "class C:\n"
        "    def f(self, n):\n"
        "        def g(): return if_else(n, 1, 2)\n"
        "        return g, lambda: n\n"
        "f = C.f"
    )
    g, h = rewritten(fn)(None, 1)
    assert (g.__qualname__, h.__qualname__) == ("C.f.<locals>.g", "C.f.<locals>.<lambda>")


def test_a_traceback_points_at_the_line_of_the_user() -> None:
    fn = function(
        "def f(n):\n"
        "    return sum_while(\n"
        "        i, 0,\n"
        "        i < n,\n"
        "        i + 1,\n"
        "        1 // (2 - i))\n"
    )
    try:
        rewritten(fn)(5)
    except ZeroDivisionError as error:
        frames = traceback.extract_tb(error.__traceback__)
    assert [(one.filename, one.lineno) for one in frames[1:]] == [
        (fn.__code__.co_filename, 2),
        (fn.__code__.co_filename, 6),
    ]


def test_the_tree_of_the_source_is_left_as_it_was() -> None:
    fn = function("def f(n): return sum_while(i, 0, i < n, i + 1, if_else(i, 1, 2))")
    source = locate(fn)
    before = ast.dump(source.node, include_attributes=True)
    assert desugar(source, unbound_in(fn)).changed
    assert ast.dump(source.node, include_attributes=True) == before


def test_every_node_has_a_line_of_the_function() -> None:
    fn = function(flush_left(TWINS["both a control and a while form that needs the variable"][0]))
    for one in ast.walk(desugared(fn).node):
        if "lineno" in one._attributes:
            assert 1 <= one.lineno <= 4  # type: ignore[attr-defined]


def test_a_deeply_nested_expression_is_refused_and_does_not_crash() -> None:
    fn = function(f"def f(n): return if_else(n, {'-' * 90}1, 2)")
    assert rewritten(fn)(1) == 1
    node = locate(fn).node
    for _ in range(3_000):
        node = ast.FunctionDef(**{**vars(node), "body": [ast.If(ast.Constant(1), node.body, [])]})
    with pytest.raises(Unsupported, match="nested too deeply"):
        desugar(locate(fn)._replace(node=node), unbound_in(fn))


# The shape that the compiler reads.


def body_of(text: str) -> str:
    return "\n".join(ast.dump(statement) for statement in desugared(function(text)).node.body)


def shape(text: str) -> str:
    (made,) = ast.parse(text).body
    assert isinstance(made, ast.FunctionDef)
    return "\n".join(ast.dump(statement) for statement in made.body)


def test_the_shape_of_a_while_form() -> None:
    text = "def f(n):\n    'doc'\n    return sum_while(i, n, i < 9, i + 2, i * n)"
    assert body_of(text) == shape(
        "def f(n):\n"
        "    'doc'\n"
        "    def __iris_form_1(i):\n"
        "        __iris_n = 0\n"
        "        __iris_s = 0\n"
        "        while i < 9:\n"
        "            __iris_n += 1\n"
        "            if __iris_n > __iris_loop_limit():\n"
        "                raise __iris_LoopLimit('sum_while', __iris_n - 1)\n"
        "            __iris_s += i * n\n"
        "            i = i + 2\n"
        "        return __iris_s\n"
        "    return __iris_form_1(n)\n"
    )


def test_the_shape_of_a_controlled_generator_expression() -> None:
    assert body_of("def f(n): return max(break_on_nan(x) for x in n if x > 1)") == shape(
        "def f(n):\n"
        "    def __iris_form_1(__iris_it):\n"
        "        for x in __iris_it:\n"
        "            if x > 1:\n"
        "                __iris_v = x\n"
        "                if __iris_v != __iris_v:\n"
        "                    return\n"
        "                yield __iris_v\n"
        "    return max(__iris_form_1(n))\n"
    )


def test_a_generator_expression_stays_one_unless_a_form_needs_its_variables() -> None:
    text = "def f(n): return sum(k + any_while(i, 0, i < n, i + 1, i) for k in n)"
    assert body_of(text) == shape(
        "def f(n):\n"
        "    def __iris_form_1(i):\n"
        "        __iris_n = 0\n"
        "        while i < n:\n"
        "            __iris_n += 1\n"
        "            if __iris_n > __iris_loop_limit():\n"
        "                raise __iris_LoopLimit('any_while', __iris_n - 1)\n"
        "            if i:\n"
        "                return True\n"
        "            i = i + 1\n"
        "        return False\n"
        "    return sum(k + __iris_form_1(0) for k in n)\n"
    )
