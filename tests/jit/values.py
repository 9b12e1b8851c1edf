"""Arguments of generated calls as values that can be printed, compared and made afresh.

A buffer is written by the functions under test, so each side of a comparison needs its own: a
`Buf` says how to make one, `Same` and `View` say that two arguments share memory.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from random import Random
from typing import Any

INT_EDGES = (
    0, 1, -1, 2, -2, 3, 7, 63, 64, 127, 128, 255, 256, 2**31 - 1, 2**31, -(2**31), 2**32,
    2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**62 + 1, 2**63 - 1, 2**63 - 1, -(2**63),
    -(2**63), -(2**63), -(2**63) + 1,
)  # fmt: skip
HUGE_INTS = (2**63, -(2**63) - 1, 2**64 - 1, 2**64, 10**30, 2**1024)
FLOAT_EDGES = (
    0.0, -0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 5e-324, -5e-324, 1e-300, 1e16,
    2.2250738585072014e-308, 2.0**31, 2.0**53, 2.0**53 + 2, 2.0**63, -(2.0**63), 1e300,
    9.223372036854775e18, 1.7976931348623157e308, -1.7976931348623157e308, math.inf, -math.inf,
    math.nan,
)  # fmt: skip

# What an item of each array can hold: the least and the largest, or None for floats.
ARRAYS = {
    "b": (-(2**7), 2**7 - 1), "B": (0, 2**8 - 1), "h": (-(2**15), 2**15 - 1), "H": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1), "I": (0, 2**32 - 1), "l": (-(2**63), 2**63 - 1),
    "L": (0, 2**64 - 1), "q": (-(2**63), 2**63 - 1), "Q": (0, 2**64 - 1), "f": None, "d": None,
}  # fmt: skip


@dataclass(frozen=True)
class Buf:
    """A container to be made for one call."""

    make: str
    """`array C`, `memoryview C`, `readonly C` (C a type code of `array`), `bool`, `bytearray`,
    `bytes`, `list`, `tuple` or `range` (whose items are its arguments)."""
    items: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Same:
    """The same object as an earlier argument."""

    at: int


@dataclass(frozen=True)
class View:
    """A memoryview of a part of an earlier argument."""

    at: int
    start: int
    stop: int


@dataclass(frozen=True)
class Call:
    """One call of the function under test."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    rebind: dict[str, Any] = field(default_factory=dict)
    """Globals of the module that get another value just before this call."""


def fresh(args: tuple[Any, ...]) -> list[Any]:
    """The arguments themselves, with containers of their own."""
    made: list[Any] = []
    for one in args:
        if isinstance(one, Buf):
            made.append(_container(one))
        elif isinstance(one, Same):
            made.append(made[one.at])
        elif isinstance(one, View):
            made.append(memoryview(made[one.at])[one.start : one.stop])
        else:
            made.append(one)
    return made


def _container(buf: Buf) -> Any:
    word, _, code = buf.make.partition(" ")
    if word == "range":
        return range(*buf.items)
    if word in ("list", "tuple", "bytes", "bytearray"):
        return {"list": list, "tuple": tuple, "bytes": bytes, "bytearray": bytearray}[word](
            buf.items
        )
    if word == "bool":
        return memoryview(bytearray(map(bool, buf.items))).cast("?")
    items = array(code, buf.items)
    if word == "memoryview":
        return memoryview(items)
    if word == "readonly":
        return memoryview(items).toreadonly()
    return items


def kind_of(make: str) -> str:
    """The kind of the items: `i`, `f` or `b`."""
    word, _, code = make.partition(" ")
    if word == "bool":
        return "b"
    return "f" if code in ("f", "d") else "i"


def scalar(rng: Random, kind: str, ordinary: bool) -> Any:
    """An argument for a scalar parameter."""
    if kind == "b":
        return rng.random() < 0.5
    if kind == "i":
        if ordinary:
            return rng.randrange(-20, 40) if rng.random() < 0.8 else rng.randrange(-1000, 1000)
        return INT_EDGES[rng.randrange(len(INT_EDGES))]
    if ordinary:
        return (
            round(rng.random() * 20 - 8, 3) if rng.random() < 0.9 else float(rng.randrange(-9, 9))
        )
    return FLOAT_EDGES[rng.randrange(len(FLOAT_EDGES))]


def buffer(rng: Random, make: str, ordinary: bool, kind: str = "") -> Buf:
    """A container with some items; `kind` for those whose make leaves it open."""
    kind = kind or kind_of(make)
    count = rng.randrange(3, 9) if ordinary else rng.randrange(7)
    if make == "range":
        step = rng.randrange(1, 4) * (1 if rng.random() < 0.7 else -1)
        start = rng.randrange(-9, 9)
        return Buf(make, (start, start + step * count, step))
    return Buf(make, tuple(_item(rng, make, kind, ordinary) for _ in range(count)))


def _item(rng: Random, make: str, kind: str, ordinary: bool) -> Any:
    value = scalar(rng, kind, ordinary or rng.random() < 0.4)
    code = make.partition(" ")[2]
    if make in ("bytes", "bytearray"):
        code = "B"
    if code in ("L", "Q") and not ordinary and rng.random() < 0.4:
        return HUGE_INTS[rng.choice((0, 2))]
    if kind == "i" and code:
        least, most = ARRAYS[code]
        if not least <= value <= most:
            value = least if value < least else most
        if ordinary and least == 0 and rng.random() < 0.7:
            value = min(most, rng.randrange(60))
    if kind == "f" and code == "f" and abs(value) < math.inf and abs(value) > 1e38:
        value = math.copysign(3e38, value)
    return value
