"""The price file: what is refused as a whole, and what costs one row."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iris.demo.feed import (
    LINE_BYTES_MAX,
    SHIPPED,
    BadFile,
    BadRow,
    Columns,
    RawRow,
    parse_row,
    stream,
    survey,
)

COLUMNS = Columns(symbol=0, date=1, price=2, width=3)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "prices.csv"
    path.write_bytes(content)
    return path


def parsed(text: str, columns: Columns = COLUMNS):
    return parse_row(RawRow(1, "line 2", text), columns)


def test_shipped_series_has_560_rows_of_five_symbols_and_each_can_be_parsed():
    found = survey(SHIPPED)
    assert found.rows == 560
    prices = [parse_row(row, found.columns) for row in stream(SHIPPED, found.rows)]
    assert {price.symbol for price in prices} == {"AAPL", "AMZN", "GOOG", "IBM", "MSFT"}
    assert [price.date for price in prices] == sorted(price.date for price in prices)
    assert [price.number for price in prices] == list(range(1, 561))


def test_shipped_series_names_its_source_and_licence():
    text = SHIPPED.with_name("SOURCE.txt").read_text(encoding="utf-8")
    assert "vega_datasets" in text
    assert "MIT" in text


def test_columns_are_found_by_name_in_any_order_case_and_company(tmp_path):
    path = written(tmp_path, b" Price ,volume,DATE,Symbol\n9.5,100,2020-01-31,A\n")
    found = survey(path)
    assert found == (Columns(symbol=3, date=2, price=0, width=4), 1)
    row = next(stream(path, 1))
    assert parse_row(row, found.columns) == (1, "A", "2020-01-31", 9.5)


def test_byte_order_mark_crlf_quotes_and_blank_lines_are_accepted(tmp_path):
    path = written(
        tmp_path, b'\xef\xbb\xbf"symbol","date","price"\r\n\r\n"A","2020-01-31","9.5"\r\n\r\n'
    )
    found = survey(path)
    assert found.rows == 1
    row = next(stream(path, 1))
    assert row.origin == "line 3"
    assert parse_row(row, found.columns).price == 9.5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n \n\n", "the file is empty"),
        (b"symbol,date,price\n", "no rows"),
        (b"A,2020-01-31,9.5\nB,2020-01-31,9.5\n", "there is no header"),
        (b"symbol,date\nA,2020-01-31\n", "column price is missing"),
        (b"symbol;date;price\nA;2020-01-31;9.5\n", "there is no header"),
        (b"symbol,date,price,price\nA,2020-01-31,9.5,9\n", "names price 2 times"),
        (b"symbol,date,price\nA\xff,2020-01-31,9.5\n", "line 2 is not UTF-8"),
        ("symbol,date,price\nA,2020-01-31,9.5\n".encode("utf-16"), "not UTF-8"),
        ("symbol,date,price\nA,2020-01-31,9.5\n".encode("utf-16-le"), "zero byte"),
        (b"symbol,date,price\n" + b"x" * (LINE_BYTES_MAX + 1), "line 2 is over"),
    ],
)
def test_unusable_content_is_refused_in_one_line_that_says_why(tmp_path, content, said):
    with pytest.raises(BadFile, match=said) as caught:
        survey(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_missing_file_directory_pipe_and_impossible_name_are_refused(tmp_path):
    with pytest.raises(BadFile, match="no such file"):
        survey(tmp_path / "absent.csv")
    with pytest.raises(BadFile, match="directory"):
        survey(tmp_path)
    with pytest.raises(BadFile, match="cannot be read: Not a directory"):
        survey(written(tmp_path, b"x") / "inside.csv")
    with pytest.raises(BadFile, match="name cannot be used"):
        survey(Path("zero\0byte.csv"))
    read, write = os.pipe()
    try:
        with pytest.raises(BadFile, match="not a regular file"):
            survey(Path(f"/dev/fd/{read}"))
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_file_without_read_permission_is_refused(tmp_path):
    path = written(tmp_path, b"symbol,date,price\nA,2020-01-31,9.5\n")
    path.chmod(0)
    with pytest.raises(BadFile, match="no permission"):
        survey(path)


def test_stream_begins_again_when_the_file_is_too_short_and_stops_when_it_is_too_long(tmp_path):
    path = written(tmp_path, b"symbol,date,price\nA,2020-01-31,1\nB,2020-01-31,2\n")
    rows = list(stream(path, 5))
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [row.origin for row in rows] == ["line 2", "line 3", "line 2", "line 3", "line 2"]
    assert [row.text[0] for row in stream(path, 1)] == ["A"]


def test_stream_of_a_file_that_lost_its_rows_raises_and_does_not_spin(tmp_path):
    with pytest.raises(BadFile, match="lost its rows"):
        list(stream(written(tmp_path, b"symbol,date,price\n"), 5))


@pytest.mark.parametrize(
    "date", ["2010-03-01", "2010-3-1", "2010-03-01T16:00", "Mar 1 2010", "March 1, 2010"]
)
def test_dates_in_the_accepted_forms_are_normalised(date):
    assert parsed(f'A,"{date}",1').date == "2010-03-01"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A,2010-03-01", "2 fields where the header has 3"),
        ("A,2010-03-01,1,234.5", "4 fields"),
        ("rubbish", "1 fields"),
        ('A,"2010-03-01,9.5', "2 fields"),
        (",2010-03-01,9.5", "'' is not a symbol"),
        ("\x1b[31mA,2010-03-01,9.5", "is not a symbol"),
        ("A" * 33 + ",2010-03-01,9.5", "is not a symbol"),
        ("A,yesterday,9.5", "'yesterday' is not a date"),
        ("A,2010-02-30,9.5", "is not a date"),
        ("A,2010-02-11x,9.5", "is not a date"),
        ("A,,9.5", "is not a date"),
        ("A,99999999999-01-01,9.5", "is not a date"),
        ("A,Feb 30 2010,9.5", "is not a date"),
        ("A,2010-03-01,n/a", "'n/a' is not a price"),
        ("A,2010-03-01,", "'' is not a price"),
        ("A,2010-03-01,nan", "is not a price"),
        ("A,2010-03-01,inf", "is not a price"),
        ("A,2010-03-01,-1", "is not a price"),
        ("A,2010-03-01,0", "is not a price"),
        ("A,2010-03-01,1e300", "is not a price"),
        ("A,2010-03-01,1_000", "is not a price"),
        ("A,2010-03-01," + "9" * 5000, "is not a price"),
    ],
)
def test_malformed_row_is_refused_with_its_line_and_reason(text, said):
    with pytest.raises(BadRow, match=said) as caught:
        parsed(text)
    assert str(caught.value).startswith("line 2: ")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 120
