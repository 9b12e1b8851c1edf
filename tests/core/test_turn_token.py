"""The turn token: several workers, one actor, and no order of their steps breaks a rule.

`token_model` follows the code, `enumeration` tries all orders. The rules are those of
test_ready_protocol, and one more: a job does not lie while a worker sleeps, even if all the
others are blocked. The mutants show that each line is needed.

The larger scenarios run when IRIS_TEST_EXHAUSTIVE is set; they take minutes and 1 GiB.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Optional

import pytest

from .enumeration import Fault, Search
from .fingerprint import fingerprint
from .token_model import Scenario, setup

STATES_MAX = 450_000
STATES_MAX_EXHAUSTIVE = 4_000_000

SCENARIOS = [
    Scenario("m m"),
    Scenario("mmm"),
    Scenario("mm", budget=2, raises=True),
    Scenario("mm mm", workers=1),
    Scenario("m q"),
    Scenario("mq", raises=True),
    Scenario("mm q", workers=1, raises=True),
    # With a send that a signal handler cuts short.
    Scenario("cm"),
    Scenario("c m", workers=1),
    Scenario("c q", workers=1),
    # With another actor that holds a worker.
    Scenario("o m"),
    Scenario("om m"),
    Scenario("o q"),
    # With restarts.
    Scenario("m u", raises=True, restarts=True),
    Scenario("mr u", workers=1),
    Scenario("r u m", workers=1),
    Scenario("r u q", workers=1),
    Scenario("mru", raises=True, restarts=True),
    Scenario("o r"),
    # With a pool that becomes smaller.
    Scenario("m w"),
    Scenario("q w"),
    Scenario("o w"),
]

LARGER = [
    Scenario("mm", workers=3),
    Scenario("om", workers=3),
    Scenario("mm m"),
    Scenario("mm m", budget=2),
    Scenario("m m", raises=True),
    Scenario("mm q", workers=1, raises=True),
    Scenario("m q", raises=True),
    Scenario("c m"),
    Scenario("c q"),
    Scenario("o q m"),
    Scenario("mm w"),
    Scenario("cmr"),
    Scenario("m r u"),
    Scenario("o r u"),
    Scenario("mr u"),
    Scenario("mm u q", workers=1, raises=True, restarts=True),
]

# What does not hold any more, a small scenario in which that matters, and what then happens.
MUTANTS = [
    ("no token", Scenario("mm"), "two handlers at a time"),
    ("let go behind the look", Scenario("mm"), "lost message"),
    ("let go between the looks", Scenario("mm"), "deaf to whoever sends next"),
    ("one look is enough", Scenario("mm", workers=1), "lost message"),
    ("no look after ready is cleared", Scenario("mm"), "lost message"),
    ("no look after having gone", Scenario("m q", workers=1), "lost message"),
    ("no look after being listed", Scenario("m", workers=1), "lost wake-up"),
    ("a look, then queued", Scenario("m", workers=1), "lost wake-up"),
    ("a cut send is not repaired", Scenario("c", workers=1), "lost message"),
    ("whoever wakes a sleeper takes it off the list", Scenario("c", workers=1), "lost wake-up"),
    ("wake-ups are not passed on", Scenario("o m"), "lost wake-up"),
    ("who is at rest is visited", Scenario("r", workers=1), "busy for ever"),
    ("who restarts is at rest", Scenario("mr"), "never at rest"),
    ("whoever goes passes nothing on", Scenario("m w"), "lost wake-up"),
    ("nobody is told to go", Scenario("w"), "a worker stays"),
]

# The same where all states are too many to be visited each time: LARGER has the scenario.
MUTANTS_IN_LARGER = [
    ("left after the turn was let go", Scenario("cmr"), "handled at rest"),
]

# Fingerprints of the functions that were modelled, their comments and docstrings left out.
MODELLED = {
    "iris.run.blocking:BlockingRunner._depart": "3385fb29",
    "iris.run.blocking:BlockingRunner._run_turn": "1b50cb3a",
    "iris.run.blocking:BlockingRunner.signal": "2e3156a1",
    "iris.run.blocking:BlockingRunner.visit": "b9d46c88",
    "iris.run.crew:Crew._let_go": "a6d2f98f",
    "iris.run.crew:Crew._wake_one": "b27b6634",
    "iris.run.crew:Crew.next_job": "621cc076",
    "iris.run.crew:Crew.put": "38f703c6",
    "iris.run.crew:Crew.put_back": "51969259",
    "iris.run.crew:Crew.resize": "8b680554",
    "iris.run.crew:Worker.main": "2bcd303c",
}


def fault_of(scenario: Scenario, states_max: int, progress: bool = False) -> Optional[str]:
    """What the search finds first; None when all states are good."""
    try:
        Search(setup(scenario), states_max, progress).run()
    except Fault as fault:
        return str(fault)
    return None


@pytest.mark.skipif(
    bool(os.environ.get("IRIS_TEST_QUICK")),
    reason="a model is the same on every interpreter: py311 checks it whole",
)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_no_order_of_steps_breaks_a_rule(scenario: Scenario) -> None:
    assert fault_of(scenario, STATES_MAX) is None


@pytest.mark.skipif(
    not os.environ.get("IRIS_TEST_EXHAUSTIVE"), reason="runs with IRIS_TEST_EXHAUSTIVE=1"
)
@pytest.mark.parametrize("scenario", LARGER, ids=str)
def test_no_order_of_steps_breaks_a_rule_in_larger_scenarios(scenario: Scenario) -> None:
    assert fault_of(scenario, STATES_MAX_EXHAUSTIVE) is None


@pytest.mark.parametrize(
    "scenario",
    [Scenario("mm"), Scenario("mq", raises=True), Scenario("c", workers=1), Scenario("m w")],
    ids=str,
)
def test_rest_can_be_reached_from_every_state(scenario: Scenario) -> None:
    assert fault_of(scenario, STATES_MAX, progress=True) is None


@pytest.mark.parametrize(("broken", "scenario", "fault"), MUTANTS)
def test_each_line_of_the_protocol_is_needed(broken: str, scenario: Scenario, fault: str) -> None:
    assert fault_of(scenario, STATES_MAX, progress=True) is None
    assert fault_of(replace(scenario, broken=broken), STATES_MAX, progress=True) == fault


@pytest.mark.parametrize(("broken", "scenario", "fault"), MUTANTS_IN_LARGER)
def test_a_line_is_needed_in_a_larger_scenario(
    broken: str, scenario: Scenario, fault: str
) -> None:
    assert scenario in LARGER
    assert fault_of(replace(scenario, broken=broken), STATES_MAX) == fault


@pytest.mark.parametrize("path", MODELLED)
def test_the_model_follows_the_code(path: str) -> None:
    assert fingerprint(path) == MODELLED[path], (
        f"{path} has changed. See that tests/core/token_model.py does what it does now, and"
        f" that all tests here pass; then note {fingerprint(path)!r} for it in MODELLED"
    )
