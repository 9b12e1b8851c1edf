"""The price file: whether it can be used, its rows as text, and a row of text as a price.

Two things can be wrong and are kept apart. A file that cannot be used at all raises
`BadFile` before the first actor starts; its message is one line for the person who named
the file. A single row that makes no sense raises `BadRow`, in the actor that parses it, and
costs that row only. A row is a physical line, so a row with an open quote cannot swallow
the ones below it.
"""

from __future__ import annotations

import csv
import datetime
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

SHIPPED = Path(__file__).with_name("stocks.csv")
"""Monthly prices of five stocks; SOURCE.txt beside it names where they come from."""

WANTED = ("symbol", "date", "price")

LINE_BYTES_MAX = 64 * 1024
"""A price row has some thirty bytes; a line this long means the file is not of prices."""

SYMBOL_CHARS_MAX = 32
"""A symbol is a column of the result table and a name in its lines."""

PRICE_MAX = 1e12
"""Sums of a window of larger numbers could overflow; no price is near it, or near 1 / it."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class BadFile(Exception):
    """The file cannot be streamed at all; the text says what is wrong and what to do."""


class BadRow(ValueError):
    """One row makes no sense; the text names the row and the reason."""


class Columns(NamedTuple):
    """Where the header says the columns are."""

    symbol: int
    date: int
    price: int
    width: int
    """How many fields each row must have."""


class Survey(NamedTuple):
    """What a first pass over the file found."""

    columns: Columns
    rows: int


class RawRow(NamedTuple):
    """A row as it stands in the file."""

    number: int
    """Its place in the stream, from 1."""

    origin: str
    """Where it came from, for people: "line 17"."""

    text: str


class Price(NamedTuple):
    """A row understood."""

    number: int
    symbol: str
    date: str
    price: float


def survey(path: Path) -> Survey:
    """Read the whole file once, in constant memory, and say what is in it.

    Raises:
        BadFile: it cannot be read, is not text, has no usable header, or has no rows.
    """
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise BadFile(f"the file is empty; its first line must be {','.join(WANTED)}")
    columns = _columns(first.text)
    rows = sum(1 for _ in lines)
    if rows == 0:
        raise BadFile("there are no rows under the header; add at least one")
    return Survey(columns, rows)


def stream(path: Path, rows_wanted: int) -> Iterator[RawRow]:
    """Give `rows_wanted` rows of the file, from its beginning again when it is too short.

    Raises:
        BadFile: the file changed since it was surveyed and cannot be read any more.
    """
    given = 0
    while given < rows_wanted:
        before = given
        lines = _lines(path)
        next(lines, None)  # The header.
        for line in lines:
            given += 1
            yield RawRow(given, line.origin, line.text)
            if given == rows_wanted:
                return
        if given == before:
            raise BadFile("the file lost its rows while it was being read")


def parse_row(row: RawRow, columns: Columns) -> Price:
    """Make a price of a row.

    Raises:
        BadRow: the row has not as many fields as the header, or one of them makes no sense.
    """
    fields = _fields(row.text)
    if len(fields) != columns.width:
        raise BadRow(f"{row.origin}: {len(fields)} fields where the header has {columns.width}")
    symbol = fields[columns.symbol].strip()
    if not symbol or len(symbol) > SYMBOL_CHARS_MAX or not symbol.isprintable():
        raise BadRow(f"{row.origin}: {_quoted(symbol)} is not a symbol")
    date = _date(fields[columns.date].strip())
    if date is None:
        raise BadRow(f"{row.origin}: {_quoted(fields[columns.date])} is not a date like 2010-03-01")
    price = _price(fields[columns.price].strip())
    if price is None:
        raise BadRow(f"{row.origin}: {_quoted(fields[columns.price])} is not a price")
    return Price(row.number, symbol, date, price)


def _lines(path: Path) -> Iterator[RawRow]:
    """All lines that are not blank, decoded, header included."""
    try:
        with path.open("rb") as file:
            # Looked at after opening, so nobody can put another file in its place between. A
            # pipe is refused because it could not be read a second time.
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadFile("this is not a regular file; save the rows to a file first")
            yield from _decoded(file)
    except IsADirectoryError:
        raise BadFile("this is a directory; name a CSV file in it") from None
    except FileNotFoundError:
        raise BadFile("there is no such file; check the name") from None
    except PermissionError:
        raise BadFile("there is no permission to read it; allow it with chmod +r") from None
    except OSError as error:
        raise BadFile(f"it cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise BadFile(f"the name cannot be used: {error}") from None


def _decoded(file: BinaryIO) -> Iterator[RawRow]:
    number = 0
    while True:
        line = file.readline(LINE_BYTES_MAX + 1)
        if not line:
            return
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise BadFile(f"line {number} is over {LINE_BYTES_MAX} bytes; this is not a price file")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise BadFile(f"line {number} is not UTF-8 text; save the file as UTF-8 CSV") from None
        if "\0" in text:
            raise BadFile(f"line {number} has a zero byte; this is not a text file")
        if text:
            yield RawRow(number, f"line {number}", text)


def _columns(header: str) -> Columns:
    names = [name.strip().lower() for name in _fields(header)]
    missing = [name for name in WANTED if name not in names]
    if len(missing) == len(WANTED):
        raise BadFile(
            f"there is no header: the first line is {_quoted(header)}; "
            f"put the line {','.join(WANTED)} above the rows"
        )
    if missing:
        raise BadFile(
            f"column {' and '.join(missing)} is missing, the header is {_quoted(header)}; "
            f"it must name {', '.join(WANTED)}, with commas between"
        )
    for name in WANTED:
        if names.count(name) > 1:
            raise BadFile(f"the header names {name} {names.count(name)} times; keep one")
    return Columns(names.index("symbol"), names.index("date"), names.index("price"), len(names))


def _fields(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        # A stray carriage return, on some versions. As one field it will not match the header.
        return [text]


def _quoted(text: str, chars_max: int = 40) -> str:
    # ascii(): the row may hold escape sequences meant for the reader's terminal.
    return ascii(text if len(text) <= chars_max else text[:chars_max] + "...")


def _price(text: str) -> Optional[float]:
    try:
        number = float(text)
    except ValueError:
        return None
    # float() also takes "1_000", "nan" and "inf"; as prices they are mistakes.
    return number if 1 / PRICE_MAX <= number <= PRICE_MAX and "_" not in text else None


def _date(text: str) -> Optional[str]:
    """The day as 2010-03-01, from that form (a time of day may follow) or from "Mar 1 2010"."""
    words = text.replace(",", " ").split()
    try:
        if len(words) == 3 and words[0][:3].lower() in MONTHS:
            month = MONTHS.index(words[0][:3].lower()) + 1
            return datetime.date(int(words[2]), month, int(words[1])).isoformat()
        day = text[:10]
        if len(text) > 10 and text[10] not in " T":
            return None
        year_text, month_text, day_text = day.split("-")
        return datetime.date(int(year_text), int(month_text), int(day_text)).isoformat()
    except (ValueError, OverflowError):
        return None
