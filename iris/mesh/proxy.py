"""The runner of a proxy: an actor that stands here for one on another node.

A proxy is a cell like any other, and the thread of the mesh is its owner. This module takes
messages out of its lane, as frames, and brings it to its end; when that is done and where the
frames go is the outbox's business. Its end itself is made in the hub of the actors, because hooks
and supervisors are called there and the thread of the mesh must not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable, Protocol

from iris.core.cell import ALIVE, STOPPING, ActorCell, ActorSpec
from iris.core.messages import (
    Ending,
    EndMarker,
    ExitReason,
    FenceMarker,
    LetterReason,
    Marker,
    Request,
)
from iris.core.tally import Fates
from iris.errors import BadInput, InternalError, IrisError
from iris.run.delivery import owned
from iris.run.lifecycle import Lifecycle
from iris.run.requests import Requests
from iris.run.undelivered import Undelivered

ITEM_BYTES = 13
"""What a message counts for besides its payload: the header of its frame, by version 1."""

KILL_S = 1.0
"""What the thread of the mesh needs at most to come round to a proxy that is to end."""

SPEC = ActorSpec("remote", 1, is_remote=True)
"""Of all proxies. The budget has no meaning: what a turn takes is measured in bytes."""


class Packed(bytes):
    """A message that msgpack has packed, on its way to another node."""

    __slots__ = ()


class Dialect(Protocol):
    """What the version of the protocol that a peer speaks is able to do. From any thread."""

    payload_bytes: int
    """Of one message at most."""

    def encode(self, data: Any) -> bytes:
        """What a message that is not bytes goes as; TypeError or BadInput where it cannot."""

    def encode_question(self, pid: int, data: Any) -> bytes:
        """The same for a question to this proxy; ActorError where the peer takes none."""

    def withdrawn(self, proxy: Proxy, request: Request) -> None:
        """The asker of a question to it waits no longer."""

    def linked(self, proxy: Proxy, other: ActorCell) -> None:
        """An actor here was linked to one there."""

    def unlinked(self, proxy: Proxy, other: ActorCell) -> None:
        """It is not any more."""

    def partner_ended(self, proxy: Proxy, partner: ActorCell, ending: Ending) -> None:
        """An actor here has ended that was linked to one there."""


class Outbox(Protocol):
    """Where the messages of a proxy go."""

    def signal(self, proxy: Proxy) -> None:
        """It has something to be taken. From any thread."""

    def ended(self, proxy: Proxy) -> None:
        """It will never have any more. In the hub of the mesh."""


class ProxyShared:
    """What all proxies of a runtime have in common."""

    __slots__ = ("fates", "lifecycle", "post", "requests", "undelivered")

    def __init__(
        self,
        lifecycle: Lifecycle,
        requests: Requests,
        fates: Fates,
        undelivered: Undelivered,
        post: Callable[[Callable[[], Any]], None],
    ) -> None:
        self.lifecycle = lifecycle
        self.requests = requests
        self.fates = fates
        self.undelivered = undelivered
        self.post = post
        # Has the hub of the actors call something soon.


class Proxy:
    """Runs one proxy; a `RemoteRunner`. What its owner calls is called in the hub of the mesh."""

    __slots__ = ("_dialect", "_shared", "cell", "is_over", "outbox", "remote_pid")

    cell: ActorCell
    # Set when it is listed.

    def __init__(
        self, shared: ProxyShared, dialect: Dialect, outbox: Outbox, remote_pid: int
    ) -> None:
        self._shared = shared
        self._dialect = dialect
        self.outbox = outbox
        self.remote_pid = remote_pid
        self.is_over = False
        # Set by the mesh when it has given the cell up; then the hub of the actors owns it.

    # -- the runner ------------------------------------------------------------------------

    def signal(self, cell: ActorCell) -> bool:
        """See `iris.core.cell.Runner`."""
        if self.is_over:
            self._shared.post(lambda: self._shared.lifecycle.bury(cell))
        else:
            self.outbox.signal(self)
        return True

    def start(self, cell: ActorCell) -> None:
        """Nothing to do: its messages are taken when there are some."""

    def kill(self, cell: ActorCell) -> float:  # noqa: ARG002  # The protocol.
        """Nothing to interrupt: no code of a user runs."""
        return KILL_S

    def restart(self, cell: ActorCell) -> None:
        """Never called: a proxy has no handler that could fail."""
        raise InternalError(f"proxy {cell.pid} was to restart; please report this")

    def encode(self, data: Any) -> bytes:
        """See `iris.core.cell.RemoteRunner`."""
        return self._dialect.encode(data)

    def encode_question(self, data: Any) -> bytes:
        """See `iris.core.cell.RemoteRunner`."""
        return self._dialect.encode_question(self.cell.pid, data)

    def withdrawn(self, request: Request) -> None:
        """See `iris.core.cell.RemoteRunner`."""
        self._dialect.withdrawn(self, request)

    def linked(self, other: ActorCell) -> None:
        """See `iris.core.cell.RemoteRunner`."""
        self._dialect.linked(self, other)

    def unlinked(self, other: ActorCell) -> None:
        """See `iris.core.cell.RemoteRunner`."""
        self._dialect.unlinked(self, other)

    def partner_ended(self, partner: ActorCell, ending: Ending) -> None:
        """See `iris.core.cell.RemoteRunner`."""
        self._dialect.partner_ended(self, partner, ending)

    # -- its owner -------------------------------------------------------------------------

    def look(self) -> None:
        """End now if it was stopped, whether or not its messages can be taken."""
        self._ends()

    def take(self, room: int) -> list[Any]:
        """Take messages out of the lane, at least one if there is any, up to about `room` bytes.

        Returns:
            In their order: `bytes`, `Packed`, and requests, which are owed an answer.
        """
        cell, most = self.cell, self._dialect.payload_bytes
        items: list[Any] = []
        if self._ends():
            return items
        size = 0
        while size < room:
            rest = cell.rest or cell.refill()
            if not rest:
                break
            while rest and size < room:
                item = rest.pop()
                if type(item) is bytes and len(item) <= most:
                    items.append(item)
                    size += len(item) + ITEM_BYTES
                elif isinstance(item, Marker):
                    if self._pass(item):
                        return items
                else:
                    size += self._take_other(item, items)
            if not rest:
                cell.rest = None
        return items

    def has_more(self) -> bool:
        """Whether it has to be visited again; as at the end of each turn."""
        cell = self.cell
        if self.is_over:
            return False
        if cell.user or cell.rest or cell.special:
            return True
        cell.ready = False
        # Not ready first, THEN a look: a sender who saw `ready` did not signal.
        if (cell.user or cell.special) and not cell.ready:
            cell.ready = True
            return True
        return False

    def _take_other(self, item: Any, items: list[Any]) -> int:
        """A message that is not simply bytes of a size that can be sent; gives its size."""
        lifecycle = self._shared.lifecycle
        if type(item) is Request:
            with lifecycle.lock:
                assert self.cell.control is not None
                self.cell.control.asks -= 1
            item.taken = True
            if not isinstance(item.message, bytes):
                # It was sent on by a full mailbox, and not to this proxy.
                return self._take_question(item, items)
            items.append(item)
            return len(item.message) + ITEM_BYTES
        try:
            # From a timer, say, which does not look at what it sends.
            data = item if isinstance(item, bytes) else self.encode(owned(item))
        except (TypeError, BadInput):
            data = None
        if data is None or len(data) > self._dialect.payload_bytes:
            self.lose([item])
            return ITEM_BYTES
        items.append(data)
        return len(data) + ITEM_BYTES

    def _take_question(self, item: Request, items: list[Any]) -> int:
        """A question that was not asked of a proxy, and is not packed."""
        try:
            item.message = self.encode_question(owned(item.message))
        except (TypeError, IrisError) as error:
            self.lose([item])
            wrong = error if isinstance(error, IrisError) else BadInput(str(error))
            self._shared.requests.fail(item, wrong)
            return ITEM_BYTES
        items.append(item)
        return len(item.message) + ITEM_BYTES

    def _pass(self, marker: Marker) -> bool:
        """Act on a marker; True when the proxy has come to its end."""
        cell, lifecycle = self.cell, self._shared.lifecycle
        with lifecycle.lock:
            assert cell.control is not None
            cell.control.marks -= 1
        if type(marker) is FenceMarker:
            marker.reached()
        elif type(marker) is EndMarker:
            lifecycle.mark_ended(cell, marker)
            return self._ends()
        return False

    def _ends(self) -> bool:
        """Look at what is special: a stop. True when the cell was given up."""
        cell = self.cell
        if not cell.special:
            return self.is_over
        cell.special = False
        # Cleared first, THEN a look: whoever stops it from now on sets it again.
        if cell.state is ALIVE:
            return False
        if cell.state is STOPPING and not self.is_over:
            self._give_up()
        return True

    def _give_up(self) -> None:
        self.is_over = True
        self.outbox.ended(self)
        lifecycle, cell = self._shared.lifecycle, self.cell

        def end() -> None:
            lifecycle.finish_stopped(cell)
            lifecycle.bury(cell)

        self._shared.post(end)

    def end(self, reason: ExitReason, metadata: dict[str, Any], by: int = 0) -> None:
        """Its node is gone, or its actor: what waits is lost, and so is the proxy."""
        if self.is_over:
            return
        cell = self.cell
        ending = Ending(reason, by or cell.pid, lambda: metadata)
        self._shared.lifecycle.request_stop(cell, ending)
        # Behind the stop, which has closed the door.
        self.lose(cell.drain())
        self._ends()

    def lose(self, items: Iterable[Any]) -> None:
        """These were accepted and will not be sent."""
        messages = []
        for item in items:
            if not isinstance(item, Marker):
                messages.append(item)
            elif type(item) is FenceMarker:
                item.reached()
        if messages:
            shared = self._shared
            shared.fates.lost.add_many(len(messages))
            shared.undelivered.left(self.cell.pid, LetterReason.LOST, messages, len(messages))
