"""Who may import whom, and who may touch threads, sockets, clocks and foreign code.

The rules are the two tables below; the rest reads the sources of the checkout with `ast`,
so imports inside functions and under `TYPE_CHECKING` count as well. A module may import
modules of a lower layer, and of its own folder as long as no circle comes of it. A module
that stands in no row fails: whoever adds one decides where it belongs.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Optional

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "iris"

# A row names a module, or with `.*` all modules of a folder; a module's own row wins over
# its folder's. The page on architecture calls 5 to 8 one layer: they are told apart here
# because they lie in several folders and use each other's public names.
LAYERS: dict[str, int] = {
    # 0: words that everything else may use
    "iris._version": 0,
    "iris.config": 0,
    "iris.errors": 0,
    "iris.core.messages": 0,
    # 1: what things are; pure
    "iris.core.*": 1,
    "iris.observe.hooks": 1,
    "iris.mesh": 1,
    "iris.mesh.arrivals": 1,
    "iris.mesh.bonds": 1,
    "iris.mesh.credit": 1,
    "iris.mesh.departures": 1,
    "iris.mesh.discovery": 1,
    "iris.mesh.events": 1,
    "iris.mesh.fragments": 1,
    "iris.mesh.frames": 1,
    "iris.mesh.health": 1,
    "iris.mesh.hello": 1,
    "iris.mesh.keyring": 1,
    "iris.mesh.lanes": 1,
    "iris.mesh.limits": 1,
    "iris.mesh.payload": 1,
    "iris.mesh.protocol": 1,
    "iris.mesh.reading": 1,
    "iris.mesh.records": 1,
    "iris.mesh.requests": 1,
    "iris.mesh.secure": 1,
    "iris.mesh.session": 1,
    "iris.mesh.streams": 1,
    "iris.mesh.unfinished": 1,
    "iris.mesh.wire": 1,
    "iris.mesh.words": 1,
    "iris.jit.arguments": 1,
    "iris.jit.arith": 1,
    "iris.jit.controls": 1,
    "iris.jit.usage": 1,
    "iris.jit.build": 1,
    "iris.jit.calls": 1,
    "iris.jit.check": 1,
    "iris.jit.compare": 1,
    "iris.jit.describe": 1,
    "iris.jit.desugar": 1,
    "iris.jit.emitter": 1,
    "iris.jit.encode": 1,
    "iris.jit.expr": 1,
    "iris.jit.forms": 1,
    "iris.jit.functions": 1,
    "iris.jit.interp": 1,
    "iris.jit.interpreter": 1,
    "iris.jit.ir": 1,
    "iris.jit.iteration": 1,
    "iris.jit.kinds": 1,
    "iris.jit.loops": 1,
    "iris.jit.mathcalls": 1,
    "iris.jit.memory": 1,
    "iris.jit.names": 1,
    "iris.jit.operators": 1,
    "iris.jit.ranges": 1,
    "iris.jit.plan": 1,
    "iris.jit.reduce": 1,
    "iris.jit.refusal": 1,
    "iris.jit.report": 1,
    "iris.jit.rewrite": 1,
    "iris.jit.scope": 1,
    "iris.jit.scopes": 1,
    "iris.jit.source": 1,
    "iris.jit.sources": 1,
    "iris.jit.stmt": 1,
    "iris.jit.trees": 1,
    "iris.jit.unit": 1,
    "iris.jit.uses": 1,
    "iris.jit.values": 1,
    "iris.jit.vectors": 1,
    # 2: what runs them
    "iris.run.*": 2,
    # 3: what reaches out of the process, and what looks on
    "iris.screen": 3,
    "iris.mesh.backlog": 3,
    "iris.mesh.jam": 3,
    "iris.mesh.channel": 3,
    "iris.mesh.couplings": 3,
    "iris.mesh.dialect": 3,
    "iris.mesh.hosting": 3,
    "iris.mesh.inquiries": 3,
    "iris.mesh.keys": 3,
    "iris.mesh.kernel": 3,
    "iris.mesh.line": 3,
    "iris.mesh.link": 3,
    "iris.mesh.node": 3,
    "iris.mesh.outbox": 3,
    "iris.mesh.peer": 3,
    "iris.mesh.proxy": 3,
    "iris.mesh.questions": 3,
    "iris.mesh.server": 3,
    "iris.mesh.visit": 3,
    "iris.observe.*": 3,
    "iris.interop.*": 3,
    # 4: the ways into compiled code
    "iris.jit.shim": 3,
    "iris.jit.held": 3,
    "iris.jit.kernel": 3,
    "iris.jit.mathcheck": 3,
    "iris.jit.switches": 3,
    "iris.jit.ticks": 3,
    "iris.jit._declarations": 3,  # made by the build
    "iris.jit.stub": 3,
    "iris.jit.dispatch": 4,
    "iris.jit.decorator": 4,
    # 5: the parts put together
    "iris.assembly": 5,
    "iris.checks": 5,
    "iris.facade": 5,
    "iris.messaging": 5,
    "iris.remotes": 5,
    "iris.lowlevel": 5,
    "iris.runtime": 5,
    "iris.spawns": 5,
    "iris.supervisions": 5,
    "iris.supervisor": 5,
    "iris.system": 5,
    "iris.work": 5,
    "iris.jit": 5,
    # 6: the public names
    "iris": 6,
    # 7: users of the public names
    "iris.doctor": 7,
    "iris.testing": 7,
    "iris.testing.*": 7,
    "iris.demo.*": 7,
    # 8: the command
    "iris.cli": 8,
    "iris.__main__": 8,
}

# Inner folders hold a docstring and nothing else in their `__init__`, so that importing one
# of their modules imports no other and no circle can hide there. These are the exceptions.
PUBLIC_FOLDERS = {"iris", "iris.jit", "iris.testing"}

EFFECTS = ("iris.run.*", "iris.mesh.link", "iris.interop.*", "iris.jit.shim")

# What may be imported in a few places only, and where.
RESERVED: dict[str, tuple[str, ...]] = {
    "socket": ("iris.mesh.link",),
    "_socket": ("iris.mesh.link", "iris.mesh.kernel"),
    "gevent": EFFECTS,
    "greenlet": EFFECTS,
    "threading": EFFECTS,
    "_thread": EFFECTS,
    "time": ("iris.run.clock",),  # everything else takes `now`
    "cffi": ("iris.jit.shim",),
    "_cffi_backend": ("iris.jit.shim", "iris.jit._declarations"),
    "ctypes": ("iris.jit.stub", "iris.run.preempt"),
}

# Calls that import, or reach into, the module which their first argument names.
IMPORTERS = {"import_module", "__import__", "get_original", "_original"}

# What a pure module has no use for besides the above: a log line is an effect.
IMPURE = {"logging"}


class Import(NamedTuple):
    """One imported name, resolved: `from . import pid` in core/ gives `iris.core.pid`."""

    line: int
    target: str


class Source(NamedTuple):
    """One module of the package."""

    name: str
    is_folder: bool
    tree: ast.Module

    @property
    def folder(self) -> str:
        return self.name if self.is_folder else self.name.rpartition(".")[0]


def row_of(name: str, rows: Mapping[str, object]) -> Optional[str]:
    """The row that speaks for a module: its own, else that of the nearest folder above."""
    if name in rows:
        return name
    folder = name
    while "." in folder:
        folder = folder.rpartition(".")[0]
        if f"{folder}.*" in rows:
            return f"{folder}.*"
    return None


def read_package(root: Path) -> dict[str, Source]:
    """Parse all modules below a package's folder, by their dotted names."""
    sources = {}
    for path in sorted(root.rglob("*.py")):
        parts = list(path.relative_to(root.parent).with_suffix("").parts)
        is_folder = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_folder else parts)
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        sources[name] = Source(name, is_folder, tree)
    return sources


def imports_of(source: Source, known: Mapping[str, Source]) -> Iterator[Import]:
    """What a module imports, wherever in it the import stands.

    `from iris.core import pid` imports the module `iris.core.pid` where there is one, and a
    name out of `iris.core` where there is none. `import_module("gevent")` counts as well.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = source.folder.split(".")[: 1 - node.level or None]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                module = f"{base}.{alias.name}"
                yield Import(node.lineno, module if module in known else base)
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            called = called.id if isinstance(called, ast.Name) else called
            first = node.args[0]
            if called in IMPORTERS and isinstance(first, ast.Constant):
                yield Import(node.lineno, str(first.value))


def is_docstring_only(tree: ast.Module) -> bool:
    return len(tree.body) == 1 and ast.get_docstring(tree) is not None


def violations(sources: Mapping[str, Source]) -> list[str]:
    """Every broken rule, one line each, worded for whoever broke it."""
    found = []
    inside: dict[str, set[str]] = {name: set() for name in sources}
    for source in sources.values():
        if source.is_folder and source.name not in PUBLIC_FOLDERS:
            if not is_docstring_only(source.tree):
                found.append(f"{source.name}/__init__.py holds more than a docstring")
            continue
        row = row_of(source.name, LAYERS)
        if row is None:
            found.append(f"{source.name} has no layer; give it a row in LAYERS")
            continue
        for line, target in imports_of(source, sources):
            where = f"{source.name}:{line}"
            top = target.partition(".")[0]
            if top == "iris":
                inside[source.name].add(target)
                found += outside_layer(source, where, target, sources)
            elif row_of(source.name, dict.fromkeys(RESERVED.get(top, LAYERS))) is None:
                found.append(f"{where} imports {target}, which is for {', '.join(RESERVED[top])}")
            elif top in IMPURE and LAYERS[row] <= 1:
                found.append(f"{where} imports {target} into a pure module")
    try:
        graphlib.TopologicalSorter(inside).prepare()
    except graphlib.CycleError as error:
        found.append("modules import each other in a circle: " + " <- ".join(error.args[1]))
    return found


def outside_layer(
    source: Source, where: str, target: str, sources: Mapping[str, Source]
) -> Iterator[str]:
    """What is wrong with one import inside the package."""
    if target not in sources:
        yield f"{where} imports {target}, which does not exist"
        return
    if sources[target].is_folder and target not in PUBLIC_FOLDERS:
        yield f"{where} imports {target}, a folder without names of its own"
        return
    theirs, ours = row_of(target, LAYERS), row_of(source.name, LAYERS)
    if theirs is None or ours is None:
        return  # reported where the module itself is looked at
    same_folder = sources[target].folder == source.folder
    if LAYERS[theirs] > LAYERS[ours] or (LAYERS[theirs] == LAYERS[ours] and not same_folder):
        yield (
            f"{where} of layer {LAYERS[ours]} imports {target} of layer {LAYERS[theirs]}; "
            "let assembly.py hand it in"
        )


def test_the_package_keeps_its_layers() -> None:
    sources = read_package(PACKAGE)
    assert len(sources) > 1, "the sources of iris were not found"
    found = violations(sources)
    assert not found, "\n".join(found)


# The checker itself, on packages made up for it.


def package(**modules: str) -> dict[str, Source]:
    """Sources by name, `__` for a dot; a trailing underscore makes a folder's `__init__`."""
    sources = {"iris": Source("iris", True, ast.parse(""))}
    for written, text in modules.items():
        name = "iris." + written.rstrip("_").replace("__", ".")
        sources[name] = Source(name, written.endswith("_"), ast.parse(text))
    return sources


def test_a_clean_package_has_no_violation() -> None:
    assert (
        violations(
            package(
                errors="import math",
                core_='"""The map of the folder."""',
                core__pid="from iris.errors import IrisError\nfrom . import cell",
                core__cell="from .. import errors",
                run__clock="import time",
                run__hub="import threading\ndef f():\n    import gevent.monkey",
                runtime="from iris.run import hub\nfrom iris.core.pid import Pid",
                cli="import iris",
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("modules", "complaint"),
    [
        ({"core__pid": "import iris.run.hub", "run__hub": ""}, "of layer 1 imports iris.run.hub"),
        ({"core__pid": "from iris.run import hub", "run__hub": ""}, "imports iris.run.hub"),
        ({"core__pid": "from ..run.hub import x", "run__hub": ""}, "imports iris.run.hub"),
        ({"core__pid": "from .. import runtime", "runtime": ""}, "imports iris.runtime"),
        ({"core__pid": "from iris import Runtime"}, "of layer 1 imports iris of layer 6"),
        ({"core__pid": "import iris"}, "of layer 1 imports iris of layer 6"),
        (
            {"run__push": "def f():\n    from iris.mesh import link", "mesh__link": ""},
            "run.push:2 of layer 2 imports iris.mesh.link of layer 3",
        ),
        (
            {"run__push": "import importlib\nimportlib.import_module('iris.cli')", "cli": ""},
            "run.push:2 of layer 2 imports iris.cli of layer 8",
        ),
        (
            {"mesh__wire": "from iris.core import pid", "core__pid": ""},
            "of layer 1 imports iris.core.pid of layer 1",
        ),
        ({"core__pid": "from iris.core import gone"}, "a folder without names of its own"),
        ({"core__pid": "from iris.gone import Pid"}, "imports iris.gone, which does not exist"),
        ({"core__a": "import iris.core.b", "core__b": "import iris.core.a"}, "in a circle"),
        ({"core__a": "import iris.core.a"}, "in a circle"),
        ({"novelty": ""}, "iris.novelty has no layer"),
        ({"mesh__novelty": ""}, "iris.mesh.novelty has no layer"),
        ({"core_": "from iris.core.pid import Pid", "core__pid": ""}, "more than a docstring"),
        ({"core__timers": "import time"}, "imports time, which is for iris.run.clock"),
        ({"run__hub": "def f():\n    import time"}, "run.hub:2 imports time"),
        ({"cli": "from time import monotonic"}, "imports time"),
        ({"core__table": "import threading"}, "imports threading"),
        ({"core__table": "from _thread import allocate_lock"}, "imports _thread"),
        ({"testing__sim": "import greenlet"}, "imports greenlet"),
        ({"runtime": "import gevent.monkey"}, "imports gevent.monkey"),
        ({"runtime": "__import__('gevent')"}, "imports gevent"),
        ({"run__hub": "_original('time', 'sleep')"}, "imports time"),
        ({"mesh__node": "import socket"}, "imports socket, which is for iris.mesh.link"),
        ({"run__hub": "import cffi"}, "imports cffi"),
        ({"run__hub": "import ctypes.util"}, "imports ctypes.util"),
        ({"core__table": "import logging"}, "into a pure module"),
    ],
)
def test_each_broken_rule_is_found(modules: dict[str, str], complaint: str) -> None:
    found = violations(package(**{"core_": '"""The map of the folder."""', **modules}))
    assert len(found) == 1, found
    assert complaint in found[0]
