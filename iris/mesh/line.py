"""The line to one other node of version 2: all that this node sends there and asks it.

One connection, opened on need and made anew as long as the peer is not judged down. What a session
has written and the peer has not acknowledged is in doubt when the connection breaks, what was not
written is lost; what still lies in the lanes of the proxies goes on the next connection, so nothing
is delivered twice and nothing out of order. Each actor that a proxy stands for is monitored, so
that the proxy ends with it and with its reason. Over 400 lines, because messages, questions and
ends share the one connection and what its end means for each of them.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional, Protocol, Union

from iris.core.messages import CHAIN_MOST, ExitReason, Hop, Request
from iris.core.tally import Fates as Counters
from iris.errors import ActorError, IrisError, LimitReached, NodeUnreachable
from iris.mesh import events as e
from iris.mesh.backlog import Backlog
from iris.mesh.channel import Channel
from iris.mesh.couplings import Couplings
from iris.mesh.departures import Fates
from iris.mesh.inquiries import NO_END_S, Inquiries
from iris.mesh.limits import SessionLimits
from iris.mesh.payload import Codec, Undecodable
from iris.mesh.proxy import Packed, Proxy
from iris.mesh.questions import Question
from iris.mesh.secure import ClientHandshake, Secured
from iris.mesh.session import SessionV2
from iris.mesh.streams import Driver, Receiver, Stream
from iris.mesh.wire import Address
from iris.mesh.words import WORDS
from iris.run.requests import Requests

FILL_MESSAGES = 1024
FILL_BYTES = 256 * 1024
"""What is given to a session ahead of the writing: a break loses it, so no more than keeps the
network busy. Answers and pings pass it anyway."""

NAMED_MOST = 4096
"""Messages to names that wait for the network; one more is refused."""

BARREN_MOST = 2
"""Connections in a row that end before the peer has answered anything; then it is unreachable."""


class Owner(Protocol):
    """What a line needs of its peer."""

    @property
    def address(self) -> Address: ...
    def unreachable(self, error: Exception) -> None: ...
    def heard(self) -> None: ...
    def left(self) -> None: ...
    def lags(self, lag_s: float) -> None: ...


class Line:
    """The line to one peer; its outbox and its questions at once. In the hub of the mesh."""

    def __init__(
        self,
        owner: Owner,
        driver: Driver,
        lock: Any,
        counters: Counters,
        requests: Requests,
        codec: Codec,
        limits: SessionLimits,
        io_timeout_s: float,
        make_opening: Callable[[], ClientHandshake],
        lag: Callable[[], float],
        own_incarnation: bytes,
    ) -> None:
        self._owner = owner
        self._driver = driver
        self._lock = lock
        self._counters = counters
        self._requests = requests
        self._codec = codec
        self._limits = limits
        self._io_timeout_s = io_timeout_s
        self._make_opening = make_opening
        self._own_incarnation = own_incarnation
        self.backlog = Backlog(driver, lock, self.run)
        self.backlog.owner = self
        self._incarnation: Optional[bytes] = None
        # The life of the peer that the proxies are of; None while there are none.
        self._attempt: Any = None
        self._channel: Optional[Channel] = None
        self._left_over: deque[tuple[Proxy, Any]] = deque()
        # Messages that were taken out of lanes and found no room in the session.
        self._named: deque[tuple[str, int, bytes]] = deque()
        # Messages to names, which have no proxy: (name, sender, payload). Any thread appends.
        self._inquiries = Inquiries(driver, self._late, lag)
        self._monitored: dict[int, None] = {}
        # The pids of proxies that the session has told of.
        self._asked: dict[Request, int] = {}
        # Questions of actors that the session has, and their numbers there.
        self._couplings = Couplings()
        self._barren = 0

    @property
    def _session(self) -> Optional[SessionV2]:
        return None if self._channel is None else self._channel.session

    @property
    def underway(self) -> int:
        """Messages that were taken out of lanes and have not gone out. From any thread."""
        session = self._session
        queued = 0 if session is None else session.lanes.queued - session.lanes.replies
        return len(self._left_over) + len(self._named) + queued

    # -- what users send -------------------------------------------------------------------

    def run(self) -> None:
        """Send what can be sent now."""
        backlog = self.backlog
        if backlog.is_empty() and not (
            backlog.fresh or self._left_over or self._named or self._inquiries
        ):
            backlog.unblock()
            return
        if self._session is None:
            self._connect()
            if not backlog.is_empty():
                backlog.block()
        elif self._channel is not None:
            self._channel.flush()

    def fill(self) -> None:
        """See `iris.mesh.channel.Owner`."""
        session, backlog = self._session, self.backlog
        if session is None:
            return
        while backlog.fresh:
            proxy = backlog.fresh.popleft()
            if proxy.is_over:
                continue
            if not session.monitor(proxy.cell.pid, proxy.remote_pid):
                backlog.fresh.appendleft(proxy)
                break
            self._monitored[proxy.cell.pid] = None
        self._couplings.tell(session)
        self._inquiries.give(session)
        named = self._named
        while named and session.send_named(*named[0], packed=type(named[0][2]) is Packed):
            named.popleft()
        left_over = self._left_over
        while left_over:
            proxy, item = left_over[0]
            if not self._give(session, proxy, item):
                return
            left_over.popleft()
        while backlog.ready and not left_over:
            room = FILL_BYTES - session.queued_bytes
            if room <= 0 or session.queued >= FILL_MESSAGES:
                return
            proxy = backlog.ready.popleft()
            self._send(session, proxy, backlog.take(proxy, min(room, FILL_BYTES // 4)))

    def flushed(self, is_stuck: bool) -> None:
        """See `iris.mesh.channel.Owner`."""
        backlog = self.backlog
        if backlog.is_empty() and not self._left_over:
            backlog.unblock()
        elif is_stuck or backlog.is_crowded():
            backlog.block()

    def _send(self, session: SessionV2, proxy: Proxy, items: list[Any]) -> None:
        """Give messages to the session, runs of one kind together."""
        start, count = 0, len(items)
        while start < count:
            kind = type(items[start])
            stop = start + 1
            if kind is not Request:
                while stop < count and type(items[stop]) is kind:
                    stop += 1
                run = items[start:stop]
                taken = session.send(proxy.remote_pid, 0, run, kind is Packed)
                if taken < len(run):
                    self._left_over.extend((proxy, item) for item in items[start + taken :])
                    return
            elif not self._give(session, proxy, items[start]):
                self._left_over.extend((proxy, item) for item in items[start:])
                return
            start = stop

    def _give(self, session: SessionV2, proxy: Proxy, item: Any) -> bool:
        """Give one message or question to the session; False when it has no room."""
        if type(item) is not Request:
            return session.send(proxy.remote_pid, 0, [item], type(item) is Packed) == 1
        now = self._driver.now()
        timeout_s = item.ends_at - now if item.ends_at else NO_END_S
        if item.over or timeout_s <= 0:
            # Its asker waits no longer.
            self._counters.lost.add()
            return True
        message = item.message
        if not session.requests.full:
            number = session.ask(
                proxy.remote_pid, item.asker, message, type(message) is Packed, timeout_s, item,
                now, self._hops(item.chain),
            )  # fmt: skip
            if number:
                self._asked[item] = number
            # Without room it waits for its turn as a message does.
            return number > 0
        self._counters.lost.add()
        self._fail(item, LimitReached(f"too much waits for node {self._owner.address}"))
        return True

    def send_named(self, name: str, sender: int, payload: bytes) -> bool:
        """Send a message to whoever has a name there, when it arrives; False when there is no room.

        From any thread; the caller has `run` called.
        """
        if len(self._named) >= NAMED_MOST:
            return False
        self._named.append((name, sender, payload))
        return True

    def withdraw(self, request: Request) -> None:
        """Its asker waits no longer."""
        number, session = self._asked.pop(request, 0), self._session
        if number and session is not None:
            session.withdraw(number)
            self._flush()

    def _hops(self, chain: tuple[Hop, ...]) -> list[tuple[bytes, int]]:
        own = self._own_incarnation
        # The latest, if there are too many to be told.
        return [(own if life is None else life, pid) for life, pid in chain[-CHAIN_MOST:]]

    def wrote(self, messages: int, lost: int) -> None:
        """See `iris.mesh.channel.Owner`."""
        if messages:
            self._counters.forwarded.add_many(messages)
        if lost:
            self._counters.lost.add_many(lost)

    # -- links -----------------------------------------------------------------------------

    def link(self, proxy: Proxy, pid: int) -> None:
        """An actor here was linked to the one of a proxy."""
        if not proxy.is_over:
            self._couplings.link(self._session, pid, proxy.remote_pid)
            self._flush()

    def unlink(self, proxy: Proxy, pid: int) -> None:
        """It is not any more."""
        self._couplings.end(self._session, pid, proxy.remote_pid, None)
        self._flush()

    def exit(self, proxy: Proxy, pid: int, by: int, reason: str) -> None:
        """An actor here has ended that was linked to the one of a proxy."""
        self._couplings.end(self._session, pid, proxy.remote_pid, (by, reason))
        self._flush()

    def gone(self, proxy: Proxy) -> None:
        """A proxy has ended, and its links with it. See `Backlog.ended`."""
        session = self._session
        if session is None:
            self._forget_life()
        elif self._monitored.pop(proxy.cell.pid, self) is None:
            # Its actor lives on, as far as is known here.
            session.demonitor(proxy.cell.pid)
        else:
            session = None
        self._couplings.gone(session, proxy.remote_pid)
        self._driver.post(self._flush)

    def _flush(self) -> None:
        if self._channel is not None:
            self._channel.flush()

    # -- questions -------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked now."""
        return self._inquiries.is_idle(self._session)

    def ask(self, question: Question) -> None:
        """Ask it; its `settle` is called once, not within this call."""
        if self._inquiries.add(question):
            self._driver.post(self.run)
        else:
            error = TimeoutError(f"{self._owner.address} is asked too much at a time")
            self._driver.post(lambda: question.settle(error))

    def _late(self) -> TimeoutError:
        return TimeoutError(
            f"{self._owner.address} did not answer in {self._io_timeout_s:g} s"
        )

    # -- the connection --------------------------------------------------------------------

    def _connect(self) -> None:
        if self._attempt is None and self._channel is None:
            host, port = self._owner.address
            self._attempt = self._driver.connect(host, port, self._io_timeout_s, self._connected)

    def _connected(self, outcome: Union[Stream, Exception]) -> Optional[Receiver]:
        self._attempt = None
        if isinstance(outcome, Exception):
            self._owner.unreachable(outcome)
            return None
        channel = Channel(self._driver, outcome, self._make_opening(), self._limits, self)
        self._channel = channel
        channel.begin()
        return channel

    def opened(self, secured: Secured) -> None:
        """See `iris.mesh.channel.Owner`."""
        life, self._incarnation = self._incarnation, secured.peer.incarnation
        if life not in (None, self._incarnation):
            self._end_earlier_life()
        self._owner.heard()
        session = self._session
        assert session is not None
        with self._lock:
            self.backlog.fresh.clear()
            self.backlog.fresh.extend(self.backlog.proxies.values())
        self._couplings.opened()

    def _forget_life(self) -> None:
        """There is no connection: without proxies any life of the peer will do."""
        if not self.backlog.proxies:
            self._incarnation = None

    def _end_earlier_life(self) -> None:
        """The peer has been started anew: nobody there has the pids that were known."""
        address = self._owner.address
        metadata = {"address": str(address), "message": "the node was started anew"}
        self._couplings.forget_ends()
        self._drop_left_over()
        for proxy in list(self.backlog.proxies.values()):
            proxy.end(ExitReason.NODE_DOWN, metadata)

    def _drop_left_over(self) -> None:
        left_over, self._left_over = self._left_over, deque()
        for proxy, item in left_over:
            proxy.lose([item])
            if type(item) is Request:
                self._fail(item, self._unreachable("its connection was lost"))

    def ended(self, error: Exception, fates: Fates) -> None:
        """See `iris.mesh.channel.Owner`."""
        channel, self._channel = self._channel, None
        self._monitored.clear()
        self._asked.clear()
        self._forget_life()
        was_open = channel is not None and channel.session is not None
        again = self._inquiries.broken(self._count_end(channel, fates, str(error)))
        self._barren += 1
        refused = not was_open and not isinstance(error, OSError)
        if refused or self._barren > BARREN_MOST or not again:
            # Refused, or it takes connections and says nothing on them.
            self._owner.unreachable(_as_refusal(error) if not was_open else error)
            return
        self._driver.post(self.run)

    def _count_end(self, channel: Optional[Channel], fates: Fates, why: str) -> list[Question]:
        """The session is over: count, fail what actors asked; gives the names that were asked."""
        self._counters.in_doubt.add_many(fates.in_doubt)
        self._counters.lost.add_many(fates.lost)
        session = None if channel is None else channel.session
        asked: list[Any] = [] if session is None else session.outstanding()
        names = []
        for token in asked:
            if isinstance(token, Question):
                names.append(token)
            else:
                self._fail(token, self._unreachable(f"the connection was lost ({why})"))
        return names

    def drop(self) -> list[Question]:
        """The peer is down: close, lose what has not gone out; gives what was asked."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.close()
        channel, self._channel = self._channel, None
        questions: list[Question] = []
        if channel is not None:
            questions = self._count_end(channel, channel.close(), "it is down")
        self._drop_left_over()
        self._counters.lost.add_many(len(self._named))
        self._named.clear()
        self._forget_life()
        self._barren = 0
        self._monitored.clear()
        self._asked.clear()
        self.backlog.unblock()
        return questions + self._inquiries.drop()

    def leave(self) -> None:
        """This node stops: say goodbye."""
        if self._channel is not None:
            self._channel.leave()

    # -- what the peer says ----------------------------------------------------------------

    def told(self, event: e.Event) -> None:
        """See `iris.mesh.channel.Owner`."""
        if type(event) is e.Expired:
            # Time has brought it, which is no sign of life.
            self._expired(event)
            return
        self._owner.heard()
        act = _ACTS.get(type(event))
        if act is not None:
            self._barren = 0
            act(self, event)
        elif isinstance(event, (e.Messages, e.Named, e.Asked, e.Resolve, e.Monitor, e.Link)):
            # Who wants something of this node has to connect to it.
            assert self._channel is not None
            fates = self._channel.close()
            wrong = ConnectionResetError(0, f"{self._owner.address} has sent what nobody asked for")
            self.ended(wrong, fates)

    def _replied(self, event: e.Replied) -> None:
        request: Request = event.token
        self._asked.pop(request, None)
        try:
            value = self._codec.decode(event.packed, event.payload)
        except Undecodable as error:
            self._fail(request, ActorError(f"the answer cannot be read: {error}"))
            return
        with self._lock:
            self._requests.release(request)
            request.answered = True
        if not request.settle((True, value)):
            self._counters.late_replies.add()

    def _failed(self, event: e.Failed) -> None:
        kind = WORDS.get(event.word, ActorError)
        self._asked.pop(event.token, None)
        self._fail(event.token, kind(f"at node {self._owner.address}: {event.text}"))

    def _expired(self, event: e.Expired) -> None:
        if isinstance(event.token, Question):
            event.token.settle(self._late())
        else:
            self._asked.pop(event.token, None)

    def _resolved(self, event: e.Resolved) -> None:
        event.token.settle(event.pid)

    def _ponged(self, event: e.Ponged) -> None:
        self._owner.lags(event.lag_s)
        self._inquiries.ponged(event.number)

    def _down(self, event: e.Down) -> None:
        """An actor that a proxy stands for has ended."""
        proxies = self.backlog.proxies
        proxy = proxies.get(event.pid)
        # It was told of the links of its actor by the end of that.
        if self._monitored.pop(event.ref, self) is not self and proxy is not None:
            metadata = {"address": str(self._owner.address), "message": event.text}
            through = proxies.get(event.by)
            by = 0 if through is None else through.cell.pid
            proxy.end(ExitReason(event.reason), metadata, by)

    def _goodbye(self, _: e.Goodbye) -> None:
        self._owner.left()

    def _fail(self, request: Request, error: IrisError) -> None:
        self._requests.fail(request, error)

    def _unreachable(self, why: str) -> NodeUnreachable:
        return NodeUnreachable(f"node {self._owner.address} did not answer: {why}")


_ACTS: dict[type[Any], Callable[[Line, Any], None]] = {
    e.Replied: Line._replied,
    e.Failed: Line._failed,
    e.Resolved: Line._resolved,
    e.Ponged: Line._ponged,
    e.Down: Line._down,
    e.Goodbye: Line._goodbye,
}


def _as_refusal(error: Exception) -> Exception:
    """An opening that failed, as what the judge of peers understands: nobody there wants us."""
    return error if isinstance(error, OSError) else ConnectionRefusedError(0, str(error))
