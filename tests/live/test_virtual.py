"""Virtual actors on a real hub: idle ends beside senders of other threads, and buffers."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live


@pytest.fixture
def rt() -> Iterator[iris.Runtime]:
    with iris.Runtime() as runtime:
        yield runtime


def test_an_idle_actor_ends_by_itself_and_a_dormant_one_does_not(rt: iris.Runtime) -> None:
    got: list[Any] = []
    dormant = rt.spawn_virtual(got.append, idle_timeout_ms=1)
    pid = rt.spawn_virtual(got.append, idle_timeout_ms=20)
    assert rt.send(pid, b"hello")
    assert rt.join(pid, 60)
    assert got == [b"hello"]
    assert rt.send(pid, b"late") is False
    assert rt.is_alive(dormant)
    assert rt.stop(dormant)
    assert rt.join(dormant, 60)
    stats = rt.stats()
    assert (stats["actors"], stats["spawned"], stats["ended"]) == (0, 2, 2)


def test_idle_ends_that_race_with_senders_lose_nothing(rt: iris.Runtime) -> None:
    """Each accepted message is handled, each other one is undeliverable, to the message."""
    handled = [0]
    pids = [0]
    accepted, refused = [0, 0, 0], [0, 0, 0]
    ends: list[int] = []
    rt.add_hook("exit", lambda pid, ending: ends.append(pid))

    def handler(message: Any) -> None:
        handled[0] += 1

    def fresh() -> None:
        pids[0] = rt.spawn_virtual(handler, idle_timeout_ms=0.05)

    def sender(index: int) -> None:
        chance = random.Random(index).random
        for number in itertools.count():
            if len(ends) >= 60:
                return
            if rt.send(pids[0], number):
                accepted[index] += 1
            else:
                refused[index] += 1
                fresh()
            if number % 4 == 0:
                # For about as long as the others let it idle.
                rt.join(pids[0], 0.0004 * chance())

    fresh()
    threads = [threading.Thread(target=sender, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rt.quiesce(60)
    assert handled[0] == sum(accepted)
    stats = rt.stats()
    assert (stats["accepted"], stats["handled"]) == (sum(accepted), sum(accepted))
    assert (stats["undeliverable"], stats["expired"]) == (sum(refused), 0)


def test_a_handler_that_blocks_is_not_ended_in_the_middle(
    rt: iris.Runtime, until: Callable[..., Any]
) -> None:
    import gevent

    got: list[Any] = []

    def slow(message: Any) -> None:
        for _ in range(30):
            gevent.sleep(0.001)
        got.append(message)

    pid = rt.spawn_virtual(slow, idle_timeout_ms=1)
    for number in range(3):
        assert rt.send(pid, number)
    assert rt.join(pid, 60)
    assert got == [0, 1, 2]


def test_a_shutdown_leaves_none_of_them() -> None:
    with iris.Runtime() as rt:
        for number in range(200):
            pid = rt.spawn_virtual(bool, idle_timeout_ms=1e6 if number % 2 else 0.01)
            if number % 3:
                rt.send(pid, b"")
        assert rt.shutdown() == []


def test_one_of_many_threads_spends_a_buffer(rt: iris.Runtime) -> None:
    got: list[Any] = []
    pid = rt.spawn(got.append)
    answers: list[bool] = []
    for _ in range(50):
        buffer_id, _, owner = iris.allocate_buffer(16)
        threads = [
            threading.Thread(target=lambda one=buffer_id: answers.append(rt.send_buffer(pid, one)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert owner.size == 16
    assert rt.quiesce(60)
    assert answers.count(True) == len(got) == 50
    assert rt.stats()["sent"] == 50


def test_threads_that_allocate_and_drop_leave_nothing_listed(rt: iris.Runtime) -> None:
    from iris.interop import buffers

    pid = rt.spawn(bool)

    def work() -> None:
        for number in range(500):
            buffer_id, _, owner = iris.allocate_buffer(8)
            if number % 3 == 0:
                assert rt.send_buffer(pid, buffer_id)
            elif number % 3 == 1:
                owner.release()

    import gc

    gc.collect()
    before = len(buffers._unsent)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert len(buffers._unsent) <= before
    assert rt.quiesce(60)
