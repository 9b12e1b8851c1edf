"""Puts the compute sidecar into the wheel: builds the crate, and Python's view of its header.

Both land in `iris/jit/`, from where an editable install uses them; git ignores them there. The
wheel then is one for CPython and PyPy alike, for this platform. IRIS_JIT_BUILD says how much this
matters:

    auto     (or nothing) without a compiler, the crates or cffi: a warning, and a pure wheel
    require  the same is an error
    skip     a pure wheel

Cargo keeps its work in `jitshim/target`, or where CARGO_TARGET_DIR says; a stamp there tells what
the library was built from, so that nothing is started when nothing has changed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "IRIS_JIT_BUILD"
MODES = ("auto", "require", "skip")
MACHINES = ("x86_64", "aarch64")
MODULE = "iris.jit._declarations"
LIBRARY = "libjitshim.so"
STAMP = "iris-stamp"
MARKS = ("/* cffi: begin */", "/* cffi: end */")
OUTPUT_LINES = 30


class CannotBuild(Exception):
    """The sidecar cannot be built here; the message says why."""


class SidecarHook(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """What hatchling calls before it makes a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and tell the builder what belongs to the wheel and what the wheel is for."""
        mode = os.environ.get(VARIABLE) or "auto"
        if mode not in MODES:
            raise ValueError(f"{VARIABLE}={mode} is none of {', '.join(MODES)}")
        if mode == "skip":
            return
        crate, package = Path(self.root, "jitshim"), Path(self.root, "iris", "jit")
        try:
            check_platform()
            declarations = package / "_declarations.py"
            write_declarations(crate / "jitshim.h", declarations)
            library = package / LIBRARY
            install(build(crate), library)
        except CannotBuild as reason:
            if mode == "require":
                raise
            self.app.display_warning(warning(str(reason)))
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        if version != "editable":
            # Named one by one, so that a build without the sidecar leaves out what another has
            # put there (pyproject.toml excludes them).
            for path in (declarations, library):
                build_data["force_include"][str(path)] = path.relative_to(self.root).as_posix()


def warning(reason: str) -> str:
    """A reason, so that it is seen among everything that a build prints."""
    line = "!" * 88
    text = (
        "The compute sidecar of Iris is NOT part of this wheel:",
        *(f"  {one}" for one in reason.splitlines()),
        "Iris works without it: offloaded functions run as plain Python. To see this as an",
        f"error, build with {VARIABLE}=require; to do without on purpose, with {VARIABLE}=skip.",
    )
    return "\n".join(("", line, *text, line))


def check_platform() -> None:
    """Refuse where the sidecar does not run."""
    if platform.system() != "Linux" or platform.machine() not in MACHINES:
        here = f"{platform.system()} on {platform.machine()}"
        raise CannotBuild(f"it runs on Linux on {' and '.join(MACHINES)}, and this is {here}")


def platform_tag() -> str:
    """The last part of the wheel's name."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def write_declarations(header: Path, target: Path) -> None:
    """Write the module that cffi needs instead of the header, unless it is there already."""
    try:
        from cffi import FFI
    except ImportError as error:
        raise CannotBuild(f"cffi is needed to read {header.name}: {error}") from None
    text = header.read_text(encoding="utf-8")
    ffi = FFI()
    ffi.set_source(MODULE, None)
    ffi.cdef(text[text.index(MARKS[0]) + len(MARKS[0]) : text.index(MARKS[1])])
    # cffi leaves a file alone that has the right text.
    ffi.emit_python_code(str(target))


def build(crate: Path) -> Path:
    """Build the library, if anything that it is made from has changed; its path."""
    given = os.environ.get("CARGO_TARGET_DIR")
    release = (Path(given) if given else crate / "target").absolute() / "release"
    library, stamp = release / LIBRARY, release / STAMP
    made_from = digest(crate)
    if library.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == made_from:
        return library
    cargo = shutil.which("cargo") or shutil.which("cargo", path=Path.home() / ".cargo" / "bin")
    if cargo is None:
        raise CannotBuild("there is no cargo (see https://rustup.rs)")
    command = [cargo, "build", "--release", "--locked", "--target-dir", str(release.parent)]
    # In the crate's folder, where cargo looks for its configuration and rustup for the toolchain.
    done = subprocess.run(
        command, cwd=crate, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        end = done.stdout.splitlines()[-OUTPUT_LINES:]
        raise CannotBuild("\n".join((f"{' '.join(command)} has failed:", *end)))
    stamp.write_text(made_from, encoding="ascii")
    return library


def digest(crate: Path) -> str:
    """A digest of all that the library is made from."""
    files = [crate / "Cargo.toml", crate / "Cargo.lock", *sorted(crate.glob("src/**/*.rs"))]
    total = hashlib.sha256()
    for path in files:
        data = path.read_bytes()
        total.update(f"{path.relative_to(crate).as_posix()} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def install(built: Path, target: Path) -> None:
    """Put the library in its place: a new file, since processes may be running the old one."""
    if target.exists() and target.read_bytes() == built.read_bytes():
        return
    new = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copyfile(built, new)
    os.replace(new, target)
