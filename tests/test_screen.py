"""What is written, on a terminal and elsewhere."""

from __future__ import annotations

import errno
import io

from iris.screen import Screen


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_progress_rewrites_one_line_on_a_terminal():
    stream = Terminal()
    screen = Screen(stream, {})
    screen.progress("a long one")
    screen.progress("short")
    screen.line("done")
    assert stream.getvalue() == "\ra long one\rshort     \r     \rdone\n"


def test_progress_is_plain_lines_elsewhere():
    stream = io.StringIO()
    screen = Screen(stream, {})
    screen.progress("one")
    screen.progress("two")
    screen.clear()
    screen.line("done")
    assert stream.getvalue() == "one\ntwo\ndone\n"


def test_progress_is_cut_to_the_width_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "10")
    stream = Terminal()
    Screen(stream, {}).progress("0123456789abcdef")
    assert stream.getvalue() == "\r012345678"


def test_colour_needs_a_terminal_without_no_color():
    assert Screen(Terminal(), {}).paint("x", "good") == "\x1b[32mx\x1b[0m"
    assert Screen(Terminal(), {"NO_COLOR": ""}).paint("x", "good") == "\x1b[32mx\x1b[0m"
    assert Screen(Terminal(), {"NO_COLOR": "1"}).paint("x", "good") == "x"
    assert Screen(Terminal(), {"TERM": "dumb"}).paint("x", "good") == "x"
    assert Screen(io.StringIO(), {}).paint("x", "good") == "x"


def test_letters_that_the_stream_cannot_encode_are_escaped():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    Screen(stream, {}).line("\u03a9 ok")
    assert raw.getvalue() == b"\\u03a9 ok\n"


def test_reader_that_has_gone_is_remembered_and_does_not_raise():
    screen = Screen(Gone(), {})
    screen.line("one")
    screen.line("two")
    assert screen.error is not None
    assert screen.error.errno == errno.EPIPE


def test_stream_that_is_closed_from_the_start_is_an_error_and_does_not_raise():
    screen = Screen(None, {})
    screen.line("one")
    assert screen.error is not None
    assert screen.error.errno == errno.EBADF
