"""The library as Python sees it: what may be wrong with the file, who owns code, calls, ticks."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
from array import array
from pathlib import Path
from typing import Any

import pytest

from iris.jit import check, encode, shim
from iris.jit.ir import (
    CALLS_OPEN_MAX,
    Compare,
    Format,
    Function,
    Instr,
    Opcode,
    Param,
    Program,
    Status,
    Type,
)

needs_sidecar = pytest.mark.skipif(
    shim.why_unavailable() is not None, reason=f"no sidecar: {shim.why_unavailable()}"
)


@pytest.mark.skipif(os.environ.get("IRIS_JIT_BUILD") != "require", reason="not promised")
def test_the_sidecar_is_there_where_the_build_was_to_require_it() -> None:
    assert shim.why_unavailable() is None


def instr(op: Opcode, *operands: float, flags: int = 0) -> Instr:
    return Instr(op, operands, flags)


def program_of(params: list[Param], code: list[Instr], local_types: list[Type]) -> Program:
    function = Function("f", params)
    function.code, function.locals, function.outs = code, local_types, 1
    program = Program([function])
    check.verify(program)
    return program


def count_up() -> Program:
    """Result: the argument, counted up to by ones."""
    return program_of(
        [Param(Type.INT)],
        [
            instr(Opcode.ARG, 0),
            instr(Opcode.LOOP),
            instr(Opcode.GET, 0),
            instr(Opcode.ICMP, 2, 0, flags=Compare.LT),
            instr(Opcode.IF, 3),
            instr(Opcode.CONST_I, 1),
            instr(Opcode.IADD, 2, 5),
            instr(Opcode.SET, 0, 6),
            instr(Opcode.BR, 1),
            instr(Opcode.END),
            instr(Opcode.END),
            instr(Opcode.GET, 0),
            instr(Opcode.OUT, 0, 11),
            instr(Opcode.RET),
        ],
        [Type.INT],
    )


def call_with(code: shim.Code, value: int, tick: Any = None, **times: int) -> tuple[Status, int]:
    args, results = shim.Slots(1), shim.Slots(1)
    args.ints[0] = value
    return code.call(args.words, results.words, tick, **times), results.ints[0]


# What may be wrong with the file. In a process of its own: a library is loaded once.

ASK = """
from iris import jit
from iris.jit import shim
from array import array
print(jit.available(), jit.why_unavailable())
try:
    shim.compile(array("I", [1]))
except shim.Unavailable as error:
    print(type(error).__name__, error)
except shim.ProgramRefused as error:
    print("refused")
"""


def ask(library: Path) -> list[str]:
    """What a fresh process says about a library."""
    environment = {**os.environ, shim.LIBRARY_VARIABLE: str(library)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, check=True, text=True, stdout=subprocess.PIPE
    )
    return done.stdout.splitlines()


def test_missing_library_is_a_reason(tmp_path: Path) -> None:
    said, raised = ask(tmp_path / "none.so")
    assert said.startswith("False ")
    assert raised.startswith("Unavailable ")


@needs_sidecar
@pytest.mark.live
def test_library_that_is_named_is_taken(tmp_path: Path) -> None:
    copied = shutil.copy(shim.LIBRARY, tmp_path / "other.so")
    assert ask(Path(copied)) == ["True None", "refused"]


@needs_sidecar
@pytest.mark.live
@pytest.mark.parametrize("kept", [0, 3, 63, 64, 5000, 0.5, 0.99, -1])
def test_library_cut_short_is_a_reason_and_no_crash(tmp_path: Path, kept: float) -> None:
    whole = Path(shim.LIBRARY).read_bytes()
    cut = tmp_path / "cut.so"
    cut.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    said, _ = ask(cut)
    assert said.startswith("False ")
    assert "cut short" in said or "no shared library" in said


@needs_sidecar
@pytest.mark.live
def test_foreign_library_is_a_reason(tmp_path: Path) -> None:
    foreign = pytest.importorskip("greenlet._greenlet").__file__
    said, _ = ask(Path(foreign))
    assert said.startswith("False ")
    text = tmp_path / "text.so"
    text.write_text("hello " * 100)
    said, _ = ask(text)
    assert "no shared library" in said


@needs_sidecar
@pytest.mark.live
def test_library_of_another_version_is_an_error_that_names_both(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make another library with")
    source, library = tmp_path / "other.c", tmp_path / "other.so"
    names = ("jit_compile", "jit_free", "jit_call", "jit_memory_stats")
    rest = "".join(f"int {name}(void) {{ return -1; }}\n" for name in names)
    source.write_text(f"unsigned jit_abi_version(void) {{ return 77; }}\n{rest}")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    said, raised = ask(library)
    assert said.startswith("False ")
    assert "version 77" in said
    assert f"version {shim.ABI_VERSION}" in said
    assert raised.startswith("AbiMismatch ")


def test_importing_iris_imports_no_cffi() -> None:
    text = "import iris, iris.jit, sys; print([m for m in sys.modules if 'cffi' in m])"
    done = subprocess.run([sys.executable, "-c", text], check=True, stdout=subprocess.PIPE)
    # PyPy's own modules may have it from the start.
    loaded = eval(done.stdout)
    if sys.implementation.name == "cpython" and "IRIS_TEST_PATCHED" not in os.environ:
        assert loaded == []


# Compiling, and who owns the code.


@needs_sidecar
def test_words_that_are_no_program_are_refused_with_the_word() -> None:
    words = encode.encode(count_up())
    with pytest.raises(shim.ProgramRefused, match="word 0: "):
        shim.compile(array("I", [0]))
    with pytest.raises(shim.ProgramRefused, match="word 0: "):
        shim.compile(array("I"))
    with pytest.raises(shim.ProgramRefused, match=f"word {len(words)}: "):
        shim.compile(words + array("I", [0]))


@needs_sidecar
def test_code_is_freed_with_its_last_reference() -> None:
    gc.collect()
    gc.collect()
    before = shim.memory()
    code = shim.compile(encode.encode(count_up()))
    assert shim.memory().live == before.live + 1
    assert shim.memory().used_bytes > before.used_bytes
    del code
    gc.collect()
    gc.collect()
    assert shim.memory() == before._replace(reserved_bytes=shim.memory().reserved_bytes)


@needs_sidecar
def test_compiling_and_dropping_does_not_grow() -> None:
    words = encode.encode(count_up())
    shim.compile(words)
    gc.collect()
    before = shim.memory().reserved_bytes
    for at in range(5_000):
        shim.compile(words)
        if at % 500 == 0:
            gc.collect()
    gc.collect()
    assert shim.memory().reserved_bytes <= before + (1 << 20)


@needs_sidecar
@pytest.mark.live
def test_threads_compile_and_call_at_the_same_time() -> None:
    words = encode.encode(count_up())
    wrong: list[Any] = []

    def work(number: int) -> None:
        for at in range(200):
            value = 1000 * number + at
            found = call_with(shim.compile(words), value)
            if found != (Status.DONE, value):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@needs_sidecar
@pytest.mark.live
@pytest.mark.skipif("IRIS_TEST_PATCHED" in os.environ, reason="gevent waits for children its way")
def test_child_of_a_fork_uses_what_it_inherits_and_makes_its_own() -> None:
    inherited = shim.compile(encode.encode(count_up()))
    other = shim.compile(encode.encode(count_up()))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing of pytest may run here, whatever happens.
        try:
            os.read(read, 1)
            assert call_with(inherited, 5) == (Status.DONE, 5)
            own = shim.compile(encode.encode(count_up()))
            assert shim.memory().live == 1
            del inherited  # does not free the parent's
            gc.collect()
            assert call_with(own, 7) == (Status.DONE, 7)
            os._exit(0)
        except BaseException:
            os._exit(1)
    # The parent frees and compiles, where the child must not notice.
    del other
    gc.collect()
    more = [shim.compile(encode.encode(count_up())) for _ in range(50)]
    os.write(write, b"!")
    _, status = os.waitpid(child, 0)
    os.close(read)
    os.close(write)
    assert status == 0
    assert all(call_with(one, 9) == (Status.DONE, 9) for one in (inherited, *more))


@needs_sidecar
@pytest.mark.live
def test_code_that_lives_to_the_end_of_the_interpreter_is_no_trouble() -> None:
    text = (
        "from iris.jit import shim, encode\n"
        "from iris.jit.ir import *\n"
        "f = Function('f', []); f.code = [Instr(Opcode.RET)]\n"
        "code = shim.compile(encode.encode(Program([f])))\n"
        "class Late:\n"
        "    def __del__(self): self.code.call(shim.Slots(0).words, shim.Slots(0).words)\n"
        "late = Late(); late.code = code; late.late = late\n"
    )
    done = subprocess.run([sys.executable, "-c", text], check=True, stderr=subprocess.PIPE)
    assert done.stderr == b""


# Calls.


@needs_sidecar
def test_buffers_are_read_and_written_in_place() -> None:
    program = program_of(
        [Param(Type.BUFFER, Format.I16, True), Param(Type.INT)],
        [
            instr(Opcode.ARG, 1),
            instr(Opcode.INDEX, 0, 0),
            instr(Opcode.LOAD, 0, 1),
            instr(Opcode.INEG, 2, flags=1),
            instr(Opcode.STORE, 0, 1, 3, flags=1),
            instr(Opcode.LEN, 0),
            instr(Opcode.OUT, 0, 5),
            instr(Opcode.RET),
        ],
        [],
    )
    code = shim.compile(encode.encode(program))
    items = array("h", [1, 2, -(2**15)])
    pin = shim.Pin(items, writable=True)
    args, results = shim.Slots(3), shim.Slots(1)
    args.words[0], args.words[1] = pin.address, len(items)
    for index, status in ((0, 0), (-2, 0), (-1, 1), (3, 1), (-4, 1)):
        args.ints[2] = index
        assert code.call(args.words, results.words) == status
    assert items.tolist() == [-1, -2, -(2**15)]
    assert results.ints[0] == 3


@needs_sidecar
def test_read_only_memory_cannot_be_pinned_for_writing() -> None:
    assert shim.Pin(b"abc").address
    with pytest.raises((BufferError, ValueError, TypeError)):
        shim.Pin(b"abc", writable=True)


@needs_sidecar
@pytest.mark.live
def test_what_a_tick_raises_ends_the_call() -> None:
    def stop() -> None:
        raise LookupError("enough")

    code = shim.compile(encode.encode(count_up()))
    with pytest.raises(LookupError, match="enough"):
        call_with(code, 2**62, shim.Tick(stop))
    assert call_with(code, 10, shim.Tick(stop)) == (Status.DONE, 10)


@needs_sidecar
@pytest.mark.live
def test_tick_may_call_native_code_itself_and_be_stopped_there() -> None:
    code = shim.compile(encode.encode(count_up()))
    told = []

    def inner() -> None:
        raise KeyError("inner")

    def outer() -> None:
        with pytest.raises(KeyError):
            call_with(code, 2**62, shim.Tick(inner))
        told.append(call_with(code, 20)[1])
        raise LookupError("outer")

    with pytest.raises(LookupError, match="outer"):
        call_with(code, 2**62, shim.Tick(outer))
    assert told == [20]


@needs_sidecar
@pytest.mark.live
def test_signal_handler_runs_in_the_middle_of_a_loop() -> None:
    class Rang(Exception):
        pass

    def ring(*_: object) -> None:
        raise Rang

    code = shim.compile(encode.encode(count_up()))
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(Rang):
            call_with(code, 2**62, shim.Tick(shim.serve_signals))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def recursion() -> Program:
    """Result: how many calls it took to come down from the argument to 0."""
    return program_of(
        [Param(Type.INT)],
        [
            instr(Opcode.ARG, 0),
            instr(Opcode.CONST_I, 1),
            instr(Opcode.ICMP, 0, 1, flags=Compare.LT),
            instr(Opcode.IF, 2),
            instr(Opcode.OUT, 0, 0),
            instr(Opcode.RET),
            instr(Opcode.END),
            instr(Opcode.ISUB, 0, 1),
            instr(Opcode.PUT, 0, 7),
            instr(Opcode.CALL, 0),
            instr(Opcode.RESULT, 0),
            instr(Opcode.IADD, 10, 1),
            instr(Opcode.OUT, 0, 11),
            instr(Opcode.RET),
        ],
        [],
    )


@needs_sidecar
def test_calls_inside_each_other_end_at_their_limit() -> None:
    code = shim.compile(encode.encode(recursion()))
    assert call_with(code, CALLS_OPEN_MAX) == (Status.DONE, CALLS_OPEN_MAX)
    assert call_with(code, CALLS_OPEN_MAX + 1)[0] is Status.RERUN


@needs_sidecar
@pytest.mark.live
def test_deep_calls_on_a_small_stack_are_no_crash() -> None:
    code = shim.compile(encode.encode(recursion()))
    found = []
    before = threading.stack_size(64 << 10)
    try:
        thread = threading.Thread(target=lambda: found.append(call_with(code, 200)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert found[0] == (Status.DONE, 200) or found[0][0] is Status.RERUN
