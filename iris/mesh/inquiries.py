"""Inquiries: names and signs of life that one peer of version 2 is asked for.

They wait for a connection, are given to its session, and are asked once more on another when it
breaks. It stands apart from the line, which has the connections and the messages.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Optional

from iris.mesh.questions import Question
from iris.mesh.session import SessionV2
from iris.mesh.streams import Driver

WAITING_MOST = 4096
"""Of those that wait for a connection."""

NO_END_S = 3600.0
"""What a name has whose asker did not say how long it waits."""


class Inquiries:
    """What one peer is asked. In the hub of the mesh.

    Args:
        late: makes the error of those whose time is over.
        lag: how many seconds the hub of the actors is behind; goes with each ping.
    """

    def __init__(
        self, driver: Driver, late: Callable[[], Exception], lag: Callable[[], float]
    ) -> None:
        self._driver = driver
        self._late = late
        self._lag = lag
        self._waiting: deque[Question] = deque()
        self._pings: dict[int, Question] = {}
        # By number: pings that the session has.
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def is_idle(self, session: Optional[SessionV2]) -> bool:
        """Whether nobody waits for an answer."""
        asked: list[Any] = [] if session is None else session.outstanding()
        # A sign of life that may be waited for without an end is nobody's question.
        return all(
            type(one) is Question and one.ends_at is None
            for one in (*asked, *self._pings.values(), *self._waiting)
        )

    def add(self, question: Question) -> bool:
        """Ask it when `give` is called; False when there are too many."""
        if len(self._waiting) >= WAITING_MOST:
            return False
        self._waiting.append(question)
        self._watch(question)
        return True

    def give(self, session: SessionV2) -> None:
        """Give those that wait to the session, as far as there is room."""
        now = self._driver.now()
        while self._waiting:
            question = self._waiting[0]
            if question.name is None:
                session.lag_s = self._lag()
                number = self._number = self._number + 1
                asked = session.ping(number)
                if asked:
                    self._pings[number] = question
            else:
                timeout_s = max(0.001, (question.ends_at or now + NO_END_S) - now)
                asked = session.resolve(question.name, timeout_s, question, now) > 0
            if not asked:
                return
            self._waiting.popleft()

    def _watch(self, question: Question) -> None:
        """Fail a question when its time is over, wherever it waits then."""
        if question.ends_at is None:
            return

        def late() -> None:
            timer.close()
            if question in self._waiting:
                self._waiting.remove(question)
            elif question in self._pings.values():
                self._pings = {at: one for at, one in self._pings.items() if one is not question}
            else:
                # A name that was asked for: the session tells.
                return
            question.settle(self._late())

        timer = self._driver.later(max(0.0, question.ends_at - self._driver.now()), late)

    def ponged(self, number: int) -> None:
        """A sign of life has come."""
        question = self._pings.pop(number, None)
        if question is not None:
            question.settle(1)

    def broken(self, names: list[Question]) -> bool:
        """The connection is over on which these were asked, and the pings: all wait for another.

        Returns:
            False when one of them was asked in vain before.
        """
        asked = [*self._pings.values(), *names]
        self._pings.clear()
        self._waiting.extendleft(reversed(asked))
        again = all(one.tries < 1 for one in asked)
        for question in asked:
            question.tries += 1
        return again

    def drop(self) -> list[Question]:
        """Give all of them back, those that wait last."""
        dropped = [*self._pings.values(), *self._waiting]
        self._pings.clear()
        self._waiting.clear()
        return dropped
