"""What is left of a customer's revenue after their cost. Exact fractions; rounded half up, to two decimals, at the end.

Pure rules of orgs 9. A customer with cost and no revenue is critical although their margin is shown as 0 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

Tier = Literal["healthy", "moderate", "at_risk", "critical"]
SEVERITY: dict[Tier, int] = {"healthy": 0, "moderate": 1, "at_risk": 2, "critical": 3}
_FROM_PERCENT: tuple[tuple[int, Tier], ...] = ((50, "healthy"), (20, "moderate"), (0, "at_risk"))
_ALL_LOST = Fraction(-100)


@dataclass(frozen=True, slots=True)
class Figures:
    """Revenue and cost of one month, in microdollars."""

    revenue: int
    cost: int

    @property
    def is_empty(self) -> bool:
        """Nothing came in and nothing went out."""
        return self.revenue == 0 and self.cost == 0

    @property
    def margin(self) -> int:
        """What is left, in microdollars; negative when the cost is higher."""
        return self.revenue - self.cost

    @property
    def percent(self) -> Fraction:
        """What is left of each 100 of revenue; 0 without revenue."""
        return Fraction(100 * self.margin, self.revenue) if self.revenue > 0 else Fraction(0)

    @property
    def trend(self) -> Fraction:
        """As `percent`, but -100 for cost without revenue: the point of a sparkline."""
        return _ALL_LOST if self.revenue <= 0 < self.cost else self.percent

    @property
    def tier(self) -> Tier:
        """How healthy that is."""
        return "critical" if self.revenue <= 0 < self.cost else tier_at(self.percent)

    @property
    def budget_suggestion(self) -> int | None:
        """For a critical customer with revenue: the cost at which half of it would be left, in microdollars."""
        return (self.revenue + 1) // 2 if self.tier == "critical" and self.revenue > 0 else None


def tier_at(percent: Fraction) -> Tier:
    """The tier of a percentage."""
    for start, tier in _FROM_PERCENT:
        if percent >= start:
            return tier
    return "critical"


def is_worse(tier: Tier, than: Tier) -> bool:
    """Whether `tier` comes later in healthy, moderate, at_risk, critical."""
    return SEVERITY[tier] > SEVERITY[than]


def projection(months: Sequence[Figures]) -> Fraction | None:
    """The trend of three months, continued to the fourth by least squares; None when one of them is empty."""
    if any(month.is_empty for month in months):
        return None
    first, second, third = (month.trend for month in months)
    # For x = 0, 1, 2 the slope is (third - first) / 2 and the line passes through (1, mean): at x = 3 that is
    return (first + second + third) / 3 + (third - first)


def rounded(value: Fraction) -> float:
    """Two decimals, half up, as replies show percentages."""
    return floor(value * 100 + Fraction(1, 2)) / 100
