"""Discovery with the names of the system, on the thread of a real driver."""

from __future__ import annotations

from typing import Any, Callable

import pytest

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
            driver.post(lambda one=discovery: one.join(None))  # type: ignore[misc]
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
