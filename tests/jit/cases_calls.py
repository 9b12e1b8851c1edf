"""Cases of calls: helpers, defaults, lambdas, recursion."""

from __future__ import annotations

from .cases import Call, case, inf, nan

CASES = [
    case(
        "helper",
        """
            def g(x, y): return x * y + 1
            @offload
            def f(x): return g(x, 2) + g(x, x)
        """,
        [1.5, 2, -0.0, nan, 2**62],
    ),
    case(
        "helper_offloaded",
        """
            @offload
            def g(x): return x / 2
            @offload
            def f(x): return g(x) + g(x + 1)
        """,
        [1.5, 3, inf],
    ),
    case(
        "helper_with_loops",
        """
            def g(n):
                s = 0
                while n:
                    if n & 1: return s
                    n >>= 1
                    s += 1
                return -1
            @offload
            def f(n): return g(n) + g(n + 1)
        """,
        [0, 1, 8, 12, 2**40],
    ),
    case(
        "helper_defaults",
        """
            def g(x, y=2, z=0.5): return x * y + z
            @offload
            def f(x): return g(x) + g(x, z=1) + g(z=x, y=3, x=2)
        """,
        [1.5, 2],
    ),
    case(
        "helper_default_rebound",
        """
            def g(x, y=2): return x * y
            def change(): g.__defaults__ = (10,)
            @offload
            def h(x): return g(x)
            def f(x, c):
                if c: change()
                return h(x)
        """,
        [(1, False), (1, True), (1.5, False)],
        native=False,
    ),
    case(
        "helper_rebound",
        """
            def g(x): return x + 1
            @offload
            def f(x): return g(x)
        """,
        [Call((1,)), Call((1,), rebind={"g": abs}), Call((-1,), rebind={"g": lambda x: x * 2})],
        native=False,
    ),
    case(
        "helper_code_replaced",
        """
            def g(x): return x + 1
            def other(x): return x * 10
            @offload
            def h(x): return g(x)
            def f(x, c):
                if c: g.__code__ = other.__code__
                return h(x)
        """,
        [(1, False), (1, True), (2, False)],
        native=False,
    ),
    case(
        "helper_returns_tuple",
        """
            def g(x): return x, x * 2
            @offload
            def f(x):
                a, b = g(x)
                return b - a + g(x)[1]
        """,
        [1.5, 2],
    ),
    case(
        "helper_returns_none",
        """
            def g(a, i, x): a[i] = x
            @offload
            def f(x): return x if g is not None else 0
        """,
        [1.5],
        native=False,
    ),
    case(
        "helper_wrong_arguments",
        """
            def g(x, y): return x
            @offload
            def f(x): return g(x)
        """,
        [1.5],
        native=False,
    ),
    case(
        "helper_same_names",
        """
            def g(x):
                y = x * 2
                return y
            @offload
            def f(y):
                x = g(y) + 1
                return x * y
        """,
        [1.5, 2],
    ),
    case(
        "helper_of_helper",
        """
            def h(x): return x * 2
            def g(x): return h(x) + 1
            @offload
            def f(x): return g(h(x))
        """,
        [1.5, 2],
    ),
    case(
        "helper_evaluates_arguments_once",
        """
            def g(x): return x + x + x
            @offload
            def f(x): return g(1 / x)
        """,
        [2.0, 0, 3],
    ),
    case(
        "helper_argument_unused",
        """
            def g(x, y): return y
            @offload
            def f(x): return g(1 / x, 2)
        """,
        [2.0, 0],
    ),
    case(
        "lambda_helper",
        """
            g = lambda x: x * 3
            @offload
            def f(x): return g(x) + 1
        """,
        [1.5, 2],
        native=False,
    ),
    case("lambda", "f = offload(lambda x: x * 2 + 1)", [1.5, 2, nan], native=False),
    case(
        "two_lambdas_in_a_line",
        """
            a, b = offload(lambda x: x * 2), offload(lambda x: x * 3)
            def f(x): return (a(x), b(x))
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "nested_function",
        """
            def f(x):
                def g(y): return y * x
                return g(2)
        """,
        [1.5, 2],
        native=False,
    ),
    case("recursion", "def f(n): return 1 if n <= 1 else n * f(n - 1)", [0, 1, 5, 20, 21, 30]),
    case(
        "recursion_in_two_branches",
        "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)",
        [0, 1, 2, 10, 15],
    ),
    case(
        "recursion_of_floats",
        "def f(x, n): return x if n == 0 else f(x * 0.5 + 1, n - 1)",
        [(1.5, 0), (1.5, 10), (3, 5)],
    ),
    case(
        "recursion_too_deep",
        "def f(n): return 0 if n == 0 else 1 + f(n - 1)",
        [10, 150, 300],
        native=False,
    ),
    case(
        "mutual_recursion",
        """
            @offload
            def g(n): return n if n <= 0 else f(n - 1)
            @offload
            def f(n): return n if n <= 0 else g(n - 2)
        """,
        [0, 1, 2, 9, 40],
    ),
    case(
        "mutual_recursion_plain",
        """
            def g(n): return False if n == 0 else f(n - 1)
            @offload
            def f(n): return True if n == 0 else g(n - 1)
        """,
        [0, 1, 2, 9, 40],
    ),
    case(
        "recursion_by_rebound_name",
        """
            @offload
            def f(n): return 1 if n <= 1 else n * f(n - 1)
            h = f
        """,
        [Call((5,)), Call((5,))],
    ),
    case(
        "ackermann",
        """
            def f(m, n):
                if m == 0: return n + 1
                if n == 0: return f(m - 1, 1)
                return f(m - 1, f(m, n - 1))
        """,
        [(0, 0), (1, 3), (2, 3)],
    ),
    case(
        "return_type_float",
        "@offload(return_type='float')\ndef f(x): return x * 2",
        [1.5, 2, True, 2**53 + 1, nan, 10**400],
    ),
    case(
        "return_type_int",
        "@offload(return_type='int')\ndef f(x): return x * 2",
        [1.5, -1.3, 2, True, 1e15, nan, inf],
    ),
    case(
        "return_type_int_of_a_large_float",
        "@offload(return_type='int')\ndef f(x): return x * 2",
        [1e300, -1e19],
        native=False,
    ),
    case(
        "return_type_bool",
        "@offload(return_type='bool')\ndef f(x): return x * 2",
        [0.0, -0.0, nan, 2, 0, False],
    ),
    case(
        "return_type_of_none",
        """
            @offload(return_type="float")
            def f(x):
                if x > 0:
                    return x
        """,
        [1.5, -1.5, 3],
        native=False,
    ),
    case(
        "return_type_of_tuple",
        "@offload(return_type='bool')\ndef f(x): return (x, x)",
        [1.5, 0],
        native=False,
    ),
]
