"""The seam to gevent: nobody else in the runtime calls it.

`GeventHub` is what a carrier needs of a gevent hub: a wake-up from any thread, one timer,
greenlets that return to the hub. `Port` lets greenlets of any other gevent hub wait for an
answer. gevent is imported on first use, because `import iris` has to be cheap.
"""

from __future__ import annotations

import os
from collections import deque
from io import FileIO
from types import MethodType
from typing import Any, Callable, Optional, Protocol

from iris.errors import LimitReached
from iris.run.context import Sleeper
from iris.run.native import (
    LOCK_WAIT_MAX_S,
    allocate_lock,
    get_ident,
    new_rlock,
    start_thread,
)

HUB_DESCRIPTORS = 4
"""What a hub takes: its poller, a way to be woken (two where that is a pipe), and one to spare.
libev tries for ever when it can have none, so this is found out before."""


READABLE, WRITABLE = 1, 2
"""What a watcher of gevent's loops waits for."""


class Hub(Protocol):
    """What a carrier runs on. All but `wake` only from the hub's own thread."""

    def start(self, pump: Callable[[], None]) -> None:
        """Call `pump()` in the hub soon after each wake-up."""

    def wake(self) -> None:
        """Have the pump called. From any thread, handler, signal handler or `__del__`."""

    def arm(self, delay_s: Optional[float], call: Callable[[], None]) -> None:
        """Call `call()` once after a delay, instead of the one before; None for never."""

    def later(self, delay_s: float, call: Callable[[], Any]) -> Any:
        """Run `call()` in the hub after some seconds; the result has `close()`."""

    def later_aside(self, delay_s: float, call: Callable[[], Any]) -> Any:
        """As `later`, but an event loop with nothing else to wait for does not wait for this."""

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        """A greenlet that returns to the hub when it ends."""

    @property
    def park(self) -> Callable[[], Any]:
        """Switch from the current greenlet to the hub."""

    def interrupted(self, error: BaseException) -> None:
        """Hand a KeyboardInterrupt to the main greenlet of the hub's thread."""

    def close(self) -> None:
        """Stop calling the pump; later wake-ups do nothing."""


def prepare() -> None:
    """Load gevent and its event loop now, in the calling thread.

    On PyPy the process was seen to hang when the loop is first imported while other
    threads start, so this runs before the runtime starts any.
    """
    import gevent
    import gevent.hub

    gevent.config.loop  # noqa: B018  # Reading it imports the loop's module.


class GeventHub:
    """The gevent hub of the thread that makes this object."""

    def __init__(self) -> None:
        from gevent.hub import get_hub
        from greenlet import greenlet

        self._hub: Any = get_hub()
        self._loop: Any = self._hub.loop
        self._async: Any = self._loop.async_()
        self._timer: Any = None
        self._greenlet = greenlet
        self.park: Callable[[], Any] = MethodType(greenlet.switch, self._hub)
        # Switch from the current greenlet to the hub. Not a method around it, nor the hub's own,
        # which is one on PyPy: each call on the stack is kept as long as the greenlet waits.
        self._lap: Any = None
        # The watcher of `at_next_lap`, made on first use.
        self._lock = new_rlock()
        self._open = True
        # Under `_lock`: a wake-up of a closed watcher raises, and differently on PyPy.

    def start(self, pump: Callable[[], None]) -> None:
        self._async.start(pump)

    def wake(self) -> None:
        with self._lock:
            if self._open:
                self._async.send()

    def arm(self, delay_s: Optional[float], call: Callable[[], None]) -> None:
        timer = self._timer
        if timer is not None:
            timer.stop()
            timer.close()
            self._timer = None
        if delay_s is not None:
            # A new timer each time: a gevent timer that has fired once fires at once
            # when it is started again.
            self._timer = self.later(delay_s, call)

    def later(self, delay_s: float, call: Callable[[], Any]) -> Any:
        timer = self._loop.timer(max(delay_s, 0.0))
        # By the time of now, and not that of when the loop last looked.
        timer.start(call, update=True)
        return timer

    def later_aside(self, delay_s: float, call: Callable[[], Any]) -> Any:
        timer = self._loop.timer(max(delay_s, 0.0), ref=False)
        timer.start(call, update=True)
        return timer

    def watcher(self, descriptor: int, is_writer: bool) -> Any:
        """What tells, after `start(call)` and until `stop()`, that a descriptor is ready.

        For reading, or for writing. `close()` is the last call, before that of the descriptor.
        """
        return self._loop.io(descriptor, WRITABLE if is_writer else READABLE)

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        return self._greenlet(run, self._hub)

    def interrupted(self, error: BaseException) -> None:
        # Not at once: the caller may be a carrier greenlet in the middle of its work.
        self._loop.run_callback(self._hub.handle_system_error, type(error), error)

    def laps(self) -> int:
        """How often the loop has looked for events, counted right before it looks. From any thread.

        -1 when closed, and always on libuv, which does not count.
        """
        with self._lock:
            return int(self._loop.iteration) if self._open else -1

    def at_next_lap(self, call: Callable[[], None]) -> None:
        """Call `call()` once when the loop has next found or waited for events. In the hub."""
        lap = self._lap
        if lap is None:
            # Before the callbacks of the events, so that what these begin is not missed.
            lap = self._lap = self._loop.check(ref=False)
            # Not as an argument: gevent's cffi loop, that of PyPy, forgets it.
            lap.priority = self._loop.MAXPRI

        def once() -> None:
            lap.stop()
            call()

        lap.start(once)

    def close(self) -> None:
        with self._lock:
            self._open = False
        self.arm(None, _nothing)
        if self._lap is not None:
            self._lap.stop()
            self._lap.close()
        self._async.stop()
        self._async.close()


def run_hub(entered: Callable[[GeventHub], None]) -> None:
    """Make a hub in the calling thread, run it until it is left, and destroy it.

    Args:
        entered: called with the hub before it runs. The hub runs until `leave_hub` is called
            in it.

    Raises:
        LimitReached: the process can open no more descriptors.
    """
    from greenlet import getcurrent

    _check_descriptors()
    try:
        hub = GeventHub()
    except BaseException:
        drop_hub_of_thread()
        raise
    native = hub._hub
    native.iris_main = getcurrent()
    try:
        entered(hub)
        native.switch()
    finally:
        _destroy(native)


def start_hub_thread(entered: Callable[[GeventHub], None]) -> Callable[[float], Any]:
    """Run a hub (see `run_hub`) on a thread of its own, and return when it is up.

    Returns:
        A call that waits for the end of the thread, some seconds at most.

    Raises:
        RuntimeError: the process can have no more threads.
        LimitReached: it can open no more descriptors.
    """
    up, down = allocate_lock(), allocate_lock()
    up.acquire()
    down.acquire()
    problem: list[BaseException] = []

    def enter(hub: GeventHub) -> None:
        entered(hub)
        up.release()

    def run() -> None:
        try:
            run_hub(enter)
        except BaseException as error:  # noqa: BLE001  # A thread's entry.
            problem.append(error)
            if up.locked():
                up.release()
        finally:
            down.release()

    def left(timeout_s: float) -> None:
        if down.acquire(True, min(timeout_s, LOCK_WAIT_MAX_S)):
            down.release()

    start_thread(run)
    up.acquire()
    if problem:
        raise problem[0]
    return left


def _check_descriptors() -> None:
    files: list[Any] = []
    try:
        # As files: their `close` is never gevent's, which may put it off.
        for _ in range(HUB_DESCRIPTORS):
            files.append(FileIO(os.devnull))  # noqa: PERF401  # Those before a failure, too.
    except OSError as error:
        raise LimitReached(
            f"the process can open no {HUB_DESCRIPTORS} descriptors more, which an event loop needs"
            f" ({error}); close some, or raise its limit (ulimit -n)"
        ) from error
    finally:
        for file in files:
            file.close()


def _destroy(native: Any) -> None:
    """Destroy a hub in its own thread, and let its greenlet really end.

    Left hanging in its last switch it would keep its frames, and with them the runtime,
    for ever: seen on CPython 3.11 and 3.13.
    """
    from greenlet import GreenletExit

    native.destroy(destroy_loop=True)
    if not native.dead:
        native.throw(GreenletExit)


def throw_exit(greenlet: Any) -> None:
    """In the hub: throw GreenletExit into a greenlet that waits, unless it has ended."""
    from greenlet import GreenletExit

    if not greenlet.dead:
        greenlet.throw(GreenletExit)


def leave_hub(hub: GeventHub) -> None:
    """From inside the hub: return to the thread's main greenlet, which destroys the hub."""
    # As a callback of gevent's own: destroying throws into whatever the hub is executing.
    hub._loop.run_callback(hub._hub.iris_main.switch)


def drop_hub_of_thread() -> None:
    """Destroy the gevent hub of the calling thread, if its code has made one.

    A thread that touched gevent leaks two descriptors otherwise.
    """
    import sys

    if "gevent._hub_local" not in sys.modules:
        return
    from gevent._hub_local import get_hub_if_exists

    hub = get_hub_if_exists()
    if hub is not None:
        _destroy(hub)


def _nothing() -> None:
    pass


class Port:
    """Where greenlets of one gevent hub wait for answers that come from other threads."""

    __slots__ = ("_async", "_calls", "_hub", "_thread", "_waiting")

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        self._thread = get_ident()
        self._calls: deque[Callable[[], Any]] = deque()
        self._waiting = 0
        self._async = hub.loop.async_()

    def enter(self) -> None:
        """Somebody begins to wait: keep the loop alive for the answer."""
        self._waiting += 1
        if self._waiting == 1:
            self._async.start(self._drain)

    def leave(self) -> None:
        """Somebody has stopped waiting. An idle port does not keep the loop alive."""
        self._waiting -= 1
        if not self._waiting:
            self._async.stop()

    def post(self, call: Callable[[], Any]) -> None:
        """Run `call()` in the hub soon. From any thread."""
        self._calls.append(call)
        if get_ident() == self._thread:
            self._hub.loop.run_callback(self._drain)
        else:
            self._async.send()

    def park(self) -> None:
        """Switch from the current greenlet to the hub."""
        self._hub.switch()

    def later(self, delay_s: float, call: Callable[[], Any]) -> Any:
        """Run `call()` in the hub after some seconds."""
        timer = self._hub.loop.timer(max(delay_s, 0.0))
        # By the time of now: where the loop has not run for a while, its own is that much behind,
        # and the time of a wait would be over that much too early.
        timer.start(call, update=True)
        return timer

    def remind(self, delay_s: float, sleeper: Sleeper) -> None:
        """Call `sleeper.expire()` in the hub after some seconds."""
        sleeper.timer = self.later(delay_s, sleeper.expire)

    def _drain(self) -> None:
        calls = self._calls
        while calls:
            calls.popleft()()


def port_of_thread() -> Optional[Port]:
    """The port of the calling thread's gevent hub; None when it has no hub.

    Raises:
        RuntimeError: the caller IS the hub, which can never wait.
    """
    import sys

    if "gevent._hub_local" not in sys.modules:
        return None
    from gevent._hub_local import get_hub_if_exists
    from greenlet import getcurrent

    hub: Any = get_hub_if_exists()
    if hub is None:
        return None
    if getcurrent() is hub:
        raise RuntimeError("the hub itself cannot wait")
    try:
        port: Port = hub.iris_port
    except AttributeError:
        port = hub.iris_port = Port(hub)
    return port
