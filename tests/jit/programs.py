"""Random programs of the language that `iris.offload` compiles, and calls of them.

A seed names a program on every interpreter. Programs end by construction: ranges are bounded by
`Expressions.small`, a `while` counts in a variable of its own that nothing else touches, recursion
counts down. Ints that feed back into a loop are reduced, so that none grows without bound.
"""

from __future__ import annotations

import ast
from random import Random
from typing import Optional

from . import values
from .calls import MAKES, WRITABLE, Calls
from .dice import Option
from .expressions import Expressions
from .program import HEADER, Program
from .vocabulary import Buffer, Helper, Scope


def generate(seed: int, size: int = 8, risk: Optional[float] = None) -> Program:
    """The program of this seed.

    Args:
        seed: Any int.
        size: About how many statements `f` has.
        risk: The share of operations that may raise on ordinary arguments; None: by the seed,
            mostly little.
    """
    rng = Random(seed)
    if risk is None:
        risk = (0.0, 0.0, 0.02, 0.02, 0.1, 0.3)[rng.randrange(6)]
    return _Writer(rng, size, risk, seed).program()


class _Writer(Expressions):
    """Writes the statements of one program."""

    def __init__(self, rng: Random, size: int, risk: float, seed: int) -> None:
        super().__init__(rng, risk, forms=rng.random() < 0.15, optional=rng.random() < 0.02)
        self.seed = seed
        self.budget = rng.randrange(2, size * 2)
        self.globals: dict[str, str] = {}
        self.result = "i"
        # Whether a result must be of the shape `self.result`: the callers of a helper rely on it.
        self.strict = False
        self.loops: list[bool] = []

    # The module

    def program(self) -> Program:
        parts = [HEADER]
        for _ in range(self.rng.randrange(3)):
            kind = self.one_of("iffb")
            name = self.name("G")
            self.globals[name] = kind
            parts.append(f"{name} = {self._leaf(kind, Scope())}")
        helpers: list[Helper] = []
        for _ in range(self.rng.randrange(3) if self.chance(0.4) else 0):
            helper, text = self._recursive() if self.chance(0.2) else self._helper(helpers)
            helpers.append(helper)
            parts.append(text)
        parts.append(self._main(helpers))
        calls = Calls(self, self.params, self.buffer_makes, self.globals)
        source = ast.unparse(ast.parse("\n".join(parts))) + "\n"
        return Program(source, tuple(calls.calls()), frozenset(self.features), self.seed)

    def _scope(self, helpers: list[Helper]) -> Scope:
        return Scope(sure=dict(self.globals), helpers=list(helpers))

    def _helper(self, helpers: list[Helper]) -> tuple[Helper, str]:
        name = self.name("h")
        scope = self._scope(helpers)
        params = []
        if self.chance(0.25):
            # Small enough stores for every kind of item.
            name_of, kind = self.name("a"), self.one_of("fi")
            params.append((name_of, f"a{kind}", None))
            scope.buffers = {name_of: Buffer(kind, True, 0, 100)}
        for at in range(self.rng.randrange(1, 4)):
            kind, default = self.one_of("iffb"), None
            if (at and self.chance(0.3)) or (at and params[-1][2] is not None):
                default = self._leaf(kind, Scope())
            params.append((self.name("p"), kind, default))
            scope.sure[params[-1][0]] = kind
        result = self.one_of("iiffbn") if self.chance(0.8) else self.one_of(("if", "ff", "iib"))
        kept, self.budget = self.budget, self.rng.randrange(1, 4)
        forms, self.forms = self.forms, False
        self.result, self.strict = result, True
        body = self._block(scope, 2)
        self._use_containers([one for one, kind, _ in params if kind[0] == "a"], body)
        body += [f"return {self._results(scope)}"]
        self.budget, self.forms, self.strict = kept, forms, False
        decorator = ["@offload"] if self.chance(0.4) else []
        listed = ", ".join(f"{one}={default}" if default else one for one, _, default in params)
        return Helper(name, tuple(params), result), "\n".join(
            [*decorator, f"def {name}({listed}):", *_indent(body)]
        )

    def _recursive(self) -> tuple[Helper, str]:
        """A function that calls itself a bounded number of times."""
        self.features.add("recursion")
        # The seed's forms mean something in an offloaded function only.
        forms, self.forms = self.forms, False
        name, kind = self.name("h"), self.one_of("if")
        scope = self._scope([])
        scope.sure.update({"k": "i", "x": kind})
        base = self.of(kind, scope, 1)
        step = f"max(-1000, min(1000, {self.of(kind, scope, 2)}))" if kind == "i" else None
        step = step or f"({self.of(kind, scope, 2)} * 0.5)"
        then = self.option(
            [
                (1, lambda: f"return {name}(k - 1, {step})"),
                (1, lambda: f"return {name}(k - 1, {step}) {self.one_of('+-')} k"),
                (1, lambda: f"return min({name}(k - 1, x), {name}(k - 2, {step}))"),
            ]
        )
        # Both calls of the last one together: k is at most 12.
        text = f"def {name}(k, x):\n if k <= 0:\n  return {base}\n {then}"
        self.forms = forms
        decorator = "@offload\n" if self.chance(0.5) else ""
        return Helper(name, (("k", "k", None), ("x", kind, None)), kind), decorator + text

    def _main(self, helpers: list[Helper]) -> str:
        scope = self._scope(helpers)
        scope.trips = 2 if helpers else 1
        self.params: list[tuple[str, str, Optional[str]]] = []
        for _ in range(self.rng.randrange(1, 4)):
            kind = self.one_of("iiffffb")
            self.params.append((self.name("x"), kind, None))
            scope.sure[self.params[-1][0]] = kind
        self.buffer_makes: dict[str, str] = {}
        for _ in range(self.rng.randrange(1, 3) if self.chance(0.45) else 0):
            self._add_buffer(scope)
        if self.chance(0.15):
            kind = self.one_of("if")
            self.params.append((self.name("x"), kind, self._leaf(kind, Scope())))
            scope.sure[self.params[-1][0]] = kind
        cells = {}
        if self.chance(0.15):
            cells = {self.name("c"): self.one_of("if") for _ in range(self.rng.randrange(1, 3))}
            scope.sure.update(cells)
        self.result = self.option(
            [
                (3, lambda: self.one_of("ifb")),
                (1.2, lambda: "n"),
                (1, lambda: self.one_of(("if", "ff", "bi", "iif", "fn"))),
                (0.3, lambda: "?"),
            ]
        )
        body = ["'''Of the generator.'''"] if self.chance(0.1) else []
        body += self._block(scope, 3)
        if self.result != "?":
            body.append(f"return {self._results(scope)}")
        listed = [f"{one}={default}" if default else one for one, _, default in self.params]
        self._use_containers(list(self.buffer_makes), body)
        if self.params[-1][2] and self.chance(0.3):
            listed.insert(-1, "*")
        text = ["@offload", f"def f({', '.join(listed)}):", *_indent(body)]
        if cells:
            values_of = ", ".join(self._leaf(kind, Scope()) for kind in cells.values())
            text = [f"def make({', '.join(cells)}):", *_indent([*text, "return f"])]
            text.append(f"f = make({values_of})")
        return "\n".join(text)

    def _use_containers(self, names: list[str], body: list[str]) -> None:
        """A container that is not used as one would be taken for a scalar, element by element."""
        for name in names:
            if f"{name}[" not in (words := " ".join(body)) and f"({name})" not in words:
                body.insert(0, f"{self.name('v')} = len({name})")

    def _add_buffer(self, scope: Scope) -> None:
        name, kind = self.name("a"), self.one_of("ffffiib")
        writable = self.chance(0.5)
        make = self.one_of(WRITABLE[kind] if writable else MAKES[kind])
        least, most = -(2**31), 2**31
        code = "B" if make in ("bytes", "bytearray") else make.partition(" ")[2]
        if kind == "i" and code:
            least, most = values.ARRAYS[code] or (0, 0)
        scope.buffers[name] = Buffer(kind, writable, least, most)
        self.buffer_makes[name] = make
        self.params.append((name, kind, None))

    def _results(self, scope: Scope) -> str:
        """What `return` gives, as text."""
        if self.result == "?":
            kind = self.one_of(("i", "f", "b", "None"))
            return kind if kind == "None" else self.of(kind, scope, 2)
        if not self.strict and self.chance(0.6):
            # What was computed is to be seen, or no difference ever is.
            names = [name for name in scope.sure if name[0] in "vwx"][-8:]
            if len(self.result) > 1 or self.chance(0.4):
                names = [one for one in names if self.chance(0.8)] or names[:1]
                if names:
                    return ", ".join(names)
            names = [name for name in names if scope.sure[name] == self.result][-3:]
            if names:
                return f" {self.one_of(('+', '-', 'or', 'and', '*', '+'))} ".join(names)
        if len(self.result) == 1:
            return self.of(self.result, scope, 3)
        return ", ".join(self.of(kind, scope, 2) for kind in self.result)

    # Statements

    def _block(self, scope: Scope, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.rng.randrange(1, 5)):
            if self.budget <= 0:
                break
            self.budget -= 1
            lines += self._statement(scope, depth)
        return lines or ["pass"]

    def _statement(self, scope: Scope, depth: int) -> list[str]:
        options: list[Option] = [
            (4, lambda: self._lines(self._assign(scope))),
            (2.5, lambda: self._lines(self._augment(scope))),
            (0.5, lambda: self._lines(self._several(scope))),
            (0.15, lambda: "pass"),
        ]
        stores = [name for name, one in scope.buffers.items() if one.writable]
        if stores:
            options.append((3, lambda: self._lines(self._store(scope, self.one_of(stores)))))
        storing = [one for one in self.callable(scope) if one.params[0][1][0] == "a"]
        if storing:
            helper = storing[self.rng.randrange(len(storing))]
            options.append((0.8, lambda: self.call(helper, scope, 1)))
        if depth > 0:
            options.append((2, lambda: self._lines(self._if(scope, depth))))
            if scope.trips <= 150:
                options.append((1.6, lambda: self._lines(self._for(scope, depth))))
                options.append((0.7, lambda: self._lines(self._while(scope, depth))))
            options.append((0.4, lambda: self._lines(self._leave(scope))))
        return self.option(options).split("\n")

    @staticmethod
    def _lines(lines: list[str]) -> str:
        return "\n".join(lines)

    def _target(self, scope: Scope, kind: str) -> str:
        """A variable to assign to: a new one or one of this kind."""
        known = {**scope.sure, **scope.maybe}
        names = [
            name
            for name, one in known.items()
            if one == kind and name[0] in "vx" and not (name[0] == "x" and self.chance(0.5))
        ]
        if names and self.chance(0.6):
            return self.one_of(names)
        return self.name("v")

    def _bind(self, scope: Scope, name: str, kind: str) -> None:
        scope.maybe.pop(name, None)
        scope.sure[name] = kind

    def _bounded(self, scope: Scope, kind: str, text: str) -> str:
        """The expression as it may be assigned where it could feed back into itself."""
        growing = any(word in text for word in ("*", "<<", "h", "pow"))
        if scope.trips <= 2 or not growing or kind == "b":
            return text
        if kind == "i":
            if scope.trips <= 4 and "**" not in text and "h" not in text and self.chance(0.2):
                return text
            return self.option(
                [
                    (1, lambda: f"({text}) % {self.one_of(('1000003', '97', '-1009', '4096'))}"),
                    (1, lambda: f"({text}) & {self.one_of(('65535', '255', '16777215'))}"),
                ]
            )
        if kind == "n":
            return f"max(-1000000, min(1000000, {text}))"
        # A float only now: where an int came for a float parameter, it ends here.
        return f"({text}) {self.one_of(('* 0.5', '+ 0.25', '/ 2.0', '- 1.0'))}"

    def _value(self, scope: Scope, kind: str) -> str:
        return self._bounded(scope, kind, self.of(kind, scope, 3))

    def _assign(self, scope: Scope) -> list[str]:
        kind = self.one_of("iiiffffbn")
        text = self._value(scope, kind)
        if self.chance(0.05):
            first, second = self._target(scope, kind), self._target(scope, kind)
            self._bind(scope, first, kind)
            self._bind(scope, second, kind)
            return [f"{first} = {second} = {text}"]
        name = self._target(scope, kind)
        self._bind(scope, name, kind)
        return [f"{name} = {text}"]

    def _several(self, scope: Scope) -> list[str]:
        """Tuples: a swap, several at once, a helper's result, divmod."""
        groups = [
            names
            for kind in "ifb"
            if len(names := [n for n, k in scope.sure.items() if k == kind and n[0] in "vx"]) > 1
        ]
        if groups and self.chance(0.4):
            names = groups[self.rng.randrange(len(groups))]
            at = self.rng.randrange(len(names) - 1)
            first, second = names[at], names[at + 1]
            return [f"{first}, {second} = {second}, {first}"]
        stores = [one for one, buffer in scope.buffers.items() if buffer.writable]
        if stores and self.chance(0.3):
            name = self.one_of(stores)
            one, other = f"{name}[{self.index(name, scope)}]", f"{name}[{self.index(name, scope)}]"
            return [f"{one}, {other} = {other}, {one}"]
        pairs = [one for one in self.callable(scope) if len(one.result) > 1]
        if pairs and self.chance(0.7):
            helper = pairs[self.rng.randrange(len(pairs))]
            text, kinds = self.call(helper, scope, 1), helper.result
        elif self.chance(0.3):
            kinds = self.one_of(("ii", "ff"))
            divisor = self._divisor(scope, 1) if kinds == "ii" else self._float_divisor(scope, 1)
            text = f"divmod({self.of(kinds[0], scope, 2)}, {divisor})"
        else:
            kinds = self.one_of(("if", "ff", "ii", "fbi"))
            text = ", ".join(self._value(scope, kind) for kind in kinds)
        # Fresh names where the value could feed back.
        fresh = scope.trips > 2 and "h" in text
        names = [self.name("v") if fresh else self._target(scope, kind) for kind in kinds]
        names = [n if n not in names[:at] else self.name("v") for at, n in enumerate(names)]
        for name, kind in zip(names, kinds):
            self._bind(scope, name, kind)
        return [f"{', '.join(names)} = {text}"]

    def _augment(self, scope: Scope) -> list[str]:
        pool = [
            (name, kind)
            for name, kind in [*scope.sure.items(), *scope.maybe.items()]
            if name[0] in "vx" and kind in "ifn" and (name in scope.sure or self.chance(0.02))
        ]
        if not pool:
            kind = self.one_of("iffn")
            name = self.name("v")
            start = "0" if kind in "in" else "0.0"
            self._bind(scope, name, kind)
            return [f"{name} = {start}"]
        name, kind = pool[self.rng.randrange(len(pool))]
        if name in scope.maybe:
            self.features.add("unbound")
        self._bind(scope, name, kind)
        value = self.of({"n": self.one_of("ff")}.get(kind, kind), scope, 2)
        if kind == "i":
            operator = self.one_of(("+", "+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"))
            if operator in ("//", "%"):
                value = self._divisor(scope, 2)
            if operator in ("<<", ">>"):
                value = self._count(scope)
            lines = [f"{name} {operator}= {value}"]
            if scope.trips > 2 and (operator in ("*", "<<") or "h" in value or "*" in value):
                lines.append(f"{name} {self.one_of(('%= 9973', '&= 4095', '%= -31'))}")
            return lines
        operator = self.one_of(("+", "+", "+", "-", "*", "/"))
        if operator == "/":
            value = self._float_divisor(scope, 2)
        lines = [f"{name} {operator}= {value}"]
        if scope.trips > 2 and (operator == "*" or "h" in value or "*" in value):
            if kind == "n":
                lines.append(f"{name} = max(-1000000, min({name}, 1000000))")
            else:
                lines.append(f"{name} *= 0.5")
        return lines

    def _store(self, scope: Scope, name: str) -> list[str]:
        buffer = scope.buffers[name]
        at = self.index(name, scope)
        if buffer.kind == "f":
            kind = self.one_of("fffib")
            if self.chance(0.35):
                operator = self.one_of(("+", "-", "*", "/"))
                value = self.of("f", scope, 2)
                if operator == "/":
                    value = self._float_divisor(scope, 2)
                return [f"{name}[{at}] {operator}= {value}"]
            return [f"{name}[{at}] = {self._bounded(scope, 'f', self.of(kind, scope, 3))}"]
        if buffer.kind == "b":
            return [f"{name}[{at}] = {self.of('b', scope, 2)}"]
        value = self.of("i", scope, 2)
        room = 100 if buffer.most is None else min(buffer.most, 1000)
        if self.risky():
            return [f"{name}[{at}] = ({value}) % 100003"]
        if self.chance(0.35):
            return [f"{name}[{at}] = ({name}[{at}] {self.one_of('+-^')} {value}) % {room}"]
        if self.chance(0.15) and buffer.most is not None and buffer.most > 2**30:
            return [f"{name}[{at}] += {self.one_of('123')}"]
        return [f"{name}[{at}] = ({value}) % {room}"]

    def _if(self, scope: Scope, depth: int) -> list[str]:
        lines, branches = [], []
        word = "if"
        for _ in range(self.rng.randrange(1, 3)):
            inner = scope.inner()
            lines.append(f"{word} {self.condition(scope, 2)}:")
            lines += _indent(self._block(inner, depth - 1))
            branches.append(inner)
            word = "elif"
        if self.budget > 0 and self.chance(0.55):
            inner = scope.inner()
            lines += ["else:", *_indent(self._block(inner, depth - 1))]
            branches.append(inner)
        else:
            branches.append(scope.inner())
        self._join(scope, branches)
        return lines

    def _join(self, scope: Scope, branches: list[Scope]) -> None:
        for branch in branches:
            for name, kind in {**branch.maybe, **branch.sure}.items():
                if name[0] in "vgx" and name not in scope.sure:
                    scope.maybe[name] = kind
        for name, kind in list(scope.maybe.items()):
            if all(name in branch.sure for branch in branches):
                self._bind(scope, name, kind)

    def _for(self, scope: Scope, depth: int) -> list[str]:
        name = self.name("v") if self.chance(0.9) else self._target(scope, "i")
        if scope.buffers and self.chance(0.4):
            buffer = self.one_of(sorted(scope.buffers))
            if self.chance(0.5):
                name, kind = self.name("v"), scope.buffers[buffer].kind
                words, trips = buffer, 8
            else:
                kind, words, trips = (
                    "i",
                    self.one_of(
                        (
                            f"range(len({buffer}))",
                            f"range(len({buffer}) - 1, -1, -1)",
                            f"range(1, len({buffer}))",
                        )
                    ),
                    8,
                )
        else:
            kind = "i"
            words, trips = self.range_of(scope)
        inner = scope.inner(trips)
        self._bind(inner, name, kind)
        lines = [f"for {name} in {words}:", *_indent(self._loop_body(inner, depth))]
        return lines + self._loop_end(scope, inner, depth)

    def _while(self, scope: Scope, depth: int) -> list[str]:
        name, trips = self.name("w"), self.rng.randrange(1, 10)
        inner = scope.inner(trips)
        inner.sure[name] = "i"
        style = self.rng.randrange(4)
        start, count, test = f"{name} = 0", f"{name} += 1", f"{name} < {trips}"
        if style == 1:
            start, count, test = f"{name} = {trips}", f"{name} -= 1", name
        elif style == 2:
            test = f"{test} and {self.of('b', scope, 2)}"
        lines = [start]
        if style == 3:
            lines.append("while True:")
            head = [f"if {name} >= {trips}:", " break", count]
        else:
            lines.append(f"while {test}:")
            head = [count]
        lines += _indent(head + self._loop_body(inner, depth))
        scope.sure[name] = "i"
        return lines + self._loop_end(scope, inner, depth)

    def _loop_body(self, inner: Scope, depth: int) -> list[str]:
        self.loops.append(True)
        body = self._block(inner, depth - 1)
        if self.chance(0.3):
            body += [f"if {self.condition(inner, 1)}:", f" {self.one_of(('break', 'continue'))}"]
            if self.chance(0.5) and self.budget > 0:
                self.budget -= 1
                body += self._statement(inner, 0)
        self.loops.pop()
        return body

    def _loop_end(self, scope: Scope, inner: Scope, depth: int) -> list[str]:
        self._join(scope, [inner, scope.inner()])
        if self.budget <= 0 or not self.chance(0.15):
            return []
        other = scope.inner()
        lines = ["else:", *_indent(self._block(other, depth - 1))]
        self._join(scope, [other, scope.inner()])
        return lines

    def _leave(self, scope: Scope) -> list[str]:
        """A way out of the middle: an early return, a break, a continue."""
        test = f"if {self.condition(scope, 2)}:"
        if self.loops and self.chance(0.6):
            return [test, f" {self.one_of(('break', 'continue'))}"]
        return [test, f" return {self._results(scope)}"]


def _indent(lines: list[str]) -> list[str]:
    return [" " + line for line in lines]
