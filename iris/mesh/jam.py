"""The door of a jam: the admission of all proxies of a peer while the network takes no more.

It counts what lies in their lanes and refuses what is too much. Questions have room of their own,
so that a flood of messages keeps none out: who asks waits for the answer, and so asks no faster
than the peer answers.
"""

from __future__ import annotations

from typing import Any

from iris.config import OTHER_BYTES
from iris.core.mailbox import Verdict
from iris.core.messages import Request, unwrapped

MESSAGES_MOST = 4096
QUESTIONS_MOST = 4096
BYTES_MOST = 16 << 20
"""What may wait for one node while the network takes no more: enough that a sender and a receiver
of the same speed do not stop each other. Four times as many messages were half as fast on CPython:
a sender that is not refused takes the time that the thread of the mesh needs. Messages and
questions may have so many bytes each."""


class _Room:
    """What lies in the lanes of one kind, and how much of it there may be."""

    __slots__ = ("bytes_most", "count", "most", "size")

    def __init__(self, most: int, bytes_most: int) -> None:
        self.most = most
        self.bytes_most = bytes_most
        self.count = self.size = 0

    def take_in(self, size: int) -> bool:
        """Whether one more is accepted. The first always finds room."""
        if self.count >= self.most or (self.count and self.size + size > self.bytes_most):
            return False
        self.count += 1
        self.size += size
        return True

    def change(self, count: int, size: int) -> None:
        """So many more, or fewer; some of those that are taken out were perhaps not counted."""
        self.count = max(0, self.count + count)
        self.size = max(0, self.size + size)


class Jam:
    """Put in and taken away by the mesh; a message that passes the open door in that very moment
    is not counted.

    Args:
        lock: the table lock, for the reason that `iris.core.idle.Idle` gives.
    """

    __slots__ = ("_lock", "_messages", "_questions")

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._messages = _Room(MESSAGES_MOST, BYTES_MOST)
        self._questions = _Room(QUESTIONS_MOST, BYTES_MOST)

    def offer(self, lane: Any, message: Any) -> Verdict:
        """See `iris.core.mailbox.Door`."""
        size = _weight(message)
        with self._lock:
            room = self._questions if type(message) is Request else self._messages
            if not room.take_in(size):
                return Verdict.REFUSED
            lane.append(message)
            return Verdict.ACCEPTED

    def count(self, waiting: list[Any]) -> None:
        """These lay in the lanes before."""
        self._change(waiting, 1)

    def taken(self, items: list[Any]) -> None:
        """These were taken out of the lanes."""
        self._change(items, -1)

    def _change(self, items: list[Any], sign: int) -> None:
        questions = [item for item in items if type(item) is Request]
        asked = sum(map(_weight, questions))
        messages, sent = len(items) - len(questions), sum(map(_weight, items)) - asked
        with self._lock:
            self._messages.change(sign * messages, sign * sent)
            self._questions.change(sign * len(questions), sign * asked)


def _weight(message: Any) -> int:
    """The bytes that a message counts for."""
    data = unwrapped(message)
    return len(data) if isinstance(data, (bytes, bytearray, memoryview)) else OTHER_BYTES
