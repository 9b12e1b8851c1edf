"""Weighing: how many bytes lie in all mailboxes of a runtime.

Only where bytes are limited. A cell then has lanes that tell the scale of each message that
enters or leaves them by one of the few calls that the owners of lanes use, so no turn and no
sender knows of it. A batch taken out of such a lane is weighed, too: its messages are queued
until they are handed out one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import accumulate, repeat
from typing import Any, Callable, SupportsIndex

from iris.config import OTHER_BYTES
from iris.core.cell import ActorCell
from iris.core.load import Load
from iris.core.messages import Marker, Request


class Sum:
    """A number that any thread may change by any amount without a lock and without losing one.

    `next()` takes the oldest amount out of a queue and adds it: one C call on CPython, one call of
    RPython on PyPy, which no other thread interrupts; a lock takes as long, and would have to be
    safe against a signal handler that sends. Measured: 130-330 ns, on PyPy 20-35.
    """

    __slots__ = ("_amounts", "_totals")

    def __init__(self) -> None:
        self._amounts: deque[int] = deque()
        self._totals = accumulate(map(deque.popleft, repeat(self._amounts)))

    def add(self, amount: int) -> int:
        """Change the number and return it."""
        self._amounts.append(amount)
        return next(self._totals)

    @property
    def value(self) -> int:
        """The number."""
        # An amount is left in the queue where a signal handler raised in the middle of `add`,
        # and each later call then adds the one before its own.
        for _ in range(len(self._amounts)):
            self.add(0)
        return self.add(0)


class Scale:
    """What the weighed lanes of one runtime tell.

    Args:
        load: says at how many bytes somebody has to look.
    """

    __slots__ = ("_load", "look", "sum")

    look: Callable[[], Any]
    # Called there, by the sender, after its message.

    def __init__(self, load: Load) -> None:
        self.sum = Sum()
        self._load = load

    def put(self, item: Any) -> None:
        """Something has entered a lane."""
        if self.sum.add(weight_of(item)) >= self._load.weigh_at:
            self.look()

    def take(self, item: Any) -> None:
        """Something has left a lane or a batch."""
        self.sum.add(-weight_of(item))


class WeighedList(list[Any]):
    """A lane without a bound, or a batch. Slices move messages between the two, unweighed."""

    __slots__ = ("_scale",)

    def __init__(self, scale: Scale, items: Iterable[Any] = ()) -> None:
        super().__init__(items)
        self._scale = scale

    def append(self, item: Any) -> None:
        """Put a message behind the others."""
        list.append(self, item)
        # In the lane first: cut short by a signal handler that raises, this may weigh too
        # little, and never something that is not there.
        self._scale.put(item)

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Hand a message out."""
        item = list.pop(self, index)
        self._scale.take(item)
        return item

    def copy(self) -> WeighedList:
        """A batch of what is in the lane; the caller takes it out there by a slice."""
        return WeighedList(self._scale, list.copy(self))

    def clear(self) -> None:
        """Hand all out."""
        items = list.copy(self)
        list.clear(self)
        for item in items:
            self._scale.take(item)


class WeighedDeque(deque[Any]):
    """A lane with a bound."""

    __slots__ = ("_scale",)

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._scale = scale

    def append(self, item: Any) -> None:
        """Put a message behind the others."""
        deque.append(self, item)
        self._scale.put(item)

    def popleft(self) -> Any:
        """Hand the oldest message out."""
        item = deque.popleft(self)
        self._scale.take(item)
        return item

    def __delitem__(self, index: SupportsIndex) -> None:  # type: ignore[override]
        """Drop a message."""
        item = self[index]
        deque.__delitem__(self, index)
        self._scale.take(item)


def weigh(scale: Scale, add: Callable[[ActorCell], int]) -> Callable[[ActorCell], int]:
    """Have each cell that is added get weighed lanes first."""

    def add_weighed(cell: ActorCell) -> int:
        bounded = isinstance(cell.user, deque)
        cell.user = WeighedDeque(scale) if bounded else WeighedList(scale)
        return add(cell)

    return add_weighed


def weight_of(item: Any) -> int:
    """The bytes that something in a lane counts for, without calling code of its class."""
    kind = type(item)
    if kind is bytes or kind is str:
        return len(item)
    if kind is Request:
        return weight_of(item.message)
    if kind is memoryview:
        return int(item.nbytes)
    if issubclass(kind, Marker):
        return 0
    if issubclass(kind, bytes):
        return bytes.__len__(item)
    if issubclass(kind, str):
        return str.__len__(item)
    return OTHER_BYTES
