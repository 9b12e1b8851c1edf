"""The facts of `iris doctor`, and how they are shown."""

from __future__ import annotations

import io
import platform
from typing import NoReturn

import pytest

import iris
from iris import doctor, jit
from iris.screen import Screen

pytestmark = pytest.mark.live


def shown(facts: dict[str, doctor.Section]) -> str:
    stream = io.StringIO()
    doctor.show(facts, Screen(stream, {}))
    return stream.getvalue()


def test_examination_of_a_working_installation_is_healthy_and_complete() -> None:
    facts = doctor.examine()
    assert doctor.is_healthy(facts)
    assert facts["self-check"]["error"] is None
    assert facts["interpreter"]["name"] == platform.python_implementation()
    assert facts["versions"]["iris"] == iris.version()
    assert facts["versions"]["gevent"]
    assert facts["hub"]["backend"] in {"libev", "libuv"}
    assert facts["defaults"]["budget"] == 100
    assert facts["defaults"]["stop_word"] == "quit"
    assert facts["defaults"]["release_gil_max_threads"] >= 1
    assert facts["defaults"]["release_gil_pool_size"] >= 1
    assert facts["defaults"]["release_gil_strict"] in (True, False)
    assert facts["limits"]["recursion"] > 0
    assert facts["compute"]["reason"] == jit.why_unavailable()
    assert facts["compute"]["sidecar"].startswith("available") is jit.available()


def test_every_fact_has_a_line_of_text() -> None:
    facts = doctor.examine()
    lines = shown(facts).splitlines()
    assert len(lines) == len(facts) + sum(len(section) for section in facts.values())
    assert any(line.split() == ["result", "ok"] for line in lines)


def test_runtime_that_does_not_start_is_a_failed_check_and_not_a_crash() -> None:
    def broken() -> NoReturn:
        raise ImportError("no gevent here")

    facts = doctor.examine(broken)
    assert not doctor.is_healthy(facts)
    assert facts["self-check"]["error"] == "ImportError: no gevent here"
    assert "no gevent here" in shown(facts)


def test_a_bad_environment_is_a_failed_check_and_unknown_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IRIS_RELEASE_GIL_POOL_SIZE", "many")
    facts = doctor.examine()
    assert "IRIS_RELEASE_GIL_POOL_SIZE='many'" in facts["self-check"]["error"]
    assert facts["defaults"]["release_gil_pool_size"] == "unknown"


def test_unknown_facts_are_shown_as_unknown_and_truth_as_words() -> None:
    facts = {"a": {"x": None, "y": True}, "self-check": {"result": "ok"}}
    assert shown(facts).splitlines() == [
        "a",
        "  x       unknown",
        "  y       yes",
        "self-check",
        "  result  ok",
    ]
