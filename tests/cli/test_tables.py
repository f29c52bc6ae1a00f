import io
from typing import Any

import pytest

from nullspend_cli import tables
from nullspend_cli.render import Cell, money
from nullspend_cli.tables import column
from nullspend_cli.terminal import Terminal

COLUMNS = (
    column("name"),
    column("maxBudgetMicrodollars", "LIMIT", money, right=True),
    column("usedPercent", "USED", lambda used: Cell(f"{used}%", "red" if used > 90 else "")),
    column("id", wide=True),
)
ROWS: list[dict[str, Any]] = [
    {"name": "researcher", "maxBudgetMicrodollars": 5_000_000, "usedPercent": 12, "id": "ns_bgt_1"},
    {"name": "鍵", "maxBudgetMicrodollars": 12_345_678, "usedPercent": 95, "id": "ns_bgt_2"},
]


class Screen(io.StringIO):
    """Output that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def pipe() -> Terminal:
    return Terminal(stdout=io.StringIO(), stderr=io.StringIO())


def screen(monkeypatch: pytest.MonkeyPatch, width: int, color: str = "never") -> Terminal:
    monkeypatch.setenv("COLUMNS", str(width))
    return Terminal(color=color, stdout=Screen(), stderr=Screen())


def test_in_a_pipe_a_table_is_complete_aligned_and_without_colour() -> None:
    assert tables.table(COLUMNS, ROWS, pipe()) == (
        "NAME             LIMIT  USED  ID\n"
        "researcher       $5.00  12%   ns_bgt_1\n"
        "鍵          $12.345678  95%   ns_bgt_2\n"
    )


def test_on_a_narrow_screen_the_wide_columns_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables.table(COLUMNS, ROWS, screen(monkeypatch, 30)) == (
        "NAME             LIMIT  USED\nresearcher       $5.00  12%\n鍵          $12.345678  95%\n"
    )


def test_then_the_longest_text_is_cut_and_numbers_never_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables.table(COLUMNS, ROWS, screen(monkeypatch, 26)) == (
        "NAME           LIMIT  USED\nresearc…       $5.00  12%\n鍵        $12.345678  95%\n"
    )


def test_a_screen_too_narrow_for_anything_still_shows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = tables.table(COLUMNS, ROWS, screen(monkeypatch, 5)).splitlines()
    assert lines[1] == "researc…       $5.00  12%"


def test_colour_is_where_the_cell_says_and_does_not_shift_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    table = tables.table(COLUMNS[:3], ROWS, screen(monkeypatch, 80, "always"))
    assert "\x1b[31m95%\x1b[0m" in table
    assert "\x1b[31m12%" not in table


def test_a_record_has_a_line_for_each_field_that_has_a_value() -> None:
    record = {"name": "researcher", "usedPercent": 12, "maxBudgetMicrodollars": None, "id": "x"}
    assert tables.record(COLUMNS, record, pipe()) == "name  researcher\nused  12%\nid    x\n"


def test_a_value_that_is_missing_shows_what_stands_for_it() -> None:
    never = column("lastUsedAt", "LAST USED", absent="never")
    assert tables.table([never], [{"lastUsedAt": None}], pipe()) == "LAST USED\nnever\n"


def test_no_value_can_break_a_line_or_a_column() -> None:
    hostile = [{"name": "a\nb\x1b[2J\u202e", "maxBudgetMicrodollars": 1, "usedPercent": 1, "id": "[red]x[/red]"}]
    assert tables.table(COLUMNS, hostile, pipe()) == (
        "NAME                   LIMIT  USED  ID\na\\nb\\x1b[2J\\u202e  $0.000001  1%    [red]x[/red]\n"
    )


def test_streamed_rows_keep_their_columns_where_a_wide_one_is_left_out() -> None:
    columns = (column("a"), column("b", wide=True), column("c"), column("d"))
    terminal, widths = Terminal(color="never", stdout=Screen()), [1, 1, 1, 1]
    first = tables.streamed(columns, {"a": "1", "b": "left out", "c": "long", "d": "x"}, widths, terminal, title=True)
    second = tables.streamed(columns, {"a": "22", "b": "", "c": "s", "d": "y"}, widths, terminal, title=False)
    assert first + second == "A  C     D\n1  long  x\n22  s     y\n"
