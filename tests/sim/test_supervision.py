"""Supervision in random systems: every seed is a trial, and the rules have to hold in all of them.

A CI run makes at least 2,000 trials: each environment its own share, the one that has no
IRIS_TEST_QUICK the largest. `python -m iris.testing.trial` runs more of them.
"""

from __future__ import annotations

import os
import sys

import pytest

from iris.testing import trial

FEW, MANY = 180, 1_200
"""Trials of an environment: six with few and one with many are over 2,000."""

AT_ONCE = 20
"""Trials of one test: enough that pytest's own work does not count, few enough to name."""

PLACES = {"cpython": {9: 0, 10: 1, 11: 6, 12: 2, 13: 3}, "pypy": {9: 4}}
PATCHED_PLACE = 5


def first_seed() -> int:
    """Where the seeds of this environment begin, so that all have different ones."""
    if os.environ.get("IRIS_TEST_PATCHED"):
        return PATCHED_PLACE * FEW
    place = PLACES.get(sys.implementation.name, {}).get(sys.version_info[1], 7)
    return place * FEW


def how_many() -> int:
    """How many trials this environment makes."""
    return FEW if os.environ.get("IRIS_TEST_QUICK") else MANY


SEEDS = range(first_seed(), first_seed() + how_many())


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_supervision_holds_what_it_promises(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        outcome = trial.run(seed)
        assert not outcome.faults, f"{outcome.faults}\nreplay: {outcome.replay}"


DIGESTS = {3: "cda0b6566a924c5b", 17: "cb7c0c7ffbab7da2", 2899: "da185252e9056c96"}


@pytest.mark.parametrize("seed", sorted(DIGESTS))
def test_a_seed_is_the_same_trial_on_every_interpreter(seed: int) -> None:
    first, second = trial.run(seed), trial.run(seed)
    assert first.book.digest() == second.book.digest()
    # Between two versions of Iris it may change; `--seed` prints the new one.
    assert first.book.digest() == DIGESTS[seed]
