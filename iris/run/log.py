"""What a runtime writes to the log `iris`: what went wrong with actors, and its own failures.

A storm of crashes must not become a storm of tracebacks, so only the first ones are
written in full; of the others the number is. The same goes for messages that nobody handled.
"""

from __future__ import annotations

import logging
from typing import Any

from iris.core.letters import DeadLetter
from iris.core.load import Level, Pressure
from iris.core.longturns import LongTurn
from iris.core.supervision import ChildReport

IN_FULL = 10
"""Reports of one kind that a runtime writes in full. Later ones are counted only."""

PER_LINE = 1000
"""One line for this many that were not written in full."""

_log = logging.getLogger("iris")


class Log:
    """The log lines of one runtime. From any thread."""

    __slots__ = (
        "_crashes", "_failed_starts", "_given_up", "_long_turns", "_orphans", "_peers",
        "_pressures", "_waits",
    )  # fmt: skip

    def __init__(self) -> None:
        self._crashes = 0
        self._failed_starts = 0
        self._given_up = 0
        self._long_turns = 0
        self._orphans = 0
        self._peers = 0
        self._pressures = 0
        self._waits = 0

    def crashed(
        self, pid: int, reason: Any, error: BaseException, restarts: bool = False
    ) -> None:
        """An actor's code raised."""
        self._crashes += 1
        if self._crashes <= IN_FULL:
            what = "restarts" if restarts else "ended"
            _log.error("actor %d %s: %s", pid, what, reason, exc_info=_info(error))
        elif self._crashes % PER_LINE == 0:
            _log.error("%d crashes of actors so far, the latest of actor %d", self._crashes, pid)

    def start_failed(self, child: str, error: BaseException) -> None:
        """A supervised child could not be started again."""
        self._failed_starts += 1
        if self._failed_starts <= IN_FULL:
            _log.error("%s could not be started again", child, exc_info=_info(error))
        elif self._failed_starts % PER_LINE == 0:
            _log.error(
                "%d starts of supervised actors have failed so far, the latest of %s",
                self._failed_starts,
                child,
            )

    def start_waits(self, child: str, error: BaseException) -> None:
        """A supervised child cannot be started before another node is back."""
        self._waits += 1
        if self._waits <= IN_FULL or self._waits % PER_LINE == 0:
            _log.info("%s is tried again later: %s (%d such cases)", child, error, self._waits)

    def gave_up(self, report: ChildReport, max_restarts: int, within_s: float) -> None:
        """A supervised child needed too many restarts."""
        self._given_up += 1
        if self._given_up > IN_FULL and self._given_up % PER_LINE:
            return
        _log.error(
            "supervisor %r gives up: %s (last pid %d) needed more than %d restarts within %g s"
            " (%d such cases so far)",
            report.supervisor or "global",
            report.child,
            report.pid,
            max_restarts,
            within_s,
            self._given_up,
        )

    def orphaned(self, pid: int) -> None:
        """An actor could not be ended in time."""
        self._orphans += 1
        if self._orphans > IN_FULL and self._orphans % PER_LINE:
            return
        _log.warning("actor %d could not be ended and was given up; its code runs on", pid)

    def overflowed(self, most: int) -> None:
        """The first pull actor has no thread of its own."""
        _log.warning(
            "no thread is left for pull actors (pull_threads_max=%d, or the process can start no"
            " more); from now on pull actors share threads, where a call that blocks in C holds up"
            " others of the same thread. Raise the limit, or have more actors refused, with"
            " set_pull_limits",
            most,
        )

    def undelivered(self, letter: DeadLetter, amount: int) -> None:
        """A message was not handled; or so many, and this is the latest of them.

        No warning: who sent it was told by the result of the send.
        """
        what = (letter.message_type, letter.pid, letter.reason)
        if amount == 1:
            _log.info("a message of type %s for actor %d was not handled: %s", *what)
        else:
            _log.info(
                "%d messages, the latest of type %s, for actor %d were not handled: %s",
                amount,
                *what,
            )

    def undelivered_so_far(self, letter: DeadLetter, lost: int) -> None:
        """One line for many; the caller counts."""
        _log.info(
            "%d messages were not handled so far, the latest of type %s for actor %d: %s",
            lost,
            letter.message_type,
            letter.pid,
            letter.reason,
        )

    def long_turn(self, turn: LongTurn) -> None:
        """A turn holds the carrier for too long."""
        self._long_turns += 1
        if self._long_turns <= IN_FULL:
            _log.warning(
                "actor %d (%s) has held up all other push actors for %.0f ms, handling a message"
                " of type %s%s",
                turn.pid,
                turn.name or "without a name",
                turn.duration_ms,
                turn.message_type or "unknown here",
                f". It is in:\n{turn.stack}" if turn.stack else "",
            )
        elif self._long_turns % PER_LINE == 0:
            _log.warning(
                "%d long turns of actors so far, the latest of actor %d",
                self._long_turns,
                turn.pid,
            )

    def pressure(self, report: Pressure, shed: int) -> None:
        """The load has met a limit, or has come back."""
        if report.level is Level.CALM:
            if self._pressures <= IN_FULL:
                _log.info(
                    "the load is under its limits again: %d messages are queued; %d were refused"
                    " so far",
                    report.queued_messages,
                    shed,
                )
            return
        self._pressures += 1
        if self._pressures <= IN_FULL:
            _log.warning(
                "the load has met a %s limit: %d messages%s are queued in all mailboxes together,"
                " with %r",
                report.level,
                report.queued_messages,
                "" if report.queued_bytes is None else f" of {report.queued_bytes} bytes",
                report.limits,
            )
        elif self._pressures % PER_LINE == 0:
            _log.warning(
                "the load has met its limits %d times so far; %d messages were refused",
                self._pressures,
                shed,
            )

    def peer_changed(self, address: str, what: str) -> None:
        """Another node is down, slow, or back."""
        self._peers += 1
        if self._peers <= IN_FULL:
            _log.warning("node %s %s", address, what)
        elif self._peers % PER_LINE == 0:
            _log.warning("%d changes of other nodes so far, the latest of %s", self._peers, address)

    def guest_closed(self, host: str, wrong: str, amount: int) -> None:
        """A connection from elsewhere was closed; the caller says it once per host and minute."""
        _log.warning(
            "a connection from %s was closed: %s (%d such cases so far)", host, wrong, amount
        )

    def swap_refused(self, pid: int, version: int, error: BaseException) -> None:
        """A migration raised, and the actor keeps its old handler."""
        _log.error(
            "actor %d refused behaviour version %d: its migration raised",
            pid,
            version,
            exc_info=_info(error),
        )

    def failed(self, error: BaseException) -> None:
        """Iris itself failed somewhere."""
        _log.error("internal error of Iris; please report it", exc_info=_info(error))

    def hook_raised(self, point: str, error: BaseException) -> None:
        """A hook raised."""
        _log.error("a hook of point %r raised", point, exc_info=_info(error))


def _info(error: BaseException) -> Any:
    return (type(error), error, error.__traceback__)
