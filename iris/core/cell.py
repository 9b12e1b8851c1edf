"""The cell: all facts of one actor, and the table of states it can be in.

A cell refuses to know what runs it: that is its runner, one small object behind the
`Runner` protocol. Kinds of actor differ only in their runner and in their spec.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable, Optional, Protocol

from iris.core.book import EMPTY
from iris.core.mailbox import Bound, Control, Mailbox
from iris.core.messages import Ending, Request
from iris.core.renewal import Renewal, Stage
from iris.errors import InternalError


class State(Enum):
    """Where an actor is in its life."""

    __hash__ = object.__hash__
    # The one of Enum is a Python function; this one is a C slot.

    STARTING = "starting"
    ALIVE = "alive"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    DEAD = "dead"


class Event(Enum):
    """What can happen to an actor."""

    __hash__ = object.__hash__

    STARTED = "its runner has it"
    RESTART = "it failed or was told to, and restarts in place"
    RESTARTED = "it has a new handler"
    STOP = "its stop was accepted"
    FINISH = "its end begins: it returned, failed or was stopped"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTING, Event.STARTED): State.ALIVE,
    (State.STARTING, Event.STOP): State.STOPPING,
    (State.STARTING, Event.FINISH): State.DEAD,
    (State.ALIVE, Event.RESTART): State.RESTARTING,
    (State.ALIVE, Event.STOP): State.STOPPING,
    (State.ALIVE, Event.FINISH): State.DEAD,
    (State.RESTARTING, Event.RESTARTED): State.ALIVE,
    (State.RESTARTING, Event.STOP): State.STOPPING,
    (State.RESTARTING, Event.FINISH): State.DEAD,
    (State.STOPPING, Event.FINISH): State.DEAD,
}
"""The whole life of a cell. What is not here does not happen; `advance` raises on it."""

STARTING = State.STARTING
ALIVE = State.ALIVE
DEAD = State.DEAD
RESTARTING = State.RESTARTING
STOPPING = State.STOPPING


class Runner(Protocol):
    """What executes a kind of actor."""

    @property
    def signal(self) -> Callable[[ActorCell], Optional[bool]]:
        """Called by a sender who found the cell not ready and has set it ready. From any thread.

        Spurious calls are allowed. After the actor's end it sees to it that late messages are
        buried. None as a result asks the sender to wake the carrier if that sleeps, so that
        the signal of a push actor is the run queue's own `append`, a C function; True says
        that all is done.
        """

    def start(self, cell: ActorCell) -> None:
        """Begin to run the cell; raises when that is impossible, and then nothing has begun.

        For a cell with an idle time this is called for each message that finds it dormant, and
        for each system message; it is for the runner to know which of them is the first.
        """

    def kill(self, cell: ActorCell) -> Optional[float]:
        """Interrupt a handler that waits cooperatively, if one runs.

        Returns how many seconds that may take from now; 0 where the carrier does it before all
        that is asked of it later. None when the actor may never come to an end by itself: its
        code cannot be interrupted, or it waits for a thread that other code may hold for ever.
        Only an actor that is stopping or restarting is interrupted.
        """

    def restart(self, cell: ActorCell) -> None:
        """Begin to run a cell again that was at rest and has a new handler.

        The caller signals it afterwards. Raises when that is impossible, and then nothing has
        begun.
        """


class RemoteRunner(Runner, Protocol):
    """The runner of an actor that stands for one on another node. All from any thread."""

    def encode(self, data: Any) -> bytes:
        """What a message that is not bytes goes as; raises where it cannot go there."""

    def encode_question(self, data: Any) -> bytes:
        """The same for a question, of bytes too; raises where that node takes none."""

    def withdrawn(self, request: Request) -> None:
        """Nobody waits any more for the answer to a question that was put into its mailbox."""

    def linked(self, other: ActorCell) -> None:
        """It was linked to another actor of this node."""

    def unlinked(self, other: ActorCell) -> None:
        """It is linked to that no more."""

    def partner_ended(self, partner: ActorCell, ending: Ending) -> None:
        """One that it was linked to has ended."""


@dataclass(frozen=True)
class ActorSpec:
    """What a spawn was asked for. Shared by all actors that were asked for alike."""

    kind: str
    """push, release_gil, pull, virtual, observed or remote. `send` and `finish` do not look at it;
    what is offered to the user does, where an actor of this kind has no handler to swap or to
    share."""

    budget: int
    """User messages per turn, at least 1."""

    receives_system: bool = False
    """Whether EXIT, DOWN and the like are delivered to it; if not, a linked end ends it too."""

    capacity: Optional[int] = None
    """Bound of the user lane in messages; None is unbounded."""

    slow_start: bool = False
    """Whether its runner has to do something to start it, and may fail at that."""

    idle_timeout_s: Optional[float] = None
    """How long it may have nothing to do before it ends; None is for ever."""

    is_remote: bool = False
    """Whether it stands for an actor on another node; then its runner is a `RemoteRunner`."""

    plain: bool = field(init=False)
    """Whether a new cell needs nothing but to be listed: no bound, no start, no idle time."""

    def __post_init__(self) -> None:
        plain = self.capacity is None and self.idle_timeout_s is None and not self.slow_start
        object.__setattr__(self, "plain", plain)


class Monitor:
    """One watching of one actor by another; `ref` is what the watcher was given."""

    __slots__ = ("ref", "target", "watcher")

    def __init__(self, ref: int, watcher: ActorCell, target: ActorCell) -> None:
        self.ref = ref
        self.watcher = watcher
        self.target = target


class Ties:
    """What binds one actor to others, and whatever else its end has to undo.

    Most actors have none, so it is made on first need. Changed under the table lock. Sets
    are dicts, because these keep their order, the same on every interpreter. A field that is
    empty may be the shared `EMPTY`: `iris.core.links.book_of` gives one to write in.
    """

    __slots__ = (
        "charge",
        "children",
        "ending",
        "joiners",
        "kept",
        "links",
        "names",
        "parent",
        "paths",
        "pending_end",
        "probes",
        "renewal",
        "seats",
        "timers",
        "watched_by",
        "watching",
    )

    def __init__(self) -> None:
        self.parent: Optional[ActorCell] = None
        self.children: dict[int, ActorCell] = EMPTY
        self.links: dict[int, ActorCell] = EMPTY
        # Invariant: symmetric; b in a.links exactly when a in b.links.
        self.watched_by: dict[int, Monitor] = EMPTY
        self.watching: dict[int, Monitor] = EMPTY
        self.names: dict[str, None] = EMPTY
        self.paths: dict[str, None] = EMPTY
        self.timers: dict[int, None] = EMPTY
        self.probes: dict[str, None] = EMPTY
        # By name, those that it has added.
        self.joiners: Sequence[Callable[[], Any]] = ()
        # Called once each when the actor is gone, after its pid is retired.
        self.seats: tuple[Any, ...] = ()
        # The seats that it fills under supervisors, each an `iris.core.supervision.Child`.
        self.charge: Any = None
        # The `iris.core.supervision.Group` of which this actor is the supervisor, or None.
        self.kept: Optional[list[Any]] = None
        # What an observed actor has received and nobody has fetched.
        self.ending: Optional[Ending] = None
        # Set when a stop is accepted; the first stop decides the reason.
        self.pending_end: Optional[Ending] = None
        # Set while the end waits for children.
        self.renewal: Optional[Renewal] = None
        # What makes it restart in place; None for an actor that ends when it fails. Set before
        # the actor begins, for all its life.


class ActorCell(Mailbox):
    """All facts of one actor."""

    __slots__ = ("handler", "pid", "runner", "running", "signal", "spec", "state", "ties")

    def __init__(self, spec: ActorSpec, handler: Callable[[Any], Any], runner: Runner) -> None:
        self.pid = 0
        # Set once by the table; 0 until then.
        self.spec = spec
        self.handler = handler
        # Owner only: the behaviour that handles the next message.
        self.runner = runner
        self.signal = runner.signal
        # Held here as well, because a sender is spared one load of the two.
        self.running = 0
        # Owner only. 0: no turn. Else 1 + the user messages that this turn has started
        # and not yet added to the count of handled ones.
        self.state = ALIVE
        # Changed by `advance` under the table lock; read anywhere.
        self.ties: Optional[Ties] = None
        # Under the table lock; None until the first tie.
        # The mailbox's part, written out because a second __init__ costs 60 ns.
        self.user = []
        self.rest = None
        self.special = False
        self.ready = False
        self.admission = None
        self.control = None

    def bind(self, bound: Bound) -> None:
        """Give the mailbox a bound. Before the cell is in the table."""
        self.admission = bound
        self.user = deque()


def advance(cell: ActorCell, event: Event) -> State:
    """Move a cell to its next state. Under the table lock.

    Raises:
        InternalError: the table of states has no such move.
    """
    try:
        state = TRANSITIONS[cell.state, event]
    except KeyError:
        raise InternalError(
            f"actor {cell.pid} is {cell.state.value} and cannot take the event {event.name};"
            " please report this"
        ) from None
    cell.state = state
    return state


def renewal_of(cell: ActorCell) -> Optional[Renewal]:
    """What makes the actor restart in place; None when nothing does. From any thread."""
    ties = cell.ties
    return None if ties is None else ties.renewal


def remote_of(cell: ActorCell) -> Optional[RemoteRunner]:
    """The runner of an actor that stands for one on another node; None of any other."""
    return cell.runner if cell.spec.is_remote else None  # type: ignore[return-value]


def is_parked(cell: ActorCell) -> bool:
    """Whether its owner has left a restarting cell, or is about to. A guess without the lock."""
    if cell.state is not RESTARTING:
        return False
    renewal = renewal_of(cell)
    return renewal is not None and renewal.stage is not Stage.AWAKE


def control_of(cell: ActorCell) -> Control:
    """The control lane of a cell, made now if it had none. Under the table lock."""
    control = cell.control
    if control is None:
        control = cell.control = Control()
    return control
