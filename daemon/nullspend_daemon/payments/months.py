"""Calendar months in UTC, written YYYY-MM: what revenue and margins are counted by."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

_TEXT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_EPOCH = date(1970, 1, 1)
FIRST_YEAR, LAST_YEAR = 1970, 9000


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One calendar month."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month of `YYYY-MM`. Raises ValueError."""
        match = _TEXT.fullmatch(text)
        if match is None or not FIRST_YEAR <= int(match[1]) < LAST_YEAR:
            raise ValueError("Must be a month written YYYY-MM")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def at(cls, ms: int) -> "Month":
        """The UTC month of a time in epoch ms."""
        moment = datetime.fromtimestamp(ms // 1000, UTC)
        return cls(moment.year, moment.month)

    def plus(self, months: int) -> "Month":
        """The month so many later; earlier when negative."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    @property
    def first_day(self) -> int:
        """Its first day, counted from the epoch; negative before 1970."""
        return (date(self.year, self.month, 1) - _EPOCH).days

    @property
    def start_seconds(self) -> int:
        """Its first moment, in unix seconds."""
        return self.first_day * 86_400

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
