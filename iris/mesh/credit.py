"""Flow control: how much each side of a connection may write, and how much of it was taken.

Two small sums, one for each direction. They own no frame and refuse to know what one holds: they
count bytes of frames that cost credit, and messages among them. A grant says how many messages
were taken so far and how many bytes may be written in all. Both only ever grow, so a grant
acknowledges, too, and one that is late or comes twice does no harm.

Frames that carry what users send cost credit, because they fill mailboxes; a small answer does
not, because the one who waits for it has made room. Whatever keeps a connection going never does:
two nodes that flood each other could otherwise wait for each other's grant for ever.
"""

from __future__ import annotations

from typing import Optional

from iris.errors import InternalError
from iris.mesh.frames import FIRST, MORE, PACKED, RECORD_BYTES, REPLY
from iris.mesh.wire import WireError

FIRST_CREDIT_BYTES = RECORD_BYTES
"""What each side may write before the first grant of the other, and so the smallest window: any
frame fits into it."""

WINDOW_BYTES_MOST = 1 << 30

SMALL_REPLY_BYTES = 1024
"""An answer whose frame is at most so long costs no credit."""

ACKNOWLEDGE_S = 0.05
"""How long what was taken may wait to be told, for more of it and for a frame to go with."""


def is_credited(kind: int, size: int) -> bool:
    """Whether a frame of this type and whole length costs credit."""
    if kind <= REPLY | PACKED:
        return kind < REPLY or size > SMALL_REPLY_BYTES
    return kind in {FIRST, MORE}


class Spending:
    """What this side writes, and what the peer allows."""

    __slots__ = ("acknowledged", "allowed", "messages", "spent")

    def __init__(self) -> None:
        self.allowed = FIRST_CREDIT_BYTES
        # Bytes in all.
        self.spent = 0
        # Bytes written. Invariant: at most `allowed`.
        self.messages = 0
        # Whole messages and questions written.
        self.acknowledged = 0
        # Those of them that the peer has taken. Invariant: at most `messages`.

    @property
    def left(self) -> int:
        """Bytes that may be written now."""
        return self.allowed - self.spent

    def spend(self, size: int, messages: int) -> None:
        """So many bytes, with so many whole messages, are being written."""
        self.spent += size
        self.messages += messages
        if self.spent > self.allowed:
            raise InternalError(f"{self.spent} bytes written, {self.allowed} were allowed")

    def granted(self, acknowledged: int, allowed: int) -> None:
        """The peer has granted.

        Raises:
            WireError: it takes something back, or acknowledges what was never written.
        """
        if acknowledged < self.acknowledged or allowed < self.allowed:
            raise WireError(
                "credit",
                f"a grant of {allowed} bytes and {acknowledged} messages is below the last one of"
                f" {self.allowed} and {self.acknowledged}",
            )
        if acknowledged > self.messages:
            raise WireError(
                "credit", f"{acknowledged} messages acknowledged, {self.messages} were written"
            )
        self.acknowledged = acknowledged
        self.allowed = allowed


class Taking:
    """What the peer writes, and what this side allows.

    Args:
        window: bytes that may be on their way or wait to be taken.
    """

    __slots__ = (
        "_held", "_messages", "_news", "_received", "_taken", "_taken_messages", "_told", "_window",
        "due",
    )  # fmt: skip

    def __init__(self, window: int) -> None:
        self._window = window
        self._received = self._messages = 0
        # Bytes, and messages, that have come.
        self._taken = self._taken_messages = 0
        # Those of them that were handled, or given up. Invariant: at most those that have come.
        self._held = 0
        # Bytes of fragments whose frame is not whole. They make room for those that follow, or a
        # frame larger than the window would never be whole; once it is, they are like any others.
        self._told = FIRST_CREDIT_BYTES
        # What the last grant allowed.
        self._news = False
        # Whether anything was taken or held since.
        self.due: Optional[float] = None
        # When that may no longer wait for company; None while there is none, and afterwards.

    def came(self, size: int, messages: int) -> None:
        """Frames have come.

        Raises:
            WireError: the peer had not so much credit.
        """
        self._received += size
        self._messages += messages
        if self._received > self._told:
            raise WireError(
                "credit", f"{self._received} bytes came, {self._told} were allowed; wait for more"
            )

    def take(self, size: int, messages: int, now: float) -> None:
        """Some of what has come is handled, or given up: the peer may write as much again.

        Raises:
            InternalError: so much has not come.
        """
        self._taken += size
        self._taken_messages += messages
        if self._taken > self._received or self._taken_messages > self._messages:
            raise InternalError(
                f"{self._taken} bytes and {self._taken_messages} messages taken, {self._received}"
                f" and {self._messages} have come"
            )
        self._changed(now)

    def hold(self, size: int, now: float) -> None:
        """So many bytes are held of a frame that is not whole."""
        self._held = size
        self._changed(now)

    def _changed(self, now: float) -> None:
        if not self._news:
            self._news = True
            self.due = now + ACKNOWLEDGE_S

    @property
    def left(self) -> int:
        """Bytes that the peer may write now."""
        return self._told - self._received

    @property
    def untaken(self) -> tuple[int, int]:
        """Bytes, and messages, that have come and were not taken."""
        return self._received - self._taken, self._messages - self._taken_messages

    def ripen(self, now: float) -> None:
        """The time has come to `due`: what there is to tell waits for nothing more."""
        if self.due is not None and now >= self.due:
            self.due = None

    def grant(self, now: float, in_company: bool) -> Optional[tuple[int, int]]:
        """What is to be told to the peer now: messages taken, bytes allowed.

        Args:
            now: monotonic seconds.
            in_company: other frames are being written, so that a grant costs next to nothing.

        Returns:
            None while it can wait, or when there is nothing new.
        """
        allowed = max(self._told, self._taken + self._window + self._held)
        if allowed - self._told < self._window >> 2 and not self._is_due(now, in_company):
            return None
        self._news = False
        self.due = None
        self._told = allowed
        return self._taken_messages, allowed

    def _is_due(self, now: float, in_company: bool) -> bool:
        return self._news and (in_company or self.due is None or now >= self.due)
