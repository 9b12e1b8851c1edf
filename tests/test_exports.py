"""The public names of Iris, pinned: a name that comes or goes is seen in a change of this file.

Public is what `__all__` of these modules lists, and nothing else is; a name without an
underscore in an inner module may move or vanish in any release.
"""

from __future__ import annotations

import importlib

import pytest

PUBLIC: dict[str, list[str]] = {
    "iris": [
        "ActorCrash",
        "ActorDead",
        "ActorError",
        "ActorRestarting",
        "ActorStopped",
        "AskCycle",
        "AskTimeout",
        "BadInput",
        "ChildInfo",
        "ChildReport",
        "ChildSpec",
        "DeadLetter",
        "DnsPeers",
        "ExitReason",
        "Health",
        "InternalError",
        "IrisError",
        "LetterReason",
        "LimitReached",
        "Limits",
        "LongTurn",
        "LoopLimit",
        "MeshLimits",
        "NativeRefused",
        "NodeInfo",
        "NodeUnreachable",
        "Pressure",
        "PyMailbox",
        "PyRuntime",
        "PySystemMessage",
        "Runtime",
        "RuntimeClosed",
        "StartFailed",
        "StaticPeers",
        "Supervisor",
        "SupervisorSpec",
        "WouldDeadlock",
        "__version__",
        "allocate_buffer",
        "current",
        "deserialize_args",
        "offload",
        "pause",
        "reply",
        "serialize_args",
        "spawn_child_pool",
        "version",
    ],
    "iris.errors": [
        "ActorCrash",
        "ActorDead",
        "ActorError",
        "ActorRestarting",
        "ActorStopped",
        "AskCycle",
        "AskTimeout",
        "BadInput",
        "InternalError",
        "IrisError",
        "LimitReached",
        "LoopLimit",
        "NativeRefused",
        "NodeUnreachable",
        "RuntimeClosed",
        "StartFailed",
        "WouldDeadlock",
    ],
    "iris.jit": [
        "Refusal",
        "Report",
        "SignatureReport",
        "Stats",
        "available",
        "explain",
        "force",
        "get_jit_logging",
        "get_loop_limit",
        "get_quantum_speculation",
        "set_jit_logging",
        "set_loop_limit",
        "set_quantum_speculation",
        "stats",
        "why_unavailable",
    ],
    "iris.testing": [
        "SimNetwork",
        "SimRuntime",
    ],
}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_module_exports_what_is_pinned(name: str) -> None:
    module = importlib.import_module(name)
    assert sorted(module.__all__) == PUBLIC[name]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_exported_name_is_there(name: str) -> None:
    module = importlib.import_module(name)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_exported_class_and_function_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    exported = (getattr(module, public) for public in module.__all__)
    assert [thing for thing in exported if callable(thing) and not thing.__doc__] == []


def test_the_errors_are_reachable_from_the_package_itself() -> None:
    iris, errors = importlib.import_module("iris"), importlib.import_module("iris.errors")
    assert all(getattr(iris, name) is getattr(errors, name) for name in errors.__all__)
