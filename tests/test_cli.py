"""The `iris` command: its arguments, exit codes, streams and signals."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import iris
from iris.cli import main

COMMAND = [sys.executable, "-m", "iris"]
PRICES = "symbol,date,price\n" + "".join(f"A,2020-01-{n:02},{n}\n" for n in range(1, 21))

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of a Unix")


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.csv"
    path.write_text(PRICES, encoding="utf-8")
    return str(path)


def on_terminal(arguments: list[str], **environ: str) -> tuple[int, str]:
    """Run the command with a terminal as its stdout; give exit code and what it showed."""
    # The terminal is kept by a process between, because where gevent has patched `os` a
    # descriptor is not closed at once, and its reader here would wait for ever.
    keeper = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    settings = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    done = subprocess.run(
        [sys.executable, "-c", keeper, *COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**settings, "TERM": "xterm", **environ},
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8")


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"iris {iris.version()}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["dance"], "'dance'"),
        (["demo", "--rows", "0"], "'0' is not a whole number from 1 to"),
        (["demo", "--rows", "many"], "'many' is not a whole number"),
        (["demo", "--repeat", "-1"], "'-1' is not a whole number"),
        (["demo", "--rows", "2", "--repeat", "2"], "not allowed with"),
        (["demo", "--input"], "expected one argument"),
    ],
)
def test_arguments_that_make_no_sense_give_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--help"], *([one, "--help"] for one in ("demo", "doctor", "keygen"))]
)
def test_help_is_a_success(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert "usage: iris" in capsys.readouterr().out


@pytest.mark.live
def test_demo_of_a_file_returns_0_and_drop_one_returns_1(
    prices: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--input", prices]) == 0
    assert "everything adds up" in capsys.readouterr().out
    assert main(["demo", "--input", prices, "--rows", "30", "--drop-one"]) == 1
    assert "rows read 30 = 29 summarised" in capsys.readouterr().err


@pytest.mark.live
def test_demo_of_a_bad_file_returns_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--input", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"iris demo: {tmp_path}: this is a directory; name a CSV file in it\n"


@pytest.mark.live
def test_doctor_prints_text_or_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "\x1b" not in (text := capsys.readouterr().out)
    assert "self-check" in text
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["self-check"]["result"] == "ok"


@pytest.mark.live
@posix
def test_terminal_gets_one_rewritten_line_and_colour_unless_no_color() -> None:
    code, shown = on_terminal(["demo"])
    assert code == 0
    assert "\r" in shown.replace("\r\n", "\n")
    assert "\x1b[32meverything adds up\x1b[0m" in shown
    code, shown = on_terminal(["demo"], NO_COLOR="1")
    assert code == 0
    assert "\r" in shown.replace("\r\n", "\n")
    assert "\x1b" not in shown


@pytest.mark.live
@posix
def test_doctor_has_colour_on_a_terminal_unless_no_color() -> None:
    assert "\x1b[32mok\x1b[0m" in on_terminal(["doctor"])[1]
    assert "\x1b" not in on_terminal(["doctor"], NO_COLOR="1")[1]


@pytest.mark.live
@posix
def test_ctrl_c_gives_exit_code_130_and_one_line() -> None:
    command = [*COMMAND, "demo", "--rows", "100000000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # Two lines: the opening, and a first line of progress, so the actors are at work.
        assert process.stdout.readline().startswith("iris demo: 100,000,000 rows")
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=90)
        finally:
            process.kill()  # so that it is no load on all tests that follow
    assert process.returncode == 130
    assert err == "iris demo: interrupted; all actors were stopped\n"


@pytest.mark.live
@posix
def test_reader_that_leaves_early_ends_it_without_noise(prices: str) -> None:
    with subprocess.Popen(
        [*COMMAND, "demo", "--input", prices], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 141
    assert err == b""


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.live
@pytest.mark.parametrize("command", ["demo", "doctor"])
def test_output_that_cannot_be_written_is_not_a_success(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    assert main([command]) == 1
    assert capsys.readouterr().err == (
        "iris: the output cannot be written: No space left on device\n"
    )


@pytest.mark.live
def test_stdout_that_is_closed_from_the_start_is_not_a_success(
    prices: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["demo", "--input", prices]) == 1
    assert capsys.readouterr().err == "iris: the output cannot be written: it is closed\n"
