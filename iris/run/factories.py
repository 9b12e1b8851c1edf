"""Factories of supervised children: called beside the carrier, because they may block.

They run on worker threads that exist only while there is something to call. One thread is enough
as long as factories return: more of them would only contend with the carrier for the GIL. When
none has returned for a moment, they block, and one thread more is started, up to a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from iris.config import FACTORY_THREADS_MAX
from iris.run.carrier import Carrier
from iris.run.crew import Crew, Worker, Workshop
from iris.run.native import get_ident

PATIENCE_S = 0.01
"""No factory has returned for so long while others wait: then they block, rather than compute."""

Told = Callable[[Any, Any, Any], None]
"""Called with (what the caller has said, error, value): what the factory raised, or None and what
it returned."""


class Factories:
    """The calls of factories of one runtime. In the hub, but for `_Call`."""

    __slots__ = (
        "_carrier", "_crew", "_inside", "_lock", "_open", "_returned", "_threads", "_waiting",
        "_watching",
    )  # fmt: skip

    def __init__(self, shop: Workshop, carrier: Carrier) -> None:
        self._carrier = carrier
        self._crew = Crew(shop)
        self._lock = shop.lock
        # Guards the numbers below.
        self._open = 0
        # Calls that were asked for and have not returned.
        self._returned = 0
        self._threads = 0
        # How many the crew is to have.
        self._inside: dict[int, None] = {}
        # Threads in which a factory runs. Each adds and removes itself.
        self._waiting = 0
        # Of these, how many wait for a supervisor, and so perhaps for another factory.
        self._watching = False
        # Hub only: whether it will look at whether they return.

    def call(self, factory: Callable[[], Any], told: Told, what: Any) -> None:
        """Have `factory()` called soon, and `told` with what came of it, on the same thread.

        Args:
            factory: the factory.
            told: see there.
            what: its first argument.

        Raises:
            RuntimeError: the process can start no thread, and there is none.
        """
        with self._lock:
            if not self._threads:
                self._crew.resize(1)
                self._threads = 1
            self._open += 1
        self._crew.put(_Call(self, factory, told, what))
        if not self._watching:
            self._watch()

    def _watch(self) -> None:
        """Look again after a while, as long as calls wait that a thread more would help."""
        before = self._returned

        def look() -> None:
            with self._lock:
                if before == self._returned and self._is_short():
                    self._threads += 1
                    self._crew.resize(self._threads)
            self._watch()

        self._watching = self._is_short()
        if self._watching:
            self._carrier.later(PATIENCE_S, look)

    def _is_short(self) -> bool:
        return self._threads < min(self._open, FACTORY_THREADS_MAX + self._waiting)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around a wait for a supervisor: a factory that waits takes no thread from the others.

        Else as many factories as there may be threads, each of which makes a supervisor, would
        wait for ever. From any thread.
        """
        if get_ident() not in self._inside:
            yield
            return
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def run(self, factory: Callable[[], Any]) -> Any:
        """Call a factory. In its thread."""
        me = get_ident()
        self._inside[me] = None
        try:
            return factory()
        finally:
            self._inside.pop(me, None)

    def returned(self) -> None:
        """A call has returned. From its thread."""
        with self._lock:
            self._open -= 1
            self._returned += 1
            if not self._open:
                self._threads = 0
                self._crew.resize(0)


class _Call:
    """One call; a job of the crew."""

    __slots__ = ("_factories", "_factory", "_told", "_what")

    def __init__(
        self, factories: Factories, factory: Callable[[], Any], told: Told, what: Any
    ) -> None:
        self._factories = factories
        self._factory = factory
        self._told = told
        self._what = what

    def visit(self, worker: Worker) -> None:
        """Call the factory, in the thread of the worker."""
        worker.place.cell = None
        error: Any = None
        value: Any = None
        try:
            value = self._factories.run(self._factory)
        except BaseException as raised:  # noqa: BLE001  # A thread's entry.
            error = raised
        try:
            self._told(self._what, error, value)
        finally:
            self._factories.returned()
