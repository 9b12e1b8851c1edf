"""The admissions of virtual actors, and the book of those that have to be looked at."""

from __future__ import annotations

from typing import Any

from iris.core.idle import DORMANT, SWEEP_LEAST, Idle, IdleBook
from iris.core.mailbox import Verdict


class Lock:
    """Notes whether it is held."""

    held = 0

    def __enter__(self) -> None:
        self.held += 1

    def __exit__(self, *exc: object) -> None:
        self.held -= 1


def test_a_dormant_mailbox_takes_nothing_in() -> None:
    lane: list[Any] = []
    assert DORMANT.offer(lane, 1) is Verdict.DORMANT
    assert lane == []


def test_an_idle_one_notes_when_the_latest_message_came_under_the_lock() -> None:
    lock, now = Lock(), 5.0

    def clock() -> float:
        assert lock.held or not lane
        return now

    lane: list[Any] = []
    idle = Idle(lock, clock)
    assert idle.latest == 5.0
    now = 7.5
    assert idle.offer(lane, "a") is Verdict.ACCEPTED
    assert (lane, idle.latest) == (["a"], 7.5)
    now = 8.5
    with lock:
        idle.touch()
    assert idle.latest == 8.5


def test_a_closed_one_refuses_and_stays_as_it_is() -> None:
    lane: list[Any] = []
    idle = Idle(Lock(), lambda: 1.0)
    idle.closed = True
    assert idle.offer(lane, "a") is Verdict.CLOSED
    assert lane == []


def test_the_book_gives_who_is_due_earliest_first() -> None:
    book = IdleBook(lambda pid: True)
    for deadline, pid in ((3.0, 30), (1.0, 10), (2.0, 20)):
        book.enter(deadline, pid)
    assert book.next == 1.0
    assert book.take_due(0.5) is None
    assert [book.take_due(2.0), book.take_due(2.0), book.take_due(2.0)] == [10, 20, None]
    assert book.take_due(3.0) == 30
    assert (book.next, len(book)) == (None, 0)


def test_the_book_is_swept_of_those_that_are_gone() -> None:
    living = set(range(0, 10_000, 10))
    book = IdleBook(living.__contains__)
    longest = 0
    for pid in range(10_000):
        book.enter(float(-pid), pid)
        longest = max(longest, len(book))
    assert longest <= 2 * len(living) + SWEEP_LEAST
    found = []
    while (pid := book.take_due(0.0)) is not None:
        found.append(pid)
    assert [pid for pid in found if pid in living] == sorted(living, reverse=True)
