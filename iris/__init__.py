"""Iris: actors for Python, on greenlets and threads.

>>> import iris
>>> with iris.Runtime() as rt:
...     pid = rt.spawn(lambda message: print(message))
...     rt.send(pid, b"hello")
...     rt.quiesce(1.0)
"""

from iris._version import __version__, version
from iris.core.messages import ExitReason, PySystemMessage
from iris.errors import (
    ActorCrash,
    ActorDead,
    ActorError,
    ActorStopped,
    BadInput,
    InternalError,
    IrisError,
    LimitReached,
    RuntimeClosed,
    WouldDeadlock,
)
from iris.lowlevel import PyRuntime
from iris.run.context import current
from iris.run.pull import PyMailbox
from iris.runtime import Runtime
from iris.work import deserialize_args, serialize_args, spawn_child_pool

__all__ = [
    "ActorCrash",
    "ActorDead",
    "ActorError",
    "ActorStopped",
    "BadInput",
    "ExitReason",
    "InternalError",
    "IrisError",
    "LimitReached",
    "PyMailbox",
    "PyRuntime",
    "PySystemMessage",
    "Runtime",
    "RuntimeClosed",
    "WouldDeadlock",
    "__version__",
    "current",
    "deserialize_args",
    "serialize_args",
    "spawn_child_pool",
    "version",
]
