"""The proxy's endpoints for the OpenAPI document.

They are served by `server.py`, which passes most of them on as they come: bodies and replies are the providers' own.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from nullspend_daemon.http.caller import PROXY, PUBLIC
from nullspend_daemon.http.route import Route
from nullspend_daemon.proxy.mcp import CheckBudget, ToolEvents
from nullspend_daemon.resources.policy.models import Policy

_DENIED = (
    "budget_exceeded",
    "customer_budget_exceeded",
    "tag_budget_exceeded",
    "velocity_exceeded",
    "session_limit_exceeded",
    "loop_detected",
    "budget_unavailable",
)
_PASSED_ON = ("invalid_upstream", "upstream_error")


class ProviderObject(BaseModel):
    """A JSON object that a provider defines."""

    model_config = ConfigDict(extra="allow")


class Reserved(BaseModel):
    """A tool call may go on."""

    allowed: bool
    reservationId: str | None
    traceId: str


class Accepted(BaseModel):
    """How many tool calls were stored."""

    accepted: int


class Alive(BaseModel):
    """The proxy is there."""

    status: str
    service: str


class Measured(BaseModel):
    """How long calls took in the last five minutes, in milliseconds."""

    overhead_ms: dict[str, int]
    upstream_ms: dict[str, int]
    total_ms: dict[str, int]
    ttfb_ms: dict[str, int]
    request_count: int
    window_seconds: int
    measured_at: str


def _priced(path: str, about: str) -> Route:
    errors = ("mandate_violation", *_DENIED, *_PASSED_ON)
    return Route(
        method="POST",
        path=path,
        auth=PROXY,
        body=ProviderObject,
        reply=ProviderObject,
        document_type="text/event-stream",
        errors=errors,
        about=about,
    )


def _free(method: str, path: str, about: str, **more: Any) -> Route:
    return Route(method=method, path=path, auth=PROXY, reply=ProviderObject, errors=_PASSED_ON, about=about, **more)


DESCRIBED = [
    _priced("/v1/chat/completions", "Call a chat model of the OpenAI upstream."),
    _priced("/v1/completions", "Call a completion model of the OpenAI upstream."),
    _priced("/v1/embeddings", "Call an embedding model of the OpenAI upstream."),
    _priced("/v1/responses", "Call a model through OpenAI's Responses API."),
    _priced("/v1/messages", "Call a model of the Anthropic upstream."),
    _free("GET", "/v1/responses/{id}", "Read a stored response; a background one is corrected by its final usage."),
    _free("POST", "/v1/responses/{id}/cancel", "Cancel a background response."),
    _free("POST", "/v1/messages/count_tokens", "Count the tokens of a message, free of charge.", body=ProviderObject),
    _free("GET", "/v1/models", "List the models of a provider."),
    _free("GET", "/v1/models/{id}", "Show a model of a provider."),
    Route(
        method="POST",
        path="/v1/mcp/budget/check",
        auth=PROXY,
        body=CheckBudget,
        reply=Reserved,
        errors=_DENIED,
        about="Reserve the estimate of a tool call for 30 seconds.",
    ),
    Route(
        method="POST",
        path="/v1/mcp/events",
        auth=PROXY,
        body=ToolEvents,
        reply=Accepted,
        about="Report 1 to 50 tool calls and settle their reservations.",
    ),
    Route(
        method="GET",
        path="/v1/policy",
        auth=PROXY,
        reply=Policy,
        errors=("forbidden",),
        about="Show what a key may still spend, holds subtracted.",
    ),
    Route(method="GET", path="/health", auth=PUBLIC, reply=Alive, about="Say that the proxy is there."),
    Route(method="GET", path="/health/ready", auth=PUBLIC, reply=Alive, about="Say that the proxy can serve calls."),
    Route(
        method="GET",
        path="/health/metrics",
        auth=PUBLIC,
        reply=Measured,
        document_type="text/plain",
        errors=("bad_request", "metrics_unavailable"),
        about="Tell how long calls took in the last five minutes.",
    ),
]
