"""A frame that is not whole: the bytes that have come of it, and how long the rest may take.

Used by both sides of a connection. It refuses to know what a frame is: whoever reads the bytes
says how many more there are at least.
"""

from __future__ import annotations

from typing import Optional

from iris.mesh.wire import WireError, WireLimits


class Unfinished:
    """What has come of a frame that is not whole yet, and how long the rest may take.

    Its bytes are kept in one growing array: as a list of chunks, a frame that comes byte by byte
    would hold many times its size, and joined with each chunk it would be copied again and again.
    """

    __slots__ = ("_begun", "_bytes", "_heard", "_limits", "_whole_bytes")

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._bytes = bytearray()
        self._whole_bytes = 0
        # What the frame has at least: its header, or all of it once that is there.
        # Invariant: more than len(self._bytes), while there are any.
        self._begun = self._heard = 0.0
        # When the first and the last of the bytes came.

    def __len__(self) -> int:
        return len(self._bytes)

    def joined(self, data: bytes, now: float) -> bytes:
        """All bytes from the beginning of the frame on; b"" while it cannot be whole yet."""
        held = self._bytes
        if not held:
            return data
        if len(held) + len(data) < self._whole_bytes:
            held += data
            self._heard = now
            return b""
        return bytes(held) + data  # Joining takes twice as long on PyPy.

    def keep(self, data: bytes, offset: int, whole_bytes: int, now: float) -> None:
        """The frame at this offset of what `joined` gave is not whole, or there is none at all."""
        if offset == len(data):
            if self._bytes:
                self._bytes = bytearray()
            return
        if offset or not self._bytes:
            self._begun = now  # Otherwise it is still the frame that had begun before.
        self._bytes = bytearray(data[offset:])
        self._whole_bytes = whole_bytes
        self._heard = now

    def drop(self) -> None:
        """Forget the bytes."""
        self._bytes = bytearray()

    @property
    def deadline(self) -> Optional[float]:
        """When the peer has taken too long; None while no frame has begun."""
        if not self._bytes:
            return None
        limits = self._limits
        return min(self._heard + limits.progress_s, self._begun + limits.frame_s)

    def overdue(self) -> WireError:
        """What is wrong at the deadline."""
        limits, held = self._limits, len(self._bytes)
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
