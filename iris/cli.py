"""The `iris` command: reads the arguments and hands over to the part that does the work.

Exit codes: 0 all is well, 1 a result is wrong (`demo`: the accounting; `doctor`: the
self-check) or could not be written, 2 the arguments or the file cannot be used, 130
interrupted, 141 the reader of the output has left.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, Optional

import iris
from iris import doctor
from iris.demo import run as demo
from iris.errors import BadInput
from iris.mesh import keys
from iris.screen import Screen

EXIT_INTERRUPTED, EXIT_READER_GONE = 130, 141
"""What a shell reports for a program that died of SIGINT or SIGPIPE."""

ROWS_MAX = 100_000_000
"""Hours of streaming. A larger number is more likely a slip of the keyboard."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command line and return the exit code.

    Args:
        argv: the arguments without the program's name; None takes those of the process.

    Raises:
        SystemExit: by argparse, code 2 for arguments that make no sense, 0 after --help.
    """
    options = _parser().parse_args(argv)
    out, err = Screen(sys.stdout), Screen(sys.stderr)
    command: Callable[[argparse.Namespace, Screen, Screen], int] = options.command
    try:
        code = command(options, out, err)
    except KeyboardInterrupt:
        err.line("iris: interrupted")
        return EXIT_INTERRUPTED
    return code if out.error is None else _unwritten(out.error, err)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="iris", description="Actors for Python: see the runtime at work, check this machine."
    )
    parser.add_argument("--version", action="version", version=f"iris {iris.version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands.add_parser("demo", help="stream a price series through a tree of actors"))
    _add_doctor(commands.add_parser("doctor", help="show what Iris finds on this machine"))
    _add_keygen(commands.add_parser("keygen", help="make a key for the nodes of a mesh"))
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Streams prices through a tree of actors: a bounded stage, a parser for each row, an "
        "actor for each symbol, a pool of workers, and a collector that writes the table. The "
        "behaviour is swapped in mid-stream, a malformed row crashes its parser, and in the "
        "end every row and every message is accounted for."
    )
    parser.add_argument(
        "--input",
        metavar="FILE.csv",
        type=Path,
        help="your own prices: UTF-8 CSV whose header names symbol, date (2010-03-01) and price",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--rows",
        metavar="N",
        type=_count,
        help="stream N rows, from the file's beginning again when it is shorter",
    )
    length.add_argument(
        "--repeat", metavar="K", type=_count, default=1, help="stream the file K times"
    )
    parser.add_argument(
        "--drop-one",
        action="store_true",
        help="lose one row on purpose, to see that the accounting notices (exit code 1)",
    )
    parser.add_argument(
        "--mesh",
        action="store_true",
        help="have the workers in a second process of this machine, which is killed in mid-stream "
        "and comes back; work that was not answered is sent again, and counted once",
    )
    parser.set_defaults(command=_demo)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shows interpreter, versions, hub, limits and defaults, and tries one actor. "
        "Exit code 1 when that does not work."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=_doctor)


def _add_keygen(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Makes a new random key and writes it to a new file that only its owner can read. Nodes "
        "that are given this file, or a copy of it, trust each other. The key is not shown."
    )
    parser.add_argument("file", metavar="FILE", help="the file to be made; nothing is overwritten")
    parser.set_defaults(command=_keygen)


def _demo(options: argparse.Namespace, out: Screen, err: Screen) -> int:
    return demo.run(
        demo.Options(
            options.input, options.rows, options.repeat, options.drop_one, options.mesh
        ),
        out,
        err,
    )


def _doctor(options: argparse.Namespace, out: Screen, err: Screen) -> int:
    facts = doctor.examine()
    if options.json:
        out.line(json.dumps(facts, indent=2, default=str))
    else:
        doctor.show(facts, out)
    if doctor.is_healthy(facts):
        return 0
    err.line(f"iris doctor: the self-check failed: {facts['self-check']['error']}")
    return 1


def _keygen(options: argparse.Namespace, out: Screen, err: Screen) -> int:
    try:
        keyring = keys.write_key_file(options.file)
    except BadInput as error:
        err.line(f"iris keygen: {error}")
        return 2
    out.line(f"{options.file}: a new key, with the public id {keyring.key_id.hex()}")
    return 0


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= ROWS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {ROWS_MAX}")
    return number


def _unwritten(error: OSError, err: Screen) -> int:
    """The exit code of a command whose output did not arrive."""
    # What is left in the buffer would fail once more at the interpreter's exit, with a
    # traceback; it is sent nowhere. A stdout that is not a real file has no such problem.
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return EXIT_READER_GONE
    err.line(f"iris: the output cannot be written: {error.strerror}")
    return 1
