"""Runtime: the object that users make and hold."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Optional

from iris.assembly import System, build
from iris.config import BUDGET_DEFAULT, config_of
from iris.facade import Facade
from iris.lowlevel import PyRuntime

Handler = Callable[[Any], Any]


class Runtime(Facade):
    """A runtime for actors. Several may live in one process.

    Args:
        hub: "thread" runs handlers on a thread of the runtime's own, so plain scripts work;
            "current" runs them on the gevent hub of the calling thread, for gevent servers.
        **options: the fields of `iris.config.Config`: `stop_word`, `slice_s`,
            `shutdown_timeout_s`, `exit_drain_s`, `pull_threads_max`, `pull_stack_bytes`.

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

    def spawn_py_handler_bounded(
        self,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        capacity: int = 1000,
        *,
        trap_exit: bool = False,
    ) -> int:
        """Make a push actor whose mailbox holds `capacity` messages at most.

        When it is full `send` gives False, until `set_overflow_policy` says otherwise. The
        message being handled does not count. The rest is as in `spawn`.
        """
        return self._system.spawning.bounded(handler, budget, capacity, trap_exit)

    # -- pull actors ---------------------------------------------------------------------------

    def spawn_with_mailbox(self, fn: Callable[[Any], Any], budget: int = BUDGET_DEFAULT) -> int:
        """Make a pull actor: `fn(mailbox)` runs on a real thread of its own.

        Args:
            fn: takes its messages with `mailbox.recv()`; blocking is safe in it. When it
                returns, the actor ends with reason `Normal`.
            budget: at least 1; kept for `iris top`, a pull actor has the thread to itself.

        Returns:
            The pid.

        Raises:
            LimitReached: all threads for pull actors are in use.
            TypeError, BadInput, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.mailbox(fn, budget)

    # -- observed actors -------------------------------------------------------------------------

    def spawn_observed_handler(self, budget: int = BUDGET_DEFAULT) -> int:
        """Make an actor that keeps what it receives for `get_messages`. As `spawn` otherwise."""
        return self._system.spawning.observed(budget)

    def spawn_with_path_observed(self, budget: int, path: str) -> int:
        """Make an observed actor and register it under a path.

        Raises:
            BadInput: the path is not absolute, or another living actor has it.
        """
        return self._system.spawning.observed_at(budget, path)

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

    def spawn_child_with_mailbox(
        self, parent: int, fn: Callable[[Any], Any], budget: int = BUDGET_DEFAULT
    ) -> int:
        """Make a pull actor that is asked to stop when its parent ends."""
        return self._system.spawning.child_mailbox(parent, fn, budget)

    def spawn_child_pool(
        self,
        parent: int,
        handler: Optional[Handler],
        workers: int,
        budget: int = BUDGET_DEFAULT,
    ) -> list[int]:
        """Make several children alike, and return their pids.

        Args:
            parent: the actor with which they end.
            handler: what each of them runs; None takes the parent's own.
            workers: how many, at least 1.
            budget: messages per turn of each.
        """
        return self._system.spawning.pool(parent, handler, workers, budget)

    def watch(self, pid: int) -> None:
        """Put a living actor on the global supervisor's list; see `child_pids`."""
        self._system.registry.watch(pid)
