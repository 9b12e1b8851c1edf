"""The driver on the sockets of the machine and on those of a simulation: one behaviour.

Each scenario is written once and runs on both. In the simulation every seed cuts and orders the
bytes in another way.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from iris.mesh.link import SocketDriver
from iris.testing import SimNetwork
from iris.testing.simnet import world_of

SEEDS = range(6)


class End:
    """One end of a stream, which keeps what it is told."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.bytes = bytearray()
        self.drains = 0
        self.over: list[Optional[Exception]] = []
        self.on_bytes: Callable[[], Any] = bool

    def received(self, data: bytes) -> None:
        assert data
        assert not self.over
        self.bytes += data
        self.on_bytes()

    def drained(self) -> None:
        assert self.stream.unsent == 0
        self.drains += 1

    def lost(self, error: Optional[Exception]) -> None:
        self.over.append(error)


class Net:
    """Two drivers, and a door of the second that keeps who comes in."""

    def __init__(self, until: Callable[..., Any], make: Callable[..., Any]) -> None:
        self.until = until
        self.settle: Callable[[], Any] = bool
        # Have all arrive that was sent. On the loopback of the machine it has when a call returns.
        self.errors: list[BaseException] = []
        self.driver, self.other = make(self.errors.append), make(self.errors.append)
        self.inside: list[End] = []
        self.door = self.other.listen("127.0.0.1", 0, self.accept)

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
        """A new connection: the end of the driver, and that of the other."""
        before = len(self.inside)
        outcome = self.attempt("127.0.0.1", self.door.port)
        self.until(lambda: outcome and len(self.inside) > before)
        return outcome[0], self.inside[before]

    def do(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Make a call in the hub of the driver and wait for its return."""
        self._do(self.driver, call, arguments)

    def do_there(self, call: Callable[..., Any], *arguments: Any) -> None:
        """The same in the hub of the other."""
        self._do(self.other, call, arguments)

    def _do(self, driver: Any, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        made: list[bool] = []

        def there() -> None:
            call(*arguments)
            made.append(True)

        driver.post(there)
        self.until(lambda: made)


def simulated(seed: int) -> Net:
    network = SimNetwork(seed)
    world = world_of(network)

    def until(true: Callable[[], Any]) -> Any:
        for _ in range(1_000_000):
            value = true()
            if value:
                return value
            if not network.step():
                due = world.next_time()
                assert due is not None, "it did not come true"
                world.move_to(due)
        raise AssertionError("it did not come true")

    net = Net(until, lambda report: network.driver("a", report))
    net.settle = network.run_until_idle
    return net


@pytest.fixture(
    params=[pytest.param(None, id="live", marks=pytest.mark.live), *SEEDS],
)
def net(request: pytest.FixtureRequest, until: Callable[..., Any]) -> Iterator[Net]:
    one = Net(until, SocketDriver) if request.param is None else simulated(request.param)
    yield one
    one.driver.stop(20)
    one.other.stop(20)
    assert one.errors == []


def test_bytes_arrive_in_order_in_both_directions(net: Net) -> None:
    a, b = net.pair()
    for number in range(100):
        net.driver.post(lambda n=number: a.stream.write(b"%d," % n))  # type: ignore[misc]
    net.do_there(b.stream.write, b"back")
    net.until(lambda: a.bytes == b"back")
    net.until(lambda: bytes(b.bytes).count(b",") == 100)
    assert bytes(b.bytes) == b"".join(b"%d," % n for n in range(100))
    host, _, port = b.stream.peer.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) != net.door.port
    assert a.stream.peer == f"127.0.0.1:{net.door.port}"
    assert (a.over, b.over, a.drains, b.drains) == ([], [], 0, 0)


def test_what_the_system_does_not_take_is_unsent_until_it_does(net: Net) -> None:
    a, b = net.pair()
    net.do_there(b.stream.pause)
    data = os.urandom(1 << 16) * 128
    net.do(a.stream.write, data)
    assert 0 < a.stream.unsent < len(data)
    before = a.stream.unsent
    net.do(a.stream.write, b"end")
    assert a.stream.unsent == before + 3 or a.stream.unsent < before
    assert a.drains == 0
    net.do_there(b.stream.resume)
    net.until(lambda: len(b.bytes) == len(data) + 3)
    net.until(lambda: a.drains == 1)
    assert a.stream.unsent == 0
    assert bytes(b.bytes) == data + b"end"


def test_a_paused_stream_reads_nothing(net: Net) -> None:
    a, b = net.pair()
    other, third = net.pair()
    net.do_there(b.stream.pause)
    net.do_there(b.stream.pause)
    net.do(a.stream.write, b"x")
    net.do(a.stream.close)
    net.do(other.stream.write, b"y")
    net.until(lambda: third.bytes == b"y")
    assert (b.bytes, b.over) == (b"", [])
    net.do_there(b.stream.resume)
    net.until(lambda: b.over)
    assert (bytes(b.bytes), b.over) == (b"x", [None])


def test_pausing_in_the_middle_of_what_comes(net: Net) -> None:
    a, b = net.pair()
    b.on_bytes = b.stream.pause
    net.do(a.stream.write, b"z" * (1 << 20))
    net.until(lambda: b.bytes)
    length = len(b.bytes)
    net.do_there(bool)
    net.do_there(bool)
    assert len(b.bytes) == length
    b.on_bytes = bool
    net.do_there(b.stream.resume)
    net.until(lambda: len(b.bytes) == 1 << 20)


def test_an_answer_written_while_receiving(net: Net) -> None:
    a, b = net.pair()
    b.on_bytes = lambda: b.stream.write(bytes(b.bytes).upper())
    net.do(a.stream.write, b"q")
    net.until(lambda: a.bytes == b"Q")


def test_closing_while_receiving_is_the_end_of_it(net: Net) -> None:
    a, b = net.pair()
    b.on_bytes = b.stream.close
    net.do(a.stream.write, b"z" * (4 << 20))
    net.until(lambda: a.over)
    assert len(a.over) == 1
    assert a.over[0] is None or isinstance(a.over[0], ConnectionError)
    length = len(b.bytes)
    net.do_there(bool)
    assert (len(b.bytes), b.over) == (length, [])


def test_a_closed_stream_is_the_end_for_the_other_side(net: Net) -> None:
    a, b = net.pair()
    net.do(a.stream.write, b"last words")
    net.do(a.stream.finish)
    net.do(a.stream.finish)
    net.until(lambda: b.over)
    assert (bytes(b.bytes), b.over, a.over) == (b"last words", [None], [])
    c, d = net.pair()
    net.do_there(d.stream.close)
    net.do_there(d.stream.close)
    net.until(lambda: c.over)
    net.do_there(d.stream.write, b"into the void")
    net.do(c.stream.write, b"into the void")
    net.do(c.stream.finish)
    assert (c.over, d.over, d.stream.unsent) == ([None], [], 0)


def test_what_was_written_arrives_although_the_stream_finishes(net: Net) -> None:
    a, b = net.pair()
    net.do(a.stream.pause)
    net.do_there(b.stream.pause)
    net.do_there(b.stream.write, b"nobody will read this")
    data = b"z" * (8 << 20)
    net.do(a.stream.write, data)
    net.do(a.stream.finish)
    net.do_there(b.stream.resume)
    net.until(lambda: b.over)
    assert (len(b.bytes), b.over, a.bytes, a.over) == (len(data), [None], b"", [])


def test_closed_with_bytes_unread(net: Net) -> None:
    a, b = net.pair()
    net.do_there(b.stream.pause)
    net.do(a.stream.write, b"never read")
    net.settle()
    net.do_there(b.stream.close)
    net.until(lambda: a.over)
    assert [type(error) for error in a.over] == [ConnectionResetError]


def test_a_write_to_one_that_is_reset_is_told_as_a_loss(net: Net) -> None:
    a, b = net.pair()
    net.do(a.stream.pause)
    net.do_there(b.stream.pause)
    net.do(a.stream.write, b"never read")
    net.settle()
    net.do_there(b.stream.close)
    net.settle()
    net.do(bool)
    assert a.over == []
    net.do(a.stream.write, b"anybody?")
    net.until(lambda: a.over)
    assert [type(error) for error in a.over] == [BrokenPipeError]


def test_a_reset_is_told_to_who_waits_to_write_even_if_it_does_not_read(net: Net) -> None:
    a, b = net.pair()
    net.do(a.stream.pause)
    net.do_there(b.stream.pause)
    net.do(a.stream.write, b"x" * (8 << 20))
    net.settle()
    assert a.stream.unsent
    net.do_there(b.stream.close)
    net.until(lambda: a.over)
    assert [type(error) for error in a.over] == [ConnectionResetError]


def test_a_long_write_to_one_that_has_closed_is_told_as_a_loss(net: Net) -> None:
    a, b = net.pair()
    net.do(a.stream.pause)
    net.do_there(b.stream.close)
    net.settle()
    net.do(a.stream.write, b"x" * (8 << 20))
    net.until(lambda: a.over)
    assert [type(error) for error in a.over] == [BrokenPipeError]


def test_a_write_to_one_that_has_closed_is_in_vain(net: Net) -> None:
    a, b = net.pair()
    net.do(a.stream.pause)
    net.do_there(b.stream.close)
    net.settle()
    net.do(a.stream.write, b"anybody?")
    net.settle()
    net.do(bool)
    assert (a.over, a.stream.unsent) == ([], 0)
    net.do(a.stream.resume)
    net.until(lambda: a.over)
    # The end came first.
    assert a.over == [None]


def test_a_reset_is_told_when_what_came_before_it_is_read(net: Net) -> None:
    a, b = net.pair()
    net.do(a.stream.pause)
    net.do_there(b.stream.write, b"never read")
    net.do_there(b.stream.pause)
    data = bytes(range(256))
    net.do(a.stream.write, data)
    net.settle()
    net.do(a.stream.close)
    net.settle()
    assert (b.bytes, b.over) == (b"", [])
    net.do_there(b.stream.resume)
    net.until(lambda: b.over)
    assert bytes(b.bytes) == data
    assert [type(error) for error in b.over] == [ConnectionResetError]


def test_a_receiver_that_raises_loses_its_stream_and_no_other(net: Net) -> None:
    a, b = net.pair()
    c, d = net.pair()

    def bad() -> None:
        raise ValueError("of the receiver")

    b.on_bytes = bad
    net.do(a.stream.write, b"x")
    net.until(lambda: a.over and b.over)
    assert [str(error) for error in b.over] == ["of the receiver"]
    assert [str(error) for error in net.errors] == ["of the receiver"]
    net.errors.clear()
    net.do(c.stream.write, b"y")
    net.until(lambda: d.bytes == b"y")


def test_an_owner_that_raises_or_wants_no_stream(net: Net) -> None:
    def bad(_: Any) -> None:
        raise ValueError("of the owner")

    for accepted, errors in ((bad, ["of the owner"]), (lambda _: None, [])):
        refusing = net.other.listen("127.0.0.1", 0, accepted)
        outcome = net.attempt("127.0.0.1", refusing.port)
        net.until(lambda outcome=outcome: outcome and outcome[0].over)  # type: ignore[misc]
        assert [str(error) for error in net.errors] == errors
        net.errors.clear()
    net.driver.post(lambda: net.driver.connect("127.0.0.1", net.door.port, 20, bad))
    net.until(lambda: net.inside and net.inside[0].over)
    assert [str(error) for error in net.errors] == ["of the owner"]
    net.errors.clear()


def test_a_closed_door_refuses_and_those_inside_stay(net: Net) -> None:
    a, b = net.pair()
    port = net.door.port
    net.do_there(net.door.close)
    net.do_there(net.door.close)
    outcome = net.attempt("127.0.0.1", port)
    net.until(lambda: outcome)
    assert isinstance(outcome[0], ConnectionRefusedError)
    assert outcome[0].errno == errno.ECONNREFUSED
    assert f"127.0.0.1:{port}" in str(outcome[0])
    net.do(a.stream.write, b"still here")
    net.until(lambda: b.bytes == b"still here")


def test_ports(net: Net) -> None:
    door = net.driver.listen("localhost", 0, net.accept)
    assert (door.host, door.port > 0) == ("127.0.0.1", True)
    assert door.port != net.door.port
    with pytest.raises(OSError) as taken:  # noqa: PT011  # The number says which.
        net.driver.listen("127.0.0.1", net.door.port, net.accept)
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError) as foreign:  # noqa: PT011  # The number says which.
        net.driver.listen("203.0.113.1", 0, net.accept)
    assert foreign.value.errno == errno.EADDRNOTAVAIL
    net.do(door.close)
    net.do_there(bool)
    again = net.driver.listen("127.0.0.1", door.port, net.accept)
    assert again.port == door.port


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".invalid"])
def test_a_host_that_does_not_exist(net: Net, host: str) -> None:
    outcome = net.attempt(host, 1)
    net.until(lambda: outcome)
    assert isinstance(outcome[0], OSError)
    assert f"host '{host}' is not known" in str(outcome[0])
    with pytest.raises(OSError, match=f"host '{re.escape(host)}' is not known"):
        net.driver.listen(host, 0, net.accept)


def test_addresses_of_a_host(net: Net) -> None:
    found: list[Any] = []
    for host in ("127.0.0.1", "localhost", "no-such-host.invalid"):
        net.driver.post(
            lambda host=host: net.driver.look_up(host, lambda what: found.append((host, what)))  # type: ignore[misc]
        )
    net.until(lambda: len(found) == 3)
    by_host = dict(found)
    assert by_host["127.0.0.1"] == ["127.0.0.1"]
    assert "127.0.0.1" in by_host["localhost"]
    assert isinstance(by_host["no-such-host.invalid"], OSError)


def test_no_answer_in_time(net: Net) -> None:
    # No time at all: the timer is due before or after the answer, as it happens.
    outcome = net.attempt("127.0.0.1", net.door.port, 0.0)
    net.until(lambda: outcome)
    assert isinstance(outcome[0], (TimeoutError, End))
    if isinstance(outcome[0], TimeoutError):
        assert f"127.0.0.1:{net.door.port} did not answer in 0 s" in str(outcome[0])


def test_nothing_is_called_within_the_call_that_asks_for_it(net: Net) -> None:
    told: list[str] = []

    def ask() -> None:
        driver = net.driver
        driver.connect("127.0.0.1", net.door.port, 20, lambda _: told.append("connect"))
        driver.connect("127.0.0.1", 1, 20, lambda _: told.append("refused"))
        driver.connect("no-such-host.invalid", 1, 20, lambda _: told.append("unknown"))
        driver.look_up("127.0.0.1", lambda _: told.append("number"))
        driver.look_up("localhost", lambda _: told.append("name"))
        driver.later(0.0, lambda: told.append("timer"))
        driver.post(lambda: told.append("post"))
        assert told == []

    net.do(ask)
    net.until(lambda: len(told) == 7)
    assert len(set(told)) == 7


def test_an_attempt_that_is_taken_back_is_silent(net: Net) -> None:
    told: list[Any] = []

    def twice() -> None:
        attempt = net.driver.connect("127.0.0.1", net.door.port, 5.0, told.append)
        attempt.close()
        attempt.close()

    net.do(twice)
    net.pair()
    assert told == []


def test_posts_are_made_in_order_whatever_they_raise(net: Net) -> None:
    made: list[int] = []

    def note(number: int) -> None:
        made.append(number)
        if number == 3:
            net.driver.post(lambda: made.append(-1))
            raise ValueError("of the call")

    for number in range(10):
        net.driver.post(lambda number=number: note(number))  # type: ignore[misc]
    net.until(lambda: len(made) == 11)
    assert [number for number in made if number >= 0] == list(range(10))
    assert made.index(-1) > made.index(3)
    assert [str(error) for error in net.errors] == ["of the call"]
    net.errors.clear()


def test_timers_are_called_once_and_not_when_taken_back(net: Net) -> None:
    fired: list[str] = []
    begun: list[float] = []

    def arm() -> None:
        begun.append(net.driver.now())
        net.driver.later(0.05, lambda: fired.append("late"))
        net.driver.later(0.0, lambda: fired.append("early"))
        net.driver.later(0.0, lambda: fired.append("taken back")).close()

    net.do(arm)
    net.until(lambda: len(fired) == 2)
    # The clock of the loop is a little behind.
    assert net.driver.now() - begun[0] > 0.04
    net.do(bool)
    assert fired == ["early", "late"]


def test_the_end_of_a_driver_is_told_to_others_and_not_to_its_own(net: Net) -> None:
    a, b = net.pair()
    called: list[str] = []

    def last() -> None:
        a.stream.write(b"bye")
        net.driver.later(3600, lambda: called.append("timer"))

    net.do(last)
    net.driver.stop(20)
    net.driver.stop(20)
    net.until(lambda: b.over)
    assert (bytes(b.bytes), b.over, a.over) == (b"bye", [None], [])
    net.driver.post(lambda: called.append("post"))
    net.do_there(bool)
    assert called == []


def test_a_driver_that_was_never_used_starts_nothing(net: Net) -> None:
    net.driver.stop(1)
    net.driver.post(lambda: net.errors.append(ValueError("called")))
