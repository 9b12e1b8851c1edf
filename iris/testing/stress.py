"""`python -m iris.testing.stress`: storms over real runtimes until the time is over.

Each round lasts a few seconds and has a seed of its own, which a violation names; a round
ends with accounts that have to agree to the message. Exit code 0 when all did, 1 after a
violation or a hang. A watchdog prints all stacks and the state of each runtime.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import os
import sys
import traceback
from typing import Any, Optional

import iris
from iris.run.clock import monotonic, sleep
from iris.run.native import start_thread
from iris.testing.storm_round import Round
from iris.testing.storm_side import Plan

PROGRESS_S = 10.0
HANG_S = 180.0
"""A round of some seconds that takes longer than this hangs."""


class Watch:
    """Prints progress, and everything there is to know when a round hangs."""

    def __init__(self) -> None:
        self.round: Optional[Round] = None
        self.began = monotonic()
        self.round_began = self.began
        self.rounds = 0
        self.totals: dict[str, int] = {}
        self.over = False

    def begin(self, a_round: Round) -> None:
        """A round begins."""
        self.round_began = monotonic()
        self.round = a_round
        # Should no Python code run any more at all, faulthandler's C thread still does.
        faulthandler.dump_traceback_later(HANG_S + 60, exit=True)

    def end(self, a_round: Round) -> None:
        """A round has ended."""
        self.rounds += 1
        for name, figure in a_round.figures.items():
            self.totals[name] = self.totals.get(name, 0) + figure

    def line(self) -> str:
        """How far it is."""
        figures = ", ".join(f"{name} {figure:,}" for name, figure in self.totals.items())
        return f"{monotonic() - self.began:6.0f} s  {self.rounds} rounds  {figures}"

    def run(self) -> None:
        """The watching thread."""
        told = monotonic()
        while not self.over:
            sleep(0.2)
            now = monotonic()
            if now - told >= PROGRESS_S:
                told = now
                say(self.line())
            if now - self.round_began > HANG_S and self.round is not None and not self.over:
                say(f"HANG in stage {self.round.stage!r} of {self.round.plan}")
                for text in self.round.world.violations:
                    say(f"VIOLATION {text}")
                for side in self.round.sides:
                    describe(side.rt)
                faulthandler.dump_traceback()
                os._exit(1)


def describe(rt: Any) -> None:
    """Print what a hung runtime looks like inside. Reads its parts: this is a post-mortem."""
    system = rt._system
    carrier = system.carrier
    try:
        say(f"stats {rt.stats()}")
    except Exception as error:  # noqa: BLE001  # Whatever it is, the rest is still printed.
        say(f"stats: {error!r}")
    say(
        f"carrier sleeping={carrier.sleeping} out={carrier.out} queue={len(carrier.runqueue)}"
        f" calls={len(carrier._calls)} idle={len(carrier._idle)} next={carrier._timers.next}"
        f" armed={carrier._armed} now={monotonic()} stopped={carrier._stopped}"
    )
    for cell in system.table.cells():
        admission = cell.admission
        say(
            f"cell {cell.pid} {cell.spec.kind} {cell.state.value} running={cell.running}"
            f" ready={cell.ready} special={cell.special} size={cell.size()}"
            f" admission={type(admission).__name__}"
            f" tickets={len(getattr(admission, 'tickets', ()))}"
            f" pending={cell.ties is not None and cell.ties.pending_end is not None}"
            f" children={0 if cell.ties is None else len(cell.ties.children)}"
        )
    for greenlet, place in list(carrier._places.items()):
        if greenlet.gr_frame is not None and place.cell is not None:
            say(f"greenlet of cell {place.cell.pid}")
            say("".join(traceback.format_stack(greenlet.gr_frame)))


def say(text: str) -> None:
    """Print a line now."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def leaks() -> tuple[int, int]:
    """Threads and descriptors of the process; zeros where /proc does not tell."""
    try:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0, 0


def check_leaks(before: tuple[int, int]) -> Optional[str]:
    """What a round has left behind, after some patience."""
    end = monotonic() + 10
    after = leaks()
    while monotonic() < end and (after[0] > before[0] or after[1] > before[1]):
        gc.collect()
        sleep(0.05)
        after = leaks()
    if after[0] > before[0] or after[1] > before[1]:
        return f"(threads, descriptors) were {before} and are {after} after the round"
    return None


def main(argv: Optional[list[str]] = None) -> int:
    """Run rounds until the time is over or one goes wrong; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m iris.testing.stress", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count up")
    parser.add_argument("--threads", type=int, default=8, help="sending threads at most")
    parser.add_argument("--round-s", type=float, default=3.0, help="seconds of traffic a round")
    parser.add_argument("--rounds", type=int, default=0, help="so many rounds at most; 0: no limit")
    parser.add_argument("--go-on", action="store_true", help="go on after a violation")
    options = parser.parse_args(argv)
    logging.getLogger("iris").setLevel(logging.CRITICAL + 1)
    # Handlers raise by the thousand here; what Iris itself does wrong comes by its hook.
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    say(f"stress of iris {iris.version()} on {sys.version.split()[0]} {sys.implementation.name},")
    say(f"first seed {seed}, {options.minutes:g} minutes")
    watch = Watch()
    start_thread(watch.run)
    end = monotonic() + options.minutes * 60
    code = 0
    while monotonic() < end and not (0 < options.rounds <= watch.rounds):
        code = max(code, one_round(watch, Plan.of(seed, options.round_s, options.threads)))
        if code and not options.go_on:
            break
        seed += 1
    watch.over = True
    faulthandler.cancel_dump_traceback_later()
    say(("PASSED " if code == 0 else "FAILED ") + watch.line())
    return code


def one_round(watch: Watch, plan: Plan) -> int:
    """Run one round; returns 1 after saying what was wrong, else 0."""
    # The first round makes what stays: gevent's own threads and descriptors of this thread.
    before = leaks() if watch.rounds else None
    a_round = Round(plan)
    watch.begin(a_round)
    violations = a_round.run()
    watch.end(a_round)
    left = check_leaks(before) if before is not None and not violations else None
    if left is not None:
        violations.append(left)
    for text in violations:
        say(f"VIOLATION {text}")
    if violations:
        say(f"seed {plan.seed}: {plan}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
