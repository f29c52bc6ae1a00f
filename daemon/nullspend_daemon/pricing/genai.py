"""genai-prices, as rates: the only place that knows that library."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nullspend_daemon.pricing.rates import TOKEN_CLASSES, Price, Rates, Tier, TokenClass

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_PRICE_KEYS: dict[TokenClass, tuple[str, ...]] = {
    "input": ("input_mtok",),
    "cached_input": ("cache_read_mtok",),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "output": ("output_mtok",),
}


class UnreadableCatalogue(ValueError):
    """A downloaded catalogue cannot be used. The message is the sentence to show."""


def bundled() -> list["Provider"]:
    """The providers of the installed package. The first call takes some 70 ms."""
    from genai_prices.data import providers

    return providers


def downloaded(path: Path) -> list["Provider"]:
    """The providers in a catalogue file. Raises UnreadableCatalogue."""
    try:
        return parse(path.read_bytes())
    except (OSError, UnreadableCatalogue) as error:
        raise UnreadableCatalogue(f"{path} cannot be used: {error}") from None


def parse(raw: bytes) -> list["Provider"]:
    """The providers in the JSON that genai-prices publishes. Raises UnreadableCatalogue."""
    import json

    # The package's own reader of that file; a release that moves it makes the catalogue unreadable, never wrong.
    from genai_prices.types import _providers_from_raw  # pyright: ignore[reportPrivateUsage]

    try:
        providers = _providers_from_raw(json.loads(raw))
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableCatalogue(f"it is no price catalogue ({type(error).__name__}).") from None
    known = {provider.id for provider in providers if provider.models}
    missing = sorted({"openai", "anthropic"} - known)
    if missing:
        raise UnreadableCatalogue(f"it has no prices of {missing[0]}.")
    return providers


def find(providers: list["Provider"], provider: str, model: str, now_ms: int) -> Price | None:
    """What `model` of exactly this provider costs at `now_ms`; None when that is not known."""
    owner = next((each for each in providers if each.id == provider), None)
    found = None if owner is None else owner.find_model(model, all_providers=providers)
    return None if found is None else _price(provider, model, found, now_ms)


def offers(providers: list["Provider"], provider: str, model: str) -> bool:
    """Whether `model` is one of this provider's own, and not another's that it resells."""
    return any(each.id == provider and each.find_model(model) is not None for each in providers)


def every(providers: list["Provider"], only: str | None, now_ms: int) -> Iterator[Price]:
    """Every model with a price, of one provider or of all, under its own name, in the catalogue's order."""
    for provider in (each for each in providers if only in (None, each.id)):
        for model in provider.models:
            price = _price(provider.id, model.id, model, now_ms)
            if price is not None:
                yield price


def _price(provider: str, name: str, model: "ModelInfo", now_ms: int) -> Price | None:
    """The standard price of a model at `now_ms`; service tiers and batches have others, which no request shows."""
    prices = model.get_prices(datetime.fromtimestamp(now_ms / 1000, UTC))
    base = _rates(prices, 0)
    if base.input is None:
        return None
    return Price(
        provider=provider,
        model=name,
        source="catalogue",
        base=base,
        tiers=tuple(Tier(above, _rates(prices, above + 1)) for above in _thresholds(prices)),
        context_window=model.context_window or None,
    )


def _rates(prices: "ModelPrice", input_tokens: int) -> Rates:
    """The rates of a call with that many input tokens."""
    return Rates(**{kind: _rate(prices, _PRICE_KEYS[kind], input_tokens) for kind in TOKEN_CLASSES})


def _rate(prices: "ModelPrice", keys: tuple[str, ...], input_tokens: int) -> Decimal | None:
    listed: Any = next((value for key in keys if (value := prices.__dict__.get(key)) is not None), None)
    if listed is None or isinstance(listed, Decimal):
        return listed
    applying = [tier.price for tier in listed.tiers if input_tokens > tier.start]
    return applying[-1] if applying else listed.base


def _thresholds(prices: "ModelPrice") -> list[int]:
    """Where a tier of any token class begins, ascending."""
    listed = [prices.__dict__.get(key) for keys in _PRICE_KEYS.values() for key in keys]
    return sorted({tier.start for price in listed for tier in getattr(price, "tiers", ())})
