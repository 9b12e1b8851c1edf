"""Calls for asyncio: a coroutine awaits what a thread or a handler would wait for.

The loop is never blocked, and nothing of a loop is kept between two calls, so one process
may run several loops, one after the other or at once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Optional

from iris.core.messages import Request
from iris.core.table import Table
from iris.run.asking import Asking, checked_timeout, opened
from iris.run.clock import monotonic
from iris.run.delivery import Delivery, check_pid, owned
from iris.run.native import allocate_lock
from iris.run.requests import Requests


class LoopWaiter:
    """A result that somebody will give, awaited in the running loop by whoever made it."""

    __slots__ = ("_future", "_guard", "_loop", "done", "value")

    def __init__(self) -> None:
        from asyncio import get_running_loop

        self._loop = get_running_loop()
        self._future = self._loop.create_future()
        self._guard = allocate_lock()
        # Whoever takes it first decides: a settler, or the waiter that gives up.
        self.done = False
        self.value: Any = None

    def settle(self, value: Any = None) -> bool:
        """Give the result; False when nobody waits any more. From any thread, never blocks."""
        if not self._guard.acquire(False):
            return False
        try:
            self.value = value
            self.done = True
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            # The loop was closed over the coroutine that waited in it.
            return False
        except BaseException:
            # A signal handler raised in between: the waiter must not be left alone.
            self.value = value
            self.done = True
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)
            raise
        return True

    def _wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Wait until settled; False when the time was over before, and then for good."""
        import asyncio

        late = False
        try:
            await asyncio.wait([self._future], timeout=timeout_s)
        finally:
            # Cancelled or in time: from now on nobody is told that somebody waited.
            if not self.done:
                late = not self._guard.acquire(False)
        while late and not self.done:
            # A settler is between its first two statements.
            await asyncio.sleep(0)
        return self.done


class Aio:
    """What coroutines can await of one runtime."""

    def __init__(
        self, table: Table, delivery: Delivery, requests: Requests, asking: Asking
    ) -> None:
        self._table = table
        self._delivery = delivery
        self._requests = requests
        self._asking = asking

    async def ask(self, pid: int, data: Any, timeout_s: float) -> Any:
        """Send a message and await the answer."""
        timeout_s = checked_timeout(timeout_s)
        data = owned(data)
        cell = self._asking.asked(pid, data)
        waiter = LoopWaiter()
        request = Request(data, 0, waiter.settle, self._asking)
        if cell.spec.is_remote:
            self._asking.send_off(cell, request, timeout_s)
        began_s = monotonic()
        try:
            self._asking.put(cell, request)
            await waiter.wait(timeout_s)
        finally:
            if not waiter.done:
                self._requests.withdraw(request)
        if not waiter.done:
            raise self._asking.too_late(pid, monotonic() - began_s)
        return opened(waiter.value)

    async def send(self, pid: int, data: Any) -> bool:
        """Put a message into a mailbox, awaiting room where the policy is `block`."""
        data = owned(data)
        while True:
            cell = self._table.get(check_pid(pid))
            if cell is None or cell.spec.capacity is None:
                return self._delivery.send(pid, data)
            if self._delivery.sheds(cell, data):
                return False
            waiter = LoopWaiter()
            ticket = self._delivery.ticket(data, waiter.settle)
            taken = self._delivery.line_up(cell, ticket)
            if taken is None:
                try:
                    await waiter.wait()
                finally:
                    if not waiter.done:
                        self._delivery.leave_line(cell, ticket)
                taken = self._delivery.told(cell, ticket, waiter.value)
            if taken is not None:
                return taken
