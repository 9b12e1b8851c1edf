"""The calls of `Runtime` and `PyRuntime` about their health.

Delegation only, like `iris.facade`, from which they are apart for size alone.
"""

from __future__ import annotations

from typing import Any, Callable

from iris.observe.health import Health
from iris.system import System


class HealthFacade:
    """Health of one runtime; see `iris.Runtime`."""

    _system: System

    def health(self) -> Health:
        """Whether this runtime is live, whether it is ready for work, and why not.

        It is live while it is open and its hub comes round: not when the hub has left a call that
        was made by an earlier `health()` unheard for longer than `live_within_s` (an option of
        `Runtime`), because some code holds its thread. So ask every few seconds: the first call
        of all can only begin to listen. It is ready when it is live and not shutting down, no
        hard limit of its `limits` was met since the load was last well under the soft ones, and
        every probe is content.

        Returns:
            A `Health` with `live`, `ready` and `reasons`, true where ready.

        From any thread and handler, after shutdown and in a forked child, too; never raises and
        never waits, but for what the probes do, which it calls one after the other.
        """
        return self._system.health.read()

    def add_probe(self, name: str, probe: Callable[[], Any]) -> bool:
        """Have `health()` ask something else as well.

        Args:
            name: for the reasons; 1 to 1,024 bytes.
            probe: called without arguments in the thread of each caller of `health()`, also by
                several at once; quick. True and None mean that all is well, False that it is not,
                a str says what is wrong. One that raises makes the runtime not ready, with the
                text of the error. In a probe `health()` asks no probes.

        Returns:
            False when the name is taken, or when the calling actor was given up and its code
            only runs on.

        Raises:
            TypeError, BadInput: an unusable name; the probe is not callable or is `async def`.
            RuntimeClosed: after shutdown.

        A probe added in a handler is the actor's and goes with its end, or its restart. From any
        thread; does not wait.
        """
        return self._system.probes.add(name, probe)

    def remove_probe(self, name: str) -> bool:
        """Take a probe back; False when there is none of this name. From any thread."""
        return self._system.probes.remove(name)
