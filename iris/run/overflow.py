"""Overflow threads: a few threads with a gevent hub each, whose greenlets are pull actors.

An actor here costs some kilobytes and no thread, and waits for its messages without holding up
the others of its thread; a call that blocks in C does hold them up. The threads are started on
first need and end with the runtime. Nothing here knows limits or messages.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional

from iris.errors import LimitReached, RuntimeClosed
from iris.run.bed import GreenletBed, Lodger
from iris.run.clock import monotonic
from iris.run.context import Place, Sleeper, greenlets_in
from iris.run.hub import GeventHub, leave_hub, start_hub_thread, throw_exit
from iris.run.native import new_rlock

OVERFLOW_THREADS = 4
"""More of them would compute no faster, for one thread at a time holds the interpreter's lock. A
few, so that a call that blocks holds up a quarter of the actors and not all; each costs a hub and
its three descriptors."""


class OverflowThread:
    """One of them: the `Bedroom` of its actors and the `Home` in which they wait.

    Args:
        runtime: tells which runtime the actors belong to.
        clock: monotonic seconds.
        slice_s: how long actors run one after the other before the hub has its time.
        report: called with an exception that no actor caused.
    """

    __slots__ = (
        "_calls",
        "_clock",
        "_hub",
        "_left",
        "_lock",
        "_report",
        "_runtime",
        "_slice_end",
        "_slice_s",
        "lodgers",
        "park",
    )

    is_shared = True

    def __init__(
        self,
        runtime: Callable[[], Any],
        clock: Callable[[], float],
        slice_s: float,
        report: Callable[[BaseException], None],
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._slice_s = slice_s
        self._report = report
        self._calls: deque[Callable[[], Any]] = deque()
        # Any thread appends, the hub pops.
        self._hub: Optional[GeventHub] = None
        # Set once, by the thread itself; None until it is up.
        self._left: Callable[[float], Any] = _nothing
        self._slice_end = 0.0
        self.park: Callable[[], Any] = _no_park
        # Leaves the current greenlet for the hub: the hub's own, once there is one.
        self._lock = new_rlock()
        self.lodgers = 0
        # Under `_lock`; read anywhere.

    # -- from any thread -------------------------------------------------------------------

    def open(self) -> None:
        """Start the thread, and return when it is up; LimitReached when that is impossible."""
        try:
            self._left = start_hub_thread(self._entered)
        except RuntimeError as error:
            raise LimitReached(
                "the process can start no thread to run further pull actors on"
                f" ({error}); stop some, or raise its limits (ulimit -u)"
            ) from error

    def close(self) -> None:
        """End the thread behind all that it was given to do. Also while it starts."""
        self.post(self._leave)

    def left(self, timeout_s: float) -> None:
        """Wait for its end, some seconds at most."""
        self._left(timeout_s)

    def post(self, call: Callable[[], Any]) -> None:
        """Run `call()` in the hub soon; it must not block."""
        self._calls.append(call)
        hub = self._hub
        # Always, also when it seems to be awake: gevent merges wake-ups, and no flag of ours
        # can stay behind when a signal handler raises in between.
        if hub is not None:
            hub.wake()

    def start(self, lodger: Lodger) -> None:
        """Run the lodger in a greenlet of its own, beginning soon."""
        with self._lock:
            self.lodgers += 1
        lodger.move_in(self, GreenletBed(self))
        self.post(lambda: self._begin(lodger.run))

    # -- in the thread -----------------------------------------------------------------------

    def place(self) -> Place:
        """Where the code of one of its actors runs."""
        return Place(self, self._runtime)

    def leaving(self) -> None:
        """One of its actors has ended."""
        with self._lock:
            self.lodgers -= 1

    def ended(self) -> None:
        """Nothing to give back: the hub is everybody's."""

    def later(self, delay_s: float, call: Callable[[], Any]) -> Any:
        """Run `call()` in the hub after some seconds; the result has `close()`."""
        assert self._hub is not None
        return self._hub.later(delay_s, call)

    def remind(self, delay_s: float, sleeper: Sleeper) -> None:
        """Call `sleeper.expire()` in the hub after some seconds."""
        sleeper.timer = self.later(delay_s, sleeper.expire)

    def is_overdue(self) -> bool:
        """Whether the slice is over in which the current greenlet was resumed."""
        return self._clock() >= self._slice_end

    def _entered(self, hub: GeventHub) -> None:
        hub.start(self._pump)
        self.park = hub.park
        self._hub = hub
        # Set first, THEN the wake-up: whoever posted before did not wake it.
        hub.wake()

    def _begin(self, run: Callable[[], None]) -> None:
        assert self._hub is not None
        self._hub.new_greenlet(run).switch()

    def _pump(self) -> None:
        """Make the posted calls for one slice; most of them resume an actor."""
        calls, clock = self._calls, self._clock
        self._slice_end = clock() + self._slice_s
        while calls:
            call = calls.popleft()
            try:
                call()
            except BaseException as error:  # noqa: BLE001  # The entry.
                self._report(error)
            if clock() >= self._slice_end:
                # The loop gets its time; the wake-up brings the next slice.
                assert self._hub is not None
                self._hub.wake()
                return

    def _leave(self) -> None:
        hub = self._hub
        assert hub is not None
        try:
            for greenlet in greenlets_in(self):
                # Given up by the shutdown, or begun too late for it: nobody would resume it.
                throw_exit(greenlet)
        finally:
            hub.close()
            leave_hub(hub)


class OverflowThreads:
    """Spreads pull actors over the overflow threads of one runtime. From any thread.

    Args:
        make: makes an overflow thread that is not open yet.
    """

    __slots__ = ("_is_closed", "_lock", "_make", "_most", "_threads")

    def __init__(self, make: Callable[[], OverflowThread]) -> None:
        self._make = make
        self._lock = new_rlock()
        self._threads: list[OverflowThread] = []
        self._most = OVERFLOW_THREADS
        self._is_closed = False

    def start(self, lodger: Lodger) -> None:
        """Run a pull actor on the thread that has the fewest.

        Raises:
            LimitReached: there is no overflow thread, and the process can have none.
            RuntimeClosed: the runtime has shut down meanwhile.
        """
        with self._lock:
            if len(self._threads) < self._most and not self._is_closed:
                self._add()
            if self._is_closed:
                raise RuntimeClosed("the runtime has shut down while this actor was being made")
            # Under the lock: behind the last call of an overflow thread nobody may begin.
            min(self._threads, key=_lodgers).start(lodger)

    def _add(self) -> None:
        thread = self._make()
        # Listed first: `close` may come while it starts, from a signal handler of this thread.
        self._threads.append(thread)
        try:
            thread.open()
        except BaseException as error:
            self._threads.remove(thread)
            if self._threads and isinstance(error, LimitReached):
                # Fewer threads do as well, and each try costs more than an actor.
                self._most = len(self._threads)
                return
            # A signal handler may have raised; then the thread comes up all the same.
            thread.close()
            raise

    def close(self) -> None:
        """End the threads. From any thread."""
        with self._lock:
            self._is_closed = True
            for thread in self._threads:
                thread.close()

    def left(self, timeout_s: float) -> None:
        """Wait for their end, some seconds at most."""
        end = monotonic() + timeout_s
        for thread in list(self._threads):
            thread.left(max(end - monotonic(), 0.0))


def _lodgers(thread: OverflowThread) -> int:
    return thread.lodgers


def _nothing(_: float) -> None:
    pass


def _no_park() -> None:
    raise AssertionError("the overflow thread is not up")
