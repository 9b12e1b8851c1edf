"""Every error that Iris raises on purpose, in one tree, split by who has to act.

The caller made a mistake (`BadInput`, which is also a `ValueError`, and plain
`TypeError`), the actor is not there (`ActorError`, `ActorDead`) or not now
(`ActorRestarting`), the runtime is gone (`RuntimeClosed`), a limit of the node is met
(`LimitReached`), waiting would never end (`WouldDeadlock`, `AskCycle`) or has been too long
(`AskTimeout`), the actor declares itself broken (`ActorCrash`) or was stopped
(`ActorStopped`), a supervisor cannot start its children (`StartFailed`), or Iris itself is
broken (`InternalError`), or another node cannot be reached (`NodeUnreachable`), or a
while form of an offloaded function does not end (`LoopLimit`).
Nothing in Iris decides by the text of an error; a code path that has to tell two
errors apart gets two classes.
"""

from __future__ import annotations

__all__ = [
    "ActorCrash",
    "ActorDead",
    "ActorError",
    "ActorRestarting",
    "ActorStopped",
    "AskCycle",
    "AskTimeout",
    "BadInput",
    "InternalError",
    "IrisError",
    "LimitReached",
    "LoopLimit",
    "NativeRefused",
    "NodeUnreachable",
    "RuntimeClosed",
    "StartFailed",
    "WouldDeadlock",
]


class IrisError(Exception):
    """Base of all errors that Iris raises for its callers."""


class BadInput(IrisError, ValueError):
    """An argument has the right type and an impossible value; the call changed nothing."""


class ActorError(IrisError):
    """The call needs an actor that is not there: outside a handler, or of the wrong kind."""


class ActorDead(ActorError):
    """The actor that the call names has ended or never existed."""


class ActorRestarting(ActorError):
    """The actor restarts in place and answers nobody now; its queue is kept. Ask again later."""


class LimitReached(IrisError):
    """A limit of the node or of the process is met; the message names it and how to raise it."""


class LoopLimit(IrisError, RuntimeError):
    """A `sum_while`, `any_while` or `all_while` reached the limit for evaluations of its body."""


class NativeRefused(IrisError):
    """Under `iris.jit.force("native-only")`: Python would have had to run; the message says why."""


class NodeUnreachable(IrisError, ConnectionError):
    """Another node does not answer; the message names its address and what happened."""


class StartFailed(IrisError):
    """A supervisor or one of its children could not be started; the cause is `__cause__`."""


class RuntimeClosed(IrisError):
    """The runtime was shut down; make a new `Runtime()`."""


class WouldDeadlock(IrisError):
    """The wait could never end, or must not be made where it was asked for.

    A circle of actors that wait for each other (or one for itself); an asyncio loop or a
    callback of the gevent hub, which would stop everything else while it waits.
    """


class AskCycle(WouldDeadlock):
    """An `ask` (or a `forward` of one) would close a circle of actors that wait for each other."""


class AskTimeout(IrisError, TimeoutError):
    """The time of an `ask` was over before the answer came. One that comes later goes nowhere."""


class InternalError(IrisError):
    """An invariant of Iris does not hold. This is a bug in Iris: please report it."""


class ActorCrash(Exception):
    """Raised BY actor code to declare the actor unrecoverable; it ends with reason `Crash`.

    An ordinary exception ends it with `Panic` instead, so a supervisor can tell a
    declared failure from a surprise.
    """


class ActorStopped(BaseException):
    """Ends a pull actor which calls `recv` again after its mailbox has closed.

    A `BaseException`, so that an `except Exception` around the loop of the actor does
    not turn the end into a busy loop. Let it pass.
    """
