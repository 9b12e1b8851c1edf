"""Long turns: when a turn has held the carrier for too long, decided from samples.

A sample says where the carrier was at one moment. The carrier writes nothing for it: what a
sample holds can be read from outside at any time. Detection is here and knows neither threads
nor stacks; what is done about a long turn is the business of whoever takes the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

SAMPLES = 8
"""Samples in the time that a turn may take. A turn that takes less is never reported; one that
takes longer by two periods between samples is, if the samples are taken in time."""

PERIOD_LEAST_S = 0.001
"""Samples closer together than this would themselves be a load."""


@dataclass(frozen=True)
class LongTurn:
    """A turn that holds the thread of all push actors for too long."""

    pid: int
    """The actor whose turn it is."""

    name: Optional[str]
    """A name of the actor, else one of its paths, else None."""

    message_type: Optional[str]
    """The name of the class of the message that it handles; None on PyPy, which does not tell."""

    duration_ms: float
    """For how long the turn has been seen so far, in milliseconds."""

    stack: str
    """Where the handler is, as in a traceback, the outermost call first. Empty on PyPy, and for
    a handler that is written in C."""


Progress = tuple[float, ...]
"""Another one than before whenever a turn has ended, or the hub has looked for other work."""


class Sample(NamedTuple):
    """Where the carrier was at one moment."""

    progress: Progress
    """How far the carrier has come."""

    pid: int
    """The actor whose turn was on the thread's stack; 0 for none, or when nobody looked."""

    looked_at: float
    """A moment before which the turn cannot have begun, on the same clock as `now`."""

    busy_s: Optional[float]
    """Processor time of the carrier's thread so far; None where nothing tells."""


class LongTurns:
    """Follows the turns of one carrier.

    Args:
        limit_s: how long a turn may take.
    """

    __slots__ = ("_held_s", "_last", "_limit_s", "_now", "at_rest", "period_s", "reported")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.period_s = max(limit_s / SAMPLES, PERIOD_LEAST_S)
        # Between two samples.
        self._last: Optional[Sample] = None
        self._now = 0.0
        # When the last sample was taken.
        self._held_s = 0.0
        # For how long the turn of the last sample was seen.
        self.reported = False
        # Whether that turn was reported: nothing more can come of it.
        self.at_rest = False
        # Whether nothing went on between the last two samples, and no turn was there.

    def is_suspect(self, now: float, due: float, progress: Progress) -> bool:
        """Whether it has to be found out whose turn is on the stack, which costs more."""
        last = self._last
        return now - due > self.period_s or (last is not None and last.progress == progress)

    def see(self, now: float, due: float, sample: Sample) -> Optional[float]:
        """Take a sample.

        Args:
            now: when it was taken.
            due: when it was to be taken. That one comes late does not tell that the turn took
                long: the process may have been suspended, or the machine busy.
            sample: what was seen.

        Returns:
            Seconds for which the turn was seen when it has to be reported now, else None.
        """
        last, before = self._last, self._now
        self._last, self._now = sample, now
        goes_on = last is not None and last.progress == sample.progress
        self.at_rest = goes_on and not sample.pid
        late_s = now - due
        if last is None or not (goes_on and sample.pid and last.pid == sample.pid):
            self.reported = False
            self._held_s = 0.0
            if last is None or not sample.pid or late_s <= self.period_s:
                return None
            # Seen for the first time and late. If its thread was at work all the while, the
            # turn has let no other thread run, as long calls of C code do.
            self._held_s = min(late_s, now - sample.looked_at, _busy_s(last, sample))
        elif late_s > self.period_s:
            self._held_s += min(now - before, self.period_s + _busy_s(last, sample))
        else:
            self._held_s += now - before
        if self.reported or self._held_s < self._limit_s:
            return None
        self.reported = True
        return self._held_s


def _busy_s(last: Sample, sample: Sample) -> float:
    """Processor time of the carrier's thread between two samples; 0 where nothing tells."""
    if last.busy_s is None or sample.busy_s is None:
        return 0.0
    return max(0.0, sample.busy_s - last.busy_s)
