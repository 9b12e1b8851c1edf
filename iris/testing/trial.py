"""`python -m iris.testing.trial`: random systems under supervision, each made from one seed.

A trial builds supervisors, actors and factories in a simulated runtime, lets a random script
loose on them, and compares what happened with the rules: who ends with whom, who is told, who
comes back and how often, and what becomes of every message. The same seed gives the same trial
on every interpreter. Exit code 0 when the rules held, 1 otherwise; then a line says how to replay
the seed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Optional

import iris
from iris.run.clock import monotonic
from iris.testing.trial_book import Book, Entry
from iris.testing.trial_ends import Ends
from iris.testing.trial_messages import Messages
from iris.testing.trial_script import Script
from iris.testing.trial_starts import Starts
from iris.testing.trial_world import World

PROGRESS_S = 10.0


class Outcome(NamedTuple):
    """What has come of a trial."""

    seed: int
    book: Book
    """All that has happened."""
    faults: list[str]
    """What was wrong; empty when all was as it has to be."""

    @property
    def replay(self) -> str:
        """The command that runs the same trial and shows it."""
        return f"python -m iris.testing.trial --seed {self.seed}"


def judge(entries: list[Entry]) -> list[str]:
    """Compare a book with the rules; returns what is wrong."""
    return [fault for rules in (Ends(), Starts(), Messages()) for fault in rules.read(entries)]


def run(seed: int) -> Outcome:
    """Run the trial of one seed.

    Args:
        seed: 0 or more; decides everything.

    Takes some milliseconds, and seldom a second. From any thread that runs no hub.
    """
    with _quiet():
        world = World(seed)
        failed = []
        try:
            Script(world).run()
        except Exception as error:  # noqa: BLE001  # A judge of all that may go wrong.
            # What a call of the script raises that it does not expect is a fault of the system.
            failed = [f"a call of the script raised {error!r}"]
    return Outcome(seed, world.book, failed + judge(world.book.entries))


@contextmanager
def _quiet() -> Iterator[None]:
    """Handlers raise by the dozen here; what Iris itself does wrong comes by its hook."""
    log = logging.getLogger("iris")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


def say(text: str) -> None:
    """Print a line now."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show(outcome: Outcome) -> None:
    """Print a whole trial, and what was wrong with it."""
    for number, entry in enumerate(outcome.book.entries):
        say(f"{number:5} {entry}")
    for fault in outcome.faults:
        say(f"FAULT {fault}")
    verdict = "FAILED" if outcome.faults else "PASSED"
    say(f"{verdict} seed {outcome.seed}, digest {outcome.book.digest()}")


def run_all(seeds: range, stop_at_first: bool) -> int:
    """Run trials, print progress and what fails; returns how many failed."""
    began = told = monotonic()
    entries = failed = done = 0
    for seed in seeds:
        outcome = run(seed)
        done += 1
        entries += len(outcome.book.entries)
        if outcome.faults:
            failed += 1
            for fault in outcome.faults:
                say(f"FAULT seed {seed}: {fault}")
            say(f"replay: {outcome.replay}")
        now = monotonic()
        if now - told >= PROGRESS_S:
            told = now
            say(f"{now - began:6.0f} s  seed {seed}  {entries:,} events  {failed} failed")
        if failed and stop_at_first:
            break
    verdict = "FAILED" if failed else "PASSED"
    say(
        f"{verdict} {done} trials, {entries:,} events, {failed} failed, {monotonic() - began:.1f} s"
    )
    return failed


def seeds_of(text: str) -> range:
    """The seeds that `A:B` names: from A on, without B."""
    first, colon, end = text.partition(":")
    if not (colon and first.isdigit() and end.isdigit() and int(first) < int(end)):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds; give A:B with A < B")
    return range(int(first), int(end))


def seed_of(text: str) -> int:
    """A number that can be a seed."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number, 0 or more")
    return int(text)


def main(argv: Optional[list[str]] = None) -> int:
    """Run what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m iris.testing.trial", description=__doc__)
    parser.add_argument("--seed", type=seed_of, help="run this one and show all that happens")
    parser.add_argument("--seeds", type=seeds_of, metavar="A:B", help="run these, B not included")
    parser.add_argument("--from", type=seed_of, default=0, dest="first", help="the first seed")
    parser.add_argument("--count", type=seed_of, default=1000, help="so many (default 1000)")
    parser.add_argument("--go-on", action="store_true", help="go on after a failure")
    options = parser.parse_args(argv)
    if options.seed is not None:
        outcome = run(options.seed)
        show(outcome)
        return 1 if outcome.faults else 0
    seeds = options.seeds or range(options.first, options.first + options.count)
    say(
        f"trials of iris {iris.version()} on {sys.version.split()[0]} {sys.implementation.name},"
        f" seeds {seeds.start}:{seeds.stop}"
    )
    return 1 if run_all(seeds, not options.go_on) else 0


if __name__ == "__main__":
    sys.exit(main())
