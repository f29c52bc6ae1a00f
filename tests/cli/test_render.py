import pytest

from nullspend_cli.render import (
    ASCII,
    UNICODE,
    bar,
    clip,
    count,
    json_safe,
    money,
    percent,
    plain,
    size,
    sparkline,
    threshold_style,
    visible,
    width_of,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ünïcödé, 鍵, 🔑", "plain text, ünïcödé, 鍵, 🔑"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("two\nlines\r\n\tand a tab", r"two\nlines\r\n\tand a tab"),
        ("\x00\x07\x7f", r"\x00\x07\x7f"),
        ("\x9b31m\x85", r"\x9b31m\x85"),
        ("abc\u202edcba\u2066x\u2069\u200f\u061c", r"abc\u202edcba\u2066x\u2069\u200f\u061c"),
        ("line\u2028separator\ufeff", r"line\u2028separator\ufeff"),
        ("[bold]markup[/bold] {braces} %s", "[bold]markup[/bold] {braces} %s"),
        ("family \U0001f468\u200d\U0001f469\u200d\U0001f467", "family \U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("half a surrogate \udc80", r"half a surrogate \udc80"),
    ],
)
def test_whatever_could_steer_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_json_is_escaped_only_where_json_leaves_a_character_alone_that_a_terminal_does_not() -> None:
    assert json_safe('{\n  "name": "a\\u001b\x9b\x7f\u202e"\n}') == '{\n  "name": "a\\u001b\\u009b\\u007f\\u202e"\n}'


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("鍵", 2), ("e\u0301", 1), ("a\u200db", 2), ("", 0)])
def test_the_width_of_a_text_is_the_columns_it_takes(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (12, "12"),
        (["a", "b"], "a, b"),
        ({"team": "core", "n": 1}, "team=core, n=1"),
        ([], ""),
    ],
)
def test_any_json_value_has_a_line_of_text(value: object, text: str) -> None:
    assert plain(value) == text


def test_money_shows_cents_unless_they_would_hide_a_part() -> None:
    assert money(5_000_000) == "$5.00"
    assert money(7250) == "$0.007250"
    assert money(1_234_567_890_000) == "$1,234,567.89"


def test_counts_and_sizes_are_grouped() -> None:
    assert count(1234567) == "1,234,567"
    assert [size(n) for n in (0, 1023, 1024, 5_242_880, 3 * 1024**4)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]


@pytest.mark.parametrize(
    ("spent", "limit", "drawn", "used"),
    [
        (0, 100, "░░░░░░░░░░", 0),
        (1, 1000, "█░░░░░░░░░", 0),
        (25, 100, "██░░░░░░░░", 25),
        (999, 1000, "█████████░", 99),
        (100, 100, "██████████", 100),
        (250, 100, "██████████", 250),
    ],
)
def test_a_bar_shows_anything_spent_and_is_full_only_when_all_is_spent(
    spent: int, limit: int, drawn: str, used: int
) -> None:
    assert bar(spent, limit, UNICODE) == drawn
    assert percent(spent, limit) == used


def test_bars_and_lines_have_an_ascii_form() -> None:
    assert bar(5, 10, ASCII) == "#####....."
    assert sparkline([0, 1, 2, 4], UNICODE) == "▁▂▄█"
    assert sparkline([0, 1, 2, 4], ASCII) == "_.=@"
    assert sparkline([], UNICODE) == ""


@pytest.mark.parametrize(
    ("spent", "thresholds", "style"),
    [
        (49, [50, 80, 90], ""),
        (50, [50, 80, 90], "yellow"),
        (89, [50, 80, 90], "yellow"),
        (90, [50, 80, 90], "red"),
        (99, [], ""),
        (100, [], "red"),
    ],
)
def test_the_colour_comes_from_the_thresholds_only(spent: int, thresholds: list[int], style: str) -> None:
    assert threshold_style(spent, 100, thresholds) == style


@pytest.mark.parametrize(
    ("text", "width", "clipped"),
    [("short", 5, "short"), ("longer", 5, "long…"), ("鍵鍵鍵", 4, "鍵…"), ("abc", 1, "…")],
)
def test_a_text_that_is_too_wide_is_cut_with_an_ellipsis(text: str, width: int, clipped: str) -> None:
    assert clip(text, width, UNICODE) == clipped
    assert clip("longer", 5, ASCII) == "lo..."
