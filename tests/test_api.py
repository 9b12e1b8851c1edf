"""The names, parameters and defaults that callers rely on, and programs written against them.

The signatures are those of the contract: what stands here stays. A call may get further
parameters with defaults behind these. The programs below use every call as its callers do,
positions and names of arguments included, in a simulated and in a real runtime.
"""

from __future__ import annotations

import inspect
import re
from itertools import cycle
from typing import Any, Callable

import pytest

import iris
from iris.testing import SimRuntime

# -- signatures ------------------------------------------------------------------------------------

COMMON = """
send(pid, data)
send_named(name, data)
ask(pid, data, timeout_s)
ask_async(pid, data, timeout_s)
send_async(pid, data)
reply(data, to=None)
forward(pid, data)
send_buffer(pid, buffer_id)
get_messages(pid)
stop(pid)
stop_after_drain(pid, timeout_s)
join(pid, timeout_s=None)
is_alive(pid)
link(a, b)
unlink(a, b)
monitor(watcher, target)
demonitor(ref)
register(name, pid)
unregister(name)
whereis(name)
resolve(name)
register_path(path, pid)
unregister_path(path)
whereis_path(path)
list_children(prefix)
list_children_direct(prefix)
watch_path(prefix)
child_pids()
children_count()
create_path_supervisor(path)
remove_path_supervisor(path)
path_supervisor_watch(path, pid)
path_supervisor_children(path)
hot_swap(pid, handler, migrate=None, when='order')
hot_swap_path(prefix, handler, migrate=None, when='order')
behavior_version(pid)
rollback_behavior(pid, steps=1)
mailbox_size(pid)
set_overflow_policy(pid, policy, target=None)
cancel_timer(timer_id)
stats()
health()
add_probe(name, probe)
remove_probe(name)
dead_letters()
quiesce(timeout_s)
shutdown(timeout_s=5)
self_pid()
watch(pid, strategy='restartone')
supervise_with_factory(pid, factory, strategy='restartone')
path_supervise_with_factory(path, pid, factory, strategy='restartone')
unsupervise(pid)
spawn_with_mailbox(fn, budget=100)
set_pull_limits(max_threads, strict=False)
spawn_observed_handler(budget)
spawn_with_path_observed(budget, path)
spawn_child_with_mailbox(parent, fn, budget=100)
spawn_child_pool(parent, handler, workers, budget=100, release_gil=False, *, trap_exit=False)
set_release_gil_limits(max_threads, gil_pool_size)
set_release_gil_strict(strict)
spawn_py_handler_bounded(handler, budget, capacity)
"""

SIGNATURES = {
    "Runtime": COMMON
    + """
spawn(handler, budget=100, release_gil=False, *, trap_exit=False)
spawn_virtual(handler, budget=100, idle_timeout_ms=None, *, trap_exit=False)
spawn_child(parent, handler, budget=100, release_gil=False, *, trap_exit=False)
spawn_child_with_budget(parent, handler, budget, release_gil=False, *, trap_exit=False)
spawn_child_handler_with_budget(parent, handler, budget, release_gil=False, *, trap_exit=False)
""",
    "PyRuntime": COMMON
    + """
spawn_py_handler(handler, budget, release_gil=False, *, trap_exit=False)
spawn_virtual_py_handler(handler, budget=100, idle_timeout_ms=None, *, trap_exit=False)
spawn_child_py_handler(parent, handler, budget=100, release_gil=False, *, trap_exit=False)
""",
    "PyMailbox": """
recv(timeout=None)
selective_recv(matcher, timeout=None)
""",
    "": """
allocate_buffer(size)
spawn_child_pool(rt, parent, size, handler=None)
deserialize_args(data)
serialize_args(*args)
current()
pause()
version()
""",
}

Parameter = inspect.Parameter
LINES = [(owner, line) for owner, text in SIGNATURES.items() for line in text.split("\n") if line]


def promised(line: str) -> tuple[str, list[Parameter]]:
    """The name and the parameters that a line of the tables says."""
    scope: dict[str, Any] = {}
    exec(f"def {line}: ...", scope)
    name = line.partition("(")[0]
    return name, list(inspect.signature(scope[name]).parameters.values())


def parameters_of(owner: str, name: str) -> list[Parameter]:
    """The parameters as the code has them, without `self`."""
    place = getattr(iris, owner) if owner else iris
    found = list(inspect.signature(getattr(place, name)).parameters.values())
    return found[1:] if owner else found


@pytest.mark.parametrize(("owner", "line"), LINES)
def test_a_call_takes_what_was_promised_in_this_order_and_with_these_defaults(
    owner: str, line: str
) -> None:
    name, wanted = promised(line)
    found = parameters_of(owner, name)
    by_name = {parameter.name: parameter for parameter in found}
    for place, parameter in enumerate(wanted):
        if parameter.kind is Parameter.KEYWORD_ONLY:
            assert by_name[parameter.name].kind is Parameter.KEYWORD_ONLY
        else:
            assert found[place].name == parameter.name
        if parameter.default is not Parameter.empty:
            assert by_name[parameter.name].default == parameter.default
    extra = [by_name[name] for name in by_name.keys() - {parameter.name for parameter in wanted}]
    assert [parameter.name for parameter in extra if parameter.default is Parameter.empty] == []


def test_a_runtime_holds_its_lower_level_object() -> None:
    rt = SimRuntime()
    assert isinstance(rt, iris.Runtime)
    assert isinstance(rt._inner, iris.PyRuntime)
    assert rt._inner.is_alive(rt.spawn(len))


def test_version_gives_the_version_of_the_package() -> None:
    assert iris.version() == iris.__version__
    assert iris.version().count(".") >= 2


def test_a_system_message_has_the_five_promised_fields() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    rt.monitor(watcher, target)
    rt.stop(target)
    rt.run_until_idle()
    (message,) = rt.get_messages(watcher)
    fields = ("type_name", "from_pid", "target_pid", "reason", "metadata")
    assert [getattr(message, field) for field in fields] == ["DOWN", target, target, "Killed", None]
    assert f"{message.type_name} {message.reason}" == "DOWN Killed"


# -- programs --------------------------------------------------------------------------------------

Make = Callable[[], iris.Runtime]
both = pytest.mark.parametrize(
    "make", [SimRuntime, pytest.param(iris.Runtime, marks=pytest.mark.live)], ids=["sim", "real"]
)


def ended(rt: iris.Runtime, *pids: int) -> bool:
    """Whether these actors end within some seconds."""
    return all(rt.join(pid, 30) for pid in pids)


@both
def test_a_thousand_push_workers(make: Make) -> None:
    with make() as rt:
        done: list[Any] = []
        workers = [rt.spawn(done.append, budget=50) for _ in range(1000)]
        for worker in workers:
            assert rt.send(worker, b"job")
        assert rt.quiesce(30)
        assert done == [b"job"] * 1000


@both
def test_a_pull_actor_that_coordinates(make: Make) -> None:
    with make() as rt:
        steps: list[Any] = []

        def order(mailbox: iris.PyMailbox) -> None:
            steps.append(mailbox.recv())
            steps.append(mailbox.recv(timeout=30.0))
            steps.append(mailbox.selective_recv(lambda message: message.startswith(b"paid")))
            steps.append(mailbox.recv(0.01) or "nothing more")

        pid = rt.spawn_with_mailbox(order, budget=100)
        for message in (b"new", b"confirmed", b"paid 12"):
            rt.send(pid, message)
        assert ended(rt, pid)
        assert steps == [b"new", b"confirmed", b"paid 12", "nothing more"]


@both
def test_a_pool_of_workers_used_in_turn(make: Make) -> None:
    with make() as rt:
        prices: list[float] = []

        def price(message: bytes) -> None:
            spot, vol, strike = iris.deserialize_args(message)
            prices.append(max(spot * (1 + vol) - strike, 0.0))

        parent = rt.spawn(lambda message: None)
        turn = cycle(iris.spawn_child_pool(rt, parent, size=4, handler=price))
        for strike in range(100):
            assert rt.send(next(turn), iris.serialize_args(50.0, 0.5, strike))
        assert rt.quiesce(30)
        assert sorted(prices)[-1] == 75.0
        assert len(prices) == 100


@both
def test_children_end_when_their_parent_is_told_to_quit(make: Make) -> None:
    with make() as rt:
        seen: list[Any] = []
        parent = rt.spawn(seen.append)
        children = [
            rt.spawn_child(parent, seen.append),
            rt.spawn_child_with_budget(parent, seen.append, 10),
            rt.spawn_child_handler_with_budget(parent, seen.append, 10),
            rt.spawn_child_with_mailbox(parent, lambda mailbox: seen.append(mailbox.recv())),
            *rt.spawn_child_pool(parent, seen.append, 2),
            *rt.spawn_child_pool(parent, seen.append, 2, 10),
        ]
        rt.send(parent, b"quit")
        assert ended(rt, parent, *children)
        assert not any(rt.is_alive(pid) for pid in children)
        assert b"quit" in seen


@both
def test_services_are_found_by_name(make: Make) -> None:
    with make() as rt:
        logins: list[Any] = []
        pid = rt.spawn(logins.append)
        assert rt.register("auth_worker", pid)
        found = rt.whereis("auth_worker")
        assert found == rt.resolve("auth_worker") == pid
        assert rt.send(found, b"login")
        assert rt.send_named("auth_worker", b"again")
        assert rt.quiesce(30)
        assert logins == [b"login", b"again"]
        assert rt.unregister("auth_worker")
        assert rt.whereis("auth_worker") is None


@both
def test_paths_group_actors_for_a_supervisor(make: Make) -> None:
    with make() as rt:
        pid = rt.spawn_with_path_observed(10, "/svc/test/one")
        rt.create_path_supervisor("/svc/test")
        rt.path_supervisor_watch("/svc/test", pid)
        assert rt.path_supervisor_children("/svc/test") == [pid]
        rt.remove_path_supervisor("/svc/test")
        other = rt.spawn(lambda message: None, 10)
        rt.register_path("/system/service/one", other)
        assert rt.whereis_path("/system/service/one") == other
        assert rt.list_children("/system") == [other]
        assert rt.list_children_direct("/system") == []
        assert rt.list_children_direct("/system/service") == [other]
        rt.watch_path("/system/service")
        assert (rt.child_pids(), rt.children_count()) == ([other], 1)
        assert rt.unregister_path("/system/service/one")


@both
def test_an_observer_reads_why_a_linked_actor_ended(make: Make) -> None:
    with make() as rt:
        observer = rt.spawn_observed_handler(10)
        worker = rt.spawn(lambda message: message["missing"])
        rt.link(observer, worker)
        rt.send(worker, {})
        assert ended(rt, worker)
        rt.send(observer, b"user data")
        system, user = rt.get_messages(observer)
        assert isinstance(system, iris.PySystemMessage)
        assert (system.type_name, system.reason) == ("EXIT", "Panic")
        assert system.from_pid == system.target_pid == worker
        assert system.metadata["exception_type"] == "KeyError"
        assert user == b"user data"


@both
def test_a_handler_is_replaced_while_messages_come(make: Make) -> None:
    with make() as rt:
        log: list[str] = []
        pid = rt.spawn(lambda message: log.append("first"), budget=10)
        rt.send(pid, b"test")
        assert rt.hot_swap(pid, lambda message: log.append("second"))
        rt.send(pid, b"test")
        assert rt.behavior_version(pid) == 2
        assert rt.rollback_behavior(pid) == 1
        rt.send(pid, b"test")
        assert rt.quiesce(30)
        assert log == ["first", "second", "first"]
        assert rt.mailbox_size(pid) == 0


def test_timers_send_once_and_again_until_cancelled() -> None:
    rt, got = SimRuntime(), []
    pid = rt.spawn(got.append)
    once = rt.send_after(pid, 200, b"tick")
    again = rt.send_interval(pid, 1000, b"beat")
    rt.advance(3.5)
    assert got == [b"tick", b"beat", b"beat", b"beat"]
    assert rt.cancel_timer(once) is False
    assert rt.cancel_timer(again) is True


@pytest.mark.parametrize("spawn", ["by name", "by position"])
def test_a_bounded_mailbox_drops_redirects_spills_and_blocks(spawn: str) -> None:
    rt, primary, fallback = SimRuntime(), [], []
    if spawn == "by name":
        pid = rt.spawn_py_handler_bounded(primary.append, budget=100, capacity=2)
    else:
        pid = rt.spawn_py_handler_bounded(primary.append, 100, 2)
    aside = rt.spawn(fallback.append, budget=100)
    assert rt.send(pid, b"one")
    assert rt.send(pid, b"two")
    assert not rt.send(pid, b"three")
    rt.set_overflow_policy(pid, "redirect", aside)
    assert rt.send(pid, b"four")
    rt.set_overflow_policy(pid, "spill", aside)
    assert rt.send(pid, b"five")
    rt.set_overflow_policy(pid, "block", None)
    assert rt.send(pid, b"six")
    assert rt.quiesce(1)
    assert primary == [b"one", b"two", b"five", b"six"]
    assert fallback == [b"four", b"five"]


@both
def test_the_same_program_in_the_lower_level_names(make: Make) -> None:
    with make() as runtime:
        rt, got = runtime._inner, []
        parent = rt.spawn_py_handler(got.append, 100)
        child = rt.spawn_child_py_handler(parent, got.append, 50)
        bounded = rt.spawn_py_handler_bounded(got.append, 100, 5)
        pull = rt.spawn_with_mailbox(lambda mailbox: got.append(mailbox.recv()), 10)
        workers = rt.spawn_child_pool(parent, None, 2)
        watcher = rt.spawn_observed_handler(10)
        for pid in (parent, child, bounded, pull, *workers, watcher):
            assert rt.send(pid, b"x")
        assert ended(runtime, pull)
        assert runtime.quiesce(30)
        assert got == [b"x"] * 6
        assert rt.get_messages(watcher) == [b"x"]
        rt.watch(parent)
        rt.link(watcher, parent)
        assert rt.unlink(watcher, parent)
        assert (rt.child_pids(), rt.children_count()) == ([parent], 1)
        assert rt.stop(parent)
        assert ended(runtime, parent)
        assert (rt.is_alive(child), rt.child_pids()) == (False, [])


@pytest.mark.live
def test_a_lower_level_runtime_of_ones_own() -> None:
    got: list[Any] = []
    with iris.PyRuntime(stop_word=None, exit_drain_s=0.1) as rt:
        pid = rt.spawn_py_handler(lambda message: got.append(iris.current().runtime), 10)
        rt.spawn_child_py_handler(pid, len)
        # The stop word would end it.
        assert rt.send(pid, b"quit")
        assert rt.quiesce(30)
        assert rt.is_alive(pid)
    assert got == [rt]
    with pytest.raises(iris.RuntimeClosed):
        rt.spawn_py_handler(len, 10)


@pytest.mark.parametrize("options", [{"stopword": None}, {"hub": "mine"}, {"long_turn_ms": "x"}])
def test_a_lower_level_runtime_refuses_what_a_runtime_refuses(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, iris.IrisError)) as refused:
        iris.Runtime(**options)
    with pytest.raises(refused.type, match=re.escape(str(refused.value))):
        iris.PyRuntime(**options)
