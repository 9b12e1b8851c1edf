"""The calls that a generated program gets."""

from __future__ import annotations

from typing import Optional

from . import values
from .dice import Dice
from .values import Buf, Call, Same, View

MAKES = {
    "f": ("array d", "array d", "array f", "memoryview d", "list", "tuple"),
    "i": (
        "array q", "array i", "array b", "array B", "array h", "array H", "array I", "array l",
        "array Q", "array Q", "memoryview i", "bytearray", "list", "tuple", "range", "bytes",
    ),
    "b": ("bool", "bool", "list"),
}  # fmt: skip
WRITABLE = {
    "f": ("array d", "array d", "array f", "memoryview d", "memoryview f"),
    "i": ("array q", "array i", "array b", "array B", "array h", "array H", "array I", "bytearray"),
    "b": ("bool",),
}


class Calls:
    """Makes the calls of one function from what its parameters are."""

    def __init__(
        self,
        dice: Dice,
        params: list[tuple[str, str, Optional[str]]],
        buffer_makes: dict[str, str],
        globals_: dict[str, str],
    ) -> None:
        self.dice = dice
        self.params = params
        """Name, kind, default as text."""
        self.buffer_makes = buffer_makes
        self.globals = globals_

    def calls(self) -> list[Call]:
        """Ordinary ones, some at the edges, one after a global changed, one of other types."""
        calls = [self._call(ordinary=True) for _ in range(3)]
        calls += [self._call(ordinary=False) for _ in range(4)]
        if self.globals and self.dice.chance(0.4):
            name = self.dice.one_of(list(self.globals))
            kind = self.globals[name] if self.dice.chance(0.7) else self.dice.one_of("ifb")
            rebind = {name: values.scalar(self.dice.rng, kind, True)}
            calls.append(Call(calls[0].args, calls[0].kwargs, rebind))
        if self.dice.chance(0.3):
            calls.append(self._call(ordinary=True, vary=True))
        return calls

    def _call(self, ordinary: bool, vary: bool = False) -> Call:
        args: list[object] = []
        kwargs: dict[str, object] = {}
        for name, kind, default in self.params:
            if default is not None:
                if self.dice.chance(0.5):
                    kwargs[name] = values.scalar(self.dice.rng, kind, ordinary)
                continue
            args.append(self._argument(name, kind, ordinary, vary, args))
        if (
            vary
            and self.dice.chance(0.3)
            and not any(isinstance(one, (Same, View)) for one in args)
        ):
            required = [name for name, _, default in self.params if default is None]
            at = self.dice.rng.randrange(len(args) + 1)
            kwargs = {**dict(zip(required[at:], args[at:])), **kwargs}
            del args[at:]
        return Call(tuple(args), kwargs)

    def _argument(
        self, name: str, kind: str, ordinary: bool, vary: bool, args: list[object]
    ) -> object:
        make = self.buffer_makes.get(name)
        if make is None:
            if vary and self.dice.chance(0.6):
                kind = {"f": self.dice.one_of("ib"), "i": "b", "b": "i"}[kind]
            return values.scalar(self.dice.rng, kind, ordinary or self.dice.chance(0.3))
        alike = [at for at, one in enumerate(args) if isinstance(one, Buf)]
        if vary and alike and self.dice.chance(0.5):
            at = alike[0]
            if self.dice.chance(0.5):
                return Same(at)
            other = args[at]
            assert isinstance(other, Buf)
            if other.make.partition(" ")[0] in ("array", "bytearray"):
                return View(at, 1, 9)
        if vary and self.dice.chance(0.5):
            make = self.dice.one_of(MAKES[kind])
        return values.buffer(self.dice.rng, make, ordinary, kind)
