"""Taking reported spend in: core 5.1 and 5.2. One transaction an event or a batch; a repeated report has one effect."""

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.http.route import Call, Record, Reply
from nullspend_daemon.ledger.alerts import Cause
from nullspend_daemon.ledger.budgets import matching_entities
from nullspend_daemon.ledger.charges import Charges
from nullspend_daemon.ledger.events import NewEvent, store_event
from nullspend_daemon.ledger.rollups import Rollups
from nullspend_daemon.resources.cost_events.models import ReportBatch, ReportCost
from nullspend_daemon.store.identity import KeyIdentity
from nullspend_daemon.store.transaction import Tx

MOST_TAGS = 10


def report_cost(tx: Tx, call: Call[ReportCost, None]) -> Record | Reply:
    """Report one cost event; a repeat of its request id and provider answers 200 with the first one."""
    key, body = call.caller.api_key, call.body
    event = _event(tx, key, body, call.idempotency_key or body.idempotency_key)
    charges, rollups = Charges(tx, key.org_id), Rollups(tx)
    event_id = _store(tx, charges, rollups, key, event)
    if event_id is None:
        return Reply(200, _first(tx, event))
    charges.store()
    rollups.store()
    return {"id": event_id, "createdAt": to_iso(tx.now_ms)}


def report_batch(tx: Tx, call: Call[ReportBatch, None]) -> Record:
    """Report 1 to 100 cost events at once; duplicates are skipped and not listed."""
    key = call.caller.api_key
    charges, rollups = Charges(tx, key.org_id), Rollups(tx)
    events = [_event(tx, key, item, item.idempotency_key) for item in call.body.events]
    ids = [_store(tx, charges, rollups, key, event) for event in events]
    charges.store()
    rollups.store()
    inserted = [event_id for event_id in ids if event_id is not None]
    return {"inserted": len(inserted), "ids": inserted}


def _store(tx: Tx, charges: Charges, rollups: Rollups, key: KeyIdentity, event: NewEvent) -> str | None:
    budgets = charges.of_entities(matching_entities(event.user_id, key.key_id, event.tags, event.customer_id))
    event_id = store_event(tx, rollups, event, charges.periods(budgets))
    if event_id is not None:
        cause = Cause(event.request_id, event.cost_microdollars, event.provider, event.model, tx.now_ms)
        charges.charge(budgets, cause, reported=True)
    return event_id


def _first(tx: Tx, event: NewEvent) -> Record:
    row = tx.one(
        "SELECT id, created_at FROM cost_events WHERE org_id = ? AND request_id = ? AND provider = ?",
        (event.org_id, event.request_id, event.provider),
    )
    if row is None:
        raise LookupError("a duplicate cost event has no first one")
    return {"id": row["id"], "createdAt": to_iso(row["created_at"])}


def _event(tx: Tx, key: KeyIdentity, body: ReportCost, request_id: str | None) -> NewEvent:
    tags = with_defaults(body.tags, key.default_tags)
    breakdown = body.cost_breakdown
    return NewEvent(
        org_id=key.org_id,
        user_id=key.user_id,
        api_key_id=key.key_id,
        # Ascending, like every id: a random one would dirty another page of the index with each event.
        request_id=request_id or f"sdk_{new_uuid(tx.now_ms)}",
        provider=body.provider,
        model=body.model,
        input_tokens=body.input_tokens,
        output_tokens=body.output_tokens,
        cached_input_tokens=body.cached_input_tokens,
        reasoning_tokens=body.reasoning_tokens,
        cost_microdollars=body.cost_microdollars,
        cost_breakdown=None if breakdown is None else breakdown.model_dump(exclude_none=True),
        duration_ms=body.duration_ms,
        source="sdk" if body.source == "sdk" else "api",
        event_type=body.event_type,
        trace_id=body.trace_id,
        session_id=body.session_id,
        customer_id=body.customer or tags.get("customer") or None,
        tags=tags,
        tool_name=body.tool_name,
        tool_server=body.tool_server,
    )


def with_defaults(tags: dict[str, str], defaults: dict[str, str]) -> dict[str, str]:
    """An event's own tags, and of the key's default tags as many as fit into ten; the event's own win."""
    if not defaults:
        return tags
    free = MOST_TAGS - len(tags)
    added = [(name, value) for name, value in defaults.items() if name not in tags]
    return tags | dict(added[: max(0, free)])
