"""Runtime: the object that users make and hold."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.assembly import build
from iris.config import BUDGET_DEFAULT, config_of
from iris.lowlevel import beside
from iris.spawns import SpawnFacade
from iris.system import System

Handler = Callable[[Any], Any]


class Runtime(SpawnFacade):
    """A runtime for actors. Several may live in one process.

    Args:
        hub: "thread" runs handlers on a thread of the runtime's own, so plain scripts work;
            "current" runs them on the gevent hub of the calling thread, for gevent servers.
        **options: the fields of `iris.config.Config`: `stop_word`, `slice_s`,
            `shutdown_timeout_s`, `exit_drain_s`, `pull_threads_max`, `pull_strict`,
            `pull_stack_bytes`, `dead_letters_max`, `on_undelivered`, `long_turn_ms`, `limits`,
            `on_pressure`, `live_within_s`, `cluster_key`, `discovery`, `mesh`,
            `release_gil_max_threads`, `release_gil_pool_size`, `release_gil_strict`. The last
            three may also come from the environment, as IRIS_RELEASE_GIL_MAX_THREADS and so on.

    Raises:
        TypeError, BadInput: an unknown option, or a value out of range.
        LimitReached: the process can have no more threads.

    As a context manager it shuts down at the end of the block. After `shutdown` `send` gives
    False and other calls raise `RuntimeClosed`; in a forked child they raise `RuntimeError`;
    wrong arguments raise `TypeError` or `BadInput`.
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
        self._inner = beside(system)
        system.facade = self

    # -- push actors -------------------------------------------------------------------------

    def spawn(
        self,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> int:
        """Make a push actor: `handler(message)` is called for each message, one at a time.

        Args:
            handler: an ordinary callable. It may block in gevent; other actors go on. If it
                raises, the actor ends with reason `Panic` (`Crash` for `iris.ActorCrash`).
            budget: messages per turn, at least 1; then others have their turn.
            release_gil: True runs the handler on a worker thread instead, where it may block
                in anything, a C call or `time.sleep`, without holding up other actors. The
                thread is its own while fewer than `release_gil_max_threads` actors have one;
                after that it shares those of a pool.
            trap_exit: whether the handler also gets `PySystemMessage` objects (EXIT, DOWN).

        Returns:
            The pid.

        Raises:
            TypeError: the handler is not callable or is `async def`; a wrong type elsewhere.
            BadInput: a budget below 1.
            LimitReached: with `release_gil`, the process can have no more threads; or the
                limit is met and `release_gil_strict` is set.
            RuntimeClosed: after shutdown.

        From any thread and handler; never blocks.
        """
        return self._system.spawning.push(handler, budget, release_gil, trap_exit=trap_exit)

    def spawn_virtual(
        self,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        idle_timeout_ms: Optional[float] = None,
        *,
        trap_exit: bool = False,
    ) -> int:
        """Make a virtual actor: a pid that becomes an actor with its first message.

        Until then it costs what any idle push actor costs, and no idle time runs. A swap is
        no message: it changes what the actor will be.

        Args:
            handler: as for `spawn`.
            budget: messages per turn, at least 1.
            idle_timeout_ms: milliseconds, more than 0. The actor ends with reason `Normal` when
                they have passed since its latest message and it has nothing to do; where it is
                still at work then, when they have passed since that work was done. Children end
                with it, and timed messages still to come do not keep it. No accepted message
                is lost by this end. None keeps the actor until it is stopped.
            trap_exit: as for `spawn`. A system message counts as a message.

        Returns:
            The pid.

        Raises:
            TypeError, BadInput, RuntimeClosed: as for `spawn`; also for the idle time.

        From any thread and handler; never blocks.
        """
        return self._system.spawning.virtual(handler, budget, idle_timeout_ms, trap_exit)

    # -- children ------------------------------------------------------------------------------

    def spawn_child(
        self,
        parent: int,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> int:
        """Make a push actor that ends when its parent ends, for whatever reason.

        Args:
            parent: the actor with which it ends.
            handler, budget, release_gil, trap_exit: as for `spawn`.

        Returns:
            The pid.

        Raises:
            ActorDead: the parent has ended or is stopping. ActorRestarting: it is at rest
                between two handlers.
            TypeError, BadInput, LimitReached, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.child(parent, handler, budget, release_gil, trap_exit)

    def spawn_child_with_budget(
        self,
        parent: int,
        handler: Handler,
        budget: int,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> int:
        """`spawn_child` with the budget required."""
        return self._system.spawning.child(parent, handler, budget, release_gil, trap_exit)

    def spawn_child_handler_with_budget(
        self,
        parent: int,
        handler: Handler,
        budget: int,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> int:
        """The same as `spawn_child_with_budget`."""
        return self._system.spawning.child(parent, handler, budget, release_gil, trap_exit)
