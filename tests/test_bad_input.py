"""Bad input: an error at the call that names the value, the limit and the mend; nothing changes.

A table a kind of argument: the calls that take it, and the values that cannot be right. Each
pair is tried on a runtime in use, of which a picture is taken before and after.

One file, though long: it is one table, and a new call has to be put into all its rows. What
is not a call of a runtime in use stands in test_bad_options.py.
"""

from __future__ import annotations

import functools
from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime

Call = Callable[[Any, Any], Any]
# (the runtime in use, the bad value)


class Used:
    """A runtime in use: a parent with a child, names, paths, supervisors, a bound, a timer."""

    def __init__(self) -> None:
        self.rt = rt = SimRuntime()
        self.got: list[Any] = []
        self.pid = rt.spawn(self.got.append)
        self.child = rt.spawn_child(self.pid, self.got.append)
        self.bounded = rt.spawn_py_handler_bounded(self.got.append, 10, 2)
        self.observed = rt.spawn_observed_handler()
        self.asleep = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
        rt.register("name", self.pid)
        rt.register_path("/svc/one", self.pid)
        rt.create_path_supervisor("/svc")
        rt.path_supervisor_watch("/svc", self.pid)
        rt.watch(self.pid)
        self.timer = rt.send_after(self.pid, 1e9, b"")
        rt.run_until_idle()

    def picture(self) -> Any:
        """Everything a caller can see of it, after all has come to rest."""
        rt = self.rt
        rt.advance(1)
        pids = (self.pid, self.child, self.bounded, self.observed, self.asleep)
        answers = [rt.send(self.bounded, b"") for _ in range(3)]
        rt.advance(1)
        self.got.clear()
        stats = rt.stats()
        del stats["sent"], stats["accepted"], stats["handled"], stats["refused"]
        return (
            stats, [rt.is_alive(pid) for pid in pids], [rt.mailbox_size(pid) for pid in pids],
            answers, rt.whereis("name"), rt.list_children("/"), rt.child_pids(),
            rt.path_supervisor_children("/svc"), rt.behavior_version(self.pid),
            rt.get_messages(self.observed),
        )  # fmt: skip


def check(call: Call, value: Any, error: type[BaseException], *parts: str) -> None:
    """The call raises this error, all parts stand in its message, and nothing has changed."""
    used = Used()
    before = used.picture()
    with pytest.raises(error) as caught:
        call(used, value)
    text = str(caught.value)
    assert [part for part in parts if part not in text] == []
    assert used.picture() == before
    assert isinstance(caught.value, (TypeError, ValueError, iris.IrisError))


def pairs(calls: dict[str, Call], values: list[Any]) -> pytest.MarkDecorator:
    """Every call with every value; values are (value, error) or (value, error, part, ...)."""
    table = [
        pytest.param(call, value, error, parts, id=f"{name}-{shorten(value)}")
        for name, call in calls.items()
        for value, error, *parts in values
    ]
    return pytest.mark.parametrize(("call", "value", "error", "parts"), table)


def shorten(value: Any) -> str:
    """A value in the name of a test."""
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    text = ascii(value)
    return text if len(text) < 20 else f"{text[:8]}...{len(text)}"


# -- pids ----------------------------------------------------------------------------------------

NO_PIDS = [
    (None, TypeError, "None"),
    ("1", TypeError, "'1'"),
    (1.0, TypeError, "1.0"),
    (True, TypeError, "True"),
    ([], TypeError, "[]"),
    (0, iris.BadInput, "0"),
    (-1, iris.BadInput, "-1"),
    (1 << 64, iris.BadInput, str(1 << 64), "2**64"),
]
TAKES_A_PID: dict[str, Call] = {
    "send": lambda u, pid: u.rt.send(pid, b""),
    "send_buffer": lambda u, pid: u.rt.send_buffer(pid, 1),
    "get_messages": lambda u, pid: u.rt.get_messages(pid),
    "stop": lambda u, pid: u.rt.stop(pid),
    "stop_after_drain": lambda u, pid: u.rt.stop_after_drain(pid, 1),
    "join": lambda u, pid: u.rt.join(pid, 0),
    "is_alive": lambda u, pid: u.rt.is_alive(pid),
    "link first": lambda u, pid: u.rt.link(pid, u.pid),
    "link second": lambda u, pid: u.rt.link(u.pid, pid),
    "unlink first": lambda u, pid: u.rt.unlink(pid, u.pid),
    "unlink second": lambda u, pid: u.rt.unlink(u.pid, pid),
    "monitor watcher": lambda u, pid: u.rt.monitor(pid, u.pid),
    "monitor target": lambda u, pid: u.rt.monitor(u.observed, pid),
    "register": lambda u, pid: u.rt.register("other", pid),
    "register_path": lambda u, pid: u.rt.register_path("/other", pid),
    "watch": lambda u, pid: u.rt.watch(pid),
    "path_supervisor_watch": lambda u, pid: u.rt.path_supervisor_watch("/svc", pid),
    "hot_swap": lambda u, pid: u.rt.hot_swap(pid, bool),
    "behavior_version": lambda u, pid: u.rt.behavior_version(pid),
    "rollback_behavior": lambda u, pid: u.rt.rollback_behavior(pid),
    "mailbox_size": lambda u, pid: u.rt.mailbox_size(pid),
    "set_overflow_policy": lambda u, pid: u.rt.set_overflow_policy(pid, "dropold"),
    "send_after": lambda u, pid: u.rt.send_after(pid, 1, b""),
    "send_interval": lambda u, pid: u.rt.send_interval(pid, 1, b""),
    "spawn_child": lambda u, pid: u.rt.spawn_child(pid, bool),
    "spawn_child_with_budget": lambda u, pid: u.rt.spawn_child_with_budget(pid, bool, 5),
    "spawn_child_with_mailbox": lambda u, pid: u.rt.spawn_child_with_mailbox(pid, bool),
    "spawn_child_pool": lambda u, pid: u.rt.spawn_child_pool(pid, bool, 2),
    "spawn_child_pool own": lambda u, pid: u.rt.spawn_child_pool(pid, None, 2),
    "iris.spawn_child_pool": lambda u, pid: iris.spawn_child_pool(u.rt, pid, 2),
}


@pairs(TAKES_A_PID, NO_PIDS)
def test_what_cannot_be_a_pid(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, *parts)


@pytest.mark.parametrize(("value", "error", "part"), [row for row in NO_PIDS if len(row) == 3][1:])
@pytest.mark.parametrize("policy", ["redirect", "spill"])
def test_what_cannot_be_a_target(policy: str, value: Any, error: Any, part: str) -> None:
    check(lambda u, target: u.rt.set_overflow_policy(u.bounded, policy, target), value, error, part)


# -- handlers --------------------------------------------------------------------------------------


async def async_handler(message: Any) -> None:
    """Be what Iris refuses."""


async def async_generator(message: Any) -> Any:
    """Be what Iris refuses."""
    yield message


class AsyncCallable:
    """Its instances, its bound method and partials of it are refused too."""

    async def __call__(self, message: Any) -> None: ...

    async def method(self, message: Any) -> None:
        """Be what Iris refuses."""


NO_HANDLERS = [
    (5, TypeError, "5"),
    ("f", TypeError, "'f'"),
    (b"", TypeError, "b''"),
    ([], TypeError, "[]"),
    (async_handler, TypeError, "iris.interop"),
    (async_generator, TypeError, "iris.interop"),
    (AsyncCallable(), TypeError, "iris.interop"),
    (AsyncCallable().method, TypeError, "iris.interop"),
    (functools.partial(async_handler), TypeError, "iris.interop"),
]
TAKES_A_HANDLER: dict[str, Call] = {
    "spawn": lambda u, handler: u.rt.spawn(handler),
    "spawn_virtual": lambda u, handler: u.rt.spawn_virtual(handler),
    "spawn_virtual_py_handler": lambda u, handler: u.rt._inner.spawn_virtual_py_handler(handler),
    "spawn_py_handler_bounded": lambda u, handler: u.rt.spawn_py_handler_bounded(handler, 10, 1),
    "spawn_with_mailbox": lambda u, handler: u.rt.spawn_with_mailbox(handler),
    "spawn_child": lambda u, handler: u.rt.spawn_child(u.pid, handler),
    "spawn_child_with_budget": lambda u, handler: u.rt.spawn_child_with_budget(u.pid, handler, 5),
    "spawn_child_handler_with_budget": lambda u, handler: u.rt.spawn_child_handler_with_budget(
        u.pid, handler, 5
    ),
    "spawn_child_with_mailbox": lambda u, handler: u.rt.spawn_child_with_mailbox(u.pid, handler),
    "spawn_child_pool": lambda u, handler: u.rt.spawn_child_pool(u.pid, handler, 2),
    "iris.spawn_child_pool": lambda u, handler: iris.spawn_child_pool(u.rt, u.pid, 2, handler),
    "spawn_py_handler": lambda u, handler: u.rt._inner.spawn_py_handler(handler, 10),
    "hot_swap": lambda u, handler: u.rt.hot_swap(u.pid, handler),
    "hot_swap of the gone": lambda u, handler: u.rt.hot_swap(u.pid + 100, handler),
    "hot_swap migrate": lambda u, handler: u.rt.hot_swap(u.pid, bool, handler),
    "hot_swap_path": lambda u, handler: u.rt.hot_swap_path("/svc", handler),
    "hot_swap_path of nobody": lambda u, handler: u.rt.hot_swap_path("/none", handler),
}


@pairs(TAKES_A_HANDLER, NO_HANDLERS)
def test_what_cannot_be_a_handler(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, *parts)


@pytest.mark.parametrize("call", ["spawn", "spawn_child", "hot_swap", "spawn_with_mailbox"])
def test_none_is_no_handler_where_there_is_nothing_to_take_instead(call: str) -> None:
    check(TAKES_A_HANDLER[call], None, TypeError, "None")


# -- numbers ---------------------------------------------------------------------------------------

NOT_WHOLE = [
    (1.5, TypeError, "1.5"),
    ("10", TypeError, "'10'"),
    (b"1", TypeError, "b'1'"),
    (True, TypeError, "True"),
]
TOO_SMALL = [(0, iris.BadInput, "0", "1"), (-7, iris.BadInput, "-7", "1")]
TOO_LARGE = [(1 << 70, iris.BadInput, str(1 << 70), "limit")]

TAKES_A_BUDGET: dict[str, Call] = {
    "spawn": lambda u, budget: u.rt.spawn(bool, budget),
    "spawn_virtual": lambda u, budget: u.rt.spawn_virtual(bool, budget),
    "spawn_virtual idle": lambda u, budget: u.rt.spawn_virtual(bool, budget, 5),
    "spawn_py_handler_bounded": lambda u, budget: u.rt.spawn_py_handler_bounded(bool, budget, 5),
    "spawn_with_mailbox": lambda u, budget: u.rt.spawn_with_mailbox(bool, budget),
    "spawn_observed_handler": lambda u, budget: u.rt.spawn_observed_handler(budget),
    "spawn_with_path_observed": lambda u, budget: u.rt.spawn_with_path_observed(budget, "/new"),
    "spawn_child": lambda u, budget: u.rt.spawn_child(u.pid, bool, budget),
    "spawn_child_with_budget": lambda u, budget: u.rt.spawn_child_with_budget(u.pid, bool, budget),
    "spawn_child_handler_with_budget": lambda u, budget: u.rt.spawn_child_handler_with_budget(
        u.pid, bool, budget
    ),
    "spawn_child_with_mailbox": lambda u, budget: u.rt.spawn_child_with_mailbox(
        u.pid, bool, budget
    ),
    "spawn_child_pool": lambda u, budget: u.rt.spawn_child_pool(u.pid, bool, 2, budget),
    "spawn_py_handler": lambda u, budget: u.rt._inner.spawn_py_handler(bool, budget),
}


@pairs(TAKES_A_BUDGET, [(None, TypeError, "None"), *NOT_WHOLE, *TOO_SMALL, *TOO_LARGE])
def test_what_cannot_be_a_budget(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, "budget", *parts)


TAKES_A_COUNT: dict[str, Call] = {
    "capacity": lambda u, capacity: u.rt.spawn_py_handler_bounded(bool, 10, capacity),
    "workers": lambda u, workers: u.rt.spawn_child_pool(u.pid, bool, workers),
    "size": lambda u, size: iris.allocate_buffer(size),
    "workers of iris": lambda u, size: iris.spawn_child_pool(u.rt, u.pid, size),
}


@pairs(TAKES_A_COUNT, [(None, TypeError, "None"), *NOT_WHOLE, *TOO_SMALL, *TOO_LARGE])
def test_what_cannot_be_a_count(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, *parts)


@pairs(
    {"steps": lambda u, steps: u.rt.rollback_behavior(u.pid, steps)},
    [(None, TypeError, "None"), *NOT_WHOLE, *TOO_SMALL, (99, iris.BadInput, "99")],
)
def test_what_cannot_be_steps(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, *parts)


TAKES_MILLISECONDS: dict[str, Call] = {
    "delay_ms": lambda u, delay_ms: u.rt.send_after(u.pid, delay_ms, b""),
    "interval_ms": lambda u, interval_ms: u.rt.send_interval(u.pid, interval_ms, b""),
}
NO_TIMES = [
    ("5", TypeError, "'5'"),
    ([], TypeError, "[]"),
    (True, TypeError, "True"),
    (-1, iris.BadInput, "-1", "0"),
    (-0.5, iris.BadInput, "-0.5", "0"),
    (float("nan"), iris.BadInput, "nan"),
]


@pairs(
    TAKES_MILLISECONDS,
    [(None, TypeError, "None"), *NO_TIMES, (float("inf"), iris.BadInput, "inf", "1e+15")],
)
def test_what_cannot_be_milliseconds(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, "_ms", *parts)


def test_an_interval_of_zero_is_refused() -> None:
    check(TAKES_MILLISECONDS["interval_ms"], 0, iris.BadInput, "interval_ms=0", "more than 0")


@pairs(
    {"idle_timeout_ms": lambda u, idle_ms: u.rt.spawn_virtual(bool, 100, idle_ms)},
    [*NO_TIMES, (0, iris.BadInput, "=0"), (float("inf"), iris.BadInput, "inf", "1e+15")],
)
def test_what_cannot_be_an_idle_time(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, "idle_timeout_ms", *parts)


TAKES_SECONDS: dict[str, Call] = {
    "join": lambda u, timeout_s: u.rt.join(u.pid, timeout_s),
    "join of the gone": lambda u, timeout_s: u.rt.join(u.pid + 100, timeout_s),
    "quiesce": lambda u, timeout_s: u.rt.quiesce(timeout_s),
    "shutdown": lambda u, timeout_s: u.rt.shutdown(timeout_s),
    "stop_after_drain": lambda u, timeout_s: u.rt.stop_after_drain(u.pid, timeout_s),
}


@pairs(TAKES_SECONDS, NO_TIMES)
def test_what_cannot_be_seconds(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, "timeout_s", *parts)


@pairs(
    {
        "cancel_timer": lambda u, timer: u.rt.cancel_timer(timer),
        "demonitor": lambda u, ref: u.rt.demonitor(ref),
        "send_buffer": lambda u, buffer_id: u.rt.send_buffer(u.pid, buffer_id),
    },
    [(None, TypeError, "None"), *NOT_WHOLE],
)
def test_what_cannot_be_an_id(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, *parts)


@pairs(
    {
        "spawn": lambda u, value: u.rt.spawn(bool, trap_exit=value),
        "spawn_virtual": lambda u, value: u.rt.spawn_virtual(bool, trap_exit=value),
        "bounded": lambda u, value: u.rt.spawn_py_handler_bounded(bool, 10, 1, trap_exit=value),
        "spawn_child": lambda u, value: u.rt.spawn_child(u.pid, bool, trap_exit=value),
    },
    [(1, TypeError, "1"), (0, TypeError, "0"), (None, TypeError, "None"), ("y", TypeError, "'y'")],
)
def test_what_cannot_be_trap_exit(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, "trap_exit", *parts)


# -- names and paths -------------------------------------------------------------------------------

TAKES_A_NAME: dict[str, Call] = {
    "register": lambda u, name: u.rt.register(name, u.child),
    "unregister": lambda u, name: u.rt.unregister(name),
    "whereis": lambda u, name: u.rt.whereis(name),
    "resolve": lambda u, name: u.rt.resolve(name),
    "send_named": lambda u, name: u.rt.send_named(name, b""),
}
NO_TEXTS = [
    (None, TypeError, "None"),
    (7, TypeError, "7"),
    (b"/svc", TypeError, "b'/svc'"),
    ([], TypeError, "[]"),
    (("/svc",), TypeError, "('/svc',)"),
]


@pairs(
    TAKES_A_NAME,
    [
        *NO_TEXTS,
        ("", iris.BadInput, "empty"),
        ("x" * 1025, iris.BadInput, "1025", "1024"),
        ("é" * 513, iris.BadInput, "1026", "1024"),
        ("\ud800", iris.BadInput, "UTF-8"),
    ],
)
def test_what_cannot_be_a_name(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, "name", *parts)


TAKES_A_PATH: dict[str, Call] = {
    "register_path": lambda u, path: u.rt.register_path(path, u.child),
    "unregister_path": lambda u, path: u.rt.unregister_path(path),
    "whereis_path": lambda u, path: u.rt.whereis_path(path),
    "list_children": lambda u, path: u.rt.list_children(path),
    "list_children_direct": lambda u, path: u.rt.list_children_direct(path),
    "watch_path": lambda u, path: u.rt.watch_path(path),
    "create_path_supervisor": lambda u, path: u.rt.create_path_supervisor(path),
    "remove_path_supervisor": lambda u, path: u.rt.remove_path_supervisor(path),
    "path_supervisor_watch": lambda u, path: u.rt.path_supervisor_watch(path, u.child),
    "path_supervisor_children": lambda u, path: u.rt.path_supervisor_children(path),
    "spawn_with_path_observed": lambda u, path: u.rt.spawn_with_path_observed(10, path),
    "hot_swap_path": lambda u, path: u.rt.hot_swap_path(path, bool),
}


@pairs(
    TAKES_A_PATH,
    [
        *NO_TEXTS,
        ("", iris.BadInput, "''", "slash"),
        ("svc/one", iris.BadInput, "'svc/one'", "leading slash", "/"),
        (" /svc", iris.BadInput, "leading slash"),
        ("//", iris.BadInput, "'//'", "empty part"),
        ("/svc//one", iris.BadInput, "'/svc//one'", "empty part"),
        ("/svc/", iris.BadInput, "'/svc/'", "empty part"),
        ("/" + "x" * 1024, iris.BadInput, "1025", "1024"),
        ("/" + "é" * 512, iris.BadInput, "1025", "1024"),
        ("/\ud800", iris.BadInput, "UTF-8"),
    ],
)
def test_what_cannot_be_a_path(call: Call, value: Any, error: Any, parts: list[str]) -> None:
    check(call, value, error, "path", *parts)


@pytest.mark.parametrize("call", ["register_path", "spawn_with_path_observed"])
def test_nobody_can_have_the_root_of_all_paths(call: str) -> None:
    check(TAKES_A_PATH[call], "/", iris.BadInput, "'/'", "root")


@pytest.mark.parametrize("call", ["path_supervisor_watch", "path_supervisor_children"])
def test_a_path_without_a_supervisor_is_named_with_the_mend(call: str) -> None:
    check(TAKES_A_PATH[call], "/none", iris.BadInput, "'/none'", "create")


# -- policies and the rest -------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["keep", "", "drop new", "dropnew "])
def test_an_unknown_policy_is_named_with_those_there_are(policy: str) -> None:
    words = ("dropnew", "dropold", "redirect", "spill", "block")
    check(
        lambda u, policy: u.rt.set_overflow_policy(u.bounded, policy),
        policy, iris.BadInput, repr(policy), *words,
    )  # fmt: skip


@pytest.mark.parametrize("policy", [None, 7, b"dropnew", ["block"]])
def test_a_policy_is_a_word(policy: Any) -> None:
    check(
        lambda u, policy: u.rt.set_overflow_policy(u.bounded, policy),
        policy, TypeError, repr(policy),
    )  # fmt: skip


@pytest.mark.parametrize("policy", ["redirect", "spill"])
def test_a_missing_target_is_named(policy: str) -> None:
    def call(u: Used, policy: str) -> None:
        u.rt.set_overflow_policy(u.bounded, policy)

    check(call, policy, iris.BadInput, repr(policy), "target")


@pytest.mark.parametrize("policy", ["redirect", "spill"])
def test_an_actor_cannot_be_its_own_target(policy: str) -> None:
    def call(u: Used, policy: str) -> None:
        u.rt.set_overflow_policy(u.bounded, policy, u.bounded)

    check(call, policy, iris.BadInput, "own overflow")


@pytest.mark.parametrize("policy", ["dropnew", "dropold", "block"])
def test_a_target_that_would_be_ignored_is_refused(policy: str) -> None:
    def call(u: Used, policy: str) -> None:
        u.rt.set_overflow_policy(u.bounded, policy, u.pid)

    check(call, policy, iris.BadInput, repr(policy), "target")


def test_a_mailbox_without_a_bound_has_no_policy() -> None:
    def call(u: Used, policy: str) -> None:
        u.rt.set_overflow_policy(u.pid, policy)

    check(call, "dropold", iris.ActorError, "no bound", "spawn_py_handler_bounded")


@pytest.mark.parametrize("when", ["later", "", None, 7, []])
@pytest.mark.parametrize("prefix", ["/svc", "/none", None])
def test_an_unknown_moment_of_a_swap_is_named_with_those_there_are(when: Any, prefix: Any) -> None:
    def call(u: Used, when: Any) -> None:
        if prefix is None:
            u.rt.hot_swap(u.pid, bool, None, when)
        else:
            u.rt.hot_swap_path(prefix, bool, None, when)

    check(call, when, (iris.BadInput, TypeError), repr(when), "'order'", "'now'")


def test_an_actor_cannot_be_linked_to_itself() -> None:
    check(lambda u, _: u.rt.link(u.pid, u.pid), None, iris.BadInput, "itself")


@pytest.mark.parametrize("junk", [None, "rt", 7])
def test_a_pool_needs_a_runtime(junk: Any) -> None:
    check(
        lambda u, junk: iris.spawn_child_pool(junk, u.pid, 2),
        junk, TypeError, repr(junk),
    )  # fmt: skip
