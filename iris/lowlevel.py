"""The lower-level names of the same calls, for code that was written against them."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.assembly import System, build
from iris.config import BUDGET_DEFAULT, Config
from iris.facade import Facade

Handler = Callable[[Any], Any]


class PyRuntime(Facade):
    """A runtime under its lower-level names; `Runtime._inner` is one.

    Everything is as in `iris.Runtime`; only the spawn calls have other names.
    """

    def __init__(self, system: Optional[System] = None) -> None:
        """Stand beside a `Runtime`, or start a runtime of its own when none is given."""
        self._bind(build(Config()) if system is None else system)
        self._system.facade = self._system.facade or self

    def spawn_py_handler(self, handler: Handler, budget: int = BUDGET_DEFAULT) -> int:
        """`Runtime.spawn`."""
        return self._system.spawning.push(handler, budget)

    def spawn_py_handler_bounded(self, handler: Handler, budget: int, capacity: int) -> int:
        """`Runtime.spawn_py_handler_bounded`."""
        return self._system.spawning.bounded(handler, budget, capacity)

    def spawn_with_mailbox(self, fn: Callable[[Any], Any], budget: int = BUDGET_DEFAULT) -> int:
        """`Runtime.spawn_with_mailbox`."""
        return self._system.spawning.mailbox(fn, budget)

    def spawn_observed_handler(self, budget: int = BUDGET_DEFAULT) -> int:
        """`Runtime.spawn_observed_handler`."""
        return self._system.spawning.observed(budget)

    def spawn_with_path_observed(self, budget: int, path: str) -> int:
        """`Runtime.spawn_with_path_observed`."""
        return self._system.spawning.observed_at(budget, path)

    def spawn_child_py_handler(
        self, parent: int, handler: Handler, budget: int = BUDGET_DEFAULT
    ) -> int:
        """`Runtime.spawn_child`."""
        return self._system.spawning.child(parent, handler, budget)

    def spawn_child_with_mailbox(
        self, parent: int, fn: Callable[[Any], Any], budget: int = BUDGET_DEFAULT
    ) -> int:
        """`Runtime.spawn_child_with_mailbox`."""
        return self._system.spawning.child_mailbox(parent, fn, budget)

    def spawn_child_pool(
        self,
        parent: int,
        handler: Optional[Handler],
        workers: int,
        budget: int = BUDGET_DEFAULT,
    ) -> list[int]:
        """`Runtime.spawn_child_pool`."""
        return self._system.spawning.pool(parent, handler, workers, budget)

    def watch(self, pid: int) -> None:
        """`Runtime.watch`."""
        self._system.registry.watch(pid)
