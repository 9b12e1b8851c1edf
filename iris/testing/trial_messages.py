"""What has to be true of messages: one handler at a time, in order, none lost, all counted."""

from __future__ import annotations

from iris.testing.trial_book import Reader

Numbered = tuple[str, str, int]
"""Sender, target, and the number among the messages of these two."""


class Messages(Reader):
    """Reads what was sent and handled, and compares with what Iris has counted."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[Numbered, None] = {}
        self.refused: dict[Numbered, None] = {}
        self.begun: dict[Numbered, int] = {}
        self.latest: dict[tuple[str, str], int] = {}
        self.raised: dict[Numbered, None] = {}
        # By the handler, at its latest try.
        self.inside: dict[str, str] = {}
        # Who runs, by actor and by place.
        self.kinds: dict[str, str] = {}
        self.dropping: set[str] = set()
        # Actors whose queue expires when they restart.
        self.drops: dict[str, bool] = {}
        self.again: dict[str, bool] = {}
        self.ended: set[str] = set()
        self.orphans: set[str] = set()
        self.done = self.failed = self.repeats = self.restarts = 0
        self.unsure = False
        # An orphan's messages are counted when its code comes back, and how is not said.

    def on_place(self, who: str, drops: bool = False, redeliver: bool = False) -> None:
        self.drops[who] = drops
        self.again[who] = redeliver

    def on_born(self, who: str, what: str) -> None:
        self.kinds[who] = what

    def on_fills(self, who: str, actor: str) -> None:
        if self.drops.get(who):
            self.dropping.add(actor)

    def on_end(self, who: str) -> None:
        self.ended.add(who)

    def on_orphan(self, who: str) -> None:
        self.orphans.add(who)
        self.unsure = True

    def on_restart(self) -> None:
        self.restarts += 1

    def on_sent(self, who: str, target: str, number: int, taken: bool) -> None:
        (self.taken if taken else self.refused)[who, target, number] = None

    def on_in(self, who: str, sender: str, number: int, place: str) -> None:
        message = (sender, who, number)
        for runs in {who, place} - {""}:
            other = self.inside.get(runs)
            if other is not None and other not in self.orphans:
                self.fault(f"{who} runs while {other} does, both in {runs}")
            self.inside[runs] = who
        if who in self.ended:
            self.fault(f"{who} handles a message after its end")
        if message in self.refused:
            self.fault(f"{who} handles {number} of {sender}, which was refused")
        tries = self.begun[message] = self.begun.get(message, 0) + 1
        if tries > 1 and not (self.again.get(place) and message in self.raised and tries == 2):
            self.fault(f"{who} handles {number} of {sender} for the {tries}th time")
        if tries == 1 and number < self.latest.get((sender, who), 0):
            self.fault(f"{who} handles {number} of {sender} after a later one")
        self.latest[sender, who] = max(number, self.latest.get((sender, who), 0))

    def on_out(self, who: str, sender: str, number: int, place: str, how: str) -> None:
        for runs in {who, place} - {""}:
            if self.inside.get(runs) == who:
                del self.inside[runs]
        if how == "done":
            self.done += 1
            self.raised.pop((sender, who, number), None)
        else:
            self.failed += 1
            if self.again.get(place) and self.begun[sender, who, number] == 1:
                self.repeats += 1
            self.raised[sender, who, number] = None

    def on_rest(self, quiet: bool, stats: dict[str, int]) -> None:
        if not quiet:
            self.fault("it is not quiet, although all time has passed")
        turned_away = stats["refused"] + stats["undeliverable"] + stats["redirected"]
        if stats["sent"] != stats["accepted"] + turned_away:
            self.fault(f"what was sent does not add up: {stats}")
        fates = (
            "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
            "queued", "running",
        )  # fmt: skip
        if stats["accepted"] != sum(stats[fate] for fate in fates):
            self.fault(f"what was accepted does not add up: {stats}")
        if stats["queued"] or stats["running"]:
            self.fault(f"messages are queued or running at rest: {stats}")
        if stats["restarts"] != self.restarts:
            self.fault(f"{stats['restarts']} restarts are counted, {self.restarts} were reported")
        if self.inside:
            self.fault(f"handlers run at rest: {self.inside}")
        for message in self.taken:
            sender, target, number = message
            if target in self.ended or target in self.dropping:
                continue
            if message not in self.begun:
                self.fault(f"{number} of {sender} was accepted by {target}, and is lost")
        failures = stats["failed"] + stats["quarantined"]
        if not self.unsure and not self.failed - self.repeats <= failures <= self.failed:
            self.fault(
                f"{failures} messages have failed; handlers raised at {self.failed},"
                f" {self.repeats} of them may get a second try"
            )
        if not self.unsure and stats["handled"] < self.done:
            self.fault(f"{stats['handled']} messages were handled, and at least {self.done} were")
