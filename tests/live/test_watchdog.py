"""Long turns of a real runtime: which are reported, with what, and that nothing else is."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Optional

import gevent
import pytest

import iris
from iris import assembly

pytestmark = pytest.mark.live

LIMIT_MS = 60

PYPY = platform.python_implementation() == "PyPy"
"""It tells neither stack nor message of another thread, see iris/run/whoseturn.py."""


def told(*kinds: str) -> list[Optional[str]]:
    """These types of messages, where they can be told."""
    return [None if PYPY else kind for kind in kinds]


def spin(duration_s: float) -> None:
    """Compute for some seconds."""
    end = time.perf_counter() + duration_s
    while time.perf_counter() < end:
        pass


class Watched:
    """A runtime with what its watchdog has reported."""

    def __init__(self, **options: Any) -> None:
        self.reports: list[iris.LongTurn] = []
        self.rt = iris.Runtime(**{"long_turn_ms": LIMIT_MS, **options})
        self.rt.add_hook("long_turn", self.reports.append)

    def run(self, handler: Callable[[Any], Any], *messages: Any) -> int:
        """Have an actor handle these messages; its pid."""
        pid = self.rt.spawn(handler)
        for message in messages:
            self.rt.send(pid, message)
        assert self.rt.quiesce(60)
        return pid


@pytest.fixture
def watched() -> Any:
    """A runtime with a short limit; shut down in the end."""
    one = Watched()
    yield one
    one.rt.shutdown()


# -- what is reported ------------------------------------------------------------------------------


def test_a_handler_that_computes_is_reported_once_while_it_does(watched: Watched) -> None:
    seen_inside: list[int] = []

    def busy_handler(message: Any) -> None:
        while not watched.reports:
            spin(0.005)
        spin(3 * LIMIT_MS / 1000)
        seen_inside.append(len(watched.reports))

    pid = watched.run(busy_handler, b"a message")
    assert seen_inside == [1]
    (report,) = watched.reports
    assert (report.pid, report.name, [report.message_type]) == (pid, None, told("bytes"))
    assert report.duration_ms >= LIMIT_MS
    assert ("in busy_handler" in report.stack) is not PYPY
    assert "run_slice" not in report.stack


def test_a_long_turn_right_behind_quick_ones_is_found(watched: Watched) -> None:
    def handler(message: int) -> None:
        while message == 499 and not watched.reports:
            spin(0.005)

    watched.run(handler, *range(500))
    assert [one.message_type for one in watched.reports] == told("int")


def test_each_long_turn_is_reported(watched: Watched) -> None:
    def handler(number: int) -> None:
        while len(watched.reports) < number:
            spin(0.005)

    pid = watched.rt.spawn(handler, budget=1)
    for number in (1, 2, 3):
        watched.rt.send(pid, number)
        assert watched.rt.quiesce(60)
    assert len(watched.reports) == 3


@pytest.mark.parametrize("loop", ["libev-cext,libev-cffi", "libuv-cffi"])
def test_a_long_turn_after_a_rest_is_found(script: Callable[..., Any], loop: str) -> None:
    run = script(
        """
        import os, sys, time
        os.environ["GEVENT_LOOP"] = sys.argv[1]
        import iris
        rt = iris.Runtime(long_turn_ms=60)
        reports = []
        rt.add_hook("long_turn", reports.append)
        def handler(message):
            while len(reports) < message:
                pass
        pid = rt.spawn(handler)
        for number in (1, 2):
            time.sleep(0.5)  # for the watchdog to go to rest; earlier is only another test
            rt.send(pid, number)
            print(rt.quiesce(20), flush=True)
        """,
        loop,
    )
    run.check("True\nTrue")


@pytest.mark.parametrize("loop", ["libev-cext,libev-cffi", "libuv-cffi"])
def test_the_next_lap_of_a_loop_that_counts_comes_before_what_it_finds(
    script: Callable[..., Any], loop: str
) -> None:
    run = script(
        """
        import os, sys
        os.environ["GEVENT_LOOP"] = sys.argv[1]
        import gevent
        from iris.run.hub import GeventHub
        hub = GeventHub()
        order = []
        def pump():
            order.append("pump")
            hub.at_next_lap(lambda: order.append("lap"))
            armed_in.append(hub.laps())
        armed_in = [hub.laps()]
        hub.start(pump)
        for number in range(3):
            hub.wake()
            gevent.sleep(0.01)
        if armed_in == [-1] * 4:
            print("does not count")
        elif order == ["pump", "lap"] * 3 and armed_in == sorted(set(armed_in)):
            print("lap first")
        else:
            print(order, armed_in)
        """,
        loop,
    )
    run.check("does not count" if loop == "libuv-cffi" else "lap first")


def test_a_handler_that_computes_after_a_wait_is_found(
    watched: Watched, until: Callable[..., Any]
) -> None:
    """Then the hub has switched to it and no pump has run."""
    waiting: list[Any] = []
    event = gevent.event.AsyncResult()
    watcher: list[Any] = []

    def handler(message: Any) -> None:
        wake = gevent.get_hub().loop.async_()
        wake.start(event.set, 1)
        watcher.append(wake)
        waiting.append(message)
        event.get()
        wake.close()
        while not watched.reports:
            spin(0.005)

    watched.rt.send(watched.rt.spawn(handler), "x")
    until(lambda: waiting)
    # Long enough for the watchdog to have gone to rest; it must wake up by itself.
    time.sleep(5 * LIMIT_MS / 1000)
    watcher[0].send()
    assert watched.rt.quiesce(60)
    assert [one.message_type for one in watched.reports] == told("str")


def test_a_handler_that_blocks_in_c_is_found_and_so_are_its_names(
    watched: Watched, hold: Any, until: Callable[..., Any]
) -> None:
    pid = watched.rt.spawn(lambda message: hold.wait())
    watched.rt.register_path("/a/path", pid)
    watched.rt.send(pid, [1])
    until(lambda: watched.reports)
    hold.let_go()
    assert watched.reports[0].name == "/a/path"
    assert [watched.reports[0].message_type] == told("list")


@pytest.mark.skipif(
    sys.platform != "linux" or PYPY,
    reason="needs the processor time of a thread, and PyPy lets no other thread run meanwhile",
)
def test_a_call_that_lets_no_other_thread_run_is_found(watched: Watched) -> None:
    numbers = list(range(300_000))

    def handler(message: Any) -> None:
        begun = time.perf_counter()
        while not watched.reports and time.perf_counter() < begun + 60:
            sorted(numbers * 10, key=None, reverse=True)

    watched.run(handler, b"")
    assert len(watched.reports) == 1


def test_a_system_message_and_a_marked_queue_are_named_too(watched: Watched) -> None:
    def slow(message: Any) -> None:
        wanted = len(watched.reports) + 1
        while len(watched.reports) < wanted:
            spin(0.005)

    watcher = watched.rt.spawn(slow, trap_exit=True)
    target = watched.rt.spawn(len)
    watched.rt.monitor(watcher, target)
    watched.rt.stop(target)
    assert watched.rt.quiesce(60)
    pid = watched.rt.spawn(lambda message: gevent.sleep(0.001))
    watched.rt.send(pid, b"before")
    watched.rt.hot_swap(pid, slow)
    watched.rt.send(pid, b"after")
    assert watched.rt.quiesce(60)
    assert [one.message_type for one in watched.reports] == told("PySystemMessage", "bytes")


# -- what is not -----------------------------------------------------------------------------------


def longest_gap(marks: list[float]) -> float:
    """The longest time between two marks, in seconds."""
    return max((later - one for one, later in zip(marks, marks[1:])), default=0.0)


@pytest.mark.parametrize("kind", ["sleeps", "pauses", "spawns", "is quick"])
def test_a_carrier_that_is_not_held_is_not_reported(kind: str) -> None:
    limit_s = 0.4

    def reports_and_marks() -> tuple[list[iris.LongTurn], list[float]]:
        one = Watched(long_turn_ms=limit_s * 1000)
        marks: list[float] = []

        def handler(message: Any) -> None:
            end = time.perf_counter() + 1.0
            if kind == "sleeps":
                gevent.sleep(1.0)
            while kind == "pauses" and time.perf_counter() < end:
                marks.append(time.perf_counter())
                spin(0.002)
                iris.pause()
            if kind == "spawns":
                # Not a turn, although it holds the thread.
                gevent.spawn(spin, 0.9).join()
            if kind == "is quick" and message < 500:
                marks.append(time.perf_counter())
                spin(0.001)
                one.rt.send(one.rt.self_pid(), message + 1)

        one.run(handler, 0)
        one.rt.shutdown()
        return one.reports, marks

    for _ in range(5):
        reports, marks = reports_and_marks()
        # A machine with too much to do may itself hold up the thread for so long.
        if longest_gap(marks) < limit_s:
            assert reports == []
            return
    pytest.skip("the machine lets a thread wait for too long")


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_suspended_process_is_not_the_fault_of_its_actors(script: Callable[..., Any]) -> None:
    run = script("""
        import time
        import iris
        rt = iris.Runtime(long_turn_ms=500)
        reports = []
        rt.add_hook("long_turn", reports.append)
        def handler(message):
            end = time.monotonic() + 0.2
            print("running", flush=True)
            while time.monotonic() < end:
                pass
        rt.send(rt.spawn(handler), b"")
        rt.quiesce(60)
        print(len(reports), flush=True)
        rt.shutdown()
    """)
    assert run.wait_for_line() == "running"
    run.process.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    run.process.send_signal(signal.SIGCONT)
    assert run.wait_for_line() == "0"
    run.check()


# -- hook, log, options ----------------------------------------------------------------------------


def test_the_log_has_a_warning_with_the_stack_and_a_hook_that_raises_does_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = Watched()
    one.rt.add_hook("long_turn", lambda report: 1 / 0)

    def handler(number: int) -> None:
        while len(one.reports) < number:
            spin(0.005)

    one.run(handler, 1)
    one.run(handler, 2)
    one.rt.shutdown()
    said = [one for one in caplog.records if "has held up" in one.getMessage()]
    assert [one.levelname for one in said] == ["WARNING"] * 2
    assert ("in handler" in said[0].getMessage()) is not PYPY
    assert caplog.text.count("ZeroDivisionError") == 2


@pytest.mark.parametrize("off", [None, 0])
def test_without_a_limit_there_is_no_watchdog(off: Any, handles: Callable[..., Any]) -> None:
    with iris.Runtime(long_turn_ms=off) as rt:
        rt.send(rt.spawn(len), b"")
        assert rt.quiesce(60)
        without = handles()[0]
    with iris.Runtime() as rt:
        rt.send(rt.spawn(len), b"")
        assert rt.quiesce(60)
        assert handles()[0] == without + 1


def test_a_shutdown_ends_the_thread_also_from_its_own_hook(
    handles: Callable[..., Any], until: Callable[..., Any]
) -> None:
    before = handles()[0]
    one = Watched()
    ends: list[Any] = []
    one.rt.add_hook("long_turn", lambda report: ends.append(one.rt.shutdown(0.2)))

    def handler(message: Any) -> None:
        while not ends:
            spin(0.005)

    one.rt.send(one.rt.spawn(handler), b"")
    until(lambda: ends)
    until(lambda: handles()[0] <= before)


def test_a_runtime_at_rest_stays_asleep_also_with_a_blocked_handler(
    until: Callable[..., Any],
) -> None:
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("only Linux tells in /proc")

    def switches(thread: str) -> int:
        with open(f"/proc/self/task/{thread}/status", encoding="ascii") as status:
            lines = [line for line in status if line.startswith("voluntary_ctxt")]
        return int(lines[0].split()[1])

    before = set(os.listdir("/proc/self/task"))
    with iris.Runtime(long_turn_ms=8) as rt:
        waiting: list[Any] = []
        rt.send(rt.spawn(lambda message: (waiting.append(1), gevent.sleep(1000))), b"")
        until(lambda: waiting)
        (*ours,) = set(os.listdir("/proc/self/task")) - before
        assert len(ours) == 2

        def asleep() -> bool:
            count = sum(map(switches, ours))
            time.sleep(0.3)
            return sum(map(switches, ours)) == count

        until(asleep)
        rt.shutdown(0.2)


def test_it_watches_the_hub_of_the_caller_too() -> None:
    one = Watched(hub="current")

    def handler(message: Any) -> None:
        while not one.reports:
            spin(0.005)

    one.run(handler, b"")
    one.rt.shutdown()
    assert [report.message_type for report in one.reports] == told("bytes")


def test_of_two_runtimes_on_one_hub_the_right_one_reports() -> None:
    one, other = Watched(hub="current"), Watched(hub="current")

    def handler(message: Any) -> None:
        while not one.reports:
            spin(0.005)
        spin(3 * LIMIT_MS / 1000)

    one.run(handler, b"")
    one.rt.shutdown()
    other.rt.shutdown()
    assert (len(one.reports), len(other.reports)) == (1, 0)


def test_a_forked_child_has_no_watchdog_and_may_have_a_new_one(
    script: Callable[..., Any],
) -> None:
    run = script("""
        import os
        import iris
        def watched():
            rt = iris.Runtime(long_turn_ms=60)
            reports = []
            rt.add_hook("long_turn", reports.append)
            def handler(message):
                while not reports:
                    pass
            rt.send(rt.spawn(handler), b"")
            assert rt.quiesce(60)
            return rt
        rt = watched()
        pid = os.fork()
        if not pid:
            watched().shutdown()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        rt.shutdown()
        print("done")
    """)
    run.check("done")


def test_no_runtime_is_left_when_the_watchdog_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch, handles: Callable[..., Any], until: Callable[..., Any]
) -> None:
    before = handles()[0]

    def fails(entry: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    # The hub's own thread is started elsewhere.
    monkeypatch.setattr(assembly, "start_thread", fails)
    with pytest.raises(iris.LimitReached, match=r"watchdog.*long_turn_ms=None"):
        iris.Runtime()
    until(lambda: handles()[0] <= before)
