"""What a handler may raise: whatever it is, only its own actor ends, and all is said about it."""

from __future__ import annotations

import sys
from typing import Any

import gevent
import greenlet
import pytest

import iris
from iris.testing import SimRuntime

from .actors import raising


class Harm(BaseException):
    """No `except Exception` sees it."""


def recurse(message: Any) -> None:
    """Call itself to the limit."""
    recurse(message)


def exiting(message: Any) -> None:
    """Try to end the interpreter."""
    sys.exit(3)


def timing_out(message: Any) -> None:
    """Raise a timeout of gevent's that nobody has started."""
    raise gevent.Timeout(5)


HANDLERS = {
    "Exception": raising(Exception("x")),
    "BaseException": raising(BaseException("x")),
    "Harm": raising(Harm("x")),
    "SystemExit": exiting,
    "KeyboardInterrupt": raising(KeyboardInterrupt()),
    "GeneratorExit": raising(GeneratorExit()),
    "StopIteration": raising(StopIteration(7)),
    "StopAsyncIteration": raising(StopAsyncIteration()),
    "Timeout": timing_out,
    "GreenletExit": raising(greenlet.GreenletExit()),
    "ActorStopped": raising(iris.ActorStopped("x")),
    "MemoryError": raising(MemoryError()),
    "RecursionError": recurse,
    "InternalError": raising(iris.InternalError("x")),
    "RuntimeClosed": raising(iris.RuntimeClosed("x")),
    "IndexError": raising(IndexError("pop from an empty list")),
}


def run_all(rt: SimRuntime) -> None:
    """Run until idle; a Ctrl-C that a handler raised may reach who drives the simulation."""
    for _ in range(3):
        try:
            rt.run_until_idle()
        except KeyboardInterrupt:
            continue
        return


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_whatever_a_handler_raises_only_its_own_actor_ends(name: str) -> None:
    rt, got, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason), ending.metadata)))
    others = [rt.spawn(got.append) for _ in range(3)]
    bad = rt.spawn(HANDLERS[name])
    for pid in (others[0], bad, bad, others[1]):
        rt.send(pid, b"x")
    run_all(rt)
    rt.send(others[2], b"after")
    run_all(rt)
    ((pid, reason, metadata),) = ends
    assert (pid, reason, metadata["exception_type"]) == (bad, "Panic", name)
    assert got == [b"x", b"x", b"after"]
    stats = rt.stats()
    assert (stats["handled"], stats["failed"], stats["expired"]) == (3, 1, 1)


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_the_same_holds_in_the_middle_of_a_batch_after_it_has_blocked(name: str) -> None:
    rt, got, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))

    def handler(message: int) -> None:
        got.append(message)
        rt.sleep(0.1)
        if message == 2:
            HANDLERS[name](message)

    bad, other = rt.spawn(handler), rt.spawn(got.append)
    for number in range(5):
        rt.send(bad, number)
    for _ in range(20):
        try:
            rt.advance(0.1)
        except KeyboardInterrupt:
            continue
    rt.send(other, "after")
    run_all(rt)
    assert got == [0, 1, 2, "after"]
    assert ends == [(bad, "Panic")]
    stats = rt.stats()
    assert (stats["handled"], stats["failed"], stats["expired"]) == (3, 1, 2)


@pytest.mark.parametrize("name", sorted(set(HANDLERS) - {"ActorStopped"}))
def test_the_same_holds_in_a_pull_actor(name: str) -> None:
    rt, got, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))
    bad = rt.spawn_with_mailbox(lambda mailbox: HANDLERS[name](mailbox.recv()))
    other = rt.spawn(got.append)
    for pid in (bad, bad, other):
        rt.send(pid, b"x")
    run_all(rt)
    assert ends == [(bad, "Panic")]
    assert got == [b"x"]
    stats = rt.stats()
    assert (stats["handled"], stats["failed"], stats["expired"]) == (1, 1, 1)


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_the_same_holds_at_a_system_message(name: str) -> None:
    rt, got, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))
    partner, other = rt.spawn(len), rt.spawn(got.append)
    bad = rt.spawn(HANDLERS[name], trap_exit=True)
    rt.link(bad, partner)
    rt.stop(partner)
    run_all(rt)
    rt.send(other, b"x")
    run_all(rt)
    assert ends == [(partner, "Killed"), (bad, "Panic")]
    assert got == [b"x"]
    assert rt.stats()["failed"] == 0


def test_an_actor_that_blocks_for_ever_holds_up_nobody_and_can_be_ended() -> None:
    rt, got = SimRuntime(), []
    stuck, other = rt.spawn(lambda message: rt.sleep(1e12)), rt.spawn(got.append)
    rt.send(stuck, b"")
    rt.run_until_idle()
    rt.send(other, b"x")
    rt.advance(1000)
    assert got == [b"x"]
    assert rt.shutdown(5) == []


def test_an_exception_whose_parts_raise_is_survived() -> None:
    class Spite(Exception):
        def __str__(self) -> str:
            raise Harm("no")

        __repr__ = __str__

    rt, got = SimRuntime(), []
    watcher, other = rt.spawn_observed_handler(), rt.spawn(got.append)
    bad = rt.spawn(raising(Spite()))
    rt.monitor(watcher, bad)
    rt.send(bad, b"")
    rt.send(other, b"x")
    rt.run_until_idle()
    (down,) = rt.get_messages(watcher)
    assert (down.reason, down.metadata["exception_type"]) == ("Panic", "Spite")
    assert got == [b"x"]


def test_a_message_whose_parts_raise_is_survived() -> None:
    class Spite:
        def __repr__(self) -> str:
            raise Harm("no")

        __str__ = __len__ = __bool__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]

    rt, got = SimRuntime(), []
    watcher, bad, other = rt.spawn_observed_handler(), rt.spawn(recurse), rt.spawn(got.append)
    rt.monitor(watcher, bad)
    for pid in (bad, other):
        assert rt.send(pid, Spite())
    rt.run_until_idle()
    (down,) = rt.get_messages(watcher)
    assert down.metadata["message_type"] == "Spite"
    assert len(got) == 1


def test_actor_crash_is_told_apart_from_a_panic_in_a_pull_actor_too() -> None:
    rt, reasons = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: reasons.append(str(ending.reason)))
    rt.spawn_with_mailbox(lambda mailbox: raising(iris.ActorCrash("x"))(b""))
    rt.run_until_idle()
    assert reasons == ["Crash"]


# -- what is told about an end --------------------------------------------------------------------


def metadata_of(error: BaseException, message: Any) -> dict[str, Any]:
    """What is said about an actor whose handler raised this at that message."""
    rt, kept = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: kept.append(ending.metadata))
    rt.send(rt.spawn(raising(error)), message)
    rt.run_until_idle()
    return kept[0]


def test_metadata_of_a_panic_has_type_message_traceback_and_the_size_of_the_message() -> None:
    found = metadata_of(ValueError("bad row"), b"payload")
    assert found["exception_type"] == "ValueError"
    assert found["message"] == "bad row"
    assert "Traceback" in found["traceback"]
    assert "in handler" in found["traceback"]
    assert (found["message_type"], found["message_size"], found["restarts"]) == ("bytes", 7, 0)


def test_metadata_of_a_crash_has_the_same() -> None:
    found = metadata_of(iris.ActorCrash("state lost"), "text")
    assert (found["exception_type"], found["message"]) == ("ActorCrash", "state lost")
    assert (found["message_type"], found["message_size"]) == ("str", 4)


def test_metadata_never_holds_the_payload() -> None:
    found = metadata_of(ValueError("bad row"), b"secret-token")
    assert "secret-token" not in repr(found)


def test_metadata_is_made_although_the_exception_cannot_be_printed() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    assert metadata_of(Mute(), b"")["exception_type"] == "Mute"


def test_metadata_of_an_endless_text_is_cut() -> None:
    found = metadata_of(ValueError("x" * 1_000_000), b"")
    assert len(repr(found)) < 100_000


def test_metadata_of_a_stop_is_none() -> None:
    rt, kept = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: kept.append(ending.metadata))
    rt.stop(rt.spawn(len))
    rt.run_until_idle()
    assert kept == [None]


def test_metadata_of_a_failure_at_a_system_message_names_its_type() -> None:
    rt, kept = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: kept.append(ending.metadata))
    pid, partner = rt.spawn(raising(ValueError()), trap_exit=True), rt.spawn(len)
    rt.link(pid, partner)
    rt.stop(partner)
    rt.run_until_idle()
    assert kept[1]["message_type"] == "PySystemMessage"
