"""The same seed gives the same run: twice in a process, and on every interpreter."""

from __future__ import annotations

import hashlib
import logging
from random import Random
from typing import Any

import pytest

import iris
from iris.testing import SimRuntime


def trace(seed: int) -> list[str]:
    """What happens in a small busy world, one line each."""
    rt, random = SimRuntime(seed=seed), Random(seed).random
    lines: list[str] = []
    pids: list[int] = []

    def note(what: str, pid: int) -> None:
        lines.append(f"{rt.now:.4f} {what} {pids.index(pid)}")

    def handler(message: int) -> None:
        me = rt.self_pid()
        note(f"handles {message}", me)
        if random() < 0.3:
            rt.sleep(random() / 100)
        if message:
            rt.send(pids[int(random() * len(pids))], message - 1)
        if random() < 0.02:
            raise ValueError("as it should")

    def body(mailbox: iris.PyMailbox) -> None:
        while not mailbox.closed:
            message = mailbox.recv(0.05)
            note(f"takes {message}", rt.self_pid())
            if rt.now > 0.5:
                return

    def ended(pid: int, ending: Any) -> None:
        note(f"ended {ending.reason}", pid)

    rt.add_hook("exit", ended)
    pids += [rt.spawn(handler, 1 + place % 3) for place in range(6)]
    pids += [rt.spawn_child(pids[place], handler) for place in range(4)]
    pids += [rt.spawn_with_mailbox(body) for _ in range(2)]
    for place, pid in enumerate(pids):
        rt.send(pid, 20 + place)
        rt.send_after(pid, 10 * place, 5)
    rt.advance(1)
    rt.shutdown()
    return lines


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The tracebacks of handlers that fail on purpose are not what this is about."""
    caplog.set_level(logging.CRITICAL + 1, "iris")


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    first = trace(seed)
    assert len(first) > 50
    assert first == trace(seed)


def test_other_seeds_give_other_runs() -> None:
    assert len({tuple(trace(seed)) for seed in range(20)}) == 20


def test_a_run_is_the_same_on_every_interpreter() -> None:
    # When the order of turns changes on purpose, the new digest goes here.
    digest = hashlib.sha256("\n".join(trace(7)).encode()).hexdigest()
    assert digest[:16] == "a8607b8e9ca31857"
