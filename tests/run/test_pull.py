"""Pull actors: how a function takes its messages, and how its mailbox closes."""

from __future__ import annotations

import pytest

import iris
from iris.testing import SimRuntime

from .actors import pull

# -- recv ------------------------------------------------------------------------------------------


def test_recv_gives_one_message_after_the_other_in_order() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while len(got) < 5:
            got.append(mailbox.recv())

    pid = pull(rt, body, *range(5))
    assert got == [0, 1, 2, 3, 4]
    assert not rt.is_alive(pid)


def test_recv_waits_for_a_message_that_comes_later() -> None:
    rt, got = SimRuntime(), []
    pid = pull(rt, lambda mailbox: got.append(mailbox.recv()))
    rt.advance(100)
    assert got == []
    rt.send(pid, b"at last")
    rt.run_until_idle()
    assert got == [b"at last"]


def test_recv_with_a_timeout_gives_none_when_the_time_is_over() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append((mailbox.recv(timeout=5.0), rt.now, mailbox.closed))
        got.append((mailbox.recv(timeout=5.0), rt.now, mailbox.closed))

    pid = pull(rt, body)
    rt.advance(7)
    rt.send(pid, b"in time")
    rt.run_until_idle()
    assert got == [(None, 5.0, False), (b"in time", 7.0, False)]


def test_a_timeout_of_zero_looks_without_waiting() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append(mailbox.recv(0))
        rt.sleep(1)
        got.append(mailbox.recv(0))
        got.append(mailbox.recv(timeout=0))

    pid = pull(rt, body)
    rt.send(pid, b"x")
    rt.advance(1)
    assert got == [None, b"x", None]
    assert rt.now == 1


def test_a_message_sent_while_the_function_is_busy_is_there_at_the_next_recv() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        rt.sleep(1)
        got.extend([mailbox.recv(), mailbox.recv()])

    pull(rt, body, b"a", b"b")
    assert got == []
    rt.advance(1)
    assert got == [b"a", b"b"]


def test_a_message_none_is_a_message() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        got.append((mailbox.recv(), mailbox.closed))
        got.append(mailbox.recv())

    pull(rt, body, None, b"x")
    assert got == [(None, False), b"x"]


def test_system_messages_come_before_user_messages() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        rt.sleep(1)
        got.extend([mailbox.recv(), mailbox.recv()])

    pid, partner = rt.spawn_with_mailbox(body), rt.spawn(len)
    rt.link(pid, partner)
    rt.send(pid, b"user")
    rt.stop(partner)
    rt.advance(1)
    assert [getattr(message, "type_name", message) for message in got] == ["EXIT", b"user"]


def test_a_pull_actor_is_an_actor_that_can_be_sent_to_from_a_handler_and_sends_itself() -> None:
    rt, got = SimRuntime(), []

    def echo(mailbox: iris.PyMailbox) -> None:
        while True:
            back, message = mailbox.recv()
            rt.send(back, message)

    server = rt.spawn_with_mailbox(echo)
    client = rt.spawn(got.append)
    rt.send(rt.spawn(lambda message: rt.send(server, (client, message))), b"ping")
    rt.run_until_idle()
    assert got == [b"ping"]


# -- the end ---------------------------------------------------------------------------------------


def test_a_function_that_returns_ends_as_normal_and_its_queue_expires() -> None:
    rt, ends = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))
    pid = pull(rt, lambda mailbox: mailbox.recv(), b"a", b"b", b"c")
    assert ends == [(pid, "Normal")]
    assert (rt.stats()["handled"], rt.stats()["expired"]) == (1, 2)
    assert rt.send(pid, b"") is False


def test_a_function_that_raises_ends_with_panic_and_its_last_message_has_failed() -> None:
    rt, ends = SimRuntime(), []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))

    def body(mailbox: iris.PyMailbox) -> None:
        mailbox.recv()
        mailbox.recv()
        raise ValueError("as it should")

    pid = pull(rt, body, b"a", b"b", b"c")
    assert ends == [(pid, "Panic")]
    stats = rt.stats()
    assert (stats["handled"], stats["failed"], stats["expired"]) == (1, 1, 1)


def test_a_function_that_raises_before_its_first_message_fails_none() -> None:
    rt = SimRuntime()
    pull(rt, lambda mailbox: 1 / 0, b"a")
    assert (rt.stats()["failed"], rt.stats()["expired"]) == (0, 1)


@pytest.mark.parametrize("take", ["recv", "selective_recv"])
def test_after_a_stop_recv_gives_none_once_and_then_raises_actor_stopped(take: str) -> None:
    rt, log, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append(str(ending.reason)))

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            message = mailbox.recv() if take == "recv" else mailbox.selective_recv(bool)
            log.append((message, mailbox.closed))

    pid = pull(rt, body, b"a")
    rt.stop(pid)
    rt.run_until_idle()
    assert log == [(b"a", False), (None, True)]
    assert ends == ["Killed"]


def test_none_is_said_once_whichever_way_the_function_asks() -> None:
    rt, log = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        log.append(mailbox.recv())
        try:
            mailbox.selective_recv(bool)
        except iris.ActorStopped as stopped:
            log.append(type(stopped))

    rt.stop(pull(rt, body))
    rt.run_until_idle()
    assert log == [None, iris.ActorStopped]


def test_actor_stopped_passes_an_except_exception_around_the_loop() -> None:
    rt, rounds = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            try:
                rounds.append(mailbox.recv())
            except Exception:
                rounds.append("caught")

    pid = pull(rt, body)
    rt.stop(pid)
    rt.run_until_idle()
    assert rounds == [None]
    assert not rt.is_alive(pid)
    assert not issubclass(iris.ActorStopped, Exception)


def test_messages_queued_at_the_stop_expire_and_none_is_given_any_more() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.recv())
            rt.sleep(1)

    pid = pull(rt, body, b"a", b"b", b"c")
    rt.stop(pid)
    rt.advance(5)
    assert got == [b"a", None]
    assert (rt.stats()["handled"], rt.stats()["expired"]) == (1, 2)


def test_closed_is_true_as_soon_as_the_stop_was_accepted() -> None:
    rt, seen = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        seen.append(mailbox.closed)
        rt.stop(rt.self_pid())
        seen.append(mailbox.closed)

    pull(rt, body)
    assert seen == [False, True]


def test_a_stopped_pull_actor_may_still_send_and_work_before_it_returns() -> None:
    rt, got = SimRuntime(), []
    keeper = rt.spawn(got.append)

    def body(mailbox: iris.PyMailbox) -> None:
        while mailbox.recv() is not None:
            pass
        rt.send(keeper, b"flushed")

    rt.stop(pull(rt, body))
    rt.run_until_idle()
    assert got == [b"flushed"]


def test_the_stop_word_ends_a_pull_parent_behind_the_messages_before_it() -> None:
    rt, got, ends = SimRuntime(), [], []
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason))))

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.recv())

    parent = rt.spawn_with_mailbox(body)
    child = rt.spawn_child(parent, len)
    for message in (b"a", b"quit", b"late"):
        rt.send(parent, message)
    rt.run_until_idle()
    assert got == [b"a", b"quit", None]
    assert ends == [(child, "Killed"), (parent, "Normal")]


# -- size and accounts -----------------------------------------------------------------------------


def test_the_size_of_a_pull_mailbox_is_what_has_not_been_taken() -> None:
    rt, sizes = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        for _ in range(3):
            mailbox.recv()
            sizes.append(rt.mailbox_size(rt.self_pid()))

    pull(rt, body, b"a", b"b", b"c")
    assert sizes == [2, 1, 0]


def test_a_message_counts_as_running_until_the_next_one_is_asked_for() -> None:
    rt = SimRuntime()

    def body(mailbox: iris.PyMailbox) -> None:
        mailbox.recv()
        rt.sleep(1)
        mailbox.recv()

    pull(rt, body, b"a")
    assert (rt.stats()["running"], rt.stats()["handled"]) == (1, 0)
    assert rt.quiesce() is False
    rt.advance(1)
    assert (rt.stats()["running"], rt.stats()["handled"]) == (0, 1)
    assert rt.quiesce() is True


def test_many_pull_actors_run_side_by_side() -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            message = mailbox.recv(timeout=1.0)
            if mailbox.closed:
                return
            if message is not None:
                got.append(message)

    pids = [rt.spawn_with_mailbox(body) for _ in range(200)]
    for number, pid in enumerate(pids):
        rt.send(pid, number)
    rt.advance(3)
    assert sorted(got) == list(range(200))
    rt.shutdown()
