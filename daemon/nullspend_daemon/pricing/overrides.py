"""The user's own price list, prices.toml: negotiated rates and private models."""

import tomllib
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from nullspend_daemon.pricing.rates import TOKEN_CLASSES, Price, Rates, Tier

Match = Literal["exact", "prefix"]
_FIELDS = {"provider", "model", "match", "context_window", "tier", *TOKEN_CLASSES}
_TIER_FIELDS = {"above", *TOKEN_CLASSES}


class BadPrices(ValueError):
    """prices.toml cannot be used. The message is the sentence to show."""


@dataclass(frozen=True, slots=True)
class Override:
    """One entry: the price of a model, or of all models whose name starts like it."""

    price: Price
    match: Match


@dataclass(frozen=True, slots=True)
class Overrides:
    """The whole list."""

    entries: tuple[Override, ...] = ()

    def price(self, provider: str, model: str) -> Price | None:
        """The price of a model: its exact entry, else the one with the longest prefix."""
        of_provider = [entry for entry in self.entries if entry.price.provider == provider]
        for entry in of_provider:
            if entry.match == "exact" and entry.price.model == model:
                return entry.price
        longest = max(
            (entry.price for entry in of_provider if entry.match == "prefix" and model.startswith(entry.price.model)),
            key=lambda price: len(price.model),
            default=None,
        )
        return None if longest is None else replace(longest, model=model)


def load(path: Path) -> Overrides:
    """The price list at `path`; an empty one when there is no file. Raises BadPrices."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Overrides()
    except (OSError, UnicodeDecodeError) as error:
        raise BadPrices(f"{path} cannot be read: {error}.") from None
    try:
        return parse(text)
    except BadPrices as error:
        raise BadPrices(f"{path} cannot be used: {error}") from None


def parse(text: str) -> Overrides:
    """The price list written in `text`. Raises BadPrices that names the entry and the field."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadPrices(f"{error}.") from None
    unknown = sorted(document.keys() - {"price"})
    if unknown:
        raise BadPrices(f"{unknown[0]!r} is not known; a price stands under [[price]].")
    entries = document.get("price", [])
    if not isinstance(entries, list):
        raise BadPrices("a price stands under [[price]], with two brackets.")
    found: dict[tuple[str, str, str], Override] = {}
    for number, entry in enumerate(entries, start=1):
        override = _override(entry, f"price {number}")
        key = (override.price.provider, override.price.model, override.match)
        if key in found:
            raise BadPrices(f"price {number}: {key[0]}/{key[1]} is there twice.")
        found[key] = override
    return Overrides(tuple(found.values()))


def _override(entry: Any, where: str) -> Override:
    if not isinstance(entry, dict):
        raise BadPrices(f"{where}: write provider, model and rates under [[price]].")
    _refuse_unknown(entry, _FIELDS, where)
    provider, model = _name(entry, "provider", where), _name(entry, "model", where)
    where = f"{where} ({provider}/{model})"
    match = entry.get("match", "exact")
    if match not in ("exact", "prefix"):
        raise BadPrices(f"{where}: match is {match!r}; write exact or prefix.")
    base = _rates(entry, where)
    if base.input is None or base.output is None:
        raise BadPrices(f"{where}: {'input' if base.input is None else 'output'} is missing.")
    price = Price(
        provider=provider,
        model=model,
        source="override",
        base=base,
        tiers=_tiers(entry.get("tier", []), base, where),
        context_window=_whole(entry, "context_window", where) if "context_window" in entry else None,
    )
    return Override(price, match)


def _tiers(entries: Any, base: Rates, where: str) -> tuple[Tier, ...]:
    """The tiers, ascending; a class that a tier does not name keeps the rate below it."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadPrices(f"{where}: a tier stands under [[price.tier]], with two brackets.")
    tiers: list[Tier] = []
    for entry in entries:
        _refuse_unknown(entry, _TIER_FIELDS, where)
        above = _whole(entry, "above", where)
        if tiers and above <= tiers[-1].above:
            raise BadPrices(f"{where}: tiers ascend; {above} stands after {tiers[-1].above}.")
        base = replace(base, **_rates(entry, where).known())
        tiers.append(Tier(above, base))
    return tuple(tiers)


def _refuse_unknown(entry: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(entry.keys() - known)
    if unknown:
        raise BadPrices(f"{where}: {unknown[0]!r} is not known; there are {', '.join(sorted(known))}.")


def _name(entry: dict[str, Any], field: str, where: str) -> str:
    name = entry.get(field)
    if not isinstance(name, str) or not name:
        raise BadPrices(f"{where}: {field} is missing.")
    return name


def _whole(entry: dict[str, Any], field: str, where: str) -> int:
    number = entry.get(field)
    if type(number) is not int or number < 1:
        raise BadPrices(f"{where}: {field} is a whole number of tokens, such as 200000.")
    return number


def _rates(entry: dict[str, Any], where: str) -> Rates:
    return Rates(**{kind: _rate(entry[kind], kind, where) for kind in TOKEN_CLASSES if kind in entry})


def _rate(written: Any, kind: str, where: str) -> Decimal:
    """A rate as a text, so that 0.1 is exactly that; a whole number is exact as it is."""
    try:
        if type(written) is not int and not isinstance(written, str):
            raise InvalidOperation
        rate = Decimal(written)
    except InvalidOperation:
        raise BadPrices(f'{where}: {kind} is {written!r}; write dollars per million tokens, such as "2.50".') from None
    if not rate.is_finite() or not 0 <= rate <= 1_000_000:
        raise BadPrices(f"{where}: {kind} is {written!r}; a rate is a number from 0 to 1,000,000.")
    return rate
