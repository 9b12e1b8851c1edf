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

        When it is full `send` gives False, until `set_overflow_policy` says otherwise.

        Args:
            handler, budget, trap_exit: as for `spawn`.
            capacity: at least 1. The message being handled does not count.

        Returns:
            The pid.

        Raises:
            TypeError, BadInput, RuntimeClosed: as for `spawn`; also for the capacity.

        From any thread and handler; never blocks.
        """
        return self._system.spawning.bounded(handler, budget, capacity, trap_exit)

    def spawn_with_mailbox(self, fn: Callable[[Any], Any], budget: int = BUDGET_DEFAULT) -> int:
        """Make a pull actor: `fn(mailbox)` runs on a real thread of its own.

        Beyond `pull_threads_max` actors it runs on a thread that it shares with others, as a
        greenlet with a gevent hub; see `set_pull_limits`.

        Args:
            fn: takes its messages with `mailbox.recv()`. When it returns, the actor ends with
                reason `Normal`. Blocking is safe on a thread of its own; on a shared one a call
                that blocks in C holds up the others of this thread.
            budget: at least 1. It has no effect: a thread of its own takes turns with nobody,
                and on a shared one the time decides (`slice_s`).

        Returns:
            The pid.

        Raises:
            LimitReached: there is no thread left, shared ones neither (`strict` wants none), or
                no descriptor for the hub of a shared one.
            TypeError, BadInput, RuntimeClosed: as for `spawn`.

        From any thread and handler. The first few that share a thread wait until it is up.
        """
        return self._system.spawning.mailbox(fn, budget)

    def set_pull_limits(self, max_threads: int, strict: bool = False) -> None:
        """Change how many pull actors may have a thread of their own.

        Args:
            max_threads: at least 1. Actors that have a thread keep it, also when they are more.
            strict: True has one actor more refused with `LimitReached`; False has it share a
                thread with others.

        Raises:
            BadInput: `max_threads` is below 1.
            TypeError: a wrong type.
            RuntimeClosed: after shutdown.

        From any thread; never blocks. It holds for actors that are spawned from now on.
        """
        self._system.lodging.set_limits(max_threads, strict)

    def spawn_observed_handler(self, budget: int = BUDGET_DEFAULT) -> int:
        """Make an actor that keeps what it receives for `get_messages`.

        Args:
            budget: messages per turn, at least 1.

        Returns:
            The pid.

        Raises:
            TypeError, BadInput, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.observed(budget)

    def spawn_with_path_observed(self, budget: int, path: str) -> int:
        """Make an observed actor and register it under a path.

        Args:
            budget: messages per turn, at least 1.
            path: as for `register_path`.

        Returns:
            The pid.

        Raises:
            BadInput: the path is not absolute, or another living actor has it.
            TypeError, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.observed_at(budget, path)

    def spawn_child_with_mailbox(
        self, parent: int, fn: Callable[[Any], Any], budget: int = BUDGET_DEFAULT
    ) -> int:
        """Make a pull actor that is asked to stop when its parent ends.

        Args:
            parent: the actor with which it ends.
            fn, budget: as for `spawn_with_mailbox`.

        Raises:
            ActorDead: the parent has ended or is stopping. ActorRestarting: it is at rest
                between two handlers.
            TypeError, BadInput, LimitReached, RuntimeClosed: as for `spawn_with_mailbox`.
        """
        return self._system.spawning.child_mailbox(parent, fn, budget)

    def spawn_child_pool(
        self,
        parent: int,
        handler: Optional[Handler],
        workers: int,
        budget: int = BUDGET_DEFAULT,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> list[int]:
        """Make several children alike, and return their pids.

        Args:
            parent: the actor with which they end.
            handler: what each of them runs; None takes the parent's own.
            workers: how many, at least 1.
            budget: messages per turn of each.
            release_gil, trap_exit: as for `spawn`.

        Raises:
            ActorDead: the parent has ended or is stopping. ActorRestarting: it is at rest
                between two handlers.
            LimitReached: as for `spawn`; those that were made are stopped again.
            TypeError, BadInput, RuntimeClosed: as for `spawn`.
        """
        return self._system.spawning.pool(
            parent, handler, workers, budget, release_gil, trap_exit
        )
