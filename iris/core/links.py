"""Who has to do with whom: links, monitors, parents and children as one graph.

The edges lie in the `Ties` of the cells. All of it changes under the table lock; this
module decides nothing about ends, it only answers who is concerned.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.core.book import EMPTY, strike
from iris.core.cell import ALIVE, DEAD, STOPPING, ActorCell, Monitor, Ties
from iris.core.mailbox import PARENT


def ties_of(cell: ActorCell) -> Ties:
    """The ties of a cell, made now if it had none. Under the table lock."""
    ties = cell.ties
    if ties is None:
        ties = cell.ties = Ties()
    return ties


def book_of(cell: ActorCell, field: str) -> dict[Any, Any]:
    """One of the books among the ties of a cell, to write in. Under the table lock."""
    ties = ties_of(cell)
    book: dict[Any, Any] = getattr(ties, field)
    if book is EMPTY:
        book = {}
        setattr(ties, field, book)
    return book


def joiners_of(cell: ActorCell) -> list[Callable[[], Any]]:
    """Those who wait for the end of a cell, to add to. Under the table lock."""
    ties = ties_of(cell)
    joiners = ties.joiners
    if not isinstance(joiners, list):
        joiners = ties.joiners = []
    return joiners


def loosen(cell: ActorCell) -> None:
    """Forget the ties of a cell where they bind nothing any more. Under the table lock.

    They weigh seven times what the cell does. An actor that is ending keeps them: its end
    looks into them from step to step.
    """
    ties = cell.ties
    if (
        ties is None
        or cell.state is not ALIVE
        or ties.kept is not None
        # Written out: a loop over the fields takes three times as long.
        or ties.timers
        or ties.names
        or ties.probes
        or ties.links
        or ties.parent
        or ties.children
        or ties.joiners
        or ties.watched_by
        or ties.watching
        or ties.paths
        or ties.seats
        or ties.charge is not None
        or ties.ending
        or ties.pending_end
        or ties.renewal
    ):
        return
    cell.ties = None


def children_of(cell: ActorCell) -> list[ActorCell]:
    """The direct children whose end is not complete, in the order of their start."""
    ties = cell.ties
    # Read once: without the table lock, somebody may loosen the cell meanwhile.
    return [] if ties is None else list(ties.children.values())


def _nobody(_: ActorCell) -> bool:
    return False


def descendants_deepest_first(
    cell: ActorCell, takes_care: Callable[[ActorCell], bool] = _nobody
) -> list[ActorCell]:
    """The actors below `cell` to be asked to stop: each before its parent, younger siblings first.

    Those that are ending already are left out with all below them, of whom they take care
    themselves; else the end of n generations would cost n * n steps. Of an actor that
    `takes_care` those below it are left out.
    """
    # An explicit stack: a line of 100,000 generations must not meet the recursion limit.
    order: list[ActorCell] = []
    stack = [cell]
    while stack:
        found = stack.pop()
        order.append(found)
        if found is not cell and takes_care(found):
            continue
        children = [child for child in children_of(found) if child.state not in (STOPPING, DEAD)]
        stack.extend(reversed(children))
    # Parents come before their children in `order`, and the cell itself first.
    order.reverse()
    order.pop()
    return order


def all_below(cell: ActorCell) -> list[ActorCell]:
    """The actors below `cell` whose end is not complete, parents before their children."""
    found: list[ActorCell] = []
    stack = children_of(cell)
    while stack:
        one = stack.pop()
        found.append(one)
        stack.extend(children_of(one))
    return found


def adopt(parent: ActorCell, child: ActorCell) -> None:
    """Make `child` a child of `parent`."""
    ties_of(child).parent = parent
    book_of(parent, "children")[child.pid] = child


def disown(child: ActorCell) -> Optional[ActorCell]:
    """Take an ended child from its parent, and return the parent.

    Who has no child left has a plain mailbox again, whose senders look for no stop word.
    """
    if child.ties is None or child.ties.parent is None:
        return None
    parent = child.ties.parent
    child.ties.parent = None
    if parent.ties is not None:
        strike(parent.ties.children, child.pid)
        if parent.admission is PARENT and not parent.ties.children:
            parent.admission = None
        loosen(parent)
    return parent


def tie(a: ActorCell, b: ActorCell) -> None:
    """Link two actors; linking twice is linking once."""
    book_of(a, "links")[b.pid] = b
    book_of(b, "links")[a.pid] = a


def untie(a: ActorCell, b: ActorCell) -> bool:
    """Remove a link; False when there was none."""
    if a.ties is None or b.ties is None:
        return False
    strike(b.ties.links, a.pid)
    was_linked = strike(a.ties.links, b.pid) is not None
    loosen(a)
    loosen(b)
    return was_linked


def untie_all(cell: ActorCell) -> list[ActorCell]:
    """Remove all links of a cell, and return its partners in the order of linking."""
    if cell.ties is None:
        return []
    partners = list(cell.ties.links.values())
    for partner in partners:
        untie(cell, partner)
    return partners


class Monitors:
    """The running monitors of one runtime, by the ref that their watcher was given."""

    __slots__ = ("_by_ref", "_last")

    def __init__(self) -> None:
        self._by_ref: dict[int, Monitor] = {}
        # Invariant: exactly those that stand in the ties of their watcher and target.
        self._last = 0

    def new_ref(self) -> int:
        """A ref that was not given before."""
        self._last += 1
        return self._last

    def begin(self, watcher: ActorCell, target: ActorCell) -> int:
        """Have `watcher` told of the end of `target`; returns the ref."""
        monitor = Monitor(self.new_ref(), watcher, target)
        self._by_ref[monitor.ref] = monitor
        book_of(target, "watched_by")[monitor.ref] = monitor
        book_of(watcher, "watching")[monitor.ref] = monitor
        return monitor.ref

    def end(self, ref: int) -> bool:
        """Forget a monitor; False when it had ended."""
        monitor = strike(self._by_ref, ref)
        if monitor is None:
            return False
        strike(ties_of(monitor.target).watched_by, ref)
        strike(ties_of(monitor.watcher).watching, ref)
        loosen(monitor.target)
        loosen(monitor.watcher)
        return True

    def end_all(self, cell: ActorCell) -> list[Monitor]:
        """End all monitors of and by a cell; return those whose watcher has to be told."""
        if cell.ties is None:
            return []
        told = list(cell.ties.watched_by.values())
        for monitor in told + list(cell.ties.watching.values()):
            self.end(monitor.ref)
        return told
