"""Version 1 of the protocol of the mesh: bytes in, events and bytes out.

One object for each side of a connection. It owns what is to be sent and who is owed an answer;
what has come of a frame that is not whole is in `iris.mesh.unfinished`. It refuses to know
sockets, clocks and threads: bytes and the time are arguments, and the owner of the connection
carries out what comes back. Neither class raises because of what a peer does: what is wrong comes
as the last event, `Broken`, after those of all that was right.

Version 1 has no ids of requests: answers come in the order of the questions, on both sides.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Optional, Union

from iris.errors import InternalError
from iris.mesh.unfinished import Unfinished
from iris.mesh.wire import (
    ANSWER,
    PING,
    PING_FRAME,
    PONG,
    PONG_FRAME,
    RESOLVE,
    RESOLVE_HEADER,
    USER,
    USER_HEADER,
    VERSION_1,
    WireError,
    WireLimits,
    pack_answer,
    pack_resolve,
    pack_user,
)

_user_header = USER_HEADER.unpack_from
_resolve_header = RESOLVE_HEADER.unpack_from
_answer = ANSWER.unpack_from
_new = tuple.__new__
# What `Messages(...)` comes to, without the function in between: a sixth of the cost of a message
# where each is for another pid than the one before.


class Messages(NamedTuple):
    """User messages for one pid that came one after the other."""

    pid: int
    payloads: list[bytes]


class Resolve(NamedTuple):
    """The peer asks for a name; `ServerV1.answer` is to be called, in the order of the events."""

    name: str


class Resolved(NamedTuple):
    """The answer to a question for a name; pid 0 says that the peer does not know it."""

    token: Any
    pid: int


class Ponged(NamedTuple):
    """The answer to a ping."""

    token: Any


class Broken(NamedTuple):
    """The peer has broken the protocol; the connection is to be closed. The last event."""

    error: WireError


Event = Union[Messages, Resolve, Resolved, Ponged, Broken]


class _Side:
    """What both sides of a connection have: a frame that is not whole, and an end."""

    __slots__ = ("_open", "_unfinished")

    def __init__(self, limits: WireLimits) -> None:
        self._open = True
        self._unfinished = Unfinished(limits)

    @property
    def deadline(self) -> Optional[float]:
        """When `check` is to be called; None for never. Each `receive_data` may move it."""
        return self._unfinished.deadline

    def check(self, now: float) -> Optional[WireError]:
        """Whether the peer has taken too long: then the connection is to be closed, as if broken.

        Bytes that come after the deadline and before this call are in time: the peer is not to
        suffer for a node that was too busy to read.
        """
        deadline = self.deadline
        if deadline is None or now < deadline:
            return None
        error = self._overdue()
        self.close()
        return error

    def _overdue(self) -> WireError:
        return self._unfinished.overdue()

    def _broken(self, events: list[Event], kind: str, text: str) -> list[Event]:
        events.append(Broken(WireError(kind, text)))
        self.close()
        return events

    def close(self) -> None:
        """The connection is over: nothing is kept of a frame that is not whole."""
        self._open = False
        self._unfinished.drop()


class ServerV1(_Side):
    """The side that was connected to: gets messages and questions, gives answers.

    Args:
        limits: what the peer may ask.
        now: when the connection was opened, in monotonic seconds.
    """

    __slots__ = ("_greeted", "_limits", "_opened", "_out", "_owed")

    def __init__(self, limits: WireLimits, now: float) -> None:
        super().__init__(limits)
        self._limits = limits
        self._opened = now
        self._greeted = False
        self._out = bytearray()
        self._owed: deque[int] = deque()
        # One entry for each question without an answer: how many pings came between it and the
        # next. A pong must not overtake the answer to an earlier question.

    @property
    def held(self) -> int:
        """Bytes that are held of a frame which is not whole yet."""
        return len(self._unfinished)

    @property
    def deadline(self) -> Optional[float]:
        """When `check` is to be called; None for never. Each `receive_data` may move it."""
        if self._open and not self._greeted:
            return self._opened + self._limits.silent_s
        return self._unfinished.deadline

    def _overdue(self) -> WireError:
        if self._greeted:
            return self._unfinished.overdue()
        return WireError(
            "silent",
            f"no version byte came within silent_s={self._limits.silent_s:g} seconds of the"
            " opening of the connection",
        )

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """What these bytes bring; the first of all is the version byte. Nothing after a `Broken`.

        How the bytes are cut into chunks changes nothing but how `Messages` are grouped.

        Args:
            data: the next bytes of the connection.
            now: when they came, in monotonic seconds.
        """
        events: list[Event] = []
        if not self._open or not data:
            return events
        data = self._unfinished.joined(data, now)
        if not data:
            return events
        offset = 0
        if not self._greeted:
            if data[0] != VERSION_1:
                wrong = f"the first byte is {data[0]:#04x}; version 1 begins with {VERSION_1:#04x}"
                return self._broken(events, "version", wrong)
            self._greeted = True
            offset = 1
        return self._read(data, offset, now, events)

    def _read(self, data: bytes, offset: int, now: float, events: list[Event]) -> list[Event]:
        """Read frame after frame; keep the one that is not whole.

        User messages are read here and not by a call each: this loop is what receiving costs.
        """
        end = len(data)
        header_bytes = needed = USER_HEADER.size
        last_header = end - header_bytes
        payload_bytes = self._limits.payload_bytes
        payloads: list[bytes] = []
        run_pid, add = -1, payloads.append
        while offset < end:
            if data[offset] != USER:
                needed = self._read_other(data, offset, events)
                if not needed:
                    return events
                if offset + needed > end:
                    break
                offset += needed
                run_pid = -1
                continue
            if offset > last_header:
                needed = header_bytes
                break
            _, pid, size = _user_header(data, offset)
            if size > payload_bytes:
                wrong = (
                    f"a payload of {size} bytes is over payload_bytes={payload_bytes}; send less"
                    " at a time, or raise it here"
                )
                return self._broken(events, "payload", wrong)
            start = offset + header_bytes
            stop = start + size
            if stop > end:
                needed = header_bytes + size
                break
            if pid == run_pid:
                add(data[start:stop])
            else:
                payloads = [data[start:stop]]
                events.append(_new(Messages, (pid, payloads)))
                run_pid, add = pid, payloads.append
            offset = stop
        self._unfinished.keep(data, offset, needed, now)
        return events

    def _read_other(self, data: bytes, offset: int, events: list[Event]) -> int:
        """Read a frame that is no user message, if it is whole.

        Returns how many bytes it has, or at least has where its header is not whole; 0 when it
        breaks the protocol.
        """
        kind = data[offset]
        if kind == PING:
            if self._owed:
                self._owed[-1] += 1
            else:
                self._out += PONG_FRAME
            return 1
        if kind == PONG:
            return 1
        if kind != RESOLVE:
            self._broken(events, "type", f"no frame of version 1 has the type {kind:#04x}")
            return 0
        start = offset + RESOLVE_HEADER.size
        if start > len(data):
            return RESOLVE_HEADER.size
        size: int = _resolve_header(data, offset)[1]
        if size > self._limits.name_bytes:
            wrong = (
                f"a name of {size} bytes is over name_bytes={self._limits.name_bytes}; no name is"
                " longer"
            )
            self._broken(events, "name", wrong)
            return 0
        if start + size <= len(data):
            try:
                name = data[start : start + size].decode()
            except UnicodeDecodeError:
                self._broken(events, "utf8", f"a name of {size} bytes is not UTF-8")
                return 0
            self._owed.append(0)
            events.append(Resolve(name))
        return RESOLVE_HEADER.size + size

    def answer(self, pid: int) -> None:
        """Answer the oldest question that has no answer; also after a `Broken`, for those before.

        Args:
            pid: who has the name; 0 for nobody.

        Raises:
            InternalError: every question has its answer.
        """
        if not self._owed:
            raise InternalError(f"pid {pid} answers a question that nobody has asked")
        self._out += pack_answer(pid)
        self._out += PONG_FRAME * self._owed.popleft()

    def data_to_send(self) -> bytes:
        """What is to be sent now, answers and pongs; each byte is given once."""
        if not self._out:
            return b""
        data = bytes(self._out)
        self._out = bytearray()
        return data


class ClientV1(_Side):
    """The side that has connected: sends messages and questions, gets answers.

    It keeps no time of its requests. Their owner does, each from when it was made, and so finds a
    peer that never answers as well as one that begins an answer and never ends it; `deadline` only
    finds the latter sooner. A request whose time is over stays outstanding, because the next
    answer is still its own, if one comes.

    Args:
        limits: how long the peer may take for an answer that has begun.
    """

    __slots__ = ("_out", "_waiting")

    def __init__(self, limits: WireLimits) -> None:
        super().__init__(limits)
        self._out = [bytes([VERSION_1])]
        self._waiting: deque[tuple[bool, Any]] = deque()
        # The requests without an answer in their order: whether it is a question for a name (or
        # else a ping), and its token.

    def send(self, pid: int, payload: bytes) -> None:
        """Send a user message, which is not longer than the peer allows."""
        self._out.append(pack_user(pid, payload))

    def resolve(self, name: str, token: Any) -> None:
        """Ask for a name, which is not longer than the peer allows; `Resolved` brings the token.

        Raises:
            UnicodeEncodeError: the name has half a surrogate pair in it. Nothing was asked.
        """
        self._out.append(pack_resolve(name))
        self._waiting.append((True, token))

    def ping(self, token: Any) -> None:
        """Ask for a sign of life; `Ponged` brings the token."""
        self._out.append(PING_FRAME)
        self._waiting.append((False, token))

    def data_to_send(self) -> bytes:
        """What is to be sent now, the version byte at the first call; each byte is given once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def outstanding(self) -> int:
        """How many requests have no answer."""
        return len(self._waiting)

    def tokens(self) -> list[Any]:
        """The tokens of those requests, the oldest first; also after a `Broken`, to fail them."""
        return [token for _, token in self._waiting]

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """The answers that these bytes bring, however they are cut. Nothing after a `Broken`.

        Args:
            data: the next bytes of the connection.
            now: when they came, in monotonic seconds.
        """
        events: list[Event] = []
        if not self._open or not data:
            return events
        data = self._unfinished.joined(data, now)
        offset, end = 0, len(data)
        while offset < end:
            if not self._waiting:
                return self._broken(events, "answer", "bytes came that answer no request")
            asks, token = self._waiting[0]
            if not asks:
                if data[offset] != PONG:
                    wrong = f"a ping was answered by {data[offset]:#04x} and not by {PONG:#04x}"
                    return self._broken(events, "answer", wrong)
                events.append(Ponged(token))
                offset += 1
            elif offset + ANSWER.size <= end:
                (pid,) = _answer(data, offset)
                events.append(Resolved(token, pid))
                offset += ANSWER.size
            else:
                break
            self._waiting.popleft()
        if data:
            self._unfinished.keep(data, offset, ANSWER.size, now)
        return events
