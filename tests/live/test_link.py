"""The sockets of the mesh: streams, doors, look-ups, and what goes wrong with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from iris.mesh.link import SocketDriver

pytestmark = pytest.mark.live

Until = Callable[[Callable[[], Any]], Any]


class End:
    """One end of a stream, which keeps what it is told."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.bytes = bytearray()
        self.drains = 0
        self.over: list[Optional[Exception]] = []
        self.raises = False

    def received(self, data: bytes) -> None:
        self.bytes += data
        if self.raises:
            raise ValueError("of the receiver")

    def drained(self) -> None:
        self.drains += 1

    def lost(self, error: Optional[Exception]) -> None:
        self.over.append(error)


class Network:
    """A driver, and both ends of each connection made through it."""

    def __init__(self, until: Until) -> None:
        self.until = until
        self.errors: list[BaseException] = []
        self.driver = SocketDriver(self.errors.append)
        self.inside: list[End] = []
        self.door = self.driver.listen("127.0.0.1", 0, self.accept)

    def accept(self, stream: Any) -> End:
        self.inside.append(End(stream))
        return self.inside[-1]

    def attempt(self, host: str, port: int, timeout_s: float = 20.0) -> list[Any]:
        """Begin to connect; the list gets the outcome: an `End`, or an error."""
        outcome: list[Any] = []

        def done(stream: Any) -> Optional[End]:
            outcome.append(stream if isinstance(stream, Exception) else End(stream))
            return None if isinstance(stream, Exception) else outcome[0]

        self.driver.post(lambda: self.driver.connect(host, port, timeout_s, done))
        return outcome

    def pair(self) -> tuple[End, End]:
        """A new connection: the end that has connected, and the one in the door."""
        before = len(self.inside)
        outcome = self.attempt("127.0.0.1", self.door.port)
        self.until(lambda: outcome and len(self.inside) > before)
        return outcome[0], self.inside[before]

    def do(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Make a call in the hub and wait for its return."""
        made: list[bool] = []

        def there() -> None:
            call(*arguments)
            made.append(True)

        self.driver.post(there)
        self.until(lambda: made)


@pytest.fixture
def net(until: Until) -> Iterator[Network]:
    network = Network(until)
    yield network
    network.driver.stop(20)
    assert network.errors == []


def test_bytes_arrive_in_order_in_both_directions(net: Network, until: Until) -> None:
    a, b = net.pair()
    for number in range(100):
        net.driver.post(lambda n=number: a.stream.write(b"%d," % n))  # type: ignore[misc]
    net.do(b.stream.write, b"back")
    until(lambda: a.bytes == b"back")
    until(lambda: bytes(b.bytes).count(b",") == 100)
    assert bytes(b.bytes) == b"".join(b"%d," % n for n in range(100))
    assert b.stream.peer.startswith("127.0.0.1:")
    assert a.stream.peer == f"127.0.0.1:{net.door.port}"


def test_what_the_system_does_not_take_is_unsent_until_it_does(net: Network, until: Until) -> None:
    a, b = net.pair()
    net.do(b.stream.pause)
    data = os.urandom(1 << 16) * 256
    net.do(a.stream.write, data)
    assert 0 < a.stream.unsent < len(data)
    net.do(a.stream.write, b"end")
    assert a.drains == 0
    net.do(b.stream.resume)
    until(lambda: len(b.bytes) == len(data) + 3)
    until(lambda: a.drains == 1)
    assert a.stream.unsent == 0
    assert bytes(b.bytes) == data + b"end"


def test_a_paused_stream_reads_nothing(net: Network, until: Until) -> None:
    a, b = net.pair()
    other, third = net.pair()
    net.do(b.stream.pause)
    net.do(b.stream.pause)
    net.do(a.stream.write, b"x")
    # Later than that, and it has come: so the first would have come, too.
    net.do(other.stream.write, b"y")
    until(lambda: third.bytes == b"y")
    assert b.bytes == b""
    net.do(b.stream.resume)
    until(lambda: b.bytes == b"x")


def test_a_closed_stream_is_the_end_for_the_other_side(net: Network, until: Until) -> None:
    a, b = net.pair()
    net.do(a.stream.write, b"last words")
    net.do(a.stream.finish)
    net.do(a.stream.finish)
    until(lambda: b.over)
    assert (bytes(b.bytes), b.over) == (b"last words", [None])
    assert a.over == []
    c, d = net.pair()
    net.do(d.stream.close)
    net.do(d.stream.close)
    until(lambda: c.over)
    net.do(d.stream.write, b"into the void")
    net.do(c.stream.write, b"into the void")
    net.do(c.stream.finish)
    assert (c.over, d.over, d.stream.unsent) == ([None], [], 0)


def test_what_was_written_arrives_although_the_stream_finishes(net: Network, until: Until) -> None:
    a, b = net.pair()
    net.do(a.stream.pause)
    net.do(b.stream.pause)
    net.do(b.stream.write, b"nobody will read this")
    data = b"z" * (8 << 20)
    net.do(a.stream.write, data)
    net.do(a.stream.finish)
    net.do(b.stream.resume)
    until(lambda: b.over)
    assert (len(b.bytes), b.over, a.bytes) == (len(data), [None], b"")


def test_a_write_to_one_that_has_gone_is_told_as_a_loss(net: Network, until: Until) -> None:
    a, b = net.pair()
    net.do(b.stream.pause)
    net.do(a.stream.write, b"never read")
    net.do(b.stream.close)
    # Closed with bytes unread: that is a reset.
    until(lambda: a.over)
    assert len(a.over) == 1
    assert a.over[0] is None or isinstance(a.over[0], ConnectionError)


def test_a_receiver_that_raises_loses_its_stream_and_no_other(net: Network, until: Until) -> None:
    a, b = net.pair()
    c, d = net.pair()
    b.raises = True
    net.do(a.stream.write, b"x")
    until(lambda: a.over and b.over)
    assert str(b.over[0]) == "of the receiver"
    assert [str(error) for error in net.errors] == ["of the receiver"]
    net.errors.clear()
    net.do(c.stream.write, b"y")
    until(lambda: d.bytes == b"y")


def test_a_call_that_raises_is_reported_and_the_next_is_made(net: Network, until: Until) -> None:
    def bad() -> None:
        raise ValueError("of the call")

    made: list[int] = []
    net.driver.post(bad)
    net.driver.post(lambda: made.append(1))
    until(lambda: made)
    assert [str(error) for error in net.errors] == ["of the call"]
    net.errors.clear()


def test_nobody_listens(net: Network, until: Until) -> None:
    port = net.door.port
    net.do(net.door.close)
    net.do(net.door.close)
    outcome = net.attempt("127.0.0.1", port)
    until(lambda: outcome)
    assert isinstance(outcome[0], ConnectionRefusedError)
    assert f"127.0.0.1:{port}" in str(outcome[0])


def test_a_host_that_does_not_exist(net: Network, until: Until) -> None:
    outcome = net.attempt("no-such-host.invalid", 1)
    until(lambda: outcome)
    assert isinstance(outcome[0], OSError)
    assert "no-such-host.invalid" in str(outcome[0])
    with pytest.raises(OSError, match=r"no-such-host\.invalid"):
        net.driver.listen("no-such-host.invalid", 0, net.accept)


def test_no_answer_in_time(net: Network, until: Until) -> None:
    # No time at all: the timer is due before the look-up has come round.
    outcome = net.attempt("127.0.0.1", net.door.port, 0.0)
    until(lambda: outcome)
    assert isinstance(outcome[0], (TimeoutError, End))
    if isinstance(outcome[0], TimeoutError):
        assert f"127.0.0.1:{net.door.port}" in str(outcome[0])


def test_an_attempt_that_is_taken_back_is_silent(net: Network, until: Until) -> None:
    told: list[Any] = []

    def twice() -> None:
        attempt = net.driver.connect("127.0.0.1", net.door.port, 5.0, told.append)
        attempt.close()
        attempt.close()

    net.do(twice)
    net.pair()
    assert told == []


def test_addresses_of_a_host(net: Network, until: Until) -> None:
    found: list[Any] = []
    for host in ("127.0.0.1", "localhost", "no-such-host.invalid"):
        net.driver.post(
            lambda host=host: net.driver.look_up(host, lambda what: found.append((host, what)))  # type: ignore[misc]
        )
    until(lambda: len(found) == 3)
    by_host = dict(found)
    assert by_host["127.0.0.1"] == ["127.0.0.1"]
    assert set(by_host["localhost"]) <= {"127.0.0.1", "::1"}
    assert isinstance(by_host["no-such-host.invalid"], OSError)


def test_a_timer_is_called_once_and_not_when_taken_back(net: Network, until: Until) -> None:
    fired: list[str] = []

    def arm() -> None:
        net.driver.later(0.0, lambda: fired.append("kept"))
        net.driver.later(0.0, lambda: fired.append("taken back")).close()

    net.do(arm)
    until(lambda: fired)
    net.do(lambda: None)
    assert fired == ["kept"]


def test_an_owner_who_wants_no_stream(net: Network, until: Until) -> None:
    refusing = net.driver.listen("127.0.0.1", 0, lambda _: None)
    outcome = net.attempt("127.0.0.1", refusing.port)
    until(lambda: outcome and (isinstance(outcome[0], Exception) or outcome[0].over))


def test_five_hundred_connections_come_and_go(net: Network, until: Until) -> None:
    # One after the other in tens: the limit of descriptors may be 1,024.
    for _ in range(50):
        outcomes = [net.attempt("127.0.0.1", net.door.port) for _ in range(10)]
        until(lambda outcomes=outcomes: all(outcomes))  # type: ignore[misc]
        for (end,) in outcomes:
            net.driver.post(end.stream.close)
    until(lambda: len(net.inside) == 500 and all(end.over for end in net.inside))


def test_the_end_of_a_driver_leaves_nothing_open(until: Until) -> None:
    if sys.platform != "linux":
        pytest.skip("counts descriptors as Linux lists them")
    first = Network(until)
    first.pair()
    first.driver.stop(20)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        net = Network(until)
        a, b = net.pair()
        net.do(b.stream.pause)
        net.do(a.stream.write, b"x" * (8 << 20))
        net.driver.stop(20)
        net.driver.stop(20)
        net.driver.post(lambda: None)
        assert a.over == b.over == []
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_driver_that_was_never_used_starts_nothing() -> None:
    driver = SocketDriver(print)
    driver.stop(1)
    driver.post(lambda: None)
