"""Cases of the seed's forms; plain Python runs what `forms.written_out` makes of them."""

from __future__ import annotations

from .cases import case, grid, inf, nan
from .values import Buf

D = Buf("array d", (1.0, -2.5, 0.0, nan, 3.5))

CASES = [
    case("if_else", "def f(x): return if_else(x > 0, x * 2, -x)", [1, -1, 2.5, nan, -0.0]),
    case(
        "if_else_is_lazy",
        "def f(x): return if_else(x, 1 / x, 0.0) if x == x else 5",
        [0, 0.0, 2, nan],
    ),
    case(
        "if_else_nested",
        "def f(x): return if_else(x < 0, -1, if_else(x == 0, 0, 1.5))",
        [1, -1, 0, nan],
    ),
    case("sum_while", "def f(n): return sum_while(i, 0, i < n, i + 1, i * i)", [0, 1, 10, -3]),
    case(
        "sum_while_floats",
        "def f(x): return sum_while(t, x, t > 0.01, t * 0.5, 1 / t)",
        [1.0, 0.0, 0.005, 3],
    ),
    case("sum_while_empty", "def f(x): return sum_while(i, 0, i < x, i + 1, 0.5)", [0, 3, 2.5]),
    case(
        "sum_while_steps",
        "def f(n): return sum_while(i, n, i != 1, if_else(i % 2 == 0, i // 2, 3 * i + 1), 1)",
        [1, 7, 27],
    ),
    case("sum_while_endless", "def f(x): return sum_while(i, 0, x > 0, i + 1, 1)", [0.0]),
    case(
        "any_while",
        "def f(n, k): return any_while(i, 2, i * i <= n, i + 1, n % i == k)",
        grid((1, 9, 11, 35), (0, 1)),
    ),
    case(
        "all_while", "def f(n): return all_while(i, 2, i * i <= n, i + 1, n % i)", [1, 2, 9, 11, 35]
    ),
    case(
        "while_forms_nested",
        "def f(n): return sum_while(i, 0, i < n, i + 1, sum_while(j, i, j < n, j + 2, i + j))",
        [0, 1, 6],
    ),
    case(
        "while_form_of_outer_names",
        """
            def f(n, x):
                y = x * 2
                s = sum_while(i, 0, i < n, i + 1, y + i)
                y = 5
                return s - y
        """,
        [(0, 1.5), (4, 1.5), (4, 2)],
    ),
    case("break_if", "def f(n): return sum(break_if(i > 3, i) for i in range(n))", [0, 3, 9]),
    case(
        "break_when",
        "def f(a): return sum(break_when(x < 0, x) for x in a)",
        [D, Buf("array d", ())],
    ),
    case(
        "break_unless",
        "def f(a): return any(break_unless(x > 0, x > 3) for x in a)",
        [D, Buf("array q", (1, 2, 5))],
    ),
    case(
        "continue_if",
        "def f(n): return sum(continue_if(i % 3 == 0, i * 0.5) for i in range(n))",
        [0, 3, 9],
    ),
    case(
        "continue_when",
        "def f(n): return max(continue_when(i < 2, -i) for i in range(n))",
        [2, 3, 9],
    ),
    case(
        "continue_unless",
        "def f(n): return min(continue_unless(i % 2, i) for i in range(n))",
        [0, 3, 9],
    ),
    case(
        "break_on_nan",
        "def f(a): return sum(break_on_nan(x * 2) for x in a)",
        [D, Buf("array d", (nan,)), Buf("array q", (1, 2))],
    ),
    case(
        "continue_on_nan",
        "def f(a): return sum(continue_on_nan(x - x) for x in a)",
        [D, Buf("array d", (inf, 1.0))],
    ),
    case(
        "break_in_nested_for",
        "def f(n): return sum(break_if(i + j > 4, i * j) for i in range(n) for j in range(n))",
        [0, 2, 5],
    ),
    case(
        "continue_in_nested_for",
        "def f(n): return sum(continue_if(i == j, i * j) for i in range(n) if i for j in range(n))",
        [0, 2, 5],
    ),
    case(
        "forms_in_forms",
        "def f(n): return sum(continue_if(i % 2, break_if(i > 6, i)) for i in range(n))",
        [0, 5, 20],
    ),
    case(
        "break_then_nan",
        "def f(a): return sum(break_if(x > 3, continue_on_nan(x)) for x in a)",
        [D],
    ),
    case(
        "value_not_computed_after_break",
        "def f(n): return sum(break_if(i == 3, 1 / (3 - i)) for i in range(n))",
        [0, 3, 9],
    ),
    case(
        "all_with_continue",
        "def f(n): return all(continue_if(i == 2, i != 2) for i in range(n))",
        [0, 3, 5],
    ),
    case(
        "code_after_a_form",
        """
            def f(n):
                s = sum(break_if(i > 3, i) for i in range(n))
                if s > 2: s *= -1
                return s / 2
        """,
        [0, 3, 9],
    ),
    case("name_is_a_parameter", "def f(if_else, x): return if_else + x", [(1, 2.5)]),
    case(
        "name_is_local",
        """
            def f(x):
                break_if = x * 2
                return break_if + 1
        """,
        [1, 2.5],
    ),
    case(
        "same_variable_outside",
        """
            def f(i):
                s = sum_while(i, 0, i < 3, i + 1, i)
                return (s, i)
        """,
        [7, 2.5],
    ),
]
