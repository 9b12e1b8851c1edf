"""Random expressions of the language, by the kind of their value.

Every expression is text in full brackets; `programs` parses and unparses it, which leaves only the
brackets that Python needs, so that precedence is under test too.

Kinds: `i` int, `f` float, `b` bool, `n` int or float by the path taken. Kinds say what the value
is on ordinary arguments; a caller may pass an int where `f` stands and a bool where `i` does.
"""

from __future__ import annotations

from .dice import Option
from .numeric import Numeric
from .vocabulary import (
    BIG_INTS,
    FLOATS,
    INFINITE,
    INTS,
    NAMED,
    ODD_FLOATS,
    Helper,
    Scope,
)


class Expressions(Numeric):
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
                (0.4, lambda: f"({self.of('i', scope, 1)} % -len({name}))"),
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
