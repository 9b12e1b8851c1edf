"""The tree of errors: what can be caught together is caught together, the rest is apart."""

from __future__ import annotations

import pickle

import pytest

from iris import errors

PARENTS = {
    "IrisError": Exception,
    "BadInput": errors.IrisError,
    "ActorError": errors.IrisError,
    "ActorDead": errors.ActorError,
    "LimitReached": errors.IrisError,
    "LoopLimit": errors.IrisError,
    "NativeRefused": errors.IrisError,
    "NodeUnreachable": errors.IrisError,
    "RuntimeClosed": errors.IrisError,
    "StartFailed": errors.IrisError,
    "ActorRestarting": errors.ActorError,
    "WouldDeadlock": errors.IrisError,
    "InternalError": errors.IrisError,
    "AskCycle": errors.WouldDeadlock,
    "AskTimeout": errors.IrisError,
    "ActorCrash": Exception,
    "ActorStopped": BaseException,
}


def test_the_tree_has_these_errors_and_no_others() -> None:
    assert sorted(PARENTS) == sorted(errors.__all__)


@pytest.mark.parametrize("name", sorted(PARENTS))
def test_each_error_has_its_place_in_the_tree(name: str) -> None:
    assert getattr(errors, name).__bases__[0] is PARENTS[name]


def test_bad_input_is_a_value_error_too() -> None:
    assert issubclass(errors.BadInput, ValueError)


def test_what_actor_code_raises_is_not_caught_with_the_errors_of_iris() -> None:
    assert not issubclass(errors.ActorCrash, errors.IrisError)


def test_the_end_of_a_pull_actor_passes_an_except_exception() -> None:
    assert not issubclass(errors.ActorStopped, Exception)


@pytest.mark.parametrize("name", sorted(PARENTS))
def test_each_error_is_documented_and_survives_a_copy(name: str) -> None:
    error = getattr(errors, name)
    assert error.__doc__
    copy = pickle.loads(pickle.dumps(error("what happened")))
    assert type(copy) is error
    assert str(copy) == "what happened"
