"""The second process of `iris demo --mesh`: a node with the workers, `python -m iris.demo.pool`.

Started by `iris.demo.process` and of no use without it. It says its address on stdout, in one
line, and works until its stdin ends or until the node that wants the results is down.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

import iris
from iris.demo.jobs import pack_summary
from iris.demo.stages import WORKERS, worker
from iris.errors import BadInput

RESULTS = "results"
"""The name under which the first node has the actor that takes the answers."""

EXIT_ALONE = 3
"""The exit code when the first node is down."""


def worker_name(number: int) -> str:
    """The name under which a worker is registered here."""
    return f"worker {number}"


def main(argv: Sequence[str]) -> int:
    """Run the node until its end.

    Args:
        argv: the address of the node that has the results, and nothing else.
    """
    if len(argv) != 1:
        print("iris.demo.pool: this is started by `iris demo --mesh`; run that", file=sys.stderr)
        return 2
    # That the other node goes is how this one ends, and no news.
    logging.getLogger("iris").setLevel(logging.ERROR)
    with iris.Runtime() as rt:
        try:
            results = rt.resolve_remote(argv[0], RESULTS)
        except (iris.NodeUnreachable, BadInput) as error:
            print(f"iris.demo.pool: {error}", file=sys.stderr)
            return 1
        if results is None:
            print(f"iris.demo.pool: nobody at {argv[0]} is named {RESULTS}", file=sys.stderr)
            return 1
        for number in range(1, WORKERS + 1):
            answer = worker(lambda summary: rt.send(results, pack_summary(summary)))
            rt.register(worker_name(number), rt.spawn(answer))

        def leave_when_alone(mailbox: iris.PyMailbox) -> None:
            rt.monitor(rt.self_pid(), results)
            if mailbox.recv() is not None:
                # The main thread waits in a read, from which nothing else would wake it.
                os._exit(EXIT_ALONE)

        rt.spawn_with_mailbox(leave_when_alone)
        print(rt.listen("127.0.0.1:0"), flush=True)
        while os.read(0, 1):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
