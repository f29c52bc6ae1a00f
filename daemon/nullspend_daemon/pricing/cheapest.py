"""The cheapest models a key may use, of the providers that agents choose from."""

from collections.abc import Sequence
from decimal import Decimal

from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.pricing.rates import Price

PROVIDERS = ("openai", "anthropic", "google")


def cheapest_per_provider(
    catalogue: Catalogue, allowed_models: Sequence[str] | None, allowed_providers: Sequence[str] | None
) -> dict[str, Price]:
    """The allowed model with the smallest sum of input and output rate, by provider; the first one wins a tie.

    Only models whose two rates are known and above 0 count. None allows everything.
    """
    found: dict[str, Price] = {}
    for provider in PROVIDERS:
        if allowed_providers is None or provider in allowed_providers:
            candidates = [price for price in _allowed(catalogue, provider, allowed_models) if _sum(price) is not None]
            if candidates:
                found[provider] = min(candidates, key=lambda price: _sum(price) or Decimal(0))
    return found


def cheapest_overall(per_provider: dict[str, Price]) -> Price | None:
    """The cheapest of these."""
    return min(per_provider.values(), key=lambda price: _sum(price) or Decimal(0), default=None)


def _allowed(catalogue: Catalogue, provider: str, models: Sequence[str] | None) -> list[Price]:
    if models is None:
        return catalogue.every(provider)
    named = (catalogue.price(provider, model) for model in models if catalogue.offers(provider, model))
    return [price for price in named if price is not None]


def _sum(price: Price) -> Decimal | None:
    read, written = price.base.input, price.base.output
    return read + written if read and written and read > 0 and written > 0 else None
