"""`iris doctor`: what this machine, interpreter and installation give Iris to work with.

Facts are gathered as plain values, section by section, so that the text and the JSON say
the same. Nothing here raises: a fact that cannot be had is None ("unknown"), and a
runtime that does not work is a failed self-check with its error.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Callable

import iris
from iris import jit
from iris.config import BUDGET_DEFAULT, Config, release_gil_limits
from iris.errors import BadInput
from iris.run import clock
from iris.run.threads import default_pull_threads_max
from iris.screen import Screen

try:
    import resource
except ImportError:  # Not a Unix.
    resource = None  # type: ignore[assignment]

PACKAGES = ("gevent", "greenlet", "msgpack", "cffi")

KERNEL_THREADS_MAX = Path("/proc/sys/kernel/threads-max")
MEMORY_MAPS_MAX = Path("/proc/sys/vm/max_map_count")
CGROUP_PIDS_MAX = Path("/sys/fs/cgroup/pids.max")

SELF_CHECK_TIMEOUT_S = 10.0

NO_VALUE = {
    "versions": "not installed",
    "defaults": "none",
    "compute": "none",
    "self-check": "none",
}
"""What None means in a section, for people; elsewhere the fact could not be had."""

Section = dict[str, Any]


def examine(new_runtime: Callable[[], iris.Runtime] = iris.Runtime) -> dict[str, Section]:
    """Gather all facts, and try one actor on a new runtime."""
    # First: it loads gevent, which the hub section then finds.
    self_check = _self_check(new_runtime)
    return {
        "interpreter": _interpreter(),
        "platform": _platform(),
        "versions": _versions(),
        "hub": _hub(),
        "limits": _limits(),
        "defaults": _defaults(),
        "compute": _compute(),
        "self-check": self_check,
    }


def show(facts: dict[str, Section], screen: Screen) -> None:
    """Print the facts for people."""
    width = max(len(name) for section in facts.values() for name in section)
    for title, section in facts.items():
        screen.line(screen.paint(title, "strong"))
        for name, value in section.items():
            text = _as_text(value, NO_VALUE.get(title, "unknown"))
            if (title, name) == ("self-check", "result"):
                text = screen.paint(text, "good" if value == "ok" else "bad")
            screen.line(f"  {name.ljust(width)}  {text}")


def is_healthy(facts: dict[str, Section]) -> bool:
    """Whether the self-check went well."""
    return bool(facts["self-check"]["result"] == "ok")


def _self_check(new_runtime: Callable[[], iris.Runtime]) -> Section:
    """Start a runtime, spawn an actor, send it a message, shut down."""
    started = clock.monotonic()
    received: list[Any] = []
    try:
        with new_runtime() as rt:
            pid = rt.spawn(received.append)
            accepted = rt.send(pid, b"are you there?")
            at_rest = rt.quiesce(SELF_CHECK_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - whatever it is, reporting it is the job here.
        return {"result": "failed", "error": f"{type(error).__name__}: {error}", "took_ms": None}
    took_ms = round((clock.monotonic() - started) * 1000, 1)
    if accepted and at_rest and received == [b"are you there?"]:
        return {"result": "ok", "error": None, "took_ms": took_ms}
    error_text = f"accepted={accepted}, at rest={at_rest}, {len(received)} messages handled"
    return {"result": "failed", "error": error_text, "took_ms": took_ms}


def _interpreter() -> Section:
    return {
        "name": platform.python_implementation(),
        "version": platform.python_version(),
        "build": " ".join(sys.version.split()),
        "executable": sys.executable,
        "gil": _gil(),
    }


def _gil() -> str:
    # Since 3.13 a build may run without it; everyone else has it.
    enabled = getattr(sys, "_is_gil_enabled", None)
    return "on" if enabled is None or enabled() else "off"


def _platform() -> Section:
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "cpus_usable": len(affinity(0)) if affinity else None,
    }


def _versions() -> Section:
    found: Section = {"iris": iris.version(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _hub() -> Section:
    # Looked up and not imported: only `iris.run` imports gevent, and the self-check has made
    # it do so. Not there means that the self-check failed, which is reported beside this.
    config = getattr(sys.modules.get("gevent"), "config", None)
    loop = getattr(config, "loop", None)
    patched = sys.modules.get("gevent.monkey")
    return {
        "loop": None if loop is None else f"{loop.__module__}.{loop.__name__}",
        "backend": None if loop is None else _backend(loop.__module__),
        "monkey_patched": bool(patched and patched.is_module_patched("threading")),
    }


def _backend(module: str) -> str:
    return next((name for name in ("libev", "libuv") if name in module), "unknown")


def _limits() -> Section:
    return {
        "threads_of_user": _rlimit("RLIMIT_NPROC"),
        "threads_of_kernel": _number_in(KERNEL_THREADS_MAX),
        "threads_of_cgroup": _number_in(CGROUP_PIDS_MAX),
        "memory_maps": _number_in(MEMORY_MAPS_MAX),
        "open_files": _rlimit("RLIMIT_NOFILE"),
        "stack_bytes": _rlimit("RLIMIT_STACK"),
        "recursion": sys.getrecursionlimit(),
    }


def _defaults() -> Section:
    # What a `Runtime()` made here would have: the threads depend on the limits above.
    options = Config()
    facts = {
        "budget": BUDGET_DEFAULT,
        **asdict(options),
        "pull_threads_max": default_pull_threads_max(),
    }
    if options.stop_word is not None:
        facts["stop_word"] = options.stop_word.decode()
    return {**facts, **_release_gil(options)}


def _release_gil(options: Config) -> Section:
    try:
        limits = release_gil_limits(options, os.environ, os.cpu_count() or 1)
    except BadInput:
        # A variable of the environment is no good; the self-check has failed by it and says so.
        names = ("release_gil_max_threads", "release_gil_pool_size", "release_gil_strict")
        return dict.fromkeys(names, "unknown")
    return {
        "release_gil_max_threads": limits.max_threads,
        "release_gil_pool_size": limits.pool_size,
        "release_gil_strict": limits.strict,
    }


def _compute() -> Section:
    reason = jit.why_unavailable()
    return {
        "sidecar": "available" if reason is None else "not available: plain Python serves",
        "reason": reason,
    }


def _rlimit(name: str) -> Any:
    """The soft limit; "unlimited" for none, None where the platform has no such limit."""
    which = getattr(resource, name, None)
    if which is None:
        return None
    soft, _ = resource.getrlimit(which)
    return "unlimited" if soft == resource.RLIM_INFINITY else soft


def _number_in(path: Path) -> Any:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    if text == "max":
        return "unlimited"
    return int(text) if text.isdigit() else None


def _as_text(value: Any, no_value: str) -> str:
    if value is None:
        return no_value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
