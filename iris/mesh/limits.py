"""What the owner of a connection of version 2 may set, with the reason for each value.

What both sides have to agree on cannot be set: it stands in `iris.mesh.frames`.
"""

from __future__ import annotations

from dataclasses import dataclass

from iris.config import some_seconds, whole_number
from iris.mesh.credit import FIRST_CREDIT_BYTES, WINDOW_BYTES_MOST
from iris.mesh.frames import PAYLOAD_BYTES_MOST
from iris.mesh.requests import REQUESTS_MOST


@dataclass(frozen=True)
class SessionLimits:
    """How much may wait on one connection. Out of range: TypeError or BadInput."""

    window_bytes: int = 1 << 20
    """What the peer may have written here that was not taken."""

    queued_frames: int = 4096
    """Messages that wait to be written; and as many small questions and answers."""

    queued_bytes: int = 1 << 22
    """Of all of them; a message that is larger waits alone."""

    payload_bytes: int = PAYLOAD_BYTES_MOST
    """Of one payload, in both directions. A peer that sends more breaks the connection."""

    requests: int = REQUESTS_MOST
    """Questions of this side without an answer."""

    progress_s: float = 60.0
    """How long a peer may leave a frame in fragments unfinished while it could go on."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("window_bytes", FIRST_CREDIT_BYTES, WINDOW_BYTES_MOST),
            ("queued_frames", 1, 1 << 24),
            ("queued_bytes", 1, 1 << 32),
            ("payload_bytes", 1, PAYLOAD_BYTES_MOST),
            ("requests", 1, REQUESTS_MOST),
        ):
            whole_number(name, getattr(self, name), least=least, most=most)
        some_seconds("progress_s", self.progress_s)
