"""Limits of a whole node: what is refused, what passes all the same, and who is told.

With a simulated runtime. Many threads are in tests/live/test_limits.py, systems by chance in
tests/sim/test_limited_world.py.
"""

from __future__ import annotations

import gc
import logging
from typing import Any, Callable

import pytest

import iris
from iris.config import OTHER_BYTES
from iris.run.log import IN_FULL
from iris.testing import SimRuntime

from .actors import bounded, end, fail, news, pull

Call = Callable[[SimRuntime, int], Any]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, "iris")


def full(hard: int = 3, **options: Any) -> tuple[SimRuntime, int, list[Any]]:
    """A runtime at its hard limit, an actor of it with that many messages, what it handles."""
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=hard), **options)
    got: list[Any] = []
    pid = rt.spawn(got.append)
    for number in range(hard):
        assert rt.send(pid, number)
    return rt, pid, got


# -- the limits themselves -------------------------------------------------------------------------


def test_a_soft_limit_that_is_not_given_is_four_fifths_of_the_hard_one() -> None:
    limits = iris.Limits(queued_messages_hard=10, queued_bytes_hard=1)
    assert (limits.queued_messages_soft, limits.queued_bytes_soft) == (8, 1)


def test_limits_name_what_is_wrong_with_them() -> None:
    for bad, error, text in (
        ({"queued_messages_hard": 0}, iris.BadInput, "queued_messages_hard=0"),
        ({"queued_messages_soft": -1}, iris.BadInput, "queued_messages_soft=-1"),
        ({"queued_bytes_hard": 1.5}, TypeError, "queued_bytes_hard"),
        ({"queued_bytes_soft": True}, TypeError, "queued_bytes_soft"),
        ({"queued_bytes_hard": 1 << 60}, iris.BadInput, "over its limit"),
        (
            {"queued_messages_soft": 5, "queued_messages_hard": 4},
            iris.BadInput,
            "queued_messages_soft=5 is over queued_messages_hard=4; give 4 or less",
        ),
        ({}, iris.BadInput, "limits nothing; give"),
    ):
        with pytest.raises(error, match=text):
            iris.Limits(**bad)  # type: ignore[arg-type]
    for options in ({"limits": 5}, {"limits": {}}, {"on_pressure": 5}, {"live_within_s": "1"}):
        with pytest.raises(TypeError, match=next(iter(options))):
            SimRuntime(**options)


def test_without_limits_nothing_is_counted_or_refused() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert all(rt.send(pid, b"") for _ in range(1000))
    stats = rt.stats()
    assert (stats["shed"], stats["pressure"], stats["queued_bytes"]) == (0, 0, 0)


# -- refused at the hard limit ---------------------------------------------------------------------


def test_over_the_hard_limit_a_send_is_refused_counted_and_noted() -> None:
    rt, pid, _ = full(3)
    other = rt.spawn(len)
    assert rt.send(pid, b"x") is False
    assert rt.send(other, b"four") is False
    stats = rt.stats()
    assert (stats["refused"], stats["shed"], stats["queued"]) == (2, 2, 3)
    assert stats["sent"] == stats["accepted"] + stats["refused"]
    letter = rt.dead_letters()[-1]
    assert (letter.pid, letter.reason, letter.message_size) == (other, "refused", 4)


def test_what_has_been_handled_makes_room_at_once() -> None:
    rt, pid, got = full(3)
    rt.run_until_idle()
    assert got == [0, 1, 2]
    assert [rt.send(pid, number) for number in range(4)] == [True, True, True, False]


def test_a_limit_of_one_lets_one_in_at_a_time() -> None:
    rt, pid, got = full(1)
    for _ in range(5):
        assert rt.send(pid, b"") is False
        rt.run_until_idle()
        assert rt.send(pid, b"") is True
    rt.run_until_idle()
    assert len(got) == 6


def test_the_message_that_is_being_handled_is_not_queued_any_more() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=2))
    pids = [rt.spawn(lambda message: rt.sleep(1)) for _ in range(5)]
    for pid in pids:
        assert rt.send(pid, b"")
        rt.run_until_idle()
    assert rt.stats()["running"] == 5
    assert [rt.send(pids[0], b"") for _ in range(3)] == [True, True, False]


def test_a_blocked_turn_holds_nothing_that_it_has_handled() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=20))
    blocked: list[Any] = []

    def handler(message: int) -> None:
        if message == 14:
            blocked.append(message)
            rt.sleep(1)

    pid = rt.spawn(handler)
    for number in range(20):
        assert rt.send(pid, number)
    rt.run_until_idle()
    assert blocked == [14]
    assert rt.mailbox_size(pid) == 5
    assert [rt.send(pid, 0) for _ in range(16)] == [True] * 15 + [False]


def test_the_actors_with_release_gil_and_pull_actors_make_room_too() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=3))

    def body(mailbox: iris.PyMailbox) -> None:
        while not mailbox.closed:
            mailbox.recv()

    for pid in (rt.spawn(len, release_gil=True), rt.spawn_with_mailbox(body)):
        for _ in range(3):
            assert [rt.send(pid, b"") for _ in range(4)] == [True, True, True, False]
            rt.run_until_idle()
    end(rt, pid)
    assert [rt.send(rt.spawn(len), b"") for _ in range(4)] == [True, True, True, False]


def _send_async(rt: SimRuntime, pid: int) -> bool:
    coroutine = rt._system.aio.send(pid, b"")
    try:
        coroutine.send(None)
    except StopIteration as over:
        return bool(over.value)
    raise AssertionError("it waited")


REFUSED: dict[str, Call] = {
    "send": lambda rt, pid: rt.send(pid, b"x"),
    "send_named": lambda rt, pid: rt.send_named("name", b"x"),
    "send_async": _send_async,
    "forward": lambda rt, pid: _in_handler(rt, lambda: rt.forward(pid, b"x")),
    "of a handler": lambda rt, pid: _in_handler(rt, lambda: rt.send(pid, b"x")),
    "the stop word": lambda rt, pid: rt.send(pid, b"quit"),
}


def _in_handler(rt: SimRuntime, call: Callable[[], Any]) -> Any:
    """What a call gives in the handler of an actor that runs, while the queues are full again."""
    given: list[Any] = []
    # It takes its own message while its handler runs, so that one more fits.
    rt.run_until_idle()

    def handler(message: Any) -> None:
        other = rt.spawn(len)
        while rt.send(other, b""):
            pass
        given.append(call())

    rt.send(rt.spawn(handler), b"")
    rt.run_until_idle()
    return given[0]


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_whatever_brings_a_message_is_refused(what: str) -> None:
    rt, pid, got = full(3)
    rt.register("name", pid)
    assert REFUSED[what](rt, pid) is False
    rt.run_until_idle()
    assert got == [0, 1, 2]
    stats = rt.stats()
    assert stats["refused"] == stats["shed"]


def test_a_buffer_that_is_refused_can_be_sent_again() -> None:
    rt, pid, got = full(3)
    buffer_id, view, owner = iris.allocate_buffer(8)
    assert rt.send_buffer(pid, buffer_id) is False
    view[0] = 1
    rt.run_until_idle()
    assert rt.send_buffer(pid, buffer_id) is True
    rt.run_until_idle()
    assert bytes(got[-1])[0] == 1
    owner.release()


def test_an_ask_says_which_limit_and_what_to_do_and_leaves_nothing_behind() -> None:
    rt, pid, _ = full(3)
    with pytest.raises(iris.LimitReached, match=r"queued_messages_hard=3; .*Limits\(") as caught:
        rt.ask(pid, b"x", 1.0)
    assert f"actor {pid}" in str(caught.value)
    stats = rt.stats()
    assert (stats["shed"], stats["queued"]) == (1, 3)
    rt.run_until_idle()
    other = rt.spawn(lambda message: rt.reply(b"yes"))
    assert rt.ask(other, b"x", 1.0) == b"yes"


def test_an_actor_whose_forward_is_refused_still_owes_the_answer() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=3))
    other = rt.spawn(len)
    forwarded: list[bool] = []

    def handler(message: Any) -> None:
        while rt.send(other, b""):
            pass
        forwarded.append(rt.forward(other, b"x"))
        rt.reply(b"myself")

    assert rt.ask(rt.spawn(handler), b"?", 1.0) == b"myself"
    assert forwarded == [False]


def test_a_timers_message_is_refused_and_the_next_of_an_interval_comes() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=1))
    got: list[Any] = []

    def handler(message: Any) -> None:
        got.append(message)
        rt.sleep(0.015)

    pid = rt.spawn(handler)
    rt.send_interval(pid, 10, b"tick")
    rt.advance(0.0101)
    assert rt.send(pid, b"x")
    rt.advance(0.01)
    assert rt.stats()["shed"] == 1
    rt.advance(0.1)
    assert len(got) > 4


def test_a_blocked_sender_is_refused_at_once_and_does_not_wait() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=2))
    pid = bounded(rt, [], 2, "block")
    assert [rt.send(pid, number) for number in range(3)] == [True, True, False]
    assert rt.now == 0.0
    assert rt.stats()["queued"] == 2


def test_the_copy_of_a_spill_is_a_message_more() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=2))
    target = rt.spawn(len)
    got: list[Any] = []
    pid = rt.spawn_py_handler_bounded(got.append, 100, 1)
    rt.set_overflow_policy(pid, "spill", target)
    assert [rt.send(pid, b"") for _ in range(3)] == [True, True, False]
    stats = rt.stats()
    assert (stats["accepted"], stats["refused"], stats["shed"], stats["queued"]) == (2, 2, 2, 2)
    assert stats["sent"] == stats["accepted"] + stats["refused"]


def test_a_redirect_is_one_message_and_needs_no_room_of_its_own() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=2))
    got: list[Any] = []
    pid = bounded(rt, [], 1, "redirect", rt.spawn(got.append))
    assert [rt.send(pid, number) for number in range(3)] == [True, True, False]
    rt.run_until_idle()
    assert got == [1]


def test_no_living_target_is_told_from_a_full_node() -> None:
    rt, _, _ = full(3)
    gone = rt.spawn(len)
    rt.stop(gone)
    assert rt.send(gone, b"") is False
    assert rt.send(12345, b"") is False
    stats = rt.stats()
    assert (stats["undeliverable"], stats["refused"]) == (2, 0)
    with pytest.raises(TypeError):
        rt.send("pid", b"")  # type: ignore[arg-type]


# -- what passes -----------------------------------------------------------------------------------


def test_system_work_passes_a_full_node() -> None:
    rt, pid, got = full(3)
    watcher = rt.spawn_observed_handler()
    parent = rt.spawn(len)
    child = rt.spawn_child(parent, len)
    rt.monitor(watcher, parent)
    rt.hot_swap(pid, lambda message: got.append(("new", message)))
    rt.hot_swap(rt.spawn(len), print, when="now")
    assert rt.stop(parent)
    assert not rt.send(pid, b"")
    assert news(rt, watcher)[0].type_name == "DOWN"
    assert not rt.is_alive(child)
    assert got == [0, 1, 2]
    rt.send(pid, 3)
    rt.run_until_idle()
    assert got[-1] == ("new", 3)


def test_a_reply_and_a_drain_pass_a_full_node() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=2))
    other = rt.spawn(len)

    def handler(message: Any) -> None:
        while rt.send(other, b""):
            pass
        rt.reply(b"here")

    assert rt.ask(rt.spawn(handler), b"?", 1.0) == b"here"
    assert rt.stop_after_drain(other, 1.0)
    rt.run_until_idle()
    assert not rt.is_alive(other)
    assert rt.stats()["expired"] == 0


def test_a_full_node_shuts_down_and_counts_what_expired() -> None:
    rt, _, _ = full(3)
    assert rt.shutdown() == []
    assert rt.health().reasons == ("the runtime is closed",)


# -- bytes -----------------------------------------------------------------------------------------


def test_the_message_that_reaches_the_limit_of_bytes_is_the_last() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_bytes_hard=10))
    got: list[Any] = []
    pid = rt.spawn(got.append)
    assert [rt.send(pid, b"four") for _ in range(4)] == [True, True, True, False]
    assert rt.stats()["queued_bytes"] == 12
    with pytest.raises(iris.LimitReached, match="queued_bytes_hard=10"):
        rt.ask(pid, b"", 1.0)
    rt.run_until_idle()
    assert rt.stats()["queued_bytes"] == 0
    assert rt.send(pid, "a long text")
    assert not rt.send(pid, "")


WAYS: dict[str, Callable[[SimRuntime], None]] = {}


def way(leaves: Callable[[SimRuntime], None]) -> Callable[[SimRuntime], None]:
    """A way in which messages leave, entered under its name."""
    WAYS[leaves.__name__] = leaves
    return leaves


@way
def handled(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda message: None)
    for size in range(40):
        rt.send(pid, bytes(size))


@way
def handled_one_by_one(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda message: None)
    for size in range(5):
        rt.send(pid, bytes(size))
        rt.run_until_idle()


@way
def failed(rt: SimRuntime) -> None:
    pid = rt.spawn(fail)
    for size in range(40):
        rt.send(pid, bytes(size))


@way
def expired(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda message: rt.sleep(1))
    for size in range(40):
        rt.send(pid, bytes(size))
    rt.run_until_idle()
    rt.stop(pid)


@way
def dropped_old(rt: SimRuntime) -> None:
    pid = bounded(rt, [], 2, "dropold")
    for size in range(10):
        rt.send(pid, bytes(size))


@way
def refused_by_its_mailbox(rt: SimRuntime) -> None:
    pid = bounded(rt, [], 2, "dropnew")
    for size in range(10):
        rt.send(pid, bytes(size))


@way
def redirected(rt: SimRuntime) -> None:
    pid = bounded(rt, [], 2, "redirect", rt.spawn(len))
    for size in range(10):
        rt.send(pid, bytes(size))


@way
def spilled(rt: SimRuntime) -> None:
    pid = bounded(rt, [], 2, "spill", rt.spawn(len))
    for size in range(10):
        rt.send(pid, bytes(size))


@way
def expired_in_a_bounded_mailbox(rt: SimRuntime) -> None:
    pid = rt.spawn_py_handler_bounded(lambda message: rt.sleep(1), 100, 20)
    for size in range(10):
        rt.send(pid, bytes(size))
    rt.run_until_idle()
    rt.stop(pid)


@way
def asked_and_answered(rt: SimRuntime) -> None:
    rt.ask(rt.spawn(lambda message: rt.reply(b"")), bytes(7), 1.0)


@way
def asked_and_given_up(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda message: rt.sleep(5))
    rt.send(pid, b"first")
    with pytest.raises(iris.AskTimeout):
        rt.ask(pid, bytes(7), 0.5)
    rt.advance(20)


@way
def asked_and_dropped(rt: SimRuntime) -> None:
    pid = bounded(rt, [], 1, "dropold")
    answers: list[Any] = []

    def asker(message: Any) -> None:
        with pytest.raises(iris.LimitReached):
            rt.ask(pid, bytes(9), 1.0)
        answers.append(message)

    rt.send(rt.spawn(asker), b"")
    rt.step()
    rt.step()
    for size in range(5):
        rt.send(pid, bytes(size))
        rt.send(pid, bytes(size))


@way
def received(rt: SimRuntime) -> None:
    pid = pull(rt, lambda mailbox: [mailbox.recv() for _ in range(5)])
    for size in range(9):
        rt.send(pid, bytes(size))


@way
def received_selectively(rt: SimRuntime) -> None:
    def body(mailbox: iris.PyMailbox) -> None:
        mailbox.recv()
        mailbox.selective_recv(lambda message: len(message) == 5)
        mailbox.recv()

    pid = pull(rt, body)
    for size in range(9):
        rt.send(pid, bytes(size))


@way
def swapped_between(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda message: None)
    for size in range(9):
        rt.send(pid, bytes(size))
        rt.hot_swap(pid, len)


@way
def too_late(rt: SimRuntime) -> None:
    """Appended to a cell whose end was on its way, as a sender of another thread may."""
    pid = rt.spawn(len)
    cell = rt._system.table.get(pid)
    end(rt, pid)
    assert cell is not None
    cell.admission = None
    cell.user.append(b"12345")
    rt._system.delivery._fates.accepted.add()
    rt._system.delivery.insist(cell)


@way
def drained(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda message: None)
    for size in range(9):
        rt.send(pid, bytes(size))
    rt.stop_after_drain(pid, 1.0)


@way
def on_a_worker(rt: SimRuntime) -> None:
    pid = rt.spawn(lambda message: None, release_gil=True)
    for size in range(40):
        rt.send(pid, bytes(size))


@way
def virtual(rt: SimRuntime) -> None:
    pid = rt.spawn_virtual(lambda message: None, 100, 10)
    for size in range(9):
        rt.send(pid, bytes(size))
    rt.advance(1)


@pytest.mark.parametrize("name", sorted(WAYS))
def test_however_messages_leave_their_room_is_free_again(name: str) -> None:
    hard, hard_bytes = 50, 5000
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=hard, queued_bytes_hard=hard_bytes))
    WAYS[name](rt)
    assert rt.quiesce(100)
    rt.advance(10)
    stats = rt.stats()
    assert (stats["queued"], stats["queued_bytes"]) == (0, 0)
    pid = rt.spawn(len)
    count = 0
    while rt.send(pid, b""):
        count += 1
    assert count == hard
    rt.run_until_idle()
    assert rt.send(pid, bytes(hard_bytes - 1))
    assert rt.send(pid, bytes(1))
    assert not rt.send(pid, b"")


def test_what_lies_in_mailboxes_is_what_is_weighed() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_bytes_hard=5000))
    slow = rt.spawn(lambda message: rt.sleep(1))
    for message in (b"runs", b"1", "22", [3], memoryview(b"4444"), b"55555"):
        rt.send(slow, message)
    rt.run_until_idle()
    assert rt.stats()["queued_bytes"] == 1 + 2 + OTHER_BYTES + 4 + 5


# -- pressure --------------------------------------------------------------------------------------


def reports_of(rt: SimRuntime) -> list[iris.Pressure]:
    reports: list[iris.Pressure] = []
    rt.add_hook("pressure", reports.append)
    return reports


def test_the_hooks_are_told_once_of_a_rise_and_once_of_its_end() -> None:
    seen: list[iris.Pressure] = []
    limits = iris.Limits(queued_messages_soft=4, queued_messages_hard=10)
    rt = SimRuntime(limits=limits, on_pressure=seen.append)
    added = reports_of(rt)
    pid = rt.spawn(lambda message: rt.sleep(0.2))
    for _ in range(7):
        rt.send(pid, b"")
    assert seen == []
    rt.run_until_idle()
    assert [(str(one.level), one.queued_messages) for one in seen] == [("soft", 7)]
    rt.advance(5)
    assert [(str(one.level), one.queued_messages) for one in seen[1:]] == [("calm", 3)]
    assert (seen[0].limits, seen[0].queued_bytes) == (limits, None)
    assert added == seen
    assert rt.stats()["pressure"] == 1


def test_the_hub_finds_the_end_of_pressure_by_itself() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=5))
    seen = reports_of(rt)

    def body(mailbox: iris.PyMailbox) -> None:
        mailbox.recv()
        rt.sleep(0.3)
        while not mailbox.closed:
            mailbox.recv()

    pid = rt.spawn_with_mailbox(body)
    while rt.send(pid, b""):
        pass
    rt.advance(0.1)
    assert [str(one.level) for one in seen] == ["hard"]
    rt.advance(0.2)
    rt.advance(0.05)
    assert [str(one.level) for one in seen] == ["hard", "calm"]


def test_pressure_alone_does_not_keep_a_simulation_waiting() -> None:
    rt, _, _ = full(3)
    stuck = rt.spawn_with_mailbox(lambda mailbox: mailbox.selective_recv(lambda message: False))
    rt.run_until_idle()
    for _ in range(3):
        assert rt.send(stuck, b"")
    rt.run_until_idle()
    with pytest.raises(iris.IrisError, match="nothing in it can bring about"):
        rt.join(stuck)


def test_a_hook_may_raise_send_and_ask_for_the_health() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=3))
    healths: list[iris.Health] = []
    pid = rt.spawn(len)

    def hook(report: iris.Pressure) -> None:
        rt.send(pid, b"")
        healths.append(rt.health())
        raise ValueError("as it should")

    rt.add_hook("pressure", hook)
    rt.add_hook("pressure", lambda report: rt.stop(pid))
    for _ in range(4):
        rt.send(pid, b"")
    rt.run_until_idle()
    rt.advance(0.1)
    assert [one.ready for one in healths] == [False, True]
    assert not rt.is_alive(pid)


def test_the_log_tells_of_pressure_and_a_storm_of_it_is_some_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "iris")
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=2))
    pid = rt.spawn(lambda message: None)
    for _ in range(40):
        while rt.send(pid, b""):
            pass
        rt.run_until_idle()
        rt.advance(0.1)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("the load has met a hard limit: 2 messages are queued")
    assert lines[1].startswith("the load is under its limits again: 0 messages are queued; 1 were")
    assert len(lines) == 2 * IN_FULL
    assert rt.stats()["pressure"] == 40


# -- sends from anywhere ---------------------------------------------------------------------------


def test_a_send_from_del_is_refused_as_any() -> None:
    rt = SimRuntime(limits=iris.Limits(queued_messages_hard=20, queued_bytes_hard=10_000))
    pid = rt.spawn(lambda message: None)
    answers: list[bool] = []

    class Dying:
        def __del__(self) -> None:
            answers.append(rt.send(pid, b"__del__"))

    for _ in range(100):
        Dying()
        rt.send(pid, Dying())
    rt.run_until_idle()
    # On PyPy the last of them go only now, and what they send comes after that.
    gc.collect()
    rt.run_until_idle()
    assert True in answers
    assert False in answers
    stats = rt.stats()
    assert (stats["queued"], stats["queued_bytes"]) == (0, 0)


def test_two_runtimes_have_limits_of_their_own() -> None:
    rt, pid, _ = full(3)
    other = SimRuntime()
    assert other.send(other.spawn(len), b"")
    assert not rt.send(pid, b"")
