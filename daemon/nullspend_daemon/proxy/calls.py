"""One priced call: what is known before it is made, and the event it becomes however it ends."""

from dataclasses import dataclass, field
from typing import Any

from nullspend_daemon.contract.ids import random_uuid
from nullspend_daemon.ledger.events import NewEvent
from nullspend_daemon.ledger.holds import HoldRequest
from nullspend_daemon.pricing.cost import cost_of
from nullspend_daemon.pricing.estimate import Estimate
from nullspend_daemon.pricing.rates import Price
from nullspend_daemon.pricing.shapes import Shape
from nullspend_daemon.pricing.usage import NOTHING, Observed, Usage
from nullspend_daemon.proxy.catalogue import Prices
from nullspend_daemon.proxy.context import Context
from nullspend_daemon.proxy.targets import Target
from nullspend_daemon.proxy.upstreams import Upstream
from nullspend_daemon.store.identity import KeyIdentity

ESTIMATED, UNPRICED, NO_USAGE, CANCELLED = "_ns_estimated", "_ns_unpriced", "_ns_no_usage", "_ns_cancelled"
MOST_MODEL = 200
NO_ESTIMATE = Estimate(0)
_CAPS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(slots=True, kw_only=True)
class PricedCall:
    """A call whose body has been read. Money in microdollars."""

    key: KeyIdentity
    target: Target
    shape: Shape
    upstream: Upstream
    context: Context
    trace_id: str
    body: dict[str, Any]
    raw: bytes
    model: str
    streams: bool
    prices: Prices
    held: Estimate = NO_ESTIMATE
    price: Price | None = None
    tool_tokens: int = 0
    own_id: str = field(default_factory=random_uuid)
    """The request id of its event when the provider gives none."""
    action_id: str | None = None
    """The action that the call carries out, once it is known to be one of the organization."""
    status: str = "skipped"
    """`budgetStatus`, once the engine has decided."""

    @property
    def estimate(self) -> int:
        """What the call is held at, in microdollars."""
        return self.held.total

    @property
    def is_background(self) -> bool:
        """The reply comes later; this exchange only accepts the work."""
        return self.shape == "responses" and self.body.get("background") is True

    def hold_request(self) -> HoldRequest:
        """What the engine is asked."""
        return HoldRequest(
            org_id=self.key.org_id,
            user_id=self.key.user_id,
            api_key_id=self.key.key_id,
            provider=self.upstream.provider,
            model=self.model,
            tags=self.context.tags,
            customer=self.context.customer,
            session_id=self.context.session_id,
            estimate=self.estimate,
            finalize=self.context.finalize,
            draft=self._event(self.own_id, self.estimate, self._own_tags()),
        )

    def ended(self, end: "End") -> NewEvent:
        """The event of the call: at its cost when the usage is known, else at the hold."""
        usage = end.seen.usage
        if usage is None:
            return self._at_hold(end)
        price, model = self.price, self.model
        if price is None and end.seen.model:
            price = self.prices.of(self.upstream, end.seen.model)
            model = end.seen.model if price is not None else model
        cost = cost_of(self.shape, usage, price, self.tool_tokens)
        tags = self._own_tags() | end.limits | _usage_tags(self.shape, usage, long_context=cost.long_context)
        total = cost.total
        if price is not None:
            tags.pop(UNPRICED, None)
        elif usage.any:
            total, tags[ESTIMATED] = self.estimate, "true"
        event = self._timed(self._event(end.request_id, total, tags, model[:MOST_MODEL]), end)
        event.input_tokens, event.output_tokens = usage.input, usage.output
        event.cached_input_tokens, event.reasoning_tokens = usage.cached, usage.reasoning
        event.cost_breakdown = cost.breakdown
        if price is not None:
            event.explanation = cost.explanation
        event.tool_calls_requested, event.stop_reason = end.seen.tool_calls, end.seen.stop_reason
        return event

    def _at_hold(self, end: "End") -> NewEvent:
        why = CANCELLED if end.cancelled else NO_USAGE
        tags = self._own_tags() | end.limits | {ESTIMATED: "true", why: "true"}
        return self._timed(self._event(end.request_id, self.estimate, tags), end)

    def _timed(self, event: NewEvent, end: "End") -> NewEvent:
        event.duration_ms, event.upstream_duration_ms = end.duration_ms, end.upstream_ms
        return event

    def _event(self, request_id: str, cost: int, tags: dict[str, str], model: str | None = None) -> NewEvent:
        return NewEvent(
            org_id=self.key.org_id,
            user_id=self.key.user_id,
            api_key_id=self.key.key_id,
            request_id=request_id or self.own_id,
            provider=self.upstream.provider,
            model=model or self.model,
            input_tokens=0,
            output_tokens=0,
            cost_microdollars=cost,
            source="proxy",
            event_type="llm",
            trace_id=self.trace_id,
            session_id=self.context.session_id,
            customer_id=self.context.customer,
            tags=tags,
            tool_definition_tokens=self.tool_tokens,
            budget_status=self.status,
            estimated_cost_microdollars=self.estimate,
            action_id=self.action_id,
            explanation=self.held.explanation,
        )

    def _own_tags(self) -> dict[str, str]:
        """The merged tags, and what the request says that is worth filtering for later."""
        tags = dict(self.context.tags)
        for name, value in (("_ns_max_tokens", self._cap()), ("_ns_temperature", self.body.get("temperature"))):
            if isinstance(value, int | float) and not isinstance(value, bool):
                tags[name] = str(value)
        tools = self.body.get("tools")
        if isinstance(tools, list) and tools:
            tags["_ns_tool_count"] = str(len(tools))
        if self.price is None:
            tags[UNPRICED] = "true"
        return tags

    def _cap(self) -> Any:
        return next((self.body[name] for name in _CAPS if self.body.get(name) is not None), None)


@dataclass(slots=True, kw_only=True)
class End:
    """How a call ended. `limits` are the provider's rate-limit figures as tags; times in ms."""

    request_id: str = ""
    seen: Observed = NOTHING
    cancelled: bool = False
    limits: dict[str, str] = field(default_factory=dict[str, str])
    duration_ms: int | None = None
    upstream_ms: int | None = None


def _usage_tags(shape: Shape, usage: Usage, *, long_context: bool) -> dict[str, str]:
    """What Anthropic's usage says beyond the event's own columns."""
    if shape != "messages":
        return {}
    tags: dict[str, str] = {}
    if usage.cache_write > 0:
        tags["_ns_cache_write_tokens"] = str(usage.cache_write)
    if usage.cached > 0:
        tags["_ns_cache_read_tokens"] = str(usage.cached)
    if long_context:
        tags["_ns_long_context"] = "true"
    return tags
