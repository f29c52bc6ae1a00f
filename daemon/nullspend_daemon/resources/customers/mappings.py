"""Mappings: which customer at Stripe is which value of a tag."""

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.errors import Conflict, NotFound
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.customers.models import DeleteMapping, SetMapping
from nullspend_daemon.store.transaction import Row, Tx


def list_mappings(tx: Tx, call: Call[None, None]) -> Record:
    """List the mappings of the organization, oldest first."""
    rows = tx.all("SELECT * FROM customer_mappings WHERE org_id = ? ORDER BY created_at, id", (call.caller.org_id,))
    return {"data": [_record(row) for row in rows]}


def set_mapping(tx: Tx, call: Call[SetMapping, None]) -> Record:
    """Map a customer at Stripe to a value of a tag; an existing mapping of that customer and tag is replaced."""
    org_id, body = call.caller.org_id, call.body
    if tx.one(
        "SELECT 1 FROM customer_mappings WHERE org_id = ? AND tag_key = ? AND tag_value = ?"
        " AND stripe_customer_id <> ?",
        (org_id, body.tag_key, body.tag_value, body.stripe_customer_id),
    ):
        raise Conflict(f"{body.tag_key}={body.tag_value} is mapped to another Stripe customer already.")
    automatic = body.match_type == "auto"
    columns = (
        new_uuid(tx.now_ms),
        org_id,
        body.stripe_customer_id,
        body.tag_key,
        body.tag_value,
        "auto" if automatic else "manual",
        None if automatic else 1.0,
        tx.now_ms,
    )
    tx.execute(
        "INSERT INTO customer_mappings (id, org_id, stripe_customer_id, tag_key, tag_value, match_type, confidence,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (org_id, stripe_customer_id, tag_key) DO UPDATE SET"
        " tag_value = excluded.tag_value, match_type = excluded.match_type, confidence = excluded.confidence",
        columns,
    )
    row = tx.one(
        "SELECT * FROM customer_mappings WHERE org_id = ? AND stripe_customer_id = ? AND tag_key = ?",
        (org_id, body.stripe_customer_id, body.tag_key),
    )
    if row is None:
        raise LookupError(body.stripe_customer_id)
    return _record(row)


def delete_mapping(tx: Tx, call: Call[None, DeleteMapping]) -> Record:
    """Delete a mapping; revenue and cost stay."""
    deleted = tx.changed(
        "DELETE FROM customer_mappings WHERE id = ? AND org_id = ?", (call.query.id, call.caller.org_id)
    )
    if not deleted:
        raise NotFound("There is no such mapping in this organization.")
    return {"deleted": True}


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "orgId": row["org_id"],
        "stripeCustomerId": row["stripe_customer_id"],
        "tagKey": row["tag_key"],
        "tagValue": row["tag_value"],
        "matchType": row["match_type"],
        "confidence": row["confidence"],
        "createdAt": to_iso(row["created_at"]),
    }
