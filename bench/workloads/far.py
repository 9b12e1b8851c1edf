"""The other node of the mesh rows: a process with actors that count or send back."""

from __future__ import annotations

import sys
from typing import Any

import iris
from bench.gauges import Finish, countdown, rss_bytes
from bench.second import serve


class Far:
    """A node and what the first process may have it do."""

    def __init__(self, rt: Any) -> None:
        self.rt = rt
        self.handled = 0
        self._finish = Finish()

    def count(self, actors: str, messages: str, tag: str) -> str:
        """Have so many actors count down together, named by the tag and their number."""
        self._finish = Finish()
        handle = countdown(int(messages), self._finish.set)
        for number in range(int(actors)):
            self.rt.register(f"{tag}.{number}", self.rt.spawn(handle))
        return "ready"

    def wait(self) -> float:
        """The time when the last of them was handled."""
        return self._finish.wait()

    def sink(self, name: str) -> str:
        """Have an actor count what comes, without an end."""

        def handle(_message: object) -> None:
            self.handled += 1

        self.rt.register(name, self.rt.spawn(handle))
        return "ready"

    def so_far(self) -> int:
        """How many messages the sink has handled."""
        return self.handled

    def echo(self, name: str, address: str, back: str) -> str:
        """Have an actor send everything on to an actor of the first process."""
        send = self.rt.send
        pid = self.rt.resolve_remote(address, back)

        def handle(message: object) -> None:
            send(pid, message)

        self.rt.register(name, self.rt.spawn(handle))
        return "ready"


def main() -> None:
    """Listen, and obey."""
    far = Far(iris.Runtime())
    # Every address of the loopback, so that it can stand for many nodes.
    address = far.rt.listen("0.0.0.0:0", insecure=True)
    serve(
        address.rpartition(":")[2],
        {
            "count": far.count,
            "wait": far.wait,
            "sink": far.sink,
            "so_far": far.so_far,
            "echo": far.echo,
            "rss": rss_bytes,
        },
    )


if __name__ == "__main__":
    sys.exit(main())
