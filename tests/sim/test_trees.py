"""Trees of actors that end by chance: who is told what, and who ends before whom."""

from __future__ import annotations

import logging
from random import Random
from typing import Any, Optional

import pytest

import iris
from iris.testing import SimRuntime

SEEDS = 200


class Member:
    """An actor of the tree, and what it was told."""

    def __init__(self, parent: Optional[Member], trap_exit: bool) -> None:
        self.parent = parent
        self.trap_exit = trap_exit
        self.pid = 0
        self.told: list[iris.PySystemMessage] = []

    def ancestors(self) -> list[Member]:
        """Its parent and so on."""
        return [] if self.parent is None else [self.parent, *self.parent.ancestors()]


class Tree:
    """One tree, grown and cut by chance."""

    def __init__(self, seed: int) -> None:
        self.rt = SimRuntime(seed=seed)
        self.random = Random(seed).random
        self.members: list[Member] = []
        self.ends: list[tuple[int, str, int]] = []
        self.rt.add_hook(
            "exit",
            lambda pid, ending: self.ends.append((pid, str(ending.reason), ending.by)),
        )
        for _ in range(40):
            self.grow()

    def grow(self) -> None:
        """Add a member below another one."""
        parent = None
        if self.members and self.random() < 0.9:
            parent = self.members[int(self.random() * len(self.members))]
        member = Member(parent, self.random() < 0.5)

        def handler(message: Any) -> None:
            if isinstance(message, iris.PySystemMessage):
                member.told.append(message)
            elif message == "fail":
                raise ValueError("as it should")
            elif message == "wait":
                self.rt.sleep(0.5)

        if parent is None:
            member.pid = self.rt.spawn(handler, trap_exit=member.trap_exit)
        else:
            member.pid = self.rt.spawn_child(parent.pid, handler, trap_exit=member.trap_exit)
        self.members.append(member)

    def cut(self) -> None:
        """End some members in some way, while others are busy."""
        for _ in range(12):
            member = self.members[int(self.random() * len(self.members))]
            choice = self.random()
            if choice < 0.3:
                self.rt.stop(member.pid)
            elif choice < 0.6:
                self.rt.send(member.pid, "fail")
            else:
                self.rt.send(member.pid, "wait")
            if self.random() < 0.5:
                self.rt.advance(0.2)
        self.rt.advance(10)

    def check(self) -> None:
        """Compare with what has to be so."""
        place = {pid: number for number, (pid, _, _) in enumerate(self.ends)}
        assert len(place) == len(self.ends)
        by_pid = {member.pid: member for member in self.members}
        for member in self.members:
            gone = [other for other in member.ancestors() if other.pid in place]
            assert (member.pid in place) >= bool(gone)
            assert all(place[member.pid] < place[other.pid] for other in gone)
            assert self.rt.is_alive(member.pid) is (member.pid not in place)
        for pid, reason, by in self.ends:
            member = by_pid[pid]
            above = {other.pid for other in member.ancestors()}
            assert reason in ("Killed", "Panic")
            assert by == pid or (by in above and reason == "Killed")
        for member in self.members:
            self.check_told(member, place)

    def check_told(self, member: Member, place: dict[int, int]) -> None:
        """One EXIT per direct child that ended while the parent could still be told."""
        reasons = {pid: reason for pid, reason, _ in self.ends}
        told = [message.target_pid for message in member.told]
        assert len(told) == len(set(told))
        for message in member.told:
            assert (message.type_name, message.reason) == ("EXIT", reasons[message.target_pid])
        children = {other.pid for other in self.members if other.parent is member}
        assert set(told) <= children
        if member.pid not in place:
            ended = {pid for pid in children if pid in place}
            assert set(told) == (ended if member.trap_exit else set())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_trees_end_from_their_leaves_and_tell_parents_once(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1, "iris")
    tree = Tree(seed)
    tree.cut()
    tree.check()
    assert tree.rt.shutdown() == []
    assert len(tree.ends) == len(tree.members)
