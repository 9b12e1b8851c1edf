"""A simulated network: who reaches whom, how long it takes, and what a test lets go wrong."""

from __future__ import annotations

import errno
from random import Random
from typing import Any

import pytest

from iris.errors import BadInput, WouldDeadlock
from iris.run.waiter import Waiter
from iris.testing import SimNetwork
from iris.testing.simnet import ALONE, alone

from .netends import End, Program, joined, two

SEEDS = range(30)


# -- hosts ---------------------------------------------------------------------------------


def test_hosts_are_found_by_name_and_by_number() -> None:
    network, a, b = two()
    found: list[Any] = []
    a.driver.post(lambda: a.driver.look_up("B", found.append))
    by_name, by_number = a.connect("b"), a.connect("10.0.0.2")
    network.run_until_idle()
    assert found == [["10.0.0.2"]]
    assert (a.door.host, a.door.port) == ("10.0.0.1", Program.PORT)
    assert by_name[0].stream.peer == by_number[0].stream.peer == "10.0.0.2:9000"
    assert {end.stream.peer.rpartition(":")[0] for end in b.inside} == {"10.0.0.1"}


def test_localhost_is_each_host_itself() -> None:
    network, a, b = two()
    own = a.driver.listen("localhost", 5000, a._accept)
    outcomes = [a.connect("127.0.0.1", port=5000), b.connect("127.0.0.1", port=5000)]
    outside = b.connect("a", port=5000)
    network.run_until_idle()
    assert own.host == "127.0.0.1"
    assert isinstance(outcomes[0][0], End)
    assert outcomes[0][0].stream.peer == "127.0.0.1:5000"
    assert a.inside[0].stream.peer.startswith("127.0.0.1:")
    assert isinstance(outcomes[1][0], ConnectionRefusedError)
    assert isinstance(outside[0], ConnectionRefusedError)


def test_a_door_at_every_address() -> None:
    network, a, b = two()
    a.driver.listen("0.0.0.0", 5000, a._accept)
    with pytest.raises(OSError, match="in use"):
        a.driver.listen("a", 5000, a._accept)
    with pytest.raises(OSError, match=r"no address 10\.0\.0\.2"):
        a.driver.listen("b", 0, a._accept)
    outcomes = [a.connect("localhost", port=5000), b.connect("a", port=5000)]
    network.run_until_idle()
    assert all(isinstance(end, End) for end, _ in outcomes)


def test_an_address_without_a_host_never_answers() -> None:
    network, a, _ = two()
    outcome = a.connect("10.0.0.77", timeout_s=3)
    network.advance(60)
    assert isinstance(outcome[0], TimeoutError)
    assert outcome[1] == 3


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "10.0.0.1", "[::1]", "", "a b", "a:1"])
def test_what_cannot_be_the_name_of_a_host(name: str) -> None:
    with pytest.raises(BadInput):
        SimNetwork().driver(name, print)


def test_hosts_have_a_limit() -> None:
    network = SimNetwork()
    for number in range(250):
        network.driver(f"h{number}", print)
    with pytest.raises(BadInput, match="250"):
        network.driver("one-more", print)


def test_the_network_of_a_runtime_alone_reaches_itself() -> None:
    network = alone(0)
    program = Program(network, ALONE)
    for number in range(3):
        outcome = program.connect("localhost" if number else ALONE)
        network.run_until_idle()
        assert isinstance(outcome[0], End) == (not number)
    program.inside[0].stream.write(b"hello")
    network.run_until_idle()
    assert network.trace[-1][:2] == (0.0, "bytes")


# -- time ----------------------------------------------------------------------------------


def test_a_delay_is_that_of_each_way() -> None:
    network, a, b = two()
    network.delay("a", "b", 0.25)
    outcome = a.connect("b")
    network.advance(0.499)
    assert not outcome
    network.advance(0.001)
    end, at = outcome
    assert at == 0.5
    a.driver.post(lambda: end.stream.write(b"hello"))
    network.advance(1)
    assert b.inside[0].bytes == b"hello"
    assert set(b.inside[0].times) == {0.75}
    refused = a.connect("b", port=1)
    network.advance(1)
    assert isinstance(refused[0], ConnectionRefusedError)
    assert refused[1] == 2.0


def test_the_loopback_and_other_hosts_have_delays_of_their_own() -> None:
    network, a, b = two()
    c = Program(network, "c")
    network.delay("*", "*", 1)
    network.delay("a", "c", 2)
    outcomes = [a.connect("a"), a.connect("b"), b.connect("c"), c.connect("a")]
    network.advance(10)
    assert [at for _, at in outcomes] == [0, 2, 2, 4]
    network.delay("a", "a", 3)
    network.delay("a", "c", 0)
    outcomes = [a.connect("a"), c.connect("a")]
    network.advance(10)
    assert [at for _, at in outcomes] == [16, 10]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_varies_in_time_stays_in_order(seed: int) -> None:
    network, end, other = joined(seed)
    network.delay("a", "b", (0.01, 0.5))
    text = b"".join(b"%d," % number for number in range(200))
    for place in range(0, len(text), 10):
        network.later(place / 1000, lambda at=place: end.stream.write(text[at : at + 10]))  # type: ignore[misc]
    network.advance(5)
    assert other.bytes == text
    assert other.times == sorted(other.times)
    assert other.times[0] >= 0.01


# -- streams -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_come_in_other_pieces_and_are_the_same(seed: int) -> None:
    network, end, other = joined(seed)
    written = [bytes([number % 256]) * (number + 1) for number in range(300)]
    for data in written:
        end.stream.write(data)
    network.run_until_idle()
    assert other.bytes == b"".join(written)
    assert {len(piece) for piece in other.pieces} - {len(data) for data in written}


def test_without_chunking_a_lone_write_comes_whole() -> None:
    for seed in SEEDS:
        network, end, other = joined(seed, chunking=False)
        for size in (1, 1000, 100_000):
            end.stream.write(b"x" * size)
            network.run_until_idle()
        assert [len(piece) for piece in other.pieces] == [1, 1000, 100_000]


@pytest.mark.parametrize("buffer_bytes", [1, 1000, 128 * 1024])
def test_a_reader_that_pauses_stops_the_writer(buffer_bytes: int) -> None:
    network, end, other = joined(buffer_bytes=buffer_bytes)
    data = bytes(range(256)) * (buffer_bytes // 64 + 1)
    other.stream.pause()
    end.stream.write(data)
    network.advance(60)
    assert end.stream.unsent == len(data) - buffer_bytes
    assert other.bytes == b""
    other.stream.resume()
    while network.step():
        assert len(data) - end.stream.unsent - len(other.bytes) <= buffer_bytes
    assert other.bytes == data
    assert (end.stream.unsent, end.drains) == (0, 1)


# -- faults --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_resets_both_ends_and_tears_what_was_on_its_way(seed: int) -> None:
    network, end, other = joined(seed)
    network.delay("a", "b", 0.1)
    data = bytes(range(256)) * 100
    end.stream.write(data)
    other.stream.write(data)
    assert network.cut("a", "b") == 1
    network.run_until_idle()
    assert network.now == 0
    assert end.is_reset()
    assert other.is_reset()
    assert data.startswith(end.bytes)
    assert data.startswith(other.bytes)
    assert network.cut("a", "b") == 0


def test_a_cut_ends_anywhere() -> None:
    lengths = set()
    for seed in range(100):
        network, end, other = joined(seed)
        network.delay("a", "b", 0.1)
        end.stream.write(b"0123456789")
        network.cut()
        network.run_until_idle()
        lengths.add(len(other.bytes))
    assert lengths == set(range(11))


def test_a_cut_is_between_the_hosts_that_it_names() -> None:
    network, a, b = two()
    c = Program(network, "c")
    ends = [a.connect("b"), b.connect("a"), a.connect("c"), c.connect("b"), a.connect("a")]
    network.run_until_idle()
    assert network.cut("b", "a") == 2
    network.run_until_idle()
    assert [end.over != [] for end, _ in ends] == [True, True, False, False, False]
    assert network.cut("*", "c") == 2
    assert network.cut() == 0
    assert network.cut("a", "a") == 1
    network.run_until_idle()
    assert all(end.is_reset() for end, _ in ends)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_partition_is_silent_and_what_was_sent_arrives_after_it(seed: int) -> None:
    network, a, b = two(seed)
    outcome = a.connect("b")
    network.run_until_idle()
    end, other = outcome[0], b.inside[0]
    network.delay("a", "b", (0.01, 0.02))
    end.stream.write(b"before ")
    network.partition("a", "b")
    end.stream.write(b"during ")
    other.stream.write(b"back")
    late = a.connect("b", timeout_s=5)
    patient = a.connect("b", timeout_s=100)
    network.advance(20)
    assert (end.over, other.over, end.bytes, other.bytes) == ([], [], b"", b"")
    assert isinstance(late[0], TimeoutError)
    assert late[1] == 5
    assert not patient
    network.heal("a", "b")
    end.stream.write(b"after")
    network.advance(1)
    assert (end.bytes, other.bytes) == (b"back", b"before during after")
    network.advance(20)
    assert isinstance(patient[0], End)


def test_what_a_partition_held_up_takes_its_time() -> None:
    network, end, other = joined()
    network.delay("a", "b", 0.5)
    network.partition()
    end.stream.write(b"late")
    network.advance(10)
    network.heal()
    network.advance(1)
    assert set(other.times) == {10.5}


def test_whoever_takes_his_attempt_back_is_not_seen() -> None:
    network, a, b = two()
    network.delay("a", "b", 1.0)
    outcome = a.connect("b", timeout_s=0.5)
    network.advance(5)
    assert isinstance(outcome[0], TimeoutError)
    assert b.inside == []
    assert {entry[1] for entry in network.trace} == {"listen", "delay"}


def test_an_end_is_told_once() -> None:
    network, end, other = joined()
    end.stream.write(b"all")
    end.stream.finish()
    network.advance(10)
    assert (other.bytes, other.over, end.over) == (b"all", [None], [])
    assert [entry[1] for entry in network.trace].count("end") == 2


def test_a_driver_that_is_stopped_has_closed_all_when_that_returns() -> None:
    network, a, b = two()
    outcome = a.connect("b")
    network.run_until_idle()
    made: list[int] = []
    b.driver.post(lambda: made.append(1))
    b.driver.stop(1)
    assert made == [1]
    refused = a.connect("b")
    network.run_until_idle()
    assert outcome[0].over == [None]
    assert isinstance(refused[0], ConnectionRefusedError)


def test_a_port_that_is_in_use_is_given_to_nobody_else() -> None:
    network, a, _ = two()
    outcome = a.connect("b")
    network.run_until_idle()
    host = a.driver.kernel._host
    used = {Program.PORT, *(sock.address[1] for sock in host.sockets.values())}
    assert isinstance(outcome[0], End)
    assert len(used) == 2
    given = {host.new_port() for _ in range(2 * 28_232)}
    assert len(given) == 28_231
    assert not given & used


def test_a_partition_of_one_way() -> None:
    network, end, other = joined()
    network.partition("a", "b", one_way=True)
    end.stream.write(b"never mind")
    other.stream.write(b"heard")
    network.advance(9)
    assert (end.bytes, other.bytes) == (b"heard", b"")
    network.heal("a", "b", one_way=True)
    network.run_until_idle()
    assert other.bytes == b"never mind"


def test_nobody_connects_where_one_way_is_blocked() -> None:
    for way in (("a", "b"), ("b", "a")):
        network, a, b = two()
        network.partition(*way, one_way=True)
        outcome = a.connect("b", timeout_s=5)
        network.advance(6)
        assert isinstance(outcome[0], TimeoutError)
        assert b.inside == []


def test_a_host_cut_off_from_all_and_what_was_set_last_holds() -> None:
    network, a, b = two()
    c = Program(network, "c")
    network.partition("a")
    network.heal("a", "c")
    outcomes = [a.connect("b", 3), a.connect("c", 3), a.connect("a", 3), c.connect("b", 3)]
    network.advance(5)
    assert [isinstance(end, End) for end, _ in outcomes] == [False, True, True, True]
    network.heal()
    again = b.connect("a")
    network.run_until_idle()
    assert isinstance(again[0], End)


def test_whoever_knocks_in_vain_gives_up_by_himself() -> None:
    network, a, _ = two()
    network.partition()
    outcome = a.connect("b", timeout_s=1e6)
    network.advance(1000)
    assert isinstance(outcome[0], TimeoutError)
    assert outcome[0].errno == errno.ETIMEDOUT
    assert outcome[1] == 1 + 2 + 4 + 8 + 16 + 32


@pytest.mark.parametrize("seed", SEEDS)
def test_a_way_that_is_half_closed(seed: int) -> None:
    network, end, other = joined(seed)
    other.stream.pause()
    end.stream.write(b"the last")
    assert network.half_close("a", "b") == 1
    assert network.half_close("a", "b") == 0
    other.stream.write(b"still open")
    network.run_until_idle()
    assert end.bytes == b"still open"
    assert end.over == other.over == []
    if seed % 2:
        # Whoever writes into it hears that nobody is there.
        end.stream.write(b"too late")
        network.run_until_idle()
        assert end.is_reset()
    other.stream.resume()
    network.run_until_idle()
    assert (other.bytes, other.over) == (b"the last", [None])
    assert len(end.over) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_frozen_host_takes_what_its_kernel_can_hold(seed: int) -> None:
    network, a, b = two(seed, buffer_bytes=1000)
    ticks: list[float] = []
    b.driver.post(lambda: b.driver.later(5, lambda: ticks.append(network.now)))
    first = a.connect("b")
    network.run_until_idle()
    network.freeze("b")
    first[0].stream.write(b"x" * 5000)
    b.driver.post(lambda: ticks.append(-1))
    second = a.connect("b")
    network.advance(60)
    assert first[0].stream.unsent == 4000
    assert isinstance(second[0], End)
    assert (ticks, len(b.inside), b.inside[0].bytes) == ([], 1, b"")
    assert first[0].over == second[0].over == []
    network.thaw("b")
    network.run_until_idle()
    assert sorted(ticks) == [-1, 60]
    assert (len(b.inside), b.inside[0].bytes) == (2, b"x" * 5000)


def test_a_driver_that_begins_on_a_frozen_host_waits() -> None:
    network, _, _ = two()
    network.freeze("b")
    made: list[int] = []
    late = network.driver("b", print)
    late.post(lambda: made.append(1))
    network.advance(1)
    assert made == []
    network.thaw("b")
    network.run_until_idle()
    assert made == [1]


def test_the_backlog_of_a_frozen_host_is_bounded() -> None:
    network, a, b = two()
    network.run_until_idle()
    network.freeze("b")
    outcomes = [a.connect("b", timeout_s=2) for _ in range(1030)]
    network.advance(3)
    assert [isinstance(end, End) for end, _ in outcomes].count(True) == 1024
    network.thaw("b")
    network.run_until_idle()
    assert len(b.inside) == 1024


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_host_resets_its_connections_and_refuses(seed: int) -> None:
    network, a, b = two(seed)
    called: list[str] = []
    into, out_of = a.connect("b"), b.connect("a")
    b.driver.post(lambda: b.driver.later(1, lambda: called.append("timer")))
    network.run_until_idle()
    data = bytes(range(256))
    b.inside[0].stream.write(data)
    into[0].stream.write(data)
    b.driver.post(lambda: called.append("post"))
    network.kill("b")
    b.driver.post(lambda: called.append("later"))
    refused = a.connect("b")
    network.advance(10)
    assert into[0].is_reset()
    assert data.startswith(into[0].bytes)
    assert a.inside[0].is_reset()
    assert (b.inside[0].over, out_of[0].over, b.inside[0].bytes) == ([], [], b"")
    assert isinstance(refused[0], ConnectionRefusedError)
    assert called == []
    with pytest.raises(OSError, match="'b'"):
        b.driver.listen("b", 0, b._accept)
    b.driver.stop(5)
    # The next life.
    born = Program(network, "b")
    again = a.connect("b")
    network.run_until_idle()
    assert isinstance(again[0], End)
    assert len(born.inside) == 1


def test_a_kill_behind_a_partition_is_found_by_the_next_who_writes() -> None:
    network, end, other = joined()
    network.partition()
    network.kill("b")
    network.advance(100)
    network.heal()
    network.advance(100)
    assert end.over == []
    end.stream.write(b"anybody?")
    network.run_until_idle()
    assert end.is_reset()
    assert other.over == []


def test_a_kill_behind_a_partition_is_found_by_what_was_written() -> None:
    network, end, _ = joined()
    network.partition()
    end.stream.write(b"anybody?")
    network.advance(1)
    network.kill("b")
    network.advance(100)
    assert end.over == []
    network.heal()
    network.run_until_idle()
    assert end.is_reset()


def test_a_reset_that_a_partition_swallows_is_not_repeated() -> None:
    for is_late in (True, False):
        network, end, other = joined(7)
        network.delay("a", "b", 0.1)
        if is_late:
            network.kill("b")
            network.partition()
        else:
            network.partition()
            other.stream.write(b"x" * 100)
            network.advance(1)
            network.kill("b")
        network.advance(1)
        network.heal()
        network.advance(100)
        assert end.over == []
        end.stream.write(b"anybody?")
        network.advance(1)
        assert end.is_reset()


def test_who_waits_in_a_door_that_closes_is_reset() -> None:
    network, a, b = two()
    network.run_until_idle()
    network.freeze("b")
    outcome = a.connect("b")
    network.run_until_idle()
    assert outcome[0].over == []
    b.door.close()
    network.run_until_idle()
    assert outcome[0].is_reset()


def test_a_killed_host_thaws() -> None:
    network, a, _ = two()
    network.freeze("b")
    network.kill("b")
    born = Program(network, "b")
    a.connect("b")
    network.run_until_idle()
    assert len(born.inside) == 1
    network.thaw("b")


def test_a_fault_can_be_planned() -> None:
    network, end, _ = joined()
    network.later(2.5, network.cut)
    network.later(1.0, lambda: network.kill("b")).close()
    network.advance(2.4)
    assert end.over == []
    network.advance(0.2)
    assert end.is_reset()


# -- rules ---------------------------------------------------------------------------------


def test_faults_are_for_hosts_that_are_there() -> None:
    network, _, _ = two()
    for fault in (network.freeze, network.thaw, network.kill):
        with pytest.raises(BadInput, match="'typo' is not there, only 'a', 'b'"):
            fault("typo")
    for between in (network.cut, network.partition, network.heal, network.half_close):
        with pytest.raises(BadInput, match="'typo'"):
            between("a", "typo")
    with pytest.raises(BadInput, match="'typo'"):
        network.delay("typo", "*", 1)
    with pytest.raises(TypeError, match="str"):
        network.kill(1)  # type: ignore[arg-type]


def test_bad_numbers_are_refused() -> None:
    network, _, _ = two()
    for delay_s in (-1, float("nan"), (2, 1), (0, -1)):
        with pytest.raises(BadInput):
            network.delay("a", "b", delay_s)
    with pytest.raises(BadInput):
        SimNetwork(-1)
    with pytest.raises(BadInput):
        SimNetwork(buffer_bytes=0)
    with pytest.raises(BadInput):
        network.advance(-1)


def test_what_a_driver_calls_cannot_wait() -> None:
    network, a, _ = two()
    a.driver.post(lambda: Waiter().wait(1))
    a.driver.post(network.step)
    network.run_until_idle()
    assert [type(error) for error in a.errors] == [WouldDeadlock, WouldDeadlock]


def test_it_says_so_when_it_never_rests() -> None:
    network, a, _ = two()

    def again() -> None:
        a.driver.post(again)

    again()
    with pytest.raises(Exception, match="not idle after 100 steps"):
        network.run_until_idle(steps_max=100)


# -- all at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_what_only_takes_time_loses_nothing(seed: int) -> None:
    network, end, other = joined(seed, buffer_bytes=1000)
    network.delay("a", "b", (0.0, 0.2))
    random = Random(seed).random
    written = {end: b"", other: b""}

    def write(one: End) -> None:
        data = bytes([len(written[one]) % 251]) * int(random() * 700)
        written[one] += data
        one.stream.write(data)

    for one, host in ((end, "a"), (other, "b")):
        for _ in range(40):
            at = random() * 20
            network.later(at, lambda one=one: write(one))  # type: ignore[misc]
            if random() < 0.2:
                network.later(at, one.stream.pause)
                network.later(at + random() * 5, one.stream.resume)
            if random() < 0.1:
                network.later(at, lambda host=host: network.freeze(host))  # type: ignore[misc]
                network.later(at + random(), lambda host=host: network.thaw(host))  # type: ignore[misc]
            if random() < 0.1:
                network.later(at, lambda host=host: network.partition(host, one_way=True))  # type: ignore[misc]
                network.later(at + random() * 3, network.heal)
    network.advance(60)
    assert (end.bytes, other.bytes) == (written[other], written[end])
    assert (end.over, other.over, end.stream.unsent, other.stream.unsent) == ([], [], 0, 0)


class Storm:
    """Hosts that connect, write, pause and close at random, while faults come and go."""

    HOSTS = ("a", "b", "c")

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random
        self.network = SimNetwork(seed, buffer_bytes=2000)
        self.dead: set[str] = set()
        self.ends: list[End] = []
        self.programs = {host: self._program(host) for host in self.HOSTS}
        self.network.delay("*", "*", (0.0, 0.05))

    def _program(self, host: str) -> Program:
        program = Program(self.network, host)
        program.on_new = self.ends.append
        return program

    def pick(self, things: Any) -> Any:
        return things[int(self.random() * len(things))]

    def act(self) -> None:
        roll = self.random()
        a, b = self.pick(self.HOSTS), self.pick(self.HOSTS)
        if roll < 0.15:
            outcome = self.programs[a].connect(b, timeout_s=2.0)
            self.network.later(1.0, lambda: self.ends.extend(outcome[:1]))
        elif roll < 0.75 and self.ends:
            end = self.pick(self.ends)
            if isinstance(end, End) and not end.over:
                call = self.pick(
                    [lambda: end.stream.write(self.text(end))] * 6
                    + [end.stream.pause, end.stream.resume, end.stream.resume, end.stream.close]
                    + [end.stream.finish]
                )
                call()
        elif roll < 0.8:
            self.network.cut(a, b)
        elif roll < 0.82:
            self.network.half_close(a, b)
        elif roll < 0.87:
            self.network.partition(a, b, one_way=self.random() < 0.5)
            self.network.later(self.random() * 3, self.network.heal)
        elif roll < 0.9:
            self.network.freeze(a)
            self.network.later(self.random(), lambda: self.network.thaw(a))
        elif roll < 0.91 and a not in self.dead:
            self.network.kill(a)
            self.dead.add(a)
            self.network.later(self.random() * 2, lambda: self.revive(a))

    def revive(self, host: str) -> None:
        self.dead.remove(host)
        self.programs[host] = self._program(host)

    def text(self, end: End) -> bytes:
        """Numbered words, so that any loss, doubling or mixing shows."""
        count = int(self.random() * 500)
        start = getattr(end, "count", 0)
        end.count = start + count  # type: ignore[attr-defined]
        return b"".join(b"%06d," % number for number in range(start, start + count))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.network.later(self.random() * 10, self.act)
        self.network.advance(10)
        for host in self.HOSTS:
            self.network.thaw(host)
        self.network.heal()
        self.network.advance(200)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_goes_wrong_streams_are_what_was_written_or_a_part_of_it(seed: int) -> None:
    storm = Storm(seed)
    storm.run(300)
    whole = b"".join(b"%06d," % number for number in range(100_000))
    ends = [end for end in storm.ends if isinstance(end, End)]
    assert len(ends) > 20
    assert all(whole.startswith(end.bytes) for end in ends)
    assert sum(len(end.bytes) for end in ends) > 1_000
    for program in storm.programs.values():
        assert program.errors == []


def test_storms_meet_everything() -> None:
    words: dict[str, int] = {}
    for seed in range(10):
        storm = Storm(seed)
        storm.run(300)
        for entry in storm.network.trace:
            words[entry[1]] = words.get(entry[1], 0) + 1
    assert set(words) == {
        "listen", "connect", "refuse", "bytes", "end", "reset", "cut", "half_close", "delay",
        "partition", "heal", "freeze", "thaw", "kill",
    }  # fmt: skip
