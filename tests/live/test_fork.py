"""What a forked child may do, and that its parent goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import iris

pytestmark = pytest.mark.live


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
    "listen": lambda: rt.listen("127.0.0.1:0"),
    "listen_addresses": lambda: rt.listen_addresses,
    "resolve_remote": lambda: rt.resolve_remote("127.0.0.1:1", "name"),
    "resolve_remote_py": lambda: rt.resolve_remote_py("127.0.0.1:1", "name"),
    "send_remote": lambda: rt.send_remote("127.0.0.1:1", pid, b""),
    "monitor_remote": lambda: rt.monitor_remote("127.0.0.1:1", pid),
    "watch_node": lambda: rt.watch_node("127.0.0.1:1", observed),
    "is_node_up": lambda: rt.is_node_up("127.0.0.1:1"),
    "nodes": lambda: rt.nodes(),
    "register_type": lambda: rt.register_type(1, int),
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
        # In the list, and no method.
        "listen_addresses",
        # It answers in a child, too: see `test_limits.py`.
        "health",
    }


def test_a_forked_child_keeps_no_connection_of_its_parent(script: Callable[..., Any]) -> None:
    """Whoever is connected to the parent sees the end, although the child lives on."""
    one = script("""
        import os
        import socket

        import iris

        rt = iris.Runtime()
        host, port = rt.listen("127.0.0.1:0").split(":")
        guest = socket.create_connection((host, int(port)))
        guest.settimeout(60)
        guest.sendall(bytes([1, 2]))
        assert guest.recv(1) == bytes([3])
        readable, writable = os.pipe()
        child = os.fork()
        if not child:
            os.close(writable)
            os.read(readable, 1)
            os._exit(0)
        rt.shutdown()
        print(guest.recv(1), os.waitpid(child, os.WNOHANG)[0])
        os.close(writable)
        os.waitpid(child, 0)
    """)
    one.check("b'' 0")
