"""The compute sidecar as Python sees it: the library, and the owners of what it gives.

Nobody else uses cffi, or holds a handle of the sidecar. The library lies beside this file, put
there by the build (`jitshim/hatch_build.py`) with `_declarations`, which is made from `jitshim.h`
so that nothing is parsed here. It is looked for on first use. When it is missing or no good there
is a reason, in words, and everything else goes on in Python; nothing here fails at import.

Threads: any, at any time. A child of a fork can use code of its parent and make its own.
"""

from __future__ import annotations

import os
import struct
from _thread import allocate_lock, get_ident
from array import array
from typing import Any, Callable, NamedTuple, Optional

from iris.errors import InternalError, IrisError
from iris.jit.ir import Status
from iris.jit.switches import defect

ABI_VERSION = 1

LIBRARY = os.path.join(os.path.dirname(__file__), "libjitshim.so")
# Another library, for tests and for whoever works on the sidecar.
LIBRARY_VARIABLE = "IRIS_JIT_LIBRARY"

FIRST_TICK_NS = 5_000_000
"""As long as CPython lets a thread of Python code run while others wait."""
TICK_PERIOD_NS = 1_000_000

_MESSAGE_BYTES = 512
_ELF_HEADER = struct.Struct("<4sBBB9xHHIQQQIHHHHHH")


class Unavailable(IrisError):
    """There is no sidecar to compile with; the message says why."""


class AbiMismatch(Unavailable):
    """The library is of another version of Iris than this file."""


class ProgramRefused(InternalError):
    """The words are no valid program, or the compiler does not take it."""


class NoCodeMemory(IrisError):
    """The host gives no memory for machine code, or no more of it."""


class SidecarDefect(InternalError):
    """The sidecar has failed in a way that it never should. The code must not be used again."""


class Memory(NamedTuple):
    """The sidecar's memory for code, in this process."""

    used_bytes: int
    reserved_bytes: int
    live: int
    """Programs that are compiled and not freed."""


class _Library(NamedTuple):
    """The loaded library."""

    ffi: Any
    functions: Any


class _State:
    """What has come of looking for the library."""

    def __init__(self) -> None:
        self.lock = allocate_lock()
        # Written once, under the lock; afterwards read without.
        self.found: Optional[_Library] = None
        self.reason: Optional[Unavailable] = None


_state = _State()


def why_unavailable() -> Optional[str]:
    """Say why there is no sidecar; None if there is one. Looks for it on the first call."""
    try:
        _library()
    except Unavailable as reason:
        return str(reason)
    return None


def memory() -> Memory:
    """How much memory the code of this process takes."""
    ffi, functions = _library()
    stats = ffi.new("jit_memory *")
    functions.jit_memory_stats(stats)
    return Memory(stats.used_bytes, stats.reserved_bytes, stats.live)


def compile(words: array[int]) -> Code:  # noqa: A001 - what else should it be called?
    """Compile what `encode` has made of a program. Takes about 2.5 us an operation.

    Raises:
        Unavailable: when there is no sidecar.
        ProgramRefused: when `words` is no program.
        NoCodeMemory: when there is no memory for code.
        SidecarDefect: when the compiler has crashed.
    """
    ffi, functions = _library()
    code = ffi.new("jit_code *")
    message = ffi.new("char[]", _MESSAGE_BYTES)
    given = ffi.from_buffer("uint32_t[]", words)
    status = functions.jit_compile(given, len(words), code, message, _MESSAGE_BYTES)
    if status == 0:
        return Code(_Library(ffi, functions), code)
    text = ffi.string(message).decode("utf-8", "replace")
    if status == 4:
        raise NoCodeMemory(text)
    if status < 0:
        raise SidecarDefect(f"the compiler has crashed: {text}")
    raise ProgramRefused(f"status {status}: {text}")


class Code:
    """A compiled program; its machine code is freed with the last reference."""

    __slots__ = ("__weakref__", "_call", "_entry", "_free", "_handle", "code_bytes", "functions")

    def __init__(self, library: _Library, code: Any) -> None:
        self._entry: int = code.entry
        self._handle: int = code.handle
        self.code_bytes: int = code.code_bytes
        self.functions: int = code.functions
        self._call = library.functions.jit_call
        # Kept here, because at the end of the interpreter modules go before the last objects.
        self._free = library.functions.jit_free

    def __del__(self) -> None:
        # The finalizer of something else in the same circle of garbage may still call it.
        self._entry = 0
        # In a child of a fork the handle is unknown, and nothing happens.
        self._free(self._handle)

    @property
    def entry(self) -> int:
        """The address of the machine code, good as long as this object."""
        return self._entry

    def call(
        self,
        args: Any,
        results: Any,
        tick: Optional[Tick] = None,
        first_ns: int = FIRST_TICK_NS,
        period_ns: int = TICK_PERIOD_NS,
    ) -> Status:
        """Run it, with the interpreter's lock released.

        Args:
            args: The argument slots, as `Slots.words`.
            results: The result slots, likewise.
            tick: Called now and then by a long loop; None for a loop that nobody can interrupt.
            first_ns: How long a loop runs before the first tick.
            period_ns: How long from tick to tick at least.

        Returns:
            DONE or RERUN.

        Raises:
            SidecarDefect: when the code has not done what code of the sidecar does.
            BaseException: what the tick has raised.
        """
        callback = 0 if tick is None else tick.callback
        status = self._call(self._entry, args, results, callback or _null(), first_ns, period_ns)
        if status == Status.DONE:
            return Status.DONE
        if status == Status.RERUN:
            return Status.RERUN
        if status == Status.INTERRUPTED:
            raise _raised[get_ident()].pop()
        raise SidecarDefect(f"a call has ended with status {status}")


class Slots:
    """Argument or result slots: the same memory as whole numbers, signed or not, and doubles.

    One for each call that is running: another greenlet may call in the middle of this one's tick.
    """

    __slots__ = ("floats", "ints", "words")

    def __init__(self, count: int) -> None:
        ffi = _library().ffi
        self.words = ffi.new("uint64_t[]", max(count, 1))
        self.ints = ffi.cast("int64_t *", self.words)
        self.floats = ffi.cast("double *", self.words)


class Pin:
    """The address of a buffer's items. CPython lets nobody resize it while this object lives.

    PyPy does let, so there a buffer that others can resize has to be copied first.
    """

    __slots__ = ("_held", "address")

    def __init__(self, buffer: Any, writable: bool = False) -> None:
        ffi = _library().ffi
        self._held = ffi.from_buffer("char[]", buffer, writable)
        self.address = int(ffi.cast("uintptr_t", self._held))


class Block:
    """Memory of the sidecar's own, zeroed, for items that others may resize."""

    __slots__ = ("_held", "address")

    def __init__(self, size_bytes: int) -> None:
        ffi = _library().ffi
        self._held = ffi.new("char[]", max(size_bytes, 1))
        self.address = int(ffi.cast("uintptr_t", self._held))

    def fill(self, at: int, view: memoryview) -> None:
        """Copy bytes in."""
        ffi = _library().ffi
        ffi.memmove(self._held + at, ffi.from_buffer(view), len(view))

    def read_into(self, at: int, view: memoryview) -> None:
        """Copy bytes out."""
        ffi = _library().ffi
        ffi.memmove(ffi.from_buffer(view), self._held + at, len(view))


# What ticks have raised and their calls have not raised again yet, by thread. The call ends right
# behind its tick, so that the newest is always its own.
_raised: dict[int, list[BaseException]] = {}


class Tick:
    """A function that long loops call; what it raises ends the call and is raised by `Code.call`.

    It is called with the interpreter's lock, on the thread of the call.
    """

    __slots__ = ("callback",)

    def __init__(self, function: Callable[[], object]) -> None:
        def run() -> int:
            function()
            return 0

        def keep(_kind: Any, error: BaseException, traceback: Any) -> None:
            _raised.setdefault(get_ident(), []).append(error.with_traceback(traceback))

        ffi = _library().ffi
        self.callback = ffi.callback("int32_t(void)", run, error=1, onerror=keep)


def serve_signals() -> None:
    """A tick's function that lets pending signal handlers run: interpreters look in any loop."""
    for _ in (0, 1):
        pass


def _null() -> Any:
    return _library().ffi.NULL


def _library() -> _Library:
    if _state.found is not None:
        return _state.found
    with _state.lock:
        if _state.found is None and _state.reason is None:
            try:
                _state.found = _load(os.environ.get(LIBRARY_VARIABLE) or LIBRARY)
            except AbiMismatch as mismatch:
                # The one case that is never what anybody wants.
                defect("%s", mismatch)
                _state.reason = mismatch
            except Unavailable as reason:
                _state.reason = reason
    if _state.found is not None:
        return _state.found
    # A new one each time: raising a kept one would let its traceback grow.
    assert _state.reason is not None
    raise type(_state.reason)(str(_state.reason))


def _load(path: str) -> _Library:
    try:
        from iris.jit._declarations import ffi
    except ImportError as error:
        raise Unavailable(
            f"Iris was installed without its sidecar ({error}); to have it, install Rust and cffi "
            "and reinstall with IRIS_JIT_BUILD=require, which says what is wrong"
        ) from None
    _check_file(path)
    flags = os.RTLD_NOW | os.RTLD_LOCAL | getattr(os, "RTLD_NODELETE", 0)
    try:
        functions: Any = ffi.dlopen(path, flags)
        found = functions.jit_abi_version()
    except (OSError, AttributeError, ffi.error) as error:
        raise Unavailable(f"{path} is no sidecar of Iris: {error}") from None
    if found != ABI_VERSION:
        raise AbiMismatch(
            f"{path} has version {found} of the sidecar's interface and this Iris "
            f"needs version {ABI_VERSION}; reinstall Iris, so that both are of one build"
        )
    return _Library(ffi, functions)


def _check_file(path: str) -> None:
    """Refuse a file that is cut short: loading it kills the process (SIGBUS) instead of failing."""
    try:
        size = os.stat(path).st_size
        with open(path, "rb") as file:
            head = file.read(_ELF_HEADER.size)
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from None
    if len(head) < _ELF_HEADER.size or head[:4] != b"\x7fELF":
        raise Unavailable(f"{path} is no shared library")
    fields = _ELF_HEADER.unpack(head)
    # The table of sections is the last thing in a library that has been stripped.
    sections_at, section_bytes, sections = fields[9], fields[14], fields[15]
    if size < sections_at + section_bytes * sections:
        raise Unavailable(f"{path} is cut short: it has {size} bytes")


def available() -> bool:
    """Whether there is a compute sidecar, so that functions can be compiled.

    The first call looks for its library, which takes a few milliseconds; may be called from any
    thread.
    """
    return why_unavailable() is None
