"""Reading cost events: core 5.3 and 5.4."""

from typing import Any

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.errors import NotFound, ValidationFailed
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.cost_events.models import ListCostEvents
from nullspend_daemon.resources.cost_events.records import SELECT, record
from nullspend_daemon.store.pages import fetch_page
from nullspend_daemon.store.transaction import Tx

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


def list_cost_events(tx: Tx, call: Call[None, ListCostEvents]) -> Record:
    """List the organization's cost events, newest first."""
    query = call.query
    where, params = _filters(query)
    page = fetch_page(
        tx,
        f"{SELECT} WHERE org_id = ?{where}",
        [call.caller.org_id, *params],
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"data": [record(row) for row in page.rows], "cursor": page.next and page.next.on_the_wire()}


def get_cost_event(tx: Tx, call: Call[None, None]) -> Record:
    """Show one cost event."""
    row = tx.one(f"{SELECT} WHERE id = ? AND org_id = ?", (call.params["id"], call.caller.org_id))
    if row is None:
        raise NotFound("Cost event not found.")
    return record(row)


def read_event_id(text: str) -> str:
    """The `{id}` of a cost event's path, with or without prefix. Raises ValidationFailed without details."""
    try:
        return parse_id(Kind.COST_EVENT, text, bare=True)
    except InvalidId:
        raise ValidationFailed("Invalid cost event ID.") from None


def _filters(query: ListCostEvents) -> tuple[str, list[Any]]:
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
