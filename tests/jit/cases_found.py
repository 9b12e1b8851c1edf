"""Failures that the generator found, shrunk; each was wrong once."""

from __future__ import annotations

from .cases import Case, case
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
]
