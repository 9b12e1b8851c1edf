"""Cases of names: globals and closures that change, shadowed builtins, unknown names."""

from __future__ import annotations

from .cases import FEW_FLOATS, Call, case

CASES = [
    case(
        "global_rebound",
        """
            K = 3
            @offload
            def f(x): return x * K
        """,
        [
            Call((2.0,)),
            Call((2.0,), rebind={"K": 5}),
            Call((2.0,), rebind={"K": 0.5}),
            Call((2,), rebind={"K": True}),
            Call((3,), rebind={"K": 7}),
        ],
    ),
    case(
        "global_becomes_huge",
        """
            K = 3
            @offload
            def f(x): return x * K
        """,
        [Call((3,)), Call((3,), rebind={"K": 2**70}), Call((3,), rebind={"K": 7})],
        native=False,
    ),
    case(
        "global_becomes_text",
        """
            K = 3
            @offload
            def f(x): return x * K
        """,
        [
            Call((2,)),
            Call((2,), rebind={"K": "ab"}),
            Call((2,), rebind={"K": None}),
            Call((2,), rebind={"K": 4}),
        ],
        native=False,
    ),
    case(
        "global_set_by_function",
        """
            K = 3
            def g():
                global K
                K += 1
            @offload
            def h(x): return x * K
            def f(x):
                g()
                return h(x)
        """,
        [1, 2, 2.5],
    ),
    case(
        "closure_rebound",
        """
            def make():
                k = 2
                @offload
                def g(x): return x * k
                def set_k(v):
                    nonlocal k
                    k = v
                return g, set_k
            g, set_k = make()
            def f(x, k):
                a = g(x)
                set_k(k)
                return (a, g(x))
        """,
        [(1.5, 3), (1.5, 0.5), (2, True), (2, 7), (3, 2**70)],
        native=False,
    ),
    case(
        "closure_of_a_loop",
        """
            fs = []
            for k in range(3):
                @offload
                def g(x): return x * k
                fs.append(g)
            def f(x): return tuple(g(x) for g in fs)
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "closures_of_one_code",
        """
            def make(k):
                @offload
                def g(x): return x * k
                return g
            a, b = make(2), make(0.5)
            def f(x): return (a(x), b(x), a(x))
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "closure_unbound",
        """
            def make():
                @offload
                def g(x): return x * k
                if False: k = 1
                return g
            f = make()
        """,
        [1.5],
        native=False,
    ),
    case("unknown_name", "def f(x): return x * unknown", [1.0, 2], native=False),
    case(
        "unknown_name_not_reached",
        "def f(x): return x if x > 0 else unknown",
        [1.0, -1.0],
        native=False,
    ),
    case(
        "name_appears_later",
        "def f(x): return x * later",
        [Call((1.0,)), Call((1.0,), rebind={"later": 3}), Call((2,), rebind={"later": 0.5})],
        native=False,
    ),
    case("unknown_function", "def f(x): return mystery(x)", [1.0], native=False),
    case("unknown_attribute", "def f(x): return math.mystery(x)", [1.0], native=False),
    case(
        "own_sum",
        """
            def sum(items): return 42
            @offload
            def f(n): return sum(i for i in range(n))
        """,
        [0, 3],
        native=False,
    ),
    case(
        "own_e",
        """
            e = 2
            @offload
            def f(x): return e * x
        """,
        [Call((1.5,)), Call((3,), rebind={"e": 0.5})],
    ),
    case("e_is_not_there", "def f(x): return e * x", [1.5], native=False),
    case("pi_is_not_there", "def f(x): return pi * x", [1.5], native=False),
    case(
        "own_pi_by_parameter",
        """
            from math import pi
            @offload
            def f(x, pi): return pi * x
        """,
        [(1.5, 2), (1.5, 2.5)],
    ),
    case(
        "own_if_else",
        """
            def if_else(c, a, b): return b if c else a
            @offload
            def f(x): return if_else(x > 0, 1.0, 2.0)
        """,
        [1.0, -1.0],
    ),
    case(
        "own_abs",
        """
            def abs(x): return x + 1
            @offload
            def f(x): return abs(x)
        """,
        [1.0, -1],
    ),
    case(
        "own_min",
        """
            def min(x, y): return x - y
            @offload
            def f(x): return min(x, 2)
        """,
        [1.0, 3],
    ),
    case(
        "own_range",
        """
            def range(n): return (7, 8)
            @offload
            def f(n):
                s = 0
                for i in range(n): s += i
                return s
        """,
        [3],
        native=False,
    ),
    case(
        "builtin_shadowed_later",
        "def f(x): return abs(x) + max(x, 1)",
        [
            Call((-2.0,)),
            Call((-2.0,), rebind={"abs": lambda x: x}),
            Call((-2.0,), rebind={"max": min}),
            Call((-2.0,)),
        ],
        native=False,
    ),
    case(
        "local_named_like_builtin",
        """
            def f(x):
                max = x * 2
                len = 1
                return max + len
        """,
        [1.5, 2],
    ),
    case(
        "sin_of_cmath",
        """
            from cmath import sqrt
            @offload
            def f(x): return sqrt(x)
        """,
        [4.0, -4.0],
        native=False,
    ),
    case(
        "math_by_another_name",
        """
            import math as m
            @offload
            def f(x): return m.cos(x) + m.pi
        """,
        FEW_FLOATS,
    ),
    case(
        "function_by_another_name",
        """
            from math import sqrt as root
            @offload
            def f(x): return root(x)
        """,
        [4.0, -1.0],
    ),
    case(
        "module_rebound",
        """
            import math
            class Fake:
                @staticmethod
                def cos(x): return x
            @offload
            def f(x): return math.cos(x)
        """,
        [Call((1.0,)), Call((1.0,), rebind={"math": None})],
        native=False,
    ),
]
