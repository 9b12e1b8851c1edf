"""Loops as machine code, in plain Python and in Numba: `python -m bench.jit`.

Each kernel runs on all sides in turn, `--rounds` times; the best, the median and the worst are
shown, and how many times as long the best of each side takes as Numba's, or, where Numba is not
installed, as plain Python's. A round of plain Python is a tenth of the size and counted as such.
The row "first" is a process of its own: import, and the first call of a small function. Nothing is
asserted; the floors are bounds that Iris sets itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from typing import Any

import iris
import iris.jit
from bench.common import ROOT, machine

try:
    import numba
    import numpy
except ImportError:
    numba = numpy = None

# How much less of it plain Python is given.
PYTHON_PART = 10


def branchy(n: int) -> float:
    x, s = 0.5, 0.0
    for _ in range(n):
        x = 3.9 * x * (1.0 - x)
        if x > 0.5:
            s += x
        else:
            s -= x * 0.5
    return s


def exact_ints(n: int) -> int:
    s = 0
    for i in range(n):
        s += i * i % 7
    return s


def mandelbrot(rows: int, columns: int, most: int) -> int:
    total = 0
    for row in range(rows):
        for column in range(columns):
            x, y = column / columns * 3.5 - 2.5, row / rows * 2.0 - 1.0
            a, b, step = 0.0, 0.0, 0
            while a * a + b * b <= 4.0 and step < most:
                a, b = a * a - b * b + x, 2.0 * a * b + y
                step += 1
            total += step
    return total


def squares(items: Any) -> float:
    s = 0.0
    for x in items:
        s += x * x
    return s


def any_late(items: Any) -> bool:
    for x in items:  # noqa: SIM110 - the loop is what is measured
        if x > 2.0:
            return True
    return False


def stencil(source: Any, target: Any) -> None:
    for i in range(1, len(source) - 1):
        target[i] = (source[i - 1] + source[i] + source[i + 1]) / 3.0


def doubles(n: int) -> Any:
    return array("d", (0.5,)) * n


# A kernel, its arguments for a part of the work, and what Iris may take at most, x Numba.
ROWS: dict[str, tuple[Callable[..., Any], Callable[[int], tuple[Any, ...]], float]] = {
    "branchy floats, 10M": (branchy, lambda part: (10_000_000 // part,), 1.2),
    "exact ints, 10M": (exact_ints, lambda part: (10_000_000 // part,), 2.1),
    "mandelbrot 200 x 200": (mandelbrot, lambda part: (200 // part, 200, 200), 1.1),
    "sum of squares, 1M": (squares, lambda part: (doubles(1_000_000 // part),), 1.1),
    "any, no hit, 1M": (any_late, lambda part: (doubles(1_000_000 // part),), 1.2),
    "stencil, 1M": (
        stencil,
        lambda part: (doubles(1_000_000 // part), doubles(1_000_000 // part)),
        1.2,
    ),
}

FIRST = {
    "iris": "import iris\n@iris.offload\ndef f(x, y): return x * y + 1.0\nf(1.0, 2.0)\n",
    "numba": "import numba\n@numba.njit\ndef f(x, y): return x * y + 1.0\nf(1.0, 2.0)\n",
}
FIRST_MOST = 0.05


def timed(function: Callable[..., Any], args: tuple[Any, ...]) -> float:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def run_row(name: str, rounds: int) -> dict[str, list[float]]:
    """The seconds of each round of each side."""
    kernel, arguments, _ = ROWS[name]
    sides: dict[str, tuple[Callable[..., Any], tuple[Any, ...], int]] = {
        "python": (kernel, arguments(PYTHON_PART), PYTHON_PART),
        "iris": (iris.offload(kernel), arguments(1), 1),
    }
    if numba is not None:
        given = tuple(numpy.array(one) if isinstance(one, array) else one for one in arguments(1))
        sides["numba"] = (numba.njit(kernel), given, 1)
    times: dict[str, list[float]] = {side: [] for side in sides}
    for function, args, _ in sides.values():
        function(*args)  # compiled here
    for _ in range(rounds):
        for side, (function, args, part) in sides.items():
            times[side].append(timed(function, args) * part)
    return times


def run_first(rounds: int) -> dict[str, list[float]]:
    """Import and first call, as processes; what a bare interpreter takes is taken off."""
    texts = {side: text for side, text in FIRST.items() if side == "iris" or numba is not None}
    times: dict[str, list[float]] = {side: [] for side in texts}
    for _ in range(rounds):
        bare = run_process("pass")
        for side, text in texts.items():
            # Through a file, because a function is compiled from its source.
            times[side].append(run_process(text) - bare)
    return times


def run_process(text: str) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(text)
        file.flush()
        start = time.perf_counter()
        # From the root, so that it finds the `iris` of this checkout.
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, file.name], check=True, env=environment)
        return time.perf_counter() - start


def show(name: str, times: dict[str, list[float]], most: float, json_lines: bool) -> None:
    base = "numba" if "numba" in times else "python"
    best = {side: min(values) for side, values in times.items()}
    for side, values in times.items():
        ratio = best[side] / best[base] if base in best else float("nan")
        line = {
            "row": name,
            "side": side,
            "best_ms": min(values) * 1e3,
            "median_ms": statistics.median(values) * 1e3,
            "worst_ms": max(values) * 1e3,
            f"x {base}": ratio,
        }
        if json_lines:
            print(json.dumps(line))
            continue
        verdict = ""
        if side == "iris" and base == "numba":
            verdict = f"  floor {most}: {'OK' if ratio <= most else 'BELOW'}"
        print(
            f"{name:22} {side:8} {line['best_ms']:10.2f} {line['median_ms']:10.2f} "
            f"{line['worst_ms']:10.2f} ms {ratio:8.2f} x {base}{verdict}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.jit")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has this in it")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each figure")
    options = parser.parse_args()
    if not iris.jit.available():
        sys.stderr.write(f"no compute sidecar: {iris.jit.why_unavailable()}\n")
        return 1
    if not options.json:
        print(f"{machine()}\n{'row':22} {'side':8} {'best':>10} {'median':>10} {'worst':>10}")
    for name, (_, _, most) in ROWS.items():
        if options.only in name:
            show(name, run_row(name, options.rounds), most, options.json)
    if options.only in "first":
        show("first", run_first(options.rounds), FIRST_MOST, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
