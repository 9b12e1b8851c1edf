"""Hooks: when they are called, with what, and that their errors stay with them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import iris
from iris.testing import SimRuntime


def end(rt: SimRuntime) -> int:
    """Make an actor and end it."""
    pid = rt.spawn(len)
    rt.stop(pid)
    rt.run_until_idle()
    return pid


def test_the_exit_hook_hears_of_each_end_once_with_its_reason_and_origin() -> None:
    rt, heard = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: heard.append((pid, ending.reason, ending.by)))
    pid = end(rt)
    assert heard == [(pid, "Killed", pid)]


def test_hooks_are_called_in_the_order_in_which_they_were_added() -> None:
    rt, heard = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: heard.append("first"))
    rt.add_hook("exit", lambda pid, ending: heard.append("second"))
    end(rt)
    assert heard == ["first", "second"]


def test_a_hook_that_was_taken_back_is_not_called() -> None:
    rt, heard = SimRuntime(), []

    def hook(pid: int, ending: Any) -> None:
        heard.append(pid)

    rt.add_hook("exit", hook)
    assert rt.remove_hook("exit", hook) is True
    assert rt.remove_hook("exit", hook) is False
    end(rt)
    assert heard == []


def test_a_hook_that_raises_is_logged_and_the_others_are_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rt, heard = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: 1 / 0)
    rt.add_hook("exit", lambda pid, ending: heard.append(pid))
    with caplog.at_level(logging.ERROR, "iris"):
        pid = end(rt)
    assert heard == [pid]
    assert "ZeroDivisionError" in caplog.text


def test_a_hook_may_call_the_runtime() -> None:
    rt, got = SimRuntime(), []
    keeper = rt.spawn(got.append)
    rt.add_hook("exit", lambda pid, ending: rt.send(keeper, (pid, str(ending.reason))))
    pid = end(rt)
    rt.run_until_idle()
    assert got == [(pid, "Killed")]


@pytest.mark.parametrize(
    ("point", "call", "error"),
    [
        ("exit", 7, TypeError),
        ("exit", None, TypeError),
        ("leave", len, iris.BadInput),
        (None, len, iris.BadInput),
        ([], len, iris.BadInput),
    ],
)
def test_an_unknown_point_and_what_cannot_be_called_are_refused(
    point: Any, call: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="hook"):
        SimRuntime().add_hook(point, call)


def test_a_crash_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    rt = SimRuntime()
    with caplog.at_level(logging.ERROR, "iris"):
        rt.send(rt.spawn(lambda message: 1 / 0), b"")
        rt.run_until_idle()
    assert "ZeroDivisionError" in caplog.text
    assert "Panic" in caplog.text


def test_a_storm_of_crashes_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    rt = SimRuntime()
    with caplog.at_level(logging.ERROR, "iris"):
        for _ in range(2000):
            rt.send(rt.spawn(lambda message: 1 / 0), b"")
        rt.run_until_idle()
    assert 1 <= len(caplog.records) < 50
