"""One compiled signature: how its arguments become slots, its slots results.

A call of machine code has either the very result that Python would have, or none at all: then all
buffers are as they were before, and Python makes the call. Where the program could end after it
has stored something, the buffers it writes are copied first.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from iris.jit.arguments import Given
from iris.jit.build import Built
from iris.jit.encode import double_bits
from iris.jit.held import copies, hold
from iris.jit.ir import CHECKED, Opcode, Program, Status, Tag, Type
from iris.jit.shim import Code, Slots, Tick
from iris.jit.values import Shape

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_CAN_END = frozenset({Opcode.FAIL, Opcode.FAILIF, Opcode.INDEX, Opcode.CALL})


_CHECKED = frozenset(
    {
        Opcode.IADD,
        Opcode.ISUB,
        Opcode.IMUL,
        Opcode.INEG,
        Opcode.IABS,
        Opcode.IDIV,
        Opcode.IMOD,
        Opcode.ISHL,
        Opcode.ISHR,
        Opcode.F2I,
        Opcode.LOAD,
        Opcode.STORE,
    }
)

RERUN: Any = object()
"""What a call gives that Python has to make again."""


class Kernel:
    """A compiled program and the way to call it. May be called from any thread."""

    __slots__ = ("_code", "_has_buffers", "_outs", "_params", "_restores", "_shapes", "built")

    def __init__(self, built: Built, code: Code) -> None:
        self.built = built
        self._code = code
        self._params = built.params
        self._has_buffers = any(one.type is Type.BUFFER for one in built.params)
        self._outs = built.program.functions[0].outs
        self._shapes = built.shapes
        self._restores = can_end_after_store(built.program)

    def call(self, given: list[Given], hidden: list[Any], tick: Optional[Tick]) -> Any:
        """Call it; the interpreter's lock is not held meanwhile.

        Returns:
            What Python would have returned, or RERUN where Python has to make the call.

        Raises:
            Unfit: a buffer is read-only, not aligned, or too large to be copied.
            SidecarDefect: the machine code is not to be used again.
            BaseException: what a signal handler has raised meanwhile.
        """
        held = hold(self._params, given) if self._has_buffers else []
        buffers = iter(held)
        words: list[int] = []
        for param, value in zip(self._params, given):
            if param.type is Type.BUFFER:
                one = next(buffers)
                words += (one.address, one.items)
            else:
                words.append(_word(value))
        words += map(_word, hidden)
        written = [one for one in held if one.is_written]
        kept = copies(written) if self._restores else []
        slots, results = Slots(len(words)), Slots(self._outs)
        slots.words[0 : len(words)] = words
        try:
            status = self._code.call(slots.words, results.words, tick)
        finally:
            for one in written:
                one.give_back()
        if status is not Status.DONE:
            for one, copy in zip(written, kept):
                one.restore(copy)
            return RERUN
        return _Reader(results).read(self._shapes[results.ints[0]])


def _word(value: Any) -> int:
    return double_bits(value) if type(value) is float else int(value) & _MASK


class _Reader:
    """Takes values out of result slots."""

    __slots__ = ("_at", "_slots")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._at = 1

    def read(self, shape: Shape) -> Any:
        if shape is not None:
            return tuple([self.read(item) for item in shape])
        at = self._at
        self._at = at + 2
        return _VALUES[self._slots.ints[at]](self._slots, at + 1)


_VALUES: dict[int, Callable[[Slots, int], Any]] = {
    Tag.NONE: lambda *_: None,
    Tag.BOOL: lambda slots, at: bool(slots.ints[at]),
    # As a signed number from the start: of a larger one PyPy makes what stays slow.
    Tag.INT: lambda slots, at: slots.ints[at],
    Tag.FLOAT: lambda slots, at: slots.floats[at],
    Tag.BOOL_IN_FLOAT: lambda slots, at: bool(slots.floats[at]),
    Tag.INT_IN_FLOAT: lambda slots, at: int(slots.floats[at]),
}


def can_end_after_store(program: Program) -> bool:
    """Whether a call may end without a result after it has stored something.

    A store inside a loop comes before everything in that loop.
    """
    code = program.functions[0].code
    if any(one.op is Opcode.STORE for other in program.functions[1:] for one in other.code):
        return True
    opened: list[int] = []
    first: Optional[int] = None
    for index, one in enumerate(code):
        if one.op in (Opcode.BLOCK, Opcode.LOOP, Opcode.IF):
            opened.append(index)
        elif one.op is Opcode.END:
            opened.pop()
        elif one.op is Opcode.STORE and first is None:
            loops = [at for at in opened if code[at].op is Opcode.LOOP]
            first = loops[0] if loops else index + 1
    if first is None:
        return False
    # A store that is checked ends before it has stored.
    return any(
        one.op in _CAN_END or (one.flags & CHECKED and one.op in _CHECKED) for one in code[first:]
    )
