"""`offload`: marks a function for the compute sidecar."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, overload

from iris.errors import BadInput
from iris.jit import shim
from iris.jit.describe import OFFLOADED
from iris.jit.dispatch import Offloaded, Totals, all_offloaded, converted

if TYPE_CHECKING:
    from iris.jit.report import Report, Stats

_Function = TypeVar("_Function", bound=Callable[..., Any])

_RETURN_TYPES = ("float", "int", "bool")


@overload
def offload(function: _Function) -> _Function: ...


@overload
def offload(
    function: None = None, *, strategy: str = "jit", return_type: Optional[str] = None
) -> Callable[[_Function], _Function]: ...


def offload(
    function: Optional[_Function] = None,
    *,
    strategy: str = "jit",
    return_type: Optional[str] = None,
) -> Union[_Function, Callable[[_Function], _Function]]:
    """Have a function run as machine code wherever that gives exactly what Python gives.

        @iris.offload
        def magnitude(x, y, z):
            return (x * x + y * y + z * z) ** 0.5

    Nothing is compiled before the first call. Each set of argument types is compiled on its own,
    on the first call with it; what is outside the language stays in Python, with the same result,
    and `iris.jit.explain` tells where and why.

    Args:
        function: The function; or nothing, to give options: `@offload(return_type="float")`.
        strategy: "jit", which compiles.
        return_type: "float", "int" or "bool" converts the result as these builtins would; None
            leaves it as it is.

    Returns:
        A function with the name, the documentation and the signature of the one given. It may be
        called from any thread, greenlet or actor, and blocks as long as the function runs.

    Raises:
        BadInput: for an unknown strategy or return type, and for what is no function.
    """
    if strategy != "jit":
        raise BadInput(f"strategy {strategy!r} is unknown; there is 'jit'")
    if return_type is not None and return_type not in _RETURN_TYPES:
        known = ", ".join(map(repr, _RETURN_TYPES))
        raise BadInput(f"return_type {return_type!r} is unknown; there are {known} and None")
    if function is None:
        return lambda given: _wrapped(given, return_type)
    wrapped: _Function = _wrapped(function, return_type)
    return wrapped


def _wrapped(function: Any, return_type: Optional[str]) -> Any:
    if isinstance(function, (staticmethod, classmethod)):
        raise BadInput(
            f"offload is given a {type(function).__name__}; put it below that decorator, "
            "next to the function"
        )
    if not callable(function):
        raise BadInput(f"offload takes a function, not {function!r}")
    offloaded = Offloaded(function, return_type)
    call, is_pythons = offloaded.call, offloaded.is_pythons

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        # From here, and not from deeper down, because a function that recurs in Python has to
        # come as deep as it would without this.
        if is_pythons(args, kwargs):
            return converted(function(*args, **kwargs), return_type)
        return call(args, kwargs)

    setattr(wrapper, OFFLOADED, offloaded)
    return wrapper


def explain(function: Callable[..., Any]) -> Report:
    """Tell what became of an offloaded function: what is compiled, what is not and why.

    Args:
        function: What `offload` returned, or a method of that.

    Returns:
        A report that prints well; `as_dict()` has the same as plain values.

    Raises:
        BadInput: for a function that is not offloaded.

    Reads the function's source, at the first time; never blocks otherwise. May be called from any
    thread.
    """
    found = getattr(getattr(function, "__func__", function), OFFLOADED, None)
    if not isinstance(found, Offloaded):
        raise BadInput(f"{function!r} is not offloaded")
    return found.report()


def stats() -> Stats:
    """The totals of all offloaded functions that are alive. May be called from any thread."""
    from iris.jit.report import Stats  # on use: no call needs it

    functions = all_offloaded()
    signatures = [one for function in functions for one in list(function.signatures.values())]
    memory = shim.memory() if shim.why_unavailable() is None else None
    return Stats(
        functions=len(functions),
        signatures=len(signatures),
        compiled=Totals.compiled,
        compile_s=Totals.compile_s,
        native_calls=sum(one.native_calls for one in signatures),
        reruns=sum(one.reruns for one in signatures),
        python_calls=sum(one.python_calls for one in signatures)
        + sum(one.other_calls for one in functions),
        code_used_bytes=0 if memory is None else memory.used_bytes,
        code_reserved_bytes=0 if memory is None else memory.reserved_bytes,
    )
