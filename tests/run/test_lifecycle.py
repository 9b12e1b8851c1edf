"""How actors end: for which reason, by a stop or by themselves, and in which order of steps."""

from __future__ import annotations

from typing import Any

import pytest

import iris
from iris.run import lifecycle
from iris.testing import SimRuntime

from .actors import note_ends, raising

# -- reasons -----------------------------------------------------------------------------------


def test_an_exception_in_a_handler_ends_its_actor_with_panic() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(raising(ValueError("bad row")))
    rt.send(pid, b"")
    rt.run_until_idle()
    assert ends == [(pid, "Panic")]
    assert not rt.is_alive(pid)


def test_an_actor_that_declares_itself_unrecoverable_ends_with_crash() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(raising(iris.ActorCrash("state lost")))
    rt.send(pid, b"")
    rt.run_until_idle()
    assert ends == [(pid, "Crash")]


def test_stop_ends_an_actor_with_killed() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(len)
    assert rt.stop(pid) is True
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]


def test_a_push_actor_that_stops_itself_ends_as_normal() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(lambda message: rt.stop(rt.self_pid()))
    rt.send(pid, b"")
    rt.run_until_idle()
    assert ends == [(pid, "Normal")]


def test_a_pull_actor_that_stops_itself_ends_as_normal() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)

    def body(mailbox: iris.PyMailbox) -> None:
        rt.stop(rt.self_pid())
        while True:
            mailbox.recv()

    pid = rt.spawn_with_mailbox(body)
    rt.run_until_idle()
    assert ends == [(pid, "Normal")]


def test_a_pull_actor_whose_function_returns_ends_as_normal() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    rt.send(pid, b"")
    rt.run_until_idle()
    assert ends == [(pid, "Normal")]


def test_the_end_of_a_parent_ends_its_children_as_killed() -> None:
    rt = SimRuntime()
    parent = rt.spawn(raising(ValueError()))
    child = rt.spawn_child(parent, len)
    ends = note_ends(rt)
    rt.send(parent, b"")
    rt.run_until_idle()
    assert ends == [(child, "Killed"), (parent, "Panic")]


def test_shutdown_ends_actors_as_killed() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(len)
    rt.shutdown()
    assert ends == [(pid, "Killed")]


@pytest.mark.parametrize("word", list(iris.ExitReason))
def test_a_reason_equals_prints_and_formats_as_its_word(word: iris.ExitReason) -> None:
    assert word == word.value == str(word) == f"{word}" == format(word, "") == "%s" % word  # noqa: UP031
    assert isinstance(word, str)
    assert hash(word) == hash(word.value)
    assert {word.value: 1}[word] == 1
    assert f"{word:>15}" == word.value.rjust(15)


def test_the_reasons_are_the_words_of_the_contract() -> None:
    words = {"Normal", "Killed", "Panic", "Crash", "Disconnected", "NodeDown", "NoSuchActor"}
    assert {str(word) for word in iris.ExitReason} == words


def test_the_first_stop_decides_the_reason() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(lambda message: rt.sleep(1))
    partner = rt.spawn(raising(ValueError()))
    rt.link(pid, partner)
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.stop(pid)
    rt.send(partner, b"")
    rt.advance(1)
    assert (pid, "Killed") in ends


# -- stop ----------------------------------------------------------------------------------------


def test_after_a_stop_the_running_handler_finishes_and_queued_messages_expire() -> None:
    rt, got = SimRuntime(), []

    def handler(message: bytes) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn(handler)
    for message in (b"running", b"queued", b"queued too"):
        rt.send(pid, message)
    rt.run_until_idle()
    rt.stop(pid)
    rt.advance(2)
    assert got == [b"running"]
    assert not rt.is_alive(pid)
    assert (rt.stats()["handled"], rt.stats()["expired"]) == (1, 2)


def test_a_stop_before_the_first_turn_lets_no_message_start() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    rt.send(pid, b"")
    rt.stop(pid)
    rt.run_until_idle()
    assert got == []
    assert rt.stats()["expired"] == 1


def test_a_stop_from_the_handler_lets_no_further_message_of_the_batch_start() -> None:
    rt, got = SimRuntime(), []

    def handler(message: int) -> None:
        got.append(message)
        if message == 2:
            rt.stop(rt.self_pid())

    pid = rt.spawn(handler)
    for number in range(10):
        rt.send(pid, number)
    rt.run_until_idle()
    assert got == [0, 1, 2]
    assert rt.stats()["expired"] == 7


def test_a_second_stop_and_the_stop_of_the_dead_are_false() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.stop(pid)
    assert rt.stop(pid) is False
    rt.run_until_idle()
    assert rt.stop(pid) is False


def test_is_alive_is_true_until_dead_while_names_resolve_only_until_stopping() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(1))
    rt.register("one", pid)
    rt.register_path("/one", pid)
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.stop(pid)
    assert rt.is_alive(pid)
    assert (rt.whereis("one"), rt.resolve("one"), rt.whereis_path("/one")) == (None, None, None)
    assert rt.list_children("/") == rt.list_children_direct("/") == []
    rt.advance(1)
    assert not rt.is_alive(pid)


# -- the order of an end ---------------------------------------------------------------------------


def test_when_hooks_hear_of_an_end_everything_before_it_is_done() -> None:
    rt, seen = SimRuntime(), {}
    watcher = rt.spawn_observed_handler()
    parent = rt.spawn(lambda message: rt.spawn(len))
    child, timer = rt.spawn_child(parent, len), rt.send_after(parent, 1000, b"")
    rt.register("name", parent)
    rt.register_path("/path", parent)
    rt.watch(parent)
    ref = rt.monitor(watcher, parent)

    def look(pid: int, ending: Any) -> None:
        if pid == parent:
            seen.update(
                alive=rt.is_alive(parent), name=rt.whereis("name"), path=rt.whereis_path("/path"),
                sent=rt.send(parent, b""), timer=rt.cancel_timer(timer), child=rt.is_alive(child),
                monitor=rt.demonitor(ref), supervised=rt.child_pids(), size=rt.mailbox_size(parent),
            )  # fmt: skip

    rt.add_hook("exit", look)
    rt.stop(parent)
    rt.run_until_idle()
    # The pid goes last: the size of its mailbox is still known, and it is empty.
    assert seen == {
        "alive": False, "name": None, "path": None, "sent": False, "timer": False, "child": False,
        "monitor": False, "supervised": [], "size": 0,
    }  # fmt: skip
    assert rt.mailbox_size(parent) is None


def test_a_watcher_that_hears_of_an_end_finds_names_timers_and_children_gone() -> None:
    rt, seen = SimRuntime(), []
    parent = rt.spawn(len)
    child, timer = rt.spawn_child(parent, len), rt.send_after(parent, 1000, b"")
    rt.register("name", parent)

    def watch(message: Any) -> None:
        seen.append((rt.whereis("name"), rt.cancel_timer(timer), rt.is_alive(child)))

    rt.monitor(rt.spawn(watch, trap_exit=True), parent)
    rt.stop(parent)
    rt.run_until_idle()
    assert seen == [(None, False, False)]


def test_the_children_see_their_parent_dead_and_its_name_free() -> None:
    rt, seen = SimRuntime(), []
    parent = rt.spawn(raising(ValueError()))
    child = rt.spawn_child(parent, len)
    rt.register("name", parent)

    def look(pid: int, ending: Any) -> None:
        if pid == child:
            seen.append((rt.is_alive(parent), rt.whereis("name"), rt.send(parent, b"")))

    rt.add_hook("exit", look)
    rt.send(parent, b"")
    rt.run_until_idle()
    assert seen == [(False, None, False)]


def test_a_name_can_be_taken_anew_as_soon_as_its_holder_is_dead() -> None:
    rt, taken = SimRuntime(), []
    first, second = rt.spawn(raising(ValueError())), rt.spawn(len)
    rt.register("name", first)
    rt.add_hook("exit", lambda pid, ending: taken.append(rt.register("name", second)))
    rt.send(first, b"")
    rt.run_until_idle()
    assert taken == [True]
    assert rt.whereis("name") == second


def test_an_end_comes_once_whatever_else_happens_to_the_actor() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    parent = rt.spawn(len)

    def handler(message: bytes) -> None:
        rt.stop(rt.self_pid())
        rt.stop(parent)
        raise ValueError(message)

    child = rt.spawn_child(parent, handler)
    rt.link(parent, child)
    rt.send(child, b"")
    rt.run_until_idle()
    assert sorted(pid for pid, _ in ends) == [parent, child]


def test_an_exit_hook_that_raises_changes_nothing() -> None:
    rt = SimRuntime()
    rt.add_hook("exit", lambda pid, ending: 1 / 0)
    ends = note_ends(rt)
    pid = rt.spawn(len)
    rt.stop(pid)
    assert rt.join(pid, 1)
    assert ends == [(pid, "Killed")]


# -- signal handlers that raise in the middle --------------------------------------------------


class Cut(Exception):
    """What a signal handler raises."""


def test_a_stop_that_was_cut_short_ends_the_actor_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)

    def cut(_: Any) -> Any:
        monkeypatch.undo()
        raise Cut

    # After the change of the state, and before anything says that it was changed.
    monkeypatch.setattr(lifecycle, "ties_of", cut)
    with pytest.raises(Cut):
        rt.stop(pid)
    rt.run_until_idle()
    assert not rt.is_alive(pid)
    assert rt.stats()["actors"] == 0


def test_an_order_to_restart_that_was_cut_short_brings_the_rest_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rt = SimRuntime()
    specs = [iris.ChildSpec(name, lambda: len) for name in "ab"]
    supervisor = iris.Supervisor(rt, specs, strategy="restartall")
    first = supervisor.pid_of("a")
    assert first is not None
    cell = rt._system.table.get(first)
    assert cell is not None

    def cut(*_: Any) -> None:
        monkeypatch.undo()
        raise Cut

    monkeypatch.setattr(rt._system.lifecycle, "set_resting", cut)
    with pytest.raises(Cut):
        rt._system.restarting.order(cell)
    rt.run_until_idle()
    assert supervisor.children()[0].state == "at rest"
