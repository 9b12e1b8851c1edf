"""Bounded mailboxes: what each overflow policy does with a message that finds no room."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from iris.testing import SimRuntime

from .actors import bounded, held

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
