"""The network of one node: sockets that never block, on one thread with a gevent hub of its own.

The only file that reads and writes them, and it knows nothing of what they carry. It keeps the
protocols of `iris.mesh.streams`: whoever owns a stream is called in the hub, one call after the
other. Sockets, names and threads come from a `Kernel`, so that a simulation runs this very code.
Over 400 lines, because nothing else may touch a socket.
"""

from __future__ import annotations

import _socket
import errno
import os
from collections import deque
from typing import Any, Callable, Optional, Union

from iris.mesh.kernel import Kernel, RealKernel
from iris.mesh.streams import Accepted, Connected, Receiver, Resolved
from iris.mesh.wire import Address
from iris.run.native import allocate_lock

RECEIVE_BYTES = 256 * 1024
"""Read at once at most. Frames are parsed in one loop, so a large buffer pays."""

BACKLOG = 1024
"""Connections that the system keeps while we do not look; it takes the least of this and its own
limit."""

ACCEPTS_MOST = 64
"""Connections accepted before the other streams have their turn."""

ACCEPT_PAUSE_S = 0.1
"""Without a free descriptor a door would be ready for ever and keep the thread busy."""

FINISH_S = 5.0
"""How long `finish` waits for the other side to take what was written, and to close as well."""

LOOKUPS_MOST = 64
"""Threads that look hosts up at a time. A name server that does not answer holds each for long."""

_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LATER = (BlockingIOError, InterruptedError)
_BEGUN = (0, errno.EINPROGRESS, errno.EINTR, errno.EWOULDBLOCK)

Report = Callable[[BaseException], Any]


class SocketDriver:
    """Sockets, timers and the thread of one node; keeps `iris.mesh.streams.Driver`.

    The thread begins with the first call that needs it.

    Args:
        report: called in the hub with an exception that a receiver or a posted call has raised,
            and with what keeps a door from letting anybody in.
        kernel: whose sockets and threads; None for those of the machine.
    """

    def __init__(self, report: Report, kernel: Optional[Kernel] = None) -> None:
        self.report = report
        self.kernel: Kernel = RealKernel() if kernel is None else kernel
        self.now = self.kernel.now
        self._lock = allocate_lock()
        # Around the start and the stop of the thread.
        self._hub: Any = None
        self._left: Callable[[float], Any] = _nothing
        self._stopped = False
        self._calls: deque[Callable[[], Any]] = deque()
        self._sleeping = True
        # As in the carrier: True means that whoever posts a call has to wake the hub.
        self._open: dict[Any, None] = {}
        # Hub only: all that has a descriptor, each with a `close`.
        self._lookups = 0
        # Hub only.
        self._waiting: deque[Callable[[], None]] = deque()
        # Hub only: look-ups that found no free thread.
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))

    # -- from any thread -------------------------------------------------------------------

    def post(self, call: Callable[[], Any]) -> None:
        """Make the call in the hub soon, in order. After `stop` nothing is called any more."""
        if self._hub is None:
            self._start()
        self._calls.append(call)
        if self._sleeping:
            try:
                self._sleeping = False
                self._wake()
            except BaseException:
                # A signal handler raised in between: nobody else would wake the hub.
                self._wake()
                raise

    def _wake(self) -> None:
        hub = self._hub
        if hub is not None:
            hub.wake()

    def _start(self) -> None:
        with self._lock:
            if self._hub is None and not self._stopped:
                self._left = self.kernel.start_hub(self._enter)

    def _enter(self, hub: Any) -> None:
        hub.start(self._make_calls)
        self._hub = hub
        hub.wake()

    def listen(self, host: str, port: int, accepted: Accepted) -> Door:
        """Open a door; see `iris.mesh.streams.Driver`. Blocks while the host is looked up."""
        family, address = self.kernel.numbers(host, port)[0]
        sock = self.kernel.socket(family)
        try:
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(BACKLOG)
            door = Door(self, sock, accepted)
            self.post(door.open)
        except BaseException:
            sock.close()
            raise
        return door

    def stop(self, timeout_s: float) -> None:
        """Close all that is open and end the thread; waits some seconds at most. Once is enough."""
        with self._lock:
            self._stopped = True
            hub = self._hub
        if hub is not None:
            self._calls.append(lambda: self._leave(hub))
            # Whatever was begun before: a wake-up too many does no harm.
            self._sleeping = False
            hub.wake()
            self._left(timeout_s)

    def forked(self) -> None:
        """See `iris.mesh.streams.Driver`. The event loop is the parent's and is not touched."""
        for one in list(self._open):
            one.abandon()

    def _leave(self, hub: Any) -> None:
        for one in list(self._open):
            one.close()
        hub.close()
        self.kernel.leave_hub(hub)

    # -- in the hub ------------------------------------------------------------------------

    def _make_calls(self) -> None:
        self._sleeping = False
        calls = self._calls
        # Only those that are here now: calls that bring new ones must not hold the loop.
        for _ in range(len(calls)):
            self.guard(calls.popleft())
        if not calls:
            self._sleeping = True
            # Asleep first, THEN a look: whoever posted before that did not wake us.
            if not calls:
                return
            self._sleeping = False
        self._wake()

    def guard(self, call: Callable[[], Any]) -> None:
        """Make a call whose exception is nobody's."""
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # The entry.
            self.report(error)

    def later(self, delay_s: float, call: Callable[[], Any]) -> Any:
        """Make the call after some seconds; the result has `close()`."""
        assert self._hub is not None
        return self._hub.later(delay_s, lambda: self.guard(call))

    def watcher(self, descriptor: int, is_writer: bool) -> Any:
        """See `GeventHub.watcher`."""
        assert self._hub is not None
        return self._hub.watcher(descriptor, is_writer)

    def enlist(self, one: Any) -> None:
        """It has a descriptor, and is to be closed with the driver."""
        self._open[one] = None

    def strike(self, one: Any) -> None:
        """It has none any more."""
        self._open.pop(one, None)

    def connect(self, host: str, port: int, timeout_s: float, done: Connected) -> Attempt:
        """Connect; see `iris.mesh.streams.Driver`."""
        return Attempt(self, host, port, timeout_s, done)

    def look_up(self, host: str, done: Resolved) -> None:
        """Find the addresses of a host, on a thread beside; see `iris.mesh.streams.Driver`."""
        self.find(host, 0, lambda found: done(_hosts(found)))

    def find(self, host: str, port: int, done: Callable[[Any], Any]) -> None:
        """Have `done` called in the hub with [(family, address), ...], or with an OSError."""

        def look() -> None:
            found: Any
            try:
                found = self.kernel.numbers(host, port)
            except Exception as error:  # noqa: BLE001  # A thread's entry.
                found = _as_os_error(error)
            self.post(lambda: self._found(found, done))

        def begin() -> None:
            self._lookups += 1
            try:
                self.kernel.start_thread(look)
            except RuntimeError as error:
                refused = OSError(errno.EAGAIN, f"no thread to look {host!r} up: {error}")
                self.post(lambda: self._found(refused, done))

        numbers = self.kernel.parse(host, port)
        if numbers is not None:
            # Nobody has to be asked, so no thread is needed.
            self.post(lambda: done(numbers))
            return
        if self._lookups < LOOKUPS_MOST:
            begin()
        else:
            self._waiting.append(begin)

    def _found(self, found: Any, done: Callable[[Any], Any]) -> None:
        self._lookups -= 1
        if self._waiting:
            self._waiting.popleft()()
        done(found)


class Door:
    """A listening socket; keeps `iris.mesh.streams.Listening`."""

    def __init__(self, driver: SocketDriver, sock: Any, accepted: Accepted) -> None:
        self.host, self.port = sock.getsockname()[:2]
        self._driver = driver
        self._sock = sock
        self._accepted = accepted
        self._watcher: Any = None
        self._pause: Any = None
        self._closed = False

    def open(self) -> None:
        """Begin to let others in. In the hub."""
        if self._closed:
            return
        self._watcher = self._driver.watcher(self._sock.fileno(), False)
        self._watcher.start(self._ready)
        self._driver.enlist(self)

    def close(self) -> None:
        """See `iris.mesh.streams.Listening`; in the hub."""
        if self._closed:
            return
        self._closed = True
        self._driver.strike(self)
        _close_all(self._watcher, self._pause)
        self._sock.close()

    def abandon(self) -> None:
        """See `SocketDriver.forked`."""
        self._sock.close()

    def _ready(self) -> None:
        for _ in range(ACCEPTS_MOST):
            if self._closed:
                return
            try:
                sock, address = self._driver.kernel.accept(self._sock)
            except _LATER:
                return
            except OSError as error:
                if error.errno in _SHORT:
                    self._driver.report(error)
                    self._watcher.stop()
                    self._pause = self._driver.later(ACCEPT_PAUSE_S, self._resume)
                    return
                # The other side has gone again: that is its own affair.
                continue
            self._driver.guard(lambda sock=sock, at=address: self._let_in(sock, at))  # type: ignore[misc]

    def _let_in(self, sock: Any, address: Any) -> None:
        stream = SocketStream(self._driver, sock, _text(address))
        stream.begin(self._accepted)

    def _resume(self) -> None:
        pause, self._pause = self._pause, None
        pause.close()
        self._watcher.start(self._ready)


class Attempt:
    """A connection that is being made: one address of the host after the other."""

    def __init__(
        self, driver: SocketDriver, host: str, port: int, timeout_s: float, done: Connected
    ) -> None:
        self._driver = driver
        self._name = _text((host, port))
        self._done: Optional[Connected] = done
        self._sock: Any = None
        self._watcher: Any = None
        self._addresses: deque[Any] = deque()
        self._error: Exception = OSError(errno.EADDRNOTAVAIL, f"{self._name} has no address")
        late = TimeoutError(errno.ETIMEDOUT, f"{self._name} did not answer in {timeout_s:g} s")
        self._timer = driver.later(timeout_s, lambda: self._end(late))
        driver.enlist(self)
        driver.find(host, port, self._found)

    def close(self) -> None:
        """Take the attempt back. In the hub."""
        self._done = None
        self._release()

    def abandon(self) -> None:
        """See `SocketDriver.forked`."""
        if self._sock is not None:
            self._sock.close()

    def _found(self, found: Any) -> None:
        if self._done is None:
            return
        if isinstance(found, Exception):
            self._end(found)
            return
        self._addresses.extend(found)
        self._try_next()

    def _try_next(self) -> None:
        while self._addresses:
            family, address = self._addresses.popleft()
            try:
                self._sock = self._driver.kernel.socket(family)
                code = self._sock.connect_ex(address)
            except OSError as error:
                self._error = error
                self._drop()
                continue
            if code not in _BEGUN:
                self._failed(code)
                continue
            # Also where it is there at once: `done` is not called within `connect`.
            self._watcher = self._driver.watcher(self._sock.fileno(), True)
            self._watcher.start(lambda at=address: self._driver.guard(lambda: self._ready(at)))
            return
        self._end(self._error)

    def _ready(self, address: Any) -> None:
        code = self._sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if code:
            self._failed(code)
            self._try_next()
            return
        sock, self._sock = self._sock, None
        done, self._done = self._done, None
        self._release()
        assert done is not None
        SocketStream(self._driver, sock, _text(address)).begin(done)

    def _failed(self, code: int) -> None:
        # The class that the number stands for, as the system's own errors have it.
        self._error = OSError(code, f"{os.strerror(code)} ({self._name})")
        self._drop()

    def _end(self, error: Exception) -> None:
        done, self._done = self._done, None
        self._release()
        if done is not None:
            done(error)

    def _drop(self) -> None:
        _close_all(self._watcher)
        self._watcher = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _release(self) -> None:
        self._driver.strike(self)
        _close_all(self._timer)
        self._drop()


class SocketStream:
    """One connection; keeps `iris.mesh.streams.Stream`. In the hub."""

    __slots__ = (
        "_closed", "_driver", "_finishing", "_out", "_owner", "_paused", "_reader", "_sock",
        "_writer", "peer", "unsent",
    )  # fmt: skip

    def __init__(self, driver: SocketDriver, sock: Any, peer: str) -> None:
        self.peer = peer
        self.unsent = 0
        self._driver = driver
        self._sock = sock
        self._owner: Optional[Receiver] = None
        # From `begin` to `close`: owners refer to their streams, and what goes in a circle waits
        # for the garbage collector, with all that it holds of a peer.
        self._out: deque[memoryview] = deque()
        # What the system has not taken. Invariant: its bytes are `unsent`, and while there are
        # any, the writer waits for the system to take more.
        self._closed = False
        self._paused = False
        self._finishing: Any = None
        # The timer of `finish`.
        self._writer: Any = None
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._reader = driver.watcher(sock.fileno(), False)
        driver.enlist(self)

    def begin(self, wanted: Callable[[Any], Optional[Receiver]]) -> None:
        """Give the stream to its owner, if there is one."""
        owner = None
        try:
            owner = wanted(self)
        finally:
            if owner is None:
                self.close()
        if owner is not None and not self._closed:
            self._owner = owner
            if not self._paused:
                self._reader.start(self._readable)

    def write(self, data: bytes) -> None:
        """See `iris.mesh.streams.Stream`."""
        if self._closed or not data:
            return
        if self._out:
            self._out.append(memoryview(data))
            self.unsent += len(data)
            return
        try:
            sent = self._sock.send(data)
        except OSError:
            # If that is more than a full buffer, the loop finds it, too, and tells the owner; here
            # it might be in the middle of something.
            sent = 0
        if sent < len(data):
            self._out.append(memoryview(data)[sent:])
            self.unsent = len(data) - sent
            if self._writer is None:
                self._writer = self._driver.watcher(self._sock.fileno(), True)
            self._writer.start(self._writable)

    def pause(self) -> None:
        """See `iris.mesh.streams.Stream`."""
        self._paused = True
        if not self._closed:
            self._reader.stop()

    def resume(self) -> None:
        """See `iris.mesh.streams.Stream`."""
        if self._paused:
            self._paused = False
            if not self._closed:
                self._reader.start(self._readable)

    def finish(self) -> None:
        """See `iris.mesh.streams.Stream`.

        What still comes is read and thrown away: closed with bytes unread, the system would tell
        the other side that the connection was reset, and that might lose what we have sent.
        """
        if self._closed or self._finishing is not None:
            return
        self._finishing = self._driver.later(FINISH_S, self.close)
        self.resume()
        if not self._out:
            self._shut()

    def _shut(self) -> None:
        try:
            self._sock.shutdown(_socket.SHUT_WR)
        except OSError:
            self.close()

    def close(self) -> None:
        """See `iris.mesh.streams.Stream`."""
        if self._closed:
            return
        self._closed = True
        self._driver.strike(self)
        _close_all(self._reader, self._writer, self._finishing)
        self._sock.close()
        self._out.clear()
        self._owner = None

    def abandon(self) -> None:
        """See `SocketDriver.forked`."""
        self._sock.close()

    def _readable(self) -> None:
        buffer = self._driver.buffer
        try:
            count = self._sock.recv_into(buffer)
        except _LATER:
            return
        except OSError as error:
            self._lost(error)
            return
        if not count:
            self._lost(None)
        elif self._finishing is None and self._owner is not None:
            self._tell(self._owner.received, bytes(buffer[:count]))

    def _writable(self) -> None:
        out = self._out
        try:
            while out:
                chunk = out[0]
                sent = self._sock.send(chunk)
                self.unsent -= sent
                if sent < len(chunk):
                    out[0] = chunk[sent:]
                    return
                out.popleft()
        except _LATER:
            return
        except OSError as error:
            self._lost(error)
            return
        self._writer.stop()
        if self._finishing is not None:
            self._shut()
        elif self._owner is not None:
            self._tell(self._owner.drained)

    def _lost(self, error: Optional[Exception]) -> None:
        owner = self._owner if self._finishing is None else None
        self.close()
        if owner is not None:
            self._driver.guard(lambda: owner.lost(error))

    def _tell(self, call: Callable[..., Any], *arguments: Any) -> None:
        try:
            call(*arguments)
        except BaseException as error:  # noqa: BLE001  # The entry.
            self._driver.report(error)
            if not self._closed:
                self._lost(error if isinstance(error, Exception) else None)


def _hosts(found: Any) -> Union[list[str], Exception]:
    if isinstance(found, Exception):
        return found
    return list(dict.fromkeys(address[0] for _, address in found))


def _as_os_error(error: Exception) -> OSError:
    return error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error))


def _text(address: Any) -> str:
    """An address of the system, which for IPv6 has more than host and port."""
    return str(Address(*address[:2]))


def _close_all(*watchers: Any) -> None:
    """Close watchers and timers; None for one that was never made."""
    for watcher in watchers:
        if watcher is not None:
            watcher.stop()
            watcher.close()


def _nothing(_: float) -> None:
    pass
