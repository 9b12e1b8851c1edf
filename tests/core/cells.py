"""Cells for tests: facts of actors that nothing runs."""

from __future__ import annotations

from typing import Any, Optional

from iris.core.cell import ActorCell, ActorSpec


class NoRunner:
    """Runs nothing, and notes which cells were signalled."""

    def __init__(self) -> None:
        self.signalled: list[ActorCell] = []

    def signal(self, cell: ActorCell) -> Optional[bool]:
        self.signalled.append(cell)
        return None

    def start(self, cell: ActorCell) -> None:
        pass

    def kill(self, cell: ActorCell) -> float:
        return 0.0


RUNNER = NoRunner()
SPEC = ActorSpec("push", 100)


def ignore(message: Any) -> None:
    """A handler."""


def a_cell(pid: int = 0) -> ActorCell:
    """The cell of a living push actor, with a pid if one is given."""
    cell = ActorCell(SPEC, ignore, RUNNER)
    cell.pid = pid
    return cell
