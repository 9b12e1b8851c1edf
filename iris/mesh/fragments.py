"""A frame that came in fragments and is not whole yet.

One at a time on a connection: whoever cuts a frame sends all of it before cutting the next. Its
bytes are held in one growing array, so it holds what has come and never what was announced.
"""

from __future__ import annotations

from typing import Optional

from iris.mesh import frames as f
from iris.mesh.wire import WireError

CARRIED_MOST = f.REPLY | f.PACKED
"""The types up to this one carry a payload; no other frame is ever large."""


class Assembly:
    """What has come of such a frame.

    Args:
        payload_bytes: of its payload at most.
    """

    __slots__ = ("_bytes", "_whole_bytes", "_whole_bytes_most", "came_bytes")

    def __init__(self, payload_bytes: int) -> None:
        self._whole_bytes_most = payload_bytes + f.INNER_BYTES_MOST - f.PAYLOAD_BYTES_MOST
        self._bytes = bytearray()
        self._whole_bytes = 0
        # Invariant: 0 while there is no frame, else more than len(self._bytes).
        self.came_bytes = 0
        # Of its fragments with their headers: what they cost.

    def __len__(self) -> int:
        return len(self._bytes)

    def begin(self, whole_bytes: int, data: bytes) -> None:
        """The first fragment has come.

        Raises:
            WireError: another frame is not whole yet, or this one cannot be.
        """
        if self._whole_bytes:
            raise WireError("fragment", "a frame begins before the one in fragments is whole")
        if not len(data) < whole_bytes <= self._whole_bytes_most:
            raise WireError(
                "fragment",
                f"a frame of {whole_bytes} bytes comes in fragments, the first of {len(data)}; it"
                f" has more, and {self._whole_bytes_most} at most",
            )
        kind, size = f.HEADER.unpack_from(data)
        if kind > CARRIED_MOST or size != whole_bytes - f.HEADER.size:
            raise WireError(
                "fragment",
                f"a frame of type {kind:#04x} and {size} bytes comes in fragments as one of"
                f" {whole_bytes} bytes",
            )
        self._whole_bytes = whole_bytes
        self._bytes += data
        self.came_bytes = f.FIRST_HEADER_BYTES + len(data)

    def add(self, data: bytes) -> Optional[bytes]:
        """A further fragment has come; gives the frame when that was the last.

        Raises:
            WireError: there is no frame to which it could belong, or it has too much.
        """
        if not self._whole_bytes:
            raise WireError("fragment", "a fragment came before the first of its frame")
        self._bytes += data
        self.came_bytes += f.HEADER.size + len(data)
        if len(self._bytes) < self._whole_bytes:
            return None
        if len(self._bytes) > self._whole_bytes:
            raise WireError(
                "fragment",
                f"the fragments of a frame have {len(self._bytes)} bytes; it has"
                f" {self._whole_bytes}",
            )
        whole = bytes(self._bytes)
        self.drop()
        return whole

    def drop(self) -> None:
        """Forget the bytes."""
        self._bytes = bytearray()
        self._whole_bytes = 0
