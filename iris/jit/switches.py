"""What users may set for the whole process: which arm runs, what is logged, speculation."""

from __future__ import annotations

import contextvars
import enum
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

from iris.errors import BadInput


class Arm(enum.Enum):
    """What makes a call."""

    AUTO = "auto"
    """Machine code where there is some; the default."""
    PYTHON = "python"
    NATIVE = "native"
    """Machine code wherever it can be had, however small its gain."""
    NATIVE_ONLY = "native-only"
    """The same, and an error instead of Python."""


_forced: contextvars.ContextVar[Optional[Arm]] = contextvars.ContextVar("iris.jit.force")


def arm_now() -> Arm:
    """What is asked for here: by `force`, else by IRIS_JIT_VARIANT, else AUTO."""
    forced = _forced.get(None)
    return _by_environment if forced is None else forced


def _parsed(name: str, where: str) -> Arm:
    try:
        return Arm(name)
    except ValueError:
        known = ", ".join(repr(one.value) for one in Arm)
        raise BadInput(f"{where} is {name!r}, which is none of {known}") from None


_by_environment = _parsed(os.environ.get("IRIS_JIT_VARIANT") or "auto", "IRIS_JIT_VARIANT")


@contextmanager
def force(arm: str) -> Iterator[None]:
    """Pin what makes the calls of offloaded functions inside the `with` block.

    It holds for the thread, greenlet or task that runs the block, not for others.

    Args:
        arm: "native" for machine code wherever it can be had, "python" for plain Python,
            "native-only" for an error wherever Python would run, "auto" for the usual choice.

    Raises:
        BadInput: for any other name.
    """
    token = _forced.set(_parsed(arm, "arm"))
    try:
        yield
    finally:
        _forced.reset(token)


class _Switch:
    """On, off, or as an environment variable says."""

    def __init__(self, env_var: str) -> None:
        self._value: Optional[bool] = None
        self._env_var = env_var

    def set(self, value: Optional[bool], env_var: Optional[str]) -> None:
        if value is not None and not isinstance(value, bool):
            raise BadInput(f"{value!r} is none of True, False and None")
        self._value = value
        if env_var is not None:
            self._env_var = env_var

    def get(self) -> bool:
        if self._value is not None:
            return self._value
        return os.environ.get(self._env_var, "").strip().lower() in ("1", "true", "yes", "on")


_logging = _Switch("IRIS_JIT_LOG")
_quantum = _Switch("IRIS_JIT_QUANTUM")


def set_jit_logging(enabled: Optional[bool], env_var: Optional[str] = None) -> None:
    """Switch the log of the compute sidecar on or off.

    It tells on standard error what is compiled, what is refused and why, and which calls Python had
    to make again. Defects go to the logger `iris.jit` in any case.

    Args:
        enabled: True or False; None leaves it to the environment.
        env_var: The variable to look at from now on; IRIS_JIT_LOG unless changed.

    Never blocks; may be called from any thread.
    """
    _logging.set(enabled, env_var)


def get_jit_logging() -> bool:
    """Whether the log is on."""
    return _logging.get()


def set_quantum_speculation(enabled: Optional[bool], env_var: Optional[str] = None) -> None:
    """Switch the choice between several compiled variants on or off.

    There is one compiled variant of each signature in this version, so nothing depends on this
    yet.

    Args:
        enabled: True or False; None leaves it to the environment.
        env_var: The variable to look at from now on; IRIS_JIT_QUANTUM unless changed.

    Never blocks; may be called from any thread.
    """
    _quantum.set(enabled, env_var)


def get_quantum_speculation() -> bool:
    """Whether the choice between several variants is on."""
    return _quantum.get()


def log(message: str, *arguments: object) -> None:
    """Write a line of the log, if it is on."""
    if _logging.get():
        sys.stderr.write(f"iris.jit: {message % arguments}\n")


def defect(message: str, *arguments: object, with_traceback: bool = False) -> None:
    """Tell the logger `iris.jit` of a defect, which nobody has switched on."""
    import logging  # on use: it takes a part of every first call

    logging.getLogger("iris.jit").error(message, *arguments, exc_info=with_traceback)
