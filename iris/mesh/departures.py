"""What this side of a connection of version 2 sends: from calls to frames that wait.

It owns the lanes, the sums of credit that was spent and the requests without an answer, and turns
each thing that can be said into its frame. It refuses to know records and time limits: those are
the session's, of which it is the other half, apart because there is so much to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from iris.config import NAME_BYTES_MAX
from iris.core.messages import CHAIN_MOST
from iris.errors import BadInput, LimitReached
from iris.mesh import frames as f
from iris.mesh.credit import SMALL_REPLY_BYTES, Spending
from iris.mesh.lanes import CONTROL_BYTES_HIGH, Lanes
from iris.mesh.limits import SessionLimits
from iris.mesh.requests import Requests


class Fates(NamedTuple):
    """What has become of the messages and questions that a session has accepted."""

    forwarded: int
    """The peer has said that it took them."""

    in_doubt: int
    """Written, and not acknowledged: nobody knows."""

    lost: int
    """Never written as a whole, so never delivered."""


class Departures:
    """The base of `SessionV2`: all that it can be told to send.

    The books without an underscore are for `Arrivals`, and not for who owns the connection.

    Args:
        limits: how much may wait.
    """

    __slots__ = (
        "_leaving", "_lost", "_open", "_payload_bytes", "_withdrawn", "lag_s", "lanes", "owed",
        "requests", "spending",
    )  # fmt: skip

    def __init__(self, limits: SessionLimits) -> None:
        self._payload_bytes = limits.payload_bytes
        self._open = True
        self._leaving = False
        self.lanes = Lanes(limits.queued_frames, limits.queued_bytes)
        self.spending = Spending()
        self.requests = Requests(limits.requests)
        self.owed: dict[int, int] = {}
        # Requests of the peer without an answer, and their type.
        self._withdrawn: dict[int, None] = {}
        # Questions that nobody waits for any more; looked for in the lanes at the next flush.
        self._lost = 0
        # Questions withdrawn before they were written.
        self.lag_s = 0.0
        # How much the loop of this node is behind. The owner sets it; pings and pongs carry it.

    # -- what users send ---------------------------------------------------------------------

    def send(
        self, target: int, sender: int, payloads: Sequence[bytes], packed: bool = False
    ) -> int:
        """Send messages from one actor to another.

        Args:
            target: pid at the peer.
            sender: pid here; 0 when no actor sends.
            payloads: of the messages, in order.
            packed: whether they are packed by msgpack.

        Returns:
            How many were accepted, from the first on; the others have no room now.

        Raises:
            BadInput: a payload is over `payload_bytes`; none was accepted.
        """
        if not self._open or self._leaving:
            return 0
        lanes = self.lanes
        count = len(payloads)
        if count == 1:  # The same as below, in half the time.
            payload = payloads[0]
            size = len(payload) + f.MESSAGE_BYTES
            if size > self._payload_bytes:
                self._check_payload(len(payload))
            if not lanes.has_room(1, size):
                return 0
            frame = f.pack_message(target, sender, packed, payload)
            lanes.add((target, sender), [frame], size)
            return 1
        size = sum(map(len, payloads))
        if size > self._payload_bytes:
            self._check_payload(max(map(len, payloads)))
        size += count * f.MESSAGE_BYTES
        if not lanes.has_room(count, size):
            payloads, size = self._fitting(payloads)
        if payloads:
            frames = f.pack_messages(target, sender, packed, payloads)
            lanes.add((target, sender), frames, size)
        return len(payloads)

    def _fitting(self, payloads: Sequence[bytes]) -> tuple[Sequence[bytes], int]:
        """Those of some messages, from the first on, for which there is room, and their bytes."""
        count = size = 0
        for payload in payloads:
            more = size + len(payload) + f.MESSAGE_BYTES
            if not self.lanes.has_room(count + 1, more):
                break
            count, size = count + 1, more
        return payloads[:count], size

    def send_named(self, name: str, sender: int, payload: bytes, packed: bool = False) -> bool:
        """Send a message to whoever has the name at the peer; False when there is no room.

        Raises:
            BadInput: the name is no UTF-8 or too long, or the payload is over `payload_bytes`.
        """
        encoded = _encoded(name)
        self._check_payload(len(payload))
        if not self._open or self._leaving:
            return False
        frame = f.pack_named(encoded, sender, packed, payload)
        return self.lanes.add_one((name, sender), frame)

    def ask(
        self,
        target: int,
        sender: int,
        payload: bytes,
        packed: bool,
        timeout_s: float,
        token: Any,
        now: float,
        chain: Sequence[f.Hop] = (),
    ) -> int:
        """Ask an actor of the peer; `Replied`, `Failed` or `Expired` will bring the token, once.

        Args:
            target: pid at the peer.
            sender: pid here; 0 when no actor asks.
            payload: the question.
            packed: whether it is packed by msgpack.
            timeout_s: when it expires; the peer is told how long it has.
            token: comes back with the answer.
            now: monotonic seconds.
            chain: the actors that wait for this answer.

        Returns:
            A number for `withdraw`; 0 when there is no room, or too many have no answer.

        Raises:
            BadInput: the payload is over `payload_bytes`. LimitReached: the chain is too long.
        """
        self._check_payload(len(payload))
        if len(chain) > CHAIN_MOST:
            raise LimitReached(
                f"{len(chain)} actors wait for each other in one line, over the limit of"
                f" {CHAIN_MOST} between nodes; let one of them send instead of ask"
            )
        if not self._open or self._leaving or self.requests.full:
            return 0
        number = self.requests.add(f.ASK, token, now + timeout_s)
        remaining_ms = int(min(max(1, timeout_s * 1000), f.REMAINING_MS_MOST))
        frame = f.pack_ask(number, target, sender, remaining_ms, chain, packed, payload)
        if not self.lanes.add_ask((target, sender), frame):
            self.requests.withdraw(number)
            return 0
        return number

    def withdraw(self, number: int) -> bool:
        """Wait no more for the answer to a question; False when it has come or expired."""
        if not self.requests.withdraw(number):
            return False
        self._withdrawn[number] = None
        return True

    def _withdraw_from_lanes(self) -> None:
        """Questions that are not written yet never are; of the others the peer is told."""
        withdrawn, self._withdrawn = self._withdrawn, {}

        def unwanted(frame: bytes) -> bool:
            if frame[0] | f.PACKED != f.ASK | f.PACKED:
                return False
            (number,) = f.REQUEST_BODY.unpack_from(frame, f.HEADER.size)
            return withdrawn.pop(number, unwanted) is None

        self._lost += self.lanes.remove(unwanted)
        for number in withdrawn:
            self.lanes.add_control(f.pack_number(f.WITHDRAW, number))

    # -- answers -----------------------------------------------------------------------------

    def reply(self, request: int, payload: bytes, packed: bool = False) -> bool:
        """Answer a question.

        Returns:
            False when nobody waits for it any more, or it found no room: then the peer is told
            that it failed.

        Raises:
            BadInput: the payload is over `payload_bytes`; the question has no answer yet.
        """
        self._check_payload(len(payload))
        if not self._open or self.owed.pop(request, f.RESOLVE) != f.ASK:
            return False
        frame = f.pack_reply(request, packed, payload)
        if len(frame) <= SMALL_REPLY_BYTES:
            self.lanes.add_control(frame)
        elif not self.lanes.add_reply(frame):
            text = f"an answer of {len(payload)} bytes found no room on the way; ask again later"
            self.lanes.add_control(f.pack_failed(request, "full", text))
            return False
        return True

    def fail(self, request: int, word: str, text: str) -> bool:
        """Say that a question has no answer; False when nobody waits for it any more."""
        if not self._open or self.owed.pop(request, f.RESOLVE) != f.ASK:
            return False
        self.lanes.add_control(f.pack_failed(request, word, self._affordable(text)))
        return True

    def resolved(self, request: int, pid: int) -> bool:
        """Answer a question for a name, 0 for nobody; False when there is no such question."""
        if not self._open or self.owed.pop(request, f.ASK) != f.RESOLVE:
            return False
        self.lanes.add_control(f.pack_pair(f.RESOLVED, request, pid))
        return True

    def undeliverable(self, pid: int, sender: int, count: int) -> bool:
        """Tell that so many messages of a sender found nobody at the pid; 0: at a name."""
        return self._tell(f.pack_undeliverable(pid, sender, count))

    def down(self, ref: int, pid: int, by: int, reason: str, text: str = "") -> bool:
        """Tell that an actor has ended which the peer monitors: why, and through whom.

        Raises:
            BadInput: `reason` is none of `REASONS`.
        """
        place = _place(reason)
        return self._tell(f.pack_end(f.DOWN, ref, pid, by, place, self._affordable(text)))

    def exit(self, ours: int, theirs: int, by: int, reason: str, text: str = "") -> bool:
        """Tell that an actor has ended which is linked to one of the peer.

        Raises:
            BadInput: `reason` is none of `REASONS`.
        """
        place = _place(reason)
        return self._tell(f.pack_end(f.EXIT, ours, theirs, by, place, self._affordable(text)))

    def _affordable(self, text: str) -> str:
        return "" if self.lanes.control_bytes > CONTROL_BYTES_HIGH else text

    def _tell(self, frame: bytes) -> bool:
        if not self._open or self.lanes.crowded:
            return False
        self.lanes.add_control(frame)
        return True

    # -- what this side wants ----------------------------------------------------------------

    def resolve(self, name: str, timeout_s: float, token: Any, now: float) -> int:
        """Ask for a name; `Resolved` or `Expired` will bring the token, once.

        Returns:
            The number of the request; 0 when too many have no answer.

        Raises:
            BadInput: the name is no UTF-8 or too long.
        """
        encoded = _encoded(name)
        if self._refuses or self.requests.full:
            return 0
        number = self.requests.add(f.RESOLVE, token, now + timeout_s)
        self.lanes.add_control(f.pack_resolve(number, encoded))
        return number

    def monitor(self, ref: int, pid: int) -> bool:
        """Ask for one `Down` with this reference when the actor ends; False: no room now."""
        return not self._refuses and self._tell(f.pack_pair(f.MONITOR, ref, pid))

    def demonitor(self, ref: int) -> bool:
        """Take that back; a `Down` may be on its way already."""
        return self._tell(f.pack_number(f.DEMONITOR, ref))

    def link(self, ours: int, theirs: int) -> bool:
        """Two actors are to be told of each other's end; False: no room now."""
        return not self._refuses and self._tell(f.pack_pair(f.LINK, ours, theirs))

    def unlink(self, ours: int, theirs: int) -> bool:
        """They are not any more; an `Exit` may be on its way already."""
        return self._tell(f.pack_pair(f.UNLINK, ours, theirs))

    def ping(self, number: int) -> bool:
        """Ask for a sign of life; `Ponged` brings the number. Carries `lag_s`."""
        return self._tell(f.pack_sign(f.PING, number, int(self.lag_s * 1e6)))

    def goodbye(self) -> bool:
        """Say that this side leaves. What waits is still written; `queued` tells how much."""
        self._leaving = True
        return self._tell(f.GOODBYE_FRAME)

    @property
    def _refuses(self) -> bool:
        return (
            not self._open
            or self._leaving
            or self.lanes.control_bytes > CONTROL_BYTES_HIGH
        )

    # -- how it stands -----------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """Messages, questions and large answers that wait to be written."""
        return self.lanes.queued

    @property
    def queued_bytes(self) -> int:
        """Of their frames."""
        return self.lanes.queued_bytes

    @property
    def credit_bytes(self) -> int:
        """What may be written now of all that costs credit."""
        return self.spending.left

    @property
    def late(self) -> int:
        """Answers that came when nobody waited for them any more."""
        return self.requests.late

    @property
    def unasked(self) -> int:
        """Answers that came to what was never asked."""
        return self.requests.unasked

    @property
    def unacknowledged(self) -> int:
        """Messages and questions that are written, and of which the peer has not said more."""
        return self.spending.messages - self.spending.acknowledged

    def take_lost(self) -> int:
        """How many questions were withdrawn before they were written, since the last call."""
        lost, self._lost = self._lost, 0
        return lost

    def outstanding(self) -> list[Any]:
        """The tokens of the requests without an answer, the oldest first, to be failed."""
        return self.requests.tokens()

    def _check_payload(self, size: int) -> None:
        if size > self._payload_bytes:
            raise BadInput(
                f"a payload of {size} bytes is over payload_bytes={self._payload_bytes};"
                " send less at a time, or raise it on both nodes"
            )


def _encoded(name: str) -> bytes:
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise BadInput(f"name {name!r:.100} has half a surrogate pair in it") from None
    if len(encoded) > NAME_BYTES_MAX:
        raise BadInput(f"a name of {len(encoded)} bytes is over the limit of {NAME_BYTES_MAX}")
    return encoded


def _place(reason: str) -> int:
    try:
        return f.REASONS.index(reason)
    except ValueError:
        raise BadInput(f"{reason!r} is no reason of an end: {', '.join(f.REASONS)}") from None
