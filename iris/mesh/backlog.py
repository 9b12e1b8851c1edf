"""The backlog of one other node: its proxies, which of them have something to send, and the door.

Both versions of the protocol take messages out of the lanes of proxies, one proxy after the other,
and have to stop their senders while the network takes no more. That is here; what becomes of the
messages is not.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import Any, Callable, Optional

from iris.core.cell import ALIVE
from iris.mesh.jam import MESSAGES_MOST, Jam
from iris.mesh.proxy import Proxy
from iris.mesh.streams import Driver


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
        cell = proxy.cell
        if cell.special and cell.state is not ALIVE:
            # A stop waits neither for a connection nor for a network that takes nothing. A question
            # is special, too, and waits.
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
            self._jam.taken(items)
        if proxy.has_more():
            self.ready.append(proxy)
        return items

    def is_crowded(self) -> bool:
        """Whether senders are faster than what is taken."""
        # Copied in one step: others append meanwhile.
        return sum(len(proxy.cell.user) for proxy in list(self.ready)) > MESSAGES_MOST // 2

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
            cells = [proxy.cell for proxy in self.proxies.values()]
            jam = self._jam = Jam(self._lock)
            for cell in cells:
                if cell.admission is None:
                    cell.admission = jam
            # Each lane copied in one step: others append meanwhile.
            lanes = [list(lane) for cell in cells for lane in (cell.user, cell.rest or ())]
            jam.count(list(chain.from_iterable(lanes)))

    def unblock(self) -> None:
        """Take it away."""
        if self._jam is None:
            return
        with self._lock:
            for proxy in self.proxies.values():
                if proxy.cell.admission is self._jam:
                    proxy.cell.admission = None
            self._jam = None
