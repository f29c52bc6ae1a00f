"""What a call will probably cost, before it is made."""

import re
from decimal import Decimal
from math import isfinite
from typing import Any

from nullspend_daemon.contract.money import MAX_MICRODOLLARS, round_half_up
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


def estimate(shape: Shape, body: Json, size: int, price: Price | None) -> int:
    """The hold of a call in microdollars: input and the largest output it may have, and a tenth on top.

    `size` is the body's length in bytes as received. A model without a price is held at one dollar.
    """
    if price is None:
        return UNKNOWN_MODEL
    tokens = input_tokens(body, size)
    rates = price.rates_for(tokens)
    given = given_cap(shape, body)
    output = output_cap(shape, body) if given is None else given
    amount = tokens * rates.of("input") + output * copies(shape, body) * rates.of("output")
    return min(round_half_up(amount * MARGIN), MAX_MICRODOLLARS)


def input_tokens(body: Json, size: int) -> int:
    """A token for every four bytes; an image or file in base64 counts 2,000 tokens instead of its bytes."""
    parts = base64_parts(body)
    text = max(0, size - sum(parts))
    return -(-text // BYTES_PER_TOKEN) + len(parts) * TOKENS_PER_BASE64_PART


def given_cap(shape: Shape, body: Json) -> Decimal | None:
    """The output limit that the request itself sets, in tokens; None when it sets none."""
    for name in _CAP_FIELDS[shape]:
        number = _number(body.get(name))
        if number is not None:
            return max(Decimal(0), number)
    return Decimal(0) if shape == "embeddings" else None


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
    return max([1, *(int(number) for number in asked if number == number.to_integral_value())])


def _number(value: Any) -> Decimal | None:
    """A JSON number as it was written, up to the largest amount there is; None for everything else."""
    if type(value) is not int and (type(value) is not float or not isfinite(value)):
        return None
    return Decimal(str(max(-1, min(value, MAX_MICRODOLLARS))))
