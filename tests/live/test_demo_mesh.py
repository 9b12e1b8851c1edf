"""`iris demo --mesh` as a user runs it: two processes, one of which is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.live

LIMIT_S = 90.0
LONG = ("--rows", "100000000")

Until = Callable[..., Any]


class Demo:
    """The command, in a process and a session of its own, as in a terminal."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "iris", "demo", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def second(self) -> int:
        """Wait until the next second process is announced; its pid."""
        return int(self.wait_for(r"process (\d+), the node 127\.0\.0\.1:\d+, has").group(1))

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The next line that matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.match(pattern, line)
            if found:
                return found
        pytest.fail(f"no line with {pattern}: {self.process.communicate()}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, out, err


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(*arguments: str) -> Demo:
        started.append(Demo(tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


class Story(NamedTuple):
    code: int
    err: str
    table: list[str]
    """The lines of the symbols."""

    out: str


def story_of(demo: Demo) -> Story:
    code, out, err = demo.end()
    return Story(code, err, re.findall(r"^[A-Z]{3,4} .*$", out, re.MULTILINE), out)


def is_gone(pid: int) -> bool:
    """Whether nothing of a process runs; one that nobody has waited for may be left of it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_sums_are_exact_though_the_second_process_was_killed(demo: Callable[..., Demo]) -> None:
    plain, mesh = story_of(demo()), story_of(demo("--mesh"))
    assert (mesh.code, mesh.err) == (0, ""), mesh
    assert mesh.out.endswith("everything adds up\n")
    assert mesh.out.count("  ok   ") == 10
    assert len(plain.table) == 5
    assert mesh.table == plain.table

    processes = re.findall(r"^process (\d+), the node (\S+), has", mesh.out, re.MULTILINE)
    assert len(processes) == 2
    (first, old), (second, new) = processes
    assert first != second
    assert f"process {first} is killed after 336 rows (SIGKILL)" in mesh.out
    assert re.search(r"all workers are back, the node was away for \d+\.\d\d s", mesh.out)
    assert re.search(rf"^{re.escape(new)} +up +- +[\d.]+ +4$", mesh.out, re.MULTILINE)
    assert old == new or re.search(rf"^{re.escape(old)} +down ", mesh.out, re.MULTILINE)
    for child in ("second process", *(f"worker {n}" for n in range(1, 5))):
        assert re.search(rf"^{child} +1 +up$", mesh.out, re.MULTILINE)
    assert "  ok   jobs 560 = 560 answered + 0 open" in mesh.out
    assert "  ok   restarts 6 = 1 rows failed + 4 proxies ended + 1 processes ended" in mesh.out
    assert is_gone(int(first))
    assert is_gone(int(second))


def test_a_file_in_the_working_folder_is_no_module_of_the_second_process(
    demo: Callable[..., Demo], tmp_path: Path
) -> None:
    (tmp_path / "prices.csv").write_text("symbol,date,price\nA,2020-01-31,9.5\n", encoding="utf-8")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "select.py").write_text("raise SystemExit('the wrong module')")
    script = "import sys; sys.path.remove(''); from iris.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, "demo", "--mesh", "--input", "../prices.csv"],
        cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "rows read 1 = 1 summarised" in done.stdout


def test_ctrl_c_ends_both_processes_quietly(demo: Callable[..., Demo], until: Until) -> None:
    one = demo("--mesh", *LONG)
    second = one.second()
    os.killpg(one.process.pid, signal.SIGINT)  # As a terminal does.
    code, _, err = one.end()
    assert (code, err) == (130, "iris demo: interrupted; all actors were stopped\n")
    until(lambda: is_gone(second))


def test_the_second_process_does_not_outlive_one_that_is_killed(
    demo: Callable[..., Demo], until: Until
) -> None:
    one = demo("--mesh", *LONG)
    second = one.second()
    one.process.kill()
    until(lambda: is_gone(second))
    # It has the same stderr, and says nothing.
    assert one.end()[2] == ""


def test_a_second_process_that_never_stays_is_given_up(demo: Callable[..., Demo]) -> None:
    one = demo("--mesh", *LONG)
    second = one.second()
    one.wait_for(r"[\d,]+ of [\d,]+ rows: ")  # All workers were found.
    for _ in range(3):
        os.kill(second, signal.SIGKILL)
        second = one.second()
    os.kill(second, signal.SIGKILL)
    code, _, err = one.end()
    assert code == 1
    assert re.fullmatch(
        r"iris demo: there is no second process: given up after 3 restarts within 60 s, the last"
        r" time because .*\n",
        err,
    )


def test_the_second_process_by_itself_says_what_to_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iris.demo.pool"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "iris.demo.pool: this is started by `iris demo --mesh`; run that\n",
    )
