"""What callers can ask and change about a mailbox: its size and its overflow policy."""

from __future__ import annotations

from typing import Optional

from iris.core.mailbox import Bound, Policy, Verdict
from iris.core.table import Table
from iris.errors import ActorDead, ActorError, BadInput
from iris.run.delivery import check_pid

_POLICIES = {policy.value: policy for policy in Policy}


class Bounds:
    """The mailbox calls of one runtime. From any thread; none blocks."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def size(self, pid: int) -> Optional[int]:
        """Queued user messages; None for an unknown pid."""
        check_pid(pid)
        cell = self._table.get(pid)
        return None if cell is None else cell.size()

    def set_policy(self, pid: int, policy: str, target: Optional[int] = None) -> None:
        """Choose what becomes of messages that find the mailbox full."""
        check_pid(pid)
        parsed = self._parse(policy)
        if parsed in (Policy.REDIRECT, Policy.SPILL):
            if target is None:
                raise BadInput(f"policy {policy!r} needs a target pid to send the overflow to")
            check_pid(target)
            if target == pid:
                raise BadInput(f"actor {pid} cannot be the target of its own overflow")
        elif target is not None:
            raise BadInput(f"policy {policy!r} takes no target, but target={target!r} was given")
        with self._table.lock:
            cell = self._table.get(pid)
            if cell is None:
                raise ActorDead(f"actor {pid} has ended or never existed")
            bound = cell.admission
            if type(bound) is not Bound:
                if cell.spec.capacity is not None:
                    raise ActorDead(f"actor {pid} is stopping")
                raise ActorError(
                    f"the mailbox of actor {pid} has no bound, so it cannot overflow; spawn it"
                    " with spawn_py_handler_bounded"
                )
            tickets = bound.set_policy(parsed, target or 0)
        for ticket in tickets:
            ticket.settle(Verdict.RETRY)

    def _parse(self, policy: object) -> Policy:
        if not isinstance(policy, str):
            raise TypeError(f"a policy is a str, not {policy!r}")
        parsed = _POLICIES.get(policy.lower().replace("_", ""))
        if parsed is None:
            raise BadInput(f"policy {policy!r} is unknown; choose {', '.join(_POLICIES)}")
        return parsed
