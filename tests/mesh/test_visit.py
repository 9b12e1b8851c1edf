"""What another node with a key wants: ends and links are told, credit is given, nothing stays."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from iris.mesh.hosting import ORPHANS_S
from iris.testing import SimRuntime

from .fakenet import KEY, Asker, Pair, result


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    log = logging.getLogger("iris")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def fails(message: Any) -> None:
    raise ValueError(f"no {message}")


def idle(_: Any) -> None:
    pass


def alive(rt: SimRuntime, pid: int) -> bool:
    return bool(rt.is_alive(pid))


def news(rt: SimRuntime, observer: int) -> list[tuple[str, Any]]:
    return [
        (one.type_name, one.reason) for one in rt.get_messages(observer) if hasattr(one, "reason")
    ]


# -- monitors ------------------------------------------------------------------------------


def test_the_end_of_an_actor_comes_with_its_reason(pair: Pair) -> None:
    here, there = pair.here, pair.there
    normal = there.spawn(lambda _: there.stop(there.self_pid()))
    panic = there.spawn(fails)
    killed = there.spawn(idle)
    watcher = here.spawn_observed_handler()
    proxies = [pair.proxy(pid) for pid in (normal, panic, killed)]
    proxies.append(here.monitor_remote(pair.address, 12345))
    pair.settle()
    for proxy in proxies:
        here.monitor(watcher, proxy)
    here.send(proxies[0], b"x")
    here.send(proxies[1], b"x")
    there.stop(killed)
    pair.settle()
    told = {one.target_pid: one for one in here.get_messages(watcher)}
    assert [str(told[proxy].reason) for proxy in proxies[:3]] == ["Normal", "Panic", "Killed"]
    assert "ValueError: no b'x'" in told[proxies[1]].metadata["message"]
    # Through whom: the proxy itself, because a pid of the other node means nothing here.
    assert told[proxies[1]].from_pid == proxies[1]
    assert not any(alive(here, proxy) for proxy in proxies)
    pair.check_fates()


def test_a_pid_that_never_existed_is_told(pair: Pair) -> None:
    watcher = pair.here.spawn_observed_handler()
    proxy = pair.here.monitor_remote(pair.address, 12345)
    pair.here.monitor(watcher, proxy)
    pair.settle()
    assert news(pair.here, watcher) == [("DOWN", "NoSuchActor")]


def test_a_proxy_that_is_stopped_leaves_no_monitor_there(pair: Pair) -> None:
    target = pair.there.spawn(idle)
    before = pair.there.spawn(idle)
    for _ in range(10):
        proxy = pair.proxy(target)
        pair.settle()
        pair.here.stop(proxy)
        pair.settle()
    assert not ties(pair.there, target)
    assert not ties(pair.there, before)


def ties(rt: SimRuntime, pid: int) -> bool:
    """Whether anybody monitors an actor."""
    found = rt._system.table.get(pid).ties  # type: ignore[union-attr]
    return bool(found is not None and found.watched_by)


def test_many_ends_at_once_are_all_told(pair: Pair) -> None:
    pids = [pair.there.spawn(idle) for _ in range(2000)]
    watcher = pair.here.spawn_observed_handler()
    for pid in pids:
        pair.here.monitor(watcher, pair.here.monitor_remote(pair.address, pid))
    pair.settle()
    for pid in pids:
        pair.there.stop(pid)
    pair.settle()
    assert news(pair.here, watcher) == [("DOWN", "Killed")] * 2000


# -- links ---------------------------------------------------------------------------------


def linked(pair: Pair, trap: bool = False) -> tuple[int, int, int]:
    """An actor here, the proxy that it is linked to, and the actor of that."""
    theirs = pair.there.spawn_observed_handler() if trap else pair.there.spawn(idle)
    ours = pair.here.spawn(idle)
    proxy = pair.proxy(theirs)
    pair.here.link(ours, proxy)
    pair.settle()
    return ours, proxy, theirs


def test_a_link_ends_the_other_side_in_both_directions(pair: Pair) -> None:
    ours, _, theirs = linked(pair)
    pair.there.stop(theirs)
    pair.settle()
    assert not alive(pair.here, ours)
    ours, proxy, theirs = linked(pair)
    pair.here.stop(ours)
    pair.settle()
    assert not alive(pair.there, theirs)
    assert not alive(pair.here, proxy)


def test_a_normal_end_ends_nobody_else_but_is_told_to_those_who_trap(pair: Pair) -> None:
    ours, proxy, theirs = linked(pair)
    ends = pair.here.spawn(lambda _: pair.here.stop(pair.here.self_pid()))
    pair.here.link(ends, proxy)
    pair.settle()
    pair.here.send(ends, b"x")
    pair.settle()
    assert not alive(pair.here, ends)
    assert alive(pair.there, theirs)
    assert alive(pair.here, ours)
    ours, proxy, theirs = linked(pair, trap=True)
    pair.here.stop(ours)
    pair.settle()
    assert alive(pair.there, theirs)
    assert news(pair.there, theirs) == [("EXIT", "Killed")]


def test_who_is_unlinked_lives_on(pair: Pair) -> None:
    ours, proxy, theirs = linked(pair)
    pair.here.unlink(ours, proxy)
    pair.settle()
    pair.here.stop(ours)
    pair.settle()
    assert alive(pair.there, theirs)
    ours, proxy, theirs = linked(pair)
    pair.here.unlink(ours, proxy)
    pair.settle()
    pair.there.stop(theirs)
    pair.settle()
    assert alive(pair.here, ours)


def test_links_are_told_again_on_the_next_connection(pair: Pair) -> None:
    ours, _, theirs = linked(pair)
    pair.wire.cut()
    pair.sleep(2.0)
    assert len(pair.net.wires) == 2
    pair.sleep(ORPHANS_S + 1.0)
    assert alive(pair.there, theirs)
    pair.here.stop(ours)
    pair.settle()
    assert not alive(pair.there, theirs)


def test_what_happens_to_links_while_there_is_no_connection_is_told_later(pair: Pair) -> None:
    ours, proxy, theirs = linked(pair)
    more, other_proxy, other = linked(pair)
    normal = pair.here.spawn(lambda _: pair.here.stop(pair.here.self_pid()))
    quiet = pair.there.spawn(idle)
    quiet_proxy = pair.proxy(quiet)
    pair.here.link(normal, quiet_proxy)
    pair.settle()
    pair.wire.cut()
    pair.here.unlink(ours, proxy)
    pair.here.stop(more)
    pair.here.send(normal, b"x")
    pair.here.run_until_idle()
    pair.sleep(ORPHANS_S + 3.0)
    assert alive(pair.there, theirs)
    assert not alive(pair.there, other)
    assert not alive(pair.here, other_proxy)
    assert alive(pair.there, quiet)


def test_a_link_that_was_made_and_ended_behind_a_slow_network_is_told(pair: Pair) -> None:
    here, there = pair.here, pair.there
    theirs = there.spawn(idle)
    proxy = pair.proxy(theirs)
    pair.settle()
    for room in ("network", "connection"):
        if room == "network":
            pair.wire.client.room = 0
            here.send(proxy, b"x" * 100)
            pair.settle()
        else:
            theirs = there.spawn(idle)
            proxy = pair.proxy(theirs)
            pair.settle()
            pair.wire.cut()
        ours = here.spawn(idle)
        here.link(ours, proxy)
        here.stop(ours)
        here.run_until_idle()
        if room == "network":
            pair.settle()
            pair.wire.client.give_room(None)
        pair.sleep(2.0)
        assert not alive(there, theirs), room
        assert not alive(here, proxy), room


def test_the_late_end_of_an_earlier_connection_ends_no_link(pair: Pair) -> None:
    ours, _, theirs = linked(pair)
    old = pair.wire
    old.client.fail(ConnectionResetError(104, "reset"))
    pair.sleep(2.0)
    assert len(pair.net.wires) == 2
    old.server.fail(None)
    pair.sleep(ORPHANS_S + 2.0)
    assert alive(pair.there, theirs)
    assert alive(pair.here, ours)


def test_a_second_break_gives_links_their_whole_time_again(pair: Pair) -> None:
    ours, _, theirs = linked(pair)
    pair.wire.cut()
    pair.sleep(1.5)
    pair.sleep(ORPHANS_S - 2.5)
    pair.net.doors.clear()
    pair.wire.cut()
    pair.sleep(2.0)
    assert not alive(pair.here, ours)
    assert alive(pair.there, theirs)
    pair.sleep(ORPHANS_S)
    assert not alive(pair.there, theirs)


def test_links_of_actors_that_have_ended_are_forgotten(pair: Pair) -> None:
    ours = pair.here.spawn_observed_handler()
    for _ in range(20):
        theirs = pair.there.spawn(idle)
        pair.here.link(ours, pair.proxy(theirs))
        pair.settle()
        pair.there.stop(theirs)
        pair.settle()
    for _ in range(20):
        theirs = pair.there.spawn(idle)
        proxy = pair.proxy(theirs)
        pair.here.link(ours, proxy)
        pair.settle()
        pair.here.stop(proxy)
        pair.settle()
        # The link is no more, as if the node was.
        assert not alive(pair.there, theirs)
    [bonds] = pair.there._system.mesh._hosting.bonds.values()
    assert bonds.count == 0
    [peer] = pair.here._system.mesh._peers.values()
    assert not peer.outbox._couplings._links  # type: ignore[attr-defined]


def test_a_node_that_leaves_says_so(pair: Pair) -> None:
    here = pair.here
    watcher = here.spawn_observed_handler()
    observer = here.spawn_observed_handler()
    ours, proxy, _ = linked(pair)
    here.monitor(watcher, proxy)
    here.watch_node(pair.address, observer)
    pair.settle()
    pair.end(pair.there)
    # Its actors had ended before it left.
    assert news(here, watcher) == [("DOWN", "Killed")]
    assert not alive(here, ours)
    [info] = here.nodes()
    assert (info.state, info.reason) == ("down", "left")
    down = [one for one in here.get_messages(observer) if one.type_name == "NODE_DOWN"]
    assert [one.reason for one in down] == ["Disconnected"]


def test_a_node_that_vanishes_is_down_after_its_time(pair: Pair) -> None:
    here = pair.here
    watcher = here.spawn_observed_handler()
    ours, proxy, _ = linked(pair)
    here.monitor(watcher, proxy)
    pair.sleep(3.0)
    pair.end(pair.there, vanishes=True)
    pair.sleep(12.0)
    assert news(here, watcher) == [("DOWN", "NodeDown")]
    assert not alive(here, ours)
    assert here.nodes()[0].state == "down"


def test_questions_that_expire_do_not_keep_a_vanished_node_up(pair: Pair) -> None:
    target = pair.proxy(pair.there.spawn(idle))
    askers = [Asker(pair.here, timeout_s=0.5) for _ in range(40)]
    pair.settle()
    pair.end(pair.there, vanishes=True)
    for asker in askers:
        asker.ask(target, b"x")
        pair.sleep(0.5)
    assert pair.here.nodes()[0].state == "down"
    assert not alive(pair.here, target)


def test_the_links_of_a_node_that_vanishes_end_there_after_their_time(pair: Pair) -> None:
    _, _, theirs = linked(pair)
    wire = pair.wire
    pair.end(pair.here, vanishes=True)
    wire.server.fail(ConnectionResetError(104, "reset"))
    pair.sleep(ORPHANS_S - 1.0)
    assert alive(pair.there, theirs)
    pair.sleep(2.0)
    assert not alive(pair.there, theirs)


def test_the_links_of_a_node_that_leaves_end_at_once(pair: Pair) -> None:
    _, _, theirs = linked(pair, trap=True)
    pair.end(pair.here)
    [told] = news(pair.there, theirs)
    assert told in {("EXIT", "Killed"), ("EXIT", "Disconnected")}


def test_a_node_that_is_started_anew_ends_the_proxies_of_its_earlier_life(pair: Pair) -> None:
    here = pair.here
    watcher = here.spawn_observed_handler()
    proxy = pair.proxy(pair.there.spawn(idle))
    here.monitor(watcher, proxy)
    pair.settle()
    door = pair.net.doors
    wire = pair.wire
    pair.end(pair.there, vanishes=True)
    again = pair.start((KEY,))
    address = again.listen("127.0.0.1:0")
    # At the same address.
    door["127.0.0.1", int(pair.address.rpartition(":")[2])] = door[
        "127.0.0.1", int(address.rpartition(":")[2])
    ]
    got: list[Any] = []
    again.register("anew", again.spawn(got.append))
    wire.client.fail(ConnectionResetError(104, "reset"))
    found = result(pair.resolve("anew"))
    assert news(here, watcher) == [("DOWN", "NodeDown")]
    assert not alive(here, proxy)
    assert here.send(found, b"hello")
    pair.settle()
    assert got == [b"hello"]
    pair.check_fates()


def test_a_proxy_made_while_its_node_was_down_lives_when_that_comes_back(pair: Pair) -> None:
    here = pair.here
    proxy = pair.proxy(pair.there.spawn(idle))
    pair.settle()
    doors = dict(pair.net.doors)
    pair.net.doors.clear()
    pair.end(pair.there)
    pair.sleep(1.0)
    assert not alive(here, proxy)
    again = pair.start((KEY,))
    got: list[Any] = []
    target = again.spawn(got.append)
    again.listen("127.0.0.1:0")
    [(_, entry)] = pair.net.doors.items()
    for where in doors:
        pair.net.doors[where] = entry
    here.send_remote(pair.address, target, b"x")
    pair.settle()
    assert got == [b"x"]


# -- credit --------------------------------------------------------------------------------


def test_a_receiver_that_does_not_handle_stops_its_sender_and_nobody_else(pair: Pair) -> None:
    here, there = pair.here, pair.there
    stuck = there.spawn_with_mailbox(lambda mailbox: there.sleep(1000.0))
    slow = pair.proxy(stuck)
    third = pair.start((KEY,))
    address = third.listen("127.0.0.1:0")
    third.register("echo", third.spawn(third.reply))
    other = result(pair.resolve("echo", address=address))
    sent = 0
    while here.send(slow, b"x" * 10_000):
        sent += 1
        assert sent < 10_000
        if sent % 50 == 0:
            pair.settle()
    assert sent * 10_000 < 32 << 20
    assert here.send(slow, b"x" * 10_000) is False
    asker = Asker(here)
    asker.ask(other, b"others go on")
    pair.sleep(3.0)
    assert asker.got == [b"others go on"]
    assert [info.state for info in here.nodes()] == ["up", "up"]
    # What has come there is bounded as well.
    assert there.stats()["queued"] * 10_000 < 4 << 20
    pair.check_fates()


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("size", [100_000, 30_000])
def test_questions_that_are_not_handled_stop_their_sender(
    pair: Pair, bounded: bool, size: int
) -> None:
    here, there = pair.here, pair.there
    stuck = there.spawn(lambda _: there.sleep(5.0))
    if bounded:
        stuck = there.spawn_py_handler_bounded(lambda _: there.sleep(5.0), capacity=1)
        there.set_overflow_policy(stuck, "block", None)
    target = pair.proxy(stuck)
    askers = [Asker(here, timeout_s=4.0) for _ in range(300)]
    for asker in askers:
        asker.ask(target, b"q" * size)
    pair.sleep(2.0)
    # A window, and a mailbox that counts as handled though 64 wait in it.
    assert owed_there(pair) * size < (1 << 20) + 65 * 100_000
    assert here.nodes()[0].state == "up"
    pair.sleep(3.0)
    if not bounded:
        # What lies in its mailbox will still be handled, and is held against its senders.
        return
    # All who stood in the line have given up, so the way is free again.
    asker = Asker(here)
    asker.ask(pair.proxy(there.spawn(there.reply)), b"x" * 200_000)
    pair.settle()
    assert asker.got == [b"x" * 200_000]


def owed_there(pair: Pair) -> int:
    """How many questions of the only guest are open there."""
    [guest] = pair.there._system.mesh._guests
    return len(guest._speaker._visit._asked)  # type: ignore[union-attr]


def test_a_flood_in_both_directions_ends(pair: Pair) -> None:
    here, there = pair.here, pair.there
    back = here.listen("127.0.0.1:0")
    got: dict[str, list[Any]] = {"here": [], "there": []}
    here.register("sink", here.spawn(got["here"].append))
    one = pair.proxy(there.spawn(got["there"].append))
    other = result(pair.resolve("sink", there, back))
    sent = {"here": 0, "there": 0}
    for number in range(3000):
        sent["there"] += here.send(one, number.to_bytes(4, "big") * 500)
        sent["here"] += there.send(other, number.to_bytes(4, "big") * 500)
    pair.sleep(1.0)
    assert {name: len(messages) for name, messages in got.items()} == sent
    assert got["there"] == sorted(got["there"])
    assert got["here"] == sorted(got["here"])
    pair.check_fates()


def test_messages_keep_their_order_over_breaks_and_none_comes_twice(pair: Pair) -> None:
    got: list[Any] = []
    target = pair.proxy(pair.there.spawn(got.append))
    pair.settle()
    sent = 0
    for _ in range(10):
        for _ in range(200):
            assert pair.here.send(target, sent.to_bytes(4, "big") * 300)
            sent += 1
        pair.net.core._calls and pair.net.core._calls.popleft()()
        for _ in range(7):
            pair.here.step()
            if pair.net.core._calls:
                pair.net.core._calls.popleft()()
        for wire in pair.net.open_wires:
            wire.cut()
        pair.sleep(1.0)
    numbers = [int.from_bytes(one[:4], "big") for one in got]
    assert numbers == sorted(set(numbers))
    stats = pair.here.stats()
    assert stats["accepted"] == sent
    assert len(got) + stats["lost"] + stats["in_doubt"] >= sent
    assert len(got) <= stats["forwarded"]
    pair.check_fates()


@pytest.mark.parametrize("size", [10 << 20, 64 << 20])
def test_large_messages_come_whole(pair: Pair, size: int) -> None:
    got: list[Any] = []
    target = pair.proxy(pair.there.spawn(got.append))
    assert pair.here.send(target, b"z" * size)
    pair.settle()
    assert [len(one) for one in got] == [size]
    pair.check_fates()


def test_undecodable_messages_spoil_nothing_else(pair: Pair) -> None:
    import dataclasses

    @dataclasses.dataclass
    class Point:
        x: int
        y: int = 0

    @dataclasses.dataclass
    class Unknown:
        x: int

    pair.here.register_type(1, Point)
    pair.there.register_type(1, Point)
    pair.here.register_type(2, Unknown)
    got: list[Any] = []
    target = pair.proxy(pair.there.spawn(got.append))
    for message in (Point(1, 2), Unknown(1), [Point(3)]):
        assert pair.here.send(target, message)
    with pytest.raises(TypeError):
        pair.here.send(target, object())
    pair.settle()
    assert got == [Point(1, 2), [Point(3)]]
    assert pair.there.stats()["undeliverable"] == 1
    pair.check_fates()
    asker = Asker(pair.here)
    asker.ask(target, Unknown(1))
    pair.settle()
    assert "cannot be read" in str(asker.got[0])
