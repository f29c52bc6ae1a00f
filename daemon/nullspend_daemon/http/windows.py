"""The time window of an analysis: N calendar days in UTC, today included."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.http.wire import Query
from nullspend_daemon.ledger.periods import DAY_MS

Period = Literal["7d", "30d", "90d"]
_DAYS: dict[Period, int] = {"7d": 7, "30d": 30, "90d": 90}


class PeriodQuery(Query):
    """How far back to look."""

    period: Period = "30d"

    def first_day(self, now_ms: int) -> int:
        """The first day (since the epoch) of the period that ends now."""
        return now_ms // DAY_MS - _DAYS[self.period] + 1


class WindowQuery(PeriodQuery):
    """The parameters that analyses share."""

    exclude_estimated: Literal["true", "false"] = "false"

    def window(self, now_ms: int) -> "Window":
        """The window that ends now."""
        return Window(self.first_day(now_ms), self.exclude_estimated == "true")


@dataclass(frozen=True, slots=True)
class Window:
    """From the midnight that begins `first_day` (days since the epoch) until now."""

    first_day: int
    without_estimated: bool

    @property
    def start_ms(self) -> int:
        """The first moment, epoch ms."""
        return self.first_day * DAY_MS

    def condition(self) -> tuple[str, list[Any]]:
        """The part of a WHERE clause over a roll-up that keeps the window's rows."""
        return ("day >= ?" + (" AND estimated = 0" if self.without_estimated else ""), [self.first_day])


def date_of(day: int) -> str:
    """`YYYY-MM-DD` of a day since the epoch."""
    return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"


def shown(total: int) -> int:
    """A sum as replies show it: never below 0, at most the largest amount the API carries."""
    return max(0, min(MAX_MICRODOLLARS, total))


def average(total: int, count: int) -> int:
    """total / count rounded half up; 0 of nothing."""
    return (2 * total + count) // (2 * count) if count else 0
