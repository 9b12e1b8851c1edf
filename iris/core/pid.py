"""Process ids: what a pid is made of and which one is given out next.

A pid is an unsigned 64-bit number: slot in the low 32 bits, generation in the high
ones. It refuses to hand a freed slot out again soon: a stale pid kept by somebody
should name nobody for as long as possible.
"""

from __future__ import annotations

from collections import deque

from iris.errors import LimitReached

SLOT_BITS = 32
SLOT_MASK = (1 << SLOT_BITS) - 1

GENERATION_MAX = (1 << 31) - 1
"""31 bits of the 32: a pid below 2**63 is a machine word on PyPy, where a larger one is a
heap-allocated long and a send is five times slower."""

FREE_SLOTS_MIN = 4096
"""Freed slots are reused, first in first out, only while at least this many are free."""

PID_MAX = (1 << 64) - 1


class PidAllocator:
    """Gives out pids. Not thread-safe: the table calls it under its lock.

    Args:
        first_generation: 1 to GENERATION_MAX; random for each runtime, so that a pid of an
            earlier life of the node names nobody in this one.
    """

    __slots__ = ("_first", "_free", "_slots")

    def __init__(self, first_generation: int) -> None:
        if not 1 <= first_generation <= GENERATION_MAX:
            raise ValueError(f"generation {first_generation} is not in 1..{GENERATION_MAX}")
        self._first = first_generation << SLOT_BITS
        self._free: deque[int] = deque()
        # Invariant: holds, for each freed slot, the pid that the slot will have NEXT.
        self._slots = 1
        # Invariant: slot 0 is never used, so no pid is 0.

    def allocate(self) -> int:
        """Return a pid that names nobody yet; its slot is at most `slots`."""
        if len(self._free) >= FREE_SLOTS_MIN:
            return self._free.popleft()
        slot = self._slots
        if slot > SLOT_MASK:
            raise LimitReached("all 2**32 - 1 actor slots of this runtime are in use")
        self._slots = slot + 1
        return self._first | slot

    def retire(self, pid: int) -> None:
        """Take the pid of an ended actor back; its slot will return in a later generation."""
        generation = pid >> SLOT_BITS
        following = generation + 1 if generation < GENERATION_MAX else 1
        self._free.append(following << SLOT_BITS | pid & SLOT_MASK)

    @property
    def free(self) -> int:
        """How many slots wait to be reused."""
        return len(self._free)
