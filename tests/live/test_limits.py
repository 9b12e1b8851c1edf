"""Limits and health on real threads: the bound under many senders, a hub that is stuck, a fork."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live

SENDERS = 16


def in_threads(amount: int, body: Callable[[int], Any]) -> None:
    """Run it in so many threads at once, to the end."""
    threads = [Thread(target=body, args=(number,)) for number in range(amount)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def _switching() -> Any:
    """Threads take turns a thousand times as often as they do otherwise."""
    if not hasattr(sys, "setswitchinterval"):
        yield
        return
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_switching")
@pytest.mark.parametrize("kind", ["messages", "bytes"])
def test_many_senders_overfill_a_node_by_one_message_each_at_most(kind: str, hold: Any) -> None:
    hard = 500
    limits = {
        "messages": iris.Limits(queued_messages_hard=hard),
        "bytes": iris.Limits(queued_bytes_hard=10 * hard),
    }[kind]
    with iris.Runtime(limits=limits, long_turn_ms=None) as rt:
        # Pull actors, so that the hub is free.
        pids = [rt.spawn_with_mailbox(lambda mailbox: hold.wait()) for _ in range(4)]
        accepted = [0] * SENDERS

        def sender(number: int) -> None:
            for turn in range(400):
                accepted[number] += rt.send(pids[(number + turn) % 4], b"0123456789")

        in_threads(SENDERS, sender)
        stats = rt.stats()
        assert hard <= stats["queued"] <= hard + SENDERS - 1
        assert sum(accepted) == stats["accepted"] == stats["queued"]
        assert stats["shed"] == stats["refused"] == 400 * SENDERS - sum(accepted)
        assert not rt.health().ready
        assert rt.health().live
        hold.let_go()


@pytest.mark.usefixtures("_switching")
def test_a_node_recovers_by_itself_and_its_gauge_is_empty(until: Any) -> None:
    seen: list[iris.Pressure] = []
    limits = iris.Limits(queued_messages_hard=100, queued_bytes_hard=2000)
    with iris.Runtime(limits=limits, on_pressure=seen.append) as rt:

        def body(mailbox: iris.PyMailbox) -> None:
            while not mailbox.closed:
                mailbox.recv()

        pids = [
            rt.spawn(lambda message: None), rt.spawn(lambda message: None, release_gil=True),
            rt.spawn_with_mailbox(body), rt.spawn_py_handler_bounded(lambda message: None, 10, 5),
        ]  # fmt: skip
        rt.set_overflow_policy(pids[3], "dropold")

        def sender(number: int) -> None:
            for turn in range(1500):
                rt.send(pids[(number + turn) % 4], bytes(turn % 50))

        in_threads(4, sender)
        assert rt.quiesce(60)
        until(lambda: rt.health().ready)
        stats = rt.stats()
        assert (stats["queued"], stats["queued_bytes"]) == (0, 0)
        until(lambda: len(seen) % 2 == 0)
        # What is free again is the whole room.
        release = rt.spawn_with_mailbox(lambda mailbox: None)
        rt.join(release)
        assert until(lambda: rt.send(pids[2], b""))


def test_a_stuck_hub_is_not_live_and_is_again_when_it_comes_round(hold: Any, until: Any) -> None:
    with iris.Runtime(live_within_s=0.05, long_turn_ms=None) as rt:
        pid = rt.spawn(lambda message: hold.wait())
        assert rt.health() == iris.Health(True, True, ())
        rt.send(pid, b"")
        until(lambda: not rt.health().live)
        health = rt.health()
        assert not health.ready
        assert "the hub has not come round for" in health.reasons[0]
        assert "live_within_s=0.05" in health.reasons[0]
        hold.let_go()
        assert until(lambda: rt.health().live)
        assert rt.health().ready


def test_a_stuck_hub_does_not_keep_a_node_shut(hold: Any, until: Any) -> None:
    with iris.Runtime(
        limits=iris.Limits(queued_messages_hard=10), long_turn_ms=None, live_within_s=0.05
    ) as rt:
        stuck = rt.spawn(lambda message: hold.wait())
        rt.send(stuck, b"")
        until(lambda: rt.stats()["running"])

        def body(mailbox: iris.PyMailbox) -> None:
            while not mailbox.closed:
                mailbox.recv()

        pid = rt.spawn_with_mailbox(body)
        for _ in range(50):
            assert until(lambda: rt.send(pid, b""))
        until(lambda: not rt.health().live)
        assert "limit" not in str(rt.health().reasons)
        hold.let_go()


def test_health_in_the_hub_itself_in_a_handler_and_in_a_worker_is_at_once() -> None:
    seen: list[iris.Health] = []
    with iris.Runtime(live_within_s=0.0) as rt:
        for release_gil in (False, True):
            pid = rt.spawn(lambda message: seen.append(rt.health()), release_gil=release_gil)
            rt.send(pid, b"")
            rt.quiesce(60)
    assert seen[0] == iris.Health(True, True, ())
    assert len(seen) == 2


def test_a_probe_that_blocks_holds_up_its_caller_only(hold: Any, until: Any) -> None:
    with iris.Runtime() as rt:
        asked: list[int] = []
        answers: list[bool] = []

        def probe() -> None:
            asked.append(1)
            hold.wait()

        rt.add_probe("slow", probe)
        asker = rt.spawn_with_mailbox(lambda mailbox: answers.append(rt.health().ready))
        until(lambda: asked)
        assert rt.remove_probe("slow")
        got: list[Any] = []
        rt.send(rt.spawn(got.append), b"")
        until(lambda: got)
        assert rt.health().ready
        assert answers == []
        hold.let_go()
        assert rt.join(asker, 60)
        assert answers == [True]


def test_many_ask_for_the_health_while_probes_come_and_go() -> None:
    with iris.Runtime(limits=iris.Limits(queued_messages_hard=50)) as rt:
        pid = rt.spawn(lambda message: None)
        wrong: list[Any] = []

        def work(number: int) -> None:
            for turn in range(100):
                rt.add_probe(f"p{number}", lambda: None)
                rt.send(pid, turn)
                health = rt.health()
                if not health.live or any("probe" in reason for reason in health.reasons):
                    wrong.append(health)
                rt.remove_probe(f"p{number}")

        in_threads(8, work)
        assert wrong == []


def test_health_in_a_forked_child_takes_no_lock(script: Any) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    one = script("""
        import os
        import iris

        rt = iris.Runtime(limits=iris.Limits(queued_messages_hard=1))
        pid = rt.spawn(lambda message: None)
        rt.add_probe("p", lambda: False)
        with rt._system.table.lock:
            child = os.fork()
        if not child:
            health = rt.health()
            print(health.live, health.ready, "fork" in health.reasons[0], flush=True)
            for call in (lambda: rt.add_probe("q", len), lambda: rt.send(pid, b"")):
                try:
                    call()
                except RuntimeError as error:
                    print("fork" in str(error), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(rt.health().live)
        rt.shutdown()
        """)
    assert one.end() == 0, one.err
    assert one.out.split() == ["False", "False", "True", "True", "True", "True"], one.out


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers here")
def test_signal_handlers_that_send_at_the_limit_neither_hang_nor_leak(script: Any) -> None:
    one = script("""
        import signal
        import iris

        limits = iris.Limits(queued_messages_hard=20, queued_bytes_hard=1000)
        rt = iris.Runtime(limits=limits, long_turn_ms=None)
        pid = rt.spawn(lambda message: None)
        bounded = rt.spawn_py_handler_bounded(lambda message: None, 10, 3)
        sent = []

        def on_alarm(*_):
            sent.append(rt.send(pid, b"signal"))
            rt.send(bounded, b"signal")
            rt.health()

        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
        while len(sent) < 300:
            for _ in range(100):
                rt.send(pid, b"main")
                rt.send(bounded, b"main")
        signal.setitimer(signal.ITIMER_REAL, 0)
        rt.quiesce(60)
        stats = rt.stats()
        print(stats["queued"], stats["queued_bytes"], stats["shed"] > 0)
        rt.shutdown()
        """)
    one.check("0 0 True")
