"""SimRuntime: a runtime in one thread, with virtual time and a seeded order of turns.

The same seed gives the same run on every interpreter. Nothing happens between two calls
of the test, so a test needs no sleeping and no polling: it sends, steps, and looks.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional, Union

from iris.assembly import assemble
from iris.config import config_of, release_gil_limits, seconds, whole_number
from iris.core.runqueue import SeededQueue
from iris.errors import IrisError
from iris.facade import Facade
from iris.lowlevel import PyRuntime
from iris.run.bed import GreenletBed, Lodger
from iris.run.carrier import Carrier
from iris.run.context import Place, Sleeper, current_greenlet, enter, here, leave
from iris.run.lodging import ThreadLimits
from iris.run.simhub import SimHub
from iris.run.simworld import STEPS_MOST, World
from iris.run.waiter import Waiter
from iris.runtime import Runtime
from iris.system import System
from iris.testing.simnet import (
    ALONE,
    SimNetwork,
    alone,
    driver_maker,
    enter_host,
    seed_on,
    world_of,
)

ONE_TURN = -1.0
"""A slice that is over at once, so that each step of the pump runs a single turn."""


SIMULATED_PROCESSORS = 4
"""What the default size of the pool for `release_gil` is made from, on every machine."""


class _Driver:
    """The `Home` of the driving greenlet: parking it means running everybody else."""

    def __init__(self, world: World, carrier: Carrier) -> None:
        self._world = world
        self.settle = world.run_until_idle
        self.post = carrier.post
        self.later = carrier.later

    def park(self) -> None:
        """Run one step, or move to the next timer when nothing is ready."""
        world = self._world
        if world.step():
            return
        due = world.next_time()
        if due is None or not world.expects():
            raise IrisError("the simulation waits for something that nothing in it can bring about")
        world.move_to(due)

    def remind(self, delay_s: float, sleeper: Sleeper) -> None:
        """Call `sleeper.expire()` after some virtual seconds."""
        sleeper.timer = self.later(delay_s, sleeper.expire)


class _Driven(Facade):
    """The calls that wait: made outside any actor, they drive the simulation meanwhile."""

    _driver: _Driver

    def send(self, pid: int, data: Any) -> bool:
        """As `Runtime.send`; under policy `block` the simulation runs until there is room."""
        with self._driving():
            return bool(self._system.delivery.send(pid, data))

    def ask(self, pid: int, data: Any, timeout_s: float) -> Any:
        """As `Runtime.ask`, in virtual time."""
        with self._driving():
            return super().ask(pid, data, timeout_s)

    async def ask_async(self, *_: Any) -> Any:
        """Not in a simulation, whose time is not that of the loop; see `ask`."""
        raise IrisError("a simulated runtime cannot be awaited; call ask() outside the loop")

    async def send_async(self, *_: Any) -> bool:
        """Not in a simulation; see `send`."""
        raise IrisError("a simulated runtime cannot be awaited; call send() outside the loop")

    def send_buffer(self, pid: int, buffer_id: int) -> bool:
        """As `Runtime.send_buffer`, and as `send` here."""
        with self._driving():
            return super().send_buffer(pid, buffer_id)

    def get_messages(self, pid: int) -> list[Any]:
        """As `Runtime.get_messages`."""
        with self._driving():
            return super().get_messages(pid)

    def join(self, pid: int, timeout_s: Optional[float] = None) -> bool:
        """As `Runtime.join`, in virtual time."""
        with self._driving():
            return super().join(pid, timeout_s)

    def resolve_remote(self, addr: str, name: str) -> Optional[int]:
        """As `Runtime.resolve_remote`, in virtual time."""
        with self._driving():
            return super().resolve_remote(addr, name)

    def resolve_remote_py(self, *_: Any) -> Awaitable[Optional[int]]:
        """Not in a simulation; see `resolve_remote`."""
        self._system.check_open()
        raise IrisError("a simulated runtime cannot be awaited; call resolve_remote() instead")

    def is_node_up(self, addr: str) -> bool:
        """As `Runtime.is_node_up`, in virtual time."""
        with self._driving():
            return super().is_node_up(addr)

    def send_remote(self, addr: str, pid: Union[int, str], data: Any) -> bool:
        """As `Runtime.send_remote`, and as `send` here."""
        with self._driving():
            return super().send_remote(addr, pid, data)

    def quiesce(self, timeout_s: float = 0.0) -> bool:
        """Run until nothing is ready; True when no message is left queued or running."""
        if here() is None:
            self._driver.settle()
        with self._driving():
            return super().quiesce(timeout_s)

    def shutdown(self, timeout_s: float = 5.0) -> list[int]:
        """As `Runtime.shutdown`, in virtual time."""
        with self._driving():
            return super().shutdown(timeout_s)

    @contextmanager
    def _driving(self) -> Iterator[None]:
        """Waiting outside any actor means driving the simulation."""
        if here() is not None:
            yield
            return
        enter(Place(self._driver, _no_runtime))
        try:
            yield
        finally:
            leave()


class _SimInner(_Driven, PyRuntime):
    """`SimRuntime._inner`."""

    def __init__(self, system: System, driver: _Driver) -> None:
        self._driver = driver
        self._bind(system)
        del self.send, self.ask


class SimRuntime(_Driven, Runtime):
    """A `Runtime` that runs only when told to.

    Args:
        seed: decides which of the ready actors has its turn.
        network: the `SimNetwork` that it is part of. Runtimes of one network have one time; to
            drive one of them, also by a call that waits, is to drive them all. Without one it is
            alone, and reaches nobody but itself.
        host: the name of its host there. Other runtimes may be on the same host.
        **options: as for `iris.Runtime`.

    All calls of `Runtime` but those for asyncio (`ask_async`, `send_async`, `resolve_remote_py`)
    are there. Those that wait (`join`, `quiesce`, `get_messages`, `ask`, `resolve_remote`,
    `is_node_up`, `shutdown`, a send under policy `block`) run the simulation until they have what
    they wait for, moving the time if need be. Pull actors and the workers
    of actors with `release_gil` run as greenlets: they may block in a mailbox or in `sleep`, not
    in the operating system. Nothing takes virtual time by itself, so there is no watchdog for
    long turns. Environment variables have no effect. Use it from one thread.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        network: Optional[SimNetwork] = None,
        host: Optional[str] = None,
        **options: Any,
    ) -> None:
        """Build a runtime with nothing to do, alone at time 0 or in a network; see the class."""
        whole_number("seed", seed, least=0)
        self.seed = seed
        if (network is None) != (host is None):
            raise TypeError("network and host go together: SimRuntime(network=network, host='a')")
        if network is None or host is None:
            network, host = alone(seed), ALONE
        else:
            # Several with the same seed: they must not all do the same.
            seed = seed_on(network, host, seed)
        generator = random.Random(seed)
        self._world = world_of(network)
        self._hub = SimHub(self._world)
        clock = self._world.clock
        runqueue = SeededQueue(seed)
        config = config_of(options)
        # Of the environment and the machine nothing: a run depends on the seed only.
        limits = release_gil_limits(config, {}, SIMULATED_PROCESSORS)
        system = assemble(
            config, limits, runqueue, clock, ONE_TURN, generator, _greenlets,
            driver_maker(network, host),
        )  # fmt: skip
        self._carrier: Carrier = system.carrier
        self._carrier.attach(self._hub)
        self._start(system)
        self._driver = _Driver(self._world, system.carrier)
        enter_host(network, host, self._hub, system.closing.cut_off)
        system.closing.start = self._start_beside
        # These have to be the methods, which may have to drive the simulation.
        del self.send, self.ask
        self._inner = _SimInner(system, self._driver)

    def _start_beside(self, entry: Callable[[], None]) -> None:
        """Run something in a greenlet of the simulation."""

        def run() -> None:
            enter(Place(self._carrier, _no_runtime))
            try:
                entry()
            finally:
                leave()

        self._carrier.start_greenlet(run)

    # -- driving ---------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The virtual time in seconds; it starts at 0."""
        return self._world.clock.now

    def step(self) -> bool:
        """Run one turn of one ready actor; False when nothing is ready now."""
        return self._world.step()

    def after_each_step(self, call: Callable[[], None]) -> None:
        """Have a test look at the system after every step, also those in calls that wait.

        Args:
            call: takes nothing; quick, must not drive the simulation. Replaces the one before.
        """
        self._world.after_step = call

    def run_until_idle(self, steps_max: int = STEPS_MOST) -> int:
        """Run turns until none is ready, without moving the time; returns how many steps.

        Raises:
            IrisError: it is not idle after `steps_max` steps.
        """
        return self._world.run_until_idle(steps_max)

    def advance(self, duration_s: float) -> None:
        """Let time pass: run what is ready, then what each timer on the way brings."""
        self._world.advance(seconds("duration_s", duration_s))

    def sleep(self, duration_s: float) -> None:
        """In a handler: wait for virtual time to pass, while others run."""
        Waiter().wait(seconds("duration_s", duration_s))


class _Greenlets:
    """Pull actors of a simulated runtime: greenlets of its hub, and the home they wait in."""

    def __init__(
        self,
        carrier: Carrier,
        runtime: Callable[[], Any],
        is_shared: bool,
        left: Callable[[], None],
    ) -> None:
        self.is_shared = is_shared
        self.post = carrier.post
        self.park = carrier.park
        self.later = carrier.later
        self.remind = carrier.remind
        self.leaving = left
        self._carrier = carrier
        self._runtime = runtime

    def start(self, lodger: Lodger) -> None:
        lodger.move_in(self, GreenletBed(self))
        self._carrier.start_greenlet(lodger.run)

    def place(self) -> Place:
        return Place(self._carrier, self._runtime)

    def ended(self) -> None:
        pass

    def is_overdue(self) -> bool:
        # No time passes while an actor runs.
        return False

    def close(self) -> None:
        pass

    def left(self, timeout_s: float) -> None:
        pass


class _Workers:
    """Workers of a simulated runtime: greenlets of its hub, too."""

    def __init__(self, carrier: Carrier, home: _Greenlets) -> None:
        self._carrier = carrier
        self._home = home
        self.place = home.place

    def make_bed(self) -> GreenletBed:
        return GreenletBed(self._home)

    def start(self, entry: Callable[[], None]) -> None:
        self._carrier.start_greenlet(entry)

    def give_way(self) -> None:
        """Let the others have a step: so each step is one turn, of workers too."""
        timer = self._carrier.later(0.0, current_greenlet().switch)
        try:
            self._carrier.park()
        finally:
            timer.close()

    def ended(self) -> None:
        pass


def _greenlets(
    carrier: Carrier, runtime: Callable[[], Any], limits: ThreadLimits, _: Any
) -> tuple[_Greenlets, _Greenlets, _Workers]:
    """Both kinds of place for pull actors; only who is counted and how tells them apart."""
    own = _Greenlets(carrier, runtime, False, limits.give_back)
    return own, _Greenlets(carrier, runtime, True, lambda: None), _Workers(carrier, own)


def _no_runtime() -> None:
    return None
