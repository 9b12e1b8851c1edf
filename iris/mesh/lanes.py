"""What waits to be written on a connection: three lanes of frames, and what goes into a record.

It owns the order. Control frames go first and cost no credit. Then come small questions and
answers, then all the rest. It refuses to know credit and records: it is told how much there is
room for. Each lane is first in, first out, and what one actor sends to another keeps its order
across lanes: a question goes into the lane of the small ones only while nothing else from its
asker to its target waits in the one behind.

What users send is limited by count and bytes. Control frames have a limit of their own: those that
answer a peer are as many as it has asked for, and one that asks and does not read is at fault.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Optional, Union

from iris.mesh import frames as f

CONTROL_FRAMES_MOST = 1 << 17
CONTROL_BYTES_MOST = 1 << 23
"""Room for the ends of 100,000 monitored actors at once, and for the small answers to all the
questions that a peer may have open."""

CONTROL_BYTES_HIGH = 1 << 20
"""From here on a control frame has to do without its text."""

QUICK_BYTES = 4096
"""A question or answer whose frame is at most so long is a small one."""

FRAGMENT_BYTES_LEAST = 4096
"""A frame is not cut for less than this, the last of its fragments aside."""

Pair = tuple[Union[int, str], int]
"""Target, or name, and sender."""


class Lanes:
    """The frames that wait.

    Args:
        frames_most: of those of users.
        bytes_most: of those of users; one that is larger goes in when no other waits.
    """

    __slots__ = (
        "_behind", "_bulk", "_bytes_most", "_control", "_cut", "_frames_most", "_pushed", "_quick",
        "control_bytes", "crowded", "queued_bytes", "replies",
    )  # fmt: skip

    def __init__(self, frames_most: int, bytes_most: int) -> None:
        self._frames_most = frames_most
        self._bytes_most = bytes_most
        self._control: deque[bytes] = deque()
        self._quick: deque[bytes] = deque()
        self._bulk: deque[bytes] = deque()
        self._cut = 0
        # How much of the first frame in bulk is written, in fragments.
        self._pushed = 0
        # How many frames were ever put into bulk.
        self._behind: dict[Pair, int] = {}
        # The place in that count of the last frame for a pair.
        self.control_bytes = 0
        self.crowded = False
        # Whether there ever were more control frames than a peer that reads can bring about.
        self.queued_bytes = 0
        # In quick and bulk.
        self.replies = 0
        # How many of the frames in quick and bulk are answers.

    @property
    def controls(self) -> int:
        """Control frames that wait."""
        return len(self._control)

    @property
    def queued(self) -> int:
        """Frames of users that wait, a partly written one among them."""
        return len(self._quick) + len(self._bulk)

    def add_control(self, frame: bytes) -> None:
        """A frame that costs no credit."""
        self._control.append(frame)
        self.control_bytes += len(frame)
        if len(self._control) > CONTROL_FRAMES_MOST or self.control_bytes > CONTROL_BYTES_MOST:
            self.crowded = True

    def has_room(self, count: int, size: int) -> bool:
        """Whether so many frames of users, of so many bytes together, can wait as well."""
        waiting = len(self._bulk)
        return waiting + count <= self._frames_most and (
            self.queued_bytes + size <= self._bytes_most or (count == 1 and not waiting)
        )

    def add(self, pair: Optional[Pair], frames: list[bytes], size: int) -> None:
        """Frames from one to another for which there is room, `size` bytes of them."""
        bulk = self._bulk
        if not bulk and self._behind:
            self._behind.clear()
        bulk.extend(frames)
        self._pushed += len(frames)
        self.queued_bytes += size
        if pair is not None:
            self._behind[pair] = self._pushed
            if len(self._behind) > 2 * self._frames_most:
                written = self._pushed - len(bulk)
                self._behind = {one: at for one, at in self._behind.items() if at > written}

    def add_ask(self, pair: Pair, frame: bytes) -> bool:
        """A question; False when there is no room for it."""
        written = self._pushed - len(self._bulk)
        if len(frame) <= QUICK_BYTES and self._behind.get(pair, 0) <= written:
            return self._add_quick(frame)
        if not self.has_room(1, len(frame)):
            return False
        self.add(pair, [frame], len(frame))
        return True

    def add_reply(self, frame: bytes) -> bool:
        """An answer that costs credit; False when there is no room for it."""
        if len(frame) <= QUICK_BYTES:
            added = self._add_quick(frame)
        else:
            added = self.has_room(1, len(frame))
            if added:
                self.add(None, [frame], len(frame))
        self.replies += added
        return added

    def _add_quick(self, frame: bytes) -> bool:
        """Into a lane with room of its own, so that a flood in bulk keeps no question out."""
        if len(self._quick) >= self._frames_most:
            return False
        self._quick.append(frame)
        self.queued_bytes += len(frame)
        return True

    def remove(self, unwanted: Callable[[bytes], bool]) -> int:
        """Take frames of users out of which nothing is written yet; gives how many."""
        removed = 0
        for lane in (self._quick, self._bulk):
            kept = [
                frame
                for place, frame in enumerate(lane)
                if (self._cut and lane is self._bulk and not place) or not unwanted(frame)
            ]
            if len(kept) < len(lane):
                removed += len(lane) - len(kept)
                self.queued_bytes -= sum(map(len, lane)) - sum(map(len, kept))
                lane.clear()
                lane.extend(kept)
                if lane is self._bulk:
                    # Places in the count mean less now: every pair has to wait for all of bulk.
                    self._behind = dict.fromkeys(self._behind, self._pushed)
        return removed

    def take_control(self, room: int, parts: list[bytes]) -> int:
        """Move control frames into `parts` while there is room; gives the room that is left.

        When some are left no other lane may be asked, as the room that is left says: 0.
        """
        control = self._control
        if not control:
            return room
        before = room
        while control and len(control[0]) <= room:
            frame = control.popleft()
            parts.append(frame)
            room -= len(frame)
        self.control_bytes -= before - room
        return 0 if control else room

    def take(self, room: int, parts: list[bytes]) -> tuple[int, int]:
        """Move frames of users into `parts` while there is room.

        Args:
            room: bytes, of the record and of the credit, whichever is less.
            parts: what is going to be written.

        Returns:
            How many bytes were moved, and how many whole messages and questions.
        """
        first = len(parts)
        left = self._fill(self._quick, room, parts)
        before = left
        if not self._quick and not self._cut:
            left = self._fill(self._bulk, left, parts)
        whole = len(parts) - first
        replies = sum(map(_is_reply, parts[first:])) if self.replies else 0
        if self._bulk and not self._quick and left == before:
            # Cut, because what goes ahead might leave too little room for all of it each time.
            fragment = self._fragment(left)
            if fragment:
                parts.append(fragment)
                left -= len(fragment)
                if not self._cut:
                    frame = self._bulk.popleft()
                    self.queued_bytes -= len(frame)
                    whole += 1
                    replies += _is_reply(frame)
        self.replies -= replies
        return room - left, whole - replies

    def _fill(self, lane: deque[bytes], room: int, parts: list[bytes]) -> int:
        """Move whole frames while there is room; gives the room that is left."""
        left = room
        append, pop = parts.append, lane.popleft
        while lane:
            size = len(lane[0])
            if size > left:
                break
            left -= size
            append(pop())
        self.queued_bytes -= room - left
        return left

    def _fragment(self, room: int) -> bytes:
        """The next fragment of the first frame in bulk; `_cut` is 0 again after the last."""
        frame, start = self._bulk[0], self._cut
        whole_bytes = len(frame)
        if start:
            size = min(room - f.HEADER.size, whole_bytes - start)
        else:
            size = min(room - f.FIRST_HEADER_BYTES, whole_bytes - 1)
        if size < min(FRAGMENT_BYTES_LEAST, whole_bytes - start):
            return b""
        stop = start + size
        self._cut = stop if stop < whole_bytes else 0
        return f.pack_more(frame, start, stop) if start else f.pack_first(frame, stop)


def _is_reply(frame: bytes) -> bool:
    return frame[0] | f.PACKED == f.REPLY | f.PACKED
