"""Health: whether a runtime is alive, whether it should be given work, and why not.

Made for whoever decides over a whole process: an orchestrator, a load balancer. The answer is
read and never waited for: it takes no lock and asks nothing of the hub, which may be stuck. Only
the probes that users have added may take their time, in the thread of the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from iris.config import METADATA_TEXT_CHARS_MAX
from iris.core.cell import DEAD
from iris.core.letters import type_name
from iris.core.load import Level
from iris.core.names import checked_name
from iris.core.probes import Probe, Probes
from iris.core.table import Table
from iris.run.backpressure import Backpressure
from iris.run.carrier import Carrier
from iris.run.context import current_cell, current_greenlet
from iris.run.native import get_ident
from iris.run.spawning import check_handler


@dataclass(frozen=True)
class Health:
    """How a runtime is, at one moment; true where it is ready."""

    live: bool
    """Whether it is open and its hub comes round. Restart a process that stays without life."""

    ready: bool
    """Whether to give it work: live, not shutting down, under its hard limits, all probes fine."""

    reasons: tuple[str, ...]
    """What is wrong, a sentence each; empty where it is ready."""

    def __bool__(self) -> bool:
        return self.ready


class Pulse:
    """Whether the hub of a carrier comes round, without waiting for it.

    It is asked by whoever wants to know, and there is one open question at most. How long that
    has been open is the silence. A hub that nobody asks does nothing for it.
    """

    def __init__(self, carrier: Carrier, clock: Callable[[], float]) -> None:
        self._carrier = carrier
        self._clock = clock
        self._asked_s: Optional[float] = None
        # Since when the question is open. Any thread sets it, the hub clears it.

    def silence_s(self) -> float:
        """For how long the hub has not come round although asked to. From any thread."""
        if get_ident() == self._carrier.thread:
            # Who calls from the hub's own thread is the proof.
            return 0.0
        asked_s = self._asked_s
        if asked_s is not None:
            return self._clock() - asked_s
        try:
            self._asked_s = self._clock()
            self._carrier.post(self._answer)
        except BaseException:
            # A signal handler raised in between, and perhaps nothing was posted.
            self._asked_s = None
            raise
        return 0.0

    def _answer(self) -> None:
        self._asked_s = None


class HealthDesk:
    """Answers for one runtime, also when that is closed or a forked child's copy.

    Args:
        pulse: of its hub.
        live_within_s: a longer silence of the hub is no life.
        over: says why the runtime can never be used again; None while it can.
        closing: whether it is being shut down.
        backpressure: its load; None where nothing limits that.
    """

    def __init__(
        self,
        probes: Probes,
        pulse: Pulse,
        live_within_s: float,
        over: Callable[[], Optional[str]],
        closing: Callable[[], bool],
        backpressure: Optional[Backpressure],
    ) -> None:
        self._probes = probes
        self._pulse = pulse
        self._live_within_s = live_within_s
        self._over = over
        self._closing = closing
        self._backpressure = backpressure
        self._asking: dict[Any, None] = {}
        # Greenlets, or threads, that are just asking the probes.

    def read(self) -> Health:
        """The health now."""
        over = self._over()
        if over is not None:
            return Health(False, False, (over,))
        reasons = []
        silence_s = self._pulse.silence_s()
        live = silence_s <= self._live_within_s
        if not live:
            reasons.append(
                f"the hub has not come round for {silence_s:.1f} s (live_within_s="
                f"{self._live_within_s}): some code holds its thread"
            )
        if self._closing():
            reasons.append("the runtime is shutting down")
        if self._backpressure is not None:
            load = self._backpressure.fresh()
            if load.level is Level.HARD:
                reasons.append(
                    f"a hard limit was met: {load.met()}; ready again at {load.awaited()}"
                )
        reasons += self._ask_probes()
        return Health(live, not reasons, tuple(reasons))

    def _ask_probes(self) -> list[str]:
        """What the probes complain of. A probe that itself asks for the health asks no probes."""
        me = current_greenlet() or get_ident()
        if me in self._asking:
            return []
        self._asking[me] = None
        try:
            answers = [(name, _ask(probe)) for name, probe in self._probes.all()]
        finally:
            self._asking.pop(me, None)
        return [f"probe {name!r} {answer}" for name, answer in answers if answer is not None]


class ProbeDesk:
    """Takes the probes of one runtime. From any thread; nothing waits."""

    def __init__(self, table: Table, probes: Probes) -> None:
        self._table = table
        self._probes = probes

    def add(self, name: str, probe: Probe) -> bool:
        """Add a probe; it is the calling actor's, if one of this runtime calls."""
        checked_name(name, "a probe's name")
        check_handler(probe, "probe", "a probe is a callable without arguments")
        cell = current_cell()
        with self._table.lock:
            if cell is not None and cell.state is DEAD:
                # Given up: its code runs on, and no end will take the probe back.
                return False
            return self._probes.add(name, probe, cell if self._table.pid_of(cell) else None)

    def remove(self, name: str) -> bool:
        """Take a probe back; False when there is none of this name."""
        checked_name(name, "a probe's name")
        with self._table.lock:
            return self._probes.remove(name)


def _ask(probe: Probe) -> Optional[str]:
    """What one probe complains of, in words; None when it is fine."""
    try:
        answer = probe()
    except Exception as error:  # noqa: BLE001  # User code, as a hook: its failure is the answer.
        return f"raised {type_name(error)}: {_text(error)}"
    if answer is True or answer is None:
        return None
    if answer is False:
        return "says no"
    if type(answer) is str:
        return f"says: {answer[:METADATA_TEXT_CHARS_MAX]}" if answer else "says no"
    return f"gave an object of type {type_name(answer)}; a probe gives True, None, False, or a str"


def _text(error: BaseException) -> str:
    try:
        return str(error)[:METADATA_TEXT_CHARS_MAX]
    except Exception as second:  # noqa: BLE001  # User code: str().
        return f"<its str() raised {type_name(second)}>"
