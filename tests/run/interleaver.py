"""Runs the real code of Iris in every order of its steps, within a bound on preemptions.

Threads are greenlets here, and a point at which one may be preempted stands before every
access to something that threads share: the sources are compiled once more, with calls of
`_point` put in. That is finer than the lines of a trace function and the same on every
interpreter. A run is told by the choices made in it; all runs are made, depth first, with
at most so many switches away from a thread that could have gone on. After Musuvathi and
Qadeer, "Iterative Context Bounding for Systematic Testing" (PLDI 2007).
"""

from __future__ import annotations

import ast
import importlib
import random
import sys
from collections import deque
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Optional

import greenlet

# fmt: off
SHARED = {
    "_armed_in", "_asked", "_crew", "_gone", "_wanted", "admission", "answered", "asked", "asks",
    "closed", "control", "count_at", "is_over", "items", "latest", "marks", "over", "pid", "policy",
    "ready", "shut", "sleeping", "special", "stage", "state", "target", "ties", "tickets",
}
"""Attributes before whose every load and store a thread may be preempted."""

CHANGING = {"append", "clear", "extend", "pop", "popleft", "popitem", "remove", "reverse"}
"""Methods of containers, also where they are local variables."""

READING = {"len", "next", "take"}
"""Functions that look into a container or take from it."""

CONTAINERS = {
    "_calls", "_jobs", "cells", "idle", "items", "jobs", "lane", "rest", "runqueue", "slots",
    "tickets", "user",
}
"""Names of containers whose truth or items are looked at."""

INSTRUMENTED = {
    "core.cell", "core.idle", "core.load", "core.mailbox", "core.table", "core.waits",
    "mesh.backlog", "mesh.jam", "mesh.outbox", "mesh.proxy",
    "run.asking", "run.backpressure", "run.bed", "run.blocking", "run.carrier", "run.crew",
    "run.delivery", "run.families", "run.lazy", "run.lifecycle", "run.pull", "run.pullbox",
    "run.push", "run.registry", "run.requests", "run.restarting", "run.settling", "run.swapping",
    "run.turn", "run.watchdog",
}
"""The modules of Iris in which threads may be preempted."""
# fmt: on


class _Points(ast.NodeTransformer):
    """`x.ready` becomes `_point(x, "turn.py:99").ready`, and so on."""

    def __init__(self, file: str) -> None:
        self._file = file

    def _at(self, node: Any) -> ast.Call:
        """The expression, with a point after its own evaluation."""
        where = ast.Constant(f"{self._file}:{node.lineno}")
        call = ast.Call(ast.Name("_point", ast.Load()), [node, where], [])
        return ast.copy_location(call, node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr in SHARED | CHANGING:
            node.value = self._at(node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        target = node.target
        if (
            isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and target.attr in SHARED
        ):
            # Two accesses, with a point before each.
            owner = ast.copy_location(ast.Name(target.value.id, ast.Load()), target)
            old = ast.copy_location(ast.Attribute(owner, target.attr, ast.Load()), target)
            changed = ast.copy_location(ast.BinOp(old, node.op, node.value), node)
            return self.generic_visit(ast.copy_location(ast.Assign([target], changed), node))
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in CHANGING | READING:
            node.func = self._at(node.func)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if _name(node.value) in CONTAINERS:
            node.value = self._at(node.value)
        return node

    def _test(self, node: Any) -> Any:
        """An expression whose truth is asked for."""
        return self._at(node) if _name(node) in CONTAINERS else node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        node.values = [self._test(value) for value in node.values]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            node.operand = self._test(node.operand)
        return node

    def visit_If(self, node: Any) -> ast.AST:
        self.generic_visit(node)
        node.test = self._test(node.test)
        return node

    visit_While = visit_If  # noqa: N815  # The name of a node.
    visit_IfExp = visit_If  # noqa: N815


def _name(node: ast.AST) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


class _Importer(MetaPathFinder, Loader):
    """Imports `iris` without what its `__init__` does, and with points in some modules."""

    def __init__(self, mutant: Optional[tuple[str, str, str]]) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> Optional[ModuleSpec]:
        if name.partition(".")[0] != "iris":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == "iris":
            return
        assert module.__file__ is not None
        path = Path(module.__file__)
        source = path.read_text(encoding="utf-8")
        if self._mutant is not None and module.__name__ == f"iris.{self._mutant[0]}":
            _, line, instead = self._mutant
            assert source.count(line) == 1, f"{path.name} has no such line any more: {line!r}"
            source = source.replace(line, instead)
        tree: ast.Module = ast.parse(source, str(path))
        if module.__name__.partition(".")[2] in INSTRUMENTED:
            tree = ast.fix_missing_locations(_Points(path.name).visit(tree))
            module.__dict__["_point"] = _point
        exec(compile(tree, str(path), "exec"), module.__dict__)


class Iris:
    """A copy of Iris of its own, whose threads and locks are those of this module.

    Args:
        mutant: a module, some text in it, and what stands there instead.
    """

    def __init__(self, mutant: Optional[tuple[str, str, str]] = None) -> None:
        ours = _take_away_iris()
        importer = _Importer(mutant)
        sys.meta_path.insert(0, importer)
        try:
            native = importlib.import_module("iris.run.native")
            vars(native).update(new_rlock=Lock, allocate_lock=PlainLock, start_thread=_start_thread)
            # The greenlets here are no threads that could have a hub.
            vars(importlib.import_module("iris.run.hub")).update(
                port_of_thread=_nothing, drop_hub_of_thread=_nothing
            )
            vars(importlib.import_module("iris.run.waiter")).update(
                monotonic=clock, sleep=lambda duration_s: _run.give_way(), SIGNAL_LATE_S=-1.0
            )
            self.assembly: Any = importlib.import_module("iris.assembly")
            self.config: Any = importlib.import_module("iris.config")
            self.renewal: Any = importlib.import_module("iris.core.renewal")
            self.links: Any = importlib.import_module("iris.core.links")
            self.context: Any = importlib.import_module("iris.run.context")
            self.errors: Any = importlib.import_module("iris.errors")
        finally:
            sys.meta_path.remove(importer)
            _take_away_iris()
            sys.modules.update(ours)


def _nothing() -> None:
    pass


def _start_thread(entry: Callable[[], None], stack_bytes: int = 0) -> None:
    name = "worker" if entry.__name__ == "main" else "pull"
    thread = Thread(name, entry, False)
    # Not whoever starts it, which may be over before it: PyPy could not end it then.
    thread.greenlet.parent = _run.main
    _run.threads.append(thread)


def _take_away_iris() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "iris"]
    return {name: sys.modules.pop(name) for name in names}


# -- one run --------------------------------------------------------------------------------------


class Interrupt(BaseException):
    """What a signal handler raises, in a thread that may be interrupted."""


class Thread:
    """What runs beside other threads. The carrier's has several greenlets."""

    def __init__(self, name: str, body: Callable[[], Any], may_be_interrupted: bool) -> None:
        self.name = name
        self.may_be_interrupted = may_be_interrupted
        # Whether a signal handler may raise in it, once.
        self.was_interrupted = False
        self.over = False
        self.waits: Optional[Callable[[], bool]] = None
        # What has to become true for it to go on.
        self.error: Optional[BaseException] = None
        self.greenlet = greenlet.greenlet(lambda: self._main(body))
        # The one in which it goes on.

    def _main(self, body: Callable[[], Any]) -> None:
        try:
            body()
        except (Interrupt, greenlet.GreenletExit):
            pass
        except BaseException as error:
            self.error = error
        self.over = True

    def can_run(self) -> bool:
        return not self.over and (self.waits is None or self.waits())


FAIR = 2000
"""Points after which a thread that does not wait lets the others go on."""


class Run:
    """One run: the choices of `prefix`, and the first of the possible ones from there on."""

    def __init__(self, prefix: Sequence[int], preemptions: int) -> None:
        self.choices: list[tuple[int, int]] = []
        # What was chosen, of how many.
        self.story: list[str] = []
        self.threads: list[Thread] = []
        self.current: Optional[Thread] = None
        self.closing = False
        self.quiet = False
        # While True nothing is chosen and nobody preempted.
        self._prefix = prefix
        self._preemptions = preemptions
        self.main = greenlet.getcurrent()
        self._next: Optional[Thread] = None
        self._points = 0

    def choose(self, options: int) -> int:
        """Choose one of several ways to go on."""
        if options == 1 or self.closing or self.quiet:
            return 0
        place = len(self.choices)
        chosen = self._prefix[place] if place < len(self._prefix) else 0
        self.choices.append((chosen, options))
        return chosen

    def go(self) -> None:
        """Run until no thread can go on."""
        while True:
            ready = [thread for thread in self.threads if thread.can_run()]
            if not ready:
                return
            following, self._next = self._next, None
            thread = following or ready[self.choose(len(ready))]
            self._enter(thread)
            if thread.error is not None:
                raise thread.error

    def point(self, where: str) -> None:
        """The current thread is about to touch something shared."""
        me = self.current
        if me is None or self.closing or self.quiet:
            return
        self._points += 1
        others = []
        if self._preemptions or self._points % FAIR == 0:
            others = [one for one in self.threads if one is not me and one.can_run()]
        if others and self._points % FAIR == 0:
            # Whoever is busy for so long waits for another; that costs no preemption.
            if self._points > 10 * FAIR:
                raise AssertionError(f"{me.name} is busy for ever at {where}")
            self._next = others[0]
            self._leave(me)
            return
        may_raise = me.may_be_interrupted and not me.was_interrupted
        chosen = self.choose(1 + len(others) + may_raise)
        if not chosen:
            return
        if chosen > len(others):
            me.was_interrupted = True
            self.story.append(f"{me.name} is interrupted at {where}")
            raise Interrupt
        self._preemptions -= 1
        self._next = others[chosen - 1]
        self.story.append(f"{me.name} until {where}")
        self._leave(me)

    def wait(self, until: Callable[[], bool]) -> None:
        """The current thread cannot go on before something is true."""
        me = self.current
        if me is None or self.closing:
            raise greenlet.GreenletExit
        me.waits = until
        self.story.append(f"{me.name} waits")
        self._leave(me)

    def give_way(self) -> None:
        """The current thread waits for another without saying for what."""
        me = self.current
        others = [one for one in self.threads if one is not me and one.can_run()]
        if me is not None and others and not self.closing:
            self._next = others[0]
            self._leave(me)

    def close(self) -> None:
        """Let go of all threads that have not come to their end; the hub's lets its own go."""
        self.closing = True
        for thread in self.threads:
            if not thread.over and thread.greenlet:
                self.current = thread
                if thread.name == "hub":
                    thread.greenlet.switch()
                else:
                    thread.greenlet.throw(greenlet.GreenletExit)
        self.current = None

    def _enter(self, thread: Thread) -> None:
        self.current = thread
        thread.waits = None
        thread.greenlet.switch()
        self.current = None

    def _leave(self, thread: Thread) -> None:
        thread.greenlet = greenlet.getcurrent()
        self.main.switch()


_run = Run((), 0)
# The one that runs now: what the instrumented code and the locks find.


def _point(thing: Any, where: str) -> Any:
    _run.point(where)
    return thing


class Lock:
    """A reentrant lock."""

    def __init__(self) -> None:
        self._owner: Optional[Thread] = None
        self._depth = 0

    def __enter__(self) -> None:
        _run.point("lock")
        while self._depth and self._owner is not _run.current:
            _run.wait(lambda: not self._depth)
        self._owner = _run.current
        self._depth += 1

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1

    def acquire(self, blocking: bool) -> bool:
        assert not blocking
        _run.point("lock")
        free = not self._depth or self._owner is _run.current
        if free:
            self._owner = _run.current
            self._depth += 1
        return free

    release = __exit__


class PlainLock:
    """A lock that anybody may release. Time passes where somebody waits for it with a timeout."""

    def __init__(self) -> None:
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        _run.point("acquire")
        if self._held and blocking:
            if timeout < 0:
                while self._held:
                    _run.wait(lambda: not self._held)
            elif timeout > 0:
                _run.wait(lambda: True)
                if self._held:
                    clock.now += timeout
        if self._held:
            return False
        self._held = True
        return True

    def release(self) -> None:
        _run.point("release")
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False

    def locked(self) -> bool:
        return self._held


class Clock:
    """Seconds that pass where a wait times out."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


clock = Clock()


class Hub:
    """The hub of a carrier: it has the pump called after a wake-up, in a thread of its own."""

    def __init__(self) -> None:
        self.woken = False
        self.blocked: list[Any] = []
        # Greenlets of handlers that wait for something; it may come at any time.
        self._greenlet: Any = None
        self._pump: Callable[[], None] = lambda: None
        self._laps = 0
        self._at_lap: Callable[[], None] = _nothing

    def start(self, pump: Callable[[], None]) -> None:
        self._pump = pump

    def wake(self) -> None:
        _run.point("hub.wake")
        self.woken = True

    def arm(self, delay_s: Optional[float]) -> None:
        pass

    def later(self, delay_s: float, call: Callable[[], Any]) -> Any:
        return PlainLock()

    later_aside = later

    def laps(self) -> int:
        _run.point("hub.laps")
        return self._laps

    def at_next_lap(self, call: Callable[[], None]) -> None:
        self._at_lap = call

    def new_greenlet(self, run: Callable[[], None]) -> Any:
        return greenlet.greenlet(run, self._greenlet)

    def park(self) -> None:
        self._greenlet.switch()

    def interrupted(self, error: BaseException) -> None:
        raise error

    def close(self) -> None:
        self._pump = lambda: None

    def block(self) -> None:
        """In a handler: wait for something."""
        self.blocked.append(greenlet.getcurrent())
        self.park()

    def main(self) -> None:
        """What the hub's thread does until the run is over."""
        self._greenlet = greenlet.getcurrent()
        while True:
            self._laps += 1
            _run.wait(lambda: self.woken or bool(self.blocked))
            if _run.closing:
                return
            call, self._at_lap = self._at_lap, _nothing
            call()
            events: list[Callable[[], Any]] = [self._run_pump] if self.woken else []
            events += [one.switch for one in self.blocked]
            chosen = _run.choose(len(events))
            if chosen or not self.woken:
                del self.blocked[chosen - self.woken]
            events[chosen]()

    def _run_pump(self) -> None:
        self.woken = False
        self._pump()


class World:
    """One runtime in one run, and what its actors have seen."""

    def __init__(self, iris: Iris, run: Run, **options: Any) -> None:
        self.iris = iris
        self.hub = Hub()
        self.seen: list[Any] = []
        # What handlers were given, in order.
        self.faults: list[Any] = []
        # Noted and not raised: a handler that raises only ends its actor.
        self.busy: set[int] = set()
        self._run = run
        if "limits" in options:
            options["limits"] = iris.config.Limits(**options["limits"])
        config = iris.config.Config(pull_threads_max=8, **options)
        limits = iris.config.ReleaseGilLimits(1, 2, False)
        self.system: Any = iris.assembly.assemble(
            config, limits, deque(), clock, 1e6, random.Random(1),
            iris.assembly.real_rooms(config),
        )  # fmt: skip
        self.system.hooks.add("error", self.faults.append)
        self.ended: list[int] = []
        # The pids of those whose end is complete.
        self.system.hooks.add("exit", lambda pid, _: self.ended.append(pid))
        self.carrier = self.system.carrier
        self.table = self.system.table
        self.send = self.system.delivery.send
        self.waits = self.system.asking._requests._waits._for
        # Which actor waits for which.
        self.carrier.attach(self.hub)
        self.hub.woken = False
        self.carrier.pump()
        self._hub_thread = self.thread("hub", self._run_hub)

    def thread(
        self, name: str, body: Callable[[], Any], may_be_interrupted: bool = False
    ) -> Thread:
        """Run `body` beside the others."""
        thread = Thread(name, body, may_be_interrupted)
        self._run.threads.append(thread)
        return thread

    def handler(self, key: int = 0, act: Callable[[Any], Any] = lambda message: None) -> Any:
        """A handler that notes what it is given and acts; not twice at a time, nor when dead."""

        def handle(message: Any) -> None:
            if key in self.busy:
                self.faults.append("two handlers at a time")
            if self.state_here() == "dead":
                self.faults.append(f"{message!r} was handled after the end")
            self.busy.add(key)
            self.seen.append(message)
            try:
                act(message)
            finally:
                self.busy.discard(key)

        return handle

    def state_here(self) -> str:
        """The state of the actor that runs here."""
        state: str = self.iris.context.current_cell().state.value
        return state

    def let_start(self) -> None:
        """Let all threads come to where they wait, in one order; what matters comes later."""
        self._run.quiet = True
        self._run.go()
        self._run.quiet = False

    def wait(self, until: Callable[[], bool]) -> None:
        """In a handler: the thread cannot go on before something is true."""
        while not until():
            self._run.wait(until)

    def choose(self, options: int) -> int:
        """Go on in one of several ways; all of them are tried."""
        return self._run.choose(options)

    def can_run_without(self, thread: Thread) -> bool:
        """Whether a thread besides this one could go on."""
        return any(one.can_run() for one in self._run.threads if one is not thread)

    def workers(self) -> int:
        """How many workers there are."""
        return sum(not one.over for one in self._run.threads if one.name == "worker")

    def settle(self) -> None:
        """The run is over: it has to be a good end."""
        assert not self.faults, self.faults
        idle = ("worker", "watchdog", "mesh")
        waiting = [one.name for one in self._run.threads if not one.over and one.name not in idle]
        assert waiting == ["hub"], f"deadlock: {waiting} wait for ever"
        assert len(self.ended) == len(set(self.ended)), f"ended twice: {self.ended}"
        assert not self.carrier.runqueue, "a cell is queued and the carrier sleeps"
        assert self.carrier.sleeping, "the next sender would not wake the hub"
        for cell in self.table.cells():
            if cell.state.value == "restarting":
                assert cell.ties.renewal.stage.name == "RESTED", "never at rest"
                continue
            if cell.spec.kind == "release_gil":
                assert not cell.running, "a worker waits in a turn"
            if cell.spec.kind != "pull":
                assert not cell.user, f"lost in the lane: {cell.user}"
                assert not cell.ready, "the next sender would not queue the cell"
        if any(one.may_be_interrupted for one in self._run.threads):
            # Between the append and its count: who knows?
            return
        stats = self.system.snapshot.stats()
        fates = (
            "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
            "queued", "running",
        )  # fmt: skip
        assert stats["accepted"] == sum(stats[fate] for fate in fates), stats

    def _run_hub(self) -> None:
        self.hub.main()
        self.carrier.detach()


Scenario = Callable[[World], Callable[[], None]]
# Sets threads up, and returns what to check in the end.


def explore(iris: Iris, scenario: Scenario, preemptions: int, **options: Any) -> int:
    """Make all runs of a scenario; returns how many. AssertionError tells the first bad one.

    Args:
        options: those of the runtime; `limits` as a dict.
    """
    global _run
    prefix: list[int] = []
    runs = 0
    while True:
        run = _run = Run(prefix, preemptions)
        clock.now = 0.0
        world = World(iris, run, **options)
        try:
            check = scenario(world)
            run.go()
            world.settle()
            check()
        except BaseException as error:
            story = "\n  ".join(run.story)
            raise AssertionError(f"run {runs}: {error!r}\n  {story}\nsaw {world.seen}") from error
        finally:
            run.close()
        runs += 1
        choices = run.choices
        while choices and choices[-1][0] + 1 == choices[-1][1]:
            choices.pop()
        if not choices:
            return runs
        prefix = [chosen for chosen, _ in choices[:-1]] + [choices[-1][0] + 1]
