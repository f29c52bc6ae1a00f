"""Where genai-prices and the hosted service's own price list differ, and why. Nothing else may differ."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon.contract.clock import from_iso
from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.pricing.rates import TOKEN_CLASSES, Price

HOSTED = Path(__file__).parents[4] / "shared" / "contract" / "hosted-prices.csv"
pytestmark = pytest.mark.skipif(not HOSTED.is_file(), reason="there is no hosted-prices.csv beside the project")

OLD_RATES = "the hosted list has an older rate; its SDK and genai-prices have today's"
OWN_NAME = "the hosted list's own short name; no provider and no catalogue knows it"
NOT_CACHED = "no cached rate is published: cached tokens are charged as input, never at $0"
LONG_CONTEXT = "the provider charges more for long prompts; the hosted list knows no tiers"

RATES: dict[str, tuple[str, dict[str, tuple[str, str | None]]]] = {
    # model: why, {token class: (hosted, genai-prices)}
    "o3-deep-research": (OLD_RATES, {"input": ("5", "10"), "cached_input": ("5", "2.5"), "output": ("20", "40")}),
    "o4-mini-deep-research": (OLD_RATES, {"input": ("1", "2"), "cached_input": ("1", "0.5"), "output": ("4", "8")}),
    "computer-use-preview": (OLD_RATES, {"input": ("1.5", "3"), "cached_input": ("1.5", None), "output": ("6", "12")}),
    "gemini-2.5-pro": (OLD_RATES, {"cached_input": ("0.3125", "0.125")}),
    "gemini-2.5-flash": (
        OLD_RATES,
        {"input": ("0.15", "0.3"), "cached_input": ("0.0375", "0.03"), "output": ("0.6", "2.5")},
    ),
    "gpt-5.4-pro": (NOT_CACHED, {"cached_input": ("30", None)}),
    "gpt-5.2-pro": (NOT_CACHED, {"cached_input": ("21", None)}),
    "gpt-5-pro": (NOT_CACHED, {"cached_input": ("15", None)}),
    "o3-pro": (NOT_CACHED, {"cached_input": ("20", None)}),
    "o1-pro": (NOT_CACHED, {"cached_input": ("150", None)}),
    "gemini-2.0-flash-lite": (NOT_CACHED, {"cached_input": ("0", None)}),
}
UNKNOWN = {"claude-haiku-3.5": OWN_NAME, "claude-haiku-3": OWN_NAME}
TIERS: dict[str, tuple[str, int, str, str]] = {
    # model: why, input tokens above which it applies, input and output rate then
    "gpt-5.4": (LONG_CONTEXT, 272_000, "5", "22.5"),
    "gpt-5.4-pro": (LONG_CONTEXT, 272_000, "60", "270"),
    "claude-sonnet-4-5": (LONG_CONTEXT, 200_000, "6", "22.5"),
    "claude-sonnet-4-5-20250929": (LONG_CONTEXT, 200_000, "6", "22.5"),
    "gemini-2.5-pro": (LONG_CONTEXT, 200_000, "2.5", "15"),
    "gemini-3.1-pro-preview": (LONG_CONTEXT, 200_000, "4", "18"),
}


class Then:
    """The day this comparison was made: prices that change later do not change it."""

    def now_ms(self) -> int:
        return from_iso("2026-11-24T12:00:00.000Z")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, str], Price | None]]:
    catalogue = Catalogue(tmp_path_factory.mktemp("prices") / "prices.toml", clock=Then())
    rows = list(csv.DictReader(HOSTED.read_text().splitlines()))
    assert len(rows) == 58
    return {row["model"]: (row, catalogue.price(row["provider"], row["model"])) for row in rows}


def test_the_rates_differ_only_where_it_is_known_why(compared: dict[str, Any]) -> None:
    found: dict[str, dict[str, tuple[str, str | None]]] = {}
    for model, (row, price) in compared.items():
        for kind in TOKEN_CLASSES if price else ():
            listed = getattr(price.base, kind)
            if row[kind] and (listed is None or listed != Decimal(row[kind])):
                found.setdefault(model, {})[kind] = (row[kind], None if listed is None else str(listed))
    assert found == {model: differences for model, (_, differences) in RATES.items()}


def test_the_names_that_the_catalogue_does_not_know_are_known(compared: dict[str, Any]) -> None:
    assert {model for model, (_, price) in compared.items() if price is None} == set(UNKNOWN)


def test_the_tiers_that_the_hosted_list_does_not_have_are_known(compared: dict[str, Any]) -> None:
    found = {
        model: (price.tiers[0].above, str(price.tiers[0].rates.input), str(price.tiers[0].rates.output))
        for model, (_, price) in compared.items()
        if price and price.tiers
    }
    assert found == {model: figures for model, (_, *rest) in TIERS.items() for figures in [tuple(rest)]}
