"""The lower-level names of the same calls, for code that was written against them."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.assembly import System, build
from iris.config import BUDGET_DEFAULT, Config
from iris.spawns import SpawnFacade

Handler = Callable[[Any], Any]


class PyRuntime(SpawnFacade):
    """A runtime under its lower-level names; `Runtime._inner` is one.

    Everything is as in `iris.Runtime`; only some spawn calls have other names.
    """

    def __init__(self, system: Optional[System] = None) -> None:
        """Stand beside a `Runtime`, or start a runtime of its own when none is given."""
        self._bind(build(Config()) if system is None else system)
        self._system.facade = self._system.facade or self

    def spawn_py_handler(
        self,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> int:
        """`Runtime.spawn`: make a push actor."""
        return self._system.spawning.push(handler, budget, release_gil, trap_exit=trap_exit)

    def spawn_child_py_handler(
        self,
        parent: int,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> int:
        """`Runtime.spawn_child`: make a push actor that ends with its parent."""
        return self._system.spawning.child(parent, handler, budget, release_gil, trap_exit)

    def spawn_virtual_py_handler(
        self,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        idle_timeout_ms: Optional[float] = None,
        *,
        trap_exit: bool = False,
    ) -> int:
        """`Runtime.spawn_virtual`: make an actor that begins with its first message."""
        return self._system.spawning.virtual(handler, budget, idle_timeout_ms, trap_exit)
