"""Bounded mailboxes: what each overflow policy does with a message that finds no room."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

import iris
from iris.testing import SimRuntime


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


# -- size ------------------------------------------------------------------------------------------


def test_mailbox_size_is_the_number_of_queued_messages_and_none_for_an_unknown_pid() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert rt.mailbox_size(pid) == 0
    for number in range(1, 6):
        rt.send(pid, b"")
        assert rt.mailbox_size(pid) == number
    rt.run_until_idle()
    assert rt.mailbox_size(pid) == 0
    assert rt.mailbox_size(pid + 1) is None


def test_the_running_message_does_not_count_as_queued() -> None:
    rt, sizes = SimRuntime(), []
    pid = rt.spawn(lambda message: sizes.append(rt.mailbox_size(rt.self_pid())))
    for _ in range(4):
        rt.send(pid, b"")
    rt.run_until_idle()
    assert sizes == [3, 2, 1, 0]


def test_the_running_message_takes_no_room() -> None:
    rt, got = SimRuntime(), []
    pid = held(rt, got, 1)
    rt.set_overflow_policy(pid, "dropnew")
    rt.send(pid, "running")
    rt.run_until_idle()
    assert [rt.send(pid, "queued"), rt.send(pid, "refused")] == [True, False]


# -- dropnew ---------------------------------------------------------------------------------------


def test_with_capacity_two_the_third_send_before_the_handler_runs_is_false() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_py_handler_bounded(got.append, budget=100, capacity=2)
    assert [rt.send(pid, message) for message in (b"1", b"2", b"3")] == [True, True, False]
    rt.run_until_idle()
    assert got == [b"1", b"2"]
    assert (rt.stats()["accepted"], rt.stats()["refused"]) == (2, 1)


def test_there_is_room_again_after_messages_were_handled() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_py_handler_bounded(got.append, 100, 1)
    for _ in range(3):
        assert rt.send(pid, b"")
        assert not rt.send(pid, b"")
        rt.run_until_idle()
    assert len(got) == 3


def test_an_actor_that_is_not_bounded_never_refuses() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    assert all(rt.send(pid, b"") for _ in range(10_000))


# -- dropold ---------------------------------------------------------------------------------------


def test_dropold_evicts_the_oldest_and_accepts_the_newcomer() -> None:
    rt, got = SimRuntime(), []
    pid = bounded(rt, got, 2, "dropold")
    assert all(rt.send(pid, number) for number in range(5))
    assert rt.mailbox_size(pid) == 2
    rt.run_until_idle()
    assert got == [3, 4]
    assert (rt.stats()["accepted"], rt.stats()["dropped_old"]) == (5, 3)


# -- redirect --------------------------------------------------------------------------------------


def test_redirect_sends_the_overflow_to_its_target() -> None:
    rt, first, second = SimRuntime(), [], []
    pid = bounded(rt, first, 1, "redirect", rt.spawn(second.append))
    assert all(rt.send(pid, message) for message in "abc")
    rt.run_until_idle()
    assert (first, second) == (["a"], ["b", "c"])
    stats = rt.stats()
    assert (stats["sent"], stats["accepted"], stats["redirected"]) == (5, 3, 2)


@pytest.mark.parametrize("kind", ["pull", "observed", "bounded", "child"])
def test_actors_of_every_kind_may_be_targets(kind: str) -> None:
    rt, got = SimRuntime(), []
    target = {
        "pull": lambda: rt.spawn_with_mailbox(lambda mailbox: got.append(mailbox.recv())),
        "observed": rt.spawn_observed_handler,
        "bounded": lambda: rt.spawn_py_handler_bounded(got.append, 10, 1),
        "child": lambda: rt.spawn_child(rt.spawn(len), got.append),
    }[kind]()
    pid = bounded(rt, [], 1, "redirect", target)
    assert [rt.send(pid, "own"), rt.send(pid, "overflow")] == [True, True]
    rt.run_until_idle()
    assert (got or rt.get_messages(target)) == ["overflow"]


def test_redirect_to_a_dead_target_is_refused() -> None:
    rt, got = SimRuntime(), []
    target = rt.spawn(len)
    pid = bounded(rt, got, 1, "redirect", target)
    rt.stop(target)
    rt.run_until_idle()
    assert [rt.send(pid, "a"), rt.send(pid, "b")] == [True, False]
    assert (rt.stats()["refused"], rt.stats()["redirected"]) == (1, 0)


def test_a_chain_of_eight_redirects_arrives_and_one_of_nine_is_refused() -> None:
    for length in (8, 9):
        rt, got = SimRuntime(), []
        target = rt.spawn(got.append)
        for _ in range(length):
            target = bounded(rt, [], 1, "redirect", target)
            rt.send(target, "full")
        answer = rt.send(target, "overflow")
        rt.run_until_idle()
        assert answer is (length == 8)
        assert got == ["overflow"] * (length == 8)
        assert rt.stats()["refused"] == length - 8


def test_redirects_in_a_circle_are_refused_and_the_accounts_hold() -> None:
    rt = SimRuntime()
    one, two = (rt.spawn_py_handler_bounded(len, 10, 1) for _ in range(2))
    rt.set_overflow_policy(one, "redirect", two)
    rt.set_overflow_policy(two, "redirect", one)
    assert [rt.send(one, b"") for _ in range(3)] == [True, True, False]
    stats = rt.stats()
    assert stats["sent"] == stats["accepted"] + stats["refused"] + stats["redirected"]
    assert (stats["accepted"], stats["refused"]) == (2, 1)


def test_redirect_to_a_full_target_is_refused_by_that_target() -> None:
    rt = SimRuntime()
    full = rt.spawn_py_handler_bounded(len, 10, 1)
    rt.send(full, b"")
    pid = bounded(rt, [], 1, "redirect", full)
    assert [rt.send(pid, b""), rt.send(pid, b"")] == [True, False]
    assert (rt.stats()["redirected"], rt.stats()["refused"]) == (1, 1)


def test_redirect_never_waits_at_a_target_that_blocks() -> None:
    rt, got = SimRuntime(), []
    full = held(rt, got, 1)
    rt.send(full, "queued")
    pid = bounded(rt, [], 1, "redirect", full)
    assert [rt.send(pid, "own"), rt.send(pid, "overflow")] == [True, False]
    assert rt.now == 0
    assert rt.stats()["refused"] == 1


# -- spill -----------------------------------------------------------------------------------------


def test_spill_keeps_the_original_over_the_bound_and_copies_it_to_the_target() -> None:
    rt, first, second = SimRuntime(), [], []
    pid = bounded(rt, first, 1, "spill", rt.spawn(second.append))
    assert all(rt.send(pid, message) for message in "abc")
    assert rt.mailbox_size(pid) == 3
    rt.run_until_idle()
    assert (first, second) == (["a", "b", "c"], ["b", "c"])
    stats = rt.stats()
    assert (stats["sent"], stats["accepted"], stats["spilled"]) == (5, 5, 2)


def test_spill_to_a_dead_target_still_keeps_the_original() -> None:
    rt, got = SimRuntime(), []
    target = rt.spawn(len)
    pid = bounded(rt, got, 1, "spill", target)
    rt.stop(target)
    rt.run_until_idle()
    assert [rt.send(pid, "a"), rt.send(pid, "b")] == [True, True]
    rt.run_until_idle()
    assert got == ["a", "b"]
    assert rt.stats()["undeliverable"] == 1


def test_spill_in_a_circle_gives_nobody_the_same_message_twice() -> None:
    rt, got = SimRuntime(), ([], [])
    one, two = (rt.spawn_py_handler_bounded(kept.append, 10, 1) for kept in got)
    rt.set_overflow_policy(one, "spill", two)
    rt.set_overflow_policy(two, "spill", one)
    assert [rt.send(one, "a"), rt.send(two, "b"), rt.send(one, "c")] == [True] * 3
    rt.run_until_idle()
    assert got == (["a", "c"], ["b", "c"])


# -- block -----------------------------------------------------------------------------------------


def test_block_waits_until_there_is_room() -> None:
    rt, got = SimRuntime(), []
    pid = held(rt, got, 1)
    assert all(rt.send(pid, number) for number in range(4))
    assert rt.now == 2
    rt.advance(10)
    assert got == [0, 1, 2, 3]


def test_an_actor_that_waits_at_a_full_mailbox_lets_others_go_on() -> None:
    rt, got, log = SimRuntime(), [], []
    pid = held(rt, got, 1)
    rt.send(pid, "running")
    rt.run_until_idle()
    rt.send(pid, "queued")
    sender = rt.spawn(lambda message: log.append(rt.send(pid, "waits")))
    other = rt.spawn(log.append)
    rt.send(sender, b"")
    rt.run_until_idle()
    rt.send(other, "meanwhile")
    rt.run_until_idle()
    assert log == ["meanwhile"]
    rt.advance(1)
    assert log == ["meanwhile", True]


def waiting_senders(rt: SimRuntime, pid: int, log: list[Any], how_many: int) -> None:
    """Senders that wait in front of a mailbox with room for one, which is full."""
    rt.send(pid, "running")
    rt.run_until_idle()
    rt.send(pid, "queued")
    for number in range(how_many):
        sender = rt.spawn(lambda number: log.append((number, rt.send(pid, number))))
        rt.send(sender, number)
        rt.run_until_idle()
    assert log == []


def test_those_who_wait_are_admitted_in_the_order_in_which_they_came() -> None:
    rt, got, log = SimRuntime(), [], []
    pid = held(rt, got, 1)
    waiting_senders(rt, pid, log, 5)
    assert rt.mailbox_size(pid) == 1
    rt.advance(20)
    assert got == ["running", "queued", 0, 1, 2, 3, 4]
    assert log == [(number, True) for number in range(5)]


def test_an_actor_may_wait_at_a_mailbox_of_another_runtime() -> None:
    # Both runtimes give their first actors the same pid, which must confuse nobody.
    one, two = SimRuntime(), SimRuntime()
    got: list[Any] = []
    full = two.spawn_py_handler_bounded(got.append, 1, 1)
    two.set_overflow_policy(full, "block")
    two.send(full, "first")
    sender = one.spawn(lambda message: got.append(two.send(full, "second")))
    assert sender == full
    one.send(sender, b"")
    for rt in (one, two, one, two):
        rt.run_until_idle()
    assert [message for message in got if message is not True] == ["first", "second"]
    assert got.count(True) == 1


@pytest.mark.parametrize("how", ["stop", "panic", "shutdown"])
def test_the_end_of_the_actor_wakes_all_who_wait_with_false(how: str) -> None:
    rt, log = SimRuntime(), []

    def handler(message: Any) -> None:
        rt.sleep(1)
        raise ValueError("as it should")

    pid = rt.spawn_py_handler_bounded(handler, 10, 1)
    rt.set_overflow_policy(pid, "block")
    waiting_senders(rt, pid, log, 3)
    {
        "stop": lambda: rt.stop(pid),
        "panic": lambda: rt.advance(1),
        "shutdown": rt.shutdown,
    }[how]()
    rt.run_until_idle()
    assert sorted(log) == [(0, False), (1, False), (2, False)]


def test_a_sender_that_was_woken_by_the_end_counts_as_undeliverable() -> None:
    rt, log = SimRuntime(), []
    pid = held(rt, [], 1)
    waiting_senders(rt, pid, log, 3)
    rt.stop(pid)
    rt.advance(2)
    stats = rt.stats()
    assert (stats["undeliverable"], stats["expired"], stats["handled"]) == (3, 1, 4)
    assert stats["sent"] == stats["accepted"] + stats["undeliverable"]


@pytest.mark.parametrize("policy", ["dropnew", "dropold", "redirect", "spill"])
def test_a_change_of_policy_wakes_all_who_wait_and_they_try_anew(policy: str) -> None:
    rt, got, log, aside = SimRuntime(), [], [], []
    pid = held(rt, got, 1)
    waiting_senders(rt, pid, log, 3)
    needs_target = policy in ("redirect", "spill")
    rt.set_overflow_policy(pid, policy, rt.spawn(aside.append) if needs_target else None)
    rt.run_until_idle()
    assert sorted(log) == [(number, policy != "dropnew") for number in range(3)]
    rt.advance(20)
    expected = {
        "dropnew": (["running", "queued"], []),
        "dropold": (["running", 2], []),
        "redirect": (["running", "queued"], [0, 1, 2]),
        "spill": (["running", "queued", 0, 1, 2], [0, 1, 2]),
    }[policy]
    assert (len(got), sorted(aside)) == (len(expected[0]), expected[1])


def test_a_waiting_sender_that_is_stopped_and_interrupted_takes_its_message_back() -> None:
    rt, got = SimRuntime(shutdown_timeout_s=0.1), []
    pid = held(rt, got, 1)
    rt.send(pid, "running")
    rt.run_until_idle()
    rt.send(pid, "queued")
    parent = rt.spawn(len)
    sender = rt.spawn_child(parent, lambda message: rt.send(pid, "withdrawn"))
    rt.send(sender, b"")
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(20)
    assert got == ["running", "queued"]
    stats = rt.stats()
    assert stats["sent"] == stats["accepted"] + stats["refused"]


def test_an_actor_that_would_wait_for_itself_is_told_so() -> None:
    rt, errors = SimRuntime(), []

    def handler(message: bytes) -> None:
        if message != b"first":
            return
        rt.send(rt.self_pid(), b"fits")
        with pytest.raises(iris.WouldDeadlock, match=str(rt.self_pid())):
            rt.send(rt.self_pid(), b"waits for ever")
        errors.append(message)

    pid = rt.spawn_py_handler_bounded(handler, 10, 1)
    rt.set_overflow_policy(pid, "block")
    rt.send(pid, b"first")
    rt.step()
    assert errors == [b"first"]


def test_senders_that_would_wait_for_each_other_are_told_so_at_once() -> None:
    rt, log = SimRuntime(), []
    pids: dict[str, int] = {}

    def handler(whom: str) -> None:
        try:
            log.append([rt.send(pids[whom], whom) for _ in range(3)])
        except iris.WouldDeadlock as error:
            log.append(str(error))
            rt.stop(rt.self_pid())

    for name in "ab":
        pids[name] = rt.spawn_py_handler_bounded(handler, 10, 1)
        rt.set_overflow_policy(pids[name], "block")
    rt.send(pids["a"], "b")
    rt.send(pids["b"], "a")
    rt.run_until_idle()
    assert [entry for entry in log if isinstance(entry, str)]


# -- policies in general ---------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["dropnew", "DropNew", "DROPNEW", "drop_new"])
def test_the_word_of_a_policy_may_be_written_in_any_case(word: str) -> None:
    rt = SimRuntime()
    pid = rt.spawn_py_handler_bounded(len, 10, 1)
    rt.set_overflow_policy(pid, word)
    assert [rt.send(pid, b""), rt.send(pid, b"")] == [True, False]


@pytest.mark.parametrize("policy", ["dropnew", "dropold", "redirect", "spill", "block"])
def test_system_messages_are_never_subject_to_a_policy(policy: str) -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn_py_handler_bounded(got.append, 10, 1, trap_exit=True)
    needs_target = policy in ("redirect", "spill")
    rt.set_overflow_policy(pid, policy, rt.spawn(len) if needs_target else None)
    rt.send(pid, b"full")
    for partner in [rt.spawn(len) for _ in range(5)]:
        rt.link(pid, partner)
        rt.stop(partner)
    rt.run_until_idle()
    assert len(got) == 6


@pytest.mark.parametrize(
    ("policy", "fates"),
    [
        ("dropnew", {"accepted": 2, "refused": 3}),
        ("dropold", {"accepted": 5, "dropped_old": 3}),
        ("redirect", {"accepted": 5, "redirected": 3}),
        ("spill", {"accepted": 8, "spilled": 3}),
    ],
)
def test_every_message_has_exactly_one_fate_under_each_policy(
    policy: str, fates: dict[str, int]
) -> None:
    rt = SimRuntime()
    target = rt.spawn(len) if policy in ("redirect", "spill") else None
    pid = bounded(rt, [], 2, policy, target)
    for _ in range(5):
        rt.send(pid, b"")
    rt.run_until_idle()
    stats = rt.stats()
    assert {name: stats[name] for name in fates} == fates
    turned_away = stats["refused"] + stats["undeliverable"] + stats["redirected"]
    assert stats["sent"] == stats["accepted"] + turned_away
    assert stats["accepted"] == stats["handled"] + stats["dropped_old"]


def swap_policies(rt: SimRuntime, pid: int, target: int) -> Callable[[Any], None]:
    """A handler that sets a policy anew with each message."""
    words = iter(["dropold", "spill", "block", "redirect", "dropnew"] * 100)

    def handler(message: Any) -> None:
        word = next(words)
        rt.set_overflow_policy(pid, word, target if word in ("redirect", "spill") else None)

    return handler


@pytest.mark.parametrize("seed", range(20))
def test_policies_may_change_at_any_time_without_losing_count(seed: int) -> None:
    rt, first, second = SimRuntime(seed=seed), [], []
    pid = rt.spawn_py_handler_bounded(first.append, 1, 2)
    changer = rt.spawn(swap_policies(rt, pid, rt.spawn(second.append)), 1)
    sender = rt.spawn(lambda number: rt.send(pid, number), 3)
    for number in range(100):
        rt.send(sender, number)
        rt.send(changer, b"")
    assert rt.quiesce(10)
    stats = rt.stats()
    turned_away = stats["refused"] + stats["undeliverable"] + stats["redirected"]
    assert stats["sent"] == stats["accepted"] + turned_away
    assert stats["accepted"] == stats["handled"] + stats["dropped_old"]
    assert first == sorted(first)
