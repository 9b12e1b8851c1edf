"""A network of memory and virtual time: nothing moves unless a test says so.

Keeps `iris.mesh.streams.Driver`. `run` makes the calls that were posted, `advance` lets time pass;
a test answers each attempt to connect, and says of each stream what its system takes.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional, Union
from unittest import mock

from iris.interop.awaiting import Outcome
from iris.mesh.streams import Accepted, Connected, Receiver, Resolved
from iris.testing import sim


class FakeTimer:
    """A call to come."""

    def __init__(self, at: float, call: Callable[[], Any]) -> None:
        self.at = at
        self.call: Optional[Callable[[], Any]] = call

    def close(self) -> None:
        self.call = None


class FakeStream:
    """One connection. `room` is how many bytes the system takes yet; None for any number."""

    def __init__(self, driver: FakeDriver, peer: str = "127.0.0.1:9") -> None:
        self.peer = peer
        self.unsent = 0
        self.written = b""
        # What the system has taken.
        self.room: Optional[int] = None
        self.paused = False
        self.closed = False
        self.owner: Any = None
        self._driver = driver
        self._waits = b""

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        self._waits += data
        self._take()

    def _take(self) -> None:
        taken = len(self._waits) if self.room is None else min(self.room, len(self._waits))
        if self.room is not None:
            self.room -= taken
        self.written += self._waits[:taken]
        self._waits = self._waits[taken:]
        self.unsent = len(self._waits)

    def give_room(self, size: Optional[int]) -> None:
        """The other side reads on: so many bytes more, or all from now on (None)."""
        self.room = None if size is None else (self.room or 0) + size
        waited = self.unsent
        self._take()
        if waited and not self.unsent:
            self.owner.drained()

    def come(self, data: bytes) -> None:
        """Bytes come from the other side."""
        self.owner.received(data)

    def end(self, error: Optional[Exception] = None) -> None:
        """The other side closes, or the connection fails."""
        self.closed = True
        self.owner.lost(error)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def finish(self) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


class FakeAttempt:
    """A connection that is being made, until a test says what comes of it."""

    def __init__(self, driver: FakeDriver, where: tuple[str, int], done: Connected) -> None:
        self.where = where
        self._driver = driver
        self._done: Optional[Connected] = done

    @property
    def is_open(self) -> bool:
        return self._done is not None

    def close(self) -> None:
        self._done = None

    def succeed(self, room: Optional[int] = None) -> FakeStream:
        """It is there."""
        stream = FakeStream(self._driver, "{}:{}".format(*self.where))
        stream.room = room
        owner = self._end(stream)
        stream.owner = owner
        if owner is None:
            stream.close()
        return stream

    def fail(self, error: Exception) -> None:
        """It cannot be made."""
        self._end(error)

    def _end(self, outcome: Union[FakeStream, Exception]) -> Optional[Receiver]:
        done, self._done = self._done, None
        assert done is not None
        return done(outcome)


class FakeDoor:
    """A listening socket."""

    def __init__(self, driver: FakeDriver, host: str, port: int, accepted: Accepted) -> None:
        self.host = host
        self.port = port
        self.closed = False
        self._driver = driver
        self._accepted = accepted

    def close(self) -> None:
        self.closed = True

    def let_in(self, peer: str = "127.0.0.1:9") -> FakeStream:
        """Somebody connects."""
        assert not self.closed
        stream = FakeStream(self._driver, peer)
        stream.owner = self._accepted(stream)
        return stream


class FakeDriver:
    """See the module. What a call raises reaches the test."""

    def __init__(self) -> None:
        self.attempts: list[FakeAttempt] = []
        # All that were ever begun.
        self.doors: list[FakeDoor] = []
        self._now = 1000.0
        self._calls: deque[Callable[[], Any]] = deque()
        self._timers: list[FakeTimer] = []

    def post(self, call: Callable[[], Any]) -> None:
        self._calls.append(call)

    def later(self, delay_s: float, call: Callable[[], Any]) -> FakeTimer:
        assert delay_s >= 0
        self._timers.append(FakeTimer(self._now + delay_s, call))
        return self._timers[-1]

    def now(self) -> float:
        return self._now

    def run(self) -> int:
        """Make what was posted, and what that posts; a storm fails. Gives how many calls."""
        made = 0
        while self._calls:
            self._calls.popleft()()
            made += 1
            assert made < 100_000, "calls that bring new ones without an end"
        return made

    def advance(self, duration_s: float) -> int:
        """Let time pass, timer by timer; a hot one fails. Gives how many have fired."""
        end, fired = self._now + duration_s, 0
        while True:
            self.run()
            self._timers = [one for one in self._timers if one.call is not None]
            due = min(self._timers, key=lambda one: one.at, default=None)
            if due is None or due.at > end:
                break
            self._timers.remove(due)
            self._now = max(self._now, due.at)
            call, due.call = due.call, None
            assert call is not None
            call()
            fired += 1
            assert fired < 100_000, "a timer that comes again at once, for ever"
        self._now = end
        return fired

    @property
    def attempt(self) -> FakeAttempt:
        """The only attempt that is open."""
        [one] = self.open_attempts
        return one

    @property
    def open_attempts(self) -> list[FakeAttempt]:
        return [one for one in self.attempts if one.is_open]

    def connect(self, host: str, port: int, timeout_s: float, done: Connected) -> FakeAttempt:
        assert timeout_s > 0
        self.attempts.append(FakeAttempt(self, (host, port), done))
        return self.attempts[-1]

    def listen(self, host: str, port: int, accepted: Accepted) -> FakeDoor:
        self.doors.append(FakeDoor(self, host, port or 40_000 + len(self.doors), accepted))
        return self.doors[-1]

    def look_up(self, host: str, done: Resolved) -> None:
        raise NotImplementedError

    def stop(self, timeout_s: float) -> None:
        self._calls.clear()


class World:
    """A simulated runtime in a network of this kind, which has to do with one other node."""

    address = "node:7"

    def __init__(self, **options: Any) -> None:
        self.driver = FakeDriver()

        # A simulation has a network of its own, in which less can be told apart than here.
        with mock.patch.object(sim, "driver_maker", return_value=lambda _: self.driver):
            self.rt = sim.SimRuntime(**options)

    def settle(self) -> None:
        """Let both threads come to rest, without letting time pass."""
        while self.driver.run() + self.driver.advance(0.0) + self.rt.run_until_idle():
            pass

    def sleep(self, duration_s: float) -> None:
        """Let time pass in both."""
        self.driver.advance(duration_s)
        self.settle()

    def proxy(self, pid: int = 5) -> int:
        """A proxy of an actor of the other node."""
        return self.rt.monitor_remote(self.address, pid)

    def ask(self, name: str) -> Outcome:
        """Ask for a name without waiting, as `resolve_remote_py` of other runtimes does."""
        outcome = Outcome()
        self.rt._system.mesh.begin_resolve(self.address, name, outcome.settle)
        return outcome

    def connect(self, room: Optional[int] = None) -> FakeStream:
        """Make the connection that is wanted; the system takes `room` bytes, None for any."""
        stream = self.driver.attempt.succeed(room)
        self.settle()
        return stream

    @property
    def state(self) -> str:
        [info] = self.rt.nodes()
        return str(info.state)

    def check_fates(self) -> dict[str, int]:
        """See `check_fates`."""
        return check_fates(self.rt)


def check_fates(rt: Any) -> dict[str, int]:
    """The sum of all fates is what a runtime has accepted; gives them."""
    stats: dict[str, int] = rt.stats()
    owned = (
        "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
        "queued", "running",
    )  # fmt: skip
    assert stats["accepted"] == sum(stats[one] for one in owned), stats
    return stats
