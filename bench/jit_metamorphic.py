"""Whether the way a loop is written changes its speed: `python -m bench.jit_metamorphic`.

Each kernel is timed as machine code as it stands and as each rewriting of `tests/jit/rewrites.py`
(locals renamed, values through locals, `if True`, for as while, helpers extracted, parameters the
other way round) writes it. Rewritten loops should take at most 1.3 times as long. As with all
benchmarks nothing is asserted; rows above that are marked.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import iris
import iris.jit
from tests.jit.oracle import Module
from tests.jit.program import Program
from tests.jit.rewrites import REWRITINGS
from tests.jit.values import Buf, Call, fresh

RATIO_MOST = 1.3

DOUBLES = Buf("array d", tuple(at * 0.37 % 11 - 5 for at in range(20_000)))
BYTES = Buf("bytearray", (0,) * 20_000)

KERNELS = {
    "branchy floats": (
        """
def f(n, x):
    total = 0.0
    for i in range(n):
        if x > 0.5:
            x = 3.7 * x * (1.0 - x)
        else:
            x = x * 1.9 + 0.01
        total = total + x
    return total
""",
        (200_000, 0.3),
    ),
    "exact ints": (
        """
def f(n, k):
    total = 0
    for i in range(n):
        total = total + i * i % k
    return total
""",
        (200_000, 7),
    ),
    "mandelbrot": (
        """
def f(rows, most):
    total = 0
    for y in range(rows):
        for x in range(rows):
            re = x * 3.0 / rows - 2.0
            im = y * 2.0 / rows - 1.0
            a = 0.0
            b = 0.0
            n = 0
            while n < most and a * a + b * b <= 4.0:
                a, b = a * a - b * b + re, 2.0 * a * b + im
                n += 1
            total += n
    return total
""",
        (60, 100),
    ),
    "sum of squares": (
        """
def f(a, scale):
    total = 0.0
    for i in range(len(a)):
        total = total + a[i] * a[i] * scale
    return total
""",
        (DOUBLES, 0.5),
    ),
    "stencil": (
        """
def f(a, k):
    for i in range(1, len(a) - 1):
        a[i] = (a[i - 1] + a[i] * k + a[i + 1]) / 3.0
    return a[1]
""",
        (DOUBLES, 0.25),
    ),
    "sieve": (
        """
def f(a, n):
    for i in range(n):
        a[i] = 1
    for i in range(2, n):
        if a[i] == 1:
            j = i * 2
            while j < n:
                a[j] = 0
                j += i
    return a[n - 1]
""",
        (BYTES, 20_000),
    ),
}


def time_of(program: Program, rounds: int) -> float:
    """Seconds of the best of some calls."""
    module = Module(program.source, iris.offload)
    function: Callable[..., Any] = module.function
    args = fresh(program.calls[0].args)
    best = float("inf")
    with iris.jit.force("native-only"):
        function(*args)
        for _ in range(rounds):
            start = time.perf_counter()
            function(*args)
            best = min(best, time.perf_counter() - start)
    module.close()
    return best


def main() -> None:
    """Time every kernel in every way and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m bench.jit_metamorphic", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    if not iris.jit.available():
        print(f"no compute sidecar: {iris.jit.why_unavailable()}")
        return
    print(f"{'kernel':16} {'as it is':>9}", *(f"{name:>18}" for name in REWRITINGS))
    for name, (source, args) in KERNELS.items():
        program = Program(source.replace("def f", "@offload\ndef f", 1), (Call(args),))
        plain = time_of(program, options.rounds)
        cells = [f"{name:16} {plain * 1e3:6.2f} ms"]
        for rewriting in REWRITINGS.values():
            other = rewriting(program)
            if other is None:
                cells.append(f"{'-':>18}")
                continue
            # In turns with the plain one, so that a busy spell of the machine falls on both.
            ratio = time_of(other, options.rounds) / min(plain, time_of(program, options.rounds))
            cells.append(f"{ratio:13.2f}{' OVER' if ratio > RATIO_MOST else '     '}")
        print(*cells, flush=True)


if __name__ == "__main__":
    main()
