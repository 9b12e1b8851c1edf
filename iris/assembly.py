"""The composition root: builds the parts of a runtime and hands each its collaborators.

All wiring is here and nothing else is. What would make a lower layer import a higher one
is a callable that is passed down: how a turn ends, what runs after a delay, what happens
when the runtime is gone. Over 400 lines, because the wiring is to be read in one place.
"""

from __future__ import annotations

import os
import random
from collections import deque
from typing import Any, Callable, Optional

from iris.config import Config, MeshLimits, ReleaseGilLimits, release_gil_limits
from iris.core.cell import ActorCell
from iris.core.letters import Letters
from iris.core.links import Monitors
from iris.core.load import Load
from iris.core.names import Names
from iris.core.paths import Paths
from iris.core.pid import GENERATION_MAX
from iris.core.runqueue import RunQueue
from iris.core.supervision import Groups, is_supervisor
from iris.core.table import Table
from iris.core.tally import Fates
from iris.core.timers import Timers
from iris.core.waits import Waits
from iris.core.weighing import Scale, weigh
from iris.errors import BadInput, LimitReached
from iris.interop.aio import Aio
from iris.interop.buffers import Buffers
from iris.mesh.keys import load_keyring
from iris.mesh.link import SocketDriver
from iris.mesh.node import MakeDriver, Node
from iris.observe.health import HealthDesk, ProbeDesk, Pulse
from iris.observe.hooks import Hooks
from iris.observe.snapshot import Snapshot
from iris.run import process
from iris.run.asking import Asking
from iris.run.backpressure import LOOK_PAUSE_S, Backpressure, Left
from iris.run.bed import Bedroom
from iris.run.blocking import Blocking
from iris.run.bounds import Bounds
from iris.run.carrier import NEVER, Carrier
from iris.run.childends import ChildEnds
from iris.run.childstarts import ChildStarts
from iris.run.clock import monotonic
from iris.run.closing import Closing
from iris.run.context import Place
from iris.run.crew import Workroom, Workshop
from iris.run.delivery import Delivery
from iris.run.events import Events
from iris.run.factories import Factories
from iris.run.families import Families
from iris.run.hub import GeventHub, leave_hub, prepare, start_hub_thread
from iris.run.lazy import LazyRunner
from iris.run.lifecycle import Lifecycle
from iris.run.lodging import Lodging, Overflow, ThreadLimits
from iris.run.log import Log
from iris.run.native import new_rlock, start_thread
from iris.run.overflow import OverflowThread, OverflowThreads
from iris.run.pull import PullShared
from iris.run.push import PushRunner
from iris.run.registry import Registry
from iris.run.requests import Requests
from iris.run.restarting import Restarting
from iris.run.settling import Settling
from iris.run.spawning import Spawning
from iris.run.supervising import Supervising
from iris.run.supervisor import Authority
from iris.run.swapping import Swapping
from iris.run.threads import Threads, WorkerThreads
from iris.run.timing import Timing
from iris.run.turn import Ends, make_full_turn, make_slice
from iris.run.undelivered import Undelivered
from iris.run.watchdog import Watchdog
from iris.system import EXIT_STOP_S, System

HUBS = ("thread", "current")

Report = Callable[[BaseException], None]
MakeRooms = Callable[
    [Carrier, Callable[[], Any], ThreadLimits, Report], "tuple[Bedroom, Overflow, Workroom]"
]
"""Makes the places for pull actors with a thread of their own, for the overflow, for workers."""


def build(config: Config, hub: str = "thread") -> System:
    """Build a runtime on a hub.

    Args:
        config: limits and policies.
        hub: "thread" for a hub on a thread of its own, "current" for the gevent hub of the
            calling thread.

    Raises:
        BadInput: an unknown hub, or an environment variable with a bad value.
        LimitReached: the process can have no more threads, or no more descriptors.
    """
    if hub not in HUBS:
        raise BadInput(f"hub={hub!r} is unknown; give {' or '.join(map(repr, HUBS))}")
    limits = release_gil_limits(config, os.environ, os.cpu_count() or 1)
    prepare()
    system = assemble(
        config, limits, deque(), monotonic, config.slice_s, random.Random(),
        real_rooms(config),
    )  # fmt: skip
    if hub == "current":
        gevent_hub = GeventHub()
        system.lifecycle.on_interrupt = system.carrier.interrupted = gevent_hub.interrupted
        system.carrier.attach(gevent_hub)
    else:
        gevent_hub = _start_hub_thread(system)
    process.enter(system)
    if config.discovery is not None:
        system.mesh.discover(config.discovery)
    if config.long_turn_ms:
        _start_watchdog(system, gevent_hub, config.long_turn_ms / 1000)
    return system


def real_rooms(config: Config) -> MakeRooms:
    """Pull actors on threads, and in overflow threads; workers on threads."""

    def rooms(
        _: Carrier, runtime: Callable[[], Any], limits: ThreadLimits, report: Report
    ) -> tuple[Bedroom, Overflow, Workroom]:
        def overflow_thread() -> OverflowThread:
            return OverflowThread(runtime, monotonic, config.slice_s, report)

        threads = Threads(config.pull_stack_bytes, runtime, limits.give_back)
        return threads, OverflowThreads(overflow_thread), WorkerThreads(runtime)

    return rooms


def assemble(
    config: Config,
    limits: ReleaseGilLimits,
    runqueue: RunQueue,
    clock: Callable[[], float],
    slice_s: float,
    generator: random.Random,
    make_rooms: MakeRooms,
    make_driver: MakeDriver = SocketDriver,
) -> System:
    """Wire the parts of a runtime that is not attached to a hub yet."""
    system = System(config)
    lock = new_rlock()
    table = system.table = Table(generator.randint(1, GENERATION_MAX), lock)
    fates, timers, log = Fates(lock), Timers(), Log()
    hooks = Hooks(log.hook_raised)
    names, paths, groups, monitors, waits = Names(), Paths(), Groups(), Monitors(), Waits()
    carrier = system.carrier = Carrier(runqueue, timers, clock, slice_s, log.failed)
    undelivered = system.undelivered = Undelivered(
        Letters(config.dead_letters_max), table, fates, hooks, log, clock, carrier.post
    )
    for point, hook in (
        ("undelivered", config.on_undelivered), ("pressure", config.on_pressure)
    ):  # fmt: skip
        if hook is not None:
            hooks.add(point, hook)
    delivery = Delivery(
        table, carrier, waits, fates, undelivered, config.stop_word, system.check_usable
    )
    requests = Requests(table, delivery, waits, fates)
    delivery.request_dropped = requests.dropped
    settling = Settling(fates, undelivered)
    lifecycle = Lifecycle(
        table, delivery, requests, fates, names, paths, timers, monitors, hooks, log,
        settling,
    )  # fmt: skip
    families = Families(lifecycle, requests, hooks, log, config.shutdown_timeout_s)
    restarting = system.restarting = Restarting(
        lifecycle, families, delivery, requests, settling, log
    )
    _complete(lifecycle, families, restarting)
    undelivered.closing = lambda: lifecycle.closing
    registry = Registry(table, names, paths, monitors, waits, lifecycle, delivery)
    swapping = Swapping(table, delivery, registry, log, system.check_open)
    timing = Timing(table, timers, delivery, clock, carrier.wake)

    lifecycle.later, lifecycle.refuse, system.lifecycle = _later(carrier), system.refuse, lifecycle
    ends = _ends_of(lifecycle, swapping)

    def runtime() -> Any:
        return system.facade

    carrier.place = lambda: Place(carrier, runtime)
    carrier.run_slice = make_slice(carrier, ends, lock, clock)
    carrier.fire = timing.fire

    pull_limits = ThreadLimits(config.pull_threads_max, config.pull_strict)
    threads, overflow, workroom = make_rooms(carrier, runtime, pull_limits, lifecycle.report)
    system.lodging = Lodging(pull_limits, threads, overflow, log.overflowed)
    pull = PullShared(
        lifecycle, restarting, system.lodging, carrier.post, clock, swapping.apply
    )  # fmt: skip
    push = PushRunner(carrier)
    lazy = LazyRunner(push, table, delivery, lifecycle, clock)
    shop = Workshop(
        workroom,
        lambda meter: make_full_turn(meter, ends, lock, clock),
        lifecycle.report,
    )
    blocking = system.blocking = Blocking(
        shop, lifecycle, clock, slice_s if slice_s >= 0 else NEVER, limits
    )

    def handled() -> int:
        return carrier.handled + shop.handled()

    def pulled() -> list[tuple[int, ActorCell]]:
        return [(runner.received, runner.cell) for runner in list(pull.living.values())]

    system.asking = Asking(
        table, delivery, requests, fates, clock, system.check_open
    )  # fmt: skip
    system.aio = Aio(table, delivery, requests, system.asking)
    system.bounds, system.delivery, system.hooks = Bounds(table), delivery, hooks
    system.registry, system.swapping, system.timing = registry, swapping, timing
    system.buffers = Buffers(delivery.send_uncopied)
    backpressure = _limit(
        system, lock, fates, Left(fates, carrier, shop, pulled), clock, slice_s < 0, log
    )
    system.spawning = Spawning(
        lifecycle, table, delivery, registry, push, pull, lazy, blocking
    )  # fmt: skip
    mesh = _join_mesh(system, make_driver, requests, monitors, fates, log, generator, clock)
    authority = _supervise(
        system, restarting, groups, Factories(shop, carrier), log, clock, generator.random
    )
    system.snapshot = Snapshot(
        table, fates, lifecycle.orphans, handled, pulled, lambda: authority.restarts, backpressure,
        mesh.underway,
    )  # fmt: skip
    system.closing = Closing(
        table, fates, lifecycle, carrier, pulled, pull.interrupt_stopping, blocking.idle,
        mesh.is_idle, mesh.stop, overflow, clock, runtime, system.closed,
    )  # fmt: skip
    return system


def _limit(
    system: System,
    lock: Any,
    fates: Fates,
    left: Left,
    clock: Callable[[], float],
    is_simulated: bool,
    log: Log,
) -> Optional[Backpressure]:
    """Limit what is queued in all mailboxes together, if asked to; watch over the health."""
    lifecycle, limits = system.lifecycle, system.config.limits
    if limits is None:
        _watch_health(system, clock, None)
        return None
    load = Load(limits)
    scale = Scale(load)
    if load.size is not None:
        lifecycle.enlist = weigh(scale, lifecycle.enlist)

    def queued_bytes() -> int:
        return scale.sum.value

    # No pause in a simulation, where time stands still while messages are handled.
    pause_s = 0.0 if is_simulated else LOOK_PAUSE_S
    backpressure = Backpressure(
        load, fates.accepted, left, queued_bytes, lock, clock, pause_s,
        system.carrier, system.hooks, log, lambda: lifecycle.closing,
    )  # fmt: skip
    scale.look = backpressure.look
    system.delivery.limit(backpressure)
    _watch_health(system, clock, backpressure)
    return backpressure


def _watch_health(
    system: System, clock: Callable[[], float], backpressure: Optional[Backpressure]
) -> None:
    lifecycle = system.lifecycle
    system.probes = ProbeDesk(system.table, lifecycle.probes)
    system.health = HealthDesk(
        lifecycle.probes, Pulse(system.carrier, clock), system.config.live_within_s, system.over,
        lambda: lifecycle.closing, backpressure,
    )  # fmt: skip


def _join_mesh(
    system: System,
    make_driver: MakeDriver,
    requests: Requests,
    monitors: Monitors,
    fates: Fates,
    log: Log,
    generator: random.Random,
    clock: Callable[[], float],
) -> Node:
    """Wire what knows other nodes to what it gives messages to."""
    config, carrier = system.config, system.carrier
    keyring = None if config.cluster_key is None else load_keyring(config.cluster_key)
    system.mesh = Node(
        make_driver, config.mesh or MeshLimits(), keyring, os.urandom, system.table,
        system.lifecycle, system.delivery, system.registry, system.asking, requests, monitors,
        fates, system.undelivered, log, carrier.post, generator.random, system.check_open,
        lambda added, removed: system.hooks.call("peers", added, removed),
        Pulse(carrier, clock).silence_s,
    )  # fmt: skip
    return system.mesh


def _supervise(
    system: System,
    restarting: Restarting,
    groups: Groups,
    factories: Factories,
    log: Log,
    clock: Callable[[], float],
    luck: Callable[[], float],
) -> Authority:
    """Wire what restarts actors to what runs them."""
    table, lifecycle, carrier = system.table, system.lifecycle, system.carrier
    events = Events(carrier, clock, lifecycle.report)
    ends = ChildEnds(carrier, lifecycle, restarting)
    starts = ChildStarts(table, lifecycle, restarting, groups, factories, events)
    authority = Authority(
        table, lifecycle, system.delivery, carrier, groups, events, ends, starts, system.hooks,
        log, clock, luck, system.config.shutdown_timeout_s,
    )  # fmt: skip
    supervising = system.supervising = Supervising(
        table, groups, authority, lifecycle, system.registry, system.spawning, factories, clock
    )
    starts.spawn, starts.spawn_group = system.spawning.supervised, supervising.make_nested
    lifecycle.on_end, lifecycle.ends_children = authority.ended, authority.ends_children
    lifecycle.is_supervisor, lifecycle.observers = is_supervisor, authority.observers
    system.swapping.on_swap = authority.swapped
    return authority


def _complete(lifecycle: Lifecycle, families: Families, restarting: Restarting) -> None:
    """Hand the lifecycle what it needs of those that need it."""
    lifecycle.end_children, lifecycle.go_on = families.end_children, families.go_on
    lifecycle.orphan = families.orphan
    lifecycle.restart, lifecycle.park = restarting.fail, restarting.park


def _ends_of(lifecycle: Lifecycle, swapping: Swapping) -> Ends:
    """What a turn calls when something ends in it."""
    ends = Ends()
    ends.fail, ends.finish_stopped = lifecycle.fail, lifecycle.finish_stopped
    ends.leave, ends.mark_ended = lifecycle.leave, lifecycle.mark_ended
    ends.apply_swap = swapping.apply
    return ends


def _later(carrier: Carrier) -> Callable[[float, Callable[[], Any]], Any]:
    """Delayed calls from any thread: the timer itself is made in the hub."""

    def later(delay_s: float, call: Callable[[], Any]) -> None:
        carrier.post(lambda: carrier.later(delay_s, call))

    return later


def _start_watchdog(system: System, hub: GeventHub, limit_s: float) -> None:
    """Have a thread watch the carrier until the runtime is shut down."""
    closing, carrier = system.closing, system.carrier
    watchdog = Watchdog(
        limit_s, carrier, hub, monotonic, system.lifecycle.report_long_turn, system.lifecycle.report
    )
    left = closing.left

    def stop(timeout_s: float) -> None:
        watchdog.stop(timeout_s)
        left(timeout_s)

    try:
        start_thread(watchdog.run)
    except RuntimeError as error:
        closing.shutdown(EXIT_STOP_S)
        raise LimitReached(
            f"the process can start no thread for the watchdog of the runtime ({error}); raise"
            " its limits (ulimit -u), or do without with Runtime(long_turn_ms=None)"
        ) from error
    closing.left = stop
    carrier.post(watchdog.attach)


def _start_hub_thread(system: System) -> GeventHub:
    """Run the carrier on a thread of its own and return its hub when it is up."""
    carrier = system.carrier
    hubs: list[GeventHub] = []

    def entered(hub: GeventHub) -> None:
        hubs.append(hub)

        def leave() -> None:
            carrier.detach()
            leave_hub(hub)

        system.closing.leave = leave
        carrier.attach(hub)

    try:
        system.closing.left = start_hub_thread(entered)
    except RuntimeError as error:
        raise LimitReached(
            f"the process can start no thread for the runtime ({error}); raise its limits"
            " (ulimit -u), or run on the hub of this thread with Runtime(hub='current')"
        ) from error
    return hubs[0]
