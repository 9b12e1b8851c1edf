"""Cases of control flow: breaks, else, unbound variables, order of evaluation, results."""

from __future__ import annotations

from .cases import case, grid, inf, nan
from .values import Buf

_ARRAY = Buf("array d", (1.0, -2.5, 0.0, nan, 3.5))

CASES = [
    case(
        "for_else",
        """
            def f(n, k):
                for i in range(n):
                    if i == k:
                        break
                else:
                    return -1
                return i
        """,
        grid((0, 3), (0, 2, 9)),
    ),
    case(
        "while_else",
        """
            def f(n, k):
                i = 0
                while i < n:
                    if i == k: break
                    i += 1
                else:
                    i = -i
                return i
        """,
        grid((0, 3), (0, 2, 9)),
    ),
    case(
        "continue_in_while",
        """
            def f(n):
                i = s = 0
                while i < n:
                    i += 1
                    if i % 3 == 0: continue
                    s += i
                return s
        """,
        [0, 5, 10],
    ),
    case(
        "continue_in_for",
        """
            def f(n):
                s = 0
                for i in range(n):
                    if i & 1: continue
                    s += i
                else:
                    s = -s
                return s
        """,
        [0, 5, 10],
    ),
    case(
        "nested_breaks",
        """
            def f(n, m):
                c = 0
                for i in range(n):
                    for j in range(m):
                        if j > i: break
                        if (i + j) % 3 == 2: continue
                        c += 1
                    else:
                        c += 100
                    if c > 250: break
                else:
                    c = -c
                return c
        """,
        grid((0, 3, 9), (0, 2, 5)),
    ),
    case(
        "return_from_loops",
        """
            def f(n):
                for i in range(n):
                    j = i
                    while True:
                        j += 3
                        if j % 5 == 0: return (i, j)
                        if j > 20: break
                return (n, -1)
        """,
        [0, 1, 5],
    ),
    case(
        "while_true",
        """
            def f(n):
                while True:
                    n -= 3
                    if n < 0: return n
        """,
        [0, 7, 100],
    ),
    case(
        "unbound_local",
        """
            def f(x):
                if x > 0:
                    y = 1
                return y
        """,
        [1.0, -1.0, nan, 2],
    ),
    case(
        "unbound_in_loop",
        """
            def f(n):
                for i in range(n):
                    if i == 2:
                        y = i
                return y + 1
        """,
        [0, 2, 3, 5],
    ),
    case(
        "unbound_before",
        """
            def f(x):
                y = y + x
                return y
        """,
        [1.0],
        native=False,
    ),
    case(
        "unbound_augmented",
        """
            def f(x):
                if x:
                    s = 1.5
                s += x
                return s
        """,
        [1.0, 0.0, 2],
    ),
    case(
        "deleted_name",
        """
            def f(x):
                y = x
                del y
                return y
        """,
        [1.0],
        native=False,
    ),
    case(
        "swap",
        """
            def f(a, b):
                a, b = b, a
                return (a, b)
        """,
        grid((1, 2.5, True), (3, -0.0)),
    ),
    case(
        "rotate",
        """
            def f(a, b, c):
                a, b, c = b, c, a
                a, b = a + b, a - b
                return (a, b, c)
        """,
        [(1, 2, 3), (1.5, 2, False)],
    ),
    case(
        "chained_assignment",
        """
            def f(x):
                a = b = x * 2
                a += 1
                return (a, b)
        """,
        [1, 1.5],
    ),
    case(
        "unpack_nested",
        """
            def f(x):
                (a, b), c = (x, x + 1), x * 2
                return a + b * c
        """,
        [1, 2.5],
        native=False,
    ),
    case(
        "unpack_depends",
        """
            def f(x):
                i, x = 1, x + 1
                x, i = i, x
                return (x, i)
        """,
        [1, 2.5],
    ),
    case(
        "augmented_all",
        """
            def f(x, y):
                x += y
                x *= 3
                x -= 1
                x //= 2
                x %= 100
                x **= 2
                x <<= 1
                x >>= 2
                x |= 8
                x &= 1023
                x ^= 5
                return x
        """,
        grid((0, 5, -9, 2**61), (1, -2)),
    ),
    case(
        "augmented_floats",
        """
            def f(x, y):
                x += y
                x *= 3
                x /= 7
                x -= y
                x //= 0.25
                x %= 10
                x **= 2
                return x
        """,
        grid((0.0, 2.5, -1e10, inf), (1, -2.5)),
    ),
    case("order_of_errors", "def f(x, y): return 1 // x + 1.0 / y", grid((0, 1), (0.0, 1.0))),
    case(
        "order_of_errors_in_call",
        "def f(x, y): return max(math.sqrt(x), 1 / y)",
        grid((-1.0, 1.0), (0.0, 1.0)),
    ),
    case(
        "order_in_compare",
        "def f(x, y): return 1 / x < 2 / y < math.sqrt(x)",
        grid((0.0, -1.0, 4.0), (0.0, 1.0)),
    ),
    case(
        "comparison_evaluated_once",
        """
            def f(n):
                a, b = 0, n
                return a < (b // 2) < b
        """,
        [0, 1, 5],
    ),
    case(
        "conditional_is_lazy",
        "def f(x): return 1 / x if x else math.sqrt(x) - 1",
        [0, 0.0, 2, -4.0],
    ),
    case(
        "deep_conditions",
        "def f(x): return 1 if x < 1 else 2 if x < 2 else 3.5 if x < 3 else x",
        [0, 1, 2, 3, nan, 0.5],
    ),
    case(
        "elif_ladder",
        """
            def f(x):
                if x < 0: r = -1
                elif x == 0: r = 0
                elif x < 10: r = x
                else: r = 10.0
                return r
        """,
        [-1, 0, 3, 30, 2.5, nan],
    ),
    case(
        "falls_off_the_end",
        """
            def f(x):
                if x > 0:
                    return x
        """,
        [1, 0, 2.5, -1.0],
    ),
    case(
        "returns_none",
        """
            def f(x):
                y = x + 1
                return
        """,
        [1, 2.5],
    ),
    case(
        "returns_none_or_tuple",
        """
            def f(x):
                if x: return (x, x + 1)
                return None
        """,
        [0, 1, 2.5],
        native=False,
    ),
    case(
        "docstring_and_pass",
        """
            def f(x):
                'Says what.'
                pass
                if x: pass
                else: pass
                return x
        """,
        [0, 2.5],
    ),
    case("constant_function", "def f(x): return 42", [1, 2.5]),
    case("no_arguments", "def f(): return 1.5 * 2", [()]),
    case("tuple_results", "def f(x): return x, x > 0, -x, 7", [1, 2.5, -0.0, nan]),
    case("tuple_of_one", "def f(x): return (x,)", [1, 2.5]),
    case("nested_tuple", "def f(x): return (x, (x + 1, x > 1))", [1, 2.5], native=False),
    case("long_tuple", "def f(x): return (x, x, x, x, x, x, x, x)", [1, 2.5]),
    case(
        "too_long_tuple", "def f(x): return (x, 1, 2, 3, 4, 5, 6, 7, 8, 9)", [1, 2.5], native=False
    ),
    case(
        "tuple_variable",
        """
            def f(x):
                t = (x, x + 1)
                return t[1] - t[0]
        """,
        [1, 2.5],
        native=False,
    ),
    case("wrong_type", "def f(x): return x + 1", ["a", None, (1,), [1], 2j, b"x"], native=False),
    case("missing_argument", "def f(x, y): return x + y", [(1,), (1, 2, 3), ()], native=False),
    case(
        "loop_over_ints",
        """
            def f(x):
                for i in x:
                    pass
                return i
        """,
        [5, Buf("list", (1, 2)), Buf("range", (3, 9, 2))],
        native=False,
    ),
]
