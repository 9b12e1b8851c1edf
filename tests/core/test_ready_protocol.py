"""The ready protocol: no order of its steps loses, doubles or delays a message for ever.

`ready_model` follows the code, `enumeration` tries all orders. In every state: no handler
runs twice at a time, no message is handled twice, out of order, on the wrong side of a swap
or after its actor's end. In every state in which nothing can happen any more: each accepted
message has its fate, and whoever sends next is heard. Each line of the protocol is needed:
the mutants leave one out or move it, and the search notices.

The larger scenarios run when IRIS_TEST_EXHAUSTIVE is set; they take minutes and 1 GiB.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Optional

import pytest

from .enumeration import Fault, Search
from .fingerprint import fingerprint
from .ready_model import Scenario, setup

STATES_MAX = 450_000
STATES_MAX_EXHAUSTIVE = 4_000_000

SCENARIOS = [
    Scenario("mm mm"),
    Scenario("mm mm", blocks=True),
    Scenario("mm mm", budget=2),
    Scenario("mm mm", raises=True),
    Scenario("mm m", blocks=True, raises=True),
    Scenario("mm m", blocks=True, slices=True),
    Scenario("m m m"),
    Scenario("m m m", blocks=True),
    # With a stop.
    Scenario("m m q", blocks=True, raises=True),
    Scenario("mmm q", blocks=True),
    # With a send that a signal handler cuts short.
    Scenario("c c", blocks=True),
    Scenario("cm q"),
    # With swaps and end markers.
    Scenario("mxm m", blocks=True),
    Scenario("mxm m", budget=2, slices=True),
    Scenario("mxm q", blocks=True),
    Scenario("xm xm"),
    Scenario("mem m"),
    Scenario("mdm m"),
    Scenario("md q", blocks=True, raises=True),
    # With system messages.
    Scenario("ms m", blocks=True),
    Scenario("ms sm"),
    Scenario("ms q", blocks=True, raises=True),
    Scenario("ms d"),
    # With posted calls, which may wake the blocked handler.
    Scenario("mp m", blocks=True),
    Scenario("p m q", blocks=True, raises=True),
    # With restarts.
    Scenario("mm u", raises=True, restarts=True),
    Scenario("m m u", raises=True, restarts=True),
    Scenario("m o u", blocks=True),
    Scenario("mo uo u"),
    Scenario("m u q", raises=True, restarts=True),
    Scenario("m o u q"),
    Scenario("m ou", raises=True, restarts=True, blocks=True),
    Scenario("mo u", budget=2, slices=True),
    Scenario("moc u"),
    Scenario("mxm ou"),
    Scenario("ms ou", raises=True, restarts=True),
    Scenario("md o u"),
    Scenario("mm ou", full="block"),
    # With a bounded mailbox.
    Scenario("mm mm", full="dropnew"),
    Scenario("mm mm", full="dropold"),
    Scenario("mm mm", full="block", blocks=True),
    Scenario("m m q", full="block", raises=True),
    Scenario("mm q", full="dropold"),
]

LARGER = [
    Scenario("mm m q"),
    Scenario("m m m q"),
    Scenario("mp m q", blocks=True),
    Scenario("c c q"),
    Scenario("mxm q m"),
    Scenario("m m o u q", raises=True, restarts=True),
    Scenario("mm mo u u", blocks=True, raises=True, restarts=True),
    Scenario("mxm o u q"),
    Scenario("mm m q", full="block"),
    Scenario("mm m q", full="dropold"),
    Scenario("mm mm", blocks=True, slices=True),
]

# What does not hold any more, a small scenario in which that matters, and what then happens.
MUTANTS = [
    ("queued, then ready", Scenario("m m"), "deaf to whoever sends next"),
    ("a cut send is not repaired", Scenario("c m"), "lost wake-up"),
    ("only a sleeping hub is woken in repair", Scenario("c m"), "lost wake-up"),
    ("marks are raised behind the marker", Scenario("mxm m"), "a marker was handled as a message"),
    ("special is set behind the marker", Scenario("mxm"), "a marker was handled as a message"),
    ("a stop wakes nobody", Scenario("m q"), "stop not seen"),
    ("special is set before the state", Scenario("m q"), "stop not seen"),
    ("no look after falling asleep", Scenario("m m"), "lost wake-up"),
    ("running is not looked at", Scenario("m m", blocks=True), "two handlers at a time"),
    ("no nudge", Scenario("mm", blocks=True), "lost wake-up"),
    ("special is read before the length", Scenario("mxm m"), "a marker was handled as a message"),
    ("the turn forgets the rest", Scenario("mm"), "lost message"),
    ("no look after ready is cleared", Scenario("m m"), "lost message"),
    ("no look at special after ready is cleared", Scenario("m s"), "lost system message"),
    (
        "marks are read before the batch is taken",
        Scenario("mxm m"),
        "a marker was handled as a message",
    ),
    ("refill clears the lane", Scenario("mm m"), "lost message"),
    ("special is cleared behind the look", Scenario("ms s"), "lost system message"),
    ("an order wakes nobody", Scenario("o"), "never at rest"),
    ("a stop wakes nobody", Scenario("o q"), "stop not seen"),
    ("a resume wakes nobody", Scenario("o u"), "deaf to whoever sends next"),
    ("nobody is left at rest", Scenario("m", raises=True, restarts=True), "busy for ever"),
    ("each visit tells of the rest", Scenario("mo"), "told of the rest twice"),
    ("special is not set again", Scenario("moc"), "handled at rest"),
    ("the dead have turns", Scenario("m q"), "handled after the end"),
    ("the dead have turns", Scenario("m m", raises=True), "handled after the end"),
    ("no look after the burial", Scenario("m q"), "lost message"),
    ("the dead are not buried", Scenario("m q"), "busy for ever"),
]


# Fingerprints of the functions that were modelled, their comments and docstrings left out.
MODELLED = {
    "iris.core.mailbox:Bound.offer": "d6b9e4b8",
    "iris.core.mailbox:Bound.take": "9670f629",
    "iris.core.mailbox:Mailbox.drain": "8ab4de9e",
    "iris.core.mailbox:Mailbox.refill": "c8242f60",
    "iris.run.carrier:Carrier._pump": "af371ef5",
    "iris.run.carrier:Carrier._run": "dea610bf",
    "iris.run.carrier:Carrier._sleep": "8d748ebe",
    "iris.run.carrier:Carrier.nudge": "064643ef",
    "iris.run.carrier:Carrier.post": "1e393933",
    "iris.run.carrier:Carrier.wake": "f50ed373",
    "iris.run.delivery:Delivery._make_send.send": "cb7e145f",
    "iris.run.delivery:Delivery.insist": "59f3253e",
    "iris.run.delivery:Delivery.mark": "614dfe94",
    "iris.run.delivery:Delivery.poke": "b138f17c",
    "iris.run.delivery:Delivery.system": "e6345d74",
    "iris.run.lifecycle:Lifecycle.drain": "6d578fd1",
    "iris.run.lifecycle:Lifecycle.finish": "e1323e9d",
    "iris.run.lifecycle:Lifecycle.leave": "466d9e7e",
    "iris.run.lifecycle:Lifecycle.make_stopping": "2b5299fa",
    "iris.run.lifecycle:Lifecycle.mark_ended": "66102c3c",
    "iris.run.lifecycle:Lifecycle.request_stop": "5989ec3a",
    "iris.run.push:PushRunner.__init__": "868e495d",
    "iris.run.restarting:Restarting._begin": "231d8738",
    "iris.run.restarting:Restarting._park": "a449b130",
    "iris.run.restarting:Restarting.fail": "d8232bf5",
    "iris.run.restarting:Restarting.order": "b589b04f",
    "iris.run.restarting:Restarting.resume": "06aa2248",
    "iris.run.settling:Settling.bury": "75511700",
    "iris.run.turn:make_full_turn.full_turn": "6f67dfad",
    "iris.run.turn:make_marked_stride.marked_stride": "a21b4a41",
    "iris.run.turn:make_serve.serve": "4344569e",
    "iris.run.turn:make_slice.run_slice": "1c5682bb",
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
    [
        Scenario("mm m", blocks=True),
        Scenario("m q", blocks=True, raises=True),
        Scenario("mxm", blocks=True, slices=True),
        Scenario("ms m"),
        Scenario("m d", raises=True),
        Scenario("c m"),
        Scenario("m m", full="block"),
    ],
    ids=str,
)
def test_rest_can_be_reached_from_every_state(scenario: Scenario) -> None:
    assert fault_of(scenario, STATES_MAX, progress=True) is None


@pytest.mark.parametrize(("broken", "scenario", "fault"), MUTANTS)
def test_each_line_of_the_protocol_is_needed(broken: str, scenario: Scenario, fault: str) -> None:
    assert fault_of(scenario, STATES_MAX, progress=True) is None
    assert fault_of(replace(scenario, broken=broken), STATES_MAX, progress=True) == fault


@pytest.mark.parametrize("path", MODELLED)
def test_the_model_follows_the_code(path: str) -> None:
    assert fingerprint(path) == MODELLED[path], (
        f"{path} has changed. See that tests/core/ready_model.py does what it does now, and"
        f" that all tests here pass; then note {fingerprint(path)!r} for it in MODELLED"
    )
