"""Cases of odd callables and of what is outside the language, which must stay as it is."""

from __future__ import annotations

from .cases import Call, case, grid

CASES = [
    case(
        "method",
        """
            class C:
                k = 2.0
                @offload
                def m(self, x): return x * self.k
            c = C()
            def f(x): return c.m(x) + C.m(c, x)
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "static_method",
        """
            class C:
                @staticmethod
                @offload
                def m(x): return x * 2
            def f(x): return C.m(x) + C().m(x)
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "property",
        """
            class P:
                @property
                def k(self): return 2.5
            p = P()
            @offload
            def f(x): return x * p.k
        """,
        [1.5],
        native=False,
    ),
    case(
        "decorator_below",
        """
            def twice(g):
                def inner(x): return g(x) * 2
                return inner
            @offload
            @twice
            def f(x): return x + 1
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "decorator_above",
        """
            def twice(g):
                def inner(x): return g(x) * 2
                return inner
            @twice
            @offload
            def f(x): return x + 1
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "decorator_with_wraps",
        """
            import functools
            def twice(g):
                @functools.wraps(g)
                def inner(x): return g(x) * 2
                return inner
            @offload
            @twice
            def f(x): return x + 1
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "decorated_helper",
        """
            def twice(g):
                def inner(x): return g(x) * 2
                return inner
            @twice
            def g(x): return x + 1
            @offload
            def f(x): return g(x)
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "without_source",
        """
            names = {}
            exec('def g(x): return x * 2 + 1', names)
            f = offload(names['g'])
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "source_does_not_match",
        """
            def g(x): return x + 1
            def h(x): return x * 100
            g.__code__ = h.__code__.replace(co_firstlineno=1)
            f = offload(g)
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "side_effect",
        """
            seen = []
            @offload
            def h(x):
                seen.append(x)
                return x + 1
            def f(x):
                y = h(x)
                return (y, len(seen))
        """,
        [1.5, 2, 3],
        native=False,
    ),
    case(
        "side_effect_before_an_error",
        """
            seen = []
            @offload
            def h(x):
                seen.append(x)
                return 1 / x
            def f(x):
                try: return h(x)
                except ZeroDivisionError: return len(seen)
        """,
        [1.5, 0, 2, 0],
        native=False,
    ),
    case(
        "writes_a_global",
        """
            n = 0
            @offload
            def f(x):
                global n
                n += 1
                return x + n
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "non_numeric_result",
        "def f(x): return 'positive' if x > 0 else None",
        [1.5, -2],
        native=False,
    ),
    case("list_result", "def f(x): return [x, x + 1]", [1.5], native=False),
    case("dict_result", "def f(x): return {'x': x}", [1.5], native=False),
    case("function_result", "def f(x): return abs", [1.5], native=False),
    case("complex_result", "def f(x): return x ** 0.5 + 0j", [4.0, -4.0], native=False),
    case(
        "local_list",
        """
            def f(x):
                a = [x, x * 2, 3]
                a[1] += 1
                a.append(x)
                return sum(a) + a[-1]
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "list_comprehension",
        "def f(n): return sum([i * i for i in range(n)])",
        [0, 5],
        native=False,
    ),
    case(
        "length_of_comprehension",
        "def f(n): return len([i for i in range(n) if i % 2])",
        [0, 5],
        native=False,
    ),
    case("length_of_generator", "def f(n): return len(i for i in range(n))", [0, 5], native=False),
    case("min_of_one_number", "def f(x): return min(x)", [1.5], native=False),
    case("text_inside", "def f(x): return x + len('abc')", [1.5], native=False),
    case(
        "print_inside",
        """
            def g(x): return x
            @offload
            def f(x):
                if x > 100: print('large')
                return g(x)
        """,
        [1.5, 2],
        native=False,
    ),
    case(
        "random_inside",
        """
            import random
            @offload
            def f(x):
                random.seed(5)
                return x + random.random()
        """,
        [1.5],
        native=False,
    ),
    case(
        "generator_function",
        """
            @offload
            def g(n):
                for i in range(n): yield i
            def f(n): return tuple(g(n))
        """,
        [0, 3],
        native=False,
    ),
    case("varargs", "def f(*args): return args[0] + len(args)", [(1,), (1, 2.5)], native=False),
    case(
        "keyword_varargs",
        "def f(x, **more): return x + len(more)",
        [Call((1,), {"a": 2})],
        native=False,
    ),
    case(
        "positional_only",
        "def f(x, /, y): return x - y",
        [Call((1, 2)), Call((1,), {"y": 2.5}), Call((), {"x": 1, "y": 2})],
    ),
    case(
        "default_is_evaluated_once",
        """
            k = 2
            @offload
            def f(x, y=k): return x * y
        """,
        [Call((1.5,)), Call((1.5,), rebind={"k": 9})],
    ),
    case(
        "default_is_none",
        "def f(x, y=None): return x if y is None else x + y",
        [Call((1.5,)), Call((1.5, 2))],
        native=False,
    ),
    case(
        "int_subclass",
        """
            class N(int):
                def __add__(self, other): return 99
            n = N(3)
            @offload
            def g(x): return x + 1
            def f(x): return g(n) + g(x)
        """,
        [1, 1.5],
        native=False,
    ),
    case(
        "float_subclass",
        """
            class X(float):
                def __mul__(self, other): return 99.0
            v = X(3)
            @offload
            def g(x): return x * 2
            def f(x): return g(v) + g(x)
        """,
        [1, 1.5],
        native=False,
    ),
    case(
        "fractions",
        """
            from fractions import Fraction
            @offload
            def g(x): return x * 2 + 1
            def f(x): return float(g(Fraction(1, 3)))
        """,
        [1],
        native=False,
    ),
    case(
        "many_signatures",
        "def f(a, b, c, d): return (a + b, c * d)",
        grid((1, 1.5), (2, 0.5), (3, True), (4, -0.0)),
        native=False,
    ),
    case(
        "shapes_in_any_order",
        "def f(x): return x * 2",
        [1.5, 2, True, 2.5, "ab", 3, None, 1.5, (1,), False, 4],
    ),
    case(
        "annotations",
        """
            def f(x: float, y: int = 2) -> float:
                z: float = x * y
                return z
        """,
        [Call((1.5,)), Call((1, 3))],
    ),
    case(
        "global_statement_reads",
        """
            k = 2.5
            @offload
            def f(x):
                global k
                return x * k
        """,
        [1.5],
        native=False,
    ),
    case("is_and_in", "def f(x): return (x is None, x in (1, 2))", [1, 2.5], native=False),
]
