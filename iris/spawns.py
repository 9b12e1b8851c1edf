"""The spawn calls that have the same name in `Runtime` and in `PyRuntime`.

Delegation only, like `iris.facade`, from which they are apart for size alone.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.config import BUDGET_DEFAULT
from iris.facade import Facade

Handler = Callable[[Any], Any]


class SpawnFacade(Facade):
    """Spawn calls of one runtime; see `iris.Runtime`."""

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

    def spawn_with_mailbox(self, fn: Callable[[Any], Any], budget: int = BUDGET_DEFAULT) -> int:
        """Make a pull actor: `fn(mailbox)` runs on a real thread of its own.

        Args:
            fn: takes its messages with `mailbox.recv()`; blocking is safe in it. When it
                returns, the actor ends with reason `Normal`.
            budget: at least 1. It has no effect: a thread of its own takes turns with nobody.

        Returns:
            The pid.

        Raises:
            LimitReached: all threads for pull actors are in use.
            TypeError, BadInput, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.mailbox(fn, budget)

    def spawn_observed_handler(self, budget: int = BUDGET_DEFAULT) -> int:
        """Make an actor that keeps what it receives for `get_messages`. As `spawn` otherwise."""
        return self._system.spawning.observed(budget)

    def spawn_with_path_observed(self, budget: int, path: str) -> int:
        """Make an observed actor and register it under a path.

        Raises:
            BadInput: the path is not absolute, or another living actor has it.
        """
        return self._system.spawning.observed_at(budget, path)

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
        release_gil: bool = False,
    ) -> list[int]:
        """Make several children alike, and return their pids.

        Args:
            parent: the actor with which they end.
            handler: what each of them runs; None takes the parent's own.
            workers: how many, at least 1.
            budget: messages per turn of each.
            release_gil: as for `spawn`.

        Raises:
            ActorDead: the parent has ended or is stopping.
            LimitReached: as for `spawn`; those that were made are stopped again.
            TypeError, BadInput, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.pool(parent, handler, workers, budget, release_gil)

    def watch(self, pid: int) -> None:
        """Put a living actor on the global supervisor's list; see `child_pids`."""
        self._system.registry.watch(pid)
