"""The random choices of the generator, each from one `random.Random`.

Only of methods whose results are the same on every interpreter, and never of a set's order.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Union

Option = tuple[float, Callable[[], str]]
"""A weight and what makes the text."""


class Dice:
    """Makes choices; holds how daring they are."""

    def __init__(self, rng: Random, risk: float, forms: bool, optional: bool) -> None:
        self.rng = rng
        self.risk = risk
        """The share of operations that may raise on ordinary arguments."""
        self.forms = forms
        self.optional = optional
        """Whether to use what is Python's but need not be compiled."""
        self.features: set[str] = set()
        self._named = 0

    # Dice

    def one_of(self, items: Union[tuple[str, ...], list[str]]) -> str:
        return items[self.rng.randrange(len(items))]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def risky(self) -> bool:
        if self.chance(self.risk):
            self.features.add("risk")
            return True
        return False

    def option(self, options: list[Option]) -> str:
        at = self.rng.random() * sum(weight for weight, _ in options)
        for weight, make in options:
            at -= weight
            if at < 0:
                return make()
        return options[-1][1]()

    def name(self, stem: str) -> str:
        self._named += 1
        return f"{stem}{self._named}"
