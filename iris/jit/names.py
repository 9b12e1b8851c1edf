"""Where a name that is not local comes from, so that it can be read again at each call.

A compiled program depends on what its names meant when it was compiled. Numbers are read anew at
each call and passed in as hidden arguments; of everything else (functions, modules, builtins) it
is compared whether it is still the same object. Both are done by a `Ref`: a way to look again.
"""

from __future__ import annotations

import types
from typing import Any, Callable, NamedTuple, Protocol

MISSING: Any = object()
"""What a `Ref` reads where there is nothing."""


class Ref(Protocol):
    """A place outside the function whose value may change between calls."""

    def read(self) -> Any:
        """What is there now, or MISSING."""


class GlobalRef(NamedTuple):
    """A global of a function's module, or the builtin behind it."""

    names: dict[str, Any]
    builtins: dict[str, Any]
    name: str

    def read(self) -> Any:
        found = self.names.get(self.name, MISSING)
        return self.builtins.get(self.name, MISSING) if found is MISSING else found


class CellRef(NamedTuple):
    """A variable of an enclosing function."""

    cell: types.CellType

    def read(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return MISSING


class AttributeRef(NamedTuple):
    """An attribute of a module, which is itself compared by another `Ref`."""

    module: types.ModuleType
    name: str

    def read(self) -> Any:
        return vars(self.module).get(self.name, MISSING)


class FunctionRef(NamedTuple):
    """What a call of a function depends on besides the function itself."""

    function: types.FunctionType
    attribute: str

    def read(self) -> Any:
        value = getattr(self.function, self.attribute)
        # A dict may be changed in place; so what is in it is compared.
        return value if not isinstance(value, dict) else tuple(value.items())


class CallRef(NamedTuple):
    """A setting of Iris that a program reads."""

    call: Callable[[], Any]

    def read(self) -> Any:
        return self.call()


def is_same(one: Any, other: Any) -> bool:
    """Whether a guard finds what it has found before.

    By identity; but a function of PyPy makes a new tuple of its defaults each time it is asked.
    """
    if one is other:
        return True
    if type(one) is not tuple or type(other) is not tuple or len(one) != len(other):
        return False
    return all(map(is_same, one, other))


def ref_key(ref: Any) -> tuple[Any, ...]:
    """Equal for two refs that look at the same place; by identity, as dicts are not hashable."""
    parts = (part if isinstance(part, str) else id(part) for part in ref)
    return (type(ref), *parts)


def find(function: types.FunctionType, name: str) -> Ref:
    """Where Python would look for a name that is not local to this function."""
    code = function.__code__
    if name in code.co_freevars:
        return CellRef((function.__closure__ or ())[code.co_freevars.index(name)])
    return GlobalRef(function.__globals__, builtins_of(function), name)


def builtins_of(function: types.FunctionType) -> dict[str, Any]:
    """The builtins that a function's code sees."""
    found = function.__globals__.get("__builtins__")
    if isinstance(found, types.ModuleType):
        return vars(found)
    if isinstance(found, dict):
        return found
    import builtins

    return vars(builtins)
