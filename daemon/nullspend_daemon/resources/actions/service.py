"""What agents do with actions: create them, look at them, report how they went. Decisions are in decisions.py."""

from typing import Any

from pydantic_core import to_json

from nullspend_daemon.approvals.actions import BUDGET_INCREASE, event_object, find, record
from nullspend_daemon.approvals.transitions import check_transition
from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.actions.models import CreateAction, ListActions, MarkResult
from nullspend_daemon.resources.cost_events import records
from nullspend_daemon.store import outbox, slack_queue
from nullspend_daemon.store.pages import NEWEST_FIRST, fetch_page
from nullspend_daemon.store.transaction import Tx


def create_action(tx: Tx, call: Call[CreateAction, None]) -> Record:
    """Ask for a decision on an action; it waits an hour unless told otherwise."""
    key, body = call.caller.api_key, call.body
    action_id = new_id(Kind.ACTION, tx.now_ms)
    metadata = body.metadata or {}
    tx.execute(
        "INSERT INTO actions (id, org_id, api_key_id, agent_id, action_type, status, payload, metadata, environment,"
        " source_framework, created_at, expires_at) VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?)",
        (
            action_id,
            key.org_id,
            key.key_id,
            body.agent_id,
            body.action_type,
            _json(body.payload),
            None if body.metadata is None else _json(body.metadata),
            _text_of(metadata, "environment"),
            _text_of(metadata, "sourceFramework"),
            tx.now_ms,
            tx.now_ms + 1000 * body.expires_in_seconds if body.expires_in_seconds else None,
        ),
    )
    row = find(tx, key.org_id, action_id)
    times = {"created_at": to_iso(row["created_at"]), "expires_at": to_iso_or_none(row["expires_at"])}
    outbox.stage(tx, key.org_id, "action.created", {**event_object(row), "payload": body.payload, **times})
    return {"id": action_id, "status": "pending", "expiresAt": times["expires_at"]}


def list_actions(tx: Tx, call: Call[None, ListActions]) -> Record:
    """List the organization's actions, newest first."""
    query = call.query
    wanted = query.statuses or ([query.status] if query.status else [])
    where = f" AND status IN ({', '.join('?' * len(wanted))})" if wanted else ""
    page = fetch_page(
        tx,
        f"SELECT * FROM actions WHERE org_id = ?{where}",
        [call.caller.org_id, *wanted],
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"data": [record(row) for row in page.rows], "cursor": page.next and page.next.on_the_wire()}


def get_action(tx: Tx, call: Call[None, None]) -> Record:
    """Show one action."""
    return record(find(tx, call.caller.org_id, call.params["id"]))


def action_costs(tx: Tx, call: Call[None, None]) -> Record:
    """List the cost events of one action, newest first."""
    org_id = call.caller.org_id
    row = find(tx, org_id, call.params["id"])
    events = tx.all(f"{records.SELECT} WHERE org_id = ? AND action_id = ? {NEWEST_FIRST}", (org_id, row["id"]))
    return {"data": [records.record(event) for event in events]}


def mark_result(tx: Tx, call: Call[MarkResult, None]) -> Record:
    """Report that an approved action is being carried out, is done, or has failed."""
    org_id, body = call.caller.org_id, call.body
    row = find(tx, org_id, call.params["id"])
    check_transition(row["status"], body.status)
    ended_at = None if body.status == "executing" else tx.now_ms
    tx.execute(
        "UPDATE actions SET status = ?, result = ?, error_message = ?, executed_at = ? WHERE id = ?",
        (
            body.status,
            None if body.result is None else _json(body.result),
            body.error_message,
            ended_at,
            row["id"],
        ),
    )
    if body.status == "executed" and row["action_type"] == BUDGET_INCREASE:
        slack_queue.add_reply(tx, org_id, row["id"])
    return {"id": row["id"], "status": body.status, "executedAt": to_iso_or_none(ended_at)}


def _json(value: Any) -> str:
    return to_json(value).decode()


def _text_of(metadata: dict[str, Any], name: str) -> str | None:
    """A metadata value that is copied to the action: text that is not blank."""
    value = metadata.get(name)
    return value if isinstance(value, str) and value.strip() else None
