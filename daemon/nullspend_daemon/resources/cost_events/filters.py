"""The filters of lists and exports, as SQL."""

from typing import Any

from nullspend_daemon.resources.cost_events.models import EventFilters

_EQUALS = (
    "request_id",
    "session_id",
    "api_key_id",
    "model",
    "provider",
    "source",
    "budget_status",
    "trace_id",
    "customer_id",
)
_TAGGED = (
    "EXISTS (SELECT 1 FROM cost_event_tags t WHERE t.event_seq = cost_events.seq AND t.org_id = cost_events.org_id"
    " AND t.tag_key = ? AND t.tag_value = ?)"
)


def filters(query: EventFilters) -> tuple[str, list[Any]]:
    """` AND ...` conditions over cost_events, and their parameters."""
    conditions: list[str] = []
    params: list[Any] = []
    for column in _EQUALS:
        value = getattr(query, column)
        if value is not None:
            conditions.append(f"{column} = ?")
            params.append(value)
    if query.created_after is not None:
        conditions.append("created_at >= ?")
        params.append(query.created_after)
    if query.created_before is not None:
        conditions.append("created_at < ?")
        params.append(query.created_before)
    for key, value in query.tags.items():
        conditions.append(_TAGGED)
        params += [key, value]
    return "".join(f" AND {condition}" for condition in conditions), params
