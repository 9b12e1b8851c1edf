"""Registry: what callers can ask and change about actors they know by pid, name or path.

Everything that needs the table lock around one of the pure books of `iris.core`: names,
paths, links, monitors, stop and join.
"""

from __future__ import annotations

from typing import Optional

from iris.config import seconds
from iris.core import links
from iris.core.book import strike
from iris.core.cell import DEAD, ActorCell, remote_of
from iris.core.mailbox import CLOSED
from iris.core.messages import Ending, ExitReason, PySystemMessage, SystemType
from iris.core.names import Names, checked_name
from iris.core.paths import Paths, checked_path
from iris.core.table import Table
from iris.core.waits import Waits
from iris.errors import ActorDead, ActorError, BadInput, WouldDeadlock
from iris.run.context import current_cell, current_pid
from iris.run.delivery import Delivery, check_pid
from iris.run.lifecycle import Lifecycle
from iris.run.waiter import Waiter


class Registry:
    """The books of one runtime. From any thread; only `join` blocks."""

    def __init__(
        self,
        table: Table,
        names: Names,
        paths: Paths,
        monitors: links.Monitors,
        waits: Waits,
        lifecycle: Lifecycle,
        delivery: Delivery,
    ) -> None:
        self._table = table
        self._lock = table.lock
        self._names = names
        self._paths = paths
        self._lifecycle = lifecycle
        self._delivery = delivery
        self._monitors = monitors
        self._waits = waits

    # -- life --------------------------------------------------------------------------------

    def is_alive(self, pid: int) -> bool:
        """Whether the actor has not ended."""
        check_pid(pid)
        cell = self._table.get(pid)
        return cell is not None and cell.state is not DEAD

    def stop(self, pid: int) -> bool:
        """Ask an actor to end as Killed; False when it is gone or already ending."""
        check_pid(pid)
        cell = self._table.get(pid)
        if cell is None:
            return False
        return self._lifecycle.request_stop(cell, self._stop_of(cell))

    def stop_after_drain(self, pid: int, timeout_s: float) -> bool:
        """Let the queue empty first; False when the actor is gone or already ending."""
        check_pid(pid)
        timeout_s = seconds("timeout_s", timeout_s)
        cell = self._table.get(pid)
        return cell is not None and self._lifecycle.drain(cell, self._stop_of(cell), timeout_s)

    def join(self, pid: int, timeout_s: Optional[float] = None) -> bool:
        """Wait until an actor has ended; False when the time was over before."""
        check_pid(pid)
        if timeout_s is not None:
            timeout_s = seconds("timeout_s", timeout_s)
        cell = self._table.get(pid)
        if cell is None:
            return True
        joiner = self._table.pid_of(current_cell())
        if joiner == pid:
            raise WouldDeadlock(f"actor {pid} cannot wait for its own end")
        waiter = Waiter()
        with self._lock:
            if self._table.get(pid) is None:
                return True
            if joiner:
                self._waits.begin(joiner, pid)
            joiners = links.joiners_of(cell)
            joiners.append(waiter.settle)
        try:
            return waiter.wait(timeout_s)
        finally:
            with self._lock:
                self._waits.end(joiner)
                if not waiter.done:
                    joiners.remove(waiter.settle)
                    links.loosen(cell)

    # -- names and paths -----------------------------------------------------------------------

    def register(self, name: str, pid: int) -> bool:
        """Give a name to a living actor; False when it is taken or the actor is ending."""
        checked_name(name)
        check_pid(pid)
        with self._lock:
            cell = self._active(pid)
            if cell is None or not self._names.set(name, pid):
                return False
            links.book_of(cell, "names")[name] = None
            return True

    def take_name(self, name: str, cell: ActorCell) -> None:
        """Give a name to an actor that is just beginning. Under the table lock.

        Raises:
            BadInput: the name is taken.
        """
        if not self._names.set(name, cell.pid):
            raise BadInput(f"the name {name!r} is held by actor {self._names.get(name)}")
        links.book_of(cell, "names")[name] = None

    def take_path(self, path: str, cell: ActorCell) -> None:
        """Give a path to an actor that is just beginning; as `take_name`."""
        parts = checked_path(path)
        if not self._paths.set(parts, cell.pid):
            raise BadInput(f"the path {path!r} is held by actor {self._paths.get(parts)}")
        links.book_of(cell, "paths")[path] = None

    def unregister(self, name: str) -> bool:
        """Take a name back; False when nobody holds it."""
        checked_name(name)
        with self._lock:
            pid = self._names.free(name)
            cell = None if pid is None else self._table.get(pid)
            if cell is not None and cell.ties is not None:
                strike(cell.ties.names, name)
                links.loosen(cell)
            return pid is not None

    def whereis(self, name: str) -> Optional[int]:
        """The pid of the actor with this name, unless it is ending."""
        checked_name(name)
        return self._pid_if_active(self._names.get(name))

    def register_path(self, path: str, pid: int) -> bool:
        """Give a path to a living actor; False when it is taken or the actor is ending."""
        parts = checked_path(path)
        check_pid(pid)
        if not parts:
            raise BadInput("an actor cannot have the path '/'; it is the root of all paths")
        with self._lock:
            cell = self._active(pid)
            if cell is None or not self._paths.set(parts, pid):
                return False
            links.book_of(cell, "paths")[path] = None
            return True

    def unregister_path(self, path: str) -> bool:
        """Take a path back; False when nobody holds it."""
        parts = checked_path(path)
        with self._lock:
            pid = self._paths.free(parts)
            cell = None if pid is None else self._table.get(pid)
            if cell is not None and cell.ties is not None:
                strike(cell.ties.paths, path)
                links.loosen(cell)
            return pid is not None

    def whereis_path(self, path: str) -> Optional[int]:
        """The pid of the actor with this path, unless it is ending."""
        parts = checked_path(path)
        with self._lock:
            return self._pid_if_active(self._paths.get(parts))

    def list_children(self, prefix: str) -> list[int]:
        """The actors with paths anywhere below the prefix, each once."""
        parts = checked_path(prefix)
        with self._lock:
            return self._active_of(self._paths.below(parts))

    def list_children_direct(self, prefix: str) -> list[int]:
        """The actors with paths one level below the prefix, each once."""
        parts = checked_path(prefix)
        with self._lock:
            return self._active_of(self._paths.directly_below(parts))

    # -- links and monitors ----------------------------------------------------------------------

    def link(self, a: int, b: int) -> bool:
        """Tie the ends of two actors together."""
        for pid in (a, b):
            check_pid(pid)
        if a == b:
            raise BadInput(f"actor {a} cannot be linked to itself")
        with self._lock:
            first, second = self.living(a), self.living(b)
            links.tie(first, second)
        _tell_linked(first, second, True)
        return True

    def unlink(self, a: int, b: int) -> bool:
        """Undo `link`; False when there was none."""
        for pid in (a, b):
            check_pid(pid)
        with self._lock:
            first, second = self._table.get(a), self._table.get(b)
            if first is None or second is None or not links.untie(first, second):
                return False
        _tell_linked(first, second, False)
        return True

    def monitor(self, watcher: int, target: int) -> int:
        """Have `watcher` told once, by DOWN, when `target` ends."""
        check_pid(watcher)
        check_pid(target)
        with self._lock:
            observer = self.living(watcher)
            if not observer.spec.receives_system:
                raise ActorError(
                    f"actor {watcher} cannot receive system messages, so it cannot monitor;"
                    " spawn it with trap_exit=True, or as an observed or pull actor"
                )
            cell = self._table.get(target)
            if cell is not None and cell.state is not DEAD:
                return self._monitors.begin(observer, cell)
            ref = self._monitors.new_ref()
        gone = PySystemMessage(SystemType.DOWN, target, target, ExitReason.NO_SUCH_ACTOR)
        self._delivery.system(observer, gone)
        return ref

    def demonitor(self, ref: int) -> bool:
        """End a monitor; False when it has fired or is unknown."""
        if type(ref) is not int:
            raise TypeError(f"a monitor's ref is the int that monitor() gave, not {ref!r}")
        with self._lock:
            return self._monitors.end(ref)

    # -- helpers, under the table lock unless they take it -----------------------------------------

    def _stop_of(self, cell: ActorCell) -> Ending:
        """The end that the caller asks for: one's own is a normal one."""
        reason = ExitReason.NORMAL if cell is current_cell() else ExitReason.KILLED
        return Ending(reason, current_pid() or cell.pid)

    def _active(self, pid: int) -> Optional[ActorCell]:
        cell = self._table.get(pid)
        return None if cell is None or cell.admission is CLOSED else cell

    def living(self, pid: int) -> ActorCell:
        """The cell of an actor that has not ended; ActorDead otherwise. Under the table lock."""
        cell = self._table.get(pid)
        if cell is None or cell.state is DEAD:
            raise ActorDead(f"actor {pid} has ended or never existed")
        return cell

    def _pid_if_active(self, pid: Optional[int]) -> Optional[int]:
        return None if pid is None or self._active(pid) is None else pid

    def _active_of(self, pids: list[int]) -> list[int]:
        return [pid for pid in dict.fromkeys(pids) if self._active(pid) is not None]


def _tell_linked(first: ActorCell, second: ActorCell, linked: bool) -> None:
    """A link was tied or untied: another node may have to know."""
    for one, other in ((first, second), (second, first)):
        remote = remote_of(one)
        if remote is not None:
            (remote.linked if linked else remote.unlinked)(other)
