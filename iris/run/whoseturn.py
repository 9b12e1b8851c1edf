"""Whose turn it is on a carrier, seen from another thread.

On CPython the stack of the carrier's thread is walked, and tells the message and the place in
the handler as well. PyPy dies, with an error inside its JIT, when one thread asks for the frames
of the others while these run compiled code (`sys._current_frames`, PyPy 7.3.11). There only the
thread's current greenlet is asked for, which tells the actor and nothing else.
"""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Any, Callable, NamedTuple, Optional

from iris.config import METADATA_TEXT_CHARS_MAX
from iris.core.cell import ActorCell
from iris.core.letters import type_name
from iris.core.mailbox import Control
from iris.run.carrier import Carrier
from iris.run.native import get_ident
from iris.run.turn import make_slice

FRAMES_MOST = 50
"""Frames of a handler that a report shows; of a deeper recursion the innermost."""

_TURN_FILE = make_slice.__code__.co_filename

_MESSAGE_IN = {
    "run_slice": "message",
    "full_turn": "message",
    "serve": "item",
    "marked_stride": "item",
}
"""The functions of iris/run/turn.py that call handlers: which of their locals is the message."""


class Turn(NamedTuple):
    """A turn that goes on."""

    cell: ActorCell
    message_type: Optional[str]
    frames: list[tuple[FrameType, int]]
    # Of the handler, with their lines; the outermost first.

    def stack(self) -> str:
        """Where the handler is, in words; empty when it is in no Python code that is known."""
        try:
            lines = traceback.StackSummary.extract(iter(self.frames)).format()
        except Exception as error:  # noqa: BLE001  # User code: a loader's get_source.
            lines = [f"<formatting the stack raised {type(error).__name__}>"]
        return "".join(lines)[-4 * METADATA_TEXT_CHARS_MAX :]


def turn_finder(carrier: Carrier) -> Callable[[], Optional[Turn]]:
    """In the carrier's thread: what finds its turn later, from any thread; None for no turn."""
    if sys.implementation.name == "cpython":
        thread = get_ident()
        return lambda: _by_frames(carrier, sys._current_frames().get(thread))
    import greenlet

    # The dictionary of this thread: the object itself gives every thread its own.
    local: dict[str, Any] = getattr(getattr(greenlet, "_tls", None), "__dict__", {})
    return lambda: _by_greenlet(carrier, local.get("current"))


def _by_frames(carrier: Carrier, frame: Optional[FrameType]) -> Optional[Turn]:
    inner: Optional[FrameType] = None
    frames: list[tuple[FrameType, int]] = []
    while frame is not None:
        if frame.f_code.co_filename == _TURN_FILE:
            inner = inner or frame
            if frame.f_code is carrier.run_slice.__code__:
                break
        elif inner is None:
            frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    if frame is None or inner is None:
        return None
    place, cell = frame.f_locals.get("place"), frame.f_locals.get("cell")
    if place is None or place.home is not carrier or cell is None or not cell.running:
        # Another runtime on the same hub, or between two turns.
        return None
    message = inner.f_locals.get(_MESSAGE_IN.get(inner.f_code.co_name, ""))
    if isinstance(message, Control):
        # Stands there for a message that another function has in hand; that one has returned.
        message = None
    return Turn(cell, type_name(message), frames[FRAMES_MOST - 1 :: -1])


def _by_greenlet(carrier: Carrier, greenlet: Any) -> Optional[Turn]:
    cell = carrier.cell_in(greenlet)
    return None if cell is None or not cell.running else Turn(cell, None, [])
