"""A frame that is not whole: the bytes that have come of it, and how long the rest may take.

Used by both sides of a connection. It refuses to know what a frame is: whoever reads the bytes
says how many more there are at least.
"""

from __future__ import annotations

from typing import Optional, Union

from iris.mesh.wire import WireError, WireLimits

SMALL_BYTES = 4096
"""Pieces smaller than this are put together: each piece by itself costs some dozens of bytes."""


class Unfinished:
    """What has come of a frame that is not whole yet, and how long the rest may take.

    Its bytes are kept as they came, in pieces: one array that grows would be moved again and again,
    and leave as much free memory behind, between those of others, as the frame itself takes. Small
    pieces are put together, or a frame that comes byte by byte would hold many times its size.
    """

    __slots__ = ("_begun", "_bytes", "_heard", "_limits", "_pieces", "_whole_bytes")

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._pieces: list[Union[bytes, bytearray]] = []
        self._bytes = 0
        # Of all pieces together.
        self._whole_bytes = 0
        # What the frame has at least: its header, or all of it once that is there.
        # Invariant: more than `_bytes`, while there are any.
        self._begun = self._heard = 0.0
        # When the first and the last of the bytes came.

    def __len__(self) -> int:
        return self._bytes

    def joined(self, data: bytes, now: float) -> bytes:
        """All bytes from the beginning of the frame on; b"" while it cannot be whole yet."""
        if not self._bytes:
            return data
        pieces = self._pieces
        if self._bytes + len(data) < self._whole_bytes:
            self._bytes += len(data)
            self._heard = now
            if len(data) >= SMALL_BYTES:
                pieces.append(data)
            elif type(pieces[-1]) is bytearray and len(pieces[-1]) < SMALL_BYTES:
                pieces[-1] += data
            else:
                pieces.append(bytearray(data))
            return b""
        if len(pieces) == 1:
            return bytes(pieces[0]) + data  # Joining takes twice as long on PyPy.
        return b"".join([*pieces, data])

    def keep(self, data: bytes, offset: int, whole_bytes: int, now: float) -> None:
        """The frame at this offset of what `joined` gave is not whole, or there is none at all."""
        if offset == len(data):
            if self._bytes:
                self.drop()
            return
        if offset or not self._bytes:
            self._begun = now  # Otherwise it is still the frame that had begun before.
        self._pieces = [data[offset:]]
        self._bytes = len(data) - offset
        self._whole_bytes = whole_bytes
        self._heard = now

    def drop(self) -> None:
        """Forget the bytes."""
        self._pieces = []
        self._bytes = 0

    @property
    def deadline(self) -> Optional[float]:
        """When the peer has taken too long; None while no frame has begun."""
        if not self._bytes:
            return None
        limits = self._limits
        return min(self._heard + limits.progress_s, self._begun + limits.frame_s)

    def overdue(self) -> WireError:
        """What is wrong at the deadline."""
        limits, held = self._limits, self._bytes
        if self._begun + limits.frame_s <= self._heard + limits.progress_s:
            return WireError(
                "slow",
                f"a frame is not whole after frame_s={limits.frame_s:g} seconds; {held} of"
                f" {self._whole_bytes} bytes or more are there",
            )
        return WireError(
            "progress",
            f"a frame stands still for progress_s={limits.progress_s:g} seconds; {held} of"
            f" {self._whole_bytes} bytes or more are there",
        )
