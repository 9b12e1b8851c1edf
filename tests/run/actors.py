"""Actors and looks at them that several files of this folder use."""

from __future__ import annotations

from typing import Any, Callable, Optional

import iris
from iris.testing import SimRuntime

Log = list[tuple[Any, Any]]
"""(version, message) of each message that a swapped actor handled."""


def note_ends(rt: SimRuntime) -> list[tuple[int, str]]:
    """The (pid, reason) of each end from now on, in order."""
    ends: list[tuple[int, str]] = []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))
    return ends


def raising(error: BaseException) -> Callable[[Any], None]:
    """A handler that raises this."""

    def handler(message: Any) -> None:
        raise error

    return handler


def fail(message: Any) -> None:
    """A handler that raises."""
    raise ValueError("as it should")


def end(rt: SimRuntime, pid: int) -> None:
    """End an actor now."""
    rt.stop(pid)
    rt.run_until_idle()


def news(rt: SimRuntime, pid: int) -> list[Any]:
    """What an observed actor has received when all have come to rest."""
    rt.run_until_idle()
    return rt.get_messages(pid)


def linked(rt: SimRuntime, first: int, second: int) -> None:
    """Link two actors."""
    assert rt.link(first, second) is True


def bounded(
    rt: SimRuntime, got: list[Any], capacity: int, policy: str, target: Optional[int] = None
) -> int:
    """A bounded actor that keeps what it handles."""
    pid = rt.spawn_py_handler_bounded(got.append, 100, capacity)
    rt.set_overflow_policy(pid, policy, target)
    return pid


def held(rt: SimRuntime, got: list[Any], capacity: int) -> int:
    """A bounded actor that takes a virtual second for each message, `block` its policy."""

    def slow(message: Any) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn_py_handler_bounded(slow, 100, capacity)
    rt.set_overflow_policy(pid, "block")
    return pid


def pull(rt: SimRuntime, body: Callable[[iris.PyMailbox], Any], *messages: Any) -> int:
    """A pull actor with these messages, after it has come to rest."""
    pid = rt.spawn_with_mailbox(body)
    for message in messages:
        rt.send(pid, message)
    rt.run_until_idle()
    return pid


def version(log: Log, number: Any) -> Callable[[Any], None]:
    """A handler that notes its number beside each message."""
    return lambda message: log.append((number, message))


def echo(rt: SimRuntime) -> int:
    """An actor that answers with what it is asked."""
    return rt.spawn(rt.reply)


def answering(rt: SimRuntime, seen: list[Any]) -> Any:
    """A handler that asks `(pid, data)` and keeps the answer or the error."""

    def handler(message: Any) -> None:
        pid, data = message
        try:
            seen.append(rt.ask(pid, data, 10))
        except iris.IrisError as error:
            seen.append(error)

    return handler


def check_books(rt: SimRuntime) -> dict[str, int]:
    """Every message has one fate; the counters."""
    stats = rt.stats()
    sent = ("accepted", "refused", "undeliverable", "redirected")
    fates = ("handled", "failed", "dropped_old", "expired", "queued", "running")
    assert stats["sent"] == sum(stats[name] for name in sent)
    assert stats["accepted"] == sum(stats[name] for name in fates)
    return stats
