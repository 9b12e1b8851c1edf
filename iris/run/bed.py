"""Where the owner of a pull mailbox runs, and sleeps until there is something to take.

A bed has one sleeper. A wake-up that comes before the sleep is not lost: the sleep then
ends at once. `ThreadBed` is a real lock; `GreenletBed` parks a greenlet in a hub.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Optional, Protocol

from iris.run.context import Home, Place, current_greenlet
from iris.run.native import allocate_lock

LOCK_WAIT_MAX_S = 1e6
"""Longest single wait for a lock; longer ones overflow on some platforms, so they are cut up."""


class Bed(Protocol):
    """What a pull actor sleeps in."""

    def wake(self) -> None:
        """End the sleep, or the next one. From any thread."""

    def sleep(self, timeout_s: Optional[float]) -> bool:
        """Sleep until woken; False when the time was over before. By the sleeper only."""


class Bedroom(Protocol):
    """How the pull actors of a runtime are run: on threads, or as greenlets of a hub."""

    def make_bed(self) -> Bed:
        """A place to sleep for one actor."""

    def start(self, entry: Callable[[], None]) -> None:
        """Run `entry` beside everything else; LimitReached when that is impossible."""

    def place(self) -> Place:
        """Where the actor's code runs."""

    def leaving(self) -> None:
        """By the actor's thread or greenlet: its code has ended, nobody has been told yet."""

    def ended(self) -> None:
        """By the actor's thread or greenlet, last of all."""


class ThreadBed:
    """For an owner with a thread of its own."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()
        # Held while there is no wake-up; released once per wake-up.

    def wake(self) -> None:
        # RuntimeError: two senders saw the same sleeper, and one wake-up is as good as two.
        with suppress(RuntimeError):
            self._lock.release()

    def sleep(self, timeout_s: Optional[float]) -> bool:
        if timeout_s is None:
            self._lock.acquire()
            return True
        return bool(self._lock.acquire(True, min(max(timeout_s, 0.0), LOCK_WAIT_MAX_S)))


class GreenletBed:
    """For an owner that is a greenlet among others of a hub."""

    __slots__ = ("_awake", "_expired", "_greenlet", "_home")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._awake = False
        self._expired = False
        self._greenlet: Any = None
        # The sleeper while it sleeps. Hub's thread only.

    def wake(self) -> None:
        self._awake = True
        self._home.post(self._resume)

    def sleep(self, timeout_s: Optional[float]) -> bool:
        self._expired = False
        timer = None if timeout_s is None else self._home.later(timeout_s, self._expire)
        try:
            while not self._awake and not self._expired:
                self._greenlet = current_greenlet()
                self._home.park()
        finally:
            self._greenlet = None
            if timer is not None:
                timer.close()
        woken, self._awake = self._awake, False
        return woken

    def _expire(self) -> None:
        self._expired = True
        self._resume()

    def _resume(self) -> None:
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.switch()
