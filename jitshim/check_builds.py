"""Builds the sdist and, from what is in it and nothing else, each kind of wheel; checks them.

tox runs it (`tox -e sdist`), with the folder to work in as its argument.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
WHEEL_BYTES_MAX = 2_500_000
NEEDED = ("Cargo.toml", "Cargo.lock", "jitshim.h", "hatch_build.py", "src/lib.rs")
PACKED = {"iris/jit/libjitshim.so", "iris/jit/_declarations.py"}
TRY = "from iris import jit; print(jit.why_unavailable())"


# What cargo has made of Cranelift for the checkout serves here too, or this would take minutes.
CARGO_TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or CHECKOUT / "jitshim" / "target")


def build(kind: str, source: Path, target: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run `python -m build` in this environment, which has what the build needs."""
    command = [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", target, source]
    return subprocess.run(
        command,
        env={**os.environ, "CARGO_TARGET_DIR": str(CARGO_TARGET), **environment},
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def wheel_of(source: Path, target: Path, **environment: str) -> tuple[Path, str]:
    """A wheel, and what the build has printed."""
    done = build("--wheel", source, target, **environment)
    if done.returncode:
        sys.exit(f"no wheel with {environment}:\n{done.stdout}")
    (found,) = target.glob("*.whl")
    return found, done.stdout


def must(good: bool, complaint: str) -> None:
    """End with a complaint unless something is so."""
    if not good:
        sys.exit(complaint)


def answer_of(wheel: Path, folder: Path) -> str:
    """What an installation of a wheel says of its sidecar."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True)
    return subprocess.check_output([python, "-c", TRY], text=True, cwd=folder).strip()


def main(work: Path) -> None:
    """Build and check everything in a fresh folder."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    done = build("--sdist", CHECKOUT, work)
    must(done.returncode == 0, f"no sdist:\n{done.stdout}")
    (sdist,) = work.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    source = work / sdist.name[: -len(".tar.gz")]
    for name in NEEDED:
        must((source / "jitshim" / name).is_file(), f"{sdist.name} has no jitshim/{name}")
    must(not any((source / name).exists() for name in PACKED), "the sdist holds what is built")

    # The crate itself is to be compiled from the sdist, and not to be taken as it is.
    (CARGO_TARGET / "release" / "iris-stamp").unlink(missing_ok=True)
    wheel, _ = wheel_of(source, work / "require", IRIS_JIT_BUILD="require")
    must(re.search(r"-py3-none-linux_\w+\.whl$", wheel.name) is not None, wheel.name)
    size = wheel.stat().st_size
    must(size <= WHEEL_BYTES_MAX, f"{wheel.name} has {size} bytes, more than {WHEEL_BYTES_MAX}")
    must(set(zipfile.ZipFile(wheel).namelist()) >= PACKED, f"{wheel.name} holds no sidecar")
    said = answer_of(wheel, work / "venv")
    must(said == "None", f"installed from {wheel.name}, there is no sidecar: {said}")

    # A machine without cargo, and a crate that has not been built.
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(work), "CARGO_TARGET_DIR": str(work / "none")}
    if shutil.which("cargo", path=bare["PATH"]) is None:
        pure, printed = wheel_of(source, work / "auto", IRIS_JIT_BUILD="auto", **bare)
        must(pure.name.endswith("-py3-none-any.whl"), pure.name)
        must("NOT part of this wheel" in printed, f"no warning:\n{printed}")
        failed = build("--wheel", source, work / "fails", IRIS_JIT_BUILD="require", **bare)
        must(failed.returncode != 0, "require was content without cargo")
        must("there is no cargo" in failed.stdout, f"no reason:\n{failed.stdout}")
    pure, printed = wheel_of(source, work / "skip", IRIS_JIT_BUILD="skip", **bare)
    must(pure.name.endswith("-py3-none-any.whl"), pure.name)
    must("!!!" not in printed, f"a warning for what was asked for:\n{printed}")
    must(not PACKED & set(zipfile.ZipFile(pure).namelist()), f"{pure.name} holds a sidecar")
    sys.stdout.write(f"{sdist.name} builds {wheel.name} ({size} bytes) and {pure.name}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute() / "builds")
