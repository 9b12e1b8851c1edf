"""What several files of this folder use of actors, threads and descriptors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

import iris

Handles = Callable[[], tuple[int, int]]
Until = Callable[..., Any]


def receive(mailbox: Any) -> None:
    """A pull actor that takes messages until it is stopped."""
    while mailbox.recv() is not None:
        pass


def at_first(handles: Handles, until: Until) -> tuple[int, int]:
    """Threads and descriptors, when all is there that stays in a process, and nothing else."""
    threads = handles()[0]
    iris.Runtime().shutdown()
    gevent.get_hub()  # That of this thread: in a patched process even a sleep makes it.
    until(lambda: handles()[0] <= threads)
    return handles()
