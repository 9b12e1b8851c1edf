"""Loops: their kinds until these no longer change, and the constructs they become.

    for v in xs:            block broken
        body                  block ended
    else:                       loop again
        orelse                    brif (not test) ended
                                  block continued
                                    body
                                  end
                                  br again
                                end
                              end
                              orelse
                            end
"""

from __future__ import annotations

from typing import Callable, Optional

from iris.jit.emitter import Label, Value
from iris.jit.ir import Compare, Opcode, Tag, Type
from iris.jit.kinds import INT, BufferKind, RangeKind, describe, is_integral, is_set
from iris.jit.memory import item_kind, length, load_at
from iris.jit.refusal import Unsupported
from iris.jit.scope import Code, Env, Flow, Lazy, join_envs, same_env
from iris.jit.unit import Unit
from iris.jit.values import Val, exclude_none, has_tag, integer

# A kind can only grow, by one of four bits or into a mixed one, and each pass makes at least one
# variable grow; this many passes are needed by no function of a size that is compiled.
_PASSES_MAX = 100

# Bounds and steps of ranges beyond this are left to Python, so that counting cannot overflow.
_RANGE_LIMIT = 2**62


class Exits:
    """Where `break` and `continue` lead."""

    __slots__ = ("after", "breaks", "broken", "continued", "continues", "repeat")

    def __init__(self) -> None:
        self.breaks: list[Optional[Env]] = []
        self.continues: list[Optional[Env]] = []
        # The variables behind the loop, and at the end of its body.
        self.after: Optional[Env] = None
        self.repeat: Optional[Env] = None
        self.broken: Optional[Label] = None
        self.continued: Optional[Label] = None

    def follow_break(self, unit: Unit, flow: Flow) -> Code:
        env = flow.leave()
        self.breaks.append(env)

        def write() -> None:
            assert self.broken is not None
            unit.storage.move(env, self.after)
            unit.e.branch(self.broken)

        return write

    def follow_continue(self, unit: Unit, flow: Flow) -> Code:
        env = flow.leave()
        self.continues.append(env)

        def write() -> None:
            assert self.continued is not None
            unit.storage.move(env, self.repeat)
            unit.e.branch(self.continued)

        return write


def follow_loop(
    unit: Unit,
    flow: Flow,
    test: Callable[[Flow], Lazy],
    body: Callable[[Flow, Exits], Code],
    orelse: Optional[Callable[[Flow], Code]] = None,
) -> Code:
    """Follow a loop: `body` as long as `test` holds, then `orelse`, unless it was broken."""
    entry = flow.env
    assert entry is not None
    head: Env = entry
    for _ in range(_PASSES_MAX):
        condition = test(Flow(dict(head)))
        exits = Exits()
        inner = Flow(dict(head))
        code = body(inner, exits)
        end = inner.env
        exits.repeat = join_envs(end, *exits.continues)
        joined = join_envs(entry, exits.repeat)
        assert joined is not None
        if same_env(joined, head):
            break
        head = joined
    else:
        raise Unsupported(None, "loop", "the types of its variables do not settle")
    endless = condition.is_const and bool(condition.const)
    outer = Flow(None if endless else dict(head))
    else_code = orelse(outer) if orelse is not None and outer.is_reachable else None
    else_env = outer.env
    exits.after = join_envs(else_env, *exits.breaks)
    flow.follow(exits.after)

    def write() -> None:
        e, storage = unit.e, unit.storage
        storage.move(entry, head)
        with e.block() as exits.broken:
            with e.block() as ended, e.loop() as again:
                if not endless:
                    e.branch(ended, e.op(Opcode.NOT, condition.emit_truth(e)))
                with e.block() as exits.continued:
                    code()
                    storage.move(end, exits.repeat)
                storage.move(exits.repeat, head)
                e.branch(again)
            if else_code is not None:
                else_code()
            storage.move(else_env, exits.after)

    return write


class Iteration:
    """What a `for` goes over, one item after the other."""

    __slots__ = ("_count", "_iterable", "_more", "_next", "item_kind")

    def __init__(self, unit: Unit, iterable: Lazy, line: Optional[int]) -> None:
        kind = iterable.kind
        self._iterable = iterable
        # The counter of this loop; the variable of the source can be assigned to.
        self._count = -1
        self._more: Callable[[], Value]
        self._next: Callable[[], Val]
        if isinstance(kind, RangeKind):
            self.item_kind = INT
        elif isinstance(kind, BufferKind):
            self.item_kind = item_kind(unit, kind)
        else:
            raise Unsupported(line, "iteration", f"over {describe(kind)}")

    def start(self, unit: Unit) -> None:
        """Write what comes before the loop."""
        e = unit.e
        val = self._iterable.emit()
        count = self._count = e.local(Type.INT)
        kind = val.kind
        if isinstance(kind, BufferKind):
            buffer = kind
            e.set(count, e.const_int(0))
            items = length(unit, buffer)
            self._more = lambda: e.icmp(Compare.LT, e.get(count), items)
            self._next = lambda: load_at(unit, buffer, _advance(unit, count, e.const_int(1)))
            return
        assert isinstance(kind, RangeKind)
        start, stop, *rest = val.ids
        e.set(count, start)
        if kind.step is not None:
            how = Compare.LT if kind.step > 0 else Compare.GT
            known = kind.step
            self._more = lambda: e.icmp(how, e.get(count), stop)
            self._next = lambda: Val(INT, (_advance(unit, count, e.const_int(known)),))
            return
        step = rest[0]
        upwards = e.icmp(Compare.GT, step, e.const_int(0))

        def more() -> Value:
            now = e.get(count)
            above, below = e.icmp(Compare.LT, now, stop), e.icmp(Compare.GT, now, stop)
            return e.op(Opcode.SELECT, upwards, above, below)

        self._more = more
        self._next = lambda: Val(INT, (_advance(unit, count, step),))

    def more(self) -> Value:
        """Write the test of whether there is another item."""
        return self._more()

    def next(self) -> Val:
        """Write the taking of it."""
        return self._next()


def _advance(unit: Unit, count: int, step: Value) -> Value:
    """The counter as it is; then it is moved on, which cannot overflow."""
    e = unit.e
    now = e.get(count)
    e.set(count, e.op(Opcode.IADD, now, step))
    return now


def follow_items(
    unit: Unit,
    flow: Flow,
    iterable: Lazy,
    line: Optional[int],
    body: Callable[[Lazy, Flow, Exits], Code],
    orelse: Optional[Callable[[Flow], Code]] = None,
) -> Code:
    """Follow a loop over an iterable; `body` gets the item."""
    iteration = Iteration(unit, iterable, line)
    kind = iteration.item_kind
    assert not is_set(kind)
    test = Lazy(kind, lambda: Val(kind), iteration.more)
    code = follow_loop(
        unit,
        flow,
        lambda _: test,
        lambda inner, exits: body(Lazy(kind, iteration.next), inner, exits),
        orelse,
    )

    def write() -> None:
        iteration.start(unit)
        code()

    return write


def range_of(unit: Unit, arguments: list[Lazy]) -> Lazy:
    """Follow `range(...)` of integers."""
    start, stop = (unit.literal(0), arguments[0]) if len(arguments) == 1 else arguments[:2]
    step = arguments[2] if len(arguments) == 3 else unit.literal(1)
    known = int(step.const) if step.is_const else None
    if known == 0 or (known is not None and abs(known) > _RANGE_LIMIT):
        known = None

    def emit() -> Val:
        e = unit.e
        given = [start.emit(), stop.emit(), *([step.emit()] if known is None else [])]
        ids = [_whole(unit, one) for one in given]
        if known is None:
            e.fail_if(e.icmp(Compare.EQ, ids[2], e.const_int(0)))
        for one in ids:
            _check_bound(unit, one)
        return Val(RangeKind(known), tuple(ids))

    return Lazy(RangeKind(known), emit)


def _whole(unit: Unit, val: Val) -> Value:
    """A bound as an integer; the call ends for what is none."""
    e = unit.e
    val = exclude_none(e, val)
    if not is_integral(val.kind):
        e.fail_if(has_tag(e, val, Tag.FLOAT))
    return integer(e, val)


def _check_bound(unit: Unit, value: Value) -> None:
    """End the call for a bound that counting could overflow at."""
    e = unit.e
    if e.is_small(value):
        return
    above = e.icmp(Compare.GT, value, e.const_int(_RANGE_LIMIT))
    below = e.icmp(Compare.LT, value, e.const_int(-_RANGE_LIMIT))
    e.fail_if(e.op(Opcode.OR, above, below))
