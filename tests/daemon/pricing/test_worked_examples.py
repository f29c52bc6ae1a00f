"""The contract's worked examples, against the rates they were worked with."""

import json
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon.pricing import overrides
from nullspend_daemon.pricing.cost import cost_of
from nullspend_daemon.pricing.estimate import estimate
from nullspend_daemon.pricing.rates import FREE, Price
from nullspend_daemon.pricing.shapes import Shape
from nullspend_daemon.pricing.usage import Usage, read_json

TEST_PRICES = overrides.load(Path(__file__).with_name("test-prices.toml"))


def price_of(model: str) -> Price:
    provider = "anthropic" if model.startswith("claude") else "openai"
    found = TEST_PRICES.price(provider, model)
    assert found is not None
    return found


def usage_of(shape: Shape, usage: dict[str, Any]) -> Usage:
    found = read_json(shape, json.dumps({"usage": usage}).encode()).usage
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shape", "model", "size", "asked", "microdollars"),
    [
        ("chat", "gpt-4o", 1000, {"max_tokens": 100}, 1788),
        ("chat", "gpt-4o", 74, {}, 180_276),
        ("chat", "o3", 400, {}, 880_220),
        ("chat", "o3", 400, {"max_completion_tokens": 200, "max_tokens": 50_000}, 1980),
        ("chat", "gpt-4o", 400, {"max_tokens": 0}, 275),
        ("messages", "claude-sonnet-4-5", 900_000, {"max_tokens": 1000}, 1_509_750),
        ("messages", "claude-opus-4-6", 200, {}, 3_520_275),
    ],
)
def test_an_estimate_is_the_input_and_the_largest_output_and_a_tenth(
    shape: Shape, model: str, size: int, asked: dict[str, Any], microdollars: int
) -> None:
    assert estimate(shape, {"model": model, **asked}, size, price_of(model)) == microdollars


def test_a_model_without_a_price_is_held_at_one_dollar_and_a_free_one_at_nothing() -> None:
    assert estimate("chat", {"model": "nobody-knows"}, 1000, None) == 1_000_000
    assert estimate("chat", {"model": "llama"}, 1000, FREE) == 0


def openai(prompt: int, cached: int, completion: int, reasoning: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def anthropic(uncached: int, written: int, read: int, output: int) -> dict[str, Any]:
    return {
        "input_tokens": uncached,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": output,
    }


@pytest.mark.parametrize(
    ("model", "usage", "tools", "total", "breakdown"),
    [
        ("gpt-4o", openai(1000, 200, 500), 0, 7250, {"input": 2000, "output": 5000, "cached": 250}),
        (
            "o3-mini",
            openai(100, 0, 2000, 1500),
            0,
            8910,
            {"input": 110, "output": 8800, "cached": 0, "reasoning": 6600},
        ),
        ("gpt-4.1-nano", openai(10, 7, 11), 0, 5, {"input": 0, "output": 5, "cached": 0}),
        ("gpt-4o", openai(1, 0, 0), 0, 3, {"input": 3, "output": 0, "cached": 0}),
        (
            "gpt-4o",
            openai(5000, 1000, 2000),
            100,
            31_250,
            {"input": 10_000, "output": 20_000, "cached": 1250, "toolDefinition": 250},
        ),
        ("gpt-4o", openai(100, 300, 50), 0, 875, {"input": 0, "output": 500, "cached": 375}),
    ],
)
def test_what_an_openai_reply_costs(
    model: str, usage: dict[str, Any], tools: int, total: int, breakdown: dict[str, int]
) -> None:
    cost = cost_of("chat", usage_of("chat", usage), price_of(model), tools)
    assert (cost.total, cost.breakdown) == (total, breakdown)


@pytest.mark.parametrize(
    ("model", "usage", "total", "parts", "long_context"),
    [
        ("claude-sonnet-4-6", anthropic(5, 1253, 128_955, 503), 50_945, (15, 7545, 43_385), False),
        (
            "claude-sonnet-4-6",
            anthropic(10, 556, 0, 200)
            | {"cache_creation": {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 100}},
            5340,
            (30, 3000, 2310),
            False,
        ),
        ("claude-sonnet-4-6", anthropic(10, 556, 0, 200), 5115, (30, 3000, 2085), False),
        ("claude-sonnet-4-6", anthropic(5000, 0, 196_000, 1000), 170_100, (30_000, 22_500, 117_600), True),
        ("claude-sonnet-4-6", anthropic(5000, 0, 195_000, 1000), 88_500, (15_000, 15_000, 58_500), False),
        ("claude-sonnet-4-6", anthropic(1000, 100_000, 100_000, 500), 827_250, (6000, 11_250, 810_000), True),
        ("claude-haiku-3", anthropic(3, 7, 11, 5), 9, (1, 6, 2), False),
    ],
)
def test_what_an_anthropic_reply_costs(
    model: str, usage: dict[str, Any], total: int, parts: tuple[int, int, int], long_context: bool
) -> None:
    cost = cost_of("messages", usage_of("messages", usage), price_of(model))
    assert cost.total == total
    assert cost.breakdown == dict(zip(("input", "output", "cached"), parts, strict=True))
    assert cost.long_context is long_context


def test_only_a_5_minute_figure_splits_the_cache_writes() -> None:
    usage = anthropic(10, 556, 0, 200) | {"cache_creation": {"ephemeral_1h_input_tokens": 556}}
    assert cost_of("messages", usage_of("messages", usage), price_of("claude-sonnet-4-6")).total == 5115
    usage["cache_creation"] = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 556}
    assert cost_of("messages", usage_of("messages", usage), price_of("claude-sonnet-4-6")).total == 30 + 3336 + 3000


def test_a_free_price_is_a_price_and_no_price_is_none() -> None:
    usage = usage_of("chat", openai(1000, 200, 500))
    free, unpriced = cost_of("chat", usage, FREE), cost_of("chat", usage, None)
    assert (free.total, free.breakdown) == (0, {"input": 0, "output": 0, "cached": 0})
    assert (unpriced.total, unpriced.breakdown, unpriced.explanation) == (0, None, None)
