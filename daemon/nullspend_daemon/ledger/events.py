"""Storing a cost event, wherever it comes from: the row, its tags, its session's sum, and what the world hears."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import Kind, new_id, random_uuid
from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger.rollups import Counted, Rollups
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Row, Tx

_COLUMNS = (
    "id",
    "org_id",
    "user_id",
    "api_key_id",
    "request_id",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cost_microdollars",
    "cost_breakdown",
    "duration_ms",
    "source",
    "event_type",
    "trace_id",
    "session_id",
    "customer_id",
    "tags",
    "tool_name",
    "tool_server",
    "budget_status",
    "stop_reason",
    "estimated_cost_microdollars",
    "action_id",
    "explanation",
    "created_at",
    "charged",
    "awaited_reply",
)
_INSERT = (
    f"INSERT INTO cost_events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (org_id, request_id, provider) DO NOTHING"
)
_INSERT_TAG = "INSERT INTO cost_event_tags (org_id, tag_key, tag_value, event_seq) VALUES (?, ?, ?, ?)"
_ADD_TO_SESSION = (
    "INSERT INTO cost_sessions (org_id, session_id, event_count, cost_microdollars, first_event_at, last_event_at)"
    " VALUES (?1, ?2, 1, ?3, ?4, ?4) ON CONFLICT (org_id, session_id) DO UPDATE SET event_count = event_count + 1,"
    f" cost_microdollars = min(cost_microdollars + ?3, {MAX_MICRODOLLARS}),"
    " first_event_at = min(first_event_at, ?4), last_event_at = max(last_event_at, ?4)"
)


@dataclass(slots=True, kw_only=True)
class NewEvent:
    """A cost event about to be stored. Costs in microdollars, durations in ms."""

    org_id: str
    user_id: str
    api_key_id: str | None
    request_id: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_microdollars: int
    source: str
    event_type: str
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_breakdown: dict[str, int] | None = None
    duration_ms: int | None = None
    upstream_duration_ms: int | None = None
    trace_id: str | None = None
    session_id: str | None = None
    customer_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    tool_name: str | None = None
    tool_server: str | None = None
    tool_calls_requested: list[dict[str, Any]] | None = None
    tool_definition_tokens: int = 0
    budget_status: str | None = None
    stop_reason: str | None = None
    estimated_cost_microdollars: int | None = None
    action_id: str | None = None
    explanation: dict[str, Any] | None = None
    """How the cost came about (`Cost.explanation`); None when the client gave it."""


class Stored(NamedTuple):
    """The id of an event, and the request id it is stored under."""

    event_id: str
    request_id: str


def store_event(
    tx: Tx, rollups: Rollups, event: NewEvent, charged: Mapping[str, int], awaits: str | None = None
) -> str | None:
    """Store `event`, count it in `rollups` and stage `cost_event.created`; returns its id.

    None when the org has an event of that (request id, provider) already: nothing is stored then. `charged` names the
    budgets the event is charged to, each with the number of its period; `awaits` is the id of a background reply whose
    usage is still to come. The caller stores the charges and the roll-ups once all events of the transaction are in.
    """
    event_id = new_id(Kind.COST_EVENT, tx.now_ms)
    inserted = tx.execute(_INSERT, (*_values(event_id, event, tx.now_ms), _json(charged or None), awaits))
    if inserted.rowcount == 0:
        return None
    seq = inserted.lastrowid
    if event.tags:
        tx.executemany(_INSERT_TAG, [(event.org_id, key, value, seq) for key, value in event.tags.items()])
    if event.session_id is not None:
        tx.execute(_ADD_TO_SESSION, (event.org_id, event.session_id, event.cost_microdollars, tx.now_ms))
    rollups.add(counted(event, tx.now_ms))
    outbox.stage(tx, event.org_id, "cost_event.created", _webhook_object(event, tx.now_ms))
    return event_id


def store_unique(
    tx: Tx, rollups: Rollups, event: NewEvent, charged: Mapping[str, int], awaits: str | None = None
) -> Stored:
    """As `store_event`, for an event that is never dropped: a repeated request id is stored under another one."""
    event_id = store_event(tx, rollups, event, charged, awaits)
    if event_id is not None:
        return Stored(event_id, event.request_id)
    for request_id in (f"{event.request_id}#{event.trace_id}", random_uuid()):
        event_id = store_event(tx, rollups, replace(event, request_id=request_id), charged, awaits)
        if event_id is not None:
            return Stored(event_id, request_id)
    raise LookupError("a new UUID was taken")


def counted(event: NewEvent, created_at: int) -> Counted:
    """What the roll-ups count of an event stored at `created_at` (epoch ms)."""
    return Counted(
        org_id=event.org_id,
        created_at=created_at,
        provider=event.provider,
        model=event.model,
        api_key_id=event.api_key_id,
        source=event.source,
        event_type=event.event_type,
        cost=event.cost_microdollars,
        input_tokens=event.input_tokens,
        output_tokens=event.output_tokens,
        cached_input_tokens=event.cached_input_tokens,
        reasoning_tokens=event.reasoning_tokens,
        duration_ms=event.duration_ms,
        breakdown=event.cost_breakdown or {},
        tags=event.tags,
        customer_id=event.customer_id,
        trace_id=event.trace_id,
    )


def counted_row(row: Row) -> Counted:
    """What the roll-ups count of a stored event."""
    return Counted(
        org_id=row["org_id"],
        created_at=row["created_at"],
        provider=row["provider"],
        model=row["model"],
        api_key_id=row["api_key_id"],
        source=row["source"],
        event_type=row["event_type"],
        cost=row["cost_microdollars"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_input_tokens=row["cached_input_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        duration_ms=row["duration_ms"],
        breakdown={} if row["cost_breakdown"] is None else from_json(row["cost_breakdown"]),
        tags=from_json(row["tags"]),
        customer_id=row["customer_id"],
        trace_id=row["trace_id"],
    )


def _values(event_id: str, event: NewEvent, now_ms: int) -> tuple[Any, ...]:
    return (
        event_id,
        event.org_id,
        event.user_id,
        event.api_key_id,
        event.request_id,
        event.provider,
        event.model,
        event.input_tokens,
        event.output_tokens,
        event.cached_input_tokens,
        event.reasoning_tokens,
        event.cost_microdollars,
        _json(event.cost_breakdown),
        event.duration_ms,
        event.source,
        event.event_type,
        event.trace_id,
        event.session_id,
        event.customer_id,
        to_json(event.tags).decode(),
        event.tool_name,
        event.tool_server,
        event.budget_status,
        event.stop_reason,
        event.estimated_cost_microdollars,
        event.action_id,
        None if event.explanation is None else to_json(event.explanation).decode(),
        now_ms,
    )


def _json(value: Mapping[str, int] | None) -> str | None:
    return None if value is None else to_json(value).decode()


def _webhook_object(event: NewEvent, now_ms: int) -> dict[str, Any]:
    return {
        "request_id": event.request_id,
        "event_type": event.event_type,
        "provider": event.provider,
        "model": event.model,
        "input_tokens": event.input_tokens,
        "output_tokens": event.output_tokens,
        "cached_input_tokens": event.cached_input_tokens,
        "cost_microdollars": event.cost_microdollars,
        "duration_ms": event.duration_ms,
        "upstream_duration_ms": event.upstream_duration_ms,
        "session_id": event.session_id,
        "trace_id": event.trace_id,
        "tool_name": event.tool_name,
        "tool_server": event.tool_server,
        "tool_calls_requested": event.tool_calls_requested,
        "tool_definition_tokens": event.tool_definition_tokens,
        "api_key_id": event.api_key_id,
        "source": event.source,
        "tags": event.tags,
        "created_at": to_iso(now_ms),
    }
