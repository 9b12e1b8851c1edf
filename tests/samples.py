"""Pages with samples: the programs on a page of documentation, and what they should print.

Each sample is a whole program and runs in an interpreter of its own, as its reader would run
it; in the patched environment it is patched there, too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 100.0
"""Under the watchdog of a test, so that a sample that hangs is named by its own failure."""


class Sample(NamedTuple):
    """One program of a page."""

    heading: str
    code: str
    expected: str


def name_of(sample: Sample) -> str:
    """What a test of this sample is called."""
    return sample.heading.replace(" ", "-")


def blocks(page: str) -> list[tuple[str, str, str]]:
    """All fenced blocks: the heading above, the language, the text."""
    found = []
    for fence in FENCE.finditer(page):
        headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page[: fence.start()]), re.MULTILINE)
        found.append((headings[-1], fence[1], fence[2]))
    return found


def samples(page: str) -> list[Sample]:
    """Each Python block with the block after it."""
    fences = blocks(page)
    return [
        Sample(heading, code, fences[place + 1][2])
        for place, (heading, language, code) in enumerate(fences)
        if language == "python"
    ]


def check_each_shows_its_output(page: str, least: int) -> None:
    """Every Python block, and there are so many, has a block of text after it."""
    languages = [language for _, language, _ in blocks(page)]
    assert languages.count("python") >= least
    below = [after for before, after in zip(languages, languages[1:]) if before == "python"]
    assert below == ["text"] * languages.count("python")


def check_prints_what_is_shown(sample: Sample, folder: Path) -> None:
    """Run the program in a folder: it prints what stands below it, and nothing else."""
    program = folder / "sample.py"
    program.write_text(sample.code, encoding="utf-8")
    patched = ["-m", "gevent.monkey"] if "IRIS_TEST_PATCHED" in os.environ else []
    run = subprocess.run(
        [sys.executable, *patched, str(program)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=folder,
    )
    assert run.stdout == sample.expected, run.stdout + run.stderr
    assert (run.stderr, run.returncode) == ("", 0)


def rows(page: str, first_cells: str) -> list[list[str]]:
    """The rows of the table whose heading begins with these cells; without backticks."""
    lines = iter(page.splitlines())
    next(line for line in lines if line.startswith(first_cells))
    next(lines)  # the rule below the heading
    table = []
    for line in lines:
        if not line.startswith("|"):
            return table
        table.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return table
