"""One way to wait for an answer, for a plain thread, a greenlet of any hub, and a handler.

A `Waiter` is made by whoever waits, settled once by anybody. On a thread without a hub it
is a real lock; under a hub it parks the greenlet, so that others of that hub go on.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, Optional

from iris.errors import WouldDeadlock
from iris.run.clock import monotonic, sleep
from iris.run.context import Home, Place, current_greenlet, here
from iris.run.hub import Port, port_of_thread
from iris.run.native import LOCK_WAIT_MAX_S, allocate_lock

SIGNAL_LATE_S = 1.0
"""A signal that comes in the moment before a thread blocks does not end the wait (CPython); this
long it may go unnoticed. Longer waits would be cheaper, and Ctrl-C would seem not to work."""


class Waiter:
    """A result that somebody will give. Made and waited for in one greenlet of one thread.

    Raises:
        WouldDeadlock: the caller is a hub or runs in an asyncio loop, neither of which can wait.
    """

    __slots__ = (
        "_expired",
        "_greenlet",
        "_guard",
        "_home",
        "_lock",
        "_told",
        "done",
        "parked",
        "timer",
        "value",
    )

    def __init__(self, place: Optional[Place] = None) -> None:
        """Make one; `place` is what `here()` gives, where the caller has asked already."""
        self.done = False
        self.value: Any = None
        self.parked = False
        self._expired = False
        self._told = False
        # True once the settler will not touch the home any more.
        self._guard = allocate_lock()
        # Whoever takes it first decides: a settler, or the waiter that gives up. It is
        # never given back.
        self._lock: Any = None
        self._greenlet: Any = None
        self.timer: Any = None
        _refuse_asyncio()
        place = place or here()
        home: Optional[Home] = None if place is None else place.home
        if home is None:
            try:
                home = port_of_thread()
            except RuntimeError:
                raise WouldDeadlock(
                    "a callback of the gevent hub cannot wait; spawn a greenlet for it"
                ) from None
        self._home = home
        if home is None:
            self._lock = allocate_lock()
            self._lock.acquire()
        else:
            self._greenlet = current_greenlet()

    def settle(self, value: Any = None) -> bool:
        """Give the result; False when it was given before. From any thread, never blocks."""
        if not self._guard.acquire(False):
            return False
        try:
            self._tell(value)
        except BaseException:
            # A signal handler raised in between: the waiter must not be left alone.
            with suppress(RuntimeError):
                self._tell(value)
            raise
        finally:
            self._told = True
        return True

    def _tell(self, value: Any) -> None:
        self.value = value
        self.done = True
        if self._home is None:
            self._lock.release()
        else:
            self._home.post(self._resume)

    def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Wait until settled; False when the time was over before, and then for good."""
        try:
            if self._home is None:
                self._wait_in_thread(timeout_s)
            else:
                self._wait_in_hub(self._home, timeout_s)
        finally:
            if not self.done and not self._guard.acquire(False):
                # A settler is between its two statements; it may still use our hub, which
                # must not be destroyed under it. It needs no more than its next time slice,
                # unless a signal handler has ended it there.
                end = monotonic() + SIGNAL_LATE_S
                while not self._told and (monotonic() < end or self.done):
                    sleep(0)
        return self.done

    def _wait_in_thread(self, timeout_s: Optional[float]) -> None:
        if timeout_s is None:
            while not self._lock.acquire(True, SIGNAL_LATE_S):
                pass
            return
        end = monotonic() + timeout_s
        while not self._lock.acquire(True, min(max(timeout_s, 0.0), LOCK_WAIT_MAX_S)):
            timeout_s = end - monotonic()
            if timeout_s <= 0:
                return

    def _wait_in_hub(self, home: Home, timeout_s: Optional[float]) -> None:
        if isinstance(home, Port):
            home.enter()
        try:
            if timeout_s is not None:
                home.remind(timeout_s, self)
            while not self.done and not self._expired:
                self.parked = True
                home.park()
        finally:
            self.parked = False
            if self.timer is not None:
                self.timer.close()
            if isinstance(home, Port):
                home.leave()

    def expire(self) -> None:
        """In the hub: the time is over."""
        self._expired = True
        self._resume()

    def _resume(self) -> None:
        # In the hub. `parked` tells whether the greenlet is still where wait() left it:
        # an exception thrown into it, or a resume before this one, took it away.
        if self.parked:
            self.parked = False
            self._greenlet.switch()


def _refuse_asyncio() -> None:
    asyncio = sys.modules.get("asyncio.events")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        raise WouldDeadlock(
            "this call would block the running asyncio loop; await rt.ask_async or rt.send_async,"
            " or make the call in a thread (asyncio.to_thread)"
        )
