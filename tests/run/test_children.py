"""Parents and children: who ends with whom, in which order, and what cannot be ended."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from iris.testing import SimRuntime

from .actors import note_ends, raising


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
