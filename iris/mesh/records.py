"""Records of version 2: the stream of a connection in pieces that nobody can bend unseen.

One object for each direction: a `Sealer` makes records, an `Opener` takes them apart. Neither
knows what is in them, and how keys and tags are agreed on is the matter of `iris.mesh.secure`.
What an `Opener` gives out has come from the other side, in this order, each piece once. That
nothing is missing at the end is not to be seen here: the last frame of a connection says so.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from hmac import compare_digest
from struct import Struct
from typing import Optional

from iris.errors import BadInput, InternalError
from iris.mesh.unfinished import Unfinished
from iris.mesh.wire import WireError, WireLimits

RECORD_BYTES_MAX = 1 << 16
"""Of what is in one record: large enough that its tag costs little a byte, small enough that
something urgent does not wait long behind it."""

TAG_BYTES = 16
"""Of the HMAC: who guesses has one try, because the connection is closed at a wrong one."""

HEADER = Struct(">I")
"""How many bytes are in the record."""

_COUNTED = Struct(">QI")
"""What the tag covers in front of these bytes: the number of the record, and their length."""

_STEP_BYTES = 2047 if sys.implementation.name == "cpython" else RECORD_BYTES_MAX
"""What is hashed at a time. CPython lets go of the GIL for 2,048 bytes or more, and a thread beside
a busy one gets it back after 5 ms: 13 MB/s in place of 700, for 10 % more time while all else is
idle (3.11). PyPy lets go of it for every call."""

_INNER, _OUTER = bytes(b ^ 0x36 for b in range(256)), bytes(b ^ 0x5C for b in range(256))

_length = HEADER.unpack_from


class _Tags:
    """The tags of one direction, in their order: an HMAC-SHA256 with the first steps done.

    `hmac.new` for each record takes twice as long where records are short. It also leaves no key
    behind: only what SHA-256 has made of it.
    """

    __slots__ = ("_inner", "_next", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) != sha256().digest_size:
            raise BadInput(f"a key of {len(key)} bytes for records; give {sha256().digest_size}")
        block = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(block.translate(_INNER))
        self._outer = sha256(block.translate(_OUTER))
        self._next = 0
        # The number of the next record. It cannot come to 2**64 while a connection lives.

    def next(self, piece: bytes) -> bytes:
        """The tag of the next record, with this in it."""
        inner, outer = self._inner.copy(), self._outer.copy()
        update = inner.update
        update(_COUNTED.pack(self._next, len(piece)))
        for at in range(0, len(piece), _STEP_BYTES):
            update(piece[at : at + _STEP_BYTES])
        outer.update(inner.digest())
        self._next += 1
        return outer.digest()[:TAG_BYTES]


class Sealer:
    """Makes the records of one direction.

    Args:
        key: the 32 bytes for this direction; None for records without tags, inside of TLS or where
            no key is wanted.

    Raises:
        BadInput: a key of another length.
    """

    __slots__ = ("_tags",)

    def __init__(self, key: Optional[bytes]) -> None:
        self._tags = None if key is None else _Tags(key)

    def seal(self, plaintext: bytes) -> bytes:
        """The next record, with these bytes in it; records are to be sent in this order.

        Args:
            plaintext: 1 to 65,536 bytes.

        Raises:
            InternalError: none, or more of them.
        """
        if not 1 <= len(plaintext) <= RECORD_BYTES_MAX:
            raise InternalError(
                f"a record of {len(plaintext)} bytes; there are 1 to {RECORD_BYTES_MAX} in one"
            )
        header = HEADER.pack(len(plaintext))
        if self._tags is None:
            return header + plaintext
        return b"".join((header, plaintext, self._tags.next(plaintext)))


class Opener:
    """Takes the records of one direction apart.

    Args:
        key: that of the other side's `Sealer`; None for records without tags.
        limits: how long a record that has begun may take.

    Raises:
        BadInput: a key of another length.
    """

    __slots__ = ("_open", "_tags", "_unfinished")

    def __init__(self, key: Optional[bytes], limits: WireLimits) -> None:
        self._tags = None if key is None else _Tags(key)
        self._unfinished = Unfinished(limits)
        self._open = True

    @property
    def held(self) -> int:
        """Bytes that are held of a record which is not whole yet; at the end of a connection they
        say that it was cut."""
        return len(self._unfinished)

    @property
    def deadline(self) -> Optional[float]:
        """When `check` is to be called; None for never. Each `receive_data` may move it."""
        return self._unfinished.deadline

    def check(self, now: float) -> Optional[WireError]:
        """Whether the peer has taken too long; then the connection is to be closed.

        Bytes that come after the deadline and before this call are in time.
        """
        deadline = self._unfinished.deadline
        if deadline is None or now < deadline:
            return None
        error = self._unfinished.overdue()
        self._shut()
        return error

    def receive_data(self, data: bytes, now: float) -> tuple[list[bytes], Optional[WireError]]:
        """What was in the records that these bytes complete, and what is wrong after them.

        How the bytes are cut into chunks changes nothing. What is given out was sealed by the
        other side even where an error follows; after an error nothing comes.

        Args:
            data: the next bytes of the connection.
            now: when they came, in monotonic seconds.

        Returns:
            The plaintexts, and None or a WireError, at which the connection is to be closed:
            "record" for a length out of range, "tag" for bytes that were bent, left out, sent
            again or moved.
        """
        plaintexts: list[bytes] = []
        if not self._open or not data:
            return plaintexts, None
        data = self._unfinished.joined(data, now)
        if not data:
            return plaintexts, None
        tags = self._tags
        around = HEADER.size + (TAG_BYTES if tags is not None else 0)
        offset, end = 0, len(data)
        needed = HEADER.size
        while end - offset >= HEADER.size:
            (size,) = _length(data, offset)
            if not 1 <= size <= RECORD_BYTES_MAX:
                return plaintexts, self._broken(
                    "record", f"a record of {size} bytes; it has from 1 to {RECORD_BYTES_MAX}"
                )
            needed = around + size
            if end - offset < needed:
                break
            start = offset + HEADER.size
            plaintext = data[start : start + size]
            offset += needed
            if tags is not None and not compare_digest(
                tags.next(plaintext), data[start + size : offset]
            ):
                return plaintexts, self._broken(
                    "tag",
                    f"the tag of a record of {size} bytes is wrong: bytes were bent, left out, sent"
                    " again or moved on their way",
                )
            plaintexts.append(plaintext)
            needed = HEADER.size
        self._unfinished.keep(data, offset, needed, now)
        return plaintexts, None

    def _broken(self, kind: str, text: str) -> WireError:
        self._shut()
        return WireError(kind, text)

    def _shut(self) -> None:
        self._open = False
        self._unfinished.drop()
