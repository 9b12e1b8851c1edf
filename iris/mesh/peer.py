"""A peer: all that this node has to do with one other node of version 1.

It owns the judge of the peer, the outbox and the questions, and carries out what the judge says:
when the peer is down its proxies end, its questions fail, its watchers are told, and it is tried
again while somebody watches. It is asked for a sign of life while it has proxies or watchers.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from math import inf
from typing import Any, Callable, Optional, Protocol, Union

from iris.core.cell import ActorCell
from iris.core.messages import ExitReason, PySystemMessage, SystemType
from iris.errors import NodeUnreachable
from iris.mesh.backlog import Backlog
from iris.mesh.health import HealthLimits, Judge, PeerReason, PeerState
from iris.mesh.questions import Question
from iris.mesh.streams import Driver
from iris.mesh.wire import Address, WireLimits

Settle = Callable[[Union[int, Exception]], Any]

FORGET_AFTER_S = 60.0
"""After this time a peer that nobody needs any more is forgotten, and its connections closed."""

LINGER_S = 1.0
"""Between two looks at whether the last question has been answered by then."""

_NO_NAME_SERVER = -3
# EAI_AGAIN of getaddrinfo.

_OURS = (
    errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, _NO_NAME_SERVER,
)  # fmt: skip
# This node has no descriptor, memory or thread left, or no name server; that says nothing of the
# peer.


@dataclass(frozen=True)
class NodeInfo:
    """What is known of another node."""

    address: str
    """Where it listens, as "host:port"."""

    state: PeerState
    """"up", "suspect" or "down"; equal to the word itself."""

    reason: Optional[PeerReason]
    """Why it is not up: "slow", "refused", "reset", "timeout", "left" or "unknown" (its host)."""

    round_trip_s: Optional[float]
    """Of the latest ping that was answered, in seconds."""

    lag_s: float
    """How late the other node says that it is; 0.0 by version 1, which does not tell."""

    proxies: int
    """Actors here that stand for actors there."""


class Shared:
    """What all peers of a node have in common."""

    def __init__(
        self,
        driver: Driver,
        wire: WireLimits,
        health: HealthLimits,
        io_timeout_s: float,
        luck: Callable[[], float],
        tell: Callable[[ActorCell, PySystemMessage], bool],
        changed: Callable[[str, str], None],
        forget: Callable[[Peer], None],
    ) -> None:
        self.driver = driver
        self.wire = wire
        self.health = health
        self.io_timeout_s = io_timeout_s
        self.luck = luck
        self.tell = tell
        # Puts a system message into the system lane of an actor; False when it is dead.
        self.changed = changed
        # For the log: (address, what has happened).
        self.forget = forget


class Outbox(Protocol):
    """What sends the messages of proxies: an `iris.mesh.outbox.Outbox`, or an `iris.mesh.line`."""

    backlog: Backlog

    @property
    def underway(self) -> int: ...
    def run(self) -> None: ...
    def drop(self) -> Any: ...
    def leave(self) -> None: ...


class Questions(Protocol):
    """What asks: an `iris.mesh.questions.Questions`, or an `iris.mesh.line`."""

    @property
    def is_idle(self) -> bool: ...
    def ask(self, question: Question) -> None: ...
    def drop(self) -> list[Question]: ...


Ways = tuple[Outbox, Questions]
"""How a peer is reached, by the version that is spoken with it. With version 2 both are one."""


class Peer:
    """One other node. In the hub of the mesh, but for `info`."""

    def __init__(
        self, shared: Shared, address: Address, make_ways: Callable[[Peer], Ways]
    ) -> None:
        self.address = address
        self._shared = shared
        self._driver = shared.driver
        self._judge = Judge(shared.health, self._driver.now(), shared.luck)
        self.outbox, self._questions = make_ways(self)
        self.backlog = self.outbox.backlog
        self._lag_s = 0.0
        # What the peer has said with its latest answer.
        self._watchers: dict[ActorCell, None] = {}
        self._is_listed = False
        # Whether discovery tells of it.
        self._timer: Any = None
        self._timer_at = inf
        self._retry_at = inf
        self._needless_since = self._driver.now()

    # -- from any thread -------------------------------------------------------------------

    def info(self) -> NodeInfo:
        """What is known of it."""
        judge = self._judge
        return NodeInfo(
            str(self.address), judge.state, judge.reason, judge.round_trip_s, judge.lag_s,
            len(self.backlog.proxies),
        )  # fmt: skip

    # -- what is wanted of it --------------------------------------------------------------

    def resolve(self, name: str, settle: Settle) -> None:
        """Ask for the pid of a name; `settle` gets it, 0 for nobody, or NodeUnreachable."""
        self._ask(name, self._answer(settle))

    def check(self, settle: Settle) -> None:
        """Ask for a sign of life; `settle` gets 1 or NodeUnreachable."""
        self._ask(None, self._answer(settle))

    def _ask(self, name: Optional[str], settle: Settle) -> None:
        """Ask, and wait for the answer no longer than `io_timeout_s`."""
        ends_at = self._driver.now() + self._shared.io_timeout_s
        self._questions.ask(Question(name, settle, ends_at))
        self._plan()

    def _answer(self, settle: Settle) -> Settle:
        """Turn what came of a question into what its asker gets."""

        def answer(outcome: Union[int, Exception]) -> None:
            if isinstance(outcome, Exception):
                settle(self._error(outcome))
            else:
                self._back()
                settle(outcome)

        return answer

    def _error(self, cause: Exception) -> NodeUnreachable:
        error = NodeUnreachable(f"node {self.address} cannot be reached: {_text(cause)}")
        error.__cause__ = cause
        return error

    def watch(self, watcher: ActorCell) -> None:
        """Tell an actor of pings, of the end and of the return of this peer, until it ends."""
        self._watchers[watcher] = None
        judge = self._judge
        if judge.state is PeerState.DOWN:
            metadata = {"address": str(self.address), "reason": str(judge.reason)}
            self._tell_one(watcher, SystemType.NODE_DOWN, ExitReason.NODE_DOWN, metadata)
            self._retry_at = min(self._retry_at, self._driver.now())
        self._plan()

    def enlist(self, is_listed: bool) -> None:
        """Discovery has found it, or tells that it is gone."""
        self._is_listed = is_listed
        self._plan()

    def needed(self) -> None:
        """It has a proxy more."""
        self.outbox.run()
        self._plan()

    # -- what happens to it ----------------------------------------------------------------

    def heard(self) -> None:
        """It has answered something."""
        if self._judge.heard(self._driver.now()):
            self._changed()

    def unreachable(self, error: Exception) -> None:
        """No connection can be made, or none holds."""
        if isinstance(error, OSError) and error.errno in _OURS:
            self._fail(error)
            return
        self._give_up(error, reason_of(error))

    def _give_up(self, error: Exception, reason: PeerReason) -> None:
        # Another reason is no news to those who know that it is down.
        is_news = self._judge.state is not PeerState.DOWN
        self._judge.unreachable(self._driver.now(), reason)
        self._down(error, is_news)

    def _fail(self, error: Exception) -> None:
        judge = self._judge
        judge.cut()
        if judge.state is PeerState.DOWN:
            self._retry_at = self._driver.now() + judge.pause_s()
        for question in self._questions.drop():
            question.settle(error)
        self._plan()

    def _down(self, error: Exception, is_news: bool) -> None:
        """The judge has said that it is down, perhaps anew."""
        judge = self._judge
        assert judge.reason is not None
        metadata = {"address": str(self.address), "reason": str(judge.reason)}
        questions = self._drop()
        gone = ExitReason.DISCONNECTED if judge.reason is PeerReason.LEFT else ExitReason.NODE_DOWN
        for proxy in list(self.backlog.proxies.values()):
            proxy.end(gone, {**metadata, "message": _text(error)})
        if is_news:
            self._shared.changed(str(self.address), f"is down: {judge.reason} ({_text(error)})")
            self._tell(SystemType.NODE_DOWN, gone, {**metadata, "message": _text(error)})
        self._retry_at = self._driver.now() + judge.pause_s()
        for question in questions:
            question.settle(error)
        self._plan()

    def _drop(self) -> list[Question]:
        """Close all ways to it; gives what was asked."""
        asked = self._questions.drop()
        # By version 2 that was the same.
        self.outbox.drop()
        return asked

    def left(self) -> None:
        """It has said goodbye."""
        self._give_up(ConnectionResetError(errno.ECONNRESET, "it has left"), PeerReason.LEFT)

    def lags(self, lag_s: float) -> None:
        """What it says of its own loop, with the answer that comes next."""
        self._lag_s = lag_s

    def _back(self) -> None:
        """It has answered."""
        self._retry_at = inf
        if self._judge.returned(self._driver.now()):
            self._shared.changed(str(self.address), "is back")
            self._tell(SystemType.NODE_UP, None, {"address": str(self.address)})
        self._plan()

    def _changed(self) -> None:
        state = self._judge.state
        if state is PeerState.SUSPECT:
            self._shared.changed(str(self.address), "is slow to answer")

    def _tell(
        self, kind: SystemType, reason: Optional[ExitReason], metadata: dict[str, Any]
    ) -> None:
        for watcher in list(self._watchers):
            self._tell_one(watcher, kind, reason, metadata)

    def _tell_one(
        self,
        watcher: ActorCell,
        kind: SystemType,
        reason: Optional[ExitReason],
        metadata: dict[str, Any],
    ) -> None:
        message = PySystemMessage(kind, 0, 0, reason, dict(metadata))
        if not self._shared.tell(watcher, message):
            self._watchers.pop(watcher, None)

    # -- time ------------------------------------------------------------------------------

    @property
    def _is_needed(self) -> bool:
        proxies, underway = self.backlog.proxies, self.outbox.underway
        return bool(self._watchers or proxies or underway or self._is_listed)

    def _plan(self) -> None:
        """See to it that `_tick` comes when the next thing is due."""
        judge, now = self._judge, self._driver.now()
        if self._is_needed:
            self._needless_since = inf
            due = min(judge.next_ping, judge.next_look, self._retry_at)
        else:
            self._needless_since = min(self._needless_since, now)
            due = max(self._needless_since + FORGET_AFTER_S, now + LINGER_S)
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.close()
            self._timer = None
        if due < inf:
            self._timer_at = due
            self._timer = self._driver.later(max(0.0, due - now), self._tick)

    def _tick(self) -> None:
        timer, self._timer = self._timer, None
        timer.close()
        judge, now = self._judge, self._driver.now()
        if self._is_needed:
            # That this thread was held up is nothing to hold against others.
            judge.late(now, now - self._timer_at)
            if judge.look(now):
                if judge.state is PeerState.DOWN:
                    wait = f"silent for down_after_s={self._shared.health.down_after_s:g}"
                    self._down(TimeoutError(errno.ETIMEDOUT, wait), True)
                else:
                    self._changed()
            if judge.wants_ping(now):
                self._ping(now)
            elif now >= self._retry_at:
                self._retry_at = inf
                ends_at = now + self._shared.io_timeout_s
                self._questions.ask(Question(None, self._ponged_when_down, ends_at))
            # It had no descriptor when it wanted to connect, perhaps.
            self.outbox.run()
        elif now >= self._needless_since + FORGET_AFTER_S and self._questions.is_idle:
            self.close()
            self._shared.forget(self)
            return
        self._plan()

    def _ping(self, now: float) -> None:
        self._judge.pinged(now)
        self._tell(SystemType.PING, None, {"address": str(self.address)})
        self._questions.ask(Question(None, self._ponged, None))

    def _ponged(self, outcome: Union[int, Exception]) -> None:
        judge = self._judge
        if isinstance(outcome, Exception):
            judge.cut()
            return
        if judge.answered(self._driver.now(), self._lag_s):
            self._changed()
        metadata = {"address": str(self.address), "round_trip_s": judge.round_trip_s}
        self._tell(SystemType.PONG, None, metadata)
        self._plan()

    def _ponged_when_down(self, outcome: Union[int, Exception]) -> None:
        if not isinstance(outcome, Exception):
            self._back()
        elif self._retry_at == inf:
            # No answer in time, or none that can be understood. Else this comes of `_down`.
            self.unreachable(outcome)

    def close(self) -> None:
        """Close its connections; what waits is lost. The node stops, or forgets it."""
        self.outbox.leave()
        error = ConnectionAbortedError(errno.ECONNABORTED, "this node has stopped")
        for question in self._drop():
            question.settle(error)
        if self._timer is not None:
            self._timer.close()
            self._timer = None


def reason_of(error: Exception) -> PeerReason:
    """What a failed connection says of the peer."""
    if isinstance(error, (TimeoutError, BlockingIOError)):
        return PeerReason.TIMEOUT
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return PeerReason.RESET
    if isinstance(error, OSError) and error.errno is not None and error.errno < 0:
        # The numbers of getaddrinfo.
        return PeerReason.UNKNOWN
    # Also where there is no way to the host: nobody there takes a connection.
    return PeerReason.REFUSED


def _text(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text) or type(error).__name__
