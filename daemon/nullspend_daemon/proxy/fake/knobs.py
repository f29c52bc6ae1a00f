"""What a request may ask of the fake provider, under `"fake"` in its body."""

from dataclasses import dataclass
from typing import Any

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.pricing.shapes import Json

MAX_DELAY_MS = 600_000
_BOUNDS = {
    "inputTokens": (0, MAX_MICRODOLLARS),
    "outputTokens": (0, MAX_MICRODOLLARS),
    "cachedTokens": (0, MAX_MICRODOLLARS),
    "reasoningTokens": (0, MAX_MICRODOLLARS),
    "delayMs": (0, MAX_DELAY_MS),
    "chunkDelayMs": (0, MAX_DELAY_MS),
    "status": (200, 599),
}
NAMES = (*_BOUNDS, "text")


class BadKnob(ValueError):
    """A knob that is not known or has no sensible value. The message is what the 400 says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The knobs of one request; None is the default. Delays in ms."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    delay_ms: int = 0
    chunk_delay_ms: int = 0
    status: int = 200
    text: str | None = None


def read_knobs(body: Json) -> Knobs:
    """The knobs in `body`. Raises BadKnob."""
    given: Any = body.get("fake", {})
    if not isinstance(given, dict):
        raise BadKnob("`fake` is an object of knobs")
    unknown = sorted(given.keys() - set(NAMES))
    if unknown:
        raise BadKnob(f"`fake.{unknown[0]}` is not known; there are {', '.join(NAMES)}")
    text = given.get("text")
    if text is not None and not isinstance(text, str):
        raise BadKnob("`fake.text` is a text")
    return Knobs(
        input_tokens=_whole(given, "inputTokens"),
        output_tokens=_whole(given, "outputTokens"),
        cached_tokens=_whole(given, "cachedTokens") or 0,
        reasoning_tokens=_whole(given, "reasoningTokens") or 0,
        delay_ms=_whole(given, "delayMs") or 0,
        chunk_delay_ms=_whole(given, "chunkDelayMs") or 0,
        status=_whole(given, "status") or 200,
        text=text,
    )


def _whole(given: Json, name: str) -> int | None:
    number = given.get(name)
    if number is None:
        return None
    if type(number) is float and number.is_integer():
        number = int(number)
    low, high = _BOUNDS[name]
    if type(number) is not int or not low <= number <= high:
        raise BadKnob(f"`fake.{name}` is a whole number from {low} to {high}")
    return number
