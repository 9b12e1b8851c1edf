"""The watchdog: a thread that looks whether a turn holds the carrier for too long.

The turns know nothing of it. It reads what the carrier counts anyway, and walks the stack of
the carrier's thread only when that has not moved between two looks. While nothing happens it
sleeps, and the hub wakes it when its loop goes round again. What is a long turn is decided in
`iris.core.longturns`, and what is done about one is a callable.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Protocol

from iris.core.cell import ActorCell
from iris.core.longturns import LongTurn, LongTurns, Progress, Sample
from iris.run.bed import ThreadBed
from iris.run.carrier import Carrier
from iris.run.clock import thread_clock
from iris.run.native import LOCK_WAIT_MAX_S, allocate_lock, get_ident
from iris.run.whoseturn import Turn, turn_finder

UNHEARD_MOST_S = 1.0
"""The longest pause while a hub that was asked to wake the watchdog does not run at all."""


class WatchedHub(Protocol):
    """What the watchdog needs of a hub."""

    def laps(self) -> int:
        """How often the loop has looked for events, counted right before it looks. From any thread.

        -1 when it is closed or does not count.
        """

    def at_next_lap(self, call: Callable[[], None]) -> None:
        """Call `call()` once when the loop has next waited for events, before whatever these begin.

        In the hub.
        """


class Watchdog:
    """Watches one carrier.

    Args:
        limit_s: how long a turn may take.
        carrier: what is watched.
        hub: on which it runs.
        clock: monotonic seconds.
        report: called with each long turn, in the watchdog's thread.
        failed: called with an exception of the watchdog itself.
    """

    def __init__(
        self,
        limit_s: float,
        carrier: Carrier,
        hub: WatchedHub,
        clock: Callable[[], float],
        report: Callable[[LongTurn], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._limit_s = limit_s
        self._turns = LongTurns(limit_s)
        self._carrier = carrier
        self._hub = hub
        self._clock = clock
        self._report = report
        self._failed = failed
        self._bed = ThreadBed()
        self._me = 0
        # Its own thread.
        self._find_turn: Callable[[], Optional[Turn]] = _nothing
        self._busy_s: Callable[[], Optional[float]] = _nothing
        self._woken_at = 0.0
        self._asked = False
        # True from a request to the hub until it has been heard.
        self._armed_in: Optional[int] = None
        # The lap in which the hub was told to wake us at its next one; None when it has done so.
        # Set and cleared in the hub, which clears it and THEN wakes.
        self._stopped = False
        self._ended = allocate_lock()
        self._ended.acquire()

    # -- in the carrier's thread -------------------------------------------------------------

    def attach(self) -> None:
        """Begin, with the thread that calls this as the carrier's."""
        self._find_turn = turn_finder(self._carrier)
        self._busy_s = thread_clock()
        self._arm()

    def _arm(self) -> None:
        self._asked = False
        lap = self._hub.laps()
        if lap >= 0:
            self._armed_in = lap
            self._hub.at_next_lap(self._stir)
        self._wake()

    def _stir(self) -> None:
        self._armed_in = None
        self._wake()

    def _wake(self) -> None:
        self._woken_at = self._clock()
        self._bed.wake()

    # -- from any thread ---------------------------------------------------------------------

    def stop(self, timeout_s: float) -> None:
        """Let the thread end, and wait for that some seconds at most."""
        self._stopped = True
        self._bed.wake()
        # A hook of its own may be what shuts the runtime down.
        if get_ident() != self._me:
            self._ended.acquire(True, min(timeout_s, LOCK_WAIT_MAX_S))

    # -- in its own thread -------------------------------------------------------------------

    def run(self) -> None:
        """The life of the thread."""
        self._me = get_ident()
        try:
            self._bed.sleep(None)
            pause_s: Optional[float] = 0.0
            while not self._stopped:
                due = self._sleep(pause_s)
                if not self._stopped:
                    pause_s = self._look(due)
        except BaseException as error:  # noqa: BLE001  # A thread's entry.
            self._failed(error)
        finally:
            self._ended.release()

    def _sleep(self, pause_s: Optional[float]) -> float:
        """Sleep for a pause, or until woken; returns when the sleep should have ended."""
        if pause_s is None:
            self._bed.sleep(None)
            return self._woken_at
        due = self._clock() + pause_s
        return self._woken_at if self._bed.sleep(pause_s) else due

    def _look(self, due: float) -> Optional[float]:
        """Take a sample; returns the pause until the next, None for until woken."""
        turns, carrier = self._turns, self._carrier
        progress = self._progress()
        now = self._clock()
        turn = None
        if turns.is_suspect(now, due, progress):
            turn = self._find_turn()
            if self._progress() != progress:
                # It has gone on while we looked, and what we saw is a mixture.
                turn = None
        pid = 0 if turn is None else turn.cell.pid
        sample = Sample(progress, pid, carrier.looked_at, self._busy_s())
        held_s = turns.see(now, due, sample)
        if held_s is not None and turn is not None:
            self._tell(turn, held_s)
        if turns.at_rest:
            return self._rest(now)
        return self._limit_s if turns.reported else turns.period_s

    def _rest(self, now: float) -> Optional[float]:
        """Nothing goes on: sleep until something does."""
        armed_in = self._armed_in
        if armed_in is not None and self._hub.laps() > armed_in:
            # The loop has come to its next look for events, and what it finds there begins with
            # a wake-up of ours. That the carrier sleeps says less: the pump says so BEFORE its
            # last look at the queue, and other greenlets may still run before the loop looks.
            return None
        if armed_in is None and not self._asked:
            self._asked = True
            self._carrier.post(self._arm)
        # A hub of the user's own may not run for hours. When it does, it first wakes us.
        return min(max(now - self._woken_at, self._turns.period_s), UNHEARD_MOST_S)

    def _progress(self) -> Progress:
        carrier = self._carrier
        return (self._hub.laps(), carrier.epoch, carrier.handled, carrier.looked_at)

    def _tell(self, turn: Turn, held_s: float) -> None:
        cell = turn.cell
        held_ms = round(held_s * 1000, 1)
        self._report(LongTurn(cell.pid, _name(cell), turn.message_type, held_ms, turn.stack()))


def _name(cell: ActorCell) -> Optional[str]:
    """A name of an actor, or a path."""
    ties = cell.ties
    if ties is None:
        return None
    # A copy first, by one C call: without the table lock, which a stuck actor may hold up.
    names = list(ties.names) or list(ties.paths)
    return names[0] if names else None


def _nothing() -> Any:
    return None
