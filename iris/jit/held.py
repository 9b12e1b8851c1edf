"""Buffers during a call of machine code: where their items lie, and copies of what is written.

CPython lets nobody resize a buffer while it is pinned. PyPy does let, so there the call works on
memory of its own, and what it has written is brought back afterwards; buffers that share memory
share it in the copy too.
"""

from __future__ import annotations

from typing import Any, Optional

from iris.jit.arguments import Given, Items, View
from iris.jit.interpreter import IS_PYPY
from iris.jit.ir import FORMATS, Param, Type
from iris.jit.shim import Block, Pin

# Copies for going back are made up to this size; beyond it Python is as fast as copying.
COPIED_BYTES_MAX = 64 * 2**20

# No format asks for more.
_ALIGNMENT = 16


class Unfit(Exception):
    """The arguments are of the right types, and yet this program must not be called with them."""


class Held:
    """One buffer during a call."""

    __slots__ = ("_at", "_own", "_pin", "_view", "address", "is_written", "items")

    def __init__(self, view: memoryview, is_written: bool) -> None:
        self._view = view.cast("B")
        self.is_written = is_written
        self.items = len(view)
        self._pin: Optional[Pin] = Pin(view, is_written)
        self.address = self._pin.address
        # The memory that the call works on, where that is not the buffer itself, and where in it.
        self._own: Optional[Block] = None
        self._at = 0

    @property
    def size_bytes(self) -> int:
        return len(self._view)

    def copy(self) -> bytes:
        """The items as they are."""
        return self._view.tobytes()

    def restore(self, copy: bytes) -> None:
        """Undo all stores."""
        self._view[:] = copy

    def move(self, own: Block, at: int) -> None:
        """Have the call work on other memory."""
        own.fill(at, self._view)
        self._own, self._at, self._pin, self.address = own, at, None, own.address + at

    def give_back(self) -> None:
        """Bring what was stored to where it belongs."""
        if self._own is not None:
            self._own.read_into(self._at, self._view)


def hold(params: list[Param], given: list[Given]) -> list[Held]:
    """Pin the buffers of a call.

    Raises:
        Unfit: one is not aligned, or is written and cannot be.
    """
    held, moved = [], []
    for param, value in zip(params, given):
        if param.type is not Type.BUFFER:
            continue
        one = _held(param, value)
        held.append(one)
        if isinstance(value, View):
            moved.append(one)
    if IS_PYPY:
        for cluster in _clusters(moved):
            _move(cluster)
    return held


def _held(param: Param, value: Any) -> Held:
    if isinstance(value, Items):
        if param.writable:
            raise Unfit("a list or tuple that is written")
        return Held(memoryview(value.items), False)
    assert isinstance(value, View)
    if param.writable and value.view.readonly:
        raise Unfit("a read-only buffer that is written")
    one = Held(value.view, param.writable)
    # Of no items, the address may be anything.
    if one.items and one.address % FORMATS[param.format].item_bytes:
        raise Unfit("a buffer that is not aligned")
    return one


def copies(written: list[Held]) -> list[bytes]:
    """What is needed to undo all stores.

    Raises:
        Unfit: it would be too much.
    """
    if sum(one.size_bytes for one in written) > COPIED_BYTES_MAX:
        raise Unfit(f"more than {COPIED_BYTES_MAX >> 20} MiB written by a call that may fail")
    return [one.copy() for one in written]


def _clusters(held: list[Held]) -> list[list[Held]]:
    """The buffers, those that share memory together."""
    clusters: list[list[Held]] = []
    end = -1
    for one in sorted((one for one in held if one.items), key=lambda one: one.address):
        if one.address < end:
            clusters[-1].append(one)
        else:
            clusters.append([one])
        end = max(end, one.address + one.size_bytes)
    return clusters


def _move(cluster: list[Held]) -> None:
    """Give buffers that share memory one piece of memory of the call's own."""
    start = cluster[0].address // _ALIGNMENT * _ALIGNMENT
    end = max(one.address + one.size_bytes for one in cluster)
    own = Block(end - start)
    for one in cluster:
        one.move(own, one.address - start)
