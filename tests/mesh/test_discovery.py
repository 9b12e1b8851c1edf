"""Discovery: lists of peers, look-ups of a name, and what is told of their changes."""

from __future__ import annotations

import math
from random import Random
from typing import Any, Callable, Optional, Union

import pytest

from iris.errors import BadInput
from iris.mesh.discovery import (
    PEERS_MOST,
    Discovery,
    DiscoverySpec,
    DnsPeers,
    StaticPeers,
)
from iris.mesh.streams import Accepted, Connected, Listening, Resolved, Timer


class Names:
    """A driver that looks names up and lets time pass when a test says so, and does nothing else.

    `answer` gives the oldest look-up its answer; `sleep` makes the calls that are due.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        # All names that were ever asked for.
        self.waiting: list[Resolved] = []
        self.timers: list[Pause] = []
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def look_up(self, host: str, done: Resolved) -> None:
        self.asked.append(host)
        self.waiting.append(done)

    def later(self, delay_s: float, call: Callable[[], Any]) -> Timer:
        self.timers.append(Pause(self._now + delay_s, call))
        return self.timers[-1]

    def answer(self, found: Union[list[str], Exception]) -> None:
        self.waiting.pop(0)(found)

    def sleep(self, seconds: float) -> None:
        self._now += seconds
        due = [one for one in self.timers if one.at <= self._now]
        self.timers = [one for one in self.timers if one.at > self._now]
        for one in due:
            if one.call is not None:
                one.call()

    def post(self, call: Callable[[], Any]) -> None:
        raise NotImplementedError

    def listen(self, host: str, port: int, accepted: Accepted) -> Listening:
        raise NotImplementedError

    def connect(self, host: str, port: int, timeout_s: float, done: Connected) -> Timer:
        raise NotImplementedError

    def stop(self, timeout_s: float) -> None:
        raise NotImplementedError


class Pause:
    """A timer of `Names`."""

    def __init__(self, at: float, call: Callable[[], Any]) -> None:
        self.at = at
        self.call: Optional[Callable[[], Any]] = call

    def close(self) -> None:
        self.call = None


Told = list[tuple[list[str], list[str]]]


def joined(
    spec: DiscoverySpec, names: Names, address: Optional[str] = None
) -> tuple[Discovery, Told]:
    """A discovery that has joined, and all that it tells."""
    told: Told = []
    discovery = spec.open(names)
    discovery.watch(lambda added, removed: told.append((added, removed)))
    if address is not None:
        discovery.announce(address)
    discovery.join()
    return discovery, told


# -- a fixed list ----------------------------------------------------------------------------


def test_a_fixed_list_is_told_once_and_in_its_order() -> None:
    discovery, told = joined(StaticPeers(["b:2", "a:1"]), Names())
    assert discovery.peers() == ["b:2", "a:1"]
    assert told == [(["b:2", "a:1"], [])]
    assert discovery.error is None


def test_nobody_is_a_peer_before_a_discovery_has_joined() -> None:
    assert StaticPeers(["a:1"]).open(Names()).peers() == []


def test_a_peer_that_is_listed_twice_in_two_spellings_is_one() -> None:
    spec = StaticPeers(("A:1", "a:1", "[::0:1]:2", "[::1]:2"))
    assert spec.addresses == ("a:1", "[::1]:2")


@pytest.mark.parametrize("own", ["a:1", "A:1"])
def test_a_node_is_not_its_own_peer(own: str) -> None:
    discovery, told = joined(StaticPeers(["a:1", "b:2"]), Names(), own)
    assert discovery.peers() == ["b:2"]
    assert told == [(["b:2"], [])]


def test_a_node_that_listens_later_leaves_the_list() -> None:
    discovery, told = joined(StaticPeers(["a:1", "b:2"]), Names())
    discovery.announce("A:1")
    assert discovery.peers() == ["b:2"]
    assert told == [(["a:1", "b:2"], []), ([], ["a:1"])]
    discovery.announce("b:2")
    assert discovery.peers() == []


def test_another_node_on_the_same_host_is_a_peer() -> None:
    assert joined(StaticPeers(["a:1"]), Names(), "a:2")[0].peers() == ["a:1"]


def test_a_list_of_the_node_alone_tells_nothing() -> None:
    assert joined(StaticPeers(["a:1"]), Names(), "a:1")[1] == []


def test_one_description_serves_several_nodes() -> None:
    spec = StaticPeers(["a:1", "b:2", "c:3"])
    one, two = joined(spec, Names(), "a:1")[0], joined(spec, Names(), "b:2")[0]
    one.leave()
    assert one.peers() == []
    assert two.peers() == ["a:1", "c:3"]


def test_who_is_given_the_peers_may_do_with_them_what_he_likes() -> None:
    discovery = joined(StaticPeers(["a:1"]), Names())[0]
    discovery.peers().clear()
    assert discovery.peers() == ["a:1"]


@pytest.mark.parametrize("wrong", ["a:1", b"a:1", None, 5, iter(["a:1"])])
def test_peers_are_a_list(wrong: Any) -> None:
    with pytest.raises(TypeError, match="addresses is a list such as"):
        StaticPeers(wrong)


def test_each_peer_is_an_address() -> None:
    with pytest.raises(TypeError, match="an address is a str"):
        StaticPeers([1])  # type: ignore[list-item]
    with pytest.raises(BadInput, match="'a' has no port"):
        StaticPeers(["b:1", "a"])


def test_a_list_that_is_too_long_is_refused() -> None:
    StaticPeers([f"a:{port + 1}" for port in range(PEERS_MOST)])
    with pytest.raises(BadInput, match=f"{PEERS_MOST + 1} addresses, over its limit {PEERS_MOST}"):
        StaticPeers([f"a:{port + 1}" for port in range(PEERS_MOST + 1)])


# -- a name ----------------------------------------------------------------------------------


def test_a_name_stands_for_all_its_addresses_with_one_port() -> None:
    names = Names()
    discovery, told = joined(DnsPeers("Nodes.example", 9000), names)
    assert names.asked == ["nodes.example"]
    assert discovery.peers() == []
    names.answer(["10.0.0.2", "10.0.0.1", "fe80::1%eth0"])
    peers = ["10.0.0.1:9000", "10.0.0.2:9000", "[fe80::1%eth0]:9000"]
    assert discovery.peers() == peers
    assert told == [(peers, [])]


def test_only_what_changes_is_told() -> None:
    names = Names()
    discovery, told = joined(DnsPeers("nodes", 1, every_s=5.0), names)
    names.answer(["a", "b", "c"])
    told.clear()
    for answer in (["c", "b", "a"], ["b", "c", "d"], ["d", "c", "b", "d"]):
        names.sleep(5.0)
        names.answer(answer)
    assert told == [(["d:1"], ["a:1"])]
    assert discovery.peers() == ["b:1", "c:1", "d:1"]


def test_the_pause_begins_with_the_answer_so_that_no_two_look_ups_go_on_at_once() -> None:
    names = Names()
    joined(DnsPeers("nodes", 1), names)
    names.sleep(1000.0)
    assert len(names.asked) == 1
    names.answer(["a"])
    names.sleep(29.9)
    assert len(names.asked) == 1
    names.sleep(0.2)
    assert len(names.asked) == 2


def test_a_look_up_that_fails_keeps_the_peers_and_is_made_again() -> None:
    names = Names()
    discovery, told = joined(DnsPeers("nodes", 1), names)
    names.answer(["a"])
    names.sleep(30.0)
    failure = OSError("the name server is away")
    names.answer(failure)
    assert discovery.peers() == ["a:1"]
    assert discovery.error is failure
    names.sleep(30.0)
    names.answer(["a", "b"])
    assert discovery.error is None
    assert told == [(["a:1"], []), (["b:1"], [])]


def test_a_name_without_addresses_takes_all_peers_away() -> None:
    names = Names()
    discovery, told = joined(DnsPeers("nodes", 1), names)
    names.answer(["a"])
    names.sleep(30.0)
    names.answer([])
    assert discovery.peers() == []
    assert told[1:] == [([], ["a:1"])]


def test_a_node_is_not_its_own_peer_by_name_either() -> None:
    names = Names()
    discovery, _ = joined(DnsPeers("nodes", 9000), names, "[::0:1]:9000")
    names.answer(["::1", "10.0.0.1"])
    assert discovery.peers() == ["10.0.0.1:9000"]


def test_too_many_addresses_are_cut_off_alike_in_whatever_order_they_come() -> None:
    names = Names()
    discovery, told = joined(DnsPeers("nodes", 1), names)
    addresses = [f"10.0.{number // 250}.{number % 250}" for number in range(PEERS_MOST + 100)]
    luck = Random(1)
    for _ in range(5):
        luck.shuffle(addresses)
        names.answer(list(addresses))
        names.sleep(30.0)
    assert len(discovery.peers()) == PEERS_MOST
    assert len(told) == 1


def test_after_leaving_nothing_is_looked_up_or_told() -> None:
    names = Names()
    discovery, told = joined(DnsPeers("nodes", 1), names)
    names.answer(["a"])
    discovery.leave()
    names.sleep(1000.0)
    assert len(names.asked) == 1
    assert discovery.peers() == []
    assert told == [(["a:1"], [])]


def test_an_answer_that_comes_after_leaving_has_no_effect() -> None:
    names = Names()
    discovery, told = joined(DnsPeers("nodes", 1), names)
    discovery.leave()
    names.answer(["a"])
    names.sleep(1000.0)
    assert (discovery.peers(), told, len(names.asked)) == ([], [], 1)


def test_a_watcher_may_leave_and_may_raise() -> None:
    names = Names()
    leaves, raises = DnsPeers("leaves", 1).open(names), DnsPeers("raises", 1).open(names)
    leaves.watch(lambda added, removed: leaves.leave())
    raises.watch(lambda added, removed: 1 / 0)
    leaves.join()
    raises.join()
    names.answer(["a"])
    with pytest.raises(ZeroDivisionError):
        names.answer(["a"])
    names.sleep(30.0)
    assert names.asked == ["leaves", "raises", "raises"]


@pytest.mark.parametrize("seed", range(30))
def test_what_was_told_adds_up_to_the_peers_and_these_are_those_of_the_last_answer(
    seed: int,
) -> None:
    luck = Random(seed)
    names = Names()
    discovery, told = joined(DnsPeers("nodes", 1), names, "h3:1")
    hosts = [f"h{number}" for number in range(8)]
    last: list[str] = []
    for _ in range(50):
        if luck.random() < 0.2:
            names.answer(OSError("away"))
        else:
            last = luck.choices(hosts, k=luck.randrange(8))
            names.answer(last)
        names.sleep(30.0)
        known: set[str] = set()
        for added, removed in told:
            assert added or removed
            assert known.isdisjoint(added)
            assert known.issuperset(removed)
            known = known.union(added).difference(removed)
        assert sorted(known) == discovery.peers()
        assert known == {f"{host}:1" for host in last} - {"h3:1"}


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ({"name": b"nodes"}, TypeError, "name is a host name"),
        ({"name": ""}, BadInput, "has no host"),
        ({"name": "no des"}, BadInput, "cannot be looked up"),
        ({"port": 0}, BadInput, "port=0"),
        ({"port": 65536}, BadInput, "65536"),
        ({"port": "9000"}, TypeError, "port is a whole number"),
        ({"every_s": 0.9}, BadInput, "every_s=0.9 is out of range; give 1 to"),
        ({"every_s": math.nan}, BadInput, "every_s"),
        ({"every_s": math.inf}, BadInput, "every_s"),
        ({"every_s": None}, TypeError, "every_s is a number of seconds"),
    ],
)
def test_a_description_is_checked(values: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        DnsPeers(**{"name": "nodes", "port": 9000, **values})


def test_descriptions_are_values() -> None:
    assert DnsPeers("NODES", 1) == DnsPeers("nodes", 1)
    assert len({StaticPeers(["a:1"]), StaticPeers(("A:1",))}) == 1
