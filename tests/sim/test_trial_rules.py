"""The rules of trials notice what is wrong: in a book that was altered, and in a broken runtime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from iris.core.restart import Restart
from iris.core.supervision import Group
from iris.run import supervisor
from iris.run.delivery import Delivery
from iris.run.rounds import Rounds
from iris.testing import trial
from iris.testing.trial_book import Entry

SEEDS = range(40)
"""Among so many trials each kind of entry is found that a test alters."""


@pytest.fixture(scope="module")
def books() -> list[list[Entry]]:
    """Books in which nothing is wrong."""
    outcomes = [trial.run(seed) for seed in SEEDS]
    assert all(not outcome.faults for outcome in outcomes)
    return [outcome.book.entries for outcome in outcomes]


def found(
    books: list[list[Entry]], fits: Callable[[Entry, list[Entry]], bool]
) -> Iterator[tuple[int, list[Entry]]]:
    """All (number of the entry, its book) that fit and lie before the end of a trial."""
    for book in books:
        kinds = [entry.kind for entry in book]
        if "rest" not in kinds:
            continue
        for number, entry in enumerate(book[: kinds.index("rest")]):
            if fits(entry, book):
                yield number, book


def faults_without(book: list[Entry], number: int) -> list[str]:
    return trial.judge(book[:number] + book[number + 1 :])


def faults_with_twice(book: list[Entry], number: int) -> list[str]:
    return trial.judge(book[: number + 1] + book[number:])


def lives(who: str, book: list[Entry]) -> bool:
    """Whether an actor lives when the system is at rest."""
    return any(e.kind == "is_alive" and e.who == who and e.facts["alive"] for e in book)


@pytest.mark.parametrize("what", ["DOWN", "EXIT"])
@pytest.mark.parametrize("alter", [faults_without, faults_with_twice])
def test_news_of_an_end_that_come_twice_or_never_are_noticed(
    books: list[list[Entry]], what: str, alter: Callable[[list[Entry], int], list[str]]
) -> None:
    def fits(entry: Entry, book: list[Entry]) -> bool:
        return entry.kind == "told" and entry.facts["what"] == what and lives(entry.who, book)

    # Of those that end with a supervisor without being its children, observers may hear or not.
    caught = [alter(book, number) for number, book in found(books, fits)]
    assert len([faults for faults in caught if faults]) > len(caught) / 2 > 2


def test_an_end_that_nobody_has_seen_is_noticed(books: list[list[Entry]]) -> None:
    ends = list(found(books, lambda entry, _: entry.kind == "end"))
    assert len(ends) > 100
    assert all(faults_without(book, number) for number, book in ends[::7])


def test_a_lost_message_is_noticed(books: list[list[Entry]]) -> None:
    handled = found(books, lambda entry, book: entry.kind == "in" and lives(entry.who, book))
    some = [faults_without(book, number) for number, book in list(handled)[::5]]
    assert len(some) > 20
    assert len([faults for faults in some if any("is lost" in fault for fault in faults)]) > 15


def test_a_message_that_is_handled_twice_is_noticed(books: list[list[Entry]]) -> None:
    handled = list(found(books, lambda entry, _: entry.kind == "in"))[::9]
    assert len(handled) > 20
    assert all(faults_with_twice(book, number) for number, book in handled)


def test_a_child_that_is_not_there_at_rest_is_noticed(books: list[list[Entry]]) -> None:
    def altered(book: list[Entry], number: int) -> Optional[list[str]]:
        place = book[number].who
        return trial.judge([e for e in book if not (e.kind == "has" and e.who == place)])

    permanent = found(
        books,
        lambda entry, book: (
            entry.kind == "place"
            and entry.facts["restart"] == "permanent"
            and entry.facts["what"] == "spec"
            and any(
                e.kind == "has" and e.who == entry.who and e.facts["state"] == "up" for e in book
            )
            and not any(e.kind in ("gone", "release") for e in book)
        ),
    )
    caught = [altered(book, number) for number, book in permanent]
    assert len(caught) > 3
    assert all(caught)


def test_a_restart_during_the_shutdown_is_noticed(books: list[list[Entry]]) -> None:
    restarts = list(found(books, lambda entry, _: entry.kind == "restart"))
    assert len(restarts) > 20
    for number, book in restarts[::5]:
        assert any("during the shutdown" in fault for fault in trial.judge([*book, book[number]]))


def test_fates_that_do_not_add_up_are_noticed(books: list[list[Entry]]) -> None:
    for book in books[:5]:
        for fate in ("sent", "accepted", "handled", "expired", "failed", "restarts", "ended"):
            altered = [
                entry._replace(
                    facts={
                        **entry.facts,
                        "stats": {**entry.facts["stats"], fate: entry.facts["stats"][fate] + 1},
                    }
                )
                if entry.kind == "rest"
                else entry
                for entry in book
            ]
            if altered != book:
                assert trial.judge(altered), fate


def breaks() -> list[str]:
    """What is noticed in some trials of a runtime that a test has broken."""
    found: list[str] = []
    for seed in range(120):
        found += trial.run(seed).faults
    return found


def test_a_runtime_that_does_not_count_restarts_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Group, "admits", lambda *_: True)
    assert any("are allowed" in fault for fault in breaks())


def test_a_runtime_that_counts_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Group.admits
    monkeypatch.setattr(
        Group, "admits", lambda self, child, now: real(self, child, now) and real(self, child, now)
    )
    assert any("gave up after" in fault for fault in breaks())


def test_a_runtime_that_restarts_who_was_to_stay_down_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Restart, "wants", lambda *_: True)
    assert any("is started again" in fault for fault in breaks())


def test_a_runtime_that_forgets_children_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Restart, "wants", lambda *_: False)
    assert any("is not up at rest" in fault for fault in breaks())


def test_a_runtime_that_tells_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Delivery.system

    def twice(self: Delivery, *arguments: Any) -> Any:
        real(self, *arguments)
        return real(self, *arguments)

    monkeypatch.setattr(Delivery, "system", twice)
    assert any("was told" in fault for fault in breaks())


def test_a_runtime_that_restarts_too_few_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "affected", lambda _strategy, _children, failed: [failed])
    assert any("is started anew without it" in fault for fault in breaks())


def test_a_runtime_that_does_not_wait_for_ends_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Rounds, "_all_down", lambda *_: True)
    assert any("is down at rest" in fault for fault in breaks())
