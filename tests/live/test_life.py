"""Begin and end of a runtime in a real process: exit, shutdown, fork, Ctrl-C, cycles."""

from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live

# -- the end of the interpreter ------------------------------------------------------------------

# Each starts something that would hold up an interpreter, and leaves the runtime open.
HOLDERS = {
    "idle": """
        pid = rt.spawn(print)
        started.set()
    """,
    "endless loop": """
        def handler(message):
            started.set()
            while True:
                pass
        rt.send(rt.spawn(handler), b"")
    """,
    "sleep in C": """
        def handler(message):
            started.set()
            time.sleep(1e9)
        rt.send(rt.spawn(handler), b"")
    """,
    "handler blocked in gevent": """
        def handler(message):
            started.set()
            gevent.sleep(1e9)
        rt.send(rt.spawn(handler), b"")
    """,
    "pull actor in recv": """
        def body(mailbox):
            started.set()
            while mailbox.recv() is not None:
                pass
        rt.spawn_with_mailbox(body)
    """,
    "pull actor asleep in C": """
        def body(mailbox):
            started.set()
            time.sleep(1e9)
        rt.spawn_with_mailbox(body)
    """,
    "pull actor in an endless loop": """
        def body(mailbox):
            started.set()
            while True:
                pass
        rt.spawn_with_mailbox(body)
    """,
    "pull actors that share threads, in recv": """
        rt.set_pull_limits(1)
        def body(mailbox):
            started.set()
            while mailbox.recv() is not None:
                pass
        for _ in range(300):
            rt.spawn_with_mailbox(body)
    """,
    "pull actors that share threads, asleep in C and in gevent, and in an endless loop": """
        rt.set_pull_limits(1)
        rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        def body(mailbox):
            started.set()
            while True:
                pass
        for one in (lambda mailbox: time.sleep(1e9), lambda mailbox: gevent.sleep(1e9), body):
            rt.spawn_with_mailbox(one)
    """,
    "a sending thread": """
        pid = rt.spawn(lambda message: None)
        def sender():
            while True:
                rt.send(pid, b"")
                started.set()
        threading.Thread(target=sender, daemon=True).start()
    """,
    "a blocked sender": """
        def handler(message):
            started.set()
            gevent.sleep(1e9)
        pid = rt.spawn_py_handler_bounded(handler, 1, 1)
        rt.set_overflow_policy(pid, "block")
        def sender():
            while True:
                rt.send(pid, b"")
        threading.Thread(target=sender, daemon=True).start()
    """,
    "an interval": """
        rt.send_interval(rt.spawn(lambda message: started.set()), 1, b"")
    """,
    "two runtimes": """
        other = iris.Runtime()
        other.send_interval(other.spawn(lambda message: started.set()), 1, b"")
    """,
}

PREPARED = """
import sys, threading, time
import gevent
import iris

rt = iris.Runtime(exit_drain_s=0.2)
started = threading.Event()
{body}
assert started.wait(60)
print("main is over", flush=True)
{end}
"""

ENDS = {
    "returns": ("", 0),
    "exits with 7": ("sys.exit(7)", 7),
    "raises": ("raise ValueError('from main')", 1),
}


def holder(body: str, end: str) -> str:
    lines = "\n".join(line[8:] for line in body.splitlines())
    return PREPARED.format(body=lines, end=end)


@pytest.mark.parametrize("kind", HOLDERS)
def test_the_interpreter_exits_with_its_own_code(script: Callable[..., Any], kind: str) -> None:
    runs = [(script(holder(HOLDERS[kind], end)), code) for end, code in ENDS.values()]
    for run, code in runs:
        assert run.end() == code, run.err
        assert run.out == "main is over\n"
        assert run.err.count("Traceback") == (1 if code == 1 else 0), run.err
        assert ("ValueError: from main" in run.err) == (code == 1)


def test_queued_messages_are_handled_before_the_exit(script: Callable[..., Any]) -> None:
    run = script("""
        import iris
        rt = iris.Runtime(exit_drain_s=60)
        lines = []
        def collect(message):
            gevent.sleep(0)
            print(message)
        import gevent
        pid = rt.spawn(collect)
        for number in range(500):
            rt.send(pid, number)
    """)
    run.check("\n".join(map(str, range(500))))


def test_the_exit_waits_for_queued_messages_no_longer_than_told(
    script: Callable[..., Any],
) -> None:
    run = script("""
        import iris, time, atexit
        def report():
            print("took less than 20 s" if time.monotonic() - began < 20 else "took long")
        atexit.register(report)
        rt = iris.Runtime(exit_drain_s=0.1)
        pid = rt.spawn(lambda message: time.sleep(0.05))
        for number in range(10_000):
            rt.send(pid, number)
        began = time.monotonic()
    """)
    run.check("took less than 20 s")


def test_an_exit_after_shutdown_is_quiet(script: Callable[..., Any]) -> None:
    run = script("""
        import iris
        with iris.Runtime() as rt:
            pid = rt.spawn(print)
            rt.send(pid, "hello")
            rt.quiesce(60)
        print(rt.send(pid, "too late"))
    """)
    run.check("hello\nFalse")


def test_the_exit_starts_no_thread(script: Callable[..., Any]) -> None:
    """CPython 3.12 refuses new threads at that time, so it would be an error there."""
    run = script("""
        import _thread, atexit
        import iris.run.native as native
        import iris
        late = []
        original = native.start_new_thread
        def start(*args):
            if exiting:
                late.append(args)
            return original(*args)
        native.start_new_thread = start
        exiting = []
        atexit.register(lambda: print(len(late), "threads"))
        rt = iris.Runtime()
        parent = rt.spawn(print)
        rt.spawn_child_with_mailbox(parent, lambda mailbox: mailbox.recv())
        atexit.register(lambda: exiting.append(True))
    """)
    run.check("0 threads")


def test_importing_iris_starts_nothing(script: Callable[..., Any]) -> None:
    run = script("""
        import signal, sys, threading
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        import iris
        after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        print(before == after, threading.active_count(), "gevent" in sys.modules)
    """)
    run.check("True 1 False")


# -- shutdown --------------------------------------------------------------------------------------


def test_cycles_leak_no_thread_no_descriptor_and_no_memory(
    handles: Callable[[], tuple[int, int]], until: Callable[..., Any]
) -> None:
    references: list[Any] = []

    def cycle() -> None:
        rt = iris.Runtime()
        parent = rt.spawn(lambda message: None)
        for _ in range(5):
            rt.send(rt.spawn_child(parent, lambda message: None), b"x" * 1000)
        pull = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        rt.send(pull, b"")
        rt.send_interval(parent, 1000, b"")
        assert rt.quiesce(60)
        assert rt.shutdown(60) == []
        references.append(weakref.ref(rt))

    def resident_kib() -> int:
        gc.collect()
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4

    for _ in range(10):
        cycle()
    references.clear()
    until(lambda: handles()[0] <= threading.active_count() + 20)
    before, memory = handles(), resident_kib()
    for _ in range(50):
        cycle()
    until(lambda: handles()[0] <= before[0])
    assert handles()[1] <= before[1]
    gc.collect()
    left = sum(reference() is not None for reference in references)
    assert left <= 2, f"{left} of 50 runtimes are still in memory"
    # A runtime is some 100 KiB, its hub included: 50 leaked ones would be seen.
    assert resident_kib() - memory < 5000


def test_shutdown_interrupts_a_handler_that_waits_in_gevent() -> None:
    import gevent

    rt = iris.Runtime()
    started = threading.Event()
    seen: list[BaseException] = []

    def handler(message: Any) -> None:
        started.set()
        try:
            gevent.sleep(1e6)
        except BaseException as error:
            seen.append(error)
            raise

    rt.send(rt.spawn(handler), b"")
    assert started.wait(60)
    assert rt.shutdown(1) == []
    assert [type(error).__name__ for error in seen] == ["GreenletExit"]


@pytest.mark.parametrize("pull", [False, True])
def test_shutdown_gives_up_a_stuck_actor_in_bounded_time(pull: bool, hold: Any) -> None:
    rt = iris.Runtime()
    started = threading.Event()

    def stuck(message: Any) -> None:
        started.set()
        hold.wait()

    other = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    pid = rt.spawn_with_mailbox(stuck) if pull else rt.spawn(stuck)
    rt.send(pid, b"")
    try:
        assert started.wait(60)
        began = time.monotonic()
        left = rt.shutdown(0.5)
        # Generous: it is to be far from the 100 s of the actor.
        assert time.monotonic() - began < 20
        assert left == [pid]
        assert rt.shutdown(0.5) == [pid]
        assert rt.send(pid, b"") is False
        assert rt.send(other, b"") is False
    finally:
        hold.let_go()


@pytest.mark.parametrize("pull", [False, True])
def test_shutdown_from_an_actor_begins_and_returns(
    pull: bool, until: Callable[..., Any], handles: Callable[[], tuple[int, int]]
) -> None:
    rt = iris.Runtime()
    returned: list[Any] = []
    over = threading.Event()
    ended: list[int] = []
    rt.add_hook("exit", lambda pid, ending: ended.append(pid))

    def handler(message: Any) -> None:
        returned.append(rt.shutdown(60))
        returned.append(rt.shutdown(60))
        over.set()

    def closed() -> bool:
        try:
            rt.stats()
        except iris.RuntimeClosed:
            return True
        return False

    pids = [rt.spawn(lambda message: None) for _ in range(3)]
    pid = rt.spawn_with_mailbox(handler) if pull else rt.spawn(handler)
    rt.send(pid, b"")
    assert over.wait(60)
    assert returned == [[], []]
    until(closed)
    assert sorted(ended) == sorted([*pids, pid])
    assert rt.send(pid, b"") is False


def test_shutdown_twice_and_from_many_threads_at_once(hold: Any) -> None:
    rt = iris.Runtime()
    started = threading.Event()

    def stuck(mailbox: Any) -> None:
        started.set()
        hold.wait()

    pid = rt.spawn_with_mailbox(stuck)
    for _ in range(1000):
        rt.spawn(lambda message: None)
    assert started.wait(60)
    results: list[Any] = []
    gate = threading.Barrier(8)

    def shut() -> None:
        gate.wait(60)
        results.append(rt.shutdown(1))
        with pytest.raises(iris.RuntimeClosed):
            rt.stats()

    threads = [threading.Thread(target=shut) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert results == [[pid]] * 8
        assert rt.shutdown(1) == [pid]
    finally:
        hold.let_go()


def test_shutdown_ends_children_before_their_parents() -> None:
    rt = iris.Runtime()
    ended: list[int] = []
    rt.add_hook("exit", lambda pid, ending: ended.append(pid))
    top = rt.spawn(lambda message: None)
    middle = [rt.spawn_child(top, lambda message: None) for _ in range(10)]
    low = [rt.spawn_child(pid, lambda message: None) for pid in middle]
    pulls = [rt.spawn_child_with_mailbox(pid, lambda mailbox: mailbox.recv()) for pid in middle]
    assert rt.shutdown(60) == []
    assert len(ended) == 31
    for parent, *children in zip(middle, low, pulls):
        assert all(ended.index(child) < ended.index(parent) for child in children)
    assert ended[-1] == top


def test_after_the_block_the_runtime_is_closed_and_the_exception_goes_on() -> None:
    class Mine(Exception):
        pass

    rt = iris.Runtime()

    def block() -> None:
        with rt:
            rt.spawn(lambda message: None)
            raise Mine

    pid = rt.spawn(lambda message: None)
    with pytest.raises(Mine):
        block()
    assert rt.send(pid, b"") is False
    for call in (
        lambda: rt.spawn(print),
        lambda: rt.stop(pid),
        lambda: rt.join(pid),
        lambda: rt.is_alive(pid),
        rt.stats,
        lambda: rt.whereis("name"),
        lambda: rt.send_after(pid, 1, b""),
        lambda: rt.hot_swap(pid, print),
        lambda: rt.mailbox_size(pid),
        lambda: rt._inner.spawn_py_handler(print),
    ):
        with pytest.raises(iris.RuntimeClosed):
            call()
    assert rt.shutdown() == []


def test_runtimes_live_side_by_side() -> None:
    runtimes = [iris.Runtime() for _ in range(4)]
    seen: list[list[Any]] = [[] for _ in runtimes]
    try:
        pids = [rt.spawn(got.append) for rt, got in zip(runtimes, seen)]
        for rt in runtimes:
            rt.register("same name", pids[runtimes.index(rt)])
        for number in range(1000):
            for rt, pid in zip(runtimes, pids):
                assert rt.send(pid, number)
        assert runtimes[0].shutdown(60) == []
        for rt in runtimes[1:]:
            assert rt.send_named("same name", "last")
            assert rt.quiesce(60)
            assert rt.stats()["handled"] == 1001
        assert seen[1:] == [[*range(1000), "last"]] * 3
        # One inside the other: an actor of one runtime sends to one of another and waits for it.
        first, second = runtimes[1:3]
        over = threading.Event()

        def handler(message: Any) -> None:
            assert second.send(pids[2], "from the first")
            second.stop(pids[2])
            assert second.join(pids[2], 60)
            over.set()

        first.send(first.spawn(handler), b"")
        assert over.wait(60)
    finally:
        for rt in runtimes:
            rt.shutdown()


# -- fork ------------------------------------------------------------------------------------------

FORK = """
import os, sys, threading, time
import iris

rt = iris.Runtime()
got = []
pid = rt.spawn(got.append)
observed = rt.spawn_observed_handler()
bounded = rt.spawn_py_handler_bounded(got.append, 1, 5)
timer = rt.send_after(pid, 1e9, b"")
ref = rt.monitor(observed, pid)
send = rt.send
low = rt._inner
stop = threading.Event()

def traffic():
    # So that the fork finds every lock held at some time.
    while not stop.is_set():
        rt.send(bounded, b"")
        rt.stop(rt.spawn(print))
        rt.stats()

threads = [threading.Thread(target=traffic) for _ in range(2)]
for thread in threads:
    thread.start()

CALLS = {
    "send": lambda: rt.send(pid, b""),
    "bound send": lambda: send(pid, b""),
    "bound send to nobody": lambda: send(1 << 40, b""),
    "inner send": lambda: low.send(pid, b""),
    "send_named": lambda: rt.send_named("name", b""),
    "send_buffer": lambda: rt.send_buffer(pid, iris.allocate_buffer(1)[0]),
    "spawn": lambda: rt.spawn(print),
    "virtual": lambda: rt.spawn_virtual(print, 1, 5),
    "bounded": lambda: rt.spawn_py_handler_bounded(print, 1, 1),
    "pull": lambda: rt.spawn_with_mailbox(print),
    "pull limits": lambda: rt.set_pull_limits(1),
    "observed": lambda: rt.spawn_observed_handler(),
    "path observed": lambda: rt.spawn_with_path_observed(1, "/a"),
    "child": lambda: rt.spawn_child(pid, print),
    "child pull": lambda: rt.spawn_child_with_mailbox(pid, print),
    "pool": lambda: rt.spawn_child_pool(pid, print, 2),
    "package pool": lambda: iris.spawn_child_pool(rt, pid, 2),
    "stop": lambda: rt.stop(pid),
    "join": lambda: rt.join(pid),
    "join a moment": lambda: rt.join(pid, 0.1),
    "is_alive": lambda: rt.is_alive(pid),
    "get_messages": lambda: rt.get_messages(observed),
    "link": lambda: rt.link(pid, observed),
    "ask": lambda: rt.ask(pid, b"", 1),
    "ask_async": lambda: awaited(rt.ask_async(pid, b"", 1)),
    "send_async": lambda: awaited(rt.send_async(pid, b"")),
    "reply": lambda: rt.reply(b""),
    "forward": lambda: rt.forward(pid, b""),
    "unlink": lambda: rt.unlink(pid, observed),
    "monitor": lambda: rt.monitor(observed, pid),
    "demonitor": lambda: rt.demonitor(ref),
    "register": lambda: rt.register("name", pid),
    "unregister": lambda: rt.unregister("name"),
    "whereis": lambda: rt.whereis("name"),
    "resolve": lambda: rt.resolve("name"),
    "register_path": lambda: rt.register_path("/a", pid),
    "unregister_path": lambda: rt.unregister_path("/a"),
    "whereis_path": lambda: rt.whereis_path("/a"),
    "list_children": lambda: rt.list_children("/"),
    "list_children_direct": lambda: rt.list_children_direct("/"),
    "supervise_with_factory": lambda: rt.supervise_with_factory(pid, int),
    "path_supervise_with_factory": lambda: rt.path_supervise_with_factory("/a", pid, int),
    "unsupervise": lambda: rt.unsupervise(pid),
    "observe_supervisor": lambda: rt.observe_supervisor(None),
    "add_probe": lambda: rt.add_probe("p", bool),
    "remove_probe": lambda: rt.remove_probe("p"),
    "watch": lambda: rt.watch(pid),
    "watch_path": lambda: rt.watch_path("/"),
    "child_pids": lambda: rt.child_pids(),
    "children_count": lambda: rt.children_count(),
    "create_path_supervisor": lambda: rt.create_path_supervisor("/a"),
    "remove_path_supervisor": lambda: rt.remove_path_supervisor("/a"),
    "path_supervisor_watch": lambda: rt.path_supervisor_watch("/a", pid),
    "path_supervisor_children": lambda: rt.path_supervisor_children("/a"),
    "hot_swap": lambda: rt.hot_swap(pid, print),
    "hot_swap_path": lambda: rt.hot_swap_path("/", print),
    "behavior_version": lambda: rt.behavior_version(pid),
    "rollback_behavior": lambda: rt.rollback_behavior(pid),
    "mailbox_size": lambda: rt.mailbox_size(pid),
    "set_overflow_policy": lambda: rt.set_overflow_policy(bounded, "block"),
    "set_release_gil_limits": lambda: rt.set_release_gil_limits(1, 1),
    "set_release_gil_strict": lambda: rt.set_release_gil_strict(True),
    "send_after": lambda: rt.send_after(pid, 1, b""),
    "send_interval": lambda: rt.send_interval(pid, 1, b""),
    "cancel_timer": lambda: rt.cancel_timer(timer),
    "stats": lambda: rt.stats(),
    "dead_letters": lambda: rt.dead_letters(),
    "quiesce": lambda: rt.quiesce(1),
    "shutdown": lambda: rt.shutdown(1),
    "add_hook": lambda: rt.add_hook("exit", print),
    "remove_hook": lambda: rt.remove_hook("exit", print),
    "inner spawn": lambda: low.spawn_py_handler(print),
}

def awaited(coroutine):
    try:
        coroutine.send(None)
    finally:
        coroutine.close()

def child():
    for name, call in CALLS.items():
        try:
            result = call()
        except RuntimeError as error:
            if isinstance(error, iris.IrisError) or "fork" not in str(error):
                return f"{name} raised {error!r}"
        except BaseException as error:
            return f"{name} raised {error!r}"
        else:
            return f"{name} returned {result!r}"
    done = threading.Event()
    with iris.Runtime() as new:
        answer = new.spawn(lambda message: done.set())
        pull = new.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        new.send_after(answer, 1, b"")
        if not done.wait(60) or not new.send(pull, b"") or not new.join(pull, 60):
            return "the new runtime does not work"
        if new.shutdown(60) != []:
            return "the new runtime does not end"
    return "as it should be"

for turn in range(int(sys.argv[1])):
    readable, writable = os.pipe()
    forked = os.fork()
    if forked == 0:
        os.write(writable, child().encode())
        if turn % 2:
            os._exit(0)
        # Through the exit of the interpreter: no thread of the parent may be waited for.
        threading.main_thread  # the child's only thread is this one
        sys.exit(0)
    os.close(writable)
    text = b""
    while True:
        part = os.read(readable, 1000)
        if not part:
            break
        text += part
    os.close(readable)
    status = os.waitpid(forked, 0)[1]
    if text != b"as it should be" or status:
        print(text.decode(), status)
        break
else:
    print("children are well")
stop.set()
for thread in threads:
    thread.join()
assert rt.quiesce(60)
before = len(got)
assert rt.send(pid, "parent") and rt.quiesce(60)
assert got[before:] == ["parent"]
assert rt.cancel_timer(timer) and rt.demonitor(ref)
assert rt.shutdown(60) == []
print("the parent is well")
"""


def test_a_forked_child_cannot_use_the_runtime_and_the_parent_goes_on(
    script: Callable[..., Any],
) -> None:
    script(FORK, "10").check("children are well\nthe parent is well")


def test_the_list_of_forked_calls_is_complete() -> None:
    """Every public method of a runtime stands in the list above."""
    public = {name for name in dir(iris.Runtime) if not name.startswith("_")}
    untested = {name for name in public if f"rt.{name}(" not in FORK}
    # Those that delegate to a call in the list.
    assert untested <= {
        "spawn_child_with_budget",
        "spawn_child_handler_with_budget",
        "stop_after_drain",
        "self_pid",
        # It answers in a child, too: see `test_health.py`.
        "health",
    }


# -- Ctrl-C ----------------------------------------------------------------------------------------

WAITS = {
    "join": "rt.join(pid)",
    "join with a limit": "rt.join(pid, 1000)",
    "quiesce": "rt.send(rt.spawn(lambda message: gevent.sleep(1e6)), b''); rt.quiesce(1000)",
    "a plain sleep": "time.sleep(1000)",
    "get_messages": """
        busy = rt.spawn_observed_handler()
        rt.send(rt.spawn(lambda message: time.sleep(3)), b"")
        while True:
            rt.send(busy, b"")
            rt.get_messages(busy)
    """,
    "a blocked send": """
        full = rt.spawn_py_handler_bounded(lambda message: gevent.sleep(1e6), 1, 1)
        rt.set_overflow_policy(full, "block")
        while True:
            rt.send(full, b"")
    """,
    "sends": """
        while True:
            rt.send(pid, b"")
            rt.quiesce(1)
    """,
}

INTERRUPTED = """
import time
import gevent
import iris

rt = iris.Runtime({hub})
pid = rt.spawn(lambda message: None)
try:
    print("ready", flush=True)
{wait}
except KeyboardInterrupt:
    print("interrupted", flush=True)
    assert rt.send(pid, b"after"), "the runtime goes on"
    assert rt.shutdown(5) == []
    print("ended", flush=True)
else:
    print("not interrupted", flush=True)
"""


def interrupted(wait: str, hub: str = "") -> str:
    lines = [line[8:] if line.startswith(" " * 8) else line for line in wait.splitlines()]
    return INTERRUPTED.format(hub=hub, wait="\n".join("    " + line for line in lines))


@pytest.mark.parametrize("kind", WAITS)
def test_ctrl_c_reaches_the_main_thread(script: Callable[..., Any], kind: str) -> None:
    run = script(interrupted(WAITS[kind]))
    assert run.wait_for_line() == "ready"
    time.sleep(0.2)  # to hit the wait itself; earlier is no error, only another test
    run.process.send_signal(signal.SIGINT)
    run.check("interrupted\nended")


EMBEDDED_WAITS = {
    "a sleep": "gevent.sleep(1000)",
    "join": "rt.join(pid)",
    "a handler that runs": """
        def handler(message):
            while True:
                pass
        rt.send(rt.spawn(handler), b"")
        gevent.sleep(1000)
    """,
    "messages that circle": """
        ring = rt.spawn(lambda message: rt.send(ring, message))
        rt.send(ring, b"")
        gevent.sleep(1000)
    """,
}


@pytest.mark.parametrize("kind", EMBEDDED_WAITS)
def test_ctrl_c_reaches_the_main_greenlet_of_an_embedded_runtime(
    script: Callable[..., Any], kind: str
) -> None:
    run = script(interrupted(EMBEDDED_WAITS[kind], "hub='current'"))
    assert run.wait_for_line() == "ready"
    time.sleep(0.2)
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 0, run.err
    assert run.out == "interrupted\nended\n"
    # What stands in `err` is gevent's or the report of the actor that was interrupted.


def test_an_unhandled_ctrl_c_ends_the_process(script: Callable[..., Any]) -> None:
    run = script("""
        import iris
        rt = iris.Runtime()
        def handler(message):
            print("ready", flush=True)
            while True:
                pass
        pid = rt.spawn(handler)
        rt.send(pid, b"")
        rt.join(pid)
    """)
    assert run.wait_for_line() == "ready"
    run.process.send_signal(signal.SIGINT)
    assert run.end() != 0
    assert run.err.count("KeyboardInterrupt") == 1
