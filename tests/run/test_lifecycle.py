"""How actors end: why, in which order of steps, what becomes of their children and messages."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime


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


def test_stop_after_drain_lets_the_queue_empty_first() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)
    pid = rt.spawn(got.append, 1)
    for number in range(5):
        rt.send(pid, number)
    rt.stop_after_drain(pid, 1.0)
    rt.advance(1)
    assert got == [0, 1, 2, 3, 4]
    assert [end[0] for end in ends] == [pid]
    assert rt.stats()["expired"] == 0


def test_stop_after_drain_gives_up_at_its_timeout() -> None:
    rt, got = SimRuntime(), []

    def slow(message: int) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn(slow)
    for number in range(5):
        rt.send(pid, number)
    rt.stop_after_drain(pid, 1.5)
    rt.advance(10)
    assert got == [0, 1]
    assert not rt.is_alive(pid)
    assert rt.stats()["expired"] == 3


def draining(rt: SimRuntime, got: list[Any]) -> int:
    """An actor that drains two slow messages, with a name and a path."""

    def slow(message: Any) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn(slow, trap_exit=True)
    rt.register("one", pid)
    rt.register_path("/one", pid)
    rt.send(pid, "first")
    rt.send(pid, "second")
    rt.run_until_idle()
    assert rt.stop_after_drain(pid, 10) is True
    return pid


def test_an_actor_that_drains_is_alive_and_takes_no_message_swap_child_or_second_stop() -> None:
    rt, got = SimRuntime(), []
    pid = draining(rt, got)
    assert rt.is_alive(pid)
    assert rt.send(pid, "late") is False
    assert rt.stop_after_drain(pid, 10) is False
    assert rt.hot_swap(pid, bool) is False
    with pytest.raises(iris.ActorDead):
        rt.spawn_child(pid, bool)
    rt.advance(2)
    assert got == ["first", "second"]
    assert not rt.is_alive(pid)


def test_names_and_paths_do_not_resolve_to_an_actor_that_drains() -> None:
    rt = SimRuntime()
    pid = draining(rt, [])
    assert (rt.whereis("one"), rt.whereis_path("/one"), rt.list_children("/")) == (None, None, [])
    assert rt.register("two", pid) is False


def test_an_actor_that_drains_can_still_be_stopped_at_once() -> None:
    rt, got = SimRuntime(), []
    pid = draining(rt, got)
    assert rt.stop(pid) is True
    rt.advance(5)
    assert got == ["first"]
    assert rt.stats()["expired"] == 1


def test_stop_after_drain_of_an_idle_actor_ends_it_at_once() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    pid = rt.spawn(len)
    rt.stop_after_drain(pid, 10)
    rt.run_until_idle()
    assert ends == [(pid, "Killed")]


def test_an_actor_that_drains_and_ends_itself_ends_as_normal() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)

    def handler(message: int) -> None:
        got.append(message)
        if message == 0:
            rt.stop_after_drain(rt.self_pid(), 10)

    pid = rt.spawn(handler)
    for number in range(3):
        rt.send(pid, number)
    rt.run_until_idle()
    assert got == [0, 1, 2]
    assert ends == [(pid, "Normal")]


def test_a_pull_actor_drains_too() -> None:
    rt, got = SimRuntime(), []
    ends = note_ends(rt)

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.recv())
            rt.sleep(1)

    pid = rt.spawn_with_mailbox(body)
    for message in ("a", "b"):
        rt.send(pid, message)
    rt.run_until_idle()
    rt.stop_after_drain(pid, 10)
    assert rt.send(pid, "late") is False
    rt.advance(5)
    assert got == ["a", "b", None]
    assert ends == [(pid, "Killed")]


def test_the_drain_of_a_bounded_actor_answers_those_who_wait_at_once() -> None:
    rt, got, answers = SimRuntime(), [], []

    def slow(message: Any) -> None:
        rt.sleep(1)
        got.append(message)

    pid = rt.spawn_py_handler_bounded(slow, 10, 1)
    rt.set_overflow_policy(pid, "block")
    for message in ("running", "queued"):
        rt.send(pid, message)
        rt.run_until_idle()
    rt.send(rt.spawn(lambda message: answers.append(rt.send(pid, message))), "waits")
    rt.run_until_idle()
    rt.stop_after_drain(pid, 10)
    rt.run_until_idle()
    assert answers == [False]
    rt.advance(5)
    assert got == ["running", "queued"]


# -- join ------------------------------------------------------------------------------------------


def test_join_waits_until_the_actor_has_ended() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(3))
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.stop(pid)
    assert rt.join(pid) is True
    assert rt.now == 3
    assert not rt.is_alive(pid)


def test_join_gives_false_when_its_time_is_over() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.join(pid, 0.5) is False
    assert rt.now == 0.5
    assert rt.is_alive(pid)


def test_join_of_the_ended_or_unknown_is_true_at_once() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.run_until_idle()
    assert rt.join(pid) is True
    assert rt.join(pid + 1, 0) is True


def test_join_in_a_handler_lets_other_actors_go_on() -> None:
    rt, log = SimRuntime(), []
    target = rt.spawn(lambda message: rt.sleep(1))
    waiter = rt.spawn(lambda message: log.append(rt.join(target)))
    other = rt.spawn(log.append)
    rt.send(target, b"")
    rt.send(waiter, b"")
    rt.run_until_idle()
    rt.send(other, "meanwhile")
    rt.stop(target)
    rt.advance(1)
    assert log == ["meanwhile", True]


def test_join_of_a_parent_waits_for_its_children_too() -> None:
    rt = SimRuntime()
    parent = rt.spawn(len)
    rt.send(rt.spawn_child(parent, lambda message: rt.sleep(1)), b"")
    rt.run_until_idle()
    rt.stop(parent)
    rt.run_until_idle()
    assert not rt.is_alive(parent)
    assert rt.join(parent, 0.5) is False
    assert rt.join(parent, 5) is True
    assert rt.now == 1


def test_several_may_join_the_same_actor() -> None:
    rt, log = SimRuntime(), []
    target = rt.spawn(len)
    for _ in range(5):
        rt.send(rt.spawn(lambda message: log.append(rt.join(target))), b"")
    rt.run_until_idle()
    rt.stop(target)
    rt.run_until_idle()
    assert log == [True] * 5


def test_join_of_oneself_raises_at_once() -> None:
    rt, errors = SimRuntime(), []

    def handler(message: bytes) -> None:
        with pytest.raises(iris.WouldDeadlock, match="its own end") as caught:
            rt.join(rt.self_pid())
        errors.append(caught)

    pid = rt.spawn(handler)
    rt.send(pid, b"")
    rt.run_until_idle()
    assert len(errors) == 1
    assert rt.is_alive(pid)


def test_a_join_that_closes_a_circle_of_waiting_actors_raises_at_once() -> None:
    rt, log, pids = SimRuntime(), [], {}

    def handler(whom: str) -> None:
        try:
            log.append(rt.join(pids[whom], 60))
        except iris.WouldDeadlock as error:
            log.append(str(error))
            rt.stop(rt.self_pid())

    pids["a"], pids["b"] = rt.spawn(handler), rt.spawn(handler)
    rt.send(pids["a"], "b")
    rt.send(pids["b"], "a")
    rt.run_until_idle()
    assert len(log) == 2
    assert True in log


def test_join_while_an_exit_hook_is_slow_is_woken_by_the_end() -> None:
    rt = SimRuntime()
    rt.add_hook("exit", lambda pid, ending: rt.sleep(1))
    pid = rt.spawn(raising(ValueError()))
    rt.send(pid, b"")
    rt.step()
    assert rt.join(pid, 10) is True
    assert rt.now == 1


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


# -- parents and children --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "panic", "stop word", "link", "shutdown"])
def test_however_a_parent_ends_its_children_end_before_it(how: str) -> None:
    rt = SimRuntime()
    parent = rt.spawn(lambda message: 1 / 0 if message == b"panic" else None)
    children = [rt.spawn_child(parent, len) for _ in range(3)]
    partner = rt.spawn(raising(ValueError()))
    rt.link(parent, partner)
    ends = note_ends(rt)
    {
        "stop": lambda: rt.stop(parent),
        "panic": lambda: rt.send(parent, b"panic"),
        "stop word": lambda: rt.send(parent, b"quit"),
        "link": lambda: rt.send(partner, b""),
        "shutdown": rt.shutdown,
    }[how]()
    rt.run_until_idle()
    order = [pid for pid, _ in ends if pid != partner]
    assert set(order[:3]) == set(children)
    assert order[3:] == [parent]


def test_a_tree_ends_deepest_first() -> None:
    for seed in range(20):
        rt = SimRuntime(seed=seed)
        root = rt.spawn(len)
        parent_of, level = {root: 0}, [root]
        for _ in range(4):
            below = [(rt.spawn_child(pid, len), pid) for pid in level for _ in range(2)]
            parent_of.update(below)
            level = [pid for pid, _ in below]
        ends = note_ends(rt)
        rt.stop(root)
        rt.run_until_idle()
        place = {pid: number for number, (pid, _) in enumerate(ends)}
        assert len(place) == 31
        assert all(place[pid] < place[parent_of[pid]] for pid in place if pid != root)


def test_a_line_of_generations_deeper_than_the_recursion_limit_ends() -> None:
    rt = SimRuntime()
    ends = note_ends(rt)
    line = [rt.spawn(len)]
    for _ in range(1200):
        line.append(rt.spawn_child(line[-1], len))
    rt.stop(line[0])
    rt.run_until_idle()
    assert [pid for pid, _ in ends] == line[::-1]


def test_the_end_of_a_child_leaves_parent_and_siblings_alone() -> None:
    rt = SimRuntime()
    parent = rt.spawn(len)
    bad, good = rt.spawn_child(parent, raising(ValueError())), rt.spawn_child(parent, len)
    rt.send(bad, b"")
    rt.run_until_idle()
    assert not rt.is_alive(bad)
    assert rt.is_alive(parent)
    assert rt.is_alive(good)


def test_a_parent_waits_for_a_child_that_is_busy() -> None:
    rt, got = SimRuntime(), []

    def busy(message: bytes) -> None:
        rt.sleep(2)
        got.append(message)

    parent = rt.spawn(len)
    child = rt.spawn_child(parent, busy)
    rt.send(child, b"done")
    rt.run_until_idle()
    ends = note_ends(rt)
    rt.stop(parent)
    rt.advance(1.9)
    assert ends == []
    assert not rt.is_alive(parent)
    rt.advance(0.1)
    assert got == [b"done"]
    assert [pid for pid, _ in ends] == [child, parent]


def test_after_the_shutdown_timeout_a_waiting_child_is_interrupted() -> None:
    rt = SimRuntime(shutdown_timeout_s=2)
    parent = rt.spawn(len)
    child = rt.spawn_child(parent, lambda message: rt.sleep(1000))
    rt.send(child, b"")
    rt.run_until_idle()
    ends = note_ends(rt)
    rt.stop(parent)
    rt.advance(1.99)
    assert ends == []
    rt.advance(0.01)
    assert ends == [(child, "Killed"), (parent, "Killed")]


def stubborn(rt: SimRuntime, log: list[Any]) -> Callable[[Any], None]:
    """A handler that no interruption ends for ten seconds."""

    def handler(message: Any) -> None:
        end = rt.now + 10
        while rt.now < end:
            try:
                rt.sleep(end - rt.now)
            except BaseException:
                log.append("interrupted")
        log.append(message)

    return handler


def test_a_child_that_cannot_be_ended_is_orphaned_dead_to_the_api_and_reported() -> None:
    rt, log, orphans = SimRuntime(shutdown_timeout_s=2), [], []
    rt.add_hook("orphan", orphans.append)
    parent = rt.spawn(len)
    child = rt.spawn_child(parent, stubborn(rt, log))
    rt.register("name", child)
    rt.send(child, "message")
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(2.1)
    assert orphans == [child]
    assert not rt.is_alive(child)
    assert rt.whereis("name") is None
    assert rt.send(child, b"") is False
    assert rt.join(parent, 0) is True


def test_an_orphan_whose_code_comes_back_ends_nothing_twice_and_loses_no_count() -> None:
    rt, log = SimRuntime(shutdown_timeout_s=2), []
    ends = note_ends(rt)
    parent = rt.spawn(len)
    child = rt.spawn_child(parent, stubborn(rt, log))
    for message in ("first", "second"):
        rt.send(child, message)
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(20)
    assert log == ["interrupted", "first"]
    assert [pid for pid, _ in ends] == [child, parent]
    stats = rt.stats()
    assert rt.quiesce()
    assert (stats["accepted"], stats["handled"], stats["expired"]) == (2, 1, 1)


def test_a_pull_child_that_cannot_be_ended_is_orphaned() -> None:
    rt, orphans = SimRuntime(shutdown_timeout_s=2), []
    rt.add_hook("orphan", orphans.append)
    parent = rt.spawn(len)
    child = rt.spawn_child_with_mailbox(parent, lambda mailbox: rt.sleep(100))
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(3)
    assert orphans == [child]
    assert not rt.is_alive(child)
    assert not rt.is_alive(parent)
    rt.advance(200)
    assert rt.stats()["actors"] == 0
