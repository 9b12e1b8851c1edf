"""The calls about supervisors that `Runtime` and `PyRuntime` share. Delegation only."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Callable, Optional

from iris.messaging import MessageFacade


class SupervisorFacade(MessageFacade):
    """Calls of one runtime; see `iris.Runtime`. `iris.Supervisor` is beside it."""

    def supervise_with_factory(
        self, pid: int, factory: Callable[[], int], strategy: str = "restartone"
    ) -> None:
        """Have the global supervisor replace an actor by a new one whenever it ends.

        Args:
            pid: a living actor. Its queue expires with it; the new actor has a new pid.
            factory: called with nothing; makes an actor and returns its pid. It runs on a thread
                of its own and may block. If it raises, or returns something else, that counts
                as a failed restart.
            strategy: what else is restarted: `restartone` nothing; `restartall` all actors on
                this list that have a factory; `restartrest` those that came to it later. In any
                letter case. Those that run are stopped first, the youngest first.

        Raises:
            ActorDead: the actor has ended.
            TypeError, BadInput: no factory, an unknown strategy; it has a factory already on
                another supervisor's list. On the same list, this call changes both.
            RuntimeClosed: after shutdown.

        A restart waits a random time of up to 10 ms, doubled with each failure in a row, up to
        10 s. An actor that ends more than 3 times within 5 s is given up. `stop` restarts too;
        call `unsupervise` before it to end an actor for good.

        From any thread and handler; does not wait.
        """
        self._system.supervising.supervise(pid, factory, strategy)

    def path_supervise_with_factory(
        self, path: str, pid: int, factory: Callable[[], int], strategy: str = "restartone"
    ) -> None:
        """`supervise_with_factory` on the list of a path's supervisor, which is made if need be.

        Args:
            path: whose supervisor; absolute, such as "/svc/pay". Any actor can be on its list,
                whatever its own path; a new actor has no path but what the factory gives it.
            pid, factory, strategy: as for `supervise_with_factory`.

        Raises:
            As `supervise_with_factory`, and BadInput for a path that cannot be. No supervisor is
            made then.

        From any thread and handler; does not wait.
        """
        self._system.supervising.supervise_in(path, pid, factory, strategy)

    def watch(self, pid: int, strategy: str = "restartone") -> None:
        """Put a living actor on the global supervisor's list, without restarting it.

        Args:
            pid: the actor. It leaves the list when it ends; an observer of the list is told.
            strategy: what its end does to others, as for `supervise_with_factory`. Of an actor
                that has a factory on this list already nothing changes.

        Raises:
            ActorDead: the actor has ended.
            TypeError, BadInput: an unknown strategy.
            RuntimeClosed: after shutdown.

        From any thread and handler; does not wait.
        """
        self._system.supervising.watch(pid, strategy)

    def unsupervise(self, pid: int) -> bool:
        """Take an actor off the lists of all supervisors: it lives on and is not restarted.

        Args:
            pid: the actor; or the last pid of one that the global or a path's supervisor is
                about to replace, and then it is not replaced.

        Returns:
            False when no supervisor had it, also when it has ended or never existed.

        The child of a `Supervisor` still ends with it. From any thread and handler; does not
        wait. RuntimeClosed after shutdown.
        """
        return self._system.supervising.unsupervise(pid)

    def observe_supervisor(self, observer: Optional[int], path: Optional[str] = None) -> None:
        """Have an actor told of what happens to the children of a supervisor.

        It gets one EXIT for each that ends, and one HOT_SWAP for each whose handler is swapped.

        Args:
            observer: an observed actor, a pull actor, or one spawned with `trap_exit=True`. It
                takes the place of the one before; None tells nobody.
            path: whose supervisor; None is the global one. A `Supervisor` is given its observer
                when it is made.

        Raises:
            ActorDead: the observer has ended. ActorError: it cannot receive system messages.
            BadInput: there is no supervisor for this path.
            RuntimeClosed: after shutdown.

        From any thread and handler; does not wait.
        """
        self._system.supervising.observe(observer, path)

    def watch_path(self, prefix: str) -> int:
        """Put the present direct children of a path on the global supervisor's list.

        Args:
            prefix: the path; those exactly one level below it are watched, as by `watch`. Who
                gets a path there later is not.

        Returns:
            How many; 0 when there is none.

        Raises:
            TypeError, BadInput: a path that cannot be. RuntimeClosed: after shutdown.

        From any thread and handler; does not wait.
        """
        return self._system.supervising.watch_below(prefix)

    def child_pids(self) -> list[int]:
        """The living actors on the global supervisor's list.

        Returns:
            Their pids, those with a factory and those only watched, in the order in which they
            came to the list; a replaced actor keeps its place. One that is just being replaced
            is missing.

        From any thread and handler; does not wait. RuntimeClosed after shutdown.
        """
        return self._system.supervising.pids()

    def children_count(self) -> int:
        """How many living actors are on the global supervisor's list; see `child_pids`."""
        return len(self._system.supervising.pids())

    def create_path_supervisor(self, path: str) -> bool:
        """Make a supervisor for a path; False when there is one.

        Args:
            path: absolute, such as "/svc/pay". The supervisor has a list of its own, empty at
                first; it is no actor and does not look for actors below the path by itself.

        Raises:
            TypeError, BadInput: a path that cannot be. RuntimeClosed: after shutdown.

        From any thread and handler; does not wait.
        """
        return self._system.supervising.create(path)

    def remove_path_supervisor(self, path: str) -> bool:
        """Remove the supervisor of a path, its actors live on; False when there is none.

        A restart that is under way is called off. Raises as `create_path_supervisor`. From any
        thread and handler; does not wait.
        """
        return self._system.supervising.remove(path)

    def path_supervisor_watch(self, path: str, pid: int) -> None:
        """Put a living actor on the list of a path's supervisor, without restarting it.

        Args:
            path: whose supervisor.
            pid: the actor, as for `watch`; its end does nothing to others.

        Raises:
            BadInput: there is no supervisor for this path.
            ActorDead: the actor has ended.
            RuntimeClosed: after shutdown.

        From any thread and handler; does not wait.
        """
        self._system.supervising.watch_in(path, pid)

    def path_supervisor_children(self, path: str) -> list[int]:
        """The living actors on the list of a path's supervisor; BadInput when there is none.

        Returns:
            Their pids, as for `child_pids`.

        From any thread and handler; does not wait. RuntimeClosed after shutdown.
        """
        return self._system.supervising.pids_in(path)

    def _driving(self) -> AbstractContextManager[None]:
        """Around calls that wait; a simulated runtime has to run meanwhile."""
        return nullcontext()
