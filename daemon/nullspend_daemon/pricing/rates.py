"""Rates: USD per million tokens, which is microdollars per token, as exact decimals."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

TokenClass = Literal["input", "cached_input", "cache_write_5m", "cache_write_1h", "output"]
TOKEN_CLASSES: tuple[TokenClass, ...] = ("input", "cached_input", "cache_write_5m", "cache_write_1h", "output")
Source = Literal["override", "catalogue", "free"]
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rates:
    """One rate a token class, in microdollars per token; None where no rate is published."""

    input: Decimal | None = None
    cached_input: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    output: Decimal | None = None

    def of(self, kind: TokenClass) -> Decimal:
        """The rate that tokens of `kind` are charged at: without one of their own, that of the next wider class.

        A cache write of an hour falls back to one of five minutes, everything else to input: never silently free.
        """
        own: Decimal | None = getattr(self, kind)
        if own is None and kind == "cache_write_1h":
            own = self.cache_write_5m
        if own is None:
            own = self.input
        return _ZERO if own is None or own < 0 else own

    def known(self) -> Mapping[TokenClass, Decimal]:
        """The published rates only."""
        return {kind: rate for kind in TOKEN_CLASSES if (rate := getattr(self, kind)) is not None}


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of a call with more than `above` input tokens; they hold for all of its tokens."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs and where that was found. `tiers` ascend; `context_window` is in tokens."""

    provider: str
    model: str
    source: Source
    base: Rates
    tiers: tuple[Tier, ...] = ()
    context_window: int | None = None

    def tier_for(self, input_tokens: int) -> Tier | None:
        """The highest tier that applies to a call with `input_tokens`, None for the base rates."""
        found = None
        for tier in self.tiers:
            if input_tokens > tier.above:
                found = tier
        return found

    def rates_for(self, input_tokens: int) -> Rates:
        """The rates of a call with `input_tokens` input tokens."""
        tier = self.tier_for(input_tokens)
        return self.base if tier is None else tier.rates

    @property
    def all_rates(self) -> tuple[Rates, ...]:
        """The rates of the base and of every tier."""
        return (self.base, *(tier.rates for tier in self.tiers))


FREE = Price(
    provider="",
    model="",
    source="free",
    base=Rates(input=_ZERO, cached_input=_ZERO, cache_write_5m=_ZERO, cache_write_1h=_ZERO, output=_ZERO),
)
"""The price of every model of a free upstream: known, and 0."""
