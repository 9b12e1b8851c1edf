"""Backpressure: has the load of a runtime counted when that matters, and says what came of it.

Nothing is added up on the way of a message. What is queued is what was accepted less what has
left, and both are counted anyway; they are read by whoever accepts the message with which a
limit could be met at the earliest, and while one is met before a message is refused. Users are
told by the hub, never inside a send. What a count means is decided in `iris.core.load`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable, Protocol

from iris.core.cell import ActorCell
from iris.core.load import Level, Load
from iris.core.tally import OWNER_SIDE, Counter, Fates
from iris.errors import LimitReached
from iris.observe.hooks import Hooks
from iris.run.carrier import Carrier
from iris.run.crew import Workshop
from iris.run.log import Log

POINT = "pressure"

LOOK_PAUSE_S = 0.001
"""Between two counts while messages are refused. One count takes some microseconds, and 0.1 us
more for each pull actor and each handler that waits, so a storm must not count for each message."""

LOOK_SHARE = 10
"""The pause is at least this many times as long as the count before it took."""

RELIEF_LOOK_S = 0.05
"""Between two counts of the hub while there is pressure: for nobody may send any more."""


class Lock(Protocol):
    """The table lock."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: object) -> Any: ...
    def acquire(self, blocking: bool) -> bool: ...
    def release(self) -> None: ...


class Left:
    """How many of the accepted messages have left their mailboxes. Never more than have.

    Args:
        fates: those with a fate that is counted there.
        carrier, shop: count what they have handled themselves.
        pulled: gives (messages taken, cell) of each living pull actor.
    """

    def __init__(
        self,
        fates: Fates,
        carrier: Carrier,
        shop: Workshop,
        pulled: Callable[[], Iterable[tuple[int, ActorCell]]],
    ) -> None:
        counters = [getattr(fates, name, None) for name in OWNER_SIDE]
        self._counters: list[Counter] = [one for one in counters if one is not None]
        self._carrier = carrier
        self._shop = shop
        self._pulled = pulled

    def count(self) -> int:
        """Count. In this order: a message moves from the later ones to the earlier ones."""
        carrier, shop = self._carrier, self._shop
        left = sum([counter.value for counter in self._counters])
        left += carrier.handled + shop.handled_at_least()
        # A set: a worker remembers the actor that it ran last, which another may run now.
        turns = {*carrier.cells(), *shop.cells()}
        left += sum([max(0, cell.running - 1) for cell in turns])
        return left + sum([received for received, _ in self._pulled()])


class Backpressure:
    """The load of one runtime. From any thread unless said otherwise.

    Args:
        load: what is decided.
        accepted: the counter of accepted messages.
        left: counts those that have left.
        queued_bytes: gives the bytes in all mailboxes; 0 where they are not limited.
        lock: the table lock.
        clock: monotonic seconds.
        pause_s: see `LOOK_PAUSE_S`.
    """

    def __init__(
        self,
        load: Load,
        accepted: Counter,
        left: Left,
        queued_bytes: Callable[[], int],
        lock: Lock,
        clock: Callable[[], float],
        pause_s: float,
        carrier: Carrier,
        hooks: Hooks,
        log: Log,
        closing: Callable[[], bool],
    ) -> None:
        self.load = load
        self.shed = Counter(lock)
        # Messages refused because of a hard limit.
        self._accepted = accepted
        self._left = left
        self.queued_bytes = queued_bytes
        self._lock = lock
        self._clock = clock
        self._pause_s = pause_s
        self._carrier = carrier
        self._hooks = hooks
        self._log = log
        self._closing = closing
        self._again_s = 0.0
        # While messages are refused: when to count the next time.
        self._told = Level.CALM
        # What users know. Written in the hub only, and under the lock.
        self._called = False
        # True while the hub is going to look. Set by whoever posts, cleared by the hub, which
        # THEN looks.
        self._timer: Any = None
        accepted.add = self._make_count()

    def _make_count(self) -> Callable[[], int]:
        """Build what counts an accepted message where `send` does not do it itself."""
        numbers, load, look = self._accepted.numbers, self.load, self.look

        def count() -> int:
            number = next(numbers)
            if number >= load.count_at:
                look()
            return number

        return count

    def look(self) -> None:
        """Count what is queued, and decide anew."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        self._count()
        if self.load.level is not self._told:
            self._call_hub()

    def _count(self) -> None:
        # What has left first, THEN what was accepted: what happens between the two makes the
        # load look larger than it is, never smaller.
        left = self._left.count()
        accepted, following = self._accepted.read()
        # Never less than nothing: a turn that just ends may be counted twice for a moment.
        self.load.see(max(0, accepted - left), max(0, self.queued_bytes()), following)

    def refuses(self) -> bool:
        """Whether a message is to be refused now: a hard limit was met when last counted, and is
        still, or was a moment ago."""
        load = self.load
        if not load.shut:
            return False
        now = self._clock()
        if now >= self._again_s:
            self.look()
            ended = self._clock()
            self._again_s = ended + max(self._pause_s, LOOK_SHARE * (ended - now))
        return load.shut

    def refusal(self, pid: int) -> LimitReached:
        """The error of an ask that is refused."""
        return LimitReached(
            f"the question for actor {pid} was refused: {self.load.met()}; send less until"
            " health() is ready again, or raise the limit with Runtime(limits=Limits(...))"
        )

    def fresh(self) -> Load:
        """The load, counted now if that may be news and nobody holds the lock. Never waits."""
        if self.load.level is not Level.CALM and self._lock.acquire(False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self.load

    def _call_hub(self) -> None:
        if not self._called:
            try:
                self._called = True
                self._carrier.post(self._come_round)
            except BaseException:
                # A signal handler raised in between; the next count tries again.
                self._called = False
                raise

    def _come_round(self) -> None:
        """In the hub: tell what is news, and come back while there is pressure."""
        self._called = False
        # Not called first, THEN a look: whoever finds news from now on calls again.
        if self._closing():
            return
        with self._lock:
            # In one step with the count: whoever counts next compares with what is told here.
            self._count()
            report = self.load.report()
            before, self._told = self._told, report.level
        if report.level is not Level.CALM and self._timer is None:
            self._timer = self._carrier.later_aside(RELIEF_LOOK_S, self._timer_fired)
        if report.level is before:
            return
        self._log.pressure(report, self.shed.value)
        if Level.CALM in (before, report.level):
            self._hooks.call(POINT, report)

    def _timer_fired(self) -> None:
        self._timer = None
        self._come_round()
