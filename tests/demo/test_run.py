"""The demonstration as a whole, on a real runtime: what is shown and what the exit code is."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from iris.demo.run import Options, run
from iris.screen import Screen

pytestmark = pytest.mark.live


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def no_pause(_: float) -> None:
    pass


def ran(options: Options) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    code = run(options, Screen(out, {}), Screen(err, {}), no_pause)
    return Ran(code, out.getvalue(), err.getvalue())


def prices(folder: Path, *rows: str) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join(["symbol,date,price", *rows]) + "\n", encoding="utf-8")
    return path


def good_rows(count: int) -> list[str]:
    return [f"{'AB'[n % 2]},2020-01-{n % 28 + 1:02},{n + 1}" for n in range(count)]


def test_shipped_series_adds_up_with_a_crash_a_restart_and_a_swap_that_loses_nothing() -> None:
    result = ran(Options())
    assert result.code == 0, result
    assert result.err == ""
    assert "hot swap after 280 rows: 5 actors go from simple mean" in result.out
    # Still the same actor: its queue is there, and whoever knows its pid.
    assert re.search(
        r"^actor (\d+) crashes: BadRow: the row put in on purpose: 'n/a' is not a price\n"
        r"actor \1 goes on in place: restart 1 of the parser, after Panic$",
        result.out,
        re.MULTILINE,
    )
    assert "rows read 561 = 560 summarised + 1 failed" in result.out
    assert "560 = 280 by simple mean + 280 by exponential mean" in result.out
    assert "1 failed messages of the runtime" in result.out
    assert "  ok   restarts 1 = 1 rows failed" in result.out
    assert result.out.count("  ok   ") == 6
    assert result.out.endswith("everything adds up\n")


def test_table_shows_the_last_figures_of_each_symbol() -> None:
    lines = ran(Options()).out.splitlines()
    table = {line.split()[0]: line.split() for line in lines if re.match(r"[A-Z]{3,4} ", line)}
    assert {name: cells[:5] for name, cells in table.items()} == {
        "AAPL": ["AAPL", "123", "2000-01-01", "2010-03-01", "223.02"],
        "AMZN": ["AMZN", "123", "2000-01-01", "2010-03-01", "128.82"],
        "GOOG": ["GOOG", "68", "2004-08-01", "2010-03-01", "560.19"],
        "IBM": ["IBM", "123", "2000-01-01", "2010-03-01", "125.55"],
        "MSFT": ["MSFT", "123", "2000-01-01", "2010-03-01", "28.80"],
    }


def test_table_shows_the_restarts_of_each_supervised_actor() -> None:
    lines = ran(Options()).out.splitlines()
    start = lines.index("supervised  restarts  state")
    assert lines[start + 1 : start + 7] == [
        "worker 1           0     up",
        "worker 2           0     up",
        "worker 3           0     up",
        "worker 4           0     up",
        "market             0     up",
        "parser             1     up",
    ]


def test_swap_happens_after_exactly_half_of_the_rows(tmp_path: Path) -> None:
    result = ran(Options(input=prices(tmp_path, *good_rows(101))))
    assert result.code == 0, result
    assert "101 = 50 by simple mean + 51 by exponential mean" in result.out


def test_single_row_is_enough(tmp_path: Path) -> None:
    result = ran(Options(input=prices(tmp_path, "A,2020-01-31,9.5")))
    assert result.code == 0, result
    assert "rows read 1 = 1 summarised + 0 failed" in result.out


def test_malformed_rows_of_the_user_are_reported_and_do_not_fail_the_run(tmp_path: Path) -> None:
    rows = good_rows(10)
    rows[3:3] = ["A,2020-01-31", "A,someday,1", "A,2020-01-31,-1"]
    result = ran(Options(input=prices(tmp_path, *rows)))
    assert result.code == 0, result
    assert "rows read 13 = 10 summarised + 3 failed" in result.out
    assert "BadRow: line 5: 2 fields where the header has 3" in result.out
    assert "BadRow: line 6: 'someday' is not a date" in result.out
    assert "BadRow: line 7: '-1' is not a price" in result.out
    assert "restart 3 of the parser" in result.out
    assert "parser             3     up" in result.out


def test_malformed_rows_are_not_logged_as_well(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran(Options(input=prices(tmp_path, *["rubbish"] * 30)))
    assert caplog.records == []


def test_file_of_malformed_rows_only_is_accounted_for(tmp_path: Path) -> None:
    result = ran(Options(input=prices(tmp_path, *["rubbish"] * 30)))
    assert result.code == 0, result
    assert "rows read 30 = 0 summarised + 30 failed" in result.out
    assert "... and 25 more like these" in result.out
    assert "restart 5 of the parser" in result.out
    assert "restart 6 of the parser" not in result.out
    assert "restarts 30 = 30 rows failed" in result.out


def test_lost_row_is_noticed_and_the_exit_code_is_1(tmp_path: Path) -> None:
    result = ran(Options(input=prices(tmp_path, *good_rows(20)), drop_one=True))
    assert result.code == 1
    assert "  OFF  rows read 20 = 19 summarised + 0 failed, off by -1" in result.out
    # The runtime knows where it went: it was queued when its actor ended.
    assert re.search(r"  ok   messages accepted .* \+ 1 expired", result.out)
    assert result.err == (
        "iris demo: the accounting does not add up: "
        "rows read 20 = 19 summarised + 0 failed, off by -1\n"
    )
    assert "everything adds up" not in result.out


def test_lost_row_of_the_shipped_series_is_noticed_as_well() -> None:
    result = ran(Options(drop_one=True))
    assert result.code == 1
    assert "rows read 561 = 559 summarised + 1 failed, off by -1" in result.err


def test_rows_and_repeat_make_the_stream_longer_or_shorter(tmp_path: Path) -> None:
    path = prices(tmp_path, *good_rows(10))
    assert "rows read 25 = 25 summarised" in ran(Options(input=path, rows=25)).out
    assert "rows read 4 = 4 summarised" in ran(Options(input=path, rows=4)).out
    assert "rows read 30 = 30 summarised" in ran(Options(input=path, repeat=3)).out


def test_many_rows_through_the_bounded_stage_are_all_there(tmp_path: Path) -> None:
    result = ran(Options(input=prices(tmp_path, *good_rows(100)), rows=3000))
    assert result.code == 0, result
    assert "rows read 3,000 = 3,000 summarised + 0 failed" in result.out
    assert "3,000 = 1,500 by simple mean + 1,500 by exponential mean" in result.out


def test_file_that_cannot_be_used_gives_one_line_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "absent.csv"
    result = ran(Options(input=path))
    assert result == (
        2,
        "",
        f"iris demo: {path}: there is no such file; check the name\n",
    )


def test_file_name_with_a_line_break_stays_in_one_line(tmp_path: Path) -> None:
    result = ran(Options(input=tmp_path / "two\nlines"))
    assert result.code == 2
    assert result.err.count("\n") == 1


def test_file_that_breaks_while_it_is_streamed_gives_exit_code_2(tmp_path: Path) -> None:
    path = prices(tmp_path, *good_rows(10))
    out, err = io.StringIO(), io.StringIO()

    class Opening(Screen):
        """Takes the file's rows away once the demonstration has announced them."""

        def line(self, text: str = "") -> None:
            path.write_text("symbol,date,price\n", encoding="utf-8")
            super().line(text)

    code = run(Options(input=path), Opening(out, {}), Screen(err, {}), no_pause)
    assert (code, err.getvalue()) == (
        2,
        f"iris demo: {path}: the file lost its rows while it was being read\n",
    )


def test_interrupt_stops_all_actors_and_gives_exit_code_130() -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    out, err = io.StringIO(), io.StringIO()
    assert run(Options(), Screen(out, {}), Screen(err, {}), interrupted) == 130
    assert err.getvalue() == "iris demo: interrupted; all actors were stopped\n"
