"""The products a cost is made of, kept with its event so that it can be explained when the rates have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from nullspend_daemon.contract.money import MAX_MICRODOLLARS, round_half_up
from nullspend_daemon.pricing.rates import TokenClass

_ZERO = Decimal(0)
Explanation = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One product. `rate` and `amount` in microdollars; `above` names the tier, None is the base."""

    kind: TokenClass
    tokens: int
    rate: Decimal
    above: int | None

    @property
    def amount(self) -> Decimal:
        """Tokens times rate, unrounded."""
        return self.tokens * self.rate


def total_of(lines: Sequence[Line], margin: Decimal = Decimal(1)) -> int:
    """The sum of the products, with the margin, rounded once, half up; it stops at the largest amount there is."""
    return min(round_half_up(sum((line.amount for line in lines), _ZERO) * margin), MAX_MICRODOLLARS)


def explanation(source: str, lines: Sequence[Line] = (), margin: Decimal | None = None) -> Explanation:
    """What is kept with an event. `source` is where the rates are from, or what the cost is instead of a price."""
    kept: Explanation = {
        "source": source,
        "lines": [
            {"class": line.kind, "tokens": line.tokens, "rate": str(line.rate), "tier": line.above} for line in lines
        ],
    }
    return kept if margin is None else kept | {"margin": str(margin)}


def lines_of(kept: Mapping[str, Any]) -> list[Line]:
    """The products in what was kept."""
    return [
        Line(cast("TokenClass", line["class"]), line["tokens"], Decimal(line["rate"]), line["tier"])
        for line in kept["lines"]
    ]
