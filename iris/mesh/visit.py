"""A visit: what another node of version 2 wants of this one, on a connection that it has made.

Messages go to mailboxes, questions to actors whose answers go back, names are looked up, and ends
of actors are told to who monitors them. What lies in mailboxes unhandled is credit that the other
node does not have, so a slow actor slows its senders and no memory fills. Nothing that comes in
runs code of its own choosing.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.core.cell import DEAD, ActorCell, ActorSpec, control_of
from iris.core.messages import ExitReason, Request
from iris.errors import BadInput, IrisError
from iris.mesh import events as e
from iris.mesh.bonds import Bonds
from iris.mesh.channel import Channel
from iris.mesh.departures import Fates
from iris.mesh.frames import MESSAGE_BYTES
from iris.mesh.hosting import Hosting
from iris.mesh.limits import SessionLimits
from iris.mesh.payload import Undecodable
from iris.mesh.secure import Secured, ServerHandshake
from iris.mesh.server import Guest
from iris.mesh.session import SessionV2
from iris.mesh.streams import Driver
from iris.mesh.wire import WireError
from iris.mesh.words import word_of

SLACK_MESSAGES = 64
SLACK_BYTES = 64 * 1024
"""A mailbox with so few messages counts as handled, as long as little has come at once: else each
message would need a marker of its own to be acknowledged."""

MONITORS_MOST = 1_000_000
LINKS_MOST = 100_000
"""Of one other node; more of them are a mistake, or worse."""

EAR = ActorSpec("remote watcher", 1, receives_system=True)


class _Ear:
    """The runner of what hears of ends for a visit: a cell that is in no table."""

    def __init__(self, heard: Callable[[], None], driver: Driver) -> None:
        self._heard = heard
        self._driver = driver

    def signal(self, cell: ActorCell) -> bool:  # noqa: ARG002  # The protocol.
        self._driver.post(self._heard)
        return True

    def start(self, cell: ActorCell) -> None:
        """Nothing to do."""

    def kill(self, cell: ActorCell) -> float:  # noqa: ARG002  # The protocol.
        return 0.0

    def restart(self, cell: ActorCell) -> None:
        """Never called."""


class Visit:
    """One connection of version 2 that another node has made. In the hub of the mesh.

    Args:
        over: called once when it has ended, with a WireError where the other node has done wrong.
    """

    def __init__(self, hosting: Hosting, over: Callable[[Exception], None]) -> None:
        self._hosting = hosting
        self._over = over
        self.channel: Channel
        # Set by who makes both.
        self.is_keyed = False
        self._life = b""
        # The incarnation of the other node.
        self._left = False
        # Whether it has said goodbye.
        self._load: dict[ActorCell, None] = {}
        self._load_bytes = self._load_messages = 0
        # What has come since mailboxes were last looked at, and to whom.
        self._asked: dict[int, Request] = {}
        # By the number that the other node gave it.
        self._costs: dict[int, int] = {}
        # Of those that are credit again when they are settled, by the same number.
        self._ear = ActorCell(EAR, _no_handler, _Ear(self._hear, hosting.driver))
        self._refs: dict[int, tuple[int, int]] = {}
        # The other node's ref: (pid, ref here).
        self._watched: dict[int, list[int]] = {}
        # pid: the other node's refs.

    @property
    def _session(self) -> SessionV2:
        session = self.channel.session
        assert session is not None
        return session

    # -- the owner of a channel ------------------------------------------------------------

    def opened(self, secured: Secured) -> None:
        """See `iris.mesh.channel.Owner`."""
        self.is_keyed = secured.key_id is not None
        self._life = secured.peer.incarnation
        self._session.lag_s = self._hosting.lag()

    def wrote(self, messages: int, lost: int) -> None:
        """Answers are no messages."""

    def fill(self) -> None:
        """Look at what has come: what is handled is acknowledged."""
        if not self._load_messages:
            return
        messages, size, load = self._load_messages, self._load_bytes, self._load
        self._load, self._load_messages, self._load_bytes = {}, 0, 0
        slack = SLACK_MESSAGES if size <= SLACK_BYTES else 0
        waiting = [cell for cell in load if cell.size() > slack]
        left = len(waiting)
        driver = self._hosting.driver
        if not left:
            self._session.taken(size, messages, driver.now())
            return

        def one_less() -> None:
            nonlocal left
            left -= 1
            if not left and not self.channel.is_over:
                self._session.taken(size, messages, driver.now())
                self.channel.flush()

        for cell in waiting:
            self._hosting.delivery.fence(cell, lambda: driver.post(one_less))

    def flushed(self, is_stuck: bool) -> None:
        """Nobody is to be slowed."""

    def ended(self, error: Exception, fates: Fates) -> None:  # noqa: ARG002  # No messages went.
        """See `iris.mesh.channel.Owner`."""
        self.close()
        self._over(error)

    def close(self) -> None:
        """Nobody waits for anything here any more."""
        hosting = self._hosting
        asked, self._asked = self._asked, {}
        self._costs.clear()
        for request in asked.values():
            hosting.requests.withdraw(request)
        with hosting.table.lock:
            for _, ref in self._refs.values():
                hosting.monitors.end(ref)
        self._refs.clear()
        self._watched.clear()
        hosting.leave_links(self._life, self, self._left)

    # -- what the other node says ----------------------------------------------------------

    def told(self, event: e.Event) -> None:
        """See `iris.mesh.channel.Owner`."""
        act = _ACTS.get(type(event))
        if act is not None:
            act(self, event)

    def _messages(self, event: e.Messages) -> None:
        payloads = event.payloads
        size = sum(map(len, payloads)) + len(payloads) * MESSAGE_BYTES
        self._deliver(event.pid, event.sender, event.packed, payloads, size)

    def _named(self, event: e.Named) -> None:
        pid = self._hosting.find(event.name)
        self._deliver(pid, event.sender, event.packed, [event.payload], event.cost_bytes)

    def _deliver(
        self, pid: int, sender: int, packed: bool, payloads: list[bytes], size: int
    ) -> None:
        messages: list[Any] = payloads
        count = len(payloads)
        if packed:
            messages = self._decoded(pid, payloads)
        cell = self._hosting.delivery.send_run(pid, messages) if messages else None
        if cell is None:
            if messages:
                self._session.undeliverable(pid, sender, count)
            self._session.taken(size, count, self._hosting.driver.now())
            return
        self._loaded(cell, count, size)

    def _loaded(self, cell: ActorCell, count: int, size: int) -> None:
        """So much went into a mailbox; it is credit again when it is handled."""
        self._load[cell] = None
        self._load_messages += count
        self._load_bytes += size

    def _decoded(self, pid: int, payloads: list[bytes]) -> list[Any]:
        messages: list[Any] = []
        for payload in payloads:
            try:
                messages.append(self._hosting.codec.decode(True, payload))
            except Undecodable:
                # Its sender has packed what this node cannot read.
                self._hosting.delivery.undeliverable(pid, payload)
        return messages

    def _ask(self, event: e.Asked) -> None:
        cell = self._put(event)
        if cell is None:
            self._session.taken(event.cost_bytes, 1, self._hosting.driver.now())
        elif cell.admission is not None:
            # It may wait in the line in front of a full mailbox, which no mark in that tells of.
            self._costs[event.request] = event.cost_bytes
        else:
            self._loaded(cell, 1, event.cost_bytes)

    def _put(self, event: e.Asked) -> Optional[ActorCell]:
        """Put a question into its mailbox; None where it fails at once."""
        hosting, session, number = self._hosting, self._session, event.request
        if (hosting.incarnation, event.pid) in event.chain:
            session.fail(number, "cycle", f"actor {event.pid} waits for this answer itself")
            return None
        cell = hosting.actor(event.pid)
        try:
            data = hosting.codec.decode(event.packed, event.payload)
        except Undecodable as error:
            session.fail(number, "error", f"the question cannot be read: {error}")
            return None
        if cell is None:
            hosting.delivery.undeliverable(event.pid, data)
            session.fail(number, "dead", f"actor {event.pid} has ended or never existed")
            return None
        request = Request(data, 0, self._settler(number), hosting.asking)
        request.chain = event.chain
        self._asked[number] = request
        try:
            hosting.asking.put(cell, request)
        except IrisError as error:
            if self._asked.pop(number, None) is not None:
                session.fail(number, word_of(error), str(error))
            return None
        return cell

    def _settler(self, number: int) -> Callable[[tuple[bool, Any]], bool]:
        """What sends the answer to a question back. From any thread, once."""
        hosting = self._hosting

        def settle(outcome: tuple[bool, Any]) -> bool:
            answered, value = outcome
            if not answered:
                hosting.driver.post(lambda: self._answer_failed(number, value))
                return True
            try:
                packed, payload = hosting.codec.encode(value)
            except Exception as error:
                # Also what fields of a registered class raise; the asker must not wait for it.
                text = f"the answer cannot be sent: {error}"
                hosting.driver.post(lambda: self._answer_failed(number, BadInput(text)))
                raise
            hosting.driver.post(lambda: self._answer(number, packed, payload))
            return True

        return settle

    def _answer(self, number: int, packed: bool, payload: bytes) -> None:
        if self._settled(number) is None:
            self._hosting.counters.late_replies.add()
            return
        try:
            self._session.reply(number, payload, packed)
        except BadInput as error:
            self._session.fail(number, "error", str(error))
        self.channel.flush()

    def _answer_failed(self, number: int, error: IrisError) -> None:
        if self._settled(number) is not None:
            self._session.fail(number, word_of(error), str(error))
            self.channel.flush()

    def _settled(self, number: int) -> Optional[Request]:
        """Nobody waits for this answer any more; the question, if somebody did."""
        cost_bytes = self._costs.pop(number, 0)
        if cost_bytes:
            self._session.taken(cost_bytes, 1, self._hosting.driver.now())
        return self._asked.pop(number, None)

    def _withdrawn(self, event: e.Withdrawn) -> None:
        request = self._settled(event.request)
        if request is not None:
            self._hosting.requests.withdraw(request)

    def _resolve(self, event: e.Resolve) -> None:
        self._session.resolved(event.request, self._hosting.find(event.name))

    def _pinged(self, _: e.Pinged) -> None:
        # For the next pong: this one is on its way.
        self._session.lag_s = self._hosting.lag()

    def _goodbye(self, _: e.Goodbye) -> None:
        self._left = True

    # -- ends of actors --------------------------------------------------------------------

    def _monitor(self, event: e.Monitor) -> None:
        hosting = self._hosting
        if len(self._refs) >= MONITORS_MOST or event.ref in self._refs:
            self._wrong(f"ref {event.ref} is taken, or there are over {MONITORS_MOST} monitors")
            return
        with hosting.table.lock:
            cell = hosting.actor(event.pid)
            alive = cell is not None and cell.state is not DEAD
            if alive and cell is not None:
                ref = hosting.monitors.begin(self._ear, cell)
                self._refs[event.ref] = (event.pid, ref)
                self._watched.setdefault(event.pid, []).append(event.ref)
        if not alive:
            self._session.down(event.ref, event.pid, 0, str(ExitReason.NO_SUCH_ACTOR))

    def _demonitor(self, event: e.Demonitor) -> None:
        pid, ref = self._refs.pop(event.ref, (0, 0))
        if ref:
            with self._hosting.table.lock:
                self._hosting.monitors.end(ref)
            refs = self._watched.get(pid, [])
            refs.remove(event.ref)
            if not refs:
                del self._watched[pid]

    def _hear(self) -> None:
        """Actors have ended that the other node monitors."""
        ear, hosting = self._ear, self._hosting
        ear.ready = False
        # Not ready first, THEN a look: whoever tells something from now on posts again.
        control = control_of(ear)
        with hosting.table.lock:
            ended = list(control.items)
            control.items.clear()
        bonds = hosting.bonds.get(self._life)
        for news in ended:
            if bonds is not None:
                bonds.ended(news.target_pid)
            for theirs in self._watched.pop(news.target_pid, ()):
                self._refs.pop(theirs, None)
                self._session.down(
                    theirs, news.target_pid, news.from_pid, str(news.reason), _text(news.metadata)
                )
        if not self.channel.is_over:
            self.channel.flush()

    def _link(self, event: e.Link) -> None:
        if self._hosting.actor(event.ours) is None:
            return
        bonds = self._hosting.bonds.setdefault(self._life, Bonds())
        if bonds.count >= LINKS_MOST:
            self._wrong(f"there are over {LINKS_MOST} links")
        else:
            bonds.tie(event.theirs, event.ours, self)

    def _unlink(self, event: e.Unlink) -> None:
        bonds = self._hosting.bonds.get(self._life)
        if bonds is not None:
            bonds.untie(event.theirs, event.ours)

    def _exit(self, event: e.Exit) -> None:
        hosting, link = self._hosting, (event.theirs, event.ours)
        bonds = hosting.bonds.get(self._life)
        if bonds is not None and bonds.untie(*link):
            hosting.exit(*link, event.by, ExitReason(event.reason), event.text)

    def _wrong(self, text: str) -> None:
        self.channel.close()
        self.close()
        self._over(WireError("request", text))


class SessionSpeaker:
    """Version 2 with one guest; see `iris.mesh.server.Speaker`."""

    def __init__(
        self, hosting: Hosting, guest: Guest, opening: ServerHandshake, limits: SessionLimits
    ) -> None:
        self._visit = Visit(hosting, guest.over)
        self._channel = Channel(hosting.driver, guest.stream, opening, limits, self._visit)
        self._visit.channel = self._channel
        self._channel.begin()

    @property
    def held(self) -> int:
        """Bytes of what is not whole; of a guest that has proved a key they do not count."""
        return 0 if self._visit.is_keyed else self._channel.held

    def received(self, data: bytes) -> None:
        """Bytes have come, from the version byte on."""
        self._channel.received(data)

    def drained(self) -> None:
        """All that was written is gone."""
        self._channel.drained()

    def lost(self, error: Optional[Exception]) -> None:
        """The connection is over."""
        self._channel.lost(error)

    def check(self, now: float) -> Optional[WireError]:  # noqa: ARG002  # The protocol.
        """A channel looks at the time itself."""
        return None

    def close(self) -> None:
        """This node closes the connection."""
        if not self._channel.is_over:
            self._channel.leave()
            self._channel.close()
            self._visit.close()


_ACTS: dict[type[Any], Callable[[Visit, Any], None]] = {
    e.Messages: Visit._messages,
    e.Named: Visit._named,
    e.Asked: Visit._ask,
    e.Withdrawn: Visit._withdrawn,
    e.Resolve: Visit._resolve,
    e.Monitor: Visit._monitor,
    e.Demonitor: Visit._demonitor,
    e.Link: Visit._link,
    e.Unlink: Visit._unlink,
    e.Exit: Visit._exit,
    e.Pinged: Visit._pinged,
    e.Goodbye: Visit._goodbye,
}


def _text(metadata: Optional[dict[str, Any]]) -> str:
    """What an end has to say for people."""
    if not metadata:
        return ""
    words = (metadata.get("exception_type"), metadata.get("message"))
    return ": ".join(str(word) for word in words if word)


def _no_handler(_: Any) -> None:
    raise AssertionError("nobody runs this cell")
