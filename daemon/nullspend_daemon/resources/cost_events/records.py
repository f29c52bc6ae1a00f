"""A stored event as every reply shows it."""

from pydantic_core import from_json

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.http.route import Record
from nullspend_daemon.store.transaction import Row

COLUMNS = "cost_events.*, (SELECT name FROM api_keys WHERE api_keys.id = cost_events.api_key_id) AS key_name"
SELECT = f"SELECT {COLUMNS} FROM cost_events"
_BREAKDOWN_KEYS = ("input", "output", "cached", "reasoning", "toolDefinition")


def record(row: Row) -> Record:
    """The 24 keys of core 5."""
    return {
        "id": row["id"],
        "requestId": row["request_id"],
        "apiKeyId": row["api_key_id"],
        "provider": row["provider"],
        "model": row["model"],
        "inputTokens": row["input_tokens"],
        "outputTokens": row["output_tokens"],
        "cachedInputTokens": row["cached_input_tokens"],
        "reasoningTokens": row["reasoning_tokens"],
        "costMicrodollars": row["cost_microdollars"],
        "durationMs": row["duration_ms"],
        "createdAt": to_iso(row["created_at"]),
        "source": row["source"],
        "traceId": row["trace_id"],
        "sessionId": row["session_id"],
        "tags": from_json(row["tags"]),
        "customerId": row["customer_id"],
        "keyName": row["key_name"],
        "budgetStatus": row["budget_status"],
        "stopReason": row["stop_reason"],
        "estimatedCostMicrodollars": row["estimated_cost_microdollars"],
        "costBreakdown": _breakdown(row["cost_breakdown"]),
        "eventType": row["event_type"],
        "toolName": row["tool_name"],
    }


def _breakdown(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    parts: dict[str, int] = from_json(text)
    return {key: parts[key] for key in _BREAKDOWN_KEYS if key in parts}
