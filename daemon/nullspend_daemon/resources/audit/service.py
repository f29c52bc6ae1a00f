"""Rows of the audit log in, records out. Rows are written where the change is made, through store/audit.py."""

from pydantic_core import from_json

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.audit.models import ListAudit
from nullspend_daemon.store.pages import fetch_page
from nullspend_daemon.store.transaction import Row, Tx


def list_audit(tx: Tx, call: Call[None, ListAudit]) -> Record:
    """List who changed what in the organization, newest first."""
    query = call.query
    select, params = "SELECT * FROM audit_log WHERE org_id = ?", [call.caller.org_id]
    if query.action is not None:
        select, params = f"{select} AND action = ?", [*params, query.action]
    page = fetch_page(tx, select, params, cursor=query.cursor, limit=query.limit)
    return {"data": [_record(row) for row in page.rows], "cursor": page.next and page.next.on_the_wire()}


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "actorId": row["actor_id"],
        "action": row["action"],
        "resourceType": row["resource_type"],
        "resourceId": row["resource_id"],
        "metadata": row["metadata"] and from_json(row["metadata"]),
        "createdAt": to_iso(row["created_at"]),
    }
