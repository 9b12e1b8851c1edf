"""Random expressions of the language, by the kind of their value.

Every expression is text in full brackets; `programs` parses and unparses it, which leaves only the
brackets that Python needs, so that precedence is under test too.

Kinds: `i` int, `f` float, `b` bool, `n` int or float by the path taken. Kinds say what the value
is on ordinary arguments; a caller may pass an int where `f` stands and a bool where `i` does.
"""

from __future__ import annotations

from .dice import Dice, Option
from .vocabulary import (
    BARE,
    BIG_INTS,
    COMPARES,
    FLOAT_TO_BOOL,
    FLOATS,
    HOSTED,
    INFINITE,
    INTS,
    MATH1,
    NAMED,
    ODD_FLOATS,
    Helper,
    Scope,
)


class Expressions(Dice):
    """Makes expressions."""

    # Any kind

    def of(self, kind: str, scope: Scope, depth: int) -> str:
        """An expression of this kind."""
        if kind == "n":
            return self._either(scope, depth)
        if depth <= 0:
            return self._leaf(kind, scope)
        shared: list[Option] = [
            (2.5, lambda: self._leaf(kind, scope)),
            (0.8, lambda: self._conditional(kind, scope, depth)),
            (0.5, lambda: self._operands(kind, scope, depth)),
        ]
        if kind != "b":
            shared.append((0.7, lambda: self._extreme(kind, scope, depth)))
            shared.append((0.4, lambda: self._algebra(kind, scope)))
        if scope.buffers:
            shared.append((1.0, lambda: self._item(kind, scope)))
        if any(one.result == kind for one in self.callable(scope)):
            shared.append((0.9, lambda: self._helper_call(kind, scope, depth)))
        if scope.trips <= 40:
            shared.append((0.5, lambda: self._reduction(kind, scope, depth)))
        if self.forms:
            shared.append((1.5, lambda: self._form(kind, scope, depth)))
        own = {"i": self._ints, "f": self._floats, "b": self._bools}[kind](scope, depth)
        return self.option(shared + own)

    def condition(self, scope: Scope, depth: int) -> str:
        """What an `if` or a `while` tests: mostly a comparison, sometimes any value."""
        return self.of("b" if self.chance(0.8) else self.one_of("ifn"), scope, depth)

    def small(self, scope: Scope, depth: int = 1) -> str:
        """An int between -12 and 12 whatever the arguments are; for ranges and shifts."""
        options: list[Option] = [
            (2, lambda: str(self.rng.randrange(0, 9))),
            (1, lambda: f"({self.of('i', scope, depth)} % {self.rng.randrange(2, 9)})"),
            (1, lambda: f"({self.of('i', scope, depth)} & {self.one_of(('3', '7'))})"),
            (0.3, lambda: f"(-({self.of('i', scope, depth)} % {self.rng.randrange(2, 6)}))"),
            (0.3, lambda: f"max(-4, min(6, {self.of('i', scope, depth)}))"),
        ]
        if scope.buffers:
            options.append((1.5, lambda: f"len({self.one_of(sorted(scope.buffers))})"))
        return self.option(options)

    def range_of(self, scope: Scope) -> tuple[str, int]:
        """The text of a range and the most trips it takes."""
        trips = 12
        if self.chance(0.5):
            return f"range({self.small(scope)})", trips
        if self.chance(0.5):
            return f"range({self.rng.randrange(-3, 4)}, {self.small(scope)})", trips + 3
        if self.chance(0.08):
            # Wherever x is, also at the ends of 64 bits.
            x = self._leaf("i", scope)
            low, high, step = self.rng.randrange(4), self.rng.randrange(4), self.rng.randrange(1, 4)
            if self.chance(0.5):
                return f"range({x} - {low}, {x} + {high}, {step})", 7
            return f"range({x} + {low}, {x} - {high}, -{step})", 7
        step = self.one_of(("1", "2", "3", "-1", "-2", "-3"))
        if self.chance(0.3):
            step = self.option(
                [
                    (1, lambda: f"(({self._leaf('i', scope)} % 3) + 1)"),
                    (1, lambda: f"(-1 - ({self._leaf('i', scope)} & 1))"),
                    (1, lambda: f"(1 if {self.of('b', scope, 1)} else -2)"),
                    (self.risk, lambda: f"({self._leaf('i', scope)} % 3)"),
                ]
            )
        start, stop = self.small(scope), self.small(scope)
        return f"range({start}, {stop}, {step})", 2 * trips

    # Leaves

    def _leaf(self, kind: str, scope: Scope) -> str:
        known = [name for name, one in scope.sure.items() if one == kind]
        # Globals are as many as locals, and less telling.
        pool = [name for name in known if name[0] != "G"] if self.chance(0.7) else known
        unsure = [name for name, one in scope.maybe.items() if one == kind]
        # What an unbound variable in a form raises is not settled.
        if unsure and not self.forms and self.chance(0.01 + self.risk * 0.3):
            self.features.add("unbound")
            return self.one_of(unsure)
        if pool and self.chance(0.75):
            return self.one_of(pool)
        if kind == "b":
            return self.one_of(("True", "False"))
        if kind == "i":
            return self.one_of(BIG_INTS if self.chance(0.02) else INTS)
        if self.chance(0.12):
            return self.one_of(NAMED)
        if self.chance(0.03):
            return self.one_of(INFINITE)
        return self.one_of(ODD_FLOATS if self.chance(0.04) else FLOATS)

    def _either(self, scope: Scope, depth: int) -> str:
        names = [name for name, one in scope.sure.items() if one == "n"]
        if names and (depth <= 0 or self.chance(0.5)):
            name = self.one_of(names)
            if depth <= 0 or self.chance(0.4):
                return name
            other = self.of(self.one_of("ifb"), scope, depth - 1)
            return self.option(
                [
                    (2, lambda: f"({name} {self.one_of('+-*')} {other})"),
                    (0.6, lambda: f"({other} {self.one_of('+-*')} {name})"),
                    (0.4, lambda: f"(-{name})"),
                    (0.4, lambda: f"abs({name})"),
                    (0.5, lambda: f"{self.one_of(('min', 'max'))}({name}, {other})"),
                ]
            )
        if depth > 0 and self.chance(0.45):
            kinds = "if" if self.chance(0.5) else "fi"
            one, other = (self.of(kind, scope, depth - 1) for kind in kinds)
            return self.option(
                [
                    (2, lambda: f"({one} if {self.condition(scope, depth - 1)} else {other})"),
                    (0.5, lambda: f"({one} {self.one_of(('and', 'or'))} {other})"),
                    (0.5, lambda: f"{self.one_of(('min', 'max'))}({one}, {other})"),
                ]
            )
        return self.of(self.one_of("iff"), scope, depth)

    def _algebra(self, kind: str, scope: Scope) -> str:
        """What looks as if it could be simplified."""
        x = self._leaf(kind, scope)
        zero, one = ("0", "1") if kind == "i" else (self.one_of(("0", "0.0")), "1.0")
        return self.one_of(
            [
                f"({x} + {zero})", f"({zero} + {x})", f"({x} - {zero})", f"({zero} - {x})",
                f"({x} * {zero})", f"({x} * {one})", f"({x} - {x})", f"({x} + {x})",
                f"({x} ** 1)", f"({x} ** 0)", f"(-(-{x}))", f"({x} // {one})", f"({x} % {one})",
                f"abs({x})", f"(-{x})", f"abs({x})", f"(-{x})", f"min({x}, {x})", f"({x} * -1)",
                f"max({x}, {zero})", f"min({zero}, {x})",
            ]
        )  # fmt: skip

    # Shared by the kinds

    def _conditional(self, kind: str, scope: Scope, depth: int) -> str:
        test = self.condition(scope, depth - 1)
        yes, no = self.of(kind, scope, depth - 1), self.of(kind, scope, depth - 1)
        return f"({yes} if {test} else {no})"

    def _operands(self, kind: str, scope: Scope, depth: int) -> str:
        parts = [self.of(kind, scope, depth - 1) for _ in range(self.rng.randrange(2, 4))]
        return "(" + f" {self.one_of(('and', 'or'))} ".join(parts) + ")"

    def _extreme(self, kind: str, scope: Scope, depth: int) -> str:
        parts = [self.of(kind, scope, depth - 1) for _ in range(self.rng.randrange(2, 4))]
        return f"{self.one_of(('min', 'max'))}({', '.join(parts)})"

    def index(self, name: str, scope: Scope) -> str:
        """An index that is mostly inside; the modulus fails on an empty buffer only."""
        inside = f"({self.of('i', scope, 1)} % len({name}))"
        return self.option(
            [
                (3, lambda: inside),
                (0.5, lambda: f"(-1 - {inside})"),
                (1, lambda: self.one_of(("0", "-1", "1", "2", "-2", "-3"))),
                (0.2 + 2 * self.risk, lambda: self.of("i", scope, 1)),
            ]
        )

    def _item(self, kind: str, scope: Scope) -> str:
        names = [name for name, one in sorted(scope.buffers.items()) if one.kind == kind]
        if not names:
            return self._leaf(kind, scope)
        name = self.one_of(names)
        return f"{name}[{self.index(name, scope)}]"

    def _helper_call(self, kind: str, scope: Scope, depth: int) -> str:
        helpers = [one for one in self.callable(scope) if one.result == kind]
        return self.call(helpers[self.rng.randrange(len(helpers))], scope, depth - 1)

    def callable(self, scope: Scope) -> list[Helper]:
        """The helpers for which there are containers here."""
        return [
            one
            for one in scope.helpers
            if all(kind[0] != "a" or self._container(kind[1], scope) for _, kind, _ in one.params)
        ]

    @staticmethod
    def _container(kind: str, scope: Scope) -> str:
        """A container that is of this kind and may be stored into; empty where there is none."""
        fit = [n for n, one in sorted(scope.buffers.items()) if one.kind == kind and one.writable]
        return fit[0] if fit else ""

    def call(self, helper: Helper, scope: Scope, depth: int) -> str:
        """A call of a helper, with some arguments by name and some left to their defaults."""
        parts, by_name = [], False
        for name, kind, default in helper.params:
            if default is not None and self.chance(0.5):
                by_name = True
                continue
            by_name = by_name or self.chance(0.15)
            if kind == "k":  # bounds a recursion
                value = self.small(scope)
            elif kind[0] == "a":  # a container, and of what
                value = self._container(kind[1], scope)
            else:
                value = self.of(kind, scope, min(depth, 1))
            parts.append(f"{name}={value}" if by_name else value)
        return f"{helper.name}({', '.join(parts)})"

    def _reduction(self, kind: str, scope: Scope, depth: int) -> str:
        functions = {"b": ("any", "all"), "i": ("sum", "min", "max"), "f": ("min", "max", "sum")}
        function = self.one_of(functions[kind])
        clauses, inner = self._clauses(scope)
        item = "b" if kind == "b" and self.chance(0.8) else kind.replace("b", "f")
        body = self.of(item, inner, depth - 1)
        text = f"{function}({body} {clauses})"
        if function in ("min", "max"):
            if self.risky():
                return text
            clauses, inner = self._clauses(scope, never_empty=True)
            text = f"{function}({self.of(item, inner, depth - 1)} {clauses})"
        # An empty sum is the int 0.
        return f"({text} + 0.0)" if function == "sum" and kind == "f" else text

    def _clauses(self, scope: Scope, never_empty: bool = False) -> tuple[str, Scope]:
        inner, text = scope.inner(), []
        for _ in range(2 if self.chance(0.25) else 1):
            name = self.name("g")
            if scope.buffers and self.chance(0.35) and not never_empty:
                buffer = self.one_of(sorted(scope.buffers))
                text.append(f"for {name} in {buffer}")
                kind, trips = scope.buffers[buffer].kind, 8
            else:
                words, trips = self.range_of(inner)
                if never_empty:
                    words = f"range({self.rng.randrange(1, 6)})"
                text.append(f"for {name} in {words}")
                kind = "i"
            inner = inner.inner(trips)
            inner.sure[name] = kind
            while not never_empty and self.chance(0.3):
                text.append(f"if {self.condition(inner, 1)}")
        return " ".join(text), inner

    # Ints

    def _ints(self, scope: Scope, depth: int) -> list[Option]:
        def sub(kind: str = "i") -> str:
            return self.of(kind, scope, depth - 1)

        def mixed() -> str:
            return self.of("b" if self.chance(0.1) else "i", scope, depth - 1)

        return [
            (2.5, lambda: f"({mixed()} {self.one_of('+-')} {mixed()})"),
            (1, lambda: f"({mixed()} * {mixed()})"),
            (0.8, lambda: f"({sub()} {self.one_of(('//', '%'))} {self._divisor(scope, depth)})"),
            (0.8, lambda: f"({sub()} {self.one_of('&|^')} {sub()})"),
            (0.3, lambda: f"({sub()} << {self._count(scope)})"),
            (0.3, lambda: f"({sub()} >> {self._count(scope)})"),
            (0.3, lambda: f"({self._leaf('i', scope)} ** {self.rng.randrange(0, 5)})"),
            (0.1, lambda: self._power_of_ints(scope)),
            (0.25, lambda: self._near_the_limit(scope)),
            (0.4, lambda: f"(-{mixed()})"),
            (0.1, lambda: f"(+{mixed()})"),
            (0.2, lambda: f"(~{mixed()})"),
            (0.4, lambda: f"abs({mixed()})"),
            (0.2, lambda: f"int({sub('b')})"),
            (0.4, lambda: self._float_to_int(scope, depth)),
            (0.2, lambda: f"divmod({sub()}, {self._divisor(scope, depth)})[{self.one_of('01')}]"),
            (0.2, lambda: f"round({mixed()})"),
        ]

    def _divisor(self, scope: Scope, depth: int) -> str:
        if self.risky():
            return self.of("i", scope, depth - 1)
        return self.option(
            [
                (2, lambda: self.one_of(("2", "3", "7", "10", "16", "-3", "-2", "-7", "1", "-1"))),
                (1, lambda: f"(({self._leaf('i', scope)} & 7) + 1)"),
                (0.5, lambda: f"(-2 - abs({self._leaf('i', scope)} % 50))"),
                (0.5, lambda: f"({self._leaf('i', scope)} or 3)"),
            ]
        )

    def _count(self, scope: Scope) -> str:
        # Bounded, since a count of 2**40 asks Python for that much memory.
        if self.risky():
            return self.option(
                [
                    (1, lambda: f"(({self._leaf('i', scope)} % 9) - 2)"),
                    (1, lambda: f"({self._leaf('i', scope)} % 80)"),
                ]
            )
        return self.option(
            [
                (1, lambda: self.one_of(("0", "1", "3", "8", "5"))),
                (1, lambda: f"({self._leaf('i', scope)} & 7)"),
            ]
        )

    def _power_of_ints(self, scope: Scope) -> str:
        base, exponent = self._leaf("i", scope), f"({self._leaf('i', scope)} % 5)"
        return f"({base} ** {exponent})" if self.chance(0.5) else f"pow({base}, {exponent})"

    def _near_the_limit(self, scope: Scope) -> str:
        """A product or a sum that just fits into 64 bits, or just does not.

        What a pass that follows ranges of values may prove here, and what it may not.
        """
        bits = self.rng.randrange(1, 32)
        most = 1 << bits
        x = self.option(
            [
                (2, lambda: f"({self._leaf('i', scope)} & {most - 1})"),
                (2, lambda: f"({self._leaf('i', scope)} % {most})"),
                (1, lambda: f"({self._leaf('i', scope)} % -{most})"),
                (1, lambda: f"max(-{most}, min({most}, {self._leaf('i', scope)}))"),
            ]
        )
        near = (1 << self.rng.randrange(62, 65) - bits) + self.rng.randrange(-1, 2)
        return self.option(
            [
                (2, lambda: f"({x} * {near})"),
                (1, lambda: f"({x} * -{near})"),
                (0.7, lambda: f"({x} << {self.rng.randrange(62, 65) - bits})"),
                (0.7, lambda: f"({x} + {(1 << 63) - most + self.rng.randrange(-1, 2)})"),
                (0.5, lambda: f"(-{x} - {(1 << 63) - most + self.rng.randrange(-1, 2)})"),
            ]
        )

    def _float_to_int(self, scope: Scope, depth: int) -> str:
        function = self.one_of(("int", "round", "math.floor", "math.ceil", "math.trunc", "floor"))
        value = self.of("f", scope, depth - 1)
        if not self.risky():
            value = f"max(-1000000.0, min(1000000.0, {value}))"
        return f"{function}({value})"

    # Floats

    def _floats(self, scope: Scope, depth: int) -> list[Option]:
        def sub(kind: str = "f") -> str:
            return self.of(kind, scope, depth - 1)

        def mixed() -> str:
            return self.of("i" if self.chance(0.2) else "f", scope, depth - 1)

        def pair(operators: str) -> str:
            left, right = (sub(), mixed()) if self.chance(0.5) else (mixed(), sub())
            return f"({left} {self.one_of(operators)} {right})"

        options: list[Option] = [
            (3, lambda: pair("+-")),
            (2, lambda: pair("*")),
            (0.7, lambda: f"({mixed()} / {self._float_divisor(scope, depth)})"),
            (0.4, lambda: f"({sub()} {self.one_of(('//', '%'))} {self._float_divisor(scope, 1)})"),
            (0.5, lambda: self._power(scope, depth)),
            (0.5, lambda: f"(-{sub()})"),
            (0.3, lambda: f"abs({sub()})"),
            (0.4, lambda: f"float({self.of(self.one_of('ibf'), scope, depth - 1)})"),
            (1.5, lambda: self._math(scope, depth)),
            (0.3, lambda: f"({sub('i')} / {self._divisor(scope, depth)})"),
            (
                0.1,
                lambda: f"divmod({sub()}, {self._float_divisor(scope, 1)})[{self.one_of('01')}]",
            ),
        ]
        return options

    def _float_divisor(self, scope: Scope, depth: int) -> str:
        if self.risky():
            return self.of("f", scope, depth - 1)
        return self.option(
            [
                (2, lambda: self.one_of(("2.0", "3.0", "0.1", "-4.0", "7", "-2", "1", "1.5"))),
                (1, lambda: f"(abs({self.of('f', scope, 1)}) + 1.0)"),
                (0.5, lambda: f"({self._leaf('f', scope)} or 2.5)"),
            ]
        )

    def _power(self, scope: Scope, depth: int) -> str:
        # The base is made a float where the exponent is not bounded: an int given for a float
        # parameter would ask for 2**53 ** 2**31.
        base = self.of("f", scope, depth - 1)
        return self.option(
            [
                (2, lambda: f"({base} ** {self.one_of(('2', '3', '4', '1', '0', '2.0'))})"),
                (
                    0.5,
                    lambda: f"((abs({base}) + 0.5) ** {self.one_of(('0.5', '-1', '-2', '1.5'))})",
                ),
                (
                    0.5,
                    lambda: (
                        f"((abs({base}) + 0.5) ** max(-3.0, min(3.0, {self._leaf('f', scope)})))"
                    ),
                ),
                (0.3, lambda: f"pow(abs({base}) + 0.5, {self.one_of(('2', '0.5', '3.0'))})"),
                (self.risk * 2, lambda: f"({base} ** {self.one_of(('0.5', '-1', '-1.5'))})"),
                (self.risk * 2, lambda: f"(float({base}) ** {self._leaf('f', scope)})"),
            ]
        )

    def _math(self, scope: Scope, depth: int) -> str:
        if self.chance(0.25):
            return self._math_of_two(scope, depth)
        table = MATH1
        if self.chance(0.04):
            table = HOSTED
        name = self.one_of(list(table))
        if table is HOSTED:
            self.features.add(name)
        value = self.of("i" if self.chance(0.15) else "f", scope, depth - 1)
        if not self.risky():
            value = table[name].format(value)
        return f"{self._math_name(name)}({value})"

    def _math_name(self, name: str) -> str:
        return name if name in BARE and self.chance(0.5) else f"math.{name}"

    def _math_of_two(self, scope: Scope, depth: int) -> str:
        a, b = self.of("f", scope, depth - 1), self.of("f", scope, min(depth - 1, 1))
        if self.optional and self.chance(0.3):
            self.features.add("hypot")
            return f"math.hypot({a}, {b})"
        name = self.one_of(("atan2", "copysign", "fmod", "pow", "log", "remainder"))
        if name == "copysign":
            # Never the sign of a nan, which is the interpreter's compiler's choice.
            b = f"max(-1e6, min(1e6, {b}))"
        if name in ("atan2", "copysign"):
            return f"{self._math_name(name)}({a}, {b})"
        if self.risky():
            return f"math.{name}({a}, {b})"
        a = f"max(-1e6, min(1e6, {a}))"
        if name == "pow":
            return f"math.pow(abs({a}) + 0.5, max(-9.0, min(9.0, {b})))"
        if name == "log":
            return f"math.log(abs({a}) + 0.5, {self.one_of(('2', '10', '2.0', '3', '0.5'))})"
        return f"math.{name}({a}, {self.one_of(('2.0', '0.3', '-3.0', '7'))})"

    # Bools

    def _bools(self, scope: Scope, depth: int) -> list[Option]:
        def operand() -> str:
            return self.of(self.one_of("iiffbn"), scope, depth - 1)

        def chain() -> str:
            parts = [operand()]
            for _ in range(self.rng.randrange(1, 3) if self.chance(0.35) else 1):
                parts += [self.one_of(COMPARES), operand()]
            return f"({' '.join(parts)})"

        def near() -> str:
            # Both sides from the same few values, so that equality happens.
            left = self._leaf("i", scope) if self.chance(0.5) else self._leaf("f", scope)
            return f"({left} {self.one_of(COMPARES)} {self._leaf(self.one_of('if'), scope)})"

        def rounded() -> str:
            # Beyond 2**53 an int and its float differ, which only an exact comparison sees.
            x = self._leaf("i", scope)
            sides = [x, self.one_of((f"float({x})", f"({x} + 0.0)", f"({x} * 1.0)"))]
            if self.chance(0.5):
                sides.reverse()
            return f"({sides[0]} {self.one_of(COMPARES)} {sides[1]})"

        return [
            (3, chain),
            (2, near),
            (0.3, rounded),
            (0.7, lambda: f"(not {operand()})"),
            (0.3, lambda: f"bool({operand()})"),
            (0.3, lambda: f"math.{self.one_of(FLOAT_TO_BOOL)}({self.of('f', scope, depth - 1)})"),
        ]

    # The seed's forms

    def _form(self, kind: str, scope: Scope, depth: int) -> str:
        self.features.add("forms")
        options: list[Option] = [(2, lambda: self._if_else(kind, scope, depth))]
        if scope.trips <= 40:
            options.append((1, lambda: self._broken_reduction(kind, scope, depth)))
            options.append((1, lambda: self._while_form(kind, scope, depth)))
        return self.option(options)

    def _if_else(self, kind: str, scope: Scope, depth: int) -> str:
        test = self.condition(scope, depth - 1)
        yes, no = self.of(kind, scope, depth - 1), self.of(kind, scope, depth - 1)
        return f"if_else({test}, {yes}, {no})"

    def _while_form(self, kind: str, scope: Scope, depth: int) -> str:
        name = self.name("w")
        inner = scope.inner(8)
        inner.sure[name] = "i"
        limit = self.rng.randrange(1, 9)
        test = f"{name} < {limit}"
        if self.chance(0.4):
            test = f"({test} and {self.of('b', inner, 1)})"
        step = self.one_of((f"{name} + 1", f"{name} + 2", f"{name} * 2 + 1"))
        start = self.one_of(("0", "1", "-2" if "*" not in step else "0"))
        item = self.of("b" if kind == "b" else kind, inner, depth - 1)
        function = self.one_of(("any_while", "all_while")) if kind == "b" else "sum_while"
        text = f"{function}({name}, {start}, {test}, {step}, {item})"
        return f"({text} + 0.0)" if kind == "f" else text

    def _broken_reduction(self, kind: str, scope: Scope, depth: int) -> str:
        function = self.one_of(("any", "all")) if kind == "b" else "sum"
        clauses, inner = self._clauses(scope)
        item = self.of(kind, inner, depth - 1)
        for _ in range(2 if self.chance(0.2) else 1):
            word = self.one_of(("break", "continue"))
            if kind == "f" and self.chance(0.25):
                item = f"{word}_on_nan({item})"
                continue
            how = self.one_of(("if", "when", "unless"))
            item = f"{word}_{how}({self.condition(inner, 1)}, {item})"
        text = f"{function}({item} {clauses})"
        return f"({text} + 0.0)" if kind == "f" else text
