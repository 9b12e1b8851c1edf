"""`Supervisor`: an actor that makes its children from specs and restarts them when they fail.

A handle over one supervisor of one runtime; delegation only. What a supervisor is told about
its children is in `iris.core.childspec`, what it does in `iris.run.supervisor`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Optional, Union

from iris.config import seconds
from iris.core.childspec import (
    BACKOFF_MS,
    MAX_RESTARTS,
    WITHIN_S,
    ChildSpec,
    SupervisorSpec,
)
from iris.core.names import checked_name
from iris.core.supervision import ChildInfo
from iris.errors import RuntimeClosed
from iris.lowlevel import PyRuntime
from iris.runtime import Runtime

AnyRuntime = Union[Runtime, PyRuntime]


class Supervisor:
    """A supervisor and its children, made from specs.

    It is an actor with a pid: it can be linked, monitored, joined and stopped; messages to it
    are refused. Its children are its child actors, so they end with it, the youngest first,
    each after the next younger one. See the guide, docs/SUPERVISION.md, for what happens when.

    Args:
        rt: the runtime.
        children: `ChildSpec`s, and `SupervisorSpec`s for supervisors below this one, in the order
            of their start.
        strategy: `restartone` (a child that fails is restarted alone), `restartall` (with all
            others) or `restartrest` (with those that were started after it), in any letter case.
        max_restarts: so many restarts within `within_s`, failed ones too; at one more the
            supervisor ends its children and itself, with reason `Crash`. 0 or more.
        within_s: seconds, more than 0, at most 1e9.
        backoff_ms: each restart waits a random time up to the first number of milliseconds,
            doubled with each failure in a row, up to the second. (0, 0) waits never.
        name: a name under which it is registered; also what it is called in reports.
        observer: pid of an actor that can receive system messages. It gets EXIT for each child
            that ends and HOT_SWAP for each child that is swapped.

    Raises:
        StartFailed: a factory raised, or returned what is no handler, or a name or path of a child
            is taken. The text says which child; `__cause__` is why. All has ended again.
        TypeError, BadInput: an argument that cannot be; nothing was started.
        ActorDead, ActorError: the observer has ended, or cannot receive system messages.
        RuntimeClosed: after shutdown.

    Blocks until all children have been started, or have ended again: the calling thread, or only
    the calling greenlet where there is a gevent hub. From any thread, handler and factory. One
    that is made in a handler is no child of that actor and lives on after it.

    Used in a `with` block, it is stopped at the end of the block.
    """

    def __init__(
        self,
        rt: AnyRuntime,
        children: Iterable[Union[ChildSpec, SupervisorSpec]] = (),
        *,
        strategy: str = "restartone",
        max_restarts: int = MAX_RESTARTS,
        within_s: float = WITHIN_S,
        backoff_ms: tuple[float, float] = BACKOFF_MS,
        name: Optional[str] = None,
        observer: Optional[int] = None,
    ) -> None:
        """Start the children; see the class."""
        if not isinstance(rt, (Runtime, PyRuntime)):
            raise TypeError(f"rt is an iris.Runtime, not {rt!r} of type {type(rt).__name__}")
        spec = SupervisorSpec(
            "supervisor" if name is None else checked_name(name),
            children,
            strategy,
            max_restarts,
            within_s,
            backoff_ms,
            name=name,
            observer=observer,
        )
        self._rt = rt
        with rt._driving():
            self._group = rt._system.supervising.start(spec)

    def __repr__(self) -> str:
        return f"Supervisor({self._group.key!r}, pid={self.pid})"

    @property
    def pid(self) -> int:
        """The pid of the supervisor itself."""
        assert self._group.cell is not None
        return self._group.cell.pid

    def children(self) -> tuple[ChildInfo, ...]:
        """What it knows of its children, in the order of their start.

        Returns:
            A `ChildInfo` for each. Once the supervisor has ended, those it had, as "down".

        From any thread and handler; does not wait. RuntimeClosed after shutdown.
        """
        return self._rt._system.supervising.children(self._group)

    def pid_of(self, child_id: str) -> Optional[int]:
        """The actor that is this child now; None between two lives and for an unknown id.

        While a child restarts in place it is that actor still. From any thread and handler; does
        not wait. RuntimeClosed after shutdown.
        """
        return self._rt._system.supervising.pid_of(self._group, child_id)

    def add(self, spec: Union[ChildSpec, SupervisorSpec]) -> int:
        """Start one more child, behind all others.

        Returns:
            Its pid.

        Raises:
            StartFailed: its factory raised, or it was removed meanwhile; it is no child then.
            TypeError: it is no spec. BadInput: there is a child with its id.
            ActorDead: the supervisor has ended or is ending. RuntimeClosed: after shutdown.

        Blocks as the making of a supervisor does.
        """
        with self._rt._driving():
            return self._rt._system.supervising.add(self._group, spec)

    def remove(self, child_id: str) -> bool:
        """End a child for good and wait until it has ended; False for an unknown id.

        A factory that is just at work for it is not waited for; what it makes is thrown away.
        An actor that is only watched leaves the list and lives on.

        Blocks as the making of a supervisor does, for at most the child's `shutdown_timeout_s`
        and what an interruption takes; where it is just being restarted with others, until these
        run. So do not call it in that child's own handler, which would be interrupted; there
        call `rt.unsupervise` and `rt.stop` with its pid.
        """
        with self._rt._driving():
            return self._rt._system.supervising.take_away(self._group, child_id)

    def watch(self, pid: int, strategy: Optional[str] = None) -> None:
        """Have the end of an actor count among those of the children, without restarting it.

        The observer is told of its end, and its siblings are restarted as the strategy says.

        Args:
            pid: a living actor. It is not made a child: it does not end with the supervisor.
            strategy: None takes the supervisor's.

        Raises:
            ActorDead: it has ended, or the supervisor has.
            BadInput: it is the supervisor itself or an actor above it; it is a child already.
            TypeError, BadInput: no pid, or an unknown strategy. RuntimeClosed: after shutdown.

        From any thread and handler; does not wait.
        """
        self._rt._system.supervising.watch_for(self._group, pid, strategy)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the children, the youngest first, then the supervisor, and wait for it.

        Args:
            timeout_s: seconds to wait, 0 or more.

        Returns:
            False when that took longer than `timeout_s` seconds; it goes on then. True also when
            it has ended before.

        Raises:
            TypeError, BadInput: `timeout_s` is no such number; nothing is stopped.
            RuntimeClosed: after shutdown, which has stopped it.

        Blocks as `Runtime.join` does. The supervisor ends with reason `Killed`.
        """
        timeout_s = seconds("timeout_s", timeout_s)
        self._rt.stop(self.pid)
        return self._rt.join(self.pid, timeout_s)

    def __enter__(self) -> Supervisor:  # noqa: PYI034  # Self needs a newer Python.
        """Enter the block whose end stops the supervisor."""
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Stop; an exception of the block goes on. After shutdown nothing is left to stop."""
        with suppress(RuntimeClosed):
            self.stop()
