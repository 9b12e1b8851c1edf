"""Long turns: when a turn has held the carrier for too long, decided from samples.

A sample says where the carrier was at one moment. The carrier writes nothing for it: what a
sample holds can be read from outside at any time. Detection is here and knows neither threads
nor stacks; what is done about a long turn is the business of whoever takes the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

SAMPLES = 8
"""Samples in the time that a turn may take. A turn is found for certain when it takes longer by
two of them, and never when it takes less than the limit."""


@dataclass(frozen=True)
class LongTurn:
    """A turn that holds the thread of all push actors for too long."""

    pid: int
    """The actor whose turn it is."""

    name: Optional[str]
    """A name of the actor, else one of its paths, else None."""

    message_type: str
    """The name of the class of the message that it handles."""

    duration_ms: float
    """For how long the turn has been seen so far, in milliseconds."""

    stack: str
    """Where the handler is, as in a traceback, the outermost call first."""


class Sample(NamedTuple):
    """Where the carrier was at one moment."""

    progress: tuple[float, ...]
    """Another one than before whenever a turn has ended, or the hub was asked for other work."""

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

    __slots__ = ("_held_s", "_last", "_limit_s", "_now", "_reported", "period_s")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.period_s = limit_s / SAMPLES
        # Between two samples.
        self._last: Optional[Sample] = None
        self._now = 0.0
        self._held_s = 0.0
        # For how long the turn of the last sample was seen.
        self._reported = False
        # Whether it was reported.

    def is_suspect(self, now: float, due: float, progress: tuple[float, ...]) -> bool:
        """Whether it has to be found out whose turn is on the stack, which costs more."""
        last = self._last
        return now - due > self.period_s or (last is not None and last.progress == progress)

    @property
    def reported(self) -> bool:
        """Whether the turn of the last sample was reported: nothing more can come of it."""
        return self._reported

    def forget(self) -> None:
        """The carrier was seen at rest."""
        self._last = None
        self._reported = False

    def see(self, now: float, due: float, sample: Sample) -> Optional[float]:
        """Take a sample.

        Args:
            now: when it was taken.
            due: when it was to be taken. A sample that comes late says nothing about the time
                since: the process may have been suspended.
            sample: what was seen.

        Returns:
            Seconds for which the turn has been seen, when it has to be reported now.
        """
        last, before = self._last, self._now
        self._last, self._now = sample, now
        if not sample.pid:
            self._held_s, self._reported = 0.0, False
            return None
        same = (
            last is not None and last.progress == sample.progress and last.pid in (0, sample.pid)
        )
        late_s = now - due
        if same and last is not None and last.pid:
            gap_s = now - before
            if late_s > self.period_s:
                gap_s = min(gap_s, 2 * self.period_s + _busy(last, sample))
            self._held_s += gap_s
        else:
            # First seen. If the look came late because the turn itself let no other thread
            # run, as long calls of C code do, its thread was at work all the while.
            self._reported = False
            self._held_s = 0.0
            if late_s > self.period_s and last is not None:
                self._held_s = min(late_s, now - sample.looked_at, _busy(last, sample))
        if self._reported or self._held_s < self._limit_s:
            return None
        self._reported = True
        return self._held_s


def _busy(last: Sample, sample: Sample) -> float:
    """Processor time of the carrier's thread between two samples; 0 where nothing tells."""
    if last.busy_s is None or sample.busy_s is None:
        return 0.0
    return max(0.0, sample.busy_s - last.busy_s)
