"""What the command line writes on: a terminal with one rewritten line, or plain text.

It decides about colour (a terminal, `NO_COLOR` unset or empty, `TERM` not dumb) and hides
the difference between a terminal and a file from those who report. It never raises when
the reader has gone: the error is kept, and later writes do nothing.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from typing import Optional, TextIO

COLOURS = {"good": "32", "bad": "31", "strong": "1"}


class Screen:
    """One output stream. At most one thread may use it at a time."""

    def __init__(
        self, stream: Optional[TextIO], environ: Optional[Mapping[str, str]] = None
    ) -> None:
        environ = os.environ if environ is None else environ
        self._stream = stream
        self._rewritten = 0
        # How many characters of a rewritten line stand on the terminal's last line.
        self.error: Optional[OSError] = None
        if stream is None:  # What Python makes of a stream that is closed from the start.
            self.error = OSError(errno.EBADF, "it is closed")
        self.is_terminal = stream is not None and stream.isatty()
        self.has_colour = (
            self.is_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        )

    def paint(self, text: str, kind: str) -> str:
        """`text` in the colour of `kind` ("good", "bad" or "strong"), where colour is wanted."""
        return f"\x1b[{COLOURS[kind]}m{text}\x1b[0m" if self.has_colour else text

    def line(self, text: str = "") -> None:
        """Write whole lines, above which nothing changes any more."""
        self.clear()
        self._write(text + "\n")

    def progress(self, text: str) -> None:
        """Show how far it is: over the last progress line on a terminal, else as a line."""
        if not self.is_terminal:
            self._write(text + "\n")
            return
        # One column stays free: a character in the last one would wrap on some terminals.
        text = text[: max(1, shutil.get_terminal_size().columns - 1)]
        self._write("\r" + text.ljust(self._rewritten))
        self._rewritten = len(text)

    def clear(self) -> None:
        """Take the progress line away, if there is one."""
        # Spaces and not an erase sequence, which a dumb terminal would print.
        if self._rewritten:
            self._write("\r" + " " * self._rewritten + "\r")
            self._rewritten = 0

    def _write(self, text: str) -> None:
        if self._stream is None or self.error is not None:
            return
        encoding = self._stream.encoding or "utf-8"
        try:
            # A symbol may have letters that the reader's encoding lacks.
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except OSError as error:
            self.error = error
