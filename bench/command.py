"""What the commands of the benchmarks share: options, rounds, the table of each row.

Every run of a workload is a process of its own, and the sides of a row take turns, each round in
another order, so that a busy spell of the machine falls on all of them. Figures are shown and
compared with the floors of `rows.py`, never asserted: the exit code is 0.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NamedTuple

from bench.common import (
    Interpreter,
    JsonLines,
    Results,
    Side,
    advantage,
    inspect,
    machine,
    number,
    print_table,
    run_child,
    summary,
    verdict,
)
from bench.rows import Metric, Row

HEADER = ("", "best", "median", "spread", "cold", "floor", "Iris ahead x")


class Bench(NamedTuple):
    """One command."""

    name: str
    """Its module in `bench`."""
    title: str
    """What it measures, for its help."""
    rows: tuple[Row, ...]
    peers: tuple[str, ...]
    """The systems that `--peers` runs beside Iris."""


def parse(bench: Bench, arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    rows = [row.name for row in bench.rows]
    names, peers = ", ".join(rows), ", ".join(bench.peers)
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{bench.name}",
        description=bench.title,
        epilog=f"Workloads: {names}.",
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="PATH",
        help="an interpreter to run on; may be given several times (default: this one)",
    )
    parser.add_argument("--only", metavar="NAME,...", help="run only these workloads")
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        metavar="R",
        help="processes per workload and side (default 5)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes and one round, to see that all runs"
    )
    parser.add_argument("--peers", action="store_true", help=f"run {peers} beside Iris")
    parser.add_argument("--sides", metavar="NAME,...", help="run only these of iris and the peers")
    parser.add_argument(
        "--json", metavar="FILE", help="write each run and summary as a line of JSON"
    )
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else rows
    options.sides = (
        options.sides.split(",")
        if options.sides
        else ["iris", *(bench.peers if options.peers else ())]
    )
    for name in options.only:
        if name not in rows:
            parser.error(f"--only {name}: no such workload; there are {names}")
    for name in options.sides:
        if name not in ("iris", *bench.peers):
            parser.error(f"--sides {name}: no such side; there are iris, {peers}")
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1")
    return options


def sides_of(systems: list[str], interpreters: list[Interpreter]) -> list[Side]:
    """Every system on every interpreter, but Erlang once."""
    sides = [
        Side(system, interpreter)
        for system in systems
        if system != "erlang"
        for interpreter in interpreters
    ]
    if "erlang" in systems:
        sides.append(Side("erlang", interpreters[0]))
    return sides


def run_row(
    row: Row, sides: list[Side], options: argparse.Namespace, out: JsonLines
) -> dict[Side, Results]:
    """Run all rounds of one row, the sides by turns, each round starting with the next of them."""
    results = {side: Results() for side in sides}
    n = row.n_quick if options.quick else row.n
    for index in range(1 if options.quick else options.rounds):
        start = index % len(sides)
        for side in sides[start:] + sides[:start]:
            if results[side].settled:
                continue
            line = run_child(side, row, n, row.repeats, results[side])
            load = os.getloadavg()[0]
            out.write("run", row=row.name, side=side.label, round=index, load_average=load, **line)
    return results


def show_row(row: Row, results: dict[Side, Results], out: JsonLines) -> None:
    """Print the lines of one row, for each metric Iris and then its peers, and below them what
    could not run."""
    print(f"\n{row.name}: {row.title}", flush=True)
    lines = []
    for metric in row.metrics:
        shown = [
            side
            for side, result in results.items()
            if result.runs and (metric.compared or side.system == "iris")
        ]
        lines += [line_of(row, metric, side, results, out) for side in shown]
    if lines:
        print_table(HEADER, lines)
    for side, result in results.items():
        if result.reason:
            print(f"  {side.label}: {'also ' if result.runs else 'n/a, '}{result.reason}")


def line_of(
    row: Row, metric: Metric, side: Side, results: dict[Side, Results], out: JsonLines
) -> list[str]:
    """Make one line of the table and write its summary."""
    result = results[side]
    label = f"{side.label}: {metric.title}" if metric.title else side.label
    figure = summary(result, metric)
    if figure is None:
        return [label, "-", "", "", "", "", ""]
    if result.n not in (row.n, row.n_quick):
        label += f" (n={result.n})"
    floor = (
        verdict(figure, metric, side.interpreter.implementation) if side.system == "iris" else ""
    )
    ahead = [
        advantage(summary(own, metric), figure, metric)
        for iris, own in results.items()
        if compares(iris, side)
    ]
    out.write(
        "summary",
        row=row.name,
        metric=metric.key,
        unit=metric.unit,
        side=side.label,
        n=result.n,
        ahead=ahead,
        floor=floor,
        **vars(figure),
    )
    unit = metric.unit
    return [
        label,
        number(figure.best, unit),
        number(figure.median, unit),
        f"{number(figure.low, unit)} .. {number(figure.high, unit)}",
        number(figure.cold, unit),
        floor,
        " | ".join("-" if ratio is None else f"{ratio:.2f}" for ratio in ahead)
        if metric.compared
        else "",
    ]


def compares(iris: Side, side: Side) -> bool:
    """Whether a side is a peer of this Iris: of the same interpreter; Erlang of each."""
    if iris.system != "iris" or side.system == "iris":
        return False
    return side.system == "erlang" or iris.interpreter == side.interpreter


def show_head(interpreters: list[Interpreter], options: argparse.Namespace, out: JsonLines) -> None:
    """Print where this runs, and how."""
    facts = machine()
    for name, value in facts.items():
        print(f"{name}: {value}")
    for interpreter in interpreters:
        versions = ", ".join(
            f"{name} {version or '-'}" for name, version in interpreter.versions.items()
        )
        print(f"{interpreter.label}: {versions}")
    rounds = 1 if options.quick else options.rounds
    note = " (quick: figures of small sizes prove nothing)" if options.quick else ""
    print(f"rounds: {rounds}{note}", flush=True)
    described = [
        {"label": interpreter.label, **interpreter.versions} for interpreter in interpreters
    ]
    out.write("machine", rounds=rounds, quick=options.quick, interpreters=described, **facts)


def main(bench: Bench, arguments: list[str] | None = None) -> int:
    """Run the benchmarks and return the exit code."""
    options = parse(bench, arguments)
    interpreters = [inspect(path) for path in options.python or [sys.executable]]
    sides = sides_of(options.sides, interpreters)
    out = JsonLines(options.json)
    try:
        show_head(interpreters, options, out)
        for row in bench.rows:
            if row.name in options.only:
                show_row(row, run_row(row, sides, options, out), out)
        load = os.getloadavg()
        print("\nload average at the end: " + ", ".join(f"{value:.2f}" for value in load))
        out.write("end", load_average=load)
    finally:
        out.close()
    return 0

