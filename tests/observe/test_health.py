"""Health: live, ready, and every reason why not; probes, whose they are and what they may do."""

from __future__ import annotations

import logging
from typing import Any, Callable

import pytest

import iris
from iris.observe.health import Pulse
from iris.testing import SimRuntime

FINE = iris.Health(live=True, ready=True, reasons=())


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, "iris")


def end(rt: SimRuntime, pid: int) -> None:
    """End an actor now."""
    rt.stop(pid)
    rt.run_until_idle()


# -- live ------------------------------------------------------------------------------------------


class Hub:
    """A carrier that answers when it is let."""

    thread = 0

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []

    def post(self, call: Callable[[], Any]) -> None:
        self.calls.append(call)

    def come_round(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_pulse() -> tuple[Pulse, Hub, Clock]:
    hub, clock = Hub(), Clock()
    return Pulse(hub, clock), hub, clock  # type: ignore[arg-type]


def test_a_hub_that_answers_is_not_silent_however_rarely_it_is_asked() -> None:
    pulse, hub, clock = a_pulse()
    for _ in range(3):
        clock.now += 1000
        assert pulse.silence_s() == 0
        hub.come_round()


def test_the_silence_grows_until_the_hub_comes_round() -> None:
    pulse, hub, clock = a_pulse()
    silences = []
    for _ in range(3):
        silences.append(pulse.silence_s())
        clock.now += 4
    assert silences == [0, 4, 8]
    assert len(hub.calls) == 1
    hub.come_round()
    assert pulse.silence_s() == 0


def test_a_question_that_could_not_be_posted_is_no_silence() -> None:
    pulse, hub, clock = a_pulse()
    post = hub.post

    def interrupted(call: Callable[[], Any]) -> None:
        raise KeyboardInterrupt

    hub.post = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        pulse.silence_s()
    hub.post = post  # type: ignore[method-assign]
    clock.now += 100
    assert pulse.silence_s() == 0


def test_a_runtime_is_live_and_ready_until_it_is_shut_down() -> None:
    rt = SimRuntime()
    assert rt.health() == FINE
    assert rt.health()
    rt.shutdown()
    assert rt.health() == iris.Health(False, False, ("the runtime is closed",))
    assert not rt.health()
    assert rt._inner.health() == rt.health()


def test_while_it_shuts_down_it_is_live_and_not_ready() -> None:
    rt = SimRuntime()
    seen: list[iris.Health] = []
    rt.spawn(len)
    rt.add_hook("exit", lambda pid, ending: seen.append(rt.health()))
    rt.shutdown()
    assert seen == [iris.Health(True, False, ("the runtime is shutting down",))]


def test_at_a_hard_limit_it_is_not_ready_until_the_load_is_well_under_the_soft_one() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=10))
    pid = rt.spawn(lambda message: rt.sleep(1), budget=1)
    for _ in range(10):
        rt.send(pid, b"")
    (reason,) = rt.health().reasons
    assert reason == (
        "a hard limit was met: 10 messages are queued in all mailboxes together, and"
        " queued_messages_hard=10; ready again at 6 messages"
    )
    answers = []
    for _ in range(6):
        answers.append(rt.health().ready)
        rt.advance(1)
    assert answers == [False, False, False, True, True, True]


def test_a_soft_limit_alone_leaves_it_ready() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_soft=1))
    rt.send(rt.spawn(len), b"")
    assert rt.health() == FINE


# -- probes ----------------------------------------------------------------------------------------


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


def raising(error: BaseException) -> Callable[[], Any]:
    def probe() -> None:
        raise error

    return probe


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (lambda: True, None),
        (lambda: None, None),
        (lambda: False, "probe 'p' says no"),
        (lambda: "", "probe 'p' says no"),
        (lambda: "the database is away", "probe 'p' says: the database is away"),
        (raising(OSError("no route")), "probe 'p' raised OSError: no route"),
        (raising(Mute()), "probe 'p' raised Mute: <its str() raised ValueError>"),
        (lambda: 1, "probe 'p' gave an object of type int; a probe gives True, None, False, or"),
        (len, "probe 'p' raised TypeError: "),
    ],
)
def test_what_a_probe_says(probe: Callable[[], Any], reason: Any) -> None:
    rt = SimRuntime()
    assert rt.add_probe("p", probe) is True
    health = rt.health()
    assert (health.live, health.ready) == (True, reason is None)
    assert len(health.reasons) == (reason is not None)
    if reason is not None:
        assert health.reasons[0].startswith(reason)


def test_all_probes_are_asked_and_each_complaint_is_a_reason() -> None:
    rt = SimRuntime()
    for name in "abc":
        rt.add_probe(name, lambda name=name: name != "b" and f"{name}!")
    assert [reason[:9] for reason in rt.health().reasons] == ["probe 'a'", "probe 'b'", "probe 'c'"]


def test_a_name_is_one_probes_until_it_is_removed() -> None:
    rt = SimRuntime()
    assert rt.add_probe("p", lambda: False)
    assert not rt.add_probe("p", lambda: True)
    assert not rt.health()
    assert rt.remove_probe("p")
    assert not rt.remove_probe("p")
    assert rt.health()
    assert rt.add_probe("p", lambda: True)


def test_bad_probes_are_refused_with_what_is_wrong() -> None:
    rt = SimRuntime()

    async def wrong() -> bool:
        return True

    for name, probe, error, text in (
        ("p", 5, TypeError, "a probe is a callable without arguments, not 5"),
        ("p", wrong, TypeError, "async"),
        (5, len, TypeError, "a probe's name is a str"),
        ("", len, iris.BadInput, "a probe's name cannot be empty"),
        ("x" * 2000, len, iris.BadInput, "over the limit of 1024 bytes"),
    ):
        with pytest.raises(error, match=text):
            rt.add_probe(name, probe)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        rt.remove_probe(5)  # type: ignore[arg-type]
    assert rt.health() == FINE


def test_a_probe_added_in_a_handler_ends_with_its_actor() -> None:
    rt = SimRuntime()

    def handler(message: Any) -> None:
        rt.add_probe("mine", lambda: "not yet")
        rt.add_probe("mine too", lambda: None)

    pid = rt.spawn(handler)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert rt.health().reasons == ("probe 'mine' says: not yet",)
    end(rt, pid)
    assert rt.health() == FINE
    assert rt.add_probe("mine", lambda: True)


def test_a_probe_of_a_pull_actor_that_fails_ends_with_it() -> None:
    rt = SimRuntime()

    def body(mailbox: iris.PyMailbox) -> None:
        rt.add_probe("mine", lambda: False)
        mailbox.recv()
        raise ValueError("as it should")

    pid = rt.spawn_with_mailbox(body)
    rt.run_until_idle()
    assert not rt.health()
    rt.send(pid, b"")
    rt.run_until_idle()
    assert rt.health()


def test_a_probe_that_was_removed_and_added_again_by_another_does_not_go_with_the_first() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.add_probe("p", lambda: True))
    rt.send(pid, b"")
    rt.run_until_idle()
    assert rt.remove_probe("p")
    assert rt.add_probe("p", lambda: False)
    end(rt, pid)
    assert not rt.health()


def test_a_probe_of_an_actor_of_another_runtime_is_nobodys() -> None:
    rt, other = SimRuntime(), SimRuntime()
    pid = other.spawn(lambda message: rt.add_probe("p", lambda: False))
    other.send(pid, b"")
    other.run_until_idle()
    end(other, pid)
    assert not rt.health()


def test_a_probe_that_asks_for_the_health_does_not_go_in_a_circle() -> None:
    rt = SimRuntime()
    inner: list[iris.Health] = []
    rt.add_probe("a", lambda: inner.append(rt.health()))
    rt.add_probe("b", lambda: inner.append(rt.health()))
    assert rt.health() == FINE
    assert inner == [FINE, FINE]


def test_a_probe_may_add_and_remove_probes_and_shut_down() -> None:
    rt = SimRuntime()
    rt.add_probe("a", lambda: None if rt.remove_probe("a") else "gone")
    rt.add_probe("b", lambda: None if rt.add_probe("c", lambda: False) else "taken")
    assert rt.health() == FINE
    assert rt.health().reasons == ("probe 'b' says: taken", "probe 'c' says no")
    rt.remove_probe("b")
    rt.remove_probe("c")
    rt.add_probe("d", lambda: None if rt.shutdown() == [] else "left")
    assert rt.health() == FINE
    assert not rt.health().live


def test_what_is_thrown_into_the_caller_leaves_a_probe_and_the_next_call_is_whole() -> None:
    rt = SimRuntime()
    rt.add_probe("a", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        rt.health()
    rt.remove_probe("a")
    rt.add_probe("b", lambda: False)
    assert rt.health().reasons == ("probe 'b' says no",)


def test_a_probe_in_a_handler_that_waits_delays_nobody_else() -> None:
    rt = SimRuntime()
    rt.add_probe("slow", lambda: rt.sleep(1))
    seen: list[Any] = []
    asker = rt.spawn(lambda message: seen.append((rt.health().ready, rt.now)))
    rt.send(asker, b"")
    rt.send(rt.spawn(seen.append), b"other")
    rt.advance(2)
    assert seen == [b"other", (True, 1.0)]
