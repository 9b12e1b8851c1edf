"""Helpers for pools of workers: spawning one, and packing arguments for it."""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

from iris.errors import BadInput
from iris.lowlevel import PyRuntime
from iris.runtime import Runtime


def spawn_child_pool(
    rt: Union[Runtime, PyRuntime],
    parent: int,
    size: int,
    handler: Optional[Callable[[Any], Any]] = None,
) -> list[int]:
    """Make `size` children of `parent` that all run the same handler.

    Args:
        rt: the runtime of the parent.
        parent: pid of the actor with which they end.
        size: how many, at least 1.
        handler: what each of them runs; None takes the parent's own handler.

    Returns:
        Their pids, for use in turn.

    Raises:
        ActorDead: the parent has ended. BadInput: a size below 1.
    """
    if not isinstance(rt, (Runtime, PyRuntime)):
        raise TypeError(f"rt is an iris.Runtime, not {rt!r} of type {type(rt).__name__}")
    return rt.spawn_child_pool(parent, handler, size)


def serialize_args(*args: Any) -> bytes:
    """Pack arguments into bytes (msgpack) for a worker; the other half is `deserialize_args`.

    Args:
        *args: None, bool, int (64 bits), float, str, bytes, and lists, tuples and dicts of them.

    Raises:
        TypeError: something else is among them.
        BadInput: an int beyond 64 bits.
    """
    import msgpack

    try:
        packed: bytes = msgpack.packb(args, use_bin_type=True)
    except TypeError as error:
        raise TypeError(
            f"serialize_args packs None, bool, int, float, str, bytes, and lists, tuples and"
            f" dicts of them: {error}; convert the argument first"
        ) from None
    except (OverflowError, ValueError) as error:
        raise BadInput(f"serialize_args cannot pack {args!r:.200}: {error}") from None
    return packed


def deserialize_args(data: bytes) -> tuple[Any, ...]:
    """Unpack what `serialize_args` has packed; lists and tuples come back as lists.

    Raises:
        BadInput: the bytes are not a packed list of arguments.
    """
    import msgpack

    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"packed arguments are bytes, not {data!r} of type {type(data).__name__}")
    try:
        values = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except Exception as error:  # noqa: BLE001  # msgpack has no base error.
        why = str(error) or type(error).__name__
        raise BadInput(f"these {len(data)} bytes are not packed arguments: {why}") from None
    if not isinstance(values, list):
        raise BadInput(
            f"these {len(data)} bytes are a packed {type(values).__name__}, not a list of arguments"
            " from serialize_args"
        )
    return tuple(values)
