"""Who gets a thread of its own and who goes into the overflow; the limits, and their change."""

from __future__ import annotations

import logging
from typing import Any, Optional

import pytest

import iris
from iris.run.lodging import Lodging, ThreadLimits
from iris.testing import SimRuntime


class Place:
    """A place for pull actors that notes who comes, or raises."""

    is_shared = False

    def __init__(self, error: Optional[BaseException] = None) -> None:
        self.error = error
        self.lodgers: list[Any] = []

    def start(self, lodger: Any) -> None:
        if self.error is not None:
            raise self.error
        self.lodgers.append(lodger)

    def place(self) -> Any:
        raise NotImplementedError

    def leaving(self) -> None:
        raise NotImplementedError

    def ended(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def left(self, timeout_s: float) -> None:
        raise NotImplementedError


class Case:
    """A lodging with two places."""

    def __init__(self, most: int, is_strict: bool = False) -> None:
        self.limits = ThreadLimits(most, is_strict)
        self.threads, self.overflow = Place(), Place()
        self.told: list[int] = []
        self.lodging = Lodging(self.limits, self.threads, self.overflow, self.told.append)
        self.count = 0

    def come(self) -> None:
        self.count += 1
        lodger: Any = self.count
        self.lodging.start(lodger)


def test_threads_first_and_then_the_overflow_which_is_told_once() -> None:
    case = Case(2)
    for _ in range(2):
        case.come()
    assert case.told == []
    for _ in range(3):
        case.come()
    assert (case.threads.lodgers, case.overflow.lodgers) == ([1, 2], [3, 4, 5])
    assert case.told == [2]


def test_who_has_left_makes_room() -> None:
    case = Case(1)
    case.come()
    case.come()
    case.limits.give_back()
    case.come()
    assert (case.threads.lodgers, case.overflow.lodgers) == ([1, 3], [2])


def test_strict_limits_refuse_and_change_nothing() -> None:
    case = Case(1, is_strict=True)
    case.come()
    for _ in range(2):
        with pytest.raises(iris.LimitReached, match=r"all 1 threads.*pull_threads_max"):
            case.come()
    assert (case.threads.lodgers, case.overflow.lodgers, case.told) == ([1], [], [])
    case.limits.give_back()
    case.come()
    assert case.threads.lodgers == [1, 4]


def test_where_no_thread_starts_the_overflow_helps_out() -> None:
    case = Case(1)
    case.threads.error = iris.LimitReached("no thread")
    case.come()
    assert (case.overflow.lodgers, case.limits.taken) == ([1], 0)
    assert case.told == [1]
    case.threads.error = None
    case.come()
    assert case.threads.lodgers == [2]


def test_where_no_thread_starts_strict_limits_refuse() -> None:
    case = Case(1, is_strict=True)
    case.threads.error = iris.LimitReached("no thread")
    with pytest.raises(iris.LimitReached, match="no thread"):
        case.come()
    assert (case.overflow.lodgers, case.limits.taken) == ([], 0)


def test_when_the_overflow_refuses_too_nobody_is_told() -> None:
    case = Case(1)
    case.threads.error = iris.LimitReached("no thread")
    case.overflow.error = iris.LimitReached("no hub")
    with pytest.raises(iris.LimitReached, match="no hub"):
        case.come()
    assert (case.limits.taken, case.told) == (0, [])


def test_what_a_signal_handler_raises_is_no_reason_to_overflow() -> None:
    case = Case(1)
    case.threads.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        case.come()
    assert (case.overflow.lodgers, case.limits.taken) == ([], 0)


def test_limits_change_for_those_who_come() -> None:
    case = Case(1)
    case.come()
    case.lodging.set_limits(3)
    for _ in range(3):
        case.come()
    assert (case.threads.lodgers, case.overflow.lodgers) == ([1, 2, 3], [4])
    case.lodging.set_limits(1, strict=True)
    case.limits.give_back()
    # Two are left and one is allowed.
    with pytest.raises(iris.LimitReached):
        case.come()
    case.limits.give_back()
    case.limits.give_back()
    case.come()
    assert case.threads.lodgers == [1, 2, 3, 6]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0,), iris.BadInput, "max_threads=0 is below its least value 1"),
        ((-1, True), iris.BadInput, "max_threads=-1"),
        ((1.0,), TypeError, "max_threads is a whole number"),
        ((True,), TypeError, "max_threads"),
        ((None,), TypeError, "max_threads"),
        ((5, 1), TypeError, "strict is True or False, not 1"),
        ((5, None), TypeError, "strict"),
    ],
)
def test_impossible_limits_are_refused_and_change_nothing(
    arguments: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    case = Case(1, is_strict=True)
    with pytest.raises(error, match=words):
        case.lodging.set_limits(*arguments)
    assert (case.limits.most, case.limits.is_strict) == (1, True)
    for rt in (SimRuntime(), SimRuntime()._inner):
        with pytest.raises(error, match=words):
            rt.set_pull_limits(*arguments)


def test_without_a_limit_it_is_what_the_process_can_bear() -> None:
    assert 1 <= ThreadLimits(None, False).most <= 8192


# -- in a simulated runtime, where both are greenlets ----------------------------------------------


def overflowing(**options: Any) -> SimRuntime:
    """A runtime in which no further pull actor gets a thread."""
    rt = SimRuntime(pull_threads_max=1, **options)
    rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    return rt


def test_a_refused_spawn_leaves_nothing_behind() -> None:
    rt = overflowing(pull_strict=True)
    before = rt.stats()
    parent = rt.spawn(len)
    with pytest.raises(iris.LimitReached):
        rt.spawn_with_mailbox(len)
    with pytest.raises(iris.LimitReached):
        rt.spawn_child_with_mailbox(parent, len)
    after = rt.stats()
    assert after["actors"] == after["spawned"] == before["actors"] + 1
    assert rt.stop(parent)
    assert rt.join(parent)


def test_the_log_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "iris"):
        rt = overflowing()
        assert caplog.messages == []
        for _ in range(3):
            rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    assert len(caplog.messages) == 1
    assert "no thread is left for pull actors (pull_threads_max=1" in caplog.messages[0]


def test_without_a_thread_order_and_count_are_the_same() -> None:
    rt, got = overflowing(), []

    def body(mailbox: Any) -> None:
        mailbox.recv()
        for _ in range(5):
            got.append(mailbox.recv())
            got.append(mailbox.selective_recv(lambda message: message % 2 == 0))

    pid = rt.spawn_with_mailbox(body)
    rt.run_until_idle()
    for number in (0, *range(1, 21)):
        rt.send(pid, number)
    assert rt.join(pid)
    assert got == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    stats = rt.stats()
    assert (stats["handled"], stats["expired"], stats["queued"]) == (11, 10, 0)


def test_without_a_thread_a_swap_keeps_its_place() -> None:
    rt, got = overflowing(), []

    def body(mailbox: Any) -> None:
        for _ in range(9):
            message = mailbox.recv()
            got.append("swap" if isinstance(message, iris.PySystemMessage) else message)

    pid = rt.spawn_with_mailbox(body)
    for number in range(4):
        rt.send(pid, number)
    rt.hot_swap(pid, len)
    for number in range(4, 8):
        rt.send(pid, number)
    assert rt.join(pid)
    assert got == [0, 1, 2, 3, "swap", 4, 5, 6, 7]


def test_one_without_a_thread_is_interrupted_where_it_waits_and_not_orphaned() -> None:
    rt, orphans, ends = overflowing(shutdown_timeout_s=2), [], []
    rt.add_hook("orphan", orphans.append)
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, ending.reason)))
    parent = rt.spawn(len)
    child = rt.spawn_child_with_mailbox(parent, lambda mailbox: rt.sleep(100))
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(1.9)
    assert ends == []
    rt.advance(0.2)
    assert orphans == []
    assert ends == [(child, "Killed"), (parent, "Killed")]


def test_one_that_swallows_the_interruption_is_orphaned_a_moment_later() -> None:
    rt, orphans, swallowed = overflowing(shutdown_timeout_s=2), [], []
    rt.add_hook("orphan", orphans.append)

    def body(mailbox: Any) -> None:
        try:
            rt.sleep(100)
        except BaseException as error:
            swallowed.append(error)
            rt.sleep(100)

    parent = rt.spawn(len)
    child = rt.spawn_child_with_mailbox(parent, body)
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(2.05)
    assert (len(swallowed), orphans) == (1, [])
    rt.advance(0.1)
    assert orphans == [child]
    assert not rt.is_alive(parent)


def test_a_shutdown_interrupts_those_without_a_thread() -> None:
    rt = overflowing()
    for _ in range(3):
        rt.spawn_with_mailbox(lambda mailbox: rt.sleep(1e6))
    rt.run_until_idle()
    assert rt.shutdown(5) == []


def test_one_that_is_at_its_end_already_is_not_interrupted() -> None:
    rt, cut = overflowing(shutdown_timeout_s=2), []

    def slow_hook(pid: int, ending: Any) -> None:
        if pid == child:
            try:
                rt.sleep(10)
            except BaseException as error:
                cut.append(error)

    rt.add_hook("exit", slow_hook)
    parent = rt.spawn(len)
    child = rt.spawn_child_with_mailbox(parent, lambda mailbox: mailbox.recv())
    rt.run_until_idle()
    rt.stop(parent)
    rt.advance(5)
    assert cut == []
    assert rt.join(parent, 20)
