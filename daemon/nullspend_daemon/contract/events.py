"""The webhook catalogue: every event type and the keys of its `data.object`."""

_BUDGET = ("budget_entity_type", "budget_entity_id")
_BLOCKED = (
    *_BUDGET,
    "budget_limit_microdollars",
    "budget_spend_microdollars",
    "estimated_request_cost_microdollars",
    "model",
    "provider",
    "blocked_at",
)
_THRESHOLD = (
    *_BUDGET,
    "threshold_percent",
    "budget_spend_microdollars",
    "budget_limit_microdollars",
    "budget_remaining_microdollars",
    "triggered_by_request_id",
)
_ACTION = ("action_id", "action_type", "agent_id", "status")

CATALOGUE: dict[str, tuple[str, ...]] = {
    "cost_event.created": (
        "request_id",
        "event_type",
        "provider",
        "model",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cost_microdollars",
        "duration_ms",
        "upstream_duration_ms",
        "session_id",
        "trace_id",
        "tool_name",
        "tool_server",
        "tool_calls_requested",
        "tool_definition_tokens",
        "api_key_id",
        "source",
        "tags",
        "created_at",
    ),
    "budget.threshold.warning": _THRESHOLD,
    "budget.threshold.critical": _THRESHOLD,
    "budget.exceeded": _BLOCKED,
    "budget.increased": (
        *_BUDGET,
        "previous_limit_microdollars",
        "new_limit_microdollars",
        "increased_by_microdollars",
        "approved_by",
        "action_id",
    ),
    "budget.reset": (
        *_BUDGET,
        "budget_limit_microdollars",
        "previous_spend_microdollars",
        "new_period_start",
        "reset_interval",
    ),
    "request.blocked": ("reason", "model", "provider", "api_key_id", "details"),
    "velocity.exceeded": (
        *_BUDGET,
        "velocity_limit_microdollars",
        "velocity_window_seconds",
        "velocity_current_microdollars",
        "cooldown_seconds",
        "model",
        "provider",
        "blocked_at",
    ),
    "velocity.recovered": (
        *_BUDGET,
        "velocity_limit_microdollars",
        "velocity_window_seconds",
        "velocity_cooldown_seconds",
        "recovered_at",
    ),
    "session.limit_exceeded": (
        *_BUDGET,
        "session_id",
        "session_spend_microdollars",
        "session_limit_microdollars",
        "model",
        "provider",
        "blocked_at",
    ),
    "tag_budget.exceeded": (*_BLOCKED, "tag_key", "tag_value"),
    "customer_budget.exceeded": (*_BLOCKED, "customer_id"),
    "margin.threshold_crossed": ("customer", "margin", "revenue_microdollars", "cost_microdollars", "period"),
    "action.created": (*_ACTION, "payload", "created_at", "expires_at"),
    "action.approved": (*_ACTION, "approved_by", "approved_at"),
    "action.rejected": (*_ACTION, "rejected_by", "rejected_at", "reason"),
    "action.expired": (*_ACTION, "expired_at"),
    "test.ping": ("message",),
}


def check_type(name: str) -> str:
    """The name of an event type. Raises ValueError naming all there are."""
    if name not in CATALOGUE:
        raise ValueError(f"There is no event type {name!r}; there are: {', '.join(CATALOGUE)}")
    return name
