"""Discovery with the names of the system, on the thread of a real driver."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import iris
from iris.mesh.discovery import DnsPeers
from iris.mesh.link import SocketDriver

pytestmark = pytest.mark.live

Until = Callable[[Callable[[], Any]], Any]


def test_a_name_of_the_system_is_found_and_one_that_is_not_known_says_so(until: Until) -> None:
    raised: list[BaseException] = []
    told: list[tuple[list[str], list[str]]] = []
    driver = SocketDriver(raised.append)
    known = DnsPeers("localhost", 9000).open(driver)
    unknown = DnsPeers("no-such-host.invalid", 9000).open(driver)
    known.watch(lambda added, removed: told.append((added, removed)))
    try:
        for discovery in (known, unknown):
            driver.post(lambda one=discovery: one.join())  # type: ignore[misc]
        until(lambda: told and unknown.error is not None)
        for discovery in (known, unknown):
            driver.post(discovery.leave)
        until(lambda: not known.peers())
    finally:
        driver.stop(5.0)
    [(added, removed)] = told
    assert set(added) <= {"127.0.0.1:9000", "[::1]:9000"}
    assert not removed
    assert "no-such-host.invalid" in str(unknown.error)
    assert known.error is None
    assert not raised


def test_nodes_that_are_found_are_watched_and_told_and_this_one_is_not_among_them(
    until: Until,
) -> None:
    told: list[tuple[list[str], list[str]]] = []
    with iris.Runtime() as other:
        there, gone = other.listen("127.0.0.1:0"), "127.0.0.1:1"
        with iris.Runtime(discovery=iris.StaticPeers([there, gone])) as rt:
            rt.add_hook("peers", lambda added, removed: told.append((added, removed)))
            until(lambda: any(node.round_trip_s for node in rt.nodes()))
            states = {node.address: str(node.state) for node in rt.nodes()}
            assert states == {there: "up", gone: "down"}
            other.shutdown()
            until(lambda: all(node.state == "down" for node in rt.nodes()))


def test_a_node_that_listens_at_a_listed_address_is_not_its_own_peer(until: Until) -> None:
    with iris.Runtime() as other:
        port = int(other.listen("127.0.0.1:0").rpartition(":")[2])
    mine = f"127.0.0.1:{port}"
    told: list[tuple[list[str], list[str]]] = []
    with iris.Runtime(discovery=iris.StaticPeers([mine, "127.0.0.1:1"])) as rt:
        rt.add_hook("peers", lambda added, removed: told.append((added, removed)))
        rt.listen(mine)

        def known() -> set[str]:
            peers: set[str] = set()
            for added, removed in told:
                peers = peers.union(added).difference(removed)
            return peers

        until(lambda: known() == {"127.0.0.1:1"})


@pytest.mark.parametrize("wrong", ["10.0.0.1:1", ["10.0.0.1:1"], object()])
def test_what_finds_nobody_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"an iris\.StaticPeers, an iris\.DnsPeers"):
        iris.Runtime(discovery=wrong)
