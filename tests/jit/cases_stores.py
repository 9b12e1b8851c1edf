"""Cases of stores: formats, aliases, exceptions after stores, whole algorithms in place."""

from __future__ import annotations

from .cases import case, grid, inf, nan
from .values import Buf, Same, View

D = Buf("array d", (1.0, -2.5, 0.0, nan, 3.5))
Z = Buf("array d", (0.0, 0.0, 0.0, 0.0))
E = Buf("array d", ())
Q = Buf("array q", (1, -2, 30, 2**62))
NARROW = [Buf(f"array {code}", (1, 2, 100)) for code in "bBhHiIlLqQ"]
SIGNED = [Buf(f"array {code}", (-1, -100, 5)) for code in "bhilq"]
OTHERS = [
    Buf("bytearray", (1, 2, 200)), Buf("bytes", (1, 2, 200)), Buf("list", (1, 2, 3)),
    Buf("tuple", (4, 5, 6)), Buf("range", (0, 9, 2)), Buf("memoryview i", (7, 8, 9)),
    Buf("readonly q", (7, 8, 9)),
]  # fmt: skip
WRITABLE = [D, Buf("array f", (1.0, 2.0, 3.0)), Buf("memoryview d", (1.0, 2.0, 3.0))]

CASES = [
    case(
        "store_narrow",
        """
            def f(a, x):
                a[0] = x
                return a[0]
        """,
        grid(
            [*NARROW, Buf("bytearray", (1, 2))],
            (0, 127, 128, 255, 256, -1, -129, 2**31, 2**63 - 1, True),
        ),
    ),
    case(
        "store_float_into_ints",
        """
            def f(a, x):
                a[0] = x
        """,
        [(Q, 1.5), (Q, 2.0), (Buf("bytearray", (1,)), 1.0)],
        native=False,
    ),
    case(
        "store_int_into_floats",
        """
            def f(a, x):
                a[0] = x
                return a[0]
        """,
        grid(WRITABLE, (3, True, 2**53 + 1, -0.0, inf, nan, 1e300, 0.1, 5e-324)),
    ),
    case(
        "store_huge_int",
        """
            def f(a, x):
                a[0] = x
        """,
        [(D, 2**70), (D, 10**400), (Q, 2**63), (Q, -(2**63) - 1)],
        native=False,
    ),
    case(
        "store_bool",
        """
            def f(a, x):
                a[1] = x
                return a[1]
        """,
        grid((Buf("bool", (False, False)),), (True, False, 0, 3, 2.5, nan, 0.0)),
        native=False,
    ),
    case(
        "store_compare",
        """
            def f(a, x):
                a[1] = x > 1
                return a[1]
        """,
        grid((Buf("bool", (False, False)), Buf("array b", (5, 5)), D), (0.5, 2, nan)),
    ),
    case(
        "read_only",
        """
            def f(a):
                a[0] = 1
                return 5
        """,
        [
            Buf("readonly d", (1.0,)),
            Buf("bytes", (1, 2)),
            Buf("tuple", (1, 2)),
            Buf("range", (0, 3, 1)),
            Buf("readonly q", (1,)),
        ],
        native=False,
    ),
    case(
        "read_only_not_reached",
        """
            def f(a, x):
                if x: a[0] = 1
                return a[0]
        """,
        [(Buf("readonly d", (1.0,)), False), (D, True), (D, False)],
        native=False,
    ),
    case(
        "list_is_written",
        """
            def f(a):
                a[0] = a[1] + 1
                return a[0]
        """,
        [Buf("list", (1, 2)), Buf("list", (1.5, 2.5)), Buf("list", ())],
        native=False,
    ),
    case(
        "augmented_store",
        """
            def f(a, i, x):
                a[i] += x
                a[i] *= 2
                a[i] -= 1
                return a[i]
        """,
        [
            (D, 0, 1.5),
            (D, -1, 2),
            (Q, 1, 3),
            (Q, 3, 2**62),
            (D, 9, 1),
            (Buf("array b", (100,)), 0, 27),
            (Buf("array f", (0.1,)), 0, 0.2),
        ],
    ),
    case(
        "augmented_order",
        """
            def f(a, i):
                a[i] += 1 / a[i - 1]
                return a[i]
        """,
        [(D, 1), (D, 3), (D, 0), (D, 9)],
    ),
    case(
        "swap_items",
        """
            def f(a, i, j):
                a[i], a[j] = a[j], a[i]
                return i
        """,
        [(D, 0, 1), (D, 0, 0), (D, -1, 9), (Q, 0, 3)],
    ),
    case(
        "chained_store",
        """
            def f(a, x):
                a[0] = a[1] = y = x * 2
                return y
        """,
        [(D, 1.5), (Q, 2)],
    ),
    case(
        "index_moves",
        """
            def f(a):
                i = 0
                i, a[i] = 2, 9
                return i
        """,
        [D, Q],
    ),
    case(
        "store_then_zero_division",
        """
            def f(a, x):
                for i in range(len(a)):
                    a[i] = 10 / (x - i)
                return 1
        """,
        [(D, 0), (D, 2), (D, 4), (D, 9.5), (E, 0)],
    ),
    case(
        "store_then_index_error",
        """
            def f(a, n):
                for i in range(n):
                    a[i] = i
                return n
        """,
        [(D, 3), (D, 5), (D, 6), (Q, 9), (E, 1)],
    ),
    case(
        "store_then_domain_error",
        """
            def f(a):
                for i in range(len(a)):
                    a[i] = math.sqrt(a[i] + 2)
                return 0
        """,
        [D, Z, Buf("array d", (1.0, 2.0, -3.0, 4.0))],
    ),
    case(
        "store_then_overflow",
        """
            def f(a, x):
                s = 0
                for i in range(len(a)):
                    s += x
                    a[i] = s % 1000
                return s
        """,
        [(Buf("array q", (1, 2, 3)), 5), (Q, 5), (Q, 2**62), (D, 2**63 - 1)],
    ),
    case(
        "store_then_does_not_fit",
        """
            def f(a, x):
                for i in range(len(a)):
                    a[i] = x
                    x *= 3
                return x
        """,
        [
            (Buf("array b", (0,) * 4), 2),
            (Buf("array b", (0,) * 6), 2),
            (Buf("bytearray", (0,) * 6), 9),
            (Q, 2**61),
            (Q, 1),
        ],
    ),
    case(
        "store_then_recursion_error",
        """
            def g(n): return 0 if n == 0 else 1 + g(n - 1)
            @offload
            def f(a, n):
                a[0] = 5
                return g(n) + a[0]
        """,
        [(D, 10), (D, 150)],
        native=False,
    ),
    case(
        "same_array_twice",
        """
            def f(a, b):
                for i in range(len(a) - 1):
                    a[i + 1] = b[i] + 1
                return a[0]
        """,
        [(D, Same(0)), (D, Z), (Q, Same(0))],
    ),
    case(
        "overlapping_views",
        """
            def f(a, b):
                for i in range(len(b)):
                    a[i] = b[i] * 2 + 1
                return len(b)
        """,
        [
            (D, View(0, 1, 5)),
            (D, View(0, 0, 3)),
            (Q, View(0, 1, 3)),
            (Buf("bytearray", (1, 2, 3, 4)), View(0, 1, 3)),
        ],
    ),
    case(
        "overlap_then_error",
        """
            def f(a, b):
                for i in range(len(a)):
                    a[i] = b[i] + 1
                return 0
        """,
        [(D, View(0, 1, 5)), (Q, View(0, 1, 3)), (D, Same(0))],
    ),
    case(
        "two_outputs_then_error",
        """
            def f(a, b, n):
                for i in range(n):
                    a[i] = i
                    b[i] = -i
                return n
        """,
        [(D, Z, 2), (D, Z, 5), (Q, D, 4), (D, Q, 5), (D, Same(0), 6)],
    ),
    case(
        "prefix_sums",
        """
            def f(a):
                for i in range(1, len(a)): a[i] += a[i - 1]
                return a[-1]
        """,
        [Z, D, Q, E, Buf("array b", (100, 20, 7, 1))],
    ),
    case(
        "stencil",
        """
            def f(a, b):
                for i in range(1, len(a) - 1): b[i] = (a[i - 1] + a[i] + a[i + 1]) / 3
                return 0
        """,
        [(D, Z), (D, Same(0)), (Buf("array d", (1.0, 2.0, 3.0, 4.0)), Z), (E, Z)],
    ),
    case(
        "histogram",
        """
            def f(a, h):
                for x in a: h[x % len(h)] += 1
                return 0
        """,
        [
            (Q, Buf("array q", (0, 0, 0))),
            (Buf("bytearray", (1, 2, 200)), Buf("array i", (0, 0))),
            (Q, Buf("array q", ())),
        ],
    ),
    case(
        "sieve",
        """
            def f(a):
                n = len(a)
                for i in range(n): a[i] = 1
                for i in range(2, n):
                    if a[i]:
                        for j in range(i * i, n, i): a[j] = 0
                return sum(1 for i in range(2, n) if a[i])
        """,
        [Buf("bytearray", (0,) * 60), Buf("array b", (0,) * 9), Buf("bytearray", ())],
    ),
    case(
        "bubble_sort",
        """
            def f(a):
                n = len(a)
                for i in range(n):
                    for j in range(n - 1 - i):
                        if a[j] > a[j + 1]: a[j], a[j + 1] = a[j + 1], a[j]
                return n
        """,
        [D, Q, Buf("array h", (5, -3, 9, 0, 2))],
    ),
    case(
        "matrix_product",
        """
            def f(a, b, c, n):
                for i in range(n):
                    for j in range(n):
                        s = 0.0
                        for k in range(n): s += a[i * n + k] * b[k * n + j]
                        c[i * n + j] = s
                return 0
        """,
        [
            (Buf("array d", (1.0, 2.0, 3.0, 4.0)), Buf("array d", (0.5, -1.0, 2.0, 0.0)), Z, 2),
            (Z, Z, Z, 3),
        ],
    ),
    case(
        "helper_stores",
        """
            def g(a, i, x):
                a[i] = x
                return x
            @offload
            def f(a, x):
                y = g(a, 0, x) + g(a, 1, x * 2)
                return y + len(a)
        """,
        [(D, 1.5), (Q, 2), (E, 1), (Buf("array d", (1.0,)), 2.5)],
    ),
    case(
        "helper_stores_statement",
        """
            def g(a, i, x):
                a[i] = x
            @offload
            def f(a, x):
                g(a, 0, x)
                g(a, -1, x + 1)
                return a[0] + a[-1]
        """,
        [(D, 1.5), (Q, 2), (E, 1)],
    ),
    case(
        "written_while_iterated",
        """
            def f(a):
                s = 0
                for x in a:
                    a[-1] = 5
                    s += x
                return s
        """,
        [D, Q, E],
    ),
    case(
        "f32_rounds",
        """
            def f(a, x):
                a[0] = x
                a[1] = a[0] * 3
                return (a[0], a[1])
        """,
        [
            (Buf("array f", (0.0, 0.0)), 0.1),
            (Buf("array f", (0.0, 0.0)), 1e38),
            (Buf("array f", (0.0, 0.0)), 1e-46),
        ],
    ),
    case(
        "ema",
        """
            def f(a, b, k):
                s = a[0]
                for i in range(len(a)):
                    s = k * a[i] + (1 - k) * s
                    b[i] = s
                return s
        """,
        [
            (D, Buf("array d", (0.0,) * 5), 0.25),
            (Q, Buf("array f", (0.0,) * 5), 0.5),
            (D, Z, 0.5),
            (E, Z, 1),
        ],
    ),
    case(
        "unused_store",
        """
            def f(a, x):
                a[0] = x
                a[0] = x + 1
                return 0
        """,
        [(D, 1.5), (E, 1), (Q, 2)],
    ),
]
