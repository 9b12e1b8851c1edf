"""The table: pid -> cell. The only place where actors are added and removed.

Reading takes no lock; adding and removing do. The lock of the table is also the one
under which states, ties, names and paths change, so that an end is seen whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from iris.core.cell import ActorCell
from iris.core.mailbox import Lock
from iris.core.pid import SLOT_MASK, PidAllocator
from iris.errors import RuntimeClosed


class Table:
    """The living actors of a runtime.

    Args:
        first_generation: see `PidAllocator`.
        lock: a reentrant lock that the rest of the runtime shares.
    """

    __slots__ = ("_allocate", "_pids", "ended", "lock", "slots", "spawned")

    def __init__(self, first_generation: int, lock: Lock) -> None:
        self.slots: list[Optional[ActorCell]] = [None]
        # Any thread reads; changed under `lock`. Invariant: slots[n].pid has slot n.
        self.lock = lock
        self._pids = PidAllocator(first_generation)
        self._allocate = self._pids.allocate
        self.spawned = 0
        self.ended = 0

    def add(self, cell: ActorCell) -> int:
        """Give the cell its pid and list it."""
        with self.lock:
            pid = cell.pid = self._allocate()
            slots = self.slots
            slot = pid & SLOT_MASK
            if slot == len(slots):
                slots.append(cell)
            else:
                try:
                    slots[slot] = cell
                except IndexError:
                    self._catch_up(slot, cell)
            self.spawned += 1
            return pid

    def _catch_up(self, slot: int, cell: ActorCell) -> None:
        """A signal handler has raised in an `add` that had its pid and had not listed its cell."""
        slots = self.slots
        if not slots:
            # Emptied by the end of the runtime.
            raise RuntimeClosed("the runtime is shut down; make a new one with iris.Runtime()")
        slots.extend([None] * (slot - len(slots)))
        slots.append(cell)

    def take_back(self, cell: ActorCell) -> None:
        """Undo `add` for an actor whose start failed."""
        self.remove(cell)
        with self.lock:
            self.spawned -= 1
            self.ended -= 1

    @property
    def count(self) -> int:
        """How many actors there are."""
        return self.spawned - self.ended

    def remove(self, cell: ActorCell) -> None:
        """Retire the pid of an ended cell; no effect after `forget_all`."""
        with self.lock:
            slot = cell.pid & SLOT_MASK
            if slot >= len(self.slots):
                return
            self.slots[slot] = None
            self._pids.retire(cell.pid)
            self.ended += 1

    def get(self, pid: int) -> Optional[ActorCell]:
        """The cell with this pid, or None. From any thread."""
        try:
            cell = self.slots[pid & SLOT_MASK]
        except IndexError:
            return None
        if cell is None or cell.pid != pid:
            return None
        return cell

    def pid_of(self, cell: Optional[ActorCell]) -> int:
        """The pid of an actor of this runtime; 0 for none, and for one of another runtime."""
        return 0 if cell is None or self.get(cell.pid) is not cell else cell.pid

    def cells(self) -> Iterator[ActorCell]:
        """The listed cells at some moment during the call, in the order of their slots."""
        return (cell for cell in self.slots[:] if cell is not None)

    def forget_all(self) -> None:
        """Empty the table, so that no pid names anybody and every send fails from now on.

        Without a lock: a forked child's locks may never open. It stays the same list,
        because senders hold it.
        """
        del self.slots[:]
