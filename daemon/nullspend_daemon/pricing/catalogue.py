"""Which price a model has: the user's prices.toml first, then genai-prices, bundled or downloaded."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from nullspend_daemon.contract.clock import Clock, SystemClock
from nullspend_daemon.pricing import genai, overrides
from nullspend_daemon.pricing.overrides import BadPrices, Override, Overrides
from nullspend_daemon.pricing.rates import Price

if TYPE_CHECKING:
    from genai_prices.types import Provider

log = logging.getLogger(__name__)

FAKE_PREFIX = "fake/"
FAKE_PRICED_AS = ("openai", "gpt-4o-mini")
"""Whose price the models of the built-in fake provider have."""
KEPT_PRICES = 4_096
"""Names come from requests: more than these are not kept."""
KEPT_MS = 30 * 60 * 1000
"""Prices that depend on the date or the time of day change on the half hour."""
Stamp = tuple[int, int] | None


@dataclass(slots=True)
class _Memory:
    """What was looked up since the files last changed, in one half hour."""

    half_hour: int
    prices: dict[tuple[str, str], Price | None] = field(default_factory=dict[tuple[str, str], Price | None])
    lists: dict[str | None, list[Price]] = field(default_factory=dict[str | None, list[Price]])


def _stamp(path: Path | None) -> Stamp:
    """What changes when the file does; None while there is none."""
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)


class Catalogue:
    """The prices of one daemon. Safe to ask from any thread."""

    def __init__(self, prices_path: Path, downloaded_path: Path | None = None, clock: Clock | None = None) -> None:
        self._prices_path, self._downloaded_path = prices_path, downloaded_path
        self._clock = SystemClock() if clock is None else clock
        self._lock = Lock()
        self._overrides = Overrides()
        self._overrides_stamp: Stamp = None
        self._providers: list[Provider] | None = None
        self._providers_stamp: Stamp = None
        self._memory = _Memory(0)

    def check(self) -> None:
        """Read prices.toml for the first time. Raises BadPrices: a start with other prices than asked for is none."""
        self._overrides_stamp = _stamp(self._prices_path)
        self._overrides = overrides.load(self._prices_path)

    def refresh(self) -> None:
        """Take up a changed prices.toml and a newly downloaded catalogue; a bad file leaves the old prices in use."""
        self._take_overrides()
        stamp = _stamp(self._downloaded_path)
        with self._lock:
            if self._providers is None or stamp != self._providers_stamp:
                self._providers_stamp = stamp
                self._providers = self._load(stamp)
                self._memory = _Memory(0)

    def price(self, provider: str, model: str) -> Price | None:
        """What `model` of `provider` costs; None when nobody knows. Kept once it was looked up."""
        memory, key = self._remembered(), (provider, model)
        if key not in memory.prices:
            if len(memory.prices) >= KEPT_PRICES:
                memory.prices.clear()
            memory.prices[key] = self._find(provider, model)
        return memory.prices[key]

    def records(self, q: str | None = None, provider: str | None = None) -> list[dict[str, Any]]:
        """Every known price, by provider and model; `q` is a part of the name, `provider` an exact one."""
        found = [record(price) for price in self.every(provider)]
        found += [record(entry.price, entry) for entry in self._overrides.entries if entry.match == "prefix"]
        wanted = (q or "").lower()
        return sorted(
            (
                each
                for each in found
                if provider in (None, each["provider"]) and wanted in f"{each['provider']}/{each['model']}".lower()
            ),
            key=lambda each: (each["provider"], each["model"]),
        )

    def offers(self, provider: str, model: str) -> bool:
        """Whether `model` is one of this provider's own, or has a price in prices.toml."""
        return self._overrides.price(provider, model) is not None or genai.offers(self._ready(), provider, model)

    def every(self, provider: str | None = None) -> list[Price]:
        """Every model with a price, in the catalogue's order, those of prices.toml last; of one provider or of all."""
        memory = self._remembered()
        if provider not in memory.lists:
            memory.lists[provider] = self._list(provider)
        return memory.lists[provider]

    def _list(self, provider: str | None) -> list[Price]:
        listed = genai.every(self._ready(), provider, self._clock.now_ms())
        found = {(price.provider, price.model): self._overridden(price) for price in listed}
        for entry in self._overrides.entries:
            if entry.match == "exact" and provider in (None, entry.price.provider):
                found[(entry.price.provider, entry.price.model)] = (
                    self.price(entry.price.provider, entry.price.model) or entry.price
                )
        return list(found.values())

    def _remembered(self) -> _Memory:
        """What is known of this half hour, with prices.toml as it is now."""
        self._ready()
        self._take_overrides()
        half_hour = self._clock.now_ms() // KEPT_MS
        if self._memory.half_hour != half_hour:
            self._memory = _Memory(half_hour)
        return self._memory

    def _overridden(self, price: Price) -> Price:
        own = self._overrides.price(price.provider, price.model)
        return price if own is None else _with_window(own, price)

    def _find(self, provider: str, model: str) -> Price | None:
        own = self._overrides.price(provider, model)
        if own is None and model.startswith(FAKE_PREFIX):
            as_other = self.price(*FAKE_PRICED_AS)
            return None if as_other is None else replace(as_other, provider=provider, model=model)
        listed = genai.find(self._ready(), provider, model, self._clock.now_ms())
        return listed if own is None else _with_window(own, listed)

    def _ready(self) -> "list[Provider]":
        if self._providers is None:
            self.refresh()
        return self._providers or []

    def _load(self, stamp: Stamp) -> "list[Provider]":
        if self._downloaded_path is not None and stamp is not None:
            try:
                return genai.downloaded(self._downloaded_path)
            except genai.UnreadableCatalogue as error:
                log.error("%s The prices in use stay. Run `nullspend prices update` again.", error)
                if self._providers is not None:
                    return self._providers
        return genai.bundled()

    def _take_overrides(self) -> None:
        stamp = _stamp(self._prices_path)
        if stamp == self._overrides_stamp:
            return
        with self._lock:
            self._overrides_stamp = stamp
            try:
                self._overrides = overrides.load(self._prices_path)
                log.info("prices.toml has changed: %d prices of your own", len(self._overrides.entries))
            except BadPrices as error:
                log.error("%s The prices in use stay.", error)
            self._memory = _Memory(0)


def _with_window(own: Price, listed: Price | None) -> Price:
    """A price of prices.toml with the context window of the catalogue, where it gives none itself."""
    if own.context_window is not None or listed is None:
        return own
    return replace(own, context_window=listed.context_window)


def record(price: Price, entry: Override | None = None) -> dict[str, Any]:
    """One price as GET /_local/prices shows it: rates in USD per million tokens, as texts."""
    shown: dict[str, Any] = {
        "provider": price.provider,
        "model": price.model,
        "rates": {kind: str(rate) for kind, rate in price.base.known().items()},
        "tiers": [
            {"above": tier.above} | {kind: str(rate) for kind, rate in tier.rates.known().items()}
            for tier in price.tiers
        ],
        "source": price.source,
        "contextWindow": price.context_window,
    }
    return shown if entry is None else shown | {"match": entry.match}
