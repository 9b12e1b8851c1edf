"""A runtime on the hub of a real gevent program: `Runtime(hub="current")`.

The programs run in processes of their own, for a hub of the thread that runs the tests
would change how all later tests wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live

SERVER = """
import socket, threading
import gevent
from gevent import pywsgi
from gevent.event import AsyncResult
from gevent.pool import Group
import iris

rt = iris.Runtime(HUB)
main_thread = threading.get_ident()
threads = set()

def answer(message):
    threads.add(threading.get_ident())
    number, result = message
    if number % 3 == 0:
        # A third of them wait for each other: only if handlers interleave do they end.
        waiting.append(result)
        if len(waiting) == WAITING:
            for other in waiting:
                together.set()
        together.wait()
    result.set(number * 2)

def square(message):
    number, result = message
    result.set(number ** 2)

WAITING = 14
waiting = []
together = gevent.event.Event()
workers = [rt.spawn(answer) for _ in range(40)]
squares = rt.spawn(square)

def application(environ, start_response):
    number = int(environ["PATH_INFO"].strip("/"))
    first, second = AsyncResult(), AsyncResult()
    assert rt.send(workers[number], (number, first))
    assert rt.send(squares, (number, second))
    gone = rt.spawn(lambda message: rt.stop(rt.self_pid()))
    rt.send(gone, b"")
    assert rt.join(gone, 60)
    text = f"{first.get(timeout=60)} {second.get(timeout=60)} {rt.is_alive(gone)}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]

server = pywsgi.WSGIServer(("127.0.0.1", 0), application, log=None)
server.start()

def request(number):
    with gevent.socket.create_connection(server.address) as connection:
        connection.sendall(f"GET /{number} HTTP/1.0\\r\\n\\r\\n".encode())
        answer = b""
        while True:
            part = connection.recv(1000)
            if not part:
                return answer.rpartition(b"\\r\\n\\r\\n")[2].decode()
            answer += part

group = Group()
answers = group.map(request, range(40))
assert answers == [f"{n * 2} {n * n} False" for n in range(40)], answers
assert len(waiting) == WAITING
server.stop()
assert rt.quiesce(60)
stats = rt.stats()
assert stats["handled"] == 40 * 3, stats
assert stats["failed"] == stats["queued"] == stats["running"] == 0, stats
assert rt.shutdown(60) == []
assert rt.send(squares, (1, None)) is False
print("on the server's thread:", threads == {main_thread})
"""


def test_requests_of_a_gevent_server_wait_for_actors_on_its_hub(script: Callable[..., Any]) -> None:
    # AsyncResult and Event of gevent are for one hub, so the actors have to run on it.
    script(SERVER.replace("HUB", "hub='current'")).check("on the server's thread: True")


def test_ten_thousand_handlers_blocked_at_once_all_come_to_their_end(
    script: Callable[..., Any],
) -> None:
    source = """
        import gevent
        import iris

        rt = iris.Runtime(HUB)
        now = most = 0
        done = []

        def handler(message):
            global now, most
            now += 1
            most = max(most, now)
            gate.wait()
            now -= 1
            done.append(message)

        class Gate:
            # Made in the hub of the handlers, which is where gevent events belong.
            event = None
            def wait(self):
                if self.event is None:
                    self.event = gevent.event.Event()
                if now == 10_000:
                    self.event.set()
                self.event.wait()

        import gevent.event
        gate = Gate()
        pids = [rt.spawn(handler) for _ in range(10_000)]
        for number, pid in enumerate(pids):
            rt.send(pid, number)
            rt.send(pid, -1)
        # The second message of each has to wait for the first, so nobody runs twice.
        assert rt.quiesce(100), rt.stats()
        assert most == 10_000, most
        assert sorted(done) == [-1] * 10_000 + list(range(10_000))
        assert rt.stats()["handled"] == 20_000
        slept = []
        sleeper = lambda message: (gevent.sleep(0.05), slept.append(message))
        for number in range(10_000):
            rt.send(rt.spawn(sleeper), number)
        assert rt.quiesce(100), rt.stats()
        assert sorted(slept) == list(range(10_000))
        print(rt.shutdown(100))
    """
    # One after the other: each fills a core.
    for hub in ("hub='current'", ""):
        script(source.replace("HUB", hub)).check("[]")


def test_a_runtime_with_its_own_thread_lets_greenlets_wait(script: Callable[..., Any]) -> None:
    """While one greenlet waits in a call of Iris the others of its hub go on."""
    script("""
        import threading, time
        import gevent
        import iris

        rt = iris.Runtime()
        main = threading.get_ident()
        ran_on = set()
        gate = threading.Event()

        def handler(message):
            ran_on.add(threading.get_ident())
            while not gate.is_set():
                gevent.sleep(0.001)

        pid = rt.spawn(handler)
        full = rt.spawn_py_handler_bounded(handler, 1, 1)
        rt.set_overflow_policy(full, "block")
        watched = rt.spawn_observed_handler()
        rt.send(pid, b"")
        while not ran_on:
            gevent.sleep(0.001)
        rt.stop(pid)  # takes effect when the handler returns
        results = {}

        def waits(name, call):
            results[name] = call()

        waiting = [
            gevent.spawn(waits, "join", lambda: rt.join(pid)),
            gevent.spawn(waits, "join in time", lambda: rt.join(pid, 100)),
            gevent.spawn(waits, "join too long", lambda: rt.join(full, 0.01)),
            gevent.spawn(waits, "quiesce", lambda: rt.quiesce(100)),
            gevent.spawn(waits, "quiesce too long", lambda: rt.quiesce(0.01)),
            gevent.spawn(waits, "send", lambda: [rt.send(full, b"") for _ in range(5)]),
        ]
        ticks = 0
        while "join too long" not in results or "quiesce too long" not in results:
            gevent.sleep(0.001)
            ticks += 1
        assert set(results) == {"join too long", "quiesce too long"}, results
        assert ticks > 1
        gate.set()
        gevent.joinall(waiting, timeout=60, raise_error=True)
        assert results == {
            "join": True, "join in time": True, "join too long": False,
            "quiesce": True, "quiesce too long": False, "send": [True] * 5,
        }, results
        rt.send(watched, b"kept")
        assert rt.get_messages(watched) == [b"kept"]
        assert rt.quiesce(60)
        assert main not in ran_on and len(ran_on) == 1
        print(rt.shutdown(60))
    """).check("[]")


def test_greenlets_of_many_hubs_wait_at_the_same_time(script: Callable[..., Any]) -> None:
    script("""
        import threading
        import gevent
        import iris

        with iris.Runtime() as rt:
            done = []

            def one(number):
                for _ in range(20):
                    pid = rt.spawn(lambda message: rt.stop(rt.self_pid()))
                    rt.send(pid, b"")
                    assert rt.join(pid, 60)
                done.append(number)

            def thread(number):
                gevent.joinall([gevent.spawn(one, number) for _ in range(5)], raise_error=True)
                gevent.get_hub().destroy(destroy_loop=True)

            threads = [threading.Thread(target=thread, args=(n,)) for n in range(8)]
            for one_thread in threads:
                one_thread.start()
            for one_thread in threads:
                one_thread.join()
            print(sorted(done) == sorted(list(range(8)) * 5))
    """).check("True")


TIMERS = """
    import time
    import gevent
    import iris

    rt = iris.Runtime(HUB)
    arrived = []

    def late(message):
        planned, tag = message
        arrived.append((tag, time.monotonic() - planned))
        if tag == "again" and len(arrived) % 2:
            rt.send_after(rt.self_pid(), 3, (time.monotonic() + 0.003, "again"))

    def busy(message):
        # Timers are planned in the middle of a slice, when the loop's own time is old.
        end = time.monotonic() + 0.0045
        while time.monotonic() < end:
            pass
        for delay in (0, 1, 2, 5):
            rt.send_after(pid, delay, (time.monotonic() + delay / 1000, "once"))

    pid = rt.spawn(late)
    worker = rt.spawn(busy)
    expected = 0
    for turn in range(40):
        rt.send(worker, b"")
        expected += 4
        deadline = time.monotonic() + 20
        # Nothing else may wake the runtime, or a lost timer would be found by chance.
        while len(arrived) < expected and time.monotonic() < deadline:
            gevent.sleep(0.01)
        assert len(arrived) == expected, (turn, len(arrived), expected)
    assert min(lateness for _, lateness in arrived) > -0.001, "a timer fired early"
    beats = []
    beat = rt.send_interval(rt.spawn(beats.append), 2, b"beat")
    while len(beats) < 20:
        gevent.sleep(0.001)
    assert rt.cancel_timer(beat) is True
    assert rt.cancel_timer(beat) is False
    assert rt.quiesce(20)
    seen = len(beats)
    gevent.sleep(0.05)
    assert len(beats) == seen
    gone = rt.spawn(beats.append)
    rt.send_interval(gone, 1, b"to the dead")
    rt.stop(gone)
    assert rt.join(gone, 20)
    handled = rt.stats()["handled"]
    gevent.sleep(0.02)
    assert rt.stats()["handled"] == handled
    print(rt.shutdown(20))
"""


@pytest.mark.parametrize("hub", ["hub='current'", ""])
def test_timers_fire_on_a_real_hub(script: Callable[..., Any], hub: str) -> None:
    script(TIMERS.replace("HUB", hub)).check("[]")


def test_an_embedded_runtime_leaves_the_hub_as_it_was(script: Callable[..., Any]) -> None:
    script("""
        import os
        import gevent
        import iris

        gevent.sleep(0)

        def cycle():
            rt = iris.Runtime(hub="current")
            pids = [rt.spawn(lambda message: gevent.sleep(0.001)) for _ in range(20)]
            for pid in pids:
                rt.send(pid, b"")
            timer = rt.send_interval(pids[0], 1, b"")
            gevent.sleep(0.002)
            assert rt.shutdown(20) == []

        cycle()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            cycle()
        assert len(os.listdir("/proc/self/fd")) == before
        # Nothing of it keeps the loop alive: the program's own greenlet is the last.
        gevent.spawn(gevent.sleep, 0.01)
        print(gevent.wait(timeout=20))
    """).check("True")


def test_handlers_may_use_the_server_side_of_gevent(script: Callable[..., Any]) -> None:
    """Sockets, queues, spawned greenlets and timeouts of gevent inside handlers."""
    script("""
        import logging
        import gevent
        import gevent.queue
        from gevent.server import StreamServer
        import iris

        logging.disable()  # one handler raises on purpose
        rt = iris.Runtime(hub="current")

        def echo(connection, address):
            connection.sendall(connection.recv(100))
            connection.close()

        server = StreamServer(("127.0.0.1", 0), echo)
        server.start()
        answers = []
        queue = gevent.queue.Queue()

        def client(message):
            with gevent.socket.create_connection(server.address) as connection:
                connection.sendall(message)
                answers.append(connection.recv(100))
            with gevent.Timeout(0.001, False):
                gevent.sleep(100)
            answers.append(gevent.spawn(lambda: message + b"!").get())
            queue.put(message)
            if len(answers) == 40:
                raise gevent.Timeout(1)

        pids = [rt.spawn(client) for _ in range(20)]
        for number, pid in enumerate(pids):
            rt.send(pid, b"%d" % number)
        numbers = [b"%d" % n for n in range(20)]
        assert sorted(queue.get(timeout=60) for _ in range(20)) == sorted(numbers)
        assert rt.quiesce(60)
        assert sorted(answers) == sorted(n + mark for n in numbers for mark in (b"", b"!"))
        stats = rt.stats()
        assert (stats["handled"], stats["failed"]) == (19, 1), stats
        assert sum(rt.is_alive(pid) for pid in pids) == 19
        server.stop()
        print(rt.shutdown(20))
    """).check("[]")

STALE = """
import gevent
import iris
from iris.run.clock import sleep

gevent.sleep(0)
with iris.Runtime() as rt:

    def slow(mailbox):
        while True:
            message = mailbox.recv()
            if message is None:
                return
            sleep(0.05)
            rt.reply(message)

    pid = rt.spawn_with_mailbox(slow)
    for number in range(4):
        # A real sleep: nobody runs the loop of this thread meanwhile, so its time is an old one.
        sleep(1.0)
        assert rt.ask(pid, number, timeout_s=0.9) == number
print("all in time")
"""


def test_a_wait_has_all_its_time_though_the_loop_has_not_run_for_longer(
    script: Callable[..., Any],
) -> None:
    """A timer of gevent counts from when its loop last looked at the clock, if it is not told."""
    script(STALE).check("all in time")
