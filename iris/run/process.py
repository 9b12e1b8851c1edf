"""What happens to the process as a whole: a fork, and the end of the interpreter.

Runtimes enter themselves here. Nothing is registered before the first one exists, so that
importing Iris changes nothing in a process.
"""

from __future__ import annotations

import atexit
import os
from typing import Protocol

from iris.run import context, native


class Living(Protocol):
    """What this module needs of a runtime."""

    def exit(self) -> None:
        """The interpreter ends: drain for a bounded time, then stop. Starts no thread."""

    def forked(self) -> None:
        """This is a forked child's copy: become unusable, without taking any lock."""


_living: dict[int, Living] = {}
_registered = False


def enter(runtime: Living) -> None:
    """A runtime begins."""
    global _registered  # Once per process, and never undone.
    if not _registered:
        _registered = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_in_child)
    _living[id(runtime)] = runtime


def leave(runtime: Living) -> None:
    """A runtime has been shut down."""
    _living.pop(id(runtime), None)


def _at_exit() -> None:
    for runtime in list(_living.values()):
        runtime.exit()


def _in_child() -> None:
    native.after_fork()
    context.after_fork()
    for runtime in list(_living.values()):
        runtime.forked()
    _living.clear()
