"""Time: epoch milliseconds inside, ISO-8601 UTC with `Z` outside. A clock is passed in, never looked up."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?Z", re.ASCII)


class Clock(Protocol):
    """Where the time comes from."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        ...


class SystemClock:
    """The machine's time."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class TestClock:
    """The machine's time plus an offset that only grows, so that a month passes in a millisecond."""

    __test__ = False  # not a test case, though pytest would take the name for one

    def __init__(self, offset_ms: int = 0) -> None:
        self.offset_ms = offset_ms
        self._system = SystemClock()

    def now_ms(self) -> int:
        return self._system.now_ms() + self.offset_ms

    def advance(self, ms: int) -> None:
        """Move forward by `ms`. Raises ValueError for a step back."""
        if ms < 0:
            raise ValueError("the clock only moves forward")
        self.offset_ms += ms


def to_iso(ms: int) -> str:
    """`2026-04-01T12:00:00.000Z` for epoch milliseconds."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")[:-6] + "Z"


def to_iso_or_none(ms: int | None) -> str | None:
    """As `to_iso`; None stays None."""
    return None if ms is None else to_iso(ms)


def from_iso(text: str) -> int:
    """Epoch milliseconds of an ISO-8601 text in UTC with `Z`. Raises ValueError for anything else."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("Expected an ISO-8601 time in UTC ending in Z")
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    fraction = (match[7] or "").ljust(3, "0")[:3]
    moment = datetime(year, month, day, hour, minute, int(match[6] or 0), int(fraction) * 1000, tzinfo=UTC)
    return (moment - _EPOCH) // _MS
