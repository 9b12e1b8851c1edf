"""Buffers: blocks of memory that are filled in place and handed to an actor without a copy.

The blocks that nobody has sent yet are listed here, for the whole process, by id. The list
does not keep them: that is the owner's, and a block whose owner is dropped is gone with it.
Every step that matters is one operation of a dict, so there is no lock that the end of an
owner, which may come at any moment and in any thread, could have to wait for.
"""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Any, Callable, Optional

from iris.config import BUFFER_BYTES_MAX, BUFFERS_MAX, whole_number
from iris.errors import IrisError, LimitReached
from iris.run.delivery import check_pid

_ids = count(1)
_unsent: dict[int, weakref.ref[BufferOwner]] = {}
# Any thread. Whoever pops an id has the block; no other will find it.


class BufferOwner:
    """Keeps a buffer of `allocate_buffer` until it is sent or released.

    Attributes:
        id: what `send_buffer` takes.
        size: bytes.

    As a context manager it releases at the end of the block. When the owner is dropped, an
    unsent buffer is freed: at once on CPython, with the next garbage collection on PyPy.
    """

    __slots__ = ("__weakref__", "_memory", "_view", "id", "size")

    def __init__(self, buffer_id: int, memory: bytearray) -> None:
        self.id = buffer_id
        self.size = len(memory)
        self._memory: Optional[bytearray] = memory
        # None once it is sent or released.
        self._view = memoryview(memory)

    @property
    def view(self) -> memoryview:
        """The writable view; using it after the buffer was sent or released raises ValueError."""
        return self._view

    def release(self) -> None:
        """Give up an unsent buffer: its id is void, its view unusable, its memory free.

        Without effect on a buffer that is sent or released already: a receiver keeps what it
        has. From any thread; does not wait.
        """
        _unsent.pop(self.id, None)
        self._let_go()

    def _let_go(self) -> None:
        self._memory = None
        with suppress(BufferError):
            # Raised where something made of the view still lives, an array say. The memory
            # lives as long; nobody can take it from them.
            self._view.release()

    def __enter__(self) -> BufferOwner:  # noqa: PYI034  # Self needs a newer Python or a dependency.
        """Enter the block whose end releases the buffer."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Release; an exception of the block goes on."""
        self.release()


def allocate_buffer(size: int) -> tuple[int, memoryview, BufferOwner]:
    """Allocate memory that can be filled in place and sent to an actor without a copy.

    Args:
        size: bytes, 1 to 2**30.

    Returns:
        `(id, view, owner)`: the id for `send_buffer`, a writable memoryview of zeros, and the
        object that keeps the buffer; see `BufferOwner`.

    Raises:
        TypeError, BadInput: a wrong size.
        LimitReached: 65,536 buffers of this process are neither sent nor released.
        MemoryError: there is no room for it.

    From any thread; does not wait.
    """
    whole_number("size", size, least=1, most=BUFFER_BYTES_MAX)
    if len(_unsent) >= BUFFERS_MAX:
        # PyPy sees only now which owners were dropped.
        gc.collect()
    owner = BufferOwner(next(_ids), bytearray(size))
    _list(owner)
    if len(_unsent) > BUFFERS_MAX:
        # Looked at after it was listed: so of many threads none gets past the limit.
        owner.release()
        raise LimitReached(
            f"{BUFFERS_MAX} buffers of this process are neither sent nor released; send or"
            " release some, or drop their owners, before allocating more"
        )
    return owner.id, owner.view, owner


def _list(owner: BufferOwner) -> None:
    buffer_id = owner.id

    def dropped(_: Any) -> None:
        _unsent.pop(buffer_id, None)

    _unsent[buffer_id] = weakref.ref(owner, dropped)


class Buffers:
    """The sending of buffers in one runtime.

    Args:
        send: sends as users do, and does not copy.
    """

    def __init__(self, send: Callable[[int, Any], bool]) -> None:
        self._send = send

    def send(self, pid: int, buffer_id: int) -> bool:
        """Send the buffer with this id; False when there is none, or the mailbox said no.

        The id is void while the send goes on, so that of several senders one has it. It is
        good again when the mailbox has said no.
        """
        check_pid(pid)
        if type(buffer_id) is not int:
            raise TypeError(
                f"a buffer's id is the int that allocate_buffer gave, not {buffer_id!r}"
                f" of type {type(buffer_id).__name__}"
            )
        listed = _unsent.pop(buffer_id, None)
        owner = None if listed is None else listed()
        memory = None if owner is None else owner._memory
        if owner is None or memory is None:
            return False
        try:
            accepted = self._send(pid, memoryview(memory).toreadonly())
        except IrisError:
            # Refused before anything happened: a wait that cannot be.
            _give_back(owner)
            raise
        if accepted:
            owner._let_go()
        else:
            _give_back(owner)
        return accepted


def _give_back(owner: BufferOwner) -> None:
    if owner._memory is not None:
        _list(owner)
