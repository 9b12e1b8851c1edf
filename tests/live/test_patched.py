"""In a process that gevent has patched, before `import iris` and after it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live

ORDERS = {
    "patched before the import": """
        from gevent import monkey
        monkey.patch_all()
        import iris
    """,
    "patched after the import": """
        import iris
        from gevent import monkey
        monkey.patch_all()
    """,
}

Run = Callable[[str], None]


@pytest.fixture(params=ORDERS)
def run(script: Callable[..., Any], request: pytest.FixtureRequest) -> Run:
    """Run a program after the patching; it has to print `over`."""

    def start(source: str) -> None:
        script(textwrap.dedent(ORDERS[request.param]) + textwrap.dedent(source)).check("over")

    return start


def test_pull_actors_have_real_threads_and_a_blocking_one_stops_nobody(run: Run) -> None:
    run("""
        import os, threading, time
        import gevent

        main = threading.get_native_id()
        rt = iris.Runtime()
        native = []
        readable, writable = os.pipe()

        def blocked(mailbox):
            native.append(threading.get_native_id())
            os.read(readable, 1)  # in C, which gevent has not patched

        def body(mailbox):
            native.append(threading.get_native_id())
            while True:
                message = mailbox.recv()
                if message is None:
                    return
                rt.send(collector, message)

        got = []
        collector = rt.spawn(got.append)
        stuck = rt.spawn_with_mailbox(blocked)
        pids = [rt.spawn_with_mailbox(body) for _ in range(5)]
        for number in range(100):
            for pid in pids:
                assert rt.send(pid, number)
        while len(got) < 500 or len(native) < 6:
            time.sleep(0.001)
        assert rt.is_alive(stuck)
        assert len(set(native)) == 6 and main not in native, native
        # Each of these threads is known to the system.
        assert {str(thread) for thread in native} <= set(os.listdir("/proc/self/task"))
        os.write(writable, b"x")
        assert rt.join(stuck, 60)
        for pid in pids:
            rt.stop(pid)
            assert rt.join(pid, 60)
        assert rt.shutdown(20) == []
        print("over")
    """)


def test_recv_with_a_timeout_and_a_stop_in_recv(run: Run) -> None:
    run("""
        import time
        results = []
        with iris.Runtime() as rt:
            def body(mailbox):
                results.append(mailbox.recv(0.01))
                results.append(mailbox.recv())
                results.append(mailbox.selective_recv(lambda message: message == 2, 0.01))
                rt.send(done, b"")
                results.append(mailbox.recv())
                results.append(mailbox.closed)

            done = rt.spawn(lambda message: rt.stop(pid))
            pid = rt.spawn_with_mailbox(body)
            while not results:
                time.sleep(0.001)
            rt.send(pid, 1)
            assert rt.join(pid, 60)
        assert results == [None, 1, None, None, True], results
        print("over")
    """)


def test_pull_actors_that_use_gevent_leak_no_descriptor_and_no_thread(run: Run) -> None:
    run("""
        import os, time
        import gevent

        rt = iris.Runtime()

        def body(mailbox):
            gevent.sleep(0.001)
            time.sleep(0.001)  # patched, so the same
            assert mailbox.recv() == b"go"
            gevent.spawn(gevent.sleep, 0).join()

        def some():
            pids = [rt.spawn_with_mailbox(body) for _ in range(20)]
            for pid in pids:
                assert rt.send(pid, b"go")
            for pid in pids:
                assert rt.join(pid, 60)

        def count():
            return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

        time.sleep(0.001)  # makes the hub of the main thread, which stays
        some()
        settled = time.monotonic() + 20
        before = count()
        while before[0] > 4 and time.monotonic() < settled:
            time.sleep(0.01)
            before = count()
        for _ in range(5):
            some()
        while count() > before and time.monotonic() < settled + 20:
            time.sleep(0.01)
        after = count()
        assert after[0] <= before[0] and after[1] <= before[1], (before, after)
        stats = rt.stats()
        assert (stats["handled"], stats["failed"]) == (120, 0), stats
        assert rt.shutdown(20) == []
        print("over")
    """)


@pytest.mark.parametrize("hub", ["", "hub='current'"])
def test_timers_fire(run: Run, hub: str) -> None:
    run(
        """
        import time
        rt = iris.Runtime(HUB)
        got = []
        pid = rt.spawn(got.append)
        rt.send_after(pid, 20, "second")
        rt.send_after(pid, 5, "first")
        beat = rt.send_interval(pid, 30, "beat")
        while got.count("beat") < 3:
            time.sleep(0.001)
        assert rt.cancel_timer(beat)
        assert got[:5] == ["first", "second", "beat", "beat", "beat"], got
        assert set(got[5:]) <= {"beat"}, got
        assert rt.shutdown(20) == []
        print("over")
        """.replace("HUB", hub)
    )


@pytest.mark.parametrize("hub", ["", "hub='current'"])
def test_greenlets_join_while_others_go_on(run: Run, hub: str) -> None:
    run(
        """
        import time
        import gevent
        rt = iris.Runtime(HUB)
        held = True

        def handler(message):
            while held:
                time.sleep(0.001)  # patched: other actors and greenlets go on

        pids = [rt.spawn(handler) for _ in range(20)]
        quick = rt.spawn(lambda message: rt.stop(rt.self_pid()))
        running = rt.stats
        for pid in pids:
            rt.send(pid, b"")
        while rt.stats()["running"] < 20:
            time.sleep(0.001)
        for pid in pids:
            rt.stop(pid)
        joins = [gevent.spawn(rt.join, pid) for pid in pids]
        rt.send(quick, b"")
        assert rt.join(quick, 60)
        ticks = 0
        for _ in range(20):
            time.sleep(0.001)
            ticks += 1
        assert not any(one.ready() for one in joins)
        held = False
        gevent.joinall(joins, timeout=60)
        assert [one.value for one in joins] == [True] * 20
        assert rt.shutdown(20) == []
        print("over")
        """.replace("HUB", hub)
    )


@pytest.mark.parametrize("hub", ["", "hub='current'"])
def test_patched_threads_send_also_to_a_full_mailbox(run: Run, hub: str) -> None:
    run(
        """
        import threading
        rt = iris.Runtime(HUB)
        got = []
        plain = rt.spawn(got.append)
        blocking = rt.spawn_py_handler_bounded(got.append, 2, 3)
        rt.set_overflow_policy(blocking, "block")

        def sender(key):
            for number in range(300):
                assert rt.send(plain, ("plain", key, number))
                assert rt.send(blocking, ("blocking", key, number))

        threads = [threading.Thread(target=sender, args=(key,)) for key in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert rt.quiesce(60)
        for kind in ("plain", "blocking"):
            for key in range(8):
                numbers = [n for a, b, n in got if (a, b) == (kind, key)]
                assert numbers == list(range(300)), (kind, key)
        stats = rt.stats()
        assert stats["sent"] == stats["accepted"] == stats["handled"] == 4800, stats
        assert rt.shutdown(20) == []
        print("over")
        """.replace("HUB", hub)
    )


def test_native_threads_of_gevents_pool_send_and_wait(run: Run) -> None:
    run("""
        import gevent
        rt = iris.Runtime()
        got = []
        pid = rt.spawn(got.append)

        def work(number):
            assert rt.send(pid, number)
            gone = rt.spawn(lambda message: None)
            rt.stop(gone)
            return rt.join(gone, 60)

        results = gevent.get_hub().threadpool.map(work, range(50))
        assert list(results) == [True] * 50
        assert rt.quiesce(60)
        assert sorted(got) == list(range(50))
        assert rt.shutdown(20) == []
        print("over")
    """)


def test_observed_actors_and_the_rest_of_the_calls(run: Run) -> None:
    run("""
        import threading
        with iris.Runtime() as rt:
            watched = rt.spawn_observed_handler()
            parent = rt.spawn(lambda message: None)
            child = rt.spawn_child_with_mailbox(parent, lambda mailbox: mailbox.recv())
            rt.monitor(watched, child)
            rt.link(watched, parent)
            rt.send(watched, b"kept")
            assert rt.get_messages(watched) == [b"kept"]
            lock = threading.Lock()
            with lock:
                rt.stop(parent)
                assert rt.join(parent, 60)
            news = [(m.type_name, m.target_pid, m.reason) for m in rt.get_messages(watched)]
            assert news == [("DOWN", child, "Killed"), ("EXIT", parent, "Killed")], news
            crashed = rt.spawn(lambda message: 1 // 0)
            import logging
            logging.disable()
            rt.send(crashed, b"")
            assert rt.join(crashed, 60)
        assert rt.send(watched, b"") is False
        print("over")
    """)


@pytest.mark.parametrize("hub", ["", "hub='current'"])
def test_the_process_exits_with_everything_left_open(run: Run, hub: str) -> None:
    run(
        """
        import os, time
        rt = iris.Runtime(HUB, exit_drain_s=0.1)
        readable, writable = os.pipe()
        rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        rt.spawn_with_mailbox(lambda mailbox: os.read(readable, 1))
        rt.spawn_with_mailbox(lambda mailbox: time.sleep(1e6))
        pid = rt.spawn(lambda message: time.sleep(1e6))
        rt.send(pid, b"")
        rt.send(pid, b"")
        rt.send_interval(rt.spawn(lambda message: None), 1, b"")
        while not rt.stats()["running"]:
            time.sleep(0.001)
        print("over")
        """.replace("HUB, ", f"{hub}, " if hub else "")
    )
