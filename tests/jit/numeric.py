"""The operations that give ints, floats and bools, as random expressions.

A half of `expressions.Expressions`, which says what an operand is: `of` and `_leaf`.
"""

from __future__ import annotations

from .dice import Dice, Option
from .vocabulary import (
    BARE,
    COMPARES,
    FLOAT_TO_BOOL,
    HOSTED,
    MATH1,
    Scope,
)


class Numeric(Dice):
    """Makes the operations of each kind."""

    def of(self, kind: str, scope: Scope, depth: int) -> str:
        """An expression of this kind."""
        raise NotImplementedError

    def _leaf(self, kind: str, scope: Scope) -> str:
        raise NotImplementedError

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
            (0.25, lambda: self._of_known_sign(scope)),
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

    def _of_known_sign(self, scope: Scope) -> str:
        """A division of what is known to be of one sign, which may look like the other."""
        x, most = self._leaf("i", scope), self.rng.randrange(2, 60)
        known = self.one_of(
            (f"({x} % -{most})", f"({x} % {most})", f"-({x} & {most})", f"(-abs({x} % {most}))")
        )
        other = self.one_of(("3", "-3", "7", "4", "-4", "10"))
        return (
            f"({known} {self.one_of(('//', '%', '>>', '*'))} {other.replace('-', '')})"
            if (self.chance(0.5))
            else f"({known} {self.one_of(('//', '%'))} {other})"
        )

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
