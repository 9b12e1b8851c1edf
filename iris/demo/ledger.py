"""Does everything add up? Counts from independent places, compared. Pure.

The sender counts the rows it read, the collector what came out, the supervisors their
restarts, the runtime the fate of each message on both sides of every mailbox. A message that
vanished makes at least one sum wrong, and so does a crash without a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Optional

from iris.demo.figures import EXPONENTIAL, SIMPLE
from iris.demo.tally import Tally

SENT = ("accepted", "refused", "undeliverable", "redirected")
ACCEPTED = (
    "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
    "queued", "running",
)  # fmt: skip


class Check(NamedTuple):
    """A sum and what it should give."""

    text: str
    whole: int
    parts: int

    @property
    def difference(self) -> int:
        """By how much the parts miss the whole; 0 when the check holds."""
        return self.parts - self.whole

    @property
    def holds(self) -> bool:
        """Whether the parts give the whole."""
        return self.difference == 0


class Away(NamedTuple):
    """What was counted of the work of a second process."""

    jobs: int
    jobs_open: int
    sent_again: int
    answered: int
    answered_again: int
    answers: int
    """All that have come, counted by the actor that they come to."""

    proxies_ended: int
    """As `NodeDown`, counted by a hook."""

    processes_ended: int
    """Found down by the actor that watches them."""


def checks(
    rows_read: int, tally: Tally, stats: Mapping[str, int], away: Optional[Away] = None
) -> list[Check]:
    """All comparisons of one run.

    Args:
        rows_read: rows that the sender put into the stream.
        tally: what the collector has at the end.
        stats: `rt.stats()` after `rt.quiesce()`.
        away: of the second process, where there is one.
    """
    failed = {"rows failed": tally.failed}
    ends = {} if away is None else {
        "proxies ended": away.proxies_ended, "processes ended": away.processes_ended
    }  # fmt: skip
    methods = {f"by {method}": tally.by_method[method] for method in (SIMPLE, EXPONENTIAL)}
    return [
        _sum("rows read", rows_read, {"summarised": tally.summarised, "failed": tally.failed}),
        _sum("rows summarised", tally.summarised, methods),
        _sum("rows failed", tally.failed, {"failed messages of the runtime": stats["failed"]}),
        *(() if away is None else _away_checks(away, stats)),
        _sum("restarts", stats["restarts"], {**failed, **ends}),
        _sum("messages sent", stats["sent"], {name: stats[name] for name in SENT}),
        _sum("messages accepted", stats["accepted"], {name: stats[name] for name in ACCEPTED}),
    ]


def _away_checks(away: Away, stats: Mapping[str, int]) -> list[Check]:
    sent = {"at first": away.jobs, "again": away.sent_again}
    fates = {name: stats[name] for name in ("forwarded", "lost", "undeliverable")}
    return [
        _sum("jobs", away.jobs, {"answered": away.answered, "open": away.jobs_open}),
        _sum("answers", away.answers, {"counted": away.answered, "twice": away.answered_again}),
        _sum("jobs sent", sum(sent.values()), sent),
        _sum("jobs sent", sum(sent.values()), fates),
    ]


def _sum(name: str, whole: int, parts: Mapping[str, int]) -> Check:
    # Of nine fates most are zero, and a reader looks for those that are not.
    shown = parts if len(parts) < len(ACCEPTED) else {k: v for k, v in parts.items() if v}
    text = " + ".join(f"{count:,} {part}" for part, count in shown.items())
    return Check(f"{name} {whole:,} = {text or 0}", whole, sum(parts.values()))
