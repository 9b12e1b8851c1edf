"""Cases of the functions of `math`, of `and` and `or`, and of small numeric programs."""

from __future__ import annotations

from .cases import FEW_FLOATS, FEW_INTS, FLOATS, Call, case, grid, inf, nan

_DIV_F = grid(FEW_FLOATS, (1.0, -1.0, 3.0, -0.7, 0.0, -0.0, inf, -inf, nan, 5e-324))
_DIV_I = grid(FEW_INTS, (1, -1, 2, 7, -7, 0, 2**63 - 1, -(2**63)))
_POWER = grid((0.0, -0.0, 1.0, -1.0, 2.0, -8.0, 0.5, inf, -inf, nan), (0, 1, 2, 3, -1, -2))
_TIES = (0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 4503599627370497.5, 1e16, -0.0, 2.0**62)

CASES = [
    case("math_domain", "def f(x): return math.sqrt(x)", [*FLOATS, 4, -4]),
    case("math_log", "def f(x): return math.log(x)", [*FLOATS, 10, 0, 2**62]),
    case(
        "math_log_base",
        "def f(x): return math.log(x, 2)",
        [8.0, 10.0, 0.5, 0.0, -1.0, inf, nan, 1000],
    ),
    case(
        "math_log_two",
        "def f(x, b): return math.log(x, b)",
        [(8.0, 2.0), (10.0, 10), (5.0, 1.0), (2.0, 0.0)],
    ),
    case(
        "math_range",
        "def f(x): return math.exp(x)",
        [0.0, 1.0, 709.0, 710.0, -800.0, inf, -inf, nan],
    ),
    case(
        "math_infinite", "def f(x): return math.sin(x)", [0.0, -0.0, 1e22, inf, -inf, nan, 3, True]
    ),
    case(
        "math_inverse",
        "def f(x): return (math.asin(x), math.acos(x))",
        [0.0, -0.0, 1.0, -1.0, 1.0000000000000002, nan],
    ),
    case(
        "math_hyperbolic",
        "def f(x): return (math.sinh(x), math.cosh(x), math.tanh(x))",
        [0.0, -0.0, 1.0, 710.0, 711.0, -711.0, inf, nan],
    ),
    case(
        "math_area",
        "def f(x): return (math.asinh(x), math.acosh(x + 1.0))",
        [0.0, 0.5, 1e300, -2.5, nan, inf],
    ),
    case("math_atanh", "def f(x): return math.atanh(x)", [0.0, -0.0, 0.5, 1.0, -1.0, 2.0, nan]),
    case(
        "math_small",
        "def f(x): return (math.expm1(x), math.log1p(x))",
        [0.0, -0.0, 1e-10, -1.0, -0.5, 800.0, nan],
    ),
    case("math_fmod", "def f(x, y): return math.fmod(x, y)", _DIV_F),
    case("math_remainder", "def f(x, y): return math.remainder(x, y)", _DIV_F),
    case(
        "math_pow",
        "def f(x, y): return math.pow(x, y)",
        [(2.0, 3.0), (0.0, -1.0), (-8.0, 1 / 3), (1e300, 2.0), (1.0, nan), (2, 3), (-1.0, inf)],
    ),
    case(
        "math_atan2",
        "def f(y, x): return math.atan2(y, x)",
        grid((0.0, -0.0, 1.0, inf, nan), (0.0, -0.0, -1.0, -inf)),
    ),
    case(
        "math_copysign",
        "def f(x, y): return math.copysign(x, y)",
        grid((1.0, -2.5, nan), (0.0, -0.0, -1, inf)),
    ),
    case(
        "math_tests",
        "def f(x): return (math.isnan(x), math.isinf(x), math.isfinite(x))",
        [*FLOATS, 3],
    ),
    case(
        "math_angles",
        "def f(x): return (math.degrees(x), math.radians(x), math.fabs(x))",
        [*FLOATS, 90],
    ),
    case(
        "math_of_huge_int",
        "def f(x): return math.sqrt(x)",
        [2**70, 10**400, 2**63 - 1],
        native=False,
    ),
    case(
        "hypot",
        "def f(x, y): return math.hypot(x, y)",
        [(3.0, 4.0), (1e200, 1e200), (nan, inf)],
        native=False,
    ),
    case(
        "gamma",
        "def f(x): return math.gamma(x) + math.lgamma(x)",
        [5.0, 0.5, -1.0, 200.0],
        native=False,
    ),
    case("gcd", "def f(x, y): return math.gcd(x, y)", [(12, 18), (0, 5), (-4, 6)], native=False),
    case("round_digits", "def f(x): return round(x, 2)", [2.675, 1.005, 3], native=False),
    case("three_argument_pow", "def f(x): return pow(x, 3, 7)", [2, 10, -3], native=False),
    case(
        "and_gives_operand",
        "def f(x, y): return x and y",
        grid((0, 3, 0.0, -0.0, nan, True, False), (0, 2.5, False)),
    ),
    case(
        "or_gives_operand",
        "def f(x, y): return x or y",
        grid((0, 3, 0.0, -0.0, nan, True, False), (0, 2.5, False)),
    ),
    case(
        "and_or_mixed",
        "def f(x, y): return (x and y or 7, not x or y)",
        grid((0, 1, 2.5, nan), (0.0, 3)),
    ),
    case("and_stops", "def f(x, y): return y != 0 and x / y > 1", grid((1.0, 4), (0, 0.0, 2, nan))),
    case("ternary_keeps_kind", "def f(x): return 1 if x > 0 else 0.5", [1.0, -1.0, nan]),
    case("ternary_of_bool", "def f(x): return True if x else x", [0, 0.0, -0.0, 2, nan]),
    case("not_of_numbers", "def f(x): return not x", [0, 0.0, -0.0, nan, 5, True]),
    case(
        "sum_of_kinds",
        """
            def f(n, x):
                s = 0
                for i in range(n):
                    s += x
                return s
        """,
        [(0, 1.5), (3, 1.5), (3, 2), (2, True), (0, 1)],
    ),
    case(
        "sum_grows_past_64_bits",
        """
            def f(n, x):
                s = 0
                for i in range(n):
                    s += x
                return s
        """,
        [(3, 2**62), (2, -(2**63)), (5, 2**53), (5, 2**40)],
    ),
    case(
        "product_grows",
        """
            def f(n):
                p = 1
                for i in range(1, n + 1):
                    p *= i
                return p
        """,
        [0, 1, 5, 20, 21, 30],
    ),
    case(
        "fibonacci",
        """
            def f(n):
                a, b = 0, 1
                for _ in range(n):
                    a, b = b, a + b
                return a
        """,
        [0, 1, 10, 90, 92, 93, 100],
    ),
    case(
        "kind_changes",
        """
            def f(x):
                y = 1
                if x > 0:
                    y = 0.5
                y = y * 2
                return y
        """,
        [1.0, -1.0, 3, nan],
    ),
    case(
        "int_beyond_double",
        """
            def f(x, i):
                y = 0.5
                if x:
                    y = i
                return y + 1
        """,
        [(True, 2**53), (True, 2**53 + 1), (False, 1), (True, 2**63 - 1)],
    ),
    case(
        "return_kinds",
        """
            def f(x):
                if x > 1: return 1
                if x > 0: return x
                if x < 0: return x < -1
        """,
        [2.0, 0.5, -0.5, -2.0, 0.0, nan],
    ),
    case(
        "collatz",
        """
            def f(n):
                k = 0
                while n != 1 and k < 500:
                    n = n // 2 if n % 2 == 0 else 3 * n + 1
                    k += 1
                return k
        """,
        [1, 7, 27, 97, 2**62 + 1, -5],
    ),
    case(
        "integer_square_root",
        """
            def f(n):
                x = n
                y = (x + 1) // 2
                while y < x:
                    x = y
                    y = (x + n // x) // 2
                return x
        """,
        [1, 2, 16, 99, 2**40, 2**62, 0, -4],
    ),
    case(
        "gcd_by_hand",
        """
            def f(a, b):
                while b:
                    a, b = b, a % b
                return a
        """,
        grid((12, 0, -18, 2**62), (18, 0, 7, -6)),
    ),
    case(
        "linear_congruence",
        """
            def f(n):
                s = 12345
                for _ in range(n):
                    s = (s * 1103515245 + 12345) % 2147483648
                return s
        """,
        [0, 1, 10, 100],
    ),
    case(
        "hash_wraps_by_mask",
        """
            def f(n):
                h = 2166136261
                for i in range(n):
                    h = ((h ^ i) * 16777619) & 0xffffffff
                return h
        """,
        [0, 1, 50],
    ),
    case(
        "newton",
        """
            def f(x):
                y = x
                for _ in range(20):
                    y = 0.5 * (y + x / y)
                return y
        """,
        [2.0, 1e10, 0.0, inf, nan, 3, -1.0],
    ),
    case("horner", "def f(x): return ((2.0 * x - 3.0) * x + 0.5) * x - 1", [*FLOATS, 3, 2**62]),
    case(
        "default_and_keyword",
        "def f(x, y=2, *, z=0.5): return x * y + z",
        [
            Call((1.0,)),
            Call((1.0, 3)),
            Call((1,), {"z": 2}),
            Call((), {"x": 2.0, "y": 4}),
            Call((), {"y": 1}),
            Call((1, 2, 3)),
        ],
    ),
]
