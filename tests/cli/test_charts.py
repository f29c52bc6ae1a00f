import io

import pytest

from nullspend_cli.charts import chart, fitted, share_text, shares, spark
from nullspend_cli.render import ASCII, UNICODE
from nullspend_cli.terminal import Terminal


class Wide(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def terminal(monkeypatch: pytest.MonkeyPatch, width: int, encoding: str = "utf-8") -> Terminal:
    monkeypatch.setenv("COLUMNS", str(width))
    return Terminal(color="never", stdout=Wide(encoding), stderr=Wide(encoding))


@pytest.mark.parametrize(
    ("values", "tenths"),
    [
        ([1, 1, 1], [334, 333, 333]),
        ([2, 1], [667, 333]),
        ([999_999, 1], [1000, 0]),
        ([0, 0], [0, 0]),
        ([], []),
        ([5], [1000]),
        ([1] * 7, [143, 143, 143, 143, 143, 143, 142]),
    ],
)
def test_shares_add_up_to_a_hundred_percent(values: list[int], tenths: list[int]) -> None:
    assert shares(values) == tenths
    assert share_text(tenths[0] if tenths else 0).endswith("%")


def test_a_long_series_is_summed_into_the_steps_there_is_room_for() -> None:
    assert fitted([1, 2, 3, 4, 5], 5) == [1, 2, 3, 4, 5]
    assert fitted([1, 2, 3, 4, 5], 3) == [3, 7, 5]
    assert fitted([], 3) == []
    assert sum(fitted(list(range(90)), 45)) == sum(range(90))


def test_a_sparkline_is_never_wider_than_its_room() -> None:
    assert spark([0, 1, 2, 4], 4, UNICODE) == "▁▂▄█"
    assert spark([0, 1, 2, 4], 2, ASCII) == ".@"
    assert all(len(spark(list(range(90)), width, UNICODE)) <= width for width in range(1, 100))


def test_a_chart_has_its_largest_value_its_ground_and_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = chart([0, 1_000_000, 2_000_000, 500_000], "2026-04-01", "2026-04-04", terminal(monkeypatch, 40))
    assert drawn == (
        "$2.00 │        ███\n"
        "      │        ███\n"
        "      │        ███\n"
        "      │    ███ ███\n"
        "      │    ███ ███ ▄▄▄\n"
        "      │    ███ ███ ███\n"
        "$0.00 └────────────────────────\n"
        "       2026-04-01    2026-04-04\n"
    )


def test_a_chart_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = chart([1_000_000, 2_000_000], "2026-04-01", "2026-04-02", terminal(monkeypatch, 40, "ascii"))
    assert drawn.isascii()
    assert drawn.splitlines()[0] == "$2.00 |    ###"
    assert drawn.splitlines()[3:5] == ["      |### ###"] * 2


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_a_chart_fits_the_screen(monkeypatch: pytest.MonkeyPatch, width: int, days: int) -> None:
    values = [number * 12_345_678 for number in range(1, days + 1)]
    drawn = chart(values, "2026-01-01", "2026-03-31", terminal(monkeypatch, width))
    assert max(len(line) for line in drawn.splitlines()) <= max(width, 45)
    assert len(drawn.splitlines()) == 8


def test_nothing_has_no_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chart([0, 0], "a", "b", terminal(monkeypatch, 80)) == ""
    assert chart([], "a", "b", terminal(monkeypatch, 80)) == ""
