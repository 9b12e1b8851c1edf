"""Factories of supervised children: called beside the carrier, because they may block.

They run on a few worker threads that exist only while there is something to call. A factory
that never returns holds one of them; the calls of others go on while threads are left.
"""

from __future__ import annotations

from typing import Any, Callable

from iris.config import FACTORY_THREADS_MAX
from iris.run.crew import Crew, Worker, Workshop

Told = Callable[[Any, Any], None]
"""Called with (error, value): what the factory raised, or None and what it returned."""


class Factories:
    """The calls of factories of one runtime. From any thread; nothing blocks."""

    __slots__ = ("_crew", "_open", "_shop")

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._crew = Crew(shop)
        self._open = 0
        # Calls that were asked for and have not returned. Under the lock of the workshop.

    def call(self, factory: Callable[[], Any], told: Told) -> None:
        """Have `factory()` called soon, and `told` with what came of it, on the same thread.

        Raises:
            RuntimeError: the process can start no thread, and there is none.
        """
        with self._shop.lock:
            self._resize(1)
        self._crew.put(_Call(self, factory, told))

    def done(self) -> None:
        """A call has returned."""
        with self._shop.lock:
            self._resize(-1)

    def _resize(self, more: int) -> None:
        self._open += more
        try:
            self._crew.resize(min(self._open, FACTORY_THREADS_MAX))
        except BaseException:
            self._open -= more
            raise


class _Call:
    """One call; a job of the crew."""

    __slots__ = ("_factories", "_factory", "_told")

    def __init__(self, factories: Factories, factory: Callable[[], Any], told: Told) -> None:
        self._factories = factories
        self._factory = factory
        self._told = told

    def visit(self, worker: Worker) -> None:
        """Call the factory, in the thread of the worker."""
        worker.place.cell = None
        error: Any = None
        value: Any = None
        try:
            value = self._factory()
        except BaseException as raised:  # noqa: BLE001  # A thread's entry.
            error = raised
        try:
            self._told(error, value)
        finally:
            self._factories.done()
