"""Signals during a long native call.

Signal handlers run on the main thread only, and only between two steps of Python code. A native
loop therefore calls back into Python now and then, on that thread. Loops on other threads run
through, as nothing waits for them: the interpreter's lock is free meanwhile.
"""

from __future__ import annotations

from typing import Optional

from iris.jit.shim import Tick, serve_signals
from iris.run.native import is_main_thread

_tick: Optional[Tick] = None


def current() -> Optional[Tick]:
    """The tick for a call on this thread."""
    global _tick  # made on first use, as it needs the library; one more does no harm
    if not is_main_thread():
        return None
    if _tick is None:
        _tick = Tick(serve_signals)
    return _tick
