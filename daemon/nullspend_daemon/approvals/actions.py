"""An action as stored, as every reply shows it, and as every webhook event names it."""

from typing import Any

from pydantic_core import from_json

from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.errors import NotFound
from nullspend_daemon.store.transaction import Row, Tx

BUDGET_INCREASE = "budget_increase"


def find(tx: Tx, org_id: str, action_id: str) -> Row:
    """One action of an org. Raises NotFound."""
    row = tx.one("SELECT * FROM actions WHERE id = ? AND org_id = ?", (action_id, org_id))
    if row is None:
        raise NotFound("Action not found.")
    return row


def record(row: Row) -> dict[str, Any]:
    """The 18 keys of core 6."""
    return {
        "id": row["id"],
        "agentId": row["agent_id"],
        "actionType": row["action_type"],
        "status": row["status"],
        "payload": from_json(row["payload"]),
        "metadata": _json_or_none(row["metadata"]),
        "createdAt": to_iso(row["created_at"]),
        "approvedAt": to_iso_or_none(row["approved_at"]),
        "rejectedAt": to_iso_or_none(row["rejected_at"]),
        "executedAt": to_iso_or_none(row["executed_at"]),
        "expiresAt": to_iso_or_none(row["expires_at"]),
        "expiredAt": to_iso_or_none(row["expired_at"]),
        "approvedBy": row["approved_by"],
        "rejectedBy": row["rejected_by"],
        "result": _json_or_none(row["result"]),
        "errorMessage": row["error_message"],
        "environment": row["environment"],
        "sourceFramework": row["source_framework"],
    }


def event_object(row: Row) -> dict[str, Any]:
    """The keys of `data.object` that all `action.*` events share."""
    return {
        "action_id": row["id"],
        "action_type": row["action_type"],
        "agent_id": row["agent_id"],
        "status": row["status"],
    }


def _json_or_none(text: str | None) -> Any:
    return None if text is None else from_json(text)
