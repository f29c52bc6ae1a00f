"""Which price a model has: the user's prices.toml first, then genai-prices, bundled or downloaded."""

import logging
from dataclasses import replace
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
        self._kept: dict[tuple[str, str], Price | None] = {}
        self._kept_since = 0

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
                self._kept = {}

    def price(self, provider: str, model: str) -> Price | None:
        """What `model` of `provider` costs; None when nobody knows. Kept once it was looked up."""
        self._take_overrides()
        now_ms = self._clock.now_ms()
        if now_ms // KEPT_MS != self._kept_since or len(self._kept) >= KEPT_PRICES:
            self._kept, self._kept_since = {}, now_ms // KEPT_MS
        kept, key = self._kept, (provider, model)
        if key not in kept:
            kept[key] = self._find(provider, model, now_ms)
        return kept[key]

    def records(self, q: str | None = None, provider: str | None = None) -> list[dict[str, Any]]:
        """Every known price, by provider and model; `q` is a part of the name, `provider` an exact one."""
        prices = {(price.provider, price.model): price for price in self.every()}
        found = [record(price) for price in prices.values()]
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

    def every(self) -> list[Price]:
        """Every model with a price, in the catalogue's order, those of prices.toml last."""
        self.refresh()
        listed = genai.every(self._ready(), self._clock.now_ms())
        found = {(price.provider, price.model): self._overridden(price) for price in listed}
        for entry in self._overrides.entries:
            if entry.match == "exact":
                found[(entry.price.provider, entry.price.model)] = entry.price
        return list(found.values())

    def _overridden(self, price: Price) -> Price:
        return self._override_of(price.provider, price.model, price.context_window) or price

    def _find(self, provider: str, model: str, now_ms: int) -> Price | None:
        own = self._overrides.price(provider, model)
        if own is None and model.startswith(FAKE_PREFIX):
            as_other = self.price(*FAKE_PRICED_AS)
            return None if as_other is None else replace(as_other, provider=provider, model=model)
        if own is not None and own.context_window is not None:
            return own
        listed = genai.find(self._ready(), provider, model, now_ms)
        if own is None:
            return listed
        return own if listed is None else replace(own, context_window=listed.context_window)

    def _override_of(self, provider: str, model: str, window: int | None) -> Price | None:
        own = self._overrides.price(provider, model)
        return own if own is None or own.context_window is not None else replace(own, context_window=window)

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
            self._kept = {}


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
