"""What counts as input and output of a call before it is made, and the most it can cost."""

from decimal import Decimal
from typing import Any

import pytest

from nullspend_daemon.pricing.bounds import Unbounded, upper_bound
from nullspend_daemon.pricing.estimate import copies, estimate, estimate_of, given_cap, input_tokens, output_cap
from nullspend_daemon.pricing.rates import FREE, Price, Rates, Tier
from nullspend_daemon.pricing.shapes import Shape

SMALL = Price(
    provider="openai",
    model="m",
    source="catalogue",
    base=Rates(input=Decimal(2), cached_input=Decimal(1), output=Decimal(10)),
    context_window=1000,
)
LARGE = Price(
    provider="anthropic",
    model="m",
    source="catalogue",
    base=Rates(input=Decimal(3), cache_write_5m=Decimal("3.75"), cache_write_1h=Decimal(6), output=Decimal(15)),
    tiers=(
        Tier(200, Rates(input=Decimal(6), cache_write_1h=Decimal(12), output=Decimal("22.5"))),
        Tier(300, Rates(input=Decimal(1), output=Decimal(1))),
    ),
    context_window=1000,
)
PICTURE = "data:image/png;base64," + "A" * 4000


@pytest.mark.parametrize(
    ("part", "length"),
    [
        ({"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}, len(PICTURE)),
        ({"type": "input_image", "image_url": PICTURE}, len(PICTURE)),
        ({"type": "input_audio", "input_audio": {"data": "B" * 900, "format": "wav"}}, 900),
        ({"type": "file", "file": {"file_data": "C" * 700, "filename": "a.pdf"}}, 700),
        ({"type": "input_file", "file_data": "data:application/pdf;base64," + "C" * 100}, 128),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "D" * 800}}, 800),
        (
            {"type": "tool_result", "content": [{"type": "document", "source": {"type": "base64", "data": "E" * 60}}]},
            60,
        ),
    ],
)
def test_a_base64_part_counts_2000_tokens_instead_of_its_bytes(part: dict[str, Any], length: int) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, part]}]}
    assert input_tokens(body, 400 + length) == 100 + 2000
    assert input_tokens({"input": [part, part]}, 400 + 2 * length) == 100 + 4000


def test_what_only_looks_like_base64_counts_by_its_bytes() -> None:
    body = {
        "messages": [
            {"content": PICTURE},
            {"content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
            {"content": [{"type": "tool_use", "input": {"data": "x", "format": "csv"}}]},
            {"content": [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]},
        ]
    }
    assert input_tokens(body, 4001) == 1001


@pytest.mark.parametrize(
    ("shape", "asked", "cap"),
    [
        ("chat", {"max_completion_tokens": 7, "max_tokens": 9}, 7),
        ("chat", {"max_completion_tokens": None, "max_tokens": 9}, 9),
        ("chat", {"max_completion_tokens": "7", "max_tokens": 9}, 9),
        ("chat", {"max_completion_tokens": True}, None),
        ("chat", {"max_completion_tokens": -1}, 0),
        ("chat", {"max_tokens": 0}, 0),
        ("chat", {"max_tokens": float("inf")}, None),
        ("chat", {"max_output_tokens": 5}, None),
        ("completions", {"max_tokens": 5, "max_completion_tokens": 6}, 5),
        ("completions", {"max_completion_tokens": 6}, None),
        ("responses", {"max_output_tokens": 5, "max_tokens": 6}, 5),
        ("messages", {"max_completion_tokens": 6}, None),
        ("messages", {"max_tokens": 6}, 6),
        ("embeddings", {"max_tokens": 6}, 0),
    ],
)
def test_the_output_limit_of_a_request_is_read_where_its_shape_has_it(
    shape: Shape, asked: dict[str, Any], cap: int | None
) -> None:
    assert given_cap(shape, asked) == cap


@pytest.mark.parametrize(
    ("shape", "model", "cap"),
    [
        ("chat", "o1", 100_000),
        ("chat", "o3-2025-04-16", 100_000),
        ("responses", "o4-mini", 100_000),
        ("chat", "o3-mini", 100_000),
        ("chat", "o1-pro", 16_384),
        ("chat", "gpt-5", 16_384),
        ("completions", "anything", 16_384),
        ("messages", "claude-opus-4-6-20260205", 128_000),
        ("messages", "claude-opus-4-5", 128_000),
        ("messages", "claude-opus-4-1", 64_000),
        ("messages", "claude-haiku-3.5", 8000),
        ("messages", "claude-3-5-haiku-20241022", 8000),
        ("messages", "claude-haiku-3", 4000),
        ("messages", "claude-3-haiku-20240307", 4000),
        ("messages", "claude-sonnet-4-6", 64_000),
        ("embeddings", "text-embedding-3-small", 0),
    ],
)
def test_without_a_limit_a_model_answers_as_long_as_its_family_can(shape: Shape, model: str, cap: int) -> None:
    assert output_cap(shape, {"model": model}) == cap


@pytest.mark.parametrize(
    ("shape", "asked", "expected"),
    [
        ("chat", {}, 1),
        ("chat", {"n": 3}, 3),
        ("chat", {"n": 3.0}, 3),
        ("chat", {"n": 0}, 1),
        ("chat", {"n": 2.5}, 1),
        ("chat", {"n": "3"}, 1),
        ("chat", {"n": 2, "best_of": 9}, 2),
        ("completions", {"n": 2, "best_of": 9}, 9),
        ("completions", {"n": 4, "best_of": 2}, 4),
        ("responses", {"n": 3}, 1),
    ],
)
def test_several_answers_are_held_as_often_as_they_are_asked_for(
    shape: Shape, asked: dict[str, Any], expected: int
) -> None:
    assert copies(shape, asked) == expected


def test_an_estimate_multiplies_output_by_the_answers_and_stops_at_the_largest_amount() -> None:
    assert estimate("chat", {"max_tokens": 10, "n": 3}, 40, SMALL) == 352  # (10*2 + 30*10) * 1.1
    assert estimate("chat", {"max_tokens": 1e300}, 40, SMALL) == 2**53 - 1
    assert estimate("embeddings", {}, 400, SMALL) == 220


def test_an_estimate_explains_itself() -> None:
    assert estimate_of("chat", {"max_tokens": 10}, 40, SMALL).explanation == {
        "source": "estimate",
        "lines": [
            {"class": "input", "tokens": 10, "rate": "2", "tier": None},
            {"class": "output", "tokens": 10, "rate": "10", "tier": None},
        ],
        "margin": "1.1",
    }
    assert estimate_of("chat", {}, 40, None).explanation == {"source": "estimate", "lines": []}


def test_the_most_a_call_can_cost_is_every_byte_and_the_whole_output() -> None:
    assert upper_bound("chat", {"max_tokens": 10}, 100, SMALL) == 100 * 2 + 10 * 10
    assert upper_bound("chat", {"max_tokens": 10, "n": 4}, 100, SMALL) == 100 * 2 + 40 * 10
    assert upper_bound("chat", {}, 100, SMALL) == 100 * 2 + 1000 * 10
    assert upper_bound("chat", {"max_tokens": 10}, 5000, SMALL) == 1000 * 2 + 10 * 10
    assert upper_bound("embeddings", {"input": "x"}, 100, SMALL) == 200


def test_the_bound_takes_the_dearest_rate_of_all_tiers_and_of_cache_writes() -> None:
    assert upper_bound("messages", {"max_tokens": 2}, 10, LARGE) == 10 * 12 + 45


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("chat", {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]}),
        ("messages", {"messages": [{"content": [{"type": "image", "source": {"type": "url"}}]}]}),
        ("messages", {"messages": [{"content": [{"type": "tool_result", "content": [{"type": "document"}]}]}]}),
        ("responses", {"previous_response_id": "resp_1"}),
        ("responses", {"conversation": {"id": "conv_1"}}),
        ("responses", {"prompt": {"id": "pmpt_1"}}),
        ("responses", {"background": True}),
        ("responses", {"input": [{"type": "item_reference", "id": "x"}]}),
    ],
)
def test_input_that_the_body_does_not_show_is_held_at_the_whole_window(shape: Shape, body: dict[str, Any]) -> None:
    cap = {"max_tokens": 10, "max_output_tokens": 10}
    assert upper_bound(shape, body | cap, 100, SMALL) == 1000 * 2 + 10 * 10


def test_a_text_prompt_of_completions_is_no_stored_one() -> None:
    assert upper_bound("completions", {"prompt": "hello", "max_tokens": 1}, 10, SMALL) == 30


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tools": [{"type": "function"}, {"type": "web_search_preview"}]}, "tools[1]"),
        ({"tools": [{"type": "code_interpreter"}]}, "tools[0]"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "code_execution_20250825"}]}, "tools[0]"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        ({"model": "gpt-4o-search-preview"}, "model"),
        ({"model": "o3-deep-research"}, "model"),
    ],
)
def test_what_the_provider_runs_by_itself_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Unbounded) as refused:
        upper_bound("chat", {"max_tokens": 1, **body}, 10, SMALL)
    assert refused.value.field == field


def test_tools_that_the_caller_runs_are_bounded() -> None:
    tools = [{"name": "plain"}, {"type": "custom"}, {"type": "function"}, {"type": "bash_20250124"}]
    assert upper_bound("messages", {"max_tokens": 1, "tools": tools}, 10, SMALL) == 30


def test_a_model_without_a_price_or_a_window_is_refused_and_a_free_one_holds_nothing() -> None:
    for price in (None, Price(provider="a", model="m", source="override", base=SMALL.base)):
        with pytest.raises(Unbounded) as refused:
            upper_bound("chat", {"model": "m", "max_tokens": 1}, 10, price)
        assert refused.value.field == "model"
    assert upper_bound("chat", {"tools": [{"type": "web_search"}]}, 10, FREE) == 0
