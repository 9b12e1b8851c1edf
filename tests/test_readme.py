"""The README keeps its word: its samples print what stands below them, its tables are true.

Each sample is a whole program and runs in an interpreter of its own, as its reader would run
it; in the patched environment it is patched there, too.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import iris
from iris.config import Config

TESTS = Path(__file__).resolve().parent
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 100.0
"""Under the watchdog of a test, so that a sample that hangs is named by its own failure."""

COMMANDS = [
    "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/iris demo\n",
    "python3 -m venv .venv-tox && .venv-tox/bin/pip install -q tox && .venv-tox/bin/tox\n",
]


class Sample(NamedTuple):
    """One program of the README."""

    heading: str
    code: str
    expected: str


def blocks() -> list[tuple[str, str, str]]:
    """All fenced blocks: the heading above, the language, the text."""
    found = []
    for fence in FENCE.finditer(README):
        headings = re.findall(r"^#+ (.*)$", FENCE.sub("", README[: fence.start()]), re.MULTILINE)
        found.append((headings[-1], fence[1], fence[2]))
    return found


def samples() -> list[Sample]:
    """Each Python block with the block after it."""
    fences = blocks()
    return [
        Sample(heading, code, fences[place + 1][2])
        for place, (heading, language, code) in enumerate(fences)
        if language == "python"
    ]


def rows(first_cells: str) -> list[list[str]]:
    """The rows of the table whose heading begins with these cells."""
    lines = iter(README.splitlines())
    next(line for line in lines if line.startswith(first_cells))
    next(lines)  # the rule below the heading
    table = []
    for line in lines:
        if not line.startswith("|"):
            return table
        table.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return table


def load(path: Path) -> ModuleType:
    """Load a file that stands beside the tests and belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def constant(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def test_the_first_two_commands_are_the_ones_for_a_fresh_machine() -> None:
    assert [text for _, language, text in blocks() if language == "bash"] == COMMANDS
    assert [language for _, language, _ in blocks()][:2] == ["bash", "bash"]


def test_each_sample_shows_its_output() -> None:
    languages = [language for _, language, _ in blocks()]
    assert languages.count("python") >= 10
    below = [after for before, after in zip(languages, languages[1:]) if before == "python"]
    assert below == ["text"] * languages.count("python")


@pytest.mark.live
@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.heading.replace(" ", "-"))
def test_a_sample_prints_what_is_shown(sample: Sample, tmp_path: Path) -> None:
    program = tmp_path / "sample.py"
    program.write_text(sample.code, encoding="utf-8")
    patched = ["-m", "gevent.monkey"] if "IRIS_TEST_PATCHED" in os.environ else []
    run = subprocess.run(
        [sys.executable, *patched, str(program)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=tmp_path,
    )
    assert run.stdout == sample.expected, run.stderr
    assert (run.stderr, run.returncode) == ("", 0)


def test_the_table_of_the_api_is_the_one_the_docstrings_give() -> None:
    api = load(TESTS / "readme_api.py")
    assert api.updated(README) == README, "run: python tests/readme_api.py --write"


def test_every_counter_of_stats_is_explained() -> None:
    with iris.Runtime() as rt:
        assert [row[0] for row in rows("| name | what it counts")] == list(rt.stats())


def test_the_limits_are_those_of_the_code() -> None:
    stated = {name: value for name, value, _ in rows("| limit | value")}
    assert stated == {name: str(constant(name)) for name in stated}


def test_every_limit_of_the_configuration_is_stated() -> None:
    stated = {name for name, _, _ in rows("| limit | value")}
    config = importlib.import_module("iris.config")
    assert {f"iris.config.{name}" for name in vars(config) if name.isupper()} <= stated


def test_the_options_are_those_of_a_runtime() -> None:
    stated = [(name, value) for name, value, _ in rows("| option | default")]
    assert stated == [(field.name, repr(field.default)) for field in dataclasses.fields(Config)]
