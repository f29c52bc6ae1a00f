import pytest

from nullspend_cli.when import TimeError, parse_duration, parse_moment, period_end, show_duration, show_time

NOON = 1_774_958_400_000  # 2026-03-31T12:00:00Z


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("500ms", 500),
        ("90s", 90_000),
        ("15m", 900_000),
        ("2h", 7_200_000),
        ("31d", 2_678_400_000),
        ("1w", 604_800_000),
        ("1d12h", 129_600_000),
        (" 1D 12H ", 129_600_000),
        ("0s", 0),
    ],
)
def test_durations_are_numbers_with_units(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["", "5", "d", "-1d", "1.5h", "1y", "1d 2x", "９d"])
def test_anything_else_is_no_duration_and_the_sentence_says_what_is(text: str) -> None:
    with pytest.raises(TimeError, match="is not a duration; write 90s, 15m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-04-01", "2026-04-01T00:00:00.000Z"),
        ("2026-04-01T12:30:00Z", "2026-04-01T12:30:00.000Z"),
        ("now", "2026-03-31T12:00:00.000Z"),
        ("2h", "2026-03-31T10:00:00.000Z"),
        ("7d", "2026-03-24T12:00:00.000Z"),
    ],
)
def test_a_moment_is_a_day_a_time_or_how_long_ago(text: str, iso: str) -> None:
    assert parse_moment(text, NOON) == iso


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-02-30", "2026-04-01T12:00", "99999999d", ""])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(TimeError, match="is not a time; write 2026-04-01"):
        parse_moment(text, NOON)


def test_times_are_shown_to_the_minute_in_utc() -> None:
    assert show_time("2026-04-01T12:34:56.789Z") == "2026-04-01 12:34Z"
    assert show_time("soon") == "soon"
    assert show_time(None) == ""


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0ms"), (340, "340ms"), (5_000, "5s"), (125_000, "2m 5s"), (90_061_000, "1d 1h"), (2_678_400_000, "31d")],
)
def test_a_duration_is_shown_by_its_two_largest_parts(ms: int, text: str) -> None:
    assert show_duration(ms) == text


@pytest.mark.parametrize(
    ("start", "interval", "end"),
    [
        ("2026-04-01T08:30:00.000Z", "daily", "2026-04-02T08:30:00.000Z"),
        ("2026-04-01T08:30:00.000Z", "weekly", "2026-04-08T08:30:00.000Z"),
        ("2026-12-15T08:30:00.000Z", "monthly", "2027-01-15T08:30:00.000Z"),
        ("2026-01-31T00:00:00.000Z", "monthly", "2026-03-03T00:00:00.000Z"),
        ("2024-02-29T00:00:00.000Z", "yearly", "2025-03-01T00:00:00.000Z"),
        ("2026-04-01T08:30:00.000Z", None, None),
        (None, "daily", None),
        ("garbage", "daily", None),
    ],
)
def test_a_period_ends_when_the_server_says_it_does(start: object, interval: object, end: str | None) -> None:
    assert period_end(start, interval) == end
