"""The work that was given to another process: what is open, sent again, answered twice. Pure.

A message to another node may be lost with it, and nobody says which one. So whoever sends work
keeps it until it is answered and sends it again when the node is back; and because the answer may
have been lost and not the work, an answer counts only once, by the number of its job.
"""

from __future__ import annotations

from typing import NamedTuple

import iris
from iris.demo.figures import Trend
from iris.demo.tally import Summary


class Job(NamedTuple):
    """One piece of work that is not answered yet."""

    worker: str
    """Who was given it, by name."""

    data: bytes


class Jobs:
    """The books of one run.

    Invariant: `taken == answered + open`.
    """

    def __init__(self) -> None:
        self.taken = 0
        self.sent_again = 0
        self.answered = 0
        self.answered_again = 0
        # Answers to jobs that are not open: answered before, and so not counted again.
        self._open: dict[int, Job] = {}

    @property
    def open(self) -> int:
        """How many wait for their answer."""
        return len(self._open)

    def take(self, number: int, worker: str, data: bytes) -> None:
        """Note a job, which is to be sent now. Its number is that of no other job of the run."""
        self.taken += 1
        self._open[number] = Job(worker, data)

    def again(self, worker: str) -> list[bytes]:
        """All that a worker was given and has not answered, which is to be sent once more."""
        found = [job.data for job in self._open.values() if job.worker == worker]
        self.sent_again += len(found)
        return found

    def answer(self, number: int) -> bool:
        """Note an answer; True when it is the first one to this job, so that it counts."""
        if self._open.pop(number, None) is None:
            self.answered_again += 1
            return False
        self.answered += 1
        return True


def pack_summary(summary: Summary) -> bytes:
    """An answer, as bytes: nothing else goes from node to node."""
    return iris.serialize_args(*summary)


def unpack_summary(data: bytes) -> Summary:
    """The answer that was packed. BadInput, TypeError or ValueError for anything else."""
    symbol, number, method, date, price, mean, volatility, trend = iris.deserialize_args(data)
    line = None if trend is None else Trend(*trend)
    return Summary(symbol, number, method, date, price, mean, volatility, line)
