"""Specs of children: plain values that refuse what cannot be."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from iris.core.childspec import ChildSpec, SupervisorSpec, checked_children
from iris.core.restart import Restart, Strategy
from iris.errors import BadInput


def make() -> Any:
    return len


def test_a_spec_needs_an_id_and_a_factory_only() -> None:
    spec = ChildSpec("worker", make)
    assert (spec.restart_kind, spec.shutdown_timeout_s) == (Restart.PERMANENT, 5.0)


def test_a_spec_is_a_value() -> None:
    assert ChildSpec("worker", make) == ChildSpec("worker", make)
    with pytest.raises(FrozenInstanceError):
        ChildSpec("worker", make).id = "other"  # type: ignore[misc]


async def async_factory() -> Any:
    return len


class AsyncFactory:
    async def __call__(self) -> Any:
        return len


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"id": 1}, TypeError, "id is a string, not 1"),
        ({"id": ""}, BadInput, "id is empty"),
        ({"factory": None}, TypeError, "factory is a callable"),
        ({"factory": async_factory}, TypeError, "is async"),
        ({"factory": AsyncFactory()}, TypeError, "is async"),
        ({"restart": "never"}, BadInput, "restart='never' is unknown"),
        ({"restart": None}, TypeError, "restart is a word"),
        ({"shutdown_timeout_s": -1}, BadInput, "shutdown_timeout_s=-1 is out of range"),
        ({"shutdown_timeout_s": float("nan")}, BadInput, "out of range"),
        ({"shutdown_timeout_s": float("inf")}, BadInput, "out of range"),
        ({"shutdown_timeout_s": "5"}, TypeError, "a number of seconds"),
        ({"shutdown_timeout_s": True}, TypeError, "a number of seconds"),
        ({"budget": 0}, BadInput, "budget=0 is below"),
        ({"budget": 1.0}, TypeError, "budget is a whole number"),
        ({"release_gil": 1}, TypeError, "release_gil is True or False"),
        ({"mailbox": None}, TypeError, "mailbox is True or False"),
        ({"capacity": 0}, BadInput, "capacity=0 is below"),
        ({"mailbox": True, "release_gil": True}, BadInput, "mailbox=True excludes release_gil"),
        ({"mailbox": True, "capacity": 5}, BadInput, "mailbox=True excludes capacity"),
        ({"release_gil": True, "capacity": 5}, BadInput, "release_gil=True excludes capacity"),
        ({"drop_queue": True, "redeliver": True}, BadInput, "choose one"),
        ({"name": ""}, BadInput, "name"),
        ({"name": 3}, TypeError, "name"),
        ({"path": "no/slash"}, BadInput, "path"),
        ({"path": "/"}, BadInput, "root of all paths"),
    ],
)
def test_a_child_that_cannot_be_is_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        ChildSpec(**{"id": "worker", "factory": make, **options})


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"strategy": "restartnone"}, BadInput, "strategy='restartnone' is unknown"),
        ({"max_restarts": -1}, BadInput, "max_restarts=-1 is below"),
        ({"max_restarts": 1.5}, TypeError, "max_restarts is a whole number"),
        ({"within_s": 0}, BadInput, "within_s=0 is no period"),
        ({"within_s": -5}, BadInput, "within_s=-5 is out of range"),
        ({"backoff_ms": 10}, TypeError, "is a tuple"),
        ({"backoff_ms": (10,)}, TypeError, "is a tuple"),
        ({"backoff_ms": (10, "x")}, TypeError, "is a tuple"),
        ({"backoff_ms": (10, 5)}, BadInput, "out of range"),
        ({"backoff_ms": (-1, 5)}, BadInput, "out of range"),
        ({"backoff_ms": (1, 1e13)}, BadInput, r"give 0 <= first <= most <= 1e\+12"),
        ({"children": ChildSpec("a", make)}, TypeError, "a list of ChildSpec"),
        ({"children": "ab"}, TypeError, "a list of ChildSpec"),
        ({"children": [make]}, TypeError, "a child is a ChildSpec or a SupervisorSpec"),
        ({"children": [ChildSpec("a", make)] * 2}, BadInput, "two children have the id 'a'"),
    ],
)
def test_a_supervisor_that_cannot_be_is_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        SupervisorSpec(**{"id": "all", **options})


def test_words_are_taken_in_any_letter_case() -> None:
    spec = SupervisorSpec("all", strategy="RestartRest", restart="TRANSIENT")
    assert (spec.strategy_kind, spec.restart_kind) == (Strategy.REST, Restart.TRANSIENT)


def test_children_may_come_from_any_iterable_and_are_kept_as_a_tuple() -> None:
    children = (ChildSpec(name, make) for name in "ab")
    kept = SupervisorSpec("all", children).children
    assert isinstance(kept, tuple)
    assert [child.id for child in kept] == ["a", "b"]
    assert checked_children([]) == ()


def test_a_pause_is_given_in_milliseconds_and_used_in_seconds() -> None:
    assert SupervisorSpec("all", backoff_ms=(20, 500)).backoff_s == (0.02, 0.5)
