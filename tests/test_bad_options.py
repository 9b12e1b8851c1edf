"""Bad input that is no call of a runtime: its options, timeouts of `recv`, packed arguments.

An error at the call that names the value, the limit and the mend, as in test_bad_input.py.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest

import iris
from iris.testing import SimRuntime

# -- inside a pull actor ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error"),
    [("5", TypeError), (True, TypeError), (-1, iris.BadInput), (float("nan"), iris.BadInput)],
)
@pytest.mark.parametrize("queued", [0, 1, 3])
@pytest.mark.parametrize("begun", [False, True], ids=["at once", "within a batch"])
def test_what_cannot_be_a_timeout_of_recv(
    value: Any, error: type[Exception], queued: int, begun: bool
) -> None:
    rt, texts = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        if begun:
            mailbox.recv()
        for take in (mailbox.recv, functools.partial(mailbox.selective_recv, bool)):
            with pytest.raises(error) as caught:
                take(timeout=value)
            texts.append(str(caught.value))

    pid = rt.spawn_with_mailbox(body)
    for _ in range(queued + begun):
        rt.send(pid, b"x")
    rt.run_until_idle()
    assert [repr(value) in text for text in texts] == [True, True]


@pytest.mark.parametrize("matcher", [None, 7, "x"])
def test_what_cannot_be_a_matcher(matcher: Any) -> None:
    rt, errors = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        with pytest.raises(TypeError, match="matcher"):
            mailbox.selective_recv(matcher)
        errors.append(mailbox.recv(0))

    pid = rt.spawn_with_mailbox(body)
    rt.send(pid, b"still there")
    rt.run_until_idle()
    assert errors == [b"still there"]


# -- packing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((object(),), TypeError),
        (({1, 2},), TypeError),
        ((1 << 64,), iris.BadInput),
        (("\ud800",), iris.BadInput),
    ],
)
def test_what_cannot_be_packed(args: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error, match="serialize_args"):
        iris.serialize_args(*args)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (5, TypeError),
        (None, TypeError),
        ("text", TypeError),
        (b"", iris.BadInput),
        (b"\xc1", iris.BadInput),
        (b"\x93\x01", iris.BadInput),
        (b"\x01\x02", iris.BadInput),
        (b"\x01", iris.BadInput),
        (b"\x80", iris.BadInput),
    ],
)
def test_what_cannot_be_unpacked(data: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"argument|bytes"):
        iris.deserialize_args(data)


# -- the runtime itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [iris.Runtime, SimRuntime], ids=["Runtime", "SimRuntime"])
@pytest.mark.parametrize(
    ("options", "error", "parts"),
    [
        ({"threads": 4}, TypeError, ["'threads'", "stop_word", "slice_s"]),
        ({"slice_s": -1}, iris.BadInput, ["slice_s=-1"]),
        ({"slice_s": "1"}, TypeError, ["slice_s", "'1'"]),
        ({"slice_s": float("nan")}, iris.BadInput, ["slice_s=nan"]),
        ({"shutdown_timeout_s": -0.1}, iris.BadInput, ["shutdown_timeout_s=-0.1"]),
        ({"exit_drain_s": True}, TypeError, ["exit_drain_s", "True"]),
        ({"exit_drain_s": float("inf")}, iris.BadInput, ["exit_drain_s=inf"]),
        ({"stop_word": "quit"}, TypeError, ["stop_word", "'quit'"]),
        ({"pull_threads_max": 0}, iris.BadInput, ["pull_threads_max=0"]),
        ({"pull_threads_max": 1.5}, TypeError, ["pull_threads_max", "1.5"]),
        ({"pull_strict": 1}, TypeError, ["pull_strict", "1"]),
        ({"pull_stack_bytes": 1}, iris.BadInput, ["pull_stack_bytes=1"]),
        ({"dead_letters_max": -1}, iris.BadInput, ["dead_letters_max=-1", "0"]),
        ({"dead_letters_max": 10**9}, iris.BadInput, ["dead_letters_max=1000000000", "10000000"]),
        ({"dead_letters_max": 1.0}, TypeError, ["dead_letters_max", "1.0"]),
        ({"dead_letters_max": None}, TypeError, ["dead_letters_max", "None"]),
        ({"on_undelivered": 7}, TypeError, ["on_undelivered", "7"]),
        ({"long_turn_ms": -1}, iris.BadInput, ["long_turn_ms=-1", "1 to 1e9"]),
        ({"long_turn_ms": 0.5}, iris.BadInput, ["long_turn_ms=0.5", "1 to 1e9"]),
        ({"long_turn_ms": float("nan")}, iris.BadInput, ["long_turn_ms=nan"]),
        ({"long_turn_ms": float("inf")}, iris.BadInput, ["long_turn_ms=inf"]),
        ({"long_turn_ms": "100"}, TypeError, ["long_turn_ms", "'100'"]),
        ({"long_turn_ms": True}, TypeError, ["long_turn_ms", "True"]),
    ],
)
def test_what_cannot_be_an_option(
    make: Any, options: dict[str, Any], error: type[Exception], parts: list[str]
) -> None:
    with pytest.raises(error) as caught:
        make(**options)
    assert [part for part in parts if part not in str(caught.value)] == []


@pytest.mark.parametrize("hub", ["threads", "", None, 7])
def test_an_unknown_hub_is_named_with_those_there_are(hub: Any) -> None:
    with pytest.raises((iris.BadInput, TypeError)) as caught:
        iris.Runtime(hub)
    assert repr(hub) in str(caught.value)
    assert "'thread' or 'current'" in str(caught.value)


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, iris.BadInput), ("1", TypeError), (1.0, TypeError)]
)
def test_what_cannot_be_a_seed(seed: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="seed"):
        SimRuntime(seed=seed)
