"""Virtual actors: a pid first, an actor with the first message, an end after the idle time."""

from __future__ import annotations

import gc
from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime

from .actors import note_ends

SECOND = 1000
MAKERS: dict[str, Callable[..., int]] = {
    "spawn_virtual": lambda rt, *rest: rt.spawn_virtual(*rest),
    "spawn_virtual_py_handler": lambda rt, *rest: rt._inner.spawn_virtual_py_handler(*rest),
}


def books(rt: SimRuntime) -> dict[str, int]:
    """The counters that are not 0."""
    return {name: number for name, number in rt.stats().items() if number}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_it_handles_messages_and_ends_as_normal_after_the_idle_time(
    make: Callable[..., int],
) -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)
    pid = make(rt, got.append, 100, 500)
    assert rt.send(pid, b"hello")
    rt.advance(0.499)
    assert got == [b"hello"]
    assert rt.is_alive(pid)
    rt.advance(0.001)
    assert not rt.is_alive(pid)
    assert ends == [(pid, "Normal")]
    assert rt.send(pid, b"late") is False
    assert rt.stats()["undeliverable"] == 1


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_without_an_idle_time_it_stays(make: Callable[..., int]) -> None:
    rt, got = SimRuntime(), []
    pid = make(rt, got.append)
    rt.send(pid, 1)
    rt.advance(1e9)
    rt.send(pid, 2)
    rt.advance(1e9)
    assert got == [1, 2]
    assert rt.is_alive(pid)


def test_before_its_first_message_no_idle_time_runs() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    rt.advance(1e6)
    assert rt.is_alive(pid)
    assert rt.mailbox_size(pid) == 0
    rt.send(pid, 1)
    rt.advance(0.9)
    assert got == [1]
    assert rt.is_alive(pid)
    rt.advance(0.1)
    assert not rt.is_alive(pid)


def test_the_idle_time_runs_from_the_latest_message() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    for number in range(20):
        assert rt.send(pid, number)
        rt.advance(0.9)
    assert got == list(range(20))
    assert rt.is_alive(pid)
    rt.advance(0.1)
    assert not rt.is_alive(pid)


def test_idle_times_of_many_actors_are_their_own() -> None:
    rt = SimRuntime()
    times = [7, 3, 11, 5, 3, 2]
    pids = [rt.spawn_virtual(bool, idle_timeout_ms=time * SECOND) for time in times]
    for pid in pids:
        rt.send(pid, b"")
    alive = []
    for _ in range(12):
        alive.append([rt.is_alive(pid) for pid in pids])
        rt.advance(1)
    assert alive == [[now < time for time in times] for now in range(12)]


def test_fractions_of_a_millisecond_count() -> None:
    rt = SimRuntime()
    pid = rt.spawn_virtual(bool, idle_timeout_ms=0.25)
    rt.send(pid, b"")
    rt.advance(0.0002)
    assert rt.is_alive(pid)
    rt.advance(0.0001)
    assert not rt.is_alive(pid)


def test_a_handler_longer_than_the_idle_time_is_not_ended_in_the_middle() -> None:
    rt, got = SimRuntime(), []

    def slow(message: Any) -> None:
        rt.sleep(10)
        got.append(message)

    pid = rt.spawn_virtual(slow, idle_timeout_ms=SECOND)
    rt.send(pid, 1)
    rt.send(pid, 2)
    rt.advance(20)
    assert got == [1, 2]
    # Its idle time begins when it is at rest.
    rt.advance(0.999)
    assert rt.is_alive(pid)
    rt.advance(0.001)
    assert not rt.is_alive(pid)
    assert books(rt)["handled"] == 2


def test_what_comes_while_it_is_at_work_is_handled_and_counts() -> None:
    rt, got = SimRuntime(), []

    def slow(message: Any) -> None:
        rt.sleep(1.5)
        got.append(rt.now)

    pid = rt.spawn_virtual(slow, idle_timeout_ms=SECOND)
    rt.send(pid, 1)
    rt.advance(1.4)
    rt.send(pid, 2)
    rt.advance(1.6)
    assert got == [1.5, 3.0]
    rt.advance(0.999)
    assert rt.is_alive(pid)
    rt.advance(0.001)
    assert not rt.is_alive(pid)


def test_work_of_half_the_idle_time_changes_nothing() -> None:
    rt = SimRuntime()
    pid = rt.spawn_virtual(lambda message: rt.sleep(0.5), idle_timeout_ms=SECOND)
    rt.send(pid, 1)
    rt.advance(0.999)
    assert rt.is_alive(pid)
    rt.advance(0.001)
    assert not rt.is_alive(pid)


def test_an_end_in_the_very_moment_of_a_message_loses_nothing() -> None:
    for seed in range(40):
        rt, got = SimRuntime(seed), []
        pid = rt.spawn_virtual(got.append, 1, SECOND)
        rt.send(pid, 0)
        rt.run_until_idle()
        # Another actor's timer is due at the same time as the idle end.
        answers = []
        sender = rt.spawn(lambda message, rt=rt, pid=pid, to=answers: to.append(rt.send(pid, 1)))
        rt.send_after(sender, SECOND, b"")
        rt.send_after(pid, SECOND, 2)
        rt.advance(3)
        assert not rt.is_alive(pid)
        stats = rt.stats()
        assert stats["expired"] == 0
        assert stats["sent"] == stats["accepted"] + stats["undeliverable"]
        assert stats["accepted"] == stats["handled"]
        assert (1 in got) is answers[0]


def test_stop_before_the_first_message_frees_the_pid_and_leaves_nothing() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    rt.register("lazy", pid)
    timer = rt.send_after(pid, SECOND, b"")
    assert rt.stop(pid) is True
    assert rt.send(pid, b"too late") is False
    rt.run_until_idle()
    assert not rt.is_alive(pid)
    assert rt.whereis("lazy") is None
    assert rt.cancel_timer(timer) is False
    assert ends == [(pid, "Killed")]
    assert rt._hub.world.next_time() is None
    assert books(rt) == {"sent": 1, "undeliverable": 1, "spawned": 1, "ended": 1}
    assert got == []
    assert rt.stop(pid) is False


def test_stop_after_drain_before_the_first_message_ends_it_at_once() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn_virtual(bool, idle_timeout_ms=SECOND)
    assert rt.stop_after_drain(pid, 5)
    assert rt.send(pid, b"") is False
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]


def test_stop_after_drain_handles_what_is_queued() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    for number in range(5):
        rt.send(pid, number)
    assert rt.stop_after_drain(pid, 5)
    rt.advance(10)
    assert got == [0, 1, 2, 3, 4]
    assert ends == [(pid, "Killed")]


def test_the_end_of_a_link_partner_ends_it_before_its_first_message() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid, partner = rt.spawn_virtual(bool, idle_timeout_ms=SECOND), rt.spawn(bool)
    rt.link(pid, partner)
    rt.stop(partner)
    rt.run_until_idle()
    assert sorted(ends) == sorted([(partner, "Killed"), (pid, "Killed")])


def test_shutdown_ends_it_before_its_first_message_and_after() -> None:
    rt = SimRuntime()
    pids = [rt.spawn_virtual(bool, idle_timeout_ms=SECOND) for _ in range(3)]
    rt.send(pids[0], b"")
    assert rt.shutdown() == []
    assert rt.send(pids[1], b"") is False
    with pytest.raises(iris.RuntimeClosed):
        rt.spawn_virtual(bool)


def test_an_idle_end_tells_links_monitors_and_hooks_as_every_end_does() -> None:
    rt = SimRuntime()
    observer, partner = rt.spawn_observed_handler(), rt.spawn(bool)
    pid = rt.spawn_virtual(bool, idle_timeout_ms=SECOND)
    rt.register("lazy", pid)
    rt.monitor(observer, pid)
    rt.link(pid, partner)
    rt.send(pid, b"")
    rt.advance(2)
    (down,) = rt.get_messages(observer)
    facts = (down.type_name, down.from_pid, down.target_pid, down.reason)
    assert facts == ("DOWN", pid, pid, "Normal")
    assert rt.whereis("lazy") is None
    assert rt.is_alive(partner)
    assert rt.join(pid, 0)


def test_an_idle_end_takes_the_children_along() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    child = rt.spawn_child(pid, got.append)
    rt.advance(5)
    assert rt.is_alive(child)
    rt.send(pid, 1)
    rt.advance(1)
    assert ends == [(child, "Killed"), (pid, "Normal")]


def test_the_stop_word_works_on_it_as_on_every_parent() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    rt.spawn_child(pid, got.append)
    childless = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    assert rt.send(pid, b"quit")
    assert rt.send(childless, b"quit")
    rt.run_until_idle()
    assert got == [b"quit", b"quit"]
    assert ends[-1] == (pid, "Normal")
    assert rt.is_alive(childless)


def test_a_system_message_is_a_message_where_it_is_received() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND, trap_exit=True)
    partners = [rt.spawn(bool), rt.spawn(bool)]
    for partner in partners:
        rt.link(pid, partner)
    rt.advance(5)
    rt.stop(partners[0])
    rt.advance(0.9)
    rt.stop(partners[1])
    rt.advance(0.9)
    assert [message.type_name for message in got] == ["EXIT", "EXIT"]
    assert rt.is_alive(pid)
    rt.advance(0.1)
    assert not rt.is_alive(pid)


def test_a_message_of_a_timer_is_the_first_one_too() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    rt.send_after(pid, 5 * SECOND, "rings")
    rt.advance(5.9)
    assert got == ["rings"]
    assert rt.is_alive(pid)
    rt.advance(0.1)
    assert not rt.is_alive(pid)


def test_a_timer_still_to_come_does_not_keep_it() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    rt.send(pid, 1)
    timer = rt.send_after(pid, 5 * SECOND, 2)
    rt.advance(1)
    assert not rt.is_alive(pid)
    assert rt.cancel_timer(timer) is False


def test_a_swap_before_the_first_message_begins_nothing() -> None:
    rt, old, new = SimRuntime(), [], []
    pid = rt.spawn_virtual(old.append, idle_timeout_ms=SECOND)
    assert rt.hot_swap(pid, new.append)
    assert rt.hot_swap(pid, new.append, when="now")
    rt.advance(10)
    assert rt.is_alive(pid)
    assert rt.behavior_version(pid) == 3
    rt.send(pid, 1)
    rt.advance(0.5)
    assert (old, new) == ([], [1])
    rt.advance(0.5)
    assert not rt.is_alive(pid)


def test_swaps_keep_their_place_among_its_messages() -> None:
    rt, old, new = SimRuntime(), [], []
    pid = rt.spawn_virtual(old.append, idle_timeout_ms=SECOND)
    rt.send(pid, 1)
    rt.hot_swap(pid, new.append)
    rt.send(pid, 2)
    rt.run_until_idle()
    assert (old, new) == ([1], [2])


def test_a_pool_may_take_the_handler_of_a_virtual_parent() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=SECOND)
    (worker,) = rt.spawn_child_pool(pid, None, 1)
    rt.send(worker, 1)
    rt.run_until_idle()
    assert got == [1]


def test_a_raising_handler_ends_it_as_panic_and_no_idle_end_follows() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn_virtual(lambda message: 1 / 0, idle_timeout_ms=SECOND)
    rt.send(pid, 1)
    rt.advance(5)
    assert ends == [(pid, "Panic")]
    assert books(rt)["failed"] == 1


def test_the_budget_holds() -> None:
    rt, order = SimRuntime(), []
    first = rt.spawn_virtual(lambda message: order.append("a"), 2, SECOND)
    second = rt.spawn_virtual(lambda message: order.append("b"), 2, SECOND)
    for _ in range(6):
        rt.send(first, b"")
        rt.send(second, b"")
    rt.run_until_idle()
    runs = "".join(order)
    assert sorted(runs) == list("aaaaaabbbbbb")
    assert [runs[place : place + 2] for place in range(0, 12, 2)].count("ab") == 0


def test_an_actor_may_send_to_itself_and_never_idles_then() -> None:
    rt, got = SimRuntime(), []

    def tick(message: int) -> None:
        got.append(message)
        if message < 9:
            rt.sleep(0.9)
            rt.send(rt.self_pid(), message + 1)

    pid = rt.spawn_virtual(tick, idle_timeout_ms=SECOND)
    rt.send(pid, 0)
    rt.advance(9 * 0.9 + 0.5)
    assert got == list(range(10))
    assert rt.is_alive(pid)
    rt.advance(1)
    assert not rt.is_alive(pid)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (0, iris.BadInput), (-1, iris.BadInput), (float("nan"), iris.BadInput),
        (float("inf"), iris.BadInput), (1e16, iris.BadInput), (True, TypeError),
        ("5", TypeError), (b"5", TypeError), ([], TypeError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_idle_time_that_cannot_be_is_refused(
    make: Callable[..., int], bad: Any, error: type[BaseException]
) -> None:
    rt = SimRuntime()
    with pytest.raises(error, match="idle_timeout_ms") as caught:
        make(rt, bool, 100, bad)
    assert repr(bad) in str(caught.value)
    assert books(rt) == {}


async def coroutine(message: Any) -> None:
    """No handler."""


@pytest.mark.parametrize(
    ("rest", "error", "part"),
    [
        ((None,), TypeError, "None"), ((coroutine,), TypeError, "iris.interop"),
        ((bool, 0, 5), iris.BadInput, "0"), ((bool, True, 5), TypeError, "True"),
        ((bool, 1.5), TypeError, "1.5"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_other_bad_arguments_are_refused_as_by_spawn(
    make: Callable[..., int], rest: tuple[Any, ...], error: type[BaseException], part: str
) -> None:
    rt = SimRuntime()
    with pytest.raises(error, match=part):
        make(rt, *rest)
    assert books(rt) == {}


def test_trap_exit_is_true_or_false() -> None:
    rt = SimRuntime()
    with pytest.raises(TypeError, match="trap_exit"):
        rt.spawn_virtual(bool, trap_exit=1)  # type: ignore[arg-type]


def test_before_its_first_message_it_costs_what_a_push_actor_costs() -> None:
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy does not count allocations")

    def cost(spawn: Callable[[SimRuntime], int]) -> int:
        rt = SimRuntime()
        spawn(rt)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(2000):
                spawn(rt)
            allocated: int = tracemalloc.get_traced_memory()[0]
            return allocated
        finally:
            tracemalloc.stop()

    push = cost(lambda rt: rt.spawn(bool))
    for idle_timeout_ms in (None, SECOND):
        lazy = cost(lambda rt, ms=idle_timeout_ms: rt.spawn_virtual(bool, idle_timeout_ms=ms))
        assert lazy <= push + 2000  # A byte each, for what measuring itself allocates.


def test_messages_change_no_heap_and_ended_actors_leave_the_book() -> None:
    rt = SimRuntime()
    keeper = rt.spawn_virtual(bool, idle_timeout_ms=SECOND)
    rt.send(keeper, b"")
    before = len(rt._hub.world._calls)
    for _ in range(500):
        rt.send(keeper, b"")
    assert len(rt._hub.world._calls) == before
    book = rt._system.spawning._lazy._book
    for _ in range(2000):
        pid = rt.spawn_virtual(bool, idle_timeout_ms=1e9)
        rt.send(pid, b"")
        rt.stop(pid)
        rt.run_until_idle()
    assert len(book) < 200
    rt.advance(2)
    assert not rt.is_alive(keeper)


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_of_them_end_together_and_all_are_found(seed: int) -> None:
    rt, got = SimRuntime(seed), []
    pids = [rt.spawn_virtual(got.append, idle_timeout_ms=SECOND) for _ in range(1000)]
    for pid in pids:
        rt.send(pid, pid)
    rt.advance(1)
    assert sorted(got) == sorted(pids)
    assert [pid for pid in pids if rt.is_alive(pid)] == []
    assert rt.stats()["ended"] == 1000
