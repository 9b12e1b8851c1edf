"""Cases of ranges and of reductions over generator expressions."""

from __future__ import annotations

from .cases import case, grid, inf, nan
from .values import Buf

_ARRAY = Buf("array d", (1.0, -2.5, 0.0, nan, 3.5))

CASES = [
    case(
        "range_down",
        """
            def f(a, b):
                s = 0
                for i in range(a, b, -2):
                    s = s * 10 + i
                return s
        """,
        grid((9, 3, 0, -1), (0, 3, -4)),
    ),
    case(
        "range_variable_step",
        """
            def f(a, b, c):
                s = 0
                for i in range(a, b, c):
                    s = s * 3 + i
                return s
        """,
        [(0, 10, 3), (10, 0, -3), (0, 10, -1), (5, 5, 1), (0, 10, 0), (0, 3, True)],
    ),
    case(
        "range_near_the_end",
        """
            def f(a, b, c):
                k = 0
                i = 5
                for i in range(a, b, c):
                    k += 1
                return (k, i)
        """,
        [
            (2**63 - 3, 2**63 - 1, 1),
            (2**63 - 5, 2**63 - 1, 3),
            (-(2**63) + 4, -(2**63), -3),
            (0, 2**63 - 1, 2**62),
            (-(2**63), 2**63 - 1, 2**63 - 1),
            (0, 2**52, 2**50),
        ],
    ),
    case(
        "range_of_float",
        """
            def f(x):
                s = 0
                for i in range(x):
                    s += i
                return s
        """,
        [3, 2.0, True, -1],
    ),
    case(
        "range_bounds_read_once",
        """
            def f(n):
                s = 0
                for i in range(n):
                    n = 1
                    s += i + n
                return (s, n)
        """,
        [0, 1, 5],
    ),
    case(
        "range_variable_assigned",
        """
            def f(n):
                s = 0
                for i in range(n):
                    s += i
                    i = 100
                    s += i
                return s
        """,
        [0, 3],
    ),
    case(
        "variable_after_range",
        """
            def f(n):
                for i in range(n):
                    pass
                return i
        """,
        [0, 1, 5],
    ),
    case(
        "variable_before_range",
        """
            def f(n):
                i = -1
                for i in range(n):
                    pass
                return i
        """,
        [0, 1, 5],
    ),
    case(
        "code_after_a_reduction",
        """
            def f(n, x):
                s = sum(i * x for i in range(n))
                if s > 3:
                    s = -s
                return s + 1
        """,
        [(0, 1.5), (3, 1.5), (5, -1.0), (4, 2), (1, nan)],
    ),
    case(
        "code_before_a_reduction",
        """
            def f(n, x):
                x = x * 2
                y = x - 1
                return sum(x + y * i for i in range(n)) / 2
        """,
        [(0, 1.5), (3, 1.5), (4, 2)],
    ),
    case("sum_with_ifs", "def f(n): return sum(i for i in range(n) if i % 2 if i % 3)", [0, 5, 20]),
    case(
        "sum_nested",
        "def f(n, m): return sum(i * j for i in range(n) for j in range(i, m) if i != j)",
        grid((0, 3, 5), (0, 4, 7)),
    ),
    case("sum_of_floats", "def f(n): return sum(0.1 for i in range(n))", [0, 1, 3, 10, 100]),
    case(
        "sum_compensated",
        "def f(a): return sum(x for x in a)",
        [
            Buf("array d", (1e16, 1.0, -1e16)),
            Buf("array d", (1e308, 1e308, -1e308)),
            Buf("array d", (inf, -inf)),
            Buf("array d", ()),
            Buf("array d", (-0.0, -0.0)),
            Buf("array q", (1, 2)),
        ],
    ),
    case(
        "sum_of_mixed",
        "def f(n): return sum((i if i % 2 else 0.5) for i in range(n))",
        [0, 1, 2, 5],
    ),
    case("sum_of_bools", "def f(n): return sum(i > 2 for i in range(n))", [0, 3, 6]),
    case(
        "sum_past_64_bits",
        "def f(n, x): return sum(x for i in range(n))",
        [(2, 2**62), (3, 2**62), (4, -(2**62)), (4, 2**40)],
    ),
    case("sum_of_halves", "def f(n): return sum(i / 2 for i in range(n))", [0, 1, 7]),
    case(
        "any_all",
        "def f(n, k): return (any(i == k for i in range(n)), all(i != k for i in range(n)))",
        grid((0, 3), (0, 2, 5)),
    ),
    case(
        "any_stops",
        "def f(n): return any(10 // (3 - i) < 0 for i in range(n) if i < 9)",
        [0, 2, 3, 5],
    ),
    case(
        "any_of_numbers",
        "def f(a): return any(x for x in a)",
        [Buf("array d", (0.0, -0.0)), Buf("array d", (0.0, nan)), Buf("array d", ())],
    ),
    case(
        "min_of_generator", "def f(n): return min((i - 3) * (i - 3) for i in range(n))", [0, 1, 5]
    ),
    case(
        "max_of_generator",
        "def f(a): return max(x * 2 for x in a)",
        [
            _ARRAY,
            Buf("array d", ()),
            Buf("array d", (nan, 1.0)),
            Buf("array d", (-0.0, 0.0)),
            Buf("array q", (3, 9, 2)),
        ],
    ),
    case("min_with_if", "def f(n): return min(i for i in range(n) if i > 3)", [0, 4, 9]),
    case(
        "nested_reductions",
        "def f(n): return sum(max(j for j in range(i + 1)) for i in range(n))",
        [0, 1, 5],
    ),
    case(
        "generator_variable_stays_inside",
        """
            def f(n):
                i = 7
                s = sum(i for i in range(n))
                return (s, i)
        """,
        [0, 4],
    ),
]
