"""Random nests of forms, against an evaluator that does without statements.

The evaluator takes the lazy meaning at its word: an argument is a closure that is called when its
value is needed, a control raises, and the reduction around it catches.
"""

from __future__ import annotations

import itertools
import linecache
import math
import operator
import random
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple, Union

import pytest

from iris.jit.desugar import desugar, python_function, unbound_in
from iris.jit.forms import CONTROLS
from iris.jit.source import locate

Number = Union[int, float]
Names = dict[str, Number]


class Lazy(NamedTuple):
    text: str
    value: Callable[[Names], Number]


class Stop(Exception):
    pass


class Skip(Exception):
    pass


OPERATORS: dict[str, Callable[[Number, Number], Number]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "<": operator.lt,
    "==": operator.eq,
}
CONSTANTS = ("0", "1", "2", "-3", "0.5", "nan", "inf", "True")
BUILTINS: dict[str, Callable[..., Number]] = {
    "sum": sum,
    "any": any,
    "all": all,
    "min": min,
    "max": max,
}


class Nests:
    """Makes random expressions; `seen` is what their evaluation has told."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seen: list[str] = []

    def see(self, value: Number) -> Number:
        self.seen.append(repr(value))
        return value

    def expression(self, depth: int, names: tuple[str, ...], *, controls: bool) -> Lazy:
        """An expression over some names; with `controls`, one that a reduction evaluates."""
        if depth == 0:
            return self.leaf(names)
        makers = [self.arithmetic, self.logic, self.if_else, self.seen_value, self.applied]
        makers += [self.generator, self.while_form] * 2 + [self.control] * (4 if controls else 0)
        return self.rng.choice(makers)(depth - 1, names, controls)

    def leaf(self, names: tuple[str, ...]) -> Lazy:
        if self.rng.random() < 0.7:
            name = self.rng.choice(names)
            return Lazy(name, lambda env: env[name])
        text = self.rng.choice(CONSTANTS)
        value = eval(text, {"nan": math.nan, "inf": math.inf})
        return Lazy(text, lambda _: value)

    def arithmetic(self, depth: int, names: tuple[str, ...], controls: bool) -> Lazy:
        one, other = (self.expression(depth, names, controls=controls) for _ in range(2))
        symbol = self.rng.choice(list(OPERATORS))
        compute = OPERATORS[symbol]
        return Lazy(
            f"({one.text} {symbol} {other.text})",
            lambda env: compute(one.value(env), other.value(env)),
        )

    def logic(self, depth: int, names: tuple[str, ...], controls: bool) -> Lazy:
        one, other = (self.expression(depth, names, controls=controls) for _ in range(2))
        if self.rng.random() < 0.5:
            return Lazy(
                f"({one.text} and {other.text})", lambda env: one.value(env) and other.value(env)
            )
        return Lazy(f"({one.text} or {other.text})", lambda env: one.value(env) or other.value(env))

    def if_else(self, depth: int, names: tuple[str, ...], controls: bool) -> Lazy:
        test, yes, no = (self.expression(depth, names, controls=controls) for _ in range(3))
        return Lazy(
            f"if_else({test.text}, {yes.text}, {no.text})",
            lambda env: yes.value(env) if test.value(env) else no.value(env),
        )

    def seen_value(self, depth: int, names: tuple[str, ...], controls: bool) -> Lazy:
        inner = self.expression(depth, names, controls=controls)
        return Lazy(f"see({inner.text})", lambda env: self.see(inner.value(env)))

    def applied(self, depth: int, names: tuple[str, ...], controls: bool) -> Lazy:
        """A lambda called at once: no control acts through it."""
        variable = self.rng.choice("ijkx")
        body = self.expression(depth, (*names, variable), controls=False)
        argument = self.expression(depth, names, controls=controls)
        return Lazy(
            f"(lambda {variable}: {body.text})({argument.text})",
            lambda env: body.value({**env, variable: argument.value(env)}),
        )

    def control(self, depth: int, names: tuple[str, ...], controls: bool) -> Lazy:
        form = self.rng.choice(sorted(CONTROLS))
        acts = Stop if form.startswith("break") else Skip
        inner = self.expression(depth, names, controls=controls)
        if form.endswith("on_nan"):

            def unless_nan(env: Names) -> Number:
                value = inner.value(env)
                if math.isnan(value):
                    raise acts
                return value

            return Lazy(f"{form}({inner.text})", unless_nan)
        test = self.expression(depth, names, controls=controls)

        def guarded(env: Names) -> Number:
            if bool(test.value(env)) is not form.endswith("unless"):
                raise acts
            return inner.value(env)

        return Lazy(f"{form}({test.text}, {inner.text})", guarded)

    def generator(self, depth: int, names: tuple[str, ...], _: bool) -> Lazy:
        variable, count = self.rng.choice("ijk"), self.rng.randrange(4)
        inside = (*names, variable)
        element = self.expression(depth, inside, controls=True)
        test = self.expression(depth, inside, controls=True)
        name = self.rng.choice(list(BUILTINS))
        # Mostly a default, or most nests would end in the error of an empty `min`.
        has_default = name in ("min", "max") and self.rng.random() < 0.9
        rest, options = (", default=2", {"default": 2}) if has_default else ("", {})

        def elements(env: Names) -> Iterator[Number]:
            for one in range(count):
                own = {**env, variable: one}
                try:
                    if not test.value(own):
                        continue
                    value = element.value(own)
                except Stop:
                    return
                except Skip:
                    continue
                yield value

        return Lazy(
            f"{name}(({element.text} for {variable} in range({count}) if {test.text}){rest})",
            lambda env: BUILTINS[name](elements(env), **options),
        )

    def while_form(self, depth: int, names: tuple[str, ...], _: bool) -> Lazy:
        variable, count = self.rng.choice("ijk"), self.rng.randrange(4)
        init = self.expression(min(depth, 1), names, controls=False)
        test = self.expression(depth, (*names, variable), controls=False)
        body = self.expression(depth, (*names, variable), controls=True)
        kind = self.rng.choice(("sum", "any", "all"))

        def run(env: Names) -> Number:
            total: Number = 0
            own = {**env, variable: init.value(env) % 1}
            while own[variable] < count and test.value(own):
                try:
                    value = body.value(own)
                    if kind == "any" and value:
                        return True
                    if kind == "all" and not value:
                        return False
                    total += value
                except Stop:
                    break
                except Skip:
                    pass
                own = {**own, variable: self.see(own[variable] + 1)}
            return total if kind == "sum" else kind == "all"

        return Lazy(
            f"{kind}_while({variable}, {init.text} % 1, {variable} < {count} and {test.text},"
            f" see({variable} + 1), {body.text})",
            run,
        )


def outcome(call: Callable[..., Number], *args: object) -> str:
    try:
        value = call(*args)
    except (ArithmeticError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return f"{type(value).__name__} {value!r}"


INPUTS: tuple[Number, ...] = (0, 2, -1.5, math.nan)


@pytest.mark.parametrize("block", range(8))
def test_random_nests_mean_what_the_evaluator_says(block: int) -> None:
    taken: set[str] = set()
    for seed in range(block * 50, block * 50 + 50):
        nests = Nests(seed)
        made = nests.generator if seed % 2 else nests.while_form
        lazy = made(3, ("a", "b"), False)
        filename = f"<nest {seed}>"
        text = f"def f(a, b):\n    return {lazy.text}\n"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        names: dict[str, object] = {"see": nests.see, "nan": math.nan, "inf": math.inf}
        exec(compile(text, filename, "exec", dont_inherit=True), names)
        fn = names["f"]
        assert isinstance(fn, types.FunctionType)
        found = desugar(locate(fn), unbound_in(fn))
        taken |= found.forms
        rewritten = python_function(fn, found)
        for a, b in itertools.product(INPUTS, repeat=2):
            nests.seen.clear()
            meant = outcome(lazy.value, {"a": a, "b": b}), list(nests.seen)
            nests.seen.clear()
            assert (outcome(rewritten, a, b), nests.seen) == meant, (seed, a, b, text)
    assert len(taken) > 8
