"""Real threads and locks, whether or not gevent has patched the modules that give them.

Patched before Iris is imported: gevent kept the originals. Patched later: the names here
were bound before. Everything in Iris that needs a thread or a lock of the operating
system takes it from here.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

LOCK_WAIT_MAX_S = 1e6
"""Longest single wait for a lock; longer ones overflow on some platforms, so they are cut up."""


def _original(module: str, name: str) -> Any:
    # Looked up and not imported: `import iris` must not import gevent.
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(__import__(module), name)


start_new_thread: Callable[..., int] = _original("_thread", "start_new_thread")
allocate_lock: Callable[[], Any] = _original("_thread", "allocate_lock")
get_ident: Callable[[], int] = _original("_thread", "get_ident")
get_native_id: Callable[[], int] = _original("_thread", "get_native_id")
stack_size: Callable[..., int] = _original("_thread", "stack_size")
new_rlock: Callable[[], Any] = _original("_thread", "RLock")

_stack_lock = allocate_lock()


def start_thread(entry: Callable[[], None], stack_bytes: int = 0) -> None:
    """Start a real thread that runs `entry` and never keeps the process alive.

    Args:
        entry: called in the new thread; should not raise.
        stack_bytes: size of its stack; 0 takes the platform's default.

    Raises:
        RuntimeError: the process can have no more threads.
    """
    if not stack_bytes:
        start_new_thread(entry, ())
        return
    # The stack size is a setting of the process, so it is changed for one start only.
    with _stack_lock:
        before = stack_size(stack_bytes)
        try:
            start_new_thread(entry, ())
        finally:
            stack_size(before)


def is_main_thread() -> bool:
    """Whether this is the thread on which signal handlers run.

    Told by the number that the system gives to threads, because gevent changes what `threading`
    says. Elsewhere than on Linux no thread is taken for the main one.
    """
    return get_native_id() == os.getpid()


def after_fork() -> None:
    """In a forked child: the thread that held the lock does not exist here."""
    global _stack_lock  # A module-level lock can only be replaced.
    _stack_lock = allocate_lock()
