"""Budget periods: anchored at the instant a budget was made or reset, advanced by whole intervals, in UTC."""

from datetime import UTC, datetime, timedelta
from typing import Literal

Interval = Literal["daily", "weekly", "monthly", "yearly"]
DAY_MS = 86_400_000
_FIXED_MS = {"daily": DAY_MS, "weekly": 7 * DAY_MS}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_YEAR = 9998


def period_end(start_ms: int, interval: Interval) -> int:
    """The epoch ms at which the period that began at `start_ms` is over.

    A month or year is a calendar step that overflows as JavaScript's does: 31 January + 1 month is 3 March, and the
    next step goes on from the 3rd.
    """
    fixed = _FIXED_MS.get(interval)
    if fixed is not None:
        return start_ms + fixed
    start = _EPOCH + timedelta(milliseconds=start_ms)
    months = start.month if interval == "monthly" else start.month + 11
    year, month = start.year + months // 12, months % 12 + 1
    if year > _LAST_YEAR:  # past the calendar: such a period never ends
        return start_ms + 10_000 * 366 * DAY_MS
    first = datetime(year, month, 1, start.hour, start.minute, start.second, start.microsecond, UTC)
    return (first + timedelta(days=start.day - 1) - _EPOCH) // timedelta(milliseconds=1)


def current_start(start_ms: int, interval: Interval, now_ms: int) -> int:
    """The start of the period that `now_ms` falls in; `start_ms` itself while that period runs."""
    fixed = _FIXED_MS.get(interval)
    if fixed is not None:
        return start_ms + max(0, (now_ms - start_ms) // fixed) * fixed
    while (end := period_end(start_ms, interval)) <= now_ms:
        start_ms = end
    return start_ms
