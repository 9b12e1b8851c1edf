"""Probes: names are one probe's each, and an actor's go with it."""

from __future__ import annotations

from iris.core.links import ties_of
from iris.core.probes import Probes

from .cells import a_cell


def test_a_name_is_held_until_it_is_removed() -> None:
    probes = Probes()
    assert probes.add("a", len, None)
    assert not probes.add("a", print, None)
    assert probes.all() == [("a", len)]
    assert probes.remove("a")
    assert not probes.remove("a")
    assert probes.all() == []


def test_a_probe_of_an_actor_is_among_its_ties_and_removing_the_last_loosens_them() -> None:
    probes, cell = Probes(), a_cell(1)
    probes.add("a", len, cell)
    probes.add("b", len, cell)
    assert list(ties_of(cell).probes) == ["a", "b"]
    probes.remove("a")
    assert list(ties_of(cell).probes) == ["b"]
    probes.remove("b")
    assert cell.ties is None


def test_the_order_is_that_in_which_they_came() -> None:
    probes = Probes()
    for name in "cab":
        probes.add(name, len, None)
    probes.remove("a")
    assert [name for name, _ in probes.all()] == ["c", "b"]


def test_those_of_an_actor_are_freed_together_and_no_others() -> None:
    probes, cell = Probes(), a_cell(1)
    for name, owner in (("a", cell), ("b", None), ("c", cell)):
        probes.add(name, len, owner)
    probes.free_all(ties_of(cell))
    assert [name for name, _ in probes.all()] == ["b"]
    assert not ties_of(cell).probes
