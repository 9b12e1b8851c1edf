"""Who runs here: which actor the calling code belongs to.

Handlers interleave on one thread, so neither a global nor a thread-local can tell. Each
greenlet that runs turns, each pull actor (on a thread of its own or as a greenlet of an overflow
thread) and each worker has one `Place`, found through the greenlet that is current; a greenlet
that a handler itself spawns has none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Optional, Protocol

from iris.core.messages import Request
from iris.errors import ActorError
from iris.run.clock import sleep

if TYPE_CHECKING:
    from iris.core.cell import ActorCell


class Home(Protocol):
    """Where greenlets of one hub wait: what a `Waiter` needs of it."""

    def post(self, call: Any) -> None:
        """Run `call()` in the hub soon. From any thread."""

    def park(self) -> None:
        """Leave the current greenlet; somebody switches back to it from the hub."""

    def later(self, delay_s: float, call: Any) -> Any:
        """Run `call()` in the hub after some seconds; the result has `close()`."""

    def remind(self, delay_s: float, sleeper: Sleeper) -> None:
        """Call `sleeper.expire()` in the hub after some seconds, if it is still parked then."""


class Sleeper(Protocol):
    """Somebody who waits for some time at most: a `Waiter`."""

    parked: bool
    timer: Any
    # Closed by the sleeper when it has woken, unless it is None.

    def expire(self) -> None:
        """The time is over."""


class Place:
    """Where actor code runs: a carrier's greenlet, a pull actor's thread or greenlet, a worker."""

    __slots__ = ("cell", "home", "runtime")

    def __init__(self, home: Optional[Home], runtime: Any) -> None:
        self.cell: Optional[ActorCell] = None
        # The actor whose turn runs here. None between slices and while a worker sleeps; between
        # two turns of a slice still the one before, but no code of an actor runs then.
        self.home = home
        # None on a thread of its own, where waiting blocks the thread.
        self.runtime = runtime
        # A callable that gives the `Runtime` object (or None when it is gone).


_places: dict[Any, Place] = {}
# Keyed by greenlet. Written at the start and the end of a greenlet or thread only.


def _find_greenlet() -> Any:
    """What `current_greenlet` is until greenlet has been loaded."""
    global _getcurrent  # Found once, looked at several times in every wait.
    module = sys.modules.get("greenlet")
    if module is None:
        return None
    _getcurrent = module.getcurrent
    return _getcurrent()


_getcurrent = _find_greenlet


def current_greenlet() -> Any:
    """The current greenlet, or None in a process that has not loaded greenlet."""
    return _getcurrent()


def enter(place: Place) -> None:
    """Declare that the current greenlet runs the turns of `place`."""
    _places[current_greenlet()] = place


def leave() -> None:
    """Take that back."""
    _places.pop(current_greenlet(), None)


def greenlets_in(home: Home) -> list[Any]:
    """The greenlets that run turns in this home, or wait in it."""
    return [greenlet for greenlet, place in list(_places.items()) if place.home is home]


def here() -> Optional[Place]:
    """The place of the calling code; None outside any actor."""
    return _places.get(_getcurrent())


def current_cell() -> Optional[ActorCell]:
    """The actor whose code is calling, or None."""
    place = here()
    return None if place is None else place.cell


def current_pid() -> int:
    """The pid of the calling actor, 0 outside any."""
    cell = current_cell()
    return 0 if cell is None else cell.pid


class ReplyTo:
    """Stands for a question whose answer may come later: `rt.reply(answer, to=...)`.

    Can be kept, sent to other actors of the process and used from any thread, once.
    """

    __slots__ = ("_cell", "_passes", "_request")

    def __init__(self, request: Request, cell: ActorCell) -> None:
        self._request = request
        self._cell = cell
        self._passes = request.passes
        # Who owed the answer then. Once it was forwarded, this takes no answer any more, also
        # where the duty came back to the same actor.

    def __repr__(self) -> str:
        return f"<iris reply_to of {self._request.asker or 'a caller that is no actor'}>"


def current_request(cell: ActorCell) -> Optional[Request]:
    """The question that an actor is handling; None when nobody waits for an answer."""
    item = None if cell.control is None else cell.control.current
    return item if type(item) is Request else None


class Context:
    """What `iris.current()` gives inside a handler.

    Attributes:
        pid: the pid of the actor that runs.
        runtime: the `Runtime` it runs in.
        reply_to: for `rt.reply(answer, to=reply_to)` at some later time; None when nobody
            waits for an answer to this message.
    """

    __slots__ = ("pid", "reply_to", "runtime")

    def __init__(self, pid: int, runtime: Any, reply_to: Optional[ReplyTo]) -> None:
        self.pid = pid
        self.runtime = runtime
        self.reply_to = reply_to

    def __repr__(self) -> str:
        return f"<iris.current() pid={self.pid}>"


def current() -> Context:
    """Tell which actor the calling code belongs to.

    Works inside a handler and inside the function of a pull actor, from the greenlet or
    thread that Iris called it on. Never blocks.

    Returns:
        A `Context` with `pid`, `runtime` and `reply_to`.

    Raises:
        ActorError: the caller is not an actor.
    """
    place = here()
    if place is None or place.cell is None:
        raise ActorError(
            "iris.current() was called outside a handler; it works in the greenlet or thread"
            " on which Iris runs the actor, not in ones that the actor started itself"
        )
    request = current_request(place.cell)
    return Context(
        place.cell.pid, place.runtime(), None if request is None else ReplyTo(request, place.cell)
    )


def reply(data: Any) -> bool:
    """Answer the question that the calling handler is handling; see `Runtime.reply`.

    Raises:
        ActorError: the caller is not an actor, or has answered before.
    """
    place = here()
    if place is None or place.cell is None:
        raise ActorError("iris.reply() was called outside a handler")
    return bool(place.runtime().reply(data))


def pause() -> None:
    """Give way inside a handler: other actors, timers and sockets have their turn.

    Call it in a handler that computes for long; it returns when the hub has been round once.

    Raises:
        ActorError: the caller is not an actor.
    """
    place = here()
    if place is None or place.cell is None:
        raise ActorError("iris.pause() was called outside a handler; there it has no meaning")
    if place.home is None:
        sleep(0)
        return
    timer = place.home.later(0.0, current_greenlet().switch)
    try:
        place.home.park()
    finally:
        timer.close()


def actor_pid(runtime: Any) -> int:
    """The pid of the calling actor of `runtime`; raises ActorError outside its actors."""
    place = here()
    if place is None or place.cell is None or place.runtime() is not runtime:
        raise ActorError("self_pid() was called outside a handler of this runtime")
    return place.cell.pid


def after_fork() -> None:
    """In a forked child: the actors of the parent do not run here."""
    _places.clear()
