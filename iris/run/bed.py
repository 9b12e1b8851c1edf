"""Where the owner of a pull mailbox runs, and sleeps until there is something to take.

A bed has one sleeper. A wake-up that comes before the sleep is not lost: the sleep then
ends at once. `ThreadBed` is a real lock; `GreenletBed` parks a greenlet in a hub.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Optional, Protocol

from iris.run.context import Home, Place, current_greenlet
from iris.run.hub import throw_exit
from iris.run.native import LOCK_WAIT_MAX_S, allocate_lock

KILL_S = 0.1
"""What a hub that is not blocked needs at most to interrupt one of its greenlets."""


class Bed(Protocol):
    """What a pull actor sleeps in."""

    def occupy(self) -> None:
        """By the sleeper, before anything else: this is its place."""

    def wake(self) -> None:
        """End the sleep, or the next one. From any thread."""

    def sleep(self, timeout_s: Optional[float]) -> bool:
        """Sleep until woken; False when the time was over before. By the sleeper only."""

    def give_way(self) -> None:
        """Let others run that have waited too long for the sleeper. By the sleeper only."""

    def interrupt(self, wanted: Callable[[], bool]) -> Optional[float]:
        """Throw GreenletExit into the sleeper where it waits, if it is wanted then.

        From any thread. Returns how many seconds that may take, None where it is impossible.
        """


class Lodger(Protocol):
    """Whoever is given a place to run: the runner of a pull actor."""

    def move_in(self, room: Bedroom, bed: Bed) -> None:
        """Before `run`: this is where it will run and sleep."""

    def run(self) -> None:
        """Its whole life, on the thread or greenlet that it was given."""


class Bedroom(Protocol):
    """Where pull actors run: each on a thread of its own, or as greenlets of one hub."""

    @property
    def is_shared(self) -> bool:
        """Whether one that takes no pause holds up others."""

    def start(self, lodger: Lodger) -> None:
        """Run the lodger beside everything else; LimitReached when that is impossible."""

    def place(self) -> Place:
        """Where the actor's code runs."""

    def leaving(self) -> None:
        """By the actor's thread or greenlet: its code has ended, nobody has been told yet."""

    def ended(self) -> None:
        """By the actor's thread or greenlet, last of all."""


class SharedHome(Home, Protocol):
    """The hub that several sleepers share."""

    @property
    def is_shared(self) -> bool:
        """False where a simulation has each of them stand for a thread."""

    def is_overdue(self) -> bool:
        """Whether the greenlet that runs has run for so long that others should have a turn."""


class NoBed:
    """Of an actor that has not begun: before its first sleep it looks at everything anyway."""

    __slots__ = ()

    def occupy(self) -> None:
        raise AssertionError("this actor has no place to run")

    def wake(self) -> None:
        pass

    def sleep(self, timeout_s: Optional[float]) -> bool:  # noqa: ARG002  # The protocol.
        raise AssertionError("this actor has no place to run")

    def give_way(self) -> None:
        pass

    def interrupt(self, wanted: Callable[[], bool]) -> Optional[float]:  # noqa: ARG002  # As above.
        return 0.0


NO_BED = NoBed()


class ThreadBed:
    """For an owner with a thread of its own."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()
        # Held while there is no wake-up; released once per wake-up.

    def occupy(self) -> None:
        pass

    def wake(self) -> None:
        # RuntimeError: two senders saw the same sleeper, and one wake-up is as good as two.
        with suppress(RuntimeError):
            self._lock.release()

    def sleep(self, timeout_s: Optional[float]) -> bool:
        if timeout_s is None:
            self._lock.acquire()
            return True
        return bool(self._lock.acquire(True, min(max(timeout_s, 0.0), LOCK_WAIT_MAX_S)))

    def give_way(self) -> None:
        # The operating system sees to that.
        pass

    def interrupt(self, wanted: Callable[[], bool]) -> Optional[float]:  # noqa: ARG002  # As above.
        """A thread cannot be interrupted."""
        return None


class GreenletBed:
    """For an owner that is a greenlet among others of a hub."""

    __slots__ = ("_awake", "_expired", "_greenlet", "_home", "_sleeper")

    def __init__(self, home: SharedHome) -> None:
        self._home = home
        self._awake = False
        self._expired = False
        self._greenlet: Any = None
        # The owner, from its first statement on. This and `_sleeper`: hub's thread only.
        self._sleeper: Any = None
        # Whoever sleeps here now.

    def occupy(self) -> None:
        self._greenlet = current_greenlet()

    def wake(self) -> None:
        self._awake = True
        self._home.post(self._resume)

    def sleep(self, timeout_s: Optional[float]) -> bool:
        self._expired = False
        timer = None if timeout_s is None else self._home.later(timeout_s, self._expire)
        try:
            while not self._awake and not self._expired:
                self._sleeper = current_greenlet()
                self._home.park()
        finally:
            self._sleeper = None
            if timer is not None:
                timer.close()
        woken, self._awake = self._awake, False
        return woken

    def give_way(self) -> None:
        if not self._home.is_overdue():
            return
        self._expired = False
        # Behind all who are to be resumed already. Not a wake-up: those stay for `sleep`.
        self._home.post(self._expire)
        try:
            while not self._expired:
                self._sleeper = current_greenlet()
                self._home.park()
        finally:
            self._sleeper = None

    def interrupt(self, wanted: Callable[[], bool]) -> Optional[float]:
        if not self._home.is_shared:
            return None
        self._home.post(lambda: self._throw(wanted))
        return KILL_S

    def _throw(self, wanted: Callable[[], bool]) -> None:
        # In the hub, so the owner is not running: it has ended, not begun, or it waits.
        if self._greenlet is not None and wanted():
            throw_exit(self._greenlet)

    def _expire(self) -> None:
        self._expired = True
        self._resume()

    def _resume(self) -> None:
        greenlet, self._sleeper = self._sleeper, None
        if greenlet is not None:
            greenlet.switch()
