"""Spawning: the kinds of actor, each as a check of its arguments, a spec and a runner.

A new kind of actor is a function here and a runner beside. Specs are shared by all actors
that were asked for alike, so an actor does not pay for its options.
"""

from __future__ import annotations

from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, iscoroutinefunction
from typing import Any, Callable, Optional, Protocol, Union

from iris.config import BUDGET_DEFAULT, BUDGET_MAX, CAPACITY_MAX, whole_number
from iris.core.cell import ActorCell, ActorSpec, Runner
from iris.core.childspec import ChildSpec
from iris.core.links import ties_of
from iris.core.mailbox import Gate, Verdict
from iris.core.messages import FenceMarker
from iris.core.paths import checked_path
from iris.core.table import Table
from iris.errors import ActorDead, ActorError, BadInput
from iris.run.blocking import Blocking, BlockingRunner
from iris.run.delivery import Delivery, check_pid
from iris.run.lazy import LazyRunner
from iris.run.lifecycle import Lifecycle
from iris.run.pull import PullRunner, PullShared
from iris.run.push import PushRunner
from iris.run.registry import Registry
from iris.run.timing import Millis, millis
from iris.run.waiter import Waiter

Handler = Callable[[Any], Any]
Born = Callable[[ActorCell], None]
"""Called under the table lock when the actor is listed and before any code of it runs."""

NO_MESSAGES = Gate(Verdict.REFUSED)
"""The admission of a supervisor: whatever is sent to it is refused."""
ASYNC_FLAGS = CO_COROUTINE | CO_ASYNC_GENERATOR
POOL_WORKERS_MAX = 1_000_000
"""Of one `spawn_child_pool`; more at once is a mistyped number."""

FN_WANTED = "fn is a callable that takes the mailbox"

FETCH_TIMEOUT_S = 5.0
"""How long `get_messages` waits for messages on their way; they are there at once unless some
handler holds the carrier."""


class PushSpawn(Protocol):
    """The signature of `Spawning.push`."""

    def __call__(
        self,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        release_gil: bool = False,
        *,
        trap_exit: bool = False,
    ) -> int: ...


class Spawning:
    """The spawn calls of one runtime. From any thread.

    None blocks but `fetch`, which waits for messages on their way, and the first pull actors
    that share threads, until these are up.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        table: Table,
        delivery: Delivery,
        registry: Registry,
        push: PushRunner,
        pull: PullShared,
        lazy: LazyRunner,
        blocking: Blocking,
    ) -> None:
        self._lifecycle = lifecycle
        self._table = table
        self._delivery = delivery
        self._registry = registry
        self._push = push
        self._pull = pull
        self._lazy = lazy
        self._blocking = blocking
        self._specs: dict[tuple[Any, ...], ActorSpec] = {}
        self._plain = self._spec("push", BUDGET_DEFAULT)
        self.push = self._make_push()
        # A push actor; see `Runtime.spawn`.

    def _make_push(self) -> PushSpawn:
        """Build `push`. A closure: that is worth 150 ns of some 1,100 an actor."""
        lifecycle, runner, plain = self._lifecycle, self._push, self._plain
        spawn, add = lifecycle.spawn, lifecycle.enlist

        def push(
            handler: Handler,
            budget: int = BUDGET_DEFAULT,
            release_gil: bool = False,
            *,
            trap_exit: bool = False,
        ) -> int:
            try:
                wrong = handler.__code__.co_flags & ASYNC_FLAGS
            except AttributeError:
                wrong = True
            if wrong:
                check_handler(handler)
            if budget is not BUDGET_DEFAULT or trap_exit is not False or release_gil is not False:
                # By identity: an int that is equal and another object is merely slower.
                spec, other = self._asked_for(budget, release_gil, trap_exit)
                return spawn(spec, handler, other)
            if lifecycle.closing:
                lifecycle.refuse()
            return add(ActorCell(plain, handler, runner))

        return push

    def bounded(self, handler: Handler, budget: int, capacity: int, trap_exit: bool = False) -> int:
        """A push actor with a bound of queued messages."""
        check_handler(handler)
        whole_number("capacity", capacity, least=1, most=CAPACITY_MAX)
        spec = self._spec("push", budget, trap_exit, capacity)
        return self._lifecycle.spawn(spec, handler, self._push)

    def virtual(
        self,
        handler: Handler,
        budget: int,
        idle_timeout_ms: Optional[Millis],
        trap_exit: bool = False,
    ) -> int:
        """A push actor that begins with its first message and ends when it is idle for long."""
        check_handler(handler)
        if idle_timeout_ms is None:
            # Nothing to begin and nothing to count: before its first message a push actor is
            # a pid and a cell, and so is this one.
            spec = self._spec("virtual", budget, trap_exit)
            return self._lifecycle.spawn(spec, handler, self._push)
        idle_timeout_s = millis("idle_timeout_ms", idle_timeout_ms, zero=False)
        spec = self._spec("virtual", budget, trap_exit, idle_timeout_s=idle_timeout_s)
        return self._lifecycle.spawn(spec, handler, self._lazy)

    def child(
        self,
        parent: int,
        handler: Handler,
        budget: int = BUDGET_DEFAULT,
        release_gil: bool = False,
        trap_exit: bool = False,
    ) -> int:
        """A push actor that ends with its parent."""
        check_pid(parent)
        check_handler(handler)
        spec, runner = self._asked_for(budget, release_gil, trap_exit)
        return self._lifecycle.spawn_child(parent, spec, handler, runner)

    def _asked_for(
        self, budget: int, release_gil: bool, trap_exit: bool
    ) -> tuple[ActorSpec, Union[PushRunner, BlockingRunner]]:
        """The spec and the runner of an actor with a message handler."""
        if type(release_gil) is not bool:
            raise TypeError(f"release_gil is True or False, not {release_gil!r}")
        if release_gil:
            spec = self._spec("release_gil", budget, trap_exit, None, True)
            return spec, BlockingRunner(self._blocking)
        return self._spec("push", budget, trap_exit), self._push

    def pool(
        self,
        parent: int,
        handler: Optional[Handler],
        workers: int,
        budget: int,
        release_gil: bool = False,
        trap_exit: bool = False,
    ) -> list[int]:
        """Several children alike; no handler takes the parent's own. All or none."""
        check_pid(parent)
        whole_number("workers", workers, least=1, most=POOL_WORKERS_MAX)
        if handler is None:
            cell = self._table.get(parent)
            if cell is None:
                raise ActorDead(f"actor {parent} has ended, its pool cannot take its handler")
            if cell.spec.kind not in ("push", "virtual", "release_gil"):
                raise ActorError(
                    f"actor {parent} is a {cell.spec.kind} actor and has no message handler"
                    " for a pool; give one"
                )
            history = None if cell.control is None else cell.control.history
            handler = cell.handler if history is None else history.handler
        made: list[int] = []
        try:
            for _ in range(workers):
                # One by one: what was made is needed after a failure.
                pid = self.child(parent, handler, budget, release_gil, trap_exit)
                made.append(pid)
        except BaseException:
            for pid in made:
                self._registry.stop(pid)
            raise
        return made

    def mailbox(self, body: Callable[[Any], Any], budget: int = BUDGET_DEFAULT) -> int:
        """A pull actor."""
        check_handler(body, "fn", FN_WANTED)
        spec = self._spec("pull", budget, True, None, True)
        return self._lifecycle.spawn(spec, body, PullRunner(self._pull))

    def child_mailbox(
        self, parent: int, body: Callable[[Any], Any], budget: int = BUDGET_DEFAULT
    ) -> int:
        """A pull actor that ends with its parent."""
        check_pid(parent)
        check_handler(body, "fn", FN_WANTED)
        spec = self._spec("pull", budget, True, None, True)
        return self._lifecycle.spawn_child(parent, spec, body, PullRunner(self._pull))

    def supervisor(self, parent: Optional[int], born: Born) -> int:
        """The actor that a supervisor is: it has a pid and children, and takes no messages."""

        def begin(cell: ActorCell) -> None:
            cell.admission = NO_MESSAGES
            born(cell)

        spec = self._spec("supervisor", 1)
        if parent is None:
            return self._lifecycle.spawn_born(spec, _takes_nothing, self._push, begin)
        return self._lifecycle.spawn_child(parent, spec, _takes_nothing, self._push, begin)

    def supervised(self, parent: int, asked: ChildSpec, handler: Any, born: Born) -> int:
        """The child of a supervisor, by its spec; `check_made` has seen the handler."""
        runner: Runner
        if asked.mailbox:
            spec = self._spec("pull", asked.budget, True, None, True)
            runner = PullRunner(self._pull)
        elif asked.capacity is not None:
            spec = self._spec("push", asked.budget, asked.trap_exit, asked.capacity)
            runner = self._push
        else:
            spec, runner = self._asked_for(asked.budget, asked.release_gil, asked.trap_exit)

        def begin(cell: ActorCell) -> None:
            if asked.name is not None:
                self._registry.take_name(asked.name, cell)
            if asked.path is not None:
                self._registry.take_path(asked.path, cell)
            born(cell)

        return self._lifecycle.spawn_child(parent, spec, handler, runner, begin)

    def observed(self, budget: int = BUDGET_DEFAULT) -> int:
        """An actor that keeps what it receives."""
        kept: list[Any] = []
        spec = self._spec("observed", budget, True)
        pid = self._lifecycle.spawn(spec, kept.append, self._push)
        with self._table.lock:
            cell = self._table.get(pid)
            assert cell is not None
            ties_of(cell).kept = kept
        return pid

    def observed_at(self, budget: int, path: str) -> int:
        """An observed actor with a path."""
        if not checked_path(path):
            raise BadInput("an actor cannot have the path '/'; it is the root of all paths")
        pid = self.observed(budget)
        if not self._registry.register_path(path, pid):
            holder = self._registry.whereis_path(path)
            self._registry.stop(pid)
            raise BadInput(f"path {path!r} is held by the living actor {holder}; unregister it")
        return pid

    def fetch(self, pid: int) -> list[Any]:
        """What an observed actor has received since the last call, oldest first.

        Includes all that was accepted before the call: waits until it has arrived.
        """
        check_pid(pid)
        with self._table.lock:
            cell = self._table.get(pid)
            if cell is None:
                raise ActorDead(f"actor {pid} has ended, and with it what it kept")
            kept = None if cell.ties is None else cell.ties.kept
            if kept is None:
                raise ActorError(
                    f"actor {pid} is a {cell.spec.kind} actor and keeps nothing; get_messages"
                    " works on those of spawn_observed_handler and spawn_with_path_observed"
                )
            if not cell.ready:
                return _clear(kept)
            waiter = Waiter()
            self._delivery.mark(cell, FenceMarker(waiter.settle))
        self._delivery.poke(cell)
        waiter.wait(FETCH_TIMEOUT_S)
        with self._table.lock:
            # Two callers must not copy the same messages.
            return _clear(kept)

    def _spec(
        self,
        kind: str,
        budget: int,
        receives_system: bool = False,
        capacity: Optional[int] = None,
        slow_start: bool = False,
        idle_timeout_s: Optional[float] = None,
    ) -> ActorSpec:
        key = (kind, budget, receives_system, capacity, idle_timeout_s)
        spec = self._specs.get(key)
        if spec is None or type(budget) is not int or type(receives_system) is not bool:
            whole_number("budget", budget, least=1, most=BUDGET_MAX)
            if type(receives_system) is not bool:
                raise TypeError(f"trap_exit is True or False, not {receives_system!r}")
            spec = ActorSpec(kind, budget, receives_system, capacity, slow_start, idle_timeout_s)
            if len(self._specs) < 1000:
                self._specs[key] = spec
        return spec


def _takes_nothing(_: Any) -> None:
    """The handler of a supervisor, which is given no messages."""


def _clear(kept: list[Any]) -> list[Any]:
    # In two steps, between which the carrier may append: hence the length.
    messages = kept[:]
    del kept[: len(messages)]
    return messages


def check_handler(
    handler: object,
    what: str = "handler",
    wanted: str = "a handler is a callable that takes one message",
) -> None:
    """Raise TypeError unless the handler, or what else is called so, is an ordinary callable."""
    code = getattr(handler, "__code__", None)
    if code is not None:
        if not code.co_flags & ASYNC_FLAGS:
            return
    elif not callable(handler):
        raise TypeError(
            f"{wanted}, not {handler!r} of type {type(handler).__name__}"
        )
    elif not _is_async(handler):
        return
    raise TypeError(
        f"{what} {handler!r} is async; Iris calls it on greenlets, where `await` has no loop."
        " Write a plain function; a coroutine can call actors with rt.ask_async and rt.send_async"
        " (iris.interop)"
    )


def check_made(asked: ChildSpec, made: object) -> None:
    """Raise TypeError unless a factory has returned what its spec says."""
    if asked.mailbox:
        check_handler(made, "fn", FN_WANTED)
    else:
        check_handler(made)


def _is_async(handler: object) -> bool:
    """Whether a callable that is not a function is async inside: an object or a partial."""
    call = vars(type(handler)).get("__call__")
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(handler, "func", None))
