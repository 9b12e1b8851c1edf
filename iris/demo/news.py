"""What is told of the second process while the stream runs, to be shown and acted on. Pure."""

from __future__ import annotations

from typing import NamedTuple

from iris.mesh.peer import NodeInfo


class NodeStarted(NamedTuple):
    """It listens."""

    process: int
    address: str
    times: int
    """How many processes were started so far."""


class NodeKilled(NamedTuple):
    """It is going to be killed on purpose, now."""

    at_s: float
    process: int
    rows: int
    jobs_open: int


class NodeGone(NamedTuple):
    """The mesh has found it down."""

    at_s: float
    nodes: tuple[NodeInfo, ...]
    """What `rt.nodes()` said at that moment."""


class NodeGivenUp(NamedTuple):
    """It has failed too often, and is not started again."""


class NodeBack(NamedTuple):
    """All its workers were found again."""

    away_s: float
    jobs: int
    """Without an answer, and so sent again."""
