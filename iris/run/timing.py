"""Timers of actors: planning them, firing them, ending them with their actor."""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

from iris.core.book import strike
from iris.core.cell import DEAD, STOPPING, remote_of
from iris.core.links import book_of, loosen
from iris.core.table import Table
from iris.core.timers import Timer, Timers
from iris.errors import BadInput
from iris.run.delivery import Delivery, check_pid, owned

Millis = Union[int, float]
DELAY_MS_MAX = 1e15
"""Some 30,000 years. Beyond it a deadline in float seconds loses its milliseconds."""


class Timing:
    """The timer calls of one runtime. From any thread; none blocks."""

    def __init__(
        self,
        table: Table,
        timers: Timers,
        delivery: Delivery,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._table = table
        self._timers = timers
        self._delivery = delivery
        self._clock = clock
        self._wake = wake

    def after(self, pid: int, delay_ms: Millis, data: Any) -> int:
        """Send once, later."""
        delay_s = millis("delay_ms", delay_ms, zero=True)
        return self._add(pid, delay_s, None, data)

    def interval(self, pid: int, interval_ms: Millis, data: Any) -> int:
        """Send again and again."""
        interval_s = millis("interval_ms", interval_ms, zero=False)
        return self._add(pid, interval_s, interval_s, data)

    def cancel(self, timer_id: int) -> bool:
        """Forget a timer; False when it has fired for the last time or is unknown."""
        if type(timer_id) is not int:
            raise TypeError(
                f"a timer's id is the int that send_after or send_interval gave, not {timer_id!r}"
            )
        with self._table.lock:
            timer = self._timers.cancel(timer_id)
            if timer is None:
                return False
            self._untie(timer)
            return True

    def fire(self, now: float) -> None:
        """Send what is due. In the carrier's hub."""
        with self._table.lock:
            due = self._timers.take_due(now)
            for timer in due:
                if timer.interval_s is None:
                    self._untie(timer)
        for timer in due:
            self._delivery.send_nowait(timer.pid, timer.data)

    def _add(self, pid: int, delay_s: float, interval_s: Optional[float], data: Any) -> int:
        check_pid(pid)
        data = owned(data)
        receiver = self._table.get(pid)
        remote = None if receiver is None else remote_of(receiver)
        if remote is not None and type(data) is not bytes:
            data = remote.encode(data)
        with self._table.lock:
            before = self._timers.next
            timer_id = self._timers.add(self._clock() + delay_s, interval_s, pid, data)
            cell = self._table.get(pid)
            if cell is None or cell.state in (STOPPING, DEAD):
                # An id that fires nothing, as for an actor that ends a moment later.
                self._timers.cancel(timer_id)
                return timer_id
            book_of(cell, "timers")[timer_id] = None
            earlier = before is None or self._timers.next != before
        if earlier:
            self._wake()
        return timer_id

    def _untie(self, timer: Timer) -> None:
        cell = self._table.get(timer.pid)
        if cell is not None and cell.ties is not None:
            strike(cell.ties.timers, timer.id)
            loosen(cell)


def millis(name: str, value: object, zero: bool) -> float:
    """Return milliseconds as seconds when they are a time to wait, else raise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of milliseconds, not {value!r}")
    least = "0" if zero else "more than 0"
    if not (0 <= value <= DELAY_MS_MAX) or (value == 0 and not zero):
        raise BadInput(f"{name}={value!r} is out of range; give {least} to {DELAY_MS_MAX:g}")
    return value / 1000.0
