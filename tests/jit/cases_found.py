"""Failures that the generator found, shrunk; each was wrong once."""

from __future__ import annotations

from .cases import Case, case, inf
from .values import Buf

CASES: list[Case] = [
    case(
        "seed_400141_big_constant_by_either_kind",
        "def f(x): return 9007199254740993 / (x or 2.5)",
        [34, 0, 1, 7, -3, 2.0, 0.0],
        native=False,
    ),
    case(
        "seed_502297_native_int_in_plain_code",
        """
            @offload
            def h(p):
                return 10
            @offload
            def f(a, x=1.0):
                return h(x) % len(a)
        """,
        [Buf("array I", ()), Buf("array I", (1, 2, 3))],
    ),
    case(
        "seed_290_default_alone",
        "def f(x=0): pass",
        [(), 3, 2.5, True],
    ),
    case(
        "seed_200013_form_beside_cells",
        """
            def make(c):
                @offload
                def f(n):
                    return sum_while(w, 0, w < n, w + 2, 3) + c
                return f
            f = make(10)
        """,
        [0, 3, 9],
    ),
    case(
        "seed_502618_bound_in_dead_code_only",
        """
            def f(x):
                if True:
                    pass
                else:
                    y = 0
                if x:
                    return 1
                return sum(0.25 for g in range(y & 7, 7, 3))
        """,
        [True, 0],
        native=False,
    ),
    case(
        "seed_440500003_power_in_nested_loops",
        """
            def f(a, x):
                w = 0
                while w < 7:
                    w += 1
                    for v in a:
                        x = max(3 ** w, len(a), 0)
                return x
        """,
        [(Buf("array q", (1, 2)), 36), (Buf("array q", ()), 36)],
    ),
    case(
        "truth_of_a_buffer",
        """
            def f(a, d):
                if not a:
                    return d
                return a[0] if a else 0.5
        """,
        [
            (Buf("array d", ()), 3),
            (Buf("array d", (2.5, 1.0)), 3),
            (Buf("list", (1, 2)), 3),
            (Buf("bytearray", ()), 1.5),
        ],
    ),
    case(
        "quicksort_recurs_over_a_buffer",
        """
            @offload
            def f(a, low, high):
                if low >= high:
                    return 0
                pivot = a[(low + high) // 2]
                i, j = low, high
                while i <= j:
                    while a[i] < pivot:
                        i += 1
                    while a[j] > pivot:
                        j -= 1
                    if i <= j:
                        a[i], a[j] = a[j], a[i]
                        i += 1
                        j -= 1
                return 1 + f(a, low, j) + f(a, i, high)
        """,
        [
            (Buf("array d", (3.0, -1.0, 2.5, 2.5, 0.0, 9.0, -7.5)), 0, 6),
            (Buf("array i", (5, 4, 3, 2, 1, 0)), 0, 5),
            (Buf("array i", (5,)), 0, 0),
        ],
    ),
    case(
        "binary_search_recurs_over_a_buffer",
        """
            def find(a, x, low, high):
                if low >= high:
                    return -1
                middle = (low + high) // 2
                if a[middle] == x:
                    return middle
                if a[middle] > x:
                    return find(a, x, low, middle)
                return find(a, x, middle + 1, high)

            @offload
            def f(a, x):
                return find(a, x, 0, len(a))
        """,
        [(Buf("array q", (1, 3, 5, 7)), one) for one in (1, 3, 7, 8, 0, 5.0, 4.5)],
    ),
    case(
        "seed_400002990_all_bits_shifted_out",
        "def f(x, n): return x // (10 >> n % 80), -5 // (-3 >> n % 80)",
        [(7, 37), (7, 2), (7, 79), (False, 3), (7, 64)],
    ),
    case(
        "a_nested_function_that_recurs",
        """
            @offload
            def f(n):
                def g(k):
                    return 0 if k == 0 else 1 + g(k - 1)
                return g(n)
        """,
        [0, 5, 50],
        native=False,
    ),
    case(
        "pow_of_zero_and_minus_infinity",
        """
            import math
            @offload
            def f(x, y):
                return math.pow(x, y)
        """,
        [(0.0, -inf), (-0.0, -inf), (0.0, inf), (2.0, -inf)],
        native=False,
    ),
    case(
        "a_recursion_that_is_refused",
        """
            @offload
            def f(n):
                kept = [n]
                return 0 if n == 0 else len(kept) + f(n - 1)
        """,
        [0, 5, 300],
        native=False,
    ),
]
