"""Questions to one node of version 1: for names, and for signs of life.

They have a connection of their own, opened on need, because version 1 answers in the order of the
questions: behind messages they would wait as long as these. A peer may close the connection at any
time, as existing nodes do after each answer or when it is idle; a question that was lost so is
asked once more.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional, Protocol, Union

from iris.mesh.outbox import closed_by
from iris.mesh.protocol import Broken, ClientV1, Ponged, Resolved
from iris.mesh.streams import Driver, Receiver, Stream
from iris.mesh.wire import Address, WireLimits

TRIES = 4
"""How often a question is asked when the peer closes before it answers: a network that breaks a few
connections in a row is no reason to end all that hangs on a peer."""

QUESTIONS_MOST = 4096
"""Questions without an answer, of one node."""


class Question:
    """Something that a peer is asked.

    Args:
        name: what is to be resolved; None asks for a sign of life.
        settle: given the pid, 0 for nobody (of a sign of life 1), or an exception. In the hub.
        ends_at: when its asker waits no longer; None for never.
    """

    __slots__ = ("asked_at", "ends_at", "name", "settle", "tries")

    def __init__(
        self,
        name: Optional[str],
        settle: Callable[[Union[int, Exception]], Any],
        ends_at: Optional[float],
    ) -> None:
        self.name = name
        self.settle = settle
        self.ends_at = ends_at
        self.asked_at = 0.0
        self.tries = 0


class Owner(Protocol):
    """What the questions need of their peer."""

    @property
    def address(self) -> Address: ...
    def unreachable(self, error: Exception) -> None: ...
    def heard(self) -> None: ...


class Questions:
    """What one peer is asked. In the hub of the mesh.

    Args:
        owner: told when the peer cannot be reached.
        io_timeout_s: what a connection may take to be made.
    """

    def __init__(
        self, owner: Owner, driver: Driver, limits: WireLimits, io_timeout_s: float
    ) -> None:
        self._owner = owner
        self._driver = driver
        self._limits = limits
        self._io_timeout_s = io_timeout_s
        self._stream: Optional[Stream] = None
        self._client: Optional[ClientV1] = None
        # Of that stream.
        self._attempt: Any = None
        self._waiting: deque[Question] = deque()
        # Those to be asked when there is a connection.
        self._timer: Any = None
        self._answers = 0
        # Given on this connection.

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer; what may wait for ever is nobody's question."""
        return all(one.ends_at is None for one in self._asked())

    def ask(self, question: Question) -> None:
        """Ask it; its `settle` is called once, not within this call."""
        if self._count() >= QUESTIONS_MOST:
            error = TimeoutError(f"{self._owner.address} is asked too much at a time")
            self._driver.post(lambda: question.settle(error))
            return
        self._waiting.append(question)
        self._send()

    def _count(self) -> int:
        return len(self._waiting) + (self._client.outstanding if self._client else 0)

    def _send(self) -> None:
        stream, client = self._stream, self._client
        if stream is None or client is None:
            if self._attempt is None:
                host, port = self._owner.address
                self._attempt = self._driver.connect(
                    host, port, self._io_timeout_s, self._connected
                )
        else:
            while self._waiting:
                question = self._waiting.popleft()
                question.tries += 1
                question.asked_at = self._driver.now()
                if question.name is None:
                    client.ping(question)
                else:
                    client.resolve(question.name, question)
            stream.write(client.data_to_send())
        self._watch()

    def _connected(self, outcome: Union[Stream, Exception]) -> Optional[Receiver]:
        self._attempt = None
        if isinstance(outcome, Exception):
            self._owner.unreachable(outcome)
            return None
        # That is no sign of life: the system of a frozen node takes connections, too.
        self._stream, self._client, self._answers = outcome, ClientV1(self._limits), 0
        self._send()
        return self

    # -- the receiver ----------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Answers have come."""
        assert self._client is not None
        for event in self._client.receive_data(data, self._driver.now()):
            if isinstance(event, (Resolved, Ponged)):
                self._answers += 1
                self._owner.heard()
                event.token.settle(event.pid if isinstance(event, Resolved) else 1)
            elif isinstance(event, Broken):
                self._break(ConnectionResetError(0, f"{self._owner.address}: {event.error}"))
                return

    def drained(self) -> None:
        """Nothing waits for it."""

    def lost(self, error: Optional[Exception]) -> None:
        """The connection is over; what was asked is asked once more on another."""
        client, self._stream, self._client = self._client, None, None
        outstanding: list[Question] = [] if client is None else client.tokens()
        self._waiting.extendleft(reversed(outstanding))
        if not self._answers and any(one.tries >= TRIES for one in outstanding):
            # It takes connections and answers nothing on them.
            self._owner.unreachable(error or closed_by(self._owner.address))
        elif self._waiting:
            self._send()

    def _break(self, error: Exception) -> None:
        """The peer does not speak version 1, or not in time: all that waits has failed."""
        for question in self.drop():
            question.settle(error)

    def drop(self) -> list[Question]:
        """Close the connection; gives what was asked, in order."""
        client, self._client = self._client, None
        stream, self._stream = self._stream, None
        attempt, self._attempt = self._attempt, None
        for one in (stream, attempt, self._timer):
            if one is not None:
                one.close()
        self._timer = None
        asked = [*([] if client is None else client.tokens()), *self._waiting]
        self._waiting.clear()
        return asked

    # -- time ------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Have a look when the time of the first question is over, unless one is due."""
        if self._timer is None:
            ends = [one.ends_at for one in self._asked() if one.ends_at is not None]
            if ends:
                delay_s = max(0.0, min(ends) - self._driver.now())
                self._timer = self._driver.later(delay_s, self._look)

    def _asked(self) -> list[Question]:
        return [*([] if self._client is None else self._client.tokens()), *self._waiting]

    def _look(self) -> None:
        timer, self._timer = self._timer, None
        timer.close()
        now = self._driver.now()
        if any(one.ends_at is not None and one.ends_at <= now for one in self._asked()):
            # Those behind it would have to wait for its answer, so all begin anew or fail.
            late = f"{self._owner.address} did not answer in {self._io_timeout_s:g} s"
            self._break(TimeoutError(late))
        else:
            self._watch()
