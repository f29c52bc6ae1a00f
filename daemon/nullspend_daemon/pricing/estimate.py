"""What a call will probably cost, before it is made."""

import re
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, isfinite
from typing import Any

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.pricing.lines import Explanation, Line, explanation, total_of
from nullspend_daemon.pricing.parts import base64_parts
from nullspend_daemon.pricing.rates import Price
from nullspend_daemon.pricing.shapes import Json, Shape, model_of

UNKNOWN_MODEL = 1_000_000
"""The estimate of a call to a model without a price, in microdollars."""
MARGIN = Decimal("1.1")
BYTES_PER_TOKEN = 4
TOKENS_PER_BASE64_PART = 2_000

_DATED = r"(?:-latest|-\d{4}-?\d{2}-?\d{2})?"
_OUTPUT_CAPS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(rf"(?:o1|o3|o3-mini|o4-mini){_DATED}"), 100_000),
    (re.compile(rf"claude-opus-4-[56]{_DATED}"), 128_000),
    (re.compile(rf"(?:claude-haiku-3\.5|claude-3-5-haiku){_DATED}"), 8_000),
    (re.compile(rf"(?:claude-haiku-3|claude-3-haiku){_DATED}"), 4_000),
)
_DEFAULT_CAP: dict[Shape, int] = {
    "chat": 16_384,
    "completions": 16_384,
    "responses": 16_384,
    "messages": 64_000,
    "embeddings": 0,
}
_CAP_FIELDS: dict[Shape, tuple[str, ...]] = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
    "embeddings": (),
}
_COPY_FIELDS: dict[Shape, tuple[str, ...]] = {"chat": ("n",), "completions": ("n", "best_of")}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call is held at, in microdollars, and the products that make it up; none without a price."""

    total: int
    lines: tuple[Line, ...] = ()
    margin: Decimal | None = None

    @property
    def explanation(self) -> Explanation:
        """What to keep with an event that is charged its hold."""
        return explanation("estimate", self.lines, self.margin)


def estimate(shape: Shape, body: Json, size: int, price: Price | None) -> int:
    """The hold of a call in microdollars: `estimate_of(...).total`."""
    return estimate_of(shape, body, size, price).total


def estimate_of(shape: Shape, body: Json, size: int, price: Price | None) -> Estimate:
    """The hold of a call: its input and the largest output it may have, and a tenth on top.

    `size` is the body's length in bytes as received. A model without a price is held at one dollar.
    """
    if price is None:
        return Estimate(UNKNOWN_MODEL)
    tokens = input_tokens(body, size)
    tier, rates = price.tier_for(tokens), price.rates_for(tokens)
    above = None if tier is None else tier.above
    given = given_cap(shape, body)
    output = (output_cap(shape, body) if given is None else given) * copies(shape, body)
    lines = (Line("input", tokens, rates.of("input"), above), Line("output", output, rates.of("output"), above))
    return Estimate(total_of(lines, MARGIN), lines, MARGIN)


def input_tokens(body: Json, size: int) -> int:
    """A token for every four bytes; an image or file in base64 counts 2,000 tokens instead of its bytes."""
    parts = base64_parts(body)
    text = max(0, size - sum(parts))
    return -(-text // BYTES_PER_TOKEN) + len(parts) * TOKENS_PER_BASE64_PART


def given_cap(shape: Shape, body: Json) -> int | None:
    """The output limit that the request itself sets, in tokens; None when it sets none."""
    for name in _CAP_FIELDS[shape]:
        number = _number(body.get(name))
        if number is not None:
            return max(0, ceil(number))
    return 0 if shape == "embeddings" else None


def output_cap(shape: Shape, body: Json) -> int:
    """The most a model answers when the request sets no limit, in tokens."""
    if shape == "embeddings":
        return 0
    model = model_of(body)
    for pattern, cap in _OUTPUT_CAPS:
        if pattern.fullmatch(model):
            return cap
    return _DEFAULT_CAP[shape]


def copies(shape: Shape, body: Json) -> int:
    """How many answers are asked for, and paid."""
    asked = [number for name in _COPY_FIELDS.get(shape, ()) if (number := _number(body.get(name))) is not None]
    return max([1, *(int(number) for number in asked if number == int(number))])


def _number(value: Any) -> int | float | None:
    """A JSON number, up to the largest amount there is; None for everything else."""
    if type(value) is not int and (type(value) is not float or not isfinite(value)):
        return None
    return max(-1, min(value, MAX_MICRODOLLARS))
