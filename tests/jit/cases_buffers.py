"""Cases of containers that are read: indexing, iterating, formats, lists and tuples."""

from __future__ import annotations

from .cases import case, grid, nan
from .values import Buf

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
        "iterate",
        """
            def f(a):
                s = 0
                for x in a: s += x
                return s
        """,
        [D, E, Q, *NARROW, *SIGNED, *OTHERS, Buf("bool", (True, False, True))],
    ),
    case(
        "index",
        "def f(a, i): return a[i]",
        grid((D, E), (0, 1, 4, 5, -1, -5, -6, 2**40, -(2**63), True)),
    ),
    case("index_by_float", "def f(a, i): return a[i]", [(D, 1.0), (D, nan)], native=False),
    case("length", "def f(a): return len(a)", [D, E, Q, *OTHERS]),
    case(
        "length_in_range",
        """
            def f(a):
                s = 0.0
                for i in range(len(a)): s += a[i] * i
                return s
        """,
        [D, E, Q],
    ),
    case(
        "backwards",
        """
            def f(a):
                s = 0
                for i in range(len(a) - 1, -1, -1): s = s * 2 + a[i]
                return s
        """,
        [Q, E, *NARROW],
    ),
    case(
        "negative_indices",
        """
            def f(a):
                s = 0
                for i in range(1, len(a) + 1): s = s * 2 + a[-i]
                return s
        """,
        [Q, E, *NARROW],
    ),
    case(
        "one_too_far",
        """
            def f(a):
                s = 0
                for i in range(len(a) + 1): s += a[i]
                return s
        """,
        [D, E],
        native=False,
    ),
    case(
        "neighbours",
        """
            def f(a):
                s = 0
                for i in range(len(a)): s += a[i] - a[i - 1]
                return s
        """,
        [Q, D, E],
    ),
    case("sum_over_buffer", "def f(a): return sum(x * x for x in a)", [D, E, Q, *NARROW, *OTHERS]),
    case(
        "sum_of_buffer",
        "def f(a): return sum(a)",
        [Buf("array q", (1, 2)), Buf("array d", (0.1, 0.2, 0.3)), E],
        native=False,
    ),
    case(
        "dot",
        "def f(a, b): return sum(a[i] * b[i] for i in range(len(a)))",
        [(D, D), (Z, D), (D, Z), (E, D), (Q, D)],
    ),
    case(
        "any_over_buffer",
        "def f(a, k): return (any(x == k for x in a), all(x < k for x in a))",
        grid((D, E, Q), (0, 30, 3.5, nan)),
    ),
    case(
        "largest_of_buffer",
        """
            def f(a):
                m = a[0]
                for x in a:
                    if x > m: m = x
                return m
        """,
        [D, E, Q, *OTHERS],
    ),
    case(
        "u64",
        "def f(a): return a[0] + a[1]",
        [
            Buf("array Q", (1, 2)),
            Buf("array Q", (2**63, 2)),
            Buf("array Q", (2**64 - 1, 2**64 - 1)),
            Buf("array Q", (2**63 - 1, 1)),
        ],
    ),
    case(
        "load_bools",
        """
            def f(a):
                s = 0
                for x in a:
                    if x: s += x
                return (s, a[0])
        """,
        [Buf("bool", (True, False, True))],
    ),
    case(
        "store_index",
        """
            def f(a, i):
                a[i] = 7
                return i
        """,
        grid((D, E), (0, 4, 5, -1, -5, -6, 2**62)),
    ),
    case(
        "list_of_mixed_kinds",
        """
            def f(a):
                s = 0
                for x in a: s += x
                return s
        """,
        [
            Buf("list", (1, 2.5, True)),
            Buf("list", (1, 2**70)),
            Buf("tuple", (1.5, 2)),
            Buf("list", ()),
        ],
        native=False,
    ),
    case(
        "list_of_text",
        """
            def f(a):
                for x in a: pass
                return len(a)
        """,
        [Buf("list", ("a", "b")), "abc", {"k": 1}],
        native=False,
    ),
    case(
        "binary_search",
        """
            def f(a, x):
                lo, hi = 0, len(a)
                while lo < hi:
                    mid = (lo + hi) // 2
                    if a[mid] < x: lo = mid + 1
                    else: hi = mid
                return lo
        """,
        grid((Buf("array q", (1, 3, 5, 9)), E), (0, 3, 4, 9, 100, 2.5)),
    ),
    case(
        "passes_buffer_on",
        """
            def g(a, i): return a[i] * 2
            @offload
            def f(a):
                s = 0
                for i in range(len(a)): s += g(a, i)
                return s
        """,
        [D, Q, E],
    ),
    case(
        "break_out_of_buffer",
        """
            def f(a, k):
                i = -1
                for x in a:
                    i += 1
                    if x == k: break
                else:
                    return -1
                return i
        """,
        grid((Q, D, E), (30, 3.5, nan, 1)),
    ),
    case(
        "variable_of_loop_over_buffer",
        """
            def f(a):
                for x in a: pass
                return x
        """,
        [D, Q, E],
    ),
    case(
        "nested_over_buffers",
        "def f(a, b): return sum(x * y for x in a if x > 0 for y in b if y != x)",
        [(Q, Q), (Q, E), (Buf("list", (1, 2)), Buf("tuple", (2.5, 3.5)))],
    ),
    case(
        "range_as_argument",
        """
            def f(a):
                s = 0
                for x in a: s = s * 7 + x
                return (s, len(a), a[-1])
        """,
        [
            Buf("range", (0, 5, 1)),
            Buf("range", (9, -9, -4)),
            Buf("range", (0, 0, 1)),
            Buf("range", (-(2**62), 2**62, 2**61)),
        ],
    ),
    case(
        "chars",
        """
            def f(a):
                s = 0
                for x in a: s += x
                return s
        """,
        ["abc", b"abc"],
        native=False,
    ),
    case("slices", "def f(a): return a[1:3][0]", [D, Q], native=False),
    case("two_dimensions", "def f(a): return a[0]", [Buf("list", ((1, 2), (3, 4)))], native=False),
    case(
        "index_of_index",
        """
            def f(a, p):
                s = 0
                for i in p: s += a[i]
                return s
        """,
        [
            (D, Buf("array i", (0, 1, -1))),
            (Q, Buf("bytearray", (3, 2))),
            (D, Buf("array q", (0, 7))),
            (D, Buf("list", (4, 0))),
        ],
    ),
    case(
        "min_of_items",
        "def f(a, i): return min(a[i], a[i + 1], 2)",
        [(D, 0), (D, 2), (D, 3), (D, 4), (Q, 1)],
    ),
]
