"""The only place that reads a clock: monotonic seconds, and the processor time of a thread."""

from __future__ import annotations

import sys
import time
from typing import Callable, Optional

from iris.run.native import _original, get_ident, get_native_id

monotonic: Callable[[], float] = time.monotonic
"""CLOCK_MONOTONIC: unaffected by changes of the wall clock, the same in every thread."""

sleep: Callable[[float], None] = _original("time", "sleep")
"""Block the calling OS thread for some seconds, also where gevent has patched `time`."""


def thread_clock() -> Callable[[], Optional[float]]:
    """The processor time of the calling thread in seconds, to be read from any thread.

    It gives None where the system does not tell, and when the thread has ended.
    """
    # Asked for in the thread itself: asking about a thread that has ended may crash.
    if hasattr(time, "pthread_getcpuclockid"):
        clock_id = time.pthread_getcpuclockid(get_ident())
    elif sys.platform == "linux":
        # What that call gives on Linux (CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED); PyPy lacks it.
        clock_id = (~get_native_id() << 3) | 6
    else:
        return _untold

    def read() -> Optional[float]:
        try:
            return time.clock_gettime(clock_id)
        except OSError:
            return None

    return read


def _untold() -> None:
    return None
