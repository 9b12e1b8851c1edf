"""Ends of streams on a simulated network, for the tests of it."""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.testing import SimNetwork


class End:
    """One end of a stream, which keeps what it is told."""

    def __init__(self, network: SimNetwork, stream: Any) -> None:
        self.network = network
        self.stream = stream
        self.pieces: list[bytes] = []
        self.times: list[float] = []
        # When each of them came.
        self.drains = 0
        self.over: list[Optional[Exception]] = []
        self.on_bytes: Callable[[bytes], Any] = bool

    @property
    def bytes(self) -> bytes:
        return b"".join(self.pieces)

    def received(self, data: bytes) -> None:
        assert data
        assert not self.over
        self.pieces.append(data)
        self.times.append(self.network.now)
        self.on_bytes(data)

    def drained(self) -> None:
        assert self.stream.unsent == 0
        assert not self.over
        self.drains += 1

    def lost(self, error: Optional[Exception]) -> None:
        assert not self.over
        self.over.append(error)

    def is_reset(self) -> bool:
        """Whether it was told of a reset, and of nothing else."""
        return [type(error) for error in self.over] in ([ConnectionResetError], [BrokenPipeError])


class Program:
    """A program on a host with a driver: it lets everybody in, and connects to others."""

    PORT = 9000

    def __init__(self, network: SimNetwork, host: str, port: int = PORT) -> None:
        self.network = network
        self.host = host
        self.errors: list[BaseException] = []
        self.driver = network.driver(host, self.errors.append)
        self.inside: list[End] = []
        self.on_new: Callable[[End], Any] = bool
        self.door = self.driver.listen(host, port, self._accept)

    def connect(self, host: str, timeout_s: float = 20.0, port: int = PORT) -> list[Any]:
        """Begin to connect; the list gets the outcome, an `End` or an error, and the time."""
        outcome: list[Any] = []

        def done(stream: Any) -> Optional[End]:
            failed = isinstance(stream, Exception)
            end = stream if failed else End(self.network, stream)
            outcome.extend((end, self.network.now))
            return None if failed else end

        self.driver.post(lambda: self.driver.connect(host, port, timeout_s, done))
        return outcome

    def _accept(self, stream: Any) -> End:
        end = End(self.network, stream)
        self.inside.append(end)
        self.on_new(end)
        return end


def two(seed: int = 0, **options: Any) -> tuple[SimNetwork, Program, Program]:
    """A network with the programs of two hosts, "a" and "b"."""
    network = SimNetwork(seed, **options)
    return network, Program(network, "a"), Program(network, "b")


def joined(seed: int = 0, **options: Any) -> tuple[SimNetwork, End, End]:
    """A connection from "a" to "b" with both its ends."""
    network, a, b = two(seed, **options)
    outcome = a.connect("b")
    network.run_until_idle()
    return network, outcome[0], b.inside[0]
