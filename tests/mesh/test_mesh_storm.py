"""Whatever happens to its connections, a node loses no count, doubles nothing, comes to rest."""

from __future__ import annotations

import errno
from random import Random
from typing import Any

import pytest

from .byhand import read_server_side
from .fakedriver import FakeStream, World

ERRORS = (
    ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
    TimeoutError(errno.ETIMEDOUT, "late"),
    OSError(errno.EMFILE, "too many open files"),
    OSError(-3, "no name server"),
)


class Storm:
    """Random things that happen to one node and to its connections."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(seed=seed)
        self.rt = self.world.rt
        self.streams: list[FakeStream] = []
        self.answered: dict[FakeStream, int] = {}
        # How many bytes of questions have their answer.
        self.proxies: list[int] = []
        self.numbers = 0
        self.by_proxy: dict[int, int] = {}
        # The proxy that each number was sent to.
        self.observer = self.rt.spawn_observed_handler()
        self.rt.watch_node(self.world.address, self.observer)

    def run(self, steps: int) -> None:
        acts = [self.send] * 8 + [self.write] * 4 + [self.answer] * 3 + [self.connect] * 3
        acts += [self.new, self.new, self.stop, self.drain, self.cut, self.fail, self.ask]
        acts += [self.sleep, self.settle, self.mesh, self.actors] * 2
        for _ in range(steps):
            self.random.choice(acts)()

    def new(self) -> None:
        self.proxies.append(self.rt.monitor_remote(self.world.address, self.random.randint(1, 4)))

    def send(self) -> None:
        for _ in range(self.random.choice([1, 1, 5, 100])):
            if self.proxies:
                self.numbers += 1
                # Not the same length for all, so that cuts fall anywhere.
                size = self.random.choice([0, 0, 3, 5000])
                proxy = self.random.choice(self.proxies[-6:])
                self.by_proxy[self.numbers] = proxy
                self.rt.send(proxy, b"%d " % self.numbers + bytes(size))

    def stop(self) -> None:
        if self.proxies:
            self.rt.stop(self.random.choice(self.proxies))

    def drain(self) -> None:
        if self.proxies:
            self.rt.stop_after_drain(self.random.choice(self.proxies), 5.0)

    def ask(self) -> None:
        self.world.ask("name")

    def connect(self) -> None:
        for attempt in self.world.driver.open_attempts:
            room = self.random.choice([None, None, 0, 10, 1000, 100_000])
            self.streams.append(attempt.succeed(room))

    def fail(self) -> None:
        for attempt in self.world.driver.open_attempts:
            if self.random.random() < 0.5 and attempt.is_open:
                attempt.fail(self.random.choice(ERRORS))

    def open_streams(self) -> list[FakeStream]:
        return [stream for stream in self.streams if not stream.closed]

    def cut(self) -> None:
        for stream in self.open_streams():
            if self.random.random() < 0.5 and not stream.closed:
                stream.end(self.random.choice([None, ConnectionResetError(errno.ECONNRESET, "x")]))

    def write(self) -> None:
        for stream in self.open_streams():
            if not stream.closed:
                stream.give_room(self.random.choice([None, 1, 100, 70_000]))

    def answer(self) -> None:
        for stream in self.open_streams():
            data = stream.written
            done = self.answered.get(stream, 1)
            while not stream.closed and done < len(data) and data[done] in (1, 2):
                if data[done] == 2:
                    done += 1
                    reply = b"\x03"
                else:
                    if len(data) < done + 9:
                        break
                    done += 9  # The header, and "name".
                    reply = self.random.choice([1, 2, 3, 0]).to_bytes(8, "big")
                self.answered[stream] = done
                stream.come(reply)

    def sleep(self) -> None:
        self.world.driver.advance(self.random.choice([0.1, 1.0, 1.0, 3.0]))
        self.rt.advance(1.0)

    def settle(self) -> None:
        self.world.settle()

    def mesh(self) -> None:
        self.world.driver.run()

    def actors(self) -> None:
        self.rt.run_until_idle()

    def heal(self) -> None:
        """From now on the network takes all, and the other node answers all."""
        for _ in range(200):
            self.streams += [one.succeed() for one in self.world.driver.open_attempts]
            for stream in self.open_streams():
                stream.give_room(None)
            self.world.settle()
            self.answer()
            self.world.sleep(1.0)
            self.rt.advance(1.0)

    def arrived(self) -> list[tuple[int, int]]:
        """(pid, number) of the whole messages, connection after connection."""
        messages = []
        for stream in self.streams:
            seen, _ = read_server_side(stream.written)
            for one in seen:
                assert one[0] != "broken", one
                if one[0] == "user":
                    messages.append((one[1], int(one[2].split()[0])))
        return messages


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_doubled_and_every_count_adds_up(seed: int) -> None:
    storm = Storm(seed)
    storm.run(150)
    storm.heal()
    stats = storm.world.check_fates()
    assert (stats["queued"], stats["running"]) == (0, 0)
    assert storm.rt._system.mesh.is_idle()
    arrived = storm.arrived()
    assert len(arrived) == stats["forwarded"]
    numbers = [number for _, number in arrived]
    assert len(numbers) == len(set(numbers))
    for proxy in storm.proxies:
        of_one = [number for number in numbers if storm.by_proxy[number] == proxy]
        assert of_one == sorted(of_one)
    assert storm.world.state == "up"
    last: Any = storm.rt.monitor_remote(storm.world.address, 9)
    assert storm.rt.send(last, b"0 last")
    storm.heal()
    assert (9, 0) in storm.arrived()
    words = [message.type_name for message in storm.rt.get_messages(storm.observer)]
    downs = [word for word in words if word in {"NODE_DOWN", "NODE_UP"}]
    assert words
    assert all(one != other for one, other in zip(downs, downs[1:]) if one == "NODE_UP")
    for pid in storm.proxies:
        storm.rt.stop(pid)
    storm.world.settle()
    assert not any(storm.rt.is_alive(pid) for pid in storm.proxies)
