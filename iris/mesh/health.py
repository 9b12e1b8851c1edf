"""Judging one peer by its signs of life: up, suspect, down; and when to try again.

Owns the pings that wait for an answer, the gaps between answers, and the verdict that follows. It
refuses to know sockets, clocks and protocols: the time is an argument, whoever owns the connections
says what has come and what has failed, and carries out what the verdict asks for. It stands apart
because nobody can wait for a frozen peer in a test, and because both versions judge alike.

Suspicion follows N. Hayashibara, X. Defago, R. Yared and T. Katayama, "The phi accrual failure
detector" (SRDS 2004): how unlikely is a gap this long, after the gaps before? Suspicion costs
nothing but a word, so it may come early. An end cannot be undone, so silence ends a peer only when
it has lasted for a fixed time, whatever was usual; a network that says no ends it at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from math import inf, sqrt
from typing import Callable, Optional

from iris.config import some_seconds
from iris.core.messages import Word

GAPS_KEPT = 64
"""Between answers: with a ping a second the last minute, so that a bad hour is forgotten soon."""

DEVIATIONS = 5.612
"""A gap over the mean by so many standard deviations has phi 8: one in 10^8 is as long, if gaps
are distributed normally. They are not quite, and one a year or one a day does no harm."""

DEVIATION_LEAST = 0.25
"""The standard deviation is taken for no less than this part of the time between pings: gaps that
were all alike would make a millisecond suspicious."""

SUSPECT_SHARE = 0.5
"""After this part of `down_after_s` silence is suspicious, whatever was usual and whatever lag the
peer has told: who is going to be down has been suspect before, and is not taken by surprise."""

PINGS_MOST = 16
"""Without an answer, and then no more are sent: they would pile up before a peer that sends bytes
and never answers."""

PAUSE_FIRST_S = 1.0
"""Before a peer that is down is tried again for the first time."""


class PeerState(Word):
    """What is thought of a peer; equal to the word itself, so `state == "up"` holds."""

    UP = "up"
    """Nothing speaks against it. A peer begins so."""
    SUSPECT = "suspect"
    """Silent for longer than usual. It keeps everything that it has."""
    DOWN = "down"
    """Given up, until a new connection to it is made and answered."""


class PeerReason(Word):
    """Why a peer is not up."""

    SLOW = "slow"
    """The only reason of a suspicion."""
    REFUSED = "refused"
    """There is a host at its address, and no node."""
    RESET = "reset"
    """It breaks connections off."""
    TIMEOUT = "timeout"
    """Silent for `down_after_s`, or it could not be connected to in time."""
    LEFT = "left"
    """It has said goodbye."""
    UNKNOWN = "unknown"
    """Its host name is not known."""


@dataclass(frozen=True)
class HealthLimits:
    """When a peer is asked and given up. Out of range: TypeError or BadInput."""

    ping_every_s: float = 1.0
    """From one ping to the next."""

    down_after_s: float = 8.0
    """How long a peer may be silent that owes an answer. A frozen one is down so long after the
    first ping that it misses."""

    backoff_most_s: float = 60.0
    """The longest pause before a peer that is down is tried again."""

    def __post_init__(self) -> None:
        for name in ("ping_every_s", "down_after_s", "backoff_most_s"):
            some_seconds(name, getattr(self, name))


class Judge:
    """The verdict on one peer. Blocks never, raises nothing; for one thread, as all of the mesh.

    Times are monotonic seconds that do not go back. What says that it returns whether anything
    has changed means the state or its reason.

    Args:
        limits: how patient it is.
        now: the time.
        jitter: gives a random number from 0 up to 1, so that nodes do not try again all at once.
    """

    __slots__ = (
        "_answered_at", "_asked_at", "_gaps", "_jitter", "_late_at", "_limits", "_longest_s",
        "_pause_bound_s", "_ping_at", "_pings", "lag_s", "reason", "round_trip_s", "since", "state",
    )  # fmt: skip

    def __init__(self, limits: HealthLimits, now: float, jitter: Callable[[], float]) -> None:
        self._limits = limits
        self._jitter = jitter
        self.state = PeerState.UP
        self.reason: Optional[PeerReason] = None
        # Invariant: None exactly while the peer is up.
        self.since = now
        # Of the state; a new reason alone does not move it.
        self.round_trip_s: Optional[float] = None
        # Of the last ping answered, as it was: it is told with that answer, so it is not smoothed.
        self._pings: deque[float] = deque()
        # When those were written that are not answered, at most PINGS_MOST.
        self._late_at = now
        # Until when stalls of our own are accounted for.
        # The next two are moved on by our own stalls, so a difference to them is without those.
        self._answered_at: Optional[float] = None
        # None until the first answer on a connection.
        self._asked_at: Optional[float] = None
        # Since when the peer owes a sign of life: when the first ping after the last one was
        # written. None while it owes nothing; then it is not judged.
        self._gaps: deque[float] = deque(maxlen=GAPS_KEPT)
        self._begin(now)

    def _begin(self, now: float) -> None:
        """Know nothing of how the peer answers, and ask at once."""
        self._gaps.clear()
        self._gaps.append(self._limits.ping_every_s)
        self._longest_s = _longest(self._gaps, self._limits.ping_every_s)
        # What a gap may be before it is suspicious, without lag.
        self._answered_at = None
        self.lag_s = 0.0
        # How late the peer's own loop was, as it said with its last answer.
        self._ping_at = now
        self._pause_bound_s = min(PAUSE_FIRST_S, self._limits.backoff_most_s)

    # -- pings and signs of life -------------------------------------------------------------

    @property
    def next_ping(self) -> float:
        """When the next ping is due; infinite while it is down or too many wait for an answer."""
        if self.state is PeerState.DOWN or len(self._pings) >= PINGS_MOST:
            return inf
        return self._ping_at

    def wants_ping(self, now: float) -> bool:
        """Whether a ping is due."""
        return now >= self.next_ping

    def pinged(self, now: float) -> None:
        """A ping has been written. One to a peer that is down belongs to an attempt to reach it,
        and is not judged here."""
        if self.state is PeerState.DOWN:
            return
        self._pings.append(now)
        self._ping_at = now + self._limits.ping_every_s
        if self._asked_at is None:
            self._asked_at = now

    def answered(self, now: float, lag_s: float = 0.0) -> bool:
        """The answer to the oldest ping has come; returns whether anything has changed.

        An answer that nobody has asked for is a sign of life and nothing more. A peer that is
        down stays so: only `returned` takes that back.

        Args:
            now: the time.
            lag_s: how late the peer says its own loop was; 0 where the protocol does not tell.
        """
        if not self._pings:
            return self.heard(now)
        self.round_trip_s = now - self._pings.popleft()
        self.lag_s = lag_s if lag_s > 0 else 0.0
        if self._answered_at is not None:
            self._gaps.append(now - self._answered_at)
            self._longest_s = _longest(self._gaps, self._limits.ping_every_s)
        self._answered_at = now
        return self.heard(now)

    def heard(self, now: float) -> bool:
        """Bytes of any kind have come from the peer; returns whether anything has changed."""
        if self.state is PeerState.DOWN:
            return False
        self._asked_at = now if self._pings else None
        return self._turn(PeerState.UP, None, now)

    def cut(self) -> None:
        """The connection for pings is gone, and the answers with it.

        What the peer owes it goes on owing: one that closes each connection is silent, too.
        """
        self._pings.clear()

    # -- silence -----------------------------------------------------------------------------

    def late(self, now: float, stalled_s: float) -> None:
        """Our own thread was held up for so long, until now; each time is told once.

        To be called before `look` and before what has come meanwhile is told: what was not read
        was not unsaid.
        """
        stalled_s = max(0.0, min(stalled_s, now - self._late_at))
        self._late_at = now
        if self._answered_at is not None:
            self._answered_at = min(self._answered_at + stalled_s, now)
        if self._asked_at is not None:
            self._asked_at = min(self._asked_at + stalled_s, now)

    @property
    def next_look(self) -> float:
        """When `look` will change something, if nothing comes; infinite while nothing is owed."""
        if self._asked_at is None:
            return inf
        down_at = self._asked_at + self._limits.down_after_s
        if self.state is PeerState.SUSPECT:
            return down_at
        # Counted from the first ping that is owed an answer, not from the last answer: up to a ping
        # later than in the paper, and never for a ping that we wrote late ourselves.
        # Our own lag is taken off where it lies, by `late`. Where the peer's lies nobody knows, so
        # as much as that is borne anywhere.
        usual_s = self._longest_s + self.lag_s
        return self._asked_at + min(usual_s, SUSPECT_SHARE * self._limits.down_after_s)

    def look(self, now: float) -> bool:
        """Judge the silence; returns whether anything has changed."""
        if now < self.next_look:
            return False
        assert self._asked_at is not None
        if now >= self._asked_at + self._limits.down_after_s:
            return self._turn(PeerState.DOWN, PeerReason.TIMEOUT, now)
        return self._turn(PeerState.SUSPECT, PeerReason.SLOW, now)

    # -- down and back -----------------------------------------------------------------------

    def unreachable(self, now: float, reason: PeerReason) -> bool:
        """The network, or the peer itself, says that it is gone: it is down at once.

        Also for each attempt that fails while it is down; the reason is then the latest. Returns
        whether anything has changed.
        """
        return self._turn(PeerState.DOWN, reason, now)

    def returned(self, now: float) -> bool:
        """A connection to the peer that was down is made and answered; no effect on others.

        It is judged as one that is new. Returns whether anything has changed.
        """
        if self.state is not PeerState.DOWN:
            return False
        self._begin(now)
        return self._turn(PeerState.UP, None, now)

    def pause_s(self) -> float:
        """How long to wait before the next attempt to reach it. To be called once for each.

        Between half a bound and the whole, which begins with a second, doubles with each call, up
        to `backoff_most_s`, and begins anew when the peer has returned.
        """
        bound_s = self._pause_bound_s
        self._pause_bound_s = min(2 * bound_s, self._limits.backoff_most_s)
        return bound_s * (1 + self._jitter()) / 2

    def _turn(self, state: PeerState, reason: Optional[PeerReason], now: float) -> bool:
        if state is PeerState.DOWN:
            self._pings.clear()
            self._asked_at = None
        if state is self.state and reason is self.reason:
            return False
        if state is not self.state:
            self.since = now
        self.state, self.reason = state, reason
        return True


def _longest(gaps: Collection[float], ping_every_s: float) -> float:
    """The gap that has phi 8, after these."""
    mean_s = sum(gaps) / len(gaps)
    deviation_s = sqrt(sum((gap - mean_s) ** 2 for gap in gaps) / len(gaps))
    return mean_s + DEVIATIONS * max(deviation_s, DEVIATION_LEAST * ping_every_s)
