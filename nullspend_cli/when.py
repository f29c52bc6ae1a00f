"""Times and durations as people type and read them. Shown in UTC, like the servers' periods."""

import re
from datetime import UTC, datetime, timedelta

from nullspend_daemon.contract.clock import from_iso, to_iso

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = r"([0-9]{1,9})(ms|s|m|h|d|w)"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


class TimeError(ValueError):
    """Text that is no time or duration. The message is the sentence to show."""


def parse_duration(text: str) -> int:
    """Milliseconds of `90s`, `15m`, `2h`, `31d`, `1w`, `1d12h` or `500ms`. Raises TimeError."""
    compact = text.strip().lower().replace(" ", "")
    if not re.fullmatch(f"(?:{_PART})+", compact):
        raise TimeError(f"{text!r} is not a duration; write 90s, 15m, 2h, 31d, 1w or 1d12h")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in re.findall(_PART, compact))


def parse_moment(text: str, now_ms: int) -> str:
    """An ISO time from `2026-04-01`, `2026-04-01T12:00:00Z`, `now`, or a duration that ago. Raises TimeError."""
    shown = text.strip()
    if shown == "now":
        return to_iso(now_ms)
    try:
        if re.fullmatch(_DAY, shown):
            return to_iso(from_iso(f"{shown}T00:00:00Z"))
        if "T" in shown:
            return to_iso(from_iso(shown))
        return to_iso(now_ms - parse_duration(shown))
    except (ValueError, OverflowError):
        raise TimeError(
            f"{text!r} is not a time; write 2026-04-01, 2026-04-01T12:00:00Z, or how long ago: 2h, 7d"
        ) from None


def show_time(iso: object) -> str:
    """`2026-04-01 12:00Z` for an ISO time; text that is none stays as it is, None is empty."""
    if not isinstance(iso, str):
        return ""
    try:
        return _minute(from_iso(iso))
    except ValueError:
        return iso


def _minute(ms: int) -> str:
    text = to_iso(ms)
    return f"{text[:10]} {text[11:16]}Z"


def show_duration(ms: int) -> str:
    """The two largest parts: `31d`, `1d 12h`, `2m 5s`, `340ms`."""
    if ms < 1000:
        return f"{ms}ms"
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        number, ms = divmod(ms, _UNITS_MS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2])


def period_end(start: object, interval: object) -> str | None:
    """When a budget's period ends, as the servers reckon it: a day, 7 days, a calendar month or year (UTC) after its
    start, where a day the month does not have counts on into the next: 31 January + 1 month is 3 March."""
    if not isinstance(start, str):
        return None
    days, months = {"daily": (1, 0), "weekly": (7, 0), "monthly": (0, 1), "yearly": (0, 12)}.get(str(interval), (0, 0))
    try:
        moment = datetime.fromtimestamp(from_iso(start) / 1000, UTC)
        years, month = divmod(moment.month - 1 + months, 12)
        first = moment.replace(year=moment.year + years, month=month + 1, day=1)
    except (ValueError, OverflowError):
        return None
    return to_iso(int((first + timedelta(days=moment.day - 1 + days)).timestamp() * 1000)) if days or months else None
