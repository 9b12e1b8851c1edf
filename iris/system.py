"""The parts of one runtime, as the facades see them, and what they become when it is over.

Apart from the wiring in `iris.assembly`, so that a facade needs to know nothing of that.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.config import Config
from iris.core.table import Table
from iris.errors import RuntimeClosed
from iris.interop.aio import Aio
from iris.interop.buffers import Buffers
from iris.mesh.node import Node
from iris.observe.health import HealthDesk, ProbeDesk
from iris.observe.hooks import Hooks
from iris.observe.snapshot import Snapshot
from iris.run import process
from iris.run.asking import Asking
from iris.run.blocking import Blocking
from iris.run.bounds import Bounds
from iris.run.carrier import Carrier
from iris.run.closing import Closing
from iris.run.delivery import Delivery
from iris.run.lifecycle import Lifecycle
from iris.run.lodging import Lodging
from iris.run.registry import Registry
from iris.run.restarting import Restarting
from iris.run.spawning import Spawning
from iris.run.supervising import Supervising
from iris.run.swapping import Swapping
from iris.run.timing import Timing
from iris.run.undelivered import Undelivered

EXIT_STOP_S = 0.5
"""What the end of the interpreter gives actors to stop, after the time to drain."""


class _Gone:
    """Stands in for every part of a runtime that cannot be used any more."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self.__dict__["_error"] = error

    def __getattr__(self, name: str) -> Any:
        raise self._error()


class System:
    """The parts of one runtime, as the facades see them."""

    aio: Aio
    asking: Asking
    blocking: Blocking
    bounds: Bounds
    buffers: Buffers
    closing: Closing
    delivery: Delivery
    health: HealthDesk
    hooks: Hooks
    lodging: Lodging
    mesh: Node
    probes: ProbeDesk
    registry: Registry
    snapshot: Snapshot
    spawning: Spawning
    supervising: Supervising
    swapping: Swapping
    timing: Timing
    undelivered: Undelivered

    PARTS = (
        "aio", "asking", "blocking", "bounds", "buffers", "hooks", "lodging", "mesh", "probes",
        "registry", "snapshot", "spawning", "supervising", "swapping", "timing", "undelivered",
    )  # fmt: skip

    def __init__(self, config: Config) -> None:
        self.config = config
        self.carrier: Carrier
        self.lifecycle: Lifecycle
        self.restarting: Restarting
        self.is_forked = False
        self.is_closed = False
        self.table: Table
        self.facade: Any = None
        # The object that users hold; `iris.current().runtime` gives it.

    def refuse(self) -> None:
        """Raise what a spawn raises in a runtime that is closing, closed or forked."""
        self.check_usable()
        raise _closed_error()

    def check_open(self) -> None:
        """Raise when the runtime was shut down, or is a forked child's copy."""
        self.check_usable()
        if self.is_closed:
            raise _closed_error()

    def over(self) -> Optional[str]:
        """Why this can never be used again, in words; None while it can."""
        if self.is_forked:
            return str(_forked_error())
        return "the runtime is closed" if self.is_closed else None

    def check_usable(self) -> None:
        """Raise RuntimeError in a forked child."""
        if self.is_forked:
            raise _forked_error()

    def closed(self) -> None:
        """Shut down: every part raises RuntimeClosed from now on."""
        process.leave(self)
        self.is_closed = True
        self._replace(_closed_error)

    def exit(self) -> None:
        """The interpreter ends: drain for a bounded time, then stop."""
        self.closing.quiesce(self.config.exit_drain_s)
        self.closing.shutdown(EXIT_STOP_S)

    def forked(self) -> None:
        """This is the copy in a forked child: raise from every call, take no lock."""
        self.is_forked = True
        self.mesh.forked()
        self.lifecycle.closing = True
        self.table.forget_all()
        self._replace(_forked_error)
        self._replace(_forked_error, ("closing",))

    def _replace(self, error: Callable[[], Exception], parts: tuple[str, ...] = PARTS) -> None:
        for part in parts:
            setattr(self, part, _Gone(error))


def _closed_error() -> Exception:
    return RuntimeClosed(
        "the runtime is shut down or shutting down; make a new one with iris.Runtime()"
    )


def _forked_error() -> Exception:
    return RuntimeError(
        "this runtime belongs to the parent process; its threads do not exist after a fork."
        " Make a new iris.Runtime() in the child"
    )
