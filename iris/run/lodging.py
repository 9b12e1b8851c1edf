"""Where a pull actor will run: on a thread of its own, or in the overflow, with others.

The choice is made once for each actor, when it starts. What a thread and what the overflow is, is
not known here: both are a place that takes a lodger or refuses it.
"""

from __future__ import annotations

from typing import Callable, Optional, Protocol

from iris.config import whole_number
from iris.errors import LimitReached
from iris.run.bed import Bedroom, Lodger
from iris.run.native import new_rlock
from iris.run.threads import default_pull_threads_max


class ThreadLimits:
    """How many pull actors of one runtime may have a thread of their own, and how many do.

    Args:
        most: the limit; None for what the process can bear.
        is_strict: whether one more is refused, and not put into the overflow.
    """

    __slots__ = ("_lock", "_most", "is_strict", "taken")

    def __init__(self, most: Optional[int], is_strict: bool) -> None:
        self._most = most
        self.is_strict = is_strict
        self.taken = 0
        self._lock = new_rlock()

    @property
    def most(self) -> int:
        """The limit now."""
        if self._most is None:
            # On first need: it reads some files.
            self._most = default_pull_threads_max()
        return self._most

    def set(self, most: int, is_strict: bool) -> None:
        """Change both. Who has a thread keeps it."""
        with self._lock:
            self._most = most
            self.is_strict = is_strict

    def take(self) -> bool:
        """Take one thread; False when there is none left."""
        with self._lock:
            if self.taken >= self.most:
                return False
            self.taken += 1
            return True

    def give_back(self) -> None:
        """A thread has ended, or has not started."""
        with self._lock:
            self.taken -= 1


class Overflow(Protocol):
    """Where pull actors run that have no thread of their own."""

    def start(self, lodger: Lodger) -> None:
        """Run the lodger beside others; LimitReached when that is impossible."""

    def close(self) -> None:
        """Take nobody any more; whatever was begun for this purpose ends. From any thread."""

    def left(self, timeout_s: float) -> None:
        """Wait until that has ended, some seconds at most."""


class Lodging:
    """Finds a place for each pull actor of one runtime. From any thread.

    Args:
        limits: who may have a thread. Its `give_back` is called by `threads` for who has ended.
        threads: where each has a thread of its own.
        overflow: where the others go.
        overflowed: called with the limit when the first of them does.
    """

    __slots__ = ("_limits", "_overflow", "_overflowed", "_threads", "_was_told")

    def __init__(
        self,
        limits: ThreadLimits,
        threads: Bedroom,
        overflow: Overflow,
        overflowed: Callable[[int], None],
    ) -> None:
        self._limits = limits
        self._threads = threads
        self._overflow = overflow
        self._overflowed = overflowed
        self._was_told = False

    def start(self, lodger: Lodger) -> None:
        """Run the lodger on a thread of its own if there is one left, else in the overflow.

        Raises:
            LimitReached: there is none, and the limits are strict or the overflow has no thread
                and can have none.
        """
        limits = self._limits
        if limits.take():
            try:
                self._threads.start(lodger)
            except BaseException as error:
                limits.give_back()
                if limits.is_strict or not isinstance(error, LimitReached):
                    raise
            else:
                return
        elif limits.is_strict:
            raise LimitReached(
                f"all {limits.most} threads for pull actors are in use (pull_threads_max); stop"
                " some pull actors, use push actors, raise the limit with"
                f" set_pull_limits({2 * limits.most}, strict=True), or have further ones share"
                f" threads with set_pull_limits({limits.most}, strict=False)"
            )
        self._overflow.start(lodger)
        if not self._was_told:
            self._was_told = True
            self._overflowed(limits.most)

    def set_limits(self, max_threads: int, strict: bool = False) -> None:
        """Change how many may have a thread of their own; see `Runtime.set_pull_limits`."""
        whole_number("max_threads", max_threads, least=1)
        if type(strict) is not bool:
            raise TypeError(f"strict is True or False, not {strict!r}")
        self._limits.set(max_threads, strict)
