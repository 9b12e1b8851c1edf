"""The words for ends and system messages, the same on every version of Python."""

from __future__ import annotations

from typing import Any

import pytest

from iris.core.messages import (
    Ending,
    EndMarker,
    ExitReason,
    FenceMarker,
    Marker,
    PySystemMessage,
    RollbackMarker,
    SwapMarker,
    SystemType,
    swap_message,
)

from .cells import ignore

REASONS = ["Normal", "Killed", "Panic", "Crash", "Disconnected", "NodeDown", "NoSuchActor"]
TYPES = ["EXIT", "HOT_SWAP", "PING", "PONG", "DOWN", "NODE_UP", "NODE_DOWN"]


def test_the_reasons_are_these() -> None:
    assert [reason.value for reason in ExitReason] == REASONS


def test_the_system_messages_are_these() -> None:
    assert [kind.value for kind in SystemType] == TYPES


@pytest.mark.parametrize("word", [*ExitReason, *SystemType], ids=str)
def test_a_word_is_its_value_however_it_is_printed(word: Any) -> None:
    assert word == word.value
    assert isinstance(word, str)
    assert str(word) == word.value
    assert f"{word}" == word.value
    assert f"{word:>12}" == word.value.rjust(12)
    assert "%s" % word == word.value  # noqa: UP031  # One of the ways to print.
    assert format(word) == word.value
    assert "{}".format(word) == word.value  # noqa: UP032  # As above.
    assert hash(word) == hash(word.value)


def test_a_word_is_found_by_its_value() -> None:
    assert ExitReason("Panic") is ExitReason.PANIC
    assert {"Panic": 1}[ExitReason.PANIC] == 1


def test_a_system_message_shows_what_it_is_about() -> None:
    message = PySystemMessage(SystemType.EXIT, 1, 2, ExitReason.KILLED, {"a": 1})
    assert repr(message) == "PySystemMessage(EXIT, from_pid=1, target_pid=2, reason=Killed)"
    assert (message.type_name, message.reason, message.metadata) == ("EXIT", "Killed", {"a": 1})


def test_a_system_message_without_reason_shows_none() -> None:
    assert repr(PySystemMessage(SystemType.PING, 1, 2)) == (
        "PySystemMessage(PING, from_pid=1, target_pid=2)"
    )


def test_an_end_is_described_when_somebody_asks_and_once() -> None:
    asked: list[int] = []

    def describe() -> dict[str, Any]:
        asked.append(1)
        return {"message": "boom"}

    ending = Ending(ExitReason.PANIC, 7, describe)
    assert asked == []
    assert ending.metadata == {"message": "boom"}
    assert ending.metadata == {"message": "boom"}
    assert asked == [1]


def test_an_end_without_description_has_no_metadata() -> None:
    assert Ending(ExitReason.NORMAL, 7).metadata is None


@pytest.mark.parametrize(
    "marker",
    [
        SwapMarker(ignore),
        EndMarker(Ending(ExitReason.NORMAL, 1)),
        FenceMarker(lambda: None),
        RollbackMarker(SwapMarker(ignore), 1),
    ],
    ids=lambda marker: type(marker).__name__,
)
def test_what_is_no_message_can_be_told_by_its_class(marker: Any) -> None:
    assert isinstance(marker, Marker)
    assert not hasattr(marker, "__dict__")


def test_a_swap_is_told_to_a_pull_actor_with_its_function_and_number() -> None:
    marker = SwapMarker(ignore)
    marker.version = 3
    message = swap_message(marker, 9)
    assert (message.type_name, message.from_pid, message.target_pid) == ("HOT_SWAP", 9, 9)
    assert message.metadata == {"handler": ignore, "version": 3}
