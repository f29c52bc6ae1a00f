"""Rows of webhook_endpoints in, records of core 7 out."""

import secrets
from typing import Any

from pydantic_core import from_json, to_json

from nullspend_daemon import API_VERSION
from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.delivery import queue
from nullspend_daemon.delivery.addresses import Unsafe, check_url
from nullspend_daemon.errors import NotFound, ValidationFailed
from nullspend_daemon.http.route import AnyCall, Call, Record
from nullspend_daemon.resources.webhooks.models import CreateWebhook, UpdateWebhook
from nullspend_daemon.store import audit, deliveries
from nullspend_daemon.store.pages import NEWEST_FIRST
from nullspend_daemon.store.plans import check_count, plan_of
from nullspend_daemon.store.transaction import Row, Tx

DELIVERIES_SHOWN = 50


def list_webhooks(tx: Tx, call: Call[None, None]) -> Record:
    """List the organization's webhook endpoints, newest first."""
    rows = tx.all(f"SELECT * FROM webhook_endpoints WHERE org_id = ? {NEWEST_FIRST}", (call.caller.org_id,))
    return {"data": [_record(row) for row in rows]}


def create_webhook(tx: Tx, call: Call[CreateWebhook, None]) -> Record:
    """Register a webhook endpoint; its signing secret is shown in this reply and never again."""
    caller, body = call.caller, call.body
    url = _safe(call, body.url)
    plan = plan_of(tx, caller.org_id, hosted=call.settings.hosted)
    existing = tx.value("SELECT count(*) FROM webhook_endpoints WHERE org_id = ?", (caller.org_id,))
    check_count(existing, plan.webhooks, "webhook endpoints", plan)
    webhook_id, secret = new_id(Kind.WEBHOOK, tx.now_ms), _new_secret()
    deliveries.fan_out(tx)
    tx.execute(
        "INSERT INTO webhook_endpoints (id, org_id, url, description, event_types, enabled, api_version, payload_mode,"
        " secret, created_at, updated_at) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
        (
            webhook_id,
            caller.org_id,
            url,
            body.description,
            _json(body.event_types),
            API_VERSION,
            body.payload_mode,
            secret,
            tx.now_ms,
            tx.now_ms,
        ),
    )
    _audit(tx, call, "webhook.created", webhook_id, url)
    return _record(_row(tx, caller.org_id, webhook_id)) | {"signingSecret": secret}


def update_webhook(tx: Tx, call: Call[UpdateWebhook, None]) -> Record:
    """Change an endpoint's URL, description, events or form, or switch it off and on."""
    body, row = call.body, find(tx, call)
    if not body.model_fields_set:
        raise ValidationFailed("No fields to update.")
    url = row["url"] if body.url is None else _safe(call, body.url)
    enabled = row["enabled"] if body.enabled is None else int(body.enabled)
    deliveries.fan_out(tx)
    tx.execute(
        "UPDATE webhook_endpoints SET url = ?, description = ?, event_types = ?, payload_mode = ?, enabled = ?,"
        " updated_at = ? WHERE seq = ?",
        (
            url,
            body.description if body.given("description") else row["description"],
            row["event_types"] if body.event_types is None else _json(body.event_types),
            body.payload_mode or row["payload_mode"],
            enabled,
            tx.now_ms,
            row["seq"],
        ),
    )
    if not enabled:
        queue.give_up(tx, row["seq"])
    tx.notify(deliveries.ENDPOINTS)
    _audit(tx, call, "webhook.updated", row["id"], url)
    return _record(find(tx, call))


def delete_webhook(tx: Tx, call: Call[None, None]) -> Record:
    """Delete an endpoint with its deliveries; nothing more is sent to it."""
    row = find(tx, call)
    deliveries.fan_out(tx)
    tx.execute("DELETE FROM webhook_endpoints WHERE seq = ?", (row["seq"],))
    tx.notify(deliveries.ENDPOINTS)
    _audit(tx, call, "webhook.deleted", row["id"], row["url"])
    return {"success": True}


def rotate_secret(tx: Tx, call: Call[None, None]) -> Record:
    """Give an endpoint a new signing secret; the old one signs as well for 24 hours."""
    row, secret = find(tx, call), _new_secret()
    tx.execute(
        "UPDATE webhook_endpoints SET secret = ?, previous_secret = ?, rotated_at = ?, updated_at = ? WHERE seq = ?",
        (secret, row["secret"], tx.now_ms, tx.now_ms, row["seq"]),
    )
    tx.notify(deliveries.ENDPOINTS)
    _audit(tx, call, "webhook.secret_rotated", row["id"], row["url"])
    return {"signingSecret": secret, "secretRotatedAt": to_iso(tx.now_ms)}


def list_deliveries(tx: Tx, call: Call[None, None]) -> Record:
    """List the newest 50 deliveries of an endpoint and what became of them."""
    deliveries.fan_out(tx)  # whoever has caused an event finds its delivery here at once
    rows = tx.all(
        "SELECT d.*, o.id AS event_id, o.type AS event_type FROM webhook_deliveries d"
        " JOIN outbox o ON o.seq = d.event_seq WHERE d.endpoint_seq = ? ORDER BY d.seq DESC LIMIT ?",
        (find(tx, call)["seq"], DELIVERIES_SHOWN),
    )
    return {"data": [_delivery(row) for row in rows]}


def find(tx: Tx, call: AnyCall) -> Row:
    """The endpoint that the path names, in the caller's organization. Raises NotFound."""
    return _row(tx, call.caller.org_id, call.params["id"])


def _row(tx: Tx, org_id: str, webhook_id: str) -> Row:
    row = tx.one("SELECT * FROM webhook_endpoints WHERE id = ? AND org_id = ?", (webhook_id, org_id))
    if row is None:
        raise NotFound("Webhook endpoint not found.")
    return row


def _safe(call: AnyCall, url: str) -> str:
    try:
        return check_url(url, call.parts.outgoing.reach)
    except Unsafe as error:
        raise ValidationFailed.at(["url"], str(error)) from None


def _new_secret() -> str:
    return f"whsec_{secrets.token_hex(32)}"


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "url": row["url"],
        "description": row["description"],
        "eventTypes": from_json(row["event_types"]),
        "enabled": bool(row["enabled"]),
        "apiVersion": row["api_version"],
        "payloadMode": row["payload_mode"],
        "createdAt": to_iso(row["created_at"]),
        "updatedAt": to_iso(row["updated_at"]),
    }


def _delivery(row: Row) -> Record:
    return {
        "id": row["id"],
        "eventType": row["event_type"],
        "eventId": row["event_id"],
        "status": row["status"],
        "attempts": row["attempts"],
        "lastAttemptAt": to_iso_or_none(row["last_attempt_at"]),
        "responseStatus": row["response_status"],
        "createdAt": to_iso(row["created_at"]),
    }


def _json(value: Any) -> str:
    return to_json(value).decode()


def _audit(tx: Tx, call: AnyCall, action: str, webhook_id: str, url: str) -> None:
    audit.record_of(tx, call.caller, action, ("webhook", webhook_id), {"url": url})
