"""The README keeps its word: its samples print what stands below them, its tables are true.

The samples are run by tests/samples.py.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import iris
from iris.config import Config

from .samples import (
    Sample,
    blocks,
    check_each_shows_its_output,
    check_prints_what_is_shown,
    name_of,
    rows,
    samples,
)

TESTS = Path(__file__).resolve().parent
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")

COMMANDS = [
    "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/iris demo\n",
    "python3 -m venv .venv-tox && .venv-tox/bin/pip install -q tox && .venv-tox/bin/tox\n",
]


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
    assert [text for _, language, text in blocks(README) if language == "bash"] == COMMANDS
    assert [language for _, language, _ in blocks(README)][:2] == ["bash", "bash"]


def test_each_sample_shows_its_output() -> None:
    check_each_shows_its_output(README, least=10)


@pytest.mark.live
@pytest.mark.parametrize("sample", samples(README), ids=name_of)
def test_a_sample_prints_what_is_shown(sample: Sample, tmp_path: Path) -> None:
    if "explain(" in sample.code and not iris.jit.available():
        pytest.skip(f"no compute sidecar here: {iris.jit.why_unavailable()}")
    check_prints_what_is_shown(sample, tmp_path)


def test_the_table_of_the_api_is_the_one_the_docstrings_give() -> None:
    api = load(TESTS / "readme_api.py")
    assert api.updated(README) == README, "run: python tests/readme_api.py --write"


def test_every_counter_of_stats_is_explained() -> None:
    with iris.Runtime() as rt:
        assert [row[0] for row in rows(README, "| name | what it counts")] == list(rt.stats())


def test_the_limits_are_those_of_the_code() -> None:
    stated = {name: value for name, value, _ in rows(README, "| limit | value")}
    assert stated == {name: str(constant(name)) for name in stated}


def test_every_limit_of_the_configuration_is_stated() -> None:
    stated = {name for name, _, _ in rows(README, "| limit | value")}
    config = importlib.import_module("iris.config")
    assert {f"iris.config.{name}" for name in vars(config) if name.isupper()} <= stated


def test_the_options_are_those_of_a_runtime() -> None:
    stated = [(name, value) for name, value, _ in rows(README, "| option | default")]
    assert stated == [(field.name, repr(field.default)) for field in dataclasses.fields(Config)]
