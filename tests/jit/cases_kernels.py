"""Cases that are small programs, and statements outside the language."""

from __future__ import annotations

from .cases import INTS, case, grid, nan
from .values import Buf

_ARRAY = Buf("array d", (1.0, -2.5, 0.0, nan, 3.5))

CASES = [
    case(
        "signs_in_ranges",
        """
            def f(a):
                s = 0
                for i in range(-a, a): s += i * i if i < 0 else -i
                return s
        """,
        [0, 1, 7, -3],
    ),
    case(
        "triangle_closed_form",
        """
            def f(n):
                s = 0
                for i in range(n): s += i
                return s
        """,
        [0, 1, 1000, -5],
    ),
    case(
        "quadratic_closed_form",
        "def f(n): return sum(3 * i * i - i + 2 for i in range(n))",
        [0, 1, 1000, -5],
    ),
    case(
        "integer_division_loop",
        """
            def f(n):
                s = 0
                for i in range(-n, n):
                    s = s * 31 + i // 3 + i % 5
                    s %= 1000003
                return s
        """,
        [0, 5, 50],
    ),
    case(
        "branchy",
        """
            def f(n, x):
                a = 0.0
                for i in range(n):
                    if x > 0.5: x = 3.7 * x * (1.0 - x)
                    else: x = x * 1.9 + 0.01
                    if x != x: break
                    a += x
                return a
        """,
        [(0, 0.1), (50, 0.3), (50, 0.9), (20, nan), (30, 7)],
    ),
    case(
        "mandelbrot",
        """
            def f(cr, ci):
                zr = zi = 0.0
                n = 0
                while n < 100 and zr * zr + zi * zi <= 4.0:
                    zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
                    n += 1
                return n
        """,
        grid((-2.0, -0.5, 0.3), (0.0, 0.5, 1.0)),
    ),
    case(
        "many_kinds",
        """
            def f(n):
                x = 0
                for i in range(n):
                    if i == 2: x = 0.5
                    elif i == 4: x = True
                    elif i == 6: x = 3
                return x
        """,
        [0, 2, 3, 5, 7],
    ),
    case(
        "bool_and_int_variable",
        """
            def f(x):
                y = False
                if x > 1: y = 3
                return y
        """,
        [0, 2],
    ),
    case(
        "power_by_squaring",
        """
            def f(b, n):
                r = 1
                while n > 0:
                    if n & 1: r = r * b % 1000007
                    b = b * b % 1000007
                    n >>= 1
                return r
        """,
        grid((2, 3, 10), (0, 1, 30, 2**40)),
    ),
    case(
        "big_constants",
        "def f(x): return (x + 9223372036854775807, x + 9223372036854775808, x * 1e308)",
        [0, 1, -1, 0.5],
        native=False,
    ),
    case("folded_overflow", "def f(x): return x + (2**62 + 2**62 - 1)", [0, 1, -1], native=False),
    case("folded_division_by_zero", "def f(x): return x if x > 0 else 1 // 0", [1, 0]),
    case("folded_domain", "def f(x): return x if x > 0 else math.sqrt(-1.0)", [1, 0]),
    case(
        "true_constant_branch",
        """
            def f(x):
                if True:
                    y = x
                while 0:
                    y = 5
                return y
        """,
        [1, 2.5],
    ),
    case(
        "assert_statement",
        """
            def f(x):
                assert x > 0, 'positive'
                return x
        """,
        [1, -1],
        native=False,
    ),
    case(
        "raise_statement",
        """
            def f(x):
                if x < 0: raise ValueError('negative')
                return x
        """,
        [1, -1],
        native=False,
    ),
    case(
        "try_statement",
        """
            def f(x):
                try: return 1 / x
                except ZeroDivisionError: return 0.0
        """,
        [1, 0],
        native=False,
    ),
    case("walrus", "def f(x): return (y := x + 1) * y", [1, 2.5], native=False),
    case(
        "all_ints_edges",
        """
            def f(x):
                s = x
                for i in range(3): s = (s ^ (s << 3 & 0xffff)) - i
                return s
        """,
        INTS,
    ),
]
