"""What holds for every usage, every rate and every stream of bytes."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nullspend_daemon.pricing.bounds import Unbounded, upper_bound
from nullspend_daemon.pricing.cost import cost_of
from nullspend_daemon.pricing.estimate import estimate
from nullspend_daemon.pricing.rates import Price, Rates, Tier
from nullspend_daemon.pricing.shapes import Shape
from nullspend_daemon.pricing.stream import StreamReader
from nullspend_daemon.pricing.usage import Usage, messages_usage, openai_usage, read_json

SHAPES: list[Shape] = ["chat", "completions", "embeddings", "responses", "messages"]
shapes = st.sampled_from(SHAPES)
rates = st.decimals(min_value=0, max_value=1000, places=4)
tokens = st.integers(0, 2_000_000)
_LIMITS = "max_tokens max_completion_tokens n best_of background"
_PARTS = "model tools messages input type image_url source data input_audio file_data"
_COUNTS = "usage prompt_tokens input_tokens"
fields = st.sampled_from(f"{_LIMITS} {_PARTS} {_COUNTS}".split())
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "o3", "base64", "data:x"])
json_values: Any = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=3), max_leaves=6
)


@st.composite
def rate_tables(draw: st.DrawFn) -> Rates:
    optional = st.none() | rates
    return Rates(draw(rates), draw(optional), draw(optional), draw(optional), draw(rates))


@st.composite
def prices(draw: st.DrawFn) -> Price:
    starts = sorted(draw(st.sets(st.integers(1, 1_000_000), max_size=2)))
    return Price(
        provider="p",
        model="m",
        source="catalogue",
        base=draw(rate_tables()),
        tiers=tuple(Tier(start, draw(rate_tables())) for start in starts),
        context_window=draw(st.integers(1, 2_000_000)),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    uncached, cached, five, hour = (draw(tokens) for _ in range(4))
    output = draw(tokens)
    return Usage(
        input=uncached + cached + five + hour,
        uncached=uncached,
        cached=cached,
        output=output,
        reasoning=draw(st.integers(0, output)),
        cache_write=five + hour,
        cache_write_5m=five,
        cache_write_1h=hour,
    )


@given(shapes, usages(), prices(), st.integers(0, 5000))
def test_a_cost_is_never_negative_and_its_parts_sum_up_to_it(
    shape: Shape, usage: Usage, price: Price, tools: int
) -> None:
    cost = cost_of(shape, usage, price, tools)
    assert cost.breakdown is not None
    parts = [cost.breakdown[name] for name in ("input", "output", "cached")]
    assert cost.total >= 0 and min(parts) >= 0
    assert sum(parts) == cost.total
    exact = sum((line.amount for line in cost.lines), Decimal(0))
    assert Decimal("-0.5") < cost.total - exact <= Decimal("0.5")


@given(shapes, usages(), prices(), st.sampled_from(["uncached", "cached", "output"]), st.integers(0, 1000))
def test_using_more_of_anything_within_a_tier_never_costs_less(
    shape: Shape, usage: Usage, price: Price, kind: str, more: int
) -> None:
    flat = Price(provider="p", model="m", source="catalogue", base=price.base)
    counts = {name: getattr(usage, name) for name in Usage.__slots__}
    larger = Usage(**(counts | {kind: counts[kind] + more}))
    assert cost_of(shape, larger, flat).total >= cost_of(shape, usage, flat).total


@given(shapes, st.dictionaries(fields, json_values, max_size=5), st.integers(0, 10**9), prices())
def test_any_body_has_an_estimate_and_a_bound_or_a_named_refusal(
    shape: Shape, body: dict[str, Any], size: int, price: Price
) -> None:
    assert 0 <= estimate(shape, body, size, price) <= 2**53 - 1
    try:
        assert 0 <= upper_bound(shape, body, size, price) <= 2**53 - 1
    except Unbounded as refused:
        assert refused.field


@given(prices(), st.integers(0, 4000), st.integers(0, 5000), st.data())
def test_a_bound_is_never_below_the_cost_of_what_it_bounds(
    price: Price, size: int, cap: int, data: st.DataObject
) -> None:
    price = Price(**{name: getattr(price, name) for name in Price.__slots__} | {"context_window": 2_000_000})
    held = upper_bound("messages", {"max_tokens": cap}, size, price)
    cached = data.draw(st.integers(0, size))
    written = data.draw(st.integers(0, size - cached))
    usage = messages_usage(
        {
            "input_tokens": size - cached - written,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written,
            "output_tokens": data.draw(st.integers(0, cap)),
        }
    )
    assert usage is not None
    assert cost_of("messages", usage, price).total <= held


@given(shapes, st.lists(st.binary(max_size=40), max_size=12))
def test_no_bytes_make_a_reader_fail(shape: Shape, pieces: list[bytes]) -> None:
    reader = StreamReader(shape)
    for piece in pieces:
        reader.feed(piece)
    whole = StreamReader(shape)
    whole.feed(b"".join(pieces))
    assert reader.finish() == whole.finish()
    read_json(shape, b"".join(pieces))


@given(json_values, shapes)
def test_no_usage_object_makes_a_reader_fail(found: Any, shape: Shape) -> None:
    for read in (openai_usage, messages_usage):
        usage = read(found)
        assert usage is None or min(usage.input, usage.output, usage.cached, usage.uncached) >= 0
