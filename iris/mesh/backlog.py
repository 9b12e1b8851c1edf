"""The backlog of one other node: its proxies, which of them have something to send, and the door.

Both versions of the protocol take messages out of the lanes of proxies, one proxy after the other,
and have to stop their senders while the network takes no more. That is here; what becomes of the
messages is not.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional

from iris.mesh.proxy import Jam, Proxy, weight
from iris.mesh.streams import Driver

WAITING_MOST = 4096
WAITING_BYTES_MOST = 16 << 20
"""What may wait for one node while the network takes no more: enough that a sender and a receiver
of the same speed do not stop each other. Four times as many messages were half as fast on CPython:
a sender that is not refused takes the time that the thread of the mesh needs."""


class Backlog:
    """The proxies of one peer. In the hub of the mesh, but for `signal` and `add`.

    Args:
        lock: the table lock.
        run: has the owner look at what is ready; in the hub.
    """

    def __init__(self, driver: Driver, lock: Any, run: Callable[[], None]) -> None:
        self._driver = driver
        self._lock = lock
        self._run = run
        self.owner: Any = None
        # The line that it is of, for the proxies of version 2.
        self.ready: deque[Proxy] = deque()
        # Proxies with something to be taken. Any thread appends, the mesh takes.
        self.fresh: deque[Proxy] = deque()
        # Those that have begun and were not looked at. The same.
        self.proxies: dict[int, Proxy] = {}
        # By the pid that they have at the peer. Written under the table lock.
        self._jam: Optional[Jam] = None
        # The door in the cells of the proxies, while it is there.

    def signal(self, proxy: Proxy) -> None:
        """See `iris.mesh.proxy.Outbox`."""
        if proxy.cell.special:
            # A stop waits neither for a connection nor for a network that takes nothing.
            self._driver.post(proxy.look)
        self.ready.append(proxy)
        self._driver.post(self._run)

    def add(self, proxy: Proxy) -> None:
        """A proxy begins. Under the table lock, from any thread."""
        self.proxies[proxy.remote_pid] = proxy
        if self._jam is not None:
            proxy.cell.admission = self._jam
        self.fresh.append(proxy)

    def ended(self, proxy: Proxy) -> None:
        """See `iris.mesh.proxy.Outbox`."""
        with self._lock:
            if self.proxies.get(proxy.remote_pid) is proxy:
                del self.proxies[proxy.remote_pid]
        if self.owner is not None:
            self.owner.gone(proxy)

    def take(self, proxy: Proxy, room: int) -> list[Any]:
        """Messages of one that was ready, up to about `room` bytes; it is ready again if more."""
        items = proxy.take(room)
        if self._jam is not None:
            self._jam.taken(len(items), sum(map(weight, items)))
        if proxy.has_more():
            self.ready.append(proxy)
        return items

    def is_crowded(self) -> bool:
        """Whether senders are faster than what is taken."""
        # Copied in one step: others append meanwhile.
        return sum(len(proxy.cell.user) for proxy in list(self.ready)) > WAITING_MOST // 2

    def is_empty(self) -> bool:
        """Whether nobody has anything to be taken; those that have ended are left out."""
        ready = self.ready
        while ready and ready[0].is_over:
            ready.popleft()
        return not ready

    def block(self) -> None:
        """Put the door in: until all is taken, what is sent is counted and may be refused."""
        if self._jam is not None:
            return
        with self._lock:
            jam = self._jam = Jam(self._lock, WAITING_MOST, WAITING_BYTES_MOST)
            messages = size = 0
            for proxy in self.proxies.values():
                cell = proxy.cell
                if cell.admission is None:
                    cell.admission = jam
                for lane in (cell.user, cell.rest or ()):
                    # Copied in one step: others append meanwhile.
                    waiting = list(lane)
                    messages += len(waiting)
                    size += sum(map(weight, waiting))
            jam.count(messages, size)

    def unblock(self) -> None:
        """Take it away."""
        if self._jam is None:
            return
        with self._lock:
            for proxy in self.proxies.values():
                if proxy.cell.admission is self._jam:
                    proxy.cell.admission = None
            self._jam = None
