"""The mailbox: what a bound answers, in which order messages leave, what a search costs."""

from __future__ import annotations

import gc
import platform
import threading
from collections import deque
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris.core.cell import ActorCell, control_of
from iris.core.mailbox import CLOSED, PARENT, Bound, Policy, Ticket, Verdict
from iris.core.messages import FenceMarker

from .cells import a_cell

MARKER = FenceMarker(lambda: None)


class Full:
    """A bound of two messages with two in it, and its lane."""

    def __init__(self, policy: Policy, target: int = 0, capacity: int = 2) -> None:
        self.bound = Bound(capacity, threading.RLock())
        self.bound.set_policy(policy, target)
        self.lane: deque[Any] = deque()
        self.told: list[tuple[Any, Verdict]] = []
        for number in range(capacity):
            assert self.offer(number) is Verdict.ACCEPTED

    def offer(self, message: Any) -> Verdict:
        return self.bound.offer(self.lane, message)

    def wait(self, message: Any) -> Ticket:
        """Join the line."""
        ticket = Ticket(message, lambda verdict: self.told.append((message, verdict)))
        assert self.bound.offer(self.lane, message, ticket) is Verdict.WAIT
        return ticket

    def take(self) -> list[Any]:
        return self.bound.take(self.lane)


def bounded_cell(capacity: int = 2) -> tuple[ActorCell, Bound]:
    cell, bound = a_cell(1), Bound(capacity, threading.RLock())
    cell.bind(bound)
    return cell, bound


# -- what a full mailbox answers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "verdict", "lane"),
    [
        (Policy.DROP_NEW, Verdict.REFUSED, [0, 1]),
        (Policy.DROP_OLD, Verdict.EVICTED, [1, "new"]),
        (Policy.REDIRECT, Verdict.REDIRECT, [0, 1]),
        (Policy.SPILL, Verdict.SPILL, [0, 1, "new"]),
        (Policy.BLOCK, Verdict.WAIT, [0, 1]),
    ],
)
def test_a_full_mailbox_answers_as_its_policy_says(
    policy: Policy, verdict: Verdict, lane: list[Any]
) -> None:
    full = Full(policy, target=9)
    assert full.offer("new") is verdict
    assert list(full.lane) == lane


@pytest.mark.parametrize("policy", Policy)
def test_with_room_every_policy_accepts(policy: Policy) -> None:
    full = Full(policy, target=9)
    full.take()
    assert full.offer("new") is Verdict.ACCEPTED
    assert list(full.lane) == [1, "new"]


@pytest.mark.parametrize("policy", Policy)
def test_a_closed_mailbox_accepts_nothing(policy: Policy) -> None:
    full = Full(policy, target=9)
    assert full.bound.close() == []
    assert full.offer("new") is Verdict.CLOSED
    full.take()
    full.take()
    assert full.offer("new") is Verdict.CLOSED
    assert not full.lane


def test_a_new_bound_drops_what_is_new() -> None:
    bound = Bound(1, threading.RLock())
    assert (bound.policy, bound.target, bound.closed) == (Policy.DROP_NEW, 0, False)


def test_drop_old_keeps_the_latest_however_many_come() -> None:
    full = Full(Policy.DROP_OLD)
    for number in range(2, 100):
        assert full.offer(number) is Verdict.EVICTED
    assert list(full.lane) == [98, 99]


# -- tickets ---------------------------------------------------------------------------------------


def test_who_waits_is_admitted_when_there_is_room_in_the_order_of_coming() -> None:
    full = Full(Policy.BLOCK)
    full.wait("a")
    full.wait("b")
    assert full.told == []
    assert full.take() == [0]
    assert full.told == [("a", Verdict.ACCEPTED)]
    assert list(full.lane) == [1, "a"]
    assert full.take() == [1]
    assert full.told == [("a", Verdict.ACCEPTED), ("b", Verdict.ACCEPTED)]
    assert [full.take(), full.take(), full.take()] == [["a"], ["b"], []]


def test_an_offer_without_a_ticket_changes_nothing_when_it_has_to_wait() -> None:
    full = Full(Policy.BLOCK)
    assert full.offer("new") is Verdict.WAIT
    full.take()
    assert list(full.lane) == [1]


def test_nobody_overtakes_who_waits() -> None:
    full = Full(Policy.BLOCK)
    full.wait("a")
    full.take()
    assert full.offer("b") is Verdict.WAIT
    assert list(full.lane) == [1, "a"]


def test_a_ticket_with_room_is_not_needed() -> None:
    full = Full(Policy.BLOCK)
    full.take()
    ticket = Ticket("new", lambda verdict: None)
    assert full.bound.offer(full.lane, "new", ticket) is Verdict.ACCEPTED
    assert full.bound.withdraw(ticket) is False


def test_a_withdrawn_ticket_is_not_admitted() -> None:
    full = Full(Policy.BLOCK)
    ticket = full.wait("a")
    full.wait("b")
    assert full.bound.withdraw(ticket) is True
    assert full.bound.withdraw(ticket) is False
    full.take()
    assert full.told == [("b", Verdict.ACCEPTED)]
    assert list(full.lane) == [1, "b"]


def test_closing_and_a_new_policy_give_the_waiting_tickets_back_once() -> None:
    full = Full(Policy.BLOCK)
    tickets = [full.wait("a"), full.wait("b")]
    assert full.bound.set_policy(Policy.DROP_NEW, 0) == tickets
    assert full.bound.close() == []
    full.take()
    assert full.told == []
    again = Full(Policy.BLOCK)
    tickets = [again.wait("a")]
    assert again.bound.close() == tickets
    again.take()
    assert again.told == []


def test_a_ticket_is_told_when_the_lock_is_free() -> None:
    full = Full(Policy.BLOCK)
    seen: list[Any] = []

    def settle(verdict: Verdict) -> None:
        # From another thread the mailbox can be used at this moment.
        other = threading.Thread(target=lambda: seen.append(full.offer("other")))
        other.start()
        other.join(60)

    full.bound.offer(full.lane, "a", Ticket("a", settle))
    full.take()
    assert seen == [Verdict.WAIT]


# -- marks -----------------------------------------------------------------------------------------


def test_a_marker_takes_no_room() -> None:
    full = Full(Policy.DROP_NEW)
    full.take()
    full.bound.mark(full.lane, MARKER)
    assert full.offer("a") is Verdict.ACCEPTED
    assert full.offer("b") is Verdict.REFUSED
    full.bound.mark(full.lane, MARKER)
    assert list(full.lane) == [1, MARKER, "a", MARKER]


def test_a_taken_marker_takes_no_room_any_more() -> None:
    full = Full(Policy.DROP_NEW)
    full.bound.mark(full.lane, MARKER)
    assert [full.take(), full.take(), full.take()] == [[0], [1], [MARKER]]
    assert full.bound.marks == 0
    assert [full.offer(n) for n in range(3)] == [
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Verdict.REFUSED,
    ]


def test_drop_old_passes_markers_by() -> None:
    full = Full(Policy.DROP_OLD)
    for _ in range(2):
        full.take()
    full.bound.mark(full.lane, MARKER)
    full.offer("a")
    full.offer("b")
    assert full.offer("c") is Verdict.EVICTED
    assert list(full.lane) == [MARKER, "b", "c"]


def test_taking_a_marker_admits_nobody() -> None:
    full = Full(Policy.BLOCK, capacity=1)
    full.take()
    full.bound.mark(full.lane, MARKER)
    full.offer("a")
    full.wait("b")
    assert full.take() == [MARKER]
    assert full.told == []


# -- reentrant sends -------------------------------------------------------------------------------


class SendsWhenDropped:
    """A message whose `__del__` sends to the same mailbox."""

    def __init__(self, full: Full) -> None:
        self.full = full

    def __del__(self) -> None:
        self.full.told.append(("nested", self.full.offer("nested")))


@pytest.mark.skipif(
    platform.python_implementation() == "PyPy", reason="runs __del__ at some later time"
)
def test_a_send_from_the_del_of_a_dropped_message_keeps_the_bound() -> None:
    full = Full(Policy.DROP_OLD)
    full.take()
    full.take()
    full.offer(SendsWhenDropped(full))
    full.offer("a")
    full.offer("b")
    assert len(full.bound.take_evicted()) == 1
    gc.collect()
    assert [message for message, _ in full.told] == ["nested"]
    assert len(full.lane) <= 2


def test_a_send_that_interrupts_the_holder_of_the_lock_never_waits() -> None:
    full = Full(Policy.BLOCK, capacity=1)
    nested: list[Verdict] = []

    class Interrupting:
        """A lane in whose `append` a signal handler sends."""

        def __len__(self) -> int:
            return len(full.lane)

        def append(self, message: Any) -> None:
            full.lane.append(message)
            ticket = Ticket("nested", lambda verdict: None)
            nested.append(full.bound.offer(full.lane, "nested", ticket))

    full.take()
    assert full.bound.offer(Interrupting(), "a") is Verdict.ACCEPTED
    assert nested == [Verdict.REFUSED]
    assert full.offer("b") is Verdict.WAIT


# -- gates -----------------------------------------------------------------------------------------


def test_a_closed_gate_takes_nothing_in() -> None:
    lane: list[Any] = []
    assert CLOSED.offer(lane, "a") is Verdict.CLOSED
    assert lane == []


def test_the_gate_of_a_parent_takes_everything_in() -> None:
    lane: list[Any] = []
    assert PARENT.offer(lane, "a") is Verdict.ACCEPTED
    assert lane == ["a"]


# -- the owner's side ------------------------------------------------------------------------------


def test_a_batch_holds_what_waits_newest_first() -> None:
    cell = a_cell()
    cell.user.extend([1, 2, 3])
    assert cell.refill() == [3, 2, 1] == cell.rest
    assert not cell.user
    assert cell.refill() is None


def test_a_bounded_mailbox_is_emptied_one_by_one_so_that_its_bound_holds() -> None:
    cell, bound = bounded_cell()
    for message in "ab":
        bound.offer(cell.user, message)
    assert cell.refill() == ["a"]
    assert list(cell.user) == ["b"]


def test_a_bounded_mailbox_that_was_closed_can_still_be_emptied() -> None:
    cell, bound = bounded_cell()
    for message in "ab":
        bound.offer(cell.user, message)
    cell.admission = CLOSED
    assert cell.refill() == ["a"]
    assert cell.drain() == ["a", "b"]
    assert cell.refill() is None


def test_draining_gives_the_batch_and_the_lane_oldest_first() -> None:
    cell = a_cell()
    cell.user.extend([1, 2, 3])
    batch = cell.refill()
    assert batch is not None
    assert batch.pop() == 1
    cell.user.extend([4, 5])
    assert cell.drain() == [2, 3, 4, 5]
    assert (cell.rest, cell.size(), cell.drain()) == (None, 0, [])


def test_draining_gives_markers_as_well() -> None:
    cell = a_cell()
    cell.user.extend([1, MARKER, 2])
    assert cell.drain() == [1, MARKER, 2]


def test_the_size_counts_lane_and_batch_but_no_markers() -> None:
    cell = a_cell()
    cell.user.extend([1, 2, MARKER])
    control_of(cell).marks = 1
    assert cell.size() == 2
    cell.refill()
    cell.user.append(3)
    assert cell.size() == 3


def test_the_size_is_never_negative_while_a_marker_is_on_its_way() -> None:
    cell = a_cell()
    control_of(cell).marks = 1
    assert cell.size() == 0


@given(st.lists(st.one_of(st.integers(), st.sampled_from(["refill", "pop", "drain"]))))
def test_messages_leave_in_the_order_in_which_they_came(steps: list[Any]) -> None:
    cell = a_cell()
    came: list[int] = []
    left: list[int] = []
    for step in steps:
        if step == "refill":
            if not cell.rest:
                cell.refill()
        elif step == "pop":
            if cell.rest:
                left.append(cell.rest.pop())
        elif step == "drain":
            left.extend(cell.drain())
        else:
            came.append(step)
            cell.user.append(step)
        assert cell.size() == len(came) - len(left)
    assert left + cell.drain() == came


# -- the search of selective receive ---------------------------------------------------------------


class Matcher:
    """Wants one message, and counts how many it is shown."""

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted
        self.calls = 0

    def __call__(self, message: Any) -> bool:
        self.calls += 1
        return bool(message == self.wanted)


def test_the_first_match_is_taken_and_the_others_stay_in_order() -> None:
    cell = a_cell()
    cell.user.extend([1, 2, 3, 2])
    assert cell.take_matching(Matcher(2), 0) == (1, True, 2)
    assert cell.user == [1, 3, 2]


def test_without_a_match_the_place_to_go_on_from_is_the_end() -> None:
    cell = a_cell()
    cell.user.extend([1, 3])
    assert cell.take_matching(Matcher(2), 0) == (2, False, None)
    assert cell.user == [1, 3]


def test_a_message_that_is_none_can_match() -> None:
    cell = a_cell()
    cell.user.append(None)
    assert cell.take_matching(lambda message: message is None, 0) == (0, True, None)


def test_waiting_over_100_000_messages_calls_the_matcher_once_for_each() -> None:
    cell = a_cell()
    matcher, place = Matcher("wanted"), 0
    for _ in range(100):
        cell.user.extend([0] * 1000)
        place, found, _ = cell.take_matching(matcher, place)
        assert not found
    cell.user.append("wanted")
    place, found, message = cell.take_matching(matcher, place)
    assert (place, found, message) == (100_000, True, "wanted")
    assert matcher.calls == 100_001
    assert len(cell.user) == 100_000


def test_markers_are_not_shown_to_the_matcher() -> None:
    cell = a_cell()
    cell.user.extend([MARKER, 1])
    shown: list[Any] = []
    cell.take_matching(lambda message: bool(shown.append(message)), 0)
    assert shown == [1]


def test_a_matcher_that_raises_changes_nothing() -> None:
    cell = a_cell()
    cell.user.extend([1, 2])

    def matcher(message: Any) -> bool:
        raise ValueError(message)

    with pytest.raises(ValueError, match="1"):
        cell.take_matching(matcher, 0)
    assert cell.user == [1, 2]


def test_a_matcher_may_see_messages_that_come_while_it_looks() -> None:
    cell = a_cell()
    cell.user.append(1)

    def matcher(message: Any) -> bool:
        if message == 1:
            cell.user.append(2)
        return bool(message == 2)

    assert cell.take_matching(matcher, 0) == (1, True, 2)


@given(st.lists(st.integers(0, 3)), st.integers(0, 3))
def test_a_search_is_like_looking_through_a_list(messages: list[int], wanted: int) -> None:
    cell = a_cell()
    cell.user.extend(messages)
    _, found, message = cell.take_matching(Matcher(wanted), 0)
    expected: Optional[list[int]] = list(messages)
    if wanted in messages:
        expected = messages[: messages.index(wanted)] + messages[messages.index(wanted) + 1 :]
        assert (found, message) == (True, wanted)
    else:
        assert not found
    assert cell.user == expected
