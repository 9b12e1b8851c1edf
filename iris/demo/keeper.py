"""The actor that has the second process: starts it, watches its node, fails when that is down.

To start it again is not its business: it fails, as a parser at a row that makes no sense, and its
supervisor calls `begin` once more.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

import iris
from iris.demo.news import NodeGone, NodeStarted
from iris.demo.process import NotStarted, Process
from iris.run import clock


class NodeEnded(Exception):
    """The node of the second process is down."""


class Keeper:
    """Its state outlives restarts of the actor. `ends` and `error` may be read by anybody.

    Args:
        rt: the first node.
        process: the second.
        tell: gets the news, on threads of this actor.
    """

    def __init__(self, rt: iris.Runtime, process: Process, tell: Callable[[Any], Any]) -> None:
        self._rt = rt
        self._process = process
        self._tell = tell
        self._starts = 0
        self.ends = 0
        self.error: Optional[Exception] = None
        # Of the last failure.

    def begin(self) -> Callable[[iris.PyMailbox], None]:
        """The factory: starts the process, waits for its address, and gives the actor's body."""
        try:
            self._process.start()
        except NotStarted as error:
            self.error = error
            raise
        self._starts += 1
        self._tell(NodeStarted(self._process.pid, self._process.address, self._starts))
        return self._watch

    def _watch(self, mailbox: iris.PyMailbox) -> None:
        address = self._process.address
        self._rt.watch_node(address, self._rt.self_pid())
        while True:
            message = mailbox.recv()
            if message is None or self._process.is_ended:
                return  # All is over.
            # Of the nodes before it is told as well: a watch lasts as long as the actor.
            if message.type_name == "NODE_DOWN" and message.metadata["address"] == address:
                self.ends += 1
                self._tell(NodeGone(clock.monotonic(), tuple(self._rt.nodes())))
                self.error = NodeEnded(f"{address} is down: {message.metadata['reason']}")
                raise self.error
