"""Runtime: the object that users make and hold."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Optional

from iris.assembly import System, build
from iris.config import BUDGET_DEFAULT, config_of
from iris.lowlevel import PyRuntime
from iris.spawns import SpawnFacade

Handler = Callable[[Any], Any]


class Runtime(SpawnFacade):
    """A runtime for actors. Several may live in one process.

    Args:
        hub: "thread" runs handlers on a thread of the runtime's own, so plain scripts work;
            "current" runs them on the gevent hub of the calling thread, for gevent servers.
        **options: the fields of `iris.config.Config`: `stop_word`, `slice_s`,
            `shutdown_timeout_s`, `exit_drain_s`, `pull_threads_max`, `pull_stack_bytes`,
            `dead_letters_max`, `on_undelivered`, `long_turn_ms`.

    Raises:
        TypeError, BadInput: an unknown option, or a value out of range.
        LimitReached: the process can have no more threads.

    As a context manager it shuts down at the end of the block.
    """

    def __init__(self, hub: str = "thread", **options: Any) -> None:
        """Build and start the runtime; see the class."""
        self._start(build(config_of(options), hub))

    def _start(self, system: System) -> None:
        """Bind the facade to its parts."""
        self._bind(system)
        # As for `send`: the methods are for reading, this saves a call of 70 ns.
        self.spawn = system.spawning.push  # type: ignore[method-assign]
        self.hot_swap = system.swapping.swap  # type: ignore[method-assign]
        self._inner = PyRuntime(system)
        system.facade = self

    def __enter__(self) -> Runtime:  # noqa: PYI034  # Self needs a newer Python or a dependency.
        """Enter the block whose end shuts the runtime down."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Shut down; an exception of the block goes on."""
        self.shutdown(self._system.config.shutdown_timeout_s)

    # -- push actors -------------------------------------------------------------------------

    def spawn(
        self, handler: Handler, budget: int = BUDGET_DEFAULT, *, trap_exit: bool = False
    ) -> int:
        """Make a push actor: `handler(message)` is called for each message, one at a time.

        Args:
            handler: an ordinary callable. It may block in gevent; other actors go on. If it
                raises, the actor ends with reason `Panic` (`Crash` for `iris.ActorCrash`).
            budget: messages per turn, at least 1; then others have their turn.
            trap_exit: whether the handler also gets `PySystemMessage` objects (EXIT, DOWN).

        Returns:
            The pid.

        Raises:
            TypeError: the handler is not callable or is `async def`; a wrong type elsewhere.
            BadInput: a budget below 1.
            RuntimeClosed: after shutdown.

        From any thread and handler; never blocks.
        """
        return self._system.spawning.push(handler, budget, trap_exit=trap_exit)

    # -- children ------------------------------------------------------------------------------

    def spawn_child(
        self,
        parent: int,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        *,
        trap_exit: bool = False,
    ) -> int:
        """Make a push actor that ends when its parent ends, for whatever reason.

        Raises:
            ActorDead: the parent has ended or is stopping.
            TypeError, BadInput, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.child(parent, handler, budget, trap_exit)

    def spawn_child_with_budget(
        self, parent: int, handler: Handler, budget: int, *, trap_exit: bool = False
    ) -> int:
        """`spawn_child` with the budget required."""
        return self._system.spawning.child(parent, handler, budget, trap_exit)

    def spawn_child_handler_with_budget(
        self, parent: int, handler: Handler, budget: int, *, trap_exit: bool = False
    ) -> int:
        """The same as `spawn_child_with_budget`."""
        return self._system.spawning.child(parent, handler, budget, trap_exit)
