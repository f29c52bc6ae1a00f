"""The most a call can cost: what `--estimate upper-bound` holds, so that a limit is never passed."""

from collections.abc import Iterator
from decimal import Decimal

from nullspend_daemon.pricing.estimate import Estimate, copies, given_cap
from nullspend_daemon.pricing.lines import Line, total_of
from nullspend_daemon.pricing.parts import parts_without_text
from nullspend_daemon.pricing.rates import Price, TokenClass
from nullspend_daemon.pricing.shapes import Json, Shape, as_list, as_object, model_of

_INPUT_CLASSES: tuple[TokenClass, ...] = ("input", "cached_input", "cache_write_5m", "cache_write_1h")
_REFERENCES = ("previous_response_id", "conversation", "prompt", "background")
"""Fields of a Responses request that bring in what its body does not show."""
_CLIENT_TOOLS = ("function", "custom", "local_shell", "apply_patch", "computer", "bash_", "text_editor_", "memory_")
"""Types of tools that the caller runs itself; a tool of any other type is run, and charged, by the provider."""
_SEARCHING_MODELS = ("search-preview", "search-api", "deep-research")


class Unbounded(ValueError):
    """A call whose cost has no upper bound that the request shows. `field` names what makes it so."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


def upper_bound(shape: Shape, body: Json, size: int, price: Price | None) -> int:
    """The most the call can cost, in microdollars: `bound_of(...).total`. Raises Unbounded."""
    return bound_of(shape, body, size, price).total


def bound_of(shape: Shape, body: Json, size: int, price: Price | None) -> Estimate:
    """The most the call can cost. Raises Unbounded.

    Input is every byte a token, at most the context window, at the dearest input rate; output is the request's own
    limit, else the context window, at the dearest output rate.
    """
    if price is None:
        raise Unbounded("model", f"{model_of(body)!r} has no price; add one to prices.toml")
    if price.source == "free":
        return Estimate(0)
    for field, reason in _run_by_the_provider(body):
        raise Unbounded(field, reason)
    window, hidden = price.context_window, next(_hidden_input(shape, body), None)
    if window is None:
        reason = "the model's context window is not known; give context_window in prices.toml"
        raise Unbounded(hidden or "model", reason)
    given = given_cap(shape, body)
    written = (window if given is None else given) * copies(shape, body)
    lines = (
        Line("input", window if hidden else min(size, window), _dearest(price, _INPUT_CLASSES), None),
        Line("output", written, _dearest(price, ("output",)), None),
    )
    return Estimate(total_of(lines), lines)


def _dearest(price: Price, kinds: tuple[TokenClass, ...]) -> Decimal:
    return max(rates.of(kind) for rates in price.all_rates for kind in kinds)


def _run_by_the_provider(body: Json) -> Iterator[tuple[str, str]]:
    """What makes the provider do work of its own, whose cost no request shows."""
    for index, item in enumerate(as_list(body.get("tools"))):
        kind = as_object(item).get("type", "function")
        if not isinstance(kind, str) or not kind.startswith(_CLIENT_TOOLS):
            yield f"tools[{index}]", f"{kind!r} runs at the provider, at a cost that cannot be bounded"
    for name in ("web_search_options", "mcp_servers", "container"):
        if body.get(name) is not None:
            yield name, "it lets the provider run tools, at a cost that cannot be bounded"
    if any(word in model_of(body) for word in _SEARCHING_MODELS):
        yield "model", f"{model_of(body)!r} searches the web by itself, at a cost that cannot be bounded"


def _hidden_input(shape: Shape, body: Json) -> Iterator[str]:
    """Fields that bring in more input than the request has bytes."""
    if shape == "responses":
        yield from (name for name in _REFERENCES if body.get(name))
    for name in ("messages", "input", "system"):
        yield from parts_without_text(body.get(name), name)
