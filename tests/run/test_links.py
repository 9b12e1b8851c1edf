"""Links and monitors: who is told of an end, once, and who ends with whom."""

from __future__ import annotations

import pytest

import iris
from iris.testing import SimRuntime

from .actors import end, fail, linked, news


def test_a_linked_actor_ends_too_with_the_same_reason() -> None:
    rt, ends = SimRuntime(), []
    first, second = rt.spawn(fail), rt.spawn(len)
    linked(rt, second, first)
    rt.add_hook("exit", lambda pid, ending: ends.append((pid, str(ending.reason), ending.by)))
    rt.send(first, b"")
    rt.run_until_idle()
    assert ends == [(first, "Panic", first), (second, "Panic", first)]


def test_a_linked_actor_stays_when_the_reason_is_normal() -> None:
    rt = SimRuntime()
    first, second = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv()), rt.spawn(len)
    linked(rt, first, second)
    rt.send(first, b"")
    rt.run_until_idle()
    assert not rt.is_alive(first)
    assert rt.is_alive(second)


@pytest.mark.parametrize("kind", ["trap_exit", "observed", "pull"])
def test_a_linked_actor_that_receives_system_messages_gets_exit_instead(kind: str) -> None:
    rt, got = SimRuntime(), []

    def body(mailbox: iris.PyMailbox) -> None:
        while True:
            got.append(mailbox.recv())

    watcher = {
        "trap_exit": lambda: rt.spawn(got.append, trap_exit=True),
        "observed": rt.spawn_observed_handler,
        "pull": lambda: rt.spawn_with_mailbox(body),
    }[kind]()
    other = rt.spawn(fail)
    linked(rt, watcher, other)
    rt.send(other, b"")
    rt.run_until_idle()
    (message,) = got or news(rt, watcher)
    assert isinstance(message, iris.PySystemMessage)
    assert (message.type_name, message.reason) == ("EXIT", "Panic")
    assert message.target_pid == message.from_pid == other
    assert message.metadata["exception_type"] == "ValueError"
    assert rt.is_alive(watcher)


def test_an_actor_that_traps_exits_is_told_of_a_normal_end_too() -> None:
    rt = SimRuntime()
    watcher = rt.spawn_observed_handler()
    other = rt.spawn_with_mailbox(lambda mailbox: mailbox.recv())
    linked(rt, watcher, other)
    rt.send(other, b"")
    (message,) = news(rt, watcher)
    assert (message.type_name, message.reason, message.metadata) == ("EXIT", "Normal", None)


def test_a_link_works_both_ways_and_a_second_link_adds_nothing() -> None:
    rt = SimRuntime()
    one, two = rt.spawn_observed_handler(), rt.spawn_observed_handler()
    linked(rt, one, two)
    linked(rt, two, one)
    end(rt, one)
    assert len(news(rt, two)) == 1


def test_unlink_undoes_a_link_from_either_side() -> None:
    rt = SimRuntime()
    one, two = rt.spawn(fail), rt.spawn(len)
    linked(rt, one, two)
    assert rt.unlink(two, one) is True
    assert rt.unlink(two, one) is False
    rt.send(one, b"")
    rt.run_until_idle()
    assert rt.is_alive(two)


def test_a_chain_of_links_ends_to_its_end_but_not_beyond_one_that_traps() -> None:
    rt = SimRuntime()
    chain = [rt.spawn(len) for _ in range(3000)]
    for one, two in zip(chain, chain[1:]):
        linked(rt, one, two)
    guard, beyond = rt.spawn(bool, trap_exit=True), rt.spawn(len)
    linked(rt, chain[-1], guard)
    linked(rt, guard, beyond)
    end(rt, chain[0])
    assert not any(rt.is_alive(pid) for pid in chain)
    assert rt.is_alive(guard)
    assert rt.is_alive(beyond)


def test_a_circle_of_links_ends_each_actor_once() -> None:
    rt, ends = SimRuntime(), []
    ring = [rt.spawn(len) for _ in range(10)]
    for one, two in zip(ring, ring[1:] + ring[:1]):
        linked(rt, one, two)
    rt.add_hook("exit", lambda pid, ending: ends.append(pid))
    end(rt, ring[4])
    assert sorted(ends) == ring


def test_a_link_to_a_stopping_actor_works_until_it_has_ended() -> None:
    rt = SimRuntime()
    stopping, other = rt.spawn(lambda message: rt.sleep(1)), rt.spawn(len)
    rt.send(stopping, b"")
    rt.run_until_idle()
    rt.stop(stopping)
    linked(rt, stopping, other)
    assert rt.is_alive(other)
    rt.advance(1)
    assert not rt.is_alive(other)


def test_link_with_the_dead_raises_and_changes_nothing() -> None:
    rt = SimRuntime()
    living, dead = rt.spawn(len), rt.spawn(len)
    end(rt, dead)
    for pair in ((living, dead), (dead, living)):
        with pytest.raises(iris.ActorDead, match=str(dead)):
            rt.link(*pair)
        assert rt.unlink(*pair) is False


def test_who_stopped_an_actor_is_named_in_exit() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    stopper = rt.spawn(lambda message: rt.stop(target))
    linked(rt, watcher, target)
    rt.send(stopper, b"")
    (message,) = news(rt, watcher)
    assert (message.from_pid, message.target_pid) == (stopper, target)
    assert (message.reason, message.metadata) == ("Killed", None)


def test_a_stop_from_outside_names_the_actor_itself() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    linked(rt, watcher, target)
    rt.stop(target)
    (message,) = news(rt, watcher)
    assert message.from_pid == message.target_pid == target


def test_the_end_of_a_partner_is_named_as_the_origin() -> None:
    rt = SimRuntime()
    watcher, middle, first = rt.spawn_observed_handler(), rt.spawn(len), rt.spawn(fail)
    linked(rt, watcher, middle)
    linked(rt, middle, first)
    rt.send(first, b"")
    (message,) = news(rt, watcher)
    assert (message.from_pid, message.target_pid, message.reason) == (first, middle, "Panic")


# -- parents are told ----------------------------------------------------------------------------


def test_a_parent_that_can_receive_them_gets_one_exit_per_direct_child() -> None:
    rt = SimRuntime()
    parent = rt.spawn_observed_handler()
    children = [rt.spawn_child(parent, fail) for _ in range(3)]
    grandchild = rt.spawn_child(children[0], len)
    for child in children:
        rt.send(child, b"")
    messages = news(rt, parent)
    assert sorted(message.target_pid for message in messages) == children
    assert grandchild not in [message.target_pid for message in messages]
    assert {str(message.type_name) for message in messages} == {"EXIT"}


def test_a_parent_linked_to_its_child_gets_one_exit_all_the_same() -> None:
    rt = SimRuntime()
    parent = rt.spawn_observed_handler()
    child = rt.spawn_child(parent, fail)
    linked(rt, parent, child)
    rt.send(child, b"")
    assert len(news(rt, parent)) == 1


def test_a_child_ended_by_its_parents_end_names_the_parent() -> None:
    rt = SimRuntime()
    watcher, parent = rt.spawn_observed_handler(), rt.spawn(fail)
    child = rt.spawn_child(parent, len)
    rt.monitor(watcher, child)
    rt.send(parent, b"")
    (message,) = news(rt, watcher)
    assert (message.from_pid, message.target_pid, message.reason) == (parent, child, "Killed")


def test_a_plain_parent_never_sees_a_system_message() -> None:
    rt, got = SimRuntime(), []
    parent = rt.spawn(got.append)
    rt.send(rt.spawn_child(parent, fail), b"")
    rt.run_until_idle()
    assert got == []
    assert rt.is_alive(parent)


def test_system_messages_do_not_count_as_queued_or_sent() -> None:
    rt = SimRuntime()
    parent = rt.spawn(bool, trap_exit=True)
    before = rt.stats()["sent"]
    rt.stop(rt.spawn_child(parent, len))
    rt.step()
    assert rt.mailbox_size(parent) == 0
    rt.run_until_idle()
    assert rt.stats()["sent"] == before


# -- monitors ------------------------------------------------------------------------------------


def test_a_monitor_gives_exactly_one_down_with_the_reason() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(fail)
    rt.monitor(watcher, target)
    rt.send(target, b"")
    (message,) = news(rt, watcher)
    assert (message.type_name, message.reason) == ("DOWN", "Panic")
    assert message.target_pid == message.from_pid == target
    assert message.metadata["exception_type"] == "ValueError"
    rt.advance(10)
    assert news(rt, watcher) == []


def test_a_monitor_is_one_way() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn_observed_handler()
    rt.monitor(watcher, target)
    end(rt, watcher)
    assert news(rt, target) == []
    end(rt, target)


def test_each_of_two_monitors_of_one_pair_fires_once() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    assert rt.monitor(watcher, target) != rt.monitor(watcher, target)
    end(rt, target)
    assert [str(message.type_name) for message in news(rt, watcher)] == ["DOWN", "DOWN"]


def test_a_monitor_of_the_gone_gives_down_at_once() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    end(rt, target)
    ref = rt.monitor(watcher, target)
    (message,) = news(rt, watcher)
    assert (message.type_name, message.target_pid) == ("DOWN", target)
    assert message.reason == "NoSuchActor"
    assert rt.demonitor(ref) is False


def test_demonitor_ends_a_monitor_before_it_fires() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    ref = rt.monitor(watcher, target)
    assert rt.demonitor(ref) is True
    assert rt.demonitor(ref) is False
    end(rt, target)
    assert news(rt, watcher) == []


def test_demonitor_of_a_fired_monitor_is_false() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(len)
    ref = rt.monitor(watcher, target)
    end(rt, target)
    assert rt.demonitor(ref) is False


def test_a_monitor_of_a_stopping_actor_fires_when_it_has_ended() -> None:
    rt = SimRuntime()
    watcher, target = rt.spawn_observed_handler(), rt.spawn(lambda message: rt.sleep(1))
    rt.send(target, b"")
    rt.run_until_idle()
    rt.stop(target)
    rt.monitor(watcher, target)
    assert news(rt, watcher) == []
    rt.advance(1)
    assert [message.reason for message in news(rt, watcher)] == ["Killed"]


def test_a_watcher_that_cannot_receive_system_messages_is_refused_with_the_mend() -> None:
    rt = SimRuntime()
    with pytest.raises(iris.IrisError, match="trap_exit=True"):
        rt.monitor(rt.spawn(len), rt.spawn(len))


def test_an_actor_may_monitor_itself_in_vain_without_harm() -> None:
    rt = SimRuntime()
    watcher = rt.spawn_observed_handler()
    rt.monitor(watcher, watcher)
    end(rt, watcher)
    assert not rt.is_alive(watcher)


def test_every_way_to_spawn_a_push_actor_can_trap_exits() -> None:
    rt = SimRuntime()
    low = rt._inner
    parent = rt.spawn(len)
    pids = [
        *rt.spawn_child_pool(parent, len, 2, trap_exit=True),
        low.spawn_py_handler(len, trap_exit=True),
        low.spawn_child_py_handler(parent, len, trap_exit=True),
        low.spawn_virtual_py_handler(len, trap_exit=True),
    ]
    for pid in pids:
        # An actor that cannot receive system messages is refused as a watcher.
        assert rt.monitor(pid, parent) > 0
