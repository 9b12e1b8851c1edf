"""The accounts of a runtime: one fate for every message, and numbers that add up."""

from __future__ import annotations

import pytest

import iris
from iris.testing import SimRuntime

NAMES = {
    "sent", "accepted", "handled", "failed", "refused", "undeliverable", "redirected", "spilled",
    "dropped_old", "expired", "quarantined", "forwarded", "in_doubt", "lost", "queued", "running",
    "actors", "spawned", "ended",
}  # fmt: skip


def check(stats: dict[str, int]) -> None:
    """Both identities hold."""
    assert stats["sent"] == sum(
        stats[name] for name in ("accepted", "refused", "undeliverable", "redirected")
    )
    assert stats["accepted"] == sum(
        stats[name]
        for name in (
            "handled", "failed", "dropped_old", "expired", "quarantined", "forwarded", "lost",
            "queued", "running",
        )
    )  # fmt: skip
    assert stats["spawned"] == stats["ended"] + stats["actors"]


def changed(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """The numbers that are others now, by how much."""
    return {name: after[name] - before[name] for name in NAMES if after[name] != before[name]}


def test_stats_has_at_least_the_promised_names_and_begins_with_zeros() -> None:
    stats = SimRuntime().stats()
    assert set(stats) >= NAMES
    assert set(stats.values()) == {0}


def test_a_handled_message() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    before = rt.stats()
    rt.send(pid, b"")
    assert changed(before, rt.stats()) == {"sent": 1, "accepted": 1, "queued": 1}
    rt.run_until_idle()
    assert changed(before, rt.stats()) == {"sent": 1, "accepted": 1, "handled": 1}


def test_a_running_message() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(1))
    before = rt.stats()
    rt.send(pid, b"")
    rt.send(pid, b"")
    rt.run_until_idle()
    expected = {"sent": 2, "accepted": 2, "queued": 1, "running": 1}
    assert changed(before, rt.stats()) == expected


def test_a_message_that_looks_at_the_accounts_is_running() -> None:
    rt, seen = SimRuntime(), []
    pid = rt.spawn(lambda message: seen.append(rt.stats()))
    for _ in range(3):
        rt.send(pid, b"")
    rt.run_until_idle()
    assert [(s["handled"], s["running"], s["queued"]) for s in seen] == [
        (0, 1, 2),
        (1, 1, 1),
        (2, 1, 0),
    ]
    for stats in seen:
        check(stats)


def test_a_message_whose_handler_raised() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: 1 / 0)
    before = rt.stats()
    rt.send(pid, b"")
    rt.run_until_idle()
    expected = {"sent": 1, "accepted": 1, "failed": 1, "actors": -1, "ended": 1}
    assert changed(before, rt.stats()) == expected


def test_a_message_that_was_queued_when_its_actor_ended() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    before = rt.stats()
    rt.send(pid, b"")
    rt.stop(pid)
    rt.run_until_idle()
    expected = {"sent": 1, "accepted": 1, "expired": 1, "actors": -1, "ended": 1}
    assert changed(before, rt.stats()) == expected


def test_a_message_to_nobody_and_one_to_a_stopping_actor() -> None:
    rt = SimRuntime()
    pid = rt.spawn(lambda message: rt.sleep(1))
    before = rt.stats()
    rt.send(pid + 1, b"")
    rt.send(pid, b"")
    rt.run_until_idle()
    rt.stop(pid)
    rt.send(pid, b"")
    expected = {"sent": 3, "undeliverable": 2, "accepted": 1, "running": 1}
    assert changed(before, rt.stats()) == expected


def test_a_message_of_a_timer_counts_like_any_other() -> None:
    rt = SimRuntime()
    pid = rt.spawn(len)
    before = rt.stats()
    rt.send_after(pid, 10, b"")
    assert changed(before, rt.stats()) == {}
    rt.advance(1)
    assert changed(before, rt.stats()) == {"sent": 1, "accepted": 1, "handled": 1}


def test_messages_an_observed_actor_keeps_are_handled() -> None:
    rt = SimRuntime()
    pid = rt.spawn_observed_handler()
    before = rt.stats()
    rt.send(pid, b"")
    rt.run_until_idle()
    assert changed(before, rt.stats()) == {"sent": 1, "accepted": 1, "handled": 1}
    rt.get_messages(pid)
    assert changed(before, rt.stats()) == {"sent": 1, "accepted": 1, "handled": 1}


def test_system_messages_markers_and_looks_count_nowhere() -> None:
    rt = SimRuntime()
    watcher, pid = rt.spawn_observed_handler(), rt.spawn(len)
    partner = rt.spawn(len)
    rt.monitor(watcher, partner)
    before = rt.stats()
    rt.hot_swap(pid, bool)
    rt.stop(partner)
    rt.run_until_idle()
    rt.get_messages(watcher)
    for _ in range(5):
        rt.stats()
    assert changed(before, rt.stats()) == {"actors": -1, "ended": 1}


def test_actors_are_counted_as_spawned_ended_and_living() -> None:
    rt = SimRuntime()
    pids = [rt.spawn(len), rt.spawn_observed_handler(), rt.spawn_py_handler_bounded(len, 10, 1)]
    rt.spawn_child(pids[0], len)
    rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    rt.stop(pids[0])
    rt.run_until_idle()
    stats = rt.stats()
    assert (stats["spawned"], stats["ended"], stats["actors"]) == (5, 2, 3)


@pytest.mark.parametrize("call", ["spawn_with_path_observed", "bad handler", "dead parent"])
def test_a_spawn_that_failed_does_not_count(call: str) -> None:
    rt = SimRuntime()
    rt.spawn_with_path_observed(10, "/taken")
    dead = rt.spawn(len)
    rt.stop(dead)
    rt.run_until_idle()
    before = rt.stats()["actors"]
    with pytest.raises((iris.IrisError, TypeError)):
        {
            "spawn_with_path_observed": lambda: rt.spawn_with_path_observed(10, "/taken"),
            "bad handler": lambda: rt.spawn(None),
            "dead parent": lambda: rt.spawn_child(dead, len),
        }[call]()
    rt.run_until_idle()
    assert rt.stats()["actors"] == before
    check(rt.stats())


class Bookkeeper:
    """Actors that pass messages on in a circle, some with a bound, and the test's own counts."""

    def __init__(self, seed: int) -> None:
        self.rt = SimRuntime(seed=seed)
        self.true = self.false = self.handled = 0
        self.pids = [self.rt.spawn(self.handle, 1 + number % 3) for number in range(5)]
        self.pids += [self.rt.spawn_py_handler_bounded(self.handle, 2, 1) for _ in range(3)]

    def send(self, place: int, message: int) -> None:
        """Send and count the answer."""
        if self.rt.send(self.pids[place % len(self.pids)], message):
            self.true += 1
        else:
            self.false += 1

    def handle(self, message: int) -> None:
        """Fail now and then; else count, and send on until the number is 0."""
        if message % 13 == 12:
            raise ValueError("as it should")
        self.handled += 1
        if message:
            self.send(message, message - 1)


@pytest.mark.parametrize("seed", range(30))
def test_the_test_counts_for_itself_and_agrees(seed: int) -> None:
    mine = Bookkeeper(seed)
    for number in range(40):
        mine.send(number, number)
    assert mine.rt.quiesce()
    stats = mine.rt.stats()
    check(stats)
    assert stats["accepted"] == mine.true
    assert stats["refused"] + stats["undeliverable"] == mine.false
    assert stats["handled"] == mine.handled
    assert stats["queued"] == stats["running"] == 0
