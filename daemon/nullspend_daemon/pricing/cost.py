"""The cost of a reply: tokens times rates, exact, and rounded once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from nullspend_daemon.contract.money import round_half_up
from nullspend_daemon.pricing.lines import Explanation, Line, explanation, total_of
from nullspend_daemon.pricing.rates import Price, Rates, TokenClass
from nullspend_daemon.pricing.shapes import Shape
from nullspend_daemon.pricing.usage import Usage

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a reply cost, in microdollars. `breakdown` is None without a price, and its parts sum up to `total`."""

    total: int
    breakdown: dict[str, int] | None
    long_context: bool = False
    source: str | None = None
    lines: tuple[Line, ...] = field(default=())

    @property
    def explanation(self) -> Explanation | None:
        """What to keep with the event: the priced lines and where the rates are from. None without a price."""
        return None if self.source is None else explanation(self.source, self.lines)


UNPRICED = Cost(total=0, breakdown=None)


def cost_of(shape: Shape, usage: Usage, price: Price | None, tool_definition_tokens: int = 0) -> Cost:
    """The cost of `usage` at `price`. Without a price 0 and no breakdown: the caller then charges the estimate."""
    if price is None:
        return UNPRICED
    tier = price.tier_for(usage.input)
    rates, above = (price.base, None) if tier is None else (tier.rates, tier.above)
    lines = tuple(Line(kind, tokens, rates.of(kind), above) for kind, tokens in _counts(usage).items() if tokens > 0)
    total = total_of(lines)
    breakdown = _breakdown(lines, total) | _subsets(shape, usage, rates, tool_definition_tokens)
    return Cost(total=total, breakdown=breakdown, long_context=tier is not None, source=price.source, lines=lines)


def _counts(usage: Usage) -> Mapping[TokenClass, int]:
    return {
        "input": usage.uncached,
        "cached_input": usage.cached,
        "cache_write_5m": usage.cache_write_5m,
        "cache_write_1h": usage.cache_write_1h,
        "output": usage.output,
    }


def _breakdown(lines: tuple[Line, ...], total: int) -> dict[str, int]:
    """Each part rounded half up; what rounding leaves over goes to the largest part."""
    exact = {"input": _ZERO, "output": _ZERO, "cached": _ZERO}
    for line in lines:
        exact[line.kind if line.kind in ("input", "output") else "cached"] += line.amount
    parts = {name: round_half_up(amount) for name, amount in exact.items()}
    largest = "output" if exact["output"] >= max(exact["input"], exact["cached"]) else "input"
    if largest == "input" and exact["input"] < exact["cached"]:
        largest = "cached"
    parts[largest] += total - sum(parts.values())
    return parts


def _subsets(shape: Shape, usage: Usage, rates: Rates, tool_definition_tokens: int) -> dict[str, int]:
    """What is already counted in a part and worth knowing: reasoning in output, tool definitions in input."""
    found: dict[str, int] = {}
    if shape != "messages" and usage.reasoning > 0:
        found["reasoning"] = round_half_up(usage.reasoning * rates.of("output"))
    if tool_definition_tokens > 0:
        found["toolDefinition"] = round_half_up(tool_definition_tokens * rates.of("input"))
    return found


def tool_definition_tokens(body: dict[str, Any]) -> int:
    """How many tokens the `tools` of a request are taken for: a quarter of their JSON's characters, rounded up."""
    tools = body.get("tools")
    if not isinstance(tools, list) or not tools:
        return 0
    text = json.dumps(tools, ensure_ascii=False, separators=(",", ":"))
    return -(-len(text) // 4)
