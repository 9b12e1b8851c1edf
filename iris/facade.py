"""What `Runtime` and `PyRuntime` have in common: the calls with the same name in both.

Delegation only: a method here has no decision in it. Where a call may be made from and
what it raises is said once, on the method; the page is long because that is written out.
Those that send are in `iris.messaging`, those about supervisors in `iris.supervisions`, those about
health in `iris.checks`, those about other nodes in `iris.remotes`, those that spawn in
`iris.spawns`.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Callable, Optional, TypeVar

from iris.checks import HealthFacade
from iris.core.letters import DeadLetter
from iris.remotes import RemoteFacade
from iris.run.context import actor_pid
from iris.supervisions import SupervisorFacade

Self = TypeVar("Self", bound="Facade")


class Facade(SupervisorFacade, RemoteFacade, HealthFacade):
    """Calls of one runtime; see `iris.Runtime`."""

    def __enter__(self: Self) -> Self:  # noqa: PYI019  # typing has it from 3.11 on.
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

    # -- life ----------------------------------------------------------------------------

    def stop(self, pid: int) -> bool:
        """Ask an actor to end with reason `Killed`. From any thread; does not wait.

        No further message starts; one that is being handled is finished; queued ones expire.
        An actor that stops itself ends as `Normal`.

        Returns:
            False when the actor has ended or is ending already.
        """
        return self._system.registry.stop(pid)

    def stop_after_drain(self, pid: int, timeout_s: float) -> bool:
        """Let an actor handle what is queued, accept nothing more, then end it as `Killed`.

        An actor that stops itself ends as `Normal`.

        Args:
            pid: the actor.
            timeout_s: seconds after which it is stopped although messages are left.

        Returns:
            False when the actor has ended or is ending already.

        From any thread and handler; does not wait (`join` does).
        """
        return self._system.registry.stop_after_drain(pid, timeout_s)

    def join(self, pid: int, timeout_s: Optional[float] = None) -> bool:
        """Wait until an actor has ended.

        Args:
            pid: the actor; one that is unknown counts as ended.
            timeout_s: seconds to wait at most; None waits for ever.

        Returns:
            True when it has ended, False when the time was over before.

        Raises:
            WouldDeadlock: an actor waits for itself, or the caller cannot wait (an asyncio
                loop, a hub's callback).

        Blocks the calling thread, or only the calling greenlet where there is a gevent hub.
        """
        return self._system.registry.join(pid, timeout_s)

    def is_alive(self, pid: int) -> bool:
        """Whether the actor has not ended. One that is stopping still counts as alive."""
        return self._system.registry.is_alive(pid)

    def link(self, a: int, b: int) -> bool:
        """Tie the ends of two actors together.

        When one ends, the other gets EXIT if it can receive system messages; if not, it ends
        with the same reason, unless that is `Normal`. Linking twice is linking once.

        Returns:
            Always True.

        Raises:
            ActorDead: one of them has ended.
            BadInput: both are the same.
        """
        return self._system.registry.link(a, b)

    def unlink(self, a: int, b: int) -> bool:
        """Undo `link`; False when the two were not linked."""
        return self._system.registry.unlink(a, b)

    def monitor(self, watcher: int, target: int) -> int:
        """Have `watcher` get one DOWN message when `target` ends.

        Args:
            watcher: an observed actor, a pull actor, or one spawned with `trap_exit=True`.
            target: the actor to watch. If it is gone, DOWN comes at once, with the reason
                `NoSuchActor`.

        Returns:
            A ref for `demonitor`.

        Raises:
            ActorError: the watcher cannot receive system messages.
            ActorDead: the watcher has ended.
        """
        return self._system.registry.monitor(watcher, target)

    def demonitor(self, ref: int) -> bool:
        """End a monitor; False when it has fired or was ended before."""
        return self._system.registry.demonitor(ref)

    # -- names and paths -------------------------------------------------------------------

    def register(self, name: str, pid: int) -> bool:
        """Give a living actor a name of at most 1,024 bytes, until it ends.

        Returns:
            False when another living actor has the name, or when `pid` is ending or dead.
        """
        return self._system.registry.register(name, pid)

    def unregister(self, name: str) -> bool:
        """Take a name back; False when nobody had it."""
        return self._system.registry.unregister(name)

    def whereis(self, name: str) -> Optional[int]:
        """The pid of the actor with this name, or None. Never one that is ending."""
        return self._system.registry.whereis(name)

    def resolve(self, name: str) -> Optional[int]:
        """The same as `whereis`."""
        return self._system.registry.whereis(name)

    def register_path(self, path: str, pid: int) -> bool:
        """Give a living actor a path such as `/svc/payment/one`, until it ends.

        Args:
            path: absolute, at most 1,024 bytes, no empty part.
            pid: the actor; it may have several paths.

        Returns:
            False when another living actor has the path, or when `pid` is ending or dead.
        """
        return self._system.registry.register_path(path, pid)

    def unregister_path(self, path: str) -> bool:
        """Take a path back; False when nobody had it."""
        return self._system.registry.unregister_path(path)

    def whereis_path(self, path: str) -> Optional[int]:
        """The pid of the actor with exactly this path, or None."""
        return self._system.registry.whereis_path(path)

    def list_children(self, prefix: str) -> list[int]:
        """The living actors with a path anywhere below `prefix`, each once."""
        return self._system.registry.list_children(prefix)

    def list_children_direct(self, prefix: str) -> list[int]:
        """The living actors with a path exactly one level below `prefix`, each once."""
        return self._system.registry.list_children_direct(prefix)

    # -- behaviour -------------------------------------------------------------------------------

    def hot_swap(
        self,
        pid: int,
        handler: Callable[[Any], Any],
        migrate: Optional[Callable[[Any, Any], Any]] = None,
        when: str = "order",
    ) -> bool:
        """Give a living actor a new handler; no message is lost, none runs on a mixture.

        Args:
            pid: a push actor, or a pull actor, which gets a HOT_SWAP system message with
                `metadata["handler"]`.
            handler: what handles messages from then on.
            migrate: `migrate(old_handler, new_handler) -> handler`, called between two
                messages when the swap takes effect; if it raises, the old handler stays.
            when: "order": messages accepted before this call run on the old handler, those
                accepted after it on the new one. "now": from the next message on.

        Returns:
            False when the actor has ended or is stopping.

        Raises:
            TypeError: `handler` or `migrate` is not callable or is `async def`.
            BadInput: `when` is another word, or the actor is observed and has no handler.

        From any thread and handler; does not wait for the swap to take effect.
        """
        return self._system.swapping.swap(pid, handler, migrate, when)

    def hot_swap_path(
        self,
        prefix: str,
        handler: Callable[[Any], Any],
        migrate: Optional[Callable[[Any, Any], Any]] = None,
        when: str = "order",
    ) -> int:
        """`hot_swap` for all living actors with a path below `prefix`; returns how many.

        Observed actors have no handler and are passed by.
        """
        return self._system.swapping.swap_below(prefix, handler, migrate, when)

    def behavior_version(self, pid: int) -> int:
        """The number of the actor's latest accepted behaviour; 1 before any swap.

        Raises:
            ActorDead: the actor has ended.
        """
        return self._system.swapping.version(pid)

    def rollback_behavior(self, pid: int, steps: int = 1) -> int:
        """Return to the behaviour `steps` swaps ago, in the order of the queue.

        Args:
            pid: the actor.
            steps: how many versions back, at least 1.

        Returns:
            The number of the version that is current again.

        Raises:
            BadInput: the actor does not remember so many (it keeps 16).
            ActorDead: the actor has ended.
        """
        return self._system.swapping.roll_back(pid, steps)

    # -- mailboxes and timers -------------------------------------------------------------------

    def mailbox_size(self, pid: int) -> Optional[int]:
        """How many user messages wait in an actor's mailbox; None when it is unknown.

        The message that is being handled does not count, and system messages do not.
        """
        return self._system.bounds.size(pid)

    def set_overflow_policy(self, pid: int, policy: str, target: Optional[int] = None) -> None:
        """Choose what becomes of messages that find a bounded mailbox full.

        Args:
            pid: an actor of `spawn_py_handler_bounded`.
            policy: "dropnew" (`send` gives False; the default), "dropold" (the oldest queued
                one is dropped), "redirect" (sent to `target` instead), "spill" (accepted all
                the same, a copy goes to `target`) or "block" (`send` waits for room).
            target: the pid for "redirect" and "spill".

        Raises:
            BadInput: unknown policy, missing or useless target.
            ActorError: the mailbox has no bound. ActorDead: the actor has ended.

        Senders that wait under `block` try anew under the new policy.
        """
        self._system.bounds.set_policy(pid, policy, target)

    def send_after(self, pid: int, delay_ms: float, data: Any) -> int:
        """Send a message once, later.

        Args:
            pid: the receiver; the timer ends with it.
            delay_ms: milliseconds from now, 0 or more, on a monotonic clock.
            data: the message.

        Returns:
            An id for `cancel_timer`. For an actor that has ended the timer never fires.

        Raises:
            TypeError, BadInput: no pid, or no time to wait.
            LimitReached: 4,000,000 timers are pending.
        """
        return self._system.timing.after(pid, delay_ms, data)

    def send_interval(self, pid: int, interval_ms: float, data: Any) -> int:
        """Send a message again and again, first after one interval, without drift.

        A beat that comes late is sent once, not made up for.

        Args:
            pid: the receiver; the timer ends with it.
            interval_ms: milliseconds, more than 0.
            data: the message.

        Returns:
            An id for `cancel_timer`. For an actor that has ended the timer never fires.

        Raises:
            TypeError, BadInput, LimitReached: as for `send_after`.
        """
        return self._system.timing.interval(pid, interval_ms, data)

    def cancel_timer(self, timer_id: int) -> bool:
        """Forget a timer; False when it has fired for the last time, or is unknown."""
        return self._system.timing.cancel(timer_id)

    # -- threads ---------------------------------------------------------------------------------

    def set_release_gil_limits(self, max_threads: int, gil_pool_size: int) -> None:
        """Say how many threads actors with `release_gil` may have. From any thread; does not wait.

        Args:
            max_threads: actors that get a thread of their own, at least 1. Holds for later
                spawns; living actors keep what they have.
            gil_pool_size: threads that all others share, at least 1. There are never more than
                such actors. A larger pool gets its threads now; of a smaller one they leave
                when they have finished their turns.

        Raises:
            TypeError, BadInput: a limit is no whole number or is below 1; nothing has changed.
            RuntimeClosed: after shutdown.
        """
        self._system.blocking.set_limits(max_threads, gil_pool_size)

    def set_release_gil_strict(self, strict: bool) -> None:
        """Say what a spawn with `release_gil` does when all threads of their own are taken.

        Args:
            strict: True refuses it with LimitReached, False lets the actor share the pool.
                Living actors keep what they have.

        Raises:
            TypeError: something else than True or False.
            RuntimeClosed: after shutdown.

        From any thread; does not wait.
        """
        self._system.blocking.set_strict(strict)

    # -- the runtime itself ------------------------------------------------------------------------

    def self_pid(self) -> int:
        """The pid of the actor whose handler calls this; ActorError outside a handler."""
        return actor_pid(self._system.facade)

    def stats(self) -> dict[str, int]:
        """What became of every message since the start, and who lives now.

        At rest (after `quiesce`) exactly:
        sent = accepted + refused + undeliverable + redirected, and
        accepted = handled + failed + dropped_old + expired + quarantined + forwarded + lost
        + queued + running.

        Returns:
            Counts by name; see the README for what each one means.
        """
        return self._system.snapshot.stats()

    def dead_letters(self) -> list[DeadLetter]:
        """The latest messages that no handler has seen, oldest first.

        Sends that found no living actor (`undeliverable`), or one whose mailbox said no
        (`refused`), and accepted messages that were still queued when their actor ended
        (`expired`), were dropped for newer ones (`dropped_old`), or were set aside after they
        had failed twice (`quarantined`). `stats()` has the totals.

        Returns:
            At most `dead_letters_max` records (an option of `Runtime`), which hold pid, reason,
            sender, type and size of the message and the time, but not the message. Of a long
            queue that expires at once the newest are there. System messages leave none.

        Raises:
            RuntimeClosed: after shutdown.

        From any thread; never blocks.
        """
        return self._system.undelivered.read()

    def quiesce(self, timeout_s: float) -> bool:
        """Wait until no message is queued or being handled anywhere in the runtime.

        Timers that will fire later do not count, nor do the messages an observed actor keeps.

        Args:
            timeout_s: seconds to wait at most, 0 or more.

        Returns:
            False when the time was over before.

        Raises:
            WouldDeadlock: called in a handler, on the thread of an asyncio loop, or in a hub's
                callback.

        Blocks the calling thread, or only the calling greenlet where there is a gevent hub.
        """
        return self._system.closing.quiesce(timeout_s)

    def shutdown(self, timeout_s: float = 5.0) -> list[int]:
        """End all actors, children before their parents, and the runtime.

        Handlers that run are finished. Those that wait in gevent are interrupted by a
        GreenletExit when 80 % of the time is over; code that computes or blocks in C cannot be
        interrupted. Afterwards `send` gives False and other calls raise RuntimeClosed.

        Args:
            timeout_s: seconds in which all that has to happen.

        Returns:
            The pids that did not end in time. A second call returns the same.

        Raises:
            WouldDeadlock: in a hook that the hub calls, or in an asyncio loop; nothing has begun.

        From any thread. In a handler it begins the shutdown and returns an empty list.
        """
        return self._system.closing.shutdown(timeout_s)

    def add_hook(self, point: str, call: Callable[..., Any]) -> None:
        """Have a function called at a point, such as "exit", "undelivered" or "pressure".

        Args:
            point: "exit" calls it with (pid, ending), where `ending` has `reason`, `by` and
                `metadata`; "orphan" with (pid); "error" with (exception); "undelivered" with a
                `DeadLetter`; "long_turn" with a `LongTurn`; "restart" and "give_up" with a
                `ChildReport`, when a supervised child was restarted or has used up its restarts;
                "peers" with two lists of addresses, of nodes that `discovery` has found and of
                those that are gone; "pressure" with a `Pressure`, once when what is queued has met
                a soft limit of the `limits`, and once when it is down to three quarters of them.
            call: quick and without raising. It runs where the thing happens; at "undelivered",
                "pressure", "peers", "restart" and "give_up" soon after that in the runtime's hub,
                where it must not wait, and at "long_turn" in a thread of its own.

        Raises:
            BadInput: there is no such point.
            TypeError: `call` is not callable.

        In a storm of more than 10,000 undelivered messages at once the hooks miss the oldest.
        What such a hook sends to nobody itself is kept, but no hook is called for it.
        """
        self._system.hooks.add(point, call)

    def remove_hook(self, point: str, call: Callable[..., Any]) -> bool:
        """Take a hook back; False when it was not there. BadInput when there is no such point."""
        return self._system.hooks.remove(point, call)
