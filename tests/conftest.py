"""What every test gets: a watchdog, the `live` marker, Ctrl-C, Hypothesis without a stopwatch.

And the option that sets how many programs `tests/jit` generates.

Left out on purpose: fixtures of the runtime. A test makes its own runtime, so that the
file shows what it runs with; `iris.testing` is the shared part, and it is product.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import Any, Optional

import hypothesis
import pytest

HANG_S = 120.0
"""A test, a collection or an interpreter's exit that takes longer hangs. The slowest test
takes seconds; the rest is for PyPy warming up on a machine that runs two environments."""

# A deadline on one example measures the machine, not the code: PyPy compiles in the middle
# of the first ones. An example that never ends is the watchdog's.
hypothesis.settings.register_profile("iris", deadline=None)
hypothesis.settings.load_profile("iris")

_report_to: Optional[Any] = None

_last_test: Optional[Any] = None


def _rearm() -> None:
    """Give whatever comes next `HANG_S`; then the tracebacks of all threads, and exit code 1.

    It is the C thread of faulthandler that watches, because a hung runtime may hold up
    everything that is written in Python: the hub, signal handlers, other threads.
    """
    if _report_to is not None:
        faulthandler.dump_traceback_later(HANG_S, exit=True, file=_report_to)


def _note(what: str) -> None:
    """Write what runs now into the file that IRIS_TEST_LAST names."""
    if _last_test is not None:
        _last_test.seek(0)
        _last_test.write(what)
        _last_test.truncate()
        _last_test.flush()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--jit-programs N`; here, since pytest hears of options from the topmost folder only."""
    parser.addoption(
        "--jit-programs",
        type=int,
        metavar="N",
        help="compare N generated programs with plain Python (default: a few thousand)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, keep the real stderr, not captured at this moment, hear Ctrl-C."""
    global _report_to, _last_test  # the hooks below have no other common place
    config.addinivalue_line(
        "markers",
        "live: runs real threads, sockets or processes and the real clock; "
        "all other tests run in simulation or on values",
    )
    if not config.getoption("usepdb"):  # who debugs may take all the time
        _report_to = os.fdopen(os.dup(2), "w")
    path = os.environ.get("IRIS_TEST_LAST")
    if path:
        # After a hang the tracebacks of a patched process show the hub, and not which test it was.
        _last_test = open(path, "w", encoding="utf-8")  # noqa: SIM115  # To the very end.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what it runs in the background so, and processes inherit it: the tests
        # of Ctrl-C would wait for ever.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart() -> None:
    """Watch the collection, which imports every test file."""
    _rearm()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> None:
    """Watch one test, its fixtures included."""
    _rearm()
    _note(nodeid)


def pytest_unconfigure() -> None:
    """Watch the exit of the interpreter; armed to the end, since Iris must never hold it up."""
    _rearm()
    _note("the exit of the interpreter")
