"""The only place that reads a clock: monotonic seconds since some moment of the past."""

from __future__ import annotations

import time
from typing import Callable

from iris.run.native import _original

monotonic: Callable[[], float] = time.monotonic
"""CLOCK_MONOTONIC: unaffected by changes of the wall clock, the same in every thread."""

sleep: Callable[[float], None] = _original("time", "sleep")
"""Block the calling OS thread for some seconds, also where gevent has patched `time`."""
