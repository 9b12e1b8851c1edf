"""The seam to gevent: nobody else in the runtime calls it.

`GeventHub` is what a carrier needs of a gevent hub: a wake-up from any thread, one timer,
greenlets that return to the hub. `Port` lets greenlets of any other gevent hub wait for an
answer. gevent is imported on first use, because `import iris` has to be cheap.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional, Protocol

from iris.run.native import get_ident, new_rlock


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

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        """A greenlet that returns to the hub when it ends."""

    def park(self) -> None:
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
        from greenlet import getcurrent, greenlet

        self._hub: Any = get_hub()
        self._loop: Any = self._hub.loop
        self._async: Any = self._loop.async_()
        self._timer: Any = None
        self._greenlet = greenlet
        self._getcurrent = getcurrent
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
        timer.start(call)
        return timer

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        return self._greenlet(run, self._hub)

    def park(self) -> None:
        self._hub.switch()

    def interrupted(self, error: BaseException) -> None:
        # Not at once: the caller may be a carrier greenlet in the middle of its work.
        self._loop.run_callback(self._hub.handle_system_error, type(error), error)

    def laps(self) -> int:
        """How often the loop has looked for events; -1 when closed. From any thread."""
        with self._lock:
            return int(self._loop.iteration) if self._open else -1

    def at_next_lap(self, call: Callable[[], None]) -> None:
        """Call `call()` once when the loop has next found or waited for events. In the hub."""
        lap = self._lap
        if lap is None:
            # Before the callbacks of the events, so that what these begin is not missed.
            lap = self._lap = self._loop.check(ref=False, priority=self._loop.MAXPRI)

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
    """
    from greenlet import getcurrent

    hub = GeventHub()
    native = hub._hub
    native.iris_main = getcurrent()
    try:
        entered(hub)
        native.switch()
    finally:
        _destroy(native)


def _destroy(native: Any) -> None:
    """Destroy a hub in its own thread, and let its greenlet really end.

    Left hanging in its last switch it would keep its frames, and with them the runtime,
    for ever: seen on CPython 3.11 and 3.13.
    """
    from greenlet import GreenletExit

    native.destroy(destroy_loop=True)
    if not native.dead:
        native.throw(GreenletExit)


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
        timer.start(call)
        return timer

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
