"""Questions from every kind of caller, on real threads and loops."""

from __future__ import annotations

import asyncio
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


def check_books(rt: iris.Runtime) -> dict[str, int]:
    assert rt.quiesce(60)
    stats = rt.stats()
    sent = ("accepted", "refused", "undeliverable", "redirected")
    fates = ("handled", "failed", "dropped_old", "expired")
    assert stats["sent"] == sum(stats[name] for name in sent)
    assert stats["accepted"] == sum(stats[name] for name in fates)
    return stats


def echo(rt: iris.Runtime) -> int:
    return rt.spawn(rt.reply)


def test_many_threads_ask_many_actors(rt: iris.Runtime) -> None:
    pids = [echo(rt) for _ in range(4)]
    wrong: list[Any] = []

    def asking(number: int) -> None:
        for index in range(200):
            question = (number, index)
            if rt.ask(pids[index % 4], question, 60) != question:
                wrong.append(question)

    threads = [threading.Thread(target=asking, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert wrong == []
    assert check_books(rt)["handled"] == 1200


def test_handlers_and_pull_actors_ask_each_other(rt: iris.Runtime) -> None:
    answers: list[Any] = []
    done = threading.Event()

    def server(mailbox: Any) -> None:
        while True:
            message = mailbox.recv()
            if message is None:
                return
            rt.reply(rt.ask(push, message, 60) + 1)

    def client(message: Any) -> None:
        answers.append(rt.ask(pull, message, 60))
        if len(answers) == 100:
            done.set()

    push = echo(rt)
    pull = rt.spawn_with_mailbox(server)
    for pid in [rt.spawn(client) for _ in range(10)]:
        for number in range(10):
            rt.send(pid, number)
    assert done.wait(60)
    assert sorted(answers) == sorted(list(range(1, 11)) * 10)


def test_a_greenlet_of_another_hub_asks_and_its_neighbours_go_on(rt: iris.Runtime) -> None:
    import gevent

    gate = threading.Event()
    slow = rt.spawn_with_mailbox(lambda mailbox: (mailbox.recv(), gate.wait(60), rt.reply("there")))
    ticks: list[int] = []

    def neighbour() -> None:
        for tick in range(20):
            gevent.sleep(0.001)
            ticks.append(tick)
        gate.set()

    one = gevent.spawn(rt.ask, slow, b"", 60)
    gevent.spawn(neighbour)
    assert one.get(timeout=60) == "there"
    assert len(ticks) == 20


def test_a_thousand_blocked_askers_end_with_the_runtime(until: Callable[..., Any]) -> None:
    rt = iris.Runtime()
    deaf = rt.spawn(lambda message: None)
    for pid in [rt.spawn(lambda message: rt.ask(deaf, b"", 1000)) for _ in range(1000)]:
        rt.send(pid, b"")
    until(lambda: rt.stats()["running"] == 1000)
    assert rt.shutdown(20) == []


def test_a_stop_among_many_questions_answers_each_of_them(rt: iris.Runtime) -> None:
    outcomes: list[str] = []

    def asking(pid: int) -> None:
        for _ in range(50):
            try:
                rt.ask(pid, b"", 60)
                outcomes.append("answered")
            except iris.ActorDead:
                outcomes.append("dead")

    for _ in range(10):
        pid = echo(rt)
        threads = [threading.Thread(target=asking, args=(pid,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        rt.stop(pid)
        for thread in threads:
            thread.join(100)
    assert len(outcomes) == 1500
    check_books(rt)


# -- asyncio ---------------------------------------------------------------------------------------


def test_coroutines_ask_and_the_loop_goes_on(rt: iris.Runtime) -> None:
    pid = rt.spawn_with_mailbox(lambda mailbox: _answer_all(rt, mailbox))

    async def main() -> tuple[list[Any], int]:
        ticks = 0

        async def ticking() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(ticking())
        answers = await asyncio.gather(*(rt.ask_async(pid, number, 60) for number in range(50)))
        task.cancel()
        return answers, ticks

    # Twice: nothing of the first loop is kept.
    for _ in range(2):
        answers, ticks = asyncio.run(main())
        assert answers == list(range(50))
        assert ticks > 1


def _answer_all(rt: iris.Runtime, mailbox: Any) -> None:
    while True:
        message = mailbox.recv()
        if message is None:
            return
        rt.reply(message)


def test_the_blocking_calls_are_refused_in_a_loop(rt: iris.Runtime) -> None:
    pid = echo(rt)

    async def main() -> None:
        with pytest.raises(iris.WouldDeadlock, match="asyncio"):
            rt.ask(pid, b"", 1)

    asyncio.run(main())
    assert rt.ask(pid, 1, 60) == 1


def test_an_awaited_question_fails_like_the_others(rt: iris.Runtime) -> None:
    silent = rt.spawn(lambda message: None)

    def raising(message: Any) -> None:
        raise ValueError("as it should")

    async def main() -> None:
        with pytest.raises(iris.AskTimeout, match=str(silent)):
            await rt.ask_async(silent, b"", 0.01)
        with pytest.raises(iris.ActorDead):
            await rt.ask_async(rt.spawn(raising), b"", 60)
        with pytest.raises(iris.ActorDead):
            await rt.ask_async(silent + (1 << 32), b"", 60)
        with pytest.raises(iris.BadInput):
            await rt.ask_async(silent, b"", 0)

    asyncio.run(main())
    check_books(rt)


def test_a_cancelled_question_is_given_up(rt: iris.Runtime, until: Callable[..., Any]) -> None:
    kept: list[Any] = []
    pid = rt.spawn(lambda message: kept.append(iris.current().reply_to))

    async def main() -> None:
        task = asyncio.ensure_future(rt.ask_async(pid, b"", 60))
        while not kept:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        # While the loop still runs.
        assert rt.reply("late", to=kept[0]) is False

    asyncio.run(main())
    assert rt.stats()["late_replies"] == 1


def test_the_stop_word_that_overflows_ends_nobody_here(rt: iris.Runtime, hold: Any) -> None:
    started = threading.Event()
    got: list[Any] = []

    def stuck(message: Any) -> None:
        started.set()
        hold.wait()

    parent = rt.spawn_py_handler_bounded(stuck, 100, 1)
    rt.spawn_child(parent, got.append)
    rt.set_overflow_policy(parent, "redirect", rt.spawn(got.append))
    rt.send(parent, 1)
    assert started.wait(60)
    rt.send(parent, 2)

    async def main() -> None:
        assert await rt.send_async(parent, b"quit") is True

    asyncio.run(main())
    hold.let_go()
    assert rt.quiesce(60)
    assert got == [b"quit"]
    assert rt.is_alive(parent)


def test_an_answer_to_a_loop_that_is_gone_is_late(rt: iris.Runtime) -> None:
    kept: list[Any] = []
    pid = rt.spawn(lambda message: kept.append(iris.current().reply_to))
    loop = asyncio.new_event_loop()
    task = loop.create_task(rt.ask_async(pid, b"", 60))

    async def until_asked() -> None:
        while not kept:
            await asyncio.sleep(0.001)

    loop.run_until_complete(until_asked())
    # Stopped in the middle: the question is still open when its loop is closed.
    loop.close()
    assert rt.reply("late", to=kept[0]) is False
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task


def test_send_async_awaits_room(rt: iris.Runtime, hold: Any) -> None:
    started = threading.Event()
    got: list[Any] = []

    def stuck(message: Any) -> None:
        started.set()
        hold.wait()
        got.append(message)

    pid = rt.spawn_py_handler_bounded(stuck, 100, 1)
    rt.set_overflow_policy(pid, "block")

    async def main() -> None:
        assert await rt.send_async(pid, 0)
        while not started.is_set():
            await asyncio.sleep(0.001)
        assert await rt.send_async(pid, 1)
        waiting = asyncio.ensure_future(rt.send_async(pid, 2))
        given_up = asyncio.ensure_future(rt.send_async(pid, 3))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        hold.let_go()
        assert await waiting is True
        assert await rt.send_async(rt.spawn(got.append), "plain") is True
        assert await rt.send_async(pid + (1 << 32), 4) is False

    asyncio.run(main())
    stats = check_books(rt)
    assert [message for message in got if message != "plain"] == [0, 1, 2]
    assert (stats["refused"], stats["undeliverable"]) == (1, 1)
