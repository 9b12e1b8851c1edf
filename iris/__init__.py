"""Iris: actors for Python, on greenlets and threads.

>>> import iris
>>> with iris.Runtime() as rt:
...     pid = rt.spawn(lambda message: print(message))
...     rt.send(pid, b"hello")
...     rt.quiesce(1.0)

The public names are loaded when first used, so that `import iris` costs next to nothing in
a program that may never make a runtime.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from iris._version import __version__, version

if TYPE_CHECKING:
    from iris.config import Limits, MeshLimits
    from iris.core.childspec import ChildSpec, SupervisorSpec
    from iris.core.letters import DeadLetter
    from iris.core.load import Pressure
    from iris.core.longturns import LongTurn
    from iris.core.messages import ExitReason, LetterReason, PySystemMessage
    from iris.core.supervision import ChildInfo, ChildReport
    from iris.errors import (
        ActorCrash,
        ActorDead,
        ActorError,
        ActorRestarting,
        ActorStopped,
        AskCycle,
        AskTimeout,
        BadInput,
        InternalError,
        IrisError,
        LimitReached,
        LoopLimit,
        NativeRefused,
        NodeUnreachable,
        RuntimeClosed,
        StartFailed,
        WouldDeadlock,
    )
    from iris.interop.buffers import allocate_buffer
    from iris.jit.decorator import offload
    from iris.lowlevel import PyRuntime
    from iris.mesh.discovery import DnsPeers, StaticPeers
    from iris.mesh.peer import NodeInfo
    from iris.observe.health import Health
    from iris.run.context import current, pause, reply
    from iris.run.pullbox import PyMailbox
    from iris.runtime import Runtime
    from iris.supervisor import Supervisor
    from iris.work import deserialize_args, serialize_args, spawn_child_pool

__all__ = [
    "ActorCrash",
    "ActorDead",
    "ActorError",
    "ActorRestarting",
    "ActorStopped",
    "AskCycle",
    "AskTimeout",
    "BadInput",
    "ChildInfo",
    "ChildReport",
    "ChildSpec",
    "DeadLetter",
    "DnsPeers",
    "ExitReason",
    "Health",
    "InternalError",
    "IrisError",
    "LetterReason",
    "LimitReached",
    "Limits",
    "LongTurn",
    "LoopLimit",
    "MeshLimits",
    "NativeRefused",
    "NodeInfo",
    "NodeUnreachable",
    "Pressure",
    "PyMailbox",
    "PyRuntime",
    "PySystemMessage",
    "Runtime",
    "RuntimeClosed",
    "StartFailed",
    "StaticPeers",
    "Supervisor",
    "SupervisorSpec",
    "WouldDeadlock",
    "__version__",
    "allocate_buffer",
    "current",
    "deserialize_args",
    "offload",
    "pause",
    "reply",
    "serialize_args",
    "spawn_child_pool",
    "version",
]

_HOMES = {
    "ChildInfo": "iris.core.supervision",
    "ChildReport": "iris.core.supervision",
    "ChildSpec": "iris.core.childspec",
    "DeadLetter": "iris.core.letters",
    "DnsPeers": "iris.mesh.discovery",
    "ExitReason": "iris.core.messages",
    "Health": "iris.observe.health",
    "LetterReason": "iris.core.messages",
    "Limits": "iris.config",
    "LongTurn": "iris.core.longturns",
    "MeshLimits": "iris.config",
    "NodeInfo": "iris.mesh.peer",
    "Pressure": "iris.core.load",
    "PyMailbox": "iris.run.pullbox",
    "PyRuntime": "iris.lowlevel",
    "PySystemMessage": "iris.core.messages",
    "Runtime": "iris.runtime",
    "StaticPeers": "iris.mesh.discovery",
    "Supervisor": "iris.supervisor",
    "SupervisorSpec": "iris.core.childspec",
    "allocate_buffer": "iris.interop.buffers",
    "current": "iris.run.context",
    "deserialize_args": "iris.work",
    "offload": "iris.jit.decorator",
    "pause": "iris.run.context",
    "reply": "iris.run.context",
    "serialize_args": "iris.work",
    "spawn_child_pool": "iris.work",
}
# The module of each public name; those that are not here are errors.


def __getattr__(name: str) -> Any:
    """Load a public name, or the public module of this name, on first use (PEP 562)."""
    if name in ("errors", "jit", "testing"):
        return import_module(f"iris.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'iris' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "iris.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    # For completion: what this module needs itself is nobody's business.
    own = (name for name in globals() if name.startswith("__"))
    return sorted({*own, *__all__, "errors", "jit", "testing"})
