"""Run one workload of one system in this process and print one JSON line.

`python -m bench.child SIDE WORKLOAD N REPEATS`: a process of its own gives each figure a clean
interpreter and clean memory. The line is one of
`{"n": ..., "repeats": [figures, ...]}`, `{"na": reason}` and `{"skip": true}` (the workload is not
meant for this side). `python -m bench.child describe` prints the interpreter and the versions of
what it can import.
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import json
import os
import platform
import sys
from typing import Any, Callable

from bench.gauges import Figures

SIDES: dict[str, list[str]] = {
    "iris": [
        "bench.workloads.messages",
        "bench.workloads.memory",
        "bench.workloads.timing",
        "bench.workloads.supervision",
        "bench.workloads.mesh",
    ],
    "gevent": ["bench.peers.bare_gevent"],
    "asyncio": ["bench.peers.plain_asyncio", "bench.peers.asyncio_streams"],
    "pykka": ["bench.peers.pykka_actors"],
    "threads": ["bench.peers.plain_threads"],
    "sockets": ["bench.peers.plain_sockets"],
    "erlang": ["bench.peers.erlang", "bench.peers.erlang_mesh"],
}
"""Side -> the modules that hold its workloads."""


def fresh(function: Callable[[int], Figures], n: int) -> Figures:
    """Run a workload once, without the garbage of the run before it."""
    gc.collect()
    return function(n)


def run(side: str, workload: str, n: int, repeats: int) -> dict[str, Any]:
    """Run one workload and return the line to print."""
    for name in SIDES[side]:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            return {"na": f"{error.name} is not installed for this interpreter"}
        reason = getattr(module, "NOT_FEASIBLE", {}).get(workload)
        if reason:
            return {"na": reason}
        n = min(n, getattr(module, "LIMITS", {}).get(workload, n))
        repeats = min(repeats, getattr(module, "REPEATS_MAX", {}).get(workload, repeats))
        repeated = getattr(module, "REPEATED", {}).get(workload)
        if repeated:
            return {"n": n, "repeats": repeated(n, repeats)}
        function = getattr(module, "WORKLOADS", {}).get(workload)
        if function:
            return {"n": n, "repeats": [fresh(function, n) for _ in range(repeats)]}
    return {"skip": True}


def version_of(name: str) -> str | None:
    """Return the version of a package, asked of the package first: the `iris` of a checkout has no
    metadata."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    version = getattr(module, "version", None) or getattr(module, "__version__", None)
    if callable(version):
        version = version()
    if isinstance(version, str):
        return version
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def describe() -> dict[str, Any]:
    """Return what this interpreter is and what it can import."""
    implementation = sys.implementation.name
    label = f"{platform.python_implementation()} {platform.python_version()}"
    if implementation == "pypy":
        label += " ({}.{}.{})".format(*sys.pypy_version_info[:3])  # type: ignore[attr-defined]
    versions = {
        name: version_of(name) for name in ("iris", "gevent", "greenlet", "msgpack", "pykka")
    }
    return {"implementation": implementation, "label": label, "versions": versions}


def main(arguments: list[str]) -> None:
    """Print the line and leave at once: taking a million actors down is not measured here."""
    if arguments == ["describe"]:
        line = describe()
    else:
        side, workload, n, repeats = arguments
        line = run(side, workload, int(n), int(repeats))
    print(json.dumps(line), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
