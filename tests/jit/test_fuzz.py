"""The sidecar against the interpreter, on random programs and on words that are none.

`IRIS_JIT_FUZZ=20` makes twenty times as many. It hardly matters which Python runs this, so all
environments but one make a tenth.
"""

from __future__ import annotations

import copy
import os
from array import array
from random import Random
from typing import Any

import pytest

from iris.jit import check, encode, interp, shim
from iris.jit.arith import Undefined
from iris.jit.encode import double_of
from iris.jit.ir import Opcode, Program, Status, Type

from .irprograms import random_args, random_program
from .words import NoProgram, decode

pytestmark = pytest.mark.skipif(
    shim.why_unavailable() is not None, reason=f"no sidecar: {shim.why_unavailable()}"
)

TIMES = float(os.environ.get("IRIS_JIT_FUZZ") or (0.1 if "IRIS_TEST_QUICK" in os.environ else 1))
# Parts, because each test has its time (tests/conftest.py).
PARTS = 10
WORD_ARRAYS = int(100_000 * TIMES) // PARTS
RUN_PROGRAMS = int(3_000 * TIMES) // PARTS
STEPS_MAX = 20_000


class Stop(Exception):
    """Raised by a tick."""


def stop() -> None:
    raise Stop


def run_native(program: Program, args: list[Any], code: shim.Code) -> tuple[Status, list[int]]:
    """Call compiled code with arguments as `interp.run` takes them."""
    slots, pins = shim.Slots(2 * len(args)), []
    at = 0
    for arg in args:
        if isinstance(arg, array):
            pins.append(shim.Pin(arg))
            slots.words[at], slots.words[at + 1] = pins[-1].address, len(arg)
            at += 1
        elif isinstance(arg, float):
            slots.floats[at] = arg
        else:
            slots.ints[at] = arg
        at += 1
    outs = program.functions[0].outs
    results = shim.Slots(outs)
    # Ticks at once, so that they are tried as well; these let the call go on.
    status = code.call(slots.words, results.words, shim.Tick(shim.serve_signals), 0, 0)
    return status, [results.words[slot] for slot in range(outs)]


def is_nan(bits: int) -> bool:
    value = double_of(bits)
    return value != value  # noqa: PLR0124 - what makes it one.


def same_bits(ours: list[int], theirs: list[int]) -> bool:
    # Which nan an operation gives depends on the order of operands, which compilers choose.
    return all(x == y or (is_nan(x) and is_nan(y)) for x, y in zip(ours, theirs))


def looks_at_nans(program: Program) -> bool:
    looks = (Opcode.BITS, Opcode.FCOPYSIGN)
    if any(one.op in looks for function in program.functions for one in function.code):
        return True
    # A result slot may be read as another type than it was written as.
    return any(one.op is Opcode.RESULT for function in program.functions for one in function.code)


def compare(program: Program, args: list[Any], code: shim.Code) -> bool:
    """Whether the program could be compared; fails where the two differ."""
    ours = copy.deepcopy(args)
    try:
        status, slots = interp.run(program, ours, STEPS_MAX)
    except (Undefined, interp.StepLimit):
        return False
    theirs = copy.deepcopy(args)
    native_status, native_slots = run_native(program, theirs, code)
    if looks_at_nans(program) and (native_status, native_slots) != (status, slots):
        again = interp.run(program, copy.deepcopy(args), STEPS_MAX)
        assert again[0] is status
        return False
    told = f"{program}\n{args!r}\n{ours!r} {theirs!r}\n{slots} {native_slots}"
    assert native_status is status, told
    if status is Status.DONE:
        assert same_bits(slots, native_slots), told
    for one, other in zip(ours, theirs):
        if isinstance(one, array):
            assert all(x == y or (x != x and y != y) for x, y in zip(one, other)), told  # noqa: PLR0124
    return True


@pytest.mark.parametrize("part", range(PARTS))
def test_programs_do_natively_what_the_interpreter_does(part: int) -> None:
    random = Random(part)
    compared = done = 0
    for _ in range(RUN_PROGRAMS):
        program = random_program(random, random.choice((10, 40, 80)))
        check.verify(program)
        code = shim.compile(encode.encode(program))
        for _ in range(3):
            args = random_args(random, program.functions[0])
            args[0] = random.randrange(3)
            compared += compare(program, args, code)
        done += 1
    assert compared > done, "most programs keep what they promise"


@pytest.mark.parametrize("part", range(PARTS))
def test_words_are_refused_or_compiled_and_nothing_else(part: int) -> None:
    random = Random(1000 + part)
    sound: list[array[int]] = []
    accepted = 0
    for number in range(WORD_ARRAYS):
        if number % 50 == 0:
            sound.append(encode.encode(random_program(random, random.choice((3, 10, 20)))))
            sound = sound[-20:]
        words = mutated(random, random.choice(sound))
        accepted += judge(random, words)
    assert accepted > WORD_ARRAYS // 100


def judge(random: Random, words: array[int]) -> bool:
    """Hold the crate's verdict against the verifier's, then the code against the interpreter."""
    try:
        program = decode(words)
        check.verify(program)
        sound = True
    except (NoProgram, check.Refused):
        sound = False
    if not sound:
        with pytest.raises(shim.ProgramRefused, match=r"^status 1: word "):
            shim.compile(words)
        return False
    code = shim.compile(words)
    args = random_args(random, program.functions[0])
    if len(args) and program.functions[0].params[0].type is Type.INT:
        args[0] = random.randrange(3)
    compare(program, args, code)
    return True


def mutated(random: Random, sound: array[int]) -> array[int]:
    """Words that are random, or those of a program with a few changed, cut or grown."""
    kind = random.random()
    if kind < 0.05:
        return array("I", [random.getrandbits(32) for _ in range(random.randrange(40))])
    words = array("I", sound)
    if kind < 0.1:
        return words[: random.randrange(len(words))]
    if kind < 0.13:
        words.append(random.getrandbits(32))
        return words
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        at = random.randrange(len(words))
        change = random.random()
        if change < 0.4:
            words[at] = random.randrange(8)
        elif change < 0.6:
            words[at] ^= 1 << random.randrange(32)
        elif change < 0.8:
            words[at] = words[random.randrange(len(words))]
        elif change < 0.9:
            words[at] = (
                max(words[at] - 1, 0) if random.random() < 0.5 else min(words[at] + 1, 2**32 - 1)
            )
        else:
            words[at] = random.getrandbits(32)
    return words
