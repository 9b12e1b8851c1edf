"""From an exception that left an actor's code to the reason and the report of its end."""

from __future__ import annotations

import traceback
from typing import Any

from iris.config import METADATA_TEXT_CHARS_MAX
from iris.core.letters import size_of, type_name
from iris.core.messages import Ending, ExitReason
from iris.errors import ActorCrash, ActorStopped, StartFailed


def crash_ending(pid: int, error: BaseException, message: Any, restarts: int) -> Ending:
    """What an actor's failure is called: its code raised `error` while handling `message`.

    Args:
        restarts: how often it has restarted in place before.
    """
    reason = ExitReason.CRASH if isinstance(error, ActorCrash) else ExitReason.PANIC
    kind, size = type_name(message), size_of(message)
    return Ending(reason, pid, lambda: _report(error, kind, size, restarts))


def start_failed(called: str, error: BaseException) -> StartFailed:
    """What is raised when `called` could not be started; `error` is why.

    When that is the failure of a child of `called`, the text shows the way down to it, and the
    cause is the child's.
    """
    if isinstance(error, StartFailed):
        failed = StartFailed(f"{called!r} > {error}")
        failed.__cause__ = error.__cause__
    else:
        what = f"{type(error).__name__}: {text_of(error)}"
        failed = StartFailed(f"{called!r} could not be started: {what}")
        failed.__cause__ = error
    return failed


def is_interruption(error: BaseException) -> bool:
    """Whether this is what the runtime itself throws into code that it ends."""
    # By name: importing greenlet here for one class would load it in threads without it.
    return isinstance(error, ActorStopped) or type(error).__name__ == "GreenletExit"


def _report(error: BaseException, kind: str, size: Any, restarts: int) -> dict[str, Any]:
    """The metadata of a Panic or Crash. Never the message itself: it may be secret or huge."""
    try:
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except BaseException as second:  # noqa: BLE001  # User code: str().
        lines = f"<formatting the traceback raised {type(second).__name__}>"
    return {
        "exception_type": type(error).__name__,
        "message": text_of(error),
        "traceback": lines[-4 * METADATA_TEXT_CHARS_MAX :],
        "message_type": kind,
        "message_size": size,
        "restarts": restarts,
    }


def text_of(error: BaseException) -> str:
    """The text of an exception of user code, whose `str()` may raise; cut where it is long."""
    try:
        return str(error)[:METADATA_TEXT_CHARS_MAX]
    except BaseException as second:  # noqa: BLE001  # User code: str().
        return f"<its str() raised {type(second).__name__}>"
