"""What a session of version 2 tells its owner, one value each.

Names and fields only. They stand apart because the reader of frames makes them, the session looks
at them and the owner of the connection carries them out. `Broken` is that of version 1.

Numbers called `request` and `ref` were chosen by the peer and go back to it; a `token` is whatever
this side gave when it asked.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from iris.mesh.frames import Hop
from iris.mesh.protocol import Broken


class Messages(NamedTuple):
    """Messages from one actor to another that came one after the other.

    Each is to be taken (`SessionV2.taken`) once, with `MESSAGE_BYTES` more than its payload has.
    """

    pid: int
    sender: int
    packed: bool
    payloads: list[bytes]


class Named(NamedTuple):
    """A message to whoever has the name; to be taken once, with `cost_bytes`."""

    name: str
    sender: int
    packed: bool
    payload: bytes
    cost_bytes: int


class Asked(NamedTuple):
    """A question to an actor; to be taken once, with `cost_bytes`, and to be answered once.

    `chain` names the actors that wait for this answer, the first asker first.
    """

    request: int
    pid: int
    sender: int
    remaining_ms: int
    chain: tuple[Hop, ...]
    packed: bool
    payload: bytes
    cost_bytes: int


class Withdrawn(NamedTuple):
    """The peer waits no more for the answer to a question; it owes none any more."""

    request: int


class Replied(NamedTuple):
    """The answer to a question."""

    token: Any
    packed: bool
    payload: bytes


class Failed(NamedTuple):
    """A question has no answer: a word for programs, a text for people."""

    token: Any
    word: str
    text: str


class Expired(NamedTuple):
    """The time of a request is over; the peer is told."""

    token: Any


class Resolve(NamedTuple):
    """The peer asks for a name; `SessionV2.resolved` is to be called once."""

    request: int
    name: str


class Resolved(NamedTuple):
    """The answer to a question for a name; pid 0 says that the peer does not know it."""

    token: Any
    pid: int


class Monitor(NamedTuple):
    """The peer wants one `SessionV2.down` when the actor ends; at once when it is not there."""

    ref: int
    pid: int


class Demonitor(NamedTuple):
    """The peer does not want it any more."""

    ref: int


class Down(NamedTuple):
    """An actor that was monitored has ended, or was not there."""

    ref: int
    pid: int
    by: int
    reason: str
    text: str


class Link(NamedTuple):
    """Two actors are to be told of each other's end: the peer's, and one here."""

    theirs: int
    ours: int


class Unlink(NamedTuple):
    """They are not any more."""

    theirs: int
    ours: int


class Exit(NamedTuple):
    """An actor of the peer has ended that was linked to one here."""

    theirs: int
    ours: int
    by: int
    reason: str
    text: str


class Pinged(NamedTuple):
    """The peer is alive, its loop so much behind. The pong is sent by the session."""

    lag_s: float


class Ponged(NamedTuple):
    """The answer to the ping of this number, and how much the peer's loop is behind."""

    number: int
    lag_s: float


class Undeliverable(NamedTuple):
    """So many messages of `sender` found nobody at the pid; 0 for nobody at a name."""

    pid: int
    sender: int
    messages: int


class Goodbye(NamedTuple):
    """The peer leaves of its own will: the end of the connection, to come, is no failure."""


Event = Union[
    Messages, Named, Asked, Withdrawn, Replied, Failed, Expired, Resolve, Resolved, Monitor,
    Demonitor, Down, Link, Unlink, Exit, Pinged, Ponged, Undeliverable, Goodbye, Broken,
]  # fmt: skip
