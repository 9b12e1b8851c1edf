"""What version 2 is able to do for proxies; that of version 1 is `iris.mesh.outbox.PlainDialect`.

Called by users' threads, so it packs what they send and posts the rest to the thread of the mesh,
where the line is.
"""

from __future__ import annotations

from typing import Any

from iris.core.cell import ActorCell
from iris.core.messages import Ending, Request
from iris.errors import BadInput
from iris.mesh.line import Line
from iris.mesh.payload import Codec
from iris.mesh.proxy import Packed, Proxy
from iris.mesh.streams import Driver


class SessionDialect:
    """What version 2 is able to do; see `iris.mesh.proxy.Dialect`."""

    def __init__(self, codec: Codec, payload_bytes: int, driver: Driver) -> None:
        self.payload_bytes = payload_bytes
        self._codec = codec
        self._driver = driver

    def encode(self, data: Any) -> bytes:
        """Bytes as they are, anything else packed by msgpack."""
        packed, payload = self._codec.encode(data)
        return Packed(payload) if packed else payload

    def encode_question(self, pid: int, data: Any) -> bytes:
        """The same, and not too large."""
        payload = self.encode(data)
        if len(payload) > self.payload_bytes:
            raise BadInput(
                f"the question for actor {pid} has {len(payload)} bytes, over"
                f" payload_bytes={self.payload_bytes}; send less at a time"
            )
        return payload

    def withdrawn(self, proxy: Proxy, request: Request) -> None:
        """Tell the other node, if the question has gone there."""
        self._driver.post(lambda: line_of(proxy).withdraw(request))

    def linked(self, proxy: Proxy, other: ActorCell) -> None:
        """Tell the other node, now and after each break."""
        pid = other.pid
        self._driver.post(lambda: line_of(proxy).link(proxy, pid))

    def unlinked(self, proxy: Proxy, other: ActorCell) -> None:
        """Tell the other node."""
        pid = other.pid
        self._driver.post(lambda: line_of(proxy).unlink(proxy, pid))

    def partner_ended(self, proxy: Proxy, partner: ActorCell, ending: Ending) -> None:
        """The actor there is told; what it does about that, it does itself."""
        pid, by, reason = partner.pid, ending.by, str(ending.reason)
        self._driver.post(lambda: line_of(proxy).exit(proxy, pid, by, reason))


def line_of(proxy: Proxy) -> Line:
    """The line that a proxy of version 2 sends by."""
    line = proxy.outbox.owner  # type: ignore[attr-defined]
    assert isinstance(line, Line)
    return line
