"""prices.toml: which entry counts, tiers, and what is said about a file that cannot be used."""

from decimal import Decimal
from pathlib import Path

import pytest

from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.pricing.overrides import BadPrices, load, parse

ENTRY = '[[price]]\nprovider = "openai"\nmodel = "m"\ninput = "1"\noutput = "2"\n'


def entry(model: str, match: str, rate: int, provider: str = "openai") -> str:
    return (
        f'[[price]]\nprovider = "{provider}"\nmodel = "{model}"\nmatch = "{match}"\n'
        f'input = "{rate}"\noutput = "{rate}"\n'
    )


def test_an_exact_entry_beats_every_prefix_and_the_longest_prefix_the_others() -> None:
    prices = parse(
        entry("gpt", "prefix", 1)
        + entry("gpt-4o", "prefix", 2)
        + entry("gpt-4", "prefix", 3)
        + entry("gpt-4o", "exact", 4)
    )
    found = {model: prices.price("openai", model) for model in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt", "o3")}
    assert {model: price and price.base.input for model, price in found.items()} == {
        "gpt-4o": Decimal(4),
        "gpt-4o-mini": Decimal(2),
        "gpt-4.1": Decimal(3),
        "gpt": Decimal(1),
        "o3": None,
    }
    assert prices.price("anthropic", "gpt-4o") is None


def test_a_tier_keeps_the_rates_it_does_not_name() -> None:
    text = (
        ENTRY
        + 'cached_input = "0.5"\n[[price.tier]]\nabove = 100\ninput = "3"\n[[price.tier]]\nabove = 200\noutput = "9"\n'
    )
    price = parse(text).price("openai", "m")
    assert price is not None
    assert price.rates_for(100).input == Decimal(1)
    assert [price.rates_for(101).of(kind) for kind in ("input", "cached_input", "output")] == [3, Decimal("0.5"), 2]
    assert [price.rates_for(201).of(kind) for kind in ("input", "cached_input", "output")] == [3, Decimal("0.5"), 9]


def test_a_class_without_a_rate_is_charged_as_the_next_wider_one_and_never_at_0() -> None:
    price = parse(ENTRY).price("openai", "m")
    assert price is not None
    assert [price.base.of(kind) for kind in ("cached_input", "cache_write_5m", "cache_write_1h")] == [1, 1, 1]
    price = parse(ENTRY + 'cache_write_5m = "1.25"\n').price("openai", "m")
    assert price is not None and price.base.of("cache_write_1h") == Decimal("1.25")


def test_no_file_is_no_prices(tmp_path: Path) -> None:
    assert load(tmp_path / "prices.toml").entries == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[price]", "line 1"),
        ('[price]\nprovider = "a"', "two brackets"),
        ("[[prices]]\n", "'prices' is not known"),
        ('[[price]]\nmodel = "m"\n', "price 1: provider is missing."),
        (ENTRY + '[[price]]\nprovider = "a"\nmodel = ""\n', "price 2: model is missing."),
        (ENTRY.replace('output = "2"\n', ""), "price 1 (openai/m): output is missing."),
        (ENTRY + 'matches = "prefix"\n', "price 1: 'matches' is not known"),
        (ENTRY + 'match = "glob"\n', "price 1 (openai/m): match is 'glob'"),
        (ENTRY.replace('"1"', '"cheap"'), "price 1 (openai/m): input is 'cheap'"),
        (ENTRY.replace('"1"', "1.5"), 'input is 1.5; write dollars per million tokens, such as "2.50"'),
        (ENTRY.replace('"1"', '"-1"'), "a rate is a number from 0"),
        (ENTRY.replace('"1"', '"NaN"'), "a rate is a number from 0"),
        (ENTRY + ENTRY, "price 2: openai/m is there twice."),
        (ENTRY + '[[price.tier]]\ninput = "1"\n', "above is a whole number of tokens"),
        (ENTRY + "[[price.tier]]\nabove = 5\n[[price.tier]]\nabove = 5\n", "tiers ascend; 5 stands after 5."),
        (ENTRY + "context_window = 0\n", "context_window is a whole number of tokens"),
    ],
)
def test_a_bad_file_is_refused_with_the_entry_and_the_field(text: str, sentence: str) -> None:
    with pytest.raises(BadPrices) as refused:
        parse(text)
    assert sentence in str(refused.value)


def test_an_unreadable_file_is_a_sentence_too(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadPrices, match="cannot be read"):
        load(path)


def test_prices_are_looked_up_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    catalogue = Catalogue(path)
    first = catalogue.price("openai", "gpt-4o")
    assert first is not None and first.source == "catalogue"
    assert catalogue.price("openai", "gpt-4o") is first
    path.write_text(entry("gpt-4o", "exact", 7))
    changed = catalogue.price("openai", "gpt-4o")
    assert changed is not None
    assert (changed.source, changed.base.input, changed.context_window) == ("override", Decimal(7), 128_000)


def test_names_from_requests_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nullspend_daemon.pricing.catalogue.KEPT_PRICES", 50)
    catalogue = Catalogue(tmp_path / "prices.toml")
    for number in range(120):
        assert catalogue.price("openai", f"nobody-{number}") is None
    assert len(catalogue._memory.prices) <= 50  # pyright: ignore[reportPrivateUsage]


def test_a_model_is_priced_under_the_providers_own_id_only(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "prices.toml")
    assert catalogue.price("my-openai-gateway", "gpt-4o") is None
    assert catalogue.price("groq", "llama-3.3-70b-versatile") is not None
