"""What is installed, where it came from, and that importing it does nothing.

The import is looked at in a fresh interpreter: in this one pytest has imported half of the
standard library, and the patched environment has imported gevent before anything else.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import iris

CHECKOUT = Path(__file__).resolve().parents[1]
INSTALLED = Path(iris.__file__).resolve().parent

under_tox = pytest.mark.skipif(
    "TOX_ENV_NAME" not in os.environ, reason="only tox promises that the wheel is installed"
)


@under_tox
def test_iris_comes_from_the_wheel_and_not_from_the_checkout() -> None:
    assert Path(sysconfig.get_path("purelib")).resolve() == INSTALLED.parent
    assert INSTALLED != CHECKOUT / "iris"
    assert str(CHECKOUT) not in sys.path


@under_tox
def test_the_wheel_holds_every_file_of_the_package() -> None:
    def files(root: Path) -> set[str]:
        found = (path for path in root.rglob("*") if path.is_file())
        return {
            path.relative_to(root).as_posix()
            for path in found
            if "__pycache__" not in path.parts and not path.name.startswith(".")
        }

    assert files(INSTALLED) == files(CHECKOUT / "iris")


@pytest.mark.parametrize("name", ["socket", "threading", "time", "queue", "subprocess"])
def test_only_the_patched_environment_is_patched(name: str) -> None:
    from gevent import monkey

    assert monkey.is_module_patched(name) is ("IRIS_TEST_PATCHED" in os.environ)


def test_type_checkers_see_the_annotations() -> None:
    assert (INSTALLED / "py.typed").is_file()


def test_the_version_is_the_one_of_the_distribution() -> None:
    assert iris.version() == importlib.metadata.version("iris-actors")


def test_the_command_iris_is_installed() -> None:
    scripts = importlib.metadata.distribution("iris-actors").entry_points
    assert [(s.name, s.value) for s in scripts if s.group == "console_scripts"] == [
        ("iris", "iris.cli:main")
    ]


# Runs in a fresh interpreter. It compares before with after instead of asking for absence,
# because an interpreter may bring some of it along: PyPy has cffi and greenlet built in.
PROBE = """
import builtins, json, os, queue, select, signal, socket, ssl, subprocess, sys, threading, time

PATCHABLE = (builtins, os, queue, select, signal, socket, ssl, subprocess, sys, threading, time)
# What the import system and the interpreter itself replace as they go.
MOVING = {"last_traceback", "last_type", "last_value", "path_importer_cache", "modules"}

def patchable():
    return {
        (module.__name__, name): value
        for module in PATCHABLE
        for name, value in vars(module).items()
        if name not in MOVING
    }

def os_threads():
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1

def handlers():
    return {number: signal.getsignal(number) for number in signal.valid_signals()}

modules, objects, threads, signals = set(sys.modules), patchable(), os_threads(), handlers()
import iris
after = patchable()
print(json.dumps({
    "modules": sorted(set(sys.modules) - modules),
    "patched": sorted(".".join(k) for k in after if k not in objects or after[k] is not objects[k]),
    "threads": threading.active_count() + os_threads() - threads,
    "signals": sorted(int(n) for n, handler in handlers().items() if handler is not signals[n]),
}))
"""


def fresh_import() -> dict[str, Any]:
    # -I leaves out the environment's settings and the current folder.
    run = subprocess.run(
        [sys.executable, "-I", "-c", PROBE], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_importing_iris_loads_neither_gevent_nor_cffi_and_starts_nothing() -> None:
    found = fresh_import()
    on_first_use = {"gevent", "greenlet", "cffi", "_cffi_backend"}
    assert on_first_use.isdisjoint(name.partition(".")[0] for name in found["modules"])
    assert found["threads"] == 1
    assert found["patched"] == []
    assert found["signals"] == []
