"""Errors say which argument was wrong and what to give instead."""

from __future__ import annotations

import re
from typing import Any, Callable

import msgpack
import pytest

import iris
from iris.testing import SimRuntime

Call = Callable[[SimRuntime, int], Any]


async def in_a_loop(old: Any, new: Any) -> Any:
    return new


WRONG: dict[str, tuple[Call, type[Exception], str]] = {
    "a migration that is a number": (
        lambda rt, pid: rt.hot_swap(pid, print, 3),  # type: ignore[arg-type]
        TypeError,
        "migrate is a callable that takes the old and the new handler, not 3",
    ),
    "an async migration": (
        lambda rt, pid: rt.hot_swap(pid, print, in_a_loop),
        TypeError,
        "migrate <function in_a_loop",
    ),
    "an async handler": (
        lambda rt, pid: rt.spawn(in_a_loop),  # type: ignore[arg-type]
        TypeError,
        "a coroutine can call actors with rt.ask_async and rt.send_async (iris.interop)",
    ),
    "a pull actor that is a number": (
        lambda rt, pid: rt.spawn_with_mailbox(5),  # type: ignore[arg-type]
        TypeError,
        "fn is a callable that takes the mailbox, not 5",
    ),
    "a child that is a number": (
        lambda rt, pid: rt.spawn_child_with_mailbox(pid, 5),  # type: ignore[arg-type]
        TypeError,
        "fn is a callable that takes the mailbox, not 5",
    ),
    "a pool that is too large": (
        lambda rt, pid: rt.spawn_child_pool(pid, print, 1_000_001),
        iris.BadInput,
        "workers=1000001 is over its limit 1000000; give 1000000 or less",
    ),
    "a budget that is too small": (
        lambda rt, pid: rt.spawn(print, budget=0),
        iris.BadInput,
        "budget=0 is below its least value 1; give 1 or more",
    ),
    "a rollback that goes too far": (
        lambda rt, pid: rt.rollback_behavior(pid, 7),
        iris.BadInput,
        "cannot go 7 versions back; it remembers 0 earlier ones",
    ),
    "an answer outside a handler": (
        lambda rt, pid: iris.reply(1),
        iris.ActorError,
        "iris.reply() was called outside a handler",
    ),
    "a timer without a number": (
        lambda rt, pid: rt.cancel_timer("t"),  # type: ignore[arg-type]
        TypeError,
        "the int that send_after or send_interval gave, not 't'",
    ),
    "a hook taken back from nowhere": (
        lambda rt, pid: rt.remove_hook("exti", print),
        iris.BadInput,
        "there is no hook point 'exti'; there are exit,",
    ),
    "packed bytes of another kind": (
        lambda rt, pid: iris.deserialize_args(msgpack.packb(7)),
        iris.BadInput,
        "these 1 bytes are a packed int, not a list of arguments from serialize_args",
    ),
    "packed bytes that are cut": (
        lambda rt, pid: iris.deserialize_args(iris.serialize_args("abc")[:-1]),
        iris.BadInput,
        "bytes are not packed arguments: Unpack failed: incomplete input",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_error_names_the_mend(what: str) -> None:
    call, kind, text = WRONG[what]
    rt = SimRuntime()
    pid = rt.spawn(print)
    with pytest.raises(kind, match=re.escape(text)):
        call(rt, pid)
    assert rt.behavior_version(pid) == 1


def test_an_error_without_a_text_is_named_by_its_kind() -> None:
    # A byte that msgpack never writes: its error has no text of its own.
    with pytest.raises(iris.BadInput, match=r"not packed arguments: \w"):
        iris.deserialize_args(b"\xc1")


def test_a_wait_in_a_coroutine_is_told_what_to_await() -> None:
    import asyncio

    rt = SimRuntime()
    pid = rt.spawn(print)

    async def asks() -> None:
        rt.ask(pid, b"", timeout_s=1)

    with pytest.raises(iris.WouldDeadlock, match=r"await rt\.ask_async or rt\.send_async"):
        asyncio.run(asks())
