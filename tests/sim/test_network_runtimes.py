"""Several simulated runtimes on one network: one time, and hosts that stand still or die."""

from __future__ import annotations

import gc
import hashlib
import logging
from random import Random
from typing import Any

import pytest

import iris
from iris.run.waiter import Waiter
from iris.testing import SimNetwork, SimRuntime

from .netends import End, Program


def runtimes(seed: int, hosts: str = "ab") -> tuple[SimNetwork, list[SimRuntime]]:
    network = SimNetwork(seed)
    return network, [SimRuntime(network=network, host=host) for host in hosts]


def test_runtimes_of_a_network_have_one_time() -> None:
    network, (a, b) = runtimes(0)
    log: list[tuple[str, float]] = []
    a.send_interval(a.spawn(lambda _: log.append(("a", a.now))), 300, b"")
    b.send_interval(b.spawn(lambda _: log.append(("b", b.now))), 500, b"")
    a.advance(1.0)
    assert log == [("a", 0.3), ("b", 0.5), ("a", 0.6), ("a", pytest.approx(0.9)), ("b", 1.0)]
    assert a.now == b.now == network.now == 1.0
    assert (network.step(), a.step()) == (False, False)


def test_the_seed_decides_whose_turn_it_is_among_all() -> None:
    orders = set()
    for seed in range(60):
        network, systems = runtimes(seed)
        order: list[str] = []
        for name, rt in zip("ab", systems):
            for number in "12":
                rt.send(rt.spawn(order.append), name + number)
        network.run_until_idle()
        orders.add(" ".join(order))
    assert len(orders) > 15


def test_runtimes_with_the_same_seed_are_not_twins() -> None:
    pids = set()
    for seed in range(5):
        _, systems = runtimes(seed, "abc")
        pids.update(rt.spawn(print) for rt in systems)
    assert len(pids) == 15
    assert [rt.spawn(print) for rt in runtimes(3)[1]] == [rt.spawn(print) for rt in runtimes(3)[1]]


def fetch(rt: SimRuntime, program: Program, host: str) -> Any:
    """In a handler: connect, and wait for a line."""
    waiter = Waiter()

    def done(stream: Any) -> Any:
        if isinstance(stream, Exception):
            waiter.settle(stream)
            return None
        end = End(program.network, stream)
        end.on_bytes = lambda _: end.bytes.endswith(b"\n") and waiter.settle(end.bytes)
        return end

    program.driver.post(lambda: program.driver.connect(host, Program.PORT, 5.0, done))
    waiter.wait()
    return waiter.value


@pytest.mark.parametrize("seed", range(20))
def test_a_question_from_outside_runs_the_whole_network(seed: int) -> None:
    network, (a, b) = runtimes(seed)
    network.driver("c", print)
    network.delay("a", "b", (0.1, 0.2))
    client, server = Program(network, "a"), Program(network, "b", Program.PORT)

    def answer(message: Any) -> None:
        b.sleep(1.0)
        message.stream.write(b"from an actor\n")

    actor = b.spawn(answer)
    server.on_new = lambda end: b.send(actor, end)
    asked = a.spawn(lambda host: iris.reply(fetch(a, client, host)))
    assert a.ask(asked, "b", 30) == b"from an actor\n"
    # There, a second, and back.
    assert 1.2 <= network.now <= 1.4
    refused = a.ask(asked, "c", 30)
    assert isinstance(refused, ConnectionRefusedError)


def test_a_wait_for_what_cannot_come_says_so() -> None:
    network, (_, b) = runtimes(0)
    pid = b.spawn(lambda _: iris.reply("never"))
    network.freeze("b")
    with pytest.raises(iris.IrisError, match="nothing in it can bring about"):
        b.join(pid)
    network.thaw("b")
    assert b.ask(pid, "?", 1) == "never"


def test_a_frozen_runtime_stands_still_while_others_go_on() -> None:
    network, (a, b) = runtimes(0)
    log: list[str] = []
    pid = b.spawn(lambda message: log.append(f"b {message} {b.now}"))
    b.send_after(pid, 1000, "timer")
    a.send_after(a.spawn(lambda _: log.append(f"a {a.now}")), 2000, b"")
    pulled = b.spawn_with_mailbox(lambda box: log.append(f"pulled {box.recv(None)}"))
    network.freeze("b")
    b.send(pid, "sent")
    b.send(pulled, "x")
    network.advance(5)
    assert log == ["a 2.0"]
    network.thaw("b")
    network.run_until_idle()
    assert sorted(log[1:]) == ["b sent 5.0", "b timer 5.0", "pulled x"]


def test_a_killed_runtime_is_gone_with_all_that_it_was_doing() -> None:
    network, (a, b) = runtimes(0)
    log: list[str] = []

    def slow(message: Any) -> None:
        try:
            b.sleep(1)
            log.append("went on")
        finally:
            log.append("cleaned up")

    def ended(*_: Any) -> None:
        log.append("ended")

    b.add_hook("exit", ended)
    pid = b.spawn(slow)
    b.send(pid, b"")
    network.run_until_idle()
    network.kill("b")
    network.advance(10)
    assert log == []
    for call in (lambda: b.spawn(print), b.stats, lambda: b.whereis("x"), lambda: b.join(pid)):
        with pytest.raises(iris.RuntimeClosed):
            call()
    assert b.send(pid, b"") is False
    assert b.shutdown() == []
    again = SimRuntime(network=network, host="b")
    assert again.ask(again.spawn(lambda _: iris.reply("born")), b"", 1) == "born"
    assert a.ask(a.spawn(lambda _: iris.reply("alive")), b"", 1) == "alive"
    assert log == []


def test_what_was_killed_does_not_even_clean_up_when_it_is_forgotten() -> None:
    network, (a, _) = runtimes(0)
    log: list[str] = []

    def begin() -> None:
        rt = SimRuntime(network=network, host="c")

        def slow(_: Any) -> None:
            try:
                iris.current().runtime.sleep(1)
            finally:
                log.append("cleaned up")

        rt.send(rt.spawn(slow), b"")

    begin()
    a.run_until_idle()
    network.kill("c")
    for _ in range(3):
        gc.collect()
    assert log == []


def test_the_end_of_one_runtime_leaves_the_others() -> None:
    network, (a, b) = runtimes(0)
    program = Program(network, "a")
    pid = b.spawn(lambda _: iris.reply(b.now))
    a.spawn_with_mailbox(lambda box: box.recv(None))
    assert a.shutdown() == []
    program.driver.stop(1)
    assert b.ask(pid, b"", 1) == network.now
    network.run_until_idle()
    again = SimRuntime(network=network, host="a")
    Program(network, "a")
    assert again.quiesce()


def test_several_runtimes_on_one_host_share_its_fate() -> None:
    network, (a, b, c) = runtimes(0, "aab")
    network.kill("a")
    for rt in (a, b):
        with pytest.raises(iris.RuntimeClosed):
            rt.stats()
    assert c.stats()["actors"] == 0


def test_a_look_after_each_step_sees_all_steps() -> None:
    network, (a, b) = runtimes(0)
    looks: list[float] = []
    b.after_each_step(lambda: looks.append(b.now))
    a.send(a.spawn(lambda _: None), b"")
    steps = network.run_until_idle()
    assert steps == len(looks) > 0


def test_network_and_host_go_together() -> None:
    with pytest.raises(TypeError, match="go together"):
        SimRuntime(network=SimNetwork())
    with pytest.raises(TypeError, match="go together"):
        SimRuntime(host="a")


# -- determinism ------------------------------------------------------------------------------


def trace(seed: int) -> list[Any]:
    """What happens in a small busy network."""
    network, systems = runtimes(seed, "abc")
    random = Random(seed).random
    lines: list[Any] = []
    network.delay("*", "*", (0.001, 0.05))
    programs: dict[str, Program] = {}

    def begin(host: str, rt: SimRuntime) -> None:
        program = programs[host] = Program(network, host)

        def handler(message: Any) -> None:
            kind, data = message
            lines.append((network.now, host, kind, len(data)))
            rt.sleep(random() / 100)
            other = "abc"[int(random() * 3)]
            if kind == "in" and random() < 0.8:
                outcome = program.connect(other, timeout_s=0.3)
                rt.sleep(0.1)
                if outcome and isinstance(outcome[0], End) and not outcome[0].over:
                    outcome[0].on_bytes = lambda data: rt.send(pid, ("back", data))
                    text = b"x" * int(random() * 3000)
                    program.driver.post(lambda: outcome[0].stream.write(text))

        pid = rt.spawn(handler)

        def new(end: End) -> None:
            def answer(data: bytes) -> None:
                rt.send(pid, ("in", data))
                end.stream.write(data[::2])

            end.on_bytes = answer

        program.on_new = new
        for _ in range(5):
            rt.send_after(pid, int(random() * 500), ("in", b"kick"))

    def revive() -> None:
        begin("b", SimRuntime(network=network, host="b"))

    for host, rt in zip("abc", systems):
        begin(host, rt)
    network.later(0.7, lambda: network.cut("a", "c"))
    network.later(0.8, lambda: network.partition("a", "b"))
    network.later(1.0, network.heal)
    network.later(1.1, lambda: network.freeze("c"))
    network.later(1.3, lambda: network.thaw("c"))
    network.later(1.4, lambda: network.kill("b"))
    network.later(1.5, revive)
    network.advance(3)
    return [*lines, *network.trace]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What fails on purpose is not what this is about."""
    caplog.set_level(logging.CRITICAL + 1, "iris")


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    first = trace(seed)
    assert len(first) > 100
    assert first == trace(seed)


def test_other_seeds_give_other_runs() -> None:
    assert len({tuple(trace(seed)) for seed in range(20)}) == 20


def test_a_run_is_the_same_on_every_interpreter() -> None:
    # When the order of what happens changes on purpose, the new digest goes here.
    text = "\n".join(" ".join(map(str, line)) for line in trace(7))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "4fee8d31ab5bd533"
