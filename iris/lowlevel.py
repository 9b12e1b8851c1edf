"""The lower-level names of the same calls, for code that was written against them."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.assembly import build
from iris.config import BUDGET_DEFAULT, config_of
from iris.spawns import SpawnFacade
from iris.system import System

Handler = Callable[[Any], Any]


class PyRuntime(SpawnFacade):
    """A runtime under its lower-level names; `Runtime._inner` is one.

    Everything is as in `iris.Runtime`, the arguments and the `with` block too; only some spawn
    calls have other names.
    """

    def __init__(self, hub: str = "thread", **options: Any) -> None:
        """Build and start a runtime of its own; see `iris.Runtime`."""
        self._bind(build(config_of(options), hub))
        self._system.facade = self

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


def beside(system: System) -> PyRuntime:
    """The lower-level names of a runtime that has a facade already."""
    inner = PyRuntime.__new__(PyRuntime)
    inner._bind(system)
    return inner
