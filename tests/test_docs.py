"""The pages under docs/ say what is the case: links, names of files and functions, quoted code.

A page names a file as `iris/run/turn.py`, a function of it as `iris/run/turn.py:make_slice`,
and quotes code in a block whose first line is the name of the file.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from iris.core.cell import TRANSITIONS, Event, State

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:iris|tests|bench|docs|jitshim|\.ci)/[\w./-]+\.\w+)(?::([\w.]+))?`")
QUOTE = re.compile(r"^```python\n# (iris/\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The fragments that a link to a page may have."""
    titles = HEADING.findall(re.sub(r"^```.*?^```$", "", text_of(page), flags=re.M | re.S))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@cache
def definitions(path: Path) -> frozenset[str]:
    """All classes and functions of a file by their dotted names, nested ones too."""
    found = set()

    def visit(node: ast.AST, above: str) -> None:
        for child in ast.iter_child_nodes(node):
            inside = above
            if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
                found.add(above + child.name)
                inside = f"{above}{child.name}."
            visit(child, inside)

    visit(ast.parse(text_of(path)), "")
    return frozenset(found)


def test_there_are_pages() -> None:
    names = {name_of(page) for page in PAGES}
    assert {"README.md", "CHANGELOG.md", "docs/ARCHITECTURE.md"} <= names
    assert len([name for name in names if name.startswith("docs/adr/")]) >= 6


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        goal = page if not path else page.parent / path
        if not goal.exists() or (fragment and fragment not in anchors(goal)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_functions_that_are_named_exist(page: Path) -> None:
    missing = []
    for path, function in NAMED.findall(text_of(page)):
        goal = ROOT / path
        if not goal.is_file() or (function and function not in definitions(goal)):
            missing.append(f"{path}:{function}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_that_is_quoted_stands_in_the_code_in_this_order(page: Path) -> None:
    for path, quoted in QUOTE.findall(text_of(page)):
        source = iter([line.strip() for line in text_of(ROOT / path).splitlines()])
        left_out = [line for line in map(str.strip, quoted.splitlines()) if line not in source]
        assert left_out == [], f"not in this order in {path}"


def test_every_module_is_on_the_map() -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "iris").rglob("*.py")}
    modules.discard("iris/jit/_declarations.py")  # made by the build
    modules |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "jitshim/src").glob("*.rs")}
    named = {path for path, _ in NAMED.findall(text_of(ARCHITECTURE))}
    assert modules <= named, sorted(modules - named)


def test_the_decisions_are_listed_in_their_order() -> None:
    pages = sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert [int(name[:4]) for name in pages] == list(range(1, len(pages) + 1))
    listed = [link for link in LINK.findall(text_of(ARCHITECTURE)) if link.startswith("adr/")]
    assert listed[-len(pages) :] == [f"adr/{name}" for name in pages]


def test_the_states_of_a_cell_are_those_of_the_code() -> None:
    page = text_of(ROOT / "docs" / "adr" / "0003-states-of-a-cell.md")
    table = page.partition("<!-- states:begin -->")[2].partition("<!-- states:end -->")[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    heading, _, *rows = lines
    assert heading == ["state", *(f"{event.name}: {event.value}" for event in Event)]
    expected = []
    for state in State:
        following = (TRANSITIONS.get((state, event)) for event in Event)
        expected.append([state.value, *("-" if to is None else to.value for to in following)])
    assert rows == expected
